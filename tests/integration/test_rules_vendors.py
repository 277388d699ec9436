"""The rules on MariaDB and SQLite, where they differ from PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections, migrations
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.integration.lint_shop import codes, fill, lint_steps
from tests.integration.test_rules_postgresql import (
    SAFE,
    UNSAFE,
    Case,
    found_again,
)
from tests.servers import Database, MySQLServer, SQLiteServer

CASES = {case.name: case for case in (*UNSAFE, *SAFE)}

MYSQL = {
    "not null with nulls": {"MF101": "error", "BC106": "warning"},
    "unique with duplicates": {"MF102": "error"},
    "unique together": {},
    "foreign key with orphans": {"MF103": "error", "LK101": "warning"},
    "check that is violated": {"MF104": "error", "LK101": "warning"},
    "text too long": {"MF105": "error", "BC108": "warning", "LK101": "warning"},
    "number out of range": {"MF106": "error", "BC108": "warning", "LK101": "warning"},
    "text that is no number": {"MF107": "error", "BC108": "warning", "LK101": "warning"},
    "required column without any value": {"BC105": "error"},
    "decimals are rounded": {"DL102": "error", "BC108": "warning", "LK101": "warning"},
    "column is dropped": {"BC103": "error", "DS102": "error"},
    "model is deleted": {"BC104": "error", "DS101": "error"},
    "field is renamed": {"BC102": "error"},
    "model is renamed": {"BC101": "error"},
    "required field with a Python default": {"BC105": "error"},
    "database default goes": {"BC107": "warning"},
    "type is rewritten": {"LK101": "warning"},
    "key becomes bigger": {"LK107": "warning"},
    "required": {"BC106": "warning"},
    "every row in one statement": {"DL105": "error", "LK110": "warning"},
    "several without a transaction": {"NA101": "warning"},
    # what another server builds while nobody writes, this one builds meanwhile
    "index": {},
    "index of a field": {},
    "schema and data": {"DL105": "error", "LK110": "warning"},
    "nullable field": {},
    "database default": {},
    "more digits": {"LK101": "warning"},
    "new model and its index": {},
    "new model, changed later": {},
    "new model with a foreign key to a large table": {},
    "renamed field, same column": {},
    "empty table": {"BC108": "warning"},
    "tiny table: type": {},
}

SQLITE = {
    "not null with nulls": {"MF101": "error", "BC106": "warning", "LK101": "warning"},
    "unique with duplicates": {"MF102": "error", "LK101": "warning"},
    "unique together": {"LK102": "warning"},
    "check that is violated": {"MF104": "error", "LK101": "warning"},
    "check": {"LK101": "warning"},
    "positive": {"LK101": "warning"},
    # a type is an affinity here: nothing is cut off, nothing fails
    "text too long": {"LK101": "warning"},
    "number out of range": {"LK101": "warning"},
    "decimals are rounded": {"LK101": "warning"},
    "required column without any value": {"BC105": "error", "MF108": "error"},
    "unique with one default for all": {"BC105": "error", "MF102": "error", "LK101": "warning"},
    "column is dropped": {"BC103": "error", "DS102": "error", "LK101": "warning"},
    "model is deleted": {"BC104": "error", "DS101": "error"},
    "field is renamed": {"BC102": "error"},
    "model is renamed": {"BC101": "error"},
    "required field with a Python default": {"BC105": "error", "LK101": "warning"},
    "database default": {"LK101": "warning"},
    "index": {"LK102": "warning"},
    "schema and data": {"DL105": "error", "LK110": "warning", "MX101": "warning"},
    "nullable field": {},
    "help text": {},
    "new model and its index": {},
    "new model, changed later": {},
    "renamed field, same column": {},
    "empty table": {},
    "tiny table: type": {},
}


def filled(database: Database) -> Iterator[BaseDatabaseWrapper]:
    alias = f"lint_{database.vendor}"
    entry = database.settings()
    connections.configure_settings({"default": {}, alias: entry})
    connections.settings[alias] = entry
    wrapper = connections[alias]
    fill(wrapper)
    yield wrapper
    wrapper.close()
    del connections[alias]
    del connections.settings[alias]
    database.drop()


@pytest.fixture(scope="module")
def mariadb(mysql: MySQLServer) -> Iterator[BaseDatabaseWrapper]:
    yield from filled(mysql.create_database("lint"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseDatabaseWrapper]:
    yield from filled(SQLiteServer(tmp_path_factory.mktemp("lint")).create_database())


def judged(connection: BaseDatabaseWrapper, case: Case) -> dict[str, str]:
    return codes(lint_steps(connection, *case.steps, atomic=case.atomic))


@pytest.mark.mysql
@pytest.mark.parametrize("name", MYSQL)
def test_on_mariadb(mariadb: BaseDatabaseWrapper, name: str) -> None:
    assert judged(mariadb, CASES[name]) == MYSQL[name]


@pytest.mark.parametrize("sql", ["REINDEX shop_item", "REINDEX item_big_idx", "REINDEX"])
def test_lk102_of_a_reindex_on_sqlite(file: BaseDatabaseWrapper, sql: str) -> None:
    found = lint_steps(file, [migrations.RunSQL(sql, migrations.RunSQL.noop)])
    assert codes(found) == {"LK102": "warning"}
    small = [migrations.RunSQL("REINDEX shop_small", migrations.RunSQL.noop)]
    assert codes(lint_steps(file, small)) == {}


@pytest.mark.parametrize("name", SQLITE)
def test_on_sqlite(file: BaseDatabaseWrapper, name: str) -> None:
    assert judged(file, CASES[name]) == SQLITE[name]


@pytest.mark.mysql
@pytest.mark.parametrize("name", MYSQL)
def test_the_safe_way_is_safe_on_mariadb(mariadb: BaseDatabaseWrapper, name: str) -> None:
    assert found_again(mariadb, CASES[name]) == []


@pytest.mark.parametrize("name", SQLITE)
def test_the_safe_way_is_safe_on_sqlite(file: BaseDatabaseWrapper, name: str) -> None:
    assert found_again(file, CASES[name]) == []
