"""Kinds of events on generated scenes that neither the backbone nor the probe has seen.

    python -m benchmarks.kinds --work bench-out
    python -m benchmarks.kinds --work bench-out --samples

Fits a probe to generated clips of eleven kinds of events and normal ones, as ``hiprobe fit`` does, and measures it on
clips of other seeds, so other places, people and cameras, as ``hiprobe eval`` does. No training reaches these seeds.
Each clip is 2 s long, which is one segment. Pictures and hidden states are kept under ``--work``. Needs the ``scenes``
extra.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from PIL import Image

from benchmarks.extraction import REMEDY, kept_run
from hiprobe.backbones import load_backbone
from hiprobe.datasets import NORMAL, load_manifest
from hiprobe.features import extract_all, raise_failures
from hiprobe.files import write_text
from hiprobe.pipeline import Detector, FitResult, evaluate_manifest, fit
from hiprobe.probing import UNKNOWN
from hiprobe.samples import DEMO_TRUTH, DEMO_VIDEO, SAMPLE_LABELS
from hiprobe_training.projector.features import FRAMES, clip_frames
from hiprobe_training.scenes.facts import EVENT_KINDS
from hiprobe_training.scenes.raster import Renderer
from hiprobe_training.scenes.seen import draw_seen

SEEDS = {"fit": 400_000_000, "test": 410_000_000}  # that no training run reaches
SIZE = (192, 192)
SECONDS = 2.0


def draw(part: str, per_kind: int, normal: int, work: Path) -> Path:
    """Draw the clips of a part as folders of frames, those that are missing; return their manifest."""
    folder, rows = work / f"kinds-{part}", []
    # Kind by kind within a round, so that a longer run draws the same clips first.
    wanted: list[str | None] = [kind for _ in range(per_kind) for kind in EVENT_KINDS]
    seeds = [SEEDS[part] + index for index in range(len(wanted))]
    wanted += [None] * normal
    seeds += [SEEDS[part] + 1_000_000 + index for index in range(normal)]
    with Renderer() as renderer:
        for seed, kind in zip(seeds, wanted, strict=True):
            name = f"{kind or 'normal'}-{seed}"
            if not (folder / name / f"{FRAMES - 1}.png").exists():
                clip, _ = draw_seen(seed, renderer, kind)
                (folder / name).mkdir(parents=True, exist_ok=True)
                for index, frame in enumerate(clip_frames(clip, renderer, SIZE)):
                    Image.fromarray(frame).save(folder / name / f"{index}.png")
            rows.append((name, kind or "normal", f"{FRAMES / SECONDS:g}"))
    manifest = folder / "labels.csv"
    write_text(manifest, "".join(",".join(row) + "\n" for row in [("path", "label", "fps"), *rows]))
    return manifest


def confusion(pairs: list[tuple[str, str]]) -> None:
    """Print a Markdown table of (true kind, name) pairs, and how many of the names are right."""
    counts = Counter(pairs)
    kinds = sorted({true for true, _ in pairs})
    names = [*kinds, UNKNOWN]
    print(f"| true | {' | '.join(names)} | precision | recall |\n|{' --- |' * (len(names) + 3)}")
    for kind in kinds:
        row = [counts[kind, name] for name in names]
        named, right = sum(counts[true, kind] for true in kinds), counts[kind, kind]
        precision = f"{right / named:.2f}" if named else ""
        print(f"| {kind} | {' | '.join(str(count or '') for count in row)} | {precision} | {right / sum(row):.2f} |")
    named = [true == name for true, name in pairs if name != UNKNOWN]
    print(f"\nNamed: {len(named)} of {len(pairs)} events. Of these, {sum(named)} rightly.\n")


def learned(fitted: FitResult) -> None:
    """Print how well the kinds of the calibration set are told apart, out of fold."""
    kinds, probe = fitted.kinds, fitted.probe
    assert kinds is not None and probe.kinds is not None
    print(f"\nLayer {probe.layer}; least probability {probe.kinds.least:.2f}. Notes: {' '.join(kinds.notes)}")
    print("\nCalibration events, each by scorers that did not see it:\n")
    confusion([(true, found.name) for true, found in kinds.events])
    likeliest = [found.probability for _, found in kinds.events]
    print(f"Probabilities of the likeliest kind: {min(likeliest):.2f} to {max(likeliest):.2f}.\n")


def samples(work: Path) -> None:
    """Fit to the bundled clips and print what the demo says of its three events."""
    backbone = load_backbone(report=print)
    fitted = fit(SAMPLE_LABELS, backbone, run=kept_run(work))
    learned(fitted)
    for item in Detector(fitted.probe, backbone, run=kept_run(work)).detect(DEMO_VIDEO).events:
        event, kind = item.event, item.kind
        print(f"{event.start:.1f} to {event.end:.1f} s: {kind and f'{kind.name} {kind.probability:.2f}'}")
    truth = load_manifest(DEMO_TRUTH).videos[0].intervals
    print("true:", ", ".join(f"{one.label} {one.start:.1f} to {one.end:.1f} s" for one in truth))


def measure(fitted: FitResult, test: Path, work: Path) -> None:
    """Print the kinds of the calibration events out of fold, of all test events, and of those that are found."""
    probe, backbone = fitted.probe, load_backbone()
    learned(fitted)
    manifest = load_manifest(test)
    features, failures = extract_all(manifest.refs, backbone, probe.reading, kept_run(work))
    raise_failures(failures, REMEDY)
    pairs = []
    for video, item in zip(manifest.videos, features, strict=True):
        kind = probe.kind(item.at(probe.layer))
        if video.label != NORMAL and kind is not None:
            pairs.append((video.label, kind.name))
    print("Test events, found or not:\n")
    confusion(pairs)
    report = evaluate_manifest(manifest, probe, backbone, run=kept_run(work))
    events = report.events[0]
    print(f"Test: {events.n_matched} of {events.n_truth} events found, {events.n_predicted} predicted, frame AUC")
    print(f"{report.pooled_auc:.3f}. Of those found and named: {report.kinds and report.kinds.right} (right, named).")


def main() -> None:
    """Draw, fit, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for pictures and hidden states")
    parser.add_argument(
        "--fit", type=int, default=20, help="clips of each kind to fit to, and four times as many normal ones"
    )
    parser.add_argument("--test", type=int, default=10, help="clips of each kind to measure on, likewise")
    parser.add_argument("--samples", action="store_true", help="the bundled clips and the demo's video instead")
    options = parser.parse_args()
    if options.samples:
        samples(options.work)
        return
    fitting, test = (draw(part, getattr(options, part), 4 * getattr(options, part), options.work) for part in SEEDS)
    measure(fit(fitting, load_backbone(report=print), run=kept_run(options.work)), test, options.work)


if __name__ == "__main__":
    main()
