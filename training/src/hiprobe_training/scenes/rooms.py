"""Layouts of places indoors: corridor, shop and hall."""

from __future__ import annotations

import numpy as np

from hiprobe_training.scenes import furniture as f
from hiprobe_training.scenes.layouts import Plan, dining
from hiprobe_training.scenes.meshes import quad
from hiprobe_training.scenes.stage import Part
from hiprobe_training.scenes.surfaces import pick

_LIT = (1.5, 1.5, 1.48)


def shell(plan: Plan, w: float, d: float, high: float, floor: tuple[str, ...]) -> None:
    """Floor, four walls with posters, windows and doors, and a ceiling with lights; w by d m around the origin."""
    rng = plan.rng
    x, y = w / 2, d / 2
    plan.ceiling, plan.area, plan.room = high, (-x, x, -y, y), (-x + 0.15, x - 0.15, -y + 0.15, y - 0.15)
    tint = float(rng.uniform(0.7, 1.05))
    plan.floor(-x, x, -y, y, pick(rng, *floor), float(rng.uniform(1.8, 4.0)), 0.0, (tint, tint, tint))
    mesh = quad((-x, y, high), (x, y, high), (x, -y, high), (-x, -y, high))
    plan.parts.append(Part(f.tiled(mesh, w / 4, d / 4), (0.9, 0.9, 0.9), pick(rng, "ceiling")))
    look = [pick(rng, "plaster", "plaster", "plaster", "bricks") for _ in range(2)]
    corners = [(-x, -y), (x, -y), (x, y), (-x, y)]
    shade = rng.uniform(0.7, 1.05, 3) if rng.random() < 0.2 else np.full(3, rng.uniform(0.75, 1.05))
    for k in range(4):
        a, b = corners[(k + 1) % 4], corners[k]  # seen from inside
        plan.wall(a, b, high, look[k % 2], 3.5, (float(shade[0]), float(shade[1]), float(shade[2])))
        length = w if k % 2 == 0 else d
        inward = np.array([[0, 1], [-1, 0], [0, -1], [1, 0]][k], dtype=float)
        yaw = float(np.arctan2(inward[1], inward[0]))
        middle = (np.array(a) + np.array(b)) / 2
        along = np.array([-inward[1], inward[0]])
        for _ in range(int(rng.integers(1, 2 + int(length / 2)))):
            wide = float(rng.uniform(0.4, 1.3))
            s = float(rng.uniform(-0.5, 0.5)) * (length - wide)
            at = middle + along * s + inward * float(rng.uniform(0.012, 0.03))
            draw = rng.random()
            if draw < 0.55:
                low = float(rng.uniform(1.0, max(high - 1.0, 1.2)))
                mesh, picture = f.panel(wide, low, min(low + wide * 0.8, high - 0.05)), pick(rng, "poster")
            elif draw < 0.8:
                mesh, picture = f.panel(0.95, 0.0, 2.1), pick(rng, "door")
            else:
                wide = min(2.5 * wide, length * 0.8)
                low = 0.9 if rng.random() < 0.6 else 0.05
                mesh, picture = f.panel(wide, low, min(2.3, high - 0.1)), pick(rng, "window")
            plan.parts.append(Part(f.move(mesh, (at[0], at[1], 0.0), yaw), (1.0, 1.0, 1.0), picture))
    every = float(rng.uniform(2.0, 3.5))
    size = (1.2, 0.3) if rng.random() < 0.6 else (0.6, 0.6)
    for lx in np.arange(-x + 1.0, x - 0.5, every):
        for ly in np.arange(-y + every / 2, y - 0.3, every) if d > 3.5 else [0.0]:
            if rng.random() < 0.9:
                plan.parts.append(Part(f.block((*size, 0.04), (float(lx), float(ly), high - 0.05)), _LIT))
                plan.lamps.append((float(lx), float(ly), high - 0.2))
    if rng.random() < 0.4:  # pipes or beams
        for ly in np.linspace(-y, y, int(rng.integers(2, 5))):
            plan.parts.append(Part(f.block((w, 0.12, 0.15), (0.0, float(ly), high - 0.16)), f.tone(rng)))


