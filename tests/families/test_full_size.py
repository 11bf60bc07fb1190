"""What the list of models says of checkpoints at full size is true of their configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hiprobe.backbones import LoadOptions, Prompt
from hiprobe.backbones.catalogue import SUGGESTED
from hiprobe.backbones.families import find_family
from hiprobe.backbones.families.generic import Generic
from hiprobe.backbones.loading import load_config
from hiprobe.backbones.preparing import Preparer, Raw
from tests.families.configs import FULL, full_config
from tests.families.toys import PROMPT, write_full_files


@pytest.mark.parametrize("suggested", SUGGESTED, ids=lambda item: item.checkpoint)
def test_full_size_configurations_have_what_the_list_of_models_says(suggested: Any) -> None:
    from transformers import AutoModelForImageTextToText

    config = full_config(suggested.checkpoint)
    with torch.device("meta"):
        model: Any = AutoModelForImageTextToText.from_config(config)
    model.tie_weights()
    text = config.get_text_config(decoder=True)
    assert (text.num_hidden_layers, text.hidden_size) == (suggested.layers, suggested.width)
    assert len(model.get_decoder().layers) == suggested.layers
    parameters = sum(weight.numel() for weight in model.parameters()) / 1e9
    assert parameters == pytest.approx(suggested.parameters, rel=0.02)
    assert find_family(config.model_type).name == suggested.family


@pytest.mark.parametrize("suggested", SUGGESTED, ids=lambda item: item.checkpoint)
def test_a_segment_at_full_size_has_as_many_visual_tokens_as_the_list_says(suggested: Any, tmp_path: Path) -> None:
    write_full_files(suggested.checkpoint, tmp_path)
    config = load_config(tmp_path, LoadOptions())
    family = find_family(config.model_type)(tmp_path, config)
    assert family.size() == (suggested.frame_size, suggested.frame_size)
    frames = np.zeros((8, *family.size(), 3), dtype=np.uint8)
    prepared = Preparer(family)(frames, 0.25, Prompt(PROMPT))
    assert isinstance(prepared, Raw) == (not isinstance(family, Generic))  # pixels are made on the device
    tokens = int(prepared.visual.sum())
    assert tokens == suggested.tokens_here
    assert family.tokens_per_frame() in (None, tokens / 8)


def test_every_suggested_checkpoint_has_its_configuration_in_the_tests() -> None:
    assert {item.checkpoint for item in SUGGESTED} <= set(FULL)
