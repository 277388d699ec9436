"""Lay the effects of migrations on a schema, as if they had been applied to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from migrator.core.comparison import columns_by_name, fold, fold_key
from migrator.core.effects import Effect, OperationEffect
from migrator.core.histories import Rename, renames_of, signature
from migrator.core.schema import Column, Schema, Table, split_key


def overlay(schema: Schema, effects: Iterable[Effect]) -> tuple[Schema, frozenset[str]]:
    """Lay migrations on a schema.

    Args:
        schema: As it was, a snapshot for example.
        effects: What was applied since, in plan order.

    Returns:
        The schema as it should be now, and the keys of the tables that were touched: what
        is known of those is as lenient as state is (`ScanFacts.laid`).
    """
    touched: set[str] = set()
    for effect in effects:
        for operation in effect.operations:
            schema = overlay_operation(schema, operation)
            touched.update(table.key for table in operation.tables)
            touched.update(_referring(schema, operation))
    return schema, frozenset(touched)


def overlay_operation(schema: Schema, operation: OperationEffect) -> Schema:
    """Lay one operation on a schema: renames keep what state does not know of.

    Args:
        schema: As it was.
        operation: What was applied.
    """
    vendor = schema.vendor
    renamed = renames_of(operation, vendor)
    for rename in renamed:
        schema = rename_in(schema, rename)
    coming = {rename.after for rename in renamed}
    tables = dict(schema.tables)
    keys = {fold_key(vendor, key): key for key in tables}
    for effect in operation.tables:
        key = fold_key(vendor, effect.key)
        known = keys.get(key)
        if effect.after is None:
            if known is not None and key not in coming:
                tables.pop(known, None)
        elif known is None:
            tables[effect.key] = effect.after
        elif effect.before is not None:
            tables[known] = _laid(vendor, tables[known], effect.before, effect.after)
    return replace(schema, tables=tables)


def _referring(schema: Schema, operation: OperationEffect) -> set[str]:
    """Tables whose foreign keys a rename changes."""
    names = {rename.after for rename in renames_of(operation, schema.vendor)}
    return {
        key
        for key, table in schema.tables.items()
        if any(fold_key(schema.vendor, fk.to_table) in names for fk in table.foreign_keys)
    }


def _laid(vendor: str, table: Table, before: Table, after: Table) -> Table:
    """What one operation changes from `before` to `after`, done to `table`."""
    old, new = columns_by_name(vendor, before), columns_by_name(vendor, after)
    columns: dict[str, Column] = dict(columns_by_name(vendor, table))
    for name in old:
        if name not in new:
            columns.pop(name, None)
    for name, column in new.items():
        if old.get(name) != column and (name in old or name not in columns):
            columns[name] = column
    key = fold_key(vendor, table.key)

    def merged(kind: str) -> tuple[object, ...]:
        mine = {signature(vendor, key, thing): thing for thing in getattr(table, kind)}
        was = {signature(vendor, key, thing) for thing in getattr(before, kind)}
        now = {signature(vendor, key, thing): thing for thing in getattr(after, kind)}
        kept = {atom: thing for atom, thing in mine.items() if atom in now or atom not in was}
        return tuple({**{a: t for a, t in now.items() if a not in was}, **kept}.values())

    return replace(
        table,
        columns=tuple(columns.values()),
        primary_key=after.primary_key
        if before.primary_key != after.primary_key
        else table.primary_key,
        **{
            kind: merged(kind)
            for kind in ("uniques", "foreign_keys", "checks", "exclusions", "indexes")
        },  # type: ignore[arg-type]  # each kind keeps its own type
    )


def rename_in(schema: Schema, rename: Rename) -> Schema:
    """Rename a table, or columns of it, wherever a schema speaks of them.

    Args:
        schema: As it was.
        rename: Folded names; nothing happens where they are not there.
    """
    vendor = schema.vendor
    columns = dict(rename.columns)
    tables: dict[str, Table] = {}
    for key, table in schema.tables.items():
        here = fold_key(vendor, key) == rename.before
        if here:
            table = _rename_columns(vendor, table, columns)
            if rename.before != rename.after:
                namespace, name = split_key(rename.after)
                table = replace(table, schema=namespace, name=name)
                key = rename.after
        table = replace(
            table,
            foreign_keys=tuple(
                replace(
                    fk,
                    to_table=rename.after,
                    to_columns=_renamed(vendor, fk.to_columns, columns),
                )
                if fold_key(vendor, fk.to_table) == rename.before
                else fk
                for fk in table.foreign_keys
            ),
        )
        tables[key] = table
    return replace(schema, tables=tables)


def _renamed(vendor: str, names: tuple[str, ...], columns: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(columns.get(fold(vendor, name), name) for name in names)


def _rename_columns(vendor: str, table: Table, columns: Mapping[str, str]) -> Table:
    if not columns:
        return table

    def name(old: str) -> str:
        return columns.get(fold(vendor, old), old)

    def names(old: tuple[str, ...]) -> tuple[str, ...]:
        return _renamed(vendor, old, columns)

    key = table.primary_key
    return replace(
        table,
        columns=tuple(replace(c, name=name(c.name)) for c in table.columns),
        primary_key=replace(key, columns=names(key.columns)) if key else None,
        uniques=tuple(replace(u, columns=names(u.columns)) for u in table.uniques),
        foreign_keys=tuple(replace(f, columns=names(f.columns)) for f in table.foreign_keys),
        checks=tuple(replace(c, columns=names(c.columns)) for c in table.checks),
        indexes=tuple(
            replace(
                index,
                keys=tuple(replace(k, column=name(k.column)) for k in index.keys),
                include=names(index.include),
            )
            for index in table.indexes
        ),
    )
