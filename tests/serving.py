"""A project with a probe and a video, served from a process of its own or from within a test, on a fake backbone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from fastapi.testclient import TestClient

from hiprobe.backbones import Batch, Reading, States
from hiprobe.features import FeatureStore
from hiprobe.pipeline import fit
from hiprobe.server.access import Access
from hiprobe.server.app import create_app
from hiprobe.server.project import Settings
from hiprobe.server.running import serve
from hiprobe.server.service import Service, open_service
from tests.fakes import FakeBackbone, FakePlacedBackbone, bright_video, write_calibration

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
HOME = "http://127.0.0.1"
API = "/api/v1"


def make_project(folder: Path, calibration: Path) -> Path:
    """Make a project with a probe, ``yard``, and two videos: ``flash.mp4``, bright from 12 to 17 s, and a calm one."""
    folder.mkdir()
    fit(write_calibration(calibration), FakePlacedBackbone()).probe.save(folder / "yard.probe")
    bright_video(folder / "flash.mp4", 30, (12, 17), seed=1)
    bright_video(folder / "calm.mp4", 20, seed=2)
    return folder


@contextmanager
def opened(folder: Path, backbone: FakeBackbone | None = None, **settings: Any) -> Iterator[Service]:
    """Open a project whose current probe is ``yard``."""
    store = FeatureStore(folder / ".hiprobe" / "features")
    with open_service(Settings(folder, **settings), backbone or FakePlacedBackbone(), store) as service:
        choose_yard(service)
        yield service


def choose_yard(service: Service) -> None:
    """Make ``yard`` current, unless it or a version of it is."""
    if service.probes.current().name != "yard":
        (yard,) = [probe for probe in service.probes.list() if probe.name == "yard"]
        service.probes.choose(yard.id)


def client(service: Service, token: str | None = None) -> TestClient:
    """Speak to the application of a project within this process; NiceGUI is not started, so the pages do not move."""
    return TestClient(create_app(service, Access(token)), base_url=HOME, follow_redirects=False)


def wait_for(ask: Callable[[], T], wanted: Callable[[T], bool], seconds: float = 60) -> T:
    """Ask until the answer is what is wanted."""
    end = time.monotonic() + seconds
    while not wanted(answer := ask()):
        assert time.monotonic() < end, f"still {answer!r} after {seconds} s"
        time.sleep(0.02)
    return answer


def detected(service: Service, *names: str) -> list[int]:
    """Add videos, and wait until the current probe has looked at them."""
    jobs = [service.jobs.submit(service.library.add(name).id) for name in names]
    for job in jobs:
        over = wait_for(lambda number=job.id: service.jobs.get(number), lambda now: now.finished is not None)
        assert over.state == "done", over.error
    return [job.video_id for job in jobs]


class SlowBackbone(FakePlacedBackbone):
    """Takes its time with every batch, so that a job can be caught in the middle."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def read(self, batch: Batch, reading: Reading) -> States:
        time.sleep(self._seconds)
        return super().read(batch, reading)


class HeldBackbone(FakePlacedBackbone):
    """Reads nothing until it is told to go on, so that a job stays where it is."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def read(self, batch: Batch, reading: Reading) -> States:
        assert self.go_on.wait(60), "nobody told it to go on"
        return super().read(batch, reading)


class Server:
    """A server in a process of its own."""

    def __init__(self, folder: Path, seconds_per_batch: float = 0.0) -> None:
        words = [sys.executable, "-m", "tests.serving", str(folder), str(seconds_per_batch)]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.process.stderr.read()
        self.client = httpx.Client(base_url=f"{self.address.rstrip('/')}{API}", timeout=60)
        wait_for(self._answers, bool)

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, json: Any = None) -> Any:
        answer = self.client.post(path, json=json)
        assert answer.is_success, answer.text
        return answer.json()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(60)

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit status once it is gone."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def _answers(self) -> bool:
        try:
            return self.client.get("/jobs").is_success
        except httpx.TransportError:
            return False


@contextmanager
def running(folder: Path, seconds_per_batch: float = 0.0) -> Iterator[Server]:
    """Run a server until the block ends."""
    server = Server(folder, seconds_per_batch)
    try:
        yield server
    finally:
        server.client.close()
        server.kill()


def _main() -> None:
    folder = Path(sys.argv[1])
    store = FeatureStore(folder / ".hiprobe" / "features")

    def say(line: str) -> None:
        print(line, flush=True)

    serve(Settings(folder), SlowBackbone(float(sys.argv[2])), store, "127.0.0.1", 0, None, say)


if __name__ == "__main__":
    _main()
