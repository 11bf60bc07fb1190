"""Feature files: what a backbone said of one video, with everything that tells whether it still applies."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from hiprobe.backbones import Pooling, Reading, Site, View
from hiprobe.errors import FeatureError
from hiprobe.files import atomic_path
from hiprobe.sampling import Sampling
from hiprobe.video import VideoInfo

SCHEMA = "hiprobe.features/1"
_KEY = "hiprobe"


@dataclass(frozen=True, eq=False)
class Features:
    """Hidden states of one video.

    Attributes
    ----------
    video : VideoInfo
        The facts of the video.
    identity : str
        Of the video's content, see :func:`hiprobe.video.video_identity`.
    reading : Reading
        How the states were made.
    starts, ends : ndarray of shape (n,)
        Segment borders in seconds.
    states : ndarray of float32, shape (n, layers, D)
        In the order of :attr:`layers`; or what an extraction kept of them.
    name : str
        Of what is kept: see :class:`hiprobe.features.Extraction`.
    looks : ndarray of float32, shape (n, 12), optional
        How the frames of each segment look: see :class:`hiprobe.features.Look`. Files of earlier releases have none.
    """

    video: VideoInfo
    identity: str
    reading: Reading
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    states: NDArray[np.float32]
    name: str = ""
    looks: NDArray[np.float32] | None = None

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that the states are of."""
        return self.reading.layers or tuple(range(1, self.states.shape[1] + 1))

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middles of the segments, in seconds: (n,)."""
        return (self.starts + self.ends) / 2

    def at(self, layer: int) -> NDArray[np.float32]:
        """Return the hidden states at one layer: (n, D)."""
        return self.states[:, self.layers.index(layer)]


@dataclass(frozen=True)
class _Spec:
    """A reading as files hold it. What was added after schema 1 began is left out where it has its first meaning."""

    sampling: Sampling
    prompt: str
    fingerprint: str
    layers: tuple[int, ...]
    pooling: Pooling
    site: Site = "decoder"
    frame_size: tuple[int, int] | None = None
    system: str | None = None
    view: View = "whole"
    name: str = ""
    pixels: int | None = None

    @classmethod
    def of(cls, reading: Reading, name: str) -> _Spec:
        shown = (reading.site, reading.frame_size, reading.system, reading.view)
        asked = (reading.sampling, reading.prompt, reading.backbone, reading.layers, reading.pooling)
        return cls(*asked, *shown, name=name, pixels=reading.pixels)

    def reading(self) -> Reading:
        own = (self.site, self.frame_size, self.system, self.view)
        asked = (self.fingerprint, self.layers, self.pooling, self.prompt, self.sampling)
        return Reading(*asked, *own, pixels=self.pixels)

    def body(self) -> dict[str, Any]:
        added = {field.name: field.default for field in dataclasses.fields(self)[5:]}
        return {
            name: value for name, value in dataclasses.asdict(self).items() if name not in added or value != added[name]
        }


@dataclass(frozen=True)
class _Header:
    schema: str
    video: VideoInfo
    identity: str
    spec: _Spec


class FeatureStore:
    """A folder of feature files.

    Parameters
    ----------
    folder : Path
        Made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def path(self, video: Path, identity: str, reading: Reading, name: str = "") -> Path:
        """Return where the features of a video, by its content's identity and a reading, are or would be."""
        key = json.dumps([SCHEMA, identity, _Spec.of(reading, name).body()], sort_keys=True)
        return self.folder / f"{video.stem}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"

    def find(self, video: Path, identity: str, reading: Reading, name: str = "") -> Features | None:
        """Return the features of a video if they are here and apply.

        Raises
        ------
        FeatureError
            If the file is damaged.
        """
        path = self.path(video, identity, reading, name)
        if not path.exists():
            return None
        features = load_features(path)
        if (features.identity, features.reading, features.name) != (identity, reading.kept, name):
            raise FeatureError(f"{path}: holds features of another video or setting; delete it and run again.")
        # The content is the same; it may lie elsewhere than when the features were made.
        moved = dataclasses.replace(features.video, path=video)
        return dataclasses.replace(features, video=moved, reading=reading.kept)

    def save(self, features: Features) -> Path:
        """Write features, atomically; a full disk or a kill leaves no partial file. Raises OutputError."""
        path = self.path(features.video.path, features.identity, features.reading, features.name)
        spec = _Spec.of(features.reading, features.name)
        header = TypeAdapter(_Header).dump_python(_Header(SCHEMA, features.video, features.identity, spec), mode="json")
        header["spec"] = spec.body()
        tensors = {"starts": features.starts, "ends": features.ends, "states": features.states}
        if features.looks is not None:
            tensors["looks"] = features.looks
        with atomic_path(path) as temporary:
            contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
            # Written by Python: safetensors' own writer reports a full disk as an error of its own.
            temporary.write_bytes(safetensors.numpy.save(contiguous, metadata={_KEY: json.dumps(header)}))
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
            # Optional, so that files without it are read, and releases that do not know it read files with it.
            looks = file.get_tensor("looks") if "looks" in file.keys() else None  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValidationError) as error:
        raise FeatureError(f"{path}: is no whole feature file ({_line(error)}); delete it and run again.") from error
    if header.schema != SCHEMA:
        raise FeatureError(f"{path}: has schema {header.schema!r}, not {SCHEMA!r}; delete it and run again.")
    return Features(header.video, header.identity, header.spec.reading(), **tensors, name=header.spec.name, looks=looks)


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
