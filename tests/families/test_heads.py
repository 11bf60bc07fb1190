"""Whose head speaks: a model that was cut and completed is the whole one, whatever its configuration says of tying."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig

from hiprobe.backbones import Batch, LoadOptions, completing
from hiprobe.backbones.checking import check_checkpoint
from hiprobe.backbones.completing import complete_model
from hiprobe.backbones.loading import load_config, load_model
from hiprobe.backbones.opening import load_checkpoint
from hiprobe.errors import BackboneError
from tests.families.configs import Config
from tests.families.toys import PROMPT, pictures, scatter, toy_config, write_toy
from tests.families.wording import write_json
from tests.reading import values_of

DEPTH = 2

# What a config says of tied embeddings: at its top, and within text_config; None: nothing.
OMITTED, TIED, UNTIED, TEXT_TIED = (None, None), (True, None), (False, None), (None, True)

# Those whose configs of transformers 5, or parts of them, tie by default where the file is silent; and others.
BY_DEFAULT = ("internvl", "mistral3", "qwen3_vl_moe")
OTHERS = ("internvl3_5", "qwen2_5_vl", "qwen3_vl", "llava_onevision", "smolvlm", "gemma3", "idefics3")


def write_moe(folder: Path, experts: int) -> Path:
    """Qwen3-VL with a mixture of experts; `experts` is their width: at half of the model's their weights are square."""
    write_toy("qwen3_vl", folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "qwen3_vl_moe", "architectures": ["Qwen3VLMoeForConditionalGeneration"]}
    config["text_config"] |= {
        "model_type": "qwen3_vl_moe_text",
        "moe_intermediate_size": experts,
        "num_experts": 4,
        "num_experts_per_tok": 2,
    }
    config["vision_config"]["model_type"] = "qwen3_vl_moe"
    return write_weights(config, folder)


