"""How two objects of a schema compare: by what they mean and do, never by their names.

Two strengths. *Lenient* is for an expectation that was computed from migration state, which
does not state everything (a default set in the database, the text of an expression in the
server's own spelling, a collation). *Exact* is for an expectation that was once read from a
server itself (a snapshot, a replay).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from migrator.core.reading import read_expression
from migrator.core.schema import (
    SEPARATOR,
    Check,
    Column,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Schema,
    Table,
    Unique,
    split_key,
)

WIDER = "wider"
"""The attribute of a column that takes every value that is expected, and more."""

HARMLESS = frozenset({WIDER})

_POSTGRESQL_LIMIT = 63  # NAMEDATALEN - 1, in bytes; the server cuts longer names silently

_INTEGERS = {"tinyint": 0, "smallint": 1, "mediumint": 2, "integer": 3, "int": 3, "bigint": 4}
_TEXTS = ("text", "mediumtext", "longtext", "clob", "citext")
_SERIALS = {"smallserial": "smallint", "serial": "integer", "bigserial": "bigint"}
_VARCHAR = re.compile(r"(?:character varying|varchar|n?char|character)\s*(?:\((\d+)\))?")
_NUMERIC = re.compile(r"(?:numeric|decimal)\s*\((\d+)\s*(?:,\s*(-?\d+))?\)")
_CHARACTERS = re.compile(r"(?:var)?char\b|(?:tiny|medium|long)?text\b|enum\b|set\b", re.I)
_INTEGER = re.compile(r"(\w+)( unsigned)?")


_NEVER_DEFAULT = ("_pattern_ops", "_path_ops", "_trgm_ops", "_bloom_ops", "_multi_ops")
"""How operator classes end that PostgreSQL uses only where they are named."""


def fold(vendor: str, name: str) -> str:
    """A name as the server tells it from others.

    Args:
        vendor: Django's vendor name.
        name: Bare name.
    """
    if vendor == "postgresql":
        data = name.encode()
        if len(data) > _POSTGRESQL_LIMIT:
            return data[:_POSTGRESQL_LIMIT].decode(errors="ignore")
        return name
    # Column names ignore case on MySQL and SQLite, table names on SQLite and often on MySQL.
    return name.lower()


def fold_key(vendor: str, key: str) -> str:
    """A table key as the server tells it from others."""
    if SEPARATOR not in key:
        return fold(vendor, key)
    schema, name = split_key(key)
    return fold(vendor, schema) + SEPARATOR + fold(vendor, name)


def columns_by_name(vendor: str, table: Table) -> Mapping[str, Column]:
    """The columns of a table by folded name; those of the primary key are never nullable.

    SQLite's catalog calls the columns of a primary key nullable; serial types are integers.
    """
    key = {fold(vendor, name) for name in table.primary_key.columns} if table.primary_key else set()
    found: dict[str, Column] = {}
    for column in table.columns:
        name = fold(vendor, column.name)
        if column.nullable and name in key:
            column = replace(column, nullable=False)
        serial = _SERIALS.get(column.type.lower())
        if serial:
            column = replace(column, type=serial, identity=column.identity or "serial")
        found[name] = column
    return found


def compare_columns(
    expected: Column, live: Column, *, exact: bool = False, vendor: str = ""
) -> tuple[str, ...]:
    """The attributes in which a live column is not what is expected.

    Args:
        expected: What should be there.
        live: What is there.
        exact: Whether the expectation states everything (see the module).
        vendor: Django's vendor name: SQLite stores every integer type alike.

    Returns:
        Of "type" or "wider", "nullable", "default", "identity", "generated", "collation",
        those that differ.
    """
    differing: list[str] = []
    alike = vendor == "sqlite" and _both_integers(expected.type, live.type)
    if not alike and not _same_type(expected.type, live.type):
        differing.append(WIDER if is_wider(expected.type, live.type) else "type")
    if expected.nullable != live.nullable:
        differing.append("nullable")
    if exact:
        if not _same_text(expected.default, live.default):
            differing.append("default")
        if bool(expected.identity) != bool(live.identity):
            differing.append("identity")
        same = _same_text(expected.generated, live.generated)
        if not same or expected.stored != live.stored:
            differing.append("generated")
        if expected.collation != live.collation:
            differing.append("collation")
        return tuple(differing)
    # From state: what is not stated may be there. The text of an expression is not compared,
    # since state cannot spell it as the server does.
    if expected.default is not None and live.default is None and not live.identity:
        differing.append("default")
    if expected.identity and not live.identity:
        differing.append("identity")
    if (expected.generated is None) != (live.generated is None) or (
        expected.generated is not None and expected.stored != live.stored
    ):
        differing.append("generated")
    if expected.collation and expected.collation.lower() != live.collation.lower():
        differing.append("collation")
    return tuple(differing)


def with_collations(expected: Schema, live: Schema) -> tuple[Schema, Schema]:
    """Both schemas with the collation of each column spelled out, where those of tables differ.

    The collation of a column is told relative to its table's, since that depends on the day on
    which the table was made; of one database at two times, it does not (MySQL: `ALTER TABLE …
    CONVERT TO CHARACTER SET`).

    Args:
        expected: The same database, earlier.
        live: What is there now.
    """
    others = {
        key
        for key, table in expected.tables.items()
        if key in live.tables
        and table.collation
        and live.tables[key].collation not in {"", table.collation}
    }
    if not others:
        return expected, live
    return _spelled_out(expected, others), _spelled_out(live, others)


def _spelled_out(schema: Schema, keys: Collection[str]) -> Schema:
    def spelled(table: Table) -> Table:
        columns = (
            replace(column, collation=column.collation or table.collation)
            if _CHARACTERS.match(column.type)
            else column
            for column in table.columns
        )
        return replace(table, columns=tuple(columns))

    tables = {k: spelled(table) if k in keys else table for k, table in schema.tables.items()}
    return replace(schema, tables=tables)


def same_column(one: Column, other: Column) -> bool:
    """Whether two columns are alike in everything that state can state."""
    return (
        _same_type(one.type, other.type)
        and one.nullable == other.nullable
        and (one.default is None) == (other.default is None)
        and bool(one.identity) == bool(other.identity)
        and (one.generated is None) == (other.generated is None)
        and one.collation.lower() == other.collation.lower()
    )


def is_wider(expected: str, live: str) -> bool:
    """Whether every value of the expected type fits into the live one, which is another.

    Args:
        expected, live: Canonical types.
    """
    wanted, found = _spelled(expected), _spelled(live)
    if is_wider_integer(wanted, found):
        return True
    text = _VARCHAR.fullmatch(wanted)
    if text and wanted.startswith(("character varying", "varchar")):
        if found in _TEXTS:
            return True
        other = _VARCHAR.fullmatch(found)
        if other and found.startswith(("character varying", "varchar")):
            return other[1] is None or (text[1] is not None and int(other[1]) > int(text[1]))
        return False
    one, two = _NUMERIC.fullmatch(wanted), _NUMERIC.fullmatch(found)
    if one and two:
        scales = int(one[2] or 0), int(two[2] or 0)
        return scales[0] == scales[1] and int(two[1]) > int(one[1])
    return (wanted, found) == ("real", "double precision")


def is_wider_integer(expected: str, live: str) -> bool:
    """Whether the live type is a larger integer than the expected one, as with bigint ids."""
    one = _INTEGER.fullmatch(_spelled(expected))
    two = _INTEGER.fullmatch(_spelled(live))
    if not one or not two or one[1] not in _INTEGERS or two[1] not in _INTEGERS:
        return False
    return one[2] == two[2] and _INTEGERS[two[1]] > _INTEGERS[one[1]]


def _both_integers(one: str, other: str) -> bool:
    """Whether both types have SQLite's integer affinity (the name contains INT)."""
    return "int" in one.lower() and "int" in other.lower()


