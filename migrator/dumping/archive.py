"""A backup on disk: the dump, and beside it a JSON file that says what it is.

`<directory>/<alias>/<run>.dump` and `<run>.json`. The digest in the JSON file (and in the
journal) is over every byte of the dump, so nothing that was cut off, altered or swapped is
ever taken for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from migrator.exceptions import ArchiveRefused, BackupFailed

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment, unused-ignore]

FORMAT = 1
PART = ".part"
_FACTS = ".json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a backup is of.

    Attributes:
        run_id, alias: Who made it, and of what.
        vendor, server, identity: The database; never a credential.
        file: Name of the dump, without directory.
        bytes: Its size.
        sha256: Over all of it.
        made_at: When it was begun, ISO 8601, UTC.
        recorded: Newest recorded migrations of each app then, "app.name".
        applied_before: What the same run had applied already; usually nothing.
        tool: What dumped it.
        verified: How it was read back.
        database_bytes: How large the database was; None when that could not be told.
    """

    run_id: str
    alias: str
    vendor: str
    server: str
    identity: str
    file: str
    bytes: int
    sha256: str
    made_at: str
    recorded: tuple[str, ...] = ()
    applied_before: tuple[str, ...] = ()
    tool: str = ""
    verified: str = ""
    database_bytes: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, document: Any) -> Facts:
        """The reverse of `to_dict`; keys that a newer version added are passed over.

        Raises:
            ValueError: It is something else.
        """
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("not the facts of a backup")
        try:
            text = {
                name: _text(document[name])
                for name in (
                    *("run_id", "alias", "vendor", "server", "identity"),
                    *("file", "sha256", "made_at", "tool", "verified"),
                )
            }
            size = document["bytes"]
            if not isinstance(size, int) or not re.fullmatch(r"[0-9a-f]{64}", text["sha256"]):
                raise ValueError("not the facts of a backup")
            return cls(
                **text,
                bytes=size,
                recorded=tuple(map(_text, document["recorded"])),
                applied_before=tuple(map(_text, document["applied_before"])),
                database_bytes=document.get("database_bytes"),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the facts of a backup: {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup that lies on disk with its facts.

    Attributes:
        path: The dump.
        facts: What its JSON file says.
    """

    path: Path
    facts: Facts

    @property
    def facts_path(self) -> Path:
        """Its JSON file."""
        return self.path.with_name(self.path.name.partition(".")[0] + _FACTS)


def alias_directory(directory: Path, alias: str) -> Path:
    """Where the backups of an alias lie.

    Args:
        directory: MIGRATOR["BACKUP_DIR"].
        alias: Whatever DATABASES calls it; two aliases never share a directory.
    """
    slug = re.sub(r"[^A-Za-z0-9_-]+", "_", alias)
    if slug != alias:
        slug = f"{slug[:80]}-{hashlib.sha256(alias.encode()).hexdigest()[:8]}"
    return directory / slug


def prepare_directory(directory: Path) -> None:
    """Make a directory that only its owner reads.

    Raises:
        OSError
    """
    missing = [directory, *directory.parents]
    for place in reversed(missing):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)
    probe = directory / f".{os.getpid()}{PART}"
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT, 0o600))
    probe.unlink()


def digest_of(path: Path) -> tuple[str, int]:
    """SHA-256 of a file, and its size.

    Raises:
        OSError
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def load_archive(facts_path: Path) -> Archive:
    """A backup by its JSON file.

    Raises:
        ArchiveRefused: The JSON file cannot be read, or names no file beside it.
    """
    try:
        facts = Facts.from_dict(json.loads(facts_path.read_text("utf-8")))
    except FileNotFoundError:
        raise ArchiveRefused(
            f"{facts_path} is missing: without it nobody knows whether the backup is whole."
        ) from None
    except (OSError, ValueError) as error:
        raise ArchiveRefused(f"{facts_path} cannot be read: {error}.") from None
    if Path(facts.file).name != facts.file or not facts.file.startswith(f"{facts.run_id}."):
        raise ArchiveRefused(f"{facts_path} is of another backup.")
    return Archive(facts_path.with_name(facts.file), facts)


def check_digest(archive: Archive) -> None:
    """Refuse a dump that is not, byte for byte, what was written.

    Raises:
        ArchiveRefused
    """
    try:
        digest, size = digest_of(archive.path)
    except OSError as error:
        raise ArchiveRefused(f"{archive.path} cannot be read: {error.strerror or error}.") from None
    if size != archive.facts.bytes:
        raise ArchiveRefused(
            f"{archive.path} has {size} bytes, and had {archive.facts.bytes} when it was made."
        )
    if digest != archive.facts.sha256:
        raise ArchiveRefused(
            f"{archive.path} was altered since it was made: its SHA-256 is another."
        )


def find_archives(directory: Path) -> Iterator[Archive]:
    """The backups of one alias, oldest first; files that are not ours are passed over.

    Args:
        directory: From `alias_directory`.
    """
    with suppress(OSError):
        for facts_path in sorted(directory.glob(f"*{_FACTS}")):
            with suppress(ArchiveRefused):
                yield load_archive(facts_path)


# -- writing -----------------------------------------------------------------------------


@contextmanager
def part_file(path: Path) -> Iterator[Path]:
    """An empty file of mode 0600 to write a dump into, gone at the end unless it was kept.

    It is locked for the duration, so that `remove_parts` leaves it alone.

    Args:
        path: What the dump will be called.
    """
    part = path.with_name(path.name + PART)
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _lock(handle)
        yield part
    finally:
        os.close(handle)
        for left in (part, *part.parent.glob(f"{part.name}-*")):
            left.unlink(missing_ok=True)


def remove_parts(directory: Path) -> None:
    """Remove what a backup that was killed has left.

    Args:
        directory: From `alias_directory`.
    """
    for part in directory.glob(f"*{PART}*"):
        with suppress(OSError):
            if not _is_written(part):
                part.unlink()


def _is_written(part: Path) -> bool:
    """Whether a living process holds it."""
    handle = os.open(part, os.O_RDWR)
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Take the lock of a file; True also where there are no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (OSError, AttributeError):  # a file system, or Windows, without locks
        return True
    return True


def keep(part: Path, archive: Archive) -> None:
    """Make a dump and its facts durable under their names: a dump that has its name has facts.

    Args:
        part: What was written.
        archive: What it is to be.

    Raises:
        OSError
    """
    facts_part = archive.facts_path.with_name(archive.facts_path.name + PART)
    facts_part.unlink(missing_ok=True)
    handle = os.open(facts_part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(archive.facts.to_dict(), file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    _sync(part)
    facts_part.replace(archive.facts_path)
    part.replace(archive.path)
    _sync(archive.path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_old(directory: Path, *, keep_newest: int, needed: frozenset[str]) -> tuple[str, ...]:
    """Remove backups that are older than the newest so many.

    Args:
        directory: From `alias_directory`.
        keep_newest: How many stay; 0: all.
        needed: Runs whose backups stay whatever their age.

    Returns:
        The paths of the dumps that were removed. What has no facts of ours stays.
    """
    if not keep_newest:
        return ()
    whole = [archive for archive in find_archives(directory) if archive.path.is_file()]
    whole.sort(key=lambda archive: (archive.facts.made_at, archive.facts.run_id))
    removed = []
    for archive in whole[:-keep_newest]:
        if archive.facts.run_id in needed:
            continue
        with suppress(OSError):
            archive.path.unlink()  # first the dump: facts alone are no backup
            archive.facts_path.unlink(missing_ok=True)
            removed.append(str(archive.path))
    return tuple(removed)


def unwritable(directory: Path, error: OSError) -> BackupFailed:
    """The error for a directory that takes no backup; the caller raises it."""
    return BackupFailed(
        f"Backups cannot be written to {directory}: {error.strerror or error}.",
        hint="Make room or give it to this user, name another directory "
        '(MIGRATOR["BACKUP_DIR"]; --output of migrator backup), or migrate with --no-backup.',
    )
