"""SQLite's busy timeout, and what it says when the time is over. It names nobody."""

from __future__ import annotations

import sqlite3

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.catalog import fetch_row
from migrator.backends.waits import Timeouts, Trouble, Waits, causes

_TROUBLES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED_SHAREDCACHE}
"""Not SQLITE_LOCKED by itself: that is a conflict within one connection, which nobody ends."""


class SQLiteWaits(Waits):
    """See Waits. A statement has no limit."""

    def timeouts(self, connection: BaseDatabaseWrapper) -> Timeouts:
        """See Waits."""
        (value,) = fetch_row(connection, "PRAGMA busy_timeout")
        return {"busy_timeout": str(value)}

    def set_timeouts(
        self,
        connection: BaseDatabaseWrapper,
        *,
        lock: float,
        statement: float,  # noqa: ARG002
    ) -> None:
        """See Waits."""
        if lock > 0:
            self.restore(connection, {"busy_timeout": str(max(1, round(lock * 1000)))})

    def restore(self, connection: BaseDatabaseWrapper, before: Timeouts) -> None:
        """See Waits."""
        for name, value in before.items():
            fetch_row(connection, f"PRAGMA {name} = {int(value)}")

    def trouble(self, error: BaseException) -> Trouble | None:
        """See Waits."""
        for cause in causes(error):
            code = getattr(cause, "sqlite_errorcode", None)
            if code is not None and (code in _TROUBLES or code & 0xFF == sqlite3.SQLITE_BUSY):
                return Trouble.LOCK
        return None
