"""One module a vendor, each with the same interface and the same files."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from migrator.backends.base import (
    Backend,
    HistoryRow,
    Lock,
    Server,
    Session,
    Writability,
)
from migrator.exceptions import ConfigurationError

__all__ = [
    "Backend",
    "HistoryRow",
    "Lock",
    "Server",
    "Session",
    "Writability",
    "backend_for",
]

VENDORS = ("postgresql", "mysql", "sqlite")


@cache
def backend_for(vendor: str) -> Backend:
    """The backend of a vendor; each module exports its own as `backend`.

    Args:
        vendor: `connection.vendor`.

    Raises:
        ConfigurationError: A vendor that is not supported.
    """
    if vendor not in VENDORS:
        raise ConfigurationError(
            f"Databases of the vendor {vendor!r} are not supported.",
            hint="Leave the alias out with --database, or use " + ", ".join(VENDORS) + ".",
        )
    backend: Backend = import_module(f"migrator.backends.{vendor}").backend
    return backend
