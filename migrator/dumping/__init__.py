"""Backups: when one is made, where it lies, what is known of it, and how long it is kept."""

from __future__ import annotations

from migrator.dumping.archive import (
    Archive,
    Facts,
    alias_directory,
    check_digest,
    digest_of,
    find_archives,
    load_archive,
)
from migrator.dumping.backup import Source, back_up, make_backup

__all__ = [
    "Archive",
    "Facts",
    "Source",
    "alias_directory",
    "back_up",
    "check_digest",
    "digest_of",
    "find_archives",
    "load_archive",
    "make_backup",
]
