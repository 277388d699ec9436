"""The test command: what decides, after every database is verified, whether the run is good.

It runs once per run, without a shell, in the project's root, in a process group of its own, so
that an interrupted run takes it along whatever it has started. What it says is kept in the
journal, in the chain of the run's last target: the end of it, without credentials.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from journal import Entry, Fenced, Journal, Phase, Run, Target, TargetStatus
from journal.scrub import hide, scrub_text
from migrator.actor import describe_process, is_alive, is_ours
from migrator.core.events import AcceptanceFinished, AcceptanceStarted, Emit
from migrator.exceptions import AcceptanceFailed, LockHeld, UsageError
from migrator.interruption import uninterruptible

KIND = "test"
NAME = "test-command"
KEPT_BYTES = 64 * 1024
"""How much of the output is kept: its end."""
SHOWN_LINES = 20
"""How many of its last lines the report shows."""
GRACE_SECONDS = 5.0
"""What an interrupted command has to end by itself, before it is killed."""
RUN_VARIABLE = "MIGRATOR_RUN"

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_QUOTED = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""")
_OPERATOR = re.compile(r"&|\||\d?[<>]\S*|\S*(?:;|&&|\|\|)\S*")
"""Words that only a shell understands; to a program they would be arguments without a meaning."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def parse_command(command: str, secrets: Sequence[str] = ()) -> tuple[str, ...]:
    """The words of a command line, as a shell would split them.

    Args:
        command: As the option or the setting has it; blank for none.
        secrets: What no message about it shows.

    Raises:
        UsageError: A quote is not closed, or it takes a shell: of `a; b` only `a` would be run.
    """
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(
            f"The test command cannot be read: {error}: {_shown(command, secrets)}",
            hint="Quote it as for a shell; it is run without one.",
        ) from error
    for word in _QUOTED.sub("q", command).split():
        if _OPERATOR.fullmatch(word):
            raise UsageError(
                f"The test command is run without a shell, and {_shown(word, secrets)} means "
                f"something to a shell alone: {_shown(command, secrets)}",
                hint=f"Give it one: sh -c {shlex.quote(_shown(command, secrets))}",
            )
    return words


def _shown(command: str, secrets: Sequence[str]) -> str:
    """A command line without credentials."""
    text: str = hide(scrub_text(command), secrets)
    return text


def failed_command(journal: Journal, run: Run) -> str | None:
    """The test command that a run still has to pass: its last one, where that did not.

    Args:
        journal, run: The run, and where it is.

    Returns:
        None when it has passed, or none was run; without credentials.
    """
    latest = next((e for e in reversed(journal.entries(run.id)) if e.kind == KIND), None)
    if latest is None or latest.phase is Phase.DONE:
        return None
    begun = next(
        e
        for e in journal.entries(run.id)
        if e.kind == KIND and e.attempt == latest.attempt and e.phase is Phase.INTENT
    )
    return str(begun.payload.get("command") or "") or None


def refuse_at_work(journal: Journal, run: Run) -> None:
    """Refuse to continue a run whose test command is seen to run.

    Raises:
        LockHeld: Its process lives, on this host.
    """
    latest = next((e for e in reversed(journal.entries(run.id)) if e.kind == KIND), None)
    if latest is None or latest.phase is not Phase.INTENT:
        return
    process = latest.payload.get("process") or {}
    if not is_ours(process) and is_alive(process):
        raise LockHeld(
            f"Run {run.id} is at work: process {process['pid']} runs its test command since "
            f"{latest.at:%Y-%m-%d %H:%M:%S} UTC.",
            hint="Wait until it has ended.",
        )


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The test command of one run.

    Attributes:
        journal: Where it is written down.
        run: The run.
        command: Its command line.
        directory: Where it runs.
        emit: Where events go.
        secrets: What never reaches the journal or a report of the command itself, beside what
            looks like it.
        unsaid: The same of what it says, where a short password counts as well.
    """

    journal: Journal
    run: Run
    command: str
    directory: Path
    emit: Emit
    secrets: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()

    def check(self) -> None:
        """Run it, and write down how it went.

        Raises:
            AcceptanceFailed: It could not be begun, or says that something is wrong.
            LockHeld: Another process runs it, or has ended the run meanwhile.
            JournalError: From the journal.
            KeyboardInterrupt: Interrupted; the command is ended with everything it started.
        """
        refuse_at_work(self.journal, self.run)
        target = self._target()
        entries = self.journal.entries(self.run.id, target.alias)
        attempt = 1 + max((e.attempt for e in entries if e.kind == KIND), default=0)
        shown = _shown(self.command, self.secrets)
        self._begin(target, attempt, {"command": shown, "process": describe_process()})
        self.emit(AcceptanceStarted(shown))
        began = time.monotonic()
        command = _Command(parse_command(self.command), self.directory, self.run.id)
        try:
            code, output, trouble = command.run()
        except KeyboardInterrupt:
            with uninterruptible():
                command.end()
                payload = {"interrupted": True, "output": self._clean(command.said())}
                seconds = time.monotonic() - began
                self._write(target, Phase.FAILED, attempt, seconds, payload)
            raise
        seconds = time.monotonic() - began
        trouble = _shown(trouble, self.secrets)
        text = self._clean(output)
        payload = {"command": shown, "exit_code": code, "output": text}
        phase = Phase.FAILED if code else Phase.DONE
        self._write(target, phase, attempt, seconds, payload)
        last = "\n".join(text.rstrip().splitlines()[-SHOWN_LINES:])
        self.emit(AcceptanceFinished(shown, code, seconds, trouble or last))
        if code:
            raise AcceptanceFailed(
                f"The test command failed: {shown}: {trouble or _how(code)}.",
                hint=f"The databases are migrated. Go back with migrator rollback {self.run.id}, "
                f"or run it again with --resume {self.run.id}.",
            )

    def _target(self) -> Target:
        """The last one that was brought to its goal."""
        targets = self.journal.targets(self.run.id)
        done = [target for target in targets if target.status is TargetStatus.DONE]
        return (done or list(targets))[-1]

    def _begin(self, target: Target, attempt: int, payload: Mapping[str, Any]) -> None:
        """Write the intent. No lock of a database keeps two resumes apart here: of two who make
        the same attempt, the journal keeps the intent of the first.
        """
        try:
            written = self._write(target, Phase.INTENT, attempt, None, payload)
        except Fenced as error:
            raise LockHeld(error.message, hint=error.hint) from error
        ours, theirs = payload["process"], written.payload.get("process") or {}
        if (theirs.get("host"), theirs.get("pid")) != (ours["host"], ours["pid"]):
            raise LockHeld(
                f"Run {self.run.id} is at work: process {theirs.get('pid')} on "
                f"{theirs.get('host')} has just begun its test command.",
                hint="Wait until it has ended.",
            )

    def _write(
        self,
        target: Target,
        phase: Phase,
        attempt: int,
        seconds: float | None,
        payload: Mapping[str, object],
    ) -> Entry:
        return self.journal.write(
            self.run.id,
            target.alias,
            epoch=target.epoch,
            kind=KIND,
            name=NAME,
            phase=phase,
            attempt=attempt,
            seconds=seconds,
            payload=payload,
        )

    def _clean(self, output: bytes) -> str:
        text = output.decode("utf-8", "replace").replace("\r\n", "\n")
        text = scrub_text(_CONTROLS.sub("", _ESCAPES.sub("", text)))
        cleaned: str = hide(text, (*self.secrets, *self.unsaid))
        return cleaned


