"""The command line: exit codes, one sentence per error, quiet and plain output, and the real demo."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import hiprobe.backbones
from hiprobe.backbones import CHOICES
from hiprobe.cli.app import app
from hiprobe.cli.fit import METHODS as OFFERED
from hiprobe.cli.options import state
from hiprobe.cli.printing import Printer
from hiprobe.localize import Unjudged
from hiprobe.probing import METHODS, LogisticProbe
from hiprobe.samples import DEMO_TRUTH, DEMO_VIDEO
from hiprobe.sampling import Sampling
from hiprobe.video import open_video
from scripts.cli_reference import commands
from tests.detections import detection
from tests.fakes import (
    FakeBackbone,
    FakePlacedBackbone,
    FakeTokenBackbone,
    bright_video,
    write_calibration,
    write_normal,
    yard_video,
)
from tests.videos import write_audio, write_video

CLEAN = dict(os.environ)
"""The environment before any test changes it: the real demo keeps its weights where the user does."""


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hiprobe.backbones, "load_backbone", lambda *_, **__: FakeBackbone())
    monkeypatch.setenv("HIPROBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(state, "debug", False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("yard")
    write_calibration(folder)
    bright_video(folder / "unseen.mp4", 20, (8, 13), seed=99)
    return folder


@pytest.fixture
def probe(folder: Path, run) -> Path:
    path = folder / "yard.probe"
    if not path.exists():
        assert run("fit", folder / "labels.csv", "--out", path)[0] == 0
    return path


def test_fit_detect_eval(folder: Path, run, tmp_path: Path) -> None:
    code, out, _ = run("fit", folder / "labels.csv", "--out", tmp_path / "p.probe")
    assert code == 0 and "layer l* = 3 of 4" in out and "[8/8] bright3.mp4: 7/7 segments" in out
    code, out, _ = run("detect", folder / "unseen.mp4", "-p", tmp_path / "p.probe", "-o", tmp_path / "out")
    assert code == 0 and "a bright flash" in out and "warning: fake text" in out
    body = json.loads((tmp_path / "out" / "unseen.json").read_text())
    rows = list(csv.DictReader((tmp_path / "out" / "events.csv").open()))
    assert len(rows) == len(body["events"]) == 1
    assert float(rows[0]["start"]) == pytest.approx(8, abs=1.2)
    (folder / "test.csv").write_text("path,label,start,end\nunseen.mp4,flash,8,13\n")
    code, out, _ = run("eval", folder / "test.csv", "-p", tmp_path / "p.probe")
    assert code == 0 and "event recall, IoU 0.3     1.000 (1 true)" in out
    code, out, _ = run("eval", folder / "test.csv", "-p", tmp_path / "p.probe", "--json")
    body = json.loads(out)
    assert code == 0 and [events["recall"] for events in body["events"]] == [1, 1, 1]
    assert body["bootstrap"]["n_resamples"] == 1000


def test_detect_takes_several_probes(folder: Path, probe: Path, run, tmp_path: Path) -> None:
    other = tmp_path / "gate.probe"
    other.write_bytes(probe.read_bytes())
    out = tmp_path / "out"
    code, said, _ = run("detect", folder / "unseen.mp4", "-p", probe, "-p", other, "-o", out, "--no-explain")
    assert code == 0 and "a JSON file per video and probe" in said
    assert sorted(path.name for path in out.iterdir()) == ["events.csv", "unseen.gate.json", "unseen.yard.json"]
    rows = list(csv.DictReader((out / "events.csv").open()))
    assert [(row["probe"], row["kind"]) for row in rows] == [("yard", "flash"), ("gate", "flash")]
    assert json.loads((out / "unseen.gate.json").read_text())["provenance"]["probe"] == "gate"
    (folder / "test.csv").write_text("path,label,start,end\nunseen.mp4,flash,8,13\n")
    code, said, _ = run("eval", folder / "test.csv", "--scores", out / "unseen.gate.json")
    assert code == 0 and "kinds named rightly       1 of 1 events found and named (IoU 0.1)" in said
    for command, words, message in (
        ("detect", ("-p", probe, "-p", probe), "yard is given twice"),
        ("detect", ("-p", probe, "-p", "footage"), "run it apart"),
        ("eval", ("-p", probe, "-p", other), "measures one probe at a time, and 2 are given"),
    ):
        code, _, err = run(command, folder / ("unseen.mp4" if command == "detect" else "test.csv"), *words)
        assert code == 2 and message in err


def test_detect_writes_clips_and_overlay(folder: Path, probe: Path, run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(hiprobe.backbones, "load_backbone", lambda *_, **__: FakePlacedBackbone())
    words = ("detect", folder / "unseen.mp4", folder / "dark0.mp4", "-p", probe, "-o", tmp_path)
    words += ("--threshold", "adaptive", "--clips", tmp_path / "clips", "--overlay", tmp_path / "overlay")
    code, out, _ = run(*words, "--margin", 1)
    assert code == 0 and f"videos: {tmp_path / 'clips'}/" in out
    (event,) = json.loads((tmp_path / "unseen.json").read_text())["events"]
    clip = open_video(tmp_path / "clips" / "unseen-event1.mp4").info
    assert clip.duration == pytest.approx(event["event"]["end"] - event["event"]["start"] + 2, abs=0.2)
    assert open_video(tmp_path / "overlay" / "unseen-overlay.mp4").info.n_frames == 200
    assert (tmp_path / "overlay" / "dark0-overlay.mp4").exists()
    code, _, err = run(*words, "--margin", -1)
    assert code == 2 and "A margin of -1 s" in err


def test_a_backbone_without_places_says_so_before_it_reads(folder: Path, probe: Path, run, tmp_path: Path) -> None:
    code, out, err = run("detect", folder / "unseen.mp4", "-p", probe, "-o", tmp_path, "--overlay", tmp_path / "o")
    assert code == 2 and "pass --no-map" in err and "segments" not in out
    code, _, _ = run("detect", folder / "unseen.mp4", "-p", probe, "-o", tmp_path, "--overlay", tmp_path, "--no-map")
    assert code == 0 and (tmp_path / "unseen-overlay.mp4").exists()


def test_eval_of_scores(folder: Path, run, tmp_path: Path) -> None:
    rows = ("path,label,start,end", "unseen.mp4,flash,8,13", "bright0.mp4,flash,2,6", "dark0.mp4,normal")
    (folder / "three.csv").write_text("\n".join(rows))
    words = ("eval", folder / "three.csv", "--scores", tmp_path)
    for name, seconds, start, end in (("unseen", 20, 8, 12), ("bright0", 8, 3, 6), ("dark0", 8, 0, 1)):
        # A score every second, at 10 fps: each holds for 10 frames.
        (tmp_path / f"{name}.txt").write_text("".join(f"{float(start <= s < end)}\n" for s in range(seconds)))
    code, _, err = run(*words)
    assert code == 2 and "holds 20 scores, but the video has 200 frames" in err and len(err.splitlines()) == 1
    words = (*words, "--scores-every", 10)
    code, out, _ = run(*words, "--threshold", 0.5, "--merge-gap", 0, "--iou", 0.5, "--iou", 0.9)
    assert code == 0
    assert [line for line in out.splitlines() if not line.startswith(("pooled", "note"))] == [
        "videos                    3 (36 s, 360 frames)",
        "abnormal-videos-only AUC  0.889 [0.875, 0.900]",
        "within-video AUC          0.887 [0.875, 0.900] (2 of 3 videos)",
        "event precision, IoU 0.5  0.667 (3 predicted)",
        "event recall, IoU 0.5     1.000 (2 true)",
        "event F1, IoU 0.5         0.800 [0.000, 1.000]",
        "event precision, IoU 0.9  0.000 (3 predicted)",
        "event recall, IoU 0.9     0.000 (2 true)",
        "event F1, IoU 0.9         0.000 [0.000, 0.000]",
        "false alarms per hour     133.3 [0.0, 450.0]",
        "detection delay, median s 0.48 (2 true events found, 0 missed)",
        "detection delay, mean s   0.48",
        "[low, high]: 95% confidence, 1000 resamples of the videos",
    ]
    code, out, _ = run(*words, "--bootstrap", 0, "--json")
    body = json.loads(out)
    assert code == 0 and body["events"] == [] and body["bootstrap"] is body["delay"] is None


def test_eval_takes_a_probe_or_scores_and_only_options_that_count(folder: Path, probe: Path, run) -> None:
    (folder / "test.csv").write_text("path,label,start,end\nunseen.mp4,flash,8,13\n")
    given = ("--scores", folder)
    for words, message in (
        ((), "give --probe PROBE or --scores PATH, one of the two"),
        (("-p", probe, *given), "one of the two"),
        (("-p", probe, "--scores-every", 16), "--scores-every is for --scores"),
        (("-p", probe, "--threshold", "high"), "threshold is 'high'; choose one of calibrated, adaptive"),
        (("-p", probe, "--threshold", 0.5, "--false-alarms", 3), "give one of the two"),
        (("-p", probe, "--false-alarms", 0), "over 0"),
        ((*given, "--false-alarms", 3), "--false-alarms is for --probe"),
        (("-p", probe, "--iou", 2), "iou is 2.0"),
        ((*given, "--threshold", "calibrated"), "'calibrated' is of a probe"),
        ((*given, "--kappa", 1), "--kappa is for finding events in scores: give --threshold too"),
        ((*given, "--merge-gap", 1), "--merge-gap is for finding events"),
        ((*given, "--threshold", 0.5, "--kappa", 1), "--kappa is for --threshold adaptive"),
        ((*given, "--scores-every", 0), "every 0 frames"),
    ):
        code, _, err = run("eval", folder / "test.csv", *words)
        assert code == 2 and message in err and len(err.splitlines()) == 1, words


def test_fit_keeps_a_layer_and_how_its_probe_reads_videos(folder: Path, run, tmp_path: Path) -> None:
    first, second = tmp_path / "first.probe", tmp_path / "second.probe"
    assert run("fit", folder / "labels.csv", "-o", first, "--stride", "2", "--sigma", "0.5")[0] == 0
    code, out, _ = run("fit", folder / "labels.csv", "-o", second, "--keep-layer", first)
    assert code == 0 and "layer 3, kept" in out and "layer l*" not in out
    assert "warning: The layer was kept from an earlier probe" in out
    one, two = LogisticProbe.load(first), LogisticProbe.load(second)
    assert (two.layer, two.reading, two.localize) == (one.layer, one.reading, one.localize)
    code, _, err = run("fit", folder / "labels.csv", "--keep-layer", first, "--segment", "3")
    assert code == 2 and "segment length in seconds: probe has 2.0, at hand is 3.0" in err
    assert run("fit", folder / "labels.csv", "--keep-layer", tmp_path / "none.probe")[0] == 2


def test_quiet_prints_nothing(folder: Path, probe: Path, run, tmp_path: Path) -> None:
    assert run("detect", folder / "unseen.mp4", "-p", probe, "-o", tmp_path, "-q") == (0, "", "")
    assert (tmp_path / "unseen.json").exists()


def test_settings_reach_the_result(folder: Path, probe: Path, run, tmp_path: Path) -> None:
    words = ("--threshold", "adaptive", "--kappa", "1.5", "--sigma", "0.5", "--no-explain")
    assert run("detect", folder / "unseen.mp4", "-p", probe, "-o", tmp_path, *words)[0] == 0
    body = json.loads((tmp_path / "unseen.json").read_text())
    assert body["provenance"]["localize"]["kappa"] == 1.5 and body["provenance"]["localize"]["sigma"] == 0.5
    assert body["events"] and all(event["explanation"] is None for event in body["events"])


def bad_videos(folder: Path) -> dict[str, tuple[Path, int]]:
    """Bad input of every kind, with the exit code that it must end in."""
    write_video(folder / "whole.mp4", 100)
    (folder / "truncated.mp4").write_bytes((folder / "whole.mp4").read_bytes()[:3000])
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("hello\n" * 50)
    write_audio(folder / "audio.mp4")
    (folder / "nothing").mkdir(exist_ok=True)
    return {
        "missing": (folder / "missing.mp4", 2),
        "truncated": (folder / "truncated.mp4", 1),
        "empty": (folder / "empty.mp4", 1),
        "text": (folder / "text.mp4", 1),
        "audio": (folder / "audio.mp4", 1),
        "folder": (folder / "nothing", 2),
    }


@pytest.mark.parametrize("kind", ["missing", "truncated", "empty", "text", "audio", "folder"])
def test_a_bad_video_is_one_sentence_and_the_others_are_done(
    folder: Path, probe: Path, run, tmp_path: Path, kind: str
) -> None:
    path, expected = bad_videos(tmp_path)[kind]
    code, _, err = run("detect", path, folder / "unseen.mp4", "-p", probe, "-o", tmp_path / "out")
    lines = err.strip().splitlines()
    assert code == expected
    assert lines[0].startswith("hiprobe: 1 video failed") and len(lines) == 2
    assert path.name in lines[1] and "Traceback" not in err
    assert sorted(item.name for item in (tmp_path / "out").iterdir()) == ["events.csv", "unseen.json"]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("path,kind\nunseen.mp4,normal\n", "kind"),
        ("path,label\ngone.mp4,normal\n", "gone.mp4"),
        ("path,label,start,end\nunseen.mp4,flash,9,3\n", "9"),
        ("path,label,start,end,group\ndark0.mp4,normal,,,a\nunseen.mp4,flash,3,99,b\n", "unseen.mp4"),
        ("path,label\ndark0.mp4,normal\ndark1.mp4,normal\n", "every video is normal"),
        ("path,label,group\ndark0.mp4,normal,a\nbright0.mp4,flash,a\n", "of one group"),
    ],
)
def test_a_bad_manifest_is_one_sentence_and_exit_code_2(folder: Path, run, manifest: str, message: str) -> None:
    (folder / "bad.csv").write_text(manifest)
    code, _, err = run("fit", folder / "bad.csv", "--out", folder / "never.probe")
    assert code == 2 and message in err and str(folder) in err
    assert len(err.strip().splitlines()) == 1 and err.startswith("hiprobe: ")
    assert not (folder / "never.probe").exists()


def test_a_probe_of_another_backbone_ends_with_code_2(
    folder: Path, probe: Path, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hiprobe.backbones, "load_backbone", lambda *_, **__: FakeBackbone("0" * 64))
    code, _, err = run("detect", folder / "unseen.mp4", "-p", probe, "-o", tmp_path / "out")
    assert code == 2 and "backbone fingerprint: probe has" in err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def starters(probe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a starter probe in place of those that ship."""
    folder = tmp_path / "starters"
    folder.mkdir()
    shutil.copy(probe, folder / "fight.probe")
    head = "summary: bright flashes\nauc: 0.8125\nauc_of: clips\nfalse_alarms_per_hour: 27.6"
    (folder / "fight.md").write_text(f"---\n{head}\n---\n\n# fight: bright flashes\n")
    monkeypatch.setattr("hiprobe.probes.starter.FOLDER", folder)
    return folder


