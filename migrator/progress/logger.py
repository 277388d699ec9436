"""The default listener: calm lines on a stream."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Self, TextIO

from migrator.core import events as ev
from migrator.progress.narration import Narrator


class MigratorLogger:
    """The default listener: one calm line for each thing that happens.

    Verbosity 0 says nothing (the report says it all), 1 a line for each transition and
    migration, 2 also each guard, operation, SQL of repairs and the start of each migration.

    Args:
        stream: Where the lines go; standard error, as it is when a line is written, by default.
        verbosity: As Django's.
    """

    def __init__(self, stream: TextIO | None = None, *, verbosity: int = 1) -> None:
        self.verbosity = verbosity
        self.narrator = Narrator(verbosity)
        self._stream = stream
        self._lock = threading.Lock()
        self._broken = False

    def __call__(self, event: ev.Event) -> None:
        """Take in the next event."""
        self.narrator.follow(event)
        if self.verbosity > 0:
            for line in self.lines(event):
                self._write(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Put the display away; nothing for plain lines."""

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Put a live display aside while something else uses the terminal; here, nothing."""
        yield

    def lines(self, event: ev.Event) -> list[str]:
        """What there is to say about an event at this verbosity, as lines."""
        return self.narrator.lines(event)

    def _write(self, line: str) -> None:
        stream = self._stream or sys.stderr
        if self._broken or stream is None:  # None: the process was begun without it
            return
        try:
            with self._lock:
                try:
                    stream.write(line + "\n")
                except UnicodeEncodeError:
                    encoding = getattr(stream, "encoding", None) or "ascii"
                    stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
                stream.flush()
        except (OSError, ValueError):  # gone, full or closed
            self._broken = True
