"""Rules about indexes (IX)."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.core import ddl
from migrator.core.findings import Finding, Severity
from migrator.core.rules import Family, Moment, StepContext, rule
from migrator.core.rules.context import Weight
from migrator.core.rules.locks import blocking
from migrator.core.rules.safeways import (
    add_index_safely,
    concurrent_sql,
    drop_index_safely,
    in_migration_of_its_own,
)


@rule("IX101", family=Family.INDEXES, title="Index is built without CONCURRENTLY")
def index_not_concurrent(context: StepContext) -> Iterator[Finding]:
    """CREATE INDEX reads the whole table, and nobody writes it meanwhile. CONCURRENTLY takes
    longer and lets them.
    """
    if context.vendor != "postgresql":
        return
    for moment, action in context.actions():
        if not isinstance(action, ddl.CreateIndex) or action.concurrently or action.only:
            continue
        severity = context.by_cost(moment, action.table)
        if severity is None or blocking(moment, action.table) is None:
            continue
        size = context.size(moment, action.table)
        name = f" {action.name}" if action.name else ""
        yield context.finding(
            severity,
            f"The index{name} is built on {context.sized(moment, action.table)}; meanwhile "
            "nobody writes it.",
            at=context.origin(moment, action.table, action.columns) or moment,
            table=action.table,
            column=", ".join(filter(None, action.columns)),
            hint="Build it CONCURRENTLY, in a migration of its own with atomic = False.",
            alternative=add_index_safely(context, moment, action),
            lock=f"SHARE on {action.table}",
            rows=size.rows if size else None,
        )


@rule("IX102", family=Family.INDEXES, title="Index is dropped without CONCURRENTLY")
def index_dropped(context: StepContext) -> Iterator[Finding]:
    """DROP INDEX locks the table against readers and writers, for a moment once it has the lock.
    CONCURRENTLY waits for older transactions without keeping anybody else waiting.
    """
    if context.vendor != "postgresql":
        return
    for moment, action in context.actions():
        if not isinstance(action, ddl.DropIndex) or action.concurrently:
            continue
        table = action.table or _table_of(moment, action.name)
        if table and context.weight(moment, table) <= Weight.EMPTY:
            continue
        if table and any(
            isinstance(each, ddl.DropTable | ddl.DropColumn) and each.table == table
            for each in moment.actions
        ):
            continue
        yield context.finding(
            Severity.INFO,
            f"The index {action.name} is dropped; for that moment nobody reads or writes "
            f"{table or 'its table'}.",
            at=moment,
            table=table,
            hint="Drop it CONCURRENTLY, in a migration of its own with atomic = False.",
            alternative=drop_index_safely(context, moment, action),
        )


def _table_of(moment: Moment, index: str) -> str:
    for key, table in moment.names.schema.tables.items():
        if any(each.name == index for each in table.indexes):
            return next((new for new, old in moment.names.tables.items() if old == key), key)
    return ""


@rule("IX103", family=Family.INDEXES, title="CONCURRENTLY inside a transaction")
def concurrent_in_transaction(context: StepContext) -> Iterator[Finding]:
    """CREATE, DROP and REINDEX … CONCURRENTLY refuse to run inside a transaction, and each
    migration is one unless it says atomic = False. A string of several statements is one, too.
    """
    if context.vendor != "postgresql":
        return
    for moment, action in context.actions():
        if not getattr(action, "concurrently", False):
            continue
        alone = sum(not isinstance(each, ddl.Harmless) for each in moment.actions) == 1
        if not context.step.atomic and alone:
            continue
        why = (
            "which its migration is"
            if context.step.atomic
            else "which several statements in one string are"
        )
        yield context.finding(
            Severity.ERROR,
            f"{_wanted(action)} CONCURRENTLY fails inside a transaction, {why}.",
            at=moment,
            table=getattr(action, "table", ""),
            hint="Give it a migration of its own with atomic = False.",
            alternative=in_migration_of_its_own(context, moment),
        )
    if context.step.atomic:
        for operation in context.step.operations:
            silent = not any(context.step.statements_of(operation.index))
            if operation.kind in _CONCURRENT and silent and operation.effect.tables:
                yield context.finding(
                    Severity.ERROR,
                    f"{operation.kind} fails inside a transaction, which its migration is.",
                    at=operation,
                    table=operation.effect.tables[0].key,
                    hint="Give it a migration of its own with atomic = False.",
                    alternative=in_migration_of_its_own(
                        context, next(m for m in context.moments if m.operation is operation)
                    ),
                )


_CONCURRENT = ("AddIndexConcurrently", "RemoveIndexConcurrently")


def _wanted(action: ddl.Action) -> str:
    match action:
        case ddl.CreateIndex():
            return "CREATE INDEX"
        case ddl.DropIndex():
            return "DROP INDEX"
        case ddl.Reindex():
            return "REINDEX"
    return "This statement"


@rule("IX104", family=Family.INDEXES, title="IF NOT EXISTS may find an INVALID index")
def concurrent_if_not_exists(context: StepContext) -> Iterator[Finding]:
    """CREATE INDEX CONCURRENTLY leaves an INVALID index behind when it fails. IF NOT EXISTS then
    finds it and succeeds: the index is never used, and a unique one guards nothing.
    """
    for moment, action in context.actions():
        if (
            isinstance(action, ddl.CreateIndex)
            and action.concurrently
            and action.if_not_exists
            and context.weight(moment, action.table) > Weight.NONE
        ):
            known = moment.table(action.table)
            invalid = known is not None and any(
                index.name == action.name and not index.valid for index in known.indexes
            )
            is_there = "An INVALID index of that name is there" if invalid else "If it failed once"
            yield context.finding(
                Severity.ERROR if invalid else Severity.WARNING,
                f"{is_there}: IF NOT EXISTS then succeeds without building {action.name}.",
                at=moment,
                table=action.table,
                column=", ".join(filter(None, action.columns)),
                hint="Drop what a failed attempt may have left, then build it.",
                alternative=concurrent_sql(moment, action),
            )


@rule("IX105", family=Family.INDEXES, title="REINDEX without CONCURRENTLY")
def reindex_not_concurrent(context: StepContext) -> Iterator[Finding]:
    """REINDEX keeps writers waiting while it reads the table; CONCURRENTLY does not."""
    if context.vendor != "postgresql":
        return
    for moment, action in context.actions():
        if isinstance(action, ddl.Reindex) and not action.concurrently:
            table = action.table or _table_of(moment, action.name)
            severity = context.by_cost(moment, table) if table else Severity.WARNING
            if severity is not None:
                name = action.name or action.table
                yield context.finding(
                    severity,
                    f"REINDEX of {name} reads {table or 'its tables'}; meanwhile nobody writes.",
                    at=moment,
                    table=table,
                    hint="REINDEX … CONCURRENTLY, in a migration of its own with atomic = False.",
                )
