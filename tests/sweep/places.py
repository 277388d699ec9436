"""The databases that a run is killed on: emptied between two experiments, read out after each.

Emptying is what a sweep does most, so it is done in place: a schema dropped and made again, a
file removed. Reading out is independent of the product: catalog queries of our own, and now and
then the vendor's own dump beside them.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import time
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests import servers
from tests.servers import MySQLDatabase, PostgresDatabase, SQLiteDatabase

Rows = Counter[tuple[str, ...]]

# Numbers that a rolled back transaction leaves a gap in, and times.
_LEFT_OUT = frozenset({"applied"})


@dataclass(frozen=True)
class Picture:
    """All that has to be the same after a crash.

    Attributes:
        schema: One line for each object.
        rows: Table → its rows, each as often as it is there, generated keys left out.
    """

    schema: tuple[str, ...]
    rows: dict[str, Rows]

    def migrations(self) -> list[str]:
        """ "app.name" of each recorded migration."""
        return [".".join(row) for row in self.rows.get("django_migrations", Counter())]


def differences(expected: Picture, found: Picture) -> tuple[list[str], list[str]]:
    """What is there too often, and what is missing.

    Args:
        expected: Of the run that nobody interrupted.
        found: After the crash.
    """
    extra = [f"+ {line}" for line in found.schema if line not in expected.schema]
    missing = [f"- {line}" for line in expected.schema if line not in found.schema]
    for table in sorted({*expected.rows, *found.rows}):
        before = expected.rows.get(table, Counter())
        after = found.rows.get(table, Counter())
        extra += [f"+ {table}: {row}" for row in (after - before).elements()]
        missing += [f"- {table}: {row}" for row in (before - after).elements()]
    return extra, missing


class Place(ABC):
    """One database of an experiment."""

    vendor: str

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Its DATABASES entry."""

    @abstractmethod
    def empty(self) -> None:
        """Make it as if it had just been created, whoever is connected."""

    @abstractmethod
    def picture(self, *, whole: bool = False) -> Picture:
        """Read it out.

        Args:
            whole: Generated keys, too.
        """

    @abstractmethod
    def dump(self) -> str:
        """The schema as the vendor's own tool writes it."""

    @abstractmethod
    def drop(self) -> None:
        """Remove it."""

    def sessions(self) -> int:
        """How many other sessions are open on it."""
        return 0

    def untouched(self, directory: Path) -> Place:
        """What can be read without changing what the next run will find.

        Args:
            directory: For a copy, where reading changes something.
        """
        return self

    def wait_until_alone(self, seconds: float = 60) -> None:
        """Wait until the server has noticed that a killed client is gone."""
        deadline = time.monotonic() + seconds
        while self.sessions():
            if time.monotonic() > deadline:
                raise TimeoutError("a killed client's session does not end")
            time.sleep(0.01)


_PG_SCHEMA = """
SELECT concat_ws(' ', c.relkind, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                 a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid))
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
UNION ALL
SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, convalidated,
                 pg_get_constraintdef(oid))
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT concat_ws(' ', 'index', indisvalid, pg_get_indexdef(indexrelid))
  FROM pg_index JOIN pg_class c ON c.oid = indexrelid
 WHERE c.relnamespace = 'public'::regnamespace
 ORDER BY 1
"""


@dataclass
class PostgresPlace(Place):
    """A database of a PostgreSQL server; its schema is dropped, not the database."""

    database: PostgresDatabase
    vendor: str = "postgresql"

    def settings(self) -> dict[str, Any]:
        return self.database.settings()

    def empty(self) -> None:
        with self.database.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("SET client_min_messages = error")
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        self.wait_until_alone()

    def picture(self, *, whole: bool = False) -> Picture:
        with self.database.connect() as connection:
            schema = [row[0] for row in connection.execute(_PG_SCHEMA)]
            tables = [line.split()[1] for line in schema if line.startswith("r ")]
            rows = {}
            for table in dict.fromkeys(tables):
                cursor = connection.execute(f'SELECT * FROM "{table}"'.encode())
                names = [str(c.name) for c in cursor.description or ()]
                rows[table] = _counted(names, cursor, whole)
        return Picture(tuple(schema), rows)

    def dump(self) -> str:
        return self.database.dump()

    def drop(self) -> None:
        self.database.drop()

    def sessions(self) -> int:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return int(self.database.query(query)[0][0])

    def terminate(self) -> None:
        """End every other session, as an administrator would."""
        self.database.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@dataclass
