"""From a probe file to a probe, whichever sort it is."""

from __future__ import annotations

from pathlib import Path

from hiprobe.probing import logistic_probe, one_class_probe
from hiprobe.probing.logistic_probe import LogisticProbe
from hiprobe.probing.one_class_probe import OneClassProbe
from hiprobe.probing.probe import Probe
from hiprobe.probing.probe_file import read_probe_file, schema_of


def _sort(schema: object) -> str:
    """Return what a schema says of the sort of probe: all but its version."""
    return str(schema).rpartition("/")[0]


_SORTS: dict[str, type[LogisticProbe] | type[OneClassProbe]] = {
    _sort(logistic_probe.SCHEMA): LogisticProbe,
    _sort(one_class_probe.SCHEMA): OneClassProbe,
}


def read_probe(path: Path | str) -> Probe:
    """Read a probe of any sort.

    Raises
    ------
    ProbeError
        If the file is missing, is no probe, was written by a newer HiProbe, or is damaged.
    """
    text, _ = read_probe_file(Path(path))
    # What is no known sort is told as no logistic probe, with what it is instead.
    return _SORTS.get(_sort(schema_of(text)), LogisticProbe).load(path)
