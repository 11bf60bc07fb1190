"""``hiprobe models``, and the other commands with a checkpoint in a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from hiprobe.backbones.catalogue import SUGGESTED, has_torchvision
from hiprobe.cli import main
from tests.fakes import write_calibration, yard_video
from tests.families.toys import write_toy


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.setenv("HIPROBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hiprobe", *map(str, words)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_the_list_names_every_suggestion(run) -> None:
    code, out, _ = run("models")
    assert code == 0 and all(item.checkpoint in out for item in SUGGESTED)


def test_the_list_tells_the_download_from_the_memory(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    lines = run("models")[1].splitlines()
    row = next(line for line in lines if "SmolVLM2-2.2B-Instruct" in line)
    assert "9.0 GB" in row and "4.5 GB" in row and row.index("9.0 GB") < row.index("4.5 GB")
    assert next(line for line in lines if "InternVL3-8B-hf" in line).count("15.9 GB") == 2


def test_the_way_that_is_really_taken_is_told_once(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torchvision Qwen's frames are images: twice the tokens, no times."""
    monkeypatch.setenv("COLUMNS", "250")
    code, out, _ = run("models")
    tokens = {item.checkpoint: item.tokens_here for item in SUGGESTED}
    there = has_torchvision()
    assert code == 0 and tokens["Qwen/Qwen3-VL-8B-Instruct"] == (784 if there else 1568)
    assert f" {tokens['Qwen/Qwen3-VL-8B-Instruct']} " in out and ("torchvision is not installed" in out) != there
    code, out, _ = run("models", "check", write_toy("qwen3_vl", tmp_path / "toy"))
    assert code == 0 and out.count("frames of Qwen-VL enter as images") == (0 if there else 1)


def test_a_folder_is_checked_and_named_in_the_verdict(run, tmp_path: Path) -> None:
    folder = write_toy("internvl", tmp_path / "toy")
    code, out, _ = run("models", "check", folder)
    assert code == 0 and "ok     visual tokens" in out and f"use it with --model {folder}" in out
    code, _, err = run("models", "check", tmp_path / "nothing")
    assert code == 2 and "There is no backbone" in err


def test_a_check_with_too_many_frames_names_the_number_that_fits(run, tmp_path: Path) -> None:
    folder = write_toy("internvl", tmp_path / "toy")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["text_config"]["max_position_embeddings"] = 100
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    code, _, err = run("models", "check", folder)
    assert code == 2 and "8 frames and the prompt are" in err and "it takes 100" in err
    fitting = err.partition("give --frames ")[2].split()[0]
    code, out, _ = run("models", "check", folder, "--frames", fitting)
    assert code == 0 and f"({fitting} frames)" in out


def test_pull_tells_where_a_folder_is_and_offline_fetches_nothing(run, tmp_path: Path) -> None:
    code, _, err = run("models", "pull", "nobody/nothing", "--offline")
    assert code == 1 and "offline mode forbids" in err
    folder = write_toy("smolvlm", tmp_path / "toy")
    code, out, _ = run("models", "pull", folder)
    assert code == 0 and str(folder) in out


def test_fit_and_detect_with_a_checkpoint_from_a_folder(run, tmp_path: Path) -> None:
    folder, labels = write_toy("internvl", tmp_path / "toy"), write_calibration(tmp_path)
    video = yard_video(tmp_path / "unseen.mp4", 6, (2, 4), seed=9)  # in which there is something to see
    probe = tmp_path / "yard.probe"
    assert run("fit", labels, "--out", probe, "--model", folder, "--pooling", "visual")[0] == 0
    code, out, _ = run("detect", video, "--probe", probe, "--model", folder, "--no-explain", "--out", tmp_path / "out")
    assert code == 0 and "up to layer" in out
    result = json.loads((tmp_path / "out" / "unseen.json").read_text())
    assert len(result["segments"]) == 5
    words = ("--threshold", 0, "--out", tmp_path / "explained")
    code, out, _ = run("detect", video, "--probe", probe, "--model", folder, *words)
    # What was read is kept: the model is loaded for its words alone, once and whole.
    assert code == 0 and out.count("loading") == 1 and "up to layer" not in out and "the model said" in out
    # A probe of another backbone is refused.
    other = write_toy("internvl", tmp_path / "other", seed=1)
    code, _, err = run("detect", video, "--probe", probe, "--model", other, "--out", tmp_path / "out2")
    assert code != 0 and "fingerprint" in err
