"""The Python API: what the commands do, for programs. docs/reference/api.md has examples."""

from __future__ import annotations

from dataclasses import replace

from migrator.core.events import Emit
from migrator.core.options import MigratorOptions
from migrator.fleet import Fleet
from migrator.progress import MigratorLogger
from migrator.prompts import Prompter
from migrator.reports.document import Report
from migrator.wayback import Confirm


class Migrator:
    """Runs the lifecycle on the databases of the configured Django project."""

    def __init__(
        self,
        options: MigratorOptions | None = None,
        log: MigratorLogger | None = None,
        *,
        prompter: Prompter | None = None,
        listeners: tuple[Emit, ...] = (),
    ) -> None:
        """Prepare; nothing is touched yet.

        Args:
            options: What to do; the defaults are those of `manage.py migrate_all`.
            log: Reads the event stream and writes lines; None writes nothing.
            prompter: Who answers questions; by default nobody, so that a decision that would
                need asking fails with DecisionNeeded.
            listeners: Further readers of the event stream.
        """
        self._options = options or MigratorOptions()
        self._prompter = prompter or Prompter(granted_flags(self._options))
        self._listeners: tuple[Emit, ...] = ((log,) if log else ()) + listeners

    def migrate_all(self) -> Report:
        """Take every alias through the lifecycle.

        Returns:
            The report; failures of single aliases are in it.

        Raises:
            MigratorError: Nothing was begun: a usage error, or makemigrations failed.
            journal.JournalError: The journal cannot be used, so nothing was done.
        """
        return self._fleet(self._options).run()

    def check(self) -> Report:
        """Guards and scan only; writes nothing to any target.

        Returns:
            The report, with the drift of each alias.
        """
        return self._fleet(replace(self._options, check=True, dry_run=False, repair=False)).run()

    def resume(self, run_id: str | None = None) -> Report:
        """Continue an interrupted or failed run; with `dry_run`, say what that would do.

        Args:
            run_id: Its id or a unique prefix; None for the newest that can be continued.

        Returns:
            The report of the continuation.

        Raises:
            NothingToResume, ResumeRefused: Nothing was touched.
            journal.UnknownRun, journal.AmbiguousRun: No such run, or more than one.
        """
        return self._fleet(self._options).resume(run_id)

    def rollback(self, run_id: str, *, confirm: Confirm | None = None) -> Report:
        """Take back what a run has applied; with `dry_run`, show what that would do.

        Args:
            run_id: Its id or a unique prefix.
            confirm: Is shown what would be taken back, one AliasReturn for each database, and
                raises to leave it; None goes ahead.

        Returns:
            The report.

        Raises:
            RollbackRefused: It cannot be taken back; nothing was touched.
            UsageError: The run applied nothing by its kind, or has no such database.
            journal.UnknownRun, journal.AmbiguousRun: No such run, or more than one.
        """
        return self._fleet(self._options).rollback(run_id, confirm=confirm)

    def _fleet(self, options: MigratorOptions) -> Fleet:
        return Fleet(options, listeners=self._listeners, prompter=self._prompter)


def granted_flags(options: MigratorOptions) -> frozenset[str]:
    """Flags of a command line that decide what would be asked, as options have them.

    Args:
        options: What was asked for.
    """
    return frozenset({"--allow-destructive"} if options.allow_destructive else ())
