"""The table of benchmarks.native: what it says is so, and it would say where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import native
from hiprobe.backbones.families.base import has_torchvision
from hiprobe.backbones.families.llava_onevision import LlavaOnevision

CHECKPOINT = "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"
with_torchvision = pytest.mark.skipif(not has_torchvision(), reason="needs torchvision: make test-families")


def test_where_the_native_processor_cannot_be_built_it_says_so(tmp_path: Path) -> None:
    (row,) = native.compare(tmp_path, CHECKPOINT)  # every video has frames of the one size
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == [CHECKPOINT, "320x240", "84x84"]
    assert cells[3:7] == (["yes", "yes", "none", "yes"] if has_torchvision() else ["not built", "", "", ""])


@with_torchvision
def test_a_difference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = LlavaOnevision.prepare
    monkeypatch.setattr(LlavaOnevision, "prepare", lambda self, frames, *rest: prepare(self, 255 - frames, *rest))
    (row,) = native.compare(tmp_path, CHECKPOINT)
    assert "| yes | NO: " in row and np.char.count(row, "NO: ") == 2
