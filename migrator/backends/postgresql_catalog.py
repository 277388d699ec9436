"""The live schema of a PostgreSQL database, in seven queries whatever its size."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.catalog import Row, fetch, fetch_rows
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
_SYSTEM_COLUMNS = {-6: "tableoid"}
"""The only one that a constraint may name."""
_DEFAULT_COLLATION = 100
_USUAL_COLLATIONS = frozenset({0, _DEFAULT_COLLATION})
"""Of a column that has none, and of one that has the database's."""
_DESCENDING, _NULLS_FIRST = 1, 2
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
    wanted = {"tables": [row["oid"] for row in tables]}
    parts = _Parts({row["oid"]: _key(row) for row in relations})
    parts.add_columns(fetch_rows(connection, "postgresql_columns", wanted))
    parts.add_constraints(fetch_rows(connection, "postgresql_constraints", wanted))
    parts.add_indexes(fetch_rows(connection, "postgresql_indexes", wanted))
    parts.add_triggers(fetch_rows(connection, "postgresql_triggers", wanted))
    built = {table.key: table for table in (parts.table(row) for row in tables)}
    return core.Schema(
        vendor="postgresql",
        tables=built,
        views=frozenset(_key(row) for row in others if row["readable"]),
        sequences=tuple(_sequence(row) for row in fetch(connection, "postgresql_sequences", scope)),
        extras=_extras(others, fetch(connection, "postgresql_extras", scope)),
        unreadable=frozenset(_key(row) for row in relations if not row["readable"]) - set(built),
    )


