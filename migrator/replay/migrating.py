"""Run recorded migrations from zero, as `manage.py migrate` runs them, signals included.

Django's own executor does it: what a replay makes is what the project's migrations make, with
nothing of ours in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.apps import apps
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ModelState, ProjectState, StateApps

from migrator.core.effects import MigrationKey
from migrator.exceptions import MigratorError
from migrator.replay.protocol import Request
from migrator.sources import full_plan, load_graph


def apply_recorded(
    connection: BaseDatabaseWrapper,
    request: Request,
    say: Callable[[Mapping[str, Any]], None],
) -> None:
    """Apply what is recorded on the target, in the order of its graph.

    Args:
        connection: The scratch database, under the target's alias.
        request: What is recorded.
        say: Told of each migration before it runs.

    Raises:
        MigratorError: A migration or a receiver failed; names which.
    """
    loader = load_graph(connection, request.rows, check=False)
    wanted = _with_ancestors(loader.graph, request.wanted)
    plan = [(loader.graph.nodes[key], False) for key in full_plan(loader) if key in wanted]
    loader.applied_migrations.clear()

    position = 0
    running = ""

    def progress(action: str, migration: Any = None, fake: bool = False) -> None:  # noqa: ARG001
        nonlocal position, running
        if action == "apply_start":
            position += 1
            running = f"{migration.app_label}.{migration.name}"
            say({"migration": running, "position": position, "total": len(plan)})

    executor = MigrationExecutor(connection, progress)  # type: ignore[arg-type]
    executor.loader = loader
    before = executor._create_project_state()  # type: ignore[attr-defined]
    _signal("pre_migrate", emit_pre_migrate_signal, connection.alias, before.apps, plan)
    try:
        after: ProjectState = executor.migrate([], plan=plan, state=before.clone())
    except Exception as error:
        raise MigratorError(f"migration {running}: {_said(error)}") from error
    after.clear_delayed_apps_cache()
    _render_unmigrated(after.apps)
    _signal("post_migrate", emit_post_migrate_signal, connection.alias, after.apps, plan)


def _with_ancestors(graph: Any, keys: tuple[MigrationKey, ...]) -> frozenset[tuple[str, str]]:
    """The recorded migrations and those that they need: a hole cannot be left out."""
    found: set[tuple[str, str]] = set()
    for key in keys:
        if key not in found and key in graph.nodes:
            found.update(graph.forwards_plan(tuple(key)))
    return frozenset(found)


def _signal(name: str, emit: Any, alias: str, state_apps: StateApps, plan: list[Any]) -> None:
    try:
        emit(0, False, alias, apps=state_apps, plan=plan)
    except Exception as error:
        raise MigratorError(f"a {name} receiver: {_said(error)}") from error


def _said(error: BaseException) -> str:
    said = getattr(error, "message", "") or " ".join(str(error).split())
    return f"{type(error).__name__}: {said}".rstrip(".")


def _render_unmigrated(rendered: Any) -> None:
    """Models of apps without migrations again, now with their relations (as Django does)."""
    with rendered.bulk_update():
        keys = []
        for state in rendered.real_models:
            key = state.app_label, state.name_lower
            keys.append(key)
            rendered.unregister_model(*key)
    rendered.render_multiple([ModelState.from_model(apps.get_model(*key)) for key in keys])
