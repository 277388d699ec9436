"""Lock and statement timeouts of PostgreSQL, and who blocks whom."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.base import Session
from migrator.backends.catalog import fetch, fetch_row
from migrator.backends.waits import Timeouts, Trouble, Waits, causes

_NAMES = ("lock_timeout", "statement_timeout")

_TROUBLES = {
    # https://www.postgresql.org/docs/current/errcodes-appendix.html: lock_not_available,
    # deadlock_detected, serialization_failure, query_canceled.
    "55P03": Trouble.LOCK,
    "40P01": Trouble.DEADLOCK,
    "40001": Trouble.SERIALIZATION,
    "57014": Trouble.STATEMENT,
}


class PostgreSQLWaits(Waits):
    """See Waits."""

    def timeouts(self, connection: BaseDatabaseWrapper) -> Timeouts:
        """See Waits."""
        row = fetch_row(
            connection, "SELECT " + ", ".join(f"current_setting('{name}')" for name in _NAMES)
        )
        return dict(zip(_NAMES, row, strict=True))

    def set_timeouts(
        self, connection: BaseDatabaseWrapper, *, lock: float, statement: float
    ) -> None:
        """See Waits."""
        wanted = {"lock_timeout": lock, "statement_timeout": statement}
        # Less than a millisecond would be no limit at all.
        self.restore(
            connection,
            {
                name: f"{max(1, round(value * 1000))}ms"
                for name, value in wanted.items()
                if value > 0
            },
        )

    def restore(self, connection: BaseDatabaseWrapper, before: Timeouts) -> None:
        """See Waits."""
        if not before:
            return
        calls = ", ".join(f"set_config('{name}', %({name})s, false)" for name in before)
        fetch_row(connection, f"SELECT {calls}", before)

    def trouble(self, error: BaseException) -> Trouble | None:
        """See Waits."""
        return next(
            (
                _TROUBLES[state]
                for cause in causes(error)
                if (state := getattr(cause, "sqlstate", None)) in _TROUBLES
            ),
            None,
        )

    def waits_harmlessly(self, sql: str) -> bool:
        """See Waits. What works CONCURRENTLY waits for every older transaction, and leaves an
        invalid index behind when it is cut short. VALIDATE takes a lock (SHARE UPDATE EXCLUSIVE)
        that readers and writers do not queue behind.
        """
        text = sql.upper()
        return "CONCURRENTLY" in text or "VALIDATE CONSTRAINT" in text

    def session(self, connection: BaseDatabaseWrapper) -> int:
        """See Waits. Asked of the server: a proxy answers with a number of its own."""
        (pid,) = fetch_row(connection, "SELECT pg_backend_pid()")
        return int(pid)

    def blockers(self, connection: BaseDatabaseWrapper, session: int) -> tuple[Session, ...]:
        """See Waits."""
        rows = fetch(connection, "postgresql_blockers", {"pid": session})
        return tuple(Session(**row) for row in rows)
