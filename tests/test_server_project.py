"""The state of a project: tables, jobs, labels, refits and exports, without HTTP."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from safetensors.numpy import save
from sqlalchemy import create_engine

pytest.importorskip("nicegui", reason="the server needs hiprobe[serve]")

from hiprobe.backbones import Batch
from hiprobe.errors import CalibrationError, LimitError, NotFoundError, UsageError
from hiprobe.explain import AnomalyMap
from hiprobe.features import FeatureStore, stored_features
from hiprobe.pipeline.refit import TOO_FEW
from hiprobe.probing import Probe
from hiprobe.report import detection_json
from hiprobe.server import migrations
from hiprobe.server.database import Database
from hiprobe.server.labels import segment_verdicts
from hiprobe.server.records import LabelRecord
from hiprobe.server.results import Results
from hiprobe.server.service import Service
from hiprobe.server.tables import Base, ResultRow
from hiprobe.video import VideoInfo, VideoRef
from tests.detections import detection
from tests.fakes import FakeBackbone
from tests.serving import HeldBackbone, choose_yard, detected, make_project, opened, wait_for
from tests.videos import write_video


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


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    database = Database(tmp_path / "hiprobe.db")
    with database.reading() as session:
        assert compare_metadata(MigrationContext.configure(session.connection()), Base.metadata) == []
    database.close()


def test_anomaly_maps_of_an_earlier_release_are_kept(tmp_path: Path) -> None:
    found = detection(VideoInfo(Path("yard.mp4"), 0.0, 4.0, 40, 80, 48, 10.0), [(1.5, 2.5)])
    maps = AnomalyMap(np.array([1.5, 2.0]), np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    path = tmp_path / "hiprobe.db"
    make_of_revision(path, "0002")
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO videos VALUES (1, 'yard.mp4', 'yard.mp4', 0, NULL, NULL, 4, 10, 80, 48, '')")
        for number in (1, 2):
            row = (number, f"{number}", f"{number}.probe", 2 - number)
            connection.execute(
                "INSERT INTO probes (id, name, version, path, state, chosen, notes, created) "
                "VALUES (?, ?, 0, ?, 'given', ?, '', '')",
                row,
            )
        kept = save({"times": maps.times, "maps": maps.maps})
        rows = [(1, detection_json(found), kept), (2, detection_json(replace(found, events=())), None)]
        connection.executemany("INSERT INTO results VALUES (1, ?, ?, 1, 0.9, '', ?)", rows)
    connection.close()
    for _ in range(2):  # migrated, and opened again
        database = Database(path)
        results = Results(database)
        assert results.find(1, probe_id=1) == found and results.has_anomaly_map(1)
        np.testing.assert_array_equal(results.anomaly_map(1).times, maps.times)
        np.testing.assert_array_equal(results.anomaly_map(1).maps, maps.maps)
        with database.reading() as session:
            of_other = session.get(ResultRow, (1, 2))
            assert of_other is not None and of_other.anomaly_map is None and of_other.body == rows[1][1]
        database.close()
    with sqlite3.connect(path) as connection:
        assert "heat" not in [column[1] for column in connection.execute("PRAGMA table_info(results)")]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0004",)]
    connection.close()


def make_of_revision(path: Path, revision: str) -> None:
    """Make a database as an earlier release left it."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_a_database_of_a_newer_release_is_refused_and_so_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "hiprobe.db"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(UsageError, match="newer HiProbe"):
        Database(path)
    other = tmp_path / "text.db"
    other.write_text("this is no database at all, but it is long enough" * 50)
    with pytest.raises(UsageError, match="no project database, or is damaged"):
        Database(other)


def test_a_second_server_on_one_project_is_refused(service: Service, folder: Path) -> None:
    with pytest.raises(UsageError, match="another server is running"), opened(folder):
        pass


