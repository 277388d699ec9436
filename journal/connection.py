"""Connections to a journal: SQLAlchemy engines, transactions, and what can go wrong.

SQLite is run in WAL mode with `synchronous=FULL` (a commit survives a power cut), a busy
timeout, and an explicit BEGIN IMMEDIATE for every transaction that writes: the driver's own
deferred BEGIN reads first and then fails at once, whatever the timeout, when another process
has written in between.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from journal import failures, interrupts, revisions
from journal.exceptions import JournalCorrupt, JournalUnreachable
from journal.scrub import scrub_text

BUSY_SECONDS = 30
CONNECT_SECONDS = 10
_RETRY_PAUSES = (0.1, 1.0)
_SQLITE_HEADER = b"SQLite format 3\0"
_SMALLEST_PAGE = 512

T = TypeVar("T")


class Connector:
    """One journal's connections. Threads may share it; after a fork it starts anew."""

    def __init__(self, url: str, *, create: bool, prepare: bool = True) -> None:
        """Open the journal, and bring its schema up to date.

        Args:
            url: An SQLAlchemy URL; `postgresql://` means psycopg.
            create: Create the journal where there is none, and upgrade an older one. False:
                only for reading.
            prepare: Look at the schema, and upgrade it. False: alembic itself is at it.

        Raises:
            JournalError: It cannot be opened; see `journal.open_journal`.
        """
        parsed = parse_url(url)
        self.location = scrub_text(parsed.render_as_string(hide_password=True))
        self.dialect = parsed.get_backend_name()
        self._reader = not create
        self._file: _JournalFile | None = None
        self._leftovers: dict[int, Connection] = {}
        if self.dialect == "sqlite":
            self._file = _JournalFile(Path(parsed.database or ""), create=create)
        self._engine = self._create_engine(parsed)
        self._pid = os.getpid()
        if prepare:
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close all connections."""
        with suppress(SQLAlchemyError, sqlite3.Error):
            self._engine.dispose()

    # -- transactions --------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write: committed when the block ends, undone when it raises,
        KeyboardInterrupt included.

        Raises:
            JournalError: See `failures.translate`.
        """
        if self._reader:
            raise failures.opened_for_reading(self.location)
        if self._file is not None:
            self._file.assert_same()
            if not self._file.writable:
                raise failures.not_writable(self._file.path)
        with self._transaction({}) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the journal throughout.

        Raises:
            JournalError: See `failures.translate`.
        """
        options: dict[str, Any] = {"journal_reading": True}
        if self.dialect != "sqlite":
            options["isolation_level"] = "REPEATABLE READ"
        with self._transaction(options) as connection:
            yield connection

    def commit(self, work: Callable[[Connection], T], *, repeatable: bool) -> T:
        """Do some work in a transaction that may write.

        Args:
            work: What to do with the connection.
            repeatable: Doing it twice is doing it once, so it is tried again when the
                connection breaks, even when that was while waiting for the commit's answer.

        Returns:
            What `work` returned.

        Raises:
            JournalError: See `failures.translate`.
        """
        pauses = iter(_RETRY_PAUSES if repeatable else ())
        while True:
            try:
                with self.writing() as connection:
                    return work(connection)
            except JournalUnreachable as error:
                cause = error.__cause__
                broken = isinstance(cause, DBAPIError) and cause.connection_invalidated
                pause = next(pauses, None)
                if not broken or pause is None:
                    raise
                time.sleep(pause)

    @contextmanager
    def _transaction(self, options: dict[str, Any]) -> Iterator[Connection]:
        with interrupts.at_work():
            self._after_fork()
            self._clear_leftover()
            try:
                if self._file is not None:
                    self._file.assert_same()
                connection = self._engine.connect()
                # Not every interrupt waits for us, and one can strike anywhere, even while the one
                # before it is being undone. What is still here at the next transaction of this
                # thread is thrown away then, lest it hold its locks against us.
                self._leftovers[threading.get_ident()] = connection
                try:
                    # As short as can be: BEGIN … COMMIT of one step.
                    with connection.execution_options(**options).begin():
                        yield connection
                finally:
                    connection.close()
                    self._leftovers.pop(threading.get_ident(), None)
                if self._file is not None:
                    self._file.assert_same()
            except (SQLAlchemyError, sqlite3.Error, OSError) as error:
                raise failures.translate(error, self.location) from error

    def _clear_leftover(self) -> None:
        leftover = self._leftovers.pop(threading.get_ident(), None)
        if leftover is not None and not leftover.closed:
            with suppress(SQLAlchemyError):
                leftover.invalidate()
                leftover.close()

    def _after_fork(self) -> None:
        """A connection must not be used on both sides of a fork; leave them to the parent."""
        if self._pid != os.getpid():
            self._engine.dispose(close=False)
            self._leftovers.clear()
            self._pid = os.getpid()

    # -- opening ---------------------------------------------------------------

    def _prepare(self) -> None:
        try:
            with self.reading() as connection:
                if self._reader:
                    revisions.assert_readable(connection)
                    return
                revision = revisions.current_revision(connection)
            if self._file is not None and self._file.writable:
                self._file.set_wal()
            if revision != revisions.REVISIONS[-1]:
                with self.writing() as connection:
                    revisions.upgrade(connection)
        except ModuleNotFoundError as error:
            raise _missing_driver(self.location, error) from error

    def _create_engine(self, url: URL) -> Engine:
        try:
            if self._file is not None:
                engine = create_engine(
                    url, creator=self._file.connect, poolclass=QueuePool, hide_parameters=True
                )
                event.listen(engine, "begin", _begin_sqlite)
                return engine
            if self.dialect == "postgresql":
                return _postgresql_engine(url)
            return create_engine(
                url, pool_pre_ping=True, hide_parameters=True, isolation_level="READ COMMITTED"
            )
        except ModuleNotFoundError as error:
            raise _missing_driver(self.location, error) from error
        except (ArgumentError, NoSuchModuleError, TypeError) as error:
            raise JournalUnreachable(
                f"{self.location} is not a journal's URL: {scrub_text(str(error))}", hint=_URL_HINT
            ) from None


# -- URLs ----------------------------------------------------------------------

_URL_HINT = "Use sqlite:////absolute/path.sqlite3 or postgresql://user:password@host/database."


def parse_url(text: str) -> URL:
    """Take a journal's URL apart.

    Args:
        text: `sqlite:///path`, `postgresql://…` (or `postgres://`; psycopg in either case), or
            any other URL of SQLAlchemy's.

    Returns:
        The URL, with an absolute path where it is a file's: the working directory may change.

    Raises:
        JournalUnreachable: It is no URL, or one of a database in memory.
    """
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        # Not from the error, nor with the text: it may hold a password.
        raise JournalUnreachable("The journal's URL cannot be read.", hint=_URL_HINT) from None
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername.partition("+")[0] != "sqlite":
        return url
    path = url.database or ""
    if path in ("", ":memory:") or path.startswith("file:"):
        raise JournalUnreachable(
            "A journal needs a file: one in memory would not survive what it is there for.",
            hint=_URL_HINT,
        )
    return URL.create("sqlite", database=str(Path(path).expanduser().absolute()))


def _missing_driver(location: str, error: ModuleNotFoundError) -> JournalUnreachable:
    return JournalUnreachable(
        f"The journal {location} needs the Python package {error.name!r}.",
        hint="For PostgreSQL: pip install 'django-migrator-journal[postgresql]'.",
    )


# -- PostgreSQL ------------------------------------------------------------------


def _postgresql_engine(url: URL) -> Engine:
    arguments: dict[str, Any] = {"prepare_threshold": None}  # a pooler may stand in between
    if "connect_timeout" not in url.query:
        arguments["connect_timeout"] = CONNECT_SECONDS
    engine = create_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        isolation_level="READ COMMITTED",  # whatever the server's default
        pool_pre_ping=True,  # a long migration lies between two writes: firewalls cut the line
    )
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: Any, record: Any) -> None:  # noqa: ARG001
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, false), set_config('application_name', coalesce("
            "nullif(current_setting('application_name'), ''), 'migrator journal'), false)",
            [f"{BUSY_SECONDS}s"],
        )
        # Journaled means durable. Stronger settings (remote_apply) stay as they are.
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()


# -- SQLite ------------------------------------------------------------------------


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("journal_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


class _JournalFile:
    """The file of an SQLite journal."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        self._reader = not create
        try:
            self._check(create)
            self._identity = self._stat()
        except OSError as error:
            raise failures.translate(error, str(path)) from error

    @property
    def writable(self) -> bool:
        """Whether the file may be written: WAL needs the directory, too."""
        return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)

    def connect(self) -> sqlite3.Connection:
        """A new connection. Never creates the file: it exists, or it has vanished.

        A reader opens for writing too, where it may (`query_only` keeps it from it): only so
        can SQLite tidy up the -wal and -shm files behind it.
        """
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?{self._mode()}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # the pool hands a connection to one thread at a time
        )
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def assert_same(self) -> None:
        """Make sure that the path still leads to the file that was opened. SQLite itself would
        go on writing to a deleted file without a word.

        Raises:
            JournalUnreachable: It does not.
        """
        try:
            identity = self._stat()
        except FileNotFoundError:
            raise failures.vanished(self.path, "deleted or moved away") from None
        if identity != self._identity:
            raise failures.vanished(self.path, "replaced by another file")

    def set_wal(self) -> None:
        """Switch to WAL, for good, once it is known to be a journal.

        SQLite does not wait for the lock that this needs, so we do.

        Raises:
            JournalError: See `failures.translate`.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                with closing(self.connect()) as connection:
                    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                        connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.Error as error:
                busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
                if not busy or time.monotonic() > deadline:
                    raise failures.translate(error, str(self.path)) from error
                time.sleep(0.02)
            else:
                return

    def _check(self, create: bool) -> None:
        if self.path.is_dir():
            raise failures.not_a_journal(str(self.path), "it is a directory")
        if not self.path.exists():
            if not create:
                raise failures.missing_file(self.path)
            if not self.path.parent.is_dir():
                raise failures.missing_directory(self.path)
            try:
                self.path.touch()
            except PermissionError:
                raise failures.not_writable(self.path) from None
        with self.path.open("rb") as file:
            header = file.read(_SMALLEST_PAGE)
        # SQLite itself takes a file shorter than a page for an empty one and overwrites it.
        if header and not header.startswith(_SQLITE_HEADER):
            raise failures.not_a_journal(str(self.path), "it is not an SQLite file")
        if header and len(header) < _SMALLEST_PAGE:
            raise JournalCorrupt(
                f"The journal {self.path} is damaged: it was cut off.", hint=failures.RESTORE
            )

    def _mode(self) -> str:
        if self.writable:
            return "mode=rw"
        wal = self.path.with_name(f"{self.path.name}-wal")
        if wal.exists() and wal.stat().st_size:
            return "mode=ro"
        # Without its -wal and -shm files, which cannot be made here, a WAL database can only
        # be read as one that does not change; nobody has it open, or they would be there.
        return "mode=ro&immutable=1"

    def _set_up(self, connection: sqlite3.Connection) -> None:
        if self._reader or not self.writable:
            connection.execute("PRAGMA query_only=ON")
            return
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")

    def _stat(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_dev, stat.st_ino
