"""What a database itself remembers about a transaction that was, or was not, committed.

PostgreSQL knows the status of each transaction by its id, for the whole server and whatever
database it was in. A copy of the server, or one that was put back to an earlier moment, gives the
same ids to other transactions. So a witness names the server, its timeline and the database, and
answers for nothing else. SQLite counts committed changes of the schema in the file's header
(https://www.sqlite.org/fileformat2.html#schema_cookie).
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

_ALLOWED = """
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
AND pg_catalog.has_function_privilege('pg_catalog.pg_current_wal_lsn()', 'EXECUTE')
AND pg_catalog.has_function_privilege('pg_catalog.pg_walfile_name(pg_lsn)', 'EXECUTE')
"""
# The name of a WAL file begins with its timeline, which a restore to a point in time and a
# failover change; the control file tells it only after the next checkpoint.
_PLACE = """
SELECT s.system_identifier::text, d.oid::text,
    pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)
FROM pg_catalog.pg_control_system() s, pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()
"""


class Witness:
    """Asks one database about its own transactions."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    def token(self) -> str:
        """What to remember of the transaction in progress, before it has done anything.

        Returns:
            "" where there is no such thing, or where the role may not ask which server it is.
        """
        if self.connection.vendor == "postgresql":
            place = self._place()
            if not place:
                return ""
            (number,) = self._ask("SELECT pg_catalog.pg_current_xact_id()::text")
            return f"{place}:{number}"
        if self.connection.vendor == "sqlite":
            return self._schema_version()
        return ""

    def committed(self, token: str, *, changes_schema: bool) -> bool | None:
        """Whether that transaction was committed.

        Args:
            token: What `token` returned in it.
            changes_schema: Whether it was bound to change the schema, had it been committed.

        Returns:
            None when nobody can tell: another database, or one that was restored since.
        """
        if not token:
            return None
        if self.connection.vendor == "sqlite":
            return self._schema_version() != token if changes_schema else None
        place, _, number = token.rpartition(":")
        if not place or place != self._place():
            return None
        try:
            (status,) = self._ask("SELECT pg_catalog.pg_xact_status(%s::xid8)", number)
        except DatabaseError:  # "transaction ID … is in the future"
            return None
        return {"committed": True, "aborted": False}.get(str(status))

    def _place(self) -> str:
        """Which database, of which server, in which of its histories; "" where that is hidden."""
        (allowed,) = self._ask(_ALLOWED)
        return ":".join(map(str, self._ask(_PLACE))) if allowed else ""

    def _schema_version(self) -> str:
        (version,) = self._ask("PRAGMA schema_version")
        return str(version)

    def _ask(self, sql: str, *params: str) -> Sequence[object]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params)
            row: Sequence[object] = cursor.fetchone()
        return row
