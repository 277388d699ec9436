"""The report as text, for a terminal or a log: a line for each alias, then what needs attention.

The order is that of a person in a hurry: how it ended, where each database stands, what is
wrong (the worst first), what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self, TextIO

from migrator.core.costliness import spell_costs
from migrator.core.effects import MigrationKey
from migrator.core.events import PlannedStep, ResumePlanned
from migrator.core.incidents import Evidence, Incident
from migrator.core.precautions import spell_patience
from migrator.core.spelling import spell_count, spell_seconds, without_alias
from migrator.reports.advice import by_table, next_steps, worst_first
from migrator.reports.document import DatabaseReport, Report
from migrator.reports.page import Page, terminal_of
from migrator.reports.text_safety import add_acceptance, add_findings, add_precautions

OUTCOME_STYLES = {
    "complete": "green",
    "done": "green",
    "failed": "bold red",
    "interrupted": "yellow",
    "pending": "yellow",
    "skipped": "dim",
}
RESUME_WORDS = {
    "nothing": "leaves it alone",
    "continue": "continues it",
    "stop": "would stop here; the others go on",
    "refuse": "is refused",
}
_HANG = len("expected") + 2


class TextReportFormatter:
    """Renders a report as text.

    Args:
        color: Whether to put terminal colours in.
        width: Column at which paragraphs wrap; None for never.
        verbosity: From 2 on, the report lists every migration that was applied.
    """

    def __init__(
        self, *, color: bool = False, width: int | None = None, verbosity: int = 1
    ) -> None:
        self.color = color
        self.width = width
        self.verbosity = verbosity

    @classmethod
    def for_stream(cls, stream: TextIO, *, verbosity: int = 1) -> Self:
        """A formatter that suits a stream: colours and its width on a terminal, else plain."""
        color, width = terminal_of(stream)
        return cls(color=color, width=width, verbosity=verbosity)

    def render(self, report: Report) -> str:
        """The report as text that ends with a line end.

        Args:
            report: Any report, also one of a run that was interrupted.
        """
        page = Page(self.width)
        _add_header(page, report)
        _add_summary(page, report)
        for database in worst_first(report.db_reports):
            self._add_database(page, report, database)
        add_acceptance(page, report)
        _add_next(page, report)
        if report.rollback_command:
            page.blank()
            page.line(("Way back", "bold"), ("  " + report.rollback_command, "dim"))
        return page.render(color=self.color)

    def _add_database(self, page: Page, report: Report, database: DatabaseReport) -> None:
        detail = Page(self.width)
        _add_failure(detail, database)
        _add_resume(detail, database)
        if database.drift:
            _add_incidents(detail, database.drift.blocking)
        add_findings(detail, database)
        add_precautions(detail, database)
        _add_repairs(detail, database)
        if database.drift:
            _add_notes(detail, database.drift.notes)
        _add_pending(detail, report, database)
        if self.verbosity >= 2:
            _add_applied(detail, database)
        for warning in database.warnings:
            detail.blank()
            detail.paragraph(warning.message, label="warning", indent=2)
            if warning.hint:
                detail.paragraph(warning.hint, indent=2, hang=len("warning") + 2, style="dim")
        if detail:
            page.blank()
            page.line((database.alias, "bold"), ("  " + database.server, "dim"))
            page.extend(detail)


def headline(report: Report) -> str:
    """How the run ended, in a few words: "complete in 4.2 s", "failed after 1 min 05 s"."""
    seconds = report.seconds
    ending = report.outcome
    unclean = [database for database in report.db_reports if not database.clean]
    if report.outcome == "failed" and unclean and all(map(_only_drifted, unclean)):
        return "drift found" if seconds is None else f"drift found in {spell_seconds(seconds)}"
    if report.outcome == "complete" and report.exit_code:
        ending = f"complete, exit {report.exit_code}"
    if seconds is None:
        return ending
    word = "in" if report.outcome == "complete" else "after"
    return f"{ending} {word} {spell_seconds(seconds)}"


def remarks(report: Report, database: DatabaseReport) -> str:
    """What there is to say about an alias on one line."""
    if database.skipped:
        return database.skipped
    parts: list[str] = []
    if database.outcome == "failed" and database.stopped_in:
        parts.append(f"stopped in {database.stopped_in}")
    elif database.outcome == "interrupted":
        parts.append(f"cut short in {database.stopped_in or database.state}")
    if database.applied:
        verb = "taken back" if report.kind == "rollback" else "applied"
        parts.append(f"{spell_count(len(database.applied), 'migration')} {verb}")
    if database.repairs:
        parts.append(f"{spell_count(len(database.repairs), 'repair')} made")
    if count := database.total_drift_count():
        parts.append(spell_count(count, "incident"))
    if database.pending:
        parts.append(f"{len(database.pending)} pending")
    if not parts and database.outcome == "done":
        parts.append("nothing to do" if report.goal == "verified" else "nothing pending")
    if database.drift and database.drift.notes:
        parts.append(spell_count(len(database.drift.notes), "note"))
    if database.seconds:
        parts.append(spell_seconds(database.seconds))
    return ", ".join(parts)


def state_word(database: DatabaseReport) -> str:
    """Where an alias stands, in one or two words."""
    if database.outcome == "done":
        return database.state
    if _only_drifted(database):
        return "drifted"
    return "not begun" if database.outcome == "pending" else database.outcome


def _only_drifted(database: DatabaseReport) -> bool:
    """Whether nothing went wrong but what the scan found (a check)."""
    drifted = bool(database.total_drift_count())
    return database.outcome == "failed" and drifted and database.error is None


def _add_header(page: Page, report: Report) -> None:
    if not report.run_id and report.outcome == "complete" and report.notices:
        # No run was opened, since there is nothing to do: the notice is all that there is to say.
        for notice in report.notices:
            page.paragraph(notice.message)
            if notice.hint:
                page.paragraph(notice.hint, style="dim")
        return
    kind = report.kind or "run"
    page.line(
        (f"{kind} {report.run_id}".rstrip(), "bold"),
        (" (resumed)" if report.resumed else "", "dim"),
        "  ",
        (headline(report), OUTCOME_STYLES.get(report.outcome, "")),
    )
    for notice in report.notices:
        page.paragraph(notice.message, label="note")
        if notice.hint:
            page.paragraph(notice.hint, hang=len("note") + 2, style="dim")
    if report.migrations_written:
        page.paragraph(", ".join(report.migrations_written), label="migrations written")


def _add_summary(page: Page, report: Report) -> None:
    if not report.db_reports:
        return
    page.blank()
    page.table(
        [
            (
                (database.alias, "bold" if not database.clean else ""),
                (state_word(database), OUTCOME_STYLES[database.outcome]),
                (database.server or database.vendor, "dim"),
                (remarks(report, database), "dim" if database.skipped else ""),
            )
            for database in report.db_reports
        ],
        indent=2,
    )


def _add_failure(page: Page, database: DatabaseReport) -> None:
    error, failed = database.error, database.failed_migration
    if error:
        page.paragraph(without_alias(error.message, database.alias), indent=2, style="red")
    elif failed:
        page.paragraph(f"{failed.migration} failed: {failed.error}", indent=2, style="red")
    if error and failed and failed.error not in error.message:
        page.paragraph(failed.error, indent=2, label=str(failed.migration))
    if error and error.hint:
        page.paragraph(error.hint, indent=2, label="hint")


def resume_rows(planned: ResumePlanned) -> tuple[tuple[str, str], ...]:
    """What a resume would do with an alias, as (label, text); also for Markdown."""
    where = f", in {planned.stopped_in}" if planned.stopped_in else ""
    rows = [
        ("stands", f"{planned.state}, {planned.status}{where}"),
        ("resume", RESUME_WORDS[planned.action]),
        ("", "" if planned.error_type else planned.reason),  # an error is said above
        ("done", _names(planned.done)),
        ("reconciled", _names(planned.reconciled)),
        ("again", _names(planned.retried)),
        ("in doubt", ", ".join(planned.in_doubt)),
        ("pending", _names(key for key in planned.pending if key not in planned.retried)),
    ]
    return tuple((label, text) for label, text in rows if text)


def _names(migrations: Iterable[MigrationKey]) -> str:
    return ", ".join(str(migration) for migration in migrations)


def _add_resume(page: Page, database: DatabaseReport) -> None:
    if database.resume is None:
        return
    for label, text in resume_rows(database.resume):
        page.paragraph(text, indent=2, label=label, hang=len("reconciled") + 2)


def _add_incidents(page: Page, incidents: Sequence[Incident]) -> None:
    for table, found in by_table(incidents).items():
        page.blank()
        page.line((table_title(table, found), "bold"), indent=2)
        for incident in found:
            _add_incident(page, incident)


def _add_incident(page: Page, incident: Incident) -> None:
    thing, migration = short_object(incident), str(incident.migration or "")
    page.line(
        (incident.code.value, "red"),
        f"  {incident_name(incident)}  ",
        (thing, "bold"),
        (f"  {migration}" if migration and migration not in thing else "", "dim"),
        indent=4,
    )
    if incident.message:
        page.paragraph(incident.message, indent=6)
    _add_sides(page, incident)
    if incident.objects:
        for label, wanted in (("there", True), ("missing", False)):
            names = ", ".join(str(name) for name, live in incident.objects if live is wanted)
            if names:
                page.paragraph(names, indent=6, label=label, hang=_HANG)
    if incident.hint:
        page.paragraph(incident.hint, indent=6, label="hint", hang=_HANG)
    if incident.sql:
        page.code("\n".join(incident.sql), indent=6, label="sql", hang=_HANG)


def _add_sides(page: Page, incident: Incident) -> None:
    """Expected and live beside each other where they fit, else below each other."""
    if not incident.expected and not incident.live:
        return
    expected, live = incident.expected or "nothing", incident.live or "nothing"
    room = (page.width or 100) - 6
    if "\n" in expected + live or len(expected) + len(live) + _HANG + 10 > room:
        page.paragraph(expected, indent=6, label="expected", hang=_HANG, style="green")
        page.paragraph(live, indent=6, label="live", hang=_HANG, style="red")
    else:
        page.line(
            ("expected  ", "dim"),
            (expected, "green"),
            ("    live  ", "dim"),
            (live, "red"),
            indent=6,
        )


def _add_notes(page: Page, notes: Sequence[Incident]) -> None:
    """What stops nothing: one line each, and each hint once."""
    if not notes:
        return
    page.blank()
    page.line((notes_title(notes), "dim"), indent=2)
    ordered = [incident for found in by_table(notes).values() for incident in found]
    page.table([(i.code.value, str(i.object), note_text(i)) for i in ordered], indent=4)
    for hint in dict.fromkeys(incident.hint for incident in ordered if incident.hint):
        page.paragraph(hint, indent=4, label="hint")


def table_title(table: str, incidents: Sequence[Incident]) -> str:
    """The title of a group of incidents: their table, or what they have in common without one."""
    if table:
        return f"table {table}"
    only_history = all(incident.object.kind == "migration" for incident in incidents)
    return "recorded history" if only_history else "outside of tables"


def short_object(incident: Incident) -> str:
    """What an incident is about, below the name of its table: "column total"."""
    reference = incident.object
    if reference.kind in {"table", "migration"} or not reference.table:
        return str(reference)
    return f"{reference.kind} {reference.name}".rstrip()


def notes_title(notes: Sequence[Incident]) -> str:
    """The title of what stops nothing."""
    return (
        "1 note, which stops nothing"
        if len(notes) == 1
        else f"{len(notes)} notes, which stop nothing"
    )


def incident_name(incident: Incident) -> str:
    """The name of an incident's code: DR101 is "recorded_missing"."""
    return incident.code.name.lower()


