"""Whether each mutation was found, named, stopped the deploy, and could be mended."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import connection

from migrator.core.actions import ForgetMigration, RebuildIndex
from migrator.core.comparison import fold_key
from migrator.core.diff import diff
from migrator.core.incidents import Incident
from migrator.exceptions import DecisionNeeded, MigratorError, RepairFailed
from migrator.mending import plan_mending, propose_sql
from migrator.scanner import ScanResult
from tests.mutations.arena import Arena, NotPossible, news
from tests.mutations.mutations import HISTORY, Mutation, generate
from tests.mutations.weakening import weaken

OUTCOMES = ("done", "detected", "blocked", "unconfirmed", "missed", "mended", "refused", "asked")


@dataclass
class Verdicts:
    """What became of the mutations."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    failures: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)

    def fail(self, mutation: Mutation, what: str) -> None:
        """One thing that is not as it should be."""
        self.failures.append(f"{mutation}: {what}")


class Judge:
    """Goes through the mutations of one arena."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.verdicts = Verdicts()
        self.healthy_proved = arena.proved(arena.scan)

    def mutations(self) -> list[Mutation]:
        """All that this database can suffer."""
        managed = self.arena.scan.facts.expected.tables
        found = list(
            generate(
                self.arena.live,
                set(managed),
                {key: len(rows) for key, rows in self.arena.rows.items()},
                self.arena.history,
                self.arena.dialect,
            )
        )
        for key, table in self.arena.live.tables.items():
            if key in managed:
                found += weaken(table, self.arena.dialect)
        return found

    def judge(self, mutations: Iterable[Mutation], *, mend: bool = True) -> Verdicts:
        """Go through them."""
        for mutation in mutations:
            try:
                self._one(mutation, mend=mend)
            except NotPossible as error:
                self.verdicts.impossible.append(str(error).partition("\n")[0])
        return self.verdicts

    def _one(self, mutation: Mutation, *, mend: bool) -> None:
        counts = self.verdicts.counts[mutation.kind]
        commits = mutation.commits
        with self.arena.harmed(mutation, committed=False):
            counts["done"] += 1
            state = self.arena.look(mutation)
            proved = self.arena.proved(state)
            self._detected(mutation, state, proved)
            if not mend or not proved.blocked:
                return
            self._proposed(mutation, proved)
            if self.arena.vendor != "postgresql" or not (commits or self._commits(proved)):
                self._mended(mutation, proved)
                return
        with self.arena.harmed(mutation, committed=True):
            self._mended(mutation, self.arena.proved(self.arena.look(mutation)))

    def _commits(self, scan: ScanResult) -> bool:
        """Whether the repair, or the migration after it, cannot run in a transaction."""
        try:
            mending = plan_mending(
                connection, scan.loader, scan.recorded, scan.incidents, scan.facts
            )
        except Exception:  # what goes wrong is told of when it is done in earnest
            return False
        return any(isinstance(a, ForgetMigration | RebuildIndex) for a in mending.plan.actions)

    # -- detection ------------------------------------------------------------------------

    def _detected(self, mutation: Mutation, state: ScanResult, proved: ScanResult) -> None:
        counts = self.verdicts.counts[mutation.kind]
        by_state = news(state.incidents, self.arena.scan.incidents)
        by_proof = news(proved.incidents, self.healthy_proved.incidents)
        if mutation.table == HISTORY:
            self._history(mutation, state, by_state)
            return
        if not by_state and not mutation.missable:
            self.verdicts.fail(mutation, "not found with state alone")
        if not by_proof:
            counts["missed"] += 1
            self.verdicts.fail(mutation, "not found with a snapshot")
            return
        counts["detected"] += 1
        self._named(mutation, by_proof)
        blocking = [i for i in by_proof if i.blocking]
        if blocking:
            counts["blocked"] += 1
        if mutation.blocks and not blocking:
            self.verdicts.fail(mutation, f"does not block with a snapshot: {_brief(by_proof)}")
        if mutation.blocks is False and blocking:
            self.verdicts.fail(mutation, f"blocks with a snapshot: {_brief(blocking)}")
        certain = not self._opaque(mutation.table)
        state_blocks = [i for i in by_state if i.blocking]
        if mutation.blocks and certain and not mutation.missable and not state_blocks:
            self.verdicts.fail(mutation, f"does not block with state: {_brief(by_state)}")
        if mutation.blocks is False and state_blocks:
            self.verdicts.fail(mutation, f"blocks with state: {_brief(state_blocks)}")
        if by_state and not state_blocks:
            counts["unconfirmed"] += 1

    def _proposed(self, mutation: Mutation, proved: ScanResult) -> None:
        """What may be mended is said to be so, with the SQL."""
        incidents = propose_sql(
            connection, proved.loader, proved.recorded, proved.blocking, proved.facts
        )
        if mutation.mends and not any(i.mendable and i.sql for i in incidents):
            self.verdicts.fail(mutation, f"no SQL is proposed: {_brief(list(incidents))}")

    def _history(self, mutation: Mutation, state: ScanResult, found: list[Incident]) -> None:
        counts = self.verdicts.counts[mutation.kind]
        pending = {str(key) for key in state.pending}
        if found or mutation.name in pending:
            counts["detected"] += 1
        elif not mutation.missable:
            counts["missed"] += 1
            self.verdicts.fail(mutation, "neither found nor pending")
        counts["blocked"] += any(i.blocking for i in found)
        if mutation.blocks is False and any(i.blocking for i in found):
            self.verdicts.fail(mutation, f"blocks: {_brief(found)}")
        if mutation.code and found and not any(i.code.value in mutation.code for i in found):
            self.verdicts.fail(mutation, f"named {_brief(found)}")

    def _named(self, mutation: Mutation, found: list[Incident]) -> None:
        wanted = mutation.code.split()
        if wanted and not any(i.code.value in wanted for i in found):
            self.verdicts.fail(mutation, f"should be {mutation.code}: {_brief(found)}")
        key = fold_key(self.arena.vendor, mutation.table)
        named = any(
            fold_key(self.arena.vendor, ref.table) == key
            for i in found
            for ref in (i.object, *(ref for ref, _ in i.objects))
        )
        if not named:
            self.verdicts.fail(mutation, f"does not name its table: {_brief(found)}")
        for incident in found:
            if incident.blocking and not incident.hint:
                self.verdicts.fail(mutation, f"no hint: {_brief([incident])}")

    def _opaque(self, table: str) -> bool:
        opaque = self.arena.scan.facts.opaque_tables
        return opaque is None or table in opaque

    # -- repair ---------------------------------------------------------------------------

    def _mended(self, mutation: Mutation, scan: ScanResult) -> None:
        counts = self.verdicts.counts[mutation.kind]
        arena = self.arena
        tried = counts["refused"] + counts["asked"]
        # That a refusal changes nothing is looked at closely a few times for each kind.
        before = (scan.live, arena.all_rows(scan.live)) if tried < 3 else None
        try:
            arena.mend(scan)
        except DecisionNeeded as error:
            counts["asked"] += 1
            self._unmended(mutation, error, before)
            return
        except RepairFailed as error:
            counts["refused"] += 1
            self._unmended(mutation, error, before)
            return
        except MigratorError as error:
            self.verdicts.fail(mutation, f"repair: {type(error).__name__}: {error.message}")
            return
        except Exception as error:
            self.verdicts.fail(mutation, f"repair: {type(error).__name__}: {error}")
            return
        if mutation.mends is False:
            self.verdicts.fail(mutation, "was repaired, though no repair should")
        live = arena.backend.inspect(connection)
        left = list(diff(arena.live, live, exact=True))
        if mutation.mends:
            if left:
                self.verdicts.fail(mutation, f"not as before: {[str(c.ref) for c in left]}")
            if arena.recorded() != arena.history:
                self.verdicts.fail(mutation, "history not as before")
        counts["mended"] += 1
        self._intact(mutation, arena.all_rows(live))

    def _unmended(
        self, mutation: Mutation, error: MigratorError, before: tuple[object, object] | None
    ) -> None:
        if mutation.mends:
            self.verdicts.fail(mutation, f"not mended: {error.message}")
        if mutation.says not in error.message:
            self.verdicts.fail(mutation, f"the refusal does not say why: {error.message}")
        if before is None:
            return
        live = self.arena.backend.inspect(connection)
        if (live, self.arena.all_rows(live)) != before:
            self.verdicts.fail(mutation, f"refused, but something was changed: {error.message}")

    def _intact(self, mutation: Mutation, rows: dict[str, list[tuple[object, ...]]]) -> None:
        for key, healthy in self.arena.rows.items():
            if mutation.says or (key == mutation.table and mutation.loses):
                continue
            if len(rows.get(key, ())) != len(healthy):
                self.verdicts.fail(mutation, f"rows of {key} are gone")
            elif key != mutation.table and rows[key] != healthy:
                self.verdicts.fail(mutation, f"rows of {key} have changed")


def _brief(incidents: list[Incident]) -> str:
    return "; ".join(
        f"{i.code.value}{'!' if i.blocking else ''} {i.object} {i.message[:90]}"
        for i in incidents[:3]
    )


def show(vendor: str, verdicts: Verdicts, began: float) -> None:
    """The table of outcomes, and what went wrong."""
    print(f"\n{vendor}: {'mutation':24}" + "".join(f"{name:>12}" for name in OUTCOMES))
    total: Counter[str] = Counter()
    for kind, counts in verdicts.counts.items():
        total += counts
        print(f"{vendor}: {kind:24}" + "".join(f"{counts[name]:12}" for name in OUTCOMES))
    print(f"{vendor}: {'all':24}" + "".join(f"{total[name]:12}" for name in OUTCOMES))
    seconds = time.monotonic() - began
    print(
        f"{vendor}: {len(verdicts.impossible)} that the server does not let happen; {seconds:.0f} s"
    )
    for reason in verdicts.impossible[:5]:
        print(f"{vendor}: impossible: {reason}")
    for failure in verdicts.failures:
        print(f"{vendor}: FAILED {failure}")
