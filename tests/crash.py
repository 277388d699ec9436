"""Kill a process at its k-th boundary, without any hook in the product's code.

A boundary is the moment before an SQL statement, before a COMMIT, or after one; of the targets
(Django's cursors and connections) and of the journal (SQLAlchemy's events, or the file journal
below). The same command run twice crosses the same boundaries in the same order.

Two ways to use it:

- `Crasher(project).run("migrate_all", kill_at=7)` runs a management command of a project in a
  process of its own and sends it SIGKILL at boundary 7; without `kill_at`, the run ends by
  itself and `boundaries` says how many there were. The pseudo-command "executor" runs the
  executor alone, on one alias, with a `FileJournal`.
- `crash_at(k)` raises `Crash` at boundary k within this process, for fast sweeps. What a real
  kill would not write, the `DyingJournal` refuses to write.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from migrator.executor.ports import MemoryEntry, MemoryExecutionJournal

if TYPE_CHECKING:
    from tests.projects import Project
    from tests.servers import Database

KILL_AT = "CRASH_KILL_AT"
REPORT = "CRASH_REPORT"


class Crash(BaseException):
    """Stands for the end of the process; nothing on the way up may catch it."""


@dataclass
class Clock:
    """Counts boundaries, and strikes at one of them.

    Attributes:
        strike_at: The boundary, counted from 1; 0 for never.
        strike: What happens then.
        labels: What was crossed, in order.
    """

    strike: Callable[[], None]
    strike_at: int = 0
    labels: list[str] = field(default_factory=list)

    @property
    def struck(self) -> bool:
        """Whether the boundary was reached."""
        return 0 < self.strike_at <= len(self.labels)

    def tick(self, label: str) -> None:
        """Cross one boundary."""
        self.labels.append(label)
        if len(self.labels) == self.strike_at:
            self.strike()


@contextmanager
def watched_targets(clock: Clock) -> Iterator[None]:
    """Cross a boundary before each statement of Django's connections, and around each COMMIT."""
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.utils import CursorWrapper

    execute, many = CursorWrapper._execute, CursorWrapper._executemany
    commit = BaseDatabaseWrapper._commit

    def on_execute(self: Any, sql: Any, params: Any, *rest: Any) -> Any:
        clock.tick(f"sql {str(sql)[:70]}")
        return execute(self, sql, params, *rest)

    def on_many(self: Any, sql: Any, params: Any, *rest: Any) -> Any:
        clock.tick(f"sql {str(sql)[:70]}")
        return many(self, sql, params, *rest)

    def on_commit(self: Any) -> Any:
        clock.tick("before commit")
        result = commit(self)
        clock.tick("after commit")
        return result

    with (
        mock.patch.object(CursorWrapper, "_execute", on_execute),
        mock.patch.object(CursorWrapper, "_executemany", on_many),
        mock.patch.object(BaseDatabaseWrapper, "_commit", on_commit),
    ):
        yield


def watch_journal(clock: Clock) -> None:
    """Cross a boundary before each statement and COMMIT of SQLAlchemy, for good."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def on_execute(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        clock.tick(f"journal {statement[:70]}")

    event.listen(Engine, "before_cursor_execute", on_execute)
    event.listen(Engine, "commit", lambda conn: clock.tick("journal before commit"))


@contextmanager
def crash_at(boundary: int = 0) -> Iterator[Clock]:
    """Raise `Crash` at a boundary of the targets, within this process; 0 only counts."""

    def strike() -> None:
        raise Crash

    clock = Clock(strike, boundary)
    with watched_targets(clock):
        yield clock


class DyingJournal(MemoryExecutionJournal):
    """Crosses a boundary around each write; after a crash it takes nothing more."""

    def __init__(self) -> None:
        super().__init__()
        self.clock: Clock | None = None

    def write(self, entry: MemoryEntry) -> None:
        if self.clock is None:
            super().write(entry)
            return
        if self.clock.struck:
            raise Crash
        label = f"journal {entry.kind} {entry.name} {entry.phase}"
        self.clock.tick(f"before {label}")
        super().write(entry)
        self.clock.tick(f"after {label}")


class FileJournal(MemoryExecutionJournal):
    """One JSON document a line, each durable before the write returns."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        super().__init__()
        self.path = path
        self.clock = clock
        if path.exists():
            for line in path.read_text().splitlines():
                super().write(MemoryEntry(**json.loads(line)))

    def write(self, entry: MemoryEntry) -> None:
        self._tick("before")
        before = len(self.written)
        super().write(entry)
        if len(self.written) > before:
            with self.path.open("a") as file:
                file.write(json.dumps(entry_to_dict(entry)) + "\n")
                file.flush()
                os.fsync(file.fileno())
        self._tick("after")

    def _tick(self, when: str) -> None:
        if self.clock is not None:
            self.clock.tick(f"{when} journal")


