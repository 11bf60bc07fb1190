"""Refit: learn from the labels, look at before and after, keep it or roll it back."""

from __future__ import annotations

from fastapi import FastAPI
from nicegui import ui

from hiprobe.server.pages.charts import comparison_chart
from hiprobe.server.pages.frame import attempt, frame
from hiprobe.server.pages.widgets import Button, Link, Tag, figure, plural, probe_name
from hiprobe.server.records import Comparison, ProbeRecord
from hiprobe.server.service import Service

_SHOWN = 6
"""Curves that are shown; the figures are of all videos."""

_COMPARED = ("candidate", "not offered")
"""States of refits that nobody has decided on."""


def add(app: FastAPI, service: Service) -> None:
    """Add the page to the application."""

    @ui.page("/refit", api_router=app.router)  # type: ignore[arg-type]
    async def _() -> None:
        with frame(service, "Refit", "/refit") as news:
            page = _Refit(service, news)
        await page.show_latest()


class _Refit:
    def __init__(self, service: Service, news: Tag) -> None:
        self._service, self._news = service, news
        with Tag("div", classes="heading"):
            Tag("h1", "Refit")
            self._button = Button("Refit from the labels", self._refit, "primary")
        self._basis = Tag("p", "", "soft")
        self._hint = Tag("p", "A refit needs abnormal and normal labels: judge events, mark what was missed.")
        self._found = Tag("section").attribute("aria-label", "Before and after")
        Tag("h2", "Versions")
        self._versions = Tag("ul", classes="rows")
        self.refresh()

    def refresh(self) -> None:
        """Show the labels and versions that the service has now."""
        labels, probe = self._service.labels.list(), self._service.probes.current()
        abnormal = sum(label.verdict == "abnormal" for label in labels)
        videos = plural(len({label.video_id for label in labels}), "video")
        self._basis.say(
            f"The current probe is {probe_name(probe)}. There are {plural(len(labels), 'label')} on {videos}: "
            f"{abnormal} abnormal, {len(labels) - abnormal} normal."
        )
        ready = 0 < abnormal < len(labels)
        self._hint.show(not ready)
        self._button.enable(ready)
        self._versions.clear()
        family = probe.base_id or probe.id
        with self._versions:
            for one in self._service.probes.list():
                if family in (one.id, one.base_id):
                    self._version(one)

    async def show_latest(self) -> None:
        """Show the candidate that waits for a decision, if there is one."""
        current = self._service.probes.current()
        waiting = [one for one in self._service.probes.list() if one.state in _COMPARED and one.before_id == current.id]
        if waiting:
            await self._compare(max(waiting, key=lambda one: one.version).id)

    def _version(self, probe: ProbeRecord) -> None:
        with Tag("li"):
            with Tag("div", classes="what"):
                Link(probe_name(probe), f"/probes/{probe.id}", "name")
                facts = {
                    "given": "as it was given",
                    "refit": f"{plural(probe.n_labels, 'label')}, {probe.state}",
                    "threshold": f"threshold {probe.threshold:.3f}, {probe.state}",
                    "ordinary": f"threshold {probe.threshold:.3f} by ordinary footage, {probe.state}",
                }
                Tag("span", facts[probe.made], "soft")
            auc = f"AUC {figure(probe.auc_before)} → {figure(probe.auc_after)}" if probe.made == "refit" else ""
            Tag("span", auc, "soft")
            with Tag("div", classes="acts"):
                if probe.current:
                    Tag("span", "current", "badge")
                if probe.state in _COMPARED:
                    Button("Compare", lambda: self._compare(probe.id), name=f"Compare {probe_name(probe)}")
                elif probe.state == "kept":
                    Button("Roll back", lambda: self._roll_back(probe.id), name=f"Roll back {probe_name(probe)}")

    async def _refit(self) -> None:
        self._button.enable(False)
        self._button.say("Refitting …")
        try:
            found = await attempt(self._service.refits.refit)
        finally:
            self._button.say("Refit from the labels")
        self.refresh()
        if found is not None:
            self._show(found)

    async def _compare(self, probe_id: int) -> None:
        found = await attempt(self._service.refits.compare, probe_id)
        if found is not None:
            self._show(found)

    def _show(self, found: Comparison) -> None:
        probe = found.probe
        self._found.clear()
        with self._found:
            Tag("h2", f"{probe_name(probe)}, against {probe_name(found.before)}")
            verdict, *notes = probe.notes or ("",)
            Tag("p", verdict)
            with Tag("dl", classes="figures"):
                for name, value in (
                    ("AUC before", figure(probe.auc_before)),
                    ("AUC after", figure(probe.auc_after)),
                    ("Labels", str(probe.n_labels)),
                ):
                    with Tag("div"):
                        Tag("dt", name)
                        Tag("dd", value)
            Tag("p", "On labelled segments and events; after the refit, cross-validated over videos.", "soft")
            for note in notes:
                Tag("p", note, "soft")
            if probe.state == "candidate":
                with Tag("div", classes="line"):
                    Button("Keep", lambda: self._keep(probe.id), "primary", f"Keep {probe_name(probe)}")
                    Button("Roll back", lambda: self._roll_back(probe.id), name=f"Roll back {probe_name(probe)}")
            else:
                Tag("p", "It is not offered, and stays in the list below. The probe before it stays current.", "soft")
            with Tag("div", classes="curves"):
                for curve in found.curves[:_SHOWN]:
                    with Tag("figure"):
                        Tag("figcaption", f"{curve.video}, smoothed score")
                        comparison_chart(curve)
            if len(found.curves) > _SHOWN:
                Tag("p", f"{len(found.curves) - _SHOWN} more videos are not drawn.", "soft")
        self._news.say(verdict)

    async def _keep(self, probe_id: int) -> None:
        kept = await attempt(self._service.refits.keep, probe_id)
        if kept is not None:
            self._done(f"{probe_name(kept)} is the current probe; what was detected has been scored anew.")

    async def _roll_back(self, probe_id: int) -> None:
        current = await attempt(self._service.refits.roll_back, probe_id)
        if current is not None:
            self._done(f"Rolled back; {probe_name(current)} is the current probe.")

    def _done(self, words: str) -> None:
        self._found.clear()
        with self._found:
            Tag("p", words, "done")
            Link("Look at the videos", "/", "button")
        self._news.say(words)
        self.refresh()
