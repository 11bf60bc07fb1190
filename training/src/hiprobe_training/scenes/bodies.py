"""People of all sizes and clothes for the training clips, and the prop that an act moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.acts import State
from hiprobe_training.scenes.meshes import Array, Mesh, ball, box, limb, loft, stand_up
from hiprobe_training.scenes.motions import ROWS, Y_UP_TO_Z_UP, multiply, turn
from hiprobe_training.scenes.people import HAIRS, SKINS, Look, draw_look, dress, place_person
from hiprobe_training.scenes.stage import Colour, Part, Prop

# Colours that a caption can name, with how often they are worn as a top.
NAMED: dict[str, tuple[tuple[Colour, ...], float]] = {
    "black": (((0.05, 0.05, 0.06), (0.1, 0.1, 0.11)), 0.22),
    "grey": (((0.3, 0.31, 0.33), (0.5, 0.5, 0.52)), 0.12),
    "white": (((0.9, 0.9, 0.88), (0.8, 0.8, 0.82)), 0.16),
    "blue": (((0.1, 0.2, 0.5), (0.25, 0.45, 0.75), (0.07, 0.1, 0.25)), 0.15),
    "red": (((0.65, 0.08, 0.08), (0.8, 0.15, 0.12)), 0.09),
    "green": (((0.12, 0.35, 0.18), (0.25, 0.55, 0.3)), 0.07),
    "brown": (((0.35, 0.22, 0.12), (0.28, 0.18, 0.12)), 0.05),
    "beige": (((0.72, 0.62, 0.46), (0.65, 0.58, 0.48)), 0.05),
    "yellow": (((0.9, 0.75, 0.1), (0.85, 0.8, 0.3)), 0.03),
    "orange": (((0.9, 0.42, 0.08),), 0.03),
    "pink": (((0.9, 0.5, 0.6), (0.85, 0.25, 0.5)), 0.02),
    "purple": (((0.4, 0.18, 0.5),), 0.01),
}
HI_VIS: dict[str, Colour] = {"yellow": (0.8, 0.95, 0.1), "orange": (1.0, 0.45, 0.05)}
TROUSERS: tuple[Colour, ...] = (
    (0.08, 0.08, 0.09), (0.12, 0.14, 0.26), (0.22, 0.3, 0.45), (0.35, 0.33, 0.31), (0.55, 0.47, 0.36),
    (0.25, 0.2, 0.16), (0.8, 0.8, 0.78), (0.3, 0.33, 0.22), (0.16, 0.24, 0.4), (0.6, 0.1, 0.12),
)  # fmt: skip

# Stands for a colour while a body's shape is cached.
SLOTS: dict[Colour, str] = {
    (0.1 * k, 0.0, 1.0): name
    for k, name in enumerate(("skin", "hair", "top", "legs", "shoes", "backpack"))
}  # fmt: skip


class Script(Protocol):
    """Anything that says where a person is at a time in s."""

    def state(self, u: float) -> State:
        """The person at `u` s."""
        ...


@dataclass(frozen=True)
class Body:
    """A look with what `Look` has no word for.

    Attributes
    ----------
    look : Look
    colour : str
        The top's colour as a word.
    head : str
        ``bare``, ``cap``, ``hood``, ``hat`` or ``long hair``.
    hat : tuple of float
        Colour of what is on the head.
    shorts, skirt, vest, pale_front : bool
    bag : str
        ``""``, ``handbag``, ``shopping bag``, ``suitcase`` or ``shoulder bag``.
    bag_colour : tuple of float
    """

    look: Look
    colour: str
    head: str = "bare"
    hat: Colour = (0.1, 0.1, 0.1)
    shorts: bool = False
    skirt: bool = False
    vest: bool = False
    pale_front: bool = False
    bag: str = ""
    bag_colour: Colour = (0.1, 0.1, 0.1)

    @property
    def scale(self) -> float:
        """Factor on the skeleton's size."""
        return self.look.scale

    @property
    def child(self) -> bool:
        """Whether it is a child."""
        return self.look.scale < 0.85


def _vary(rng: Generator, base: Colour) -> Colour:
    r, g, b = np.clip(np.array(base) * rng.uniform(0.8, 1.2) + rng.normal(0, 0.02, 3), 0.02, 0.98)
    return float(r), float(g), float(b)


