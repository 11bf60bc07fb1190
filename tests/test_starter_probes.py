"""Starter probes: what ships, how it is found by name, and the maker of probes and cards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import hiprobe
from benchmarks.starter_probes import RECIPES, Measured, cross_validate, fit_starter, make
from hiprobe.datasets import LabelledVideo, load_manifest
from hiprobe.errors import ProbeError
from hiprobe.features import Features, extract_all
from hiprobe.probes import StarterProbe, find_starter, load_probe, load_starter, starter_probes
from hiprobe.probing import LogisticProbe
from tests.fakes import BEST_LAYER, FakeBackbone, write_calibration

SHIPPED = starter_probes()

Labelled = tuple[list[LabelledVideo], list[Features]]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """Labelled videos and their features by the fake backbone."""
    manifest, backbone = load_manifest(write_calibration(tmp_path_factory.mktemp("clips"))), FakeBackbone()
    return list(manifest.videos), extract_all(manifest.refs, backbone, backbone.info.reading())[0]


@pytest.fixture(scope="module")
def made(labelled: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two starter probes, made as the real ones are."""
    folder = tmp_path_factory.mktemp("probes")
    for recipe in RECIPES:
        make(recipe, *labelled, folder)
    return folder


@pytest.fixture
def starters(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("hiprobe.probes.starter.FOLDER", made)
    return made


@pytest.mark.parametrize("starter", SHIPPED, ids=lambda starter: starter.name)
def test_what_ships_is_small_of_the_embedded_backbone_and_names_no_path(starter: StarterProbe) -> None:
    from hiprobe.backbones.embedded.recipe import FINGERPRINT

    probe = LogisticProbe.load(starter.path)
    assert probe.reading.backbone == FINGERPRINT, "make it again: python -m benchmarks.starter_probes"
    assert probe.calibration.source.startswith(f"starter probe {starter.name}, fitted on ")
    assert starter.path.stat().st_size < 250_000
    assert FINGERPRINT in starter.card and "## Limits" in starter.card and 0.5 < starter.auc <= 1


def test_the_list_is_what_is_in_the_folder(starters: Path) -> None:
    assert [starter.name for starter in starter_probes()] == ["fight", "walkway-vehicles"]
    assert [starter.name for starter in SHIPPED] == ["fight", "walkway-vehicles"]


def test_a_made_probe_and_its_card(starters: Path, labelled: Labelled) -> None:
    for recipe in RECIPES:
        starter = find_starter(recipe.name)
        probe = load_starter(recipe.name)
        assert (starter.summary, starter.auc_of) == (recipe.summary, recipe.auc_of)
        assert starter.auc > 0.95 and starter.false_alarms_per_hour >= 0
        assert probe.layer == BEST_LAYER and probe.calibration.n_videos == 8
        assert probe.calibration.source == f"starter probe {recipe.name}, fitted on {recipe.folder}"
        for part in ("## Data", "## Protocol", "## Figures", "## Intended use", "## Limits", "f" * 64):
            assert part in starter.card
        assert "summary:" not in starter.card
        folder = str(labelled[0][0].path.parent)
        assert folder not in starter.card and folder.encode() not in starter.path.read_bytes()
        assert max(map(len, starter.card.splitlines())) <= 120
    assert hiprobe.starter_probes() == starter_probes()
    assert hiprobe.load_starter("fight").layer == BEST_LAYER


def test_no_video_is_scored_by_a_probe_of_its_group(labelled: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    import benchmarks.starter_probes as maker

    fitted: list[set[str]] = []
    scored: list[tuple[str, set[str]]] = []
    fit_features, score = maker.fit_features, maker.score
    group = {item.video.path: video.group for video, item in zip(*labelled, strict=True)}

    def fit(manifest, *rest, **named):
        fitted.append(set(manifest.groups))
        return fit_features(manifest, *rest, **named)

    def note(item, *rest):
        scored.append((group[item.video.path], fitted[-1]))
        return score(item, *rest)

    monkeypatch.setattr(maker, "fit_features", fit)
    monkeypatch.setattr(maker, "score", note)
    measured = cross_validate(RECIPES[0], *labelled)
    assert all(name not in groups for name, groups in scored)
    assert len(scored) == 3 * 8 and len(measured.aucs) == 3
    assert measured.abnormal == 3 * 4 and measured.normal_seconds == pytest.approx(3 * 4 * 8)
    assert set(measured.layers) == {BEST_LAYER} and measured.found == measured.abnormal


def test_false_alarms_are_per_hour() -> None:
    measured = Measured((0.9,), (), (1,), alarms=2, normal_seconds=600, found=1, abnormal=2)
    assert measured.false_alarms_per_hour == 12


def test_fitting_again_gives_the_same_probe(labelled: Labelled) -> None:
    one, two = (fit_starter(RECIPES[0], *labelled) for _ in range(2))
    assert one.scorer.weights.tolist() == two.scorer.weights.tolist()
    assert one.calibrated_threshold == two.calibrated_threshold


def test_a_file_wins_over_a_starters_name_and_a_folder_does_not(
    starters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fight").mkdir()
    assert load_probe("fight").card.source.startswith("starter probe fight")
    (tmp_path / "fight").rmdir()
    shutil.copy(starters / "walkway-vehicles.probe", tmp_path / "fight")
    assert load_probe("fight").card.source.startswith("starter probe walkway-vehicles")
    assert load_probe(tmp_path / "fight").card.source.startswith("starter probe walkway-vehicles")
    assert load_starter("fight").calibration.source.startswith("starter probe fight")
    (tmp_path / "fight").write_text("no probe")
    with pytest.raises(ProbeError, match="fight: is not a probe"):
        load_probe("fight")


def test_what_is_neither_is_one_sentence_with_the_names(
    starters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProbeError, match=r"^fihgt: is neither .* \(there are: fight, walkway-vehicles\); correct it"):
        load_probe("fihgt")
    with pytest.raises(ProbeError, match=r"^There is no starter probe 'fihgt' \(there are: fight, walkway-vehicles\);"):
        load_starter("fihgt")
    monkeypatch.setattr("hiprobe.probes.starter.FOLDER", tmp_path)
    assert starter_probes() == ()
    with pytest.raises(ProbeError, match=r"no starter probe 'fight' \(none is installed\)"):
        find_starter("fight")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("# fight\n", "damaged"),
        ("x\n---\nsummary: y\n---\nz", "begins with 'x'"),
        ("---\nsummary: y\n---\nz", "'auc'"),
        ("---\nsummary: y\nauc: high\nauc_of: clips\nfalse_alarms_per_hour: 1\n---\nz", "'high'"),
    ],
)
def test_a_card_that_is_missing_or_damaged_is_named(
    starters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, message: str
) -> None:
    shutil.copy(starters / "fight.probe", tmp_path)
    if text is not None:
        (tmp_path / "fight.md").write_text(text)
    monkeypatch.setattr("hiprobe.probes.starter.FOLDER", tmp_path)
    with pytest.raises(ProbeError, match=rf"fight\.md: .*{message}.*; install hiprobe again\."):
        starter_probes()
    assert load_probe("fight").reading.layer == BEST_LAYER
