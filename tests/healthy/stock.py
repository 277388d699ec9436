"""Django's own migrations on several databases at once, from zero.

Most of the time of `migrate` goes into the state: with several hundred models that all refer to
`auth.User`, every operation renders most of them anew, and four databases would do that four
times over. Here each operation's states are made once, and Django's operations and schema
editors do the rest on each database, as `MigrationExecutor` and `Migration.apply` have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from django.apps import apps
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import connections
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.transaction import atomic
from django.utils.module_loading import module_has_submodule

Look = Callable[[int, Migration], None]


def migrate_everywhere(aliases: Sequence[str], look: Look | None = None) -> int:
    """Apply every migration to empty databases.

    Args:
        aliases: Of the databases.
        look: Called after each migration with its number, from 1 on.

    Returns:
        How many migrations were applied to each.
    """
    for config in apps.get_app_configs():  # they connect receivers, as the command knows
        if module_has_submodule(config.module, "management"):
            import_module(".management", config.name)
    executors = {alias: MigrationExecutor(connections[alias]) for alias in aliases}
    first = executors[aliases[0]]
    plan = [item for item, _ in first.migration_plan(first.loader.graph.leaf_nodes())]
    for alias, executor in executors.items():
        executor.recorder.ensure_schema()
        emit_pre_migrate_signal(0, False, alias, plan=[(item, False) for item in plan])
    state = first._create_project_state(with_applied_migrations=True)
    for number, migration in enumerate(plan, 1):
        state.apps  # noqa: B018 - rendered before each migration, as the executor does
        state = _apply(migration, state, executors)
        if look is not None:
            for executor in executors.values():
                executor.check_replacements()
            look(number, migration)
    state.clear_delayed_apps_cache()
    for alias, executor in executors.items():
        executor.check_replacements()
        emit_post_migrate_signal(
            0, False, alias, apps=state.apps, plan=[(item, False) for item in plan]
        )
    return len(plan)


def _apply(migration: Migration, state: Any, executors: dict[str, MigrationExecutor]) -> Any:
    with ExitStack() as stack:
        editors = [
            stack.enter_context(executor.connection.schema_editor(atomic=migration.atomic))
            for executor in executors.values()
        ]
        for operation in migration.operations:
            before = state.clone()
            operation.state_forwards(migration.app_label, state)
            for editor in editors:
                wanted = operation.atomic or (migration.atomic and operation.atomic is not False)
                alone = wanted and not editor.atomic_migration
                with atomic(editor.connection.alias) if alone else ExitStack():
                    operation.database_forwards(migration.app_label, editor, before, state)
    for executor in executors.values():
        executor.record_migration(migration)
    return state
