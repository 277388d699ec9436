"""What a rollback needs to know before it touches anything: the journal, the graph, the code.

`core.returning` decides; this reads. A rollback is planned for all of its databases before any
is written to, and what cannot be taken back on one of them stops it on every one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from journal import Entry, Journal, Run, Target
from migrator.backends import Backend, HistoryRow, facts_for
from migrator.conf import Settings
from migrator.core.effects import MigrationKey
from migrator.core.findings import Finding, Severity
from migrator.core.plan import Plan
from migrator.core.returning import Lineage, Mark, Return, ReturnPlan, plan_return, remaining
from migrator.exceptions import RollbackRefused
from migrator.executor import checksum, irreversible_operations, reconcile
from migrator.ledger import Ledger, in_doubt
from migrator.sources import Ownership, full_plan, load_disk, load_graph

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class AliasReturn:
    """What a rollback would do to one database.

    Attributes:
        alias: The database.
        plan: What is taken back, and what is in the way.
        findings: What would be lost.
        refusals: Why it cannot be done, a sentence each; empty when it can.
        hints: What to do about them.
    """

    alias: str
    plan: ReturnPlan = field(default_factory=ReturnPlan)
    findings: tuple[Finding, ...] = ()
    refusals: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Return, ...]:
        """What is taken back, in order."""
        return self.plan.steps


def plan_alias(
    journal: Journal,
    run: Run,
    target: Target,
    connection: BaseDatabaseWrapper,
    backend: Backend,
    *,
    with_later: bool,
    accept_changed: bool = False,
) -> tuple[AliasReturn, MigrationLoader]:
    """Plan the way back of one database. Reads only.

    Args:
        journal: Where the run stands, and what came after it.
        run: What is to be taken back.
        target: Its side of this database.
        connection: It.
        backend: Its vendor.
        with_later: Take along what later runs have built on it.
        accept_changed: Somebody has looked at the files that were edited since.

    Returns:
        The plan, and the graph with the rows that it was made from.

    Raises:
        MigratorError: The database cannot be read, or its graph cannot be built.
    """
    with backend.read_only(connection):
        rows = backend.history(connection) or ()
    loader = load_graph(connection, rows, check=False)
    lineage = lineage_of(loader, rows)
    entries = journal.entries(run.id, target.alias)
    applied = applied_by(run, entries, lineage)
    marks = {mark.migration: mark for mark in _marks_since(journal, run, target)}
    plan = plan_return(applied, lineage, marks=marks, with_later=with_later)
    halfway = [
        name
        for name in in_doubt(entries)
        if MigrationKey(*name.split(".", 1)) not in lineage.rows | lineage.recorded
        and _is_piecemeal(entries, name)
    ]
    refusals, hints = _reasons(run, plan, loader, halfway)
    if not accept_changed:
        for key in _edited(journal, run, target, plan, loader):
            refusals.append(f"the file of {key} was edited since it was applied")
            hints.append(
                "Its reverse may not be that of what was applied: put the file of then back, or "
                "look at the SQL with --dry-run --accept-changed-migrations, then leave out "
                "--dry-run."
            )
    hints = list(dict.fromkeys(hints))
    found = AliasReturn(target.alias, plan, refusals=tuple(refusals), hints=tuple(hints))
    return found, loader


def lineage_of(loader: MigrationLoader, rows: Iterable[HistoryRow]) -> Lineage:
    """The graph of one database, as data.

    Args:
        loader: With its recorded rows.
        rows: The same rows.
    """
    applied = loader.applied_migrations or {}
    return Lineage(
        order=full_plan(loader),
        children={
            MigrationKey(*key): tuple(MigrationKey(*child.key) for child in node.children)
            for key, node in loader.graph.node_map.items()
        },
        recorded=frozenset(MigrationKey(*key) for key in loader.graph.nodes if key in applied),
        rows=frozenset(row.migration for row in rows),
        replaces={
            MigrationKey(*key): tuple(MigrationKey(*other) for other in migration.replaces)
            for key, migration in load_disk().migrations.items()
            if migration.replaces
        },
    )


def applied_by(run: Run, entries: Sequence[Entry], lineage: Lineage) -> tuple[Mark, ...]:
    """What a run has applied to one database, in its order.

    A migration whose outcome was lost (the process was killed after its COMMIT) counts when its
    row is there.

    Args:
        run: The run.
        entries: Of its target.
        lineage: For the rows.
    """
    recorded = {tuple(key) for key in lineage.rows}
    replaces = {tuple(key): [tuple(k) for k in others] for key, others in lineage.replaces.items()}
    found = reconcile(entries, recorded, replaces=replaces)  # type: ignore[arg-type]
    lost = {settled.migration: settled.how for settled in found.reconciled}
    outcomes: dict[MigrationKey, Mark] = {}
    for entry in entries:
        if entry.kind != "migration":
            continue
        key = MigrationKey(*entry.name.split(".", 1))
        backwards = entry.payload.get("direction") == "backwards"
        replaced = tuple(
            MigrationKey(*other.split(".", 1)) for other in entry.payload.get("replaces", ())
        )
        settled = entry.phase.value in ("done", "reconciled")
        if settled or (entry.phase.value == "intent" and key in lost):
            how = lost.get(key) or str(entry.payload.get("how", "")) or "reconciled"
            outcomes.pop(key, None)
            outcomes[key] = Mark(key, run.id, how, backwards, replaced)
    return tuple(mark for mark in outcomes.values() if not mark.backwards)


def _marks_since(journal: Journal, run: Run, target: Target) -> Iterator[Mark]:
    """What the journal knows of each migration of this database, the run's own first; of the
    runs that came after it, the newest last.
    """
    for later in reversed([each for each in journal.runs() if each.id >= run.id]):
        for other in journal.targets(later.id):
            if not _is_same(other, target):
                continue
            for entry in journal.entries(later.id, other.alias):
                if entry.kind != "migration" or entry.phase.value not in ("done", "reconciled"):
                    continue
                yield Mark(
                    MigrationKey(*entry.name.split(".", 1)),
                    later.id,
                    str(entry.payload.get("how", "reconciled")),
                    backwards=entry.payload.get("direction") == "backwards",
                )


def _edited(
    journal: Journal, run: Run, target: Target, plan: ReturnPlan, loader: MigrationLoader
) -> Iterator[MigrationKey]:
    """Of what would be reversed, what is not the file any more that was applied."""
    then: dict[str, str] = {}
    for later in reversed([each for each in journal.runs() if each.id >= run.id]):
        for other in journal.targets(later.id):
            if not _is_same(other, target):
                continue
            for entry in journal.entries(later.id, other.alias):
                begun = entry.kind == "migration" and entry.phase.value == "intent"
                if begun and entry.payload.get("direction") == "forwards":
                    then[entry.name] = str(entry.payload.get("checksum", ""))
    for step in plan.steps:
        applied = then.get(str(step.migration), "")
        now = checksum(loader.graph.nodes[step.migration])
        if not step.forget and applied and now and applied != now:
            yield step.migration


def _is_same(other: Target, target: Target) -> bool:
    """Whether two targets are one database."""
    same = other.identity == target.identity if target.identity else False
    return same or (not other.identity and other.alias == target.alias)


def _is_piecemeal(entries: Iterable[Entry], name: str) -> bool:
    """Whether a migration ran outside of a transaction, so that a part of it may be left."""
    return any(
        entry.kind == "migration"
        and entry.name == name
        and entry.phase.value == "intent"
        and entry.payload.get("atomic") is False
        for entry in entries
    )


# -- what is refused -----------------------------------------------------------------------


def _reasons(
    run: Run, plan: ReturnPlan, loader: MigrationLoader, halfway: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Everything that stands in the way of taking a run back on one database."""
    refusals: list[str] = []
    hints: list[str] = []
    for key in plan.missing:
        refusals.append(f"the file of {key} is gone ({key.app}/migrations/{key.name}.py)")
        hints.append("Deploy the code that has it, roll back, then deploy the older code.")
    for name in halfway:
        refusals.append(f"{name} was left in the middle")
        hints.append(
            f"Finish it with manage.py migrate_all --resume {run.id}, then roll the run back."
        )
    for squash, others in plan.partial:
        named = f"; {_some(others)} came otherwise" if others else ""
        refusals.append(f"{squash} stands for migrations of which the run applied a part{named}")
    for key, other in plan.again:
        refusals.append(f"{key} was applied again by run {other}")
        hints.append(f"Roll that run back: migrator rollback {other}.")
    for key, needed in plan.dependents:
        refusals.append(f"{key}, which is recorded and not of this run, needs {needed}")
        hints.append("Roll back the run that applied it first, or add --with-later.")
    ownership = Ownership(loader.connection)  # type: ignore[arg-type]
    for step in plan.steps:
        if step.forget:
            continue
        migration = loader.graph.nodes[step.migration]
        for index, description in irreversible_operations(migration, ownership.runs):
            refusals.append(
                f"{step.migration} cannot be reversed (operation {index}: {description})"
            )
    return refusals, hints


