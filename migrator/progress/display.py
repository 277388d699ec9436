"""A live display on a terminal: what each alias at work is doing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

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
from migrator.core.spelling import printable, spell_seconds
from migrator.progress.logger import MigratorLogger
from migrator.terminal import is_terminal


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
                    self._show(alias, self.narrator.doing(trigger), done=0, of=0)
            case ev.ReplayStep(alias, migration, position, total):
                self._show(alias, f"replaying {migration}", done=position - 1, of=total)
            case ev.ReplayFinished(alias):
                self._show(alias, self.narrator.doing("scan"), done=0, of=0)
            case ev.MigratingStarted(alias, total):
                self._show(alias, self.narrator.doing("migrate"), done=0, of=total)
            case ev.MigrationStarted(alias, migration, _, position, total):
                self._show(alias, str(migration), done=position - 1, of=total)
            case ev.MigrationApplied(alias) if alias in self.narrator.positions:
                position, total = self.narrator.positions[alias]
                self._show(alias, None, done=position, of=total)
            case ev.OperationApplied(alias, migration, _, description):
                self._show(alias, f"{migration}: {description}")
            case ev.BackupStarted(alias):
                self._show(alias, "backing up", done=0, of=0)
            case ev.BackupMade(alias):
                self._show(alias, self.narrator.doing("migrate"))
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
                f"{printable(alias):<{self.narrator.width}}",
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
            redirect_stdout=is_terminal(sys.stdout),
            redirect_stderr=is_terminal(sys.stderr),
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
