"""The fleet in this process: what a run does around the lifecycle of each alias."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_migrate, pre_migrate
from django.test import override_settings

from journal import JournalUnreachable, MemoryJournal, Run, RunStatus
from migrator.conf import Settings
from migrator.core.options import MigratorOptions
from migrator.exceptions import ExitCode
from migrator.fleet import Fleet
from migrator.reports.document import Report
from tests.servers import PostgresDatabase, SQLiteServer

Register = Callable[..., BaseDatabaseWrapper]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Report]:
    """`run("alias", …, check=True, …)` → the report of a run with a journal of its own."""

    def run_fleet(*aliases: str, journal: MemoryJournal | None = None, **options: Any) -> Report:
        chosen = MigratorOptions(databases=aliases, skip_makemigrations=True, **options)
        project = Settings(journal_url="", base_dir=tmp_path)
        return Fleet(chosen, settings=project, journal=journal or MemoryJournal()).run()

    return run_fleet


class Apart:
    """Sends auth to the alias "people" and everything else to the other ones."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == "people") == (app_label == "auth")


class Elsewhere:
    """Sends nothing to "default"."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != "default"


# -- aliases that are not databases of their own -----------------------------------------


def test_the_empty_default_is_skipped(
    run: Callable[..., Report], register_alias: Register, sqlite: SQLiteServer
) -> None:
    register_alias(sqlite.create_database().settings(), "other")
    with override_settings(DATABASE_ROUTERS=[Elsewhere()]):
        report = run("default", "other")
    assert report.all_clean
    assert "no ENGINE" in report.database("default").skipped
    assert report.database("other").state == "verified"


def test_a_default_without_engine_that_owns_models_fails(run: Callable[..., Report]) -> None:
    report = run("default")
    error = report.database("default").error
    assert report.exit_code == ExitCode.USAGE
    assert error is not None
    assert "has no ENGINE" in error.message
    assert "auth." in error.message


def test_another_name_of_a_database_is_skipped(
    run: Callable[..., Report], register_alias: Register, sqlite: SQLiteServer
) -> None:
    database = sqlite.create_database()
    for alias in ("one", "two"):
        register_alias(database.settings(), alias)
    report = run("one", "two")
    assert report.all_clean
    assert report.database("two").skipped == "another name of the database that one covers"


def test_another_name_that_owns_other_models_is_refused(
    run: Callable[..., Report], register_alias: Register, sqlite: SQLiteServer
) -> None:
    """One history for both: auth would be recorded for the first and never made."""
    database = sqlite.create_database()
    for alias in ("one", "people"):
        register_alias(database.settings(), alias)
    with override_settings(DATABASE_ROUTERS=[Apart()]):
        report = run("one", "people")
    assert report.exit_code == ExitCode.FAILED
    for found in report.db_reports:
        assert found.error is not None
        assert "one and people are one database" in found.error.message
    assert database.query("SELECT name FROM sqlite_master") == []


def test_an_engine_that_cannot_be_loaded_fails_its_alias_alone(
    run: Callable[..., Report], register_alias: Register, sqlite: SQLiteServer
) -> None:
    entry = sqlite.create_database().settings()
    register_alias(entry, "sound")
    with override_entry("broken", {**entry, "ENGINE": "no.such.engine"}):
        report = run("broken", "sound")
    error = report.database("broken").error
    assert error is not None
    assert "no.such.engine" in error.message
    assert report.database("sound").state == "verified"


@contextmanager
def override_entry(alias: str, entry: dict[str, Any]) -> Iterator[None]:
    """An alias whose connection cannot even be made."""
    connections.settings[alias] = entry
    try:
        yield
    finally:
        del connections.settings[alias]


# -- what Django's migrate does around the plan --------------------------------------------


@pytest.fixture
def late_receivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An app whose `management` module connects a receiver that counts its calls."""
    (tmp_path / "late_receivers/management").mkdir(parents=True)
    (tmp_path / "late_receivers/__init__.py").write_text("")
    (tmp_path / "late_receivers/management/__init__.py").write_text(
        "from django.db.models.signals import post_migrate\n\n"
        "called = []\n\n\n"
        "def receive(using, **kwargs):\n"
        "    called.append(using)\n\n\n"
        "post_migrate.connect(receive)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "late_receivers"]):
        yield "late_receivers"
    module = sys.modules.pop("late_receivers.management", None)
    if module is not None:
        post_migrate.disconnect(module.receive)
    sys.modules.pop("late_receivers", None)


def test_receivers_of_management_modules_are_connected(
    run: Callable[..., Report], register_alias: Register, sqlite: SQLiteServer, late_receivers: str
) -> None:
    connection = register_alias(sqlite.create_database().settings())
    assert run(connection.alias).all_clean
    assert set(sys.modules[f"{late_receivers}.management"].called) == {connection.alias}


def test_receivers_get_a_stream_to_write_to(
    run: Callable[..., Report], register_alias: Register, sqlite: SQLiteServer
) -> None:
    """Documented by Django, so a receiver may take it as a positional argument."""
    connection = register_alias(sqlite.create_database().settings())
    written: list[Any] = []

    def receive(sender: Any, stdout: Any, **kwargs: Any) -> None:
        written.append(stdout)

    for signal in (pre_migrate, post_migrate):
        signal.connect(receive, sender=apps.get_app_config("auth"))
    try:
        report = run(connection.alias)
    finally:
        for signal in (pre_migrate, post_migrate):
            signal.disconnect(receive, sender=apps.get_app_config("auth"))
    assert report.all_clean, report.database(connection.alias).error
    assert written == [sys.stdout, sys.stdout]


def test_the_backend_prepares_the_database(
    run: Callable[..., Report],
    register_alias: Register,
    sqlite: SQLiteServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostGIS makes its extension there; a check must not."""
    connection = register_alias(sqlite.create_database().settings())
    prepared: list[str] = []
    monkeypatch.setattr(
        type(connection), "prepare_database", lambda self: prepared.append(self.alias)
    )
    run(connection.alias, check=True)
    assert prepared == []
    run(connection.alias)
    assert prepared == [connection.alias]


def test_fake_initial_records_what_is_there(
    run: Callable[..., Report], register_alias: Register, sqlite: SQLiteServer
) -> None:
    """Not drift, since it was said; without the flag it is, and a half of it always is."""
    database = sqlite.create_database()
    connection = register_alias(database.settings())
    run(connection.alias)
    forget = "DELETE FROM django_migrations WHERE app = 'sessions'"
    database.execute(forget)
    assert run(connection.alias, check=True).exit_code == ExitCode.FAILED
    report = run(connection.alias, fake_initial=True)
    assert report.all_clean
    (applied,) = report.database(connection.alias).applied
    assert (str(applied.migration), applied.how) == ("sessions.0001_initial", "faked")
    database.execute(forget)
    database.execute("DROP INDEX django_session_expire_date_a5c62663")
    assert run(connection.alias, fake_initial=True).exit_code == ExitCode.FAILED


# -- called by programs -----------------------------------------------------------------


def test_a_check_leaves_the_transaction_of_its_caller_alone(
    run: Callable[..., Report], register_alias: Register, sqlite: SQLiteServer
) -> None:
    """As within Django's TestCase, which holds every alias in a transaction."""
    connection = register_alias(sqlite.create_database().settings())
    assert run(connection.alias).all_clean
    with transaction.atomic(using=connection.alias):
        Group.objects.using(connection.alias).create(name="kept")
        assert run(connection.alias, check=True).all_clean
        assert Group.objects.using(connection.alias).count() == 1
    assert Group.objects.using(connection.alias).count() == 1


class Unclosable(MemoryJournal):
    """A journal that is full when the run is to be closed."""

    def close_run(self, run_id: str, status: RunStatus) -> Run:
        raise JournalUnreachable("The journal cannot be written: no space left.")


def test_a_run_that_the_journal_cannot_close_is_not_clean(
    run: Callable[..., Report], register_alias: Register, sqlite: SQLiteServer
) -> None:
    """`migrator journal check` would call it incomplete."""
    connection = register_alias(sqlite.create_database().settings())
    report = run(connection.alias, journal=Unclosable())
    assert report.exit_code == ExitCode.FAILED
    assert not report.all_clean
    assert "no space left" in report.notices[0].message


# -- somebody else is at work -----------------------------------------------------------------


@pytest.mark.timeout(60)
def test_a_locked_history_is_named_not_waited_for(
    run: Callable[..., Report], register_alias: Register, postgres_database: PostgresDatabase
) -> None:
    """Reading django_migrations would wait as long as the other one holds it."""
    connection = register_alias(postgres_database.settings())
    assert run(connection.alias).all_clean
    other = postgres_database.connect()
    try:
        other.execute("BEGIN")
        other.execute("LOCK TABLE django_migrations")
        for options in ({}, {"check": True}):
            report = run(connection.alias, **options)
            assert report.exit_code == ExitCode.LOCKED
            error = report.database(connection.alias).error
            assert error is not None
            assert "Somebody else" in error.message
    finally:
        other.close()
