"""Which values a migration has taken away or changed."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

_SAMPLE = 200


@dataclass(frozen=True, slots=True)
class Column:
    """How many values it has, and the first of them."""

    count: int
    sample: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table's rows: their number, and each column."""

    count: int
    columns: dict[str, Column]


def read(connection: BaseDatabaseWrapper, *, views: bool = False) -> dict[str, Rows]:
    """Every table of the shop; the first rows in the order of their keys.

    Args:
        connection: Of the database.
        views: Whether views count as well, since one may have taken a table's place.
    """
    found = {}
    with connection.cursor() as cursor:
        tables = connection.introspection.get_table_list(cursor)
        names = [info.name for info in tables if views or info.type != "v"]
        for name in sorted(names):
            if name.startswith(("django_", "sqlite_")):
                continue
            quoted = connection.ops.quote_name(name)
            description = connection.introspection.get_table_description(cursor, name)
            columns = [info.name for info in description]
            counts = ", ".join(f"COUNT({connection.ops.quote_name(c)})" for c in columns)
            cursor.execute(f"SELECT COUNT(*), {counts} FROM {quoted}")
            total, *filled = cursor.fetchone()
            order = "ORDER BY 1" if columns[0] == "id" else ""
            cursor.execute(f"SELECT * FROM {quoted} {order} LIMIT {_SAMPLE}")
            rows = cursor.fetchall()
            found[name] = Rows(
                total,
                {
                    column: Column(filled[number], tuple(row[number] for row in rows))
                    for number, column in enumerate(columns)
                },
            )
    return found


def compare(before: dict[str, Rows], after: dict[str, Rows]) -> tuple[list[str], list[str]]:
    """What is gone, and what is changed, as names of tables and columns."""
    gone: list[str] = []
    changed: list[str] = []
    for name, table in before.items():
        if not table.count:
            continue
        there = after.get(name) or _renamed(table, before, after)
        if there is None:
            gone.append(name)
            continue
        if there.count < table.count:
            gone.append(f"{name}: {table.count - there.count} rows")
            continue
        for column, values in table.columns.items():
            if not values.count:
                continue
            now = there.columns.get(column)
            if now is None:
                new = there.columns.keys() - table.columns.keys()  # one may be it, renamed
                if not any(_same(values, there.columns[each]) for each in new):
                    gone.append(f"{name}.{column}")
            elif not _same(values, now):
                changed.append(f"{name}.{column}")
    return gone, changed


def _renamed(table: Rows, before: dict[str, Rows], after: dict[str, Rows]) -> Rows | None:
    for name, each in after.items():
        shared = table.columns.keys() & each.columns.keys()
        if (
            name not in before
            and each.count == table.count
            and 2 * len(shared) >= len(table.columns)
        ):
            return each
    return None


def _same(before: Column, after: Column) -> bool:
    pairs = zip(before.sample, after.sample, strict=False)
    return after.count >= before.count and all(
        one is None or _equal(one, other) for one, other in pairs
    )


def _equal(before: Any, after: Any) -> bool:
    if before == after or str(before) == str(after):
        return True
    if isinstance(after, datetime.datetime) and type(before) is datetime.date:
        return after.time() == datetime.time() and after.date() == before
    if isinstance(before, str) and isinstance(after, str):
        try:
            return bool(json.loads(before) == json.loads(after))
        except ValueError:
            return False
    if isinstance(before, dict) and isinstance(after, str):
        return bool(before == json.loads(after))
    return False
