"""Carrying out the view of a reading (whole picture, crop, or both) by a backbone that is given frames of one size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hiprobe.backbones.base import Backbone
from hiprobe.backbones.reading import Batch, Reading, States, View
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEEDS_CROP: tuple[View, ...] = ("crop", "both")
"""Views for which segments have to be sampled with crops."""


def read_view(backbone: Backbone, batch: Batch, reading: Reading) -> States:
    """Read segments as the reading's view says; parameters and errors are those of :meth:`Backbone.read`.

    Places, where they are asked for, are those of the whole picture.

    Raises
    ------
    UsageError
        If the batch has no crops and the view needs them, or single tokens are asked for of crops.
    """
    plain = replace(reading, view="whole")
    if reading.view == "whole":
        return backbone.read(batch, plain)
    if reading.pooling in ("tokens", "steps"):
        raise UsageError(
            f"Single tokens in the view {reading.view!r}: they are read of the whole picture; leave the view out."
        )
    if batch.crop is None:
        raise UsageError(f"The view {reading.view!r} of segments that were sampled without crops; sample them with.")
    closer = backbone.read(replace(batch, frames=batch.crop, crop=None), replace(plain, places=False))
    if reading.view == "crop" and not reading.places:
        return closer
    whole = backbone.read(batch, plain)
    if reading.view == "crop":
        return States(closer.values, whole.places)
    import numpy as np  # here, as the command line reads this module before there is anything to compute

    return States(np.concatenate([whole.values, closer.values], axis=-1), whole.places)


def observed_part(reading: Reading, kept: int, width: int) -> slice | NDArray[np.bool_]:
    """Return which of the ``kept`` numbers of a segment are the observer's: all of them where it is not read.

    ``width`` is that of a hidden state, which comes first in each view; see the pooling ``observed``.
    """
    import numpy as np

    if reading.pooling != "observed":
        return slice(None)
    views = 2 if reading.view == "both" else 1
    return np.tile(np.arange(kept // views) >= width, views)
