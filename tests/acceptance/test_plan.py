"""`migrator plan` shows what is then sent, writes to no database, and keeps a directory of SQL."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Project
from tests.servers import Database

ROOT = Path(__file__).resolve().parents[2]

HOSTILE = """\
from django.db import migrations, models

def run(apps, schema_editor):
    schema_editor.connection.cursor().execute("CREATE TABLE run_in_a_preview (id integer)")

class Past(migrations.operations.base.Operation):
    reduces_to_sql = True
    reversible = True
    def state_forwards(self, app_label, state): pass
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        schema_editor.execute("SELECT 1")
        schema_editor.connection.cursor().execute("CREATE TABLE past_the_editor (id integer)")
    def describe(self): return "Goes past the editor"

class Holds(migrations.operations.base.Operation):
    reduces_to_sql = True
    def __init__(self, *inner): self.inner = inner
    def state_forwards(self, app_label, state): pass
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        for each in self.inner:
            each.database_forwards(app_label, schema_editor, from_state, to_state)
    def describe(self): return "Holds code"

class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(database_operations=[migrations.RunPython(run)]),
        Past(),
        Holds(migrations.RunPython(run)),
        migrations.AddField("thing", "b", models.IntegerField(null=True)),
    ]
"""
INITIAL = """\
class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True)),
                                         ("a", models.IntegerField(null=True))]),
    ]
"""
MODELS = """\
from django.db import models

class Thing(models.Model):
    a = models.IntegerField(null=True)
    b = models.IntegerField(null=True)
