"""Generated scenes from unseen seeds: what the embedded backbone says about them, and how its layers separate them.

Training uses seeds from 0; the calibration and test clips here start at seeds that no training run reaches.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import hiprobe_training.scenes
from hiprobe.backbones import DEFAULT_PROMPT, Pooling
from hiprobe.backbones.embedded.backbone import EmbeddedBackbone, VisualTokens
from hiprobe.explain import EXPLAIN_PROMPT
from hiprobe.files import atomic_path
from hiprobe.probing import fit_scorer, saliency
from hiprobe_training.projector.features import clip_frames
from hiprobe_training.projector.slots import CROWD
from hiprobe_training.scenes.captions import COUNT_PROMPT, EVENT_WORDS, called_abnormal, count_people, named_events
from hiprobe_training.scenes.raster import Renderer
from hiprobe_training.scenes.seen import draw_seen

CALIBRATION_SEED, TEST_SEED = 200_000_000, 210_000_000
MAX_NEW_TOKENS = 40
BATCH = 20
POOLED: tuple[Pooling, ...] = ("last", "visual")


@dataclass(frozen=True, eq=False)
class Drawn:
    """Visual tokens of n clips, in batches, to read and to tell from, with the clips' events and people."""

    tokens: list[VisualTokens]
    with_slots: list[VisualTokens]
    events: list[str | None]
    people: list[int]


def draw(backbone: EmbeddedBackbone, seed: int, abnormal: int, normal: int, work: Path) -> Drawn:
    """Draw clips, every kind of event equally often, and run the vision side over them; pictures stay in ``work``."""
    kinds = list(EVENT_WORDS)
    wanted: list[str | None] = [kinds[i % len(kinds)] for i in range(abnormal)]
    wanted += [None] * normal
    frames, people = _pictures(seed, wanted, backbone.info.frame_size, work)
    tokens = [backbone.visual_tokens(frames[i : i + BATCH]) for i in range(0, len(frames), BATCH)]
    with_slots = [backbone.tokens_with_slots(frames[i : i + BATCH]) for i in range(0, len(frames), BATCH)]
    return Drawn(tokens, with_slots, wanted, people)


def _pictures(
    seed: int, wanted: list[str | None], size: tuple[int, int], work: Path
) -> tuple[NDArray[np.uint8], list[int]]:
    generator = hashlib.sha256(
        b"".join(p.read_bytes() for p in sorted(Path(hiprobe_training.scenes.__path__[0]).glob("*.py")))
    )
    path = work / f"scenes-{seed}-{len(wanted)}-{generator.hexdigest()[:12]}.safetensors"
    if not path.exists():
        frames, people = [], []
        with Renderer() as renderer:
            for index, event in enumerate(wanted):
                clip, _ = draw_seen(seed + index, renderer, event)
                frames.append(clip_frames(clip, renderer, size))
                people.append(clip.facts.n_people)
        with atomic_path(path) as temporary:
            safetensors.numpy.save_file({"frames": np.stack(frames), "people": np.array(people)}, temporary)
    loaded = safetensors.numpy.load_file(path)
    return loaded["frames"], loaded["people"].tolist()


