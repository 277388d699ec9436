"""The fixtures themselves: what every other test stands on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tests import servers
from tests.projects import Project, kill
from tests.servers import Database, SQLiteDatabase

BLOG = {
    "models": """
        from django.db import models

        class Post(models.Model):
            title = models.CharField(max_length=50)
        """,
    "migrations": {
        "0001_initial": """
            class Migration(migrations.Migration):
                initial = True
                operations = [
                    migrations.CreateModel(
                        "Post",
                        [
                            ("id", models.BigAutoField(primary_key=True)),
                            ("title", models.CharField(max_length=50)),
                        ],
                    )
                ]
            """
    },
}


def test_a_database_takes_statements_and_dumps_alike(database: Database) -> None:
    database.execute("CREATE TABLE pet (id integer PRIMARY KEY, name varchar(20))")
    first = database.dump()
    assert "pet" in first
    database.execute("INSERT INTO pet VALUES (1, 'Rex')")
    assert database.query("SELECT id, name FROM pet") == [(1, "Rex")]
    assert database.dump() == first
    assert "Rex" in database.dump(schema_only=False)
    database.execute("ALTER TABLE pet ADD COLUMN age integer")
    assert database.dump() != first


def test_a_registered_alias_is_a_django_connection(
    database: Database, register_alias: Callable[..., BaseDatabaseWrapper]
) -> None:
    connection = register_alias(database.settings())
    assert connections[connection.alias] is connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_the_default_alias_cannot_be_used_by_mistake() -> None:
    with pytest.raises(Exception, match=r"settings\.DATABASES is improperly configured"):
        connections["default"].ensure_connection()


def test_a_project_migrates(database: Database, make_project: Callable[..., Project]) -> None:
    project = make_project(databases={"default": database.settings()}, apps={"blog": BLOG})
    project.manage("migrate", check=True)
    assert database.query("SELECT count(*) FROM blog_post") == [(0,)]
    failed = project.manage("migrate", "nothing")
    assert failed.returncode == 1
    assert "No installed app with label 'nothing'" in failed.stderr


def test_the_sample_project_migrates_both_ways_and_holds_its_models(
    database: Database, sample_project: Callable[..., Project]
) -> None:
    project = sample_project(databases={"default": database.settings()})
    project.manage("makemigrations", "--check", "--dry-run", check=True)
    project.manage("migrate", check=True)
    assert database.query("SELECT name, price, stock FROM shop_product") == [("Gift card", 20, 2)]
    project.manage("migrate", "shop", "zero", check=True)
    project.manage("migrate", check=True)


def test_a_started_command_can_be_killed(
    sqlite_database: SQLiteDatabase, make_project: Callable[..., Project]
) -> None:
    project = make_project(databases={"default": sqlite_database.settings()}, apps={"blog": BLOG})
    process = project.popen("shell", "-c", "import time; print('up', flush=True); time.sleep(60)")
    kill(process)
    assert process.returncode == -9


def test_the_embedded_server_leaves_no_process_behind() -> None:
    with servers.embedded_postgres() as server:
        assert server.version == 18
        directory = server.address.host.removesuffix("/data")
        assert _processes(directory)
    assert not _processes(directory)


def test_the_embedded_server_does_not_outlive_a_killed_session() -> None:
    script = """
from tests import servers
with servers.embedded_postgres() as server:
    print(server.address.host, flush=True)
    input()
"""
    session = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert session.stdout
    directory = Path(session.stdout.readline().strip()).parent
    assert _processes(str(directory))
    kill(session)
    deadline = time.monotonic() + 20
    while (_processes(str(directory)) or directory.exists()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _processes(str(directory))
    assert not directory.exists()


def _processes(directory: str) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(directory in argument for argument in process.info["cmdline"] or [])
    ]
