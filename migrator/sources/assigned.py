"""What an UPDATE sets a column to: which columns it is computed from, and whether a question can
repeat it.

Repeated is only what gives the same answer whenever it is asked, and does nothing: arithmetic,
comparisons, CASE, and functions of texts and numbers that every server has.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass

from migrator.sources.silence import silenced

_DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
_PLAIN = frozenset(
    {
        *("Column", "Identifier", "Literal", "Null", "Boolean", "Paren", "Neg", "Not", "Is"),
        *("Add", "Sub", "Mul", "Div", "IntDiv", "Mod", "DPipe", "And", "Or", "In", "Between"),
        *("EQ", "NEQ", "GT", "GTE", "LT", "LTE", "Like", "Case", "If", "Coalesce", "Nullif"),
        *("Lower", "Upper", "Trim", "Length", "Abs", "Round", "Concat", "Substring", "Replace"),
        *("Left", "Right", "Cast", "DataType", "DataTypeParam"),
    }
)


@dataclass(frozen=True, slots=True)
class Assigned:
    """A new value.

    Attributes:
        columns: Of the same row, in lower case, that it is computed from.
        plain: Whether it is computed from these alone, and can be asked for.
    """

    columns: frozenset[str] = frozenset()
    plain: bool = False


@functools.lru_cache(maxsize=512)
def read_assigned(text: str, vendor: str, selves: frozenset[str] = frozenset()) -> Assigned:
    """Read an expression.

    Args:
        text: SQL.
        vendor: Django's vendor name.
        selves: What the table is called in the statement, in lower case; columns without a table
            are taken for its own.
    """
    # Only who has such a statement pays for the parser.
    import sqlglot
    from sqlglot import exp

    try:
        with silenced():
            tree = sqlglot.parse_one(text, read=_DIALECTS[vendor])
    except Exception:  # nothing is known of what cannot be read
        return Assigned()
    own: set[str] = set()
    plain = True
    for node in tree.walk():
        plain = plain and type(node).__name__ in _PLAIN
        if isinstance(node, exp.Column):
            if node.table:
                plain = False
            if not node.table or node.table.lower() in selves:
                own.add(node.name.lower())
    return Assigned(frozenset(own), plain)


def repeatable(text: str, found: Assigned, column: str, set_too: Collection[str]) -> str:
    """The expression where it can be asked for; "" where not.

    Args:
        text: SQL.
        found: What was read of it.
        column: That is set to it.
        set_too: Columns that the statement sets; MySQL computes with their new values.
    """
    others = {each.lower() for each in set_too} - {column.lower()}
    return text if found.plain and not (found.columns & others) else ""
