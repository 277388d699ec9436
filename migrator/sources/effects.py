"""What each migration does to the schema of one database, from its operations and the state.

One walk over the plan mutates one state, operation by operation, and renders only the models
that an operation has touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations import operations as django_operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from migrator.core.effects import Effect, MigrationKey, OperationEffect, TableEffect
from migrator.core.schema import Schema, Table
from migrator.sources.code import does_nothing, only_uses_models
from migrator.sources.ownership import Ownership
from migrator.sources.scripts import ANYTHING, NOTHING, is_empty_sql, join, read_sql
from migrator.sources.state import StateTables
from migrator.sources.tracking import ModelKey, TrackingState, apply_state

_OWN_MODULES = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
_POSTGRES_MODULE = "django.contrib.postgres.operations"
_STATE_ONLY = (
    django_operations.AlterModelOptions,
    django_operations.AlterModelManagers,
    django_operations.AlterModelTableComment,
)
"""Django's own that never change a table, though `managed` makes the state grow one."""


def load_effects(
    loader: MigrationLoader,
    keys: Iterable[MigrationKey],
    connection: BaseDatabaseWrapper,
    *,
    ownership: Ownership | None = None,
) -> dict[MigrationKey, Effect]:
    """The effects of migrations on one database, in the order given.

    Args:
        loader: The graph that the migrations are nodes of.
        keys: In an order that the dependencies allow: `full_plan`, or `recorded_plan` followed
            by the pending ones.
        connection: Of the database concerned; asked nothing.
        ownership: The routers' view of it; made from the connection when not given.

    Returns:
        Effects by migration, in the same order.

    Raises:
        MigratorError: An operation does not fit onto the state before it.
        ConfigurationError: A router fails.
    """
    walk = Walk(loader, ownership or Ownership(connection))
    return {key: walk.apply(key) for key in (MigrationKey(*key) for key in keys)}


class Walk:
    """A state that goes forward migration by migration, and its tables with it.

    A scan needs one: apply the recorded migrations, take `schema()` (what is expected), apply
    the pending ones, take `schema()` again (what the code wants).
    """

    def __init__(self, loader: MigrationLoader, ownership: Ownership) -> None:
        """Start from an empty state.

        Args:
            loader: The graph.
            ownership: The routers' view of the database concerned.
        """
        self.loader = loader
        self.ownership = ownership
        self.state = TrackingState(real_apps=set(loader.unmigrated_apps))
        self.tables = StateTables(self.state, ownership.connection, ownership.owns)

    def schema(self) -> Schema:
        """The schema expected after the migrations that were applied so far."""
        return self.tables.schema()

    def apply(self, key: MigrationKey) -> Effect:
        """Go forward by one migration.

        Args:
            key: A node of the graph whose dependencies were applied.

        Raises:
            MigratorError: An operation does not fit onto the state.
            ConfigurationError: A router fails.
        """
        migration = self.loader.graph.nodes[key]
        reader = _OperationReader(migration, self.ownership)
        made = tuple(
            reader.read(index, operation, _Track(self.state, self.tables))
            for index, operation in enumerate(migration.operations)
        )
        return Effect(
            migration=MigrationKey(*key),
            operations=made,
            atomic=bool(migration.atomic),
            replaces=tuple(MigrationKey(*replaced) for replaced in migration.replaces),
            dependencies=tuple(
                sorted(MigrationKey(*node.key) for node in self.loader.graph.node_map[key].parents)
            ),
            initial=_is_initial(migration),
        )


@dataclass(frozen=True, slots=True)
class _Track:
    """A state and its tables, going forward together."""

    state: TrackingState
    tables: StateTables

    def scratch(self) -> _Track:
        state = self.state.clone()
        return _Track(state, self.tables.scratch(state))


