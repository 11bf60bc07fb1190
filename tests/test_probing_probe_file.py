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

from hiprobe.errors import OutputError, ProbeError
from hiprobe.localize import LocalizeSettings
from hiprobe.probing import (
    CalibrationSegment,
    CalibrationStats,
    DlspResult,
    Probe,
    ProbeContext,
    Scorer,
    index_segments,
    kept_rows,
)

CURVES = ("d_kl", "ldr", "entropy", "combined", "silhouette", "cv_auc", "stability")
CONTEXT = ProbeContext("embedded", "sha256:abc", "What happens here?", 2.0, 1.0, 8)
STATS = CalibrationStats(20, 300, 40, 12, ("fight", "fall"), 0.93, 1e-3, True, "labels.csv", ("A note.",))


def make_probe(**changes: Any) -> Probe:
    rng = np.random.default_rng(0)
    curves = {name: rng.random(3) for name in CURVES}
    values: dict[str, Any] = {
        "context": CONTEXT,
        "layer": 9,
        "pooling": "last",
        "scorer": Scorer(rng.normal(size=6), rng.random(6) + 0.1, rng.normal(size=6), 0.1 + 0.2, 1e-3),
        "dlsp": DlspResult(layers=(3, 6, 9), **curves, layer=9, notes=("Layer 3: something.",)),
        "localize": LocalizeSettings(sigma=0.7, threshold="adaptive"),
        "calibrated_threshold": 0.1234567890123456789,
        "calibration": STATS,
        "created": "2025-11-23T21:54:09+00:00",
        "hiprobe_version": "0.1.0",
    }
    return Probe(**(values | changes))


