"""The journal's records: plain, frozen data, with no database behind them.

Times are timezone-aware UTC datetimes; durations are seconds (float); payloads are
JSON-ready mappings. No record ever holds a credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """Where a journaled step stands."""

    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"
    RECONCILED = "reconciled"


class RunStatus(StrEnum):
    """How a run stands. OPEN after a crash means: nobody has closed it."""

    OPEN = "open"
    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class TargetStatus(StrEnum):
    """How one alias of a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        id: Sortable by time of opening, short enough to type; any unique prefix finds it.
        kind: "migrate", "repair", "check", "dry-run", "rollback", …
        goal: The target state that ends it well.
        status: See RunStatus.
        opened_at, closed_at: Times; closed_at is None while nobody has closed it.
        options: What was asked for.
        actor: Who, where, with what: user, host, pid, argv (scrubbed), git commit, CI URL,
            versions.
        plan_digest: Digest of the plan that the run was opened for; "" when there is none.
        parent: Id of the run that this one answers (rollback), or "".
        seal: Digest over the heads of all its chains, written when it is closed; "" before.
        previous: Id of the run opened before it, so that a run that is gone is missed.
        digest: Digest over what was known when it was opened, its aliases included.
    """

    id: str
    kind: str
    goal: str
    status: RunStatus
    opened_at: datetime
    closed_at: datetime | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    actor: Mapping[str, Any] = field(default_factory=dict)
    plan_digest: str = ""
    parent: str = ""
    seal: str = ""
    previous: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One alias of one run.

    Attributes:
        run_id, alias: Key.
        vendor, server_version: What the database is.
        identity: Which physical database it is; never a credential; "" while unknown.
        state: Lifecycle state ("pending", "guarded", …).
        status: See TargetStatus.
        epoch: Raised by every claim; a writer with an older one is refused.
        leaves_before, leaves_after: Recorded leaf nodes, "app.name".
        fingerprint_before, fingerprint_after: Schema fingerprints.
        reason: Why it was skipped or failed, one sentence.
        updated_at: When anything of it changed last; None before the journal has it.
        seq, head: Number and hash of the last entry of its chain; 0 and "" without entries.
        seal: Digest over all of the above, written with every change.
    """

    run_id: str
    alias: str
    vendor: str = ""
    server_version: str = ""
    identity: str = ""
    state: str = "pending"
    status: TargetStatus = TargetStatus.PENDING
    epoch: int = 0
    leaves_before: tuple[str, ...] = ()
    leaves_after: tuple[str, ...] = ()
    fingerprint_before: str = ""
    fingerprint_after: str = ""
    reason: str = ""
    updated_at: datetime | None = None
    seq: int = 0
    head: str = ""
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What a caller says of a step; the journal makes an Entry of it."""

    kind: str
    name: str
    phase: Phase
    attempt: int = 1
    seconds: float | None = None
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One append-only line of a target's chain.

    Unique by (run_id, alias, kind, name, attempt, phase): writing it again does nothing.

    Attributes:
        run_id, alias, seq: Key; seq counts from 1 without gaps within (run, alias).
        epoch: The claim under which it was written.
        kind: "claim" | "transition" | "migration" | "operation" | "repair" | "decision" | …
        name: "scan", "app.name", "app.name:2", …
        attempt: Counts from 1.
        phase: See Phase.
        at: When, UTC.
        seconds: How long, for an outcome.
        payload: Anything else, JSON-ready.
        previous: Hash of the entry before in this chain; "" for the first.
        hash: Hash over all of the above.
    """

    run_id: str
    alias: str
    seq: int
    epoch: int
    kind: str
    name: str
    attempt: int
    phase: Phase
    at: datetime
    seconds: float | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    previous: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The full schema of a target at a verification, by digest.

    Attributes:
        identity, alias: Which target.
        run_id: The run that verified it.
        digest: SHA-256 of the content.
        at: When.
        content: JSON-ready mapping: {"schema": …, "recorded": ["app.name", …]}.
    """

    identity: str
    alias: str
    run_id: str
    digest: str
    at: datetime
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the journal does not hold together.

    Attributes:
        run_id, alias, seq: Where ("" / 0 when it concerns the whole run).
        problem: One sentence: what was edited, removed, reordered or is missing.
    """

    run_id: str
    alias: str
    seq: int
    problem: str
