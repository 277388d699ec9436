"""What a run was and how it ended, as plain data: one `Report`, one `DatabaseReport` an alias.

`migrator.reports.folding` makes it of a run's events, the formatters render it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime

from migrator.core import events as ev
from migrator.core.effects import MigrationKey
from migrator.core.findings import Finding
from migrator.core.incidents import Code, Incident
from migrator.reports.timeline import Span

# The contract of migrator.exceptions.ExitCode, which would bring the journal in here.
CLEAN, FAILED, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """Why an alias failed: the class of the exception, what happened, what to do next."""

    type: str
    message: str
    hint: str = ""
    exit_code: int = FAILED


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What the last scan of an alias found.

    Attributes:
        incidents: All of them, blocking or not, in the order of the scan.
    """

    incidents: tuple[Incident, ...]

    @property
    def blocking(self) -> tuple[Incident, ...]:
        """Incidents that stop the alias."""
        return tuple(incident for incident in self.incidents if incident.blocking)

    @property
    def notes(self) -> tuple[Incident, ...]:
        """Incidents that stop nothing: unconfirmed differences and harmless extras."""
        return tuple(incident for incident in self.incidents if not incident.blocking)

    @property
    def recorded_missing(self) -> tuple[Incident, ...]:
        """Migrations that are recorded and whose effect is not there (DR101)."""
        return self._blocking_with(Code.RECORDED_MISSING)

    @property
    def unrecorded_present(self) -> tuple[Incident, ...]:
        """Migrations that are not recorded and whose effect is there (DR102)."""
        return self._blocking_with(Code.UNRECORDED_PRESENT)

    @property
    def half_applied(self) -> tuple[Incident, ...]:
        """Migrations of whose effect some is there and some is not (DR103)."""
        return self._blocking_with(Code.HALF_APPLIED)

    def total_drift_count(self) -> int:
        """How many incidents block: those of the three lists and every other blocking one.

        Unconfirmed differences and harmless extras never count; they are in `incidents`.
        """
        return len(self.blocking)

    def _blocking_with(self, code: Code) -> tuple[Incident, ...]:
        return tuple(incident for incident in self.blocking if incident.code is code)


