"""Apps without migrations: their tables come with --run-syncdb, and are nobody's drift."""

from __future__ import annotations

import json
from collections.abc import Callable
from shutil import rmtree

from tests.projects import Project
from tests.servers import Database

MODELS = """\
from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=20)


class Memo(models.Model):
    text = models.TextField()
    tags = models.ManyToManyField(Tag)
"""


def test_tables_of_an_app_without_migrations(
    database: Database, make_project: Callable[..., Project]
) -> None:
    project = make_project(
        databases={"default": database.settings()},
        apps={"memos": {"models": MODELS, "migrations": {}}},
        installed=["django.contrib.contenttypes"],
    )
    rmtree(project.root / "memos/migrations", ignore_errors=True)

    def run(*arguments: str) -> dict[str, object]:
        done = project.manage("migrate_all", "--noinput", "--format", "json", *arguments)
        assert done.returncode == 0, done
        (report,) = json.loads(done.stdout)["databases"]
        return dict(report)

    assert run("--skip-makemigrations")["incidents"] == []
    assert "memos_memo" not in database.dump()
    assert run("--skip-makemigrations", "--run-syncdb")["incidents"] == []
    assert all(name in database.dump() for name in ("memos_memo", "memos_tag", "memos_memo_tags"))
    assert run("--check")["incidents"] == []
    database.execute("DROP TABLE memos_memo_tags")
    (incident,) = run("--check")["incidents"]  # type: ignore[misc]
    assert (incident["code"], incident["blocking"]) == ("DR108", False)
    assert "is gone" in incident["message"]
