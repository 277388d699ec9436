"""What the HTML page shows, as plain data: the same for a run's report and for the journal's.

The page's template only lays out; every decision on what to say is made here and in the two
modules that fill it (`report_story`, `journal_story`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from migrator.core.findings import Finding
from migrator.core.incidents import Incident
from migrator.reports.advice import Advice
from migrator.reports.axis import Axis, plan_axis
from migrator.reports.timeline import Span, moment_of, seconds_between

TONES = {
    "done": "good",
    "complete": "good",
    "failed": "bad",
    "drifted": "bad",
    "contended": "warn",
    "interrupted": "warn",
    "open": "warn",
    "running": "warn",
    "pending": "quiet",
    "skipped": "quiet",
}
"""How each outcome looks: good, bad, warn, quiet."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A span as it is drawn.

    Attributes:
        span: What it shows.
        at: Seconds from the beginning of the axis.
        length: Seconds on the axis.
    """

    span: Span
    at: float
    length: float

    @property
    def tone(self) -> str:
        """How it looks."""
        return TONES.get(self.span.outcome, "good")


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the lifecycle of an alias. `tone` is "none" for one that never began."""

    name: str
    tone: str
    word: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt at a migration that came to nothing, and why."""

    number: int
    word: str
    detail: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class MigrationRow:
    """A migration that was applied, or tried.

    Attributes:
        name: "app.name".
        at: When its first attempt began; "" where nobody knows.
        seconds, wait: How long it took, and how long it waited for locks.
        word: "applied", "faked", "failed", …
        tone: How that looks.
        attempts: Earlier attempts.
        sql: What it ran, where that is known.
        unshown: Operations whose effect cannot be shown.
        error: Why it failed.
    """

    name: str
    at: str = ""
    seconds: float | None = None
    wait: float = 0.0
    word: str = "applied"
    tone: str = "good"
    attempts: tuple[Attempt, ...] = ()
    sql: tuple[str, ...] = ()
    unshown: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """An action of a repair."""

    description: str
    sql: tuple[str, ...] = ()
    seconds: float | None = None
    made: bool = True


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """A migration that would be applied. `notes`: its locks and what else it costs."""

    name: str
    sql: tuple[str, ...] = ()
    unshown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """What one scan found.

    Attributes:
        title: When it was made: "Before", "After the repair", …
        tables, recorded: What it counted.
        incidents: What it found.
    """

    title: str
    tables: int
    recorded: int
    incidents: tuple[Incident, ...] = ()

    @property
    def blocking(self) -> tuple[Incident, ...]:
        """Those that stop the alias."""
        return tuple(incident for incident in self.incidents if incident.blocking)

    @property
    def notes(self) -> tuple[Incident, ...]:
        """Those that stop nothing."""
        return tuple(incident for incident in self.incidents if not incident.blocking)


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One step of an alias as the journal holds it."""

    numbers: str
    at: str
    kind: str
    name: str
    word: str
    tone: str
    seconds: float | None
    detail: str
    sql: tuple[str, ...] = ()
    epoch: int = 0
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One alias: its line in the timeline, and its chapter below.

    Attributes:
        alias, server: Which database, and what answered.
        word, tone: Where it stands, and how that looks.
        remark: The rest in a few words.
        seconds: How long it took.
        spans: What took time.
        bars: The same on the axis; made by `Story`.
        stages: The steps of the lifecycle.
        error, hint, detail: Why it failed, what to do, and what the driver said.
        drifts: What each scan found that is worth showing.
        facts: Anything else as (label, text): backup, consent, a resume's decision.
        flags: What a reader may filter by: "attention", "waited".
    """

    alias: str
    server: str = ""
    word: str = ""
    tone: str = "quiet"
    remark: str = ""
    seconds: float = 0.0
    spans: tuple[Span, ...] = ()
    bars: tuple[Bar, ...] = ()
    stages: tuple[Stage, ...] = ()
    error: str = ""
    hint: str = ""
    detail: str = ""
    drifts: tuple[Drift, ...] = ()
    repairs: tuple[Change, ...] = ()
    findings: tuple[Finding, ...] = ()
    migrations: tuple[MigrationRow, ...] = ()
    plan: tuple[PlannedRow, ...] = ()
    pending: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    record: tuple[RecordRow, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def waited(self) -> float:
        """Seconds that its migrations waited for locks."""
        return sum(row.wait for row in self.migrations)

    @property
    def begin(self) -> float:
        """Where its first bar stands on the axis."""
        return min((bar.at for bar in self.bars), default=0.0)

    @property
    def span(self) -> float:
        """Length of its part of the axis."""
        return max((bar.at + bar.length for bar in self.bars), default=0.0) - self.begin

    @property
    def aria(self) -> str:
        """Its line in the timeline, in words."""
        parts = [self.word, self.remark, *(f"{s.name} {s.word}" for s in self.stages)]
        return f"{self.alias}: " + "; ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Tally:
    """A number at the top of the page."""

    number: str
    label: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The test command, and how it ended."""

    command: str
    passed: bool
    exit_code: int
    seconds: float
    output: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the journal holds together. `breaks`: (place, problem) of each place where not."""

    breaks: tuple[tuple[str, str], ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was altered."""
        return not self.breaks


