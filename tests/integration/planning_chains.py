"""Chains of migrations whose SQL depends on what earlier ones of the same plan have made.

Stock `sqlmigrate` fails on them, or shows what will not be sent: it looks names up in a database
in which nothing of the plan is there yet.
"""

from __future__ import annotations

from django.db import models
from django.db.migrations import operations as op

from tests.history import History

ID = ("id", models.BigAutoField(primary_key=True))


def names_of_constraints() -> History:
    """Names that are looked up, of things that an earlier migration of the plan makes."""
    return (
        History()
        .add(
            "shop",
            "0001_initial",
            [
                op.CreateModel("Customer", [ID, ("name", models.CharField(max_length=40))]),
                op.CreateModel(
                    "Order",
                    [
                        ID,
                        ("number", models.CharField(max_length=20, unique=True)),
                        ("quantity", models.PositiveIntegerField(default=1)),
                        ("note", models.CharField(max_length=20, db_index=True, default="")),
                        ("customer", models.ForeignKey("shop.Customer", models.CASCADE)),
                        ("year", models.IntegerField(default=2000)),
                    ],
                    options={"unique_together": {("customer", "year")}},
                ),
            ],
        )
        .add(
            "shop",
            "0002_add",
            [op.AddField("order", "code", models.CharField(max_length=9, default="x"))],
        )
        .add(
            "shop",
            "0003_index",
            [op.AddIndex("order", models.Index(fields=["code", "year"], name="order_code_idx"))],
        )
        .add(
            "shop",
            "0004_rename",
            [
                # In this order: Django itself fails on the other one, on MySQL.
                op.RemoveIndex("order", "order_code_idx"),
                op.RenameField("order", "code", "label"),
                op.AddIndex(
                    "order", models.Index(fields=["label", "year"], name="order_label_idx")
                ),
            ],
        )
        .add("shop", "0005_together", [op.AlterUniqueTogether("order", {("label", "year")})])
        .add("shop", "0006_model", [op.RenameModel("Order", "Purchase")])
        .add(
            "shop",
            "0007_not_unique",
            [
                op.AlterField("purchase", "number", models.CharField(max_length=30)),
                op.AlterField("purchase", "note", models.CharField(max_length=20, default="")),
            ],
        )
        .add(
            "shop",
            "0008_signed",
            [
                op.AlterField("purchase", "quantity", models.IntegerField(default=1)),
                op.AlterField(
                    "purchase",
                    "customer",
                    models.ForeignKey("shop.Customer", models.CASCADE, db_constraint=False),
                ),
            ],
        )
        .add("shop", "0009_together", [op.AlterUniqueTogether("purchase", set())])
        .add("shop", "0010_table", [op.AlterModelTable("purchase", "shop_bought")])
        .add(
            "shop",
            "0011_again",
            [
                op.AlterField("purchase", "number", models.CharField(max_length=30, unique=True)),
                op.AlterField(
                    "purchase", "quantity", models.PositiveIntegerField(default=1, db_index=True)
                ),
            ],
        )
        .add(
            "shop",
            "0012_key",
            [op.AlterField("customer", "id", models.AutoField(primary_key=True))],
        )
        .add(
            "shop",
            "0013_unsigned",
            [
                op.AlterField("purchase", "number", models.TextField()),
                op.AlterField("purchase", "quantity", models.SmallIntegerField(default=1)),
            ],
        )
    )


