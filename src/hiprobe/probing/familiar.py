"""Which pictures a probe has learned from: how bright, how rich in contrast, how fine, how colourful they were.

A probe's score of a picture that is unlike all of these means nothing: a darkened copy of a normal clip may score 1.
What is compared is the picture as a whole, which an event hardly changes, and both classes count: no anomaly is taken
for an unknown picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GroupKFold

from hiprobe.arrays import FloatArray
from hiprobe.errors import UsageError
from hiprobe.features import Look

FOLDS = 10

EXCEEDED = 0.99
"""Quantile of held-out calibration segments by which the limit is set: 1 in 100 exceeds it, where that is over 1."""

LEAST = 1.0
"""Of limits: one step beyond the calibration's range is allowed however alike its groups are."""

_WORDS = {
    "brightness": ("darker", "brighter"),
    "contrast": ("flatter, with less contrast,", "richer in contrast"),
    "fineness": ("more blurred", "noisier"),
    "colour": ("less colourful", "more colourful"),
}


@dataclass(frozen=True)
class Familiar:
    """The range of how calibration segments look, and how far beyond it a segment is still known.

    Attributes
    ----------
    ranges : mapping of str to (low, high)
        Of each trait; see :func:`traits`.
    limit : float
        Steps beyond a range: a segment that is further out is unlike what the probe learned.

    Raises
    ------
    UsageError
        If a trait is missing, a range is empty, or a number is not finite.
    """

    ranges: Mapping[str, tuple[float, float]]
    limit: float

    def __post_init__(self) -> None:
        if set(self.ranges) != set(_WORDS):
            raise UsageError(f"The ranges of pictures are of {sorted(self.ranges)}, not of {sorted(_WORDS)}.")
        numbers = [self.limit, *(number for pair in self.ranges.values() for number in pair)]
        if not np.isfinite(numbers).all() or any(low > high for low, high in self.ranges.values()):
            raise UsageError("A range of pictures is empty or not finite; fit the probe again.")

    def sentences(self, looks: ArrayLike) -> tuple[str | None, ...]:
        """Return of each segment, by how it looks (n, 12), how it is unlike; None if it is not, or nothing is known."""
        seen = traits(looks)
        low, high = self._borders()
        outside = np.nan_to_num(np.stack([low - seen, seen - high], axis=-1), nan=-np.inf)  # (n, traits, 2)
        words = [word for pair in _WORDS.values() for word in pair]
        flat = outside.reshape(len(seen), -1)
        return tuple(
            f"The picture is much {words[row.argmax()]} than those that the probe learned from."
            if row.max() > self.limit
            else None
            for row in flat
        )

    def widened(self, looks: ArrayLike) -> Familiar:
        """Return the same with ranges that take in other segments by how they look (n, 12), but for 1% at either end.

        For a camera's ordinary footage: what is usual there is not unknown. Segments of which nothing is known are
        passed over.
        """
        seen = traits(looks)
        seen = seen[np.isfinite(seen).all(axis=1)]
        if not len(seen):
            return self
        low, high = np.quantile(seen, (1 - EXCEEDED, EXCEEDED), axis=0)
        first, last = self._borders()
        borders = zip(np.minimum(first, low).tolist(), np.maximum(last, high).tolist(), strict=True)
        return Familiar(dict(zip(_WORDS, borders, strict=True)), self.limit)

    def _borders(self) -> tuple[FloatArray, FloatArray]:
        low, high = np.array([self.ranges[name] for name in _WORDS], dtype=np.float64).T
        return low, high


def traits(looks: ArrayLike) -> FloatArray:
    """Return the traits (n, 4) of segments by how they look (n, 12), in steps that are plain to the eye.

    Brightness: log odds to base 2, of full white: half as bright is about one step, half as far from white, too.
    Contrast: log to base 2. Fineness: grain relative to contrast; a step is a factor of 1.5, which noise raises and
    defocus lowers. Colour: a step is 30 grey levels between the largest and the smallest of red, green and blue.
    """
    seen = np.asarray(looks, dtype=np.float64)
    bright, contrast = seen[:, Look.BRIGHTNESS], seen[:, Look.CONTRAST] + 0.5
    return np.stack(
        [
            np.log2((bright + 1) / (256 - bright)),
            np.log2(contrast),
            np.log2((seen[:, Look.GRAIN] + 0.5) / contrast) / np.log2(1.5),
            seen[:, Look.COLOUR] / 30,
        ],
        axis=1,
    )


def learn_familiar(looks: NDArray[np.float32], groups: ArrayLike) -> Familiar | None:
    """Learn from how calibration segments look, (n, 12), and their groups (n,); None if nothing is known of them.

    The limit is what 1 in 100 segments exceeds, each compared with the ranges of other groups, and at least one step.
    """
    seen, names = traits(looks), np.asarray(groups)
    if not np.isfinite(seen).all():
        return None
    outside = np.zeros(len(seen))
    count = min(FOLDS, len(set(names.tolist())))
    if count > 1:
        for known, held_out in GroupKFold(count).split(seen, groups=names):
            low, high = seen[known].min(axis=0), seen[known].max(axis=0)
            outside[held_out] = np.maximum(low - seen[held_out], seen[held_out] - high).max(axis=1)
    low, high = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
    ranges = {name: (low[place], high[place]) for place, name in enumerate(_WORDS)}
    return Familiar(ranges, max(LEAST, float(np.quantile(outside, EXCEEDED))))
