"""The journal interface that the executor needs, and two that ship with it.

The executor declares it, so that it depends on no journal; the runner adapts the real one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

Payload = Mapping[str, Any]


class Kind(StrEnum):
    """Kinds of entries that the executor writes."""

    MIGRATION = "migration"
    """Name "app.name"."""
    OPERATION = "operation"
    """Name "app.name:index"; the index after the last operation is the deferred SQL."""
    STATEMENT = "statement"
    """Name "app.name:index", the statement's number as the attempt; intents only: each says
    that the statements before it are done. Payload: {"sql", "lookups"}."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The newest attempt at something.

    Attributes:
        number: Counts from 1.
        phase: "intent" (no outcome known) | "done" | "failed" | "reconciled".
        payload: What the intent said.
        outcome: What the outcome said; empty while there is none.
    """

    number: int
    phase: str
    payload: Payload = field(default_factory=dict)
    outcome: Payload = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether its effect is known to be there."""
        return self.phase in ("done", "reconciled")


class JournalEntry(Protocol):
    """What is read of an entry; `journal.Entry` has this shape."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def phase(self) -> str: ...
    @property
    def payload(self) -> Payload: ...


class ExecutionJournal(Protocol):
    """What the executor needs of a journal: every write is durable when the call returns.

    Writing an entry whose (kind, name, attempt, phase) exists must do nothing.
    """

    def attempts(self, kind: str, name: str) -> int:
        """The highest attempt so far; 0 when there was none."""

    def entries(self, kind: str) -> Sequence[JournalEntry]:
        """This run's entries of one kind, earlier processes' included, in order."""

    def intent(self, kind: str, name: str, attempt: int, payload: Payload) -> None:
        """It is about to begin."""

    def done(self, kind: str, name: str, attempt: int, seconds: float, payload: Payload) -> None:
        """It is committed."""

    def failed(self, kind: str, name: str, attempt: int, seconds: float, payload: Payload) -> None:
        """It raised."""

    def reconciled(self, kind: str, name: str, attempt: int, payload: Payload) -> None:
        """Its outcome was lost, and the database shows that it is committed."""


class NullExecutionJournal:
    """Remembers nothing: every attempt is the first."""

    def attempts(self, kind: str, name: str) -> int:  # noqa: ARG002
        """Always 0."""
        return 0

    def entries(self, kind: str) -> Sequence[JournalEntry]:  # noqa: ARG002
        """Always none."""
        return ()

    def intent(self, kind: str, name: str, attempt: int, payload: Payload) -> None:
        """Do nothing."""

    def done(self, kind: str, name: str, attempt: int, seconds: float, payload: Payload) -> None:
        """Do nothing."""

    def failed(self, kind: str, name: str, attempt: int, seconds: float, payload: Payload) -> None:
        """Do nothing."""

    def reconciled(self, kind: str, name: str, attempt: int, payload: Payload) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class MemoryEntry:
    """One line of a MemoryExecutionJournal; what `reconcile` reads of any journal's entry."""

    kind: str
    name: str
    attempt: int
    phase: str
    seconds: float | None = None
    payload: Payload = field(default_factory=dict)


class MemoryExecutionJournal:
    """Remembers as long as the process lives."""

    def __init__(self) -> None:
        self.written: list[MemoryEntry] = []

    def attempts(self, kind: str, name: str) -> int:
        """The highest attempt so far."""
        found = latest_attempt(self.written, kind, name)
        return found.number if found else 0

    def entries(self, kind: str) -> Sequence[JournalEntry]:
        """What was written, of one kind."""
        return [entry for entry in self.written if entry.kind == kind]

    def intent(self, kind: str, name: str, attempt: int, payload: Payload) -> None:
        """It is about to begin."""
        self.write(MemoryEntry(kind, name, attempt, "intent", None, payload))

    def done(self, kind: str, name: str, attempt: int, seconds: float, payload: Payload) -> None:
        """It is committed."""
        self.write(MemoryEntry(kind, name, attempt, "done", seconds, payload))

    def failed(self, kind: str, name: str, attempt: int, seconds: float, payload: Payload) -> None:
        """It raised."""
        self.write(MemoryEntry(kind, name, attempt, "failed", seconds, payload))

    def reconciled(self, kind: str, name: str, attempt: int, payload: Payload) -> None:
        """Its outcome was lost."""
        self.write(MemoryEntry(kind, name, attempt, "reconciled", None, payload))

    def write(self, entry: MemoryEntry) -> None:
        """Append, unless an entry of that key is there."""
        key = (entry.kind, entry.name, entry.attempt, entry.phase)
        if all((e.kind, e.name, e.attempt, e.phase) != key for e in self.written):
            self.written.append(entry)


def latest_attempt(entries: Iterable[JournalEntry], kind: str, name: str) -> Attempt | None:
    """The newest attempt at something, with its outcome.

    Args:
        entries: In the order of their writing.
        kind, name: What.

    Returns:
        None when there was no attempt.
    """
    number, phase = 0, "intent"
    payloads: dict[str, Payload] = {}
    for entry in entries:
        if entry.kind != kind or entry.name != name or entry.attempt < number:
            continue
        if entry.attempt > number:
            number, phase, payloads = entry.attempt, "intent", {}
        payloads[str(entry.phase)] = entry.payload
        if entry.phase != "intent":
            phase = str(entry.phase)
    if not number:
        return None
    outcome = payloads[phase] if phase != "intent" else {}
    return Attempt(number, phase, payloads.get("intent", {}), outcome)
