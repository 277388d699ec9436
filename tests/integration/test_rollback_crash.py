"""A rollback that is killed anywhere goes on with --resume, to the same end."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.crash import wait_until_alone
from tests.integration.test_rollback import MIGRATE, Site, notes, picture
from tests.projects import Project
from tests.servers import Database, SQLiteServer
from tests.zygote import Zygote

POINTS = int(os.environ.get("ROLLBACK_POINTS", "4"))
"""How many of the boundaries are tried; 0 for all."""

LOSING = ("--allow-destructive", "--no-backup")


@pytest.fixture
def here(
    database: Database, make_project: Callable[..., Project], zygote: Zygote
) -> tuple[Site, str]:
    """A project with one migration applied and two more on disk, and the run that applied it."""
    project = make_project(
        databases={"default": database.settings()},
        apps={"notes": notes("0001_initial")},
        installed=(),
    )
    site = Site(project, zygote)
    first = site.migrate()
    database.execute("INSERT INTO notes_note (text, old) VALUES ('kept', 'y')")
    for name, source in notes("0002_more", "0003_less")["migrations"].items():
        project.write_migration("notes", name, source)
    return site, first


def _points(count: int) -> list[int]:
    """Boundaries spread evenly, the first and the last among them."""
    if not POINTS or count <= POINTS:
        return list(range(1, count + 1))
    return sorted({1 + round(step * (count - 1) / (POINTS - 1)) for step in range(POINTS)})


def test_killed_anywhere_it_goes_on(here: tuple[Site, str], database: Database) -> None:
    site, _ = here
    before, rows = picture(database), database.query("SELECT id, text FROM notes_note")
    crossed = site.rollback(site.migrate("--allow-destructive"), *LOSING).crossed
    assert picture(database) == before
    # The history and the sequences have a past now, which later rounds do not change.
    after_first = database.query("SELECT id, text FROM notes_note")
    assert after_first == rows
    begun = 0
    for at in _points(len(crossed)):
        run = site.migrate("--allow-destructive")
        ended = site.zygote.run(
            site.project, "rollback", run, "--yes", *LOSING, console=True, kill_at=at
        )
        assert ended.killed or at == len(crossed), f"{at}: {ended}"
        wait_until_alone(database)
        ended = site.zygote.run(site.project, *MIGRATE, "--resume")
        if "Nothing to resume" in ended.output:  # killed before the rollback was opened, or after
            ended = site.zygote.run(site.project, "rollback", run, "--yes", *LOSING, console=True)
        else:
            begun += 1
        assert ended.code == 0, f"killed at {at} ({crossed[at - 1]}): {ended}"
        assert picture(database) == before, f"killed at {at}: {crossed[at - 1]}"
        assert database.query("SELECT id, text FROM notes_note") == rows
        site.console("journal", "check")
    assert begun
    site.console("journal", "verify")


PIECEMEAL = """\
    class Migration(migrations.Migration):
        atomic = False
        dependencies = [("notes", "0001_initial")]
        operations = [
            migrations.AddField("Note", "kept", models.TextField(default="y")),
            migrations.AddField("Note", "extra", models.TextField(null=True)),
        ]
    """


def test_what_is_gone_already_is_not_asked_about_again(
    sqlite: SQLiteServer, make_project: Callable[..., Project], zygote: Zygote
) -> None:
    """Consent was to what is lost; that nobody can count a column any more is no new loss."""
    database = sqlite.create_database()
    project = make_project(
        databases={"default": database.settings()},
        apps={"notes": notes("0001_initial")},
        installed=(),
    )
    site = Site(project, zygote)
    site.migrate()
    database.execute("INSERT INTO notes_note (text, old) VALUES ('kept', 'y')")
    project.write_migration("notes", "0002_piecemeal", PIECEMEAL)
    crossed = site.rollback(site.migrate(), *LOSING).crossed
    commits = [k for k, label in enumerate(crossed, 1) if label == "after commit"]
    for at in commits:
        run = site.migrate()
        ended = site.zygote.run(
            project, "rollback", run, "--yes", *LOSING, console=True, kill_at=at
        )
        assert ended.killed
        ended = site.zygote.run(project, *MIGRATE, "--resume")
        if "Nothing to resume" in ended.output:
            ended = site.rollback(run, *LOSING)
        assert ended.code == 0, f"killed at {at}: {ended}"
        assert database.query("SELECT text, old FROM notes_note") == [("kept", "y")]
