"""Fixtures of all tests: servers, projects on disk, and aliases in this process."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import pymysql
import pytest
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tests import servers
from tests.projects import Project, copy_sample_project
from tests.projects import make_project as write_project
from tests.servers import (
    Database,
    MySQLDatabase,
    MySQLServer,
    PostgresDatabase,
    PostgresServer,
    SQLiteDatabase,
    SQLiteServer,
)
from tests.zygote import Zygote

pymysql.install_as_MySQLdb()

# "default" is Django's dummy backend: whatever touches it by mistake fails at once.
settings.configure(
    SECRET_KEY="only for tests",
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {}},
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "migrator",
    ],
)
django.setup()

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the servers that its fixtures may start (`-m postgresql`)."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if names & {"postgres", "postgres_database"}:
            item.add_marker("postgresql")
        if names & {"mysql", "mysql_database"}:
            item.add_marker("mysql")
        if "create_database" in names and "database" not in names:
            item.add_marker("postgresql")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on, or writes to, the journal or settings of whoever runs it."""
    monkeypatch.delenv("MIGRATOR_JOURNAL_URL", raising=False)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)


# -- servers -----------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """PostgreSQL: the server of MIGRATOR_TEST_POSTGRES_URL, or else an embedded one, started
    once per session (under pytest-xdist: once per worker) and gone without a trace after it.
    """
    url = os.environ.get(servers.POSTGRES_URL)
    if url:
        address = servers.Address.parse(url, port=5432, maintenance="postgres")
        yield PostgresServer(address)
        return
    with servers.embedded_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mysql() -> MySQLServer:
    """MySQL or MariaDB: the server of MIGRATOR_TEST_MYSQL_URL."""
    url = os.environ.get(servers.MYSQL_URL)
    if not url:
        reason = f"no MySQL or MariaDB: set {servers.MYSQL_URL}, see docker-compose.yml"
        if servers.servers_required():
            pytest.fail(f"{reason} ({servers.REQUIRE_SERVERS} is set)")
        pytest.skip(reason)
    return MySQLServer(servers.Address.parse(url, port=3306, maintenance=""))


@pytest.fixture
def sqlite(tmp_path: Path) -> SQLiteServer:
    """SQLite, in the test's own directory."""
    return SQLiteServer(tmp_path)


@pytest.fixture
def create_database(request: pytest.FixtureRequest) -> Iterator[Callable[..., Database]]:
    """`create_database(vendor, prefix="test")` → a database that is dropped after the test."""
    created: list[Database] = []
    fixtures = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}

    def create(vendor: str = "postgresql", prefix: str = "test") -> Database:
        database: Database = request.getfixturevalue(fixtures[vendor]).create_database(prefix)
        created.append(database)
        return database

    yield create
    for database in created:
        database.drop()


@pytest.fixture
def postgres_database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """An empty PostgreSQL database, dropped after the test."""
    database = postgres.create_database()
    yield database
    database.drop()


@pytest.fixture
def mysql_database(mysql: MySQLServer) -> Iterator[MySQLDatabase]:
    """An empty MySQL or MariaDB database, dropped after the test."""
    database = mysql.create_database()
    yield database
    database.drop()


@pytest.fixture
def sqlite_database(sqlite: SQLiteServer) -> SQLiteDatabase:
    """An SQLite database that does not exist yet."""
    return sqlite.create_database()


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
    ]
)
def database(request: pytest.FixtureRequest, create_database: Callable[..., Database]) -> Database:
    """An empty database of every vendor in turn."""
    return create_database(request.param)


# -- Django in this process ----------------------------------------------------


@pytest.fixture
def register_alias() -> Iterator[Callable[..., BaseDatabaseWrapper]]:
    """`register_alias(database.settings(), alias=None)` → the connection of a new alias."""
    registered: list[str] = []

    def register(entry: dict[str, Any], alias: str | None = None) -> BaseDatabaseWrapper:
        alias = alias or f"alias{next(_numbers)}"
        assert alias not in connections.settings, f"{alias} is registered already"
        entry = {**entry}
        # Django's own defaults; it asks for a "default" beside it.
        connections.configure_settings({"default": {}, alias: entry})
        connections.settings[alias] = entry
        registered.append(alias)
        return connections[alias]

    yield register
    for alias in registered:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]


# -- projects on disk ------------------------------------------------------------


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Project]:
    """`make_project(databases=…, apps=…, …)` → a Project below the test's directory."""

    def make(**arguments: Any) -> Project:
        root = tmp_path / f"project{next(_numbers)}"
        return write_project(root, **arguments)

    return make


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Runs management commands of any project in forks, see tests/zygote.py."""
    started = Zygote()
    yield started
    started.close()


@pytest.fixture
def sample_project(tmp_path: Path) -> Callable[..., Project]:
    """`sample_project(databases=…, routing=…)` → a copy of tests/project."""

    def copy(**arguments: Any) -> Project:
        return copy_sample_project(tmp_path / f"sample{next(_numbers)}", **arguments)

    return copy