def test_probes_lists_them_and_prints_a_card(starters: Path, run) -> None:
    code, out, _ = run("probes")
    assert code == 0
    head, row, hint = out.splitlines()
    assert head.split("  ")[0] == "probe" and hint.startswith("`hiprobe probes NAME`")
    assert re.split(r" {2,}", row) == ["fight", "bright flashes", "3 of 4", "0.812 of clips", "28", "fake ffffffffffff"]
    assert run("probes", "fight") == (0, "# fight: bright flashes\n", "")
    code, _, err = run("probes", "fall")
    assert code == 2 and "no starter probe 'fall' (there are: fight)" in err and len(err.splitlines()) == 1
    (starters / "fight.probe").unlink()
    assert run("probes") == (0, "no starter probe is installed\n", "")


def test_detect_takes_a_starter_probe_by_its_name(starters: Path, folder: Path, run, tmp_path: Path) -> None:
    code, out, _ = run("detect", folder / "unseen.mp4", "--probe", "fight", "-o", tmp_path / "b")
    made = json.loads((tmp_path / "b" / "unseen.json").read_text())
    assert code == 0 and made["events"] and "probe: footage" not in out
    assert made["provenance"]["probe_source"] == str(folder / "labels.csv")  # as the fake starter was fitted
    (folder / "test.csv").write_text("path,label,start,end\nunseen.mp4,flash,8,13\n")
    code, out, _ = run("eval", folder / "test.csv", "-p", "fight")
    assert code == 0 and "event recall" in out
    code, _, err = run("detect", folder / "unseen.mp4", "-p", "fihgt", "-o", tmp_path / "c")
    assert code == 2 and "fihgt: is neither a probe file nor a starter probe's name (there are: fight)" in err


