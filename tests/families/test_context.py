"""A segment that is longer than the model's context is refused, with the number of frames that fits."""

from __future__ import annotations

import pytest

from hiprobe.backbones import Batch
from hiprobe.backbones.checking import FRAMES as CHECKED
from hiprobe.backbones.context import check_context, context_length
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.errors import UsageError
from hiprobe.sampling import Sampling
from tests.families.toys import PROMPT, pictures


@pytest.mark.parametrize("limit", [None, 4686])
def test_what_fits_is_taken(limit: int | None) -> None:
    check_context("llava", limit, 8, 4686, lambda _: pytest.fail("nothing is to be prepared again"))


@pytest.mark.parametrize(("limit", "fitting"), [(4096, 6), (4110, 7), (654, 1), (4685, 7)])
def test_the_largest_number_of_frames_that_fits_is_named(limit: int, fitting: int) -> None:
    """The figures of LLaVA-1.5, whose context is 4096: 576 tokens a frame and 78 of text."""
    said = f"8 frames and the prompt are 4686 tokens, and it takes {limit}; give --frames {fitting} or fewer"
    with pytest.raises(UsageError, match=said):
        check_context("llava", limit, 8, 4686, lambda count: 576 * count + 78)


def test_where_not_one_frame_fits_it_is_said() -> None:
    with pytest.raises(UsageError, match="not even one frame fits"):
        check_context("llava", 600, 8, 4686, lambda count: 576 * count + 78)


def test_every_family_names_a_number_that_it_then_takes(
    backbone: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = pictures(backbone, 1, 6)
    lengths = [backbone.prepare(frames[:, :count], PROMPT)[0].inputs["input_ids"].shape[1] for count in range(1, 7)]
    text = backbone.family.config.get_text_config(decoder=True)
    monkeypatch.setattr(text, "max_position_embeddings", lengths[3])
    assert context_length(backbone.family.config) == lengths[3]
    fitting = max(count for count in range(1, 7) if lengths[count - 1] <= lengths[3])
    with pytest.raises(UsageError, match=f"give --frames {fitting} or fewer"):
        backbone.generate(Batch(frames), PROMPT, 2)
    backbone.prepare(frames[:, :fitting], PROMPT)
    # What is generated stays within the context, too.
    monkeypatch.setattr(text, "max_position_embeddings", lengths[3] + 3)
    asked = {}
    monkeypatch.setattr(backbone.model, "generate", lambda **given: asked.update(given) or given["input_ids"])
    backbone.generate(Batch(frames[:, :fitting]), PROMPT, 64)
    assert asked["max_new_tokens"] == lengths[3] + 3 - lengths[fitting - 1]


def test_the_self_test_shows_as_many_frames_as_detection() -> None:
    assert Sampling().frames == CHECKED
