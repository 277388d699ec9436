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

from journal import (
    Entry,
    Fenced,
    MemoryJournal,
    Phase,
    Run,
    RunStatus,
    Target,
    TargetStatus,
    open_journal,
)
from migrator.conf import Settings
from migrator.core.events import AliasFinished, Event, LockAwaited, RunOpened
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


# -- several aliases ---------------------------------------------------------------------------


class Twin:
    """The other resume of a run with two aliases; it works at what it can get, a step ahead."""

    def __init__(self, journal: MemoryJournal, *connections: BaseDatabaseWrapper) -> None:
        self.journal = journal
        self.ahead = {each.alias: Ahead(each, journal) for each in connections}

    def finish(self, alias: str) -> None:
        """Bring an alias to its goal, and let go of it."""
        run = self.journal.runs(limit=1)[0]
        epoch = self.journal.claim(run.id, alias)
        self.journal.update_target(
            run.id, alias, epoch=epoch, state="verified", status=TargetStatus.DONE
        )
        self.ahead[alias].lock.release()


@pytest.fixture
def pair(register_alias: Register, sqlite: SQLiteServer) -> list[BaseDatabaseWrapper]:
    return [register_alias(sqlite.create_database().settings()) for _ in range(2)]


def interrupted_pair(journal: MemoryJournal, pair: list[BaseDatabaseWrapper]) -> Run:
    targets = [Target("", connection.alias) for connection in pair]
    run = journal.open_run(kind="migrate", goal="verified", options={}, actor={}, targets=targets)
    return journal.close_run(run.id, RunStatus.INTERRUPTED)


def test_who_finds_the_other_at_the_first_alias_leaves_it_the_rest(
    pair: list[BaseDatabaseWrapper], tmp_path: Path
) -> None:
    """Else each holds what the other needs next: both exit 4, and nobody finishes the run."""
    journal = MemoryJournal()
    run = interrupted_pair(journal, pair)
    first, second = pair
    twin = Twin(journal, first, second)

    def both_begin(event: Event) -> None:
        if isinstance(event, RunOpened):
            twin.ahead[first.alias].lock.acquire(timeout=1)

    try:
        report = resume(journal, run, both_begin, tmp_path, 0.0)
    finally:
        twin.ahead[first.alias].lock.release()
    assert report.exit_code == ExitCode.LOCKED
    assert not [e for e in journal.entries(run.id) if e.alias == second.alias]
    assert journal.find_run(run.id).status is RunStatus.OPEN

    last = resume(journal, run, lambda _: None, tmp_path, 0.0)
    assert last.exit_code == ExitCode.CLEAN
    assert journal.find_run(run.id).status is RunStatus.COMPLETE


def test_who_finishes_last_closes_the_run_that_the_other_has_looked_into(
    pair: list[BaseDatabaseWrapper], tmp_path: Path
) -> None:
    """The other claims what is done already, finds nothing to do there, and is sent away."""
    journal = MemoryJournal()
    run = interrupted_pair(journal, pair)
    first, second = pair
    twin = Twin(journal, first, second)

    def look_into(event: Event) -> None:
        if isinstance(event, AliasFinished) and event.alias == second.alias:
            twin.finish(first.alias)

    report = resume(journal, run, look_into, tmp_path, 0.0)
    assert report.exit_code == ExitCode.CLEAN
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


# -- the journal of two processes ----------------------------------------------------------------


def test_a_run_is_closed_over_anothers_claim_only_when_that_has_nothing_left(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/journal.sqlite3"
    with open_journal(url) as ours, open_journal(url) as theirs:
        run = ours.open_run(
            kind="migrate", goal="verified", options={}, actor={}, targets=[Target("", "default")]
        )
        epoch = ours.claim(run.id, "default")
        ours.update_target(
            run.id, "default", epoch=epoch, state="verified", status=TargetStatus.DONE
        )
        other = theirs.claim(run.id, "default")
        with pytest.raises(Fenced):
            ours.close_run(run.id, RunStatus.COMPLETE)
        theirs.update_target(run.id, "default", epoch=other, status=TargetStatus.DONE)
        with pytest.raises(Fenced):
            ours.close_run(run.id, RunStatus.FAILED)
        assert ours.close_run(run.id, RunStatus.COMPLETE).status is RunStatus.COMPLETE
        assert not list(ours.verify())
