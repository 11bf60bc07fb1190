"""The identity of a checkpoint: what a probe is valid for.

What enters the model is in it: the ids of a prompt, and how pixels are normalised, as the processors resolve both. The
text of the files that say so is not, since it changes from release to release without any change of meaning.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from hiprobe.errors import BackboneError

_VOLATILE = ("dtype", "transformers_version", "_name_or_path", "architectures", "use_cache", "attn_implementation")
"""Parts of the names of settings that do not change what a model computes, rounding aside."""

NORMALISING = ("image_mean", "image_std", "rescale_factor", "do_rescale", "do_normalize")

_SAMPLED = 16
"""Values that are read of a row of a tensor; the first, the middle and the last row are."""


@dataclass(frozen=True)
class Fingerprints:
    """Of one checkpoint: 64 hexadecimal digits, and those that HiProbe 0.1 gave it here."""

    now: str
    former: str


def checkpoint_fingerprints(folder: Path, identity: dict[str, Any], former: dict[str, Any]) -> Fingerprints:
    """Return 64 hexadecimal digits over a checkpoint's settings, a sample of its weights, and how it is read.

    The weights are sampled in the files, a few rows of every tensor, so that the cost does not grow with the size of
    the model and the result depends neither on the dtype and device that it is loaded with, nor on how deep.

    Parameters
    ----------
    folder : Path
        The checkpoint: ``config.json`` and safetensors files.
    identity : dict
        What else decides the hidden states, as JSON would hold it: the way frames enter, their size, the prompt's ids,
        how pixels are normalised.
    former : dict
        What HiProbe 0.1 took for it: the template's text among it. The texts of the tokenizer's and the image
        processor's files were added.

    Raises
    ------
    BackboneError
        If a file cannot be read.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        digest = _digest([_lasting(config), identity])
        earlier = _digest([_lasting(config), _pixels(folder), former])
        tokenizer = folder / "tokenizer.json"
        if tokenizer.is_file():
            earlier.update(hashlib.sha256(tokenizer.read_bytes()).digest())
        samples: dict[str, bytes] = {}
        # Sharded in another way, it is still the same model: sorted by tensor, not by file.
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                samples |= {name: _sample(file.get_slice(name)) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, ValueError, SafetensorError) as error:
        raise BackboneError(f"{folder}: the checkpoint cannot be read ({error}); fetch it again.") from error
    for name in sorted(samples):
        for each in (digest, earlier):
            each.update(name.encode() + samples[name])
    return Fingerprints(digest.hexdigest(), earlier.hexdigest())


def _digest(said: Any) -> Any:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode())


def _pixels(folder: Path) -> dict[str, Any]:
    """Return how pixels are normalised, as far as the one file says that HiProbe 0.1 read."""
    path = folder / "preprocessor_config.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: said[name] for name in NORMALISING if name in said}


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
