"""What a live MySQL or MariaDB database answers before a plan is applied."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from django.db import Error

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
    LongTransaction,
    Question,
    Rounded,
    TimeOfDay,
    TooLong,
    Uncastable,
)

LOCK_SECONDS = 1
"""How long a question queues behind somebody's ALTER TABLE; the server knows whole seconds."""

_INTEGER = r"^[[:space:]]*[-+]?[0-9]+[[:space:]]*$"
_NUMBER = r"^[[:space:]]*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?[[:space:]]*$"
_STRICT = re.compile(r"\b(STRICT_ALL_TABLES|STRICT_TRANS_TABLES|TRADITIONAL)\b")


class MySQLFacts(LiveFacts):
    """See LiveFacts."""

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """See LiveFacts. An error leaves a transaction of this vendor usable, so that one of the
        caller's needs nothing; the limits are the session's, and are put back.
        """
        connection = self._connection
        seconds = min(self._timeout, self._left)
        if self._is_mariadb:
            limit, value = "max_statement_time", f"{max(seconds, 0.001):.3f}"
        else:
            limit, value = "max_execution_time", str(max(1, math.ceil(seconds * 1000)))
        before, waiting = fetch_row(
            connection, f"SELECT @@SESSION.{limit}, @@SESSION.lock_wait_timeout"
        )
        nested = connection.in_atomic_block or not connection.get_autocommit()
        try:
            self._run(f"SET SESSION {limit} = {value}, SESSION lock_wait_timeout = {LOCK_SECONDS}")
            if not nested:
                self._run("START TRANSACTION READ ONLY")
            yield
        finally:
            with suppress(Error):  # a lost connection has nothing to restore
                if not nested:
                    self._run("ROLLBACK")
                self._run(
                    f"SET SESSION {limit} = {before}, SESSION lock_wait_timeout = {int(waiting)}"
                )

    @property
    def _is_mariadb(self) -> bool:
        return bool(self._connection.mysql_is_mariadb)  # type: ignore[attr-defined]

    def _run(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)

    def _name(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def _same(self, name: str) -> str:
        """See LiveFacts. As it was written, or in lower case: see lower_case_table_names."""
        return name.lower() if self._folds else name

    @property
    def _folds(self) -> bool:
        if self._lower is None:
            row = self._row("SELECT @@lower_case_table_names")
            self._lower = bool(row and row[0])
        return self._lower

    _lower: bool | None = None
    _lenient: bool | None = None

    def shortens(self) -> bool:
        """See Facts."""
        if self._lenient is None:
            row = self._row("SELECT @@SESSION.sql_mode")
            self._lenient = row is not None and not _STRICT.search(str(row[0]))
        return self._lenient

    # -- sizes -----------------------------------------------------------------------

    def _read_guesses(self, schema: str) -> Mapping[str, Guess]:
        return {
            self._same(row["name"]): Guess(
                _whole(row["rows"]), _whole(row["heap"]), _whole(row["bytes"])
            )
            for row in fetch(self._connection, "mysql_sizes", {"schema": schema})
        }

    # -- questions -------------------------------------------------------------------

    def _unlike(self, one: str, other: str) -> str:
        return f"NOT (CAST({one} AS BINARY) <=> CAST({other} AS BINARY))"

    def _where(self, question: Question) -> str:
        match question:
            case TooLong(_, column, limit):
                return f"CHAR_LENGTH({self._column(column)}) > {int(limit)}"
            case Rounded(_, column, scale):
                ours = self._column(column)
                return f"{ours} <> ROUND({ours}, {int(scale)})"
            case TimeOfDay(_, column):
                # MySQL compares the text of a TIME, with all its zeros.
                ours = self._column(column)
                return f"{ours} <> CAST({ours} AS date)"
            case Uncastable(_, column, wanted):
                return self._uncastable(self._column(column), wanted.lower())
            case Changed(_, column, wanted):
                return self._changed(self._column(column), wanted.lower())
        return self._common(question)

    @staticmethod
    def _uncastable(ours: str, wanted: str) -> str:
        """What the server refuses to store in a column of another type."""
        if re.match(r"(tiny|small|medium|big)?int|integer|bool", wanted):
            return f"{ours} IS NOT NULL AND {ours} NOT REGEXP '{_NUMBER}'"
        if re.match(r"decimal|numeric|float|double|real", wanted):
            return f"{ours} IS NOT NULL AND {ours} NOT REGEXP '{_NUMBER}'"
        if re.match(r"date|time", wanted):
            kind = wanted.partition("(")[0].replace("timestamp", "datetime")
            return f"{ours} IS NOT NULL AND CAST({ours} AS {kind}) IS NULL"
        if wanted == "json":
            return f"{ours} IS NOT NULL AND NOT JSON_VALID({ours})"
        return ""

    @staticmethod
    def _changed(ours: str, wanted: str) -> str:
        """Those that a change of type makes something else of, and says nothing."""
        if re.match(r"(tiny|small|medium|big)?int|integer", wanted):  # from text: "007"
            return f"{ours} REGEXP '{_INTEGER}' AND {ours} <> CAST(CAST({ours} AS SIGNED) AS CHAR)"
        if found := re.match(r"(?:datetime|timestamp|time)(?:\((\d)\))?$", wanted):
            places = int(found[1] or 0)
            return f"MICROSECOND({ours}) % POW(10, 6 - {places}) <> 0"
        if wanted.startswith("float"):
            return f"{ours} <> CAST({ours} AS FLOAT)"
        if wanted.startswith(("double", "real")):
            return f"{ours} <> CAST(CAST({ours} AS DOUBLE) AS DECIMAL(65, 20))"
        return ""

    # -- transactions ----------------------------------------------------------------

    def _read_transactions(self) -> tuple[LongTransaction, ...]:
        scope = {"old": OLD_SECONDS, "idle": IDLE_SECONDS}
        return tuple(
            LongTransaction(
                session=readable_session(row["pid"], user=row["user"], client=row["client"] or ""),
                seconds=float(row["seconds"]),
                state=row["state"],
            )
            for row in fetch(self._connection, "mysql_long_transactions", scope)
        )


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
