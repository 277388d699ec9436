"""Wait for a process that replays: its progress as events, its outcome as a record.

The scratch database is made and removed here, so that it goes whatever becomes of the process
that works in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import IO, Any

import django
from django.conf import settings as django_settings
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from journal.scrub import scrub_text
from migrator.backends.scratch import ScratchServer, scratch_name
from migrator.core.effects import MigrationKey
from migrator.core.events import Emit, ReplayFinished, ReplayStarted, ReplayStep
from migrator.core.reference import Record, digest_tables
from migrator.core.schema import Schema, split_key
from migrator.exceptions import ConfigurationError, ReplayFailed
from migrator.replay.protocol import Request
from migrator.sources import file_digests, load_graph

_WORKER = "migrator.replay.worker"
_GRACE_SECONDS = 5.0
_SCRATCH = {
    "postgresql": "PostgreSQLScratch",
    "mysql": "MySQLScratch",
    "sqlite": "SQLiteScratch",
}


@dataclass(frozen=True, slots=True)
class Replay:
    """Replays the recorded migrations of one target.

    Attributes:
        connection: The target; only read.
        run_id: The run, for the name of the scratch database.
        overrides: MIGRATOR["SCRATCH"] of this alias.
        emit: Gets the progress.
    """

    connection: BaseDatabaseWrapper
    run_id: str
    overrides: Mapping[str, Any]
    emit: Emit

    def run(
        self,
        rows: tuple[MigrationKey, ...],
        recorded: tuple[MigrationKey, ...],
        expected: Schema,
    ) -> Record:
        """Make a scratch database, replay into it, read it, remove it.

        Args:
            rows: All rows of django_migrations of the target.
            recorded: Those that are nodes of the graph.
            expected: What state makes of them.

        Raises:
            ScratchRefused: The scratch database cannot be made.
            ReplayFailed: A migration or receiver failed there, or the process did.
            ConfigurationError: No settings module, or SCRATCH is of another vendor.
        """
        alias = self.connection.alias
        module = _settings_module(alias)
        server = scratch_server(self.connection, self.overrides)
        server.remove_stale()
        name = scratch_name(self.run_id, alias)
        schemas = sorted({split_key(key)[0] for key in expected.tables} - {""})
        request = Request(alias, server.database(name), rows, recorded, tuple(schemas))
        began = time.monotonic()
        self.emit(ReplayStarted(alias, name, len(recorded)))
        with server.scratch(name):
            data = self._ask(request, module)
        # Views and functions on MySQL name the database that they live in.
        real = str(self.connection.settings_dict["NAME"])
        schema = Schema.from_dict(json.loads(json.dumps(data).replace(name, real)))
        self.emit(ReplayFinished(alias, time.monotonic() - began))
        return Record(schema, recorded, frozenset(rows), digest_tables(expected))

    def _ask(self, request: Request, module: str) -> dict[str, Any]:
        with tempfile.TemporaryFile() as errors, _worker(module, errors) as process:
            assert process.stdin is not None  # noqa: S101
            assert process.stdout is not None  # noqa: S101
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(request.to_dict()) + "\n")
                process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                if "schema" in message:
                    found: dict[str, Any] = message["schema"]
                    return found
                if "failed" in message:
                    raise self._failed(message["failed"])
                self.emit(
                    ReplayStep(
                        request.alias,
                        MigrationKey(*message["migration"].split(".", 1)),
                        message["position"],
                        message["total"],
                    )
                )
            raise self._failed(_last_line(errors) or "its process ended without a word")

    def _failed(self, said: str) -> ReplayFailed:
        password = str(self.connection.settings_dict.get("PASSWORD") or "")
        text = scrub_text(said)
        if len(password) > 2:
            text = text.replace(password, "********")
        return ReplayFailed(
            f"The recorded migrations of {self.connection.alias!r} cannot be replayed: "
            f"{text.rstrip('.')}."
        )


def replay_digest(
    loader: MigrationLoader | None,
    *,
    rows: tuple[MigrationKey, ...],
    recorded: tuple[MigrationKey, ...],
    expected: Schema,
    server: str,
    overrides: Mapping[str, Any],
) -> str:
    """A digest of what the outcome of a replay depends on, as far as that can be known.

    Args:
        loader: The graph; None: built from the rows.
        rows, recorded, expected: See `Replay.run`.
        server: Product and version of what answers.
        overrides: MIGRATOR["SCRATCH"] of this alias.
    """
    files = file_digests(loader or load_graph(None, rows, check=False), recorded)
    parts = {
        "recorded": [str(key) for key in recorded],
        "rows": sorted(str(key) for key in rows),
        "files": {str(key): digest for key, digest in sorted(files.items())},
        "expected": expected.fingerprint(),
        "server": server,
        "scratch": sorted(f"{key}={overrides[key]}" for key in overrides if key != "PASSWORD"),
        "apps": list(django_settings.INSTALLED_APPS),
        "django": django.get_version(),
        "migrator": metadata.version("django-migrator-journal"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def remove_stale(connection: BaseDatabaseWrapper, overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """Remove the scratch databases that replays of runs that were killed have left.

    Args:
        connection: The target.
        overrides: MIGRATOR["SCRATCH"] of its alias.

    Returns:
        Their names; nothing where their server does not answer.
    """
    server = scratch_server(connection, overrides)
    try:
        return server.remove_stale()
    except (Error, OSError):
        return ()
    finally:
        server.close()


def scratch_server(connection: BaseDatabaseWrapper, overrides: Mapping[str, Any]) -> ScratchServer:
    """Where scratch databases of a target are made.

    Args:
        connection: The target.
        overrides: MIGRATOR["SCRATCH"] of its alias.

    Raises:
        ConfigurationError: SCRATCH names an engine of another vendor.
    """
    vendor = connection.vendor
    engine = overrides.get("ENGINE", connection.settings_dict["ENGINE"])
    if engine != connection.settings_dict["ENGINE"]:
        raise ConfigurationError(
            f"MIGRATOR['SCRATCH'][{connection.alias!r}] has the ENGINE {engine!r}, "
            f"its database {connection.settings_dict['ENGINE']!r}.",
            hint="A replay proves something on a server of the same kind alone.",
        )
    made: Callable[..., ScratchServer] = getattr(
        import_module(f"migrator.backends.{vendor}_scratch"), _SCRATCH[vendor]
    )
    return made(connection, overrides)


@contextmanager
def _worker(module: str, errors: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    """The process, ended by the end of its standard input or, if need be, by force."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    process = subprocess.Popen(  # noqa: S603  (our own module, by our own interpreter)
        [sys.executable, "-m", _WORKER],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": module, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C is for us to hear; we end it then
    )
    try:
        yield process
    finally:
        with suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _settings_module(alias: str) -> str:
    module = getattr(django_settings, "SETTINGS_MODULE", None)
    found = module or os.environ.get("DJANGO_SETTINGS_MODULE", "")
    if not found:
        raise ConfigurationError(
            f"The migrations of {alias!r} cannot be replayed: the settings come from no module "
            "that another process could load.",
            hint="Set DJANGO_SETTINGS_MODULE, and run migrate_all through manage.py.",
        )
    return str(found)


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")
