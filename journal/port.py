"""The interface that every journal offers: `SqlJournal` (store.py) and `MemoryJournal`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from journal import supersession
from journal.records import (
    Break,
    Entry,
    Phase,
    Run,
    RunStatus,
    Snapshot,
    Step,
    Target,
    TargetStatus,
)


class Journal(ABC):
    """A durable record of runs. Every write is committed when the call returns.

    Every method may raise JournalUnreachable, JournalCorrupt or JournalReadOnly; every write
    to a run or target that is not there, UnknownRun. Passwords in options, actors, payloads
    and reasons are hidden on the way in (scrub.py). A journal may be shared by threads.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """Where it is, for messages: the URL with any password hidden."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections; the journal cannot be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- writing -----------------------------------------------------------

    @abstractmethod
    def open_run(
        self,
        *,
        kind: str,
        goal: str,
        options: Mapping[str, Any],
        actor: Mapping[str, Any],
        targets: Sequence[Target] = (),
        plan_digest: str = "",
        parent: str = "",
    ) -> Run:
        """Open a run with its targets, in one commit. `Target.run_id` is filled in here.

        Raises:
            ValueError: Two targets have the same alias.
        """

    @abstractmethod
    def reopen_run(self, run_id: str) -> Run:
        """Set a failed or interrupted run to OPEN again (a resume); clears closed_at and seal.

        Raises:
            JournalError: The run is complete.
        """

    @abstractmethod
    def claim(self, run_id: str, alias: str, *, actor: Mapping[str, Any] | None = None) -> int:
        """Raise the target's epoch by one (compare-and-set), append a "claim" entry, set the
        status RUNNING; return the new epoch. Every later write with an older epoch is refused.

        Raises:
            Fenced: The run is closed.
        """

    @abstractmethod
    def write(
        self,
        run_id: str,
        alias: str,
        *,
        epoch: int,
        kind: str,
        name: str,
        phase: Phase,
        attempt: int = 1,
        seconds: float | None = None,
        payload: Mapping[str, Any] | None = None,
        state: str | None = None,
        status: TargetStatus | None = None,
        earlier: Sequence[Step] = (),
    ) -> Entry:
        """Append one entry, in one commit; with `state`/`status`, change the target in it too.

        `earlier` are steps that come before it in the chain, in the same commit: the outcome
        of one migration and the intent of the next cost one durable write instead of two.

        Writing an entry whose key (run, alias, kind, name, attempt, phase) exists does nothing
        and returns the one that is there (target changes are then applied all the same).

        Raises:
            Fenced: The target's epoch is no longer `epoch`, or the run is closed.
        """

    @abstractmethod
    def update_target(
        self, run_id: str, alias: str, *, epoch: int | None, **changes: Any
    ) -> Target:
        """Change mutable fields of a target (identity, vendor, server_version, state, status,
        leaves_*, fingerprint_*, reason), in one commit. `epoch=None` does not assert it
        (skipped before any claim).

        Raises:
            Fenced: The target's epoch is no longer `epoch`, or the run is closed.
            TypeError: A field that cannot be changed.
        """

    @abstractmethod
    def close_run(self, run_id: str, status: RunStatus) -> Run:
        """Close the run and seal the heads of its chains. A second close does nothing.

        Raises:
            Fenced: A target that this journal object claimed was claimed elsewhere since.
        """

    @abstractmethod
    def save_snapshot(
        self, *, identity: str, alias: str, run_id: str, content: Mapping[str, Any]
    ) -> Snapshot:
        """Store the schema of a verified target; the same content is stored once."""

    @abstractmethod
    def prune(
        self,
        *,
        before: datetime | None = None,
        keep: int | None = None,
        run_ids: Iterable[str] = (),
        actor: Mapping[str, Any] | None = None,
    ) -> tuple[str, ...]:
        """Remove whole, closed runs, and say so in the journal (a run of kind "prune").

        The newest snapshot of each target stays, and so do runs that are incomplete, and those
        without which another would become incomplete.

        Args:
            before: Only runs opened before that time.
            keep: Only runs that are not among the newest so many (with `before`: both).
            run_ids: Exactly these as well, even though open or incomplete: the way to give up
                a run whose database no longer exists.
            actor: Who prunes, see `Run.actor`.

        Returns:
            The ids removed, oldest first; nothing is written when there are none.

        Raises:
            ValueError: Nothing was asked for, or `keep` is negative.
            UnknownRun: One of `run_ids` is not there.
        """

    # -- reading -----------------------------------------------------------

    @abstractmethod
    def find_run(self, prefix: str) -> Run:
        """The run of that id or unique prefix.

        Raises:
            UnknownRun, AmbiguousRun
        """

    @abstractmethod
    def runs(self, *, limit: int | None = None) -> tuple[Run, ...]:
        """Runs, newest first."""

    @abstractmethod
    def targets(self, run_id: str) -> tuple[Target, ...]:
        """The targets of a run, in the order in which the run was opened with them."""

    @abstractmethod
    def entries(self, run_id: str, alias: str | None = None) -> tuple[Entry, ...]:
        """Entries of a run, in the order of their writing (within an alias: by seq)."""

    @abstractmethod
    def latest_snapshot(self, identity: str, *, before: str = "") -> Snapshot | None:
        """The newest snapshot of a physical database; with `before`, the newest that a run made
        which was opened before that one.
        """

    @abstractmethod
    def verify(self, run_ids: Iterable[str] | None = None) -> tuple[Break, ...]:
        """Recompute the chains and seals of these runs; what does not hold.

        Args:
            run_ids: Whole ids. None: all runs, whether one of them is gone without a pruning
                that says so, and the snapshots.

        Raises:
            UnknownRun: One of `run_ids` is not there.
        """

    # -- deciding (the same for every journal) --------------------------------

    def is_complete(self, run: Run) -> bool:
        """Whether the run reached its goal on each target that it did not skip."""
        return run.status is RunStatus.COMPLETE

    def incomplete_runs(self) -> tuple[Run, ...]:
        """Runs that are open, interrupted or failed, and not superseded, newest first.

        Superseded is a run each of whose unfinished targets (same alias, same identity; the
        alias alone where the identity never became known) has been brought to the goal
        "verified" by other runs since. A run of goal "scanned" that failed is a finding, not
        unfinished work: a later success of either goal on the same targets supersedes it.
        A run that failed before it had any target is superseded by any later complete run.
        """
        runs, targets = self._runs_and_targets()
        return supersession.incomplete(runs, targets)

    def _runs_and_targets(self) -> tuple[tuple[Run, ...], Mapping[str, Sequence[Target]]]:
        """All runs, newest first, and the targets of each."""
        runs = self.runs()
        return runs, {run.id: self.targets(run.id) for run in runs}
