"""What is in doubt after a crash, and what settles it.

Strongest first: what the journal says; the transaction's own status; the name of an index; a
probe of the live schema; what the user says; what the author said. Else nobody knows, and a
person has to decide.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddIndex, Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from migrator.exceptions import DecisionNeeded, Diverged
from migrator.executor.operations import (
    TAKEN_BACK,
    Nature,
    Reversed,
    fills_nulls,
    index_operation,
)
from migrator.executor.ports import Attempt, ExecutionJournal, Kind, latest_attempt
from migrator.executor.probe import Probe, inspect_index
from migrator.executor.witness import Witness


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the user vouches for: "app.name" or "app.name:index"."""

    applied: Collection[str] = ()
    not_applied: Collection[str] = ()

    def about(self, migration: str, index: int) -> bool | None:
        """True: assume applied; False: assume not; None: nothing was said."""
        names = {migration, f"{migration}:{index}"}
        if names & set(self.applied):
            return True
        return False if names & set(self.not_applied) else None


@dataclass(slots=True)
class Step:
    """One operation on its way through."""

    index: int
    operation: Operation
    before: ProjectState
    after: ProjectState
    nature: Nature
    name: str
    last: Attempt | None
    token: str = ""
    began: float = 0.0
    attempt: int = 0
    resumed: bool = False

    @property
    def was(self) -> str:
        """What the journal says was begun in its place, if that is another operation: somebody
        has edited the file since. "" where it is the same, or nothing of it can be left.
        """
        if self.last is None or not (self.last.settled or self.in_doubt):
            return ""
        if "statements" in self.last.payload:
            return "the end of the migration"
        was = str(self.last.payload.get("description", ""))
        same = was.removesuffix(TAKEN_BACK) == self.operation.describe().removesuffix(TAKEN_BACK)
        return "" if same else was

    @property
    def in_doubt(self) -> bool:
        """Whether an earlier attempt may have left something."""
        return (
            self.last is not None
            and not self.last.settled
            and self.last.outcome.get("effects") is not False
        )