class _OperationReader:
    """Applies the operations of one migration and says what each does."""

    def __init__(self, migration: Migration, ownership: Ownership) -> None:
        self.app_label = migration.app_label
        self.where = f"{migration.app_label}.{migration.name}"
        self.ownership = ownership

    def read(self, index: int, operation: Operation, track: _Track) -> OperationEffect:
        """Apply one operation to the track; what it does to the database."""
        effect = OperationEffect(
            index=index,
            description=_describe(operation),
            kind=type(operation).__name__,
            elidable=bool(operation.elidable),
        )
        if isinstance(operation, django_operations.SeparateDatabaseAndState):
            found = self._separate(operation, track, effect)
        elif isinstance(operation, django_operations.RunPython):
            self._forward(operation, track)
            found = self._run_python(operation, effect)
        elif isinstance(operation, django_operations.RunSQL):
            found = self._run_sql(operation, self._forward(operation, track), effect)
        else:
            found = self._other(operation, self._forward(operation, track), track, effect)
        if not _is_own(operation):
            found = self._foreign(operation, found, track)
        return found

    def _forward(self, operation: Operation, track: _Track) -> tuple[TableEffect, ...]:
        state = track.state
        known = {} if _is_own(operation) else _identities(state)
        apply_state(operation, self.app_label, state, self.where)
        state.forget_rendering()
        dirty = state.take_dirty()
        if not _is_own(operation):
            # It may have written to state.models without telling anybody.
            now = _identities(state)
            dirty |= {key for key in {*known, *now} if known.get(key) != now.get(key)}
            dirty |= {key for key in {*known, *now} if key[0] == self.app_label}
        return track.tables.refresh(dirty)

    # -- each kind -----------------------------------------------------------------

    def _other(
        self,
        operation: Operation,
        tables: tuple[TableEffect, ...],
        track: _Track,
        effect: OperationEffect,
    ) -> OperationEffect:
        if isinstance(operation, _STATE_ONLY):
            return replace(effect, opaque_tables=_keys(tables))
        if type(operation).__module__ == _POSTGRES_MODULE and not tables:
            return replace(effect, unknown=self._runs_on_postgres(operation, track))
        if isinstance(operation, django_operations.AlterIndexTogether):
            return replace(effect, tables=tables)
        opaque = self._made_anew(tables, track)
        if isinstance(operation, django_operations.AlterField):
            opaque |= self._dropped_along(tables)
        return replace(effect, tables=tables, opaque_tables=opaque)

    def _made_anew(self, tables: tuple[TableEffect, ...], track: _Track) -> frozenset[str]:
        """Tables whose `index_together` SQLite has lost.

        Django alters a table there by making it anew, and since Meta has no index_together any
        more (5.1), those indexes are not made with it (`_remake_table`,
        db/backends/sqlite3/schema.py), whatever the state of old migrations says.
        """
        if self.ownership.connection.vendor != "sqlite":
            return NOTHING
        found = set()
        for table in tables:
            if table.before is not None and table.after is not None:
                label, _, name = table.after.model.partition(".")
                model = track.state.models.get((label, name))
                if model is not None and model.options.get("index_together"):
                    found.add(table.key)
        return frozenset(found)

    def _dropped_along(self, tables: tuple[TableEffect, ...]) -> frozenset[str]:
        """Tables of which Django has dropped a uniqueness together with a column's index.

        Where a column loses its index, `_alter_field` (db/backends/base/schema.py) drops every
        index on it alone but those of Meta.indexes: on PostgreSQL a partial UniqueConstraint
        of Meta.constraints is such an index, on MySQL any. SQLite makes the table anew.
        """
        if self.ownership.connection.vendor == "sqlite":
            return NOTHING
        every = self.ownership.connection.vendor == "mysql"
        found = set()
        for table in tables:
            if table.before is None or table.after is None:
                continue
            lost = _indexed_alone(table.before) - _indexed_alone(table.after)
            kept = {index.columns for index in table.after.indexes if index.unique}
            if every:
                kept |= {unique.columns for unique in table.after.uniques}
            if lost & kept:
                found.add(table.key)
        return frozenset(found)

    def _runs_on_postgres(self, operation: Operation, track: _Track) -> bool:
        """Whether an extension, collation or validation, which state knows nothing of, runs."""
        if self.ownership.connection.vendor != "postgresql":
            return False
        model_name = getattr(operation, "model_name", None)
        if model_name is None:
            return self.ownership.runs(self.app_label)
        validates = type(operation).__name__ == "ValidateConstraint"
        return validates and bool(track.tables.tables_of((self.app_label, model_name.lower())))

    def _run_python(
        self, operation: django_operations.RunPython, effect: OperationEffect
    ) -> OperationEffect:
        code = operation.code
        if code is django_operations.RunPython.noop or does_nothing(code):
            return replace(effect, elidable=True)
        if not self.ownership.runs(self.app_label, **operation.hints):
            return effect
        opaque = NOTHING if only_uses_models(code) else ANYTHING
        return replace(effect, unknown=True, opaque_tables=opaque)

    def _run_sql(
        self,
        operation: django_operations.RunSQL,
        tables: tuple[TableEffect, ...],
        effect: OperationEffect,
    ) -> OperationEffect:
        """With state operations, the state says what the SQL is for, and can be looked for."""
        if is_empty_sql(operation.sql):
            return replace(effect, opaque_tables=_keys(tables), elidable=True)
        if not self.ownership.runs(self.app_label, **operation.hints):
            return replace(effect, opaque_tables=_keys(tables))
        reading = read_sql(operation.sql, self.ownership.connection.vendor)
        observable = bool(tables) and not reading.moves_rows
        return replace(
            effect,
            tables=tables,
            unknown=not observable,
            opaque_tables=join(reading.tables, _keys(tables)),
        )

    def _separate(
        self,
        operation: django_operations.SeparateDatabaseAndState,
        track: _Track,
        effect: OperationEffect,
    ) -> OperationEffect:
        """The database's side counts; the state's side only makes its tables opaque."""
        parts = self._database_side(operation, track)
        stated = self._forward(operation, track)
        opaque: frozenset[str] | None = _keys(stated)
        for part in parts:
            opaque = join(opaque, join(part.opaque_tables, _keys(part.tables)))
        return replace(
            effect,
            tables=_merge(table for part in parts for table in part.tables),
            unknown=any(part.unknown for part in parts),
            opaque_tables=opaque,
            elidable=bool(effect.elidable or (parts and all(part.elidable for part in parts))),
        )

    def _database_side(
        self, operation: django_operations.SeparateDatabaseAndState, track: _Track
    ) -> list[OperationEffect]:
        if not operation.database_operations:
            return []
        blind = all(
            isinstance(part, django_operations.RunPython)
            or (isinstance(part, django_operations.RunSQL) and not part.state_operations)
            for part in operation.database_operations
        )
        scratch = track if blind else track.scratch()
        return [
            self.read(index, part, scratch)
            for index, part in enumerate(operation.database_operations)
        ]

    def _foreign(
        self, operation: Operation, found: OperationEffect, track: _Track
    ) -> OperationEffect:
        """An operation that is not Django's own may do less or more than its state says.

        Where the routers keep its app away, it is believed to ask them, as Django's own do.
        """
        if not found.tables and not self.ownership.runs(self.app_label):
            return found
        touched = _keys(found.tables)
        named = getattr(operation, "model_name", None) or getattr(operation, "name", None)
        if isinstance(named, str):
            touched |= frozenset(track.tables.tables_of((self.app_label, named.lower())))
        derived = any(
            base.__module__.startswith(_OWN_MODULES) and base is not Operation
            for base in type(operation).__mro__
        )
        narrow = derived and bool(touched)
        return replace(
            found,
            unknown=True,
            opaque_tables=join(found.opaque_tables, touched if narrow else ANYTHING),
        )


