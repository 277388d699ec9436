"""A repair within a resumed run forgets what that same run had applied; killed, it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.crash import wait_until_alone
from tests.projects import Project
from tests.servers import Database, PostgresDatabase, SQLiteServer
from tests.zygote import Zygote

KEY = """[("id", models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ))]"""


def creates(model: str, number: int, before: str = "") -> str:
    needs = f"dependencies = [('farm', {before!r})]" if before else "initial = True"
    return f"""\
            class Migration(migrations.Migration):
                {needs}
                operations = [migrations.CreateModel({model!r}, {KEY})]
            """


WAITS = """\
import os

from django.db import migrations


def wait(apps, schema_editor):
    if os.path.exists("hold"):
        raise RuntimeError("not yet")


class Migration(migrations.Migration):
    dependencies = [("barn", "0001_initial")]
    operations = [migrations.RunPython(wait)]
"""
RECEIVER = """\
import os
import pathlib
import signal

from django.db.models.signals import pre_migrate


def strike(**_):
    if os.path.exists("frost"):
        pathlib.Path("frost").unlink()
        os.kill(os.getpid(), signal.SIGKILL)


pre_migrate.connect(strike, weak=False)
"""
MODEL = "from django.db import models\n\n\nclass {}(models.Model):\n    pass\n"
APPS = {
    "farm": {
        "models": MODEL.format("Plant"),
        "migrations": {"0001_initial": creates("Plant", 1)},
    },
    "barn": {
        "models": MODEL.format("Cow"),
        "migrations": {
            "0001_initial": creates("Cow", 1),
            "0002_wait": WAITS,
        },
    },
}


def test_killed_between_the_repair_and_the_migration_that_it_makes_pending(
    make_project: Callable[..., Project], sqlite: SQLiteServer, zygote: Zygote
) -> None:
    database = sqlite.create_database()
    project = make_project(databases={"default": database.settings()}, apps=APPS, installed=())
    project.write("farm/management/__init__.py", RECEIVER)
    # farm comes first: it is applied when barn.0002 fails.
    project.write(
        "barn/migrations/0002_wait.py",
        WAITS.replace(
            '("barn", "0001_initial")', '("barn", "0001_initial"), ("farm", "0001_initial")'
        ),
    )
    project.write("hold", "")
    assert zygote.run(project, "migrate_all").code == 1
    (project.root / "hold").unlink()
    database.execute("DROP TABLE farm_plant")

    project.write("frost", "")
    assert zygote.run(project, "migrate_all", "--resume", "--repair").code < 0
    assert database.query("SELECT count(*) FROM django_migrations WHERE app = 'farm'") == [(0,)]

    planned = zygote.run(project, "migrate_all", "--resume", "--dry-run")
    assert planned.code == 0, planned
    ended = zygote.run(project, "migrate_all", "--resume")
    assert ended.code == 0, ended
    assert database.query("SELECT count(*) FROM farm_plant") == [(0,)]


def boundary(project: Project, zygote: Zygote, words: str, *command: str) -> int:
    """The number of the first boundary with these words in a run that goes to its end."""
    crossed = zygote.run(project, *command, kill_at=100_000).crossed
    return next(number for number, label in enumerate(crossed, 1) if words in label)


def test_what_the_repair_records_is_not_said_to_be_applied_by_the_attempt_before_it(
    make_project: Callable[..., Project], sqlite: SQLiteServer, zygote: Zygote
) -> None:
    """And so a rollback of the run never drops a table that the run has not made."""
    apps = {"farm": APPS["farm"]}
    count = sqlite.create_database()
    counted = make_project(databases={"default": count.settings()}, apps=apps, installed=())
    database = sqlite.create_database()
    project = make_project(databases={"default": database.settings()}, apps=apps, installed=())

    at = boundary(counted, zygote, 'CREATE TABLE "farm_plant"', "migrate_all")
    assert zygote.run(project, "migrate_all", kill_at=at).killed
    ((made,),) = count.query("SELECT sql FROM sqlite_master WHERE name = 'farm_plant'")
    database.execute(made)  # by hand, meanwhile
    database.execute("INSERT INTO farm_plant VALUES (1)")

    stopped = zygote.run(project, "migrate_all", "--resume")
    assert (stopped.code, "--repair" in stopped.output) == (1, True), stopped

    resumed = zygote.run(project, "migrate_all", "--resume", "--repair", "--format", "json")
    assert resumed.code == 0, resumed.output
    run = json.loads(resumed.stdout)["run_id"]
    assert json.loads(resumed.stdout)["databases"][0]["applied"] == []
    shown = zygote.run(project, "journal", "show", "--format", "json", console=True)
    last = [e for e in json.loads(shown.stdout)["entries"] if e["name"] == "farm.0001_initial"][-1]
    assert (last["phase"], last["payload"]["how"]) == ("reconciled", "recorded")

    back = zygote.run(project, "rollback", run, "--yes", console=True)
    assert back.code == 0, back
    assert database.query("SELECT id FROM farm_plant") == [(1,)]
    assert database.query("SELECT name FROM django_migrations WHERE app = 'farm'") == []


@pytest.mark.parametrize(
    "vendor", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def test_a_table_that_was_made_by_hand_after_the_kill_is_repaired_by_the_first_resume(
    make_project: Callable[..., Project],
    create_database: Callable[..., Database],
    zygote: Zygote,
    vendor: str,
) -> None:
    """The transaction that was cut short has left nothing: what is there is not its own."""
    apps = {"farm": APPS["farm"]}
    count, database = create_database(vendor), create_database(vendor)
    counted = make_project(databases={"default": count.settings()}, apps=apps, installed=())
    project = make_project(databases={"default": database.settings()}, apps=apps, installed=())
    at = boundary(counted, zygote, 'CREATE TABLE "farm_plant"', "migrate_all")
    assert zygote.run(project, "migrate_all", kill_at=at).killed
    wait_until_alone(database)
    key = "integer" if vendor == "sqlite" else "bigint GENERATED BY DEFAULT AS IDENTITY"
    auto = " AUTOINCREMENT" if vendor == "sqlite" else ""
    database.execute(f'CREATE TABLE "farm_plant" ("id" {key} NOT NULL PRIMARY KEY{auto})')
    database.execute("INSERT INTO farm_plant DEFAULT VALUES")

    shown = zygote.run(project, "migrate_all", "--resume", "--dry-run")
    assert shown.code == 1, shown
    assert "--repair" in shown.output
    resumed = zygote.run(project, "migrate_all", "--resume", "--repair")
    assert resumed.code == 0, resumed.output
    assert database.query("SELECT id FROM farm_plant") == [(1,)]
    rows = database.query("SELECT count(*) FROM django_migrations WHERE app = 'farm'")
    assert rows == [(1,)]


@pytest.mark.postgresql
def test_the_sequence_of_a_table_that_is_recorded_counts_on_from_its_rows(
    make_project: Callable[..., Project], postgres_database: PostgresDatabase
) -> None:
    """A dump of the rows alone leaves the history and the sequences behind."""
    project = make_project(
        databases={"default": postgres_database.settings()}, apps=APPS, installed=()
    )
    assert project.manage("migrate_all", "--non-interactive").returncode == 0
    postgres_database.execute(
        "INSERT INTO farm_plant (id) VALUES (7);DELETE FROM django_migrations WHERE app = 'farm'"
    )
    repaired = project.manage("migrate_all", "--repair", "--non-interactive")
    assert repaired.returncode == 0, repaired
    assert "Move sequence farm_plant_id_seq of farm_plant.id to 7" in repaired.stdout
    postgres_database.execute("INSERT INTO farm_plant DEFAULT VALUES")
    assert postgres_database.query("SELECT id FROM farm_plant ORDER BY id") == [(7,), (8,)]


@pytest.mark.parametrize(
    "vendor", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def test_a_repair_whose_outcome_was_lost_is_settled_by_the_resume(
    make_project: Callable[..., Project],
    create_database: Callable[..., Database],
    zygote: Zygote,
    vendor: str,
) -> None:
    """Killed when its transaction was committed, and before the journal heard of it."""
    apps = {"farm": APPS["farm"]}

    def harmed() -> Project:
        database = create_database(vendor)
        project = make_project(databases={"default": database.settings()}, apps=apps, installed=())
        assert zygote.run(project, "migrate_all").code == 0
        database.execute("DELETE FROM django_migrations WHERE app = 'farm'")
        return project

    crossed = zygote.run(harmed(), "migrate_all", "--repair", kill_at=100_000).crossed
    recorded = next(n for n, label in enumerate(crossed, 1) if 'INTO "django_mig' in label)
    committed = crossed.index("after commit", recorded) + 1
    project = harmed()
    assert zygote.run(project, "migrate_all", "--repair", kill_at=committed).killed
    assert zygote.run(project, "migrate_all", "--resume").code == 0
    shown = zygote.run(project, "journal", "show", "--format", "json", console=True)
    phases = [e["phase"] for e in json.loads(shown.stdout)["entries"] if e["kind"] == "repair"]
    assert phases == ["intent", "reconciled"]
