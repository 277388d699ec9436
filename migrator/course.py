"""A run that has been opened, on its way to its end: passes, the test command, how it is closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from journal import Journal, JournalError, Run, RunStatus
from migrator.acceptance import Acceptance, secrets_of
from migrator.conf import Settings
from migrator.continuation import is_finished
from migrator.core.events import PassStarted, RunClosed, RunNotice
from migrator.core.options import MigratorOptions
from migrator.exceptions import (
    AcceptanceFailed,
    ExitCode,
    LockHeld,
    MigrationFailed,
    VerificationFailed,
    one_code,
)
from migrator.interruption import raise_if_received, uninterruptible
from migrator.phases.context import Survey
from migrator.phases.guard import survey_alias
from migrator.prompts import Prompter
from migrator.resumption import close_all
from migrator.runner import AliasResult, AliasRunner
from migrator.stream import EventStream, now

RETRIED = (MigrationFailed, VerificationFailed)
"""What another alias's progress may cure; a guard or drift it cannot."""


class Course:
    """Drives one opened run."""

    def __init__(
        self,
        journal: Journal,
        run: Run,
        *,
        options: MigratorOptions,
        settings: Settings,
        prompter: Prompter,
        stream: EventStream,
        resuming: bool = False,
    ) -> None:
        """Prepare; nothing is touched before `drive`.

        Args:
            journal, run: The run, and where it stands.
            options: What was asked for.
            settings: The project's.
            prompter: Who answers questions.
            stream: Where events go.
            resuming: Whether the run was begun by an earlier process.
        """
        self._journal = journal
        self._run = run
        self._options = options
        self._settings = settings
        self._prompter = prompter
        self._stream = stream
        self._resuming = resuming
        self._results: dict[str, AliasResult] = {}
        self._epochs: dict[str, int] = {}

    def drive(self, surveys: Sequence[Survey]) -> None:
        """Take every alias through its lifecycle and close the run; the events tell how it went.

        Args:
            surveys: The first look at each alias, in order. Their connections are closed.
        """
        try:
            self._drive(surveys)
        finally:
            close_all(surveys)

    def _drive(self, surveys: Sequence[Survey]) -> None:
        emit, failed = self._stream.emit, RunStatus.FAILED.value
        accepted = True
        try:
            self._passes(surveys)
            if self._is_well():
                accepted = self._accept()
        except KeyboardInterrupt:
            with uninterruptible():
                self._close(RunStatus.INTERRUPTED, ExitCode.INTERRUPTED)
            return
        except LockHeld as error:  # of the test command: the run is the other one's to close
            emit(RunNotice(error.message, error.hint))
            emit(RunClosed(self._run.id, failed, int(error.exit_code), now()))
            return
        except JournalError as error:
            emit(
                RunNotice(f"The journal failed, nothing more was done: {error.message}", error.hint)
            )
            emit(RunClosed(self._run.id, failed, int(ExitCode.FAILED), now()))
            return
        code = self._exit_code() if accepted else ExitCode.FAILED
        # A check that found drift has failed: a later run that succeeds supersedes it.
        well = accepted and self._is_well()
        self._close(RunStatus.COMPLETE if well else RunStatus.FAILED, code)

    def _is_well(self) -> bool:
        reached = all(result.reached for result in self._results.values())
        return reached and self._exit_code() is ExitCode.CLEAN

    def _accept(self) -> bool:
        """Run the test command, if there is one for this kind of run; whether it is content."""
        command = asked_command(self._options, self._settings)
        if not command or self._run.kind not in ("migrate", "repair"):
            return True
        acceptance = Acceptance(
            self._journal,
            self._run,
            command,
            self._settings.base_dir,
            self._stream.emit,
            self._settings.secrets,
            secrets_of(_passwords()),
        )
        try:
            acceptance.check()
        except AcceptanceFailed as error:
            self._stream.emit(RunNotice(error.message, error.hint))
            return False
        return True

    def _passes(self, surveys: Sequence[Survey]) -> None:
        """Each alias in order; those that failed once more, while others make progress."""
        waiting = {survey.alias: survey for survey in surveys}
        failed_at: dict[str, int] = {}
        progress = 0
        number = 1
        while waiting:
            if number > 1:
                self._stream.emit(PassStarted(number, tuple(waiting)))
            for survey in waiting.values():
                result = self._run_alias(survey, number)
                self._results[survey.alias] = result
                progress += result.progressed
                if result.error or survey.alias != tuple(waiting)[-1]:
                    raise_if_received(result.error)
                if self._resuming and isinstance(result.error, LockHeld):
                    self._leave_the_rest(surveys)
                    return
                if not result.reached:
                    failed_at[survey.alias] = progress
                    if self._settings.stop_on_failure:
                        return
            waiting = {
                alias: survey_alias(alias, self._settings)
                for alias in waiting
                if isinstance(self._results[alias].error, RETRIED) and failed_at[alias] < progress
            }
            number += 1

    def _leave_the_rest(self, surveys: Sequence[Survey]) -> None:
        """Of two resumes at once, who meets the other stops there: with each going on past the
        other, both would find taken what they need next, and nobody would finish the run.
        """
        rest = [survey.alias for survey in surveys if survey.alias not in self._results]
        if rest:
            self._stream.emit(
                RunNotice(
                    f"Left as they are: {', '.join(rest)}.",
                    "Resume again when whoever holds the lock has ended.",
                )
            )

    def _run_alias(self, survey: Survey, number: int) -> AliasResult:
        target = next(t for t in self._journal.targets(self._run.id) if t.alias == survey.alias)
        options = self._options
        if number > 1:  # what is in doubt since the last pass, nobody has seen yet
            options = replace(options, assume_applied=(), assume_not_applied=())
        runner = AliasRunner(
            survey,
            target,
            journal=self._journal,
            settings=self._settings,
            options=options,
            emit=self._stream.emit,
            prompter=self._prompter,
        )
        try:
            return runner.run()
        finally:
            self._epochs[survey.alias] = runner.epoch
            close_all([survey])

    def _exit_code(self) -> ExitCode:
        codes = [result.exit_code for result in self._results.values()]
        if self._options.fail_on_pending and any(r.pending for r in self._results.values()):
            codes.append(ExitCode.FAILED)
        return one_code(codes)

    def _close(self, status: RunStatus, code: ExitCode) -> None:
        """Close the run, unless another process has taken one of its targets over since."""
        try:
            if not self._taken_over(status):
                self._journal.close_run(self._run.id, status)
        except JournalError as error:
            self._stream.emit(
                RunNotice(f"The journal still holds this run as open: {error.message}", error.hint)
            )
            if code is ExitCode.CLEAN:  # no run is clean that the journal calls incomplete
                status, code = RunStatus.FAILED, ExitCode.FAILED
        self._stream.emit(RunClosed(self._run.id, status.value, int(code), now()))

    def _taken_over(self, status: RunStatus) -> bool:
        targets = self._journal.targets(self._run.id)
        if status is RunStatus.COMPLETE and all(map(is_finished, targets)):
            return False  # whoever else came had nothing left to do
        claimed = any(
            target.epoch > self._epochs.get(target.alias, target.epoch) for target in targets
        )
        held = any(isinstance(result.error, LockHeld) for result in self._results.values())
        return claimed or (self._resuming and held)


def asked_command(options: MigratorOptions, settings: Settings) -> str:
    """The test command of a run, blank for none.

    Args:
        options: What was asked for; an empty command there does without the setting's.
        settings: The project's.
    """
    given = options.test_command
    return (settings.test_command if given is None else given).strip()


def _passwords() -> list[object]:
    """Of all databases of the project."""
    from django.db import connections

    return [entry.get("PASSWORD") for entry in connections.settings.values()]
