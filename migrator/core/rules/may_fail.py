"""Rules about what fails on the rows that are there (MF).

The live database is asked: rows that are in the way make an error with their number, none make
nothing. Without an answer it is a warning. Rows that an earlier step of the plan may change
are counted as they are today, which is a warning, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator.core import ddl
from migrator.core.ddl import ConstraintKind, Default
from migrator.core.findings import Finding, Severity
from migrator.core.live import (
    COUNT_LIMIT,
    Duplicates,
    Nulls,
    Orphans,
    Question,
    Violates,
)
from migrator.core.rules import Family, Moment, StepContext, rule
from migrator.core.rules.context import Weight
from migrator.core.rules.safeways import add_column_safely

FIRST = "Mend those rows first, in a migration of its own"


def judge(
    context: StepContext, moment: Moment, table: str, question: Question | None
) -> tuple[Severity | None, int | None]:
    """How bad it is, and how many rows are in the way."""
    if context.weight(moment, table) == Weight.NONE and not moment.names.rows_moved(table):
        return None, None
    if context.weight(moment, table) == Weight.NONE:
        return None, None  # filled by the plan itself: nothing of today
    found = context.count(moment, question) if question is not None else None
    if found == 0:
        return None, 0
    if found is None:
        empty = context.weight(moment, table) == Weight.EMPTY
        return (None if empty and not moment.names.rows_moved(table) else Severity.WARNING), None
    return (Severity.WARNING if moment.names.rows_moved(table) else Severity.ERROR), found


def spell_rows(found: int | None, several: str, one: str, maybe: str = "") -> str:
    """ "12 rows hold NULL", "1 row holds NULL", or "Rows may hold NULL" where nobody could count.

    Args:
        found: How many.
        several, one: What they do.
        maybe: What they may do; by default as for several.
    """
    if found is None:
        return f"Rows may {maybe or several}"
    if found == 1:
        return f"1 row {one}"
    return f"{found:,}{' or more' if found >= COUNT_LIMIT else ''} rows {several}"


def so_far(moment: Moment, table: str) -> str:
    moved = moment.names.rows_moved(table)
    return " An earlier step may change that; today's rows were counted." if moved else ""


def _nulls_filled(context: StepContext, moment: Moment, table: str) -> bool:
    """Whether Django itself fills the NULLs in the same operation, right before."""
    operation = moment.operation
    if operation is None:
        return False
    return operation.fills_rows or any(
        isinstance(action, ddl.Update) and action.table == table
        for each, action in context.actions()
        if each.operation is operation and operation.kind == "AlterField"
    )


@rule("MF101", family=Family.MAY_FAIL, title="NOT NULL where there are NULLs")
def not_null_with_nulls(context: StepContext) -> Iterator[Finding]:
    """NULLs in the column make NOT NULL fail. A Python default on the field makes Django fill
    them; a migration before it can do so in batches.
    """
    for moment, action in context.actions():
        match action:
            case ddl.SetNotNull(table, column):
                pass
            case ddl.AlterColumnType(table=table, column=column, not_null=True):
                known = moment.column(table, column)
                if known is not None and not known.nullable:
                    continue
            case _:
                continue
        if _nulls_filled(context, moment, table):
            continue
        if _added_here(moment, table, column):
            severity, found = _of_new_column(context, moment, table)
        else:
            severity, found = judge(context, moment, table, Nulls(table, column))
        if severity is None:
            continue
        yield context.finding(
            severity,
            f"{spell_rows(found, 'hold NULL', 'holds NULL')} in {table}.{column}: NOT NULL fails."
            + so_far(moment, table),
            at=moment,
            table=table,
            column=column,
            hint=f"{FIRST}, or give the field a default.",
            alternative=fill_nulls(context, moment, table, column),
            rows=found,
        )


def _added_here(moment: Moment, table: str, column: str) -> bool:
    """Whether this plan adds the column to a table that is there, maybe in this statement."""
    if moment.names.created(table):
        return False
    return moment.names.column(table, column) is None or any(
        isinstance(action, ddl.AddColumn) and (action.table, action.column) == (table, column)
        for action in moment.actions
    )


def _of_new_column(
    context: StepContext, moment: Moment, table: str
) -> tuple[Severity | None, int | None]:
    """A column that this plan has added holds NULL in every row, unless something filled it."""
    weight = context.weight(moment, table)
    if weight <= Weight.EMPTY or moment.names.rows_moved(table):
        return None, None
    size = context.size(moment, table)
    filled = any(
        isinstance(action, ddl.AddColumn)
        and action.table == table
        and (action.default is not Default.NONE or action.generated or action.serial)
        for each in (*context.earlier, context)
        for _, action in each.actions()
    )
    if filled:
        return None, None
    rows = size.rows if size else None
    return (Severity.WARNING if rows is None else Severity.ERROR), rows


def fill_nulls(context: StepContext, moment: Moment, table: str, column: str) -> str:
    """A data migration that fills the NULLs of a field, in batches."""
    operation = context.origin(moment, table, (column,))
    if operation is None or not operation.model or not operation.field:
        return ""
    return _FILL.format(
        app=operation.app, model=operation.model, field=operation.field, app_key=operation.app
    )


_FILL = """\
from django.db import migrations


