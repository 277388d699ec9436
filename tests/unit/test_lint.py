"""The lint as pure functions: suppressions, severities, names in a plan, and the renderers."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db.migrations import Migration

from migrator.conf import Settings
from migrator.core import ddl
from migrator.core.ddl import ConstraintKind, Default
from migrator.core.effects import MigrationKey, OperationEffect, TableEffect
from migrator.core.findings import Finding, Severity
from migrator.core.lint import LintPolicy, lint, unused_settings
from migrator.core.live import (
    Duplicates,
    LongTransaction,
    MemoryFacts,
    Nulls,
    Orphans,
    TableSize,
)
from migrator.core.plan import Cost, Operation, Plan, Statement, Step, TableLock
from migrator.core.review import Judged, Review, Unjudged, share
from migrator.core.rules import Policy, Rule, all_rules, rule, rule_of
from migrator.core.rules.moments import contexts_of
from migrator.core.rules.names import Names
from migrator.core.schema import Column, Schema, Table
from migrator.exceptions import ConfigurationError
from migrator.linting import lint_plan, read_policy
from migrator.planning.describing import ignored_rules
from migrator.reports.lint_github import LintGithubFormatter
from migrator.reports.lint_json import LintJsonFormatter
from migrator.reports.lint_junit import LintJunitFormatter
from migrator.reports.lint_sarif import LintSarifFormatter
from migrator.reports.lint_text import LintTextFormatter
from migrator.sources.positions import positions_in

KEY = MigrationKey("shop", "0002_step")
EXCLUSIVE = TableLock("t", "ACCESS EXCLUSIVE", "reads and writes")
REWRITE = Statement(
    "ALTER TABLE t ALTER c TYPE bigint",
    0,
    (ddl.AlterColumnType("t", "c", "bigint"),),
    Cost((EXCLUSIVE,), rewrites=("t",), scans=("t",)),
)
SCHEMA = Schema("postgresql", {"t": Table("t", (Column("c", "integer"), Column("d", "integer")))})
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "lint.md"


def operation(index: int = 0, kind: str = "AlterField", **facts: Any) -> Operation:
    return Operation(index, kind, kind, OperationEffect(index, kind, kind), **facts)


def plan(*statements: Statement, schema: Schema = SCHEMA, **step: Any) -> Plan:
    indexes = sorted({each.operation for each in statements if each.operation is not None})
    step.setdefault("operations", tuple(operation(index) for index in indexes))
    return Plan(
        "default",
        schema.vendor,
        schema,
        (18,),
        "PostgreSQL",
        (Step(KEY, statements=statements, **step),),
    )


def found(judged: Plan, facts: MemoryFacts | None = None, **policy: Any) -> dict[str, Finding]:
    return {each.code: each for each in lint(judged, facts, LintPolicy(**policy))}


def sized(rows: int | None, size: int | None = 10**9) -> MemoryFacts:
    return MemoryFacts({"t": TableSize(rows, size, rows == 0)})


# -- severity from what is there --------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        (None, "warning"),
        (MemoryFacts(), "warning"),
        (sized(0), "info"),
        (sized(500, 10_000), "info"),
        (sized(500), "warning"),
        (sized(50_000), "warning"),
        (sized(1_000_000), "error"),
        (sized(None), "warning"),
    ],
)
def test_a_cost_is_judged_by_size(facts: MemoryFacts | None, severity: str) -> None:
    assert found(plan(REWRITE), facts)["LK101"].severity == severity


def test_what_counts_as_large_can_be_said() -> None:
    weights = Policy(large_rows=100, tiny_rows=10)
    assert found(plan(REWRITE), sized(100), weights=weights)["LK101"].severity == "error"


def test_nothing_is_said_of_a_table_that_the_plan_makes() -> None:
    made = Statement("CREATE TABLE t ()", 0, (ddl.CreateTable("t"),))
    later = replace(REWRITE, operation=1)
    dropped = Statement("DROP TABLE t", 2, (ddl.DropTable("t"),))
    assert found(plan(made, later, dropped, schema=Schema("postgresql"))) == {}


def test_a_table_that_is_made_again_after_it_was_dropped_is_new() -> None:
    dropped = Statement("DROP TABLE t", 0, (ddl.DropTable("t"),))
    made = Statement("CREATE TABLE t ()", 1, (ddl.CreateTable("t"),))
    codes = set(found(plan(dropped, made, replace(REWRITE, operation=2)), sized(50_000)))
    assert "LK101" not in codes
    assert "DS101" in codes


def test_create_if_not_exists_does_not_make_what_is_there() -> None:
    made = Statement("", 0, (ddl.CreateTable("t", if_not_exists=True),))
    assert "LK101" in found(plan(made, replace(REWRITE, operation=1)))


def test_facts_are_asked_under_the_names_of_today() -> None:
    asked = (
        Statement("", 0, (ddl.RenameTable("t", "u"),)),
        Statement("", 1, (ddl.RenameColumn("u", "c", "x"),)),
        Statement("", 2, (ddl.SetNotNull("u", "x"),)),
    )
    facts = MemoryFacts({"t": TableSize(50_000, None, False)}, {Nulls("t", "c"): 3})
    nulls = found(plan(*asked), facts)["MF101"]
    assert (nulls.severity, nulls.rows, nulls.table, nulls.column) == ("error", 3, "u", "x")


def test_rows_that_an_earlier_step_may_mend_are_a_warning() -> None:
    mends = operation(0, "RunPython", moves_rows=True, shown=False)
    wants = Statement("", 1, (ddl.SetNotNull("t", "c"),))
    facts = MemoryFacts({"t": TableSize(50_000, None, False)}, {Nulls("t", "c"): 3})
    judged = plan(wants, operations=(mends, operation(1)))
    assert found(judged, facts)["MF101"].severity == "warning"
    facts = MemoryFacts({"t": TableSize(50_000, None, False)}, {Nulls("t", "c"): 0})
    assert "MF101" not in found(judged, facts)


def test_a_new_column_that_nothing_fills_cannot_be_required() -> None:
    adds = Statement("", 0, (ddl.AddColumn("t", "x", "integer"),))
    wants = Statement("", 1, (ddl.SetNotNull("t", "x"),))
    assert found(plan(adds, wants), sized(50_000))["MF101"].severity == "error"
    filled = Statement("", 0, (ddl.AddColumn("t", "x", "integer", default=Default.CONSTANT),))
    assert "MF101" not in found(plan(filled, wants), sized(50_000))
    update = Statement("", 1, (ddl.Update("t"),))
    assert "MF101" not in found(plan(adds, update, replace(wants, operation=2)), sized(50_000))


def test_questions_about_what_the_plan_makes_are_not_asked() -> None:
    names = Names(SCHEMA).after(
        [ddl.AddColumn("t", "x", "integer"), ddl.RenameColumn("t", "c", "y"), ddl.CreateTable("n")]
    )
    assert names.question(Nulls("t", "x")) is None
    assert names.question(Nulls("n", "c")) is None
    assert names.question(Nulls("t", "y")) == Nulls("t", "c")
    assert names.question(Duplicates("t", ("y", "d"))) == Duplicates("t", ("c", "d"))
    assert names.question(Duplicates("t", ("y",), '"y" > 3')) is None
    assert names.question(Orphans("t", "y", "n", "id")) is None


def test_a_long_transaction_on_a_table_that_is_locked_is_told() -> None:
    waiting = LongTransaction("session 7", 95.0, "idle in transaction", frozenset({"t"}))
    facts = replace_facts(sized(50_000), transactions=(waiting,))
    told = found(plan(REWRITE), facts)["LV101"]
    assert "session 7, whose transaction has been open for 1 min 35 s" in told.message
    other = replace(waiting, tables=frozenset({"elsewhere"}))
    assert "LV101" not in found(plan(REWRITE), replace_facts(facts, transactions=(other,)))


def replace_facts(facts: MemoryFacts, **changes: Any) -> MemoryFacts:
    return replace(facts, **changes)


def test_what_sqlite_does_to_change_a_table_is_one_step() -> None:
    """CREATE new__t, INSERT, DROP t, RENAME: no table of the user's is dropped or renamed."""
    before = Table("t", (Column("id", "integer", False), Column("c", "integer")))
    after = Table("t", (Column("id", "integer", False), Column("c", "integer", False)))
    effect = OperationEffect(0, "x", "AlterField", (TableEffect("t", before, after),))
    statements = (
        Statement('CREATE TABLE "new__t"', 0, (ddl.CreateTable("new__t"),)),
        Statement("INSERT", 0, (ddl.Insert("new__t"),)),
        Statement("DROP", 0, (ddl.DropTable("t"),)),
        Statement("ALTER", 0, (ddl.RenameTable("new__t", "t"),)),
    )
    schema = Schema("sqlite", {"t": before})
    judged = plan(*statements, schema=schema, operations=(Operation(0, "AlterField", "", effect),))
    moments = contexts_of(judged)[0].moments
    assert [type(action) for action in moments[0].actions] == [
        ddl.TableMaintenance,
        ddl.SetNotNull,
    ]
    facts = MemoryFacts({"t": TableSize(10, 1, False)}, {Nulls("t", "c"): 2})
    told = found(judged, facts)
    assert told["MF101"].rows == 2
    assert not {"DS101", "BC101", "BC104"} & set(told)


