"""Every statement that Django's own operations send is read in whole, on each vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Lower, Now

from migrator.core.costs import cost_of
from migrator.core.ddl import Opaque
from migrator.core.schema import Schema
from migrator.sources.ddl import read_ddl
from tests.servers import Database

CASCADE = models.CASCADE


def index_on(*keys: object, name: str) -> models.Index:
    """An index on fields or on expressions."""
    if isinstance(keys[0], str):
        return models.Index(fields=keys, name=name)
    return models.Index(*keys, name=name)


def operations(vendor: str) -> Iterator[Operation]:
    """One of every kind, in an order in which they can be applied."""
    key = ("id", models.AutoField(primary_key=True))
    yield migrations.CreateModel("Target", [key, ("code", models.CharField(max_length=9))])
    yield migrations.CreateModel(
        "Item",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=20, db_index=True)),
            ("slug", models.SlugField(unique=True)),
            ("count", models.PositiveIntegerField(null=True)),
            ("price", models.DecimalField(max_digits=8, decimal_places=2)),
            ("at", models.DateTimeField(auto_now_add=True)),
            ("data", models.JSONField(default=dict)),
            ("target", models.ForeignKey("a.Target", CASCADE)),
            ("many", models.ManyToManyField("a.Target", related_name="+")),
        ],
        options={
            "unique_together": {("name", "count")},
            "indexes": [models.Index(fields=["name", "-at"], name="item_name_at")],
            "constraints": [
                models.CheckConstraint(condition=models.Q(count__gt=3), name="item_count"),
                models.UniqueConstraint(fields=["name", "price"], name="item_unique"),
            ],
        },
    )
    fields: dict[str, models.Field] = {
        "note": models.TextField(null=True),
        "flag": models.BooleanField(default=True),
        "label": models.CharField(max_length=20, default="it's; 100"),
        "uid": models.UUIDField(null=True, unique=True),
        "made": models.DateTimeField(db_default=Now()),
        "size": models.IntegerField(db_default=5),
        "part": models.OneToOneField("a.Target", CASCADE, null=True, related_name="+"),
        "raw": models.BinaryField(null=True),
        "took": models.DurationField(null=True),
        "ip": models.GenericIPAddressField(null=True),
        "ratio": models.FloatField(null=True),
        "small": models.PositiveSmallIntegerField(default=1),
    }
    fields["twice"] = models.GeneratedField(
        expression=models.F("size") * 2, output_field=models.IntegerField(), db_persist=True
    )
    if vendor == "postgresql":
        fields["tags"] = ArrayField(models.CharField(max_length=5), default=list)
    for name, field in fields.items():
        yield migrations.AddField("Item", name, field)
    yield migrations.AddField("Item", "others", models.ManyToManyField("a.Item"))
    yield from _alterations(vendor)
    yield migrations.RenameField("Item", "note", "remark")
    yield migrations.AlterUniqueTogether("Item", {("name", "price")})
    yield migrations.AlterUniqueTogether("Item", set())
    # MariaDB has no index on an expression.
    keys = ["price", "size"] if vendor == "mysql" else [Lower("name")]
    yield migrations.AddIndex("Item", index_on(*keys, name="item_lower"))
    yield migrations.RenameIndex("Item", new_name="item_lower2", old_name="item_lower")
    yield migrations.RemoveIndex("Item", "item_name_at")
    yield migrations.AddConstraint(
        "Item",
        models.UniqueConstraint(fields=["name"], condition=models.Q(flag=True), name="item_partly"),
    )
    yield migrations.AddConstraint(
        "Item", models.CheckConstraint(condition=models.Q(size__lt=1000), name="item_size")
    )
    yield migrations.RemoveConstraint("Item", "item_size")
    yield migrations.RemoveConstraint("Item", "item_count")
    yield migrations.AlterModelTable("Item", "thing")
    yield migrations.AlterModelTableComment("Item", "It's a thing")
    yield migrations.RenameModel("Target", "Goal")
    for name in ("part", "twice", "uid", "many", "target"):
        yield migrations.RemoveField("Item", name)
    if vendor == "postgresql":
        yield from _own_of_postgresql()
    yield migrations.DeleteModel("Item")


def _alterations(vendor: str) -> Iterator[Operation]:
    changes: dict[str, list[models.Field]] = {
        "name": [
            models.CharField(max_length=50, db_index=True),
            models.CharField(max_length=10),
            # MySQL has no key on the whole of a text.
            models.CharField(max_length=30) if vendor == "mysql" else models.TextField(),
        ],
        "count": [models.BigIntegerField(null=True), models.IntegerField(default=3)],
        "price": [models.DecimalField(max_digits=10, decimal_places=3), models.FloatField()],
        "note": [models.TextField(default="x"), models.TextField(null=True, db_comment="why")],
        "size": [models.IntegerField(db_default=6), models.IntegerField(null=True)],
        "slug": [models.SlugField(), models.SlugField(unique=True, max_length=80)],
        "target": [
            models.ForeignKey("a.Target", CASCADE, null=True),
            models.ForeignKey("a.Target", CASCADE, null=True, db_constraint=False),
            models.ForeignKey("a.Target", CASCADE, null=True, db_column="goal_id"),
        ],
    }
    for name, states in changes.items():
        for field in states:
            yield migrations.AlterField("Item", name, field)
    yield migrations.AlterField("Target", "id", models.BigAutoField(primary_key=True))


def _own_of_postgresql() -> Iterator[Operation]:
    yield AddIndexConcurrently("Item", GinIndex(fields=["data"], name="item_gin"))
    yield RemoveIndexConcurrently("Item", "item_gin")
    yield migrations.AddIndex("Item", BrinIndex(fields=["at"], name="item_brin"))
    check = models.CheckConstraint(condition=models.Q(size__gt=-5), name="item_later")
    yield AddConstraintNotValid("Item", check)
    yield ValidateConstraint("Item", "item_later")


@pytest.fixture
def connection(
    database: Database, register_alias: Callable[..., BaseDatabaseWrapper]
) -> BaseDatabaseWrapper:
    return register_alias(database.settings())


def test_nothing_of_django_is_opaque_and_all_has_its_price(
    connection: BaseDatabaseWrapper,
) -> None:
    state = ProjectState()
    seen: list[str] = []
    nothing = Schema(connection.vendor)
    for operation in operations(connection.vendor):
        after = state.clone()
        operation.state_forwards("a", after)
        # What it sends depends on what is there, so that each is also applied.
        atomic = "Concurrently" not in type(operation).__name__
        for collect in (True, False):
            with connection.schema_editor(collect_sql=collect, atomic=atomic) as editor:
                operation.database_forwards("a", editor, state, after)
            for sql in editor.collected_sql if collect else ():
                actions = read_ddl(sql, connection.vendor)
                assert not any(isinstance(found, Opaque) for found in actions), sql
                cost = cost_of(actions, vendor=connection.vendor, schema=nothing)
                assert cost.known, sql
                seen.append(sql)
        state = after
    assert len(seen) > 60
