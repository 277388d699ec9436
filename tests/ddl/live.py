"""The schema of a database in place, as the tool itself reads it."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connections

from migrator.backends import backend_for
from migrator.core.schema import Schema
from tests.servers import Database


def inspect(database: Database, *, schemas: Collection[str] = ()) -> Schema:
    """Read it over a connection of its own."""
    alias = "ddl_costs"
    entry = database.settings()
    connections.configure_settings({"default": {}, alias: entry})  # fills in the defaults
    connections.settings[alias] = entry
    try:
        return backend_for(database.vendor).inspect(connections[alias], schemas=schemas)
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]
