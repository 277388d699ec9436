"""Where the reports of a run go: standard output, and files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from migrator.exceptions import UsageError
from migrator.reports import FORMATS

Say: TypeAlias = Callable[[str], object]
"""Writes a text where somebody reads it."""

ENDINGS = {
    ".txt": "text",
    ".md": "markdown",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
    ".xml": "junit",
}
"""The format that the ending of a file's name stands for."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One report: its format, and its file (None for standard output)."""

    style: str
    path: Path | None = None

    def prepare(self) -> None:
        """Refuse a file that cannot be written before anything is done to a database.

        It is emptied, too: what an earlier run reported must not pass for the report of one that
        never came to have any.

        Raises:
            UsageError
        """
        if self.path is None:
            return
        try:
            with self.path.open("w", encoding="utf-8"):
                pass
        except OSError as error:
            raise UsageError(
                f"The report cannot be written to {self.path}: {error.strerror}.",
                hint="Choose another file.",
            ) from error

    def deliver(self, text: str, screen: Say, aside: Say) -> None:
        """Write the report; a disk that is full must not hide how the run ended.

        Args:
            text: The report.
            screen: Where it goes when it is for no file.
            aside: Told that the file could not be written.
        """
        if self.path is None:
            screen(text)
            return
        try:
            self.path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            aside(f"The report is not in {self.path}: {error.strerror}.")


def plan_destinations(
    style: str, output: str | None, reports: Sequence[str]
) -> tuple[Destination, ...]:
    """All reports of a run; the first is the one of `--format` and `--output`.

    Args:
        style, output: `--format` and `--output`.
        reports: Each `--report`: "[FORMAT:]FILE".

    Raises:
        UsageError: The format of a file is not known, or a file is named twice.
    """
    first = Destination(style, None if output is None else Path(output))
    planned = (first, *(_further(report) for report in reports))
    paths = [destination.path for destination in planned if destination.path]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"Two reports would be written to {path}.", hint="Use two files.")
    return planned


def _further(report: str) -> Destination:
    style, colon, name = report.partition(":")
    if colon and style in FORMATS and name:
        return Destination(style, Path(name))
    path = Path(report)
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"The name {report} does not say which report to write.",
            hint=f"Let it end in {', '.join(ENDINGS)}, or write FORMAT:FILE.",
        )
    return Destination(ENDINGS[path.suffix.lower()], path)
