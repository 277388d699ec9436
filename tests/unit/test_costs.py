"""What a statement costs, where versions and what is live make the difference."""

from __future__ import annotations

import pytest

from migrator.core.costs import cost_of
from migrator.core.plan import Cost
from migrator.core.schema import (
    Check,
    Column,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Schema,
    Table,
)
from migrator.sources.ddl import read_ddl

ITEM = Table(
    "item",
    (
        Column("id", "bigint", nullable=False),
        Column("name", "character varying(50)"),
        Column("size", "integer"),
        Column("at", "timestamp without time zone"),
        Column("cat_id", "bigint"),
    ),
    primary_key=PrimaryKey("item_pkey", ("id",)),
    foreign_keys=(ForeignKey("item_cat_fk", ("cat_id",), "cat", ("id",)),),
    checks=(Check("size_set", "(size IS NOT NULL)", ("size",)),),
    indexes=(Index("item_name", (IndexKey("name"),)),),
)
CAT = Table("cat", (Column("id", "bigint", nullable=False),))
SCHEMA = Schema("postgresql", {"item": ITEM, "cat": CAT})


def postgresql(sql: str, created: frozenset[str] = frozenset(), timezone: str = "") -> Cost:
    actions = read_ddl(sql, "postgresql")
    return cost_of(
        actions, vendor="postgresql", version=(15, 2), schema=SCHEMA, created=created,
        timezone=timezone,
    )  # fmt: skip


def mysql(sql: str, column: str, version: tuple[int, ...] = (8, 0, 36)) -> str:
    table = Table("t", (Column("id", "int"), Column("x", column)))
    cost = cost_of(
        read_ddl(sql, "mysql"),
        vendor="mysql",
        version=version,
        product="MySQL" if version[0] == 8 else "MariaDB",
        schema=Schema("mysql", {"t": table}),
    )
    (lock,) = cost.locks
    return f"{lock.mode}{' rewrite' if cost.rewrites else ''}"


def modes(cost: Cost) -> dict[str, str]:
    return {lock.table: lock.mode for lock in cost.locks}


def test_a_table_made_by_the_same_plan_concerns_nobody() -> None:
    sql = "ALTER TABLE item ADD CONSTRAINT f FOREIGN KEY (size) REFERENCES cat (id)"
    assert modes(postgresql(sql)).keys() == {"item", "cat"}
    assert modes(postgresql(sql, frozenset({"item"}))).keys() == {"cat"}
    assert modes(postgresql("CREATE TABLE n (c int REFERENCES n (c))")) == {}


def test_a_foreign_key_that_goes_locks_the_table_that_it_points_to() -> None:
    for sql in (
        "DROP TABLE item",
        "ALTER TABLE item DROP CONSTRAINT item_cat_fk",
        "ALTER TABLE item DROP COLUMN cat_id",
    ):
        assert modes(postgresql(sql)) == {"item": "ACCESS EXCLUSIVE", "cat": "ACCESS EXCLUSIVE"}
    assert modes(postgresql("DROP TABLE cat CASCADE")).keys() == {"item", "cat"}


def test_the_table_of_a_dropped_index_is_found_in_the_schema() -> None:
    assert modes(postgresql("DROP INDEX item_name")) == {"item": "ACCESS EXCLUSIVE"}
    gone = postgresql("DROP INDEX CONCURRENTLY item_name")
    assert modes(gone) == {"item": "SHARE UPDATE EXCLUSIVE"}


def test_a_scan_that_nobody_waits_for_is_none() -> None:
    assert postgresql("CREATE INDEX i ON item (size)").scans == ("item",)
    assert postgresql("CREATE INDEX CONCURRENTLY i ON item (size)").scans == ()
    assert postgresql("ALTER TABLE item VALIDATE CONSTRAINT size_set").scans == ()


def test_a_proved_not_null_reads_nothing() -> None:
    assert postgresql("ALTER TABLE item ALTER size SET NOT NULL").scans == ()
    assert postgresql("ALTER TABLE item ALTER name SET NOT NULL").scans == ("item",)
    assert postgresql("ALTER TABLE elsewhere ALTER size SET NOT NULL").scans == ("elsewhere",)


