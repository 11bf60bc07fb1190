"""Who does what when: the script of one clip, with the intervals of its abnormal events.

A script is drawn from a setting (for the camera, the walls and the furniture) and a seed. Ground truth
comes from the script itself: a fight lasts from the first blow to the parting, a fall from the loss of
balance to standing again (or the end of the clip), a car or a runner as long as any of it is inside the
picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.acts import Act, Actor, Fall, Play, Stand, Walk, smooth_path
from hiprobe_training.scenes.fight import Spar, draw_beats
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.motions import load_motion
from hiprobe_training.scenes.people import Look, draw_look
from hiprobe_training.scenes.world import Setting

GAP = 0.75  # m, least distance between two strangers
CAR_GAP = 1.9  # m, least distance between a person and the middle line of the car


@dataclass(frozen=True)
class Event:
    """An abnormal interval [start, end) in s."""

    label: str
    start: float
    end: float


@dataclass(frozen=True)
class Person:
    """A script, a look, and the seed of the look's details."""

    actor: Actor
    look: Look


@dataclass(frozen=True)
class Drive:
    """A car on a straight line: at `start` (x, y) in m at `time` s, `velocity` (x, y) in m/s."""

    start: Array
    velocity: Array
    time: float

    def at(self, t: float) -> Array:
        """Where the car's middle is at `t` s: (2,) in m."""
        return self.start + self.velocity * (t - self.time)

    @property
    def yaw(self) -> float:
        """Heading in radians."""
        return float(np.arctan2(self.velocity[1], self.velocity[0]))


@dataclass
class Script:
    """One clip: its length in s, people, cars and ground truth."""

    setting: Setting
    duration: float
    people: list[Person] = field(default_factory=list)
    cars: list[Drive] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def clear(self, actor: Actor) -> bool:
        """Whether `actor` keeps off everyone else, the cars and the walls."""
        times = np.arange(0, self.duration + 0.01, 0.2)
        mine = np.array([_spot(actor, t) for t in times])
        if not self.setting.walkable(mine):
            return False
        for person in self.people:
            theirs = np.array([_spot(person.actor, t) for t in times])
            if bool((np.linalg.norm(mine - theirs, axis=1) < GAP).any()):
                return False
        for car in self.cars:
            ahead = car.velocity / np.linalg.norm(car.velocity)
            offset = mine - np.array([car.at(t) for t in times])
            along = np.clip(offset @ ahead, -2.0, 2.0)
            if bool((np.linalg.norm(offset - along[:, None] * ahead, axis=1) < CAR_GAP).any()):
                return False
        return True


def _spot(actor: Actor, t: float) -> tuple[float, float]:
    state = actor.state(t)
    return state.x, state.y


def _heading(rng: Generator) -> Array:
    """A direction of walking: mostly along the street."""
    angle = rng.choice([0.0, np.pi]) + rng.normal(0, 0.3) if rng.random() < 0.75 else rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _in_view(setting: Setting, rng: Generator, margin: float = 0.1, size: float = 0.19) -> Array:
    """A random place (2,) in m where a whole person is in the picture, at least `size` of its height tall."""
    while True:
        x, y = rng.uniform(-4.5, 4.5), rng.uniform(-3.5, 3.6)
        ends = np.array([[x, y, 0.0], [x, y, 1.75]])
        tall = float(np.ptp(setting.camera.project(ends)[:, 1])) / setting.camera.height
        if tall > size and bool(setting.camera.sees(ends, margin).all()):
            return np.array([x, y])


def walker(script: Script, rng: Generator, look: Look, moment: float) -> Actor:
    """Someone who walks by and is in the picture at `moment` s, sometimes with a turn or a stop."""
    middle = _in_view(script.setting, rng)
    way, speed = _heading(rng), float(rng.uniform(0.9, 1.4))
    past, future = moment * speed + 0.5, (script.duration - moment) * speed + 1.0
    bent = _heading(rng) if rng.random() < 0.3 else way
    if bent @ way < 0:
        bent = -bent
    first = smooth_path([tuple(middle - way * past), tuple(middle)])
    phase = float(rng.random())
    if rng.random() < 0.25:
        style = str(rng.choice(["idle", "phone"]))
        yaw = float(np.arctan2(way[1], way[0]) + rng.normal(0, 0.6))
        stop = Stand(float(first[-1, 0]), float(first[-1, 1]), yaw, float(rng.uniform(1.5, 4)), style, phase)
        then = smooth_path([tuple(first[-1]), tuple(first[-1] + bent * future)])
        return Actor((Walk(first, speed, look.scale, phase=phase), stop, Walk(then, speed, look.scale)), look.scale)
    path = smooth_path([tuple(middle - way * past), tuple(middle), tuple(middle + bent * future)])
    return Actor((Walk(path, speed, look.scale, phase=phase),), look.scale)


