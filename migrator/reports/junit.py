"""The report as JUnit XML, which every build server shows: a suite for each alias, a case for
each step of the lifecycle and each migration.

Written to the schema that Jenkins and its kin have in common: `testsuites`, `testsuite`,
`testcase`, and in it `failure`, `error`, `skipped`, `system-out`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from migrator.core.findings import Severity
from migrator.core.precautions import sorted_findings, spell_backup
from migrator.core.spelling import printable, without_alias
from migrator.reports.advice import by_table
from migrator.reports.document import DatabaseReport, Report
from migrator.reports.report_story import STAGES
from migrator.reports.text import incident_name, note_text, short_object

# What XML 1.0 cannot hold, not even escaped.
_FOREIGN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PREFIX = "migrator"


@dataclass(slots=True)
class _Case:
    """One test case; `verdict` is "", "failure", "error" or "skipped"."""

    name: str
    suite: str
    seconds: float = 0.0
    verdict: str = ""
    type: str = ""
    message: str = ""
    detail: str = ""
    out: list[str] = field(default_factory=list)


class JunitReportFormatter:
    """Renders a report as JUnit XML."""

    def render(self, report: Report) -> str:
        """The document, with a line end.

        Args:
            report: Any report, also one of a run that was interrupted or never began.
        """
        suites = [(d.alias, d.seconds, list(_cases(report, d))) for d in report.db_reports]
        suites += _run_suites(report)
        root = Element("testsuites", {"name": f"{PREFIX} {report.kind} {report.run_id}".strip()})
        _count(root, [case for _, _, cases in suites for case in cases])
        root.set("time", _seconds(report.seconds or sum(seconds for _, seconds, _ in suites)))
        for name, seconds, cases in suites:
            _add_suite(root, report, name, seconds, cases)
        indent(root)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _run_suites(report: Report) -> Iterator[tuple[str, float, list[_Case]]]:
    """What concerns no single alias: a run that never began, and the test command."""
    cases = []
    if report.error:
        error = report.error
        cases.append(
            _Case("run", "run", 0.0, "error", error.type, error.message, _joined(error.hint))
        )
    elif report.outcome == "interrupted":
        cases.append(_Case("run", "run", 0.0, "error", "Interrupted", "The run was interrupted."))
    if ended := report.acceptance:
        case = _Case("test command", "run", ended.seconds, out=[ended.command, ended.output])
        if ended.exit_code:
            case.verdict, case.type = "failure", "AcceptanceFailed"
            case.message = f"{ended.command} exited with {ended.exit_code}."
            case.detail = ended.output
        cases.append(case)
    if cases:
        yield "run", sum(case.seconds for case in cases), cases


def _cases(report: Report, database: DatabaseReport) -> Iterator[_Case]:
    alias = database.alias
    if database.skipped:
        yield _Case("database", alias, verdict="skipped", message=database.skipped)
        return
    took = {s.name: s.seconds for s in database.timeline if s.kind == "step"}
    goal = list(STAGES.values()).index(report.goal) if report.goal in STAGES.values() else 4
    reached = _reached(database)
    for number, (step, state) in enumerate(list(STAGES.items())[: goal + 1]):
        case = _Case(f"step {state}", alias, took.get(step, 0.0))
        if step == database.stopped_in:
            _fail(case, database)
        elif number > reached:
            case.verdict, case.message = "skipped", "Never begun."
        elif step == "scan" and report.goal == "scanned" and database.total_drift_count():
            case.verdict, case.type = "failure", "DriftFound"
            case.message = f"{database.total_drift_count()} incidents"
        if step == "scan" and database.drift:
            case.detail = _joined(case.detail, *_incident_lines(database))
            if not case.verdict:
                case.out += _incident_lines(database)
        if step == "migrate":
            case.out += _migrate_lines(database)
        yield case
    if database.error and not database.stopped_in:
        case = _Case("database", alias)
        _fail(case, database)
        yield case
    yield from _migration_cases(database)


def _migration_cases(database: DatabaseReport) -> Iterator[_Case]:
    for applied in database.applied:
        case = _Case(f"migration {applied.migration}", database.alias, applied.seconds)
        if applied.how != "applied":
            case.out.append(applied.how)
        if applied.lock_wait_seconds:
            waited = f"waited {applied.lock_wait_seconds:.3f} s for locks"
            case.out.append(f"{waited}, attempt {applied.attempt}")
        yield case
    failed = database.failed_migration
    if failed:
        case = _Case(f"migration {failed.migration}", database.alias, verdict="failure")
        error = database.error
        case.type = error.type if error else "MigrationFailed"
        case.message = failed.error.strip().partition("\n")[0]
        case.detail = _joined(failed.error, error.hint if error else "")
        yield case
    for migration in database.pending:
        if not failed or migration != failed.migration:
            message = "Pending."
            yield _Case(
                f"migration {migration}", database.alias, verdict="skipped", message=message
            )


def _reached(database: DatabaseReport) -> int:
    """The number of the last step that was taken; -1 for none."""
    begun = {span.name for span in database.timeline if span.kind == "step"}
    by_time = max((i for i, step in enumerate(STAGES) if step in begun), default=-1)
    states = list(STAGES.values())
    return max(by_time, states.index(database.state) if database.state in states else -1)


def _fail(case: _Case, database: DatabaseReport) -> None:
    error = database.error
    case.verdict = "failure"
    if error is None:
        case.verdict, case.type = "error", "Interrupted"
        case.message = f"Cut short in {database.stopped_in}."
        return
    case.type = error.type
    case.message = without_alias(error.message, database.alias)
    case.detail = _joined(case.message, error.hint)


def _incident_lines(database: DatabaseReport) -> list[str]:
    if not database.drift:
        return []
    lines = []
    for table, incidents in by_table(database.drift.incidents).items():
        for incident in incidents:
            where = f"{table}: " if table else ""
            thing = f"{where}{short_object(incident)}"
            title = f"{incident.code.value} {incident_name(incident)}, {thing}"
            lines.append(f"{title}: {note_text(incident)}")
            lines += [f"  {text}" for text in (incident.hint, *incident.sql) if text]
    return lines


def _migrate_lines(database: DatabaseReport) -> list[str]:
    lines = []
    for finding in sorted_findings(database.findings):
        if not finding.suppressed and finding.severity is not Severity.INFO:
            what = f"{finding.code} {finding.severity.value}, {finding.migration}"
            lines.append(f"{what}: {finding.message}")
    if database.backup:
        lines.append(f"Backup {database.backup.path}: {spell_backup(database.backup)}")
    lines += [f"Warning: {warned.message}" for warned in database.warnings]
    return lines


def _add_suite(
    root: Element, report: Report, name: str, seconds: float, cases: list[_Case]
) -> None:
    suite = SubElement(root, "testsuite", {"name": _text(name)})
    _count(suite, cases)
    suite.set("time", _seconds(seconds))
    if moment := _moment(report.started_at):
        suite.set("timestamp", moment)
    for case in cases:
        attributes = {
            "classname": _text(f"{PREFIX}.{case.suite}"),
            "name": _text(case.name),
            "time": _seconds(case.seconds),
        }
        element = SubElement(suite, "testcase", attributes)
        if case.verdict == "skipped":
            SubElement(element, "skipped", {"message": _text(case.message)})
        elif case.verdict:
            said = {"message": _text(case.message), "type": _text(case.type)}
            SubElement(element, case.verdict, said).text = _text(case.detail or case.message)
        if out := _joined(*case.out):
            SubElement(element, "system-out").text = _text(out)


def _count(element: Element, cases: Iterable[_Case]) -> None:
    verdicts = [case.verdict for case in cases]
    element.set("tests", str(len(verdicts)))
    element.set("failures", str(verdicts.count("failure")))
    element.set("errors", str(verdicts.count("error")))
    if element.tag == "testsuite":  # the schema has no such count for all suites
        element.set("skipped", str(verdicts.count("skipped")))


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _seconds(seconds: float) -> str:
    return f"{max(seconds, 0.0):.3f}"


def _moment(at: str) -> str:
    """A time as the schema wants it: ISO 8601 in UTC, without an offset or a fraction."""
    try:
        return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return ""


def _text(text: str) -> str:
    return _FOREIGN.sub("\ufffd", printable(text))
