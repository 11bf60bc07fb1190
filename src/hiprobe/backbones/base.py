"""What a backbone must offer, whichever multimodal LLM stands behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hiprobe.backbones.reading import DEFAULT_PROMPT, POOLINGS, Batch, Pooling, Reading, Site, States
from hiprobe.backbones.sizes import Size, Sizes
from hiprobe.errors import UsageError
from hiprobe.sampling import Sampling

FRAME_INTERVAL = 0.25
"""Seconds between frames whose times are not known: those of 8 frames in a segment of 2 s."""


@dataclass(frozen=True)
class TokenSource:
    """Where the states of single tokens are best read, for one-class probes.

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

    site: Site
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
        (height, width) in pixels of the frames that it takes; of readings without ``pixels``, where it takes more.
    pooling : {"last", "visual", "motion", "observed"}
        The pooling that was measured to serve this backbone best.
    warnings : tuple of str
        What a user of its output must know.
    tokens_per_frame : float, optional
        Visual tokens that a frame becomes, where that does not depend on K.
    depth : int, optional
        How many decoder blocks are loaded, where it is not all of them: states end there, and no text can be generated.
    device : str
        Where it runs: ``cpu``, ``cuda``, ``cuda:1``, ...
    tokens : TokenSource, optional
        Where states of single tokens are read, if they can be.
    places : bool
        Whether it tells where in the picture visual tokens lie, which anomaly maps need.
    poolings : tuple of str
        The poolings of the decoder that it has.
    sizes : Sizes, optional
        Which other sizes of frames it takes.
    former : str
        The fingerprint that HiProbe 0.1 gave it, where it was another one.
    system : str, optional
        The system message that its makers publish. Readings have none unless it is asked for.
    pixels : int, optional
        What a frame may have at most, in new readings; none where frames have ``frame_size``.
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
    tokens: TokenSource | None = None
    places: bool = False
    poolings: tuple[Pooling, ...] = POOLINGS
    sizes: Sizes | None = None
    pixels: int | None = None
    system: str | None = None
    former: str = ""

    @property
    def every_layer(self) -> tuple[int, ...]:
        """The numbers of all decoder blocks."""
        return tuple(range(1, self.layers + 1))

    def reading(
        self,
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        prompt: str = DEFAULT_PROMPT,
        pooling: Pooling | None = None,
    ) -> Reading:
        """Return the reading of every layer, pooled as serves this backbone best unless another pooling is given."""
        way = pooling or self.pooling
        return Reading(self.fingerprint, self.every_layer, way, prompt, sampling, name=self.name, pixels=self.pixels)

    def token_reading(self, sampling: Sampling = Sampling(), prompt: str = DEFAULT_PROMPT) -> Reading:  # noqa: B008
        """Return the reading of single tokens at the few layers that one-class fitting chooses among.

        Raises
        ------
        UsageError
            If the backbone gives no states of single tokens.
        """
        if self.tokens is None:
            raise UsageError(
                f"The {self.name} backbone gives no states of single tokens, which one-class probes need; use "
                "another, or label anomalies and fit without --normal-only."
            )
        of = self.tokens
        return Reading(
            self.fingerprint, of.layers, "tokens", prompt, sampling, of.site, name=self.name, pixels=self.pixels
        )

    def shown_size(self, reading: Reading, video: Size | None = None) -> Size:
        """Return the (height, width) of the frames that a reading is made from.

        Of a reading that keeps the proportions of the ``video``, itself of (height, width) pixels, they follow it; by
        default they are those of a square.
        """
        if reading.frame_size is None and reading.pixels is not None and self.sizes is not None:
            return self.sizes.of(video or self.frame_size, reading.sampling.frames, reading.pixels)
        if reading.frame_size is None and self.tokens and reading.pooling in ("steps", "tokens"):
            return self.tokens.frame_size
        return reading.frame_size or self.frame_size

    def text_size(self, sampling: Sampling, pixels: int | None, video: Size) -> Size:
        """Return the (height, width) of frames that text is generated from, of a video of (height, width) pixels."""
        if pixels is None or self.sizes is None:
            return self.frame_size
        return self.sizes.of(video, sampling.frames, pixels)


