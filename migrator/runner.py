"""One alias from where it stands to the goal of the run: lock, claim, transitions, outcome.

The order of durable writes is the crash protocol's: lock on the connection that runs the DDL,
claim (a new epoch) in the journal, then for each transition intent, effect, outcome. Whoever
holds the lock knows that earlier work on this database has ended, and whoever is fenced off
learns it at its next write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from django.db import Error

from journal import Fenced, Journal, JournalError, Target, TargetStatus
from migrator.actor import describe_process
from migrator.backends import Backend, Lock
from migrator.conf import Settings
from migrator.core.events import (
    AliasFailed,
    AliasFinished,
    Emit,
    Event,
    FindingsMade,
    ScanFinished,
    TargetIdentified,
    TargetSkipped,
    TransitionFinished,
    TransitionStarted,
)
from migrator.core.kept import keep_findings, keep_scan
from migrator.core.lifecycle import Goal, State, Trigger, plan_steps
from migrator.core.options import MigratorOptions
from migrator.exceptions import ExitCode, LockHeld, LockLost, MigratorError, exit_code_of
from migrator.ledger import Ledger
from migrator.machine import AliasMachine
from migrator.phases import guard, migrate, repair, scan, verify
from migrator.phases.context import Context, SkipTarget, Survey
from migrator.prompts import Prompter
from migrator.waiting import Patience, explain_by_journal

PHASES: Mapping[Trigger, Callable[[Context], None]] = {
    Trigger.GUARD: guard.run,
    Trigger.SCAN: scan.run,
    Trigger.REPAIR: repair.run,
    Trigger.MIGRATE: migrate.run,
    Trigger.VERIFY: verify.run,
}


@dataclass(frozen=True, slots=True)
class AliasResult:
    """How an alias ended.

    Attributes:
        alias: The alias.
        reached: Whether it is at the goal, or was skipped.
        error: Why it is not.
        progressed: Whether anything was applied or the goal was reached.
        drifted: Whether the scan of a check found blocking incidents.
        pending: How many migrations a check found pending.
    """

    alias: str
    reached: bool
    error: BaseException | None = None
    progressed: bool = False
    drifted: bool = False
    pending: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that this alias alone would give."""
        if self.error is not None:
            return exit_code_of(self.error)
        return ExitCode.FAILED if self.drifted or not self.reached else ExitCode.CLEAN


