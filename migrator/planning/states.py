"""A state that is rendered as it goes and leaves the operations as they were."""

from __future__ import annotations

from typing import Any, Self

from django.db.migrations.state import ProjectState

from migrator.sources.tracking import TrackingState, own_field


class PlanningState(TrackingState):
    """A TrackingState whose copies keep their rendered models.

    A plan looks at the models of every state that it passes through; rendering all of them anew
    for each operation would take minutes where Django's own way of going on takes seconds.
    """

    def clone(self) -> Self:
        state = super().clone()
        if "apps" in self.__dict__:
            state.apps = self.apps.clone()
        state.is_delayed = self.is_delayed
        return state

    def alter_field(
        self, app_label: str, model_name: str, name: str, field: Any, preserve_default: bool
    ) -> None:
        # Not the short cut of a state of which nothing is rendered.
        ProjectState.alter_field(
            self, app_label, model_name, name, own_field(field), preserve_default
        )
        self.dirty.add((app_label, model_name))

    def _rename_in_options(
        self, app_label: str, model_name: str, old_name: str, new_name: str
    ) -> None:
        """Not here: what Django makes of the operations that follow is what is to be shown."""
