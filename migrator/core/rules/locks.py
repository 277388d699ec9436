"""Rules about rewrites and long scans under a lock (LK)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from migrator.core import ddl
from migrator.core.ddl import Action, ConstraintKind, Default
from migrator.core.findings import Finding, Severity
from migrator.core.plan import TableLock
from migrator.core.rules import Family, Moment, StepContext, rule
from migrator.core.rules.context import Weight, strongest
from migrator.core.rules.destructive import picked_rows
from migrator.core.rules.safeways import (
    add_column_safely,
    add_constraint_safely,
    add_foreign_key_safely,
    add_unique_safely,
    change_type_safely,
    set_not_null_safely,
)

_WAITING = {"reads and writes": "nobody reads or writes it", "writes": "nobody writes it"}


def blocking(moment: Moment, table: str) -> TableLock | None:
    """The lock on a table that keeps readers or writers waiting; None for none."""
    lock = strongest(moment.statement.cost.locks, table)
    return lock if lock is not None and lock.blocks in _WAITING else None


def _waiting(lock: TableLock) -> str:
    return _WAITING[lock.blocks]


def _retyped(context: StepContext) -> dict[int, tuple[str, ...]]:
    """By operation, the tables that are written anew because a column's type changes, where
    that is more than one: LK107.
    """
    found: dict[int, dict[str, None]] = {}
    for moment in context.moments:
        rewrites = moment.statement.cost.rewrites
        if moment.operation is None or not rewrites:
            continue
        if any(isinstance(action, ddl.AlterColumnType) for action in moment.actions):
            tables = (table for table in rewrites if not moment.names.created(table))
            found.setdefault(moment.operation.index, {}).update(dict.fromkeys(tables))
    return {index: tuple(tables) for index, tables in found.items() if len(tables) > 1}


def _written_together(context: StepContext) -> frozenset[str]:
    """Tables that LK107 tells of: what else their type change costs goes without saying."""
    return frozenset(table for tables in _retyped(context).values() for table in tables)


@rule("LK101", family=Family.LOCKS, title="Table is written anew under a lock")
def table_rewrite(context: StepContext) -> Iterator[Finding]:
    """Every row is written anew, and every index with it, while the table is locked: readers and
    writers queue for as long as that takes.
    """
    together = _retyped(context)
    for moment in context.moments:
        if moment.operation is not None and moment.operation.index in together:
            continue  # LK107
        for table in moment.statement.cost.rewrites:
            severity, lock = context.by_cost(moment, table), blocking(moment, table)
            if severity is None or lock is None:
                continue
            action = _cause(moment, table)
            hint, alternative = _instead_of_rewriting(context, moment, action)
            yield context.finding(
                severity,
                f"{context.sized(moment, table)} is written anew{_why(action)}; "
                f"meanwhile {_waiting(lock)}.",
                at=moment,
                table=table,
                column=getattr(action, "column", ""),
                hint=hint,
                alternative=alternative,
                rows=_rows(context, moment, table),
            )


def _rows(context: StepContext, moment: Moment, table: str) -> int | None:
    size = context.size(moment, table)
    return size.rows if size else None


def _cause(moment: Moment, table: str) -> Action | None:
    """The clause that makes a rewrite necessary."""
    kinds = (ddl.AlterColumnType, ddl.AddColumn, ddl.TableMaintenance)
    for kind in kinds:
        for action in moment.actions:
            if isinstance(action, kind) and getattr(action, "table", "") == table:
                if isinstance(action, ddl.TableMaintenance) and action.what == "remake":
                    continue
                return action
    return next(iter(a for a in moment.actions if getattr(a, "table", "") == table), None)


def _why(action: Action | None) -> str:
    match action:
        case ddl.AlterColumnType(column=column, type=kind):
            return f", since {column} becomes {kind}"
        case ddl.AddColumn(column=column, generated=stored) if stored:
            return f", since {column} is computed for every row"
        case ddl.AddColumn(column=column, serial=True):
            return f", since {column} is numbered for every row"
        case ddl.AddColumn(column=column, default=Default.VOLATILE):
            return f", since the default of {column} is another value for each row"
        case ddl.AddColumn(column=column):
            return f", since {column} is added"
        case ddl.TableMaintenance(what=what) if what != "remake":
            return f" by {what.upper()}"
    return ""


def _instead_of_rewriting(
    context: StepContext, moment: Moment, action: Action | None
) -> tuple[str, str]:
    if isinstance(action, ddl.AlterColumnType):
        return (
            "Add a second column, fill it in batches, then let the code use that one.",
            change_type_safely(context, moment, action),
        )
    if isinstance(action, ddl.AddColumn) and context.vendor != "sqlite":
        return (
            "Add the column empty, fill it in batches, then make it what it is to be.",
            add_column_safely(context, moment, action),
        )
    if context.vendor == "sqlite":
        return "SQLite changes a table only by making it anew: do it when nobody writes.", ""
    return "Do it when nobody needs the table, or with a tool that copies it online.", ""


_SCANNING = frozenset({ConstraintKind.CHECK, ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY})
"""Inline constraints that make the rows be read: LK104, LK106."""


@rule("LK102", family=Family.LOCKS, title="Rows are read under a lock")
def table_scan(context: StepContext) -> Iterator[Finding]:
    """Every row is read while the table is locked against writers or readers."""
    known = (
        ddl.AddConstraint,
        ddl.SetNotNull,
        ddl.ValidateConstraint,
        ddl.CreateIndex,
        ddl.Reindex,
    )
    rewritten = {
        (moment.statement.operation, table)
        for moment in context.moments
        for table in moment.statement.cost.rewrites
    }
    for moment in context.moments:
        cost = moment.statement.cost
        for table in cost.scans:
            severity, lock = context.by_cost(moment, table), blocking(moment, table)
            if severity is None or lock is None:
                continue
            if (moment.statement.operation, table) in rewritten:
                continue  # LK101; SQLite builds the indexes of the new table afterwards
            mine = [each for each in moment.actions if _concerns(each, table, context.vendor)]
            if any(getattr(action, "constraints", frozenset()) & _SCANNING for action in mine):
                continue
            if not mine or any(isinstance(action, known) for action in mine):
                if context.vendor == "postgresql" or not mine:
                    continue  # LK103 to LK106, IX101; or the other table of a foreign key
                if not any(isinstance(each, ddl.CreateIndex | ddl.Reindex) for each in mine):
                    continue
            action = mine[0]
            yield context.finding(
                severity,
                f"All rows of {context.sized(moment, table)} are read; meanwhile {_waiting(lock)}.",
                at=moment,
                table=table,
                column=getattr(action, "column", ""),
                hint="Split it, so that nothing has to be read under the lock, or do it when "
                "nobody needs the table.",
                alternative=add_column_safely(context, moment, action)
                if isinstance(action, ddl.AddColumn) and context.vendor != "sqlite"
                else "",
                rows=_rows(context, moment, table),
            )


def _concerns(action: Action, table: str, vendor: str) -> bool:
    """Whether a clause is about the table. SQLite's REINDEX names the table, one index or none."""
    if isinstance(action, ddl.Reindex) and vendor == "sqlite":
        return True
    return bool(getattr(action, "table", "") == table)


