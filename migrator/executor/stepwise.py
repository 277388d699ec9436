"""Migrations that no single transaction covers: `atomic = False`, or MySQL.

Each operation has an intent and an outcome in the journal; `doubt` settles what has no outcome
after a crash, and an operation that was cut short is replayed statement by statement.

Deferred SQL (foreign keys and indexes that a CreateModel leaves for the end) stays at the end,
since it would give another schema anywhere else: an AlterField that drops an index that does
not exist yet, MySQL's implicit indexes. On a resume it is rebuilt by running the operations
that are done against an editor that only collects.

On a vendor with transactional DDL, Django's own schema operations get a transaction each, so
that they are done or not done; only those that the author put outside of one on purpose (an
index built CONCURRENTLY, code) stay outside. Where the migration ends with code that runs in a
transaction, the rows of django_migrations are written in that same one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.transaction import atomic

from migrator.core import events
from migrator.core.effects import MigrationKey
from migrator.exceptions import DecisionNeeded
from migrator.executor.doubt import Assumptions, Doubts, Step
from migrator.executor.operations import (
    Nature,
    is_ddl_with_state,
    is_plain_dml,
    nature_of,
    runs_in_transaction,
)
from migrator.executor.patience import Contended, LockPatience
from migrator.executor.ports import Attempt, ExecutionJournal, Kind, latest_attempt
from migrator.executor.probe import Probe
from migrator.executor.statements import StatementLog, first_line, run_deferred
from migrator.executor.witness import Witness

_KNOWN = (Nature.INERT, Nature.SCHEMA, Nature.INDEX)
"""What can be told about these without anybody's decision, however far they got."""


