"""A plan as the moments that rules look at: each statement with what is true right before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby

from migrator.core import ddl
from migrator.core.ddl import Action, ConstraintKind, Default
from migrator.core.effects import MigrationKey
from migrator.core.live import Facts
from migrator.core.plan import Cost, Operation, Plan, Statement, Step, TableLock
from migrator.core.rules.context import Moment, Policy, StepContext
from migrator.core.rules.names import Names
from migrator.core.schema import Column, Table

REMAKE = "remake"
_NEW = "new__"


@dataclass(frozen=True, slots=True)
class Sources:
    """The source of a plan's operations, as far as Django's writer can spell it.

    Attributes:
        codes: Of operations, by migration and index.
        fields: Of the field that a RenameField speaks of.
    """

    codes: Mapping[MigrationKey, Mapping[int, str]] = field(default_factory=dict)
    fields: Mapping[MigrationKey, Mapping[int, str]] = field(default_factory=dict)


def contexts_of(
    plan: Plan,
    facts: Facts | None = None,
    policy: Policy | None = None,
    sources: Sources | None = None,
) -> tuple[StepContext, ...]:
    """One context for each step.

    Args:
        plan: What would be done.
        facts: The live database; None without one.
        policy: What counts as large.
        sources: The source of the operations, for alternatives as code.
    """
    sources = sources or Sources()
    names = Names(plan.schema)
    found: list[StepContext] = []
    for step in plan.steps:
        moments = []
        for statement, operation, actions in _parts(step):
            planned = _planned(operation)
            moments.append(Moment(statement, operation, actions, names, planned))
            told = actions or _unshown(operation)
            names = names.after(told, moves_rows=_moves(operation))
        found.append(
            StepContext(
                plan,
                step,
                tuple(moments),
                facts,
                policy or Policy(),
                tuple(found),
                sources.codes.get(step.migration, {}),
                sources.fields.get(step.migration, {}),
            )
        )
    return tuple(found)


def _moves(operation: Operation | None) -> bool:
    """Whether code that nobody can read may change rows."""
    return operation is not None and operation.moves_rows and not operation.shown


def _unshown(operation: Operation | None) -> tuple[Action, ...]:
    """What state says of an operation whose SQL cannot be shown."""
    if operation is None or operation.shown:
        return ()
    gone = [each.key for each in operation.effect.tables if each.after is None]
    made = [each.key for each in operation.effect.tables if each.before is None]
    found: list[Action]
    if len(gone) == len(made):
        pairs = zip(gone, made, strict=True)
        found = [ddl.RenameTable(old, new) for old, new in pairs]
    else:
        found = [*map(ddl.DropTable, gone), *map(ddl.CreateTable, made)]
    for each in operation.effect.tables:
        if each.before and each.after:
            found.extend(differing(each.key, each.before, each.after))
    return tuple(found)


def _planned(operation: Operation | None) -> tuple[tuple[str, Table], ...]:
    if operation is None:
        return ()
    return tuple((effect.key, effect.before) for effect in operation.effect.tables if effect.before)


def _parts(step: Step) -> Iterator[tuple[Statement, Operation | None, tuple[Action, ...]]]:
    """Statements in order; operations without one stand where they would run."""
    by_index = {operation.index: operation for operation in step.operations}
    waiting = list(step.operations)
    for index, group in groupby(step.statements, key=lambda statement: statement.operation):
        while waiting and (index is None or waiting[0].index <= index):
            silent = waiting.pop(0)
            if silent.index != index:
                yield from _silent(silent)
        operation = by_index.get(index) if index is not None else None
        yield from _of_operation(tuple(group), operation)
        if operation is not None:  # Python beside SQL, in a SeparateDatabaseAndState
            yield from ((seen, operation, seen.actions) for seen in operation.seen)
    for silent in waiting:
        yield from _silent(silent)


def _silent(
    operation: Operation,
) -> Iterator[tuple[Statement, Operation | None, tuple[Action, ...]]]:
    """An operation without SQL: what its source is seen to do, if anything."""
    for seen in operation.seen or (Statement("", operation.index),):
        yield seen, operation, seen.actions


def _of_operation(
    statements: tuple[Statement, ...], operation: Operation | None
) -> Iterator[tuple[Statement, Operation | None, tuple[Action, ...]]]:
    """As they are, but what SQLite does to make a table anew as one."""
    at = 0
    while at < len(statements):
        end, table = _remake(statements, at, operation)
        moved = () if end else _moved(statements, at, operation)
        if moved:
            yield _merged(statements[at : at + 3]), operation, moved
            at += 3
        elif end:
            made = statements[at:end]
            yield _merged(made), operation, _outcome(table, operation, made[0].sql)
            at = end
        else:
            yield statements[at], operation, statements[at].actions
            at += 1


def _remake(
    statements: tuple[Statement, ...], at: int, operation: Operation | None
) -> tuple[int, str]:
    """Where a remake that begins here ends (0: none begins), and its table.

    `DatabaseSchemaEditor._remake_table`, django/db/backends/sqlite3/schema.py: CREATE TABLE
    "new__x", INSERT INTO "new__x" SELECT … FROM "x", DROP TABLE "x", ALTER TABLE … RENAME TO "x".
    The same written by hand may leave columns out, and is judged statement by statement.
    """
    first = statements[at].actions[0] if statements[at].actions else None
    if not (isinstance(first, ddl.CreateTable) and first.table.startswith(_NEW)):
        return 0, ""
    for end in range(at + 1, len(statements)):
        for action in statements[end].actions:
            if isinstance(action, ddl.RenameTable) and action.table == first.table:
                own = operation is None or operation.kind != "RunSQL"
                return (end + 1, action.new) if own else (0, "")
    return 0, ""


def _moved(
    statements: tuple[Statement, ...], at: int, operation: Operation | None
) -> tuple[Action, ...]:
    """The renaming that three statements come to; nothing when they do not.

    `_alter_many_to_many` of SQLite (django/db/backends/sqlite3/schema.py), when a model with a
    ManyToManyField is renamed: CREATE TABLE "new", INSERT INTO "new" SELECT … FROM "old",
    DROP TABLE "old".
    """
    three = statements[at : at + 3]
    if len(three) < 3 or not all(each.actions for each in three):
        return ()
    match [each.actions[0] for each in three]:
        case [ddl.CreateTable(new), ddl.Insert(into, sources=(old,)), ddl.DropTable(gone)] if (
            new == into and old == gone and (operation is None or operation.kind != "RunSQL")
        ):
            tables = {each.key: each for each in operation.effect.tables} if operation else {}
            before = tables[old].before if old in tables else None
            after = tables[new].after if new in tables else None
            columns = differing(new, before, after) if before and after else ()
            renamed = (each for each in columns if isinstance(each, ddl.RenameColumn))
            return (ddl.RenameTable(old, new), *renamed)
    return ()


def _merged(statements: tuple[Statement, ...]) -> Statement:
    temporary = {
        action.table
        for statement in statements
        for action in statement.actions
        if isinstance(action, ddl.CreateTable)
    }
    costs = [statement.cost for statement in statements]

    def real(tables: Iterator[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(table for table in tables if table not in temporary))

    locks: dict[str, TableLock] = {}
    for cost in costs:
        for lock in cost.locks:
            if lock.table not in temporary:
                locks.setdefault(lock.table, lock)
    return Statement(
        sql="; ".join(statement.sql for statement in statements),
        operation=statements[0].operation,
        actions=tuple(action for statement in statements for action in statement.actions),
        cost=Cost(
            locks=tuple(locks.values()),
            rewrites=real(table for cost in costs for table in cost.rewrites),
            scans=real(table for cost in costs for table in cost.scans),
            source=next((cost.source for cost in costs if cost.source), ""),
        ),
    )


def _outcome(table: str, operation: Operation | None, sql: str) -> tuple[Action, ...]:
    """What a remake comes to, clause by clause, from the state before and after.

    State knows a check by its name and columns; what it says stands in the CREATE TABLE.
    """
    found: list[Action] = [ddl.TableMaintenance(table, REMAKE)]
    if operation is not None:
        for effect in operation.effect.tables:
            if effect.key == table and effect.before and effect.after:
                found.extend(differing(table, effect.before, effect.after))
    return tuple(
        replace(action, expression=_check_in(sql, action.name, action.columns))
        if isinstance(action, ddl.AddConstraint)
        and action.kind is ConstraintKind.CHECK
        and not action.expression
        else action
        for action in found
    )


def _check_in(sql: str, name: str, columns: tuple[str, ...]) -> str:
    """What a check of a CREATE TABLE says: the one of that name, or else on that column."""
    where = sql.find(f'CONSTRAINT "{name}" CHECK (') if name else -1
    if where < 0 and len(columns) == 1:
        where = sql.find(f'CHECK ("{columns[0]}" ')
    start = sql.find("(", where)
    if where < 0 or start < 0:
        return ""
    depth, quote = 0, ""
    for at in range(start, len(sql)):
        character = sql[at]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0:
                return sql[start + 1 : at]
    return ""


def differing(table: str, before: Table, after: Table) -> Iterator[Action]:
    """The clauses that would lead from one table to the other.

    Args:
        table: Key of it.
        before, after: As state has it.
    """
    gone = [column for column in before.columns if after.column(column.name) is None]
    new = [column for column in after.columns if before.column(column.name) is None]
    if len(gone) == len(new) == 1:
        yield ddl.RenameColumn(table, gone[0].name, new[0].name)
        yield from _altered(table, gone[0], new[0])
    else:
        for column in gone:
            yield ddl.DropColumn(table, column.name)
        for column in new:
            default = Default.NONE if column.default is None else Default.CONSTANT
            yield ddl.AddColumn(
                table, column.name, column.type, not_null=not column.nullable, default=default
            )
    for column in before.columns:
        if later := after.column(column.name):
            yield from _altered(table, column, later)
    for unique in after.uniques:
        if unique.columns not in {each.columns for each in before.uniques}:
            yield ddl.AddConstraint(table, ConstraintKind.UNIQUE, unique.name, unique.columns)
    for key in after.foreign_keys:
        if key.columns not in {each.columns for each in before.foreign_keys}:
            yield ddl.AddConstraint(
                table,
                ConstraintKind.FOREIGN_KEY,
                key.name,
                key.columns,
                references=key.to_table,
                referenced_columns=key.to_columns,
            )
    for check in after.checks:
        if (check.name, check.columns, check.expression) not in {
            (each.name, each.columns, each.expression) for each in before.checks
        }:
            yield ddl.AddConstraint(
                table,
                ConstraintKind.CHECK,
                check.name,
                check.columns,
                expression=check.expression,
            )


def _altered(table: str, before: Column, after: Column) -> Iterator[Action]:
    if before.type != after.type or before.collation != after.collation:
        yield ddl.AlterColumnType(table, after.name, after.type, collation=after.collation)
    if before.nullable and not after.nullable:
        yield ddl.SetNotNull(table, after.name)
    if after.nullable and not before.nullable:
        yield ddl.DropNotNull(table, after.name)
    if before.default is not None and after.default is None:
        yield ddl.DropDefault(table, after.name)
