"""Rules about what breaks the code that is still running (BC).

While a deploy goes on, the code of the release before works on the new schema.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from migrator.core import ddl
from migrator.core.ddl import Default
from migrator.core.findings import Finding, Severity
from migrator.core.live import Nulls
from migrator.core.plan import Operation
from migrator.core.rules import Family, Moment, StepContext, rule
from migrator.core.rules import alternatives as code
from migrator.core.rules.context import Weight
from migrator.core.rules.safeways import change_type_safely
from migrator.core.rules.types import family_of, narrows


def _used(moment: Moment, table: str) -> bool:
    """Whether code that runs today can know the table."""
    return not moment.names.created(table)


def _severity(context: StepContext, moment: Moment, table: str) -> Severity:
    """An empty table may be one that nobody uses yet."""
    empty = context.weight(moment, table) is Weight.EMPTY
    return Severity.WARNING if empty else Severity.ERROR


@rule("BC101", family=Family.COMPATIBILITY, title="Table is renamed")
def table_renamed(context: StepContext) -> Iterator[Finding]:
    """The code that is still running asks for the old name until it is replaced."""
    for moment, action in context.actions():
        if not isinstance(action, ddl.RenameTable) or not _used(moment, action.table):
            continue
        if _view_takes_its_place(context, action.table):
            continue
        yield context.finding(
            _severity(context, moment, action.table),
            f"The running code asks for {action.table}, which is called {action.new} from now on.",
            at=moment,
            table=action.table,
            hint="Keep the table's name with db_table, and rename the model alone.",
            alternative=_keep_table(context, moment, action),
        )


def _view_takes_its_place(context: StepContext, table: str) -> bool:
    """Whether a view gets the old name in the same transaction: nobody sees the table gone.

    SQLite's views take no writes, and MariaDB has no such transaction.
    """
    return (
        context.step.atomic
        and context.vendor == "postgresql"
        and any(
            isinstance(action, ddl.CreateView) and action.name == table and action.what == "view"
            for _, action in context.actions()
        )
    )


def _keep_table(context: StepContext, moment: Moment, action: ddl.RenameTable) -> str:
    operation = moment.operation
    source = context.code(operation).strip().rstrip(",")
    if operation is None or operation.kind != "RenameModel" or not source:
        return ""
    table = action.table
    return code.together(
        code.migration(
            f"migrations.AlterModelTable(name={operation.model!r}, table={table!r})",
            source,
            note=f"the model has Meta.db_table = {table!r}",
        )
    )


@rule("BC102", family=Family.COMPATIBILITY, title="Column is renamed")
def column_renamed(context: StepContext) -> Iterator[Finding]:
    """The code that is still running asks for the old name until it is replaced."""
    for moment, action in context.actions():
        if not isinstance(action, ddl.RenameColumn) or not _used(moment, action.table):
            continue
        if moment.names.column(action.table, action.column) is None:
            continue
        if _follows_rename(moment):
            continue
        yield context.finding(
            _severity(context, moment, action.table),
            f"The running code asks for {action.table}.{action.column}, which is called "
            f"{action.new} from now on.",
            at=moment,
            table=action.table,
            column=action.column,
            hint="Keep the column's name with db_column, and rename the field alone.",
            alternative=_keep_column(context, moment, action),
        )


def _follows_rename(moment: Moment) -> bool:
    """The M2M columns that Django renames with a model: its finding is that of the table."""
    return moment.operation is not None and moment.operation.kind == "RenameModel"


def _keep_column(context: StepContext, moment: Moment, action: ddl.RenameColumn) -> str:
    operation = moment.operation
    if operation is None or operation.kind != "RenameField":
        return ""
    field = context.fields.get(operation.index, "")
    source = context.code(operation).strip().rstrip(",")
    kept = code.field_with(field, db_column=repr(action.column)) if field else ""
    if not kept or not source:
        return ""
    alter = (
        f"migrations.AlterField(model_name={operation.model!r}, name={operation.field!r}, "
        f"field={kept})"
    )
    return code.together(
        code.migration(alter, source, note=f"the field has db_column = {action.column!r}")
    )


def _state_removals(context: StepContext) -> Iterator[tuple[str, str]]:
    """(model, field) that SeparateDatabaseAndState or RunSQL of this plan take out of the state.

    A model as a whole has the field "".
    """
    for each in (*context.earlier, context):
        for index, source in each.codes.items():
            operation = next((op for op in each.step.operations if op.index == index), None)
            if operation is None or operation.kind in ("RemoveField", "DeleteModel"):
                continue
            tree = ast.parse(source.strip().rstrip(","))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    name = ast.unparse(node.func).rpartition(".")[2]
                    if name == "RemoveField":
                        yield (
                            code.text_of(node, "model_name", 0).lower(),
                            code.text_of(node, "name", 1),
                        )
                    elif name == "DeleteModel":
                        yield code.text_of(node, "name", 0).lower(), ""


def _still_read(
    context: StepContext, operation: Operation | None, table: str, column: str = ""
) -> bool:
    """Whether the code of today knows what goes.

    Django's own RemoveField and DeleteModel take it out of the models with this very deploy.
    SQL may be the second half of a removal whose first half, out of the models, was deployed
    before; unless that half is in this plan as well, or the models have it still.
    """
    if operation is None or operation.kind in ("RemoveField", "DeleteModel", "AlterField"):
        return True
    if (table, column) in operation.modelled:
        return True
    removed = tuple(_state_removals(context))
    return any(not column or not field or column in (field, f"{field}_id") for _, field in removed)


@rule("BC103", family=Family.COMPATIBILITY, title="Column is dropped that the running code reads")
def column_dropped(context: StepContext) -> Iterator[Finding]:
    """Django names every column of a model in each query: all queries of the running code on that
    model fail until it is replaced. First the field goes, then, a release later, the column.
    """
    for moment, action in context.actions():
        if not isinstance(action, ddl.DropColumn) or not _used(moment, action.table):
            continue
        if moment.names.column(action.table, action.column) is None:
            continue
        if not _still_read(context, moment.operation, action.table, action.column):
            continue
        yield context.finding(
            _severity(context, moment, action.table),
            f"The running code reads {action.table}.{action.column} in every query on its model.",
            at=moment,
            table=action.table,
            column=action.column,
            hint="Take the field out of the model alone; drop the column a release later.",
            alternative=_in_two_releases(context, moment, action),
        )


def _in_two_releases(context: StepContext, moment: Moment, action: ddl.DropColumn) -> str:
    source = context.code(moment.operation).strip().rstrip(",")
    if moment.operation is None or moment.operation.kind != "RemoveField" or not source:
        return ""
    column = moment.column(action.table, action.column)
    alter = f"ALTER TABLE {code.quoted(action.table)}"
    name = code.quoted(action.column)
    database: tuple[str, ...] = ()
    needs_value = column is not None and not column.nullable and column.default is None
    if needs_value and context.vendor == "postgresql":
        database = (
            code.run_sql(
                f"{alter} ALTER COLUMN {name} DROP NOT NULL",
                f"{alter} ALTER COLUMN {name} SET NOT NULL",
            ),
        )
    drop = f"{alter} DROP COLUMN {name}"
    if context.vendor == "mysql":
        drop = drop.replace('"', "`")
    return code.together(
        code.migration(
            code.separate(database, (source,)), note="this release: the field leaves the model"
        ),
        code.migration(f"migrations.RunSQL({drop!r})", note="the next release: the column"),
    )


@rule("BC104", family=Family.COMPATIBILITY, title="Table is dropped that the running code reads")
def table_dropped(context: StepContext) -> Iterator[Finding]:
    """Queries of the running code on that model fail until it is replaced. First the model goes,
    then, a release later, the table.
    """
    for moment, action in context.actions():
        if not isinstance(action, ddl.DropTable) or not _used(moment, action.table):
            continue
        if not _still_read(context, moment.operation, action.table):
            continue
        source = context.code(moment.operation).strip().rstrip(",")
        alternative = ""
        if moment.operation is not None and moment.operation.kind == "DeleteModel" and source:
            mark = "`" if context.vendor == "mysql" else '"'
            drop = f"DROP TABLE {code.quoted(action.table)}".replace('"', mark)
            alternative = code.together(
                code.migration(code.separate((), (source,)), note="this release: the model goes"),
                code.migration(f"migrations.RunSQL({drop!r})", note="the next release: the table"),
            )
        yield context.finding(
            _severity(context, moment, action.table),
            f"The running code may still use {action.table}.",
            at=moment,
            table=action.table,
            hint="Take the model out of the code alone; drop its table a release later.",
            alternative=alternative,
        )


def _default_dropped_later(context: StepContext, table: str, column: str) -> bool:
    return any(
        isinstance(action, ddl.DropDefault) and (action.table, action.column) == (table, column)
        for _, action in context.actions()
    )


def _default_set_later(context: StepContext, table: str, column: str) -> bool:
    """Whether the same transaction gives the column a default that stays."""
    last = None
    for _, action in context.actions():
        if not isinstance(action, ddl.SetDefault | ddl.DropDefault):
            continue
        if (action.table, action.column) == (table, column):
            last = action
    return isinstance(last, ddl.SetDefault) and (context.step.atomic and context.vendor != "mysql")


@rule("BC105", family=Family.COMPATIBILITY, title="NOT NULL column without a database default")
def not_null_without_default(context: StepContext) -> Iterator[Finding]:
    """The running code does not know the column, so its INSERTs leave it out, and fail. A Python
    default does not help: Django drops it from the database as soon as the rows are filled.
    `db_default` stays.
    """
    for moment, action in context.actions():
        if not isinstance(action, ddl.AddColumn) or not action.not_null:
            continue
        if not _used(moment, action.table) or action.generated or action.serial:
            continue
        kept = action.default is not Default.NONE and not _default_dropped_later(
            context, action.table, action.column
        )
        if kept or _default_set_later(context, action.table, action.column):
            continue
        source = context.code(moment.operation)
        default = code.constant_default(source) if source else ""
        alternative = ""
        if moment.operation is not None and moment.operation.kind == "AddField" and source:
            field = code.with_field(
                source,
                **({"db_default": default} if default else {"null": "True"}),
                drop=() if default else ("default",),
            )
            alternative = code.together(code.migration(field)) if field else ""
        yield context.finding(
            _severity(context, moment, action.table),
            f"INSERTs of the running code leave {action.table}.{action.column} out, and fail: "
            "it is NOT NULL and the database has no default for it.",
            at=moment,
            table=action.table,
            column=action.column,
            hint="Give the field a db_default, or add it as NULL and make it NOT NULL a release "
            "later.",
            alternative=alternative,
        )


@rule("BC106", family=Family.COMPATIBILITY, title="Column becomes NOT NULL")
def becomes_not_null(context: StepContext) -> Iterator[Finding]:
    """The running code may still write NULL into it, or leave it out."""
    for moment, action in context.actions():
        match action:
            case ddl.SetNotNull(table, column):
                pass
            case ddl.AlterColumnType(table=table, column=column, not_null=True):
                known = moment.column(table, column)
                if known is None or not known.nullable:
                    continue
            case _:
                continue
        if not _used(moment, table) or moment.names.column(table, column) is None:
            continue
        known = moment.column(table, column)
        if known is not None and known.default is not None:
            continue
        yield context.finding(
            Severity.INFO if _always_written(context, moment, table, column) else Severity.WARNING,
            f"The running code may still write NULL into {table}.{column}.",
            at=moment,
            table=table,
            column=column,
            hint="Deploy code that always writes it first, or give it a db_default.",
        )


def _always_written(context: StepContext, moment: Moment, table: str, column: str) -> bool:
    """Whether the running code gives a default, and no row holds NULL: nobody writes any."""
    operation = moment.operation
    if operation is None or not operation.default_before:
        return False
    return context.count(moment, Nulls(table, column)) == 0


@rule("BC107", family=Family.COMPATIBILITY, title="Database default goes")
def default_dropped(context: StepContext) -> Iterator[Finding]:
    """INSERTs of the running code that rely on the default fail, or write NULL."""
    given = {
        (action.table, action.column)
        for _, action in context.actions()
        if isinstance(action, ddl.SetDefault)
        or (isinstance(action, ddl.AddColumn) and action.default is not Default.NONE)
    }
    for moment, action in context.actions():
        if not isinstance(action, ddl.DropDefault) or not _used(moment, action.table):
            continue
        if (action.table, action.column) in given:
            continue
        known = moment.column(action.table, action.column)
        if known is not None and known.default is None and not known.identity:
            continue
        nullable = known is not None and known.nullable
        yield context.finding(
            Severity.WARNING,
            f"The running code may rely on the default of {action.table}.{action.column}: its "
            f"INSERTs {'write NULL' if nullable else 'fail'} from now on.",
            at=moment,
            table=action.table,
            column=action.column,
            hint="Deploy code that always writes the column first.",
        )


@rule(
    "BC108",
    family=Family.COMPATIBILITY,
    title="Type changes to one that the running code does not know",
)
def type_incompatible(context: StepContext) -> Iterator[Finding]:
    """The running code writes values that do not fit any more, or reads others than it expects."""
    if context.vendor == "sqlite":
        return
    for moment, action in context.actions():
        if not isinstance(action, ddl.AlterColumnType):
            continue
        if not _used(moment, action.table):
            continue
        known = moment.column(action.table, action.column)
        if known is None or moment.names.column(action.table, action.column) is None:
            continue
        new = action.type
        if context.vendor == "mysql" and family_of(new) == "boolean":
            new = "tinyint(1)"  # another name for it
        other = family_of(known.type) != family_of(new)
        if not other and not narrows(known.type, new):
            continue
        why = "reads and writes" if other else "may write values that do not fit into"
        # Numbers that the database itself gives begin with 1, and are far from their end.
        numbered = known.identity != ""
        begins = not other and numbered and context.weight(moment, action.table) <= Weight.TINY
        yield context.finding(
            Severity.INFO if begins else Severity.WARNING,
            f"{action.table}.{action.column} becomes {action.type}; the running code {why} "
            f"{known.type if other else action.type}.",
            at=moment,
            table=action.table,
            column=action.column,
            hint="Add a second column, let the code write both, then change over.",
            alternative=change_type_safely(context, moment, action),
        )


@rule("BC110", family=Family.COMPATIBILITY, title="Foreign key points to another table")
def foreign_key_moved(context: StepContext) -> Iterator[Finding]:
    """The running code still writes keys of the table that it pointed to, and deletes along it."""
    for moment, action in context.actions():
        if not isinstance(action, ddl.AddConstraint) or not action.references:
            continue
        today = moment.names.table(action.table)
        live = moment.names.schema.tables.get(today) if today else None
        for key in live.foreign_keys if live else ():
            names = tuple(moment.names.column(action.table, name) for name in action.columns)
            if key.columns == names and key.to_table != moment.names.table(action.references):
                yield context.finding(
                    Severity.WARNING,
                    f"{action.table}.{', '.join(action.columns)} points to {action.references} "
                    f"from now on; the running code takes it for a key of {key.to_table}.",
                    at=moment,
                    table=action.table,
                    column=", ".join(action.columns),
                    hint="Add a second column, let the code write both, then change over.",
                )


@rule("BC111", family=Family.COMPATIBILITY, title="Sequence starts again")
def sequence_restarted(context: StepContext) -> Iterator[Finding]:
    """INSERTs of the running code get keys that are taken already, and fail."""
    for moment, action in context.actions():
        if not isinstance(action, ddl.RestartSequence):
            continue
        owners = [
            table.key
            for table in moment.names.schema.tables.values()
            for column in table.columns
            if action.name == f"{table.key}_{column.name}_seq"
        ]
        if owners and all(context.weight(moment, each) <= Weight.EMPTY for each in owners):
            continue
        yield context.finding(
            Severity.WARNING,
            f"{action.name} starts again: INSERTs fail on every key that is taken already.",
            at=moment,
            table=owners[0] if owners else "",
            hint="Set it behind the largest key: SELECT setval(…, (SELECT max(id) FROM …)).",
        )


@rule("BC109", family=Family.COMPATIBILITY, title="Object is dropped that the running code may use")
def object_dropped(context: StepContext) -> Iterator[Finding]:
    """A view, function, type or trigger that goes may be used by the running code, or by others."""
    kinds = ("view", "materialized view", "function", "procedure", "type", "schema", "extension")
    together = context.step.atomic and context.vendor != "mysql"
    actions = list(context.actions())
    for number, (moment, action) in enumerate(actions):
        if not isinstance(action, ddl.DropObject) or action.kind not in kinds:
            continue
        anew = together and any(
            isinstance(later, ddl.CreateView) and later.name == action.name
            for _, later in actions[number + 1 :]
        )
        yield context.finding(
            Severity.INFO if anew else Severity.WARNING,
            f"The {action.kind} {action.name} is made anew in the same transaction; the running "
            "code may use a column that it no longer has."
            if anew
            else f"The running code may still use the {action.kind} {action.name}.",
            at=moment,
            hint="Let it keep its columns, with their types."
            if anew
            else "Drop it a release after the code that uses it is gone.",
        )
