"""What is read beside the outputs of decoder blocks, of single tokens, and where these lie; of every family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hiprobe.backbones import LoadOptions
from hiprobe.backbones.hooks import HeadReader
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.opening import load_checkpoint
from hiprobe.backbones.sites import vision_blocks
from hiprobe.errors import BackboneError, UsageError
from tests.families.toys import FRAMES, PROMPT, pictures, write_toy
from tests.reading import states_of, values_of


def test_the_mean_of_token_states_is_the_visual_pooling(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone)
    layers = backbone.info.every_layer
    tokens = values_of(backbone, frames, "What happens?", layers, "tokens")
    assert backbone.info.tokens is not None and tokens.shape[-1] == backbone.info.tokens.width
    assert set(backbone.info.tokens.layers) <= set(layers)
    visual = values_of(backbone, frames, "What happens?", layers, "visual")
    np.testing.assert_allclose(tokens.mean((2, 3)), visual, rtol=1e-4, atol=1e-5)


def test_visual_tokens_lie_where_their_place_says(backbone: HuggingFaceBackbone) -> None:
    """What changes in one corner of the third frame changes most the token that is said to be there."""
    before = pictures(backbone, batch=1)
    height, width = backbone.info.frame_size
    found = states_of(backbone, before, PROMPT, [1], "visual", places=True)
    assert np.array_equal(found.values, values_of(backbone, before, PROMPT, [1], "visual"))
    assert found.places is not None and found.places.motion is None
    steps, rows, columns = found.places.states.shape[1:4]
    for row, column in ((0, columns - 1), (rows - 1, 0)):
        after = before.copy()
        top, left = row * height // rows, column * width // columns
        after[0, 2, top : top + height // rows, left : left + width // columns] = 255
        changed = states_of(backbone, after, PROMPT, [1], "visual", places=True).places
        assert changed is not None
        change = np.abs(changed.states - found.places.states)[0].sum(-1)
        # Tokens are told apart by their embeddings; later ones see this one, but little of it.
        place = np.unravel_index(change.argmax(), change.shape)
        assert place == (2 * steps // FRAMES, row, column)


@torch.inference_mode()
def test_sites_are_what_the_model_computes_there(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone)
    item = backbone.prepare(frames[:1], PROMPT)[0]
    output = backbone.model(**backbone.inputs([item]), output_hidden_states=True, use_cache=False)
    # Heads: mixed by the output projection they are what attention adds in the first block.
    heads = values_of(backbone, frames, PROMPT, (), "last", site="heads")
    block = backbone.model.get_decoder().layers[0]
    count = backbone.model.config.get_text_config(decoder=True).num_attention_heads
    assert heads.shape[:2] == (2, backbone.info.layers * count)
    said = []
    handle = block.self_attn.register_forward_hook(lambda _module, _inputs, out: said.append(out[0]))
    backbone.read_prepared([item], [1], "last")
    handle.remove()
    mixed = block.self_attn.o_proj(torch.from_numpy(heads[0, :count]).flatten())
    torch.testing.assert_close(mixed, said[0][0, -1], rtol=1e-4, atol=1e-5)
    # The projector: the pooling of layer 0, so to say.
    projector = values_of(backbone, frames, PROMPT, (), "pair", site="projector")
    expected = output.hidden_states[0][0, item.visual].mean(dim=0)
    torch.testing.assert_close(torch.from_numpy(projector[0, 0, : backbone.info.width]), expected, rtol=1e-4, atol=1e-5)
    vision = values_of(backbone, frames, PROMPT, (), "pair", site="vision")
    assert vision.shape[:2] == (2, len(vision_blocks(backbone.model))) and np.isfinite(vision).all()


def test_what_stands_still_does_not_change_in_the_vision_tower(backbone: HuggingFaceBackbone) -> None:
    still = pictures(backbone, 1, 1).repeat(FRAMES, axis=1)
    change = np.split(values_of(backbone, still, PROMPT, (), "pair", site="vision"), 2, axis=2)[1]
    moved = np.split(values_of(backbone, pictures(backbone, 1), PROMPT, (), "pair", site="vision"), 2, axis=2)[1]
    assert change.max() < 1e-4 < moved.min(axis=2).max()


def test_heads_elsewhere_are_told() -> None:
    class Block(torch.nn.Module):
        pass

    with pytest.raises(BackboneError, match=r"decoder blocks \[1, 2\] \(Block\) have no self_attn.o_proj"):
        HeadReader(torch.nn.ModuleList([Block(), Block()]))


def test_places_of_a_site_are_read_by_number(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone)
    for site, pooling in (("vision", "pair"), ("projector", "pair"), ("heads", "last")):
        every = values_of(backbone, frames, PROMPT, (), pooling, site=site)
        last = every.shape[1]
        chosen = values_of(backbone, frames, PROMPT, sorted({1, last}), pooling, site=site)
        assert np.array_equal(chosen, every[:, sorted({0, last - 1})])
        with pytest.raises(UsageError, match=rf"Places \[{last + 1}\] of the site {site}: .* has {last}\."):
            values_of(backbone, frames, PROMPT, [last + 1], pooling, site=site)


def test_steps_are_the_means_of_their_tokens(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone)
    tokens, steps = (values_of(backbone, frames, PROMPT, [1, 3], pooling) for pooling in ("tokens", "steps"))
    assert steps.shape == (2, 2, tokens.shape[2] * backbone.info.width)
    np.testing.assert_allclose(steps, tokens.mean(3).reshape(2, 2, -1), rtol=1e-6)


def test_frames_of_another_size_are_refused(backbone: HuggingFaceBackbone) -> None:
    height, width = backbone.info.frame_size
    larger = np.zeros((1, 2, 2 * height, 2 * width, 3), np.uint8)
    for site, pooling in (("decoder", "last"), ("vision", "pair")):
        with pytest.raises(UsageError, match=f"Frames of {2 * width}x{2 * height} pixels at the site {site}"):
            values_of(backbone, larger, PROMPT, [1], pooling, site=site, frame_size=(2 * height, 2 * width))


def test_single_tokens_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    broken = load_checkpoint(str(write_toy("internvl", tmp_path)), LoadOptions())
    with torch.no_grad():
        broken.model.get_decoder().layers[1].mlp.down_proj.weight.fill_(torch.inf)
    for pooling in ("tokens", "steps"):
        with pytest.raises(BackboneError, match="not finite"):
            values_of(broken, pictures(broken), PROMPT, [2], pooling)
