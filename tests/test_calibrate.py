"""``calibrate``: a probe fitted to a camera by its ordinary footage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hiprobe.backbones
from hiprobe.errors import UsageError
from hiprobe.features import Features, FeatureStore, Run, extract_all
from hiprobe.localize import LocalizeSettings
from hiprobe.pipeline import calibrate, detect, fit, fit_normal
from hiprobe.pipeline.calibrate import calibrate_features
from hiprobe.probes import load_probe
from hiprobe.probing import LogisticProbe, Probe
from hiprobe.video import VideoRef
from tests.fakes import (
    FakeBackbone,
    FakeTokenBackbone,
    bright_video,
    write_calibration,
    write_normal,
    yard_video,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[LogisticProbe, list[Path]]:
    folder = tmp_path_factory.mktemp("site")
    probe = fit(write_calibration(folder), FakeBackbone()).probe
    return probe, [bright_video(folder / f"ordinary{i}.mp4", 30, seed=40 + i) for i in range(2)]


def test_the_threshold_is_of_the_cameras_own_footage(site, tmp_path: Path) -> None:
    probe, footage = site
    found = calibrate(probe, footage, FakeBackbone(), false_alarms=240)
    assert isinstance(found, LogisticProbe) and found.alarms is not None
    assert found.alarms.asked == 240 and found.alarms.hours == pytest.approx(1 / 60)
    assert found.calibrated_threshold == found.alarms.threshold_for(240) == found.alarms.peaks[3]
    count = sum(len(detect(video, found, FakeBackbone()).events) for video in footage)
    assert count <= 4
    assert found.scorer is probe.scorer and "ordinary footage" in found.card.notes[-1]
    found.save(tmp_path / "site.probe")
    again = load_probe(tmp_path / "site.probe")
    assert (again.alarms, again.calibrated_threshold) == (found.alarms, found.calibrated_threshold)
    daily = calibrate(probe, footage, FakeBackbone(), alarms_per_day=240 * 24)
    assert daily.calibrated_threshold == found.calibrated_threshold
    wrong: tuple[dict[str, Any], ...] = ({}, {"alarms_per_day": 1, "false_alarms": 1}, {"false_alarms": 0})
    for rates in wrong:
        with pytest.raises(UsageError):
            calibrate(probe, footage, FakeBackbone(), **rates)


def test_a_one_class_probe_is_calibrated_the_same_way(tmp_path: Path) -> None:
    backbone, run = FakeTokenBackbone(), Run(FeatureStore(tmp_path / "store"))
    probe: Probe = fit_normal(write_normal(tmp_path), backbone, run=run).probe
    found = calibrate(probe, [yard_video(tmp_path / "hour.mp4", 30, seed=9)], backbone, false_alarms=240, run=run)
    assert found.alarms is not None and not found.probabilities
    assert found.calibrated_threshold == found.alarms.peaks[1]


def test_an_event_that_hides_in_the_footage_is_named_and_left_out(site) -> None:
    probe, footage = site
    (item, _), _ = extract_all([VideoRef.of(video) for video in footage], FakeBackbone(), probe.extraction)
    long = _long(item, 600)
    logits = np.random.default_rng(2).normal(-2, 0.6, 600)
    clean = calibrate_features(_scoring(probe, logits), [long], 6.0)
    logits[300:305] = 9.0
    hidden = calibrate_features(_scoring(probe, logits), [long], 6.0)
    assert not clean.odd
    (odd,) = hidden.odd
    assert odd.event.start < 305 and odd.event.end > 300 and odd.event.peak > 0.9
    assert hidden.probe.calibrated_threshold < 0.6 < odd.event.peak
    half = calibrate_features(_scoring(probe, logits), [long], 6.0, within=(0, 290))
    assert not half.odd and half.alarms.hours == pytest.approx(290 / 3600)


def test_the_command_says_threshold_rate_and_footage(site, tmp_path: Path, run, monkeypatch) -> None:
    probe, footage = site
    monkeypatch.setattr(hiprobe.backbones, "load_backbone", lambda *_, **__: FakeBackbone())
    monkeypatch.setenv("HIPROBE_CACHE", str(tmp_path / "cache"))
    probe.save(tmp_path / "yard.probe")
    words = ("calibrate", tmp_path / "yard.probe", *footage, "-o", tmp_path / "site.probe")
    code, out, err = run(*words, "--alarms-per-day", 2)
    assert code == 0, err
    assert "1.0 minutes" in out and "threshold" in out and "(95%: " in out and "cannot count 2 a day" in out + err
    alarms = load_probe(tmp_path / "site.probe").alarms
    assert alarms is not None and alarms.asked == pytest.approx(2 / 24)
    code, _, err = run(*words)
    assert code == 2 and "one of the two" in err


def _long(item: Features, count: int) -> Features:
    starts = np.arange(count, dtype=np.float64)
    return replace(
        item,
        starts=starts,
        ends=starts + 1,
        states=np.arange(count, dtype=np.float32)[:, None, None],
        looks=None,
        video=replace(item.video, duration=float(count)),
    )


def _scoring(probe: LogisticProbe, logits: np.ndarray) -> LogisticProbe:
    """A probe that gives segment i the score of logits[i], its state."""

    class Fixed(LogisticProbe):
        def score(self, kept):
            return 1 / (1 + np.exp(-logits[kept[:, 0].astype(int)]))

    fields: dict[str, Any] = vars(probe) | {"localize": LocalizeSettings(sigma=0.0)}
    return Fixed(**fields)