def note_text(incident: Incident) -> str:
    """A note in one sentence, with its evidence where that is what makes it a note."""
    sides = ""
    if incident.expected or incident.live:
        sides = f"expected {incident.expected or 'nothing'}, live {incident.live or 'nothing'}"
    text = incident.message or sides or incident_name(incident)
    return f"{text} (unconfirmed)" if incident.evidence is Evidence.UNCONFIRMED else text


def _add_repairs(page: Page, database: DatabaseReport) -> None:
    """Every action that was made; those that were planned and not made are marked so."""
    made = {repair.description for repair in database.repairs}
    planned = [(text, sql) for text, sql in database.repair_plan if text not in made]
    if database.repairs:
        page.blank()
        page.line(("Repaired", "bold"), indent=2)
    for repair in database.repairs:
        page.paragraph(f"{repair.description}  {spell_seconds(repair.seconds)}", indent=4)
        if repair.sql:
            page.code("\n".join(repair.sql), indent=6)
    if planned:
        page.blank()
        page.line(("Repair planned, not made", "bold"), indent=2)
    for description, sql in planned:
        page.paragraph(description, indent=4)
        if sql:
            page.code("\n".join(sql), indent=6)


def _add_pending(page: Page, report: Report, database: DatabaseReport) -> None:
    if database.plan:
        page.blank()
        page.line(("Plan", "bold"), f": {spell_count(len(database.plan), 'migration')}", indent=2)
        for number, step in enumerate(database.plan, 1):
            _add_planned(page, number, step)
    elif lists_pending(report, database):
        page.blank()
        names = ", ".join(str(migration) for migration in database.pending)
        page.paragraph(names, indent=2, label="pending")


