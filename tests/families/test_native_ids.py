"""The ids of a prompt are the native processor's, whatever the tokenizer adds to it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, processors

from hiprobe.backbones import LoadOptions, Prompt
from hiprobe.backbones.base import FRAME_INTERVAL
from hiprobe.backbones.checking import check_checkpoint
from hiprobe.backbones.families import Family, find_family
from hiprobe.backbones.families.base import has_torchvision
from hiprobe.backbones.loading import load_config
from hiprobe.backbones.native import native_ids
from hiprobe.errors import BackboneError
from tests.families.toys import FRAMES, PROMPT, TOYS, write_toy
from tests.families.wording import write_json

START, END = {"idefics3": "<|begin_of_text|>", "gemma3": "<bos>"}, {"idefics3": "<|end_of_text|>", "gemma3": "<eos>"}
GENERIC = ("gemma3", "idefics3")


def like_llama(name: str, folder: Path, before: bool = True, after: bool = False, written: bool = False) -> str:
    """Let a toy's tokenizer add tokens before and after any text, and its template write the first; that one."""
    write_toy(name, folder)
    start, end = START.get(name, "<|endoftext|>"), END.get(name, "<|im_end|>")
    inner = Tokenizer.from_file(str(folder / "tokenizer.json"))
    single = " ".join([start] * before + ["$A"] + [end] * after)
    tokens = [(token, inner.token_to_id(token)) for token in (start, end)]
    inner.post_processor = processors.TemplateProcessing(single=single, special_tokens=tokens)
    inner.save(str(folder / "tokenizer.json"))
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": start}
    write_json(folder / "tokenizer_config.json", settings)
    template = folder / "chat_template.jinja"
    words = template.read_text(encoding="utf-8").replace("{{- bos_token }}", "").removeprefix(start)
    template.write_text((start if written else "") + words, encoding="utf-8")
    return start


def family_of(folder: Path) -> Family:
    config = load_config(folder, LoadOptions())
    return find_family(config.model_type)(folder, config)


def ids_of(family: Family, folder: Path) -> list[int]:
    """The ids of a segment; where the native processor can be built, it must agree."""
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, *family.size(), 3), dtype=np.uint8)
    own = family.prepare(frames, FRAME_INTERVAL, Prompt(PROMPT)).inputs["input_ids"][0].tolist()
    if has_torchvision() or family.name == "generic":
        assert own == native_ids(family, folder, frames, FRAME_INTERVAL, PROMPT, False)
    else:
        with pytest.raises(BackboneError, match=r"install torchvision|names no processor"):
            native_ids(family, folder, frames, FRAME_INTERVAL, PROMPT, False)
    return own


@pytest.mark.parametrize("name", TOYS)
def test_ids_are_the_native_processors(name: str, folders: dict[str, Path]) -> None:
    ids_of(family_of(folders[name]), folders[name])


@pytest.mark.parametrize("kind", ["added", "added and written", "both ends"])
@pytest.mark.parametrize("name", ["internvl", "qwen2_5_vl", "qwen3_vl", "llava_onevision", "smolvlm", *GENERIC])
def test_a_token_that_the_tokenizer_adds_stands_once(name: str, kind: str, tmp_path: Path) -> None:
    if name == "smolvlm" and kind == "added and written":
        pytest.skip("its template is the library's")
    start = like_llama(name, tmp_path, after=kind == "both ends", written=kind == "added and written")
    family = family_of(tmp_path)
    ids = ids_of(family, tmp_path)
    first = family.tokenizer.convert_tokens_to_ids(start)
    assert ids[0] == first and ids[1] != first
    # Probes that were fitted without it are not valid with it.
    assert family.identity()["ids"][0][0] == first


def test_the_self_test_finds_a_missing_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    like_llama("idefics3", tmp_path)
    monkeypatch.setattr(Family, "adds_special", lambda self, text: False)
    findings = {finding.name: finding for finding in check_checkpoint(str(tmp_path), LoadOptions())}
    assert [name for name, finding in findings.items() if finding.passed is False] == ["ids equal its own processor's"]


def test_tiles_that_were_asked_for_are_not_held_against_a_checkpoint(folders: dict[str, Path]) -> None:
    options = LoadOptions(pixels=2 * 56 * 56)
    assert [finding for finding in check_checkpoint(str(folders["internvl"]), options) if finding.passed is False] == []
