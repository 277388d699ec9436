"""The only reader of django.conf.settings; everything else gets a frozen `Settings`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from migrator.exceptions import ConfigurationError

JOURNAL_FILE = "migrator_journal.sqlite3"
BACKUP_DIRECTORY = "migrator_backups"
MAKEMIGRATIONS = ("write", "check", "skip")
BACKUP = ("never", "destructive", "always")
SECRET_LENGTH = 8
"""A shorter password may well be an ordinary word of a command."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`settings.MIGRATOR`, checked.

    Attributes:
        journal_url: SQLAlchemy URL of the journal.
        makemigrations: "write" | "check" | "skip": what to do about model changes.
        connect_timeout: Seconds to wait for a database that does not answer.
        base_dir: Root of the project: apps below it are the project's own.
        wait_lock: Seconds to wait for another run on the same database; 0: not at all.
        scratch: Of an alias, what replaces keys of its DATABASES entry when a scratch database
            is made for it (`--deep`).
        stop_on_failure: Whether the first alias that fails keeps the others from starting.
        routing_rules: `settings.DATABASE_ROUTING_RULES`: app label → alias.
        backup: "never" | "destructive" (before steps that lose data) | "always".
        backup_dir: Where backups go.
        backup_keep: How many backups of a database are kept; 0: all.
        client_tools: Directory of pg_dump, mariadb-dump and the like; "" to look for them.
        lock_timeout: Seconds that a statement waits for a lock.
        lock_retries: How often a migration that got no lock is tried again.
        statement_timeout: Seconds that a statement may take; 0: any.
        test_command: Run after verification; "" for none.
        lint: What the lint is to leave out or to judge otherwise: {"IGNORE": {code: reason}}.
        secrets: Passwords of DATABASES that no record of a command may show, the longest first.
    """

    journal_url: str
    base_dir: Path
    makemigrations: str = "write"
    connect_timeout: float = 10.0
    wait_lock: float = 0.0
    stop_on_failure: bool = False
    scratch: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    routing_rules: Mapping[str, str] = field(default_factory=dict)
    backup: str = "destructive"
    backup_dir: Path = Path(BACKUP_DIRECTORY)
    backup_keep: int = 5
    client_tools: str = ""
    lock_timeout: float = 3.0
    lock_retries: int = 10
    statement_timeout: float = 0.0
    test_command: str = ""
    lint: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)


_NUMBER = (int, float)
_KEYS: dict[str, type | tuple[type, ...]] = {
    "JOURNAL_URL": str,
    "MAKEMIGRATIONS": str,
    "CONNECT_TIMEOUT": _NUMBER,
    "WAIT_LOCK": _NUMBER,
    "STOP_ON_FAILURE": bool,
    "SCRATCH": dict,
    "BACKUP": str,
    "BACKUP_DIR": (str, Path),
    "BACKUP_KEEP": int,
    "CLIENT_TOOLS": (str, Path),
    "LOCK_TIMEOUT": _NUMBER,
    "LOCK_RETRIES": int,
    "STATEMENT_TIMEOUT": _NUMBER,
    "TEST_COMMAND": str,
    "LINT": dict,
}


def load_settings() -> Settings:
    """Read and check the settings of the project.

    Returns:
        The settings; `MIGRATOR_JOURNAL_URL` in the environment wins over the setting.

    Raises:
        ConfigurationError: A key that does not exist, or a value of the wrong kind.
    """
    from django.conf import settings

    raw: Any = getattr(settings, "MIGRATOR", {})
    if not isinstance(raw, Mapping):
        raise ConfigurationError(
            f"settings.MIGRATOR is {type(raw).__name__}, not a dictionary.",
            hint="Write it as MIGRATOR = {…}.",
        )
    for key, value in raw.items():
        if key not in _KEYS:
            raise ConfigurationError(
                f"settings.MIGRATOR has the unknown key {key!r}.",
                hint="Known keys: " + ", ".join(_KEYS) + ".",
            )
        if not isinstance(value, _KEYS[key]):
            raise ConfigurationError(
                f"settings.MIGRATOR[{key!r}] is {type(value).__name__}.",
                hint="See docs/reference/settings.md for what it takes.",
            )
    makemigrations = _one_of(raw, "MAKEMIGRATIONS", MAKEMIGRATIONS, "write")
    backup = _one_of(raw, "BACKUP", BACKUP, "destructive")
    for key, kind in _KEYS.items():
        if kind not in (int, _NUMBER) or key not in raw:
            continue
        if isinstance(raw[key], bool) or not 0 <= raw[key] < float("inf"):
            raise ConfigurationError(
                f"settings.MIGRATOR[{key!r}] is {raw[key]!r}.", hint="Use a number from 0 up."
            )
    rules = getattr(settings, "DATABASE_ROUTING_RULES", {})
    base_dir = _base_dir(settings)
    return Settings(
        journal_url=os.environ.get("MIGRATOR_JOURNAL_URL")
        or raw.get("JOURNAL_URL")
        or f"sqlite:///{base_dir / JOURNAL_FILE}",
        base_dir=base_dir,
        makemigrations=makemigrations,
        connect_timeout=float(raw.get("CONNECT_TIMEOUT", 10.0)),
        wait_lock=float(raw.get("WAIT_LOCK", 0.0)),
        stop_on_failure=raw.get("STOP_ON_FAILURE", False),
        scratch=_scratch(raw.get("SCRATCH", {}), getattr(settings, "DATABASES", {})),
        routing_rules=dict(rules),
        backup=backup,
        backup_dir=base_dir / raw.get("BACKUP_DIR", BACKUP_DIRECTORY),
        backup_keep=raw.get("BACKUP_KEEP", 5),
        client_tools=str(raw.get("CLIENT_TOOLS", "")),
        lock_timeout=float(raw.get("LOCK_TIMEOUT", 3.0)),
        lock_retries=raw.get("LOCK_RETRIES", 10),
        statement_timeout=float(raw.get("STATEMENT_TIMEOUT", 0.0)),
        test_command=raw.get("TEST_COMMAND", ""),
        lint=raw.get("LINT", {}),
        secrets=secrets_in(getattr(settings, "DATABASES", {})),
    )


def secrets_in(databases: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The passwords that are looked for in commands, as they are and as a URL spells them.

    Args:
        databases: DATABASES. A password that is the name of an alias, a database, a user or a
            host in it is left out: the record is full of that word anyway.

    Returns:
        The longest first, so that none hides a part of another.
    """
    entries = [entry for entry in databases.values() if isinstance(entry, Mapping)]
    names = {str(entry.get(key, "")) for entry in entries for key in ("NAME", "USER", "HOST")}
    found = {str(entry.get("PASSWORD") or "") for entry in entries} - names - set(databases)
    long = [password for password in found if len(password) >= SECRET_LENGTH]
    spelt = {
        how(password) for password in long for how in (str, lambda p: quote(p, ""), quote_plus)
    }
    return tuple(sorted(spelt, key=lambda secret: (-len(secret), secret)))


