"""The migration graph: what is on disk, and what one database has recorded of it.

Django's `MigrationLoader` reads the disk and the catalog each time that it is made, and its
errors are tracebacks. Here the disk is read once for all aliases, the recorded rows come from
the caller (who has them already), nothing is ever asked of a database or created in one, and
every way in which a project's migrations can be broken is one sentence.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.exceptions import (
    BadMigrationError,
    CircularDependencyError,
    NodeNotFoundError,
)
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from migrator.backends import HistoryRow
from migrator.core.effects import MigrationKey
from migrator.exceptions import HistoryInconsistent, MigratorError


@dataclass(frozen=True)
class Disk:
    """The migrations of all installed apps, as they were on disk when they were read.

    Attributes:
        migrations: Every migration, replaced ones and squashes alike.
        migrated_apps: Labels of the apps that have migrations.
        unmigrated_apps: Labels of those that have none.
    """

    migrations: Mapping[tuple[str, str], Migration]
    migrated_apps: frozenset[str]
    unmigrated_apps: frozenset[str]


class _DiskLoader(MigrationLoader):
    """Reads the disk and names what it was reading when something went wrong."""

    def read(self) -> Disk:
        try:
            self.load_disk()
        except BadMigrationError as error:
            raise MigratorError(
                f"{_sentence(error)}",
                hint="A module in a migrations package has to define a class named Migration.",
            ) from error
        except Exception as error:
            raise _import_failed(error) from error
        # Apps in the order of INSTALLED_APPS, as Django has them: where two apps have squashes
        # that replace the same migrations (one of them the other's squash, even), the order in
        # which the graph takes them up decides whether it can be built at all. Within an app
        # Django's order is that of a set.
        apps = {app: index for index, (app, _) in reversed([*enumerate(self.disk_migrations)])}
        return Disk(
            migrations=dict(
                sorted(self.disk_migrations.items(), key=lambda item: (apps[item[0][0]], item[0]))
            ),
            migrated_apps=frozenset(self.migrated_apps),
            unmigrated_apps=frozenset(self.unmigrated_apps),
        )


class RecordedLoader(MigrationLoader):
    """A MigrationLoader that is given its disk and its recorded rows, and asks nobody.

    `MigrationLoader.build_graph` reads both itself; `load_disk` and the assignment to
    `applied_migrations` are the two places where its answers can be put in (Django 5.2 to 6.1,
    db/migrations/loader.py).
    """

    def __init__(
        self,
        connection: BaseDatabaseWrapper | None,
        disk: Disk,
        recorded: Mapping[tuple[str, str], HistoryRow],
    ) -> None:
        self._disk = disk
        self._recorded = recorded
        super().__init__(connection, load=False)
        self.build_graph()

    def load_disk(self) -> None:
        self.disk_migrations = dict(self._disk.migrations)
        self.migrated_apps = set(self._disk.migrated_apps)
        self.unmigrated_apps = set(self._disk.unmigrated_apps)

    @property
    def applied_migrations(self) -> dict[tuple[str, str], Any]:
        return self._applied

    @applied_migrations.setter
    def applied_migrations(self, value: Mapping[tuple[str, str], Any] | None) -> None:
        self._applied: dict[tuple[str, str], Any] = {**self._recorded, **(value or {})}

    def build_graph(self) -> None:
        # Without a connection Django assigns {} instead of asking the catalog.
        connection, self.connection = self.connection, None
        try:
            super().build_graph()
        finally:
            self.connection = connection


@cache
def load_disk() -> Disk:
    """Read the migrations of all installed apps, once for all aliases.

    `load_disk.cache_clear()` forgets them, for when makemigrations has written some.

    Returns:
        The migrations and the apps that have some or none.

    Raises:
        MigratorError: A module that cannot be imported, or that has no Migration class; the
            message names it.
    """
    return _DiskLoader(None, load=False).read()


def load_graph(
    connection: BaseDatabaseWrapper | None,
    recorded: Iterable[HistoryRow | MigrationKey] | None = (),
    *,
    check: bool = True,
    disk: Disk | None = None,
) -> MigrationLoader:
    """The graph as Django builds it for a database with these rows. Asks the database nothing.

    Args:
        connection: Kept in the loader for whoever wants it; None for no database.
        recorded: What `backend.history()` returned (None where there is no table).
        check: Refuse conflicting leaf nodes and an inconsistent history as well; without it
            only what makes a graph impossible is refused.
        disk: Other migrations than those on disk.

    Returns:
        A loader whose `applied_migrations` are these rows.

    Raises:
        HistoryInconsistent: A circular dependency, a missing one, leaf nodes in conflict, or
            a migration that is recorded before its dependency.
        MigratorError: From `load_disk`.
    """
    rows: dict[tuple[str, str], HistoryRow] = {}
    for item in recorded or ():
        row = item if isinstance(item, HistoryRow) else HistoryRow(MigrationKey(*item))
        rows[tuple(row.migration)] = row  # type: ignore[index]
    try:
        loader = RecordedLoader(connection, disk or load_disk(), rows)
    except CircularDependencyError as error:
        raise HistoryInconsistent(
            f"The migrations depend on one another in a circle: {_cycle(error)}.",
            hint="Take one of these dependencies out, or move what needs it to a migration of "
            "its own.",
        ) from error
    except NodeNotFoundError as error:
        raise _missing_dependency(error) from error
    except ValueError as error:  # check_key: dependency on an app that is not there
        raise HistoryInconsistent(
            _sentence(error),
            hint="Add the app to INSTALLED_APPS, or mend the dependencies of the migration.",
        ) from error
    if check:
        check_conflicts(loader)
        check_history(loader)
    return loader


def check_conflicts(loader: MigrationLoader) -> None:
    """Refuse an app that has several leaf nodes.

    Raises:
        HistoryInconsistent: Names the leaf nodes of each such app.
    """
    conflicts = loader.detect_conflicts()
    if conflicts:
        named = "; ".join(f"{app}: {', '.join(names)}" for app, names in sorted(conflicts.items()))
        raise HistoryInconsistent(
            f"Several leaf nodes are in conflict in the migration graph: {named}.",
            hint="Run manage.py makemigrations --merge.",
        )


def check_history(loader: MigrationLoader) -> None:
    """Refuse a history in which a migration is recorded before its dependency.

    The same rule as `MigrationLoader.check_consistent_history`, on rows that are already
    there instead of a query.

    Raises:
        HistoryInconsistent: Names both migrations.
    """
    applied = loader.applied_migrations
    for key in sorted(applied):
        if key not in loader.graph.nodes:
            continue
        for parent in sorted(node.key for node in loader.graph.node_map[key].parents):
            if parent in applied:
                continue
            squash = loader.replacements.get(parent)
            if squash and all(replaced in applied for replaced in squash.replaces):
                continue
            where = f" on {loader.connection.alias}" if loader.connection else ""
            raise HistoryInconsistent(
                f"Migration {key[0]}.{key[1]} is recorded before its dependency "
                f"{parent[0]}.{parent[1]}{where}.",
                hint="Find out which of the two the schema holds, then record the dependency "
                "with migrate --fake, or delete the row that should not be there.",
            )


def leaf_nodes(loader: MigrationLoader) -> tuple[MigrationKey, ...]:
    """The newest migration of each app, sorted."""
    return tuple(MigrationKey(*key) for key in loader.graph.leaf_nodes())


def full_plan(
    loader: MigrationLoader, apps: Iterable[str] | None = None
) -> tuple[MigrationKey, ...]:
    """Every migration of the graph in the order in which Django would run them from zero.

    Args:
        loader: The graph.
        apps: Only what the leaf nodes of these apps need; None for all apps.
    """
    wanted = None if apps is None else frozenset(apps)
    plan: dict[tuple[str, str], None] = {}
    for leaf in loader.graph.leaf_nodes():
        if wanted is None or leaf[0] in wanted:
            plan.update(dict.fromkeys(loader.graph.forwards_plan(leaf)))
    return tuple(MigrationKey(*key) for key in plan)


def recorded_plan(loader: MigrationLoader) -> tuple[MigrationKey, ...]:
    """The recorded migrations that are nodes of the graph, in the order of `full_plan`."""
    return tuple(key for key in full_plan(loader) if key in loader.applied_migrations)


def pending_plan(loader: MigrationLoader, apps: Iterable[str] | None = None) -> list[Migration]:
    """What `migrate` would run, in its order (MigrationExecutor.migration_plan for all leaves).

    Args:
        loader: The graph with its recorded rows.
        apps: Only what the leaf nodes of these apps need; None for all apps.
    """
    return [
        loader.graph.nodes[key]
        for key in full_plan(loader, apps)
        if key not in loader.applied_migrations
    ]


def recorded_state(loader: MigrationLoader) -> ProjectState:
    """The project state that the recorded migrations add up to, not rendered.

    Raises:
        MigratorError: A migration that does not fit onto the state before it.
    """
    from migrator.sources.tracking import TrackingState, mutate

    state = TrackingState(real_apps=set(loader.unmigrated_apps))
    for key in recorded_plan(loader):
        mutate(loader.graph.nodes[key], state)
    return state


def file_digests(
    loader: MigrationLoader, keys: Iterable[tuple[str, str]] | None = None
) -> dict[MigrationKey, str]:
    """SHA-256 of the source file of each migration.

    Args:
        loader: The graph.
        keys: Which migrations; None for all nodes.

    Returns:
        Hexadecimal digests. A migration that is not in a readable file is left out.
    """
    digests = {}
    for key in sorted(loader.graph.nodes if keys is None else keys):
        migration = loader.graph.nodes.get(key) or (loader.disk_migrations or {}).get(key)
        source = _source_file(migration)
        if source is not None:
            digests[MigrationKey(*key)] = hashlib.sha256(source.read_bytes()).hexdigest()
    return digests


def load_file_digests(disk: Disk | None = None) -> dict[str, str]:
    """SHA-256 of every migration file on disk, replaced ones and squashes alike.

    Args:
        disk: What was read earlier; by default `load_disk()`.

    Returns:
        Hexadecimal digests by "app.name".

    Raises:
        MigratorError: From `load_disk`.
    """
    digests = {}
    for (app, name), migration in (disk or load_disk()).migrations.items():
        source = _source_file(migration)
        if source is not None:
            digests[f"{app}.{name}"] = hashlib.sha256(source.read_bytes()).hexdigest()
    return digests


def _source_file(migration: Migration | None) -> Path | None:
    module = sys.modules.get(type(migration).__module__) if migration else None
    name = getattr(module, "__file__", None)
    return Path(name) if name and Path(name).is_file() else None


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _cycle(error: CircularDependencyError) -> str:
    """Django lists each migration of the cycle once, every one before those that need it."""
    names = str(error).split(", ")
    return " → ".join([*names, names[0]])


def _missing_dependency(error: NodeNotFoundError) -> HistoryInconsistent:
    origin, node = error.origin, error.node
    if origin is None:
        return HistoryInconsistent(_sentence(error))
    if "tried to replace" in str(error):
        return HistoryInconsistent(
            _sentence(error),
            hint="Bring the replaced files back, migrate everywhere, then delete them.",
        )
    return HistoryInconsistent(
        f"Migration {origin.app_label}.{origin.name} depends on {node[0]}.{node[1]}, "
        "which does not exist.",
        hint="Bring that file back, or mend the dependencies of the migration.",
    )


def _import_failed(error: Exception) -> MigratorError:
    """What `load_disk` was importing, from the locals of its frame: nothing else tells."""
    module, app = "", ""
    for frame, _ in _frames(error):
        if frame.f_code is MigrationLoader.load_disk.__code__:
            found = frame.f_locals
            module = found.get("migration_path") or found.get("module_name") or ""
            app = getattr(found.get("app_config"), "label", "")
            # The path of an earlier app lingers while the next package is imported.
            if not module.startswith(f"{found.get('module_name')}"):
                module = found.get("module_name") or ""
    detail = f"{type(error).__name__}: {_sentence(error)}"
    if not module:
        return MigratorError(f"The migrations cannot be read: {detail}")
    return MigratorError(
        f"Migration module {module} of the app {app} cannot be imported: {detail}",
        hint="Mend that file, or what it imports, and run again; nothing was changed.",
    )


def _frames(error: BaseException) -> Iterator[tuple[Any, int]]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next
