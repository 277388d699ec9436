"""Throwaway Django projects on disk, run as a user would run them: in a subprocess."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pprint import pformat
from typing import Any

MANAGE = """\
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
"""

SETTINGS = """\
from pathlib import Path

{mysql}BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = {installed}
DATABASES = {databases}
{routing}MIGRATOR = {{"JOURNAL_URL": {journal!r}}}
{extra}
"""

MYSQL = """\
import pymysql

pymysql.install_as_MySQLdb()

"""

MIGRATION_HEADER = "from django.db import migrations, models\n\n\n"

DJANGO_APPS = ("django.contrib.contenttypes", "django.contrib.auth")


@dataclass(frozen=True)
class Completed:
    """How a command ended."""

    args: Sequence[str]
    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Both streams, for messages of failed assertions."""
        return f"$ {' '.join(self.args)}\n{self.stdout}\n{self.stderr}\n[exit {self.returncode}]"

    def __str__(self) -> str:
        return self.output


@dataclass
class Project:
    """A Django project in a directory."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return self.root / "migrator_journal.sqlite3"

    @property
    def journal_url(self) -> str:
        """The journal's URL."""
        return f"sqlite:///{self.journal_path}"

    def manage(
        self,
        *args: str,
        check: bool = False,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
        stdin: str | None = None,
    ) -> Completed:
        """Run `manage.py` and wait for it.

        Args:
            *args: The command and its arguments.
            check: Fail the test when it does not exit 0.
            env: Further environment variables.
            timeout: Seconds after which it is killed and the test fails.
            stdin: What it reads; nothing by default.
        """
        command = [sys.executable, "manage.py", *args]
        return self._run(command, check=check, env=env, timeout=timeout, stdin=stdin)

    def migrator(
        self,
        *args: str,
        check: bool = False,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
        stdin: str | None = None,
    ) -> Completed:
        """Run the console script `migrator` in the project's directory."""
        command = [console_script(), *args]
        return self._run(command, check=check, env=env, timeout=timeout, stdin=stdin)

    def popen(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start `manage.py` in a process group of its own, to be killed by the caller."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *args],
            cwd=self.root,
            env=self.environ(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def write(self, path: str, source: str) -> Path:
        """Write one file of the project."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(source), encoding="utf-8")
        return target

    def write_app(self, label: str, app: Mapping[str, Any]) -> None:
        """Write an app: {"models": source, "migrations": {name: source}, other file: source}.

        A migration's source without an import gets `from django.db import migrations, models`.
        """
        self.write(f"{label}/__init__.py", "")
        for name, source in app.items():
            if name != "migrations":
                self.write(f"{label}/{name}.py", source)
        if "models" not in app:
            self.write(f"{label}/models.py", "")
        self.write(f"{label}/migrations/__init__.py", "")
        for name, source in app.get("migrations", {}).items():
            self.write_migration(label, name, source)

    def write_migration(self, label: str, name: str, source: str) -> Path:
        """Write one migration file."""
        source = textwrap.dedent(source)
        if "import" not in source:
            source = MIGRATION_HEADER + source
        return self.write(f"{label}/migrations/{name}.py", source)

    def environ(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of its commands: the tests' own, without what would leak in."""
        base = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("MIGRATOR_", "DJANGO_"))
        }
        return {
            **base,
            # A migration rewritten within a second would be shadowed by its old .pyc.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "120",
            "NO_COLOR": "1",
            **self.env,
            **(extra or {}),
        }

    def _run(
        self,
        command: Sequence[str],
        *,
        check: bool,
        env: Mapping[str, str] | None,
        timeout: float,
        stdin: str | None,
    ) -> Completed:
        process = subprocess.run(
            command,
            cwd=self.root,
            env=self.environ(env),
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        completed = Completed(command, process.returncode, process.stdout, process.stderr)
        assert not check or completed.returncode == 0, completed.output
        return completed


def make_project(
    root: Path,
    *,
    databases: Mapping[str, Mapping[str, Any]],
    apps: Mapping[str, Mapping[str, Any]] | None = None,
    settings_extra: str = "",
    routing: Mapping[str, str] | None = None,
    installed: Sequence[str] = DJANGO_APPS,
    migrator: bool = True,
) -> Project:
    """Write a Django project to disk.

    Args:
        root: Its directory.
        databases: DATABASES.
        apps: App label → {"models": source, "migrations": {name: source}}.
        settings_extra: Python appended to the settings.
        routing: DATABASE_ROUTING_RULES; with it the library's router is installed.
        installed: Other entries of INSTALLED_APPS.
        migrator: Whether `migrator` itself is among them.
    """
    root.mkdir(parents=True, exist_ok=True)
    project = Project(root)
    apps = apps or {}
    entries = {alias: dict(entry) for alias, entry in databases.items()}
    rules = ""
    if routing is not None:
        rules = (
            f"DATABASE_ROUTING_RULES = {pformat(dict(routing))}\n"
            'DATABASE_ROUTERS = ["migrator.routers.AppRouter"]\n'
        )
    is_mysql = any(str(entry.get("ENGINE", "")).endswith(".mysql") for entry in entries.values())
    project.write("manage.py", MANAGE)
    project.write("config/__init__.py", "")
    project.write(
        "config/settings.py",
        SETTINGS.format(
            mysql=MYSQL if is_mysql else "",
            installed=pformat([*installed, *(["migrator"] if migrator else []), *apps]),
            databases=pformat(entries),
            routing=rules,
            journal=project.journal_url,
            extra=textwrap.dedent(settings_extra),
        ),
    )
    for label, app in apps.items():
        project.write_app(label, app)
    return project


def copy_sample_project(
    root: Path,
    *,
    databases: Mapping[str, Mapping[str, Any]],
    routing: Mapping[str, str] | None = None,
) -> Project:
    """Copy tests/project, the realistic project with several apps, and point it at databases.

    Args:
        root: Where to; the journal and new migrations go there, never into tests/project.
        databases: DATABASES.
        routing: DATABASE_ROUTING_RULES; with it the library's router is installed.
    """
    source = Path(__file__).parent / "project"
    shutil.copytree(source, root, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3*"))
    env = {"MIGRATOR_TEST_DATABASES": json.dumps(databases)}
    if routing is not None:
        env["MIGRATOR_TEST_ROUTING"] = json.dumps(routing)
    return Project(root, env)


def console_script() -> str:
    """The `migrator` script of the interpreter that runs the tests."""
    return str(Path(sys.executable).parent / "migrator")


def kill(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> tuple[str, str]:
    """Send a signal to a process started by `Project.popen`, and wait for its end.

    Returns:
        What it had written to standard output and standard error.
    """
    if process.poll() is None:
        process.send_signal(number)
    return process.communicate(timeout=60)