def draw_body(rng: Generator, adult: bool = False, uniform: Body | None = None) -> Body:
    """A random person; `adult` leaves out children, `uniform` gives the clothes of another one."""
    base = draw_look(rng)
    size = float(rng.uniform(0.9, 1.2) if adult or rng.random() < 0.88 else rng.uniform(0.65, 0.85))
    names = list(NAMED)
    odds = np.array([NAMED[name][1] for name in names])
    colour = str(rng.choice(names, p=odds / odds.sum()))
    tones = NAMED[colour][0]
    top = _vary(rng, tones[int(rng.integers(len(tones)))])
    vest = bool(rng.random() < 0.06)
    if vest:
        colour = str(rng.choice(list(HI_VIS)))
        top = HI_VIS[colour]
    legs = _vary(rng, TROUSERS[int(rng.integers(len(TROUSERS)))])
    if colour == "white" and rng.random() < 0.25:
        legs = top  # white from neck to foot, as nurses and cooks wear it
    head = str(rng.choice(["bare", "long hair", "cap", "hood", "hat"], p=[0.5, 0.2, 0.12, 0.12, 0.06]))
    bag = ""
    if rng.random() < 0.22:
        bag = str(rng.choice(["handbag", "shopping bag", "shoulder bag"]))
    look = replace(
        base,
        scale=size,
        girth=round(float(rng.choice([0.86, 0.94, 1.02, 1.12, 1.25], p=[0.2, 0.3, 0.3, 0.15, 0.05])), 2),
        skin=_vary(rng, SKINS[int(rng.integers(len(SKINS)))]),
        hair=_vary(rng, HAIRS[int(rng.integers(len(HAIRS)))]),
        top=top,
        legs=legs,
        short_sleeves=bool(rng.random() < 0.4),
        coat=bool(rng.random() < 0.25),
        backpack=_vary(rng, TROUSERS[int(rng.integers(len(TROUSERS)))]) if rng.random() < 0.15 else None,
    )
    drawn = Body(
        look=look,
        colour=colour,
        head=head,
        hat=top if head == "hood" else _vary(rng, tones[0] if rng.random() < 0.4 else (0.1, 0.1, 0.12)),
        shorts=bool(rng.random() < 0.15),
        skirt=bool(rng.random() < 0.1),
        vest=vest,
        pale_front=bool(rng.random() < 0.12),
        bag=bag,
        bag_colour=_vary(rng, tones[0] if rng.random() < 0.3 else (0.2, 0.15, 0.12)),
    )
    if uniform is None:
        return drawn
    same = replace(look, top=uniform.look.top, legs=uniform.look.legs, coat=uniform.look.coat)
    return replace(drawn, look=same, colour=uniform.colour, vest=uniform.vest, bag="", head=uniform.head)


@cache
def _shape(girth: float, short_sleeves: bool, coat: bool, backpack: bool) -> tuple[tuple[int, Mesh, str], ...]:
    """A dressed body with slots for its colours: link row, mesh in m, slot."""
    slot = {name: colour for colour, name in SLOTS.items()}
    look = Look(
        scale=1.0, girth=girth, skin=slot["skin"], hair=slot["hair"], top=slot["top"], legs=slot["legs"],
        shoes=slot["shoes"], short_sleeves=short_sleeves, coat=coat, backpack=slot["backpack"] if backpack else None,
    )  # fmt: skip
    return tuple((row, mesh, SLOTS[colour]) for row, mesh, colour in dress(look))


@cache
def _headwear(kind: str) -> tuple[Mesh, ...]:
    """Meshes on the head, in the neck's frame."""
    if kind == "cap":
        peak = loft([(0.2, 0.1, 0.085, 0.07), (0.212, 0.1, 0.085, 0.07)])
        return ball((-0.005, 0.2), (0.1, 0.088, 0.09)), peak
    if kind == "hat":
        return (loft([(0.2, 0, 0.17, 0.16), (0.215, 0, 0.17, 0.16), (0.225, 0, 0.1, 0.095), (0.32, 0, 0.085, 0.08)]),)
    if kind == "hood":
        return ball((-0.03, 0.17), (0.108, 0.13, 0.102)), loft([(0.0, -0.03, 0.1, 0.11), (0.1, -0.04, 0.09, 0.09)])
    return (loft([(-0.06, -0.06, 0.03, 0.085), (0.1, -0.05, 0.055, 0.095), (0.2, -0.03, 0.07, 0.08)]),)


@cache
def _clothes(kind: str) -> tuple[tuple[str, Mesh], ...]:
    """Clothes over a body, by link: ``shorts`` bare the legs, ``skirt`` covers them, ``stripes`` shine on a vest."""
    if kind == "shorts":
        return tuple((f"{s}_knee", limb(0.0, -0.36, 0.066, 0.048)) for s in ("left", "right"))
    if kind == "skirt":
        return (("root", loft([(-0.42, 0, 0.2, 0.24), (-0.12, 0, 0.15, 0.2), (0.06, 0, 0.12, 0.17)])),)
    if kind == "stripes":
        return tuple(("chest", loft([(y, 0, 0.13, 0.187), (y + 0.035, 0, 0.13, 0.187)])) for y in (0.0, 0.1))
    return (("chest", loft([(-0.06, 0.07, 0.07, 0.07), (0.2, 0.06, 0.055, 0.05)])),)