def fill(apps, schema_editor):
    model = apps.get_model({app!r}, {model!r})
    rows = model.objects.using(schema_editor.connection.alias).filter({field}__isnull=True)
    while keys := list(rows.values_list("pk", flat=True)[:5000]):
        rows.filter(pk__in=keys).update({field}=...)  # the value that they are to have


atomic = False
operations = [
    migrations.RunPython(fill, migrations.RunPython.noop),
]
"""


@rule("MF102", family=Family.MAY_FAIL, title="Unique where there are duplicates")
def unique_with_duplicates(context: StepContext) -> Iterator[Finding]:
    """Rows that are equal in those columns make a unique constraint or index fail. Built
    CONCURRENTLY, it leaves an INVALID index behind that slows down every write.
    """
    for moment, action in context.actions():
        match action:
            case ddl.AddConstraint(table=table, columns=columns, using_index="") if action.kind in (
                ConstraintKind.UNIQUE,
                ConstraintKind.PRIMARY_KEY,
            ):
                condition = ""
            case ddl.CreateIndex(table=table, columns=columns, unique=True, condition=condition):
                pass
            case ddl.AddColumn() if action.constraints & {
                ConstraintKind.UNIQUE,
                ConstraintKind.PRIMARY_KEY,
            }:
                yield from _unique_column(context, moment, action)
                continue
            case _:
                continue
        simple = columns and all(columns)
        question: Question | None = Duplicates(table, tuple(columns), condition) if simple else None
        written = getattr(action, "expressions", ())
        if written and all(written) and not action.nulls_equal:
            question = Duplicates(table, (), condition, written)
        if simple and action.nulls_equal and question is not None:
            # NULLS NOT DISTINCT: rows without a value are in each other's way as well.
            nulls = [context.count(moment, Nulls(table, column)) for column in columns]
            if None in nulls or (any(nulls) and len(nulls) > 1):
                question = None
            elif (nulls[0] or 0) > 1:
                question = Nulls(table, columns[0])
        if len(columns) == 1 and _added_here(moment, table, columns[0]):
            if _constant_everywhere(context, table, columns[0]):
                yield from _unique_default(context, moment, table, columns[0])
            elif moment.names.rows_moved(table):
                yield from _unique_unknown(context, moment, table, columns)
            continue
        if simple and not condition and _is_unique(moment, table, tuple(columns)):
            continue
        severity, found = judge(context, moment, table, question)
        if severity is None:
            continue
        shown = ", ".join(filter(None, columns)) or "an expression"
        groups = "There may be" if found is None else f"There are {found:,}"
        yield context.finding(
            severity,
            f"{groups} duplicates in {table} ({shown}): a unique index on it fails."
            + so_far(moment, table),
            at=context.origin(moment, table, columns) or moment,
            table=table,
            column=shown,
            hint=f"{FIRST}. To find them: {duplicates_sql(table, columns)}"
            if simple
            else f"{FIRST}.",
            rows=found,
        )


def _is_unique(moment: Moment, table: str, columns: tuple[str, ...]) -> bool:
    """Whether the columns, or some of them, are unique already, under today's names."""
    today = moment.names.table(table)
    live = moment.names.schema.tables.get(today) if today else None
    if live is None:
        return False
    named = {moment.names.column(table, column) for column in columns}
    known = [unique.columns for unique in live.uniques]
    known += [live.primary_key.columns] if live.primary_key else []
    known += [
        index.columns
        for index in live.indexes
        if index.unique and index.valid and not index.condition and all(index.columns)
    ]
    return any(set(each) <= named for each in known)