class Backbone(Protocol):
    """A frozen multimodal LLM whose hidden states can be read."""

    @property
    def info(self) -> BackboneInfo:
        """The facts of this backbone."""
        ...

    def load(self) -> None:
        """Get ready to run, which may take long the first time; facts are known without it."""
        ...

    def read(self, batch: Batch, reading: Reading) -> States:
        """Read segments at prefill; no token is generated, and blocks above the deepest layer do not run.

        Parameters
        ----------
        batch : Batch
            B segments, their frames of the reading's size.
        reading : Reading
            What to read; its sampling is not looked at.

        Raises
        ------
        UsageError
            If the backbone has no such site, layer or pooling, tells no places, or the frames have another shape.
        BackboneError
            If a state is not finite.
        """
        ...

    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        """Answer ``prompt`` about the frames of one segment, greedily.

        Raises
        ------
        UsageError
            If the batch is not of one segment, or its frames have another shape than ``info.frame_size``.
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


def check_reading(info: BackboneInfo, batch: Batch, reading: Reading) -> None:
    """Raise UsageError unless a backbone with these facts can execute a reading on a batch.

    How many places there are beside the decoder is known of a loaded model only, so it is not checked here.
    """
    pixels = reading.pixels if reading.frame_size is None else None
    _check_frames(info, batch, info.shown_size(reading), pixels)
    _check_pooling(info, reading)
    _check_layers(info, reading)
    if not reading.places:
        return
    if not info.places:
        raise UsageError(f"The {info.name} backbone does not tell places apart; no anomaly map can be drawn.")
    if reading.site != "decoder" or reading.pooling not in info.poolings or len(reading.layers) != 1:
        raise UsageError(
            f"Places of layers {list(reading.layers)}, site {reading.site}, pooling {reading.pooling!r}: they are told "
            f"of one decoder block, with a pooling of {', '.join(info.poolings)}."
        )


def check_own_size(info: BackboneInfo, reading: Reading) -> None:
    """Raise UsageError unless a reading's frames are of the one size that enters the language model."""
    height, width = info.shown_size(reading)
    free = reading.frame_size is None and reading.pixels is not None
    if not free and (height, width) != info.frame_size:
        raise UsageError(
            f"Frames of {width}x{height} pixels at the site {reading.site}: the {info.name} backbone takes "
            f"{info.frame_size[1]}x{info.frame_size[0]} there; leave the frame size out."
        )


def check_segment(info: BackboneInfo, batch: Batch) -> None:
    """Raise UsageError unless a batch is one segment that a backbone with these facts can say something about."""
    height, width = batch.frames.shape[2:4] if batch.frames.ndim == 5 else (0, 0)
    other = info.sizes is not None and (height, width) != info.frame_size
    _check_frames(info, batch, info.frame_size, height * width if other else None)
    if len(batch) != 1:
        raise UsageError(f"A batch of {len(batch)} segments: text is generated about one at a time.")


def _check_frames(info: BackboneInfo, batch: Batch, size: Size, pixels: int | None) -> None:
    """Check frames of one size; of a reading that leaves ``pixels`` for a frame, of any that fits."""
    frames = batch.frames
    if pixels is not None and info.sizes is None:
        raise UsageError(
            f"A reading of up to {pixels} pixels a frame: the {info.name} backbone takes frames of one size, "
            f"{info.frame_size[1]}x{info.frame_size[0]}; leave the pixels out."
        )
    if frames.ndim == 5 and pixels is not None and info.sizes is not None:
        height, width = frames.shape[2:4]
        size = (height, width) if info.sizes.fits((height, width), frames.shape[1], pixels) else size
    if frames.ndim != 5 or frames.dtype != "uint8" or frames.shape[2:] != (*size, 3):
        more = "" if pixels is None else f", or another size of up to {pixels} pixels in its proportions"
        raise UsageError(
            f"Frames of shape {frames.shape} and type {frames.dtype}: the {info.name} backbone takes uint8 "
            f"(B, K, {size[0]}, {size[1]}, 3){more}."
        )
    if batch.seconds is not None and len(batch.seconds) != len(batch):
        raise UsageError(f"{len(batch)} segments and the lengths of {len(batch.seconds)}: give one for each.")


def _check_layers(info: BackboneInfo, reading: Reading) -> None:
    layers = reading.layers
    ascending = list(layers) == sorted(set(layers)) and (not layers or layers[0] >= 1)
    if reading.site != "decoder":
        if not ascending:
            raise UsageError(f"Layers {list(layers)} of the site {reading.site}: give them ascending from 1.")
        return
    depth = info.depth or info.layers
    if not ascending or not layers or layers[-1] > depth:
        raise UsageError(
            f"Layers {list(layers)}: give ascending decoder blocks between 1 and {depth}"
            + (f", up to which it was loaded of {info.layers}" if depth < info.layers else "")
            + "; 0 would be the embedding, which is not a layer."
        )


def _check_pooling(info: BackboneInfo, reading: Reading) -> None:
    """Raise UsageError unless the pooling exists at the site."""
    own: dict[Site, tuple[Pooling, ...]] = {
        "decoder": info.poolings,
        "vision": ("pair",),
        "projector": ("pair",),
        "heads": ("last",),
    }
    if reading.site not in own:
        raise UsageError(f"Site {reading.site!r}: choose one of {', '.join(own)}.")
    tokens: tuple[Pooling, ...] = ("steps", "tokens") if info.tokens and info.tokens.site == reading.site else ()
    if reading.pooling in ("steps", "tokens") and not tokens:
        raise UsageError(
            f"The {info.name} backbone gives no states of single tokens at the site {reading.site}; use another."
        )
    if reading.pooling not in (*own[reading.site], *tokens):
        raise UsageError(
            f"Pooling {reading.pooling!r} at the site {reading.site}: choose one of "
            f"{', '.join((*own[reading.site], *tokens))}."
        )
