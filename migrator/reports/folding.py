"""Folds the event stream of a run into a `Report`: what happened, on which database, how it ended.

A report never claims more than its events prove. An alias is *done* only when it reached the
goal of the run without an error and its last scan shows nothing that blocks; a run is *clean*
only when every alias is done or skipped and the run was closed as complete. A stream that stops
in the middle (a crash, a kill) still folds into a valid report, with the outcome "failed" or
"interrupted".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from migrator.core import events as ev
from migrator.core.effects import MigrationKey
from migrator.core.findings import Finding
from migrator.core.incidents import Incident
from migrator.reports.document import (
    CLEAN,
    FAILED,
    INTERRUPTED,
    DatabaseReport,
    DriftReport,
    ErrorReport,
    FailedMigration,
    Report,
)
from migrator.reports.timeline import Timeline


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
        spans = self.timeline.spans(until)
        # A step that failed or was cut short has taken its time, too, and nobody says how much.
        stepped = sum(span.seconds for span in spans if span.kind == "step")
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
            timeline=spans,
            warnings=tuple(self.warnings),
            seconds=self.seconds if self.finished else max(self.seconds, stepped),
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
        return "interrupted", INTERRUPTED
    if closed.outcome == "complete" and unclean:
        return "failed", closed.exit_code or max(failures, default=FAILED)
    if closed.outcome != "complete" and closed.exit_code == CLEAN:
        default = INTERRUPTED if closed.outcome == "interrupted" else FAILED
        return closed.outcome, max(failures, default=default)
    return closed.outcome, closed.exit_code