def secrets_of(passwords: Iterable[object]) -> tuple[str, ...]:
    """Passwords that can be told from ordinary words, the longest first.

    Args:
        passwords: As the settings have them.
    """
    return tuple(sorted({str(p) for p in passwords if p and len(str(p)) > 2}, key=len)[::-1])


def _how(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


class _Command:
    """A child process, and the end of what it says."""

    def __init__(self, words: tuple[str, ...], directory: Path, run_id: str) -> None:
        self._words = words
        self._directory = directory
        self._environment = {**os.environ, RUN_VARIABLE: run_id}
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._tail = bytearray()
        self._cut = False

    def run(self) -> tuple[int, bytes, str]:
        """Its exit code, the end of its output, and why it could not be begun."""
        try:
            self._process = process = subprocess.Popen(  # noqa: S603  (the user's own command)
                self._words,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError:
            return 127, b"", f"there is no command {self._words[0]!r}"
        except OSError as error:
            return 126, b"", f"{self._words[0]!r} cannot be run: {error.strerror}"
        assert process.stdout is not None  # noqa: S101  (typing: asked for above)
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()
        code = process.wait()
        # Something that it left running may hold its output open for ever.
        self._reader.join(1.0)
        return code, self.said(), ""

    def said(self) -> bytes:
        """The end of its output so far; whole lines where something was cut off."""
        tail = bytes(self._tail)
        return tail.partition(b"\n")[2] or tail if self._cut else tail

    def end(self) -> None:
        """End it and whatever it has started."""
        process = self._process
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
        if self._reader is not None:
            self._reader.join(1.0)

    def _read(self, stream: IO[bytes]) -> None:
        with suppress(OSError, ValueError), stream:
            while chunk := os.read(stream.fileno(), KEPT_BYTES):
                self._tail += chunk
                if len(self._tail) > KEPT_BYTES:
                    self._cut = True
                    del self._tail[:-KEPT_BYTES]
