"""What a backbone says of the same videos when it is asked differently; a part of ``prompts``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from hiprobe.arrays import FloatArray
from hiprobe.backbones import BackboneInfo, Batch
from hiprobe.datasets import LabelledVideo
from hiprobe.errors import CalibrationError, FeatureError, UndefinedMetricError
from hiprobe.explain import EXPLAIN_PROMPT
from hiprobe.explain.text import MAX_NEW_TOKENS, window_around
from hiprobe.features import FeatureStore, Progress
from hiprobe.files import write_text
from hiprobe.probing import group_folds
from hiprobe.sampling import Sampling
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Resamples, StudySettings, band
from hiprobe.studies.result import Cell, Line, Plot, Table, ranged
from hiprobe.video import Segment, sample_segments

SCHEMA = "hiprobe.text/1"

REFERENCE = "explain"
"""What the prompt of detection is called."""


@dataclass(frozen=True)
class Window:
    """The part of a video that a backbone is asked about.

    Attributes
    ----------
    video : LabelledVideo
    identity : str
        Of the video's content.
    segment : Segment
    label : str
        What is to be seen there.
    """

    video: LabelledVideo
    identity: str
    segment: Segment
    label: str


def texts(
    corpus: Corpus, reader: Reader, prompts: Mapping[str, str], settings: StudySettings
) -> tuple[tuple[Table, ...], tuple[Plot, ...], tuple[str, ...]]:
    """Ask each prompt, and that of detection, about some videos, and compare the answers.

    Parameters
    ----------
    corpus : Corpus
        The videos, read in any way.
    reader : Reader
        Its store keeps the answers, so that a run that was stopped goes on.
    prompts : mapping of str to str
        Names and prompts.
    settings : StudySettings
        ``texts`` videos a class are asked about, all where there are fewer.

    Returns
    -------
    tables, plots, notes
        None of either if ``settings.texts`` is 0.

    Raises
    ------
    FeatureError
        If a kept answer is damaged.
    """
    if not settings.texts:
        return (), (), ()
    windows = draw_windows(corpus, settings)
    asked = {REFERENCE: EXPLAIN_PROMPT, **prompts}
    said = _ask(windows, list(asked.values()), reader)
    answers = {name: [of_video[prompt] for of_video in said] for name, prompt in asked.items()}
    table, plot, notes = _compared(corpus.name, windows, answers, settings)
    abnormal = sum(window.video.is_abnormal for window in windows)
    how = (
        f"Texts: of {abnormal} abnormal and {len(windows) - abnormal} normal videos, drawn with the seed, spread over "
        f"groups; greedy, at most {MAX_NEW_TOKENS} tokens, about {Sampling().length:g} s in the middle of the longest "
        f"abnormal interval, or of the video. {REFERENCE.capitalize()} asks: {EXPLAIN_PROMPT!r} AUC "
        "of texts: whether words alone tell abnormal videos, by TF-IDF and logistic regression (C = 1) on other "
        "groups' texts; mean of the repeats, intervals as above. Where texts are few, chance lies somewhat below 0.5, "
        "as those that are held out are missing on their side. Nothing here says whether a text is true."
    )
    return (table, _listed(windows, answers)), (plot,), (how, *notes)


def draw_windows(corpus: Corpus, settings: StudySettings) -> list[Window]:
    """Draw up to ``settings.texts`` abnormal and as many normal videos, in the order of the corpus.

    Each group gives one video before another gives its second.
    """
    random = np.random.default_rng(settings.seed)
    drawn: list[int] = []
    for wanted in (True, False):
        of_group: dict[str, int] = {}
        turns: list[tuple[int, int]] = []
        for index in random.permutation(len(corpus.videos)).tolist():
            video = corpus.videos[index]
            if video.is_abnormal == wanted:
                of_group[video.group] = turn = of_group.get(video.group, 0) + 1
                turns.append((turn, index))
        # Stable, so that who is first in a turn is by chance.
        drawn += [index for _, index in sorted(turns, key=lambda pair: pair[0])[: settings.texts]]
    return [_window(corpus, index) for index in sorted(drawn)]


def _window(corpus: Corpus, index: int) -> Window:
    video, features = corpus.videos[index], corpus.features[index]
    duration = features.video.duration
    longest = max(video.intervals, key=lambda interval: interval.end - interval.start, default=None)
    middle = duration / 2 if longest is None else (longest.start + longest.end) / 2
    label = video.label if longest is None else longest.label
    return Window(video, features.identity, window_around(middle, Sampling().length, duration), label)


def _ask(windows: Sequence[Window], prompts: Sequence[str], reader: Reader) -> list[dict[str, str]]:
    """Return the answer to each prompt, for every window; those that are kept are not asked for again."""
    said = []
    for number, window in enumerate(windows):
        keys = {prompt: _key(window, prompt, reader.backbone.info) for prompt in prompts}
        found = {prompt: _kept(reader.run.store, window, key) for prompt, key in keys.items()}
        shown = _shown(window, reader) if None in found.values() else None
        for prompt in prompts:
            if found[prompt] is None and shown is not None:
                text = found[prompt] = reader.backbone.generate(shown, prompt, MAX_NEW_TOKENS)
                if reader.run.store:
                    body = {"key": keys[prompt], "text": text}
                    write_text(_path(reader.run.store, window, keys[prompt]), json.dumps(body, ensure_ascii=False))
        reader.run.report(Progress(window.video.video, number, len(windows), 1, 1))
        said.append({prompt: text for prompt, text in found.items() if text is not None})
    return said


def _shown(window: Window, reader: Reader) -> Batch:
    video, info = window.video.video.open(), reader.backbone.info
    size = info.text_size(Sampling(), info.pixels, (video.info.height, video.info.width))
    return Batch.of(list(sample_segments(video, [window.segment], Sampling().frames, size)))


def _key(window: Window, prompt: str, info: BackboneInfo) -> dict[str, Any]:
    """Return all that an answer depends on."""
    return {
        "schema": SCHEMA,
        "fingerprint": info.fingerprint,
        "prompt": prompt,
        "identity": window.identity,
        "window": [window.segment.start, window.segment.end],
        "sampling": asdict(Sampling()),
        "max_new_tokens": MAX_NEW_TOKENS,
    } | ({} if info.pixels is None else {"pixels": info.pixels})


def _path(store: FeatureStore, window: Window, key: Mapping[str, Any]) -> Path:
    digest = sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return store.folder / f"{window.video.path.stem}-{digest}.text.json"


def _kept(store: FeatureStore | None, window: Window, key: Mapping[str, Any]) -> str | None:
    path = _path(store, window, key) if store else None
    if path is None or not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["key"] == key:
            return str(found["text"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FeatureError(f"{path}: is no whole file of a text ({error}); delete it and run again.") from error
    raise FeatureError(f"{path}: holds what was said of something else; delete it and run again.")


def _compared(
    name: str, windows: Sequence[Window], answers: Mapping[str, Sequence[str]], settings: StudySettings
) -> tuple[Table, Plot, tuple[str, ...]]:
    """Return the numbers of each prompt's texts, their AUCs as dots, and why some are undefined."""
    found: dict[str, tuple[float, FloatArray]] = {}
    notes = []
    for prompt, said in answers.items():
        try:
            found[prompt] = _text_auc(name, windows, said, settings)
        except UndefinedMetricError as error:
            notes.append(f"{prompt}: {error}")
    rows: list[tuple[Cell, ...]] = []
    for prompt, said in answers.items():
        auc, difference = None, "reference" if prompt == REFERENCE else None
        if prompt in found:
            value, resampled = found[prompt]
            auc = ranged(value, band(resampled))
            if difference is None and REFERENCE in found:
                of_reference = found[REFERENCE]
                difference = ranged(value - of_reference[0], band(resampled - of_reference[1]))
        same = sum(one == other for one, other in zip(said, answers[REFERENCE], strict=True))
        words = float(np.mean([len(text.split()) for text in said]))
        rows.append((prompt, auc, difference, len(set(said)), same, words))
    head = ("prompt", "AUC of texts", f"difference from {REFERENCE}", "different", f"same as {REFERENCE}", "mean words")
    aucs = tuple(found[prompt][0] if prompt in found else None for prompt in answers)
    low, high = zip(*(band(found[prompt][1]) if prompt in found else (None, None) for prompt in answers), strict=True)
    plot = Plot("AUC of texts", "AUC of texts", "", tuple(answers), (Line("AUC", aucs, low, high),), "bars")
    return Table(f"What {len(windows)} texts a prompt tell", head, tuple(rows)), plot, tuple(notes)


