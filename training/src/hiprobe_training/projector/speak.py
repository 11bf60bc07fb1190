"""Second stage: the frozen language model learns to be told. Only the slots' words and the tokens' places are trained.

    python -m hiprobe_training.projector.speak --scenes runs/scenes --observer runs/observer --out runs/projector

The observer stays as the first stage left it, so it cannot forget what it sees while the sentences are learned.
Questions and answers are written anew for every step, from the facts of the clips.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from hiprobe.backbones import DEFAULT_PROMPT
from hiprobe.backbones.embedded.language import IMAGE_TOKEN
from hiprobe.backbones.embedded.motion_internvl import StreamProjector
from hiprobe.backbones.embedded.projection import EMBEDDING_NORM
from hiprobe.explain import EXPLAIN_PROMPT
from hiprobe_training.projector.augment import Batch, plain, vary
from hiprobe_training.projector.dataset import Clips, load_clips
from hiprobe_training.projector.loop import Losses, Settings, run
from hiprobe_training.projector.model import load_frozen, untrained
from hiprobe_training.projector.packing import Pack, Packer
from hiprobe_training.projector.slots import SLOTS, belongs, truth
from hiprobe_training.scenes.captions import COUNT_PROMPT, answers
from hiprobe_training.scenes.facts import Facts

OTHERS = 0.3  # how often the second question is neither of HiProbe's own nor how many people there are
DOUBT = 0.45  # of a slot, at most, that is given to answers that are not true


def first_words(projector: StreamProjector, table: torch.Tensor, tokenizer: Any) -> None:
    """Set each answer's words to the mean of their embeddings, as long as one word's, and what it belongs to."""
    for slot, words, kept in zip(SLOTS, projector.words, projector.belongs, strict=True):
        kept.data.copy_(belongs(slot))
        for row, text in enumerate(slot.words):
            mean = table[tokenizer(f" {text}", add_special_tokens=False)["input_ids"]].mean(dim=0)
            words.data[row] = mean * EMBEDDING_NORM / mean.norm()


def choose(facts: Facts, random: np.random.Generator) -> list[tuple[str, str]]:
    """Two questions with answers: what happens, and another."""
    pairs = answers(facts, random)
    own = dict(pairs)
    rest = [pair for pair in pairs if pair[0] not in (EXPLAIN_PROMPT, DEFAULT_PROMPT, COUNT_PROMPT)]
    second = (DEFAULT_PROMPT, COUNT_PROMPT)[random.integers(2)]
    another = rest[random.integers(len(rest))] if random.random() < OTHERS else (second, own[second])
    return [(EXPLAIN_PROMPT, own[EXPLAIN_PROMPT]), another]


def told(facts: Sequence[Facts], random: torch.Generator) -> list[torch.Tensor]:
    """Logits (B, answers) per slot that are right, and more or less sure.

    What the observer gets wrong must not be taught as what its words mean: the language model is to say what it is
    told.
    """
    found = []
    for true in map(torch.stack, zip(*map(truth, facts), strict=True)):
        doubt = DOUBT * torch.rand(len(true), 1, generator=random)
        odds = torch.rand(true.shape, generator=random) ** 4
        found.append(((1 - doubt) * true + doubt * odds / odds.sum(1, keepdim=True)).clamp_min(1e-6).log())
    return found


class Speaker:
    """The frozen language model and the projector that speaks to it."""

    def __init__(self, model: Any, tokenizer: Any, projector: StreamProjector) -> None:
        self.model, self.projector = model, projector.eval()
        self.packer = Packer(tokenizer, len(projector.places))
        self.image_token = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)

    def tokens(self, clips: Clips, indices: Sequence[int], batch: Batch, random: torch.Generator) -> torch.Tensor:
        """Visual tokens of clips as they are shown in ``batch``, whose slots are :func:`told`."""
        with torch.no_grad():
            observed = replace(self.projector.observer(batch.reduced), logits=told(batch.facts, random))
            streams = []
            for stream in clips.streams:
                cells = stream[torch.as_tensor(indices)].float()
                grid = round(cells.shape[1] ** 0.5)
                mirrored = cells.unflatten(1, (grid, grid)).flip(2).flatten(1, 2)
                streams.append(torch.where(batch.flipped[:, None, None], mirrored, cells))
        return self.projector.tokens(streams, observed)

    def loss(self, tokens: torch.Tensor, pack: Pack) -> torch.Tensor:
        """Cross entropy per token of the answers, in nats."""
        language, table = self.model.model.language_model, self.model.get_input_embeddings().weight
        embeddings = table[pack.ids]
        embeddings = embeddings.masked_scatter((pack.ids == self.image_token)[..., None].expand_as(embeddings), tokens)
        mask = torch.zeros(pack.mask.shape).masked_fill(~pack.mask, torch.finfo(table.dtype).min)
        states = language(
            inputs_embeds=embeddings, attention_mask=mask, position_ids=pack.positions, use_cache=False
        ).last_hidden_state
        wanted = pack.targets >= 0
        return nn.functional.cross_entropy(nn.functional.linear(states[wanted], table), pack.targets[wanted])


def train(clips: Clips, held_out: int, speaker: Speaker, settings: Settings, out: Path, **every: Any) -> None:
    """Train what the projector says, all but the last ``held_out`` clips being trained on."""
    projector, size = speaker.projector, len(clips.records) - held_out
    projector.requires_grad_(False).eval()
    # Not the states' map: its inputs are so many that at the words' rate it drowns them within a few steps.
    for part in (*projector.words, projector.places):
        part.requires_grad_(True)

    def losses(random: torch.Generator) -> Losses:
        indices = torch.randint(size, (settings.batch,), generator=random).tolist()
        batch = vary(plain(clips, indices), 0.1, random, enlarged=0.0)
        wording = np.random.default_rng(int(torch.randint(2**31, (), generator=random)))
        pack = speaker.packer.pack([choose(facts, wording) for facts in batch.facts])
        return {"text": speaker.loss(speaker.tokens(clips, indices, batch, random), pack)}

    @torch.no_grad()
    def evaluate() -> dict[str, float]:
        wording, doubt, found = np.random.default_rng(0), torch.Generator().manual_seed(0), []
        for start in range(size, min(size + 96, len(clips.records)), 16):
            indices = list(range(start, min(start + 16, len(clips.records))))
            batch = plain(clips, indices)
            pack = speaker.packer.pack([choose(facts, wording) for facts in batch.facts])
            found.append(speaker.loss(speaker.tokens(clips, indices, batch, doubt), pack))
        return {"held-out text": float(torch.stack(found).mean())}

    run(settings, {"projector": projector}, losses, evaluate, out, **every)
    weights = {name: value.detach().contiguous() for name, value in projector.state_dict().items()}
    save_file(weights, out / "projector.safetensors")


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(prog="python -m hiprobe_training.projector.speak", description=__doc__)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of hiprobe_training.projector.features")
    parser.add_argument("--observer", type=Path, required=True, help="folder of hiprobe_training.projector.observe")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and projector")
    parser.add_argument("--held-out", type=int, default=512, help="clips at the end that are not trained on")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    options = parser.parse_args()
    model, tokenizer = load_frozen()
    _, projector = untrained()
    projector.load_state_dict(load_file(options.observer / "projector.safetensors"))
    first_words(projector, model.get_input_embeddings().weight.detach(), tokenizer)
    settings = Settings(options.steps, options.batch, options.rate, decay=0.0)
    speaker = Speaker(model, tokenizer, projector)
    train(load_clips(options.scenes), options.held_out, speaker, settings, options.out)


if __name__ == "__main__":
    main()
