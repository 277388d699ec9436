"""What MySQL and SQLite write to rows: INSERT, UPDATE, DELETE, also behind WITH."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrator.core.ddl import Action, Delete, Insert, Update
from migrator.core.schema import split_key
from migrator.sources.assigned import Assigned, read_assigned, repeatable
from migrator.sources.ddl_tokens import Cursor, Token, Unreadable

_MODIFIERS = (
    "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "INTO",
)  # fmt: skip
_CONSTANT = {"TRUE", "FALSE", "NULL", "NOT", "AND", "OR", "IS", "LIMIT", "ORDER", "BY"}
_BEHIND = ("FROM", "WHERE", "ORDER", "LIMIT", "RETURNING")
_RESOLUTIONS = {"ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE"}


def read_rows(cursor: Cursor, verb: str, dialect: str) -> Iterator[Action]:
    """The actions behind a verb that was read.

    Args:
        cursor: Behind the verb.
        verb: "INSERT" | "REPLACE" | "UPDATE" | "DELETE".
        dialect: "mysql" | "sqlite".

    Raises:
        Unreadable: It names no table.
    """
    replaces, resolution = verb == "REPLACE", ""
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
        tables = dict(_targets(cursor, "SET"))
        if resolution == "REPLACE":  # SQLite: rows that are in the way of the new values go
            yield Delete(next(iter(tables.values())), filtered=True, doubtful=True)
        yield from _updates(cursor, tables, dialect)
    else:
        yield from _delete(cursor)


def _updates(cursor: Cursor, tables: dict[str, str], dialect: str) -> Iterator[Action]:
    """An action for each table of which a column is set.

    Args:
        cursor: At SET.
        tables: Keys by the names that the statement has for them.
        dialect: "mysql" | "sqlite".
    """
    filtered = _filtered(cursor.rest)
    alone = len(tables) == 1 and not _reads_others(cursor.rest)
    condition = _condition(cursor) if alone and filtered else ""
    nulls = () if alone else tuple(_null(cursor.rest))  # of one table alone the rows are counted
    every = _assigned(cursor) if cursor.take("SET") else []
    first = next(iter(tables))
    for name, key in tables.items():
        mine = [each for each in every if (each.table or first) in {name, split_key(key)[1]}]
        if not mine and len(tables) > 1 and every:
            continue
        found = [_read(each, dialect, frozenset({name, key})) for each in mine]
        empty = {column for table, column in nulls if (table or name) in {name, split_key(key)[1]}}
        overwriting = [
            (each, read)
            for each, read in zip(mine, found, strict=True)
            if not each.fills and each.column not in empty
        ]
        yield Update(
            key,
            filtered=filtered or not alone,
            columns=tuple(each.column for each, _ in overwriting),
            condition=condition,
            doubtful=not alone,
            values=tuple(
                repeatable(each.text, read, each.column, [one.column for one in mine])
                if alone
                else ""
                for each, read in overwriting
            ),
            computed=tuple(
                each.column for each, read in overwriting if each.column.lower() in read.columns
            ),
        )


def _null(tokens: tuple[Token, ...]) -> Iterator[tuple[str, str]]:
    """Table ("" for any) and column of each `column IS NULL` that WHERE asks of every row."""
    words = [token.word for token in tokens]
    if words.count("WHERE") != 1 or {"OR", "XOR", "BETWEEN", "SELECT", "CASE"} & set(words):
        return
    for clause in _clauses(tokens[words.index("WHERE") + 1 :]):
        cursor = Cursor(clause)
        if clause and clause[0].kind in {"word", "name"}:
            table, column = split_key(cursor.key())
            if cursor.take("IS", "NULL") and cursor.done:
                yield table, column


def _clauses(tokens: tuple[Token, ...]) -> Iterator[tuple[Token, ...]]:
    """What stands between AND, outside of parentheses."""
    found: list[Token] = []
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        if not depth and token.word in {"AND", "ORDER", "LIMIT", "RETURNING"}:
            yield tuple(found)
            found = []
        else:
            found.append(token)
    yield tuple(found)


def _read(set_to: _Set, dialect: str, selves: frozenset[str]) -> Assigned:
    if not set_to.text:
        return Assigned()
    return read_assigned(set_to.text, dialect, frozenset(each.lower() for each in selves))


def _reads_others(tokens: tuple[Token, ...]) -> bool:
    """Whether rows of another table decide: UPDATE … FROM."""
    cursor = Cursor(tokens)
    while not cursor.done:
        if cursor.take("FROM"):
            return True
        if cursor.take("WHERE"):
            return False
        if cursor.sees("("):
            cursor.parens()
        else:
            cursor.next()
    return False


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
                    return tuple(each.column for each in _assigned(cursor) if not each.fills)
                cursor.next()
        elif cursor.sees("("):
            cursor.parens()
        else:
            cursor.next()
    return ()


def _delete(cursor: Cursor) -> Iterator[Action]:
    if cursor.take("FROM"):  # FROM t; FROM t USING t JOIN …, of MySQL
        named = list(_targets(cursor, "WHERE", "USING", "ORDER", "LIMIT", "RETURNING"))
        joined = cursor.take("USING")
    else:  # MySQL: DELETE t1, t2 FROM …
        named = list(_targets(cursor, "FROM"))
        joined = cursor.take("FROM")
    matched = bool(joined) and _matches(cursor.rest)
    tables = dict(_targets(cursor, "WHERE", "ORDER", "LIMIT", "RETURNING")) if joined else {}
    filtered = _filtered(cursor.rest) or matched
    condition = "" if joined or not filtered else _condition(cursor)
    for name, key in named:
        yield Delete(tables.get(name, key), filtered=filtered, condition=condition)


def _matches(tokens: tuple[Token, ...]) -> bool:
    """Whether joins leave rows out: inner ones with a condition."""
    words = [token.word for token in tokens]
    words = words[: words.index("WHERE")] if "WHERE" in words else words
    return bool({"ON", "USING", "NATURAL"} & set(words)) and not {"LEFT", "RIGHT"} & set(words)


def _targets(cursor: Cursor, *ends: str) -> Iterator[tuple[str, str]]:
    """Tables up to one of these words, also joined ones: what each is called, and its key."""
    while True:
        key = cursor.key()
        cursor.take(".", "*")
        name = split_key(key)[1]
        if cursor.take("AS") or _is_alias(cursor, ends):
            name = cursor.name()
        yield name, key
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


def _is_alias(cursor: Cursor, ends: tuple[str, ...]) -> bool:
    token = cursor.peek()
    words = {*ends, "JOIN", "INNER", "LEFT", "RIGHT", "CROSS", "NATURAL", "STRAIGHT_JOIN", "USE"}
    words |= {"FORCE", "IGNORE", "PARTITION", "INDEXED", "NOT", "ON", "FULL", "OUTER"}
    return token.kind == "name" or (token.kind == "word" and token.word not in words)


def _condition(cursor: Cursor) -> str:
    """The WHERE of a statement about one table, where nothing comes behind or is asked in it."""
    words = [token.word for token in cursor.rest]
    if not words or {"SELECT", "ORDER", "LIMIT", "RETURNING", "USING"} & set(words):
        return ""
    if words.count("WHERE") != 1:
        return ""
    return cursor.text(cursor.rest[words.index("WHERE") + 1 :])


@dataclass(frozen=True, slots=True)
class _Set:
    """`table.column = text`. `fills`: only where it is NULL."""

    table: str
    column: str
    text: str
    fills: bool


def _assigned(cursor: Cursor) -> list[_Set]:
    found: list[_Set] = []
    while not cursor.done:
        table, column = split_key(cursor.key())
        if not cursor.take("="):
            return []
        before = cursor.rest
        filled = cursor.take_any("COALESCE", "IFNULL") and cursor.take("(")
        fills = bool(filled) and split_key(cursor.key())[1] == column
        depth = 1 if filled else 0
        ended = False
        while not cursor.done and not ended and (depth or not cursor.sees(",")):
            if not depth and any(map(cursor.sees, _BEHIND)):
                ended = True
            elif cursor.take("("):
                depth += 1
            elif cursor.take(")"):
                depth -= 1
            else:
                cursor.next()
        text = cursor.text(before[: len(before) - len(cursor.rest)])
        found.append(_Set(table, column, text, fills))
        if ended:
            break
        cursor.take(",")
    return found


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
