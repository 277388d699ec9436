"""A durable, tamper-evident record of runs. Knows nothing of Django or of migrator."""

from __future__ import annotations

from journal.exceptions import (
    AmbiguousRun,
    Fenced,
    JournalCorrupt,
    JournalError,
    JournalNewer,
    JournalReadOnly,
    JournalUnreachable,
    UnknownRun,
)
from journal.port import Journal
from journal.records import (
    Break,
    Entry,
    Phase,
    Run,
    RunStatus,
    Snapshot,
    Target,
    TargetStatus,
)

__all__ = [
    "AmbiguousRun",
    "Break",
    "Entry",
    "Fenced",
    "Journal",
    "JournalCorrupt",
    "JournalError",
    "JournalNewer",
    "JournalReadOnly",
    "JournalUnreachable",
    "Phase",
    "Run",
    "RunStatus",
    "Snapshot",
    "Target",
    "TargetStatus",
    "UnknownRun",
]