class AliasRunner:
    """Runs one alias of one run, once; a second pass is a second runner."""

    def __init__(
        self,
        survey: Survey,
        target: Target,
        *,
        journal: Journal,
        settings: Settings,
        options: MigratorOptions,
        emit: Emit,
        prompter: Prompter,
    ) -> None:
        """Prepare; nothing is touched before `run`.

        Args:
            survey: What the first look found.
            target: The target as the journal holds it now.
            journal: Where every step is written.
            settings: The project's settings.
            options: What was asked for.
            emit: Where events go.
            prompter: Who answers questions.
        """
        self._survey = survey
        self._target = target
        self._journal = journal
        self._settings = settings
        self._options = options
        self._prompter = prompter
        self._lock: Lock | None = None
        self._emit = emit
        self.epoch = target.epoch

    def run(self) -> AliasResult:
        """Lead the alias to the goal.

        Returns:
            The result; an error of this alias is in it, and in the journal.

        Raises:
            JournalError: The journal cannot be written: nothing may be done to any target.
            KeyboardInterrupt: Interrupted; the journal holds it.
        """
        began = time.monotonic()
        survey = self._survey
        if survey.server:
            self._emit(
                TargetIdentified(
                    survey.alias,
                    survey.connection.vendor,
                    str(survey.server),
                    survey.identity,
                )
            )
        if survey.skip:
            return self._skipped(survey.skip)
        try:
            if survey.backend is None:
                raise survey.error or MigratorError()
            self._take_lock(survey.backend)
        except MigratorError as error:
            return self._failed_unclaimed(error)
        except Error as error:
            return self._failed_unclaimed(guard.lost_contact(survey.connection, error))
        try:
            try:
                self.epoch = self._claim()
            except LockHeld as error:
                return self._failed_unclaimed(error)
            with survey.backend.keep_settings(survey.connection):
                return self._run_claimed(survey.backend, began)
        finally:
            if self._lock is not None:
                self._lock.release()

    def _take_lock(self, backend: Backend) -> None:
        if self._options.goal is not Goal.VERIFIED or self._survey.error is not None:
            return
        guard.refuse_pooler(self._survey)
        lock = backend.lock(
            self._survey.connection, run_id=self._target.run_id, alias=self._survey.alias
        )
        patience = Patience.of(self._survey.alias, self._options, self._settings, self._emit)
        patience.acquire(
            lock, lambda error: explain_by_journal(error, self._journal, self._survey.identity)
        )
        self._lock = lock

    def _claim(self) -> int:
        """A new epoch.

        Raises:
            LockHeld: Another process has brought the run to its end, while this one waited.
        """
        run_id, alias = self._target.run_id, self._survey.alias
        try:
            return self._journal.claim(run_id, alias, actor=describe_process())
        except Fenced as error:
            raise LockHeld(f"{alias}: {error.message}", hint=error.hint) from error

    def _run_claimed(self, backend: Backend, began: float) -> AliasResult:
        run_id, alias = self._target.run_id, self._survey.alias
        ledger = Ledger(self._journal, run_id, alias, self.epoch, self._options.goal)
        # As it is now: another process may have been at work while this one waited for the lock.
        machine = AliasMachine(ledger, initial=State(ledger.target.state))
        context = Context(
            survey=self._survey,
            settings=self._settings,
            options=self._options,
            emit=self._recording(ledger),
            prompter=self._prompter,
            ledger=ledger,
            backend=backend,
            lock=self._lock,
        )
        try:
            if machine.state.value == self._options.goal.value:
                ledger.finish(TargetStatus.DONE)  # all but this had been written
            else:
                self._lead(machine, context)
        except SkipTarget as skip:
            return self._skipped(skip.reason)
        except Fenced as error:
            lost = LockLost(f"{alias}: {error.message}", hint=error.hint)
            self._emit_failure(lost)
            return AliasResult(alias, False, lost, progressed=context.applied > 0)
        except JournalError:
            raise
        except KeyboardInterrupt:
            self._journal_end(machine, ledger, TargetStatus.INTERRUPTED, "interrupted")
            raise
        except Exception as error:
            self._journal_end(machine, ledger, TargetStatus.FAILED, _message(error))
            self._emit_failure(error)
            return AliasResult(alias, False, error, progressed=context.applied > 0)
        self._emit(AliasFinished(alias, machine.state.value, time.monotonic() - began))
        found = context.scan
        check = self._options.goal is Goal.SCANNED
        return AliasResult(
            alias,
            True,
            progressed=True,
            drifted=check and found is not None and found.blocked,
            pending=len(found.pending) if check and found is not None else 0,
        )

    def _recording(self, ledger: Ledger) -> Emit:
        """Also has the journal keep what a scan and the lint have found."""

        def emit(event: Event) -> None:
            if isinstance(event, ScanFinished):
                ledger.tell(scans=[keep_scan(event)])
            elif isinstance(event, FindingsMade) and event.findings:
                ledger.tell(findings=keep_findings(event.findings))
            self._emit(event)

        return emit

    def _lead(self, machine: AliasMachine, context: Context) -> None:
        if machine.state is not State.PENDING:
            self._advance(machine, Trigger.RESUME, context)
        for step in plan_steps(self._options.goal):
            self._advance(machine, step.trigger, context)

    def _advance(self, machine: AliasMachine, trigger: Trigger, context: Context) -> None:
        source = machine.state
        began = time.monotonic()
        dest = next(
            (step.dest for step in plan_steps(Goal.VERIFIED) if step.trigger is trigger),
            State.PENDING,
        )

        def effect() -> None:
            self._emit(TransitionStarted(context.alias, trigger.value, source.value, dest.value))
            phase = PHASES.get(trigger)
            if phase is None:
                return
            try:
                phase(context)
            except (JournalError, SkipTarget):
                raise
            except BaseException as error:
                with suppress(JournalError):
                    context.ledger.transition_failed(trigger, _message(error))
                raise

        machine.advance(trigger, effect)
        self._emit(
            TransitionFinished(
                context.alias, trigger.value, machine.state.value, time.monotonic() - began
            )
        )

    # -- endings -----------------------------------------------------------------

    def _skipped(self, reason: str) -> AliasResult:
        self._journal.update_target(
            self._target.run_id,
            self._survey.alias,
            epoch=None,
            status=TargetStatus.SKIPPED,
            reason=reason,
        )
        self._emit(TargetSkipped(self._survey.alias, reason))
        return AliasResult(self._survey.alias, True)

    def _failed_unclaimed(self, error: MigratorError) -> AliasResult:
        """A failure before the claim: the target record says so, no chain is touched."""
        if self._target.epoch == 0:
            with suppress(Fenced):  # somebody else has claimed it since: it is theirs to write
                self._journal.update_target(
                    self._target.run_id,
                    self._survey.alias,
                    epoch=0,
                    status=TargetStatus.FAILED,
                    reason=_message(error),
                )
        self._emit_failure(error)
        return AliasResult(self._survey.alias, False, error)

    def _journal_end(
        self, machine: AliasMachine, ledger: Ledger, status: TargetStatus, reason: str
    ) -> None:
        """Write how the alias ended; an unwritable journal must not hide the reason itself."""
        with suppress(JournalError, MigratorError):
            if status is TargetStatus.INTERRUPTED and self._is_at_goal():
                return
            if status is TargetStatus.FAILED and machine.state is not State.FAILED:
                machine.advance(Trigger.FAIL)
            ledger.finish(status, reason)

    def _is_at_goal(self) -> bool:
        """By the journal: a signal can strike when it is written and nobody has heard of it."""
        return any(
            target.state == self._options.goal.value
            for target in self._journal.targets(self._target.run_id)
            if target.alias == self._survey.alias
        )

    def _emit_failure(self, error: BaseException) -> None:
        self._emit(
            AliasFailed(
                self._survey.alias,
                type(error).__name__,
                _message(error),
                getattr(error, "hint", ""),
                int(exit_code_of(error)),
            )
        )


def _message(error: BaseException) -> str:
    """One sentence for an error; never empty."""
    message = getattr(error, "message", "") or str(error).strip().partition("\n")[0]
    return message or type(error).__name__
