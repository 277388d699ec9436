"""Folds the events of a run into a report, and renders it. Pure: no clock, no database."""

from __future__ import annotations

import shutil

from migrator.reports.document import DatabaseReport, DriftReport, Report
from migrator.reports.folding import ReportBuilder, fold
from migrator.reports.github import GithubReportFormatter
from migrator.reports.jsonreport import JsonReportFormatter
from migrator.reports.markdown import MarkdownReportFormatter
from migrator.reports.page import wants_color
from migrator.reports.text import TextReportFormatter

__all__ = [
    "FORMATS",
    "DatabaseReport",
    "DriftReport",
    "JsonReportFormatter",
    "MarkdownReportFormatter",
    "Report",
    "ReportBuilder",
    "TextReportFormatter",
    "fold",
    "render",
]

FORMATS = ("text", "markdown", "json", "html", "junit", "github")
"""What `render` takes as a style."""


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
        style: One of FORMATS.
        color: Whether text has colours; None: when it goes to a terminal, unless the environment
            forbids it.
        terminal: Whether it goes to a terminal, at whose width text then wraps.
        verbosity: As Django's; for text.

    Raises:
        ValueError: No such format.
    """
    if style == "json":
        return JsonReportFormatter().render(report)
    if style == "markdown":
        return MarkdownReportFormatter().render(report)
    if style == "html":
        from migrator.reports.html import HtmlReportFormatter  # jinja2 takes its time to load

        return HtmlReportFormatter().render(report)
    if style == "junit":
        from migrator.reports.junit import JunitReportFormatter

        return JunitReportFormatter().render(report)
    if style == "github":
        return GithubReportFormatter().render(report)
    if style != "text":
        raise ValueError(f"There is no report format {style!r}.")
    width = shutil.get_terminal_size((100, 24)).columns if terminal else None
    chosen = terminal and wants_color() if color is None else color
    return TextReportFormatter(color=chosen, width=width, verbosity=verbosity).render(report)
