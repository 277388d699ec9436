"""What a live PostgreSQL database answers before a plan is applied."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DataError, Error

from migrator.backends.catalog import fetch, fetch_row
from migrator.backends.facts import (
    IDLE_SECONDS,
    OLD_SECONDS,
    Guess,
    LiveFacts,
    readable_session,
)
from migrator.core.live import (
    Changed,
    Dependent,
    LongTransaction,
    Question,
    Replaced,
    Rounded,
    TimeOfDay,
    TooLong,
    Uncastable,
)
from migrator.core.schema import table_key

LOCK_MILLISECONDS = 500
"""A question does not queue for long behind somebody's ALTER TABLE. Shorter than the server's
deadlock_timeout (1 s), so that we are the one who gives way."""

_SAMPLED_PAGES = 200
"""Of a table that was never analysed, so many pages are counted and the rest is guessed."""

_LIMITS = (
    "SELECT set_config('statement_timeout', %(statement)s, true),"
    " set_config('lock_timeout', %(lock)s, true),"
    " set_config('transaction_read_only', 'on', true),"
    # Row-level security would hide rows; with this off the server refuses instead.
    " set_config('row_security', 'off', true)"
)


class PostgreSQLFacts(LiveFacts):
    """See LiveFacts."""

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """See LiveFacts. A transaction that is always rolled back; within one of the caller's, a
        savepoint, whose rollback takes the settings back as well.
        """
        connection = self._connection
        nested = connection.in_atomic_block or not connection.get_autocommit()
        if nested:
            self._run("SAVEPOINT migrator_facts")
        else:
            connection.set_autocommit(False)
        try:
            milliseconds = max(1, math.ceil(min(self._timeout, self._left) * 1000))
            lock = str(min(milliseconds, LOCK_MILLISECONDS))
            fetch_row(connection, _LIMITS, {"statement": str(milliseconds), "lock": lock})
            yield
        finally:
            with suppress(Error):  # a lost connection has nothing to restore
                if nested:
                    self._run("ROLLBACK TO SAVEPOINT migrator_facts")
                    self._run("RELEASE SAVEPOINT migrator_facts")
                else:
                    connection.rollback()
                    connection.set_autocommit(True)

    def _run(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)

    # -- sizes -----------------------------------------------------------------------

    def _read_guesses(self, schema: str) -> Mapping[str, Guess]:
        scope: dict[str, Any] = {"schema": schema, "measure": True}
        self._run("SAVEPOINT migrator_sizes")
        try:
            rows = fetch(self._connection, "postgresql_sizes", scope)
        except Error:  # somebody is changing a table at the moment
            self._run("ROLLBACK TO SAVEPOINT migrator_sizes")
            rows = fetch(self._connection, "postgresql_sizes", {**scope, "measure": False})
        return {
            row["name"]: Guess(
                None if row["rows"] is None or math.isnan(row["rows"]) else round(row["rows"]),
                int(row["heap"]) if row["bytes"] is not None else None,
                row["bytes"] if row["bytes"] is None else int(row["bytes"]),
            )
            for row in rows
        }

    def _estimate(self, table: str, guess: Guess) -> int | None:
        """See LiveFacts. From a sample of pages where the table was never analysed."""
        if guess.rows is not None or not guess.heap:
            return guess.rows
        percent = min(100.0, 100.0 * _SAMPLED_PAGES * 8192 / guess.heap)
        row = self._row(
            f"SELECT count(*) FROM {self._table(table)} TABLESAMPLE SYSTEM ({percent:.6f})"
        )
        return None if row is None else round(int(row[0]) * 100 / percent)

    # -- questions -------------------------------------------------------------------

    def _unlike(self, one: str, other: str) -> str:
        return f"{one}::text IS DISTINCT FROM {other}::text"

    def _where(self, question: Question) -> str:
        match question:
            case TooLong(_, column, limit):
                return f"char_length({self._column(column)}::text) > {int(limit)}"
            case Rounded(_, column, scale):
                number = f"{self._column(column)}::numeric"
                return f"{number} <> round({number}, {int(scale)})"
            case TimeOfDay(_, column):
                ours = self._column(column)
                return f"{ours} <> date_trunc('day', {ours})"
            case Changed(table, column, wanted):
                now = self._type_of(table, column)
                ours = self._column(column)
                # A type is not an identifier, so it cannot be quoted: the server has to know it.
                if not now or not self._is_type(wanted):
                    return ""
                return f"({ours}::{wanted})::{now} IS DISTINCT FROM {ours}"
            case Replaced(table, column, wanted, expression, compared):
                now = self._type_of(table, column)
                ours = self._column(column)
                if not now or not self._is_type(wanted):
                    return ""
                if not compared:
                    return f"{ours} IS NOT NULL AND ({expression}) IS NULL"
                return f"(({expression})::{wanted})::{now} IS DISTINCT FROM {ours}"
        return self._common(question)

    def _count(self, question: Question) -> int | None:
        if isinstance(question, Uncastable):
            return self._uncastable(question)
        return super()._count(question)

    def _uncastable(self, question: Uncastable) -> int | None:
        """A cast of every value tells whether there is one that cannot be; how many, only
        `pg_input_is_valid` does (16 and later), and only of texts.
        """
        if not self._is_type(question.type):
            return None
        table, ours = self._table(question.table), self._column(question.column)
        try:
            with self._limited():
                fetch_row(
                    self._connection,
                    f"SELECT count({ours}::{question.type}) FROM {table} AS t",
                )
        except DataError:
            pass
        except Error:
            return None
        else:
            return 0
        now = self._type_of(question.table, question.column)
        if not now.startswith(("character", "text", "citext")):
            return 1
        wanted = question.type.replace("'", "''")
        found = self._number(
            f"SELECT 1 FROM {table} AS t WHERE NOT pg_input_is_valid({ours}::text, '{wanted}')"
        )
        return found or 1

    def _type_of(self, table: str, column: str) -> str:
        """The type of a column in the server's spelling; "" when there is none."""
        regclass = self._table(table).replace("'", "''")
        name = column.replace("'", "''")
        row = self._row(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
            f" WHERE attrelid = to_regclass('{regclass}') AND attname = '{name}'"
            " AND NOT attisdropped"
        )
        return str(row[0]) if row else ""

    def _is_type(self, text: str) -> bool:
        """Whether the server knows a type of that spelling, and nothing but a type."""
        row = self._row("SELECT to_regtype('{}')".format(text.replace("'", "''")))
        return bool(row and row[0])

    # -- what names a column ---------------------------------------------------------

    def dependents(self, table: str, column: str) -> tuple[Dependent, ...]:
        """See Facts."""
        scope = {"table": self._table(table), "column": column}
        try:
            with self._limited():
                rows = fetch(self._connection, "postgresql_dependents", scope)
        except Error:
            return ()
        return tuple(Dependent(row["kind"], table_key(row["schema"], row["name"])) for row in rows)

    # -- transactions ----------------------------------------------------------------

    def _read_transactions(self) -> tuple[LongTransaction, ...]:
        scope = {"old": OLD_SECONDS, "idle": IDLE_SECONDS}
        return tuple(
            LongTransaction(
                session=_session(row),
                seconds=float(row["seconds"]),
                state=row["state"],
                tables=frozenset(table_key(schema, name) for schema, name in row["tables"]),
            )
            for row in fetch(self._connection, "postgresql_long_transactions", scope)
        )


def _session(row: Mapping[str, Any]) -> str:
    if row["prepared"] is not None:
        return f"prepared transaction {row['prepared']!r}, user {row['user']}"
    return readable_session(
        row["pid"], application=row["application"], user=row["user"], client=row["client"]
    )
