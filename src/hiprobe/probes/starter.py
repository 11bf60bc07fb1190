"""What comes with the package: ``NAME.probe`` in this folder, and its card ``NAME.md``.

A card is Markdown under a head of ``key: value`` lines between two lines of ``---``, which the listing reads.
Both files are written by ``benchmarks/starter_probes.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hiprobe.errors import ProbeError
from hiprobe.probing import LogisticProbe, Probe, read_probe

FOLDER = Path(__file__).parent

DEFAULT_STARTER = "fight"
"""The starter probe that ``hiprobe detect`` uses where none is named."""


@dataclass(frozen=True)
class StarterProbe:
    """A probe that comes with the package.

    Attributes
    ----------
    name : str
    path : Path
        Of the probe file.
    summary : str
        What it finds, in a line.
    auc : float
        Cross-validated by group on the data that it was fitted on, so it flatters.
    auc_of : str
        What the AUC ranks: ``clips`` or ``frames``.
    false_alarms_per_hour : float
        On normal clips, each scored by a probe and threshold that were fitted without its group.
    card : str
        Markdown: data, protocol, figures, intended use, limits.
    """

    name: str
    path: Path
    summary: str
    auc: float
    auc_of: str
    false_alarms_per_hour: float
    card: str


def starter_probes() -> tuple[StarterProbe, ...]:
    """Return the starter probes, by name.

    Raises
    ------
    ProbeError
        If the card of one is missing or damaged.
    """
    return tuple(_with_card(path) for path in _paths().values())


def find_starter(name: str) -> StarterProbe:
    """Return the starter probe of a name.

    Raises
    ------
    ProbeError
        If there is none, or its card is missing or damaged.
    """
    return _with_card(_path(name))


def load_starter(name: str) -> LogisticProbe:
    """Read the starter probe of a name.

    Raises
    ------
    ProbeError
        If there is none, or its file is damaged.
    """
    return LogisticProbe.load(_path(name))


def load_probe(given: str | Path) -> Probe:
    """Read the probe that is given by its path or, where no file has that path, by a starter probe's name.

    Raises
    ------
    ProbeError
        If it is neither, or what it is cannot be read.
    """
    if str(given) in _paths() and not Path(given).is_file():
        return load_starter(str(given))
    try:
        return read_probe(given)
    except ProbeError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise ProbeError(
            f"{given}: is neither a probe file nor a starter probe's name ({_names()}); correct it, or make a probe "
            "with `hiprobe fit`."
        ) from error


def _paths() -> dict[str, Path]:
    return {path.stem: path for path in sorted(FOLDER.glob("*.probe"))}


def _path(name: str) -> Path:
    try:
        return _paths()[name]
    except KeyError as error:
        raise ProbeError(
            f"There is no starter probe {name!r} ({_names()}); name one that there is, or the file of a probe that "
            "`hiprobe fit` made."
        ) from error


def _names() -> str:
    names = ", ".join(_paths())
    return f"there are: {names}" if names else "none is installed"


def _with_card(path: Path) -> StarterProbe:
    card = path.with_suffix(".md")
    try:
        before, head, body = card.read_text(encoding="utf-8").split("---\n", 2)
        if before:
            raise ValueError(f"it begins with {before.splitlines()[0]!r}")
        facts = dict(line.split(": ", 1) for line in head.splitlines())
        return StarterProbe(
            name=path.stem,
            path=path,
            summary=facts["summary"],
            auc=float(facts["auc"]),
            auc_of=facts["auc_of"],
            false_alarms_per_hour=float(facts["false_alarms_per_hour"]),
            card=body.lstrip(),
        )
    except OSError as error:
        raise ProbeError(f"{card}: the card cannot be read ({error.strerror}); install hiprobe again.") from error
    except (KeyError, ValueError) as error:
        raise ProbeError(f"{card}: the head of the card is damaged ({error}); install hiprobe again.") from error
