"""The destructive rules and those of data loss, and the first look that spares a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from migrator.core import ddl
from migrator.core.effects import Effect, MigrationKey, OperationEffect, TableEffect
from migrator.core.findings import Finding, Severity
from migrator.core.lint import LintPolicy, lint
from migrator.core.live import (
    COUNT_LIMIT,
    Changed,
    Facts,
    MemoryFacts,
    NotNulls,
    OutOfRange,
    Question,
    Rounded,
    TableSize,
    TimeOfDay,
    TooLong,
    Uncastable,
)
from migrator.core.losses import may_lose
from migrator.core.plan import Operation, Plan, Statement, Step
from migrator.core.rules import Family, all_rules
from migrator.core.schema import Column, ForeignKey, Schema, Table

KEY = MigrationKey("shop", "0002_next")
RULES = [rule for rule in all_rules() if rule.family in (Family.DESTRUCTIVE, Family.DATA_LOSS)]


def table(name: str, *columns: Column, **parts: Any) -> Table:
    return Table(name, (Column("id", "bigint", nullable=False), *columns), **parts)


ORDER = table(
    "order",
    Column("note", "text"),
    Column("code", "character varying(50)"),
    Column("price", "numeric(10,4)"),
    Column("ratio", "double precision"),
    Column("amount", "bigint"),
    Column("flag", "integer"),
    Column("at", "timestamp with time zone"),
    Column("tags", "character varying(50)[]"),
    Column("twice", "integer", generated="(price * 2)", stored=True),
    Column("mood", "mood"),
)
TAG = table(
    "tag",
    Column("order_id", "bigint"),
    foreign_keys=(ForeignKey("fk", ("order_id",), "order", ("id",)),),
)
EMPTY = table("empty", Column("note", "text"))
LIVE = Schema("postgresql", {each.key: each for each in (ORDER, TAG, EMPTY)})
SIZES = {
    "order": TableSize(1204, 100_000, False),
    "tag": TableSize(3, 8192, False),
    "empty": TableSize(0, 0, True),
}


def plan(*actions: ddl.Action, vendor: str = "postgresql", schema: Schema = LIVE) -> Plan:
    """A plan of one RunSQL, each action a statement."""
    effect = OperationEffect(0, "Raw SQL operation", "RunSQL", unknown=True)
    operation = Operation(0, "RunSQL", "Raw SQL operation", effect, app="shop")
    statements = tuple(Statement(repr(action), 0, (action,)) for action in actions)
    step = Step(KEY, operations=(operation,), statements=statements)
    return Plan("default", vendor, schema, steps=(step,))


def judge(
    *actions: ddl.Action,
    counts: Mapping[Question, int] | None = None,
    facts: Facts | None = None,
    lenient: bool = False,
    **how: Any,
) -> tuple[Finding, ...]:
    facts = facts or MemoryFacts(SIZES, counts or {}, lenient=lenient)
    return lint(plan(*actions, **how), facts, LintPolicy(), rules=RULES)


def only(findings: tuple[Finding, ...], code: str, rows: int | None) -> Finding:
    (finding,) = findings
    assert (finding.code, finding.rows, finding.destroys) == (code, rows, True)
    assert finding.hint
    return finding


# -- destructive ------------------------------------------------------------------------


def test_ds101_a_table_goes_with_its_rows() -> None:
    finding = only(judge(ddl.DropTable("order")), "DS101", 1204)
    assert finding.message == "Drops table order with 1,204 rows."
    assert finding.severity is Severity.ERROR
    assert judge(ddl.DropTable("empty")) == ()
    assert judge(ddl.DropTable("not_there")) == ()
    assert judge(ddl.CreateTable("new"), ddl.DropTable("new")) == ()
    # What this plan has put into its own copy is not the user's; the table itself is.
    copied = judge(
        ddl.CreateTable("copy"),
        ddl.Insert("copy"),
        ddl.DropTable("order"),
        ddl.RenameTable("copy", "order"),
        ddl.DropTable("order"),
    )
    assert only(copied, "DS101", 1204).table == "order"


def test_ds101_a_table_of_which_nothing_is_known_is_taken_to_hold_rows() -> None:
    sizes = {"order": TableSize(None, None, None)}
    assert only(judge(ddl.DropTable("order"), facts=MemoryFacts(sizes)), "DS101", None)
    hidden = Schema("postgresql", {}, unreadable=frozenset({"hidden"}))
    assert only(judge(ddl.DropTable("hidden"), schema=hidden), "DS101", None)
    offline = lint(plan(ddl.DropTable("order")), None, LintPolicy(), rules=RULES)
    assert only(offline, "DS101", None).severity is Severity.WARNING


def test_ds102_a_column_goes_with_its_values() -> None:
    note = NotNulls("order", "note")
    finding = only(judge(ddl.DropColumn("order", "note"), counts={note: 7}), "DS102", 7)
    assert finding.message == "Drops column order.note with values in 7 rows."
    assert judge(ddl.DropColumn("order", "note"), counts={note: 0}) == ()
    assert judge(ddl.DropColumn("order", "twice")) == ()  # computed
    assert judge(ddl.DropColumn("order", "not_there")) == ()
    assert judge(ddl.DropColumn("empty", "note")) == ()
    only(judge(ddl.DropColumn("order", "note")), "DS102", None)
    many = judge(ddl.DropColumn("order", "note"), counts={note: COUNT_LIMIT})
    assert "1,000,000 or more rows" in many[0].message


def test_ds102_a_column_that_the_plan_has_made_or_renamed() -> None:
    added = ddl.AddColumn("order", "extra", "text")
    assert judge(added, ddl.Update("order"), ddl.DropColumn("order", "extra")) == ()
    renamed = judge(
        ddl.RenameTable("order", "purchase"),
        ddl.RenameColumn("purchase", "note", "remark"),
        ddl.DropColumn("purchase", "remark"),
        counts={NotNulls("order", "note"): 7},
    )
    assert only(renamed, "DS102", 7).column == "remark"


def test_ds102_what_cannot_be_shown_is_judged_by_the_state() -> None:
    after = replace(ORDER, columns=tuple(c for c in ORDER.columns if c.name != "note"))
    effects = (TableEffect("order", ORDER, after), TableEffect("tag", TAG, None))
    effect = OperationEffect(0, "Own", "Own", effects, unknown=True)
    hidden = Operation(0, "Own", "Own", effect, app="shop", own=False, shown=False)
    counts = {NotNulls("order", "note"): 7}
    for statements in ((), (Statement("ANALYZE", 0, (ddl.Harmless("analyze"),)),)):
        step = Step(KEY, operations=(hidden,), statements=statements)
        made = Plan("default", "postgresql", LIVE, steps=(step,))
        found = lint(made, MemoryFacts(SIZES, counts), LintPolicy(), rules=RULES)
        assert {(each.code, each.table, each.rows) for each in found} == {
            ("DS102", "order", 7),
            ("DS101", "tag", 3),
        }


def test_ds103_truncate_takes_what_refers_to_it_with_cascade() -> None:
    only(judge(ddl.Truncate(("order",))), "DS103", 1204)
    cascading = judge(ddl.Truncate(("order",), cascade=True))
    assert {finding.table: finding.rows for finding in cascading} == {"order": 1204, "tag": 3}
    assert judge(ddl.Truncate(("empty",))) == ()


def test_ds104_delete_without_a_condition() -> None:
    only(judge(ddl.Delete("order")), "DS104", 1204)
    (some,) = judge(ddl.Delete("order", filtered=True))
    assert (some.code, some.destroys) == ("DS107", False)
    assert judge(ddl.Delete("empty")) == ()


def test_ds105_what_goes_with_its_container() -> None:
    for kind in ("schema", "owned", "database"):
        assert only(judge(ddl.DropObject(kind, "x", cascade=True)), "DS105", None)
    mood = {NotNulls("order", "mood"): 9}
    typed = judge(ddl.DropObject("type", "mood", cascade=True), counts=mood)
    assert only(typed, "DS105", 9).column == "mood"
    for harmless in (
        ddl.DropObject("schema", "x"),
        ddl.DropObject("type", "mood"),
        ddl.DropObject("type", "other", cascade=True),
        ddl.DropObject("extension", "pg_trgm", cascade=True),
        ddl.DropObject("extension", "hstore", cascade=True),
        ddl.DropObject("view", "x", cascade=True),
    ):
        assert judge(harmless) == ()
    assert judge(ddl.DropObject("extension", "obscure", cascade=True))


def test_ds105_a_schema_of_mysql_is_a_database() -> None:
    assert judge(ddl.DropObject("schema", "x"), vendor="mysql")


def test_ds106_what_cannot_be_read_and_speaks_of_dropping() -> None:
    for text in ("DO $$ BEGIN DROP  TABLE x; END $$", "ALTER TABLE t TRUNCATE PARTITION p"):
        only(judge(ddl.Opaque(text)), "DS106", None)
    for text in ("DO $$ BEGIN ALTER TABLE t DROP CONSTRAINT c; END $$", "CALL tidy()"):
        assert judge(ddl.Opaque(text)) == ()


# -- silent data loss --------------------------------------------------------------------


def change(column: str, kind: str, using: bool = False) -> ddl.AlterColumnType:
    return ddl.AlterColumnType("order", column, kind, using=f"{column}::{kind}" if using else "")


LOSSES: dict[str, list[tuple[ddl.AlterColumnType, Question]]] = {
    "DL101": [(change("note", "varchar(20)", using=True), TooLong("order", "note", 20))],
    "DL102": [
        (change("price", "numeric(10, 2)"), Rounded("order", "price", 2)),
        (change("price", "integer"), Rounded("order", "price", 0)),
        (change("ratio", "bigint", using=True), Rounded("order", "ratio", 0)),
        (change("ratio", "decimal(8, 3)"), Rounded("order", "ratio", 3)),
    ],
    "DL103": [
        (change("at", "date", using=True), TimeOfDay("order", "at")),
        (change("at", "time", using=True), NotNulls("order", "at")),
    ],
    "DL104": [
        (change("ratio", "real"), Changed("order", "ratio", "real")),
        (change("amount", "double precision"), Changed("order", "amount", "double precision")),
        (change("code", "integer", using=True), Changed("order", "code", "integer")),
        (change("flag", "boolean", using=True), Changed("order", "flag", "boolean")),
        (change("at", "timestamptz(0)"), Changed("order", "at", "timestamptz(0)")),
        (change("tags", "varchar(9)[]", using=True), Changed("order", "tags", "varchar(9)[]")),
    ],
}


@pytest.mark.parametrize(
    ("code", "action", "question"),
    [(code, *pair) for code, pairs in LOSSES.items() for pair in pairs],
    ids=lambda value: getattr(value, "type", "") if not isinstance(value, str) else value,
)
def test_dl_values_that_are_altered_without_a_word(
    code: str, action: ddl.AlterColumnType, question: Question
) -> None:
    finding = only(judge(action, counts={question: 4}), code, 4)
    assert f"order.{action.column}" in finding.message
    assert judge(action, counts={question: 0}) == ()
    only(judge(action), code, None)
    # What cannot be counted because the server will refuse it is no silent loss.
    refused = Uncastable("order", action.column, action.type)
    assert judge(action, counts={refused: 1}) == ()
    on_sqlite = judge(action, vendor="sqlite")  # it only makes numbers of texts
    assert bool(on_sqlite) == (action.column == "code")


@pytest.mark.parametrize(
    "action",
    [
        change("note", "varchar"),
        change("note", "varchar(20)"),  # raises
        change("code", "varchar(20)"),
        change("code", "varchar(50)", using=True),
        change("code", "text", using=True),
        change("price", "numeric(12, 4)"),
        change("price", "numeric"),
        change("flag", "bigint"),
        change("amount", "integer"),  # raises
        change("at", "timestamp"),
        change("code", "uuid", using=True),
        change("tags", "varchar(50)[]"),
    ],
    ids=lambda action: f"{action.column} to {action.type}",
)
def test_dl_changes_that_lose_nothing(action: ddl.AlterColumnType) -> None:
    assert judge(action) == ()


def test_dl_a_server_without_a_strict_mode_makes_values_fit() -> None:
    shorter, smaller = change("code", "varchar(20)"), change("amount", "integer")
    half = 2**31
    counts = {
        TooLong("order", "code", 20): 2,
        OutOfRange("order", "amount", -half, half - 1): 3,
    }
    how: dict[str, Any] = {"counts": counts, "vendor": "mysql"}
    assert judge(shorter, smaller, **how) == ()
    lost = judge(shorter, smaller, lenient=True, **how)
    assert [(finding.code, finding.rows) for finding in lost] == [("DL101", 2), ("DL104", 3)]
    # As many digits after the point, and fewer before it; no sign any more.
    counts[OutOfRange("order", "price", -99, 99)] = 4
    counts[OutOfRange("order", "flag", 0, 2**32 - 1)] = 5
    fewer, unsigned = change("price", "numeric(6, 4)"), change("flag", "int unsigned")
    lost = judge(fewer, unsigned, lenient=True, **how)
    assert [(finding.code, finding.rows) for finding in lost] == [("DL104", 4), ("DL104", 5)]
    wider = change("price", "numeric(12, 4)"), change("flag", "bigint")
    assert judge(*wider, lenient=True, **how) == ()
    assert judge(fewer, unsigned, **how) == ()


# -- the first look ------------------------------------------------------------------------


def effect(kind: str, *pairs: tuple[str, Table | None, Table | None]) -> Effect:
    tables = tuple(TableEffect(*pair) for pair in pairs)
    return Effect(KEY, (OperationEffect(0, kind, kind, tables),))


NOTED, BARE = table("t", Column("note", "text")), table("t")
CALLED = table("t", Column("remark", "text"))
SHORT = table("t", Column("note", "character varying(5)"))


@pytest.mark.parametrize(
    ("effects", "loses"),
    [
        ([effect("CreateModel", ("t", None, NOTED))], False),
        ([effect("AddField", ("t", BARE, NOTED))], False),
        ([effect("RenameField", ("t", NOTED, CALLED))], False),
        ([effect("RenameModel", ("t", NOTED, None), ("u", None, NOTED))], False),
        ([effect("DeleteModel", ("t", NOTED, None))], True),
        ([effect("RemoveField", ("t", NOTED, BARE))], True),
        ([effect("AlterField", ("t", NOTED, SHORT))], True),
        ([effect("Custom", ("t", NOTED, CALLED))], True),
        (
            [
                effect("CreateModel", ("t", None, NOTED)),
                effect("RemoveField", ("t", NOTED, BARE)),
                effect("RenameModel", ("t", BARE, None), ("u", None, BARE)),
                effect("DeleteModel", ("u", BARE, None)),
            ],
            False,
        ),
        (
            [
                effect("RenameModel", ("t", NOTED, None), ("u", None, NOTED)),
                effect("DeleteModel", ("u", NOTED, None)),
            ],
            True,
        ),
        (
            [
                effect("DeleteModel", ("t", NOTED, None)),
                effect("CreateModel", ("t", None, NOTED)),
            ],
            True,
        ),
    ],
)
def test_a_plan_is_only_made_where_something_may_be_lost(
    effects: list[Effect], loses: bool
) -> None:
    assert may_lose(effects) is loses


def test_sqlite_keeps_values_but_for_texts_that_become_numbers() -> None:
    assert not may_lose([effect("AlterField", ("t", NOTED, SHORT))], rigid_types=False)
    number = table("t", Column("note", "integer"))
    assert may_lose([effect("AlterField", ("t", NOTED, number))], rigid_types=False)
