"""Where schema and recorded history disagree, as incidents.

`core.analysis` finds out, this module gives each finding its code, its evidence and its
words. State alone proves something only where nothing opaque can have touched the table; a
snapshot or a replay proves everything, either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from migrator.core.analysis import Analysis, ScanFacts, analyse, opaque_tables
from migrator.core.comparison import fold, fold_key
from migrator.core.diff import Thing
from migrator.core.differences import REPAIR, Differences
from migrator.core.effects import Effect
from migrator.core.evidence import Proof
from migrator.core.history import classify_history
from migrator.core.incidents import Code, Evidence, Incident, ObjectRef
from migrator.core.pending import PendingVerdict, Standing
from migrator.core.recorded import RecordedVerdict
from migrator.core.schema import Table
from migrator.core.wording import ABSENT, describe, enumerate_names, fold_objects

__all__ = ["ScanFacts", "classify", "opaque_tables"]


def classify(facts: ScanFacts) -> tuple[Incident, ...]:
    """Every incident of one database.

    Args:
        facts: What is expected, what is live, and how the expectation came about.

    Returns:
        Incidents, worst first, then by table and name; the same for the same facts.
    """
    classification = _Classification(analyse(facts))
    found = map(classification.proof.attribute, classification.incidents())
    return tuple(sorted((*classify_history(facts.history), *found), key=_severity))


def _severity(incident: Incident) -> tuple[bool, str, str, str, str, str]:
    ref = incident.object
    return (
        not incident.blocking,
        incident.code.value,
        ref.table,
        ref.name,
        ref.kind,
        str(incident.migration or ""),
    )


class _Classification:
    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.facts = analysis.facts
        self.vendor = analysis.facts.live.vendor
        self.proof = Proof(analysis)
        self.effects = {e.migration: e for e in (*self.facts.recorded, *self.facts.pending)}

    def incidents(self) -> Iterator[Incident]:
        """All of them, in no order."""
        for pending in self.analysis.pending:
            yield from self._pending(pending)
        for recorded in self.analysis.recorded:
            yield self._recorded(recorded)
        yield from Differences(self.analysis, self.proof).incidents()

    # -- migrations ----------------------------------------------------------

    def _pending(self, verdict: PendingVerdict) -> Iterator[Incident]:
        told = {
            witness.ref: witness.standing is Standing.LIVE or verdict.implied
            for witness in verdict.witnesses
            if verdict.implied or witness.standing not in (Standing.UNSEEN, Standing.UNTOLD)
        }
        objects = fold_objects(told.items())
        key = verdict.migration
        if verdict.standing is Standing.LIVE:
            code, subject = Code.UNRECORDED_PRESENT, _first(objects, live=True)
            message = f"Migration {key} is not recorded, but all that it does is in the database."
            hint = "Record it with --repair."
        elif verdict.standing is Standing.PARTLY:
            code, subject = Code.HALF_APPLIED, _first(objects, live=False)
            message = f"Migration {key} is not recorded, and part of it is in the database: "
            message += f"{_named(objects, live=True)} there, {_named(objects, live=False)} not."
            hint = "--repair runs what is left of it and records it, where that is safe."
        else:
            return
        evidence = Evidence.STATE if verdict.certain else Evidence.UNCONFIRMED
        if not verdict.certain:
            hint = (
                "Applying it probably finds that and goes on; if it fails, record it with "
                f"--repair --assume-applied {key}."
            )
        effect = self.effects.get(key)
        after = _after(effect) if effect else {}
        expected, live = _sides(objects, after, dict(self.facts.live.tables), self.vendor)
        yield Incident(
            code=code,
            blocking=verdict.certain,
            evidence=evidence,
            object=subject or ObjectRef("migration", "", str(key)),
            expected=expected,
            live=live,
            migration=key,
            operation=_operation(verdict),
            message=message,
            hint=hint,
            mendable=verdict.certain,
            objects=objects,
        )

    def _recorded(self, verdict: RecordedVerdict) -> Incident:
        key = verdict.migration
        objects = fold_objects(verdict.objects)
        evidence = self.proof.weigh(verdict.atoms)
        missing = _named(objects, live=False)
        if verdict.half:
            code = Code.HALF_APPLIED
            message = f"Migration {key} is recorded, but part of it is not in the database: "
            message += f"{missing}."
        else:
            code = Code.RECORDED_MISSING
            message = f"Migration {key} is recorded, but what it does is not in the database: "
            message += f"{missing}."
        expected, live = _sides(
            tuple(item for item in objects if not item[1]),
            dict(self.facts.expected.tables),
            dict(self.facts.live.tables),
            self.vendor,
        )
        certain = evidence is not Evidence.UNCONFIRMED
        return Incident(
            code=code,
            blocking=certain,
            evidence=evidence,
            object=_first(objects, live=False) or ObjectRef("migration", "", str(key)),
            expected=expected,
            live=live,
            migration=key,
            operation=verdict.operations[0] if verdict.operations else None,
            message=message,
            mendable=certain,
            hint=REPAIR if certain else self.proof.doubt(atom.table for atom in verdict.atoms),
            objects=objects,
        )


_Objects = tuple[tuple[ObjectRef, bool], ...]


def _first(objects: _Objects, *, live: bool) -> ObjectRef | None:
    return next((ref for ref, there in objects if there is live), None)


def _named(objects: _Objects, *, live: bool) -> str:
    return enumerate_names(str(ref) for ref, there in objects if there is live) or "nothing"


def _operation(verdict: PendingVerdict) -> int | None:
    """The first operation that is there; of a half applied migration, the first that is not."""
    if verdict.standing is Standing.LIVE:
        wanted = {Standing.LIVE}
    else:
        wanted = {Standing.NOT_LIVE, Standing.PARTLY, Standing.DIFFERENT}
    return next((o.index for o in verdict.operations if o.standing in wanted), None)


def _after(effect: Effect) -> dict[str, Table]:
    """The tables that a migration touches, as it leaves them."""
    found: dict[str, Table] = {}
    for operation in effect.operations:
        for table in operation.tables:
            found.pop(table.key, None)
            if table.after is not None:
                found[table.key] = table.after
    return found


def _sides(
    objects: _Objects, expected: Mapping[str, Table], live: Mapping[str, Table], vendor: str
) -> tuple[str, str]:
    """What is expected and what is live of some objects, side by side."""
    refs = [ref for ref, _ in objects][:6]
    if len(refs) == 1:
        return _shown(refs[0], expected, vendor), _shown(refs[0], live, vendor)

    def side(tables: Mapping[str, Table]) -> str:
        return "; ".join(f"{ref}: {_shown(ref, tables, vendor)}" for ref in refs)

    return side(expected), side(live)


def _shown(ref: ObjectRef, tables: Mapping[str, Table], vendor: str) -> str:
    key = fold_key(vendor, ref.table)
    table = next((table for name, table in tables.items() if fold_key(vendor, name) == key), None)
    if table is None or ref.kind == "table":
        return describe(table)
    name = fold(vendor, ref.name)
    things: tuple[Thing, ...] = (
        table.columns
        if ref.kind == "column"
        else (
            *table.uniques,
            *table.foreign_keys,
            *table.checks,
            *table.exclusions,
            *table.indexes,
        )
    )
    thing = next((thing for thing in things if fold(vendor, thing.name) == name), None)
    return describe(thing) if thing else ABSENT
