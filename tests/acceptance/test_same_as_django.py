"""What `migrate_all` makes from zero is what Django's own `migrate` makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.projects import Project
from tests.servers import Database

# Content types and permissions are numbered in the order of a set: compare what they say.
BOOKKEEPING = {
    # A squash and what it replaces are recorded together, so the order may differ.
    "history": "SELECT app, name FROM django_migrations ORDER BY 1, 2",
    "content types": "SELECT app_label, model FROM django_content_type ORDER BY 1, 2",
    "permissions": (
        "SELECT c.app_label, c.model, p.codename, p.name FROM auth_permission p"
        " JOIN django_content_type c ON c.id = p.content_type_id ORDER BY 1, 2, 3"
    ),
}
DATA = "SELECT name, sku, price, stock FROM shop_product"


def bookkeeping(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {what: database.query(sql) for what, sql in BOOKKEEPING.items()}


@pytest.fixture
def pair(database: Database, create_database: Callable[..., Database]) -> tuple[Database, Database]:
    return database, create_database(database.vendor)


def test_the_same_database_from_zero(
    pair: tuple[Database, Database], sample_project: Callable[..., Project]
) -> None:
    stock, ours = pair
    sample_project(databases={"default": stock.settings()}).manage("migrate", check=True)
    project = sample_project(databases={"default": ours.settings()})
    done = project.manage("migrate_all", "--non-interactive")
    assert done.returncode == 0, done.output
    assert ours.dump() == stock.dump()
    assert bookkeeping(ours) == bookkeeping(stock)
    assert ours.query(DATA) == stock.query(DATA)


def test_a_second_run_changes_nothing(
    database: Database, sample_project: Callable[..., Project]
) -> None:
    project = sample_project(databases={"default": database.settings()})
    first = project.manage("migrate_all", "--non-interactive")
    assert first.returncode == 0, first.output
    before = database.dump(schema_only=False)
    second = project.manage("migrate_all", "--non-interactive")
    assert second.returncode == 0, second.output
    assert database.dump(schema_only=False) == before


def test_a_database_that_django_migrated_is_healthy(
    database: Database, sample_project: Callable[..., Project]
) -> None:
    project = sample_project(databases={"default": database.settings()})
    project.manage("migrate", check=True)
    before = database.dump(schema_only=False)
    checked = project.manage("migrate_all", "--check", "--fail-on-pending")
    assert checked.returncode == 0, checked.output
    assert database.dump(schema_only=False) == before


def test_django_goes_on_where_migrate_all_stopped(
    database: Database, sample_project: Callable[..., Project]
) -> None:
    project = sample_project(databases={"default": database.settings()})
    done = project.manage("migrate_all", "--non-interactive")
    assert done.returncode == 0, done.output
    project.manage("migrate", "--check", check=True)
    project.manage("migrate", "shop", "0006", check=True)
    project.manage("migrate", check=True)
    again = project.manage("migrate_all", "--check")
    assert again.returncode == 0, again.output
