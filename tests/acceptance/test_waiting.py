"""Waiting for a lock: somebody else's on request, a killed process's own always."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from journal import open_journal
from tests.projects import Project
from tests.servers import Database, PostgresDatabase
from tests.zygote import Child, Ended, Zygote

# A server that does not look for its client: what was begun goes on to its end.
BLIND = "-c client_connection_check_interval=60000"

MODELS = """\
from django.db import models


class Tick(models.Model):
    id = models.BigAutoField(primary_key=True)
    at = models.IntegerField(default=0)
"""
INITIAL = """\
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Tick",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.IntegerField(default=0)),
            ],
        ),
        migrations.RunSQL(
            "INSERT INTO clock_tick (at) VALUES (1), (2), (3), (4)", migrations.RunSQL.noop
        ),
    ]
"""
# Each is held up by a lock of the test's: in a statement, in a COMMIT, in an index being built.
STATEMENT = """\
class Migration(migrations.Migration):
    dependencies = [("clock", "0001_initial")]
    operations = [
        migrations.RunSQL("UPDATE clock_tick SET at = at + 10"),
        migrations.RunSQL("SELECT pg_advisory_xact_lock(42)"),
    ]
"""
COMMIT = """\
class Migration(migrations.Migration):
    dependencies = [("clock", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;"
            "CREATE TABLE clock_slow (id int);"
            "CREATE CONSTRAINT TRIGGER dawdles AFTER INSERT ON clock_slow"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle();"
            "INSERT INTO clock_slow VALUES (1);"
            "UPDATE clock_tick SET at = at + 10"
        ),
    ]
"""
INDEX = """\
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Func


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("clock", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "CREATE OR REPLACE FUNCTION slowly(i integer) RETURNS integer"
            " IMMUTABLE LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN i; END $$",
            "DROP FUNCTION slowly",
        ),
        AddIndexConcurrently(
            "Tick", models.Index(Func(F("at"), function="slowly"), name="tick_slowly")
        ),
    ]
