"""What is happening now, for whoever watches: calm lines, or a live display on a terminal.

A display is only a reader of events. It never raises: a closed terminal or a full disk under a
log file must not fail a migration.
"""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console

from migrator.progress.display import RichProgress
from migrator.progress.logger import MigratorLogger
from migrator.terminal import is_terminal

__all__ = ["MigratorLogger", "RichProgress", "progress_for"]


def progress_for(stream: Any, *, verbosity: int = 1, color: bool | None = None) -> MigratorLogger:
    """The display that suits a stream: live on a terminal, lines everywhere else.

    Args:
        stream: Where to write; Django's OutputWrapper is taken off, since it ends every write
            with a line end.
        verbosity: As `MigratorLogger`.
        color: False for no colours; None for what the terminal can.
    """
    bare: TextIO = getattr(stream, "_out", stream)
    if not is_terminal(bare):
        return MigratorLogger(bare, verbosity=verbosity)
    console = Console(file=bare, highlight=False, no_color=True if color is False else None)
    return RichProgress(bare, verbosity=verbosity, console=console)