@cache
def bag_mesh(kind: str) -> Mesh:
    """A bag that hangs from (0, 0) down along y, in m; ``suitcase`` and ``box`` as carried."""
    sizes = {
        "handbag": (0.3, 0.14, 0.22, 0.08), "shopping bag": (0.32, 0.16, 0.4, 0.08), "suitcase": (0.5, 0.2, 0.62, 0.05),
        "box": (0.42, 0.42, 0.32, -0.3), "shoulder bag": (0.32, 0.12, 0.28, 0.5), "backpack": (0.32, 0.2, 0.45, 0.06),
    }  # fmt: skip
    long, deep, tall, hang = sizes[kind]
    return loft([(-hang - tall, 0, long / 2, deep / 2), (-hang, 0, long / 2, deep / 2)], 8, 0.35)


def body_parts(body: Body) -> list[tuple[int, Part]]:
    """Link rows and parts of a dressed body, scaled, in the links' frames."""
    look = body.look
    colours = {
        "skin": look.skin, "hair": look.hair, "top": look.top, "legs": look.legs, "shoes": look.shoes,
        "backpack": look.backpack or look.top,
    }  # fmt: skip
    raw = [(r, m, colours[s]) for r, m, s in _shape(look.girth, look.short_sleeves, look.coat, bool(look.backpack))]
    if body.shorts:
        bare = {ROWS["left_knee"], ROWS["right_knee"]}
        raw = [entry for entry in raw if entry[0] not in bare]
        raw += [(ROWS[link], mesh, look.skin) for link, mesh in _clothes("shorts")]
    if body.skirt:
        raw += [(ROWS[link], mesh, look.legs) for link, mesh in _clothes("skirt")]
    if body.vest:
        raw += [(ROWS[link], mesh, (0.95, 0.95, 0.9)) for link, mesh in _clothes("stripes")]
    elif body.pale_front:
        raw += [(ROWS[link], mesh, (0.9, 0.9, 0.88)) for link, mesh in _clothes("front")]
    if body.head != "bare":
        shade = look.hair if body.head == "long hair" else body.hat
        raw += [(ROWS["neck"], mesh, shade) for mesh in _headwear(body.head)]
    if body.bag == "shoulder bag":
        mesh = bag_mesh(body.bag)
        at_hip = Mesh(mesh.vertices + np.array([0.0, 0.55, 0.25]), mesh.normals, mesh.uvs, mesh.faces)
        raw.append((ROWS["root"], at_hip, body.bag_colour))
    head = 1.22 if body.child else 1.0  # children have large heads
    parts = []
    for row, mesh, colour in raw:
        factor = look.scale * (head if row == ROWS["neck"] else 1.0)
        parts.append((row, Part(Mesh(mesh.vertices * factor, mesh.normals, mesh.uvs, mesh.faces), colour)))
    return parts


def held(kind: str, colour: Colour) -> tuple[int, Part]:
    """A thing in the hands: ``box`` before the chest, ``stick`` and ``phone`` in the right hand, or a bag."""
    if kind == "box":
        mesh = stand_up(box((0.36, 0.3, 0.42)), (0.0, 0.0, 0.0))
        turned = mesh.vertices + np.array([0.36, -0.08, 0.0])
        return ROWS["chest"], Part(Mesh(turned, mesh.normals, mesh.uvs, mesh.faces), colour)
    if kind == "stick":
        return ROWS["right_wrist"], Part(limb(0.35, -0.85, 0.015, 0.015), colour)
    if kind == "phone":
        return ROWS["right_wrist"], Part(loft([(-0.13, 0.03, 0.01, 0.035), (0.02, 0.03, 0.01, 0.035)], 8, 0.4), colour)
    return ROWS["left_wrist"], Part(bag_mesh(kind), colour)


def person_prop(body: Body, script: Script, extras: tuple[tuple[int, Part], ...] = ()) -> Prop:
    """A person that plays `script`; `extras` are more parts by link row."""
    parts = [*body_parts(body), *extras]
    hangs = body.bag in ("handbag", "shopping bag", "suitcase")
    if hangs:
        parts.append((ROWS["left_wrist"], Part(bag_mesh(body.bag), body.bag_colour)))
    rows = np.array([row for row, _ in parts])
    length = -float(parts[-1][1].mesh.vertices[:, 1].min()) if hangs else 0.0

    def pose(time: float) -> tuple[Array, Array]:
        state = script.state(time)
        positions, rotations = place_person(state, body.scale)
        at, way = positions[rows], rotations[rows]
        if hangs:  # upright whatever the arm does, and never in the ground
            way[-1] = multiply(turn("z", state.yaw), Y_UP_TO_Z_UP)
            at[-1, 2] = max(at[-1, 2], length)
        return at, way

    return Prop(tuple(part for _, part in parts), pose)
