"""The report: what it says of detections, how it stays small, and that nobody's text gets to act in it."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from hiprobe.errors import UsageError
from hiprobe.explain import AnomalyMap
from hiprobe.localize import Unjudged
from hiprobe.pipeline import Detection
from hiprobe.probing import CalibrationSegment, EventKind
from hiprobe.report import HtmlReport, detection_json, parse_detection, read_json, write_json, write_report
from hiprobe.report.clock import length, recorded_at, stamp, wall_clock
from hiprobe.report.stills import event_stills
from hiprobe.report.thinning import thin
from hiprobe.report.views import CARDS, POINTS, view
from hiprobe.sampling import Sampling
from hiprobe.video import VideoInfo, open_video
from tests.detections import detection
from tests.videos import number_of, write_video

EVIL = "</script><img src=x onerror=alert(1)>"
LONG = VideoInfo(Path("/nowhere/night.mp4"), 0.0, 30_000.0, 300_000, 640, 480, 10.0)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds at 10 fps; each frame shows its own number."""
    return write_video(tmp_path_factory.mktemp("report") / "yard.mp4", 200, fps=10, size=(96, 160))


@given(
    curves=arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 400)), elements=st.floats(-5, 5)),
    limit=st.integers(20, 100),
)
def test_thinning_keeps_peaks_order_and_ends(curves: np.ndarray, limit: int) -> None:
    kept = thin(curves, limit)
    n = curves.shape[1]
    assert len(kept) <= limit and (np.diff(kept) > 0).all()
    assert kept[0] == 0 and kept[-1] == n - 1
    assert (curves[:, kept].max(axis=1) == curves.max(axis=1)).all()
    assert (curves[:, kept].min(axis=1) == curves.min(axis=1)).all()


def test_thinning_leaves_a_peak_in_every_part() -> None:
    curve = np.zeros((1, 100_000))
    curve[0, 500::1000] = 1
    assert (curve[0, thin(curve, 1000)] == 1).sum() == 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00.0"), (12.34, "0:12.3"), (59.96, "1:00.0"), (3599.97, "1:00:00.0"), (36_061.5, "10:01:01.5")],
)
def test_times_are_rounded_before_they_are_split(seconds: float, text: str) -> None:
    assert stamp(seconds) == text
    assert length(12.34) == "12.3 s" and length(75) == "1:15.0"


def test_wall_clocks_name_their_zone() -> None:
    assert wall_clock(datetime(2026, 3, 1, 22, 4, 9)) == "2026-03-01 22:04:09"
    assert wall_clock(datetime(2026, 3, 1, 22, 4, 9, tzinfo=UTC)) == "2026-03-01 22:04:09 UTC"
    assert wall_clock(datetime.fromisoformat("2026-03-01T22:04:09+05:30")).endswith("+0530")


def recorded(source: Path, path: Path, said: str) -> Path:
    """Copy a video, with a time of creation in its metadata."""
    with av.open(source) as given, av.open(path, "w") as made:
        made.metadata["creation_time"] = said
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    return path


def test_a_file_says_when_it_was_begun_where_that_can_be_true(video: Path, tmp_path: Path) -> None:
    begun = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
    path = recorded(video, tmp_path / "a.mp4", "2026-03-01T22:00:00Z")
    info = open_video(path).info

    def written(moment: datetime) -> None:
        os.utime(path, (moment.timestamp(), moment.timestamp()))

    written(begun + timedelta(seconds=20))
    assert recorded_at(info) == begun
    written(begun + timedelta(days=300))  # copied since
    assert recorded_at(info) == begun
    written(begun + timedelta(seconds=1))  # it tells when the recording of 20 s ended
    assert recorded_at(info) is None


@pytest.mark.parametrize("said", ["1970-01-01T00:00:00Z", "1904-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon"])
def test_a_date_that_cannot_be_true_is_not_believed(video: Path, tmp_path: Path, said: str) -> None:
    assert recorded_at(open_video(recorded(video, tmp_path / "a.mp4", said)).info) is None
    assert recorded_at(open_video(video).info) is None  # says nothing


def test_stills_show_start_peak_and_end(video: Path) -> None:
    events = [item.event for item in detection(video, [(2.0, 4.0), (10.0, 20.0)]).events]
    shown = []
    for still in [still for row in event_stills(open_video(video), events) for still in row]:
        data = base64.b64decode(still.source.removeprefix("data:image/webp;base64,"))
        picture = Image.open(io.BytesIO(data))
        assert (picture.width, picture.height) == (still.width, still.height) == (160, 96)
        shown.append((still.caption, number_of(np.asarray(picture.convert("RGB")))))
    assert shown == [
        ("Start 0:02.0", 20),
        ("Peak 0:03.0", 30),
        ("End 0:04.0", 40),
        ("Start 0:10.0", 100),
        ("Peak 0:15.0", 150),
        ("End 0:20.0", 199),
    ]