def _scanned(context: StepContext) -> Iterator[tuple[Moment, Action, str, TableLock]]:
    """Clauses that read all rows of their own table under a lock, but do not write it anew."""
    for moment, action in context.actions():
        table = getattr(action, "table", "")
        cost = moment.statement.cost
        if not table or table in cost.rewrites or table not in cost.scans:
            continue
        lock = blocking(moment, table)
        if lock is not None:
            yield moment, action, table, lock


@rule("LK103", family=Family.LOCKS, title="Foreign key is checked while it is added")
def foreign_key_validated(context: StepContext) -> Iterator[Finding]:
    """A foreign key that is added as valid reads all rows, and locks both tables against writers
    meanwhile. NOT VALID takes the same locks for a moment only; VALIDATE CONSTRAINT reads the
    rows under a lock that nobody waits for.
    """
    together = _written_together(context)
    for moment, action, table, lock in _scanned(context):
        if not isinstance(action, ddl.AddConstraint) or action.kind != ConstraintKind.FOREIGN_KEY:
            continue
        severity = context.by_cost(moment, table)
        if severity is None or action.not_valid or table in together:
            continue
        yield context.finding(
            severity,
            f"The foreign key to {action.references} reads all rows of "
            f"{context.sized(moment, table)}; meanwhile nobody writes either table.",
            at=moment,
            table=table,
            column=action.columns[0] if action.columns else "",
            hint="Add it NOT VALID, and validate it in a migration of its own.",
            alternative=add_foreign_key_safely(context, moment, action),
            lock=f"{lock.mode} on {table}",
            rows=_rows(context, moment, table),
        )