def duplicates_sql(table: str, columns: tuple[str, ...]) -> str:
    """A query that shows duplicates."""
    named = ", ".join(columns)
    return f"SELECT {named}, count(*) FROM {table} GROUP BY {named} HAVING count(*) > 1"


def _constant_everywhere(context: StepContext, table: str, column: str) -> bool:
    """Whether the plan has added a column with one value for all rows, and none but it."""
    return any(
        isinstance(action, ddl.AddColumn)
        and (action.table, action.column) == (table, column)
        and (action.default is Default.CONSTANT or _filled_by_django(moment))
        for each in (*context.earlier, context)
        for moment, action in each.actions()
    )


def _unique_column(
    context: StepContext, moment: Moment, action: ddl.AddColumn
) -> Iterator[Finding]:
    if action.default is Default.CONSTANT:
        yield from _unique_default(context, moment, action.table, action.column)


def _unique_default(
    context: StepContext, moment: Moment, table: str, column: str
) -> Iterator[Finding]:
    size = context.size(moment, table)
    if context.weight(moment, table) <= Weight.EMPTY or (size and size.rows == 1):
        return
    rows = size.rows if size else None
    add = next(
        (a for _, a in context.actions() if isinstance(a, ddl.AddColumn) and a.column == column),
        None,
    )
    yield context.finding(
        Severity.WARNING if rows is None else Severity.ERROR,
        f"Every row of {table} gets the same {column}, which is to be unique: that fails as soon "
        "as there are two.",
        at=moment,
        table=table,
        column=column,
        hint="Add it as NULL, fill it with a value for each row, then make it unique.",
        alternative=add_column_safely(context, moment, add) if add else "",
        rows=rows,
    )


def _unique_unknown(
    context: StepContext, moment: Moment, table: str, columns: tuple[str, ...]
) -> Iterator[Finding]:
    if context.weight(moment, table) > Weight.EMPTY:
        yield context.finding(
            Severity.INFO,
            f"Whether {table} ({', '.join(columns)}) is unique depends on what fills it earlier "
            "in this plan.",
            at=moment,
            table=table,
            column=", ".join(columns),
        )


@rule("MF103", family=Family.MAY_FAIL, title="Foreign key where there are orphans")
def foreign_key_with_orphans(context: StepContext) -> Iterator[Finding]:
    """Rows that point to nothing make a foreign key fail, or its validation later."""
    for moment, action in context.actions():
        if not (
            isinstance(action, ddl.AddConstraint)
            and action.kind is ConstraintKind.FOREIGN_KEY
            and action.references
        ):
            continue
        if context.vendor == "sqlite" and moment.remake and not action.columns:
            continue
        table = action.table
        one = len(action.columns) == 1 and len(action.referenced_columns) == 1
        if one and _added_here(moment, table, action.columns[0]):
            if not _constant_everywhere(context, table, action.columns[0]):
                continue
            severity, found = _of_filled_column(context, moment, table)
        else:
            question = (
                Orphans(table, action.columns[0], action.references, action.referenced_columns[0])
                if one
                else None
            )
            severity, found = judge(context, moment, table, question)
        if severity is None:
            continue
        fails = "its validation fails later" if action.not_valid else "the foreign key fails"
        yield context.finding(
            severity,
            f"{spell_rows(found, 'point to nothing', 'points to nothing')} in {action.references} "
            f"({table}.{', '.join(action.columns)}): {fails}." + so_far(moment, table),
            at=context.origin(moment, table, action.columns) or moment,
            table=table,
            column=", ".join(action.columns),
            hint=f"{FIRST}: delete them, or let them point to something.",
            rows=found,
        )


