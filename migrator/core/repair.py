"""What a repair would do, and what it refuses to do, decided before anything is touched.

It never replays a range of migrations, never touches a row other than the one concerned,
and never does anything that could lose data. The shapes are in `core.actions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from migrator.core.actions import (
    Action,
    AddColumn,
    AddConstraint,
    Constraint,
    CreateIndex,
    CreateTable,
    Decision,
    ForgetMigration,
    RebuildIndex,
    RebuildTable,
    RecordMigration,
    Refusal,
    RepairPlan,
    RepairPolicy,
    ResetSequence,
    RunOperations,
    SetDefault,
    ShowIndex,
    ValidateConstraint,
)
from migrator.core.analysis import Analysis, ScanFacts, analyse
from migrator.core.comparison import columns_by_name, fold, fold_key
from migrator.core.diff import Change, ChangeKind, diff
from migrator.core.effects import Effect, MigrationKey
from migrator.core.forgetting import plan_forgetting
from migrator.core.histories import Atom
from migrator.core.incidents import Code, Evidence, Incident, ObjectRef
from migrator.core.recorded import RecordedVerdict
from migrator.core.restoring import in_order, lookalike_column, lookalike_table, rebuild_tables
from migrator.core.schema import Column, ForeignKey, Index, Table
from migrator.core.unrecorded import UnrecordedRepair, drops

__all__ = [
    "Action",
    "AddColumn",
    "AddConstraint",
    "Constraint",
    "CreateIndex",
    "CreateTable",
    "Decision",
    "ForgetMigration",
    "RebuildIndex",
    "RebuildTable",
    "RecordMigration",
    "Refusal",
    "RepairPlan",
    "RepairPolicy",
    "ResetSequence",
    "RunOperations",
    "SetDefault",
    "ShowIndex",
    "ValidateConstraint",
    "plan_repair",
]


def plan_repair(
    incidents: Iterable[Incident],
    facts: ScanFacts,
    policy: RepairPolicy | None = None,
) -> RepairPlan:
    """Plan the repair of what a scan found.

    Args:
        incidents: What `core.drift.classify(facts)` returned.
        facts: The same facts.
        policy: What somebody has decided; None: nothing.

    Returns:
        The plan; empty when nothing blocks and nothing pending is vouched for.
    """
    blocking = tuple(incident for incident in incidents if incident.blocking)
    policy = policy or RepairPolicy()
    if not blocking and not any(e.migration in policy.assume_applied for e in facts.pending):
        return RepairPlan()
    return _Repair(analyse(facts), blocking, policy).plan()


def plan_each(
    incidents: Iterable[Incident], facts: ScanFacts
) -> tuple[tuple[Incident, RepairPlan], ...]:
    """Plan the repair of each incident for itself, blocking or not, to show what would mend it.

    Args:
        incidents: What `core.drift.classify(facts)` returned.
        facts: The same facts.
    """
    found = tuple(incidents)
    if not found:
        return ()
    analysis = analyse(facts)
    return tuple(
        (incident, _Repair(analysis, (incident,), RepairPolicy()).plan()) for incident in found
    )


class _Repair:
    """Collects the actions of one plan, in the order of their execution."""

    def __init__(
        self, analysis: Analysis, incidents: tuple[Incident, ...], policy: RepairPolicy
    ) -> None:
        self.analysis = analysis
        self.facts = analysis.facts
        self.vendor = analysis.facts.live.vendor
        self.incidents = incidents
        self.policy = policy
        self.changes = {change.ref: change for change in analysis.changes}
        self.pending = {verdict.migration for verdict in analysis.pending}
        self.renames: list[Action] = []
        self.tables: dict[str, Table] = {}
        self.additions: dict[ObjectRef, Action] = {}
        self.notes: dict[str, None] = {}
        self.refusals: list[Refusal] = []
        self._missing: tuple[Change, ...] | None = None
        self._curtailed: tuple[Change, ...] = ()

    def plan(self) -> RepairPlan:
        """Everything that is to be done about the blocking incidents."""
        by_migration = {i.migration: i for i in self.incidents if i.migration is not None}
        unrecorded = UnrecordedRepair(
            self.analysis,
            (
                i.migration
                for i in self.incidents
                if i.migration in self.pending
                and i.code in (Code.UNRECORDED_PRESENT, Code.HALF_APPLIED)
            ),
            (i.migration for i in self.incidents if i.code is Code.WRONG_ORDER and i.migration),
            self.policy,
        )
        for key, reason in unrecorded.refusals:
            incident = by_migration.get(key) or _unsettled(key)
            self.refusals.append(Refusal(incident, reason))
        forgotten = self._recorded(unrecorded)
        for incident in self.incidents:
            self._single(incident, unrecorded)
        self._advance_sequences(unrecorded)
        self._take_along()
        additions = [a for ref, a in self.additions.items() if ref.table not in self.tables]
        if self.vendor == "sqlite":
            additions, refused = rebuild_tables(additions, self.analysis)
            self.refusals += [Refusal(self._about(table), why) for table, why in refused.items()]
        return RepairPlan(
            actions=(
                *self.renames,
                *(CreateTable(table) for table in _in_order(self.vendor, self.tables)),
                *in_order(additions),
                *(a for actions in unrecorded.actions.values() for a in actions),
                *(ForgetMigration(key) for key in reversed(forgotten)),
            ),
            notes=tuple(self.notes),
            decisions=tuple(unrecorded.decisions),
            refusals=tuple(self.refusals),
        )

    # -- recorded, missing ---------------------------------------------------

    def _recorded(self, unrecorded: UnrecordedRepair) -> tuple[MigrationKey, ...]:
        """Forget what can be forgotten, in plan order; make what is missing of the rest."""
        incidents = {
            i.migration: i
            for i in self.incidents
            if i.code in (Code.RECORDED_MISSING, Code.HALF_APPLIED)
            and i.migration not in self.pending
        }
        verdicts = [v for v in self.analysis.recorded if v.migration in incidents]
        effects = {effect.migration: effect for effect in self.facts.recorded}
        forgotten = plan_forgetting(self.analysis, verdicts, unrecorded.actions)
        keys = {key for v in verdicts if v.migration in forgotten for key in _tables_of(v)}
        renamed = any(
            lookalike_table(table, self.analysis)
            for key in keys
            if self._live_table(key) is None and (table := self._expected_table(key))
        )
        if renamed or self._lost_references(keys):
            forgotten = ()  # migrate would make the table again, but not what refers to it
        for verdict in verdicts:
            if verdict.migration in forgotten:
                self._note_gone(verdict)
                continue
            reason = self._restore(verdict, effects[verdict.migration])
            if reason:
                self.refusals.append(Refusal(incidents[verdict.migration], reason))
        return forgotten

    def _lost_references(self, keys: Iterable[str]) -> tuple[Change, ...]:
        """Foreign keys that went with tables (folded keys), on tables that are still there."""
        made = {key for key in keys if self._live_table(key) is None}
        if not made:
            return ()
        return tuple(
            change
            for change in self._differences()
            if isinstance(change.expected, ForeignKey)
            and fold_key(self.vendor, change.expected.to_table) in made
            and fold_key(self.vendor, change.ref.table) not in made
            and all(
                self._live(Atom("column", change.ref.table, fold(self.vendor, name)))
                for name in change.expected.columns
            )
        )

    def _differences(self) -> Iterable[Change]:
        if self._missing is None:
            found = diff(self.facts.expected, self.analysis.live)
            self._missing = tuple(c for c in found if c.kind is ChangeKind.MISSING)
            self._curtailed = tuple(
                c for c in found if c.kind is ChangeKind.DIFFERENT and isinstance(c.expected, Index)
            )
        return self._missing

    def _take_along(self) -> None:
        """Make what hung on the tables and columns that are made again, and went with them."""
        keys = {fold_key(self.vendor, key) for key in self.tables}
        columns = {
            (fold_key(self.vendor, action.table), fold(self.vendor, action.column.name))
            for action in self.additions.values()
            if isinstance(action, AddColumn)
        }
        lost = set(self._lost_references(keys)) if keys else set()
        for change in self._differences() if keys or columns else ():
            table = fold_key(self.vendor, change.ref.table)
            if table in keys or change.ref.kind in {"table", "column"}:
                continue
            own = {(table, fold(self.vendor, name)) for name in change.columns}
            names = set(own)
            thing = change.expected
            if isinstance(thing, ForeignKey):
                target = fold_key(self.vendor, thing.to_table)
                names |= {(target, fold(self.vendor, name)) for name in thing.to_columns}
            with_column = isinstance(thing, ForeignKey) or not thing or not thing.name
            if with_column and len(own) == 1 and own <= columns:
                continue  # comes with its column
            action = _mending(change)
            if action is not None and (change in lost or names & columns):
                self.additions.setdefault(change.ref, action)
        for change in self._curtailed if columns and self.vendor == "mysql" else ():
            # MySQL takes a dropped column out of its indexes, and leaves the rest of them.
            table = fold_key(self.vendor, change.ref.table)
            if {(table, fold(self.vendor, name)) for name in change.columns} & columns and (
                isinstance(change.expected, Index)
            ):
                self.additions[change.ref] = RebuildIndex(change.ref.table, change.expected)

    def _about(self, table: str) -> Incident:
        return next(i for i in self.incidents if i.object.table == table)

    def _note_gone(self, verdict: RecordedVerdict) -> None:
        renamed = {
            rename.rename.before
            for rename in self.analysis.missed
            if rename.migration == verdict.migration
        }
        for atom in sorted(verdict.atoms):
            if atom.kind == "column" and self._live_table(atom.table) is None:
                continue  # told of with its table
            ref = ObjectRef(atom.kind, atom.table, atom.name)
            if not renamed and self._expected(atom) is not None and not self._live(atom):
                self._gone(ref)

    def _gone(self, ref: ObjectRef) -> None:
        self.notes[f"The data of {ref} is gone: it is made again, empty."] = None

    def _restore(self, verdict: RecordedVerdict, effect: Effect) -> str:
        """Make just what is missing of a migration; the reason when that cannot be done."""
        missed = {
            miss.operation: miss.rename
            for miss in self.analysis.missed
            if miss.migration == verdict.migration
        }
        of_renames: set[Atom] = set()
        for index, rename in missed.items():
            if index not in verdict.operations:
                continue
            operation = next(op for op in effect.operations if op.index == index)
            if drops(operation, self.vendor):
                return "It would drop something; run it by hand."
            run = RunOperations(verdict.migration, (index,), record=False)
            if run not in self.renames:
                self.renames.append(run)
            keys = {rename.before, rename.after}
            names = {name for pair in rename.columns for name in pair}
            of_renames |= {
                atom
                for atom in verdict.atoms
                if atom.table in keys and (rename.before != rename.after or atom.name in names)
            }
        for atom in sorted(verdict.atoms - of_renames):
            reason = self._make(atom)
            if reason:
                return reason
        return ""

    def _make(self, atom: Atom) -> str:
        """Make one missing table or column, as state at the recorded head has it."""
        expected = self._expected(atom)
        if expected is None:
            if not self._live(atom):
                return ""
            return f"It would drop {atom.kind} {_shown(atom)}, and data with it."
        table = self._expected_table(atom.table)
        if table is None:
            return ""
        if self._live_table(atom.table) is None:
            reason = lookalike_table(table, self.analysis)
            if reason:
                return reason
            if table.key not in self.tables:
                self.tables[table.key] = table
                self._gone(ObjectRef("table", table.key, table.key))
            return ""
        if not isinstance(expected, Column):
            return ""
        ref = ObjectRef("column", table.key, expected.name)
        if self._live(atom):
            return f"The {ref} is there in another shape, which no repair changes."
        reason = lookalike_column(table, expected, self.analysis)
        if reason:
            return reason
        if ref not in self.additions:
            self.additions[ref] = AddColumn(table.key, expected)
            self._gone(ref)
        return ""

    def _expected_table(self, key: str) -> Table | None:
        return _find(self.vendor, self.facts.expected.tables, key)

    def _live_table(self, key: str) -> Table | None:
        return _find(self.vendor, self.analysis.live.tables, key)

    def _expected(self, atom: Atom) -> Table | Column | None:
        return self._part(self._expected_table(atom.table), atom)

    def _live(self, atom: Atom) -> Table | Column | None:
        return self._part(self._live_table(atom.table), atom)

    def _part(self, table: Table | None, atom: Atom) -> Table | Column | None:
        if table is None or atom.kind == "table":
            return table
        return columns_by_name(self.vendor, table).get(atom.name)

    # -- single differences ----------------------------------------------------

    def _single(self, incident: Incident, unrecorded: UnrecordedRepair) -> None:
        code, key = incident.code, incident.migration
        judged = {*self.pending, *(verdict.migration for verdict in self.analysis.recorded)}
        if code in (Code.RECORDED_MISSING, Code.UNRECORDED_PRESENT, Code.HALF_APPLIED) and (
            key in judged and incident.objects
        ):
            return
        if code is Code.WRONG_ORDER and key is not None:
            waiting = {*unrecorded.actions, *(d.migration for d in unrecorded.decisions)}
            waiting |= {refused for refused, _ in unrecorded.refusals}
            if not unrecorded.settles(key) and not waiting:
                self._refuse(incident, "What it needs is not there to be recorded.")
            return
        if code is Code.SEQUENCE_BEHIND:
            self._reset(incident.object)
            return
        change = self.changes.get(incident.object)
        if change is None or change.kind is ChangeKind.EXTRA:
            self._refuse(incident, "No repair does this; it has to be decided by hand.")
            return
        action = _mending(change)
        reason = ""
        if isinstance(action, CreateTable):
            reason = lookalike_table(action.table, self.analysis)
        elif isinstance(action, AddColumn) and (table := self._expected_table(action.table)):
            reason = lookalike_column(table, action.column, self.analysis)
        if action is None or reason:
            reason = reason or "No repair does this; it has to be changed by hand."
            self._refuse(incident, reason)
        elif isinstance(action, CreateTable):
            self.tables.setdefault(action.table.key, action.table)
            self._gone(incident.object)
        else:
            self.additions.setdefault(incident.object, action)
            if isinstance(action, AddColumn):
                self._gone(incident.object)

    def _advance_sequences(self, unrecorded: UnrecordedRepair) -> None:
        """Of tables that are about to be recorded: their sequences count from then on."""
        tables = {
            fold_key(self.vendor, table.key)
            for effect in self.facts.pending
            if effect.migration in unrecorded.actions
            for operation in effect.operations
            for table in operation.tables
        }
        for sequence in self.facts.live.sequences if tables else ():
            if fold_key(self.vendor, sequence.table) in tables:
                self._reset(ObjectRef("sequence", sequence.table, sequence.name))

    def _refuse(self, incident: Incident, reason: str) -> None:
        self.refusals.append(Refusal(incident, reason))

    def _reset(self, ref: ObjectRef) -> None:
        for sequence in self.facts.live.sequences:
            if (sequence.table, sequence.name) != (ref.table, ref.name):
                continue
            for (table, column), value in self.facts.maxima.items():
                same = fold_key(self.vendor, table) == fold_key(self.vendor, sequence.table)
                if same and column == sequence.column:
                    self.additions[ref] = ResetSequence(
                        sequence.table, column, sequence.name, value
                    )


def _unsettled(key: MigrationKey) -> Incident:
    """Stands for a pending migration that is in the way of others."""
    return Incident(
        Code.HALF_APPLIED,
        blocking=True,
        evidence=Evidence.STATE,
        object=ObjectRef("migration", "", str(key)),
        migration=key,
        message=f"Migration {key} is not recorded, and others that need it are there.",
        hint="Apply it by hand, then record it.",
    )


def _mending(change: Change) -> Action | None:
    """What mends one difference without touching data; None when nothing does."""
    table, expected, live = change.ref.table, change.expected, change.live
    if change.kind is ChangeKind.MISSING:
        match expected:
            case Table():
                return CreateTable(expected)
            case Column():
                return AddColumn(table, expected)
            case Index():
                return CreateIndex(table, expected)
            case None:
                return None
        return AddConstraint(table, expected) if isinstance(expected, Constraint) else None
    if isinstance(expected, Column) and change.attributes == ("default",):
        return SetDefault(table, expected)
    if change.attributes == ("ignored",) and live is not None:
        return ShowIndex(table, live.name)
    if change.attributes != ("valid",) or live is None:
        return None
    if isinstance(live, Index):
        return RebuildIndex(table, live)
    return ValidateConstraint(table, live.name)


def _tables_of(verdict: RecordedVerdict) -> set[str]:
    return {atom.table for atom in verdict.atoms if atom.kind == "table"}


def _in_order(vendor: str, tables: Mapping[str, Table]) -> Iterator[Table]:
    """Tables, those that others refer to first; where they refer to each other, as they come."""
    waiting = dict(sorted(tables.items()))
    while waiting:
        ready = [
            k
            for k, table in waiting.items()
            if not _targets(vendor, table) & _others(vendor, waiting, k)
        ]
        for key in ready or list(waiting):
            yield waiting.pop(key)


def _others(vendor: str, tables: Mapping[str, Table], key: str) -> set[str]:
    return {fold_key(vendor, other) for other in tables if other != key}


def _targets(vendor: str, table: Table) -> set[str]:
    keys: tuple[ForeignKey, ...] = table.foreign_keys
    return {fold_key(vendor, key.to_table) for key in keys}


def _find(vendor: str, tables: Mapping[str, Table], key: str) -> Table | None:
    return tables.get(key) or next(
        (table for name, table in tables.items() if fold_key(vendor, name) == key), None
    )


def _shown(atom: Atom) -> str:
    return atom.table if atom.kind == "table" else f"{atom.table}.{atom.name}"
