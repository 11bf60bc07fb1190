"""The vision tower's blocks with fewer passes over memory, for reading: the same function, other roundings.

Queries, keys and values come from one product instead of three, the layer scales are multiplied into the weights, and
products add to the residual stream in place. Of the biases before attention only the queries' is added there: what the
keys' adds is the same for all that a query attends to, and what the values' adds goes into the bias after it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class FusedBlock(nn.Module):
    """A block of InternVL's vision tower, frozen; from hidden states (B, N, width) to the same shape.

    Parameters
    ----------
    block : Module
        The library's own block, with biases and GELU, without normalised queries and keys, in evaluation mode.
    """

    qkv_weight: torch.Tensor
    query_bias: torch.Tensor
    attend_weight: torch.Tensor
    attend_bias: torch.Tensor
    narrow_weight: torch.Tensor
    narrow_bias: torch.Tensor

    def __init__(self, block: Any) -> None:
        super().__init__()
        attention, parts = block.attention, ("q_proj", "k_proj", "v_proj")
        projections = [getattr(attention, part) for part in parts]
        self.heads = attention.num_heads
        self.before, self.after = block.layernorm_before, block.layernorm_after
        self.widen = block.mlp.fc1
        self.register_buffer("qkv_weight", torch.cat([one.weight for one in projections]))
        query, _, value = projections
        self.register_buffer("query_bias", query.bias.view(self.heads, -1))
        self._fold("attend", block.lambda_1, attention.projection_layer)
        self.attend_bias += self.attend_weight @ value.bias
        self._fold("narrow", block.lambda_2, block.mlp.fc2)

    def _fold(self, name: str, scale: torch.Tensor, linear: nn.Linear) -> None:
        self.register_buffer(f"{name}_weight", scale[:, None] * linear.weight)
        self.register_buffer(f"{name}_bias", scale * linear.bias)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Run the block; what it is given is left as it is."""
        batch, tokens, width = hidden_states.shape
        found = functional.linear(self.before(hidden_states), self.qkv_weight).view(batch, tokens, 3, self.heads, -1)
        found[:, :, 0] += self.query_bias
        query, key, value = found.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        # Adding the bias makes a new tensor, which the product may then be added to in place.
        states = (hidden_states + self.attend_bias).view(-1, width)
        states.addmm_(attended.reshape(-1, width), self.attend_weight.T)
        widened = torch.ops.aten.gelu_(self.widen(self.after(states)))
        states = states + self.narrow_bias
        states.addmm_(widened, self.narrow_weight.T)
        return states.view(batch, tokens, width)


def fuse(tower: Any) -> None:
    """Replace the blocks of a frozen InternVL vision tower by fused ones, in place."""
    tower.encoder.layer = nn.ModuleList(FusedBlock(block) for block in tower.encoder.layer)