def test_detect_finds_what_stands_out_in_footage(
    folder: Path, probe: Path, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hiprobe.backbones, "load_backbone", lambda *_, **__: FakeTokenBackbone())
    video = yard_video(tmp_path / "yard.mp4", 40, (18, 22))
    code, out, err = run("detect", video, "-o", tmp_path / "a", "--report", tmp_path / "page.html")
    assert code == 0, err
    assert out.startswith("probe: footage, each moment against the rest of the same footage")
    made = json.loads((tmp_path / "a" / "yard.json").read_text())
    (found,) = made["events"]
    assert 16 <= found["event"]["start"] < found["event"]["end"] <= 24
    assert made["provenance"]["probe_source"].startswith("none: ") and (tmp_path / "page.html").exists()
    code, _, err = run("detect", folder / "unseen.mp4", "-p", "footage", "-o", tmp_path / "b")
    assert code == 2 and "unseen.mp4 lasts 20 s, too short" in err and "--probe fight" in err
    code, _, err = run("detect", video, "--same-camera", "-p", probe, "-o", tmp_path / "b")
    assert code == 2 and "pass --probe footage" in err
    code, _, err = run(
        "detect", folder / "unseen.mp4", folder / "dark0.mp4", "--same-camera", "-p", "footage", "-o", tmp_path / "b"
    )
    assert code == 2 and "2 videos last 28 s, too short" in err and not (tmp_path / "b").exists()


