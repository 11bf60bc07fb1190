"""Checkpoints that cannot be used: told before anything of them is loaded, and before any code of theirs runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto import image_processing_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.quantizers.auto import AutoHfQuantizer

from hiprobe.backbones.catalogue import has_torchvision
from hiprobe.backbones.options import LoadOptions
from hiprobe.errors import BackboneError, UsageError

_OTHER_FORMATS = {"internvl_chat": "OpenGVLab/InternVL3-8B-hf"}
"""Formats of their makers' own, by model_type, and a checkpoint of the same family in Hugging Face format."""

_LONGEST = 200
"""Characters of an error of transformers that are told."""

_LOADER = "AutoModelForImageTextToText"


def check_code(folder: Path, raw: dict[str, Any], trusted: bool) -> None:
    """Raise BackboneError if a checkpoint needs code of its own that is not trusted, or that would not help.

    Parameters
    ----------
    folder : Path
        The checkpoint.
    raw : dict
        Its ``config.json``.
    trusted : bool
        Whether such code may run.
    """
    kind = raw["model_type"]
    if other := _OTHER_FORMATS.get(kind):
        raise BackboneError(
            f"{folder}: {kind!r} is its makers' own format, which HiProbe does not read, with its code or without; "
            f"take a checkpoint in Hugging Face format, such as {other} (of InternVL, those whose names end in -hf)."
        )
    if "auto_map" not in raw or kind in CONFIG_MAPPING:
        return
    if _LOADER not in (raw["auto_map"] or {}):
        raise BackboneError(
            f"{folder}: transformers does not know {kind!r}, and the code that comes with it brings no {_LOADER}, so "
            "that it would not help either; take a checkpoint in Hugging Face format, or update transformers."
        )
    if not trusted:
        raise BackboneError(
            f"{folder}: {kind!r} runs only with code that it brings; take a checkpoint in Hugging Face format, or, if "
            "you trust that code, try --trust-remote-code."
        )


def quantisation(config: Any) -> Any:
    """Return how a checkpoint's weights are quantised already, as its configuration says it; None if they are not."""
    return getattr(config, "quantization_config", None) or getattr(
        config.get_text_config(decoder=True), "quantization_config", None
    )


def check_quantised(folder: Path, config: Any, options: LoadOptions) -> None:
    """Refuse weights that are quantised in a way that cannot be run here.

    Raises
    ------
    UsageError
        If they are to be quantised once more.
    BackboneError
        If a package or device for them is missing.
    """
    settings = quantisation(config)
    if settings is None:
        return
    said = settings if isinstance(settings, dict) else settings.to_dict()
    method = str(said.get("quant_method") or ("bitsandbytes" if said.get("load_in_4bit") else "an unnamed method"))
    if options.quantize is not None:
        raise UsageError(f"{folder}: its weights are quantised already ({method}); leave --quantize out.")
    try:
        if not AutoHfQuantizer.supports_quant_method(said):
            raise ValueError(f"transformers does not know {method}")
        quantizer = AutoHfQuantizer.from_config(said, pre_quantized=True)
        quantizer.validate_environment(device_map=options.device_map, weights_only=True)
    # Each method's class raises what it likes: of missing packages, of devices, of settings.
    except Exception as error:
        reason = next((line.strip(" .") for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise BackboneError(
            f"{folder}: its weights are quantised already ({method}), which cannot be run here ({reason}); install "
            "what is missing, or take the checkpoint that is not quantised (on a GPU, with --quantize 4bit)."
        ) from error


def unknown_processor(folder: Path, config: Any) -> str | None:
    """Say which image processor a checkpoint names that transformers does not have; None if it has it."""
    for file in ("preprocessor_config.json", "processor_config.json"):
        try:
            said = json.loads((folder / file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        kind = said.get("image_processor_type") or (said.get("image_processor") or {}).get("image_processor_type")
        names = {kind, f"{kind}".removesuffix("Fast")} if kind else set()
        if not kind or any(hasattr(transformers, name) for name in names) or "auto_map" in said:
            continue
        own = getattr(image_processing_auto, "IMAGE_PROCESSOR_MAPPING_NAMES", {}).get(config.model_type) or ()
        fitting = next((name for name in (own.values() if isinstance(own, dict) else own) if name), None)
        cure = f"write {fitting!r} there, which goes with {config.model_type!r}, or " if fitting else ""
        return (
            f"{folder / file}: names the image processor {kind!r}, which transformers {transformers.__version__} does "
            f"not have; {cure}take the checkpoint's newest revision."
        )
    return None


def why(error: Exception) -> str:
    """Return the first line of an error, and the remedy where torchvision is missing."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."  # some list all that there is
    if not has_torchvision() and "torchvision" in str(error).lower():
        return f"{text.partition('. ')[0]}: install torchvision in the build that fits torch"
    return text
