"""The safe way for each kind of change, in the words of the very operation."""

from __future__ import annotations

import ast

from migrator.core import ddl
from migrator.core.ddl import Action
from migrator.core.plan import Operation
from migrator.core.rules import alternatives as code
from migrator.core.rules.context import Moment, StepContext

_LATER = "in a second migration"


def _operation(context: StepContext, moment: Moment, action: Action) -> Operation | None:
    columns = getattr(action, "columns", ()) or (getattr(action, "column", ""),)
    return context.origin(moment, getattr(action, "table", ""), filter(None, columns))


def add_index_safely(context: StepContext, moment: Moment, action: ddl.CreateIndex) -> str:
    """CREATE INDEX CONCURRENTLY."""
    operation = _operation(context, moment, action)
    source = context.code(operation)
    if operation is not None and operation.kind == "AddIndex" and source:
        return code.together(
            code.migration(code.renamed(source, "AddIndexConcurrently"), atomic=False)
        )
    if operation is not None and operation.kind in ("AddField", "AlterField") and source:
        made = code.field_call(source)
        call = code.parsed(source)
        plain = made is not None and code.argument(made, "unique") is None
        if plain and call is not None and made is not None:
            foreign = ast.unparse(made.func).endswith(("ForeignKey", "OneToOneField"))
            options = {"db_index": "False"} if foreign else {}
            field = code.with_field(source, drop=("db_index",), **options)
            model, name = code.text_of(call, "model_name", 0), code.text_of(call, "name", 1)
            index = f"models.Index(fields=[{name!r}], name={_index_name(model, name)!r})"
            return code.together(
                code.migration(field, note="first migration: the field without its index"),
                code.migration(
                    f"AddIndexConcurrently(model_name={model!r}, index={index})",
                    atomic=False,
                    note="second migration; the index goes into Meta.indexes",
                ),
            )
    return concurrent_sql(moment, action, state=_as_state(operation, source))


def _index_name(model: str, field: str) -> str:
    """Django allows 30 characters."""
    return f"{model}_{field}".lower()[:26] + "_idx"


def _as_state(operation: Operation | None, source: str) -> tuple[str, ...]:
    """The operation for the state alone, where the database's side is done otherwise."""
    plain = operation is not None and operation.kind not in ("RunSQL", "RunPython")
    return (source.strip().rstrip(","),) if plain and source else ()


def concurrent_sql(moment: Moment, action: ddl.CreateIndex, *, state: tuple[str, ...] = ()) -> str:
    """The statement itself with CONCURRENTLY, and what a failed attempt leaves dropped first."""
    head, separator, tail = moment.statement.sql.partition("INDEX")
    if not separator or not action.name:
        return ""
    tail = tail.strip()
    for word in ("CONCURRENTLY", "IF NOT EXISTS"):
        tail = tail.removeprefix(word).strip()
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {code.quoted(action.name)}"
    database = [
        code.run_sql(drop),
        code.run_sql(f"{head}INDEX CONCURRENTLY {tail}", drop),
    ]
    if state:
        return code.together(code.migration(code.separate(database, state), atomic=False))
    return code.together(code.migration(*database, atomic=False))


def drop_index_safely(context: StepContext, moment: Moment, action: ddl.DropIndex) -> str:
    """DROP INDEX CONCURRENTLY."""
    source = context.code(moment.operation)
    if moment.operation is not None and moment.operation.kind == "RemoveIndex" and source:
        made = code.renamed(source, "RemoveIndexConcurrently")
        return code.together(code.migration(made, atomic=False))
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {code.quoted(action.name)}"
    state = _as_state(moment.operation, source)
    database = code.run_sql(drop)
    made = code.separate([database], state) if state else database
    return code.together(code.migration(made, atomic=False))


def in_migration_of_its_own(context: StepContext, moment: Moment) -> str:
    """The operation as it is, in a migration that is no transaction."""
    source = context.code(moment.operation).strip().rstrip(",")
    if source and moment.operation is not None and moment.operation.kind != "RunSQL":
        source = source.replace(
            f"django.contrib.postgres.operations.{moment.operation.kind}", moment.operation.kind
        )
        return code.together(code.migration(source, atomic=False))
    if not moment.statement.sql:
        return ""
    return code.together(code.migration(code.run_sql(moment.statement.sql), atomic=False))


