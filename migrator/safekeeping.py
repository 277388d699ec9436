"""Backing databases up on demand, outside of any migration: `migrator backup`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from journal import Journal, Run, RunStatus, TargetStatus, open_journal
from migrator import actor
from migrator.aliases import plan_order
from migrator.conf import Settings
from migrator.core.events import BackupMade, Event
from migrator.core.lifecycle import Goal
from migrator.core.spelling import spell_bytes
from migrator.dumping import Archive, Source, make_backup
from migrator.exceptions import BackupFailed, MigratorError
from migrator.interruption import interruptible, uninterruptible
from migrator.ledger import Ledger
from migrator.phases.context import Survey
from migrator.phases.guard import mark_duplicates, refuse_pooler, survey_alias
from migrator.resumption import close_all
from migrator.scanner import owns_anything

KIND = "backup"
GOAL = "backed-up"

Say = Callable[[str], None]


def back_up_databases(
    databases: Iterable[str], settings: Settings, *, directory: Path | None, say: Say
) -> tuple[str, tuple[Archive, ...]]:
    """Back up each database; the first failure ends it.

    Args:
        databases: Only these aliases; empty for all that own anything.
        settings: The project's.
        directory: Instead of MIGRATOR["BACKUP_DIR"].
        say: Told what was done, one sentence each.

    Returns:
        The id of the run, and the backups.

    Raises:
        UnknownAlias: DATABASES has no such alias.
        MigratorError: A database does not answer, is locked by a run, or was not backed up.
    """
    wanted = tuple(databases)
    with open_journal(settings.journal_url) as journal, interruptible():
        surveys = _surveyed(wanted, settings)
        if not surveys:
            raise BackupFailed("There is no database to back up.")
        run = journal.open_run(
            kind=KIND,
            goal=GOAL,
            options={"databases": list(wanted)},
            actor=actor.describe_actor(settings.base_dir, settings.secrets),
            targets=[survey.as_target() for survey in surveys],
        )
        try:
            made = tuple(
                _back_up(journal, run, survey, settings, directory, say) for survey in surveys
            )
        except BaseException as error:
            with uninterruptible():
                interrupted = isinstance(error, KeyboardInterrupt)
                journal.close_run(
                    run.id, RunStatus.INTERRUPTED if interrupted else RunStatus.FAILED
                )
            raise
        finally:
            close_all(surveys)
        journal.close_run(run.id, RunStatus.COMPLETE)
        return run.id, made


def _surveyed(wanted: tuple[str, ...], settings: Settings) -> list[Survey]:
    surveys = []
    for survey in mark_duplicates(survey_alias(alias, settings) for alias in plan_order(wanted)):
        if survey.skip:
            continue
        if survey.error is not None:
            raise survey.error
        if wanted or owns_anything(survey.connection):
            refuse_pooler(survey)
            surveys.append(survey)
    return surveys


def _back_up(
    journal: Journal,
    run: Run,
    survey: Survey,
    settings: Settings,
    directory: Path | None,
    say: Say,
) -> Archive:
    """One database, under its lock: nothing migrates it meanwhile."""
    assert survey.backend is not None  # noqa: S101  (an unsupported vendor is an error)

    def emit(event: Event) -> None:
        if isinstance(event, BackupMade):
            say(f"{event.alias}: {spell_bytes(event.bytes)} in {event.seconds:.1f} s")

    lock = survey.backend.lock(survey.connection, run_id=run.id, alias=survey.alias)
    lock.acquire()
    try:
        epoch = journal.claim(run.id, survey.alias, actor=actor.describe_process())
        ledger = Ledger(journal, run.id, survey.alias, epoch, Goal.VERIFIED)
        rows = survey.backend.history(survey.connection)
        newest = {row.migration.app: str(row.migration) for row in rows or ()}
        source = Source(
            survey.connection,
            str(survey.server),
            survey.identity,
            None if rows is None else tuple(sorted(newest.values())),
        )
        try:
            archive = make_backup(
                source, settings=settings, ledger=ledger, emit=emit, directory=directory
            )
        except BaseException as error:
            with uninterruptible():
                said = error.message if isinstance(error, MigratorError) else type(error).__name__
                interrupted = isinstance(error, KeyboardInterrupt)
                ledger.finish(
                    TargetStatus.INTERRUPTED if interrupted else TargetStatus.FAILED, said
                )
            raise
        ledger.update(state=GOAL, status=TargetStatus.DONE)
        return archive
    finally:
        lock.release()
