"""The bundled samples: which clips there are, and how they and their label files are written."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hiprobe_training.scenes import events
from hiprobe_training.scenes.events import Event, Script
from hiprobe_training.scenes.render import FPS, encode, frames
from hiprobe_training.scenes.world import draw_setting

HEADER = ("path", "label", "start", "end", "group")


@dataclass(frozen=True)
class Plan:
    """One clip to make: file stem, group, the setting's seed, length in s, passers-by, talkers, events.

    A planned event is (kind, start, end) in s; a fall without an end lies there until the clip is over.
    """

    name: str
    group: str
    setting: int
    duration: float
    walkers: int
    talkers: bool = False
    planned: tuple[tuple[str, float, float | None], ...] = ()


CAMERA = 18  # the seed of the setting: one camera, as a user labels clips of the camera to be watched


def _day(group: str, walkers: int, *planned: tuple[str, float, float | None]) -> tuple[Plan, ...]:
    """One recording: a normal clip, and one clip per event."""
    normal = Plan(f"{group}_normal", group, CAMERA, 6.0, walkers, group in ("day1", "day5"))
    return normal, *(Plan(f"{group}_{event[0]}", group, CAMERA, 6.0, 2, False, (event,)) for event in planned)


CLIPS: tuple[Plan, ...] = (
    *_day("day1", 3, ("fight", 1.0, 4.5), ("car", 1.5, 4.5)),
    *_day("day2", 2, ("fall", 2.0, None)),
    *_day("day3", 4, ("run", 1.5, 4.0), ("fight", 2.0, 6.0)),
    *_day("day4", 3, ("car", 2.0, 4.5)),
    *_day("day5", 2, ("fall", 1.0, 5.0), ("run", 2.5, 5.0)),
    *_day("day6", 4, ("fight", 0.5, 4.0)),
    *_day("day7", 3, ("car", 1.0, 4.0), ("fall", 1.5, None)),
    *_day("day8", 2, ("run", 2.0, 4.5)),
)
DEMO = Plan(
    "street",
    "street",
    CAMERA,
    30.0,
    11,
    False,
    (("fight", 5.0, 8.5), ("car", 13.5, 16.5), ("fall", 21.0, 25.0)),
)


def script_of(plan: Plan, seed: int, width: int = 640, height: int = 480) -> Script:
    """Draw a plan's script; `width` and `height` in pixels are twice the clip's."""
    setting = draw_setting(plan.setting + 1000 * seed, width, height)
    rng = np.random.default_rng([seed, plan.setting, *plan.name.encode()])
    script = Script(setting, plan.duration)
    for kind, start, end in plan.planned:
        if kind == "fall":
            events.add_fall(script, rng, start, end)
        else:
            add = {"fight": events.add_fight, "car": events.add_car, "run": events.add_run}[kind]
            add(script, rng, start, plan.duration if end is None else end)
    if plan.talkers:
        events.add_talkers(script, rng)
    events.add_walkers(script, rng, plan.walkers)
    return script


def label_rows(plan: Plan, happened: Sequence[Event]) -> list[tuple[str, str, str, str, str]]:
    """The rows of one clip in a label file; times in s, rounded to 0.01."""
    path = f"{plan.name}.mp4"
    if not happened:
        return [(path, "normal", "", "", plan.group)]
    return [(path, e.label, f"{e.start:.2f}", f"{e.end:.2f}", plan.group) for e in happened]


def write_labels(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a label file (CSV with `HEADER`)."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)


def make_clip(plan: Plan, folder: Path, seed: int) -> list[tuple[str, str, str, str, str]]:
    """Render one clip into `folder`; returns its label rows."""
    script = script_of(plan, seed)
    noise = int.from_bytes(plan.name.encode()[-4:]) + seed
    encode(folder / f"{plan.name}.mp4", frames(script, noise))
    return label_rows(plan, script.events)


README = """# Sample clips

Generated street scenes with exact ground truth: enough to run `fit` and `detect` without any download.

- `labels.csv`: {clips} calibration clips of 6 s from {groups} recordings of one camera. {normal} are wholly
  normal, {events} hold one event each: {kinds}.
- `street.mp4`, `street.csv`: another recording of {demo:.0f} s by the same camera, with other people and
  {demo_events} events, and its ground truth; never used for fitting.
- Pictures: {width}x{height}, {fps} fps, H.264 (yuv420p), {size:.1f} MB in all.

Label files have the header `path,label,start,end,group`: paths relative to the file, times in seconds,
half-open `[start, end)`. A wholly normal clip has one row `normal` without times. Of a clip with events
only the events are listed; all else in it is normal. Every `group` is one recording and holds a normal clip
and one or two with an event; camera, street and light are the same in all, so they cannot tell the label.
Split by group.

A fight lasts from the first blow to the parting; a fall from the loss of balance until the person stands
again, or to the end of the clip; a car or a runner as long as any of it is inside the picture. Parked cars
and people who stand and talk face to face are normal.

## How they were made

    pip install -e . -e training
    python -m hiprobe_training.scenes --out src/hiprobe/samples --seed {seed}

People are meshes of this project on a skeleton that plays motion capture, drawn by pybullet's CPU renderer;
streets, buildings, cars and textures are procedural. The same seed gives the same files.

## Licence

The clips and label files are this project's own work, under Apache-2.0 like the rest of it. They were
rendered with pybullet (Bullet3, zlib licence). The motion capture that moves the people comes with it in
`pybullet_data`, from DeepMimic (MIT licence, Copyright (c) 2018 Xue Bin Peng); neither the motion files nor
any model of `pybullet_data` is part of this folder.
"""


def write_readme(folder: Path, rows: Sequence[Sequence[str]], demo: Sequence[Sequence[str]], seed: int) -> None:
    """Write the samples' README from what was made."""
    found = [row[1] for row in rows if row[1] != "normal"]
    kinds = ", ".join(f"{kind} ({found.count(kind)})" for kind in sorted(set(found)))
    normal = sum(row[1] == "normal" for row in rows)
    text = README.format(
        clips=len({row[0] for row in rows}),
        groups=len({row[4] for row in rows}),
        normal=normal,
        events=len(found),
        demo=DEMO.duration,
        demo_events=len(demo),
        width=320,
        height=240,
        fps=FPS,
        size=sum(p.stat().st_size for p in folder.glob("*.mp4")) / 1e6,
        kinds=kinds,
        seed=seed,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