@rule("LK104", family=Family.LOCKS, title="Check is validated while it is added")
def check_validated(context: StepContext) -> Iterator[Finding]:
    """A CHECK that is added as valid reads all rows while nobody reads or writes the table."""
    for moment, action, table, lock in _scanned(context):
        inline = isinstance(action, ddl.AddColumn) and ConstraintKind.CHECK in action.constraints
        added = isinstance(action, ddl.AddConstraint) and action.kind == ConstraintKind.CHECK
        severity = context.by_cost(moment, table)
        if severity is None or not (inline or added):
            continue
        yield context.finding(
            severity,
            f"The check reads all rows of {context.sized(moment, table)}; "
            f"meanwhile {_waiting(lock)}.",
            at=moment,
            table=table,
            column=getattr(action, "column", ""),
            hint="Add it NOT VALID, and validate it in a migration of its own.",
            alternative=add_constraint_safely(context, moment, action),
            rows=_rows(context, moment, table),
        )


@rule("LK105", family=Family.LOCKS, title="SET NOT NULL reads the table")
def not_null_scanned(context: StepContext) -> Iterator[Finding]:
    """SET NOT NULL reads all rows while nobody reads or writes the table, unless a valid check
    constraint says already that there is no NULL (PostgreSQL 12 and later).
    """
    for moment, action, table, lock in _scanned(context):
        severity = context.by_cost(moment, table)
        if not isinstance(action, ddl.SetNotNull) or severity is None:
            continue
        yield context.finding(
            severity,
            f"SET NOT NULL on {action.column} reads all rows of "
            f"{context.sized(moment, table)}; meanwhile {_waiting(lock)}.",
            at=moment,
            table=table,
            column=action.column,
            hint="Add a check NOT VALID and validate it first: then the rows are not read again.",
            alternative=set_not_null_safely(context, moment, action),
            rows=_rows(context, moment, table),
        )


@rule("LK106", family=Family.LOCKS, title="Unique constraint is built inside")
def unique_built_inside(context: StepContext) -> Iterator[Finding]:
    """A unique or primary key constraint that is added builds its index while nobody reads or
    writes the table. An index built concurrently before can be taken instead.
    """
    kinds = (ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY, ConstraintKind.EXCLUSION)
    for moment, action, table, lock in _scanned(context):
        inline = isinstance(action, ddl.AddColumn) and action.constraints.intersection(kinds)
        added = isinstance(action, ddl.AddConstraint) and action.kind in kinds
        severity = context.by_cost(moment, table)
        if severity is None or not (inline or added):
            continue
        yield context.finding(
            severity,
            f"The index of a constraint is built on {context.sized(moment, table)}; "
            f"meanwhile {_waiting(lock)}.",
            at=moment,
            table=table,
            column=getattr(action, "column", "") or ", ".join(getattr(action, "columns", ())),
            hint="Build a unique index concurrently, then make a constraint of it.",
            alternative=add_unique_safely(context, moment, action),
            rows=_rows(context, moment, table),
        )


