"""The cache of encoded frames: what it saves, that it changes nothing, that it stays small."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.backbones.embedded.frames import FrameCache


def encode(frames: np.ndarray) -> dict[int, torch.Tensor]:
    """Stand in for a vision tower: sums over rows, and their squares."""
    sums = torch.from_numpy(frames.astype(np.float32)).sum(dim=2)
    return {4: sums, 10: sums**2}


def window(numbers: list[int]) -> np.ndarray:
    """A segment of frames that are told apart by one number each."""
    return np.stack([np.full((2, 3, 3), number, np.uint8) for number in numbers])[None]


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=8), st.integers(1, 12))
def test_features_are_those_of_the_frames_in_their_order(windows: list[list[int]], size: int) -> None:
    cache = FrameCache(encode, size)
    for numbers in windows:
        frames = window(numbers)
        found = cache.features(frames)
        assert all(torch.equal(found[block], value) for block, value in encode(frames).items())
        assert len(cache._known) <= size


def test_overlapping_segments_encode_each_frame_once() -> None:
    cache = FrameCache(encode, 8)
    for start in range(0, 40, 4):
        cache.features(window(list(range(start, start + 8))))
    assert cache.encoded == 44


def test_equal_frames_in_one_call_are_encoded_once_and_a_batch_may_exceed_the_size() -> None:
    cache = FrameCache(encode, 2)
    frames = np.concatenate([window([1, 1, 2]), window([3, 4, 5])])
    assert torch.equal(cache.features(frames)[4], encode(frames)[4])
    assert cache.encoded == 5 and len(cache._known) == 2
