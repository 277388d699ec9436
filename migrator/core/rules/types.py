"""Column types in any spelling, as far as rules have to understand them."""

from __future__ import annotations

from migrator.core.costs.postgresql_types import parse_type

TEXTS = frozenset(
    {
        *("text", "character varying", "character", "citext", "name"),
        *("longtext", "mediumtext", "tinytext", "varchar", "char"),
    }
)
_INTEGERS = {
    "smallint": (-(2**15), 2**15 - 1),
    "mediumint": (-(2**23), 2**23 - 1),
    "tinyint": (-(2**7), 2**7 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}


def base_of(kind: str) -> str:
    """The name of a type alone: "character varying" of "varchar(20)"."""
    base = parse_type(kind).base
    for word in (" unsigned", " zerofill", " signed"):
        base = base.replace(word, "")
    return base


def is_text(kind: str) -> bool:
    """Whether the type holds text."""
    return base_of(kind) in TEXTS


def length_of(kind: str) -> int | None:
    """How many characters fit; None for a text without a limit, and for what is no text."""
    parsed = parse_type(kind)
    if base_of(kind) in TEXTS and parsed.arguments and parsed.arguments[0].isdigit():
        return int(parsed.arguments[0])
    return None


def range_of(kind: str) -> tuple[int, int] | None:
    """The smallest and the largest whole number that fit; None for what is no such type."""
    base = base_of(kind)
    if base in _INTEGERS:
        low, high = _INTEGERS[base]
        return (0, high - low) if "unsigned" in kind.lower() else (low, high)
    return None


def digits_of(kind: str) -> tuple[int, int] | None:
    """Precision and scale of a numeric(p, s); None without."""
    parsed = parse_type(kind)
    if parsed.base != "numeric" or len(parsed.arguments) != 2:
        return None
    precision, scale = parsed.arguments
    return (int(precision), int(scale)) if precision.isdigit() and scale.isdigit() else None


def family_of(kind: str) -> str:
    """Types between which values can be read by the same code: "text", "integer", "numeric", …"""
    base = base_of(kind)
    if base in TEXTS:
        return "text"
    if base in _INTEGERS:
        return "integer"
    if base in ("real", "double precision", "double", "float"):
        return "float"
    if base.startswith("timestamp") or base == "datetime":
        return "timestamp"
    if base in ("json", "jsonb"):
        return "json"
    if base in ("boolean", "bool"):
        return "boolean"
    return base


def narrows(old: str, new: str) -> bool:
    """Whether values of the old type may not fit into the new one."""
    if family_of(old) != family_of(new):
        widening = {("integer", "numeric"), ("integer", "float"), ("numeric", "float")}
        return family_of(new) != "text" and (family_of(old), family_of(new)) not in widening
    if is_text(new):
        before, after = length_of(old), length_of(new)
        return after is not None and (before is None or before > after)
    before_range, after_range = range_of(old), range_of(new)
    if before_range and after_range:
        return before_range[0] < after_range[0] or before_range[1] > after_range[1]
    before_digits, after_digits = digits_of(old), digits_of(new)
    if after_digits:
        if before_digits is None:
            return True
        whole = before_digits[0] - before_digits[1], after_digits[0] - after_digits[1]
        return whole[0] > whole[1] or before_digits[1] > after_digits[1]
    return False