class MySQLPlace(Place):
    """A database of a MySQL or MariaDB server."""

    database: MySQLDatabase
    vendor: str = "mysql"

    def settings(self) -> dict[str, Any]:
        return self.database.settings()

    def empty(self) -> None:
        name = self.database.name
        with closing(self.database.server.connect()) as connection, connection.cursor() as cursor:
            self._kill(cursor)
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")

    def picture(self, *, whole: bool = False) -> Picture:
        schema, rows = [], {}
        connection = self.database.server.connect(self.database.name)
        with closing(connection), connection.cursor() as cursor:
            cursor.execute("SHOW TABLES")
            for (table,) in cast("Any", cursor.fetchall()):
                cursor.execute(f"SHOW CREATE TABLE `{table}`")
                created = cast("Any", cursor.fetchone())[1]
                created = re.sub(r" AUTO_INCREMENT=\d+", "", created)
                schema += [f"{table}: {line.strip(', ')}" for line in created.splitlines()]
                cursor.execute(f"SELECT * FROM `{table}`")
                names = [c[0] for c in cursor.description or ()]
                rows[table] = _counted(names, cursor.fetchall(), whole)
        return Picture(tuple(schema), rows)

    def dump(self) -> str:
        return self.database.dump()

    def drop(self) -> None:
        self.database.drop()

    def sessions(self) -> int:
        query = (
            "SELECT count(*) FROM information_schema.processlist WHERE db = database()"
            " AND id <> connection_id()"
        )
        return int(self.database.query(query)[0][0])

    def terminate(self) -> None:
        """End every other session, as an administrator would."""
        with closing(self.database.server.connect()) as connection, connection.cursor() as cursor:
            self._kill(cursor)

    def _kill(self, cursor: Any) -> None:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> connection_id()",
            [self.database.name],
        )
        for (number,) in cursor.fetchall():
            with contextlib.suppress(Exception):  # gone by itself
                cursor.execute(f"KILL {number}")


@dataclass
class SQLitePlace(Place):
    """An SQLite file."""

    path: Path
    vendor: str = "sqlite"

    def settings(self) -> dict[str, Any]:
        return SQLiteDatabase(self.path).settings()

    def untouched(self, directory: Path) -> Place:
        return SQLitePlace(copied(self.path, directory))

    def empty(self) -> None:
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink(missing_ok=True)

    def picture(self, *, whole: bool = False) -> Picture:
        if not self.path.exists():
            return Picture((), {})
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2"
            ).fetchall()
            rows = {}
            for kind, name, _, _ in found:
                if kind == "table" and name != "sqlite_sequence":
                    cursor = connection.execute(f'SELECT * FROM "{name}"')
                    rows[name] = _counted([c[0] for c in cursor.description], cursor, whole)
        return Picture(tuple(map(str, found)), rows)

    def dump(self) -> str:
        return SQLiteDatabase(self.path).dump()

    def drop(self) -> None:
        self.empty()


def copied(path: Path, directory: Path) -> Path:
    """An SQLite file beside its journals: who opens one after a crash rolls it back.

    Args:
        path: The file; it need not exist.
        directory: Where the copy goes.
    """
    target = directory / f"copy-{path.name}"
    for old in directory.glob(f"{target.name}*"):
        old.unlink()
    for suffix in ("", "-wal", "-journal"):
        source = Path(f"{path}{suffix}")
        if source.exists():
            shutil.copyfile(source, f"{target}{suffix}")
    return target


def _counted(columns: list[str], found: Any, whole: bool) -> Rows:
    # A key that nobody chose may come after a gap, and so may what refers to it.
    kept = [
        i
        for i, name in enumerate(columns)
        if name not in _LEFT_OUT and (whole or (name != "id" and not name.endswith("_id")))
    ]
    return Counter(tuple(str(row[i]) for i in kept) for row in found)


def make_place(vendor: str, directory: Path, address: str, name: str) -> Place:
    """A database of a vendor.

    Args:
        vendor: "postgresql", "mysql" or "sqlite".
        directory: Where files go.
        address: The server's URL.
        name: Tells it from others of the same sweep.
    """
    if vendor == "sqlite":
        return SQLitePlace(directory / f"{name}.sqlite3")
    if vendor == "mysql":
        server = servers.MySQLServer(servers.Address.parse(address, port=3306, maintenance=""))
        return MySQLPlace(server.create_database(f"sweep_{name}"))
    parsed = servers.Address.parse(address, port=5432, maintenance="postgres")
    return PostgresPlace(servers.PostgresServer(parsed).create_database(f"sweep_{name}"))