def _one_of(raw: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str) -> str:
    value: str = raw.get(key, default)
    if value not in choices:
        raise ConfigurationError(
            f"settings.MIGRATOR[{key!r}] is {value!r}.",
            hint="Use one of: " + ", ".join(choices) + ".",
        )
    return value


def _scratch(raw: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    for alias, entry in raw.items():
        if alias not in known:
            raise ConfigurationError(
                f"settings.MIGRATOR['SCRATCH'] has the alias {alias!r}, which DATABASES has not.",
                hint="Known: " + ", ".join(map(str, known)) + ".",
            )
        if not isinstance(entry, Mapping):
            raise ConfigurationError(
                f"settings.MIGRATOR['SCRATCH'][{alias!r}] is {type(entry).__name__}.",
                hint="Write keys of a DATABASES entry: {'HOST': …}, {'TEMPLATE': …}.",
            )
    return dict(raw)


def _base_dir(settings: Any) -> Path:
    """`settings.BASE_DIR`, or else where the settings package or module lies."""
    configured = getattr(settings, "BASE_DIR", None)
    if configured:
        return Path(configured)
    package = os.environ.get("DJANGO_SETTINGS_MODULE", "").partition(".")[0]
    spec = find_spec(package) if package else None
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    if spec and spec.origin and not places:
        places = [Path(spec.origin)]
    return places[0].resolve().parent if places else Path.cwd()
