"""A small calibration set drawn from many labelled videos."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from hiprobe.datasets.labels import NORMAL, LabelledVideo
from hiprobe.datasets.manifest import Manifest
from hiprobe.errors import UsageError

_FEWEST = 2
"""Videos, and groups, of each class that are kept at least: cross-validation needs two groups of both."""


def sample_calibration(manifest: Manifest, share: float = 0.01, seed: int = 0) -> Manifest:
    """Draw a share of the videos for calibration; they keep their order.

    What is promised, in this order:

    1. A group is kept whole or left out whole, so that what is kept shares no source with the rest. Where a manifest
       has one group only, its videos are drawn one by one.
    2. Of normal and of abnormal videos, two groups are kept at least, as far as there are as many: `fit` needs them.
    3. Of each of the two classes, and of each kind of anomaly, the given share is kept, rounded. Kinds too rare for
       the share are left out, the rarest first.

    With groups of one video, the third holds to the video. Large groups make the share coarse: the smallest of them are
    taken, and where even those are large, what is kept is far more than the share. Look at the number.

    Parameters
    ----------
    manifest : Manifest
        The labelled videos.
    share : float
        The share of the videos to keep, above 0 and at most 1.
    seed : int
        What chance depends on; the same seed draws the same videos.

    Raises
    ------
    UsageError
        If the share or the seed is out of range.
    """
    if not (math.isfinite(share) and 0 < share <= 1):
        raise UsageError(f"--share {share:g}: give a number above 0 and at most 1, such as 0.01 for 1%.")
    if seed < 0:
        raise UsageError(f"--seed {seed}: give a whole number of at least 0.")
    rng = np.random.default_rng(seed)
    videos = manifest.videos
    members: dict[str, list[int]] = defaultdict(list)
    one_group = len(manifest.groups) == 1
    for index, video in enumerate(videos):
        members[str(index) if one_group else video.group].append(index)
    names = list(members)
    shuffled = [names[index] for index in rng.permutation(len(names))]
    sizes = {name: Counter(videos[index].label for index in members[name]) for name in shuffled}
    draw = _Draw(sizes, _targets(videos, share, rng))
    draw.fill()
    kept = sorted(index for name in draw.kept for index in members[name])
    return Manifest(manifest.source, tuple(videos[index] for index in kept))


class _Draw:
    """Groups taken one after another, each time one that brings the counts nearest to their targets.

    Parameters
    ----------
    sizes : dict
        How many videos of each label a group holds, the groups in random order.
    targets : Counter
        How many videos of each label are wanted.
    """

    def __init__(self, sizes: dict[str, Counter[str]], targets: Counter[str]) -> None:
        self._left = dict(sizes)
        self._wanted = targets
        self._n_groups: Counter[bool] = Counter()
        self.kept: list[str] = []

    def fill(self) -> None:
        """Take groups until the targets are met as nearly as whole groups allow, and the fewest are kept."""
        pending = sorted(self._wanted)
        while pending:
            label = max(pending, key=lambda name: self._wanted[name])
            group = self._best(label) if self._wanted[label] else None
            # A label is done with when it has enough, or when each of its groups would overshoot more than it mends.
            if group is None or 2 * self._excess(group) > self._left[group].total():
                pending.remove(label)
            else:
                self._take(group)
        for normal in (True, False):
            while self._n_groups[normal] < _FEWEST and (group := self._smallest(normal)) is not None:
                self._take(group)

    def _take(self, group: str) -> None:
        size = self._left.pop(group)
        self.kept.append(group)
        self._wanted = self._wanted - size
        self._n_groups.update(normal for normal in (True, False) if _holds(size, normal))

    def _best(self, label: str) -> str | None:
        best, least = None, math.inf
        for name, size in self._left.items():
            if size[label] and (excess := self._excess(name)) < least:
                best, least = name, excess
                if not excess:
                    break
        return best

    def _excess(self, group: str) -> int:
        """How many videos of a group are more than is wanted."""
        return (self._left[group] - self._wanted).total()

    def _smallest(self, normal: bool) -> str | None:
        fitting = [name for name, size in self._left.items() if _holds(size, normal)]
        return min(fitting, key=lambda name: self._left[name].total(), default=None)


def _holds(labels: Counter[str], normal: bool) -> bool:
    return any((label == NORMAL) == normal for label, count in labels.items() if count)


def _targets(videos: Sequence[LabelledVideo], share: float, rng: np.random.Generator) -> Counter[str]:
    """Return how many videos of each label to keep: the share of each class, spread over kinds by largest remainder."""
    counts = Counter(video.label for video in videos)
    kinds = sorted(label for label in counts if label != NORMAL)
    # Kinds of equal remainder take turns by chance, not by name.
    kinds = [kinds[index] for index in rng.permutation(len(kinds))]
    targets: Counter[str] = Counter()
    for labels in ([NORMAL], kinds):
        total = sum(counts[label] for label in labels)
        wanted = min(total, max(round(share * total), _FEWEST))
        exact = {label: wanted * counts[label] / total for label in labels if counts[label]}
        parts = {label: math.floor(value) for label, value in exact.items()}
        by_remainder = sorted(exact, key=lambda label: parts[label] - exact[label])
        for label in by_remainder[: wanted - sum(parts.values())]:
            parts[label] += 1
        targets.update(parts)
    return +targets
