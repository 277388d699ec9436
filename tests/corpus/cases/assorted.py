"""Migrations of all kinds, thought of after the rules had been mended by the others."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower

from tests.corpus import functions
from tests.corpus.case import EVERYWHERE, Case
from tests.corpus.shorthand import (
    NOOP,
    PYTHON_NOOP,
    SQL,
    Big,
    Char,
    Int,
    M,
    Q,
    Text,
    add,
    alter,
    check,
    index,
    unique,
)  # fmt: skip

ASSORTED = [
    Case(
        "drop empty column by SQL that the model still has",
        [SQL("ALTER TABLE shop_item DROP COLUMN unused", NOOP)],
    ),
    Case("drop empty table by SQL that the model still has", [SQL("DROP TABLE shop_empty", NOOP)]),
    Case(
        "add one-to-one to large table",
        [
            add(
                "item",
                "twin",
                models.OneToOneField("shop.Category", models.CASCADE, null=True, related_name="+"),
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "add one-to-one to small table",
        [
            add(
                "small",
                "twin",
                models.OneToOneField("shop.Category", models.CASCADE, null=True, related_name="+"),
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "statement with parameters, one row",
        [SQL([("UPDATE shop_item SET unused = %s WHERE id = %s", [1, 2])], NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "lock timeout, then nullable column, in one string",
        [
            SQL(
                "SET LOCAL lock_timeout = '2s'; ALTER TABLE shop_item ADD COLUMN z integer",
                "ALTER TABLE shop_item DROP COLUMN z",
            )
        ],
    ),
    Case(
        "lock table, then count its rows",
        [
            SQL(
                "LOCK TABLE shop_item IN ACCESS EXCLUSIVE MODE; SELECT count(*) FROM shop_item",
                NOOP,
            )
        ],
    ),
    Case(
        "create table as select of large table",
        [SQL("CREATE TABLE corpus_copy AS SELECT * FROM shop_item", "DROP TABLE corpus_copy")],
    ),
    Case(
        "delete with a condition that is true of every row",
        [SQL("DELETE FROM shop_small_labels WHERE id > 0", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "update with a condition that is true of every row",
        [SQL("UPDATE shop_item SET unused = 1 WHERE unused IS NULL", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "python updates every row at once", [M.RunPython(functions.fill_slugs_at_once, PYTHON_NOOP)]
    ),
    Case("python deletes every row", [M.RunPython(functions.delete_all_items, PYTHON_NOOP)]),
    Case("integer to boolean", [alter("item", "same", models.BooleanField(default=False))]),
    Case("text to uuid", [alter("small", "name", models.UUIDField())]),
    Case(
        "unique that takes NULLs for equal",
        [M.AddConstraint("small", unique("holes", nulls_distinct=False))],
    ),
    Case(
        "unique of an expression, large table",
        [M.AddConstraint("item", models.UniqueConstraint(Lower("sku"), name="corpus_lower"))],
    ),
    Case(
        "unique of an expression, small table",
        [M.AddConstraint("small", models.UniqueConstraint(Lower("name"), name="corpus_lower"))],
    ),
    Case("comment of a field", [alter("item", "note", Text(default="", db_comment="what else"))]),
    Case("rename many-to-many", [M.RenameField("small", "labels", "tags")], vendors=EVERYWHERE),
    Case(
        "add NOT NULL foreign key with default to large table",
        [
            add(
                "item",
                "kind",
                models.ForeignKey("shop.Category", models.CASCADE, default=1, related_name="+"),
            )
        ],
    ),
    Case(
        "add nullable, then NOT NULL, in one migration",
        [add("small", "extra", Int(null=True)), alter("small", "extra", Int())],
    ),
    Case(
        "varchar wider by SQL",
        [
            SQL(
                "ALTER TABLE shop_small ALTER name TYPE varchar(60)",
                "ALTER TABLE shop_small ALTER name TYPE varchar(50)",
                state_operations=[alter("small", "name", Char(max_length=60))],
            )
        ],
    ),
    Case("set storage", [SQL("ALTER TABLE shop_item ALTER note SET STORAGE EXTERNAL", NOOP)]),
    Case("sequence starts again", [SQL("ALTER SEQUENCE shop_item_id_seq RESTART WITH 1", NOOP)]),
    Case("drop index by SQL", [SQL("DROP INDEX item_big_idx", NOOP)]),
    Case(
        "drop index concurrently by SQL",
        [SQL("DROP INDEX CONCURRENTLY item_big_idx", NOOP)],
        atomic=False,
    ),
    Case(
        "drop and create index concurrently in one string",
        [
            SQL(
                "DROP INDEX CONCURRENTLY IF EXISTS corpus_idx;"
                " CREATE INDEX CONCURRENTLY corpus_idx ON shop_item (serial)",
                NOOP,
            )
        ],
        atomic=False,
    ),
    Case(
        "set a timeout, then create index concurrently, as a list",
        [
            SQL(
                [
                    "SET lock_timeout = 0",
                    "CREATE INDEX CONCURRENTLY corpus_idx ON shop_item (serial)",
                ],
                "DROP INDEX CONCURRENTLY corpus_idx",
            )
        ],
        atomic=False,
    ),
    Case(
        "table is renamed, in state and database apart",
        [
            M.SeparateDatabaseAndState(
                [
                    SQL(
                        "ALTER TABLE shop_small RENAME TO tiny",
                        "ALTER TABLE tiny RENAME TO shop_small",
                    )
                ],
                [M.AlterModelTable("small", "tiny")],
            )
        ],
    ),
    Case(
        "text to a varchar in which everything fits",
        [alter("item", "note", Char(max_length=100, default=""))],
        vendors=EVERYWHERE,
    ),
    Case(
        "datetime becomes auto_now",
        [alter("item", "moment", models.DateTimeField(null=True, auto_now=True))],
        vendors=("postgresql", "mysql"),
    ),
    Case("decimal to float", [alter("item", "price", models.FloatField(default=0))]),
    Case(
        "integer to positive, a row is negative",
        [alter("item", "signed", models.PositiveIntegerField(default=0))],
        vendors=EVERYWHERE,
    ),
    Case("integer to positive", [alter("item", "same", models.PositiveIntegerField(default=1))]),
    Case(
        "boolean may be NULL",
        [alter("item", "flag", models.BooleanField(default=False, null=True))],
        vendors=("postgresql", "mysql"),
    ),
    Case(
        "check is replaced",
        [
            M.RemoveConstraint("item", "item_serial_gte_0"),
            M.AddConstraint("item", check(Q(serial__gte=-1))),
        ],
    ),
    Case(
        "index of several columns, descending",
        [index("item", "corpus_idx", "-serial", "same")],
        vendors=EVERYWHERE,
    ),
    Case(
        "foreign key to another table",
        [alter("small", "category", models.ForeignKey("shop.Item", models.CASCADE, null=True))],
        vendors=("postgresql", "mysql"),
    ),
    Case(
        "two nullable columns by SQL in one statement",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN y integer, ADD COLUMN z text",
                "ALTER TABLE shop_item DROP COLUMN y, DROP COLUMN z",
            )
        ],
    ),
    Case(
        "insert from a query",
        [
            SQL(
                "INSERT INTO shop_empty (name) SELECT name FROM shop_small",
                "DELETE FROM shop_empty",
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "bigint key becomes integer by SQL",
        [
            SQL(
                "ALTER TABLE shop_small ALTER id TYPE integer",
                "ALTER TABLE shop_small ALTER id TYPE bigint",
            )
        ],
    ),
    Case(
        "default of a text by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ALTER note SET DEFAULT ''",
                "ALTER TABLE shop_item ALTER note DROP DEFAULT",
            )
        ],
    ),
    Case(
        "huge numbers in a new column", [add("empty", "huge", Big(default=0))], vendors=EVERYWHERE
    ),
]
