"""A process that may be killed, forked off a parent that has everything imported.

Starting an interpreter and Django for each crash point would cost more than the run itself.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sweep.boundaries import Clock, Crossing, kill, watch_journal, watch_targets

Strike = Callable[[Crossing], None]

OUTSIDE = 70
"""The exit code when a signal strikes before or after the command itself."""


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code; negative for a signal.
        output: Both streams.
        labels: The boundaries that it crossed; empty for one that was killed.
    """

    code: int
    output: str
    labels: tuple[str, ...]

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL


@dataclass
class Forks:
    """Forks processes that run a management command, or `migrator rollback`.

    Attributes:
        directory: For their output.
        limit: Seconds after which one is taken to hang.
    """

    directory: Path
    limit: float = 90.0
    _count: int = 0

    def run(self, *command: str, strike_at: int = 0, strike: Strike = kill) -> Ended:
        """Run a command to its end, or to the boundary at which it is struck."""
        return self.wait(self.start(*command, strike_at=strike_at, strike=strike))

    def start(self, *command: str, strike_at: int = 0, strike: Strike = kill) -> Child:
        """Begin to run a command."""
        self._count += 1
        out = self.directory / f"out-{self._count % 16}"
        labels = self.directory / f"labels-{self._count % 16}"
        labels.unlink(missing_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return Child(pid, out, labels)
        code = OUTSIDE
        with contextlib.suppress(BaseException):
            code = _child(command, Clock(strike, strike_at), out, labels)
        os._exit(code)

    def wait(self, child: Child) -> Ended:
        """Wait for its end; one that hangs is killed and comes out as -SIGALRM."""
        deadline = time.monotonic() + self.limit
        pause = 0.001
        while True:
            done, status = os.waitpid(child.pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() > deadline:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                code = -signal.SIGALRM
                break
            time.sleep(pause)
            pause = min(pause * 1.5, 0.01)
        crossed = child.labels.read_text().splitlines() if child.labels.exists() else []
        return Ended(code, child.out.read_text(errors="replace"), tuple(crossed))

    def interrupt(self, *command: str, number: int, delay: float) -> Ended:
        """Run a command, and send it a signal after some seconds."""
        child = self.start(*command)
        time.sleep(delay)
        os.kill(child.pid, number)  # not yet waited for, so the number is still its own
        return self.wait(child)

    def warm_up(self, *command: str) -> None:
        """Import what a run imports, without having run anything in this process."""
        names = self.directory / "modules"
        pid = os.fork()
        if not pid:
            out = self.directory / "out-warm"
            with contextlib.suppress(BaseException):
                _child(command, Clock(kill), out, self.directory / "labels-warm")
            names.write_text("\n".join(sorted(sys.modules)))
            os._exit(0)
        os.waitpid(pid, 0)
        for name in names.read_text().splitlines():
            with contextlib.suppress(Exception):
                importlib.import_module(name)


@dataclass(frozen=True)
class Child:
    """A process that is running."""

    pid: int
    out: Path
    labels: Path


def _child(command: Sequence[str], clock: Clock, out: Path, labels: Path) -> int:
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(handle, stream)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    watch_targets(clock)
    watch_journal(clock)
    code = 0
    try:
        from django.core.management import execute_from_command_line

        for part in _split(command):
            if part[0] == "rollback":
                from migrator.cli import main

                code = main(part)
            else:
                execute_from_command_line(["manage.py", *part])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        traceback.print_exc()
        code = 130
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        labels.write_text("\n".join(clock.labels))
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _split(command: Sequence[str]) -> list[list[str]]:
    """Commands in one process, one after the other, parted by ";"."""
    parts: list[list[str]] = [[]]
    for word in command:
        if word == ";":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts
