"""Renders a stage with OpenGL, without a window: a software driver (Mesa's llvmpipe through EGL) is enough.

All vertices of a stage lie in one buffer; each names the part it belongs to, whose matrix is a row of a small texture.
So a frame costs one draw for the shadows and one for each picture, however many people and things there are.
"""

from __future__ import annotations

import importlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hiprobe_training.scenes import shaders
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.stage import Frames, Light, Part, Stage
from hiprobe_training.scenes.textures import Picture
from hiprobe_training.scenes.world import Camera

SHADOW_PIXELS = 512
SHADOW_REACH = 28.0  # m from the camera, along the ground
FINER = 1.3  # rendered larger by this and shrunk: here that is quicker than multisampling, which costs twice as much
PICTURES_KEPT = 160  # on the GL side
MAX_LAMPS = 6


@dataclass(frozen=True, eq=False)
class LampLight(Light):
    """A light with lamps in the scene.

    Attributes
    ----------
    lamps : ndarray of shape (n, 7)
        Position in m, colour, and the distance in m at which half the light is left; at most 6 are used.
    """

    lamps: Array | None = None


@dataclass
class _Upload:
    """A stage's buffers: what is drawn with which texture (None: plain), and where the moving parts' rows begin."""

    buffers: list[Any]
    solid: Any
    shade: Any
    ranges: list[tuple[Picture | None, int, int]]
    bones: Any
    rows: NDArray[np.float32]
    starts: list[int]


def quaternion_rows(positions: Array, rotations: Array) -> NDArray[np.float32]:
    """The upper three rows (n, 3, 4) of the matrices for positions (n, 3) and quaternions x y z w (n, 4)."""
    x, y, z, w = np.moveaxis(np.asarray(rotations, dtype=np.float64), -1, 0)
    rows = np.empty((len(positions), 3, 4), dtype=np.float32)
    rows[:, 0, :3] = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], 1)
    rows[:, 1, :3] = np.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], 1)
    rows[:, 2, :3] = np.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], 1)
    rows[:, :, 3] = positions
    return rows


def camera_matrix(camera: Camera) -> Array:
    """World to clip space, (4, 4), for column vectors."""
    view = np.eye(4)
    view[:3, :3] = camera.axes()
    view[:3, 3] = -view[:3, :3] @ camera.eye
    f, n, far = 1 / np.tan(np.radians(camera.fov) / 2), camera.near, camera.far
    lens = np.zeros((4, 4))
    lens[0, 0], lens[1, 1] = f * camera.height / camera.width, f
    lens[2, 2], lens[2, 3], lens[3, 2] = (far + n) / (n - far), 2 * far * n / (n - far), -1.0
    return lens @ view


def sun_matrix(camera: Camera, direction: Array) -> Array:
    """World to the shadow map's clip space, (4, 4): a level box around the ground that `camera` sees."""
    to = direction / np.linalg.norm(direction)
    side = np.cross([0.0, 1.0, 0.0] if abs(to[2]) > 0.95 else [0.0, 0.0, 1.0], to)
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(to, side), to])
    f = np.tan(np.radians(camera.fov) / 2)
    u, v = np.meshgrid(np.linspace(-1, 1, 7), np.linspace(-1, 1, 7))
    rays = np.stack([u.ravel() * f * camera.width / camera.height, v.ravel() * f, -np.ones(u.size)], 1) @ camera.axes()
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    down = np.where(rays[:, 2] < -1e-3, camera.eye[2] / np.maximum(-rays[:, 2], 1e-3), np.inf)
    feet = camera.eye + rays * np.minimum(down, SHADOW_REACH)[:, None]
    feet[:, 2] = 0.0
    points = np.concatenate([feet, feet + np.array([0.0, 0.0, 1.8])]) @ axes.T
    low, high = points.min(0), points.max(0)
    low[2], high[2] = low[2] - 10.0, high[2] + 45.0
    matrix = np.eye(4)
    matrix[:3, :3] = axes * (2 / (high - low))[:, None]
    matrix[:3, 3] = -(high + low) / (high - low)
    matrix[2] *= -1.0  # the nearer to the light, the smaller
    return matrix


