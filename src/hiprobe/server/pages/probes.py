"""The probes: what each finds, how well by its card, why it reads its layer, and which one is used."""

from __future__ import annotations

import re

from fastapi import FastAPI
from nicegui import ui

from hiprobe.errors import HiProbeError
from hiprobe.server.pages.charts import saliency_chart
from hiprobe.server.pages.frame import attempt, frame
from hiprobe.server.pages.widgets import Button, Link, Tag, figure, plural, probe_name
from hiprobe.server.records import LayerSaliency, ProbeRecord
from hiprobe.server.service import Service


def add(app: FastAPI, service: Service) -> None:
    """Add the pages to the application."""

    @ui.page("/probes", api_router=app.router)  # type: ignore[arg-type]
    def _() -> None:
        with frame(service, "Probes", "/probes"):
            Tag("h1", "Probes")
            Tag("p", "A probe is what detection looks for. Refits make new versions of the current one.", "soft")
            place = Tag("ul", classes="rows")
            _list(service, place)

    @ui.page("/probes/{probe_id}", api_router=app.router)  # type: ignore[arg-type]
    def _(probe_id: int) -> None:
        try:
            probe = service.probes.get(probe_id)
        except HiProbeError as error:
            with frame(service, "No such probe", "/probes"):
                Tag("h1", "No such probe")
                Tag("p", str(error))
                Link("Back to the probes", "/probes")
            return
        with frame(service, probe_name(probe), "/probes"):
            _one(service, probe)


def _list(service: Service, place: Tag) -> None:
    place.clear()
    with place:
        for probe in service.probes.list():
            if probe.state in ("given", "kept"):
                _row(service, probe, place)


def _row(service: Service, probe: ProbeRecord, place: Tag) -> None:
    async def choose() -> None:
        if await attempt(service.probes.choose, probe.id) is not None:
            _list(service, place)

    with Tag("li"):
        with Tag("div", classes="what"):
            Link(probe_name(probe), f"/probes/{probe.id}", "name")
            Tag("span", probe.summary, "soft")
        Tag("span", "" if probe.fits else "of another backbone", "soft")
        with Tag("div", classes="acts"):
            if probe.current:
                Tag("span", "current", "badge")
            elif probe.fits:
                Button("Use", choose, name=f"Use {probe_name(probe)}")


def _one(service: Service, probe: ProbeRecord) -> None:
    Link("All probes", "/probes", "back")
    Tag("h1", probe_name(probe))
    Tag("p", probe.summary, "soft")
    facts = [("Layer", str(probe.layer)), ("Pooling", probe.pooling), ("Threshold", figure(probe.threshold))]
    if probe.made == "refit":
        facts += [
            ("Labels", str(probe.n_labels)),
            ("AUC before", figure(probe.auc_before)),
            ("AUC after", figure(probe.auc_after)),
        ]
    with Tag("dl", classes="figures"):
        for name, value in facts:
            with Tag("div"):
                Tag("dt", name)
                Tag("dd", value)
    for note in probe.notes:
        Tag("p", note, "soft")
    Tag("h2", "Layer saliency")
    try:
        found = service.probes.saliency(probe.id)
    except HiProbeError as error:
        Tag("p", str(error), "soft")
    else:
        said = f"Of {plural(len(found.layers), 'layer')}, the probe reads layer {found.layer}. "
        Tag(
            "p", f"{said}S combines D_KL, LDR and H; cross-validated AUC and the others are reported beside it.", "soft"
        )
        saliency_chart(found)
        _table(found)
    if probe.card:
        # The card's own heading goes below the page's.
        ui.markdown(re.sub(r"(?m)^#", "##", probe.card)).classes("prose")


def _table(found: LayerSaliency) -> None:
    """Add the figures of the chart, for who wants or needs to read them."""
    columns = {
        "S": found.combined,
        "D_KL": found.d_kl,
        "LDR": found.ldr,
        "H": found.entropy,
        "silhouette": found.silhouette,
        "AUC": found.cv_auc,
        "stability": found.stability,
    }
    with Tag("details"):
        Tag("summary", "Figures of every layer")
        with Tag("div", classes="wide"), Tag("table"):
            with Tag("thead"), Tag("tr"):
                for name in ("layer", *columns):
                    Tag("th", name).attribute("scope", "col")
            with Tag("tbody"):
                for index, layer in enumerate(found.layers):
                    with Tag("tr").attribute("class", "own" if layer == found.layer else None):
                        Tag("th", str(layer)).attribute("scope", "row")
                        for values in columns.values():
                            Tag("td", figure(values[index]))
        for note in found.notes:
            Tag("p", note, "soft")
