"""The paper's experiments, and those that it leaves open, each a function that returns tables and plots.

::

    reader = Reader(hp.load_backbone(), hp.FeatureStore(folder))
    (result,) = run_study("layers", [hp.load_manifest("labels.csv")], reader)
    write_study(result, Path("studies"))                # JSON, Markdown, SVG
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hiprobe.errors import UsageError
from hiprobe.studies.names import STUDY_NAMES
from hiprobe.studies.result import StudyResult, Table
from hiprobe.studies.writing import write_study

if TYPE_CHECKING:
    from hiprobe.datasets import Manifest
    from hiprobe.studies.corpus import Corpus, Reader
    from hiprobe.studies.protocol import StudySettings

__all__ = ["STUDY_NAMES", "StudyResult", "Table", "run_study", "write_study"]


@dataclass(frozen=True)
class _Study:
    """How a study is called: with a corpus, a manifest that it reads itself, or all corpora by backbone."""

    on_corpus: Callable[[Corpus, Reader, StudySettings], StudyResult] | None = None
    on_backbones: Callable[[Mapping[str, Sequence[Corpus]], StudySettings], StudyResult] | None = None
    on_manifest: Callable[[Manifest, Reader, StudySettings], StudyResult] | None = None


def run_study(
    name: str,
    manifests: Sequence[Manifest],
    readers: Reader | Sequence[Reader],
    settings: StudySettings | None = None,
) -> Iterator[StudyResult]:
    """Run a study on labelled videos.

    Parameters
    ----------
    name : str
        One of ``STUDY_NAMES``.
    manifests : sequence of Manifest
        Each is studied by itself, but for ``transfer``, which takes all together.
    readers : Reader or sequence of Reader
        How videos are read, with which backbone; ``transfer`` takes several.
    settings : StudySettings, optional
        Seed, repeats, resamples.

    Returns
    -------
    iterator of StudyResult
        One a manifest, as each is done; of ``transfer`` one.

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
    given = list(readers) if isinstance(readers, Sequence) else [readers]
    _check_names("manifests", [manifest.source.stem for manifest in manifests])
    _check_names("backbones", [reader.backbone.info.name for reader in given])
    study = _studies()[name]
    if len(given) > 1 and not study.on_backbones:
        raise UsageError(f"{name} takes one backbone, and got {len(given)}; only transfer compares backbones.")
    return _results(study, manifests, given, settings or StudySettings())


def _results(
    study: _Study, manifests: Sequence[Manifest], readers: Sequence[Reader], rule: StudySettings
) -> Iterator[StudyResult]:
    infos = [reader.backbone.info for reader in readers]
    ran = {
        "backbone": ", ".join(info.name for info in infos),
        "fingerprint": ", ".join(info.fingerprint for info in infos),
        "seed": rule.seed,
        "repeats": rule.repeats,
        "draws": rule.draws,
    }
    if study.on_backbones:
        corpora = {reader.backbone.info.name: [reader.read(manifest) for manifest in manifests] for reader in readers}
        yield replace(study.on_backbones(corpora, rule), settings=ran)
        return
    for manifest in manifests:
        if study.on_manifest:
            result = study.on_manifest(manifest, readers[0], rule)
        else:
            assert study.on_corpus is not None
            result = study.on_corpus(readers[0].read(manifest), readers[0], rule)
        yield replace(result, settings=ran | result.settings)


def _check_names(what: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise UsageError(f"Two of the {what} {', '.join(names)} share a name, and so would their results; rename one.")


def _studies() -> dict[str, _Study]:
    # scikit-learn takes seconds to import: not before a study is wanted.
    from hiprobe.studies.calibration import calibration_size
    from hiprobe.studies.dlsp import choice_of_layer
    from hiprobe.studies.fusion import fusion
    from hiprobe.studies.heads import heads
    from hiprobe.studies.kinds import kinds
    from hiprobe.studies.layers import layers
    from hiprobe.studies.localization import localization
    from hiprobe.studies.pooling import pooling
    from hiprobe.studies.prompts import prompts
    from hiprobe.studies.sampling import sampling
    from hiprobe.studies.scorers import scorers
    from hiprobe.studies.sites import sites
    from hiprobe.studies.transfer import transfer

    return {
        "layers": _Study(on_corpus=layers),
        "dlsp": _Study(on_corpus=choice_of_layer),
        "transfer": _Study(on_backbones=transfer),
        "calibration": _Study(on_corpus=calibration_size),
        "prompts": _Study(on_manifest=prompts),
        "sampling": _Study(on_manifest=sampling),
        "scorers": _Study(on_corpus=scorers),
        "localize": _Study(on_corpus=localization),
        "pooling": _Study(on_manifest=pooling),
        "fusion": _Study(on_corpus=fusion),
        "kinds": _Study(on_corpus=kinds),
        "sites": _Study(on_manifest=sites),
        "heads": _Study(on_manifest=heads),
    }
