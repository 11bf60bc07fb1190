"""What a backbone says to each prompt: whose texts are known, kept, and compared."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiprobe.backbones import Batch
from hiprobe.datasets import Manifest, load_manifest
from hiprobe.errors import FeatureError, UsageError
from hiprobe.explain import EXPLAIN_PROMPT
from hiprobe.explain.text import MAX_NEW_TOKENS
from hiprobe.features import FeatureStore, Run
from hiprobe.studies import run_study
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.prompts import PROMPTS
from hiprobe.studies.protocol import StudySettings
from hiprobe.studies.result import shown
from hiprobe.studies.texts import draw_windows, texts
from tests.fakes import FakeBackbone, write_calibration

QUICK = StudySettings(repeats=1, draws=30)


class Speaker(FakeBackbone):
    """What it says depends on the prompt and on whether the frames are bright; it may fall silent after so many."""

    def __init__(self, fingerprint: str = "f" * 64, patience: int = 10_000) -> None:
        super().__init__(fingerprint)
        self.said = 0
        self.patience = patience

    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        frames = batch.frames
        assert frames.shape == (1, 8, 12, 16, 3) and max_new_tokens == MAX_NEW_TOKENS and batch.seconds == [2.0]
        if self.said == self.patience:
            raise KeyboardInterrupt
        self.said += 1
        seen = "a bright flash" if frames.mean() > 120 else "it is dark"
        return {
            EXPLAIN_PROMPT: seen,
            PROMPTS["default"]: "Nothing happens.",
            PROMPTS["none"]: f"{seen} {int(frames.astype(np.int64).sum())}",
            PROMPTS["describe"]: seen if frames.mean() > 120 else "two\nlines | and six words",
            PROMPTS["yes or no"]: "?" if frames.mean() > 120 else "!",
            PROMPTS["guard"]: seen,
            PROMPTS["unrelated"]: "",
        }[prompt]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("texts")
    return load_manifest(write_calibration(folder))


@pytest.fixture(scope="module")
def corpus(manifest: Manifest) -> Corpus:
    return Reader(Speaker()).read(manifest)


def test_each_prompts_texts_are_counted_and_measured(manifest: Manifest) -> None:
    (result,) = run_study("prompts", [manifest], Reader(Speaker()), QUICK)
    _, numbers, listed = result.tables
    sure = "1.000 (1.000 to 1.000)"
    assert numbers.rows == (
        ("explain", sure, "reference", 2, 8, 3.0),
        ("default", None, None, 1, 0, 2.0),
        ("none", sure, "0.000 (0.000 to 0.000)", 8, 0, 4.0),
        ("describe", sure, "0.000 (0.000 to 0.000)", 2, 4, 4.5),
        ("yes or no", None, None, 2, 0, 1.0),
        ("guard", sure, "0.000 (0.000 to 0.000)", 2, 8, 3.0),
        ("unrelated", None, None, 1, 0, 0.0),
    )
    reasons = [note for note in result.notes if "undefined" in note]
    assert ["same" in note for note in reasons] == [True, False, True] and "no words" in reasons[1]
    assert listed.head == ("video", "label", "seconds", "explain", *PROMPTS)
    assert listed.rows[0][:5] == ("dark0.mp4", "normal", "3.0 to 5.0", "it is dark", "Nothing happens.")
    assert listed.rows[1][:5] == ("bright0.mp4", "flash", "3.0 to 5.0", "a bright flash", "Nothing happens.")
    assert "two lines \\| and six words" in listed.markdown() and shown("a\nb|") == "a b\\|"
    assert result.settings["texts"] == 12 and result.plots[-1].lines[0].y[:2] == (1.0, None)


def test_no_texts_are_asked_for_where_none_are_wanted(manifest: Manifest) -> None:
    backbone = Speaker()
    (result,) = run_study("prompts", [manifest], Reader(backbone), replace(QUICK, texts=0))
    assert len(result.tables) == 1 and not backbone.said
    with pytest.raises(UsageError, match="Texts of -1 videos"):
        replace(QUICK, texts=-1)


def test_a_run_that_was_stopped_goes_on(corpus: Corpus, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "kept")
    stopped, after, other = Speaker(patience=17), Speaker(), Speaker("e" * 64)
    with pytest.raises(KeyboardInterrupt):
        texts(corpus, Reader(stopped, Run(store)), PROMPTS, QUICK)
    found = texts(corpus, Reader(after, Run(store)), PROMPTS, QUICK)
    every = 8 * (len(PROMPTS) + 1)
    assert after.said == every - 17
    assert texts(corpus, Reader(after, Run(store)), PROMPTS, QUICK) == found and after.said == every - 17
    assert texts(corpus, Reader(other), PROMPTS, QUICK) == found  # nowhere to keep anything
    one = next(store.folder.glob("dark0-*.text.json"))
    whole = one.read_text()
    for damage, message in ((whole[:-9], "no whole file"), (json.dumps({"key": {}, "text": "x"}), "something else")):
        one.write_text(damage)
        with pytest.raises(FeatureError, match=message):
            texts(corpus, Reader(Speaker(), Run(store)), PROMPTS, QUICK)
    one.write_text(whole)
    texts(corpus, Reader(other, Run(store)), PROMPTS, QUICK)
    assert other.said == 2 * every  # what another backbone said does not count


def test_windows_are_spread_over_groups_and_lie_in_the_middle(corpus: Corpus) -> None:
    # Three dark and three bright videos of one group, and one of each of another.
    groups = ["a", "a", "a", "a", "a", "a", "b", "b"]
    uneven = replace(corpus, videos=tuple(replace(v, group=g) for v, g in zip(corpus.videos, groups, strict=True)))
    for seed in range(8):
        drawn = draw_windows(uneven, StudySettings(seed=seed, texts=2))
        assert Counter((one.video.is_abnormal, one.video.group) for one in drawn) == {
            (abnormal, group): 1 for abnormal in (True, False) for group in "ab"
        }
    draws = [draw_windows(uneven, StudySettings(seed=seed, texts=2)) for seed in range(8)]
    assert len({tuple(window.video.path for window in windows) for windows in draws}) > 1
    assert len(draw_windows(corpus, QUICK)) == 8
    first, longer = corpus.videos[1].intervals[0], replace(corpus.videos[1].intervals[0], start=6.5, end=8, label="x")
    two = replace(corpus.videos[1], intervals=(replace(first, end=3.0), longer))
    whole = replace(corpus.videos[3], intervals=())
    labelled = replace(corpus, videos=(corpus.videos[0], two, corpus.videos[2], whole, *corpus.videos[4:]))
    windows = draw_windows(labelled, QUICK)
    assert (windows[1].segment.start, windows[1].segment.end, windows[1].label) == (6.0, 8.0, "x")
    assert (windows[3].segment.start, windows[3].label) == (3.0, "flash")


def test_one_group_has_no_auc(corpus: Corpus) -> None:
    _, _, notes = texts(corpus, Reader(Speaker()), PROMPTS, replace(QUICK, texts=1))
    assert any("fewer than two groups" in note for note in notes)
