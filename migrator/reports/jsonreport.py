"""The report as one JSON document: stable, `"format": 1`; fields are added, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from migrator.core.effects import MigrationKey
from migrator.core.events import (
    AcceptanceFinished,
    BackupMade,
    ConsentGiven,
    LockContended,
    PlannedStep,
    ResumePlanned,
)
from migrator.core.precautions import sorted_findings
from migrator.reports.document import DatabaseReport, ErrorReport, Report

FORMAT = 1


def report_document(report: Report) -> dict[str, Any]:
    """The documented shape of a report, as JSON-ready data.

    Args:
        report: Any report, also one of a stream that stopped in the middle.
    """
    return {
        "format": FORMAT,
        "run_id": report.run_id,
        "kind": report.kind,
        "goal": report.goal,
        "resumed": report.resumed,
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        "all_clean": report.all_clean,
        "started_at": report.started_at or None,
        "finished_at": report.finished_at or None,
        "seconds": _rounded(report.seconds),
        "migrations_written": list(report.migrations_written),
        "notices": [{"message": n.message, "hint": n.hint} for n in report.notices],
        "error": _error(report.error),
        "acceptance": _acceptance(report.acceptance),
        "rollback": {"command": report.rollback_command} if report.rollback_command else None,
        "databases": [database_document(database) for database in report.db_reports],
    }


def database_document(database: DatabaseReport) -> dict[str, Any]:
    """The documented shape of one alias within a report."""
    failed = database.failed_migration
    return {
        "alias": database.alias,
        "vendor": database.vendor,
        "server": database.server,
        "state": database.state,
        "outcome": database.outcome,
        "skipped": database.skipped or None,
        "stopped_in": database.stopped_in or None,
        "error": _error(database.error),
        "failed_migration": (
            {**_key(failed.migration), "attempt": failed.attempt, "error": failed.error}
            if failed
            else None
        ),
        "incidents": [
            incident.to_dict() for incident in (database.drift.incidents if database.drift else ())
        ],
        "repairs": [
            {"description": r.description, "sql": list(r.sql), "seconds": _rounded(r.seconds)}
            for r in database.repairs
        ],
        "pending": [_key(migration) for migration in database.pending],
        "plan": [_planned(step) for step in database.plan],
        "resume": _resume(database.resume) if database.resume else None,
        "findings": [finding.to_dict() for finding in sorted_findings(database.findings)],
        "consent": _consent(database.consent),
        "applied": [
            {
                **_key(applied.migration),
                "seconds": _rounded(applied.seconds),
                "lock_wait_seconds": _rounded(applied.lock_wait_seconds),
                "attempt": applied.attempt,
                "how": applied.how,
            }
            for applied in database.applied
        ],
        "warnings": [{"message": w.message, "hint": w.hint} for w in database.warnings],
        "contended": [_contended(contended) for contended in database.contended],
        "backup": _backup(database.backup),
        "seconds": _rounded(database.seconds),
    }


def _error(error: ErrorReport | None) -> dict[str, Any] | None:
    return {"type": error.type, "message": error.message, "hint": error.hint} if error else None


def _acceptance(ended: AcceptanceFinished | None) -> dict[str, Any] | None:
    if ended is None:
        return None
    return {
        "command": ended.command,
        "exit_code": ended.exit_code,
        "seconds": _rounded(ended.seconds),
        "output": ended.output,
    }


def _consent(consent: ConsentGiven | None) -> dict[str, Any] | None:
    if consent is None:
        return None
    return {
        "how": consent.how,
        "by": consent.by,
        "findings": [finding.to_dict() for finding in consent.findings],
    }


def _backup(backup: BackupMade | None) -> dict[str, Any] | None:
    if backup is None:
        return None
    return {
        "path": backup.path,
        "bytes": backup.bytes,
        "digest": backup.digest,
        "seconds": _rounded(backup.seconds),
        "tool": backup.tool,
        "removed": list(backup.removed),
    }


def _contended(contended: LockContended) -> dict[str, Any]:
    return {
        **_key(contended.migration),
        "attempt": contended.attempt,
        "waited": _rounded(contended.waited),
        "pause": _rounded(contended.pause),
        "blockers": list(contended.blockers),
    }


def _planned(step: PlannedStep) -> dict[str, Any]:
    return {
        **_key(step.migration),
        "sql": list(step.sql),
        "opaque": list(step.opaque),
        "locks": [
            {"table": lock.table, "mode": lock.mode, "blocks": lock.blocks} for lock in step.locks
        ],
        "rewrites": list(step.rewrites),
        "scans": list(step.scans),
        "tables": [
            {"table": table, "rows": size.rows, "bytes": size.bytes} for table, size in step.sizes
        ],
        "backwards": step.backwards,
        "file": step.file or None,
    }


def _resume(planned: ResumePlanned) -> dict[str, Any]:
    return {
        "action": planned.action,
        "reason": planned.reason,
        "hint": planned.hint,
        "state": planned.state,
        "status": planned.status,
        "stopped_in": planned.stopped_in or None,
        "done": [_key(migration) for migration in planned.done],
        "reconciled": [_key(migration) for migration in planned.reconciled],
        "retried": [_key(migration) for migration in planned.retried],
        "in_doubt": list(planned.in_doubt),
        "pending": [_key(migration) for migration in planned.pending],
    }


class JsonReportFormatter:
    """Renders a report as one JSON document."""

    def render(self, report: Report) -> str:
        """The document, indented, with a line end."""
        return render_json(report_document(report))


def render_json(document: Mapping[str, Any]) -> str:
    """A JSON document as every command prints it: UTF-8, indented, with a line end.

    Args:
        document: JSON-ready data; whatever else a payload holds is spelled as a string.
    """
    return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


def render_json_lines(documents: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    """One compact JSON document a line.

    Args:
        documents: JSON-ready data, taken one at a time.
    """
    for document in documents:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
        yield text + "\n"


def _key(migration: MigrationKey) -> dict[str, str]:
    return {"app": migration.app, "name": migration.name}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