def measure_text(backbone: EmbeddedBackbone, clips: Drawn) -> dict[str, Any]:
    """Print the tables of what is named and counted; returns the numbers."""
    texts = generate_all(backbone, clips.with_slots, EXPLAIN_PROMPT)
    counts = [_count(text) for text in generate_all(backbone, clips.with_slots, COUNT_PROMPT)]
    named = [named_events(text) for text in texts]
    abnormal = [i for i, event in enumerate(clips.events) if event]
    normal = [i for i, event in enumerate(clips.events) if not event]
    right = [clips.events[i] in named[i] for i in abnormal]
    alarms = [called_abnormal(texts[i]) for i in normal]
    pairs = zip(counts, clips.people, strict=True)
    within = [found is not None and abs(min(found, CROWD) - min(true, CROWD)) <= 1 for found, true in pairs]
    each = {}
    for kind in EVENT_WORDS:
        mine = [i for i in abnormal if clips.events[i] == kind]
        said = Counter(", ".join(sorted(named[i])) or "nothing" for i in mine if kind not in named[i])
        each[kind] = {"clips": len(mine), "named": float(np.mean([kind in named[i] for i in mine])), "else": said}
    print(f"\nGenerated scenes, {len(abnormal)} abnormal and {len(normal)} normal clips from unseen seeds\n")
    print("| event | clips | named in the text | said instead |\n| --- | --- | --- | --- |")
    for kind, row in each.items():
        instead = ", ".join(f"{name} x{count}" for name, count in row["else"].most_common(3))
        print(f"| {kind} | {row['clips']} | {row['named']:.0%} | {instead} |")
    print(f"| all | {len(abnormal)} | {np.mean(right):.1%} | |")
    print(
        f"\nNormal clips described as abnormal: {np.mean(alarms):.1%}. People right within one: {np.mean(within):.1%}."
    )
    return {
        "named": float(np.mean(right)),
        "each": each,
        "false_alarms": float(np.mean(alarms)),
        "people_within_1": float(np.mean(within)),
        "texts": [
            {"event": event, "people": people, "text": text}
            for event, people, text in zip(clips.events, clips.people, texts, strict=True)
        ],
    }


def _count(text: str) -> int | None:
    """How many people the text says there are; captions call so many as CROWD, or more, a crowd."""
    found = count_people(text)
    return CROWD if found is None and ("crowd" in text or "many people" in text) else found


def generate_all(backbone: EmbeddedBackbone, tokens: list[VisualTokens], prompt: str) -> list[str]:
    """Answer the prompt about every clip, in batches."""
    return [text for part in tokens for text in backbone.say(part, prompt, MAX_NEW_TOKENS)]


def states_of(backbone: EmbeddedBackbone, tokens: list[VisualTokens]) -> dict[Pooling, NDArray[np.float32]]:
    """Hidden states at every layer, (n, L, D) for each pooling."""
    layers = backbone.info.every_layer
    found = [backbone.read_tokens(part, DEFAULT_PROMPT, layers, POOLED) for part in tokens]
    return {pooling: np.concatenate([part[pooling] for part in found]) for pooling in POOLED}


def measure_probing(backbone: EmbeddedBackbone, calibration: Drawn, test: Drawn) -> dict[str, Any]:
    """Fit on the calibration clips, measure on the test clips, at every layer; prints a table."""
    numbers: dict[str, Any] = {}
    fitted_on, measured_on = (np.array([e is not None for e in c.events]) for c in (calibration, test))
    groups = np.array([f"clip {i}" for i in range(len(fitted_on))])
    print("\nProbing generated scenes, AUC\n")
    print("| the language model is given | pooling | l* by DLSP | at l* | best layer | at it | last layer |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for given, fitting_tokens, test_tokens in (
        ("the streams", calibration.tokens, test.tokens),
        ("the streams and the slots", calibration.with_slots, test.with_slots),
    ):
        fittings, tests = states_of(backbone, fitting_tokens), states_of(backbone, test_tokens)
        for pooling in POOLED:
            fitting, held_out = fittings[pooling], tests[pooling]
            best = saliency(fitting, fitted_on).best
            curve = []
            for layer in range(fitting.shape[1]):
                scorer = fit_scorer(fitting[:, layer], fitted_on, groups).scorer
                curve.append(float(roc_auc_score(measured_on, scorer.scores(held_out[:, layer]))))
            top = int(np.argmax(curve))
            numbers[f"{given}, {pooling}"] = {"layer": best + 1, "auc": curve[best], "best": curve[top], "curve": curve}
            print(
                f"| {given} | {pooling} | {best + 1} | {curve[best]:.3f} | {top + 1} | {curve[top]:.3f} "
                f"| {curve[-1]:.3f} |"
            )
    return numbers
