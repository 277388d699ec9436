"""One attempt of a migration: its intent, its outcome, and what is said where it fails.

The intent is written before anything of the migration is sent, the outcome after its commit.
"""

from __future__ import annotations

import hashlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration

from journal import JournalError
from migrator.core import events
from migrator.core.effects import MigrationKey
from migrator.exceptions import LockTimedOut, MigrationFailed, MigratorError, StatementTimedOut
from migrator.executor.operations import irreversible_operations, runs_code
from migrator.executor.patience import Contended, LockPatience
from migrator.executor.ports import ExecutionJournal, Kind, NullExecutionJournal
from migrator.executor.statements import first_line
from migrator.executor.stepwise import StepwiseRun

KEPT = "It runs outside of a transaction: what it finished is kept and is not done again."


def checksum(migration: Migration) -> str:
    """SHA-256 of a migration's source file, hexadecimal.

    Args:
        migration: As loaded.

    Returns:
        "" when it has no source that can be read (made in memory, compiled only).
    """
    module = sys.modules.get(type(migration).__module__)
    path = getattr(module, "__file__", None)
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
    except OSError:
        return ""


@dataclass(slots=True)
class Outcome:
    """How an attempt goes; with `run`, one operation at a time."""

    how: str
    run: StepwiseRun | None = None
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Attempts:
    """Those of one executor: each is journaled and announced, and its errors are put in words.

    Attributes:
        alias: What messages and events call the database.
        connection: It.
        journal: Where intents and outcomes go.
        emit: Where events go.
        patience: What tells of an error whether another attempt may succeed.
        runs_here: Whether the project's routers let an operation run on this database.
    """

    alias: str
    connection: BaseDatabaseWrapper
    journal: ExecutionJournal
    emit: events.Emit
    patience: LockPatience
    runs_here: Callable[..., bool]

    def is_transactional(self, migration: Migration) -> bool:
        """Whether one transaction holds all of it, with its rows."""
        return bool(migration.atomic and self.connection.features.can_rollback_ddl)

    @contextmanager
    def journaled(
        self, migration: Migration, direction: str, how: str, place: tuple[int, int]
    ) -> Iterator[Outcome]:
        """Write the intent of an attempt, let it happen, write what became of it.

        Args:
            migration: What is applied or taken back.
            direction: "forwards" or "backwards".
            how: As the journal says it: "applied", "faked", "companion", "unapplied", "forgotten".
            place: Its number in the plan, and how many there are.

        Raises:
            Contended: Another attempt may succeed.
            MigrationFailed: It raised; the cause is kept. Errors of ours and of the journal are
                raised as they are.
        """
        key = MigrationKey(migration.app_label, migration.name)
        alias, name = self.alias, str(key)
        number = self.journal.attempts(Kind.MIGRATION, name) + 1
        intent = {
            "direction": direction,
            "how": how,
            "checksum": checksum(migration),
            "atomic": self.is_transactional(migration),
            "code": runs_code(migration),
            "operations": len(migration.operations),
            "replaces": [".".join(replaced) for replaced in migration.replaces],
        }
        self.journal.intent(Kind.MIGRATION, name, number, intent)
        self.emit(events.MigrationStarted(alias, key, number, *place))
        outcome = Outcome(how)
        began = time.monotonic()
        try:
            yield outcome
        except (Exception, SystemExit) as error:
            seconds = time.monotonic() - began
            contended = self._contended(error, number, outcome)
            self._failed(key, direction, number, seconds, error, contended)
            if contended is not None:
                raise contended from error
            if isinstance(error, MigratorError | JournalError):
                raise
            raise self._failure(migration, error) from error
        except BaseException as error:
            self._failed(key, direction, number, time.monotonic() - began, error)
            raise
        seconds = time.monotonic() - began
        waited = self.patience.waited
        done: dict[str, Any] = {"direction": direction, "how": outcome.how}
        if waited:
            done["lock_wait_seconds"] = round(waited, 3)
        self.journal.done(Kind.MIGRATION, name, number, seconds, done)
        self.emit(
            events.MigrationApplied(
                alias,
                key,
                seconds,
                number,
                waited,
                outcome.how,
                reversible=outcome.how != "applied"
                or not irreversible_operations(migration, self.runs_here),
            )
        )

    def _failed(
        self,
        key: MigrationKey,
        direction: str,
        number: int,
        seconds: float,
        error: BaseException,
        contended: Contended | None = None,
    ) -> None:
        interrupted = isinstance(error, KeyboardInterrupt)
        text = "interrupted" if interrupted else first_line(error)
        payload = {"direction": direction, "error": text, "interrupted": interrupted}
        if contended is not None:
            payload.update(contended.payload)
        with suppress(Exception):  # the error at hand matters more than its journal entry
            self.journal.failed(Kind.MIGRATION, str(key), number, seconds, payload)
        if contended is None:  # the attempt; whether it is the migration is not known yet
            self.emit(events.MigrationFailed(self.alias, key, number, text))

    def _contended(self, error: BaseException, number: int, outcome: Outcome) -> Contended | None:
        """Whether another attempt may succeed, and does no harm."""
        found = self.patience.contended(error, number)
        if found is None or not outcome.repeatable or self.patience.elsewhere.aliases:
            return None
        if outcome.run is None:
            return found
        # What is done already is only in the journal.
        remembered = not isinstance(self.journal, NullExecutionJournal)
        return found if remembered and outcome.run.repeatable else None

    def _failure(self, migration: Migration, error: BaseException) -> MigrationFailed:
        where = _failing_operation(migration, error)
        message = f"Migration {migration} failed on {self.alias}{where}: {first_line(error)}"
        if self.patience.timed_out(error):
            return self._statement_failure(migration, message)
        elsewhere = self.patience.elsewhere.aliases
        if elsewhere and self.patience.gave_up(error):
            return LockTimedOut(
                message,
                hint="It was not tried again by itself: its code wrote to "
                f"{', '.join(sorted(set(elsewhere)))} as well, which is not rolled back with it. "
                "Look there, then go on with --resume.",
            )
        if isinstance(error, OperationalError | InterfaceError) and not self._is_connected():
            hint = (
                "The connection was lost; whether it was committed is read from the database "
                "when the run is resumed (--resume)."
            )
        elif self.is_transactional(migration):
            hint = (
                "Its transaction was rolled back and nothing of it was kept: "
                "correct the cause, then go on with --resume."
            )
        else:
            hint = (
                "It runs outside of a transaction: what it finished is kept and is not done "
                "again. Correct the cause, then go on with --resume."
            )
        return MigrationFailed(message, hint=hint)

    def _statement_failure(self, migration: Migration, message: str) -> StatementTimedOut:
        limit = self.patience.limits.statement
        kept = "Nothing of it was kept." if self.is_transactional(migration) else KEPT
        if limit:
            hint = f"The statement timeout is {limit:g} s (STATEMENT_TIMEOUT): give it more, "
        else:
            hint = "The server's statement timeout, or somebody, has cancelled it: look there, "
        return StatementTimedOut(message, hint=f"{kept} {hint}then go on with --resume.")

    def _is_connected(self) -> bool:
        connection = self.connection
        return connection.connection is not None and connection.is_usable()


def _failing_operation(migration: Migration, error: BaseException) -> str:
    """ " at operation 2 (description)", as far as the traceback tells; or ""."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        operation = frame.f_locals.get("operation")
        if operation is None and (step := frame.f_locals.get("step")) is not None:
            operation = getattr(step, "operation", None)
        for index, candidate in enumerate(migration.operations):
            if candidate is operation:
                return f" at operation {index} ({operation.describe()})"
    return ""