@rule("LK107", family=Family.LOCKS, title="Type change writes referencing tables anew")
def referenced_type_change(context: StepContext) -> Iterator[Finding]:
    """The type of a key is the type of every foreign key to it: AutoField to BigAutoField writes
    the table and all that refer to it anew, all of them locked until the last is done.
    """
    for index, tables in _retyped(context).items():
        operation = next(each for each in context.step.operations if each.index == index)
        moment = next(each for each in context.moments if each.operation is operation)
        weights = [each for t in tables if (each := context.by_cost(moment, t)) is not None]
        if not weights:
            continue
        worst = min(weights, key=(Severity.ERROR, Severity.WARNING, Severity.INFO).index)
        shown = ", ".join(context.sized(moment, table) for table in tables)
        change = next(
            action
            for each in context.moments
            if each.operation is operation
            for action in each.actions
            if isinstance(action, ddl.AlterColumnType)
        )
        yield context.finding(
            worst,
            f"{len(tables)} tables are written anew at once: {shown}; meanwhile nobody reads "
            "or writes any of them.",
            at=operation,
            table=change.table,
            column=change.column,
            hint="Widen the referencing columns first, one migration each, then the key; or add "
            "a second column, fill it in batches, and change over.",
            alternative=change_type_safely(context, moment, change),
            lock=f"ACCESS EXCLUSIVE on {', '.join(tables)}"
            if context.vendor == "postgresql"
            else "",
        )


@rule("LK108", family=Family.LOCKS, title="Several tables locked in one transaction")
def several_tables(context: StepContext) -> Iterator[Finding]:
    """Each lock is held until the transaction ends: whoever uses two of these tables in another
    order waits for us while we wait for them. This tool gives up in time and tries again.
    """
    if context.vendor != "postgresql" or not context.step.atomic:
        return
    held: dict[str, None] = {}
    for moment in context.moments:
        for lock in moment.statement.cost.locks:
            weight = context.weight(moment, lock.table)
            today = moment.names.table(lock.table)
            if lock.blocks == "reads and writes" and weight > Weight.EMPTY and today:
                held[today] = None
    if len(held) > 1:
        yield context.finding(
            Severity.INFO,
            f"{len(held)} tables are locked against readers and writers in one transaction: "
            f"{', '.join(held)}.",
            hint="Give each table a migration of its own, so that no lock waits for another.",
            lock=f"ACCESS EXCLUSIVE on {', '.join(held)}",
        )


@rule("LK109", family=Family.LOCKS, title="Lock is held while something slow runs")
def lock_held(context: StepContext) -> Iterator[Finding]:
    """A cheap ALTER takes its lock until the transaction ends. What is slow and comes after it
    in the same migration makes everybody wait for that table as well.
    """
    if context.vendor != "postgresql" or not context.step.atomic:
        return
    together = _written_together(context)
    held: dict[str, TableLock] = {}
    for moment in context.moments:
        yield from _read_while_held(context, moment, held)
        for action in moment.actions:
            slow = _slow_table(moment, action)
            if slow in together:
                continue
            severity = context.by_cost(moment, slow) if slow else None
            if severity in (None, Severity.INFO) or severity is None:
                continue
            slow_today = moment.names.table(slow) or slow
            others = [lock for table, lock in held.items() if table != slow_today]
            validates = isinstance(action, ddl.ValidateConstraint) and slow_today in held
            if validates or others:
                locks = [held[slow_today]] if validates else others
                tables = ", ".join(lock.table for lock in locks)
                yield context.finding(
                    severity,
                    f"{tables} stays locked while all rows of "
                    f"{context.sized(moment, slow)} are read or written.",
                    at=moment,
                    table=slow,
                    hint="Put what is slow into a migration of its own.",
                    lock=", ".join(f"{lock.mode} on {lock.table}" for lock in locks),
                )
        for lock in moment.statement.cost.locks:
            today = moment.names.table(lock.table)
            if lock.blocks not in _WAITING or not today:
                continue
            if context.weight(moment, lock.table) > Weight.EMPTY:
                known = held.get(today)
                held[today] = strongest((known, lock) if known else (lock,)) or lock


