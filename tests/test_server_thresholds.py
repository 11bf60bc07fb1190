"""The dial of the server: another threshold, ordinary footage, and the way back, all without the model."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nicegui", reason="the server needs hiprobe[serve]")

from hiprobe.errors import CalibrationError, NotFoundError, UsageError
from hiprobe.localize import AlarmRates, LocalizeSettings, Unjudged
from hiprobe.probing import LogisticProbe
from hiprobe.server.database import Database
from hiprobe.server.service import Service
from hiprobe.server.tables import ProbeRow
from hiprobe.server.thresholds import outlook
from hiprobe.video import VideoInfo
from tests.detections import detection
from tests.fakes import FakePlacedBackbone
from tests.serving import API, HeldBackbone, client, detected, make_project, opened, wait_for
from tests.test_server_project import make_of_revision


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


def test_the_dial_tells_what_a_threshold_would_give(service: Service) -> None:
    (flash,) = detected(service, "flash.mp4")
    found = service.results.get(flash)
    now = service.thresholds.outlook(flash, found.threshold)
    assert now.events == tuple((item.event.start, item.event.end) for item in found.events) and len(now.events) == 1
    top = max(segment.smoothed for segment in found.segments)
    above = service.thresholds.outlook(flash, top)
    assert above.events == () and f"At {top:.3f} this video has 0 events; false alarms to expect: " in above.sentence
    alarms = service.probes.load(service.probes.current().id).alarms
    assert alarms is not None and above.alarms_per_hour == alarms.rate_at(top)
    assert above.interval == alarms.interval(top)
    with pytest.raises(UsageError):
        service.thresholds.outlook(flash, float("nan"))
    with pytest.raises(NotFoundError, match="run a detection first"):
        service.thresholds.outlook(service.library.add("calm.mp4").id, 0.5)
    body = client(service).get(f"{API}/videos/{flash}/events-at?threshold={found.threshold}").json()
    assert [tuple(span) for span in body["events"]] == list(now.events) and body["sentence"] == now.sentence


def test_what_was_not_judged_gives_no_event_at_any_threshold() -> None:
    blind = Unjudged(4.0, 9.0, "blind", "The picture is black.")
    found = detection(VideoInfo(Path("a.mp4"), 0.0, 20.0, 200, 80, 48, 10.0), [(5, 8)], unjudged=(blind,))
    probe = FakeProbe()
    assert outlook(replace(found, unjudged=()), probe, 0.5).events  # type: ignore[arg-type]
    told = outlook(found, probe, 0.5)  # type: ignore[arg-type]
    assert told.events == () and told.alarms_per_hour is None
    assert (
        told.sentence == "At 0.500 this video has 0 events; how many false alarms to expect, this probe does not know."
    )


class FakeProbe:
    """Knows no rates."""

    alarms = None


def test_a_threshold_by_hand_takes_the_place_of_another_and_leads_back(folder: Path) -> None:
    backbone = FakePlacedBackbone()
    with opened(folder, backbone) as service:
        flash, _ = detected(service, "flash.mp4", "calm.mp4")
        ran, given, found = backbone.segments, service.probes.current(), service.results.get(flash)
        high = service.thresholds.set(0.999)
        assert (high.threshold, high.made, high.before_id, high.current) == (0.999, "threshold", given.id, True)
        assert high.notes == (f"Threshold {given.threshold:.3f} before, 0.999 now: it was set by hand.",)
        assert not service.results.get(flash).events
        low = service.thresholds.set(given.threshold - 0.01)
        assert (low.before_id, service.probes.get(high.id).state) == (given.id, "rolled back")
        # The text, its caveat, the map and the place of the event are those of the first detection.
        (event,), (first,) = service.results.get(flash).events, found.events
        assert event.explanation == first.explanation and "of the picture; most like" in event.evidence
        assert "fake text" in service.results.get(flash).warnings and service.results.has_anomaly_map(flash)
        assert service.thresholds.own().id == given.id
        assert service.refits.roll_back(low.id).id == given.id
        assert service.results.get(flash) == found
        assert backbone.segments == ran


def test_no_caveat_without_a_text(service: Service) -> None:
    (calm,) = detected(service, "calm.mp4")
    service.thresholds.set(0.9)
    assert service.results.get(calm).warnings == ()


def test_what_was_looked_at_by_the_hand_set_version_alone_is_there_after_the_way_back(service: Service) -> None:
    detected(service, "calm.mp4")
    given = service.probes.current().id
    high = service.thresholds.set(0.999)
    (flash,) = detected(service, "flash.mp4")
    assert service.results.find(flash, given) is None
    service.refits.roll_back(high.id)
    assert len(service.results.get(flash).events) == 1


def test_what_waits_for_a_probe_waits_for_the_version_that_takes_its_place(folder: Path) -> None:
    backbone = HeldBackbone()
    with opened(folder, backbone) as service:
        jobs = [service.jobs.submit(service.library.add(name).id) for name in ("flash.mp4", "calm.mp4")]
        wait_for(lambda: service.jobs.get(jobs[0].id), lambda now: now.state == "running")
        high = service.thresholds.set(0.999)
        assert service.jobs.get(jobs[1].id).probe_id == high.id
        backbone.go_on.set()
        wait_for(lambda: [job.finished for job in service.jobs.list()], all)
        assert [video.state for video in service.library.list()] == ["done", "done"]


def test_an_adaptive_probe_takes_a_threshold_too(folder: Path) -> None:
    probe = LogisticProbe.load(folder / "yard.probe")
    replace(probe, localize=LocalizeSettings(threshold="adaptive")).save(folder / "yard.probe")
    with opened(folder) as service:
        (flash,) = detected(service, "flash.mp4")
        kept = service.thresholds.set(0.999)
        assert "Threshold adaptive before, 0.999 now" in kept.notes[0]
        assert service.results.get(flash).threshold == 0.999 and not service.results.get(flash).events


def test_an_ordinary_video_sets_the_threshold_and_says_what_changed(folder: Path) -> None:
    backbone = FakePlacedBackbone()
    with opened(folder, backbone) as service:
        _, calm = detected(service, "flash.mp4", "calm.mp4")
        ran, given = backbone.segments, service.probes.current()
        answer = client(service).post(f"{API}/videos/{calm}/ordinary?alarms_per_day={24 * 360}")
        assert answer.status_code == 201
        counted = service.probes.current()
        assert (counted.made, counted.before_id, counted.id) == ("ordinary", given.id, answer.json()["id"])
        alarms = service.probes.load(counted.id).alarms
        assert alarms is not None and alarms.hours == pytest.approx(20 / 3600) and alarms.asked == 360
        (said,) = counted.notes
        assert said.startswith(
            f"Threshold {given.threshold:.3f} before, {counted.threshold:.3f} now; alarms to expect "
        )
        assert " a day (95%: " in said and said.endswith("by 0.3 minutes of its ordinary footage.")
        # So little footage cannot count two a day. A threshold by hand lies over the calibrated one, not in its place.
        service.thresholds.set(0.999)
        rare = service.thresholds.ordinary(calm, 2)
        assert rare.before_id == counted.id and "too short to count 2 a day" in rare.notes[1]
        assert service.refits.roll_back(rare.id).id == counted.id
        assert service.refits.roll_back(counted.id).id == given.id
        assert backbone.segments == ran


def test_what_was_not_ordinary_is_refused_in_a_sentence(service: Service, folder: Path) -> None:
    flash, calm = detected(service, "flash.mp4", "calm.mp4")
    given = service.probes.current().id
    with pytest.raises(CalibrationError, match=r"3\.0 to 4\.0 s of calm\.mp4: is too short"):
        service.thresholds.ordinary(calm, 2, (3.0, 4.0))
    service.labels.add(flash, 12, 17, "abnormal", kind="fight", source="accept")
    with pytest.raises(CalibrationError, match=r"is labelled fight from 12\.0 to 17\.0 s"):
        service.thresholds.ordinary(flash, 2)
    with pytest.raises(UsageError, match="over 0"):
        service.thresholds.ordinary(calm, -1)
    with pytest.raises(NotFoundError, match=r"gate\.mp4: this probe has not looked at it yet"):
        service.thresholds.ordinary(service.library.add(shutil.copy(folder / "calm.mp4", folder / "gate.mp4")).id, 2)
    assert service.probes.current().id == given
    # A stretch without the event is ordinary.
    assert service.thresholds.ordinary(flash, 2, (0.0, 11.0)).made == "ordinary"


def test_a_rate_is_told_with_its_interval(service: Service) -> None:
    (flash,) = detected(service, "flash.mp4")
    alarms = AlarmRates(2.0, tuple(np.linspace(0.9, 0.1, 40)), probabilities=True)
    probe = replace(LogisticProbe.load(service.settings.folder / "yard.probe"), alarms=alarms)
    said = outlook(service.results.get(flash), probe, 0.85).sentence
    assert said.endswith("false alarms to expect: 1.5 an hour (95%: 0.31 to 4.4), by 2.0 hours of ordinary footage.")


def test_versions_of_earlier_releases_are_refits(tmp_path: Path) -> None:
    path = tmp_path / "hiprobe.db"
    make_of_revision(path, "0003")
    with sqlite3.connect(path) as connection:
        for number, base in ((1, None), (2, 1)):
            connection.execute(
                "INSERT INTO probes (id, name, version, path, state, base_id, chosen, notes, created) "
                "VALUES (?, 'a', ?, ?, 'kept', ?, 0, '', '')",
                (number, number - 1, f"{number}", base),
            )
    connection.close()
    database = Database(path)
    with database.reading() as session:
        assert [session.get_one(ProbeRow, number).made for number in (1, 2)] == ["given", "refit"]
    database.close()
