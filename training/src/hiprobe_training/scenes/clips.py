"""One short clip: a place, who is there, perhaps an incident, and what is true of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.bodies import draw_body
from hiprobe_training.scenes.cast import draw_normal, furnish, walk_alone, walk_group, walker
from hiprobe_training.scenes.facts import EVENT_KINDS, Facts, PersonFact
from hiprobe_training.scenes.incidents import INCIDENTS, Incident, suits
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.places import draw_place
from hiprobe_training.scenes.scene import Figure, Ride, Scene
from hiprobe_training.scenes.sensor import draw_sensor
from hiprobe_training.scenes.stage import Light, Place, Stage
from hiprobe_training.scenes.vehicles import Rider, Route, bicycle_parts, bus_parts, car_parts, moved

NORMAL_SHARE = 0.42
NORMAL_ON_ROADS = 0.75  # a dashcam meets little but traffic; 0.45 in all
# How often an event is drawn, among abnormal clips.
ODDS = {
    "fight": 0.24, "fall": 0.10, "run": 0.08, "scatter": 0.07, "crawl": 0.07, "car": 0.08, "bicycle": 0.08,
    "cart": 0.08, "object": 0.08, "smoke": 0.06, "fire": 0.06,
}  # fmt: skip
ATTEMPTS = 6  # to find room for an incident
PLACES = 40  # to find a place that suits it
ZOOMED = 0.75  # of the still cameras
TALL = (0.3, 0.85)  # how tall a person then looks, as a fraction of the picture's height


@dataclass(frozen=True, eq=False)
class Clip:
    """What to render and what is true of it.

    Attributes
    ----------
    stage, quiet : Stage
        What is shown; and the same without the event or the people in front.
    facts : Facts
    event : str or None
        One of :data:`hiprobe_training.scenes.facts.EVENT_KINDS`.
    bystanders, actors : tuple of Figure
        Those whom the same seed gives with any event, less who stood in its way; and all others.
    """

    stage: Stage
    quiet: Stage
    facts: Facts
    event: str | None
    bystanders: tuple[Figure, ...]
    actors: tuple[Figure, ...]


def _rng(seed: int, stream: int, turn: int) -> Generator:
    return np.random.default_rng([seed, 71, stream, turn])


def _draw_event(rng: Generator, place: Place) -> str | None:
    if rng.random() < (NORMAL_ON_ROADS if place.kind == "road" else NORMAL_SHARE):
        return None
    odds = np.array([ODDS[kind] * suits(kind, place) for kind in EVENT_KINDS])
    return str(rng.choice(EVENT_KINDS, p=odds / odds.sum()))


def _traffic(scene: Scene, rng: Generator, focus: Array) -> list[Figure]:
    """Cars, buses and bicycles where they belong; the cyclists."""
    riders: list[Figure] = []
    eye = scene.view.eye[:2]
    for lane in scene.place.lanes:
        if rng.random() > (0.75 if scene.place.kind == "road" else 0.5):
            continue
        way = np.array(lane.direction)
        for _ in range(12):
            at = np.array(lane.point) + way * float(rng.uniform(-40, 40))
            if scene.sees(at, -0.1, 0.7) and 5.0 < float(np.linalg.norm(at - eye)) < 45.0:
                break
        else:
            continue
        sort = str(rng.choice(["car", "bus", "bicycle"], p=[0.74, 0.14, 0.12]))
        speed = float(
            rng.uniform(0.0, 5.0) if sort == "bicycle" else rng.choice([0.0, rng.uniform(3, 12)], p=[0.2, 0.8])
        )
        if sort == "bicycle":
            speed = max(speed, 2.0)
            at = at + np.array([way[1], -way[0]]) * lane.half_width * 0.5
        route = Route(float(at[0]), float(at[1]), float(np.arctan2(way[1], way[0])), speed, scene.duration / 2)
        times = [float(t) for t in np.linspace(0, scene.duration, 5)]
        path = np.array([route.at(t) for t in times])
        eyes = np.array([scene.place.camera(t).eye[:2] for t in times])
        if float(np.linalg.norm(path - eyes, axis=1).min()) < 4.5 or _before(path, eyes, focus) > 1:
            continue
        if any(bool((np.linalg.norm(path - scene.way(ride), axis=1) < 7).any()) for ride in scene.rides):
            continue
        if sort == "bicycle":
            parts, word, length = bicycle_parts(rng), "bicycle", 1.8
            body = draw_body(rng, adult=True)
            riders.append(Figure(body, Rider(route, body.scale, float(rng.random())), "ride", True))
        else:
            parts, word, length = car_parts(rng) if sort == "car" else bus_parts(rng)
        scene.rides.append(Ride(moved(parts, route), route, 0.5 + 0.4 * length, word))
    return riders


def _before(path: Array, eyes: Array, focus: Array) -> int:
    """At how many points of a vehicle's path (n, 2) it stands between the camera (n, 2) and the `focus`, or on it."""
    sight = focus - eyes
    share = np.clip(((path - eyes) * sight).sum(1) / np.maximum((sight**2).sum(1), 1e-9), 0.0, 1.0)
    return int((np.linalg.norm(eyes + share[:, None] * sight - path, axis=1) < 2.6).sum())


