"""What MySQL and SQLite write about a column: its type and what comes with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from migrator.core.ddl import AddColumn, ConstraintKind, Default
from migrator.sources.ddl_tokens import Cursor, Token, Unreadable, split_commas

_ATTRIBUTES = {
    "NOT", "NULL", "DEFAULT", "AUTO_INCREMENT", "AUTOINCREMENT", "PRIMARY", "KEY", "UNIQUE",
    "CHECK", "REFERENCES", "GENERATED", "AS", "COLLATE", "COMMENT", "CONSTRAINT", "FIRST",
    "AFTER", "ON", "STORED", "VIRTUAL", "PERSISTENT", "INVISIBLE", "VISIBLE", "COLUMN_FORMAT",
    "STORAGE", "SRID", "REF_SYSTEM_ID", "COMPRESSED", "WITH", "WITHOUT",
}  # fmt: skip

_STEADY = {
    "NOW", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "CURRENT_DATE", "CURRENT_TIME",
    "CURDATE", "CURTIME", "UTC_TIMESTAMP", "UTC_DATE", "UTC_TIME", "TRUE", "FALSE", "NULL",
    "CAST", "CONVERT", "CONCAT", "LOWER", "UPPER", "JSON_OBJECT", "JSON_ARRAY", "JSON_QUOTE",
    "COALESCE", "IFNULL", "NULLIF", "ABS", "ROUND", "STR_TO_DATE", "DATE", "TIME", "TIMESTAMP",
    "UNIX_TIMESTAMP", "FROM_UNIXTIME", "DATE_FORMAT", "DATE_ADD", "DATE_SUB", "CHAR", "HEX",
    "UNHEX", "SUBSTRING", "SUBSTR", "REPLACE", "TRIM", "LENGTH", "CHAR_LENGTH", "POW", "FLOOR",
    "CEIL", "CEILING", "MOD", "JSON", "JSON_EXTRACT", "DATETIME", "STRFTIME", "INTERVAL",
    "GREATEST", "LEAST", "IF", "MD5", "SHA1", "SHA2",
}  # fmt: skip
"""Functions that give every row of one statement the same value."""


@dataclass(slots=True)
class Definition:
    """A column as it is written."""

    name: str
    type: str = ""
    nullable: bool | None = None
    default: Default = Default.NONE
    computed: bool = False
    generated: str = ""
    serial: bool = False
    collation: str = ""
    charset: str = ""
    kinds: set[ConstraintKind] = field(default_factory=set)
    references: str = ""
    placed: bool = False

    def added_to(self, table: str) -> AddColumn:
        """As an ADD COLUMN."""
        return AddColumn(
            table,
            self.name,
            self.type,
            not_null=self.nullable is False,
            default=self.default,
            generated=self.generated,
            serial=self.serial,
            constraints=frozenset(self.kinds),
            references=self.references,
            first_or_after=self.placed,
            computed=self.computed,
        )


def read_definition(cursor: Cursor) -> Definition:
    """A column from its name to the next comma.

    Raises:
        Unreadable: A part of it is not known.
    """
    found = Definition(cursor.name())
    found.type = _type(cursor, found)
    while not cursor.done and not cursor.sees(","):
        _attribute(cursor, found)
    return found


def _type(cursor: Cursor, found: Definition) -> str:
    words: list[str] = []
    while not cursor.done and not cursor.sees(","):
        token = cursor.peek()
        charset = cursor.take("CHARACTER", "SET") or cursor.take_any("CHARSET", "CHARACTERSET")
        if charset:
            found.charset = cursor.name()
        elif token.word in _ATTRIBUTES:
            break
        elif cursor.sees("(") and words:
            words[-1] += f"({','.join(_written(part) for part in _flat(cursor.parens()))})"
        elif token.kind in {"word", "name"}:
            words.append(cursor.next().text.lower())
        else:
            raise Unreadable
    return " ".join(words)


def _flat(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    return tuple(token for token in tokens if token.text != ",")


def _written(token: Token) -> str:
    escaped = token.text.replace("'", "''")
    return f"'{escaped}'" if token.kind == "string" else token.text


def _attribute(cursor: Cursor, found: Definition) -> None:
    if cursor.take("CONSTRAINT"):
        if cursor.peek().word not in {"CHECK", "PRIMARY", "UNIQUE", "NOT", "REFERENCES", "NULL"}:
            cursor.name()
    elif cursor.take("NOT", "NULL"):
        found.nullable = False
        _conflict(cursor)
    elif cursor.take("NULL"):
        found.nullable = True
    elif cursor.take("DEFAULT"):
        found.computed = cursor.sees("(")
        found.default = read_default(cursor)
    elif cursor.take_any("AUTO_INCREMENT", "AUTOINCREMENT"):
        found.serial = True
    elif cursor.take("PRIMARY", "KEY") or cursor.take("KEY"):
        found.kinds.add(ConstraintKind.PRIMARY_KEY)
        cursor.take_any("ASC", "DESC")
        _conflict(cursor)
    elif cursor.take("UNIQUE"):
        cursor.take("KEY")
        found.kinds.add(ConstraintKind.UNIQUE)
        _conflict(cursor)
    elif cursor.take("CHECK"):
        cursor.parens()
        found.kinds.add(ConstraintKind.CHECK)
        cursor.take("NOT")
        cursor.take("ENFORCED")
    elif cursor.take("REFERENCES"):
        found.references = read_reference(cursor)[0]
        found.kinds.add(ConstraintKind.FOREIGN_KEY)
    elif cursor.take("GENERATED", "ALWAYS", "AS") or cursor.take("AS"):
        cursor.parens()
        stored = cursor.take_any("STORED", "PERSISTENT")
        cursor.take("VIRTUAL")
        found.generated = "stored" if stored else "virtual"
    elif cursor.take("COLLATE"):
        found.collation = cursor.name()
    elif cursor.take("ON", "UPDATE"):
        read_default(cursor)
    elif cursor.take("FIRST"):
        found.placed = True
    elif cursor.take("AFTER"):
        cursor.name()
        found.placed = True
    elif not _decoration(cursor):
        raise Unreadable


def _decoration(cursor: Cursor) -> bool:
    if cursor.take_any("INVISIBLE", "VISIBLE", "COMPRESSED"):
        return True
    if cursor.take_any("COMMENT", "COLUMN_FORMAT", "STORAGE", "SRID"):
        cursor.next()
        return True
    return cursor.take("WITH", "SYSTEM", "VERSIONING") or cursor.take(
        "WITHOUT", "SYSTEM", "VERSIONING"
    )


def _conflict(cursor: Cursor) -> None:
    if cursor.take("ON", "CONFLICT"):
        cursor.name()


def read_default(cursor: Cursor) -> Default:
    """The expression behind DEFAULT.

    Raises:
        Unreadable: There is none.
    """
    if cursor.sees("("):
        return _worth(cursor.parens())
    cursor.take_any("+", "-")
    token = cursor.next()
    tokens: tuple[Token, ...] = (token,)
    if token.kind == "sign" and token.text not in {"?", "%"}:
        raise Unreadable
    if token.text == "%" and cursor.sees("S"):  # Django's placeholder, where it collects SQL
        cursor.next()
    if cursor.sees("("):
        tokens += (Token("(", "sign", 0, 0), *cursor.parens())
    if token.word == "NULL":
        return Default.NONE
    return _worth(tokens)


def _worth(tokens: tuple[Token, ...]) -> Default:
    """VOLATILE where it calls what is not known to be the same for every row."""
    if len(tokens) == 1 and tokens[0].word == "NULL":
        return Default.NONE
    for token, after in zip(tokens, (*tokens[1:], None), strict=True):
        called = after is not None and after.kind == "sign" and after.text == "("
        if token.kind in {"word", "name"} and called and token.word not in _STEADY:
            return Default.VOLATILE
    return Default.CONSTANT


def read_reference(cursor: Cursor) -> tuple[str, tuple[str, ...]]:
    """What follows REFERENCES: the table's key and its columns."""
    key = cursor.key()
    columns = read_columns(cursor.parens()) if cursor.sees("(") else ()
    while True:
        if cursor.take("ON", "DELETE") or cursor.take("ON", "UPDATE"):
            if not (cursor.take("SET", "NULL") or cursor.take("SET", "DEFAULT")):
                cursor.take("NO")
                cursor.next()
        elif cursor.take("MATCH"):
            cursor.next()
        elif cursor.take("NOT", "DEFERRABLE") or cursor.take("DEFERRABLE"):
            if cursor.take("INITIALLY"):
                cursor.next()
        else:
            return key, columns


def read_columns(tokens: tuple[Token, ...]) -> tuple[str, ...]:
    """The names in a list of columns; an expression stands as an empty string."""
    return tuple(
        part[0].text if part[0].kind in {"word", "name"} and not _called(part) else ""
        for part in split_commas(tokens)
        if part
    )


def _called(part: tuple[Token, ...]) -> bool:
    """`lower(a)` is an expression, `a(10)` MySQL's prefix of a column."""
    if len(part) < 3 or part[1].text != "(":
        return False
    return not (part[2].kind == "number" and part[3].text == ")")
