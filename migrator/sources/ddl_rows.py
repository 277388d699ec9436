"""What MySQL and SQLite write to rows: INSERT, UPDATE, DELETE, also behind WITH."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.core.ddl import Action, Delete, Insert, Update
from migrator.core.schema import split_key
from migrator.sources.ddl_tokens import Cursor, Token, Unreadable

_MODIFIERS = (
    "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "INTO",
)  # fmt: skip
_CONSTANT = {"TRUE", "FALSE", "NULL", "NOT", "AND", "OR", "IS", "LIMIT", "ORDER", "BY"}
_RESOLUTIONS = {"ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE"}


def read_rows(cursor: Cursor, verb: str) -> Iterator[Action]:
    """The actions behind a verb that was read.

    Args:
        cursor: Behind the verb.
        verb: "INSERT" | "REPLACE" | "UPDATE" | "DELETE".

    Raises:
        Unreadable: It names no table.
    """
    replaces = verb == "REPLACE"
    if cursor.take("OR"):
        resolution = cursor.next().word
        if resolution not in _RESOLUTIONS:
            raise Unreadable
        replaces = resolution == "REPLACE" and verb == "INSERT"
    while cursor.take_any(*_MODIFIERS):
        pass
    if verb in {"INSERT", "REPLACE"}:
        key = cursor.key()
        yield Insert(key, sources=_sources(cursor.rest))
        columns = _columns(cursor) if replaces else _on_conflict(cursor)
        if columns:
            yield Update(key, filtered=True, columns=columns, doubtful=True)
    elif verb == "UPDATE":
        keys = list(_targets(cursor, "SET"))
        filtered = _filtered(cursor.rest)
        condition = _condition(cursor) if len(keys) == 1 and filtered else ""
        columns = _overwritten(cursor) if len(keys) == 1 else ()
        for key in keys:
            yield Update(key, filtered=filtered, columns=columns, condition=condition)
    else:
        yield from _delete(cursor)


def _columns(cursor: Cursor) -> tuple[str, ...]:
    """The columns that an INSERT names."""
    found: list[str] = []
    if not cursor.take("("):
        return ()
    while not cursor.done and not cursor.take(")"):
        found.append(split_key(cursor.key())[1])
        cursor.take(",")
    return tuple(found)


def _on_conflict(cursor: Cursor) -> tuple[str, ...]:
    """The columns that an INSERT overwrites in rows that are there already."""
    while not cursor.done:
        if cursor.take("ON"):
            while not cursor.done:
                if cursor.take("UPDATE"):  # ON DUPLICATE KEY UPDATE x = …, DO UPDATE SET x = …
                    cursor.take("SET")
                    return _assigned(cursor)
                cursor.next()
        elif cursor.sees("("):
            cursor.parens()
        else:
            cursor.next()
    return ()


def _delete(cursor: Cursor) -> Iterator[Action]:
    if cursor.take("FROM"):
        keys = list(_targets(cursor, "WHERE", "USING", "ORDER", "LIMIT", "RETURNING"))
    else:  # MySQL: DELETE t1, t2 FROM …
        keys = list(_targets(cursor, "FROM"))
    filtered = _filtered(cursor.rest)
    condition = _condition(cursor) if len(keys) == 1 and filtered else ""
    for key in keys:
        yield Delete(key, filtered=filtered, condition=condition)


def _targets(cursor: Cursor, *ends: str) -> Iterator[str]:
    """Tables up to one of these words; a joined one is among them."""
    while True:
        yield cursor.key()
        if cursor.take(".", "*"):
            pass
        while not cursor.done and not cursor.sees(",") and not any(map(cursor.sees, ends)):
            if cursor.take("JOIN"):
                break
            if cursor.sees("("):
                cursor.parens()
            else:
                cursor.next()
        else:
            if not cursor.take(","):
                return


def _condition(cursor: Cursor) -> str:
    """The WHERE of a statement about one table, where nothing comes behind or is asked in it."""
    words = [token.word for token in cursor.rest]
    if not words or {"SELECT", "ORDER", "LIMIT", "RETURNING", "USING"} & set(words):
        return ""
    if words.count("WHERE") != 1:
        return ""
    return cursor.text(cursor.rest[words.index("WHERE") + 1 :])


def _overwritten(cursor: Cursor) -> tuple[str, ...]:
    """The columns that are set, without those that only have their NULLs filled."""
    return _assigned(cursor) if cursor.take("SET") else ()


def _assigned(cursor: Cursor) -> tuple[str, ...]:
    found: list[str] = []
    while not cursor.done:
        column = split_key(cursor.key())[1]
        if not cursor.take("="):
            return ()
        filled = cursor.take_any("COALESCE", "IFNULL") and cursor.take("(")
        if not (filled and split_key(cursor.key())[1] == column):
            found.append(column)
        depth = 1 if filled else 0
        while not cursor.done and (depth or not cursor.sees(",")):
            if not depth and any(map(cursor.sees, ("WHERE", "ORDER", "LIMIT", "RETURNING"))):
                return tuple(found)
            if cursor.take("("):
                depth += 1
            elif cursor.take(")"):
                depth -= 1
            else:
                cursor.next()
        cursor.take(",")
    return tuple(found)


def _filtered(tokens: tuple[Token, ...]) -> bool:
    """WHERE 1, WHERE TRUE and WHERE 1 = 1 are no filter: a condition names something."""
    cursor = Cursor(tokens)
    while not cursor.done:
        if cursor.take("WHERE"):
            return any(
                token.kind == "name" or (token.kind == "word" and token.word not in _CONSTANT)
                for token in cursor.rest
            )
        if cursor.take("LIMIT"):
            return True
        if cursor.sees("("):
            cursor.parens()
        else:
            cursor.next()
    return False


def _sources(tokens: tuple[Token, ...]) -> tuple[str, ...]:
    """Tables that a SELECT in it reads."""
    found: dict[str, None] = {}
    cursor = Cursor(tokens)
    while not cursor.done:
        if cursor.take_any("FROM", "JOIN"):
            if cursor.peek().kind in {"word", "name"}:
                found[cursor.key()] = None
        else:
            cursor.next()
    return tuple(found)
