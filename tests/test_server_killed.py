"""A real server process: killed in the middle, interrupted, and used by two at a time."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("nicegui", reason="the server needs hiprobe[serve]")

from hiprobe.errors import UsageError
from tests.serving import Server, make_project, opened, running, wait_for


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project") / "yard", tmp_path_factory.mktemp("calibration"))


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "yard"))


def choose_yard(server: Server) -> None:
    (yard,) = [probe for probe in server.get("/probes") if probe["name"] == "yard"]
    server.post(f"/probes/{yard['id']}/choose")


def submit(server: Server, name: str) -> dict:
    video = server.post("/videos", {"path": name})
    return server.post("/jobs", {"video_id": video["id"]})


def done(server: Server, job: dict) -> dict:
    return wait_for(lambda: server.get(f"/jobs/{job['id']}"), lambda now: now["state"] in ("done", "failed"))


def test_a_kill_amid_labels_and_a_job_loses_nothing(folder: Path) -> None:
    with running(folder, seconds_per_batch=0.4) as server:
        choose_yard(server)
        jobs = [submit(server, "flash.mp4"), submit(server, "calm.mp4")]
        wait_for(lambda: server.get(f"/jobs/{jobs[0]['id']}"), lambda job: job["done"] > 0)
        answered = []

        def label(index: int) -> None:
            row = {"start": index / 10, "end": index / 10 + 1, "verdict": "normal"}
            answered.append(server.post(f"/videos/{jobs[0]['video_id']}/labels", row))
            if index == 30:
                server.kill()

        with pytest.raises(Exception):  # noqa: B017 - whichever error a cut connection gives
            for index in range(60):
                label(index)
    assert len(answered) > 25
    with running(folder) as server:
        kept = server.get(f"/videos/{jobs[0]['video_id']}/labels")
        assert kept[: len(answered)] == answered and len(kept) <= len(answered) + 1
        assert [done(server, job)["state"] for job in jobs] == ["done", "done"]
        assert [video["n_events"] for video in server.get("/videos")] == [0, 1]


def test_two_at_a_time_do_not_spoil_each_other(folder: Path) -> None:
    with running(folder, seconds_per_batch=0.05) as server:
        choose_yard(server)

        def person(name: str) -> tuple[dict, list[dict]]:
            job = submit(server, name)
            labels = []
            for index in range(25):
                row = {"start": index / 2, "end": index / 2 + 1, "verdict": "abnormal", "kind": name}
                labels.append(server.post(f"/videos/{job['video_id']}/labels", row))
                server.get("/videos")
            return done(server, job), labels

        with ThreadPoolExecutor(2) as people:
            results = list(people.map(person, ["flash.mp4", "calm.mp4"]))
        for job, labels in results:
            assert job["state"] == "done" and job["done"] == job["total"] > 0
            assert server.get(f"/videos/{job['video_id']}/labels") == labels
        ids = [label["id"] for _, labels in results for label in labels]
        assert len(set(ids)) == 50


def test_ctrl_c_ends_it_amid_a_job_which_goes_on_later(folder: Path) -> None:
    with running(folder, seconds_per_batch=0.5) as server:
        choose_yard(server)
        job = submit(server, "flash.mp4")
        seen = wait_for(lambda: server.get(f"/jobs/{job['id']}"), lambda now: now["done"] > 0)
        assert seen["done"] < seen["total"]
        assert server.interrupt() in (0, -signal.SIGINT)
    with sqlite3.connect(folder / ".hiprobe" / "hiprobe.db") as connection:
        assert connection.execute("SELECT state FROM jobs").fetchall() == [("running",)]
        assert connection.execute("SELECT count(*) FROM results").fetchone() == (0,)
    connection.close()
    with running(folder) as server:
        assert done(server, job)["state"] == "done"


def test_a_folder_that_another_process_serves_is_refused(folder: Path) -> None:
    with running(folder), pytest.raises(UsageError, match="another server is running on this project"), opened(folder):
        pass
