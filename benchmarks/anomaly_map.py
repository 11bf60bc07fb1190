"""Anomaly maps against the truth: UCSD Ped2's pixel masks, and what the event of a generated scene changes.

    python -m benchmarks.one_class DATA [--work bench-out]     # fits the one-class probe on the normal clips
    python -m benchmarks.anomaly_map DATA [--work bench-out] [--only ped2|scenes] [--clips 44]

DATA holds ``ucsd_ped2/`` with ``labels.csv`` and ``gt_pixel_masks/``. Ped2: logistic probes are fitted on the normal
clips and Test001 to Test004, the one-class probe on the normal clips alone; measured on every fifth abnormal frame of
Test005 to Test012, each clip taken for one event. Generated scenes (need the ``scenes`` extra): fitted and measured on
clips of different seeds. Prints Markdown tables and writes the numbers under ``--work``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter
from sklearn.metrics import roc_auc_score

from benchmarks.extraction import hidden_states
from benchmarks.real_footage import read_videos
from benchmarks.ucsd_ped2 import FITTED_TESTS, POOLINGS_MEASURED
from hiprobe.backbones import Backbone, Batch, Places, Pooling, load_backbone
from hiprobe.datasets import LabelledVideo, Manifest
from hiprobe.explain import AnomalyMap, MapKeeper, read_anomaly_map
from hiprobe.explain.keeping import along
from hiprobe.features import Run
from hiprobe.files import write_text
from hiprobe.localize import Event, LocalizeSettings
from hiprobe.pipeline.detector import score
from hiprobe.pipeline.fit import fit_features
from hiprobe.probing import OneClassProbe, Probe, fit_scorer, saliency
from hiprobe.video import Sampling, Video, iter_segments, open_video, plan_segments

NEAR = 15
"""Pixels by which a pointing game's hit may miss, as in Zhang et al., Top-down neural attention, 2016."""

BLUR = 4.0
"""Pixels of the Gaussian over the frame difference, which is speckled otherwise."""

THINNED = 3
"""Of so many rows and columns, one counts in AUCs."""

EVERY = 5
"""Of so many frames, one is looked at."""

Maps = Callable[[float], NDArray[np.floating]]
"""The map (rows, columns) at a time in seconds."""


class Tally:
    """Collects pictures with their truth, and states how well the maps fit."""

    def __init__(self) -> None:
        self._scores: list[NDArray] = []
        self._truth: list[NDArray] = []
        self._hits: list[tuple[bool, bool]] = []

    def add(self, anomaly_map: NDArray[np.floating], truth: NDArray[np.bool_]) -> None:
        """Add a map (rows, columns) and the true mask (H, W), which marks something."""
        size = truth.shape[::-1]
        full = np.asarray(Image.fromarray(np.asarray(anomaly_map, np.float32)).resize(size, Image.Resampling.BILINEAR))
        hottest = np.unravel_index(full.argmax(), full.shape)
        away = float(np.asarray(distance_transform_edt(~truth))[hottest])
        self._hits.append((away == 0, away <= NEAR))
        self._scores.append(full[::THINNED, ::THINNED].ravel())
        self._truth.append(truth[::THINNED, ::THINNED].ravel())

    def numbers(self) -> dict[str, float]:
        """Return pixel AUC of all pictures together, the mean of each picture's own, and the shares of hits."""
        each = [roc_auc_score(t, s) for t, s in zip(self._truth, self._scores, strict=True) if 0 < t.sum() < t.size]
        hits = np.mean(self._hits, axis=0)
        return {
            "pixel AUC": float(roc_auc_score(np.concatenate(self._truth), np.concatenate(self._scores))),
            "mean AUC of a picture": float(np.mean(each)),
            "pointing": float(hits[0]),
            f"pointing within {NEAR} px": float(hits[1]),
            "pictures": len(self._hits),
        }


