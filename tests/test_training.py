"""Training of the projector: packing, mirroring, resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from hiprobe.backbones.internvl import IMAGE_TOKEN
from tests.tiny import tiny_motion_internvl
from tools.training import train
from tools.training.dataset import STREAMS, ClipRecord, Clips, load_clips, shard_paths
from tools.training.packing import IGNORED, Packer
from tools.training.train import Settings, Trainer, mirror, run


class CharacterTokenizer:
    """One token a word of a fixed list."""

    words = ("[PAD]", "[UNK]", IMAGE_TOKEN, "user", "ask", "what", "who", "walks", "fights", "nobody", "<|im_end|>")

    def apply_chat_template(self, messages: list[dict[str, str]], **_: object) -> str:
        """User, content, ask."""
        return f"user {messages[0]['content']} ask "

    def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
        """Words separated by spaces; image tokens and the end token may touch their neighbours."""
        for special in (IMAGE_TOKEN, "<|im_end|>"):
            text = text.replace(special, f" {special} ")
        return {"input_ids": [self.words.index(word) for word in text.split()]}

    def convert_tokens_to_ids(self, token: str) -> int:
        """Its place in the list."""
        return self.words.index(token)


PAIRS = (("what", "nobody walks"), ("who", "nobody"), ("what who", "fights"))


@pytest.fixture(autouse=True)
def own_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "OWN_PROMPTS", ("what", "who"))


@pytest.fixture
def model() -> Any:
    return tiny_motion_internvl().requires_grad_(False)


def trainer(model: Any, **settings: Any) -> Trainer:
    torch.manual_seed(0)
    streams = tuple(torch.randn(12, 4, 32).half() for _ in range(2))
    records = tuple(ClipRecord(i, "fight" if i % 2 else None, i % 4, PAIRS) for i in range(12))
    return Trainer(Clips(records, streams), 4, Settings(**settings), model, CharacterTokenizer())


def test_packed_answers_cost_what_they_cost_alone(model: Any) -> None:
    made = trainer(model)
    tokens = torch.randn(2, model.config.visual_tokens, 32)
    packer = Packer(CharacterTokenizer(), model.config.visual_tokens)
    together = packer.pack([PAIRS, PAIRS[:1]])
    assert together.ids.shape[1] % 32 == 0
    losses, weights = [], []
    for row, pairs in ((0, PAIRS[:1]), (0, PAIRS[1:2]), (0, PAIRS[2:]), (1, PAIRS[:1])):
        alone = packer.pack([pairs])
        losses.append(made.text_loss(tokens[row : row + 1], alone))
        weights.append(int((alone.targets != IGNORED).sum()))
    expected = sum(loss * weight for loss, weight in zip(losses, weights, strict=True)) / sum(weights)
    torch.testing.assert_close(made.text_loss(tokens, together), expected, atol=1e-5, rtol=1e-5)


def test_only_answers_and_their_end_are_learned() -> None:
    pack = Packer(CharacterTokenizer(), 3).pack([PAIRS[:1]])
    words = CharacterTokenizer.words
    learned = [words[t] for t in pack.targets[0].tolist() if t != IGNORED]
    assert learned == ["nobody", "walks", "<|im_end|>"]
    first = int((pack.targets[0] != IGNORED).nonzero()[0])
    assert words[int(pack.ids[0, first])] == "ask"


def test_a_mirrored_sentence_swaps_sides() -> None:
    assert mirror("Left of the right bench") == "Right of the left bench"
    assert mirror(mirror("on the left")) == "on the left"


def test_a_mirrored_clip_swaps_columns() -> None:
    stream = torch.arange(4.0).reshape(1, 4, 1).half()
    clips = Clips((), (stream,))
    plain, turned = (clips.batch(torch.tensor([0]), torch.tensor([f]))[0] for f in (False, True))
    assert plain.flatten().tolist() == [0, 1, 2, 3] and turned.flatten().tolist() == [1, 0, 3, 2]


def test_training_lowers_the_loss_and_leaves_the_frozen_parts_alone(model: Any, tmp_path: Path) -> None:
    made = trainer(model, warmup=2, warmup_batch=4, steps=60, batch=8, rate=1e-2)
    frozen = {name: value.clone() for name, value in model.state_dict().items()}
    before = made.held_out(4)["text_loss"]
    run(made, tmp_path, log_every=10)
    assert made.held_out(4)["text_loss"] < before - 0.05
    for name, value in model.state_dict().items():
        assert torch.equal(value, frozen[name])
    assert set(load_file(tmp_path / "projector.safetensors")) == set(model.model.multi_modal_projector.state_dict())


def test_a_run_that_is_cut_off_goes_on_as_if_it_had_not_been(model: Any, tmp_path: Path) -> None:
    settings = {"warmup": 2, "warmup_batch": 4, "batch": 4}
    run(trainer(model, steps=4, **settings), tmp_path / "whole", log_every=2)
    cut = trainer(model, steps=4, **settings)
    draws, limit = cut.draw, iter(range(3))

    def cut_off(count: int) -> Any:
        if next(limit, None) is None:
            raise KeyboardInterrupt
        return draws(count)

    cut.draw = cut_off  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(cut, tmp_path / "cut", log_every=2, keep_every=0)
    run(trainer(model, steps=4, **settings), tmp_path / "cut", log_every=2)
    whole, resumed = (load_file(tmp_path / name / "projector.safetensors") for name in ("whole", "cut"))
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value)
    assert not (tmp_path / "cut" / "checkpoint.tmp").exists()


def test_shards_are_read_back_and_an_unfinished_one_is_left_out(tmp_path: Path) -> None:
    record = ClipRecord(7, None, 2, PAIRS)
    for index in (0, 1):
        tensors, records = shard_paths(tmp_path, index)
        save_file({name: torch.full((1, 4, 32), float(index)).half() for name in STREAMS}, tensors)
        if index == 0:
            records.write_text(record.to_json() + "\n", encoding="utf-8")
    clips = load_clips(tmp_path, STREAMS[:2])
    assert clips.records == (record,) and len(clips.streams) == 2 and clips.streams[0].shape == (1, 4, 32)
    with pytest.raises(FileNotFoundError, match="make some with"):
        load_clips(tmp_path / "nothing", STREAMS)
