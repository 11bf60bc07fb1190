"""The vision tower: a DINOv2 ViT-S/14 read out of an ONNX graph, under InternVL's parameter names.

InternVL's vision block is DINOv2's (layer norm before, layer scale, biases, class token, position table), so
every weight maps by name. In the graph, biases and norms carry their module names; the matrices are anonymous
MatMul constants, so each one's name is taken from its node's path, and it is transposed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from transformers import InternVLVisionConfig

from hiprobe.errors import BackboneError

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
"""ImageNet's, in RGB: what DINOv2 was trained with."""

WIDTH = 384
HEADS = 6
PATCH = 14
TRAINED_GRID = 37
"""Side of the position table that the tower was trained with, in patches (518 px)."""

_BLOCK_NAMES = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.projection_layer",
    "layer_scale1.lambda1": "lambda_1",
    "layer_scale2.lambda1": "lambda_2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def normalise(frames: NDArray[np.uint8], like: torch.Tensor) -> torch.Tensor:
    """Turn frames, uint8 (..., H, W, 3), into pixel values (..., 3, H, W) on the device and in the type of ``like``."""
    pixels = torch.from_numpy(frames).to(like.device).movedim(-1, -3).to(like.dtype) / 255
    mean = torch.tensor(IMAGE_MEAN, dtype=like.dtype, device=like.device).view(3, 1, 1)
    std = torch.tensor(IMAGE_STD, dtype=like.dtype, device=like.device).view(3, 1, 1)
    return (pixels - mean) / std


def vision_config(blocks: int, image_size: int) -> InternVLVisionConfig:
    """Return the configuration of the tower cut after ``blocks`` blocks, for square frames of ``image_size`` px."""
    return InternVLVisionConfig(
        hidden_size=WIDTH,
        num_hidden_layers=blocks,
        num_attention_heads=HEADS,
        attention_bias=True,
        intermediate_size=4 * WIDTH,
        image_size=(image_size, image_size),
        patch_size=(PATCH, PATCH),
        use_mean_pooling=True,  # no final norm: only intermediate blocks are read
    )


def read_vision_weights(path: Path, blocks: int, image_size: int) -> dict[str, torch.Tensor]:
    """Read the first ``blocks`` blocks of the tower from the ONNX file at ``path``.

    Returns
    -------
    dict of str to torch.Tensor
        Float32 weights under the names of ``InternVLVisionModel``. The position table is resampled (bicubic,
        as the tower's own code does) from 37 x 37 to the patch grid of ``image_size``.

    Raises
    ------
    BackboneError
        If the graph lacks one of the weights.
    """
    graph = onnx.load(path).graph
    constants = {item.name: item for item in graph.initializer}
    anonymous = {
        node.name.strip("/").replace("/", ".").removesuffix(".MatMul") + ".weight": constants[node.input[1]]
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in constants
    }

    def take(name: str) -> torch.Tensor:
        if name in constants:
            array = numpy_helper.to_array(constants[name])
        elif name in anonymous:
            array = numpy_helper.to_array(anonymous[name]).T
        else:
            raise BackboneError(f"{path}: weight {name!r} is not in the graph; delete the file and fetch it again.")
        return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))

    weights = {
        "embeddings.cls_token": take("backbone.embeddings.cls_token"),
        "embeddings.patch_embeddings.projection.weight": take("backbone.embeddings.patch_embeddings.projection.weight"),
        "embeddings.patch_embeddings.projection.bias": take("backbone.embeddings.patch_embeddings.projection.bias"),
        "embeddings.position_embeddings": _position_table(path, constants, image_size // PATCH),
    }
    for block in range(blocks):
        source, target = f"backbone.encoder.layer.{block}.", f"encoder.layer.{block}."
        for theirs, ours in _BLOCK_NAMES.items():
            if theirs.startswith("layer_scale"):
                weights[target + ours] = take(source + theirs)
            else:
                weights[f"{target}{ours}.weight"] = take(f"{source}{theirs}.weight")
                weights[f"{target}{ours}.bias"] = take(f"{source}{theirs}.bias")
    return weights


def _position_table(path: Path, constants: dict, grid: int) -> torch.Tensor:
    """Return the (1, 1 + grid*grid, WIDTH) position table; the graph keeps it as two anonymous constants."""

    def only(shape: tuple[int, ...]) -> torch.Tensor:
        found = [item for name, item in constants.items() if tuple(item.dims) == shape and name.startswith("onnx::")]
        if len(found) != 1:
            raise BackboneError(f"{path}: {len(found)} constants of shape {shape} where the position table has one.")
        return torch.from_numpy(numpy_helper.to_array(found[0]).astype(np.float32))

    first = only((1, 1, WIDTH))
    table = only((1, TRAINED_GRID * TRAINED_GRID, WIDTH))
    table = table.reshape(1, TRAINED_GRID, TRAINED_GRID, WIDTH).permute(0, 3, 1, 2)
    table = torch.nn.functional.interpolate(table, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([first, table.permute(0, 2, 3, 1).reshape(1, grid * grid, WIDTH)], dim=1)
