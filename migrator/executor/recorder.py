"""What a migration really sent, for the report: statements without their parameters.

Parameters are data, and stay where they are. What only reads is left out, as are the savepoints
and settings of the machinery around the migration; many equal statements in a row count as one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from journal.scrub import scrub_text
from migrator.core.events import Emit, Event, MigrationApplied, MigrationStarted
from migrator.core.spelling import spell_count

MOST_STATEMENTS = 100
MOST_CHARACTERS = 4_000

_READS = re.compile(
    r"\s*(?:SELECT|SHOW|EXPLAIN|PRAGMA|WITH\b(?!.*\b(?:INSERT|UPDATE|DELETE)\b)|SAVEPOINT|RELEASE"
    r"|ROLLBACK|COMMIT|BEGIN|SET\s+(?:LOCAL\s+|SESSION\s+|@@?)?\w*(?:timeout|constraints)"
    r"|(?:INSERT\s+INTO|DELETE\s+FROM)\s+[\"`]?django_migrations\b)",
    re.IGNORECASE | re.DOTALL,
)


class StatementRecorder:
    """Sits between Django and the driver, and hands each migration its statements.

    Args:
        emit: Where events go; `MigrationApplied` goes there with what was recorded.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._said: list[tuple[str, int]] = []
        self._more = 0

    @contextmanager
    def on(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """Record what goes through a connection."""
        connection.execute_wrappers.append(self)
        try:
            yield
        finally:
            connection.execute_wrappers.remove(self)

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: Any,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        """For `connection.execute_wrapper`; only what succeeded is recorded."""
        result = execute(sql, params, many, context)
        self._record(str(sql))
        return result

    def emit(self, event: Event) -> None:
        """Pass an event on."""
        if isinstance(event, MigrationStarted):
            self._said, self._more = [], 0
        elif isinstance(event, MigrationApplied):
            event = replace(event, sql=self._statements())
        self._emit(event)

    def _record(self, sql: str) -> None:
        if _READS.match(sql):
            return
        text = sql.strip().rstrip(";")
        if len(text) > MOST_CHARACTERS:
            text = f"{text[:MOST_CHARACTERS]} …"
        if self._said and self._said[-1][0] == text:
            self._said[-1] = text, self._said[-1][1] + 1
        elif len(self._said) < MOST_STATEMENTS:
            self._said.append((text, 1))
        else:
            self._more += 1

    def _statements(self) -> tuple[str, ...]:
        said = [
            f"{scrub_text(text)};" + (f"  -- {times} times" if times > 1 else "")
            for text, times in self._said
        ]
        if self._more:
            said.append(f"-- and {spell_count(self._more, 'statement')} more")
        self._said, self._more = [], 0
        return tuple(said)
