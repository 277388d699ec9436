"""What parsed SQL does to a schema; `scripts` reads what the parser leaves alone.

A module of its own because importing the parser takes a good part of a second, which only
projects whose migrations hold SQL should pay.
"""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from migrator.core.schema import table_key
from migrator.sources.scripts import ANYTHING, NOTHING, SqlReading, join, read_text
from migrator.sources.silence import silenced

_DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
_PLAIN_FUNCTIONS = frozenset(
    {"setval", "nextval", "currval", "set_config", "pg_get_serial_sequence"}
)


def read_script(script: str, vendor: str) -> SqlReading:
    """Read a script that is not empty.

    Args:
        script: One or more statements.
        vendor: Django's vendor name, for the dialect.
    """
    try:
        with silenced():
            statements = sqlglot.parse(script, read=_DIALECTS.get(vendor))
    except (SqlglotError, RecursionError):
        return read_text(script)
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
        return read_text(_command_text(statement))
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
    return read_text(text)


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
