"""A system message reaches the model by its chat template, or an error says that it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hiprobe.backbones import LoadOptions, Prompt
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.opening import load_checkpoint
from hiprobe.cli.reading import ReadingOptions
from hiprobe.errors import BackboneError, UsageError
from tests.families.toys import PROMPT, pictures, write_toy
from tests.reading import values_of

SYSTEM = "You watch a quiet yard"

REFUSALS = {
    "{{ raise_exception('System role not supported') }}": "System role not supported",
    "{{ 'S: ' + m.content }}": "can only concatenate str",
    "": "it does not write it",
}
"""How templates write a system message that take none, and what is told of it."""


def text_of(backbone: HuggingFaceBackbone, prompt: Prompt | str) -> str:
    """What the model reads of a segment."""
    ids = backbone.prepare(pictures(backbone, 1), prompt)[0].inputs["input_ids"][0]
    return str(backbone.family.tokenizer.decode(ids))


def with_template(folder: Path, system: str) -> HuggingFaceBackbone:
    """InternVL's toy, with a template that writes system messages in a way."""
    template = write_toy("internvl", folder) / "chat_template.jinja"
    own = template.read_text()
    loop = "{%- for m in messages %}"
    assert own.count(loop) == 1
    others = "{% if m.role == 'system' %}" + system + "{% continue %}{% endif %}"
    template.write_text(own.replace(loop, loop + others))
    return load_checkpoint(str(folder), LoadOptions())


def test_it_goes_before_what_else_is_said(backbone: HuggingFaceBackbone) -> None:
    plain, text = text_of(backbone, PROMPT), text_of(backbone, Prompt(PROMPT, SYSTEM))
    assert SYSTEM not in plain and text.count(SYSTEM) == 1
    item = backbone.prepare(pictures(backbone, 1), Prompt(PROMPT, SYSTEM))[0]
    before = item.inputs["input_ids"][0, : int(item.visual.nonzero()[0])]
    assert SYSTEM in str(backbone.family.tokenizer.decode(before))
    assert item.visual.sum() == backbone.prepare(pictures(backbone, 1), PROMPT)[0].visual.sum()


def test_it_changes_hidden_states(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone)
    plain, found, other = (
        values_of(backbone, frames, PROMPT, [2], "visual", system=system) for system in (None, SYSTEM, "Be brief")
    )
    assert np.abs(plain - found).max() > 1e-4 and np.abs(found - other).max() > 1e-4
    again = values_of(backbone, frames, PROMPT, [2], "visual")
    np.testing.assert_allclose(again, plain, atol=1e-6)


def test_the_published_message_is_told_and_said_only_where_asked_for(loaded: dict[str, HuggingFaceBackbone]) -> None:
    for name, backbone in loaded.items():
        published = load_published(backbone)
        assert (published is not None) == name.startswith("internvl")
        assert backbone.info.reading().system is None
        if published is not None:
            options = ReadingOptions(system="published")
            reading = options.over(backbone.info.reading(), backbone.info)
            assert reading.system == published and published not in text_of(backbone, PROMPT)
            start = text_of(backbone, reading.wording).partition("<|im_end|>")[0]
            assert start == f"<|im_start|>system\n{published}"
        else:
            with pytest.raises(UsageError, match="--system published: none is known"):
                ReadingOptions(system="published").over(backbone.info.reading(), backbone.info)


def load_published(backbone: HuggingFaceBackbone) -> str | None:
    assert backbone.info.system == backbone.family.system
    return backbone.info.system


def test_a_control_token_in_it_is_refused(backbone: HuggingFaceBackbone) -> None:
    token = backbone.family.tokenizer.all_special_tokens[0]
    with pytest.raises(UsageError, match=r"The system message contains .* a control token .* reword the system"):
        values_of(backbone, pictures(backbone), PROMPT, [2], "last", system=f"Be {token}")


@pytest.mark.parametrize("system", REFUSALS)
def test_a_template_that_takes_none_is_told_in_a_sentence(system: str, tmp_path: Path) -> None:
    backbone = with_template(tmp_path, system)
    frames = pictures(backbone)
    with pytest.raises(BackboneError, match=r"^InternVL: .* takes no system message \(.*\); leave it out\.$") as caught:
        values_of(backbone, frames, PROMPT, [2], "last", system=SYSTEM)
    assert REFUSALS[system] in str(caught.value)
    assert np.isfinite(values_of(backbone, frames, PROMPT, [2], "last")).all()


def test_a_template_that_cannot_be_applied_does_not_blame_a_system_message(tmp_path: Path) -> None:
    (write_toy("internvl", tmp_path) / "chat_template.jinja").write_text("{{ raise_exception('not so') }}")
    with pytest.raises(BackboneError, match=r"^InternVL: .* cannot be applied to pictures and words \(not so\)"):
        load_checkpoint(str(tmp_path), LoadOptions())
