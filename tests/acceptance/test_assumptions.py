"""What somebody says about an operation in doubt counts for the doubt that they have seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.projects import Project
from tests.servers import SQLiteDatabase, SQLiteServer
from tests.zygote import Zygote

GROW = """\
import os
import pathlib
import signal

from django.db import migrations


def grow(apps, schema_editor):
    schema_editor.execute("UPDATE farm_plant SET height = height + 1")
    if os.path.exists("frost"):
        pathlib.Path("frost").unlink()
        os.kill(os.getpid(), signal.SIGKILL)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("farm", "0001_initial")]
    operations = [
        migrations.RunPython(grow),
        migrations.AlterModelOptions("Plant", {"verbose_name": "plant"}),
    ]
"""
APP = {
    "farm": {
        "models": """\
            from django.db import models


            class Plant(models.Model):
                height = models.IntegerField()

                class Meta:
                    verbose_name = "plant"
        """,
        "migrations": {
            "0001_initial": """\
            class Migration(migrations.Migration):
                initial = True
                operations = [
                    migrations.CreateModel("Plant", [
                        ("id", models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        )),
                        ("height", models.IntegerField()),
                    ]),
                    migrations.RunSQL("INSERT INTO farm_plant (height) VALUES (1)"),
                ]
            """,
            "0002_grow": GROW,
        },
    }
}
NAME = "farm.0002_grow"


@pytest.fixture
def database(sqlite: SQLiteServer) -> SQLiteDatabase:
    return sqlite.create_database()


@pytest.fixture
def farm(make_project: Callable[..., Project], database: SQLiteDatabase) -> Project:
    project = make_project(databases={"default": database.settings()}, apps=APP, installed=())
    project.write("frost", "")
    return project


@pytest.mark.parametrize("flag", ["--assume-applied", "--assume-not-applied"])
def test_said_before_anything_was_in_doubt_it_decides_nothing(
    farm: Project, database: SQLiteDatabase, zygote: Zygote, flag: str
) -> None:
    """As when the flag of an earlier day stays in the pipeline's command."""
    assert zygote.run(farm, "migrate_all", flag, NAME).code < 0
    ended = zygote.run(farm, "migrate_all", "--resume", "--noinput")
    assert ended.code == 3, ended
    assert database.query("SELECT height FROM farm_plant") == [(2,)]

    ended = zygote.run(farm, "migrate_all", "--resume", "--noinput", "--assume-applied", NAME)
    assert ended.code == 0, ended
    assert database.query("SELECT height FROM farm_plant") == [(2,)]


def test_said_of_one_doubt_it_does_not_decide_the_next(
    farm: Project, database: SQLiteDatabase, zygote: Zygote
) -> None:
    assert zygote.run(farm, "migrate_all").code < 0
    database.execute("UPDATE farm_plant SET height = 1")
    farm.write("frost", "")
    ended = zygote.run(farm, "migrate_all", "--resume", "--assume-not-applied", NAME)
    assert ended.code < 0, ended
    assert zygote.run(farm, "migrate_all", "--resume", "--noinput").code == 3
    assert database.query("SELECT height FROM farm_plant") == [(2,)]
