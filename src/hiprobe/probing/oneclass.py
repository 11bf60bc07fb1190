"""One-class scorers: how far the tokens of a segment lie from those of normal video. No anomaly is needed.

A segment is K frames, or steps of time, of P tokens each. Two *views* of it are scored: ``appearance``, the tokens
themselves, and ``motion``, their differences from one step to the next. In each view a model of the normal tokens
gives every token a distance; a step counts by its few largest ones, since what is abnormal is mostly small, and a
segment by the mean over its steps. Each view is brought to mean 0 and deviation 1 over normal video that its model
did not see, and the score of a segment is the mean over its views.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from hiprobe.arrays import FloatArray
from hiprobe.errors import CalibrationError, UsageError

OneClassMethod = Literal["gaussian", "memory-bank"]
"""``gaussian``: Mahalanobis distance under one shrunk Gaussian. ``memory-bank``: distance to the nearest kept token."""

METHODS: tuple[OneClassMethod, ...] = get_args(OneClassMethod)

View = Literal["appearance", "motion"]

VIEWS: tuple[View, ...] = get_args(View)

TOP_TOKENS = 3
"""How many of a step's largest distances count."""

BANK = 2000
"""Tokens that a memory bank keeps."""

_CANDIDATES = 20_000
"""Tokens that the bank is chosen from."""


