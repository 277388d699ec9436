"""Where Django itself leaves a database otherwise than its own state says: that is no drift."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations.base import Operation

from migrator.backends import backend_for
from migrator.core.drift import ScanFacts, classify, opaque_tables
from migrator.sources import Ownership, Walk, full_plan
from tests.history import History
from tests.servers import Database

CASCADE = models.CASCADE


@pytest.fixture
def connection(
    database: Database, register_alias: Callable[..., BaseDatabaseWrapper]
) -> BaseDatabaseWrapper:
    return register_alias(database.settings())


def _needs_a_length(connection: BaseDatabaseWrapper) -> bool:
    """MySQL, unlike MariaDB, indexes no text without a prefix."""
    return connection.vendor == "mysql" and not connection.mysql_is_mariadb  # type: ignore[attr-defined]


def create(name: str, *fields: tuple[str, models.Field], **options: object) -> Operation:
    key = ("id", models.AutoField(primary_key=True))
    own = any(field.primary_key for _, field in fields)
    return migrations.CreateModel(name, [*(() if own else (key,)), *fields], options=options)


CASES: dict[str, tuple[list[Operation], list[Operation]]] = {
    # On SQLite both ids are "integer", so that Django makes the tables that refer to it no more.
    "an id that grew": (
        [
            create("Target"),
            create("Item", ("target", models.ForeignKey("a.Target", CASCADE))),
            create("Many", ("targets", models.ManyToManyField("a.Target"))),
        ],
        [
            migrations.AlterField("Target", "id", models.BigAutoField(primary_key=True)),
            migrations.AlterField("Many", "id", models.BigAutoField(primary_key=True)),
        ],
    ),
    # Since index_together left Meta, SQLite's way of altering a table by making it anew loses it.
    "an index_together of old": (
        [
            create("Item", ("one", models.IntegerField()), ("two", models.IntegerField())),
            migrations.AlterIndexTogether("Item", {("one", "two")}),
        ],
        [
            migrations.AddField("Item", "three", models.IntegerField(default=3)),
            migrations.AlterField("Item", "one", models.BigIntegerField()),
        ],
    ),
    # On PostgreSQL only what was not indexed before gets the second index, for LIKE.
    "a key that became text": (
        [
            create("Target", ("key", models.IntegerField(primary_key=True))),
            create("Item", ("target", models.ForeignKey("a.Target", CASCADE))),
        ],
        [migrations.AlterField("Target", "key", models.CharField(max_length=20, primary_key=True))],
    ),
    # Where a column loses its index, Django drops every index of Meta.constraints on it alone.
    "a partial uniqueness beside an index that went": (
        [
            create("Target"),
            create(
                "Item",
                ("target", models.ForeignKey("a.Target", CASCADE)),
                ("number", models.IntegerField(db_index=True)),
                ("own", models.IntegerField(db_index=True)),
                constraints=[
                    models.UniqueConstraint(
                        fields=[name], condition=models.Q(id__gt=1), name=f"a_item_{name}"
                    )
                    for name in ("target", "number")
                ]
                + [models.UniqueConstraint(fields=["own"], name="a_item_own")],
            ),
        ],
        [
            migrations.AlterField("Item", "target", models.OneToOneField("a.Target", CASCADE)),
            migrations.AlterField("Item", "number", models.IntegerField()),
            migrations.AlterField("Item", "own", models.IntegerField()),
        ],
    ),
    "an indexed text that lost its length": (
        [create("Item", ("text", models.CharField(max_length=20, db_index=True)))],
        [migrations.AlterField("Item", "text", models.TextField(db_index=True))],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_django_leaves_behind_never_blocks(name: str, connection: BaseDatabaseWrapper) -> None:
    first, second = CASES[name]
    if connection.vendor == "mysql" and name == "a key that became text":
        first, second = first[:1], second  # MySQL refuses to alter a key that is referred to
    if name == "an indexed text that lost its length" and _needs_a_length(connection):
        pytest.skip("the server itself refuses this migration of Django's")
    history = History().add("a", "0001", first).add("a", "0002", second)
    history.migrate(connection)
    loader = history.graph(connection)
    walk = Walk(loader, Ownership(connection))
    effects = tuple(walk.apply(key) for key in full_plan(loader))
    found = classify(
        ScanFacts(
            expected=walk.schema(),
            live=backend_for(connection.vendor).inspect(connection),
            recorded=effects,
            opaque_tables=opaque_tables(effects),
        )
    )
    assert [incident for incident in found if incident.blocking] == []
    codes = {incident.code.value for incident in found}
    assert "DR101" not in codes
    assert "DR104" not in codes


def test_an_index_together_that_nothing_has_touched_since_is_certain(
    connection: BaseDatabaseWrapper,
) -> None:
    first, _ = CASES["an index_together of old"]
    _, effects = History().add("a", "0001", first).walk(connection)
    assert opaque_tables(effects.values()) == frozenset()