@dataclass(frozen=True, slots=True)
class FailedMigration:
    """The migration on which an alias stopped."""

    migration: MigrationKey
    attempt: int
    error: str


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """One alias of a run.

    Attributes:
        alias: Its name in DATABASES.
        vendor, server: What answered ("postgresql", "PostgreSQL 18.0"); "" when nothing did.
        state: Lifecycle state that it reached.
        outcome: "done" | "skipped" | "failed" | "interrupted" | "pending" (never begun).
        skipped: Why it was skipped; "" when it was not.
        error: Why it failed; None when it did not.
        stopped_in: The step during which it stopped ("scan", "migrate", …); "" when it did not.
        failed_migration: The migration that raised, where one did.
        drift: What the last scan found; None when it found nothing or none was made.
        tables, recorded: What the last scan counted.
        repairs: Actions of the repair that were carried out.
        repair_plan: All actions of the repair, carried out or not: (description, SQL).
        pending: Migrations that are still to be applied, in order.
        plan: The ordered plan (dry run).
        resume: What a resume would do with it (`--resume --dry-run`); None of any other run.
        applied: Migrations that this run applied, faked, reconciled or unapplied.
        findings: What the lint said about the plan.
        consent: Who let steps go on that lose data; None where there was nothing to ask.
        backup: The backup that was made first; None for none.
        contended: Migrations that got no lock at once, one for each attempt that gave up.
        scans: What each scan found, in order; the first is how the run met the database.
        timeline: What took time, in order; empty where nobody said when events came in.
        warnings: What a person should read and that stops nothing.
        seconds: How long it took.
    """

    alias: str
    vendor: str = ""
    server: str = ""
    state: str = "pending"
    outcome: str = "pending"
    skipped: str = ""
    error: ErrorReport | None = None
    stopped_in: str = ""
    failed_migration: FailedMigration | None = None
    drift: DriftReport | None = None
    tables: int = 0
    recorded: int = 0
    repairs: tuple[ev.RepairApplied, ...] = ()
    repair_plan: tuple[tuple[str, tuple[str, ...]], ...] = ()
    pending: tuple[MigrationKey, ...] = ()
    plan: tuple[ev.PlannedStep, ...] = ()
    resume: ev.ResumePlanned | None = None
    applied: tuple[ev.MigrationApplied, ...] = ()
    findings: tuple[Finding, ...] = ()
    consent: ev.ConsentGiven | None = None
    backup: ev.BackupMade | None = None
    contended: tuple[ev.LockContended, ...] = ()
    scans: tuple[ev.ScanFinished, ...] = ()
    timeline: tuple[Span, ...] = ()
    warnings: tuple[ev.Warned, ...] = ()
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether it reached the goal of the run, or needed nothing."""
        return self.outcome in {"done", "skipped"}

    def total_drift_count(self) -> int:
        """How many incidents of the last scan block."""
        return self.drift.total_drift_count() if self.drift else 0


@dataclass(frozen=True, slots=True)
class Report:
    """A run, from its events.

    Attributes:
        run_id, kind, goal: As in the journal; "" when the stream ends before the run was opened.
        outcome: "complete" | "failed" | "interrupted".
        exit_code: What the command returns.
        started_at, finished_at: ISO 8601, UTC; `finished_at` is "" when nobody closed the run.
        resumed: Whether it continues an earlier attempt.
        db_reports: One for each alias, in the order of the run.
        notices: About the run as a whole.
        migrations_written: Files that makemigrations created, relative to the project root.
        passes: Further passes over aliases that had failed.
        selection: The flags that chose what the run is about.
        acceptance: How the test command ended; None when none was run to its end.
        error: Why the run never began; None of one that did.
    """

    run_id: str
    kind: str
    goal: str
    outcome: str
    exit_code: int
    started_at: str
    finished_at: str
    db_reports: tuple[DatabaseReport, ...] = ()
    resumed: bool = False
    notices: tuple[ev.RunNotice, ...] = ()
    migrations_written: tuple[str, ...] = ()
    passes: tuple[ev.PassStarted, ...] = ()
    selection: tuple[str, ...] = ()
    acceptance: ev.AcceptanceFinished | None = None
    error: ErrorReport | None = None

    @property
    def all_clean(self) -> bool:
        """Whether the run is complete and every alias is at its goal or skipped."""
        return (
            self.outcome == "complete"
            and self.exit_code == CLEAN
            and all(database.clean for database in self.db_reports)
        )

    @property
    def warnings(self) -> tuple[ev.Warned, ...]:
        """The warnings of all aliases."""
        return tuple(warning for database in self.db_reports for warning in database.warnings)

    @property
    def seconds(self) -> float | None:
        """From opening to closing; None when the stream does not tell."""
        try:
            begin = datetime.fromisoformat(self.started_at)
            end = datetime.fromisoformat(self.finished_at)
            return max((end - begin).total_seconds(), 0.0)
        except (ValueError, TypeError):
            return None

    @property
    def rollback_command(self) -> str:
        """What takes back what this run has applied; "" where it has applied nothing, or where
        nothing can. What no migration can take back, a backup can.
        """
        changed = [database for database in self.db_reports if database.applied]
        if self.kind not in {"migrate", "repair"} or not self.run_id or not changed:
            return ""
        if all(applied.reversible for database in changed for applied in database.applied):
            return f"migrator rollback {self.run_id}"
        if all(database.backup for database in changed):
            return " && ".join(
                f"migrator restore {self.run_id} --database {shlex.quote(database.alias)}"
                for database in changed
            )
        return ""

    def database(self, alias: str) -> DatabaseReport:
        """The report of one alias.

        Raises:
            KeyError: The run has no such alias.
        """
        for database in self.db_reports:
            if database.alias == alias:
                return database
        raise KeyError(alias)


def refused(kind: str, goal: str, error: ErrorReport) -> Report:
    """The report of a run that never began.

    Args:
        kind, goal: Of the run that was asked for.
        error: What was in the way.
    """
    return Report("", kind, goal, "failed", error.exit_code, "", "", error=error)
