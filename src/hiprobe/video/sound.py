"""The sound that belongs to part of a video, encoded as AAC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import BlockingIOError, EOFError, FFmpegError, InvalidDataError
from av.filter import Graph

from hiprobe.errors import VideoError
from hiprobe.video.base import Video
from hiprobe.video.container import open_stream

RATE = 48_000

Packets = Iterator[Any]
"""Encoded packets, by time."""

_EARLIER = 1.0
"""Seconds that reading starts before what is wanted, as seeking is not exact."""


@dataclass(frozen=True)
class SoundTrack:
    """The sound of a file from ``start`` to ``end``, in seconds as its container counts them."""

    path: Path
    start: float
    end: float

    @classmethod
    def of(cls, video: Video, start: float, end: float) -> SoundTrack | None:
        """Return the sound between two times of a video, in seconds from its first frame; None if it has none."""
        info = video.info
        if info.path.is_dir():
            return None
        with open_stream(info.path) as (container, _):
            heard = _sound_of(container) is not None
        return cls(info.path, info.start_pts + start, info.start_pts + end) if heard else None

    def packets(self, container: Any) -> Packets:
        """Add a stream to a container that is being written, and return what belongs into it, encoded.

        Its time 0 is ``start``: cut to the sample, silent where the file has no sound.
        """
        stream: Any = container.add_stream("aac", rate=RATE, layout="stereo")
        return self._encoded(stream)

    def _encoded(self, stream: Any) -> Packets:
        graph = None
        for frame in self._frames():
            graph = graph or self._graph(frame)
            graph.push(frame)
            for part in _pulled(graph):
                yield from stream.encode(part)
        if graph is not None:
            graph.push(None)
            for part in _pulled(graph):
                yield from stream.encode(part)
        yield from stream.encode(None)

    def _frames(self) -> Iterator[Any]:
        """Decode from shortly before ``start`` to ``end``."""
        with open_stream(self.path) as (container, _):
            source = _sound_of(container)
            with suppress(FFmpegError):  # what cannot be sought is read from its beginning
                container.seek(int((self.start - _EARLIER) * av.time_base))
            try:
                packets: Any = container.demux(source)
                for packet in packets:
                    with suppress(InvalidDataError):  # damaged: silence stands in
                        yield from (frame for frame in packet.decode() if frame.pts is not None)
                    if packet.pts is not None and packet.pts * packet.time_base > self.end:
                        return
            except FFmpegError as error:
                raise VideoError(
                    f"{self.path}: its sound cannot be read ({error.strerror or error}); copy the file again."
                ) from error

    def _graph(self, first: Any) -> Any:
        """Return the chain that cuts, shifts to time 0 and fills gaps."""
        graph = Graph()
        steps: list[Any] = [
            graph.add_abuffer(
                sample_rate=first.sample_rate,
                format=first.format.name,
                layout=first.layout.name,
                time_base=first.time_base or Fraction(1, first.sample_rate),
            ),
            graph.add("atrim", f"start={self.start:.6f}:end={self.end:.6f}"),
            graph.add("asetpts", f"PTS-({self.start:.6f})/TB"),
            graph.add("aresample", f"{RATE}:async=1:first_pts=0"),
            graph.add("aformat", f"sample_fmts=fltp:sample_rates={RATE}:channel_layouts=stereo"),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*steps).configure()
        return graph


def _sound_of(container: Any) -> Any | None:
    """Return the first audio stream that can be decoded, if there is one."""
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


def _pulled(graph: Any) -> Iterator[Any]:
    with suppress(BlockingIOError, EOFError):
        while True:
            yield graph.pull()
