"""Train the projector: captions and answers through the frozen language model, from precomputed streams.

    python -m tools.training.train --scenes runs/scenes --out runs/projector

writes ``checkpoint.safetensors`` every few minutes (a run that is cut off goes on from there), ``log.jsonl`` with the
loss curves, and ``projector.safetensors`` at the end. Held-out clips are those of the last shards.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from torch import nn

from hiprobe.backbones.embedded.assembly import embedded_folder
from hiprobe.backbones.embedded.motion_internvl import MotionInternVLForConditionalGeneration, StreamProjector
from hiprobe.backbones.embedded.projection import closed_form_projector
from hiprobe.backbones.registry import cache_folder
from hiprobe.explain import EXPLAIN_PROMPT
from hiprobe.pipeline import DEFAULT_PROMPT
from tools.scenes.captions import EVENT_WORDS
from tools.training.dataset import Clips, load_clips
from tools.training.packing import Pack, Packer

OWN_PROMPTS = (DEFAULT_PROMPT, EXPLAIN_PROMPT)
KINDS = (None, *EVENT_WORDS)
MIXER_DEPTH = 2
CROWD = 8  # people are counted up to here


@dataclass(frozen=True)
class Settings:
    """Of a run."""

    warmup: int = 1500  # steps on the heads alone, before the language model is asked
    warmup_batch: int = 128
    steps: int = 2000
    batch: int = 16
    branches: int = 2
    rate: float = 8e-4
    decay: float = 0.02
    heads_weight: float = 0.5
    noise: float = 0.1
    seed: int = 0


class Heads(nn.Module):
    """Kind of event and number of people read off the mixed tokens: a direct signal, not shipped."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kind = nn.Linear(2 * width, len(KINDS))
        self.people = nn.Linear(2 * width, CROWD + 1)

    def forward(self, mixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits from mixed tokens (B, tokens, width)."""
        pooled = torch.cat([mixed.mean(dim=1), mixed.amax(dim=1)], dim=-1)
        return self.kind(pooled), self.people(pooled)


def mirror(text: str) -> str:
    """A sentence about the mirrored clip."""
    swapped = text.replace("left", "\0").replace("right", "left").replace("\0", "right")
    return swapped.replace("Left", "\0").replace("Right", "Left").replace("\0", "Right")


class Trainer:
    """Holds the frozen model, the projector and the heads."""

    def __init__(self, clips: Clips, held_out: int, settings: Settings, model: Any, tokenizer: Any) -> None:
        self.clips, self.settings, self.model = clips, settings, model
        self.train_size = len(clips.records) - held_out
        self.kinds = torch.tensor([KINDS.index(r.event) for r in clips.records])
        self.people = torch.tensor([min(r.people, CROWD) for r in clips.records])
        self.packer = Packer(tokenizer, model.config.visual_tokens)
        self.image_token = tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
        self.projector: StreamProjector = closed_form_projector(model.config, settings.seed)
        self._standardise()
        torch.manual_seed(settings.seed)
        self.heads = Heads(model.config.mixer_width)
        self.random = torch.Generator().manual_seed(settings.seed)

    def _standardise(self) -> None:
        sample = torch.arange(0, self.train_size, max(1, self.train_size // 2000))
        for index, stream in enumerate(self.clips.streams):
            parts = stream[sample].float().unflatten(-1, (2, -1))
            self.projector.offsets.data[index] = parts.mean(dim=(0, 1, 3))
            self.projector.scales.data[index] = parts.std(dim=(0, 1, 3))

    def draw(self, count: int) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """Random clips of the training part, some mirrored, with noise on the streams."""
        indices = torch.randint(self.train_size, (count,), generator=self.random)
        flipped = torch.rand(count, generator=self.random) < 0.5
        streams = self.clips.batch(indices, flipped)
        noise = self.settings.noise
        for index, stream in enumerate(streams):
            scale = self.projector.scales[index].repeat_interleave(stream.shape[-1] // 2)
            stream += noise * scale * torch.randn(stream.shape, generator=self.random)
        return indices, flipped, streams

    def heads_loss(self, mixed: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        """Cross entropy of the heads."""
        kind, people = self.heads(mixed)
        ce = nn.functional.cross_entropy
        return ce(kind, self.kinds[indices], label_smoothing=0.05) + 0.3 * ce(
            people, self.people[indices], label_smoothing=0.1
        )

    def pack(self, indices: torch.Tensor, flipped: torch.Tensor) -> Pack:
        """Random questions and answers about clips."""
        clips = []
        for index, turned in zip(indices.tolist(), flipped.tolist(), strict=True):
            chosen = self._choose(self.clips.records[index].answers)
            clips.append([(q, mirror(a)) if turned else (q, a) for q, a in chosen])
        return self.packer.pack(clips)

    def _choose(self, answers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """One answer to a prompt that HiProbe itself uses, then others."""
        own = [pair for pair in answers if pair[0] in OWN_PROMPTS]
        others = [pair for pair in answers if pair[0] not in OWN_PROMPTS]
        first = own[int(torch.randint(len(own), (), generator=self.random))] if own else others[0]
        order = torch.randperm(len(others), generator=self.random)[: self.settings.branches - 1].tolist()
        return [first, *(others[i] for i in order)]

    def text_loss(self, tokens: torch.Tensor, pack: Pack) -> torch.Tensor:
        """Cross entropy per token of the answers, in nats."""
        language, table = self.model.model.language_model, self.model.get_input_embeddings().weight
        embeddings = table[pack.ids]
        embeddings = embeddings.masked_scatter(
            (pack.ids == self.image_token)[..., None].expand_as(embeddings), tokens.to(table.dtype)
        )
        mask = torch.zeros(pack.mask.shape, dtype=table.dtype).masked_fill(~pack.mask, torch.finfo(table.dtype).min)
        states = language(
            inputs_embeds=embeddings, attention_mask=mask, position_ids=pack.positions, use_cache=False
        ).last_hidden_state
        wanted = pack.targets >= 0
        logits = nn.functional.linear(states[wanted], table).float()
        return nn.functional.cross_entropy(logits, pack.targets[wanted])

    @torch.no_grad()
    def held_out(self, count: int) -> dict[str, float]:
        """Losses and the heads' accuracy on held-out clips, always the same ones."""
        self.projector.eval()
        indices = torch.arange(self.train_size, len(self.clips.records))
        same = torch.zeros(len(indices), dtype=torch.bool)
        standard, mixed = self.projector.mix(self.clips.batch(indices, same))
        kind, people = self.heads(mixed)
        found = kind.argmax(-1)
        truth = self.kinds[indices]
        numbers = {
            "auc": float(roc_auc_score(truth > 0, 1 - kind.softmax(-1)[:, 0])),
            "kind_accuracy": float((found == truth)[truth > 0].float().mean()),
            "false_alarms": float((found > 0)[truth == 0].float().mean()),
            "people_within_1": float(((people.argmax(-1) - self.people[indices]).abs() <= 1).float().mean()),
        }
        count = min(count, len(indices))
        if count:
            tokens, pairs = self.projector.tokens([s[:count] for s in standard], mixed[:count]), []
            for index in indices[:count].tolist():
                pairs.append([p for p in self.clips.records[index].answers if p[0] in OWN_PROMPTS][:2])
            losses = [
                self.text_loss(tokens[i : i + 16], self.packer.pack(pairs[i : i + 16])) for i in range(0, count, 16)
            ]
            numbers["text_loss"] = float(torch.stack(losses).mean())
        self.projector.train()
        return numbers


def run(trainer: Trainer, out: Path, log_every: int = 50, keep_every: float = 120.0) -> None:
    """Train to the end, from the checkpoint if there is one; logs every so many steps, keeps every so many seconds."""
    out.mkdir(parents=True, exist_ok=True)
    s, checkpoint = trainer.settings, out / "checkpoint.safetensors"
    parameters = [p for p in (*trainer.projector.parameters(), *trainer.heads.parameters()) if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=s.rate, weight_decay=s.decay, betas=(0.9, 0.98))
    step, spent, since = 0, 0.0, 0
    if checkpoint.exists():
        step, spent = _resume(checkpoint, trainer, optimiser)
    total, sums, began, kept = s.warmup + s.steps, {"heads": 0.0, "text": 0.0}, time.monotonic(), time.monotonic()
    while step < total:
        warming = step < s.warmup
        done = step / s.warmup if warming else (step - s.warmup) / s.steps
        for group in optimiser.param_groups:
            group["lr"] = s.rate * min(1.0, done / 0.05 + 0.02) * (0.5 + 0.5 * math.cos(math.pi * done))
        torch.manual_seed(s.seed * 1_000_003 + step)  # dropout: the same whether the run was cut off or not
        indices, flipped, streams = trainer.draw(s.warmup_batch if warming else s.batch)
        standard, mixed = trainer.projector.mix(streams)
        heads = trainer.heads_loss(mixed, indices)
        loss = heads if warming else s.heads_weight * heads
        if not warming:
            text = trainer.text_loss(trainer.projector.tokens(standard, mixed), trainer.pack(indices, flipped))
            loss = loss + text
            sums["text"] += float(text.detach())
        sums["heads"] += float(heads.detach())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step, since = step + 1, since + 1
        if step % log_every == 0 or step == total:
            line: dict[str, Any] = {"step": step, "seconds": round(spent + time.monotonic() - began, 1)}
            line |= {name: round(value / since, 4) for name, value in sums.items() if value}
            if step % (5 * log_every) == 0 or step == total:
                line |= {k: round(v, 4) for k, v in trainer.held_out(0 if warming else 96).items()}
            with (out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            print(line, flush=True)
            sums, since = dict.fromkeys(sums, 0.0), 0
        if time.monotonic() - kept > keep_every or step == total:
            kept = time.monotonic()
            _save(checkpoint, trainer, optimiser, step, spent + kept - began)
    weights = {name: value.detach().contiguous() for name, value in trainer.projector.state_dict().items()}
    save_file(weights, out / "projector.safetensors")


def _save(path: Path, trainer: Trainer, optimiser: torch.optim.Optimizer, step: int, seconds: float) -> None:
    tensors = {f"projector.{k}": v for k, v in trainer.projector.state_dict().items()}
    tensors |= {f"heads.{k}": v for k, v in trainer.heads.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{k}": v for k, v in state.items()}
    tensors["random"] = trainer.random.get_state()
    temporary = path.with_suffix(".tmp")
    save_file(tensors, temporary, {"step": str(step), "seconds": str(seconds)})
    temporary.replace(path)


def _resume(path: Path, trainer: Trainer, optimiser: torch.optim.Optimizer) -> tuple[int, float]:
    """Load what :func:`_save` wrote; returns the steps done and the seconds spent."""
    with safe_open(path, "pt") as file:
        tensors, about = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118

    def part(name: str) -> dict[str, torch.Tensor]:
        return {k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)}

    trainer.projector.load_state_dict(part("projector."))
    trainer.heads.load_state_dict(part("heads."))
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in part("optimiser.").items():
        index, key = name.split(".")
        state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
    trainer.random.set_state(tensors["random"])
    return int(about["step"]), float(about["seconds"])


def load_frozen() -> tuple[Any, Any]:
    """The embedded model, its language model in bfloat16, and its tokenizer; nothing of it takes gradients."""
    from transformers import AutoTokenizer

    folder = embedded_folder(cache_folder(), print)
    model: Any = MotionInternVLForConditionalGeneration.from_pretrained(folder).eval().requires_grad_(False)
    model.config.mixer_depth = MIXER_DEPTH
    language = model.model.language_model.bfloat16()
    # On CPUs, fused attention is slower backwards than plain matrix products at these lengths.
    language.config._attn_implementation = "eager"
    for block in language.layers:
        block.compile(dynamic=False)
    return model, AutoTokenizer.from_pretrained(folder)


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(prog="python -m tools.training.train", description=__doc__)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of tools.training.features")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and projector")
    parser.add_argument("--held-out", type=int, default=512, help="clips at the end that are not trained on")
    for name, default in vars(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = vars(parser.parse_args())
    scenes, out, held_out = options.pop("scenes"), options.pop("out"), options.pop("held_out")
    model, tokenizer = load_frozen()
    config = model.config
    names = [f"appearance.{b}" for b in config.appearance_blocks] + [f"motion.{b}" for b in config.motion_blocks]
    run(Trainer(load_clips(scenes, names), held_out, Settings(**options), model, tokenizer), out)


if __name__ == "__main__":
    main()
