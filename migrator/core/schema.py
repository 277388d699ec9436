"""A database schema as plain, frozen data: the one shape that every source produces.

A schema comes from migration state, from a live database, from a journal snapshot or from
a shadow replay (`migrator.sources`), and is compared by one comparator (`core.diff`). Types
and expressions are kept in the server's own canonical spelling (`format_type`,
`pg_get_expr`, …): a source that has another spelling translates before it builds these.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from typing import Any, Self

SEPARATOR = '"."'


def table_key(schema: str, name: str) -> str:
    """The key of a table: its bare name, or `schema"."name` as Django spells it in db_table.

    Args:
        schema: Namespace; empty for a table found through the search path.
        name: Table name, without quotes.
    """
    return f"{schema}{SEPARATOR}{name}" if schema else name


def split_key(key: str) -> tuple[str, str]:
    """The (schema, name) of a key or of a Django `db_table`; schema is empty when bare."""
    schema, separator, name = key.strip('"').partition(SEPARATOR)
    return (schema, name) if separator else ("", schema)


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Bare name.
        type: Canonical type in the server's spelling, length and precision included.
        nullable: Whether NULL is allowed.
        default: Canonical default expression, without those that belong to identity or
            serial; None for no default.
        identity: "" | "always" | "by default" | "serial" | "auto_increment" | "rowid".
            `core.diff` compares it as a boolean: each is healthy.
        generated: Canonical expression of a generated column; None for a plain one.
        stored: For a generated column, whether it is STORED (False: VIRTUAL).
        collation: Name of a collation that is not the type's or database's own; "" otherwise.
    """

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    identity: str = ""
    generated: str | None = None
    stored: bool = False
    collation: str = ""


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """The primary key of a table; the order of columns matters."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique constraint.

    Attributes:
        ignored: The optimiser leaves its index out (MariaDB's IGNORED, MySQL's INVISIBLE).
    """

    name: str
    columns: tuple[str, ...]
    deferrable: bool = False
    initially_deferred: bool = False
    nulls_distinct: bool = True
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key; `to_table` is a table key. Actions in upper case, "NO ACTION" by default."""

    name: str
    columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...]
    deferrable: bool = False
    initially_deferred: bool = False
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    valid: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """A check constraint with its canonical expression (without the outer CHECK)."""

    name: str
    expression: str
    columns: tuple[str, ...] = ()
    valid: bool = True


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An exclusion constraint (PostgreSQL), by its canonical definition."""

    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One key of an index: a column name or an expression, never both."""

    column: str = ""
    expression: str = ""
    descending: bool = False
    nulls_first: bool | None = None
    opclass: str = ""
    collation: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """An index that is not the implementation of a primary key or unique constraint.

    Attributes:
        ignored: The optimiser leaves it out (MariaDB's IGNORED, MySQL's INVISIBLE).
    """

    name: str
    keys: tuple[IndexKey, ...]
    unique: bool = False
    method: str = "btree"
    condition: str = ""
    include: tuple[str, ...] = ()
    nulls_distinct: bool = True
    valid: bool = True
    ignored: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The key columns; an expression key stands as an empty string."""
        return tuple(key.column for key in self.keys)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A user trigger; `enabled` is False when disabled in the catalog."""

    name: str
    definition: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One table with everything on it. Lists are sorted by name, columns by position."""

    name: str
    columns: tuple[Column, ...] = ()
    schema: str = ""
    primary_key: PrimaryKey | None = None
    uniques: tuple[Unique, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    model: str = ""
    """The "app_label.model_name" that this table belongs to; only in expected schemas."""
    collation: str = ""
    """The one that its columns have where they name none (MySQL); not compared by itself."""
    partition_of: str = ""
    """The key of the table that this is a partition of, however many levels up (PostgreSQL)."""

    @property
    def key(self) -> str:
        """The key under which a Schema holds this table."""
        return table_key(self.schema, self.name)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data. What only partitions have is named only there, so that schemas
        without any keep the fingerprints that they have always had.
        """
        plain = _plain(self)
        if not self.partition_of:
            del plain["partition_of"]
        return plain | {
            "columns": tuple(map(_plain, self.columns)),
            "primary_key": self.primary_key and _plain(self.primary_key),
            "uniques": tuple(map(_plain, self.uniques)),
            "foreign_keys": tuple(map(_plain, self.foreign_keys)),
            "checks": tuple(map(_plain, self.checks)),
            "exclusions": tuple(map(_plain, self.exclusions)),
            "indexes": tuple(map(_plain_index, self.indexes)),
            "triggers": tuple(map(_plain, self.triggers)),
        }

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence and the column it feeds ("" when it belongs to none)."""

    name: str
    table: str = ""
    column: str = ""
    last_value: int | None = None


@dataclass(frozen=True, slots=True)
class Extra:
    """Any other object: view, materialized view, function, enum, domain, extension, collation."""

    kind: str
    name: str
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    """A whole schema.

    Attributes:
        vendor: Django's vendor name: postgresql, mysql, sqlite.
        tables: By key. Views are not tables; partitions are.
        views: Keys of relations that can be selected from but are not tables.
        sequences: By name.
        extras: Everything else, sorted.
        unreadable: Keys of tables that exist but that the role in use may not read.
    """

    vendor: str
    tables: Mapping[str, Table] = field(default_factory=dict)
    views: frozenset[str] = frozenset()
    sequences: tuple[Sequence, ...] = ()
    extras: tuple[Extra, ...] = ()
    unreadable: frozenset[str] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data; `from_dict` reads it back."""
        return {
            "vendor": self.vendor,
            "tables": {key: table.to_dict() for key, table in sorted(self.tables.items())},
            "views": sorted(self.views),
            "sequences": [_plain(sequence) for sequence in self.sequences],
            "extras": [_plain(extra) for extra in self.extras],
            "unreadable": sorted(self.unreadable),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            KeyError, TypeError: The data is not a schema.
        """
        return cls(
            vendor=data["vendor"],
            tables={key: _table(raw) for key, raw in data["tables"].items()},
            views=frozenset(data.get("views", ())),
            sequences=tuple(Sequence(**raw) for raw in data.get("sequences", ())),
            extras=tuple(Extra(**raw) for raw in data.get("extras", ())),
            unreadable=frozenset(data.get("unreadable", ())),
        )

    def fingerprint(self) -> str:
        """SHA-256 of the schema's content, hexadecimal; the same for the same schema.

        Sequence positions are left out: they move with every insert.
        """
        data = self.to_dict()
        for sequence in data["sequences"]:
            sequence["last_value"] = None
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@cache
def _fields(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(item.name for item in dataclasses.fields(kind))
    return names, attrgetter(*names)


def _plain(value: Any) -> dict[str, Any]:
    """As `dataclasses.asdict`, one level deep: which is all that most of these have, since text,
    numbers and tuples of names are JSON-ready. That one deep-copies them, and a project has
    thousands.
    """
    kind: Any = type(value)
    names, read = _fields(kind)
    return dict(zip(names, read(value), strict=True))


def _plain_index(index: Index) -> dict[str, Any]:
    return _plain(index) | {"keys": tuple(map(_plain, index.keys))}


def _tupled(raw: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: tuple(value) if key in names else value for key, value in raw.items()}


def _index(raw: Mapping[str, Any]) -> Index:
    return Index(
        **{
            **raw,
            "keys": tuple(IndexKey(**key) for key in raw["keys"]),
            "include": tuple(raw.get("include", ())),
        }
    )


def _table(raw: Mapping[str, Any]) -> Table:
    primary_key = raw.get("primary_key")
    return Table(
        name=raw["name"],
        schema=raw.get("schema", ""),
        model=raw.get("model", ""),
        collation=raw.get("collation", ""),
        partition_of=raw.get("partition_of", ""),
        columns=tuple(Column(**column) for column in raw["columns"]),
        primary_key=PrimaryKey(**_tupled(primary_key, "columns")) if primary_key else None,
        uniques=tuple(Unique(**_tupled(item, "columns")) for item in raw.get("uniques", ())),
        foreign_keys=tuple(
            ForeignKey(**_tupled(item, "columns", "to_columns"))
            for item in raw.get("foreign_keys", ())
        ),
        checks=tuple(Check(**_tupled(item, "columns")) for item in raw.get("checks", ())),
        exclusions=tuple(Exclusion(**item) for item in raw.get("exclusions", ())),
        indexes=tuple(_index(item) for item in raw.get("indexes", ())),
        triggers=tuple(Trigger(**item) for item in raw.get("triggers", ())),
    )
