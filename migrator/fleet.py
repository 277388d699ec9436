"""Every alias of a project in one run: order, passes, interruption, and how the run ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from journal import (
    Journal,
    JournalError,
    MemoryJournal,
    Run,
    RunStatus,
    Target,
    TargetStatus,
    open_journal,
)
from migrator import actor, authoring
from migrator.conf import Settings, load_settings
from migrator.core.events import (
    Emit,
    Event,
    MigrationsWritten,
    PassStarted,
    RunClosed,
    RunNotice,
    RunOpened,
)
from migrator.core.lifecycle import Goal
from migrator.core.options import MigratorOptions
from migrator.exceptions import (
    ExitCode,
    LockHeld,
    MigrationFailed,
    NothingToResume,
    ResumeRefused,
    UnknownAlias,
    VerificationFailed,
)
from migrator.interruption import interruptible, raise_if_received, uninterruptible
from migrator.phases.context import Survey
from migrator.phases.guard import mark_duplicates, survey_alias
from migrator.prompts import Prompter
from migrator.reports.document import Report, ReportBuilder
from migrator.resumption import (
    Preview,
    await_lock,
    close_all,
    refuse_changed_files,
    refuse_moved,
    refuse_unknown_aliases,
)
from migrator.runner import AliasResult, AliasRunner
from migrator.sources import load_disk, load_file_digests
from migrator.waiting import Patience

RETRIED = (MigrationFailed, VerificationFailed)
"""What another alias's progress may cure; a guard or drift it cannot."""


