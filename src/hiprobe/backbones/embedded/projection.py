"""Orthonormal maps from a closed form: where the projector's training starts.

Each stream is mapped by rows of a Hadamard matrix with random signs, the same on every machine to the last bit
(its entries are one number and its negative), and scaled by one constant so that a token is about as long as the
language model's own token embeddings, and a stronger motion makes a longer token.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from torch import nn

from hiprobe.backbones.embedded.motion_internvl import MotionInternVLConfig, StreamProjector

EMBEDDING_NORM = 3.2
"""Mean norm of SmolLM2-135M's token embeddings, measured."""

STATE_SHARE = 0.5
"""How long a slot's state is beside its words, at first."""


def closed_form_projector(config: MotionInternVLConfig, seed: int = 0) -> StreamProjector:
    """Return the projector that training starts from: orthonormal maps of the streams and of the states.

    The observer, if the configuration has slots, is random (by ``seed``), and its answers have no words yet.
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        projector = StreamProjector(config)
        for stream, linear in enumerate(projector.maps):
            assert isinstance(linear, nn.Linear)
            linear.weight.copy_(orthonormal_map(linear.in_features, linear.out_features, seed=stream))
        if config.slots:
            state = projector.state
            mapped = orthonormal_map(state.in_features, state.out_features, seed=config.streams)
            state.weight.copy_(STATE_SHARE * mapped)
    return projector


def orthonormal_map(width: int, target: int, seed: int) -> torch.Tensor:
    """Return a (target, width) float32 matrix with orthogonal columns of norm EMBEDDING_NORM / sqrt(width).

    A stream vector whose features have unit variance thus becomes a token of norm EMBEDDING_NORM.

    Raises
    ------
    ValueError
        If no Hadamard matrix of order ``target`` can be built here, or ``width`` exceeds ``target``.
    """
    if width > target:
        raise ValueError(f"{width} directions cannot be orthogonal in {target} dimensions")
    random = np.random.Generator(np.random.PCG64(seed))
    signs = random.choice(np.array([-1.0, 1.0]), size=target)
    rows = random.permutation(target)[:width]
    matrix = _hadamard(target)[rows] * signs
    scale = EMBEDDING_NORM / (width * target) ** 0.5
    return torch.from_numpy(np.ascontiguousarray(matrix.T * scale, dtype=np.float32))


def _hadamard(order: int) -> NDArray[np.float64]:
    """Return a Hadamard matrix of an order of the form 2^a * 12^b (576 = 12 * 12 * 4)."""
    if order % 12 == 0:
        return np.kron(_hadamard_12(), _hadamard(order // 12)).astype(np.float64)
    return scipy.linalg.hadamard(order).astype(np.float64)


def _hadamard_12() -> NDArray[np.float64]:
    """Return Paley's Hadamard matrix of order 12, from the quadratic residues modulo 11."""
    residues = {(i * i) % 11 for i in range(1, 11)}
    jacobsthal = np.array(
        [[0 if i == j else (1 if (i - j) % 11 in residues else -1) for j in range(11)] for i in range(11)]
    )
    skew = np.block([[np.zeros((1, 1)), np.ones((1, 11))], [-np.ones((11, 1)), jacobsthal]])
    return (skew + np.eye(12)).astype(np.float64)
