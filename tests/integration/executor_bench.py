"""One database and one journal for migrations that are made in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from migrator.core import events
from migrator.executor import CrashSafeExecutor
from tests.crash import Crash, DyingJournal, crash_at, wait_until_alone
from tests.servers import Database


def make(
    name: str, operations: Sequence[Operation], *, atomic: bool = False, **attributes: Any
) -> migrations.Migration:
    """A migration of the app "pets", in memory."""
    body = {"operations": list(operations), "atomic": atomic, **attributes}
    return type("Migration", (migrations.Migration,), body)(name, "pets")


def key() -> models.BigAutoField:
    """A primary key."""
    return models.BigAutoField(primary_key=True)


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
        for migration in several:  # as if they had been loaded: Django 6 looks squashes up there
            executor.loader.disk_migrations[migration.app_label, migration.name] = migration
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

    def labels(self, *several: migrations.Migration) -> list[str]:
        """What an undisturbed run crosses; everything is wiped before and after it."""
        self.wipe()
        CrashSafeExecutor(self.connection).recorder.ensure_schema()
        with crash_at() as clock:
            self.journal.clock = clock
            self.ours(*several)
        self.wipe()
        CrashSafeExecutor(self.connection).recorder.ensure_schema()
        return clock.labels

    def dump(self) -> str:
        """The schema and what is recorded."""
        rows = self.database.query("SELECT app, name FROM django_migrations ORDER BY app, name")
        return f"{self.database.dump()}\n{rows}"
