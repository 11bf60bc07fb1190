"""The user's prompt and the chat template of a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers.processing_utils import ProcessorMixin

from hiprobe.backbones.reading import Prompt
from hiprobe.errors import BackboneError, UsageError


def check_prompt(tokenizer: Any, prompt: Prompt) -> None:
    """Raise UsageError if a prompt or its system message contains a control token of the model."""
    for name, words in (("prompt", prompt.text), ("system message", prompt.system or "")):
        special = [token for token in tokenizer.all_special_tokens if token in words]
        if special:
            raise UsageError(f"The {name} contains {special[0]!r}, a control token of the model; reword the {name}.")


def chat_template(folder: Path, tokenizer: Any) -> str:
    """Return a checkpoint's chat template: the processor's, which knows of images, before the tokenizer's.

    Read from the files, since without torchvision many processors cannot be built.

    Raises
    ------
    BackboneError
        If there is none.
    """
    try:
        found, _ = ProcessorMixin.get_processor_dict(folder, local_files_only=True)
    except OSError:
        found = {}
    template = found.get("chat_template") or tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template:
        raise BackboneError(f"{folder}: has no chat template; take an instruction-tuned checkpoint.")
    return template
