"""``sites``: the vision tower's layers and the projector as places to read, beside the decoder's layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.datasets import Manifest
from hiprobe.probing import layer_auc
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import (
    Fit,
    Rows,
    StudySettings,
    at_layer,
    by_auc,
    by_dlsp,
    layer_curve,
    measure,
)
from hiprobe.studies.result import Line, Plot, StudyResult, Table, ranged


def sites(manifest: Manifest, reader: Reader, settings: StudySettings) -> StudyResult:
    """Draw AUC against layer for each site, and compare layers chosen there with the paper's method."""
    decoder = reader.read(manifest)
    places = {f"decoder, {reader.backbone.info.pooling}": decoder}
    places |= _halves("vision", "change", reader.read_site(manifest, "vision"))
    places |= _halves("projector", "motion", reader.read_site(manifest, "projector"))
    methods, chosen = [], []
    for name, corpus in places.items():
        # One layer needs no choice.
        rules = {"DLSP": by_dlsp, "AUC": by_auc} if len(corpus.layers) > 1 else {"": lambda *_: 0}
        for title, rule in rules.items():
            full = f"{name}: {title}" if title else name
            methods.append(measure(corpus, full, lambda seed, by=rule: at_layer(by, seed), settings))
            chosen.append(corpus.layers[rule(corpus, np.arange(len(corpus.labels)))])
    everywhere = measure(decoder, "any site: AUC", lambda seed: _anywhere(places, seed), settings)
    name, index = _best(places, np.arange(len(decoder.labels)))
    table, bars = comparison(
        "Sites", [*methods, everywhere], methods[0], {"layer, on all videos": [*chosen, f"{name}, {index + 1}"]}
    )
    curves = {name: layer_curve(corpus, settings) for name, corpus in places.items()}
    rows = [
        (name, layer, ranged(auc, band))
        for name, (aucs, bands) in curves.items()
        for layer, auc, band in zip(places[name].layers, aucs, bands, strict=True)
    ]
    plots = [bars]
    for site in ("vision", "decoder"):
        names = [name for name in places if name.startswith(site)]
        lines = [Line(name, tuple(curves[name][0]), *zip(*curves[name][1], strict=True)) for name in names]
        plots.append(Plot(f"Frame AUC: {site}", "layer", "frame AUC", places[names[0]].layers, tuple(lines)))
    notes = (
        HOW,
        "DLSP: the layer of the highest S. AUC: that of the highest segment AUC, cross-validated within the fitting "
        "folds; over all layers of all sites for the last row.",
        "Mean: of patches, or of visual tokens, over all frames. Change: the mean over patches of their standard "
        "deviation over frames. Motion: visual tokens weighted by motion. The projector is what the first block of the "
        "decoder is given.",
    )
    each = Table("Frame AUC of each layer", ("site", "layer", "frame AUC"), tuple(rows))
    return StudyResult("sites", (decoder.name,), (table, each), tuple(plots), notes)


def _halves(site: str, second: str, corpus: Corpus) -> dict[str, Corpus]:
    half = corpus.states.shape[2] // 2
    first, other = (corpus.part(width=width) for width in (slice(half), slice(half, None)))
    return {f"{site}, mean": first, f"{site}, {second}": other}


def _best(places: Mapping[str, Corpus], rows: Rows) -> tuple[str, int]:
    """Return the site, and the index of its layer, of the highest cross-validated segment AUC on some segments."""
    found = {name: layer_auc(one.states[rows], one.labels[rows], one.groups[rows]) for name, one in places.items()}
    name = max(found, key=lambda name: found[name].max())
    return name, int(np.argmax(found[name]))


def _anywhere(places: Mapping[str, Corpus], seed: int) -> Fit:
    def fit(corpus: Corpus, rows: Rows) -> Callable[[Corpus], FloatArray]:
        name, index = _best(places, rows)
        score = at_layer(lambda *_: index, seed)(places[name], rows)
        return lambda _: score(places[name])

    return fit
