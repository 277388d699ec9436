"""The whole lifecycle on a real project: migrate, break, check, repair, kill, resume, audit.

Every command shown is really run, in a copy of demo/project, and its output and exit code are
its own. The play asserts what it claims: it stops with exit code 1 where reality differs.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

import server

HERE = Path(__file__).resolve().parent
PROJECT = server.RUN / "project"
SHOWN_LINES = 70


class Surprise(Exception):
    """Something did not go as the play says."""


class Stage:
    """Runs commands where a user would type them, and shows what a user would see."""

    def __init__(self, console: Console, programs: Path) -> None:
        self.console = console
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("MIGRATOR_")},
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), str(programs), os.environ.get("PATH", "")]
            ),
            "COLUMNS": str(console.width - 2),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PAGER": "cat",
        }
        self.env.pop("DJANGO_SETTINGS_MODULE", None)

    def scene(self, title: str) -> None:
        """A heading."""
        self.console.print()
        self.console.print(Rule(Text(title, style="bold"), align="left", style="dim"))

    def say(self, text: str) -> None:
        """A paragraph for the reader."""
        self.console.print()
        self.console.print(" ".join(text.split()), style="italic", highlight=False)

    def run(self, command: str, *, exits: int = 0, lines: int = SHOWN_LINES) -> str:
        """Run a command, show it with its output and exit code, and insist on that code.

        Args:
            command: As a user would type it.
            exits: The exit code that it has to end with.
            lines: How much of a long output is shown.

        Returns:
            What it wrote, both streams.
        """
        self._echo(command)
        words, variables = _parse(command)
        done = subprocess.run(
            words,
            cwd=PROJECT,
            env={**self.env, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self._show(done.stdout, done.returncode, lines)
        expect(done.returncode == exits, f"`{command}` exits {done.returncode}, not {exits}")
        return done.stdout

    def kill_in_the_middle(self, command: str, alias: str, migration: str) -> None:
        """Start a command, and kill it once the journal says that a migration has begun."""
        self._echo(f"{command} &")
        words, variables = _parse(command)
        process = subprocess.Popen(
            words,
            cwd=PROJECT,
            env={**self.env, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self._await(process, alias, migration)
            time.sleep(1.0)  # well inside: some rows are written, none is committed
        finally:
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
        self._echo(f"kill -9 {process.pid}")
        self._show(output, process.returncode)
        expect(process.returncode == -signal.SIGKILL, "the run ended before it could be killed")

    def _await(self, process: subprocess.Popen[str], alias: str, migration: str) -> None:
        """Wait until the journal holds the intent of a migration on an alias."""
        wanted = (alias, "migration", migration)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            asked = subprocess.run(
                ["migrator", "journal", "show", "--format", "json"],
                cwd=PROJECT,
                env=self.env,
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.returncode == 0:
                entries = json.loads(asked.stdout)["entries"]
                if wanted in {(e["alias"], e["kind"], e["name"]) for e in entries}:
                    return
            time.sleep(0.1)
        raise Surprise(f"{migration} never began on {alias}")

    def _echo(self, command: str) -> None:
        self.console.print()
        self.console.print(Text(f"$ {command}", style="bold cyan"), soft_wrap=True)

    def _show(self, output: str, code: int, most: int = SHOWN_LINES) -> None:
        lines = output.rstrip().splitlines()
        if len(lines) > most:
            half = most // 2
            left_out = f"[... {len(lines) - 2 * half} lines left out here ...]"
            lines = [*lines[:half], left_out, *lines[-half:]]
        if lines:
            self.console.print(Text("\n".join(f"  {line}" for line in lines)), soft_wrap=True)
        style = "green" if code == 0 else "yellow"
        said = "killed" if code < 0 else f"exit code {code}"
        self.console.print(Text(f"  [{said}]", style=style))


def expect(holds: bool, otherwise: str) -> None:
    """Stop the play unless something holds."""
    if not holds:
        raise Surprise(otherwise)


def _parse(command: str) -> tuple[list[str], Mapping[str, str]]:
    """Split `NAME=value program argument` as a shell would."""
    words = shlex.split(command)
    variables = {}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    return words, variables


def psql(alias: str, statement: str) -> str:
    """The command that sends one statement to a database of the project."""
    return f'python manage.py dbshell --database {alias} -- -c "{statement}"'


# -- the scenes ----------------------------------------------------------------------


def migrate_everything(stage: Stage) -> None:
    stage.scene("1. Every database, from nothing to verified")
    stage.say(
        """A Django project with four databases: default, blog_db and shop_db on PostgreSQL,
        analytics on SQLite. DATABASE_ROUTING_RULES says which app lives where. One command
        takes all of them there."""
    )
    stage.run("python manage.py migrate_all --non-interactive", lines=44)
    stage.say("Nothing is left to do, and a second look at every schema agrees:")
    stage.run("python manage.py migrate_all --check")


def break_things(stage: Stage) -> None:
    stage.scene("2. Somebody works on production by hand")
    stage.say(
        """A column is dropped, a table is dropped, and one row of the history of migrations is
        lost. Django's own `migrate --check` looks at the history alone."""
    )
    stage.run(psql("blog_db", "ALTER TABLE blog_post DROP COLUMN summary"))
    stage.run(psql("shop_db", "DROP TABLE shop_review"))
    stage.run(
        psql("shop_db", "DELETE FROM django_migrations WHERE app = 'shop' AND name = '0003_stock'")
    )
    stage.run("python manage.py migrate --check --database blog_db")
    stage.say(
        """All is well, it says, and the next request fails. `migrate_all --check` compares what
        the recorded migrations should have made with what is there. It writes nothing."""
    )
    output = stage.run("python manage.py migrate_all --check", exits=1)
    for name in ("summary", "shop_review", "0003_stock"):
        expect(name in output, f"--check does not name {name}")


