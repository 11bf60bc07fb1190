"""Backbones by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from hiprobe.backbones.base import Backbone
from hiprobe.backbones.deferred import Deferred
from hiprobe.backbones.options import LoadOptions
from hiprobe.errors import UsageError

EMBEDDED = "embedded"


def cache_folder() -> Path:
    """Return the folder for weights and features: ``HIPROBE_CACHE``, or the platform's cache folder."""
    chosen = os.environ.get("HIPROBE_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("hiprobe"))


def load_backbone(
    name: str = EMBEDDED,
    report: Callable[[str], None] = lambda _: None,
    options: LoadOptions = LoadOptions(),  # noqa: B008 - frozen
    depth: int | None = None,
) -> Deferred:
    """Return a backbone. It is loaded when it first runs: what features are kept already needs no model.

    Parameters
    ----------
    name : str
        ``embedded``, the folder of a checkpoint, or its ID on the hub. What is not on this machine yet is fetched on
        first use, and needs no network afterwards.
    report : callable
        Told in a sentence what takes time, and of risks.
    options : LoadOptions
        How a checkpoint is loaded.
    depth : int, optional
        The deepest layer that will be read: blocks above it are not loaded until text is to be generated.

    Raises
    ------
    UsageError
        If there is no such backbone, or an option does not fit.
    BackboneError
        If a checkpoint cannot be fetched or read. What is wrong with weights shows when the backbone first runs.
    """
    if name == EMBEDDED:
        from hiprobe.backbones.embedded.recipe import INFO

        if options.pixels is not None:
            height, width = INFO.frame_size
            raise UsageError(f"The embedded backbone takes frames of {width}x{height} alone; leave --pixels out.")
        return Deferred(INFO, lambda: _load_embedded(report))
    # torch and transformers take seconds to import: not before a backbone is really wanted.
    from hiprobe.backbones.opening import open_checkpoint

    return open_checkpoint(name, options, depth, report)


def _load_embedded(report: Callable[[str], None]) -> Backbone:
    from hiprobe.backbones.embedded.assembly import embedded_folder
    from hiprobe.backbones.embedded.backbone import EmbeddedBackbone

    return EmbeddedBackbone(embedded_folder(cache_folder(), report))
