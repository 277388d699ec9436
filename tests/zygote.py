"""Runs management commands in forks of one process that has everything imported.

A `manage.py` of its own costs a second and a half, most of it imports; a fork costs a tenth of
that, may be killed like any process, and has a fresh Django. The zygote itself never sets
Django up and holds no connection.

    child = zygote.start(project, "migrate_all", kill_at=7)
    done = child.wait()
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.projects import Project


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Negative: the signal.
        crossed: The boundaries (tests/crash.py) that it crossed, unless it was killed.
    """

    args: Sequence[str]
    code: int
    stdout: str
    stderr: str
    crossed: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """Both streams."""
        return self.stdout + self.stderr

    @property
    def killed(self) -> bool:
        """Whether the boundary was reached."""
        return self.code == -signal.SIGKILL

    def __str__(self) -> str:
        return f"$ {' '.join(self.args)}\n{self.stdout}\n{self.stderr}\n[exit {self.code}]"


@dataclass
class Child:
    """A command at work."""

    zygote: Zygote
    pid: int
    args: Sequence[str]
    files: Path

    def wait(self) -> Ended:
        """Wait for its end."""
        code = self.zygote.ask(wait=self.pid)
        crossed = self.files / "crossed"
        return Ended(
            self.args,
            code,
            (self.files / "out").read_text(),
            (self.files / "err").read_text(),
            tuple(crossed.read_text().splitlines()) if crossed.exists() else (),
        )

    def kill(self, number: int = signal.SIGKILL) -> Ended:
        """Send a signal, and wait."""
        os.kill(self.pid, number)
        return self.wait()

    def running(self) -> bool:
        """Whether it has not ended yet."""
        state = Path(f"/proc/{self.pid}/stat")
        return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"

    def said(self) -> str:
        """What it has written so far."""
        return (self.files / "out").read_text() + (self.files / "err").read_text()


class Zygote:
    """The test's side."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.zygote"],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._directory = tempfile.TemporaryDirectory(prefix="zygote")
        self._count = 0
        assert self.ask(ready=True) == 1

    def start(
        self,
        project: Project,
        *args: str,
        kill_at: int = 0,
        env: dict[str, str] | None = None,
        file_limit: int = 0,
        console: bool = False,
    ) -> Child:
        """Start a management command.

        Args:
            project: Where.
            *args: The command and its arguments.
            kill_at: The boundary at which it kills itself; 0 for none.
            env: Further environment variables.
            file_limit: The most that it can write to one file, in bytes (RLIMIT_FSIZE).
            console: `args` are those of the console script `migrator` instead.
        """
        self._count += 1
        files = Path(self._directory.name) / str(self._count)
        files.mkdir()
        for name in ("out", "err"):
            (files / name).touch()
        pid = self.ask(
            args=args,
            cwd=str(project.root),
            env=project.environ(env),
            kill_at=kill_at,
            file_limit=file_limit,
            console=console,
            files=str(files),
        )
        return Child(self, pid, args, files)

    def run(self, project: Project, *args: str, **how: Any) -> Ended:
        """Run a management command to its end."""
        return self.start(project, *args, **how).wait()

    def ask(self, **request: Any) -> int:
        """Send a request, return the answer."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    def close(self) -> None:
        """End it."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()
        self._directory.cleanup()


# -- the zygote's side ---------------------------------------------------------------------


def main() -> None:
    """Fork for each request."""
    _preload()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        elif "ready" in request:
            answer = 1
        else:
            answer = os.fork()
            if not answer:
                os._exit(_run(request))
        print(answer, flush=True)


def _preload() -> None:

    import migrator.api
    import migrator.backends.mysql
    import migrator.backends.postgresql
    import migrator.backends.sqlite
    import migrator.management.running  # noqa: F401


def _run(request: dict[str, Any]) -> int:
    from tests.crash import Clock, watch_journal, watched_targets

    os.setsid()
    files = Path(request["files"])
    for number, mode, name in ((0, os.O_RDONLY, ""), (1, os.O_WRONLY, "out"), (2, 1, "err")):
        path = str(files / name) if name else os.devnull
        descriptor = os.open(path, mode | (os.O_CREAT if name else 0), 0o644)
        os.dup2(descriptor, number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(0),
        os.fdopen(1, "w", buffering=1),
        os.fdopen(2, "w", buffering=1),
    )
    os.chdir(request["cwd"])
    sys.path.insert(0, request["cwd"])
    sys.dont_write_bytecode = True
    os.environ.clear()
    os.environ.update(request["env"])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.argv = ["manage.py", *request["args"]]
    if request["file_limit"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does: an error instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_limit"],) * 2)
    clock = Clock(lambda: os.kill(os.getpid(), signal.SIGKILL), request["kill_at"])
    code = 0
    try:
        watch_journal(clock)
        with watched_targets(clock):
            if request["console"]:
                from migrator.cli import main as migrator

                sys.exit(migrator(request["args"]))
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
    except BaseException:
        traceback.print_exc()
        code = 70
    if not request["file_limit"]:
        (files / "crossed").write_text("\n".join(" ".join(label.split()) for label in clock.labels))
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
