"""When each frame of a file is presented, learnt by reading its packets without decoding them.

FFmpeg's packets come in order of decoding and carry integer timestamps in units of the stream's time base.
Sorted, the presentation timestamps are the timeline, whatever the frame rate does and wherever B-frames sit.
Three things need care: containers that carry no such timestamps (raw H.264), or carry the order of decoding
in their place (AVI with B-frames), and files that were joined, where the clock starts again midway.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import Packet
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from hiprobe.errors import VideoError

_CLOCK_RESTART = 0.5
"""Seconds by which the clock must fall back to be taken for a restart rather than jitter."""
_HEADER_STATES_DURATION = ("mov", "matroska", "avi", "flv", "asf")
"""Containers whose header states a duration; of others FFmpeg only estimates one from what is there."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Presentation timestamps of one video stream.

    Attributes
    ----------
    pts : ndarray of shape (n,), int64
        Strictly increasing, in units of ``time_base`` seconds.
    last : int
        Duration of the last frame, in the same units.
    ranked : bool
        Whether decoded frames take these timestamps by their order, because their own cannot be trusted.
    starts_with_key : bool
        Whether the first packet is a key frame, so that all frames should decode.
    gops : ndarray of shape (n,), int32; None where packets lack timestamps
        Which gop of the file each frame is stored in: each begins with a key frame; 0 is before the first of these.
    leading : ndarray of shape (n,), bool
        Whether a frame is shown before the key frame that it is stored after, and so may refer to the gop before.
    warnings : tuple of str
        Sentences on what was irregular.
    """

    pts: NDArray[np.int64]
    time_base: Fraction
    last: int
    ranked: bool
    starts_with_key: bool
    gops: NDArray[np.int32] | None
    leading: NDArray[np.bool_]
    warnings: tuple[str, ...]

    def seconds(self) -> NDArray[np.float64]:
        """Return the time of each frame in seconds from the first: float64 (n,)."""
        ticks = (self.pts - self.pts[0]) * self.time_base.numerator
        return ticks / np.float64(self.time_base.denominator)

    def at(self, pts: int) -> float:
        """Return the time of a timestamp in seconds from the first frame, equal to ``seconds()`` of it."""
        return (pts - int(self.pts[0])) * self.time_base.numerator / self.time_base.denominator

    def needed(self, wanted: NDArray[np.bool_]) -> frozenset[int] | None:
        """Return which gops must be decoded for frames, bool (n,); None for all of the file."""
        if self.gops is None or self.ranked:
            return None
        before = self.gops[wanted & self.leading] - 1
        # What is before the first key frame is decoded in any case: that is how damage there is found.
        return frozenset({0, *self.gops[wanted].tolist(), *before.tolist()})

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return self.at(int(self.pts[-1]) + self.last)

    @property
    def tolerance(self) -> float:
        """Seconds that may be missing in one piece before a video counts as damaged: a frame or two."""
        gap = float(np.median(np.diff(self.seconds()))) if len(self.pts) > 1 else self.duration
        return max(2.5 * gap, min(1.0, 0.1 * self.duration))

    def starting_at(self, path: Path, pts: int | None) -> Timeline:
        """Start at ``pts``, the first frame that decodes, and drop what is before it.

        A recording may start between two key frames, however far apart these are. Raises VideoError where
        it starts with a key frame, and yet more than a moment is lost.
        """
        if self.ranked or pts is None or pts <= self.pts[0] or pts > self.pts[-1]:
            return self
        lost = self.at(pts)
        if self.starts_with_key and lost > self.tolerance:
            raise VideoError(
                f"{path}: is damaged, its first {lost:.1f} s cannot be decoded; copy the file again, or cut "
                "off the damaged part."
            )
        warning = f"The first {lost:.2f} s cannot be decoded; time 0 is the first frame after them."
        first = int(np.searchsorted(self.pts, pts))
        gops = None if self.gops is None else self.gops[first:]
        return replace(
            self,
            pts=self.pts[first:],
            gops=gops,
            leading=self.leading[first:],
            warnings=(*self.warnings, warning),
        )


def packets(container: InputContainer, stream: VideoStream, others: bool = False) -> Iterator[Packet]:
    """Demux a stream, with its clock repaired where it starts again; ``others`` yields all streams.

    The last packet of a stream is empty: it flushes the decoder.
    """
    time_base = stream.time_base or Fraction(1, 1)
    back = int(_CLOCK_RESTART / time_base)
    offset, last, step = 0, None, 0
    for packet in container.demux() if others else container.demux(stream):
        if packet.stream.index == stream.index and packet.size:
            if packet.dts is not None:
                if last is not None and packet.dts + offset < last - back:
                    offset = last + max(step, 1) - packet.dts
                last, step = packet.dts + offset, packet.duration or step
            if offset:
                packet.dts = None if packet.dts is None else packet.dts + offset
                packet.pts = None if packet.pts is None else packet.pts + offset
        yield packet


@dataclass
class _Tally:
    """What one pass over the packets found."""

    pts: array[int] = field(default_factory=lambda: array("q"))
    gops: array[int] = field(default_factory=lambda: array("l"))
    leading: array[int] = field(default_factory=lambda: array("b"))
    keys: int = 0
    key_pts: int | None = None
    size: int = 0
    discarded: int = 0
    untimed: int = 0
    last_pts: int | None = None
    last_duration: int = 0
    end: Fraction = Fraction(0)
    starts_with_key: bool = False
    cut: bool = False

    def add(self, packet: Packet) -> None:
        if self.size == 0:
            self.starts_with_key = packet.is_keyframe
        self.size += 1
        if packet.is_keyframe:
            self.keys, self.key_pts = self.keys + 1, packet.pts
        self.cut = packet.is_corrupt
        if packet.is_discard:
            self.discarded += 1
        elif packet.pts is None:
            self.untimed += 1
        else:
            self.pts.append(packet.pts)
            self.gops.append(self.keys)
            self.leading.append(self.key_pts is not None and packet.pts < self.key_pts)
            if self.last_pts is None or packet.pts > self.last_pts:
                self.last_pts, self.last_duration = packet.pts, packet.duration or 0


def read_timeline(path: Path, container: InputContainer, stream: VideoStream) -> Timeline:
    """Read all packets of an open container.

    Raises
    ------
    VideoError
        If there are none, if reading breaks off, or if there is less than the header promises.
    """
    tally = _Tally()
    failure: Exception | None = None
    try:
        for packet in packets(container, stream, others=True):
            if packet.size and packet.stream.index == stream.index:
                tally.add(packet)
            if packet.size and packet.pts is not None and packet.time_base:
                tally.end = max(tally.end, (packet.pts + (packet.duration or 0)) * packet.time_base)
    except (FFmpegError, OSError) as error:
        failure = error
    if tally.size == tally.discarded:
        raise VideoError(f"{path}: holds no video frame; copy or record the video again.") from failure
    warnings = _check_promise(path, container, stream, tally, failure)
    return _timeline(container, stream, tally, warnings)


def _check_promise(
    path: Path, container: InputContainer, stream: VideoStream, tally: _Tally, failure: Exception | None
) -> list[str]:
    """Compare what is there with what the header says; return sentences on small differences."""
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    start = Fraction(container.start_time or 0, av.time_base)
    tolerated = max(2.5 / float(rate), _largest_gap(stream, tally))
    if stream.frames:
        there, promised = float(tally.size / rate), float(stream.frames / rate)
        tolerated = 2.5 / float(rate)
    else:
        # Some headers count the duration from 0, others from the first timestamp.
        there = float(max(tally.end, tally.end - start))
        promised = (container.duration or 0) / av.time_base
        if container.format.name.split(",")[0] not in _HEADER_STATES_DURATION:
            promised = there
    missing = promised - there
    if failure is not None or missing > max(tolerated, min(1.0, 0.1 * promised)):
        of = f" of {promised:.1f} s" if missing > 0 else ""
        raise VideoError(
            f"{path}: is truncated or damaged, only {max(there, 0.0):.1f} s{of} can be read; copy the file "
            "again, or cut off the damaged part."
        ) from failure
    warnings = []
    if missing > 0.5 / float(rate):
        warnings.append(f"The header promises {promised:.2f} s, but {there:.2f} s are there.")
    # Packets of a transport stream have 188 bytes, or 192 with a time code.
    if tally.cut or (container.format.name == "mpegts" and container.size % 188 and container.size % 192):
        warnings.append("The file ends in the middle of a frame; its end may be missing.")
    return warnings


def _largest_gap(stream: VideoStream, tally: _Tally) -> float:
    """The longest time for which one frame stays on display, in seconds: the last may stay as long."""
    gaps = np.diff(np.sort(np.array(tally.pts, dtype=np.int64)))
    return float(gaps.max() * (stream.time_base or 1)) if len(gaps) else 0.0


def _timeline(container: InputContainer, stream: VideoStream, tally: _Tally, warnings: list[str]) -> Timeline:
    """Choose between the container's timestamps and the order of frames."""
    shown = tally.size - tally.discarded
    pts, where = np.unique(np.array(tally.pts, dtype=np.int64), return_index=True)
    leading = np.array(tally.leading, dtype=bool)[where]
    gops = None if tally.untimed else np.array(tally.gops, dtype=np.int32)[where]
    time_base = stream.time_base
    if time_base is None or 2 * len(pts) < shown:
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        warnings.append(
            f"The file carries no usable timestamps; times follow from the order of frames, at {float(rate):g} fps."
        )
        frames = np.arange(shown, dtype=np.int64)
        return Timeline(
            frames, 1 / rate, 1, True, tally.starts_with_key, None, np.zeros(shown, dtype=bool), tuple(warnings)
        )
    ranked = container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
    if ranked:
        warnings.append("AVI keeps no presentation times for B-frames; times follow from the order of frames.")
    elif len(pts) < shown:
        warnings.append(f"{shown - len(pts)} of {shown} packets have no timestamp of their own.")
    last = tally.last_duration
    if last <= 0:
        rate = stream.average_rate or Fraction(25)
        last = int(np.median(np.diff(pts))) if len(pts) > 1 else max(1, round(1 / (rate * time_base)))
    return Timeline(pts, time_base, last, ranked, tally.starts_with_key, gops, leading, tuple(warnings))
