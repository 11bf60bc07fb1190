"""Make the starter probes that come with the package, each with its card, from real footage.

    python -m benchmarks.starter_probes DATA [--out src/hiprobe/probes] [--work bench-out] [--only fight]

DATA as for ``benchmarks.real_footage``, whose hidden states under ``--work`` serve here too, as do those of
``benchmarks.unseen_sources``. A probe is fitted on the
whole of its data set; the figures of its card come of cross-validation by group on the same set, in three splits, with
layer, C and threshold chosen anew in each fold from the fitting clips alone.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import TextWrapper

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.extraction import REMEDY, kept_run
from benchmarks.real_footage import read_videos
from benchmarks.surv_fight import SEEDS
from hiprobe.backbones import Pooling, View, load_backbone
from hiprobe.backbones.embedded.recipe import INFO
from hiprobe.datasets import LabelledVideo, Manifest, segment_labels
from hiprobe.features import Features, extract_all, raise_failures
from hiprobe.files import write_text
from hiprobe.localize import Event, LocalizeSettings
from hiprobe.pipeline import SegmentScore
from hiprobe.pipeline.detector import score
from hiprobe.pipeline.evaluate import video_scores
from hiprobe.pipeline.fit import fit_features
from hiprobe.pipeline.ordinary import sureness
from hiprobe.probing import LogisticProbe, group_folds

PARAGRAPH = TextWrapper(120, break_on_hyphens=False)
POINT = TextWrapper(120, break_on_hyphens=False, initial_indent="- ", subsequent_indent="  ")


@dataclass(frozen=True)
class Recipe:
    """What a starter probe is made of, and what its card says beside the figures.

    Attributes
    ----------
    name, summary : str
        Of the probe, and what it finds.
    folder : str
        The data set, under DATA.
    auc_of : str
        What the AUC ranks: ``clips``, by the mean score of their segments, or ``frames``, by their smoothed score.
    data, use : str
        Where the clips come from and their licence, and what the probe is for.
    limits : tuple of str
        A point each.
    clips_are_groups : bool
        Whether each clip is a group of its own, in place of the groups that the data set names.
    view : View
        How much of the picture is read.
    pooling : Pooling
        How.
    layers : tuple of int
        Those that the layer is chosen among; by default all.
    """

    name: str
    summary: str
    folder: str
    auc_of: str
    data: str
    use: str
    limits: tuple[str, ...]
    clips_are_groups: bool = False
    view: View = "whole"
    pooling: Pooling = "observed"
    layers: tuple[int, ...] = ()


RECIPES = (
    Recipe(
        name="fight",
        summary="fights in surveillance video",
        folder="surv_fight",
        auc_of="clips",
        data="Surveillance Camera Fight (Akti et al., IPTA 2019), 200 of its 300 clips as in "
        "seymanurakti/fight-detection-surv-dataset@ff83b7c5; MIT, copyright 2020 Şeymanur Aktı. Clips of 1 to 4 s; "
        "each is wholly a fight or wholly normal. A group is what clips were cut from: 27 videos of the web, and two "
        "collections (CamNet, Synopsis) whose clips are all normal.",
        use="To point a person to moments of surveillance video that are worth a look. Not to act on anybody without a "
        "person having looked, and not as evidence.",
        limits=(
            "Few sources: shops, bars, offices, buses, streets and yards as fixed cameras see them. Many carry the "
            "overlays of news channels, and some were filmed off a monitor.",
            "28 of the 110 normal clips are of the two collections that hold no fight, so part of what is measured may "
            "be the look of a source.",
            "Clips were cut to be a fight or not. Hours of footage hold much that no clip shows (crowds, sport, "
            "dancing, play), so expect another rate of false alarms than the table's.",
            "View, pooling and layer were chosen on these sources, too (docs/measured/sources.md of the project).",
        ),
        view="both",
        layers=(20,),
    ),
    Recipe(
        name="walkway-vehicles",
        summary="bicycles, skateboards and carts on a walkway",
        folder="ucsd_ped2",
        auc_of="frames",
        data="UCSD Ped2 (Mahadevan et al., CVPR 2010), 16 training and 12 test clips as in "
        "yatoyun/test_ssctb@161023c3; the data set states no licence and asks to be cited. Clips of 12 to 18 s at a "
        "nominal 10 fps, in grey, of one fixed camera over a walkway on which people walk past. Every clip is taken as "
        "a group of its own.",
        use="To try HiProbe on a walkway or pedestrian zone, seen from above by a fixed camera, before labels of that "
        "camera exist; then fit a probe of your own.",
        limits=(
            "**One camera.** Fitting and held-out clips show the same place, so the figures say nothing about another "
            "camera; expect less there.",
            "It knows what was rare on this walkway. Where bicycles are usual, it is wrong by design.",
        ),
        clips_are_groups=True,
    ),
)


@dataclass(frozen=True)
class Measured:
    """What cross-validation by group found, all splits together.

    Attributes
    ----------
    aucs, fold_aucs : tuple of float
        Of everything held out, one per split; and within each fold that holds out both classes.
    layers : tuple of int
        Layer chosen in each fold.
    alarms : int
        Events on held-out normal clips, ``normal_seconds`` long together.
    found, abnormal : int
        Held-out abnormal clips with an event, and all of them.
    """

    aucs: tuple[float, ...]
    fold_aucs: tuple[float, ...]
    layers: tuple[int, ...]
    alarms: int
    normal_seconds: float
    found: int
    abnormal: int

    @property
    def false_alarms_per_hour(self) -> float:
        """Events per hour of held-out normal clips."""
        return self.alarms / self.normal_seconds * 3600


def fit_starter(recipe: Recipe, videos: Sequence[LabelledVideo], features: Sequence[Features]) -> LogisticProbe:
    """Fit the probe that ships, on all videos. It names the data set, and no path of this machine."""
    probe = _fit(recipe, videos, features, seed=0)
    source = f"starter probe {recipe.name}, fitted on {recipe.folder}"
    return replace(probe, calibration=replace(probe.calibration, source=source))


def cross_validate(recipe: Recipe, videos: Sequence[LabelledVideo], features: Sequence[Features]) -> Measured:
    """Score every video by probes that were fitted, with all their choices, without its group."""
    per_video = [segment_labels(video, item.starts, item.ends) for video, item in zip(videos, features, strict=True)]
    labels = np.concatenate(per_video)
    groups = np.repeat([video.group for video in videos], [len(item) for item in per_video])
    aucs, fold_aucs, layers = [], [], []
    alarms = found = abnormal = 0
    normal_seconds = 0.0
    for seed in SEEDS:
        pooled: list[tuple[NDArray, NDArray]] = []
        for _, held_out in group_folds(labels, groups, seed=seed):
            outside = set(groups[held_out])
            fitting = [(v, f) for v, f in zip(videos, features, strict=True) if v.group not in outside]
            probe = _fit(recipe, [v for v, _ in fitting], [f for _, f in fitting], seed)
            layers.append(probe.layer)
            rows: list[tuple[NDArray, NDArray]] = []
            for video, item in zip(videos, features, strict=True):
                if video.group not in outside:
                    continue
                segments, _, events = score(item, probe, probe.localize)
                rows.append(_ranked(recipe.auc_of, video, item.video.duration, segments, events))
                if video.is_abnormal:
                    abnormal += 1
                    found += bool(events)
                else:
                    alarms += len(events)
                    normal_seconds += item.video.duration
            pooled += rows
            if len(np.unique(np.concatenate([truth for truth, _ in rows]))) == 2:
                fold_aucs.append(_auc(rows))
            print(f"  {recipe.name}: split {seed}, layer {probe.layer}, {len(rows)} clips held out", flush=True)
        aucs.append(_auc(pooled))
    return Measured(
        tuple(aucs), tuple(fold_aucs), tuple(layers), alarms, normal_seconds, found=found, abnormal=abnormal
    )


def card(recipe: Recipe, videos: Sequence[LabelledVideo], probe: LogisticProbe, measured: Measured) -> str:
    """Return the card of a probe as Markdown, under the head that :mod:`hiprobe.probes` reads."""
    stats, reading, splits = probe.calibration, probe.reading, len(SEEDS)
    sampling = reading.sampling
    seconds = measured.normal_seconds / splits
    folds = measured.fold_aucs
    within = f"{np.mean(folds):.3f} ± {np.std(folds):.3f} ({len(folds)} folds)" if folds else "undefined"
    chosen = ", ".join(f"{layer} x{count}" for layer, count in sorted(Counter(measured.layers).items()))
    counts = (
        f"{len(videos)} clips, {sum(video.is_abnormal for video in videos)} of them with an event, of {stats.n_groups} "
        f"groups; {stats.n_segments} segments, {stats.n_abnormal} abnormal."
    )
    protocol = (
        "The probe that ships is fitted on all of these clips. The figures come of 5-fold cross-validation by group on "
        f"the same clips, in {splits} splits: in each fold, layer, C and threshold are chosen anew from the fitting "
        "clips alone, and no clip is scored by a probe that was fitted on a clip of its group."
    )
    settings = (
        f"The probe: layer {probe.layer}, of {len(probe.dlsp.layers)} to choose among, pooling `{probe.pooling}`, view "
        f"`{reading.view}`, C = {stats.C:g}, "
        f"threshold {probe.calibrated_threshold:.3f} on scores smoothed by {probe.localize.sigma:g} s; segments of "
        f"{sampling.length:g} s every {sampling.stride:g} s, {sampling.frames} frames each; prompt "
        f'"{reading.prompt}".'
    )
    if probe.alarms:
        said = sureness(probe.alarms, probe.calibrated_threshold)
        settings = f"{settings} By the calibration's own normal clips, {said}."
    limits = (
        *recipe.limits,
        "Cross-validation flatters: held-out clips come of the same collection, and the backbone and its defaults were "
        "chosen with this data set in sight (docs/measurements.md of the project).",
        f"False alarms were counted on {seconds:.0f} s of normal clips in a split, so one event is "
        f"{3600 / seconds:.0f} per hour.",
        "The prompt is English, and so is the backbone's text.",
        "For your own camera, label a few clips and run `hiprobe fit`: a probe of that camera will be better.",
    )
    return f"""\
