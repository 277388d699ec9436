"""What stands in the way of making something again, and in which order things are made."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.core.actions import (
    Action,
    AddColumn,
    AddConstraint,
    CreateIndex,
    RebuildTable,
    SetDefault,
)
from migrator.core.analysis import Analysis
from migrator.core.comparison import columns_by_name, fold, fold_key
from migrator.core.diff import ChangeKind, diff_tables
from migrator.core.schema import Column, ForeignKey, Index, Table, Unique

_PARTS = AddColumn | AddConstraint | CreateIndex | SetDefault


def in_order(actions: Iterable[Action]) -> list[Action]:
    """Columns before what stands on them, what is referred to before foreign keys.

    Args:
        actions: Of one plan.
    """
    return sorted(actions, key=_rank)


def _rank(action: Action) -> int:
    match action:
        case AddColumn(_, column):
            return 1 if column.generated is not None else 0
        case SetDefault():
            return 2
        case AddConstraint(_, ForeignKey()):
            return 5
        case AddConstraint():
            return 3
        case CreateIndex():
            return 4
    return 0 if isinstance(action, RebuildTable) else 6


def lookalike_table(table: Table, analysis: Analysis) -> str:
    """Why a missing table is not to be made anew: it seems to have been renamed.

    Args:
        table: As expected.
        analysis: Of the scan.

    Returns:
        One sentence; "" when nothing looks like it.
    """
    vendor = analysis.facts.live.vendor
    expected = {fold_key(vendor, key) for key in analysis.facts.expected.tables}
    names = set(columns_by_name(vendor, table))
    for key, other in analysis.live.tables.items():
        if fold_key(vendor, key) in expected or len(names) < 2:
            continue
        if set(columns_by_name(vendor, other)) == names:
            return f"Table {key} has the same columns: if it is the one, rename it back."
    return ""


def lookalike_column(table: Table, column: Column, analysis: Analysis) -> str:
    """Why a missing column is not to be made anew: it seems to have been renamed, or it belongs
    to the primary key, which rows cannot be given afterwards.

    Args:
        table: As expected.
        column: Of it.
        analysis: Of the scan.

    Returns:
        One sentence; "" when nothing stands in the way.
    """
    vendor = analysis.facts.live.vendor
    key = table.primary_key
    if key and fold(vendor, column.name) in {fold(vendor, name) for name in key.columns}:
        return "It belongs to the primary key, which a repair cannot make up."
    live = analysis.live.tables.get(table.key)
    if live is None:
        return ""
    expected = columns_by_name(vendor, table)
    for name, other in columns_by_name(vendor, live).items():
        if name not in expected and other.type == column.type:
            return f"Column {other.name} is of the same type: if it is the one, rename it back."
    return ""


def rebuild_tables(
    actions: Iterable[Action], analysis: Analysis
) -> tuple[list[Action], dict[str, str]]:
    """SQLite: put what needs the table made anew into one action for each table.

    Args:
        actions: Of one plan.
        analysis: Of the scan.

    Returns:
        The actions, and by table why it cannot be made anew.
    """
    parts: dict[str, list[_PARTS]] = {}
    kept: list[Action] = []
    for action in in_order(actions):
        if isinstance(action, _PARTS):
            parts.setdefault(action.table, []).append(action)
        else:
            kept.append(action)
    made: list[Action] = []
    refused: dict[str, str] = {}
    for table, found in parts.items():
        if not any(_needs_rebuild(part) for part in found):
            made += found
            continue
        reason = _would_be_lost(table, found, analysis)
        if reason:
            refused[table] = reason
        made.append(RebuildTable(table, tuple(found)))
    return [*made, *kept], refused


def _needs_rebuild(part: _PARTS) -> bool:
    if isinstance(part, AddColumn):
        return not part.column.nullable or part.column.default is not None
    return isinstance(part, AddConstraint | SetDefault)


def _would_be_lost(key: str, parts: list[_PARTS], analysis: Analysis) -> str:
    """What is on a table that state knows nothing of, as a reason not to make it anew."""
    expected, live = analysis.facts.expected.tables.get(key), analysis.live.tables.get(key)
    if expected is None or live is None:
        return ""
    if live.triggers:
        return f"It has triggers ({live.triggers[0].name}), which a rebuild would lose."
    mended = {
        *(part.column.name for part in parts if isinstance(part, AddColumn | SetDefault)),
    }
    for change in diff_tables(expected, live, vendor="sqlite"):
        if change.kind is ChangeKind.EXTRA and not isinstance(change.live, Index | Unique):
            return f"The {change.ref} is in no migration, and a rebuild would lose it."
        if change.kind is ChangeKind.EXTRA:
            return f"The {change.ref} would be lost in a rebuild: drop it, or make it by hand."
        if change.kind is ChangeKind.DIFFERENT and change.ref.name not in mended:
            return f"The {change.ref} differs as well, and a rebuild would change it."
    return ""
