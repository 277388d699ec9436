"""PostgreSQL 13 and later: session, locks, identity; the catalog is in postgresql_catalog.

Two things are set on the open session and not in its start-up packet (`-c …`), which a server
before 14 and most proxies refuse altogether: `client_connection_check_interval`, and
`application_name` once the run is known.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import select
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import UTC

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends import postgresql_types
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
from migrator.backends.postgresql_catalog import inspect_schema
from migrator.backends.postgresql_sequences import read_maxima
from migrator.backends.postgresql_waits import PostgreSQLWaits
from migrator.core.schema import Schema, split_key
from migrator.exceptions import ConfigurationError, InspectionError, LockHeld

LOCK_KEY = int.from_bytes(b"migrator", "big")
"""Of the session advisory lock; the server keeps advisory locks apart by database."""

POLL_SECONDS = 0.1
CHECK_INTERVAL_MS = 1000
"""How often a running query looks whether its client is still there."""

_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Before the catalog is read again because it changed while it was read."""

LOCK_LIMIT = "500ms"
"""How long the catalog's readers wait for a lock, each time."""

_SYMPTOMS = (
    Symptom(
        re.compile(r"password authentication failed|no password supplied|Ident authentication"),
        "refuses the login of user {user!r}",
        "Check USER and PASSWORD of this alias in DATABASES.",
    ),
    Symptom(
        re.compile(r"role .* does not exist|no pg_hba\.conf entry"),
        "does not let user {user!r} in: {reason}",
        "Create the role, or allow it in the server's pg_hba.conf.",
    ),
    Symptom(
        re.compile(r"database .* does not exist"),
        "has no database {name!r}",
        "Create the database, or correct NAME of this alias in DATABASES.",
    ),
    Symptom(
        re.compile(r"timeout expired|timed out", re.I),
        "accepted no connection in time: {reason}",
        "Check that the server is reachable and not overloaded; "
        'MIGRATOR["CONNECT_TIMEOUT"] sets how long to wait.',
    ),
)


class PostgreSQLLock(Lock):
    """A session advisory lock, with the run's name on the session that holds it."""

    def __init__(self, connection: BaseDatabaseWrapper, run_id: str, alias: str) -> None:
        self._connection = connection
        self._run_id = run_id
        self._alias = alias

    def acquire(self, *, wait: float = 0.0) -> None:
        """See Lock. Polls: a session that waits inside the server for an advisory lock holds
        a snapshot, which would keep a CREATE INDEX CONCURRENTLY of the holder from ending.
        """
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
            fetch_row(self._connection, "SELECT pg_advisory_unlock(%(key)s)", {"key": LOCK_KEY})

    def _try(self) -> bool:
        row = fetch_row(self._connection, "SELECT pg_try_advisory_lock(%(key)s)", {"key": LOCK_KEY})
        if not row[0]:
            return False
        fetch_row(
            self._connection,
            "SELECT set_config('application_name', %(name)s, false)",
            {"name": f"migrator:{self._run_id}:{self._alias}"[:63]},
        )
        return True


