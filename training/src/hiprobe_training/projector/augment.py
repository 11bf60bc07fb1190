"""Clips made different, and the ground truth with them: mirrored, enlarged, at another pace, noisy, beside another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from hiprobe_training.projector.dataset import Clips
from hiprobe_training.scenes.facts import Facts

ENLARGED = 0.6  # how often
SMALLEST = 0.55  # side of the part that is enlarged, of the picture's
KEPT = 0.75  # of the event must be inside
MIXED = 0.4  # how often a clip is shown beside another
GONE = 0.1  # at most so much of an event may be left for it not to count


@dataclass(frozen=True, eq=False)
class Batch:
    """B clips as they are shown.

    Attributes
    ----------
    reduced : Tensor of shape (B, K, rows, columns, reduced)
    events : Tensor of shape (B, rows, columns)
        Which share of each patch the event changes, at the moment when it changes more.
    facts : list of Facts
        Of those who are still inside.
    spots : list of list of (column, row)
        Where the people of the facts are, as fractions.
    placed, flipped : BoolTensor of shape (B,)
        Whether the whole picture is shown, so that what the facts say of places and vehicles is still true; whether
        the clip is mirrored.
    """

    reduced: torch.Tensor
    events: torch.Tensor
    facts: list[Facts]
    spots: list[list[tuple[float, float]]]
    placed: torch.Tensor
    flipped: torch.Tensor


def plain(clips: Clips, indices: Sequence[int]) -> Batch:
    """Clips as they are."""
    records = [clips.records[i] for i in indices]
    index = torch.as_tensor(indices)
    facts, spots = [r.facts for r in records], [list(r.spots) for r in records]
    events = clips.events[index].float().amax(dim=1)
    always, never = torch.ones(len(index), dtype=torch.bool), torch.zeros(len(index), dtype=torch.bool)
    return Batch(clips.reduced[index].float(), events, facts, spots, always, never)


def vary(batch: Batch, noise: float, random: torch.Generator, enlarged: float = ENLARGED) -> Batch:
    """Clips made different at random.

    Parameters
    ----------
    batch : Batch
        Clips as they are.
    noise : float
        Deviation of what is added to each feature, in its own.
    random : Generator
        Of the draws.
    enlarged : float
        How often only a part of the picture is shown.
    """
    reduced, count = batch.reduced, len(batch.facts)
    frames = reduced.shape[1]

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=random)

    # Another pace: fewer of the frames, spread over the whole.
    first, last = (draw(count) * 2.5).floor(), frames - 1 - (draw(count) * 2.5).floor()
    steps = torch.linspace(0, 1, frames)
    chosen = (first[:, None] + (last - first)[:, None] * steps).round().long()
    reduced = reduced[torch.arange(count)[:, None], chosen]

    flipped = draw(count) < 0.5
    side = torch.where(draw(count) < enlarged, SMALLEST + (1 - SMALLEST) * draw(count), torch.ones(count))
    corner = draw(count, 2) * (1 - side)[:, None]
    weight = batch.events.flatten(1).sum(1)
    inside = _shown(batch.events[:, None], torch.zeros_like(flipped), side, corner)[:, 0].flatten(1).sum(1) * side**2
    lost = inside < KEPT * weight
    side, corner = torch.where(lost, 1.0, side), torch.where(lost[:, None], 0.0, corner)

    shown = _shown(reduced.movedim(-1, 2).flatten(1, 2), flipped, side, corner)
    shown = shown.unflatten(1, (frames, -1)).movedim(2, -1)
    # Contrast and colour of another camera: every feature a little stronger or weaker; and noise.
    strength = torch.exp(0.15 * torch.randn(count, 1, 1, 1, shown.shape[-1], generator=random))
    spread = shown[: min(count, 4)].flatten(0, -2).std(dim=0)
    shown = shown * strength + noise * spread * torch.randn(shown.shape, generator=random)
    facts, spots = [], []
    for i in range(count):
        x0, y0, s = float(corner[i, 0]), float(corner[i, 1]), float(side[i])
        moved = [((x - x0) / s, (y - y0) / s) for x, y in batch.spots[i]]
        kept = [k for k, (x, y) in enumerate(moved) if s == 1.0 or (0 <= x < 1 and 0 <= y < 1)]
        turned = bool(flipped[i])
        inside_people = (batch.facts[i].people[k] for k in kept)
        people = tuple(replace(person, where=_mirror(person.where, turned)) for person in inside_people)
        facts.append(replace(batch.facts[i], people=people, where=_mirror(batch.facts[i].where, turned)))
        spots.append([(1 - moved[k][0] if turned else moved[k][0], moved[k][1]) for k in kept])
    events = _shown(batch.events[:, None], flipped, side, corner)[:, 0]
    return Batch(shown, events, facts, spots, side == 1.0, flipped)


def mix(batch: Batch, random: torch.Generator, mixed: float = MIXED) -> Batch:
    """Some clips with the left or the right part of another clip of the batch, which begins at a random column.

    So a scene says nothing any more of the events that were drawn in it. Two clips are left apart where their parts
    would show two events, or one that is cut.
    """
    count, columns = len(batch.facts), batch.events.shape[2]
    others = torch.randperm(count, generator=random).tolist()
    cuts = torch.randint(columns // 4, columns - columns // 4 + 1, (count,), generator=random).tolist()
    sides, chosen = torch.rand(2, count, generator=random)
    reduced, events, placed = batch.reduced.clone(), batch.events.clone(), batch.placed.clone()
    facts, spots = list(batch.facts), list(batch.spots)
    for i, j in enumerate(others):
        if i == j or chosen[i] >= mixed:
            continue
        right = torch.arange(columns) >= cuts[i]
        theirs = right if sides[i] < 0.5 else ~right
        shares = [_share(batch, k, shown) for k, shown in ((i, ~theirs), (j, theirs))]
        if any(GONE < share < KEPT for share in shares) or min(shares) >= KEPT:
            continue
        reduced[i, :, :, theirs], events[i, :, theirs] = batch.reduced[j, :, :, theirs], batch.events[j, :, theirs]
        placed[i] = False
        shown = [
            (person, spot)
            for k, columns_of in ((i, ~theirs), (j, theirs))
            for person, spot in zip(batch.facts[k].people, batch.spots[k], strict=True)
            if columns_of[min(int(spot[0] * columns), columns - 1)]
        ]
        larger = batch.facts[i if theirs.sum() * 2 <= columns else j]
        event = batch.facts[i if shares[0] >= KEPT else j] if max(shares) >= KEPT else None
        facts[i] = replace(
            larger,
            people=tuple(person for person, _ in shown),
            event=event.event if event else None,
            detail=event.detail if event else "",
            where=event.where if event else larger.where,
        )
        spots[i] = [spot for _, spot in shown]
    return Batch(reduced, events, facts, spots, placed, batch.flipped)


def _share(batch: Batch, index: int, shown: torch.Tensor) -> float:
    """How much of a clip's event is in the columns shown; 0 without an event."""
    if batch.facts[index].event is None:
        return 0.0
    weight = batch.events[index].sum()
    return float(batch.events[index][:, shown].sum() / weight) if weight else 0.5


def _mirror(where: str, flipped: bool) -> str:
    return {"left": "right", "right": "left"}.get(where, where) if flipped else where


def _shown(maps: torch.Tensor, flipped: torch.Tensor, side: torch.Tensor, corner: torch.Tensor) -> torch.Tensor:
    """The part of maps (B, C, rows, columns) that begins at ``corner`` (column, row), enlarged; mirrored if asked."""
    sign = torch.where(flipped, -1.0, 1.0)
    middle = 2 * corner + side[:, None] - 1
    theta = torch.zeros(len(maps), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = sign * side, side
    theta[:, 0, 2], theta[:, 1, 2] = middle[:, 0], middle[:, 1]
    grid = nn.functional.affine_grid(theta, list(maps.shape), align_corners=False)
    return nn.functional.grid_sample(maps, grid, padding_mode="border", align_corners=False)