def test_where_an_event_is_shown_beside_its_peak(video: Path, tmp_path: Path) -> None:
    left_hot = np.zeros((1, 1, 8), np.float32)
    left_hot[..., 0] = 1.0
    found = replace(detection(video, [(2.0, 4.0), (10.0, 20.0)]), anomaly_map=AnomalyMap(np.array([3.0]), left_hot))
    first, second = (event.stills for event in view(found, None).events)
    assert [still.caption for still in first] == [
        "Start 0:02.0",
        "Peak 0:03.0",
        "Anomaly map of the peak",
        "End 0:04.0",
    ]
    assert len(second) == 3  # no map is near its peak
    plain, hot = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(still.source.partition(",")[2]))).convert("RGB"), float)
        for still in first[1:3]
    )
    redder = (hot[..., 0] - hot[..., 2] - plain[..., 0] + plain[..., 2]).mean(axis=0)
    assert redder[:20].mean() > 20 and abs(redder[40:]).max() < 10
    write_json(found, tmp_path / "a.json")
    assert read_json(tmp_path / "a.json") == replace(found, anomaly_map=None)


def test_stills_of_large_videos_are_small(tmp_path: Path) -> None:
    path = write_video(tmp_path / "tall.mp4", 20, fps=10, size=(640, 360))
    (row,) = event_stills(open_video(path), [detection(path, [(0.5, 1.5)]).events[0].event])
    assert [(still.width, still.height) for still in row] == [(135, 240)] * 3


def test_a_long_video_stays_small_and_its_highest_events_get_cards() -> None:
    found = detection(LONG, [(100.0 * k, 100.0 * k + 10) for k in range(1, 41)])
    events = tuple(
        replace(item, event=replace(item.event, peak=0.6 + 0.005 * (k * 7 % 40))) for k, item in enumerate(found.events)
    )
    shown = view(replace(found, events=events), None)
    assert len(shown.events) == 40 and len(shown.cards) == CARDS
    assert min(card.peak for card in shown.cards) >= max(e.peak for e in shown.events if e not in shown.cards)
    assert [card.number for card in shown.cards] == sorted(card.number for card in shown.cards)
    assert len(shown.chart.times) <= POINTS and max(shown.chart.smoothed) == 0.9
    assert shown.notes == ("No stills: /nowhere/night.mp4: there is no such file or folder; check the path.",)


def test_another_video_under_the_same_name_gives_no_stills(video: Path) -> None:
    found = detection(video, [(2.0, 4.0)])
    shown = view(replace(found, video=replace(found.video, n_frames=199)), None)
    assert "another video" in shown.notes[0] and not shown.cards[0].stills


def test_a_folder_of_images_has_stills_at_its_own_rate(tmp_path: Path) -> None:
    for number in range(60):
        Image.fromarray(np.full((24, 32, 3), 4 * number, np.uint8)).save(tmp_path / f"{number}.png")
    shown = view(detection(open_video(tmp_path, 29.97).info, [(0.5, 1.5)]), None)
    assert shown.notes == () and len(shown.cards[0].stills) == 3


