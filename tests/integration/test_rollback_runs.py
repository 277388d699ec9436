"""A rollback as a run: its lock, its journal, its resume, its signals."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import wait_until_alone
from tests.integration.test_rollback import MIGRATE, NOTES, Site, notes, picture
from tests.projects import Project
from tests.servers import Database
from tests.zygote import Zygote

SLOW = """\
    import time

    from django.db import migrations


    def forwards(apps, schema_editor):
        pass


    def backwards(apps, schema_editor):
        time.sleep(30)


    class Migration(migrations.Migration):
        dependencies = [("notes", "0001_initial")]
        operations = [migrations.RunPython(forwards, backwards)]
    """
RECEIVERS = """\
    from django.apps import AppConfig
    from django.db.models.signals import post_migrate, pre_migrate


    def tell(sender, plan, **more):
        if sender.label == "notes":
            print(more["signal"] is pre_migrate, [(str(m), back) for m, back in plan])


    class NotesConfig(AppConfig):
        name = "notes"

        def ready(self):
            pre_migrate.connect(tell)
            post_migrate.connect(tell)
    """


@pytest.fixture
def site(postgres_database: Database, make_project: Callable[..., Project], zygote: Zygote) -> Site:
    """A project with its first migration applied, on PostgreSQL."""
    project = make_project(
        databases={"default": postgres_database.settings()},
        apps={"notes": {**notes("0001_initial"), "apps": RECEIVERS}},
        installed=(),
    )
    site = Site(project, zygote)
    site.migrate()
    return site


def test_one_at_a_time_and_an_interruption_loses_nothing(
    site: Site, postgres_database: Database
) -> None:
    site.project.write_migration("notes", "0002_slow", SLOW)
    before = picture(postgres_database)[0]
    run = site.migrate()
    child = site.zygote.start(site.project, "rollback", run, "--yes", console=True)
    deadline = time.monotonic() + 60
    while "1/1" not in child.said() and "to take back" not in child.said():
        assert child.running(), str(child.wait())
        assert time.monotonic() < deadline
        time.sleep(0.1)
    second = site.rollback(run, code=4)
    assert "locked by another run" in second.stderr
    ended = child.kill(signal.SIGTERM)
    assert ended.code == 130, str(ended)
    wait_until_alone(postgres_database)
    site.console("journal", "check", code=1)
    shown = site.manage(*MIGRATE, "--resume", "--dry-run").stdout
    assert "notes.0002_slow" in shown
    assert "row is still there" in shown or "unapplies" in shown
    site.project.write_migration("notes", "0002_slow", SLOW.replace("time.sleep(30)", "pass"))
    changed = site.manage(*MIGRATE, "--resume", code=1)
    assert "edited notes.0002_slow" in changed.stderr
    site.manage(*MIGRATE, "--resume", "--accept-changed-migrations")
    assert picture(postgres_database)[0] == before
    site.console("journal", "check")
    shown = site.console("journal", "show", "--format", "json").stdout
    document = json.loads(shown)
    assert document["run"]["kind"] == "rollback"
    assert document["run"]["parent"] == run


def test_the_signals_carry_the_plan_backwards(site: Site) -> None:
    site.project.write_migration(
        "notes", "0002_more", notes("0002_more")["migrations"]["0002_more"]
    )
    ended = site.rollback(site.migrate())
    said = [line for line in ended.output.splitlines() if line.startswith(("True [", "False ["))]
    assert said == [
        "True [('notes.0002_more', True)]",
        "False [('notes.0002_more', True)]",
    ]


def test_drift_stops_it_before_anything_is_touched(site: Site, postgres_database: Database) -> None:
    site.project.write_migration(
        "notes", "0002_more", notes("0002_more")["migrations"]["0002_more"]
    )
    run = site.migrate()
    postgres_database.execute("ALTER TABLE notes_tag DROP COLUMN name")
    before = picture(postgres_database)
    ended = site.rollback(run, code=1)
    assert "drift" in ended.output
    assert picture(postgres_database) == before


def test_a_run_that_was_killed_is_taken_back_as_far_as_it_came(
    site: Site, postgres_database: Database
) -> None:
    before = picture(postgres_database)
    site.project.write_migration(
        "notes", "0002_more", notes("0002_more")["migrations"]["0002_more"]
    )
    crossed = site.manage(*MIGRATE).crossed
    run = json.loads(site.console("journal", "list", "--format", "json").stdout)["runs"][0]["id"]
    site.rollback(run)
    commits = [number for number, label in enumerate(crossed, 1) if label == "after commit"]
    ended = site.zygote.run(site.project, *MIGRATE, kill_at=commits[-1])
    assert ended.killed
    wait_until_alone(postgres_database)
    run = json.loads(site.console("journal", "list", "--format", "json").stdout)["runs"][0]["id"]
    site.rollback(run)
    assert picture(postgres_database) == before
    site.console("journal", "check")


def test_a_backup_is_made_where_the_way_back_loses_rows_and_only_there(
    site: Site, postgres_database: Database
) -> None:
    def backups(run: str, *args: str) -> list[object]:
        said = site.rollback(run, *args, "--format", "json").stdout
        return [each["backup"] for each in json.loads(said)["databases"]]

    site.project.write_migration("notes", "0002_more", NOTES["0002_more"])
    assert backups(site.migrate()) == [None]  # nothing is in what goes
    assert backups(site.migrate(), "--backup") != [None]
    run = site.migrate()
    postgres_database.execute("INSERT INTO notes_tag (name) VALUES ('kept')")
    site.rollback(run, code=3)
    assert backups(run, "--allow-destructive") != [None]


def test_a_report_in_each_format_that_is_asked_for(site: Site, tmp_path: Path) -> None:
    site.project.write_migration("notes", "0002_more", NOTES["0002_more"])
    run = site.migrate()
    nowhere = site.rollback(run, "--report", str(tmp_path / "none" / "back.html"), code=2)
    assert "cannot be written" in nowhere.stderr
    page, document = tmp_path / "back.html", tmp_path / "document"
    ended = site.rollback(run, "--report", str(page), "--report", f"json:{document}")
    assert "taken back" in ended.output
    assert "<html" in page.read_text()
    assert json.loads(document.read_text())["kind"] == "rollback"
    site.rollback("nosuchrun", "--report", f"json:{document}", code=2)
    assert json.loads(document.read_text())["error"]["type"] == "UnknownRun"


@pytest.mark.parametrize("redirected", [">/dev/full", ">&-", ">&- 2>&- <&-"])
def test_a_report_that_cannot_be_written_changes_nothing_about_how_it_ended(
    site: Site, redirected: str
) -> None:
    site.project.write_migration("notes", "0002_more", NOTES["0002_more"])
    run = site.migrate()
    ended = subprocess.run(
        f"{sys.executable} -m migrator.cli rollback {run} --yes {redirected}",
        shell=True,
        cwd=site.project.root,
        env=site.project.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ("cannot be written" in ended.stderr) == ("2>" not in redirected)
    assert "Traceback" not in ended.stderr
    assert "no longer recorded" in site.rollback(run).output


def test_it_is_taken_back_and_not_migrated(site: Site) -> None:
    site.project.write_migration("notes", "0002_more", NOTES["0002_more"])
    ended = site.rollback(site.migrate(), "-v", "2")
    assert re.search(r"default  taken back  \d", ended.stderr)
    assert "taking back …" in ended.stderr
    assert "migrated" not in ended.stderr
    assert "migrating" not in ended.stderr


def test_a_backup_is_either_made_or_not(site: Site) -> None:
    site.project.write_migration("notes", "0002_more", NOTES["0002_more"])
    run = site.migrate()
    ended = site.rollback(run, "--backup", "--no-backup", code=2)
    assert "--backup and --no-backup exclude one another" in ended.stderr
    assert "taken back" in site.rollback(run).output
