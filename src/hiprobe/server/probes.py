"""The probes that a project knows: those that are given, and the versions that refits made of them."""

from __future__ import annotations

import logging
import math
from functools import lru_cache
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hiprobe.backbones import Backbone
from hiprobe.errors import NotFoundError, ProbeError, UsageError
from hiprobe.probes import DEFAULT_STARTER, starter_probes
from hiprobe.probing import Probe, read_probe
from hiprobe.server.database import Database
from hiprobe.server.records import LayerSaliency, ProbeRecord, now
from hiprobe.server.tables import CalibrationRow, ProbeRow

_log = logging.getLogger(__name__)

_STARTER = "starter:"
"""Before the name of a starter probe, in place of a path; the path of others is relative to the project's folder."""

_CURVES = ("combined", "d_kl", "ldr", "entropy", "silhouette", "cv_auc", "stability")


class Probes:
    """Lists, reads and chooses probes.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the project: its ``*.probe`` files are given, beside the starter probes.
    backbone : Backbone
    """

    def __init__(self, database: Database, folder: Path, backbone: Backbone) -> None:
        self._database, self._folder, self._backbone = database, folder, backbone
        self._starters = {f"{_STARTER}{starter.name}": starter for starter in starter_probes()}
        self._read = lru_cache(maxsize=64)(lambda path, _changed: read_probe(path))

    def find_given(self) -> None:
        """Enter the probes that are given into the database; the default starter probe is current at first."""
        given = [(starter.name, kept) for kept, starter in self._starters.items()]
        given += [(path.stem, path.name) for path in sorted(self._folder.glob("*.probe"))]
        with self._database.writing() as session:
            for name, kept in given:
                if session.scalar(select(ProbeRow.id).where(ProbeRow.path == kept)) is None:
                    session.add(
                        ProbeRow(name=_free_name(session, name), version=0, path=kept, state="given", created=now())
                    )
                    session.flush()

    def list(self) -> tuple[ProbeRecord, ...]:
        """Return the probes, by name and version. One whose file is gone or damaged is left out, and logged."""
        records = []
        with self._database.reading() as session:
            for row in session.scalars(select(ProbeRow).order_by(ProbeRow.name, ProbeRow.version)):
                try:
                    records.append(self._record(session, row))
                except ProbeError as error:
                    _log.warning("%s", error)
        return tuple(records)

    def get(self, probe_id: int) -> ProbeRecord:
        """Return a probe. Raises NotFoundError if there is none of this id, or its file cannot be read."""
        with self._database.reading() as session:
            return self._record(session, find_probe(session, probe_id))

    def current(self) -> ProbeRecord:
        """Return the probe that detection uses. Raises UsageError if its file cannot be read."""
        with self._database.reading() as session:
            return self._record(session, current_row(session))

    def load(self, probe_id: int) -> Probe:
        """Read a probe. Raises NotFoundError if there is none of this id, or its file cannot be read."""
        with self._database.reading() as session:
            return self._load(find_probe(session, probe_id))

    def choose(self, probe_id: int) -> ProbeRecord:
        """Make a probe the current one.

        Raises
        ------
        UsageError
            If there is none of this id, it is for another backbone, or it is a refit that was not kept.
        """
        record = self.get(probe_id)
        if not record.fits:
            raise UsageError(f"{record.name}: is a probe of another backbone than the server's; choose another.")
        with self._database.writing() as session:
            row = find_probe(session, probe_id)
            if row.state not in ("given", "kept"):
                raise UsageError(f"{row.name} {row.version}: is a version that is {row.state}; keep it first.")
            make_current(session, row)
        return self.get(probe_id)

    def saliency(self, probe_id: int) -> LayerSaliency:
        """Return why a probe reads its layer.

        Raises
        ------
        UsageError
            If there is none of this id, or it was fitted on normal video alone, where layers have no saliency.
        """
        probe = self.load(probe_id)
        if probe.dlsp is None:
            raise UsageError(f"Probe {probe_id}: was fitted on normal video alone, so its layers have no saliency.")
        curves = {
            name: tuple(value if math.isfinite(value) else None for value in getattr(probe.dlsp, name).tolist())
            for name in _CURVES
        }
        return LayerSaliency(probe.dlsp.layers, probe.reading.layer, **curves, notes=tuple(probe.dlsp.notes))

    def _load(self, row: ProbeRow) -> Probe:
        starter = self._starters.get(row.path)
        path = starter.path if starter else self._folder / row.path
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            changed = 0  # reading it says what is wrong
        return self._read(path, changed)

    def _record(self, session: Session, row: ProbeRow) -> ProbeRecord:
        probe = self._load(row)
        starter = self._starters.get(row.path)
        used = session.scalar(select(func.count()).where(CalibrationRow.probe_id == row.id)) or 0
        return ProbeRecord(
            id=row.id,
            name=row.name,
            version=row.version,
            state=row.state,
            current=row.id == current_row(session).id,
            fits=probe.reading.backbone == self._backbone.info.fingerprint,
            base_id=row.base_id,
            before_id=row.before_id,
            summary=starter.summary if starter else probe.card.finds,
            card=starter.card if starter else "",
            layer=probe.reading.layer,
            pooling=probe.reading.pooling,
            threshold=probe.calibrated_threshold,
            n_labels=used,
            auc_before=row.auc_before,
            auc_after=row.auc_after,
            notes=tuple(row.notes.splitlines()),
            created=row.created,
            made=row.made,
        )


def find_probe(session: Session, probe_id: int) -> ProbeRow:
    """Return the row of a probe. Raises NotFoundError if there is none of this id."""
    row = session.get(ProbeRow, probe_id)
    if row is None:
        raise NotFoundError(f"Probe {probe_id}: there is none of this number; list the probes.")
    return row


def current_row(session: Session) -> ProbeRow:
    """Return the row of the current probe: the one that was chosen last, or the default starter probe."""
    default = ProbeRow.name != DEFAULT_STARTER
    row = session.scalar(select(ProbeRow).order_by(ProbeRow.chosen.desc(), default, ProbeRow.id).limit(1))
    if row is None:
        raise UsageError("The project has no probe; put one into its folder.")
    return row


def make_current(session: Session, row: ProbeRow) -> None:
    """Make a probe the current one, in this transaction."""
    row.chosen = (session.scalar(select(func.max(ProbeRow.chosen))) or 0) + 1


def _free_name(session: Session, name: str) -> str:
    taken = set(session.scalars(select(ProbeRow.name)))
    number, free = 2, name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free