def _add_planned(page: Page, number: int, step: PlannedStep) -> None:
    """One migration: its name and what it costs on a line, then its SQL."""
    name = str(step.migration)
    way = "   taken back" if step.backwards else ""
    if not step.sql and not step.opaque:
        page.line((f"{number:>3}  ", "dim"), (name, "bold"), way, ("   no SQL", "dim"), indent=2)
        return
    costs = spell_costs(step) or ("",)
    page.blank()
    page.line((f"{number:>3}  ", "dim"), (name, "bold"), way, f"   {costs[0]}", indent=2)
    for cost in costs[1:]:
        page.line(cost, indent=7 + len(name) + len(way) + 3)
    if step.sql:
        page.code("\n".join(step.sql), indent=7)
    for description in step.untold:
        page.paragraph(f"{description} (its effect cannot be shown)", indent=7)
    page.blank()


def lists_pending(report: Report, database: DatabaseReport) -> bool:
    """Whether what is pending is listed by name: where it is news, and nothing else says it."""
    if not database.pending or database.resume:
        return False
    return report.goal == "scanned" or not database.clean


def _add_applied(page: Page, database: DatabaseReport) -> None:
    if not database.applied:
        return
    page.blank()
    page.line(("Applied", "bold"), indent=2)
    rows = []
    for applied in database.applied:
        how = "" if applied.how == "applied" else applied.how
        extra = ", ".join(part for part in (how, spell_patience(applied)) if part)
        rows.append((str(applied.migration), spell_seconds(applied.seconds), extra))
    page.table(rows, indent=4)


def _add_next(page: Page, report: Report) -> None:
    steps = next_steps(report)
    if not steps:
        return
    page.blank()
    page.line(("Next", "bold"))
    for step in steps:
        page.paragraph(step.why, indent=2)
        if step.command:
            page.code(step.command, indent=4)
