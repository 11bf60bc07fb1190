"""How the kinds of places are laid out: grounds, walls and what stands on them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes import furniture as f
from hiprobe_training.scenes.meshes import Array, quad
from hiprobe_training.scenes.stage import Colour, Lane, Part
from hiprobe_training.scenes.surfaces import pick
from hiprobe_training.scenes.textures import Picture


@dataclass
class Plan:
    """A place while it is being made.

    Attributes
    ----------
    area : tuple of float
        x from, x to, y from, y to of the ground that people can walk on, in m.
    room : tuple of float
        Where the camera may hang, likewise.
    ceiling : float
        In m; infinite outdoors.
    blocks, tall : list
        x, y, half sizes; and the height in m of each.
    looks : float or None
        The camera's direction about z in radians, where only one makes sense.
    """

    rng: Generator
    area: tuple[float, float, float, float]
    room: tuple[float, float, float, float]
    ceiling: float = np.inf
    parts: list[Part] = field(default_factory=list)
    blocks: list[tuple[float, float, float, float]] = field(default_factory=list)
    tall: list[float] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    lamps: list[tuple[float, float, float]] = field(default_factory=list)
    looks: float | None = None
    night: bool = False

    def put(self, parts: f.Parts, at: tuple[float, float], yaw: float = 0.0, blocks: bool = True) -> None:
        """Stand a thing at a point, turned by `yaw`."""
        moved = [Part(f.move(p.mesh, (*at, 0.0), yaw), p.colour, p.picture) for p in parts]
        self.parts += moved
        if blocks:
            points = np.concatenate([p.mesh.vertices for p in moved])
            # Crowns, awnings and lamp arms are above the heads.
            low = points[points[:, 2] < 1.7]
            (x0, y0), (x1, y1) = low[:, :2].min(0), low[:, :2].max(0)
            self.block(x0, x1, y0, y1, float(low[:, 2].max()))

    def block(self, x0: float, x1: float, y0: float, y1: float, height: float = 3.0) -> None:
        """Keep people out of a rectangle."""
        self.blocks.append(((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2))
        self.tall.append(height)

    def floor(
        self, x0: float, x1: float, y0: float, y1: float, picture: Picture, metres: float, z: float = 0.0,
        tint: Colour = (1.0, 1.0, 1.0),
    ) -> None:  # fmt: skip
        """A level rectangle whose picture is `metres` wide."""
        mesh = quad((x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z))
        self.parts.append(Part(f.tiled(mesh, (x1 - x0) / metres, (y1 - y0) / metres), tint, picture))

    def strip(self, x0: float, x1: float, y0: float, y1: float, colour: Colour, z: float = 0.012) -> None:
        """Paint on the ground."""
        self.parts.append(Part(quad((x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)), colour))

    def wall(self, a: tuple[float, float], b: tuple[float, float], height: float, picture: Picture, metres: float,
             tint: Colour = (1.0, 1.0, 1.0), low: float = 0.0) -> None:  # fmt: skip
        """An upright rectangle from a to b, seen from its right; the picture is as high as it."""
        mesh = quad((*a, low), (*b, low), (*b, height), (*a, height))
        mesh = f.tiled(mesh, max(round(np.hypot(b[0] - a[0], b[1] - a[1]) / metres), 1), 1.0)
        self.parts.append(Part(mesh, tint, picture))

    def clear(self, at: Array, radius: float) -> bool:
        """Whether nothing stands within `radius` of a point."""
        if not self.blocks:
            return True
        gap = np.abs(at - np.array(self.blocks)[:, :2]) - np.array(self.blocks)[:, 2:] - radius
        return not bool((gap < 0).all(-1).any())

    def scatter(self, things: list[f.Parts], radius: float = 0.5, edge: float | None = None) -> None:
        """Stand things at free points of the area, or within `edge` m of its border."""
        rng = self.rng
        x0, x1, y0, y1 = self.area
        for thing in things:
            for _ in range(6):
                at = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1)])
                rim = min(at[0] - x0, x1 - at[0], at[1] - y0, y1 - at[1])
                if (edge is not None and rim > edge) or not self.clear(at, radius):
                    continue
                self.put(thing, (float(at[0]), float(at[1])), float(rng.uniform(0, 6.28)))
                break


def buildings(plan: Plan, x0: float, x1: float, y: float, sign: float) -> None:
    """Fronts along x at `y`, seen from the side of -sign, with blocks behind."""
    rng, x = plan.rng, x0
    while x < x1:
        wide, tall = float(rng.uniform(7, 16)), float(rng.uniform(6, 13))
        back = y + sign * float(rng.choice([0.0, 0.0, 0.5]))
        a, b = ((x, back), (x + wide, back)) if sign > 0 else ((x + wide, back), (x, back))
        tint = float(rng.uniform(0.75, 1.05))
        plan.wall(a, b, tall, pick(rng, "facade"), 11.0, (tint, tint, tint))
        body = f.block((wide, 6.0, tall), (x + wide / 2, back + sign * 3.03, 0))
        plan.parts.append(Part(body, f.tone(rng, 0.3, 0.7)))
        plan.block(x, x + wide, min(back, back + 6 * sign), max(back, back + 6 * sign), tall)
        if rng.random() < 0.4:  # an awning
            awning = f.block((wide * 0.6, 1.3, 0.1), (x + wide / 2, back - sign * 0.65, 2.6))
            plan.parts.append(Part(awning, f.vivid(rng)))
        if rng.random() < 0.4:
            board = f.block((0.1, 0.8, 0.8), (x + wide * 0.3, back - sign * 0.4, 3.0))
            plan.parts.append(Part(board, (1.0, 1.0, 1.0), pick(rng, "poster")))
        x += wide + (float(rng.uniform(1, 5)) if rng.random() < 0.2 else 0.0)


def backdrop(plan: Plan) -> None:
    """What closes the view far away: houses or trees on all four sides."""
    rng = plan.rng
    for k in range(4):
        r, tall = float(rng.uniform(26, 40)), float(rng.uniform(3, 14))
        corner = [((-45, r), (45, r)), ((r, 45), (r, -45)), ((45, -r), (-45, -r)), ((-r, -45), (-r, 45))][k]
        kind = "facade" if rng.random() < 0.6 else "leaves"
        tint = float(rng.uniform(0.6, 1.0))
        plan.wall(
            corner[0], corner[1], tall if kind == "facade" else 0.5 * tall, pick(rng, kind), 13.0, (tint, tint, tint)
        )


def outdoor_things(plan: Plan, count: int) -> list[f.Parts]:
    """What stands about outdoors."""
    rng, things = plan.rng, []
    for _ in range(count):
        sort = int(rng.integers(10))
        if sort < 2:
            things.append(f.bin_(rng))
        elif sort < 4:
            things.append(f.bench(rng))
        elif sort == 4:
            things.append(f.sign(rng))
        elif sort == 5:
            things.append(f.bollards(rng, float(rng.uniform(1, 4))))
        elif sort == 6:
            things.append(f.motorbike(rng))
        elif sort == 7:
            things.append(f.plant(rng))
        else:
            things.append(f.crates(rng))
    return things


def street(plan: Plan, for_dashcam: bool = False) -> None:
    """A road along x between pavements and buildings; y = 0 is its middle."""
    rng = plan.rng
    half, walk = float(rng.uniform(4.0 if for_dashcam else 3.0, 4.8)), float(rng.uniform(3.0, 6.0))
    far = 70.0 if for_dashcam else 30.0
    low = -12.0 if for_dashcam else -far
    both = rng.random() < 0.6 or for_dashcam
    back = half + walk
    plan.floor(low, far, -half, half, pick(rng, "asphalt"), 7.0)
    paving, tint = pick(rng, "bricks", "tiles", "asphalt"), float(rng.uniform(0.7, 1.05))
    for sign in (-1, 1):
        y0, y1 = sorted((sign * half, sign * (back + 14)))
        plan.floor(low, far, y0, y1, paving, float(rng.uniform(2, 4)), 0.005, (tint, tint, tint))
        plan.strip(low, far, sign * half - 0.12, sign * half + 0.12, f.tone(rng, 0.5, 0.75, 0.02), 0.02)
        if rng.random() < 0.5:
            y = sign * (half - 0.4)
            plan.strip(low, far, y - 0.06, y + 0.06, (0.75, 0.72, 0.5) if rng.random() < 0.5 else (0.8, 0.8, 0.78))
    for x in np.arange(low, far, 5.0):
        plan.strip(float(x), float(x) + 2.2, -0.07, 0.07, (0.8, 0.8, 0.78))
    if rng.random() < 0.45:
        zebra = float(rng.uniform(4, 25) if for_dashcam else rng.uniform(-6, 6))
        for y in np.arange(-half + 0.3, half - 0.3, 1.0):
            plan.strip(zebra - 1.5, zebra + 1.5, float(y), float(y) + 0.5, (0.82, 0.82, 0.8))
    for sign in (1, -1):
        if sign == 1 or both:
            if rng.random() < 0.8:
                buildings(plan, low, far, sign * back, sign)
            else:
                plan.wall((low, back) if sign > 0 else (far, -back), (far, back) if sign > 0 else (low, -back),
                          float(rng.uniform(1.5, 3)), pick(rng, "bricks", "leaves"), 2.5)  # fmt: skip
                plan.block(low, far, min(sign * back, sign * (back + 1)), max(sign * back, sign * (back + 1)), 2.0)
                for x in np.arange(low, far, float(rng.uniform(5, 9))):
                    plan.put(f.tree(rng), (float(x), sign * (back + 3)), 0.0)
    edge = half - 1.0
    for sign in (-1, 1):
        if rng.random() < 0.75:  # parked cars
            x, every = low + float(rng.uniform(0, 5)), float(rng.uniform(0.25, 0.9))
            while x < far:
                if rng.random() < every:
                    plan.put(f.car(rng), (x, sign * edge), float(rng.normal(0, 0.02)) + (np.pi if sign > 0 else 0.0))
                x += float(rng.uniform(5.0, 6.5))
    pitch = float(rng.uniform(7, 13))
    for x in np.arange(low + 2, far, pitch):
        for sign in (-1, 1):
            at = (float(x + rng.normal(0, 0.6)), sign * (half + 0.5))
            draw = rng.random()
            if draw < 0.3:
                plan.put(f.tree(rng), at)
            elif draw < 0.55:
                tall = float(rng.uniform(4.5, 7))
                plan.put(f.lamp_post(rng, tall, plan.night), at, -sign * np.pi / 2)
                plan.lamps.append((at[0], at[1] - sign, tall - 0.3))
    plan.area = (low, far, -back + 0.3, back - 0.3)
    things = outdoor_things(plan, int(rng.integers(8, 24)))
    for thing in things:
        sign = float(rng.choice([-1, 1]))
        near_wall = rng.random() < 0.6
        y = back - 0.5 if near_wall else half + 0.5
        x = float(rng.uniform(low, far) if for_dashcam else rng.normal(0, 9))
        plan.put(thing, (x, sign * y), float(rng.choice([0, 1, 2, 3]) * np.pi / 2))
    lane = max(half - 2.0, 1.5) / 2
    if half > 3.6:
        plan.lanes = [Lane((0.0, -lane), (1.0, 0.0)), Lane((0.0, lane), (-1.0, 0.0))]
    else:
        plan.lanes = [Lane((0.0, 0.0), (1.0, 0.0))]
    # Mostly the side of the camera is the open one.
    plan.room = (-14.0, 14.0, -back - (0.0 if both else 8.0), back - 0.4)


def plaza(plan: Plan) -> None:
    """An open square, yard or entrance."""
    rng = plan.rng
    backdrop(plan)
    w, d = float(rng.uniform(9, 20)), float(rng.uniform(9, 20))
    plan.floor(-45, 45, -45, 45, pick(rng, "bricks", "tiles", "asphalt", "asphalt"), float(rng.uniform(2.5, 5)))
    if rng.random() < 0.5:
        y = float(rng.uniform(-d / 2, d / 2))
        plan.floor(-45, 45, y, y + float(rng.uniform(1, 5)), pick(rng, "bricks", "tiles", "grass"), 3.0, 0.008)
    if rng.random() < 0.4:
        for x in np.arange(-20, 20, float(rng.uniform(2, 5))):
            plan.strip(float(x), float(x) + 0.15, -20, 20, f.tone(rng, 0.5, 0.8))
    plan.area = (-w, w, -d, d)
    if rng.random() < 0.8:
        buildings(plan, -w - 8, w + 8, d, 1)
    for sign in (-1, 1):
        sort = rng.random()
        x = sign * w
        if sort < 0.35:
            a, b = ((x, -d), (x, d)) if sign < 0 else ((x, d), (x, -d))
            plan.wall(b, a, float(rng.uniform(1.5, 5)), pick(rng, "bricks", "plaster"), 3.0)
            plan.block(x - 0.3, x + 0.3, -d, d)
        elif sort < 0.7:
            plan.put(f.hedge(rng, 2 * d, float(rng.uniform(0.6, 1.6))), (x, 0.0))
    plan.scatter([f.tree(rng) for _ in range(rng.integers(0, 7))], 0.5)
    things = outdoor_things(plan, int(rng.integers(10, 26)))
    plan.scatter(things, 0.8, 5.0 if rng.random() < 0.5 else None)
    if rng.random() < 0.35:
        for _ in range(int(rng.integers(2, 6))):
            at = (float(rng.uniform(-w, w) * 0.7), float(rng.uniform(-d, d) * 0.7))
            if rng.random() < 0.6:
                plan.put(f.parasol(rng), at)
            dining(plan, at)
    if rng.random() < 0.4:
        x = float(rng.uniform(-w, w))
        for k in range(int(rng.integers(3, 9))):
            plan.put(f.motorbike(rng), (x + 0.8 * k, d - 1.5), np.pi / 2 + float(rng.normal(0, 0.08)))
    posts(plan, 3)
    plan.room = (-w - 3, w + 3, -d - 4, d - 0.5)


def posts(plan: Plan, count: int) -> None:
    """Lamp posts about the area."""
    rng = plan.rng
    for _ in range(count):
        at = (float(rng.uniform(*plan.area[:2]) * 0.7), float(rng.uniform(*plan.area[2:]) * 0.7))
        tall = float(rng.uniform(3.5, 6.5))
        plan.put(f.lamp_post(rng, tall, plan.night), at, float(rng.uniform(0, 6)))
        plan.lamps.append((*at, tall - 0.4))


def car_park(plan: Plan) -> None:
    """Rows of bays with cars along x, alleys between."""
    rng = plan.rng
    backdrop(plan)
    inside = rng.random() < 0.25
    w, alley = 24.0, float(rng.uniform(6.0, 8.5))
    plan.floor(-45, 45, -45, 45, pick(rng, "asphalt"), float(rng.uniform(6, 10)))
    bay, full = float(rng.uniform(2.4, 2.8)), float(rng.uniform(0.3, 0.85))
    paint = (0.8, 0.8, 0.78) if rng.random() < 0.75 else (0.8, 0.68, 0.25)
    for sign in (-1, 1):
        for row in (0, 1):
            y = sign * (alley / 2 + 2.5 + row * (5.2 if rng.random() < 0.5 else 5.0 + alley))
            for x in np.arange(-w, w, bay):
                plan.strip(float(x) - 0.05, float(x) + 0.05, y - 2.5, y + 2.5, paint)
                if rng.random() < full:
                    yaw = sign * np.pi / 2 + np.pi * float(rng.integers(2)) + float(rng.normal(0, 0.03))
                    plan.put(f.car(rng), (float(x) + bay / 2, y + float(rng.normal(0, 0.15))), yaw)
    plan.area = (-w, w, -alley / 2 - 4.5, alley / 2 + 4.5)
    plan.lanes = [Lane((0.0, 0.0), (1.0, 0.0), min(alley / 2, 3.0))]
    if rng.random() < 0.6:
        buildings(plan, -w, w, alley / 2 + 14, 1)
    if inside:
        for x in np.arange(-w, w, 3 * bay):
            for sign in (-1, 1):
                plan.put([Part(f.block((0.5, 0.5, 3.6)), f.tone(rng, 0.4, 0.9))], (float(x), sign * alley / 2))
    plan.scatter(outdoor_things(plan, int(rng.integers(2, 8))), 0.6)
    for _ in range(int(rng.integers(0, 5))):
        plan.put(f.tree(rng), (float(rng.uniform(-w, w)), float(rng.choice([-1, 1])) * (alley / 2 + 5.2)))
    for x in (-9.0, 6.0):
        tall = float(rng.uniform(4, 7))
        plan.put(f.lamp_post(rng, tall, plan.night), (x, alley / 2 + 5.1), -np.pi / 2)
        plan.lamps.append((x, alley / 2 + 4.0, tall - 0.3))
    plan.room = (-14, 14, -alley / 2 - 9, alley / 2 + 9)


def walkway(plan: Plan) -> None:
    """A path along x with grass, trees, hedges and benches."""
    rng = plan.rng
    backdrop(plan)
    half, side = float(rng.uniform(1.3, 4.5)), float(rng.uniform(2, 6))
    plan.floor(-45, 45, -45, 45, pick(rng, "grass", "grass", "grass", "bricks"), 9.0)
    plan.floor(-45, 45, -half, half, pick(rng, "asphalt", "bricks", "tiles"), float(rng.uniform(2, 5)), 0.01)
    for sign in (-1, 1):
        if rng.random() < 0.5:
            plan.strip(-45, 45, sign * half - 0.08, sign * half + 0.08, f.tone(rng, 0.5, 0.8), 0.02)
    if rng.random() < 0.5:
        x = float(rng.uniform(-6, 6))
        plan.floor(x, x + 2.5, -45, 45, pick(rng, "asphalt", "bricks"), 3.0, 0.015)
    plan.area = (-25, 25, -half - side, half + side)
    if rng.random() < 0.55:
        buildings(plan, -30, 30, half + side + 1, 1)
    for sign in (-1, 1):
        sort = rng.random()
        if sort < 0.35:
            length = float(rng.uniform(6, 20))
            bush = f.hedge(rng, length, float(rng.uniform(0.5, 1.5)))
            plan.put(bush, (float(rng.uniform(-8, 8)), sign * (half + 0.7)), np.pi / 2)
        elif sort < 0.6:
            plan.put(f.bollards(rng, 24.0), (0.0, sign * (half + 0.3)), np.pi / 2)
    for _ in range(int(rng.integers(3, 12))):
        y = float(rng.choice([-1, 1]) * (half + rng.uniform(0.8, side + 4)))
        plan.put(f.tree(rng), (float(rng.normal(0, 12)), y))
    for thing in outdoor_things(plan, int(rng.integers(4, 14))):
        y = float(rng.choice([-1, 1])) * (half + float(rng.uniform(0.3, 1.2)))
        plan.put(thing, (float(rng.normal(0, 8)), y), float(rng.choice([0, 1, 2, 3])) * np.pi / 2)
    posts(plan, 2)
    plan.room = (-16, 16, -half - side - 3, half + side)


def dining(plan: Plan, at: tuple[float, float]) -> None:
    """A table with chairs about it."""
    rng = plan.rng
    plan.put(f.table(rng), at)
    colour = f.vivid(rng)
    for k in range(int(rng.integers(2, 5))):
        yaw = k * np.pi / 2 + float(rng.normal(0, 0.25))
        r = float(rng.uniform(0.65, 0.95))
        spot = (at[0] - r * np.cos(yaw), at[1] - r * np.sin(yaw))
        plan.put(f.chair(rng, colour), spot, yaw)