def along_walls(plan: Plan, things: list[tuple[f.Parts, float, float]]) -> None:
    """Stand things, each (parts that face +x, length along y, depth), against the walls where there is room."""
    rng = plan.rng
    x0, x1, y0, y1 = plan.area
    for parts, length, depth in things:
        for _ in range(5):
            k = int(rng.integers(4))
            yaw = k * np.pi / 2
            span = (y1 - y0 if k % 2 == 0 else x1 - x0) - length
            if span < 0:
                continue
            s = float(rng.uniform(0, span)) + length / 2
            off = depth / 2 + 0.03
            at = [(x0 + off, y0 + s), (x0 + s, y0 + off), (x1 - off, y0 + s), (x0 + s, y1 - off)][k]
            hx, hy = (depth / 2, length / 2) if k % 2 == 0 else (length / 2, depth / 2)
            blocks = np.array(plan.blocks or [(1e9, 1e9, 0, 0)])
            gap = np.abs(np.array(at) - blocks[:, :2]) - blocks[:, 2:] - [hx, hy]
            if not bool((gap < 0.05).all(-1).any()):
                plan.put(parts, at, yaw)
                break


def corridor(plan: Plan) -> None:
    """A passage along x with doors on both sides."""
    rng = plan.rng
    w, d, high = float(rng.uniform(9, 22)), float(rng.uniform(2.0, 4.0)), float(rng.uniform(2.5, 3.4))
    shell(plan, w, d, high, ("tiles", "tiles", "asphalt", "carpet", "wood"))
    for sign in (-1, 1):
        picture, x = pick(rng, "door"), -w / 2 + float(rng.uniform(0.8, 2))
        while x < w / 2 - 1:
            door = f.move(f.panel(1.0, 0.0, 2.1), (x, sign * (d / 2 - 0.04), 0.0), -sign * np.pi / 2)
            plan.parts.append(Part(door, (1.0, 1.0, 1.0), picture))
            x += float(rng.uniform(1.8, 4.5))
        if rng.random() < 0.4:
            rail = f.block((w, 0.06, 0.08), (0.0, sign * (d / 2 - 0.05), 0.9))
            plan.parts.append(Part(rail, f.tone(rng, 0.2, 0.8)))
    if rng.random() < 0.5:
        end = f.move(f.panel(d * 0.8, 0.0, 2.3), (w / 2 - 0.04, 0.0, 0.0), np.pi)
        plan.parts.append(Part(end, (1.0, 1.0, 1.0), pick(rng, "window", "door")))
    things: list[tuple[f.Parts, float, float]] = []
    for _ in range(int(rng.integers(0, 4))):
        options = [(f.crates(rng), 0.8, 0.7), (f.plant(rng), 0.7, 0.7), (f.chair(rng), 0.5, 0.5)]
        things.append(options[int(rng.integers(3))])
    along_walls(plan, things)
    plan.looks = float(rng.choice([0.0, np.pi]))


def shop(plan: Plan) -> None:
    """Shelves of goods, fridges and a counter."""
    rng = plan.rng
    w, d, high = float(rng.uniform(6, 13)), float(rng.uniform(5, 10)), float(rng.uniform(2.6, 3.6))
    shell(plan, w, d, high, ("tiles", "tiles", "tiles", "wood", "asphalt"))
    length = float(rng.uniform(1.6, 3.4))
    at = (float(rng.uniform(-0.3, 0.3)) * w, -d / 2 + float(rng.uniform(1.3, 2.0)))
    plan.put(f.counter(rng, length), at, np.pi / 2)
    if rng.random() < 0.5:
        plan.put(f.counter(rng, 1.2), (at[0] + length / 2 + 0.2, at[1] - 0.5), 0.0)
    walls: list[tuple[f.Parts, float, float]] = []
    for _ in range(int(rng.integers(6, 13))):
        n = float(rng.uniform(1.0, 3.2))
        if rng.random() < 0.3:
            walls.append((f.fridge(rng, n), n, 0.62))
        else:
            walls.append((f.shelf(rng, n, float(rng.uniform(1.6, 2.2))), n, 0.7))
    along_walls(plan, walls)
    goods = pick(rng, "goods")
    yaw = float(rng.choice([0.0, np.pi / 2]))
    for _ in range(int(rng.integers(1, 5))):
        n, tall = float(rng.uniform(1.2, 2.8)), float(rng.uniform(0.9, 1.6))
        spot = np.array([rng.uniform(-0.4, 0.4) * w, rng.uniform(-0.1, 0.42) * d])
        if plan.clear(spot, 1.5):
            same = goods if rng.random() < 0.5 else None
            plan.put(f.shelf(rng, n, tall, same), (float(spot[0]), float(spot[1])), yaw)
    plan.scatter([f.crates(rng) for _ in range(rng.integers(1, 6))], 0.4, 1.6)
    for _ in range(int(rng.integers(0, 3))):  # mats
        x, y = float(rng.uniform(-0.35, 0.35) * w), float(rng.uniform(-0.35, 0.35) * d)
        plan.floor(x, x + float(rng.uniform(0.8, 1.8)), y, y + 1.0, pick(rng, "carpet"), 2.0, 0.012)


