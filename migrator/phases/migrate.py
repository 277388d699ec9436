"""repaired → migrated: the plan, applied by the crash-safe executor, with Django's signals.

What surrounds the executor follows `django.core.management.commands.migrate` of Django 5.2
step by step: the receivers in `management` modules, the backend's own preparation (PostGIS makes
its extension there), pre_migrate with the recorded state, run_syncdb, the plan, the re-rendering
of models of apps without migrations, post_migrate with the final state. The signals go out also
when there is nothing to apply, so that a receiver that failed last time runs now.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module

from django.apps import apps
from django.core.management.commands.migrate import Command as MigrateCommand
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db.migrations.migration import Migration
from django.db.migrations.state import ModelState, ProjectState
from django.utils.module_loading import module_has_submodule

from migrator.amending import Amending
from migrator.core.effects import MigrationKey
from migrator.core.events import Event, MigratingStarted, MigrationApplied
from migrator.dumping import Source, back_up
from migrator.exceptions import MigrationFailed, MigratorError
from migrator.executor import CrashSafeExecutor, StatementRecorder
from migrator.gate import Gate, Passage
from migrator.phases.context import Context
from migrator.returning import remaining_steps, step_migrations
from migrator.scanner import ScanResult, companion_detector
from migrator.sources import check_history


def run(context: Context) -> None:
    """Apply what is pending.

    Raises:
        MigrationFailed, LockLost, DecisionNeeded, Diverged
    """
    scan = context.scan
    assert scan is not None  # noqa: S101  (the machine allows no other order)

    def emit(event: Event) -> None:
        if isinstance(event, MigrationApplied):
            context.applied += 1
        context.emit(event)

    recorder = StatementRecorder(emit)
    steps = remaining_steps(context.ledger, scan.loader) if context.options.rollback else ()
    passage = _pass_gate(context, scan, [step.migration for step in steps if not step.forget])
    _import_receivers()
    context.connection.prepare_database()
    executor = CrashSafeExecutor(
        context.connection,
        alias=context.alias,
        journal=context.ledger,
        emit=recorder.emit,
        lock=context.lock,
        detect=companion_detector(context.connection, context.backend),
        assume_applied=context.options.assume_applied,
        assume_not_applied=context.options.assume_not_applied,
        limits=context.limits,
        forget=[step.migration for step in steps if step.forget],
    )
    check_history(executor.loader)
    if context.options.rollback:
        plan = step_migrations(steps, executor.loader)
    else:
        plan = _plan(executor, context.options.apps)
    run_syncdb = context.options.run_syncdb and bool(executor.loader.unmigrated_apps)
    if plan:
        _back_up(context, executor, destructive=passage.destructive)
        context.emit(MigratingStarted(context.alias, len(plan), bool(context.options.rollback)))
    before = executor._create_project_state(  # type: ignore[attr-defined]
        with_applied_migrations=True
    )
    apps_before = before.apps
    _journaled(
        context,
        "pre_migrate",
        lambda: emit_pre_migrate_signal(
            max(context.options.verbosity - 1, 0),
            context.options.interactive,
            context.alias,
            stdout=sys.stdout,
            apps=apps_before,
            plan=plan,
        ),
    )
    if run_syncdb:
        _journaled(context, "run_syncdb", lambda: _sync_apps(context, executor))
    with recorder.on(context.connection):
        after: ProjectState = executor.migrate(
            _targets(executor, context.options.apps),
            plan=plan,
            state=before.clone(),
            fake_initial=context.options.fake_initial and bool(plan),
        )
    after.clear_delayed_apps_cache()
    apps_after = after.apps
    _render_unmigrated(apps_after)
    _journaled(
        context,
        "post_migrate",
        lambda: emit_post_migrate_signal(
            max(context.options.verbosity - 1, 0),
            context.options.interactive,
            context.alias,
            stdout=sys.stdout,
            apps=apps_after,
            plan=plan,
        ),
    )
    if context.options.rollback:
        _amend(context)
    context.ledger.update(
        leaves_after=[str(MigrationKey(*node)) for node in _recorded_leaves(executor)]
    )


def _amend(context: Context) -> None:
    """Bring back what the reverse operations have lost, where the schema from before the run is
    known, and nothing else has been migrated since.
    """
    ledger, identity = context.ledger, context.survey.identity
    before = ledger.found_by(context.options.rollback, identity)
    begun = ledger.found_by(ledger.run_id, identity)
    target = ledger.target_of(context.options.rollback)
    if before is None or begun is None or target is None:
        return
    rows = {row.migration for row in context.backend.history(context.connection) or ()}
    if before.rows != rows or target.server_version != str(context.survey.server):
        return
    amending = Amending(
        context.connection,
        context.backend,
        ledger,
        context.emit,
        context.limits,
        context.lock,
    )
    context.applied += amending.apply_amends(before.schema, begun.schema)


def _pass_gate(context: Context, scan: ScanResult, backwards: list[MigrationKey]) -> Passage:
    """Before anything is touched: what loses data needs somebody's consent."""
    gate = Gate(
        context.connection,
        context.backend,
        context.settings,
        context.options,
        context.prompter,
        context.ledger,
        context.emit,
    )
    if not context.options.rollback:
        return gate.pass_pending(scan)
    from migrator.planning import make_backwards_plan  # a while to import, and rarely needed

    plan = make_backwards_plan(
        context.connection,
        context.backend,
        scan.loader,
        scan.recorded,
        backwards,
        base_dir=context.settings.base_dir,
    )
    return gate.pass_plan(plan, scan.loader)


