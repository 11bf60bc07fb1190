"""What a half-filled cache lacks is fetched; a fake hub stands in for the real one."""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hiprobe.backbones import LoadOptions, load_backbone
from hiprobe.backbones.checking import check_checkpoint
from hiprobe.backbones.checkpoint import find_checkpoint
from hiprobe.errors import BackboneError
from tests.families.toys import write_toy

NAME, COMMIT = "someone/model", "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A repository, and a cache of it that may be half filled, as the hub's client keeps it."""

    def __init__(self, repository: Path, cache: Path) -> None:
        self.repository, self.here = repository, cache / "snapshots" / COMMIT
        self.reached = True
        self.asked: list[str | None] = []

    def fill(self, *without: str) -> None:
        """Fill the cache but for some files."""
        ignored = shutil.ignore_patterns(*without)
        shutil.copytree(self.repository, self.here, ignore=ignored, dirs_exist_ok=True)

    def download(
        self, name: str, *, revision: str | None, allow_patterns: list[str], local_files_only: bool = False
    ) -> str:
        """Stand in for snapshot_download, which gives what is here where the hub is not reached."""
        assert name == NAME
        if not local_files_only:
            self.asked.append(revision)
            if self.reached:
                for path in self.repository.iterdir():
                    if any(fnmatch.fnmatch(path.name, pattern) for pattern in allow_patterns):
                        self.here.mkdir(parents=True, exist_ok=True)
                        shutil.copy(path, self.here)
            elif not self.here.is_dir():
                raise ConnectionError("no route to the hub")
        if not self.here.is_dir():
            raise FileNotFoundError
        return str(self.here)

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.here.iterdir()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy("internvl", tmp_path_factory.mktemp("internvl"))


@pytest.fixture
def hub(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(repository, tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", found.download)
    return found


def open_it(told: list[str]) -> None:
    load_backbone(NAME, told.append)


def pull(told: list[str]) -> None:
    find_checkpoint(NAME, LoadOptions(), told.append, complete=True)


HALF = [
    ("preprocessor_config.json", "video_preprocessor_config.json"),
    ("tokenizer*",),
    ("chat_template*",),
    ("preprocessor*", "video*", "processor*", "tokenizer*", "chat*", "generation*"),
    ("*.safetensors",),
]


@pytest.mark.parametrize("use", [open_it, pull])
@pytest.mark.parametrize("without", HALF, ids=str)
def test_what_is_missing_is_fetched_of_the_same_commit(without: tuple, use: Callable, hub: Hub) -> None:
    hub.fill(*without)
    told: list[str] = []
    use(told)
    assert hub.files == {path.name for path in hub.repository.iterdir()}
    assert hub.asked == [COMMIT] and any("fetching someone/model" in line and "missing" in line for line in told)


def test_pulling_and_checking_ask_for_what_not_every_checkpoint_has(hub: Hub) -> None:
    hub.fill("video_preprocessor_config.json")
    open_it([])
    assert hub.asked == []  # what is there is used without the network
    pull([])
    assert "video_preprocessor_config.json" in hub.files
    (hub.here / "generation_config.json").unlink()
    next(iter(check_checkpoint(NAME, LoadOptions())))
    assert "generation_config.json" in hub.files and hub.asked == [COMMIT] * 2


def test_nothing_there_is_fetched_wholly(hub: Hub) -> None:
    told: list[str] = []
    open_it(told)
    assert hub.asked == [None] and told[0] == "fetching someone/model; it is kept in the hub's cache"


@pytest.mark.parametrize(
    ("without", "named"), [("preprocessor*", "preprocessor_config.json"), ("tokenizer*", "its tok")]
)
def test_offline_and_without_a_network_it_is_named(without: str, named: str, hub: Hub) -> None:
    hub.fill(without)
    with pytest.raises(BackboneError, match=rf"missing: {named}.*offline mode forbids .* models pull"):
        find_checkpoint(NAME, LoadOptions(offline=True))
    assert hub.asked == []
    hub.reached = False
    with pytest.raises(BackboneError, match=f"{named}.* is missing, and the hub gave none; check the network"):
        pull([])


def test_what_looks_whole_is_used_where_the_hub_cannot_be_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.fill()
    assert find_checkpoint(NAME, LoadOptions(offline=True), complete=True) == hub.here and hub.asked == []
    local = hub.download

    def failing(name: str, **how: object) -> str:
        if how.get("local_files_only"):
            return local(name, **how)  # type: ignore[arg-type]
        raise RuntimeError("503")

    monkeypatch.setattr("huggingface_hub.snapshot_download", failing)
    told: list[str] = []
    assert find_checkpoint(NAME, LoadOptions(), told.append, complete=True) == hub.here
    assert told == ["someone/model: the hub cannot be asked (503); what is on this machine is used"]
