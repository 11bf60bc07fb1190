"""What people look like: clothes, build, and the meshes that hang on the links of the skeleton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.acts import State
from hiprobe_training.scenes.meshes import Array, Mesh, ball, join, limb, loft
from hiprobe_training.scenes.motions import ROWS, Y_UP_TO_Z_UP, load_skeleton, multiply, rotate, turn

Colour = tuple[float, float, float]

SKINS: tuple[Colour, ...] = ((0.87, 0.68, 0.56), (0.76, 0.57, 0.45), (0.55, 0.39, 0.29), (0.36, 0.25, 0.19))
HAIRS: tuple[Colour, ...] = ((0.08, 0.07, 0.06), (0.2, 0.13, 0.08), (0.45, 0.33, 0.18), (0.5, 0.5, 0.5))
TOPS: tuple[Colour, ...] = (
    (0.12, 0.13, 0.16), (0.62, 0.12, 0.12), (0.15, 0.25, 0.5), (0.85, 0.84, 0.8), (0.2, 0.38, 0.25),
    (0.55, 0.45, 0.3), (0.4, 0.42, 0.46), (0.75, 0.55, 0.15), (0.35, 0.2, 0.4), (0.3, 0.5, 0.62),
)  # fmt: skip
LEGS: tuple[Colour, ...] = (
    (0.13, 0.15, 0.25), (0.1, 0.1, 0.11), (0.35, 0.33, 0.3), (0.5, 0.43, 0.32), (0.24, 0.3, 0.42),
    (0.25, 0.2, 0.17),
)  # fmt: skip

# Where a body can touch the ground: link, point in m in the link's frame, radius in m.
CONTACTS = (
    *((f"{side}_ankle", (x, -0.02, 0.0), 0.03) for side in ("left", "right") for x in (-0.05, 0.14)),
    *((f"{side}_{link}", (0.0, -0.02, 0.0), 0.05) for side in ("left", "right") for link in ("knee", "elbow")),
    *((f"{side}_wrist", (0.0, -0.04, 0.0), 0.035) for side in ("left", "right")),
    ("root", (0.0, 0.0, 0.0), 0.1),
    ("chest", (0.0, 0.14, 0.0), 0.11),
    ("neck", (0.0, 0.17, 0.0), 0.1),
)


@dataclass(frozen=True)
class Look:
    """One person's appearance; `scale` multiplies the skeleton's 1.6 m, `girth` the trunk's width."""

    scale: float
    girth: float
    skin: Colour
    hair: Colour
    top: Colour
    legs: Colour
    shoes: Colour
    short_sleeves: bool
    coat: bool
    backpack: Colour | None


def draw_look(rng: Generator) -> Look:
    """A random look."""

    def pick(palette: tuple[Colour, ...]) -> Colour:
        base = np.array(palette[rng.integers(len(palette))])
        r, g, b = np.clip(base * rng.uniform(0.85, 1.15) + rng.normal(0, 0.015, 3), 0.02, 0.95)
        return float(r), float(g), float(b)

    shade = float(rng.uniform(0.05, 0.3))
    return Look(
        scale=float(rng.uniform(1.0, 1.14)),
        girth=float(rng.uniform(0.92, 1.12)),
        skin=pick(SKINS),
        hair=pick(HAIRS),
        top=pick(TOPS),
        legs=pick(LEGS),
        shoes=(shade, shade, shade) if rng.random() < 0.75 else (0.85, 0.85, 0.85),
        short_sleeves=bool(rng.random() < 0.35),
        coat=bool(rng.random() < 0.25),
        backpack=pick(TOPS) if rng.random() < 0.25 else None,
    )


