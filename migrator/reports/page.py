"""A page of terminal text: indented lines, aligned columns, wrapped paragraphs, unwrapped code.

Plain unless asked for colour; the same text either way, so that what is read on a terminal can
be found again in a log.
"""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from migrator.core.spelling import printable

Cell = str | tuple[str, str]
"""Text, or (text, rich style)."""

GUTTER = "  "


def terminal_of(stream: TextIO) -> tuple[bool, int | None]:
    """Whether a stream takes colour, and its width; (False, None) where there is no terminal.

    NO_COLOR, FORCE_COLOR and TERM=dumb are obeyed as rich reads them.
    """
    console = Console(file=stream)
    if not console.is_terminal:
        return False, None
    return not console.no_color and console.color_system is not None, console.width


def wants_color() -> bool:
    """Whether the environment lets a terminal have colours: NO_COLOR, TERM=dumb."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "unknown")


class Page:
    """Collects lines, then renders them.

    Args:
        width: Column at which paragraphs wrap; None for never (a pipe: lines can be searched).
    """

    def __init__(self, width: int | None = None) -> None:
        self.width = None if width is None else max(width, 40)
        self._lines: list[Text] = []

    def line(self, *cells: Cell, indent: int = 0) -> None:
        """One line, never wrapped."""
        text = Text(" " * indent)
        for cell in cells:
            content, style = (cell, "") if isinstance(cell, str) else cell
            text.append(printable(content), style)
        self._lines.append(text)

    def blank(self) -> None:
        """An empty line; never two in a row, never the first."""
        if self._lines and self._lines[-1].plain:
            self._lines.append(Text())

    def __bool__(self) -> bool:
        return bool(self._lines)

    def extend(self, other: Page) -> None:
        """All lines of another page below those of this one."""
        self._lines += other._lines

    def paragraph(
        self, content: str, *, indent: int = 0, label: str = "", style: str = "", hang: int = 0
    ) -> None:
        """Wrapped text, with an optional label in front of which the text hangs.

        Args:
            content: Text; its own line ends stay.
            indent: Columns before it.
            label: Dim word before the text.
            style: Rich style of the text.
            hang: Columns that the label takes up, at least.
        """
        hang = max(hang, cell_len(label) + len(GUTTER)) if label else hang
        room = None if self.width is None else max(self.width - indent - hang, 20)
        for number, piece in enumerate(_wrapped(content, room)):
            lead = label if number == 0 else ""
            self.line((_padded(lead, hang), "dim"), (piece, style), indent=indent)

    def code(self, content: str, *, indent: int = 0, label: str = "", hang: int = 0) -> None:
        """Text to be copied: its own lines and nothing else, never wrapped."""
        hang = max(hang, cell_len(label) + len(GUTTER)) if label else hang
        for number, piece in enumerate(content.strip("\n").split("\n")):
            lead = label if number == 0 else ""
            self.line((_padded(lead, hang), "dim"), (piece, "cyan"), indent=indent)

    def table(self, rows: Sequence[Sequence[Cell]], *, indent: int = 0) -> None:
        """Rows with aligned columns; the last column wraps below itself."""
        widths: list[int] = []
        for row in rows:
            for column, cell in enumerate(row[:-1]):
                width = cell_len(printable(_content(cell)))
                if column == len(widths):
                    widths.append(0)
                widths[column] = max(widths[column], width)
        used = [width for width in widths if width]
        hang = sum(used) + len(GUTTER) * len(used)
        room = None if self.width is None else max(self.width - indent - hang, 20)
        for row in rows:
            lead = [
                (_padded(printable(_content(cell)), width) + GUTTER, _style(cell))
                for cell, width in zip(row[:-1], widths, strict=True)
                if width
            ]
            for number, piece in enumerate(_wrapped(_content(row[-1]), room)):
                first: list[Cell] = list(lead) if number == 0 else [" " * hang]
                self.line(*first, (piece, _style(row[-1])), indent=indent)

    def render(self, *, color: bool = False) -> str:
        """The page as text that ends with a line end; "" when nothing is on it.

        Args:
            color: Whether to put terminal colours in.
        """
        lines = list(self._lines)
        while lines and not lines[-1].plain.strip():
            lines.pop()
        if not lines:
            return ""
        for text in lines:
            text.rstrip()
        if not color:
            return "\n".join(text.plain for text in lines) + "\n"
        target = io.StringIO()
        console = Console(
            file=target, force_terminal=True, color_system="standard", no_color=False, width=80
        )
        for text in lines:
            console.print(text, soft_wrap=True)
        return target.getvalue()


def _content(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _style(cell: Cell) -> str:
    return "" if isinstance(cell, str) else cell[1]


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - cell_len(text), 0)


def _wrapped(content: str, room: int | None) -> list[str]:
    """The lines of a text, wrapped at words; long words (paths, names) stay whole."""
    pieces: list[str] = []
    for line in content.strip("\n").split("\n"):
        if room is None or cell_len(line) <= room:
            pieces.append(line)
            continue
        pieces += textwrap.wrap(
            line, room, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
        ) or [""]
    return pieces
