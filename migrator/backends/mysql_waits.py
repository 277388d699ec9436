"""Lock and statement timeouts of MySQL and MariaDB, and who blocks whom as far as they tell."""

from __future__ import annotations

import math
from contextlib import suppress

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.base import Session
from migrator.backends.catalog import fetch, fetch_row
from migrator.backends.waits import Timeouts, Trouble, Waits, causes

_LOCKS = ("lock_wait_timeout", "innodb_lock_wait_timeout")
"""For metadata locks (the server's default is a day), and for rows."""

_TROUBLES = {
    # MySQL's and MariaDB's errmsg: ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, MariaDB's
    # ER_STATEMENT_TIMEOUT and MySQL's ER_QUERY_TIMEOUT.
    1205: Trouble.LOCK,
    1213: Trouble.DEADLOCK,
    1969: Trouble.STATEMENT,
    3024: Trouble.STATEMENT,
}


class MySQLWaits(Waits):
    """See Waits. Whole seconds: the servers know no less."""

    unseen = "Nobody was seen in the way; a user without the privilege PROCESS is shown nobody."

    def timeouts(self, connection: BaseDatabaseWrapper) -> Timeouts:
        """See Waits."""
        names = _names(connection)
        row = fetch_row(connection, "SELECT " + ", ".join(f"@@session.{name}" for name in names))
        return {name: str(value) for name, value in zip(names, row, strict=True)}

    def set_timeouts(
        self, connection: BaseDatabaseWrapper, *, lock: float, statement: float
    ) -> None:
        """See Waits. MySQL limits nothing but reading: there, `statement` does nothing."""
        wanted: dict[str, str] = {}
        if lock > 0:
            wanted.update({name: str(math.ceil(lock)) for name in _LOCKS})
        if statement > 0 and "max_statement_time" in _names(connection):
            wanted["max_statement_time"] = str(float(statement))
        self.restore(connection, wanted)

    def restore(self, connection: BaseDatabaseWrapper, before: Timeouts) -> None:
        """See Waits."""
        if not before:
            return
        # Numbers, all of them: the servers take no quoted ones here, and MySQL no 3.1536e+07,
        # which is the year that it waits by default.
        assignments = ", ".join(f"SESSION {name} = {_number(v)}" for name, v in before.items())
        with connection.cursor() as cursor:
            cursor.execute(f"SET {assignments}")

    def trouble(self, error: BaseException) -> Trouble | None:
        """See Waits."""
        return next(
            (
                _TROUBLES[cause.args[0]]
                for cause in causes(error)
                if cause.args and isinstance(cause.args[0], int) and cause.args[0] in _TROUBLES
            ),
            None,
        )

    def session(self, connection: BaseDatabaseWrapper) -> int:
        """See Waits."""
        (number,) = fetch_row(connection, "SELECT CONNECTION_ID()")
        return int(number)

    def blockers(self, connection: BaseDatabaseWrapper, session: int) -> tuple[Session, ...]:
        """See Waits. Where neither the metadata locks (MySQL 8's performance_schema, MariaDB's
        metadata_lock_info plugin) nor the waiting rows can be read: whose transaction is open
        while the session waits, which is who it may be.
        """
        mariadb: bool = connection.mysql_is_mariadb  # type: ignore[attr-defined]
        exact = ("mariadb_metadata_blockers",) if mariadb else ("mysql_metadata_blockers",)
        for name in (*exact, "mysql_open_transactions"):
            with suppress(DatabaseError):  # no such table, or not for this account
                rows = fetch(connection, name, {"session": session})
                if rows:
                    return tuple(_session(row) for row in rows)
        return ()


def _number(value: str) -> str:
    number = float(value)
    return str(int(number)) if number.is_integer() else repr(number)


def _names(connection: BaseDatabaseWrapper) -> tuple[str, ...]:
    mariadb: bool = connection.mysql_is_mariadb  # type: ignore[attr-defined]
    return (*_LOCKS, "max_statement_time") if mariadb else _LOCKS


def _session(row: dict[str, object]) -> Session:
    query = row["query"]
    text = query.decode(errors="replace") if isinstance(query, bytes) else str(query or "")
    return Session(
        pid=int(str(row["pid"])),
        user=str(row["user"] or ""),
        client=str(row["client"] or "").rsplit(":", 1)[0],
        state=str(row["state"] or ""),
        query=text,
    )