def entry_to_dict(entry: MemoryEntry) -> dict[str, Any]:
    """An entry as JSON-ready data."""
    return {
        "kind": str(entry.kind),
        "name": entry.name,
        "attempt": entry.attempt,
        "phase": entry.phase,
        "seconds": entry.seconds,
        "payload": dict(entry.payload),
    }


# -- the parent's side -----------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        returncode: -9 when it was killed.
        boundaries: What it crossed, as far as it came to the end.
    """

    returncode: int
    output: str
    boundaries: tuple[str, ...] = ()

    @property
    def killed(self) -> bool:
        """Whether the boundary was reached."""
        return self.returncode == -signal.SIGKILL


@dataclass
class Crasher:
    """Runs commands of one project in processes that may be killed."""

    project: Project

    def run(self, *command: str, kill_at: int = 0, timeout: float = 120) -> Ended:
        """Run a management command, or "executor ALIAS".

        Args:
            *command: Its arguments.
            kill_at: The boundary to be killed at; 0 for none.
            timeout: Seconds after which the test fails.
        """
        report = self.project.root / ".boundaries"
        report.unlink(missing_ok=True)
        env = self.project.environ({KILL_AT: str(kill_at), REPORT: str(report)})
        completed = subprocess.run(
            [sys.executable, __file__, *command],
            cwd=self.project.root,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        crossed = report.read_text().splitlines() if report.exists() else []
        return Ended(completed.returncode, completed.stdout + completed.stderr, tuple(crossed))


_SESSIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database() "
    "AND id <> connection_id()",
}


def wait_until_alone(database: Database, seconds: float = 30) -> None:
    """Wait until the server has noticed that a killed client is gone: it may still commit."""
    query = _SESSIONS.get(database.vendor)
    deadline = time.monotonic() + seconds
    while query and database.query(query)[0][0]:
        assert time.monotonic() < deadline, "a killed client's session does not end"
        time.sleep(0.05)


# -- the child's side ------------------------------------------------------------------


def main(command: Sequence[str]) -> None:
    """Run a command with a clock; on the way out, report what was crossed."""
    clock = Clock(lambda: os.kill(os.getpid(), signal.SIGKILL), int(os.environ[KILL_AT]))
    sys.path[0] = str(Path.cwd())  # instead of this file's directory
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    watch_journal(clock)
    try:
        with watched_targets(clock):
            if command[0] == "executor":
                _run_executor(command[1], clock, command[2:])
            else:
                from django.core.management import execute_from_command_line

                execute_from_command_line(["manage.py", *command])
    finally:
        Path(os.environ[REPORT]).write_text("\n".join(clock.labels))


def _run_executor(alias: str, clock: Clock, target: Sequence[str]) -> None:
    """Migrate one alias, resuming from the file journal: to all leaves, or to "app name"."""
    import django

    django.setup()
    from django.db import connections

    from migrator.executor import CrashSafeExecutor

    journal = FileJournal(Path(f"journal-{alias}.jsonl"), clock)
    executor = CrashSafeExecutor(connections[alias], journal=journal)
    executor.reconcile_with(journal.entries("migration"))
    leaves = executor.loader.graph.leaf_nodes()
    targets = [(target[0], None if target[1] == "zero" else target[1])] if target else leaves
    executor.migrate(targets)


if __name__ == "__main__":
    main(sys.argv[1:])
