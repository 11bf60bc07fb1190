"""Logistic regressions that share one data matrix, such as those of all folds, fitted together.

Each fold standardises its features by its own mean and deviation. That is an affine change of the weights,
so all folds read the same matrix, and one pass over it serves them all: memory, not arithmetic, is what a
pass costs. Hidden states are strongly correlated, and plain L-BFGS needs hundreds of passes for them; in
coordinates in which the Hessian is nearly the identity it needs ten.
"""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.exceptions import ConvergenceWarning

from hiprobe.arrays import BoolArray, IntArray
from hiprobe.errors import UsageError
from hiprobe.probing.checks import row_blocks
from hiprobe.probing.threads import Run

Matrix = NDArray[np.floating]

EXACT, COMPARED = 1e-6, 5e-5
"""Tolerances for what is kept, and for what is only compared: AUCs are then within 1e-3, and mostly 1e-4."""

_ROWS_PER_FEATURE, _LEAST_ROWS = 4, 1000
"""Rows that the Hessian is estimated from, for each feature and at least: they set the pace, not the result."""

_LOWEST, _HIGHEST = np.finfo(np.float64).tiny, 1 - 2.0**-53

_STRONG = 1e-3
"""Up to this C, the folds' Hessians differ so little that one serves them all."""

_BLOCKS = 4
"""Parts of the segments that threads share; fixed, as sums differ in their last digits by where they are cut."""

_ROUNDS, _ITERATIONS = 20, 25
"""L-BFGS iterations before the Hessian is estimated anew, and how often that may happen."""

_WIDE = 2048
"""Up to this many features nothing is reduced."""

SEVERAL, ALONE = 2, 6
"""More features than this for each segment are reduced: where several values of C are fitted, or one strong one."""

_FLAT = 1e-6
"""Least curvature p (1 - p) of a segment in the Hessian, which must not vanish where classes part."""


def check_strength(C: float) -> float:
    """Return an inverse regularisation strength. Raises UsageError if it is not over 0."""
    if not (math.isfinite(C) and C > 0):
        raise UsageError(f"C is {C}; give a number over 0, such as 0.001.")
    return C