@dataclass(frozen=True, slots=True)
class Story:
    """The whole page.

    Attributes:
        name: "migrate 1m7wm4recw647".
        title: The first thing to read: how it ended, in a sentence.
        tone: How that looks.
        subtitle: Kind, id, when, how long.
        error, hint: Why the run never began.
        tallies: Numbers.
        advice: What to do next.
        way_back: The command that undoes it.
        notices: About the run as a whole: (message, hint).
        axis: Of the timeline; None without times.
        began: When the axis begins; ISO 8601.
        lanes: The aliases, in the order of the run.
        acceptance: The test command.
        facts: About the run: (label, text).
        proof: Of the journal; None for a report that is not from it.
        chapters: The lanes as their chapters stand: the worst first.
    """

    name: str
    title: str
    tone: str
    subtitle: str
    error: str = ""
    hint: str = ""
    tallies: tuple[Tally, ...] = ()
    advice: tuple[Advice, ...] = ()
    way_back: str = ""
    notices: tuple[tuple[str, str], ...] = ()
    axis: Axis | None = None
    began: str = ""
    lanes: tuple[Lane, ...] = ()
    acceptance: Acceptance | None = None
    facts: tuple[tuple[str, str], ...] = ()
    proof: Proof | None = None
    chapters: tuple[Lane, ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds and outcomes of all bars, for the legend."""
        spans = [bar.span for lane in self.lanes for bar in lane.bars]
        return frozenset(span.kind for span in spans) | {span.outcome for span in spans}

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each alias in the order of the run, from 1."""
        return {lane.alias: number for number, lane in enumerate(self.lanes, 1)}


def plan_bars(lanes: Sequence[Lane]) -> tuple[Axis | None, str, tuple[tuple[Bar, ...], ...]]:
    """Lay the spans of all lanes on one axis.

    Args:
        lanes: In any order.

    Returns:
        The axis (None where nothing has a time), when it begins, and the bars of each lane.
    """
    spans = [span for lane in lanes for span in lane.spans if moment_of(span.at)]
    if not spans:
        return None, "", tuple(() for _ in lanes)
    first = min(spans, key=lambda span: moment_of(span.at)).at

    def since(span: Span) -> float:
        return seconds_between(first, span.at)

    axis = plan_axis((since(span), since(span) + span.seconds) for span in spans)

    def bar(span: Span) -> Bar:
        at = axis.place(since(span))
        return Bar(span, at, max(axis.place(since(span) + span.seconds) - at, 0.0))

    return axis, first, tuple(tuple(bar(span) for span in lane.spans) for lane in lanes)


def stages_of(spans: Iterable[Span], words: dict[str, str]) -> tuple[Stage, ...]:
    """The steps of the lifecycle from their spans; the last attempt of each counts.

    Args:
        spans: Of one alias.
        words: Step → what it is called when it is done.
    """
    latest = {span.name: span for span in spans if span.kind == "step"}
    stages = []
    for name, done in words.items():
        span = latest.get(name)
        if span is None:
            stages.append(Stage(name, "none", ""))
            continue
        ends = {"failed": f"{name} failed", "open": f"{name} cut short"}
        word = ends.get(span.outcome, done)
        stages.append(Stage(name, TONES.get(span.outcome, "good"), word, span.seconds))
    return tuple(stages)
