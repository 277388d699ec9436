"""A database of the corpus on each vendor, and copies of it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.corpus.base import ROWS, fill, history
from tests.corpus.case import Case
from tests.history import History
from tests.servers import (
    Database,
    MySQLDatabase,
    PostgresDatabase,
    PostgresServer,
    SQLiteDatabase,
)

_numbers = itertools.count(1)


@contextmanager
def alias_of(database: Database) -> Iterator[BaseDatabaseWrapper]:
    """A Django connection to it, as an alias that is gone afterwards."""
    alias = f"corpus{next(_numbers)}"
    entry = database.settings()
    connections.configure_settings({"default": {}, alias: entry})  # fills in the defaults
    connections.settings[alias] = entry
    try:
        yield connections[alias]
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]


class World:
    """The database that every case begins with.

    Args:
        server: Of one vendor, with `create_database`.
        rows: Of the large table; by default as many as are many.
    """

    def __init__(self, server: Any, rows: int = 0) -> None:
        self.server = server
        self.base: Database = server.create_database("corpus")
        self.vendor = self.base.vendor
        # A copy takes its time there; these are many as well.
        self._rows = rows or (ROWS // 4 if self.vendor == "mysql" else ROWS)
        self._build(self.base)

    def _build(self, database: Database) -> None:
        if self.vendor == "sqlite":
            database.execute("PRAGMA journal_mode = WAL")
        with alias_of(database) as connection:
            history().migrate(connection)
            for statement in fill(self.vendor, self._rows):
                with connection.cursor() as cursor:
                    cursor.execute(statement)

    def close(self) -> None:
        """Drop it."""
        self.base.drop()

    @contextmanager
    def copy(self) -> Iterator[Database]:
        """A copy that is gone afterwards."""
        name = f"{self.base.name}_{next(_numbers)}"
        copy: Database
        if isinstance(self.base, PostgresDatabase):
            assert isinstance(self.server, PostgresServer)
            with self.server.connect() as admin:
                admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.base.name}"')  # type: ignore[call-overload]
            copy = PostgresDatabase(self.server, name)
        elif isinstance(self.base, SQLiteDatabase):
            path = self.base.path.with_name(f"copy{next(_numbers)}.sqlite3")
            shutil.copy(self.base.path, path)
            copy = SQLiteDatabase(path)
        else:
            assert isinstance(self.base, MySQLDatabase)
            copy = self.server.create_database("corpus")
            with alias_of(copy) as connection:
                history().migrate(connection)
                tables = ("category", "item", "small", "small_labels")
                with connection.cursor() as cursor:
                    cursor.execute("SET foreign_key_checks = 0")
                    for table in tables:
                        source = f"`{self.base.name}`.shop_{table}"
                        cursor.execute(f"INSERT INTO shop_{table} SELECT * FROM {source}")
                    cursor.execute(f"ANALYZE TABLE {', '.join(f'shop_{t}' for t in tables)}")
                    cursor.fetchall()
        try:
            yield copy
        finally:
            copy.drop()

    @contextmanager
    def ready(self, case: Case) -> Iterator[tuple[BaseDatabaseWrapper, History, int]]:
        """A copy where the case begins; its history, and how many of that are applied."""
        with self.copy() as database, alias_of(database) as connection:
            past, applied = begin(case)
            past.migrate(connection)
            for statement in case.setup:
                with connection.cursor() as cursor:
                    cursor.execute(statement)
            yield connection, past, applied


def begin(case: Case) -> tuple[History, int]:
    """The history where a case begins, and its length."""
    past = history()
    if case.before:
        past.add("shop", "0002_before", case.before)
    return past, len(past.migrations)


def judged(past: History, case: Case) -> History:
    """The same with the case's own migrations."""
    number = len(past.migrations) + 1
    past.add("shop", f"{number:04}_case", case.operations, atomic=case.atomic)
    if case.then:
        past.add("shop", f"{number + 1:04}_then", case.then)
    return past