def test_a_video_is_detected_on_and_listed_with_what_was_found(service: Service) -> None:
    (video_id,) = detected(service, "flash.mp4")
    video = service.library.get(video_id)
    assert (video.state, video.n_events, video.path) == ("done", 1, "flash.mp4")
    (event,) = service.labels.events(video_id)
    assert event.start == pytest.approx(12, abs=1.2) and event.explanation == "a bright flash"
    assert video.peak == event.peak and event.label is None
    assert service.library.add("flash.mp4").id == video_id


def test_a_job_that_waits_is_not_queued_twice_and_queues_are_bounded(folder: Path) -> None:
    backbone = HeldBackbone()
    with opened(folder, backbone, max_waiting=1, jobs_per_minute=3) as service:
        flash, calm = service.library.add("flash.mp4").id, service.library.add("calm.mp4").id
        first = service.jobs.submit(flash)
        wait_for(lambda: service.jobs.get(first.id), lambda job: job.state == "running")
        assert service.jobs.submit(flash).id == first.id
        second = service.jobs.submit(calm)
        with pytest.raises(LimitError, match="1 detections wait already"):
            service.jobs.submit(calm, another_probe(service))
        service.jobs.cancel(second.id)
        third = service.jobs.submit(calm)
        service.jobs.cancel(third.id)
        with pytest.raises(LimitError, match="3 detections were asked for within a minute"):
            service.jobs.submit(calm)
        backbone.go_on.set()


def another_probe(service: Service) -> int:
    """Return a second probe for the fake backbone: a copy of the first."""
    path = service.settings.folder
    shutil.copy(path / "yard.probe", path / "copy.probe")
    service.probes.find_given()
    (probe,) = [probe for probe in service.probes.list() if probe.name == "copy"]
    return probe.id


def test_a_running_job_is_cancelled_and_the_next_one_runs(folder: Path) -> None:
    backbone = HeldBackbone()
    with opened(folder, backbone) as service:
        first = service.jobs.submit(service.library.add("flash.mp4").id)
        second = service.jobs.submit(service.library.add("calm.mp4").id)
        wait_for(lambda: service.jobs.get(first.id), lambda job: job.state == "running" and job.total > 0)
        assert service.jobs.cancel(first.id).state == "cancelled"
        backbone.go_on.set()
        wait_for(lambda: service.jobs.get(second.id), lambda job: job.state == "done")
        assert service.jobs.get(first.id).state == "cancelled"
        assert service.results.find(first.video_id) is None


class Talking(FakeBackbone):
    """Counts the texts that it is asked for, and does something else with each."""

    def __init__(self, also: Callable[[], object]) -> None:
        super().__init__()
        self.texts, self._also = 0, also

    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        self.texts += 1
        self._also()
        return super().generate(batch, prompt, max_new_tokens)


def test_a_job_that_is_cancelled_gets_no_more_texts(folder: Path) -> None:
    levels = [200 if 40 <= index < 90 or 200 <= index < 250 else 40 for index in range(300)]
    images = [np.full((48, 80, 3), level, np.uint8) for level in levels]
    write_video(folder / "twice.mp4", len(images), fps=10, images=images)
    backbone = Talking(lambda: service.jobs.cancel(job.id))
    with opened(folder, backbone) as service:
        twice = service.library.add("twice.mp4").id
        job = service.jobs.submit(twice)
        wait_for(lambda: service.jobs.get(job.id), lambda now: now.state == "cancelled")
        detected(service, "calm.mp4")  # when this is over, so is what was cancelled
        assert backbone.texts == 1 and service.results.find(twice) is None
        # A job that is over cannot be cancelled, so that this one gets both of its texts.
        detected(service, "twice.mp4")
        assert backbone.texts == 3 and len(service.results.get(twice).events) == 2


def test_a_job_that_fails_says_why_and_others_go_on(service: Service, folder: Path) -> None:
    video = service.library.add("flash.mp4")
    (folder / "flash.mp4").unlink()
    job = service.jobs.submit(video.id)
    failed = wait_for(lambda: service.jobs.get(job.id), lambda job: job.state == "failed")
    assert "there is no such video" in failed.error
    detected(service, "calm.mp4")


