"""Fights as they happen: between two, one against a helpless one, on the ground, in a crowd, with onlookers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.acts import Act, Fall, State, Walk, smooth_path
from hiprobe_training.scenes.bodies import Body, draw_body
from hiprobe_training.scenes.cast import posed, unit
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.moves import Jerky, Lie, Posed, Steps
from hiprobe_training.scenes.scene import Figure, Scene
from hiprobe_training.scenes.struggle import FEET, FISTS, Astride, Move, Scrap, Tumble, draw_moves, perform

FIGHTER = "fight"


@dataclass(frozen=True)
class Striking:
    """Another act with moves laid over it, as of one who hits while running."""

    inner: Act
    moves: tuple[Move, ...]

    @property
    def duration(self) -> float:
        """Length in s."""
        return self.inner.duration

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        now = self.inner.state(u)
        for move in self.moves:
            if move.start <= u < move.start + move.seconds:
                now = replace(now, pose=perform(move.kind, (u - move.start) / move.seconds, now.pose)[0])
        return now


def _jerky(rng: Generator, act: Act, low: float = 0.08, high: float = 0.4) -> Jerky:
    return Jerky(act, int(rng.integers(2**31)), float(rng.uniform(low, high)))


def lead(rng: Generator, act: Act, body: Body, begin: float, hurry: bool = False) -> Act:
    """`act` from `begin` s on; before it the person comes up to the place, or stands there."""
    if begin < 0.15:
        return act
    first = act.state(0.0)
    if hurry or rng.random() < 0.5:
        speed = float(rng.uniform(2.2, 4.0) if hurry else rng.uniform(0.9, 2.4))
        back = np.array([first.x, first.y]) - unit(first.yaw + float(rng.normal(0, 0.3))) * speed * begin
        path = smooth_path([(float(back[0]), float(back[1])), (first.x, first.y)], step=0.03)
        gait = "run" if speed > 2.0 else "walk"
        before: Act = Walk(path, float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()) / begin, body.scale, gait)
    else:
        kind = str(rng.choice(["gesture", "idle", "point"]))
        before = Posed(first.x, first.y, first.yaw, begin, kind, float(rng.random()), 1.5)
    return Steps((before, act), body.scale, 0.25)


def _fighter(
    rng: Generator, act: Act, begin: float, action: str = FIGHTER, hurry: bool = False, body: Body | None = None
) -> Figure:
    body = draw_body(rng, adult=rng.random() < 0.9) if body is None else body
    return Figure(replace(body, bag=""), lead(rng, act, body, begin, hurry), action, True)  # hands are empty


def _pair(
    scene: Scene, rng: Generator, at: Array, begin: float, styles: tuple[str, str], blows: tuple[str, ...],
    radius: float, fairness: float = 0.5, jerk: tuple[float, float] = (0.08, 0.35), spin: float = 0.5,
    drift: float = 0.25,
) -> list[Figure]:  # fmt: skip
    """Two round a common middle."""
    length = scene.duration - begin
    moves = draw_moves(rng, length, blows, fairness, float(rng.uniform(0.8, 1.35)))
    angle, turn = scene.across(rng), float(rng.normal(0, spin))
    heading = unit(float(rng.uniform(0, 2 * np.pi))) * float(rng.uniform(0, drift))
    pair = []
    for side in (0, 1):
        act = Scrap(
            float(at[0]), float(at[1]), angle + np.pi * side, radius, length, moves[side], turn,
            (float(heading[0]), float(heading[1])), styles[side], float(rng.normal(0, 0.15)), float(rng.uniform(0, 6)),
        )  # fmt: skip
        pair.append(_fighter(rng, _jerky(rng, act, *jerk), begin))
    return pair


def boxing(scene: Scene, rng: Generator, at: Array, begin: float) -> list[Figure]:
    """Both strike with their fists."""
    style = str(rng.choice(["guard", "loose", "shove"], p=[0.45, 0.4, 0.15]))
    other = style if rng.random() < 0.6 else "loose"
    return _pair(scene, rng, at, begin, (style, other), FISTS, float(rng.uniform(0.32, 0.55)))


def kicking(scene: Scene, rng: Generator, at: Array, begin: float) -> list[Figure]:
    """Kicks, with some blows."""
    blows = (*FEET, *FEET, "cross", "hook", "swing")
    return _pair(scene, rng, at, begin, ("guard", "loose"), blows, float(rng.uniform(0.42, 0.62)))


def shoving(scene: Scene, rng: Generator, at: Array, begin: float) -> list[Figure]:
    """Pushing one another about."""
    blows = ("shove", "shove", "shove", "slap", "swing")
    return _pair(scene, rng, at, begin, ("shove", "loose"), blows, float(rng.uniform(0.3, 0.45)), 0.6, drift=0.9)


def clinch(scene: Scene, rng: Generator, at: Array, begin: float) -> list[Figure]:
    """Grappling: in each other's arms, swaying, turning, with short blows."""
    blows = ("knee", "hook", "left hook", "uppercut", "shove")
    return _pair(
        scene, rng, at, begin, ("clinch", "clinch"), blows, float(rng.uniform(0.15, 0.26)), 0.5, (0.15, 0.5), 1.5, 0.7
    )