def _bytes(matrix: Array) -> bytes:
    return np.ascontiguousarray(matrix.T, dtype=np.float32).tobytes()


class Renderer:
    """One GL context for many stages. Use as a context manager.

    Raises
    ------
    Exception
        Whatever ``moderngl`` raises where no EGL context can be made.
    """

    def __init__(self) -> None:
        self._gl: Any = importlib.import_module("moderngl")
        self.ctx: Any = self._gl.create_context(standalone=True, backend="egl", require=330)
        self._main: Any = self.ctx.program(vertex_shader=shaders.MAIN_VERTEX, fragment_shader=shaders.MAIN_FRAGMENT)
        self._depth: Any = self.ctx.program(vertex_shader=shaders.DEPTH_VERTEX, fragment_shader=shaders.DEPTH_FRAGMENT)
        self._puff: Any = self.ctx.program(vertex_shader=shaders.PUFF_VERTEX, fragment_shader=shaders.PUFF_FRAGMENT)
        self._sky: Any = self.ctx.program(vertex_shader=shaders.SKY_VERTEX, fragment_shader=shaders.SKY_FRAGMENT)
        self._sky_shape: Any = self.ctx.vertex_array(self._sky, [])
        self._map: Any = self.ctx.depth_texture((SHADOW_PIXELS, SHADOW_PIXELS))
        self._map.compare_func = "<="
        self.ctx.depth_func = "<="
        self._map.repeat_x = self._map.repeat_y = False
        self._map.filter = (self._gl.LINEAR, self._gl.LINEAR)
        self._map_target: Any = self.ctx.framebuffer(depth_attachment=self._map)
        self._white: Any = self._texture(np.full((1, 1, 3), 255, np.uint8))
        self._pictures: OrderedDict[int, tuple[Picture, Any]] = OrderedDict()
        self._size = 0
        self._target: Any = None

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pictures.clear()
        self.ctx.release()

    def frames(self, stage: Stage, times: Sequence[float], size: int = 224) -> Frames:
        """The stage at `times` s, (len(times), size, size, 3), before the sensor.

        The picture has the camera's own aspect, squeezed to a square.
        """
        self._resize(size)
        upload = self._upload(stage)
        try:
            return np.stack([self._frame(stage, upload, float(t), size) for t in times])
        finally:
            for buffer in [upload.solid, upload.shade, *upload.buffers, upload.bones]:
                buffer.release()

    def _resize(self, size: int) -> None:
        if size == self._size:
            return
        if self._target is not None:
            self._target.release()
        ctx, shape = self.ctx, (round(FINER * size), round(FINER * size))
        self._target = ctx.framebuffer([ctx.renderbuffer(shape, 4)], ctx.depth_renderbuffer(shape))
        self._size = size

    def _texture(self, picture: Picture) -> Any:
        height, width = picture.shape[:2]
        texture = self.ctx.texture((width, height), 3, np.ascontiguousarray(picture).tobytes(), alignment=1)
        texture.build_mipmaps()
        texture.filter = (self._gl.LINEAR_MIPMAP_LINEAR, self._gl.LINEAR)
        return texture

    def _bind(self, picture: Picture | None) -> None:
        """Make `picture` the one that is painted with; textures stay for later stages."""
        if picture is None:
            self._white.use(0)
            return
        key = id(picture)  # the entry keeps the picture alive, so that its id stays its own
        if key not in self._pictures:
            if len(self._pictures) >= PICTURES_KEPT:
                self._pictures.popitem(last=False)[1][1].release()
            self._pictures[key] = (picture, self._texture(picture))
        self._pictures.move_to_end(key)
        self._pictures[key][1].use(0)

    def _upload(self, stage: Stage) -> _Upload:
        groups: dict[int, list[tuple[Part, int]]] = {}
        pictures: dict[int, Picture | None] = {}
        count, starts = 1, []  # row 0 is for what never moves
        for prop in [*stage.place.props, *stage.props]:
            moves = prop.pose is not None
            if moves:
                starts.append(count)
            for k, part in enumerate(prop.parts):
                groups.setdefault(id(part.picture), []).append((part, count + k if moves else 0))
                pictures[id(part.picture)] = part.picture
            count += len(prop.parts) if moves else 0
        parts = [entry for group in groups.values() for entry in group]
        sizes = np.array([len(part.mesh.vertices) for part, _ in parts])
        vertices = np.empty((int(sizes.sum()), 12), dtype=np.float32)
        vertices[:, 0:3] = np.concatenate([part.mesh.vertices for part, _ in parts])
        vertices[:, 3:6] = np.concatenate([part.mesh.normals for part, _ in parts])
        vertices[:, 6:8] = np.concatenate([part.mesh.uvs for part, _ in parts])
        vertices[:, 8:11] = np.repeat(np.array([part.colour for part, _ in parts]), sizes, axis=0)
        vertices[:, 11] = np.repeat([row for _, row in parts], sizes)
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        lengths = np.array([len(part.mesh.faces) for part, _ in parts])
        faces = np.concatenate([part.mesh.faces for part, _ in parts]) + np.repeat(offsets, lengths)[:, None]
        ranges, first, at = [], 0, 0
        for key, group in groups.items():
            length = 3 * int(lengths[at : at + len(group)].sum())
            ranges.append((pictures[key], first, length))
            first, at = first + length, at + len(group)
        block = self.ctx.buffer(vertices.tobytes())
        index = self.ctx.buffer(faces.astype(np.uint32).tobytes())
        names = ("position", "normal", "uv", "colour", "part")
        solid = self.ctx.vertex_array(self._main, [(block, "3f 3f 2f 3f 1f", *names)], index)
        shade = self.ctx.vertex_array(self._depth, [(block, "3f 32x 1f", "position", "part")], index)
        rows = np.zeros((count, 3, 4), dtype=np.float32)
        rows[:, :, :3] = np.eye(3)
        bones = self.ctx.texture((3, count), 4, rows.tobytes(), dtype="f4")
        bones.filter = (self._gl.NEAREST, self._gl.NEAREST)
        return _Upload([block, index], solid, shade, ranges, bones, rows, starts)

    def _frame(self, stage: Stage, upload: _Upload, time: float, size: int) -> Frames:
        gl, ctx, light = self._gl, self.ctx, stage.light
        camera = stage.place.camera(time)
        moving = [prop for prop in [*stage.place.props, *stage.props] if prop.pose is not None]
        for prop, start in zip(moving, upload.starts, strict=True):
            if prop.pose is not None:
                positions, rotations = prop.pose(time)
                upload.rows[start : start + len(prop.parts)] = quaternion_rows(positions, rotations)
        upload.bones.write(upload.rows.tobytes())
        upload.bones.use(1)
        view, sun = camera_matrix(camera), sun_matrix(camera, light.direction)

        ctx.enable_only(gl.DEPTH_TEST | gl.CULL_FACE)
        self._map_target.use()
        self._map_target.clear(depth=1.0)
        self._depth["sun"].write(_bytes(sun))
        self._depth["bones"].value = 1
        upload.shade.render()

        self._target.use()
        self._target.clear(depth=1.0)
        if not stage.place.indoors:
            self._draw_sky(stage, camera)
        ctx.enable_only(gl.DEPTH_TEST | gl.CULL_FACE)
        self._map.use(2)
        self._light_up(light, camera, view, sun)
        for picture, first, length in upload.ranges:
            self._bind(picture)
            upload.solid.render(vertices=length, first=first)
        if stage.puffs:
            self._draw_puffs(stage, camera, view, time)
        raw = self._target.read(components=3, alignment=1)
        image = Image.frombytes("RGB", self._target.size, raw).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))

    def _light_up(self, light: Light, camera: Camera, view: Array, sun: Array) -> None:
        p = self._main
        lamps = np.zeros((2, MAX_LAMPS, 4), dtype=np.float32)
        lamps[0, :, 3] = 1.0
        given = light.lamps if isinstance(light, LampLight) and light.lamps is not None else np.zeros((0, 7))
        given = given[:MAX_LAMPS]
        lamps[0, : len(given), :3], lamps[0, : len(given), 3] = given[:, :3], given[:, 6]
        lamps[1, : len(given), :3] = given[:, 3:6]
        for name, value in (("picture", 0), ("bones", 1), ("shadow", 2), ("lamp_count", len(given))):
            p[name].value = value
        p["view"].write(_bytes(view))
        p["sun"].write(_bytes(sun))
        p["lamp_at"].write(lamps[0].tobytes())
        p["lamp_colour"].write(lamps[1].tobytes())
        to = light.direction / np.linalg.norm(light.direction)
        for name, value in (
            ("eye", camera.eye), ("to_sun", to), ("sun_colour", light.colour), ("ambient", light.ambient),
            ("haze_colour", light.haze_colour),
        ):  # fmt: skip
            p[name].value = tuple(float(v) for v in value)
        p["haze"].value = float(light.haze)
        p["headlamp"].value = float(light.headlamp)

    def _draw_sky(self, stage: Stage, camera: Camera) -> None:
        self.ctx.enable_only(self._gl.NOTHING)
        axes = camera.axes()
        tall = np.tan(np.radians(camera.fov) / 2)
        sky = self._sky
        sky["right"].value = tuple(float(v) for v in axes[0] * tall * camera.width / camera.height)
        sky["up"].value = tuple(float(v) for v in axes[1] * tall)
        sky["ahead"].value = tuple(float(v) for v in -axes[2])
        low = np.array(stage.light.haze_colour)
        top = low * ([0.5, 0.5, 0.6] if stage.place.night else [0.7, 0.84, 1])
        sky["low"].value = tuple(float(v) for v in low)
        sky["top"].value = tuple(float(v) for v in top)
        self._sky_shape.render(vertices=3)

    def _draw_puffs(self, stage: Stage, camera: Camera, view: Array, time: float) -> None:
        """Discs of all puffs, farthest first; depth is tested but not written."""
        light, rows = stage.light, []
        lit = np.clip(np.array(light.ambient) + 0.6 * np.array(light.colour) + 0.25 * light.headlamp, 0.03, 1.0)
        for puffs in stage.puffs:
            centres, radii, colours = puffs.at(time)
            if not len(centres):
                continue
            shade = np.ones(3) if puffs.glow else np.sqrt(lit)  # the picture is the root of the light
            order = np.arange(len(centres))[:, None]
            rows.append(np.hstack([centres, radii[:, None], colours[:, :3] * shade, colours[:, 3:], order]))
        if not rows:
            return
        table = np.concatenate(rows)
        far = np.linalg.norm(table[:, :3] - camera.eye, axis=1)
        table = table[np.argsort(-far, kind="stable")]
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, -1], [1, 1], [-1, 1]], dtype=np.float32)
        data = np.hstack([np.repeat(table, 6, axis=0), np.tile(corners, (len(table), 1))]).astype(np.float32)
        buffer = self.ctx.buffer(data.tobytes())
        names = ("centre", "radius", "colour", "seed", "corner")
        shape = self.ctx.vertex_array(self._puff, [(buffer, "3f 1f 4f 1f 2f", *names)])
        axes = camera.axes()
        self._puff["view"].write(_bytes(view))
        self._puff["right"].value = tuple(float(v) for v in axes[0])
        self._puff["up"].value = tuple(float(v) for v in axes[1])
        gl = self._gl
        self.ctx.enable_only(gl.DEPTH_TEST | gl.BLEND)
        self.ctx.blend_func = gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA
        self._target.depth_mask = False
        shape.render()
        self._target.depth_mask = True
        shape.release()
        buffer.release()
