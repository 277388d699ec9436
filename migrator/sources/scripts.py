"""What SQL in a migration may do to a schema behind the back of the state.

Proof, not suspicion, is what narrows it down: whatever cannot be read is taken to touch
anything. SQL that only moves rows cannot change a schema; DDL that can be parsed touches the
tables that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from migrator.core.schema import table_key

ANYTHING: frozenset[str] | None = None
"""In place of a set of tables: any table of the database."""

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SqlReading:
    """What a script does, as far as it can be read.

    Attributes:
        tables: Keys of the tables whose schema it may change; None for any.
        moves_rows: Whether it may change data.
    """

    tables: frozenset[str] | None
    moves_rows: bool


_HARMLESS = re.compile(
    r"\s*(set|reset|analyze|vacuum|comment|grant|revoke|lock|notify|begin|start|commit|savepoint|"
    r"release|pragma|explain|show|discard|checkpoint|select\s+pg_catalog\.set_config)\b",
    re.I,
)
_NAME = r'((?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$]+)(?:\.(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$]+))?)'
_ON_TABLE = (
    re.compile(rf"\s*alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?{_NAME}", re.I),
    re.compile(rf"\s*drop\s+table\s+(?:if\s+exists\s+)?{_NAME}\s*(?:cascade|restrict)?\s*$", re.I),
    re.compile(rf"\s*create\s+(?:unique\s+)?index\b[^(]*?\bon\s+(?:only\s+)?{_NAME}", re.I | re.S),
    re.compile(
        rf"\s*create\s+(?:or\s+replace\s+)?(?:constraint\s+)?trigger\b.*?\bon\s+{_NAME}",
        re.I | re.S,
    ),
    re.compile(rf"\s*drop\s+trigger\b.*?\bon\s+{_NAME}", re.I | re.S),
)
_RENAMED = re.compile(rf"\brename\s+to\s+{_NAME}\s*;?\s*$", re.I)
_ELSEWHERE = re.compile(
    r"\s*(create|drop|alter)\s+(or\s+replace\s+)?(extension|collation|role|user|database|"
    r"text\s+search|publication|subscription|server|statistics|view|materialized\s+view)\b",
    re.I,
)


def read_sql(sql: Any, vendor: str) -> SqlReading:
    """Read the `sql` of a RunSQL.

    Args:
        sql: A script, a list of statements, or of (statement, parameters) pairs.
        vendor: Django's vendor name, for the dialect.
    """
    tables: frozenset[str] | None = NOTHING
    moves_rows = False
    for script in _scripts(sql):
        if is_empty_sql(script):
            continue
        # The parser takes longer to import than most projects have SQL to parse.
        from migrator.sources.parsed import read_script

        reading = read_script(script, vendor)
        moves_rows = moves_rows or reading.moves_rows
        tables = join(tables, reading.tables)
    return SqlReading(tables, moves_rows)


def is_empty_sql(sql: Any) -> bool:
    """Whether there is nothing to run: RunSQL.noop, an empty list, comments alone."""
    return all(not without_comments(script).strip(" \t\r\n;") for script in _scripts(sql))


def join(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Both sets of tables; anything swallows every set."""
    return ANYTHING if one is None or other is None else one | other


def _scripts(sql: Any) -> Iterator[str]:
    if isinstance(sql, list | tuple):
        for item in sql:
            yield str(item[0] if isinstance(item, list | tuple) else item)
    else:
        yield str(sql)


def without_comments(script: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", " ", script, flags=re.S)


def read_text(script: str) -> SqlReading:
    """Statements that the parser leaves alone, one that names its table at a time."""
    text = without_comments(script).strip().rstrip(";")
    if "$$" in text or ";" in text:
        return SqlReading(ANYTHING, moves_rows=True)
    if _HARMLESS.match(text) or _ELSEWHERE.match(text):
        return SqlReading(NOTHING, moves_rows=False)
    for pattern in _ON_TABLE:
        found = pattern.match(text)
        if found:
            names = {_named(found[1])}
            renamed = _RENAMED.search(text)
            if renamed:
                names.add(_named(renamed[1]))
            return SqlReading(frozenset(names), moves_rows=False)
    return SqlReading(ANYTHING, moves_rows=True)


def _named(text: str) -> str:
    parts = re.findall(r'"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$]+', text)
    names = [part[1:-1] if part[0] in '"`[' else part.lower() for part in parts]
    return table_key(names[0] if len(names) > 1 else "", names[-1])