def beating(scene: Scene, rng: Generator, at: Array, begin: float) -> list[Figure]:
    """One strikes, the other cowers, gives way, or goes down."""
    length = scene.duration - begin
    blows = FISTS if rng.random() < 0.6 else (*FEET, "overhand", "hook")
    moves, hurts = draw_moves(rng, length, blows, 0.97, float(rng.uniform(0.9, 1.4)))
    angle, radius = scene.across(rng), float(rng.uniform(0.32, 0.48))
    away = unit(angle + np.pi) * float(rng.choice([0.0, 0.3, 0.9]))
    drift = (float(away[0]), float(away[1]))
    hitter = Scrap(
        float(at[0]), float(at[1]), angle, radius, length, moves, 0.0, drift, "loose", 0.0, float(rng.uniform(0, 6))
    )
    turned = float(rng.choice([0.0, 0.5, 2.6]))  # some turn their back
    style = "cower" if rng.random() < 0.7 else "loose"
    victim = Scrap(
        float(at[0]),
        float(at[1]),
        angle + np.pi,
        radius,
        length,
        hurts,
        0.0,
        drift,
        style,
        turned,
        float(rng.uniform(0, 6)),
    )
    body = draw_body(rng)
    act: Act = _jerky(rng, victim, 0.03, 0.15)
    if rng.random() < 0.4:  # knocked down on the way
        moment = float(rng.uniform(0.3, 0.6)) * length
        before = victim.state(moment)
        forward = bool(rng.random() < 0.3)
        fall = Fall(before, length - moment, forward, float(rng.uniform(0.4, 0.8)))
        act = Steps((Jerky(replace(victim, duration=moment), 1, 0.1), fall), body.scale, 0.2)
    return [
        _fighter(rng, _jerky(rng, hitter), begin, hurry=rng.random() < 0.5),
        _fighter(rng, act, begin, "attacked", body=body),
    ]


def on_the_ground(scene: Scene, rng: Generator, at: Array, begin: float) -> list[Figure]:
    """One kneels over another and strikes, or both roll over the ground."""
    yaw, x, y = scene.across(rng), float(at[0]), float(at[1])
    if rng.random() < 0.4:
        pace, seed = float(rng.uniform(1.8, 4.0)), int(rng.integers(2**31))
        pair: list[Act] = [
            Tumble(x, y, yaw, scene.duration, half, pace, seed + k) for k, half in enumerate((0.0, np.pi))
        ]
    else:
        # The one below lies face up, head along yaw.
        low = Lie(
            x,
            y,
            yaw + np.pi,
            scene.duration,
            False,
            0.0,
            float(rng.uniform(0, 0.4)),
            float(rng.uniform(0.3, 0.8)),
            0.2,
            int(rng.integers(2**31)),
        )
        top = Astride(x, y, yaw, scene.duration, float(rng.uniform(0.7, 1.4)), float(rng.random()))
        pair = [_jerky(rng, top, 0.05, 0.25), low]
    return [
        Figure(replace(draw_body(rng, adult=True), bag=""), act, word, True)
        for act, word in zip(pair, (FIGHTER, "attacked"), strict=True)
    ]


def kicking_a_fallen(scene: Scene, rng: Generator, at: Array, begin: float) -> list[Figure]:
    """One to three kick somebody who lies on the ground."""
    yaw = scene.across(rng)
    low = Lie(float(at[0]), float(at[1]), yaw, scene.duration, bool(rng.random() < 0.5),
              float(rng.choice([0.0, 0.8, 1.4])),
              float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.05, 0.4)), 0.25, int(rng.integers(2**31)))  # fmt: skip
    figures = [Figure(draw_body(rng), low, "attacked")]
    for k in range(int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))):
        angle = yaw + np.pi / 2 + np.pi * k + float(rng.normal(0, 0.4))
        length = scene.duration - begin
        blows = (
            ("low kick", "front kick", "stomp", "stomp", "roundhouse") if rng.random() < 0.8 else ("overhand", "stomp")
        )
        moves, _ = draw_moves(rng, length, blows, 1.0, float(rng.uniform(0.9, 1.4)))
        act = Scrap(float(at[0]), float(at[1]), angle, float(rng.uniform(0.5, 0.65)), length, moves,
                    float(rng.normal(0, 0.3)),
                    (0.0, 0.0), "loose", 0.0, float(rng.uniform(0, 6)))  # fmt: skip
        figures.append(_fighter(rng, _jerky(rng, act, 0.05, 0.25), begin, hurry=True))
    return figures


