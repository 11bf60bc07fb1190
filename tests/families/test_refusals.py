"""Checkpoints that cannot be used say in a sentence why, and what to do; and no code of theirs runs for nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hiprobe.backbones import LoadOptions, refusing
from hiprobe.backbones.opening import open_checkpoint
from hiprobe.errors import HiProbeError, UsageError
from tests.families.toys import write_toy
from tests.families.wording import write_json

Edit = Callable[[dict[str, Any]], Any]
QUANTISED = {
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True},
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True},
    "fp8": {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]},
    "compressed-tensors": {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {}},
    "bitsandbytes": {"load_in_4bit": True, "bnb_4bit_compute_dtype": "bfloat16"},
}
CHAT = {
    "model_type": "internvl_chat",
    "architectures": ["InternVLChatModel"],
    "auto_map": {"AutoConfig": "stranger.Config", "AutoModel": "stranger.Model"},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy("internvl", tmp_path_factory.mktemp("internvl"))


@pytest.fixture
def folder(base: Path, tmp_path: Path) -> Path:
    """A toy, beside which lies code that tells when it runs."""
    shutil.copytree(base, tmp_path / "toy")
    (tmp_path / "toy" / "stranger.py").write_text("raise SystemExit('it ran')", encoding="utf-8")
    return tmp_path / "toy"


def edited(folder: Path, file: str, edit: Edit) -> None:
    content = json.loads((folder / file).read_text(encoding="utf-8"))
    edit(content)
    write_json(folder / file, content)


def refused(folder: Path, options: LoadOptions = LoadOptions()) -> str:  # noqa: B008 - frozen
    with pytest.raises(HiProbeError) as caught:
        open_checkpoint(str(folder), options)
    said = str(caught.value)
    assert "\n" not in said and len(said) < 600 + len(str(folder)) and "fetch" not in said
    return said


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("method", QUANTISED)
def test_weights_that_are_quantised_already(
    method: str, nested: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: Any, **__: Any) -> None:
        raise ImportError("it requires a package")

    monkeypatch.setattr(refusing.AutoHfQuantizer, "from_config", lacking)  # whatever is installed here
    settings = {"quantization_config": QUANTISED[method]}
    edited(folder, "config.json", lambda c: (c["text_config"] if nested else c).update(settings))
    said = refused(folder)
    assert f"quantised already ({method})" in said and "a package); install" in said and "is not quantised" in said
    with pytest.raises(UsageError, match="leave --quantize out"):
        open_checkpoint(str(folder), LoadOptions(quantize="4bit"))


def test_a_way_of_quantising_that_transformers_does_not_know(folder: Path) -> None:
    edited(folder, "config.json", lambda c: c.update(quantization_config={"quant_method": "smaller"}))
    assert "does not know smaller" in refused(folder)


@pytest.mark.parametrize("trusted", [False, True])
def test_the_original_format_of_internvl_runs_no_code(trusted: bool, folder: Path) -> None:
    write_json(folder / "config.json", CHAT)
    said = refused(folder, LoadOptions(trust_remote_code=trusted))
    assert "names end in -hf" in said and "trust" not in said


@pytest.mark.parametrize("trusted", [False, True])
def test_code_that_brings_no_loader_is_not_run(trusted: bool, folder: Path) -> None:
    write_json(folder / "config.json", CHAT | {"model_type": "stranger"})
    assert "would not help either" in refused(folder, LoadOptions(trust_remote_code=trusted))


def test_code_that_may_help_is_named(folder: Path) -> None:
    brought = {"AutoConfig": "stranger.Config", "AutoModelForImageTextToText": "stranger.Model"}
    write_json(folder / "config.json", CHAT | {"model_type": "stranger", "auto_map": brought})
    assert "if you trust that code, try --trust-remote-code" in refused(folder)


def test_an_image_processor_that_transformers_does_not_have(folder: Path) -> None:
    edited(folder, "preprocessor_config.json", lambda c: c.update(image_processor_type="Qwen2_5_VLImageProcessor"))
    said = refused(folder)
    assert "preprocessor_config.json: names the image processor 'Qwen2_5_VLImageProcessor'" in said
    assert "write 'GotOcr2ImageProcessor' there" in said


@pytest.mark.parametrize("content", ["m['content']", "(m['content'] | string)", "m['content'].strip()"])
def test_a_template_for_text_alone(content: str, folder: Path) -> None:
    template = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + " + content + " + '<|im_end|>' }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    said = refused(folder)
    assert "for text alone, or damaged; put the original model's chat_template.jinja" in said


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda c: c["text_config"].update(hidden_size="64"), "'hidden_size' expected int"),
        (lambda c: c["text_config"].update(layer_types=["full_attention"]), "layer_types"),
        (lambda c: c.update(image_seq_length=4.5), "'image_seq_length'"),
    ],
)
def test_a_configuration_that_fails_strict_checks(edit: Edit, named: str, folder: Path) -> None:
    edited(folder, "config.json", edit)
    said = refused(folder)
    assert "does not pass the checks of transformers" in said and named in said and "newest revision" in said


def test_a_configuration_that_lacks_a_value(folder: Path) -> None:
    edited(folder, "config.json", lambda c: c["text_config"].update(rope_scaling={"type": "dynamic"}))
    assert "cannot read its configuration" in refused(folder)
