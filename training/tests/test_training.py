"""Training of the projector: slots, augmentation, both stages, packing, resuming."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from hiprobe.backbones import DEFAULT_PROMPT
from hiprobe.backbones.embedded.language import IMAGE_TOKEN
from hiprobe.backbones.embedded.projection import closed_form_projector
from hiprobe.backbones.embedded.recipe import OBSERVING
from hiprobe.explain import EXPLAIN_PROMPT
from hiprobe_training.projector import observe, speak
from hiprobe_training.projector.augment import mix, plain, vary
from hiprobe_training.projector.dataset import (
    BLOCKS,
    ClipRecord,
    Clips,
    load_clips,
    reduce_shards,
    set_basis,
    shard_paths,
)
from hiprobe_training.projector.loop import Settings, run
from hiprobe_training.projector.packing import IGNORED, Packer
from hiprobe_training.projector.slots import SLOTS, Slot, truth
from hiprobe_training.scenes.captions import COUNT_PROMPT, own_answers
from hiprobe_training.scenes.facts import Facts, PersonFact
from tests.tiny import tiny_motion_internvl


def facts(event: str | None, where: str = "left", actions: tuple[str, ...] = ("walk", "talk", "talk")) -> Facts:
    people = tuple(PersonFact("red", "person", action, "left", True) for action in actions)
    detail = {"fight": "punches", "car": "red car"}.get(event or "", "")
    return Facts("shop", ("in a shop",), True, False, False, False, people, (), event, detail, where)


class WordTokenizer:
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


@pytest.fixture
def model() -> Any:
    return tiny_motion_internvl().requires_grad_(False)


def some_clips(count: int = 12) -> Clips:
    """Clips whose event lights up one patch, so that there is something to learn."""
    torch.manual_seed(0)
    kinds = [("fight" if i % 2 else None) for i in range(count)]
    reduced, events = torch.randn(count, 8, 8, 8, 7) * 0.1, torch.zeros(count, 2, 8, 8)
    for i, kind in enumerate(kinds):
        if kind:
            events[i, :, 2, 5] = 1.0
            reduced[i, ::2, 2, 5] += 2.0
    records = tuple(ClipRecord(i, facts(kind), ((0.1, 0.1), (0.7, 0.3), (0.6, 0.9))) for i, kind in enumerate(kinds))
    streams = [torch.randn(count, 4, 16).half() for _ in range(2)]
    return Clips(records, reduced.half(), streams, events.half())


def test_the_recipe_has_a_place_for_every_answer() -> None:
    assert OBSERVING.slots == tuple(len(slot.answers) for slot in SLOTS)
    assert all(len(slot.answers) == len(slot.words) for slot in SLOTS)


def test_what_is_true_is_said_as_distributions() -> None:
    said = dict(zip((slot.name for slot in SLOTS), truth(facts("fight")), strict=True))
    answers = {slot.name: slot.answers for slot in SLOTS}
    for name, wanted in (("event", "fight"), ("form", "fight/punches"), ("people", "3"), ("where", "left")):
        assert answers[name][int(said[name].argmax())] == wanted and float(said[name].sum()) == 1.0
    acts = dict(zip(answers["acts"], said["acts"].tolist(), strict=True))
    assert acts["talk"] == pytest.approx(2 / 3) and acts["walk"] == pytest.approx(1 / 3)
    assert answers["acts"][int(truth(facts(None, actions=()))[3].argmax())] == "nobody"


def test_clips_made_different_keep_their_event_and_their_truth() -> None:
    clips = some_clips()
    batch = plain(clips, range(12))
    random = torch.Generator().manual_seed(0)
    enlarged = turned = 0
    for _ in range(20):
        varied = vary(batch, 0.0, random)
        for i in range(12):
            before, after = batch.facts[i], varied.facts[i]
            assert after.event == before.event and len(after.people) == len(varied.spots[i]) <= len(before.people)
            assert all(0 <= x < 1 and 0 <= y < 1 for x, y in varied.spots[i])
            flipped = bool(varied.flipped[i])
            assert after.where == ("right" if flipped else "left")
            if before.event:
                assert varied.events[i].sum() > 0.5
                if bool(varied.placed[i]):
                    assert divmod(int(varied.events[i].argmax()), 8) == (2, 2 if flipped else 5)
                moved = varied.reduced[i].std(dim=0).norm(dim=-1)
                both = torch.stack([moved.flatten(), varied.events[i].flatten()])
                assert torch.corrcoef(both)[0, 1] > 0.8  # the features moved with the truth
            enlarged += not bool(varied.placed[i])
            turned += flipped
    assert 60 < enlarged < 200 and 80 < turned < 160


def test_the_truth_of_cells_is_where_the_people_are() -> None:
    true = observe.ground_truth(plain(some_clips(2), range(2)))
    assert true.people[0].reshape(4, 4)[0, 0] == 1 and true.people.sum() == 6
    assert true.kinds[0].sum() == 0
    assert true.kinds[1, :, 0].reshape(4, 4).nonzero().tolist() == [[1, 2]]  # fight is the first kind


def test_two_clips_side_by_side_show_one_event_or_none_and_those_who_are_there() -> None:
    clips = some_clips(16)  # every other one has an event, in column 5 of 8
    batch, seen = plain(clips, range(16)), set()
    for seed in range(20):
        mixed = mix(batch, torch.Generator().manual_seed(seed), mixed=1.0)
        for i in range(16):
            if mixed.placed[i]:
                assert torch.equal(mixed.reduced[i], batch.reduced[i]) and mixed.facts[i] == batch.facts[i]
                continue
            there = bool(mixed.events[i].any())
            assert (mixed.facts[i].event == "fight") == there
            assert torch.equal(mixed.reduced[i, :, 2, 5].abs().amax() > 1, torch.tensor(there))
            mine = (mixed.reduced[i] == batch.reduced[i]).all(dim=-1).all(dim=0).all(dim=0)
            assert 2 <= mine.sum() <= 6 and len(mixed.facts[i].people) == len(mixed.spots[i])
            seen.add((batch.facts[i].event, mixed.facts[i].event))
    assert seen == {("fight", None), (None, "fight"), ("fight", "fight"), (None, None)}


def tiny_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = (
        Slot("event", ("none", "fight", "fall"), ("who", "fights", "what")),
        Slot("people", ("1", "3"), ("a", "b")),
    )
    monkeypatch.setattr(observe, "SLOTS", slots)
    monkeypatch.setattr(observe, "truth", tiny_truth)


def tiny_truth(known: Facts) -> list[torch.Tensor]:
    return [torch.eye(3)[1 if known.event else 0], torch.eye(2)[min(len(known.people) // 2, 1)]]


def test_the_observer_learns_what_happens_and_leaves_the_rest_alone(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_slots(monkeypatch)
    projector = closed_form_projector(model.config)
    before = {name: value.clone() for name, value in projector.state_dict().items()}
    for linear in (*projector.maps, projector.state):
        linear.requires_grad_(False)
    observe.train(some_clips(32), 8, projector, Settings(60, 16, 1e-2), tmp_path)
    numbers = observe.measure(projector.observer, some_clips(32), range(24, 32))
    assert numbers["auc"] > 0.9
    after = projector.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in ("maps.0.weight", "state.weight"))
    assert set(load_file(tmp_path / "projector.safetensors")) == set(projector.state_dict())
    further = closed_form_projector(model.config)
    observe.train(
        some_clips(32), 8, further, Settings(0, 16, 1e-2), tmp_path / "more", tmp_path / "checkpoint.safetensors"
    )
    assert torch.equal(further.observer.slots, projector.observer.slots)


def test_the_observer_is_made_as_calm_as_asked_and_ranks_as_before(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_slots(monkeypatch)
    observer: Any = closed_form_projector(model.config).observer.requires_grad_(False)
    clips = some_clips(80)
    before = observe.measure(observer, clips, range(80))
    for share in (0.25, 0.5):
        observe.settle(observer, clips, range(80), share)
        after = observe.measure(observer, clips, range(80))
        assert after["false alarms"] == pytest.approx(share, abs=0.03)
        assert after["auc"] == pytest.approx(before["auc"])


@pytest.fixture
def speaker(model: Any, monkeypatch: pytest.MonkeyPatch) -> speak.Speaker:
    monkeypatch.setattr(speak, "choose", lambda facts, random: list(PAIRS[:1] if facts.event else PAIRS[1:2]))
    monkeypatch.setattr(speak, "truth", tiny_truth)
    projector = closed_form_projector(model.config)
    for words in projector.words:
        words.data.normal_()
    return speak.Speaker(model, WordTokenizer(), projector)


def test_speaking_lowers_the_loss_and_leaves_model_and_observer_alone(speaker: speak.Speaker, tmp_path: Path) -> None:
    observer: Any = speaker.projector.observer
    frozen = {name: value.clone() for name, value in speaker.model.state_dict().items()}
    before = {name: value.clone() for name, value in observer.state_dict().items()}
    logs = tmp_path / "log.jsonl"
    speak.train(some_clips(), 4, speaker, Settings(40, 8, 1e-1, decay=0.0), tmp_path, log_every=4)
    lines = [json.loads(line) for line in logs.read_text().splitlines()]
    assert lines[-1]["text"] < lines[0]["text"] - 0.02
    for name, value in speaker.model.state_dict().items():
        assert torch.equal(value, frozen[name])
    for name, value in observer.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_mirrored_clip_has_mirrored_streams(speaker: speak.Speaker) -> None:
    clips = some_clips(1)
    batch = plain(clips, [0])
    turned = replace(batch, flipped=torch.tensor([True]))
    a, b = (
        speaker.tokens(clips, [0], one, torch.Generator())[0, :4] - speaker.projector.places[:4]
        for one in (batch, turned)
    )
    torch.testing.assert_close(a[[1, 0, 3, 2]], b)


def test_packed_answers_cost_what_they_cost_alone(speaker: speak.Speaker) -> None:
    tokens = torch.randn(2, speaker.model.config.visual_tokens, 32)
    together = speaker.packer.pack([PAIRS, PAIRS[:1]])
    assert together.ids.shape[1] % 8 == 0
    losses, weights = [], []
    for row, pairs in ((0, PAIRS[:1]), (0, PAIRS[1:2]), (0, PAIRS[2:]), (1, PAIRS[:1])):
        alone = speaker.packer.pack([pairs])
        losses.append(speaker.loss(tokens[row : row + 1], alone))
        weights.append(int((alone.targets != IGNORED).sum()))
    expected = sum(loss * weight for loss, weight in zip(losses, weights, strict=True)) / sum(weights)
    torch.testing.assert_close(speaker.loss(tokens, together), expected, atol=1e-5, rtol=1e-5)


def test_only_answers_and_their_end_are_learned() -> None:
    pack = Packer(WordTokenizer(), 3).pack([PAIRS[:1]])
    words = WordTokenizer.words
    learned = [words[t] for t in pack.targets[0].tolist() if t != IGNORED]
    assert learned == ["nobody", "walks", "<|im_end|>"]
    first = int((pack.targets[0] != IGNORED).nonzero()[0])
    assert words[int(pack.ids[0, first])] == "ask"


def test_questions_are_what_happens_and_another() -> None:
    random, others = np.random.default_rng(0), set()
    for event in (None, "fight", "car") * 20:
        first, second = speak.choose(facts(event), random)
        assert first == (EXPLAIN_PROMPT, own_answers(facts(event))[EXPLAIN_PROMPT]) and second[0] != EXPLAIN_PROMPT
        others.add(second[0])
    assert {DEFAULT_PROMPT, COUNT_PROMPT} < others


def test_slots_are_told_what_is_true_more_or_less_surely() -> None:
    each = [facts("fight"), facts(None)]
    random = torch.Generator().manual_seed(0)
    sure = []
    for _ in range(50):
        for number, (slot, logits) in enumerate(zip(SLOTS, speak.told(each, random), strict=True)):
            torch.testing.assert_close(logits.exp().sum(1), torch.ones(2))
            if slot.name in ("event", "people"):
                assert logits.argmax(1).tolist() == [int(truth(one)[number].argmax()) for one in each]
                sure += logits.exp().amax(1).tolist()
    assert min(sure) < 0.75 < 0.97 < max(sure)


def test_a_run_that_is_cut_off_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    def trained(out: Path, limit: int | None = None) -> torch.Tensor:
        torch.manual_seed(0)
        inner = torch.nn.Linear(3, 2)
        linear = torch.nn.Sequential(inner, torch.nn.Dropout(0.5))
        made = 0

        def losses(random: torch.Generator) -> dict[str, torch.Tensor]:
            nonlocal made
            made += 1
            if limit is not None and made > limit:
                raise KeyboardInterrupt
            return {"square": linear(torch.randn(4, 3, generator=random)).square().mean()}

        run(Settings(6, 4, 1e-2), {"linear": linear}, losses, dict, out, log_every=2, keep_every=0)
        return inner.weight.detach()

    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", limit=3)
    torch.testing.assert_close(trained(tmp_path / "cut"), whole)
    assert not (tmp_path / "cut" / "checkpoint.tmp").exists()


def test_shards_are_reduced_and_read_back_and_an_unfinished_one_is_left_out(tmp_path: Path, model: Any) -> None:
    config = model.config
    config.appearance_blocks, config.motion_blocks, config.observed_blocks = [10], [4], list(BLOCKS)
    projector = closed_form_projector(config)
    record = ClipRecord(7, facts("fight"), ((0.25, 0.5),) * 3)
    for index in (0, 1):
        tensors, records = shard_paths(tmp_path, index)
        made = {f"block.{b}": torch.randn(1, 8, 64, 16).half() for b in BLOCKS}
        save_file(made | {"event": torch.zeros(1, 2, 8, 8).half()}, tensors)
        if index == 0:
            records.write_text(record.to_json() + "\n", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="no reduced shards"):
        load_clips(tmp_path)
    stale = tmp_path / "reduced-00000.safetensors"
    stale.touch()
    set_basis(tmp_path, projector)
    assert not stale.exists()
    again = closed_form_projector(config)
    set_basis(tmp_path, again)
    assert torch.equal(again.observer.directions[0], projector.observer.directions[0])
    reduce_shards(tmp_path, model, projector)
    clips = load_clips(tmp_path)
    assert clips.records == (record,)
    assert clips.reduced.shape == (1, 8, 8, 8, 7) and [s.shape for s in clips.streams] == [(1, 4, 16)] * 2
    assert abs(float(clips.reduced.float().mean())) < 0.1  # the average was taken off
    with pytest.raises(FileNotFoundError, match="make some with"):
        set_basis(tmp_path / "nothing", projector)
