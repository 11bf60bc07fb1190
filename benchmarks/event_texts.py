"""What the embedded backbone's text says of events, how often it is right, and how sure it must be to name a kind.

    python -m benchmarks.event_texts DATA [--work bench-out] [--only fights|ped2|generated]

DATA holds ``surv_fight/`` and ``ucsd_ped2/`` as in :mod:`benchmarks.real_footage`. A text on a normal clip that names
any kind counts as wrong: to it, too, the model is told that something unusual happens. The threshold of a source's
clips is chosen on the clips of all other sources. Detected clips are those over an out-of-fold threshold that a share
of the normal ones exceeds. Generated clips, of seeds that no training reaches, need the ``scenes`` extra.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.extraction import hidden_states
from benchmarks.real_footage import read_videos
from hiprobe.backbones import EXPLAIN_PROMPT, load_backbone
from hiprobe.backbones.embedded.backbone import SURE, EmbeddedBackbone
from hiprobe.datasets import LabelledVideo
from hiprobe.explain.checking import denies, is_unsure, named_kinds
from hiprobe.files import write_text
from hiprobe.probing import out_of_fold_scores
from hiprobe.video import Segment, sample_segments

TOKENS, BATCH, FRAMES = 40, 10, 8
WANTED, FEWEST = 0.8, 5
"""Share of named kinds that is to be right, and how many must be named for a share to count."""

LAYER, ALARMS = 20, (0.05, 0.10)
SHOWN = (0.0, 0.5, 0.7, 0.8, 0.9)

ALSO = {"Test004": {"vehicle", "cart"}, "Test007": {"skate"}, "Test008": {"skate"}}
"""What the abnormal clips of Ped2 show beside bicycles, by looking at them: the labels name no kinds."""

SAID = ("none", "fight", "fall", "run", "run", "crawl", "vehicle", "bicycle", "cart", "object", "fire", "fire")
"""The observer's answers, by the names of :mod:`hiprobe.explain.checking`."""


