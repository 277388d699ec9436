"""The clauses of PostgreSQL's ALTER TABLE, and what is written beside a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from postgast import pg_query_pb2 as pb

from migrator.core.ddl import (
    Action,
    AddColumn,
    AddConstraint,
    AlterColumnType,
    ConstraintKind,
    Default,
    DropColumn,
    DropConstraint,
    DropDefault,
    DropNotNull,
    Opaque,
    SetDefault,
    SetNotNull,
    TableMaintenance,
    ValidateConstraint,
)
from migrator.sources.ddl_postgresql_nodes import (
    SERIALS,
    Node,
    default_of,
    expression_text,
    named,
    strings,
    table_of,
    type_text,
)

_KINDS = {
    "CONSTR_PRIMARY": ConstraintKind.PRIMARY_KEY,
    "CONSTR_UNIQUE": ConstraintKind.UNIQUE,
    "CONSTR_FOREIGN": ConstraintKind.FOREIGN_KEY,
    "CONSTR_CHECK": ConstraintKind.CHECK,
    "CONSTR_EXCLUSION": ConstraintKind.EXCLUSION,
    "CONSTR_NOTNULL": ConstraintKind.NOT_NULL,
}

_MAINTENANCE = {
    "AT_SetStatistics": "set statistics",
    "AT_SetOptions": "set column options",
    "AT_ResetOptions": "set column options",
    "AT_SetStorage": "set storage",
    "AT_SetCompression": "set compression",
    "AT_DropExpression": "drop expression",
    "AT_SetExpression": "set expression",
    "AT_AlterConstraint": "alter constraint",
    "AT_ChangeOwner": "owner",
    "AT_ClusterOn": "cluster on",
    "AT_DropCluster": "cluster on",
    "AT_SetLogged": "set logged",
    "AT_SetUnLogged": "set unlogged",
    "AT_SetAccessMethod": "set access method",
    "AT_SetTableSpace": "set tablespace",
    "AT_SetRelOptions": "set storage parameter",
    "AT_ResetRelOptions": "set storage parameter",
    "AT_EnableTrig": "enable trigger",
    "AT_EnableAlwaysTrig": "enable trigger",
    "AT_EnableReplicaTrig": "enable trigger",
    "AT_EnableTrigAll": "enable trigger",
    "AT_EnableTrigUser": "enable trigger",
    "AT_DisableTrig": "disable trigger",
    "AT_DisableTrigAll": "disable trigger",
    "AT_DisableTrigUser": "disable trigger",
    "AT_EnableRule": "enable rule",
    "AT_EnableAlwaysRule": "enable rule",
    "AT_EnableReplicaRule": "enable rule",
    "AT_DisableRule": "disable rule",
    "AT_ReplicaIdentity": "replica identity",
    "AT_EnableRowSecurity": "enable row level security",
    "AT_DisableRowSecurity": "disable row level security",
    "AT_ForceRowSecurity": "force row level security",
    "AT_NoForceRowSecurity": "no force row level security",
    "AT_AddIdentity": "add identity",
    "AT_SetIdentity": "set identity",
    "AT_DropIdentity": "drop identity",
    "AT_AddOf": "of type",
    "AT_DropOf": "of type",
}
"""Clauses that are known by their name alone; their price stands in `core.costs`."""


def read_clause(table: str, command: Node) -> Iterator[Action]:
    """The actions of one clause.

    Args:
        table: Key of the table.
        command: An AlterTableCmd.
    """
    subtype = pb.AlterTableType.Name(command.subtype)
    reader = _CLAUSES.get(subtype)
    if reader is not None:
        yield from reader(table, command)
    elif subtype in _MAINTENANCE:
        yield TableMaintenance(table, _MAINTENANCE[subtype])
    else:
        yield Opaque(f"ALTER TABLE {table}: {subtype.removeprefix('AT_')}")


def read_references(elements: Iterable[Node]) -> tuple[str, ...]:
    """Keys of the tables that the foreign keys of a CREATE TABLE point to, each once."""
    found = (
        table_of(constraint.pktable)
        for element in elements
        for constraint in named(element, "Constraint")
        if pb.ConstrType.Name(constraint.contype) == "CONSTR_FOREIGN"
    )
    return tuple(dict.fromkeys(found))


def _add_column(table: str, command: Node) -> Iterator[Action]:
    column = getattr(command, "def").column_def
    spelled = type_text(column.type_name)
    kinds: set[ConstraintKind] = set()
    not_null, default, generated, references = False, Default.NONE, "", ""
    serial = spelled in SERIALS
    for node in column.constraints:
        constraint = node.constraint
        kind = pb.ConstrType.Name(constraint.contype)
        if kind == "CONSTR_DEFAULT":
            default = default_of(constraint.raw_expr)
        elif kind == "CONSTR_IDENTITY":
            serial = True
        elif kind == "CONSTR_GENERATED":
            generated = "virtual" if constraint.generated_kind == "v" else "stored"
        elif kind == "CONSTR_NOTNULL":
            not_null = True
        elif kind in _KINDS:
            kinds.add(_KINDS[kind])
            not_null = not_null or kind == "CONSTR_PRIMARY"
            if kind == "CONSTR_FOREIGN":
                references = table_of(constraint.pktable)
    yield AddColumn(
        table,
        column.colname,
        spelled,
        not_null=not_null or serial,
        default=default,
        generated=generated,
        serial=serial,
        constraints=frozenset(kinds),
        references=references,
    )


def _drop_column(table: str, command: Node) -> Iterator[Action]:
    yield DropColumn(table, command.name, cascade=_cascades(command))


def _alter_type(table: str, command: Node) -> Iterator[Action]:
    column = getattr(command, "def").column_def
    using = expression_text(column.raw_default) if column.HasField("raw_default") else ""
    yield AlterColumnType(
        table,
        command.name,
        type_text(column.type_name),
        using=using,
        collation=".".join(strings(column.coll_clause.collname)),
    )


def _default(table: str, command: Node) -> Iterator[Action]:
    if command.HasField("def"):
        yield SetDefault(table, command.name, default_of(getattr(command, "def")))
    else:
        yield DropDefault(table, command.name)


def _set_not_null(table: str, command: Node) -> Iterator[Action]:
    yield SetNotNull(table, command.name)


def _drop_not_null(table: str, command: Node) -> Iterator[Action]:
    yield DropNotNull(table, command.name)


def _add_constraint(table: str, command: Node) -> Iterator[Action]:
    constraint = getattr(command, "def").constraint
    kind = _KINDS.get(pb.ConstrType.Name(constraint.contype))
    if kind is None:
        yield Opaque(f"ALTER TABLE {table} ADD CONSTRAINT {constraint.conname}")
        return
    foreign = kind == ConstraintKind.FOREIGN_KEY
    yield AddConstraint(
        table,
        kind,
        name=constraint.conname,
        columns=tuple(strings(constraint.fk_attrs if foreign else constraint.keys)),
        references=table_of(constraint.pktable) if foreign else "",
        referenced_columns=tuple(strings(constraint.pk_attrs)),
        expression=(
            expression_text(constraint.raw_expr) if constraint.HasField("raw_expr") else ""
        ),
        # NOT ENFORCED (PostgreSQL 18) reads no rows either.
        not_valid=constraint.skip_validation or _unenforced(constraint, kind),
        using_index=constraint.indexname,
        nulls_equal=constraint.nulls_not_distinct,
    )


def _unenforced(constraint: Node, kind: ConstraintKind) -> bool:
    checked = kind in {ConstraintKind.CHECK, ConstraintKind.FOREIGN_KEY}
    return checked and not constraint.is_enforced


def _validate(table: str, command: Node) -> Iterator[Action]:
    yield ValidateConstraint(table, command.name)


def _drop_constraint(table: str, command: Node) -> Iterator[Action]:
    yield DropConstraint(table, command.name, cascade=_cascades(command))


def _attach(table: str, command: Node) -> Iterator[Action]:
    yield TableMaintenance(
        table, "attach partition", table_of(getattr(command, "def").partition_cmd.name)
    )


def _detach(table: str, command: Node) -> Iterator[Action]:
    partition = getattr(command, "def").partition_cmd
    what = "detach partition concurrently" if partition.concurrent else "detach partition"
    yield TableMaintenance(table, what, table_of(partition.name))


def _inherit(table: str, command: Node) -> Iterator[Action]:
    what = "inherit" if command.subtype == pb.AT_AddInherit else "no inherit"
    yield TableMaintenance(table, what, table_of(getattr(command, "def").range_var))


def _cascades(command: Node) -> bool:
    return bool(command.behavior == pb.DROP_CASCADE)


_CLAUSES: dict[str, Callable[[str, Node], Iterator[Action]]] = {
    "AT_AddColumn": _add_column,
    "AT_DropColumn": _drop_column,
    "AT_AlterColumnType": _alter_type,
    "AT_ColumnDefault": _default,
    "AT_SetNotNull": _set_not_null,
    "AT_DropNotNull": _drop_not_null,
    "AT_AddConstraint": _add_constraint,
    "AT_ValidateConstraint": _validate,
    "AT_DropConstraint": _drop_constraint,
    "AT_AttachPartition": _attach,
    "AT_DetachPartition": _detach,
    "AT_DetachPartitionFinalize": _detach,
    "AT_AddInherit": _inherit,
    "AT_DropInherit": _inherit,
}
