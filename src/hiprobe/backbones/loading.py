"""From a checkpoint's folder to a model in memory, complete or cut to its first decoder blocks."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageTextToText,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from hiprobe.backbones.checkpoint import read_config
from hiprobe.backbones.options import LoadOptions
from hiprobe.errors import BackboneError, UsageError


def load_config(folder: Path, options: LoadOptions) -> Any:
    """Return a checkpoint's configuration.

    Raises
    ------
    BackboneError
        If transformers does not know the architecture, or it is no language model that takes images.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=options.trust_remote_code)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ImportError) as error:
        raw = read_config(folder)
        if "auto_map" in raw and not options.trust_remote_code:
            raise BackboneError(
                f"{folder}: {raw['model_type']!r} runs only with code that it brings; take a checkpoint in Hugging "
                "Face format (of InternVL, those whose names end in -hf), or, if you trust that code, try "
                "--trust-remote-code."
            ) from error
        reason = str(error).partition("\n")[0]
        raise BackboneError(
            f"{folder}: transformers cannot read its configuration ({reason}); update transformers."
        ) from error
    known = AutoModelForImageTextToText._model_mapping
    if type(config) not in known and "AutoModelForImageTextToText" not in (getattr(config, "auto_map", None) or {}):
        raise BackboneError(
            f"{folder}: {config.model_type!r} is no model that transformers loads with AutoModelForImageTextToText; "
            "take a multimodal LLM in Hugging Face format (of InternVL, the checkpoints whose names end in -hf)."
        )
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
        "dtype": _dtype(options),
        "local_files_only": True,
        "use_safetensors": True,
        "trust_remote_code": options.trust_remote_code,
    }
    loader: Any = AutoModelForImageTextToText
    if depth is not None:
        cut_config(config, depth)
        loader = AutoModel
    try:
        with _quiet():
            model, problems = loader.from_pretrained(folder, config=config, output_loading_info=True, **kwargs)
    except torch.OutOfMemoryError as error:
        raise BackboneError(
            f"{folder}: does not fit into the memory of the device; try --quantize 4bit, --device-map auto or a "
            "smaller checkpoint (`hiprobe models` says how much each needs)."
        ) from error
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, AttributeError) as error:
        raise BackboneError(f"{folder}: the model cannot be loaded ({error}); fetch the checkpoint again.") from error
    if depth is not None:
        model.get_decoder().norm = nn.Identity()  # never runs: the deepest state is read before it
    if missing := sorted(problems["missing_keys"]):
        raise BackboneError(
            f"{folder}: lacks {len(missing)} weights, {missing[0]} among them, which would stay random; the checkpoint "
            "does not fit this release of transformers, or is damaged."
        )
    return _placed(model, options)


def complete_model(cut: PreTrainedModel, folder: Path, options: LoadOptions) -> PreTrainedModel | None:
    """Return the complete model around the parameters of one that was cut, reading of the checkpoint what it lacks.

    transformers itself says which tensor of the checkpoint goes where, by loading a stand-in for each: it has the
    tensor's shape but the memory of one number, by whose address it is found again in the model.

    Parameters
    ----------
    cut : PreTrainedModel
        What :func:`load_model` gave; the completed model shares the memory of its parameters.
    folder : Path
        The checkpoint, as there.
    options : LoadOptions
        As there.

    Returns
    -------
    PreTrainedModel, optional
        The same, to the bit, as :func:`load_model` gives without depth. None where that is not certain: quantised
        weights, a device map, code of the checkpoint's own, or tensors that become parameters other than one by one.
    """
    config, files = load_config(folder, options), _weight_files(folder)
    special = options.quantize or options.device_map or options.trust_remote_code
    unlike = any(getattr(config, name, None) for name in ("quantization_config", "transformers_weights"))
    if special or unlike or not files or not (folder / "generation_config.json").is_file():
        return None
    dtype, device = _dtype(options), _device(options)
    try:
        loader: Any = AutoModelForImageTextToText._model_mapping[type(config)]  # the Auto class itself asks for a name
        with ExitStack() as opened, _quiet():
            readers = [opened.enter_context(safe_open(file, "pt")) for file in files]
            holders = {name: reader for reader in readers for name in reader.keys()}  # noqa: SIM118 - no mapping
            shapes = {name: tuple(reader.get_slice(name).get_shape()) for name, reader in holders.items()}
            if Counter(tuple(value.shape) for value in cut.state_dict().values()) - Counter(shapes.values()):
                return None  # tensors were joined or divided, which stand-ins would need memory for
            stand_ins = {name: torch.empty((), dtype=dtype).expand(shape) for name, shape in shapes.items()}
            completed, problems = loader.from_pretrained(
                None,
                config=config,
                state_dict=stand_ins,
                dtype=dtype,
                generation_config=GenerationConfig.from_pretrained(folder, local_files_only=True),
                output_loading_info=True,
            )
            places = {value.data_ptr(): name for name, value in stand_ins.items()}
            sources = {name: places.get(value.data_ptr()) for name, value in completed.state_dict().items()}
            if problems["missing_keys"] or problems["mismatched_keys"] or None in sources.values():
                return None
            had = {f"{completed.base_model_prefix}.{name}": value for name, value in cut.state_dict().items()}
            values = {sources[name]: value for name, value in had.items() if name in sources}
            for name in set(sources.values()) - values.keys():
                values[name] = holders[name].get_tensor(name).to(device, dtype)
            completed.load_state_dict({name: values[source] for name, source in sources.items()}, assign=True)
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, AttributeError, TypeError):
        return None  # whatever it was, loading all of it anew either works or tells it
    completed.tie_weights()
    completed.config.name_or_path = str(folder)
    return _placed(completed, options)


def _weight_files(folder: Path) -> list[Path]:
    """Return the files that transformers reads weights from, in its order of preference; none if it has other ways."""
    if (single := folder / "model.safetensors").is_file():
        return [single]
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    return [folder / name for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))]


def check_placing(options: LoadOptions) -> torch.device:
    """Return the device that a model will start on. Raises UsageError if an option needs what is not there."""
    _placing(options)
    return _device(options)


def cut_config(config: Any, depth: int) -> None:
    """Change a configuration to the first ``depth`` decoder blocks."""
    text = config.get_text_config(decoder=True)
    every = text.num_hidden_layers
    text.num_hidden_layers = depth
    # Lists with an entry a block (layer_types, for instance) are checked against the number of blocks.
    for name, value in vars(text).items():
        if isinstance(value, list) and len(value) == every:
            setattr(text, name, value[:depth])


def _dtype(options: LoadOptions) -> torch.dtype:
    if options.dtype != "auto":
        return getattr(torch, options.dtype)
    on_gpu = torch.cuda.is_available() and not (options.device or "").startswith("cpu")
    return torch.bfloat16 if on_gpu else torch.float32


def _device(options: LoadOptions) -> torch.device:
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
    device = _device(options)
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


def _placed(model: Any, options: LoadOptions) -> Any:
    """Move a model to its device, unless it was loaded there."""
    if getattr(model, "hf_device_map", None) or options.quantize is not None:
        return model
    device = _device(options)
    try:
        return model.to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"--device {str(device)!r}: cannot be used ({error}); leave it out to use the CPU.") from error


def _need(package: str, option: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise UsageError(f"{option}: needs {package}; run `pip install 'hiprobe[gpu]'`.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from printing what this module checks by itself."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()
