"""Every family, in the environment at hand: with torchvision natively, without it by PIL image processors."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import hiprobe.backbones.families
from hiprobe.backbones import Batch, LoadOptions, Prompt
from hiprobe.backbones.base import FRAME_INTERVAL
from hiprobe.backbones.checking import check_checkpoint
from hiprobe.backbones.families import Family, Prepared, find_family
from hiprobe.backbones.families.base import expand, has_torchvision
from hiprobe.backbones.families.generic import Generic
from hiprobe.backbones.families.internvl import InternVL
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.loading import load_config
from hiprobe.backbones.opening import load_checkpoint
from hiprobe.errors import BackboneError
from tests.families.toys import FRAMES, PROMPT, altered, pictures
from tests.reading import values_of

with_torchvision = pytest.mark.skipif(not has_torchvision(), reason="needs torchvision: make test-families")
without_torchvision = pytest.mark.skipif(has_torchvision(), reason="is of the environment without torchvision")


def test_every_check_of_the_self_test_passes(name: str, folders: dict[str, Path]) -> None:
    findings = list(check_checkpoint(str(folders[name]), LoadOptions()))
    assert [finding for finding in findings if finding.passed is False] == []
    # Without torchvision, the processors of the families that have a file of their own cannot be built to compare.
    compared = has_torchvision() or name in ("gemma3", "idefics3")
    assert sum(finding.passed is True for finding in findings) == 6 + compared


@torch.inference_mode()
def test_hooks_equal_output_hidden_states(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone, 1)
    inputs = backbone.family.prepare(frames[0], FRAME_INTERVAL, Prompt(PROMPT)).inputs
    output = backbone.model(**inputs, output_hidden_states=True, use_cache=False)
    layers = range(1, backbone.info.layers)
    states = backbone.read_prepared(backbone.prepare(frames, PROMPT), layers, "last")[0]
    for layer in layers:
        assert np.array_equal(states[layer - 1], output.hidden_states[layer][0, -1].numpy()), layer


def test_a_cut_model_equals_the_whole(name: str, backbone: HuggingFaceBackbone, folders: dict[str, Path]) -> None:
    frames = pictures(backbone)
    for depth in range(1, backbone.info.layers):
        cut = load_checkpoint(str(folders[name]), LoadOptions(dtype="float32"), depth)
        assert len(cut.model.get_decoder().layers) == depth and not hasattr(cut.model, "lm_head")
        assert cut.info.fingerprint == backbone.info.fingerprint
        expected = values_of(backbone, frames, PROMPT, [depth], "visual")
        assert np.array_equal(values_of(cut, frames, PROMPT, [depth], "visual"), expected)


def test_a_cut_model_in_bfloat16_stays_within_a_hundredth(name: str, folders: dict[str, Path]) -> None:
    """The same arithmetic in the same type: only what a kernel rounds otherwise may differ."""
    whole, cut = (load_checkpoint(str(folders[name]), LoadOptions(dtype="bfloat16"), depth) for depth in (None, 2))
    frames = pictures(whole)
    expected, found = (values_of(b, frames, PROMPT, [2], "visual") for b in (whole, cut))
    assert np.abs(found - expected).max() <= 0.01 * np.abs(expected).max()


@torch.inference_mode()
def test_changing_a_frame_changes_exactly_its_tokens(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone, 1)
    prepared = backbone.prepare(frames, PROMPT)
    before = backbone.embeddings(prepared)[0]
    visual, steps = prepared[0].visual, prepared[0].steps
    places = visual.nonzero()[:, 0].reshape(steps, -1)
    for frame in range(FRAMES):
        changed = frames.copy()
        changed[0, frame] = 255 - changed[0, frame]
        after = backbone.prepare(changed, PROMPT)
        assert torch.equal(after[0].inputs["input_ids"], prepared[0].inputs["input_ids"])
        moved = (backbone.embeddings(after)[0] != before).any(dim=1)
        assert moved.nonzero()[:, 0].tolist() == places[frame * steps // FRAMES].tolist()
    # Nor do hidden states before the frame's tokens change, at any layer: the language model looks back only. (Gemma 3
    # lets the tokens of one image see each other.)
    last = frames.copy()
    last[0, -1] = 255 - last[0, -1]
    given = [backbone.inputs(item) for item in (prepared, backbone.prepare(last, PROMPT))]
    states = [backbone.model(**item, output_hidden_states=True, use_cache=False).hidden_states for item in given]
    for before, after in zip(*states, strict=True):
        first = int(places[-1, 0])
        torch.testing.assert_close(before[0, :first], after[0, :first], rtol=0, atol=1e-5)


def test_a_batch_equals_its_singles_and_nothing_is_padded(backbone: HuggingFaceBackbone) -> None:
    frames, layers = pictures(backbone, 3), backbone.info.every_layer
    for item in backbone.prepare(frames, PROMPT):
        assert (item.inputs["attention_mask"] == 1).all()
    for pooling in ("last", "visual", "motion"):
        together = values_of(backbone, frames, PROMPT, layers, pooling)
        alone = [values_of(backbone, frames[i : i + 1], PROMPT, layers, pooling) for i in range(3)]
        np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4)
        assert np.abs(together[0] - together[1]).max() > 1e-3


def test_visual_tokens_of_a_frame_do_not_depend_on_the_batch(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone, 3)
    visual = backbone.prepare(frames, PROMPT)[0].visual
    together = backbone.embeddings(backbone.prepare(frames, PROMPT))[:, visual]
    for row in range(3):
        alone = backbone.embeddings(backbone.prepare(frames[row : row + 1], PROMPT))[0, visual]
        torch.testing.assert_close(together[row], alone, rtol=1e-4, atol=1e-5)


def test_overlapping_segments_encode_common_frames_once_and_states_are_the_same(
    backbone: HuggingFaceBackbone,
) -> None:
    """The uncached path is the model's own, with pixels, segment by segment."""
    (video,) = pictures(backbone, 1, 8)
    # Two frames on: where frames are joined in pairs, the pairs are the same.
    frames = np.stack([video[start : start + FRAMES] for start in (0, 2, 4)])
    layers = backbone.info.every_layer
    before = backbone.frames.encoded
    batch = values_of(backbone, frames[:2], PROMPT, layers, "visual")
    found = np.concatenate([batch, values_of(backbone, frames[2:], PROMPT, layers, "visual")])
    steps = sum(item.steps for item in backbone.prepare(frames, PROMPT))
    cached = not isinstance(backbone.family, Generic)
    assert backbone.frames.encoded - before == (steps * 8 // 12 if cached else 0)
    own = altered(backbone, units=lambda self, prepared: None)
    alone = [values_of(own, frames[i : i + 1], PROMPT, layers, "visual") for i in range(3)]
    np.testing.assert_allclose(found, np.concatenate(alone), atol=1e-4)


def test_segments_of_different_lengths_in_tokens_are_read_one_by_one(
    backbone: HuggingFaceBackbone,
) -> None:
    frames, prepare = pictures(backbone), backbone.family.prepare
    longer = iter(["a few words more than", ""])

    def uneven(_self: Family, segment: np.ndarray, interval: float, prompt: Prompt) -> Prepared:
        return prepare(segment, interval, Prompt(next(longer) + prompt.text))

    own = altered(backbone, prepare=uneven)
    found = values_of(own, frames, PROMPT, [2], "last")
    expected = values_of(backbone, frames[1:], PROMPT, [2], "last")
    np.testing.assert_allclose(found[1:], expected, atol=1e-5)
    assert np.abs(found[0] - values_of(backbone, frames[:1], PROMPT, [2], "last")).max() > 1e-4


def test_generation_runs_and_is_deterministic(backbone: HuggingFaceBackbone) -> None:
    batch = Batch(pictures(backbone, 1))
    assert backbone.generate(batch, PROMPT, 3) == backbone.generate(batch, PROMPT, 3)


def test_tokens_per_frame_are_what_the_family_says(backbone: HuggingFaceBackbone) -> None:
    said = backbone.info.tokens_per_frame
    found = int(backbone.prepare(pictures(backbone, 1), PROMPT)[0].visual.sum()) / FRAMES
    assert said in (None, found)


def test_an_odd_number_of_frames_and_a_single_one_work(backbone: HuggingFaceBackbone) -> None:
    for count in (1, 3):
        states = values_of(backbone, pictures(backbone, 1, count), PROMPT, [2], "motion")
        assert np.isfinite(states).all()


@with_torchvision
@pytest.mark.parametrize("name", ["internvl", "internvl3_5", "llava_onevision", "smolvlm"])
def test_inputs_equal_the_native_processors(name: str, loaded: dict[str, HuggingFaceBackbone]) -> None:
    """These families are prepared without torchvision too; where it is, the library's own processor must agree."""
    from transformers import AutoProcessor

    backbone = loaded[name]
    folder = backbone.model.config.name_or_path
    native = AutoProcessor.from_pretrained(folder)
    frames = pictures(backbone, 1)
    content = [{"type": "video"}, {"type": "text", "text": PROMPT}]
    text = native.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    expected = native(
        text=[text],
        videos=[frames[0]],
        video_metadata=[{"total_num_frames": FRAMES, "fps": 4.0, "duration": 1.0, "frames_indices": [*range(FRAMES)]}],
        do_sample_frames=False,
        return_tensors="pt",
        # The native SmolVLM processor enlarges frames and shrinks them again, which would only blur ours.
        **({"size": {"longest_edge": frames.shape[2]}} if name == "smolvlm" else {}),
    )
    prepared = backbone.inputs(backbone.prepare(frames, PROMPT))
    assert torch.equal(prepared["input_ids"], torch.as_tensor(expected["input_ids"]))
    key = next(key for key in expected if key in ("pixel_values", "pixel_values_videos"))
    torch.testing.assert_close(prepared[key], expected[key], rtol=0, atol=1e-3)


@with_torchvision
def test_qwen_is_told_the_time_between_frames(loaded: dict[str, HuggingFaceBackbone]) -> None:
    frames = pictures(loaded["qwen2_5_vl"], 1)
    prepared = loaded["qwen2_5_vl"].prepare(frames, PROMPT, [2.0])[0]
    assert prepared.inputs["second_per_grid_ts"].tolist() == [1.0] and prepared.steps == FRAMES // 2
    third = loaded["qwen3_vl"]
    ids = third.prepare(pictures(third, 1), PROMPT, [2.0])[0].inputs["input_ids"][0]
    text = third.family.tokenizer.decode(ids)
    assert "0.2 seconds" in text.replace(" .", ".")


@without_torchvision
def test_qwen_takes_images_where_torchvision_is_absent(loaded: dict[str, HuggingFaceBackbone]) -> None:
    for name in ("qwen2_5_vl", "qwen3_vl"):
        prepared = loaded[name].prepare(pictures(loaded[name], 1), PROMPT)[0]
        assert loaded[name].family.way == "images" and prepared.steps == FRAMES
        assert "image_grid_thw" in prepared.inputs


@without_torchvision
def test_what_needs_torchvision_says_so(folders: dict[str, Path]) -> None:
    config = load_config(folders["qwen3_vl"], LoadOptions())
    with pytest.raises(BackboneError, match=r"cannot be built .*: install torchvision in the build that fits torch"):
        Generic(folders["qwen3_vl"], config)


class Added(InternVL):
    """What another package might bring."""

    name = "added"
    model_types: ClassVar[tuple[str, ...]] = ("internvl",)


def test_other_packages_add_families_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    def offer(value: str) -> None:
        entry = EntryPoint("added", value, "hiprobe.families")
        monkeypatch.setattr(hiprobe.backbones.families, "entry_points", lambda group: [entry])

    offer(f"{__name__}:Added")
    assert find_family("internvl") is Added and find_family("gemma3") is Generic
    offer(f"{__name__}:Missing")
    with pytest.raises(BackboneError, match=r"family 'added' .* cannot be loaded"):
        find_family("internvl")
    offer(f"{__name__}:FRAMES")
    with pytest.raises(BackboneError, match="no subclass of Family"):
        find_family("internvl")


class Shifted(InternVL):
    """Takes the token after each visual one for visual."""

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        prepared = super().prepare(frames, interval, prompt)
        return replace(prepared, visual=prepared.visual.roll(1))


def test_a_wrong_family_is_found_out(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test can fail."""
    entry = EntryPoint("shifted", f"{__name__}:Shifted", "hiprobe.families")
    monkeypatch.setattr(hiprobe.backbones.families, "entry_points", lambda group: [entry])
    findings = {finding.name: finding.passed for finding in check_checkpoint(str(folders["internvl"]), LoadOptions())}
    assert [name for name, passed in findings.items() if passed is False] == ["visual tokens"]


def test_a_template_of_another_family_is_refused() -> None:
    assert expand("a <x> b <x>", "<x>", ["1", "2"]) == "a 1 b 2"
    with pytest.raises(BackboneError, match="wrote 1 placeholders '<x>' for 2"):
        expand("a <x>", "<x>", ["1", "2"])
