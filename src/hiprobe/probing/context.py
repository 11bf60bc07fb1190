"""What a probe is valid for, and what it was fitted on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

from pydantic import AliasChoices, Field

from hiprobe.errors import ProbeError

_SHOWN = {"fingerprint": "backbone fingerprint", "segment_length": "segment length in seconds"}


@dataclass(frozen=True)
class ProbeContext:
    """What a probe is valid for.

    Attributes
    ----------
    backbone_name : str
        For people. The same weights may go by several names, so it is not compared.
    fingerprint : str
        Identity of the backbone's weights and configuration.
    prompt : str
        The text given with the frames.
    segment_length, stride : float
        Seconds.
    frames : int
        K, frames sampled from a segment.
    """

    backbone_name: str
    fingerprint: str
    prompt: str
    segment_length: float
    stride: float
    frames: int

    def differences(self, at_hand: ProbeContext) -> list[str]:
        """Return what differs between the context of a probe and the one at hand, a phrase each."""
        names = [field.name for field in fields(self) if field.name != "backbone_name"]
        found = []
        for name in names:
            mine, theirs = getattr(self, name), getattr(at_hand, name)
            if mine == theirs:
                continue
            mine, theirs = repr(mine), repr(theirs)
            if name == "fingerprint":
                mine, theirs = f"{mine} ({self.backbone_name})", f"{theirs} ({at_hand.backbone_name})"
            found.append(f"{_SHOWN.get(name, name)}: probe has {mine}, at hand is {theirs}")
        return found


def check_context(probe: ProbeContext, at_hand: ProbeContext) -> None:
    """Raise ProbeError, with everything that differs, unless a probe is valid for what is at hand."""
    differences = probe.differences(at_hand)
    if differences:
        raise ProbeError(
            f"The probe does not fit what is at hand ({'; '.join(differences)}); "
            "use the backbone and settings of the probe, or fit a new one."
        )


@dataclass(frozen=True)
class CalibrationStats:
    """What a probe was fitted on, and how well.

    Attributes
    ----------
    n_videos, n_segments, n_abnormal, n_groups : int
        Numbers of videos, of segments, of abnormal segments, and of groups.
    kinds : tuple of str
        The kinds of anomaly among them.
    cv_auc : float
        Out-of-fold AUC of the scorer on segments.
    C : float
        The chosen inverse regularisation strength.
    video_level : bool
        Whether a label of a whole clip stood for all its segments.
    source : str
        Where the labels came from.
    notes : tuple of str
        What is worth knowing about the fit, in sentences.
    """

    n_videos: int
    n_segments: int
    n_abnormal: int
    n_groups: int
    kinds: tuple[str, ...]
    cv_auc: float
    C: float
    # The files of the first releases call it by its second name.
    video_level: Annotated[bool, Field(validation_alias=AliasChoices("video_level", "clip_level"))]
    source: str
    notes: tuple[str, ...] = ()
