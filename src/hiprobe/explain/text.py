"""Explanations in words, by the same backbone that was probed (HiProbe-VAD, explanation stage)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hiprobe.backbones import EVENT_PROMPT, Backbone, Batch
from hiprobe.features import Run
from hiprobe.localize import Event
from hiprobe.sampling import Sampling
from hiprobe.video import Segment, Video, sample_segments

MAX_NEW_TOKENS = 40


@dataclass(frozen=True)
class Explanation:
    """What a backbone answered about the frames around an event's peak, and what it was asked.

    Attributes
    ----------
    text : str
        Greedy, so the same frames always give the same text.
    prompt : str
        What was asked.
    start, end : float
        The window that it saw, in seconds.
    """

    text: str
    prompt: str
    start: float
    end: float


def explain_events(
    video: Video,
    events: Sequence[Event],
    backbone: Backbone,
    sampling: Sampling,
    run: Run,
    pixels: int | None = None,
) -> tuple[Explanation, ...]:
    """Ask the backbone about each event, in one pass over the video; it is told that something unusual happens.

    It sees K frames of a window of one segment's length around the event's peak, moved inside the video. The run is
    checked before each text. Frames keep the video's proportions where ``pixels`` says what they may have.

    Raises
    ------
    VideoError
        If the video cannot be decoded.
    """
    if not events:
        return ()
    windows = [
        window_around(event.peak_time, sampling.length, video.info.duration, index)
        for index, event in enumerate(events)
    ]
    size = backbone.info.text_size(sampling, pixels, (video.info.height, video.info.width))
    said = []
    for item in sample_segments(video, windows, sampling.frames, size):
        run.check()
        text = backbone.generate(Batch.of([item]), EVENT_PROMPT, MAX_NEW_TOKENS)
        said.append(Explanation(text, EVENT_PROMPT, item.segment.start, item.segment.end))
    return tuple(said)


def window_around(time: float, length: float, duration: float, index: int = 0) -> Segment:
    """Return the window of so many seconds around a time, moved inside the video, or the whole of a shorter video."""
    length = min(length, duration)
    start = min(max(0.0, time - length / 2), duration - length)
    return Segment(index, start, start + length)
