"""Every family's toy, written and loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from hiprobe.backbones import LoadOptions
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.opening import load_checkpoint
from tests.families.toys import TOYS, write_toy


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small are quicker on one thread, which also keeps sums in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each toy."""
    return {name: write_toy(name, tmp_path_factory.mktemp(name)) for name in TOYS}


@pytest.fixture(scope="package")
def loaded(folders: dict[str, Path]) -> dict[str, HuggingFaceBackbone]:
    """Each toy, complete."""
    return {name: load_checkpoint(str(folder), LoadOptions()) for name, folder in folders.items()}


@pytest.fixture(params=TOYS)
def name(request: pytest.FixtureRequest) -> str:
    """Each toy in turn."""
    return request.param


@pytest.fixture
def backbone(name: str, loaded: dict[str, HuggingFaceBackbone]) -> HuggingFaceBackbone:
    """Each toy in turn, with no frames known."""
    loaded[name].frames.clear()
    return loaded[name]
