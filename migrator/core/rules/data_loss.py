"""Rules about silent data loss (DL): changes of type that alter values and say nothing.

Measured on PostgreSQL and MariaDB: what the server refuses (a text too long for a new varchar
without USING, an integer out of range) is no silent loss; the rules MF are about it. SQLite keeps
any value in any column, but for texts that look like a number in a column of numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from migrator.core import ddl
from migrator.core.costs.postgresql_types import Type, parse_type
from migrator.core.findings import Finding, Severity
from migrator.core.live import (
    Changed,
    NotNulls,
    Others,
    OutOfRange,
    Overwritten,
    Question,
    Rounded,
    TimeOfDay,
    TooLong,
    Uncastable,
    Violates,
)
from migrator.core.rules import Family, Moment, StepContext, rule
from migrator.core.rules.destructive import effective, rows_of, severity_of, spell_rows, values_of
from migrator.core.spelling import spell_table

_TEXTS = frozenset(
    {
        "text",
        "character varying",
        "character",
        "citext",
        "tinytext",
        "mediumtext",
        "longtext",
        "enum",
    }
)
_SIZED = frozenset({"character varying", "character"})
_INTEGERS = {
    "tinyint": 8,
    "smallint": 16,
    "mediumint": 24,
    "integer": 32,
    "bigint": 64,
}
_FLOATS = frozenset({"real", "double precision", "double", "float"})
_SINGLE = {"postgresql": "real", "mysql": "float"}
"""Single precision; MySQL's REAL is double."""

_SIGNS = re.compile(r"\b(?:un)?signed\b|\bzerofill\b", re.IGNORECASE)
_INSTANTS = frozenset({"timestamp with time zone", "timestamp without time zone", "datetime"})
_TIMES = _INSTANTS | {"time with time zone", "time without time zone"}


@dataclass(frozen=True, slots=True)
class _Change:
    """A column that becomes another type."""

    moment: Moment
    action: ddl.AlterColumnType
    before: Type | None
    after: Type

    @property
    def what(self) -> str:
        return f"{spell_table(self.action.table)}.{self.action.column}"


def _changes(context: StepContext) -> Iterator[_Change]:
    """Changes of type on tables that hold something."""
    for moment, action in effective(context):
        if not isinstance(action, ddl.AlterColumnType) or not action.type:
            continue
        if moment.names.column(action.table, action.column) is None:
            continue
        if rows_of(context, moment, action.table) is None:
            continue
        column = moment.column(action.table, action.column)
        before = _typed(column.type) if column is not None else None
        after = _typed(action.type)
        if context.vendor == "sqlite" and not _becomes_number(before, after):
            continue
        yield _Change(moment, action, before, after)


def _becomes_number(before: Type | None, after: Type) -> bool:
    """All that SQLite does: a column of whole numbers makes 7 of "007"."""
    return before is not None and before.base in _TEXTS and after.base in _INTEGERS


def _typed(text: str) -> Type:
    """MySQL's words for signs are no part of the type here."""
    return parse_type(_SIGNS.sub("", text))


def _found(
    context: StepContext, change: _Change, question: Question, does: str, hint: str
) -> Iterator[Finding]:
    """A finding, if rows answer to the question, or nobody can tell."""
    rows = context.count(change.moment, question)
    if rows == 0:
        return
    if rows is None and context.count(change.moment, _uncastable(change)):
        return  # the server refuses: nothing is lost silently
    yield context.finding(
        severity_of(context),
        f"Changes {change.what} to {change.action.type}, which {does} in {spell_rows(rows)}.",
        at=change.moment,
        table=change.action.table,
        column=change.action.column,
        hint=f"{hint} If it is meant, consent with --allow-destructive.",
        destroys=True,
        rows=rows,
    )


def _uncastable(change: _Change) -> Question:
    return Uncastable(change.action.table, change.action.column, change.action.type)


