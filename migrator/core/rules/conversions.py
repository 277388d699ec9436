"""Rules about values that an expression of the migration's own makes anew (DL106).

Django itself writes no more than `USING column::type`, which the other rules of the family are
about; an expression by hand may say anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrator.core import ddl
from migrator.core.costs.postgresql_types import parse_type
from migrator.core.findings import Finding
from migrator.core.live import NotNulls, Question, Replaced
from migrator.core.rules import Family, Moment, StepContext, rule
from migrator.core.rules.destructive import effective, rows_of, severity_of, spell_rows
from migrator.core.spelling import spell_table

_FAMILIES = (
    frozenset({"text", "character varying", "character", "citext"}),
    frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"}),
)


@rule("DL106", family=Family.DATA_LOSS, title="Values replaced by an expression")
def replaces_values(context: StepContext) -> Iterator[Finding]:
    """ALTER COLUMN … TYPE … USING with an expression that does not hand the value on, or MODIFY
    that makes a computed column of one that holds values: what was there is gone.
    """
    for moment, action in effective(context):
        if not isinstance(action, ddl.AlterColumnType):
            continue
        asked = _question(moment, action)
        if asked is None or rows_of(context, moment, action.table) is None:
            continue
        if moment.names.column(action.table, action.column) is None:
            continue
        rows = context.count(moment, asked)
        if rows == 0:
            continue
        by = f"by {action.using}" if action.using else "by what is computed"
        yield context.finding(
            severity_of(context),
            f"Replaces the values of {spell_table(action.table)}.{action.column} {by} in "
            f"{spell_rows(rows)}.",
            at=moment,
            table=action.table,
            column=action.column,
            hint="Add a column beside it, fill it, and drop this one when nobody needs the values. "
            "If it is meant, consent with --allow-destructive.",
            destroys=True,
            rows=rows,
        )


def _question(moment: Moment, action: ddl.AlterColumnType) -> Question | None:
    """What to ask of the rows; None where nothing is made anew."""
    table, column, using = action.table, action.column, action.using
    known = moment.column(table, column)
    if action.generated:
        made = known is None or known.generated is None
        return NotNulls(table, column) if made else None
    if not using or _is_plain(using, column, action.type):
        return None
    if not re.search(rf"(?<![\w']){re.escape(column)}(?![\w'])", using):
        return NotNulls(table, column)
    now = parse_type(known.type) if known is not None else None
    later = parse_type(action.type)
    alike = (
        now is not None
        and now.array == later.array
        and (now.base == later.base or any({now.base, later.base} <= each for each in _FAMILIES))
    )
    return Replaced(table, column, action.type, using, compared=alike)


def _is_plain(using: str, column: str, wanted: str) -> bool:
    """Whether it is the column itself, or its cast to the type that it becomes anyway."""
    name = rf'\(?"?{re.escape(column)}"?\)?'
    found = re.fullmatch(
        rf"{name}(?:::(?P<short>[^:]+))?|CAST\({name} AS (?P<long>[^:]+)\)", using, re.IGNORECASE
    )
    if found is None:
        return False
    cast = found["short"] or found["long"]
    return not cast or parse_type(cast) == parse_type(wanted)
