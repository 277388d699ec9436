"""Rules about what the database refuses from now on, and the running code still writes (BC)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrator.core import ddl
from migrator.core.ddl import ConstraintKind
from migrator.core.findings import Finding, Severity
from migrator.core.live import Violates
from migrator.core.rules import Family, StepContext, rule
from migrator.core.rules.destructive import spell_rows
from migrator.core.spelling import spell_table

_RAISES = re.compile(
    r"\braise\s+exception\b|\braise\s+(?:sqlstate\b|')|\bsignal\s+sqlstate\b"
    r"|\braise\s*\(\s*(?:abort|fail|rollback)\b",
    re.IGNORECASE,
)
_CALLS = re.compile(r"\bexecute\s+(?:function|procedure)\s+(?:[\w\"]+\.)?\"?(\w+)", re.IGNORECASE)


@rule(
    "BC112", family=Family.COMPATIBILITY, title="Trigger that refuses what the running code writes"
)
def trigger_refuses(context: StepContext) -> Iterator[Finding]:
    """A trigger that raises an error makes statements of the running code fail that worked until
    then: tables to which rows are only added, ranges that must not overlap.
    """
    told = [each.statement.sql for step in (*context.earlier, context) for each in step.moments]
    for moment, action in context.actions():
        if not isinstance(action, ddl.TableMaintenance) or action.what != "create trigger":
            continue
        if moment.names.created(action.table):
            continue
        text = moment.statement.sql
        called = {name.lower() for name in _CALLS.findall(text)}
        bodies = [sql for sql in told if any(_makes(sql, name) for name in called)]
        if not any(_RAISES.search(sql) for sql in (text, *bodies)):
            continue
        yield context.finding(
            Severity.WARNING,
            f"A trigger on {spell_table(action.table)} raises errors: what the running code "
            "writes may be refused.",
            at=moment,
            table=action.table,
            hint="Deploy code that no longer writes what it refuses, first.",
        )


def _makes(sql: str, routine: str) -> bool:
    made = rf"\bfunction\s+(?:[\w\"]+\.)?\"?{re.escape(routine)}\b"
    return re.search(made, sql, re.IGNORECASE) is not None


@rule("BC114", family=Family.COMPATIBILITY, title="Check that rows of the running code violate")
def check_refuses(context: StepContext) -> Iterator[Finding]:
    """A check NOT VALID is held against every row that is written from now on. Where rows violate
    it, the running code has written such rows: its INSERTs and UPDATEs of them fail.
    """
    for moment, action in context.actions():
        if not isinstance(action, ddl.AddConstraint) or action.kind is not ConstraintKind.CHECK:
            continue
        if not action.not_valid or not action.expression or moment.names.created(action.table):
            continue
        rows = context.count(moment, Violates(action.table, action.expression))
        if rows:
            yield context.finding(
                Severity.WARNING,
                f"The running code has written {spell_rows(rows)} of {spell_table(action.table)} "
                f"that {action.name or 'a check'} refuses from now on.",
                at=moment,
                table=action.table,
                column=", ".join(action.columns),
                hint="Deploy code that no longer writes such rows, first.",
                rows=rows,
            )


@rule("BC113", family=Family.COMPATIBILITY, title="Foreign key becomes unique")
def foreign_key_unique(context: StepContext) -> Iterator[Finding]:
    """The running code takes a foreign key for one that many rows may share: ForeignKey to
    OneToOneField. Its second row for the same target is refused.
    """
    for moment, action in context.actions():
        match action:
            case ddl.AddConstraint(kind=ConstraintKind.UNIQUE, table=table, columns=(column,)):
                pass
            case ddl.CreateIndex(unique=True, table=table, columns=(column,), condition=""):
                pass
            case _:
                continue
        today, name = moment.names.table(table), moment.names.column(table, column)
        live = moment.names.schema.tables.get(today) if today else None
        if live is None or name is None:
            continue
        unique = {each.columns for each in live.uniques}
        unique |= {each.columns for each in live.indexes if each.unique and not each.condition}
        unique |= {live.primary_key.columns} if live.primary_key else set()
        if any(key.columns == (name,) for key in live.foreign_keys) and (name,) not in unique:
            yield context.finding(
                Severity.WARNING,
                f"{spell_table(table)}.{column} becomes unique: the running code may write a "
                "second row for the same target, and fails.",
                at=moment,
                table=table,
                column=column,
                hint="Deploy code that writes one row for each target at most, first.",
            )
