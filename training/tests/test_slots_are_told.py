"""The shipped projector: the language model says what the slots tell it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hiprobe.backbones import load_backbone
from hiprobe.backbones.embedded.backbone import EmbeddedBackbone, VisualTokens
from hiprobe.backbones.embedded.vision import normalise
from hiprobe.explain import EXPLAIN_PROMPT
from hiprobe_training.projector.slots import SLOTS
from hiprobe_training.scenes.captions import named_events


@pytest.fixture(scope="module")
def real() -> EmbeddedBackbone:
    backbone = load_backbone().loaded
    assert isinstance(backbone, EmbeddedBackbone)
    return backbone


@pytest.mark.real
@torch.inference_mode()
def test_the_language_model_says_what_the_slots_tell_it(real: EmbeddedBackbone) -> None:
    projector = real.model.model.multi_modal_projector
    frames = np.full((1, 8, *real.info.frame_size, 3), 90, dtype=np.uint8)
    features = real.model.model.block_features(normalise(frames, real.model.lm_head.weight))
    streams, observed = real.model.model.streams(features), projector.observer(projector.observer.reduce(features))
    said = {}
    for event in ("none", "fight", "fire"):
        for slot in (0, 1):  # the event and a form that goes with it
            wanted = [event in answer for answer in SLOTS[slot].answers]
            observed.logits[slot][:] = torch.tensor(wanted).float().log().clamp_min(-20)
        tokens = VisualTokens(projector.tokens(streams, observed), torch.zeros(1, 56))
        said[event] = named_events(real.say(tokens, EXPLAIN_PROMPT, 40)[0])
    assert not said["none"] and "fight" in said["fight"] - said["fire"] and "fire" in said["fire"] - said["fight"]