def hall(plan: Plan) -> None:
    """A waiting room, cafe, office, lobby or the inside of a bus."""
    rng = plan.rng
    sort = str(rng.choice(["cafe", "waiting", "office", "lobby", "bus"]))
    if sort == "bus":
        bus(plan)
        return
    w, d, high = float(rng.uniform(7, 18)), float(rng.uniform(6, 14)), float(rng.uniform(2.6, 4.2))
    shell(plan, w, d, high, ("tiles", "tiles", "wood", "carpet", "asphalt"))
    if w * d > 90 or rng.random() < 0.3:
        colour = f.tone(rng, 0.3, 0.9)
        for x in np.arange(-w / 2 + 3, w / 2 - 2, 5.0):
            pillar = [Part(f.block((0.45, 0.45, high)), colour)]
            plan.put(pillar, (float(x), float(rng.choice([-1, 1]) * d * 0.25)))
    n = float(rng.uniform(2, 4))
    things: list[tuple[f.Parts, float, float]] = [(f.counter(rng, n), n + 0.1, 0.8)]
    for _ in range(int(rng.integers(3, 9))):
        options = [
            (f.plant(rng), 0.8, 0.8), (f.sofa(rng, 3), 1.9, 0.6), (f.crates(rng), 0.8, 0.8),
            (f.fridge(rng, 1.4), 1.5, 0.65),
            (f.shelf(rng, 1.8, 1.8), 1.9, 0.7), (f.desk(rng), 1.5, 0.8),
        ]  # fmt: skip
        things.append(options[int(rng.integers(len(options)))])
    along_walls(plan, things)
    hole = np.array([rng.uniform(-0.25, 0.25) * w, rng.uniform(-0.25, 0.25) * d])  # stays empty
    colour = f.vivid(rng)
    for x in np.arange(-w / 2 + 1.6, w / 2 - 1.2, float(rng.uniform(2.2, 3.2))):
        for y in np.arange(-d / 2 + 1.6, d / 2 - 1.2, float(rng.uniform(1.9, 2.8))):
            at = np.array([x, y]) + rng.normal(0, 0.12, 2)
            if np.linalg.norm(at - hole) < 2.2 or not plan.clear(at, 0.8) or rng.random() < 0.3:
                continue
            spot = (float(at[0]), float(at[1]))
            if sort == "cafe":
                dining(plan, spot)
            elif sort == "waiting":
                plan.put(f.sofa(rng, 2) if rng.random() < 0.3 else f.chair(rng, colour), spot, np.pi / 2)
            elif sort == "office":
                plan.put(f.desk(rng), spot, 0.0)
                plan.put(f.chair(rng, colour), (spot[0] + 0.7, spot[1]), np.pi)
            elif rng.random() < 0.3:
                thing = [f.bench, f.plant, f.crates, f.table][int(rng.integers(4))](rng)
                plan.put(thing, spot, float(rng.uniform(0, 6)))


def bus(plan: Plan) -> None:
    """The inside of a bus or tram: seats on both sides, poles, windows."""
    rng = plan.rng
    w, d, high = float(rng.uniform(8, 12)), float(rng.uniform(2.5, 3.0)), float(rng.uniform(2.2, 2.5))
    shell(plan, w, d, high, ("asphalt", "tiles", "carpet"))
    window, colour, rail = pick(rng, "window"), f.vivid(rng), f.vivid(rng)
    hole = float(rng.uniform(-1.5, 1.5))  # where no seats are
    for sign in (-1, 1):
        glass = f.tiled(f.panel(w - 0.2, 0.95, 1.95), 4, 1)
        plan.parts.append(Part(f.move(glass, (0.0, sign * (d / 2 - 0.035), 0.0), -sign * np.pi / 2), (1, 1, 1), window))
        plan.parts.append(Part(f.block((w, 0.04, 0.04), (0.0, sign * 0.5, high - 0.25)), rail))
        for x in np.arange(-w / 2 + 0.5, w / 2 - 0.4, 0.85):
            if abs(x - hole) > 1.4:
                wide = 0.55
                seat = [
                    Part(f.block((0.42, wide, 0.12), (0, 0, 0.36)), colour),
                    Part(f.block((0.1, wide, 0.65), (-0.2, 0, 0.42)), colour),
                    Part(f.block((0.3, 0.3, 0.36)), f.tone(rng, 0.1, 0.4)),
                ]
                plan.put(seat, (float(x), sign * (d / 2 - 0.32)), 0.0)
            elif rng.random() < 0.4:
                pole = [Part(f.post(high, 0.025), rail)]
                plan.put(pole, (float(x), sign * 0.62))
    plan.looks = float(rng.choice([0.0, np.pi]))
