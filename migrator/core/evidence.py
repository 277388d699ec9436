"""What a difference is proved against, and whether that is proof enough to stop a deploy."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.core.analysis import Analysis
from migrator.core.comparison import fold, fold_key
from migrator.core.diff import Change, diff
from migrator.core.histories import Atom, Attachment, signature
from migrator.core.incidents import Evidence
from migrator.core.schema import Schema

CONFIRM = "Confirm it with --check --deep; after the first verified run it is certain."
KNOWN = "It was like that at the last verified run."


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
        self.reference: Evidence | None = None
        self.changes: tuple[Change, ...] = ()
        self._changed: frozenset[Atom] = frozenset()
        for evidence, schema in (
            (Evidence.SNAPSHOT, facts.snapshot),
            (Evidence.REPLAY, facts.replay),
        ):
            if schema is not None:
                self.reference = evidence
                self._compare(schema, analysis, facts.laid)
                break

    def _compare(self, reference: Schema, analysis: Analysis, laid: frozenset[str]) -> None:
        self.changes = tuple(
            change
            for change in diff(reference, analysis.live, exact=True, lenient_tables=laid)
            if not change.harmless
        )
        changed = {change_atom(self._vendor, change) for change in self.changes}
        if analysis.missed:
            as_found = diff(reference, analysis.facts.live, exact=True, lenient_tables=laid)
            changed |= {change_atom(self._vendor, change) for change in as_found}
        self._changed = frozenset(changed)

    def certain(self, table: str) -> bool:
        """Whether state alone proves anything about a table (folded key)."""
        return self._opaque is not None and table not in self._opaque

    def weigh(self, atoms: Iterable[Atom]) -> Evidence:
        """The evidence for a difference on these objects: the strongest for any of them."""
        found = set(atoms)
        if self.reference is not None:
            tables = {Atom("table", atom.table, atom.table) for atom in found}
            changed = (found | tables) & self._changed
            return self.reference if changed else Evidence.UNCONFIRMED
        if any(self.certain(atom.table) for atom in found):
            return Evidence.STATE
        return Evidence.UNCONFIRMED

    @property
    def doubt(self) -> str:
        """What to tell about an unconfirmed difference."""
        return CONFIRM if self.reference is None else KNOWN
