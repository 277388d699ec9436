"""Whole tables."""

from __future__ import annotations

from django.db import models

from tests.corpus.case import EVERYWHERE, Case
from tests.corpus.shorthand import (
    NOOP,
    SQL,
    Char,
    Int,
    M,
    Q,
    add,
    alter,
    check,
    index,
    unique,
)

NEW_MODEL = M.CreateModel(
    "Fresh",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", Char(max_length=50)),
        ("amount", Int(null=True)),
    ],
)
LINKED_MODEL = M.CreateModel(
    "Linked",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("item", models.ForeignKey("shop.Item", models.CASCADE)),
    ],
)

TABLES = [
    Case("create model", [NEW_MODEL], vendors=EVERYWHERE),
    Case("create model with foreign key to large table", [LINKED_MODEL], vendors=EVERYWHERE),
    Case(
        "create model, then index, constraint, column and NOT NULL on it",
        [
            NEW_MODEL,
            index("fresh", "fresh_name", "name"),
            M.AddConstraint("fresh", unique("name")),
            add("fresh", "more", Int(default=1)),
            alter("fresh", "amount", Int(default=0)),
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "create model, and alter it in the next migration",
        [NEW_MODEL],
        then=[
            alter("fresh", "name", Char(max_length=20)),
            M.RenameField("fresh", "amount", "total"),
            M.AddConstraint("fresh", check(Q(total__gte=0))),
        ],
        vendors=EVERYWHERE,
    ),
    Case("create and delete model in one plan", [NEW_MODEL], then=[M.DeleteModel("Fresh")]),
    Case("delete model with rows", [M.DeleteModel("Item")], vendors=EVERYWHERE),
    Case("delete empty model", [M.DeleteModel("Empty")], vendors=EVERYWHERE),
    Case(
        "delete model in state only",
        [M.SeparateDatabaseAndState(state_operations=[M.DeleteModel("Empty")])],
        vendors=EVERYWHERE,
    ),
    Case("rename model", [M.RenameModel("Item", "Article")], vendors=EVERYWHERE),
    Case(
        "rename model that keeps its table",
        [M.AlterModelTable("Empty", "shop_empty"), M.RenameModel("Empty", "Blank")],
        vendors=EVERYWHERE,
    ),
    Case("alter table name", [M.AlterModelTable("Item", "articles")], vendors=EVERYWHERE),
    Case("alter table name to today's", [M.AlterModelTable("Item", "shop_item")]),
    Case("rename empty model", [M.RenameModel("Empty", "Blank")]),
    Case(
        "alter options and managers",
        [
            M.AlterModelOptions("item", {"ordering": ["name"], "verbose_name": "article"}),
            M.AlterModelManagers("item", [("objects", models.Manager())]),
        ],
        vendors=EVERYWHERE,
    ),
    Case("table comment", [M.AlterModelTableComment("item", "what is sold")]),
    Case("drop table by SQL", [SQL("DROP TABLE shop_empty, shop_small_labels", NOOP)]),
    Case("truncate small table", [SQL("TRUNCATE shop_small_labels", NOOP)]),
    Case("truncate empty table", [SQL("TRUNCATE shop_empty", NOOP)]),
    Case(
        "table renamed by SQL",
        [SQL("ALTER TABLE shop_small RENAME TO tiny", "ALTER TABLE tiny RENAME TO shop_small")],
    ),
    Case(
        "table renamed by SQL with a view in its place",
        [
            SQL(
                "ALTER TABLE shop_small RENAME TO tiny;"
                " CREATE VIEW shop_small AS SELECT * FROM tiny",
                "DROP VIEW shop_small; ALTER TABLE tiny RENAME TO shop_small",
            )
        ],
    ),
    Case(
        "set unlogged",
        [SQL("ALTER TABLE shop_item SET UNLOGGED", "ALTER TABLE shop_item SET LOGGED")],
    ),
    Case(
        "set fillfactor",
        [
            SQL(
                "ALTER TABLE shop_item SET (fillfactor=90)",
                "ALTER TABLE shop_item RESET (fillfactor)",
            )
        ],
    ),
    Case("cluster", [SQL("CLUSTER shop_item USING item_big_idx", NOOP)]),
    Case("vacuum full", [SQL("VACUUM FULL shop_item", NOOP)], atomic=False),
    Case("vacuum", [SQL("VACUUM shop_item", NOOP)], atomic=False),
    Case("analyze", [SQL("ANALYZE shop_item", NOOP)]),
]
