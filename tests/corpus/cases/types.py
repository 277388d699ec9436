"""Columns that become another type, NOT NULL, or get a default."""

from __future__ import annotations

from django.db import models

from tests.corpus.case import EVERYWHERE, Case
from tests.corpus.shorthand import (
    NOOP,
    SQL,
    Big,
    Char,
    Int,
    M,
    Q,
    Text,
    alter,
    check,
)

TYPES = [
    Case("varchar wider", [alter("item", "name", Char(max_length=100))], vendors=EVERYWHERE),
    Case("varchar to text", [alter("item", "name", Text())], vendors=EVERYWHERE),
    Case("varchar wider, indexed", [alter("item", "sku", Char(max_length=100, db_index=True))]),
    Case(
        "varchar narrower, everything fits",
        [alter("item", "name", Char(max_length=40))],
        vendors=EVERYWHERE,
    ),
    Case(
        "varchar narrower, a value does not fit",
        [alter("item", "code", Char(max_length=20))],
        vendors=EVERYWHERE,
    ),
    Case(
        "text to varchar, values too long", [alter("item", "note", Char(max_length=20, default=""))]
    ),
    Case(
        "varchar wider, small table",
        [alter("small", "name", Char(max_length=100))],
        vendors=EVERYWHERE,
    ),
    Case(
        "text to integer, cannot be cast",
        [SQL("ALTER TABLE shop_item ALTER note TYPE integer USING note::integer", NOOP)],
    ),
    Case("integer to bigint", [alter("item", "serial", Big())], vendors=EVERYWHERE),
    Case(
        "integer to bigint, small table",
        [alter("small", "same", Big(default=1))],
        vendors=EVERYWHERE,
    ),
    Case(
        "bigint to integer, out of range",
        [alter("item", "huge", Int(default=0))],
        vendors=EVERYWHERE,
    ),
    Case("bigint to integer, all fit", [alter("item", "big", Int(default=0))]),
    Case("smallint to integer", [alter("item", "small", Int(default=0))]),
    Case(
        "decimal more digits, same scale",
        [alter("item", "price", models.DecimalField(max_digits=14, decimal_places=4, default=0))],
        vendors=EVERYWHERE,
    ),
    Case(
        "decimal less scale, rounds",
        [alter("item", "price", models.DecimalField(max_digits=12, decimal_places=2, default=0))],
        vendors=EVERYWHERE,
    ),
    Case(
        "decimal more scale",
        [alter("item", "cents", models.DecimalField(max_digits=14, decimal_places=4, default=0))],
    ),
    Case("float to integer", [alter("item", "ratio", Int(default=0))]),
    Case(
        "float to decimal",
        [alter("item", "ratio", models.DecimalField(max_digits=12, decimal_places=4, default=0))],
    ),
    Case(
        "datetime to date",
        [alter("item", "moment", models.DateField(null=True))],
        vendors=EVERYWHERE,
    ),
    Case("date to datetime", [alter("item", "day", models.DateTimeField(null=True))]),
    Case("integer to text", [alter("item", "same", Text(default=""))]),
    Case(
        "boolean to integer by SQL",
        [SQL("ALTER TABLE shop_item ALTER flag TYPE integer USING flag::integer", NOOP)],
    ),
    Case("json to text", [alter("item", "data", Text(default=""))]),
    Case(
        "referenced primary key to bigint",
        [alter("category", "id", models.BigAutoField(primary_key=True))],
        vendors=("postgresql", "mysql"),
    ),
    Case(
        "primary key to integer, empty table",
        [alter("empty", "id", models.AutoField(primary_key=True))],
    ),
    Case(
        "collation of a column that is not indexed",
        [alter("item", "name", Char(max_length=50, db_collation="C"))],
    ),
    Case(
        "collation of an indexed column",
        [alter("item", "sku", Char(max_length=50, db_index=True, db_collation="C"))],
    ),
    Case(
        "integer to serial field choice only",
        [
            alter(
                "item",
                "same",
                Int(default=1, choices=[(1, "one")], help_text="x", verbose_name="y"),
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "alter on_delete and related_name",
        [
            alter(
                "item",
                "category",
                models.ForeignKey(
                    "shop.Category", models.SET_NULL, null=True, related_name="items"
                ),
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "foreign key to plain integer",
        [alter("item", "category", Int(null=True, db_column="category_id"))],
    ),
    Case(
        "tied integer to foreign key",
        [
            alter(
                "item",
                "tied_id",
                models.ForeignKey(
                    "shop.Category",
                    models.CASCADE,
                    null=True,
                    db_column="tied_id",
                    related_name="+",
                ),
            )
        ],
    ),
]

NULLS_AND_DEFAULTS = [
    Case(
        "set NOT NULL, no NULLs, code may omit it",
        [alter("item", "filled", Int())],
        vendors=EVERYWHERE,
    ),
    Case(
        "set NOT NULL where there are NULLs",
        [
            SQL(
                "ALTER TABLE shop_small ALTER holes SET NOT NULL",
                "ALTER TABLE shop_small ALTER holes DROP NOT NULL",
            )
        ],
    ),
    Case("set NOT NULL with default over NULLs", [alter("item", "holes", Int(default=0))]),
    Case(
        "set NOT NULL, no NULLs, code always writes it",
        [alter("item", "given", Int(default=0))],
        vendors=EVERYWHERE,
    ),
    Case(
        "set NOT NULL on small table, code always writes it",
        [
            SQL(
                "ALTER TABLE shop_small ALTER given SET NOT NULL",
                "ALTER TABLE shop_small ALTER given DROP NOT NULL",
                state_operations=[alter("small", "given", Int(default=0))],
            )
        ],
    ),
    Case(
        "set NOT NULL behind a validated check",
        [
            SQL(
                "ALTER TABLE shop_item ALTER given SET NOT NULL",
                "ALTER TABLE shop_item ALTER given DROP NOT NULL",
                state_operations=[alter("item", "given", Int(default=0))],
            )
        ],
        before=[M.AddConstraint("item", check(Q(given__isnull=False), "given_not_null"))],
    ),
    Case("drop NOT NULL", [alter("item", "serial", Int(null=True))], vendors=EVERYWHERE),
    Case(
        "set database default",
        [alter("item", "same", Int(default=1, db_default=1))],
        vendors=EVERYWHERE,
    ),
    Case("drop database default", [alter("item", "stated", Int(default=7))], vendors=EVERYWHERE),
    Case("change Python default", [alter("item", "same", Int(default=2))], vendors=EVERYWHERE),
    Case("change database default", [alter("item", "stated", Int(db_default=8))]),
]
