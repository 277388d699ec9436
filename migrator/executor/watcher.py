"""Says who is in the way, while a statement waits for a lock.

A thread with a connection of its own, which is opened only when a statement has taken longer
than a moment, and closed when that statement has ended. Whatever goes wrong with it stays with
it: the migration does not depend on being watched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.waits import Waits, describe_blocker

MOMENT = 1.0
"""Seconds that a statement runs before anybody looks, and between two looks."""

PATIENCE = 2.0
"""Seconds that the watcher's own queries may take, and its thread to end."""

Report = Callable[[float, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one statement: how long it was blocked, and by whom last."""

    seconds: float = 0.0
    blockers: tuple[str, ...] = ()


@dataclass(slots=True)
class _Statement:
    """One statement under way. Written by the thread that runs it, but for what was seen."""

    began: float
    blocked_since: float = 0.0
    blocked: float = 0.0
    blockers: tuple[str, ...] = ()

    def see(self, blockers: tuple[str, ...]) -> None:
        now = time.monotonic()
        if blockers and not self.blocked_since:
            # On the first look nobody knows since when; most likely from the beginning.
            self.blocked_since = now if self.blocked else self.began
        elif not blockers and self.blocked_since:
            self.blocked += now - self.blocked_since
            self.blocked_since = 0.0
        if blockers:
            self.blockers = blockers


class Watcher:
    """Watches the statements of one connection, one after the other."""

    def __init__(
        self, connection: BaseDatabaseWrapper, waits: Waits, report: Report, *, lock: float = 0.0
    ) -> None:
        """Prepare; no thread runs before `start`.

        Args:
            connection: Whose statements; never used by the thread.
            waits: Its vendor's.
            report: Told on the watcher's thread how long a statement has waited, and for
                whom, whenever that is somebody new.
            lock: The limit on waiting, so that somebody looks before it is over; 0 for none.
        """
        self._connection = connection
        self._waits = waits
        self._report = report
        self._moment = min(MOMENT, lock / 3) if lock > 0 else MOMENT
        self._session = 0
        self._statement: _Statement | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, session: int) -> None:
        """Begin to watch; the thread ends with `stop`, or with the process.

        Args:
            session: What the server calls the session to be watched; 0: nothing can be seen.
        """
        self._session = session
        if not session or self._thread is not None:
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._watch, name="migrator-watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for that."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join(PATIENCE)

    def begin(self) -> None:
        """A statement is about to be sent."""
        self._statement = _Statement(time.monotonic())

    def end(self) -> Seen:
        """It has ended; what was seen of it."""
        statement, self._statement = self._statement, None
        if statement is None:
            return Seen()
        blocked = statement.blocked
        if statement.blocked_since:
            blocked += time.monotonic() - statement.blocked_since
        return Seen(blocked, statement.blockers)

    # -- the thread -----------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stop.wait(self._moment / 2):
            statement = self._statement
            if statement is not None and time.monotonic() - statement.began >= self._moment:
                with suppress(Exception):
                    self._follow(statement)

    def _follow(self, statement: _Statement) -> None:
        """Look again and again at one statement, until it has ended."""
        own = _open(self._connection)
        try:
            with suppress(Exception):  # roles that may not, vendors that need not
                self._waits.set_timeouts(own, lock=PATIENCE, statement=PATIENCE)
            while self._statement is statement:
                found = self._waits.blockers(own, self._session)
                if self._statement is not statement:
                    return
                blockers = tuple(describe_blocker(session) for session in found)
                news = blockers and blockers != statement.blockers
                statement.see(blockers)
                if news:
                    self._report(time.monotonic() - statement.began, blockers)
                if self._stop.wait(self._moment):
                    return
        finally:
            with suppress(Exception):
                own.close()


def _open(connection: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
    """A session beside the one that is watched: no receiver of the project's hears of it, and
    it is taken from no pool.
    """
    own = connection.copy()
    settings = own.settings_dict
    options = {k: v for k, v in settings.get("OPTIONS", {}).items() if k != "pool"}
    own.settings_dict = {**settings, "OPTIONS": options}
    own.connection = own.get_new_connection(own.get_connection_params())
    own.set_autocommit(True)
    return own
