"""Columns that have run ahead of the sequence that feeds them, in three queries at most."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.core.schema import Schema, Sequence, Table, split_key

_CHUNK = 500
_INTEGERS = frozenset({"smallint", "integer", "bigint"})


def read_maxima(
    connection: BaseDatabaseWrapper, schema: Schema, keys: Collection[str]
) -> Mapping[tuple[str, str], int]:
    """See Backend.maxima.

    Only of columns that lead an index, where the maximum is one step away, and that the role
    may read. What seems to be behind is looked at once more: rows may have come since.
    """
    wanted = _allowed(connection, [s for s in schema.sequences if _is_cheap(schema, keys, s)])
    largest = _largest(connection, wanted)
    behind = [
        sequence
        for sequence in wanted
        if (top := largest.get(sequence.name)) is not None
        and sequence.last_value is not None
        and top > sequence.last_value
    ]
    now = _last_values(connection, behind)
    return {
        (sequence.table, sequence.column): largest[sequence.name]
        for sequence in behind
        if now.get(sequence.name, largest[sequence.name]) < largest[sequence.name]
    }


def _is_cheap(schema: Schema, keys: Collection[str], sequence: Sequence) -> bool:
    table = schema.tables.get(sequence.table)
    if table is None or sequence.table not in keys or sequence.last_value is None:
        return False
    column = table.column(sequence.column)
    if column is None or column.type not in _INTEGERS:
        return False
    return any(columns[:1] == (sequence.column,) for columns in _indexed(table))


def _indexed(table: Table) -> Iterator[tuple[str, ...]]:
    if table.primary_key:
        yield table.primary_key.columns
    yield from (unique.columns for unique in table.uniques)
    for index in table.indexes:
        if index.method == "btree" and index.valid and not index.condition:
            yield index.columns


def _quoted(key: str) -> str:
    return ".".join(_name(part) for part in split_key(key) if part)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _rows(connection: BaseDatabaseWrapper, sql: str, params: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def _allowed(connection: BaseDatabaseWrapper, sequences: list[Sequence]) -> list[Sequence]:
    if not sequences:
        return []
    rows = _rows(
        connection,
        "SELECT n FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS c (relation, name, n)"
        " WHERE has_column_privilege(to_regclass(relation)::oid, name, 'SELECT')",
        [[_quoted(s.table) for s in sequences], [s.column for s in sequences]],
    )
    return [sequences[number - 1] for (number,) in rows]


def _largest(connection: BaseDatabaseWrapper, sequences: list[Sequence]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(sequences), _CHUNK):
        chunk = sequences[start : start + _CHUNK]
        sql = " UNION ALL ".join(
            f"SELECT {number}, max({_name(s.column)}) FROM {_quoted(s.table)}"
            for number, s in enumerate(chunk)
        )
        found |= {chunk[n].name: top for n, top in _rows(connection, sql) if top is not None}
    return found


def _last_values(connection: BaseDatabaseWrapper, sequences: list[Sequence]) -> dict[str, int]:
    if not sequences:
        return {}
    rows = _rows(
        connection,
        "SELECT n, coalesce(pg_sequence_last_value(relation::regclass), 0)"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS s (relation, n)",
        [[_quoted(s.name) for s in sequences]],
    )
    return {sequences[number - 1].name: int(value) for number, value in rows}
