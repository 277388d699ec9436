"""Two resumes of one run, of which the other is always a moment ahead: one works, this one
says so (exit 4) and changes nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from filelock import FileLock

from journal import Entry, MemoryJournal, Phase, Run, RunStatus, Target, TargetStatus
from migrator.conf import Settings
from migrator.core.events import Event, LockAwaited, RunOpened
from migrator.core.options import MigratorOptions
from migrator.exceptions import ExitCode
from migrator.fleet import Fleet
from migrator.reports.document import Report
from tests.servers import SQLiteServer

Register = Callable[..., BaseDatabaseWrapper]


class Ahead:
    """The other resume: holds the lock of the database as soon as this one has looked for it."""

    def __init__(self, connection: BaseDatabaseWrapper, journal: MemoryJournal) -> None:
        self.alias = connection.alias
        self.journal = journal
        path = Path(connection.settings_dict["NAME"]).resolve()
        self.lock = FileLock(f"{path}.migrator.lock", thread_local=False)
        self.epoch = 0

    def claim(self, event: Event) -> None:
        """Take the lock once the run is open again, and the target while this one waits."""
        if isinstance(event, RunOpened):
            self.lock.acquire(timeout=1)
        if isinstance(event, LockAwaited):
            run = self.journal.runs(limit=1)[0]
            self.epoch = self.journal.claim(run.id, self.alias)

    def verify(self, event: Event) -> None:
        """Bring the target to its goal, while this one waits for the lock; the run stays open."""
        self.claim(event)
        if isinstance(event, LockAwaited):
            run = self.journal.runs(limit=1)[0]
            self.journal.update_target(
                run.id, self.alias, epoch=self.epoch, state="verified", status=TargetStatus.DONE
            )
            self.lock.release()

    def finish(self, event: Event) -> None:
        """Bring the run to its end, while this one waits for the lock."""
        self.claim(event)
        if isinstance(event, LockAwaited):
            run = self.journal.runs(limit=1)[0]
            self.journal.update_target(
                run.id, self.alias, epoch=self.epoch, state="verified", status=TargetStatus.DONE
            )
            self.journal.close_run(run.id, RunStatus.COMPLETE)
            self.lock.release()


def interrupted_run(journal: MemoryJournal, alias: str) -> Run:
    """A run that was killed before it claimed anything."""
    run = journal.open_run(
        kind="migrate", goal="verified", options={}, actor={}, targets=[Target("", alias)]
    )
    return journal.close_run(run.id, RunStatus.INTERRUPTED)


@pytest.fixture
def connection(register_alias: Register, sqlite: SQLiteServer) -> BaseDatabaseWrapper:
    return register_alias(sqlite.create_database().settings())


def resume(
    journal: MemoryJournal,
    run: Run,
    listener: Any,
    base_dir: Path,
    wait: float,
    test_command: str = "",
) -> Report:
    options = MigratorOptions(
        skip_makemigrations=True,
        accept_changed_migrations=True,
        wait_lock=wait,
        test_command=test_command,
    )
    settings = Settings(journal_url="", base_dir=base_dir)
    fleet = Fleet(options, settings=settings, journal=journal, listeners=[listener])
    return fleet.resume(run.id)


def test_who_finds_the_target_claimed_exits_4(
    connection: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    journal = MemoryJournal()
    run = interrupted_run(journal, connection.alias)
    other = Ahead(connection, journal)
    try:
        report = resume(journal, run, other.claim, tmp_path, 0.5)
    finally:
        other.lock.release()
    assert report.exit_code == ExitCode.LOCKED
    assert not report.notices
    (target,) = journal.targets(run.id)
    assert target.status is TargetStatus.RUNNING
    assert journal.find_run(run.id).status is RunStatus.OPEN


def test_who_waits_until_the_other_has_finished_it_exits_4(
    connection: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    journal = MemoryJournal()
    run = interrupted_run(journal, connection.alias)
    report = resume(journal, run, Ahead(connection, journal).finish, tmp_path, 10.0)
    assert report.exit_code == ExitCode.LOCKED
    error = report.database(connection.alias).error
    assert error is not None
    assert "complete" in error.message
    assert not report.notices
    assert journal.find_run(run.id).status is RunStatus.COMPLETE


def test_a_run_that_the_other_completes_while_this_one_waits_is_no_failure(
    connection: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    """It had the lock already when this one came, and `--wait-lock` was given."""
    journal = MemoryJournal()
    run = interrupted_run(journal, connection.alias)
    journal.reopen_run(run.id)
    other = Ahead(connection, journal)
    other.lock.acquire(timeout=1)
    report = resume(journal, run, other.finish, tmp_path, 10.0)
    assert report.exit_code == ExitCode.CLEAN
    assert "is complete" in report.notices[0].message


def test_what_the_other_has_verified_meanwhile_is_not_begun_anew(
    connection: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    journal = MemoryJournal()
    run = interrupted_run(journal, connection.alias)
    report = resume(journal, run, Ahead(connection, journal).verify, tmp_path, 10.0)
    assert report.exit_code == ExitCode.CLEAN
    assert {entry.kind for entry in journal.entries(run.id)} == {"claim"}
    assert journal.find_run(run.id).status is RunStatus.COMPLETE


# -- the test command -------------------------------------------------------------------------

OTHER = {"pid": os.getppid(), "host": socket.gethostname(), "user": "other"}


class Beaten(MemoryJournal):
    """Another resume writes its intent to run the test command at the same moment, but first."""

    def write(self, run_id: str, alias: str, **step: Any) -> Entry:
        if step["kind"] == "test" and step.get("attempt", 1) > 1:
            first = {**step, "payload": {**step["payload"], "process": OTHER}}
            super().write(run_id, alias, **first)
        return super().write(run_id, alias, **step)


def run_that_failed_its_test(journal: MemoryJournal, alias: str) -> Run:
    run = journal.open_run(
        kind="migrate",
        goal="verified",
        options={},
        actor={},
        targets=[Target("", alias, state="verified", status=TargetStatus.DONE)],
    )
    for phase in (Phase.INTENT, Phase.FAILED):
        journal.write(run.id, alias, epoch=0, kind="test", name="test-command", phase=phase)
    return journal.close_run(run.id, RunStatus.FAILED)


def test_two_resumes_never_run_the_test_command_at_once(
    connection: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    """The other one has begun it since this one looked."""
    journal = MemoryJournal()
    run = run_that_failed_its_test(journal, connection.alias)

    def other(event: Event) -> None:
        if isinstance(event, RunOpened):
            journal.write(
                run.id,
                connection.alias,
                epoch=0,
                kind="test",
                name="test-command",
                phase=Phase.INTENT,
                attempt=2,
                payload={"process": OTHER},
            )

    report = resume(journal, run, other, tmp_path, 0.0, "touch ran")
    assert report.exit_code == ExitCode.LOCKED
    assert "runs its test command" in report.notices[0].message
    assert not (tmp_path / "ran").exists()
    assert journal.find_run(run.id).status is RunStatus.OPEN


def test_of_two_resumes_in_the_same_moment_one_runs_the_test_command(
    connection: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    journal = Beaten()
    run = run_that_failed_its_test(journal, connection.alias)
    report = resume(journal, run, lambda _: None, tmp_path, 0.0, "touch ran")
    assert report.exit_code == ExitCode.LOCKED
    assert "has just begun" in report.notices[0].message
    assert not (tmp_path / "ran").exists()
    assert journal.find_run(run.id).status is RunStatus.OPEN
