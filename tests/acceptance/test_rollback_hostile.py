"""Rollbacks that would lose rows, if they believed too little or too much."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

from tests.acceptance.test_rollback_refusals import IRREVERSIBLE, begin, refused, two
from tests.integration.test_rollback import MIGRATE, Site
from tests.servers import SQLiteDatabase

__all__ = ["begin", "two"]

THERE = (
    "CREATE TABLE notes_note (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, "
    "text text NOT NULL, old varchar(20) NOT NULL)"
)


def test_what_was_only_recorded_is_never_dropped_wherever_the_run_was_killed(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial")
    one = ("--database", "default", "--fake-initial")

    def afresh() -> None:
        two[0].execute("DROP TABLE IF EXISTS notes_note; DROP TABLE IF EXISTS django_migrations")
        two[0].execute(THERE)
        two[0].execute("INSERT INTO notes_note (text, old) VALUES ('kept', 'y')")
        for left in site.project.journal_path.parent.glob(f"{site.project.journal_path.name}*"):
            left.unlink()

    afresh()
    crossed = site.manage(*MIGRATE, *one).crossed
    row = next(at for at, label in enumerate(crossed, 1) if 'INTO "django_migrations"' in label)
    rolled = 0
    for at in range(row, row + 6):
        afresh()
        assert site.zygote.run(site.project, *MIGRATE, *one, kill_at=at).killed
        (run,) = json.loads(site.console("journal", "list", "--format", "json").stdout)["runs"]
        if at % 2:  # taken back as it was left, or after it was continued
            site.manage(*MIGRATE, "--resume")
        losing = ("--yes", "--allow-destructive")
        ended = site.zygote.run(site.project, "rollback", run["id"], *losing, console=True)
        left = two[0].query("SELECT name FROM sqlite_master WHERE name = 'notes_note'")
        assert left, f"killed at {at - row}, {crossed[at - 1]}: {ended}"
        assert two[0].query("SELECT text FROM notes_note") == [("kept",)]
        rolled += ended.code == 0 and "forgotten" in ended.output
    assert rolled > 2


def test_a_file_that_was_edited_since_is_no_way_back(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial")
    site.migrate()
    forwards = """\
        class Migration(migrations.Migration):
            dependencies = [("notes", "0001_initial")]
            operations = [migrations.RunSQL("CREATE TABLE beside (id int)", %r)]
        """
    site.project.write_migration("notes", "0002_sql", forwards % "DROP TABLE beside")
    run = site.migrate()
    for database in two:
        database.execute("INSERT INTO notes_note (text, old) VALUES ('kept', 'y')")
    site.project.write_migration(
        "notes", "0002_sql", forwards % "DROP TABLE beside; DELETE FROM notes_note WHERE id > 0"
    )
    said = refused(site, run)
    assert "notes.0002_sql was edited since" in said
    assert "--accept-changed-migrations" in said
    site.rollback(run, "--accept-changed-migrations")
    assert two[0].query("SELECT text FROM notes_note") == []


def test_each_command_that_is_printed_works_as_it_is(begin: Callable[..., Site]) -> None:
    site = begin("0001_initial")
    site.migrate()
    site.project.write_migration("notes", "0002_once", IRREVERSIBLE)
    ended = site.manage(
        "migrate_all", "--non-interactive", "--skip-makemigrations", "--backup", "--format", "json"
    )
    said = refused(site, json.loads(ended.stdout)["run_id"])
    hint = " ".join(said.split()).rpartition(": ")[2].rstrip(".")
    said = hint.replace("; ", "\n")
    for text in (said, site.console("backup").stdout):
        printed = [line.partition("migrator ")[2] for line in text.splitlines()]
        printed = [line for line in printed if line.startswith("restore")]
        assert len(printed) == 2, text
        for command in printed:
            site.console(*shlex.split(command), "--check")
