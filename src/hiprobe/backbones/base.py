"""What a backbone must offer, whichever multimodal LLM stands behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args, runtime_checkable

from hiprobe.errors import UsageError

if TYPE_CHECKING:  # the command line reads this module before it knows whether there is anything to compute
    import numpy as np
    from numpy.typing import NDArray

Pooling = Literal["last", "visual", "motion"]
"""How the hidden states of one segment's tokens become one vector at a layer.

``last``: the last prompt token at prefill, as in the paper. ``visual``: the mean over the visual tokens.
``motion``: their mean weighted by motion: each visual token counts by how far what it stands for departs
from its own mean over the segment, so that what moves outweighs what stands still.
"""

POOLINGS: tuple[str, ...] = get_args(Pooling)

FRAME_INTERVAL = 0.25
"""Seconds between frames whose times are not known: those of 8 frames in a segment of 2 s."""


@dataclass(frozen=True)
class TokenSite:
    """Where the states of single tokens are read, for one-class probes.

    Attributes
    ----------
    site : {"decoder", "vision"}
        ``decoder``: visual tokens in the decoder's blocks. ``vision``: patch tokens in the vision tower's blocks.
    layers : tuple of int
        Blocks, from 1, that one-class fitting chooses among; few, as the states of many tokens are large.
    width : int
        D, the size of a token's state there.
    frame_size : tuple of int
        (height, width) in pixels of the frames that it is read from.
    """

    site: Literal["decoder", "vision"]
    layers: tuple[int, ...]
    width: int
    frame_size: tuple[int, int]


@dataclass(frozen=True)
class BackboneInfo:
    """The facts of a backbone.

    Attributes
    ----------
    name : str
        What the user calls it.
    fingerprint : str
        Changes with the weights or the configuration; a probe is valid for one fingerprint.
    layers : int
        L, the number of decoder blocks. Layer l is the output of block l = 1..L.
    width : int
        D, the size of a hidden state.
    frame_size : tuple of int
        (height, width) in pixels of the frames that it takes.
    pooling : {"last", "visual", "motion"}
        The pooling that was measured to serve this backbone best.
    warnings : tuple of str
        What a user of its output must know.
    tokens_per_frame : float, optional
        Visual tokens that a frame becomes, where that does not depend on K.
    depth : int, optional
        How many decoder blocks are loaded, where it is not all of them: states end there, and no text can be generated.
    device : str
        Where it runs: ``cpu``, ``cuda``, ``cuda:1``, ...
    memory : int, optional
        Bytes that one forward pass may take there; by default half of what is free.
    tokens : TokenSite, optional
        Where states of single tokens are read, if they can be.
    """

    name: str
    fingerprint: str
    layers: int
    width: int
    frame_size: tuple[int, int]
    pooling: Pooling
    warnings: tuple[str, ...] = ()
    tokens_per_frame: float | None = None
    depth: int | None = None
    device: str = "cpu"
    memory: int | None = None
    tokens: TokenSite | None = None


class Backbone(Protocol):
    """A frozen multimodal LLM whose hidden states can be read."""

    @property
    def info(self) -> BackboneInfo:
        """The facts of this backbone."""
        ...

    def load(self) -> None:
        """Get ready to run, which may take long the first time; facts are known without it."""
        ...

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """Read hidden states at prefill; no token is generated, and blocks above the deepest layer do not run.

        Parameters
        ----------
        frames : ndarray of uint8, shape (B, K, H, W, 3)
            B segments of K RGB frames each, of ``info.frame_size``.
        prompt : str
            The text that follows the frames.
        layers : sequence of int
            Decoder blocks, 1..L, ascending.
        pooling : {"last", "visual", "motion"}
            See :data:`Pooling`.
        seconds : sequence of float, optional
            How long each of the B segments is: K frames are a K-th of it apart. Some families tell the language model.
            By default frames are ``FRAME_INTERVAL`` apart.

        Returns
        -------
        ndarray of float32, shape (B, layers, D)

        Raises
        ------
        UsageError
            If a layer or the pooling does not exist, or the frames have another shape.
        BackboneError
            If a hidden state is not finite.
        """
        ...

    def generate(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        max_new_tokens: int,
        seconds: float | None = None,
    ) -> str:
        """Answer ``prompt`` about the frames, uint8 (K, H, W, 3), of one segment of so many seconds, greedily."""
        ...


@runtime_checkable
class TokenBackbone(Backbone, Protocol):
    """A backbone that also gives the states of single tokens, which one-class probes score."""

    def token_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """Read the states of all visual tokens at the site of ``info.tokens``.

        Parameters
        ----------
        frames : ndarray of uint8, shape (B, K, H, W, 3)
            As for :meth:`Backbone.hidden_states`, but of the site's ``frame_size``.
        prompt, seconds
            As there; the vision tower is told neither.
        layers : sequence of int
            Blocks at the site, ascending.

        Returns
        -------
        ndarray of float32, shape (B, layers, steps, P, D)
            P tokens in each of the steps of time into which the K frames are divided; one place keeps its index.
        """
        ...


@dataclass(frozen=True, eq=False)
class PlacedStates:
    """What a block made of the visual tokens of B segments, laid out as the picture is.

    Attributes
    ----------
    pooled : ndarray of float32, shape (B, D)
        What :meth:`Backbone.hidden_states` gives.
    states : ndarray of float32, shape (B, steps, rows, columns, D)
        Of the visual tokens; of several that stand for one place, the mean. Rows and columns divide the whole picture
        evenly, steps the K frames.
    motion : ndarray of float32, shape (B, K, rows, columns), optional
        How far what is at each place of each frame departs from the frame before, on a finer grid: where the tokens of
        a segment stand for all of its frames, this tells which of them, and where within a cell.
    """

    pooled: NDArray[np.float32]
    states: NDArray[np.float32]
    motion: NDArray[np.float32] | None = None


@runtime_checkable
class PlacedBackbone(Backbone, Protocol):
    """A backbone that also gives the states of visual tokens by their place in the picture, for anomaly maps."""

    def placed_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layer: int,
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> PlacedStates:
        """Read one layer; parameters are those of :meth:`Backbone.hidden_states`.

        Raises
        ------
        UsageError
            As there; and if it is not known which place a token stands for.
        """
        ...


Site = Literal["vision", "projector", "heads"]
"""Where a segment is read beside the outputs of the decoder's blocks.