def add_constraint_safely(context: StepContext, moment: Moment, action: Action) -> str:
    """NOT VALID, and VALIDATE later."""
    operation = _operation(context, moment, action)
    source = context.code(operation)
    table = getattr(action, "table", "")
    if context.vendor != "postgresql":
        return ""
    if operation is not None and operation.kind == "AddConstraint" and source:
        call = code.parsed(source)
        made = code.argument(call, "constraint", 1) if call is not None else None
        if call is not None and isinstance(made, ast.Call):
            model, name = code.text_of(call, "model_name", 0), code.text_of(made, "name")
            return code.together(
                code.migration(code.renamed(source, "AddConstraintNotValid")),
                code.migration(
                    f"ValidateConstraint(model_name={model!r}, name={name!r})", note=_LATER
                ),
            )
    if isinstance(action, ddl.AddConstraint) and action.name and action.expression:
        return _not_valid(table, action.name, f"CHECK ({action.expression})")
    return ""


def _not_valid(table: str, name: str, definition: str, state: tuple[str, ...] = ()) -> str:
    alter = f"ALTER TABLE {code.quoted(table)}"
    add = code.run_sql(
        f"{alter} ADD CONSTRAINT {code.quoted(name)} {definition} NOT VALID",
        f"{alter} DROP CONSTRAINT {code.quoted(name)}",
    )
    return code.together(
        code.migration(code.separate([add], state) if state else add),
        code.migration(
            code.run_sql(f"{alter} VALIDATE CONSTRAINT {code.quoted(name)}"), note=_LATER
        ),
    )


def add_foreign_key_safely(context: StepContext, moment: Moment, action: ddl.AddConstraint) -> str:
    """The column without its constraint, then the constraint NOT VALID, then VALIDATE."""
    if context.vendor != "postgresql" or not (action.columns and action.referenced_columns):
        return ""
    operation = _operation(context, moment, action)
    source = context.code(operation)
    name = action.name or f"{action.columns[0]}_fk"
    definition = (
        f"FOREIGN KEY ({code.listed(action.columns)}) "
        f"REFERENCES {code.quoted(action.references)} ({code.listed(action.referenced_columns)}) "
        "DEFERRABLE INITIALLY DEFERRED"
    )
    known = operation is not None and operation.kind in ("AddField", "AlterField") and source
    if not known or operation is None:
        return _not_valid(action.table, name, definition, _as_state(operation, source))
    field = code.with_field(source, db_constraint="False")
    whole = code.with_field(source, kind="migrations.AlterField", drop=("db_constraint",))
    rest = _not_valid(action.table, name, definition, (whole,))
    return code.together(
        code.migration(field, note="first migration: the column, without its constraint"), rest
    )


def add_unique_safely(context: StepContext, moment: Moment, action: Action) -> str:
    """A unique index built concurrently, then a constraint of it."""
    if context.vendor != "postgresql":
        return ""
    if isinstance(action, ddl.AddConstraint) and action.kind == ddl.ConstraintKind.EXCLUSION:
        return ""
    columns = getattr(action, "columns", ()) or (getattr(action, "column", ""),)
    if not all(columns):
        return ""
    table: str = getattr(action, "table", "")
    name = getattr(action, "name", "") or f"{table}_{'_'.join(columns)}_key"
    operation = _operation(context, moment, action)
    source = context.code(operation)
    primary = getattr(action, "kind", None) == ddl.ConstraintKind.PRIMARY_KEY
    kind = "PRIMARY KEY" if primary else "UNIQUE"
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {code.quoted(name)}"
    build = (
        f"CREATE UNIQUE INDEX CONCURRENTLY {code.quoted(name)} "
        f"ON {code.quoted(table)} ({code.listed(columns)})"
    )
    alter = f"ALTER TABLE {code.quoted(table)}"
    use = code.run_sql(
        f"{alter} ADD CONSTRAINT {code.quoted(name)} {kind} USING INDEX {code.quoted(name)}",
        f"{alter} DROP CONSTRAINT {code.quoted(name)}",
    )
    first = ""
    state = _as_state(operation, source)
    if isinstance(action, ddl.AddColumn) and source:
        first = code.migration(
            code.with_field(source, drop=("unique",), null="True"),
            note="first migration: the field, without being unique",
        )
        state = (code.with_field(source, kind="migrations.AlterField"),)
    return code.together(
        first,
        code.migration(
            code.run_sql(drop),
            code.run_sql(build, drop),
            atomic=False,
            note="the index; no transaction, so nothing else with it",
        ),
        code.migration(code.separate([use], state) if state else use, note="the constraint"),
    )


