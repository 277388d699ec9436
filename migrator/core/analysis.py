"""What a scan found out: which migrations are there, which are missing, what is left over.

Pending migrations are judged first (`core.pending`): what they account for is no drift of
the recorded ones. Then what differs from the expected schema is blamed on the recorded
migrations whose effect is not live (`core.recorded`). `core.drift` puts it into words,
`core.repair` plans by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from migrator.core.comparison import columns_by_name, fold, fold_key
from migrator.core.diff import Change, diff
from migrator.core.effects import Effect, Expression, MigrationKey
from migrator.core.histories import (
    Atom,
    Attachment,
    Histories,
    LiveTables,
    renames_of,
    signature,
    trace,
)
from migrator.core.history import HistoryFacts
from migrator.core.incidents import ObjectRef
from migrator.core.pending import PendingVerdict, Standing, ancestors_of, judge_pending
from migrator.core.recorded import (
    MissedRename,
    RecordedVerdict,
    judge_recorded,
    undo_missed_renames,
)
from migrator.core.reference import Reference
from migrator.core.schema import ForeignKey, Schema, Table


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """Everything that a classification needs, as data.

    Attributes:
        expected: The schema of the state at the *recorded* migrations, those included that
            recorded ones need and that are not recorded themselves.
        live: The schema that is there.
        recorded: Effects of the recorded migrations, in plan order.
        pending: Effects of the pending migrations, in plan order, each from the state that
            it finds there.
        history: The graph and the recorded rows.
        opaque_tables: Tables whose schema something unobservable may have touched in their
            recorded history (see `opaque_tables`); None: any table.
        references: Schemas that differences are proved against (see `core.reference`).
        maxima: The largest value of a column fed by a sequence, by (table key, column).
        differing: Expressions that certainly mean something else than state says.
        ignored: Tables that are nobody's business.
        unmigrated: Tables of models that no migration makes (`run_syncdb`): they belong here,
            and what they should look like nobody states.
    """

    expected: Schema
    live: Schema
    recorded: tuple[Effect, ...] = ()
    pending: tuple[Effect, ...] = ()
    history: HistoryFacts = field(default_factory=HistoryFacts)
    opaque_tables: frozenset[str] | None = frozenset()
    references: tuple[Reference, ...] = ()
    maxima: Mapping[tuple[str, str], int] = field(default_factory=dict)
    differing: tuple[Expression, ...] = ()
    ignored: frozenset[str] = frozenset({"django_migrations"})
    unmigrated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the classification found out, before it is put into words; repair reads it too.

    Attributes:
        facts: What it started from.
        live: The live schema with missed renames done.
        pending: A verdict for each pending migration.
        recorded: A verdict for each recorded migration that is to blame.
        missed: Recorded renames that never happened.
        changes: What differs from the expected schema, pending and blamed objects left out.
        histories: Of the objects that recorded migrations touch.
        explained: Objects that pending migrations account for.
        accounted: Objects whose difference is told of by one of the verdicts.
        gone: Tables and columns that differ: what hangs on them goes along.
    """

    facts: ScanFacts
    live: Schema
    pending: tuple[PendingVerdict, ...]
    recorded: tuple[RecordedVerdict, ...]
    missed: tuple[MissedRename, ...]
    changes: tuple[Change, ...]
    histories: Histories
    explained: frozenset[Atom]
    accounted: frozenset[Atom]
    gone: frozenset[Atom]


def analyse(facts: ScanFacts) -> Analysis:
    """Judge the pending and the recorded migrations of one database.

    Args:
        facts: As for `classify`.
    """
    vendor = facts.live.vendor
    recorded = trace(facts.recorded, vendor)
    opaque = facts.opaque_tables
    if opaque is not None:
        opaque = frozenset(fold_key(vendor, key) for key in opaque)
    needs = ancestors_of((*facts.recorded, *facts.pending), facts.history.parents)
    chain = _from_first_hole(facts, needs)
    pending = trace(chain, vendor)
    waiting = {effect.migration for effect in facts.pending}

    def judged(schema: Schema) -> tuple[PendingVerdict, ...]:
        verdicts = judge_pending(chain, pending, LiveTables(schema), opaque=opaque, ancestors=needs)
        return tuple(verdict for verdict in verdicts if verdict.migration in waiting)

    live, missed = undo_missed_renames(
        recorded, facts.live, _accounted(judged(facts.live), LiveTables(facts.live))
    )
    verdicts = judged(live)
    explained = _explained(verdicts, pending) | _of_holes(facts, pending, needs)
    changes = diff(facts.expected, live)
    ignored = {fold_key(vendor, key) for key in facts.ignored}
    changed: set[Atom] = set()
    for change in changes:
        atom = atom_of(vendor, change.ref)
        if atom.kind not in {"table", "column"} or change.harmless or atom.table in ignored:
            continue
        changed.add(atom)
        if isinstance(change.expected, Table) and atom not in explained:
            # Who altered a table that is not there is to be asked as well.
            names = columns_by_name(vendor, change.expected)
            changed |= {Atom("column", atom.table, name) for name in names}
    blamed, unexplained = judge_recorded(recorded, live, changed, missed, explained)
    accounted = explained.union(changed - unexplained, *(v.atoms for v in blamed))
    gone = accounted | changed
    left = left_over(vendor, changes, accounted=accounted, gone=gone, explained=explained)
    return Analysis(
        facts, live, verdicts, blamed, missed, left, recorded, explained, accounted, gone
    )