def observe(backbone: EmbeddedBackbone, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how probable the observer finds each kind of event in segments, (n, answers); the first is none."""
    parts = [backbone.event_kinds(frames[start : start + BATCH]) for start in range(0, len(frames), BATCH)]
    return np.concatenate(parts).astype(float)


def describe(backbone: EmbeddedBackbone, frames: NDArray[np.uint8]) -> list[str]:
    """Return the shipped texts about segments that are said to hold an event."""
    return [t for i in range(0, len(frames), BATCH) for t in backbone.describe_events(frames[i : i + BATCH], TOKENS)]


def choose(sure: NDArray, right: NDArray) -> float:
    """Return the lowest threshold from which so many named kinds are right; over 1 if there is none."""
    order = np.argsort(-sure, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero((share >= WANTED) & (np.arange(1, len(order) + 1) >= FEWEST))
    return float(sure[order][good[-1]]) if len(good) else 2.0


def measure_fights(videos: list[LabelledVideo], backbone: EmbeddedBackbone, work: Path) -> dict[str, Any]:
    """Print what is said of Surveillance Camera Fight; returns the numbers."""
    frames = []
    for one in videos:
        video = one.video.open()
        whole = [Segment(0, 0.0, video.info.duration)]
        frames += [item.frames for item in sample_segments(video, whole, FRAMES, backbone.info.frame_size)]
    frames = np.stack(frames)
    fights = np.array([one.is_abnormal for one in videos])
    groups = np.array([one.group for one in videos])
    probable = observe(backbone, frames)
    sure, kinds = probable[:, 1:].max(axis=1), np.array(SAID)[1 + probable[:, 1:].argmax(axis=1)]
    right = fights & (kinds == "fight")
    print(f"\nSurveillance Camera Fight: {fights.sum()} fights, {(~fights).sum()} normal clips\n")
    _thresholds(sure, right, fights, SHOWN)
    named = np.zeros(len(sure), bool)
    for group in np.unique(groups):
        mine = groups == group
        named[mine] = sure[mine] >= choose(sure[~mine], right[~mine])
    print(f"\nThreshold chosen on the other {len(np.unique(groups)) - 1} sources: {_said(named, right, fights)}.")
    print(f"Chosen on all: {choose(sure, right):.3f}.")
    for share in ALARMS:
        detected = _detected(videos, fights, groups, work, share)
        print(
            f"Detected out of fold at {share:.0%} of the normal clips: {(detected & fights).sum()} fights and "
            f"{(detected & ~fights).sum()} normal clips; {_said(detected & (sure >= SURE), right, fights)}."
        )
    texts = describe(backbone, frames)
    _of_texts(texts, [{"fight"} if fight else set() for fight in fights])
    before = [
        text
        for start in range(0, int(fights.sum()), BATCH)
        for text in backbone.say(
            backbone.tokens_with_slots(frames[fights][start : start + BATCH]), EXPLAIN_PROMPT, TOKENS
        )
    ]
    denied = np.array([denies(text) for text in before])
    print(f"Asked without being told that there is an event, {denied.sum()} of {len(before)} texts on fights deny it.")
    return {"probable": probable.tolist(), "texts": texts, "before": before}


def measure_ped2(videos: list[LabelledVideo], backbone: EmbeddedBackbone, work: Path) -> dict[str, Any]:
    """Print what is said of windows of UCSD Ped2; returns the numbers. Nothing was chosen on them."""
    frames, true = [], []
    for one in videos:
        video = one.video.open()
        windows = [Segment(i, 4.0 * i, 4.0 * i + 2) for i in range(int((video.info.duration + 2) / 4))]
        for item in sample_segments(video, windows, FRAMES, backbone.info.frame_size):
            start, end = item.segment.start, item.segment.end
            covered = sum(max(0.0, min(end, span.end) - max(start, span.start)) for span in one.intervals)
            if 0 < covered < 1:
                continue  # neither the one nor the other
            frames.append(item.frames)
            true.append({"bicycle"} | ALSO.get(one.path.stem, set()) if covered else set())
    frames = np.stack(frames)
    probable = observe(backbone, frames)
    sure, kinds = probable[:, 1:].max(axis=1), np.array(SAID)[1 + probable[:, 1:].argmax(axis=1)]
    events = np.array([bool(one) for one in true])
    right = np.array([kind in one for kind, one in zip(kinds, true, strict=True)])
    print(f"\nUCSD Ped2: {events.sum()} windows of 2 s with an event, {(~events).sum()} without\n")
    _thresholds(sure, right, events, SHOWN)
    texts = describe(backbone, frames)
    _of_texts(texts, true)
    return {"probable": probable.tolist(), "texts": texts}


def measure_generated(backbone: EmbeddedBackbone, per_kind: int, work: Path) -> dict[str, Any]:
    """Print how sure the observer is, and how right, of generated clips from unseen seeds; returns the numbers."""
    from benchmarks.kinds import draw
    from hiprobe_training.projector.slots import EVENTS

    folder = draw("fit", per_kind, 4 * per_kind, work).parent
    size = backbone.info.frame_size
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    frames = np.stack([[_picture(folder / name / f"{i}.png", size) for i in range(FRAMES)] for name in names])
    answers = np.array([EVENTS.index(name.split("-")[0].replace("normal", "none")) for name in names])
    probable = observe(backbone, frames)
    sure, events = probable[:, 1:].max(axis=1), answers > 0
    right = events & (1 + probable[:, 1:].argmax(axis=1) == answers)
    print(f"\nGenerated clips: {events.sum()} of eleven kinds of events, {(~events).sum()} normal ones\n")
    _thresholds(sure, right, events, SHOWN)
    return {"names": names, "probable": probable.tolist()}


def _picture(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _detected(videos: list[LabelledVideo], fights: NDArray, groups: NDArray, work: Path, share: float) -> NDArray:
    """Return which clips a probe detects whose fold they are not in; such a share of the normal ones is detected."""
    features = hidden_states(videos, load_backbone(), work, ("observed",))["observed"]
    clips = np.repeat(np.arange(len(videos)), [len(item.states) for item in features])
    states = np.concatenate([item.states[:, LAYER - 1] for item in features])
    scores = out_of_fold_scores(states, fights[clips], groups[clips], 1e-3, seed=0)
    each = np.bincount(clips, scores) / np.bincount(clips)
    return each > np.quantile(each[~fights], 1 - share)


def _thresholds(sure: NDArray, right: NDArray, events: NDArray, levels: tuple[float, ...]) -> None:
    print("| as sure as | a kind is named of events | of normal clips | right, of events | right, of all |")
    print("| --- | --- | --- | --- | --- |")
    for level in sorted({*levels, SURE}):
        named = sure >= level
        print(
            f"| {level:g} | {named[events].mean():.0%} | {named[~events].mean():.0%} "
            f"| {_share(right & named, named & events)} | {_share(right & named, named)} |"
        )


def _share(right: NDArray, named: NDArray) -> str:
    return f"{right.sum() / named.sum():.0%} ({right.sum()} of {named.sum()})" if named.any() else "none named"


def _said(named: NDArray, right: NDArray, events: NDArray) -> str:
    return (
        f"a kind is named of {named.sum()}, right of all {_share(right & named, named)}, "
        f"right of events {_share(right & named, named & events)}"
    )


def _of_texts(texts: list[str], true: list[set[str]]) -> None:
    """Print what texts say, by what the clips show."""
    for title, some in (("events", True), ("normal clips", False)):
        mine = [(text, kinds) for text, kinds in zip(texts, true, strict=True) if bool(kinds) == some]
        named = [(named_kinds(text), kinds) for text, kinds in mine if named_kinds(text)]
        right = sum(bool(said & kinds) for said, kinds in named)
        print(
            f"\nTexts on {len(mine)} {title}, as shipped (as sure as {SURE:g}): {len(named)} name a kind, {right} of "
            f"these rightly; {sum(is_unsure(text) for text, _ in mine)} are not sure; "
            f"{sum(denies(text) for text, _ in mine)} deny."
        )


def main() -> None:
    """Run the measurements that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with surv_fight/ and ucsd_ped2/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states and numbers")
    parser.add_argument("--only", choices=["fights", "ped2", "generated"], help="one of them")
    parser.add_argument("--per-kind", type=int, default=20, help="generated clips of each kind")
    options = parser.parse_args()
    backbone = load_backbone(report=print).loaded
    assert isinstance(backbone, EmbeddedBackbone)

    def real(name: str) -> list[LabelledVideo]:
        return [video for split in read_videos(options.data / name).values() for video in split]

    measures = {
        "fights": lambda: measure_fights(real("surv_fight"), backbone, options.work),
        "ped2": lambda: measure_ped2(real("ucsd_ped2"), backbone, options.work),
        "generated": lambda: measure_generated(backbone, options.per_kind, options.work),
    }
    for name, measure in measures.items():
        if options.only in (None, name):
            write_text(options.work / f"event-texts-{name}.json", json.dumps(measure(), indent=2) + "\n")


if __name__ == "__main__":
    main()
