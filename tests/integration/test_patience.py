"""Locks that somebody else holds: given up soon, tried again, and who holds them is named."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import OperationalError, connections, migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends import backend_for
from migrator.core import events
from migrator.core.limits import Limits
from migrator.exceptions import LockTimedOut, StatementTimedOut
from migrator.executor import CrashSafeExecutor
from tests.integration.executor_bench import Bench, key, make
from tests.servers import Database

Register = Callable[..., BaseDatabaseWrapper]

on_postgresql = pytest.mark.parametrize(
    "vendor", [pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
on_mysql = pytest.mark.parametrize("vendor", [pytest.param("mysql", marks=pytest.mark.mysql)])
on_sqlite = pytest.mark.parametrize("vendor", ["sqlite"])
every_vendor = pytest.mark.parametrize(
    "vendor",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
    ],
)


def _busy_postgresql() -> OperationalError:
    """As Django raises it for what the driver says."""
    error = OperationalError("canceling statement due to lock timeout")
    error.__cause__ = psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")
    return error


def _busy_sqlite() -> OperationalError:
    error = OperationalError("database is locked")
    error.__cause__ = cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


PETS = migrations.CreateModel("Pet", [("id", key()), ("age", models.IntegerField(default=1))])
NAME = migrations.AddField("Pet", "name", models.CharField(max_length=20, default="?"))
LOOK = migrations.RunPython
BUSY = {
    "postgresql": _busy_postgresql(),
    "mysql": OperationalError(1205, "Lock wait timeout exceeded; try restarting transaction"),
    "sqlite": _busy_sqlite(),
}
SHORT = Limits(lock=0.2, retries=8)


@pytest.fixture(autouse=True)
def _quick_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrator.executor.patience.PAUSE", 0.05)
    monkeypatch.setattr("migrator.executor.patience.LONGEST_PAUSE", 0.2)
    monkeypatch.setattr("migrator.executor.patience.JITTER", 0.05)


@pytest.fixture
def bench(vendor: str, create_database: Callable[..., Database], register_alias: Register) -> Bench:
    database = create_database(vendor)
    bench = Bench(database, register_alias(database.settings()))
    CrashSafeExecutor(bench.connection).recorder.ensure_schema()
    return bench


def run(bench: Bench, *several: migrations.Migration, limits: Limits = SHORT) -> CrashSafeExecutor:
    """As `Bench.ours`, with limits in force, and as one plan."""
    executor = CrashSafeExecutor(
        bench.connection, journal=bench.journal, emit=bench.events.append, limits=limits
    )
    recorded = executor.recorder.applied_migrations()
    state = migrations.state.ProjectState()
    plan = []
    for migration in several:
        executor.loader.disk_migrations[migration.app_label, migration.name] = migration
        if (migration.app_label, migration.name) in recorded:
            migration.mutate_state(state, preserve=False)
        else:
            plan.append((migration, False))
    executor._migrate_all_forwards(state, plan, plan, False, False)
    return executor


@pytest.fixture
def reader(bench: Bench, register_alias: Register) -> BaseDatabaseWrapper:
    """Another session of the same database."""
    return register_alias(bench.database.settings())


@contextmanager
def holding(other: BaseDatabaseWrapper, sql: str = "SELECT * FROM pets_pet") -> Iterator[None]:
    """An open transaction that has looked at the table, and does nothing more."""
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(sql)
            cursor.fetchall()
        yield
    finally:
        other.rollback()
        other.set_autocommit(True)


@contextmanager
def held_until(
    bench: Bench, other: BaseDatabaseWrapper, enough: Callable[[], bool], sql: str = ""
) -> Iterator[None]:
    """Held by a session that ends its transaction when enough has been seen."""
    other.close()
    begun, done = threading.Event(), threading.Event()
    # Of this thread alone: wrappers are not shared.
    mine = other.copy()

    def hold() -> None:
        with holding(mine, sql or "SELECT * FROM pets_pet"):
            begun.set()
            while not enough() and not done.wait(0.01):
                pass
        mine.close()

    mine.inc_thread_sharing()
    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(10)
    try:
        yield
    finally:
        done.set()
        thread.join()


def contended(bench: Bench) -> list[events.LockContended]:
    return [event for event in bench.events if isinstance(event, events.LockContended)]


def phases(bench: Bench, kind: str = "migration") -> list[tuple[str, int, str]]:
    return [(e.name, e.attempt, e.phase) for e in bench.journal.entries(kind)]


@on_postgresql
def test_it_waits_out_a_reader_and_says_who_it_was(
    bench: Bench, reader: BaseDatabaseWrapper
) -> None:
    run(bench, make("0001", [PETS], atomic=True))
    with held_until(bench, reader, lambda: len(contended(bench)) >= 2):
        run(bench, make("0001", [PETS], atomic=True), make("0002", [NAME], atomic=True))
    tries = contended(bench)
    assert len(tries) >= 2
    assert "SELECT * FROM pets_pet" in tries[0].blockers[0]
    assert "idle in transaction" in tries[0].blockers[0]
    assert bench.database.query("SELECT name FROM pets_pet") == []
    found = [(n, p) for name, n, p in phases(bench) if name == "pets.0002"]
    assert found[:3] == [(1, "intent"), (1, "failed"), (2, "intent")]
    assert found[-1] == (len(tries) + 1, "done")
    first = next(e for e in bench.journal.entries("migration") if e.phase == "failed")
    assert first.payload["contended"] == "lock timeout"
    assert "idle in transaction" in first.payload["blockers"][0]
    applied = [e for e in bench.events if isinstance(e, events.MigrationApplied)][-1]
    assert applied.attempt == len(tries) + 1
    assert applied.lock_wait_seconds >= sum(t.waited + t.pause for t in tries) * 0.9
    assert any(isinstance(event, events.LockWaiting) for event in bench.events)
    assert not any(isinstance(event, events.MigrationFailed) for event in bench.events)


@every_vendor
def test_an_attempt_begins_with_the_models_as_they_were_before_the_first(
    bench: Bench, reader: BaseDatabaseWrapper
) -> None:
    """The first had changed them halfway; and what comes after finds them whole."""
    seen: list[list[str]] = []
    stuck = [True]

    def look(apps: Any, schema_editor: Any) -> None:
        seen.append(sorted(field.name for field in apps.get_model("pets", "Pet")._meta.fields))
        if stuck:
            stuck.clear()
            raise BUSY[bench.database.vendor]

    several = (
        make("0001", [PETS], atomic=True),
        make("0002", [migrations.AddField("Pet", "note", models.TextField(null=True))]),
        make(
            "0003", [NAME, migrations.RenameField("Pet", "age", "years"), LOOK(look)], atomic=True
        ),
        make("0004", [migrations.AddField("Pet", "vet", models.TextField(null=True)), LOOK(look)]),
    )
    executor = run(bench, *several, limits=Limits(lock=1, retries=3))
    assert [e.attempt for e in contended(bench)] == [1]
    third, fourth = ["id", "name", "note", "years"], ["id", "name", "note", "vet", "years"]
    assert seen == [third, third, fourth]
    assert bench.database.query("SELECT years, note, name, vet FROM pets_pet") == []
    assert {name for _, name in executor.recorder.applied_migrations()} >= {"0003", "0004"}


@on_mysql
def test_mysql_waits_out_a_reader_too(bench: Bench, reader: BaseDatabaseWrapper) -> None:
    limits = Limits(lock=1, retries=8)
    run(bench, make("0001", [PETS], atomic=True))
    bench.database.execute("INSERT INTO pets_pet (age) VALUES (3)")
    friend = migrations.AddField(
        "Pet", "friend", models.ForeignKey("pets.Pet", models.CASCADE, null=True)
    )
    several = make("0001", [PETS], atomic=True), make("0002", [NAME, friend], atomic=True)
    with held_until(bench, reader, lambda: bool(contended(bench))):
        run(bench, *several, limits=limits)
    blocker = contended(bench)[0].blockers[0]
    assert "in a transaction for" in blocker or "holds shared_read" in blocker
    assert bench.database.query("SELECT name, friend_id FROM pets_pet") == [("?", None)]
    found = [(n, p) for name, n, p in phases(bench) if name == "pets.0002"]
    assert found[:3] == [(1, "intent"), (1, "failed"), (2, "intent")]
    assert found[-1][1] == "done"


@on_mysql
def test_mysql_says_why_it_names_nobody(
    bench: Bench, reader: BaseDatabaseWrapper, register_alias: Register
) -> None:
    run(bench, make("0001", [PETS], atomic=True))
    user = bench.database.name[-20:]
    bench.database.execute(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'plain-words'")
    try:
        bench.database.execute(f"GRANT ALL ON `{bench.database.name}`.* TO '{user}'@'%'")
        entry = {**bench.database.settings(), "USER": user, "PASSWORD": "plain-words"}
        plain = Bench(bench.database, register_alias(entry))
        several = make("0001", [PETS], atomic=True), make("0002", [NAME], atomic=True)
        with (
            held_until(bench, reader, lambda: False),
            pytest.raises(LockTimedOut, match="privilege PROCESS"),
        ):
            run(plain, *several, limits=Limits(lock=2, retries=0))
        plain.connection.close()
    finally:
        bench.database.execute(f"DROP USER '{user}'@'%'")


@on_sqlite
@pytest.mark.parametrize("wal", [False, True])
def test_sqlite_waits_out_a_writer_too(
    bench: Bench, reader: BaseDatabaseWrapper, wal: bool
) -> None:
    if wal:
        bench.database.execute("PRAGMA journal_mode = wal")
    several = make("0001", [PETS], atomic=True), make("0002", [NAME], atomic=True)
    run(bench, several[0])
    with held_until(
        bench,
        reader,
        lambda: len(contended(bench)) >= 2,
        "INSERT INTO pets_pet (age) VALUES (2) RETURNING id",
    ):
        run(bench, *several)
    assert bench.database.query("SELECT count(*) FROM pets_pet WHERE name = '?'") == [(0,)]
    assert contended(bench)[0].blockers == ()


@every_vendor
def test_what_never_gets_a_lock_fails_and_leaves_nothing(
    bench: Bench, reader: BaseDatabaseWrapper
) -> None:
    several = make("0001", [PETS], atomic=True), make("0002", [NAME], atomic=True)
    run(bench, several[0])
    before = bench.dump()
    limits = Limits(lock=1 if bench.database.vendor == "mysql" else 0.1, retries=1)
    sql = "INSERT INTO pets_pet (age) VALUES (2)"
    if bench.database.vendor != "mysql":  # SQLite begins to write once it is asked for rows
        sql += " RETURNING id"
    with (
        held_until(bench, reader, lambda: False, sql),
        pytest.raises(LockTimedOut, match=r"pets\.0002 got no lock .* 2 attempts") as raised,
    ):
        run(bench, *several, limits=limits)
    if bench.database.vendor != "sqlite":
        assert "In the way: session" in raised.value.message
    assert "--resume" in raised.value.hint
    assert bench.dump() == before
    failed = [e for e in bench.events if isinstance(e, events.MigrationFailed)]
    assert [event.attempt for event in failed] == [2]
    run(bench, *several)  # as a resume would
    assert bench.database.query("SELECT name FROM pets_pet") == []


@every_vendor
def test_the_session_has_its_own_limits_again_afterwards(bench: Bench) -> None:
    waits = CrashSafeExecutor(bench.connection).patience._waits
    before = waits.timeouts(bench.connection)
    executor = run(bench, make("0001", [PETS], atomic=True), limits=Limits(lock=7, statement=50))
    assert waits.timeouts(bench.connection) == before
    with executor.patience.in_force():
        inside = waits.timeouts(bench.connection)
        assert inside != before
        bench.connection.close()
        bench.connection.ensure_connection()
        assert waits.timeouts(bench.connection) == inside  # also after a reconnect
    assert waits.timeouts(bench.connection) == before


def show(seen: list[Any]) -> Callable[[Any, Any], None]:
    def look(apps: Any, schema_editor: Any) -> None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            seen.append(cursor.fetchone()[0])

    return look


@on_postgresql
def test_a_limit_of_the_migrations_own_lasts_as_long_as_the_migration(bench: Bench) -> None:
    seen: list[Any] = []
    look = migrations.RunPython(show(seen))
    own = migrations.RunSQL("SET lock_timeout = '77s'")
    run(
        bench,
        make("0001", [look, own, look], atomic=True),
        make("0002", [look], atomic=True),
        make("0003", [own, look], atomic=False),
        make("0004", [look], atomic=False),
        limits=Limits(lock=5),
    )
    assert seen == ["5s", "77s", "5s", "77s", "5s"]


@on_postgresql
def test_what_is_built_concurrently_waits_as_long_as_it_takes(
    bench: Bench, reader: BaseDatabaseWrapper
) -> None:
    seen: list[Any] = []
    index = AddIndexConcurrently("Pet", models.Index(fields=["age"], name="pet_age"))
    several = (
        make("0001", [PETS], atomic=True),
        make("0002", [index, migrations.RunPython(show(seen))], atomic=False),
    )
    run(bench, several[0])
    began = time.monotonic()
    held = "INSERT INTO pets_pet (age) VALUES (2) RETURNING id"
    with held_until(bench, reader, lambda: time.monotonic() > began + 1.5, held):
        run(bench, *several, limits=Limits(lock=0.2, statement=1))
    assert contended(bench) == []
    assert bench.database.query(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'pet_age'::regclass"
    ) == [(True,)]
    assert seen == ["200ms"]
    waited = [e for e in bench.events if isinstance(e, events.MigrationApplied)][-1]
    assert waited.lock_wait_seconds > 0.5


@on_postgresql
def test_outside_of_a_transaction_only_the_failed_statement_is_tried_again(
    bench: Bench, reader: BaseDatabaseWrapper
) -> None:
    twice = migrations.RunSQL(
        ["INSERT INTO pets_log VALUES (1)", "ALTER TABLE pets_pet ADD COLUMN x integer"]
    )
    several = (
        make("0001", [PETS, migrations.RunSQL("CREATE TABLE pets_log (n integer)")], atomic=True),
        make("0002", [NAME, twice], atomic=False),
    )
    run(bench, several[0])

    with held_until(bench, reader, lambda: len(contended(bench)) >= 2):
        run(bench, *several)
    assert bench.database.query("SELECT count(*) FROM pets_log") == [(1,)]
    assert bench.database.query("SELECT x, name FROM pets_pet") == []
    found = [(n, p) for name, n, p in phases(bench, "operation") if name == "pets.0002:0"]
    assert found[:3] == [(1, "intent"), (1, "failed"), (2, "intent")]


@on_postgresql
def test_a_statement_of_code_outside_of_a_transaction_is_tried_again_alone(
    bench: Bench, reader: BaseDatabaseWrapper
) -> None:
    ran: list[int] = []

    def code(apps: Any, schema_editor: Any) -> None:
        ran.append(1)
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("INSERT INTO pets_log VALUES (1)")
            cursor.execute("ALTER TABLE pets_pet ADD COLUMN x integer")

    several = (
        make("0001", [PETS, migrations.RunSQL("CREATE TABLE pets_log (n integer)")], atomic=True),
        make("0002", [migrations.RunPython(code), NAME], atomic=False),
    )
    run(bench, several[0])
    with held_until(bench, reader, lambda: len(contended(bench)) >= 2):
        run(bench, *several)
    assert ran == [1]
    assert bench.database.query("SELECT count(*) FROM pets_log") == [(1,)]
    found = [(n, p) for name, n, p in phases(bench, "operation") if name == "pets.0002:0"]
    assert found[:5] == [(1, "intent"), (1, "failed"), (2, "intent"), (2, "failed"), (3, "intent")]
    assert found[-1][1] == "done"
    assert [(n, p) for name, n, p in phases(bench) if name == "pets.0002"] == [
        (1, "intent"),
        (1, "done"),
    ]


@on_postgresql
def test_code_that_expects_no_lock_is_left_alone(bench: Bench, reader: BaseDatabaseWrapper) -> None:
    caught: list[str] = []

    def code(apps: Any, schema_editor: Any) -> None:
        try:
            with schema_editor.connection.cursor() as cursor:
                cursor.execute("SELECT * FROM pets_pet FOR UPDATE NOWAIT")
        except OperationalError as error:
            caught.append(error.__cause__.sqlstate)  # type: ignore[union-attr]

    several = (
        make("0001", [PETS], atomic=True),
        # Not the last operation: that one would get a transaction, with the rows.
        make("0002", [migrations.RunPython(code), NAME], atomic=False),
    )
    run(bench, several[0])
    bench.database.execute("INSERT INTO pets_pet (age) VALUES (3)")
    with held_until(bench, reader, lambda: bool(caught), "SELECT * FROM pets_pet FOR UPDATE"):
        run(bench, *several)
    assert caught == ["55P03"]
    assert phases(bench, "operation")[:2] == [
        ("pets.0002:0", 1, "intent"),
        ("pets.0002:0", 1, "done"),
    ]


@on_postgresql
def test_code_of_an_atomic_migration_runs_again_with_it(
    bench: Bench, reader: BaseDatabaseWrapper
) -> None:
    def code(apps: Any, schema_editor: Any) -> None:
        alias = schema_editor.connection.alias
        apps.get_model("pets", "Pet").objects.using(alias).create(age=5)

    several = (
        make("0001", [PETS], atomic=True),
        make("0002", [migrations.RunPython(code), NAME], atomic=True),
    )
    run(bench, several[0])
    with held_until(bench, reader, lambda: len(contended(bench)) >= 2):
        run(bench, *several)
    assert bench.database.query("SELECT age, name FROM pets_pet") == [(5, "?")]


@on_postgresql
def test_code_that_wrote_to_another_database_is_not_tried_again_by_itself(
    bench: Bench,
    reader: BaseDatabaseWrapper,
    create_database: Callable[..., Database],
    register_alias: Register,
) -> None:
    other = create_database("sqlite")
    other.execute("CREATE TABLE log (n integer)")
    alias = register_alias(other.settings()).alias

    def code(apps: Any, schema_editor: Any) -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute("INSERT INTO log VALUES (1)")

    several = (
        make("0001", [PETS], atomic=True),
        make("0002", [migrations.RunPython(code), NAME], atomic=True),
    )
    run(bench, several[0])
    with (
        held_until(bench, reader, lambda: False),
        pytest.raises(LockTimedOut) as raised,
    ):
        run(bench, *several)
    assert alias in raised.value.hint
    assert other.query("SELECT count(*) FROM log") == [(1,)]
    assert contended(bench) == []


@on_postgresql
def test_a_deadlock_is_tried_again(bench: Bench, reader: BaseDatabaseWrapper) -> None:
    first = migrations.RunSQL("LOCK TABLE pets_pet IN ACCESS EXCLUSIVE MODE")
    second = migrations.RunSQL("LOCK TABLE pets_log IN ACCESS EXCLUSIVE MODE")
    meeting = threading.Event()

    def meet(apps: Any, schema_editor: Any) -> None:
        meeting.set()
        time.sleep(0.2)

    several = (
        make("0001", [PETS, migrations.RunSQL("CREATE TABLE pets_log (n integer)")], atomic=True),
        make("0002", [first, migrations.RunPython(meet), second], atomic=True),
    )
    run(bench, several[0])
    bench.database.execute(f'ALTER DATABASE "{bench.database.name}" SET deadlock_timeout = 300')
    bench.connection.close()

    def collide() -> None:
        with bench.database.connect() as rival:  # type: ignore[attr-defined]
            # Looks for deadlocks later than we do, so that we are the one that is given up.
            rival.execute("SET deadlock_timeout = '20s'")
            with rival.transaction():
                rival.execute("LOCK TABLE pets_log IN ACCESS EXCLUSIVE MODE")
                meeting.wait(10)
                rival.execute("LOCK TABLE pets_pet IN ACCESS EXCLUSIVE MODE")

    thread = threading.Thread(target=collide)
    thread.start()
    run(bench, *several, limits=Limits(lock=30, retries=8))
    thread.join()
    failed = [e for e in bench.journal.entries("migration") if e.phase == "failed"]
    assert failed[0].payload["contended"] == "deadlock"


@on_postgresql
def test_a_statement_that_takes_too_long_is_not_tried_again(bench: Bench) -> None:
    slow = make("0001", [migrations.RunSQL("SELECT pg_sleep(30)")], atomic=True)
    with pytest.raises(StatementTimedOut, match="operation 0") as raised:
        run(bench, slow, limits=Limits(lock=1, retries=5, statement=0.2))
    assert "STATEMENT_TIMEOUT" in raised.value.hint
    assert contended(bench) == []


@on_mysql
def test_a_statement_that_takes_too_long_on_mariadb(bench: Bench) -> None:
    if not bench.connection.mysql_is_mariadb:  # type: ignore[attr-defined]
        pytest.skip("MySQL limits nothing but reading")
    slow = make("0001", [migrations.RunSQL("DO SLEEP(0)"), migrations.RunSQL(_BUSY)], atomic=True)
    with pytest.raises(StatementTimedOut) as raised:
        run(bench, slow, limits=Limits(lock=1, retries=5, statement=0.2))
    assert "STATEMENT_TIMEOUT" in raised.value.hint
    assert "in its way" not in raised.value.hint  # nobody was


_BUSY = "CREATE TABLE t AS SELECT COUNT(*) AS n FROM seq_1_to_100000 a, seq_1_to_100000 b"


@on_postgresql
def test_going_back_is_patient_too(bench: Bench, reader: BaseDatabaseWrapper) -> None:
    several = make("0001", [PETS], atomic=True), make("0002", [NAME], atomic=True)
    executor = run(bench, *several)
    state = several[0].mutate_state(migrations.state.ProjectState())
    with (
        held_until(bench, reader, lambda: len(contended(bench)) >= 2),
        executor.patience.in_force(),
    ):
        executor.unapply_migration(state, several[1])
    assert len(contended(bench)) >= 2
    assert bench.database.query("SELECT * FROM pets_pet") == []
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'pets_pet'::regclass"
    assert ("name",) not in bench.database.query(columns)


@on_postgresql
def test_readers_behind_a_queued_alter_are_let_through(
    bench: Bench, reader: BaseDatabaseWrapper
) -> None:
    """Without a limit, they would wait as long as the idle one sits there."""
    several = make("0001", [PETS], atomic=True), make("0002", [NAME], atomic=True)
    run(bench, several[0])
    limit = 0.3
    waits: list[float] = []
    until = time.monotonic() + 2.5
    stop = threading.Event()

    def read() -> None:
        with bench.database.connect() as session:  # type: ignore[attr-defined]
            while not stop.is_set():
                began = time.monotonic()
                session.execute("SELECT count(*) FROM pets_pet")
                waits.append(time.monotonic() - began)
                time.sleep(0.01)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        with held_until(bench, reader, lambda: time.monotonic() > until):
            run(bench, *several, limits=Limits(lock=limit, retries=50))
    finally:
        stop.set()
        thread.join()
    assert len(contended(bench)) >= 3
    assert len(waits) > 20
    assert max(waits) < 5 * limit


@every_vendor
def test_a_session_that_is_opened_again_has_the_same_settings(bench: Bench) -> None:
    backend, connection = backend_for(bench.database.vendor), bench.connection
    query = {
        "postgresql": "SHOW client_connection_check_interval",
        "mysql": "SELECT @@session.lock_wait_timeout",
        "sqlite": "PRAGMA busy_timeout",
    }[bench.database.vendor]

    def setting() -> Any:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]

    connection.close()
    backend.connect(connection)
    before = setting()
    with backend.keep_settings(connection):
        connection.close()  # as a migration may, or a network
        assert setting() == before


@on_postgresql
def test_nobody_looks_while_nothing_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[BaseDatabaseWrapper] = []
    monkeypatch.setattr("migrator.executor.watcher._open", opened.append)
    run(bench, make("0001", [PETS], atomic=True), limits=Limits(lock=3, retries=3))
    assert opened == []
    assert not [t for t in threading.enumerate() if t.name == "migrator-watcher"]


@on_postgresql
def test_what_goes_wrong_with_watching_stays_there(
    bench: Bench, reader: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(connection: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
        raise OperationalError("too many connections")

    monkeypatch.setattr("migrator.executor.watcher._open", refuse)
    several = make("0001", [PETS], atomic=True), make("0002", [NAME], atomic=True)
    run(bench, several[0])
    with held_until(bench, reader, lambda: len(contended(bench)) >= 2):
        run(bench, *several)
    assert contended(bench)[0].blockers == ()
    assert bench.database.query("SELECT name FROM pets_pet") == []
