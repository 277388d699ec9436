"""The scan: what is expected of one database, what is live, where they disagree.

One function for the scan phase, for the second scan of a repair and for verification, so that
"clean" means the same everywhere. What decides is in `core.drift`; this gathers the facts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.models import Model

from migrator.backends import Backend, HistoryRow, backend_for
from migrator.core.drift import ScanFacts, classify, opaque_tables
from migrator.core.effects import Effect, MigrationKey
from migrator.core.events import Emit, MigrationApplied, ScanFinished
from migrator.core.histories import Rename
from migrator.core.history import HistoryFacts
from migrator.core.incidents import Code, Incident
from migrator.core.laying import lay_reference, lost_since
from migrator.core.overlay import rename_in
from migrator.core.reference import Held, Record, digest_tables
from migrator.core.schema import Schema, split_key, table_key
from migrator.exceptions import ExpectedRefused
from migrator.executor import lost_leaves, online_indexes, reconcile
from migrator.ledger import Ledger
from migrator.mending import propose_sql
from migrator.sources import (
    Ownership,
    Walk,
    find_differing,
    full_plan,
    load_disk,
    load_graph,
    pending_plan,
    recorded_plan,
    stated_expressions,
)

HISTORY_TABLE = "django_migrations"


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Everything that a scan found.

    Attributes:
        loader: The migration graph with the recorded rows.
        facts: What was classified.
        incidents: What the classification found, worst first.
        recorded: Recorded migrations that are nodes of the graph, in plan order.
        pending: What migrate would run, in order.
        leaves: Recorded leaf nodes, "app.name".
    """

    loader: MigrationLoader
    facts: ScanFacts
    incidents: tuple[Incident, ...]
    recorded: tuple[MigrationKey, ...]
    pending: tuple[MigrationKey, ...]
    leaves: tuple[str, ...]

    @property
    def live(self) -> Schema:
        """The schema that is there."""
        return self.facts.live

    @property
    def blocking(self) -> tuple[Incident, ...]:
        """The incidents that stop the alias."""
        return tuple(incident for incident in self.incidents if incident.blocking)

    @property
    def blocked(self) -> bool:
        """Whether anything stops the alias."""
        return bool(self.blocking)

    def record(self) -> Record:
        """What the journal keeps of a verified target, and `schema snapshot` writes."""
        return Record(
            schema=self.live,
            recorded=self.recorded,
            rows=frozenset(self.facts.history.recorded),
            expected=digest_tables(self.facts.expected),
        )


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What a replay is to make again.

    Attributes:
        rows: All rows of django_migrations, in their order.
        recorded: Those that are nodes of the graph, in plan order.
        expected: What state makes of them.
    """

    rows: tuple[MigrationKey, ...]
    recorded: tuple[MigrationKey, ...]
    expected: Schema


def scan_target(
    connection: BaseDatabaseWrapper,
    backend: Backend,
    *,
    alias: str,
    phase: str,
    emit: Emit,
    held: tuple[Held, ...] = (),
    replay: Callable[[ReplayRequest], Held] | None = None,
    in_doubt: Iterable[str] = (),
    labels: Iterable[str] = (),
    fake_initial: bool = False,
    before: ScanResult | None = None,
    advisory: bool | None = None,
) -> ScanResult:
    """Scan one database. Reads only.

    Args:
        connection: Its connection.
        backend: Its vendor.
        alias: Its alias.
        phase: Who scans: "scan", "repair" or "verify".
        emit: Gets one ScanFinished.
        held: What the live schema is held against beside state: its last verification.
        replay: Runs the recorded migrations from zero; its outcome is held against as well.
        in_doubt: Migrations ("app.name") that this run began and that the executor will take
            up again: what they left behind is work in progress, not drift.
        labels: Only these apps count as pending; empty for all.
        fake_initial: An initial migration that is there already is what was expected: the
            executor will record it.
        before: An earlier scan of the same run; what it worked out from the migration files
            holds as long as the same migrations are recorded.
        advisory: Whether what is held only weighs what state finds; by default in "verify".

    Raises:
        InspectionError: The catalog or the history cannot be read.
        HistoryInconsistent: The graph cannot be built.
    """
    began = time.monotonic()
    doubtful = set(in_doubt)
    rows = backend.history(connection) or ()
    loader = load_graph(connection, rows, check=False)
    recorded = recorded_plan(loader)
    plan = pending_plan(loader, tuple(labels) or None)
    pending = tuple(MigrationKey(item.app_label, item.name) for item in plan)
    facts = _gather(connection, backend, loader, rows, recorded, pending, before)
    online = online_indexes(loader.graph.nodes[key] for key in pending)
    facts = replace(facts, live=_without_unfinished(facts.live, online))
    if replay is not None and recorded:
        request = ReplayRequest(tuple(row.migration for row in rows), recorded, facts.expected)
        held = (*held, replay(request))
    for each in held:
        _refuse_ahead(alias, each, facts)
    facts = replace(
        facts,
        references=tuple(
            lay_reference(
                each,
                recorded=facts.recorded,
                pending=facts.pending,
                rows=facts.history.recorded,
                expected=facts.expected,
                in_doubt=(key for key in pending if str(key) in doubtful),
                # Verification follows upon a scan and upon our own migrations: what state
                # knows nothing of has been changed by them or by their receivers.
                advisory=phase == "verify" if advisory is None else advisory,
            )
            for each in held
        ),
    )
    doubtful |= {str(key) for key in _companions(facts, loader)}
    incidents = tuple(
        incident
        for incident in classify(facts)
        if (incident.migration is None or str(incident.migration) not in doubtful)
        and not (fake_initial and _initial_present(incident, loader))
    )
    if phase == "scan" and incidents:
        with harmless(connection) as editing:
            incidents = propose_sql(editing, loader, recorded, incidents, facts)
    emit(
        ScanFinished(
            alias,
            phase,
            len(facts.live.tables),
            len(rows),
            incidents,
            pending,
            time.monotonic() - began,
        )
    )
    return ScanResult(loader, facts, incidents, recorded, pending, _leaves(loader, recorded))


def _without_unfinished(live: Schema, online: Collection[str]) -> Schema:
    """Leave out INVALID indexes that pending migrations build online: a run that was cut short
    has left them, and the executor drops them and builds them again.
    """
    left = {
        key: tuple(index for index in table.indexes if index.valid or index.name not in online)
        for key, table in live.tables.items()
    }
    if all(left[key] == table.indexes for key, table in live.tables.items()):
        return live
    tables = {key: replace(table, indexes=left[key]) for key, table in live.tables.items()}
    return replace(live, tables=tables)


def _initial_present(incident: Incident, loader: MigrationLoader) -> bool:
    """Whether --fake-initial settles it, by Django's rule of what is initial."""
    key = incident.migration
    if incident.code is not Code.UNRECORDED_PRESENT or key is None:
        return False
    migration = loader.graph.nodes[key]
    if migration.initial is None:
        return all(app != key.app for app, _ in migration.dependencies)
    return bool(migration.initial)