def test_a_probe_of_another_backbone_is_listed_and_refused(service: Service) -> None:
    (fight,) = [probe for probe in service.probes.list() if probe.name == "fight"]
    assert not fight.fits and fight.card.startswith("# fight")
    with pytest.raises(UsageError, match="another backbone"):
        service.probes.choose(fight.id)
    with pytest.raises(UsageError, match="another backbone"):
        service.jobs.submit(service.library.add("flash.mp4").id, fight.id)


@pytest.mark.parametrize(
    ("start", "end", "verdict", "kind", "message"),
    [
        (5, 5, "normal", "", "is no part of"),
        (-1, 5, "normal", "", "is no part of"),
        (25, 31, "normal", "", "is no part of"),
        (float("nan"), 5, "normal", "", "is no part of"),
        (1, 2, "normal", "fight", "has no kind"),
        (1, 2, "abnormal", "Normal", "name a kind"),
        (1, 2, "abnormal", "x" * 81, "name a kind"),
    ],
)
def test_labels_that_make_no_sense(
    service: Service, start: float, end: float, verdict: str, kind: str, message: str
) -> None:
    video = service.library.add("flash.mp4")
    with pytest.raises(UsageError, match=message):
        service.labels.add(video.id, start, end, verdict, kind=kind, source="missed")  # type: ignore[arg-type]
    assert service.labels.list() == ()


def test_labels_judge_events_until_they_are_withdrawn(service: Service) -> None:
    (video,) = detected(service, "flash.mp4")
    (event,) = service.labels.events(video)
    first = service.labels.add(video, event.start, event.end, "normal", source="reject")
    second = service.labels.add(video, event.start, event.end, "abnormal", kind=" a  flash ", source="relabel")
    (judged,) = service.labels.events(video)
    assert judged.label == second and second.kind == "a flash"
    service.labels.withdraw(second.id)
    assert service.labels.events(video)[0].label == first
    assert service.labels.list() == (first,)


def test_the_latest_label_speaks_for_the_segments_that_it_covers_half_of() -> None:
    starts, ends = np.arange(6.0), np.arange(6.0) + 2

    def label(start: float, end: float, verdict: str) -> LabelRecord:
        return LabelRecord(1, 1, start, end, verdict, "", "missed", "")  # type: ignore[arg-type]

    assert segment_verdicts([], starts, ends).tolist() == [-1] * 6
    assert segment_verdicts([label(0, 8, "normal"), label(2, 4, "abnormal")], starts, ends).tolist() == [
        0,
        1,
        1,
        1,
        0,
        0,
    ]
    # Too short for half a segment, it speaks for the one that it covers most of.
    assert segment_verdicts([label(3.8, 4.0, "abnormal")], starts, ends).tolist() == [-1, -1, 1, -1, -1, -1]
    # Normal but for less than half, which is abnormal, it is neither; unless that was taken back by a later label.
    around = [label(2, 4.6, "abnormal"), label(0, 2, "normal"), label(4.6, 8, "normal")]
    assert segment_verdicts(around, starts, ends).tolist() == [0, 1, 1, 1, -1, 0]
    assert segment_verdicts([*around, label(4, 8, "normal")], starts, ends).tolist() == [0, 1, 1, 1, 0, 0]


def test_the_rest_of_a_video_is_labelled_normal_around_what_is_labelled(service: Service) -> None:
    video = service.library.add("flash.mp4").id
    service.labels.add(video, 12, 17, "abnormal", source="accept")
    rest = service.labels.rest_is_normal(video)
    assert [(label.start, label.end, label.verdict) for label in rest] == [(0, 12, "normal"), (17, 30, "normal")]
    assert service.labels.rest_is_normal(video) == ()


