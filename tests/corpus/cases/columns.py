"""Columns that come, go and are renamed."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now, Random

from tests.corpus import functions
from tests.corpus.case import EVERYWHERE, Case
from tests.corpus.shorthand import (
    NOOP,
    PYTHON_NOOP,
    SQL,
    Char,
    Int,
    M,
    Text,
    add,
    alter,
)

ADDED_COLUMNS = [
    Case("add nullable column", [add("item", "extra", Int(null=True))], vendors=EVERYWHERE),
    Case(
        "add NOT NULL column with Python default",
        [add("item", "extra", Int(default=5))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add NOT NULL column with database default",
        [add("item", "extra", Int(db_default=5))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add NOT NULL column with Python default to small table",
        [add("small", "extra", Int(default=5))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add NOT NULL column with database default to small table",
        [add("small", "extra", Int(db_default=5))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add nullable column with Python default", [add("item", "extra", Int(null=True, default=5))]
    ),
    Case(
        "add blank text column, NOT NULL", [add("item", "extra", Char(max_length=10, blank=True))]
    ),
    Case(
        "add blank text column with database default",
        [add("item", "extra", Char(max_length=10, blank=True, db_default=""))],
    ),
    Case(
        "add column with default now()",
        [add("item", "extra", models.DateTimeField(db_default=Now()))],
    ),
    Case(
        "add column with volatile database default",
        [add("item", "extra", models.FloatField(db_default=Random()))],
    ),
    Case(
        "add column with volatile database default to small table",
        [add("small", "extra", models.FloatField(db_default=Random()))],
    ),
    Case(
        "add auto_now_add column",
        [
            add(
                "item",
                "extra",
                models.DateTimeField(auto_now_add=True, default="2026-01-01T00:00:00Z"),
            )
        ],
    ),
    Case(
        "add unique nullable column",
        [add("item", "extra", Int(null=True, unique=True))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add unique nullable column to small table",
        [add("small", "extra", Int(null=True, unique=True))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add unique column with one default for all",
        [add("small", "extra", Int(default=1, unique=True))],
    ),
    Case("add indexed nullable column", [add("item", "extra", Int(null=True, db_index=True))]),
    Case(
        "add indexed nullable column to small table",
        [add("small", "extra", Int(null=True, db_index=True))],
    ),
    Case(
        "add positive integer column, nullable",
        [add("item", "extra", models.PositiveIntegerField(null=True))],
    ),
    Case(
        "add positive integer column to small table, nullable",
        [add("small", "extra", models.PositiveIntegerField(null=True))],
    ),
    Case(
        "add nullable foreign key to large table",
        [
            add(
                "item",
                "parent",
                models.ForeignKey("shop.Category", models.CASCADE, null=True, related_name="+"),
            )
        ],
    ),
    Case(
        "add nullable foreign key without index to large table",
        [
            add(
                "item",
                "parent",
                models.ForeignKey(
                    "shop.Category", models.CASCADE, null=True, db_index=False, related_name="+"
                ),
            )
        ],
    ),
    Case(
        "add nullable foreign key without constraint and index",
        [
            add(
                "item",
                "parent",
                models.ForeignKey(
                    "shop.Category",
                    models.CASCADE,
                    null=True,
                    db_index=False,
                    db_constraint=False,
                    related_name="+",
                ),
            )
        ],
    ),
    Case(
        "add nullable foreign key to small table",
        [
            add(
                "small",
                "parent",
                models.ForeignKey("shop.Category", models.CASCADE, null=True, related_name="+"),
            )
        ],
    ),
    Case(
        "add nullable foreign key of empty table to large one",
        [add("empty", "item", models.ForeignKey("shop.Item", models.CASCADE, null=True))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add many-to-many",
        [add("item", "tags", models.ManyToManyField("shop.Category", related_name="+"))],
        vendors=EVERYWHERE,
    ),
    Case("remove many-to-many with rows", [M.RemoveField("small", "labels")], vendors=EVERYWHERE),
    Case(
        "add stored generated column",
        [
            add(
                "item",
                "double",
                models.GeneratedField(
                    expression=models.F("serial") + 1, output_field=Int(), db_persist=True
                ),
            )
        ],
        vendors=("postgresql", "mysql"),
    ),
    Case(
        "add stored generated column to small table",
        [
            add(
                "small",
                "double",
                models.GeneratedField(
                    expression=models.F("same") + 1, output_field=Int(), db_persist=True
                ),
            )
        ],
        vendors=("postgresql", "mysql"),
    ),
    Case("add array column", [add("item", "extra", ArrayField(Int(), null=True))]),
    Case(
        "add array column with Python default list",
        [add("item", "extra", ArrayField(Int(), default=list))],
    ),
    Case(
        "add json column, nullable",
        [add("item", "extra", models.JSONField(null=True))],
        vendors=EVERYWHERE,
    ),
    Case(
        "add bigserial by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN n bigserial",
                "ALTER TABLE shop_item DROP COLUMN n",
            )
        ],
    ),
    Case(
        "add identity by SQL to small table",
        [
            SQL(
                "ALTER TABLE shop_small ADD COLUMN n bigint GENERATED BY DEFAULT AS IDENTITY",
                "ALTER TABLE shop_small DROP COLUMN n",
            )
        ],
    ),
    Case(
        "add uuid with random default by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN n uuid NOT NULL DEFAULT gen_random_uuid()",
                "ALTER TABLE shop_item DROP COLUMN n",
            )
        ],
    ),
    Case(
        "add column, then set random default, by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN n uuid; ALTER TABLE shop_item ALTER"
                " n SET DEFAULT gen_random_uuid()",
                "ALTER TABLE shop_item DROP COLUMN n",
            )
        ],
    ),
    Case(
        "add column with check by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN n int CHECK (n > 0)",
                "ALTER TABLE shop_item DROP COLUMN n",
            )
        ],
    ),
    Case(
        "add NOT NULL column without default by SQL",
        [
            SQL(
                "ALTER TABLE shop_small ADD COLUMN n int NOT NULL",
                "ALTER TABLE shop_small DROP COLUMN n",
            )
        ],
    ),
    Case(
        "add NOT NULL column without default by SQL to empty table",
        [
            SQL(
                "ALTER TABLE shop_empty ADD COLUMN n int NOT NULL",
                "ALTER TABLE shop_empty DROP COLUMN n",
            )
        ],
    ),
]

REMOVED_COLUMNS = [
    Case("remove field", [M.RemoveField("item", "note")], vendors=EVERYWHERE),
    Case(
        "remove field that is NULL in every row",
        [M.RemoveField("item", "unused")],
        vendors=EVERYWHERE,
    ),
    Case("remove field of empty table", [M.RemoveField("empty", "holes")]),
    Case("remove foreign key", [M.RemoveField("small", "category")]),
    Case(
        "remove nullable field in state only",
        [M.SeparateDatabaseAndState(state_operations=[M.RemoveField("item", "holes")])],
        vendors=EVERYWHERE,
    ),
    Case(
        "remove NOT NULL field in state, made nullable in the database",
        [
            M.SeparateDatabaseAndState(
                database_operations=[alter("item", "serial", Int(null=True))],
                state_operations=[M.RemoveField("item", "serial")],
            )
        ],
        vendors=("postgresql", "mysql"),
    ),
    Case(
        "drop column by SQL",
        [
            SQL(
                "ALTER TABLE shop_item DROP COLUMN note",
                "ALTER TABLE shop_item ADD COLUMN note text",
                state_operations=[M.RemoveField("item", "note")],
            )
        ],
    ),
    Case(
        "drop column that code has left, with values",
        [
            SQL(
                "ALTER TABLE shop_small DROP COLUMN given",
                "ALTER TABLE shop_small ADD COLUMN given integer",
            )
        ],
        before=[M.SeparateDatabaseAndState(state_operations=[M.RemoveField("small", "given")])],
    ),
    Case(
        "drop column that code has left, without values",
        [
            SQL(
                "ALTER TABLE shop_item DROP COLUMN unused",
                "ALTER TABLE shop_item ADD COLUMN unused integer",
            )
        ],
        before=[M.SeparateDatabaseAndState(state_operations=[M.RemoveField("item", "unused")])],
    ),
    Case(
        "drop column hidden in a DO block",
        [SQL("DO $$ BEGIN EXECUTE 'ALTER TABLE shop_item DROP COLUMN note'; END $$", NOOP)],
    ),
    Case("drop column hidden in Python", [M.RunPython(functions.drop_by_cursor, PYTHON_NOOP)]),
    Case("drop cascade", [SQL("DROP TABLE shop_category CASCADE", NOOP)]),
]

RENAMED_COLUMNS = [
    Case("rename field", [M.RenameField("item", "note", "remark")], vendors=EVERYWHERE),
    Case(
        "rename field that keeps its column",
        [
            alter("item", "note", Text(default="", db_column="note")),
            M.RenameField("item", "note", "remark"),
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "alter db_column",
        [alter("item", "note", Text(default="", db_column="remark"))],
        vendors=EVERYWHERE,
    ),
    Case(
        "rename column by SQL",
        [
            SQL(
                "ALTER TABLE shop_item RENAME note TO remark",
                "ALTER TABLE shop_item RENAME remark TO note",
                state_operations=[M.RenameField("item", "note", "remark")],
            )
        ],
    ),
    Case(
        "rename constraint by SQL",
        [
            SQL(
                "ALTER TABLE shop_item RENAME CONSTRAINT item_serial_gte_0 TO item_serial_positive",
                "ALTER TABLE shop_item RENAME CONSTRAINT item_serial_positive TO item_serial_gte_0",
            )
        ],
    ),
    Case(
        "rename index", [M.RenameIndex("item", new_name="item_big_index", old_name="item_big_idx")]
    ),
]
