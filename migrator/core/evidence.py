"""What a difference is proved against, and whether that is proof enough to stop a deploy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from migrator.core.analysis import Analysis
from migrator.core.changes import ChangeKind
from migrator.core.comparison import fold, fold_key, with_collations
from migrator.core.diff import Change, diff
from migrator.core.histories import Atom, Attachment, signature
from migrator.core.incidents import Evidence, Incident
from migrator.core.reference import Reference
from migrator.core.schema import Check, Schema

CONFIRM = "Confirm it with --check --deep; after the first verified run it is certain."
KNOWN = "It was like that at the last verified run."
REPLAYED = "The recorded migrations make it so themselves."


def change_atom(vendor: str, change: Change) -> Atom:
    """What a change is about, as an identity that the names of constraints are no part of."""
    table = fold_key(vendor, change.ref.table)
    if change.ref.kind == "table":
        return Atom("table", table, table)
    for thing in (change.expected, change.live):
        if isinstance(thing, Attachment):
            return signature(vendor, table, thing)
    if change.ref.kind == "primary key":
        return Atom("primary key", table, "")
    return Atom(change.ref.kind, table, fold(vendor, change.ref.name))


def change_atoms(vendor: str, change: Change) -> frozenset[Atom]:
    """All identities of a change: state knows a check that a field brings along by its column
    alone, a server by its name.
    """
    atoms = {change_atom(vendor, change)}
    for thing in (change.expected, change.live):
        if isinstance(thing, Check) and thing.columns:
            columns = ", ".join(fold(vendor, name) for name in thing.columns)
            atoms.add(Atom("check", fold_key(vendor, change.ref.table), f"({columns})"))
    return frozenset(atoms)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs from one reference.

    Attributes:
        reference: The reference.
        changes: What differs, in the live schema with missed renames done.
        changed: What the changes are about, those of the live schema as it is included.
        tables: Those of `changed` that are tables which the reference has: one that it does not
            know says nothing about what is on it.
    """

    reference: Reference
    changes: tuple[Change, ...]
    changed: frozenset[Atom]
    tables: frozenset[Atom]


class Proof:
    """Weighs differences, strongest evidence first: snapshot, replay, state."""

    def __init__(self, analysis: Analysis) -> None:
        """Compare what is live with the references that there are.

        Args:
            analysis: Of the scan.
        """
        facts = analysis.facts
        self._vendor = facts.live.vendor
        opaque = facts.opaque_tables
        self._opaque = (
            None if opaque is None else frozenset(fold_key(self._vendor, key) for key in opaque)
        )
        strength = list(Evidence)
        self.comparisons = tuple(
            self._compare(reference, analysis)
            for reference in sorted(facts.references, key=lambda r: strength.index(r.evidence))
        )

    def _compare(self, reference: Reference, analysis: Analysis) -> Comparison:
        def changes(live: Schema) -> tuple[Change, ...]:
            expected = reference.schema
            if reference.evidence is Evidence.SNAPSHOT:
                expected, live = with_collations(expected, live)
            found = diff(expected, live, exact=True, lenient_tables=reference.laid)
            return tuple(
                change
                for change in found
                if not change.harmless
                and reference.proves(fold_key(self._vendor, change.ref.table))
            )

        differing = changes(analysis.live)
        found = [*differing, *(changes(analysis.facts.live) if analysis.missed else ())]
        changed = frozenset(atom for c in found for atom in change_atoms(self._vendor, c))
        tables = frozenset(
            change_atom(self._vendor, c)
            for c in found
            if c.ref.kind == "table" and c.kind is not ChangeKind.EXTRA
        )
        return Comparison(reference, differing, changed, tables)

    def certain(self, table: str) -> bool:
        """Whether state alone proves anything about a table (folded key)."""
        return self._opaque is not None and table not in self._opaque

    def compared(self, table: str) -> bool:
        """Whether a reference proves anything about a table (folded key)."""
        return any(each.reference.proves(table) for each in self.comparisons)

    def weigh(self, atoms: Iterable[Atom]) -> Evidence:
        """The evidence for a difference on these objects: the strongest for any of them."""
        found = set(atoms)
        tables = {atom.table for atom in found}
        on = {Atom("table", table, table) for table in tables}
        for each in self.comparisons:
            if found & each.changed or on & each.tables:
                return each.reference.evidence
        if any(self.certain(table) and not self._excused(table) for table in tables):
            return Evidence.STATE
        return Evidence.UNCONFIRMED

    def _excused(self, table: str) -> bool:
        """Whether a reference shows that a table has always differed from state."""
        return any(
            each.reference.proves(table) and table not in each.reference.restated
            for each in self.comparisons
        )

    def doubt(self, tables: Iterable[str]) -> str:
        """What to tell about an unconfirmed difference on tables (folded keys)."""
        wanted = set(tables)
        for each in self.comparisons:
            if all(
                each.reference.proves(table) and table not in each.reference.restated
                for table in wanted
            ):
                snapshot = each.reference.evidence is Evidence.SNAPSHOT
                return KNOWN if snapshot else REPLAYED
        return CONFIRM

    def attribute(self, incident: Incident) -> Incident:
        """The incident, saying what it was proved against.

        Args:
            incident: Any.
        """
        for each in self.comparisons:
            reference = each.reference
            if reference.evidence is incident.evidence and reference.origin:
                message = f"{incident.message.removesuffix('.')} ({reference.origin})."
                return replace(incident, message=message, since=reference.run_id)
        return incident
