"""`--resume --dry-run`: what a resume would do with each alias, and why; it changes nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Project
from tests.servers import Database
from tests.zygote import Zygote

INITIAL = """\
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Page", [("id", models.BigAutoField(primary_key=True, serialize=False))]
        ),
    ]
"""
ADD = """\
class Migration(migrations.Migration):
    dependencies = [("pages", "{dependency}")]
    operations = [
        migrations.AddField("Page", "{field}", models.IntegerField(default=0, db_default=0)),
    ]
"""
ONLINE = """\
class Migration(migrations.Migration):
    atomic = False
    dependencies = [("pages", "0003_likes")]
    operations = [
        migrations.RunSQL("INSERT INTO pages_page DEFAULT VALUES", migrations.RunSQL.noop),
        migrations.RunSQL("INSERT INTO pages_page DEFAULT VALUES", migrations.RunSQL.noop),
    ]
"""
MODELS = """\
from django.db import models


class Page(models.Model):
    id = models.BigAutoField(primary_key=True)
    views = models.IntegerField(default=0, db_default=0)
    likes = models.IntegerField(default=0, db_default=0)
"""
PAGES = {
    "models": MODELS,
    "migrations": {
        "0001_initial": INITIAL,
        "0002_views": ADD.format(dependency="0001_initial", field="views"),
        "0003_likes": ADD.format(dependency="0002_views", field="likes"),
        "0004_online": ONLINE,
    },
}


@pytest.fixture
def databases(
    request: pytest.FixtureRequest, create_database: Callable[..., Database]
) -> dict[str, Database]:
    vendor = getattr(request, "param", "sqlite")
    return {alias: create_database(vendor) for alias in ("default", "other")}


@pytest.fixture
def project(make_project: Callable[..., Project], databases: dict[str, Database]) -> Project:
    return make_project(
        databases={alias: database.settings() for alias, database in databases.items()},
        apps={"pages": PAGES},
        installed=(),
    )


class Case:
    """A run that was killed, and a look at what a resume would do."""

    def __init__(self, zygote: Zygote, project: Project, databases: dict[str, Database]) -> None:
        self.zygote, self.project, self.databases = zygote, project, databases
        for database in databases.values():  # an SQLite file that is there, like the next time
            database.execute("CREATE TABLE warm (id integer)")
            database.execute("DROP TABLE warm")
        counted = zygote.run(project, "migrate_all")
        assert counted.code == 0, counted
        self.crossed = counted.crossed
        self.forget()

    def forget(self) -> None:
        """Empty everything."""
        for path in self.project.root.glob("migrator_journal.sqlite3*"):
            path.unlink()
        for database in self.databases.values():
            for table in ("pages_page", "django_migrations"):
                database.execute(f"DROP TABLE {table}")

    def kill_before(self, label: str, occurrence: int = 1) -> None:
        """Run, and die at the boundary of that beginning."""
        found = [k for k, text in enumerate(self.crossed, 1) if text.startswith(label)]
        ended = self.zygote.run(self.project, "migrate_all", kill_at=found[occurrence - 1])
        assert ended.killed, ended

    def picture(self) -> list[Any]:
        """Everything that must not change."""
        with closing(sqlite3.connect(self.project.journal_path)) as connection:
            lines = list(connection.iterdump())
        return [lines, *(d.dump(schema_only=False) for d in self.databases.values())]

    def preview(self, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
        """The preview as JSON, by alias; nothing has changed."""
        before = self.picture()
        options = ("--resume", "--dry-run", *arguments)
        done = self.zygote.run(self.project, "migrate_all", *options, "--format", "json")
        assert self.picture() == before
        assert done.code == code, done
        assert "Traceback" not in done.output
        document = json.loads(done.stdout)
        assert document["exit_code"] == code
        found = {database["alias"]: database["resume"] for database in document["databases"]}
        for resume in found.values():
            for key in ("done", "reconciled", "retried", "pending"):
                resume[key] = [migration["name"][:4] for migration in resume[key]]
        return found

    def resume(self, *arguments: str, code: int = 0) -> str:
        """Resume for real."""
        ended = self.zygote.run(self.project, "migrate_all", "--resume", *arguments)
        assert ended.code == code, ended
        return ended.output


@pytest.fixture
def case(zygote: Zygote, project: Project, databases: dict[str, Database]) -> Case:
    return Case(zygote, project, databases)


@pytest.mark.parametrize("databases", ["sqlite", "postgresql"], indirect=True)
def test_killed_before_and_after_a_commit(case: Case) -> None:
    # Of `default`: django_migrations, then one for each of the first two migrations.
    inserts = [k for k, text in enumerate(case.crossed) if 'INTO "django_migrations"' in text]
    second = case.crossed[: inserts[1]].count("before commit") + 1
    case.kill_before("before commit", second)
    found = case.preview()
    assert found["default"] | {"reason": ""} == {
        "action": "continue",
        "reason": "",
        "hint": "",
        "state": "repaired",
        "status": "running",
        "stopped_in": "migrate",
        "done": ["0001"],
        "reconciled": [],
        "retried": ["0002"],
        "in_doubt": [],
        "pending": ["0002", "0003", "0004"],
    }
    assert "attempts pages.0002_views again" in found["default"]["reason"]
    assert (found["other"]["action"], found["other"]["state"]) == ("continue", "pending")
    text = case.zygote.run(case.project, "migrate_all", "--resume", "--dry-run").stdout
    for said in (
        "repaired, running, in migrate",
        "continues it",
        "attempts pages.0002_views again",
    ):
        assert said in text, text
    assert found["other"]["pending"] == ["0001", "0002", "0003", "0004"]
    case.resume()
    assert "complete" in case.resume()

    case.forget()
    case.kill_before("after commit", second)
    found = case.preview()
    assert found["default"]["reconciled"] == ["0002"]
    assert found["default"]["retried"] == []
    assert found["default"]["pending"] == ["0003", "0004"]
    assert "its row is there" in found["default"]["reason"]
    case.resume()


@pytest.mark.parametrize("databases", ["sqlite", "postgresql"], indirect=True)
def test_an_operation_in_doubt(case: Case) -> None:
    case.kill_before("sql INSERT INTO pages_page", 2)
    found = case.preview()
    assert found["default"]["in_doubt"], found
    assert found["default"]["in_doubt"][0].startswith("pages.0004_online:1")
    assert found["default"]["retried"] == ["0004"]


def test_at_its_goal_drifted_and_diverged(case: Case) -> None:
    """The first alias is done; the second is found in one bad way after the other."""
    inserts = [k for k, text in enumerate(case.crossed) if 'INTO "django_migrations"' in text]
    case.kill_before(
        "sql INSERT", 1 + sum(t.startswith("sql INSERT") for t in case.crossed[: inserts[6]])
    )
    found = case.preview()
    assert (found["default"]["action"], found["default"]["status"]) == ("nothing", "done")
    assert found["other"]["done"] == ["0001", "0002"]

    other = case.databases["other"]
    other.execute("ALTER TABLE pages_page DROP COLUMN views")
    found = case.preview(code=1)
    assert found["other"]["action"] == "stop"
    assert "disagree" in found["other"]["reason"]
    assert "--repair" in found["other"]["hint"]
    assert case.preview("--repair")["other"]["action"] == "continue"
    case.resume(code=1)

    other.execute("DELETE FROM django_migrations WHERE name = '0002_views'")
    found = case.preview(code=1)
    assert found["other"]["action"] == "stop"
    assert "pages.0002_views" in found["other"]["reason"]


def test_what_refuses_the_run(case: Case, tmp_path: Path) -> None:
    case.kill_before("before commit", 3)
    project = case.project
    settings = project.root / "config/settings.py"
    source = settings.read_text()

    migration = project.root / "pages/migrations/0003_likes.py"
    kept = migration.read_text()
    migration.write_text(kept + "# edited\n")
    project.write_migration("pages", "0005_new", ADD.format(dependency="0004_online", field="new"))
    found = case.preview(code=1)
    assert {found[alias]["action"] for alias in found} == {"refuse"}
    assert "edited pages.0003_likes" in found["default"]["reason"]
    assert "added pages.0005_new" in found["default"]["reason"]
    assert case.preview("--accept-changed-migrations")["default"]["action"] == "continue"
    (project.root / "pages/migrations/0005_new.py").unlink()
    migration.unlink()
    found = case.preview(code=1)
    assert "removed pages.0003_likes" in found["default"]["reason"]
    migration.write_text(kept)

    moved = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "moved.sqlite3")}
    settings.write_text(f"{source}\nDATABASES['other'] = {moved!r}\n")
    found = case.preview(code=1)
    assert found["default"]["action"] == "continue"
    assert found["other"]["action"] == "refuse"
    assert "another database" in found["other"]["reason"]

    settings.write_text(f"{source}\ndel DATABASES['other']\n")
    found = case.preview(code=1)
    assert "no longer has" in found["other"]["reason"]
    case.resume(code=1)
    settings.write_text(source)
    case.resume()


def test_finished_runs_checks_and_strangers(case: Case) -> None:
    """Exit 0 for what is complete; a check, and an id of another journal, are refused."""
    done = case.zygote.run(case.project, "migrate_all", "--format", "json")
    run_id = json.loads(done.stdout)["run_id"]
    for arguments in ((), (run_id,)):
        for dry in ((), ("--dry-run",)):
            ended = case.zygote.run(case.project, "migrate_all", "--resume", *arguments, *dry)
            assert ended.code == 0, ended
            assert "complete" in ended.output
    checked = case.zygote.run(case.project, "migrate_all", "--check", "--format", "json")
    check_id = json.loads(checked.stdout)["run_id"]
    for words, code, said in ((check_id, 1, "check"), ("20200101-zzzz", 2, "20200101-zzzz")):
        for dry in ((), ("--dry-run",)):
            ended = case.zygote.run(case.project, "migrate_all", "--resume", words, *dry)
            assert (ended.code, said in ended.stderr) == (code, True), ended


def test_an_older_state_that_was_put_back(case: Case) -> None:
    """This run has committed nothing yet; but what it had seen recorded is gone."""
    done = case.zygote.run(case.project, "migrate_all")
    assert done.code == 0, done.output
    case.project.write_migration(
        "pages", "0005_more", ADD.format(dependency="0004_online", field="more")
    )
    models = case.project.root / "pages/models.py"
    models.write_text(f"{MODELS}    more = models.IntegerField(default=0, db_default=0)\n")
    counted = case.zygote.run(case.project, "migrate_all", "--dry-run")
    assert counted.code == 0, counted.output
    for boundary in range(20, 400, 12):  # until one is killed that has scanned, not committed
        killed = case.zygote.run(case.project, "migrate_all", kill_at=boundary)
        if not killed.killed:
            break
        preview = case.preview()["default"]
        if preview["state"] in ("scanned", "repaired") and preview["pending"] == ["0005"]:
            break
    assert killed.killed, "no boundary in between"
    default = case.databases["default"]
    default.execute("DELETE FROM django_migrations WHERE name IN ('0003_likes', '0004_online')")
    found = case.preview(code=1)
    assert found["default"]["action"] == "stop"
    assert "pages.0004_online" in found["default"]["reason"]
    assert "pages.0004_online" in case.resume(code=1)
