"""Fixtures that several test files share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hiprobe.cli import main
from hiprobe.cli.options import state
from tests.browser import launched
from tests.trees import N_FRAMES
from tests.videos import write_video

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; of one module, because Playwright's event loop would be in the way of others."""
    with launched() as running:
        yield running


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames at 5 a second: encoded once, copied wherever a video is wanted."""
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", N_FRAMES, fps=5)


@pytest.fixture
def put(clip: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that puts the clip at paths below the folder of the test, and returns that folder."""

    def call(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, tmp_path / name)
        return tmp_path

    return call


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command line in this process; return exit code, standard output and standard error."""

    monkeypatch.setattr(state, "debug", False)  # --debug of one test must not reach the next

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hiprobe", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        captured = capsys.readouterr()
        return (code if isinstance(code, int) else 0), captured.out, captured.err

    return call