@dataclass(slots=True)
class StepwiseRun:
    """One migration, applied operation by operation.

    Attributes:
        alias: What messages and events call the database.
        connection: Where.
        migration: What.
        journal, emit, probe, assumptions, patience: As `CrashSafeExecutor` has them.
        record: Writes the migration's rows; called in a transaction.
        repeatable: Whether what has failed can be attempted again, as on a resume, without
            anybody's decision.
    """

    alias: str
    connection: BaseDatabaseWrapper
    migration: Migration
    journal: ExecutionJournal
    emit: events.Emit
    probe: Probe
    record: Callable[[], None]
    patience: LockPatience
    assumptions: Assumptions = field(default_factory=Assumptions)
    repeatable: bool = True
    _recorded: bool = False

    @property
    def _doubts(self) -> Doubts:
        return Doubts(
            self.alias,
            self.connection,
            self.migration,
            self.journal,
            self.probe,
            self.assumptions,
        )

    def apply(self, state: ProjectState, editor: BaseDatabaseSchemaEditor) -> ProjectState:
        """Run what is not done yet, then the deferred SQL, then write the rows.

        Args:
            state: Before the migration; mutated, as Django's `Migration.apply` does.
            editor: Entered, not atomic; its deferred SQL is empty afterwards.

        Returns:
            The state after the migration.

        Raises:
            DecisionNeeded: An operation is in doubt and nothing can tell.
            Diverged: The journal says that an operation is done, and its effect is gone.
        """
        if type(self.migration).apply is not Migration.apply:
            return self._apply_whole(state, editor)
        self._take(state, editor)
        return state

    def _take(self, state: ProjectState, editor: BaseDatabaseSchemaEditor) -> None:
        """Every operation in order, the deferred SQL, the rows."""
        count = len(self.migration.operations)
        index = 0
        while index < count:
            end = self._end_of_tail(index)
            if end is None:
                self._run_one(self._step(index, state), editor)
                index += 1
            else:
                index = self._run_tail(index, end, state, editor)
        self._finish(editor)

    # -- one operation ---------------------------------------------------------

    def _step(self, index: int, state: ProjectState) -> Step:
        operation = self.migration.operations[index]
        before = state.clone()
        operation.state_forwards(self.migration.app_label, state)
        name = f"{self.migration}:{index}"
        last = self._latest(name)
        return Step(index, operation, before, state, nature_of(operation), name, last)

    def _run_one(self, step: Step, editor: BaseDatabaseSchemaEditor) -> None:
        if self._doubts.is_done(step, editor):
            self._skip(step, editor)
            return
        with self._journaled(step) as log_failure:
            wrapped = runs_in_transaction(self.migration, step.operation)
            if wrapped or self._doubts.can_be_wrapped(step, editor):
                self._in_transaction(step, editor, log_failure)
            else:
                observable = is_ddl_with_state(step.operation) and self._doubts.is_absent(step)
                self._begin(step, **({"absent_before": True} if observable else {}))
                self._unprotected(step, editor, log_failure)
        self._done(step, editor)

    def _in_transaction(
        self, step: Step, editor: BaseDatabaseSchemaEditor, failure: dict[str, Any]
    ) -> None:
        witness = Witness(self.connection)
        ran = False
        try:
            with atomic(self.connection.alias):
                step.token = witness.token()
                self._begin(step)
                self._forwards(step, editor)
                ran = True
        except BaseException as error:
            # Rolled back; only an error of the COMMIT itself leaves it open.
            failure["effects"] = ran and not self.patience.gave_up(error)
            raise

    def _unprotected(
        self, step: Step, editor: BaseDatabaseSchemaEditor, failure: dict[str, Any]
    ) -> None:
        if step.nature is not Nature.CODE:
            log = StatementLog(editor, self.journal, step.name, resumed=step.resumed)
            # What Django's own operation has done is known, and it is gone on with as on a resume;
            # of any other, each statement is tried again by itself.
            custom = step.nature is Nature.CUSTOM
            alone = self._statements(step, lambda: True) if custom else nullcontext()
            try:
                with log.recording(), alone:
                    self._forwards(step, editor)
            except DatabaseError:
                # A failed CREATE INDEX CONCURRENTLY leaves an INVALID index.
                certain = step.nature is Nature.SCHEMA and not log.may_have_effects
                failure["effects"] = not (certain and self._answered())
                raise
            return
        written = _Written()

        def effects() -> bool:
            certain = written.count == 0 and not step.in_doubt
            return not (certain and self._answered())

        try:
            with self.connection.execute_wrapper(written), self._statements(step, effects):
                self._forwards(step, editor)
        except Exception:
            failure["effects"] = effects()
            raise

    def _statements(self, step: Step, effects: Callable[[], bool]) -> AbstractContextManager[None]:
        """Try each statement again that gets no lock; in the journal, it is the operation's next
        attempt.
        """

        def contended(error: Contended) -> None:
            self._failed(step, error, {"effects": effects(), **error.payload})

        def again() -> None:
            step.attempt += 1
            payload = {"description": step.operation.describe(), "goes_on": True}
            self.journal.intent(Kind.OPERATION, step.name, step.attempt, payload)

        return self.patience.statements(contended, again)

    def _answered(self) -> bool:
        """Whether an error was the server's answer: over a lost connection, the statement may
        have been finished all the same.
        """
        return self.connection.connection is not None and self.connection.is_usable()

    def _forwards(self, step: Step, editor: BaseDatabaseSchemaEditor) -> None:
        operation, label = step.operation, self.migration.app_label
        operation.database_forwards(label, editor, step.before, step.after)

    # -- what is passed over --------------------------------------------------

    def _skip(self, step: Step, editor: BaseDatabaseSchemaEditor) -> None:
        """Pass over it, and put back what it had deferred."""
        said = step.last.outcome.get("deferred") if step.last is not None else None
        if step.nature is Nature.SCHEMA:
            _collect(editor, lambda: self._forwards(step, editor))
        if said is not None and [str(sql) for sql in editor.deferred_sql] != list(said):
            editor.deferred_sql = list(said)
        if step.last is None or not step.last.settled:
            payload = {"deferred": [str(sql) for sql in editor.deferred_sql]}
            number = step.last.number if step.last else 1
            self.journal.reconciled(Kind.OPERATION, step.name, number, payload)
        self._emit(step, "already there", 0.0)

    # -- the end of the migration ------------------------------------------------

    def _end_of_tail(self, index: int) -> int | None:
        """Whether what is left can run in one transaction with the rows: code only."""
        left = self.migration.operations[index:]
        if self.connection.features.can_rollback_ddl:
            # One at a time: the author said atomic = False, and may commit between them.
            left_ok = len(left) == 1 and self._is_transactional_code(left[0])
        else:
            left_ok = all(
                nature_of(op) is Nature.INERT
                or self._is_transactional_code(op)
                or (self.migration.atomic and is_plain_dml(op))
                for op in left
            )
        return len(self.migration.operations) if left_ok and left else None

    def _is_transactional_code(self, operation: Operation) -> bool:
        return nature_of(operation) is Nature.CODE and runs_in_transaction(
            self.migration, operation
        )

    def _run_tail(
        self, start: int, end: int, state: ProjectState, editor: BaseDatabaseSchemaEditor
    ) -> int:
        """Run the last operations in one transaction, with the rows where nothing is deferred."""
        steps: list[Step] = []
        with_rows = not editor.deferred_sql
        failure: dict[str, Any] = {}
        ran = False
        try:
            with atomic(self.connection.alias):
                token = Witness(self.connection).token()
                for index in range(start, end):
                    step = self._step(index, state)
                    if self._doubts.is_done(step, editor):
                        self._skip(step, editor)
                        continue
                    steps.append(step)
                    step.token = token
                    self._begin(step, with_rows=with_rows)
                    with self._outside_of_ddl_rule(step, editor):
                        self._forwards(step, editor)
                if with_rows:
                    run_deferred(editor)  # code may have made some through the schema editor
                    self._record()
                ran = True
        except BaseException as error:
            failure["effects"] = ran and not self.patience.gave_up(error)
            for step in steps:
                self._failed(step, error, failure)
            raise
        for step in steps:
            self._done(step, editor)
        return end

    @contextmanager
    def _outside_of_ddl_rule(self, step: Step, editor: BaseDatabaseSchemaEditor) -> Iterator[None]:
        """Let a RunSQL of plain DML into the transaction.

        The editor of a vendor without transactional DDL refuses every statement there, in case
        it is DDL; here it is known not to be.
        """
        if self.connection.features.can_rollback_ddl or not is_plain_dml(step.operation):
            yield
            return

        def execute(sql: Any, params: Any = ()) -> None:
            with self.connection.cursor() as cursor:
                cursor.execute(str(sql), params)

        patched: Any = editor
        patched.execute = execute
        try:
            yield
        finally:
            del patched.execute

    def _finish(self, editor: BaseDatabaseSchemaEditor) -> None:
        """Deferred SQL and rows: in one transaction where the vendor can."""
        if self._recorded:
            return
        alone = any("CONCURRENTLY" in str(sql) for sql in editor.deferred_sql)
        if self.connection.features.can_rollback_ddl and not alone:
            with atomic(self.connection.alias):
                run_deferred(editor)
                self._record()
            return
        self._run_deferred_one_by_one(editor)
        with atomic(self.connection.alias):
            self._record()

    def _run_deferred_one_by_one(self, editor: BaseDatabaseSchemaEditor) -> None:
        """As one more operation, whose statements are known beforehand and journaled."""
        name = f"{self.migration}:{len(self.migration.operations)}"
        last = self._latest(name)
        if last is not None:
            if "statements" not in last.payload:
                raise DecisionNeeded(
                    f"{self.migration} has fewer operations than when it was begun on "
                    f"{self.alias}: {last.payload.get('description', name)} is gone.",
                    hint="Put it back: what was begun is not forgotten by removing it.",
                )
            editor.deferred_sql = list(last.payload["statements"])
        statements = [str(sql) for sql in editor.deferred_sql]
        if not statements or (last is not None and last.settled):
            editor.deferred_sql = []
            return
        number = last.number + 1 if last else 1
        self.journal.intent(Kind.OPERATION, name, number, {"statements": statements})
        began = time.monotonic()
        log = StatementLog(editor, self.journal, name, resumed=last is not None)
        try:
            with log.recording():
                run_deferred(editor)
        except BaseException as error:
            payload = {"error": first_line(error), "effects": True}
            seconds = time.monotonic() - began
            with suppress(Exception):
                self.journal.failed(Kind.OPERATION, name, number, seconds, payload)
            raise
        self.journal.done(Kind.OPERATION, name, number, time.monotonic() - began, {})

    def _record(self) -> None:
        if self.connection.vendor == "sqlite":
            # The editor's __exit__ does it too, but that is after the rows are committed.
            self.connection.check_constraints()
        self.record()
        self._recorded = True

    # -- a migration with an apply() of its own ----------------------------------

    def _apply_whole(self, state: ProjectState, editor: BaseDatabaseSchemaEditor) -> ProjectState:
        name = f"{self.migration}:0"
        step = Step(0, _Whole(self.migration), state, state, Nature.CODE, name, self._latest(name))
        settled = step.last is not None and step.last.settled
        if settled or (step.in_doubt and self._doubts.decide(step)):
            state = self.migration.mutate_state(state, preserve=False)
            self._skip(step, editor)
        else:
            with self._journaled(step):
                self._begin(step)
                with self._statements(step, lambda: True):
                    state = self.migration.apply(state, editor)
                    run_deferred(editor)
            self._done(step, editor)
        self._finish(editor)
        return state

    # -- the journal and the events ------------------------------------------------

    def _latest(self, name: str) -> Attempt | None:
        return latest_attempt(self.journal.entries(Kind.OPERATION), Kind.OPERATION, name)

    @contextmanager
    def _journaled(self, step: Step) -> Iterator[dict[str, Any]]:
        failure: dict[str, Any] = {}
        try:
            yield failure
        except BaseException as error:
            self._failed(step, error, failure)
            raise

    def _begin(self, step: Step, **payload: Any) -> None:
        step.attempt = (step.last.number if step.last else 0) + 1
        step.began = time.monotonic()
        if step.token:
            payload["witness"] = step.token
        payload["description"] = step.operation.describe()
        self.journal.intent(Kind.OPERATION, step.name, step.attempt, payload)

    def _failed(self, step: Step, error: BaseException, failure: dict[str, Any]) -> None:
        if not step.attempt:
            return  # its intent was never written
        payload = {"error": first_line(error), **failure}
        self.repeatable = failure.get("effects") is False or step.nature in _KNOWN
        seconds = time.monotonic() - step.began
        with suppress(Exception):  # the error at hand matters more than its journal entry
            self.journal.failed(Kind.OPERATION, step.name, step.attempt, seconds, payload)

    def _done(self, step: Step, editor: BaseDatabaseSchemaEditor) -> None:
        seconds = time.monotonic() - step.began
        payload = {"deferred": [str(sql) for sql in editor.deferred_sql]}
        self.journal.done(Kind.OPERATION, step.name, step.attempt, seconds, payload)
        self.patience.elsewhere.aliases.clear()  # of an operation that is not run again
        self._emit(step, "applied", seconds)

    def _emit(self, step: Step, how: str, seconds: float) -> None:
        key = MigrationKey(self.migration.app_label, self.migration.name)
        description = step.operation.describe()
        self.emit(events.OperationApplied(self.alias, key, step.index, description, how, seconds))


class _Whole(Operation):
    """Stands for all operations of a migration whose `apply` is its own."""

    def __init__(self, migration: Migration) -> None:
        self.migration = migration

    def describe(self) -> str:
        return f"all {len(self.migration.operations)} operations, in an apply() of its own"


class _Written:
    """Counts the statements that changed something, for `connection.execute_wrapper`."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        result = execute(sql, params, many, context)
        if not str(sql).lstrip("( \n").lower().startswith(("select", "savepoint", "set ")):
            self.count += 1
        return result


def _collect(editor: BaseDatabaseSchemaEditor, run: Callable[[], None]) -> None:
    """Run an operation that is done, for what it defers: nothing reaches the database."""
    collecting = type(editor)(editor.connection, collect_sql=True, atomic=False)
    attributes = vars(editor)
    # Whatever a collecting editor has more (since Django 6.1 also the tables it has renamed).
    lent = {name: value for name, value in vars(collecting).items() if name not in attributes}
    attributes.update(lent, collect_sql=True)
    try:
        # It may look for what it has changed itself; the journal holds what it had deferred.
        with suppress(DatabaseError, ValueError):
            run()
    finally:
        attributes["collect_sql"] = False
        for name in lent:
            del attributes[name]