def test_the_gravest_video_comes_first(tmp_path: Path) -> None:
    report = HtmlReport()
    for name, peak, events in [
        ("calm", 0.9, []),
        ("short", 0.9, [(10.0, 12.0)]),
        ("long", 0.9, [(10.0, 30.0)]),
        ("high", 0.95, [(10.0, 11.5)]),
    ]:
        report.add(detection(replace(LONG, path=Path(name), duration=60.0), events, peak=peak))
    report.write(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert re.findall(r'<th scope="row"><a href="#video-\d+">(\w+)<', page) == ["high", "long", "short", "calm"]
    assert "3 events in 4 videos" in page


def test_a_warning_of_several_videos_is_said_once(tmp_path: Path) -> None:
    few = [detection(replace(LONG, path=Path(name)), warnings=("Common.", f"Of {name}.")) for name in "ab"]
    write_report(few, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert [page.count(text) for text in ("Common.", "Of a.", "Of b.")] == [1, 1, 1]


def test_nobodys_text_becomes_markup(tmp_path: Path) -> None:
    evil = CalibrationSegment(EVIL, 0.0, 2.0, EVIL)
    info = replace(LONG, path=Path(f"{EVIL}.mp4"), duration=60.0)
    found = detection(info, [(10.0, 12.0)], text=EVIL, similar=(evil,), warnings=(EVIL,))
    evil_name = replace(found.provenance.reading, name=EVIL)
    found = replace(found, provenance=replace(found.provenance, probe_source=EVIL, reading=evil_name))
    write_report([found, replace(found, events=())], tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "<img" not in page and page.count("&lt;img") > 10
    plain = detection(replace(info, path=Path("a.mp4")), [(10.0, 12.0)])
    write_report([plain, replace(plain, events=())], tmp_path / "plain.html")
    assert page.count("</script>") == (tmp_path / "plain.html").read_text().count("</script>")


def test_equal_detections_make_equal_pages(video: Path, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_report([detection(video, [(2.0, 4.0)])], tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.html").stat().st_size < 2_200_000


def test_results_are_read_back_as_they_were(video: Path, tmp_path: Path) -> None:
    found = detection(video, [(2.0, 4.0)], warnings=("Careful.",))
    write_json(found, tmp_path / "yard.json")
    assert read_json(tmp_path / "yard.json") == found
    earlier = re.sub(r',\s*"similar": \[.*?\]\s*(?=\})', "", detection_json(found), flags=re.DOTALL)
    assert "similar" not in earlier
    (tmp_path / "earlier.json").write_text(earlier)
    assert read_json(tmp_path / "earlier.json").events[0].similar == ()


FIRST_RELEASE = Path(__file__).with_name("first-release.json").read_text(encoding="utf-8")
"""What ``detection_json`` of release 0.1.0 made of :func:`as_in_the_first_release`."""


def as_in_the_first_release() -> Detection:
    info = VideoInfo(Path("yard/night ü.mp4"), 0.04, 4.0, 40, 80, 48, 10.0)
    similar = (CalibrationSegment("day.mp4", 2.0, 4.0, "fight"),)
    found = detection(info, [(1.5, 2.5)], text="A „flash“.", similar=similar, warnings=("Careful.",))
    return replace(found, events=(*found.events, replace(found.events[0], explanation=None, similar=())))


def test_a_result_of_the_first_release_is_read_and_written_to_the_byte() -> None:
    assert detection_json(as_in_the_first_release()) == FIRST_RELEASE
    read = parse_detection(FIRST_RELEASE)
    assert read == as_in_the_first_release()
    # Its provenance is flat: the name is not compared, and no layer but one was read.
    reading = read.provenance.reading
    assert (reading.name, reading.backbone, reading.layers) == ("fake", "f" * 64, (5,))
    assert (reading.pooling, reading.prompt, reading.sampling) == ("visual", "What?", Sampling())
    assert (reading.site, reading.frame_size, reading.system) == ("decoder", None, None)


def test_what_files_came_to_hold_later_is_written_where_it_says_something(tmp_path: Path) -> None:
    first = as_in_the_first_release()
    read = replace(
        first.provenance.reading,
        site="vision",
        pooling="tokens",
        frame_size=(12, 16),
        system="Look.",
        view="both",
        pixels=9,
    )
    later = replace(
        first,
        provenance=replace(first.provenance, reading=read),
        start=datetime(2026, 3, 1, 22, 0, tzinfo=UTC),
    )
    body = json.loads(detection_json(later))
    added = {"site": "vision", "frame_size": [12, 16], "system": "Look.", "view": "both", "pixels": 9}
    of_first = json.loads(FIRST_RELEASE)
    assert body.pop("start") == "2026-03-01T22:00:00Z"
    assert body == of_first | {"provenance": of_first["provenance"] | added | {"pooling": "tokens"}}
    write_json(later, tmp_path / "a.json")
    assert read_json(tmp_path / "a.json") == later


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ('{"schema": "other/1"}', "has schema 'other/1'"),
        ("[]", "has schema None"),
        ('{"schema": "hiprobe.detection/1"}', "is damaged"),
        (FIRST_RELEASE.replace('"layer": 5', '"layer": "five"'), r"is damaged \(layer: "),
    ],
)
def test_files_that_are_no_results(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"r\.json: {told}"):
        read_json(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_json(tmp_path / "gone.json")


DENIAL = "Two people are on a square, mostly walking, and nothing is unusual."


@pytest.mark.parametrize(
    ("text", "stance", "shown"),
    [
        (DENIAL, "denies", "The language model saw nothing unusual here"),
        ("Somebody has fallen.", "contradicts", "The language model says otherwise: &#34;Somebody has fallen.&#34;"),
        ("It is not clear what happens.", "unsure", "The language model is not sure what happens here"),
        ("People are fighting.", None, "The language model said: People are fighting."),
    ],
)
def test_a_text_that_does_not_fit_is_kept_but_not_shown_as_an_explanation(
    video: Path, tmp_path: Path, text: str, stance: str | None, shown: str
) -> None:
    kind, said = EventKind("fight", 0.81), "Fight (81%); at the left of the picture."
    found = detection(video, [(2, 4)], text=text, kind=kind, evidence=said)
    (event,) = json.loads(detection_json(found))["events"]
    assert event["explanation"]["text"] == text and event["explanation"].get("stance") == stance
    assert (event["evidence"], event["kind"]) == (said, {"name": "fight", "probability": 0.81})
    assert parse_detection(detection_json(found)) == found
    write_report([found], tmp_path / "page.html")
    card = re.search(r"<article.*?</article>", (tmp_path / "page.html").read_text(), re.S)
    assert card and shown in card[0] and card[0].index(said) < card[0].index(shown)
    assert (text in card[0]) == (stance in (None, "contradicts"))


def test_stretches_that_could_not_be_judged_are_in_the_result_and_the_report(video: Path, tmp_path: Path) -> None:
    stretch = Unjudged(4.0, 9.0, "blind", "The picture is black.")
    found = detection(video, [(12, 14)], unjudged=(stretch,))
    assert parse_detection(detection_json(found)).unjudged == (stretch,)
    assert view(found, None).chart.unjudged == [(4.0, 9.0)]
    write_report([found], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "1 stretch of this video could not be judged" in page and "0:04.0 – 0:09.0" in page
    assert page.index("The picture is black.") < page.index("<article")
