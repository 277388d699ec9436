"""A run that meets somebody else's lock, as a user sees it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from journal import open_journal
from tests.projects import Project
from tests.servers import PostgresDatabase
from tests.zygote import Child, Zygote

MODELS = """\
from django.db import models


class Tick(models.Model):
    id = models.BigAutoField(primary_key=True)
"""
INITIAL = """\
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Tick", [
            ("id", models.BigAutoField(primary_key=True, serialize=False)),
        ]),
    ]
"""
SECOND = """\
class Migration(migrations.Migration):
    dependencies = [("clock", "0001_initial")]
    operations = [migrations.AddField("Tick", "at", models.IntegerField(default=0, db_index=True))]
"""
LIMITS = ("--lock-timeout", "0.3", "--no-backup")


@pytest.fixture
def project(
    make_project: Callable[..., Project], postgres_database: PostgresDatabase, zygote: Zygote
) -> Project:
    project = make_project(
        databases={"default": postgres_database.settings()},
        apps={"clock": {"models": MODELS, "migrations": {"0001_initial": INITIAL}}},
        installed=(),
    )
    first = zygote.run(project, "migrate_all")
    assert first.code == 0, first
    project.write(
        "clock/models.py", MODELS + "    at = models.IntegerField(default=0, db_index=True)\n"
    )
    project.write_migration("clock", "0002_at", SECOND)
    return project


@contextmanager
def reading(
    database: PostgresDatabase, sql: str = "SELECT id AS password FROM clock_tick"
) -> Iterator[None]:
    """A session that has looked at the table and forgotten to end its transaction."""
    with database.connect() as session:
        session.execute("SET application_name = 'forgotten-psql'")
        with session.transaction():
            session.execute(sql)  # type: ignore[call-overload]
            yield


def until(child: Child, condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert child.running(), child.wait()
        assert time.monotonic() < deadline, child.said()
        time.sleep(0.03)


def attempts(project: Project) -> list[tuple[int, str]]:
    with open_journal(project.journal_url) as journal:
        run = journal.runs()[0]
        return [
            (e.attempt, e.phase.value)
            for e in journal.entries(run.id)
            if e.kind == "migration" and e.name == "clock.0002_at"
        ]


def test_it_waits_says_for_whom_and_goes_on_by_itself(
    project: Project, postgres_database: PostgresDatabase, zygote: Zygote
) -> None:
    with reading(postgres_database):
        child = zygote.start(project, "migrate_all", *LIMITS)
        until(child, lambda: "forgotten-psql" in child.said())
        until(child, lambda: (2, "intent") in attempts(project))
    ended = child.wait()
    assert ended.code == 0, ended
    assert "idle in transaction" in ended.output
    found = attempts(project)
    assert found[:3] == [(1, "intent"), (1, "failed"), (2, "intent")]
    assert found[-1][1] == "done"
    assert postgres_database.query("SELECT at FROM clock_tick") == []


def test_in_the_end_it_fails_names_who_it_was_and_can_be_resumed(
    project: Project, postgres_database: PostgresDatabase, zygote: Zygote
) -> None:
    with reading(postgres_database):
        ended = zygote.run(project, "migrate_all", *LIMITS, "--lock-retries", "1")
    assert ended.code == 1, ended
    assert "got no lock within 0.3 s" in ended.output
    assert "forgotten-psql" in ended.output
    assert "Traceback" not in ended.output
    assert attempts(project) == [(1, "intent"), (1, "failed"), (2, "intent"), (2, "failed")]
    resumed = zygote.run(project, "migrate_all", "--resume")
    assert resumed.code == 0, resumed
    assert attempts(project)[-1] == (3, "done")


def test_an_interrupt_in_a_pause_is_heard_at_once(
    project: Project, postgres_database: PostgresDatabase, zygote: Zygote
) -> None:
    with reading(postgres_database):
        child = zygote.start(project, "migrate_all", *LIMITS)
        until(child, lambda: (3, "failed") in attempts(project))  # a pause of 2 s and more
        began = time.monotonic()
        ended = child.kill(signal.SIGINT)
        seconds = time.monotonic() - began
    assert ended.code == 130, ended
    assert attempts(project)[-1] == (3, "failed")
    assert seconds < 60  # not one attempt after the other until the reader is gone


def test_a_repair_is_as_patient(
    project: Project, postgres_database: PostgresDatabase, zygote: Zygote
) -> None:
    first = zygote.run(project, "migrate_all", "--no-backup")
    assert first.code == 0, first
    index = "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%clock_tick% (at)'"
    ((name,),) = postgres_database.query(index)
    postgres_database.execute(f"DROP INDEX {name}")
    with reading(postgres_database, "INSERT INTO clock_tick (at) VALUES (1)"):
        child = zygote.start(project, "migrate_all", "--repair", *LIMITS)
        until(child, lambda: "The repair got no lock" in child.said())
    ended = child.wait()
    assert ended.code == 0, ended
    assert len(postgres_database.query(index)) == 1
    with open_journal(project.journal_url) as journal:
        found = [e for e in journal.entries(journal.runs()[0].id) if e.kind == "repair"]
    assert [(e.attempt, e.phase.value) for e in found][:3] == [
        (1, "intent"),
        (1, "failed"),
        (2, "intent"),
    ]
    assert "forgotten-psql" in found[1].payload["blockers"][0]
