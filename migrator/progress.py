"""What is happening now, for whoever watches: calm lines, or a live display on a terminal.

A display is only a reader of events. It never raises: a closed terminal or a full disk under a
log file must not fail a migration.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import (
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress_bar import ProgressBar
from rich.table import Column
from rich.text import Text

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

_DOING = {
    "guard": "guarding",
    "scan": "scanning",
    "repair": "repairing",
    "migrate": "migrating",
    "verify": "verifying",
    "resume": "resuming",
}


class MigratorLogger:
    """The default listener: one calm line for each thing that happens.

    Verbosity 0 says nothing (the report says it all), 1 a line for each transition and
    migration, 2 also each guard, operation, SQL of repairs and the start of each migration.

    Args:
        stream: Where the lines go; standard error, as it is when a line is written, by default.
        verbosity: As Django's.
    """

    def __init__(self, stream: TextIO | None = None, *, verbosity: int = 1) -> None:
        self.verbosity = verbosity
        self._stream = stream
        self._lock = threading.Lock()
        self._width = 0
        self._position: dict[str, tuple[int, int]] = {}
        self._repaired: set[str] = set()
        self._waited: dict[str, float] = {}
        self._broken = False

    def __call__(self, event: ev.Event) -> None:
        """Take in the next event."""
        if isinstance(event, ev.RunOpened):
            self._width = max((len(alias) for alias in event.aliases), default=0)
        elif isinstance(event, ev.MigrationStarted):
            self._position[event.alias] = event.position, event.total
        elif isinstance(event, ev.RepairApplied):
            self._repaired.add(event.alias)
        if self.verbosity > 0:
            for line in self.lines(event):
                self._write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Put the display away; nothing for plain lines."""

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Put a live display aside while something else uses the terminal; here, nothing."""
        yield

    def lines(self, event: ev.Event) -> list[str]:
        """What there is to say about an event at this verbosity, as lines."""
        alias = getattr(event, "alias", "")
        lead = f"{alias:<{self._width}}  " if alias else ""
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
                word = "nothing to repair" if idle else dest
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
                return [said, *_indented(list(event.blockers))]
            case ev.LockWaiting(_, migration, seconds):
                if not self._worth_saying(event):
                    return []
                said = f"{self._counter(event.alias)}{migration} waits for a lock"
                said += f", {spell_seconds(seconds)} so far"
                return [said, *_indented(list(event.blockers))]

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
                return [f"{_DOING.get(trigger, trigger)} …"]
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
        position, total = self._position.get(alias, (0, 0))
        return f"{position:>{len(str(total))}}/{total}  " if total else ""

    def _write(self, line: str) -> None:
        if self._broken:
            return
        stream = self._stream or sys.stderr
        try:
            with self._lock:
                try:
                    stream.write(line + "\n")
                except UnicodeEncodeError:
                    encoding = getattr(stream, "encoding", None) or "ascii"
                    stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
                stream.flush()
        except (OSError, ValueError):  # gone, full or closed
            self._broken = True


_Safety = (
    ev.FindingsMade
    | ev.ConsentGiven
    | ev.BackupStarted
    | ev.BackupMade
    | ev.LockContended
    | ev.LockWaiting
)


class RichProgress(MigratorLogger):
    """A live display on a terminal: a line for each alias at work, with a bar for migrations.

    What is over is printed above it and stays: the result of each alias, warnings, failures,
    and from verbosity 2 on everything that `MigratorLogger` says. Where the stream is no
    terminal, it is a `MigratorLogger`.

    Args:
        stream: Where to draw; standard error by default.
        verbosity: As `MigratorLogger`.
        console: A console to draw on instead of the stream's own.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        verbosity: int = 1,
        console: Console | None = None,
    ) -> None:
        super().__init__(stream, verbosity=verbosity)
        self._console = console or Console(file=stream or sys.stderr, highlight=False)
        self._live: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._paused = False

    @property
    def live(self) -> bool:
        """Whether there is a terminal to draw on, and something may be drawn."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def __call__(self, event: ev.Event) -> None:
        """Take in the next event."""
        if not self.live:
            super().__call__(event)
            return
        if self.verbosity <= 0:
            return
        try:
            if self._live and not self._live.live.is_started and not self._paused:
                self._live.start()
            self._draw(event)
        except (OSError, ValueError):  # the terminal is gone
            self.verbosity = 0
            self.close()
        super().__call__(event)

    def close(self) -> None:
        """Take the display away; what was printed above it stays."""
        live, self._live = self._live, None
        self._tasks.clear()
        if live:
            with contextlib.suppress(OSError, ValueError):
                live.stop()

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Put the display aside while something else (a question) uses the terminal."""
        live = self._live
        if live is None or not live.live.is_started:
            yield
            return
        live.stop()
        self._paused = True
        try:
            yield
        finally:
            self._paused = False
            if self._live is live:
                live.start()

    def lines(self, event: ev.Event) -> list[str]:
        """What stays above the display; the display itself shows what goes on."""
        passing = (
            ev.TransitionFinished | ev.MigrationApplied | ev.MigratingStarted | ev.ScanFinished
        )
        if self.live and self.verbosity < 2 and isinstance(event, passing):
            return []
        return super().lines(event)

    def _write(self, line: str) -> None:
        if self.live and not self._broken:
            with contextlib.suppress(OSError, ValueError):
                self._console.print(Text(line), soft_wrap=True)
            return
        super()._write(line)

    def _draw(self, event: ev.Event) -> None:
        match event:
            case ev.RunClosed():
                self.close()
            case ev.RepairPlanned():
                # Somebody may be asked now, on this terminal; the next event brings it back.
                if self._live:
                    self._live.stop()
            case ev.TransitionStarted(alias, trigger):
                if trigger not in {"fail", "resume"}:
                    self._show(alias, _DOING.get(trigger, trigger), done=0, of=0)
            case ev.ReplayStep(alias, migration, position, total):
                self._show(alias, f"replaying {migration}", done=position - 1, of=total)
            case ev.ReplayFinished(alias):
                self._show(alias, _DOING["scan"], done=0, of=0)
            case ev.MigratingStarted(alias, total):
                self._show(alias, "migrating", done=0, of=total)
            case ev.MigrationStarted(alias, migration, _, position, total):
                self._show(alias, str(migration), done=position - 1, of=total)
            case ev.MigrationApplied(alias) if alias in self._position:
                position, total = self._position[alias]
                self._show(alias, None, done=position, of=total)
            case ev.OperationApplied(alias, migration, _, description):
                self._show(alias, f"{migration}: {description}")
            case ev.BackupStarted(alias):
                self._show(alias, "backing up", done=0, of=0)
            case ev.BackupMade(alias):
                self._show(alias, _DOING["migrate"])
            case ev.LockWaiting(alias, migration, seconds):
                self._show(alias, f"{migration}, waiting for a lock {spell_seconds(seconds)}")
            case ev.LockContended(alias, migration):
                self._show(alias, f"{migration}, to be tried again")
            case ev.AcceptanceStarted():
                self._show("", "running the test command", done=0, of=0)
            case ev.AcceptanceFinished():
                self._hide("")
            case ev.AliasFinished(alias) | ev.AliasFailed(alias) | ev.TargetSkipped(alias):
                self._hide(alias)

    def _hide(self, alias: str) -> None:
        """Take the line of an alias away."""
        task = self._tasks.pop(alias, None)
        if task is not None and self._live:
            self._live.remove_task(task)
            self._live.refresh()  # or the next line would be printed above what is over

    def _show(self, alias: str, doing: str | None, **changes: Any) -> None:
        """Change the line of an alias, beginning the display and the line where need be."""
        if self._live is None:
            self._live = self._display()
            self._live.start()
        if doing is not None:
            changes["doing"] = printable(doing)
        task = self._tasks.get(alias)
        if task is None:
            self._tasks[alias] = self._live.add_task(
                f"{printable(alias):<{self._width}}",
                total=None,
                **{"of": 0, "done": 0, "doing": "", **changes},
            )
        else:
            self._live.update(task, **changes)

    def _display(self) -> Progress:
        return Progress(
            SpinnerColumn(style="dim"),
            TextColumn("{task.description}", markup=False),
            _CountedBar(),
            _CountColumn(),
            TextColumn(
                "{task.fields[doing]}", markup=False, table_column=Column(no_wrap=True, ratio=1)
            ),
            _QuietTime(),
            console=self._console,
            transient=True,
            refresh_per_second=8,
            expand=True,
            # What migrations print goes above the display, but only from a stream that is
            # drawn on the same terminal: a document piped from stdout must stay untouched.
            redirect_stdout=_is_terminal(sys.stdout),
            redirect_stderr=_is_terminal(sys.stderr),
        )


