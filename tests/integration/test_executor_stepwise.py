"""Migrations without a transaction around them: crashed at every boundary, then resumed.

Each sweep crashes within this process: `Crash` at boundary k of the SQL or of the journal, the
connection closed, the journal as a killed process would have left it. `test_executor_crash.py`
does it with SIGKILL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from migrator.core import events
from migrator.exceptions import DecisionNeeded, Diverged, MigrationFailed, MigratorError
from migrator.executor import CrashSafeExecutor
from tests.crash import Crash, DyingJournal, crash_at, wait_until_alone
from tests.servers import Database

Register = Callable[..., BaseDatabaseWrapper]
vendors_without_transactional_ddl = pytest.mark.parametrize(
    "vendor", [pytest.param("mysql", marks=pytest.mark.mysql)]
)
every_vendor = pytest.mark.parametrize(
    "vendor",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
    ],
)


def make(
    name: str, operations: Sequence[Operation], *, atomic: bool = False, **attributes: Any
) -> migrations.Migration:
    """A migration of the app "pets", in memory."""
    body = {"operations": list(operations), "atomic": atomic, **attributes}
    return type("Migration", (migrations.Migration,), body)(name, "pets")


def key() -> models.BigAutoField:
    return models.BigAutoField(primary_key=True)


CREATE = (
    migrations.CreateModel(
        "Owner", [("id", key()), ("name", models.CharField(max_length=20, db_index=True))]
    ),
    migrations.CreateModel(
        "Pet",
        [
            ("id", key()),
            ("name", models.CharField(max_length=20, null=True)),
            ("code", models.CharField(max_length=20, unique=True)),
            ("owner", models.ForeignKey("pets.Owner", models.CASCADE)),
            ("friends", models.ManyToManyField("pets.Pet")),
        ],
        options={"unique_together": {("name", "owner")}},
    ),
)
ALTER = (
    migrations.AddField("Pet", "born", models.DateField(null=True, db_index=True)),
    migrations.AddField("Pet", "notes", models.TextField(default="none")),
    migrations.AddField("Pet", "vet", models.ForeignKey("pets.Owner", models.CASCADE, null=True)),
    migrations.AlterField(
        "Pet", "owner", models.ForeignKey("pets.Owner", models.SET_NULL, null=True)
    ),
    migrations.AlterField("Pet", "name", models.CharField(max_length=40, default="?")),
    migrations.RenameField("Pet", "code", "chip"),
    migrations.AddIndex("Pet", models.Index(fields=["name", "born"], name="pet_name_born_idx")),
    migrations.AlterUniqueTogether("Pet", set()),
    migrations.RenameModel("Owner", "Person"),
    migrations.AddConstraint(
        "Pet", models.UniqueConstraint(fields=["chip", "born"], name="pet_chip_born")
    ),
    migrations.AlterField("Person", "id", models.AutoField(primary_key=True)),
    migrations.RemoveField("Pet", "notes"),
    migrations.CreateModel(
        "Toy", [("id", key()), ("pet", models.ForeignKey("pets.Pet", models.CASCADE))]
    ),
    migrations.AlterField("Toy", "pet", models.OneToOneField("pets.Pet", models.CASCADE)),
)


class Bench:
    """One database on which the same migrations are run again and again, from nothing."""

    def __init__(self, database: Database, connection: BaseDatabaseWrapper) -> None:
        self.database = database
        self.connection = connection
        self.journal = DyingJournal()
        self.events: list[events.Event] = []

    def wipe(self) -> None:
        """Drop all tables, and forget the journal."""
        self.connection.close()
        wait_until_alone(self.database)
        if self.database.vendor == "sqlite":
            self.database.drop()
        elif self.database.vendor == "postgresql":
            self.database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        else:
            with self.connection.constraint_checks_disabled(), self.connection.cursor() as cursor:
                for table in self.connection.introspection.table_names(cursor):
                    cursor.execute(f"DROP TABLE `{table}`")
        self.connection.close()
        self.journal = DyingJournal()

    def stock(self, *several: migrations.Migration) -> str:
        """What Django's own executor makes of them."""
        self.wipe()
        state = ProjectState()
        executor = MigrationExecutor(self.connection)
        executor.recorder.ensure_schema()
        for migration in several:
            state = executor.apply_migration(state, migration)
        return self.dump()

    def ours(self, *several: migrations.Migration, **options: Any) -> None:
        """Run what is not recorded yet, as a new process would."""
        executor = CrashSafeExecutor(
            self.connection, journal=self.journal, emit=self.events.append, **options
        )
        executor.reconcile_with(self.journal.entries("migration"))
        executor.recorder.ensure_schema()
        recorded = executor.recorder.applied_migrations()
        state = ProjectState()
        for migration in several:
            if (migration.app_label, migration.name) in recorded:
                migration.mutate_state(state, preserve=False)
            else:
                state = executor.apply_migration(state, migration)

    def crash(self, boundary: int, *several: migrations.Migration, **options: Any) -> bool:
        """Run until a boundary; whether it was reached."""
        with crash_at(boundary) as clock:
            self.journal.clock = clock
            try:
                self.ours(*several, **options)
            except Crash:
                pass
            finally:
                self.journal.clock = None
        self.connection.close()
        wait_until_alone(self.database)
        return clock.struck

    def dump(self) -> str:
        """The schema and what is recorded."""
        rows = self.database.query("SELECT app, name FROM django_migrations ORDER BY app, name")
        return f"{self.database.dump()}\n{rows}"


@pytest.fixture
def bench(vendor: str, create_database: Callable[..., Database], register_alias: Register) -> Bench:
    database = create_database(vendor)
    return Bench(database, register_alias(database.settings()))


def sweep(
    bench: Bench,
    *several: migrations.Migration,
    start: int = 1,
    step: int = 1,
    data: str = "",
) -> int:
    """Crash at every boundary, resume, compare; how many boundaries there were."""
    expected = bench.stock(*several)
    expected_data = bench.database.query(data) if data else []
    failures: list[str] = []
    boundary = start
    while True:
        bench.wipe()
        CrashSafeExecutor(bench.connection).recorder.ensure_schema()
        if not bench.crash(boundary, *several):
            break
        try:
            bench.ours(*several)
        except MigratorError as error:
            failures.append(f"{boundary}: {error}")
        else:
            if bench.dump() != expected:
                failures.append(f"{boundary}: another schema")
            if data and bench.database.query(data) != expected_data:
                failures.append(f"{boundary}: other rows")
        boundary += step
    assert not failures, "\n".join(failures)
    return boundary


@every_vendor
def test_schema_is_the_same_as_stock_djangos(bench: Bench) -> None:
    several = make("0001_initial", CREATE), make("0002_alter", ALTER)
    expected = bench.stock(*several)
    bench.wipe()
    bench.ours(*several)
    assert bench.dump() == expected


@every_vendor
def test_sweep_of_a_few_boundaries_ends_in_the_same_schema(bench: Bench) -> None:
    step = 61 if bench.database.vendor == "mysql" else 23  # each DDL statement is an fsync there
    assert sweep(bench, make("0001_initial", CREATE), make("0002_alter", ALTER), step=step) > 100


@pytest.mark.slow
@every_vendor
def test_sweep_of_every_boundary_ends_in_the_same_schema(bench: Bench) -> None:
    assert sweep(bench, make("0001_initial", CREATE), make("0002_alter", ALTER)) > 100