def write_mistral3(folder: Path) -> Path:
    """Mistral 3 with Pixtral's vision tower; weights alone, for texts without pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    text = toy_config("internvl", dict.fromkeys(("<|endoftext|>", "<|im_end|>", "<IMG_CONTEXT>"), 1))["text_config"]
    del text["rope_scaling"]
    config = {
        "model_type": "mistral3",
        "architectures": ["Mistral3ForConditionalGeneration"],
        "image_token_index": 10,
        "text_config": text | {"model_type": "mistral", "vocab_size": 96, "head_dim": 16},
        "vision_config": {
            "model_type": "pixtral",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "head_dim": 16,
            "image_size": 56,
            "patch_size": 14,
        },
    }
    return write_weights(config, folder)


def write_weights(config: Config, folder: Path) -> Path:
    model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(**config))
    scatter(model, 0)
    model.generation_config = GenerationConfig(eos_token_id=1, pad_token_id=0)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each toy, written when it is first asked for."""

    class Written(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            folder = tmp_path_factory.mktemp(name)
            if name.startswith("qwen3_vl_moe"):
                self[name] = write_moe(folder, 32 if name.endswith("square") else 48)
            else:
                self[name] = write_mistral3(folder) if name == "mistral3" else write_toy(name, folder)
            return self[name]

    return Written()


def variant(
    base: Path, folder: Path, says: tuple[bool | None, bool | None], ships: str | None, shards: int = 1
) -> Path:
    """Copy a checkpoint with other words on tying, and with a head of its own, the embedding again, or none."""
    shutil.copytree(base, folder, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for holder, word in zip((config, config.get("text_config", {})), says, strict=True):
        holder.pop("tie_word_embeddings", None)
        if word is not None:
            holder["tie_word_embeddings"] = word
    write_json(folder / "config.json", config)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    embedding = next(name for name in tensors if name.endswith("embed_tokens.weight"))
    # transformers 4 kept the head of InternVL, LLaVA and their like within the language model.
    head = "language_model.lm_head.weight" if embedding.startswith("language_model.model.") else "lm_head.weight"
    tensors.pop(head, None)
    if ships == "own":
        random = torch.Generator().manual_seed(7)
        tensors[head] = torch.randn(tensors[embedding].shape, generator=random) / 8
    elif ships == "same":
        tensors[head] = tensors[embedding].clone()
    elif ships == "alone":
        tensors[head] = tensors.pop(embedding)
    names = sorted(tensors)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        return folder
    places = {name: f"model-{index % shards + 1:05}-of-{shards:05}.safetensors" for index, name in enumerate(names)}
    for file in sorted(set(places.values())):
        save_file({n: tensors[n] for n in names if places[n] == file}, folder / file, {"format": "pt"})
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": places})
    return folder


def text(model: Any) -> list[int]:
    ids = torch.arange(20, 32)[None]
    return (
        model.eval()
        .generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)[0]
        .tolist()
    )


def assert_equal(found: Any, whole: Any) -> None:
    """Tensor by tensor, tie by tie, and word by word."""
    expected, own = whole.state_dict(), found.state_dict()
    assert own.keys() == expected.keys()
    for name, value in expected.items():
        assert own[name].dtype == value.dtype and torch.equal(own[name], value), name
    ties = [{name for name, _ in model.named_parameters()} for model in (found, whole)]
    assert ties[0] == ties[1]
    assert text(found) == text(whole)


def names(model: Any) -> list[str]:
    """The head's and the embedding's."""
    endings = ("lm_head.weight", "embed_tokens.weight")
    return [next(name for name in model.state_dict() if name.endswith(ending)) for ending in endings]


def check(folder: Path, ships: str | None, dtype: Any = "float32") -> bool:
    """Compare completed and whole; return whether anything could be completed."""
    options = LoadOptions(dtype=dtype, device="cpu")
    whole, cut = load_model(folder, options), load_model(folder, options, DEPTH)
    found = complete_model(cut, folder, options)
    for model in (whole, found or whole):
        head, embedding = (model.get_parameter(name) for name in names(model))
        assert torch.equal(head, embedding) == (ships != "own")
    assert_equal(found or load_model(folder, options), whole)
    return found is not None


@pytest.mark.parametrize("ships", ["own", "same", None])
@pytest.mark.parametrize("says", [OMITTED, TIED, UNTIED, TEXT_TIED], ids=str)
@pytest.mark.parametrize("name", BY_DEFAULT)
def test_the_head_is_the_checkpoints_own(
    name: str, says: tuple, ships: str | None, written: dict[str, Path], tmp_path: Path
) -> None:
    folder = variant(written[name], tmp_path, says, ships)
    if ships is None and not load_config(folder, LoadOptions()).tie_word_embeddings:
        with pytest.raises(BackboneError, match="lm_head"):
            load_model(folder, LoadOptions())
        return
    # Experts are turned on their way in, so those models are loaded whole; all others are completed.
    assert check(folder, ships) == ("moe" not in name)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("says", [OMITTED, TIED], ids=str)
def test_so_it_is_in_every_family(name: str, says: tuple, written: dict[str, Path], tmp_path: Path) -> None:
    assert check(variant(written[name], tmp_path, says, "own"), "own")


@pytest.mark.parametrize("name", ["internvl", "mistral3"])
def test_a_head_in_place_of_the_embedding(name: str, written: dict[str, Path], tmp_path: Path) -> None:
    """Tied tensors may be kept under the head's name alone."""
    folder = variant(written[name], tmp_path, TIED, "alone")
    assert check(folder, "alone")
    if name == "internvl":
        whole, cut = (load_checkpoint(str(folder), LoadOptions(), depth) for depth in (None, DEPTH))
        frames = pictures(cut)
        found, expected = (values_of(backbone, frames, PROMPT, [DEPTH], "visual") for backbone in (cut, whole))
        assert np.array_equal(found, expected)


def test_experts_that_are_square_are_not_taken_unturned(written: dict[str, Path], tmp_path: Path) -> None:
    assert not check(variant(written["qwen3_vl_moe_square"], tmp_path, OMITTED, "own"), "own")


@pytest.mark.parametrize(("dtype", "ships"), [("float16", "own"), ("bfloat16", "own"), ("bfloat16", "same")])
def test_in_shards_and_short_numbers(dtype: str, ships: str, written: dict[str, Path], tmp_path: Path) -> None:
    folder = variant(written["internvl"], tmp_path, OMITTED, ships, shards=3)
    assert check(folder, ships, dtype)


@pytest.mark.parametrize("name", ["internvl", "internvl3_5", "qwen3_vl_moe", "llava_onevision"])
def test_the_first_text_after_a_cut_is_the_whole_models(name: str, written: dict[str, Path], tmp_path: Path) -> None:
    folder = variant(written[name], tmp_path, OMITTED, "own", shards=2)
    whole, cut = (load_checkpoint(str(folder), LoadOptions(), depth) for depth in (None, DEPTH))
    batch = Batch(pictures(cut, 1))
    said = whole.generate(batch, PROMPT, 8)
    assert said and cut.generate(batch, PROMPT, 8) == said


def test_the_self_test_compares_the_texts(
    written: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can fail: a head that is tied to the embedding, as transformers ties what the file does not mention."""
    folder = variant(written["internvl"], tmp_path, OMITTED, "own")
    monkeypatch.setattr(completing, "_tie", lambda model: model.tie_weights())
    findings = {finding.name: finding for finding in check_checkpoint(str(folder), LoadOptions())}
    assert [name for name, finding in findings.items() if finding.passed is False] == [
        "completed model says what the whole one says"
    ]
