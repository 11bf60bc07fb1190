"""Reading decoder blocks through hooks, and stopping after the deepest one that is asked for.

Layer l is the output of decoder block l, l = 1..L. Beware of ``output_hidden_states``: its entry 0 is the
embedding, entries 1..L-1 are the outputs of blocks 1..L-1, but its last entry is the output of block L *after
the model's final norm*. Here layer L is the block's own output, before that norm, like every other layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import torch
from torch import nn

from hiprobe.errors import BackboneError


class _Stop(Exception):  # noqa: N818 - not an error: it ends a forward pass that has served its purpose
    pass


class LayerReader:
    """Context manager that records the outputs of decoder blocks during one forward pass.

    The pass ends after the deepest block asked for: deeper blocks, the final norm and the LM head do not run.
    The hooks are removed whatever happens inside the block. ``embeddings`` is what the first block was given.

    Parameters
    ----------
    blocks : ModuleList
        The decoder blocks of the language model.
    layers : sequence of int
        Blocks to read, 1..L.

    Examples
    --------
    >>> with LayerReader(model.language_model.layers, [4, 8]) as reader:  # doctest: +SKIP
    ...     model(**inputs)
    >>> reader.states[8].shape  # doctest: +SKIP
    torch.Size([2, 66, 576])
    """

    def __init__(self, blocks: nn.ModuleList, layers: Sequence[int]) -> None:
        self.states: dict[int, torch.Tensor] = {}
        self.embeddings: torch.Tensor | None = None
        self._blocks = blocks
        self._layers = sorted(set(layers))
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> Self:
        try:
            self._register()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._remove()
        return kind is _Stop

    def _register(self) -> None:
        self._handles.append(self._blocks[0].register_forward_pre_hook(self._first, with_kwargs=True))
        for layer in self._layers:
            self._handles.append(self._blocks[layer - 1].register_forward_hook(self._hook(layer)))

    def _first(self, _module: nn.Module, inputs: tuple, named: dict) -> None:
        self.embeddings = inputs[0] if inputs else named["hidden_states"]

    def _hook(self, layer: int):
        def record(_module: nn.Module, _inputs: object, output: torch.Tensor | tuple) -> None:
            # Some families' blocks return a tuple whose first item is the hidden state.
            self.states[layer] = output[0] if isinstance(output, tuple) else output
            if layer == self._layers[-1]:
                raise _Stop

        return record

    def _remove(self) -> None:
        while self._handles:
            self._handles.pop().remove()


class HeadReader(LayerReader):
    """Records what the attention heads of every block give at the last token, before they are mixed.

    ``states`` holds, for each block, the last row of its output projection's input: (B, heads * width of a head). The
    pass ends there in the last block.

    Parameters
    ----------
    blocks : ModuleList
        The decoder blocks of the language model, which keep the projection as ``self_attn.o_proj``, as most do.

    Raises
    ------
    BackboneError
        If a block keeps it elsewhere.
    """

    def __init__(self, blocks: nn.ModuleList) -> None:
        super().__init__(blocks, range(1, len(blocks) + 1))
        self._projections = [getattr(getattr(block, "self_attn", None), "o_proj", None) for block in blocks]
        missing = [layer for layer, found in zip(self._layers, self._projections, strict=True) if found is None]
        if missing:
            raise BackboneError(
                f"Attention heads cannot be read: decoder blocks {missing} ({type(blocks[missing[0] - 1]).__name__}) "
                "have no self_attn.o_proj; take another backbone."
            )

    def _register(self) -> None:
        for layer, projection in zip(self._layers, self._projections, strict=True):
            assert projection is not None
            self._handles.append(projection.register_forward_pre_hook(self._before(layer)))

    def _before(self, layer: int):
        def record(_module: nn.Module, inputs: tuple) -> None:
            self.states[layer] = inputs[0][:, -1]
            if layer == self._layers[-1]:
                raise _Stop

        return record
