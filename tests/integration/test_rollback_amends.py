"""What Django's own reverse loses, the rollback brings back."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.integration.test_rollback import MIGRATE, Site, picture
from tests.projects import Project
from tests.servers import Database, PostgresDatabase
from tests.zygote import Zygote

FIRST = """\
    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.CreateModel(
                "Note",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("old", models.CharField(max_length=20)),
                ],
            ),
            migrations.RunSQL(
                "CREATE INDEX by_hand ON notes_note (old)", migrations.RunSQL.noop
            ),
        ]
    """
INDEXED = """\
    class Migration(migrations.Migration):
        dependencies = [("notes", "0001_initial")]
        operations = [
            migrations.AlterField("Note", "old", models.CharField(max_length=20, db_index=True)),
        ]
    """
"""Backwards, Django drops every index on the column that it does not know by name."""

UNIQUE = """\
    class Migration(migrations.Migration):
        dependencies = [("notes", "0001_initial")]
        operations = [
            migrations.RunSQL(
                "ALTER TABLE notes_note DROP CONSTRAINT one", migrations.RunSQL.noop
            ),
        ]
    """


@pytest.fixture
def begin(make_project: Callable[..., Project], zygote: Zygote) -> Callable[[Database], Site]:
    def make(database: Database) -> Site:
        project = make_project(
            databases={"default": database.settings()},
            apps={"notes": {"migrations": {"0001_initial": FIRST}}},
            installed=(),
        )
        return Site(project, zygote)

    return make


def shown(database: Database) -> object:
    """The schema and the history; of SQLite, where Django makes a table anew for any change and
    puts its columns in another order, what there is and by which name.
    """
    if database.vendor == "sqlite":
        return database.query("SELECT type, name, tbl_name FROM sqlite_master ORDER BY 1, 2")
    return picture(database)


@pytest.mark.parametrize("adopted", [True, False], ids=["verified before", "first contact"])
def test_an_index_that_the_reverse_loses_is_made_again(
    database: Database, begin: Callable[[Database], Site], adopted: bool
) -> None:
    """Also where the run was the first that the journal has seen of this database."""
    site = begin(database)
    site.manage(*(MIGRATE if adopted else ("migrate",)))
    before = shown(database)
    site.project.write_migration("notes", "0002_indexed", INDEXED)
    run = site.migrate()
    assert shown(database) != before
    ended = site.rollback(run)
    assert shown(database) == before
    assert "Create index by_hand on notes_note as it was" in ended.output
    assert ("to the letter" in ended.output) == (database.vendor == "sqlite")
    journal = json.loads(site.console("journal", "show", "--format", "json").stdout)
    (repair,) = [
        entry
        for entry in journal["entries"]
        if (entry["kind"], entry["phase"]) == ("repair", "done")
    ]
    assert "by_hand" in repair["name"]
    assert "CREATE INDEX" in repair["payload"]["sql"][0]
    site.manage("migrate_all", "--check")
    site.console("journal", "verify")


def test_wherever_it_is_killed_the_index_is_there_once_it_was_resumed(
    database: Database, begin: Callable[[Database], Site]
) -> None:
    site = begin(database)
    site.manage(*MIGRATE)
    before = shown(database)
    site.project.write_migration("notes", "0002_indexed", INDEXED)
    crossed = site.rollback(site.migrate()).crossed
    made = next(at for at, label in enumerate(crossed, 1) if "CREATE INDEX" in label)
    for at in range(made - 3, made + 5):
        run = site.migrate()
        ended = site.zygote.run(site.project, "rollback", run, "--yes", console=True, kill_at=at)
        assert ended.killed, str(ended)
        site.manage(*MIGRATE, "--resume", "--wait-lock", "30")
        assert shown(database) == before, crossed[at - 1]
        site.console("journal", "check")


def test_what_the_rows_do_not_allow_any_more_is_told_and_stops_nothing(
    postgres_database: PostgresDatabase, begin: Callable[[Database], Site]
) -> None:
    site = begin(postgres_database)
    site.manage(*MIGRATE)
    postgres_database.execute("ALTER TABLE notes_note ADD CONSTRAINT one UNIQUE (old)")
    site.project.write_migration("notes", "0002_unique", UNIQUE)
    run = site.migrate()
    postgres_database.execute("INSERT INTO notes_note (old) VALUES ('x'), ('x')")
    ended = site.rollback(run)
    said = " ".join(ended.output.split())
    assert "could not create unique constraint one on notes_note as it was" in said
    assert 'ALTER TABLE "notes_note" ADD CONSTRAINT "one" UNIQUE ("old");' in said
    assert f"not the one from before run {run}: unique constraint one on notes_note" in said


COUNT = """\
    class Migration(migrations.Migration):
        dependencies = [("notes", "0001_initial")]
        operations = [migrations.CreateModel("Count", [
            ("id", models.BigAutoField(primary_key=True)),
            ("number", models.PositiveIntegerField()),
        ])]
    """
SIGNED = """\
    class Migration(migrations.Migration):
        dependencies = [("notes", "0002_count")]
        operations = [migrations.AlterField("Count", "number", models.IntegerField())]
    """


def test_there_and_back_and_there_again_leaves_no_check_behind(
    database: Database, begin: Callable[[Database], Site]
) -> None:
    site = begin(database)
    site.project.write_migration("notes", "0002_count", COUNT)
    site.migrate()
    site.project.write_migration("notes", "0003_signed", SIGNED)
    run = site.migrate()
    after = picture(database)
    site.rollback(run)
    site.manage("migrate_all", "--check", "--skip-makemigrations")
    site.migrate()
    assert picture(database) == after
    database.execute("INSERT INTO notes_count (number) VALUES (-1)")