class _CountedBar(ProgressColumn):
    """A bar where something is counted, else nothing: no animation for its own sake.

    Counts are fields of the task, not its `total`: rich stops the clock of a task that reaches
    its total, and an alias goes on after its last migration.
    """

    def render(self, task: Task) -> ProgressBar | Text:
        if not task.fields["of"]:
            return Text()
        return ProgressBar(
            total=task.fields["of"],
            completed=task.fields["done"],
            width=24,
            complete_style="green",
            finished_style="green",
        )


class _CountColumn(ProgressColumn):
    """ "12/34" where something is counted, else nothing."""

    def render(self, task: Task) -> Text:
        counted = task.fields["of"]
        return Text(f"{task.fields['done']}/{counted}" if counted else "")


class _QuietTime(TimeElapsedColumn):
    """How long the alias has been at work."""

    def render(self, task: Task) -> Text:
        text = super().render(task)
        text.style = "dim"
        return text


def progress_for(stream: Any, *, verbosity: int = 1, color: bool | None = None) -> MigratorLogger:
    """The display that suits a stream: live on a terminal, lines everywhere else.

    Args:
        stream: Where to write; Django's OutputWrapper is taken off, since it ends every write
            with a line end.
        verbosity: As `MigratorLogger`.
        color: False for no colours; None for what the terminal can.
    """
    bare: TextIO = getattr(stream, "_out", stream)
    if not _is_terminal(bare):
        return MigratorLogger(bare, verbosity=verbosity)
    console = Console(file=bare, highlight=False, no_color=True if color is False else None)
    return RichProgress(bare, verbosity=verbosity, console=console)


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


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
