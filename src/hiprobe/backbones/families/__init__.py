"""The families of multimodal LLMs: one small file each, and the registry that finds the one of a checkpoint."""

from __future__ import annotations

from importlib.metadata import entry_points

from hiprobe.backbones.families.base import Family, Prepared
from hiprobe.backbones.families.generic import Generic
from hiprobe.backbones.families.internvl import InternVL
from hiprobe.backbones.families.llava_onevision import LlavaOnevision
from hiprobe.backbones.families.qwen_vl import Qwen3VL, Qwen25VL
from hiprobe.backbones.families.smolvlm import SmolVLM
from hiprobe.errors import BackboneError

__all__ = ["ENTRY_POINT", "Family", "Prepared", "families", "find_family"]

ENTRY_POINT = "hiprobe.families"
"""The group of entry points by which other packages add families; theirs go before those that come with HiProbe."""

_BUILT_IN: tuple[type[Family], ...] = (InternVL, Qwen25VL, Qwen3VL, LlavaOnevision, SmolVLM)


def families() -> tuple[type[Family], ...]:
    """Return all families there are, the generic one not among them.

    Raises
    ------
    BackboneError
        If an entry point does not lead to a family.
    """
    added = []
    for entry in entry_points(group=ENTRY_POINT):
        try:
            family = entry.load()
        # Whatever goes wrong in the other package, its user must know which one it is.
        except Exception as error:
            raise BackboneError(f"The family {entry.name!r} ({entry.value}) cannot be loaded: {error}.") from error
        if not (isinstance(family, type) and issubclass(family, Family)):
            raise BackboneError(
                f"The family {entry.name!r} ({entry.value}) is no subclass of Family; mend its package."
            )
        added.append(family)
    return (*added, *_BUILT_IN)


def find_family(model_type: str) -> type[Family]:
    """Return the family that a configuration's ``model_type`` belongs to; the generic one if none claims it."""
    return next((family for family in families() if model_type in family.model_types), Generic)
