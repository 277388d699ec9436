"""Scratch databases on PostgreSQL."""

from __future__ import annotations

import time
import zlib
from contextlib import suppress

from django.db import Error

from migrator.backends.scratch import ScratchServer, is_scratch_name

CLASS_KEY = int.from_bytes(b"migs", "big")
"""First key of the advisory locks that say: the owner of this scratch database lives."""

_BUSY = "55006"  # the template is being copied, or somebody is just leaving it
_ATTEMPTS = 20
_PAUSE = 0.25


class PostgreSQLScratch(ScratchServer):
    """CREATE DATABASE, guarded by a session advisory lock; those of all databases of a server
    are seen in pg_locks.
    """

    vendor = "postgresql"

    def _hold(self, name: str) -> None:
        self._rows("SELECT pg_advisory_lock(%s, %s)", (CLASS_KEY, _signed(name)))

    def _create(self, name: str) -> None:
        quote = self.session.ops.quote_name
        template = f" TEMPLATE {quote(self.template)}" if self.template else ""
        for attempt in range(_ATTEMPTS):
            try:
                self._execute(f"CREATE DATABASE {quote(name)}{template}")
                break
            except Error as error:
                busy = getattr(error.__cause__, "sqlstate", None) == _BUSY
                if not busy or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE)
        self._resemble(name)

    def _resemble(self, name: str) -> None:
        """Give it the target's own settings, and the schemas that its search path names."""
        quote = self.session.ops.quote_name
        with self.target.cursor() as cursor:
            cursor.execute(
                "SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)"
                " FROM pg_db_role_setting, unnest(setconfig) AS s"
                " WHERE setrole = 0 AND setdatabase ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            settings = cursor.fetchall()
            cursor.execute("SELECT unnest(current_schemas(false))::text")
            schemas = [row[0] for row in cursor.fetchall() if row[0] != "public"]
        for key, value in settings:
            # A list (search_path) is kept as it was written and must not become one string.
            shown = value if key == "search_path" else "'" + value.replace("'", "''") + "'"
            with suppress(Error):  # one that only a superuser may set
                self._execute(f"ALTER DATABASE {quote(name)} SET {key} TO {shown}")
        if not schemas:
            return
        inside = self.session.copy()
        inside.settings_dict = {**inside.settings_dict, "NAME": name}
        try:
            with inside.cursor() as cursor:
                for schema in schemas:
                    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
        finally:
            inside.close()

    def _drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {self.session.ops.quote_name(name)} WITH (FORCE)")

    def _stale(self) -> tuple[str, ...]:
        names = [row[0] for row in self._rows("SELECT datname::text FROM pg_database")]
        ours = [name for name in names if is_scratch_name(name)]
        if not ours:
            return ()
        held = {
            row[0]
            for row in self._rows(
                "SELECT objid::bigint FROM pg_locks"
                " WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2",
                (CLASS_KEY,),
            )
        }
        return tuple(name for name in ours if _key(name) not in held)


def _key(name: str) -> int:
    return zlib.crc32(name.encode())


def _signed(name: str) -> int:
    """The same key as the integer that the function takes; pg_locks shows it unsigned."""
    key = _key(name)
    return key - 2**32 if key >= 2**31 else key
