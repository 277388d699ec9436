"""A sealed family of events: everything that can happen in a run.

One stream, three readers: the journal stores what must survive, the reports fold events into
a document, the progress display watches them. Events carry no clock and no I/O of their own;
durations and times are put in by whoever emits. Seconds are floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from migrator.core.effects import MigrationKey
from migrator.core.findings import Finding
from migrator.core.incidents import Incident
from migrator.core.live import TableSize
from migrator.core.plan import TableLock


@dataclass(frozen=True, slots=True)
class RunOpened:
    """The run exists in the journal. `at` is ISO 8601, UTC.

    `selection`: the flags that chose what the run is about ("--database", "default").
    """

    run_id: str
    kind: str
    goal: str
    aliases: tuple[str, ...]
    at: str
    resumed: bool = False
    selection: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunClosed:
    """The run is over. `outcome`: "complete" | "failed" | "interrupted"."""

    run_id: str
    outcome: str
    exit_code: int
    at: str


@dataclass(frozen=True, slots=True)
class RunNotice:
    """Something about the run as a whole that a person should read; never a failure."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class PassStarted:
    """Aliases that failed are tried again after the others; `number` counts from 1."""

    number: int
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MigrationsWritten:
    """makemigrations created files; paths relative to the project root."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TargetIdentified:
    """What an alias turned out to be. `identity` never holds a credential."""

    alias: str
    vendor: str
    server: str
    identity: str


@dataclass(frozen=True, slots=True)
class TargetSkipped:
    """An alias that needs nothing, with the reason."""

    alias: str
    reason: str


@dataclass(frozen=True, slots=True)
class TransitionStarted:
    """The intent of a transition is in the journal."""

    alias: str
    trigger: str
    source: str
    dest: str


@dataclass(frozen=True, slots=True)
class TransitionFinished:
    """The outcome of a transition is in the journal."""

    alias: str
    trigger: str
    dest: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LockAwaited:
    """Somebody else is at work on the database, and we wait. `seconds`: at most so long."""

    alias: str
    holder: str
    seconds: float


@dataclass(frozen=True, slots=True)
class GuardPassed:
    """One guard let the alias through. `detail` is for verbosity 2 and up."""

    alias: str
    guard: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ScanFinished:
    """A scan's whole result. `phase`: "scan" | "repair" | "verify" (who scanned)."""

    alias: str
    phase: str
    tables: int
    recorded: int
    incidents: tuple[Incident, ...]
    pending: tuple[MigrationKey, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class ReplayStarted:
    """The recorded migrations are about to run in a scratch database (`--deep`)."""

    alias: str
    scratch: str
    total: int


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """A recorded migration is about to run in the scratch database."""

    alias: str
    migration: MigrationKey
    position: int
    total: int


@dataclass(frozen=True, slots=True)
class ReplayFinished:
    """What the recorded migrations make is known. `cached`: from an earlier replay."""

    alias: str
    seconds: float
    cached: bool = False


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One pending migration of a plan, with its SQL where it can be shown."""

    migration: MigrationKey
    sql: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    """Operations whose effect cannot be shown, by description."""
    locks: tuple[TableLock, ...] = ()
    """The strongest lock that it takes on each table that is there before the plan."""
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    sizes: tuple[tuple[str, TableSize], ...] = ()
    """Of the tables of `locks`."""
    backwards: bool = False
    file: str = ""
    atomic: bool = True
    """Whether it runs in one transaction, on a server that can."""

    @property
    def untold(self) -> tuple[str, ...]:
        """Of `opaque`, what no comment in `sql` has said already."""
        return tuple(each for each in self.opaque if f"-- {each}" not in self.sql)


@dataclass(frozen=True, slots=True)
class PlanMade:
    """The ordered plan of an alias (dry run)."""

    alias: str
    steps: tuple[PlannedStep, ...]


@dataclass(frozen=True, slots=True)
class FindingsMade:
    """What the lint says about the plan of an alias, errors first."""

    alias: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """Somebody let steps that lose data go on.

    `how`: "asked" (typed at the terminal) | "--allow-destructive". `by`: the OS user.
    """

    alias: str
    how: str
    by: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class BackupStarted:
    """A backup of the whole database is being written to `path`. `bytes`: of the database."""

    alias: str
    path: str
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class BackupMade:
    """A backup is written, read back whole and durable. `digest`: SHA-256 of the file."""

    alias: str
    path: str
    bytes: int
    digest: str
    seconds: float
    tool: str = ""
    removed: tuple[str, ...] = ()
    """Older backups that the retention removed."""


@dataclass(frozen=True, slots=True)
class LockContended:
    """A migration got no lock in time, was rolled back, and is tried again after `pause` seconds.

    `blockers`: who held it, readable. `waited`: seconds. `attempt` counts from 1, within the run.
    """

    alias: str
    migration: MigrationKey
    attempt: int
    waited: float
    pause: float
    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockWaiting:
    """A statement has been waiting for a lock for `seconds`; `blockers` hold it now."""

    alias: str
    migration: MigrationKey
    seconds: float
    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceptanceStarted:
    """The test command is about to run."""

    command: str


@dataclass(frozen=True, slots=True)
class AcceptanceFinished:
    """The test command has ended. `output`: its last lines, scrubbed."""

    command: str
    exit_code: int
    seconds: float
    output: str = ""


@dataclass(frozen=True, slots=True)
class ResumePlanned:
    """What a resume would do with one alias, and why (`--resume --dry-run`).

    `state`, `status` and `stopped_in` are the journal's: where it stands, how it ended, and the
    step in which it did ("" between two). `action`: "nothing" | "continue" | "stop" (this alias
    would fail, the others go on) | "refuse" (the run would not be continued at all); the last two
    with the error. `done`: committed by this run; `reconciled`: committed, and their outcome
    lost; `retried`: begun and not committed; `in_doubt`: operations of them that may have taken
    effect; `pending`: what would be applied, those retried included.
    """

    alias: str
    state: str
    status: str
    stopped_in: str = ""
    action: str = "nothing"
    reason: str = ""
    hint: str = ""
    error_type: str = ""
    exit_code: int = 0
    done: tuple[MigrationKey, ...] = ()
    reconciled: tuple[MigrationKey, ...] = ()
    retried: tuple[MigrationKey, ...] = ()
    in_doubt: tuple[str, ...] = ()
    pending: tuple[MigrationKey, ...] = ()


@dataclass(frozen=True, slots=True)
class RepairPlanned:
    """What a repair is about to do, before it does it: (description, SQL) of each action.

    `notes` are what a person should know beforehand: data that is gone, for example.
    """

    alias: str
    actions: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RepairApplied:
    """One action of a repair, done."""

    alias: str
    description: str
    sql: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class MigratingStarted:
    """The executor is about to apply `total` migrations, or to take them back."""

    alias: str
    total: int
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class MigrationStarted:
    """The intent of a migration is in the journal."""

    alias: str
    migration: MigrationKey
    attempt: int
    position: int
    total: int


@dataclass(frozen=True, slots=True)
class MigrationApplied:
    """A migration is committed; its outcome is in the journal, or goes there with the next step.

    `how`: "applied" | "faked" (fake_initial) | "companion" (a fake detector) | "reconciled"
    (committed by an earlier attempt whose answer was lost) | "unapplied" (a rollback) |
    "forgotten" (a rollback, of one that had only been recorded: its row alone).
    """

    alias: str
    migration: MigrationKey
    seconds: float
    attempt: int = 1
    lock_wait_seconds: float = 0.0
    how: str = "applied"
    sql: tuple[str, ...] = ()
    """What it sent, without parameters and without what only reads; not of all that there is."""
    reversible: bool = True
    """Whether `migrator rollback` can take it back."""


@dataclass(frozen=True, slots=True)
class MigrationFailed:
    """A migration raised; its transaction was rolled back where there was one."""

    alias: str
    migration: MigrationKey
    attempt: int
    error: str


@dataclass(frozen=True, slots=True)
class OperationApplied:
    """One operation of a non-atomic migration is done. `how`: "applied" | "already there"."""

    alias: str
    migration: MigrationKey
    index: int
    description: str
    how: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that a person should read but that stops nothing."""

    alias: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class AliasFailed:
    """An alias ended in `failed`."""

    alias: str
    error_type: str
    message: str
    hint: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class AliasFinished:
    """An alias reached the goal of the run."""

    alias: str
    state: str
    seconds: float


Event: TypeAlias = (
    RunOpened
    | RunClosed
    | RunNotice
    | PassStarted
    | MigrationsWritten
    | TargetIdentified
    | TargetSkipped
    | TransitionStarted
    | TransitionFinished
    | LockAwaited
    | GuardPassed
    | ScanFinished
    | ReplayStarted
    | ReplayStep
    | ReplayFinished
    | PlanMade
    | FindingsMade
    | ConsentGiven
    | BackupStarted
    | BackupMade
    | LockContended
    | LockWaiting
    | AcceptanceStarted
    | AcceptanceFinished
    | ResumePlanned
    | RepairPlanned
    | RepairApplied
    | MigratingStarted
    | MigrationStarted
    | MigrationApplied
    | MigrationFailed
    | OperationApplied
    | Warned
    | AliasFailed
    | AliasFinished
)
"""The sealed family; a reader that matches on all of them is exhaustive."""

Emit: TypeAlias = Callable[[Event], None]
"""Where the shell sends events."""
