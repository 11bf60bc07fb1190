"""``prompts``: what the question that follows the frames does to saliency, the layer, the AUC, and the texts."""

from __future__ import annotations

from hiprobe.backbones import DEFAULT_PROMPT
from hiprobe.datasets import Manifest
from hiprobe.probing import saliency
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Reader
from hiprobe.studies.protocol import StudySettings, at_layer, by_dlsp, measure
from hiprobe.studies.result import Line, Plot, StudyResult
from hiprobe.studies.texts import texts as compare_texts

PROMPTS = {
    "default": DEFAULT_PROMPT,
    "none": " ",
    "describe": "Describe this video.",
    "yes or no": "Does anything dangerous, violent or unusual happen in this video? Answer yes or no.",
    "guard": "You are a security guard who watches a camera. Is there anything that you would report?",
    "unrelated": "What is the capital of France?",
}


def prompts(manifest: Manifest, reader: Reader, settings: StudySettings) -> StudyResult:
    """Read the videos with each prompt, ask each about some of them, and compare."""
    methods, peaks, curves = [], [], []
    info = reader.backbone.info
    corpora = reader.read_together(manifest, [info.reading(prompt=prompt) for prompt in PROMPTS.values()])
    for title, corpus in zip(PROMPTS, corpora, strict=True):
        found = saliency(corpus.states, corpus.labels, layers=corpus.layers)
        methods.append(measure(corpus, title, lambda seed: at_layer(by_dlsp, seed), settings))
        peaks.append(found.layer)
        curves.append(Line(title, tuple(found.combined.tolist())))
    texts = [prompt.strip() or "(nothing)" for prompt in PROMPTS.values()]
    table, bars = comparison("Prompts", methods, methods[0], {"l* on all videos": peaks, "prompt": texts})
    plots = (bars, Plot("S by prompt", "layer", "S", corpora[0].layers, tuple(curves)))
    tables, bars_of_texts, notes = compare_texts(corpora[0], reader, PROMPTS, settings)
    return StudyResult(
        "prompts",
        (corpora[0].name,),
        (table, *tables),
        (*plots, *bars_of_texts),
        (HOW, *notes),
        {"texts": settings.texts},
    )
