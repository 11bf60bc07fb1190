"""Our logistic regressions of all folds together against scikit-learn's, one by one.

    python -m benchmarks.logistic_solvers [--rounds 3] [--widths 576 3584] [--segments 300 1000 3000]

Both do the work of ``fit_scorer`` (5 folds, 5 values of C, the best again to the end, all segments) and of
``layer_auc`` at one layer. The library's fits are given what helps them: threads over folds, each C from the
one before, and an exact reduction by QR where there are more features than segments. Ways take turns, and
ratios are medians over rounds: absolute times on shared machines are noisy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.speed_detection import timed
from benchmarks.speed_fit import GROUP, correlated_states
from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.probing import fit_scorer, group_folds, layer_auc
from hiprobe.probing.folds import Fold
from hiprobe.probing.scorer import CANDIDATES
from hiprobe.probing.threads import threads
from hiprobe.probing.validation import LAYER_C

COMPARED, KEPT, OPTIMUM = 1e-4, 1e-6, 1e-10
"""Tolerances of the library: where values of C or layers are compared, for what is kept, and to judge both by."""

Scores = NDArray[np.float64]


class Library:
    """The library's fits to segments (n, D), one by one, by one of its solvers."""

    def __init__(self, states: NDArray[np.floating], abnormal: BoolArray, folds: list[Fold], solver: str) -> None:
        self._states, self._abnormal, self._folds, self._solver = states, abnormal, folds, solver

    def held_out(self, candidates: tuple[float, ...], tolerance: float) -> Scores:
        """Return the score (candidates, n) of each segment in the fold that held it out."""
        scores = np.empty((len(candidates), len(self._states)))
        with threads() as run:
            for (_, held_out), found in zip(
                self._folds, run(lambda fold: self._fold(fold, candidates, tolerance), self._folds), strict=True
            ):
                scores[:, held_out] = found
        return scores

    def everything(self, C: float) -> None:
        """Fit all segments at one C."""
        every = np.arange(len(self._states))
        with threads():
            self._fold((every, every[:1]), (C,), KEPT)

    def _fold(self, fold: Fold, candidates: tuple[float, ...], tolerance: float) -> Scores:
        fitted, held_out = fold
        states = self._states[fitted].astype(np.float64)
        mean, scale = states.mean(axis=0), states.std(axis=0)
        scaled, others = (states - mean) / scale, (self._states[held_out] - mean) / scale
        if scaled.shape[1] > len(scaled):
            basis = np.linalg.qr(scaled.T)[0]  # the penalty is the same in any turned coordinates
            scaled, others = scaled @ basis, others @ basis
        model: Any = LogisticRegression(
            class_weight="balanced", solver=self._solver, tol=tolerance, max_iter=100_000, warm_start=True
        )
        return np.stack(
            [model.set_params(C=c).fit(scaled, self._abnormal[fitted]).predict_proba(others)[:, 1] for c in candidates]
        )


def library_scorer(library: Library, abnormal: BoolArray) -> tuple[float, Scores]:
    """Do what ``fit_scorer`` does; return the C and the out-of-fold scores."""
    aucs = [roc_auc_score(abnormal, scores) for scores in library.held_out(CANDIDATES, COMPARED)]
    C = CANDIDATES[int(np.argmax(np.round(aucs, 5)))]
    (scores,) = library.held_out((C,), KEPT)
    library.everything(C)
    return C, scores


def measure_solvers(segments: int, width: int, rounds: int) -> dict[str, float]:
    """Print a row of the table, and return it: seconds, ratios, and how far scores are from the optimum's."""
    every_state, labels = correlated_states(segments, 1, width)
    states, groups = every_state[:, 0], np.arange(segments) // GROUP
    folds = group_folds(labels, groups)
    lbfgs, newton = (Library(states, labels, folds, solver) for solver in ("lbfgs", "newton-cholesky"))
    scorers: dict[str, Callable[[], tuple[float, FloatArray]]] = {
        "ours": lambda: ((found := fit_scorer(states, labels, groups)).C, found.out_of_fold),
        "lbfgs": lambda: library_scorer(lbfgs, labels),
        "newton": lambda: library_scorer(newton, labels),
    }
    curves: dict[str, Callable[[], Any]] = {
        "ours": lambda: layer_auc(every_state, labels, groups),
        "lbfgs": lambda: roc_auc_score(labels, lbfgs.held_out((LAYER_C,), COMPARED)[0]),
        "newton": lambda: roc_auc_score(labels, newton.held_out((LAYER_C,), COMPARED)[0]),
    }
    taken: dict[str, list[float]] = {}
    errors: dict[str, float] = {}
    for _ in range(rounds):
        for way, scorer in scorers.items():
            seconds, (C, scores) = timed(scorer)
            taken.setdefault(f"scorer {way}", []).append(seconds)
            errors[way] = float(np.abs(scores - newton.held_out((C,), OPTIMUM)[0]).max())
        for way, curve in curves.items():
            taken.setdefault(f"auc {way}", []).append(timed(curve)[0])
    row = {name: float(np.median(seconds)) for name, seconds in taken.items()}
    for work in ("scorer", "auc"):
        for way in ("lbfgs", "newton"):
            ratios = np.array(taken[f"{work} {way}"]) / taken[f"{work} ours"]
            row[f"{work} {way} over ours"] = float(np.median(ratios))
    row |= {f"error {way}": error for way, error in errors.items()}
    _print(f"{segments} x {width}", row)
    return row


def _print(name: str, row: dict[str, float]) -> None:
    cells = [name]
    for work in ("scorer", "auc"):
        cells.append(f"{row[f'{work} ours']:.2f}")
        cells += [f"{row[f'{work} {way}']:.2f} ({row[f'{work} {way} over ours']:.1f})" for way in ("lbfgs", "newton")]
    cells.append(" / ".join(f"{row[f'error {way}']:.0e}" for way in ("ours", "lbfgs", "newton")))
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Measure all sizes, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs="+", default=[576, 3584])
    parser.add_argument("--segments", type=int, nargs="+", default=[300, 1000, 3000])
    options = parser.parse_args()
    print(f"Seconds, median of {options.rounds} rounds; in brackets the ratio to ours; errors of probabilities.\n")
    print("| n x D | scorer: ours | lbfgs | Newton | AUC of a layer: ours | lbfgs | Newton | errors |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for width in options.widths:
        for segments in options.segments:
            measure_solvers(segments, width, options.rounds)


if __name__ == "__main__":
    main()
