"""Folds the events of a run into a report, and renders it. Pure: no clock, no database."""

from __future__ import annotations

import shutil
from typing import Literal

from migrator.reports.document import DatabaseReport, DriftReport, Report, ReportBuilder, fold
from migrator.reports.jsonreport import JsonReportFormatter, render_refusal
from migrator.reports.markdown import MarkdownReportFormatter
from migrator.reports.text import TextReportFormatter

__all__ = [
    "DatabaseReport",
    "DriftReport",
    "JsonReportFormatter",
    "MarkdownReportFormatter",
    "Report",
    "ReportBuilder",
    "TextReportFormatter",
    "fold",
    "render",
    "render_refusal",
]

Style = Literal["text", "markdown", "json"]


def render(
    report: Report,
    style: str,
    *,
    color: bool | None = None,
    terminal: bool = False,
    verbosity: int = 1,
) -> str:
    """A report in one of the formats of the commands.

    Args:
        report: What to render.
        style: "text", "markdown" or "json".
        color: Whether text has colours; None: when it goes to a terminal.
        terminal: Whether it goes to a terminal, at whose width text then wraps.
        verbosity: As Django's; for text.

    Raises:
        ValueError: No such format.
    """
    if style == "json":
        return JsonReportFormatter().render(report)
    if style == "markdown":
        return MarkdownReportFormatter().render(report)
    if style != "text":
        raise ValueError(f"There is no report format {style!r}.")
    width = shutil.get_terminal_size((100, 24)).columns if terminal else None
    chosen = terminal if color is None else color
    return TextReportFormatter(color=chosen, width=width, verbosity=verbosity).render(report)
