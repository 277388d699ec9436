"""What DDL costs on MariaDB 10.6 and later, and on MySQL 8.

MariaDB's figures are measured on 10.11. MySQL's are those of its manual ("Online DDL
Operations"); a version before 8.0.29 is taken to do fewer of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from migrator.core import ddl
from migrator.core.costs.charges import UNKNOWN, Charge, Situation, add_up
from migrator.core.costs.mysql_types import change_of
from migrator.core.ddl import Action, ConstraintKind, Default
from migrator.core.plan import Cost
from migrator.core.schema import Table

INSTANT = "INSTANT/NONE"
NOCOPY = "NOCOPY/NONE"
INPLACE = "INPLACE/NONE"
INPLACE_SHARED = "INPLACE/SHARED"
COPY = "COPY/SHARED"
EXCLUSIVE = "EXCLUSIVE"

BLOCKS = {
    INSTANT: "schema changes",
    NOCOPY: "schema changes",
    INPLACE: "schema changes",
    INPLACE_SHARED: "writes",
    COPY: "writes",
    EXCLUSIVE: "reads and writes",
}
"""Algorithm and lock of an ALTER TABLE, cheapest first. Each of them takes the table's metadata
lock for a moment, and so waits for every transaction that has used the table. EXCLUSIVE is that
lock alone, of what is no ALTER."""

_RANKS = tuple(BLOCKS)

_OPTIONS = {
    "convert charset": COPY,
    "optimize": INPLACE,
    "engine innodb": INPLACE,
    "row format": INPLACE,
    "encryption": INPLACE,
    "add fulltext index": INPLACE_SHARED,
    "add spatial index": INPLACE_SHARED,
    "repair": COPY,
    "create trigger": EXCLUSIVE,
    "lock write": EXCLUSIVE,
    "lock read": INPLACE_SHARED,
}


def cost_of(actions: tuple[Action, ...], situation: Situation, created: frozenset[str]) -> Cost:
    """What one statement costs.

    Args:
        actions: Of the statement.
        situation: What it finds.
        created: Tables that the same plan creates.
    """
    charges = [charge for action in actions for charge in _charges(action, situation)]
    charges += _together(actions)
    if situation.product == "MySQL":  # has no word of its own for what needs no rebuild
        charges = [
            replace(charge, mode=INPLACE) if charge.mode == NOCOPY else charge for charge in charges
        ]
    return add_up(charges, created, _RANKS, BLOCKS)


def _together(actions: tuple[Action, ...]) -> Iterator[Charge]:
    """A column and an index in one statement: the table is built anew for both."""
    adds = {found.table for found in actions if isinstance(found, ddl.AddColumn)}
    for found in actions:
        indexed = isinstance(found, ddl.CreateIndex) or (
            isinstance(found, ddl.AddConstraint) and found.kind == ConstraintKind.UNIQUE
        )
        if indexed and found.table in adds:  # type: ignore[union-attr]
            yield _way(found.table, INPLACE, "ADD COLUMN with an index")  # type: ignore[union-attr]
    if any(isinstance(found, ddl.AddConstraint) and _primary(found) for found in actions):
        return
    for found in actions:
        if isinstance(found, ddl.DropConstraint) and found.kind == ConstraintKind.PRIMARY_KEY:
            yield _way(found.table, COPY, "DROP PRIMARY KEY")


def _primary(action: ddl.AddConstraint) -> bool:
    return action.kind == ConstraintKind.PRIMARY_KEY


def _way(table: str, mode: str, source: str) -> Charge:
    """One algorithm: INPLACE and COPY write the table anew, NOCOPY and INSTANT do not."""
    return Charge(table, mode, source, rewrite=mode in {INPLACE, INPLACE_SHARED, COPY})


def _charges(action: Action, situation: Situation) -> Iterator[Charge]:
    price = _PRICES.get(type(action))
    if price is not None:
        yield from price(action, situation)
    elif isinstance(action, ddl.Opaque):
        yield UNKNOWN


def _add_column(action: ddl.AddColumn, situation: Situation) -> Iterator[Charge]:
    key = action.table
    mariadb = situation.product != "MySQL"
    if action.generated == "stored":
        yield _way(key, COPY, "ADD COLUMN, stored generated")
    elif action.default == Default.VOLATILE or (
        # Each row's value is worked out, whatever it is (measured on 9.7).
        not mariadb and action.computed and action.default != Default.NONE
    ):
        yield _way(key, COPY, "ADD COLUMN, computed default")
    elif action.serial:
        yield _way(key, INPLACE_SHARED, "ADD COLUMN, AUTO_INCREMENT")
    elif action.constraints & {ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY}:
        yield _way(key, INPLACE, "ADD COLUMN with an index")
    elif mariadb or situation.version >= ((8, 0, 29) if action.first_or_after else (8, 0, 12)):
        yield _way(key, INSTANT, "ADD COLUMN")
    else:
        yield _way(key, INPLACE, "ADD COLUMN")
    if ConstraintKind.CHECK in action.constraints and not mariadb:
        yield _way(key, COPY, "ADD CHECK")
    if action.references and mariadb:  # MySQL reads an inline REFERENCES and forgets it
        yield _way(key, COPY, "ADD FOREIGN KEY")


def _drop_column(action: ddl.DropColumn, situation: Situation) -> Iterator[Charge]:
    table = situation.table(action.table)
    widths = [len(columns) for columns in _keys(table) if action.column in columns]
    instant = situation.product != "MySQL" or situation.version >= (8, 0, 29)
    if any(width > 1 for width in widths) or not instant:
        yield _way(action.table, INPLACE, "DROP COLUMN, rebuild")
    elif widths:
        mode = INPLACE if situation.product == "MySQL" else NOCOPY
        yield _way(action.table, mode, "DROP COLUMN with its index")
    else:
        yield _way(action.table, INSTANT, "DROP COLUMN")


def _keys(table: Table | None) -> Iterator[tuple[str, ...]]:
    if table is None:
        return
    if table.primary_key:
        yield table.primary_key.columns
    for unique in table.uniques:
        yield unique.columns
    for index in table.indexes:
        yield index.columns


def _alter_type(action: ddl.AlterColumnType, situation: Situation) -> Iterator[Charge]:
    key = action.table
    table = situation.table(key)
    column = table.column(action.column) if table else None
    if table is None or column is None:
        yield _way(key, COPY, "MODIFY, type before unknown")
        return
    mysql = situation.product == "MySQL"
    change = change_of(column, action.type, action.collation, action.not_null, mariadb=not mysql)
    if change.copy or action.generated == "stored" or (mysql and change.collated):
        yield _way(key, COPY, "MODIFY, type")
    elif change.nullability:
        yield _way(key, INPLACE, "MODIFY, NULL or NOT NULL")
    elif mysql and action.first_or_after:
        yield _way(key, INPLACE, "MODIFY, order")
    elif change.collated and any(action.column in columns for columns in _keys(table)):
        yield _way(key, NOCOPY, "MODIFY, collation, indexes rebuilt")
    elif mysql and change.longer:
        yield _way(key, NOCOPY, "MODIFY, longer")
    else:
        yield _way(key, INSTANT, "MODIFY, same bytes")


def _instant(source: str) -> Callable[[Any, Situation], Iterator[Charge]]:
    def price(action: Any, _: Situation) -> Iterator[Charge]:
        yield _way(action.table, INSTANT, source)

    return price


def _exclusive(source: str) -> Callable[[Any, Situation], Iterator[Charge]]:
    def price(action: Any, _: Situation) -> Iterator[Charge]:
        yield Charge(action.table, EXCLUSIVE, source)

    return price


def _rename_column(action: ddl.RenameColumn, situation: Situation) -> Iterator[Charge]:
    instant = situation.product != "MySQL" or situation.version >= (8, 0, 28)
    yield _way(action.table, INSTANT if instant else NOCOPY, "RENAME COLUMN")


def _add_constraint(action: ddl.AddConstraint, _: Situation) -> Iterator[Charge]:
    source = f"ADD {action.kind.value.upper()}"
    if action.kind == ConstraintKind.PRIMARY_KEY:
        yield _way(action.table, INPLACE, source)
    elif action.kind == ConstraintKind.UNIQUE:
        yield _way(action.table, NOCOPY, source)
    elif action.not_valid:
        yield _way(action.table, INSTANT, source)
    else:
        yield _way(action.table, COPY, source)


def _drop_constraint(action: ddl.DropConstraint, situation: Situation) -> Iterator[Charge]:
    if action.kind == ConstraintKind.PRIMARY_KEY:
        return  # judged with the rest of the statement
    table = situation.table(action.table)
    unique = table is not None and any(found.name == action.name for found in table.uniques)
    mode = NOCOPY if unique else INSTANT
    yield _way(action.table, mode, "DROP CONSTRAINT")


def _index(source: str) -> Callable[[Any, Situation], Iterator[Charge]]:
    def price(action: Any, _: Situation) -> Iterator[Charge]:
        yield _way(action.table, NOCOPY, source)

    return price


def _truncate(action: ddl.Truncate, _: Situation) -> Iterator[Charge]:
    for key in action.tables:
        yield Charge(key, EXCLUSIVE, "TRUNCATE TABLE")


def _drop_object(action: ddl.DropObject, situation: Situation) -> Iterator[Charge]:
    if action.kind == "schema":
        yield UNKNOWN
    elif action.kind == "trigger":
        for table in situation.schema.tables.values():
            if any(trigger.name == action.name for trigger in table.triggers):
                yield Charge(table.key, EXCLUSIVE, "DROP TRIGGER")


def _maintain(action: ddl.TableMaintenance, _: Situation) -> Iterator[Charge]:
    if action.what == "analyze":
        return
    mode = _OPTIONS.get(action.what, INSTANT)
    if action.what.startswith("engine ") and action.what != "engine innodb":
        mode = COPY
    rewrite = mode in {INPLACE, INPLACE_SHARED, COPY} and not action.what.startswith("lock ")
    yield Charge(action.table, mode, action.what.upper(), rewrite=rewrite)


_PRICES: dict[type[Any], Callable[[Any, Situation], Iterator[Charge]]] = {
    ddl.DropTable: _exclusive("DROP TABLE"),
    ddl.RenameTable: _exclusive("RENAME TABLE"),
    ddl.Truncate: _truncate,
    ddl.AddColumn: _add_column,
    ddl.DropColumn: _drop_column,
    ddl.RenameColumn: _rename_column,
    ddl.AlterColumnType: _alter_type,
    ddl.SetDefault: _instant("ALTER COLUMN, default"),
    ddl.DropDefault: _instant("ALTER COLUMN, default"),
    ddl.AddConstraint: _add_constraint,
    ddl.DropConstraint: _drop_constraint,
    ddl.CreateIndex: _index("ADD INDEX"),
    ddl.DropIndex: _index("DROP INDEX"),
    ddl.RenameIndex: _instant("RENAME INDEX"),
    ddl.DropObject: _drop_object,
    ddl.TableMaintenance: _maintain,
}