class PostgreSQLBackend(Backend):
    """See Backend."""

    vendor = "postgresql"
    supports_transactional_ddl = True
    waits = PostgreSQLWaits()

    def configure(
        self, connection: BaseDatabaseWrapper, *, application: str, connect_timeout: float
    ) -> None:
        """See Backend. The settings of other wrappers of the same alias are left alone."""
        options = {**connection.settings_dict.get("OPTIONS", {})}
        if "connect_timeout" not in options and "PGCONNECT_TIMEOUT" not in os.environ:
            options["connect_timeout"] = max(2, math.ceil(connect_timeout))  # libpq's least
        options["application_name"] = application[:63]
        connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}

    def exists(self, connection: BaseDatabaseWrapper) -> bool:  # noqa: ARG002
        """See Backend."""
        return True

    def connect(self, connection: BaseDatabaseWrapper) -> Server:
        """See Backend."""
        try:
            if connection.connection is not None and not connection.is_usable():
                connection.close()
            connection.ensure_connection()
            _notice_dead_clients(connection)
            version: int = connection.pg_version  # type: ignore[attr-defined]
        except ImproperlyConfigured as error:
            raise ConfigurationError(f"Database {connection.alias!r}: {error}") from error
        except Error as error:
            raise unreachable(connection, error, _SYMPTOMS, product="PostgreSQL") from error
        return Server("PostgreSQL", divmod(version, 10000))

    def keep_settings(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """See Backend."""
        return every_new_session(connection, lambda: _notice_dead_clients(connection))

    def read_only(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """See Backend. Also covers sessions that the wrapper opens meanwhile."""
        return _read_only(connection)

    def identity(self, connection: BaseDatabaseWrapper) -> str:
        """See Backend. A physical copy (standby, restored base backup) shares the system
        identifier of its origin; a role that may not read it gets the server's address.
        """
        allowed, oid, name, host, port = fetch_row(
            connection,
            "SELECT has_function_privilege('pg_control_system()', 'EXECUTE'), oid::bigint,"
            " datname::text, coalesce(host(inet_server_addr()), 'local'),"
            " current_setting('port')"
            " FROM pg_database WHERE datname = current_database()",
        )
        server = f"{host}:{port}"
        if allowed:
            (server,) = fetch_row(
                connection, "SELECT system_identifier::text FROM pg_control_system()"
            )
        return f"postgresql:{server}/{oid}/{name}"

    def writability(self, connection: BaseDatabaseWrapper) -> Writability:
        """See Backend. Asks for the session's reset value, so that `read_only` of our own
        does not count.
        """
        standby, read_only = fetch_row(
            connection,
            "SELECT pg_is_in_recovery(), reset_val = 'on' FROM pg_settings"
            " WHERE name = 'default_transaction_read_only'",
        )
        if standby:
            return Writability(False, standby=True, reason="the server is a read-only standby")
        if read_only:
            return Writability(
                False, reason="default_transaction_read_only is on for this role or database"
            )
        return Writability(True)

    def pooled(self, connection: BaseDatabaseWrapper) -> bool:
        """See Backend. A proxy that stands idle hands out the same server session again and
        again; so where the session is not the one that the connection was greeted by, a second
        connection is opened to see whether it is given ours.
        """
        token = secrets.token_hex(8)
        pid = _set_token(connection, token)
        try:
            if not _still_there(connection, pid, token):
                return True
            if connection.connection.info.backend_pid == pid:
                return False  # nothing in between
            return _shared(connection, pid, token)
        finally:
            _set_token(connection, "")

    def other_migrations(self, connection: BaseDatabaseWrapper) -> tuple[Session, ...]:
        """See Backend."""
        rows = fetch(connection, "postgresql_other_migrations")
        return tuple(Session(**row) for row in rows)

    def lock(self, connection: BaseDatabaseWrapper, *, run_id: str, alias: str) -> Lock:
        """See Backend."""
        return PostgreSQLLock(connection, run_id, alias)

    def lock_holder(self, connection: BaseDatabaseWrapper) -> Session | None:
        """See Backend."""
        return _holder(connection, mine=False)

    def history(self, connection: BaseDatabaseWrapper) -> tuple[HistoryRow, ...] | None:
        """See Backend."""
        with inspecting(connection):
            (table,) = fetch(connection, "postgresql_history")
        if not table["present"]:
            return None
        if not table["readable"]:
            raise InspectionError(
                f"The role in use may not read django_migrations of database {connection.alias!r}.",
                hint="GRANT SELECT ON django_migrations to it.",
            )
        return fetch_history(connection, table["columns"])

    def inspect(self, connection: BaseDatabaseWrapper, *, schemas: Collection[str] = ()) -> Schema:
        """See Backend. Reads one snapshot, so that DDL in between leaves no half of a table."""
        with inspecting(connection):
            for pause in _PAUSES:
                try:
                    with _snapshot(connection):
                        return inspect_schema(connection, schemas)
                except Error as error:
                    if connection.in_atomic_block or not _is_passing(error):
                        raise
                    time.sleep(pause)
            with _snapshot(connection):
                return inspect_schema(connection, schemas)

    def maxima(
        self, connection: BaseDatabaseWrapper, schema: Schema, keys: Collection[str]
    ) -> Mapping[tuple[str, str], int]:
        """See Backend. Where somebody else's DDL is in the way, nothing is said."""
        try:
            with _snapshot(connection):
                return read_maxima(connection, schema, keys)
        except Error as error:
            if connection.in_atomic_block or not _is_passing(error):
                raise
            return {}

    def visible(self, connection: BaseDatabaseWrapper, keys: Collection[str]) -> frozenset[str]:
        """See Backend."""
        pairs = [(key, split_key(key)) for key in sorted(keys)]
        with inspecting(connection), connection.cursor() as cursor:
            cursor.execute(
                "SELECT key FROM unnest(%s::text[], %s::text[], %s::text[]) AS k (key, space, name)"
                " WHERE to_regclass(format('%%I.%%I', space, name))"
                " = to_regclass(quote_ident(name))",
                [[key for key, _ in pairs], *map(list, zip(*(p for _, p in pairs), strict=True))],
            )
            return frozenset(key for (key,) in cursor.fetchall())

    def canonical_type(
        self,
        connection: BaseDatabaseWrapper,  # noqa: ARG002
        db_type: str,
    ) -> str:
        """See Backend."""
        return postgresql_types.canonical_type(db_type)


def _notice_dead_clients(connection: BaseDatabaseWrapper) -> None:
    """Let the server cancel our query soon after we were killed (PostgreSQL 14 and later).

    Without it, a backend was seen to go on for 5 to 11 s, and to commit. Left as it is where
    the project sets it, and on platforms whose servers cannot do it and refuse any value.
    """
    if connection.in_atomic_block:
        return
    with suppress(Error):
        fetch_row(
            connection,
            "SELECT CASE WHEN current_setting(%(name)s, true) = '0'"
            " THEN set_config(%(name)s, %(value)s, false) END",
            {"name": "client_connection_check_interval", "value": str(CHECK_INTERVAL_MS)},
        )


@contextmanager
def _read_only(connection: BaseDatabaseWrapper) -> Iterator[None]:
    def set_read_only(value: str) -> None:
        fetch_row(
            connection,
            "SELECT set_config('default_transaction_read_only', %(value)s, false)",
            {"value": value},
        )

    before = "off"
    if connection.connection is not None:
        (before,) = fetch_row(connection, "SHOW default_transaction_read_only")
    with every_session(connection, lambda: set_read_only("on"), lambda: set_read_only(before)):
        yield


@contextmanager
def _snapshot(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """One REPEATABLE READ transaction; inside of a transaction of the caller's, that one.

    The functions that deparse views and expressions lock what they look at, as a reader does.
    The time limit keeps a scan from hanging behind somebody's ALTER TABLE, and, being shorter
    than deadlock_timeout (1 s), makes us the one that gives way where both would wait. Compiling
    a query costs more than it saves where each runs once over some thousands of rows.
    """
    if connection.in_atomic_block or not connection.get_autocommit():
        yield
        return
    raw = connection.connection
    before, raw.isolation_level = raw.isolation_level, psycopg.IsolationLevel.REPEATABLE_READ
    connection.set_autocommit(False)
    try:
        fetch_row(
            connection,
            "SELECT set_config('lock_timeout', %(limit)s, true), set_config('jit', 'off', true)",
            {"limit": LOCK_LIMIT},
        )
        yield
    finally:
        with suppress(Error, psycopg.Error):  # a lost connection has nothing to restore
            connection.rollback()
            connection.set_autocommit(True)
            raw.isolation_level = before


def _is_passing(error: BaseException) -> bool:
    """Whether the catalog changed under the reader, so that reading it again may do: an object
    went away between its row in the snapshot and a function that looks at it now and knows no
    snapshot (`pg_get_viewdef`, `pg_sequence_last_value`), or is locked.
    """
    return getattr(error.__cause__, "sqlstate", None) in {
        "XX000", "42P01", "42704", "42883", "55P03", "40P01",
    }  # fmt: skip


def _holder(connection: BaseDatabaseWrapper, *, mine: bool) -> Session | None:
    rows = fetch(
        connection,
        "postgresql_lock_holder",
        {"high": LOCK_KEY >> 32, "low": LOCK_KEY & 0xFFFFFFFF, "mine": mine},
    )
    return Session(**rows[0]) if rows else None


def _lock_held(alias: str, holder: Session | None) -> LockHeld:
    if holder is None:
        return LockHeld(f"Another run holds the lock of database {alias!r}.")
    found = re.match(r"migrator:([^:]+):", holder.application)
    run = f"Run {found[1]}" if found else "Another run"
    facts = [f"session {holder.pid}"]
    if holder.application:
        facts.append(f"application {holder.application}")
    facts.append(f"user {holder.user}")
    facts.append(f"from {holder.client or 'the local socket'}")
    if holder.since:
        facts.append(f"since {holder.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
    return LockHeld(
        f"{run} holds the lock of database {alias!r} ({', '.join(facts)}).",
        hint=f"Wait until it has ended; if it hangs, SELECT pg_terminate_backend({holder.pid}) "
        "ends it.",
    )


# -- proxies -------------------------------------------------------------------

_PROBE = "migrator.probe"


def _set_token(connection: BaseDatabaseWrapper, token: str) -> int:
    """Mark the server's session; its process id."""
    pid, _ = fetch_row(
        connection,
        "SELECT pg_backend_pid(), set_config(%(name)s, %(token)s, false)",
        {"name": _PROBE, "token": token},
    )
    return int(pid)


def _still_there(connection: BaseDatabaseWrapper, pid: int, token: str) -> bool:
    now = fetch_row(
        connection,
        "SELECT pg_backend_pid(), current_setting(%(name)s, true)",
        {"name": _PROBE},
    )
    return now == (pid, token)


def _shared(connection: BaseDatabaseWrapper, pid: int, token: str) -> bool:
    """Whether a second connection, in a transaction, takes the server's session from ours.

    When it gets no session at all, ours is not given away: the proxy pools by session.
    """
    parameters = connection.get_connection_params()
    parameters.pop("autocommit", None)
    try:
        with closing(psycopg.connect(**parameters, autocommit=True)) as second:
            other = _begin(second, float(parameters.get("connect_timeout") or 5))
            if other is None:
                return False
            return other == pid or not _still_there(connection, pid, token)
    except psycopg.Error:
        return False


def _begin(second: psycopg.Connection, timeout: float) -> int | None:
    """Begin a transaction on a raw connection, which then occupies a session of the server.

    Returns:
        The process id of that session; None when there was no answer in time.
    """
    pgconn = second.pgconn
    pgconn.send_query(b"BEGIN; SELECT pg_backend_pid()")
    deadline = time.monotonic() + timeout
    while (remaining := deadline - time.monotonic()) > 0:
        if not select.select([pgconn.socket], [], [], remaining)[0]:
            break
        pgconn.consume_input()
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                return None
            if result.ntuples == 1:
                return int(result.get_value(0, 0) or 0)
    return None


backend = PostgreSQLBackend()
