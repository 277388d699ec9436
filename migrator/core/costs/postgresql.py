"""What DDL costs on PostgreSQL 13 to 18."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from migrator.core import ddl
from migrator.core.costs.charges import UNKNOWN, Charge, Situation, add_up
from migrator.core.costs.postgresql_known import (
    base_of_domain,
    foreign_key_named,
    foreign_keys_on,
    index_never_null,
    is_constrained_domain,
    is_plain_cast,
    key_columns,
    never_null,
    rebuilds_indexes,
)
from migrator.core.costs.postgresql_types import keeps_indexes, needs_rewrite, parse_type
from migrator.core.ddl import Action, ConstraintKind, Default
from migrator.core.plan import Cost
from migrator.core.schema import SEPARATOR, split_key

ROW_SHARE = "ROW SHARE"
ROW_EXCLUSIVE = "ROW EXCLUSIVE"
SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
SHARE = "SHARE"
SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
EXCLUSIVE = "EXCLUSIVE"
ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

BLOCKS = {
    "ACCESS SHARE": "",
    ROW_SHARE: "",
    ROW_EXCLUSIVE: "",
    SHARE_UPDATE_EXCLUSIVE: "schema changes",
    SHARE: "writes",
    SHARE_ROW_EXCLUSIVE: "writes",
    EXCLUSIVE: "writes",
    ACCESS_EXCLUSIVE: "reads and writes",
}
"""What waits for a holder of each mode (manual, "Table-Level Locks"); weakest first."""

_RANKS = tuple(BLOCKS)

_MAINTENANCE: dict[str, tuple[str, bool, bool]] = {
    # clause: (lock, rewrite, scan)
    "vacuum": (SHARE_UPDATE_EXCLUSIVE, False, False),
    "vacuum full": (ACCESS_EXCLUSIVE, True, True),
    "analyze": (SHARE_UPDATE_EXCLUSIVE, False, False),
    "cluster": (ACCESS_EXCLUSIVE, True, True),
    "set logged": (ACCESS_EXCLUSIVE, True, True),
    "set unlogged": (ACCESS_EXCLUSIVE, True, True),
    "set access method": (ACCESS_EXCLUSIVE, True, True),
    "set tablespace": (ACCESS_EXCLUSIVE, True, True),
    "set expression": (ACCESS_EXCLUSIVE, True, True),
    "set storage parameter": (SHARE_UPDATE_EXCLUSIVE, False, False),
    "set statistics": (SHARE_UPDATE_EXCLUSIVE, False, False),
    "set column options": (SHARE_UPDATE_EXCLUSIVE, False, False),
    "cluster on": (SHARE_UPDATE_EXCLUSIVE, False, False),
    "comment": (SHARE_UPDATE_EXCLUSIVE, False, False),
    "create statistics": (SHARE_UPDATE_EXCLUSIVE, False, False),
    "create trigger": (SHARE_ROW_EXCLUSIVE, False, False),
    "enable trigger": (SHARE_ROW_EXCLUSIVE, False, False),
    "disable trigger": (SHARE_ROW_EXCLUSIVE, False, False),
    "refresh materialized view": (ACCESS_EXCLUSIVE, True, True),
    "refresh materialized view concurrently": (EXCLUSIVE, False, False),
}
"""Clauses known by name; every other one takes ACCESS EXCLUSIVE for a moment."""


def cost_of(actions: tuple[Action, ...], situation: Situation, created: frozenset[str]) -> Cost:
    """What one statement costs.

    Args:
        actions: Of the statement.
        situation: What it finds.
        created: Tables that the same plan creates.
    """
    situation = situation.with_domains(actions)
    charges = (charge for action in actions for charge in _charges(action, situation))
    own = {action.table for action in actions if isinstance(action, ddl.CreateTable)}
    return add_up(charges, created | own, _RANKS, BLOCKS)


def _charges(action: Action, situation: Situation) -> Iterator[Charge]:
    price = _PRICES.get(type(action))
    if price is not None:
        yield from price(action, situation)
    elif isinstance(action, ddl.Opaque):
        yield UNKNOWN


# -- tables ----------------------------------------------------------------------------


def _create_table(action: ddl.CreateTable, _: Situation) -> Iterator[Charge]:
    for other in action.references:
        if other != action.table:
            yield Charge(other, SHARE_ROW_EXCLUSIVE, "CREATE TABLE with a foreign key")


def _drop_table(action: ddl.DropTable, situation: Situation) -> Iterator[Charge]:
    yield from _gone(action.table, situation, cascade=action.cascade, source="DROP TABLE")


def _gone(key: str, situation: Situation, *, cascade: bool, source: str) -> Iterator[Charge]:
    """A table with its foreign keys: their triggers are on the referenced tables as well."""
    yield Charge(key, ACCESS_EXCLUSIVE, source)
    table = situation.table(key)
    for foreign in table.foreign_keys if table else ():
        yield Charge(foreign.to_table, ACCESS_EXCLUSIVE, f"{source}, foreign key to another table")
    if cascade:
        for other in situation.referring(key):
            yield Charge(other.key, ACCESS_EXCLUSIVE, f"{source} CASCADE")


def _rename(action: Any, _: Situation) -> Iterator[Charge]:
    yield Charge(action.table, ACCESS_EXCLUSIVE, "ALTER TABLE … RENAME")


def _truncate(action: ddl.Truncate, situation: Situation) -> Iterator[Charge]:
    for key in action.tables:
        yield Charge(key, ACCESS_EXCLUSIVE, "TRUNCATE")
        if action.cascade:
            for other in situation.referring(key):
                yield Charge(other.key, ACCESS_EXCLUSIVE, "TRUNCATE … CASCADE")


def _write(action: Any, _: Situation) -> Iterator[Charge]:
    yield Charge(action.table, ROW_EXCLUSIVE, "INSERT, UPDATE, DELETE")


# -- columns ---------------------------------------------------------------------------


def _add_column(action: ddl.AddColumn, situation: Situation) -> Iterator[Charge]:
    key, kinds = action.table, action.constraints
    filled = action.default != Default.NONE
    if action.serial:
        yield Charge(key, ACCESS_EXCLUSIVE, "ADD COLUMN, serial or identity", rewrite=True)
    elif action.generated == "stored":
        yield Charge(key, ACCESS_EXCLUSIVE, "ADD COLUMN, stored generated", rewrite=True)
    elif action.default == Default.VOLATILE:
        yield Charge(key, ACCESS_EXCLUSIVE, "ADD COLUMN, volatile default", rewrite=True)
    elif is_constrained_domain(action.type, situation):
        yield Charge(key, ACCESS_EXCLUSIVE, "ADD COLUMN, domain with constraints", rewrite=True)
    elif action.not_null and not filled and not action.generated:
        # It fails unless the table is empty.
        yield Charge(key, ACCESS_EXCLUSIVE, "ADD COLUMN, NOT NULL without default", scan=True)
    elif filled:
        yield Charge(key, ACCESS_EXCLUSIVE, "ADD COLUMN, constant default")
    else:
        yield Charge(key, ACCESS_EXCLUSIVE, "ADD COLUMN")
    if kinds & {ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY}:
        yield Charge(key, ACCESS_EXCLUSIVE, "ADD COLUMN, UNIQUE", scan=True)
    if ConstraintKind.CHECK in kinds:
        yield Charge(key, ACCESS_EXCLUSIVE, "ADD COLUMN, CHECK", scan=True)
    if action.references:
        source = "ADD COLUMN, REFERENCES"
        # Without a default every row holds NULL, which needs no check.
        yield Charge(action.references, SHARE_ROW_EXCLUSIVE, source, scan=filled)
        yield Charge(key, SHARE_ROW_EXCLUSIVE, source, scan=filled)


def _drop_column(action: ddl.DropColumn, situation: Situation) -> Iterator[Charge]:
    yield Charge(action.table, ACCESS_EXCLUSIVE, "DROP COLUMN")
    for foreign in foreign_keys_on(situation.table(action.table), action.column):
        yield Charge(foreign.to_table, ACCESS_EXCLUSIVE, "DROP COLUMN with a foreign key")
    if action.cascade:
        for other in situation.referring(action.table):
            if any(action.column in found.to_columns for found in other.foreign_keys):
                yield Charge(other.key, ACCESS_EXCLUSIVE, "DROP COLUMN … CASCADE")


def _alter_type(action: ddl.AlterColumnType, situation: Situation) -> Iterator[Charge]:
    key = action.table
    table = situation.table(key)
    column = table.column(action.column) if table else None
    old = base_of_domain(column.type, situation) if column else ""
    new = base_of_domain(action.type, situation)
    rewrite = (
        not old
        or not is_plain_cast(action)
        or is_constrained_domain(action.type, situation)
        or needs_rewrite(old, new, situation.timezone)
    )
    if rewrite:
        yield Charge(key, ACCESS_EXCLUSIVE, "ALTER COLUMN TYPE, rewrite", rewrite=True)
    else:
        yield Charge(key, ACCESS_EXCLUSIVE, "ALTER COLUMN TYPE, same bytes")
    if table is None or column is None:
        return
    kept = not rewrite and keeps_indexes(old, new)
    rebuilt = rebuilds_indexes(table, action.column, kept and action.collation == column.collation)
    if rebuilt:
        yield Charge(key, ACCESS_EXCLUSIVE, "ALTER COLUMN TYPE, indexes rebuilt", scan=True)
    if any(action.column in check.columns for check in table.checks):
        yield Charge(key, ACCESS_EXCLUSIVE, "ALTER COLUMN TYPE, CHECK on it", scan=True)
    # Its foreign keys, from here and to here, are dropped and made again.
    source = "ALTER COLUMN TYPE, foreign key"
    for foreign in foreign_keys_on(table, action.column):
        yield Charge(foreign.to_table, ACCESS_EXCLUSIVE, source, scan=not kept)
        yield Charge(key, ACCESS_EXCLUSIVE, source, scan=not kept)
    for other in situation.referring(key):
        for foreign in other.foreign_keys:
            if foreign.to_table == key and action.column in foreign.to_columns:
                yield Charge(other.key, ACCESS_EXCLUSIVE, source, scan=not kept)


def _set_not_null(action: ddl.SetNotNull, situation: Situation) -> Iterator[Charge]:
    table = situation.table(action.table)
    if table is not None and never_null(table, action.column):
        yield Charge(action.table, ACCESS_EXCLUSIVE, "SET NOT NULL, proved by a CHECK")
    else:
        yield Charge(action.table, ACCESS_EXCLUSIVE, "SET NOT NULL", scan=True)


def _alter_column(action: Any, _: Situation) -> Iterator[Charge]:
    yield Charge(action.table, ACCESS_EXCLUSIVE, "ALTER COLUMN, default or nullability")


# -- constraints -----------------------------------------------------------------------


def _add_constraint(action: ddl.AddConstraint, situation: Situation) -> Iterator[Charge]:
    key, kind = action.table, action.kind
    source = f"ADD {kind.value.upper()}"
    if kind == ConstraintKind.FOREIGN_KEY:
        scan = not action.not_valid
        source += " NOT VALID" if action.not_valid else ""
        yield Charge(action.references, SHARE_ROW_EXCLUSIVE, source, scan=scan)
        yield Charge(key, SHARE_ROW_EXCLUSIVE, source, scan=scan)
        return
    if action.using_index:
        proved = kind == ConstraintKind.UNIQUE or index_never_null(action, situation)
        yield Charge(key, ACCESS_EXCLUSIVE, f"{source} USING INDEX", scan=not proved)
    elif action.not_valid:
        yield Charge(key, ACCESS_EXCLUSIVE, f"{source} NOT VALID")
    else:
        table = situation.table(key) if kind == ConstraintKind.NOT_NULL else None
        proved = table is not None and all(never_null(table, name) for name in action.columns)
        yield Charge(key, ACCESS_EXCLUSIVE, source, scan=not proved)


def _validate(action: ddl.ValidateConstraint, situation: Situation) -> Iterator[Charge]:
    yield Charge(action.table, SHARE_UPDATE_EXCLUSIVE, "VALIDATE CONSTRAINT", scan=True)
    foreign = foreign_key_named(situation.table(action.table), action.name)
    if foreign:
        yield Charge(foreign.to_table, ROW_SHARE, "VALIDATE CONSTRAINT, foreign key")


def _drop_constraint(action: ddl.DropConstraint, situation: Situation) -> Iterator[Charge]:
    yield Charge(action.table, ACCESS_EXCLUSIVE, "DROP CONSTRAINT")
    table = situation.table(action.table)
    foreign = foreign_key_named(table, action.name)
    if foreign:
        yield Charge(foreign.to_table, ACCESS_EXCLUSIVE, "DROP CONSTRAINT, foreign key")
    if table is None or not action.cascade:
        return
    columns = key_columns(table, action.name)
    for other in situation.referring(table.key):
        if any(found.to_columns == columns for found in other.foreign_keys):
            yield Charge(other.key, ACCESS_EXCLUSIVE, "DROP CONSTRAINT … CASCADE")


# -- indexes ---------------------------------------------------------------------------


def _create_index(action: ddl.CreateIndex, _: Situation) -> Iterator[Charge]:
    if action.concurrently:
        yield Charge(action.table, SHARE_UPDATE_EXCLUSIVE, "CREATE INDEX CONCURRENTLY", scan=True)
    else:
        yield Charge(action.table, SHARE, "CREATE INDEX", scan=not action.only)


def _drop_index(action: ddl.DropIndex, situation: Situation) -> Iterator[Charge]:
    mode = SHARE_UPDATE_EXCLUSIVE if action.concurrently else ACCESS_EXCLUSIVE
    table = situation.table_of_index(split_key(action.name)[1])
    yield Charge(
        table.key if table else action.table,
        mode,
        "DROP INDEX CONCURRENTLY" if action.concurrently else "DROP INDEX",
    )


def _reindex(action: ddl.Reindex, situation: Situation) -> Iterator[Charge]:
    table = situation.table_of_index(split_key(action.name)[1]) if action.name else None
    key = action.table or (table.key if table else "")
    if not key:
        yield UNKNOWN
    elif action.concurrently:
        yield Charge(key, SHARE_UPDATE_EXCLUSIVE, "REINDEX CONCURRENTLY", scan=True)
    else:
        yield Charge(key, SHARE, "REINDEX", scan=True)


# -- everything else -------------------------------------------------------------------


def _drop_object(action: ddl.DropObject, situation: Situation) -> Iterator[Charge]:
    if action.table:
        yield Charge(action.table, ACCESS_EXCLUSIVE, f"DROP {action.kind.upper()}")
    elif action.kind == "schema":
        for key in situation.schema.tables:
            if key.startswith(action.name + SEPARATOR):
                yield from _gone(key, situation, cascade=True, source="DROP SCHEMA")
    elif action.kind in {"database", "owned"} or action.cascade:
        yield UNKNOWN


def _maintain(action: ddl.TableMaintenance, situation: Situation) -> Iterator[Charge]:
    what, key, other = action.what, action.table, action.other
    source = what.upper()
    if what.startswith("lock "):
        yield Charge(key, what.removeprefix("lock ").upper(), "LOCK")
    elif what == "validate domain":
        for table in situation.schema.tables.values():
            if any(parse_type(column.type).base == other for column in table.columns):
                yield Charge(table.key, SHARE, "ALTER DOMAIN … ADD CONSTRAINT", scan=True)
    elif what == "attach partition":
        yield Charge(key, SHARE_UPDATE_EXCLUSIVE, source)
        yield Charge(other, ACCESS_EXCLUSIVE, source, scan=True)
    elif what == "detach partition":
        yield Charge(key, ACCESS_EXCLUSIVE, source)
        yield Charge(other, ACCESS_EXCLUSIVE, source)
    elif what == "detach partition concurrently":
        yield Charge(key, SHARE_UPDATE_EXCLUSIVE, source)
        yield Charge(other, ACCESS_EXCLUSIVE, source)
    elif what == "create partition":
        yield Charge(key, ACCESS_EXCLUSIVE, source)
    elif what == "create child":
        yield Charge(key, SHARE_UPDATE_EXCLUSIVE, source)
    elif what == "inherit":
        yield Charge(key, ACCESS_EXCLUSIVE, source)
        yield Charge(other, SHARE_UPDATE_EXCLUSIVE, source)
    elif not key and what in {"vacuum full", "vacuum", "analyze"}:
        yield UNKNOWN
    else:
        mode, rewrite, scan = _MAINTENANCE.get(what, (ACCESS_EXCLUSIVE, False, False))
        yield Charge(key, mode, source, rewrite=rewrite, scan=scan)


_PRICES: dict[type[Any], Callable[[Any, Situation], Iterator[Charge]]] = {
    ddl.CreateTable: _create_table,
    ddl.DropTable: _drop_table,
    ddl.RenameTable: _rename,
    ddl.RenameColumn: _rename,
    ddl.RenameConstraint: _rename,
    ddl.Truncate: _truncate,
    ddl.Insert: _write,
    ddl.Update: _write,
    ddl.Delete: _write,
    ddl.AddColumn: _add_column,
    ddl.DropColumn: _drop_column,
    ddl.AlterColumnType: _alter_type,
    ddl.SetNotNull: _set_not_null,
    ddl.DropNotNull: _alter_column,
    ddl.SetDefault: _alter_column,
    ddl.DropDefault: _alter_column,
    ddl.AddConstraint: _add_constraint,
    ddl.ValidateConstraint: _validate,
    ddl.DropConstraint: _drop_constraint,
    ddl.CreateIndex: _create_index,
    ddl.DropIndex: _drop_index,
    ddl.Reindex: _reindex,
    ddl.DropObject: _drop_object,
    ddl.TableMaintenance: _maintain,
}
