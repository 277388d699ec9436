"""Expressions as they read once the server's own ways of spelling them are put aside.

PostgreSQL does not spell an expression the same way for good: what is dumped and restored, and
what it writes anew when the type of a column changes, comes back with its casts elsewhere
(`(ARRAY['a'::character varying])::text[]` becomes `ARRAY[('a'::character varying)::text]`,
ruleutils.c and parse_coerce.c). Both mean the same, so casts between text types and parentheses
around a single thing are left out; what remains is compared exactly, literals and grouping
included.
"""

from __future__ import annotations

import re
from functools import cache
from typing import cast

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<cast>::\s*(?:character\s+varying|varchar|text|bpchar|character)
        (?:\s*\(\s*\d+\s*\))?(?:\s*\[\s*\])*)
  | (?P<literal>(?:\b[eEbBxXnN])?'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<sign>::|<>|<=|>=|\|\||->>|->|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PAIRS = {"(": ")", "[": "]"}
_CONNECTING = frozenset({"and", "or", "not", "between", "case", "when", "then", "else", "like"})
_QUANTIFYING = frozenset({"any", "all", "some"})

Group = tuple[str, tuple["Node", ...]]
Node = str | Group
"""A token, or what stands between brackets with the kind of bracket."""


@cache
def read_expression(sql: str) -> Node | tuple[Node, ...]:
    """The meaning of an expression as far as its spelling tells, to be compared.

    Args:
        sql: As a server shows it.

    Returns:
        Nested tokens; equal for two spellings of one expression. What has unbalanced brackets
        is itself.
    """
    nodes: list[list[Node]] = [[]]
    opened: list[str] = []
    for found in _TOKEN.finditer(sql):
        kind, text = str(found.lastgroup), found[0]
        if kind in {"space", "cast"}:
            continue
        if text in _PAIRS and kind == "sign":
            opened.append(text)
            nodes.append([])
        elif kind == "sign" and text in _PAIRS.values():
            if not opened or _PAIRS[opened[-1]] != text:
                return sql
            inside = tuple(nodes.pop())
            _close(nodes[-1], opened.pop(), inside)
        else:
            nodes[-1].append(_spelled(kind, text))
    if opened:
        return sql
    return _bare(tuple(nodes[0]))


def _spelled(kind: str, text: str) -> str:
    if kind == "quoted":
        inner = text[1:-1]
        return inner if re.fullmatch(r"[a-z_][a-z0-9_$]*", inner) else text
    return text.lower() if kind == "word" else text


def _close(around: list[Node], bracket: str, inside: tuple[Node, ...]) -> None:
    """Put a group down, or what is in it where the brackets mean nothing."""
    before = around[-1] if around and isinstance(around[-1], str) else ""
    if bracket == "[" and before == "array":
        around[-1] = ("array", inside)
        return
    if bracket == "(" and (before in _CONNECTING or not _is_name(before)):
        alone = _bare(inside)
        if isinstance(alone, str) or _is_group(alone):
            around.append(cast("Node", alone))
            return
        inside = cast("tuple[Node, ...]", alone)
    elif before in _QUANTIFYING and len(inside) == 1 and inside[0][0] == "(":
        inside = cast("Group", inside[0])[1]
    around.append((bracket, inside))


def _bare(inside: tuple[Node, ...]) -> Node | tuple[Node, ...]:
    """Without brackets around the whole of it, and alone what is alone."""
    while len(inside) == 1:
        only = inside[0]
        if isinstance(only, str) or only[0] != "(":
            return only
        inside = only[1]
    return inside


def _is_name(token: str) -> bool:
    return bool(re.fullmatch(r"[^\W\d][\w$]*|\".*\"|`.*`", token, re.DOTALL))


def _is_group(node: object) -> bool:
    return (
        isinstance(node, tuple)
        and len(node) == 2
        and isinstance(node[0], str)
        and node[0] in {"(", "[", "array"}
        and isinstance(node[1], tuple)
    )
