"""What the corpus of measured migrations has taught the rules, each as pure data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from migrator.core import ddl
from migrator.core.ddl import Action
from migrator.core.effects import MigrationKey, OperationEffect
from migrator.core.lint import LintPolicy, lint
from migrator.core.live import (
    Duplicates,
    MemoryFacts,
    NotNulls,
    Nulls,
    Orphans,
    TableSize,
    Violates,
)
from migrator.core.plan import Cost, Operation, Plan, Statement, Step, TableLock
from migrator.core.schema import Check, Column, ForeignKey, PrimaryKey, Schema, Table
from migrator.planning.following import Following
from migrator.sources.ddl import read_ddl

TABLE = Table(
    "t",
    (Column("id", "bigint", False, identity="by default"), Column("c", "integer")),
    primary_key=PrimaryKey("t_pkey", ("id",)),
    foreign_keys=(ForeignKey("t_c_fk", ("c",), "u", ("id",), valid=False),),
    checks=(Check("t_c_check", "c >= 0", ("c",), valid=False),),
)
SCHEMA = Schema("postgresql", {"t": TABLE})


def operation(index: int = 0, kind: str = "RunSQL", **facts: Any) -> Operation:
    return Operation(index, kind, kind, OperationEffect(index, kind, kind), **facts)


def severities(
    *actions: Action,
    rows: int = 500,
    counts: dict[Any, int] | None = None,
    operations: tuple[Operation, ...] = (operation(),),
    atomic: bool = True,
) -> dict[str, str]:
    """Code → severity of what is said of a migration of one table."""
    statements = tuple(Statement("-", 0, (action,)) for action in actions)
    step = Step(MigrationKey("shop", "0002_step"), atomic, operations=operations)
    step = replace(step, backwards=False, atomic=atomic, statements=statements)
    plan = Plan("default", "postgresql", SCHEMA, (18,), "PostgreSQL", (step,))
    facts = MemoryFacts({"t": TableSize(rows, 8192, rows == 0)}, counts or {})
    return {each.code: each.severity.value for each in lint(plan, facts, LintPolicy())}


@pytest.mark.parametrize(
    ("default_before", "nulls", "severity"),
    [(True, 0, "info"), (True, 3, "warning"), (False, 0, "warning")],
)
def test_bc106_where_the_code_has_a_default_and_no_row_holds_null(
    default_before: bool, nulls: int, severity: str
) -> None:
    altered = operation(kind="AlterField", default_before=default_before)
    said = severities(
        ddl.SetNotNull("t", "c"), counts={Nulls("t", "c"): nulls}, operations=(altered,)
    )
    assert said["BC106"] == severity


@pytest.mark.parametrize(("view", "told"), [("t", False), ("other", True)])
def test_bc101_where_a_view_takes_the_place_of_the_table(view: str, told: bool) -> None:
    renamed = (ddl.RenameTable("t", "new"), ddl.CreateView("view", view))
    assert ("BC101" in severities(*renamed)) is told
    assert "BC101" in severities(*renamed, atomic=False)


@pytest.mark.parametrize(("rows", "severity"), [(0, "info"), (50_000, "warning")])
def test_bc108_of_a_key_that_the_database_gives(rows: int, severity: str) -> None:
    assert severities(ddl.AlterColumnType("t", "id", "integer"), rows=rows)["BC108"] == severity


@pytest.mark.parametrize(("rows", "severity"), [(500, "info"), (50_000, "warning")])
def test_mx101_where_sql_writes_few_rows(rows: int, severity: str) -> None:
    mixed = (ddl.AddColumn("t", "x", "integer"), ddl.Update("t", filtered=True))
    assert severities(*mixed, rows=rows)["MX101"] == severity


@pytest.mark.parametrize(("opaque", "severity"), [(None, "warning"), (frozenset(), "info")])
def test_ua104_where_python_may_alter_the_schema(
    opaque: frozenset[str] | None, severity: str
) -> None:
    effect = OperationEffect(0, "RunPython", "RunPython", unknown=True, opaque_tables=opaque)
    code = Operation(0, "RunPython", "RunPython", effect, moves_rows=True, shown=False)
    assert severities(operations=(code,))["UA104"] == severity


@pytest.mark.parametrize(
    ("name", "question"),
    [("t_c_check", Violates("t", "c >= 0")), ("t_c_fk", Orphans("t", "c", "u", "id"))],
)
def test_mf104_of_a_constraint_that_is_validated(name: str, question: Any) -> None:
    validated = ddl.ValidateConstraint("t", name)
    assert severities(validated, counts={question: 2})["MF104"] == "error"
    assert "MF104" not in severities(validated, counts={question: 0})


def test_bc110_of_a_foreign_key_that_points_elsewhere_from_now_on() -> None:
    added = ddl.AddConstraint("t", ddl.ConstraintKind.FOREIGN_KEY, "x", ("c",), "v", ("id",))
    assert severities(added)["BC110"] == "warning"
    assert "BC110" not in severities(replace(added, references="u"))


@pytest.mark.parametrize(("name", "rows", "told"), [("t_id_seq", 9, True), ("t_id_seq", 0, False)])
def test_bc111_of_a_sequence_that_starts_again(name: str, rows: int, told: bool) -> None:
    (action,) = read_ddl(f"ALTER SEQUENCE {name} RESTART WITH 1", "postgresql")
    assert ("BC111" in severities(action, rows=rows)) is told


@pytest.mark.parametrize("column", ["c", ""])
def test_bc103_and_bc104_of_what_the_models_have_still(column: str) -> None:
    dropped = ddl.DropColumn("t", column) if column else ddl.DropTable("t")
    code = "BC103" if column else "BC104"
    known = operation(modelled=frozenset({("t", column)}))
    assert code in severities(dropped, operations=(known,))
    assert code not in severities(dropped)


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_ds107_and_lk110_of_rows_that_a_condition_picks(vendor: str) -> None:
    (delete,) = read_ddl("DELETE FROM t WHERE c > 0", vendor)
    picked = Violates("t", "(c > 0) IS NOT TRUE")
    few = severities(delete, rows=50_000, counts={picked: 9})
    assert few["DS107"] == "warning"
    assert "LK110" not in few
    assert severities(delete, rows=50_000, counts={picked: 20_000})["LK110"] == "warning"
    assert "DS107" not in severities(delete, counts={picked: 0})


def test_mf102_where_nulls_are_equal() -> None:
    (made,) = read_ddl("CREATE UNIQUE INDEX x ON t (c) NULLS NOT DISTINCT", "postgresql")
    assert severities(made, counts={Nulls("t", "c"): 2})["MF102"] == "error"
    one = {Nulls("t", "c"): 1, Duplicates("t", ("c",), ""): 0}
    assert "MF102" not in severities(made, counts=one)


def test_dl105_of_values_that_an_update_overwrites() -> None:
    update = ddl.Update("t", columns=("c",))
    assert severities(update, counts={NotNulls("t", "c"): 9})["DL105"] == "error"
    assert "DL105" not in severities(update, counts={NotNulls("t", "c"): 0})


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("UPDATE t SET a = 1, b = upper(b)", ("a", "b")),
        ("UPDATE t SET a = COALESCE(a, 0), b = (SELECT 1, 2)", ("b",)),
        ("UPDATE t SET a = COALESCE(b, 0)", ("a",)),
        ("UPDATE t SET a = 1 WHERE b = 2", ("a",)),
    ],
)
def test_an_update_is_read_for_the_values_that_it_overwrites(
    vendor: str, sql: str, columns: tuple[str, ...]
) -> None:
    (action,) = read_ddl(sql, vendor)
    assert isinstance(action, ddl.Update)
    assert action.columns == columns


def test_dl107_of_values_that_an_update_overwrites_in_some_rows() -> None:
    (update,) = read_ddl("UPDATE t SET c = 1 WHERE id > 0", "postgresql")
    held = {NotNulls("t", "c"): 9}
    picked = Violates("t", '((id > 0) AND "c" IS NOT NULL) IS NOT TRUE')
    assert severities(update, counts={**held, picked: 4})["DL107"] == "warning"
    assert "DL107" not in severities(update, counts={**held, picked: 0})
    assert severities(update, counts=held)["DL107"] == "warning"  # nobody could count
    assert "DL107" not in severities(update, counts={NotNulls("t", "c"): 0})


def test_bc112_of_a_trigger_that_raises() -> None:
    def judged(body: str) -> dict[str, str]:
        sql = (
            f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$; "
            "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"
        )
        statement = Statement(sql, 0, read_ddl(sql, "postgresql"))
        step = Step(
            MigrationKey("shop", "0002_step"), operations=(operation(),), statements=(statement,)
        )
        plan = Plan("default", "postgresql", SCHEMA, (18,), "PostgreSQL", (step,))
        facts = MemoryFacts({"t": TableSize(500, 8192, False)}, {})
        return {each.code: each.severity.value for each in lint(plan, facts, LintPolicy())}

    assert judged("RAISE EXCEPTION 'append-only';")["BC112"] == "warning"
    assert "BC112" not in judged("RAISE NOTICE 'seen'; RETURN NEW;")


def test_bc113_of_a_foreign_key_that_becomes_unique() -> None:
    added = ddl.AddConstraint("t", ddl.ConstraintKind.UNIQUE, "x", ("c",))
    assert severities(added, counts={Duplicates("t", ("c",)): 0})["BC113"] == "warning"
    assert "BC113" not in severities(replace(added, columns=("id",)))


def test_mf109_of_a_check_that_the_new_type_does_not_fit() -> None:
    retyped = ddl.AlterColumnType("t", "c", "text")
    assert severities(retyped)["MF109"] == "warning"
    assert "MF109" not in severities(ddl.DropConstraint("t", "t_c_check"), retyped)
    assert "MF109" not in severities(ddl.AlterColumnType("t", "c", "bigint"))


def test_mf102_of_an_expression_is_counted() -> None:
    (made,) = read_ddl("CREATE UNIQUE INDEX x ON t (lower(c))", "postgresql")
    asked = Duplicates("t", (), "", ("lower(c)",))
    assert severities(made, counts={asked: 2})["MF102"] == "error"
    assert "MF102" not in severities(made, counts={asked: 0})


def test_lk109_of_a_query_that_reads_everything_under_a_lock() -> None:
    def judged(sql: str) -> dict[str, str]:
        cost = Cost(locks=(TableLock("t", "ACCESS EXCLUSIVE", "reads and writes"),))
        statement = Statement(sql, 0, read_ddl(sql, "postgresql"), cost)
        step = Step(
            MigrationKey("shop", "0002_step"), operations=(operation(),), statements=(statement,)
        )
        plan = Plan("default", "postgresql", SCHEMA, (18,), "PostgreSQL", (step,))
        facts = MemoryFacts({"t": TableSize(50_000, None, False)}, {})
        return {each.code: each.severity.value for each in lint(plan, facts, LintPolicy())}

    locked = "LOCK TABLE t IN ACCESS EXCLUSIVE MODE; "
    assert judged(locked + "SELECT count(*) FROM t")["LK109"] == "warning"
    assert judged(locked + "SELECT max(c) FROM t")["LK109"] == "warning"
    assert "LK109" not in judged(locked + "SELECT c FROM t LIMIT 1")
    one_step = "SELECT setval(pg_get_serial_sequence('t', 'id'), coalesce(max(id), 1)) FROM t"
    assert "LK109" not in judged(locked + one_step)
    assert judged(locked + one_step.replace("max(id)", "max(c)"))["LK109"] == "warning"
    both = "SELECT setval('t_id_seq', max(id)), count(*) FROM t"
    assert judged(locked + both)["LK109"] == "warning"
    assert "LK109" not in judged("SELECT count(*) FROM t")


@pytest.mark.parametrize(
    ("after", "severity"),
    [("few", "info"), ("other", "warning")],
)
def test_bc109_of_a_view_that_is_made_anew(after: str, severity: str) -> None:
    dropped, made = ddl.DropObject("view", "few"), ddl.CreateView("view", after)
    assert severities(dropped, made)["BC109"] == severity
    assert severities(made, dropped)["BC109"] == "warning"
    assert severities(dropped, made, atomic=False)["BC109"] == "warning"


@pytest.mark.parametrize(("rows", "told"), [(3, True), (0, False)])
def test_bc114_of_a_check_that_rows_violate(rows: int, told: bool) -> None:
    added = ddl.AddConstraint(
        "t", ddl.ConstraintKind.CHECK, "x", ("c",), expression="c > 0", not_valid=True
    )
    counted = {Violates("t", "c > 0"): rows}
    assert ("BC114" in severities(added, counts=counted)) is told
    assert "BC114" not in severities(replace(added, not_valid=False), counts=counted)


@pytest.mark.parametrize(
    ("definition", "read"),
    [("integer CHECK (VALUE > 0)", True), ("text NOT NULL", True), ("integer DEFAULT 3", False)],
)
def test_lk101_of_a_column_of_a_domain_of_the_same_plan(definition: str, read: bool) -> None:
    made, added = f"CREATE DOMAIN d AS {definition}", "ALTER TABLE t ADD COLUMN z d"
    together, apart = (Following("postgresql", (18,), "PostgreSQL", SCHEMA) for _ in range(2))
    assert ("t" in together.statement(f"{made}; {added}", 0).cost.rewrites) is read
    apart.statement(made, 0)
    assert ("t" in apart.statement(added, 1).cost.rewrites) is read


def test_ds107_of_rows_that_an_update_replaces_on_sqlite() -> None:
    update = "UPDATE {} t SET c = 1 WHERE id = 2"
    replacing = read_ddl(update.format("OR REPLACE"), "sqlite")
    assert severities(*replacing)["DS107"] == "warning"
    for plain in ("", "OR IGNORE", "OR ABORT"):
        assert "DS107" not in severities(*read_ddl(update.format(plain), "sqlite"))


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ("s.c IS NULL", ()),
        ("c IS NULL AND u.id > 3", ()),
        ("s.c IS NULL OR u.id > 3", ("c",)),
        ("NOT (s.c IS NULL)", ("c",)),
        ("s.c IS NOT NULL", ("c",)),
        ("u.c IS NULL", ("c",)),
        ("s.d IS NULL", ("c",)),
        ("(s.c IS NULL) = u.id", ("c",)),
        ("s.c IS NULL = 0", ("c",)),
        ("IF(u.id, u.x AND s.c IS NULL AND u.y, 1)", ("c",)),
        ("u.id BETWEEN 1 AND s.c IS NULL", ("c",)),
        ("f(u.id) = 1 AND s.c IS NULL", ()),
    ],
)
def test_an_update_with_a_join_that_fills_nulls_alone_overwrites_nothing(
    where: str, columns: tuple[str, ...]
) -> None:
    joined = f"UPDATE t s JOIN u ON u.id = s.u_id SET s.c = u.id WHERE {where}"
    (action,) = read_ddl(joined, "mysql")
    assert isinstance(action, ddl.Update)
    assert action.columns == columns
