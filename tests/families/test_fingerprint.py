"""The fingerprint is of what enters the model; a probe of an earlier one can be stamped anew."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hiprobe.backbones import LoadOptions
from hiprobe.backbones.base import BackboneInfo
from hiprobe.backbones.opening import open_checkpoint
from hiprobe.cli.app import main
from hiprobe.errors import ProbeError, UsageError
from hiprobe.features import FeatureStore, Run, extract
from hiprobe.pipeline import Detector, fit
from hiprobe.pipeline.restamp import restamp
from hiprobe.probing import LogisticProbe
from hiprobe.sampling import Sampling
from tests.fakes import FakeBackbone, bright_video, write_calibration
from tests.families.toys import TOYS

CUT = Sampling(4.0, 4.0, 2)


def facts(folder: Path) -> BackboneInfo:
    return open_checkpoint(str(folder), LoadOptions()).info


@pytest.fixture
def copy(folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders["internvl"], tmp_path / "copy"))


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values), encoding="utf-8")


def test_the_text_of_files_does_not_matter(folders: dict[str, Path], copy: Path) -> None:
    before = facts(folders["internvl"])
    template = copy / "chat_template.jinja"
    template.write_text("{# another release #}{% if false %}tools{% endif %}" + template.read_text())
    edit(copy / "tokenizer.json")  # the same, in one line
    edit(copy / "preprocessor_config.json", max_patches=6)
    after = facts(copy)
    assert after.fingerprint == before.fingerprint and after.former != before.former


def test_what_enters_the_model_does(folders: dict[str, Path], copy: Path) -> None:
    before = facts(folders["internvl"]).fingerprint
    template = copy / "chat_template.jinja"
    own = template.read_text()
    template.write_text(own.replace("assistant", "helper"))
    assert facts(copy).fingerprint != before
    template.write_text(own)
    assert facts(copy).fingerprint == before
    edit(copy / "preprocessor_config.json", image_mean=[0.5, 0.5, 0.5])
    assert facts(copy).fingerprint != before


def test_mean_and_deviation_of_folders_with_one_processor_file_matter(folders: dict[str, Path], copy: Path) -> None:
    """As transformers 5 writes them: everything in processor_config.json."""
    before = facts(folders["internvl"]).fingerprint
    image = json.loads((copy / "preprocessor_config.json").read_text())
    video = json.loads((copy / "video_preprocessor_config.json").read_text())
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        (copy / name).unlink()
    joined = {"image_processor": image, "video_processor": video}
    edit(copy / "processor_config.json", **joined)
    assert facts(copy).fingerprint == before
    edit(copy / "processor_config.json", image_processor=image | {"image_std": [0.5, 0.5, 0.5]})
    assert facts(copy).fingerprint != before


@pytest.mark.parametrize("name", TOYS)
def test_every_family_says_its_pixels_and_ids(name: str, folders: dict[str, Path]) -> None:
    identity = open_checkpoint(str(folders[name]), LoadOptions()).loaded.family.identity()  # type: ignore[attr-defined]
    assert all(value is not None for value in identity["pixels"].values()) and identity["system"]
    assert json.loads(json.dumps(identity)) == identity


class Renamed(FakeBackbone):
    """The same backbone, with another fingerprint than before."""

    def __init__(self, former: str = "", bias: float = 0.0) -> None:
        super().__init__("9" * 64)
        self.info = replace(self.info, former=former)
        self.bias = bias

    def vectors(self, frames, reading):  # type: ignore[no-untyped-def]
        return super().vectors(frames, reading) + self.bias


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> LogisticProbe:
    return fit(str(write_calibration(tmp_path_factory.mktemp("set"))), FakeBackbone()).probe


def test_a_probe_of_the_former_fingerprint_is_told_how_and_stamped(probe: LogisticProbe) -> None:
    backbone = Renamed(former="f" * 64)
    with pytest.raises(
        ProbeError, match=r"as HiProbe 0.1 identified it; run `hiprobe probes restamp PROBE --model fake`"
    ):
        Detector(probe, backbone)
    found = restamp(probe, backbone)
    assert "HiProbe 0.1" in found.how and Detector(found.probe, backbone).probe is found.probe
    assert replace(found.probe.reading, backbone=probe.reading.backbone) == probe.reading
    with pytest.raises(UsageError, match="already"):
        restamp(found.probe, backbone)


def test_a_probe_of_an_unknown_fingerprint_is_compared_by_what_was_kept(probe: LogisticProbe, tmp_path: Path) -> None:
    video, run = bright_video(tmp_path / "a.mp4", 4), Run(FeatureStore(tmp_path / "store"))
    with pytest.raises(ProbeError, match="give a video that was read with the probe before"):
        restamp(probe, Renamed())
    with pytest.raises(ProbeError, match="nothing is kept"):
        restamp(probe, Renamed(), [video], run)
    extract(video, FakeBackbone(), probe.extraction, run)
    assert "1 videos" in restamp(probe, Renamed(), [video], run).how
    with pytest.raises(ProbeError, match="is another backbone than the probe's"):
        restamp(probe, Renamed(bias=1.0), [video], run)


def test_the_command_stamps_in_place(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folders["smolvlm"]
    backbone = open_checkpoint(str(folder), LoadOptions())
    made = fit(str(write_calibration(tmp_path)), backbone, reading=backbone.info.reading(CUT)).probe
    old = replace(made, reading=replace(made.reading, backbone=backbone.info.former))
    old.save(tmp_path / "old.probe")
    monkeypatch.setattr(
        "sys.argv", ["hiprobe", "probes", "restamp", str(tmp_path / "old.probe"), "--backbone", str(folder)]
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    assert "the same backbone" in capsys.readouterr().out
    assert LogisticProbe.load(tmp_path / "old.probe").reading == made.reading
