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
from journal.interrupts import postpone
from journal.memory import MemoryJournal
from journal.port import Journal
from journal.records import (
    Break,
    Entry,
    Phase,
    Run,
    RunStatus,
    Snapshot,
    Step,
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
    "MemoryJournal",
    "Phase",
    "Run",
    "RunStatus",
    "Snapshot",
    "Step",
    "Target",
    "TargetStatus",
    "UnknownRun",
    "open_journal",
    "postpone",
]


def open_journal(url: str, *, create: bool = True) -> Journal:
    """Open a journal.

    Args:
        url: `sqlite:///path` (relative to the working directory; four slashes for an absolute
            path) or `postgresql://user:password@host/database`.
        create: Create the journal where there is none, and upgrade one that an older version
            wrote. False, for reading: nothing is created, upgraded or written.

    Returns:
        The journal; `close` it, or use it in a `with` statement.

    Raises:
        JournalUnreachable: No file, directory, server, driver or permission, or no URL.
        JournalReadOnly: It has to be created or upgraded, and cannot be written. (One that is
            merely read-only opens, and refuses at the first write.)
        JournalCorrupt: It is damaged, or not a journal.
        JournalNewer: A newer version of this library wrote it.
    """
    from journal.store import SqlJournal  # SQLAlchemy only where a database is

    return SqlJournal(url, create=create)
