"""The embedded backbone's architecture on tiny random models: streams, slots, the observer."""

from __future__ import annotations

from typing import Any

import torch

from hiprobe.backbones.embedded.fused import fuse
from hiprobe.backbones.embedded.motion_internvl import SURENESS
from hiprobe.backbones.embedded.observer import tubelets_of
from tests.tiny import WIDTH, tiny_motion_internvl


def test_motion_streams_follow_their_definition() -> None:
    model = tiny_motion_internvl()
    pixels = torch.randn(2, 3, 3, 32, 32)
    with torch.inference_mode():
        streams = model.model.streams(model.model.block_features(pixels))
        segment = model.model.get_segment_tokens(pixels, with_slots=True)
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


def test_fused_blocks_compute_what_the_librarys_do_and_leave_their_input_alone() -> None:
    tower: Any = tiny_motion_internvl().model.vision_tower.requires_grad_(False)
    for weight in tower.encoder.layer.parameters():
        weight.copy_(torch.randn_like(weight) / 4)
    states = [torch.randn(3, 17, tower.config.hidden_size)]
    for block in tower.encoder.layer:
        states.append(block(states[-1]))
    fuse(tower)
    for block, given, expected in zip(tower.encoder.layer, states, states[1:], strict=False):
        before = given.clone()
        torch.testing.assert_close(block(given), expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(given, before)


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


@torch.inference_mode()
def test_of_a_known_event_the_likeliest_kind_is_told_and_what_is_probable_is_left_as_it_is() -> None:
    model: Any = tiny_motion_internvl()
    projector = model.model.multi_modal_projector
    features = {b: torch.randn(3, 8, 8, 8, 16) for b in (1, 2)}
    observed = projector.observer(projector.observer.reduce(features))
    presumed = projector.presuming(observed).logits[0]
    assert presumed.argmax(dim=1).tolist() == (1 + observed.logits[0][:, 1:].argmax(dim=1)).tolist()
    assert torch.equal(presumed[:, 1:], observed.logits[0][:, 1:])
    tokens, probable = model.model.event_tokens(features)
    torch.testing.assert_close(probable, observed.logits[0].softmax(dim=1))
    torch.testing.assert_close(tokens[:, :-2], model.model.segment_tokens(features, with_slots=True).tokens[:, :-2])


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
        torch.testing.assert_close(projector(streams, features, with_slots=True), expected)
        torch.testing.assert_close(projector(streams, features, with_slots=False), torch.cat(mapped, dim=1))


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
