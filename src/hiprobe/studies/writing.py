"""The files that the result of a study becomes."""

from __future__ import annotations

from pathlib import Path

from hiprobe.files import atomic_path, write_text
from hiprobe.studies.result import StudyResult, study_json, study_markdown


def write_study(result: StudyResult, folder: Path) -> list[Path]:
    """Write ``STUDY-NAME.json``, ``.md`` and ``.svg``, each atomically; return their paths. Raises OutputError."""
    from hiprobe.studies.figures import draw  # matplotlib takes a second to import

    stem = folder / result.stem
    paths = [stem.with_name(stem.name + suffix) for suffix in (".json", ".md", ".svg")]
    write_text(paths[0], study_json(result))
    write_text(paths[1], study_markdown(result))
    with atomic_path(paths[2]) as temporary:
        draw(result.plots, temporary)
    return paths