def named_things() -> History:
    """Constraints and indexes with names, many-to-many tables, index_together renamed."""
    return (
        History()
        .add(
            "shop",
            "0001_initial",
            [
                op.CreateModel("Tag", [ID, ("label", models.SlugField(unique=True))]),
                op.CreateModel(
                    "Book",
                    [
                        ID,
                        ("title", models.CharField(max_length=80)),
                        ("pages", models.PositiveSmallIntegerField(null=True)),
                        ("tags", models.ManyToManyField("shop.Tag")),
                    ],
                ),
            ],
        )
        .add(
            "shop",
            "0002_constraints",
            [
                op.AddConstraint(
                    "book", models.UniqueConstraint(fields=["title", "pages"], name="u1")
                ),
                op.AddConstraint(
                    "book", models.CheckConstraint(condition=models.Q(pages__gt=0), name="c1")
                ),
            ],
        )
        .add(
            "shop",
            "0003_first",
            [
                op.AddIndex("book", models.Index(fields=["-pages"], name="i1")),
                op.RenameIndex("book", "i2", old_name="i1"),
            ],
        )
        .add(
            "shop",
            "0004_m2m",
            [op.AlterField("book", "tags", models.ManyToManyField("shop.Tag", db_table="t"))],
        )
        .add(
            "shop",
            "0005_away",
            [
                op.RemoveConstraint("book", "u1"),
                op.RemoveIndex("book", "i2"),
                op.RenameModel("Tag", "Label"),
            ],
        )
        .add(
            "shop",
            "0006_parent",
            [
                op.CreateModel(
                    "Note",
                    [
                        ID,
                        ("text", models.TextField(default="50% off; 'x'")),
                        ("book", models.OneToOneField("shop.Book", models.CASCADE)),
                    ],
                ),
                op.AddField("note", "said", models.CharField(max_length=20, default="it's 5%")),
            ],
        )
        .add(
            "shop",
            "0007_plain",
            [op.AlterField("note", "book", models.ForeignKey("shop.Book", models.CASCADE))],
        )
        .add("shop", "0008_gone", [op.RemoveField("note", "book")])
        .add("shop", "0009_null", [op.AlterField("book", "pages", models.IntegerField(default=3))])
    )


def keys_and_sequences() -> History:
    """Keys that become automatic and plain again: identities come and go with their sequences."""
    return (
        History()
        .add(
            "shop",
            "0001_initial",
            [
                op.CreateModel(
                    "Thing",
                    [("code", models.IntegerField(primary_key=True)), ("a", models.IntegerField())],
                ),
                op.CreateModel(
                    "Part", [ID, ("thing", models.ForeignKey("shop.Thing", models.CASCADE))]
                ),
            ],
        )
        .add(
            "shop",
            "0002_auto",
            [op.AlterField("thing", "code", models.AutoField(primary_key=True))],
        )
        .add(
            "shop",
            "0003_name",
            [op.RenameModel("Thing", "Item"), op.RenameField("item", "code", "key")],
        )
        .add(
            "shop",
            "0004_big",
            [op.AlterField("item", "key", models.BigAutoField(primary_key=True))],
        )
        .add(
            "shop",
            "0005_plain",
            [op.AlterField("item", "key", models.BigIntegerField(primary_key=True))],
        )
        .add(
            "shop",
            "0006_again",
            [op.CreateModel("Thing", [ID, ("n", models.IntegerField(unique=True))])],
        )
        .add("shop", "0007_unsure", [op.AlterField("thing", "n", models.IntegerField(null=True))])
    )


def sql_and_state() -> History:
    """RunSQL in all its forms, and operations that say to state what the database knows."""
    note = models.CharField(max_length=9, default="-")
    return (
        History()
        .add(
            "shop",
            "0001_initial",
            [
                op.CreateModel("Thing", [ID, ("a", models.IntegerField(null=True)), ("b", note)]),
            ],
        )
        .add(
            "shop",
            "0002_sql",
            [
                op.RunSQL("UPDATE shop_thing SET a = 3 WHERE a IS NULL", op.RunSQL.noop),
                op.RunSQL([("UPDATE shop_thing SET b = %s", ["it's 5%"])], op.RunSQL.noop),
                op.RunSQL(
                    ["UPDATE shop_thing SET a = 4", "UPDATE shop_thing SET a = 5"], op.RunSQL.noop
                ),
            ],
        )
        .add(
            "shop",
            "0003_separate",
            [
                op.SeparateDatabaseAndState(
                    database_operations=[
                        op.AddField(
                            "thing", "c", models.CharField(max_length=5, unique=True, null=True)
                        ),
                        op.RunSQL(
                            "ALTER TABLE shop_thing ADD COLUMN d integer NULL",
                            "ALTER TABLE shop_thing DROP COLUMN d",
                        ),
                    ],
                    state_operations=[
                        op.AddField(
                            "thing", "c", models.CharField(max_length=5, unique=True, null=True)
                        )
                    ],
                ),
                op.SeparateDatabaseAndState(
                    state_operations=[op.AddField("thing", "d", models.IntegerField(null=True))]
                ),
            ],
        )
        .add(
            "shop",
            "0004_looked_up",
            [
                op.AlterField("thing", "c", models.CharField(max_length=6, null=True)),
                op.AlterField("thing", "d", models.IntegerField(null=True, unique=True)),
            ],
        )
        .add("shop", "0005_and_back", [op.AlterField("thing", "d", models.IntegerField(null=True))])
    )


CHAINS = (names_of_constraints, named_things, keys_and_sequences, sql_and_state)
