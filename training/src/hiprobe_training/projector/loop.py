"""A training loop that goes on where it was cut off: checkpoint, log, learning rate."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

Losses = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Settings:
    """Of a run: steps, clips a step, peak learning rate, weight decay, seed."""

    steps: int
    batch: int
    rate: float
    decay: float = 0.05
    seed: int = 0


def run(
    settings: Settings,
    modules: dict[str, nn.Module],
    losses: Callable[[torch.Generator], Losses],
    evaluate: Callable[[], dict[str, float]],
    out: Path,
    log_every: int = 25,
    keep_every: float = 120.0,
) -> None:
    """Train what takes gradients in ``modules``, from the checkpoint in ``out`` if there is one.

    Parameters
    ----------
    settings : Settings
        Of the run.
    modules : dict of str to Module
        What is trained and kept.
    losses : callable
        From a generator to the losses of one step by name; their sum is what is lowered.
    evaluate : callable
        Numbers on held-out clips, every 10 logs and at the end.
    out : Path
        Folder for ``checkpoint.safetensors`` and ``log.jsonl``.
    log_every, keep_every : int, float
        Steps between logs; seconds between checkpoints.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.safetensors"
    parameters = [p for module in modules.values() for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=settings.decay, betas=(0.9, 0.98))
    random = torch.Generator().manual_seed(settings.seed)
    step, spent, since = 0, 0.0, 0
    if checkpoint.exists():
        step, spent = _resume(checkpoint, modules, optimiser, random)
    sums: dict[str, float] = {}
    began = kept = time.monotonic()
    while step < settings.steps:
        done = step / settings.steps
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * min(1.0, done / 0.05 + 0.02) * (0.5 + 0.5 * math.cos(math.pi * done))
        torch.manual_seed(settings.seed * 1_000_003 + step)  # dropout: the same whether the run was cut off or not
        parts = losses(random)
        optimiser.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        step, since = step + 1, since + 1
        if step % log_every == 0 or step == settings.steps:
            line: dict[str, Any] = {"step": step, "seconds": round(spent + time.monotonic() - began, 1)}
            line |= {name: round(value / since, 4) for name, value in sums.items()}
            if step % (10 * log_every) == 0 or step == settings.steps:
                line |= {name: round(value, 4) for name, value in evaluate().items()}
            with (out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            print(line, flush=True)
            sums, since = {}, 0
        if time.monotonic() - kept > keep_every or step == settings.steps:
            kept = time.monotonic()
            _save(checkpoint, modules, optimiser, random, step, spent + kept - began)


def _save(
    path: Path,
    modules: dict[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    random: torch.Generator,
    step: int,
    seconds: float,
) -> None:
    tensors = {f"{name}.{k}": v for name, module in modules.items() for k, v in module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{k}": v for k, v in state.items()}
    tensors["random"] = random.get_state()
    temporary = path.with_suffix(".tmp")
    save_file(tensors, temporary, {"step": str(step), "seconds": str(seconds)})
    temporary.replace(path)


def _resume(
    path: Path, modules: dict[str, nn.Module], optimiser: torch.optim.Optimizer, random: torch.Generator
) -> tuple[int, float]:
    """Load what :func:`_save` wrote; returns the steps done and the seconds spent."""
    with safe_open(path, "pt") as file:
        tensors, about = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    for name, module in modules.items():
        own = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
        module.load_state_dict(own)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict(optimiser.state_dict() | {"state": state})
    random.set_state(tensors["random"])
    return int(about["step"]), float(about["seconds"])
