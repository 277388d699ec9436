"""At a terminal: what would be lost is shown, and only the typed words let it through."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects import Project

SQLITE = "django.db.backends.sqlite3"

INITIAL = """\
    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.CreateModel(
                "Order",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("note", models.TextField(null=True)),
                ],
            ),
            migrations.RunSQL("INSERT INTO shop_order (note) VALUES ('a'), ('b'), (NULL)"),
        ]
    """
DROP = """\
    class Migration(migrations.Migration):
        dependencies = [("shop", "0001_initial")]
        operations = [migrations.RemoveField("Order", "note")]
    """


def at_a_terminal(project: Project, question: str, answer: str, *args: str) -> tuple[int, str]:
    """Run `manage.py` on a pseudo-terminal and answer its question: exit code, what it shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage.py", *args],
        cwd=project.root,
        env={**project.environ(), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, answered, deadline = b"", False, time.monotonic() + 120
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            read = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not read:
            break
        shown += read
        if not answered and question.encode() in shown:
            os.write(ours, answer.encode() + b"\r")
            answered = True
    os.close(ours)
    code = process.wait(timeout=30)
    return code, shown.decode(errors="replace")


@pytest.fixture
def project(make_project: Callable[..., Project], tmp_path: Path) -> Project:
    project = make_project(
        databases={"default": {"ENGINE": SQLITE, "NAME": str(tmp_path / "db.sqlite3")}},
        apps={"shop": {"migrations": {"0001_initial": INITIAL}}},
        settings_extra='MIGRATOR["BACKUP"] = "never"',
        installed=(),
    )
    project.manage("migrate_all", "--skip-makemigrations", check=True)
    project.write_migration("shop", "0002_drop", DROP)
    return project


def test_only_the_words_let_it_through(project: Project) -> None:
    ask = ("migrate_all", "--skip-makemigrations")
    code, shown = at_a_terminal(project, "to go on", "yes", *ask)
    assert code == 3, shown
    assert "shop_order.note with values in 2 rows" in shown
    assert "No backup is made" in shown
    assert "not consented to" in shown
    code, shown = at_a_terminal(project, "to go on", "i understand", *ask)
    assert code == 0, shown
    shown = project.migrator("journal", "show").stdout
    assert "consent" in shown
    assert "asked" in project.migrator("journal", "show", "--format", "json").stdout
