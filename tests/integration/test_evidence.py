"""Evidence, end to end: a project with everything that migration state does not know of.

Each test runs one process that makes many changes to the database, one at a time, and looks at
each: a scan in a process of its own for each would cost more than all the rest.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.projects import Project
from tests.servers import Database

VENDORS = [
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    "sqlite",
    pytest.param("mysql", marks=pytest.mark.mysql),
]

LOOK = """\
import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
import django

django.setup()
from django.db import connection

from migrator import Migrator, MigratorOptions


def execute(statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def look(options):
    report = Migrator(MigratorOptions(**options)).migrate_all()
    (found,) = report.db_reports
    return {
        "outcome": report.outcome,
        "run": report.run_id,
        "error": found.error.message if found.error else "",
        "incidents": [incident.to_dict() for incident in (found.drift.incidents if found.drift else ())],
    }


results = []
for step in json.load(sys.stdin):
    execute(step.get("do", []))
    results.append(look(step["options"]) if "options" in step else None)
    execute(step.get("undo", []))
json.dump(results, sys.stdout)
"""

SHOP = {
    "models": """\
        from django.db import models

        class Book(models.Model):
            title = models.CharField(max_length=50)
            price = models.IntegerField(default=0)

        class Author(models.Model):
            name = models.CharField(max_length=50, db_index=True)
        """,
    "apps": """\
        from django.apps import AppConfig
        from django.db.models.signals import post_migrate

        def index_titles(sender, using, **kwargs):
            from django.db import connections

            with connections[using].cursor() as cursor:
                names = connections[using].introspection.get_constraints(cursor, "shop_book")
                if "by_receiver" not in names:
                    cursor.execute("CREATE INDEX by_receiver ON shop_book (title, price)")

        class ShopConfig(AppConfig):
            name = "shop"

            def ready(self):
                post_migrate.connect(index_titles, sender=self)
        """,
    "migrations": {
        "0001_initial": """\
            class Migration(migrations.Migration):
                initial = True
                operations = [
                    migrations.CreateModel("Book", [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("title", models.CharField(max_length=50)),
                        ("price", models.IntegerField(default=0)),
                    ]),
                    migrations.CreateModel("Author", [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("name", models.CharField(max_length=50, db_index=True)),
                    ]),
                ]
            """,
        "0002_opaque": """\
            def by_hand(apps, schema_editor):
                with schema_editor.connection.cursor() as cursor:
                    cursor.execute("ALTER TABLE shop_book ADD COLUMN extra integer")
                    cursor.execute("CREATE INDEX by_python ON shop_book (price)")

            class Migration(migrations.Migration):
                dependencies = [("shop", "0001_initial")]
                operations = [
                    migrations.RunSQL("CREATE UNIQUE INDEX by_sql ON shop_book (title)"),
                    migrations.RunSQL("CREATE VIEW titles AS SELECT title FROM shop_book"),
                    migrations.RunPython(by_hand),
                ]
            """,
    },
}


def shop(make_project: Callable[..., Project], database: Database, **changes: Any) -> Project:
    project = make_project(
        databases={"default": database.settings()},
        apps={"shop": SHOP},
        installed=("django.contrib.contenttypes",),
        **changes,
    )
    settings = project.root / "config/settings.py"
    settings.write_text(settings.read_text().replace("'shop'", "'shop.apps.ShopConfig'"))
    project.write("look.py", LOOK)
    return project


def look(project: Project, *steps: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the steps in one process; what each look found."""
    done = project._run(
        [sys.executable, "look.py"],
        check=True,
        env=None,
        timeout=250,
        stdin=json.dumps(steps),
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


CHECK = {"check": True}
DEEP = {"check": True, "deep": True}


def index_drop(vendor: str, name: str) -> str:
    return f"DROP INDEX {name}" + (" ON shop_book" if vendor == "mysql" else "")


def mutations(vendor: str) -> list[tuple[dict[str, Any], tuple[str, bool, str]]]:
    """A change behind the back of state, its reverse, and the incident that it is."""
    price = "ALTER TABLE shop_book ADD COLUMN price integer DEFAULT 0 NOT NULL"
    found = [
        (
            {
                "do": [index_drop(vendor, "by_sql")],
                "undo": ["CREATE UNIQUE INDEX by_sql ON shop_book (title)"],
            },
            ("DR105", True, "index"),
        ),
        (
            {
                "do": [index_drop(vendor, "by_receiver")],
                "undo": ["CREATE INDEX by_receiver ON shop_book (title, price)"],
            },
            ("DR105", True, "index"),
        ),
        (
            {
                "do": ["ALTER TABLE shop_book DROP COLUMN extra"],
                "undo": ["ALTER TABLE shop_book ADD COLUMN extra integer"],
            },
            ("DR101", True, "column"),
        ),
        (
            {
                "do": ["DROP VIEW titles"],
                "undo": ["CREATE VIEW titles AS SELECT title FROM shop_book"],
            },
            ("DR108", False, "view"),
        ),
    ]
    assert price
    return found


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_state_does_not_know_of_is_proved_by_snapshot_and_by_replay(
    vendor: str,
    create_database: Callable[..., Database],
    make_project: Callable[..., Project],
) -> None:
    database = create_database(vendor)
    project = shop(make_project, database)
    project.manage("migrate", "-v0", check=True)
    cases = mutations(vendor)
    snapshot = [{**step, "options": CHECK} for step, _ in cases]
    replay = [{**step, "options": DEEP} for step, _ in cases]
    steps = [{"options": CHECK}, {"options": DEEP}, *replay, {"options": {"verbosity": 0}}]
    results = look(project, *steps, {"options": CHECK}, {"options": DEEP}, *snapshot)
    first, deep, *rest = results
    count = len(cases)
    replayed, verified = rest[:count], rest[count]
    again, deep_again, *snapped = rest[count + 1 :]

    assert not [i for i in first["incidents"] if i["blocking"]], first
    assert {i["evidence"] for i in first["incidents"]} <= {"unconfirmed"}
    assert deep["outcome"] == "complete", deep
    assert not [i for i in deep["incidents"] if i["evidence"] == "replay"], deep
    assert verified["outcome"] == "complete", verified
    for healthy in (again, deep_again):
        assert healthy["outcome"] == "complete", healthy
        assert not [i for i in healthy["incidents"] if i["evidence"] != "unconfirmed"], healthy

    for evidence, outcomes in (("replay", replayed), ("snapshot", snapped)):
        for (step, wanted), outcome in zip(cases, outcomes, strict=True):
            found = [i for i in outcome["incidents"] if i["evidence"] == evidence]
            assert [(i["code"], i["blocking"], i["object"]["kind"]) for i in found] == [wanted], (
                step,
                outcome,
            )
            assert found[0]["since"] == (verified["run"] if evidence == "snapshot" else None)
            assert (verified["run"] in found[0]["message"]) == (evidence == "snapshot")