class TokenModel(Protocol):
    """A model of normal tokens."""

    @property
    def width(self) -> int:
        """D."""
        ...

    def distances(self, tokens: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the distance (m,) of each of the tokens (m, D) from normal ones; at least 0."""
        ...

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what the model consists of, by name."""
        ...


@dataclass(frozen=True, eq=False)
class Gaussian:
    """One Gaussian of all normal tokens.

    Attributes
    ----------
    mean : ndarray of float32, shape (D,)
    whitening : ndarray of float32, shape (D, D)
        W with W W^T the inverse of the covariance.
    """

    mean: NDArray[np.float32]
    whitening: NDArray[np.float32]

    @classmethod
    def fit(cls, tokens: ArrayLike) -> Gaussian:
        """Fit it to normal tokens (m, D).

        The covariance is shrunk towards a multiple of the identity, as much as Ledoit and Wolf's formula says.

        Raises
        ------
        CalibrationError
            If there are fewer than two tokens, they are all the same, or one holds NaN or infinity.

        References
        ----------
        Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices, 2004;
        scikit-learn's ``LedoitWolf``.
        """
        values = _checked(tokens)
        model = LedoitWolf(store_precision=False).fit(values)
        variances, axes = np.linalg.eigh(model.covariance_)
        if variances[-1] <= 0:
            raise CalibrationError("All normal tokens are the same; give videos in which something can be seen.")
        # Rounding may leave variances of 0, as where a token has features that never vary.
        floor = variances[-1] * np.finfo(np.float32).eps
        whitening = axes / np.sqrt(np.maximum(variances, floor))
        return cls(model.location_.astype(np.float32), whitening.astype(np.float32))

    @property
    def width(self) -> int:
        """D."""
        return len(self.mean)

    def distances(self, tokens: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the Mahalanobis distance (m,) of tokens (m, D)."""
        white = (np.asarray(tokens, np.float32) - self.mean) @ self.whitening
        return np.sqrt(np.einsum("ij,ij->i", white, white))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return mean and whitening."""
        return {"mean": self.mean, "whitening": self.whitening}


@dataclass(frozen=True, eq=False)
class MemoryBank:
    """A bank of normal tokens.

    Attributes
    ----------
    bank : ndarray of float32, shape (tokens, D)
    """

    bank: NDArray[np.float32]

    @classmethod
    def fit(cls, tokens: ArrayLike, size: int = BANK, seed: int = 0) -> MemoryBank:
        """Choose the bank from normal tokens (m, D): each further token is the one farthest from those chosen.

        Raises
        ------
        CalibrationError
            If there are fewer than two tokens, or one holds NaN or infinity.

        References
        ----------
        Roth et al., Towards total recall in industrial anomaly detection (PatchCore), 2022: a greedy coreset.
        """
        values = _checked(tokens).astype(np.float32)
        if len(values) > _CANDIDATES:
            values = values[np.random.default_rng(seed).choice(len(values), _CANDIDATES, replace=False)]
        if len(values) <= size:
            return cls(values)
        square = np.einsum("ij,ij->i", values, values)
        chosen, nearest = [0], np.full(len(values), np.inf, np.float32)
        while len(chosen) < size:
            last = chosen[-1]
            np.minimum(nearest, square + square[last] - 2 * (values @ values[last]), out=nearest)
            chosen.append(int(nearest.argmax()))
        return cls(values[chosen])

    @property
    def width(self) -> int:
        """D."""
        return self.bank.shape[1]

    def distances(self, tokens: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the Euclidean distance (m,) of tokens (m, D) to the nearest one in the bank."""
        search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(self.bank)
        return search.kneighbors(np.asarray(tokens, np.float32))[0][:, 0].astype(np.float32)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the bank."""
        return {"bank": self.bank}


MODELS: dict[str, type[Gaussian] | type[MemoryBank]] = {"gaussian": Gaussian, "memory-bank": MemoryBank}


@dataclass(frozen=True, eq=False)
class TokenScorer:
    """Scores segments by models of their views.

    Attributes
    ----------
    method : {"gaussian", "memory-bank"}
    models : mapping of str to TokenModel
        One per view.
    centres, scales : mapping of str to float
        Mean and standard deviation of each view's value over normal segments that its model did not see.
    top : int
        How many of a step's largest distances count.

    Raises
    ------
    UsageError
        If there is no view, a view lacks a number, or a number is wrong.
    """

    method: str
    models: Mapping[str, TokenModel]
    centres: Mapping[str, float]
    scales: Mapping[str, float]
    top: int = TOP_TOKENS

    def __post_init__(self) -> None:
        views = set(self.models)
        if not views or views - set(VIEWS) or views != set(self.centres) or views != set(self.scales):
            raise UsageError(f"A one-class scorer of {sorted(views)}: give each of its views, {VIEWS}, all it needs.")
        numbers = [*self.centres.values(), *self.scales.values()]
        if not np.isfinite(numbers).all() or min(self.scales.values()) <= 0 or self.top < 1:
            raise UsageError("A one-class scorer's centres must be finite, its scales and its top over 0.")

    @property
    def width(self) -> int:
        """D, the length of a token's state."""
        return next(iter(self.models.values())).width

    def scores(self, tokens: NDArray[np.floating]) -> FloatArray:
        """Return the score (n,) of segments by their tokens (n, steps, P, D): about 0 where normal, else higher."""
        return self.combined(view_values(tokens, self.models, self.top))

    def token_scores(self, tokens: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return how odd each token of one segment (1, steps, P, D) is: the mean over views, (steps, P)."""
        found = []
        for view, seen in view_tokens(tokens).items():
            if view in self.models:
                _, steps, places, width = seen.shape
                flat = self.models[view].distances(seen.reshape(-1, width)).reshape(steps, places)
                distances = (flat - self.centres[view]) / self.scales[view]
                # Motion is from one step to the next, and has one less: what moves first is in the first step, too.
                found.append(np.concatenate([distances[:1]] * (tokens.shape[1] - len(distances)) + [distances]))
        return np.asarray(np.mean(found, axis=0, dtype=np.float32))

    def combined(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """Return the score (n,) of segments whose views have these values, (n,) each."""
        return combined(values, self.centres, self.scales)


def view_tokens(tokens: NDArray[np.floating]) -> dict[View, NDArray[np.floating]]:
    """Return the views of segments by their tokens (n, steps, P, D): each (n, steps or one less, P, D).

    Of a single step there is no motion.
    """
    if tokens.ndim != 4 or 0 in tokens.shape:
        raise UsageError(f"Token states have shape {tokens.shape}; give (n, steps, P, D), none of them 0.")
    views: dict[View, NDArray[np.floating]] = {"appearance": tokens}
    if tokens.shape[1] > 1:
        views["motion"] = np.diff(tokens, axis=1)
    return views


def two_steps(tokens: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return token states (B, layers, steps, P, D) as they are. Raises UsageError of fewer than two steps of time."""
    if tokens.shape[2] < 2:
        raise UsageError("One-class probes need two steps of time in a segment; give more frames a segment.")
    return tokens


def view_values(
    tokens: NDArray[np.floating], models: Mapping[str, TokenModel], top: int = TOP_TOKENS
) -> dict[str, FloatArray]:
    """Return the value (n,) of each view that has a model: the mean over steps of the mean of the largest distances.

    Raises
    ------
    UsageError
        If the tokens (n, steps, P, D) are of another shape than the models', or hold NaN or infinity.
    """
    if not np.isfinite(tokens).all():
        raise UsageError("A token's state holds NaN or infinity; load the backbone in float32 or bfloat16.")
    found = view_tokens(tokens)
    values: dict[str, FloatArray] = {}
    for view, model in models.items():
        if view not in found:
            raise UsageError(f"The probe scores {view}, and the segments have a single frame; use its sampling.")
        seen = found[view]
        if seen.shape[-1] != model.width:
            raise UsageError(f"Token states have width {seen.shape[-1]}; this scorer reads {model.width}.")
        distances = model.distances(seen.reshape(-1, seen.shape[-1])).reshape(seen.shape[:-1])
        values[view] = top_mean(distances, top).mean(axis=1, dtype=np.float64)
    return values


def top_mean(distances: NDArray[np.floating], top: int) -> NDArray[np.floating]:
    """Return the mean of the ``top`` largest along the last axis, or of all where there are fewer."""
    count = min(top, distances.shape[-1])
    return np.partition(distances, -count, axis=-1)[..., -count:].mean(axis=-1)


def fit_models(views: Mapping[str, ArrayLike], method: str, seed: int = 0) -> dict[str, TokenModel]:
    """Fit a model by one method to the normal tokens (m, D) of each view. Raises as the models' ``fit``."""
    if method not in MODELS:
        raise UsageError(f"One-class method {method!r}: choose one of {', '.join(METHODS)}.")
    if method == "memory-bank":
        return {view: MemoryBank.fit(tokens, seed=seed) for view, tokens in views.items()}
    return {view: Gaussian.fit(tokens) for view, tokens in views.items()}


def token_scorer(method: str, models: Mapping[str, TokenModel], held_out: Mapping[str, FloatArray]) -> TokenScorer:
    """Return the scorer of these models, its views standardised by values of normal segments that were held out.

    Raises
    ------
    CalibrationError
        If the values of a view do not vary.
    """
    return TokenScorer(method, models, *standardiser(held_out))


def standardiser(values: Mapping[str, FloatArray]) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and standard deviation of each view's values. Raises CalibrationError if they do not vary."""
    centres = {view: float(np.mean(of_view)) for view, of_view in values.items()}
    scales = {view: float(np.std(of_view)) for view, of_view in values.items()}
    for view, scale in scales.items():
        if scale <= np.finfo(np.float32).eps * abs(centres[view]):
            raise CalibrationError(f"The {view} of all normal segments is the same; add normal videos that differ.")
    return centres, scales


def combined(values: Mapping[str, FloatArray], centres: Mapping[str, float], scales: Mapping[str, float]) -> FloatArray:
    """Return the mean over views (n,) of their standardised values."""
    return np.mean([(values[view] - centres[view]) / scales[view] for view in centres], axis=0)


def digest(models: Mapping[str, TokenModel]) -> str:
    """Return what tells these models from all others."""
    found = hashlib.sha256()
    for view, model in sorted(models.items()):
        for name, array in sorted(model.arrays().items()):
            found.update(f"{view}.{name} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _checked(tokens: ArrayLike) -> NDArray[np.floating]:
    values = np.asarray(tokens)
    if values.ndim != 2 or len(values) < 2:
        raise CalibrationError(f"Normal tokens have shape {values.shape}; give two or more, (m, D).")
    if not np.isfinite(values).all():
        raise CalibrationError(
            "A normal token's state holds NaN or infinity; load the backbone in float32 or bfloat16."
        )
    return values.astype(np.float64)
