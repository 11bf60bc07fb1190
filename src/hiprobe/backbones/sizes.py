"""The size that frames of a video are given in, for backbones that take more than one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

Size = tuple[int, int]
"""(height, width) in pixels."""


class Sizes(Protocol):
    """Which sizes of frames a backbone takes."""

    def of(self, picture: Size, frames: int, pixels: int) -> Size:
        """Return the size for a video, in its proportions as nearly as the backbone allows.

        Parameters
        ----------
        picture : tuple of int
            (height, width) of the video.
        frames : int
            K, how many frames a segment has.
        pixels : int
            What a frame may have at most.
        """
        ...

    def fits(self, size: Size, frames: int, pixels: int) -> bool:
        """Return whether frames of a size may be given; parameters are those of :meth:`of`."""
        ...


@dataclass(frozen=True)
class Proportional:
    """Sides are multiples of a unit, in the video's proportions as nearly as that allows.

    The rule is that of Qwen-VL's own processors: a picture that fits is rounded, a larger one shrunk, a tiny one
    enlarged.

    Attributes
    ----------
    unit : int
        Pixels of a token's side.
    least, most : int
        Pixels of a frame that the model's processor allows.
    segment : int
        Pixels of all frames of a segment, at most.
    """

    unit: int
    least: int
    most: int
    segment: int

    def of(self, picture: Size, frames: int, pixels: int) -> Size:
        """See :meth:`Sizes.of`."""
        unit, area, most = self.unit, picture[0] * picture[1], self._most(frames, pixels)
        least = min(self.least, most)
        rounded = [round(side / unit) * unit for side in picture]
        if rounded[0] * rounded[1] > most:
            shrunk = math.sqrt(area / most)
            rounded = [math.floor(side / shrunk / unit) * unit for side in picture]
        elif rounded[0] * rounded[1] < least:
            enlarged = math.sqrt(least / area)
            rounded = [math.ceil(side * enlarged / unit) * unit for side in picture]
        height, width = (max(unit, side) for side in rounded)
        if height * width > most:  # a strip of a picture: its short side is one unit
            height, width = min(height, most // width), min(width, most // height)
            height, width = (max(unit, side // unit * unit) for side in (height, width))
        return height, width

    def fits(self, size: Size, frames: int, pixels: int) -> bool:
        """See :meth:`Sizes.fits`."""
        height, width = size
        whole = height % self.unit == width % self.unit == 0
        return whole and 0 < height * width <= self._most(frames, pixels)

    def _most(self, frames: int, pixels: int) -> int:
        return max(self.unit**2, min(pixels, self.most, self.segment // frames))


@dataclass(frozen=True)
class Tiled:
    """A frame is cut into tiles of one size, in the grid whose proportions are nearest to the video's.

    The rule is that of InternVL's own processor (``max_dynamic_patch``).

    Attributes
    ----------
    tile : tuple of int
        (height, width) of a tile.
    most : int
        Tiles of a frame.
    """

    tile: Size
    most: int

    def of(self, picture: Size, frames: int, pixels: int) -> Size:
        """See :meth:`Sizes.of`: whole tiles; one where the pixels do not suffice for two."""
        height, width = self.tile
        count = self._most(pixels)
        grids = [(rows, columns) for rows in range(1, count + 1) for columns in range(1, count // rows + 1)]
        grids.sort(key=lambda grid: (grid[0] * grid[1], grid[1]))
        ratio, area = picture[1] / picture[0], picture[0] * picture[1]
        nearest, best = math.inf, (1, 1)
        for rows, columns in grids:
            apart = abs(ratio - columns * width / (rows * height))
            # Of grids of one proportion a larger one, as long as the picture has half of its pixels.
            if apart < nearest or (apart == nearest and area > 0.5 * height * width * rows * columns):
                nearest, best = apart, (rows, columns)
        return best[0] * height, best[1] * width

    def fits(self, size: Size, frames: int, pixels: int) -> bool:
        """See :meth:`Sizes.fits`."""
        rows, columns = size[0] / self.tile[0], size[1] / self.tile[1]
        return rows.is_integer() and columns.is_integer() and 1 <= rows * columns <= self._most(pixels)

    def _most(self, pixels: int) -> int:
        return max(1, min(self.most, pixels // (self.tile[0] * self.tile[1])))
