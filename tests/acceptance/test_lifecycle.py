"""The lifecycle as a user runs it, on projects of other shapes than the demo."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.projects import Project

SQLITE = "django.db.backends.sqlite3"

TALKATIVE = """\
import logging
import subprocess

from django.db import migrations


def talk(apps, schema_editor):
    print("printed")
    logging.getLogger("project").error("logged")
    subprocess.run(["echo", "by a program"], check=True)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [migrations.RunPython(talk)]
"""


def test_a_document_on_standard_output_stands_alone(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    """Whatever migrations print, log to that very stream, or have programs print."""
    project = make_project(
        databases={"default": {"ENGINE": SQLITE, "NAME": str(tmp_path / "db.sqlite3")}},
        apps={"talks": {"migrations": {"0001_initial": TALKATIVE}}},
        installed=(),
        settings_extra="""\
            LOGGING = {
                "version": 1,
                "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
                "root": {"handlers": ["out"], "level": "INFO"},
            }
            """,
    )
    done = project.manage("migrate_all", "--format", "json", "-v", "3", check=True)
    assert json.loads(done.stdout)["databases"][0]["outcome"] == "done"
    for line in ("printed", "logged", "by a program"):
        assert line in done.stderr.splitlines()
    for noise in ("journal_intent", "alembic"):
        assert noise not in done.stderr, done


def test_an_older_report_does_not_outlive_a_run_without_one(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project(
        databases={"default": {"ENGINE": SQLITE, "NAME": str(tmp_path / "db.sqlite3")}},
        installed=(),
    )
    report = project.write("report.json", '{"outcome": "complete"}')
    done = project.manage("migrate_all", "--database", "nope", "--output", str(report))
    assert done.returncode == 2, done
    assert report.read_text() == ""
