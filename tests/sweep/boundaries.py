"""The boundaries that a process crosses, and what may strike at one of them.

A boundary is the moment before an SQL statement, and the moments before and after each COMMIT
and ROLLBACK, of the targets (Django's cursors and connections) and of the journal (SQLAlchemy's
engine). What lies after a statement is what lies before the next boundary. The same command on
the same databases crosses the same boundaries in the same order.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

TARGET, JOURNAL = "target", "journal"
END = "journal end"


@dataclass(frozen=True, slots=True)
class Crossing:
    """One boundary at the moment when it is crossed.

    Attributes:
        label: "target sql SELECT …", "target before commit", "journal after commit" …
        connection: Django's connection; None for the journal.
        cursor, sql, params: Of a statement to a target.
    """

    label: str
    connection: Any = None
    cursor: Any = None
    sql: Any = None
    params: Any = None


@dataclass
class Clock:
    """Counts boundaries from 1, and strikes at one of them.

    Attributes:
        strike_at: The boundary; 0 for never.
        strike: What happens there.
        labels: What was crossed.
    """

    strike: Callable[[Crossing], None]
    strike_at: int = 0
    labels: list[str] = field(default_factory=list)
    _busy: bool = False

    def cross(self, crossing: Crossing) -> None:
        """Cross a boundary; what the strike itself does is none."""
        if self._busy:
            return
        self.labels.append(crossing.label)
        if len(self.labels) == self.strike_at:
            self._busy = True
            try:
                self.strike(crossing)
            finally:
                self._busy = False


def watch_targets(clock: Clock) -> None:
    """Count what Django's connections do, in this process, for good."""
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.utils import CursorWrapper

    def around_statement(name: str) -> None:
        inner = getattr(CursorWrapper, name)

        def outer(self: Any, sql: Any, params: Any, *rest: Any) -> Any:
            label = f"{TARGET} sql {' '.join(str(sql).split())[:90]}"
            clock.cross(Crossing(label, self.db, self.cursor, sql, params))
            return inner(self, sql, params, *rest)

        setattr(CursorWrapper, name, outer)

    def around_end(name: str, word: str) -> None:
        inner = getattr(BaseDatabaseWrapper, name)

        def outer(self: Any) -> Any:
            clock.cross(Crossing(f"{TARGET} before {word}", self))
            result = inner(self)
            clock.cross(Crossing(f"{TARGET} after {word}", self))
            return result

        setattr(BaseDatabaseWrapper, name, outer)

    around_statement("_execute")
    around_statement("_executemany")
    around_end("_commit", "commit")
    around_end("_rollback", "rollback")


def watch_journal(clock: Clock) -> None:
    """Count what SQLAlchemy does, in this process, for good."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.engine.default import DefaultDialect

    def on_execute(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        clock.cross(Crossing(f"{JOURNAL} sql {' '.join(statement.split())[:90]}"))

    def around_end(name: str, word: str) -> None:
        inner = getattr(DefaultDialect, name)

        def outer(self: Any, connection: Any) -> None:
            clock.cross(Crossing(f"{JOURNAL} before {word}"))
            inner(self, connection)
            clock.cross(Crossing(f"{JOURNAL} after {word}"))

        setattr(DefaultDialect, name, outer)

    event.listen(Engine, "before_cursor_execute", on_execute)
    around_end("do_commit", "commit")
    around_end("do_rollback", "rollback")


# -- what strikes -------------------------------------------------------------------------


def kill(crossing: Crossing) -> None:
    """SIGKILL: here the process ends."""
    os.kill(os.getpid(), signal.SIGKILL)


def send_and_kill(crossing: Crossing) -> None:
    """Hand the statement or COMMIT to the server, then die without waiting for the answer."""
    raw = crossing.connection.connection
    if crossing.connection.vendor == "postgresql":
        from psycopg.pq import TransactionStatus

        text = _statement(crossing)
        # psycopg begins a transaction before its first statement.
        idle = raw.info.transaction_status == TransactionStatus.IDLE
        if crossing.sql is not None and idle and not raw.autocommit:
            text = f"BEGIN; {text}"
        raw.pgconn.send_query(text.encode())
        while raw.pgconn.flush():
            pass
    else:
        from pymysql.constants import COMMAND

        raw._execute_command(COMMAND.COM_QUERY, _statement(crossing))
    kill(crossing)


def _statement(crossing: Crossing) -> str:
    if crossing.sql is None:
        return "COMMIT"
    if crossing.params is None:
        return str(crossing.sql)
    cursor = crossing.cursor
    inner = cursor.cursor if crossing.connection.vendor == "mysql" else cursor
    return str(inner.mogrify(crossing.sql, crossing.params))


def lose_the_answer(crossing: Crossing) -> NoReturn:
    """The server has committed; its answer is lost with the connection."""
    from django.db.utils import OperationalError

    raw = crossing.connection.connection
    if crossing.connection.vendor == "mysql":
        raw._force_close()
        raise OperationalError(2013, "Lost connection to MySQL server during query")
    raw.close()
    raise OperationalError("server closed the connection unexpectedly")


def signalling(number: int) -> Callable[[Crossing], None]:
    """A strike that sends this process a signal that it may handle."""

    def strike(crossing: Crossing) -> None:
        os.kill(os.getpid(), number)

    return strike