def dress(look: Look) -> list[tuple[int, Mesh, Colour]]:
    """The parts of a body: link row, mesh in m in the link's frame before scaling, and colour."""
    g = look.girth
    sleeve = look.skin if look.short_sleeves else look.top
    hips = loft(
        [
            (-0.13, 0, 0.06, 0.08),
            (-0.08, 0, 0.105 * g, 0.155 * g),
            (0.03, 0, 0.11 * g, 0.165 * g),
            (0.08, 0, 0.1 * g, 0.15 * g),
        ]
    )
    waist = loft(
        [
            (0.0, 0, 0.118 * g, 0.172 * g),
            (0.1, 0.005, 0.108 * g, 0.155 * g),
            (0.24, 0.005, 0.105 * g, 0.15 * g),
        ]
    )
    chest = loft(
        [
            (-0.05, 0.005, 0.1 * g, 0.145 * g),
            (0.06, 0, 0.115 * g, 0.165 * g),
            (0.16, -0.005, 0.112 * g, 0.18),
            (0.21, -0.01, 0.085, 0.165),
            (0.245, -0.01, 0.065, 0.1),
            (0.265, -0.005, 0.05, 0.055),
        ],
        sides=14,
    )
    parts: list[tuple[str, Mesh, Colour]] = [
        ("root", hips, look.legs),
        ("root", waist, look.top),
        ("chest", chest, look.top),
        ("neck", limb(0.08, -0.01, 0.05, 0.052), look.skin),
        ("neck", ball((0.012, 0.155), (0.092, 0.118, 0.077)), look.skin),
        ("neck", ball((-0.018, 0.178), (0.092, 0.108, 0.086)), look.hair),
    ]
    if look.coat:
        skirt = loft([(-0.32, 0, 0.16 * g, 0.19 * g), (-0.1, 0, 0.135 * g, 0.18 * g), (0.1, 0, 0.11 * g, 0.157 * g)])
        parts.append(("root", skirt, look.top))
    if look.backpack:
        bag = loft([(-0.1, -0.17, 0.07, 0.12), (0.02, -0.18, 0.1, 0.14), (0.17, -0.16, 0.08, 0.13)], 12, 0.6)
        parts.append(("chest", bag, look.backpack))
    for side in ("left", "right"):
        upper = [limb(0.01, -0.24, 0.057, 0.047)]
        fore = limb(0.0, -0.22, 0.045, 0.034)
        if look.short_sleeves:
            parts += [(f"{side}_shoulder", limb(0.01, -0.15, 0.058, 0.056), look.top)]
            upper = [limb(-0.1, -0.25, 0.046, 0.041)]
        shoe = loft([(-0.055, 0.045, 0.13, 0.048), (-0.02, 0.045, 0.128, 0.047), (0.01, 0.02, 0.09, 0.042)], 12, 0.8)
        parts += [
            (f"{side}_shoulder", join(upper), sleeve),
            (f"{side}_elbow", fore, sleeve),
            (f"{side}_wrist", ball((0.005, -0.035), (0.042, 0.06, 0.026)), look.skin),
            (f"{side}_hip", limb(0.0, -0.39, 0.088 * g, 0.062), look.legs),
            (f"{side}_knee", limb(0.0, -0.37, 0.064, 0.046), look.legs),
            (f"{side}_ankle", shoe, look.shoes),
        ]
    return [(ROWS[link], mesh, colour) for link, mesh, colour in parts]


def place_person(state: State, scale: float) -> tuple[Array, Array]:
    """World positions (15, 3) in m and rotations (15, 4) of the links, with the body set on the ground.

    The lowest contact point comes to rest on the ground as far as ``state.grounded`` asks; nothing sinks
    below it.
    """
    base = multiply(turn("z", state.yaw), Y_UP_TO_Z_UP)
    positions, rotations = load_skeleton().place(state.pose, base)
    positions = positions * scale
    positions[:, 2] += state.height * scale
    lowest = min(
        float(positions[ROWS[link], 2] + rotate(rotations[ROWS[link]], np.array(point) * scale)[2] - radius * scale)
        for link, point, radius in CONTACTS
    )
    positions[:, 2] -= lowest if lowest < 0 else lowest * state.grounded
    positions[:, 0] += state.x
    positions[:, 1] += state.y
    return positions, rotations
