"""Which changes of a column's type PostgreSQL makes without writing the table anew.

`ATColumnChangeRequiresRewrite` (tablecmds.c): none is needed where the new type takes the old
one's bytes as they are (a binary coercible cast) and no length or precision gets tighter.
"""

from __future__ import annotations

from dataclasses import dataclass

_ALIASES = {
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "serial": "integer",
    "bigserial": "bigint",
    "smallserial": "smallint",
    "bool": "boolean",
    "float4": "real",
    "float8": "double precision",
    "decimal": "numeric",
    "varchar": "character varying",
    "char": "character",
    "bpchar": "character",
    "varbit": "bit varying",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "timetz": "time with time zone",
    "time": "time without time zone",
}
_TIMES = frozenset(
    {
        "timestamp with time zone",
        "timestamp without time zone",
        "time with time zone",
        "time without time zone",
        "interval",
    }
)
_TEXTS = frozenset({"text", "character varying"})
_INSTANTS = frozenset({"timestamp with time zone", "timestamp without time zone"})

_SAME_BYTES = frozenset(
    {
        ("character varying", "text"),
        ("text", "character varying"),
        ("text", "citext"),
        ("character varying", "citext"),
        ("citext", "text"),
        ("citext", "character varying"),
        ("cidr", "inet"),
        ("xml", "text"),
        ("xml", "character varying"),
        ("integer", "oid"),
        ("oid", "integer"),
        ("bit", "bit varying"),
    }
)
"""Binary coercible casts (`pg_cast.castmethod = 'b'`) between types that columns have."""

_SAME_OPERATORS = ({"text", "character varying"}, {"cidr", "inet"}, {"bit varying"})
"""Types whose indexes survive a change from one to the other."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type taken apart: "numeric(12,2)[]" is ("numeric", (12, 2), True)."""

    base: str
    arguments: tuple[str, ...] = ()
    array: bool = False


def parse_type(text: str) -> Type:
    """A type in any of its spellings."""
    text = " ".join(text.replace('"', "").split()).lower().removeprefix("pg_catalog.")
    array = text.endswith("]")
    if array:
        text = text[: text.index("[")].rstrip()
    before, opened, rest = text.partition("(")
    inside, _, after = rest.partition(")")
    base = " ".join((before.strip() + " " + after.strip()).split())
    arguments = tuple(part.strip() for part in inside.split(",")) if opened else ()
    base = _ALIASES.get(base, base)
    if base in {"character", "bit"} and not arguments:
        arguments = ("1",)
    if base == "numeric" and len(arguments) == 1:
        arguments = (arguments[0], "0")
    return Type(base, arguments, array)


def needs_rewrite(old: str, new: str, timezone: str = "") -> bool:
    """Whether a column that is `old` is written anew to become `new`.

    Args:
        old, new: Types; domains count as the types that they are named for.
        timezone: Of the session.
    """
    before, after = parse_type(old), parse_type(new)
    if before == after:
        return False
    if before.array != after.array:
        return True
    if before.base != after.base:
        if after.array:  # its elements are coerced one by one
            return True
        utc = timezone.upper() in {"UTC", "ETC/UTC", "GMT", "ZULU"}
        instants = {before.base, after.base} == _INSTANTS and utc
        if not instants and (before.base, after.base) not in _SAME_BYTES:
            return True
    return _tightens(before, after)


def keeps_indexes(old: str, new: str) -> bool:
    """Whether an index on the column stays as it is where the table does."""
    before, after = parse_type(old).base, parse_type(new).base
    return before == after or any({before, after} <= group for group in _SAME_OPERATORS)


def _tightens(before: Type, after: Type) -> bool:
    if not after.arguments:
        return False
    if after.array:
        # An array's elements are coerced one by one as soon as a length is asked for.
        return before.arguments != after.arguments
    if after.base in {"character varying", "bit varying"}:
        return (
            not before.arguments
            or before.base not in {*_TEXTS, "bit varying"}
            or _less(after, before)
        )
    if after.base == "numeric":
        same_scale = len(before.arguments) == 2 and before.arguments[1] == after.arguments[1]
        return not same_scale or _less(after, before)
    if after.base in _TIMES:
        precision = int(after.arguments[0]) if after.arguments[0].isdigit() else 0
        return precision < 6 and (not before.arguments or _less(after, before))
    return before.arguments != after.arguments


def _less(one: Type, other: Type) -> bool:
    try:
        return int(one.arguments[0]) < int(other.arguments[0])
    except (ValueError, IndexError):
        return True
