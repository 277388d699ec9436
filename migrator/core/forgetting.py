"""Which recorded migrations can be forgotten, so that migrate simply applies them again."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.core.analysis import Analysis
from migrator.core.comparison import fold_key
from migrator.core.effects import Effect, MigrationKey, TableEffect
from migrator.core.histories import (
    SECONDARY,
    Atom,
    LiveTables,
    Value,
    agrees,
)
from migrator.core.overlay import rename_in
from migrator.core.recorded import RecordedVerdict
from migrator.core.schema import Schema
from migrator.core.unrecorded import drops


def plan_forgetting(
    analysis: Analysis,
    verdicts: Iterable[RecordedVerdict],
    recording: Iterable[MigrationKey] = (),
) -> tuple[MigrationKey, ...]:
    """Choose the migrations that can be forgotten, each row for itself.

    One can when nothing of it is there, when it does nothing that cannot be observed and
    drops nothing, when nothing recorded depends on it (but what is forgotten as well), and
    when the database stands just where it stood before it.

    Args:
        analysis: Of the scan.
        verdicts: The recorded migrations that are missing.
        recording: Migrations that the same repair records.

    Returns:
        The migrations, in plan order.
    """
    facts = analysis.facts
    vendor = facts.live.vendor
    effects = {effect.migration: effect for effect in facts.recorded}
    recorded = frozenset(facts.history.recorded) | effects.keys() | set(recording)
    chosen = {
        verdict.migration
        for verdict in verdicts
        if not verdict.half and _repeatable(effects[verdict.migration], recorded, vendor)
    }
    children = _children(analysis, recorded)
    while True:
        kept = {key for key in chosen if children.get(key, set()) <= chosen}
        kept -= _misplaced(analysis, kept)
        if kept == chosen:
            break
        chosen = kept
    return tuple(effect.migration for effect in facts.recorded if effect.migration in chosen)


def _repeatable(effect: Effect, recorded: frozenset[MigrationKey], vendor: str) -> bool:
    # A squash counts as applied while all that it replaces is recorded, so that forgetting
    # its own row would change nothing (MigrationLoader.build_graph).
    if effect.unknown or any(key in recorded for key in effect.replaces):
        return False
    return not any(drops(operation, vendor) for operation in effect.operations)


def _children(
    analysis: Analysis, recorded: frozenset[MigrationKey]
) -> dict[MigrationKey, set[MigrationKey]]:
    facts = analysis.facts
    found: dict[MigrationKey, set[MigrationKey]] = {}
    for effect in (*facts.recorded, *facts.pending):
        for parent in effect.dependencies:
            if effect.migration in recorded:
                found.setdefault(parent, set()).add(effect.migration)
    for child, parents in facts.history.parents.items():
        if child in recorded:
            for parent in parents:
                found.setdefault(parent, set()).add(child)
    return found


def _misplaced(analysis: Analysis, chosen: set[MigrationKey]) -> set[MigrationKey]:
    """Of the chosen, those before which the database does not stand."""
    live = LiveTables(_as_left(analysis, chosen))
    histories = analysis.histories
    first: dict[Atom, Value] = {}
    touching: dict[Atom, set[MigrationKey]] = {}
    wrong: set[MigrationKey] = set()
    for step in histories.steps:
        mine = step.migration in chosen
        for touch in step.touches:
            if touch.atom.kind in SECONDARY:
                continue
            if mine:
                if touch.atom not in first:
                    first[touch.atom] = histories.atoms[touch.atom].values[touch.index - 1]
                touching.setdefault(touch.atom, set()).add(step.migration)
            elif touch.atom in first:
                # Something that stays recorded came later: it would now come before.
                wrong |= touching[touch.atom]
        if mine:
            wrong |= _without_table(step.migration, step.operation.tables, live, first)
    for atom, before in first.items():
        if not agrees(before, live.value(atom, histories.atoms[atom])):
            wrong |= touching[atom]
    return wrong


def _without_table(
    migration: MigrationKey,
    tables: Iterable[TableEffect],
    live: LiveTables,
    first: dict[Atom, Value],
) -> set[MigrationKey]:
    for effect in tables:
        if effect.before is not None:
            key = fold_key(live.vendor, effect.key)
            if live.table(key) is None and Atom("table", key, key) not in first:
                return {migration}
    return set()


def _as_left(analysis: Analysis, chosen: set[MigrationKey]) -> Schema:
    """The live schema with those missed renames done that a repair would do itself."""
    live = analysis.facts.live
    for miss in analysis.missed:
        if miss.migration not in chosen:
            live = rename_in(live, miss.rename)
    return live