def _text_auc(
    name: str, windows: Sequence[Window], said: Sequence[str], settings: StudySettings
) -> tuple[float, FloatArray]:
    """Return the AUC of held-out texts, mean of the repeats, and the same in each resample of groups.

    Raises
    ------
    UndefinedMetricError
        If all texts are the same or hold no words, or a class is in fewer than two groups.
    """
    truth = np.array([window.video.is_abnormal for window in windows])
    groups = [window.video.group for window in windows]
    if len(set(said)) < 2:
        raise UndefinedMetricError("the AUC of texts is undefined, as all of them are the same.")
    scores = []
    for seed in settings.seeds:
        held_out = np.empty(len(said))
        try:
            for fitting, rest in group_folds(truth, groups, seed=seed):
                # Balanced, so that the folds' scores, which are pooled, do not differ by their shares of classes.
                model = make_pipeline(TfidfVectorizer(), LogisticRegression(class_weight="balanced"))
                model.fit([said[index] for index in fitting], truth[fitting])
                held_out[rest] = model.decision_function([said[index] for index in rest])
        except CalibrationError as error:
            raise UndefinedMetricError(
                "the AUC of texts is undefined, as a class is in fewer than two groups; ask about more videos."
            ) from error
        except ValueError as error:  # what scikit-learn says of an empty vocabulary
            raise UndefinedMetricError("the AUC of texts is undefined, as those of a fold hold no words.") from error
        scores.append(held_out)
    resamples = Resamples(name, groups, truth[:, None], settings.draws, settings.seed)
    resampled = np.mean([resamples.frame_aucs(each[:, None]) for each in scores], axis=0)
    return float(np.mean([roc_auc_score(truth, each) for each in scores])), resampled


def _listed(windows: Sequence[Window], answers: Mapping[str, Sequence[str]]) -> Table:
    names = [window.video.path.name for window in windows]
    if len(set(names)) < len(names):
        names = [str(window.video.path) for window in windows]
    rows = tuple(
        (name, window.label, f"{window.segment.start:.1f} to {window.segment.end:.1f}", *said)
        for name, window, said in zip(names, windows, zip(*answers.values(), strict=True), strict=True)
    )
    return Table("Texts", ("video", "label", "seconds", *answers), rows)
