"""What enters a model of a sample: by it checkpoints are told apart, and not by the text of their files."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from hiprobe.backbones.fingerprint import NORMALISING
from hiprobe.backbones.reading import Prompt
from hiprobe.errors import BackboneError

if TYPE_CHECKING:
    from hiprobe.backbones.families import Family

_SAMPLE = "What happens here, at 0123456789 o'clock? Straße, où, 日本, Пример: (a+b)*c = 'd' / \"e\" ..."
_SYSTEM = "You watch a camera."
"""Words by which checkpoints are told apart; to change them is to change every fingerprint."""


def entering(family: Family) -> dict[str, Any]:
    """Return the ids of a sample, with and without a system message, and how pixel values are made, as JSON holds it.

    The settings of pixels are those that the processor has resolved, from whatever files.

    Raises
    ------
    BackboneError
        If the sample cannot be prepared.
    """
    part = "video_processor" if family.modality == "video" else "image_processor"
    owner = getattr(family.processor, part, family.processor)
    said = {name: getattr(owner, name, None) for name in NORMALISING}
    return {
        "ids": _ids(family, Prompt(_SAMPLE)),
        "system": _ids(family, Prompt(_SAMPLE, _SYSTEM)),
        "pixels": {name: list(value) if isinstance(value, list | tuple) else value for name, value in said.items()},
    }


def _ids(family: Family, prompt: Prompt) -> list[list[int]] | None:
    """Return the ids of a segment of two frames with a prompt, each with its number in a row.

    None where the template takes no system message.
    """
    frames = np.zeros((2, *family.size(), 3), np.uint8)
    try:
        ids = family.prepare(frames, 0.5, prompt).inputs["input_ids"][0].tolist()
    except BackboneError:
        if prompt.system is None:
            raise
        return None
    return [[key, len(list(row))] for key, row in groupby(ids)]
