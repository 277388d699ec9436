"""The report as GitHub-flavoured Markdown, for a pull request, a ticket or a build summary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from migrator.core.costliness import spell_costs
from migrator.core.incidents import Incident
from migrator.core.precautions import (
    SEVERITY_WORDS,
    sorted_findings,
    spell_acceptance,
    spell_backup,
    spell_blockers,
    spell_consent,
    spell_contention,
    spell_findings,
    spell_patience,
)
from migrator.core.spelling import printable, spell_count, spell_seconds, without_alias
from migrator.reports.advice import by_table, next_steps, worst_first
from migrator.reports.document import DatabaseReport, Report
from migrator.reports.text import (
    headline,
    incident_name,
    lists_pending,
    note_text,
    notes_title,
    remarks,
    resume_rows,
    short_object,
    state_word,
    table_title,
)

# An underscore within a word is only a letter to GitHub.
_MARKUP = re.compile(r"[\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w)")
# A table takes every bar as the end of a cell, also within a code span.
_PIPE = re.compile(r"(?<!\\)\|")


class MarkdownReportFormatter:
    """Renders a report as Markdown."""

    def render(self, report: Report) -> str:
        """The report as Markdown that ends with a line end.

        Args:
            report: Any report, also one of a run that was interrupted.
        """
        return "\n".join(_report_lines(report)) + "\n"


def _report_lines(report: Report) -> Iterator[str]:
    title = f"{report.kind or 'run'} {code(report.run_id)}" if report.run_id else "run"
    yield f"# {title}: {headline(report)}"
    if report.error:
        yield f"\n**{prose(report.error.message)}** {prose(report.error.hint)}".rstrip()
    for notice in report.notices:
        yield f"\n{prose(notice.message)} {prose(notice.hint)}".rstrip()
    if report.migrations_written:
        yield "\nMigrations written: " + ", ".join(code(path) for path in report.migrations_written)
    if report.db_reports:
        yield ""
        yield from table(
            ("Database", "State", "Server", "Summary"),
            [
                (
                    code(database.alias),
                    f"**{state_word(database)}**" if not database.clean else state_word(database),
                    prose(database.server or database.vendor),
                    prose(remarks(report, database)),
                )
                for database in report.db_reports
            ],
        )
    for database in worst_first(report.db_reports):
        lines = list(_database_lines(report, database))
        if lines:
            yield f"\n## {code(database.alias)}"
            yield from lines
    if ended := report.acceptance:
        yield "\n## Test command"
        yield f"\n{code(ended.command)} {spell_acceptance(ended)}."
        if ended.exit_code and ended.output.strip():
            yield from fence(ended.output, "text")
    if steps := next_steps(report):
        yield "\n## Next"
        for step in steps:
            yield f"\n{prose(step.why)}"
            if step.command:
                yield from fence(step.command, "sh")
    if report.rollback_command:
        yield f"\nWay back: {code(report.rollback_command)}"


def _database_lines(report: Report, database: DatabaseReport) -> Iterator[str]:
    if database.error:
        message = without_alias(database.error.message, database.alias)
        yield f"\n**{prose(message)}** {prose(database.error.hint)}".rstrip()
    if failed := database.failed_migration:
        yield f"\n{code(str(failed.migration))} failed:"
        yield from fence(failed.error, "text")
    if database.resume:
        yield ""
        for label, text in resume_rows(database.resume):
            yield f"- {label}: {prose(text)}" if label else f"- {prose(text)}"
    if database.drift:
        for name, incidents in by_table(database.drift.blocking).items():
            yield from _incident_lines(name, incidents)
        if notes := database.drift.notes:
            yield f"\n{notes_title(notes)}:\n"
            for note in (note for found in by_table(notes).values() for note in found):
                yield f"- {note.code.value} {code(str(note.object))}: {prose(note_text(note))}"
            for hint in dict.fromkeys(note.hint for note in notes if note.hint):
                yield f"\n{prose(hint)}"
    yield from _safety_lines(database)
    for repair in database.repairs:
        yield f"\nRepaired: {prose(repair.description)} ({spell_seconds(repair.seconds)})"
        if repair.sql:
            yield from fence("\n".join(repair.sql), "sql")
    yield from _migration_lines(report, database)
    for warning in database.warnings:
        yield f"\n> **Warning:** {prose(warning.message)} {prose(warning.hint)}".rstrip()


def _incident_lines(name: str, incidents: Sequence[Incident]) -> Iterator[str]:
    yield f"\n### {prose(table_title(name, incidents))}\n"
    yield from table(
        ("Code", "Incident", "Object", "Expected", "Live"),
        [
            (
                i.code.value,
                incident_name(i),
                code(short_object(i)),
                *(
                    code(side) or ("nothing" if i.expected or i.live else "")
                    for side in (i.expected, i.live)
                ),
            )
            for i in incidents
        ],
    )
    for incident in incidents:
        sentence = f"{prose(incident.message)} {prose(incident.hint)}".strip()
        yield f"\n**{incident.code.value}** {code(short_object(incident))}: {sentence}"
        for reference, live in incident.objects:
            yield f"- {code(str(reference))} is {'there' if live else 'missing'}"
        if incident.sql:
            yield from fence("\n".join(incident.sql), "sql")


def _safety_lines(database: DatabaseReport) -> Iterator[str]:
    """Findings, consent, backup, and what waited for whom."""
    found = sorted_findings(database.findings)
    if found:
        yield f"\n### Findings: {spell_findings(found) or 'all switched off'}\n"
        yield from table(
            ("Code", "Severity", "Migration", "Finding", "Lock"),
            [
                (
                    finding.code,
                    "switched off" if finding.suppressed else SEVERITY_WORDS[finding.severity],
                    code(str(finding.migration)),
                    prose(f"{finding.message} {finding.suppressed or finding.hint}"),
                    prose(finding.lock),
                )
                for finding in found
            ],
        )
    if database.consent:
        yield f"\nConsent: {prose(spell_consent(database.consent))}"
    if database.backup:
        yield f"\nBackup: {code(database.backup.path)}, {prose(spell_backup(database.backup))}"
    if database.contended:
        yield "\nWaited for locks:\n"
    for contended in database.contended:
        attempt = f"attempt {contended.attempt}: {spell_contention(contended)}"
        blockers = prose(spell_blockers(contended.blockers))
        yield f"- {code(str(contended.migration))}, {prose(attempt)}. {blockers}".rstrip()


def _migration_lines(report: Report, database: DatabaseReport) -> Iterator[str]:
    if database.applied:
        yield ""
        yield from table(
            ("Applied", "Time", "How"),
            [
                (
                    code(str(applied.migration)),
                    spell_seconds(applied.seconds),
                    ", ".join(filter(None, (applied.how, spell_patience(applied)))),
                )
                for applied in database.applied
            ],
        )
    if database.plan:
        yield f"\nPlan, {spell_count(len(database.plan), 'migration')}:"
        for number, step in enumerate(database.plan, 1):
            way = ", taken back" if step.backwards else ""
            yield f"\n{number}. {code(str(step.migration))}{way}"
            for cost in spell_costs(step):
                yield f"   - {prose(cost)}"
            for description in step.untold:
                yield f"   - {prose(description)} (its effect cannot be shown)"
            if step.sql:
                yield from (f"   {line}" for line in fence("\n".join(step.sql), "sql"))
    elif lists_pending(report, database):
        names = ", ".join(code(str(migration)) for migration in database.pending)
        yield f"\nPending: {names}"


def prose(text: str) -> str:
    """Text from elsewhere on one line, with what Markdown would take as markup escaped.

    Code spans stay: our own messages name commands in them.
    """
    pieces = re.split(r"(`[^`]+`)", " ".join(printable(text).split()))
    return "".join(
        code(piece[1:-1]) if index % 2 else _MARKUP.sub(r"\\\g<0>", piece)
        for index, piece in enumerate(pieces)
    )


def code(text: str) -> str:
    """A code span that holds any text, also within a table."""
    flat = " ".join(printable(text).split())
    if not flat:
        return ""
    ticks = "`" * (max((len(run) for run in re.findall("`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def fence(text: str, language: str) -> Iterator[str]:
    """A fenced block that holds any text."""
    ticks = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    yield ""
    yield f"{ticks}{language}"
    yield from printable(text).strip("\n").split("\n")
    yield ticks


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table of cells that are Markdown already."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + " --- |" * len(header)
    for row in rows:
        yield "| " + " | ".join(_PIPE.sub(r"\|", cell) for cell in row) + " |"
