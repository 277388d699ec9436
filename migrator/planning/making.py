"""Makes a plan: the pending migrations of one database, or those to be taken back, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration, RunPython, RunSQL
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation as DjangoOperation

from migrator.backends import Backend
from migrator.core.effects import Effect, MigrationKey, OperationEffect, TableEffect
from migrator.core.plan import Operation, Plan, Statement, Step
from migrator.core.schema import Schema
from migrator.planning.catalog import Catalog
from migrator.planning.collecting import Collector, Unshowable, is_plainly_separate
from migrator.planning.describing import describe_operation, ignored_rules, source_of
from migrator.planning.following import Following
from migrator.planning.states import PlanningState
from migrator.scanner import ScanResult, harmless
from migrator.sources import Ownership, Walk, full_plan
from migrator.sources.deeds import deeds_of
from migrator.sources.tracking import apply_state


def make_plan(
    connection: BaseDatabaseWrapper, backend: Backend, scan: ScanResult, *, base_dir: Path
) -> Plan:
    """What applying the pending migrations would do. Writes nothing, runs no code of theirs.

    Args:
        connection: The target.
        backend: Its vendor.
        scan: What is pending there.
        base_dir: Root of the project.

    Returns:
        The plan, from what is recorded and live now; where the SQL of an operation cannot be
        told, its step says so and goes on.

    Raises:
        MigratorError: A migration does not fit onto the state before it.
        InspectionError: The catalog cannot be read.
    """
    with harmless(connection) as editing:
        maker = _Maker(editing, backend, scan.loader, scan.recorded, scan.live, base_dir)
        effects = {effect.migration: effect for effect in scan.facts.pending}
        return maker.plan(scan.pending, effects)


def plan_migrations(
    connection: BaseDatabaseWrapper,
    backend: Backend,
    loader: MigrationLoader,
    recorded: Iterable[MigrationKey],
    keys: Iterable[MigrationKey],
    *,
    base_dir: Path,
    live: Schema | None = None,
) -> Plan:
    """What applying some migrations would do, from a state that is given.

    Args:
        connection: The target.
        backend: Its vendor.
        loader: The graph.
        recorded: What counts as applied, in any order.
        keys: What to apply, in an order that the dependencies allow.
        base_dir: Root of the project.
        live: What is there before them; by default what is live now.

    Raises:
        MigratorError: A migration does not fit onto the state before it.
        InspectionError: The catalog cannot be read.
    """
    with harmless(connection) as editing:
        schema = live if live is not None else backend.inspect(editing)
        maker = _Maker(editing, backend, loader, recorded, schema, base_dir)
        return maker.plan(tuple(keys), {})


def make_backwards_plan(
    connection: BaseDatabaseWrapper,
    backend: Backend,
    loader: MigrationLoader,
    recorded: Iterable[MigrationKey],
    keys: Iterable[MigrationKey],
    *,
    base_dir: Path,
) -> Plan:
    """What unapplying migrations would do. Writes nothing, runs no code of theirs.

    Args:
        connection: The target.
        backend: Its vendor.
        loader: The graph.
        recorded: What is recorded there, in any order.
        keys: What to unapply, in the order in which it is done: the last applied first.
        base_dir: Root of the project.

    Returns:
        The plan; each step is `backwards`. An operation that Django calls irreversible has
        `reversible=False` and no statements.

    Raises:
        MigratorError: A migration does not fit onto the state before it.
        InspectionError: The catalog cannot be read.
    """
    with harmless(connection) as editing:
        live = backend.inspect(editing)
        maker = _Maker(editing, backend, loader, tuple(recorded), live, base_dir)
        return maker.backwards_plan(tuple(keys))


_DEFERRED = -1
"""Stands for the index of an operation, of SQL that was put off."""


@dataclass(slots=True)
class _Script:
    """What a migration writes, as far as it has been collected."""

    key: MigrationKey
    migration: Migration
    collector: Collector
    operations: list[Operation] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    unshown: dict[int, str] = field(default_factory=dict)


class _Maker:
    """Makes one plan."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        backend: Backend,
        loader: MigrationLoader,
        recorded: Iterable[MigrationKey],
        live: Schema,
        base_dir: Path,
    ) -> None:
        self.connection = connection
        self.loader = loader
        self.recorded = frozenset(recorded)
        self.live = live
        self.base_dir = base_dir
        server = backend.connect(connection)
        self.product, self.version = server.product, server.version
        self.catalog = Catalog(
            connection.vendor, live, mariadb=bool(getattr(connection, "mysql_is_mariadb", False))
        )
        self.following = Following(
            connection.vendor,
            self.version,
            self.product,
            live,
            timezone=str(connection.timezone_name),
            canonical=lambda written: backend.canonical_type(connection, written),
        )
        self.ownership = Ownership(connection)

    def plan(self, keys: tuple[MigrationKey, ...], effects: dict[MigrationKey, Effect]) -> Plan:
        """Forwards, from what is recorded."""
        if not keys:
            return self._plan(())
        if set(keys) - set(effects):
            effects = self._effects(keys)
        state = PlanningState(real_apps=set(self.loader.unmigrated_apps))
        for key in full_plan(self.loader):
            if key in self.recorded:
                _advance(self.loader.graph.nodes[key], state)
        _ = state.apps  # rendered now, as by the executor: the order of columns depends on it
        steps = []
        for key in keys:
            step, state = self._forwards(key, effects[key], state)
            steps.append(step)
        return self._plan(steps)

    def backwards_plan(self, keys: tuple[MigrationKey, ...]) -> Plan:
        """Backwards, in the order given."""
        if not keys:
            return self._plan(())
        effects = self._effects(keys)
        states = self._states_before(frozenset(keys))
        return self._plan([self._backwards(key, effects[key], states[key]) for key in keys])

    def _plan(self, steps: Iterable[Step]) -> Plan:
        return Plan(
            alias=self.connection.alias,
            vendor=self.connection.vendor,
            schema=self.live,
            version=self.version,
            product=self.product,
            steps=tuple(steps),
        )

    def _effects(self, keys: Iterable[MigrationKey]) -> dict[MigrationKey, Effect]:
        walk = Walk(self.loader, self.ownership)
        wanted = self.recorded | set(keys)
        return {key: walk.apply(key) for key in full_plan(self.loader) if key in wanted}

    def _states_before(self, keys: frozenset[MigrationKey]) -> dict[MigrationKey, Any]:
        """The state before each, as MigrationExecutor._migrate_all_backwards has them."""
        state = PlanningState(real_apps=set(self.loader.unmigrated_apps))
        found: dict[MigrationKey, Any] = {}
        for key in full_plan(self.loader):
            if len(found) == len(keys):
                break
            if key in keys:
                _ = state.apps
                found[key] = state
                state = state.clone()
            if key in keys or key in self.recorded:
                _advance(self.loader.graph.nodes[key], state)
        return found

    # -- forwards ----------------------------------------------------------------------------

    def _forwards(self, key: MigrationKey, effect: Effect, state: Any) -> tuple[Step, Any]:
        script = self._script(key)
        with script.collector.collecting():
            for index, operation in enumerate(script.migration.operations):
                before, state = state, state.clone()
                apply_state(operation, key.app, state, str(key))
                there = self._is_there(operation)
                self._write(
                    script,
                    index,
                    effect.operations[index],
                    before,
                    _nothing
                    if there
                    else partial(script.collector.forwards, operation, key.app, before, state),
                )
                self._note(operation)
            self._write_deferred(script, _tables(effect))
        return self._step(script), state

    def _is_there(self, operation: DjangoOperation) -> bool:
        """Whether an extension has been made earlier in this plan: it is made but once."""
        made = getattr(operation, "extension_exists", None) is not None
        return made and getattr(operation, "name", "") in self.catalog.extensions

    def _note(self, operation: DjangoOperation) -> None:
        if self.connection.vendor != "postgresql":
            return
        if hasattr(operation, "extension_exists") and self.ownership.runs(""):
            self.catalog.extensions.add(str(getattr(operation, "name", "")))
        if type(operation).__name__ == "CreateCollation":
            name = str(getattr(operation, "name", ""))
            self.catalog.collations[name] = getattr(operation, "deterministic", True)

    # -- backwards ---------------------------------------------------------------------------

    def _backwards(self, key: MigrationKey, effect: Effect, state: Any) -> Step:
        """As Migration.unapply: all states first, then the operations from the last one on."""
        script = self._script(key)
        around: list[tuple[int, DjangoOperation, Any, Any]] = []
        for index, operation in enumerate(script.migration.operations):
            without, state = state, state.clone()
            apply_state(operation, key.app, state, str(key))
            around.append((index, operation, without, state))
        with script.collector.collecting():
            for index, operation, without, with_it in reversed(around):
                self._write(
                    script,
                    index,
                    _reversed_effect(effect.operations[index]),
                    with_it,
                    partial(_take_back, script.collector, operation, key.app, with_it, without),
                    back_to=without,
                )
            self._write_deferred(script, ())
        return replace(self._step(script), backwards=True)

    # -- both --------------------------------------------------------------------------------

    def _script(self, key: MigrationKey) -> _Script:
        migration = self.loader.graph.nodes[key]
        collector = Collector(self.connection, atomic=bool(migration.atomic), catalog=self.catalog)
        return _Script(key, migration, collector)

    def _write(
        self,
        script: _Script,
        index: int,
        effect: OperationEffect,
        before: Any,
        collect: Callable[[], tuple[str, ...]],
        *,
        back_to: Any = None,
    ) -> None:
        """Have an operation write its SQL, and describe what came of it."""
        reason = ""
        try:
            sql = collect()
        except Unshowable as error:
            reason, sql = str(error), script.collector.take()
            script.unshown[index] = reason
            self.catalog.doubt(effect.opaque_tables)
        described = describe_operation(
            script.migration.operations[index],
            effect,
            app=script.key.app,
            editor=script.collector.editor,
            before=before,
            shown=not reason,
            back_to=back_to,
        )
        if reason and described.moves_rows:
            described = self._see(script.migration.operations[index], described, before, back_to)
        script.operations.append(described)
        script.statements += self._read(sql, index, effect.tables)
        self.following.finish(effect, shown=not reason)

    def _see(
        self, operation: DjangoOperation, described: Operation, before: Any, back_to: Any
    ) -> Operation:
        """With what the source of a RunPython is seen to do, also of one that is part of a
        SeparateDatabaseAndState.
        """
        parts = list(_database_side(operation))
        codes = [part for part in parts if isinstance(part, RunPython)]
        if back_to is not None:
            codes.reverse()
        index = described.index
        seen: list[Statement] = []
        # What else cannot be shown is nothing of which this could be all.
        whole = bool(codes) and all(isinstance(part, RunPython | RunSQL) for part in parts)
        for code in codes:
            deeds = deeds_of(
                code.code if back_to is None else code.reverse_code,
                before.models,
                self.connection.vendor,
                self.connection.ops.quote_name,
                harmless=described.effect.opaque_tables is not None,
            )
            whole = whole and deeds.whole
            seen += (
                self.following.statement(deed.sql, index)
                if deed.sql
                else Statement("", index, deed.actions)
                for deed in deeds.done
            )
        return replace(described, seen=tuple(seen), seen_whole=whole)

    def _write_deferred(self, script: _Script, effects: Iterable[TableEffect]) -> None:
        try:
            sql = script.collector.deferred()
        except Exception as error:  # an operation of somebody's left something odd there
            script.unshown[_DEFERRED] = str(error)
            sql = script.collector.take()
        script.statements += self._read(sql, None, effects)

    def _read(
        self, sql: Iterable[str], index: int | None, effects: Iterable[TableEffect]
    ) -> Iterator[Statement]:
        tables = {effect.key: effect.after for effect in effects if effect.after}
        for text in sql:
            statement = self.following.statement(text, index)
            self.catalog.take(statement.actions, tables, text)
            yield statement

    def _step(self, script: _Script) -> Step:
        file, own = source_of(script.migration, self.base_dir)
        names = {operation.index: operation.description for operation in script.operations}
        return Step(
            migration=script.key,
            atomic=bool(script.migration.atomic),
            operations=tuple(script.operations),
            statements=tuple(script.statements),
            file=file,
            own=own,
            unshown="; ".join(
                f"{names.get(index, 'SQL that was put off')}: {reason}"
                for index, reason in script.unshown.items()
            ),
            ignored=ignored_rules(script.migration),
            reasons=tuple(script.unshown.items()),
        )


def _database_side(operation: DjangoOperation) -> Iterator[DjangoOperation]:
    """An operation, or what a SeparateDatabaseAndState does to the database."""
    if not is_plainly_separate(operation):
        yield operation
        return
    for part in getattr(operation, "database_operations", ()):
        yield from _database_side(part)


def _nothing() -> tuple[str, ...]:
    return ()


def _take_back(
    collector: Collector, operation: DjangoOperation, app: str, state: Any, without: Any
) -> tuple[str, ...]:
    if not operation.reversible:
        raise Unshowable("it cannot be taken back")
    return collector.backwards(operation, app, state, without)


def _advance(migration: Migration, state: Any) -> None:
    for operation in migration.operations:
        apply_state(
            operation, migration.app_label, state, f"{migration.app_label}.{migration.name}"
        )


def _tables(effect: Effect) -> tuple[TableEffect, ...]:
    latest: dict[str, TableEffect] = {}
    for operation in effect.operations:
        for table in operation.tables:
            latest[table.key] = table
    return tuple(latest.values())


def _reversed_effect(effect: OperationEffect) -> OperationEffect:
    return replace(
        effect,
        tables=tuple(TableEffect(each.key, each.after, each.before) for each in effect.tables),
    )
