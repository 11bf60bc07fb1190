"""``hiprobe.toml``: what it sets, what beats it, and what it must not say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import hiprobe.backbones
from hiprobe.backbones.options import LoadOptions
from hiprobe.pipeline import fit
from hiprobe.probing import LogisticProbe
from tests.fakes import FakeBackbone, FakePlacedBackbone, bright_video, write_calibration


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a probe, labels and a video."""
    folder = tmp_path_factory.mktemp("yard")
    fit(write_calibration(folder), FakeBackbone()).probe.save(folder / "yard.probe")
    bright_video(folder / "unseen.mp4", 20, (8, 13), seed=99)
    return folder


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, LoadOptions]]:
    """Run in an empty folder, on a fake backbone; return what backbones are asked for, and how to load them."""
    asked: list[tuple[str, LoadOptions]] = []

    def load_backbone(name: str, _report: object, options: LoadOptions, *_: object) -> FakeBackbone:
        asked.append((name, options))
        return FakePlacedBackbone()

    monkeypatch.setattr(hiprobe.backbones, "load_backbone", load_backbone)
    monkeypatch.setenv("HIPROBE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return asked


def write(text: str) -> None:
    Path("hiprobe.toml").write_text(text, encoding="utf-8")


def result() -> dict[str, float]:
    return json.loads(Path("out/unseen.json").read_text())["provenance"]["localize"]


def test_a_table_sets_a_commands_options_and_the_run_says_so(run, yard: Path) -> None:
    write(
        f"[detect]\nprobe = '{yard / 'yard.probe'}'\nsigma = 2\nmin-duration = 0.25\nexplain = false\nout = 'out'\n"
        "report = 'page.html'\nmap = true\n[eval]\nsigma = 9.0\n"
    )
    code, out, err = run("detect", yard / "unseen.mp4")
    assert code == 0, err
    first = out.splitlines()[0]
    assert first == (
        f'from hiprobe.toml: probe = ["{yard / "yard.probe"}"], sigma = 2.0, min_duration = 0.25, explain = false, '
        'map = true, out = "out", report = "page.html"'
    )
    assert (result()["sigma"], result()["min_duration"], result()["merge_gap"]) == (2.0, 0.25, 1.0)
    assert Path("page.html").exists()
    assert "Anomaly map of the peak" in Path("page.html").read_text()


def test_the_command_line_wins_and_only_what_came_from_the_file_is_told(run, yard: Path) -> None:
    write("[detect]\nsigma = 2.0\nmerge_gap = 0.0\nexplain = false\n")
    words = ("detect", yard / "unseen.mp4", "-p", yard / "yard.probe", "-o", "out")
    code, out, err = run(*words, "--sigma", 0.5, "--explain")
    assert code == 0, err
    assert out.splitlines()[0] == "from hiprobe.toml: merge_gap = 0.0"
    assert (result()["sigma"], result()["merge_gap"]) == (0.5, 0.0)
    assert json.loads(Path("out/unseen.json").read_text())["events"][0]["explanation"]
    assert run(*words, "-q") == (0, "", "")
    assert result()["sigma"] == 2.0


def test_the_dial_is_set_by_a_score_or_a_rate_and_the_command_line_wins(run, yard: Path) -> None:
    words = ("detect", yard / "unseen.mp4", "-p", yard / "yard.probe", "-o", "out", "--no-explain")

    def dial() -> tuple[object, object, float]:
        body = json.loads(Path("out/unseen.json").read_text())
        made = body["provenance"]["localize"]
        return made["threshold"], made.get("false_alarms"), body["threshold"]

    alarms = LogisticProbe.load(yard / "yard.probe").alarms
    assert alarms is not None
    for number in ("0.25", "'0.25'"):
        write(f"[detect]\nthreshold = {number}\n")
        assert run(*words)[0] == 0 and dial() == (0.25, None, 0.25)
    code, out, _ = run(*words, "--false-alarms", 30)
    assert (code, dial()) == (0, ("calibrated", 30.0, alarms.threshold_for(30)))
    assert "from hiprobe.toml" not in out
    write("[detect]\nfalse-alarms = 7\n")
    assert run(*words)[0] == 0 and dial() == ("calibrated", 7.0, alarms.threshold_for(7))
    assert run(*words, "--threshold", "0.4")[0] == 0 and dial() == (0.4, None, 0.4)
    code, _, err = run(*words, "--threshold", "0.4", "--false-alarms", 3)
    assert code == 2 and "give one of the two" in err
    replace(LogisticProbe.load(yard / "yard.probe"), alarms=None).save(yard / "old.probe")
    code, _, err = run("detect", yard / "unseen.mp4", "-p", yard / "old.probe", "-o", "out", "--false-alarms", 3)
    assert code == 2 and "hiprobe calibrate" in err and len(err.splitlines()) == 1


def test_without_a_file_nothing_is_said(run, yard: Path) -> None:
    code, out, _ = run("detect", yard / "unseen.mp4", "-p", yard / "yard.probe", "-o", "out")
    assert code == 0 and "hiprobe.toml" not in out


def test_the_table_model_holds_for_every_command_that_takes_it(run, yard: Path, loaded) -> None:
    write("[model]\nmodel = 'some/checkpoint'\ndtype = 'float32'\noffline = true\n[eval]\ndtype = 'bfloat16'\n")
    labels, probe = yard / "labels.csv", yard / "yard.probe"
    assert run("fit", labels, "-o", "p.probe", "-q")[0] == 0
    assert run("detect", yard / "unseen.mp4", "-p", probe, "-o", "out", "-q", "--model", "embedded")[0] == 0
    assert run("eval", labels, "-p", probe, "-q")[0] == 0
    assert run("study", "fusion", labels, "--repeats", 1, "--draws", 20, "-q")[0] == 0
    assert loaded == [
        ("some/checkpoint", LoadOptions("float32", offline=True)),
        ("embedded", LoadOptions("float32", offline=True)),
        ("some/checkpoint", LoadOptions("bfloat16", offline=True)),
        ("some/checkpoint", LoadOptions("float32", offline=True)),
    ]
    code, out, _ = run("probes")  # takes none of them
    assert code == 0 and "from hiprobe.toml" not in out


def test_lists_and_json(run, yard: Path) -> None:
    write("[eval]\niou = [0.5, 0.9]\nbootstrap = 0\n")
    words = ("eval", yard / "labels.csv", "-p", yard / "yard.probe")
    code, out, _ = run(*words, "--json")
    body = json.loads(out)  # which a line about the file would spoil
    assert code == 0 and [events["iou"] for events in body["events"]] == [0.5, 0.9] and body["bootstrap"] is None
    assert run(*words)[1].splitlines()[0] == "from hiprobe.toml: iou = [0.5, 0.9], bootstrap = 0"
    write("[eval]\niou = 0.5\njson = true\n")
    assert [events["iou"] for events in json.loads(run(*words)[1])["events"]] == [0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[detekt]\nsigma = 1",
            "[detekt] is no table that is known; there are [model], [calibrate], [datasets], [demo]",
        ),
        ("sigma = 1", "[sigma] is no table that is known"),
        ("detect = 1", "detect is 1; give a table, [detect]"),
        ("[models.chek]\ndtype = 'auto'", "[models.chek] is no table that is known; there are [models.check]"),
        (
            "[detect]\nsigna = 1",
            "[detect] signa: there is no such setting; there are probe, same_camera, threshold",
        ),
        ("[detect]\nvideos = 'a.mp4'", "[detect] videos: there is no such setting"),
        ("[report]\nmodel = 'x'", "[report] model: there is no such setting"),
        ("[model]\nsigma = 1", "[model] sigma: there is no such setting; there are model, dtype, device"),
        ("[detect]\nsigma = '1'", '[detect] sigma is "1"; give a number'),
        ("[detect]\nsigma = true", "[detect] sigma is true; give a number"),
        ("[detect]\nexplain = 1", "[detect] explain is 1; give true or false"),
        ("[detect]\nprobe = 3", "[detect] probe is 3; give a text in quotes"),
        ("[detect]\nout = 3", "[detect] out is 3; give a path in quotes"),
        ("[detect]\nclips = ['a', 'b']", '[detect] clips is ["a", "b"]; give a path in quotes'),
        ("[fit]\nseed = 0.5", "[fit] seed is 0.5; give a whole number"),
        ("[eval]\niou = [0.5, 'x']", '[eval] iou is "x"; give a number, or a list of such'),
        ("[model]\ndtype = 32", "[model] dtype is 32; give a text in quotes"),
        ("[detect\nsigma = 1", "cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_file_and_key(run, yard: Path, text: str, message: str, loaded) -> None:
    write(text)
    code, out, err = run("detect", yard / "unseen.mp4", "-p", yard / "yard.probe")
    assert (code, out, loaded) == (2, "", [])
    assert err.startswith("hiprobe: hiprobe.toml: ") and message in err and len(err.splitlines()) == 1


def test_a_file_that_is_no_text_or_a_folder(run) -> None:
    Path("hiprobe.toml").write_bytes(b"\xff\xfe\x00")
    code, _, err = run("probes")
    assert code == 2 and "hiprobe.toml: cannot be read" in err and len(err.splitlines()) == 1
    Path("hiprobe.toml").unlink()
    Path("hiprobe.toml").mkdir()
    assert run("probes")[0] == 2


@pytest.mark.parametrize("table", ["model", "detect", "fit", "eval", "study", "serve", "models.check", "models.pull"])
@pytest.mark.parametrize("key", ["trust_remote_code", "trust-remote-code"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_a_file_cannot_let_code_run(run, yard: Path, table: str, key: str, value: str, loaded) -> None:
    write(f"[{table}]\n{key} = {value}\n")
    code, _, err = run("detect", yard / "unseen.mp4", "-p", yard / "yard.probe", "--trust-remote-code")
    assert (code, loaded) == (2, [])
    assert f"hiprobe.toml: [{table}] {key}: a file must not set this, as code that comes with a checkpoint" in err
    assert "--trust-remote-code to the command" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("line", ["host = '0.0.0.0'", "token = 'known'", "allow = ['/']"])
def test_a_file_cannot_open_a_server(run, line: str) -> None:
    write(f"[serve]\nport = 0\n{line}\n")
    code, _, err = run("serve")
    assert code == 2 and f"[serve] {line.split()[0]}: a file must not set this" in err


def test_only_the_current_folder_counts(run, yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("[detect]\nsigma = 7.0\n")
    Path("below").mkdir()
    monkeypatch.chdir("below")
    assert run("detect", yard / "unseen.mp4", "-p", yard / "yard.probe", "-o", "out", "-q")[0] == 0
    assert result()["sigma"] == 1.0
    assert [path.name for path in Path().iterdir()] == ["out"]
