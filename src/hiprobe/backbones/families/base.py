"""What differs between families of multimodal LLMs, and nothing else."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import transformers
from jinja2 import TemplateError
from numpy.typing import NDArray
from packaging.version import Version
from transformers import AutoImageProcessor, AutoTokenizer
from transformers.modeling_outputs import BaseModelOutputWithPooling

from hiprobe.backbones.catalogue import has_torchvision as has_torchvision
from hiprobe.backbones.entering import entering
from hiprobe.backbones.prompts import chat_template, check_prompt
from hiprobe.backbones.reading import Prompt
from hiprobe.backbones.refusing import unknown_processor, why
from hiprobe.backbones.sizes import Sizes
from hiprobe.errors import BackboneError


@dataclass(frozen=True, eq=False)
class Prepared:
    """One segment with its prompt, as a model takes it.

    Attributes
    ----------
    inputs : dict
        Keyword arguments of the model's forward pass: ``input_ids`` (1, N) and pixel values, all of which can be
        concatenated along the first axis with those of other segments.
    visual : bool Tensor of shape (N,)
        Which tokens stand for frames, step by step; every step has as many.
    steps : int
        Into how many steps of time they are divided: K, or fewer in families that join frames.
    """

    inputs: dict[str, torch.Tensor]
    visual: torch.Tensor
    steps: int


@dataclass(frozen=True)
class Native:
    """What makes a checkpoint's own processor prepare frames as a family does.

    Attributes
    ----------
    part : {"image", "video"}
        What frames enter as.
    settings : dict
        Arguments of the processor beside frames, text and times.
    template : str, optional
        The chat template, where it is not to be the processor's own.
    """

    part: str
    settings: dict[str, Any] = field(default_factory=dict)
    template: str | None = None


Features = dict[str, torch.Tensor]
"""What a frame, or a step of time, becomes before the language model: by name, (tokens, width) each."""


class Family(ABC):
    """How the frames of a segment enter models of one family. An instance serves one checkpoint.

    A family sets the class attributes and says :meth:`size`, :meth:`tokens_per_frame` and :meth:`prepare`. Another
    package adds one by the entry point ``hiprobe.families``.

    Parameters
    ----------
    folder : Path
        The checkpoint.
    config : PretrainedConfig
        The model's.
    trust_remote_code : bool
        Whether code that comes with the checkpoint may run.

    Raises
    ------
    BackboneError
        If a package is missing or too old, or the processors cannot be built.
    """

    name: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    """The ``model_type`` of configurations that belong to this family."""
    minimum_transformers: ClassVar[str] = "5.20"
    packages: ClassVar[tuple[str, ...]] = ()
    """What must be installed beyond what HiProbe itself needs."""
    version: ClassVar[int] = 1
    """To be raised when a family prepares frames in another way than before: probes are valid for one version."""
    way: ClassVar[str] = "images"
    """How frames enter: probes of one way are not valid for the other."""
    modality: ClassVar[str] = "image"
    """What the model takes frames for: ``image`` or ``video``."""
    system: ClassVar[str | None] = None
    """The system message that the family's makers publish, where chat templates in this format leave it out."""
    pixels: ClassVar[int | None] = None
    """What a frame may have by default, where frames keep the proportions of the video; none where they do not."""

    def __init__(self, folder: Path, config: Any, trust_remote_code: bool = False) -> None:
        self._check_packages(folder)
        self.config = config
        kwargs = {"local_files_only": True, "trust_remote_code": trust_remote_code}
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, **kwargs)
            self.processor: Any = self.build_processor(folder, **kwargs)
        except (OSError, ValueError, ImportError, TypeError, AttributeError, KeyError) as error:
            if unknown := unknown_processor(folder, config):
                raise BackboneError(unknown) from error
            raise BackboneError(f"{folder}: its processors cannot be built ({why(error)}).") from error
        self.template = self.build_template(folder)

    def build_processor(self, folder: Path, **kwargs: Any) -> Any:
        """Build what turns frames into pixel values; by default the checkpoint's image processor."""
        return AutoImageProcessor.from_pretrained(folder, **kwargs)

    def build_template(self, folder: Path) -> str:
        """Return the chat template; by default the checkpoint's."""
        return chat_template(folder, self.tokenizer)

    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Return the (height, width) in pixels that frames are given in."""

    def sizes(self) -> Sizes | None:
        """Return which other sizes frames may be given in; by default none."""
        return None

    @abstractmethod
    def tokens_per_frame(self) -> float | None:
        """Return how many visual tokens a frame becomes."""

    @abstractmethod
    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        """Prepare one segment: frames (K, H, W, 3), ``interval`` seconds apart.

        They are of :meth:`size`, or of one that fits :meth:`sizes`.

        The prompt is for :meth:`render`.
        """

    def native(self) -> Native | None:
        """Return how the checkpoint's own processor is to be asked for the same prompt, if it can be.

        `hiprobe models check` compares the ids. By default None: not compared.
        """
        return None

    def remark(self) -> str | None:
        """Return what a user must know of the way that frames enter on this machine, as half a sentence."""
        return None

    def units(self, prepared: Prepared) -> list[dict[str, torch.Tensor]] | None:
        """Divide the pixels of a segment into those of each step of time, where each is encoded by itself.

        Overlapping segments then share what their common steps become. By default None: segments are encoded whole.

        Returns
        -------
        list of dict, optional
            Arguments of the model's ``get_image_features`` or ``get_video_features``, that can be concatenated along
            the first axis with those of other steps.
        """
        return None

    def layout(self, pixels: torch.Tensor) -> torch.Tensor | None:
        """Put what stands for the pixels of steps of time into the order in which :meth:`prepare` gives pixel values.

        For families whose pixel values depend on the value and channel of a pixel alone, and whose other inputs depend
        on the number of frames, interval and prompt alone. Where this and :meth:`units` are given, pixel values are
        made on the model's device, and of new steps alone. :meth:`prepare` is run once for each number, interval and
        prompt, on noise, which also shows whether all of this holds; where it does not, and by default, it prepares
        every segment.

        Parameters
        ----------
        pixels : Tensor of shape (n, F, 3, H, W)
            Of any type, on any device: the F frames of each of n steps; the last repeated if K does not come out even.

        Returns
        -------
        Tensor, optional
            Of any shape; of n steps one after the other.
        """
        return None

    def rows(self, tokens: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Put the visual tokens (B, steps, P, D) of frames of a size in the order of the picture, row by row.

        By default they are so.
        """
        return tokens

    def encode(self, model: Any, units: Sequence[dict[str, torch.Tensor]]) -> Features:
        """Encode steps of time, one or more, with the model: each of the features is (steps, tokens, width)."""
        return {"tokens": torch.stack(tuple(self.run_encoder(model, units).pooler_output))}

    def run_encoder(self, model: Any, units: Sequence[dict[str, torch.Tensor]]) -> Any:
        """Return the model's own output for steps of time; its entries, a list or a tensor of them, are the steps'."""
        inputs = {name: torch.cat([unit[name] for unit in units]) for name in units[0]}
        return getattr(model, f"get_{self.modality}_features")(**inputs, return_dict=True)

    def encoded(self, features: Features, segments: int) -> Any:
        """Turn the features of all steps of so many segments into the output that the model would have made of them."""
        return BaseModelOutputWithPooling(pooler_output=features["tokens"])  # type: ignore[arg-type]

    def identity(self) -> dict[str, Any]:
        """Return what decides the hidden states beside configuration and weights, as JSON holds it.

        It is what enters the model of a sample, prepared, and how pixel values are made; not the text of files.

        Raises
        ------
        BackboneError
            If the sample cannot be prepared.
        """
        return {
            "family": [self.name, self.version],
            "way": self.way,
            "size": list(self.size()),
            **entering(self),
        }

    def former_identity(self) -> dict[str, Any]:
        """Return what HiProbe 0.1 took for the identity: the template by its text."""
        return {
            "family": [self.name, self.version],
            "way": self.way,
            "size": list(self.size()),
            "template": self.template,
        }

    def render(self, parts: Sequence[str], prompt: Prompt) -> str:
        """Return one user turn by the chat template: ``parts`` are "image" or "video", then the prompt.

        A system message goes before it.

        Raises
        ------
        UsageError
            If the prompt holds a control token of the model.
        BackboneError
            If the template takes no system message, or cannot be applied.
        """
        check_prompt(self.tokenizer, prompt)
        content = [*({"type": part} for part in parts), {"type": "text", "text": prompt.text}]
        turns = [{"role": "user", "content": content}]
        if prompt.system is not None:
            turns.insert(0, {"role": "system", "content": [{"type": "text", "text": prompt.system}]})
        try:
            text = self.tokenizer.apply_chat_template(
                turns, chat_template=self.template, tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, TypeError) as error:  # of the latter, templates that take no lists of parts
            if prompt.system is not None:
                raise self._no_system(str(error)) from error
            raise self._text_only(str(error)) from error
        # A template that writes a list of parts as it would write words.
        if str(content) in text or "{'type':" in text:
            raise self._text_only("it writes pictures as words")
        if prompt.system is not None and prompt.system.strip() not in text:
            raise self._no_system("it does not write it")
        return text

    def tokenize(self, text: str, image_token_id: int, steps: int, **pixels: torch.Tensor) -> Prepared:
        """Tokenize a rendered prompt whose placeholders are expanded, and find the visual tokens in it."""
        encoded = self.tokenizer(text, add_special_tokens=self.adds_special(text), return_tensors="pt")
        ids = torch.as_tensor(encoded["input_ids"])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **pixels}
        return Prepared(inputs, ids[0] == image_token_id, steps)

    def adds_special(self, text: str) -> bool:
        """Return whether the tokenizer is to add its special tokens, ``<s>`` for instance, to a rendered prompt.

        As transformers' processors decide it: always, but where the template has written the first of them already.
        """
        return self.tokenizer.bos_token is None or not text.startswith(self.tokenizer.bos_token)

    def _text_only(self, reason: str) -> BackboneError:
        return BackboneError(
            f"{self.name}: the checkpoint's chat template cannot be applied to pictures and words ({reason}); it is "
            "for text alone, or damaged; put the original model's chat_template.jinja into the folder."
        )

    def _no_system(self, reason: str) -> BackboneError:
        return BackboneError(
            f"{self.name}: the checkpoint's chat template takes no system message ({reason}); leave it out."
        )

    def _check_packages(self, folder: Path) -> None:
        if Version(transformers.__version__) < Version(self.minimum_transformers):
            raise BackboneError(
                f"{folder}: {self.name} needs transformers {self.minimum_transformers} or newer, here is "
                f"{transformers.__version__}; run `pip install --upgrade transformers`."
            )
        for package in self.packages:
            if importlib.util.find_spec(package) is None:
                raise BackboneError(f"{folder}: {self.name} needs {package}; run `pip install {package}`.")


def expand(text: str, placeholder: str, replacements: Sequence[str]) -> str:
    """Replace each placeholder in a rendered prompt by the next of the replacements.

    Raises
    ------
    BackboneError
        If there are more or fewer placeholders.
    """
    pieces = text.split(placeholder)
    if len(pieces) != len(replacements) + 1:
        raise BackboneError(
            f"The chat template wrote {len(pieces) - 1} placeholders {placeholder!r} for {len(replacements)}: it is "
            "not this family's; take the checkpoint in its original Hugging Face form."
        )
    return pieces[0] + "".join(r + piece for r, piece in zip(replacements, pieces[1:], strict=True))


def divided(inputs: dict[str, torch.Tensor], names: Sequence[str], steps: int) -> list[dict[str, torch.Tensor]]:
    """Divide tensors, (steps, ...) or (1, steps, ...), into those of each step: (1, ...) or (1, 1, ...)."""
    rows = {name: inputs[name] if len(inputs[name]) == steps else inputs[name].transpose(0, 1) for name in names}
    return [{name: value[step : step + 1] for name, value in rows.items()} for step in range(steps)]


def square(size: Any) -> tuple[int, int]:
    """Return an image size of a configuration, one number or two, as (height, width)."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
