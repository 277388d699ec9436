"""SQLite's SQL as actions, read from tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from migrator.core.ddl import (
    Action,
    CreateIndex,
    CreateTable,
    CreateView,
    DropColumn,
    DropIndex,
    DropObject,
    DropTable,
    Harmless,
    Opaque,
    Reindex,
    RenameColumn,
    RenameTable,
    TableMaintenance,
)
from migrator.sources import ddl_tokens
from migrator.sources.ddl_columns import read_columns, read_definition
from migrator.sources.ddl_rows import read_rows
from migrator.sources.ddl_tokens import Cursor, Unreadable

_HARMLESS = {
    "SELECT", "VALUES", "EXPLAIN", "ANALYZE", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT",
    "RELEASE", "ATTACH", "DETACH",
}  # fmt: skip
_UNSAFE = {"LOAD_EXTENSION", "WRITEFILE", "EDIT", "FTS3_TOKENIZER"}
"""Functions that reach beyond a query."""


def split(sql: str) -> tuple[str, ...]:
    """Each statement of a text, without its semicolon."""
    return ddl_tokens.split(sql, "sqlite")


def read(statement: str) -> tuple[Action, ...]:
    """The actions of one statement.

    Args:
        statement: As `split` gives them.
    """
    try:
        return ddl_tokens.read_with(statement, "sqlite", _read)
    except Unreadable:
        return (Opaque(statement),)


def _read(cursor: Cursor) -> Iterator[Action]:
    token = cursor.next()
    verb = token.word
    if any(found.word in _UNSAFE for found in cursor.rest):
        raise Unreadable
    if verb in _STATEMENTS:
        yield from _STATEMENTS[verb](cursor)
    elif verb in {"INSERT", "REPLACE", "UPDATE", "DELETE"}:
        yield from read_rows(cursor, verb, "sqlite")
        cursor.skip_all()
    elif verb in _HARMLESS:
        cursor.skip_all()
        yield Harmless(verb.lower())
    else:
        raise Unreadable


def _with(cursor: Cursor) -> Iterator[Action]:
    ddl_tokens.skip_common_tables(cursor, materialized=True)
    yield from _read(cursor)


def _pragma(cursor: Cursor) -> Iterator[Action]:
    if any(token.word == "WRITABLE_SCHEMA" for token in cursor.rest):
        raise Unreadable
    cursor.skip_all()
    yield Harmless("pragma")


def _create(cursor: Cursor) -> Iterator[Action]:
    temporary = bool(cursor.take_any("TEMP", "TEMPORARY"))
    if cursor.take("UNIQUE", "INDEX") or cursor.take("INDEX"):
        unique = cursor.peek(-1).word == "INDEX" and cursor.peek(-2).word == "UNIQUE"
        exists = cursor.take("IF", "NOT", "EXISTS")
        name = cursor.key()
        if not cursor.take("ON"):
            raise Unreadable
        table = cursor.name()
        columns = read_columns(cursor.parens())
        where = cursor.rest[1:] if cursor.sees("WHERE") else ()
        condition = cursor.text(where)
        yield CreateIndex(
            table, name=name, columns=columns, unique=unique, if_not_exists=exists,
            condition=condition,
        )  # fmt: skip
    elif cursor.take("TABLE"):
        exists = cursor.take("IF", "NOT", "EXISTS")
        key = cursor.key()
        yield CreateTable(
            key,
            references=references_in(cursor),
            temporary=temporary,
            if_not_exists=exists,
            as_query=cursor.sees("AS"),
        )
    elif cursor.take("VIRTUAL", "TABLE"):
        cursor.take("IF", "NOT", "EXISTS")
        yield CreateTable(cursor.key())
    elif cursor.take("VIEW"):
        cursor.take("IF", "NOT", "EXISTS")
        yield CreateView("create view", cursor.key())
    elif cursor.take("TRIGGER"):
        while not cursor.take("ON"):
            cursor.next()
        yield TableMaintenance(cursor.name(), "create trigger")
    else:
        raise Unreadable
    cursor.skip_all()


def references_in(cursor: Cursor) -> tuple[str, ...]:
    """Keys of the tables behind REFERENCES in the parentheses that come next, if any do."""
    found: dict[str, None] = {}
    inside = Cursor(cursor.parens() if cursor.sees("(") else ())
    while not inside.done:
        if inside.take("REFERENCES"):
            found[inside.key()] = None
        else:
            inside.next()
    return tuple(found)


def _alter(cursor: Cursor) -> Iterator[Action]:
    if not cursor.take("TABLE"):
        raise Unreadable
    table = cursor.key()
    if cursor.take("RENAME", "TO"):
        yield RenameTable(table, cursor.name())
    elif cursor.take("RENAME"):
        cursor.take("COLUMN")
        column = cursor.name()
        if not cursor.take("TO"):
            raise Unreadable
        yield RenameColumn(table, column, cursor.name())
    elif cursor.take("ADD"):
        cursor.take("COLUMN")
        yield read_definition(cursor).added_to(table)
    elif cursor.take("DROP"):
        cursor.take("COLUMN")
        yield DropColumn(table, cursor.name())
    else:
        raise Unreadable


def _drop(cursor: Cursor) -> Iterator[Action]:
    kind = cursor.take_any("TABLE", "INDEX", "VIEW", "TRIGGER")
    cursor.take("IF", "EXISTS")
    key = cursor.key()
    if kind == "TABLE":
        yield DropTable(key)
    elif kind == "INDEX":
        yield DropIndex(key)
    elif kind:
        yield DropObject(kind.lower(), key)
    else:
        raise Unreadable


def _reindex(cursor: Cursor) -> Iterator[Action]:
    yield Reindex(name="" if cursor.done else cursor.key())


def _vacuum(cursor: Cursor) -> Iterator[Action]:
    if any(token.word == "INTO" for token in cursor.rest):
        raise Unreadable
    cursor.skip_all()
    yield TableMaintenance("", "vacuum full")


_STATEMENTS: dict[str, Callable[[Cursor], Iterator[Action]]] = {
    "WITH": _with,
    "PRAGMA": _pragma,
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "REINDEX": _reindex,
    "VACUUM": _vacuum,
}
