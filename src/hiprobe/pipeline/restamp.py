"""Stamping a probe anew: of the same backbone, whose fingerprint changed with a release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hiprobe.backbones import Backbone
from hiprobe.errors import ProbeError, UsageError
from hiprobe.features import Run, extract, stored_features
from hiprobe.probing import LogisticProbe, OneClassProbe, Probe
from hiprobe.video import VideoLike, VideoRef

DEFAULT_RUN = Run()

MOST = 0.01
"""How far what is read anew may lie from what was kept, of the largest number: rounding, on another device too."""


@dataclass(frozen=True, eq=False)
class Restamped:
    """A probe with its new fingerprint, and how it was found to be of the same backbone."""

    probe: Probe
    how: str


def restamp(probe: Probe, backbone: Backbone, videos: Sequence[VideoLike] = (), run: Run = DEFAULT_RUN) -> Restamped:
    """Return a probe as one of the backbone at hand, if it can be shown to be.

    It is where its fingerprint is the one that HiProbe 0.1 gave this very checkpoint. Otherwise videos show it that
    were read with the probe's backbone before: what the run's store kept of them is compared with what is read now.

    Parameters
    ----------
    probe : Probe
        Of an earlier fingerprint.
    backbone : Backbone
        The one at hand.
    videos : sequence of VideoRef or path
        Of those that were read before, one or more.
    run : Run
        Whose store kept what was read.

    Raises
    ------
    UsageError
        If the probe has the fingerprint at hand already.
    ProbeError
        If the backbones differ, or nothing shows that they do not.
    VideoError
        If a video cannot be read.
    """
    info, reading = backbone.info, probe.reading
    if reading.backbone == info.fingerprint:
        raise UsageError(f"The probe is stamped for {info.name} already; use it as it is.")
    renamed = replace(reading, backbone=info.fingerprint, name=info.name)
    if info.former and reading.backbone == info.former:
        how = "its fingerprint is the one that HiProbe 0.1 gave this checkpoint"
    elif not videos:
        raise ProbeError(
            f"The probe's fingerprint {reading.backbone[:12]} is none that {info.name} has or had with this release of "
            "transformers; give a video that was read with the probe before (--video), or fit a new probe."
        )
    else:
        how = _compared(probe, backbone, [VideoRef.of(video) for video in videos], run)
    assert isinstance(probe, LogisticProbe | OneClassProbe)
    return Restamped(replace(probe, reading=renamed), how)


def _compared(probe: Probe, backbone: Backbone, videos: Sequence[VideoRef], run: Run) -> str:
    """Read videos again, and say how far that lies from what was kept. Raises ProbeError if it is too far."""
    info, old = backbone.info, probe.extraction
    new = replace(old, reading=replace(old.reading, backbone=info.fingerprint, name=info.name))
    most = 0.0
    for video in videos:
        kept = None if run.store is None else stored_features(run.store, video, old, info.every_layer)
        if kept is None:
            raise ProbeError(
                f"{video}: nothing is kept of what the probe's backbone read of it, so there is nothing to compare; "
                "name another video, or its folder with --features, or fit a new probe."
            )
        found = extract(video, backbone, new, replace(run, store=None))
        if found.states.shape != kept.states.shape:
            raise ProbeError(f"{video}: {info.name} is another backbone than the probe's; fit a new probe.")
        most = max(most, float(np.abs(found.states - kept.states).max() / np.abs(kept.states).max()))
        if most > MOST:
            raise ProbeError(
                f"{video}: what {info.name} reads differs from what was kept by {most:.1%} of the largest number, so "
                "it is another backbone than the probe's; fit a new probe."
            )
    return f"what it reads is what was kept of {len(videos)} videos, but for {most:.1e} of the largest number"
