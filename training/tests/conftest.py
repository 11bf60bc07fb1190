"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hiprobe_training.scenes.raster import Renderer


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    pytest.importorskip("moderngl", reason="the scene generator's renderer needs moderngl")
    try:
        made = Renderer()
    except Exception as error:
        pytest.skip(f"no EGL context can be made here: {error}")
    with made:
        yield made
