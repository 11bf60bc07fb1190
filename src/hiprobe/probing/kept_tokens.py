"""Kept tokens of footage: how far each other token lies from the nearest of them.

Most tokens of footage are of the place, which stands still. A random sample holds few of those that move, and then
every passer-by looks new. So half of the kept tokens are those that change most. A distance is taken in the
directions in which these differ among themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA

from hiprobe.errors import CalibrationError

KEPT = 2000
"""Tokens that are kept, half of them moving ones."""

DIRECTIONS = 96
"""Directions that distances are taken in."""

_AT_ONCE = 4096
"""Tokens whose distances are computed together: 30 MB of them."""


@dataclass(frozen=True, eq=False)
class KeptTokens:
    """Tokens of footage, in the directions in which moving ones differ. Meets the TokenModel protocol.

    Attributes
    ----------
    bank : ndarray of float32, shape (tokens, d)
    axes : ndarray of float32, shape (D, d)
    """

    bank: NDArray[np.float32]
    axes: NDArray[np.float32]

    @classmethod
    def fit(cls, moving: ArrayLike, others: ArrayLike, seed: int = 0) -> KeptTokens:
        """Keep tokens, drawn at random from the moving ones (m, D) and from the others (n, D), of each half of them.

        Raises
        ------
        CalibrationError
            If there are fewer than two moving tokens, they are all the same, or a token holds NaN or infinity.
        """
        random, parts = np.random.default_rng(seed), []
        for tokens in (moving, others):
            values = np.asarray(tokens, np.float32)
            parts.append(values[random.permutation(len(values))])
        known = np.concatenate([part[: KEPT // 2] for part in parts])
        if not np.isfinite(np.concatenate(parts)).all():
            raise CalibrationError("A token's state holds NaN or infinity; load the backbone in float32 or bfloat16.")
        if len(parts[0]) < 2 or not np.ptp(parts[0], axis=0).any():
            raise CalibrationError("Nothing changes in the footage, so nothing can stand out in it.")
        count = min(DIRECTIONS, known.shape[1], len(parts[0]))
        solver = "full" if count == min(parts[0].shape) else "randomized"
        found = PCA(count, svd_solver=solver, random_state=seed).fit(parts[0]).components_
        axes = np.asarray(found, np.float32).T
        return cls(known @ axes, axes)

    @property
    def width(self) -> int:
        """D."""
        return len(self.axes)

    def distances(self, tokens: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the distance (m,) of tokens (m, D) to the nearest kept one."""
        found = []
        # |t - b|^2 = |t|^2 + (t, 1) (-2 b, |b|^2): one product, and nothing else to do for each pair.
        pairs = np.concatenate([-2 * self.bank, np.einsum("ij,ij->i", self.bank, self.bank)[:, None]], axis=1).T
        for start in range(0, len(tokens), _AT_ONCE):
            seen = np.asarray(tokens[start : start + _AT_ONCE], np.float32) @ self.axes
            nearest = (np.append(seen, np.ones((len(seen), 1), np.float32), axis=1) @ pairs).min(axis=1)
            found.append(np.sqrt(np.maximum(nearest + np.einsum("ij,ij->i", seen, seen), 0)))
        return np.concatenate(found)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return bank and axes."""
        return {"bank": self.bank, "axes": self.axes}
