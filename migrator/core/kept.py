"""What the journal keeps of a scan and of the lint: the outcome of a transition holds them.

So a page of the run can be made of the journal alone, long after its report is gone. They are
JSON-ready data, and read back tolerantly: a journal may be older, or newer, than what reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from migrator.core.effects import MigrationKey
from migrator.core.events import ScanFinished
from migrator.core.findings import Finding, Severity
from migrator.core.incidents import Code, Evidence, Incident, ObjectRef

LIMIT = 200
"""So many incidents of a scan and findings of a plan are kept, the worst first."""

Document = Mapping[str, Any]


def keep_scan(scan: ScanFinished) -> dict[str, Any]:
    """A scan as JSON-ready data.

    Args:
        scan: As it was told.
    """
    worst_first = sorted(scan.incidents, key=lambda incident: not incident.blocking)
    return {
        "phase": scan.phase,
        "tables": scan.tables,
        "recorded": scan.recorded,
        "pending": len(scan.pending),
        "blocking": sum(incident.blocking for incident in scan.incidents),
        "notes": sum(not incident.blocking for incident in scan.incidents),
        "incidents": [incident.to_dict() for incident in worst_first[:LIMIT]],
    }


def keep_findings(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON-ready data, without code to paste.

    Args:
        findings: Of one plan.
    """
    order = list(Severity)
    worst_first = sorted(findings, key=lambda found: order.index(found.severity))
    return [{**found.to_dict(), "alternative": None} for found in worst_first[:LIMIT]]


def kept_scan(alias: str, document: Document) -> ScanFinished:
    """A scan that was kept.

    Args:
        alias: Of which database.
        document: What `keep_scan` made.
    """
    return ScanFinished(
        alias,
        str(document.get("phase", "scan")),
        int(document.get("tables", 0)),
        int(document.get("recorded", 0)),
        tuple(_each(_incident, document.get("incidents") or ())),
        (),
        0.0,
    )


def kept_findings(documents: Iterable[Document]) -> tuple[Finding, ...]:
    """Findings that were kept.

    Args:
        documents: What `keep_findings` made.
    """
    return tuple(_each(_finding, documents))


def _each(read: Any, documents: Iterable[Document]) -> Iterable[Any]:
    """Leave out what this version cannot read."""
    for document in documents:
        with suppress(KeyError, ValueError, TypeError, AttributeError):
            yield read(document)


def _incident(document: Document) -> Incident:
    thing, migration = document["object"], document.get("migration")
    return Incident(
        Code(document["code"]),
        bool(document["blocking"]),
        Evidence(document["evidence"]),
        ObjectRef(str(thing["kind"]), str(thing["table"]), str(thing["name"])),
        expected=str(document.get("expected") or ""),
        live=str(document.get("live") or ""),
        migration=MigrationKey(migration["app"], migration["name"]) if migration else None,
        operation=migration.get("operation") if migration else None,
        message=str(document.get("message") or ""),
        hint=str(document.get("hint") or ""),
        sql=tuple(map(str, document.get("sql") or ())),
        mendable=bool(document.get("mendable")),
        since=str(document.get("since") or ""),
    )


def _finding(document: Document) -> Finding:
    return Finding(
        str(document["code"]),
        Severity(document["severity"]),
        MigrationKey(str(document["app"]), str(document["migration"])),
        str(document["message"]),
        alias=str(document.get("alias") or ""),
        operation=document.get("operation"),
        table=str(document.get("table") or ""),
        column=str(document.get("column") or ""),
        hint=str(document.get("hint") or ""),
        lock=str(document.get("lock") or ""),
        destroys=bool(document.get("destroys")),
        rows=document.get("rows"),
        suppressed=str(document.get("suppressed") or ""),
        file=str(document.get("file") or ""),
        line=int(document.get("line") or 0),
    )
