"""Client programs of a server (pg_dump, mariadb-dump, …): found, asked for their version, run.

Each one runs in a session of its own, so that Ctrl-C at the terminal reaches this process
alone, which then decides; and each reads from or writes to a pipe of ours, so that it ends by
itself when this process is killed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from journal.scrub import scrub_text
from migrator.exceptions import ToolFailed

CHUNK = 1 << 20
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
# "pg_dump: error: …", "psql:<stdin>:12: ERROR:  …"; of "ERROR 1045 (28000) at line 1: …" nothing.
_PREFIX = re.compile(r"^(?:\S*[/\\])?[\w.-]+:(?:<stdin>:\d+:)?\s*(?:(?:error|fatal):\s*)?", re.I)
_TAIL = 4096


@dataclass(frozen=True, slots=True)
class Program:
    """A client program on this machine.

    Attributes:
        path: Where it is.
        said: The first line of what it answers to `--version`.
        version: The version in it, major first; empty when there is none.
    """

    path: Path
    said: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.path.name} {'.'.join(map(str, self.version))}".rstrip()

    def beside(self, name: str) -> Path:
        """Another program of the same package.

        Raises:
            ToolFailed: It is not there.
        """
        found = self.path.with_name(name)
        if not os.access(found, os.X_OK):
            raise ToolFailed(
                f"There is no {name} beside {self.path}.",
                hint="Install the whole client package, or name its directory in "
                'MIGRATOR["CLIENT_TOOLS"].',
            )
        return found


def spell_place(tools: str) -> str:
    """Where programs were looked for, for a message.

    Args:
        tools: MIGRATOR["CLIENT_TOOLS"]; "" for the usual places.
    """
    return f'in {tools}, which MIGRATOR["CLIENT_TOOLS"] names' if tools else "on this machine"


def look_up(name: str, directories: Iterable[Path] = ()) -> Iterator[Program]:
    """Every program of that name.

    Args:
        name: As a shell knows it.
        directories: Where to look; PATH where there are none.
    """
    places = list(directories)
    found = [place / name for place in places] if places else [Path(shutil.which(name) or "")]
    for path in found:
        if path.name and path.is_file() and os.access(path, os.X_OK):
            program = _ask_version(path)
            if program is not None:
                yield program


def _ask_version(path: Path) -> Program | None:
    try:
        done = subprocess.run(  # noqa: S603  (a path that PATH or the settings name)
            [str(path), "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode:
        return None
    said = done.stdout.partition("\n")[0].strip()
    # "mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB": the second is the one that counts.
    match = _VERSION.search(said.partition("Distrib")[2] or said)
    version = tuple(int(part) for part in match.groups() if part) if match else ()
    return Program(path, said, version)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a program.

    Attributes:
        argv: Path and arguments; never a credential among them.
        env: Environment variables beside those of this process.
        secrets: What must not be repeated from what the program says.
        without: Variables of this process that the program must not see.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    secrets: Sequence[str] = ()
    without: Sequence[str] = ()

    def read(self) -> Iterator[bytes]:
        """What it writes to its standard output, as it comes.

        Raises:
            ToolFailed: It did not end well; its last words are in the message.
        """
        with self._started(stdout=subprocess.PIPE) as (process, stderr):
            assert process.stdout is not None  # noqa: S101  (typing)
            while chunk := process.stdout.read(CHUNK):
                yield chunk
            self._settle(process, stderr)

    def text(self) -> str:
        """All that it writes to its standard output.

        Raises:
            ToolFailed
        """
        return b"".join(self.read()).decode(errors="replace")

    def run(self) -> None:
        """Wait for its end.

        Raises:
            ToolFailed
        """
        with self._started(stdout=subprocess.DEVNULL) as (process, stderr):
            self._settle(process, stderr)

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Give it something to read. When `chunks` raises, it is killed before its input ends:
        what it has not been told to commit is not committed.

        Raises:
            ToolFailed
        """
        with self._started(stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as (process, stderr):
            assert process.stdin is not None  # noqa: S101  (typing)
            try:
                for chunk in chunks:
                    process.stdin.write(chunk)
                process.stdin.close()
            except BrokenPipeError:
                process.wait()  # it has stopped reading; its last words say why
                raise self._failure(process.returncode, stderr) from None
            self._settle(process, stderr)

    @contextmanager
    def _started(
        self, *, stdin: int = subprocess.DEVNULL, stdout: int
    ) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        hidden = set(self.without)
        inherited = {key: value for key, value in os.environ.items() if key not in hidden}
        with tempfile.TemporaryFile() as stderr:
            try:
                process = subprocess.Popen(  # noqa: S603  (no shell)
                    list(self.argv),
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    env={**inherited, "LC_ALL": "C", **self.env},
                    start_new_session=True,
                )
            except OSError as error:
                raise ToolFailed(
                    f"{self.argv[0]} cannot be started: {error.strerror or error}."
                ) from error
            try:
                yield process, stderr
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream is not None:
                        _close(stream)

    def _settle(self, process: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
        if process.wait():
            raise self._failure(process.returncode, stderr)

    def _failure(self, code: int, stderr: IO[bytes]) -> ToolFailed:
        name = Path(self.argv[0]).name
        said = self._last_words(stderr)
        if code < 0:
            said = said or f"it was ended by signal {-code}"
        return ToolFailed(f"{name}: {said or f'it ended with exit code {code}'}")

    def _last_words(self, stderr: IO[bytes]) -> str:
        """The line that says most: the last error, or else the last line."""
        end = stderr.seek(0, os.SEEK_END)
        stderr.seek(max(0, end - _TAIL))
        said = stderr.read().decode(errors="replace")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        errors = [line for line in lines if re.search(r"\b(?:error|fatal)\b", line, re.I)]
        # pg_dump follows its error with the query or a detail that helps nobody.
        text = (errors or lines or [""])[-1]
        text = _PREFIX.sub("", text)
        for secret in self.secrets:
            if len(secret) > 2:
                text = text.replace(secret, "***")
        return scrub_text(text)[:500]


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except OSError:  # what was still to be written cannot be: its reader is gone
        return
