"""The only reader of django.conf.settings; everything else gets a frozen `Settings`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from migrator.exceptions import ConfigurationError

JOURNAL_FILE = "migrator_journal.sqlite3"
MAKEMIGRATIONS = ("write", "check", "skip")


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
    """

    journal_url: str
    base_dir: Path
    makemigrations: str = "write"
    connect_timeout: float = 10.0
    wait_lock: float = 0.0
    stop_on_failure: bool = False
    scratch: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    routing_rules: Mapping[str, str] = field(default_factory=dict)


_KEYS: dict[str, type | tuple[type, ...]] = {
    "JOURNAL_URL": str,
    "MAKEMIGRATIONS": str,
    "CONNECT_TIMEOUT": (int, float),
    "WAIT_LOCK": (int, float),
    "STOP_ON_FAILURE": bool,
    "SCRATCH": dict,
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
    makemigrations = raw.get("MAKEMIGRATIONS", "write")
    if makemigrations not in MAKEMIGRATIONS:
        raise ConfigurationError(
            f"settings.MIGRATOR['MAKEMIGRATIONS'] is {makemigrations!r}.",
            hint="Use one of: " + ", ".join(MAKEMIGRATIONS) + ".",
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
    )


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
