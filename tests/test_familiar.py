"""Pictures that a probe knows, after ordinary footage of a camera."""

from __future__ import annotations

import numpy as np

from hiprobe.features import Look
from hiprobe.probing import learn_familiar


def looks(brightness: float, count: int = 40) -> np.ndarray:
    """How segments of one brightness look, (count, 12)."""
    found = np.zeros((count, len(Look)), np.float32)
    found[:, Look.BRIGHTNESS], found[:, Look.CONTRAST], found[:, Look.GRAIN] = brightness, 40, 4
    return found


def test_a_dark_camera_is_known_after_its_ordinary_footage() -> None:
    familiar = learn_familiar(looks(120), np.arange(40) % 4)
    assert familiar is not None
    (first, *_) = familiar.sentences(looks(15))
    assert first is not None and "much darker" in first
    wider = familiar.widened(looks(15))
    assert set(wider.sentences(looks(15))) == {None} == set(wider.sentences(looks(120)))
    assert familiar.sentences(looks(15))[0] == first  # the probe before is as it was


def test_nothing_known_widens_nothing() -> None:
    familiar = learn_familiar(looks(120), np.arange(40) % 4)
    assert familiar is not None
    assert familiar.widened(np.full((3, len(Look)), np.nan)) == familiar
