"""The gate: nothing that loses data is applied before somebody has consented to it.

Before anything is touched. What would be lost is judged by the lint's own rules (DS and DL), on
the plan and on the rows that are there. A run with nothing to lose pays for a look at effects
that the scan has worked out already, and at the texts of RunSQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import migrations as django_operations
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from journal import Phase
from migrator.actor import describe_process
from migrator.backends import Backend, facts_for
from migrator.conf import Settings
from migrator.core.effects import MigrationKey
from migrator.core.events import ConsentGiven, Emit, FindingsMade
from migrator.core.findings import Finding, Severity
from migrator.core.losses import may_lose, tables_made
from migrator.core.options import MigratorOptions
from migrator.core.plan import Plan
from migrator.core.schema import SEPARATOR
from migrator.core.spelling import spell_table
from migrator.exceptions import DecisionNeeded, DestructiveStep
from migrator.ledger import Ledger
from migrator.prompts import Prompter
from migrator.scanner import HISTORY_TABLE, ScanResult, companion_detector
from migrator.sources.deeds import may_lose_rows

FLAG = "--allow-destructive"

SECONDS = 10.0
"""What one answer about rows may take. Longer than elsewhere: what stays unknown costs somebody a
decision, and only a column that holds next to nothing in a huge table takes so long."""

_SHOWN = 5
"""So many things are named in an error; a terminal shows them all."""

_OWN_MODULES = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
_ABSTRACT = frozenset(
    {
        "Operation",
        "ModelOperation",
        "ModelOptionOperation",
        "FieldOperation",
        "IndexOperation",
        "NotInTransactionMixin",
    }
)
"""Those of Django's classes that say nothing about what an operation does."""

_FAILING = "MF"
"""The family of rules about what may fail on the rows that are there."""

