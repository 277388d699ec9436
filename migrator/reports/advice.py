"""What to do after a run, as commands that can be pasted. The same in every rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from migrator.core.findings import Severity
from migrator.core.incidents import Incident
from migrator.reports.document import DatabaseReport, Report

MANAGE = "python manage.py migrate_all"
BY_APP = "python manage.py migrator"
"""The command that takes `--app`."""

# As migrator.exceptions.ExitCode, which would bring the journal in here.
_DECISION, _LOCKED = 3, 4


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do next: why, and the command ("" where there is none)."""

    why: str
    command: str = ""


def next_steps(report: Report) -> tuple[Advice, ...]:
    """What a person should do after this run; nothing when there is nothing to do.

    Args:
        report: Of a run that ended, or of a stream that stopped.
    """
    if report.goal == "scanned":
        return _after_looking(report)
    if report.all_clean:
        return ()
    unclean = [database for database in report.db_reports if not database.clean]
    deciding = [d for d in unclean if d.error and d.error.exit_code == _DECISION]
    drifted = [d for d in _drifted(report) if d.outcome == "failed" and d not in deciding]
    steps = list(_mend(report, drifted)) if drifted else []
    others = [database for database in unclean if database not in drifted]
    if not unclean and report.acceptance and report.acceptance.exit_code and report.run_id:
        steps.append(Advice("Once the test command passes, finish the run:", _resume(report)))
    if others and report.run_id:
        steps.append(Advice(_why_resume(report, deciding, others), _resume(report)))
    return tuple(steps)


def _resume(report: Report) -> str:
    return f"{MANAGE} --resume {report.run_id}"


def _why_resume(
    report: Report, deciding: Sequence[DatabaseReport], others: Sequence[DatabaseReport]
) -> str:
    if deciding:
        asked = "that it asks for" if len(deciding) == 1 else "that they ask for"
        return f"Continue {_names(deciding)} with the decision {asked}, added to:"
    if report.outcome == "interrupted":
        return "Continue where it stopped:"
    if all(d.error and d.error.exit_code == _LOCKED for d in others):
        return "Once the other run has ended, continue:"
    return f"Once the cause is gone, continue {_names(others)}:"


def _after_looking(report: Report) -> tuple[Advice, ...]:
    """A check or a dry run wrote nothing: the next step is a run that does."""
    if report.resumed:
        return () if report.exit_code else (Advice("Continue it:", _resume(report)),)
    drifted = _drifted(report)
    if drifted:
        return _mend(report, drifted)
    if run := "".join(value for name, value in _pairs(report) if name == "--rollback"):
        command = f"migrator rollback {run}{_chosen(report, '--database')}"
        return () if report.exit_code else (Advice("Take it back:", command),)
    if report.outcome == "interrupted":
        return (Advice("It was cut short and changed nothing; look again:", _look(report)),)
    if any(database.outcome == "failed" for database in report.db_reports):
        return (Advice("Once the cause is gone, look again:", _look(report)),)
    pending = [database for database in report.db_reports if database.pending]
    if pending:
        unsafe = any(
            finding.severity is Severity.ERROR and not finding.suppressed
            for database in pending
            for finding in database.findings
        )
        why = "Once the errors are dealt with, apply" if unsafe else "Apply"
        return (Advice(f"{why} what is pending:", _run(report, pending)),)
    return ()


def _mend(report: Report, drifted: Sequence[DatabaseReport]) -> tuple[Advice, ...]:
    """By hand what no repair takes, since a repair does all of an alias or nothing; then it."""
    incidents = [i for d in drifted if d.drift for i in d.drift.blocking]
    by_hand = sorted({i.code.value for i in incidents if not i.mendable})
    repair = _run(report, drifted, " --repair")
    if by_hand:
        first = Advice(f"Mend {', '.join(by_hand)} by hand, as their hints say.")
        if all(i.code.value in by_hand for i in incidents):
            return (first, Advice("Then look again:", _look(report)))
        return (first, Advice("Then repair the rest, and migrate:", repair))
    if report.kind == "repair":
        return (Advice("Look at what the repair left:", _look(report)),)
    return (Advice("Repair the drift, then migrate:", repair),)


def _drifted(report: Report) -> list[DatabaseReport]:
    return [database for database in report.db_reports if database.total_drift_count()]


def _run(report: Report, databases: Sequence[DatabaseReport], flags: str = "") -> str:
    """The command that does something about these databases, and about no more than this run."""
    apps = _chosen(report, "--app")
    return f"{BY_APP if apps else MANAGE}{flags}{_selection(report, databases)}{apps}"


def _selection(report: Report, databases: Sequence[DatabaseReport]) -> str:
    """`--database` for each, unless that is all of the project's."""
    if len(databases) == len(report.db_reports):
        return _chosen(report, "--database")
    return "".join(f" --database {quote(database.alias)}" for database in databases)


def _chosen(report: Report, flag: str) -> str:
    return "".join(f" {flag} {quote(value)}" for name, value in _pairs(report) if name == flag)


def _pairs(report: Report) -> list[tuple[str, str]]:
    return list(zip(report.selection[::2], report.selection[1::2], strict=False))


def _look(report: Report) -> str:
    kind = "dry-run" if report.kind == "dry-run" else "check"
    return f"{MANAGE} --{kind}{_chosen(report, '--database')}"


def _names(databases: Sequence[DatabaseReport]) -> str:
    names = [database.alias for database in databases]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"


def worst_first(databases: Sequence[DatabaseReport]) -> list[DatabaseReport]:
    """Failed before interrupted before never begun before fine; otherwise in the run's order."""
    order = {"failed": 0, "interrupted": 1, "pending": 2, "done": 3, "skipped": 4}
    return sorted(databases, key=lambda database: order[database.outcome])


def by_table(incidents: Sequence[Incident]) -> dict[str, list[Incident]]:
    """Incidents by their table ("" for those outside of tables), the worst table first.

    Blocking before not blocking, then by code; within a table the same.
    """
    ordered = sorted(incidents, key=lambda i: (not i.blocking, i.code.value))
    tables: dict[str, list[Incident]] = {}
    for incident in ordered:
        reference = incident.object
        table = reference.table or (reference.name if reference.kind == "table" else "")
        tables.setdefault(table, []).append(incident)
    return tables
