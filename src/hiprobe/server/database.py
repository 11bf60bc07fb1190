"""SQLite, so that a label is on the disk when its request is answered, whatever becomes of the server then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from hiprobe.errors import UsageError

_MIGRATIONS = Path(__file__).parent / "migrations"

_PRAGMAS = (
    "journal_mode = WAL",  # readers do not wait for a writer
    "synchronous = FULL",  # a commit is on the disk, should the power fail too
    "foreign_keys = ON",
    "busy_timeout = 10000",
)


class Database:
    """The state of a project, in one file.

    Parameters
    ----------
    path : Path
        The file; made if it is not there, and brought to this release's tables if it is of an older one.

    Raises
    ------
    UsageError
        If it is no database, or one of a newer release.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = _engine(path)
        try:
            self._migrate()
        except CommandError as error:
            raise UsageError(f"{path}: was written by a newer HiProbe ({error}); update hiprobe.") from error
        except DatabaseError as error:
            raise UsageError(
                f"{path}: is no project database, or is damaged ({error.orig}); restore it from a copy, or move it "
                "away to begin anew."
            ) from error

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session that sees one state of the database."""
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Yield a session whose changes are kept when the block ends, all of them, or none if it raises.

        Such blocks come one after the other, whoever asks for them: what one reads no other changes.
        """
        with Session(self._engine.execution_options(writes=True), expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self._engine.execution_options(writes=True).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy says when a transaction begins, see below
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # A writer that began by reading could find that another has written since, and would fail.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
