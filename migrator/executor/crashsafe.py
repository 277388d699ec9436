"""Django's MigrationExecutor, with the rows in the same transaction as what they record.

Stock Django writes the row of a migration after the commit wherever the schema editor has
deferred SQL (most foreign keys), always when unapplying, and the rows of a squash one by one: a
process that is killed in between leaves a database that the next `migrate` cannot go on with.
Here deferred SQL, rows and DDL are committed together; the resulting schema is the same, byte
for byte, since the same statements run in the same order.

The journal's intent is written before the transaction begins and its outcome after the commit.
The row is the truth; `reconcile_with` holds the two against each other when a run is resumed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from django.db import DatabaseError, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from django.db.transaction import atomic

from migrator.backends import Lock
from migrator.core import events
from migrator.core.effects import MigrationKey
from migrator.core.limits import Limits
from migrator.exceptions import (
    LockHeld,
    LockLost,
)
from migrator.executor.attempts import KEPT, Attempts, Outcome
from migrator.executor.doubt import Assumptions
from migrator.executor.operations import (
    passing_over_irreversible,
    runs_code,
    to_take_back,
)
from migrator.executor.patience import Contended, LockPatience
from migrator.executor.ports import ExecutionJournal, JournalEntry, Kind, NullExecutionJournal
from migrator.executor.probe import Probe, SchemaProbe
from migrator.executor.reconciliation import Reconciliation, reconcile
from migrator.executor.statements import run_deferred
from migrator.executor.states import Trail
from migrator.executor.stepback import StepwiseReturn, goes_stepwise
from migrator.executor.stepwise import StepwiseRun

# Django 6.0 records a squash of squashes recursively, and its own row right after.
_RECORDS_RECURSIVELY = "forward" in inspect.signature(MigrationExecutor.record_migration).parameters


def _ignore(event: events.Event) -> None:
    """The default of `emit`."""


T = TypeVar("T")
R = TypeVar("R", bound=StepwiseRun)

_WAIT = "Let the sessions in its way finish, then go on with --resume."


@dataclass(frozen=True, slots=True)
class _Decided:
    """How a migration is to be applied.

    `error` where that could not be found out; `stated`: whether the state is the one after it.
    """

    how: str
    state: ProjectState
    error: Exception | None = None
    stated: bool = True


@dataclass(frozen=True, slots=True)
class _Applied:
    state: ProjectState
    faked: bool
    stated: bool


class CrashSafeExecutor(MigrationExecutor):
    """A MigrationExecutor that can be killed anywhere and goes on where it was."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        progress_callback: Callable[..., Any] | None = None,
        *,
        alias: str = "",
        journal: ExecutionJournal | None = None,
        emit: events.Emit | None = None,
        lock: Lock | None = None,
        detect: Callable[[Migration], bool] | None = None,
        probe: Probe | None = None,
        assume_applied: Collection[str] = (),
        assume_not_applied: Collection[str] = (),
        forget: Collection[tuple[str, str]] = (),
        limits: Limits | None = None,
    ) -> None:
        """Load the migrations.

        Args:
            connection: The connection that runs the DDL (and holds the lock).
            progress_callback: As Django's.
            alias: What messages and events call it; by default the connection's own alias.
            journal: Where intents and outcomes go; nowhere by default.
            emit: Where events go; nowhere by default.
            lock: Checked before each migration; None: nobody else is expected.
            detect: True for a pending migration whose effect a companion has already made; it
                is recorded without being run.
            probe: Tells whether an operation's effect is live; by default SchemaProbe.
            assume_applied: "app.name" or "app.name:index": operations of it that are in doubt
                count as done.
            assume_not_applied: The same, they are run again.
            forget: Migrations of which only the row goes when they are unapplied: they were
                recorded without having been run.
            limits: How long to wait for locks and how often to try; by default as the server
                has it, and once.
        """
        super().__init__(connection, progress_callback)
        self.alias = alias or connection.alias
        self.journal: ExecutionJournal = journal or NullExecutionJournal()
        self.emit: events.Emit = emit or _ignore
        self.lock = lock
        self.detect = detect
        self.probe: Probe = probe or SchemaProbe(connection)
        self.assumptions = Assumptions(tuple(assume_applied), tuple(assume_not_applied))
        self.forget = frozenset(forget)
        self.patience = LockPatience(connection, alias=self.alias, limits=limits, emit=self.emit)
        self._attempts = Attempts(
            self.alias, connection, self.journal, self.emit, self.patience, self._runs_here
        )
        self._position = 0
        self._total = 0
        self._unsettled = False
        """Whether the limits may be others than ours, since code has run."""
        self._trail: Trail | None = None
        self._rows: set[tuple[str, str]] = set(self.loader.applied_migrations or ())

    # -- before -----------------------------------------------------------------

    def reconcile_with(self, entries: Iterable[JournalEntry]) -> Reconciliation:
        """Settle what an interrupted run left open: journal and announce what was committed.

        Args:
            entries: The run's entries for this alias.

        Returns:
            What was settled and what will be attempted again.

        Raises:
            Diverged: The journal says committed, the rows say no.
        """
        replaces = {key: list(squash.replaces) for key, squash in self.loader.replacements.items()}
        recorded = self.recorder.applied_migrations()
        found = reconcile(entries, recorded.keys(), replaces=replaces)
        found.raise_if_diverged(self.alias)
        for settled in found.reconciled:
            name, payload = str(settled.migration), settled.payload()
            self.journal.reconciled(Kind.MIGRATION, name, settled.attempt, payload)
            self.emit(
                events.MigrationApplied(
                    self.alias,
                    settled.migration,
                    seconds=0.0,
                    attempt=settled.attempt,
                    how="reconciled",
                )
            )
        return found

    def _migrate_all_forwards(self, state: Any, plan: Any, *args: Any, **kwargs: Any) -> Any:
        self._position, self._total = 0, len(plan)
        inner: Any = super()
        self._trail = Trail(state) if plan else None
        try:
            with self.patience.in_force() if plan else nullcontext():
                return inner._migrate_all_forwards(state, plan, *args, **kwargs)
        finally:
            self._trail = None

    def _migrate_all_backwards(self, plan: Any, *args: Any, **kwargs: Any) -> Any:
        self._position, self._total = 0, len(plan)
        inner: Any = super()
        with self.patience.in_force() if plan else nullcontext():
            return inner._migrate_all_backwards(plan, *args, **kwargs)

    # -- one migration ------------------------------------------------------------

    def apply_migration(
        self,
        state: ProjectState,
        migration: Migration,
        fake: bool = False,
        fake_initial: bool = False,
    ) -> ProjectState:
        """Run a migration forwards.

        Args:
            state: Before it.
            migration: What to run.
            fake: Record it without running it.
            fake_initial: The same when it is initial and its tables exist.

        Returns:
            The state after it.

        Raises:
            MigrationFailed: It raised; the cause is kept.
            LockTimedOut: It got no lock, however often it was tried.
            LockLost: Somebody else may have been at work in between.
            DecisionNeeded: An operation is in doubt and nothing can tell.
        """
        self._report("apply_start", migration, fake)
        states = self._states_before(state)
        applied = self._persist(
            migration, lambda: self._apply_once(next(states), migration, fake, fake_initial)
        )
        if self._trail is not None and applied.stated:
            self._trail.passed(migration)
        self._report("apply_success", migration, applied.faked)
        return applied.state

    def _states_before(self, state: ProjectState) -> Iterator[ProjectState]:
        """The state before a migration, for each attempt: one changes what it is given as far as
        it gets. Outside of a plan, where nobody knows what has led to it, it is copied.
        """
        trail = self._trail
        if trail is None:
            while True:
                yield state.clone()
        yield state
        while True:
            yield trail.state()

    def _apply_once(
        self, state: ProjectState, migration: Migration, fake: bool, fake_initial: bool
    ) -> _Applied:
        # Decided before the intent is written: whoever takes a run back has to know what was only
        # recorded, also where the answer to the COMMIT was lost.
        decided = self._decide(state, migration, fake, fake_initial)
        state, fake = decided.state, decided.how != "applied"
        with self._attempt(migration, "forwards", decided.how) as outcome:
            if decided.error is not None:
                raise decided.error
            if fake:
                with atomic(self.connection.alias):
                    self._record(migration)
            elif self._attempts.is_transactional(migration):
                with self._editing(atomic=True) as editor:
                    state = migration.apply(state, editor)
                    run_deferred(editor)
                    self._record(migration)
            else:
                outcome.run = self._stepwise(migration, StepwiseRun)
                with self._editing(atomic=migration.atomic) as editor:
                    state = outcome.run.apply(state, editor)
        return _Applied(state, fake, stated=decided.stated)

    def _decide(
        self, state: ProjectState, migration: Migration, fake: bool, fake_initial: bool
    ) -> _Decided:
        """Whether a migration is run, or recorded alone."""
        try:
            if fake:
                return _Decided("faked", state, stated=False)  # as Django has it
            if fake_initial:
                fake, state = self.detect_soft_applied(state, migration)
            if fake:
                return _Decided("faked", state)
            if self.detect is not None and self.detect(migration):
                # Unlike `migrate --fake`, what follows runs, and needs the state.
                return _Decided("companion", migration.mutate_state(state, preserve=False))
        except Exception as error:  # raised again where it is journaled
            return _Decided("applied", state, error)
        return _Decided("applied", state)

    def unapply_migration(
        self, state: ProjectState, migration: Migration, fake: bool = False
    ) -> ProjectState:
        """Run a migration backwards.

        Args:
            state: Before it was applied.
            migration: What to undo.
            fake: Forget it without undoing it.

        Returns:
            The state before it.

        Raises:
            MigrationFailed: It raised; the cause is kept.
            LockTimedOut: It got no lock, however often it was tried.
            LockLost: Somebody else may have been at work in between.
        """
        fake = fake or (migration.app_label, migration.name) in self.forget
        self._report("unapply_start", migration, fake)
        passed = passing_over_irreversible(migration, self._runs_here)
        before = self._persist(passed, lambda: self._unapply_once(state, passed, fake))
        self._report("unapply_success", passed, fake)
        return before

    def _unapply_once(self, state: ProjectState, migration: Migration, fake: bool) -> ProjectState:
        how = "forgotten" if fake else "unapplied"
        migration = to_take_back(migration)
        with self._attempt(migration, "backwards", how) as outcome:
            if fake:
                with atomic(self.connection.alias):
                    self._record(migration, forwards=False)
            elif self._attempts.is_transactional(migration):
                with self._editing(atomic=True) as editor:
                    state = migration.unapply(state, editor)
                    run_deferred(editor)
                    self._record(migration, forwards=False)
            elif goes_stepwise(migration):
                returning = self._stepwise(migration, StepwiseReturn)
                outcome.run = returning
                with self._editing(atomic=migration.atomic) as editor:
                    state = returning.unapply(state, editor)
            else:
                # What cannot be rolled back is not begun again: only its statements are.
                outcome.repeatable = False
                with self._editing(atomic=migration.atomic) as editor, self.patience.statements():
                    state = migration.unapply(state, editor)
                with atomic(self.connection.alias):
                    self._record(migration, forwards=False)
        return state

    def _persist(self, migration: Migration, attempt: Callable[[], T]) -> T:
        """Attempt it until it gets its locks, as often as the limits allow."""
        key = MigrationKey(migration.app_label, migration.name)
        self._position += 1

        def once() -> T:
            self._ensure_lock(migration)
            self.patience.elsewhere.aliases.clear()
            if self._unsettled:
                self.patience.set_again()
            self._unsettled = runs_code(migration)
            return attempt()

        watched = runs_code(migration) and self.patience.limits.retries
        elsewhere = self.patience.elsewhere.observed(self.connection.alias)
        with self.patience.spent_on(key), elsewhere if watched else nullcontext():
            try:
                return self.patience.persist(once)
            except Contended as error:
                self.emit(events.MigrationFailed(self.alias, key, error.attempt, error.text))
                whole = self._attempts.is_transactional(migration)
                hint = "" if whole else f"{KEPT} {_WAIT}"
                raise self.patience.exhausted(error, hint) from error.__cause__

    def _runs_here(self, app_label: str, **hints: Any) -> bool:
        """Whether the project's routers let something run on this database."""
        return bool(router.allow_migrate(self.connection.alias, app_label, **hints))

    def check_replacements(self) -> None:
        """Mark squashes applied whose replaced set is, all of them or none."""
        with atomic(self.connection.alias):
            super().check_replacements()
        for key, squash in self.loader.replacements.items():
            if self._rows.issuperset(squash.replaces):
                self._rows.add(key)

    def _attempt(
        self, migration: Migration, direction: str, how: str
    ) -> AbstractContextManager[Outcome]:
        place = self._position, self._total
        return self._attempts.journaled(migration, direction, how, place)

    def _stepwise(self, migration: Migration, kind: type[R]) -> R:
        return kind(
            alias=self.alias,
            connection=self.connection,
            migration=migration,
            journal=self.journal,
            emit=self.emit,
            probe=self.probe,
            record=partial(self._record, migration, forwards=kind is StepwiseRun),
            assumptions=self.assumptions,
            patience=self.patience,
        )

    # -- rows -----------------------------------------------------------------------

    def _record(self, migration: Migration, *, forwards: bool = True) -> None:
        """Write or remove all rows of a migration: its own, and those that a squash replaces."""
        key = (migration.app_label, migration.name)
        record: Any = self.record_migration
        if _RECORDS_RECURSIVELY:
            record(*key, forwards)
        elif forwards:
            record(migration)
            # Django 5.2 leaves the squash's own row to check_replacements, at the very end.
            rows = self.recorder.migration_qs.filter(app=key[0], name=key[1])
            if migration.replaces and not rows.exists():
                self.recorder.record_applied(*key)
        else:
            for replaced in (*migration.replaces, key):
                self.recorder.record_unapplied(*replaced)
        ours = set(self._rows_of(key))
        self._rows = self._rows | ours if forwards else self._rows - ours

    def _rows_of(self, key: tuple[str, str]) -> Iterator[tuple[str, str]]:
        yield key
        migration = self.loader.disk_migrations.get(key)
        for replaced in migration.replaces if migration else ():
            yield from self._rows_of(replaced)

    # -- the schema editor ------------------------------------------------------------

    @contextmanager
    def _editing(self, *, atomic: bool) -> Iterator[BaseDatabaseSchemaEditor]:
        """A schema editor that never leaves a transaction open, whatever happens.

        SQLite's checks the foreign keys first when it is left, and when that raises, also on the
        way out of another error, it leaves the transaction open and hides the first error.
        """
        # Inside of the editor's transaction, SQLite could not create the table any more.
        self.recorder.ensure_schema()
        editor = self.connection.schema_editor(atomic=atomic)
        editor.__enter__()
        try:
            yield editor
        except BaseException as error:
            try:
                editor.__exit__(type(error), error, error.__traceback__)
            except DatabaseError:
                self._abandon(editor, error)
            raise
        try:
            editor.__exit__(None, None, None)
        except BaseException as error:
            self._abandon(editor, error)
            raise

    def _abandon(self, editor: BaseDatabaseSchemaEditor, error: BaseException) -> None:
        block: Any = getattr(editor, "atomic", None)
        if block is not None and block in self.connection.atomic_blocks:
            block.__exit__(type(error), error, error.__traceback__)
        with suppress(DatabaseError):
            self.connection.enable_constraint_checking()

    def _report(self, action: str, migration: Migration, fake: bool) -> None:
        if self.progress_callback:
            self.progress_callback(action, migration, fake)

    # -- the lock -----------------------------------------------------------------------

    def _ensure_lock(self, migration: Migration) -> None:
        """Hold the lock, or take it again where a migration merely closed its connection.

        Raises:
            LockLost: Somebody else has it, or had it and changed the history.
        """
        if self.lock is None or self._is_lock_held(self.lock):
            return
        alias = self.alias
        try:
            self.lock.acquire()
        except LockHeld as error:
            raise LockLost(
                f"The lock of {alias} was lost before {migration}, and another run has it: "
                f"{error.message}",
                hint="Let that run finish, then go on with --resume.",
            ) from error
        if self._rows != set(self.recorder.applied_migrations()):
            raise LockLost(
                f"The lock of {alias} was lost before {migration}, and the history has been "
                "changed by somebody else since.",
                hint="Go on with --resume: it starts again from what is recorded now.",
            )

    def _is_lock_held(self, lock: Lock) -> bool:
        try:
            return lock.held()
        except DatabaseError:
            self.connection.close()
            return False
