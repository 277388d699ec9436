"""Traps of running and of bookkeeping: each a small project of its own, on SQLite."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.acceptance.traps import TEXT, after, app, create, migration
from tests.projects import Completed, Project
from tests.servers import SQLiteServer

MODEL = """
from django.db import models


class Item(models.Model):
    id = models.AutoField(primary_key=True)
    text = models.CharField(max_length=20)
"""
ITEM = create("Item", TEXT)


def report_of(done: Completed) -> dict[str, Any]:
    """The report, by alias; standard output is one JSON document and nothing else."""
    return {entry["alias"]: entry for entry in json.loads(done.stdout)["databases"]}


def two_databases(sqlite: SQLiteServer) -> dict[str, dict[str, Any]]:
    return {alias: sqlite.create_database(alias).settings() for alias in ("default", "other")}


def test_routing_that_changed_later_is_drift(
    make_project: Callable[..., Project], sqlite: SQLiteServer
) -> None:
    """Every alias records every migration, also of apps that are routed elsewhere; when routing
    changes later, the newly owned tables are missing while everything is "recorded" and
    `migrate --check` is happy. That one *is* drift.
    """
    project = make_project(
        databases=two_databases(sqlite),
        apps={"wanders": app(migration(ITEM), models=MODEL)},
        routing={"wanders": "default"},
    )
    for alias in ("default", "other"):
        project.manage("migrate", "-v0", "--database", alias, check=True)
    before = project.manage("migrate_all", "--check", "--format", "json")
    assert before.returncode == 0, before
    settings = project.root / "config" / "settings.py"
    settings.write_text(settings.read_text().replace("'wanders': 'default'", "'wanders': 'other'"))
    assert project.manage("migrate", "--check", "--database", "other").returncode == 0
    done = project.manage("migrate_all", "--check", "--format", "json")
    assert done.returncode == 1, done
    found = report_of(done)["other"]["incidents"]
    assert [(i["code"], i["object"]["table"]) for i in found if i["blocking"]] == [
        ("DR101", "wanders_item")
    ]
    left = report_of(done)["default"]["incidents"]
    assert [(i["code"], i["blocking"]) for i in left] == [("DR108", False)]


READS = """
def read(apps, editor):
    from django.db import connections

    if editor.connection.alias == "{here}":
        with connections["{there}"].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM {table}")
"""


def test_two_aliases_that_need_each_other(
    make_project: Callable[..., Project], sqlite: SQLiteServer
) -> None:
    """No order works in one pass; default, other, default again does."""
    reads_other = READS.format(here="default", there="other", table="there_item")
    reads_default = READS.format(here="other", there="default", table="here_item")
    project = make_project(
        databases=two_databases(sqlite),
        apps={
            "here": app(
                migration(ITEM),
                migration("migrations.RunPython(read)", needs=after("here"), before=reads_other),
                models=MODEL,
            ),
            "there": app(
                migration(f"migrations.RunPython(read), {ITEM}", before=reads_default),
                models=MODEL,
            ),
        },
        routing={"there": "other"},
    )
    done = project.manage("migrate_all", "--noinput", "--format", "json")
    assert done.returncode == 0, done
    assert {entry["state"] for entry in report_of(done).values()} == {"verified"}


RECEIVERS = """
from pathlib import Path

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def fail_once(**kwargs):
    mark = Path(__file__).with_name("failed_once")
    if not mark.exists():
        mark.touch()
        raise RuntimeError("the receiver failed")


class Config(AppConfig):
    name = "{label}"

    def ready(self):
        post_migrate.connect(fail_once, sender=self)
"""


def test_receivers_that_failed_run_again(
    make_project: Callable[..., Project], sqlite: SQLiteServer
) -> None:
    """A receiver that fails after everything was applied: later receivers (content types,
    permissions) never ran; running again must run them.
    """
    database = sqlite.create_database()
    project = make_project(
        databases={"default": database.settings()},
        apps={
            "fails": app(migration(ITEM), models=MODEL, apps=RECEIVERS.format(label="fails")),
            "later": app(migration(ITEM), models=MODEL),
        },
    )
    missed = "SELECT count(*) FROM django_content_type WHERE app_label = 'later'"
    first = project.manage("migrate_all", "--noinput", "--format", "json", "-v0")
    assert first.returncode == 1, first
    second = project.manage("migrate_all", "--noinput", "--format", "json", "-v0")
    assert second.returncode == 0, second
    assert database.query(missed) == [(1,)]


PRINTS = """
import sys


def talk(apps, editor):
    print("Moving rows ...", end="", flush=True)
    sys.stdout.write("{}[]\\\\n")
    sys.__stdout__.flush()
"""


def test_what_migrations_print_stays_out_of_json(
    make_project: Callable[..., Project], sqlite: SQLiteServer
) -> None:
    """Data migrations print to standard output between Django's lines: never parse it, and keep
    it out of `--format json`.
    """
    project = make_project(
        databases={"default": sqlite.create_database().settings()},
        apps={"talks": app(migration(f"{ITEM}, migrations.RunPython(talk)", before=PRINTS))},
        settings_extra='MIGRATOR["MAKEMIGRATIONS"] = "skip"',
    )
    done = project.manage("migrate_all", "--noinput", "--format", "json")
    assert done.returncode == 0, done
    assert report_of(done)["default"]["state"] == "verified"


WRONG_CONNECTION = """
from django.db import connection


def count(apps, editor):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM only_other_item")
"""


def test_the_connection_of_default_in_a_migration_of_another_alias(
    make_project: Callable[..., Project], sqlite: SQLiteServer
) -> None:
    """RunPython that uses `django.db.connection` or the router instead of
    `schema_editor.connection`: fails on any alias but default.
    """
    project = make_project(
        databases=two_databases(sqlite),
        apps={
            "only_other": app(
                migration(f"{ITEM}, migrations.RunPython(count)", before=WRONG_CONNECTION),
                models=MODEL,
            )
        },
        routing={"only_other": "other"},
    )
    done = project.manage("migrate_all", "--noinput", "--format", "json")
    assert done.returncode == 1, done
    report = report_of(done)
    assert report["default"]["state"] == "verified"
    assert report["other"]["state"] == "failed"
    assert "only_other.0001_m" in json.dumps(report["other"])


PATCHES = """
from django.apps import AppConfig
from django.db import models


class Config(AppConfig):
    name = "patches"

    def ready(self):
        original = models.Field.deconstruct

        def deconstruct(field):
            name, path, args, kwargs = original(field)
            kwargs.pop("help_text", None)
            kwargs.pop("serialize", None)
            return name, path, args, kwargs

        models.Field.deconstruct = deconstruct
"""


def test_a_project_that_patches_deconstruct_has_no_changes(
    make_project: Callable[..., Project], sqlite: SQLiteServer
) -> None:
    """The autodetector called directly sees hundreds of changes that the command does not:
    projects patch `Field.deconstruct`. Run the project's own command.
    """
    project = make_project(
        databases={"default": sqlite.create_database().settings()},
        apps={
            "patches": app(
                migration(ITEM),
                models=MODEL.replace("max_length=20", 'max_length=20, help_text="Of the day"'),
                apps=PATCHES,
            )
        },
        settings_extra='MIGRATOR["MAKEMIGRATIONS"] = "check"',
    )
    done = project.manage("migrate_all", "--noinput", "--format", "json")
    assert done.returncode == 0, done
    assert len(list((project.root / "patches" / "migrations").glob("0*.py"))) == 1
