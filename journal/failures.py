"""What a driver says, as the journal's own errors: one sentence, a hint, no credential."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from journal.exceptions import (
    JournalCorrupt,
    JournalError,
    JournalReadOnly,
    JournalUnreachable,
)
from journal.scrub import scrub_text

RESTORE = (
    "Restore it from a backup, or set it aside: a fresh run converges without it, since the "
    "truth about a database is in that database."
)
_FREE_SPACE = "Free some space; nothing was done without being journaled."
_BUSY = "Find out which process holds the journal in the middle of a write, and try again."
_WRITABLE = "Give this user write permission on the journal (file and directory), or name another."

# By SQLSTATE, or its class (the first two characters).
_SQLSTATES: dict[str, tuple[type[JournalError], str, str]] = {
    "25006": (JournalReadOnly, "does not accept writes", "Name the primary server, not a standby."),
    "42501": (JournalReadOnly, "refuses this to the role in use", "Grant the role its tables."),
    "53100": (JournalReadOnly, "has no space left", _FREE_SPACE),
    "53300": (JournalUnreachable, "has too many connections", "Try again, or raise its limit."),
    "55P03": (JournalUnreachable, "is locked by another process", _BUSY),
    "57014": (JournalUnreachable, "cancelled the statement", "Try again."),
    "3D000": (JournalUnreachable, "does not exist", "Create the database, or correct the URL."),
    "42P01": (JournalCorrupt, "lacks a table", RESTORE),
    "42703": (JournalCorrupt, "lacks a column", RESTORE),
    "28": (JournalUnreachable, "does not let this user in", "Check user and password in the URL."),
    "40": (JournalUnreachable, "was in conflict with another process", "Try again."),
    "23": (JournalCorrupt, "contradicts itself", RESTORE),
    "XX": (JournalCorrupt, "is damaged", RESTORE),
}

# By the beginning of SQLite's name for the error.
_SQLITE: tuple[tuple[str, type[JournalError], str, str], ...] = (
    ("SQLITE_READONLY_DBMOVED", JournalUnreachable, "was moved or deleted while in use", RESTORE),
    ("SQLITE_READONLY", JournalReadOnly, "cannot be written", _WRITABLE),
    ("SQLITE_PERM", JournalReadOnly, "cannot be written", _WRITABLE),
    ("SQLITE_FULL", JournalReadOnly, "has no space left on its disk", _FREE_SPACE),
    ("SQLITE_BUSY", JournalUnreachable, "is locked by another process", _BUSY),
    ("SQLITE_LOCKED", JournalUnreachable, "is locked by another process", _BUSY),
    ("SQLITE_NOTADB", JournalCorrupt, "is not a journal", "Name another file, or move this away."),
    ("SQLITE_CORRUPT", JournalCorrupt, "is damaged", RESTORE),
    ("SQLITE_CONSTRAINT", JournalCorrupt, "contradicts itself", RESTORE),
    ("SQLITE_CANTOPEN", JournalUnreachable, "cannot be opened", "Check its path and permissions."),
    ("SQLITE_IOERR", JournalUnreachable, "cannot be read or written", "Check its disk."),
)


def translate(error: BaseException, location: str) -> JournalError:
    """The journal's own error for what a driver, SQLAlchemy or the system said.

    Args:
        error: What was caught.
        location: Where the journal is, for the message; without a credential.

    Returns:
        An error to raise; its message names the location and what the server said.
    """
    original = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if isinstance(original, sqlite3.Error):
        return _sqlite_failure(original, location)
    sqlstate = str(getattr(original, "sqlstate", None) or "")
    known = _SQLSTATES.get(sqlstate) or _SQLSTATES.get(sqlstate[:2])
    if known is not None:
        kind, what, hint = known
        return kind(f"The journal {location} {what}: {_said(original)}", hint=hint)
    if isinstance(error, DBAPIError) and not sqlstate:
        return JournalUnreachable(
            f"The journal {location} does not answer: {_said(original)}",
            hint="Check that the server runs, and host, port and user in the URL.",
        )
    if isinstance(error, OSError):
        return JournalUnreachable(f"The journal {location} cannot be used: {_said(error)}")
    if isinstance(error, SQLAlchemyError):
        return JournalError(f"The journal {location} failed: {_said(original)}")
    return JournalCorrupt(
        f"The journal {location} holds what cannot be read: {_said(error)}", hint=RESTORE
    )


def _sqlite_failure(error: sqlite3.Error, location: str) -> JournalError:
    name = getattr(error, "sqlite_errorname", None) or ""
    for beginning, kind, what, hint in _SQLITE:
        if name.startswith(beginning):
            return kind(f"The journal {location} {what}: {_said(error)}", hint=hint)
    # "no such table", "no such column", "Could not decode to UTF-8"
    return JournalCorrupt(
        f"The journal {location} does not hold what a journal holds: {_said(error)}", hint=RESTORE
    )


def _said(error: BaseException) -> str:
    """The first line of what was said, without a credential."""
    lines = str(error).strip().splitlines()
    text = scrub_text(lines[0] if lines else type(error).__name__).rstrip(".")
    return f"{text}."


# -- files -------------------------------------------------------------------


def missing_directory(path: Path) -> JournalUnreachable:
    """There is no directory to hold the file."""
    return JournalUnreachable(
        f"The journal {path} cannot be made: there is no directory {path.parent}.",
        hint="Create the directory, or name another journal.",
    )


def missing_file(path: Path) -> JournalUnreachable:
    """There is no file, and none is to be made."""
    return JournalUnreachable(
        f"There is no journal {path}.",
        hint="The first run creates it; if there was one, check the path (--journal, "
        "MIGRATOR_JOURNAL_URL).",
    )


def vanished(path: Path, what: str) -> JournalUnreachable:
    """The file is not the one that was opened."""
    return JournalUnreachable(
        f"The journal {path} was {what} while it was in use.",
        hint="What was written to it since may be lost. Put the file back and look at it before "
        "the next run.",
    )


def not_writable(path: Path) -> JournalReadOnly:
    """File or directory refuse writes."""
    return JournalReadOnly(
        f"The journal {path} cannot be written: this user may not write the file or its "
        "directory, or the disk is mounted read-only.",
        hint=_WRITABLE,
    )


def opened_for_reading(location: str) -> JournalReadOnly:
    """Somebody writes to what was opened with `create=False`."""
    return JournalReadOnly(
        f"The journal {location} was opened for reading only.", hint="Open it with create=True."
    )


def not_a_journal(path: str, why: str) -> JournalCorrupt:
    """The file or database holds something else."""
    return JournalCorrupt(
        f"{path} is not a journal: {why}.", hint="Name another journal, or move this away."
    )
