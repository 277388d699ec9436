"""Looks on while statements are run: locks, rows that are read and written, files."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from tests.corpus.labels import MANY, Seen

_MODES = (
    "AccessShare", "RowShare", "RowExclusive", "ShareUpdateExclusive", "Share",
    "ShareRowExclusive", "Exclusive", "AccessExclusive",
)  # fmt: skip
_DDL = re.compile(r"\s*(ALTER|CREATE|DROP|TRUNCATE|RENAME)\b", re.I)
_ALTERS = re.compile(r"\s*(ALTER\s+TABLE|CREATE\s+((UNIQUE|FULLTEXT|SPATIAL)\s+)?INDEX)\s", re.I)
_APART = re.compile(r"\bCONCURRENTLY\b|^\s*VACUUM\b", re.I)


class Watcher:
    """An execute wrapper: Django hands every statement to it.

    Args:
        connection: Of the migration.
        seen: What it sees is put there.
    """

    def __init__(self, connection: BaseDatabaseWrapper, seen: Seen) -> None:
        self.connection = connection
        self.seen = seen

    def __call__(
        self, execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        text = str(sql)
        if "django_migrations" in text:
            return execute(sql, params, many, context)
        if _DDL.match(text) and not self.connection.in_atomic_block:
            self.seen.commits += len([s for s in text.split(";") if _DDL.match(s)])
        return self.statement(lambda: execute(sql, params, many, context), text, params, context)

    def statement(self, run: Any, sql: str, params: Any, context: dict[str, Any]) -> Any:
        """Run it, and look."""
        return run()

    def block(self, lock: str, rows: int, sql: str) -> None:
        """Note that somebody had to wait for work."""
        about = f"{rows // 1000},000 rows" if rows else "the table written anew"
        self.seen.blocked.append(f"{lock} for {about}: {sql[:100]}")


_TABLES = """
SELECT c.oid, c.relname, pg_relation_filenode(c.oid),
       pg_stat_get_xact_tuples_returned(c.oid), pg_stat_get_xact_tuples_inserted(c.oid),
       pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname = 'public' AND c.relname NOT LIKE 'django%'
"""
_LOCKS = """
SELECT relation, mode FROM pg_locks
WHERE locktype = 'relation' AND granted AND pid = %s
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class PostgreSQL(Watcher):
    """Reads pg_locks and the counters of the transaction around each statement."""

    def __init__(self, connection: BaseDatabaseWrapper, seen: Seen) -> None:
        super().__init__(connection, seen)
        connection.ensure_connection()
        with connection.connection.cursor() as cursor:
            self.names = {row[0]: row[1] for row in cursor.execute(_TABLES)}
        self.written: dict[int, int] = {}

    def statement(self, run: Any, sql: str, params: Any, context: dict[str, Any]) -> Any:
        raw = self.connection.connection
        if _APART.search(sql):
            return self._apart(run, sql)
        alone = not self.connection.in_atomic_block
        if alone:  # seen from inside of a transaction that is about this statement only
            raw.execute("BEGIN")
        try:
            before = {row[0]: row for row in raw.execute(_TABLES)}
            held = self._locks(raw, raw.info.backend_pid)
            result = run()
            after = {row[0]: row for row in raw.execute(_TABLES)}
            number = raw.execute("SELECT txid_current()").fetchone()[0]
            self._compare(before, after, held, self._locks(raw, raw.info.backend_pid), sql, number)
        except BaseException:
            if alone:
                raw.execute("ROLLBACK")
            raise
        if alone:
            raw.execute("COMMIT")
        return result

    def _compare(
        self, before: Any, after: Any, held: Any, locks: Any, sql: str, transaction: int
    ) -> None:
        rows = 0
        written = 0
        for oid, row in after.items():
            old = before.get(oid)
            for number in (3, 4, 5):
                rows += row[number] - (old[number] if old else 0)
            if oid in self.names:
                written += row[5] - (old[5] if old else 0)
                if old and row[2] != old[2]:
                    self.seen.rewrites.append(self.names[oid])
        # The counters go on from one transaction to the next.
        self.written[transaction] = self.written.get(transaction, 0) + written
        self.seen.written = max(self.seen.written, self.written[transaction])
        self._note(locks)
        blocking = [
            f"{mode} on {self.names[oid]}"
            for oid, mode in {**held, **locks}.items()
            if oid in self.names and _MODES.index(mode) >= _MODES.index("Share")
        ]
        if rows >= MANY and blocking:
            self.block(", ".join(sorted(blocking)), rows, sql)

    def _note(self, locks: dict[int, str]) -> None:
        for oid, mode in locks.items():
            if oid in self.names:
                name = self.names[oid]
                known = self.seen.locks.get(name, mode)
                self.seen.locks[name] = max(known, mode, key=_MODES.index)

    def _locks(self, raw: Any, pid: int) -> dict[int, str]:
        found: dict[int, str] = {}
        for oid, name in raw.execute(_LOCKS, (pid,)):
            mode = name.removesuffix("Lock")
            found[oid] = max(found.get(oid, mode), mode, key=_MODES.index)
        return found

    def _apart(self, run: Any, sql: str) -> Any:
        """What has no transaction is watched from another session."""
        pid = self.connection.connection.info.backend_pid
        other = self.connection.copy()
        done = threading.Event()
        other.inc_thread_sharing()
        other.ensure_connection()
        seen: dict[int, str] = {}
        times: dict[int, int] = {}

        def watch() -> None:
            while not done.wait(0.003):
                for oid, mode in self._locks(other.connection, pid).items():
                    seen[oid] = max(seen.get(oid, mode), mode, key=_MODES.index)
                    if _MODES.index(mode) >= _MODES.index("Share"):
                        times[oid] = times.get(oid, 0) + 1

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            return run()
        finally:
            done.set()
            thread.join()
            other.close()
            self._note(seen)
            # Held while it was looked at again and again: not just taken in passing.
            long = [f"{seen[oid]} on {self.names[oid]}" for oid, n in times.items()
                    if n >= 5 and oid in self.names]  # fmt: skip
            if long:
                self.block(", ".join(sorted(long)), 0, sql)


