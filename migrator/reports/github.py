"""The report as annotations of GitHub Actions: errors, incidents and findings beside the code.

A workflow command is a line of standard output; whatever a name or a message could hold that
would end it, or begin another, is escaped as GitHub's own toolkit does.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator.core.findings import Finding, Severity
from migrator.core.incidents import Incident
from migrator.core.precautions import sorted_findings, spell_acceptance
from migrator.core.spelling import printable, without_alias
from migrator.reports.document import DatabaseReport, Report
from migrator.reports.text import headline, incident_name, short_object

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


class GithubReportFormatter:
    """Renders a report as workflow commands."""

    def render(self, report: Report) -> str:
        """The commands, a line each, the errors first; the last one says how the run ended.

        Args:
            report: Any report, also one of a run that was interrupted or never began.
        """
        lines = sorted(_lines(report), key=_rank)
        return "\n".join([*lines, _ending(report)]) + "\n"


def annotation(level: str, message: str, *, title: str = "", file: str = "", line: int = 0) -> str:
    """One workflow command.

    Args:
        level: "error", "warning" or "notice".
        message: Any text.
        title, file, line: Where it is shown; left out where empty.
    """
    given = (("file", file), ("line", str(line) if file and line else ""), ("title", title))
    properties = ",".join(f"{name}={_property(value)}" for name, value in given if value)
    return f"::{level}{' ' if properties else ''}{properties}::{_data(message)}"


def _lines(report: Report) -> Iterator[str]:
    if report.error:
        message = _sentences(report.error.message, report.error.hint)
        yield annotation("error", message, title=report.error.type)
    for notice in report.notices:
        yield annotation("notice", _sentences(notice.message, notice.hint))
    for database in report.db_reports:
        yield from _database_lines(database)
    if (ended := report.acceptance) and ended.exit_code:
        message = f"{ended.command} {spell_acceptance(ended)}.\n{ended.output}".rstrip()
        yield annotation("error", message, title="The test command failed")


def _database_lines(database: DatabaseReport) -> Iterator[str]:
    alias = database.alias
    if error := database.error:
        message = _sentences(without_alias(error.message, alias), error.hint)
        yield annotation("error", message, title=f"{alias}: {error.type}")
    if (failed := database.failed_migration) and not (error and failed.error in error.message):
        yield annotation("error", failed.error, title=f"{alias}: {failed.migration} failed")
    if database.outcome == "interrupted":
        message = f"It was cut short in {database.stopped_in or database.state}."
        yield annotation("warning", message, title=f"{alias}: interrupted")
    if database.drift:
        for incident in database.drift.blocking:
            yield _incident(alias, incident)
    for finding in sorted_findings(database.findings):
        if not finding.suppressed:
            yield _finding(alias, finding)
    for warned in database.warnings:
        yield annotation("warning", _sentences(warned.message, warned.hint), title=alias)


def _incident(alias: str, incident: Incident) -> str:
    where = f" on {incident.object.table}" if incident.object.table else ""
    message = _sentences(f"{short_object(incident)}{where}: {incident.message}", incident.hint)
    name = incident_name(incident)
    return annotation("error", message, title=f"{alias}: {incident.code.value} {name}")


def _finding(alias: str, finding: Finding) -> str:
    message = _sentences(f"{finding.migration}: {finding.message}", finding.hint)
    return annotation(
        LEVELS[finding.severity],
        message,
        title=f"{alias}: {finding.code}",
        file=finding.file,
        line=finding.line,
    )


def _ending(report: Report) -> str:
    name = f"{report.kind or 'run'} {report.run_id}".strip()
    clean = not report.exit_code
    return annotation("notice" if clean else "error", f"{name}: {headline(report)}")


def _rank(line: str) -> int:
    """GitHub shows ten of each level and step; errors are not to go under."""
    return next(n for n, level in enumerate(LEVELS.values()) if line.startswith(f"::{level}"))


def _sentences(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _data(text: str) -> str:
    escaped = printable(text).replace("%", "%25")
    return escaped.replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
