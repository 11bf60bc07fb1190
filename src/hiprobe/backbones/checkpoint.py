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
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
_TEMPLATE = "a chat template"
_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]


def find_checkpoint(
    name: str, options: LoadOptions, report: Callable[[str], None] = lambda _: None, complete: bool = False
) -> Path:
    """Return the folder of a checkpoint, fetching from the hub what of an ID is not on this machine.

    Only safetensors weights, configuration and tokenizer are fetched; Python files too if remote code is trusted.

    Parameters
    ----------
    name : str
        A folder, or an ID such as ``OpenGVLab/InternVL3-8B-hf``.
    options : LoadOptions
        Its revision, whether the network may be asked, and whether remote code is trusted.
    report : callable
        Told in a sentence what takes time.
    complete : bool
        Ask the hub, if it may be asked, whether what is here is all. Without, it is asked only if a file is missing
        that every checkpoint needs: others may have filled the cache with weights alone.

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

    snapshot = partial(snapshot_download, name, allow_patterns=[*_FILES, *(["*.py"] * options.trust_remote_code)])
    here, missing = None, "all of it"
    try:
        here = Path(snapshot(revision=options.revision, local_files_only=True))
        missing = _missing(_checked(here, options))
    except (OSError, ValueError, BackboneError) as error:
        missing = missing if here is None else _first_line(error)
        if options.offline:
            raise _not_here(name, missing) from error
    if here is not None and (options.offline or (missing is None and not complete)):
        if options.offline and missing not in (None, _TEMPLATE):
            raise _not_here(name, missing)
        return here
    if missing is not None:
        report(f"fetching {name}; it is kept in the hub's cache" + ("" if here is None else f" (missing: {missing})"))
    # What is there is completed, not replaced by what the hub has now.
    revision = here.name if here is not None and _COMMIT.fullmatch(here.name) else options.revision
    try:
        found = _checked(Path(snapshot(revision=revision)), options)
    except BackboneError:  # fetched, but not what is wanted
        raise
    # The hub's client raises errors of its own, of httpx and of the system, and new ones with each release.
    except Exception as error:
        if here is not None and missing is None:
            report(f"{name}: the hub cannot be asked ({_first_line(error)}); what is on this machine is used")
            return here
        raise BackboneError(
            f"{name}: cannot be fetched ({_first_line(error)}); check the ID, the network and, where the model is "
            "gated, `hf auth login`."
        ) from error
    # Where it is not reached, the hub's client may give what is here.
    if (missing := _missing(found)) not in (None, _TEMPLATE) and not options.trust_remote_code:
        raise BackboneError(
            f"{name}: {missing} is missing, and the hub gave none; check the network, or take a multimodal checkpoint "
            "in Hugging Face format."
        )
    return found


def _not_here(name: str, missing: str | None) -> BackboneError:
    return BackboneError(
        f"{name}: not, or not wholly, on this machine (missing: {missing}), and offline mode forbids fetching it; run "
        f"`hiprobe models pull {name}` with a network."
    )


def _missing(folder: Path) -> str | None:
    """Return what of a checkpoint beside its weights is not there; None if nothing is that every one needs."""

    def said(file: str, key: str) -> bool:
        try:
            return key in json.loads((folder / file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False

    if not (folder / "preprocessor_config.json").is_file() and not said("processor_config.json", "image_processor"):
        return "preprocessor_config.json"
    if not any((folder / file).is_file() for file in _TOKENIZERS):
        return "its tokenizer"
    templates = any((folder / f"chat_template.{kind}").is_file() for kind in ("jinja", "json"))
    if not templates and not any(said(f"{part}_config.json", "chat_template") for part in ("tokenizer", "processor")):
        return _TEMPLATE
    return None


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
