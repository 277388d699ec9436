"""The live schema of an SQLite database, in four queries whatever its size.

Sequences are left out: SQLite gives out the greater of `sqlite_sequence` and the greatest
rowid, so that none can fall behind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.catalog import Row, fetch, grouped
from migrator.backends.sqlite_source import TableSource, read_index, read_table
from migrator.core import schema as core

_STORED = 3
_HIDDEN_GENERATED = {2, _STORED}
"""Values of `hidden` in table_xinfo; 1 is a virtual table's own."""

_SUFFIX = re.compile(
    r"\s+(?:autoincrement|collate|generated|not\s+null|null|default|primary)\b.*$", re.I | re.S
)


def canonical_type(db_type: str) -> str:
    """A declared type in lower case with single spaces: SQLite 3.37 and later show the
    standard ones in upper case, whatever was written, and compares none.
    """
    text = re.sub(r"\s+", " ", _SUFFIX.sub("", db_type.strip())).lower()
    return re.sub(r"\s*([(),])\s*", r"\1", text)


def inspect_schema(connection: BaseDatabaseWrapper) -> core.Schema:
    """Read everything."""
    objects = fetch(connection, "sqlite_objects")
    tables = [row for row in objects if row["type"] == "table" and row["kind"] == "table"]
    parts = {
        name: grouped(fetch(connection, f"sqlite_{name}"), "relation")
        for name in ("columns", "indexes", "foreign_keys")
    }
    parts["triggers"] = grouped([row for row in objects if row["type"] == "trigger"], "relation")
    sql = {row["name"]: row["sql"] for row in objects if row["type"] == "index"}
    keys = {
        name.casefold(): _primary_columns(columns) for name, columns in parts["columns"].items()
    }
    names = {row["name"].casefold(): row["name"] for row in tables}
    return core.Schema(
        vendor="sqlite",
        tables={row["name"]: _Reader(row, parts, sql, keys, names).table() for row in tables},
        views=frozenset(row["name"] for row in objects if row["kind"] in {"view", "virtual"}),
        extras=tuple(
            sorted(
                (
                    core.Extra(_extra_kind(row["kind"]), row["name"], row["sql"])
                    for row in objects
                    if row["type"] in {"table", "view"} and row["kind"] != "table"
                ),
                key=lambda extra: (extra.kind, extra.name),
            )
        ),
    )


def _extra_kind(kind: str) -> str:
    return kind if kind == "view" else f"{kind} table".strip()


def _primary_columns(columns: Sequence[Row]) -> tuple[str, ...]:
    in_key = sorted((row for row in columns if row["key"]), key=lambda row: row["key"])
    return tuple(row["name"] for row in in_key)


class _Reader:
    """One table: the pragmas' rows, and its source for what they do not tell."""

    def __init__(
        self,
        row: Row,
        parts: Mapping[str, Mapping[str, Sequence[Row]]],
        index_sql: Mapping[str, str],
        primary_keys: Mapping[str, tuple[str, ...]],
        table_names: Mapping[str, str],
    ) -> None:
        self._row = row
        self._parts = parts
        self._index_sql = index_sql
        self._primary_keys = primary_keys
        self._table_names = table_names
        self._source: TableSource = read_table(row["sql"])
        self._columns = self._of("columns")
        self._key = _primary_columns(self._columns)

    def table(self) -> core.Table:
        indexes = list(grouped([dict(row) for row in self._of("indexes")], "name").values())
        return core.Table(
            name=self._row["name"],
            columns=tuple(self._column(row) for row in self._columns if row["hidden"] != 1),
            primary_key=(
                core.PrimaryKey(self._source.primary_key, self._key) if self._key else None
            ),
            uniques=tuple(
                sorted(
                    (self._unique(keys) for keys in indexes if keys[0]["origin"] == "u"),
                    key=lambda unique: unique.name,
                )
            ),
            foreign_keys=self._foreign_keys(),
            checks=self._checks(),
            indexes=tuple(self._index(keys) for keys in indexes if keys[0]["origin"] == "c"),
            triggers=tuple(core.Trigger(row["name"], row["sql"]) for row in self._of("triggers")),
        )

    def _of(self, part: str) -> Sequence[Row]:
        return self._parts[part].get(self._row["name"], ())

    def _column(self, row: Row) -> core.Column:
        folded = row["name"].casefold()
        rowid = (
            self._key == (row["name"],)
            and row["type"].upper() == "INTEGER"
            and not self._row["without_rowid"]
        )
        generated = row["hidden"] in _HIDDEN_GENERATED
        default = row["expression"]
        collation = self._source.collations.get(folded, "")
        return core.Column(
            name=row["name"],
            type=canonical_type(row["type"]),
            nullable=not row["required"] and not rowid,
            default=None if default is None or default.upper() == "NULL" else default,
            identity=("auto_increment" if self._source.autoincrement else "rowid") if rowid else "",
            generated=self._source.generated.get(folded, "") if generated else None,
            stored=row["hidden"] == _STORED,
            collation="" if collation.upper() == "BINARY" else collation,
        )

    def _unique(self, keys: Sequence[Row]) -> core.Unique:
        columns = tuple(key["column"] for key in keys)
        folded = _folded(columns)
        named = (item.name for item in self._source.uniques if _folded(item.columns) == folded)
        return core.Unique(next((name for name in named if name), keys[0]["name"]), columns)

    def _index(self, keys: Sequence[Row]) -> core.Index:
        name = keys[0]["name"]
        source = read_index(self._index_sql.get(name, ""))
        texts = source.keys if len(source.keys) == len(keys) else ("",) * len(keys)
        return core.Index(
            name=name,
            keys=tuple(self._index_key(key, text) for key, text in zip(keys, texts, strict=True)),
            unique=bool(keys[0]["is_unique"]),
            condition=source.condition,
        )

    def _index_key(self, row: Row, text: str) -> core.IndexKey:
        own = self._source.collations.get(row["column"].casefold(), "BINARY")
        return core.IndexKey(
            column=row["column"],
            expression="" if row["column"] else text,
            descending=bool(row["descending"]),
            collation="" if row["collation"].upper() == own.upper() else row["collation"],
        )

    def _foreign_keys(self) -> tuple[core.ForeignKey, ...]:
        groups = list(grouped([dict(row) for row in self._of("foreign_keys")], "id").values())
        sources = self._source.foreign_keys
        found = []
        for number, rows in enumerate(groups):
            columns = tuple(row["column"] for row in rows)
            source = sources[number] if len(sources) == len(groups) else None
            target = rows[0]["to_table"]
            to_columns = tuple(row["to_column"] for row in rows)
            if not all(to_columns):  # REFERENCES without columns means the primary key
                to_columns = self._primary_keys.get(target.casefold(), to_columns)
            found.append(
                core.ForeignKey(
                    name=source.name if source else "",
                    columns=columns,
                    to_table=self._table_names.get(target.casefold(), target),
                    to_columns=to_columns,
                    deferrable=bool(source and source.deferrable),
                    initially_deferred=bool(source and source.initially_deferred),
                    on_delete=rows[0]["on_delete"],
                    on_update=rows[0]["on_update"],
                )
            )
        return tuple(sorted(found, key=lambda key: (key.name, key.columns)))

    def _checks(self) -> tuple[core.Check, ...]:
        checks = (
            core.Check(
                name=item.name,
                expression=item.expression,
                columns=tuple(
                    row["name"] for row in self._columns if row["name"].casefold() in item.words
                ),
            )
            for item in self._source.checks
        )
        return tuple(sorted(checks, key=lambda check: (check.name, check.expression)))


def _folded(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(column.casefold() for column in columns)
