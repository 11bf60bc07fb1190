"""Photograph the review page for the docs: ``python -m scripts.page_pictures``.

A probe is fitted on the bundled sample clips, a server is run on a project of a few of them, and a headless Chromium
walks through it. The pictures are ``docs/screenshots/page-*.png``.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from PIL import Image

from hiprobe.backbones import load_backbone
from hiprobe.pipeline import fit
from hiprobe.samples import DEMO_VIDEO, SAMPLE_LABELS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PICTURES = Path(__file__).parents[1] / "docs" / "screenshots"
DESKTOP, PHONE = (1280, 720), (390, 844)

_CLIPS = ("day3_fight.mp4", "day4_normal.mp4", "day7_fall.mp4", "day8_run.mp4")


def main() -> None:
    """Make the pictures."""
    from tests.browser import launched

    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "street-cameras"
        folder.mkdir()
        fit(SAMPLE_LABELS, load_backbone("embedded")).probe.save(folder / "street.probe")
        for video in (DEMO_VIDEO, *(DEMO_VIDEO.with_name(name) for name in _CLIPS)):
            shutil.copy(video, folder)
        with _served(folder) as address, launched() as browser:
            _fill(address)
            _shoot(browser, f"{address}/", "library", DESKTOP, dark=False)
            _shoot(browser, f"{address}/videos/1", "review", DESKTOP, dark=False)
            _shoot(browser, f"{address}/videos/1", "review-phone", PHONE, dark=True)
            _shoot(browser, f"{address}/refit", "refit", DESKTOP, dark=True)
            _shoot(browser, f"{address}/", "library-phone", PHONE, dark=False)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "hiprobe", "serve", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip().rstrip("/")
    finally:
        process.terminate()
        process.wait(20)


def _fill(address: str) -> None:
    """Detect in all videos but one, judge what was found in the first two, and refit."""
    with httpx.Client(base_url=f"{address}/api/v1", timeout=120, transport=httpx.HTTPTransport(retries=8)) as api:
        (probe,) = [one for one in api.get("/probes").json() if one["name"] == "street"]
        api.post(f"/probes/{probe['id']}/choose")
        ids = [api.post("/videos", json={"path": name}).json()["id"] for name in (DEMO_VIDEO.name, *_CLIPS)]
        for video in ids[:-1]:
            api.post("/jobs", json={"video_id": video})
        while any(job["state"] in ("waiting", "running") for job in api.get("/jobs").json()):
            time.sleep(0.5)
        for video in ids[:2]:
            for number, event in enumerate(api.get(f"/videos/{video}/events").json()):
                said = ("normal", "reject") if number % 3 == 2 else ("abnormal", "accept")
                label = {"start": event["start"], "end": event["end"], "verdict": said[0], "source": said[1]}
                api.post(f"/videos/{video}/labels", json=label)
            api.post(f"/videos/{video}/labels/rest")
        api.post("/refits").raise_for_status()


def _shoot(browser: Browser, address: str, name: str, size: tuple[int, int], *, dark: bool) -> None:
    scheme = "dark" if dark else "light"
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.goto(address)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_timeout(1500)
    if "/videos/" in address:
        page.keyboard.press("n")
        page.wait_for_timeout(1000)
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(128).save(PICTURES / f"page-{name}.png", optimize=True)
    page.close()


if __name__ == "__main__":
    main()