def test_a_unique_constraint_on_what_is_unique_already_cannot_fail() -> None:
    from migrator.core.schema import Unique

    schema = Schema(
        "postgresql",
        {"t": Table("t", (Column("c", "integer"),), uniques=(Unique("u", ("c",)),))},
    )
    again = Statement("", 0, (ddl.AddConstraint("t", ConstraintKind.UNIQUE, "v", ("c", "d")),))
    assert "MF102" not in found(plan(again, schema=schema), sized(50_000))


# -- switching off --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["LK101", "LK", "LK101:0", "LK:0"])
def test_a_migration_switches_a_finding_off(key: str) -> None:
    told = found(plan(REWRITE, ignored=((key, "at night"),)))
    assert told["LK101"].suppressed == "at night"


@pytest.mark.parametrize("key", ["LK102", "LK101:1", "MF"])
def test_a_suppression_of_something_else_does_not(key: str) -> None:
    told = found(plan(REWRITE, ignored=((key, "at night"),)))
    assert not told["LK101"].suppressed
    assert key in told["SU101"].message


@pytest.mark.parametrize(
    "key",
    ["LK101", "LK", "shop:LK101", "shop:LK", "shop.0002_step:LK101", "shop.0002_step:LK101:0"],
)
def test_the_settings_switch_a_finding_off(key: str) -> None:
    assert found(plan(REWRITE), ignore={key: "at night"})["LK101"].suppressed == "at night"


