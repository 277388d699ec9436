"""SQL of each vendor as actions: what is read, and what is honestly not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from migrator.core.ddl import (
    Action,
    AddColumn,
    AddConstraint,
    AlterColumnType,
    ConstraintKind,
    CreateIndex,
    CreateTable,
    Default,
    Delete,
    DropColumn,
    DropConstraint,
    DropDefault,
    DropIndex,
    DropObject,
    DropTable,
    Harmless,
    Insert,
    Opaque,
    Query,
    Reindex,
    RenameColumn,
    RenameIndex,
    RenameTable,
    SetDefault,
    SetNotNull,
    TableMaintenance,
    Truncate,
    Update,
    ValidateConstraint,
)
from migrator.sources.ddl import read_ddl, split_statements

FK, UNIQUE, CHECK = ConstraintKind.FOREIGN_KEY, ConstraintKind.UNIQUE, ConstraintKind.CHECK
CONSTANT, VOLATILE = Default.CONSTANT, Default.VOLATILE

POSTGRESQL: dict[str, tuple[Action, ...]] = {
    'ALTER TABLE "Shop"."Order" DROP COLUMN "X" CASCADE': (
        DropColumn('Shop"."Order', "X", cascade=True),
    ),
    "ALTER TABLE Shop.Order_ RENAME Total TO sum": (
        RenameColumn('shop"."order_', "total", "sum"),
    ),
    "ALTER TABLE s.t RENAME TO u": (RenameTable('s"."t', 's"."u'),),
    "ALTER TABLE s.t SET SCHEMA u": (RenameTable('s"."t', 'u"."t'),),
    """ALTER TABLE "t" ADD COLUMN "x" varchar(10) DEFAULT 'a' NOT NULL
       CONSTRAINT "f" REFERENCES "cat" ("id") DEFERRABLE INITIALLY DEFERRED;
       SET CONSTRAINTS "f" IMMEDIATE""": (
        AddColumn(
            "t", "x", "character varying(10)", True, CONSTANT,
            constraints=frozenset({FK}), references="cat",
        ),
        Harmless("constraints set"),
    ),
    "ALTER TABLE t ADD x bigserial UNIQUE": (
        AddColumn("t", "x", "bigserial", True, serial=True, constraints=frozenset({UNIQUE})),
    ),
    "ALTER TABLE t ADD x int GENERATED ALWAYS AS (i + 1) STORED": (
        AddColumn("t", "x", "integer", generated="stored"),
    ),
    "ALTER TABLE t ALTER i TYPE numeric(12,2) USING i::numeric(12, 2), ALTER i SET NOT NULL": (
        AlterColumnType("t", "i", "numeric(12,2)", using="i::numeric(12, 2)"),
        SetNotNull("t", "i"),
    ),
    'ALTER TABLE t ALTER x TYPE text COLLATE "C"': (
        AlterColumnType("t", "x", "text", collation="C"),
    ),
    "ALTER TABLE t ALTER x SET DEFAULT 3, ALTER x DROP DEFAULT": (
        SetDefault("t", "x"),
        DropDefault("t", "x"),
    ),
    "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES s.c (d, e) NOT VALID": (
        AddConstraint("t", FK, "f", ("a", "b"), 's"."c', ("d", "e"), not_valid=True),
    ),
    "ALTER TABLE t ADD CONSTRAINT c CHECK ((a IS NOT NULL))": (
        AddConstraint("t", CHECK, "c", expression="a IS NOT NULL"),
    ),
    "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i": (
        AddConstraint("t", UNIQUE, "u", using_index="i"),
    ),
    "ALTER TABLE t VALIDATE CONSTRAINT c, DROP CONSTRAINT d": (
        ValidateConstraint("t", "c"),
        DropConstraint("t", "d"),
    ),
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a, lower(b)) WHERE c > 1": (
        CreateIndex("t", "i", ("a", ""), True, True, True, "c > 1"),
    ),
    "DROP INDEX CONCURRENTLY s.i": (DropIndex('s"."i', concurrently=True),),
    "ALTER INDEX i RENAME TO j": (RenameIndex("i", "j"),),
    "REINDEX TABLE CONCURRENTLY t": (Reindex("t", concurrently=True),),
    "CREATE TABLE t (id int, a int REFERENCES b, FOREIGN KEY (id) REFERENCES s.c)": (
        CreateTable("t", ("b", 's"."c')),
    ),
    "CREATE TABLE t AS SELECT 1": (CreateTable("t", as_query=True),),
    "SELECT * INTO t FROM u": (CreateTable("t", as_query=True),),
    "DROP TABLE a, s.b CASCADE": (DropTable("a", True), DropTable('s"."b', True)),
    "DROP SCHEMA s CASCADE": (DropObject("schema", "s", cascade=True),),
    "DROP TRIGGER g ON s.t": (DropObject("trigger", "g", table='s"."t'),),
    "DROP MATERIALIZED VIEW m": (DropObject("materialized view", "m"),),
    "TRUNCATE a, b CASCADE": (Truncate(("a", "b"), True),),
    "DELETE FROM t": (Delete("t"),),
    "DELETE FROM t WHERE true": (Delete("t"),),
    "UPDATE t SET a = 1 WHERE b = 2": (
        Update("t", True, columns=("a",), condition="b = 2", values=("1",)),
    ),
    "INSERT INTO t SELECT * FROM u": (Insert("t", ("u",)),),
    "WITH gone AS (DELETE FROM t WHERE a = 1 RETURNING *) SELECT count(*) FROM gone": (
        Delete("t", True),
    ),
    "EXPLAIN ANALYZE DELETE FROM t": (Delete("t"),),
    "SELECT setval(pg_get_serial_sequence('t', 'id'), coalesce(max(id), 1)) FROM t": (
        Query("select", ("t",), ("id",)),
    ),
    "VACUUM FULL t": (TableMaintenance("t", "vacuum full"),),
    "ALTER TABLE p ATTACH PARTITION q DEFAULT": (TableMaintenance("p", "attach partition", "q"),),
    "-- nothing": (),
}  # fmt: skip

MYSQL: dict[str, tuple[Action, ...]] = {
    "ALTER TABLE `t` ADD COLUMN `x` varchar(10) DEFAULT 'a;,b' NOT NULL, ALGORITHM=INPLACE": (
        AddColumn("t", "x", "varchar(10)", True, CONSTANT),
        Harmless("algorithm"),
    ),
    "ALTER TABLE t ADD x char(36) DEFAULT (uuid())": (
        AddColumn("t", "x", "char(36)", default=VOLATILE, computed=True),
    ),
    "ALTER TABLE t ADD (a int, b int unsigned)": (
        AddColumn("t", "a", "int"),
        AddColumn("t", "b", "int unsigned"),
    ),
    "ALTER TABLE t MODIFY `x` integer UNSIGNED NULL": (
        AlterColumnType("t", "x", "integer unsigned", not_null=False),
    ),
    "ALTER TABLE t CHANGE a `b c` enum('a','b,c') NOT NULL AFTER d": (
        RenameColumn("t", "a", "b c"),
        AlterColumnType("t", "a", "enum('a','b,c')", not_null=True, first_or_after=True),
    ),
    "ALTER TABLE t ADD CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `d`.`c` (`id`)": (
        AddConstraint("t", FK, "f", ("a",), 'd"."c', ("id",)),
    ),
    "ALTER TABLE t DROP FOREIGN KEY f, DROP INDEX i, DROP CHECK c": (
        DropConstraint("t", "f", FK),
        DropIndex("i", "t"),
        DropConstraint("t", "c", CHECK),
    ),
    "CREATE UNIQUE INDEX i ON t (a(10), (lower(b)))": (CreateIndex("t", "i", ("a", ""), True),),
    "RENAME TABLE a TO b, c TO d.e": (RenameTable("a", "b"), RenameTable("c", 'd"."e')),
    "DROP TABLE IF EXISTS a, b": (DropTable("a"), DropTable("b")),
    "DELETE FROM t WHERE 1": (Delete("t"),),
    "DELETE a FROM a JOIN b ON a.i = b.i WHERE b.x = 1": (Delete("a", True),),
    "UPDATE a, b SET a.x = 1 WHERE a.i = b.i": (
        Update("a", True, columns=("x",), doubtful=True, values=("",)),
    ),
    "TRUNCATE t": (Truncate(("t",)),),
    "OPTIMIZE TABLE t": (TableMaintenance("t", "optimize"),),
    "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1; END": (
        TableMaintenance("t", "create trigger"),
    ),
    "SET foreign_key_checks = 0": (Harmless("set"),),
    "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES b (id)) ENGINE=InnoDB": (
        CreateTable("t", ("b",)),
    ),
}

SQLITE: dict[str, tuple[Action, ...]] = {
    'CREATE TABLE "new__t" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, '
    '"c" bigint REFERENCES "cat" ("id") DEFERRABLE INITIALLY DEFERRED)': (
        CreateTable("new__t", ("cat",)),
    ),
    'INSERT INTO "new__t" ("id") SELECT "id" FROM "t"': (Insert("new__t", ("t",)),),
    'ALTER TABLE "new__t" RENAME TO "t"': (RenameTable("new__t", "t"),),
    'ALTER TABLE "t" ADD COLUMN "x" text DEFAULT \'y\' NOT NULL CHECK (("x" <> \'(\'))': (
        AddColumn("t", "x", "text", True, CONSTANT, constraints=frozenset({CHECK})),
    ),
    'ALTER TABLE "main"."t" DROP COLUMN "x"': (DropColumn("t", "x"),),
    'CREATE INDEX "i" ON "t" ("a") WHERE "b" > 1': (
        CreateIndex("t", "i", ("a",), condition='"b" > 1'),
    ),
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; SELECT CASE WHEN 1 THEN 2 END; END": (
        TableMaintenance("t", "create trigger"),
    ),
    "DROP VIEW v": (DropObject("view", "v"),),
    "PRAGMA foreign_key_check": (Harmless("pragma"),),
    "WITH a(x) AS (SELECT 1) DELETE FROM t WHERE b IN a": (Delete("t", True),),
}

READ = [
    *(("postgresql", sql, actions) for sql, actions in POSTGRESQL.items()),
    *(("mysql", sql, actions) for sql, actions in MYSQL.items()),
    *(("sqlite", sql, actions) for sql, actions in SQLITE.items()),
]

UNREADABLE = {
    "postgresql": (
        "DO $$ BEGIN DROP TABLE t; END $$",
        "CALL p()",
        "SELECT create_hypertable('t', 'at')",
        "SELECT other.lower('x')",
        "COPY t FROM PROGRAM 'rm'",
        "EXECUTE p",
        "frobnicate",
        "DROP TABLE t\0",
        "SELECT 'unterminated",
        "SELECT " + " || ".join(["a"] * 5000),
        "DROP TABLE \ud800",
    ),
    "mysql": (
        "CALL p('a;b')",
        "SELECT f(1)",
        "ALTER TABLE t ADD PARTITION (PARTITION p VALUES LESS THAN (10))",
        "ALTER TABLE t ADD x int /*!80000 INVISIBLE */",
        "LOAD DATA INFILE 'x' INTO TABLE t",
        "ALTER TABLE",
        "SELECT 'unterminated",
        "frobnicate",
        "DROP TABLE t ; x '",
    ),
    "sqlite": (
        "PRAGMA writable_schema = 1",
        "SELECT load_extension('x')",
        "ALTER TABLE t ADD",
        "CREATE TABLE",
        "VACUUM INTO 'x'",
        "frobnicate",
        "SELECT 'unterminated",
    ),
}


@pytest.mark.parametrize(("vendor", "sql", "actions"), READ)
def test_each_clause_becomes_its_action(vendor: str, sql: str, actions: tuple[Action, ...]) -> None:
    assert read_ddl(sql, vendor) == actions


@pytest.mark.parametrize(
    ("vendor", "sql"), [(vendor, sql) for vendor, texts in UNREADABLE.items() for sql in texts]
)
def test_what_cannot_be_judged_is_opaque_and_never_raises(vendor: str, sql: str) -> None:
    assert [type(action) for action in read_ddl(sql, vendor)] == [Opaque]


def test_one_statement_that_does_not_parse_leaves_the_others_readable() -> None:
    for vendor in UNREADABLE:
        first, second, third = read_ddl("DROP TABLE a; frobnicate x (y); DROP TABLE b", vendor)
        assert (first, third) == (DropTable("a"), DropTable("b"))
        assert second == Opaque("frobnicate x (y)")


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_a_text_is_split_where_its_statements_end(vendor: str) -> None:
    text = "-- a; b\nSELECT ';' ; /* ; */ DROP TABLE t -- c\n;;\n"
    parts = split_statements(text, vendor)
    assert [part.split()[0] for part in parts] == ["SELECT", "DROP"]
    assert split_statements("  ;; -- nothing\n", vendor) == ()


@pytest.mark.parametrize(
    ("expression", "worth"),
    [
        ("now()", CONSTANT),
        ("CURRENT_TIMESTAMP", CONSTANT),
        ("'{}'::jsonb", CONSTANT),
        ("lower('A') || 'b'", CONSTANT),
        ("pg_catalog.now()", CONSTANT),
        ("NULL", Default.NONE),
        ("clock_timestamp()", VOLATILE),
        ("gen_random_uuid()", VOLATILE),
        ("nextval('s')", VOLATILE),
        ("md5(random()::text)", VOLATILE),
        ("uuid_generate_v4()", VOLATILE),
        ("mine.now()", VOLATILE),
    ],
)
def test_a_default_is_volatile_when_each_row_gets_its_own(expression: str, worth: Default) -> None:
    (added,) = read_ddl(f"ALTER TABLE t ADD COLUMN x text DEFAULT {expression}", "postgresql")
    assert isinstance(added, AddColumn)
    assert added.default == worth


def test_nothing_is_loaded_before_there_is_sql_to_read() -> None:
    code = "import sys, migrator.sources.ddl; sys.exit('postgast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
