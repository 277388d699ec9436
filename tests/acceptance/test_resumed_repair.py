"""A repair within a resumed run forgets what that same run had applied; killed, it goes on."""

from __future__ import annotations

from collections.abc import Callable

from tests.projects import Project
from tests.servers import SQLiteServer
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
