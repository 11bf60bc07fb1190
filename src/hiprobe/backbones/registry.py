"""Backbones by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from hiprobe.backbones.base import Backbone
from hiprobe.errors import UsageError

EMBEDDED = "embedded"


def cache_folder() -> Path:
    """Return the folder for weights and features: ``HIPROBE_CACHE``, or the platform's cache folder."""
    chosen = os.environ.get("HIPROBE_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("hiprobe"))


def load_backbone(name: str = EMBEDDED, report: Callable[[str], None] = lambda _: None) -> Backbone:
    """Load a backbone; the embedded one is fetched and assembled on first use, and needs no network afterwards.

    Parameters
    ----------
    name : str
        ``embedded`` is the only one so far.
    report : callable
        Told in a sentence what takes time.

    Raises
    ------
    UsageError
        If there is no such backbone.
    BackboneError
        If it cannot be fetched, assembled or loaded.
    """
    if name != EMBEDDED:
        raise UsageError(f"There is no backbone {name!r}; {EMBEDDED!r} is the only one in this release.")
    # torch and transformers take seconds to import: not before a backbone is really wanted.
    from hiprobe.backbones.embedded.assembly import embedded_folder
    from hiprobe.backbones.embedded.backbone import EmbeddedBackbone

    return EmbeddedBackbone(embedded_folder(cache_folder(), report))
