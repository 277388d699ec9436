"""Locks that are not to be had: short limits on waiting, and another attempt after a pause.

A statement that waits for a lock keeps everybody behind it waiting, so each wait is short. What
got no lock is given up, which lets the others through, and tried again after a pause that
grows. An atomic migration has been rolled back by then and is run again from its beginning;
one outside of a transaction goes on where it was, as after a crash (`stepwise`).

The limits are set on the session, not in a transaction, so that no rollback takes them back,
before each migration, so that what one of them sets for itself ends with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from migrator.backends import backend_for
from migrator.backends.catalog import every_new_session
from migrator.backends.waits import Timeouts, Trouble
from migrator.core import events
from migrator.core.effects import MigrationKey
from migrator.core.limits import Limits
from migrator.exceptions import LockTimedOut, MigratorError
from migrator.executor.statements import first_line
from migrator.executor.watcher import Seen, Watcher

PAUSE = 0.5
"""Seconds before the second attempt; doubled before each further one."""
LONGEST_PAUSE = 20.0
JITTER = 0.5
"""At most so many seconds more, so that two who collide do not collide again."""

_READS = ("select", "show", "explain", "savepoint", "release", "rollback", "set ", "pragma ")

T = TypeVar("T")


class Contended(Exception):
    """Something got no lock in time, and nothing of it is left.

    Attributes:
        trouble: Why the server gave it up.
        text: What the server said.
        attempt: Counts from 1.
        waited: Seconds.
        blockers: Who held the lock, one line each; as far as anybody looked.
    """

    def __init__(
        self, trouble: Trouble, text: str, attempt: int, waited: float, blockers: tuple[str, ...]
    ) -> None:
        super().__init__(text)
        self.trouble = trouble
        self.text = text
        self.attempt = attempt
        self.waited = waited
        self.blockers = blockers

    @property
    def payload(self) -> dict[str, Any]:
        """For the journal, beside the error."""
        return {
            "contended": self.trouble.value,
            "waited": round(self.waited, 3),
            "blockers": list(self.blockers),
        }


@dataclass(slots=True)
class _Tally:
    """What one migration has waited, over all its attempts."""

    waited: float = 0.0


@dataclass(slots=True)
class _Failure:
    """The statement that failed last: after how long, and what was seen of it."""

    seconds: float = 0.0
    seen: Seen = field(default_factory=Seen)


def _ignore(*_: object) -> None:
    """Nobody needs to know."""


@dataclass(frozen=True, slots=True)
class _Hooks:
    """Who is told about a statement that is tried again by itself."""

    contended: Callable[[Contended], object]
    again: Callable[[], object]


@dataclass(slots=True)
class Elsewhere:
    """Aliases other than ours that an attempt has written to: our rollback does not undo it."""

    aliases: list[str] = field(default_factory=list)

    @contextmanager
    def observed(self, ours: str) -> Iterator[None]:
        """Look at the statements of every other connection of this thread."""
        hooks: list[tuple[BaseDatabaseWrapper, Any]] = []
        for alias in connections:
            if alias == ours:
                continue
            with suppress(Exception):  # an alias whose driver is missing: nobody writes to it
                other = connections[alias]
                hook = self._hook(alias)
                other.execute_wrappers.append(hook)
                hooks.append((other, hook))
        try:
            yield
        finally:
            for other, hook in hooks:
                with suppress(ValueError):
                    other.execute_wrappers.remove(hook)

    def _hook(self, alias: str) -> Callable[..., Any]:
        def observe(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if not str(sql).lstrip("( \n\t").lower().startswith(_READS):
                self.aliases.append(alias)
            return execute(sql, params, many, context)

        return observe


class LockPatience:
    """The limits of one connection, and who is asked for another attempt."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        *,
        alias: str = "",
        limits: Limits | None = None,
        emit: events.Emit | None = None,
    ) -> None:
        """Prepare; nothing is set before `in_force`.

        Args:
            connection: The connection that runs the migrations.
            alias: What events call it; by default the connection's own alias.
            limits: How long to wait, and how often to try; none and once by default.
            emit: Where events go; nowhere by default.
        """
        self.limits = limits or Limits()
        self.elsewhere = Elsewhere()
        self._connection = connection
        self._alias = alias or connection.alias
        self._emit = emit
        self._waits = backend_for(connection.vendor).waits
        self._watcher = Watcher(connection, self._waits, self._report, lock=self.limits.lock)
        self._before: Timeouts = {}
        self._migration: MigrationKey | None = None
        self._tally = _Tally()
        self._failure = _Failure()
        self._hooks: _Hooks | None = None
        self._ours: Timeouts = {}
        self._active = False
        self._nested = False

    # -- limits -----------------------------------------------------------------------

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Set the limits on the open session and on each that is opened meanwhile, and watch;
        afterwards the session has the limits from before.

        Raises:
            DatabaseError: From the server.
        """
        connection = self._connection
        connection.ensure_connection()
        self._begin_session()
        connection.execute_wrappers.append(self._on_statement)
        self._active = True
        try:
            with every_new_session(connection, self._begin_session):
                yield
        finally:
            self._active = False
            self._watcher.stop()
            connection.execute_wrappers.remove(self._on_statement)
            if connection.connection is not None:
                with suppress(DatabaseError):
                    self._waits.restore(connection, self._before)

    def _begin_session(self) -> None:
        self._aside(self._set_on_session)

    def _set_on_session(self) -> None:
        self._before = self._waits.timeouts(self._connection)
        self._set()
        self._ours = self._waits.timeouts(self._connection)
        self._watcher.start(self._waits.session(self._connection))

    def _set(self) -> None:
        self._waits.set_timeouts(
            self._connection, lock=self.limits.lock, statement=self.limits.statement
        )

    def set_again(self) -> None:
        """Set the limits again, where they are in force: a migration may have set others for
        itself, with which it has ended.
        """
        if self._active:
            self._aside(self._set)

    # -- attempts -----------------------------------------------------------------------

    def persist(self, work: Callable[[], T]) -> T:
        """Do something until it is not contended, with growing pauses, as often as the limits
        allow.

        Args:
            work: One attempt; raises `Contended` when another one may succeed.

        Returns:
            What `work` returns.

        Raises:
            Contended: The last attempt's.
        """
        return Retrying(
            stop=stop_after_attempt(self.limits.attempts),
            wait=wait_exponential(multiplier=PAUSE, max=LONGEST_PAUSE) + wait_random(0, JITTER),
            retry=retry_if_exception_type(Contended),
            before_sleep=self._announce,
            reraise=True,
        )(work)

    def _announce(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, Contended):
            return
        pause = state.upcoming_sleep
        self._tally.waited += pause
        if self._emit is None:
            return
        if self._migration is None:
            self._emit(events.LockAwaited(self._alias, self._sentence(error), pause))
            return
        self._emit(
            events.LockContended(
                self._alias, self._migration, error.attempt, error.waited, pause, error.blockers
            )
        )

    def contended(self, error: BaseException, attempt: int) -> Contended | None:
        """What an error of an attempt means, if it means that another one may succeed.

        Args:
            error: What the attempt raised; nothing of it may be left.
            attempt: Its number.

        Returns:
            None for an error of another kind.
        """
        failure, self._failure = self._failure, _Failure()
        trouble = None if isinstance(error, MigratorError) else self._waits.trouble(error)
        if trouble is None or not trouble.passes:
            return None
        seen = failure.seen
        waited = max(failure.seconds, seen.seconds)
        self._tally.waited += waited - seen.seconds  # what was seen is in it
        return Contended(trouble, first_line(error), attempt, waited, seen.blockers)

    def gave_up(self, error: BaseException) -> bool:
        """Whether an error is the server's word that it has undone what it was asked: a lock
        or a statement that took too long, a deadlock.
        """
        return self._waits.trouble(error) is not None

    def timed_out(self, error: BaseException) -> bool:
        """Whether an error says that a statement took too long, or that somebody cancelled it."""
        return self._waits.trouble(error) is Trouble.STATEMENT

    @contextmanager
    def spent_on(self, migration: MigrationKey) -> Iterator[None]:
        """Count what is waited from here on as one migration's."""
        self._migration, self._tally = migration, _Tally()
        try:
            yield
        finally:
            self._migration = None

    @property
    def waited(self) -> float:
        """Seconds that the migration in progress has waited for locks: in attempts that failed,
        between attempts, and as far as it was seen within statements that were finished.
        """
        return self._tally.waited

    def _report(self, seconds: float, blockers: tuple[str, ...]) -> None:
        """On the watcher's thread."""
        migration = self._migration
        if self._emit is not None and migration is not None:
            self._emit(events.LockWaiting(self._alias, migration, seconds, blockers))

    # -- statements -----------------------------------------------------------------------

    @contextmanager
    def statements(
        self,
        contended: Callable[[Contended], object] = _ignore,
        again: Callable[[], object] = _ignore,
    ) -> Iterator[None]:
        """Try each statement outside of a transaction again by itself, where it got no lock:
        for code, which cannot be run again from its beginning.

        Args:
            contended: Told when one got none.
            again: Told when it is about to be tried again.
        """
        before, self._hooks = self._hooks, _Hooks(contended, again)
        try:
            yield
        finally:
            self._hooks = before

    def _on_statement(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        if self._nested:
            return execute(sql, params, many, context)

        def run() -> Any:
            return self._watched(execute, sql, params, many, context)

        if self._connection.in_atomic_block:
            return run()
        if self._waits.waits_harmlessly(str(sql)):
            with self._unlimited():
                return run()
        return run() if self._hooks is None else self._alone(run, self._hooks)

    def _watched(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        began = time.monotonic()
        failed = True
        self._watcher.begin()
        try:
            result = execute(*arguments)
            failed = False
            return result
        finally:
            seen = self._watcher.end()
            self._tally.waited += seen.seconds
            if failed:
                self._failure = _Failure(time.monotonic() - began, seen)

    def _alone(self, run: Callable[[], Any], hooks: _Hooks) -> Any:
        """One statement that is a transaction of its own."""
        attempt = 0

        def once() -> Any:
            nonlocal attempt
            attempt += 1
            if attempt > 1:
                hooks.again()
            try:
                return run()
            except DatabaseError as error:
                seconds = self._failure.seconds
                contended = self.contended(error, attempt)
                # NOWAIT, or a limit of the migration's own that is shorter: it expects that.
                early = seconds < 0.9 * self.limits.lock
                if contended is None or (contended.trouble is Trouble.LOCK and early):
                    raise
                hooks.contended(contended)
                raise contended from error

        try:
            return self.persist(once)
        except Contended as error:
            raise self.exhausted(error) from error.__cause__

    def exhausted(self, error: Contended, hint: str = "") -> LockTimedOut:
        """The error for the user when no attempt is left.

        Args:
            error: The last attempt's.
            hint: What to do; by default, that nothing of it was kept.
        """
        return LockTimedOut(self._sentence(error), hint=hint)

    def _sentence(self, error: Contended) -> str:
        """What got no lock, how often, and who was in its way."""
        what = f"Migration {self._migration}" if self._migration else "The repair"
        tries = f"{error.attempt} attempts" if error.attempt > 1 else "1 attempt"
        if error.trouble is Trouble.LOCK:
            limit = self.limits.lock
            ended = f"got no lock within {limit:g} s" if limit else "got no lock"
        else:
            ended = f"ended in a {error.trouble.value}"
        who = "; ".join(error.blockers[:3])
        more = f" and {len(error.blockers) - 3} more" if len(error.blockers) > 3 else ""
        unseen = self._waits.unseen if error.trouble is Trouble.LOCK else ""
        seen = f"In the way: {who}{more}." if who else unseen
        return (
            f"{what} {ended} on {self._alias}, in {tries} over {self.waited:.0f} s: {error.text}."
            f" {seen}".rstrip()
        )

    @contextmanager
    def _unlimited(self) -> Iterator[None]:
        """Without a limit, unless the migration has set one of its own."""
        now = self._aside(lambda: self._waits.timeouts(self._connection))
        ours = now == self._ours
        if ours:
            free = {**self._before, "lock_timeout": "0"}
            self._aside(lambda: self._waits.restore(self._connection, free))
        try:
            yield
        finally:
            if ours and self._connection.connection is not None:
                with suppress(DatabaseError):
                    self._aside(lambda: self._waits.restore(self._connection, now))

    def _aside(self, work: Callable[[], T]) -> T:
        """Talk to the server about the limits themselves."""
        self._nested = True
        try:
            return work()
        finally:
            self._nested = False
