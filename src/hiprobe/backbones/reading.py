"""What is read of a segment, and of which backbone: one value that probes, feature files and backbones share.

::

    reading = backbone.info.reading(pooling="visual")           # every decoder layer, the visual tokens' mean
    states = backbone.read(Batch.of(segments), reading)         # states.values: (B, layers, D)
    backbone.read(batch, replace(reading, layers=(8,), places=True)).places    # and where its tokens lie

Layer l is decoder block l = 1..L; ``hidden_states[0]`` of transformers is the embedding, not a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal

from hiprobe.errors import UsageError
from hiprobe.sampling import Sampling

if TYPE_CHECKING:  # the command line reads this module before it knows whether there is anything to compute
    import numpy as np
    from numpy.typing import NDArray

    from hiprobe.video.sampling import SampledSegment

DEFAULT_PROMPT = "Is anything unusual happening in this video?"

EXPLAIN_PROMPT = "Describe in one sentence what happens in this video and what is unusual about it."
"""Asked of any segment: whether something is unusual is left open."""

EVENT_PROMPT = (
    "Something unusual happens in this video. Describe in one sentence what happens and what is unusual about it."
)
"""Asked of an event: that there is one was measured, so it is said (HiProbe-VAD, explanation stage)."""

Site = Literal["decoder", "vision", "projector", "heads"]
"""Where a segment is read.

``decoder``: the outputs of decoder blocks. ``vision``: the blocks of the vision tower. ``projector``: what the first
decoder block is given, one place. ``heads``: each attention head of each decoder block, block by block, before the
output projection.
"""

Pooling = Literal["last", "visual", "motion", "observed", "pair", "steps", "tokens"]
"""How the states of a segment's many tokens become what is kept at each layer.

One vector (D,): ``last``, the last prompt token at prefill, as in the paper. ``visual``, the mean over the visual
tokens. ``motion``, their mean weighted by motion: each visual token counts by how far what it stands for departs from
its own mean over the segment, so that what moves outweighs what stands still.

Of a backbone with an observer, two vectors joined: ``observed``. The first is ``last``. The second is the mean state of
the observer's slots, which say what happens; it is the same at every layer.

Of the sites beside the decoder, two vectors joined (2 D,): ``pair``. At ``vision`` the mean over patches and frames,
and the mean over patches of their standard deviation over frames. At ``projector`` its ``visual`` and its ``motion``.

Of single tokens: ``steps``, the mean over the tokens of each step of time, joined (steps * D,). ``tokens``, all of
them: (steps, P, D).
"""

View = Literal["whole", "crop", "both"]
"""How much of the picture is seen.

