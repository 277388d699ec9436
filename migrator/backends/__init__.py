"""One module a vendor, each with the same interface and the same files."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.base import (
    Backend,
    HistoryRow,
    Lock,
    Server,
    Session,
    Writability,
)
from migrator.core.live import Facts, MemoryFacts
from migrator.exceptions import ConfigurationError

__all__ = [
    "Backend",
    "HistoryRow",
    "Lock",
    "Server",
    "Session",
    "Writability",
    "backend_for",
    "facts_for",
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


_FACTS = {"postgresql": "PostgreSQLFacts", "mysql": "MySQLFacts", "sqlite": "SQLiteFacts"}


def facts_for(connection: BaseDatabaseWrapper, *, timeout: float = 2.0) -> Facts:
    """Who answers questions about what is in a database; nothing is asked before it is needed.

    Args:
        connection: Open connection.
        timeout: Seconds that one answer may take; one that takes longer is None.

    Raises:
        ConfigurationError: A vendor that is not supported.
    """
    if not backend_for(connection.vendor).exists(connection):
        return MemoryFacts()  # asking would create the file
    module = import_module(f"migrator.backends.{connection.vendor}_facts")
    facts: Facts = getattr(module, _FACTS[connection.vendor])(connection, timeout)
    return facts
