"""Differences that no migration as a whole accounts for: one incident for each object."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.core.analysis import Analysis, left_over
from migrator.core.comparison import fold_key
from migrator.core.diff import Change, ChangeKind, diff_extras
from migrator.core.evidence import Proof, change_atom, change_atoms
from migrator.core.incidents import Code, Evidence, Incident, ObjectRef
from migrator.core.schema import Check, Column, ForeignKey, Index, Table, Trigger
from migrator.core.wording import ABSENT, describe, state_change

REPAIR = "Mend it with --repair."
BY_HAND = "No repair does this: decide which side is right and change it by hand."
MEANT = "Nothing needs to be done if it is meant to be there."


class Differences:
    """Columns, indexes, constraints, triggers and sequences that are not as expected."""

    def __init__(self, analysis: Analysis, proof: Proof) -> None:
        """Prepare.

        Args:
            analysis: Of the scan.
            proof: The evidence that there is.
        """
        self.analysis = analysis
        self.facts = analysis.facts
        self.vendor = analysis.facts.live.vendor
        self.proof = proof
        self.managed = {fold_key(self.vendor, key) for key in self.facts.expected.tables}
        self.ignored = {fold_key(self.vendor, key) for key in self.facts.ignored}
        unmigrated = {fold_key(self.vendor, key) for key in self.facts.unmigrated}
        self.unstated = self.ignored | unmigrated

    def incidents(self) -> Iterator[Incident]:
        """All of them, in no order."""
        for change in self.analysis.changes:
            table = fold_key(self.vendor, change.ref.table)
            if table not in self.unstated and not self._comes_and_goes(change):
                yield self._incident(change, self._weigh(change))
        yield from self._expressions()
        yield from self._since_reference()
        yield from self._beside_tables()
        yield from self._disabled_triggers()
        yield from self._sequences()

    def _comes_and_goes(self, change: Change) -> bool:
        """Whether a partition of a model's table was added or dropped: part of its life."""
        thing = change.expected or change.live
        return (
            isinstance(thing, Table)
            and thing.partition_of != ""
            and fold_key(self.vendor, thing.partition_of) in self.managed
        )

    def _weigh(self, change: Change) -> Evidence:
        return self.proof.weigh(change_atoms(self.vendor, change))

    def _incident(self, change: Change, evidence: Evidence, *, stated: bool = True) -> Incident:
        if change.harmless:
            return self._harmless(change, evidence)
        if change.kind is ChangeKind.EXTRA:
            return self._extra(change, evidence)
        return self._wrong(change, evidence, stated=stated)

    def _harmless(self, change: Change, evidence: Evidence) -> Incident:
        if change.ref.kind == "table":
            return Incident(
                Code.RECORDED_MISSING,
                blocking=False,
                evidence=Evidence.UNCONFIRMED,
                object=change.ref,
                expected=describe(change.expected),
                live="view",
                message=f"{change.ref.name} is a view where a table is expected.",
                hint="Nothing needs to be done if that is meant.",
            )
        return Incident(
            Code.COLUMN_DIFFERS,
            blocking=False,
            evidence=evidence,
            object=change.ref,
            expected=describe(change.expected),
            live=describe(change.live),
            message=f"The {change.ref} is wider than expected.",
            hint="It takes all that is expected; nothing needs to be done.",
        )

    def _wrong(self, change: Change, evidence: Evidence, *, stated: bool) -> Incident:
        """What is missing or different. `stated`: state expects it, not a reference alone."""
        certain = evidence is not Evidence.UNCONFIRMED
        code, repairable = _code(change)
        hint = REPAIR if repairable and stated else BY_HAND
        if code is Code.EXTRA:
            certain, hint = False, "Nothing needs to be done if it is meant."
        elif code is Code.INVALID and self._left_invalid(change):
            certain, hint = False, "A migration has left it so on purpose."
        elif evidence is Evidence.STATE and _only_for_patterns(change):
            # Whether Django makes the second index depends on collations, and on what its
            # versions did: no query fails without it.
            certain, evidence = False, Evidence.UNCONFIRMED
            hint = self._doubt(change.ref)
        elif evidence is Evidence.STATE and _without_fractions(change):
            certain, evidence = False, Evidence.UNCONFIRMED
            hint = self._doubt(change.ref)
        elif not certain:
            hint = self._doubt(change.ref)
        return Incident(
            code,
            blocking=certain,
            evidence=evidence,
            object=change.ref,
            expected=describe(change.expected),
            live=describe(change.live),
            migration=self.analysis.histories.origin(change_atom(self.vendor, change)),
            message=state_change(change),
            hint=hint,
            mendable=certain and hint == REPAIR,
        )

    def _extra(self, change: Change, evidence: Evidence) -> Incident:
        ref, live = change.ref, change.live
        certain = evidence is not Evidence.UNCONFIRMED
        code, blocking, hint = Code.EXTRA, False, MEANT
        message = state_change(change)
        if ref.kind == "table":
            message = f"The {ref} belongs to no managed model of this database."
        elif isinstance(live, Column) and _required(live):
            code = Code.EXTRA_REQUIRED_COLUMN
            message = (
                f"The {ref} is in no migration, takes no NULL and has no default: "
                "every insert will fail."
            )
            if any(trigger.enabled for trigger in self._triggers(ref.table)):
                evidence = Evidence.UNCONFIRMED
                hint = "Nothing needs to be done if a trigger of the table fills it."
            else:
                blocking = certain
                hint = "Drop it, or give it a default." if certain else self._doubt(ref)
        elif isinstance(live, Trigger) and not live.enabled:
            code, blocking = Code.INVALID, certain
            message = f"The {ref} is disabled."
            hint = "Enable it, or drop it." if blocking else self._doubt(ref)
        elif getattr(live, "valid", True) is False:
            code, blocking = Code.INVALID, certain and not self._left_invalid(change)
            message = f"The {ref} is not valid, and no migration has it."
            hint = "Drop it, or make it valid." if blocking else self._doubt(ref)
        return Incident(
            code,
            blocking=blocking,
            evidence=evidence,
            object=ref,
            expected=ABSENT,
            live=describe(live),
            message=message,
            hint=hint,
        )

    def _since_reference(self) -> Iterator[Incident]:
        """What differs from a reference and state knows nothing of."""
        told = {a for change in self.analysis.changes for a in change_atoms(self.vendor, change)}
        for comparison in self.proof.comparisons:
            if comparison.reference.advisory:
                continue
            changes = left_over(
                self.vendor,
                comparison.changes,
                accounted=self.analysis.accounted,
                gone=self.analysis.gone,
                explained=self.analysis.explained,
            )
            for change in changes:
                atoms = change_atoms(self.vendor, change)
                table = fold_key(self.vendor, change.ref.table)
                if atoms & told or table in self.ignored or self._comes_and_goes(change):
                    continue
                told |= atoms
                if table in self.managed:
                    incident = self._incident(change, comparison.reference.evidence, stated=False)
                else:
                    incident = self._foreign(change, comparison.reference.evidence)
                yield incident

    def _foreign(self, change: Change, evidence: Evidence) -> Incident:
        """Something else than it was, on a table that belongs to no model: never blocks."""
        message, hint = state_change(change), "Nothing needs to be done if it is meant."
        if change.ref.kind == "table" and change.kind is ChangeKind.MISSING:
            message = f"The {change.ref}, which belongs to no managed model, is gone."
            hint = "Nothing needs to be done if it was dropped on purpose."
        return Incident(
            Code.EXTRA,
            blocking=False,
            evidence=evidence,
            object=change.ref,
            expected=describe(change.expected),
            live=describe(change.live),
            message=message,
            hint=hint,
        )

    def _beside_tables(self) -> Iterator[Incident]:
        """Views, functions, types and the like that are not as in a reference: told, no more."""
        told: set[tuple[str, str]] = set()
        for comparison in self.proof.comparisons:
            reference = comparison.reference
            if reference.advisory or not reference.whole:
                continue
            for extra, kind in diff_extras(reference.schema, self.facts.live):
                if (extra.kind, extra.name) in told:
                    continue
                told.add((extra.kind, extra.name))
                verb = {
                    ChangeKind.MISSING: "is gone",
                    ChangeKind.EXTRA: "was not there",
                    ChangeKind.DIFFERENT: "is defined otherwise",
                }[kind]
                yield Incident(
                    Code.EXTRA,
                    blocking=False,
                    evidence=reference.evidence,
                    object=ObjectRef(extra.kind, "", extra.name),
                    expected=ABSENT if kind is ChangeKind.EXTRA else extra.kind,
                    live=ABSENT if kind is ChangeKind.MISSING else extra.kind,
                    message=f"The {extra.kind} {extra.name} {verb}.",
                    hint="Nothing needs to be done if it is meant.",
                )

    def _doubt(self, ref: ObjectRef) -> str:
        return self.proof.doubt([fold_key(self.vendor, ref.table)])

    def _left_invalid(self, change: Change) -> bool:
        """Whether recorded migrations left a constraint NOT VALID, to validate it later.

        `AddConstraintNotValid` and `ValidateConstraint` name the constraint in `describe()`.
        """
        if not isinstance(change.live, Check | ForeignKey):
            return False
        names = {change.live.name, change.ref.name}
        left = False
        for step in self.analysis.histories.steps:
            operation = step.operation
            if operation.kind in {"AddConstraintNotValid", "ValidateConstraint"} and any(
                name in operation.description.split() for name in names
            ):
                left = operation.kind == "AddConstraintNotValid"
        return left

    def _triggers(self, key: str) -> tuple[Trigger, ...]:
        table = self._live_table(key)
        return table.triggers if table else ()

    def _live_table(self, key: str) -> Table | None:
        wanted = fold_key(self.vendor, key)
        tables = self.analysis.live.tables
        return tables.get(key) or next(
            (table for name, table in tables.items() if fold_key(self.vendor, name) == wanted),
            None,
        )

    def _expressions(self) -> Iterator[Incident]:
        """Checks, conditions, generated columns and defaults that mean something else.

        Told where no reference has compared the server's own words, and never blocking: the
        two sides are in different words.
        """
        told = {change.ref for change in self.analysis.changes}
        for item in self.facts.differing:
            kind = "column" if item.kind in {"generated", "default"} else item.kind
            ref = ObjectRef(kind, item.table, item.name)
            if ref in told or self.proof.compared(fold_key(self.vendor, item.table)):
                continue
            what = {"index": "condition", "check": "expression"}.get(item.kind, item.kind)
            yield Incident(
                Code.COLUMN_DIFFERS if kind == "column" else Code.CONSTRAINT_OR_INDEX,
                blocking=False,
                evidence=Evidence.UNCONFIRMED,
                object=ref,
                expected=item.expected,
                live=item.live,
                message=f"The {ref} has another {what} than its migrations give it.",
                hint=self._doubt(ref),
            )

    def _disabled_triggers(self) -> Iterator[Incident]:
        for key, table in self.analysis.live.tables.items():
            folded = fold_key(self.vendor, key)
            if folded not in self.managed or self.proof.compared(folded):
                continue  # compared with the triggers of the reference
            for trigger in table.triggers:
                if trigger.enabled:
                    continue
                certain = self.proof.certain(folded)
                yield Incident(
                    Code.INVALID,
                    blocking=certain,
                    evidence=Evidence.STATE if certain else Evidence.UNCONFIRMED,
                    object=ObjectRef("trigger", key, trigger.name),
                    expected="enabled trigger",
                    live="disabled trigger",
                    message=f"The trigger {key}.{trigger.name} is disabled.",
                    hint="Enable it, or drop it." if certain else self.proof.doubt([folded]),
                )

    def _sequences(self) -> Iterator[Incident]:
        maxima = {
            (fold_key(self.vendor, table), column): value
            for (table, column), value in self.facts.maxima.items()
        }
        for sequence in self.facts.live.sequences:
            table = fold_key(self.vendor, sequence.table)
            largest = maxima.get((table, sequence.column))
            if largest is None or table not in self.managed or largest < 1:
                continue
            if sequence.last_value is None or sequence.last_value >= largest:
                continue  # the role may not know its position, or all is well
            where = f"{sequence.table}.{sequence.column}"
            yield Incident(
                Code.SEQUENCE_BEHIND,
                blocking=True,
                evidence=Evidence.STATE,
                object=ObjectRef("sequence", sequence.table, sequence.name),
                expected=f"at least {largest}",
                live=str(sequence.last_value) if sequence.last_value else "never used",
                message=f"The sequence {sequence.name} is behind {where}: inserts will collide.",
                hint=REPAIR,
                mendable=True,
            )


