"""A backbone that is loaded when it is first run: what is known already needs no weights."""

from __future__ import annotations

from collections.abc import Callable

from hiprobe.backbones.base import Backbone, BackboneInfo
from hiprobe.backbones.reading import Batch, Reading, States


class Deferred:
    """Meets the Backbone protocol; its facts are known from the start.

    Parameters
    ----------
    info : BackboneInfo
        The facts, as the backbone will state them itself.
    load : callable
        Loads the backbone.
    load_complete : callable, optional
        Loads it as it must be to generate text, where ``load`` leaves something out.
    """

    def __init__(
        self, info: BackboneInfo, load: Callable[[], Backbone], load_complete: Callable[[], Backbone] | None = None
    ) -> None:
        self._info = info
        self._load = load
        self._load_complete = load_complete or load
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

    def read(self, batch: Batch, reading: Reading) -> States:
        """See :meth:`hiprobe.backbones.base.Backbone.read`."""
        return self.loaded.read(batch, reading)

    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        """See :meth:`hiprobe.backbones.base.Backbone.generate`."""
        if self._loaded is None:
            self._loaded = self._load_complete()
        return self._loaded.generate(batch, prompt, max_new_tokens)
