"""What comes of results: anomaly maps and exports."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("nicegui", reason="the server needs hiprobe[serve]")

from hiprobe.errors import NotFoundError, UsageError
from hiprobe.report import MARGIN
from hiprobe.server.service import Service
from hiprobe.video import open_video
from tests.fakes import FakeBackbone
from tests.serving import API, client, detected, make_project, opened


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project") / "yard", tmp_path_factory.mktemp("calibration"))


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "yard"))


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    with opened(folder) as found:
        yield found


def test_a_job_finds_where_its_events_are(service: Service) -> None:
    (flash,) = detected(service, "flash.mp4")
    anomaly_map = service.results.anomaly_map(flash)
    assert service.results.has_anomaly_map(flash) and anomaly_map.maps.shape[1:] == (3, 4)
    (event,) = service.results.get(flash).events
    assert anomaly_map.at((event.event.start + event.event.end) / 2) is not None and anomaly_map.at(2.0) is None


def test_a_backbone_that_tells_no_places_apart_detects_all_the_same(folder: Path) -> None:
    with opened(folder, FakeBackbone()) as service:
        (flash,) = detected(service, "flash.mp4")
        assert service.results.get(flash).segments and not service.results.has_anomaly_map(flash)
        with pytest.raises(NotFoundError, match="no anomaly map"):
            service.results.anomaly_map(flash)


def test_the_map_is_a_picture_to_lay_over_the_video(service: Service) -> None:
    web, (number,) = client(service), detected(service, "flash.mp4")
    anomaly_map, opacities = service.results.anomaly_map(number), []
    for time in (anomaly_map.times[anomaly_map.maps.max((1, 2)).argmax()], 2):
        answer = web.get(f"{API}/videos/{number}/anomaly-map?time={time}")
        assert answer.headers["content-type"] == "image/png"
        picture = Image.open(io.BytesIO(answer.content))
        assert picture.mode == "RGBA" and picture.width / picture.height == pytest.approx(80 / 48, rel=0.01)
        opacities.append(np.asarray(picture)[..., 3].max())
    assert opacities[0] > 100 and opacities[1] == 0
    assert web.get(f"{API}/videos/{number}/anomaly-map?time=nan").status_code == 422
    calm = service.library.add("calm.mp4").id
    assert web.get(f"{API}/videos/{calm}/anomaly-map?time=2").status_code == 404


def test_exports_hold_what_was_found(service: Service, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no result to export"):
        service.exports.json(None, tmp_path / "none.json")
    flash, _ = detected(service, "flash.mp4", "calm.mp4")
    (event,) = service.labels.events(flash)
    service.exports.json(None, tmp_path / "all.json")
    bodies = json.loads((tmp_path / "all.json").read_text())
    assert [(body["schema"], len(body["events"])) for body in bodies] == [
        ("hiprobe.detection/1", 0),
        ("hiprobe.detection/1", 1),
    ]
    service.exports.csv([flash], tmp_path / "events.csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "events.csv").read_text()))
    assert float(row["start"]) == pytest.approx(event.start, abs=1e-4)
    service.exports.clips([flash], tmp_path / "clips.zip")
    with zipfile.ZipFile(tmp_path / "clips.zip") as archive:
        (name,) = archive.namelist()
        archive.extract(name, tmp_path)
    assert open_video(tmp_path / name).info.duration == pytest.approx(event.end - event.start + 2 * MARGIN, abs=0.21)
    service.exports.report([flash], tmp_path / "report.html")
    assert "1 event in flash.mp4" in (tmp_path / "report.html").read_text()


def test_clips_and_report_are_of_the_video_where_it_is_now(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as service:
        detected(service, "flash.mp4")
    moved = folder.rename(tmp_path / "moved")
    with opened(moved) as service:
        service.exports.clips(None, tmp_path / "clips.zip")
        service.exports.report(None, tmp_path / "report.html")
        assert "No stills" not in (tmp_path / "report.html").read_text()
        # What was put in its place is not opened.
        (moved / "flash.mp4").rename(tmp_path / "secret.mp4")
        (moved / "flash.mp4").symlink_to(tmp_path / "secret.mp4")
        for export in (service.exports.clips, service.exports.report):
            with pytest.raises(UsageError):
                export(None, tmp_path / "no.file")
        assert not (tmp_path / "no.file").exists()
