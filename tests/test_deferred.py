"""A backbone that is loaded when it is first run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hiprobe.backbones import Batch, load_backbone
from hiprobe.backbones.deferred import Deferred
from hiprobe.errors import BackboneError
from hiprobe.features import FeatureStore, Run, extract
from tests.fakes import FakeBackbone, bright_video
from tests.reading import values_of


class Loader:
    """Counts what is loaded."""

    def __init__(self) -> None:
        self.made: list[FakeBackbone] = []

    def __call__(self) -> FakeBackbone:
        self.made.append(FakeBackbone())
        return self.made[-1]


def test_it_is_loaded_once_and_only_when_it_runs() -> None:
    load = Loader()
    deferred = Deferred(FakeBackbone().info, load)
    assert deferred.info.width == FakeBackbone().info.width and not load.made
    frames = np.zeros((2, 3, *deferred.info.frame_size, 3), np.uint8)
    found = [values_of(deferred, frames, "What?", [1, 2], "visual") for _ in range(2)]
    assert np.array_equal(found[1], values_of(FakeBackbone(), frames, "What?", [1, 2], "visual"))
    assert deferred.generate(Batch(frames[:1]), "What?", 3) == "dark"
    assert len(load.made) == 1 and deferred.loaded is load.made[0]


def test_to_generate_first_it_is_loaded_complete() -> None:
    load, complete = Loader(), Loader()
    deferred = Deferred(FakeBackbone().info, load, complete)
    deferred.generate(Batch(np.zeros((1, 3, *deferred.info.frame_size, 3), np.uint8)), "What?", 3)
    deferred.load()
    assert (len(load.made), len(complete.made)) == (0, 1)


def test_features_that_are_kept_need_no_model(tmp_path: Path) -> None:
    video, run, load = bright_video(tmp_path / "a.mp4", 6), Run(FeatureStore(tmp_path / "features")), Loader()
    reading = FakeBackbone().info.reading(prompt="what happens")
    first = extract(video, Deferred(FakeBackbone().info, load), reading, run)
    again = extract(video, Deferred(FakeBackbone().info, load), reading, run)
    assert np.array_equal(first.states, again.states)
    assert len(load.made) == 1


def test_an_error_of_loading_does_not_name_a_video(tmp_path: Path) -> None:
    def fail() -> FakeBackbone:
        raise BackboneError("the weights are gone.")

    video = bright_video(tmp_path / "a.mp4", 6)
    backbone = Deferred(FakeBackbone().info, fail)
    reading = FakeBackbone().info.reading(prompt="what happens")
    with pytest.raises(BackboneError, match=r"^the weights are gone\.$"):
        extract(video, backbone, reading)


def test_the_facts_of_the_embedded_backbone_need_no_torch() -> None:
    code = (
        "from hiprobe.backbones import load_backbone; import sys; load_backbone().info; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert load_backbone().info.name == "embedded"
