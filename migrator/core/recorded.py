"""Which recorded migrations are missing from the live schema, wholly or in part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from migrator.core.effects import MigrationKey
from migrator.core.histories import (
    SECONDARY,
    Atom,
    AtomHistory,
    Histories,
    LiveTables,
    Rename,
    Step,
    Touch,
    candidates,
    renames_of,
)
from migrator.core.incidents import ObjectRef
from migrator.core.overlay import rename_in
from migrator.core.schema import Schema


@dataclass(frozen=True, slots=True)
class MissedRename:
    """A recorded rename that the live schema has not seen."""

    migration: MigrationKey
    operation: int
    rename: Rename


@dataclass(frozen=True, slots=True)
class RecordedVerdict:
    """A recorded migration to blame.

    Attributes:
        migration: Which.
        objects: What it touches, and whether its effect on it is live.
        atoms: The objects on which its effect is not live.
        operations: Positions of its operations whose effect is not live.
        half: Whether some of it is there.
    """

    migration: MigrationKey
    objects: tuple[tuple[ObjectRef, bool], ...]
    atoms: frozenset[Atom]
    operations: tuple[int, ...]
    half: bool


def undo_missed_renames(
    histories: Histories, live: Schema, explained: frozenset[Atom] = frozenset()
) -> tuple[Schema, tuple[MissedRename, ...]]:
    """Find the recorded renames that never happened, and see the schema as if they had.

    Without this, everything that recorded migrations did to a renamed object would seem to
    be missing.

    Args:
        histories: Traced from the recorded migrations.
        live: What is there.
        explained: Objects that a pending migration put there: no old names.

    Returns:
        The live schema with the renames done, and the renames.
    """
    missed: list[MissedRename] = []
    vendor = live.vendor
    tables = LiveTables(live)
    for step in histories.steps:
        touched = {touch.atom: touch for touch in step.touches}
        for rename in renames_of(step.operation, vendor) if touched else ():
            if not _missed(rename, touched, histories, tables, explained):
                continue
            live = rename_in(live, rename)
            tables = LiveTables(live)
            missed.append(MissedRename(step.migration, step.operation.index, rename))
    return live, tuple(missed)


def _missed(
    rename: Rename,
    touched: dict[Atom, Touch],
    histories: Histories,
    tables: LiveTables,
    explained: frozenset[Atom],
) -> bool:
    for before, after in _pairs(rename):
        old, new = touched.get(before), touched.get(after)
        if old is None or new is None or before in explained:
            return False
        if not _there(tables, before, histories.atoms[before]):
            return False
        if _there(tables, after, histories.atoms[after]):
            return False
        standing = _presence(histories.atoms[before], present=True)
        if not standing or max(standing) >= old.index:
            return False
    return True


def _pairs(rename: Rename) -> list[tuple[Atom, Atom]]:
    if rename.before != rename.after:
        # The columns go along with their table.
        return [
            (
                Atom("table", rename.before, rename.before),
                Atom("table", rename.after, rename.after),
            )
        ]
    return [
        (Atom("column", rename.before, old), Atom("column", rename.after, new))
        for old, new in rename.columns
    ]


def _there(tables: LiveTables, atom: Atom, history: AtomHistory) -> bool:
    return bool(tables.value(atom, history))


def _presence(history: AtomHistory, *, present: bool) -> frozenset[int]:
    return frozenset(i for i, value in enumerate(history.values) if bool(value) is present)


def judge_recorded(
    histories: Histories,
    live: Schema,
    changed: Iterable[Atom],
    missed: Iterable[MissedRename] = (),
    explained: frozenset[Atom] = frozenset(),
) -> tuple[tuple[RecordedVerdict, ...], frozenset[Atom]]:
    """Find the recorded migrations that the differences are to be blamed on.

    Args:
        histories: Traced from the recorded migrations.
        live: What is there, missed renames undone.
        changed: The tables and columns that are not as expected.
        missed: What `undo_missed_renames` found.
        explained: Objects that pending migrations account for.

    Returns:
        The migrations, in plan order, and the differences that none of them explains.
    """
    tables = LiveTables(live)
    renamed: dict[tuple[MigrationKey, int], set[Atom]] = {}
    for miss in missed:
        atoms = {atom for pair in _pairs(miss.rename) for atom in pair}
        renamed.setdefault((miss.migration, miss.operation), set()).update(atoms)
    wanted = frozenset(changed) - explained
    blamed = {migration for migration, _ in renamed}
    found: set[Atom] = set()
    for step in histories.steps:
        for touch in step.touches:
            if touch.atom in wanted and _live(histories, tables, touch) is False:
                blamed.add(step.migration)
                found.add(touch.atom)
    order = dict.fromkeys(step.migration for step in histories.steps)
    verdicts = tuple(
        _verdict(migration, histories, tables, renamed, explained)
        for migration in order
        if migration in blamed
    )
    return verdicts, wanted - found


def _live(histories: Histories, tables: LiveTables, touch: Touch) -> bool | None:
    """Whether an effect is live; None when nothing can be told."""
    history = histories.atoms[touch.atom]
    found = candidates(history, tables.value(touch.atom, history))
    if not found:
        return None
    if min(found) >= touch.index:
        return True
    return False if max(found) < touch.index else None


def _verdict(
    migration: MigrationKey,
    histories: Histories,
    tables: LiveTables,
    renamed: dict[tuple[MigrationKey, int], set[Atom]],
    explained: frozenset[Atom],
) -> RecordedVerdict:
    told: dict[Atom, bool] = {}
    operations: list[int] = []
    for step in histories.steps_of(migration):
        gone = renamed.get((migration, step.operation.index), set())
        missing = False
        for touch in step.touches:
            if touch.atom in explained or touch.atom.kind in SECONDARY:
                continue
            if touch.atom in gone:
                told[touch.atom], missing = False, True
            elif gone and touch.atom.kind == "column" and _goes_along(step, gone, touch):
                continue
            elif touch.telling:
                live = _live(histories, tables, touch)
                if live is not None:
                    told[touch.atom] = told.get(touch.atom, True) and live
                    missing = missing or not live
        if missing:
            operations.append(step.operation.index)
    objects = tuple((histories.atoms[atom].ref, live) for atom, live in told.items())
    return RecordedVerdict(
        migration,
        objects,
        frozenset(atom for atom, live in told.items() if not live),
        tuple(operations),
        half=any(told.values()),
    )


def _goes_along(step: Step, gone: set[Atom], touch: Touch) -> bool:
    """Columns of a table that was to be renamed speak for nothing but the rename."""
    return any(atom.kind == "table" and atom.table == touch.atom.table for atom in gone) and any(
        other.atom.kind == "table" and other.atom.table == touch.atom.table
        for other in step.touches
    )
