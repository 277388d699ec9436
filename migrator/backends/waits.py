"""Waiting for locks, as each vendor knows it: its limits, its errors, and who is in the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from enum import StrEnum

from django.db.backends.base.base import BaseDatabaseWrapper

from journal.scrub import scrub_text
from migrator.backends.base import Session

QUERY_LENGTH = 80
"""How much of somebody else's query is shown."""

Timeouts = Mapping[str, str]
"""Session settings as the server spells them, by name."""


class Trouble(StrEnum):
    """Why the server gave up a statement that might succeed another time."""

    LOCK = "lock timeout"
    DEADLOCK = "deadlock"
    SERIALIZATION = "serialization failure"
    STATEMENT = "statement timeout"
    """Would take as long another time; or somebody cancelled it."""

    @property
    def passes(self) -> bool:
        """Whether it is worth another attempt."""
        return self is not Trouble.STATEMENT


class Waits(ABC):
    """One vendor's side of it.

    Attributes:
        unseen: What there is to say where nobody was seen in the way; "" for nothing.
    """

    unseen = ""

    @abstractmethod
    def timeouts(self, connection: BaseDatabaseWrapper) -> Timeouts:
        """The limits in force in the open session, to be put back with `restore`."""

    @abstractmethod
    def set_timeouts(
        self, connection: BaseDatabaseWrapper, *, lock: float, statement: float
    ) -> None:
        """Set the limits of the open session, outside of a transaction, so that no rollback
        takes them back.

        Args:
            connection: Open connection.
            lock: Seconds to wait for a lock; 0 leaves the session's own limit.
            statement: Seconds that a statement may take; 0 leaves the session's own limit.
        """

    @abstractmethod
    def restore(self, connection: BaseDatabaseWrapper, before: Timeouts) -> None:
        """Put limits back as `timeouts` has returned them."""

    @abstractmethod
    def trouble(self, error: BaseException) -> Trouble | None:
        """What a driver's error (or what it caused) stands for; None for anything else."""

    def waits_harmlessly(self, sql: str) -> bool:  # noqa: ARG002
        """Whether a statement outside of a transaction may wait as long as it takes: nobody
        queues behind it, and a limit would do harm.
        """
        return False

    def session(self, connection: BaseDatabaseWrapper) -> int:  # noqa: ARG002
        """What the server calls the open session; 0 where it has no names for them."""
        return 0

    def blockers(
        self,
        connection: BaseDatabaseWrapper,  # noqa: ARG002
        session: int,  # noqa: ARG002
    ) -> tuple[Session, ...]:
        """Who keeps a session from going on. Reads only.

        Args:
            connection: Another session than the one that waits.
            session: The one that waits.

        Returns:
            Those who hold what it waits for, or stand in the queue before it; none where it
            does not wait, or the vendor or the role in use cannot tell.

        Raises:
            DatabaseError: From the server.
        """
        return ()


def describe_blocker(session: Session) -> str:
    """One line about a session that is in the way, with the beginning of its query.

    Args:
        session: As `Waits.blockers` returns it.
    """
    said = " ".join(session.query.split())
    query = scrub_text(said[: 4 * QUERY_LENGTH])
    if len(query) > QUERY_LENGTH:
        query = query[: QUERY_LENGTH - 1] + "…"
    parts = [str(session)]
    if session.state:
        parts.append(session.state)
    line = ", ".join(parts)
    return f"{line}: {query}" if query else line


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, the driver's own error last."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__
