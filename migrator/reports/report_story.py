"""The story of a run from its report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from migrator.core import events as ev
from migrator.core.costliness import spell_costs
from migrator.core.findings import Severity
from migrator.core.precautions import (
    sorted_findings,
    spell_backup,
    spell_blockers,
    spell_consent,
    spell_contention,
)
from migrator.core.spelling import spell_bytes, spell_count, spell_seconds, without_alias
from migrator.reports.advice import next_steps, worst_first
from migrator.reports.chronicle import spell_time
from migrator.reports.document import DatabaseReport, Report
from migrator.reports.story import (
    TONES,
    Acceptance,
    Attempt,
    Change,
    Drift,
    Lane,
    MigrationRow,
    PlannedRow,
    Story,
    Tally,
    plan_bars,
    stages_of,
)
from migrator.reports.text import headline, remarks, resume_rows, state_word

STAGES = {
    "guard": "guarded",
    "scan": "scanned",
    "repair": "repaired",
    "migrate": "migrated",
    "verify": "verified",
}
"""Each step of the lifecycle, and the state that it leads to."""


def story_of_report(report: Report) -> Story:
    """What the page of a run shows.

    Args:
        report: Any report, also one of a run that was interrupted or never began.
    """
    lanes = [_lane(report, database) for database in report.db_reports]
    axis, began, bars = plan_bars(lanes)
    lanes = [replace(lane, bars=drawn) for lane, drawn in zip(lanes, bars, strict=True)]
    by_alias = {lane.alias: lane for lane in lanes}
    tone = TONES.get(report.outcome, "quiet") if not report.exit_code else "bad"
    name = f"{report.kind or 'run'} {report.run_id}".strip()
    return Story(
        name=name,
        title=report_title(report),
        tone="warn" if report.outcome == "interrupted" else tone,
        subtitle=_subtitle(report),
        error=report.error.message if report.error else "",
        hint=report.error.hint if report.error else "",
        tallies=_tallies(report),
        advice=next_steps(report),
        way_back=report.rollback_command,
        notices=tuple((notice.message, notice.hint) for notice in report.notices),
        axis=axis,
        began=began,
        lanes=tuple(lanes),
        chapters=tuple(by_alias[d.alias] for d in worst_first(report.db_reports)),
        acceptance=_acceptance(report.acceptance),
        facts=_facts(report),
    )


def report_title(report: Report) -> str:
    """How a run ended, in a sentence that says it all to whoever reads no further."""
    databases = report.db_reports
    total = spell_count(len(databases), "database")
    unclean = [database for database in databases if not database.clean]
    if report.error:
        return "The run never began"
    if report.outcome == "interrupted":
        return f"Interrupted, {len(databases) - len(unclean)} of {total} done"
    if unclean and headline(report).startswith("drift found"):
        return f"Drift on {len(unclean)} of {total}"
    if unclean:
        idle = sum(database.outcome == "pending" for database in unclean)
        failed = f"{len(unclean) - idle} of {total} failed"
        return f"{failed}, {idle} not begun" if 0 < idle < len(unclean) else failed
    if report.acceptance and report.acceptance.exit_code:
        return "Verified, but the test command failed"
    if report.exit_code:
        pending = sum(len(database.pending) for database in databases)
        return f"{spell_count(pending, 'migration')} pending" if pending else headline(report)
    if report.goal == "scanned":
        pending = sum(len(database.pending) for database in databases)
        waiting = f"{spell_count(pending, 'migration')} pending" if pending else "nothing pending"
        return f"No drift on {total}, {waiting}"
    if report.kind == "rollback":
        return f"Taken back on {total}"
    verified = sum(database.outcome == "done" for database in databases)
    if verified == len(databases) != 1:
        return f"All {total} verified" if databases else "Nothing to do"
    return f"{spell_count(verified, 'database')} verified"


def _subtitle(report: Report) -> str:
    parts = [spell_time(report.started_at)]
    if report.seconds is not None:
        parts.append(f"took {spell_seconds(report.seconds)}")
    if report.resumed:
        parts.append("resumed")
    return ", ".join(part for part in parts if part)


def _tallies(report: Report) -> tuple[Tally, ...]:
    databases = report.db_reports
    applied = sum(len(database.applied) for database in databases)
    tallies = [Tally(str(len(databases)), "database" if len(databases) == 1 else "databases")]
    unclean = sum(not database.clean for database in databases)
    if unclean:
        tallies.append(Tally(str(unclean), "not clean", "bad"))
    skipped = sum(database.outcome == "skipped" for database in databases)
    if skipped:
        tallies.append(Tally(str(skipped), "skipped"))
    if applied or report.goal == "verified":
        verb = "taken back" if report.kind == "rollback" else "applied"
        noun = f"migration {verb}" if applied == 1 else f"migrations {verb}"
        tallies.append(Tally(str(applied), noun))
    pending = sum(len(database.pending) for database in databases)
    if pending:
        tallies.append(Tally(str(pending), "pending"))
    repairs = sum(len(database.repairs) for database in databases)
    if repairs:
        tallies.append(Tally(str(repairs), "repair made" if repairs == 1 else "repairs made"))
    incidents = sum(database.total_drift_count() for database in databases)
    if incidents:
        tallies.append(Tally(str(incidents), "incident" if incidents == 1 else "incidents", "bad"))
    found = [f for database in databases for f in database.findings if not f.suppressed]
    if found:
        worst = any(finding.severity is Severity.ERROR for finding in found)
        noun = "finding" if len(found) == 1 else "findings"
        tallies.append(Tally(str(len(found)), noun, "bad" if worst else "warn"))
    waited = sum(_waited(database) for database in databases)
    if waited:
        tallies.append(Tally(spell_seconds(waited), "waiting for locks", "warn"))
    backups = [database.backup for database in databases if database.backup]
    if backups:
        size = spell_bytes(sum(backup.bytes for backup in backups))
        noun = "of backup" if len(backups) == 1 else f"in {len(backups)} backups"
        tallies.append(Tally(size, noun))
    return tuple(tallies)


def _facts(report: Report) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Run", report.run_id),
        ("Kind", report.kind),
        ("Goal", report.goal),
        ("Began", spell_time(report.started_at)),
        ("Ended", spell_time(report.finished_at) or ("nobody closed it" if report.run_id else "")),
        ("Outcome", f"{report.outcome}, exit code {report.exit_code}"),
        ("Only", " ".join(report.selection)),
        ("Migrations written", ", ".join(report.migrations_written)),
        ("Passes", "; ".join(f"{p.number}: {', '.join(p.aliases)}" for p in report.passes)),
    ]
    return tuple((label, text) for label, text in facts if text)


def _acceptance(ended: ev.AcceptanceFinished | None) -> Acceptance | None:
    if ended is None:
        return None
    return Acceptance(
        ended.command, ended.exit_code == 0, ended.exit_code, ended.seconds, ended.output
    )


def _lane(report: Report, database: DatabaseReport) -> Lane:
    error, failed = database.error, database.failed_migration
    word = state_word(database)
    lane = Lane(
        alias=database.alias,
        server=database.server or database.vendor,
        word=word,
        tone="bad" if word == "drifted" else TONES.get(database.outcome, "quiet"),
        remark=remarks(report, replace(database, seconds=0.0)),
        seconds=database.seconds,
        spans=database.timeline,
        stages=stages_of(database.timeline, STAGES) if database.timeline else (),
        error=without_alias(error.message, database.alias) if error else "",
        hint=error.hint if error else "",
        detail=failed.error if failed and not (error and failed.error in error.message) else "",
        drifts=drifts_of(database.scans),
        repairs=_repairs(database),
        findings=sorted_findings(database.findings),
        migrations=_migrations(database),
        plan=_plan(report, database),
        pending=tuple(map(str, database.pending)),
        facts=_alias_facts(database),
        warnings=tuple((warned.message, warned.hint) for warned in database.warnings),
    )
    flags = []
    if not database.clean or database.warnings or database.findings or database.drift:
        flags.append("attention")
    if _waited(database):
        flags.append("waited")
    return replace(lane, flags=tuple(flags))


def drifts_of(scans: Iterable[ev.ScanFinished]) -> tuple[Drift, ...]:
    """Before and after; one of them where nothing changed, none where nothing was found.

    Args:
        scans: Of one database, in their order.
    """
    titles = {"scan": "Before", "repair": "After the repair", "verify": "After"}
    found: list[Drift] = []
    for scan in scans:
        title = titles.get(scan.phase, "After")
        drift = Drift(title, scan.tables, scan.recorded, scan.incidents)
        if found and found[-1].title == title:
            found[-1] = drift
        else:
            found.append(drift)
    if not any(drift.incidents for drift in found):
        return tuple(replace(drift, title="Throughout") for drift in found[-1:])
    return (found[0], found[-1]) if len(found) > 2 else tuple(found)


def _repairs(database: DatabaseReport) -> tuple[Change, ...]:
    made = {repair.description for repair in database.repairs}
    return (
        *(Change(r.description, r.sql, r.seconds) for r in database.repairs),
        *(Change(text, sql, made=False) for text, sql in database.repair_plan if text not in made),
    )


def _migrations(database: DatabaseReport) -> tuple[MigrationRow, ...]:
    began = {s.name: s.at for s in reversed(database.timeline) if s.kind == "migration"}
    shown = {str(step.migration): step for step in database.plan}
    rows = []
    for applied in database.applied:
        name = str(applied.migration)
        planned = shown.get(name)
        rows.append(
            MigrationRow(
                name,
                began.get(name, ""),
                applied.seconds,
                applied.lock_wait_seconds,
                applied.how,
                "good",
                _attempts(database, name),
                applied.sql or (planned.sql if planned else ()),
                planned.untold if planned else (),
            )
        )
    if failed := database.failed_migration:
        name = str(failed.migration)
        row = MigrationRow(
            name,
            began.get(name, ""),
            None,
            sum(c.waited + c.pause for c in database.contended if str(c.migration) == name),
            f"failed, attempt {failed.attempt}" if failed.attempt > 1 else "failed",
            "bad",
            _attempts(database, name),
            error=failed.error,
        )
        rows.append(row)
    return tuple(rows)


def _waited(database: DatabaseReport) -> float:
    """Seconds that its migrations waited for locks, those included that never got one."""
    applied = {applied.migration: applied.lock_wait_seconds for applied in database.applied}
    lost = [c for c in database.contended if c.migration not in applied]
    return sum(applied.values()) + sum(c.waited + c.pause for c in lost)


def _attempts(database: DatabaseReport, name: str) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            contended.attempt,
            spell_contention(contended),
            spell_blockers(contended.blockers),
        )
        for contended in database.contended
        if str(contended.migration) == name
    )


def _plan(report: Report, database: DatabaseReport) -> tuple[PlannedRow, ...]:
    """What is still to be applied; of a run that applied it, the SQL stands with what it did."""
    applied = {applied.migration for applied in database.applied}
    if report.goal == "verified" and applied:
        return ()
    return tuple(
        PlannedRow(str(step.migration), step.sql, step.untold, tuple(spell_costs(step)))
        for step in database.plan
    )


def _alias_facts(database: DatabaseReport) -> tuple[tuple[str, str], ...]:
    facts: list[tuple[str, str]] = []
    if backup := database.backup:
        facts.append(("Backup", backup.path))
        facts.append(("", spell_backup(backup)))
        if backup.digest:
            facts.append(("", f"SHA-256 {backup.digest}"))
        if backup.removed:
            facts.append(("Backups removed", ", ".join(backup.removed)))
    if database.consent:
        facts.append(("Consent", spell_consent(database.consent)))
    if database.resume:
        facts += [(label.capitalize(), text) for label, text in resume_rows(database.resume)]
    return tuple(facts)
