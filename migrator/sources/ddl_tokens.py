"""Tokens of MySQL's and SQLite's SQL, and a cursor that reads over them.

sqlglot's tokenizer knows quotes, comments and literals of each dialect; what it makes one
token of several words ("PRIMARY KEY") is taken apart again, so that clauses read as written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from migrator.core.schema import table_key

T = TypeVar("T")

_OPENING = {"LOOP", "REPEAT", "WHILE", "IF"}
_BODIES = {"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"}


class Unreadable(Exception):
    """The text is not what the reader expects; it is opaque then."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        text: Without quotes.
        kind: "word" | "name" (a quoted identifier) | "string" | "number" | "sign".
        start, end: Where it stands in the text.
    """

    text: str
    kind: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """A bare word in upper case; "" for anything else."""
        return self.text.upper() if self.kind == "word" else ""


def tokenize(sql: str, dialect: str) -> tuple[Token, ...]:
    """The tokens of a text, without comments.

    Raises:
        Unreadable: A string or comment has no end, or a comment is run by the server.
    """
    if "/*!" in sql or "/*M!" in sql:  # MySQL and MariaDB execute what is in them
        raise Unreadable
    return tuple(_tokens(sql, dialect, 0))


def _tokens(sql: str, dialect: str, offset: int) -> Iterator[Token]:
    try:
        found = Dialect.get_or_raise(dialect).tokenize(sql)
    except (SqlglotError, RecursionError) as error:
        raise Unreadable from error
    behind = 0
    for token in found:
        kind = _kind(token)
        between = sql[behind : token.end + 1]
        behind = token.end + 1
        whole = token.token_type.name == "STRING"
        if whole and not between.lstrip().startswith(("'", '"')):
            # It leaves what follows a SHOW, CALL or OPTIMIZE in one piece.
            yield from _tokens(between, dialect, offset + behind - len(between))
        elif kind == "word" and " " in token.text:
            at = token.start  # its text comes in upper case, and with single spaces
            for word in sql[token.start : token.end + 1].split():
                at = sql.index(word, at)
                yield Token(word, "word", offset + at, offset + at + len(word))
                at += len(word)
        else:
            yield Token(token.text, kind, offset + token.start, offset + token.end + 1)


def _kind(token: Any) -> str:
    name = token.token_type.name
    if name == "IDENTIFIER":
        return "name"
    if name.endswith("STRING"):
        return "string"
    if name == "NUMBER":
        return "number"
    return "word" if token.text[:1].isalpha() or token.text[:1] in {"_", "$"} else "sign"


def split(sql: str, dialect: str) -> tuple[str, ...]:
    """Each statement of a text, without its semicolon; a body in BEGIN … END stays whole."""
    try:
        found = tokenize(sql, dialect)
    except Unreadable:
        return (sql.strip(),) if sql.strip() else ()
    parts: list[str] = []
    start, end, depth = -1, -1, 0
    words: list[str] = []
    for position, token in enumerate(found):
        if token.text == ";" and token.kind == "sign" and depth <= 0:
            if start >= 0:
                parts.append(sql[start:end])
            start, depth, words = -1, 0, []
            continue
        start, end = (token.start if start < 0 else start), token.end
        words.append(token.word)
        if words[0] == "CREATE" and _BODIES & set(words[:12]):
            following = found[position + 1].word if position + 1 < len(found) else ""
            depth += _nesting(token.word, following, words)
    if start >= 0:
        parts.append(sql[start:end])
    return tuple(parts)


def _nesting(word: str, following: str, words: list[str]) -> int:
    ended = len(words) > 1 and words[-2] == "END"
    if word in {"BEGIN", "CASE"} or (word in _OPENING and following != ""):
        loop = word in _OPENING and not (set(words[:-1]) & {"BEGIN"})
        return 0 if ended or loop else 1
    return -1 if word == "END" else 0


class Cursor:
    """Reads over the tokens of one statement."""

    def __init__(self, tokens: tuple[Token, ...], sql: str = "") -> None:
        self._tokens = tokens
        self._sql = sql
        self._position = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._position >= len(self._tokens)

    @property
    def rest(self) -> tuple[Token, ...]:
        """What has not been read."""
        return self._tokens[self._position :]

    def peek(self, ahead: int = 0) -> Token:
        """A token that stays; an empty sign behind the end."""
        position = self._position + ahead
        if position < len(self._tokens):
            return self._tokens[position]
        return Token("", "sign", 0, 0)

    def next(self) -> Token:
        """The next token.

        Raises:
            Unreadable: There is none.
        """
        if self.done:
            raise Unreadable
        self._position += 1
        return self._tokens[self._position - 1]

    def sees(self, *words: str) -> bool:
        """Whether these words or signs come next."""
        return all(
            (self.peek(ahead).word or self.peek(ahead).text) == word
            and self.peek(ahead).kind in {"word", "sign"}
            for ahead, word in enumerate(words)
        )

    def take(self, *words: str) -> bool:
        """Step over these words where they come next."""
        if not self.sees(*words):
            return False
        self._position += len(words)
        return True

    def take_any(self, *words: str) -> str:
        """Step over one of these words; "" where none comes next."""
        return next((word for word in words if self.take(word)), "")

    def name(self) -> str:
        """An identifier.

        Raises:
            Unreadable: Something else comes next.
        """
        token = self.next()
        if token.kind not in {"word", "name", "string"} or not token.text:
            raise Unreadable
        return token.text

    def key(self) -> str:
        """A table with or without its schema, as a table key; SQLite's own "main" is none."""
        first = self.name()
        if not self.take("."):
            return table_key("", first)
        return table_key("" if first.lower() in {"main", "temp"} else first, self.name())

    def parens(self) -> tuple[Token, ...]:
        """What stands in the parentheses that come next.

        Raises:
            Unreadable: There are none, or they have no end.
        """
        if not self.take("("):
            raise Unreadable
        start, depth = self._position, 1
        while depth:
            token = self.next()
            if token.kind == "sign":
                depth += {"(": 1, ")": -1}.get(token.text, 0)
        return self._tokens[start : self._position - 1]

    def text(self, tokens: tuple[Token, ...]) -> str:
        """Tokens as they stand in the statement."""
        return self._sql[tokens[0].start : tokens[-1].end] if tokens else ""

    def skip_to_comma(self) -> None:
        """Step over what is left before the next comma outside of parentheses."""
        while not self.done and not self.sees(","):
            if self.sees("("):
                self.parens()
            else:
                self.next()

    def skip_all(self) -> None:
        """Step over everything that is left."""
        self._position = len(self._tokens)


