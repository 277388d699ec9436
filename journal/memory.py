"""The journal in memory: the twin of `SqlJournal`, for tests and for `--check` without one.

It follows the same rules (rules.py) and forgets everything when the process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from journal import chain, rules, supersession
from journal.exceptions import UnknownRun
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


@dataclass
class _Book:
    """One run with all that belongs to it."""

    run: Run
    targets: dict[str, Target]
    entries: list[Entry] = field(default_factory=list)


class MemoryJournal(Journal):
    """A journal that lives as long as the object does."""

    def __init__(self, *, clock: Callable[[], datetime] = rules.utc_now) -> None:
        """Begin an empty journal.

        Args:
            clock: Gives the time, in UTC.
        """
        self._clock = clock
        self._lock = threading.RLock()
        self._books: dict[str, _Book] = {}
        self._snapshots: list[Snapshot] = []

    @property
    def location(self) -> str:
        return "memory"

    def close(self) -> None:
        """Nothing to let go of; the content stays."""

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
        with self._lock:
            now, newest = self._clock(), self._newest_id()
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
            self._books[run.id] = _Book(run, {target.alias: target for target in opened})
            return run

    def reopen_run(self, run_id: str) -> Run:
        with self._lock:
            book = self._book(run_id)
            book.run = rules.reopen(book.run)
            return book.run

    def claim(self, run_id: str, alias: str, *, actor: Mapping[str, Any] | None = None) -> int:
        with self._lock:
            book, target = self._target(run_id, alias)
            rules.assert_open(run_id, book.run.status)
            claimed, entry = rules.claim(target, self._clock(), actor)
            book.targets[alias] = claimed
            book.entries.append(entry)
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
        changes = rules.given(state=state, status=status)
        with self._lock:
            book, target = self._target(run_id, alias)
            rules.assert_epoch(target, epoch)
            rules.assert_open(run_id, book.run.status)
            now = self._clock()
            added: list[Entry] = []
            written: list[Entry] = []
            for step in (*earlier, Step(kind, name, phase, attempt, seconds, payload)):
                entry = self._step(book, alias, rules.step_key_of(step))
                if entry is None:
                    target, entry = rules.append_step(target, now, step)
                    added.append(entry)
                written.append(entry)
            if added or changes:
                book.targets[alias] = rules.change(target, now, changes)
                book.entries.extend(added)
            return written[-1]

    def update_target(
        self, run_id: str, alias: str, *, epoch: int | None, **changes: Any
    ) -> Target:
        with self._lock:
            book, target = self._target(run_id, alias)
            rules.assert_epoch(target, epoch)
            rules.assert_open(run_id, book.run.status)
            book.targets[alias] = rules.change(target, self._clock(), changes)
            return book.targets[alias]

    def close_run(self, run_id: str, status: RunStatus) -> Run:
        with self._lock:
            book = self._book(run_id)
            book.run = rules.close(book.run, tuple(book.targets.values()), status, self._clock())
            return book.run

    def save_snapshot(
        self, *, identity: str, alias: str, run_id: str, content: Mapping[str, Any]
    ) -> Snapshot:
        document = chain.plain(content)
        with self._lock:
            self._book(run_id)
            saved = Snapshot(
                identity, alias, run_id, chain.digest(document), self._clock(), document
            )
            self._snapshots = [
                each for each in self._snapshots if _snapshot_key(each) != _snapshot_key(saved)
            ]
            self._snapshots.append(saved)
            return saved

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
        with self._lock:
            runs, targets = self._runs_and_targets()
            rules.assert_known(explicit, self._books)
            removed = supersession.prunable(
                runs, targets, before=before, keep=keep, explicit=explicit
            )
            if not removed:
                return ()
            now, newest = self._clock(), self._newest_id()
            kept = [run for run in runs if run.id not in removed]
            run, target, entry = rules.pruned(
                new_run_id(now, newest),
                previous=newest,
                now=now,
                actor=actor or {},
                options=options,
                payload=rules.prune_payload(removed, kept, self._pruned_ids()),
            )
            for run_id in removed:
                del self._books[run_id]
            self._drop_snapshots(frozenset(removed))
            self._books[run.id] = _Book(run, {target.alias: target}, [entry])
            return removed

    # -- reading -----------------------------------------------------------

    def find_run(self, prefix: str) -> Run:
        beginning = normalise_prefix(prefix)
        with self._lock:
            ids = [run_id for run_id in self._books if run_id.startswith(beginning)]
            return self._books[pick_run(prefix, ids)].run

    def runs(self, *, limit: int | None = None) -> tuple[Run, ...]:
        with self._lock:
            newest_first = sorted(self._books, reverse=True)
            return tuple(self._books[run_id].run for run_id in newest_first[:limit])

    def targets(self, run_id: str) -> tuple[Target, ...]:
        with self._lock:
            book = self._books.get(run_id)
            return tuple(book.targets.values()) if book else ()

    def entries(self, run_id: str, alias: str | None = None) -> tuple[Entry, ...]:
        with self._lock:
            book = self._books.get(run_id)
            entries = book.entries if book else []
            return tuple(entry for entry in entries if alias is None or entry.alias == alias)

    def latest_snapshot(self, identity: str, *, before: str = "") -> Snapshot | None:
        with self._lock:
            found = (
                each
                for each in reversed(self._snapshots)
                if each.identity == identity and (not before or each.run_id < before)
            )
            return next(found, None) if identity else None

    def verify(self, run_ids: Iterable[str] | None = None) -> tuple[Break, ...]:
        wanted = None if run_ids is None else frozenset(run_ids)
        with self._lock:
            rules.assert_known(wanted or (), self._books)
            breaks: list[Break] = []
            for run_id, book in sorted(self._books.items()):
                if wanted is None or run_id in wanted:
                    targets = tuple(book.targets.values())
                    breaks += chain.verify_run(book.run, targets, book.entries)
            if wanted is None:
                known = {*self._books, *self._pruned_ids()}
                breaks += chain.verify_succession(self.runs(), known)
            return tuple(breaks)

    # -- the books -----------------------------------------------------------

    def _newest_id(self) -> str:
        return max(self._books, default="")

    def _book(self, run_id: str) -> _Book:
        book = self._books.get(run_id)
        if book is None:
            raise unknown_run(run_id)
        return book

    def _target(self, run_id: str, alias: str) -> tuple[_Book, Target]:
        book = self._book(run_id)
        if alias not in book.targets:
            raise UnknownRun(f"Run {run_id} has no target {alias!r}.")
        return book, book.targets[alias]

    def _step(self, book: _Book, alias: str, key: tuple[str, str, int, Phase]) -> Entry | None:
        for entry in book.entries:
            if entry.alias == alias and key == (
                entry.kind,
                entry.name,
                entry.attempt,
                entry.phase,
            ):
                return entry
        return None

    def _pruned_ids(self) -> frozenset[str]:
        return rules.pruned_ids(entry for book in self._books.values() for entry in book.entries)

    def _drop_snapshots(self, removed: frozenset[str]) -> None:
        newest = {(each.identity, each.alias): each for each in self._snapshots}
        self._snapshots = [
            each
            for each in self._snapshots
            if each.run_id not in removed or each is newest[each.identity, each.alias]
        ]


def _snapshot_key(snapshot: Snapshot) -> tuple[str, str, str, str]:
    return snapshot.identity, snapshot.alias, snapshot.run_id, snapshot.digest