"""


@pytest.fixture
def hostile(make_project: Callable[..., Project], database: Database) -> Project:
    return make_project(
        databases={"default": database.settings()},
        apps={
            "shop": {
                "models": MODELS,
                "migrations": {"0001_initial": INITIAL, "0002_hostile": HOSTILE},
            }
        },
        installed=(),
    )


def planned(project: Project, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """The plans of all databases, by `migrator plan`."""
    done = project.migrator("plan", "--format", "json", *arguments)
    assert done.returncode == code, done
    databases = json.loads(done.stdout)["databases"]
    return [step for database in databases for step in database["plan"]]


def statements(steps: Sequence[dict[str, Any]]) -> list[str]:
    """Without the comments that say what each is for."""
    lines = [line for step in steps for line in step["sql"] if not line.startswith("-- ")]
    return [line.removesuffix(";").rstrip() for line in lines]


def sent_by(project: Project, *command: str) -> list[str]:
    """What the schema editors of a command really send."""
    file = project.root / "sent.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.sent", str(file), *command],
        cwd=project.root,
        env=project.environ({"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [sql for _, sql in json.loads(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("vendor", "begin"),
    [
        pytest.param("postgresql", "zero", marks=pytest.mark.slow),
        ("postgresql", "half way"),
        ("sqlite", "zero"),
        pytest.param("mysql", "zero", marks=pytest.mark.slow),
        ("mysql", "half way"),
    ],
)
def test_what_is_shown_is_what_is_then_sent(
    sample_project: Callable[..., Project],
    create_database: Callable[..., Database],
    vendor: str,
    begin: str,
) -> None:
    database = create_database(vendor)
    sample = sample_project(databases={"default": database.settings()})
    if begin != "zero":
        for app, name in (("library", "0005"), ("shop", "0003"), ("admin", "0002")):
            sample.manage("migrate", app, name, "-v0", check=True)
    before = database.dump(schema_only=False)
    shown = planned(sample)
    assert database.dump(schema_only=False) == before
    expected = statements(shown)
    if vendor == "mysql":  # the executor sends a RunSQL that only moves rows by itself there
        expected = [sql for sql in expected if not sql.startswith("UPDATE shop_product")]
    assert expected == sent_by(sample, "migrate_all", "--non-interactive")
    assert planned(sample) == []
    again = sample.migrator("plan")
    assert again.returncode == 0, again
    assert "nothing pending" in again.stdout


def test_the_demo(tmp_path: Path, create_database: Callable[..., Database]) -> None:
    """From zero, and then what its second release brings."""
    root = tmp_path / "demo"
    shutil.copytree(ROOT / "demo" / "project", root, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "server.json").write_text("{}", encoding="utf-8")
    databases = {
        alias: create_database("sqlite" if alias == "analytics" else "postgresql").settings()
        for alias in ("default", "blog_db", "shop_db", "analytics")
    }
    project = Project(root, {"DJANGO_SETTINGS_MODULE": "config.elsewhere"})
    project.write(
        "config/elsewhere.py",
        f"from config.settings import *\n\nDATABASES = {databases!r}\n",
    )
    assert statements(planned(project)) == sent_by(project, "migrate_all", "--non-interactive")
    shutil.copytree(ROOT / "demo" / "release_2", root, dirs_exist_ok=True)
    shown = statements(planned(project))
    assert shown
    assert shown == sent_by(project, "migrate_all", "--non-interactive", "--allow-destructive")


def test_nothing_of_a_migration_is_run(hostile: Project, database: Database) -> None:
    hostile.manage("migrate", "shop", "0001", "-v0", check=True)
    database.execute("INSERT INTO shop_thing (a) VALUES (1), (2), (3)")
    before = database.dump(schema_only=False)
    (step,) = planned(hostile)
    assert database.dump(schema_only=False) == before
    assert len(step["opaque"]) == 3
    assert "Goes past the editor: it sends SQL of its own to the database" in step["opaque"]
    assert "Holds code: it holds Raw Python operation, which is code" in step["opaque"]
    assert any("ADD COLUMN" in line for line in step["sql"])
    assert step["file"] == "shop/migrations/0002_hostile.py"
    (size,) = step["tables"]
    assert (size["table"], size["rows"]) == ("shop_thing", 3)
    assert step["rewrites"] == []
    if database.vendor == "postgresql":
        assert step["locks"] == [
            {"table": "shop_thing", "mode": "ACCESS EXCLUSIVE", "blocks": "reads and writes"}
        ]
        for style in ("text", "markdown"):
            shown = hostile.migrator("plan", "--format", style).stdout
            assert "ACCESS EXCLUSIVE on shop_thing (3 rows, " in shown


# -- one vendor is enough ---------------------------------------------------------------------


@pytest.fixture
def two(
    sample_project: Callable[..., Project], create_database: Callable[..., Database]
) -> Project:
    databases = {
        "default": create_database("sqlite").settings(),
        "odd name/..": create_database("sqlite").settings(),
    }
    return sample_project(databases=databases)


def test_files_are_ordered_and_replace_a_former_preview(two: Project) -> None:
    done = two.migrator("plan", "--output", "sql")
    assert done.returncode == 0, done
    directory = two.root / "sql"
    folders = sorted(path.name for path in directory.iterdir())
    assert folders == ["default", "odd%20name%2F.."]
    files = sorted(path.name for path in (directory / "default").iterdir())
    assert files[0] == "0001-contenttypes-0001_initial.sql"
    assert "0027-shop-0004_coupon_squashed_0005_coupon_valid.sql" in files
    text = (directory / "default" / files[0]).read_text(encoding="utf-8")
    assert text.startswith(
        "-- A preview by `migrator plan`\n-- contenttypes.0001_initial on default"
    )
    assert 'CREATE TABLE "django_content_type"' in text

    two.manage("migrate", "-v0", check=True)
    assert two.migrator("plan", "-o", "sql", "--database", "default").returncode == 0
    assert list(directory.iterdir()) == []


def test_a_directory_with_anything_else_is_left_alone(two: Project) -> None:
    mine = two.write("sql/default/0001-mine.sql", "SELECT 1;\n")
    done = two.migrator("plan", "--output", "sql")
    assert done.returncode == 1, done
    assert "0001-mine.sql, which no preview has written" in done.stderr
    assert [path for path in (two.root / "sql").rglob("*") if path.is_file()] == [mine]


def test_drift_is_shown_and_stops_no_preview(two: Project) -> None:
    two.manage("migrate", "-v0", check=True)
    two.manage("migrate", "shop", "0007", "-v0", check=True)
    settings = two.env["MIGRATOR_TEST_DATABASES"]
    path = json.loads(settings)["default"]["NAME"]
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE django_session RENAME TO gone")
    done = two.migrator("plan", "--database", "default")
    assert done.returncode == 0, done
    assert "DR101" in done.stdout
    assert "CREATE INDEX" in done.stdout


def test_a_database_that_cannot_be_planned_fails_the_preview(
    sample_project: Callable[..., Project], create_database: Callable[..., Database]
) -> None:
    gone = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "x",
        "HOST": "127.0.0.1",
        "PORT": "1",
    }
    project = sample_project(
        databases={"default": create_database("sqlite").settings(), "gone": gone}
    )
    done = project.migrator("plan")
    assert done.returncode == 1, done
    assert "CREATE TABLE" in done.stdout
    assert "gone" in done.stdout
    assert "Connection refused" in done.stdout
    assert "Is the server running" not in done.stdout
    looked = project.manage("migrate_all", "--dry-run")
    assert looked.returncode == done.returncode
    unknown = project.migrator("plan", "--database", "nobody")
    assert unknown.returncode == 2, unknown
    lost = project.migrator("plan", "--settings", "nowhere.settings")
    assert lost.returncode == 2, lost
    assert "manage.py" in lost.stderr
    assert "--journal" not in lost.stderr  # which it does not have
    assert "Traceback" not in done.output + unknown.output + lost.output
