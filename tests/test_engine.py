"""The engine's pipeline: batches over videos, memory, interrupts, and how many operations a run costs."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hiprobe.backbones.memory import PeakMemory
from hiprobe.errors import BackboneError
from hiprobe.features import Features, FeatureStore, Run, extract, extract_all, extract_each
from hiprobe.features.background import Prefetch
from hiprobe.features.batching import Batches
from hiprobe.video import VideoRef
from hiprobe.video.container import FileVideo
from hiprobe.video.convert import Converter
from tests.fakes import FakeBackbone, bright_video
from tests.videos import write_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[VideoRef]:
    folder = tmp_path_factory.mktemp("videos")
    return [VideoRef(bright_video(folder / f"v{i}.mp4", 3, seed=i)) for i in range(5)]


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("hiprobe")]


def test_batches_hold_segments_of_several_videos(videos: list[VideoRef]) -> None:
    backbone = FakeBackbone()
    features, _ = extract_all(videos, backbone, backbone.info.reading())
    assert backbone.segments == 10  # two a video
    assert backbone.batches == 1 + 3  # one segment to measure memory, then 4, 4 and 1
    for video, found in zip(videos, features, strict=True):
        alone = extract(video, FakeBackbone(), backbone.info.reading())
        assert np.array_equal(found.states, alone.states) and np.array_equal(found.starts, alone.starts)


def test_results_come_in_order_and_as_soon_as_they_are_there(videos: list[VideoRef], tmp_path: Path) -> None:
    backbone, store = FakeBackbone(), FeatureStore(tmp_path / "features")
    extract(videos[3], backbone, backbone.info.reading(), Run(store))
    results = extract_each([*videos, VideoRef(tmp_path / "none.mp4")], backbone, backbone.info.reading(), Run(store))
    first = next(results)
    assert isinstance(first, Features) and first.video.path == videos[0].path
    assert backbone.segments < 10
    rest = list(results)
    assert [item.video.path for item in rest if isinstance(item, Features)] == [video.path for video in videos[1:]]
    assert not isinstance(rest[-1], Features) and not readers()


def test_closing_the_results_ends_the_threads_and_keeps_what_is_complete(
    videos: list[VideoRef], tmp_path: Path
) -> None:
    backbone, store = FakeBackbone(), FeatureStore(tmp_path / "features")
    results = extract_each(videos, backbone, backbone.info.reading(), Run(store))
    next(results)
    results.close()
    assert not readers()
    assert store.find(videos[0].path, videos[0].identity(), backbone.info.reading())


def test_an_error_of_the_model_names_the_video_and_ends_the_threads(
    videos: list[VideoRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise BackboneError("A hidden state is not finite.")

    monkeypatch.setattr(FakeBackbone, "read", broken)
    with pytest.raises(BackboneError, match=r"v0.mp4: A hidden state is not finite"):
        extract_all(videos, FakeBackbone(), FakeBackbone().info.reading())
    assert not readers()


def test_a_run_costs_no_more_operations_than_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The regression guard: model calls, segments, and frames decoded and converted, not seconds."""
    counted: Counter[str] = Counter()
    pictures, rgb = FileVideo.pictures, Converter.rgb

    def counting_pictures(self: FileVideo, *given: Any) -> Iterator[Any]:
        counted["passes"] += 1
        for picture in pictures(self, *given):
            counted["decoded"] += 1
            yield picture

    def counting_rgb(self: Converter, *given: Any) -> Any:
        counted["converted"] += 1
        return rgb(self, *given)

    monkeypatch.setattr(FileVideo, "pictures", counting_pictures)
    monkeypatch.setattr(Converter, "rgb", counting_rgb)
    # All frames stand alone here: only those that are sampled are decoded.
    video = write_video(tmp_path / "long.mkv", 900, fps=30, codec="mjpeg", pix_fmt="yuvj420p")
    backbone = FakeBackbone()
    extract(video, backbone, backbone.info.reading())
    assert (backbone.segments, backbone.batches) == (29, 1 + 7)
    assert set(backbone.asked) == {(1, 2, 3, 4)}
    # 4 frames a second; neighbouring segments share theirs.
    assert counted == {"passes": 1, "decoded": 120, "converted": 120}


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")]
)
def test_a_batch_that_does_not_fit_is_run_in_halves(error: Exception) -> None:
    calls: list[int] = []

    def function(items: Sequence[int]) -> list[int]:
        calls.append(len(items))
        if len(items) > 2:
            raise error
        return list(items)

    batches = Batches("cpu", budget=10**12)
    assert batches.size == 1
    batches.run(function, [0])
    assert batches.size == 4
    assert batches.run(function, [1, 2, 3, 4]) == [1, 2, 3, 4]
    assert calls == [1, 4, 2, 2] and batches.size == 2


def test_what_does_not_fit_alone_is_told_and_other_errors_are_not_hidden() -> None:
    def full(_items: object) -> list[int]:
        raise MemoryError

    def wrong(_items: object) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(BackboneError, match="does not suffice for a single segment"):
        Batches("cpu").run(full, [1])
    with pytest.raises(RuntimeError, match="shapes"):
        Batches("cpu").run(wrong, [1, 2])


@pytest.mark.parametrize(("budget", "size"), [(50, 1), (250, 2), (10_000, 4)])
def test_a_budget_sets_the_size(budget: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Peak(PeakMemory):
        def __exit__(self, *_: object) -> None:
            self.bytes = 100

    monkeypatch.setattr("hiprobe.features.batching.PeakMemory", Peak)
    batches = Batches("cpu", budget)
    batches.run(list, [0])
    assert batches.size == size


def test_running_ahead_stops_at_its_limit() -> None:
    made, asked, leads = 0, 0, []
    changed = threading.Condition()

    def numbers() -> Generator[int, None, None]:
        nonlocal made
        for number in count():
            with changed:
                made = number + 1
                leads.append(made - asked)
                changed.notify()
            yield number

    def full() -> bool:
        return made == asked + 4  # three wait, and one is in hand

    with Prefetch(numbers, 3) as items:
        for number in range(200):
            asked += 1
            assert next(items) == number
            with changed:
                assert changed.wait_for(full, timeout=60)
    assert max(leads) == 4
    assert not readers()


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        yield 2
        raise ValueError("broken")

    with Prefetch(items, 10) as taken:
        assert [next(taken), next(taken)] == [1, 2]
        with pytest.raises(ValueError, match="broken"):
            next(taken)


def test_an_interrupt_ends_a_run(tmp_path: Path) -> None:
    video = bright_video(tmp_path / "long.mp4", 60)
    script = f"""
import signal
import time
from pathlib import Path
from hiprobe.features import FeatureStore, Run, extract
from tests.fakes import FakeBackbone

class Waiting(FakeBackbone):
    def read(self, *given):
        print("running", flush=True)
        time.sleep(3600)

# What a shell runs in the background is started with interrupts ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
run = Run(FeatureStore(Path({str(tmp_path / "store")!r})))
extract({str(video)!r}, Waiting(), FakeBackbone().info.reading(), run)
"""
    root = Path(__file__).parents[1]
    words = [sys.executable, "-c", script]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "running\n"
        run.send_signal(signal.SIGINT)
        # The reader has decoded ahead as far as it may; a run that does not stop it never ends.
        out, err = run.communicate(timeout=60)
    assert out == "" and run.returncode != 0 and "KeyboardInterrupt" in err
    assert not (tmp_path / "store").exists()
