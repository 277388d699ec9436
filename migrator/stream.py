"""The events of a run on their way: to the report, and to whoever else listens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import RLock

from migrator.core.events import Emit, Event
from migrator.reports.document import Report
from migrator.reports.folding import ReportBuilder


class EventStream:
    """Folds what happens into a report while it hands it on."""

    def __init__(self, listeners: Sequence[Emit] = ()) -> None:
        """Begin an empty report.

        Args:
            listeners: Who else reads every event (progress, logs).
        """
        self._listeners = tuple(listeners)
        self._builder = ReportBuilder()
        self._emitting = RLock()

    def emit(self, event: Event) -> None:
        """Tell everybody, one event at a time."""
        with self._emitting:  # whoever watches for locks does so on a thread of its own
            self._builder.add(event, now())
            for listener in self._listeners:
                listener(event)

    def note(self, event: Event) -> None:
        """Leave it to the report: nothing goes on that could be watched."""
        self._builder.add(event)

    def forget(self) -> None:
        """Begin the report anew; the listeners have heard what they have heard."""
        self._builder = ReportBuilder()

    def report(self) -> Report:
        """The report of everything so far."""
        return self._builder.build()


def now() -> str:
    """The time, as events have it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()