``vision``: each block of the vision tower, as two vectors: the mean over patches and frames, and how much patches
change, the mean over patches of their standard deviation over frames. ``projector``: what the first decoder block is
given, as two vectors: its poolings ``visual`` and ``motion``. ``heads``: each attention head of each decoder block at
the last prompt token, block by block, before the output projection.
"""


@runtime_checkable
class SiteBackbone(Backbone, Protocol):
    """A backbone that is also read beside the outputs of its decoder blocks."""

    def site_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        site: Site,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """Read a site.

        Parameters
        ----------
        frames, prompt, seconds
            As for :meth:`Backbone.hidden_states`.
        site : {"vision", "projector", "heads"}
            See :data:`Site`.

        Returns
        -------
        ndarray of float32, shape (B, places, width)
            Places are blocks, one, or heads. Of two vectors, the second follows the first.

        Raises
        ------
        BackboneError
            If this architecture keeps the site where it is not found.
        """
        ...


def token_grid(info: BackboneInfo, tokens: int, frame_size: tuple[int, int]) -> tuple[int, int]:
    """Return the (rows, columns) in which the tokens of a frame, row by row, divide it evenly.

    Raises
    ------
    UsageError
        If there is no such grid.
    """
    height, width = frame_size
    rows = max(1, round((tokens * height / width) ** 0.5))
    columns = tokens // rows
    if rows * columns != tokens or rows * width != columns * height:
        raise UsageError(
            f"The {info.name} backbone: {tokens} visual tokens a frame of {width}x{height} pixels make no even grid, "
            "so it cannot be told where each lies; pass --no-map."
        )
    return rows, columns


def check_request(info: BackboneInfo, frames: NDArray[np.uint8], layers: Sequence[int], pooling: str) -> None:
    """Raise UsageError unless a backbone with these facts can serve the request."""
    if frames.ndim != 5 or frames.dtype != "uint8" or frames.shape[2:] != (*info.frame_size, 3):
        raise UsageError(
            f"Frames of shape {frames.shape} and type {frames.dtype}: the {info.name} backbone takes uint8 "
            f"(B, K, {info.frame_size[0]}, {info.frame_size[1]}, 3)."
        )
    depth = info.depth or info.layers
    if not layers or list(layers) != sorted(set(layers)) or layers[0] < 1 or layers[-1] > depth:
        raise UsageError(
            f"Layers {list(layers)}: give ascending decoder blocks between 1 and {depth}"
            + (f", up to which it was loaded of {info.layers}" if depth < info.layers else "")
            + "; 0 would be the embedding, which is not a layer."
        )
    if pooling not in POOLINGS:
        raise UsageError(f"Pooling {pooling!r}: choose one of {', '.join(POOLINGS)}.")
