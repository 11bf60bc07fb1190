"""The probe file: exact round trip, and a clear error for whatever may be wrong with it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors import safe_open

from hiprobe.backbones import POOLINGS, VIEWS, BackboneInfo, Reading
from hiprobe.errors import OutputError, ProbeError, UsageError
from hiprobe.localize import LocalizeSettings
from hiprobe.probing import (
    CalibrationSegment,
    CalibrationStats,
    DlspResult,
    LogisticProbe,
    Permuted,
    Probe,
    Scorer,
    check_backbone,
    check_same,
    index_segments,
    kept_rows,
    read_probe,
)
from hiprobe.video import Sampling

CURVES = ("d_kl", "ldr", "entropy", "combined", "silhouette", "cv_auc", "stability")
READING = Reading("sha256:abc", (9,), "last", "What happens here?", Sampling(2.0, 1.0, 8), name="embedded")
STATS = CalibrationStats(20, 300, 40, 12, ("fight", "fall"), 0.93, 1e-3, True, "labels.csv", ("A note.",))


def make_probe(**changes: Any) -> LogisticProbe:
    rng = np.random.default_rng(0)
    curves: dict[str, Any] = {name: rng.random(3) for name in CURVES}
    values: dict[str, Any] = {
        "reading": READING,
        "scorer": Scorer(rng.normal(size=6), rng.random(6) + 0.1, rng.normal(size=6), 0.1 + 0.2, 1e-3),
        "dlsp": DlspResult(layers=(3, 6, 9), **curves, layer=9, notes=("Layer 3: something.",)),
        "localize": LocalizeSettings(sigma=0.7, threshold="adaptive"),
        "calibrated_threshold": 0.1234567890123456789,
        "calibration": STATS,
        "created": "2025-11-23T21:54:09+00:00",
        "hiprobe_version": "0.1.0",
    }
    return LogisticProbe(**(values | changes))


def flat(probe: LogisticProbe) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the bytes of all arrays, and everything else."""
    held = {"scorer": probe.scorer, "dlsp": probe.dlsp}
    fields = {f"{k}.{f.name}": getattr(v, f.name) for k, v in held.items() for f in dataclasses.fields(v)}
    fields |= {f.name: getattr(probe, f.name) for f in dataclasses.fields(probe) if f.name not in held}
    fields["reading.name"] = probe.reading.name  # which is not compared with the rest of the reading
    bits = {name: value.tobytes() for name, value in fields.items() if isinstance(value, np.ndarray)}
    return bits, {name: value for name, value in fields.items() if name not in bits}


