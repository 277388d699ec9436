"""Rows, code, transactions, and objects that are no tables."""

from __future__ import annotations

from django.contrib.postgres.operations import (
    CreateCollation,
    CreateExtension,
)

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
    add,
    index,
)

DATA = [
    Case("python without a way back", [M.RunPython(functions.add_category)], vendors=EVERYWHERE),
    Case(
        "python with a way back",
        [M.RunPython(functions.add_category, functions.remove_category)],
        vendors=EVERYWHERE,
    ),
    Case(
        "python with a noop as the way back",
        [M.RunPython(functions.fill_small, PYTHON_NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "python fills in batches, not atomic",
        [M.RunPython(functions.fill_in_batches, functions.unfill)],
        atomic=False,
    ),
    Case(
        "SQL without a way back",
        [SQL("INSERT INTO shop_category (name) VALUES ('x')")],
        vendors=EVERYWHERE,
    ),
    Case(
        "SQL with a way back",
        [
            SQL(
                "INSERT INTO shop_category (name) VALUES ('x')",
                "DELETE FROM shop_category WHERE name = 'x'",
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "SQL updates every row", [SQL("UPDATE shop_item SET unused = 1", NOOP)], vendors=EVERYWHERE
    ),
    Case(
        "SQL updates every row of the small table, NULLs only",
        [SQL("UPDATE shop_small SET holes = 0 WHERE holes IS NULL", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "SQL updates one row",
        [SQL("UPDATE shop_item SET unused = 1 WHERE id = 1", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case("SQL deletes every row", [SQL("DELETE FROM shop_small_labels", NOOP)], vendors=EVERYWHERE),
    Case("SQL overwrites values", [SQL("UPDATE shop_small SET same = 0", NOOP)]),
    Case(
        "add column and fill it, large table",
        [add("item", "extra", Int(null=True)), SQL("UPDATE shop_item SET extra = serial", NOOP)],
    ),
    Case(
        "alter after rows with deferred keys were written",
        [M.RunPython(functions.move_category, PYTHON_NOOP), add("small", "extra", Int(null=True))],
    ),
    Case(
        "alter small table, then write it",
        [add("small", "extra", Int(null=True)), SQL("UPDATE shop_small SET extra = 1", NOOP)],
    ),
    Case(
        "several schema changes, not atomic",
        [add("small", "extra", Int(null=True)), add("small", "extra2", Int(null=True))],
        atomic=False,
    ),
    Case(
        "several schema changes, atomic",
        [add("small", "extra", Int(null=True)), add("small", "extra2", Int(null=True))],
    ),
    Case("one schema change, not atomic", [add("small", "extra", Int(null=True))], atomic=False),
    Case(
        "index and update in one transaction",
        [
            index("item", "corpus_idx", "serial"),
            SQL("UPDATE shop_item SET unused = 1 WHERE id < 100", NOOP),
        ],
    ),
]

OBJECTS = [
    Case("create extension", [CreateExtension("vector")]),
    Case("create collation", [CreateCollation("corpus_collation", locale="C")]),
    Case(
        "create view",
        [SQL("CREATE VIEW corpus_view AS SELECT id FROM shop_item", "DROP VIEW corpus_view")],
        vendors=EVERYWHERE,
    ),
    Case(
        "create function",
        [
            SQL(
                "CREATE FUNCTION corpus_one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "DROP FUNCTION corpus_one()",
            )
        ],
    ),
    Case(
        "create trigger",
        [
            SQL(
                "CREATE TRIGGER corpus_trg AFTER UPDATE OF note ON shop_item FOR EACH"
                " ROW EXECUTE FUNCTION corpus_trg()",
                "DROP TRIGGER corpus_trg ON shop_item",
            )
        ],
        setup=[
            (
                "CREATE FUNCTION corpus_trg() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN RETURN NULL; END'"
            )
        ],
    ),
    Case("comment on column", [SQL("COMMENT ON COLUMN shop_item.note IS 'x'", NOOP)]),
    Case(
        "grant",
        [SQL("GRANT SELECT ON shop_item TO PUBLIC", "REVOKE SELECT ON shop_item FROM PUBLIC")],
    ),
    Case("set statistics", [SQL("ALTER TABLE shop_item ALTER serial SET STATISTICS 500", NOOP)]),
    Case("empty migration", [], vendors=EVERYWHERE),
    Case(
        "create materialized view",
        [
            SQL(
                "CREATE MATERIALIZED VIEW corpus_mv AS SELECT id FROM shop_item",
                "DROP MATERIALIZED VIEW corpus_mv",
            )
        ],
    ),
    Case(
        "SQL that does not parse",
        [SQL("ALTER TABLE shop_item FROBNICATE", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "drop view that a model reads",
        [
            SQL(
                "DROP VIEW corpus_view",
                "CREATE VIEW corpus_view AS SELECT id, name FROM shop_item",
                state_operations=[M.DeleteModel("Seen")],
            )
        ],
        setup=["CREATE VIEW corpus_view AS SELECT id, name FROM shop_item"],
        before=[
            M.CreateModel(
                "Seen",
                [("id", Big(primary_key=True)), ("name", Char(max_length=50))],
                options={"managed": False, "db_table": "corpus_view"},
            )
        ],
    ),
]