def measure_ped2(data: Path, backbone: Backbone, work: Path) -> dict[str, dict[str, float]]:
    """Measure on Test005 to Test012."""
    splits = read_videos(data)
    normal = [replace(video, group=video.path.stem) for video in splits["train"]]
    tests = [replace(video, group=video.path.stem) for video in splits["test"]]
    measured = tests[FITTED_TESTS:]
    random = np.random.default_rng(0)
    tallies = {"random": Tally(), "frame difference": Tally(), "motion of patches alone": Tally()}
    for video in measured:
        opened = open_video(video.path)
        _score(tallies["random"], video, lambda _: random.random((12, 12)))
        _score(tallies["frame difference"], video, _at(_differences(opened)))
        _score(tallies["motion of patches alone"], video, _at(_patch_motion(opened, backbone)))
    everything = [*normal, *tests]
    for pooling, found in hidden_states(everything, backbone, work, POOLINGS_MEASURED).items():
        features = dict(zip(everything, found, strict=True))
        fitting = [*normal, *tests[:FITTED_TESTS]]
        manifest = Manifest(Path("ucsd_ped2"), tuple(fitting))
        probe = fit_features(manifest, [features[v] for v in fitting], LocalizeSettings()).probe
        names = [f"probe, {pooling}, layer {probe.layer}"]
        probes = [probe]
        if pooling == "last":  # its own weights, read against the tokens as those of the other poolings are
            names.append(f"probe, {pooling}, layer {probe.layer}, its own weights")
            probes.append(replace(probe, reading=replace(probe.reading, pooling="visual")))
        for name, one in zip(names, probes, strict=True):
            tallies[name] = Tally()
            for video in measured:
                raw = np.array([segment.score for segment in score(features[video], probe, probe.localize)[0]])
                _score(tallies[name], video, _at(_maps(open_video(video.path), raw, one, backbone)))
    probe = OneClassProbe.load(work / "one_class_gaussian.probe")
    tallies["one-class probe"] = Tally()
    for video in measured:
        opened = open_video(video.path)
        _score(tallies["one-class probe"], video, _at(_maps(opened, np.zeros(0), probe, backbone)))
    return {name: tally.numbers() for name, tally in tallies.items()}


def _maps(video: Video, scores: NDArray[np.float64], probe: Probe, backbone: Backbone) -> AnomalyMap:
    """Return the maps of a whole video, taken for one event."""
    whole = Event(0.0, video.info.duration, 0.0, 1.0, 1.0)
    segments = plan_segments(video.info.duration, probe.reading.sampling)
    return read_anomaly_map(video, segments, scores, [whole], MapKeeper(backbone, probe, Run()))


def _at(anomaly_map: AnomalyMap) -> Maps:
    def nearest(time: float) -> NDArray[np.floating]:
        found = anomaly_map.at(time, reach=np.inf)
        assert found is not None
        return found

    return nearest


def _differences(video: Video) -> AnomalyMap:
    grey = [frame.image.mean(axis=2) for frame in video.frames()]
    steps = [gaussian_filter(np.abs(b - a), BLUR) for a, b in pairwise(grey)]
    return AnomalyMap(video.frame_times(), np.array([steps[0], *steps], np.float32))


def _patch_motion(video: Video, backbone: Backbone) -> AnomalyMap:
    times, maps = [], []
    for item in iter_segments(video, Sampling(stride=2.0), backbone.info.frame_size):
        times.append(item.times)
        maps.append(_motion(item.frames, backbone))
    order = np.argsort(np.concatenate(times), kind="stable")
    return AnomalyMap(np.concatenate(times)[order], np.concatenate(maps)[order])


def _motion(frames: NDArray[np.uint8], backbone: Backbone) -> NDArray[np.float32]:
    """Return how far each patch of each of a segment's frames (K, H, W, 3) moves: (K, rows, columns)."""
    motion = _places(frames, backbone, 1).motion
    assert motion is not None
    return motion[0]


def _places(frames: NDArray[np.uint8], backbone: Backbone, layer: int) -> Places:
    """Return where the visual tokens of a segment (K, H, W, 3) lie, and their states at a layer."""
    reading = replace(backbone.info.reading(pooling="visual"), layers=(layer,), places=True)
    places = backbone.read(Batch(frames[None]), reading).places
    assert places is not None
    return places


def _score(tally: Tally, video: LabelledVideo, maps: Maps) -> None:
    """Add frames of a clip whose mask marks something."""
    masks = sorted((video.path.parents[1] / "gt_pixel_masks" / video.path.stem.removeprefix("Test0")).glob("*.png"))
    pairs = list(zip(open_video(video.path).frame_times().tolist(), masks, strict=True))
    for time, path in pairs[::EVERY]:
        truth = np.asarray(Image.open(path).convert("L")) > 127
        if truth.any():
            tally.add(maps(time), truth)