def test_the_rest_is_normal_leaves_events_alone_that_nobody_judged(service: Service) -> None:
    (video,) = detected(service, "flash.mp4")
    (event,) = service.labels.unjudged(video)
    rest = service.labels.rest_is_normal(video)
    assert len(rest) == 2 and all(label.end <= event.start or event.end <= label.start for label in rest)
    assert service.labels.unjudged(video) == (event,)
    found = service.results.get(video)
    starts, ends = (np.array([getattr(one, name) for one in found.segments]) for name in ("start", "end"))
    said = segment_verdicts(rest, starts, ends)
    touched = (starts < event.end) & (event.start < ends)
    assert (said[touched] == -1).all() and (said[~touched] == 0).all()
    # Judged, it is the rest of the video that is left.
    service.labels.add(video, event.start, event.end, "abnormal", source="accept")
    assert service.labels.unjudged(video) == ()
    more = service.labels.rest_is_normal(video)
    assert all(label.end <= event.start or event.end <= label.start for label in more)
    labels = service.labels.list(video)
    assert sum(label.end - label.start for label in labels) == pytest.approx(service.library.get(video).duration)


def test_what_is_asked_next_is_unlabelled_near_the_threshold_and_of_several_videos(service: Service) -> None:
    flash, calm = detected(service, "flash.mp4", "calm.mp4")
    queue = service.labels.next(6)
    assert {item.video_id for item in queue[:2]} == {flash, calm}
    for video in (flash, calm):
        mine = [item for item in queue if item.video_id == video]
        distances = [abs(item.score - item.threshold) for item in mine]
        assert distances == sorted(distances)
        assert all(a.end <= b.start or b.end <= a.start for a in mine for b in mine if a is not b)
    first = queue[0]
    service.labels.add(first.video_id, first.start, first.end, "normal", source="next")
    assert all((item.video_id, item.start) != (first.video_id, first.start) for item in service.labels.next(50))


def label_wrongly(service: Service, flash: int, calm: int) -> None:
    """Say that brightness is normal and darkness is not, so that a refit must turn the scores around."""
    for video in (flash, calm):
        service.labels.add(video, 0, 10, "abnormal", source="missed")
    service.labels.add(flash, 12, 17, "normal", source="reject")
    service.labels.add(calm, 15, 20, "normal", source="missed")


def test_a_refit_needs_both_classes(service: Service) -> None:
    (video,) = detected(service, "flash.mp4")
    with pytest.raises(CalibrationError, match="No segment is labelled"):
        service.refits.refit()
    service.labels.add(video, 12, 17, "abnormal", source="accept")
    with pytest.raises(CalibrationError, match="Every labelled segment is abnormal; label some that are normal"):
        service.refits.refit()


def test_a_refit_is_compared_kept_and_rolled_back_without_the_model(folder: Path) -> None:
    backbone = FakeBackbone()
    with opened(folder, backbone) as service:
        flash, calm = detected(service, "flash.mp4", "calm.mp4")
        given, ran = service.probes.current(), backbone.segments
        label_wrongly(service, flash, calm)
        found = service.refits.refit()
        assert (found.probe.state, found.probe.version, found.probe.n_labels) == ("candidate", 1, 4)
        assert found.before == given and service.probes.current() == given
        assert found.probe.notes[0].startswith("On your labels this refit finds ")
        assert found.probe.auc_before is not None and found.probe.auc_after is not None
        assert [curve.video_id for curve in found.curves] == [flash, calm]
        curve = found.curves[0]
        rise = np.subtract(curve.after, curve.before)
        bright = (np.array(curve.centres) > 13) & (np.array(curve.centres) < 16)
        assert rise[bright].mean() < rise[~bright].mean()
        kept = service.refits.keep(found.probe.id)
        assert kept.current and service.library.get(flash).state == "done"
        result = service.results.get(flash)
        assert [segment.smoothed for segment in result.segments] == list(curve.after)
        with pytest.raises(UsageError, match="is kept, not a candidate"):
            service.refits.keep(found.probe.id)
        assert service.refits.roll_back(found.probe.id) == given
        assert service.results.get(flash).segments != result.segments
        with pytest.raises(UsageError, match="is rolled back"):
            service.probes.choose(found.probe.id)
        assert backbone.segments == ran


