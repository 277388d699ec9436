"""Rules about how a migration is put together (IR, MX, NA, UA)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from migrator.core import ddl
from migrator.core.findings import Finding, Severity
from migrator.core.plan import Operation
from migrator.core.rules import Family, Moment, StepContext, rule
from migrator.core.rules import alternatives as code
from migrator.core.rules.context import Weight
from migrator.core.spelling import spell_count

_SCHEMA = (
    ddl.CreateTable,
    ddl.DropTable,
    ddl.RenameTable,
    ddl.AddColumn,
    ddl.DropColumn,
    ddl.RenameColumn,
    ddl.AlterColumnType,
    ddl.SetNotNull,
    ddl.DropNotNull,
    ddl.SetDefault,
    ddl.DropDefault,
    ddl.AddConstraint,
    ddl.DropConstraint,
    ddl.CreateIndex,
    ddl.DropIndex,
    ddl.TableMaintenance,
)
_DATA = (ddl.Update, ddl.Insert, ddl.Delete, ddl.Truncate)


def _runs_code(operation: Operation) -> bool:
    """Whether it is Python that changes rows on this database, other than it is seen to."""
    code = operation.kind == "RunPython" and operation.moves_rows and operation.effect.unknown
    return code and not operation.seen_whole


# -- irreversible ---------------------------------------------------------------------------


@rule("IR101", family=Family.IRREVERSIBLE, title="RunPython without a way back")
def code_irreversible(context: StepContext) -> Iterator[Finding]:
    """Without reverse_code the migration cannot be rolled back, nor any before it."""
    for operation in context.step.operations:
        if operation.kind == "RunPython" and not operation.reversible:
            source = context.code(operation)
            call = code.parsed(source) if source else None
            alternative = ""
            if call is not None and call.args:
                function = ast.unparse(call.args[0])
                alternative = code.together(
                    code.migration(f"migrations.RunPython({function}, migrations.RunPython.noop)")
                )
            yield context.finding(
                Severity.WARNING,
                "RunPython has no way back: neither this migration nor one before it can be "
                "rolled back.",
                at=operation,
                hint="Give it reverse_code; migrations.RunPython.noop where nothing has to be "
                "done.",
                alternative=alternative,
            )


@rule("IR102", family=Family.IRREVERSIBLE, title="RunSQL without a way back")
def sql_irreversible(context: StepContext) -> Iterator[Finding]:
    """Without reverse_sql the migration cannot be rolled back, nor any before it."""
    for operation in context.step.operations:
        if operation.kind in ("RunSQL", "SeparateDatabaseAndState") and not operation.reversible:
            yield context.finding(
                Severity.WARNING,
                f"{operation.kind} has no way back: neither this migration nor one before it can "
                "be rolled back.",
                at=operation,
                hint="Give it reverse_sql; migrations.RunSQL.noop where nothing has to be done.",
                alternative=_with_reverse(context, operation),
            )


def _with_reverse(context: StepContext, operation: Operation) -> str:
    call = code.parsed(context.code(operation)) if context.code(operation) else None
    if call is None or operation.kind != "RunSQL":
        return ""
    noop = ast.parse("migrations.RunSQL.noop", mode="eval").body
    call.keywords = [each for each in call.keywords if each.arg != "reverse_sql"]
    call.keywords.append(ast.keyword("reverse_sql", noop))
    return code.together(code.migration(ast.unparse(call)))


@rule("IR103", family=Family.IRREVERSIBLE, title="Operation without a way back")
def other_irreversible(context: StepContext) -> Iterator[Finding]:
    """An operation that says of itself that it cannot be taken back."""
    known = ("RunPython", "RunSQL", "SeparateDatabaseAndState")
    for operation in context.step.operations:
        if operation.kind not in known and not operation.reversible:
            yield context.finding(
                Severity.WARNING,
                f"{operation.kind} cannot be taken back: neither this migration nor one before "
                "it can be rolled back.",
                at=operation,
                hint="Let the operation have database_backwards, and reversible = True.",
            )


# -- schema and data mixed --------------------------------------------------------------------


@rule("MX101", family=Family.MIXED, title="Schema and data change in one transaction")
def schema_and_data(context: StepContext) -> Iterator[Finding]:
    """The locks of the schema change are held until the data is moved; and a failure in the data
    takes the schema change back.
    """
    if not context.step.atomic or context.vendor == "mysql":
        return
    weights = {
        table: context.weight(moment, table)
        for moment, action in context.actions()
        if isinstance(action, _SCHEMA) and (table := getattr(action, "table", ""))
    }
    changed = [table for table, weight in weights.items() if weight > Weight.EMPTY]
    movers = [operation for operation in context.step.operations if _runs_code(operation)]
    written = [
        (moment.operation, max(context.weight(moment, table) for table in _tables_of(action)))
        for moment, action in context.actions()
        if isinstance(action, _DATA)
        and moment.operation is not None
        and moment.operation.kind in ("RunPython", "RunSQL", "SeparateDatabaseAndState")
    ]
    # What code writes is not known; what SQL does to a few rows takes no time.
    short = not movers and all(weight <= Weight.TINY for _, weight in written)
    movers += [operation for operation, weight in written if weight > Weight.EMPTY]
    if not changed or not movers:
        return
    tables = ", ".join(dict.fromkeys(changed))
    yield context.finding(
        Severity.INFO if short else Severity.WARNING,
        f"{tables} stays locked until {movers[0].kind} has moved its data.",
        at=movers[0],
        table=changed[0],
        hint="Change the schema in one migration and move the data in another.",
        alternative=_alone(context, movers[0]),
    )


def _tables_of(action: ddl.Action) -> tuple[str, ...]:
    return getattr(action, "tables", None) or (getattr(action, "table", ""),)


def _alone(context: StepContext, operation: Operation) -> str:
    source = context.code(operation).strip().rstrip(",")
    if not source:
        return ""
    return code.together(code.migration(source, note="a migration of its own, after this one"))


@rule("MX102", family=Family.MIXED, title="ALTER after rows were written in the same transaction")
def pending_trigger_events(context: StepContext) -> Iterator[Finding]:
    """Django's foreign keys are checked when the transaction ends. A table whose rows wait for
    that cannot be altered: "cannot ALTER TABLE because it has pending trigger events".
    """
    if context.vendor != "postgresql" or not context.step.atomic:
        return
    writer: Operation | None = None
    written: dict[str, Operation | None] = {}
    told: set[str] = set()
    for moment, action in context.actions_and_silent():
        if moment.operation is not None and _runs_code(moment.operation):
            writer = moment.operation
        if isinstance(action, _DATA) and not isinstance(action, ddl.Truncate):
            if moment.operation is not None and moment.operation.fills_rows:
                continue  # Django's own UPDATE sets one column, which is no foreign key by then
            written[getattr(action, "table", "")] = moment.operation
        if not isinstance(action, _SCHEMA) or isinstance(action, ddl.CreateIndex):
            continue
        table = getattr(action, "table", "")
        if not table or table in told or not _has_deferred(moment, table):
            continue
        if table in written or writer is not None:
            told.add(table)
            certain = table in written
            mover = written.get(table, writer)
            code_does = mover is not None and mover.kind == "RunPython"
            who = "RunPython" if code_does else "SQL"
            yield context.finding(
                Severity.WARNING,
                f"{table} is altered after {who} {'has' if certain else 'may have'} written its "
                "rows in the same transaction: with deferred foreign keys that fails "
                "(pending trigger events).",
                at=moment,
                table=table,
                hint="Change the schema in one migration and move the data in another.",
                alternative=_alone(context, mover) if mover is not None else "",
            )


def _has_deferred(moment: Moment, table: str) -> bool:
    """Whether rows of the table take part in foreign keys that are checked at the end."""
    known = moment.table(table)
    if known is not None and any(key.initially_deferred for key in known.foreign_keys):
        return True
    return any(
        key.to_table == table and key.initially_deferred
        for other in moment.names.schema.tables.values()
        for key in other.foreign_keys
    )


# -- non-atomic ---------------------------------------------------------------------------------


@rule("NA101", family=Family.NON_ATOMIC, title="Non-atomic with several operations")
def several_operations(context: StepContext) -> Iterator[Finding]:
    """When one of them fails, those before it have happened, and the migration is not recorded:
    Django's own migrate then fails on the first. (This tool goes on where it was.)
    """
    if context.step.atomic:
        return
    doing = {
        moment.operation.index
        for moment in context.moments
        if moment.operation is not None
        and (moment.statement.sql or not moment.operation.shown)
        and not all(isinstance(each, ddl.Harmless) for each in moment.actions or (None,))
    }
    doing |= {each.index for each in context.step.operations if _runs_code(each)}
    if len(doing) > 1:
        yield context.finding(
            Severity.WARNING,
            f"{spell_count(len(doing), 'operation')} in a migration with atomic = False: when one "
            "fails, those before it stay.",
            hint="Give each a migration of its own.",
        )


@rule("NA102", family=Family.NON_ATOMIC, title="Cannot run inside a transaction")
def not_in_transaction(context: StepContext) -> Iterator[Finding]:
    """VACUUM and CREATE DATABASE refuse to run inside a transaction, and each migration is one
    unless it says atomic = False.
    """
    if context.vendor != "postgresql" or not context.step.atomic:
        return
    for moment, action in context.actions():
        what = getattr(action, "what", "")
        refuses = isinstance(action, ddl.TableMaintenance) and what.startswith("vacuum")
        refuses = refuses or (isinstance(action, ddl.Harmless) and what in _REFUSING)
        if refuses:
            yield context.finding(
                Severity.ERROR,
                f"{what.upper()} fails inside a transaction, which its migration is.",
                at=moment,
                table=getattr(action, "table", ""),
                hint="Give it a migration of its own with atomic = False.",
            )


_REFUSING = frozenset(
    {
        *("vacuum", "createdb", "dropdb", "create database", "drop database"),
        *("alter system", "create tablespace", "drop tablespace", "create table space"),
    }
)

# -- unanalysable -------------------------------------------------------------------------------


@rule("UA101", family=Family.UNANALYSABLE, title="SQL that cannot be judged")
def opaque_sql(context: StepContext) -> Iterator[Finding]:
    """A DO block, a call of a function of one's own, or what does not parse: it may do anything."""
    for moment, action in context.actions():
        if isinstance(action, ddl.Opaque):
            shown = " ".join(action.text.split())
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            yield context.finding(
                Severity.WARNING,
                f"What this does cannot be told: {shown}",
                at=moment,
                hint="Write plain statements, or look at it and say so in migrator_ignore.",
            )