def group(scene: Scene, rng: Generator, at: Array, begin: float) -> list[Figure]:
    """Three to eight strike at one another; some come running."""
    count, figures = int(rng.choice([3, 4, 5, 6, 7, 8], p=[0.3, 0.25, 0.18, 0.12, 0.08, 0.07])), []
    teams = (draw_body(rng), draw_body(rng)) if rng.random() < 0.3 else None
    blows = (*FISTS, *FEET, "shove", "shove", "swing")
    victim = rng.random() < 0.4  # all against one
    for k in range(count):
        late = begin if k < 2 or rng.random() < 0.6 else min(begin + float(rng.uniform(0.3, 0.9)), 0.6 * scene.duration)
        length = scene.duration - late
        angle = 2 * np.pi * (k + float(rng.uniform(-0.25, 0.25))) / count
        spread = 0.3 + 0.055 * count
        if victim and k == 0:
            act = Scrap(
                float(at[0]),
                float(at[1]),
                angle,
                0.1,
                length,
                draw_moves(rng, length, FISTS, 0.0)[0],
                0.6,
                style="cower",
            )
        else:
            moves, hurts = draw_moves(rng, length, blows, 0.75, float(rng.uniform(0.8, 1.4)))
            both: tuple[Move, ...] = tuple(sorted((*moves, *hurts), key=lambda move: move.start))
            style = str(rng.choice(["guard", "loose", "shove", "clinch"], p=[0.3, 0.35, 0.2, 0.15]))
            off = rng.normal(0, 0.12, 2)
            act = Scrap(
                float(at[0] + off[0]), float(at[1] + off[1]), angle, spread * float(rng.uniform(0.8, 1.3)), length,
                both,
                float(rng.normal(0, 0.35)), (0.0, 0.0), style, float(rng.normal(0, 0.4)), float(rng.uniform(0, 6)),
            )  # fmt: skip
        body = draw_body(rng, adult=True, uniform=None if teams is None else teams[k % 2])
        figures.append(_fighter(rng, _jerky(rng, act), late, hurry=late > begin, body=body))
    return figures


def chase(scene: Scene, rng: Generator, at: Array, begin: float) -> list[Figure]:
    """One runs from another, who hits him from behind."""
    angle, speed = scene.across(rng), float(rng.uniform(1.6, 3.2))
    v = unit(angle) * speed
    start = at - v * scene.duration / 2
    moves, _ = draw_moves(rng, scene.duration, ("overhand", "swing", "shove", "cross", "front kick"), 1.0, 1.2)
    figures = []
    for k, (back, word) in enumerate(((0.0, "attacked"), (-float(rng.uniform(0.55, 0.8)), FIGHTER))):
        body = draw_body(rng, adult=True)
        a = start + unit(angle) * back
        b = a + v * (scene.duration + 0.3)
        run = Walk(
            smooth_path([(float(a[0]), float(a[1])), (float(b[0]), float(b[1]))]),
            speed,
            body.scale,
            "run",
            float(rng.random()),
        )
        act: Act = Striking(run, moves) if k else run
        figures.append(Figure(body, _jerky(rng, act, 0.05, 0.2), word, True))
    return figures


def peacemaker(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """A third one who pulls at the fighters."""
    angle = scene.across(rng) + np.pi / 2
    moves, _ = draw_moves(rng, scene.duration, ("shove",), 1.0)
    act = Scrap(
        float(at[0]),
        float(at[1]),
        angle,
        float(rng.uniform(0.35, 0.6)),
        scene.duration,
        moves,
        0.2,
        style="clinch",
        phase=2.0,
    )
    return [_fighter(rng, _jerky(rng, act, 0.05, 0.2), 0.0, "pull apart")]


def onlookers(scene: Scene, rng: Generator, at: Array, least: int = 1, most: int = 6) -> list[Figure]:
    """People who stand round what happens at `at`, watch, film, point, or step back."""
    figures, first = [], float(rng.uniform(0, 6))
    for k in range(int(rng.integers(least, most + 1))):
        angle = first + k * float(rng.uniform(0.5, 1.2))
        spot = at + unit(angle) * float(rng.uniform(1.4, 3.0))
        kind = str(rng.choice(["watch", "idle", "film", "point", "gesture"]))
        figure = posed(rng, spot, angle + np.pi, scene.duration, kind, "watch")
        if rng.random() < 0.25:
            back = unit(angle) * float(rng.uniform(0.3, 0.7))
            figure.script = Posed(
                float(spot[0]),
                float(spot[1]),
                angle + np.pi,
                scene.duration,
                "idle",
                0.0,
                1.5,
                (float(back[0]), float(back[1])),
            )
            figure.action, figure.moving = "back away", True
        figures.append(figure)
    return figures


Brawl = Callable[[Scene, Generator, Array, float], list[Figure]]
BRAWLS: tuple[tuple[str, Brawl, float], ...] = (
    ("punches", boxing, 0.2), ("kicks", kicking, 0.11), ("beating", beating, 0.16), ("grappling", clinch, 0.14),
    ("shoving", shoving, 0.08), ("on the ground", on_the_ground, 0.09),
    ("kicking a fallen person", kicking_a_fallen, 0.08),
    ("group", group, 0.1), ("chase", chase, 0.04),
)  # fmt: skip
