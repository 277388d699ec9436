"""Making a backup: room, dump, read back, name, journal.

Crash protocol: the intent, with the path, is in the journal before anything is written, the
outcome when the file is durable. A run that is resumed makes its backup anew as long as it has
changed nothing (an attempt that was rolled back is nothing), since the application may have
written meanwhile; from then on the one that the journal names is the way back, and a second one
would hold what the run has already changed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from journal import Entry, Phase
from migrator.backends.dump import Dumper, dumper_for
from migrator.conf import Settings
from migrator.core.events import BackupMade, BackupStarted, Emit, Warned
from migrator.core.spelling import spell_bytes
from migrator.dumping.archive import (
    Archive,
    Facts,
    alias_directory,
    digest_of,
    keep,
    load_archive,
    part_file,
    prepare_directory,
    remove_old,
    remove_parts,
    unwritable,
)
from migrator.exceptions import ArchiveRefused, BackupFailed, ToolFailed
from migrator.ledger import Ledger

KIND = "backup"
NAME = "dump"


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up.

    Attributes:
        connection: Open, and in no transaction.
        server: Product and version, for the record.
        identity: Which physical database.
        recorded: Newest recorded migrations of each app; None where there is no history yet.
    """

    connection: BaseDatabaseWrapper
    server: str
    identity: str
    recorded: tuple[str, ...] | None


def back_up(
    source: Source,
    *,
    settings: Settings,
    ledger: Ledger,
    emit: Emit,
) -> Archive:
    """Make the backup that a run is to have before it changes anything, unless it has it.

    Args:
        source: The database.
        settings: Where to, and how many are kept.
        ledger: The target in the journal.
        emit: Gets BackupStarted and BackupMade.

    Raises:
        BackupFailed: Nothing may be migrated.
    """
    entries = ledger.entries(KIND)
    earlier = next((entry for entry in reversed(entries) if entry.phase is Phase.DONE), None)
    if earlier is not None and _has_changed(ledger):
        found = _reuse(earlier)
        if found is not None:
            emit(_made(found, earlier.seconds or 0.0))
            emit(_kept(ledger.alias, found))
            return found
        emit(
            Warned(
                ledger.alias,
                f"The backup from before this run, {earlier.payload.get('path')}, is gone; "
                "the new one holds what the run has done so far.",
            )
        )
    applied = tuple(
        dict.fromkeys(
            entry.name
            for entry in ledger.entries("migration")
            if entry.phase in (Phase.DONE, Phase.RECONCILED)
        )
    )
    try:
        return make_backup(source, settings=settings, ledger=ledger, emit=emit, applied=applied)
    except BackupFailed as error:
        if applied:
            raise
        raise BackupFailed(f"{error.message} Nothing was migrated.", hint=error.hint) from error


def _has_changed(ledger: Ledger) -> bool:
    """Whether this run has changed the database, or may have. What was committed while the
    outcome was lost has been reconciled by the scan. Outside of a transaction each operation
    counts, unless it is known to have left nothing.
    """
    attempts: dict[tuple[str, int], bool] = {}
    for entry in ledger.entries("operation"):
        harmless = entry.phase is Phase.FAILED and entry.payload.get("effects") is False
        attempts[entry.name, entry.attempt] = harmless
    return not all(attempts.values()) or any(
        entry.phase in (Phase.DONE, Phase.RECONCILED)
        # On its way back, one with an unapply() of its own journals no operations.
        or (entry.payload.get("atomic") is False and entry.payload.get("direction") == "backwards")
        for entry in ledger.entries("migration")
    )