@pytest.mark.parametrize(
    "key", ["blog:LK101", "shop.0001_initial:LK101", "shop:LK101:1", "LK102", "shop:MF"]
)
def test_settings_for_something_else_do_not(key: str) -> None:
    told = found(plan(REWRITE), ignore={key: "at night"})
    assert not told["LK101"].suppressed
    assert unused_settings({key: "at night"}, told.values()) == (key,)


@pytest.mark.parametrize(
    "raw",
    [
        {"IGNORE": {"LK101": ""}},
        {"IGNORE": {"LK101": "  "}},
        {"IGNORE": {"LK101": None}},
        {"IGNORE": {"LK999": "x"}},
        {"IGNORE": {"QQ": "x"}},
        {"IGNORE": {"shop.0002_next:LK999": "x"}},
        {"IGNORE": {"lk101": "x"}},
        {"IGNORE": {"shop": "x"}},
        {"IGNORE": ["LK101"]},
        {"NOSUCH": 1},
        {"LARGE_ROWS": "many"},
        {"LARGE_ROWS": -1},
        {"TINY_ROWS": True},
    ],
)
def test_settings_that_cannot_be_used_are_refused(raw: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        read_policy(Settings(journal_url="", base_dir=tmp_path, lint=raw))


@pytest.mark.parametrize(
    "told",
    [{"LK101": ""}, {"LK101": None}, {"LK101": 7}, {"LK999": "x"}, {"QQ": "x"}, ["LK101"], "LK101"],
)
def test_a_migrator_ignore_that_cannot_be_used_is_refused(told: Any, tmp_path: Path) -> None:
    migration = type("Migration", (Migration,), {"migrator_ignore": told})("0002_next", "shop")
    judged = plan(REWRITE)
    steps = tuple(replace(step, ignored=ignored_rules(migration)) for step in judged.steps)
    with pytest.raises(ConfigurationError) as caught:
        lint_plan(replace(judged, steps=steps), None, Settings(journal_url="", base_dir=tmp_path))
    assert "migrator_ignore of shop." in str(caught.value)


def test_third_party_migrations_are_left_out_where_wanted() -> None:
    judged = plan(REWRITE, own=False)
    assert "LK101" in found(judged)
    assert found(judged, third_party=False) == {}


# -- the registry -----------------------------------------------------------------------------


def test_every_rule_has_what_people_need() -> None:
    for each in all_rules():
        assert re.fullmatch(r"[A-Z]{2}\d{3}", each.code)
        assert each.title
        assert len(each.help) > 40, each.code
        assert rule_of(each.code) is each


def test_a_code_is_never_given_twice() -> None:
    def again(context: Any) -> Iterator[Finding]:
        """Nothing."""
        yield from ()

    taken = all_rules()[0]
    with pytest.raises(ValueError, match="is taken"):
        rule(taken.code, family=taken.family, title="x")(again)


def test_every_rule_is_documented_and_the_reverse() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    documented = dict(re.findall(r"^### ([A-Z]{2}\d{3}) (.+)$", text, re.MULTILINE))
    assert documented == {each.code: each.title for each in all_rules()}
    for each in all_rules():
        section = text.partition(f"### {each.code} ")[2].partition("\n### ")[0]
        assert "- Severity: " in section, each.code
        assert "- The safe way: " in section, each.code
        assert f"| [{each.code}](" in text


@pytest.mark.parametrize("each", all_rules(), ids=lambda each: each.code)
def test_the_documented_severity_is_that_of_the_rule(each: Rule) -> None:
    """What its function names stands there, and nothing else, unless it goes by size or by a
    function that several rules share.
    """
    section = REFERENCE.read_text(encoding="utf-8").partition(f"### {each.code} ")[2]
    told = re.search(r"- Severity: (.*?)(?=\n- )", section, re.DOTALL)
    assert told is not None
    line, source = told[1].lower(), inspect.getsource(each.find)
    if "size" in line or "largest" in line:
        return
    shared = re.search(r"by_cost|severity|_found\b", source.replace("Severity.", ""))
    for severity, word in (("ERROR", "error"), ("WARNING", "warning"), ("INFO", "note")):
        if f"Severity.{severity}" in source:
            assert word in line
        elif not shared:
            assert word not in line


# -- the renderers --------------------------------------------------------------------------------

FINDING = Finding(
    "LK101",
    Severity.ERROR,
    KEY,
    'A "table", 100% & <more>\nis written anew\x1b[31m',
    alias="default",
    operation=1,
    table="t",
    hint="Do it: at night.",
    alternative="operations = []",
    lock="ACCESS EXCLUSIVE on t",
    file="shop/migrations/0002_step.py",
    line=7,
)
REVIEW = Review(
    judged=(
        Judged("default", "postgresql", MigrationKey("shop", "0001_initial")),
        Judged("default", "postgresql", KEY, FINDING.file),
        Judged("replica", "postgresql", KEY, FINDING.file),
    ),
    findings=(
        FINDING,
        replace(FINDING, alias="replica"),
        replace(FINDING, code="IX101", severity=Severity.WARNING, message="Slow.", suppressed="ok"),
    ),
    unjudged=(Unjudged("broken", "broken does not answer.", "Start it."),),
)


def test_findings_that_databases_share_are_one() -> None:
    shared = share(REVIEW.findings)
    assert [each.aliases for each in shared] == [("default", "replica"), ("default",)]


def test_findings_of_servers_that_lock_otherwise_are_not_shared() -> None:
    other = replace(FINDING, alias="logs", lock="RESERVED on shop_order")
    assert [each.aliases for each in share((FINDING, other))] == [("default",), ("logs",)]


def test_text_groups_by_migration_and_names_the_databases() -> None:
    text = LintTextFormatter().render(REVIEW)
    assert text.count("LK101") == 1
    assert "line 7  default, replica" in text
    assert "switched off  IX101" in text
    assert "reason    ok" in text
    assert "broken: not judged" in text
    assert "\x1b" not in text
    assert text.endswith("2 pending migrations on 2 databases: 2 errors, 1 switched off.\n")
    assert "\x1b[31m" in LintTextFormatter(color=True).render(REVIEW)


def test_json_is_one_document_with_a_finding_for_each_database() -> None:
    document = json.loads(LintJsonFormatter().render(REVIEW))
    assert document["format"] == 1
    assert [each["alias"] for each in document["findings"]] == ["default", "replica", "default"]
    assert document["findings"][0]["operation"] == 1
    assert document["unjudged"][0]["alias"] == "broken"


def test_github_annotations_are_escaped() -> None:
    lines = LintGithubFormatter().render(REVIEW).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(
        "::error file=shop/migrations/0002_step.py,line=7,"
        'title=LK101 Table is written anew under a lock::A "table", 100%25 & <more>'
    )
    assert "%0A" in lines[0]
    assert "IX101" not in "".join(lines)


def test_sarif_has_what_the_schema_requires() -> None:
    document = json.loads(LintSarifFormatter("1.2.3").render(REVIEW))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    rules = driver["rules"]
    assert [each["id"] for each in rules] == [each.code for each in all_rules()]
    for each in rules:
        assert each["shortDescription"]["text"]
        assert each["help"]["text"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note", "none")
        assert result["message"]["text"]
        location = result["locations"][0]["physicalLocation"]
        assert location["artifactLocation"] == {
            "uri": "shop/migrations/0002_step.py",
            "uriBaseId": "%SRCROOT%",
        }
        assert location["region"]["startLine"] == 7
    assert run["results"][1]["suppressions"][0]["justification"] == "ok"
    assert run["invocations"][0]["executionSuccessful"] is False


def test_junit_has_a_case_for_each_migration() -> None:
    root = ElementTree.fromstring(LintJunitFormatter().render(REVIEW))
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "4",
        "failures": "2",
        "errors": "1",
    }
    assert [each.get("name") for each in root.iter("testcase")] == [
        "0001_initial",
        "0002_step",
        "0002_step",
        "lint",
    ]


def test_nothing_to_judge_is_said() -> None:
    assert LintTextFormatter().render(Review()) == "No pending migrations to judge.\n"
    assert not Review().fails(Severity.WARNING)


# -- lines --------------------------------------------------------------------------------------


def test_operations_are_found_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "0001.py"
    file.write_text(
        "\n\nclass Migration:\n    operations = [\n        a(),\n        b(\n        ),\n    ]\n"
    )
    assert positions_in(file).operations == (5, 6)
    assert positions_in(file).line(1) == 6
    assert positions_in(file).line(9) == 3
    file.write_text("class Migration:\n    operations = made()\n")
    assert positions_in(file).line(0) == 1
    file.write_text("class Migration(:\n")
    assert positions_in(file).line(0) == 0
    assert positions_in(tmp_path / "nosuch.py").line(None) == 0
