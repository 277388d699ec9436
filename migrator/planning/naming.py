"""Names that a server gives to what a statement does not name."""

from __future__ import annotations

from collections.abc import Collection, Iterable

_LIMIT = 63
"""NAMEDATALEN - 1 of PostgreSQL, in bytes."""


def postgresql_name(
    table: str, columns: Iterable[str], label: str, taken: Collection[str] = ()
) -> str:
    """The name of an unnamed constraint, of its index, or of a column's sequence.

    As `makeObjectName` and `ChooseRelationName` of PostgreSQL (src/backend/commands/
    indexcmds.c, 9.0 to 18): the longer of the two parts is cut until it all fits, and a number
    is put behind the label while the name is taken.

    Args:
        table: Bare name.
        columns: Joined by underscores; none for a name without.
        label: "pkey", "key", "check", "seq", …
        taken: Names that are in use.
    """
    second = "_".join(columns)
    number = 0
    while True:
        made = _fitted(table, second, f"{label}{number or ''}")
        if made not in taken:
            return made
        number += 1


def mysql_name(columns: Iterable[str], taken: Collection[str] = ()) -> str:
    """The name of an unnamed index: its first column, numbered from 2 on while it is taken.

    As `make_unique_key_name` of MySQL and MariaDB (sql/sql_table.cc).

    Args:
        columns: Of the index.
        taken: Names of the indexes of the table.
    """
    first = next(iter(columns), "")
    lowered = {name.lower() for name in taken}
    if first.lower() not in lowered and first.lower() != "primary":
        return first
    number = 2
    while f"{first}_{number}".lower() in lowered:
        number += 1
    return f"{first}_{number}"


def _fitted(first: str, second: str, label: str) -> str:
    one, two = first.encode(), second.encode()
    overhead = len(label.encode()) + 1 + (1 if two else 0)
    room = _LIMIT - overhead
    length, other = len(one), len(two)
    while length + other > room:
        if length > other:
            length -= 1
        else:
            other -= 1
    parts = [_clipped(one, length), *([_clipped(two, other)] if two else []), label]
    return "_".join(parts)


def _clipped(text: bytes, length: int) -> str:
    """No half of a character (pg_mbcliplen)."""
    return text[:length].decode(errors="ignore")
