"""What a review of migrations has found: every database, what was judged, and what was said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from migrator.core.effects import MigrationKey
from migrator.core.findings import Finding, Severity

RANKS = (Severity.INFO, Severity.WARNING, Severity.ERROR)


@dataclass(frozen=True, slots=True)
class Judged:
    """One migration, judged for one database.

    Attributes:
        alias: The database.
        vendor: Its vendor.
        migration: Which.
        file: Path of its source, relative to the project; "" for none.
    """

    alias: str
    vendor: str
    migration: MigrationKey
    file: str = ""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A database that could not be judged."""

    alias: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """Everything of one call.

    Attributes:
        subject: What was judged: "pending migrations", "migrations changed since main", …
        judged: In order.
        findings: In the order of the plans.
        unjudged: Databases that could not be.
        unused: Keys of the settings' IGNORE that matched nothing.
    """

    subject: str = "pending migrations"
    judged: tuple[Judged, ...] = ()
    findings: tuple[Finding, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    unused: tuple[str, ...] = ()

    def in_force(self) -> tuple[Finding, ...]:
        """The findings that nobody has switched off."""
        return tuple(finding for finding in self.findings if not finding.suppressed)

    def fails(self, at: Severity) -> bool:
        """Whether there is a finding of this severity or a worse one, or nothing could be said."""
        limit = RANKS.index(at)
        return bool(self.unjudged) or any(
            RANKS.index(finding.severity) >= limit for finding in self.in_force()
        )


@dataclass(frozen=True, slots=True)
class Shared:
    """One finding, with every database that it was made on."""

    finding: Finding
    aliases: tuple[str, ...]


def share(findings: Iterable[Finding]) -> tuple[Shared, ...]:
    """Findings that say the same of several databases, as one each.

    The lock and the safe way are part of what is said: servers of two kinds differ in both.

    Args:
        findings: In order.
    """
    groups: dict[tuple[object, ...], tuple[Finding, list[str]]] = {}
    for finding in findings:
        key = (
            finding.code,
            finding.severity,
            finding.migration,
            finding.operation,
            finding.table,
            finding.column,
            finding.message,
            finding.lock,
            finding.alternative,
            finding.suppressed,
        )
        groups.setdefault(key, (finding, []))[1].append(finding.alias)
    return tuple(Shared(finding, tuple(aliases)) for finding, aliases in groups.values())
