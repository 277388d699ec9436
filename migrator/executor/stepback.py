"""Migrations that no single transaction covers, taken back one operation at a time.

The way back is the way forwards with every operation reversed and the last one first, so that
all that settles a doubt after a crash serves both ways. Operations keep the index that they have
in the migration.
"""

from __future__ import annotations

import copy
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration
from django.db.migrations.state import ProjectState

from migrator.executor.doubt import Step
from migrator.executor.operations import Reversed, nature_of
from migrator.executor.stepwise import StepwiseRun


def goes_stepwise(migration: Migration) -> bool:
    """Whether it can be taken back operation by operation: it has no unapply() of its own."""
    return type(migration).unapply is Migration.unapply


class StepwiseReturn(StepwiseRun):
    """One migration, taken back operation by operation."""

    def unapply(self, state: ProjectState, editor: BaseDatabaseSchemaEditor) -> ProjectState:
        """Take back what is not taken back yet, then the deferred SQL, then remove the rows.

        Args:
            state: Before the migration; not mutated.
            editor: Entered, not atomic; its deferred SQL is empty afterwards.

        Returns:
            The state before the migration.

        Raises:
            DecisionNeeded: An operation is in doubt and nothing can tell.
            Diverged: The journal says that an operation is taken back, and its effect is there.
        """
        migration = self.migration
        self._states = [state]
        for operation in migration.operations:
            following = self._states[-1].clone()
            operation.state_forwards(migration.app_label, following)
            self._states.append(following)
        reversed_one: Any = copy.copy(migration)
        reversed_one.operations = [Reversed(each) for each in reversed(migration.operations)]
        self.migration = reversed_one
        self._take(state, editor)
        return state

    def _step(self, index: int, state: ProjectState) -> Step:  # noqa: ARG002  (it knows them all)
        """The step at a position, counted from the last operation."""
        operation = self.migration.operations[index]
        own = len(self.migration.operations) - 1 - index
        before, after = self._states[own + 1], self._states[own]
        name = f"{self.migration}:{own}"
        nature = nature_of(operation)
        return Step(own, operation, before, after, nature, name, self._latest(name))
