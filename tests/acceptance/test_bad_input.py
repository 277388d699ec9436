"""Bad input: one clear sentence, the right exit code, no traceback, nothing changed."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from journal import open_journal
from tests.projects import Completed, Project
from tests.servers import PostgresDatabase, SQLiteServer
from tests.zygote import Zygote

SQLITE = "django.db.backends.sqlite3"
PASSWORD = "hunter2-very-secret"

NOTES = {
    "models": """\
        from django.db import models


        class Note(models.Model):
            id = models.BigAutoField(primary_key=True)
        """,
    "migrations": {
        "0001_initial": """\
            class Migration(migrations.Migration):
                initial = True
                operations = [
                    migrations.CreateModel(
                        "Note",
                        [("id", models.BigAutoField(primary_key=True, serialize=False))],
                    ),
                ]
            """,
    },
}

EMPTY = """\
class Migration(migrations.Migration):
    dependencies = [{dependency}]
    operations = []
"""


@pytest.fixture
def project(make_project: Callable[..., Project], tmp_path: Path) -> Project:
    return make_project(
        databases={
            "default": {"ENGINE": SQLITE, "NAME": str(tmp_path / "default.sqlite3")},
            "other": {"ENGINE": SQLITE, "NAME": str(tmp_path / "other.sqlite3")},
        },
        apps={"notes": NOTES},
        installed=(),
    )


def assert_said(done: Completed, code: int, *words: str) -> None:
    """It ended with this code and says these words, readably."""
    assert done.returncode == code, done
    assert "Traceback" not in done.output, done
    assert PASSWORD not in done.output, done
    for word in words:
        assert word in done.output, done


def migrate_all(project: Project, *arguments: str, **env: str) -> Completed:
    return project.manage("migrate_all", *arguments, env=env)


def set_databases(project: Project, **databases: dict[str, Any]) -> None:
    path = project.root / "config/settings.py"
    path.write_text(path.read_text() + f"\nDATABASES = {databases!r}\n")


# -- the command line --------------------------------------------------------------


def test_unknown_alias(project: Project) -> None:
    assert_said(migrate_all(project, "--database", "nope"), 2, "'nope'", "default, other")
    assert not project.journal_path.exists()


def test_runs_that_are_not_there(project: Project) -> None:
    assert_said(migrate_all(project, "--resume"), 2, "holds no run")
    migrate_all(project)
    migrate_all(project)
    assert_said(migrate_all(project, "--resume", "zzzz"), 2, "zzzz")
    assert_said(migrate_all(project, "--resume", "1"), 2, "1")
    assert_said(project.migrator("journal", "show", "zzzz"), 2, "zzzz")
    assert_said(migrate_all(project, "--resume"), 0, "complete")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--check", "--repair"),
        ("--check", "--resume"),
        ("--check", "--dry-run"),
        ("--fail-on-pending",),
        ("--resume", "1", "--database", "default"),
        ("--repair", "--assume-applied", "nodot"),
        ("--assume-applied", "nodot"),
        ("--assume-not-applied", "app.name:first"),
        ("--wait-lock", "soon"),
        ("--format", "xml"),
        ("--output", "no/such/directory/report.txt"),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense(project: Project, arguments: tuple[str, ...]) -> None:
    done = migrate_all(project, *arguments)
    assert_said(done, 2)


# -- the journal ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"this is no database at all, but long enough to look at", "journal"), (b"", "")],
    ids=["garbage", "empty"],
)
def test_a_file_that_is_no_journal(project: Project, content: bytes, word: str) -> None:
    project.journal_path.write_bytes(content)
    done = migrate_all(project)
    assert_said(done, 1 if content else 0, word)
    assert (Path(project.root).parent / "default.sqlite3").exists() is not bool(content)


def test_a_journal_that_cannot_be_reached(project: Project, tmp_path: Path) -> None:
    """Nothing is done to any target; a check goes on, and says that it leaves no record."""
    for url in (
        f"sqlite:///{tmp_path}/no/such/journal.sqlite3",
        f"postgresql://somebody:{PASSWORD}@127.0.0.1:1/journal",
        f"nonsense://somebody:{PASSWORD}@127.0.0.1/journal",
    ):
        assert_said(migrate_all(project, MIGRATOR_JOURNAL_URL=url), 1, "journal")
        assert not (tmp_path / "default.sqlite3").exists()
        checked = migrate_all(project, "--check", MIGRATOR_JOURNAL_URL=url)
        assert_said(checked, 0, "leaves no record")


def test_a_journal_of_a_newer_version(project: Project, tmp_path: Path) -> None:
    import sqlite3

    migrate_all(project, "--database", "other")
    with sqlite3.connect(project.journal_path) as connection:
        connection.execute("UPDATE journal_version SET version_num = '9999'")
    connection.close()
    assert_said(migrate_all(project), 1, "newer")
    assert not (tmp_path / "default.sqlite3").exists()


# -- databases ------------------------------------------------------------------------------


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield server.getsockname()[1]


def test_one_database_that_fails_never_stops_the_others(
    project: Project, tmp_path: Path, silent_port: int
) -> None:
    postgres = {"ENGINE": "django.db.backends.postgresql", "NAME": "nowhere", "USER": "nobody"}
    set_databases(
        project,
        default={"ENGINE": SQLITE, "NAME": str(tmp_path / "default.sqlite3")},
        dead={**postgres, "HOST": "127.0.0.1", "PORT": 1, "PASSWORD": PASSWORD},
        silent={**postgres, "HOST": "127.0.0.1", "PORT": silent_port, "PASSWORD": PASSWORD},
        directory={"ENGINE": SQLITE, "NAME": str(tmp_path)},
        zed={"ENGINE": SQLITE, "NAME": str(tmp_path / "zed.sqlite3")},
    )
    path = project.root / "config/settings.py"
    path.write_text(path.read_text() + '\nMIGRATOR["CONNECT_TIMEOUT"] = 2\n')
    done = migrate_all(project)
    assert_said(done, 1, "dead", "silent", "in time", "directory")
    assert (tmp_path / "default.sqlite3").exists()
    assert (tmp_path / "zed.sqlite3").exists()
    assert PASSWORD.encode() not in project.journal_path.read_bytes()
    shown = project.migrator("journal", "show", "--format", "json")
    assert_said(shown, 0, '"alias": "zed"')


def test_a_wrong_password_is_not_printed(
    project: Project, create_database: Callable[..., PostgresDatabase]
) -> None:
    database = create_database("postgresql")
    set_databases(
        project,
        default={**database.settings(), "USER": "nobody_at_all", "PASSWORD": PASSWORD},
    )
    assert_said(migrate_all(project), 1, "default")
    assert PASSWORD.encode() not in project.journal_path.read_bytes()


def test_a_read_only_database(
    project: Project, create_database: Callable[..., PostgresDatabase]
) -> None:
    database = create_database("postgresql")
    database.execute(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = on')
    set_databases(project, default=database.settings())
    assert_said(migrate_all(project), 1, "read-only")
    assert_said(migrate_all(project, "--check"), 0, "read-only")


def test_two_aliases_of_one_database(project: Project, tmp_path: Path) -> None:
    """It is migrated once; the second name is skipped, with the reason."""
    link = tmp_path / "link.sqlite3"
    link.symlink_to(tmp_path / "default.sqlite3")
    set_databases(
        project,
        default={"ENGINE": SQLITE, "NAME": str(tmp_path / "default.sqlite3")},
        replica={"ENGINE": SQLITE, "NAME": str(link), "TEST": {"MIRROR": "default"}},
    )
    assert_said(migrate_all(project), 0, "replica", "mirror of default")


HEAP = {
    "0001_initial": """\
        class Migration(migrations.Migration):
            initial = True
            operations = [
                migrations.CreateModel(
                    "Stone",
                    [
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("text", models.TextField()),
                    ],
                ),
            ]
        """,
    "0002_fill": """\
        from django.db import migrations, models
        from heap.migrations import fill

        class Migration(migrations.Migration):
            dependencies = [("heap", "0001_initial")]
            operations = [migrations.RunPython(fill)]
        """,
    "0003_grow": """\
        from django.db import migrations, models
        from heap.migrations import fill

        class Migration(migrations.Migration):
            atomic = False
            dependencies = [("heap", "0002_fill")]
            operations = [
                migrations.AddField("stone", "size", models.IntegerField(default=0)),
                migrations.AddField("stone", "colour", models.IntegerField(default=0)),
                migrations.RunPython(fill, atomic=True),
            ]
        """,
}


def test_the_disk_of_a_database_fills_in_mid_run(
    zygote: Zygote,
    make_project: Callable[..., Project],
    postgres_database: PostgresDatabase,
    sqlite: SQLiteServer,
) -> None:
    """Wherever it does, the error is one sentence, and a resume goes on with nothing twice."""
    url = {"MIGRATOR_JOURNAL_URL": postgres_database.url}
    stopped_in = set()
    for limit in (40_000, 500_000, 1_500_000, 2_000_000):
        database = sqlite.create_database()
        project = make_project(
            databases={"default": database.settings()},
            apps={"heap": {"migrations": HEAP}},
            installed=(),
        )
        project.write(
            "heap/migrations/__init__.py",
            """\
            def fill(apps, schema_editor):
                Stone = apps.get_model("heap", "Stone")
                Stone.objects.bulk_create([Stone(text="x" * 1000) for _ in range(1000)])
            """,
        )
        words = ("--skip-makemigrations", "--format", "json")
        full = zygote.run(project, "migrate_all", *words, env=url, file_limit=limit)
        assert full.code == 1, full.output
        assert "Traceback" not in full.output, full.output
        (report,) = json.loads(full.stdout)["databases"]
        assert "--resume" in report["error"]["hint"], report
        stopped_in.add(report["pending"][0]["name"] if report["pending"] else "")
        resumed = zygote.run(project, "migrate_all", "--resume", env=url)
        assert resumed.code == 0, resumed.output
        assert database.query("SELECT count(*) FROM heap_stone") == [(2000,)]
        assert database.query("SELECT count(*) FROM django_migrations") == [(3,)]
    assert len(stopped_in) > 1
    with open_journal(postgres_database.url, create=False) as journal:
        assert not journal.verify()
        assert not journal.incomplete_runs()


# -- migrations --------------------------------------------------------------------------------


def broken(project: Project, name: str, source: str) -> None:
    project.write_migration("notes", name, source)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {
                "0002_a": EMPTY.format(dependency='("notes", "0003_b")'),
                "0003_b": EMPTY.format(dependency='("notes", "0002_a")'),
            },
            ("circle", "notes.0002_a", "notes.0003_b"),
        ),
        (
            {
                "0002_a": EMPTY.format(dependency='("notes", "0001_initial")'),
                "0002_b": EMPTY.format(dependency='("notes", "0001_initial")'),
            },
            ("conflict", "0002_a", "0002_b", "--merge"),
        ),
        ({"0002_a": EMPTY.format(dependency='("notes", "0009_gone")')}, ("0009_gone",)),
        ({"0002_a": "import nothing_of_that_name\n"}, ("0002_a", "nothing_of_that_name")),
        ({"0002_a": "import os\n\ndef broken(:\n"}, ("0002_a", "SyntaxError")),
        ({"0002_a": "import os\n"}, ("0002_a", "Migration")),
    ],
    ids=["circular", "conflicting", "missing", "import", "syntax", "no class"],
)
def test_migrations_that_cannot_be_used(
    project: Project, tmp_path: Path, files: dict[str, str], words: tuple[str, ...]
) -> None:
    for name, source in files.items():
        broken(project, name, source)
    assert_said(migrate_all(project), 1, *words)
    for path in tmp_path.glob("*.sqlite3"):
        assert path.stat().st_size == 0 or "django_migrations" not in path.read_text("latin-1")
    assert_said(migrate_all(project, "--check"), 1, *words)


def test_no_project_at_all(tmp_path: Path) -> None:
    empty = Project(tmp_path)
    for arguments in (("journal", "list"), ("journal", "check")):
        done = empty.migrator(*arguments)
        assert done.returncode in {1, 2}, done
        assert_said(done, done.returncode, "--journal")


def test_a_refused_run_is_a_document_too(project: Project) -> None:
    done = project.manage("migrate_all", "--database", "nope", "--format", "json")
    assert_said(done, 2)
    document = json.loads(done.stdout)
    assert document["exit_code"] == 2
    assert document["error"]["type"] == "UnknownAlias"
    assert document["databases"] == []


def test_a_project_that_fails_its_own_checks_is_not_migrated(
    project: Project, tmp_path: Path
) -> None:
    path = project.root / "notes/models.py"
    path.write_text(
        path.read_text() + "\n\nclass Wrong(models.Model):\n"
        "    name = models.CharField()\n"
        "    class Meta:\n        managed = False\n        ordering = ['nothing']\n"
    )
    assert_said(migrate_all(project, "--skip-makemigrations"), 1, "manage.py check")
    assert not (tmp_path / "default.sqlite3").exists()
