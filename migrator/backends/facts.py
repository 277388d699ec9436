"""What a live database answers before a plan is applied: `core.live.Facts` for every vendor.

Each answer is one bounded query that only reads, within a time limit of its own and one for all
of them together; whatever goes wrong is None, and leaves the connection as it was. Sizes come
from one query for all tables of a schema; small tables are counted, large ones are guessed.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.core.live import (
    COUNT_LIMIT,
    Changed,
    Dependent,
    Duplicates,
    LongTransaction,
    NotNulls,
    Nulls,
    Orphans,
    Others,
    OutOfRange,
    Overwritten,
    Question,
    Replaced,
    Rounded,
    TableSize,
    TimeOfDay,
    TooLong,
    Uncastable,
    Violates,
)
from migrator.core.schema import split_key

OLD_SECONDS = 5
"""A transaction that has been open for so long is worth naming."""

IDLE_SECONDS = 1
"""One that does nothing meanwhile, sooner."""

COUNTED_BYTES = 8 * 1024 * 1024
"""Tables up to this size are counted instead of guessed at."""

PATIENCE = 15
"""All answers together may take so many times what one may take; then nothing is asked any more.
A plan that touches hundreds of large tables must not keep a deploy waiting for minutes."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What the catalog says of a table.

    Attributes:
        rows: About how many; None when it does not know.
        heap: Bytes of the rows alone; None when unknown.
        bytes: With indexes; None when unknown.
    """

    rows: int | None
    heap: int | None
    bytes: int | None


class LiveFacts(ABC):
    """One open connection; answers are remembered."""

    def __init__(self, connection: BaseDatabaseWrapper, timeout: float) -> None:
        """Prepare; nothing is asked yet.

        Args:
            connection: Open connection of the database.
            timeout: Seconds that one answer may take.
        """
        self._connection = connection
        self._timeout = timeout
        self._left = timeout * PATIENCE
        self._guesses: dict[str, Mapping[str, Guess] | None] = {}
        self._sizes: dict[str, TableSize | None] = {}
        self._counts: dict[Question, int | None] = {}
        self._transactions: tuple[LongTransaction, ...] | None = None

    # -- core.live.Facts -------------------------------------------------------------

    def size(self, table: str) -> TableSize | None:
        """See Facts."""
        if table not in self._sizes:
            self._sizes[table] = self._size(table)
        return self._sizes[table]

    def count(self, question: Question) -> int | None:
        """See Facts."""
        if question not in self._counts:
            self._counts[question] = self._count(question)
        return self._counts[question]

    def long_transactions(self) -> tuple[LongTransaction, ...]:
        """See Facts."""
        if self._transactions is None:
            try:
                with self._limited():
                    self._transactions = self._read_transactions()
            except Error:
                self._transactions = ()
        return self._transactions

    def dependents(self, table: str, column: str) -> tuple[Dependent, ...]:  # noqa: ARG002
        """See Facts."""
        return ()

    def shortens(self) -> bool:
        """See Facts."""
        return False

    # -- of each vendor --------------------------------------------------------------

    @abstractmethod
    def _bounded(self) -> AbstractContextManager[None]:
        """Within it, statements only read and end in time; after it, all is as before."""

    @abstractmethod
    def _read_guesses(self, schema: str) -> Mapping[str, Guess]:
        """What the catalog says of every table of a schema ("": of those without one)."""

    @abstractmethod
    def _read_transactions(self) -> tuple[LongTransaction, ...]:
        """See `long_transactions`."""

    @abstractmethod
    def _where(self, question: Question) -> str:
        """The condition on the rows that a question is about; "" when it cannot be asked."""

    def _name(self, name: str) -> str:
        """A quoted identifier. Django's `quote_name` leaves a quote within a name alone."""
        return '"' + name.replace('"', '""') + '"'

    @abstractmethod
    def _unlike(self, one: str, other: str) -> str:
        """Whether two values differ, also where a collation or their type makes them equal, and
        where one of them is NULL.
        """

    def _same(self, name: str) -> str:
        """A table's name as the server compares it."""
        return name

    # -- sizes -----------------------------------------------------------------------

    def _size(self, table: str) -> TableSize | None:
        schema, name = split_key(table)
        if schema not in self._guesses:
            self._guesses[schema] = self._guesses_of(schema)
        guesses = self._guesses[schema]
        if guesses is None:  # the catalog is out of reach; the table may not be
            empty = self._is_empty(table)
            return None if empty is None else TableSize(0 if empty else None, None, empty)
        guess = guesses.get(self._same(name))
        if guess is None:
            return None
        if guess.heap is not None and guess.heap <= COUNTED_BYTES:
            rows = self._number(f"SELECT 1 FROM {self._table(table)}")
            if rows is not None and rows < COUNT_LIMIT:
                return TableSize(rows, guess.bytes, rows == 0)
        empty = self._is_empty(table)
        rows = 0 if empty else self._estimate(table, guess)
        return TableSize(rows, guess.bytes, empty)

    def _estimate(self, table: str, guess: Guess) -> int | None:  # noqa: ARG002
        """About how many rows a large table has."""
        return guess.rows

    def _guesses_of(self, schema: str) -> Mapping[str, Guess] | None:
        try:
            with self._limited():
                return self._read_guesses(schema)
        except Error:
            return None

    def _is_empty(self, table: str) -> bool | None:
        found = self._number(f"SELECT 1 FROM {self._table(table)}", limit=1)
        return None if found is None else found == 0

    # -- counts ----------------------------------------------------------------------

    def _count(self, question: Question) -> int | None:
        where = self._where(question)
        if not where:
            return None
        rest = f"FROM {self._table(question.table)} AS t WHERE {where}"
        if isinstance(question, Duplicates):
            columns = ", ".join(self._grouped(question))
            return self._number(f"SELECT 1 {rest} GROUP BY {columns} HAVING count(*) > 1")
        return self._number(f"SELECT 1 {rest}")

    def _grouped(self, question: Duplicates) -> list[str]:
        expressions = [f"({each})" for each in question.expressions]
        return [*map(self._column, question.columns), *expressions]

    def _number(self, sql: str, limit: int = COUNT_LIMIT) -> int | None:
        """How many rows a query has, up to a limit; None when the server does not say."""
        # Without parameters no percent sign in a name or an expression means anything.
        row = self._row(f"SELECT count(*) FROM ({sql} LIMIT {limit}) AS found")
        return None if row is None else int(row[0])

    def _row(self, sql: str) -> tuple[Any, ...] | None:
        try:
            with self._limited(), self._connection.cursor() as cursor:
                cursor.execute(sql)
                return tuple(cursor.fetchone() or ())
        except Error:
            return None

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Bounded by the vendor, and by what is left for all answers together.

        Raises:
            Error: Nothing is left, or from the server.
        """
        if self._left <= 0:
            raise Error("No time is left to ask.")
        began = time.monotonic()
        try:
            with self._bounded():
                yield
        finally:
            self._left -= time.monotonic() - began

    # -- what is the same for every vendor -------------------------------------------

    def _table(self, key: str) -> str:
        return ".".join(self._name(part) for part in split_key(key) if part)

    def _column(self, name: str) -> str:
        return f"t.{self._name(name)}"

    def _common(self, question: Question) -> str:
        """The condition of questions that standard SQL can ask."""
        match question:
            case Nulls(_, column):
                return f"{self._column(column)} IS NULL"
            case NotNulls(_, column):
                return f"{self._column(column)} IS NOT NULL"
            case Others(_, column):
                first = (
                    f"(SELECT o.{self._name(column)} FROM {self._table(question.table)} AS o"
                    f" WHERE o.{self._name(column)} IS NOT NULL LIMIT 1)"
                )
                ours = self._column(column)
                return f"{ours} IS NOT NULL AND {self._unlike(ours, first)}"
            case Overwritten(_, column, expression, condition):
                ours = self._column(column)
                picked = f" AND ({condition})" if condition else ""
                return f"{ours} IS NOT NULL{picked} AND {self._unlike(ours, f'({expression})')}"
            case Duplicates(condition=condition):
                filled = [f"{each} IS NOT NULL" for each in self._grouped(question)]
                return " AND ".join([*filled, *([f"({condition})"] if condition else [])])
            case Orphans(_, column, referenced, referenced_column):
                ours = self._column(column)
                return (
                    f"{ours} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {self._table(referenced)}"
                    f" AS r WHERE r.{self._name(referenced_column)} = {ours})"
                )
            case OutOfRange(_, column, low, high):
                ours = self._column(column)
                return f"({ours} < {int(low)} OR {ours} > {int(high)})"
            case Violates(_, expression):
                return f"NOT ({expression})"
            case TooLong() | Rounded() | TimeOfDay() | Uncastable() | Changed() | Replaced():
                return ""


def readable_session(
    pid: object, *, application: str = "", user: str = "", client: str = ""
) -> str:
    """Who a session is, for people.

    Args:
        pid: Its number.
        application, user, client: What is known of it; "" for nothing.
    """
    parts = [f"session {pid}"]
    if application:
        parts.append(application)
    if user:
        parts.append(f"user {user}")
    if client:
        parts.append(f"from {client}")
    return ", ".join(parts)
