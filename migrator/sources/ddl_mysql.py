"""MySQL's and MariaDB's SQL as actions, read from tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from migrator.core.ddl import (
    Action,
    CreateIndex,
    CreateTable,
    DropIndex,
    DropObject,
    DropTable,
    Harmless,
    Opaque,
    RenameTable,
    TableMaintenance,
    Truncate,
)
from migrator.sources import ddl_tokens
from migrator.sources.ddl_columns import read_columns
from migrator.sources.ddl_mysql_alter import read_clauses
from migrator.sources.ddl_rows import read_rows
from migrator.sources.ddl_tokens import Cursor, Unreadable

_HARMLESS = {
    "SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "SET", "USE", "BEGIN",
    "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "UNLOCK", "GRANT", "REVOKE", "FLUSH",
    "KILL", "CHECK", "CHECKSUM",
}  # fmt: skip
_OBJECTS = {
    "VIEW", "USER", "ROLE", "FUNCTION", "PROCEDURE", "EVENT", "DATABASE", "SCHEMA", "SERVER",
    "SEQUENCE", "TABLESPACE", "PACKAGE",
}  # fmt: skip

_FUNCTIONS = {
    "COUNT", "SUM", "MIN", "MAX", "AVG", "COALESCE", "IFNULL", "NULLIF", "IF", "CONCAT", "NOW",
    "DATABASE", "VERSION", "USER", "CONNECTION_ID", "LAST_INSERT_ID", "ROW_COUNT", "GET_LOCK",
    "RELEASE_LOCK", "SLEEP", "UUID", "RAND", "LOWER", "UPPER", "ROUND", "DATE", "CAST",
    "CONVERT", "GROUP_CONCAT", "GREATEST", "LEAST", "LENGTH", "CHAR_LENGTH", "EXISTS", "IN",
    "VALUES", "AS", "AND", "OR", "NOT", "FROM", "SELECT", "WHERE", "ON", "JOIN", "UNION", "ALL",
    "OVER", "BETWEEN", "THEN", "ELSE", "WHEN", "USING", "ANY", "BY", "HAVING", "DISTINCT",
    "SUBSTRING", "REPLACE", "TRIM", "ABS", "MOD", "JSON_EXTRACT", "JSON_UNQUOTE", "JSON_OBJECT",
    "DATE_FORMAT", "UNIX_TIMESTAMP", "FROM_UNIXTIME", "INTERVAL", "LIKE", "CHAR", "VARCHAR",
    "DECIMAL", "BINARY", "DATETIME", "ROW_NUMBER", "RANK", "SIGNED", "UNSIGNED", "FOUND_ROWS",
    "CURDATE", "CURRENT_TIMESTAMP", "DATE_ADD", "DATE_SUB", "DATEDIFF", "TIMESTAMPDIFF", "YEAR",
    "MONTH", "DAY", "HOUR", "HEX", "UNHEX", "MD5", "SHA1", "SHA2", "FLOOR", "CEIL", "CEILING",
}  # fmt: skip
"""What may stand before a parenthesis in a query; a stored function may write rows."""


def split(sql: str) -> tuple[str, ...]:
    """Each statement of a text, without its semicolon."""
    return ddl_tokens.split(sql, "mysql")


def read(statement: str) -> tuple[Action, ...]:
    """The actions of one statement.

    Args:
        statement: As `split` gives them.
    """
    try:
        return ddl_tokens.read_with(statement, "mysql", _read)
    except Unreadable:
        return (Opaque(statement),)


def _read(cursor: Cursor) -> Iterator[Action]:
    while cursor.take("("):
        pass
    verb = cursor.next().word
    if verb in _STATEMENTS:
        yield from _STATEMENTS[verb](cursor)
    elif verb in {"INSERT", "REPLACE", "UPDATE", "DELETE"}:
        yield from read_rows(cursor, verb, "mysql")
        cursor.skip_all()
    elif verb in _HARMLESS:
        if verb in {"SELECT", "VALUES", "SET", "EXPLAIN"}:
            _refuse_calls(cursor)
        cursor.skip_all()
        yield Harmless(verb.lower())  # after "use", names are others
    else:
        raise Unreadable


def _refuse_calls(cursor: Cursor) -> None:
    tokens = cursor.rest
    for token, after in pairwise(tokens):
        called = after.kind == "sign" and after.text == "(" and token.kind in {"word", "name"}
        if (called and token.word not in _FUNCTIONS) or token.word == "OUTFILE":
            raise Unreadable


def _with(cursor: Cursor) -> Iterator[Action]:
    ddl_tokens.skip_common_tables(cursor)
    yield from _read(cursor)


def _create(cursor: Cursor) -> Iterator[Action]:
    replaces = cursor.take("OR", "REPLACE")
    temporary = cursor.take("TEMPORARY")
    kind = cursor.take_any("UNIQUE", "FULLTEXT", "SPATIAL")
    if cursor.take("INDEX"):
        yield from _index(cursor, kind)
    elif cursor.take("TABLE"):
        exists = cursor.take("IF", "NOT", "EXISTS")
        key = cursor.key()
        references = tuple(_references(cursor))
        if replaces and not temporary:
            yield DropTable(key)  # MariaDB: with its rows
        as_query = any(token.word in {"SELECT", "AS"} for token in cursor.rest)
        yield CreateTable(
            key,
            references=tuple(dict.fromkeys(references)),
            temporary=temporary,
            if_not_exists=exists,
            as_query=as_query,
        )
    else:
        yield from _create_object(cursor)
    cursor.skip_all()


def _references(cursor: Cursor) -> Iterator[str]:
    inside = Cursor(cursor.parens() if cursor.sees("(") else ())
    while not inside.done:
        if inside.take("REFERENCES"):
            yield inside.key()
        else:
            inside.next()


def _index(cursor: Cursor, kind: str) -> Iterator[Action]:
    exists = cursor.take("IF", "NOT", "EXISTS")
    name = cursor.name()
    if cursor.take("USING"):
        cursor.name()
    if not cursor.take("ON"):
        raise Unreadable
    table = cursor.key()
    columns = read_columns(cursor.parens())
    if kind in {"FULLTEXT", "SPATIAL"}:
        yield TableMaintenance(table, f"add {kind.lower()} index")
    else:
        yield CreateIndex(
            table, name=name, columns=columns, unique=kind == "UNIQUE", if_not_exists=exists
        )


def _create_object(cursor: Cursor) -> Iterator[Action]:
    while not cursor.done:
        word = cursor.next().word
        if word == "TRIGGER":
            while not cursor.take("ON"):
                cursor.next()
            yield TableMaintenance(cursor.key(), "create trigger")
            return
        if word in _OBJECTS:
            yield Harmless(f"create {word.lower()}")
            return
    raise Unreadable


def _alter(cursor: Cursor) -> Iterator[Action]:
    cursor.take("ONLINE")
    cursor.take("IGNORE")
    if cursor.take("TABLE"):
        cursor.take("IF", "EXISTS")
        yield from read_clauses(cursor.key(), cursor)
        return
    if not any(token.word in _OBJECTS for token in cursor.rest[:8]):
        raise Unreadable
    cursor.skip_all()
    yield Harmless("alter")


def _drop(cursor: Cursor) -> Iterator[Action]:
    cursor.take("TEMPORARY")
    if cursor.take("TABLE"):
        cursor.take("IF", "EXISTS")
        keys = [cursor.key()]
        while cursor.take(","):
            keys.append(cursor.key())
        cascade = cursor.take_any("CASCADE", "RESTRICT") == "CASCADE"
        for key in keys:
            yield DropTable(key, cascade=cascade)
    elif cursor.take("INDEX"):
        cursor.take("IF", "EXISTS")
        name = cursor.name()
        if not cursor.take("ON"):
            raise Unreadable
        yield DropIndex(name, table=cursor.key())
        cursor.skip_all()
    else:
        kind = cursor.take_any("TRIGGER", *sorted(_OBJECTS))
        if not kind:
            raise Unreadable
        cursor.take("IF", "EXISTS")
        yield DropObject("schema" if kind == "DATABASE" else kind.lower(), cursor.key())
        cursor.skip_all()


def _rename(cursor: Cursor) -> Iterator[Action]:
    if not cursor.take_any("TABLE", "TABLES"):
        raise Unreadable
    while True:
        key = cursor.key()
        if not cursor.take("TO"):
            raise Unreadable
        yield RenameTable(key, cursor.key())
        if not cursor.take(","):
            return


def _truncate(cursor: Cursor) -> Iterator[Action]:
    cursor.take("TABLE")
    yield Truncate((cursor.key(),))


def _maintain(what: str) -> Callable[[Cursor], Iterator[Action]]:
    def read_tables(cursor: Cursor) -> Iterator[Action]:
        cursor.take_any("NO_WRITE_TO_BINLOG", "LOCAL")
        if not cursor.take_any("TABLE", "TABLES"):
            raise Unreadable
        yield TableMaintenance(cursor.key(), what)
        while cursor.take(","):
            yield TableMaintenance(cursor.key(), what)
        cursor.skip_all()

    return read_tables


def _lock(cursor: Cursor) -> Iterator[Action]:
    if not cursor.take_any("TABLE", "TABLES"):
        raise Unreadable
    while True:
        key = cursor.key()
        while not cursor.done and cursor.peek().word not in {"READ", "WRITE"}:
            cursor.next()
        yield TableMaintenance(key, f"lock {cursor.next().word.lower()}")
        cursor.take("LOCAL")
        if not cursor.take(","):
            return


_STATEMENTS: dict[str, Callable[[Cursor], Iterator[Action]]] = {
    "WITH": _with,
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "RENAME": _rename,
    "TRUNCATE": _truncate,
    "OPTIMIZE": _maintain("optimize"),
    "REPAIR": _maintain("repair"),
    "ANALYZE": _maintain("analyze"),
    "LOCK": _lock,
}