@rule("UA102", family=Family.UNANALYSABLE, title="Operation that is not Django's own")
def foreign_operation(context: StepContext) -> Iterator[Finding]:
    """Its SQL is judged as far as it can be shown; it may do more."""
    for operation in context.step.operations:
        if not operation.own and operation.effect.unknown:
            yield context.finding(
                Severity.INFO,
                f"{operation.kind} is not Django's own: it may do more than its SQL shows.",
                at=operation,
            )


@rule("UA103", family=Family.UNANALYSABLE, title="SQL that cannot be shown")
def unshown_sql(context: StepContext) -> Iterator[Finding]:
    """The SQL of an operation cannot be told before it is due, so it is not judged."""
    for operation in context.step.operations:
        reason = context.step.unshown_because(operation.index)
        code = operation.kind == "RunPython" or operation.seen_whole
        if reason and not code and reason != "it is code":
            yield context.finding(
                Severity.WARNING,
                f"The SQL of {operation.kind} cannot be told: {reason}.",
                at=operation,
            )


@rule("UA104", family=Family.UNANALYSABLE, title="Python that is not judged")
def code_unjudged(context: StepContext) -> Iterator[Finding]:
    """RunPython may do anything; nobody is asked about it. Code that only uses models leaves the
    schema alone; that which has a cursor, SQL, a management command, or that cannot be read, may
    not.
    """
    for operation in context.step.operations:
        if _runs_code(operation):
            may_alter = operation.effect.opaque_tables is None
            yield context.finding(
                Severity.WARNING if may_alter else Severity.INFO,
                "RunPython is not judged: it may change the schema, too, and any row."
                if may_alter
                else "RunPython is not judged: it may change or delete any row.",
                at=operation,
                hint="Let it use models alone; put SQL into a RunSQL, where it can be judged."
                if may_alter
                else "",
            )