def repair(stage: Stage) -> None:
    stage.scene("3. Repair")
    stage.say(
        """Each incident gets the smallest repair that mends it: what is missing is created,
        a migration whose effect is there is recorded. No range of migrations is ever replayed,
        so that no data is lost. Then the same scan again, and only a clean one counts."""
    )
    stage.run("python manage.py migrate_all --repair --non-interactive")
    stage.run("python manage.py migrate_all --check")
    posts = stage.run(psql("blog_db", "SELECT count(*) AS posts, count(summary) FROM blog_post"))
    expect("24" in posts, "the posts are gone")


def kill_and_resume(stage: Stage) -> None:
    stage.scene("4. The deploy is killed in the middle of a migration")
    stage.say(
        """Release 2 brings a migration for the blog (a new column, then one update per post)
        and one for the shop. DEMO_SLOW makes each update take its time; SIGKILL comes in
        between, as from a node that runs out of memory."""
    )
    stage.run("cp -R ../../release_2/. .")
    stage.kill_in_the_middle(
        "DEMO_SLOW=0.5 python manage.py migrate_all --non-interactive",
        "blog_db",
        "blog.0005_minutes",
    )
    stage.say("What the database knows: the transaction is gone, and the new column with it.")
    last = stage.run(
        psql("blog_db", "SELECT max(name) AS last FROM django_migrations WHERE app = 'blog'")
    )
    expect("0004_first_posts" in last, "the killed migration is recorded")
    columns = stage.run(
        psql(
            "blog_db",
            "SELECT string_agg(column_name, ', ') AS columns FROM information_schema.columns"
            " WHERE table_name = 'blog_post'",
        )
    )
    expect("minutes" not in columns, "the killed migration left its column behind")
    stage.say(
        """What the journal knows: a run was opened, and nobody has closed it. A pipeline that
        ends with this command cannot pass by mistake."""
    )
    stage.run("migrator journal check", exits=1)
    stage.say("The run goes on where it stopped. No database is migrated twice.")
    stage.run("python manage.py migrate_all --resume --non-interactive")
    found = stage.run(
        psql("blog_db", "SELECT count(*) AS posts, max(minutes) AS longest FROM blog_post")
    )
    expect("24" in found and "14" in found, "the data migration did not run to its end")


def audit(stage: Stage) -> None:
    stage.scene("5. What happened, for whoever asks later")
    stage.say("Every step was written down before and after it was taken, in a chain of hashes.")
    stage.run("migrator journal show")
    stage.run("migrator journal list")
    stage.run("migrator journal verify")
    stage.run("migrator journal check")


def play(console: Console) -> None:
    """Start the server, set the stage, play every scene."""
    began = time.monotonic()
    server.reset()
    server.RUN.mkdir()
    shutil.copytree(HERE / "project", PROJECT, ignore=shutil.ignore_patterns("__pycache__"))
    with server.serve() as programs:
        stage = Stage(console, programs)
        for scene in (migrate_everything, break_things, repair, kill_and_resume, audit):
            scene(stage)
    stage.scene(f"That was it, in {time.monotonic() - began:.0f} seconds")
    stage.say(
        """The project stays in demo/.run/project for you to look around: start its PostgreSQL
        with `.venv/bin/python demo/server.py`, and try the commands above in that directory."""
    )


def main() -> int:
    """Play, and say in one sentence what went wrong if something did."""
    console = Console(width=min(Console().width, 110) if sys.stdout.isatty() else 110)
    try:
        play(console)
    except Surprise as surprise:
        console.print(Text(f"\nThis is not what should have happened: {surprise}.", style="red"))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