def opaque_tables(recorded: Iterable[Effect]) -> frozenset[str] | None:
    """The tables that something unobservable may have touched; None for "any table".

    Args:
        recorded: Effects of the recorded migrations, in plan order. Renames are followed.
    """
    found: set[str] = set()
    for effect in recorded:
        for operation in effect.operations:
            if operation.opaque_tables is None:
                return None
            found |= operation.opaque_tables
            for rename in renames_of(operation, ""):
                if rename.before in {key.lower() for key in found}:
                    found |= {
                        table.key
                        for table in operation.tables
                        if table.after is not None and table.key.lower() == rename.after
                    }
    return frozenset(found)


def atom_of(vendor: str, ref: ObjectRef) -> Atom:
    """The identity of a table or column."""
    table = fold_key(vendor, ref.table)
    return Atom(ref.kind, table, table if ref.kind == "table" else fold(vendor, ref.name))


def _accounted(verdicts: Iterable[PendingVerdict], live: LiveTables) -> frozenset[Atom]:
    """Objects that are there because a pending migration has put them there."""
    return frozenset(
        witness.atom
        for verdict in verdicts
        if verdict.standing in (Standing.LIVE, Standing.PARTLY)
        for witness in verdict.witnesses
        if witness.standing is Standing.LIVE
        and (
            live.table(witness.atom.table)
            if witness.atom.kind == "table"
            else live.column(witness.atom.table, witness.atom.name)
        )
        is not None
    )


def _explained(verdicts: Iterable[PendingVerdict], histories: Histories) -> frozenset[Atom]:
    """Objects that are as they are because of a pending migration.

    Of an operation that is done, also what goes along: the columns of a dropped table.
    """
    found: set[Atom] = set()
    done: set[tuple[MigrationKey, int]] = set()
    for verdict in verdicts:
        if verdict.standing not in (Standing.LIVE, Standing.PARTLY):
            continue
        for operation in verdict.operations:
            if verdict.implied or operation.standing is Standing.LIVE:
                done.add((verdict.migration, operation.index))
            found.update(
                witness.atom
                for witness in operation.witnesses
                if witness.standing in (Standing.LIVE, Standing.DIFFERENT)
            )
    for step in histories.steps:
        if (step.migration, step.operation.index) in done:
            found.update(touch.atom for touch in step.touches)
    return frozenset(found)


def _from_first_hole(
    facts: ScanFacts, needs: Mapping[MigrationKey, frozenset[MigrationKey]]
) -> tuple[Effect, ...]:
    """The pending migrations, and what is recorded after the first of them, in plan order.

    A migration whose row was lost is followed by recorded ones, which went on from what it
    had made: without them, a table that was renamed since would seem not to be there.
    """
    waiting = {effect.migration: effect for effect in facts.pending}
    chain: list[Effect] = []
    for effect in facts.recorded:
        needed = [key for key in waiting if key in needs[effect.migration]]
        chain += [waiting.pop(key) for key in needed]
        if chain:
            chain.append(effect)
    return (*chain, *waiting.values())


def _of_holes(
    facts: ScanFacts,
    pending: Histories,
    needs: Mapping[MigrationKey, frozenset[MigrationKey]],
) -> frozenset[Atom]:
    """Objects of pending migrations that recorded ones are built upon.

    The state at the recorded migrations holds them, since it could not be computed without;
    whether they are there is for the verdict on the pending migration to say.
    """
    waiting = {effect.migration for effect in facts.pending}
    needed = waiting & set().union(*(needs[effect.migration] for effect in facts.recorded))
    return frozenset(
        touch.atom for step in pending.steps if step.migration in needed for touch in step.touches
    )


def left_over(
    vendor: str,
    changes: Iterable[Change],
    *,
    accounted: frozenset[Atom],
    gone: frozenset[Atom],
    explained: frozenset[Atom],
) -> tuple[Change, ...]:
    """The changes that neither a pending nor a blamed migration accounts for.

    Args:
        vendor: Django's vendor name.
        changes: What differs.
        accounted: Objects whose difference is told of elsewhere.
        gone: Tables and columns that differ themselves: what hangs on them goes along.
        explained: Objects, indexes and constraints too, that pending migrations account for.
    """
    tables = {atom.table for atom in gone if atom.kind == "table"}
    columns = {(atom.table, atom.name) for atom in gone if atom.kind == "column"}
    left: list[Change] = []
    for change in changes:
        atom = atom_of(vendor, change.ref)
        if change.ref.kind in {"table", "column"}:
            own_table = Atom("table", atom.table, atom.table)
            if atom in accounted or (atom.kind == "column" and own_table in accounted):
                continue
        elif (
            atom.table in tables
            or any((atom.table, fold(vendor, name)) in columns for name in change.columns)
            or _points_to(vendor, change, tables, columns)
            or any(
                isinstance(thing, Attachment) and signature(vendor, atom.table, thing) in explained
                for thing in (change.expected, change.live)
            )
        ):
            continue
        left.append(change)
    return tuple(left)


def _points_to(
    vendor: str, change: Change, tables: set[str], columns: set[tuple[str, str]]
) -> bool:
    """Whether a foreign key refers to something that is itself at issue."""
    return any(
        isinstance(thing, ForeignKey)
        and (
            (key := fold_key(vendor, thing.to_table)) in tables
            or any((key, fold(vendor, name)) in columns for name in thing.to_columns)
        )
        for thing in (change.expected, change.live)
    )