def stored(service: Service, video_id: int, probe: Probe) -> list[np.ndarray]:
    """Return what is kept of a video's segments at a probe's layer."""
    layers = service.backbone.info.every_layer
    store = FeatureStore(service.settings.state / "features")
    found = stored_features(store, service.library.open(video_id), probe.extraction, layers)
    return [] if found is None else [found.at(probe.reading.layer)]


def test_every_refit_starts_from_the_given_probe_with_the_labels_that_hold(service: Service) -> None:
    flash, calm = detected(service, "flash.mp4", "calm.mp4")
    label_wrongly(service, flash, calm)
    first = service.refits.keep(service.refits.refit().probe.id)
    second = service.refits.refit().probe
    a, b = (service.probes.load(probe.id) for probe in (first, second))
    given = service.probes.load(first.base_id or 0)
    (features,) = stored(service, flash, given)
    np.testing.assert_array_equal(a.score(features), b.score(features))
    assert not np.array_equal(a.score(features), given.score(features))
    assert (second.before_id, second.base_id, second.version) == (first.id, first.base_id, 2)
    service.refits.keep(second.id)
    service.refits.roll_back(first.id)
    assert service.refits.roll_back(second.id).id == first.base_id


def test_a_video_that_was_not_detected_on_is_left_out_and_said_to_be(service: Service) -> None:
    (flash,) = detected(service, "flash.mp4")
    service.labels.add(flash, 12, 17, "abnormal", source="accept")
    service.labels.add(flash, 0, 10, "normal", source="missed")
    calm = service.library.add("calm.mp4").id
    service.labels.add(calm, 0, 10, "normal", source="missed")
    found = service.refits.refit()
    assert found.probe.n_labels == 2 and found.probe.auc_after is None
    assert found.probe.state == "not offered" and found.probe.notes[0] == TOO_FEW
    with pytest.raises(UsageError, match="is not offered, not a candidate"):
        service.refits.keep(found.probe.id)
    assert service.probes.current().state == "given"
    assert any("calm.mp4 was never detected on" in note for note in found.probe.notes)


def test_the_saliency_of_a_probe_peaks_at_its_layer(service: Service) -> None:
    saliency = service.probes.saliency(service.probes.current().id)
    best = max(range(len(saliency.layers)), key=lambda index: saliency.combined[index] or 0)
    assert saliency.layers[best] == saliency.layer


def test_a_video_with_labels_stays_and_another_is_removed_but_not_its_file(service: Service, folder: Path) -> None:
    flash, calm = detected(service, "flash.mp4", "calm.mp4")
    service.labels.add(flash, 0, 10, "normal", source="missed")
    with pytest.raises(UsageError, match="has labels"):
        service.library.remove(flash)
    service.library.remove(calm)
    assert [video.id for video in service.library.list()] == [flash]
    assert (folder / "calm.mp4").exists()
    # Nothing of it is left to be taken for another video's.
    assert [job.video_id for job in service.jobs.list()] == [flash]
    assert service.library.add("calm.mp4").n_events is None
    with pytest.raises(NotFoundError):
        service.jobs.submit(calm + 1)


def test_a_project_can_be_moved(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as service:
        flash, calm = detected(service, "flash.mp4", "calm.mp4")
        label_wrongly(service, flash, calm)
        probe = service.refits.keep(service.refits.refit().probe.id)
        labels = len(service.labels.list())
    moved = folder.rename(tmp_path / "elsewhere")
    with opened(moved) as service:
        choose_yard(service)
        assert service.probes.get(probe.id).n_labels == labels
        assert service.library.open(flash) == VideoRef(moved / "flash.mp4")
        assert len(service.labels.list()) == labels
