"""A small reader of SQLite's own CREATE TABLE and CREATE INDEX: what no pragma tells.

Names of constraints, checks, collations, generated expressions, AUTOINCREMENT, deferrable.
It reads what `sqlite_master` holds, which SQLite has parsed already; a clause that it does
not know is stepped over, and nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
    (?P<space>\s+ | --[^\n]* | /\*.*?(?:\*/|\Z))
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\])
  | (?P<word>[^\W\d][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_TABLE_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}
_COLUMN_CONSTRAINTS = {
    "CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE",
    "REFERENCES", "GENERATED", "AS",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `value` is a name without its quotes, `keyword` a bare word in upper case."""

    kind: str
    value: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        return self.value.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The identifier that this token is, or an empty string."""
        return self.value if self.kind in {"word", "quoted", "string"} else ""


@dataclass(frozen=True, slots=True)
class CheckSource:
    """A check constraint as it was written."""

    name: str
    expression: str
    words: frozenset[str]
    """Every identifier in it, case folded: the columns are among them."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """A unique constraint or foreign key as it was written."""

    name: str
    columns: tuple[str, ...]
    deferrable: bool = False
    initially_deferred: bool = False


@dataclass(slots=True)
class TableSource:
    """What CREATE TABLE says beyond the pragmas. Columns are keyed case folded."""

    collations: dict[str, str] = field(default_factory=dict)
    generated: dict[str, str] = field(default_factory=dict)
    autoincrement: bool = False
    primary_key: str = ""
    checks: list[CheckSource] = field(default_factory=list)
    uniques: list[KeySource] = field(default_factory=list)
    foreign_keys: list[KeySource] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class IndexSource:
    """What CREATE INDEX says: the text of each key, and the condition."""

    keys: tuple[str, ...]
    condition: str


def read_table(sql: str) -> TableSource:
    """Read a CREATE TABLE statement as it stands in sqlite_master."""
    source = TableSource()
    tokens = _tokens(sql)
    opening = next((i for i, token in enumerate(tokens) if token.value == "("), None)
    if opening is None:
        return source
    body = tokens[opening + 1 : _closing(tokens, opening)]
    for item in _items(body):
        reader = _Constraints(sql, item, source)
        if item[0].keyword in _TABLE_CONSTRAINTS:
            reader.read("", 0)
        else:
            reader.read(item[0].name, 1)
    return source


def read_index(sql: str) -> IndexSource:
    """Read a CREATE INDEX statement as it stands in sqlite_master."""
    tokens = _tokens(sql)
    opening = next((i for i, token in enumerate(tokens) if token.value == "("), None)
    if opening is None:
        return IndexSource((), "")
    closing = _closing(tokens, opening)
    keys = tuple(_key(sql, item) for item in _items(tokens[opening + 1 : closing]))
    rest = tokens[closing + 1 :]
    condition = ""
    if rest and rest[0].keyword == "WHERE" and len(rest) > 1:
        condition = sql[rest[1].start : rest[-1].end]
    return IndexSource(keys, condition)


class _Constraints:
    """Walks over one item between the commas of CREATE TABLE."""

    def __init__(self, sql: str, tokens: Sequence[Token], source: TableSource) -> None:
        self._sql = sql
        self._tokens = tokens
        self._source = source
        self._at = 0

    def read(self, column: str, start: int) -> None:
        """Read the constraints of a column, or with no column those of the table."""
        self._at = start
        if column:
            self._skip_type()
        name = ""
        while self._at < len(self._tokens):
            keyword = self._tokens[self._at].keyword
            self._at += 1
            if keyword == "CONSTRAINT":
                name = self._next_name()
                continue
            self._constraint(keyword, column, name)
            name = ""

    def _constraint(self, keyword: str, column: str, name: str) -> None:
        if keyword == "PRIMARY":
            self._source.primary_key = name
            self._source.autoincrement |= any(
                token.keyword == "AUTOINCREMENT" for token in self._tokens
            )
        elif keyword == "UNIQUE":
            columns = (column,) if column else self._columns()
            self._source.uniques.append(KeySource(name, columns))
        elif keyword == "CHECK":
            text, tokens = self._parentheses()
            words = frozenset(token.name.casefold() for token in tokens if token.kind != "string")
            self._source.checks.append(CheckSource(name, text, words - {""}))
        elif keyword == "COLLATE":
            self._source.collations[column.casefold()] = self._next_name()
        elif keyword == "DEFAULT":
            self._skip_default()
        elif keyword == "AS":
            self._source.generated[column.casefold()] = self._parentheses()[0]
        elif keyword == "FOREIGN":
            self._at += 1  # KEY
            self._foreign_key(name, self._columns())
        elif keyword == "REFERENCES" and column:
            self._at -= 1
            self._foreign_key(name, (column,))

    def _foreign_key(self, name: str, columns: tuple[str, ...]) -> None:
        """From REFERENCES on: the table, its columns, actions, and when it is checked."""
        self._at += 1
        self._next_name()
        if self._peek() == "(":
            self._parentheses()
        deferrable = deferred = False
        while self._at < len(self._tokens):
            keyword = self._tokens[self._at].keyword
            following = self._keyword(1)
            if keyword in {"ON", "MATCH"}:
                length = 2 if keyword == "MATCH" else 3 + (self._keyword(2) in {"SET", "NO"})
                self._at += length
            elif keyword == "NOT" and following == "DEFERRABLE":
                self._at += 2
            elif keyword == "DEFERRABLE":
                deferrable = True
                self._at += 1
            elif keyword == "INITIALLY":
                deferred = following == "DEFERRED"
                self._at += 2
            else:
                break
        self._source.foreign_keys.append(
            KeySource(name, columns, deferrable, deferrable and deferred)
        )

    def _skip_type(self) -> None:
        while self._at < len(self._tokens):
            if self._tokens[self._at].keyword in _COLUMN_CONSTRAINTS:
                return
            if self._peek() == "(":
                self._parentheses()
            else:
                self._at += 1

    def _skip_default(self) -> None:
        if self._peek() == "(":
            self._parentheses()
        else:
            self._at += 2 if self._peek() in {"+", "-"} else 1

    def _columns(self) -> tuple[str, ...]:
        _, tokens = self._parentheses()
        return tuple(item[0].name for item in _items(tokens))

    def _parentheses(self) -> tuple[str, Sequence[Token]]:
        """The text and tokens between the next parentheses; steps behind them."""
        if self._peek() != "(":
            return "", ()
        closing = _closing(self._tokens, self._at)
        inside = self._tokens[self._at + 1 : closing]
        self._at = closing + 1
        return (self._sql[inside[0].start : inside[-1].end] if inside else ""), inside

    def _peek(self) -> str:
        return self._tokens[self._at].value if self._at < len(self._tokens) else ""

    def _keyword(self, ahead: int) -> str:
        index = self._at + ahead
        return self._tokens[index].keyword if index < len(self._tokens) else ""

    def _next_name(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1].name if self._at <= len(self._tokens) else ""


def _tokens(sql: str) -> list[Token]:
    return [
        Token(match.lastgroup or "", _unquoted(match), match.start(), match.end())
        for match in _TOKEN.finditer(sql)
        if match.lastgroup != "space"
    ]


def _unquoted(match: re.Match[str]) -> str:
    text = match.group()
    if match.lastgroup == "quoted" and text[0] == "[":
        return text[1:-1]
    if match.lastgroup in {"quoted", "string"}:
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def _closing(tokens: Sequence[Token], opening: int) -> int:
    """The index of the parenthesis that closes the one at `opening`."""
    depth = 0
    for index in range(opening, len(tokens)):
        if tokens[index].kind == "sign":
            depth += {"(": 1, ")": -1}.get(tokens[index].value, 0)
            if depth == 0:
                return index
    return len(tokens)


def _items(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Split at commas that stand in no parentheses."""
    item: list[Token] = []
    depth = 0
    for token in tokens:
        if token.kind == "sign":
            depth += {"(": 1, ")": -1}.get(token.value, 0)
            if token.value == "," and depth == 0:
                if item:
                    yield item
                item = []
                continue
        item.append(token)
    if item:
        yield item


def _key(sql: str, item: Sequence[Token]) -> str:
    """The text of an index key without its direction and collation."""
    tokens = list(item)
    while len(tokens) > 1 and tokens[-1].keyword in {"ASC", "DESC"}:
        tokens.pop()
    if len(tokens) > 2 and tokens[-2].keyword == "COLLATE":
        del tokens[-2:]
    return sql[tokens[0].start : tokens[-1].end]