@rule("DL101", family=Family.DATA_LOSS, title="Text cut off")
def cuts_text(context: StepContext) -> Iterator[Finding]:
    """A text becomes shorter than values that are there, and the server cuts them off.

    PostgreSQL does so where the change has a USING, which Django writes for TextField to
    CharField; MySQL and MariaDB do so without a strict SQL mode. CharField to a shorter CharField
    raises on PostgreSQL instead.
    """
    for change in _changes(context):
        limit = _length(change.after)
        if limit is None or change.after.array or not _cuts(context, change):
            continue
        if change.before is not None:
            own = _length(change.before)
            if change.before.base not in _TEXTS or (own is not None and own <= limit):
                continue
        yield from _found(
            context,
            change,
            TooLong(change.action.table, change.action.column, limit),
            f"cuts texts off after {limit} character{'' if limit == 1 else 's'}",
            "Shorten the values in a data migration of its own, where each can be looked at, "
            "or leave the column as long as it is.",
        )


def _cuts(context: StepContext, change: _Change) -> bool:
    if context.vendor == "postgresql":
        return bool(change.action.using)
    return context.facts is not None and context.facts.shortens()


def _length(kind: Type) -> int | None:
    if kind.base in _SIZED and kind.arguments and kind.arguments[0].isdigit():
        return int(kind.arguments[0])
    return None


@rule("DL102", family=Family.DATA_LOSS, title="Numbers rounded")
def rounds_numbers(context: StepContext) -> Iterator[Finding]:
    """Fewer digits after the point than values have: DecimalField with fewer decimal_places,
    FloatField or DecimalField to IntegerField. Every server rounds and says nothing.
    """
    for change in _changes(context):
        scale = _new_scale(change)
        if scale is None:
            continue
        digits = f"{scale} digit{'' if scale == 1 else 's'} after the point"
        yield from _found(
            context,
            change,
            Rounded(change.action.table, change.action.column, scale),
            "rounds numbers" + (f" to {digits}" if scale else " to whole ones"),
            "Keep the digits, or store the number in smaller units first (cents, say).",
        )


def _new_scale(change: _Change) -> int | None:
    """To how many digits after the point values are rounded; None where nothing is."""
    after, before = change.after, change.before
    if after.array or (before is not None and before.array):
        return None
    if after.base in _INTEGERS:
        scale = 0
    elif after.base == "numeric" and len(after.arguments) == 2:
        scale = int(after.arguments[1]) if after.arguments[1].lstrip("-").isdigit() else 0
    else:
        return None
    if before is None:
        return None
    if before.base in _FLOATS:
        return scale
    if before.base in _TEXTS:  # as text, '1.239' becomes 1.24; an integer takes no such text
        return scale if after.base == "numeric" else None
    if before.base != "numeric":
        return None
    if len(before.arguments) < 2 or not before.arguments[1].isdigit():
        return scale  # a numeric without a limit
    return scale if scale < int(before.arguments[1]) else None


@rule("DL103", family=Family.DATA_LOSS, title="Date or time of day dropped")
def drops_time(context: StepContext) -> Iterator[Finding]:
    """A moment becomes a date, and its time of day is gone; or a time, and its date is gone."""
    for change in _changes(context):
        if change.before is None or change.before.base not in _INSTANTS:
            continue
        table, column = change.action.table, change.action.column
        if change.after.base == "date":
            yield from _found(
                context,
                change,
                TimeOfDay(table, column),
                "drops the time of day",
                "Add a DateField beside it and fill it from the moment.",
            )
        elif change.after.base.startswith("time ") or change.after.base == "time":
            yield from _found(
                context,
                change,
                NotNulls(table, column),
                "drops the date",
                "Add a TimeField beside it and fill it from the moment.",
            )


