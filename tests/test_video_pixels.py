"""Pixels as a player shows them: formats, ranges, odd sizes, resizing, orientation."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from videos import number_of, set_display_matrix, write_video

from hiprobe.errors import UsageError
from hiprobe.video import open_video

BARS = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (30, 40, 210), "grey": (120, 120, 120)}


def colour_bars(height=48, width=80):
    """Four vertical bars: uint8 (H, W, 3)."""
    edges = np.linspace(0, width, len(BARS) + 1).astype(int)
    image = np.zeros((height, width, 3), np.uint8)
    for start, end, colour in zip(edges, edges[1:], BARS.values(), strict=False):
        image[:, start:end] = colour
    return image


def bar_colours(image):
    """The mean colour in the middle of each bar: float (4, 3)."""
    edges = np.linspace(0, image.shape[1], len(BARS) + 1)
    middles = ((edges[:-1] + edges[1:]) / 2).astype(int)
    return np.stack([image[4:-4, middle - 2 : middle + 3].mean(axis=(0, 1)) for middle in middles])


def first_image(path, size=None, fps=None):
    return next(iter(open_video(path, fps).frames(size))).image


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("limited.mp4", "libx264", "yuv420p"),
        ("full.mp4", "libx264", "yuvj420p"),
        ("full.avi", "mjpeg", "yuvj420p"),
        ("444.mp4", "libx264", "yuv444p"),
        ("10bit.mp4", "libx264", "yuv420p10le"),
        ("10bit.mkv", "ffv1", "yuv422p10le"),
        ("12bit.mkv", "ffv1", "yuv444p12le"),
        ("rgb.mkv", "ffv1", "bgr0"),
        ("alpha.mov", "png", "rgba"),
        ("rgb48.mov", "png", "rgb48be"),
    ],
)
def test_colours_survive_every_pixel_format(tmp_path, name, codec, pix_fmt):
    options = {"qp": "0"} if codec == "libx264" else {}
    path = write_video(tmp_path / name, 2, codec=codec, pix_fmt=pix_fmt, options=options, images=[colour_bars()] * 2)
    image = first_image(path)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert np.abs(bar_colours(image) - np.array(list(BARS.values()))).max() < 8


@pytest.mark.parametrize(
    ("codec", "pix_fmt"), [("ffv1", "gray"), ("ffv1", "gray10le"), ("ffv1", "gray16le"), ("png", "gray")]
)
def test_grey_has_the_brightness_of_the_original(tmp_path, codec, pix_fmt):
    images = [np.full((48, 80, 3), value, np.uint8) for value in (0, 100, 255)]
    path = write_video(
        tmp_path / ("grey.mkv" if codec == "ffv1" else "grey.mov"),
        3,
        codec=codec,
        pix_fmt=pix_fmt,
        images=images,
    )
    for frame, value in zip(open_video(path).frames(), (0, 100, 255), strict=True):
        assert frame.image.shape == (48, 80, 3)
        assert np.abs(frame.image.astype(int) - value).max() <= 3


@pytest.mark.parametrize(("codec", "pix_fmt"), [("mpeg4", "yuv420p"), ("ffv1", "yuv420p"), ("png", "rgb24")])
def test_odd_sizes(tmp_path, codec, pix_fmt):
    path = write_video(
        tmp_path / ("odd.mov" if codec == "png" else "odd.mkv"),
        5,
        size=(75, 101),
        codec=codec,
        pix_fmt=pix_fmt,
    )
    video = open_video(path)
    assert (video.info.width, video.info.height) == (101, 75)
    frames = list(video.frames())
    assert [number_of(frame.image) for frame in frames] == list(range(5))
    assert frames[0].image.shape == (75, 101, 3)


def test_resizing_squashes_and_averages(tmp_path):
    checks = np.indices((48, 80)).sum(axis=0) % 2 * 255
    image = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    path = write_video(tmp_path / "v.mov", 1, codec="png", pix_fmt="rgb24", images=[image])
    small = first_image(path, size=(12, 40))
    assert small.shape == (12, 40, 3)
    assert np.abs(small.astype(int) - 127).max() < 4, "shrinking must average, not pick pixels"
    assert first_image(path, size=(31, 203)).shape == (31, 203, 3)


@pytest.mark.parametrize("size", [(0, 10), (10,), (10, -1), (2.5, 4)])
def test_bad_sizes_are_refused_at_once(tmp_path, size):
    video = open_video(write_video(tmp_path / "v.mp4", 1))
    with pytest.raises(UsageError, match="size"):
        video.frames(size)


def corners(image):
    """The corner that each colour stands in: where the first channel, the second, both are high."""
    height, width = image.shape[:2]
    found = {}
    for place, (y, x) in {"tl": (0, 0), "tr": (0, 1), "bl": (1, 0), "br": (1, 1)}.items():
        part = image[y * height // 2 :, x * width // 2 :][4 : height // 2 - 4, 4 : width // 2 - 4]
        red, green, _ = part.mean(axis=(0, 1)) > 100
        found[place] = {(True, False): "R", (False, True): "G", (True, True): "Y", (False, False): "B"}[red, green]
    return found["tl"] + found["tr"] + found["bl"] + found["br"]


@pytest.mark.parametrize(
    ("matrix", "rotation", "expected"),
    [
        ((1, 0, 0, 1), 0, "RGBY"),
        ((0, 1, -1, 0), 90, "BRYG"),  # what a phone held upright writes: turn clockwise
        ((-1, 0, 0, -1), 180, "YBGR"),
        ((0, -1, 1, 0), 270, "GYRB"),
        ((-1, 0, 0, 1), 0, "GRYB"),
        ((1, 0, 0, -1), 180, "BYRG"),
        ((0, 1, 1, 0), 270, "RBGY"),
        ((0, -1, -1, 0), 90, "YGBR"),
    ],
)
def test_display_matrix(tmp_path, matrix, rotation, expected):
    image = np.zeros((48, 80, 3), np.uint8)
    image[:24, :40, 0] = 255
    image[:24, 40:, 1] = 255
    image[24:, :40, 2] = 255
    image[24:, 40:, :2] = 255
    path = write_video(tmp_path / "v.mp4", 2, images=[image] * 2, options={"qp": "10"})
    set_display_matrix(path, *matrix)
    video = open_video(path)
    assert video.info.rotation == rotation
    upright = rotation in (0, 180)
    assert (video.info.height, video.info.width) == ((48, 80) if upright else (80, 48))
    for shown, size in ((first_image(path), None), (first_image(path, (60, 100)), (60, 100))):
        assert shown.shape[:2] == (size or ((48, 80) if upright else (80, 48)))
        assert shown.flags.c_contiguous
        assert corners(shown) == expected


def test_angle_that_is_no_multiple_of_90_is_named(tmp_path):
    path = write_video(tmp_path / "v.mp4", 2)
    set_display_matrix(path, 1, 1, -1, 1)
    video = open_video(path)
    assert video.info.rotation == 0
    assert "90" in video.info.warnings[0]


def test_frames_that_change_size_midway_take_the_first_size(tmp_path):
    first = write_video(tmp_path / "a.ts", 10, size=(48, 80))
    second = write_video(tmp_path / "b.ts", 10, size=(96, 160))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    frames = list(open_video(joined).frames())
    assert {frame.image.shape for frame in frames} == {(48, 80, 3)}
    assert number_of(frames[-1].image) == 9


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_exif_turns_an_image(tmp_path, kind, turn):
    image = Image.fromarray(np.repeat(np.arange(40, dtype=np.uint8)[:, None] * 6, 60, axis=1)).convert("RGB")
    exif = image.getexif()
    exif[0x0112], exif[0x010F] = turn, "camera"
    image.save(tmp_path / f"1.{kind}", exif=exif)
    shown = first_image(tmp_path, fps=1)
    upright = np.rot90(np.asarray(image, dtype=int), {1: 0, 3: 2, 6: -1, 8: 1}[turn])
    assert shown.shape == upright.shape
    assert np.abs(shown - upright).mean() < 4


def test_png_folder_of_16_bits_and_palettes(tmp_path):
    Image.fromarray(np.full((20, 30), 100 * 257, np.uint16)).save(tmp_path / "1.png")
    Image.new("P", (30, 20), 0).save(tmp_path / "2.png")
    Image.new("RGBA", (30, 20), (10, 20, 30, 255)).save(tmp_path / "3.png")
    Image.new("1", (30, 20), 1).save(tmp_path / "4.png")
    values = [frame.image[10, 10].tolist() for frame in open_video(tmp_path, fps=1).frames()]
    assert values == [[100] * 3, [0] * 3, [10, 20, 30], [255] * 3]
