"""A script to pictures: people and cars moved frame by frame, shadows, camera noise, H.264."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.random import Generator
from numpy.typing import NDArray

from hiprobe_training.scenes.events import Script
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.motions import turn
from hiprobe_training.scenes.people import dress, place_person
from hiprobe_training.scenes.textures import sky
from hiprobe_training.scenes.world import Camera, World

FPS = 12
SUN_DISTANCE = 45.0  # m, of the camera that looks from the sun
SUN_REACH = 8.5  # m, radius of the ground that gets shadows
BIAS = 0.09  # m, how far behind the lit surface a point must be to lie in shadow
WALL_BIAS = 0.5  # m, the same for walls, which the sun may only graze


def _shadow(world: World, distance: Array, owners: NDArray[np.int64], rays: Array) -> Array:
    """How much light is taken from each pixel (h, w), 0..1, by a shadow map seen from the sun."""
    s = world.setting
    fov = float(np.degrees(2 * np.arctan(SUN_REACH / SUN_DISTANCE)))
    eye = s.sun / np.linalg.norm(s.sun) * SUN_DISTANCE
    sun = Camera(eye, np.zeros(3), fov, 640, 640, near=SUN_DISTANCE - 18, far=SUN_DISTANCE + 18)
    _, lit, _ = world.shoot(sun)
    points = s.camera.eye + rays * distance[..., None]
    seen = sun.project(points)
    column, row = seen[..., 0].astype(int), seen[..., 1].astype(int)
    total = np.zeros(distance.shape)
    bias = np.where(np.isin(owners, world.fronts), WALL_BIAS, BIAS)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        c, r = column + dx, row + dy
        inside = (c >= 0) & (c < sun.width) & (r >= 0) & (r < sun.height) & (distance < s.camera.far * 0.95)
        nearest = lit[np.clip(r, 0, sun.height - 1), np.clip(c, 0, sun.width - 1)]
        total += inside & (seen[..., 2] > nearest + bias)
    return total / 4


def _expose(picture: Array, gain: float, script: Script, rng: Generator) -> NDArray[np.uint8]:
    """What the sensor makes of a picture (h, w, 3): gain, tint, grey, vignette, noise."""
    s = script.setting
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture = picture * (gain * (1 - 0.13 * (x**2 + y**2)))[..., None]
    if s.grey:
        picture = np.repeat(picture.mean(-1, keepdims=True), 3, -1)
    else:
        picture = picture * [1 + s.warmth, 1.0, 1 - s.warmth]
    noise = rng.normal(0, s.noise, (height, width, 1)) + rng.normal(0, 0.4 * s.noise, (height, width, 3))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def frames(script: Script, seed: int, fps: int = FPS) -> Iterator[NDArray[np.uint8]]:
    """Render a script; yields pictures (h, w, 3), half the camera's size, for smooth edges."""
    camera, rng = script.setting.camera, np.random.default_rng([seed, 3])
    rays = camera.rays()
    with World(script.setting) as world:
        bodies = []
        for person in script.people:
            parts = [(row, world.add(mesh, colour, person.look.scale)) for row, mesh, colour in dress(person.look)]
            bodies.append((person, parts))
        cars = [(drive, world.add_car(rng)) for drive in script.cars]
        gain = 1.0
        heaven = sky(rng, camera.height, camera.width)
        for index in range(round(script.duration * fps)):
            t = index / fps
            for person, parts in bodies:
                positions, rotations = place_person(person.actor.state(t), person.look.scale)
                for row, body in parts:
                    world.place(body, positions[row], rotations[row])
            for drive, parts in cars:
                at = np.array([*drive.at(t), 0.0])
                for body in parts:
                    world.place(body, at, turn("z", drive.yaw))
            colours, distance, owners = world.shoot(camera)
            taken = _shadow(world, distance, owners, rays) * script.setting.shade
            picture = colours * (1 - taken[..., None] * [0.62, 0.58, 0.5])
            picture = np.where(owners[..., None] < 0, heaven, picture)
            h, w = camera.height // 2, camera.width // 2
            picture = picture.reshape(h, 2, w, 2, 3).mean((1, 3))
            if index == 0:
                gain = script.setting.brightness / float(picture.mean())
            yield _expose(picture, gain, script, rng)


def encode(path: Path, pictures: Iterable[NDArray[np.uint8]], fps: int = FPS, crf: int = 24) -> int:
    """Write pictures (h, w, 3) as H.264 in MP4; returns how many. The bytes are reproducible."""
    count = 0
    with av.open(str(path), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        stream: VideoStream | None = None
        for picture in pictures:
            if stream is None:
                stream = container.add_stream("libx264", rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                # With its assembly or more threads, this x264 gives other bytes on each run.
                stream.options = {"crf": str(crf), "preset": "slow", "x264-params": "asm=0"}
                stream.codec_context.thread_count = 1
                stream.codec_context.time_base = Fraction(1, fps)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = count
            container.mux(stream.encode(frame))
            count += 1
        if stream is not None:
            container.mux(stream.encode())
    return count
