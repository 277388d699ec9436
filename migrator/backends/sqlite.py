"""SQLite: files, locks and identity; the catalog is in sqlite_catalog.

A file that does not exist yet is an empty database. Nothing here creates it: connecting
would, so what only reads answers without a connection.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from filelock import FileLock, Timeout

from migrator.backends import sqlite_catalog
from migrator.backends.base import Backend, HistoryRow, Lock, Server, Session, Writability
from migrator.backends.catalog import (
    every_session,
    fetch_history,
    fetch_row,
    inspecting,
    reason,
)
from migrator.backends.sqlite_waits import SQLiteWaits
from migrator.core.schema import Schema
from migrator.exceptions import (
    ConfigurationError,
    DatabaseReadOnly,
    DatabaseUnreachable,
    LockHeld,
)

GRACE_SECONDS = 0.25
"""A reader that asks who holds the lock takes it for a moment: a writer looks again."""

_ABSENT = "migrator=absent"
"""Marks, in a URI, the in-memory stand-in for a file that does not exist (SQLite ignores
parameters that it does not know)."""

_holders: dict[Path, tuple[BaseDatabaseWrapper, FileLock]] = {}
"""Locks held by this process, by the real path of the database."""


class SQLiteLock(Lock):
    """A lock file beside the database, which the system frees when its holder dies, and a
    JSON file beside that which says who it is. An in-memory database needs neither.
    """

    def __init__(self, connection: BaseDatabaseWrapper, run_id: str, alias: str) -> None:
        self._connection = connection
        self._run_id = run_id
        self._alias = alias
        self._path = database_path(connection)

    def acquire(self, *, wait: float = 0.0) -> None:
        """See Lock.

        Raises:
            DatabaseReadOnly: The lock file cannot be made beside the database.
        """
        if self._path is None or self.held():
            return
        lock = _file_lock(self._path)
        try:
            lock.acquire(timeout=max(wait, GRACE_SECONDS), poll_interval=0.02)
        except Timeout:
            raise _lock_held(self._alias, _read_holder(self._path)) from None
        except OSError as error:
            raise DatabaseReadOnly(
                f"The lock file of database {self._alias!r} cannot be written: "
                f"{lock.lock_file}: {error.strerror}.",
                hint="Give the user who migrates write access to the database's directory.",
            ) from error
        _holders[self._path] = (self._connection, lock)
        self._write_holder(self._path)

    def held(self) -> bool:
        """See Lock. Asks the system: a lock file that somebody removed protects nothing."""
        if self._path is None:
            return True
        connection, lock = _holders.get(self._path, (None, None))
        if connection is not self._connection or lock is None or not lock.is_locked:
            return False
        return _is_taken(self._path)

    def release(self) -> None:
        """See Lock."""
        if self._path is None:
            return
        connection, lock = _holders.get(self._path, (None, None))
        if connection is not self._connection or lock is None:
            return
        del _holders[self._path]
        with suppress(OSError):
            _holder_file(self._path).unlink(missing_ok=True)
        with suppress(Exception):
            lock.release()

    def _write_holder(self, path: Path) -> None:
        """Replaced as a whole, so that nobody reads half of it. Only information: a holder
        that cannot be named holds the lock all the same.
        """
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "user": _user(),
            "run": self._run_id,
            "alias": self._alias,
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with suppress(OSError):
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.migrator.")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(holder, file)
            Path(name).chmod(0o644)
            Path(name).replace(_holder_file(path))


class SQLiteBackend(Backend):
    """See Backend."""

    vendor = "sqlite"
    supports_transactional_ddl = True
    waits = SQLiteWaits()

    def configure(
        self, connection: BaseDatabaseWrapper, *, application: str, connect_timeout: float
    ) -> None:
        """See Backend. A file needs nothing; how long to wait for a lock is the project's."""

    def exists(self, connection: BaseDatabaseWrapper) -> bool:
        """See Backend."""
        path = database_path(connection)
        return path is None or path.exists()

    def connect(self, connection: BaseDatabaseWrapper) -> Server:
        """See Backend. A missing file is not connected to, since that would create it."""
        path = database_path(connection)
        if path is not None:
            _check_path(connection, path)
        if path is None or path.exists():
            try:
                connection.ensure_connection()
                fetch_row(connection, "SELECT count(*) FROM sqlite_master")
            except ImproperlyConfigured as error:
                raise ConfigurationError(f"Database {connection.alias!r}: {error}") from error
            except Error as error:
                raise DatabaseUnreachable(
                    f"Database {connection.alias!r} ({path or 'in memory'}) cannot be opened: "
                    f"{reason(connection, error)}.",
                    hint="Check NAME of this alias in DATABASES, and the file's permissions.",
                ) from error
        return Server("SQLite", sqlite3.sqlite_version_info)

    def read_only(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """See Backend. A file that does not exist is stood in for by an empty database in
        memory, so that no reader, Django's own included, creates it.
        """
        if not self.exists(connection) and connection.connection is None:
            return _stand_in(connection)
        return every_session(
            connection,
            lambda: _execute(connection, "PRAGMA query_only = 1"),
            lambda: _execute(connection, "PRAGMA query_only = 0"),
        )

    def identity(self, connection: BaseDatabaseWrapper) -> str:
        """See Backend. In memory: the shared name, or the alias of a private one."""
        path = database_path(connection)
        if path is not None:
            return f"sqlite:{path}"
        name = urlsplit(str(connection.settings_dict["NAME"]))
        if name.scheme == "file" and "shared" in parse_qs(name.query).get("cache", []):
            return f"sqlite:memory:{unquote(name.path)}"
        return f"sqlite:memory:alias {connection.alias}"

    def writability(self, connection: BaseDatabaseWrapper) -> Writability:
        """See Backend. The directory counts too: that is where the rollback journal goes."""
        path = database_path(connection)
        if path is None:
            return Writability(True)
        query = parse_qs(urlsplit(str(connection.settings_dict["NAME"])).query)
        if query.get("mode") == ["ro"] or query.get("immutable") == ["1"]:
            return Writability(False, reason="NAME opens the file read-only")
        for place, what in ((path, "file"), (path.parent, "directory")):
            if place.exists() and not _may_write(place):
                return Writability(False, reason=f"the {what} {place} is not writable")
        return Writability(True)

    def pooled(self, connection: BaseDatabaseWrapper) -> bool:  # noqa: ARG002
        """See Backend."""
        return False

    def other_migrations(
        self,
        connection: BaseDatabaseWrapper,  # noqa: ARG002
    ) -> tuple[Session, ...]:
        """See Backend. SQLite knows no sessions; our lock file is all there is."""
        return ()

    def lock(self, connection: BaseDatabaseWrapper, *, run_id: str, alias: str) -> Lock:
        """See Backend."""
        return SQLiteLock(connection, run_id, alias)

    def lock_holder(self, connection: BaseDatabaseWrapper) -> Session | None:
        """See Backend. Creates no file: without a lock file, nobody holds it."""
        path = database_path(connection)
        if path is None or _holders.get(path, (None, None))[0] is connection:
            return None
        return _read_holder(path) if _is_taken(path) else None

    def history(self, connection: BaseDatabaseWrapper) -> tuple[HistoryRow, ...] | None:
        """See Backend."""
        if not self.exists(connection):
            return None
        with inspecting(connection), connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pragma_table_xinfo('django_migrations')")
            columns = [name for (name,) in cursor.fetchall()]
        return fetch_history(connection, columns) if columns else None

    def inspect(
        self,
        connection: BaseDatabaseWrapper,
        *,
        schemas: Collection[str] = (),  # noqa: ARG002
    ) -> Schema:
        """See Backend."""
        if not self.exists(connection):
            return Schema(vendor=self.vendor)
        with inspecting(connection):
            return sqlite_catalog.inspect_schema(connection)

    def canonical_type(
        self,
        connection: BaseDatabaseWrapper,  # noqa: ARG002
        db_type: str,
    ) -> str:
        """See Backend."""
        return sqlite_catalog.canonical_type(db_type)


def database_path(connection: BaseDatabaseWrapper) -> Path | None:
    """The real path of the database's file; None for a database in memory."""
    name = str(connection.settings_dict["NAME"] or "")
    if name in {"", ":memory:"}:
        return None
    if name.startswith("file:"):
        uri = urlsplit(name)
        query = parse_qs(uri.query)
        in_memory = query.get("mode") == ["memory"] or unquote(uri.path) == ":memory:"
        if in_memory and _ABSENT not in uri.query:
            return None
        name = unquote(uri.path)
    return Path(os.path.realpath(name))


def _check_path(connection: BaseDatabaseWrapper, path: Path) -> None:
    """Say what SQLite calls "unable to open database file"."""
    if path.is_dir():
        problem, hint = "is a directory", "Let NAME of this alias in DATABASES name a file."
    elif not path.parent.is_dir():
        problem = f"cannot be made: there is no directory {path.parent}"
        hint = "Create the directory, or correct NAME of this alias in DATABASES."
    else:
        return
    raise DatabaseUnreachable(f"Database {connection.alias!r} ({path}) {problem}.", hint=hint)


@contextmanager
def _stand_in(connection: BaseDatabaseWrapper) -> Iterator[None]:
    before = connection.settings_dict
    name = f"file:{quote(str(database_path(connection)))}?mode=memory&{_ABSENT}"
    connection.settings_dict = {**before, "NAME": name}
    try:
        yield
    finally:
        # First the name: Django does not close a connection to a database in memory.
        connection.settings_dict = before
        connection.close()


def _execute(connection: BaseDatabaseWrapper, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _may_write(path: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(path, os.W_OK, effective_ids=effective)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as containers have them
        return ""


# -- the lock file ---------------------------------------------------------------


def _file_lock(path: Path) -> FileLock:
    # Not bound to the thread that took it: a run may be ended from another one.
    return FileLock(f"{path}.migrator.lock", thread_local=False)


def _holder_file(path: Path) -> Path:
    return Path(f"{path}.migrator.lock.json")


def _is_taken(path: Path) -> bool:
    """Whether anybody holds the lock, by taking it for a moment if nobody does."""
    lock = _file_lock(path)
    if not Path(lock.lock_file).exists():
        return False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a reader without write access cannot ask
        return _is_alive(_read_holder(path))
    lock.release()
    return False


def _is_alive(holder: Session | None) -> bool:
    if holder is None or not holder.pid or holder.client != socket.gethostname():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _read_holder(path: Path) -> Session:
    """Who the JSON file says it is; a session without facts when it is missing or broken."""
    try:
        holder = json.loads(_holder_file(path).read_text("utf-8"))
        return Session(
            pid=int(holder["pid"]),
            application=f"migrator:{holder['run']}:{holder['alias']}",
            user=str(holder["user"]),
            client=str(holder["host"]),
            since=datetime.fromisoformat(holder["since"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Session(pid=0)


def _lock_held(alias: str, holder: Session) -> LockHeld:
    hint = "Wait until it has ended; the lock is free as soon as that process is gone."
    if not holder.pid:
        return LockHeld(f"Another run holds the lock of database {alias!r}.", hint=hint)
    run = holder.application.split(":")[1]
    since = f", since {holder.since:%Y-%m-%d %H:%M:%S} UTC" if holder.since else ""
    return LockHeld(
        f"Run {run} holds the lock of database {alias!r} (process {holder.pid} of user "
        f"{holder.user} on {holder.client}{since}).",
        hint=hint,
    )


backend = SQLiteBackend()