"""


def project_with(
    make_project: Callable[..., Project], database: Database, migration: str, **options: Any
) -> Project:
    models = MODELS
    if migration is INDEX:
        models += (
            "\n    class Meta:\n        indexes = [models.Index(models.Func(models.F('at'),"
            " function='slowly'), name='tick_slowly')]\n"
        )
    return make_project(
        databases={"default": database.settings(**options)},
        apps={
            "clock": {"models": models, "migrations": {"0001_initial": INITIAL, "0002": migration}}
        },
        installed=(),
        settings_extra='MIGRATOR["LOCK_TIMEOUT"] = 0\n',  # held up for longer than is the default
    )


def until(child: Child, condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert child.running(), child.wait()
        assert time.monotonic() < deadline, child.said()
        time.sleep(0.03)


def sessions(database: Database, what: str) -> int:
    """Sessions of ours that are running such a query."""
    count: int = database.query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        f" AND pid <> pg_backend_pid() AND state = 'active' AND query ~* '{what}'"
    )[0][0]
    return count


@pytest.mark.parametrize(
    ("migration", "busy", "outcome"),
    [
        pytest.param(STATEMENT, "SELECT pg_advisory", "done", id="statement"),
        pytest.param(COMMIT, "^COMMIT", "reconciled", id="commit"),
        pytest.param(INDEX, "^CREATE INDEX", "done", id="index"),
    ],
)
def test_what_a_killed_process_left_running_is_waited_for(
    zygote: Zygote,
    make_project: Callable[..., Project],
    postgres_database: PostgresDatabase,
    migration: str,
    busy: str,
    outcome: str,
) -> None:
    """Its session goes on after the SIGKILL, with the lock; then the database says what it did."""
    database = postgres_database
    project = project_with(make_project, database, migration, options=BLIND)
    with database.connect() as brake:
        brake.execute("SELECT pg_advisory_lock(42)")
        child = zygote.start(project, "migrate_all")
        until(child, lambda: sessions(database, busy))
        assert child.kill().killed
        run_id = journaled(project)[0].id
        fresh = zygote.run(project, "migrate_all")
        assert fresh.code == 4, fresh  # a new run waits for nobody unasked
        assert run_id in fresh.output
        preview = zygote.run(project, "migrate_all", "--resume", run_id, "--dry-run")
        assert "what the killed process has left" in " ".join(preview.stdout.split()), preview

        resumed = zygote.start(project, "migrate_all", "--resume", run_id)
        until(resumed, lambda: "waiting, at most" in resumed.said())
        assert sessions(database, busy) == 1, "the server's session is at it still"
    ended = resumed.wait()
    assert ended.code == 0, ended
    assert run_id in ended.output
    extra = 0 if migration is INDEX else 10
    assert database.query("SELECT at FROM clock_tick ORDER BY at") == [
        (number + extra,) for number in (1, 2, 3, 4)
    ]
    phases = [
        (entry.attempt, entry.phase.value)
        for entry in entries(project, run_id)
        if (entry.kind, entry.name) == ("migration", "clock.0002")
    ]
    assert phases[-1][1] == outcome
    assert len([phase for phase in phases if phase[1] != "intent"]) == 1
    if migration is INDEX:
        operations = [
            entry.phase.value for entry in entries(project, run_id) if entry.name == "clock.0002:1"
        ]
        assert operations == ["intent", "reconciled"], "the index was finished without us"


@pytest.mark.parametrize("journal_lost", [False, True], ids=["resumed", "journal lost"])
def test_an_index_that_was_left_invalid_is_no_drift(
    zygote: Zygote,
    make_project: Callable[..., Project],
    postgres_database: PostgresDatabase,
    journal_lost: bool,
) -> None:
    """Process and session both gone in the middle of it: dropped, and built again."""
    database = postgres_database
    project = project_with(make_project, database, INDEX, options=BLIND)
    with database.connect() as brake:
        brake.execute("SELECT pg_advisory_lock(42)")
        child = zygote.start(project, "migrate_all")
        until(child, lambda: sessions(database, "^CREATE INDEX"))
        assert child.kill().killed
        database.query(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query ~ '^CREATE INDEX'"
        )
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'tick_slowly'::regclass"
    assert database.query(valid) == [(False,)]
    if journal_lost:
        for path in project.root.glob("migrator_journal.sqlite3*"):
            path.unlink()
    checked = zygote.run(project, "migrate_all", "--check")
    assert checked.code == 0, checked.output
    ended = zygote.run(project, "migrate_all", *(() if journal_lost else ("--resume",)))
    assert ended.code == 0, ended
    assert database.query(valid) == [(True,)]


def journaled(project: Project) -> list[Any]:
    with open_journal(project.journal_url, create=False) as journal:
        return list(journal.runs())


def entries(project: Project, run_id: str) -> list[Any]:
    with open_journal(project.journal_url, create=False) as journal:
        return list(journal.entries(run_id))


@pytest.fixture(params=["postgresql", "mysql", "sqlite"])
def held(
    request: pytest.FixtureRequest,
    zygote: Zygote,
    make_project: Callable[..., Project],
    create_database: Callable[..., Database],
) -> Iterator[tuple[Project, Child]]:
    """A run that holds the lock, and goes on when the file "go" is there."""
    slow = """\
        import time
        from pathlib import Path

        from django.db import migrations


        def wait(apps, schema_editor):
            Path("here").touch()
            while not Path("go").exists():
                time.sleep(0.02)


        class Migration(migrations.Migration):
            dependencies = [("clock", "0001_initial")]
            operations = [migrations.RunPython(wait)]
        """
    project = project_with(make_project, create_database(request.param), slow)
    child = zygote.start(project, "migrate_all")
    until(child, (project.root / "here").exists)
    yield project, child
    (project.root / "go").touch()
    if child.running():
        child.wait()


def test_another_run_is_waited_for_on_request(held: tuple[Project, Child], zygote: Zygote) -> None:
    project, holder = held
    run_id = journaled(project)[0].id
    unasked = zygote.run(project, "migrate_all")
    assert unasked.code == 4, unasked
    assert run_id in unasked.output
    late = zygote.run(project, "migrate_all", "--wait-lock", "0.5")
    assert late.code == 4, late
    resumed = zygote.run(project, "migrate_all", "--resume", run_id)
    assert resumed.code == 4, resumed  # its process lives: that is no leftover

    waiting = zygote.start(project, "migrate_all", "--wait-lock", "60")
    checking = zygote.start(project, "migrate_all", "--check", "--wait-lock", "60")
    until(waiting, lambda: "waiting" in waiting.said())
    until(checking, lambda: "waiting" in checking.said())
    assert run_id in waiting.said(), "in which run"
    assert "since" in waiting.said() or "opened" in waiting.said()
    assert str(holder.pid) in waiting.said() or "from" in waiting.said()
    (project.root / "go").touch()
    first = holder.wait()
    assert first.code == 0, first
    for child in (waiting, checking):
        ended = child.wait()
        assert ended.code == 0, ended


def test_the_setting_waits_as_well(
    zygote: Zygote, make_project: Callable[..., Project], create_database: Callable[..., Database]
) -> None:
    project = project_with(make_project, create_database("sqlite"), STATEMENT)
    settings = project.root / "config/settings.py"
    kept = settings.read_text()
    for value, said in (("'long'", "WAIT_LOCK"), ("5", "")):
        settings.write_text(f"{kept}\nMIGRATOR['WAIT_LOCK'] = {value}\n")
        ended: Ended = zygote.run(project, "migrate_all", "--check", "--format", "json")
        assert ended.code == (2 if said else 0), ended
        assert said in ended.stderr
    refused = zygote.run(project, "migrate_all", "--wait-lock", "-1")
    assert refused.code == 2, refused
    assert json.dumps("-1").strip('"') in refused.stderr