def _back_up(context: Context, executor: CrashSafeExecutor, *, destructive: bool) -> None:
    """The last step before anything is touched."""
    policy = context.options.backup or context.settings.backup
    if policy == "never" or (policy == "destructive" and not destructive):
        return
    recorded = None
    if executor.recorder.has_table():
        recorded = tuple(str(MigrationKey(*node)) for node in _recorded_leaves(executor))
    survey = context.survey
    back_up(
        Source(context.connection, str(survey.server), survey.identity, recorded),
        settings=context.settings,
        ledger=context.ledger,
        emit=context.emit,
    )


def _import_receivers() -> None:
    """Import each app's `management` module: some connect their receivers there."""
    for config in apps.get_app_configs():
        if module_has_submodule(config.module, "management"):
            import_module(".management", config.name)


def _targets(executor: CrashSafeExecutor, labels: tuple[str, ...]) -> list[tuple[str, str]]:
    """Leaf nodes of the graph, of these apps or of all."""
    leaves: list[tuple[str, str]] = executor.loader.graph.leaf_nodes()
    return [node for node in leaves if not labels or node[0] in labels]


def _plan(executor: CrashSafeExecutor, labels: tuple[str, ...]) -> list[tuple[Migration, bool]]:
    plan: list[tuple[Migration, bool]] = executor.migration_plan(_targets(executor, labels))
    return plan


def _recorded_leaves(executor: CrashSafeExecutor) -> list[tuple[str, str]]:
    """The newest recorded nodes: recorded, with no recorded child in the same app."""
    graph = executor.loader.graph
    recorded = {key for key in executor.recorder.applied_migrations() if key in graph.nodes}
    return sorted(
        key
        for key in recorded
        if not any(
            child.key in recorded and child.key[0] == key[0]
            for child in graph.node_map[key].children
        )
    )


def _journaled(context: Context, name: str, work: Callable[[], object]) -> None:
    """A step of its own in the journal, so that a receiver that fails is named."""
    attempt = context.ledger.attempts("signal", name) + 1
    context.ledger.intent("signal", name, attempt)
    began = time.monotonic()
    try:
        work()
    except MigratorError:
        raise
    except Exception as error:
        context.ledger.failed("signal", name, attempt, payload={"error": str(error)})
        raise MigrationFailed(
            f"A {name} receiver failed on {context.alias}: "
            f"{type(error).__name__}: {str(error).partition(chr(10))[0]}",
            hint="Its migrations are applied and recorded. Mend the receiver, then resume.",
        ) from error
    context.ledger.done("signal", name, attempt, time.monotonic() - began)


def _sync_apps(context: Context, executor: CrashSafeExecutor) -> None:
    command = MigrateCommand()
    command.verbosity = 0
    command.interactive = context.options.interactive
    command.sync_apps(context.connection, executor.loader.unmigrated_apps)


def _render_unmigrated(rendered: object) -> None:
    """Re-render models of apps without migrations, now with their relations."""
    with rendered.bulk_update():  # type: ignore[attr-defined]
        keys = []
        for state in rendered.real_models:  # type: ignore[attr-defined]
            key = state.app_label, state.name_lower
            keys.append(key)
            rendered.unregister_model(*key)  # type: ignore[attr-defined]
    rendered.render_multiple(  # type: ignore[attr-defined]
        [ModelState.from_model(apps.get_model(*key)) for key in keys]
    )