@pytest.mark.parametrize(
    ("change", "rewrites"),
    [
        ("name TYPE varchar(60)", False),
        ("name TYPE varchar(40)", True),
        ('name TYPE varchar(60) USING "name"::varchar(60)', False),
        ("name TYPE varchar(60) USING lower(name)", True),
        ("size TYPE bigint", True),
        ("unknown TYPE text", True),
        ("at TYPE timestamptz", True),
    ],
)
def test_a_type_is_changed_in_place_where_its_bytes_stay(change: str, rewrites: bool) -> None:
    cost = postgresql(f"ALTER TABLE item ALTER {change}")
    assert cost.rewrites == (("item",) if rewrites else ())
    assert modes(cost)["item"] == "ACCESS EXCLUSIVE"


def test_a_timestamp_gets_its_zone_in_place_when_the_session_is_in_utc() -> None:
    assert postgresql("ALTER TABLE item ALTER at TYPE timestamptz", timezone="UTC").rewrites == ()


def test_what_is_opaque_has_no_known_price() -> None:
    assert not postgresql("DO $$ BEGIN PERFORM f(); END $$").known
    assert postgresql("SET search_path = a").known
    assert not cost_of((), vendor="oracle", schema=Schema("oracle")).known


@pytest.mark.parametrize(
    ("sql", "column", "version", "way"),
    [
        ("ALTER TABLE t ADD COLUMN y int", "int", (8, 0, 36), "INSTANT/NONE"),
        ("ALTER TABLE t ADD COLUMN y int FIRST", "int", (8, 0, 20), "INPLACE/NONE rewrite"),
        ("ALTER TABLE t ADD COLUMN y int FIRST", "int", (10, 11), "INSTANT/NONE"),
        ("ALTER TABLE t ADD y int DEFAULT (1 + 1)", "int", (8, 0, 36), "COPY/SHARED rewrite"),
        ("ALTER TABLE t ADD y text DEFAULT ('x')", "int", (8, 0, 36), "COPY/SHARED rewrite"),
        ("ALTER TABLE t ADD y int DEFAULT (1 + 1)", "int", (10, 11), "INSTANT/NONE"),
        ("ALTER TABLE t ADD y int DEFAULT 5", "int", (8, 0, 36), "INSTANT/NONE"),
        ("ALTER TABLE t DROP COLUMN x", "int", (8, 0, 20), "INPLACE/NONE rewrite"),
        ("ALTER TABLE t MODIFY x varchar(60) NULL", "varchar(50)", (8, 0, 36), "INPLACE/NONE"),
        ("ALTER TABLE t MODIFY x varchar(60) NULL", "varchar(50)", (10, 11), "INSTANT/NONE"),
        ("ALTER TABLE t MODIFY x varchar(99) NULL", "varchar(50)", (10, 11), "COPY/SHARED rewrite"),
        ("ALTER TABLE t MODIFY x varchar(99) NULL", "varchar(20)", (10, 11), "INSTANT/NONE"),
        ("ALTER TABLE t MODIFY x varchar(99) NULL", "varchar(20)", (8, 0), "COPY/SHARED rewrite"),
        ("ALTER TABLE t MODIFY x int(11) NOT NULL", "int", (10, 11), "INPLACE/NONE rewrite"),
        ("ALTER TABLE t MODIFY x bool NULL", "tinyint(1)", (10, 11), "INSTANT/NONE"),
        ("ALTER TABLE t ADD x int, ADD INDEX (x)", "int", (10, 11), "INPLACE/NONE rewrite"),
    ],
)
def test_mysql_and_mariadb_take_the_cheapest_way(
    sql: str, column: str, version: tuple[int, ...], way: str
) -> None:
    assert mysql(sql, column, version) == way


def test_sqlite_writes_anew_the_table_that_django_remakes() -> None:
    def cost(sql: str) -> Cost:
        return cost_of(
            read_ddl(sql, "sqlite"), vendor="sqlite", schema=Schema("sqlite", {"item": ITEM})
        )

    remade = cost('INSERT INTO "new__item" ("id") SELECT "id" FROM "item"')
    assert remade.rewrites == ("item",)
    assert [(lock.table, lock.blocks) for lock in remade.locks] == [("item", "writes")]
    assert cost('ALTER TABLE "new__item" RENAME TO "item"').locks == ()
    assert cost('ALTER TABLE "item" ADD COLUMN "x" integer NULL').rewrites == ()
