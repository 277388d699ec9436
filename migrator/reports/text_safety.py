"""What was done to be safe, as lines of the text report."""

from __future__ import annotations

from migrator.core.findings import Finding, Severity
from migrator.core.precautions import (
    SEVERITY_WORDS,
    place_of,
    sorted_findings,
    spell_acceptance,
    spell_backup,
    spell_blockers,
    spell_consent,
    spell_contention,
    spell_findings,
)
from migrator.core.spelling import spell_count
from migrator.reports.document import DatabaseReport, Report
from migrator.reports.page import Page

_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}
_HANG = len("consent") + 2
_LAST_LINES = 20


def add_findings(page: Page, database: DatabaseReport) -> None:
    """The findings, errors first; of those switched off only that there are some."""
    found = sorted_findings(database.findings)
    if not found:
        return
    page.blank()
    count = spell_findings(found)
    page.line(("Findings", "bold"), f": {count}" if count else "", indent=2)
    for finding in found:
        if not finding.suppressed:
            _add_finding(page, finding, database)
    off = [finding for finding in found if finding.suppressed]
    for finding in off:
        text = f"{finding.code} of {finding.migration} is switched off: {finding.suppressed}"
        page.paragraph(text, indent=4, style="dim")


def _add_finding(page: Page, finding: Finding, database: DatabaseReport) -> None:
    """What to do instead only where something may still be done: not after consent; as code in
    a preview alone, which is where one would copy it from.
    """
    page.line(
        (finding.code, _STYLES[finding.severity]),
        f"  {SEVERITY_WORDS[finding.severity]}  ",
        (str(finding.migration), "bold"),
        (f"  {place_of(finding)}" if finding.file else "", "dim"),
        indent=4,
    )
    page.paragraph(finding.message, indent=6)
    if finding.lock:
        page.paragraph(finding.lock, indent=6, label="lock", hang=6)
    if finding.hint and not database.consent:
        page.paragraph(finding.hint, indent=6, label="hint", hang=6)
    if finding.alternative and database.plan:
        page.code(finding.alternative, indent=6, label="safe", hang=6)


def add_precautions(page: Page, database: DatabaseReport) -> None:
    """Who consented, what was backed up, and what waited for whom."""
    if not (database.consent or database.backup or database.contended):
        return
    page.blank()
    if database.consent:
        page.paragraph(spell_consent(database.consent), indent=2, label="consent", hang=_HANG)
    if backup := database.backup:
        page.paragraph(
            f"{backup.path}\n{spell_backup(backup)}", indent=2, label="backup", hang=_HANG
        )
        if backup.removed:
            older = spell_count(len(backup.removed), "older backup")
            page.paragraph(f"{older} removed", indent=2, label=" ", hang=_HANG)
    named = database.error.message if database.error else ""
    for contended in database.contended:
        attempt = f"attempt {contended.attempt}" if contended.attempt > 1 else "first attempt"
        text = f"{contended.migration}, {attempt}: {spell_contention(contended)}"
        who = spell_blockers(contended.blockers)
        if who and who not in named:  # once, in the error or where it was first in the way
            text += f"\n{who}"
            named += who
        page.paragraph(text, indent=2, label="waited", hang=_HANG)


def add_acceptance(page: Page, report: Report) -> None:
    """How the test command ended, with its last lines when it failed."""
    ended = report.acceptance
    if ended is None:
        return
    page.blank()
    style = "red" if ended.exit_code else ""
    page.line(("Test command", "bold"), f"  {ended.command}  ", (spell_acceptance(ended), style))
    if ended.exit_code and ended.output.strip():
        lines = ended.output.strip("\n").split("\n")
        page.code("\n".join(lines[-_LAST_LINES:]), indent=4)