``whole``: all of it. ``crop``: the part that changes most in a segment, twice as large or more; people are a few pixels
wide in the whole. ``both``: each by itself, their states joined (2 D,), the whole picture's first.
"""

VIEWS: tuple[View, ...] = ("whole", "crop", "both")

POOLINGS: tuple[Pooling, ...] = ("last", "visual", "motion")
"""Those of the decoder that every backbone has."""

CHOICES: tuple[Pooling, ...] = (*POOLINGS, "observed")
"""Those that a probe of labels can be fitted on."""

_SHOWN = {
    "backbone": "backbone fingerprint",
    "length": "segment length in seconds",
    "frame_size": "frame size",
    "system": "system message",
    "view": "part of the picture",
    "pixels": "pixels of a frame",
}


@dataclass(frozen=True)
class Reading:
    """What is read of each segment of a video, and of which backbone.

    Two equal readings of one video give equal states. A probe holds one, feature files are found by one, and a backbone
    executes one.

    Attributes
    ----------
    backbone : str
        Fingerprint of the backbone's weights and configuration.
    layers : tuple of int
        Layers at the site, ascending from 1; beside the decoder, none stand for all that there are.
    pooling : Pooling
    prompt : str
        The text that follows the frames.
    sampling : Sampling
        How a video is cut into segments, and how many frames are seen of each.
    site : Site
    frame_size : tuple of int, optional
        (height, width) in pixels of the frames; by default the backbone's own.
    system : str, optional
        System message; by default none, or the chat template's own.
    view : View
        How much of the picture is seen. A backbone does not look at it: it is carried out by
        :func:`hiprobe.backbones.views.read_view`.
    places : bool
        Whether to tell where in the picture visual tokens lie, too; of one layer of the decoder. The values are the
        same.
    name : str
        What the user calls the backbone. The same weights may go by several names, so it is not compared.
    pixels : int, optional
        What a frame may have at most, where frames keep the proportions of the video; by default they do not, and all
        have the backbone's one size.
    """

    backbone: str
    layers: tuple[int, ...]
    pooling: Pooling
    prompt: str = DEFAULT_PROMPT
    sampling: Sampling = field(default_factory=Sampling)
    site: Site = "decoder"
    frame_size: tuple[int, int] | None = None
    system: str | None = None
    view: View = "whole"
    places: bool = False
    name: str = field(default="", compare=False)
    pixels: int | None = None

    @property
    def layer(self) -> int:
        """The layer, of a reading of one. Raises UsageError if there are several."""
        if len(self.layers) != 1:
            raise UsageError(f"A reading of layers {self.layers}: one layer is asked for; name it.")
        return self.layers[0]

    @property
    def wording(self) -> Prompt:
        """Prompt and system message."""
        return Prompt(self.prompt, self.system)

    @property
    def kept(self) -> Reading:
        """The reading by which its values are found again: where tokens lie is not among them."""
        return replace(self, places=False)

    def differences(self, other: Reading) -> list[str]:
        """Return what differs between a probe's reading, this one, and the one at hand, a phrase each.

        Layers and pooling are not looked at, nor names alone.
        """
        mine, theirs = _facts(self), _facts(other)
        found = []
        for name, value in mine.items():
            if value == theirs[name]:
                continue
            ours, others = repr(value), repr(theirs[name])
            if name == "backbone":
                ours, others = f"{ours} ({self.name})", f"{others} ({other.name})"
            found.append(f"{_SHOWN.get(name, name)}: probe has {ours}, at hand is {others}")
        return found


def _facts(reading: Reading) -> dict[str, object]:
    names = ("backbone", "prompt", "system", "site", "frame_size", "view", "pixels")
    sampling = {item.name: getattr(reading.sampling, item.name) for item in fields(reading.sampling)}
    return {name: getattr(reading, name) for name in names} | sampling


@dataclass(frozen=True)
class Prompt:
    """The words that a backbone is given with the frames of a segment."""

    text: str
    system: str | None = None

    @classmethod
    def of(cls, words: str | Prompt) -> Prompt:
        """Return words as a prompt; a string has no system message."""
        return words if isinstance(words, Prompt) else cls(words)


@dataclass(frozen=True, eq=False)
class Batch:
    """Segments as a backbone is given them.

    Attributes
    ----------
    frames : ndarray of uint8, shape (B, K, H, W, 3)
        B segments of K RGB frames each.
    seconds : sequence of float, optional
        How long each of the B segments is: K frames are a K-th of it apart. Some families tell the language model. By
        default frames are ``FRAME_INTERVAL`` apart.
    crop : ndarray of uint8, of the shape of ``frames``, optional
        The same segments seen closer; for readings whose view is not the whole picture.
    """

    frames: NDArray[np.uint8]
    seconds: Sequence[float] | None = None
    crop: NDArray[np.uint8] | None = None

    @classmethod
    def of(cls, segments: Sequence[SampledSegment]) -> Batch:
        """Return segments of one size and K as a batch."""
        import numpy as np

        lengths = [item.segment.end - item.segment.start for item in segments]
        crops = [item.crop for item in segments if item.crop is not None]
        crop = np.stack(crops) if segments and len(crops) == len(segments) else None
        return cls(np.stack([item.frames for item in segments]), lengths, crop)

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, eq=False)
class Places:
    """The states of the visual tokens of B segments at one layer, laid out as the picture is.

    Attributes
    ----------
    states : ndarray of float32, shape (B, steps, rows, columns, D)
        Of several tokens that stand for one place, the mean. Rows and columns divide the whole picture evenly, steps
        the K frames.
    motion : ndarray of float32, shape (B, K, rows, columns), optional
        How far what is at each place of each frame departs from the frame before, on a finer grid: where the tokens of
        a segment stand for all of its frames, this tells which of them, and where within a cell.
    """

    states: NDArray[np.float32]
    motion: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class States:
    """What a backbone read of B segments.

    Attributes
    ----------
    values : ndarray of float32, shape (B, layers, D), or (B, layers, steps, P, D) of a reading of ``tokens``
        All finite. P tokens in each of the steps of time into which the K frames are divided; one place keeps its
        index.
    places : Places, optional
        If the reading asked for them.
    """

    values: NDArray[np.float32]
    places: Places | None = None
