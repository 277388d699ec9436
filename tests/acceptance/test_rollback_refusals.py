"""What `migrator rollback` refuses, and that nothing is touched then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_rollback import MIGRATE, NOTES, Site, notes
from tests.projects import Project
from tests.servers import SQLiteDatabase, SQLiteServer
from tests.zygote import Zygote

IRREVERSIBLE = """\
    def once(apps, schema_editor):
        pass


    class Migration(migrations.Migration):
        dependencies = [("notes", "0001_initial")]
        operations = [
            migrations.AddField("Note", "more", models.IntegerField(default=0)),
            migrations.RunPython(once),
        ]
    """
HIDDEN = """\
    class Migration(migrations.Migration):
        dependencies = [("notes", "0001_initial")]
        operations = [
            migrations.SeparateDatabaseAndState(
                database_operations=[migrations.RunSQL("CREATE TABLE beside (id integer)")]
            ),
        ]
    """
SQUASHED = """\
    class Migration(migrations.Migration):
        replaces = [("notes", "0001_initial"), ("notes", "0002_more")]
        initial = True
        operations = [
            migrations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True))]),
        ]
    """
ALONE = """\
    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True))]),
        ]
    """


@pytest.fixture
def two(sqlite: SQLiteServer) -> tuple[SQLiteDatabase, SQLiteDatabase]:
    return sqlite.create_database(), sqlite.create_database()


@pytest.fixture
def begin(
    make_project: Callable[..., Project],
    zygote: Zygote,
    two: tuple[SQLiteDatabase, SQLiteDatabase],
) -> Callable[..., Site]:
    """A project whose app `notes` is on both databases (default, other)."""

    def make(*names: str, **more: Any) -> Site:
        project = make_project(
            databases={"default": two[0].settings(), "other": two[1].settings()},
            apps={"notes": notes(*names)},
            installed=(),
            **more,
        )
        return Site(project, zygote)

    return make


def everything(*databases: SQLiteDatabase) -> list[str]:
    return [database.dump(schema_only=False) for database in databases]


def refused(site: Site, run: str, *args: str, code: int = 1) -> str:
    """What is said on standard error; nothing may be touched, nor journaled."""
    before = site.console("journal", "list", "--format", "json").stdout
    ended = site.rollback(run, *args, code=code)
    assert "Traceback" not in ended.output
    assert site.console("journal", "list", "--format", "json").stdout == before
    return ended.stderr


def test_what_cannot_be_reversed_is_named_before_anything_is_touched(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial")
    site.migrate()
    site.project.write_migration("notes", "0002_once", IRREVERSIBLE)
    run = site.migrate()
    before = everything(*two)
    said = refused(site, run)
    assert "default: notes.0002_once cannot be reversed (operation 1: Raw Python operation)" in said
    assert "other: notes.0002_once" in said
    assert "nothing was touched" in said
    assert "backup" in said
    refused(site, run, "--dry-run")
    document = json.loads(site.rollback(run, "--format", "json", code=1).stdout)
    assert document["error"]["type"] == "RollbackRefused"
    assert everything(*two) == before


def test_what_django_would_only_find_in_the_middle_is_found_before(
    begin: Callable[..., Site],
) -> None:
    site = begin("0001_initial")
    site.project.write_migration("notes", "0002_hidden", HIDDEN)
    run = site.migrate()
    assert "notes.0002_hidden cannot be reversed (operation 0:" in refused(site, run)


def test_the_backup_of_the_run_is_offered(begin: Callable[..., Site]) -> None:
    site = begin("0001_initial")
    site.migrate()
    site.project.write_migration("notes", "0002_once", IRREVERSIBLE)
    ended = site.manage(
        "migrate_all", "--non-interactive", "--skip-makemigrations", "--backup", "--format", "json"
    )
    run = json.loads(ended.stdout)["run_id"]
    said = " ".join(refused(site, run).split())
    assert f"migrator restore {run} --database default;" in said
    assert f"migrator restore {run} --database other." in said


def test_code_that_is_deployed_back_already_is_too_old(begin: Callable[..., Site]) -> None:
    site = begin("0001_initial")
    site.migrate()
    path = site.project.write_migration("notes", "0002_more", NOTES["0002_more"])
    run = site.migrate()
    path.unlink()
    said = refused(site, run)
    assert "the file of notes.0002_more is gone (notes/migrations/0002_more.py)" in said
    assert "Deploy the code that has it, roll back, then deploy the older code." in said


def test_what_a_later_run_has_built_on_it(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial")
    first = site.migrate()
    site.project.write_migration("notes", "0002_more", NOTES["0002_more"])
    site.migrate()
    said = refused(site, first)
    assert (
        "notes.0002_more, which is recorded and not of this run, needs notes.0001_initial" in said
    )
    assert "--with-later" in said
    site.rollback(first, "--with-later")
    for database in two:
        assert database.query("SELECT * FROM django_migrations") == []
    site.console("journal", "check")


def test_a_squash_of_which_the_run_applied_a_part(begin: Callable[..., Site]) -> None:
    site = begin("0001_initial")
    site.migrate()
    site.project.write_migration("notes", "0002_more", NOTES["0002_more"])
    run = site.migrate()
    site.project.write_migration("notes", "0001_squashed_0002_more", SQUASHED)
    said = refused(site, run)
    assert "notes.0001_squashed_0002_more stands for migrations of which the run applied" in said
    assert "notes.0001_initial came otherwise" in said


def test_rows_that_would_be_lost_need_consent(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial")
    run = site.migrate()
    two[1].execute("INSERT INTO notes_note (text, old) VALUES ('kept', 'y')")
    before = everything(*two)
    said = refused(site, run, code=3)
    assert "other: Drops table notes_note with 1 row" in said
    assert "--allow-destructive" in said
    shown = site.rollback(run, "--dry-run").stdout
    assert 'DROP TABLE "notes_note"' in shown
    assert everything(*two) == before
    site.rollback(run, "--allow-destructive", "--no-backup")
    assert two[1].query("SELECT * FROM django_migrations") == []


def test_nobody_to_ask(begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]) -> None:
    site = begin("0001_initial")
    run = site.migrate()
    before = everything(*two)
    ended = site.console("rollback", run, code=3)
    assert "--yes" in ended.stderr
    assert everything(*two) == before


def test_runs_that_have_nothing_to_take_back(begin: Callable[..., Site]) -> None:
    site = begin("0001_initial")
    run = site.migrate()
    checked = json.loads(site.manage("migrate_all", "--check", "--format", "json").stdout)
    assert "is a check: it applied nothing" in refused(site, checked["run_id"], code=2)
    idle = site.migrate()
    assert f"run {idle} applied nothing" in site.rollback(idle).stdout
    back = json.loads(site.rollback(run, "--format", "json").stdout)["run_id"]
    said = refused(site, back, code=2)
    assert "is itself a rollback" in said
    assert "migrate_all" in said
    assert "no longer recorded" in site.rollback(run).stdout


def test_what_was_applied_again_belongs_to_the_later_run(begin: Callable[..., Site]) -> None:
    site = begin("0001_initial")
    first = site.migrate()
    site.rollback(first)
    again = site.migrate()
    said = refused(site, first)
    assert f"notes.0001_initial was applied again by run {again}" in said
    assert f"migrator rollback {again}" in said


def test_one_database_of_several(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial")
    run = site.migrate()
    assert "has no database 'nope'" in refused(site, run, "--database", "nope", code=2)
    site.rollback(run[:10], "--database", "other")
    assert two[1].query("SELECT * FROM django_migrations") == []
    assert len(two[0].query("SELECT * FROM django_migrations")) == 1
    site.rollback(run)
    assert two[0].query("SELECT * FROM django_migrations") == []


def test_an_unknown_run(begin: Callable[..., Site]) -> None:
    site = begin("0001_initial")
    site.migrate()
    assert "zzzz" in refused(site, "zzzz", code=2)


def test_a_failed_run_gives_back_what_it_had_applied(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial")
    site.migrate()
    before = everything(*two)
    site.project.write_migration("notes", "0002_more", NOTES["0002_more"])
    site.project.write_migration(
        "notes",
        "0003_broken",
        """\
        class Migration(migrations.Migration):
            dependencies = [("notes", "0002_more")]
            operations = [migrations.RunSQL("SELECT nonsense", "")]
        """,
    )
    run = site.migrate(code=1)
    site.console("journal", "check", code=1)
    site.rollback(run)
    assert [database.query("SELECT name FROM django_migrations") for database in two] == [
        [("0001_initial",)]
    ] * 2
    site.console("journal", "check")  # the failed run is nobody's unfinished business now
    ended = site.manage(*MIGRATE, "--resume", run, code=1)
    assert "has been rolled back on default, other" in ended.stderr
    ended = site.manage(*MIGRATE, "--resume", run, "--dry-run", code=1)
    assert "has been rolled back on default, other" in ended.output
    assert len(before) == 2


def test_every_database_is_planned_before_any_is_touched(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial")
    run = site.migrate()
    Path(str(two[0].settings()["NAME"])).unlink()
    Path(str(two[0].settings()["NAME"])).write_bytes(b"no database at all, but long enough")
    before = two[1].dump(schema_only=False)
    refused(site, run)
    assert two[1].dump(schema_only=False) == before


def test_what_was_only_recorded_is_only_forgotten(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial")
    for database in two:
        database.execute(
            "CREATE TABLE notes_note (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, "
            "text text NOT NULL, old varchar(20) NOT NULL)"
        )
        database.execute("INSERT INTO notes_note (text, old) VALUES ('kept', 'y')")
    run = site.migrate("--fake-initial")
    report = json.loads(site.rollback(run, "--format", "json").stdout)
    assert [each["how"] for each in report["databases"][0]["applied"]] == ["forgotten"]
    for database in two:
        assert database.query("SELECT * FROM django_migrations") == []
        assert database.query("SELECT text FROM notes_note") == [("kept",)]


def test_what_a_router_keeps_away_needs_no_way_back(
    begin: Callable[..., Site], two: tuple[SQLiteDatabase, ...]
) -> None:
    site = begin("0001_initial", routing={"notes": "default", "things": "other"})
    site.project.write_app("things", {"migrations": {"0001_initial": ALONE}})
    settings = site.project.root / "config/settings.py"
    settings.write_text(settings.read_text() + 'INSTALLED_APPS.append("things")\n')
    site.migrate()
    site.project.write_migration("notes", "0002_once", IRREVERSIBLE)
    run = site.migrate()
    assert "default: notes.0002_once" in refused(site, run)
    site.rollback(run, "--database", "other")
    names = two[1].query("SELECT app, name FROM django_migrations ORDER BY 1")
    assert names == [("notes", "0001_initial"), ("things", "0001_initial")]
