"""The live schema of a MySQL or MariaDB database, in seven queries whatever its size.

Sequence positions are left out: AUTO_INCREMENT is never behind its column's maximum.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.catalog import Row, fetch, grouped
from migrator.core import schema as core

_TABLES = {"BASE TABLE", "SYSTEM VERSIONED"}
_NAMES = {
    "bool": "tinyint(1)",
    "boolean": "tinyint(1)",
    "integer": "int",
    "int1": "tinyint",
    "int2": "smallint",
    "int4": "int",
    "int8": "bigint",
    "numeric": "decimal",
    "dec": "decimal",
    "fixed": "decimal",
    "double precision": "double",
    "real": "double",
    "character varying": "varchar",
    "character": "char",
}
_UNSIZED = {"decimal": "(10,0)", "char": "(1)", "binary": "(1)", "bit": "(1)"}
_INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}
_NUMBERS = _INTEGERS | {"decimal", "float", "double", "bit", "year"}

_SUFFIX = re.compile(
    r"\s+(?:auto_increment|collate|character\s+set|generated|not\s+null|null|default)\b.*$",
    re.I | re.S,
)
_TYPE = re.compile(r"^([a-z][a-z0-9_ ]*?)\s*(\(.*\))?((?:\s+(?:unsigned|signed|zerofill))*)$", re.S)
_QUOTED = re.compile(r"('(?:[^']|'')*')")
_JSON_CHECK = re.compile(r"^\(*json_valid\(`((?:[^`]|``)+)`\)\)*$", re.I)
_IDENTIFIER = re.compile(r"`((?:[^`]|``)+)`")
_LITERAL = re.compile(r"('(?:[^'\\]|\\.|'')*')", re.S)
_BYTES = re.compile(r"(?:var)?binary", re.I)
_INTRODUCER = re.compile(r"(?<![\w$])_(?!binary\b)[a-z0-9]+$", re.I)


def canonical_type(db_type: str) -> str:
    """A type in the spelling of MySQL 8's information_schema: lower case, no display widths
    (which older servers and MariaDB still show), synonyms resolved.
    """
    parts = _QUOTED.split(_SUFFIX.sub("", db_type.strip()))
    parts[::2] = (re.sub(r"\s*,\s*", ",", re.sub(r"\s+", " ", p)).lower() for p in parts[::2])
    text = "".join(parts)
    found = _TYPE.match(text)
    if not found:
        return text
    name, arguments, flags = found.groups()
    name = _NAMES.get(name, name)
    arguments = re.sub(r"\(\s+|\s+\)", lambda m: m[0].strip(), arguments or "")
    if (name in _INTEGERS and (name, arguments) != ("tinyint", "(1)")) or name == "year":
        arguments = ""
    elif name == "decimal" and re.fullmatch(r"\(\d+\)", arguments):
        arguments = arguments[:-1] + ",0)"
    arguments = arguments or _UNSIZED.get(name, "")
    return name + arguments + re.sub(r"\s+signed\b", "", " " + flags.strip()).rstrip()


def inspect_schema(connection: BaseDatabaseWrapper, schemas: Collection[str]) -> core.Schema:
    """Read everything.

    Args:
        connection: Open connection.
        schemas: Further schemas (databases of the same server) to read.
    """
    database = str(connection.settings_dict["NAME"])
    mariadb: bool = connection.mysql_is_mariadb  # type: ignore[attr-defined]
    variant = "_mariadb" if mariadb else ""
    scope = {"schemas": (database, *sorted(set(schemas) - {database}))}
    relations = fetch(connection, "mysql_tables", scope)
    queries = {
        "columns": "mysql_columns",
        "indexes": f"mysql_indexes{variant}",
        "foreign_keys": "mysql_foreign_keys",
        "checks": f"mysql_checks{variant}",
        "triggers": "mysql_triggers",
    }
    parts: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for part, query in queries.items():
        rows = fetch(connection, query, scope)
        for row in rows:
            schema = "" if row["table_schema"] == database else row["table_schema"]
            row["key"] = core.table_key(schema, row["relation"])
        parts[part] = grouped(rows, "key")
    tables = (_table(row, parts, mariadb) for row in relations if row["kind"] in _TABLES)
    return core.Schema(
        vendor="mysql",
        tables={table.key: table for table in tables},
        views=frozenset(
            _key(row) for row in relations if row["kind"] not in _TABLES | {"SEQUENCE"}
        ),
        sequences=tuple(core.Sequence(_key(row)) for row in relations if row["kind"] == "SEQUENCE"),
        extras=tuple(
            sorted(
                (
                    core.Extra(row["kind"], _key(row), _anywhere(row["definition"], database))
                    for row in fetch(connection, "mysql_extras", scope)
                ),
                key=lambda extra: (extra.kind, extra.name),
            )
        ),
    )


def _key(row: Row) -> str:
    return core.table_key(row["schema"], row["name"])


def _table(row: Row, parts: Mapping[str, Mapping[str, Sequence[Row]]], mariadb: bool) -> core.Table:
    def of(part: str) -> Sequence[Row]:
        return parts[part].get(_key(row), ())

    checks = of("checks")
    json_columns = {
        found[1] for check in checks if (found := _JSON_CHECK.match(check["expression"]))
    }
    if mariadb and not checks:
        # Not shown to a role with no more than SELECT on this table: what is left of json to
        # see is its collation.
        json_columns = {
            item["name"]
            for item in of("columns")
            if item["only_select"] and item["collation"] == "utf8mb4_bin"
        }
    indexes = list(grouped([dict(key) for key in of("indexes")], "name").values())
    primary = next((keys for keys in indexes if keys[0]["name"] == "PRIMARY"), None)
    others = [keys for keys in indexes if keys is not primary]
    return core.Table(
        name=row["name"],
        schema=row["schema"],
        columns=tuple(
            _column(item, mariadb, item["name"] in json_columns) for item in of("columns")
        ),
        primary_key=(
            core.PrimaryKey("PRIMARY", tuple(key["column"] for key in primary)) if primary else None
        ),
        uniques=tuple(
            core.Unique(
                keys[0]["name"],
                tuple(key["column"] for key in keys),
                ignored=bool(keys[0]["ignored"]),
            )
            for keys in others
            if _is_constraint(keys)
        ),
        foreign_keys=tuple(
            _foreign_key(rows)
            for rows in grouped([dict(item) for item in of("foreign_keys")], "name").values()
        ),
        checks=tuple(
            core.Check(
                name=check["name"],
                expression=(said := spelled_expression(check["expression"], mariadb=mariadb)),
                columns=tuple(dict.fromkeys(_IDENTIFIER.findall(said))),
                valid=bool(check["valid"]),
            )
            for check in checks
        ),
        indexes=tuple(_index(keys, mariadb) for keys in others if not _is_constraint(keys)),
        triggers=tuple(core.Trigger(item["name"], item["definition"]) for item in of("triggers")),
        collation=row["collation"],
    )


def spelled_expression(text: str, *, mariadb: bool) -> str:
    """An expression of the catalog as SQL that can be run.

    MySQL shows it escaped once more (`_utf8mb4\\'x\\'`, unlike SHOW CREATE TABLE) and with the
    character set of the session that made it before each literal, which says nothing.
    """
    if mariadb:
        return text
    parts = _LITERAL.split(re.sub(r"\\(.)", r"\1", text, flags=re.S))
    parts[::2] = (
        _INTRODUCER.sub("", part) if number < len(parts) // 2 else part
        for number, part in enumerate(parts[::2])
    )
    parts[1::2] = (part.replace("\\'", "''") for part in parts[1::2])
    return "".join(parts)


def _anywhere(definition: str | None, database: str) -> str:
    """A view's definition without the name of the database that it is in: the server writes it
    before every table and column, and a copy under another name is the same view.
    """
    return (definition or "").replace(f"`{database.replace('`', '``')}`.", "")


def _is_constraint(keys: Sequence[Row]) -> bool:
    """A unique constraint is an index here; one over expressions or prefixes is only that."""
    return all(not key["non_unique"] and key["column"] and key["prefix"] is None for key in keys)


def _column(row: Row, mariadb: bool, json: bool) -> core.Column:
    extra = row["extra"].lower()
    generated = "virtual generated" in extra or "stored generated" in extra
    # MariaDB's json is longtext with a check and a binary collation.
    json = json and row["base"].lower() == "longtext"
    return core.Column(
        name=row["name"],
        type="json" if json else canonical_type(row["type"]),
        nullable=row["nullable"] == "YES",
        default=None if generated else _default(row, mariadb, extra),
        identity="auto_increment" if "auto_increment" in extra else "",
        generated=spelled_expression(row["generation"], mariadb=mariadb) if generated else None,
        stored="stored generated" in extra,
        collation="" if json else row["collation"] or "",
    )


def _default(row: Row, mariadb: bool, extra: str) -> str | None:
    """MariaDB shows an expression; MySQL the bare value of a literal, without its quotes."""
    value = row["expression"]
    if value is None or (mariadb and value.upper() == "NULL"):
        return None
    text = str(value)
    if "default_generated" in extra:
        return spelled_expression(text, mariadb=mariadb)
    if mariadb or row["base"].lower() in _NUMBERS or _BYTES.fullmatch(row["base"]):
        return text  # the default of a binary column is shown in hexadecimal
    if text.upper().startswith("CURRENT_TIMESTAMP"):
        return text
    return "'" + text.replace("'", "''") + "'"


def _foreign_key(rows: Sequence[Row]) -> core.ForeignKey:
    first = rows[0]
    return core.ForeignKey(
        name=first["name"],
        columns=tuple(row["column"] for row in rows),
        to_table=core.table_key(first["to_schema"], first["to_table"]),
        to_columns=tuple(row["to_column"] for row in rows),
        on_delete=_action(first["on_delete"]),
        on_update=_action(first["on_update"]),
    )


def _action(rule: str) -> str:
    # InnoDB checks at once: RESTRICT and NO ACTION are one, and servers differ in which they say.
    return "NO ACTION" if rule == "RESTRICT" else rule


def _index(keys: Sequence[Row], mariadb: bool) -> core.Index:
    return core.Index(
        name=keys[0]["name"],
        keys=tuple(
            core.IndexKey(
                column=key["column"],
                expression=spelled_expression(key["expression"], mariadb=mariadb),
                descending=bool(key["descending"]),
                opclass="" if key["prefix"] is None else f"({key['prefix']})",
            )
            for key in keys
        ),
        unique=not keys[0]["non_unique"],
        method=keys[0]["method"].lower(),
        ignored=bool(keys[0]["ignored"]),
    )
