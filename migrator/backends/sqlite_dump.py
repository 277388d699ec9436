"""Backups of SQLite: a copy by SQLite's own backup interface, and back the same way.

It copies a consistent state whoever writes meanwhile. The way back is one transaction of the
database that is replaced, with SQLite's own journal: killed in the middle, the next connection
rolls it back.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from migrator.backends.base import Session
from migrator.backends.dump import HISTORY, Dumper, Step
from migrator.backends.sqlite import database_path
from migrator.exceptions import ToolFailed

WAIT_SECONDS = 10.0
PAGES = 4096
"""Copied at a time, so that a signal is heard in between."""

_MAGIC = b"SQLite format 3\0"


class SQLiteDumper(Dumper):
    """See Dumper."""

    vendor = "sqlite"
    suffix = ".sqlite3"

    def tool(self) -> str:
        """See Dumper."""
        return f"SQLite {sqlite3.sqlite_version}"

    def size(self) -> int | None:
        """See Dumper."""
        with self._connected() as database:
            pages, page_size = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "page_size")
            )
        return int(pages) * int(page_size)

    def least(self, size: int) -> int:
        """See Dumper. A copy is as large as what it is a copy of."""
        return size

    def dump(self, path: Path) -> None:
        """See Dumper."""
        with (
            _explained("dump"),
            self._connected() as source,
            _opened(path) as target,
            _one_state_of(source),
        ):
            source.backup(target, pages=PAGES, progress=_impatient(), sleep=0.05)

    def check(self, path: Path, *, history: bool) -> str:
        """See Dumper."""
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ToolFailed("The file is not an SQLite database.")
        with _explained("read"), _unchanged(path) as copy:
            found = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
            if found != ["ok"]:
                raise ToolFailed(f"The file is damaged: {found[0]}")
            has = copy.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [HISTORY]).fetchone()
        if history and not has:
            raise ToolFailed(f"The file does not hold the table {HISTORY}.")
        return "PRAGMA integrity_check"

    def others(self) -> tuple[Session, ...]:
        """See Dumper. SQLite knows no sessions."""
        return ()

    def restore(self, path: Path, *, run_id: str, same: bool, step: Step) -> None:  # noqa: ARG002
        """See Dumper. All pages in one step, which is one transaction of the database."""
        step("everything is replaced in one transaction")
        with _explained("restore"), _unchanged(path) as copy, self._connected() as target:
            wanted, there = (
                each.execute("PRAGMA page_size").fetchone()[0] for each in (copy, target)
            )
            if wanted != there and target.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                # Pages of another size cannot go through a write-ahead log.
                target.execute("PRAGMA journal_mode = DELETE").fetchone()
            copy.backup(target, pages=-1, progress=_impatient(), sleep=0.05)
        if database_path(self.connection) is not None:
            self.connection.close()  # it may hold pages of before

    def absent(self) -> bool:
        """See Dumper."""
        path = database_path(self.connection)
        return path is not None and not path.exists()

    def create(self) -> None:
        """See Dumper."""
        path = database_path(self.connection)
        assert path is not None  # noqa: S101  (what is in memory is never absent)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise ToolFailed(f"{path} cannot be made: {error.strerror or error}.") from error

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection of our own; for a database in memory, the only one there is."""
        path = database_path(self.connection)
        if path is None:
            self.connection.ensure_connection()
            yield self.connection.connection
            return
        with _opened(path) as database:
            yield database


@contextmanager
def _one_state_of(source: sqlite3.Connection) -> Iterator[None]:
    """Read one state to the end: a copy that is overtaken by a writer would begin anew, and
    again.
    """
    if source.in_transaction:
        yield
        return
    source.execute("BEGIN")
    source.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    try:
        yield
    finally:
        source.execute("ROLLBACK")


def _impatient() -> Callable[[int, int, int], None]:
    """Python itself would wait for a busy database for ever."""
    deadline = time.monotonic() + WAIT_SECONDS

    def look(status: int, remaining: int, total: int) -> None:  # noqa: ARG001
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise ToolFailed(
                "The SQLite database is locked by somebody else.",
                hint="End what uses the database, then try again.",
            )

    return look


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    uri = f"file:{quote(str(path))}?mode=rw"
    with closing(
        sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
    ) as database:
        yield database


@contextmanager
def _unchanged(path: Path) -> Iterator[sqlite3.Connection]:
    """An archive, opened so that SQLite makes no file beside it."""
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
        yield database


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        hint = ""
        with suppress(AttributeError):
            if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                hint = "End what uses the database, then try again."
        raise ToolFailed(f"SQLite could not {what} it: {error}.", hint=hint) from error