class Fleet:
    """The aliases of one run."""

    def __init__(
        self,
        options: MigratorOptions,
        *,
        listeners: Sequence[Emit] = (),
        prompter: Prompter | None = None,
        settings: Settings | None = None,
        journal: Journal | None = None,
    ) -> None:
        """Prepare; nothing is touched before `run` or `resume`.

        Args:
            options: What was asked for.
            listeners: Who else reads the event stream (progress, logs).
            prompter: Who answers questions; the base class answers none.
            settings: The project's settings; read from Django's when absent.
            journal: An open journal; opened from the settings when absent.

        Raises:
            ConfigurationError: The settings cannot be used.
        """
        self._options = options
        self._settings = settings or load_settings()
        self._prompter = prompter or Prompter()
        self._listeners = tuple(listeners)
        self._builder = ReportBuilder()
        self._given_journal = journal
        self._results: dict[str, AliasResult] = {}
        self._epochs: dict[str, int] = {}
        self._resuming = False
        self._began = _now()

    # -- entrances ------------------------------------------------------------

    def run(self) -> Report:
        """A new run on every alias that was asked for.

        Returns:
            The report; failures of single aliases are in it.

        Raises:
            MigratorError, JournalError: Nothing was begun, or the journal failed.
        """
        aliases = plan_order(self._options.databases)
        load_disk.cache_clear()  # a program may have written migrations since its last run
        with self._journal() as journal, interruptible():
            written = self._write_migrations()
            surveys = mark_duplicates(self._survey(alias) for alias in aliases)
            journal, run = self._open(journal, surveys, written)
            return self._drive(journal, run, surveys)

    def resume(self, prefix: str | None = None) -> Report:
        """Continue an interrupted or failed run; with no id, the newest that can be.

        Returns:
            The report of what this continuation did.

        Raises:
            NothingToResume, ResumeRefused, UnknownRun, AmbiguousRun, LockHeld
        """
        if self._options.dry_run:
            return self._preview_resume(prefix)
        load_disk.cache_clear()
        with self._journal() as journal, interruptible():
            run = self._find(journal, prefix)
            if run is None:
                return self._builder.build()
            unfinished = [t for t in journal.targets(run.id) if not _finished(t)]
            self._options = _resumed_options(run, self._options)
            refuse_unknown_aliases(run, [t.alias for t in unfinished], plan_order(()))
            if unfinished:
                refuse_changed_files(run, accept=self._options.accept_changed_migrations)
            surveys = mark_duplicates(self._survey(target.alias) for target in unfinished)
            for survey, target in zip(surveys, unfinished, strict=True):
                refuse_moved(run, target, survey)
                patience = Patience.of(survey.alias, self._options, self._settings, self._emit)
                await_lock(journal, run, survey, patience)
            self._resuming = True
            run = journal.reopen_run(run.id)
            self._emit(
                RunOpened(
                    run.id,
                    run.kind,
                    run.goal,
                    tuple(t.alias for t in unfinished),
                    self._began,
                    resumed=True,
                    selection=self._options.selection,
                )
            )
            return self._drive(journal, run, surveys)

    def _preview_resume(self, prefix: str | None) -> Report:
        """Say what `resume` would do; neither a target nor the journal is written to."""
        with self._journal(reading=True) as journal, interruptible():
            run = self._find(journal, prefix)
            if run is None:
                return self._builder.build()
            options = replace(_resumed_options(run, self._options), dry_run=True)
            targets, known = journal.targets(run.id), plan_order(())
            aliases = tuple(target.alias for target in targets)
            self._emit(RunOpened(run.id, "dry-run", Goal.SCANNED, aliases, self._began, True))
            surveys = mark_duplicates(
                self._survey(target.alias)
                for target in targets
                if not _finished(target) and target.alias in known
            )
            preview = Preview(journal, run, options, self._settings, self._emit, known)
            try:
                shown = preview.show({survey.alias: survey for survey in surveys})
            finally:
                close_all(surveys)
            code = one_code(planned.exit_code for planned in shown)
            outcome = RunStatus.FAILED if code else RunStatus.COMPLETE
            self._emit(RunClosed(run.id, outcome.value, int(code), _now()))
            return self._builder.build()

    # -- the run -----------------------------------------------------------------

    @contextmanager
    def _journal(self, *, reading: bool = False) -> Iterator[Journal]:
        if self._given_journal is not None:
            yield self._given_journal
            return
        try:
            journal = open_journal(self._settings.journal_url, create=not reading)
        except JournalError as error:
            if reading or self._options.goal is not Goal.SCANNED:
                raise
            self._emit(_no_record(error))
            journal = MemoryJournal()
        with journal:
            yield journal

    def _write_migrations(self) -> tuple[str, ...]:
        if self._options.goal is not Goal.VERIFIED:
            return ()
        authoring.run_checks()
        paths = authoring.write_migrations(self._options, self._settings)
        if paths:
            self._emit(MigrationsWritten(paths))
        return paths

    def _survey(self, alias: str) -> Survey:
        return survey_alias(alias, self._settings)

    def _open(
        self, journal: Journal, surveys: Sequence[Survey], written: tuple[str, ...]
    ) -> tuple[Journal, Run]:
        """Open the run; a check whose journal refuses goes on with one in memory."""
        verified = self._options.goal is Goal.VERIFIED
        options = {
            **self._options.to_dict(),
            "migrations_written": list(written),
            "migration_files": load_file_digests() if verified else {},
        }
        targets = [_target(survey) for survey in surveys]
        kind, goal = self._options.kind, self._options.goal.value
        details = actor.describe_actor(self._settings.base_dir)

        def open_in(place: Journal) -> Run:
            return place.open_run(
                kind=kind, goal=goal, options=options, actor=details, targets=targets
            )

        try:
            run = open_in(journal)
        except JournalError as error:
            if verified:
                raise
            self._emit(_no_record(error))
            journal = MemoryJournal()
            run = open_in(journal)
        aliases = tuple(survey.alias for survey in surveys)
        selection = self._options.selection
        self._emit(RunOpened(run.id, run.kind, run.goal, aliases, self._began, selection=selection))
        return journal, run

    def _drive(self, journal: Journal, run: Run, surveys: Sequence[Survey]) -> Report:
        try:
            return self._drive_to_its_end(journal, run, surveys)
        finally:
            close_all(surveys)

    def _drive_to_its_end(self, journal: Journal, run: Run, surveys: Sequence[Survey]) -> Report:
        try:
            self._passes(journal, run, surveys)
        except KeyboardInterrupt:
            with uninterruptible():
                self._close(journal, run, RunStatus.INTERRUPTED, ExitCode.INTERRUPTED)
            return self._builder.build()
        except JournalError as error:
            self._emit(
                RunNotice(f"The journal failed, nothing more was done: {error.message}", error.hint)
            )
            self._emit(RunClosed(run.id, "failed", int(ExitCode.FAILED), _now()))
            return self._builder.build()
        code = self._exit_code()
        # A check that found drift has failed: a later run that succeeds supersedes it.
        reached = all(result.reached for result in self._results.values())
        well = reached and code is ExitCode.CLEAN
        self._close(journal, run, RunStatus.COMPLETE if well else RunStatus.FAILED, code)
        return self._builder.build()

    def _passes(self, journal: Journal, run: Run, surveys: Sequence[Survey]) -> None:
        """Each alias in order; those that failed once more, while others make progress."""
        waiting = {survey.alias: survey for survey in surveys}
        failed_at: dict[str, int] = {}
        progress = 0
        number = 1
        while waiting:
            if number > 1:
                self._emit(PassStarted(number, tuple(waiting)))
            for survey in waiting.values():
                result = self._run_alias(journal, run, survey)
                self._results[survey.alias] = result
                progress += result.progressed
                if result.error or survey.alias != tuple(waiting)[-1]:
                    raise_if_received(result.error)
                if not result.reached:
                    failed_at[survey.alias] = progress
                    if self._settings.stop_on_failure:
                        return
            waiting = {
                alias: self._survey(alias)
                for alias in waiting
                if isinstance(self._results[alias].error, RETRIED) and failed_at[alias] < progress
            }
            number += 1

    def _run_alias(self, journal: Journal, run: Run, survey: Survey) -> AliasResult:
        target = next(t for t in journal.targets(run.id) if t.alias == survey.alias)
        runner = AliasRunner(
            survey,
            target,
            journal=journal,
            settings=self._settings,
            options=self._options,
            emit=self._emit,
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

    def _close(self, journal: Journal, run: Run, status: RunStatus, code: ExitCode) -> None:
        """Close the run, unless another process has taken one of its targets over since."""
        try:
            if not self._taken_over(journal, run):
                journal.close_run(run.id, status)
        except JournalError as error:
            self._emit(
                RunNotice(f"The journal still holds this run as open: {error.message}", error.hint)
            )
            if code is ExitCode.CLEAN:  # no run is clean that the journal calls incomplete
                status, code = RunStatus.FAILED, ExitCode.FAILED
        self._emit(RunClosed(run.id, status.value, int(code), _now()))

    def _taken_over(self, journal: Journal, run: Run) -> bool:
        claimed = any(
            target.epoch > self._epochs.get(target.alias, target.epoch)
            for target in journal.targets(run.id)
        )
        held = any(isinstance(result.error, LockHeld) for result in self._results.values())
        return claimed or (self._resuming and held)

    def _emit(self, event: Event) -> None:
        self._builder.add(event)
        for listener in self._listeners:
            listener(event)

    def _find(self, journal: Journal, prefix: str | None) -> Run | None:
        """The run to continue; None (and a notice) when it is finished already."""
        if prefix is not None:
            run = journal.find_run(prefix)
            if run.goal != Goal.VERIFIED.value:
                raise ResumeRefused(
                    f"Run {run.id} is a {run.kind}; there is nothing in it to continue.",
                    hint="Start it again instead.",
                )
            complete = run.status is RunStatus.COMPLETE
        else:
            incomplete = [r for r in journal.incomplete_runs() if r.goal == Goal.VERIFIED.value]
            newest = journal.runs(limit=1)
            if not incomplete and not newest:
                raise NothingToResume(
                    f"The journal {journal.location} holds no run yet.",
                    hint="Check MIGRATOR_JOURNAL_URL, or start a run without --resume.",
                )
            run = incomplete[0] if incomplete else newest[0]
            complete = not incomplete
        if not complete:
            return run
        # Said once, by the report: there is no progress to watch.
        self._builder.add(RunNotice(f"Nothing to resume: run {run.id} is complete."))
        self._builder.add(RunClosed(run.id, RunStatus.COMPLETE.value, ExitCode.CLEAN, _now()))
        return None


# -- order and targets ------------------------------------------------------------


def plan_order(wanted: Sequence[str]) -> tuple[str, ...]:
    """The aliases of a run: `default` first, then by name.

    Args:
        wanted: Only these; empty for all.

    Raises:
        UnknownAlias: One of them is not in DATABASES.
    """
    from django.db import connections

    known = sorted(connections, key=lambda alias: (alias != "default", alias))
    for alias in wanted:
        if alias not in known:
            raise UnknownAlias(
                f"DATABASES has no alias {alias!r}.", hint=f"Known: {', '.join(known)}."
            )
    return tuple(alias for alias in known if not wanted or alias in wanted)


def one_code(codes: Iterable[int]) -> ExitCode:
    """One exit code for many aliases: their own when they agree, FAILED when they do not."""
    unclean = {ExitCode(code) for code in codes} - {ExitCode.CLEAN}
    if not unclean:
        return ExitCode.CLEAN
    return unclean.pop() if len(unclean) == 1 else ExitCode.FAILED


def _target(survey: Survey) -> Target:
    return Target(
        run_id="",
        alias=survey.alias,
        vendor=survey.connection.vendor,
        server_version=str(survey.server or ""),
        identity=survey.identity,
    )


def _finished(target: Target) -> bool:
    return target.status in (TargetStatus.DONE, TargetStatus.SKIPPED)


def _no_record(error: JournalError) -> RunNotice:
    return RunNotice(f"This check leaves no record: {error.message}", error.hint)


def _now() -> str:
    return datetime.now(UTC).isoformat()


# -- what a resume refuses ------------------------------------------------------------


def _resumed_options(run: Run, given: MigratorOptions) -> MigratorOptions:
    """What the run was opened with; how to talk, and what was decided since, from now."""
    stored = run.options
    return replace(
        given,
        check=False,
        dry_run=False,
        repair=bool(stored.get("repair")) or given.repair,
        skip_makemigrations=True,
        apps=tuple(stored.get("apps", ())),
        fake_initial=bool(stored.get("fake_initial")),
        run_syncdb=bool(stored.get("run_syncdb")),
        assume_applied=(*stored.get("assume_applied", ()), *given.assume_applied),
        assume_not_applied=(*stored.get("assume_not_applied", ()), *given.assume_not_applied),
    )
