"""One writer at a time: locks that are lost, proxies, and two processes on one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from journal import open_journal
from tests.acceptance.test_waiting import entries, journaled, until
from tests.integration.test_backend_sessions import Pooler
from tests.projects import Project
from tests.servers import Database, PostgresDatabase
from tests.zygote import Child, Zygote

INITIAL = """\
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Coin", [("id", models.BigAutoField(primary_key=True, serialize=False))]
        ),
    ]
"""
# Stops where it is until the file "go" is there; then does what the test says.
STOP = """\
import time
from pathlib import Path

from django.db import connections, migrations, models


def stop(apps, schema_editor):
    Path("here").touch()
    while not Path("go").exists():
        time.sleep(0.02)
    connection = schema_editor.connection
    {then}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("bank", "0001_initial")]
    operations = [migrations.RunPython(stop, atomic=False)]
"""
AFTER = """\
from django.db import migrations


def mint(apps, schema_editor):
    apps.get_model("bank", "Coin").objects.using(schema_editor.connection.alias).create()


class Migration(migrations.Migration):
    dependencies = [("bank", "0002_stop")]
    operations = [migrations.RunPython(mint)]
"""
MODELS = """\
from django.db import models


class Coin(models.Model):
    id = models.BigAutoField(primary_key=True)
"""


@pytest.fixture
def bank(make_project: Callable[..., Project]) -> Callable[..., Project]:
    def make(database: Database, then: str = "pass", **settings: Any) -> Project:
        migrations = {
            "0001_initial": INITIAL,
            "0002_stop": STOP.format(then=then),
            "0003_after": AFTER,
        }
        return make_project(
            databases={"default": {**database.settings(), **settings}},
            apps={"bank": {"models": MODELS, "migrations": migrations}},
            installed=(),
        )

    return make


def stopped(zygote: Zygote, project: Project) -> Child:
    """A run that stands in bank.0002_stop."""
    child = zygote.start(project, "migrate_all")
    until(child, (project.root / "here").exists)
    return child


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_a_connection_that_a_migration_closed_gets_its_lock_back(
    zygote: Zygote,
    bank: Callable[..., Project],
    create_database: Callable[..., Database],
    vendor: str,
) -> None:
    database = create_database(vendor)
    project = bank(database, "connection.close()")
    child = stopped(zygote, project)
    (project.root / "go").touch()
    ended = child.wait()
    assert ended.code == 0, ended.output
    assert database.query("SELECT id FROM bank_coin") == [(1,)]


def test_a_lock_that_was_lost_to_somebody_else(
    zygote: Zygote, bank: Callable[..., Project], postgres_database: PostgresDatabase
) -> None:
    """The session is terminated, and another one has changed the history before it is noticed."""
    database = postgres_database
    for in_between, code in (
        ("INSERT INTO django_migrations (app, name, applied) VALUES ('bank', 'x', now())", 1),
        ("SELECT 1", 0),
    ):
        database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        project = bank(database, "connection.close_if_unusable_or_obsolete(); connection.close()")
        child = stopped(zygote, project)
        database.query(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'migrator:%' AND datname = current_database()"
        )
        database.execute(in_between)
        (project.root / "go").touch()
        ended = child.wait()
        assert ended.code == code, ended.output
        assert ("changed by somebody else" in ended.output) is bool(code)
        assert (database.query("SELECT id FROM bank_coin") == []) is bool(code)
        assert not journal_breaks(project)


def test_two_processes_on_one_run(
    zygote: Zygote, bank: Callable[..., Project], postgres_database: PostgresDatabase
) -> None:
    """The first has lost its session; the second takes the run over; the first is fenced off."""
    database = postgres_database
    project = bank(database)
    first = stopped(zygote, project)
    database.query(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name LIKE 'migrator:%' AND datname = current_database()"
    )
    (project.root / "here").unlink()
    (run,) = journaled(project)
    second = zygote.start(
        project, "migrate_all", "--resume", run.id, "--assume-not-applied", "bank.0002_stop"
    )
    until(second, (project.root / "here").exists)
    (project.root / "go").touch()
    ended, late = second.wait(), first.wait()
    assert ended.code == 0, f"{ended}\n{late}"
    assert late.code != 0, late.output
    assert "Traceback" not in late.output
    assert database.query("SELECT id FROM bank_coin") == [(1,)]
    (run,) = journaled(project)
    assert run.status.value == "complete"
    assert not journal_breaks(project)
    epochs = [entry.epoch for entry in entries(project, run.id)]
    assert epochs == sorted(epochs), "nothing of the first after the second had claimed"
    checked = project.migrator("journal", "check")
    assert checked.returncode == 0, checked


def journal_breaks(project: Project) -> tuple[Any, ...]:
    with open_journal(project.journal_url, create=False) as journal:
        return journal.verify()


@pytest.mark.parametrize("size", [1, 3])
def test_a_proxy_that_pools_transactions(
    zygote: Zygote, bank: Callable[..., Project], postgres_database: PostgresDatabase, size: int
) -> None:
    """Refused before anything is taken: nothing written, and no lock left with the proxy."""
    database = postgres_database
    with closing(Pooler(database, mode="transaction", size=size)) as pooler:
        project = bank(database, HOST="127.0.0.1", PORT=str(pooler.port))
        before = database.dump()
        ended = zygote.run(project, "migrate_all")
        assert ended.code == 1, ended.output
        assert "pools by transaction" in ended.output
        assert database.dump() == before
        assert database.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
        resumed = zygote.run(project, "migrate_all", "--resume")
        assert resumed.code == 1, resumed.output
        assert database.dump() == before
    deadline = time.monotonic() + 30
    while database.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != [(0,)]:
        assert time.monotonic() < deadline
