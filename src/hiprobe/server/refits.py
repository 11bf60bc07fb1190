"""Refitting from labels, in seconds: hidden states are kept, so no model runs."""

from __future__ import annotations

from hiprobe.backbones import Backbone
from hiprobe.features import FeatureStore
from hiprobe.server.database import Database
from hiprobe.server.library import Library
from hiprobe.server.probes import Probes
from hiprobe.server.records import Comparison, ProbeRecord


class Refits:
    """Makes versions of the current probe from the labels, to be kept or rolled back."""

    def __init__(
        self, database: Database, library: Library, probes: Probes, backbone: Backbone, store: FeatureStore
    ) -> None:
        self._database, self._library, self._probes = database, library, probes
        self._backbone, self._store = backbone, store

    def refit(self) -> Comparison:
        """Fit a candidate to the labels that hold, and compare it with the current probe."""
        raise NotImplementedError

    def compare(self, probe_id: int) -> Comparison:
        """Compare a refitted probe with the one that was current before it."""
        raise NotImplementedError

    def keep(self, probe_id: int) -> ProbeRecord:
        """Make a candidate the current probe; what was detected is scored anew by it."""
        raise NotImplementedError

    def roll_back(self, probe_id: int) -> ProbeRecord:
        """Drop a candidate, or go back from a kept refit to the probe before it; return the current probe."""
        raise NotImplementedError
