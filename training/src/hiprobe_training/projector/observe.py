"""First stage: the observer learns from ground truth what happens in generated clips, and where.

    python -m hiprobe_training.projector.observe --scenes runs/scenes --out runs/observer

Nothing of the language model is needed. Beside the slots, heads that do not ship learn for each place of the picture
which event is there, who does what and how many people there are: a clip teaches more by it than by its captions.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score
from torch import nn

from hiprobe.backbones.embedded.motion_internvl import StreamProjector
from hiprobe.backbones.embedded.observer import SIDE, Observation, Observer
from hiprobe_training.projector.augment import Batch, mix, plain, vary
from hiprobe_training.projector.dataset import Clips, load_clips, reduce_shards, set_basis
from hiprobe_training.projector.loop import Losses, Settings, run
from hiprobe_training.projector.model import untrained
from hiprobe_training.projector.slots import ACTS, EVENTS, SLOTS, act, truth

WEIGHTS = {"event": 1.0, "form": 0.3, "people": 0.4, "acts": 0.2, "where": 0.1, "traffic": 0.1, "place": 0.1,
           "light": 0.05}  # fmt: skip
ALARMS = 0.05  # share of the normal clips that may be called abnormal
NEARLY = 0.3  # how right a count is that is one off
THERE = 0.12  # share of a patch that an event must change for it to be said to be there


@dataclass(frozen=True, eq=False)
class Truth:
    """What a batch's slots and cells should say.

    Attributes
    ----------
    slots : list of Tensor of shape (B, answers)
    kinds, acts : Tensor of shape (B, cells, kinds), (B, cells, acts)
        Whether each kind of event, each act, is in the cell: 0 or 1.
    people : Tensor of shape (B, cells)
        How many are in the cell.
    """

    slots: list[torch.Tensor]
    kinds: torch.Tensor
    acts: torch.Tensor
    people: torch.Tensor


def ground_truth(batch: Batch) -> Truth:
    """What is true of a batch."""
    rows, columns = (size // SIDE for size in batch.events.shape[1:])
    count = len(batch.facts)
    there = nn.functional.max_pool2d(batch.events[:, None], SIDE)[:, 0].flatten(1) > THERE
    kinds = torch.zeros(count, rows * columns, len(EVENTS) - 1)
    acts = torch.zeros(count, rows * columns, len(ACTS))
    people = torch.zeros(count, rows * columns)
    for i, (facts, spots) in enumerate(zip(batch.facts, batch.spots, strict=True)):
        if facts.event:
            kinds[i, there[i], EVENTS.index(facts.event) - 1] = 1.0
        for person, (x, y) in zip(facts.people, spots, strict=True):
            cell = min(max(int(y * rows), 0), rows - 1) * columns + min(max(int(x * columns), 0), columns - 1)
            people[i, cell] += 1
            acts[i, cell, ACTS.index(act(person.action))] = 1.0
    each = [truth(facts) for facts in batch.facts]
    return Truth([torch.stack(slot) for slot in zip(*each, strict=True)], kinds, acts, people)


class CellHeads(nn.Module):
    """What is in each cell; not shipped."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kinds = nn.Linear(width, len(EVENTS) - 1)
        self.acts = nn.Linear(width, len(ACTS))
        for head in (self.kinds, self.acts):
            nn.init.constant_(head.bias, -3.0)  # most cells are empty

    def losses(self, observed: Observation, true: Truth) -> Losses:
        """What the cells get wrong."""
        bce = nn.functional.binary_cross_entropy_with_logits
        cells = observed.cells
        return {
            # Summed over kinds: a cell that has none must say so for each.
            "cell kinds": bce(self.kinds(cells), true.kinds, reduction="none").sum(-1).mean(),
            "cell acts": 0.7 * bce(self.acts(cells), true.acts, reduction="none").sum(-1).mean(),
            "cell people": nn.functional.poisson_nll_loss(observed.people, true.people),
        }


def slot_losses(observed: Observation, true: Truth, placed: torch.Tensor) -> Losses:
    """Cross entropies of the slots; where the event is, and what drives, count only in clips that were not enlarged."""
    found = {}
    for slot, logits, wanted in zip(SLOTS, observed.logits, true.slots, strict=True):
        if slot.name == "people":  # one more or less is nearly right
            beside = nn.functional.pad(wanted, (1, 0))[:, :-1] + nn.functional.pad(wanted, (0, 1))[:, 1:]
            wanted = nn.functional.normalize(wanted + NEARLY * beside, p=1, dim=1)
        each = nn.functional.cross_entropy(logits, wanted, label_smoothing=0.03, reduction="none")
        if slot.name in ("where", "traffic"):
            each = each * placed
        found[slot.name] = WEIGHTS[slot.name] * each.mean()
    return found


