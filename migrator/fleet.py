"""Every alias of a project in one run: what is asked for, looked at, opened and driven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from journal import Journal, JournalError, MemoryJournal, Run, RunStatus, open_journal
from journal.scrub import hide
from migrator import actor, authoring
from migrator.acceptance import failed_command, parse_command, refuse_at_work
from migrator.aliases import plan_order
from migrator.conf import Settings, load_settings
from migrator.continuation import find_run, is_finished, resumed_options
from migrator.core.events import Emit, MigrationsWritten, RunClosed, RunNotice, RunOpened
from migrator.core.lifecycle import Goal
from migrator.core.options import MigratorOptions
from migrator.course import Course, asked_command
from migrator.exceptions import ExitCode, one_code
from migrator.interruption import interruptible
from migrator.phases.context import Survey
from migrator.phases.guard import mark_duplicates, survey_alias
from migrator.prompts import Prompter
from migrator.reports.document import Report
from migrator.resumption import (
    Preview,
    await_lock,
    close_all,
    refuse_altered,
    refuse_changed_files,
    refuse_moved,
    refuse_restored,
    refuse_rolled_back,
    refuse_unknown_aliases,
)
from migrator.sources import load_disk, load_file_digests
from migrator.stream import EventStream, now
from migrator.waiting import Patience
from migrator.wayback import Confirm, WayBack


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
        self._stream = EventStream(listeners)
        self._given_journal = journal
        self._began = now()

    # -- entrances ------------------------------------------------------------

    def run(self) -> Report:
        """A new run on every alias that was asked for.

        Returns:
            The report; failures of single aliases are in it.

        Raises:
            MigratorError, JournalError: Nothing was begun, or the journal failed.
        """
        aliases = plan_order(self._options.databases)
        parse_command(asked_command(self._options, self._settings), self._settings.secrets)
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
            JournalCorrupt: What it holds of the run was altered.
        """
        if self._options.dry_run:
            return self._preview_resume(prefix)
        load_disk.cache_clear()
        with self._journal() as journal, interruptible():
            run, incomplete = find_run(journal, prefix)
            refuse_altered(journal, run)
            if not incomplete:
                return self._complete(run)
            unfinished = [t for t in journal.targets(run.id) if not is_finished(t)]
            failed = None if self._settings.test_command else failed_command(journal, run)
            self._options = resumed_options(run, self._options, failed)
            parse_command(asked_command(self._options, self._settings), self._settings.secrets)
            if not unfinished:
                refuse_at_work(journal, run)
            refuse_unknown_aliases(run, [t.alias for t in unfinished], plan_order(()))
            refuse_rolled_back(journal, run, unfinished)
            if unfinished:
                refuse_changed_files(run, accept=self._options.accept_changed_migrations)
            surveys = mark_duplicates(self._survey(target.alias) for target in unfinished)
            for survey, target in zip(surveys, unfinished, strict=True):
                refuse_moved(run, target, survey)
                refuse_restored(journal, run, target)
                patience = Patience.of(
                    survey.alias, self._options, self._settings, self._stream.emit
                )
                await_lock(journal, run, survey, patience)
            if journal.find_run(run.id).status is RunStatus.COMPLETE:  # by whoever was waited for
                close_all(surveys)
                self._stream.forget()  # that it waited was said meanwhile
                return self._complete(run)
            run = journal.reopen_run(run.id)
            self._stream.emit(
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
            return self._drive(journal, run, surveys, resuming=True)

    def rollback(self, prefix: str, *, confirm: Confirm | None = None) -> Report:
        """Take back what a run has applied: all of its databases, or those asked for.

        Planned for every database before any is written to; with `dry_run`, that is all.

        Args:
            prefix: The run's id, or a unique prefix.
            confirm: Is shown what would be taken back, and raises to leave it.

        Returns:
            The report; with nothing to take back, a notice says so.

        Raises:
            RollbackRefused: Something of it cannot be reversed, or is in the way.
            UsageError: The run applied nothing by its kind, or has no such database.
            UnknownRun, AmbiguousRun, LockHeld
            JournalCorrupt: What it holds of the run was altered.
        """
        load_disk.cache_clear()
        with self._journal() as journal, interruptible():
            given = journal.find_run(prefix)
            refuse_altered(journal, given)
            way = WayBack(journal, given, self._options, self._settings, self._stream.emit)
            surveys = mark_duplicates(self._survey(alias) for alias in way.aliases(plan_order(())))
            try:
                found = way.plan(surveys)
            except BaseException:
                close_all(surveys)
                raise
            # The last first, as it went forwards.
            wanted = [survey for survey in reversed(surveys) if found[survey.alias].steps]
            close_all(survey for survey in surveys if survey not in wanted)
            if not wanted:
                return self._nothing(given, way.nothing(tuple(found.values())))
            self._options = way.options()
            way.refuse_losses(found.values())
            if confirm is not None and not self._options.dry_run:
                confirm(tuple(found[survey.alias] for survey in wanted))
            journal, run = self._open(
                journal,
                wanted,
                (),
                parent=given.id,
                rollback_steps={
                    survey.alias: [step.to_dict() for step in found[survey.alias].steps]
                    for survey in wanted
                },
            )
            written = given.options.get("migrations_written", ())
            if written:
                self._stream.emit(
                    RunNotice(
                        f"Run {given.id} had written migration files, which stay: "
                        f"{', '.join(written)}.",
                        "Remove them, or the next run applies them again.",
                    )
                )
            return self._drive(journal, run, wanted)

    def _preview_resume(self, prefix: str | None) -> Report:
        """Say what `resume` would do; neither a target nor the journal is written to."""
        with self._journal(reading=True) as journal, interruptible():
            run, incomplete = find_run(journal, prefix)
            refuse_altered(journal, run)
            if not incomplete:
                return self._complete(run)
            options = replace(resumed_options(run, self._options), dry_run=True)
            targets, known = journal.targets(run.id), plan_order(())
            aliases = tuple(target.alias for target in targets)
            self._stream.emit(
                RunOpened(run.id, "dry-run", Goal.SCANNED, aliases, self._began, True)
            )
            surveys = mark_duplicates(
                self._survey(target.alias)
                for target in targets
                if not is_finished(target) and target.alias in known
            )
            preview = Preview(journal, run, options, self._settings, self._stream.emit, known)
            try:
                shown = preview.show({survey.alias: survey for survey in surveys})
            finally:
                close_all(surveys)
            code = one_code(planned.exit_code for planned in shown)
            outcome = RunStatus.FAILED if code else RunStatus.COMPLETE
            self._stream.emit(RunClosed(run.id, outcome.value, int(code), now()))
            return self._stream.report()

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
            self._stream.emit(_no_record(error))
            journal = MemoryJournal()
        with journal:
            yield journal

    def _write_migrations(self) -> tuple[str, ...]:
        if self._options.goal is not Goal.VERIFIED:
            return ()
        authoring.run_checks()
        paths = authoring.write_migrations(self._options, self._settings)
        if paths:
            self._stream.emit(MigrationsWritten(paths))
        return paths

    def _survey(self, alias: str) -> Survey:
        return survey_alias(alias, self._settings)

    def _open(
        self,
        journal: Journal,
        surveys: Sequence[Survey],
        written: tuple[str, ...],
        *,
        parent: str = "",
        **more: Any,
    ) -> tuple[Journal, Run]:
        """Open the run; a check whose journal refuses goes on with one in memory."""
        verified = self._options.goal is Goal.VERIFIED
        options = {
            **self._options.to_dict(),
            # Of all options the only one that is free text: the others name things, and a resume
            # needs them as they are.
            "test_command": hide(self._options.test_command, self._settings.secrets),
            "migrations_written": list(written),
            "migration_files": load_file_digests() if verified else {},
            **more,
        }
        targets = [survey.as_target() for survey in surveys]
        kind, goal = self._options.kind, self._options.goal.value
        details = actor.describe_actor(self._settings.base_dir, self._settings.secrets)

        def open_in(place: Journal) -> Run:
            return place.open_run(
                kind=kind,
                goal=goal,
                options=options,
                actor=details,
                targets=targets,
                parent=parent,
            )

        try:
            run = open_in(journal)
        except JournalError as error:
            if verified:
                raise
            self._stream.emit(_no_record(error))
            journal = MemoryJournal()
            run = open_in(journal)
        aliases = tuple(survey.alias for survey in surveys)
        selection = self._options.selection
        self._stream.emit(
            RunOpened(run.id, run.kind, run.goal, aliases, self._began, selection=selection)
        )
        return journal, run

    def _drive(
        self, journal: Journal, run: Run, surveys: Sequence[Survey], *, resuming: bool = False
    ) -> Report:
        course = Course(
            journal,
            run,
            options=self._options,
            settings=self._settings,
            prompter=self._prompter,
            stream=self._stream,
            resuming=resuming,
        )
        course.drive(surveys)
        return self._stream.report()

    def _complete(self, run: Run) -> Report:
        return self._nothing(run, f"Nothing to resume: run {run.id} is complete.")

    def _nothing(self, run: Run, why: str) -> Report:
        """Said once, by the report: there is no progress to watch."""
        self._stream.note(RunNotice(why))
        self._stream.note(RunClosed(run.id, RunStatus.COMPLETE.value, ExitCode.CLEAN, now()))
        return self._stream.report()


def _no_record(error: JournalError) -> RunNotice:
    return RunNotice(f"This check leaves no record: {error.message}", error.hint)
