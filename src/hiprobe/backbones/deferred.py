"""A backbone that is loaded when it is first run: what is known already needs no weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hiprobe.backbones.base import (
    Backbone,
    BackboneInfo,
    PlacedBackbone,
    PlacedStates,
    Pooling,
    Site,
    SiteBackbone,
    TokenBackbone,
)
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Deferred:
    """Meets the Backbone protocol; its facts are known from the start.

    Parameters
    ----------
    info : BackboneInfo
        The facts, as the backbone will state them itself.
    load : callable
        Loads the backbone.
    load_whole : callable, optional
        Loads it as it must be to generate text, where ``load`` leaves something out.
    """

    def __init__(
        self, info: BackboneInfo, load: Callable[[], Backbone], load_whole: Callable[[], Backbone] | None = None
    ) -> None:
        self._info = info
        self._load = load
        self._load_whole = load_whole or load
        self._loaded: Backbone | None = None

    @property
    def info(self) -> BackboneInfo:
        """See :attr:`hiprobe.backbones.base.Backbone.info`."""
        return self._info if self._loaded is None else self._loaded.info

    @property
    def loaded(self) -> Backbone:
        """The backbone itself, loaded if it is not yet. Raises what loading it raises."""
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def load(self) -> None:
        """See :meth:`hiprobe.backbones.base.Backbone.load`. Raises what loading it raises."""
        _ = self.loaded

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`hiprobe.backbones.base.Backbone.hidden_states`."""
        return self.loaded.hidden_states(frames, prompt, layers, pooling, seconds)

    def token_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`hiprobe.backbones.base.TokenBackbone.token_states`; UsageError if the backbone gives none."""
        if not isinstance(self.loaded, TokenBackbone):
            raise UsageError(f"The {self.info.name} backbone gives no states of single tokens; use another.")
        return self.loaded.token_states(frames, prompt, layers, seconds)

    def placed_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layer: int,
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> PlacedStates:
        """See :meth:`hiprobe.backbones.base.PlacedBackbone.placed_states`; UsageError if the backbone gives none."""
        if not isinstance(self.loaded, PlacedBackbone):
            raise UsageError(f"The {self.info.name} backbone does not tell places apart; no anomaly map can be drawn.")
        return self.loaded.placed_states(frames, prompt, layer, pooling, seconds)

    def site_states(
        self, frames: NDArray[np.uint8], prompt: str, site: Site, seconds: Sequence[float] | None = None
    ) -> NDArray[np.float32]:
        """See :meth:`hiprobe.backbones.base.SiteBackbone.site_states`; UsageError if the backbone has none."""
        if not isinstance(self.loaded, SiteBackbone):
            raise UsageError(f"The {self.info.name} backbone is read at its decoder blocks only; use another.")
        return self.loaded.site_states(frames, prompt, site, seconds)

    def generate(
        self, frames: NDArray[np.uint8], prompt: str, max_new_tokens: int, seconds: float | None = None
    ) -> str:
        """See :meth:`hiprobe.backbones.base.Backbone.generate`."""
        if self._loaded is None:
            self._loaded = self._load_whole()
        return self._loaded.generate(frames, prompt, max_new_tokens, seconds)
