"""Public datasets in the layout of their authors, by name. A new one is a file here and a line below."""

from __future__ import annotations

from hiprobe.datasets.adapters.avenue import Avenue
from hiprobe.datasets.adapters.base import ALL, Dataset, FrameLabels, misfit, seconds
from hiprobe.datasets.adapters.msad import Msad
from hiprobe.datasets.adapters.shanghaitech import ShanghaiTech
from hiprobe.datasets.adapters.surv_fight import SurvFight
from hiprobe.datasets.adapters.ucf_crime import UcfCrime
from hiprobe.datasets.adapters.ucsd import UcsdPed1, UcsdPed2
from hiprobe.datasets.adapters.xd_violence import XdViolence
from hiprobe.errors import UsageError

__all__ = ["ALL", "Dataset", "FrameLabels", "datasets", "find_dataset", "misfit", "seconds"]

_DATASETS: tuple[Dataset, ...] = (
    UcfCrime(),
    XdViolence(),
    UcsdPed1(),
    UcsdPed2(),
    Avenue(),
    ShanghaiTech(),
    Msad(),
    SurvFight(),
)


def datasets() -> tuple[Dataset, ...]:
    """Return the datasets that can be read."""
    return _DATASETS


def find_dataset(name: str) -> Dataset:
    """Return the dataset of a name, such as ``ucf-crime``. Raises UsageError if there is none."""
    for dataset in _DATASETS:
        if dataset.name == name:
            return dataset
    raise UsageError(f"There is no dataset {name!r}; choose one of {', '.join(item.name for item in _DATASETS)}.")