def _some(keys: Sequence[MigrationKey]) -> str:
    shown = ", ".join(map(str, keys[:_SHOWN]))
    return shown + (f" and {len(keys) - _SHOWN} more" if keys[_SHOWN:] else "")


def foresee(plan: Plan, connection: BaseDatabaseWrapper, settings: Settings) -> tuple[Finding, ...]:
    """What the way back would lose, and where the rows that are there would not let it through.

    Args:
        plan: Backwards.
        connection: To look at the rows.
        settings: For what the project switched off.

    Returns:
        Findings, those that were switched off too; `destroys` tells a loss from a failure.
    """
    from migrator.core.lint import LintPolicy, lint  # only a rollback needs the rules
    from migrator.core.rules import Family, all_rules

    families = (Family.DESTRUCTIVE, Family.DATA_LOSS, Family.MAY_FAIL)
    policy = LintPolicy(ignore=settings.lint.get("IGNORE", {}), report_unused=False)
    rules = [rule for rule in all_rules() if rule.family in families]
    return lint(plan, facts_for(connection), policy, rules=rules)


def failures(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Of what is foreseen, what is sure to fail."""
    from migrator.core.rules import Family, all_rules

    families = {rule.code: rule.family for rule in all_rules()}
    return tuple(
        finding
        for finding in findings
        if families.get(finding.code) is Family.MAY_FAIL
        and finding.severity is Severity.ERROR
        and not finding.suppressed
    )


# -- while it is done -----------------------------------------------------------------------


def stored_steps(options: Any, alias: str) -> tuple[Return, ...]:
    """The steps of one database as a rollback run keeps them in its options."""
    raw = options.get("rollback_steps", {}).get(alias, ())
    return tuple(Return.from_dict(each) for each in raw)


def forgotten(ledger: Ledger) -> tuple[str, ...]:
    """Migrations whose row alone a rollback removes: what they would make is there all the same,
    as it was before they were recorded. Empty for any other kind of run.
    """
    steps = stored_steps(ledger.options, ledger.alias)
    return tuple(str(step.migration) for step in steps if step.forget)


def unsettled(ledger: Ledger, settled: Iterable[str] = ()) -> tuple[str, ...]:
    """Migrations about which the schema tells nothing while a rollback is under way.

    Those that were only recorded; one that was cut short in the middle; and then also those
    taken back before it, since what it has begun to take away may look like a part of theirs.

    Args:
        ledger: Of the rollback run.
        settled: What the rows have told of meanwhile.
    """
    gone = set(settled)
    begun = tuple(name for name in in_doubt(ledger.entries("migration")) if name not in gone)
    steps = stored_steps(ledger.options, ledger.alias) if begun else ()
    return (*begun, *forgotten(ledger), *(str(step.migration) for step in steps))


def remaining_steps(ledger: Ledger, loader: MigrationLoader) -> tuple[Return, ...]:
    """What is left of a rollback, held against what is recorded now.

    Args:
        ledger: Of the rollback run.
        loader: With the rows as they are now.

    Raises:
        RollbackRefused: Something that needs them has been applied since it was planned.
    """
    applied = loader.applied_migrations or {}
    rows = tuple(HistoryRow(MigrationKey(*key)) for key in applied)
    plan = remaining(stored_steps(ledger.options, ledger.alias), lineage_of(loader, rows))
    if plan.dependents:
        dependent, needed = plan.dependents[0]
        raise RollbackRefused(
            f"{ledger.alias}: {dependent} has been applied since the rollback was planned, and "
            f"it needs {needed}.",
            hint="Nothing more was touched. Roll back the run that applied it, then this one.",
        )
    return plan.steps


def step_migrations(
    steps: Iterable[Return], loader: MigrationLoader
) -> list[tuple[Migration, bool]]:
    """A plan as Django's executor takes it: backwards."""
    return [(loader.graph.nodes[step.migration], True) for step in steps]