@torch.no_grad()
def settle(observer: Observer, clips: Clips, indices: range, alarms: float = ALARMS) -> float:
    """Make the observer so calm that of these clips' normal ones it calls the share ``alarms`` abnormal.

    Training clips are abnormal far more often than footage is; how often is not what it should expect.

    Returns
    -------
    float
        What was added to the logit of "none".
    """
    observer.eval()
    leads = []
    for start in range(indices.start, indices.stop, 64):
        batch = plain(clips, range(start, min(start + 64, indices.stop)))
        logits = observer(batch.reduced).logits[0]
        normal = torch.tensor([facts.event is None for facts in batch.facts])
        leads.append((logits[:, 1:].amax(dim=1) - logits[:, 0])[normal])
    observer.train()
    added = torch.cat(leads).quantile(1 - alarms)
    event = observer.answers[0]
    assert isinstance(event, nn.Linear)
    event.bias[0] += added
    return float(added)


@torch.no_grad()
def measure(observer: Observer, clips: Clips, indices: range) -> dict[str, float]:
    """What the slots get right on some clips."""
    observer.eval()
    logits, right, close = [], {slot.name: [] for slot in SLOTS}, []
    true_events = []
    for start in range(indices.start, indices.stop, 64):
        batch = plain(clips, range(start, min(start + 64, indices.stop)))
        true = ground_truth(batch)
        observed = observer(batch.reduced)
        logits.append(observed.logits[0])
        true_events.append(true.slots[0].argmax(-1))
        for slot, found, wanted in zip(SLOTS, observed.logits, true.slots, strict=True):
            right[slot.name] += (wanted.gather(1, found.argmax(-1, keepdim=True)) > 0)[:, 0].tolist()
            if slot.name == "people":
                close += ((found.argmax(-1) - wanted.argmax(-1)).abs() <= 1).tolist()
    observer.train()
    event, said = torch.cat(true_events), torch.cat(logits)
    found = said.argmax(-1)
    abnormal = event > 0
    return {
        "auc": float(roc_auc_score(abnormal, -said.softmax(-1)[:, 0])),
        "kind named": float((found == event)[abnormal].float().mean()),
        "false alarms": float((found > 0)[~abnormal].float().mean()),
        "people within 1": sum(close) / len(close),
        **{f"right {name}": sum(values) / len(values) for name, values in right.items()},
    }


def train(
    clips: Clips,
    held_out: int,
    projector: StreamProjector,
    settings: Settings,
    out: Path,
    start: Path | None = None,
    noise: float = 0.1,
    at_most: int | None = None,
) -> None:
    """Train the observer, from the checkpoint ``start`` if given, on all but the last ``held_out`` clips.

    ``at_most`` keeps to the first so many of those, to see what more clips bring.
    """
    observer, first_held_out = projector.observer, len(clips.records) - held_out
    size = min(first_held_out, at_most or first_held_out)
    torch.manual_seed(settings.seed)
    heads = CellHeads(observer.slots.shape[1])
    if start is not None:
        tensors = load_file(start)
        for name, module in (("projector.", projector), ("heads.", heads)):
            module.load_state_dict({k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)})
    cells = observer.places.shape[0]

    def losses(random: torch.Generator) -> Losses:
        indices = torch.randint(size, (settings.batch,), generator=random).tolist()
        batch = mix(vary(plain(clips, indices), noise, random), random)
        dropped = torch.rand(settings.batch, len(observer.moments), cells, generator=random) < 0.1
        observed, true = observer(batch.reduced, dropped), ground_truth(batch)
        return slot_losses(observed, true, batch.placed) | heads.losses(observed, true)

    def evaluate() -> dict[str, float]:
        return measure(observer, clips, range(first_held_out, len(clips.records)))

    run(settings, {"projector": projector, "heads": heads}, losses, evaluate, out)
    if held_out:
        added = settle(observer, clips, range(first_held_out, len(clips.records)))
        print({"added to none": added} | evaluate(), flush=True)
    weights = {name: value.detach().contiguous() for name, value in projector.state_dict().items()}
    save_file(weights, out / "projector.safetensors")


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(prog="python -m hiprobe_training.projector.observe", description=__doc__)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of hiprobe_training.projector.features")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and projector")
    parser.add_argument("--held-out", type=int, default=512, help="clips at the end that are not trained on")
    parser.add_argument("--at-most", type=int, help="clips to train on; without it all that are not held out")
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier run on fewer clips, to go on from")
    parser.add_argument("--steps", type=int, default=850)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    options = parser.parse_args()
    model, projector = untrained()
    with torch.no_grad():
        set_basis(options.scenes, projector)
        reduce_shards(options.scenes, model, projector)
    for linear in (*projector.maps, projector.state):
        linear.requires_grad_(False)
    clips = load_clips(options.scenes)
    print(f"{len(clips.records)} clips, {options.held_out} of them held out", flush=True)
    settings = Settings(options.steps, options.batch, options.rate)
    train(clips, options.held_out, projector, settings, options.out, options.start, at_most=options.at_most)


if __name__ == "__main__":
    main()
