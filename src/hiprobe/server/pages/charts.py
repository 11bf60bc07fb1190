"""Charts to be read, not clicked: ECharts, which NiceGUI ships, in the colours of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from hiprobe.server.records import Curve, LayerSaliency

_TEXT = {"color": "var(--soft)", "fontFamily": "system-ui, sans-serif"}
_TIP = {"backgroundColor": "var(--panel)", "borderColor": "var(--line)", "textStyle": {"color": "var(--ink)"}}


def comparison_chart(curve: Curve) -> None:
    """Draw the smoothed scores of a video before and after a refit, each with its threshold."""
    chart = _chart("Seconds", f"Smoothed score over {curve.centres[-1] if curve.centres else 0:.0f} seconds")
    for name, scores, threshold, colour in (
        ("before", curve.before, curve.threshold_before, "var(--soft)"),
        ("after", curve.after, curve.threshold_after, "var(--accent)"),
    ):
        level = {"silent": True, "symbol": "none", "label": {"show": False}, "data": [{"yAxis": threshold}]}
        series = _line(name, list(zip(curve.centres, scores, strict=True)), colour)
        chart["series"].append(series | {"markLine": level | {"lineStyle": {"color": colour, "type": "dashed"}}})
    ui.echart(chart, renderer="svg").classes("chart")


def saliency_chart(found: LayerSaliency) -> None:
    """Draw S over layers, and what is reported beside it; the probe's own layer is marked."""
    chart = _chart("Layer", f"Saliency of {len(found.layers)} layers; the probe reads layer {found.layer}")
    mark = {"silent": True, "symbol": "none", "label": {"formatter": "l*", **_TEXT}, "data": [{"xAxis": found.layer}]}
    for name, values, colour, dash in (
        ("S", found.combined, "var(--accent)", "solid"),
        ("AUC", found.cv_auc, "var(--ink)", "solid"),
        ("silhouette", found.silhouette, "var(--soft)", "dotted"),
        ("stability", found.stability, "var(--soft)", "dashed"),
    ):
        series = _line(name, list(zip(found.layers, values, strict=True)), colour, dash)
        chart["series"].append(series)
    chart["series"][0]["markLine"] = mark | {"lineStyle": {"color": "var(--accent)", "type": "dashed"}}
    ui.echart(chart, renderer="svg").classes("chart")


def _chart(across: str, said: str) -> dict[str, Any]:
    axis = {
        "type": "value",
        "scale": True,
        "nameLocation": "middle",
        "nameTextStyle": _TEXT,
        "axisLabel": _TEXT | {"showMaxLabel": False},
        "axisLine": {"lineStyle": {"color": "var(--line)"}},
    }
    plain, lined = {"splitLine": {"show": False}}, {"splitLine": {"lineStyle": {"color": "var(--line)"}}}
    return {
        "animation": False,
        "textStyle": _TEXT,
        "aria": {"enabled": True, "label": {"description": said}},
        "grid": {"left": 44, "right": 16, "top": 36, "bottom": 44},
        "legend": {"top": 0, "left": 36, "icon": "rect", "itemHeight": 3, "itemGap": 18, "textStyle": _TEXT},
        "tooltip": {"trigger": "axis", "confine": True, **_TIP, ":valueFormatter": "value => value?.toFixed(3) ?? '–'"},
        "xAxis": {**axis, **plain, "name": across, "nameGap": 26, "min": "dataMin", "max": "dataMax"},
        "yAxis": {**axis, **lined, "axisLabel": _TEXT},
        "series": [],
    }


def _line(name: str, points: Sequence[tuple[float, float | None]], colour: str, dash: str = "solid") -> dict[str, Any]:
    style = {"color": colour, "width": 2, "type": dash}
    return {
        "type": "line",
        "name": name,
        "data": [list(point) for point in points],
        "showSymbol": False,
        "lineStyle": style,
        "itemStyle": {"color": colour},
        "emphasis": {"disabled": True},
    }
