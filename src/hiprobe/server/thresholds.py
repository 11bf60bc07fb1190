"""The dial: what another threshold would give, a threshold by hand, and one by footage that was ordinary."""

from __future__ import annotations

import numpy as np

from hiprobe.errors import CalibrationError, NotFoundError
from hiprobe.localize import expected_text, find_events, rate_text
from hiprobe.localize.settings import check_rate
from hiprobe.pipeline import Detection
from hiprobe.pipeline.calibrate import Calibrated, calibrate_features
from hiprobe.pipeline.ordinary import length_text
from hiprobe.probing import Probe
from hiprobe.server.labels import Labels
from hiprobe.server.library import Library
from hiprobe.server.probes import Probes
from hiprobe.server.records import Outlook, ProbeRecord
from hiprobe.server.refits import Refits
from hiprobe.server.results import Results


class Thresholds:
    """Moves the threshold of the current probe. No model runs: hidden states are kept.

    Each verb makes a version of the probe and keeps it; :meth:`Refits.roll_back` undoes it.

    Parameters
    ----------
    library, probes, results, labels, refits
        Of the project.
    """

    def __init__(self, library: Library, probes: Probes, results: Results, labels: Labels, refits: Refits) -> None:
        self._library, self._probes, self._results = library, probes, results
        self._labels, self._refits = labels, refits

    def outlook(self, video_id: int, threshold: float) -> Outlook:
        """Return what a threshold of the current probe would give in a video.

        Raises
        ------
        NotFoundError
            If the probe has not looked at the video.
        UsageError
            If the threshold is not finite.
        """
        return outlook(self._results.get(video_id), self._probes.load(self._probes.current().id), threshold)

    def set(self, threshold: float) -> ProbeRecord:
        """Give the current probe a threshold, as a version of its own; what it looked at is found anew.

        It takes the place of one that was set by hand before, so that rolling it back leads to the probe's own.

        Raises
        ------
        ProbeError
            If the threshold is not finite.
        """
        now = self._probes.current()
        own = self.own()
        probe = self._probes.load(own.id)
        note = f"Threshold {own_threshold(probe)} before, {threshold:.3f} now: it was set by hand."
        return self._refits.adopt(own, probe.raised(threshold), "threshold", [note], in_place_of=now)

    def own(self) -> ProbeRecord:
        """Return the current probe, or where its threshold was set by hand, the one that it was set for."""
        probe = self._probes.current()
        while probe.made == "threshold" and probe.before_id is not None:
            probe = self._probes.get(probe.before_id)
        return probe

    def ordinary(self, video_id: int, alarms_per_day: float, within: tuple[float, float] | None = None) -> ProbeRecord:
        """Calibrate the current probe on a video, or a stretch of it in seconds, that was ordinary.

        The notes of the version that it makes say what changed. See :func:`hiprobe.pipeline.calibrate`.

        Raises
        ------
        NotFoundError
            If the probe has not looked at the video.
        CalibrationError
            If the stretch is too short, nothing of it can be judged, or somebody labelled an event in it.
        UsageError
            If the rate is not over 0.
        """
        rate, now, video = check_rate(alarms_per_day / 24), self._probes.current(), self._library.get(video_id)
        before = self.own()
        probe = self._probes.load(before.id)
        features = self._refits.features(video_id, probe)
        if features is None:
            raise NotFoundError(f"{video.name}: this probe has not looked at it yet; run a detection first.")
        start, end = within or (0.0, video.duration)
        if not ((features.starts >= start) & (features.ends <= end)).any():
            length = probe.reading.sampling.length
            raise CalibrationError(
                f"{start:.1f} to {end:.1f} s of {video.name}: is too short to hold a segment of {length:g} s; "
                "mark a longer stretch."
            )
        held = [one for one in self._labels.list(video_id) if one.verdict == "abnormal"]
        found = next((one for one in held if one.start < end and start < one.end), None)
        if found is not None:
            raise CalibrationError(
                f"{video.name}: is labelled {found.kind} from {found.start:.1f} to {found.end:.1f} s, so it was not "
                "ordinary there; mark a stretch without it."
            )
        calibrated = calibrate_features(probe, [features], rate, within)
        return self._refits.adopt(before, calibrated.probe, "ordinary", _changes(probe, calibrated), in_place_of=now)


def outlook(found: Detection, probe: Probe, threshold: float) -> Outlook:
    """Return what a threshold would give in a video whose scores by a probe are known. See :class:`Outlook`."""
    rule, alarms = found.provenance.localize, probe.alarms
    events = find_events(
        np.array([segment.smoothed for segment in found.segments]),
        [(segment.start + segment.end) / 2 for segment in found.segments],
        found.video.duration,
        threshold,
        rule.min_duration,
        rule.merge_gap,
        [(stretch.start, stretch.end) for stretch in found.unjudged],
    )
    rate = interval = None
    sentence = f"At {threshold:.3f} this video has {len(events)} event{'' if len(events) == 1 else 's'}"
    if alarms is not None:
        rate, interval = alarms.rate_at(threshold), alarms.interval(threshold)
        sentence += (
            f"; false alarms to expect: {expected_text(rate, interval)}, "
            f"by {length_text(alarms.hours)} of ordinary footage."
        )
    else:
        sentence += "; how many false alarms to expect, this probe does not know."
    return Outlook(threshold, tuple((event.start, event.end) for event in events), rate, interval, sentence)


def own_threshold(probe: Probe) -> str:
    """Write the threshold that a probe detects with."""
    asked = probe.localize.threshold
    if asked == "calibrated":
        return f"{probe.calibrated_threshold:.3f}"
    return f"{asked:.3f}" if not isinstance(asked, str) else asked


def _changes(before: Probe, found: Calibrated) -> list[str]:
    """Say what a calibration changed, in sentences."""
    alarms, threshold = found.alarms, found.probe.calibrated_threshold
    expected = expected_text(alarms.rate_at(threshold), alarms.interval(threshold), hours=24)
    notes = [
        f"Threshold {own_threshold(before)} before, {threshold:.3f} now; alarms to expect on this camera: {expected}, "
        f"by {length_text(alarms.hours)} of its ordinary footage."
    ]
    if alarms.asked is not None and not alarms.counts(alarms.asked):
        notes.append(
            f"That footage is too short to count {rate_text(alarms.asked)}, so more may come; a longer video makes it "
            "surer."
        )
    notes += [
        f"Left out, as it stands out from the rest: {odd.event.start:.1f} to {odd.event.end:.1f} s; look at it."
        for odd in found.odd
    ]
    return notes
