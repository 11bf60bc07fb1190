"""Videos as segments with sampled frames, at their true times.

Times are seconds from the first presented frame, taken from presentation timestamps, so that variable frame
rate, B-frames and a clock that does not start at 0 come out right::

    video = open_video("night.mp4")
    for sampled in iter_segments(video, Sampling(length=2.0, stride=1.0, frames=8)):
        sampled.segment.start, sampled.times, sampled.frames

A video that is truncated or damaged raises :class:`hiprobe.errors.VideoError`; frames are never made up.
Small irregularities that can be handled are named in ``video.info.warnings``.
"""

from hiprobe.sampling import Sampling
from hiprobe.video.base import Frame, Video, VideoInfo
from hiprobe.video.folder import IMAGE_SUFFIXES
from hiprobe.video.identity import video_identity
from hiprobe.video.opening import open_video
from hiprobe.video.ref import VideoLike, VideoRef
from hiprobe.video.sampling import SampledSegment, iter_segments, sample_segments
from hiprobe.video.segments import Segment, plan_segments, sample_times
from hiprobe.video.writing import Clip, write_clip, write_clips

__all__ = [
    "IMAGE_SUFFIXES",
    "Clip",
    "Frame",
    "SampledSegment",
    "Sampling",
    "Segment",
    "Video",
    "VideoInfo",
    "VideoLike",
    "VideoRef",
    "iter_segments",
    "open_video",
    "plan_segments",
    "sample_segments",
    "sample_times",
    "video_identity",
    "write_clip",
    "write_clips",
]
