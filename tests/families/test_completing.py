"""A model that was cut becomes whole for the first text: around what it has, reading only what it lacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from hiprobe.backbones import Batch, LoadOptions, completing
from hiprobe.backbones.completing import complete_model
from hiprobe.backbones.loading import load_model
from hiprobe.backbones.opening import load_checkpoint
from tests.families.toys import PROMPT, TOYS, pictures, write_toy
from tests.families.wording import write_json
from tests.reading import values_of

DEPTH = 2


class Counted:
    """A safetensors file that counts the numbers which are read of it."""

    read = 0

    def __init__(self, *given: Any) -> None:
        self._file = safe_open(*given)

    def __enter__(self) -> Counted:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def get_tensor(self, name: str) -> torch.Tensor:
        tensor = self._file.get_tensor(name)
        Counted.read += tensor.numel()
        return tensor


@pytest.fixture(params=TOYS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_toy(request.param, tmp_path)


def memory(model: Any) -> dict[int, int]:
    """The numbers in each piece of memory that parameters take."""
    return {value.data_ptr(): value.numel() for value in model.parameters()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_completed_model_equals_the_whole_to_the_bit(
    dtype: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = LoadOptions(dtype=dtype)
    whole, cut = (load_checkpoint(str(folder), options, depth) for depth in (None, DEPTH))
    frames, layers = pictures(cut), range(1, whole.info.layers + 1)
    values_of(cut, frames, PROMPT, [DEPTH], "last")
    before = memory(cut.model)
    monkeypatch.setattr(completing, "safe_open", Counted)
    Counted.read = 0
    assert cut.generate(Batch(frames[:1]), PROMPT, 6) == whole.generate(Batch(frames[:1]), PROMPT, 6)
    assert cut.info == whole.info
    # All memory that the cut model took is the whole's, and what was read is the rest.
    after = memory(cut.model)
    assert before.items() <= after.items()
    assert 0 < Counted.read == sum(after.values()) - sum(before.values())
    # The same names, values, buffers and generation as of a model that was loaded whole.
    for named in ("named_parameters", "named_buffers"):
        found, expected = (dict(getattr(b.model, named)()) for b in (cut, whole))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name].dtype == value.dtype and torch.equal(found[name], value), name
    assert cut.model.generation_config.to_dict() == whole.model.generation_config.to_dict()
    assert cut.model.config.to_dict() == whole.model.config.to_dict()
    cut.frames.clear()
    expected, found = (values_of(b, frames, PROMPT, layers, "motion") for b in (whole, cut))
    assert np.array_equal(found, expected)


def test_a_checkpoint_in_several_files_is_completed(tmp_path: Path) -> None:
    folder = write_toy("qwen2_5_vl", tmp_path)  # its LM head is tied to the embedding
    whole = load_checkpoint(str(folder), LoadOptions())
    (folder / "model.safetensors").unlink()
    whole.model.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    cut = load_model(folder, LoadOptions(), DEPTH)
    found = complete_model(cut, folder, LoadOptions())
    assert found is not None and memory(cut).items() <= memory(found).items()
    for name, value in whole.model.named_parameters():
        assert torch.equal(found.get_parameter(name), value), name


@pytest.mark.parametrize("hindrance", ["generation_config.json", "model.safetensors", "shapes", "code"])
def test_what_cannot_be_completed_is_loaded_whole(
    hindrance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_toy("internvl", tmp_path)
    options = LoadOptions(trust_remote_code=hindrance == "code")
    if hindrance == "model.safetensors":
        (folder / hindrance).rename(folder / "elsewhere.safetensors")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        write_json(folder / "config.json", config | {"transformers_weights": "elsewhere.safetensors"})
    elif hindrance != "shapes":
        (folder / "generation_config.json").unlink()
    whole, cut = (load_checkpoint(str(folder), options, depth) for depth in (None, DEPTH))
    if hindrance == "shapes":  # as if two tensors of the checkpoint had been joined
        cut.model.get_decoder().register_buffer("joined", torch.zeros(2, 3, 5))
    assert complete_model(cut.model, folder, options) is None
    frames = pictures(cut)
    assert cut.generate(Batch(frames[:1]), PROMPT, 6) == whole.generate(Batch(frames[:1]), PROMPT, 6)
    assert cut.info == whole.info
