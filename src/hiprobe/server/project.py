"""A project: the folder, what may be read, its limits, and the lock that keeps a second server out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from hiprobe.errors import OutputError, UsageError

_HIDDEN = ".hiprobe"


@dataclass(frozen=True)
class Settings:
    """What a server is started with.

    Attributes
    ----------
    folder : Path
        Of the project. Its videos may be added; what the server writes is in ``.hiprobe`` and ``uploads`` below it.
    allow : tuple of Path
        Further folders that videos may be added from.
    max_upload : int
        Bytes of one upload.
    max_waiting : int
        Detections that may wait at a time.
    jobs_per_minute : int
        Detections that may be asked for in a minute.
    """

    folder: Path
    allow: tuple[Path, ...] = ()
    max_upload: int = 4 << 30
    max_waiting: int = 200
    jobs_per_minute: int = 120

    @property
    def state(self) -> Path:
        """The folder of the database, of refitted probes and of copies for playing."""
        return self.folder / _HIDDEN

    @property
    def uploads(self) -> Path:
        """The folder of uploaded videos."""
        return self.folder / "uploads"


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Hold the project; the system lets it go when the process ends, however it ends.

    Raises
    ------
    UsageError
        If the folder is none, or another server holds it.
    OutputError
        If it cannot be written.
    """
    if not settings.folder.is_dir():
        raise UsageError(f"{settings.folder}: is no folder; make it, or name the folder of a project.")
    lock = FileLock(settings.state / "lock", timeout=0)
    try:
        settings.state.mkdir(exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            f"{settings.folder}: another server is running on this project; use that one, or end it first."
        ) from error
    except OSError as error:
        raise OutputError(
            f"{settings.folder}: cannot be written ({error.strerror or error}); free space or name another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
