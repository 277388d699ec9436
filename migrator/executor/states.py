"""The state before a migration, once more: what an attempt has changed of it cannot be used again.

A copy before every migration costs 2 to 3 % of a run's processor time (200 models, from zero), and
only an attempt that got no lock is ever made again. So one copy is kept, of the state
before the first migration, and what was applied since is applied to it when it is needed.
"""

from __future__ import annotations

from django.db.migrations import Migration
from django.db.migrations.state import ProjectState


class Trail:
    """The migrations that have led from one state to the one before the next."""

    def __init__(self, start: ProjectState) -> None:
        """Keep a copy of the state, without its rendered models.

        Args:
            start: Before the first migration.
        """
        self._start = _without_models(start)
        self._passed: list[Migration] = []

    def passed(self, migration: Migration) -> None:
        """It has changed the state."""
        self._passed.append(migration)

    def state(self) -> ProjectState:
        """The state before the next migration, rendered; nothing else refers to it."""
        state = _without_models(self._start)
        for migration in self._passed:
            state = migration.mutate_state(state, preserve=False)
        state.apps  # noqa: B018  (renders all at once, as Django does before the first migration)
        return state


def _without_models(state: ProjectState) -> ProjectState:
    models = {key: model.clone() for key, model in state.models.items()}
    return ProjectState(models=models, real_apps=state.real_apps)
