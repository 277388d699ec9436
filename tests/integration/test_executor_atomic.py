"""Atomic migrations: one transaction for DDL, deferred SQL and rows; and all around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connections, migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.state import ProjectState

from migrator.backends import Lock
from migrator.core import events
from migrator.exceptions import (
    DecisionNeeded,
    Interrupted,
    LockHeld,
    LockLost,
    MigrationFailed,
)
from migrator.executor import CrashSafeExecutor, checksum
from tests.crash import crash_at
from tests.integration.executor_bench import Bench, key, make
from tests.servers import Database

Register = Callable[..., BaseDatabaseWrapper]
transactional = pytest.mark.parametrize(
    "vendor", [pytest.param("postgresql", marks=pytest.mark.postgresql), "sqlite"]
)
every_vendor = pytest.mark.parametrize(
    "vendor",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
    ],
)
on_sqlite = pytest.mark.parametrize("vendor", ["sqlite"])

OWNER = migrations.CreateModel("Owner", [("id", key())])
PET = migrations.CreateModel(
    "Pet",
    [
        ("id", key()),
        ("name", models.CharField(max_length=20, db_index=True)),
        ("owner", models.ForeignKey("pets.Owner", models.CASCADE)),
    ],
)


def raise_error(apps: Any, schema_editor: Any) -> None:
    raise RuntimeError("no\nsecond line")


@pytest.fixture
def bench(vendor: str, create_database: Callable[..., Database], register_alias: Register) -> Bench:
    database = create_database(vendor)
    bench = Bench(database, register_alias(database.settings()))
    CrashSafeExecutor(bench.connection).recorder.ensure_schema()
    return bench


def phases(bench: Bench, kind: str = "migration") -> list[tuple[str, int, str]]:
    return [(e.name, e.attempt, e.phase) for e in bench.journal.entries(kind)]


@transactional
def test_rows_and_deferred_sql_are_committed_with_the_ddl(bench: Bench) -> None:
    with crash_at() as clock:
        bench.ours(make("0001", [OWNER, PET], atomic=True))
    work = clock.labels[clock.labels.index(next(x for x in clock.labels if "CREATE TABLE" in x)) :]
    assert work.count("before commit") == 1
    row = next(i for i, label in enumerate(work) if "INSERT INTO" in label)
    index = max(i for i, label in enumerate(work) if "CREATE INDEX" in label)
    assert index < row < work.index("before commit")


@transactional
def test_all_rows_of_a_squash_are_committed_together(bench: Bench) -> None:
    replaces = [("pets", "0001"), ("pets", "0002")]
    with crash_at() as clock:
        bench.ours(make("0001_squashed", [OWNER, PET], atomic=True, replaces=replaces))
    first = next(i for i, label in enumerate(clock.labels) if "INSERT INTO" in label)
    assert "before commit" not in clock.labels[: first + 1]
    assert clock.labels[first:].count("before commit") == 1
    recorded = bench.database.query("SELECT name FROM django_migrations ORDER BY id")
    if "0001_squashed" in {name for (name,) in recorded}:
        assert len(recorded) == 3


@every_vendor
def test_the_order_of_intents_outcomes_and_events(bench: Bench) -> None:
    bench.ours(make("0001", [OWNER, PET], atomic=True))
    assert phases(bench) == [("pets.0001", 1, "intent"), ("pets.0001", 1, "done")]
    kinds = [type(e) for e in bench.events if not isinstance(e, events.OperationApplied)]
    assert kinds == [events.MigrationStarted, events.MigrationApplied]
    (intent, done) = bench.journal.entries("migration")
    assert intent.payload["operations"] == 2
    assert intent.payload["direction"] == "forwards"
    assert done.payload["how"] == "applied"


@every_vendor
def test_a_failure_names_migration_alias_operation_and_cause(bench: Bench) -> None:
    migration = make("0001", [OWNER, migrations.RunPython(raise_error)], atomic=True)
    with pytest.raises(MigrationFailed) as raised:
        bench.ours(migration)
    assert raised.value.message == (
        f"Migration pets.0001 failed on {bench.connection.alias} at operation 1 "
        "(Raw Python operation): RuntimeError: no"
    )
    assert "--resume" in raised.value.hint
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert phases(bench)[-1] == ("pets.0001", 1, "failed")
    assert [e.error for e in bench.events if isinstance(e, events.MigrationFailed)] == [
        "RuntimeError: no"
    ]
    assert not bench.connection.in_atomic_block


@transactional
def test_nothing_of_a_failed_migration_is_kept(bench: Bench) -> None:
    empty = bench.dump()
    with pytest.raises(MigrationFailed):
        bench.ours(make("0001", [OWNER, PET, migrations.RunPython(raise_error)], atomic=True))
    assert bench.dump() == empty


@transactional
def test_an_interrupt_rolls_back_and_is_journaled(bench: Bench) -> None:
    empty = bench.dump()

    def interrupt(apps: Any, schema_editor: Any) -> None:
        raise Interrupted("SIGTERM")

    with pytest.raises(Interrupted):
        bench.ours(make("0001", [OWNER, migrations.RunPython(interrupt)], atomic=True))
    assert bench.dump() == empty
    assert phases(bench)[-1] == ("pets.0001", 1, "failed")
    assert bench.journal.entries("migration")[-1].payload["interrupted"] is True
    bench.ours(make("0001", [OWNER], atomic=True))
    assert phases(bench)[-1] == ("pets.0001", 2, "done")


@transactional
def test_sys_exit_in_a_migration_is_a_failure(bench: Bench) -> None:
    def leave(apps: Any, schema_editor: Any) -> None:
        raise SystemExit(0)

    with pytest.raises(MigrationFailed, match="SystemExit"):
        bench.ours(make("0001", [OWNER, migrations.RunPython(leave)], atomic=True))


@on_sqlite
def test_a_broken_foreign_key_leaves_no_transaction_open(bench: Bench) -> None:
    def orphan(apps: Any, schema_editor: Any) -> None:
        schema_editor.execute("INSERT INTO pets_pet (name, owner_id) VALUES ('Rex', 99)")

    broken = make("0001", [OWNER, PET, migrations.RunPython(orphan)], atomic=True)
    with pytest.raises(MigrationFailed, match="foreign key") as raised:
        bench.ours(broken)
    assert isinstance(raised.value.__cause__, IntegrityError)
    assert not bench.connection.in_atomic_block
    bench.ours(make("0001", [OWNER, PET], atomic=True))
    assert "pets_pet" in bench.dump()


@on_sqlite
def test_a_broken_foreign_key_does_not_hide_the_error_before_it(bench: Bench) -> None:
    def orphan(apps: Any, schema_editor: Any) -> None:
        schema_editor.execute("INSERT INTO pets_pet (name, owner_id) VALUES ('Rex', 99)")
        raise RuntimeError("the first error")

    with pytest.raises(MigrationFailed, match="the first error"):
        bench.ours(make("0001", [OWNER, PET, migrations.RunPython(orphan)], atomic=True))
    assert not bench.connection.in_atomic_block


@transactional
def test_unapplying_removes_rows_with_the_ddl(bench: Bench) -> None:
    several = make("0001", [OWNER], atomic=True), make("0002", [PET], atomic=True)
    bench.ours(*several)
    before = ProjectState()
    several[0].mutate_state(before, preserve=False)
    executor = CrashSafeExecutor(bench.connection, journal=bench.journal, emit=bench.events.append)
    with crash_at() as clock:
        executor.unapply_migration(before, several[1])
    dropped = next(i for i, label in enumerate(clock.labels) if "DROP TABLE" in label)
    forgotten = next(i for i, label in enumerate(clock.labels) if "DELETE FROM" in label)
    assert dropped < forgotten < clock.labels.index("before commit")
    assert bench.database.query("SELECT name FROM django_migrations") == [("0001",)]
    applied = [e for e in bench.events if isinstance(e, events.MigrationApplied)]
    assert applied[-1].how == "unapplied"


@every_vendor
def test_a_commit_whose_answer_was_lost_is_reconciled(bench: Bench) -> None:
    migration = make("0001", [OWNER, PET], atomic=True)
    labels = bench.labels(migration)
    boundary = 1 + labels.index("before journal migration pets.0001 done")
    assert bench.crash(boundary, migration)
    bench.events.clear()
    bench.ours(migration)
    assert phases(bench) == [("pets.0001", 1, "intent"), ("pets.0001", 1, "reconciled")]
    assert [(e.how, e.attempt) for e in bench.events if isinstance(e, events.MigrationApplied)] == [
        ("reconciled", 1)
    ]


@every_vendor
def test_fake_initial_records_what_is_there(bench: Bench) -> None:
    migration = make("0001", [OWNER, PET], atomic=True, initial=True)
    bench.ours(migration)
    bench.database.execute("DELETE FROM django_migrations")
    schema = bench.database.dump()
    executor = CrashSafeExecutor(bench.connection, emit=bench.events.append)
    state = executor.apply_migration(ProjectState(), migration, fake_initial=True)
    assert ("pets", "pet") in state.models
    assert bench.database.dump() == schema
    assert bench.events[-1].how == "faked"  # type: ignore[union-attr]


@every_vendor
def test_a_companion_is_recorded_and_what_follows_runs(bench: Bench) -> None:
    several = make("0001", [OWNER], atomic=True), make("0002", [PET], atomic=True)
    bench.ours(several[0])
    bench.database.execute("DELETE FROM django_migrations")
    bench.journal.written.clear()
    bench.ours(*several, detect=lambda migration: migration.name == "0001")
    how = {e.migration.name: e.how for e in bench.events if isinstance(e, events.MigrationApplied)}
    assert how == {"0001": "companion", "0002": "applied"}


@every_vendor
def test_progress_is_reported_as_django_does(bench: Bench) -> None:
    heard: list[tuple[Any, ...]] = []
    executor = CrashSafeExecutor(bench.connection, lambda *what: heard.append(what))
    migration = make("0001", [OWNER], atomic=True)
    executor.apply_migration(ProjectState(), migration)
    assert heard == [("apply_start", migration, False), ("apply_success", migration, False)]


def test_checksum_of_a_migration_without_a_file_is_empty() -> None:
    migration = make("0001", [OWNER])
    type(migration).__module__ = "nowhere"
    assert checksum(migration) == ""


class SlippedLock(Lock):
    """A lock whose connection was closed by a migration: not held until it is taken again."""

    def __init__(self, *, taken_by: str = "", meanwhile: Callable[[], None] = lambda: None) -> None:
        self.taken_by = taken_by
        self.meanwhile = meanwhile
        self.acquired = 0

    def acquire(self, *, wait: float = 0.0) -> None:
        self.meanwhile()
        if self.taken_by:
            raise LockHeld(f"The lock is held by {self.taken_by}.")
        self.acquired += 1

    def held(self) -> bool:
        return self.acquired > 0

    def release(self) -> None:
        self.acquired = 0


@transactional
def test_a_lock_that_slipped_is_taken_again(bench: Bench) -> None:
    lock = SlippedLock()
    bench.ours(make("0001", [OWNER], atomic=True), lock=lock)
    assert lock.acquired == 1
    assert "'0001'" in bench.dump()


@transactional
def test_a_lock_that_somebody_else_has_taken_is_lost(bench: Bench) -> None:
    with pytest.raises(LockLost, match="run 7 on host b"):
        bench.ours(make("0001", [OWNER], atomic=True), lock=SlippedLock(taken_by="run 7 on host b"))
    assert "'0001'" not in bench.dump()
    assert phases(bench) == []


@transactional
def test_a_lock_that_somebody_else_had_in_between_is_lost(bench: Bench) -> None:
    def another_run() -> None:
        bench.database.execute(
            "INSERT INTO django_migrations (app, name, applied) "
            "VALUES ('pets', '0000', '2026-01-01 00:00:00')"
        )

    with pytest.raises(LockLost, match="history has been changed"):
        bench.ours(make("0001", [OWNER], atomic=True), lock=SlippedLock(meanwhile=another_run))


@transactional
def test_an_error_of_the_migrator_itself_is_not_wrapped(bench: Bench) -> None:
    def decide(apps: Any, schema_editor: Any) -> None:
        raise DecisionNeeded

    with pytest.raises(DecisionNeeded):
        bench.ours(make("0001", [OWNER, migrations.RunPython(decide)], atomic=True))


@transactional
def test_other_aliases_are_left_alone(bench: Bench) -> None:
    bench.ours(make("0001", [OWNER], atomic=True))
    assert connections["default"].connection is None