def add_talkers(script: Script, rng: Generator) -> None:
    """Two people who stand and talk, face to face: what a fight must be told from."""
    for _ in range(100):
        at, angle, half = _in_view(script.setting, rng), rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 0.6)
        step = half * np.array([np.cos(angle), np.sin(angle)])
        if abs(step @ script.setting.camera.axes()[0, :2]) < 0.6 * half:
            continue  # seen in line, one would hide the other
        looks, pair = [draw_look(rng), draw_look(rng)], []
        for side, style, look in zip((1, -1), rng.permutation(["talk", "idle"]), looks, strict=True):
            x, y = at + side * step
            yaw = angle + (np.pi if side > 0 else 0.0)
            stand = Stand(float(x), float(y), float(yaw), script.duration, str(style), float(rng.random()))
            pair.append(Actor((stand,), look.scale))
        if all(script.clear(actor) for actor in pair):
            script.people += [Person(actor, look) for actor, look in zip(pair, looks, strict=True)]
            return


def add_walkers(script: Script, rng: Generator, count: int) -> None:
    """Up to `count` passers-by, as far as there is room."""
    for index in range(count):
        look = draw_look(rng)
        for _ in range(60):
            moment = (index + rng.uniform(0.1, 0.9)) / count * script.duration
            actor = walker(script, rng, look, moment)
            if script.clear(actor):
                script.people.append(Person(actor, look))
                break


def _approach(goal: Array, way: Array, time: float, speed: float, scale: float) -> Walk:
    """A walk that reaches `goal` along `way` exactly `time` s after it starts."""
    return Walk(smooth_path([tuple(goal - way * time * speed), tuple(goal)], step=time * speed / 200), speed, scale)


def add_fight(script: Script, rng: Generator, start: float, end: float) -> None:
    """Two people meet, fight from `start` to `end` s, and part."""
    for _ in range(300):
        looks = [draw_look(rng), draw_look(rng)]
        at, angle, spin = (
            _in_view(script.setting, rng, 0.16, 0.29),
            rng.uniform(0, 2 * np.pi),
            rng.normal(0, 0.1),
        )
        across = angle + spin * (end - start) * np.array([0.0, 0.5, 1.0])
        if (abs(np.stack([np.cos(across), np.sin(across)], 1) @ script.setting.camera.axes()[0, :2]) < 0.8).any():
            continue  # seen in line, one would hide the other
        beats = draw_beats(rng, end - start)
        actors = []
        for side in (0, 1):
            look, speed = looks[side], float(rng.uniform(1.0, 1.4))
            spar = Spar(
                float(at[0]),
                float(at[1]),
                angle + np.pi * side,
                spin,
                0.48,
                end - start,
                beats[side],
                look.scale,
            )
            first, last = spar.state(0), spar.state(spar.duration)
            toward = np.array([np.cos(first.yaw), np.sin(first.yaw)])
            approach = _approach(np.array([first.x, first.y]), toward, start, speed, look.scale)
            away = last.yaw + np.pi + rng.normal(0, 0.4)
            home = np.array([last.x, last.y])
            path = smooth_path([tuple(home), tuple(home + 40 * np.array([np.cos(away), np.sin(away)]))])
            actors.append(Actor((approach, spar, Walk(path, speed, look.scale)), look.scale))
        if all(script.clear(actor) for actor in actors):
            script.people += [Person(actor, look) for actor, look in zip(actors, looks, strict=True)]
            script.events.append(Event("fight", start, end))
            return
    raise RuntimeError(f"no room for a fight in setting {script.setting.seed}")