def read_with(statement: str, dialect: str, read: Callable[[Cursor], Iterable[T]]) -> tuple[T, ...]:
    """What a reader of tokens makes of one whole statement.

    Args:
        statement: As `split` gives them.
        dialect: "mysql" | "sqlite".
        read: Takes every token, or raises Unreadable.

    Raises:
        Unreadable: It does not understand the statement, or not all of it.
    """
    try:
        cursor = Cursor(tokenize(statement, dialect), statement)
        found = tuple(read(cursor))
    except RecursionError as error:
        raise Unreadable from error
    if not cursor.done:
        raise Unreadable
    return found


def skip_common_tables(cursor: Cursor, *, materialized: bool = False) -> None:
    """Pass over what stands between WITH and the query itself.

    Args:
        cursor: After WITH.
        materialized: Whether the dialect has [NOT] MATERIALIZED.
    """
    cursor.take("RECURSIVE")
    while True:
        cursor.name()
        if cursor.sees("("):
            cursor.parens()
        if not cursor.take("AS"):
            raise Unreadable
        if materialized:
            cursor.take("NOT")
            cursor.take("MATERIALIZED")
        cursor.parens()
        if not cursor.take(","):
            return


def split_commas(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], ...]:
    """The parts between the commas outside of parentheses."""
    parts: list[tuple[Token, ...]] = []
    cursor = Cursor(tokens)
    while not cursor.done:
        before = cursor.rest
        cursor.skip_to_comma()
        parts.append(before[: len(before) - len(cursor.rest)])
        cursor.take(",")
    return tuple(parts)