def _indexed_alone(table: Table) -> frozenset[tuple[str, ...]]:
    """The single columns that have an index of their own which is not unique."""
    return frozenset(
        index.columns for index in table.indexes if not index.unique and len(index.keys) == 1
    )


def _identities(state: TrackingState) -> dict[ModelKey, int]:
    return {key: id(model_state) for key, model_state in state.models.items()}


def _is_own(operation: Operation) -> bool:
    return type(operation).__module__.startswith(_OWN_MODULES)


def _is_initial(migration: Migration) -> bool:
    """As MigrationExecutor.detect_soft_applied sees it."""
    if migration.initial is not None:
        return bool(migration.initial)
    return all(app != migration.app_label for app, _ in migration.dependencies)


def _describe(operation: Operation) -> str:
    try:
        return str(operation.describe())
    except Exception:  # somebody's own describe(), for somebody's own reasons
        return type(operation).__name__


def _keys(tables: Iterable[TableEffect]) -> frozenset[str]:
    return frozenset(table.key for table in tables)


def _merge(tables: Iterable[TableEffect]) -> tuple[TableEffect, ...]:
    """The first before and the last after of each table."""
    merged: dict[str, TableEffect] = {}
    for table in tables:
        first = merged.get(table.key)
        merged[table.key] = replace(first, after=table.after) if first else table
    return tuple(table for _, table in sorted(merged.items()) if table.before != table.after)