def rewrite(path: Path, edit_header: Any = None, edit_tensors: Any = None) -> None:
    """Change the header or the tensors of a probe file."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["hiprobe"])
    tensors = safetensors.numpy.load_file(path)
    if edit_header:
        edited = edit_header(header)
        header = header if edited is None else edited
    if edit_tensors:
        edit_tensors(tensors)
    safetensors.numpy.save_file(tensors, path, metadata={"hiprobe": json.dumps(header)})


def test_layers_under_labels_by_chance_are_kept_and_may_be_missing(tmp_path: Path) -> None:
    rng, plain = np.random.default_rng(1), make_probe()
    shapes = {"auc": 3, "mean": (3, 3), "low": (3, 3), "high": (3, 3), "chosen": 3, "best": 20}
    chance = Permuted(**{name: rng.random(shape) for name, shape in shapes.items()})
    choice = {"layer_by": "auc", "estimator": "held-out-lda", "fold_layers": (9, 6)}
    probe = make_probe(dlsp=dataclasses.replace(plain.dlsp, **choice, permuted=chance))
    probe.save(tmp_path / "a.probe")
    found = LogisticProbe.load(tmp_path / "a.probe").dlsp
    assert {name: getattr(found, name) for name in choice} == choice
    assert found.permuted is not None
    for name in shapes:
        np.testing.assert_array_equal(getattr(found.permuted, name), getattr(chance, name))

    def forget(header: dict[str, Any]) -> None:  # as earlier releases wrote it
        for name in ("layer_by", "estimator", "fold_layers"):
            del header[f"dlsp_{name}"]

    plain.save(tmp_path / "b.probe")
    rewrite(tmp_path / "b.probe", forget)
    earlier = LogisticProbe.load(tmp_path / "b.probe").dlsp
    assert (earlier.layer_by, earlier.fold_layers, earlier.permuted) == ("dlsp", (), None)
    rewrite(tmp_path / "a.probe", edit_tensors=lambda tensors: tensors.pop("permuted.low") is None)
    with pytest.raises(ProbeError, match="permuted labels are incomplete"):
        LogisticProbe.load(tmp_path / "a.probe")


finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(1e-300, 1e300)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """Any reading of one decoder layer."""
    stride, length = sorted((draw(positive), draw(positive)))
    size = st.tuples(st.integers(1, 4096), st.integers(1, 4096))
    return Reading(
        backbone=draw(texts),
        layers=(draw(st.integers(1, 200)),),
        pooling=draw(st.sampled_from(POOLINGS)),
        prompt=draw(texts),
        sampling=Sampling(length, stride, draw(st.integers(1, 64))),
        frame_size=draw(st.none() | size),
        system=draw(st.none() | texts),
        view=draw(st.sampled_from(VIEWS)),
        name=draw(texts),
        pixels=draw(st.none() | st.integers(1, 2**40)),
    )


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_round_trip_is_exact_to_the_bit(tmp_path: Path, data: st.DataObject) -> None:
    width, layers = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 5))
    vector = arrays(np.float64, width, elements=finite)
    curve = arrays(np.float64, layers, elements=st.floats(allow_infinity=False))
    scale = arrays(np.float64, width, elements=positive)
    scorer = Scorer(
        data.draw(vector),
        data.draw(scale),
        data.draw(vector),
        data.draw(finite),
        data.draw(st.floats(1e-9, 1e9)),
    )
    dlsp = DlspResult(
        tuple(range(1, layers + 1)), *(data.draw(curve) for _ in CURVES), layer=1, notes=(data.draw(texts),)
    )
    probe = make_probe(
        scorer=scorer,
        dlsp=dlsp,
        calibrated_threshold=data.draw(finite),
        reading=data.draw(readings()),
    )
    path = tmp_path / "yard.probe"
    probe.save(path)
    assert flat(LogisticProbe.load(path)) == flat(probe)


def test_strided_arrays_are_written_as_they_read(tmp_path: Path) -> None:
    table = np.arange(12.0).reshape(6, 2)
    probe = make_probe(scorer=Scorer(table[:, 0], np.ones(6), table[::-1, 1], 0.0, 1.0))
    probe.save(tmp_path / "p")
    assert flat(LogisticProbe.load(str(tmp_path / "p"))) == flat(probe)


def test_file_is_plain_safetensors_with_json(tmp_path: Path) -> None:
    make_probe().save(tmp_path / "p")
    with safe_open(tmp_path / "p", framework="numpy") as file:
        header = json.loads(file.metadata()["hiprobe"])
    assert header["schema"] == "hiprobe.probe/1"
    # What a reading was never given is not in the file, so that earlier releases read it, too.
    assert header["context"] == {
        "backbone_name": "embedded",
        "fingerprint": "sha256:abc",
        "prompt": "What happens here?",
        "segment_length": 2.0,
        "stride": 1.0,
        "frames": 8,
    }
    assert (header["layer"], header["pooling"], header["calibration"]["video_level"]) == (9, "last", True)
    assert safetensors.numpy.load_file(tmp_path / "p")["scorer.weights"].dtype == np.float64


@pytest.mark.parametrize("video_level", [True, False])
def test_a_file_of_the_first_releases_is_read(tmp_path: Path, video_level: bool) -> None:
    """They call ``video_level`` by another name, and know no calibration segments."""
    probe = make_probe(calibration=dataclasses.replace(STATS, video_level=video_level))
    probe.save(tmp_path / "p")

    def rename(header: dict[str, Any]) -> None:
        header["calibration"]["clip_level"] = header["calibration"].pop("video_level")
        del header["segments"]

    rewrite(tmp_path / "p", rename)
    assert flat(LogisticProbe.load(tmp_path / "p")) == flat(probe)
    read = read_probe(tmp_path / "p")
    assert isinstance(read, LogisticProbe) and flat(read) == flat(probe)
    rewrite(tmp_path / "p", lambda header: header["calibration"].__delitem__("clip_level"))
    with pytest.raises(ProbeError, match=r"is damaged: calibration\.video_level"):
        LogisticProbe.load(tmp_path / "p")


def test_save_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "p"
    make_probe().save(path)
    before = path.read_bytes()
    stats = dataclasses.replace(STATS, cv_auc=float("nan"))
    with pytest.raises(ProbeError, match="NaN or infinite"):
        make_probe(calibration=stats).save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["p"]
    with pytest.raises(OutputError, match="cannot be written"):
        make_probe().save(path / "below" / "a-file")


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match=r"gone\.probe: there is no such probe"):
        LogisticProbe.load(tmp_path / "gone.probe")
    with pytest.raises(ProbeError, match="is a folder"):
        LogisticProbe.load(tmp_path)
    for content in (b"", b"not a probe at all", b"\xff" * 64):
        (tmp_path / "text.probe").write_bytes(content)
        with pytest.raises(ProbeError, match=r"text\.probe: is not a probe"):
            LogisticProbe.load(tmp_path / "text.probe")
    for metadata in (None, {"format": "pt"}):
        safetensors.numpy.save_file({"w": np.ones(3)}, tmp_path / "model.safetensors", metadata=metadata)
        with pytest.raises(ProbeError, match=r"model\.safetensors: is not a probe"):
            LogisticProbe.load(tmp_path / "model.safetensors")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_an_error_of_ours_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "p"
    make_probe().save(path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        LogisticProbe.load(path)
    except ProbeError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ("hiprobe.probe/2", "update hiprobe"),
        ("hiprobe.probe/0", "fit the probe again"),
        ("other/1", "fit the probe again"),
        (None, "fit the probe again"),
    ],
)
def test_other_schemas(tmp_path: Path, schema: Any, told: str) -> None:
    make_probe().save(tmp_path / "p")
    rewrite(tmp_path / "p", lambda header: {"schema": schema})
    with pytest.raises(ProbeError, match=told):
        LogisticProbe.load(tmp_path / "p")
    rewrite(tmp_path / "p", lambda header: [schema])
    with pytest.raises(ProbeError, match="schema None"):
        LogisticProbe.load(tmp_path / "p")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda h: h.pop("bias") and None, "bias"),
        (lambda h: h.update(layer="nine"), "layer"),
        (lambda h: h.update(layer=0), "counted from 1"),
        (lambda h: h["context"].update(frames=8.5), r"context\.frames"),
        (lambda h: h["context"].update(frames=0), "0 frames a segment"),
        (lambda h: h["context"].update(stride=3.0), "stride of 3 s is longer"),
        (lambda h: h["context"].update(frame_size=[224]), r"context\.frame_size"),
        (lambda h: h["localize"].update(threshold="magic"), "threshold"),
        (lambda h: h["localize"].update(sigma=-1.0), "sigma"),
        (lambda h: h.update(bias=float("nan")), "NaN is no finite"),
        (lambda h: h.update(calibrated_threshold=float("inf")), "Infinity is no finite"),
        (lambda h: h["calibration"].update(cv_auc="high"), "cv_auc"),
        (lambda h: h.update(created="yesterday"), "created"),
        (lambda h: h.update(dlsp_layers=[1, 2]), r"dlsp\.d_kl"),
    ],
)
def test_damaged_headers(tmp_path: Path, edit: Any, told: str) -> None:
    make_probe().save(tmp_path / "p")
    rewrite(tmp_path / "p", edit)
    with pytest.raises(ProbeError, match=f"is damaged: .*{told}") as caught:
        LogisticProbe.load(tmp_path / "p")
    assert str(caught.value).startswith(str(tmp_path / "p"))


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda t: t.pop("scorer.weights") is None, r"scorer\.weights is missing"),
        (lambda t: t.pop("scorer.mean") is None, r"scorer\.mean is missing"),
        (lambda t: t.pop("dlsp.ldr") is None, r"dlsp\.ldr is missing"),
        (lambda t: t.update({"scorer.mean": np.zeros(5)}), r"scorer\.mean is float64 \(5,\)"),
        (lambda t: t.update({"scorer.weights": np.zeros((6, 1))}), "scorer"),
        (lambda t: t.update({"scorer.weights": np.zeros(0)}), "scorer"),
        (lambda t: t.update({"scorer.weights": np.zeros(6, np.float32)}), "float32"),
        (lambda t: t.update({"scorer.weights": np.full(6, np.nan)}), "NaN"),
        (lambda t: t.update({"scorer.mean": np.full(6, np.inf)}), "infinity"),
        (lambda t: t.update({"scorer.scale": np.zeros(6)}), "scale"),
        (lambda t: t.update({"dlsp.d_kl": np.full(3, np.inf)}), "infinity"),
    ],
)
def test_damaged_tensors(tmp_path: Path, edit: Any, told: str) -> None:
    make_probe().save(tmp_path / "p")
    rewrite(tmp_path / "p", edit_tensors=edit)
    with pytest.raises(ProbeError, match=f"is damaged: .*{told}"):
        LogisticProbe.load(tmp_path / "p")


def test_what_this_release_does_not_know_is_told(tmp_path: Path) -> None:
    make_probe().save(tmp_path / "p")
    rewrite(tmp_path / "p", lambda header: header.update(pooling="median"))
    with pytest.raises(ProbeError, match="p: pools by 'median', which this release does not know; update hiprobe"):
        LogisticProbe.load(tmp_path / "p")


def test_a_probe_reads_one_layer() -> None:
    for layers in ((), (3, 9)):
        with pytest.raises(UsageError, match="one layer is asked for"):
            make_probe(reading=dataclasses.replace(READING, layers=layers))


def test_check_lists_exactly_what_differs() -> None:
    check_same(READING, READING)
    # Another name of the same weights, and other layers of the same states.
    check_same(READING, dataclasses.replace(READING, name="./the-same-weights", layers=(1, 2), pooling="visual"))
    four = Sampling(2.0, 1.0, 4)
    other = dataclasses.replace(READING, name="InternVL3", backbone="sha256:def", sampling=four)
    with pytest.raises(ProbeError) as caught:
        check_same(READING, other)
    assert str(caught.value) == (
        "The probe does not fit what is at hand (backbone fingerprint: probe has 'sha256:abc' (embedded), "
        "at hand is 'sha256:def' (InternVL3); frames: probe has 8, at hand is 4); "
        "use the backbone and settings of the probe, or fit a new one."
    )
    with pytest.raises(ProbeError, match=r"segment length in seconds: probe has 2\.0, at hand is 3\.0"):
        check_same(READING, dataclasses.replace(READING, sampling=Sampling(3.0, 1.0, 8)))
    with pytest.raises(ProbeError, match=r"prompt.*; stride"):
        check_same(READING, dataclasses.replace(READING, prompt="Hm?", sampling=Sampling(2.0, 0.5, 8)))
    with pytest.raises(ProbeError, match=r"system message: probe has None.*; frame size: probe has None, .*\(24, 32\)"):
        check_same(READING, dataclasses.replace(READING, system="Watch.", frame_size=(24, 32)))


def test_a_probe_is_of_the_backbone_with_its_fingerprint() -> None:
    info = BackboneInfo("other name", "sha256:abc", layers=12, width=6, frame_size=(12, 16), pooling="visual")
    check_backbone(make_probe(), info)
    with pytest.raises(
        ProbeError, match=r"probe has 'sha256:abc' \(embedded\), at hand is 'sha256:def' \(other name\)"
    ):
        check_backbone(make_probe(), dataclasses.replace(info, fingerprint="sha256:def"))


def test_it_meets_the_probe_protocol() -> None:
    made = make_probe()
    probe: Probe = made
    assert probe.dlsp is made.dlsp and probe.adaptable
    assert probe.card.finds == "fight, fall; fitted on labels.csv"
    assert (probe.card.source, probe.card.notes, probe.card.created) == ("labels.csv", STATS.notes, made.created)
    assert (probe.card.n_videos, probe.card.n_segments, probe.card.n_groups) == (20, 300, 12)
    assert (probe.extraction.reading, probe.extraction.name) == (READING, "")
    states = np.random.default_rng(2).normal(size=(4, 6))
    assert probe.score(states).tolist() == made.scorer.scores(states).tolist()
    # Tokens are scored by a probe of their mean alone.
    for pooling in POOLINGS:
        pooled = make_probe(reading=dataclasses.replace(READING, pooling=pooling))
        assert pooled.scores_tokens == (pooling != "last")


def test_an_adapted_probe_keeps_all_but_its_scorer() -> None:
    made = make_probe()
    random = np.random.default_rng(3)
    labels = np.arange(24) % 3 == 0
    states = random.normal(size=(24, 6)) + labels[:, None]
    adapted, found = made.adapt(states, labels, np.arange(24) % 6, "Adapted to labels.")
    assert adapted.scorer is found.scorer and not np.array_equal(adapted.scorer.weights, made.scorer.weights)
    assert adapted.calibration == dataclasses.replace(STATS, notes=("A note.", "Adapted to labels."))
    same = {"reading", "dlsp", "localize", "calibrated_threshold", "index"}
    assert all(getattr(adapted, name) == getattr(made, name) for name in same)
    assert found.auc_after is not None and 0 <= found.auc_after <= 1
    higher = adapted.raised(0.875)
    assert higher.calibrated_threshold == 0.875 and higher.scorer is adapted.scorer


SEGMENTS = tuple(CalibrationSegment(f"{k % 3}.mp4", float(k), k + 2.0, "fall" if k % 2 else "normal") for k in range(9))


def indexed() -> tuple[LogisticProbe, np.ndarray]:
    """Return a probe that keeps segments, and their hidden states."""
    probe = make_probe()
    states = np.random.default_rng(1).normal(size=(9, 6))
    return dataclasses.replace(probe, index=index_segments(SEGMENTS, probe.scorer.standardised(states))), states


def test_a_probe_finds_the_calibration_segments_that_a_state_is_like(tmp_path: Path) -> None:
    probe, states = indexed()
    probe.save(tmp_path / "p")
    loaded = LogisticProbe.load(tmp_path / "p")
    scaled = probe.scorer.standardised(states)
    for k in range(9):
        found = loaded.similar(states[k] + 1e-6)
        assert found[0] == SEGMENTS[k]
        assert sorted(one.video for one in found) == ["0.mp4", "1.mp4", "2.mp4"]  # one segment of each video
        far = [np.linalg.norm(scaled[SEGMENTS.index(one)] - scaled[k]) for one in found]
        assert far == sorted(far)


def test_a_probe_file_without_segments_is_read_and_finds_none(tmp_path: Path) -> None:
    make_probe().save(tmp_path / "p")
    rewrite(tmp_path / "p", lambda header: header.pop("segments") or None)
    assert LogisticProbe.load(tmp_path / "p").similar(np.zeros(6)) == ()


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda t: t.pop("index.basis") is None, "basis or points"),
        (lambda t: t.update({"index.points": t["index.points"].astype(np.float64)}), "no float32"),
        (lambda t: t.update({"index.points": t["index.points"][:8]}), r"9 calibration segments with points \(8, 6\)"),
        (lambda t: t.update({"index.basis": t["index.basis"][:, :5]}), "width 5, not 6"),
        (lambda t: t.update({"index.points": np.full((9, 6), np.nan, np.float32)}), "NaN"),
    ],
)
def test_damaged_segments(tmp_path: Path, edit: Any, told: str) -> None:
    indexed()[0].save(tmp_path / "p")
    rewrite(tmp_path / "p", edit_tensors=edit)
    with pytest.raises(ProbeError, match=f"^[^ ]*: is damaged: [^/]*{told}"):
        LogisticProbe.load(tmp_path / "p")


@given(labels=arrays(np.bool_, st.integers(1, 300)), limit=st.integers(2, 120))
def test_kept_segments_are_few_and_of_both_classes(labels: np.ndarray, limit: int) -> None:
    rows = kept_rows(labels, limit)
    assert (np.diff(rows) > 0).all() and len(rows) <= limit + 1
    assert len(rows) >= min(len(labels), limit - 1)
    abnormal, normal = labels[rows].sum(), (~labels[rows]).sum()
    assert abnormal >= min(labels.sum(), limit // 2) and normal >= min((~labels).sum(), limit // 2)
