"""Objects that are still there under their own names, and do less, or something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from migrator.core.schema import Check, Column, Index, IndexKey, Table, Unique
from tests.mutations.dialects import Dialect, MySQL, PostgreSQL
from tests.mutations.mutations import Mutation

_TEXT = ("varchar", "text", "character varying")


def weaken(table: Table, dialect: Dialect) -> Iterator[Mutation]:
    """Every such harm to one table that this vendor can do.

    Args:
        table: As it is live.
        dialect: The vendor's.
    """
    for index in table.indexes:
        yield from _indexes(table, index, dialect)
    for check in table.checks:
        yield from _check(table, check, dialect)
    if isinstance(dialect, MySQL) and any(c.type.startswith(_TEXT) for c in table.columns):
        to = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci"
        sql = (f"ALTER TABLE {dialect.table(table.key)} CONVERT TO {to}",)
        yield Mutation("table: other collation", table.key, "", sql, "DR104", missable=True)
    if isinstance(dialect, PostgreSQL):
        for unique in table.uniques:
            yield from _uniques(table, unique, dialect)
        for column in table.columns:
            yield from _columns(table, column, dialect)
        yield from _foreign_keys(table, dialect)


def _indexes(table: Table, index: Index, dialect: Dialect) -> Iterator[Mutation]:
    """The index again, with its keys in another order, fewer, descending, collated otherwise."""
    if index.condition or not all(key.column and not key.opclass for key in index.keys):
        return
    drop = dialect.drop_index(table, index)
    if drop is None or (isinstance(dialect, MySQL) and _needed(table, index)):
        return
    first = index.keys[0]
    variants: dict[str, Index] = {
        "other direction": _keyed(index, replace(first, descending=not first.descending)),
        "other order": replace(index, keys=tuple(reversed(index.keys))),
        "fewer columns": replace(index, keys=index.keys[:-1]),
        "without uniqueness": replace(index, unique=False),
    }
    if isinstance(dialect, PostgreSQL):
        column = table.column(first.column)
        if column and column.type.startswith(_TEXT) and not column.collation:
            variants["other collation"] = _keyed(index, replace(first, collation="C"))
        if len(index.keys) == 1 and not index.unique:
            variants["other method"] = replace(index, method="hash", include=())
        variants["without include"] = replace(index, include=())
    for what, variant in variants.items():
        if variant == index or not variant.keys:
            continue
        yield Mutation(
            f"index: {what}",
            table.key,
            index.name,
            (*drop, _create(table, variant, dialect)),
            "DR105",
            True,
            None,
            # State asks of a unique index no more than that it keeps the same columns unique.
            missable=what == "other collation" or (index.unique and variant.unique),
        )


def _keyed(index: Index, first: IndexKey) -> Index:
    return replace(index, keys=(first, *index.keys[1:]))


def _needed(table: Table, index: Index) -> bool:
    """InnoDB lets no index go that a foreign key stands on."""
    return any(key.columns[0] == index.columns[0] for key in table.foreign_keys)


def _create(table: Table, index: Index, dialect: Dialect) -> str:
    keys = ", ".join(
        dialect.quote(key.column)
        + (f' COLLATE "{key.collation}"' if key.collation else "")
        + (" DESC" if key.descending else "")
        for key in index.keys
    )
    method = f" USING {index.method}" if isinstance(dialect, PostgreSQL) else ""
    names = ", ".join(dialect.quote(name) for name in index.include)
    include = f" INCLUDE ({names})" if names else ""
    kind = "UNIQUE INDEX" if index.unique else "INDEX"
    on = f"{dialect.table(table.key)}{method} ({keys})"
    return f"CREATE {kind} {dialect.quote(index.name)} ON {on}{include}"


def _check(table: Table, check: Check, dialect: Dialect) -> Iterator[Mutation]:
    """The check again, with a literal in another case: other rows are refused."""
    literals = list(re.finditer(r"'\w+'", check.expression))
    if not literals:
        return
    start, end = literals[-1].span()  # no row holds the last one
    changed = check.expression[:start] + literals[-1][0].swapcase() + check.expression[end:]
    if changed == check.expression or check.name in {c.name for c in table.columns}:
        return
    sql = dialect.change_check(table, check, changed)
    if sql:
        yield Mutation(
            "check: other literal", table.key, check.name, tuple(sql), "DR105", True, missable=True
        )


def _uniques(table: Table, unique: Unique, dialect: PostgreSQL) -> Iterator[Mutation]:
    columns = ", ".join(dialect.quote(name) for name in unique.columns)
    drop = dialect.drop_constraint(table, "unique", unique.name)
    other = next((c for c in table.columns if c.name not in unique.columns), None)
    variants = {}
    if other is not None:
        variants["more columns"] = f"UNIQUE ({columns}, {dialect.quote(other.name)})"
    if unique.deferrable:
        variants["not deferrable"] = f"UNIQUE ({columns})"
        variants["deferred otherwise"] = f"UNIQUE ({columns}) DEFERRABLE INITIALLY IMMEDIATE"
    else:
        variants["deferrable"] = f"UNIQUE ({columns}) DEFERRABLE"
        if unique.nulls_distinct:
            variants["nulls alike"] = f"UNIQUE NULLS NOT DISTINCT ({columns})"
    add = f"ALTER TABLE {dialect.table(table.key)} ADD CONSTRAINT {dialect.quote(unique.name)}"
    for what, definition in variants.items():
        yield Mutation(
            f"unique: {what}",
            table.key,
            unique.name,
            (*drop, f"{add} {definition}"),
            "DR105",
            True,
            None,
            missable=what == "deferred otherwise",
        )


def _columns(table: Table, column: Column, dialect: PostgreSQL) -> Iterator[Mutation]:
    alter = f"ALTER TABLE {dialect.table(table.key)} ALTER COLUMN {dialect.quote(column.name)}"
    if column.generated is not None:
        sql = (f"{alter} DROP EXPRESSION",)
        yield Mutation("column: not generated", table.key, column.name, sql, "DR104 DR103 DR101")
    elif column.type.startswith(_TEXT):
        collation = '"C"' if column.collation != "C" else "pg_catalog.default"
        sql = (f"{alter} TYPE {column.type} COLLATE {collation}",)
        yield Mutation(
            "column: other collation",
            table.key,
            column.name,
            sql,
            "DR104 DR103 DR101",
            missable=not column.collation,
        )


def _foreign_keys(table: Table, dialect: PostgreSQL) -> Iterator[Mutation]:
    for key in table.foreign_keys:
        for what, tail in {
            "not deferrable": "",
            "on update": " ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
            "initially immediate": " DEFERRABLE INITIALLY IMMEDIATE",
        }.items():
            yield Mutation(
                f"foreign key: {what}",
                table.key,
                key.name,
                tuple(dialect.reference_otherwise(table, key, tail)),
                "DR105",
                True,
                missable=what == "on update",
            )
