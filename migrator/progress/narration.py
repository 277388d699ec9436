"""An event in words: the lines that a person reads while a run goes on.

Pure: it writes nowhere and knows no terminal. What was said before decides what is worth saying.
"""

from __future__ import annotations

from migrator.core import events as ev
from migrator.core.precautions import (
    sorted_findings,
    spell_acceptance,
    spell_backup,
    spell_consent,
    spell_contention,
    spell_findings,
    spell_patience,
)
from migrator.core.spelling import (
    printable,
    spell_bytes,
    spell_count,
    spell_seconds,
    without_alias,
)

DOING = {
    "guard": "guarding",
    "scan": "scanning",
    "repair": "repairing",
    "migrate": "migrating",
    "verify": "verifying",
    "resume": "resuming",
}
"""What an alias is doing during a transition."""


class Narrator:
    """Turns the events of a run into lines.

    Args:
        verbosity: 1 a line for each transition and migration, 2 also each guard, operation, SQL
            of repairs and the start of each migration.
    """

    def __init__(self, verbosity: int) -> None:
        self.verbosity = verbosity
        self.width = 0
        self.backwards = False
        self.positions: dict[str, tuple[int, int]] = {}
        self._repaired: set[str] = set()
        self._waited: dict[str, float] = {}
        self._named: dict[str, tuple[str, ...]] = {}

    def follow(self, event: ev.Event) -> None:
        """Remember what later lines need: how wide the aliases are, which migration it is."""
        if isinstance(event, ev.RunOpened):
            self.width = max((len(alias) for alias in event.aliases), default=0)
            self.backwards = event.kind == "rollback"
        elif isinstance(event, ev.MigrationStarted):
            self.positions[event.alias] = event.position, event.total
        elif isinstance(event, ev.RepairApplied):
            self._repaired.add(event.alias)

    def doing(self, trigger: str) -> str:
        """What an alias is doing during a transition of this run."""
        if trigger == "migrate" and self.backwards:
            return "taking back"
        return DOING.get(trigger, trigger)

    def lines(self, event: ev.Event) -> list[str]:
        """What there is to say about an event."""
        alias = getattr(event, "alias", "")
        lead = f"{alias:<{self.width}}  " if alias else ""
        said = self._said(event)
        # A message of several lines (a driver's error) hangs below its first.
        return [
            (lead if number == 0 else " " * len(lead)) + line
            for number, line in enumerate(printable("\n".join(said)).split("\n"))
            if said
        ]

    def _said(self, event: ev.Event) -> list[str]:
        match event:
            case ev.RunOpened() | ev.RunClosed() | ev.RunNotice():
                return self._said_of_run(event)
            case ev.PassStarted(number, aliases):
                return [f"Pass {number}: {', '.join(aliases)} once more"]
            case ev.MigrationsWritten(paths):
                return [f"Migration written: {path}" for path in paths]
            case ev.TargetSkipped(_, reason):
                return [f"skipped: {reason}"]
            case ev.ScanFinished():
                return [_scan_line(event)]
            case ev.TransitionFinished(_, trigger, dest, seconds):
                # A scan says more by itself; a failure has a line of its own.
                silent = trigger in {"scan", "fail", "resume"} and self.verbosity < 2
                idle = trigger == "repair" and event.alias not in self._repaired
                taken_back = trigger == "migrate" and self.backwards
                word = "nothing to repair" if idle else "taken back" if taken_back else dest
                return [] if silent else [f"{word}  {spell_seconds(seconds)}"]
            case ev.ReplayStarted(_, _, total):
                return [f"replaying {spell_count(total, 'recorded migration')} …"]
            case ev.ReplayFinished(_, seconds, cached):
                return [
                    "replay: from the journal" if cached else f"replayed  {spell_seconds(seconds)}"
                ]
            case ev.RepairPlanned(_, actions, notes):
                planned = f"repair planned: {spell_count(len(actions), 'step')}"
                return [planned, *(f"note: {note}" for note in notes)]
            case ev.RepairApplied(_, description, sql, seconds):
                shown = "\n".join(sql).split("\n") if self.verbosity >= 2 and sql else []
                return [f"repaired: {description}  {spell_seconds(seconds)}", *_indented(shown)]
            case ev.MigratingStarted(_, total, backwards):
                verb = "take back" if backwards else "apply"
                return [f"{spell_count(total, 'migration')} to {verb}"] if total else []
            case ev.MigrationApplied():
                return [self._applied_line(event)]
            case ev.MigrationFailed(_, migration, attempt, error):
                again = f" (attempt {attempt})" if attempt > 1 else ""
                first = error.strip().partition("\n")[0]  # the alias's own failure says the rest
                return [f"{self._counter(event.alias)}{migration} failed{again}: {first}"]
            case ev.LockAwaited(_, holder, seconds):
                return [f"waiting, at most {spell_seconds(seconds)}: {holder}"]
            case ev.AcceptanceStarted(command):
                return [f"Test command: {command}"]
            case ev.AcceptanceFinished():
                return [f"Test command {spell_acceptance(event)}"]
            case ev.Warned(_, message, hint):
                return [f"warning: {message}", *_indented([hint] if hint else [])]
            case ev.AliasFailed(alias, _, message, hint):
                return [
                    f"failed: {without_alias(message, alias)}",
                    *_indented([hint] if hint else []),
                ]
            case ev.AliasFinished(_, state, seconds):
                return [f"done, {state} in {spell_seconds(seconds)}"]
            case (
                ev.FindingsMade()
                | ev.ConsentGiven()
                | ev.BackupStarted()
                | ev.BackupMade()
                | ev.LockContended()
                | ev.LockWaiting()
            ):
                return self._said_of_safety(event)
            case _:
                return self._said_at_length(event) if self.verbosity >= 2 else []

    def _said_of_safety(self, event: _Safety) -> list[str]:
        match event:
            case ev.FindingsMade(_, findings):
                in_force = [f for f in sorted_findings(findings) if not f.suppressed]
                shown = in_force if self.verbosity >= 2 else []
                lines = [f"{f.code} {f.severity.value} {f.migration}: {f.message}" for f in shown]
                return [f"findings: {spell_findings(in_force)}", *_indented(lines)] * bool(in_force)
            case ev.ConsentGiven():
                return [f"consent: {spell_consent(event)}"]
            case ev.BackupStarted(_, path, size):
                return [f"backing up{f' {spell_bytes(size)}' if size else ''} to {path} …"]
            case ev.BackupMade():
                return [f"backup: {spell_backup(event)}"]
            case ev.LockContended(_, migration):
                said = f"{self._counter(event.alias)}{migration}: {spell_contention(event)}"
                return [said, *_indented(self._unnamed(event))]
            case ev.LockWaiting(_, migration, seconds):
                if not self._worth_saying(event):
                    return []
                said = f"{self._counter(event.alias)}{migration} waits for a lock"
                said += f", {spell_seconds(seconds)} so far"
                return [said, *_indented(self._unnamed(event))]

    def _unnamed(self, event: ev.LockWaiting | ev.LockContended) -> list[str]:
        """Who is in the way, where it is not who was named last."""
        before = self._named.get(event.alias)
        self._named[event.alias] = event.blockers
        return [] if event.blockers == before else list(event.blockers)

    def _worth_saying(self, event: ev.LockWaiting) -> bool:
        """A wait is told when it begins, and again each time that it has doubled."""
        last = self._waited.get(event.alias, 0.0)
        if last and last <= event.seconds < 2 * last:
            return False
        self._waited[event.alias] = event.seconds
        return True

    def _said_of_run(self, event: ev.RunOpened | ev.RunClosed | ev.RunNotice) -> list[str]:
        match event:
            case ev.RunOpened():
                resumed = ", resumed" if event.resumed else ""
                count = spell_count(len(event.aliases), "database")
                if event.resumed and not event.aliases:
                    count = "all databases are done"
                return [f"Run {event.run_id}: {event.kind}, {count}{resumed}"]
            case ev.RunClosed():
                # Whatever follows on the same terminal is the report.
                return [f"Run {event.run_id}: {event.outcome}", ""] if self.verbosity >= 2 else [""]
            case ev.RunNotice(message, hint):
                return [message, *_indented([hint] if hint else [])]

    def _said_at_length(self, event: ev.Event) -> list[str]:
        match event:
            case ev.TargetIdentified(_, _, server, identity):
                return [f"{server}, {identity}"]
            case ev.TransitionStarted(_, trigger):
                return [f"{self.doing(trigger)} …"]
            case ev.GuardPassed(_, guard, detail):
                return [f"guard {guard} passed" + (f": {detail}" if detail else "")]
            case ev.ResumePlanned(_, _, _, _, action):
                return [f"resume: {action}"]
            case ev.ReplayStep(_, migration, position, total):
                return [f"  {position}/{total} {migration} …"]
            case ev.PlanMade(_, steps):
                return [f"plan: {spell_count(len(steps), 'migration')}"]
            case ev.MigrationStarted(_, migration):
                return [f"{self._counter(event.alias)}{migration} …"]
            case ev.OperationApplied(_, _, index, description, how, seconds):
                already = "" if how == "applied" else f" ({how})"
                return [f"  {index}: {description}{already}  {spell_seconds(seconds)}"]
            case _:
                return []

    def _applied_line(self, event: ev.MigrationApplied) -> str:
        extra = [] if event.how == "applied" else [event.how]
        if patience := spell_patience(event):
            extra.append(patience)
        spelled = f"  {spell_seconds(event.seconds)}" + (f"  ({', '.join(extra)})" if extra else "")
        return f"{self._counter(event.alias)}{event.migration}{spelled}"

    def _counter(self, alias: str) -> str:
        position, total = self.positions.get(alias, (0, 0))
        return f"{position:>{len(str(total))}}/{total}  " if total else ""


_Safety = (
    ev.FindingsMade
    | ev.ConsentGiven
    | ev.BackupStarted
    | ev.BackupMade
    | ev.LockContended
    | ev.LockWaiting
)


def _scan_line(event: ev.ScanFinished) -> str:
    blocking = sum(incident.blocking for incident in event.incidents)
    notes = len(event.incidents) - blocking
    parts = [spell_count(event.tables, "table"), f"{event.recorded} recorded"]
    if event.pending:
        parts.append(f"{len(event.pending)} pending")
    if blocking:
        parts.append(spell_count(blocking, "incident"))
    if notes:
        parts.append(spell_count(notes, "note"))
    if not blocking:
        parts.append("no drift")
    return f"scanned: {', '.join(parts)}  {spell_seconds(event.seconds)}"


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
