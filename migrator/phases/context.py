"""What every phase gets: one alias of one run, and what is known about it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db.backends.base.base import BaseDatabaseWrapper

from journal import Target
from migrator.backends import Backend, Lock, Server
from migrator.conf import Settings
from migrator.core.events import Emit, ReplayFinished
from migrator.core.incidents import Evidence
from migrator.core.limits import Limits
from migrator.core.options import MigratorOptions
from migrator.core.reference import Held
from migrator.exceptions import MigratorError
from migrator.prompts import Prompter
from migrator.replay import Replay, replay_digest
from migrator.waiting import Patience

if TYPE_CHECKING:
    from migrator.ledger import Ledger
    from migrator.scanner import ReplayRequest, ScanResult


class SkipTarget(Exception):
    """This alias needs nothing; the argument is the reason for the report."""

    @property
    def reason(self) -> str:
        """Why, one sentence."""
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first look at an alias found, before the run is opened.

    Attributes:
        alias: The alias.
        connection: Its wrapper; connected, unless `error` or `absent`.
        backend: Its vendor; None when the vendor is not supported.
        server: What answers; None when nothing does.
        identity: Which physical database; "" when nothing answers.
        error: Why nothing answers.
        skip: Why the alias needs nothing; "" when it does.
    """

    alias: str
    connection: BaseDatabaseWrapper
    backend: Backend | None = None
    server: Server | None = None
    identity: str = ""
    error: MigratorError | None = None
    skip: str = ""

    def as_target(self) -> Target:
        """What the journal is told of it when a run is opened."""
        return Target(
            run_id="",
            alias=self.alias,
            vendor=self.connection.vendor,
            server_version=str(self.server or ""),
            identity=self.identity,
        )


@dataclass(slots=True)
class Context:
    """One alias in one run. Phases read it, and leave their result where the next one looks."""

    survey: Survey
    settings: Settings
    options: MigratorOptions
    emit: Emit
    prompter: Prompter
    ledger: Ledger
    backend: Backend
    lock: Lock | None = None
    scan: ScanResult | None = None
    held: tuple[Held, ...] = ()
    applied: int = 0
    decisions: list[str] = field(default_factory=list)

    @property
    def alias(self) -> str:
        """The alias."""
        return self.survey.alias

    @property
    def connection(self) -> BaseDatabaseWrapper:
        """Its connection."""
        return self.survey.connection

    @property
    def patience(self) -> Patience:
        """How long somebody else at work is waited for."""
        return Patience.of(self.alias, self.options, self.settings, self.emit)

    @property
    def vouched(self) -> tuple[str, ...]:
        """Pending migrations that somebody says are there, now or when the run was opened.

        About an operation in doubt only what is said now counts: it is the doubt of which the
        run has told, and the next one is another.
        """
        return (*self.ledger.options.get("assume_applied", ()), *self.options.assume_applied)

    @property
    def limits(self) -> Limits:
        """How long a statement waits for a lock, and how often it is tried again."""
        lock, retries = self.options.lock_timeout, self.options.lock_retries
        return Limits(
            lock=self.settings.lock_timeout if lock is None else lock,
            retries=self.settings.lock_retries if retries is None else retries,
            statement=self.settings.statement_timeout,
        )

    def replay(self, request: ReplayRequest) -> Held:
        """What the recorded migrations make, from the journal where it has been made before."""
        overrides = self.settings.scratch.get(self.alias, {})
        digest = replay_digest(
            None,
            rows=request.rows,
            recorded=request.recorded,
            expected=request.expected,
            server=str(self.survey.server),
            overrides=overrides,
        )
        record = self.ledger.cached_replay(self.survey.identity, digest)
        if record is not None:
            self.emit(ReplayFinished(self.alias, 0.0, cached=True))
        else:
            replay = Replay(self.connection, self.ledger.run_id, overrides, self.emit)
            record = replay.run(request.rows, request.recorded, request.expected)
            self.ledger.save_replay(self.survey.identity, digest, record)
        origin = "not what the recorded migrations make in a scratch database"
        held = Held(record, Evidence.REPLAY, origin)
        self.held = (*self.held, held)
        return held

    @property
    def read_only(self) -> bool:
        """Whether this run may not write to the target."""
        return self.options.check or self.options.dry_run
