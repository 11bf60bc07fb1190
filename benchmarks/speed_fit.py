"""What a fit costs on hidden states that are there."""

from __future__ import annotations

import numpy as np

from benchmarks.speed_detection import ROUNDS, timed
from hiprobe.probing import fit_scorer, probe_layers

GROUP = 50
"""Segments of one source."""


def plain_states(segments: int, layers: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Independent normal numbers, and labels by chance: easy for any optimiser."""
    random = np.random.default_rng(0)
    states = random.normal(size=(segments, layers, width)).astype(np.float32)
    labels = random.random(segments) < 0.3
    states[labels] += 0.05
    return states, labels


def correlated_states(segments: int, layers: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """States as language models have them: few directions hold most, some features are hundreds of times larger.

    Groups differ from each other more than classes do, and an event is a stretch of a group.
    """
    random = np.random.default_rng(1)
    group = np.arange(segments) // GROUP
    first, length = random.integers(0, GROUP // 2, (2, group.max() + 1))[:, group]
    labels = (np.arange(segments) % GROUP >= first) & (np.arange(segments) % GROUP < first + length)
    rank = width // 3
    basis = np.linalg.qr(random.normal(size=(width, rank)))[0].T / np.arange(1, rank + 1)[:, None] ** 0.8
    source = random.normal(size=(group.max() + 1, rank))[group]
    states = np.empty((segments, layers, width), dtype=np.float32)
    for layer in range(layers):
        hidden = source + random.normal(size=(segments, rank))
        hidden[labels] += 0.2 * random.normal(size=rank) * (1 + 0.5 * source[labels, :1])
        states[:, layer] = (
            20 * hidden @ basis + 0.02 * random.normal(size=(segments, width)) + random.normal(size=width)
        )
    states[..., [3, width // 2, width - 1]] *= 400
    return states, labels


def fit_seconds(states: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the seconds of DLSP, and those of the scorer at the middle layer."""
    layers = states.shape[1]
    dlsp, _ = timed(probe_layers, states, labels, groups, range(1, layers + 1))
    return dlsp, timed(fit_scorer, states[:, layers // 2], labels, groups)[0]


def measure_fit(segments: int = 10_000, layers: int = 30, width: int = 576) -> dict[str, float]:
    """Print and return the seconds that a fit takes on states that are there, and a refit at a kept layer."""
    groups = np.arange(segments) // GROUP
    taken: dict[str, float] = {}
    print(f"\n{segments} segments x {layers} layers x {width}, {GROUP} segments a group, median of {ROUNDS}, seconds\n")
    print("| states | DLSP | scorer: all of a refit | fit |\n| --- | --- | --- | --- |")
    for kind, make in {"independent": plain_states, "correlated": correlated_states}.items():
        states, labels = make(segments, layers, width)
        rounds = np.array([fit_seconds(states, labels, groups) for _ in range(ROUNDS)])
        dlsp, scorer = np.median(rounds, axis=0)
        print(f"| {kind} | {dlsp:.2f} | {scorer:.2f} | {np.median(rounds.sum(axis=1)):.2f} |", flush=True)
        taken |= {f"{kind}-dlsp": float(dlsp), f"{kind}-refit": float(scorer)}
    return taken