---
summary: {recipe.summary}
auc: {np.mean(measured.aucs):.4f}
auc_of: {recipe.auc_of}
false_alarms_per_hour: {measured.false_alarms_per_hour:.2f}
---

# {recipe.name}: {recipe.summary}

A starter probe of HiProbe for the backbone `{reading.name}`. It holds weights and statistics only, no footage.

## Data

{PARAGRAPH.fill(recipe.data)}

{PARAGRAPH.fill(counts)}

## Protocol

{PARAGRAPH.fill(protocol)}

    python -m benchmarks.starter_probes DATA

## Figures

| what | value |
| --- | --- |
| AUC of held-out {recipe.auc_of}, pooled, mean of {splits} splits | {np.mean(measured.aucs):.3f} |
| each split | {" / ".join(f"{auc:.3f}" for auc in measured.aucs)} |
| AUC within a fold, mean and sd | {within} |
| false alarms per hour of held-out normal clips | {measured.false_alarms_per_hour:.0f} |
| what that rests on, per split | {measured.alarms / splits:.1f} events in {seconds:.0f} s |
| held-out clips with an event in which one was found | {measured.found / measured.abnormal:.0%} |
| layers chosen in the folds | {chosen} |

{PARAGRAPH.fill(settings)}

Backbone fingerprint: `{reading.backbone}`
(the probe is refused with any other).

