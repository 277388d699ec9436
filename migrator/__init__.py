"""Take every database of a Django project to the state that its code expects.

The names below are loaded on first use, so that importing the package costs nothing and needs
no configured Django: the journal can be read even when the project itself no longer loads.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrator.api import Migrator
    from migrator.core.options import MigratorOptions
    from migrator.progress import MigratorLogger
    from migrator.reports.text import TextReportFormatter
    from migrator.scanner import register_fake_detector

_HOMES = {
    "Migrator": "migrator.api",
    "MigratorLogger": "migrator.progress",
    "MigratorOptions": "migrator.core.options",
    "TextReportFormatter": "migrator.reports.text",
    "register_fake_detector": "migrator.scanner",
}

__all__ = [
    "Migrator",
    "MigratorLogger",
    "MigratorOptions",
    "TextReportFormatter",
    "register_fake_detector",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
