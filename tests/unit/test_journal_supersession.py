"""Which runs count as unfinished, and what may be pruned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from journal import Run, RunStatus, Target, TargetStatus
from journal.supersession import incomplete, prunable

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DONE, FAILED, PENDING, SKIPPED, RUNNING = (
    TargetStatus.DONE,
    TargetStatus.FAILED,
    TargetStatus.PENDING,
    TargetStatus.SKIPPED,
    TargetStatus.RUNNING,
)


def at(minute: int) -> datetime:
    return T0 + timedelta(minutes=minute)


@dataclass
class Book:
    """Runs of which only says what matters here: who, when, how it ended."""

    runs: list[Run] = field(default_factory=list)
    targets: dict[str, list[Target]] = field(default_factory=dict)

    def add(
        self,
        run_id: str,
        status: RunStatus,
        *targets: tuple[str, TargetStatus],
        opened: int,
        ended: int | None = None,
        goal: str = "verified",
        kind: str = "migrate",
        identity: str = "db",
    ) -> None:
        ended = opened if ended is None else ended
        closed = None if status is RunStatus.OPEN else at(ended)
        self.runs.insert(0, Run(run_id, kind, goal, status, at(opened), closed))
        self.targets[run_id] = [
            Target(run_id, alias, status=how, identity=identity, updated_at=at(ended))
            for alias, how in targets
        ]

    def incomplete(self) -> list[str]:
        return [run.id for run in incomplete(self.runs, self.targets)]

    def prunable(
        self, *, before: int | None = None, keep: int | None = None, explicit: Sequence[str] = ()
    ) -> tuple[str, ...]:
        return prunable(
            self.runs,
            self.targets,
            before=None if before is None else at(before),
            keep=keep,
            explicit=frozenset(explicit),
        )


@pytest.fixture
def book() -> Book:
    return Book()


def test_a_complete_run_is_never_incomplete(book: Book) -> None:
    book.add("a", RunStatus.COMPLETE, ("x", DONE), opened=1)

    assert book.incomplete() == []


@pytest.mark.parametrize("status", [RunStatus.OPEN, RunStatus.FAILED, RunStatus.INTERRUPTED])
def test_any_other_run_is_incomplete_until_its_targets_succeed(
    book: Book, status: RunStatus
) -> None:
    book.add("a", status, ("x", FAILED), ("y", DONE), opened=1)
    assert book.incomplete() == ["a"]

    book.add("b", RunStatus.COMPLETE, ("y", DONE), opened=2)
    assert book.incomplete() == ["a"]

    book.add("c", RunStatus.COMPLETE, ("x", DONE), opened=3)
    assert book.incomplete() == []


def test_targets_may_succeed_in_different_runs(book: Book) -> None:
    book.add("a", RunStatus.FAILED, ("x", FAILED), ("y", PENDING), opened=1)
    book.add("b", RunStatus.COMPLETE, ("x", DONE), opened=2)
    book.add("c", RunStatus.FAILED, ("y", DONE), ("z", FAILED), opened=3)

    assert book.incomplete() == ["c"]


def test_an_earlier_success_does_not_count(book: Book) -> None:
    book.add("a", RunStatus.COMPLETE, ("x", DONE), opened=1)
    book.add("b", RunStatus.FAILED, ("x", FAILED), opened=2)

    assert book.incomplete() == ["b"]


def test_of_two_deployments_at_once_the_loser_is_superseded_by_the_winner(book: Book) -> None:
    book.add("winner", RunStatus.COMPLETE, ("x", DONE), opened=1, ended=9)
    book.add("loser", RunStatus.FAILED, ("x", FAILED), opened=2, ended=3)

    assert book.incomplete() == []


def test_a_success_counts_also_when_the_clock_has_gone_back_since(book: Book) -> None:
    book.add("1", RunStatus.FAILED, ("a", FAILED), opened=60, ended=65)
    book.add("2", RunStatus.COMPLETE, ("a", DONE), opened=3, ended=5)
    assert book.incomplete() == []
    book.add("3", RunStatus.FAILED, ("a", FAILED), opened=1, ended=2)
    assert book.incomplete() == ["3"]


def test_a_run_resumed_after_a_success_and_failed_again_is_incomplete(book: Book) -> None:
    book.add("resumed", RunStatus.FAILED, ("x", FAILED), opened=1, ended=9)
    book.add("success", RunStatus.COMPLETE, ("x", DONE), opened=4, ended=5)

    assert book.incomplete() == ["resumed"]


def test_a_success_on_another_database_of_the_same_alias_does_not_count(book: Book) -> None:
    book.add("production", RunStatus.FAILED, ("x", FAILED), opened=1, identity="p")
    book.add("staging", RunStatus.COMPLETE, ("x", DONE), opened=2, identity="s")

    assert book.incomplete() == ["production"]


def test_a_database_that_was_never_reached_is_known_by_its_alias(book: Book) -> None:
    book.add("a", RunStatus.FAILED, ("x", FAILED), opened=1, identity="")
    book.add("b", RunStatus.COMPLETE, ("x", DONE), opened=2)

    assert book.incomplete() == []


def test_skipped_targets_are_nobodys_business(book: Book) -> None:
    book.add("a", RunStatus.FAILED, ("x", FAILED), ("replica", SKIPPED), opened=1)
    book.add("b", RunStatus.COMPLETE, ("x", DONE), ("replica", SKIPPED), opened=2)

    assert book.incomplete() == []


def test_a_failed_check_is_answered_by_a_clean_check_or_a_migration(book: Book) -> None:
    book.add("a", RunStatus.FAILED, ("x", DONE), opened=1, goal="scanned")
    assert book.incomplete() == ["a"]

    book.add("b", RunStatus.COMPLETE, ("x", DONE), opened=2, goal="scanned")
    assert book.incomplete() == []


def test_a_check_that_found_drift_does_not_answer_an_earlier_one(book: Book) -> None:
    book.add("a", RunStatus.FAILED, ("x", FAILED), opened=1, goal="scanned")
    book.add("b", RunStatus.FAILED, ("x", DONE), opened=2, goal="scanned")

    assert book.incomplete() == ["b", "a"]


def test_a_failed_migration_is_not_answered_by_a_clean_check(book: Book) -> None:
    book.add("a", RunStatus.FAILED, ("x", FAILED), opened=1)
    book.add("b", RunStatus.COMPLETE, ("x", DONE), opened=2, goal="scanned")

    assert book.incomplete() == ["a"]


def test_a_run_that_failed_with_every_target_done_needs_them_all_again(book: Book) -> None:
    book.add("a", RunStatus.FAILED, ("x", DONE), ("y", DONE), opened=1)
    book.add("b", RunStatus.COMPLETE, ("x", DONE), opened=2)
    assert book.incomplete() == ["a"]

    book.add("c", RunStatus.COMPLETE, ("y", DONE), opened=3)
    assert book.incomplete() == []


def test_a_run_that_failed_before_it_had_targets_is_answered_by_any_later_success(
    book: Book,
) -> None:
    book.add("a", RunStatus.FAILED, opened=1)
    book.add("p", RunStatus.COMPLETE, ("journal", DONE), opened=2, kind="prune", goal="pruned")
    assert book.incomplete() == ["a"]

    book.add("b", RunStatus.COMPLETE, ("x", DONE), opened=3)
    assert book.incomplete() == []


def test_a_pruning_answers_nothing(book: Book) -> None:
    book.add("a", RunStatus.FAILED, ("journal", FAILED), opened=1)
    book.add("p", RunStatus.COMPLETE, ("journal", DONE), opened=2, kind="prune", goal="pruned")

    assert book.incomplete() == ["a"]


# -- pruning ---------------------------------------------------------------------


def test_pruning_keeps_the_newest_and_what_is_young(book: Book) -> None:
    for number in range(1, 6):
        book.add(f"r{number}", RunStatus.COMPLETE, ("x", DONE), opened=number)

    assert book.prunable(keep=2) == ("r1", "r2", "r3")
    assert book.prunable(before=3) == ("r1", "r2")
    assert book.prunable(before=3, keep=4) == ("r1",)
    assert book.prunable(keep=0) == ("r1", "r2", "r3", "r4", "r5")
    assert book.prunable(keep=9) == ()


def test_pruning_keeps_open_and_incomplete_runs(book: Book) -> None:
    book.add("open", RunStatus.OPEN, ("x", RUNNING), opened=1)
    book.add("failed", RunStatus.FAILED, ("y", FAILED), opened=2)
    book.add("done", RunStatus.COMPLETE, ("z", DONE), opened=3)

    assert book.prunable(keep=0) == ("done",)


def test_pruning_keeps_what_makes_a_kept_run_superseded(book: Book) -> None:
    book.add("open", RunStatus.OPEN, ("x", RUNNING), opened=1)
    book.add("failed", RunStatus.FAILED, ("y", FAILED), opened=2)
    book.add("answer", RunStatus.COMPLETE, ("x", DONE), ("y", DONE), opened=3)
    assert book.incomplete() == []

    # `open` was never closed, so it stays; without `answer` it would be incomplete again.
    assert book.prunable(keep=0) == ("failed",)


def test_a_run_that_is_named_goes_whatever_its_status(book: Book) -> None:
    book.add("failed", RunStatus.FAILED, ("x", FAILED), opened=1)
    book.add("open", RunStatus.OPEN, ("x", RUNNING), opened=2)
    book.add("done", RunStatus.COMPLETE, ("y", DONE), opened=3)

    assert book.prunable(explicit=["open"]) == ("open",)
    assert book.prunable(keep=0, explicit=["failed"]) == ("failed", "done")


def test_prunings_do_not_count_among_the_newest(book: Book) -> None:
    book.add("a", RunStatus.COMPLETE, ("x", DONE), opened=1)
    book.add("b", RunStatus.COMPLETE, ("x", DONE), opened=2)
    for number in range(3, 6):
        book.add(f"p{number}", RunStatus.COMPLETE, opened=number, kind="prune", goal="pruned")

    assert book.prunable(keep=2) == ()
