"""The sound that belongs to part of a video, encoded as AAC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import BlockingIOError, EOFError, FFmpegError

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
            heard = [stream for stream in container.streams.audio if stream.codec_context is not None]
        return cls(info.path, info.start_pts + start, info.start_pts + end) if heard else None

    def packets(self, container: Any) -> Packets:
        """Add a stream to a container that is being written, and return what belongs into it, encoded.

        Its time 0 is ``start``: cut to the sample, silent where the file has no sound.
        """
        stream: Any = container.add_stream("aac", rate=RATE, layout="stereo")
        return self._encoded(stream)

    def _encoded(self, stream: Any) -> Packets:
        for frame in self._cut():
            yield from stream.encode(frame)
        yield from stream.encode(None)

    def _cut(self) -> Iterator[Any]:
        with open_stream(self.path) as (container, _):
            source = next(stream for stream in container.streams.audio if stream.codec_context is not None)
            graph, given = None, 0
            with suppress(FFmpegError):  # what cannot be sought is read from its beginning
                container.seek(int((self.start - _EARLIER) * av.time_base))
            for packet in container.demux(source):
                try:
                    frames = packet.decode()
                except FFmpegError:
                    continue  # damaged: silence stands in
                for frame in frames:
                    if frame.pts is None or frame.time is None:
                        continue
                    graph = graph or self._graph(frame)
                    graph.push(frame)
                    given += 1
                    yield from _pulled(graph)
                if packet.pts is not None and packet.time_base and packet.pts * packet.time_base > self.end:
                    break
            if graph is not None:
                graph.push(None)
                yield from _pulled(graph)

    def _graph(self, first: Any) -> Any:
        """Return the chain that cuts, shifts to time 0 and fills gaps."""
        graph = av.filter.Graph()
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


def _pulled(graph: Any) -> Iterator[Any]:
    with suppress(BlockingIOError, EOFError):
        while True:
            yield graph.pull()
