"""Every exception of the package, and every exit code, in one place.

The docstring of a class is its default message. A message says what happened and
where; the hint says what to do next. Neither ever holds a credential.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import journal


class ExitCode(IntEnum):
    """What a command returns to the shell; the contract that pipelines are written against."""

    CLEAN = 0
    FAILED = 1
    USAGE = 2
    DECISION = 3
    LOCKED = 4
    INTERRUPTED = 130


def one_code(codes: Iterable[int]) -> ExitCode:
    """One exit code for many databases: their own when they agree, FAILED when they do not.

    Args:
        codes: Of each.
    """
    unclean = {ExitCode(code) for code in codes} - {ExitCode.CLEAN}
    if not unclean:
        return ExitCode.CLEAN
    return unclean.pop() if len(unclean) == 1 else ExitCode.FAILED


class MigratorError(Exception):
    """The run failed."""

    exit_code: ExitCode = ExitCode.FAILED
    default_hint: str = ""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        """Keep the message and the hint apart, so that reports can lay them out.

        Args:
            message: What happened and where, one sentence. Empty: the class docstring.
            hint: What to do next, one sentence. Empty: the class's own default.
        """
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint or self.default_hint
        super().__init__(self.message)


# -- usage -----------------------------------------------------------------


class UsageError(MigratorError):
    """The command was called in a way that it does not understand."""

    exit_code = ExitCode.USAGE


class UnknownAlias(UsageError):
    """No database of that alias in DATABASES."""


class ConfigurationError(UsageError):
    """The settings of the migrator cannot be used."""


class NothingToResume(UsageError):
    """The journal holds no run that can be resumed."""


# -- guards ----------------------------------------------------------------


class GuardError(MigratorError):
    """A guard refused this database."""


class DatabaseUnreachable(GuardError):
    """The database does not answer."""


class DatabaseReadOnly(GuardError):
    """The database does not accept writes."""


class MirrorLeak(GuardError):
    """A router sends writes to a mirror."""


class HistoryInconsistent(GuardError):
    """The migration graph or the recorded history contradicts itself."""


class LockHeld(GuardError):
    """Another run holds the lock of this database."""

    exit_code = ExitCode.LOCKED


class PoolerInBetween(GuardError):
    """A transaction-pooling proxy stands between us and the server."""


# -- phases ----------------------------------------------------------------


class InspectionError(MigratorError):
    """The catalog of the database could not be read."""


class ScratchRefused(MigratorError):
    """A scratch database for a replay cannot be made."""

    default_hint = (
        "Let the role create databases (PostgreSQL: ALTER ROLE … CREATEDB), name another server "
        'in MIGRATOR["SCRATCH"], or check with --expected and a snapshot that CI has made.'
    )


class ReplayFailed(MigratorError):
    """The recorded migrations do not run from zero."""

    default_hint = (
        "Check without --deep, or give the replay what its migrations find elsewhere: "
        'MIGRATOR["SCRATCH"] takes another server or a TEMPLATE.'
    )


class ExpectedRefused(MigratorError):
    """The expected snapshot does not fit this database."""


class DriftFound(MigratorError):
    """The schema and the recorded history disagree."""

    default_hint = "Look at it with --check, mend it with --repair."


class DecisionNeeded(MigratorError):
    """Somebody has to decide before this can go on."""

    exit_code = ExitCode.DECISION


class RepairFailed(MigratorError):
    """The repair did not lead to a clean scan."""


class MigrationFailed(MigratorError):
    """A migration failed."""


class LockTimedOut(MigrationFailed):
    """A migration got no lock on a table in time, however often it was tried."""

    default_hint = (
        "Nothing of it was kept. Let the sessions that hold the lock finish, or give more time "
        "with --lock-timeout and --lock-retries, then go on with --resume."
    )


class StatementTimedOut(MigrationFailed):
    """A statement of a migration took longer than it may."""


class DestructiveStep(DecisionNeeded):
    """A pending migration would lose data."""

    default_hint = "Look at it with migrator plan; consent with --allow-destructive."


class BackupFailed(MigratorError):
    """The backup could not be made, so nothing was migrated."""


class ToolFailed(MigratorError):
    """A client program of the database failed."""


class RestoredInPart(ToolFailed):
    """A restore failed when the database had been changed already."""


class ArchiveRefused(MigratorError):
    """The backup is not what it was when it was made."""

    default_hint = "Take another backup; this one is never brought back, nothing was changed."


class RestoreFailed(MigratorError):
    """The backup could not be brought back."""


class RollbackRefused(MigratorError):
    """The run cannot be rolled back."""


class AcceptanceFailed(MigratorError):
    """The test command failed after the databases were verified."""


class LockLost(MigratorError):
    """The lock of this database was lost in the middle of the run."""


class VerificationFailed(MigratorError):
    """The database is not what the code expects after migrating."""


class Diverged(MigratorError):
    """The journal says that a migration was committed, and the database has no record of it."""

    default_hint = (
        "The database was probably restored or failed over. "
        "Start a new run (without --resume) once that is understood."
    )


class ResumeRefused(MigratorError):
    """The run cannot be continued as it was begun."""


class PendingModelChanges(MigratorError):
    """Models have changes that no migration holds."""


class Interrupted(KeyboardInterrupt):
    """The run was interrupted by a signal.

    A KeyboardInterrupt, not a MigratorError, so that no `except Exception` on the way up
    (ours, Django's or a migration's) swallows it, and so that psycopg cancels the query
    in progress (psycopg/generators and waiting react to KeyboardInterrupt alone).
    """

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, signal_name: str = "SIGINT") -> None:
        self.signal_name = signal_name
        super().__init__(f"Interrupted by {signal_name}.")


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code that an error stands for.

    Args:
        error: Any exception, ours, the journal's, or somebody else's.

    Returns:
        The class's own code; USAGE for a run id that the journal cannot resolve;
        INTERRUPTED for a KeyboardInterrupt; FAILED for everything else.
    """
    if isinstance(error, MigratorError | Interrupted):
        return error.exit_code
    if isinstance(error, journal.UnknownRun | journal.AmbiguousRun):
        return ExitCode.USAGE
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return ExitCode.FAILED