def _refuse_ahead(alias: str, held: Held, facts: ScanFacts) -> None:
    """Refuse an expectation that knows of migrations which are not recorded here."""
    if not held.binding:
        return
    lost = lost_since(
        held, recorded=facts.recorded, pending=facts.pending, rows=facts.history.recorded
    )
    if lost:
        shown = ", ".join(map(str, lost[:5])) + (f" and {len(lost) - 5} more" if lost[5:] else "")
        raise ExpectedRefused(
            f"The expected snapshot of {alias} has migrations recorded that are not recorded "
            f"here: {shown}.",
            hint="Migrate first, or compare with a snapshot of the release that is deployed here.",
        )


def _gather(
    connection: BaseDatabaseWrapper,
    backend: Backend,
    loader: MigrationLoader,
    rows: tuple[HistoryRow, ...],
    recorded: tuple[MigrationKey, ...],
    pending: tuple[MigrationKey, ...],
    before: ScanResult | None,
) -> ScanFacts:
    """Walk through the recorded migrations, look at the database, walk on through the pending.

    A pending migration that a recorded one needs is walked through in its place: what comes
    after it would not fit onto the state without it.
    """
    if before is not None and before.recorded == recorded and not before.pending and not pending:
        expected = before.facts.expected
        live = backend.inspect(connection, schemas=_schemas(expected))
        live = _as_named(connection, backend, expected, live)
        return replace(
            before.facts,
            live=live,
            history=_history_facts(loader, rows),
            maxima=backend.maxima(connection, live, frozenset(expected.tables)),
            references=(),
        )
    walk = Walk(loader, Ownership(connection))
    holes = _holes(loader, recorded, frozenset(pending))
    applied = frozenset(recorded)
    done = {key: walk.apply(key) for key in full_plan(loader) if key in applied or key in holes}
    effects = tuple(done[key] for key in recorded)
    expected = walk.schema()
    live = backend.inspect(connection, schemas=_schemas(expected))
    live = _as_named(connection, backend, expected, live)
    stated = stated_expressions(walk.tables.owned_classes(), connection)
    differing = tuple(find_differing(stated, live))
    # On a database without tables nothing pending can be there already.
    empty = not set(live.tables) - {HISTORY_TABLE}
    coming = () if empty else tuple(done.get(key) or walk.apply(key) for key in pending)
    return ScanFacts(
        expected=expected,
        live=live,
        recorded=effects,
        pending=coming,
        history=_history_facts(loader, rows),
        opaque_tables=opaque_tables(effects),
        differing=differing,
        # A pending migration may be about to be recorded, with what its tables hold.
        maxima=backend.maxima(connection, live, frozenset(expected.tables) | _made_by(coming)),
        unmigrated=_unmigrated_tables(connection),
    )


