"""A schema after a statement, as far as the statement tells: what the next one will find.

Only what decides about costs and look-ups is followed: names, types, nullability, keys,
indexes and constraints. What is unknown stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from migrator.core import ddl
from migrator.core.schema import (
    Check,
    Column,
    Extra,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Schema,
    Table,
    Unique,
    split_key,
)

Canonical = Callable[[str], str]
"""A type as it is written, as the server would spell it."""

Kind = ddl.ConstraintKind


def evolve(schema: Schema, actions: Iterable[ddl.Action], canonical: Canonical = str) -> Schema:
    """The schema after a statement.

    Args:
        schema: Before it.
        actions: What it does.
        canonical: Spells types as the schema has them.
    """
    tables = dict(schema.tables)
    actions = tuple(actions)
    changed = False
    for action in actions:
        changed = _apply(tables, action, canonical) or changed
    made = tuple(
        Extra("domain", action.name, action.definition)
        for action in actions
        if isinstance(action, ddl.CreateDomain)
    )
    extras = (*made, *schema.extras)
    return replace(schema, tables=tables, extras=extras) if changed or made else schema


def _apply(tables: dict[str, Table], action: ddl.Action, canonical: Canonical) -> bool:
    """Change the tables; whether anything was changed."""
    match action:
        case ddl.CreateTable(key, if_not_exists=lenient):
            if lenient and key in tables:
                return False
            schema, name = split_key(key)
            tables[key] = Table(name=name, schema=schema)
        case ddl.DropTable(key):
            return tables.pop(key, None) is not None
        case ddl.RenameTable(key, new):
            return _rename_table(tables, key, new)
        case ddl.RenameColumn(key, old, new):
            return _rename_column(tables, key, old, new)
        case ddl.DropIndex(name, table="") | ddl.RenameIndex(name, table=""):
            found = next((k for k, t in tables.items() if _has_index(t, name)), None)
            if found is None:
                return False
            tables[found] = _changed(tables[found], action, canonical)
        case _:
            concerned = getattr(action, "table", "")
            if concerned not in tables:
                return False
            tables[concerned] = _changed(tables[concerned], action, canonical)
    return True


def _rename_table(tables: dict[str, Table], key: str, new: str) -> bool:
    table = tables.pop(key, None)
    if table is None:
        return False
    schema, name = split_key(new)
    tables[new] = replace(table, name=name, schema=schema)
    for other, known in tables.items():
        if any(foreign.to_table == key for foreign in known.foreign_keys):
            tables[other] = replace(
                known,
                foreign_keys=tuple(
                    replace(foreign, to_table=new) if foreign.to_table == key else foreign
                    for foreign in known.foreign_keys
                ),
            )
    return True


def _rename_column(tables: dict[str, Table], key: str, old: str, new: str) -> bool:
    table = tables.get(key)
    if table is None or table.column(old) is None:
        return False

    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in names)

    tables[key] = replace(
        table,
        columns=tuple(
            replace(column, name=new) if column.name == old else column for column in table.columns
        ),
        primary_key=table.primary_key
        and replace(table.primary_key, columns=renamed(table.primary_key.columns)),
        uniques=tuple(replace(each, columns=renamed(each.columns)) for each in table.uniques),
        checks=tuple(replace(each, columns=renamed(each.columns)) for each in table.checks),
        foreign_keys=tuple(
            replace(each, columns=renamed(each.columns)) for each in table.foreign_keys
        ),
        indexes=tuple(
            replace(
                index,
                keys=tuple(
                    replace(part, column=new) if part.column == old else part for part in index.keys
                ),
                include=renamed(index.include),
            )
            for index in table.indexes
        ),
    )
    for other, known in tables.items():
        if any(foreign.to_table == key for foreign in known.foreign_keys):
            tables[other] = replace(
                known,
                foreign_keys=tuple(
                    replace(foreign, to_columns=renamed(foreign.to_columns))
                    if foreign.to_table == key
                    else foreign
                    for foreign in known.foreign_keys
                ),
            )
    return True


def _changed(table: Table, action: ddl.Action, canonical: Canonical) -> Table:
    """One table after an action that concerns it alone."""
    match action:
        case ddl.AddColumn():
            return _added(table, action, canonical)
        case ddl.DropColumn(_, column):
            return _dropped(table, column)
        case ddl.AlterColumnType(_, column, written, not_null=not_null):
            changes = {"type": canonical(written)}
            nullable = {} if not_null is None else {"nullable": not not_null}
            return _column(table, column, **changes, **nullable)
        case ddl.SetNotNull(_, column):
            return _column(table, column, nullable=False)
        case ddl.DropNotNull(_, column):
            return _column(table, column, nullable=True)
        case ddl.DropDefault(_, column):
            return _column(table, column, default=None)
        case ddl.AddConstraint():
            return _constrained(table, action)
        case ddl.ValidateConstraint(_, name):
            return replace(
                table,
                checks=tuple(
                    replace(each, valid=True) if each.name == name else each
                    for each in table.checks
                ),
                foreign_keys=tuple(
                    replace(each, valid=True) if each.name == name else each
                    for each in table.foreign_keys
                ),
            )
        case ddl.DropConstraint(_, name):
            return _without(table, name)
        case ddl.RenameConstraint(_, name, new):
            return _renamed(table, name, new)
        case ddl.CreateIndex(_, name, columns):
            index = Index(
                name,
                tuple(IndexKey(column=column) for column in columns),
                unique=action.unique,
                condition=action.condition,
            )
            return replace(table, indexes=(*table.indexes, index))
        case ddl.DropIndex(name):
            return replace(table, indexes=tuple(i for i in table.indexes if i.name != name))
        case ddl.RenameIndex(name, new):
            return _renamed(table, name, new)
    return table


def _added(table: Table, action: ddl.AddColumn, canonical: Canonical) -> Table:
    default = None if action.default is ddl.Default.NONE else action.default.value
    column = Column(
        action.column,
        canonical(action.type),
        nullable=not action.not_null,
        default=default,
        identity="by default" if action.serial else "",
        stored=action.generated == "stored",
    )
    table = replace(table, columns=(*table.columns, column))
    if Kind.UNIQUE in action.constraints:
        table = replace(table, uniques=(*table.uniques, Unique("", (action.column,))))
    if action.references:
        key = ForeignKey("", (action.column,), action.references, ())
        table = replace(table, foreign_keys=(*table.foreign_keys, key))
    return table


def _dropped(table: Table, column: str) -> Table:
    primary = table.primary_key
    return replace(
        table,
        columns=tuple(each for each in table.columns if each.name != column),
        primary_key=None if primary and column in primary.columns else primary,
        uniques=tuple(each for each in table.uniques if column not in each.columns),
        checks=tuple(each for each in table.checks if column not in each.columns),
        foreign_keys=tuple(each for each in table.foreign_keys if column not in each.columns),
        indexes=tuple(each for each in table.indexes if column not in each.columns),
    )


def _column(table: Table, name: str, **changes: object) -> Table:
    return replace(
        table,
        columns=tuple(
            replace(column, **changes) if column.name == name else column  # type: ignore[arg-type]
            for column in table.columns
        ),
    )


def _constrained(table: Table, action: ddl.AddConstraint) -> Table:
    valid = not action.not_valid
    match action.kind:
        case Kind.PRIMARY_KEY:
            return replace(table, primary_key=PrimaryKey(action.name, action.columns))
        case Kind.UNIQUE:
            made = Unique(action.name or action.using_index, action.columns)
            kept = tuple(each for each in table.indexes if each.name != action.using_index)
            return replace(table, uniques=(*table.uniques, made), indexes=kept)
        case Kind.CHECK:
            check = Check(action.name, action.expression, action.columns, valid)
            return replace(table, checks=(*table.checks, check))
        case Kind.FOREIGN_KEY:
            key = ForeignKey(
                action.name,
                action.columns,
                action.references,
                action.referenced_columns,
                valid=valid,
            )
            return replace(table, foreign_keys=(*table.foreign_keys, key))
        case Kind.NOT_NULL if valid and len(action.columns) == 1:
            return _column(table, action.columns[0], nullable=False)
    return table


def _without(table: Table, name: str) -> Table:
    primary = table.primary_key
    return replace(
        table,
        primary_key=None if primary and primary.name == name else primary,
        uniques=tuple(each for each in table.uniques if each.name != name),
        checks=tuple(each for each in table.checks if each.name != name),
        foreign_keys=tuple(each for each in table.foreign_keys if each.name != name),
        exclusions=tuple(each for each in table.exclusions if each.name != name),
        indexes=tuple(each for each in table.indexes if each.name != name),
    )


def _renamed(table: Table, name: str, new: str) -> Table:
    primary = table.primary_key
    return replace(
        table,
        primary_key=replace(primary, name=new) if primary and primary.name == name else primary,
        uniques=tuple(replace(u, name=new) if u.name == name else u for u in table.uniques),
        checks=tuple(replace(c, name=new) if c.name == name else c for c in table.checks),
        foreign_keys=tuple(
            replace(f, name=new) if f.name == name else f for f in table.foreign_keys
        ),
        indexes=tuple(replace(i, name=new) if i.name == name else i for i in table.indexes),
    )


def _has_index(table: Table, name: str) -> bool:
    names = {*(index.name for index in table.indexes), *(each.name for each in table.uniques)}
    return name in names