def _of_filled_column(
    context: StepContext, moment: Moment, table: str
) -> tuple[Severity | None, int | None]:
    """A column that the plan adds with one value for every row: whether that points to nothing
    is not asked.
    """
    empty = context.weight(moment, table) <= Weight.EMPTY
    return (None if empty else Severity.WARNING), None


@rule("MF104", family=Family.MAY_FAIL, title="Check that rows violate")
def check_violated(context: StepContext) -> Iterator[Finding]:
    """Rows for which the condition is false make a CHECK fail, or its validation later."""
    for moment, action in context.actions():
        if isinstance(action, ddl.ValidateConstraint):
            yield from _validated(context, moment, action)
        if not isinstance(action, ddl.AddConstraint):
            continue
        if action.kind not in (ConstraintKind.CHECK, ConstraintKind.EXCLUSION):
            continue
        written = action.expression if action.kind is ConstraintKind.CHECK else ""
        question = Violates(action.table, written) if written else None
        if written and any(_added_here(moment, action.table, name) for name in action.columns):
            question = None
        severity, found = judge(context, moment, action.table, question)
        if severity is None:
            continue
        fails = "its validation fails later" if action.not_valid else "it fails"
        what = "check" if action.kind is ConstraintKind.CHECK else "constraint"
        named = f"the {what} {action.name}" if action.name else f"a {what}"
        rows = spell_rows(found, f"violate {named}", f"violates {named}")
        yield context.finding(
            severity,
            f"{rows} of {action.table}: {fails}." + so_far(moment, action.table),
            at=moment,
            table=action.table,
            column=", ".join(action.columns),
            hint=f"{FIRST}."
            + (
                f" To find them: SELECT * FROM {action.table} WHERE NOT ({written})"
                if written
                else ""
            ),
            rows=found,
        )


def _validated(
    context: StepContext, moment: Moment, action: ddl.ValidateConstraint
) -> Iterator[Finding]:
    """What was added NOT VALID by an earlier release; of this plan's own it has been said there."""
    today = moment.names.table(action.table)
    live = moment.names.schema.tables.get(today) if today else None
    if live is None:
        return
    questions: list[Question] = [
        Violates(action.table, check.expression)
        for check in live.checks
        if check.name == action.name and not check.valid
    ]
    questions += [
        Orphans(action.table, key.columns[0], key.to_table, key.to_columns[0])
        for key in live.foreign_keys
        if key.name == action.name and not key.valid and len(key.columns) == 1
    ]
    for question in questions:
        severity, found = judge(context, moment, action.table, question)
        if severity is None:
            continue
        rows = spell_rows(found, "violate", "violates")
        yield context.finding(
            severity,
            f"{rows} {action.name} of {action.table}: its validation fails."
            + so_far(moment, action.table),
            at=moment,
            table=action.table,
            hint=f"{FIRST}.",
            rows=found,
        )


@rule("MF108", family=Family.MAY_FAIL, title="NOT NULL column without a value for the rows")
def not_null_column_without_default(context: StepContext) -> Iterator[Finding]:
    """A NOT NULL column that is added without any default fails as soon as there is one row.

    MySQL and MariaDB put an empty value into every row instead.
    """
    if context.vendor == "mysql":
        return
    for moment, action in context.actions():
        if not isinstance(action, ddl.AddColumn) or not action.not_null:
            continue
        if action.default is not Default.NONE or action.generated or action.serial:
            continue
        if context.vendor == "sqlite" and moment.remake and _filled_by_django(moment):
            continue
        weight = context.weight(moment, action.table)
        if weight <= Weight.EMPTY:
            continue
        size = context.size(moment, action.table)
        rows = size.rows if size else None
        yield context.finding(
            Severity.WARNING if weight is Weight.UNKNOWN else Severity.ERROR,
            f"{context.sized(moment, action.table)} gets the NOT NULL column {action.column} "
            "without a default: that fails as soon as there is a row.",
            at=moment,
            table=action.table,
            column=action.column,
            hint="Give it a db_default, or add it as NULL, fill it, then make it NOT NULL.",
            alternative=add_column_safely(context, moment, action),
            rows=rows,
        )


def _filled_by_django(moment: Moment) -> bool:
    return moment.operation is not None and moment.operation.fills_rows
