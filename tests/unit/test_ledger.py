"""The journal as one claimed target sees it."""

from __future__ import annotations

import pytest

from journal import Fenced, MemoryJournal, Phase, Target, TargetStatus
from migrator.core.lifecycle import Goal, State, Trigger
from migrator.ledger import Ledger, in_doubt


def opened(journal: MemoryJournal) -> str:
    run = journal.open_run(
        kind="migrate",
        goal="verified",
        options={},
        actor={},
        targets=[Target(run_id="", alias="default")],
    )
    return run.id


def claimed(journal: MemoryJournal, run_id: str, goal: Goal = Goal.VERIFIED) -> Ledger:
    return Ledger(journal, run_id, "default", journal.claim(run_id, "default"), goal)


def test_whoever_is_claimed_over_learns_it_at_the_next_write() -> None:
    journal = MemoryJournal()
    run_id = opened(journal)
    first = claimed(journal, run_id)
    second = claimed(journal, run_id)
    with pytest.raises(Fenced):
        first.intent("migration", "blog.0001_initial")
    second.intent("migration", "blog.0001_initial")
    assert second.resumed
    assert not first.resumed


def test_the_goal_alone_makes_a_target_done() -> None:
    for goal, state, trigger in (
        (Goal.VERIFIED, State.VERIFIED, Trigger.VERIFY),
        (Goal.SCANNED, State.SCANNED, Trigger.SCAN),
    ):
        journal = MemoryJournal()
        run_id = opened(journal)
        ledger = claimed(journal, run_id, goal)
        ledger.transition_done(Trigger.GUARD, State.GUARDED, 0.0)
        assert journal.targets(run_id)[0].status is TargetStatus.RUNNING
        ledger.transition_done(trigger, state, 0.0)
        assert journal.targets(run_id)[0].status is TargetStatus.DONE


def test_attempts_survive_a_claim() -> None:
    journal = MemoryJournal()
    run_id = opened(journal)
    ledger = claimed(journal, run_id)
    assert ledger.attempts("migration", "blog.0001_initial") == 0
    ledger.intent("migration", "blog.0001_initial", 1)
    assert claimed(journal, run_id).attempts("migration", "blog.0001_initial") == 1


def test_only_the_last_attempt_says_what_is_in_doubt() -> None:
    journal = MemoryJournal()
    run_id = opened(journal)
    ledger = claimed(journal, run_id)
    for name, phases in {
        "blog.0001_initial": [(1, Phase.INTENT), (1, Phase.DONE)],
        "blog.0002_failed": [(1, Phase.INTENT), (1, Phase.FAILED)],
        "blog.0003_again": [(1, Phase.INTENT), (1, Phase.FAILED), (2, Phase.INTENT)],
        "blog.0004_found": [(1, Phase.INTENT), (1, Phase.RECONCILED)],
    }.items():
        for attempt, phase in phases:
            ledger._write("migration", name, phase, attempt, None, None)
    assert in_doubt(ledger.entries("migration")) == ("blog.0003_again",)


def test_a_failure_outside_of_a_transaction_may_have_left_something() -> None:
    journal = MemoryJournal()
    ledger = claimed(journal, opened(journal))
    for name, atomic in {"blog.0001_rolled_back": True, "blog.0002_kept": False}.items():
        ledger.intent("migration", name, 1, {"atomic": atomic})
        ledger.failed("migration", name, 1, payload={"error": "no"})
    assert in_doubt(ledger.entries("migration")) == ("blog.0002_kept",)
    ledger.intent("migration", "blog.0002_kept", 2, {"atomic": False})
    ledger.done("migration", "blog.0002_kept", 2)
    assert not in_doubt(ledger.entries("migration"))


def test_an_attempt_in_a_transaction_leaves_nothing_to_doubt() -> None:
    """All of it with its row, or none; unless its code has been at work elsewhere, or the
    journal does not say.
    """
    ledger = claimed(journal := MemoryJournal(), opened(journal))
    whole = {"atomic": True, "code": False}
    ledger.intent("migration", "blog.0001_whole", 1, whole)
    ledger.intent("migration", "blog.0002_steps", 1, {"atomic": False, "code": False})
    ledger.intent("migration", "blog.0003_code", 1, {"atomic": True, "code": True})
    ledger.intent("migration", "blog.0004_unsaid", 1)
    left = ("blog.0002_steps", "blog.0003_code", "blog.0004_unsaid")
    assert in_doubt(ledger.entries("migration")) == left
    ledger.failed("migration", "blog.0002_steps", 1)
    ledger.intent("migration", "blog.0002_steps", 2, whole)
    assert in_doubt(ledger.entries("migration")) == left


def test_the_outcome_of_a_migration_is_carried_by_the_next_write() -> None:
    """In the order in which they were said, and in one commit."""
    journal = MemoryJournal()
    run_id = opened(journal)
    ledger = claimed(journal, run_id)
    ledger.intent("migration", "blog.0001_initial", 1)
    ledger.done("migration", "blog.0001_initial", 1, 0.5, {"direction": "forwards"})
    assert [e.phase for e in journal.entries(run_id) if e.kind == "migration"] == [Phase.INTENT]
    ledger.intent("migration", "blog.0002_next", 1)
    found = [(e.name, e.phase) for e in journal.entries(run_id) if e.kind == "migration"]
    assert found == [
        ("blog.0001_initial", Phase.INTENT),
        ("blog.0001_initial", Phase.DONE),
        ("blog.0002_next", Phase.INTENT),
    ]
    assert [entry.seq for entry in journal.entries(run_id)] == [1, 2, 3, 4]
    assert journal.verify() == ()


def test_what_is_kept_back_comes_before_whatever_is_said_next() -> None:
    journal = MemoryJournal()
    run_id = opened(journal)
    ledger = claimed(journal, run_id)
    ledger.done("migration", "blog.0001_initial", 1, 0.5)
    ledger.finish(TargetStatus.INTERRUPTED)
    assert [e.phase for e in journal.entries(run_id) if e.kind == "migration"] == [Phase.DONE]
