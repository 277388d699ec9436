"""Whether somebody sits behind a stream."""

from __future__ import annotations

from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal that is still there.

    Args:
        stream: None where the process was begun without it.
    """
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
