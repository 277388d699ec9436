"""Migrations that exist only in memory, for tests of what is computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from migrator.core.effects import Effect, MigrationKey
from migrator.core.schema import Schema
from migrator.sources import Disk, Ownership, Walk, full_plan, load_graph


class History:
    """`History().add("shop", "0001_initial", [operation, …])`, and what follows from it."""

    def __init__(self) -> None:
        self.migrations: dict[tuple[str, str], Migration] = {}

    def add(
        self,
        app: str,
        name: str,
        operations: Sequence[Operation] = (),
        *,
        needs: Iterable[tuple[str, str]] = (),
        **attributes: Any,
    ) -> History:
        """Add a migration that depends on the one added before it in its app."""
        before = [key for key in self.migrations if key[0] == app]
        migration = Migration(name, app)
        migration.operations = list(operations)
        migration.dependencies = [*([before[-1]] if before else []), *needs]
        for attribute, value in attributes.items():
            setattr(migration, attribute, value)
        self.migrations[app, name] = migration
        return self

    @property
    def disk(self) -> Disk:
        """As if read from disk."""
        apps = frozenset(app for app, _ in self.migrations)
        return Disk(dict(self.migrations), apps, frozenset())

    def graph(
        self,
        connection: BaseDatabaseWrapper | None = None,
        recorded: Iterable[tuple[str, str]] = (),
        *,
        check: bool = True,
    ) -> MigrationLoader:
        """The graph, for a database that recorded these."""
        rows = [MigrationKey(*key) for key in recorded]
        return load_graph(connection, rows, check=check, disk=self.disk)

    def walk(self, connection: BaseDatabaseWrapper) -> tuple[Walk, dict[MigrationKey, Effect]]:
        """A walk to the end, and every effect on the way."""
        loader = self.graph(connection)
        walk = Walk(loader, Ownership(connection))
        return walk, {key: walk.apply(key) for key in full_plan(loader)}

    def schema(self, connection: BaseDatabaseWrapper) -> Schema:
        """The schema expected after all of them."""
        return self.walk(connection)[0].schema()

    def migrate(
        self, connection: BaseDatabaseWrapper, keys: Iterable[tuple[str, str]] | None = None
    ) -> None:
        """Let Django itself apply them (or up to these) to a real database."""
        executor = MigrationExecutor(connection)
        recorded = [MigrationKey(*key) for key in executor.loader.applied_migrations]
        executor.loader = self.graph(connection, recorded)
        executor.migrate(list(keys or executor.loader.graph.leaf_nodes()))
