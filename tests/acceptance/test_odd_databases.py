"""Databases and histories that are odd: a right answer or a clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.projects import Completed, Project
from tests.servers import Database, PostgresDatabase

LONG = "a_name_that_goes_on_for_so_long_that_no_server_keeps_all_of_it_as_it_is"

ODD = {
    "models": f"""\
        from django.db import models


        class Odd(models.Model):
            id = models.BigAutoField(primary_key=True)
            quoted = models.IntegerField(db_column="it's")
            upper = models.CharField(max_length=20, db_column="UPPER Case", unique=True)
            accents = models.TextField(db_column="grüße_наш", db_index=True)
            {LONG[:39]} = models.IntegerField(default=0, db_index=True)

            class Meta:
                db_table = "Tàble of 'odd' things"


        class Long(models.Model):
            id = models.BigAutoField(primary_key=True)
            odds = models.ManyToManyField(Odd)

            class Meta:
                db_table = "{LONG[:50]}"
        """,
    "migrations": {
        "0001_initial": f"""\
            class Migration(migrations.Migration):
                initial = True
                operations = [
                    migrations.CreateModel(
                        "Odd",
                        [
                            ("id", models.BigAutoField(primary_key=True, serialize=False)),
                            ("quoted", models.IntegerField(db_column="it's")),
                            ("upper", models.CharField(
                                max_length=20, db_column="UPPER Case", unique=True
                            )),
                            ("accents", models.TextField(db_column="grüße_наш", db_index=True)),
                            ("{LONG[:39]}", models.IntegerField(default=0, db_index=True)),
                        ],
                        options={{"db_table": "Tàble of 'odd' things"}},
                    ),
                    migrations.CreateModel(
                        "Long",
                        [
                            ("id", models.BigAutoField(primary_key=True, serialize=False)),
                            ("odds", models.ManyToManyField(to="odd.odd")),
                        ],
                        options={{"db_table": "{LONG[:50]}"}},
                    ),
                ]
            """,
    },
}


@pytest.fixture(params=["postgresql", "sqlite"])
def target(request: pytest.FixtureRequest, create_database: Callable[..., Database]) -> Database:
    return create_database(request.param)


@pytest.fixture
def odd(make_project: Callable[..., Project], target: Database) -> Project:
    project = make_project(
        databases={"default": target.settings()}, apps={"odd": ODD}, installed=()
    )
    project.manage("migrate_all", check=True)
    return project


def check(project: Project) -> tuple[Completed, list[dict[str, Any]]]:
    done = project.manage("migrate_all", "--check", "--format", "json")
    assert "Traceback" not in done.output, done
    (found,) = json.loads(done.stdout)["databases"]
    return done, found["incidents"]


def codes(incidents: list[dict[str, Any]]) -> set[str]:
    return {incident["code"] for incident in incidents if incident["blocking"]}


def test_names_that_need_quoting(odd: Project, target: Database) -> None:
    """Quotes, blanks, upper case, other scripts, and more than a server keeps."""
    done, incidents = check(odd)
    assert done.returncode == 0, done
    assert incidents == []

    target.execute("""ALTER TABLE "Tàble of 'odd' things" DROP COLUMN "it's" """)
    done, incidents = check(odd)
    assert done.returncode == 1, done
    assert any("it's" in incident["object"]["name"] for incident in incidents)
    repaired = odd.manage("migrate_all", "--repair")
    assert repaired.returncode == 0, repaired
    assert check(odd)[0].returncode == 0


def test_a_history_with_rows_twice_and_of_unknown_apps(odd: Project, target: Database) -> None:
    for app, name in (("odd", "0001_initial"), ("gone", "0001_initial"), ("odd", "0099_ghost")):
        target.execute(
            "INSERT INTO django_migrations (app, name, applied) "
            f"VALUES ('{app}', '{name}', '2020-01-01 00:00:00')"
        )
    done, incidents = check(odd)
    assert done.returncode == 0, done
    assert {incident["code"] for incident in incidents} == {"DR109"}
    again = odd.manage("migrate_all")
    assert again.returncode == 0, again


def test_a_history_table_without_a_column_that_django_needs(odd: Project, target: Database) -> None:
    target.execute("ALTER TABLE django_migrations DROP COLUMN applied")
    for arguments in (("--check",), ()):
        done = odd.manage("migrate_all", *arguments)
        assert done.returncode == 1, done
        assert "Traceback" not in done.output
        assert "applied" in done.output


SQUASHED = {
    "models": """\
        from django.db import models


        class Card(models.Model):
            id = models.BigAutoField(primary_key=True)
            number = models.IntegerField(default=0)
        """,
    "migrations": {
        "0001_card": """\
            class Migration(migrations.Migration):
                initial = True
                operations = [
                    migrations.CreateModel(
                        "Card", [("id", models.BigAutoField(primary_key=True, serialize=False))]
                    )
                ]
            """,
        "0002_number": """\
            class Migration(migrations.Migration):
                dependencies = [("cards", "0001_card")]
                operations = [
                    migrations.AddField("Card", "number", models.IntegerField(default=0))
                ]
            """,
        "0001_squashed": """\
            class Migration(migrations.Migration):
                initial = True
                replaces = [("cards", "0001_card"), ("cards", "0002_number")]
                operations = [
                    migrations.CreateModel(
                        "Card",
                        [
                            ("id", models.BigAutoField(primary_key=True, serialize=False)),
                            ("number", models.IntegerField(default=0)),
                        ],
                    )
                ]
            """,
    },
}


@pytest.mark.parametrize("lost", ["app = 'cards'", "name = '0001_squashed' OR name = '0001_card'"])
def test_a_squash_is_recorded_with_what_it_replaces(
    make_project: Callable[..., Project], create_database: Callable[..., Database], lost: str
) -> None:
    """Its own row alone is none for Django: the scan after the repair would not be clean."""
    target = create_database("sqlite")
    project = make_project(
        databases={"default": target.settings()}, apps={"cards": SQUASHED}, installed=()
    )
    project.manage("migrate_all", check=True)
    recorded = "SELECT app, name FROM django_migrations ORDER BY app, name"
    before = target.query(recorded)
    target.execute(f"DELETE FROM django_migrations WHERE {lost}")
    repaired = project.manage("migrate_all", "--repair")
    assert repaired.returncode == 0, repaired
    assert target.query(recorded) == before
    assert project.manage("migrate", "--check").returncode == 0


def test_half_a_table_that_a_crash_left(odd: Project, target: Database) -> None:
    """Not recorded, and only one of its two tables is there."""
    target.execute("DELETE FROM django_migrations WHERE app = 'odd'")
    (table,) = (
        name
        for (name,) in target.query(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            if target.vendor == "sqlite"
            else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        if name.startswith(LONG[:40]) and "odd" in name[45:]
    )
    target.execute(f'DROP TABLE "{table}"')
    done, incidents = check(odd)
    assert done.returncode == 1, done
    assert codes(incidents) == {"DR103"}


def test_tables_of_the_same_name_in_another_schema(
    make_project: Callable[..., Project], create_database: Callable[..., PostgresDatabase]
) -> None:
    """Neither mistaken for ours while ours is there, nor when ours is gone."""
    target = create_database("postgresql")
    project = make_project(
        databases={"default": target.settings()}, apps={"odd": ODD}, installed=()
    )
    project.manage("migrate_all", check=True)
    target.execute("CREATE SCHEMA elsewhere")
    target.execute("""CREATE TABLE elsewhere."Tàble of 'odd' things" (id text)""")
    done, incidents = check(project)
    assert (done.returncode, incidents) == (0, []), done
    target.execute("""DROP TABLE public."Tàble of 'odd' things" CASCADE""")
    done, incidents = check(project)
    assert done.returncode == 1, done
    assert codes(incidents) & {"DR101", "DR103"}