def _made_by(effects: Iterable[Effect]) -> frozenset[str]:
    return frozenset(t.key for e in effects for operation in e.operations for t in operation.tables)


def _unmigrated_tables(connection: BaseDatabaseWrapper) -> frozenset[str]:
    """Tables that `run_syncdb` makes here: of models of apps without migrations."""
    migrated = load_disk().migrated_apps
    ownership = Ownership(connection)
    return frozenset(
        table_key(*split_key(model._meta.db_table))
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label not in migrated and ownership.owns(model)
    )


def _holes(
    loader: MigrationLoader,
    recorded: tuple[MigrationKey, ...],
    pending: frozenset[MigrationKey],
) -> frozenset[MigrationKey]:
    """Pending migrations that recorded ones depend on, at any distance."""
    found: set[MigrationKey] = set()
    waiting = list(recorded)
    seen: set[MigrationKey] = set()
    while waiting:
        for parent in loader.graph.node_map[waiting.pop()].parents:
            key = MigrationKey(*parent.key)
            if key not in seen:
                seen.add(key)
                waiting.append(key)
                if key in pending:
                    found.add(key)
    return frozenset(found)


def _history_facts(loader: MigrationLoader, rows: tuple[HistoryRow, ...]) -> HistoryFacts:
    disk = loader.disk_migrations or {}
    parents: dict[MigrationKey, tuple[MigrationKey, ...]] = {}
    for key, migration in disk.items():
        if key in loader.graph.node_map:
            found = [node.key for node in loader.graph.node_map[key].parents]
        else:  # replaced by a squash, so not a node: what its file says has to do
            found = [parent for parent in migration.dependencies if parent[1][:2] != "__"]
        parents[MigrationKey(*key)] = tuple(sorted(MigrationKey(*parent) for parent in found))
    return HistoryFacts(
        nodes=frozenset(MigrationKey(*key) for key in disk),
        parents=parents,
        replacements={
            MigrationKey(*key): tuple(MigrationKey(*other) for other in migration.replaces)
            for key, migration in disk.items()
            if migration.replaces
        },
        recorded=tuple(row.migration for row in rows),
        apps=frozenset(config.label for config in apps.get_app_configs()),
    )


def _schemas(expected: Schema) -> tuple[str, ...]:
    """Schemas that a `db_table` names, beside those of the search path."""
    return tuple(sorted({split_key(key)[0] for key in expected.tables} - {""}))


def _as_named(
    connection: BaseDatabaseWrapper, backend: Backend, expected: Schema, live: Schema
) -> Schema:
    """Tables of the search path under the key of a `db_table` that names their schema as well."""
    doubted = {
        key
        for key in expected.tables
        if key not in live.tables and split_key(key)[0] and split_key(key)[1] in live.tables
    }
    for key in backend.visible(connection, doubted) if doubted else ():
        live = rename_in(live, Rename(split_key(key)[1], key, ()))
    return live


def _leaves(loader: MigrationLoader, recorded: tuple[MigrationKey, ...]) -> tuple[str, ...]:
    """Recorded nodes with no recorded child in the same app."""
    applied = set(recorded)
    return tuple(
        str(key)
        for key in sorted(recorded)
        if not any(
            MigrationKey(*child.key) in applied and child.key[0] == key.app
            for child in loader.graph.node_map[key].children
        )
    )


