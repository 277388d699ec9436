"""The live schema of a PostgreSQL database, in seven queries whatever its size."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.catalog import Row, fetch, grouped
from migrator.core import schema as core

_ACTIONS = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}
_IDENTITY = {"a": "always", "d": "by default"}
_EXTRA_KINDS = {"v": "view", "m": "materialized view", "f": "foreign table"}
_NEXTVAL = re.compile(r"^\(*nextval\('(?:[^']|'')+'::regclass\)\)?(?:::[a-z ]+)?\)*$")
_NULL = re.compile(r"^NULL(?:::.+)?$")


def inspect_schema(connection: BaseDatabaseWrapper, schemas: Collection[str]) -> core.Schema:
    """Read everything.

    Args:
        connection: Open connection.
        schemas: Schemas to read beside those of the search path.
    """
    scope = {"schemas": sorted(schemas)}
    relations = fetch(connection, "postgresql_relations", scope)
    tables = [row for row in relations if row["kind"] in "rp" and row["readable"]]
    others = [row for row in relations if row["kind"] not in "rp"]
    oids = {"tables": [row["oid"] for row in tables]}
    parts = {
        name: grouped(fetch(connection, f"postgresql_{name}", oids), "relation")
        for name in ("columns", "constraints", "indexes", "triggers")
    }
    built = {table.key: table for table in (_table(row, parts) for row in tables)}
    return core.Schema(
        vendor="postgresql",
        tables=built,
        views=frozenset(_key(row) for row in others if row["readable"]),
        sequences=tuple(_sequence(row) for row in fetch(connection, "postgresql_sequences", scope)),
        extras=_extras(others, fetch(connection, "postgresql_extras", scope)),
        unreadable=frozenset(_key(row) for row in relations if not row["readable"]) - set(built),
    )


def _key(row: Row) -> str:
    return core.table_key(row["schema"], row["name"])


def _table(row: Row, parts: Mapping[str, Mapping[int, Sequence[Row]]]) -> core.Table:
    def of(part: str) -> Sequence[Row]:
        return parts[part].get(row["oid"], ())

    constraints = grouped([dict(item) for item in of("constraints")], "kind")
    primary = constraints.get("p")
    return core.Table(
        name=row["name"],
        schema=row["schema"],
        columns=tuple(_column(item) for item in of("columns")),
        primary_key=(
            core.PrimaryKey(primary[0]["name"], tuple(primary[0]["columns"])) if primary else None
        ),
        uniques=tuple(_unique(item) for item in constraints.get("u", ())),
        foreign_keys=tuple(_foreign_key(item) for item in constraints.get("f", ())),
        checks=tuple(_check(item) for item in constraints.get("c", ())),
        exclusions=tuple(
            core.Exclusion(item["name"], item["definition"]) for item in constraints.get("x", ())
        ),
        indexes=tuple(
            _index(keys) for keys in grouped([dict(k) for k in of("indexes")], "name").values()
        ),
        triggers=tuple(
            core.Trigger(item["name"], item["definition"], item["enabled"])
            for item in of("triggers")
        ),
    )


def _column(row: Row) -> core.Column:
    expression = row["expression"]
    identity = _IDENTITY.get(row["identity"], "")
    default = None if row["generated"] else expression
    if default is not None and _NEXTVAL.match(default):
        # Whoever owns the sequence: a dump, a rename or a hand may have lost the ownership.
        identity, default = "serial", None
    elif default is not None and _NULL.match(default):
        default = None
    return core.Column(
        name=row["name"],
        type=row["type"],
        nullable=row["nullable"],
        default=default,
        identity=identity,
        generated=expression if row["generated"] else None,
        stored=row["generated"] == "s",
        collation=row["collation"],
    )


def _unique(row: Row) -> core.Unique:
    return core.Unique(
        name=row["name"],
        columns=tuple(row["columns"]),
        deferrable=row["deferrable"],
        initially_deferred=row["initially_deferred"],
        nulls_distinct=not row["nulls_not_distinct"],
    )


def _foreign_key(row: Row) -> core.ForeignKey:
    return core.ForeignKey(
        name=row["name"],
        columns=tuple(row["columns"]),
        to_table=core.table_key(row["to_schema"], row["to_name"]),
        to_columns=tuple(row["to_columns"]),
        deferrable=row["deferrable"],
        initially_deferred=row["initially_deferred"],
        on_delete=str(_ACTIONS.get(row["on_delete"], row["on_delete"])),
        on_update=str(_ACTIONS.get(row["on_update"], row["on_update"])),
        valid=row["valid"],
    )


def _check(row: Row) -> core.Check:
    return core.Check(
        name=row["name"],
        expression=row["definition"] or "",
        columns=tuple(row["columns"]),
        valid=row["valid"],
    )


def _index(keys: Sequence[Row]) -> core.Index:
    first = keys[0]
    return core.Index(
        name=first["name"],
        keys=tuple(_index_key(key) for key in keys if not key["included"]),
        unique=first["unique"],
        method=first["method"],
        condition=first["condition"],
        include=tuple(key["column"] for key in keys if key["included"]),
        nulls_distinct=not first["nulls_not_distinct"],
        valid=first["valid"],
    )


def _index_key(row: Row) -> core.IndexKey:
    # NULLs come last in ascending and first in descending order unless somebody said otherwise.
    usual = row["nulls_first"] == row["descending"] or not row["ordered"]
    return core.IndexKey(
        column=row["column"],
        expression=row["expression"],
        descending=row["descending"],
        nulls_first=None if usual else row["nulls_first"],
        opclass=row["opclass"],
        collation=row["collation"],
    )


def _sequence(row: Row) -> core.Sequence:
    table = row["table_name"] and core.table_key(row["table_schema"], row["table_name"])
    return core.Sequence(_key(row), table, row["column"], row["last_value"])


def _extras(relations: Sequence[Row], rows: Sequence[Row]) -> tuple[core.Extra, ...]:
    found = [
        core.Extra(_EXTRA_KINDS[row["kind"]], _key(row), row["definition"] or "")
        for row in relations
        if row["kind"] in _EXTRA_KINDS
    ]
    found += [
        core.Extra(row["kind"], row["name"], _text(row["definition"]))
        for row in rows
        if row["name"] is not None  # dropped while it was being read
    ]
    return tuple(sorted(found, key=lambda extra: (extra.kind, extra.name, extra.definition)))


def _text(value: Any) -> str:
    return "" if value is None else str(value)
