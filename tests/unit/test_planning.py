"""What is pure in planning: names that servers give, what is looked up, what is shown."""

from __future__ import annotations

import pytest

from migrator.core import ddl
from migrator.core.costliness import spell_costs, spell_size
from migrator.core.ddl import ConstraintKind as Kind
from migrator.core.effects import MigrationKey, OperationEffect
from migrator.core.evolution import evolve
from migrator.core.live import MemoryFacts, TableSize
from migrator.core.plan import Cost, Operation, Plan, Statement, Step, TableLock
from migrator.core.preview import ended, preview_plan
from migrator.core.schema import (
    Column,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Schema,
    Table,
    Unique,
)
from migrator.core.spelling import spell_rows
from migrator.planning.catalog import Catalog, Constraints
from migrator.planning.naming import mysql_name, postgresql_name

KEY = MigrationKey("shop", "0001_initial")
EXCLUSIVE = "ACCESS EXCLUSIVE"


@pytest.mark.parametrize(
    ("table", "columns", "label", "expected"),
    [
        ("shop_order", (), "pkey", "shop_order_pkey"),
        ("shop_order", ("a", "b"), "key", "shop_order_a_b_key"),
        # Measured on PostgreSQL 18: the longer part is cut first.
        ("t" * 40, ("c" * 40,), "key", f"{'t' * 29}_{'c' * 29}_key"),
        ("t" * 60, ("c",), "key", f"{'t' * 57}_c_key"),
    ],
)
def test_names_that_postgresql_makes_up(
    table: str, columns: tuple[str, ...], label: str, expected: str
) -> None:
    assert postgresql_name(table, columns, label) == expected
    assert len(postgresql_name(table, columns, label).encode()) <= 63


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert postgresql_name("t", (), "pkey", {"t_pkey"}) == "t_pkey1"
    assert postgresql_name("t", (), "pkey", {"t_pkey", "t_pkey1"}) == "t_pkey2"
    assert mysql_name(("a", "b")) == "a"
    assert mysql_name(("a",), ["A"]) == "a_2"


def catalog(vendor: str = "postgresql") -> Catalog:
    table = Table(
        "shop_order",
        primary_key=PrimaryKey("shop_order_pkey", ("id",)),
        uniques=(Unique("shop_order_number_key", ("number",)),),
        indexes=(Index("by_year", (IndexKey("year"),)),),
    )
    return Catalog(vendor, Schema(vendor, {"shop_order": table}), online=False)


def nobody(table: str) -> Constraints:
    raise AssertionError(f"{table} was looked up")


def test_the_catalog_follows_names() -> None:
    known = catalog()
    known.take([ddl.RenameTable("shop_order", "bought")], {})
    known.take([ddl.RenameColumn("bought", "number", "code")], {})
    known.take([ddl.RenameIndex("by_year", "by_when")], {})
    found = known.constraints("bought", nobody)
    assert {name: info["columns"] for name, info in found.items()} == {
        "shop_order_pkey": ["id"],
        "shop_order_number_key": ["code"],
        "by_when": ["year"],
    }
    assert known.constraints("shop_order", nobody) == {}


def test_the_catalog_forgets_what_goes() -> None:
    known = catalog()
    known.take([ddl.DropColumn("shop_order", "number"), ddl.DropIndex("by_year")], {})
    assert list(known.constraints("shop_order", nobody)) == ["shop_order_pkey"]
    known.take([ddl.DropTable("shop_order")], {})
    assert known.constraints("shop_order", nobody) == {}


def test_innodb_keeps_the_index_of_a_foreign_key() -> None:
    known = catalog("mysql")
    key = ddl.AddConstraint("shop_order", Kind.FOREIGN_KEY, "fk", ("year",), "y")
    fresh = Catalog("mysql", Schema("mysql", {"shop_order": Table("shop_order")}), online=False)
    fresh.take([key], {})
    assert fresh.constraints("shop_order", nobody)["fk"]["index"]
    fresh.take([ddl.DropConstraint("shop_order", "fk")], {})
    left = fresh.constraints("shop_order", nobody)["fk"]
    assert (left["index"], left["foreign_key"]) == (True, None)
    # Another index will do: none is made for the key.
    known.take([key], {})
    assert not known.constraints("shop_order", nobody)["fk"]["index"]


# -- what is shown ----------------------------------------------------------------------------


def operation(index: int, *, shown: bool = True) -> Operation:
    return Operation(
        index, "X", f"Do {index}", OperationEffect(index, f"Do {index}", "X"), shown=shown
    )


def statement(sql: str, *actions: ddl.Action, index: int | None = 0, **cost: object) -> Statement:
    return Statement(sql, index, actions, Cost(**cost))  # type: ignore[arg-type]


def lock(table: str, mode: str = EXCLUSIVE, blocks: str = "reads and writes") -> TableLock:
    return TableLock(table, mode, blocks)


