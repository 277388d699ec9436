"""Measures what statements do on PostgreSQL: pg_locks, files of tables, rows read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg

from migrator.core.costs import cost_of
from migrator.core.costs.postgresql import BLOCKS
from migrator.core.schema import table_key
from migrator.sources.ddl import read_ddl
from tests.ddl.live import inspect
from tests.ddl.measured import Case, Measured, differences
from tests.ddl.postgresql_cases import EXTENSIONS, ROWS, SETUP
from tests.servers import PostgresDatabase, PostgresServer

_RANKS = tuple(BLOCKS)

_TABLES = """
SELECT c.oid, n.nspname, c.relname, pg_relation_filenode(c.oid),
       pg_stat_get_xact_tuples_returned(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname IN ('public', 'other')
"""
_READ = """
SELECT pg_stat_get_xact_tuples_returned(%(oid)s), pg_relation_filenode(%(oid)s),
       pg_relation_size(%(oid)s)
"""
_LOCKS = """
SELECT relation, mode FROM pg_locks
WHERE locktype = 'relation' AND pid = %s
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


_BLOCKERS = (
    "BEGIN; LOCK TABLE t, lone, ONLY part IN SHARE UPDATE EXCLUSIVE MODE",
    "BEGIN; UPDATE lone SET x = x; UPDATE t SET big = big; UPDATE part SET x = x",
    "BEGIN; LOCK TABLE p1, lone IN ACCESS SHARE MODE",
)
"""What a statement outside of a transaction has to wait for, one after the other."""


class Arena:
    """A database with tables to be altered."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.database = server.create_database("ddl")
        self.database.execute(SETUP)
        self.lacks = set(EXTENSIONS)
        for name, sql in EXTENSIONS.items():
            if self.database.query(f"SELECT 1 FROM pg_available_extensions WHERE name = '{name}'"):
                self.database.execute(sql)
                self.lacks.remove(name)
        self._connection = self.database.connect()
        self.schema = inspect(self.database, schemas={"other"})
        self.version = tuple(
            int(part) for part in divmod(self._connection.info.server_version, 10000)
        )
        self.title = f"PostgreSQL {'.'.join(map(str, self.version))}"

    def close(self) -> None:
        """Drop the database."""
        self._connection.close()
        self.database.drop()

    def judge(self, case: Case) -> tuple[Measured, list[str]]:
        """Measure one statement, and hold what is said about it against that."""
        measured = self._apart(case) if case.apart else self._within(case)
        cost = cost_of(
            read_ddl(case.sql, "postgresql"),
            vendor="postgresql",
            version=self.version,
            product="PostgreSQL",
            schema=self.schema,
            timezone=case.timezone,
        )
        if measured.error:
            return measured, [f"could not be run: {measured.error}"]
        return measured, differences(measured, cost)

    def _within(self, case: Case) -> Measured:
        connection = self._connection
        measured = Measured()
        try:
            with connection.transaction(force_rollback=True):
                if case.before:
                    connection.execute(case.before)  # type: ignore[call-overload]
                    # What it locks and reads is none of the statement's own.
                before = {row[0]: row for row in connection.execute(_TABLES)}
                held = set(self._locks(connection))
                connection.execute(case.sql)  # type: ignore[call-overload]
                measured = self._seen(connection, before, held if case.before else set())
        except psycopg.Error as error:
            return Measured(error=str(error).splitlines()[0])
        return measured

    def _seen(
        self, connection: psycopg.Connection[Any], before: dict[int, Any], held: set[Any]
    ) -> Measured:
        measured = Measured()
        keys = {oid: _key(row) for oid, row in before.items()}
        for oid, mode in self._locks(connection):
            if oid in keys and mode != "ACCESS SHARE" and (oid, mode) not in held:
                known = measured.locks.get(keys[oid], "ACCESS SHARE")
                measured.locks[keys[oid]] = max(known, mode, key=_RANKS.index)
        for oid, mode in held:  # what was locked before, and would be again
            if oid in keys and mode == "ACCESS EXCLUSIVE":
                measured.locks[keys[oid]] = mode
        for oid, row in before.items():
            read, filenode, size = connection.execute(_READ, {"oid": oid}).fetchone() or (0, 0, 0)
            waited = "writes" in BLOCKS[measured.locks.get(keys[oid], "ACCESS SHARE")]
            if row[3] and size and filenode != row[3]:  # TRUNCATE leaves an empty file
                measured.rewrites.add(keys[oid])
            if waited and (read or 0) - (row[4] or 0) >= ROWS:
                measured.scans.add(keys[oid])
        return measured

    def _locks(self, connection: psycopg.Connection[Any]) -> Iterator[tuple[int, str]]:
        for oid, mode in connection.execute(_LOCKS, (connection.info.backend_pid,)).fetchall():
            yield oid, _mode(mode)

    def _apart(self, case: Case) -> Measured:
        """What cannot run in a transaction waits for one of another session, and is watched.

        On a copy, which is gone afterwards. The other session has written every table.
        """
        self._connection.close()
        copy = PostgresDatabase(self.server, f"{self.database.name}_copy")
        with self.server.connect() as admin:
            admin.execute(f'CREATE DATABASE "{copy.name}" TEMPLATE "{self.database.name}"')  # type: ignore[call-overload]
        try:
            return self._watched(case, copy)
        finally:
            copy.drop()
            self._connection = self.database.connect()

    def _watched(self, case: Case, copy: PostgresDatabase) -> Measured:
        measured = Measured()
        errors: list[str] = []
        with ExitStack() as stack:
            worker, watcher = (stack.enter_context(copy.connect()) for _ in range(2))
            pid = worker.info.backend_pid
            blockers = [stack.enter_context(copy.connect()) for _ in _BLOCKERS]
            before = {row[0]: row for row in watcher.execute(_TABLES)}
            keys = {oid: _key(row) for oid, row in before.items()}
            for blocker, sql in zip(blockers, _BLOCKERS, strict=True):
                blocker.execute(sql)

            def work() -> None:
                try:
                    worker.execute(case.sql)  # type: ignore[call-overload]
                except psycopg.Error as error:
                    errors.append(str(error).splitlines()[0])

            thread = threading.Thread(target=work)
            thread.start()
            while thread.is_alive():
                row = watcher.execute("SELECT pg_blocking_pids(%s)", (pid,)).fetchone()
                for oid, mode in watcher.execute(_LOCKS, (pid,)).fetchall():
                    if oid in keys and _mode(mode) != "ACCESS SHARE":
                        known = measured.locks.get(keys[oid], "ACCESS SHARE")
                        measured.locks[keys[oid]] = max(known, _mode(mode), key=_RANKS.index)
                for blocker in blockers:
                    if row and blocker.info.backend_pid in row[0]:
                        blocker.execute("COMMIT")
            thread.join()
            for oid, row in before.items():
                _, filenode, size = watcher.execute(_READ, {"oid": oid}).fetchone() or (0, 0, 0)
                if row[3] and size and filenode != row[3]:
                    measured.rewrites.add(keys[oid])
        measured.error = "; ".join(errors)
        return measured


def _key(row: Any) -> str:
    return table_key("" if row[1] == "public" else row[1], row[2])


def _mode(name: str) -> str:
    """ "AccessExclusiveLock" → "ACCESS EXCLUSIVE"."""
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in name)
    return words.strip().removesuffix(" Lock").upper()