def make_backup(
    source: Source,
    *,
    settings: Settings,
    ledger: Ledger,
    emit: Emit,
    applied: Sequence[str] = (),
    directory: Path | None = None,
) -> Archive:
    """Back a database up now.

    Args:
        source: The database.
        settings: Where to, and how many are kept.
        ledger: The target in the journal.
        emit: Gets BackupStarted and BackupMade.
        applied: What this run has applied already.
        directory: Instead of MIGRATOR["BACKUP_DIR"].

    Raises:
        BackupFailed: Nothing of it is left.
    """
    place = alias_directory(directory or settings.backup_dir, ledger.alias)
    dumper = dumper_for(source.connection, tools=settings.client_tools)
    attempt = ledger.attempts(KIND, NAME) + 1
    path = place / f"{ledger.run_id}{dumper.suffix}"
    ledger.intent(KIND, NAME, attempt, {"path": str(path)})
    began, made_at = time.monotonic(), datetime.now(UTC).isoformat()
    try:
        archive = _write(source, dumper, path, ledger, emit, made_at, tuple(applied))
    except BackupFailed as error:
        ledger.failed(KIND, NAME, attempt, time.monotonic() - began, {"error": error.message})
        raise
    seconds = time.monotonic() - began
    removed = remove_old(
        place,
        keep_newest=settings.backup_keep,
        needed=ledger.incomplete_runs() | {ledger.run_id},
    )
    facts = archive.facts
    ledger.done(
        KIND,
        NAME,
        attempt,
        seconds,
        {
            "path": str(path),
            "bytes": facts.bytes,
            "digest": facts.sha256,
            "tool": facts.tool,
            "verified": facts.verified,
            "recorded": list(facts.recorded),
            "removed": list(removed),
        },
    )
    emit(_made(archive, seconds, removed))
    return archive


def _write(
    source: Source,
    dumper: Dumper,
    path: Path,
    ledger: Ledger,
    emit: Emit,
    made_at: str,
    applied: tuple[str, ...],
) -> Archive:
    alias = ledger.alias
    try:
        tool = dumper.tool()
        prepare_directory(path.parent)
        remove_parts(path.parent)
        size = dumper.size()
        _refuse_without_room(path.parent, dumper, size, alias)
        emit(BackupStarted(alias, str(path), size))
        with part_file(path) as part:
            dumper.dump(part)
            verified = dumper.check(part, history=source.recorded is not None)
            digest, written = digest_of(part)
            facts = Facts(
                run_id=ledger.run_id,
                alias=alias,
                vendor=source.connection.vendor,
                server=source.server,
                identity=source.identity,
                file=path.name,
                bytes=written,
                sha256=digest,
                made_at=made_at,
                recorded=source.recorded or (),
                applied_before=applied,
                tool=tool,
                verified=verified,
                database_bytes=size,
            )
            archive = Archive(path, facts)
            keep(part, archive)
            return archive
    except ToolFailed as error:
        raise BackupFailed(
            f"No backup of {alias} could be made: {error.message}",
            hint=error.hint
            or "Mend that and start again, or migrate without a backup by --no-backup.",
        ) from error
    except OSError as error:
        raise unwritable(path.parent, error) from error


def _refuse_without_room(directory: Path, dumper: Dumper, size: int | None, alias: str) -> None:
    """Only where it clearly cannot be: how well data compresses, nobody knows before."""
    free = shutil.disk_usage(directory).free
    if size is not None and free < dumper.least(size):
        raise BackupFailed(
            f"There is no room for a backup of {alias}: {directory} has {spell_bytes(free)} "
            f"left, and the database has {spell_bytes(size)}.",
            hint='Make room, name another directory in MIGRATOR["BACKUP_DIR"], '
            "or migrate without a backup by --no-backup.",
        )


def _reuse(entry: Entry) -> Archive | None:
    """The backup that the journal names, if it is still there."""
    path = Path(str(entry.payload.get("path", "")))
    try:
        archive = load_archive(Archive(path, _NOTHING).facts_path)
        there = archive.path.stat().st_size == archive.facts.bytes
    except (ArchiveRefused, OSError):
        return None
    return archive if there and archive.facts.sha256 == entry.payload.get("digest") else None


def _kept(alias: str, archive: Archive) -> Warned:
    """The way back is older than this part of the run: whoever relies on it has to know."""
    made = datetime.fromisoformat(archive.facts.made_at).astimezone(UTC)
    return Warned(
        alias,
        f"The backup is that of {made:%Y-%m-%d %H:%M:%S} UTC, from before this run changed "
        "anything; what has been written since is not in it.",
        f"A new one would hold what the run has changed already. For one of now as well: "
        f"migrator backup --database {alias}.",
    )


_NOTHING = Facts("", "", "", "", "", "", 0, "", "")


def _made(archive: Archive, seconds: float, removed: tuple[str, ...] = ()) -> BackupMade:
    facts = archive.facts
    return BackupMade(
        facts.alias, str(archive.path), facts.bytes, facts.sha256, seconds, facts.tool, removed
    )
