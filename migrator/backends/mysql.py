"""MySQL 8 and MariaDB 10.6 and later: session, locks, identity; the catalog is in mysql_catalog."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends import mysql_catalog
from migrator.backends.base import Backend, HistoryRow, Lock, Server, Session, Writability
from migrator.backends.catalog import (
    Symptom,
    every_new_session,
    every_session,
    fetch,
    fetch_history,
    fetch_row,
    inspecting,
    unreachable,
)
from migrator.backends.mysql_waits import MySQLWaits
from migrator.core.schema import Schema
from migrator.exceptions import ConfigurationError, LockHeld

POLL_SECONDS = 0.1
LOCK_WAIT_SECONDS = 60
"""For metadata locks, where nobody has set anything: the server's default is a day."""

_SYMPTOMS = (
    Symptom(
        re.compile(r"Access denied for user .* to database"),
        "does not let user {user!r} use {name!r}",
        "Grant the user the privileges of that database.",
    ),
    Symptom(
        re.compile(r"Access denied"),
        "refuses the login of user {user!r}",
        "Check USER and PASSWORD of this alias in DATABASES.",
    ),
    Symptom(
        re.compile(r"Unknown database"),
        "has no database {name!r}",
        "Create the database, or correct NAME of this alias in DATABASES.",
    ),
    Symptom(
        re.compile(r"timed out|timeout", re.I),
        "accepted no connection in time: {reason}",
        "Check that the server is reachable and not overloaded; "
        'MIGRATOR["CONNECT_TIMEOUT"] sets how long to wait.',
    ),
)
_DDL = re.compile(
    r"^(?:\s|--[^\n]*\n|#[^\n]*\n|/\*.*?\*/)*(?:create(?!\s+temporary)|alter|drop|rename)\b",
    re.I | re.S,
)


class MySQLLock(Lock):
    """A named lock (GET_LOCK); the server has one namespace, so the schema is in the name."""

    def __init__(self, connection: BaseDatabaseWrapper, alias: str) -> None:
        self._connection = connection
        self._alias = alias

    def acquire(self, *, wait: float = 0.0) -> None:
        """See Lock."""
        if self.held():  # a session can take it twice, and would have to release it twice
            return
        deadline = time.monotonic() + wait
        while not self._try():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                holder = _holder(self._connection, mine=False)
                if holder is None and self._try():  # let go just now
                    return
                raise _lock_held(self._alias, holder)
            time.sleep(min(POLL_SECONDS, remaining))

    def held(self) -> bool:
        """See Lock. A closed or broken connection holds nothing."""
        if self._connection.connection is None:
            return False
        try:
            return _holder(self._connection, mine=True) is not None
        except Error:
            return False

    def release(self) -> None:
        """See Lock."""
        if self._connection.connection is None:
            return
        with suppress(Exception):
            fetch_row(
                self._connection, "SELECT RELEASE_LOCK(%(name)s)", _lock_name(self._connection)
            )

    def _try(self) -> bool:
        row = fetch_row(
            self._connection, "SELECT GET_LOCK(%(name)s, 0)", _lock_name(self._connection)
        )
        return bool(row[0])


