"""Chains of Django's own operations, stopped after each migration: never anything that blocks.

What is recorded is there and what is pending is not, whatever the vendor makes of an operation.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CASCADE

from migrator.backends import backend_for
from migrator.core.drift import ScanFacts, classify, opaque_tables
from migrator.core.incidents import Incident
from migrator.sources import (
    Ownership,
    Walk,
    find_differing,
    full_plan,
    stated_expressions,
)
from tests.history import History
from tests.servers import Database

Steps = list[list[Any]]


def create(name: str, *fields: tuple[str, Any], **options: Any) -> Any:
    """A CreateModel with an id."""
    key = ("id", models.AutoField(primary_key=True))
    own = any(getattr(field, "primary_key", False) for _, field in fields)
    return migrations.CreateModel(name, [*fields] if own else [key, *fields], options=options)


def alter(model: str, name: str, field: Any) -> Any:
    """An AlterField."""
    return migrations.AlterField(model, name, field)


def reference(to: str, **options: Any) -> Any:
    """A ForeignKey."""
    return models.ForeignKey(f"shop.{to}", CASCADE, **options)


def text(**options: Any) -> Any:
    """A CharField."""
    return models.CharField(**{"max_length": 20, **options})


def unique(name: str, *fields: str) -> Any:
    """A UniqueConstraint."""
    return models.UniqueConstraint(fields=fields, name=name)


CHAINS: dict[str, Steps] = {
    "a reference finds another column, then loses its constraint": [
        [
            create("T", ("u", models.IntegerField(unique=True))),
            create("R", ("t", reference("T"))),
        ],
        [alter("R", "t", reference("T", to_field="u"))],
        [alter("R", "t", reference("T", to_field="u", db_constraint=False, db_index=False))],
        [alter("R", "t", models.IntegerField(db_column="t_id"))],
    ],
    "a single reference becomes a plain one and another": [
        [create("T"), create("R", ("n", models.OneToOneField("shop.T", CASCADE, null=True)))],
        [alter("R", "n", reference("T", null=True, unique=True))],
        [alter("R", "n", reference("T", null=True))],
        [alter("R", "n", models.OneToOneField("shop.R", CASCADE, null=True))],
    ],
    "a key counts by itself, or does not": [
        [create("T"), create("Plain", ("id", models.IntegerField(primary_key=True)))],
        [
            alter("T", "id", models.IntegerField(primary_key=True)),
            alter("Plain", "id", models.AutoField(primary_key=True)),
        ],
        [alter("T", "id", models.BigAutoField(primary_key=True))],
        [alter("T", "id", models.BigIntegerField(primary_key=True))],
    ],
    "positive integers": [
        [
            create(
                "T",
                ("p", models.PositiveIntegerField(default=1)),
                ("q", models.PositiveIntegerField(default=1)),
                ("r", models.PositiveIntegerField(default=1)),
            )
        ],
        [
            alter("T", "q", models.PositiveIntegerField(null=True)),
            alter("T", "r", models.PositiveBigIntegerField(default=1)),
        ],
        [alter("T", "p", models.IntegerField(default=1))],
        [
            migrations.AddConstraint(
                "T", models.CheckConstraint(condition=models.Q(q__gte=0), name="q_ck")
            )
        ],
        [migrations.RemoveConstraint("T", "q_ck")],
        [alter("T", "q", models.IntegerField(null=True))],
        [alter("T", "r", models.PositiveSmallIntegerField(default=1))],
    ],
    "json": [
        [create("T", ("j", models.JSONField(null=True)))],
        [alter("T", "j", models.JSONField(default=dict))],
        [alter("T", "j", models.TextField(null=True))],
        [alter("T", "j", models.JSONField(null=True))],
    ],
    "an index, twice, and uniqueness, twice": [
        [create("T", ("t", text()), ("n", models.IntegerField()))],
        [migrations.AddIndex("T", models.Index(fields=["n"], name="n_ix"))],
        [alter("T", "n", models.IntegerField(db_index=True))],
        [alter("T", "n", models.IntegerField())],
        [migrations.AddConstraint("T", unique("n_uq", "n"))],
        [alter("T", "n", models.IntegerField(unique=True))],
        [migrations.RemoveConstraint("T", "n_uq")],
        [alter("T", "n", models.IntegerField())],
        [migrations.AlterUniqueTogether("T", {("t", "n")})],
        [migrations.AlterUniqueTogether("T", {("n", "t")})],
        [migrations.AlterUniqueTogether("T", {("n", "id")})],
        [migrations.AlterUniqueTogether("T", set())],
    ],
    "NULL and defaults, to and fro": [
        [create("T", ("t", text()))],
        [alter("T", "t", text(null=True))],
        [alter("T", "t", text(default="x"))],
        [alter("T", "t", text(null=True, db_default="q"))],
        [alter("T", "t", text())],
        [migrations.AddField("T", "b", models.BooleanField(db_default=True))],
        [alter("T", "b", models.BooleanField(db_default=False))],
        [alter("T", "b", models.BooleanField(default=False))],
    ],
    "columns and keys under other names": [
        [create("T", ("a", text(unique=True)))],
        [alter("T", "a", text(unique=True, db_column="A b"))],
        [alter("T", "a", text(max_length=30, unique=True, db_column="a"))],
        [migrations.RenameField("T", "a", "z")],
    ],
    "names exchanged": [
        [create("A", ("t", text())), create("B", ("n", models.IntegerField()))],
        [
            migrations.RenameModel("A", "C"),
            migrations.RenameModel("B", "A"),
            migrations.RenameModel("C", "B"),
        ],
        [
            migrations.RenameField("A", "n", "x"),
            migrations.AddField("A", "n", models.IntegerField(null=True)),
        ],
        [migrations.RenameField("A", "x", "y")],
    ],
    "many to many": [
        [create("Tag"), create("Post", ("tags", models.ManyToManyField("shop.Tag")))],
        [alter("Post", "tags", models.ManyToManyField("shop.Tag", blank=True, related_name="x"))],
        [alter("Post", "tags", models.ManyToManyField("shop.Tag", db_table="others"))],
        [migrations.RenameField("Post", "tags", "labels")],
        [migrations.RenameModel("Post", "Entry")],
        [migrations.RenameModel("Tag", "Label")],
        [migrations.AlterModelTable("Entry", "entries")],
        [migrations.RemoveField("Entry", "labels")],
    ],
    "indexes by other means": [
        [
            create(
                "T",
                ("t", text()),
                ("n", models.IntegerField()),
                index_together={("t", "n")},
            )
        ],
        [migrations.RenameIndex("T", new_name="tn_ix", old_fields=("t", "n"))],
        [migrations.RenameField("T", "n", "m")],
        [migrations.RemoveIndex("T", "tn_ix")],
    ],
    "order with respect to": [
        [create("P"), create("T", ("p", reference("P")))],
        [migrations.AlterOrderWithRespectTo("T", "p")],
        [migrations.AlterOrderWithRespectTo("T", None)],
    ],
    "several columns as a key": [
        [
            create("Tenant"),
            migrations.CreateModel(
                "T",
                [
                    ("pk", models.CompositePrimaryKey("tenant_id", "number")),
                    ("tenant", reference("Tenant")),
                    ("number", models.IntegerField()),
                ],
            ),
        ],
        [migrations.AddField("T", "more", models.IntegerField(null=True, db_index=True))],
        [migrations.RenameModel("T", "U")],
    ],
    "a key of another type": [
        [create("T"), create("R", ("t", reference("T")))],
        [alter("T", "id", models.BigAutoField(primary_key=True))],
        [migrations.AddField("T", "code", text(unique=True, null=True))],
        [
            migrations.AddField(
                "R", "code", reference("T", to_field="code", related_name="+", null=True)
            )
        ],
        [alter("T", "code", text(max_length=12, unique=True, null=True))],
        [migrations.RenameField("T", "code", "kode")],
    ],
    "models that inherit": [
        [
            create("Base"),
            migrations.CreateModel(
                "Kid",
                [
                    (
                        "base_ptr",
                        models.OneToOneField(
                            "shop.Base", CASCADE, parent_link=True, primary_key=True
                        ),
                    ),
                    ("y", models.IntegerField(default=1)),
                ],
                bases=("shop.base",),
            ),
            create("R", ("kid", reference("Kid"))),
        ],
        [alter("Base", "id", models.BigAutoField(primary_key=True))],
        [
            migrations.RemoveField("Kid", "y"),
            migrations.AddField("Base", "y", models.IntegerField(default=1)),
        ],
        [migrations.DeleteModel("R"), migrations.DeleteModel("Kid")],
    ],
    "a proxy becomes a model": [
        [
            create("P"),
            migrations.CreateModel("X", [], options={"proxy": True}, bases=("shop.p",)),
        ],
        [migrations.DeleteModel("X"), create("X", ("n", models.IntegerField()))],
        [migrations.DeleteModel("X")],
    ],
    "a table between two others": [
        [create("A"), create("B"), create("Via", ("a", reference("A")), ("b", reference("B")))],
        [migrations.AddField("B", "many", models.ManyToManyField("shop.A", through="shop.Via"))],
        [
            migrations.RemoveField("B", "many"),
            migrations.DeleteModel("Via"),
            migrations.AddField("B", "many", models.ManyToManyField("shop.A")),
        ],
        [migrations.RenameModel("A", "AA")],
        [migrations.RemoveField("B", "many")],
    ],
    "many kinds of columns": [
        [
            create(
                "T",
                ("a", models.DecimalField(max_digits=10, decimal_places=2)),
                ("f", models.TimeField()),
                ("i", models.SmallIntegerField()),
                ("j", models.TextField()),
                ("e", models.UUIDField()),
                ("o", models.EmailField(unique=True)),
            )
        ],
        [
            alter("T", "a", models.DecimalField(max_digits=12, decimal_places=4)),
            alter("T", "f", models.TimeField(null=True)),
            alter("T", "i", models.BigIntegerField()),
            alter("T", "j", text(max_length=100, db_index=True)),
        ],
        [
            alter("T", "i", models.PositiveIntegerField()),
            alter("T", "j", models.TextField()),
            alter("T", "e", text(max_length=36)),
            alter("T", "o", models.EmailField(max_length=100, db_index=True)),
        ],
        [alter("T", "i", models.IntegerField()), alter("T", "o", models.TextField())],
    ],
    "nothing to be seen": [
        [create("T", ("t", text()))],
        [alter("T", "t", text(verbose_name="x", help_text="y"))],
        [migrations.AlterModelOptions("T", {"verbose_name": "q"})],
        [
            migrations.AddField("T", "n", models.IntegerField(null=True)),
            migrations.RemoveField("T", "n"),
        ],
        [
            migrations.AddField(
                "T", "up", reference("T", db_constraint=False, db_index=False, null=True)
            )
        ],
        [migrations.DeleteModel("T"), create("T", ("t", text()))],
        [migrations.AlterModelOptions("T", {"managed": False})],
        [migrations.AddField("T", "never", models.IntegerField(null=True))],
    ],
    "a generated column": [
        [
            create(
                "T",
                ("n", models.IntegerField(default=0)),
                (
                    "g",
                    models.GeneratedField(
                        expression=models.F("n") * 2,
                        output_field=models.IntegerField(),
                        db_persist=True,
                    ),
                ),
            )
        ],
        [migrations.RemoveField("T", "g")],
        [
            migrations.AddField(
                "T",
                "g",
                models.GeneratedField(
                    expression=models.F("n") + 7,
                    output_field=models.BigIntegerField(),
                    db_persist=True,
                ),
            )
        ],
        [migrations.RenameField("T", "g", "h")],
    ],
    "a default that is nothing": [
        [create("T", ("t", text(null=True, db_default=None)))],
        [migrations.AddField("T", "n", models.IntegerField(null=True, db_default=None))],
        [alter("T", "t", text(null=True, db_default="x"))],
        [alter("T", "t", text(null=True, db_default=None))],
    ],
    "only the case of a table's name": [
        [create("T", db_table="Shop_Thing")],
        [migrations.AlterModelTable("T", "shop_thing")],
        [migrations.AlterModelTable("T", "another")],
    ],
}


@pytest.fixture
def connection(
    database: Database, register_alias: Callable[..., BaseDatabaseWrapper]
) -> BaseDatabaseWrapper:
    """An empty database of each vendor."""
    return register_alias(database.settings())


def scan(
    history: History, connection: BaseDatabaseWrapper, recorded: list[Any]
) -> tuple[Incident, ...]:
    """What a scan with state alone finds."""
    loader = history.graph(connection, recorded)
    walk = Walk(loader, Ownership(connection))
    plan = full_plan(loader)
    done = tuple(walk.apply(key) for key in plan if key in recorded)
    expected = walk.schema()
    live = backend_for(connection.vendor).inspect(connection)
    stated = stated_expressions(walk.tables.owned_classes(), connection)
    differing = tuple(find_differing(stated, live))
    coming = tuple(walk.apply(key) for key in plan if key not in recorded)
    return classify(
        ScanFacts(
            expected,
            live,
            done,
            coming,
            opaque_tables=opaque_tables(done),
            differing=differing,
        )
    )


@pytest.mark.parametrize("name", CHAINS)
def test_nothing_differs_at_any_step(name: str, connection: BaseDatabaseWrapper) -> None:
    history = History()
    # Django's rename_field writes into the fields of operations: each vendor has its own.
    for number, operations in enumerate(deepcopy(CHAINS[name]), start=1):
        history.add("shop", f"{number:04}", operations)
    plan = full_plan(history.graph(connection))
    for index, key in enumerate(plan):
        history.migrate(connection, [key])
        found = scan(history, connection, list(plan[: index + 1]))
        # What a vendor keeps of an index that is dropped or doubled may be told of.
        told = [i for i in found if i.blocking or i.code.value != "DR108"]
        assert told == [], f"after {key}: {[i.message for i in told]}"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_the_defaults_of_arrays_are_in_words_of_the_server(connection: BaseDatabaseWrapper) -> None:
    history = History().add(
        "shop",
        "0001",
        [
            create(
                "T",
                ("none", ArrayField(text(), db_default=[])),
                ("some", ArrayField(models.IntegerField(), db_default=[1, 2])),
            )
        ],
    )
    history.migrate(connection)
    assert scan(history, connection, list(full_plan(history.graph(connection)))) == ()
