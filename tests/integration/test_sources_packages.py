"""Released packages, migrated by Django itself: nothing differs, whatever the vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.test import override_settings

from migrator.backends import backend_for
from migrator.core.diff import diff
from migrator.sources import (
    Ownership,
    Walk,
    check_conflicts,
    check_history,
    full_plan,
    load_disk,
    load_graph,
    pending_plan,
    recorded_plan,
    recorded_state,
    state_schema,
)
from tests.servers import Database

PACKAGES = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.admin",
    "django.contrib.sites",
    "django.contrib.redirects",
    "django.contrib.flatpages",
    "constance",
    "djmoney",
    "djmoney.contrib.exchange",
]


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    load_disk.cache_clear()
    # Constance reads its settings on import, which its pytest plugin does at the very start.
    monkeypatch.setattr("constance.settings.BACKEND", "constance.backends.database.DatabaseBackend")
    with override_settings(INSTALLED_APPS=PACKAGES):
        yield
    load_disk.cache_clear()


@pytest.fixture
def connection(
    database: Database, register_alias: Callable[..., BaseDatabaseWrapper]
) -> BaseDatabaseWrapper:
    return register_alias(database.settings())


def test_what_django_made_is_what_state_says(
    packages: None, connection: BaseDatabaseWrapper
) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    backend = backend_for(connection.vendor)
    loader = load_graph(connection, backend.history(connection))
    expected = state_schema(recorded_state(loader), connection)
    live = backend.inspect(connection)
    found = [
        change
        for change in diff(expected, live)
        if change.ref.table != "django_migrations"
        # InnoDB gives each foreign key an index by itself.
        and (connection.vendor, change.kind, change.ref.kind) != ("mysql", "extra", "index")
    ]
    assert found == []
    assert set(expected.tables) == set(live.tables) - {"django_migrations"}


def test_the_graph_is_that_of_django(packages: None, connection: BaseDatabaseWrapper) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("auth", "0005_alter_user_last_login_null")])
    executor.loader.build_graph()
    rows = backend_for(connection.vendor).history(connection)
    loader = load_graph(connection, rows)
    check_conflicts(loader)
    check_history(loader)
    assert set(loader.applied_migrations) == set(executor.loader.applied_migrations)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    assert [str(migration) for migration in pending_plan(loader)] == [str(m) for m, _ in plan]
    whole = executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True)
    assert [str(key) for key in full_plan(loader)] == [str(m) for m, _ in whole]


def test_one_walk_gives_what_is_expected_and_what_is_wanted(
    packages: None, connection: BaseDatabaseWrapper
) -> None:
    loader = load_graph(connection, ())
    plan = full_plan(loader)
    partly = load_graph(connection, plan[: len(plan) // 2])
    walk = Walk(partly, Ownership(connection))
    for key in recorded_plan(partly):
        walk.apply(key)
    assert walk.schema() == state_schema(recorded_state(partly), connection)
    for migration in pending_plan(partly):
        walk.apply((migration.app_label, migration.name))
    whole = load_graph(connection, plan)
    assert walk.schema() == state_schema(recorded_state(whole), connection)