def add_fall(script: Script, rng: Generator, start: float, end: float | None) -> None:
    """Someone walking collapses at `start` s; is up again and walks on at `end` s, or lies there if None."""
    for _ in range(300):
        look, way, speed = draw_look(rng), _heading(rng), float(rng.uniform(1.0, 1.35))
        at = _in_view(script.setting, rng, 0.14, 0.29)
        view = script.setting.camera
        if abs(way @ view.axes()[0, :2]) < 0.5 or not bool(view.sees(np.array([*(at + 1.6 * way), 0.0]), 0.08).all()):
            continue  # it shall be seen from the side, and land in the picture
        approach = _approach(at, way, start, speed, look.scale)
        before = approach.state(start)
        stop = end
        acts: tuple[Act, ...]
        if stop is None:
            acts = (approach, Fall(before, script.duration - start, bool(rng.random() < 0.7)))
        else:
            rise = load_motion("getup_facedown")
            rate = 1.25
            fall = Fall(before, stop - start - rise.duration / rate, True)
            low = fall.state(fall.duration)
            up = Play(rise, low.x, low.y, low.yaw, rate, scale=look.scale)
            stand = up.state(up.duration)
            path = smooth_path([(stand.x, stand.y), (stand.x + 30 * float(way[0]), stand.y + 30 * float(way[1]))])
            acts = (approach, fall, up, Walk(path, speed, look.scale))
        actor = Actor(acts, look.scale)
        if script.clear(actor):
            script.people.append(Person(actor, look))
            script.events.append(Event("fall", start, script.duration if stop is None else stop))
            return
    raise RuntimeError(f"no room for a fall in setting {script.setting.seed}")


def _seen(script: Script, corners: Array) -> tuple[float, float] | None:
    """First and last moment in s at which any of the points (times at 50 Hz, k, 3) is in the picture."""
    seen = np.flatnonzero(script.setting.camera.sees(corners).any(1))
    return (float(seen[0]) / 50, float(seen[-1] + 1) / 50) if len(seen) else None


def add_car(script: Script, rng: Generator, start: float, end: float) -> None:
    """A car drives through where people walk; in the picture for about `start` to `end` s."""
    times = np.arange(0, script.duration, 0.02)
    box = np.array([[x, y, z] for x in (-2.1, 0, 2.1) for y in (-0.85, 0.85) for z in (0.3, 1.4)])
    for _ in range(400):
        through, middle = np.array([rng.uniform(-1.5, 1.5), rng.uniform(-1.2, 1.5)]), (start + end) / 2
        angle = rng.choice([0.0, np.pi]) + rng.normal(0, 0.12)
        drive = Drive(through, rng.uniform(3.2, 7.0) * np.array([np.cos(angle), np.sin(angle)]), middle)
        c, s = np.cos(drive.yaw), np.sin(drive.yaw)
        turned = box @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        centres = np.array([[*drive.at(float(t)), 0.0] for t in times])
        seen = _seen(script, centres[:, None] + turned)
        line = np.array([drive.at(middle + d) for d in np.linspace(-1.5, 1.5, 40)])
        if (
            seen is None
            or max(abs(seen[0] - start), abs(seen[1] - end)) > 0.5
            or (line[:, 1] > script.setting.kerb - 1.5).any()
        ):
            continue
        if script.setting.parked is not None and (np.linalg.norm(line - script.setting.parked, axis=1) < 3.4).any():
            continue
        script.cars.append(drive)
        script.events.append(Event("car", *seen))
        return
    raise RuntimeError(f"no way for a car in setting {script.setting.seed}")


def add_run(script: Script, rng: Generator, start: float, end: float) -> None:
    """Someone runs through; in the picture for about `start` to `end` s."""
    times = np.arange(0, script.duration, 0.02)
    parts = np.array([[dx, dy, z] for dx in (-0.2, 0.2) for dy in (-0.2, 0.2) for z in (0.0, 0.9, 1.7)])
    for _ in range(600):
        look, way, speed = draw_look(rng), _heading(rng), float(rng.uniform(3.6, 5.0))
        middle, at = (start + end) / 2, _in_view(script.setting, rng, 0.14, 0.22)
        first = _approach(at, way, middle, speed, look.scale).path[0]
        path = smooth_path([tuple(first), tuple(at + way * speed * (script.duration - middle))])
        actor = Actor((Walk(path, speed, look.scale, "run"),), look.scale)
        spots = np.array([[*_spot(actor, float(t)), 0.0] for t in times])
        seen = _seen(script, spots[:, None] + parts)
        if seen is None or max(abs(seen[0] - start), abs(seen[1] - end)) > 0.6 or not script.clear(actor):
            continue
        script.people.append(Person(actor, look))
        script.events.append(Event("run", *seen))
        return
    raise RuntimeError(f"no way for a runner in setting {script.setting.seed}")