# -- the journal held against the rows ------------------------------------------------


def reconcile_history(
    ledger: Ledger, rows: Iterable[HistoryRow], *, alias: str, emit: Emit
) -> None:
    """Settle what an interrupted attempt left open, before anything is judged.

    Args:
        ledger: The target's chain, earlier claims included.
        rows: What django_migrations holds.
        alias: For messages.
        emit: Gets a MigrationApplied for each that turns out to be committed.

    Raises:
        Diverged: The journal holds a commit that the database has lost.
    """
    if not ledger.resumed:
        return
    replaces = {
        key: list(migration.replaces)
        for key, migration in load_disk().migrations.items()
        if migration.replaces
    }
    recorded = {(row.migration.app, row.migration.name) for row in rows}
    found = reconcile(ledger.migrations(), recorded, replaces=replaces)
    found.raise_if_diverged(alias)
    lost_leaves(ledger.known_leaves(), recorded, replaces).raise_if_diverged(alias)
    for settled in found.reconciled:
        ledger.reconciled(
            "migration",
            str(settled.migration),
            settled.attempt,
            settled.payload(),
        )
        if not settled.by_repair:  # which has said so
            emit(MigrationApplied(alias, settled.migration, 0.0, settled.attempt, how="reconciled"))


# -- companion columns -------------------------------------------------------------------

FakeDetector: TypeAlias = Callable[[Migration, Schema], bool | None]
_detectors: dict[str, FakeDetector] = {}


def register_fake_detector(app_label: str, detector: FakeDetector) -> None:
    """Tell the tool how to see that a pending migration's work is already done.

    For packages that make a companion of another app's column, say. Where it answers True the
    migration is recorded without being run, and the run journals it as a companion.

    Args:
        app_label: The app whose pending migrations are shown to the detector.
        detector: `detector(migration, live_schema) -> bool | None`; only True counts.
    """
    _detectors[app_label] = detector


def companion_detector(
    connection: BaseDatabaseWrapper, backend: Backend
) -> Callable[[Migration], bool]:
    """What the executor asks before it runs a migration.

    Args:
        connection: The target.
        backend: Its vendor.
    """

    def detect(migration: Migration) -> bool:
        detector = _detectors.get(migration.app_label)
        return detector is not None and detector(migration, backend.inspect(connection)) is True

    return detect


def _companions(facts: ScanFacts, loader: MigrationLoader) -> frozenset[MigrationKey]:
    """Pending migrations that a detector says are there already: no drift, then."""
    return frozenset(
        effect.migration
        for effect in facts.pending
        if (detector := _detectors.get(effect.migration.app)) is not None
        and detector(loader.graph.nodes[effect.migration], facts.live) is True
    )


# -- models and apps of this database ---------------------------------------------------------


def routed_models(
    connection: BaseDatabaseWrapper, labels: Iterable[str] = ()
) -> tuple[type[Model], ...]:
    """Models of apps with migrations whose table belongs on this database.

    Args:
        connection: Of the database.
        labels: Only of these apps; empty for all.
    """
    wanted = frozenset(labels)
    ownership = Ownership(connection)
    migrated = load_disk().migrated_apps
    return tuple(
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in migrated
        and (not wanted or model._meta.app_label in wanted)
        and ownership.owns(model)
    )


def owns_anything(connection: BaseDatabaseWrapper) -> bool:
    """Whether any model of the project, or an app without models, belongs on this database.

    Args:
        connection: Of the database.
    """
    ownership = Ownership(connection)
    if any(ownership.owns(model) for model in apps.get_models(include_auto_created=True)):
        return True
    return any(
        ownership.runs(config.label)
        for config in apps.get_app_configs()
        if config.label in load_disk().migrated_apps and not list(config.get_models())
    )


@contextmanager
def harmless(connection: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    """A connection for collecting SQL: never one that would create an SQLite file."""
    if connection.vendor == "sqlite" and not backend_for("sqlite").exists(connection):
        other = connection.copy()
        other.settings_dict = {**other.settings_dict, "NAME": ":memory:"}
        try:
            yield other
        finally:
            other.close()
    else:
        yield connection
