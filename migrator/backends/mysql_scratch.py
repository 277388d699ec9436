"""Scratch databases on MySQL and MariaDB."""

from __future__ import annotations

from migrator.backends.scratch import ScratchServer, is_scratch_name


class MySQLScratch(ScratchServer):
    """CREATE DATABASE, guarded by GET_LOCK in its name; the server has one namespace of them."""

    vendor = "mysql"

    def _hold(self, name: str) -> None:
        self._rows("SELECT GET_LOCK(%s, 10)", (name,))

    def _create(self, name: str) -> None:
        with self.target.cursor() as cursor:
            cursor.execute("SELECT @@character_set_database, @@collation_database")
            charset, collation = cursor.fetchone()
        self._execute(
            f"CREATE DATABASE {self.session.ops.quote_name(name)}"
            f" CHARACTER SET {charset} COLLATE {collation}"
        )

    def _drop(self, name: str) -> None:
        # A client that was killed may have left a statement running, which DROP would wait for.
        sessions = self._rows(
            "SELECT id FROM information_schema.processlist WHERE db = %s", (name,)
        )
        self._execute(*(f"KILL {int(session)}" for (session,) in sessions))
        if self._rows("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (name,)):
            self._execute(f"DROP DATABASE {self.session.ops.quote_name(name)}")

    def _stale(self) -> tuple[str, ...]:
        names = [
            row[0] for row in self._rows("SELECT schema_name FROM information_schema.schemata")
        ]
        return tuple(
            name
            for name in names
            if is_scratch_name(name) and self._rows("SELECT IS_FREE_LOCK(%s)", (name,))[0][0]
        )