def _read_while_held(
    context: StepContext, moment: Moment, held: Mapping[str, TableLock]
) -> Iterator[Finding]:
    """Queries that read a whole table, after locks of statements before, or of the same text."""
    mine: set[str] = set()
    for action in moment.actions:
        if isinstance(action, ddl.Query):
            locks = {lock.table: lock for lock in held.values()} | {
                lock.table: lock
                for lock in moment.statement.cost.locks
                if lock.table in mine
                and lock.blocks in _WAITING
                and context.weight(moment, lock.table) > Weight.EMPTY
            }
            for table in action.sources if locks else ():
                severity = context.by_cost(moment, table)
                if severity in (None, Severity.INFO) or severity is None:
                    continue
                if _indexed(moment, table, action.columns):
                    continue
                yield context.finding(
                    severity,
                    f"{', '.join(locks)} stays locked while all rows of "
                    f"{context.sized(moment, table)} are read.",
                    at=moment,
                    table=table,
                    hint="Put what is slow into a migration of its own.",
                    lock=", ".join(f"{lock.mode} on {lock.table}" for lock in locks.values()),
                )
        elif not isinstance(action, ddl.Harmless):
            mine.add(str(getattr(action, "table", "")))


def _indexed(moment: Moment, table: str, columns: tuple[str, ...]) -> bool:
    """Whether an index of the table begins with one of these columns."""
    known = moment.table(table)
    if known is None:
        return False
    firsts = [index.columns[:1] for index in known.indexes]
    firsts += [unique.columns[:1] for unique in known.uniques]
    firsts += [known.primary_key.columns[:1]] if known.primary_key else []
    return any(first and first[0] in columns for first in firsts)


def _slow_table(moment: Moment, action: Action) -> str:
    table = getattr(action, "table", "")
    if isinstance(action, ddl.ValidateConstraint):
        return table
    cost = moment.statement.cost
    return table if table in cost.rewrites or table in cost.scans else ""


@rule("LK110", family=Family.LOCKS, title="All rows are changed in one statement")
def unbounded_update(context: StepContext) -> Iterator[Finding]:
    """One UPDATE or DELETE of all rows locks every row until it ends, and leaves as many dead
    ones behind. In batches nobody waits for long.
    """
    for moment, action in context.actions():
        if not isinstance(action, ddl.Update | ddl.Delete):
            continue
        if action.batched and not context.step.atomic:
            continue  # each part is committed
        severity = context.by_cost(moment, action.table)
        if severity in (None, Severity.INFO) or severity is None:
            continue
        rows = picked_rows(context, moment, action) if action.filtered else None
        if action.filtered and (rows is None or rows < context.policy.tiny_rows):
            continue
        which = f"{rows:,}" if rows else "All"
        yield context.finding(
            severity,
            f"{which} rows of {context.sized(moment, action.table)} are changed in one "
            f"{'transaction' if action.batched else 'statement'}, and stay locked until "
            f"{'it' if action.batched else 'the transaction'} ends.",
            at=moment,
            table=action.table,
            hint="Do it in batches, in a migration with atomic = False.",
            alternative=_BATCHES,
            rows=rows or _rows(context, moment, action.table),
        )


_BATCHES = """\
from django.db import migrations


def in_batches(apps, schema_editor):
    model = apps.get_model("app", "Model")
    rows = model.objects.using(schema_editor.connection.alias).order_by("pk")
    last = None
    while keys := list(
        (rows if last is None else rows.filter(pk__gt=last)).values_list("pk", flat=True)[:5000]
    ):
        rows.filter(pk__in=keys).update()  # what is to be set
        last = keys[-1]


atomic = False
operations = [
    migrations.RunPython(in_batches, migrations.RunPython.noop),
]
"""
