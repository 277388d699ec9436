"""Scratch databases of SQLite: files in the directory for temporary files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from filelock import FileLock, Timeout

from migrator.backends.scratch import PREFIX, ScratchServer, is_scratch_name

_SUFFIX = ".sqlite3"
_BESIDE = ("", "-wal", "-shm", "-journal")


class SQLiteScratch(ScratchServer):
    """A file that only its owner may read, with a lock file beside it."""

    vendor = "sqlite"

    def __init__(self, target: BaseDatabaseWrapper, overrides: Mapping[str, Any]) -> None:
        super().__init__(target, overrides)
        self._directory = Path(tempfile.gettempdir())
        self._lock: FileLock | None = None

    def database(self, name: str) -> str:
        """See ScratchServer."""
        return str(self._path(name))

    def close(self) -> None:
        """See ScratchServer."""
        if self._lock is not None:
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{_SUFFIX}"

    def _hold(self, name: str) -> None:
        self._lock = FileLock(f"{self._path(name)}.lock", mode=0o600, timeout=10)
        self._lock.acquire()

    def _create(self, name: str) -> None:
        self._path(name).touch(mode=0o600)

    def _drop(self, name: str) -> None:
        for suffix in _BESIDE:
            Path(f"{self._path(name)}{suffix}").unlink(missing_ok=True)

    def _stale(self) -> tuple[str, ...]:
        found = {
            path.name.partition(_SUFFIX)[0] for path in self._directory.glob(f"{PREFIX}*{_SUFFIX}*")
        }
        return tuple(sorted(name for name in found if is_scratch_name(name) and self._free(name)))

    def _free(self, name: str) -> bool:
        path = Path(f"{self._path(name)}.lock")
        try:
            with FileLock(path, mode=0o600, timeout=0):
                path.unlink(missing_ok=True)
                return True
        except (Timeout, OSError):
            return False