def _focus(scene: Scene, rng: Generator) -> Array | None:
    """Where the clip's main thing happens: well in view, and nothing before it; None if there is no such place."""
    large = rng.random() < 0.75
    for margin, tall in ((0.16, (0.27 if large else 0.13, 0.85)), (0.05, (0.06, 1.5))):
        for _ in range(6):
            at = scene.spot(rng, margin, tall)
            if at is None:
                break
            later = scene.place.camera(0.75 * scene.duration)  # a dashcam may have passed it by then
            if later.sees(np.array([*at, 0.9])) and not scene.hidden(np.array([[*at, 1.3], [*at, 0.5]])).any():
                return at
    return None


def _zoomed(scene: Scene, rng: Generator, focus: Array) -> Scene:
    """The empty scene seen through a longer lens, the `focus` in view; as it was for a dashcam or if it is near."""
    zoomed, tall = rng.random() < ZOOMED, float(np.exp(rng.uniform(*np.log(TALL))))
    aside = rng.uniform(-0.55, 0.55, 2)
    view, size = scene.view, np.array([scene.view.width, scene.view.height])
    shown = view.project(np.array([[*focus, 0.0], [*focus, 1.7], [*focus, 0.9]]))
    share = float(np.linalg.norm(shown[0, :2] - shown[1, :2])) / view.height / tall
    if not zoomed or scene.place.kind == "road" or share >= 1:
        return scene
    at = (2 * shown[2, :2] / size - 1) * [1, -1]
    centre = np.clip(at - share * aside, share - 1, 1 - share)
    place = scene.place
    return Scene(replace(place, camera=lambda t: place.camera(t).part(centre, share)), scene.duration)


def _bystanders(scene: Scene, rng: Generator, focus: Array) -> None:
    """Passers-by and idlers, most of them off the `focus`."""
    scene.add(_traffic(scene, rng, focus))
    wanted = int(rng.choice([0, 1, 2, 3, 4, 6, 9], p=[0.34, 0.17, 0.16, 0.13, 0.09, 0.07, 0.04]))
    placed = 0
    for _ in range(2 * wanted):
        if placed >= wanted:
            break
        at = scene.spot(rng, float(rng.choice([0.08, 0.0, -0.05])), (0.08, 1.0))
        if at is None:
            break
        if np.linalg.norm(at - focus) < 1.3 and rng.random() < 0.8:
            continue
        roll = rng.random()
        build = walk_alone if roll < 0.5 else walk_group if roll < 0.62 else draw_normal
        figures = build(scene, rng, at)
        if scene.fits(figures):
            furnish(scene, rng, figures)
            scene.add(figures)
            placed += len(figures)


