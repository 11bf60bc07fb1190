"""Feature files: what a backbone said of one video, with everything that tells whether it still applies."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from hiprobe.backbones import BackboneInfo, Pooling
from hiprobe.errors import FeatureError
from hiprobe.files import atomic_path
from hiprobe.video import Sampling, VideoInfo

SCHEMA = "hiprobe.features/1"
_KEY = "hiprobe"


@dataclass(frozen=True)
class FeatureSpec:
    """How hidden states are made; two runs with equal specs on one video give equal features.

    Attributes
    ----------
    sampling : Sampling
        How the video is cut and sampled.
    prompt : str
        The text given with the frames.
    fingerprint : str
        Of the backbone.
    layers : tuple of int
        Decoder blocks that are read, 1..L.
    pooling : {"last", "visual", "motion"}
    """

    sampling: Sampling
    prompt: str
    fingerprint: str
    layers: tuple[int, ...]
    pooling: Pooling

    @classmethod
    def for_backbone(
        cls, info: BackboneInfo, sampling: Sampling, prompt: str, pooling: Pooling | None = None
    ) -> FeatureSpec:
        """Return the spec that reads every layer of a backbone, with its own pooling unless another is given."""
        layers = tuple(range(1, info.layers + 1))
        return cls(sampling, prompt, info.fingerprint, layers, pooling or info.pooling)


@dataclass(frozen=True, eq=False)
class Features:
    """Hidden states of one video.

    Attributes
    ----------
    video : VideoInfo
        The facts of the video.
    identity : str
        Of the video's content, see :func:`hiprobe.video.video_identity`.
    spec : FeatureSpec
        How the states were made.
    starts, ends : ndarray of shape (n,)
        Segment borders in seconds.
    states : ndarray of float32, shape (n, layers, D)
        In the order of ``spec.layers``.
    """

    video: VideoInfo
    identity: str
    spec: FeatureSpec
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    states: NDArray[np.float32]

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middles of the segments, in seconds: (n,)."""
        return (self.starts + self.ends) / 2

    def at(self, layer: int) -> NDArray[np.float32]:
        """Return the hidden states at one layer: (n, D)."""
        return self.states[:, self.spec.layers.index(layer)]


@dataclass(frozen=True)
class _Header:
    schema: str
    video: VideoInfo
    identity: str
    spec: FeatureSpec


class FeatureStore:
    """A folder of feature files.

    Parameters
    ----------
    folder : Path
        Made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def path(self, video: Path, identity: str, spec: FeatureSpec) -> Path:
        """Return where the features of a video, by its content's identity and a spec, are or would be."""
        key = json.dumps([SCHEMA, identity, dataclasses.asdict(spec)], sort_keys=True)
        return self.folder / f"{video.stem}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"

    def find(self, video: Path, identity: str, spec: FeatureSpec) -> Features | None:
        """Return the features of a video if they are here and apply.

        Raises
        ------
        FeatureError
            If the file is damaged.
        """
        path = self.path(video, identity, spec)
        if not path.exists():
            return None
        features = load_features(path)
        if features.identity != identity or features.spec != spec:
            raise FeatureError(f"{path}: holds features of another video or setting; delete it and run again.")
        # The content is the same; it may lie elsewhere than when the features were made.
        return dataclasses.replace(features, video=dataclasses.replace(features.video, path=video))

    def save(self, features: Features) -> Path:
        """Write features, atomically; a full disk or a kill leaves no partial file. Raises OutputError."""
        path = self.path(features.video.path, features.identity, features.spec)
        header = _Header(SCHEMA, features.video, features.identity, features.spec)
        tensors = {"starts": features.starts, "ends": features.ends, "states": features.states}
        with atomic_path(path) as temporary:
            text = json.dumps(TypeAdapter(_Header).dump_python(header, mode="json"))
            contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
            # Written by Python: safetensors' own writer reports a full disk as an error of its own.
            temporary.write_bytes(safetensors.numpy.save(contiguous, metadata={_KEY: text}))
        return path


def load_features(path: Path) -> Features:
    """Read a feature file.

    Raises
    ------
    FeatureError
        If it is damaged or of another schema.
    """
    try:
        with safe_open(path, "numpy") as file:
            header = TypeAdapter(_Header).validate_json((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in ("starts", "ends", "states")}
    except (SafetensorError, OSError, KeyError, ValidationError) as error:
        raise FeatureError(f"{path}: is no whole feature file ({_line(error)}); delete it and run again.") from error
    if header.schema != SCHEMA:
        raise FeatureError(f"{path}: has schema {header.schema!r}, not {SCHEMA!r}; delete it and run again.")
    return Features(header.video, header.identity, header.spec, **tensors)


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