class MySQL(Watcher):
    """Asks for LOCK=NONE first, and sees whether the server refuses."""

    REFUSED = frozenset({1845, 1846, 1221})

    def __init__(self, connection: BaseDatabaseWrapper, seen: Seen) -> None:
        super().__init__(connection, seen)
        with connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            self.mariadb = "MariaDB" in cursor.fetchone()[0]
            cursor.execute("SHOW TABLES")
            self.names = {row[0] for row in cursor.fetchall()}

    def statement(self, run: Any, sql: str, params: Any, context: dict[str, Any]) -> Any:
        match = _ALTERS.match(sql)
        table = re.search(r"(?:TABLE|ON)\s+`?(\w+)`?", sql, re.I) if match else None
        if not (match and table and table[1] in self.names) or re.search(r"\bRENAME (TO )?`", sql):
            result = run()
            cursor = context["cursor"]
            if re.match(r"\s*(UPDATE|DELETE)\b", sql, re.I):
                self.seen.written = max(self.seen.written, cursor.rowcount)
            return result
        # In the session that the statement is for, so that its settings count.
        with self.connection.connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM `{table[1]}`")
            rows = cursor.fetchone()[0]
            text = cursor.mogrify(sql.rstrip().rstrip(";"), params)
            if re.search(r"\bLOCK\s*=?\s*NONE\b|\bALGORITHM\s*=?\s*INSTANT\b", text, re.I):
                self.seen.locks[table[1]] = "as it says/NONE"
                return run()  # the server refuses what it cannot do that way
            comma = "" if match[1].upper().startswith("CREATE") else ","
            ways = ("INSTANT", "NOCOPY", "INPLACE") if self.mariadb else ("INSTANT", "INPLACE")
            for algorithm in ways:
                lock = " LOCK=NONE" if self.mariadb or algorithm == "INPLACE" else ""
                comma2 = comma if lock else ""
                try:
                    cursor.execute(f"{text}{comma} ALGORITHM={algorithm}{comma2}{lock}")
                except Exception as error:
                    if error.args[0] not in self.REFUSED:
                        break
                else:
                    self.seen.locks[table[1]] = f"{algorithm}/NONE"
                    return None
        result = run()
        self.seen.locks[table[1]] = "COPY/SHARED"
        self.seen.rewrites.append(table[1])
        if rows >= MANY:
            self.block(f"SHARED on {table[1]}", rows, sql)
        return result


class SQLite(Watcher):
    """Counts the pages that go to the log, and the steps of the virtual machine."""

    def __init__(self, connection: BaseDatabaseWrapper, seen: Seen) -> None:
        super().__init__(connection, seen)
        self.log = Path(f"{connection.settings_dict['NAME']}-wal")
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA cache_size = 5")  # what is written goes to the log at once
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.fetchall()
            cursor.execute("PRAGMA page_count")
            self.pages = cursor.fetchone()[0]

    def statement(self, run: Any, sql: str, params: Any, context: dict[str, Any]) -> Any:
        writes = re.match(r"\s*(ALTER|CREATE|DROP|INSERT|REINDEX|VACUUM)\b", sql, re.I)
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1000
            return 0

        before = self._written()
        self.connection.connection.set_progress_handler(step, 1000)
        try:
            result = run()
        finally:
            self.connection.connection.set_progress_handler(None, 0)
        if re.match(r"\s*(UPDATE|DELETE)\b", sql, re.I):
            self.seen.written = max(self.seen.written, context["cursor"].rowcount)
        elif self._written() - before > 0.4 * self.pages:
            self.block("the database", 0, sql)
        elif writes and steps >= MANY:  # each row takes a step of the virtual machine or more
            self.block("the database", MANY, sql)
        return result

    def _written(self) -> int:
        return self.log.stat().st_size // 4120 if self.log.exists() else 0


WATCHERS: dict[str, type[Watcher]] = {
    "postgresql": PostgreSQL,
    "mysql": MySQL,
    "sqlite": SQLite,
}
