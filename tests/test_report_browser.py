"""The report as people meet it: in a real browser, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hiprobe.localize import Unjudged
from hiprobe.probing import CalibrationSegment
from hiprobe.report import write_report
from hiprobe.samples import DEMO_VIDEO
from tests.browser import watch
from tests.detections import detection

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EVENTS = [(6.3, 9.1), (14.6, 18.2), (21.1, 24.6)]
EVIL = "</script><img src=x onerror=alert(1)><svg onload=alert(2)>"

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of the demo's video, of twelve videos, and of names that want to be scripts."""
    folder = tmp_path_factory.mktemp("reports")
    demo = detection(DEMO_VIDEO, EVENTS, warnings=("Look at the video before relying on a text.",))
    write_report([demo], folder / "demo.html", datetime(2026, 3, 1, 22, 0, tzinfo=UTC))
    write_report((detection(DEMO_VIDEO, EVENTS[: k % 4]) for k in range(12)), folder / "many.html")
    dark = Unjudged(26.0, 29.0, "blind", "The picture is black.")
    write_report([detection(DEMO_VIDEO, EVENTS, unjudged=(dark,))], folder / "dark.html")
    evil = detection(DEMO_VIDEO, EVENTS, text=EVIL, similar=(CalibrationSegment(EVIL, 0, 2, EVIL),), warnings=(EVIL,))
    write_report([evil], folder / "evil.html")
    return folder


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Open:
    """Return a way to open a report offline; when it is closed, nothing was asked for and nothing complained about."""

    @contextmanager
    def call(name: str, **context: Any) -> Iterator[Page]:
        with browser.new_context(offline=True, **context) as session:
            page = session.new_page()
            seen = watch(page)
            page.goto((folder / name).as_uri())
            page.wait_for_function("window.Plotly")
            yield page
            asked = [url for url in seen.requests if not url.startswith("data:")]
            assert asked == [(folder / name).as_uri()] and seen.errors == []

    return call


def test_the_timeline_is_drawn_and_tells_more_under_the_mouse(opened: Open) -> None:
    with opened("demo.html") as page:
        page.wait_for_selector(".chart .js-line")
        assert page.locator(".chart .scatterlayer .js-line").count() == 2
        assert page.locator(".chart .shapelayer path").count() == 1 + len(EVENTS)
        box = page.locator(".chart .nsewdrag").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 7.5 / 30, box["y"] + box["height"] / 2)
        told = page.locator(".chart .hoverlayer .legend")
        told.wait_for()
        text = told.text_content() or ""
        assert "smoothed 0.90" in text and "2026-03-01 22:00:0" in text
        assert page.locator(".card h3").nth(0).inner_text().split() == (
            ["Event", "1", "0:06.3", "–", "0:09.1", "2026-03-01", "22:00:06", "UTC"]
        )


def test_what_could_not_be_judged_is_veiled_in_the_timeline(opened: Open) -> None:
    with opened("dark.html") as page:
        page.wait_for_selector(".chart .js-line")
        veils = page.locator('.chart .layer-above .shapelayer path:not([data-index="0"])')
        assert veils.count() == 1
        box, plot = veils.bounding_box(), page.locator(".chart .nsewdrag").bounding_box()
        assert box and plot and (box["x"] - plot["x"]) / plot["width"] == pytest.approx(26 / 30, abs=0.01)
        assert box["width"] / plot["width"] == pytest.approx(3 / 30, abs=0.01)
        assert page.locator(".stretches").inner_text().endswith("0:26.0 – 0:29.0 The picture is black.")


def test_it_says_in_words_what_it_shows(opened: Open) -> None:
    with opened("demo.html") as page:
        assert page.locator("h1").inner_text() == "3 events in street.mp4"
        assert page.locator("img").count() == 9
        assert page.locator("img").evaluate_all("all => all.every((one) => one.alt && one.naturalWidth > 0)")
        assert page.get_by_role("img", name="Score of street.mp4 over time").is_visible()
        page.get_by_text("Scores as a table").click()
        rows = page.locator("details[open] tbody tr")
        told = {row.split()[0]: row.split()[-1] for row in rows.all_inner_texts()}
        assert len(told) == 24 and (told["0:06.0"], told["0:12.0"]) == ("yes", "no")
        assert "day6_fight.mp4, 0:02.0 – 0:04.0" in page.locator(".card").nth(0).inner_text()


def test_charts_are_drawn_when_scrolled_to_or_printed(opened: Open) -> None:
    with opened("many.html") as page:
        drawn = page.locator(".chart .js-line")
        page.evaluate("() => new Promise(requestAnimationFrame)")
        before = drawn.count()
        page.locator("#video-12").scroll_into_view_if_needed()
        page.wait_for_selector("#video-12 .js-line", state="attached")
        assert before < drawn.count() < 2 * 12
        assert page.pdf().startswith(b"%PDF")
        assert drawn.count() == 2 * 12
        page.emulate_media(media="print")
        assert not page.locator(".back, .hint").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_scheme_and_fits_a_phone(opened: Open, scheme: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    for name in ("demo.html", "many.html", "evil.html"):
        with opened(name, color_scheme=scheme, **phone) as page:
            page.wait_for_timeout(100)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            red = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]")
            assert (int(red) < 64) == (scheme == "dark")


def test_text_of_others_stays_text(opened: Open) -> None:
    with opened("evil.html") as page:
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        page.wait_for_selector(".chart .js-line")
        assert EVIL in page.locator(".model").first.inner_text()
        assert page.locator("img:not(.stills img)").count() == 0


def test_its_policy_lets_no_other_script_run(opened: Open, folder: Path) -> None:
    page_text = (folder / "demo.html").read_text()
    (folder / "changed.html").write_text(page_text.replace("</body>", "<script>window.ran = 1</script></body>"))
    with pytest.raises(AssertionError, match="Content Security Policy"), opened("changed.html") as page:
        assert page.evaluate("window.ran") is None
    assert json.loads(page_text.split('<script type="application/json">')[1].split("</script>")[0])["threshold"] == 0.5
