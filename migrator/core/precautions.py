"""What was done to be safe (consent, backup, patience, tests), in words; the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.core import events as ev
from migrator.core.findings import Finding, Severity
from migrator.core.spelling import spell_bytes, spell_count, spell_seconds

SEVERITY_WORDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
"""What people read; programs read the value."""


def spell_consent(consent: ev.ConsentGiven) -> str:
    """Who let steps that lose data go on, and how: "deploy, typed at the terminal: 2 steps"."""
    how = "typed at the terminal" if consent.how == "asked" else f"by {consent.how}"
    who = f"{consent.by}, {how}" if consent.by else how
    concerned = dict.fromkeys(str(finding.migration) for finding in consent.findings)
    return f"{who}: {', '.join(concerned)}" if concerned else who


def spell_backup(backup: ev.BackupMade) -> str:
    """A backup without its path: "12.3 MB in 0.40 s by pg_dump 17.2, read back whole"."""
    tool = f" by {backup.tool}" if backup.tool else ""
    return f"{spell_bytes(backup.bytes)} in {spell_seconds(backup.seconds)}{tool}, read back whole"


def spell_contention(contended: ev.LockContended) -> str:
    """Why an attempt came to nothing, and when the next begins, without who was in the way."""
    return (
        f"no lock within {spell_seconds(contended.waited)}, "
        f"again after {spell_seconds(contended.pause)}"
    )


def spell_patience(applied: ev.MigrationApplied) -> str:
    """What a migration took to get through: "attempt 2, waited 3.5 s for locks"; "" for nothing."""
    parts = [f"attempt {applied.attempt}"] if applied.attempt > 1 else []
    if applied.lock_wait_seconds:
        parts.append(f"waited {spell_seconds(applied.lock_wait_seconds)} for locks")
    return ", ".join(parts)


def spell_blockers(blockers: Sequence[str]) -> str:
    """Who holds the lock."""
    return "; ".join(blockers)


def spell_acceptance(ended: ev.AcceptanceFinished) -> str:
    """How the test command ended: "passed in 12 s", "failed with exit code 2 after 12 s"."""
    if ended.exit_code == 0:
        return f"passed in {spell_seconds(ended.seconds)}"
    return f"failed with exit code {ended.exit_code} after {spell_seconds(ended.seconds)}"


def spell_findings(findings: Sequence[Finding]) -> str:
    """How many findings there are: "1 error, 2 warnings"; "" where none is in force."""
    counts = dict.fromkeys(Severity, 0)
    for finding in findings:
        if not finding.suppressed:
            counts[finding.severity] += 1
    return ", ".join(
        spell_count(count, SEVERITY_WORDS[severity]) for severity, count in counts.items() if count
    )


def sorted_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Errors first, what is switched off last; otherwise in their order."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda f: (bool(f.suppressed), order.index(f.severity))))


def place_of(finding: Finding) -> str:
    """Where a finding is: "shop/migrations/0002_total.py:12"; "" where unknown."""
    return f"{finding.file}:{finding.line}" if finding.file and finding.line else finding.file