def set_not_null_safely(context: StepContext, moment: Moment, action: ddl.SetNotNull) -> str:
    """A check NOT VALID, VALIDATE, SET NOT NULL, and the check may go."""
    if context.vendor != "postgresql":
        return ""
    operation = _operation(context, moment, action)
    source = context.code(operation)
    call = code.parsed(source) if source else None
    field = code.text_of(call, "name", 1) if call is not None else ""
    model = code.text_of(call, "model_name", 0) if call is not None else ""
    if operation is not None and operation.kind == "AlterField" and model and field:
        name = f"{model}_{field}".lower()[:50] + "_not_null"
        check = f"models.CheckConstraint(condition=models.Q({field}__isnull=False), name={name!r})"
        return code.together(
            code.migration(f"AddConstraintNotValid(model_name={model!r}, constraint={check})"),
            code.migration(f"ValidateConstraint(model_name={model!r}, name={name!r})", note=_LATER),
            code.migration(
                source.strip().rstrip(","),
                f"migrations.RemoveConstraint(model_name={model!r}, name={name!r})",
                note="in a third one",
            ),
        )
    name = f"{action.column}_not_null"
    alter = f"ALTER TABLE {code.quoted(action.table)}"
    column = code.quoted(action.column)
    return code.together(
        code.migration(
            code.run_sql(
                f"{alter} ADD CONSTRAINT {code.quoted(name)} "
                f"CHECK ({column} IS NOT NULL) NOT VALID",
                f"{alter} DROP CONSTRAINT {code.quoted(name)}",
            )
        ),
        code.migration(
            code.run_sql(f"{alter} VALIDATE CONSTRAINT {code.quoted(name)}"), note=_LATER
        ),
        code.migration(
            code.run_sql(
                f"{alter} ALTER COLUMN {column} SET NOT NULL",
                f"{alter} ALTER COLUMN {column} DROP NOT NULL",
            ),
            code.run_sql(f"{alter} DROP CONSTRAINT {code.quoted(name)}"),
            note="in a third one",
        ),
    )


def add_column_safely(context: StepContext, moment: Moment, action: ddl.AddColumn) -> str:
    """Empty first, then filled, then as it is to be."""
    operation = _operation(context, moment, action)
    source = context.code(operation)
    if operation is None or operation.kind != "AddField" or not source or action.generated:
        return ""
    empty = code.with_field(
        source, drop=("default", "db_default", "unique", "primary_key"), null="True"
    )
    if not empty:
        return ""
    return code.together(
        code.migration(empty, note="first migration: empty; then fill it in batches"),
        code.migration(code.with_field(source, kind="migrations.AlterField"), note=_LATER),
    )


def change_type_safely(context: StepContext, moment: Moment, action: ddl.AlterColumnType) -> str:
    """A second column of the new type beside the old one."""
    operation = _operation(context, moment, action)
    source = context.code(operation)
    call = code.parsed(source) if source else None
    name = code.text_of(call, "name", 1) if call is not None else ""
    made = code.field_call(source) if source else None
    if operation is None or operation.kind != "AlterField" or not name or made is None:
        return ""
    if code.argument(made, "primary_key") is not None:
        return ""
    beside = code.with_field(
        source,
        kind="migrations.AddField",
        drop=("default", "db_default", "unique"),
        null="True",
        operation_name=f"{name}_new",
    )
    note = f"beside {name}; write both, fill it in batches, read it, then drop {name}"
    return code.together(code.migration(beside, note=note))
