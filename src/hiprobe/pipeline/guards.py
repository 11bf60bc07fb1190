"""Guards: which segments of a video cannot be judged, and why, in a sentence.

A probe gives a score to whatever it is shown. It has learned nothing of a black picture, a test card or a darkened
copy of its own normal video, and its scores there are arbitrary. Segments that a guard names raise no events, and are
left out of smoothing, so that their scores do not leak into others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiprobe.arrays import BoolArray
from hiprobe.backbones import BackboneInfo
from hiprobe.features import Features, Look, read_looks
from hiprobe.localize.unjudged import Reason, Unjudged
from hiprobe.probing import Familiar, Probe, learn_familiar
from hiprobe.video import VideoRef

BLACK, FLAT, SNOW, BLURRED, BANDED, COLOURED, BURNT = 8.0, 3.0, 0.4, 0.995, 0.9, 50.0, 0.7
"""Limits on :class:`Look`: mean and deviation in grey levels, correlations of neighbours, share of rows, colour in grey
levels, share of pixels.

Round numbers, set by hand between the 693 segments of Surveillance Camera Fight and UCSD Ped2, which are far from
all of them (least deviation 31, correlations 0.77 to 0.98, shares up to 0.37), and spoiled copies of twelve.
"""

STILL, STILL_PIXEL = 0.05, 2.0
"""Grey levels by which consecutive frames of a frozen picture differ at most: on average, and in any pixel."""

FROZEN = 5.0
"""Seconds without any change after which a picture counts as frozen: a still scene has noise, if the codec keeps it."""


@dataclass(frozen=True)
class Verdict:
    """Why a segment cannot be judged."""

    reason: Reason
    sentence: str


Verdicts = tuple[Verdict | None, ...]
"""Of each segment; None where it can be judged."""

_BLIND = {
    "black": Verdict("blind", "The picture is black; check the camera and its light."),
    "uniform": Verdict("blind", "The picture is of one colour: no signal, or the lens is covered."),
    "snow": Verdict("blind", "The picture is noise; check the camera's signal."),
    "bars": Verdict("blind", "The picture is of bars, as a test card: there is no signal."),
    "burnt": Verdict("blind", "Most of the picture is burnt out; check the exposure, and for light into the lens."),
    "blurred": Verdict("blind", "The picture has no detail: the lens is covered, or far out of focus."),
    "frozen": Verdict("blind", f"No pixel changes for {FROZEN:g} s or longer: the picture is frozen."),
}


def with_looks(ref: VideoRef, features: Features, info: BackboneInfo) -> Features:
    """Add how segments look to features that an earlier release kept without: the video is decoded for it."""
    if features.looks is not None:
        return features
    reading, video = features.reading, ref.open()
    size = info.shown_size(reading, (video.info.height, video.info.width))
    return replace(features, looks=read_looks(video, reading.sampling, size))


def judge(features: Features, probe: Probe) -> Verdicts:
    """Return of each segment why it cannot be judged; nothing can be told of features without looks."""
    return verdicts_of(features, probe.familiar)


def verdicts_of(features: Features, familiar: Familiar | None) -> Verdicts:
    """The same, by the pictures that are known, if any."""
    found = blind(features)
    if familiar is None or features.looks is None:
        return found
    return tuple(
        first if first or sentence is None else Verdict("unlike", sentence)
        for first, sentence in zip(found, familiar.sentences(features.looks), strict=True)
    )


def learn_pictures(features: Sequence[Features], groups: ArrayLike) -> tuple[Familiar | None, tuple[str, ...]]:
    """Learn how the pictures of a calibration set look, and say if some show nothing; None if that is not known.

    ``groups`` are of all segments, in order. Segments that show nothing are not learned from.
    """
    looks = [item.looks for item in features if item.looks is not None]
    if len(looks) < len(features):
        return None, ()
    seen = np.concatenate([judged(blind(item)) for item in features])
    if not seen.any():
        return None, (f"None of the {len(seen)} calibration segments shows anything: see that the videos can be seen.",)
    note = f"{int((~seen).sum())} of {len(seen)} calibration segments show nothing (black, frozen, without detail)."
    return learn_familiar(np.concatenate(looks)[seen], np.asarray(groups)[seen]), () if seen.all() else (note,)


def blind(features: Features) -> Verdicts:
    """Return of each segment why there is nothing to see in it."""
    looks = features.looks
    if looks is None:
        return (None,) * len(features.states)
    of = {look: looks[:, look] for look in Look}
    # In order: the first that holds is told. Comparisons with NaN, of frames too small, do not hold.
    found = {
        "black": (of[Look.DARKEST] < BLACK) & (of[Look.FLATTEST] < FLAT),
        "uniform": of[Look.FLATTEST] < FLAT,
        "snow": of[Look.LIKENESS] < SNOW,
        "bars": (of[Look.BANDED] > BANDED) & (of[Look.COLOUR] > COLOURED) & (of[Look.FLATTEST] > 5 * FLAT),
        "burnt": of[Look.BURNT] > BURNT,
        "blurred": of[Look.LIKENESS] > BLURRED,
        "frozen": _frozen(features, (of[Look.CHANGE] <= STILL) & (of[Look.MOVED] <= STILL_PIXEL)),
    }
    return tuple(next((_BLIND[name] for name, holds in found.items() if holds[row]), None) for row in range(len(looks)))


def _frozen(features: Features, still: BoolArray) -> BoolArray:
    """Return which still segments belong to a run of them that is long enough."""
    found = np.zeros(len(still), dtype=bool)
    for rows in _runs(still.tolist()):
        if still[rows[0]] and features.ends[rows[-1]] - features.starts[rows[0]] >= FROZEN:
            found[rows] = True
    return found


def judged(verdicts: Verdicts) -> BoolArray:
    """Return which segments (n,) can be judged."""
    return np.array([verdict is None for verdict in verdicts], dtype=bool)


def stretches(features: Features, verdicts: Verdicts) -> tuple[Unjudged, ...]:
    """Return the parts of a video that no segment covers that can be judged, each with its reason."""
    known = judged(verdicts)
    spans = list(zip(features.starts[known].tolist(), features.ends[known].tolist(), strict=True))
    # Time belongs to the segment whose middle is nearest.
    between = (features.centres[1:] + features.centres[:-1]) / 2
    borders = np.concatenate([[0.0], between, [features.video.duration]])
    found = []
    for rows in _runs(verdicts):
        verdict = verdicts[rows[0]]
        if verdict is None:
            continue
        start, end = features.starts[rows[0]], features.ends[rows[-1]]
        # Where one reason ends and another begins, both cannot be told of the same time.
        if rows[0] and verdicts[rows[0] - 1] is not None:
            start = borders[rows[0]]
        if rows[-1] + 1 < len(verdicts) and verdicts[rows[-1] + 1] is not None:
            end = borders[rows[-1] + 1]
        start = max([float(start), *(last for first, last in spans if first <= start)])
        end = min([float(end), *(first for first, last in spans if last >= end)])
        if end > start:
            found.append(Unjudged(start, end, verdict.reason, verdict.sentence))
    return tuple(found)


def _runs(values: Sequence[object]) -> list[NDArray[np.intp]]:
    """Return the places of consecutive equal values, run by run."""
    borders = [place for place in range(1, len(values)) if values[place] != values[place - 1]]
    return np.split(np.arange(len(values)), borders)
