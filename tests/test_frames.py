"""The cache of encoded frames: what it saves, that it changes nothing, that it stays small."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.backbones.frames import FrameCache, frame_key


def encode(frames: list[int]) -> dict[str, torch.Tensor]:
    """Stand in for a vision tower: frames are told apart by one number each."""
    numbers = torch.tensor(frames, dtype=torch.float32)
    return {"sums": numbers[:, None].repeat(1, 3), "squares": numbers**2}


def look_up(cache: FrameCache[str], frames: list[int]) -> dict[str, torch.Tensor]:
    keys = [frame_key([np.array([number])]) for number in frames]
    return cache.features(keys, lambda places: encode([frames[place] for place in places]))


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=8), st.integers(1, 12))
def test_features_are_those_of_the_frames_in_their_order(calls: list[list[int]], size: int) -> None:
    cache: FrameCache[str] = FrameCache(size)
    for frames in calls:
        found = look_up(cache, frames)
        assert found.keys() == encode(frames).keys()
        assert all(torch.equal(found[name], value) for name, value in encode(frames).items())
    largest = max(len(set(frames)) for frames in calls)
    assert cache.capacity == max(size, largest)


def test_overlapping_segments_encode_each_frame_once() -> None:
    cache: FrameCache[str] = FrameCache(8)
    for start in range(0, 40, 4):
        look_up(cache, list(range(start, start + 8)))
    assert cache.encoded == 44


def test_equal_frames_in_one_call_are_encoded_once_and_a_call_may_exceed_the_size() -> None:
    cache: FrameCache[str] = FrameCache(2)
    look_up(cache, [1, 1, 2, 3, 4, 5])
    assert cache.encoded == 5
    look_up(cache, [5, 1])
    assert cache.encoded == 5


def test_the_frames_that_were_not_used_for_the_longest_time_go_first() -> None:
    cache: FrameCache[str] = FrameCache(3)
    for frames in ([1, 2, 3], [1], [4]):
        look_up(cache, frames)
    assert cache.encoded == 4
    look_up(cache, [3, 1, 4])
    assert cache.encoded == 4
    look_up(cache, [2])
    assert cache.encoded == 5


def test_a_failed_encoding_leaves_nothing_behind() -> None:
    cache: FrameCache[str] = FrameCache(3)
    look_up(cache, [1])
    with pytest.raises(MemoryError):
        cache.features([b"2"], lambda places: (_ for _ in ()).throw(MemoryError()))
    assert torch.equal(look_up(cache, [1, 2])["squares"], torch.tensor([1.0, 4.0]))
    assert cache.encoded == 2


def test_what_is_returned_is_the_callers_own() -> None:
    cache: FrameCache[str] = FrameCache(3)
    look_up(cache, [1, 2])["squares"].zero_()
    assert torch.equal(look_up(cache, [1, 2])["squares"], torch.tensor([1.0, 4.0]))


def test_a_key_stands_for_values() -> None:
    frame = np.arange(6, dtype=np.uint8)
    assert frame_key([frame[::2]]) == frame_key([frame[::2].copy()]) != frame_key([frame[1::2]])