@rule("DL104", family=Family.DATA_LOSS, title="Values changed by a cast")
def changes_values(context: StepContext) -> Iterator[Finding]:
    """A type that holds less: a number of double precision that becomes single, a large integer
    that becomes a float, fractions of seconds, texts such as "007" that become numbers, numbers
    that become booleans, elements of arrays that are cut off.
    """
    for change in _changes(context):
        clipped = _clipped(context, change)
        does = "clips numbers that are out of range" if clipped else _narrows(context, change)
        if not does:
            continue
        table, column, wanted = change.action.table, change.action.column, change.action.type
        question: Question = Changed(table, column, wanted)
        if clipped is not None:
            question = OutOfRange(table, column, *clipped)
        yield from _found(
            context,
            change,
            question,
            does,
            "Add a column of the new type beside it and fill it with what is meant.",
        )


def _narrows(context: StepContext, change: _Change) -> str:
    """What a cast does to values, for a message; "" for nothing."""
    after, before = change.after, change.before
    if before is None:
        return ""
    if before.array and after.array:
        shorter = _length(after) is not None and (_length(before) or 0) != _length(after)
        return "changes elements of arrays" if shorter or before.base != after.base else ""
    if before.array or after.array:
        return ""
    single = _SINGLE.get(context.vendor)
    if after.base == single and before.base in {*_FLOATS, "integer"} - {single}:
        return "loses digits"
    if before.base in ("bigint", "numeric") and after.base in _FLOATS:
        return "loses digits"
    if before.base in _TEXTS and after.base in _INTEGERS:
        return 'loses leading zeros and the like ("007" becomes 7)'
    if (before.base, after.base, context.vendor) == ("integer", "boolean", "postgresql"):
        return "makes one value of many"
    if (
        before.base in _TIMES
        and after.base in _TIMES
        and _precision(context, after) < _precision(context, before)
    ):
        return "drops fractions of seconds"
    return ""


def _clipped(context: StepContext, change: _Change) -> tuple[int, int] | None:
    """Between what a server without a strict mode makes numbers fit; None where all fit, or
    where the server refuses those that do not.
    """
    if context.facts is None or not context.facts.shortens():
        return None
    known = change.moment.column(change.action.table, change.action.column)
    now = _range(change.before, known.type) if change.before and known else None
    later = _range(change.after, change.action.type)
    if now is None or later is None or (later[0] <= now[0] and now[1] <= later[1]):
        return None
    return later


