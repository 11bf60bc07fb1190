"""From the name of a checkpoint to a backbone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from hiprobe.backbones.base import BackboneInfo, TokenSource
from hiprobe.backbones.checkpoint import find_checkpoint, read_config
from hiprobe.backbones.completing import complete_model
from hiprobe.backbones.deferred import Deferred
from hiprobe.backbones.families import find_family
from hiprobe.backbones.fingerprint import checkpoint_fingerprints
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.loading import check_placing, load_config, load_model
from hiprobe.backbones.options import LoadOptions
from hiprobe.errors import UsageError


def load_checkpoint(
    name: str, options: LoadOptions, depth: int | None = None, report: Callable[[str], None] = lambda _: None
) -> HuggingFaceBackbone:
    """Load a checkpoint, or its first ``depth`` decoder blocks alone; parameters and errors are open_checkpoint's."""
    loaded = open_checkpoint(name, options, depth, report).loaded
    assert isinstance(loaded, HuggingFaceBackbone)
    return loaded


def open_checkpoint(
    name: str, options: LoadOptions, depth: int | None = None, report: Callable[[str], None] = lambda _: None
) -> Deferred:
    """Open a checkpoint; its model, or the first ``depth`` decoder blocks alone, are loaded when it first runs.

    Parameters
    ----------
    name : str
        A folder, or the hub's ID.
    options : LoadOptions
        How.
    depth : int, optional
        Leave out the blocks above, the final norm and the LM head, until text is to be generated. States of the blocks
        that are loaded are the same.
    report : callable
        Told in a sentence what takes time, and of risks.

    Raises
    ------
    UsageError
        If the name, the depth or an option is wrong.
    BackboneError
        If it cannot be fetched, or its configuration or processors not read. Loading raises this too, if the weights
        do not fit or the model cannot be probed.
    """
    if options.trust_remote_code:
        report(f"warning: code that comes with {name} may run with all your rights (--trust-remote-code)")
    folder = find_checkpoint(name, options, report)
    config = load_config(folder, options)
    family = find_family(read_config(folder)["model_type"])(folder, config, options.trust_remote_code)
    if (remark := family.remark()) is not None:
        report(f"note: {remark}")
    text = config.get_text_config(decoder=True)
    if depth is not None and not 1 <= depth <= text.num_hidden_layers:
        raise UsageError(f"{name} has {text.num_hidden_layers} decoder blocks; it cannot be cut to {depth}.")
    cut = None if depth == text.num_hidden_layers else depth
    sizes = family.sizes()
    if options.pixels is not None and sizes is None:
        height, width = family.size()
        raise UsageError(
            f"{name}: takes frames of {width}x{height} pixels alone, so pixels {options.pixels} mean nothing; leave "
            "--pixels out."
        )
    own = {"quantize": options.quantize} if options.quantize else {}
    fingerprints = checkpoint_fingerprints(folder, family.identity() | own, family.former_identity() | own)
    info = BackboneInfo(
        name=name if not Path(name).is_dir() else Path(name).name,
        fingerprint=fingerprints.now,
        former=fingerprints.former,
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        frame_size=family.size(),
        pooling="last",
        tokens_per_frame=family.tokens_per_frame(),
        depth=cut,
        device=str(check_placing(options)),
        tokens=TokenSource("decoder", _quarters(text.num_hidden_layers), text.hidden_size, family.size()),
        places=True,
        sizes=sizes,
        system=family.system,
        pixels=options.pixels or (family.pixels if sizes else None),
    )

    def load(depth: int | None) -> HuggingFaceBackbone:
        report(f"loading {name}" + (f" up to layer {depth} of {info.layers}" if depth else ""))
        model = load_model(folder, options, depth)
        load_all = partial(load_model, folder, options)
        complete = partial(complete_model, folder=folder, options=options)
        return HuggingFaceBackbone(model, family, replace(info, depth=depth), load_all, complete)

    return Deferred(info, lambda: load(cut), lambda: load(None))


def _quarters(depth: int) -> tuple[int, ...]:
    """Return the blocks at a quarter, half and three quarters of the depth, and the last."""
    return tuple(sorted({max(1, round(depth * share)) for share in (0.25, 0.5, 0.75, 1)}))
