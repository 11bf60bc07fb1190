"""The paper's experiments, and those that it leaves open, each a function that returns tables and plots.

::

    reader = Reader(hp.load_backbone(), hp.FeatureStore(folder))
    (result,) = run_study("layers", [hp.load_manifest("labels.csv")], reader)
    write_study(result, Path("studies"))                # JSON, Markdown, SVG
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hiprobe.errors import UsageError
from hiprobe.studies.names import STUDY_NAMES
from hiprobe.studies.result import StudyResult, Table, write_study

if TYPE_CHECKING:
    from hiprobe.datasets import Manifest
    from hiprobe.studies.corpus import Corpus, Reader
    from hiprobe.studies.protocol import StudySettings

__all__ = ["STUDY_NAMES", "StudyResult", "Table", "run_study", "write_study"]


@dataclass(frozen=True)
class _Study:
    """How a study is called: with corpora one by one or all together, or with manifests that it reads itself."""

    on_corpus: Callable[[Corpus, Reader, StudySettings], StudyResult] | None = None
    on_corpora: Callable[[Sequence[Corpus], Reader, StudySettings], StudyResult] | None = None
    on_manifest: Callable[[Manifest, Reader, StudySettings], StudyResult] | None = None


def run_study(
    name: str, manifests: Sequence[Manifest], reader: Reader, settings: StudySettings | None = None
) -> list[StudyResult]:
    """Run a study on labelled videos.

    Parameters
    ----------
    name : str
        One of ``STUDY_NAMES``.
    manifests : sequence of Manifest
        Each is studied by itself, but for ``transfer``, which needs two or more.
    reader : Reader
        How videos are read.
    settings : StudySettings, optional
        Seed, repeats, resamples.

    Returns
    -------
    list of StudyResult
        One a manifest; of ``transfer`` one.

    Raises
    ------
    UsageError
        If there is no such study, or the videos do not serve it.
    CalibrationError
        If a class is in fewer than two groups.
    FailedVideosError
        If a video cannot be read.
    """
    from hiprobe.studies.protocol import StudySettings

    if name not in STUDY_NAMES:
        raise UsageError(f"There is no study {name!r}; choose one of {', '.join(STUDY_NAMES)}.")
    if not manifests:
        raise UsageError("A study needs labelled videos; give a manifest.")
    names = [manifest.source.stem for manifest in manifests]
    if len(set(names)) < len(names):
        raise UsageError(
            f"Two of the manifests {', '.join(names)} share a name, and so would their results; rename one."
        )
    study, rule = _studies()[name], settings or StudySettings()
    if study.on_manifest:
        found = [study.on_manifest(manifest, reader, rule) for manifest in manifests]
    elif study.on_corpus:
        found = [study.on_corpus(reader.read(manifest), reader, rule) for manifest in manifests]
    else:
        assert study.on_corpora is not None
        found = [study.on_corpora([reader.read(manifest) for manifest in manifests], reader, rule)]
    info = reader.backbone.info
    common = {"backbone": info.name, "fingerprint": info.fingerprint, "seed": rule.seed, "repeats": rule.repeats}
    return [replace(result, settings={**common, "draws": rule.draws}) for result in found]


def _studies() -> dict[str, _Study]:
    # scikit-learn takes seconds to import: not before a study is wanted.
    from hiprobe.studies.calibration import calibration_size
    from hiprobe.studies.dlsp import choice_of_layer
    from hiprobe.studies.fusion import fusion
    from hiprobe.studies.kinds import kinds
    from hiprobe.studies.layers import layers
    from hiprobe.studies.localization import localization
    from hiprobe.studies.pooling import pooling
    from hiprobe.studies.prompts import prompts
    from hiprobe.studies.sampling import sampling
    from hiprobe.studies.scorers import scorers
    from hiprobe.studies.transfer import transfer

    return {
        "layers": _Study(on_corpus=layers),
        "dlsp": _Study(on_corpus=choice_of_layer),
        "transfer": _Study(on_corpora=transfer),
        "calibration": _Study(on_corpus=calibration_size),
        "prompts": _Study(on_manifest=prompts),
        "sampling": _Study(on_manifest=sampling),
        "scorers": _Study(on_corpus=scorers),
        "localize": _Study(on_corpus=localization),
        "pooling": _Study(on_manifest=pooling),
        "fusion": _Study(on_corpus=fusion),
        "kinds": _Study(on_corpus=kinds),
    }
