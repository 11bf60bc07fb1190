"""``scorers``: logistic regression, the paper's choice, against other classifiers of hidden states."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from hiprobe.arrays import FloatArray
from hiprobe.probing import group_folds
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Fit, Rows, StudySettings, at_layer, by_dlsp, measure
from hiprobe.studies.result import StudyResult


def scorers(corpus: Corpus, reader: Reader, settings: StudySettings) -> StudyResult:
    """Compare classifiers at the layer of DLSP; each one's settings are chosen within the fitting folds."""
    methods = [measure(corpus, "logistic regression", lambda seed: at_layer(by_dlsp, seed), settings)]
    for name in candidates(0):
        methods.append(measure(corpus, name, lambda seed, name=name: _fit(name, seed), settings))
    table, bars = comparison("Scorers", methods, methods[0])
    notes = (
        HOW,
        "Grids: linear SVM, C of 1e-5 to 1e-1; LDA with shrinkage of 0.01 to 0.9 or by Ledoit and Wolf; MLP with one "
        "layer of 32, weight decay of 1e-2 to 10; random forest of 200 trees with leaves of 1, 3 or 10 segments. "
        "Each by segment AUC in cross-validation by group.",
    )
    return StudyResult("scorers", (corpus.name,), (table,), (bars,), notes)


def candidates(seed: int) -> dict[str, tuple[BaseEstimator, dict[str, list]]]:
    """Return each classifier with the settings that it is chosen among."""
    return {
        "linear SVM": (LinearSVC(max_iter=5000, random_state=seed), {"C": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]}),
        "LDA": (LinearDiscriminantAnalysis(solver="lsqr"), {"shrinkage": ["auto", 0.01, 0.1, 0.5, 0.9]}),
        "small MLP": (MLPClassifier((32,), max_iter=200, random_state=seed), {"alpha": [1e-2, 1e-1, 1.0, 10.0]}),
        "random forest": (RandomForestClassifier(200, random_state=seed), {"min_samples_leaf": [1, 3, 10]}),
    }


def _fit(name: str, seed: int) -> Fit:
    def fit(corpus: Corpus, rows: Rows) -> Callable[[Corpus], FloatArray]:
        index = by_dlsp(corpus, rows)
        labels = corpus.labels[rows]
        folds = group_folds(labels, corpus.groups[rows], seed=seed)
        classifier, grid = candidates(seed)[name]
        pipe = make_pipeline(StandardScaler(), classifier)
        prefixed = {f"{pipe.steps[-1][0]}__{key}": values for key, values in grid.items()}
        usable = [fold for fold in folds if 0 < labels[fold[1]].sum() < len(fold[1])]
        search = GridSearchCV(pipe, prefixed, scoring="roc_auc", cv=usable or folds)
        search.fit(corpus.states[rows, index].astype(np.float64), labels)

        def scores(other: Corpus) -> FloatArray:
            states = other.states[:, index].astype(np.float64)
            if hasattr(search, "decision_function"):
                # Into (0, 1), as a probability would be: folds are pooled, and smoothing takes means.
                return 1 / (1 + np.exp(-np.asarray(search.decision_function(states))))
            return np.asarray(search.predict_proba(states))[:, 1]

        return scores

    return fit
