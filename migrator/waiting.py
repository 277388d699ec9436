"""Waiting until nobody else is at work on a database, and saying meanwhile who is.

It polls: whoever waits inside the server holds a snapshot, which would keep a CREATE INDEX
CONCURRENTLY of the other from ending, and could not be interrupted everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from journal import Journal, JournalError, Run, RunStatus, TargetStatus
from migrator import actor
from migrator.backends import Lock, Session
from migrator.conf import Settings
from migrator.core.events import Emit, LockAwaited
from migrator.core.lifecycle import Goal
from migrator.core.options import MigratorOptions
from migrator.exceptions import LockHeld

POLL_SECONDS = 0.2

KILLED_SECONDS = 30.0
"""How long a resume waits for what a killed process has left running on the server. A server
that looks for its client (PostgreSQL 14 and later) cancels within a second or two."""

Look = Callable[[], LockHeld | None]
"""Looks once; None when nobody is in the way (any more)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and who is told.

    Attributes:
        alias: The database.
        seconds: At most so long; 0: not at all.
        emit: Gets a LockAwaited whenever there is somebody new to wait for.
    """

    alias: str
    seconds: float
    emit: Emit

    @classmethod
    def of(cls, alias: str, options: MigratorOptions, settings: Settings, emit: Emit) -> Self:
        """As the caller asks, or else as the project's settings do."""
        asked = options.wait_lock
        return cls(alias, settings.wait_lock if asked is None else asked, emit)

    def until_free(self, look: Look) -> None:
        """Wait until `look` finds nobody.

        Raises:
            LockHeld: What `look` said last, when the time is over; or whatever it raised.
        """
        deadline = time.monotonic() + self.seconds
        said = ""
        while (error := look()) is not None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise error
            if error.message != said:
                said = error.message
                self.emit(LockAwaited(self.alias, said, remaining))
            time.sleep(min(POLL_SECONDS, remaining))

    def acquire(self, lock: Lock, explain: Callable[[LockHeld], LockHeld]) -> None:
        """Take a lock.

        Args:
            lock: Not held yet.
            explain: Adds what else is known about the holder.

        Raises:
            LockHeld: The time is over.
        """

        def look() -> LockHeld | None:
            try:
                lock.acquire()
            except LockHeld as error:
                return explain(error)
            return None

        self.until_free(look)


# -- who holds it ------------------------------------------------------------------


def explain_by_journal(error: LockHeld, journal: Journal, identity: str) -> LockHeld:
    """Name the run that holds a lock where the server cannot (MySQL has no place for it).

    Args:
        error: What the server says.
        journal: Where an open run of that database may stand.
        identity: Of the database.

    Returns:
        The same error, or one that also names the run, its process and since when it runs.
    """
    if not error.message.startswith("Another run"):
        return error
    try:
        found = _open_run(journal, identity)
    except JournalError:
        return error
    if found is None:
        return error
    who = found.actor
    return LockHeld(
        f"{error.message} By the journal it is run {found.id} of {who.get('user', '?')} on "
        f"{who.get('host', '?')} (process {who.get('pid', '?')}), opened "
        f"{found.opened_at:%Y-%m-%d %H:%M:%S} UTC.",
        hint=error.hint,
    )


def _open_run(journal: Journal, identity: str) -> Run | None:
    return next(
        (
            run
            for run in journal.incomplete_runs()
            if run.status is RunStatus.OPEN
            and run.goal != Goal.SCANNED.value  # that takes no lock
            and any(
                target.identity == identity and target.status is TargetStatus.RUNNING
                for target in journal.targets(run.id)
            )
        ),
        None,
    )


def left_behind(journal: Journal, run: Run, alias: str, holder: Session) -> bool:
    """Whether a lock is held by what a killed process of this run has left on the server.

    Args:
        journal: Who claimed the target last stands there.
        run: The run that is to be continued.
        alias: The target.
        holder: Who holds the lock.

    Returns:
        False also when that process is seen to live. On another host nobody can see it: then
        it may be so.
    """
    if holder.application.startswith("migrator:") and run.id not in holder.application:
        return False
    claimant: Mapping[str, Any] = run.actor
    for entry in journal.entries(run.id, alias):
        if entry.kind == "claim":
            claimant = entry.payload.get("actor") or claimant
    return actor.is_ours(claimant) or not actor.is_alive(claimant)