def flat(probe: Probe) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the bytes of all arrays, and everything else."""
    held = {"scorer": probe.scorer, "dlsp": probe.dlsp}
    fields = {f"{k}.{f.name}": getattr(v, f.name) for k, v in held.items() for f in dataclasses.fields(v)}
    fields |= {f.name: getattr(probe, f.name) for f in dataclasses.fields(probe) if f.name not in held}
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


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_round_trip_is_exact_to_the_bit(tmp_path: Path, data: st.DataObject) -> None:
    width, layers = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 5))
    vector = arrays(np.float64, width, elements=finite)
    curve = arrays(np.float64, layers, elements=st.floats(allow_infinity=False))
    scale = arrays(np.float64, width, elements=st.floats(1e-300, 1e300))
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    scorer = Scorer(
        data.draw(vector),
        data.draw(scale),
        data.draw(vector),
        data.draw(finite),
        data.draw(st.floats(1e-9, 1e9)),
    )
    dlsp = DlspResult(
        tuple(range(1, layers + 1)), *(data.draw(curve) for _ in CURVES), layer=1, notes=(data.draw(text),)
    )
    probe = make_probe(
        scorer=scorer,
        dlsp=dlsp,
        calibrated_threshold=data.draw(finite),
        context=dataclasses.replace(CONTEXT, prompt=data.draw(text), stride=data.draw(finite)),
        pooling=data.draw(text),
    )
    path = tmp_path / "yard.probe"
    probe.save(path)
    assert flat(Probe.load(path)) == flat(probe)


def test_strided_arrays_are_written_as_they_read(tmp_path: Path) -> None:
    table = np.arange(12.0).reshape(6, 2)
    probe = make_probe(scorer=Scorer(table[:, 0], np.ones(6), table[::-1, 1], 0.0, 1.0))
    probe.save(tmp_path / "p")
    assert flat(Probe.load(str(tmp_path / "p"))) == flat(probe)


def test_file_is_plain_safetensors_with_json(tmp_path: Path) -> None:
    make_probe().save(tmp_path / "p")
    with safe_open(tmp_path / "p", framework="numpy") as file:
        header = json.loads(file.metadata()["hiprobe"])
    assert header["schema"] == "hiprobe.probe/1"
    assert header["context"]["prompt"] == "What happens here?"
    assert safetensors.numpy.load_file(tmp_path / "p")["scorer.weights"].dtype == np.float64


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
        Probe.load(tmp_path / "gone.probe")
    with pytest.raises(ProbeError, match="is a folder"):
        Probe.load(tmp_path)
    for content in (b"", b"not a probe at all", b"\xff" * 64):
        (tmp_path / "text.probe").write_bytes(content)
        with pytest.raises(ProbeError, match=r"text\.probe: is not a probe"):
            Probe.load(tmp_path / "text.probe")
    for metadata in (None, {"format": "pt"}):
        safetensors.numpy.save_file({"w": np.ones(3)}, tmp_path / "model.safetensors", metadata=metadata)
        with pytest.raises(ProbeError, match=r"model\.safetensors: is not a probe"):
            Probe.load(tmp_path / "model.safetensors")


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
        Probe.load(path)
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
        Probe.load(tmp_path / "p")
    rewrite(tmp_path / "p", lambda header: [schema])
    with pytest.raises(ProbeError, match="schema None"):
        Probe.load(tmp_path / "p")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda h: h.pop("bias") and None, "bias"),
        (lambda h: h.update(layer="nine"), "layer"),
        (lambda h: h.update(layer=0), "counted from 1"),
        (lambda h: h["context"].update(frames=8.5), r"context\.frames"),
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
        Probe.load(tmp_path / "p")
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
        Probe.load(tmp_path / "p")


def test_check_lists_exactly_what_differs() -> None:
    probe = make_probe()
    probe.check(CONTEXT)
    probe.check(dataclasses.replace(CONTEXT, backbone_name="./the-same-weights"))
    other = dataclasses.replace(CONTEXT, backbone_name="InternVL3", fingerprint="sha256:def", frames=4)
    with pytest.raises(ProbeError) as caught:
        probe.check(other)
    assert str(caught.value) == (
        "The probe does not fit what is at hand (backbone fingerprint: probe has 'sha256:abc' (embedded), "
        "at hand is 'sha256:def' (InternVL3); frames: probe has 8, at hand is 4); "
        "use the backbone and settings of the probe, or fit a new one."
    )
    with pytest.raises(ProbeError, match=r"segment length in seconds: probe has 2\.0, at hand is 3\.0"):
        probe.check(dataclasses.replace(CONTEXT, segment_length=3.0))
    with pytest.raises(ProbeError, match=r"prompt.*; stride"):
        probe.check(dataclasses.replace(CONTEXT, prompt="Hm?", stride=0.5))


SEGMENTS = tuple(CalibrationSegment(f"{k % 3}.mp4", float(k), k + 2.0, "fall" if k % 2 else "normal") for k in range(9))


def indexed() -> tuple[Probe, np.ndarray]:
    """Return a probe that keeps segments, and their hidden states."""
    probe = make_probe()
    states = np.random.default_rng(1).normal(size=(9, 6))
    return dataclasses.replace(probe, index=index_segments(SEGMENTS, probe.scorer.standardised(states))), states


def test_a_probe_finds_the_calibration_segments_that_a_state_is_like(tmp_path: Path) -> None:
    probe, states = indexed()
    probe.save(tmp_path / "p")
    loaded = Probe.load(tmp_path / "p")
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
    assert Probe.load(tmp_path / "p").similar(np.zeros(6)) == ()


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
        Probe.load(tmp_path / "p")


@given(labels=arrays(np.bool_, st.integers(1, 300)), limit=st.integers(2, 120))
def test_kept_segments_are_few_and_of_both_classes(labels: np.ndarray, limit: int) -> None:
    rows = kept_rows(labels, limit)
    assert (np.diff(rows) > 0).all() and len(rows) <= limit + 1
    assert len(rows) >= min(len(labels), limit - 1)
    abnormal, normal = labels[rows].sum(), (~labels[rows]).sum()
    assert abnormal >= min(labels.sum(), limit // 2) and normal >= min((~labels).sum(), limit // 2)
