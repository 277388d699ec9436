"""What SQL in a migration may do to a schema behind the back of the state.

Proof, not suspicion, is what narrows it down: whatever cannot be read is taken to touch
anything. SQL that only moves rows cannot change a schema; DDL that can be parsed touches the
tables that it names.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from migrator.core.schema import table_key

ANYTHING: frozenset[str] | None = None
"""In place of a set of tables: any table of the database."""

NOTHING: frozenset[str] = frozenset()

_DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}


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
_PLAIN_FUNCTIONS = frozenset(
    {"setval", "nextval", "currval", "set_config", "pg_get_serial_sequence"}
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
        reading = _read_script(script, vendor)
        moves_rows = moves_rows or reading.moves_rows
        tables = join(tables, reading.tables)
    return SqlReading(tables, moves_rows)


def is_empty_sql(sql: Any) -> bool:
    """Whether there is nothing to run: RunSQL.noop, an empty list, comments alone."""
    return all(not _without_comments(script).strip(" \t\r\n;") for script in _scripts(sql))


def join(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Both sets of tables; anything swallows every set."""
    return ANYTHING if one is None or other is None else one | other


def _scripts(sql: Any) -> Iterator[str]:
    if isinstance(sql, list | tuple):
        for item in sql:
            yield str(item[0] if isinstance(item, list | tuple) else item)
    else:
        yield str(sql)


def _without_comments(script: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", " ", script, flags=re.S)


def _read_script(script: str, vendor: str) -> SqlReading:
    if not _without_comments(script).strip(" \t\r\n;"):
        return SqlReading(NOTHING, moves_rows=False)
    quiet = logging.getLogger("sqlglot")
    level, quiet.level = quiet.level, logging.CRITICAL  # it warns of what it cannot parse
    try:
        statements = sqlglot.parse(script, read=_DIALECTS.get(vendor))
    except (SqlglotError, RecursionError):
        return _read_text(script)
    finally:
        quiet.level = level
    tables: frozenset[str] | None = NOTHING
    moves_rows = False
    for statement in statements:
        if statement is None:
            continue
        reading = _read_statement(statement, vendor)
        moves_rows = moves_rows or reading.moves_rows
        tables = join(tables, reading.tables)
    return SqlReading(tables, moves_rows)


def _read_statement(statement: Any, vendor: str) -> SqlReading:
    if isinstance(statement, exp.Command):
        return _read_text(_command_text(statement))
    if isinstance(statement, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        return SqlReading(_called(statement), moves_rows=True)
    if isinstance(statement, exp.Query):
        return SqlReading(_called(statement), moves_rows=_calls_anything(statement))
    if isinstance(statement, exp.TruncateTable):
        return SqlReading(NOTHING, moves_rows=True)
    if isinstance(statement, exp.Set | exp.Pragma | exp.Comment | exp.Grant | exp.Transaction):
        return SqlReading(NOTHING, moves_rows=False)
    if isinstance(statement, exp.Commit | exp.Analyze):
        return SqlReading(NOTHING, moves_rows=False)
    if isinstance(statement, exp.Create | exp.Drop | exp.Alter):
        return _read_ddl(statement, vendor)
    return SqlReading(ANYTHING, moves_rows=True)


def _read_ddl(statement: Any, vendor: str) -> SqlReading:
    kind = str(statement.args.get("kind") or "").upper()
    text = statement.sql(dialect=_DIALECTS.get(vendor))
    if kind == "TABLE":
        # Of CREATE TABLE … AS SELECT only the table itself changes; a reference is no change.
        target = statement.this
        own = target if isinstance(target, exp.Table) else (target and target.find(exp.Table))
        names = {_table(own)} if own is not None else set()
        renames = (found for found in statement.find_all(exp.AlterRename))
        names |= {_table(found.this) for found in renames if isinstance(found.this, exp.Table)}
        if isinstance(statement, exp.Drop):
            names |= {_table(found) for found in statement.find_all(exp.Table)}
        if names:
            return SqlReading(frozenset(names), moves_rows=False)
    if kind == "INDEX" and isinstance(statement, exp.Create):
        table = statement.this.args.get("table") or statement.find(exp.Table)
        if table is not None:
            return SqlReading(frozenset({_table(table)}), moves_rows=False)
    if kind in {"VIEW", "SCHEMA", "DATABASE", "SEQUENCE"} and not isinstance(statement, exp.Drop):
        return SqlReading(NOTHING, moves_rows=False)
    return _read_text(text)


def _read_text(script: str) -> SqlReading:
    """Statements that the parser leaves alone, one that names its table at a time."""
    text = _without_comments(script).strip().rstrip(";")
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


def _command_text(statement: exp.Command) -> str:
    rest = statement.args.get("expression")
    return f"{statement.this} {rest.name if isinstance(rest, exp.Expression) else rest or ''}"


def _table(table: Any) -> str:
    schema = table.args.get("db")
    return table_key(_plain(schema) if schema else "", _plain(table.this))


def _plain(identifier: Any) -> str:
    quoted = bool(getattr(identifier, "quoted", False) or identifier.args.get("quoted"))
    name = str(identifier.name)
    return name if quoted else name.lower()


def _named(text: str) -> str:
    parts = re.findall(r'"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$]+', text)
    names = [part[1:-1] if part[0] in '"`[' else part.lower() for part in parts]
    return table_key(names[0] if len(names) > 1 else "", names[-1])


def _calls_anything(statement: Any) -> bool:
    """Whether it calls functions that the parser does not know: `create_hypertable(…)`."""
    return any(
        str(call.this).lower() not in _PLAIN_FUNCTIONS for call in statement.find_all(exp.Anonymous)
    ) or bool(statement.find(exp.Insert, exp.Update, exp.Delete, exp.Into))


def _called(statement: Any) -> frozenset[str] | None:
    into = statement.find(exp.Into)
    calls = isinstance(statement, exp.Query) and any(
        str(call.this).lower() not in _PLAIN_FUNCTIONS for call in statement.find_all(exp.Anonymous)
    )
    return ANYTHING if into or calls else NOTHING
