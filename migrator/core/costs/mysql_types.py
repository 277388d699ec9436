"""How MySQL and MariaDB change a column's type: in place where its bytes stay as they are."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.core.schema import Column

_ALIASES = {
    "integer": "int",
    "int4": "int",
    "int8": "bigint",
    "int2": "smallint",
    "bool": "tinyint",
    "boolean": "tinyint",
    "dec": "decimal",
    "numeric": "decimal",
    "fixed": "decimal",
    "double precision": "double",
    "real": "double",
    "character varying": "varchar",
    "character": "char",
    "json": "longtext",  # MariaDB's own reading; MySQL's is told apart below
}
_INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}
_LENGTHS = {"varchar": (4, 3), "varbinary": (1,)}
"""Bytes of a character: of utf8mb4 and utf8mb3, where the server's default is not known."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type taken apart: "int unsigned" is ("int unsigned", ())."""

    base: str
    arguments: tuple[str, ...] = ()


def parse_type(text: str) -> Type:
    """A type in any of its spellings, without display width and character set."""
    before, opened, rest = text.partition("(")
    inside, _, after = rest.rpartition(")")
    words = f"{before} {after}".lower().partition(" character set ")[0].split()
    signs = [word for word in words if word in {"unsigned", "zerofill"}]
    name = " ".join(word for word in words if word not in {"unsigned", "zerofill", "signed"})
    name = _ALIASES.get(name, name)
    arguments = tuple(part.strip() for part in inside.split(",")) if opened else ()
    if name in _INTEGERS:
        arguments = ()
    if name == "decimal":
        arguments = (arguments + ("10", "0")[len(arguments) :])[:2]
    if name in {"datetime", "timestamp", "time"} and arguments == ("0",):
        arguments = ()
    return Type(" ".join([name, *signs]), arguments)


def charset_of(collation: str) -> str:
    """The character set of a collation; "" for none."""
    return collation.partition("_")[0]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a column, by what the storage engine has to do.

    Attributes:
        copy: Its values are written otherwise.
        longer: It only gets longer, within the same length bytes.
        appended: Values are added at the end of an ENUM or SET.
        collated: Another collation of the same character set.
        nullability: NOT NULL comes or goes.
    """

    copy: bool = False
    longer: bool = False
    appended: bool = False
    collated: bool = False
    nullability: bool = False


def change_of(
    column: Column, type_text: str, collation: str, not_null: bool | None, *, mariadb: bool = True
) -> Change:
    """What becomes of a column.

    Args:
        column: As it is.
        type_text: As it is to be, with its character set where one is written.
        collation: As it is to be; "" for the table's own.
        not_null: As it is to be; None where nothing is said.
        mariadb: Whether the server is MariaDB.
    """
    before, after = parse_type(column.type), parse_type(type_text)
    charset = type_text.lower().partition(" character set ")[2].strip() or charset_of(collation)
    old_charset = charset_of(column.collation)
    recoded = bool(old_charset and (charset or "utf8mb4") != old_charset)
    recoded = recoded or bool(charset and not old_charset and charset != "utf8mb4")
    longer = appended = False
    copy = recoded
    if before != after:
        longer = _longer(before, after, mariadb=mariadb)
        appended = _appended(before, after)
        copy = copy or not (longer or appended)
    return Change(
        copy=copy,
        longer=longer,
        appended=appended,
        collated=not recoded and collation != column.collation,
        nullability=not_null is not None and not_null == column.nullable,
    )


def _longer(before: Type, after: Type, *, mariadb: bool) -> bool:
    if before.base != after.base or before.base not in _LENGTHS:
        return False
    try:
        old, new = int(before.arguments[0]), int(after.arguments[0])
    except (ValueError, IndexError):
        return False
    return new >= old and all(
        _same_length_bytes(old * size, new * size, mariadb=mariadb)
        for size in _LENGTHS[before.base]
    )


def _same_length_bytes(old: int, new: int, *, mariadb: bool) -> bool:
    """Up to 255 bytes a length takes one byte, above it two.

    Of what has 127 bytes at most MariaDB reads the same rows either way.
    """
    return (old > 255) == (new > 255) or (mariadb and old <= 127)


def _appended(before: Type, after: Type) -> bool:
    if before.base != after.base or before.base not in {"enum", "set"}:
        return False
    kept = after.arguments[: len(before.arguments)] == before.arguments
    return kept and len(after.arguments) < 256