def measure_scenes(backbone: Backbone, clips: int, work: Path) -> dict[str, dict[str, float]]:
    """Fit on generated clips, ``clips`` abnormal and as many normal, and measure on ``clips`` abnormal ones."""
    from benchmarks.generated_scenes import CALIBRATION_SEED, TEST_SEED
    from hiprobe_training.scenes.raster import Renderer

    with Renderer() as renderer:
        fitting = [_scene(CALIBRATION_SEED + i, renderer, backbone, i % 2 == 0) for i in range(2 * clips)]
        measured = [_scene(TEST_SEED + i, renderer, backbone, True) for i in range(clips)]
    labels = np.arange(2 * clips) % 2 == 0
    random = np.random.default_rng(0)
    tallies = {"random": Tally(), "frame difference": Tally(), "motion of patches alone": Tally()}
    for frames, truth in measured:
        difference = np.abs(np.diff(frames.mean(-1), axis=0))
        motion = _motion(frames, backbone)
        _score_scene(tallies["random"], random.random((8, 12, 12)), truth)
        _score_scene(tallies["frame difference"], gaussian_filter(difference[[0, *range(7)]], (0, BLUR, BLUR)), truth)
        _score_scene(tallies["motion of patches alone"], motion, truth)
    poolings: tuple[Pooling, ...] = ("visual", "motion")
    for pooling in poolings:
        reading = backbone.info.reading(pooling=pooling)
        states = np.concatenate([backbone.read(Batch(frames[None]), reading).values for frames, _ in fitting])
        best = saliency(states, labels).best
        scorer = fit_scorer(states[:, best], labels, np.array([f"clip {i}" for i in range(len(labels))])).scorer
        name = f"probe, {pooling}, layer {best + 1}"
        tallies[name] = Tally()
        for frames, truth in measured:
            places = _places(frames, backbone, best + 1)
            _score_scene(tallies[name], along(places, scorer.weights / scorer.scale), truth)
    return {name: tally.numbers() for name, tally in tallies.items()}


def _scene(seed: int, renderer: Any, backbone: Backbone, abnormal: bool) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the frames (8, H, W, 3) of a clip, and what its event changes at two moments (2, 96, 96)."""
    from hiprobe_training.projector.features import clip_frames
    from hiprobe_training.scenes.captions import EVENT_WORDS
    from hiprobe_training.scenes.seen import draw_seen
    from hiprobe_training.scenes.sensor import recorded_map

    kinds = list(EVENT_WORDS)
    clip, marked = draw_seen(seed, renderer, kinds[seed // 2 % len(kinds)] if abnormal else None)
    truth = np.stack([recorded_map(one, clip.stage.sensor) for one in marked])
    return clip_frames(clip, renderer, backbone.info.frame_size), truth


def _score_scene(tally: Tally, maps: NDArray[np.floating], truth: NDArray[np.bool_]) -> None:
    """Score the maps (8, rows, columns) of a clip at the moments of its truth."""
    from hiprobe_training.scenes.seen import MOMENTS

    for moment, mask in zip(MOMENTS, truth, strict=True):
        if mask.any():
            tally.add(maps[min(int(moment * len(maps)), len(maps) - 1)], mask)


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print a Markdown table."""
    names = list(next(iter(rows.values())))
    print(f"\n{title}\n\n| map | " + " | ".join(names) + " |\n| --- |" + " --- |" * len(names))
    for name, numbers in rows.items():
        print(f"| {name} | " + " | ".join(f"{v:.3f}" if v <= 1 else f"{v:.0f}" for v in numbers.values()) + " |")


def main() -> None:
    """Run the measurements that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with ucsd_ped2/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states and numbers")
    parser.add_argument("--only", choices=["ped2", "scenes"], help="one of the two")
    parser.add_argument("--clips", type=int, default=44, help="generated clips to fit on, of each sort, and to measure")
    options = parser.parse_args()
    backbone = load_backbone(report=print)
    if options.only in (None, "ped2"):
        ped2 = measure_ped2(options.data / "ucsd_ped2", backbone, options.work)
        show("UCSD Ped2", ped2)
        write_text(options.work / "anomaly_map-ped2.json", json.dumps(ped2, indent=2) + "\n")
    if options.only in (None, "scenes"):
        scenes = measure_scenes(backbone, options.clips, options.work)
        show("Generated scenes", scenes)
        write_text(options.work / "anomaly_map-scenes.json", json.dumps(scenes, indent=2) + "\n")


if __name__ == "__main__":
    main()
