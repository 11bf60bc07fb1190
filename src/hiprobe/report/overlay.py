"""The video with anomaly map and event marks drawn into it, and a bar of the score over time below it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hiprobe.explain import blend
from hiprobe.pipeline import Detection
from hiprobe.probing import EventKind
from hiprobe.probing.kinds import UNKNOWN
from hiprobe.video import VideoRef
from hiprobe.video.sound import SoundTrack
from hiprobe.video.writing import open_mp4, shown_pictures

Colour = tuple[int, int, int]

GROUND: Colour = (24, 26, 30)
CURVE: Colour = (120, 190, 255)
EVENT: Colour = (150, 30, 30)
UNJUDGED: Colour = (95, 98, 104)
FRAME: Colour = (220, 40, 40)
LINE: Colour = (255, 190, 60)
NOW: Colour = (255, 255, 255)


def write_overlay(detection: Detection, path: Path) -> None:
    """Write the video of a detection with its anomaly maps, event marks and a score bar, as MP4.

    An event's mark names its kind, where one was measured. What could not be judged is grey in the bar.
    Every frame keeps its time, and sound is kept. The bar is below the picture and hides nothing of it.

    Parameters
    ----------
    detection : Detection
        Without anomaly maps, if ``detect`` was not asked for them, there are only the marks and the bar.
    path : Path
        The file; ``.mp4``.

    Raises
    ------
    VideoError
        If the video cannot be decoded.
    OutputError
        If the file cannot be written. Nothing is left of it then.
    """
    info = detection.video
    video = VideoRef.from_info(info).open()
    bar = ScoreBar(detection, info.width)
    size = (info.height + bar.height, info.width)
    sound = SoundTrack.of(video, 0.0, info.duration)
    anomaly_map = detection.anomaly_map.range if detection.anomaly_map else (0.0, 1.0)
    with open_mp4(path, size, info.fps, sound) as writing, closing(shown_pictures(video)) as pictures:
        for picture, until in pictures:
            image = _marked(detection, picture.rgb(), picture.time, anomaly_map)
            writing.add(np.concatenate([image, bar.at(picture.time)]), picture.time, until - picture.time)


def _marked(
    detection: Detection, image: NDArray[np.uint8], time: float, anomaly_map: tuple[float, float]
) -> NDArray[np.uint8]:
    """Return a frame (H, W, 3) with its anomaly map, from low to high, and a red frame where there is an event."""
    event = next((item for item in detection.events if item.event.start <= time < item.event.end), None)
    if event is None:
        return image
    found = detection.anomaly_map.at(time) if detection.anomaly_map else None
    if found is not None:
        image = blend(image, found, *anomaly_map)
    edge = max(2, min(image.shape[:2]) // 80)
    framed = np.empty_like(image)
    framed[:] = FRAME
    framed[edge:-edge, edge:-edge] = image[edge:-edge, edge:-edge]
    return framed if event.kind is None else _named(framed, event.kind, edge)


def _named(image: NDArray[np.uint8], kind: EventKind, edge: int) -> NDArray[np.uint8]:
    """Write the kind of an event, and how probable it is, into the upper left corner of its frame."""
    said = kind.name if kind.name == UNKNOWN else f"{kind.name} {kind.probability:.0%}"
    drawn = Image.fromarray(image)
    draw = ImageDraw.Draw(drawn)
    font = ImageFont.load_default(max(10, image.shape[0] // 18))
    *_, right, bottom = draw.textbbox((2 * edge, edge), said, font=font)
    draw.rectangle([edge, edge, right + edge, bottom + edge], fill=FRAME)
    draw.text((2 * edge, edge), said, fill=NOW, font=font)
    return np.asarray(drawn)


class ScoreBar:
    """The smoothed score over the whole video, with threshold, events, unjudged parts, and a line for the moment.

    Parameters
    ----------
    detection : Detection
        What is drawn.
    width : int
        In pixels.
    """

    def __init__(self, detection: Detection, width: int) -> None:
        self.height = max(24, width // 24 * 2)
        self._width = width
        self._duration = detection.video.duration
        self._centres = np.array([(segment.start + segment.end) / 2 for segment in detection.segments])
        self._scores = np.array([segment.smoothed for segment in detection.segments])
        # Those of a one-class probe have no upper end.
        self._low, self._high = min(0.0, self._scores.min()), max(1.0, self._scores.max())
        self._font = ImageFont.load_default(max(10, self.height // 3))
        self._drawn = self._draw(detection)

    def at(self, time: float) -> NDArray[np.uint8]:
        """Return the bar (height, width, 3) at a time in seconds, with the score then as a number."""
        image = self._drawn.copy()
        draw, x = ImageDraw.Draw(image), self._x(time)
        draw.line([(x, 0), (x, self.height)], fill=NOW, width=max(1, self._width // 400))
        score = float(np.interp(time, self._centres, self._scores))
        draw.text((3, 1), f"{score:.2f}", fill=NOW, font=self._font, stroke_width=2, stroke_fill=GROUND)
        return np.asarray(image)

    def _draw(self, detection: Detection) -> Image.Image:
        image = Image.new("RGB", (self._width, self.height), GROUND)
        draw = ImageDraw.Draw(image)
        for item in detection.events:
            draw.rectangle([self._x(item.event.start), 0, self._x(item.event.end), self.height], fill=EVENT)
        for one in detection.unjudged:
            draw.rectangle([self._x(one.start), 0, self._x(one.end), self.height], fill=UNJUDGED)
        level = self._y(detection.threshold)
        draw.line([(0, level), (self._width, level)], fill=LINE)
        # No more points than pixels, each the highest of its column: a peak must not vanish from a long video.
        columns = (self._centres / self._duration * self._width).astype(int)
        highest = [(x, self._y(self._scores[columns == x].max())) for x in np.unique(columns).tolist()]
        ends = (0, self._y(self._scores[0])), (self._width, self._y(self._scores[-1]))
        draw.line([ends[0], *highest, ends[1]], fill=CURVE, width=2)
        return image

    def _x(self, time: float) -> float:
        return time / self._duration * self._width

    def _y(self, score: float) -> float:
        return (self.height - 3) * (1 - (score - self._low) / (self._high - self._low)) + 1
