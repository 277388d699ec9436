"""The gate of a resume: it asks for what the whole run would have asked for, and no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.crash import wait_until_alone
from tests.projects import Project
from tests.servers import Database
from tests.zygote import Zygote

FILLED = """\
from django.db import migrations, models


def fill(apps, schema_editor):
    apps.get_model("bank", "Coin").objects.using(schema_editor.connection.alias).create(weight=5)


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Coin",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("weight", models.IntegerField()),
            ],
        ),
        migrations.RunPython(fill),
    ]
"""
DOUBLED = """\
from django.db import migrations, models


def double(apps, schema_editor):
    coins = apps.get_model("bank", "Coin").objects.using(schema_editor.connection.alias)
    coins.update(weight=models.F("weight") * 2)


class Migration(migrations.Migration):
    dependencies = [("bank", "0001_initial")]
    operations = [migrations.RunPython(double)]
"""
DROPPED = """\
class Migration(migrations.Migration):
    dependencies = [("bank", "0002_double")]
    operations = [migrations.DeleteModel("Coin")]
"""
BANK = {
    "migrations": {"0001_initial": FILLED, "0002_double": DOUBLED, "0003_drop": DROPPED},
}
WORDS = ("migrate_all", "--skip-makemigrations", "--no-input")


def killed_at(zygote: Zygote, project: Project, counted: Project, words: str) -> None:
    """Kill a run at the first boundary with these words; `counted` goes to its end."""
    whole = zygote.run(counted, *WORDS, kill_at=100_000)
    assert whole.code == 0, whole.output
    at = next(n for n, label in enumerate(whole.crossed, 1) if words in label)
    assert zygote.run(project, *WORDS, kill_at=at).killed


@pytest.mark.parametrize(
    "vendor", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
@pytest.mark.parametrize("words", ["UPDATE", "DROP TABLE"])  # in the two that come after it
def test_what_the_run_itself_has_made_is_not_asked_about_when_it_is_resumed(
    make_project: Callable[..., Project],
    create_database: Callable[..., Database],
    zygote: Zygote,
    vendor: str,
    words: str,
) -> None:
    """Nobody was asked in the run that nobody interrupted: nothing of the user's is lost."""
    database, other = create_database(vendor), create_database(vendor)
    project, counted = (
        make_project(databases={"default": each.settings()}, apps={"bank": BANK}, installed=())
        for each in (database, other)
    )
    killed_at(zygote, project, counted, f"sql {words}")
    wait_until_alone(database)
    resumed = zygote.run(project, *WORDS, "--resume")
    assert resumed.code == 0, resumed.output
    assert database.query("SELECT count(*) FROM django_migrations") == [(3,)]


def test_what_was_there_before_the_run_is_asked_about_when_it_is_resumed(
    make_project: Callable[..., Project],
    create_database: Callable[..., Database],
    zygote: Zygote,
) -> None:
    database = create_database("sqlite")
    project = make_project(
        databases={"default": database.settings()}, apps={"bank": BANK}, installed=()
    )
    assert zygote.run(project, "migrate", "bank", "0001").code == 0
    for words in ((), ("--resume",), ("--resume",)):
        asked = zygote.run(project, *WORDS, *words)
        assert asked.code == 3, asked.output
        assert "bank_coin" in asked.output
    assert database.query("SELECT weight FROM bank_coin") == [(5,)]


def test_a_table_that_a_migration_only_takes_over_is_asked_about(
    make_project: Callable[..., Project],
    create_database: Callable[..., Database],
    zygote: Zygote,
) -> None:
    """It is in the state since this run, and was in the database before it."""
    database = create_database("sqlite")
    state = FILLED.replace("        migrations.RunPython(fill),\n", "").replace(
        "        migrations.CreateModel(",
        "        migrations.SeparateDatabaseAndState(state_operations=[migrations.CreateModel(",
    )
    state = state.replace("            ],\n        ),\n", "            ],\n        )]),\n")
    held = DOUBLED.replace("def double", "import os\n\n\ndef double").replace(
        "    coins = ", '    assert not os.path.exists("hold")\n    coins = '
    )
    files = {**BANK["migrations"], "0001_initial": state, "0002_double": held}
    apps = {"bank": {"migrations": files}}
    project = make_project(databases={"default": database.settings()}, apps=apps, installed=())
    key = "integer NOT NULL PRIMARY KEY AUTOINCREMENT"
    database.execute(f"CREATE TABLE bank_coin (id {key}, weight integer NOT NULL)")
    project.write("hold", "")
    assert zygote.run(project, *WORDS).code == 1
    (project.root / "hold").unlink()
    database.execute("INSERT INTO bank_coin (weight) VALUES (5)")
    asked = zygote.run(project, *WORDS, "--resume")
    assert asked.code == 3, asked.output
    assert database.query("SELECT weight FROM bank_coin") == [(5,)]
