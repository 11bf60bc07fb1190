"""From a checkpoint's folder to a model in memory, complete or cut to its first decoder blocks."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageTextToText,
    BitsAndBytesConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from hiprobe.backbones.checkpoint import read_config
from hiprobe.backbones.options import LoadOptions
from hiprobe.backbones.refusing import check_code, check_quantised, why
from hiprobe.errors import BackboneError, UsageError


def load_config(folder: Path, options: LoadOptions) -> Any:
    """Return a checkpoint's configuration.

    Raises
    ------
    BackboneError
        If transformers does not know the architecture, or it is no language model that takes images.
    """
    raw = read_config(folder)
    check_code(folder, raw, options.trust_remote_code)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=options.trust_remote_code)
    except StrictDataclassError as error:
        raise BackboneError(
            f"{folder}: config.json does not pass the checks of transformers {transformers.__version__} "
            f"({' '.join(str(error).split())}); correct what is named, or take the checkpoint's newest revision."
        ) from error
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise BackboneError(
            f"{folder}: transformers {transformers.__version__} cannot read its configuration ({reason}); update "
            "transformers, or correct config.json if it was changed by hand."
        ) from error
    known = AutoModelForImageTextToText._model_mapping
    if type(config) not in known and "AutoModelForImageTextToText" not in (getattr(config, "auto_map", None) or {}):
        raise BackboneError(
            f"{folder}: {config.model_type!r} is no model that transformers loads with AutoModelForImageTextToText; "
            "take a multimodal LLM in Hugging Face format (of InternVL, the checkpoints whose names end in -hf)."
        )
    check_quantised(folder, config, options)
    return config


def load_model(folder: Path, options: LoadOptions, depth: int | None = None) -> PreTrainedModel:
    """Load a checkpoint's model; with ``depth``, only its first decoder blocks, without LM head.

    Raises
    ------
    UsageError
        If an option needs a device or package that is not there.
    BackboneError
        If the weights do not fit, or the memory does not suffice.
    """
    config = load_config(folder, options)
    kwargs = _placing(options) | {
        "dtype": dtype_of(options),
        "local_files_only": True,
        "use_safetensors": True,
        "trust_remote_code": options.trust_remote_code,
    }
    loader: Any = AutoModelForImageTextToText
    if depth is not None:
        cut_config(config, depth)
        loader = AutoModel
    try:
        with quiet():
            model, problems = loader.from_pretrained(folder, config=config, output_loading_info=True, **kwargs)
    except torch.OutOfMemoryError as error:
        raise BackboneError(
            f"{folder}: does not fit into the memory of the device; try --quantize 4bit, --device-map auto or a "
            "smaller checkpoint (`hiprobe models` says how much each needs)."
        ) from error
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, AttributeError) as error:
        cure = "install what it names" if isinstance(error, ImportError) else "fetch the checkpoint again"
        raise BackboneError(f"{folder}: the model cannot be loaded ({why(error)}); {cure}.") from error
    missing = sorted(problems["missing_keys"])
    if depth is not None:
        if missing:
            # What is tied may lie in the file under the name of the head, which a part does not have.
            model, missing = _cut(load_model(folder, options), depth), []
        model.get_decoder().norm = nn.Identity()  # never runs: the deepest state is read before it
    if missing:
        raise BackboneError(
            f"{folder}: lacks {len(missing)} weights, {missing[0]} among them, which would stay random; the checkpoint "
            "does not fit this release of transformers, or is damaged."
        )
    return placed_model(model, options)


def _cut(whole: Any, depth: int) -> Any:
    """Return the part of a complete model that :func:`load_model` gives of a depth."""
    model = whole.base_model
    cut_config(model.config, depth)
    decoder = model.get_decoder()
    decoder.layers = decoder.layers[:depth]
    return model


def check_placing(options: LoadOptions) -> torch.device:
    """Return the device that a model will start on. Raises UsageError if an option needs what is not there."""
    _placing(options)
    return device_of(options)


def cut_config(config: Any, depth: int) -> None:
    """Change a configuration to the first ``depth`` decoder blocks."""
    text = config.get_text_config(decoder=True)
    every = text.num_hidden_layers
    text.num_hidden_layers = depth
    # Lists with an entry a block (layer_types, for instance) are checked against the number of blocks.
    for name, value in vars(text).items():
        if isinstance(value, list) and len(value) == every:
            setattr(text, name, value[:depth])


def dtype_of(options: LoadOptions) -> torch.dtype:
    """Return the type that weights are loaded in."""
    if options.dtype != "auto":
        return getattr(torch, options.dtype)
    on_gpu = torch.cuda.is_available() and not (options.device or "").startswith("cpu")
    return torch.bfloat16 if on_gpu else torch.float32


def device_of(options: LoadOptions) -> torch.device:
    """Return the device that a model will start on. Raises UsageError if there is none of that name."""
    gpu = torch.cuda.is_available()
    name = options.device or ("cuda" if gpu else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name!r}: give cpu, cuda, cuda:1 and so on.") from error
    if device.type == "cuda" and not gpu:
        raise UsageError(f"--device {name!r}: torch sees no GPU here; leave it out to use the CPU.")
    return device


def _placing(options: LoadOptions) -> dict[str, Any]:
    """Return what of the placing happens while weights are loaded."""
    device = device_of(options)
    placing: dict[str, Any] = {}
    if options.quantize is not None:
        if device.type != "cuda":
            raise UsageError(
                f"--quantize {options.quantize}: bitsandbytes needs a GPU, and none is used here; leave it out."
            )
        _need("bitsandbytes", f"--quantize {options.quantize}")
        _need("accelerate", f"--quantize {options.quantize}")
        placing["quantization_config"] = BitsAndBytesConfig(
            load_in_8bit=options.quantize == "8bit",
            load_in_4bit=options.quantize == "4bit",
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    if options.device_map is not None:
        _need("accelerate", f"--device-map {options.device_map}")
        return placing | {"device_map": options.device_map}
    # With accelerate, weights go to a GPU one by one; without it, through the main memory.
    if device.type == "cuda" and importlib.util.find_spec("accelerate") is not None:
        placing["device_map"] = str(device)
    return placing


def placed_model(model: Any, options: LoadOptions) -> Any:
    """Move a model to its device, unless it was loaded there."""
    if getattr(model, "hf_device_map", None) or options.quantize is not None:
        return model
    device = device_of(options)
    try:
        return model.to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"--device {str(device)!r}: cannot be used ({error}); leave it out to use the CPU.") from error


def _need(package: str, option: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise UsageError(f"{option}: needs {package}; run `pip install 'hiprobe[gpu]'`.")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from printing what this module checks by itself."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()
