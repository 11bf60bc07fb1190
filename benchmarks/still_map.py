"""Anomaly maps of a person who lies still: where the hottest place is while nothing of the faller moves.

    python -m benchmarks.still_map [--data DATA] [--work bench-out]

On the bundled samples ``day2_fall`` and ``day7_fall`` the person lies from about 1.5 s after the fall began until the
clip ends, while others walk by; the generator (the ``scenes`` extra) tells where. A scorer of layer 1, pooling
``observed``, is fitted on the samples of all other days. With ``--data``, the same maps on UCSD Ped2's pixel masks, as
:mod:`benchmarks.anomaly_map` measures them, of Test005 to Test012. Two weights are compared: motion, and motion or what
is there and usually is not.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from benchmarks.anomaly_map import Tally, _at, _score, show
from benchmarks.extraction import hidden_states
from benchmarks.real_footage import read_videos
from benchmarks.ucsd_ped2 import FITTED_TESTS
from hiprobe.backbones import Backbone, Batch, Places, Pooling, load_backbone
from hiprobe.datasets import LabelledVideo, load_manifest, segment_labels
from hiprobe.explain import AnomalyMap
from hiprobe.explain.backdrop import backdrop, departure
from hiprobe.explain.keeping import along
from hiprobe.explain.mapping import _mean, _merged, _moving_with
from hiprobe.features import Features
from hiprobe.probing import Scorer, fit_scorer
from hiprobe.samples import SAMPLE_LABELS
from hiprobe.video import SampledSegment, iter_segments, open_video

LAYER = 1
"""That DLSP picks on both data sets."""

FALLS = ("day2_fall", "day7_fall")
WAYS = ("motion", "motion or what is new there")
POOLING: Pooling = "observed"
SETTLED = 1.8
"""Seconds after the fall began when the body lies."""

MARGIN = 12
"""Pixels around the body's joints that belong to it, in pictures of 320 x 240."""


def maps_of(video: LabelledVideo, features: Features, scorer: Scorer, backbone: Backbone) -> list[AnomalyMap]:
    """Return the maps of a whole video by each of the ways."""
    reading = replace(backbone.info.reading(pooling=POOLING), layers=(LAYER,), places=True)
    items: list[SampledSegment] = list(
        iter_segments(open_video(video.path), reading.sampling, backbone.info.frame_size)
    )
    kept: list[Places] = []
    for item in items:
        places = backbone.read(Batch.of([item]), reading).places
        assert places is not None
        kept.append(places)
    scores = np.clip(scorer.scores(features.at(LAYER)), 1e-9, 1 - 1e-9)
    direction = _moving_with(np.array([_mean(one) for one in kept]), logit(scores))
    assert direction is not None
    empty = backdrop([item.frames[0] for item in items])
    assert empty is not None
    found = []
    for way in WAYS:
        each = []
        for item, one in zip(items, kept, strict=True):
            assert one.motion is not None
            there = None if way == WAYS[0] else departure(item.frames, empty, one.motion.shape[2:])
            each.append(along(one, direction, there))
        times = [
            part.mean() for item, one in zip(items, each, strict=True) for part in np.array_split(item.times, len(one))
        ]
        found.append(_merged(np.array(times), np.concatenate(each)))
    return found


def body(name: str, time: float) -> NDArray[np.bool_]:
    """Return where the faller is at a time of a sample: (240, 320)."""
    from hiprobe_training.scenes.bundle import CLIPS, script_of
    from hiprobe_training.scenes.people import place_person

    plan = next(one for one in CLIPS if one.name == name)
    script = script_of(plan, 0)
    faller, camera = script.people[0], script.setting.camera
    joints, _ = place_person(faller.actor.state(time), faller.look.scale)
    seen = camera.project(np.asarray(joints)) / 2
    (left, top), (right, bottom) = seen.min(axis=0)[:2] - MARGIN, seen.max(axis=0)[:2] + MARGIN
    mask = np.zeros((camera.height // 2, camera.width // 2), dtype=bool)
    mask[max(0, int(top)) : int(bottom) + 1, max(0, int(left)) : int(right) + 1] = True
    return mask


def measure_falls(backbone: Backbone, work: Path) -> dict[str, dict[str, float]]:
    """Measure on the two falls."""
    manifest = load_manifest(SAMPLE_LABELS)
    (found,) = hidden_states(manifest.videos, backbone, work, (POOLING,)).values()
    features = dict(zip(manifest.videos, found, strict=True))
    tallies = {way: Tally() for way in WAYS}
    for name in FALLS:
        video = next(one for one in manifest.videos if one.path.stem == name)
        scorer = fitted([one for one in manifest.videos if one.group != video.group], features)
        begin = video.intervals[0].start + SETTLED
        for tally, one in zip(tallies.values(), maps_of(video, features[video], scorer, backbone), strict=True):
            for time, anomaly_map in zip(one.times, one.maps, strict=True):
                if time >= begin:
                    tally.add(anomaly_map, body(name, float(time)))
    return {name: tally.numbers() for name, tally in tallies.items()}


def measure_ped2(data: Path, backbone: Backbone, work: Path) -> dict[str, dict[str, float]]:
    """Measure on the masks of Test005 to Test012."""
    splits = read_videos(data)
    normal = [replace(video, group=video.path.stem) for video in splits["train"]]
    tests = [replace(video, group=video.path.stem) for video in splits["test"]]
    (found,) = hidden_states([*normal, *tests], backbone, work, (POOLING,)).values()
    features = dict(zip([*normal, *tests], found, strict=True))
    scorer = fitted([*normal, *tests[:FITTED_TESTS]], features)
    tallies = {way: Tally() for way in WAYS}
    for video in tests[FITTED_TESTS:]:
        for tally, one in zip(tallies.values(), maps_of(video, features[video], scorer, backbone), strict=True):
            _score(tally, video, _at(one))
        show(f"UCSD Ped2 up to {video.path.stem}", {name: tally.numbers() for name, tally in tallies.items()})
    return {name: tally.numbers() for name, tally in tallies.items()}


def fitted(videos: Sequence[LabelledVideo], features: dict[LabelledVideo, Features]) -> Scorer:
    """Return a scorer that is fitted on videos."""
    labels = [segment_labels(video, features[video].starts, features[video].ends) for video in videos]
    groups = np.repeat([video.group for video in videos], [len(one) for one in labels])
    states = np.concatenate([features[video].at(LAYER) for video in videos])
    return fit_scorer(states, np.concatenate(labels), groups).scorer


def main() -> None:
    """Run the measurements that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with ucsd_ped2/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states")
    options = parser.parse_args()
    backbone = load_backbone(report=print)
    if options.data:
        show("UCSD Ped2", measure_ped2(options.data / "ucsd_ped2", backbone, options.work))
    else:
        show("A person who lies still", measure_falls(backbone, options.work))


if __name__ == "__main__":
    main()