def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of log odds, always strictly between 0 and 1."""
    return np.clip(expit(logits), _LOWEST, _HIGHEST)


def fold_moments(states: Matrix, share: Matrix) -> tuple[Matrix, Matrix]:
    """Return mean and deviation (folds, D) of states (n, D), by the share (folds, n) of each segment in each fold.

    A feature that is constant in a fold has no weight there, whatever it is divided by: its deviation is 1.
    """
    mean = share @ states
    square = np.zeros_like(mean)
    for rows in row_blocks(0, len(states)):
        square += share[:, rows] @ np.square(states[rows])
    var = square - mean**2
    return mean, np.sqrt(np.where(var > 100 * np.finfo(states.dtype).eps * square, var, 1)).astype(states.dtype)


class JointLogistic:
    """Logistic regressions, one per fold, each fitted to the segments that are not held out in it.

    Each minimises what scikit-learn's ``LogisticRegression(class_weight="balanced")`` does on features that
    are standardised over the segments it is fitted to: the weighted mean of the log loss, plus
    |weights|^2 / (2 C n). The bias is free.

    Parameters
    ----------
    states : array of shape (n, D), float32 or float64
        Features, standardised over all segments; its type is that of the computation.
    abnormal : array of shape (n,)
    held_out : array of int, shape (n,)
        Number of the fold in which each segment is held out.
    folds : int
        How many there are. Fold 0 of ``held_out`` filled with -1 is fitted to everything.
    tolerance : float
        Of the gradient, in coordinates where the Hessian is about the identity; relative to the gradient at
        0 if that is less than 1, and to the root of the loss.
    run : callable, optional
        Of :func:`threads`, to share the segments between. Results do not depend on how many there are.
    standardise : bool
        False takes features as they are in every fold.
    """

    def __init__(
        self,
        states: Matrix,
        abnormal: BoolArray,
        held_out: IntArray,
        folds: int,
        tolerance: float = EXACT,
        run: Run | None = None,
        standardise: bool = True,
    ) -> None:
        self._states, self._held_out, self._tolerance = states, held_out, tolerance
        kind = states.dtype
        fitted = held_out != np.arange(folds)[:, None]
        self._count = fitted.sum(axis=1)
        per_class = np.where(abnormal, (fitted & abnormal).sum(axis=1, keepdims=True), 0)
        per_class += np.where(abnormal, 0, (fitted & ~abnormal).sum(axis=1, keepdims=True))
        # Classes count the same, and all segments of a fold count 1 together.
        self._weight = np.where(fitted, 1 / (2 * np.maximum(per_class, 1)), 0.0).astype(kind)
        self._sign = np.where(abnormal, 1, -1).astype(kind)
        shape = len(self._count), states.shape[1]
        self._mean, self._scale = np.zeros(shape, kind), np.ones(shape, kind)
        if standardise:
            self._mean, self._scale = fold_moments(states, (fitted / self._count[:, None]).astype(kind))
        self._run = map if run is None else run
        borders = np.linspace(0, len(states), 2 if run is None else _BLOCKS + 1, dtype=int)
        self._blocks = [slice(start, stop) for start, stop in pairwise(borders)]
        self._flat = self._own(self._pulled(-self._weight * self._sign / 2, slice(None)))

    def fit(self, C: float, start: Matrix | None = None) -> Matrix:
        """Return weights on each fold's own standardised features, and the bias last: (folds, D + 1).

        ``start`` is a guess of them, such as the solution at another C.
        """
        kind = self._states.dtype
        found = np.zeros((len(self._count), self._states.shape[1] + 1), kind) if start is None else start
        penalty = (1 / (C * self._count)).astype(kind)[:, None]
        for _ in range(_ROUNDS):
            there, found = self._descend(found, penalty, C <= _STRONG)
            if there:
                return found
        warnings.warn(f"The logistic regression at C = {C:g} has not converged.", ConvergenceWarning, stacklevel=2)
        return found

    def logits(self, weights: Matrix) -> Matrix:
        """Return the log odds (folds, n) of all segments, fitted or held out."""
        shared = self._shared(weights)
        return np.concatenate(list(self._run(lambda rows: self._logits(shared, rows), self._blocks)), axis=1)

    def held_out_scores(self, weights: Matrix) -> NDArray[np.float64]:
        """Return the probability (n,) of each segment in the fold that held it out, strictly within 0 and 1."""
        logits = self.logits(weights)[self._held_out, np.arange(len(self._held_out))]
        return probabilities(logits.astype(np.float64))

    def _descend(self, start: Matrix, penalty: Matrix, alike: bool) -> tuple[bool, Matrix]:
        """Return whether L-BFGS from ``start`` got there or can get no further, and where to."""
        factors, kind = self._factors(start, penalty, alike), start.dtype

        def solve(of: Matrix, trans: int) -> Matrix:
            pairs = zip(factors, of, strict=True)
            return np.stack([solve_triangular(f, v, lower=True, trans=trans, check_finite=False) for f, v in pairs])

        def weights(at: Matrix) -> Matrix:
            return start + solve(at.reshape(start.shape).astype(kind), 1)

        def objective(at: Matrix) -> tuple[float, Matrix]:
            loss, slope = self._loss(weights(at), penalty)
            return loss, solve(slope, 0).astype(np.float64).ravel()

        origin, even = np.zeros(start.size), len(start) * math.log(2)
        if start.any():
            loss, slope = objective(origin)
        else:  # all log odds are 0
            loss, slope = even, solve(self._flat, 0).astype(np.float64).ravel()
        # Where little is to be gained, or little is left, less may be wrong.
        tolerance = self._tolerance * min(1.0, float(np.linalg.norm(solve(self._flat, 0)))) * math.sqrt(loss / even)
        if np.abs(slope).max() <= tolerance:
            return True, start
        # The first step of L-BFGS has length 1, so the unit of length is that of Newton's step.
        unit = float(np.linalg.norm(slope))

        def scaled(at: Matrix) -> tuple[float, Matrix]:
            loss_at, slope_at = objective(at * unit) if at.any() else (loss, slope)
            return loss_at, slope_at * unit

        # Near the optimum the loss changes by less than its rounding: searching a line for it would be in vain.
        rounding = float(np.finfo(kind).eps) / 10
        options = {"maxiter": _ITERATIONS, "maxls": 8, "gtol": tolerance * unit, "ftol": rounding}
        result = minimize(scaled, origin, jac=True, method="L-BFGS-B", options=options)
        # Far below, both the Hessian and the tolerance are others.
        return result.status != 1 and result.fun > loss / 2, weights(result.x * unit)

    def _loss(self, weights: Matrix, penalty: Matrix) -> tuple[float, Matrix]:
        """Return the sum of the folds' objectives, and its slope (folds, D + 1)."""
        shared = self._shared(weights)
        losses, slopes = zip(*self._run(lambda rows: self._part(shared, rows), self._blocks), strict=True)
        slope = self._own(np.sum(slopes, axis=0))
        slope[:, :-1] += penalty * weights[:, :-1]
        return sum(losses) + float((penalty * weights[:, :-1] ** 2).sum(dtype=np.float64)) / 2, slope

    def _part(self, shared: Matrix, rows: slice) -> tuple[float, Matrix]:
        """Return what some of the segments add to the loss and to its slope on the shared features."""
        weight, sign = self._weight[:, rows], self._sign[rows]
        margin = self._logits(shared, rows) * sign
        loss = -(weight * log_expit(margin)).sum(dtype=np.float64)
        return float(loss), self._pulled(-weight * expit(-margin) * sign, rows)

    def _logits(self, shared: Matrix, rows: slice) -> Matrix:
        return shared[:, :-1] @ self._states[rows].T + shared[:, -1:]

    def _pulled(self, pull: Matrix, rows: slice) -> Matrix:
        """Return the slope (folds, D + 1) on the shared features of logits that pull so (folds, rows)."""
        return np.concatenate([pull @ self._states[rows], pull.sum(axis=1, keepdims=True)], axis=1)

    def _shared(self, weights: Matrix) -> Matrix:
        """Return what weights on each fold's own features are on the shared ones."""
        scaled = weights[:, :-1] / self._scale
        return np.concatenate([scaled, weights[:, -1:] - (scaled * self._mean).sum(axis=1, keepdims=True)], axis=1)

    def _own(self, slope: Matrix) -> Matrix:
        """Return what a slope on the shared features is on each fold's own."""
        return np.concatenate([(slope[:, :-1] - slope[:, -1:] * self._mean) / self._scale, slope[:, -1:]], axis=1)

    def _factors(self, weights: Matrix, penalty: Matrix, alike: bool) -> list[Matrix]:
        """Return the lower Cholesky factor of about the Hessian of each fold; the first one's for all if ``alike``."""
        shared, width = self._shared(weights), self._states.shape[1]

        def factor(k: int) -> Matrix:
            rows = np.flatnonzero(self._weight[k])
            step = max(1, len(rows) // max(_LEAST_ROWS, _ROWS_PER_FEATURE * width))
            rows = rows[::step]
            features = np.ones((len(rows), width + 1), np.float32)  # which is enough to set the pace
            features[:, :-1] = self._states[rows]
            chance = expit(features @ shared[k].astype(np.float32))
            features[:, :-1] -= self._mean[k]
            features[:, :-1] /= self._scale[k]
            curvature = self._weight[k, rows] * np.maximum(chance * (1 - chance), _FLAT) * step
            features *= np.sqrt(curvature)[:, None]
            hessian = features.T @ features
            diagonal = np.einsum("ii->i", hessian)
            rounding = 10 * np.finfo(hessian.dtype).eps * diagonal.sum()
            diagonal[:-1] += penalty[k].astype(np.float32)
            diagonal += rounding
            return cholesky(hessian, lower=True, overwrite_a=True, check_finite=False).astype(weights.dtype)

        return list(self._run(factor, [0])) * len(weights) if alike else list(self._run(factor, range(len(weights))))


class ReducedLogistic:
    """What :class:`JointLogistic` is, for more features than segments; parameters are the same.

    The best weights of a fold are a weighted sum of its segments. So each fold is turned, exactly, to the
    directions that its segments span. These are at most as many as the segments. Folds then share nothing.
    """

    def __init__(
        self,
        states: Matrix,
        abnormal: BoolArray,
        held_out: IntArray,
        folds: int,
        tolerance: float = EXACT,
        run: Run | None = None,
    ) -> None:
        self._held_out, self._run = held_out, map if run is None else run

        def reduced(k: int) -> tuple[Matrix, JointLogistic]:
            out = held_out == k
            mean, scale = fold_moments(states, (~out / np.count_nonzero(~out)).astype(states.dtype)[None])
            scaled = (states - mean) / scale
            basis = np.linalg.qr(scaled[~out].T)[0]
            return basis, JointLogistic(scaled @ basis, abnormal, out - 1, 1, tolerance, standardise=False)

        self._folds = list(self._run(reduced, range(folds)))

    def fit(self, C: float, start: Matrix | None = None) -> Matrix:
        """Return weights and bias (folds, D + 1), as :meth:`JointLogistic.fit`."""

        def fit(k: int) -> Matrix:
            basis, model = self._folds[k]
            found = model.fit(C, None if start is None else _turned(start[k : k + 1], basis))
            return _turned(found, basis.T)

        return np.concatenate(list(self._run(fit, range(len(self._folds)))))

    def held_out_scores(self, weights: Matrix) -> NDArray[np.float64]:
        """Return probabilities (n,), as :meth:`JointLogistic.held_out_scores`."""
        turned = (model.logits(_turned(weights[k : k + 1], basis)) for k, (basis, model) in enumerate(self._folds))
        logits = np.concatenate(list(turned))[self._held_out, np.arange(len(self._held_out))]
        return probabilities(logits.astype(np.float64))


def _turned(weights: Matrix, basis: Matrix) -> Matrix:
    """Return weights, the bias last and as it is, in the coordinates of a basis."""
    return np.concatenate([weights[:, :-1] @ basis, weights[:, -1:]], axis=1)


def fold_regressions(
    states: Matrix,
    abnormal: BoolArray,
    held_out: IntArray,
    folds: int,
    tolerance: float = EXACT,
    run: Run | None = None,
    per_segment: int = SEVERAL,
) -> JointLogistic | ReducedLogistic:
    """Return the regressions of all folds, by the faster way.

    Parameters are those of :class:`JointLogistic`. More features than ``per_segment`` for each segment are reduced.
    """
    wide = states.shape[1] > max(_WIDE, per_segment * len(states))
    return (ReducedLogistic if wide else JointLogistic)(states, abnormal, held_out, folds, tolerance, run)
