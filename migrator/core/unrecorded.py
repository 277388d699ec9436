"""The repair of pending migrations that are there already, wholly or in part."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.core.actions import (
    Action,
    AddColumn,
    AddConstraint,
    CreateIndex,
    CreateTable,
    Decision,
    RecordMigration,
    RepairPolicy,
    RunOperations,
)
from migrator.core.analysis import Analysis
from migrator.core.comparison import fold_key
from migrator.core.effects import Effect, MigrationKey, OperationEffect
from migrator.core.histories import Atom, Attachment, holds, renames_of
from migrator.core.pending import (
    OperationVerdict,
    PendingVerdict,
    Standing,
    Witness,
    ancestors_of,
)
from migrator.core.schema import Index, Table

_INERT = "it does nothing to this database"
_ASSUMED = "assumed applied"


class UnrecordedRepair:
    """Records what is there, with the migrations that it needs; runs what is left of halves.

    Attributes:
        actions: By migration, in plan order.
        decisions: What somebody has to say first.
        refusals: Migrations that no repair touches, with the reason.
    """

    def __init__(
        self,
        analysis: Analysis,
        blocked: Iterable[MigrationKey],
        children: Iterable[MigrationKey],
        policy: RepairPolicy,
    ) -> None:
        """Plan.

        Args:
            analysis: Of the scan.
            blocked: Pending migrations with an incident that blocks.
            children: Recorded migrations whose dependencies are not (DR110).
            policy: What somebody has decided.
        """
        facts = analysis.facts
        self._vendor = facts.live.vendor
        self._analysis = analysis
        self._policy = policy
        self._effects = {effect.migration: effect for effect in facts.pending}
        self._verdicts = {verdict.migration: verdict for verdict in analysis.pending}
        self._recorded = frozenset(facts.history.recorded) | {e.migration for e in facts.recorded}
        self._needs = ancestors_of((*facts.recorded, *facts.pending), facts.history.parents)
        self.actions: dict[MigrationKey, tuple[Action, ...]] = {}
        self.decisions: list[Decision] = []
        self.refusals: list[tuple[MigrationKey, str]] = []
        self._plan(frozenset(blocked), frozenset(children))

    def settles(self, key: MigrationKey) -> bool:
        """Whether every migration that this one needs is recorded, or will be."""
        return all(
            need in self.actions or need in self._recorded for need in self._needs.get(key, ())
        )

    def _plan(self, blocked: frozenset[MigrationKey], children: frozenset[MigrationKey]) -> None:
        wanted = set(blocked)
        for key in (*blocked, *children):
            wanted |= self._needs.get(key, frozenset()) & self._effects.keys()
        lost = {key.app for key in self._effects} - {key.app for key in self._recorded}
        for key, effect in self._effects.items():
            if key in wanted:
                self._one(effect, self._verdicts[key])
            elif key in self._policy.assume_applied and self.settles(key):
                self.actions[key] = (RecordMigration(key, _ASSUMED),)
            elif key.app in lost:
                self._leaf_of_lost_history(effect, self._verdicts[key], wanted)

    def _leaf_of_lost_history(
        self, effect: Effect, verdict: PendingVerdict, wanted: set[MigrationKey]
    ) -> None:
        """Where an app has lost all of its rows, what cannot be seen may have run as well:
        running it again could do harm, so that somebody has to say.
        """
        key = effect.migration
        if not self._needs.get(key, frozenset()) & wanted:
            return
        if verdict.standing is Standing.LIVE:
            wanted.add(key)
            self._one(effect, verdict)
        elif verdict.standing is Standing.UNTOLD or (
            effect.unknown and verdict.standing is Standing.UNSEEN
        ):
            self._decide(key, "the schema does not tell whether it has been applied")

    def _one(self, effect: Effect, verdict: PendingVerdict) -> None:
        key = effect.migration
        assumed = key in self._policy.assume_applied
        if effect.inert:
            self.actions[key] = (RecordMigration(key, _INERT),)
        elif verdict.standing is Standing.LIVE:
            if effect.unknown and not assumed:
                self._decide(key, f"it also runs {_unseen(effect)}, which leaves no trace")
            else:
                reason = _ASSUMED if effect.unknown else "all that it does is there"
                self.actions[key] = (RecordMigration(key, reason),)
        elif verdict.standing is Standing.PARTLY:
            self._half(effect, verdict, assumed=assumed)
        elif verdict.standing is Standing.NOT_LIVE:
            self._half(effect, verdict, assumed=False)
        elif assumed:
            self.actions[key] = (RecordMigration(key, _ASSUMED),)
        else:
            self._decide(key, "the schema does not tell whether it has been applied")

    def _decide(self, key: MigrationKey, reason: str) -> None:
        self.decisions.append(Decision(key, reason))

    # -- halves --------------------------------------------------------------

    def _half(self, effect: Effect, verdict: PendingVerdict, *, assumed: bool) -> None:
        key = effect.migration
        operations = {operation.index: operation for operation in effect.operations}
        done = [o for o in verdict.operations if o.standing is Standing.LIVE]
        missing = [o for o in verdict.operations if o.standing is Standing.NOT_LIVE]
        partly = [o for o in verdict.operations if o.standing is Standing.PARTLY]
        reason = self._obstacle(operations, done, missing, partly)
        if reason:
            self.refusals.append((key, reason))
            return
        first = min((o.index for o in (*missing, *partly)), default=len(operations))
        last = max((o.index for o in (*done, *partly)), default=-1)
        run = {o.index for o in missing}
        for operation in effect.operations:
            if not operation.unknown or operation.index in run or assumed:
                continue
            if last <= first and operation.index > first:
                run.add(operation.index)  # operations run in order: it has not been reached
            else:
                self._decide(key, f"it also runs {_unseen(effect)}, which leaves no trace")
                return
        pieces: list[Action] = []
        for verdict_ in partly:
            pieces += self._pieces(effect, verdict_)
        if run:
            pieces.append(RunOperations(key, tuple(sorted(run)), record=True))
        else:
            pieces.append(RecordMigration(key, "what was missing of it is made first"))
        self.actions[key] = tuple(pieces)

    def _obstacle(
        self,
        operations: dict[int, OperationEffect],
        done: list[OperationVerdict],
        missing: list[OperationVerdict],
        partly: list[OperationVerdict],
    ) -> str:
        """Why what is left of a migration cannot be run; "" when it can."""
        for verdict in (*missing, *partly):
            if drops(operations[verdict.index], self._vendor):
                return "What is left of it would drop something; run it by hand."
        for verdict in partly:
            for witness in verdict.witnesses:
                if witness.standing is Standing.DIFFERENT:
                    return f"The {witness.ref} is there in another shape."
                if witness.standing is Standing.NOT_LIVE and not _creatable(
                    witness, operations[verdict.index]
                ):
                    return f"The {witness.ref} is not as it would leave it; finish it by hand."
        for verdict in (*missing, *partly):
            mine = _atoms(verdict)
            later = [o for o in (*done, *partly) if o.index > verdict.index]
            if any(mine & _atoms(other) for other in later):
                return "A later operation on the same object is done, an earlier one is not."
            if verdict in partly and any(
                mine & _atoms(other) for other in missing if other.index > verdict.index
            ):
                return "One of its operations is half done, and others build upon it."
        return ""

    def _pieces(self, effect: Effect, verdict: OperationVerdict) -> list[Action]:
        """What is missing of an operation that is half done, as the migration leaves it."""
        after = {
            fold_key(self._vendor, table.key): table.after
            for operation in effect.operations
            for table in operation.tables
        }
        live = {fold_key(self._vendor, k): t for k, t in self._analysis.live.tables.items()}
        key = effect.migration
        found: list[Action] = []
        created: set[str] = set()
        for witness in verdict.witnesses:
            table = after.get(witness.atom.table)
            if witness.standing is not Standing.NOT_LIVE or table is None:
                continue
            if witness.atom.kind == "table":
                created.add(witness.atom.table)
                found.append(CreateTable(table, state=key))
            elif witness.atom.table not in created:
                found += _piece(self._vendor, witness, table, live.get(witness.atom.table), key)
        return found


def _piece(
    vendor: str, witness: Witness, table: Table, live: Table | None, key: MigrationKey
) -> list[Action]:
    if witness.atom.kind == "column":
        column = table.column(witness.ref.name)
        return [AddColumn(table.key, column, state=key)] if column else []
    things: tuple[Attachment, ...] = (
        *table.uniques,
        *table.foreign_keys,
        *table.exclusions,
        *table.indexes,
    )
    for thing in things:
        if thing.name != witness.ref.name or (live is not None and holds(vendor, live, thing)):
            continue
        if isinstance(thing, Index):
            return [CreateIndex(table.key, thing, state=key)]
        return [AddConstraint(table.key, thing, state=key)]
    return []


def _creatable(witness: Witness, operation: OperationEffect) -> bool:
    """Whether what is missing can be made by adding to what is there."""
    if not witness.presence:
        return False
    if witness.atom.kind == "column" and any(
        table.key == witness.ref.table and table.before is None for table in operation.tables
    ):
        return False  # a table is made with all its columns: this one is somebody else's
    return not any(table.before is not None and table.after is None for table in operation.tables)


def drops(operation: OperationEffect, vendor: str) -> bool:
    """Whether an operation takes a table or a column away for good."""
    renamed = renames_of(operation, vendor)
    tables = {rename.before for rename in renamed if rename.before != rename.after}
    columns = {(rename.before, old) for rename in renamed for old, _ in rename.columns}
    for effect in operation.tables:
        key = fold_key(vendor, effect.key)
        if effect.before is None:
            continue
        if effect.after is None:
            if key not in tables:
                return True
            continue
        kept = {column.name for column in effect.after.columns}
        if any(
            column.name not in kept and (key, column.name) not in columns
            for column in effect.before.columns
        ):
            return True
    return False


def _atoms(verdict: OperationVerdict) -> frozenset[Atom]:
    """What an operation touches, the table included where it makes or takes it."""
    return frozenset(witness.atom for witness in verdict.witnesses)


def _unseen(effect: Effect) -> str:
    return next(op.kind for op in effect.operations if op.unknown)
