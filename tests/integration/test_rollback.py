"""`migrator rollback` on real databases: what was there before is there again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.projects import Project
from tests.servers import Database
from tests.zygote import Ended, Zygote

HISTORY = "SELECT app, name FROM django_migrations ORDER BY 1, 2"
MIGRATE = ("migrate_all", "--non-interactive", "--skip-makemigrations", "--no-backup")


class Site:
    """A project, and what is done with it."""

    def __init__(self, project: Project, zygote: Zygote) -> None:
        self.project = project
        self.zygote = zygote

    def manage(self, *args: str, code: int = 0, **how: Any) -> Ended:
        """A management command."""
        ended = self.zygote.run(self.project, *args, **how)
        assert ended.code == code, str(ended)
        return ended

    def migrate(self, *args: str, code: int = 0) -> str:
        """A run; its id."""
        ended = self.manage(*MIGRATE, *args, "--format", "json", code=code)
        return str(json.loads(ended.stdout)["run_id"])

    def console(self, *args: str, code: int = 0, **how: Any) -> Ended:
        """The console script."""
        ended = self.zygote.run(self.project, *args, console=True, **how)
        assert ended.code == code, str(ended)
        return ended

    def rollback(self, run: str, *args: str, code: int = 0, **how: Any) -> Ended:
        """A rollback, without a question."""
        return self.console("rollback", run, "--yes", *args, code=code, **how)


@pytest.fixture
def site(zygote: Zygote) -> Callable[[Project], Site]:
    return lambda project: Site(project, zygote)


def picture(database: Database) -> tuple[str, list[tuple[Any, ...]]]:
    """The schema as the vendor's own tool writes it, and the recorded history."""
    return database.dump(), database.query(HISTORY)


def test_a_run_goes_back_to_what_was_there_before(
    database: Database, sample_project: Callable[..., Project], site: Callable[[Project], Site]
) -> None:
    here = site(sample_project(databases={"default": database.settings()}))
    here.manage("migrator", "--app", "library", "--app", "admin", "--skip-makemigrations")
    before = picture(database)
    run = here.migrate()
    after = picture(database)
    assert after != before
    ended = here.rollback(run, "--allow-destructive", "--no-backup")  # it has seeded rows
    assert picture(database) == before
    assert "to the letter" not in ended.output
    here.console("journal", "check")
    here.console("journal", "verify")
    here.manage("migrate_all", "--check")
    here.migrate()
    assert picture(database) == after


NOTES = {
    "0001_initial": """\
        class Migration(migrations.Migration):
            initial = True
            operations = [
                migrations.CreateModel(
                    "Note",
                    [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("text", models.TextField()),
                        ("old", models.CharField(max_length=20, default="x")),
                    ],
                ),
            ]
        """,
    "0002_more": """\
        class Migration(migrations.Migration):
            dependencies = [("notes", "0001_initial")]
            operations = [
                migrations.CreateModel(
                    "Tag",
                    [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("name", models.CharField(max_length=40, unique=True)),
                        ("notes", models.ManyToManyField("notes.Note")),
                    ],
                ),
                migrations.AddField(
                    "Note",
                    "tag",
                    models.ForeignKey("notes.Tag", models.SET_NULL, null=True),
                ),
                migrations.AddIndex("Note", models.Index(fields=["old"], name="note_old")),
            ]
        """,
    "0003_less": """\
        class Migration(migrations.Migration):
            dependencies = [("notes", "0002_more")]
            operations = [
                migrations.RemoveIndex("Note", "note_old"),
                migrations.RemoveField("Note", "old"),
                migrations.RenameField("Note", "text", "body"),
                migrations.RenameModel("Tag", "Label"),
            ]
        """,
}


def notes(*names: str) -> dict[str, Any]:
    """An app of these migrations; its models are nobody's business here."""
    return {"migrations": {name: NOTES[name] for name in names or NOTES}}


def test_a_first_run_goes_back_to_nothing(
    database: Database, make_project: Callable[..., Project], site: Callable[[Project], Site]
) -> None:
    here = site(
        make_project(
            databases={"default": database.settings()}, apps={"notes": notes()}, installed=()
        )
    )
    run = here.migrate()
    after = picture(database)
    ended = here.rollback(run[:-1], "--format", "json")
    report = json.loads(ended.stdout)
    assert report["kind"] == "rollback"
    assert report["outcome"] == "complete"
    assert {each["how"] for each in report["databases"][0]["applied"]} == {"unapplied"}
    assert database.query(HISTORY) == []
    assert "notes_" not in database.dump()
    assert "to the letter" not in ended.output
    again = here.rollback(run)
    assert "no longer recorded" in again.output
    here.migrate()
    assert picture(database) == after