def _range(kind: Type, text: str) -> tuple[int, int] | None:
    """The whole numbers that a type holds; None for what is no number of fixed size."""
    unsigned = "unsigned" in text.lower()
    if kind.base in _INTEGERS:
        bits = _INTEGERS[kind.base]
        return (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if kind.base == "numeric" and all(each.isdigit() for each in kind.arguments):
        digits, scale = (*map(int, kind.arguments), 10, 0)[:2] if kind.arguments else (10, 0)
        top = 10 ** (digits - scale) - 1
        return (0 if unsigned else -top, top)
    return None


def _precision(context: StepContext, kind: Type) -> int:
    """Digits of a second that a type keeps: PostgreSQL has six by default, MySQL none."""
    if kind.arguments and kind.arguments[0].isdigit():
        return int(kind.arguments[0])
    return 6 if context.vendor == "postgresql" else 0


@rule("DL105", family=Family.DATA_LOSS, title="Values overwritten in every row")
def values_overwritten(context: StepContext) -> Iterator[Finding]:
    """An UPDATE without a condition, of a column that holds values: those of before are gone,
    whatever reverse_sql says. Only filling NULLs (COALESCE) overwrites nothing.

    A value that is computed from the old one, and a column that holds the same in every row, are
    worth a look and no more: nobody is asked about them. What would not change is not told of.
    """
    for moment, action in _updates(context):
        if action.filtered or action.doubtful:
            continue
        for column, value, computed in action.changes:
            holds, rows = values_of(context, moment, action.table, column)
            if not holds:
                continue
            changed = _changed(context, moment, action, column, value)
            if changed == 0:
                continue
            where = f"{spell_table(action.table)}.{column}"
            rows = rows if changed is None else changed
            loses = False
            if computed:
                told = f"Computes {where} anew in every row, {spell_rows(rows)} with a value."
                hint = "Make sure that it may be done twice, or cannot be: a way back has to know "
                hint += "the old values."
            elif _alike(context, moment, action.table, column, rows):
                told = f"Overwrites {where} in every row; all {spell_rows(rows)} hold the same."
                hint = "Make sure that it is the default of a column that nobody has filled yet."
            else:
                loses = True
                told = (
                    f"Overwrites {where} in every row: the values of {spell_rows(rows)} are gone."
                )
                hint = (
                    "Say which rows are meant with WHERE, or write into a new column and keep the "
                    "old one for a release. If it is meant, consent with --allow-destructive."
                )
            yield context.finding(
                severity_of(context) if loses else Severity.WARNING,
                told,
                at=moment,
                table=action.table,
                column=column,
                hint=hint,
                destroys=loses,
                rows=rows,
            )


def _changed(
    context: StepContext, moment: Moment, action: ddl.Update, column: str, value: str
) -> int | None:
    """In how many rows an UPDATE makes something else of what a column holds; None when unknown."""
    if not value:
        return None
    return context.count(moment, Overwritten(action.table, column, value, action.condition))


def _alike(context: StepContext, moment: Moment, table: str, column: str, rows: int | None) -> bool:
    """Whether every row holds the same, and that is no value that somebody chose: one row alone
    counts where it holds no text.
    """
    if context.count(moment, Others(table, column)) != 0:
        return False
    name = _quoted(column, context.vendor)
    return rows != 1 or context.count(moment, Violates(table, f"{name} = ''")) == 0


@rule("DL107", family=Family.DATA_LOSS, title="Values overwritten in some rows")
def some_values_overwritten(context: StepContext) -> Iterator[Finding]:
    """An UPDATE with a condition, of a column that holds values in the rows for which it is true.
    They are counted; where there are none, nothing is said. Rows that only code knows, and rows
    that nobody could count, are told of without a number.
    """
    for moment, action in _updates(context):
        if not (action.filtered or action.doubtful):
            continue
        for column, value, _ in action.changes:
            holds, _ = values_of(context, moment, action.table, column)
            rows = _overwritten(context, moment, action, column, value) if holds else 0
            if rows == 0 or (rows is None and context.facts is None):
                continue
            where = f"{spell_table(action.table)}.{column}"
            yield context.finding(
                Severity.WARNING,
                f"May overwrite values of {where}; in which rows, nobody could count."
                if rows is None
                else f"{'May overwrite' if action.doubtful else 'Overwrites'} {where} in "
                f"{spell_rows(rows)}.",
                at=moment,
                table=action.table,
                column=column,
                hint="Make sure that nobody needs the old values: a way back has to know them.",
                rows=rows,
            )


def _updates(context: StepContext) -> Iterator[tuple[Moment, ddl.Update]]:
    for moment, action in context.actions():
        # AlterField's own fills NULLs.
        own = moment.operation is None or moment.operation.kind == "AlterField"
        if isinstance(action, ddl.Update) and not own:
            yield moment, action


def _quoted(name: str, vendor: str) -> str:
    mark = "`" if vendor == "mysql" else '"'
    return mark + name.replace(mark, 2 * mark) + mark


def _overwritten(
    context: StepContext, moment: Moment, action: ddl.Update, column: str, value: str
) -> int | None:
    """How many rows that are picked hold something else in a column; None when unknown."""
    if not action.condition:
        return None
    changed = _changed(context, moment, action, column, value)
    if changed is not None:
        return changed
    told = f"({action.condition}) AND {_quoted(column, context.vendor)} IS NOT NULL"
    return context.count(moment, Violates(action.table, f"({told}) IS NOT TRUE"))
