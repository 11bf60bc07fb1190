"""What was found, as files: links to the API."""

from __future__ import annotations

from hiprobe.server.pages.widgets import Link, Tag

_FORMS = {"report": "Report (HTML)", "csv": "Events (CSV)", "json": "Results (JSON)", "clips": "Clips (ZIP)"}


def export_menu(video_id: int | None = None) -> Tag:
    """Add a menu of downloads, of one video or of all."""
    of = "" if video_id is None else f"?video={video_id}"
    with Tag("details", classes="menu") as menu:
        Tag("summary", "Export", "button")
        with Tag("div", classes="choices"):
            for form, words in _FORMS.items():
                Link(words, f"/api/v1/export/{form}{of}", download=True)
    return menu
