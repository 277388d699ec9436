"""Pieces of PostgreSQL's parse tree: names, types in the server's spelling, expressions as text.

A node is a protobuf message of `postgast`, whose fields are only known when it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import postgast
from postgast import pg_query_pb2 as pb

from migrator.core.ddl import Default
from migrator.core.schema import table_key
from migrator.sources.functions_postgresql import BENIGN, STEADY

Node: TypeAlias = Any

_SPELLED = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "float4": "real",
    "float8": "double precision",
    "varchar": "character varying",
    "bpchar": "character",
    "varbit": "bit varying",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "timetz": "time with time zone",
    "time": "time without time zone",
    "serial2": "smallserial",
    "serial4": "serial",
    "serial8": "bigserial",
}
SERIALS = frozenset({"smallserial", "serial", "bigserial"})


def strings(nodes: Iterable[Node]) -> list[str]:
    """The texts of a list of String nodes."""
    return [node.string.sval for node in nodes]


def key_of_names(names: list[str]) -> str:
    """Table key of a dotted name; the database in a three-part one is left out."""
    return table_key(names[-2] if len(names) > 1 else "", names[-1])


def table_of(relation: Node) -> str:
    """Table key of a RangeVar."""
    return table_key(relation.schemaname, relation.relname)


def kind_of(node: Node) -> str:
    """Name of what a Node holds: "func_call", "a_const", …"""
    return str(node.WhichOneof("node") or "")


def inner(node: Node) -> Node:
    """What a Node holds."""
    return getattr(node, kind_of(node)) if kind_of(node) else None


def walk(message: Node) -> Iterator[Node]:
    """Every message in a tree, the root first, without recursion."""
    waiting = [message]
    while waiting:
        found = waiting.pop()
        yield found
        for field, value in found.ListFields():
            if field.message_type is None:
                continue
            waiting.extend([value] if hasattr(value, "ListFields") else value)


def named(message: Node, name: str) -> Iterator[Node]:
    """Every message of one type in a tree: `named(tree, "FuncCall")`."""
    return (found for found in walk(message) if found.DESCRIPTOR.name == name)


def expression_text(expression: Node) -> str:
    """An expression as PostgreSQL would write it; "" where it cannot be written."""
    target = pb.Node(res_target=pb.ResTarget(val=expression))
    select = pb.SelectStmt(
        target_list=[target], limit_option="LIMIT_OPTION_DEFAULT", op="SETOP_NONE"
    )
    tree = pb.ParseResult(stmts=[pb.RawStmt(stmt=pb.Node(select_stmt=select))])
    try:
        text = str(postgast.deparse(tree))
    except postgast.PgQueryError:
        return ""
    return text.removeprefix("SELECT ")


def picking_text(statement: Node, others: Sequence[Node]) -> str:
    """The rows that an UPDATE or DELETE with other tables or an alias picks, as a condition."""
    alias = statement.relation.alias.aliasname or statement.relation.relname
    parts = [pb.Node(string=pb.String(sval=part)) for part in (alias, "ctid")]
    column = pb.Node(column_ref=pb.ColumnRef(fields=parts))
    select = pb.SelectStmt(
        target_list=[pb.Node(res_target=pb.ResTarget(val=column))],
        from_clause=[pb.Node(range_var=statement.relation), *others],
        where_clause=statement.where_clause if statement.HasField("where_clause") else None,
        limit_option="LIMIT_OPTION_DEFAULT",
        op="SETOP_NONE",
    )
    tree = pb.ParseResult(stmts=[pb.RawStmt(stmt=pb.Node(select_stmt=select))])
    try:
        return f"ctid IN ({postgast.deparse(tree)})"
    except postgast.PgQueryError:
        return ""


def type_text(name: Node) -> str:
    """A TypeName in the spelling of format_type(), as far as no catalog is needed."""
    parts = strings(name.names)
    if len(parts) > 1 and parts[0] == "pg_catalog":
        parts = parts[1:]
    base = parts[-1]
    text = _SPELLED.get(base, base) if len(parts) == 1 else ".".join(parts)
    modifiers = "".join(_modifiers(name, base))
    first, _, rest = text.partition(" ")
    if modifiers and first in {"time", "timestamp"}:
        text = f"{first}{modifiers} {rest}"
    else:
        text += modifiers
    return ("setof " if name.setof else "") + text + "[]" * len(name.array_bounds)


def _modifiers(name: Node, base: str) -> Iterator[str]:
    if base == "interval":  # the fields come as a bit mask
        if name.typmods:
            yield expression_text(pb.Node(type_cast=pb.TypeCast(
                arg=pb.Node(a_const=pb.A_Const(isnull=True)), type_name=name
            ))).removeprefix("NULL::interval")  # fmt: skip
        return
    if name.typmods:
        yield f"({','.join(expression_text(modifier) for modifier in name.typmods)})"


def default_of(expression: Node) -> Default:
    """Whether a DEFAULT gives each row a value of its own.

    As PostgreSQL decides between filling a new column without and with a rewrite
    (`contain_volatile_functions` in ATExecAddColumn).
    """
    if kind_of(expression) == "a_const" and expression.a_const.isnull:
        return Default.NONE
    steady = all(_plain_function(call) in STEADY for call in named(expression, "FuncCall"))
    return Default.CONSTANT if steady else Default.VOLATILE


def calls_unknown(message: Node) -> bool:
    """Whether a statement calls a function that may do anything."""
    return any(_plain_function(call) not in BENIGN for call in named(message, "FuncCall"))


def _plain_function(call: Node) -> str:
    parts = strings(call.funcname)
    return parts[-1] if len(parts) == 1 or parts[0] == "pg_catalog" else ".".join(parts)
