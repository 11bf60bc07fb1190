"""The embedded backbone: DINOv2-S and SmolLM2-135M in the InternVL architecture, with motion tokens."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from hiprobe.backbones.base import BackboneInfo
from hiprobe.backbones.embedded.assembly import FINGERPRINT, TRAINED
from hiprobe.backbones.embedded.motion_internvl import MotionInternVLForConditionalGeneration
from hiprobe.backbones.huggingface import HuggingFaceBackbone, VisualTokens
from hiprobe.backbones.internvl import IMAGE_TOKEN, normalise
from hiprobe.errors import BackboneError

NAME = "embedded"

UNTRAINED = (
    "The embedded backbone's projector is closed-form and untrained: its hidden states can be probed, but the text "
    "that it generates does not describe the video; do not rely on explanations."
)

SMALL = (
    "The embedded backbone is small and was trained on generated scenes: its explanations are often wrong in details "
    "and sometimes altogether; look at the video before relying on one."
)


class EmbeddedBackbone(HuggingFaceBackbone):
    """The default backbone, loaded from an assembled folder.

    Parameters
    ----------
    folder : Path
        What :func:`hiprobe.backbones.embedded.assembly.embedded_folder` returns.

    Raises
    ------
    BackboneError
        If the folder does not hold the model.
    """

    def __init__(self, folder: Path) -> None:
        quiet = transformers_logging.get_verbosity()
        transformers_logging.set_verbosity(logging.ERROR)
        transformers_logging.disable_progress_bar()
        try:
            model: Any = MotionInternVLForConditionalGeneration.from_pretrained(folder, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            raise BackboneError(
                f"{folder}: the embedded backbone cannot be loaded ({error}); delete this folder and run again to "
                "assemble it anew."
            ) from error
        finally:
            transformers_logging.set_verbosity(quiet)
            transformers_logging.enable_progress_bar()
        height, width = model.config.vision_config.image_size
        text = model.config.text_config
        info = BackboneInfo(
            name=NAME,
            fingerprint=FINGERPRINT,
            layers=text.num_hidden_layers,
            width=text.hidden_size,
            frame_size=(height, width),
            pooling="last",
            warnings=(SMALL if TRAINED else UNTRAINED,),
        )
        super().__init__(model, tokenizer, info, IMAGE_TOKEN)

    def visual_tokens(self, frames: NDArray[np.uint8]) -> VisualTokens:
        """See :meth:`HuggingFaceBackbone.visual_tokens`: the streams alone, as many tokens whatever K is.

        With the observer's slots beside them probes were measured to be worse; see docs/results.md.
        """
        return self._tokens(frames, telling=False)

    def telling_tokens(self, frames: NDArray[np.uint8]) -> VisualTokens:
        """See :meth:`HuggingFaceBackbone.telling_tokens`: the streams, and the slots if there is an observer."""
        return self._tokens(frames, telling=True)

    def visual_text(self, frames: int, tokens: int) -> str:
        """See :meth:`HuggingFaceBackbone.visual_text`."""
        return IMAGE_TOKEN * tokens

    def _tokens(self, frames: NDArray[np.uint8], telling: bool) -> VisualTokens:
        pixels = normalise(frames, self._model.get_input_embeddings().weight)
        segment = self._model.model.get_segment_tokens(pixels, telling)
        return VisualTokens(segment.tokens, segment.motion)
