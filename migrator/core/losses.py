"""Whether pending migrations could destroy anything, from their effects alone.

A first look that costs nothing, so that a run with nothing to lose never makes a plan for it.
It may be wrong in one direction only: what it lets through destroys nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from migrator.core.effects import Effect, OperationEffect
from migrator.core.schema import Table

_RENAMING = frozenset({"RenameModel", "AlterModelTable", "AlterField", "RenameField"})
"""Operations that give a table another name: one key goes, another comes."""


def may_lose(effects: Iterable[Effect], *, rigid_types: bool = True) -> bool:
    """Whether a table or a column that is there goes, or becomes another type.

    Args:
        effects: Of the pending migrations, in plan order.
        rigid_types: Whether the server converts values to the type of their column (SQLite
            only makes numbers of texts that look like one).
    """
    made: set[str] = set()
    for effect in effects:
        for operation in effect.operations:
            if _loses(operation, made, rigid_types):
                return True
            _follow(operation, made)
    return False


def tables_made(effects: Iterable[Effect]) -> frozenset[str]:
    """Keys of the tables that migrations have made, by the names that these have after them.

    Args:
        effects: Of the migrations, in plan order; what they only take over in the state counts.
    """
    made: set[str] = set()
    for effect in effects:
        for operation in effect.operations:
            _follow(operation, made)
    return frozenset(made)


def _loses(operation: OperationEffect, made: set[str], rigid_types: bool) -> bool:
    gone = [t.key for t in operation.tables if t.after is None and t.key not in made]
    come = [t for t in operation.tables if t.before is None]
    if gone and not (operation.kind in _RENAMING and len(gone) <= len(come)):
        return True
    return any(
        _narrows(operation.kind, table.before, table.after, rigid_types)
        for table in operation.tables
        if table.before and table.after and table.key not in made
    )


def _narrows(kind: str, before: Table, after: Table, rigid_types: bool) -> bool:
    """Whether a column goes or becomes another type."""
    gone = [column for column in before.columns if after.column(column.name) is None]
    new = [column for column in after.columns if before.column(column.name) is None]
    renamed = kind in _RENAMING and len(gone) == len(new)
    if gone and not renamed:
        return True
    pairs = [(column, after.column(column.name)) for column in before.columns]
    if renamed:
        pairs += list(zip(gone, new, strict=True))
    return any(
        later is not None
        and later.type != column.type
        and (rigid_types or _becomes_number(column.type, later.type))
        for column, later in pairs
    )


def _becomes_number(before: str, after: str) -> bool:
    """Whether SQLite makes 7 of "007", since the column of numbers that it is put into does."""
    return "int" in after.lower() and any(word in before.lower() for word in ("char", "text"))


def _follow(operation: OperationEffect, made: set[str]) -> None:
    """What the plan makes, and what it renames of that, holds nothing of the user's."""
    come = {table.key for table in operation.tables if table.before is None}
    gone = {table.key for table in operation.tables if table.after is None}
    if not gone or gone <= made:
        made |= come
    made -= gone