def test_a_step_as_it_is_shown() -> None:
    step = Step(
        KEY,
        operations=(operation(0), operation(1, shown=False), operation(2)),
        statements=(
            statement(
                "ALTER TABLE a ADD b int", ddl.AddColumn("a", "b", "int"), locks=(lock("a"),)
            ),
            statement(
                "CREATE INDEX i ON a (b) -- why", index=None, locks=(lock("a", "SHARE", "writes"),)
            ),
        ),
        reasons=((1, "it is code"),),
    )
    (shown,) = preview_plan(
        Plan("default", "postgresql", Schema("postgresql"), steps=(step,)),
        MemoryFacts({"a": TableSize(3, 8192)}),
    )
    assert shown.sql == (
        "-- Do 0",
        "ALTER TABLE a ADD b int;",
        "-- Do 1",
        "-- (what it does cannot be shown)",
        "-- Deferred to the end of the migration",
        "CREATE INDEX i ON a (b) -- why\n;",
    )
    assert shown.opaque == ("Do 1",)
    assert shown.untold == ()
    assert shown.locks == (lock("a"),)
    assert spell_costs(shown) == ("ACCESS EXCLUSIVE on a (3 rows, 8.2 kB), reads and writes wait",)


def test_sizes_are_asked_under_todays_names() -> None:
    renames = Step(
        KEY,
        operations=(operation(0),),
        statements=(
            statement("…", ddl.RenameTable("old", "new"), locks=(lock("old"),)),
            statement("…", ddl.AddColumn("new", "b", "int"), locks=(lock("new"),)),
            statement("…", ddl.CreateTable("made")),
            statement("…", ddl.AddColumn("made", "b", "int")),
        ),
    )
    later = Step(
        KEY,
        operations=(operation(0),),
        statements=(statement("…", ddl.DropColumn("new", "b"), locks=(lock("new"),)),),
    )
    size = TableSize(7, 100)
    plan = Plan("default", "postgresql", Schema("postgresql"), steps=(renames, later))
    first, second = preview_plan(plan, MemoryFacts({"old": size, "made": size}))
    assert dict(first.sizes) == {"old": size, "new": size}
    assert dict(second.sizes) == {"new": size}


def test_a_remade_table_of_sqlite_is_the_same_table() -> None:
    step = Step(
        KEY,
        operations=(operation(0),),
        statements=(
            statement("…", ddl.CreateTable("new__a")),
            statement("…", ddl.DropTable("a"), locks=(lock("a"),)),
            statement("…", ddl.RenameTable("new__a", "a")),
        ),
    )
    size = TableSize(7, 100)
    plan = Plan("default", "sqlite", Schema("sqlite"), steps=(step, step))
    for shown in preview_plan(plan, MemoryFacts({"a": size})):
        assert shown.sizes == (("a", size),)


def test_sizes_in_words() -> None:
    assert spell_size(TableSize(0, 8192)) == "empty"
    assert spell_size(TableSize(None, None)) == ""
    assert spell_size(TableSize(1_234_567, 340_000_000)) == "1.2 M rows, 340 MB"
    assert [spell_rows(n) for n in (1, 9_999, 120_000, 999_600, 12_000_000)] == [
        "1 row",
        "9,999 rows",
        "120 k rows",
        "1.0 M rows",
        "12.0 M rows",
    ]
    assert ended("SELECT '--'\nFROM x") == "SELECT '--'\nFROM x;"


# -- what the next statement finds -------------------------------------------------------------


def canonical(written: str) -> str:
    return written.replace("varchar", "character varying")


def test_a_schema_follows_statements() -> None:
    """Costs depend on what a statement finds: a column renamed just before it is widened."""
    order = Table(
        "shop_order",
        columns=(Column("code", "character varying(9)"), Column("customer_id", "bigint")),
        foreign_keys=(ForeignKey("fk", ("customer_id",), "shop_customer", ("id",)),),
        indexes=(Index("by_code", (IndexKey("code"),)),),
    )
    customer = Table("shop_customer", columns=(Column("id", "bigint", nullable=False),))
    schema = Schema("postgresql", {table.key: table for table in (order, customer)})
    schema = evolve(
        schema,
        [
            ddl.RenameColumn("shop_order", "code", "label"),
            ddl.AlterColumnType("shop_order", "label", "varchar(17)"),
            ddl.AddConstraint("shop_order", Kind.CHECK, "c", expression="x", not_valid=True),
            ddl.ValidateConstraint("shop_order", "c"),
            ddl.SetNotNull("shop_order", "label"),
            ddl.RenameTable("shop_customer", "people"),
            ddl.RenameColumn("people", "id", "number"),
            ddl.AddColumn("people", "name", "varchar(5)", not_null=True),
            ddl.CreateIndex("people", "by_name", ("name",), unique=True),
            ddl.RenameIndex("by_code", "by_label"),
        ],
        canonical,
    )
    assert set(schema.tables) == {"shop_order", "people"}
    order, people = schema.tables["shop_order"], schema.tables["people"]
    assert order.column("label") == Column("label", "character varying(17)", nullable=False)
    assert order.foreign_keys == (ForeignKey("fk", ("customer_id",), "people", ("number",)),)
    assert order.indexes == (Index("by_label", (IndexKey("label"),)),)
    assert [(check.name, check.valid) for check in order.checks] == [("c", True)]
    assert [column.name for column in people.columns] == ["number", "name"]
    schema = evolve(
        schema,
        [
            ddl.AddConstraint("people", Kind.UNIQUE, "u", using_index="by_name"),
            ddl.DropConstraint("shop_order", "fk"),
            ddl.DropColumn("shop_order", "label"),
            ddl.DropIndex("nobody_knows"),
            ddl.DropTable("nobody_knows"),
        ],
    )
    assert schema.tables["shop_order"].indexes == ()
    assert schema.tables["shop_order"].foreign_keys == ()
    assert schema.tables["people"].uniques == (Unique("u", ()),)
    assert schema.tables["people"].indexes == ()
