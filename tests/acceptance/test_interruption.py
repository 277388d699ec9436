"""Killed, terminated, raced: what a run leaves behind, and how it goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from journal import Target, open_journal
from tests.projects import Project, kill
from tests.servers import Database

MODELS = """\
from django.db import models


class Entry(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=50)
    counter = models.IntegerField(default=0)
"""

INITIAL = """\
class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Entry",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=50)),
            ],
        ),
    ]
"""

COUNTER = """\
def seed(apps, schema_editor):
    Entry = apps.get_model("blog", "Entry")
    Entry.objects.using(schema_editor.connection.alias).create(title="first")


class Migration(migrations.Migration):
    dependencies = [("blog", "0001_initial")]
    operations = [
        migrations.AddField("Entry", "counter", models.IntegerField(default=0)),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
"""

# Says where it is, then waits as long as it is told to: killed there, or let go on.
SLOW = """\
import os
import time
from pathlib import Path

from django.db import migrations
from django.db.models import F


def count(apps, schema_editor):
    Entry = apps.get_model("blog", "Entry")
    rows = Entry.objects.using(schema_editor.connection.alias)
    rows.update(counter=F("counter") + 1)
    if os.environ.get("SLOW"):
        Path(os.environ["SLOW"]).write_text("here")
        time.sleep(60)


class Migration(migrations.Migration):
    dependencies = [("blog", "0002_counter")]
    operations = [migrations.RunPython(count, migrations.RunPython.noop)]
"""

BLOG = {
    "models": MODELS,
    "migrations": {"0001_initial": INITIAL, "0002_counter": COUNTER, "0003_count": SLOW},
}


@pytest.fixture(params=["postgresql", "sqlite"])
def target(request: pytest.FixtureRequest, create_database: Callable[..., Database]) -> Database:
    return create_database(request.param)


@pytest.fixture
def blog(make_project: Callable[..., Project], target: Database) -> Project:
    return make_project(databases={"default": target.settings()}, apps={"blog": BLOG}, installed=())


@pytest.fixture
def stuck(blog: Project, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that stands in the middle of blog.0003_count, its update made and not committed."""
    flag = tmp_path / "here"
    process = blog.popen("migrate_all", env={"SLOW": str(flag)})
    deadline = time.monotonic() + 60
    while not flag.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the slow migration was never reached"
        time.sleep(0.05)
    yield process
    if process.poll() is None:
        kill(process)


def journal(project: Project) -> dict[str, Any]:
    shown = project.migrator(
        "journal", "show", "--format", "json", "--journal", project.journal_url
    )
    assert shown.returncode == 0, shown
    document: dict[str, Any] = json.loads(shown.stdout)
    return document


def steps(document: dict[str, Any], name: str) -> list[tuple[int, str]]:
    """(attempt, phase) of each entry of a migration."""
    return [
        (entry["attempt"], entry["phase"])
        for entry in document["entries"]
        if entry["kind"] == "migration" and entry["name"] == name
    ]


def assert_converged(project: Project, target: Database) -> None:
    assert target.query("SELECT title, counter FROM blog_entry") == [("first", 1)]
    rows = target.query("SELECT name FROM django_migrations WHERE app = 'blog' ORDER BY name")
    assert rows == [("0001_initial",), ("0002_counter",), ("0003_count",)]
    complete = project.migrator("journal", "check", "--journal", project.journal_url)
    assert complete.returncode == 0, complete
    sound = project.migrator("journal", "verify", "--journal", project.journal_url)
    assert sound.returncode == 0, sound


def test_killed_in_a_migration_and_resumed(
    blog: Project, stuck: subprocess.Popen[str], target: Database
) -> None:
    kill(stuck)
    incomplete = blog.migrator("journal", "check", "--journal", blog.journal_url)
    assert incomplete.returncode == 1, incomplete
    assert target.query("SELECT counter FROM blog_entry") == [(0,)]

    resumed = blog.manage("migrate_all", "--resume")
    assert resumed.returncode == 0, resumed
    assert_converged(blog, target)
    assert steps(journal(blog), "blog.0003_count") == [(1, "intent"), (2, "intent"), (2, "done")]
    assert steps(journal(blog), "blog.0001_initial") == [(1, "intent"), (1, "done")]


def test_killed_and_started_anew_without_resume(
    blog: Project, stuck: subprocess.Popen[str], target: Database
) -> None:
    kill(stuck)
    again = blog.manage("migrate_all")
    assert again.returncode == 0, again
    assert_converged(blog, target)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_rolls_back_and_says_so(
    blog: Project, stuck: subprocess.Popen[str], target: Database, number: signal.Signals
) -> None:
    out, err = kill(stuck, number)
    assert stuck.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert "--resume" in out
    assert target.query("SELECT counter FROM blog_entry") == [(0,)]
    document = journal(blog)
    assert document["run"]["status"] == "interrupted"
    assert document["targets"][0]["status"] == "interrupted"

    assert blog.manage("migrate_all", "--resume").returncode == 0
    assert_converged(blog, target)


SWALLOWED = """\
import os
import signal

from django.db import migrations


def swallow(apps, schema_editor):
    try:
        if os.environ.get("STRIKE"):
            os.kill(os.getpid(), signal.SIGTERM)
    except BaseException:
        raise ValueError("something else")


class Migration(migrations.Migration):
    dependencies = [("blog", "0001_initial")]
    operations = [migrations.RunPython(swallow, migrations.RunPython.noop)]
"""


def test_a_signal_that_turns_into_another_error_still_interrupts(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    app = {"migrations": {"0001_initial": INITIAL, "0002_swallow": SWALLOWED}}
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    project = make_project(databases={"default": entry}, apps={"blog": app}, installed=())
    arguments = ("migrate_all", "--skip-makemigrations")
    struck = project.manage(*arguments, env={"STRIKE": "1"})
    assert struck.returncode == 130, struck
    assert journal(project)["run"]["status"] == "interrupted"
    assert project.manage("migrate_all", "--resume").returncode == 0


STRUCK_WHEN_VERIFIED = """
import os, signal
from journal.store import SqlJournal

write = SqlJournal.write

def struck(self, *arguments, **more):
    entry = write(self, *arguments, **more)
    if os.environ.get("STRIKE") and (more["name"], str(more["phase"])) == ("verify", "done"):
        os.kill(os.getpid(), signal.SIGTERM)
    return entry

SqlJournal.write = struck
"""


def test_interrupted_when_it_had_just_been_verified(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    project = make_project(
        databases={"default": entry},
        apps={"blog": {"migrations": {"0001_initial": INITIAL}}},
        installed=(),
        settings_extra=STRUCK_WHEN_VERIFIED,
    )
    struck = project.manage("migrate_all", "--skip-makemigrations", env={"STRIKE": "1"})
    assert struck.returncode == 130, struck
    assert journal(project)["targets"][0]["status"] == "done"
    resumed = project.manage("migrate_all", "--resume")
    assert resumed.returncode == 0, resumed
    assert journal(project)["run"]["status"] == "complete"


def test_a_second_run_finds_the_lock_held(
    blog: Project, stuck: subprocess.Popen[str], target: Database
) -> None:
    run_id = journal(blog)["run"]["id"]
    second = blog.manage("migrate_all")
    assert second.returncode == 4, second
    assert run_id in second.output
    resumed = blog.manage("migrate_all", "--resume", run_id)
    assert resumed.returncode == 4, resumed
    checked = blog.manage("migrate_all", "--check")
    assert checked.returncode == 4, checked
    kill(stuck)
    assert blog.manage("migrate_all", "--resume", run_id).returncode == 0
    assert target.query("SELECT title, counter FROM blog_entry") == [("first", 1)]


def test_resume_refuses_changed_files(blog: Project, stuck: subprocess.Popen[str]) -> None:
    kill(stuck)
    path = blog.root / "blog/migrations/0003_count.py"
    path.write_text(path.read_text() + "\n# edited\n")
    refused = blog.manage("migrate_all", "--resume")
    assert refused.returncode == 1, refused
    assert "blog.0003_count" in refused.stderr
    assert "--accept-changed-migrations" in refused.stderr
    accepted = blog.manage("migrate_all", "--resume", "--accept-changed-migrations")
    assert accepted.returncode == 0, accepted


def test_resume_refuses_another_database(
    blog: Project,
    stuck: subprocess.Popen[str],
    target: Database,
    create_database: Callable[..., Database],
) -> None:
    kill(stuck)
    other = create_database(
        "sqlite" if "sqlite" in target.settings()["ENGINE"] else "postgresql", prefix="other"
    )
    settings = blog.root / "config/settings.py"
    settings.write_text(
        settings.read_text() + f"\nDATABASES = {{'default': {other.settings()!r}}}\n"
    )
    refused = blog.manage("migrate_all", "--resume")
    assert refused.returncode == 1, refused
    assert "another database" in refused.stderr
    assert blog.manage("migrate_all").returncode == 0


def test_resume_refuses_an_alias_that_is_gone(blog: Project) -> None:
    with open_journal(blog.journal_url) as opened:
        opened.open_run(
            kind="migrate",
            goal="verified",
            options={},
            actor={},
            targets=[Target(run_id="", alias="default"), Target(run_id="", alias="archive")],
        )
    refused = blog.manage("migrate_all", "--resume")
    assert refused.returncode == 1, refused
    assert "archive" in refused.stderr
    assert "Traceback" not in refused.output


def test_a_lost_row_is_divergence(
    blog: Project, stuck: subprocess.Popen[str], target: Database
) -> None:
    kill(stuck)
    target.execute("DELETE FROM django_migrations WHERE app = 'blog' AND name = '0002_counter'")
    resumed = blog.manage("migrate_all", "--resume")
    assert resumed.returncode == 1, resumed
    assert "blog.0002_counter" in resumed.output
    assert target.query("SELECT counter FROM blog_entry") == [(0,)]


def test_a_finished_run_needs_no_resume(blog: Project) -> None:
    assert blog.manage("migrate_all").returncode == 0
    run_id = journal(blog)["run"]["id"]
    for arguments in (("--resume",), ("--resume", run_id), ("--resume", run_id[:8])):
        again = blog.manage("migrate_all", *arguments)
        assert again.returncode == 0, again
        assert "complete" in again.output


def test_a_lost_journal_is_said_and_a_fresh_run_converges(
    blog: Project, stuck: subprocess.Popen[str], target: Database
) -> None:
    kill(stuck)
    for path in blog.root.glob("migrator_journal.sqlite3*"):
        path.unlink()
    resumed = blog.manage("migrate_all", "--resume")
    assert resumed.returncode == 2, resumed
    assert "holds no run" in resumed.stderr
    assert blog.manage("migrate_all").returncode == 0
    assert_converged(blog, target)