def _only_for_patterns(change: Change) -> bool:
    """Whether an index is there for LIKE alone, as the second one of a text column is."""
    thing = change.expected
    return (
        change.kind is ChangeKind.MISSING
        and isinstance(thing, Index)
        and all(key.opclass.endswith("_pattern_ops") for key in thing.keys)
    )


def _without_fractions(change: Change) -> bool:
    """Whether a time of MySQL has no fractions of a second, as those of before Django 1.8 have.

    "Existing columns" were left alone, and no migration gives them any (its release notes).
    """
    expected, live = change.expected, change.live
    return (
        isinstance(expected, Column)
        and isinstance(live, Column)
        and change.attributes == ("type",)
        and live.type in {"datetime", "time"}
        and expected.type == f"{live.type}(6)"
    )


def _required(column: Column) -> bool:
    return (
        not column.nullable
        and column.default is None
        and not column.identity
        and column.generated is None
    )


def _disabled(change: Change) -> bool:
    """Whether a trigger is disabled that was not."""
    live = change.live
    return isinstance(live, Trigger) and not live.enabled and "enabled" in change.attributes


def _code(change: Change) -> tuple[Code, bool]:
    """The code of something missing or different, and whether a repair may mend it."""
    kind = change.ref.kind
    missing = change.kind is ChangeKind.MISSING
    if kind == "table" or (kind == "column" and missing):
        return Code.RECORDED_MISSING, True
    if kind == "column":
        return Code.COLUMN_DIFFERS, change.attributes == ("default",)
    if kind == "trigger":
        return (Code.INVALID if _disabled(change) else Code.EXTRA), False
    if change.attributes in {("valid",), ("ignored",)}:
        return Code.INVALID, True
    return Code.CONSTRAINT_OR_INDEX, missing
