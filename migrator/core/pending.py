"""Which pending migrations are already there, wholly or in part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from migrator.core.comparison import HARMLESS, compare_columns, fold_key, is_wider_integer
from migrator.core.effects import Effect, MigrationKey
from migrator.core.histories import (
    SECONDARY,
    Atom,
    Histories,
    LiveTables,
    Step,
    Touch,
    best_candidates,
    candidates,
)
from migrator.core.incidents import ObjectRef
from migrator.core.schema import Column


class Standing(StrEnum):
    """What the live schema says about one operation on one object, or about a migration."""

    LIVE = "live"
    NOT_LIVE = "not live"
    PARTLY = "partly"
    DIFFERENT = "different"
    """Something of that name is there, but never was what any migration makes of it."""
    UNTOLD = "untold"
    """Touched by some pending migration, and nothing says by how many of them."""
    UNSEEN = "unseen"
    """Nothing to be seen, one way or the other."""


@dataclass(frozen=True, slots=True)
class Witness:
    """One object as seen for one operation.

    Attributes:
        atom, ref: Which object.
        standing: LIVE, NOT_LIVE, DIFFERENT, UNTOLD or UNSEEN.
        presence: The operation brings the object or takes it away, so that it would fail
            where that has been done; otherwise it only alters it.
        weak: The recorded state explains what is live as well.
        wider: What is live is a larger integer than the recorded state has.
    """

    atom: Atom
    ref: ObjectRef
    standing: Standing
    presence: bool = True
    weak: bool = False
    wider: bool = False


@dataclass(frozen=True, slots=True)
class OperationVerdict:
    """One operation of a pending migration. `soft`: it may do nothing, or anything."""

    index: int
    standing: Standing
    witnesses: tuple[Witness, ...]
    soft: bool = False


@dataclass(frozen=True, slots=True)
class PendingVerdict:
    """One pending migration.

    Attributes:
        migration: Which.
        standing: LIVE, PARTLY, NOT_LIVE, UNTOLD or UNSEEN.
        operations: In order.
        implied: LIVE only because something that came after it is.
        certain: Whether it would fail, or do harm, if it were applied.
    """

    migration: MigrationKey
    standing: Standing
    operations: tuple[OperationVerdict, ...]
    implied: bool = False
    certain: bool = True

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """Of all its operations."""
        return tuple(w for operation in self.operations for w in operation.witnesses)


def judge_pending(
    effects: tuple[Effect, ...],
    histories: Histories,
    live: LiveTables,
    *,
    opaque: frozenset[str] | None = frozenset(),
    ancestors: Mapping[MigrationKey, frozenset[MigrationKey]] | None = None,
) -> tuple[PendingVerdict, ...]:
    """Judge each pending migration by its effects.

    Args:
        effects: The pending migrations, in plan order.
        histories: Traced from the same effects.
        live: What is there.
        opaque: Folded keys of tables on which indexes and constraints prove nothing; None: all.
        ancestors: Of each pending migration, those that it needs; None: from `effects`.

    Returns:
        One verdict for each migration, in plan order.
    """
    judge = _Judge(histories, live, opaque, ancestors or ancestors_of(effects))
    judge.settle()
    return tuple(judge.verdict(effect) for effect in effects)


def ancestors_of(
    effects: Iterable[Effect],
    parents: Mapping[MigrationKey, tuple[MigrationKey, ...]] | None = None,
) -> dict[MigrationKey, frozenset[MigrationKey]]:
    """Of each migration, all those among `effects` that it needs.

    Args:
        effects: In any order: a recorded migration may need a pending one.
        parents: What the graph says beside the dependencies that the effects carry.
    """
    near = {
        effect.migration: {*effect.dependencies, *(parents or {}).get(effect.migration, ())}
        for effect in effects
    }
    found: dict[MigrationKey, frozenset[MigrationKey]] = {}
    for start in near:
        # Depth first without recursion: histories of many hundred migrations are one chain.
        waiting = [start]
        while waiting:
            key = waiting[-1]
            missing = [p for p in near[key] if p in near and p not in found and p not in waiting]
            if key not in found and missing:
                waiting += missing
                continue
            waiting.pop()
            known = [parent for parent in near[key] if parent in near]
            found[key] = frozenset(known).union(*(found.get(p, frozenset()) for p in known))
    return found


class _Judge:
    """Looks until nothing new follows: what is live proves what it was built upon."""

    def __init__(
        self,
        histories: Histories,
        live: LiveTables,
        opaque: frozenset[str] | None,
        ancestors: Mapping[MigrationKey, frozenset[MigrationKey]],
    ) -> None:
        self.histories = histories
        self.live = live
        self.opaque = opaque
        self.ancestors = ancestors
        self.by_migration: dict[MigrationKey, list[Step]] = {}
        for step in histories.steps:
            self.by_migration.setdefault(step.migration, []).append(step)
        self.values = {a: live.value(a, h) for a, h in histories.atoms.items()}
        self.best = {a: best_candidates(h, self.values[a]) for a, h in histories.atoms.items()}
        self.accepted = {a: candidates(h, self.values[a]) for a, h in histories.atoms.items()}
        self.floor: dict[Atom, int] = {}
        self.ceiling: dict[Atom, int] = {}
        self.implied: set[MigrationKey] = set()

    def settle(self) -> None:
        """Narrow each object's history from both ends until it stays."""
        while True:
            before = (dict(self.floor), dict(self.ceiling), set(self.implied))
            for migration, steps in self.by_migration.items():
                verdicts = [self._operation(step) for step in steps]
                for step, operation in zip(steps, verdicts, strict=True):
                    if self._proved(operation) or self._went_along(step):
                        self._raise(step)
                    elif operation.standing is Standing.NOT_LIVE:
                        self._lower(step)
                if self._standing(verdicts) is Standing.LIVE and self._strong(verdicts):
                    for step in steps:
                        self._raise(step)
                    self.implied |= self.ancestors.get(migration, frozenset())
            for migration in self.implied:
                for step in self.by_migration.get(migration, ()):
                    if self._operation(step).standing is not Standing.NOT_LIVE:
                        self._raise(step)
            if before == (self.floor, self.ceiling, self.implied):
                return

    def verdict(self, effect: Effect) -> PendingVerdict:
        operations = [self._operation(step) for step in self.by_migration.get(effect.migration, [])]
        standing = self._standing(operations)
        implied = False
        seen = any(operation.witnesses for operation in operations)
        if (
            seen
            and standing in (Standing.UNTOLD, Standing.UNSEEN)
            and effect.migration in self.implied
        ):
            standing, implied = Standing.LIVE, True
        return PendingVerdict(
            effect.migration,
            standing,
            tuple(operations),
            implied=implied,
            certain=implied or self._certain(operations),
        )

    def _raise(self, step: Step) -> None:
        for touch in step.touches:
            if touch.index > self.floor.get(touch.atom, 0):
                self.floor[touch.atom] = touch.index

    def _lower(self, step: Step) -> None:
        for touch in step.touches:
            limit = touch.index - 1
            if self.floor.get(touch.atom, 0) <= limit < self.ceiling.get(touch.atom, touch.index):
                self.ceiling[touch.atom] = limit

    def _went_along(self, step: Step) -> bool:
        """Whether a column is known to have gone with its table, since it once was there."""
        return any(
            self.floor.get(touch.atom, 0) > 0
            and min(self._bounded(touch.atom), default=0) >= touch.index
            for touch in step.touches
            if not touch.telling
        )

    def _proved(self, operation: OperationVerdict) -> bool:
        return operation.standing is Standing.LIVE and self._strong([operation])

    @staticmethod
    def _strong(operations: Iterable[OperationVerdict]) -> bool:
        return any(
            witness.standing is Standing.LIVE and not witness.weak
            for operation in operations
            if not operation.soft
            for witness in operation.witnesses
        )

    def _certain(self, operations: Iterable[OperationVerdict]) -> bool:
        """Whether applying it would fail or undo something.

        A column that is already as wide as a pending migration will make it hurts nobody,
        nor does altering what something opaque has altered.
        """
        return any(
            witness.standing in (Standing.LIVE, Standing.DIFFERENT)
            and not (witness.weak and witness.wider)
            and (witness.presence or not self._opaque(witness.atom.table))
            for operation in operations
            if not operation.soft
            for witness in operation.witnesses
        )

    @staticmethod
    def _standing(operations: Iterable[OperationVerdict]) -> Standing:
        witnesses = [(w, operation.soft) for operation in operations for w in operation.witnesses]
        standings = {w.standing for w, _ in witnesses}
        strong = {w.standing for w, soft in witnesses if not (w.weak or soft)}
        if Standing.DIFFERENT in strong:
            return Standing.PARTLY
        if Standing.LIVE in standings:
            if Standing.NOT_LIVE not in standings:
                return Standing.LIVE
            # What the recorded state explains as well does not make a pending migration half.
            return Standing.PARTLY if Standing.LIVE in strong else Standing.NOT_LIVE
        if Standing.NOT_LIVE in standings:
            return Standing.NOT_LIVE
        return Standing.UNTOLD if Standing.UNTOLD in standings else Standing.UNSEEN

    def _operation(self, step: Step) -> OperationVerdict:
        primary = [t for t in step.touches if t.atom.kind not in SECONDARY and t.telling]
        witnesses = [self._witness(touch) for touch in primary]
        witnesses += [self._witness(touch) for touch in self._attachments(step, witnesses)]
        soft = self._soft(step)
        standing = self._standing(
            [OperationVerdict(step.operation.index, Standing.UNSEEN, tuple(witnesses))]
        )
        return OperationVerdict(step.operation.index, standing, tuple(witnesses), soft)

    def _attachments(self, step: Step, primary: list[Witness]) -> list[Touch]:
        """Indexes and constraints count where they are all that an operation does, and where
        what they hang on is there already.
        """
        touches = [
            t
            for t in step.touches
            if t.atom.kind in SECONDARY
            and t.telling
            and (not self._opaque(t.atom.table) or self._in_the_way(t))
        ]
        if not primary:
            return touches
        if any(w.standing is not Standing.LIVE for w in primary if w.standing != Standing.UNSEEN):
            return []
        # The database names and spells the checks of a column as it likes.
        return [t for t in touches if t.atom.kind in {"unique", "foreign key", "index"}]

    def _in_the_way(self, touch: Touch) -> bool:
        """Whether what an operation makes is there by that very name, whoever made it.

        Making it again would fail, unless something pending that cannot be seen takes it away.
        """
        history = self.histories.atoms[touch.atom]
        return (
            touch.creates
            and history.thing is not None
            and self.live.has_name(touch.atom.table, history.thing)
            and not any(
                step.operation.opaque_tables is None
                or touch.atom.table in self._folded(step.operation.opaque_tables)
                for step in self.histories.steps
            )
        )

    def _folded(self, tables: frozenset[str]) -> frozenset[str]:
        return frozenset(fold_key(self.live.vendor, key) for key in tables)

    def _opaque(self, table: str) -> bool:
        return self.opaque is None or table in self.opaque

    @staticmethod
    def _soft(step: Step) -> bool:
        """Whether an operation may find its work done and be content.

        An operation of somebody's own may look first, and state alone may be catching up with
        the database. SQL with state operations does what its state operations say.
        """
        operation = step.operation
        if operation.kind == "RunSQL":
            return operation.unknown
        return operation.unknown or operation.opaque_tables != frozenset()

    def _void(self, atom: Atom) -> bool:
        """Whether nothing is proved, since the whole table is gone."""
        return atom.kind != "table" and self.live.table(atom.table) is None

    def _bounded(self, atom: Atom) -> frozenset[int]:
        """The candidates that agree with what is known of other objects."""
        floor, ceiling = self.floor.get(atom, 0), self.ceiling.get(atom)
        found = frozenset(k for k in self.best[atom] if k >= floor)
        if ceiling is None or ceiling < floor:
            return found or self.best[atom]
        return frozenset(k for k in found if k <= ceiling)

    def _witness(self, touch: Touch) -> Witness:
        history = self.histories.atoms[touch.atom]
        live = self.values[touch.atom]
        found = self._bounded(touch.atom)
        if not found:
            standing = Standing.UNSEEN
            if touch.creates:
                standing = Standing.NOT_LIVE if live is None else Standing.DIFFERENT
        elif min(found) >= touch.index:
            standing = Standing.LIVE
        elif max(found) < touch.index:
            standing = Standing.NOT_LIVE
        else:
            explained = 0 in self.accepted[touch.atom]
            standing = Standing.UNSEEN if explained else Standing.UNTOLD
        start = history.values[0]
        if standing is Standing.LIVE and self._void(touch.atom):
            standing = Standing.UNSEEN
        explained = 0 in self.accepted[touch.atom] and not self.floor.get(touch.atom)
        weak = standing is Standing.LIVE and explained
        wider = (
            isinstance(start, Column)
            and isinstance(live, Column)
            and is_wider_integer(start.type, live.type)
            and set(compare_columns(start, live)) <= HARMLESS
        )
        presence = touch.creates or not history.values[touch.index]
        return Witness(touch.atom, history.ref, standing, presence, weak, wider)
