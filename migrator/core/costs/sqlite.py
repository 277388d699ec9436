"""What DDL costs on SQLite: one writer at a time, whatever it writes.

Every write keeps all other writers of the file waiting, and readers too unless it is in WAL
mode; what matters is for how long. Django remakes a table for most changes: CREATE TABLE
"new__t", INSERT … SELECT, DROP TABLE "t", RENAME; the copy is the part that takes time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from migrator.core import ddl
from migrator.core.costs.charges import UNKNOWN, Charge, Situation, add_up
from migrator.core.ddl import Action, ConstraintKind
from migrator.core.plan import Cost

RESERVED = "RESERVED"

BLOCKS = {RESERVED: "writes"}

_REMADE = "new__"
"""What Django puts before the name of the table that it makes anew."""


def cost_of(actions: tuple[Action, ...], situation: Situation, created: frozenset[str]) -> Cost:
    """What one statement costs.

    Args:
        actions: Of the statement.
        situation: What it finds.
        created: Tables that the same plan creates.
    """
    charges = (charge for action in actions for charge in _charges(action, situation))
    return add_up(charges, created, tuple(BLOCKS), BLOCKS)


def _charges(action: Action, situation: Situation) -> Iterator[Charge]:
    price = _PRICES.get(type(action))
    if price is not None:
        yield from price(action, situation)
    elif isinstance(action, ddl.Opaque):
        yield UNKNOWN


def _insert(action: ddl.Insert, _: Situation) -> Iterator[Charge]:
    table = action.table.removeprefix(_REMADE)
    if action.table.startswith(_REMADE) and table in action.sources:
        yield Charge(table, RESERVED, "table made anew", rewrite=True)
    else:
        yield Charge(action.table, RESERVED, "INSERT, UPDATE, DELETE")


def _moment(source: str) -> Callable[[Any, Situation], Iterator[Charge]]:
    def price(action: Any, _: Situation) -> Iterator[Charge]:
        if not action.table.startswith(_REMADE):
            yield Charge(action.table, RESERVED, source)

    return price


def _add_column(action: ddl.AddColumn, _: Situation) -> Iterator[Charge]:
    # A CHECK, and NOT NULL on a generated column, are held against every row.
    checked = ConstraintKind.CHECK in action.constraints
    checked = checked or (bool(action.generated) and action.not_null)
    yield Charge(action.table, RESERVED, "ADD COLUMN", scan=checked)


def _drop_column(action: ddl.DropColumn, _: Situation) -> Iterator[Charge]:
    yield Charge(action.table, RESERVED, "DROP COLUMN", rewrite=True)


def _create_index(action: ddl.CreateIndex, _: Situation) -> Iterator[Charge]:
    yield Charge(action.table, RESERVED, "CREATE INDEX", scan=True)


def _drop_index(action: ddl.DropIndex, situation: Situation) -> Iterator[Charge]:
    table = situation.table_of_index(action.name)
    yield Charge(table.key if table else "", RESERVED, "DROP INDEX")


def _reindex(action: ddl.Reindex, situation: Situation) -> Iterator[Charge]:
    if not action.name:
        for key in situation.schema.tables:
            yield Charge(key, RESERVED, "REINDEX", scan=True)
        return
    table = situation.table_of_index(action.name)
    if table is None and action.name not in situation.schema.tables:
        yield UNKNOWN
    else:
        yield Charge(table.key if table else action.name, RESERVED, "REINDEX", scan=True)


def _maintain(action: ddl.TableMaintenance, situation: Situation) -> Iterator[Charge]:
    if action.what == "vacuum full":
        for key in situation.schema.tables:
            yield Charge(key, RESERVED, "VACUUM", rewrite=True)
    else:
        yield Charge(action.table, RESERVED, action.what.upper())


_PRICES: dict[type[Any], Callable[[Any, Situation], Iterator[Charge]]] = {
    ddl.Insert: _insert,
    ddl.Update: _moment("INSERT, UPDATE, DELETE"),
    ddl.Delete: _moment("INSERT, UPDATE, DELETE"),
    ddl.DropTable: _moment("DROP TABLE"),
    ddl.RenameTable: _moment("RENAME TO"),
    ddl.RenameColumn: _moment("RENAME COLUMN"),
    ddl.AddColumn: _add_column,
    ddl.DropColumn: _drop_column,
    ddl.CreateIndex: _create_index,
    ddl.DropIndex: _drop_index,
    ddl.Reindex: _reindex,
    ddl.TableMaintenance: _maintain,
}
