"""When things happened on an alias, as spans of time: what a timeline draws.

Events carry no clock. Whoever emits them says when each came in; without that there is no
timeline, and nothing is made up in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from migrator.core import events as ev
from migrator.core.spelling import spell_count, spell_seconds


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time on an alias.

    Attributes:
        kind: "step" (of the lifecycle) | "migration" | "operation" | "repair" | "backup" |
            "replay" | "pause" (between two attempts) | "wait" (for another run) | "mark" (a point
            in time).
        name: "scan", "app.name", …
        at: When it began; ISO 8601, UTC.
        seconds: How long it took.
        outcome: "done" | "failed" | "contended" (it got no lock) | "open" (it never ended) |
            how a migration was applied, where that is out of the ordinary ("faked", …).
        attempt: Counts from 1.
        detail: What there is to say about it.
    """

    kind: str
    name: str
    at: str
    seconds: float = 0.0
    outcome: str = "done"
    attempt: int = 1
    detail: str = ""


class Timeline:
    """Makes spans of the events of one alias, as they come in."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._open: dict[str, int] = {}
        self._last = ""

    def add(self, event: ev.Event, at: str) -> None:
        """Take in the next event of the alias.

        Args:
            event: Any; those that say nothing about time only end a wait.
            at: When it came in; ISO 8601, UTC. "" when nobody knows: it is left out.
        """
        if not at:
            return
        self._last = at
        if not isinstance(event, ev.LockAwaited):
            self._end("wait", at)
        match event:
            case ev.LockAwaited(_, holder):
                self._begin("wait", "another run", at, detail=holder)
            case ev.TransitionStarted(_, trigger):
                if trigger == "resume":
                    self._point("resumed", at)
                elif trigger == "fail":
                    self._fail(at)
                else:
                    self._begin("step", trigger, at)
            case ev.TransitionFinished(_, trigger, dest):
                if trigger not in {"resume", "fail"}:
                    self._end("step", at, detail=dest)
            case ev.ReplayStarted(_, scratch, total):
                detail = f"{spell_count(total, 'recorded migration')} into {scratch}"
                self._begin("replay", "replay", at, detail=detail)
            case ev.ReplayFinished():
                self._end("replay", at)
            case ev.BackupStarted(_, path):
                self._begin("backup", "backup", at, detail=path)
            case ev.BackupMade(_, path):
                self._end("backup", at, detail=path)
            case ev.RepairApplied(_, description, _, seconds):
                self._ended("repair", description, at, seconds)
            case ev.AliasFailed():
                self._fail(at)
            case _:
                self._add_migrating(event, at)

    def _add_migrating(self, event: ev.Event, at: str) -> None:
        match event:
            case ev.MigrationStarted(_, migration, attempt):
                self._end("pause", at)
                self._begin("migration", str(migration), at, attempt=attempt)
            case ev.MigrationApplied(_, migration, seconds, attempt, _, how):
                self._end("pause", at)
                outcome = "done" if how == "applied" else how
                if "migration" in self._open:
                    self._end("migration", at, outcome, attempt=attempt)
                elif how == "reconciled":  # it happened during an earlier attempt of the run
                    self._ended("migration", str(migration), at, 0.0, outcome, attempt)
                else:
                    self._ended("migration", str(migration), at, seconds, outcome, attempt)
            case ev.MigrationFailed(_, migration, attempt, error):
                self._end("pause", at)
                detail = error.strip().partition("\n")[0]
                if "migration" in self._open:
                    self._end("migration", at, "failed", detail=detail, attempt=attempt)
                else:
                    self._ended("migration", str(migration), at, 0.0, "failed", attempt, detail)
            case ev.LockContended(_, migration, attempt, waited, pause, blockers):
                detail = "; ".join(blockers)
                if "migration" in self._open:
                    self._end("migration", at, "contended", detail=detail, attempt=attempt)
                else:
                    name = str(migration)
                    self._ended("migration", name, at, waited, "contended", attempt, detail)
                again = f"tried again after {spell_seconds(pause)}"
                self._begin("pause", str(migration), at, attempt=attempt, detail=again)
            case ev.OperationApplied(_, migration, _, description, how, seconds):
                outcome = "done" if how == "applied" else how
                name = f"{migration}: {description}"
                self._ended("operation", name, at, seconds, outcome)

    def spans(self, until: str = "") -> tuple[Span, ...]:
        """All spans, in the order in which they began; those that never ended are open.

        Args:
            until: When the run was closed; "" for when the last event of the alias came in.
        """
        spans = list(self._spans)
        for place in self._open.values():
            span = spans[place]
            spans[place] = replace(
                span, seconds=seconds_between(span.at, until or self._last), outcome="open"
            )
        return tuple(sorted(spans, key=lambda span: moment_of(span.at)))

    def _begin(self, kind: str, name: str, at: str, *, attempt: int = 1, detail: str = "") -> None:
        self._open[kind] = len(self._spans)
        self._spans.append(Span(kind, name, at, attempt=attempt, detail=detail))

    def _end(
        self,
        kind: str,
        at: str,
        outcome: str = "done",
        *,
        detail: str = "",
        attempt: int | None = None,
    ) -> None:
        place = self._open.pop(kind, None)
        if place is None:
            return
        span = self._spans[place]
        self._spans[place] = replace(
            span,
            seconds=seconds_between(span.at, at),
            outcome=outcome,
            attempt=span.attempt if attempt is None else attempt,
            detail=detail or span.detail,
        )

    def _ended(
        self,
        kind: str,
        name: str,
        at: str,
        seconds: float,
        outcome: str = "done",
        attempt: int = 1,
        detail: str = "",
    ) -> None:
        """A span of which only the end is told."""
        self._spans.append(
            Span(kind, name, earlier(at, seconds), seconds, outcome, attempt, detail)
        )

    def _point(self, name: str, at: str) -> None:
        self._spans.append(Span("mark", name, at))

    def _fail(self, at: str) -> None:
        """Whatever is under way has failed."""
        for kind in list(self._open):
            self._end(kind, at, "done" if kind in {"pause", "wait"} else "failed")


def moment_of(at: str) -> float:
    """Seconds since the epoch of an ISO 8601 time; 0 for what is none."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0


def seconds_between(begin: str, end: str) -> float:
    """From one ISO 8601 time to another; 0 where the clock was set back, or one is none."""
    try:
        passed = datetime.fromisoformat(end) - datetime.fromisoformat(begin)
    except (ValueError, TypeError):
        return 0.0
    return max(passed.total_seconds(), 0.0)


def earlier(at: str, seconds: float) -> str:
    """The ISO 8601 time so many seconds before another."""
    try:
        return (datetime.fromisoformat(at) - timedelta(seconds=max(seconds, 0.0))).isoformat()
    except ValueError:
        return at