def test_a_missing_probe_a_wrong_option_and_a_full_disk(
    folder: Path, probe: Path, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("detect", folder / "unseen.mp4", "-p", tmp_path / "no.probe")[0] == 2
    code, _, err = run("detect", folder / "unseen.mp4", "-p", probe, "--threshold", "magic")
    assert code == 2 and "magic" in err
    assert run("fit", folder / "labels.csv", "--stride", "5")[0] == 2

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hiprobe.files.os.fsync", full)
    code, _, err = run("detect", folder / "unseen.mp4", "-p", probe, "-o", tmp_path / "out")
    assert code == 1 and "No space left on device" in err and len(err.strip().splitlines()) == 1
    assert list(tmp_path.glob("out/**/*")) == []


def test_a_traceback_is_shown_with_debug_only(folder: Path, run) -> None:
    assert "Traceback" not in run("detect", folder / "unseen.mp4", "-p", folder / "no.probe")[2]
    assert "Traceback" in run("detect", folder / "unseen.mp4", "-p", folder / "no.probe", "--debug")[2]


COMMANDS = ["", "fit", "detect", "eval", "report", "probes", "models", "models pull", "models check", "study", "serve"]
COMMANDS += ["datasets", "datasets check", "datasets export", "datasets sample", "demo"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_short_and_the_long_help_are_the_same(run, command: str) -> None:
    code, short, _ = run(*command.split(), "-h")
    assert code == 0 and "Usage" in short
    assert run(*command.split(), "--help") == (0, short, "")


def _panels(help_text: str) -> dict[str, str]:
    """Return the text of each panel, in order."""
    parts = re.split(r"^╭─ (.+?) ─+╮$", help_text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _lists(panel: str, option: str) -> bool:
    """Whether a panel has a row for an option, which other rows may mention."""
    return re.search(rf"^│ (?:--\S+ +)?{option}\b", panel, flags=re.MULTILINE) is not None


@pytest.mark.parametrize(
    ("command", "within"),
    [
        ("fit", [("--prompt", 1), ("--system", 1), ("--method", 1), ("--stride", 2), ("--keep-layer", 5)]),
        ("detect", [("--probe", 1), ("--no-map", 1), ("--fps", 2), ("--report", 3), ("--quantize", 4), ("--seed", 0)]),
        ("eval", [("--iou", 1), ("--scores-every", 2), ("--json", 3), ("--bootstrap", 5), ("--batch-memory", 5)]),
    ],
)
def test_options_stand_in_panels_in_one_order(
    run, monkeypatch: pytest.MonkeyPatch, command: str, within: list[tuple[str, int]]
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    panels = _panels(run(command, "-h")[1])
    assert list(panels) == ["Arguments", "What to look for", "Input", "Output", "Model", "Advanced"]
    for option, number in within:
        found = [index for index, text in enumerate(panels.values()) if _lists(text, option)]
        assert found == ([number] if number else []), option
    assert _lists(panels["Advanced"], "--help") and _lists(panels["Advanced"], "--trust-remote-code")


def test_help_says_what_was_written_brackets_and_all(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    for words, command in commands(get_command(app), []):
        shown = " ".join(run(*words, "-h")[1].replace("│", " ").split())
        texts = [*command.help.split("\n\n"), *(parameter.help for parameter in command.params)]
        for text in texts:
            assert " ".join(text.split()) in shown, (words, text)
    assert "(path,label[,start,end][,group][,fps])" in run("fit", "-h")[1]


def test_completion_can_be_installed_and_knows_choices(run) -> None:
    out = run("--help")[1]
    assert "--install-completion" in out and "--show-completion" in out
    for words, expected in (
        ("hiprobe det", ["detect"]),
        ("hiprobe fit --method ", ["gaussian", "memory-bank"]),
        ("hiprobe fit --pooling mo", ["motion"]),
        ("hiprobe eval --threshold ", ["calibrated", "adaptive"]),
        ("hiprobe detect --dtype fl", ["float32", "float16"]),
    ):
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        env = {"_HIPROBE_COMPLETE": "complete_bash", **asked}
        assert CliRunner().invoke(app, [], prog_name="hiprobe", env=env).output.split() == expected, words


def test_choices_are_those_of_the_library(run, folder: Path) -> None:
    assert OFFERED == METHODS
    for option, choices in (("--pooling", CHOICES), ("--method", METHODS)):
        code, _, err = run("fit", folder / "labels.csv", "--normal-only", option, "magic")
        assert code == 2 and err == f"hiprobe: {option} 'magic': choose one of {', '.join(choices)}.\n"


def test_fit_gives_prompt_system_message_and_sampling_to_the_backbone(folder: Path, run, tmp_path: Path) -> None:
    words = ("--prompt", "Is it calm?", "--system", "You are a guard.", "--pooling", "last", "--segment", 3)
    code, _, err = run("fit", folder / "labels.csv", "-o", tmp_path / "p.probe", *words, "--stride", 2, "--frames", 4)
    assert code == 0, err
    reading = LogisticProbe.load(tmp_path / "p.probe").reading
    assert (reading.prompt, reading.system, reading.pooling) == ("Is it calm?", "You are a guard.", "last")
    assert reading.sampling == Sampling(3.0, 2.0, 4)


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], {"torch", "av", "numpy", "pydantic"}),
        (["detect", "-h"], {"torch", "av", "numpy"}),  # typer takes pydantic to read what is given
    ],
)
def test_help_imports_nothing_heavy(words: list[str], heavy: set[str]) -> None:
    code = (
        f"import sys; sys.argv = ['hiprobe', *{words}]\n"
        "from hiprobe.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.real
@pytest.mark.timeout(1200)  # about 90 s on two idle cores; a busy machine must not make it fail
def test_the_demo_runs_with_the_real_backbone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hiprobe", "demo", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=CLEAN)
    assert done.returncode == 0, done.stderr
    body = json.loads((tmp_path / "out" / f"{DEMO_VIDEO.stem}.json").read_text())
    truth = list(csv.DictReader(DEMO_TRUTH.open()))
    found = [(item["event"]["start"], item["event"]["end"]) for item in body["events"]]
    hits = [[s < float(row["end"]) and float(row["start"]) < e for s, e in found] for row in truth]
    assert sum(any(row) for row in hits) == 3 and all(any(of) for of in zip(*hits, strict=True))
    kinds = [item["kind"]["name"] for item in body["events"]]
    named = [(row["label"], kinds[of.index(True)]) for row, of in zip(truth, hits, strict=True)]
    assert {"unknown"} >= {kind for true, kind in named if kind != true} and sum(t == k for t, k in named) >= 2
    assert all(item["explanation"]["stance"] in ("fits", "unsure") for item in body["events"])
    assert any("trained on generated scenes" in warning for warning in body["warnings"])
    assert (tmp_path / "out" / "street.probe").stat().st_size < 200_000
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<img ") == 4 * len(found) and page.count("Anomaly map of the peak") >= len(found)
    assert "Most like, among the calibration clips" in page


def test_reports(folder: Path, probe: Path, run, tmp_path: Path) -> None:
    made = ["detect", folder / "unseen.mp4", "-p", probe, "-o", tmp_path, "--report", tmp_path / "r.html"]
    code, out, _ = run(*made, "--start-time", "2026-03-01T22:00:00+01:00")
    page = (tmp_path / "r.html").read_text()
    assert code == 0 and f"report: {tmp_path / 'r.html'}" in out
    assert "1 event in unseen.mp4" in page and "2026-03-01 22:00:0" in page and "+0100" in page and "flash" in page
    code, out, _ = run("report", tmp_path / "unseen.json", "-o", tmp_path / "again.html")
    assert code == 0 and "1 event in unseen.mp4" in (tmp_path / "again.html").read_text()
    for given, told in [("soon", "2026-03-01T22:00:00"), ("2026-03-01", None)]:
        code, _, err = run("report", tmp_path / "unseen.json", "-o", tmp_path / "x.html", "--start-time", given)
        assert (code, told in err) == (2, True) if told else code == 0
    code, _, err = run(*made[:-2], "--start-time", "2026-03-01")
    assert code == 2 and "--report" in err
    two = [tmp_path / "unseen.json"] * 2
    code, _, err = run("report", *two, "-o", tmp_path / "y.html", "--start-time", "2026-03-01")
    assert code == 2 and "of one video" in err and not (tmp_path / "y.html").exists()


def test_fit_on_normal_videos_alone(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hiprobe.backbones, "load_backbone", lambda *_, **__: FakeTokenBackbone())
    labels, path = write_normal(tmp_path), tmp_path / "yard.probe"
    code, said, error = run("fit", "--normal-only", labels, "--out", path, "--false-alarms", "90")
    assert code == 0, error
    assert "layer 3 of the vision" in said and "90 an hour was asked" in said
    yard_video(tmp_path / "night.mp4", 20, (8, 12), seed=77)
    code, _, said = run("detect", tmp_path / "night.mp4", "--probe", path, "--out", tmp_path / "out", "--no-explain")
    assert code == 0, said
    assert json.loads((tmp_path / "out" / "night.json").read_text())["events"]
    for words in (["--method", "gaussian"], ["--normal-only", "--pooling", "last"]):
        code, _, said = run("fit", labels, *words)
        assert code == 2 and "--normal-only" in said
    code, _, said = run("fit", labels, "--keep-layer", path)
    assert code == 2 and "cannot be kept" in said


def test_the_table_tells_what_was_measured_first_and_what_was_not_judged(tmp_path: Path, capsys) -> None:
    video = write_video(tmp_path / "[night].mp4", 100, fps=10)
    dark = Unjudged(6.0, 8.0, "blind", "The picture is black.")
    denied = detection(video, [(2, 4)], text="Nothing is unusual.", evidence="Fight (81%).", unjudged=(dark,))
    Printer(quiet=False).events([denied])
    head, row, rest = capsys.readouterr().out.splitlines()
    assert re.split(r"  +", head) == ["video", "start s", "end s", "peak", "measured", "the model said"]
    assert row.endswith("Fight (81%).  the language model saw nothing unusual here")
    assert rest == "not judged: [night].mp4, 6.0 to 8.0 s: The picture is black."
