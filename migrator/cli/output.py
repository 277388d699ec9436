"""Where verbs write: standard output, or a file that appears only when it is whole."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from migrator.exceptions import MigratorError


class Hangup(Exception):
    """Whoever read standard output has gone (`| head`): no failure of ours."""


def write_out(text: str) -> None:
    """Write to standard output.

    Raises:
        Hangup: Nobody reads it any more.
        MigratorError: The disk is full, or there is no standard output.
    """
    try:
        if sys.stdout is None:
            raise ValueError("it is closed")
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        # The interpreter flushes once more at exit, and would complain then.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise Hangup from None
        reason = getattr(error, "strerror", None) or error
        raise MigratorError(
            f"Standard output cannot be written to: {reason}.",
            hint="Send it somewhere else.",
        ) from error


@contextlib.contextmanager
def opened_output(output: Path | None) -> Iterator[Callable[[str], object]]:
    """A writer to standard output, or to a file that appears only when it is whole."""
    if output is None:
        with contextlib.suppress(Hangup):
            yield write_out
        return
    part = output.with_name(output.name + ".part")
    try:
        with _private(part) as stream:
            yield stream.write
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(output)
    except OSError as error:
        raise MigratorError(
            f"{output} cannot be written: {error.strerror or error}.",
            hint="Give another --output.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _private(path: Path) -> IO[str]:
    """A new file that only its owner reads: an export tells much about a system."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")