class _Parts:
    """What is on each table, by its oid.

    The server tells keys by the numbers of their columns, which are put into words here: to
    join the catalog of columns for each of thousands of keys costs it far more. Equal columns
    and keys of indexes are one object; most tables begin with the same few.
    """

    def __init__(self, keys: Mapping[int, str]) -> None:
        self._keys = keys
        self._columns: defaultdict[int, list[core.Column]] = defaultdict(list)
        self._names: defaultdict[int, dict[int, str]] = defaultdict(_SYSTEM_COLUMNS.copy)
        self._collations: dict[tuple[int, int], int] = {}
        self._primary_keys: dict[int, core.PrimaryKey] = {}
        self._uniques: defaultdict[int, list[core.Unique]] = defaultdict(list)
        self._foreign_keys: defaultdict[int, list[core.ForeignKey]] = defaultdict(list)
        self._checks: defaultdict[int, list[core.Check]] = defaultdict(list)
        self._exclusions: defaultdict[int, list[core.Exclusion]] = defaultdict(list)
        self._indexes: defaultdict[int, list[core.Index]] = defaultdict(list)
        self._triggers: defaultdict[int, list[core.Trigger]] = defaultdict(list)

    def table(self, row: Row) -> core.Table:
        """The table of a row of relations."""
        oid = row["oid"]
        return core.Table(
            name=row["name"],
            schema=row["schema"],
            columns=tuple(self._columns.get(oid, ())),
            primary_key=self._primary_keys.get(oid),
            uniques=tuple(self._uniques.get(oid, ())),
            foreign_keys=tuple(self._foreign_keys.get(oid, ())),
            checks=tuple(self._checks.get(oid, ())),
            exclusions=tuple(self._exclusions.get(oid, ())),
            indexes=tuple(self._indexes.get(oid, ())),
            triggers=tuple(self._triggers.get(oid, ())),
            partition_of=self._keys.get(row["root"], ""),
        )

    def add_columns(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows of postgresql_columns; these come first, since all else names columns."""
        made: dict[tuple[Any, ...], core.Column] = {}
        for row in rows:
            relation, number, collation = row[:3]
            facts = row[3:]
            column = made.get(facts)
            if column is None:
                column = made[facts] = _column(*facts)
            self._columns[relation].append(column)
            self._names[relation][number] = column.name
            if collation not in _USUAL_COLLATIONS:
                self._collations[relation, number] = collation

    def add_constraints(self, rows: Iterable[Sequence[Any]]) -> None:
        """Rows of postgresql_constraints."""
        for (
            relation, name, kind, numbers, to_relation, to_schema, to_name, to_numbers, to_names,
            deferrable, initially_deferred, on_delete, on_update, valid, nulls_not_distinct,
            definition,
        ) in rows:  # fmt: skip
            columns = self._named(relation, numbers)
            if kind == "p":
                self._primary_keys[relation] = core.PrimaryKey(name, columns)
            elif kind == "u":
                self._uniques[relation].append(
                    core.Unique(
                        name,
                        columns,
                        deferrable=deferrable,
                        initially_deferred=initially_deferred,
                        nulls_distinct=not nulls_not_distinct,
                    )
                )
            elif kind == "f":
                self._foreign_keys[relation].append(
                    core.ForeignKey(
                        name,
                        columns,
                        to_table=core.table_key(to_schema, to_name),
                        to_columns=(
                            self._named(to_relation, to_numbers)
                            if to_names is None
                            else tuple(to_names)
                        ),
                        deferrable=deferrable,
                        initially_deferred=initially_deferred,
                        on_delete=_ACTIONS.get(on_delete, on_delete),
                        on_update=_ACTIONS.get(on_update, on_update),
                        valid=valid,
                    )
                )
            elif kind == "c":
                self._checks[relation].append(core.Check(name, definition or "", columns, valid))
            else:
                self._exclusions[relation].append(core.Exclusion(name, definition))

    def add_indexes(self, rows: Iterable[Sequence[Any]]) -> None:
        """Rows of postgresql_indexes: an index is as many of them as it has columns."""
        made: dict[tuple[Any, ...], core.IndexKey] = {}
        for head, keys in groupby(rows, itemgetter(slice(0, 7))):
            relation, name, unique, method, condition, valid, nulls_not_distinct = head
            names = self._names[relation]
            own: list[core.IndexKey] = []
            include: list[str] = []
            for *_, included, number, expression, option, opclass, collation, collated in keys:
                column = names.get(number, "")
                if included:
                    include.append(column)
                    continue
                usual = collation == self._collations.get((relation, number), _DEFAULT_COLLATION)
                ordered = method == "btree"
                facts = (column, expression, option, ordered, opclass, "" if usual else collated)
                key = made.get(facts)
                if key is None:
                    key = made[facts] = _index_key(*facts)
                own.append(key)
            self._indexes[relation].append(
                core.Index(
                    name=name,
                    keys=tuple(own),
                    unique=unique,
                    method=method,
                    condition=condition,
                    include=tuple(include),
                    nulls_distinct=not nulls_not_distinct,
                    valid=valid,
                )
            )

    def add_triggers(self, rows: Iterable[Sequence[Any]]) -> None:
        """Rows of postgresql_triggers."""
        for relation, name, definition, enabled in rows:
            self._triggers[relation].append(core.Trigger(name, definition, enabled))

    def _named(self, relation: int, numbers: str) -> tuple[str, ...]:
        names = self._names[relation]
        return tuple(names[number] for number in _numbers(numbers) if number in names)


@cache
def _numbers(array: str) -> tuple[int, ...]:
    """The numbers of an array of smallint as the server writes it: "{1,2}"."""
    return tuple(int(number) for number in array.strip("{}").split(",") if number)


def _key(row: Row) -> str:
    return core.table_key(row["schema"], row["name"])


def _column(
    name: str,
    type_name: str,
    nullable: bool,
    expression: str | None,
    identity: str,
    generated: str,
    collation: str,
) -> core.Column:
    kind = _IDENTITY.get(identity, "")
    default = None if generated else expression
    if default is not None and _NEXTVAL.match(default):
        # Whoever owns the sequence: a dump, a rename or a hand may have lost the ownership.
        kind, default = "serial", None
    elif default is not None and _NULL.match(default):
        default = None
    return core.Column(
        name=name,
        type=type_name,
        nullable=nullable,
        default=default,
        identity=kind,
        generated=expression if generated else None,
        stored=generated == "s",
        collation=collation,
    )


def _index_key(
    column: str,
    expression: str,
    option: int,
    ordered: bool,
    opclass: str,
    collation: str,
) -> core.IndexKey:
    descending, nulls_first = bool(option & _DESCENDING), bool(option & _NULLS_FIRST)
    # NULLs come last in ascending and first in descending order unless somebody said otherwise.
    usual = nulls_first == descending or not ordered
    return core.IndexKey(
        column=column,
        expression=expression,
        descending=descending,
        nulls_first=None if usual else nulls_first,
        opclass=opclass,
        collation=collation,
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
