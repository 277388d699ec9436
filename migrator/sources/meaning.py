"""Expressions by what they mean: two of them, parsed and brought into one form.

A server shows an expression in words of its own: casts, parentheses, `= ANY (ARRAY[…])` for IN,
a negation carried inwards. Whatever is not understood on either side makes the two *not
comparable*, never different.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import sqlglot
from sqlglot import exp

from migrator.core.schema import Table
from migrator.sources.silence import silenced

_DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
_TRUE, _FALSE = ("true",), ("false",)

Form: TypeAlias = tuple[Any, ...]


def differ(vendor: str, expected: str, live: str, table: Table) -> bool:
    """Whether two expressions certainly mean different things.

    Args:
        vendor: Django's vendor name.
        expected, live: SQL.
        table: For the columns that take no NULL.
    """
    required = {column.name.lower() for column in table.columns if not column.nullable}
    try:
        with silenced():
            forms = [
                _Reader(required).form(sqlglot.parse_one(text, read=_DIALECTS[vendor]))
                for text in (expected, live)
            ]
    except Exception:  # what cannot be read cannot be compared
        return False
    return forms[0] != forms[1]


class _NotComparable(Exception):
    """An expression that holds something whose meaning is not known here."""


_MIRRORED: dict[Any, Any] = {exp.GT: exp.LT, exp.GTE: exp.LTE}
_NEGATED: dict[Any, Any] = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
}
_CALLS = (exp.Lower, exp.Upper, exp.Coalesce, exp.Length, exp.Abs)
_OPERATORS = (exp.Sub, exp.Div, exp.Mod, exp.Like, exp.ILike)


class _Reader:
    """Brings one parsed expression into its form."""

    def __init__(self, required: Collection[str]) -> None:
        self._required = required

    def form(self, node: Any, *, negated: bool = False) -> Form:
        """The form of a condition or value; `negated` carries a NOT inwards."""
        if node.args.get("negate"):  # NOT LIKE and its kin, as newer versions of sqlglot have it
            negated = not negated
        match node:
            case exp.Paren():
                return self.form(node.this, negated=negated)
            case exp.Not():
                return self.form(node.this, negated=not negated)
            case exp.And() | exp.Or():
                return self._junction(node, negated=negated)
            case exp.Between():
                low = exp.GTE(this=node.this, expression=node.args["low"])
                high = exp.LTE(this=node.this, expression=node.args["high"])
                return self.form(exp.And(this=low, expression=high), negated=negated)
            case exp.Is():
                return self._is(node, negated=negated)
            case exp.In() if node.expressions:
                return self._in(node.this, node.expressions, negated=negated)
            case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
                return self._comparison(node, negated=negated)
        return ("not", self._value(node)) if negated else self._value(node)

    def _junction(self, node: Any, *, negated: bool) -> Form:
        both = isinstance(node, exp.And) is not negated
        parts: set[Form] = set()
        for child in (node.this, node.expression):
            part = self.form(child, negated=negated)
            parts |= set(part[1]) if part[0] == ("and" if both else "or") else {part}
        neutral, absorbing = (_TRUE, _FALSE) if both else (_FALSE, _TRUE)
        parts.discard(neutral)
        if absorbing in parts:
            return absorbing
        if len(parts) < 2:
            return parts.pop() if parts else neutral
        return ("and" if both else "or", frozenset(parts))

    def _is(self, node: exp.Is, *, negated: bool) -> Form:
        what = node.expression
        if isinstance(what, exp.Not):  # as older versions have it
            what, negated = what.this, not negated
        if not isinstance(what, exp.Null):
            raise _NotComparable
        value = self._value(node.this)
        if value[0] == "column" and value[1] in self._required:
            return _TRUE if negated else _FALSE
        return ("is not null" if negated else "is null", value)

    def _in(self, value: Any, members: list[Any], *, negated: bool) -> Form:
        found = frozenset(self._value(member) for member in members)
        if len(found) == 1:
            sides = frozenset({self._value(value), *found})
            return ("NEQ" if negated else "EQ", sides)
        return ("not in" if negated else "in", self._value(value), found)

    def _comparison(self, node: Any, *, negated: bool) -> Form:
        left, right = node.this, node.expression
        if isinstance(right, exp.Any | exp.All):  # = ANY (ARRAY[…]), <> ALL (ARRAY[…])
            array = _bare(right.this)
            fits = isinstance(node, exp.EQ if isinstance(right, exp.Any) else exp.NEQ)
            if not isinstance(array, exp.Array) or not fits:
                raise _NotComparable
            outside = isinstance(right, exp.All)
            return self._in(left, array.expressions, negated=negated is not outside)
        kind = type(node)
        if negated:
            kind = _NEGATED[kind]
        one, two = self._value(left), self._value(right)
        if kind in _MIRRORED:
            kind, one, two = _MIRRORED[kind], two, one
        if kind in (exp.EQ, exp.NEQ):
            return (kind.__name__, frozenset({one, two}))
        return (kind.__name__, one, two)

    def _value(self, node: Any) -> Form:
        node = _bare(node)
        match node:
            case exp.Column() if not node.table:
                return ("column", node.name.lower())
            case exp.Literal():
                return ("literal", _literal(node.name))
            case exp.Neg():
                return ("literal", -_number(self._value(node.this)))
            case exp.Boolean():
                return _TRUE if node.this else _FALSE
            case exp.Null():
                return ("null",)
            case exp.Add() | exp.Mul():
                return self._sum(node)
        if isinstance(node, _OPERATORS):
            return (type(node).__name__, self._value(node.this), self._value(node.expression))
        if isinstance(node, _CALLS):
            parts = (node.this, *node.expressions)
            return (type(node).__name__, *(self._value(part) for part in parts))
        raise _NotComparable

    def _sum(self, node: Any) -> Form:
        parts: list[Form] = []
        for child in (node.this, node.expression):
            part = self._value(child)
            parts += part[1] if part[0] == type(node).__name__ else [part]
        return (type(node).__name__, tuple(sorted(parts, key=repr)))


def _bare(node: Any) -> Any:
    """Without parentheses and casts; a cast to a time changes how a literal reads."""
    while isinstance(node, exp.Paren | exp.Cast | exp.Collate):
        if isinstance(node, exp.Cast) and not node.to.is_type(
            *exp.DataType.TEXT_TYPES, *exp.DataType.NUMERIC_TYPES, exp.DataType.Type.ARRAY
        ):
            raise _NotComparable
        node = node.this
    if node is None:
        raise _NotComparable
    return node


def _literal(text: str) -> Any:
    try:
        return Decimal(text).normalize()
    except InvalidOperation:
        return text


def _number(form: Form) -> Decimal:
    if form[0] != "literal" or not isinstance(form[1], Decimal):
        raise _NotComparable
    return form[1]
