"""A model that was cut to its first decoder blocks, made whole around what is loaded already."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoModelForImageTextToText, GenerationConfig, PreTrainedModel

from hiprobe.backbones.loading import device_of, dtype_of, load_config, placed_model, quiet
from hiprobe.backbones.options import LoadOptions
from hiprobe.backbones.refusing import quantisation


def complete_model(cut: PreTrainedModel, folder: Path, options: LoadOptions) -> PreTrainedModel | None:
    """Return the complete model around the parameters of one that was cut, reading of the checkpoint what it lacks.

    transformers itself says which tensor of the checkpoint goes where, by loading a stand-in for each: it has the
    tensor's shape but the memory of one number, by whose address it is found again in the model. No two stand-ins are
    equal, so none is tied to another because of what a configuration says; the checkpoint's own tensors decide that.

    Parameters
    ----------
    cut : PreTrainedModel
        What :func:`hiprobe.backbones.loading.load_model` gave; the completed model shares the memory of its parameters.
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
    unlike = quantisation(config) or getattr(config, "transformers_weights", None)
    if special or unlike or not files or not (folder / "generation_config.json").is_file():
        return None
    dtype, device = dtype_of(options), device_of(options)
    try:
        loader: Any = AutoModelForImageTextToText._model_mapping[type(config)]  # the Auto class itself asks for a name
        with ExitStack() as opened, quiet():
            readers = [opened.enter_context(safe_open(file, "pt")) for file in files]
            holders = {name: reader for reader in readers for name in reader.keys()}  # noqa: SIM118 - no mapping
            shapes = {name: tuple(reader.get_slice(name).get_shape()) for name, reader in holders.items()}
            if Counter(tuple(value.shape) for value in cut.state_dict().values()) - Counter(shapes.values()):
                return None  # tensors were joined or divided, which stand-ins would need memory for
            stand_ins = _stand_ins(shapes, dtype)
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
            if any(getattr(rule, "operations", None) for rule in getattr(completed, "_weight_conversions", None) or ()):
                return None  # tensors were turned, which a stand-in does not show where they are square
            had = {f"{completed.base_model_prefix}.{name}": value for name, value in cut.state_dict().items()}
            values = {sources[name]: value for name, value in had.items() if name in sources}
            for name in set(sources.values()) - values.keys():
                values[name] = holders[name].get_tensor(name).to(device, dtype)
            completed.load_state_dict({name: values[source] for name, source in sources.items()}, assign=True)
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, AttributeError, TypeError):
        return None  # whatever it was, loading all of it anew either works or tells it
    _tie(completed)
    completed.config.name_or_path = str(folder)
    return placed_model(completed, options)


def _stand_ins(shapes: dict[str, tuple[int, ...]], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Return a tensor of each shape that takes the memory of one number, unlike that of any other of its shape.

    Raises
    ------
    ValueError
        If there are not as many numbers of that type.
    """
    numbers = {torch.float32: torch.int32}.get(dtype, torch.int16)
    # Numbers in order of their bits, from the smallest that no processor rounds to 0.
    first = int(torch.tensor(torch.finfo(dtype).tiny, dtype=dtype).view(numbers))
    taken: Counter[tuple[int, ...]] = Counter()
    found = {}
    for name, shape in shapes.items():
        taken[shape] += 1
        number = torch.tensor(first + taken[shape], dtype=numbers).view(dtype)
        if not number.isfinite():
            raise ValueError(f"{taken[shape]} tensors of shape {shape}")
        found[name] = number.expand(shape)
    return found


def _tie(model: Any) -> None:
    """Tie what the configuration wants tied and the checkpoint gives as one, or as equals; as when loaded whole."""
    model.all_tied_weights_keys = {}
    for target, source in model.get_expanded_tied_weights_keys(all_submodels=True).items():
        own, other = model.get_parameter(target), model.get_parameter(source)
        if own.data_ptr() == other.data_ptr() or torch.equal(own, other):
            module, _, name = target.rpartition(".")
            setattr(model.get_submodule(module), name, other)
            model.all_tied_weights_keys[target] = source


def _weight_files(folder: Path) -> list[Path]:
    """Return the files that transformers reads weights from, in its order of preference; none if it has other ways."""
    if (single := folder / "model.safetensors").is_file():
        return [single]
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    return [folder / name for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))]
