"""The benchmark of full-size checkpoints runs, here on toys, and what it times computes the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import preparing
from benchmarks.speed_full_size import Load, measure
from hiprobe.backbones import LoadOptions
from tests.families.toys import write_toy

TINY = Load(segments=3, batch=2, frames=4, rounds=2, product=64)


@pytest.mark.parametrize("name", ["internvl", "qwen3_vl", "smolvlm"])
def test_all_ways_are_measured(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: function)  # the compiler would take minutes
    result = measure(write_toy(name, tmp_path), LoadOptions(dtype="float32"), TINY)
    assert result["difference"] < 1e-4 and result["compiled_difference"] == 0
    assert (result["layer"], result["layers"]) == (2, 4) and result["gflop_per_segment"] > 0
    for way in ("ours", "ours_compiled", "ours_prepared_by_processor"):
        assert len(result[way]["times_naive_by_round"]) == 2 and result[way]["share_of_machine"] > 0
    said = capsys.readouterr().out
    assert "| ours compiled |" in said and "| naive |" in said


def test_a_compiler_that_fails_is_told_in_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr(torch, "compile", fail)
    result = measure(write_toy("internvl", tmp_path), LoadOptions(dtype="float32"), TINY)
    assert result["ours"]["times_naive"] > 0
    assert "| ours compiled | failed: RuntimeError: no compiler here | | |" in capsys.readouterr().out


def test_preparing_is_measured_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "ROUNDS", 1)
    found = preparing.measure("OpenGVLab/InternVL3-8B-hf", tmp_path)
    assert found.keys() == {"before", "after", "after, pixels elsewhere", "ratio"} and min(found.values()) > 0
