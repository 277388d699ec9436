"""Measures what statements do on MySQL and MariaDB.

An ALTER TABLE is asked for the cheapest algorithm and lock first (the server refuses what it
cannot do that way), up to the one that it takes. Of any other statement, what waits for it is
measured from another session: it is run while that one reads, writes, or only knows the table.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pymysql

from migrator.core.costs import cost_of
from migrator.sources.ddl import read_ddl
from tests.ddl.live import inspect
from tests.ddl.measured import Case, Measured, differences
from tests.ddl.mysql_cases import FILL, ROWS, TABLES
from tests.servers import MySQLServer

_WAYS = {
    "MariaDB": (
        ("INSTANT", "NONE"), ("NOCOPY", "NONE"), ("NOCOPY", "SHARED"), ("INPLACE", "NONE"),
        ("INPLACE", "SHARED"), ("COPY", "NONE"), ("COPY", "SHARED"), ("COPY", "EXCLUSIVE"),
    ),
    "MySQL": (
        ("INSTANT", "DEFAULT"), ("INPLACE", "NONE"), ("INPLACE", "SHARED"), ("COPY", "SHARED"),
        ("COPY", "EXCLUSIVE"),
    ),
}  # fmt: skip
_REFUSED = {1845, 1846, 1221}
"""The server says that this algorithm or lock cannot be had."""

_FOREIGN = ("foreign key", "references", "cat_id", "rename to")
"""What may concern the table that another one refers to."""


class Arena:
    """A database with tables to be altered."""

    lacks: frozenset[str] = frozenset()

    def __init__(self, server: MySQLServer) -> None:
        self.database = server.create_database("ddl")
        self._server = server
        with self._session() as cursor:
            cursor.execute("SELECT VERSION()")
            text = str(cursor.fetchone()[0])
            self.product = "MariaDB" if "MariaDB" in text else "MySQL"
            self.version = tuple(int(part) for part in text.split("-")[0].split("."))
            cursor.execute("CREATE TABLE numbers (seq int PRIMARY KEY)")
            values = ", ".join(f"({number})" for number in range(1, ROWS + 1))
            cursor.execute(f"INSERT INTO numbers VALUES {values}")
            self._restore(cursor)
        self.title = f"{self.product} {'.'.join(map(str, self.version))}"
        self.schema = inspect(self.database)

    def close(self) -> None:
        """Drop the database."""
        self.database.drop()

    def _session(self) -> Any:
        return _Session(self._server.connect(self.database.name))

    def _restore(self, cursor: Any) -> None:
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute("SHOW FULL TABLES")
        for name, kind in cursor.fetchall():
            if name != "numbers":
                cursor.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} `{name}`")
        for statement in (*TABLES.values(), *FILL):
            cursor.execute(statement)
        cursor.execute("SET foreign_key_checks = 1")

    def judge(self, case: Case) -> tuple[Measured, list[str]]:
        """Measure one statement, and hold what is said about it against that."""
        with self._session() as cursor:
            measured = self._measure(cursor, case)
        cost = cost_of(
            read_ddl(case.sql, "mysql"),
            vendor="mysql",
            version=self.version,
            product=self.product,
            schema=self.schema,
        )
        if measured.error:
            return measured, [f"could not be run: {measured.error}"]
        return measured, differences(measured, cost)

    def _measure(self, cursor: Any, case: Case) -> Measured:
        sql = case.sql
        words = sql.split()
        if words[:2] == ["DROP", "INDEX"]:  # takes no ALGORITHM of its own
            sql = f"ALTER TABLE {words[4]} DROP INDEX {words[2]}"
            words = sql.split()
        altered = words[0] == "ALTER" or words[1] in {"INDEX", "UNIQUE"}
        if not altered or "RENAME TO" in sql:
            return self._waited_for(cursor, sql)
        comma = ", " if words[0] == "ALTER" else " "
        files = self._files(cursor)
        for algorithm, lock in _WAYS[self.product]:
            locked = f"{comma}LOCK={lock}" if lock != "DEFAULT" else ""
            try:
                cursor.execute(f"{sql}{comma}ALGORITHM={algorithm}{locked}")
            except pymysql.Error as error:
                if error.args[0] in _REFUSED:
                    continue
                return Measured(error=str(error))
            table = words[2] if words[0] == "ALTER" else words[words.index("ON") + 1]
            measured = Measured({table: f"{algorithm}/{lock.replace('DEFAULT', 'NONE')}"})
            if algorithm in {"INPLACE", "COPY"} and self.product == "MariaDB":
                measured.rewrites.add(table)  # what needs no rebuild goes as NOCOPY
            elif self._files(cursor).get(table) != files.get(table):
                measured.rewrites.add(table)
            self._restore(cursor)
            related = table != "cat" and any(word in sql.lower() for word in _FOREIGN)
            if related and self._conflicts(cursor, sql, "cat"):
                measured.locks["cat"] = "EXCLUSIVE"
            return measured
        return Measured(error="no algorithm will do")

    def _files(self, cursor: Any) -> dict[str, int]:
        """InnoDB's number of each table: a table that is written anew gets another one. Only
        MySQL, whose INPLACE does not tell a rebuild from what needs none.
        """
        if self.product != "MySQL":
            return {}
        cursor.execute(
            "SELECT name, table_id FROM information_schema.innodb_tables WHERE name LIKE %s",
            [f"{self.database.name}/%"],
        )
        return {str(name).partition("/")[2]: number for name, number in cursor.fetchall()}

    def _waited_for(self, cursor: Any, sql: str) -> Measured:
        measured = Measured()
        for table in TABLES:
            if self._conflicts(cursor, sql, table):
                measured.locks[table] = "EXCLUSIVE"
        return measured

    def _conflicts(self, cursor: Any, sql: str, table: str) -> bool:
        """Whether it waits for a transaction of another session that has read the table."""
        with closing(self._server.connect(self.database.name)) as other, other.cursor() as reader:
            reader.execute("BEGIN")
            reader.execute(f"SELECT COUNT(*) FROM `{table}`")
            cursor.execute("SET lock_wait_timeout = 0")
            try:
                cursor.execute(sql)
            except pymysql.Error as error:
                waited = error.args[0] == 1205
            else:
                waited = False
            reader.execute("ROLLBACK")
        cursor.execute("SET lock_wait_timeout = 5")
        if not waited:
            self._restore(cursor)
        return waited


class _Session:
    """A connection and its cursor, both closed at the end."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __enter__(self) -> Any:
        cursor = self._connection.cursor()
        cursor.execute("SET lock_wait_timeout = 5")
        return cursor

    def __exit__(self, *_: object) -> None:
        self._connection.close()
