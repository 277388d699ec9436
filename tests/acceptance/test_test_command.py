"""`--test-command`: what decides, after everything is verified, whether a run is good."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from journal import RunStatus, open_journal
from tests.projects import Project
from tests.servers import SQLiteServer
from tests.zygote import Ended, Zygote

APP = {
    "clock": {
        "models": "from django.db import models\n\n\nclass Tick(models.Model):\n    pass\n",
        "migrations": {
            "0001_initial": """\
            class Migration(migrations.Migration):
                initial = True
                operations = [migrations.CreateModel("Tick", [
                    ("id", models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    )),
                ])]
            """
        },
    }
}
SMOKE = """\
import os
import pathlib
import sys

pathlib.Path("ran").open("a").write(os.environ["MIGRATOR_RUN"] + "\\n")
print("looking around")
print("postgres://app:hunter2-secret@db/app", file=sys.stderr)
print("PASSWORD=hunter3", "plain", "s3same-open", "\\x1b[31mred\\x1b[0m")
for line in range(int(os.environ.get("LINES", "0"))):
    print("line", line, "x" * 80)
sys.exit(int(pathlib.Path("code").read_text()) if os.path.exists("code") else 0)
"""
COMMAND = "python smoke.py"


@pytest.fixture
def project(make_project: Callable[..., Project], sqlite: SQLiteServer) -> Project:
    entry = {**sqlite.create_database().settings(), "PASSWORD": "s3same-open"}
    project = make_project(databases={"default": entry}, apps=APP, installed=())
    project.write("smoke.py", SMOKE)
    return project


@pytest.fixture
def manage(project: Project, zygote: Zygote) -> Callable[..., Ended]:
    """`manage(*args, code=0)` → a management command of the project, with its exit code."""

    def run(*args: str, code: int = 0, **how: Any) -> Ended:
        ended = zygote.run(project, *args, **how)
        assert ended.code == code, ended
        return ended

    return run


Manage = Callable[..., Ended]


def ran(project: Project) -> list[str]:
    """The runs that the command was told of."""
    path = project.root / "ran"
    return path.read_text().split() if path.exists() else []


def entries(project: Project) -> list[tuple[str, dict[str, Any]]]:
    with open_journal(project.journal_url) as journal:
        (run, *_) = journal.runs()
        return [
            (e.phase.value, dict(e.payload)) for e in journal.entries(run.id) if e.kind == "test"
        ]


def status(project: Project) -> RunStatus:
    with open_journal(project.journal_url) as journal:
        return journal.runs()[0].status


def test_it_runs_once_when_everything_is_verified(project: Project, manage: Manage) -> None:
    done = manage("migrate_all", "--test-command", COMMAND)
    (run_id,) = ran(project)
    assert "Test command" in done.stdout
    assert status(project) is RunStatus.COMPLETE
    (intent, _), (phase, payload) = entries(project)
    assert (intent, phase) == ("intent", "done")
    assert payload["exit_code"] == 0
    assert "looking around\n" in payload["output"]
    shown = manage("journal", "show", run_id, "--format", "json", console=True).stdout
    for secret in ("hunter2", "hunter3", "s3same-open", "\\u001b"):
        assert secret not in json.dumps(payload) + done.output + shown
    manage("journal", "check", console=True)
    manage("journal", "verify", console=True)


PASSWORD_IN_IT = "sh -c 'test -e well || exit 3' s3same-open"


def test_a_password_of_the_project_in_it_is_written_down_nowhere(
    project: Project, manage: Manage
) -> None:
    """It looks like no credential: only the settings tell that it is one."""
    report = ("--format", "json", "--report", "run.html")
    failed = manage("migrate_all", "--test-command", PASSWORD_IN_IT, *report, code=1)
    refused = manage("migrate_all", "--test-command", PASSWORD_IN_IT + " ;", code=2)
    missing = manage("migrate_all", "--test-command", "s3same-open.sh", code=1)
    run_id = json.loads(failed.stdout)["run_id"]
    shown = [
        manage("journal", "show", run_id, "--format", how, console=True).stdout
        for how in ("text", "json", "html")
    ]
    for said in (failed, refused, missing, *shown, (project.root / "run.html").read_text()):
        assert "s3same-open" not in str(getattr(said, "output", said))
    for path in project.root.glob("migrator_journal.sqlite3*"):
        assert b"s3same-open" not in path.read_bytes()

    # What is not kept has to be given again; everything else of the run is as it was.
    again = manage("migrate_all", "--resume", run_id, code=1)
    assert "--test-command" in again.output
    project.write("well", "")
    resumed = manage("migrate_all", "--resume", run_id, "--test-command", PASSWORD_IN_IT)
    assert "s3same-open" not in resumed.output
    manage("journal", "verify", console=True)


def test_a_password_that_is_a_name_hides_no_option_that_a_resume_needs(
    make_project: Callable[..., Project], sqlite: SQLiteServer, zygote: Zygote
) -> None:
    """App, alias and password are one word, as at many a desk."""
    entry = {**sqlite.create_database().settings(), "PASSWORD": "timekeeping"}
    app = {"timekeeping": APP["clock"]}
    project = make_project(databases={"default": entry}, apps=app, installed=())
    how = ("--app", "timekeeping", "--database", "default", "--test-command")
    assert zygote.run(project, "migrator", *how, "false").code == 1
    ended = zygote.run(project, "migrate_all", "--resume", "--test-command", "true")
    assert ended.code == 0, ended
    with open_journal(project.journal_url) as journal:
        assert journal.runs()[0].options["apps"] == ["timekeeping"]


def test_it_does_not_run_when_nothing_is_migrated(project: Project, manage: Manage) -> None:
    manage("migrate_all", "--dry-run", "--test-command", COMMAND)
    assert ran(project) == []
    refused = manage("migrate_all", "--check", "--test-command", COMMAND, code=2)
    assert "--test-command" in refused.output


def test_it_does_not_run_when_a_database_failed(project: Project, manage: Manage) -> None:
    project.write_migration(
        "clock",
        "0002_bad",
        """\
        class Migration(migrations.Migration):
            dependencies = [("clock", "0001_initial")]
            operations = [migrations.RunSQL("SELECT nothing FROM nowhere")]
        """,
    )
    manage("migrate_all", "--test-command", COMMAND, code=1)
    assert ran(project) == []


def test_a_failing_one_fails_the_run_and_a_resume_runs_it_again(
    project: Project, manage: Manage
) -> None:
    project.write("code", "3")
    failed = manage("migrate_all", "--test-command", COMMAND, code=1)
    (run_id,) = ran(project)
    assert f"migrator rollback {run_id}" in failed.output
    assert "exit code 3" in failed.output
    assert status(project) is RunStatus.FAILED
    manage("journal", "check", console=True, code=1)

    manage("migrate_all", "--resume", code=1)
    assert ran(project) == [run_id, run_id]

    project.write("code", "0")
    manage("migrate_all", "--resume")
    assert ran(project) == [run_id] * 3
    assert [phase for phase, _ in entries(project)] == ["intent", "failed"] * 2 + ["intent", "done"]
    assert status(project) is RunStatus.COMPLETE
    manage("journal", "check", console=True)
    assert "Nothing to resume" in manage("migrate_all", "--resume").output


def test_only_the_end_of_a_long_output_is_kept(project: Project, manage: Manage) -> None:
    env = {"LINES": "5000"}
    manage("migrate_all", "--test-command", COMMAND, env=env)
    output = entries(project)[-1][1]["output"]
    assert len(output) <= 64 * 1024
    assert output.startswith("line ")
    assert output.endswith("line 4999 " + "x" * 80 + "\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [("no-such-command --now", "there is no command"), ("./smoke.py", "cannot be run")],
)
def test_one_that_cannot_be_run_fails_the_run(manage: Manage, command: str, said: str) -> None:
    done = manage("migrate_all", "--test-command", command, code=1)
    assert said in done.output
    assert "Traceback" not in done.output


def test_one_that_cannot_be_read_is_refused_before_anything_begins(
    project: Project, manage: Manage
) -> None:
    manage("migrate_all", "--test-command", "python 'smoke.py", code=2)
    assert not project.journal_path.exists()


@pytest.mark.parametrize(
    "command",
    ["true; false", "true;false", "true && false", "true&&false", "true | false", "true > log"],
)
def test_one_that_takes_a_shell_is_refused_and_not_cut_in_half(
    project: Project, manage: Manage, command: str
) -> None:
    refused = manage("migrate_all", "--test-command", command, code=2)
    assert f"sh -c '{command}'" in refused.output
    assert not project.journal_path.exists()


def test_a_shell_and_quotes_serve(manage: Manage) -> None:
    manage("migrate_all", "--test-command", "true 'a;b' \"c&&d\" http://localhost/?a=1&b=2 -k e|f")
    manage("migrate_all", "--test-command", "sh -c 'true && echo \"a; b\" > seen'")


def test_one_that_came_with_a_resume_is_not_forgotten(project: Project, manage: Manage) -> None:
    def broken(sql: str) -> str:
        return f"""\
        class Migration(migrations.Migration):
            dependencies = [("clock", "0001_initial")]
            operations = [migrations.RunSQL({sql!r})]
        """

    project.write_migration("clock", "0002_x", broken("SELECT x FROM nowhere"))
    manage("migrate_all", code=1)
    project.write_migration("clock", "0002_x", broken("SELECT 1"))
    again = ("migrate_all", "--resume", "--accept-changed-migrations")
    manage(*again, "--test-command", "false", code=1)
    manage(*again, code=1)
    assert status(project) is RunStatus.FAILED
    manage(*again, "--test-command", "")
    assert status(project) is RunStatus.COMPLETE


def test_the_setting_and_how_to_do_without_it(project: Project, manage: Manage) -> None:
    settings = project.root / "config/settings.py"
    settings.write_text(settings.read_text() + "MIGRATOR['TEST_COMMAND'] = 'python smoke.py'\n")
    manage("migrate_all", "--test-command", "")
    assert ran(project) == []
    manage("migrate_all")
    assert len(ran(project)) == 1


SLEEPER = """\
import os
import pathlib
import subprocess
import time

