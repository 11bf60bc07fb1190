"""The sizes of frames: proportions kept, within a budget, by the rules of the families' own processors."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.backbones.sizes import Proportional, Tiled

QWEN = Proportional(unit=28, least=56 * 56, most=12_845_056, segment=24_576 * 28**2)
INTERN = Tiled((448, 448), 12)
sides = st.integers(1, 5000)
budgets = st.integers(1, 4_000_000)


@pytest.mark.parametrize(
    ("picture", "pixels", "size"),
    [
        ((1080, 1920), 12_845_056, (1092, 1932)),  # 10,764 tokens for 8 frames
        ((240, 320), 12_845_056, (252, 308)),  # 396
        ((1080, 1920), 448**2, (336, 588)),
        ((1920, 1080), 448**2, (588, 336)),
        ((448, 448), 448**2, (448, 448)),
        ((10, 10), 448**2, (56, 56)),
        ((1, 5000), 448**2, (28, 3976)),
    ],
)
def test_pictures_are_sized_as_the_processors_of_the_family_do(
    picture: tuple[int, int], pixels: int, size: tuple[int, int]
) -> None:
    assert QWEN.of(picture, 8, pixels) == size


@pytest.mark.parametrize(
    ("picture", "tiles", "grid"),
    [
        ((1080, 1920), 1, (1, 1)),
        ((1080, 1920), 2, (1, 2)),
        ((1080, 1920), 12, (2, 4)),
        ((1920, 1080), 12, (4, 2)),
        ((480, 640), 12, (3, 4)),
        ((500, 500), 4, (1, 1)),
        ((900, 900), 4, (2, 2)),
    ],
)
def test_pictures_are_tiled_in_the_nearest_grid(picture: tuple[int, int], tiles: int, grid: tuple[int, int]) -> None:
    assert INTERN.of(picture, 8, tiles * 448**2) == (grid[0] * 448, grid[1] * 448)


@given(sides, sides, st.integers(1, 64), budgets)
def test_a_size_fits_what_it_was_asked_for(height: int, width: int, frames: int, pixels: int) -> None:
    for sizes in (QWEN, INTERN):
        found = sizes.of((height, width), frames, pixels)
        assert sizes.fits(found, frames, pixels)
        assert not sizes.fits((found[0] + 1, found[1]), frames, pixels)


@given(st.integers(200, 4000), st.integers(200, 4000), st.integers(100_000, 4_000_000))
def test_proportions_are_kept_to_a_token_a_side(height: int, width: int, pixels: int) -> None:
    found = QWEN.of((height, width), 8, pixels)
    off = found[0] * width / (found[1] * height)
    assert max(off, 1 / off) <= (1 + 28 / found[0]) * (1 + 28 / found[1])


def test_a_segment_has_a_budget_of_its_own() -> None:
    few, many = (QWEN.of((1080, 1920), frames, 10_000_000) for frames in (8, 64))
    assert math.prod(many) * 64 <= QWEN.segment < math.prod(few) * 64
    assert not QWEN.fits(few, 64, 10_000_000)
