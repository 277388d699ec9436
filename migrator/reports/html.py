"""The report as one HTML file that needs nothing else: no network, no font, no server.

Every piece of text is escaped by the template engine. The page carries a content security policy
that lets nothing be loaded, and no script run but its own, by its hash: a name that held markup
could do nothing even if it got through.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined
from markupsafe import Markup

from migrator.core.precautions import place_of
from migrator.core.spelling import printable, spell_count, spell_seconds
from migrator.reports.advice import by_table
from migrator.reports.chronicle import Document, spell_clock, spell_time
from migrator.reports.document import Report
from migrator.reports.journal_story import story_of_run
from migrator.reports.report_story import story_of_report
from migrator.reports.story import Story
from migrator.reports.text import incident_name, note_text, short_object, table_title

PAGE, STYLE, SCRIPT = "report.html", "report.css", "report.js"


class HtmlReportFormatter:
    """Renders a report as one HTML file."""

    def render(self, report: Report) -> str:
        """The file.

        Args:
            report: Any report, also one of a run that was interrupted or never began.
        """
        return render_story(story_of_report(report))


class HtmlJournalFormatter:
    """Renders a run of the journal as one HTML file."""

    def render_show(self, document: Document) -> str:
        """A show document: the same page as a report's, with the record of every step.

        Args:
            document: Of `migrator journal show`; with `breaks`, what verifying the run found.
        """
        return render_story(story_of_run(document, document.get("breaks")))


def render_story(story: Story) -> str:
    """A story as one HTML file.

    Args:
        story: What it shows.
    """
    script = _template_text(SCRIPT)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page: str = _page().render(
        story=story,
        style=Markup(_template_text(STYLE)),  # noqa: S704  (a file of this package)
        script=Markup(script),  # noqa: S704  (a file of this package)
        script_hash=f"sha256-{digest}",
    )
    return page


class _Templates(BaseLoader):
    """The templates of this package, wherever it is installed."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, None, None]:
        del environment
        return _template_text(template), None, None


@cache
def _template_text(name: str) -> str:
    return files("migrator.reports").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _page() -> Any:
    environment = Environment(
        loader=_Templates(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_spelled,
    )
    environment.filters.update(
        seconds=spell_seconds,
        counted=spell_count,
        clock=lambda moment: spell_clock(moment) if moment else "",
        time=spell_time,
        number=lambda value: f"{value:.4f}".rstrip("0").rstrip("."),
        by_table=by_table,
        table_title=table_title,
        incident_name=incident_name,
        short_object=short_object,
        note_text=note_text,
        place=place_of,
    )
    return environment.get_template(PAGE)


def _spelled(value: Any) -> Any:
    """Text from elsewhere without control characters, which could turn its direction round."""
    if isinstance(value, Markup) or not isinstance(value, str) or value.isprintable():
        return value
    return printable(value)
