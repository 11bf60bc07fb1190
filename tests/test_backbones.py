"""Reading hidden states: hooks, pooling, prompts; on tiny random models of the real architectures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hiprobe.backbones import load_backbone
from hiprobe.backbones.embedded.motion_internvl import SURENESS
from hiprobe.backbones.embedded.observer import tubelets_of
from hiprobe.backbones.hooks import LayerReader
from hiprobe.backbones.huggingface import sampled_fingerprint
from hiprobe.backbones.internvl import InternVLBackbone, normalise
from hiprobe.errors import BackboneError, UsageError
from tests.tiny import LAYERS, WIDTH, tiny_internvl, tiny_motion_internvl, tiny_tokenizer


@pytest.fixture(scope="module")
def backbone() -> InternVLBackbone:
    return InternVLBackbone(tiny_internvl(), tiny_tokenizer(), "tiny")


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32, 3), dtype=np.uint8)


def hooks_of(model: torch.nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


@torch.inference_mode()
def test_hooks_equal_output_hidden_states_bit_for_bit() -> None:
    language = tiny_internvl().model.language_model
    embeddings = torch.randn(2, 7, WIDTH)
    expected = language(inputs_embeds=embeddings, output_hidden_states=True).hidden_states
    with LayerReader(language.layers, range(1, LAYERS + 1)) as reader:
        language(inputs_embeds=embeddings)
    for layer in range(1, LAYERS):
        assert torch.equal(reader.states[layer], expected[layer])
    # The trap: the last entry of output_hidden_states is after the final norm; layer L here is before it.
    assert not torch.equal(reader.states[LAYERS], expected[LAYERS])
    assert torch.equal(language.norm(reader.states[LAYERS]), expected[LAYERS])


@torch.inference_mode()
def test_blocks_above_the_deepest_layer_do_not_run() -> None:
    language = tiny_internvl().model.language_model
    ran = []
    for number, block in enumerate(language.layers, start=1):
        block.register_forward_pre_hook(lambda *_, number=number: ran.append(number))
    with LayerReader(language.layers, [2, 3]) as reader:
        language(inputs_embeds=torch.randn(1, 4, WIDTH))
    assert ran == [1, 2, 3]
    assert sorted(reader.states) == [2, 3]


def test_hooks_are_removed_when_the_pass_fails() -> None:
    language = tiny_internvl().model.language_model
    with pytest.raises(RuntimeError), LayerReader(language.layers, [1, 5]):
        language(inputs_embeds=torch.randn(1, 4, WIDTH + 1))
    assert hooks_of(language) == 0
    with pytest.raises(IndexError), LayerReader(language.layers, [1, 99]):
        pass
    assert hooks_of(language) == 0


@torch.inference_mode()
def test_poolings_agree_with_the_models_own_forward(backbone: InternVLBackbone, frames: np.ndarray) -> None:
    model = backbone._model
    ids = backbone._prompt_ids("what happens", 3, backbone.visual_tokens(frames)).repeat(2, 1)
    pixels = normalise(frames.reshape(6, 32, 32, 3), model.lm_head.weight)
    output = model.model(input_ids=ids, pixel_values=pixels, output_hidden_states=True)
    places = ids[0] == 2
    assert places.sum() == 3 * 16
    expected = output.hidden_states[2]
    visual = expected[:, places]
    last = backbone.hidden_states(frames, "what happens", [2], "last")
    mean = backbone.hidden_states(frames, "what happens", [2], "visual")
    moving = backbone.hidden_states(frames, "what happens", [2], "motion")
    assert last.shape == mean.shape == (2, 1, WIDTH) and last.dtype == np.float32
    np.testing.assert_allclose(last[:, 0], expected[:, -1], atol=1e-5)
    np.testing.assert_allclose(mean[:, 0], visual.mean(1), atol=1e-5)
    tokens = model.model.get_image_features(pixel_values=pixels).pooler_output.reshape(2, 3, 16, WIDTH)
    weights = (tokens - tokens.mean(1, keepdim=True)).norm(dim=-1).reshape(2, 48, 1)
    np.testing.assert_allclose(moving[:, 0], (visual * weights).sum(1) / weights.sum(1), atol=1e-5)


def test_motion_pooling_of_a_still_picture_is_the_plain_mean(backbone: InternVLBackbone, frames: np.ndarray) -> None:
    still = frames[:, :1].repeat(3, axis=1)
    moving = backbone.hidden_states(still, "what", [1, 4], "motion")
    np.testing.assert_allclose(moving, backbone.hidden_states(still, "what", [1, 4], "visual"), atol=1e-5)


def test_a_segment_does_not_depend_on_its_batch(backbone: InternVLBackbone, frames: np.ndarray) -> None:
    both = backbone.hidden_states(frames, "what", [3], "last")
    alone = np.concatenate([backbone.hidden_states(frames[i : i + 1], "what", [3], "last") for i in range(2)])
    np.testing.assert_allclose(both, alone, atol=1e-5)
    assert not np.allclose(both[0], both[1])


def test_the_deepest_layer_asked_for_does_not_change_the_others(backbone: InternVLBackbone, frames: np.ndarray) -> None:
    every = backbone.hidden_states(frames, "what", range(1, LAYERS + 1), "visual")
    for layer in range(1, LAYERS + 1):
        assert np.array_equal(every[:, layer - 1], backbone.hidden_states(frames, "what", [layer], "visual")[:, 0])


@pytest.mark.parametrize("layers", [[], [0], [LAYERS + 1], [2, 1], [2, 2]])
def test_layers_that_do_not_exist_are_refused(
    backbone: InternVLBackbone, frames: np.ndarray, layers: list[int]
) -> None:
    with pytest.raises(UsageError, match="decoder blocks between 1 and 5"):
        backbone.hidden_states(frames, "what", layers, "last")


def test_wrong_requests_are_refused(backbone: InternVLBackbone, frames: np.ndarray) -> None:
    with pytest.raises(UsageError, match="Pooling 'max'"):
        backbone.hidden_states(frames, "what", [1], "max")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="takes uint8"):
        backbone.hidden_states(frames[..., :16, :], "what", [1], "last")
    with pytest.raises(UsageError, match="control token"):
        backbone.hidden_states(frames, "what <IMG_CONTEXT>", [1], "last")


def test_states_that_are_not_finite_are_an_error(frames: np.ndarray) -> None:
    broken = InternVLBackbone(tiny_internvl(), tiny_tokenizer(), "tiny")
    with torch.no_grad():
        broken._model.model.language_model.layers[2].mlp.down_proj.weight.fill_(torch.inf)
    with pytest.raises(BackboneError, match=r"not finite at layers \[3, 4\]"):
        broken.hidden_states(frames, "what", [1, 3, 4], "visual")


def test_generated_text_is_deterministic(backbone: InternVLBackbone, frames: np.ndarray) -> None:
    first = backbone.generate(frames[0], "what happens", 4)
    assert first == backbone.generate(frames[0], "what happens", 4)


def test_fingerprint_follows_weights_and_configuration() -> None:
    model, again = tiny_internvl(), tiny_internvl()
    assert sampled_fingerprint(model) == sampled_fingerprint(again)
    with torch.no_grad():
        again.model.language_model.layers[0].mlp.down_proj.weight.mul_(1.01)
    assert sampled_fingerprint(model) != sampled_fingerprint(again)


def test_motion_streams_follow_their_definition() -> None:
    model = tiny_motion_internvl()
    pixels = torch.randn(2, 3, 3, 32, 32)
    with torch.inference_mode():
        streams = model.model.streams(model.model.block_features(pixels))
        segment = model.model.get_segment_tokens(pixels, telling=True)
        read = model.model.get_segment_tokens(pixels)
        hidden = model.model.vision_tower(pixel_values=pixels.flatten(0, 1), output_hidden_states=True).hidden_states
        one = model.model.get_segment_tokens(pixels[:, :1])
    assert segment.tokens.shape == (2, model.config.visual_tokens, WIDTH) == (2, 8 + 2, WIDTH)
    assert read.tokens.shape == (2, 8, WIDTH) and torch.equal(read.motion, segment.motion[:, :8])
    first, second = (hidden[b][:, 1:].reshape(2, 3, 8, 8, 16) for b in (1, 2))
    for row in range(2):
        for column in range(2):
            cell = (slice(4 * row, 4 * row + 4), slice(4 * column, 4 * column + 4))
            place = 2 * row + column
            seen = second.mean(1)[:, *cell].mean((1, 2))
            seen = (seen - seen.mean(-1, keepdim=True)) / (seen.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
            torch.testing.assert_close(streams[0][:, place], seen, atol=1e-5, rtol=1e-4)
            moved = first.diff(dim=1).abs().mean(1)[:, *cell].amax((1, 2))
            torch.testing.assert_close(streams[1][:, place], moved, atol=1e-5, rtol=1e-4)
            departed = (second - second.mean(1, keepdim=True)).norm(dim=-1).mean(1)[:, *cell].mean((1, 2))
            torch.testing.assert_close(segment.motion[:, place], departed)
    assert torch.equal(segment.motion[:, :4], segment.motion[:, 4:8]) and (segment.motion[:, 8:] == 0).all()
    assert torch.isfinite(one.tokens).all() and (one.motion == 0).all()


def test_slots_say_nothing_that_does_not_fit_whether_there_is_an_event() -> None:
    projector: Any = tiny_motion_internvl().model.multi_modal_projector
    sizes = [len(words) for words in projector.words]
    projector.belongs[1].data[0], projector.belongs[1].data[1] = -1.0, 1.0
    event = torch.zeros(2, sizes[0])
    event[0, 0] = event[1, 1] = 1.0  # the first row is calm
    logits = [event, torch.randn(2, sizes[1])]
    first, second = projector.consistent(logits)
    assert torch.equal(first, event) and second.argmax(dim=1).tolist() == [0, 1]
    assert torch.equal(second[[0, 1], [0, 1]], logits[1][[0, 1], [0, 1]])


def test_the_projector_is_linear_maps_then_a_token_per_slot() -> None:
    projector: Any = tiny_motion_internvl().model.multi_modal_projector
    streams, features = [torch.randn(2, 4, 16) for _ in range(2)], {b: torch.randn(2, 8, 8, 8, 16) for b in (1, 2)}
    with torch.inference_mode():
        projector.offsets += torch.tensor([0.5, 0.1])
        projector.scales *= 2
        for part in (projector.places, *projector.words, *projector.observer.directions):
            part.normal_()
        standard = [(s - o) / 2 for s, o in zip(streams, projector.offsets, strict=True)]
        mapped = [m(s) for m, s in zip(projector.maps, standard, strict=True)]
        observed = projector.observer(projector.observer.reduce(features))
        said = [
            (SURENESS * logits).softmax(-1) @ words
            for logits, words in zip(observed.logits, projector.words, strict=True)
        ]
        slots = torch.stack(said, dim=1) + projector.state(observed.states)
        expected = torch.cat([*mapped, slots], dim=1) + projector.places
        torch.testing.assert_close(projector(streams, features, telling=True), expected)
        torch.testing.assert_close(projector(streams, features, telling=False), torch.cat(mapped, dim=1))


@torch.inference_mode()
def test_the_observer_takes_the_nearest_frames_and_leaves_out_what_never_changes() -> None:
    observer: Any = tiny_motion_internvl().model.multi_modal_projector.observer
    reduced = torch.randn(2, 8, 8, 8, 7)
    observed = observer(reduced)
    assert observed.cells.shape == (2, 16, 8) and observed.states.shape == (2, 2, 16)
    assert [logits.shape for logits in observed.logits] == [(2, 3), (2, 2)]
    twice = observer(reduced.repeat_interleave(2, dim=1))
    torch.testing.assert_close(twice.logits[0], observed.logits[0])
    assert torch.isfinite(observer(reduced[:, :1]).states).all()
    # Another camera's constant offset reaches the slots by the scene's token alone.
    observer.scene[1].weight.zero_()
    torch.testing.assert_close(observer(reduced + 3.0).cells, observer(reduced).cells, atol=1e-4, rtol=1e-4)


def test_a_tubelet_holds_its_patches_and_how_much_they_change() -> None:
    patches = torch.randn(2, 4, 6, 4, 3)
    joined = tubelets_of(patches)
    assert joined.shape == (2, 2, 6, 18)
    own = patches[:, 2:4, 2:4, 2:4]  # the second moment, row 1 and column 1 of the cells
    cell = joined[:, 1, 3]
    torch.testing.assert_close(cell[:, :12], own.mean(1).flatten(1))
    # The last frame has no next one: its last change counts again.
    last = (patches[:, 3] - patches[:, 2]).abs()[:, 2:4, 2:4].flatten(1, 2)
    torch.testing.assert_close(cell[:, 12:15], last.mean(1))
    torch.testing.assert_close(cell[:, 15:], last.amax(1))


def test_an_unknown_backbone_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no backbone 'gpt'"):
        load_backbone("gpt")
