"""The review of a video in a real browser: the dial, ordinary footage, and what must be known of a result."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("nicegui", reason="the server needs hiprobe[serve]")

from hiprobe.localize import Unjudged
from hiprobe.report import detection_json, parse_detection
from tests.serving import Server, make_project, running, wait_for
from tests.test_server_pages import detected, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project") / "yard", tmp_path_factory.mktemp("calibration"))


def test_the_dial_shows_what_a_threshold_would_give_and_goes_back(
    browser: Browser, template: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "yard"))
    with running(folder) as server, opened(browser, server) as page:
        given = choose_yard(server)
        (flash,) = detected(server, "flash.mp4")
        page.goto(f"/videos/{flash}")
        dial, slider = page.get_by_role("region", name="Threshold"), page.get_by_role("slider", name="Threshold")
        said, keep = dial.get_by_role("status"), dial.get_by_role("button", name="Keep")
        said.filter(has_text="has 1 event; false alarms to expect: ").wait_for()
        assert keep.is_disabled() and page.locator(".would").count() == 0
        # By the keys, then by the hand. Nothing changes but what is told.
        slider.press("End")
        said.filter(has_text="has 0 events").wait_for()
        slider.press("Home")
        said.filter(has_text="has 1 event").wait_for()
        page.locator(".would").wait_for()
        box = slider.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
        said.filter(has_text="has 0 events").wait_for()
        page.locator(".would").wait_for(state="detached")
        assert "has 0 events" in (slider.get_attribute("aria-valuetext") or "")
        assert len(server.get("/probes")) == given["count"]
        dial.get_by_role("button", name="Back to the probe's own").click()
        said.filter(has_text="has 1 event").wait_for()
        # Kept, it holds; another takes its place; and from there it is one step back.
        for _ in range(2):
            slider.press("End")
            slider.press("ArrowLeft")
            keep.filter(has_text="Keep 0.").click()
            page.get_by_text("No event was found.").first.wait_for()
            dial.get_by_text("It was set by hand; the probe's own is").wait_for()
        page.reload()
        dial.get_by_text("It was set by hand; the probe's own is").wait_for()
        dial.get_by_role("button", name="Back to the probe's own").click()
        page.get_by_role("button", name="Accept event 1").wait_for()
        dial.get_by_text("It was set by hand").wait_for(state="hidden")
        assert [probe["id"] for probe in server.get("/probes") if probe["current"]] == [given["id"]]


def test_ordinary_footage_sets_the_threshold_and_can_be_undone(
    browser: Browser, template: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "yard"))
    with running(folder) as server, opened(browser, server) as page:
        given = choose_yard(server)
        _, calm = detected(server, "flash.mp4", "calm.mp4")
        page.goto(f"/videos/{calm}")
        part = page.get_by_role("region", name="Ordinary footage")
        part.get_by_text("Was this footage ordinary?").click()
        # What is marked counts, and is refused if it is too short.
        page.get_by_role("spinbutton", name="From").fill("3")
        page.get_by_role("spinbutton", name="To").fill("4")
        part.get_by_role("button", name="0:03.0 – 0:04.0 was ordinary").click()
        page.get_by_role("alert").filter(has_text="3.0 to 4.0 s of calm.mp4: is too short").wait_for()
        page.get_by_role("button", name="Mark nothing").click()
        part.get_by_label("Alarms a day, at most").fill("8640")
        part.get_by_role("button", name="The whole video was ordinary").click()
        said = part.get_by_role("status").filter(has_text="alarms to expect on this camera: ")
        said.wait_for()
        assert f"Threshold {given['threshold']:.3f} before, " in said.inner_text()
        assert "a day (95%: " in said.inner_text()
        assert server.get("/labels") == []
        page.reload()
        said.wait_for()
        part.get_by_role("link", name="Choose another probe").click()
        page.get_by_role("listitem").filter(has_text="yard, calibrated 1").get_by_text("current").wait_for()
        page.goto(f"/videos/{calm}")
        part.get_by_role("button", name="Undo: back to yard").click()
        said.wait_for(state="hidden")
        assert [probe["id"] for probe in server.get("/probes") if probe["current"]] == [given["id"]]


def test_what_must_be_known_of_a_result_is_told(browser: Browser, template: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "yard"))
    with running(folder) as server, opened(browser, server) as page:
        choose_yard(server)
        (flash,) = detected(server, "flash.mp4")
        with sqlite3.connect(folder / ".hiprobe" / "hiprobe.db") as connection:
            ((body,),) = connection.execute("SELECT body FROM results").fetchall()
            found = parse_detection(body)
            (event,) = found.events
            assert event.explanation is not None
            denying = replace(event, explanation=replace(event.explanation, text="Nothing is unusual here."))
            dark = Unjudged(20.0, 25.0, "blind", "The picture is black.")
            # Earlier releases lost the caveat of the texts in versions of a probe.
            told = detection_json(replace(found, events=(denying,), unjudged=(dark,), warnings=()))
            connection.execute("UPDATE results SET body = ?", (told,))
        connection.close()
        page.goto(f"/videos/{flash}")
        lines = page.locator(".card").first.inner_text().splitlines()
        evidence, model = (
            next(i for i, line in enumerate(lines) if part in line) for part in ("most like", "language")
        )
        assert evidence < model and lines[model] == "The language model saw nothing unusual here."
        caveats = page.locator(".caveats").inner_text().splitlines()
        assert [line for line in caveats if line] == [
            "fake text",
            "0:20.0 – 0:25.0 was not judged: The picture is black.",
        ]
        assert page.locator(".timeline .unjudged").count() == 1

        # What was judged by "the rest" was not rejected, and what nobody judged stays open.
        page.get_by_role("button", name="The rest is normal").click()
        page.get_by_text("1 event that nobody judged left without a label").wait_for()
        assert page.locator(".card .verdict").inner_text() == ""
        page.keyboard.press("r")  # no event is chosen
        labels = server.get("/labels")
        assert {label["source"] for label in labels} == {"rest"}
        assert all(label["end"] <= event.event.start or event.event.end <= label["start"] for label in labels)


def test_events_without_a_text_can_be_detected_again(browser: Browser, template: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "yard"))
    with running(folder) as server, opened(browser, server) as page:
        choose_yard(server)
        job = server.post("/jobs", {"video_id": server.post("/videos", {"path": "flash.mp4"})["id"], "explain": False})
        wait_for(lambda: server.get(f"/jobs/{job['id']}"), lambda now: now["state"] == "done")
        page.goto(f"/videos/{job['video_id']}")
        page.get_by_role("button", name="Detect again").click()
        page.get_by_text("The language model said: a bright flash").wait_for()
        page.locator(".caveats").get_by_text("fake text").wait_for()
        page.get_by_role("button", name="Detect").wait_for(state="hidden")


def choose_yard(server: Server) -> dict[str, Any]:
    """Make ``yard`` current; return it, and how many probes there are."""
    probes = server.get("/probes")
    (yard,) = [probe for probe in probes if probe["name"] == "yard"]
    return {**server.post(f"/probes/{yard['id']}/choose"), "count": len(probes)}
