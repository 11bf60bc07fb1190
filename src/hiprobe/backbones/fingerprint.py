"""The identity of a checkpoint: what a probe is valid for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from hiprobe.errors import BackboneError

_VOLATILE = ("dtype", "transformers_version", "_name_or_path", "architectures", "use_cache", "attn_implementation")
"""Parts of the names of settings that do not change what a model computes, rounding aside."""

_NORMALISING = ("image_mean", "image_std", "rescale_factor", "do_rescale", "do_normalize")

_SAMPLED = 16
"""Values that are read of a row of a tensor; the first, the middle and the last row are."""


def checkpoint_fingerprint(folder: Path, identity: dict[str, Any]) -> str:
    """Return 64 hexadecimal digits over a checkpoint's settings, a sample of its weights, and how it is read.

    The weights are sampled in the files, a few rows of every tensor, so that the cost does not grow with the size of
    the model and the result depends neither on the dtype and device that it is loaded with, nor on how deep.

    Parameters
    ----------
    folder : Path
        The checkpoint: ``config.json``, tokenizer, image processor's settings and safetensors files.
    identity : dict
        What else decides the hidden states, as JSON would hold it: the way frames enter, their size, the template.

    Raises
    ------
    BackboneError
        If a file cannot be read.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        digest = hashlib.sha256(json.dumps([_lasting(config), _pixels(folder), identity], sort_keys=True).encode())
        tokenizer = folder / "tokenizer.json"
        if tokenizer.is_file():
            digest.update(hashlib.sha256(tokenizer.read_bytes()).digest())
        samples: dict[str, bytes] = {}
        # Sharded in another way, it is still the same model: sorted by tensor, not by file.
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                samples |= {name: _sample(file.get_slice(name)) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, ValueError, SafetensorError) as error:
        raise BackboneError(f"{folder}: the checkpoint cannot be read ({error}); fetch it again.") from error
    for name in sorted(samples):
        digest.update(name.encode() + samples[name])
    return digest.hexdigest()


def _pixels(folder: Path) -> dict[str, Any]:
    """Return how pixels are normalised, as far as the checkpoint says."""
    path = folder / "preprocessor_config.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: said[name] for name in _NORMALISING if name in said}


def _lasting(config: Any) -> Any:
    """Return a configuration without what changes from release to release or from load to load."""
    if isinstance(config, dict):
        kept = {k: v for k, v in config.items() if not any(part in k for part in _VOLATILE)}
        return {k: _lasting(v) for k, v in kept.items()}
    return [_lasting(item) for item in config] if isinstance(config, list) else config


def _sample(tensor: Any) -> bytes:
    shape = tensor.get_shape()
    parts = [str(shape).encode()]
    if not shape or 0 in shape:
        return parts[0]
    for row in sorted({0, shape[0] // 2, shape[0] - 1}):
        values = tensor[row : row + 1].flatten()[:_SAMPLED]
        parts.append(values.float().numpy().tobytes())
    return b"".join(parts)
