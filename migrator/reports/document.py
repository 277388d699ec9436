"""Folds the event stream of a run into a `Report`: what happened, on which database, how it ended.

A report never claims more than its events prove. An alias is *done* only when it reached the
goal of the run without an error and its last scan shows nothing that blocks; a run is *clean*
only when every alias is done or skipped and the run was closed as complete. A stream that stops
in the middle (a crash, a kill) still folds into a valid report, with the outcome "failed" or
"interrupted".
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from migrator.core import events as ev
from migrator.core.effects import MigrationKey
from migrator.core.findings import Finding
from migrator.core.incidents import Code, Incident
from migrator.reports.timeline import Span, Timeline

# The contract of migrator.exceptions.ExitCode, which would bring the journal in here.
_CLEAN, _FAILED, _INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """Why an alias failed: the class of the exception, what happened, what to do next."""

    type: str
    message: str
    hint: str = ""
    exit_code: int = _FAILED


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
            and self.exit_code == _CLEAN
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


def fold(events: Iterable[ev.Event]) -> Report:
    """Fold a stream of events into a report.

    Args:
        events: In the order in which they happened; may stop anywhere.
    """
    builder = ReportBuilder()
    for event in events:
        builder.add(event)
    return builder.build()


@dataclass(slots=True)
class _Draft:
    """One alias while its events come in."""

    alias: str
    vendor: str = ""
    server: str = ""
    state: str = "pending"
    skipped: str = ""
    error: ErrorReport | None = None
    finished: str = ""
    running: str = ""
    stopped_in: str = ""
    failed_migration: FailedMigration | None = None
    incidents: tuple[Incident, ...] = ()
    tables: int = 0
    recorded: int = 0
    repairs: list[ev.RepairApplied] = field(default_factory=list)
    repair_plan: tuple[tuple[str, tuple[str, ...]], ...] = ()
    pending: tuple[MigrationKey, ...] = ()
    plan: tuple[ev.PlannedStep, ...] = ()
    resume: ev.ResumePlanned | None = None
    applied: dict[MigrationKey, ev.MigrationApplied] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    consent: ev.ConsentGiven | None = None
    backup: ev.BackupMade | None = None
    contended: list[ev.LockContended] = field(default_factory=list)
    scans: list[ev.ScanFinished] = field(default_factory=list)
    timeline: Timeline = field(default_factory=Timeline)
    warnings: list[ev.Warned] = field(default_factory=list)
    seconds: float = 0.0

    def begin_attempt(self) -> None:
        """Forget how an earlier attempt ended; what it applied and warned of stays true."""
        self.error = None
        self.failed_migration = None
        self.finished = self.running = self.stopped_in = ""
        self.state = "pending"

    def resume_planned(self, event: ev.ResumePlanned) -> None:
        """A preview: done when the resume would go on, failed when it would not."""
        self.resume = event
        if event.error_type:
            self.error = ErrorReport(event.error_type, event.reason, event.hint, event.exit_code)
        else:
            self.state = self.finished = "scanned"

    def outcome(self, goal: str) -> str:
        if self.error:
            return "failed"
        if self.skipped:
            return "skipped"
        if self.finished:
            reached = not goal or self.state == goal
            # A resume that would go on mends it first.
            goes_on = self.resume is not None and self.resume.action == "continue"
            drifted = not goes_on and any(incident.blocking for incident in self.incidents)
            return "done" if reached and not drifted else "failed"
        begun = self.running or self.state != "pending"
        return "interrupted" if begun else "pending"

    def build(self, goal: str, until: str = "") -> DatabaseReport:
        outcome = self.outcome(goal)
        return DatabaseReport(
            alias=self.alias,
            vendor=self.vendor,
            server=self.server,
            state=self.state,
            outcome=outcome,
            skipped=self.skipped,
            error=self.error,
            stopped_in=self.stopped_in or (self.running if outcome == "interrupted" else ""),
            failed_migration=self.failed_migration,
            drift=DriftReport(self.incidents) if self.incidents else None,
            tables=self.tables,
            recorded=self.recorded,
            repairs=tuple(self.repairs),
            repair_plan=self.repair_plan,
            pending=self.pending,
            plan=self.plan,
            resume=self.resume,
            applied=tuple(self.applied.values()),
            findings=self.findings,
            consent=self.consent,
            backup=self.backup,
            contended=tuple(self.contended),
            scans=tuple(self.scans),
            timeline=self.timeline.spans(until),
            warnings=tuple(self.warnings),
            seconds=self.seconds,
        )


class ReportBuilder:
    """Takes events one at a time; `build()` gives the report of what has come in so far."""

    def __init__(self) -> None:
        self._opened: ev.RunOpened | None = None
        self._closed: ev.RunClosed | None = None
        self._drafts: dict[str, _Draft] = {}
        self._notices: list[ev.RunNotice] = []
        self._written: list[str] = []
        self._passes: list[ev.PassStarted] = []
        self._acceptance: ev.AcceptanceFinished | None = None

    def add(self, event: ev.Event, at: str = "") -> None:
        """Take in the next event.

        Args:
            event: Any.
            at: When it came in; ISO 8601, UTC. Without it there is no timeline.
        """
        match event:
            case ev.RunOpened():
                self._opened, self._closed = event, None
                for alias in event.aliases:
                    self._draft(alias)
            case ev.RunClosed():
                self._closed = event
            case ev.RunNotice():
                self._notices.append(event)
            case ev.MigrationsWritten(paths):
                self._written.extend(paths)
            case ev.AcceptanceFinished():
                self._acceptance = event
            case ev.AcceptanceStarted():
                self._acceptance = None
            case ev.PassStarted(_, aliases):
                self._passes.append(event)
                for alias in aliases:
                    self._draft(alias).begin_attempt()
            case _:
                draft = self._draft(event.alias)
                draft.timeline.add(event, at)
                self._add_to(draft, event)

    def build(self) -> Report:
        """The report of everything that has come in so far."""
        goal = self._opened.goal if self._opened else ""
        until = self._closed.at if self._closed else ""
        databases = tuple(draft.build(goal, until) for draft in self._drafts.values())
        outcome, exit_code = _outcome(self._closed, databases)
        return Report(
            run_id=self._opened.run_id if self._opened else "",
            kind=self._opened.kind if self._opened else "",
            goal=goal,
            outcome=outcome,
            exit_code=exit_code,
            started_at=self._opened.at if self._opened else "",
            finished_at=self._closed.at if self._closed else "",
            db_reports=databases,
            resumed=self._opened.resumed if self._opened else False,
            notices=tuple(self._notices),
            migrations_written=tuple(self._written),
            passes=tuple(self._passes),
            selection=self._opened.selection if self._opened else (),
            acceptance=self._acceptance,
        )

    def _draft(self, alias: str) -> _Draft:
        return self._drafts.setdefault(alias, _Draft(alias))

    def _add_to(self, draft: _Draft, event: _AliasEvent) -> None:
        match event:
            case ev.TargetIdentified(_, vendor, server):
                draft.vendor, draft.server = vendor, server
            case ev.TargetSkipped(_, reason):
                draft.skipped = reason or "It needs nothing."
            case ev.TransitionStarted(_, trigger):
                if trigger in {"guard", "resume"}:
                    draft.begin_attempt()
                if trigger == "fail":
                    draft.stopped_in = draft.running
                else:
                    draft.running = "" if trigger == "resume" else trigger
            case ev.TransitionFinished(_, trigger, dest, seconds):
                draft.state = dest
                draft.seconds += seconds
                draft.running = ""
            case ev.ScanFinished():
                draft.scans.append(event)
                draft.incidents, draft.pending = event.incidents, event.pending
                draft.tables, draft.recorded = event.tables, event.recorded
            case ev.PlanMade(_, steps):
                draft.plan = steps
            case ev.FindingsMade(_, findings):
                draft.findings = findings
            case ev.ConsentGiven():
                draft.consent = event
            case ev.BackupMade():
                draft.backup = event
            case ev.LockContended():
                draft.contended.append(event)
            case ev.ResumePlanned():
                draft.resume_planned(event)
            case ev.RepairPlanned(_, actions, notes):
                draft.repair_plan = actions
                draft.warnings.extend(ev.Warned(event.alias, note) for note in notes)
            case ev.RepairApplied():
                draft.repairs.append(event)
            case ev.MigrationApplied(_, migration):
                draft.applied[migration] = event
                draft.pending = tuple(key for key in draft.pending if key != migration)
                draft.failed_migration = None
            case ev.MigrationFailed(_, migration, attempt, error):
                draft.failed_migration = FailedMigration(migration, attempt, error)
            case ev.Warned():
                draft.warnings.append(event)
            case ev.AliasFailed():
                draft.error = ErrorReport(
                    event.error_type, event.message, event.hint, event.exit_code
                )
                draft.stopped_in, draft.state = draft.stopped_in or draft.running, "failed"
            case ev.AliasFinished(_, state, seconds):
                draft.finished = draft.state = state
                draft.seconds = seconds
            case ev.ReplayStarted() | ev.ReplayStep() | ev.ReplayFinished():
                pass  # how evidence was come by is for the display
            case ev.GuardPassed() | ev.MigratingStarted() | ev.MigrationStarted():
                pass
            case ev.OperationApplied() | ev.LockAwaited() | ev.LockWaiting() | ev.BackupStarted():
                pass
            case _:
                assert_never(event)


_AliasEvent = (
    ev.TargetIdentified
    | ev.TargetSkipped
    | ev.TransitionStarted
    | ev.TransitionFinished
    | ev.LockAwaited
    | ev.GuardPassed
    | ev.ScanFinished
    | ev.ReplayStarted
    | ev.ReplayStep
    | ev.ReplayFinished
    | ev.PlanMade
    | ev.FindingsMade
    | ev.ConsentGiven
    | ev.BackupStarted
    | ev.BackupMade
    | ev.LockContended
    | ev.LockWaiting
    | ev.ResumePlanned
    | ev.RepairPlanned
    | ev.RepairApplied
    | ev.MigratingStarted
    | ev.MigrationStarted
    | ev.MigrationApplied
    | ev.MigrationFailed
    | ev.OperationApplied
    | ev.Warned
    | ev.AliasFailed
    | ev.AliasFinished
)


def _outcome(closed: ev.RunClosed | None, databases: tuple[DatabaseReport, ...]) -> tuple[str, int]:
    """How the run ended, never better than its databases."""
    failures = [database.error.exit_code for database in databases if database.error]
    unclean = any(not database.clean for database in databases)
    if closed is None:
        if failures:
            return "failed", max(failures)
        return "interrupted", _INTERRUPTED
    if closed.outcome == "complete" and unclean:
        return "failed", closed.exit_code or max(failures, default=_FAILED)
    if closed.outcome != "complete" and closed.exit_code == _CLEAN:
        default = _INTERRUPTED if closed.outcome == "interrupted" else _FAILED
        return closed.outcome, max(failures, default=default)
    return closed.outcome, closed.exit_code