_LOSING = re.compile(
    r"\b(drop|truncate|delete|update|merge|type|modify|change|replace|discard)\b", re.I
)
"""Words without which no SQL destroys anything; with one of them, the parser is asked."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What the gate has let through.

    Attributes:
        findings: What is lost by it; empty when nothing is.
        digest: Of the plan that was judged; "" where none had to be made.
    """

    findings: tuple[Finding, ...] = ()
    digest: str = ""

    @property
    def destructive(self) -> bool:
        """Whether data is lost."""
        return bool(self.findings)


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of one alias.

    Attributes:
        connection: The target; its lock is held.
        backend: Its vendor.
        settings, options: What the project and the caller want.
        prompter: Whom to ask.
        ledger: Where consent is written, before anything is touched.
        emit: Gets FindingsMade and ConsentGiven.
        rules: Families that stop a run.
    """

    connection: BaseDatabaseWrapper
    backend: Backend
    settings: Settings
    options: MigratorOptions
    prompter: Prompter
    ledger: Ledger
    emit: Emit
    rules: tuple[str, ...] = ("DS", "DL", _FAILING)

    def pass_pending(self, scan: ScanResult) -> Passage:
        """Let the pending migrations through, or stop.

        Args:
            scan: What is pending.

        Raises:
            DestructiveStep: Data would be lost, and nobody has consented.
            Interrupted: Ctrl-C at the question.
        """
        if not may_destroy(scan, self.connection.vendor):
            return Passage()
        # Most runs never come here, and should not wait for what it takes to read SQL.
        from migrator.planning import make_plan

        base_dir = self.settings.base_dir
        plan = make_plan(self.connection, self.backend, scan, base_dir=base_dir)
        return self.pass_plan(plan, scan.loader, self._is_companion(scan), self._made(scan))

    def pass_plan(
        self,
        plan: Plan,
        loader: MigrationLoader,
        spared: Callable[[MigrationKey], bool] = lambda _: False,
        made: Collection[str] = (),
    ) -> Passage:
        """Let a plan through, or stop; also one that goes backwards.

        Args:
            plan: What is about to be done.
            loader: Holds its migrations.
            spared: Whether a migration will only be recorded.
            made: Tables that hold nothing of the user's.

        Raises:
            DestructiveStep, Interrupted
        """
        judged = tuple(
            finding
            for finding in self._judge(plan, loader)
            if not spared(finding.migration)
            and finding.table not in made
            and not self._is_behind(finding)
        )
        found = tuple(finding for finding in judged if finding.destroys)
        if not found:
            return Passage(digest=plan.digest())
        self.emit(FindingsMade(plan.alias, judged))
        asked = tuple(finding for finding in found if not finding.suppressed)
        if asked:
            failing = [f for f in judged if not f.destroys and not f.suppressed]
            self._consent(plan, asked, failing)
        return Passage(found, plan.digest())

    def _judge(self, plan: Plan, loader: MigrationLoader) -> tuple[Finding, ...]:
        """What would be lost, suppressed findings too; and what fails on the rows that are there,
        which whoever consents should know, though an earlier step of the plan may mend it.
        """
        from migrator.core.rules import all_rules
        from migrator.linting import lint_plan

        rules = [rule for rule in all_rules() if rule.family in self.rules]
        facts = facts_for(self.connection, timeout=SECONDS)
        findings = lint_plan(plan, facts, self.settings, rules=rules, loader=loader)
        return tuple(
            finding
            for finding in findings
            if finding.destroys
            or (finding.code.startswith(_FAILING) and finding.severity is Severity.ERROR)
        )

    def _made(self, scan: ScanResult) -> frozenset[str]:
        """Tables that this run has made itself before it was cut short, and that were not there
        when it began: had nobody interrupted it, they would be the plan's own. Not where
        migrations have changed since, of which nobody knows who wrote them for what.
        """
        applied = {
            entry.name
            for entry in self.ledger.entries("migration")
            if entry.phase in (Phase.DONE, Phase.RECONCILED)
            and entry.payload.get("direction") == "forwards"
            and entry.payload.get("how", "applied") == "applied"
        }
        if not applied or self.options.accept_changed_migrations:
            return frozenset()
        before = self.ledger.found_by(self.ledger.run_id, self.ledger.target.identity)
        if before is None:
            return frozenset()
        ours = (effect for effect in scan.facts.recorded if str(effect.migration) in applied)
        return tables_made(ours) - set(before.schema.tables)

    def _is_companion(self, scan: ScanResult) -> Callable[[MigrationKey], bool]:
        """Whether a fake detector says that a migration is there already."""
        detect = companion_detector(self.connection, self.backend)
        return lambda key: detect(scan.loader.graph.nodes[key])

    def _is_behind(self, finding: Finding) -> bool:
        """Whether an earlier attempt of this run has done what is found, outside of a
        transaction: the operation is passed over, and what it took is not there any more.
        """
        name = f"{finding.migration}:{finding.operation}"
        begun = [entry for entry in self.ledger.entries("operation") if entry.name == name]
        if not begun:
            return False
        if begun[-1].phase in (Phase.DONE, Phase.RECONCILED):
            return True
        introspection = self.connection.introspection
        with self.connection.cursor() as cursor:
            if SEPARATOR in finding.table or not finding.table:
                return False
            if finding.table not in introspection.table_names(cursor):
                return True
            columns = introspection.get_table_description(cursor, finding.table)
        return bool(finding.column) and finding.column not in {each.name for each in columns}

    # -- consent ---------------------------------------------------------------------

    def _consent(self, plan: Plan, findings: Sequence[Finding], failing: Sequence[Finding]) -> None:
        digests = _digests(plan, findings)
        if before := self._given_before(digests):
            self.emit(ConsentGiven(plan.alias, *before, tuple(findings)))
            return
        if FLAG in self.prompter.granted or (self.options.allow_destructive and not self._used()):
            how = FLAG
        else:
            self._ask(plan.alias, findings, failing)
            how = "asked"
        by = str(describe_process()["user"])
        self.ledger.consent(
            {
                "how": how,
                "by": by,
                "plan": plan.digest(),
                "steps": digests,
                "findings": [finding.to_dict() for finding in findings],
            }
        )
        self.emit(ConsentGiven(plan.alias, how, by, tuple(findings)))

    def _used(self) -> bool:
        """Whether the consent that the run was opened with has been given for something else: a
        resume takes it over only where it never came to that.
        """
        return bool(self.ledger.entries("consent"))

    def _given_before(self, digests: dict[str, str]) -> tuple[str, str] | None:
        """How and by whom consent was last given, if this run holds it to each of these steps.

        By step and not by plan: what an interrupted attempt has applied is gone from the plan.
        """
        entries = list(self.ledger.entries("consent"))
        given = {pair for entry in entries for pair in dict(entry.payload.get("steps", {})).items()}
        if not entries or not set(digests.items()) <= given:
            return None
        return str(entries[-1].payload.get("how", "")), str(entries[-1].payload.get("by", ""))

    def _ask(self, alias: str, findings: Sequence[Finding], failing: Sequence[Finding]) -> None:
        try:
            understood = self.prompter.acknowledge(
                self._warning(alias, findings, failing), flag=FLAG
            )
        except DecisionNeeded as error:
            raise DestructiveStep(
                f"{alias}: {_spelled(findings)}. Nothing was touched.",
                hint=f"Look at it with {self._preview(alias)}; consent with {FLAG}.",
            ) from error
        if not understood:
            raise DestructiveStep(
                f"{alias}: {_spelled(findings)}; it was not consented to, and nothing was touched.",
                hint=f"Look at it with {self._preview(alias)}.",
            )

    def _preview(self, alias: str) -> str:
        """The command that shows what is about to be done."""
        if self.options.rollback:
            return f"manage.py migrate_all --resume {self.ledger.run_id} --dry-run"
        return f"migrator plan --database {alias}"

    def _warning(self, alias: str, findings: Sequence[Finding], failing: Sequence[Finding]) -> str:
        lines = [f"{alias}: these steps lose data that is there now."]
        for key in dict.fromkeys(finding.migration for finding in findings):
            lines.append(f"  {key}")
            lines += [
                f"    {finding.code}  {finding.message}"
                for finding in findings
                if finding.migration == key
            ]
        if failing:
            lines.append("And these fail on the rows that are there now:")
            lines += [f"  {f.migration}\n    {f.code}  {f.message}" for f in failing]
        policy = self.options.backup or self.settings.backup
        lines.append(
            "No backup is made: nothing brings it back."
            if policy == "never"
            else "A backup of the whole database is made first."
        )
        return "\n".join(lines)


def may_destroy(scan: ScanResult, vendor: str) -> bool:
    """Whether what is pending could lose anything; asks neither the database nor a planner.

    Args:
        scan: What is pending.
        vendor: Django's vendor name.
    """
    if not scan.pending:
        return False
    # SQL may reach tables in schemas that no scan looks at, also where nothing else is there.
    there = set(scan.live.tables) - {HISTORY_TABLE}
    if there and may_lose(scan.facts.pending, rigid_types=vendor != "sqlite"):
        return True
    nodes = scan.loader.graph.nodes
    return any(
        _may_destroy(operation, vendor)
        for key in scan.pending
        for operation in _database_side(nodes[key].operations)
    )


def _database_side(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, django_operations.SeparateDatabaseAndState):
            yield from _database_side(operation.database_operations)
        else:
            yield operation


def _may_destroy(operation: Any, vendor: str) -> bool:
    """What effects do not tell: SQL, code, and operations of somebody's own that are like none of
    Django's. Their SQL is judged where it can be shown.
    """
    if isinstance(operation, django_operations.RunSQL):
        return any(_LOSING.search(text) for text in _texts(operation.sql))
    if isinstance(operation, django_operations.RunPython):
        # Most code seeds rows, or fills them; a plan of everything is not needed to see that.
        return operation.code is not django_operations.RunPython.noop and may_lose_rows(
            operation.code, vendor
        )
    return not any(
        base.__module__.startswith(_OWN_MODULES) and base.__name__ not in _ABSTRACT
        for base in type(operation).__mro__
    )


def _texts(sql: Any) -> Iterator[str]:
    for item in sql if isinstance(sql, list | tuple) else [sql]:
        yield str(item[0] if isinstance(item, list | tuple) else item)


def _digests(plan: Plan, findings: Iterable[Finding]) -> dict[str, str]:
    """Of each step that loses something, what it does; and of each thing that it loses.

    Consent is to these: a table of the same step that has got its rows since is another matter.
    """
    found: dict[str, str] = {}
    steps = {step.migration: step for step in plan.steps}
    for finding in findings:
        step = steps[finding.migration]
        digest = Plan(plan.alias, plan.vendor, plan.schema, steps=(step,)).digest()
        found[str(step.migration)] = digest
        found[f"{step.migration} {finding.code} {finding.table} {finding.column}"] = digest
    return found


def _spelled(findings: Sequence[Finding]) -> str:
    """One sentence: how many migrations would lose what."""
    migrations = list(dict.fromkeys(str(finding.migration) for finding in findings))
    what = migrations[0] if len(migrations) == 1 else f"{len(migrations)} migrations"
    shown = ", ".join(_thing(finding) for finding in findings[:_SHOWN])
    more = f" and {len(findings) - _SHOWN} more" if len(findings) > _SHOWN else ""
    return f"{what} would lose data: {shown}{more}"


def _thing(finding: Finding) -> str:
    from migrator.core.rules.destructive import spell_rows

    table = spell_table(finding.table)
    name = f"{table}.{finding.column}" if finding.column else table
    if not name:
        return finding.message.rstrip(".")
    return f"{name} ({spell_rows(finding.rows)})"