@dataclass(frozen=True, slots=True)
class Doubts:
    """Decides for one migration what is passed over and what is run."""

    alias: str
    connection: BaseDatabaseWrapper
    migration: Migration
    journal: ExecutionJournal
    probe: Probe
    assumptions: Assumptions = field(default_factory=Assumptions)

    def can_be_wrapped(self, step: Step, editor: BaseDatabaseSchemaEditor) -> bool:
        """Whether a transaction of our own may be put around it, where Django has none."""
        on_postgresql = self.connection.vendor == "postgresql"
        label = self.migration.app_label
        return (
            step.nature is Nature.SCHEMA
            and self.connection.features.can_rollback_ddl
            # A backend of somebody else's may build CONCURRENTLY whatever the operation is.
            and type(editor).__module__.startswith("django.")
            and not (on_postgresql and fills_nulls(step.operation, step.before, label))
        )

    def is_done(self, step: Step, editor: BaseDatabaseSchemaEditor) -> bool:
        """Whether to pass over it; decides what is in doubt."""
        if step.was:
            return self._decide_changed(step)
        if step.last is not None and step.last.settled:
            self._check_still_there(step)
            return True
        if step.nature is Nature.INDEX:
            return self._settle_index(step, editor)
        if not step.in_doubt or step.nature is Nature.INERT:
            return False
        assert step.last is not None  # noqa: S101  (typing: in_doubt says so)
        committed = Witness(self.connection).committed(
            step.last.payload.get("witness", ""), changes_schema=step.nature is Nature.SCHEMA
        )
        if committed and self.connection.vendor == "sqlite":
            # It counts anybody's changes of the schema (VACUUM too), and knows no transactions.
            return self._ask(step) is not False
        if committed is not None:
            if committed and step.nature is Nature.SCHEMA and self._ask(step) is False:
                raise self._lost(step, "was committed")
            return committed
        if step.nature is Nature.SCHEMA:
            if self.can_be_wrapped(step, editor):
                # All or nothing. None: it alters what has no name, and may do so again.
                return self._ask(step) is True
            step.resumed = True
            return False
        if step.nature is Nature.CODE and step.last.payload.get("with_rows"):
            return False  # in one transaction with the rows, which are not there
        if step.last.payload.get("absent_before") and (shown := self._shown(step)) is not None:
            return shown
        if step.nature is Nature.CUSTOM and (live := self._ask(step)) is not None:
            step.resumed = not live
            return live
        return self.decide(step)

    @staticmethod
    def _onwards(step: Step) -> int:
        """From the index of an operation to that of the one which comes after it."""
        return -1 if isinstance(step.operation, Reversed) else 1

    def _ask(self, step: Step) -> bool | None:
        return self.probe(self.migration, step.index, step.before, step.after)

    def is_absent(self, step: Step) -> bool:
        """Whether nothing of its effect is there yet, as far as its state tells."""
        return self.probe(self.migration, step.index, step.after, step.before) is True

    def _shown(self, step: Step) -> bool | None:
        """Of one statement whose effect was not there before it: whether it is now.

        Returns:
            None: A part of it, so that the state says more than the statement does.
        """
        if self._ask(step) is True:
            return True
        return False if self.is_absent(step) else None

    def decide(self, step: Step) -> bool:
        """What the user or the author said about it.

        Raises:
            DecisionNeeded: Neither said anything.
        """
        said = self.assumptions.about(str(self.migration), step.index)
        if said is not None:
            return said
        if getattr(self.migration, "idempotent", False) is True:
            return False
        raise DecisionNeeded(
            f"Operation {step.index} ({step.operation.describe()}) of {self.migration} on "
            f"{self.alias} was begun and has no outcome, and nothing in the database "
            "can tell whether it took effect.",
            hint=f"Look at its data, then resume with --assume-applied {self.migration} to go on "
            f"after it, or --assume-not-applied {self.migration} to run it again; a migration "
            "that may always run twice says so with `idempotent = True`.",
        )

    def _decide_changed(self, step: Step) -> bool:
        """What the user said about an operation that has taken another one's place.

        Said of the migration as a whole it does not count: that may be about the other one.

        Raises:
            DecisionNeeded: Nothing.
        """
        name = f"{self.migration}:{step.index}"
        if name in self.assumptions.applied:
            return True
        if name in self.assumptions.not_applied:
            return False
        raise DecisionNeeded(
            f"Operation {step.index} of {self.migration} ({step.operation.describe()}) is not what "
            f"was begun on {self.alias} under that number ({step.was}).",
            hint="Keep the operations that were begun in their places and put new ones after "
            f"them; or say how it stands: --assume-applied {name} or --assume-not-applied {name}.",
        )

    def _settle_index(self, step: Step, editor: BaseDatabaseSchemaEditor) -> bool:
        """An index by its name: INVALID is dropped; valid after a doubtful attempt is done."""
        operation = index_operation(step.operation)
        declares = isinstance(operation, AddIndex)
        adds = declares is not isinstance(step.operation, Reversed)
        name = operation.index.name if declares else operation.name
        if not name:
            return False
        state = step.after if adds else step.before
        model = state.apps.get_model(self.migration.app_label, operation.model_name)
        if not operation.allow_migrate_model(self.connection.alias, model):
            return False
        live = inspect_index(self.connection, model._meta.db_table, name)
        if adds and live == "invalid":
            # Also on a first attempt: the journal may have been lost.
            index = next(each for each in model._meta.indexes if each.name == name)
            editor.remove_index(model, index, concurrently=True)  # type: ignore[call-arg]
            return False
        return step.in_doubt and live == ("valid" if adds else "absent")

    def _check_still_there(self, step: Step) -> None:
        """The newest operation that is done must still show; older ones may be undone by it."""
        following = latest_attempt(
            self.journal.entries(Kind.OPERATION),
            Kind.OPERATION,
            f"{self.migration}:{step.index + self._onwards(step)}",
        )
        if following is None and self._ask(step) is False:
            raise self._lost(step, "is done")

    def _lost(self, step: Step, how: str) -> Diverged:
        return Diverged(
            f"The journal says that operation {step.index} ({step.operation.describe()}) of "
            f"{self.migration} {how} on {self.alias}, and its effect is gone."
        )
