"""Checkpoints on disk: a folder that the user names, or one fetched from the hub into its cache."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hiprobe.backbones.options import LoadOptions
from hiprobe.errors import BackboneError, UsageError

_ID = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]


def find_checkpoint(name: str, options: LoadOptions, report: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder of a checkpoint, fetching it from the hub if it is an ID that is not on this machine.

    Only safetensors weights, configuration and tokenizer are fetched; Python files too if remote code is trusted.

    Parameters
    ----------
    name : str
        A folder, or an ID such as ``OpenGVLab/InternVL3-8B-hf``.
    options : LoadOptions
        Its revision, whether the network may be asked, and whether remote code is trusted.
    report : callable
        Told in a sentence what takes time.

    Raises
    ------
    UsageError
        If it is neither a folder nor an ID, or a revision is asked of a folder.
    BackboneError
        If it cannot be fetched, or holds no safetensors weights.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if options.revision is not None:
            raise UsageError(f"{folder}: a folder has no revision {options.revision!r}; leave --revision out.")
        return _checked(folder, options)
    if not _ID.fullmatch(name):
        raise UsageError(
            f"There is no backbone {name!r}: give 'embedded', a folder, or an ID such as OpenGVLab/InternVL3-8B-hf; "
            "`hiprobe models` lists some."
        )
    from huggingface_hub import snapshot_download

    patterns = [*_FILES, "*.py"] if options.trust_remote_code else _FILES
    snapshot = partial(snapshot_download, name, revision=options.revision, allow_patterns=patterns)
    try:
        return _checked(Path(snapshot(local_files_only=True)), options)
    except (OSError, ValueError, BackboneError) as error:
        # Half-fetched or not there at all: the same call with the network goes on from where it stopped.
        if options.offline:
            raise BackboneError(
                f"{name}: not, or not wholly, on this machine, and offline mode forbids fetching it; run "
                f"`hiprobe models pull {name}` with a network."
            ) from error
    report(f"fetching {name}; it is kept in the hub's cache")
    try:
        return _checked(Path(snapshot()), options)
    except BackboneError:  # fetched, but not what is wanted
        raise
    # The hub's client raises errors of its own, of httpx and of the system, and new ones with each release.
    except Exception as error:
        raise BackboneError(
            f"{name}: cannot be fetched ({_first_line(error)}); check the ID, the network and, where the model is "
            "gated, `hf auth login`."
        ) from error


def read_config(folder: Path) -> dict:
    """Return what ``config.json`` holds. Raises BackboneError if it cannot be read."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path}: cannot be read ({error}); is this the folder of a checkpoint?") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise BackboneError(f"{path}: names no model_type; HiProbe takes checkpoints in Hugging Face format.")
    return config


def _checked(folder: Path, options: LoadOptions) -> Path:
    config = read_config(folder)
    if options.trust_remote_code and "auto_map" in config and not any(folder.glob("*.py")):
        raise BackboneError(f"{folder}: the code that it is to bring is missing; fetch the checkpoint again.")
    present = {path.name for path in folder.glob("*.safetensors")}
    index = folder / "model.safetensors.index.json"
    wanted = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else set()
    if missing := sorted(wanted - present):
        raise BackboneError(f"{folder}: {missing[0]} is missing; fetch the checkpoint again.")
    if not present:
        other = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
        raise BackboneError(
            f"{folder}: holds no safetensors weights{f' ({other[0]} is pickled)' if other else ''}; HiProbe loads no "
            "others, since a pickled file can run code; take a checkpoint in safetensors format."
        )
    return folder


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