## Intended use

{PARAGRAPH.fill(recipe.use)}

## Limits

{chr(10).join(map(POINT.fill, limits))}
"""


def make(recipe: Recipe, videos: Sequence[LabelledVideo], features: Sequence[Features], out: Path) -> Path:
    """Fit, measure and write one probe and its card into ``out``; return the path of the probe."""
    probe = fit_starter(recipe, videos, features)
    measured = cross_validate(recipe, videos, features)
    path = out / f"{recipe.name}.probe"
    probe.save(path)
    write_text(path.with_suffix(".md"), card(recipe, videos, probe, measured))
    return path


def _fit(recipe: Recipe, videos: Sequence[LabelledVideo], features: Sequence[Features], seed: int) -> LogisticProbe:
    manifest = Manifest(Path(recipe.folder), tuple(videos))
    return fit_features(manifest, features, LocalizeSettings(), seed=seed, width=INFO.width).probe


def _ranked(
    auc_of: str, video: LabelledVideo, duration: float, segments: Sequence[SegmentScore], events: Sequence[Event]
) -> tuple[NDArray, NDArray]:
    """Return truth and score, (n,) each, of what the AUC ranks in one video: the clip itself, or its frames."""
    if auc_of == "clips":
        return np.array([video.is_abnormal]), np.array([np.mean([segment.score for segment in segments])])
    scored = video_scores(video, duration, segments, events)
    return scored.labels, scored.scores


def _auc(rows: Sequence[tuple[NDArray, NDArray]]) -> float:
    truths, scores = zip(*rows, strict=True)
    return float(roc_auc_score(np.concatenate(truths), np.concatenate(scores)))


def main() -> None:
    """Make the starter probes that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with surv_fight/ and ucsd_ped2/")
    parser.add_argument("--out", type=Path, default=Path("src/hiprobe/probes"), help="folder for probes and cards")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states")
    parser.add_argument("--only", choices=[recipe.name for recipe in RECIPES], help="one of them")
    options = parser.parse_args()
    backbone = load_backbone(report=print)
    for recipe in RECIPES:
        if options.only not in (None, recipe.name):
            continue
        videos = [video for split in read_videos(options.data / recipe.folder).values() for video in split]
        if recipe.clips_are_groups:
            videos = [replace(video, group=video.path.stem) for video in videos]
        reading = backbone.info.reading()
        reading = replace(reading, view=recipe.view, pooling=recipe.pooling, layers=recipe.layers or reading.layers)
        features, failures = extract_all([v.video for v in videos], backbone, reading, kept_run(options.work))
        raise_failures(failures, REMEDY)
        path = make(recipe, videos, features, options.out)
        print(f"{path}: {path.stat().st_size / 1000:.1f} kB, and its card {path.with_suffix('.md').name}")


if __name__ == "__main__":
    main()