def _spelled(type_: str) -> str:
    return " ".join(type_.lower().split())


def _same_type(expected: str, live: str) -> bool:
    return not expected or _spelled(expected) == _spelled(live)


# -- keys, uniques, foreign keys, checks, indexes ------------------------------


def folded(vendor: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Each name as the server tells it from others."""
    return tuple(fold(vendor, name) for name in names)


def unique_columns(vendor: str, item: Unique | Index | PrimaryKey) -> frozenset[str] | None:
    """The set of columns that this keeps unique on every row; None where it does not."""
    if isinstance(item, Index) and (
        not item.unique
        or item.condition
        or any(key.expression or _is_prefix(key) for key in item.keys)
    ):
        return None
    return frozenset(folded(vendor, item.columns))


def _is_prefix(key: IndexKey) -> bool:
    """Whether only the first characters count (MySQL), so that more is refused than asked."""
    return key.opclass.startswith("(")


def same_index(vendor: str, expected: Index, live: Index, *, exact: bool = False) -> bool:
    """Whether a live index does what the expected one does (whether valid or not)."""
    if expected.unique != live.unique or expected.method.lower() != live.method.lower():
        return False
    if not set(folded(vendor, expected.include)) <= set(folded(vendor, live.include)):
        return False
    if bool(expected.condition) != bool(live.condition) or len(expected.keys) != len(live.keys):
        return False
    if exact and not _same_text(expected.condition, live.condition):
        return False
    return all(
        _same_key(vendor, one, two, exact=exact)
        for one, two in zip(expected.keys, live.keys, strict=True)
    )


def _same_key(vendor: str, expected: IndexKey, live: IndexKey, *, exact: bool) -> bool:
    if bool(expected.expression) != bool(live.expression):
        return False
    if exact and not _same_text(expected.expression, live.expression):
        return False
    if fold(vendor, expected.column) != fold(vendor, live.column):
        return False
    return (
        expected.descending == live.descending
        and _nulls_first(expected) == _nulls_first(live)
        and _same_opclass(expected.opclass, live.opclass, exact=exact)
        and (not exact or expected.collation == live.collation)
    )


def _same_opclass(expected: str, live: str, *, exact: bool) -> bool:
    """Whether two operator classes are one; a server does not tell the default of a type.

    State cannot know which one that is: what is named and not told of is taken for it, unless
    it is none for any type.
    """
    if exact or not expected:
        return expected == live
    name = expected.rpartition(".")[2].lower()
    if not live:
        return not name.endswith(_NEVER_DEFAULT)
    return name == live.rpartition(".")[2].lower()


def _nulls_first(key: IndexKey) -> bool:
    return key.descending if key.nulls_first is None else key.nulls_first


def covers(vendor: str, item: Unique | PrimaryKey | Index, index: Index) -> bool:
    """Whether a unique constraint, key or index serves where a plain index is expected."""
    if not isinstance(item, PrimaryKey) and item.ignored and not index.ignored:
        return False
    if index.unique or index.condition or index.include or index.method.lower() != "btree":
        return False
    if any(key.expression or key.descending or key.opclass for key in index.keys):
        return False
    if isinstance(item, Index):
        plain = not item.condition and item.valid and item.method.lower() == "btree"
        if not plain or any(k.expression or k.descending or k.opclass for k in item.keys):
            return False
    return folded(vendor, item.columns) == folded(vendor, index.columns)


def serves_like(expected: Table, live: Index) -> bool:
    """Whether a live index may be the second one of an indexed column with a collation.

    Django makes it, for LIKE, where the server calls the collation deterministic
    (`_create_like_index_sql` of db/backends/postgresql/schema.py), which state cannot know.
    """
    if len(live.keys) != 1 or not live.keys[0].opclass.endswith("_pattern_ops"):
        return False
    name = live.keys[0].column
    collated = any(column.name == name and column.collation for column in expected.columns)
    key = (expected.primary_key,) if expected.primary_key else ()
    items: tuple[Unique | PrimaryKey | Index, ...] = (*expected.uniques, *key, *expected.indexes)
    return collated and any(item.columns == (name,) for item in items)


def same_reference(vendor: str, expected: ForeignKey, live: ForeignKey) -> bool:
    """Whether two foreign keys tie the same columns to the same table."""
    if fold_key(vendor, expected.to_table) != fold_key(vendor, live.to_table):
        return False
    pairs = set(zip(expected.columns, expected.to_columns or live.to_columns, strict=False))
    others = set(zip(live.columns, live.to_columns or expected.to_columns, strict=False))
    return {folded(vendor, pair) for pair in pairs} == {folded(vendor, pair) for pair in others}


def compare_references(
    vendor: str, expected: ForeignKey, live: ForeignKey, *, exact: bool = False
) -> tuple[str, ...]:
    """The attributes in which a live foreign key on the same columns differs."""
    differing: list[str] = []
    # Only PostgreSQL's catalog tells; on SQLite the pragma does not, MySQL has none.
    if vendor == "postgresql" and (expected.deferrable, expected.initially_deferred) != (
        live.deferrable,
        live.initially_deferred,
    ):
        differing.append("deferrable")
    if _action(expected.on_delete) != _action(live.on_delete):
        differing.append("on delete")
    if exact and _action(expected.on_update) != _action(live.on_update):
        differing.append("on update")
    if expected.valid and not live.valid:
        differing.append("valid")
    return tuple(differing)


def _action(action: str) -> str:
    # Nothing happens to the referencing row either way; MySQL reports the two alike.
    return "NO ACTION" if action.upper() in {"", "RESTRICT"} else action.upper()


def same_check(vendor: str, expected: Check, live: Check, *, exact: bool = False) -> bool:
    """Whether two check constraints are the same one, whatever they are called."""
    if expected.name and fold(vendor, expected.name) == fold(vendor, live.name):
        return True
    if expected.expression:
        return same_expression(expected.expression, live.expression, exact=exact)
    wanted = set(folded(vendor, expected.columns))
    return bool(wanted) and wanted == set(folded(vendor, live.columns))


def says_nothing(vendor: str, table: Table, check: Check) -> bool:
    """Whether a check says of an unsigned column of MySQL that it is not negative.

    MariaDB forgets the one that Django writes into the column at the next MODIFY of it, so that
    healthy databases have it or not; no row is ever refused by it.

    Args:
        vendor: Django's vendor name.
        table: The check's.
        check: Any.
    """
    return vendor == "mysql" and any(
        "unsigned" in column.type.lower() and _bare(check.expression) == f"{_bare(column.name)}>=0"
        for column in table.columns
    )


def same_expression(expected: str, live: str, *, exact: bool = False) -> bool:
    """Whether two expressions read alike, parentheses, quotes, case and white space aside.

    Args:
        expected, live: SQL.
        exact: Both are as a server spells them, where each of these means something.
    """
    if not expected:
        return True
    return _same_text(expected, live) if exact else _bare(expected) == _bare(live)


def _same_text(expected: str | None, live: str | None) -> bool:
    """Whether two expressions that a server shows are the same; None for none."""
    if expected is None or live is None:
        return expected == live
    return expected == live or read_expression(expected) == read_expression(live)


def _bare(expression: str) -> str:
    return re.sub(r"[\s()\"`\[\]]", "", expression).lower()