class MySQLBackend(Backend):
    """See Backend."""

    vendor = "mysql"
    supports_transactional_ddl = False
    waits = MySQLWaits()

    def configure(
        self,
        connection: BaseDatabaseWrapper,
        *,
        application: str,  # noqa: ARG002
        connect_timeout: float,
    ) -> None:
        """See Backend. The settings of other wrappers of the same alias are left alone."""
        options = {**connection.settings_dict.get("OPTIONS", {})}
        options.setdefault("connect_timeout", max(1, math.ceil(connect_timeout)))
        connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}

    def exists(self, connection: BaseDatabaseWrapper) -> bool:  # noqa: ARG002
        """See Backend."""
        return True

    def connect(self, connection: BaseDatabaseWrapper) -> Server:
        """See Backend."""
        try:
            if connection.connection is not None and not connection.is_usable():
                connection.close()
            with _bounded_greeting(connection):
                connection.ensure_connection()
            _limit_lock_waits(connection)
            mariadb: bool = connection.mysql_is_mariadb  # type: ignore[attr-defined]
            version: tuple[int, ...] = connection.mysql_version  # type: ignore[attr-defined]
        except ImproperlyConfigured as error:
            raise ConfigurationError(f"Database {connection.alias!r}: {error}") from error
        except Error as error:
            raise unreachable(connection, error, _SYMPTOMS, product="MySQL") from error
        return Server("MariaDB" if mariadb else "MySQL", version)

    def keep_settings(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """See Backend."""
        return every_new_session(connection, lambda: _limit_lock_waits(connection))

    def read_only(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """See Backend."""
        return every_session(
            connection,
            lambda: _execute(connection, "SET SESSION TRANSACTION READ ONLY"),
            lambda: _execute(connection, "SET SESSION TRANSACTION READ WRITE"),
        )

    def identity(self, connection: BaseDatabaseWrapper) -> str:
        """See Backend. MariaDB has no server_uuid."""
        if connection.mysql_is_mariadb:  # type: ignore[attr-defined]
            server = "CONCAT(@@hostname, ':', @@port, @@datadir)"
        else:
            server = "@@server_uuid"
        name, database = fetch_row(connection, f"SELECT {server}, DATABASE()")
        return f"mysql:{str(name).rstrip('/')}/{database}"

    def writability(self, connection: BaseDatabaseWrapper) -> Writability:
        """See Backend. An account with SUPER could write to a read-only server all the same:
        what it writes to a replica is lost or breaks it.
        """
        variables = ["read_only", "innodb_read_only"]
        if not connection.mysql_is_mariadb:  # type: ignore[attr-defined]
            variables.append("super_read_only")
        values = fetch_row(
            connection, "SELECT " + ", ".join(f"@@global.{name}" for name in variables)
        )
        on = [name for name, value in zip(variables, values, strict=True) if _is_on(value)]
        if not on:
            return Writability(True)
        standby = _is_replica(connection)
        what = "a read-only replica" if standby else f"read-only ({', '.join(on)})"
        return Writability(False, standby=standby, reason=f"the server is {what}")

    def pooled(self, connection: BaseDatabaseWrapper) -> bool:
        """See Backend."""
        token = secrets.token_hex(8)
        with connection.cursor() as cursor:
            cursor.execute("SET @migrator_probe = %s", [token])
        first = fetch_row(connection, "SELECT CONNECTION_ID(), @migrator_probe")
        second = fetch_row(connection, "SELECT CONNECTION_ID(), @migrator_probe")
        return first != second or _text(first[1]) != token

    def other_migrations(self, connection: BaseDatabaseWrapper) -> tuple[Session, ...]:
        """See Backend. Only DDL that runs now: which locks others hold cannot be asked of
        MariaDB without a plugin.
        """
        rows = fetch(connection, "mysql_sessions")
        return tuple(
            Session(
                pid=int(row["pid"]),
                user=row["user"],
                client=_host(row["client"]),
                query=_text(row["query"]),
            )
            for row in rows
            if _DDL.match(_text(row["query"]))
        )

    def lock(self, connection: BaseDatabaseWrapper, *, run_id: str, alias: str) -> Lock:  # noqa: ARG002
        """See Backend. The server has no place where the session could say its run."""
        return MySQLLock(connection, alias)

    def lock_holder(self, connection: BaseDatabaseWrapper) -> Session | None:
        """See Backend."""
        return _holder(connection, mine=False)

    def history(self, connection: BaseDatabaseWrapper) -> tuple[HistoryRow, ...] | None:
        """See Backend."""
        with inspecting(connection):
            columns = [row["name"] for row in fetch(connection, "mysql_history")]
        return fetch_history(connection, columns) if columns else None

    def inspect(self, connection: BaseDatabaseWrapper, *, schemas: Collection[str] = ()) -> Schema:
        """See Backend."""
        with inspecting(connection):
            return mysql_catalog.inspect_schema(connection, schemas)

    def canonical_type(
        self,
        connection: BaseDatabaseWrapper,  # noqa: ARG002
        db_type: str,
    ) -> str:
        """See Backend."""
        return mysql_catalog.canonical_type(db_type)


def _execute(connection: BaseDatabaseWrapper, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@contextmanager
def _bounded_greeting(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Have PyMySQL wait for the server's greeting no longer than for the connection.

    mysqlclient's connect_timeout covers the greeting; PyMySQL's ends with the TCP connection,
    and it then reads without any limit (pymysql/connections.py, connect). A limit on reading
    that stayed would cut off long DDL, so it is taken away again.
    """
    settings = connection.settings_dict
    options = settings.get("OPTIONS", {})
    driver = connection.Database.__name__  # type: ignore[attr-defined]
    timeout = options.get("connect_timeout")
    if driver != "pymysql" or "read_timeout" in options or not timeout:
        yield
        return
    connection.settings_dict = {**settings, "OPTIONS": {**options, "read_timeout": timeout}}
    try:
        yield
    finally:
        connection.settings_dict = settings
        if connection.connection is not None:
            connection.connection._read_timeout = None


def _limit_lock_waits(connection: BaseDatabaseWrapper) -> None:
    """Wait for metadata locks a minute, not a day, where the project says nothing else."""
    session, default = fetch_row(
        connection, "SELECT @@session.lock_wait_timeout, @@global.lock_wait_timeout"
    )
    if session == default and session > LOCK_WAIT_SECONDS:
        _execute(connection, f"SET SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}")


def _is_on(value: object) -> bool:
    """MariaDB 12 shows read_only as a word."""
    return str(value).upper() not in {"0", "OFF", "NONE", ""}


def _is_replica(connection: BaseDatabaseWrapper) -> bool:
    """Whether the server replicates from another; False where the user may not know."""
    for statement in ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS"):
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone() is not None
    return False


def _lock_name(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """MySQL takes at most 64 characters; a schema's name may have as many."""
    schema = str(connection.settings_dict["NAME"])
    name = f"migrator:{schema}"
    if len(name) > 64:
        name = f"migrator:{hashlib.sha256(schema.encode()).hexdigest()[:40]}"
    return {"name": name}


def _holder(connection: BaseDatabaseWrapper, *, mine: bool) -> Session | None:
    for row in fetch(connection, "mysql_lock_holder", _lock_name(connection)):
        if bool(row["mine"]) == mine:
            return Session(int(row["pid"]), user=row["user"], client=_host(row["client"]))
    return None


def _lock_held(alias: str, holder: Session | None) -> LockHeld:
    if holder is None:
        return LockHeld(f"Another run holds the lock of database {alias!r}.")
    return LockHeld(
        f"Another run holds the lock of database {alias!r} ({holder}).",
        hint=f"Wait until it has ended; if it hangs, KILL {holder.pid} ends it.",
    )


def _host(client: str) -> str:
    """Without the port, which tells a person nothing."""
    return client.rsplit(":", 1)[0]


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


backend = MySQLBackend()
