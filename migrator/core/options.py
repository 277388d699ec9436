"""What a caller asks of a run, as plain data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from migrator.core.lifecycle import Goal


@dataclass(frozen=True, slots=True)
class MigratorOptions:
    """Options of one run; every one has the default of `manage.py migrate_all` without flags.

    Attributes:
        check: Guards and scan only; nothing is written to any target.
        dry_run: As `check`, then the ordered plan with its SQL.
        repair: Repair drift before migrating.
        interactive: Whether decisions may be asked for on the terminal.
        skip_makemigrations: Leave model changes without a migration alone.
        verbosity: As Django's: 0 quiet, 1 normal, 2 and 3 more.
        databases: Only these aliases; empty for all.
        apps: Only these app labels (`migrator --app`); empty for all.
        fake_initial: As Django's `migrate --fake-initial`.
        run_syncdb: As Django's `migrate --run-syncdb`.
        fail_on_pending: With `check`: pending migrations also fail.
        deep: Hold the schema against a replay of the recorded migrations as well.
        expected: File of `migrator schema snapshot` to hold the schema against; None for none.
        accept_changed_migrations: Resume although migration files changed since the run began.
        wait_lock: Seconds to wait for another run on the same database; None: as the setting
            WAIT_LOCK says.
        assume_applied: Migrations whose unobservable effect the user vouches for
            ("app.name").
        assume_not_applied: Operations in doubt that are to be run again ("app.name" or
            "app.name:index").
        backup: "always" | "never"; None: as the setting BACKUP says.
        allow_destructive: Consent to steps that lose data.
        lock_timeout: Seconds that a statement waits for a lock; None: as the setting says.
        lock_retries: How often a migration that got no lock is tried again; None: as the setting
            says.
        test_command: Run after verification, in the project's root; None: as the setting says.
        rollback: The run whose migrations are to be unapplied ("" for any other kind of run).
        with_later: With `rollback`: unapply as well what has been applied since and needs them.
    """

    check: bool = False
    dry_run: bool = False
    repair: bool = False
    interactive: bool = False
    skip_makemigrations: bool = False
    verbosity: int = 1
    databases: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    fake_initial: bool = False
    run_syncdb: bool = False
    fail_on_pending: bool = False
    deep: bool = False
    expected: str | None = None
    accept_changed_migrations: bool = False
    wait_lock: float | None = None
    assume_applied: tuple[str, ...] = ()
    assume_not_applied: tuple[str, ...] = ()
    backup: str | None = None
    allow_destructive: bool = False
    lock_timeout: float | None = None
    lock_retries: int | None = None
    test_command: str | None = None
    rollback: str = ""
    with_later: bool = False

    @property
    def goal(self) -> Goal:
        """The state that ends this run well."""
        return Goal.SCANNED if self.check or self.dry_run else Goal.VERIFIED

    @property
    def kind(self) -> str:
        """The kind of run, as the journal and the report name it."""
        if self.check:
            return "check"
        if self.dry_run:
            return "dry-run"
        if self.rollback:
            return "rollback"
        return "repair" if self.repair else "migrate"

    @property
    def selection(self) -> tuple[str, ...]:
        """The flags that say what the run is about: databases and apps."""
        databases = [word for alias in self.databases for word in ("--database", alias)]
        back = ("--rollback", self.rollback) if self.rollback and self.dry_run else ()
        return (*databases, *(word for label in self.apps for word in ("--app", label)), *back)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data, for the journal."""
        return dataclasses.asdict(self)