subprocess.Popen(["sleep", "100"])
pathlib.Path("pids").write_text(f"{os.getpid()} {os.getpgid(0)}")
time.sleep(100)
"""


def wait_for(path: Path) -> list[int]:
    deadline = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [int(word) for word in path.read_text().split()]


def alive(group: int) -> list[int]:
    """Processes of a group that have not ended; what nobody has waited for yet has."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # gone meanwhile
            continue
        if int(number) == group and state != "Z":
            found.append(int(path.parent.name))
    return found


def test_an_interrupted_run_takes_it_along_and_can_be_resumed(
    project: Project, manage: Manage, zygote: Zygote
) -> None:
    project.write("sleeper.py", SLEEPER)
    child = zygote.start(project, "migrate_all", "--test-command", "python sleeper.py")
    _, group = wait_for(project.root / "pids")
    ended = child.kill(signal.SIGINT)
    assert ended.code == 130, ended
    assert alive(group) == []
    assert entries(project)[-1][1]["interrupted"] is True
    assert status(project) is RunStatus.INTERRUPTED
    project.write("sleeper.py", "print('well')")
    manage("migrate_all", "--resume")
    assert status(project) is RunStatus.COMPLETE


def test_after_a_kill_it_runs_again_but_never_beside_itself(
    project: Project, manage: Manage, zygote: Zygote
) -> None:
    project.write("sleeper.py", SLEEPER)
    child = zygote.start(project, "migrate_all", "--test-command", "python sleeper.py")
    _, group = wait_for(project.root / "pids")
    try:
        beside = manage("migrate_all", "--resume", code=4)
        assert "runs its test command" in beside.output
    finally:
        child.kill()
        os.killpg(group, signal.SIGKILL)
    project.write("sleeper.py", "print('well')")
    manage("migrate_all", "--resume")
    assert status(project) is RunStatus.COMPLETE
