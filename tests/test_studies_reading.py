"""How studies read videos: several ways in one pass, and places beside the decoder's layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hiprobe.backbones import Pooling
from hiprobe.datasets import Manifest, load_manifest
from hiprobe.features import FeatureStore
from hiprobe.studies.corpus import Reader
from hiprobe.studies.together import Way
from tests.fakes import FakeBackbone, bright_video


class Listening(FakeBackbone):
    """Its states tell the prompt and the pooling, and it counts the frames that it did not see just before."""

    def __init__(self) -> None:
        super().__init__()
        self.new = 0
        self._last = np.empty(0)

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        self.new += not np.array_equal(frames, self._last)
        self._last = frames
        return super().hidden_states(frames, prompt, layers, pooling, seconds) + len(prompt + pooling)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("reading")
    rows = ["path,label,start,end"]
    for index in range(2):
        bright_video(folder / f"dark{index}.mp4", 8, seed=index)
        bright_video(folder / f"bright{index}.mp4", 8, (2, 6), seed=index)
        rows += [f"dark{index}.mp4,normal,,", f"bright{index}.mp4,flash,2,6"]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return load_manifest(folder / "labels.csv")


def test_several_ways_in_one_pass_are_those_ways_alone(manifest: Manifest, tmp_path: Path) -> None:
    ways: list[Way] = [("What happens?", "visual"), (" ", "visual"), ("What happens?", "last")]
    alone = [Reader(Listening()).read(manifest, prompt=prompt, pooling=pooling) for prompt, pooling in ways]
    backbone = Listening()
    reader = Reader(backbone, FeatureStore(tmp_path))
    for expected, found in zip(alone, reader.read_together(manifest, ways), strict=True):
        assert found.layers == expected.layers
        np.testing.assert_array_equal(found.states, expected.states)
    # All ways of a batch follow each other, so that what is known of its frames serves.
    assert backbone.new * len(ways) == backbone.batches
    before = backbone.batches
    reader.read_together(manifest, ways)
    assert backbone.batches == before
    reader.read_together(manifest, ways[:2])  # other ways are another reading
    assert backbone.batches > before
