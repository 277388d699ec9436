"""What a live SQLite database answers before a plan is applied.

Its catalog knows no sizes: rows are counted, bytes come from the `dbstat` table where the library
was built with it, one table at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from django.db import Error

from migrator.backends.catalog import fetch_row
from migrator.backends.facts import Guess, LiveFacts
from migrator.core.live import (
    Changed,
    LongTransaction,
    Question,
    Replaced,
    Rounded,
    TableSize,
    TimeOfDay,
    TooLong,
    Uncastable,
)
from migrator.core.schema import split_key

_STEPS = 10_000
"""Instructions of the virtual machine between two looks at the clock."""


class SQLiteFacts(LiveFacts):
    """See LiveFacts."""

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """See LiveFacts. A question that takes too long is interrupted from within."""
        connection = self._connection
        connection.ensure_connection()
        raw = connection.connection
        deadline = time.monotonic() + min(self._timeout, self._left)
        (before,) = fetch_row(connection, "PRAGMA query_only")
        raw.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        try:
            fetch_row(connection, "PRAGMA query_only = ON")
            yield
        finally:
            raw.set_progress_handler(None, 0)
            with suppress(Error):
                fetch_row(connection, f"PRAGMA query_only = {int(before)}")

    # -- sizes -----------------------------------------------------------------------

    def _size(self, table: str) -> TableSize | None:
        name = split_key(table)[1].replace("'", "''")
        row = self._row(
            "SELECT name FROM sqlite_schema"
            f" WHERE type = 'table' AND name = '{name}' COLLATE NOCASE"
        )
        if not row:
            return None
        rows = self._number(f"SELECT 1 FROM {self._table(table)}")
        empty = self._is_empty(table) if rows is None else rows == 0
        return TableSize(rows, self._bytes(name), empty)

    def _bytes(self, name: str) -> int | None:
        row = self._row(
            "SELECT sum(s.pgsize) FROM sqlite_schema AS o, dbstat AS s"
            f" WHERE o.tbl_name = '{name}' COLLATE NOCASE AND s.name = o.name AND s.aggregate"
        )
        return int(row[0]) if row and row[0] is not None else None

    def _read_guesses(self, schema: str) -> Mapping[str, Guess]:  # noqa: ARG002
        """See LiveFacts. There are none."""
        return {}

    # -- questions -------------------------------------------------------------------

    def _table(self, key: str) -> str:
        return self._name(split_key(key)[1])

    def _unlike(self, one: str, other: str) -> str:
        return f"{one} IS NOT {other} COLLATE BINARY"

    def _where(self, question: Question) -> str:
        match question:
            case TooLong(_, column, limit):
                return f"length({self._column(column)}) > {int(limit)}"
            case Rounded(_, column, scale):
                ours = self._column(column)
                return f"{ours} <> round({ours}, {int(scale)})"
            case TimeOfDay(_, column):
                ours = self._column(column)
                return f"strftime('%H:%M:%f', {ours}) <> '00:00:00.000'"
            case Changed(_, column, _):
                # What looks like a number becomes one in a column of whole numbers: "007".
                text = self._column(column)
                number = f"CAST({text} AS NUMERIC)"
                return (
                    f"typeof({text}) = 'text' AND {number} = {text}"
                    f" AND CAST({number} AS TEXT) <> {text}"
                )
            case Uncastable() | Replaced():
                return "0"  # a column takes any value, whatever its type
        return self._common(question)

    def _read_transactions(self) -> tuple[LongTransaction, ...]:
        """See LiveFacts. A file does not tell who else has it open."""
        return ()
