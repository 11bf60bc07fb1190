"""The pages in a real browser: the whole path of a reviewer, on a phone, two at a time, and with hostile names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("nicegui", reason="the server needs hiprobe[serve]")

from tests.browser import Watch, watch
from tests.serving import Server, make_project, running, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DESKTOP, PHONE = (1280, 720), (390, 844)
HOSTILE = "<img src=x onerror=window.hurt=1>"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project") / "yard", tmp_path_factory.mktemp("calibration"))


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose current probe is ``yard``; each test adds videos of its own."""
    folder = Path(shutil.copytree(template, tmp_path_factory.mktemp("shared") / "yard"))
    for name in ("phone.mp4", f"{HOSTILE}.mp4", "gate.mp4"):
        shutil.copy(folder / "flash.mp4", folder / name)
    for name in ("queue.mp4", "night.mp4"):
        shutil.copy(folder / "calm.mp4", folder / name)
    with running(folder, 0.05) as server:
        (yard,) = [probe for probe in server.get("/probes") if probe["name"] == "yard"]
        server.post(f"/probes/{yard['id']}/choose")
        yield server


@contextmanager
def opened(browser: Browser, server: Server, size: tuple[int, int] = DESKTOP, **options: Any) -> Iterator[Page]:
    """Open a browser of its own; afterwards, nothing may have gone wrong in it or left the machine."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, base_url=server.address, **options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    seen: Watch = watch(page)
    yield page
    context.close()
    assert seen.errors == []
    elsewhere = [url for url in seen.requests if not url.startswith((server.address, "data:", "blob:"))]
    assert seen.requests and elsewhere == []


def detected(server: Server, *names: str) -> list[int]:
    """Add videos over the API, and wait until they are looked at."""
    jobs = [server.post("/jobs", {"video_id": server.post("/videos", {"path": name})["id"]}) for name in names]
    for job in jobs:
        wait_for(lambda number=job["id"]: server.get(f"/jobs/{number}"), lambda now: now["state"] == "done")
    return [job["video_id"] for job in jobs]


def test_a_reviewer_walks_the_whole_path(browser: Browser, template: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "yard"))
    with running(folder, 0.2) as server, opened(browser, server) as page:
        page.goto("/")
        page.get_by_role("heading", name="What to do first").wait_for()
        page.get_by_role("link", name="Choose another probe").click()
        page.get_by_role("button", name="Use yard").click()
        page.get_by_role("listitem").filter(has_text="yard").get_by_text("current").wait_for()

        # Add the sample and another video, and detect in both.
        page.get_by_role("link", name="Videos").click()
        page.get_by_role("button", name="Add a sample video").click()
        page.get_by_role("link", name="street.mp4").wait_for()
        page.locator("input[type=file]").set_input_files(folder / "calm.mp4")
        page.get_by_role("link", name="calm.mp4").wait_for()
        path = page.get_by_label("Path in the project's folder")
        path.fill("nothing.mp4")
        path.press("Enter")
        page.get_by_role("alert").filter(has_text="there is no such video").wait_for()
        path.fill("flash.mp4")
        path.press("Enter")
        page.get_by_role("link", name="flash.mp4").wait_for()
        page.get_by_role("button", name="Detect in new videos").click()
        page.get_by_role("progressbar", name="Detection in flash.mp4").wait_for()
        page.get_by_role("listitem").filter(has_text="street.mp4").get_by_text("Waiting in the queue").wait_for()
        page.get_by_role("button", name="Cancel street.mp4").click()
        page.get_by_role("listitem").filter(has_text="street.mp4").get_by_text("Cancelled").wait_for()
        flash = page.get_by_role("listitem").filter(has_text="flash.mp4")
        flash.get_by_text("1 event, peak").wait_for()
        marks = flash.get_by_role("img").get_attribute("aria-label") or ""
        assert marks.startswith("1 event: 0:11.")

        # Watch: a click on the timeline seeks, so do keys.
        page.get_by_role("link", name="flash.mp4").click()
        timeline = page.get_by_role("slider", name="Timeline")
        box = timeline.bounding_box()
        assert box is not None
        page.wait_for_function("document.querySelector('video').readyState > 0")
        timeline.click(position={"x": box["width"] / 2, "y": 40})
        assert at(page) == pytest.approx(15, abs=0.2)
        timeline.press("ArrowRight")
        assert at(page) == pytest.approx(16, abs=0.2)
        assert "in event 1" in (timeline.get_attribute("aria-valuetext") or "")

        # What was measured comes before what the model said, and the caveat stands beside both.
        card = page.locator(".card").first.inner_text()
        assert card.lower().index("most like bright") < card.lower().index("the language model said: a bright flash")
        assert page.locator(".caveats").inner_text() == "fake text"

        # See where in the picture it is.
        page.keyboard.press("h")
        page.wait_for_function("document.querySelector('img.map')?.naturalHeight > 0")
        page.get_by_role("button", name="Anomaly map").click()
        page.locator("img.map").wait_for(state="detached")

        # Reject the event by its key; in a field, the same key is a letter.
        page.get_by_role("heading", level=1).click()
        page.keyboard.press("n")
        page.wait_for_function("document.querySelector('video').currentTime < 12.5")
        page.keyboard.press("r")
        page.get_by_text("rejected").wait_for()
        page.get_by_label("Kind").type("ra")
        assert [label["verdict"] for label in server.get("/labels")] == ["normal"]

        # Mark what was missed, by a drag.
        timeline.scroll_into_view_if_needed()
        box = timeline.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 40, steps=4)
        page.mouse.up()
        start = page.get_by_role("spinbutton", name="From")
        page.wait_for_function("field => field.value !== ''", arg=start.element_handle())
        assert float(start.input_value()) == pytest.approx(24, abs=0.3)
        page.get_by_role("button", name="Label what is marked as abnormal").click()
        page.get_by_role("listitem").filter(has_text="0:24.0").get_by_text("ra", exact=True).wait_for()

        # Whether a refit is better is told by two videos with labels of each class.
        (calm,) = [video["id"] for video in server.get("/videos") if video["name"] == "calm.mp4"]
        server.post(f"/videos/{calm}/labels", {"start": 0, "end": 10, "verdict": "abnormal", "kind": "ra"})
        server.post(f"/videos/{calm}/labels", {"start": 15, "end": 20, "verdict": "normal", "kind": ""})

        # Learn from it: the event is gone.
        page.get_by_role("main").get_by_role("link", name="Refit").click()
        page.get_by_role("button", name="Refit from the labels").click()
        page.get_by_role("heading", name="yard, refit 1, against yard").wait_for()
        page.get_by_text("On your labels this refit finds").first.wait_for()
        page.locator("figure svg").get_by_text("before").first.wait_for()
        page.get_by_role("button", name="Keep yard, refit 1").click()
        page.get_by_text("yard, refit 1 is the current probe").first.wait_for()
        page.get_by_role("link", name="Look at the videos").click()
        page.get_by_text("probe yard, refit 1").wait_for()
        (event,) = marks.partition(": ")[2:]
        assert event not in (flash.get_by_role("img").get_attribute("aria-label") or event)

        page.get_by_text("Export", exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Events (CSV)").click()
        assert download.value.path().read_text().startswith("video,start,end,")

        # And back.
        page.get_by_role("link", name="Refit").click()
        page.get_by_role("button", name="Roll back yard, refit 1").click()
        page.get_by_text("Rolled back; yard is the current probe").first.wait_for()
        assert [probe["state"] for probe in server.get("/probes") if probe["base_id"]] == ["rolled back"]


def test_pages_fit_a_phone_and_name_their_parts(browser: Browser, shared: Server) -> None:
    (video,) = detected(shared, "phone.mp4")
    probe = shared.get("/probes")[0]["id"]
    with opened(browser, shared, PHONE, has_touch=True, color_scheme="dark") as page:
        for path in ("/", f"/videos/{video}", "/next", "/refit", "/probes", f"/probes/{probe}"):
            page.goto(path)
            page.get_by_role("heading", level=1).wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], path
            assert page.evaluate("document.body.classList.contains('body--dark')")
            for role in ("banner", "navigation", "main"):
                assert page.get_by_role(role).count() == 1, (path, role)  # type: ignore[arg-type]
            named = "e => [e.textContent, e.ariaLabel, e.labels?.[0]?.textContent].some(text => text?.trim())"
            for part in page.locator("button:visible, a:visible, input:visible, select:visible").all():
                assert part.evaluate(named), (path, part.evaluate("e => e.outerHTML"))
        page.goto(f"/videos/{video}")
        page.get_by_role("button", name="Accept event 1").tap()
        page.get_by_role("button", name="Accept event 1", pressed=True).wait_for()
        page.get_by_role("button", name="Theme").tap()
        page.wait_for_function("document.body.classList.contains('body--light')")


def test_the_queue_asks_for_labels_one_by_one(browser: Browser, shared: Server) -> None:
    detected(shared, "queue.mp4")
    before = len(shared.get("/labels"))
    with opened(browser, shared) as page:
        page.goto("/next")
        asked = page.locator(".queue")
        first = asked.inner_text()
        page.keyboard.press("s")
        page.wait_for_function("text => document.querySelector('.queue').innerText !== text", arg=first)
        assert len(shared.get("/labels")) == before
        page.keyboard.press("r")
        labels = wait_for(lambda: shared.get("/labels"), lambda now: len(now) == before + 1)
    assert (labels[-1]["source"], labels[-1]["verdict"]) == ("next", "normal")


def test_text_of_others_never_becomes_markup(browser: Browser, shared: Server) -> None:
    (video,) = detected(shared, f"{HOSTILE}.mp4")
    for start, verdict, kind in ((12, "abnormal", HOSTILE), (0, "normal", "")):
        shared.post(f"/videos/{video}/labels", {"start": start, "end": start + 5, "verdict": verdict, "kind": kind})
    shared.post("/refits")
    with opened(browser, shared) as page:
        for path in ("/", f"/videos/{video}", "/refit"):
            page.goto(path)
            page.get_by_text(HOSTILE).first.wait_for()
            page.wait_for_timeout(300)
            assert page.evaluate("window.hurt") is None, path
            assert page.locator("img[src=x]").count() == 0
        page.goto(f"/videos/{video}")
        assert HOSTILE in page.title()
        labels = shared.get(f"/videos/{video}/labels")
        page.get_by_role("button", name="Relabel event 1").click()
        kind = page.get_by_label("Kind of anomaly")
        kind.fill("<b>theft</b>")
        kind.press("Enter")
        page.locator(".verdict").get_by_text("<b>theft</b>").wait_for()
        assert len(shared.get(f"/videos/{video}/labels")) == len(labels) + 1


def test_two_reviewers_at_a_time_each_see_what_the_other_does(browser: Browser, shared: Server) -> None:
    jobs = len(shared.get("/jobs"))
    with opened(browser, shared) as one, opened(browser, shared) as other:
        for page, name in ((one, "gate.mp4"), (other, "night.mp4")):
            page.goto("/")
            page.get_by_label("Path in the project's folder").fill(name)
            page.get_by_role("button", name="Add the video at this path").click()
            page.get_by_role("button", name=f"Detect in {name}").click()
        for page in (one, other):
            page.get_by_role("listitem").filter(has_text="gate.mp4").get_by_text("1 event").wait_for()
            page.get_by_role("listitem").filter(has_text="night.mp4").get_by_text("No event").wait_for()
            page.get_by_role("link", name="gate.mp4").click()
        one.get_by_role("button", name="Accept event 1").click()
        other.get_by_role("button", name="Accept event 1", pressed=True).wait_for()
        other.get_by_role("button", name="Withdraw event 1").click()
        one.get_by_role("button", name="Accept event 1", pressed=False).wait_for()
    assert len(shared.get("/jobs")) == jobs + 2


def at(page: Page) -> float:
    """Return where the video is, in seconds."""
    page.wait_for_function("!document.querySelector('video').seeking")
    return page.evaluate("document.querySelector('video').currentTime")