def _foreground(scene: Scene, rng: Generator, focus: Array) -> None:
    """Something usual where an incident might have been; a quarter of the time nothing."""
    if rng.random() < 0.22:
        return
    crowd = int(rng.integers(3, 9)) if rng.random() < 0.1 else 1
    for k in range(crowd):
        for _ in range(ATTEMPTS):
            at = focus if crowd == 1 else focus + rng.normal(0, 1.6, 2)
            figures = (
                draw_normal(scene, rng, at)
                if k == 0
                else [walker(rng, draw_body(rng), at, float(rng.uniform(0, 6)), scene.duration)]
            )
            if scene.fits(figures):
                furnish(scene, rng, figures)
                scene.add(figures)
                break


def _happen(base: Scene, rng: Generator, event: str, focus: Array) -> tuple[Scene, Incident]:
    """A copy of `base` with the event in it; the last attempt takes out who is in the way."""
    scene, incident = base, None
    for attempt in range(ATTEMPTS):
        scene = base.copy()
        incident = INCIDENTS[event](scene, rng, focus + (rng.normal(0, 0.3, 2) if attempt else 0.0))
        inside = [figure.track(scene.duration) for figure in incident.figures]
        middle = [scene.sees(track[len(track) // 2], 0.04) for track in inside]
        if inside and event != "scatter" and not any(middle):
            continue
        # What moves fast may leave the free ground at the ends of the clip, off the picture.
        tracks = np.concatenate(inside) if inside else focus[None]
        seen = np.array([scene.sees(point) for point in tracks])
        walls = not scene.still.free(tracks[seen], 0.15) if seen.any() else False
        if not walls and scene.fits(incident.figures, incident.gap, strict=False):
            break
    assert incident is not None
    if event in ("car", "bicycle", "cart"):
        ride = scene.rides[-1] if len(scene.rides) > len(base.rides) else None
        if ride is not None:
            way = scene.way(ride)
            keep = [
                k for k, t in enumerate(scene.tracks) if bool((np.linalg.norm(t - way, axis=1) > ride.radius).all())
            ]
            scene.figures, scene.tracks = [scene.figures[k] for k in keep], [scene.tracks[k] for k in keep]
    if event in ("object", "smoke", "fire"):
        keep = [k for k, t in enumerate(scene.tracks) if bool((np.linalg.norm(t - focus, axis=1) > 0.6).all())]
        scene.figures, scene.tracks = [scene.figures[k] for k in keep], [scene.tracks[k] for k in keep]
    scene.clear_for(incident.figures, 0.35)
    for figure in incident.around:
        if scene.fits([figure], 0.4):
            scene.add([figure])
    if event in ("car", "run", "bicycle", "cart", "scatter") and len(scene.figures) < 3:
        _company(scene, rng)
    return scene, incident


def _company(scene: Scene, rng: Generator) -> None:
    """A few who walk or stand, so that what is fast can be seen to be out of place."""
    for _ in range(int(rng.integers(0, 4))):
        at = scene.spot(rng, 0.04, (0.08, 1.0))
        if at is None:
            return
        figures = walk_alone(scene, rng, at) if rng.random() < 0.6 else draw_normal(scene, rng, at)
        if scene.fits(figures, 0.7):
            furnish(scene, rng, figures)
            scene.add(figures)


def _facts(scene: Scene, sensor_grey: bool, event: str | None, detail: str, focus: Array) -> Facts:
    half, people = scene.duration / 2, []
    for figure in scene.figures:
        at = figure.spot(half)
        low = 0.25 if figure.action in ("fall", "crawl") else 0.8
        if scene.sees(at, 0.0, low) and not scene.hidden(np.array([[*at, low], [*at, 1.4 * figure.body.scale]])).all():
            who = "child" if figure.body.child else "person"
            shown = scene.view.project(np.array([*at, low]))[:2] / (scene.view.width, scene.view.height)
            spot = (float(shown[0]), float(shown[1]))
            people.append(PersonFact(figure.body.colour, who, figure.action, scene.where(at), figure.moving, spot))
    vehicles = tuple(ride.word for ride in scene.rides if scene.sees(ride.route.at(half), -0.05, 0.7))
    place = scene.place
    drive = float(np.linalg.norm(place.camera(scene.duration).eye - place.camera(0.0).eye))
    return Facts(
        place.kind, place.words, place.indoors, place.night, sensor_grey, drive > 0.5, tuple(people), vehicles, event,
        detail, scene.where(focus),
    )  # fmt: skip


def _draw_ground(seed: int, event: str | None, rng: Generator) -> tuple[Place, Light, str | None] | None:
    """A place for the event, which is drawn as well if asked for; None if it does not suit."""
    place, light = draw_place(rng)
    if event == "draw":
        event = _draw_event(_rng(seed, 5, 0), place)
    if event is not None and not suits(event, place):
        return None
    return place, light, event


def draw_clip(seed: int, event: str | None = "draw", camera: int | None = None, duration: float | None = None) -> Clip:
    """The clip of a seed; the same seed and event give the same one.

    Parameters
    ----------
    seed : int
        Any number from 0.
    event : str or None
        One of :data:`hiprobe_training.scenes.facts.EVENT_KINDS`, None for a normal clip, ``draw`` to draw it. Whatever
        it is, place, camera, sensor and bystanders stay the same, except that an event that cannot happen there (a car
        in a shop) is moved to the next place of the seed, and that whoever stands in its way is left out.
    camera : int, optional
        The seed of place, light, sensor and duration, for clips of one camera, which is then never zoomed.
    duration : float, optional
        Seconds; by default drawn, 1.6 to 3.
    """
    if event not in (None, "draw", *EVENT_KINDS):
        raise ValueError(f"unknown event {event!r}: one of {', '.join(EVENT_KINDS)}")
    fixed = seed if camera is None else camera
    duration = duration or float(_rng(fixed, 2, 0).uniform(1.6, 3.0))
    for turn in range(PLACES):
        view = turn if camera is None else 0
        ground = _draw_ground(seed, event, _rng(fixed, 1, view))
        if ground is None:
            continue
        place, light, kind = ground
        base = Scene(place, duration)
        spots = _rng(seed, 3, turn)
        focus = _focus(base, spots)
        if focus is None:
            continue
        if camera is None:
            base = _zoomed(base, spots, focus)
        _bystanders(base, _rng(seed, 4, turn), focus)
        sensor = draw_sensor(_rng(fixed, 6, view), place, light)
        rng = _rng(seed, 7, turn)
        if kind is None:
            scene, detail = base.copy(), ""
            _foreground(scene, rng, focus)
        else:
            scene, incident = _happen(base, rng, kind, focus)
            detail = incident.detail
        stage = Stage(place, light, sensor, duration)
        stage.props = [*(f.prop for f in scene.figures), *(ride.prop for ride in scene.rides), *scene.props]
        stage.puffs = scene.puffs
        shared = set(map(id, (*base.figures, *base.rides, *base.props)))
        quiet = Stage(place, light, sensor, duration)
        quiet.props = [item.prop for item in (*scene.figures, *scene.rides) if id(item) in shared]
        quiet.props += [prop for prop in scene.props if id(prop) in shared]
        return Clip(
            stage,
            quiet,
            _facts(scene, sensor.grey, kind, detail, focus),
            kind,
            tuple(f for f in scene.figures if id(f) in shared),
            tuple(f for f in scene.figures if id(f) not in shared),
        )
    raise RuntimeError(f"seed {seed}: no place for {event} in {PLACES} draws")
