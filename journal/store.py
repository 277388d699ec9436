"""The journal in a database: SQLite, or PostgreSQL where several hosts share it.

Each method is one transaction: load the records, apply a rule (rules.py), store what comes
back. Writers to one target wait for one another at its row; that is also where the epoch is
asserted and the next number of the chain is taken, so neither can be out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from journal import rules, statements, supersession
from journal.audit import audit
from journal.chain import digest_plain, plain
from journal.connection import Connector
from journal.exceptions import JournalCorrupt, UnknownRun
from journal.identifiers import new_run_id, normalise_prefix, pick_run, unknown_run
from journal.port import Journal
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
from journal.revisions import lock_opening


class SqlJournal(Journal):
    """A journal in a database. Open one with `journal.open_journal`."""

    def __init__(
        self, url: str, *, create: bool = True, clock: Callable[[], datetime] = rules.utc_now
    ) -> None:
        """Open the journal; see `journal.open_journal`.

        Args:
            url, create: See there.
            clock: Gives the time, in UTC.

        Raises:
            JournalError: See there.
        """
        self._connector = Connector(url, create=create)
        self._clock = clock
        # What this process was told is durable. A journal that knows less was restored from a
        # backup or replaced under our hands.
        self._acknowledged: dict[tuple[str, str], int] = {}
        self._claimed: dict[tuple[str, str], int] = {}
        self._opened: set[str] = set()

    @property
    def location(self) -> str:
        return self._connector.location

    def close(self) -> None:
        self._connector.close()

    # -- writing -----------------------------------------------------------

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
        def work(connection: Connection) -> Run:
            newest = statements.lock_newest_id(connection)
            now = self._clock()
            run, opened = rules.begin(
                new_run_id(now, newest),
                previous=newest,
                now=now,
                kind=kind,
                goal=goal,
                options=options,
                actor=actor,
                targets=targets,
                plan_digest=plan_digest,
                parent=parent,
            )
            statements.insert_run(connection, run, opened)
            return run

        # Not repeatable: an answer that is lost would leave a second run behind.
        run = self._connector.commit(work, repeatable=False)
        self._opened.add(run.id)
        return run

    def reopen_run(self, run_id: str) -> Run:
        def work(connection: Connection) -> Run:
            run = rules.reopen(self._run(connection, run_id, lock=True))
            statements.update_run(connection, run)
            return run

        return self._connector.commit(work, repeatable=True)

    def claim(self, run_id: str, alias: str, *, actor: Mapping[str, Any] | None = None) -> int:
        def work(connection: Connection) -> Target:
            before = self._target(connection, run_id, alias)
            rules.assert_open(run_id, self._run(connection, run_id).status)
            claimed, entry = rules.claim(before, self._clock(), actor)
            statements.update_target(connection, claimed, epoch=before.epoch)
            statements.insert_entry(connection, entry)
            return claimed

        claimed = self._connector.commit(work, repeatable=True)
        self._claimed[run_id, alias] = claimed.epoch
        self._acknowledge(run_id, alias, claimed.seq)
        return claimed.epoch

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
        steps = (*earlier, Step(kind, name, phase, attempt, seconds, payload))
        changes = rules.given(state=state, status=status)

        def work(connection: Connection) -> Entry:
            target = self._target(connection, run_id, alias)
            rules.assert_epoch(target, epoch)
            now = self._clock()
            added = False
            written: list[Entry] = []
            for step in steps:
                # After the lock, so that it sees what the one who held it before has written.
                run_status, entry = statements.status_and_step(
                    connection, run_id, alias, rules.step_key_of(step)
                )
                rules.assert_open(run_id, run_status)
                if entry is None:
                    target, entry = rules.append_step(target, now, step)
                    statements.insert_entry(connection, entry)
                    added = True
                written.append(entry)
            if added or changes:
                changed = rules.change(target, now, changes)
                statements.update_target(connection, changed, epoch=epoch)
            return written[-1]

        entry = self._connector.commit(work, repeatable=True)
        self._acknowledge(run_id, alias, entry.seq)
        return entry

    def update_target(
        self, run_id: str, alias: str, *, epoch: int | None, **changes: Any
    ) -> Target:
        def work(connection: Connection) -> Target:
            before = self._target(connection, run_id, alias)
            rules.assert_epoch(before, epoch)
            rules.assert_open(run_id, self._run(connection, run_id).status)
            target = rules.change(before, self._clock(), changes)
            statements.update_target(connection, target, epoch=before.epoch)
            return target

        return self._connector.commit(work, repeatable=True)

    def close_run(self, run_id: str, status: RunStatus) -> Run:
        def work(connection: Connection) -> Run:
            # Targets first, as whoever writes to one has them: then no two wait for each other.
            targets = statements.targets(connection, run_id, lock=True)
            run = self._run(connection, run_id, lock=True)
            closed = rules.close(run, targets, status, self._clock())
            if closed is not run:
                for target in () if rules.is_over(targets, status) else targets:
                    rules.assert_epoch(target, self._claimed.get((run_id, target.alias)))
                statements.update_run(connection, closed)
            return closed

        return self._connector.commit(work, repeatable=True)

    def save_snapshot(
        self, *, identity: str, alias: str, run_id: str, content: Mapping[str, Any]
    ) -> Snapshot:
        document = plain(content)
        snapshot = Snapshot(
            identity, alias, run_id, digest_plain(document), self._clock(), document
        )

        def work(connection: Connection) -> Snapshot:
            self._run(connection, run_id)
            # Two writers of one content: the later waits here, and then sees the row.
            lock_opening(connection)
            statements.replace_snapshot(connection, snapshot)
            return snapshot

        return self._connector.commit(work, repeatable=True)

    def prune(
        self,
        *,
        before: datetime | None = None,
        keep: int | None = None,
        run_ids: Iterable[str] = (),
        actor: Mapping[str, Any] | None = None,
    ) -> tuple[str, ...]:
        explicit = frozenset(run_ids)
        options = rules.prune_options(before, keep, explicit)

        def work(connection: Connection) -> tuple[str, ...]:
            newest = statements.lock_newest_id(connection)
            runs = statements.runs(connection, lock=True)
            targets = statements.targets_by_run(connection)
            rules.assert_known(explicit, (run.id for run in runs))
            removed = supersession.prunable(
                runs, targets, before=before, keep=keep, explicit=explicit
            )
            if not removed:
                return ()
            now = self._clock()
            run, target, entry = rules.pruned(
                new_run_id(now, newest),
                previous=newest,
                now=now,
                actor=actor or {},
                options=options,
                payload=rules.prune_payload(
                    removed,
                    [run for run in runs if run.id not in removed],
                    rules.pruned_ids(statements.prune_entries(connection)),
                ),
            )
            statements.delete_runs(connection, removed)
            statements.insert_run(connection, run, (target,))
            statements.insert_entry(connection, entry)
            return removed

        return self._connector.commit(work, repeatable=False)

    # -- reading -----------------------------------------------------------

    def find_run(self, prefix: str) -> Run:
        beginning = normalise_prefix(prefix)
        with self._connector.reading() as connection:
            run_id = pick_run(prefix, statements.ids_beginning(connection, beginning))
            return self._run(connection, run_id)

    def runs(self, *, limit: int | None = None) -> tuple[Run, ...]:
        with self._connector.reading() as connection:
            return statements.runs(connection, limit=limit)

    def targets(self, run_id: str) -> tuple[Target, ...]:
        with self._connector.reading() as connection:
            return statements.targets(connection, run_id)

    def entries(self, run_id: str, alias: str | None = None) -> tuple[Entry, ...]:
        with self._connector.reading() as connection:
            return statements.entries(connection, run_id, alias)

    def latest_snapshot(self, identity: str, *, before: str = "") -> Snapshot | None:
        if not identity:
            return None
        with self._connector.reading() as connection:
            return statements.latest_snapshot(connection, identity, before)

    def verify(self, run_ids: Iterable[str] | None = None) -> tuple[Break, ...]:
        with self._connector.reading() as connection:
            return audit(connection, None if run_ids is None else frozenset(run_ids))

    def _runs_and_targets(self) -> tuple[tuple[Run, ...], Mapping[str, Sequence[Target]]]:
        with self._connector.reading() as connection:
            return statements.runs(connection), statements.targets_by_run(connection)

    # -- what this process knows -----------------------------------------------

    def _run(self, connection: Connection, run_id: str, *, lock: bool = False) -> Run:
        run = statements.run(connection, run_id, lock=lock)
        if run is None:
            raise self._gone(run_id) if run_id in self._opened else unknown_run(run_id)
        return run

    def _target(self, connection: Connection, run_id: str, alias: str) -> Target:
        """The target, locked until the transaction ends."""
        target = statements.locked_target(connection, run_id, alias)
        acknowledged = self._acknowledged.get((run_id, alias), 0)
        if target is None:
            self._run(connection, run_id)
            if acknowledged:
                raise self._gone(run_id)
            raise UnknownRun(f"Run {run_id} has no target {alias!r}.")
        if target.seq < acknowledged:
            raise self._gone(run_id)
        return target

    def _acknowledge(self, run_id: str, alias: str, seq: int) -> None:
        known = self._acknowledged.get((run_id, alias), 0)
        self._acknowledged[run_id, alias] = max(known, seq)

    def _gone(self, run_id: str) -> JournalCorrupt:
        return JournalCorrupt(
            f"The journal {self.location} has lost what it had acknowledged of run {run_id}: "
            "it was restored from a backup, or replaced, while in use.",
            hint="Look at what happened to it before the next run; a fresh run converges all "
            "the same.",
        )
