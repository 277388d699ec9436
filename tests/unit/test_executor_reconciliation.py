"""The journal held against the recorded rows: each line of the table of crash points."""

from __future__ import annotations

import pytest

from migrator.core.effects import MigrationKey
from migrator.exceptions import Diverged, ExitCode
from migrator.executor import MemoryExecutionJournal, lost_leaves, reconcile
from migrator.executor.ports import MemoryEntry

FIRST = MigrationKey("shop", "0001_initial")


def journal(*lines: str, name: str = "shop.0001_initial", **payload: object):
    """Entries from "attempt phase", the intent's payload as given."""
    written = MemoryExecutionJournal()
    for line in lines:
        attempt, phase = line.split()
        said = payload if phase == "intent" else {}
        if phase in ("intent", "reconciled"):
            getattr(written, phase)("migration", name, int(attempt), said)
        else:
            getattr(written, phase)("migration", name, int(attempt), 0.1, said)
    return written.written


def test_nothing_journaled_is_nothing_to_settle() -> None:
    found = reconcile([], [FIRST])
    assert (found.reconciled, found.retried, found.diverged) == ((), (), ())


def test_intent_without_outcome_and_without_row_is_attempted_again() -> None:
    found = reconcile(journal("1 intent"), [])
    assert found.retried == (FIRST,)
    assert not found.reconciled


def test_intent_without_outcome_with_its_row_is_reconciled() -> None:
    (settled,) = reconcile(journal("1 intent"), [FIRST]).reconciled
    assert (settled.migration, settled.attempt) == (FIRST, 1)


def test_failed_with_its_row_is_reconciled_since_the_answer_to_a_commit_can_be_lost() -> None:
    found = reconcile(journal("1 intent", "1 failed"), [FIRST])
    assert [settled.migration for settled in found.reconciled] == [FIRST]


def test_done_with_its_row_is_fine() -> None:
    found = reconcile(journal("1 intent", "1 done"), [FIRST])
    assert (found.reconciled, found.retried, found.diverged) == ((), (), ())


@pytest.mark.parametrize("outcome", ["done", "reconciled"])
def test_committed_without_its_row_has_diverged(outcome: str) -> None:
    found = reconcile(journal("1 intent", f"1 {outcome}"), [])
    assert found.diverged == (FIRST,)
    with pytest.raises(Diverged, match=r"shop\.0001_initial.*shop_db") as raised:
        found.raise_if_diverged("shop_db")
    assert raised.value.hint
    assert raised.value.exit_code is ExitCode.FAILED


def test_the_newest_attempt_counts() -> None:
    found = reconcile(journal("1 intent", "1 failed", "2 intent"), [FIRST])
    assert [settled.attempt for settled in found.reconciled] == [2]


def test_backwards_the_row_counts_the_other_way() -> None:
    begun = journal("1 intent", direction="backwards")
    assert reconcile(begun, [FIRST]).retried == (FIRST,)
    assert [s.direction for s in reconcile(begun, []).reconciled] == ["backwards"]
    done = journal("1 intent", "1 done", direction="backwards")
    assert reconcile(done, [FIRST]).diverged == (FIRST,)
    assert not reconcile(done, []).diverged


def test_a_squash_counts_as_recorded_when_all_that_it_replaces_is() -> None:
    done = journal(
        "1 intent", "1 done", name="shop.0001_squashed", replaces=["shop.0001_initial", "shop.0002"]
    )
    assert not reconcile(done, [FIRST, ("shop", "0002")]).diverged
    assert reconcile(done, [FIRST]).diverged


def test_a_replaced_row_may_have_been_pruned_once_the_squash_is_recorded() -> None:
    squash = ("shop", "0001_squashed")
    done = journal("1 intent", "1 done")
    assert not reconcile(done, [squash], replaces={squash: [FIRST]}).diverged


def test_entries_of_other_kinds_are_left_aside() -> None:
    written = MemoryExecutionJournal()
    written.intent("operation", "shop.0001_initial:0", 1, {})
    written.intent("transition", "scan", 1, {})
    assert not reconcile(written.written, []).retried


@pytest.mark.parametrize(
    ("recorded", "replaces", "lost"),
    [
        ([FIRST], {}, False),
        ([], {}, True),
        ([("shop", "0001_squashed")], {("shop", "0001_squashed"): [FIRST]}, False),
        ([("shop", "0002_other")], {("shop", "0001_squashed"): [FIRST]}, True),
    ],
    ids=["there", "gone", "squashed since", "gone, unsquashed"],
)
def test_a_leaf_that_was_seen_must_still_be_recorded(
    recorded: list[tuple[str, str]],
    replaces: dict[tuple[str, str], list[tuple[str, str]]],
    lost: bool,
) -> None:
    found = lost_leaves([str(FIRST)], recorded, replaces)
    assert found.diverged == ((FIRST,) if lost else ())


# -- what a repair has recorded ------------------------------------------------------------------


def repaired(entries: list[MemoryEntry], *more: MemoryEntry) -> list[MemoryEntry]:
    """And then a repair that records it."""
    records = {"records": ["shop.0001_initial"]}
    return [*entries, MemoryEntry("repair", "1:Record", 1, "intent", None, records), *more]


@pytest.mark.parametrize("outcome", [(), ("1 failed",)], ids=["killed", "failed"])
def test_a_row_that_a_repair_has_written_was_not_applied_by_the_attempt(
    outcome: tuple[str, ...],
) -> None:
    entries = repaired(journal("1 intent", *outcome, how="applied"))
    (settled,) = reconcile(entries, [FIRST]).reconciled
    assert settled.by_repair
    assert settled.payload() == {"direction": "forwards", "how": "recorded"}


def test_what_a_repair_has_finished_was_begun_by_the_attempt() -> None:
    operation = MemoryEntry("operation", "shop.0001_initial:0", 1, "done")
    entries = repaired([*journal("1 intent", how="applied"), operation])
    (settled,) = reconcile(entries, [FIRST]).reconciled
    assert settled.payload() == {"direction": "forwards", "how": "repaired"}


def test_an_attempt_after_the_repair_has_applied_it_itself() -> None:
    entries = repaired(journal("1 intent", "1 failed"), *journal("2 intent", how="applied"))
    (settled,) = reconcile(entries, [FIRST]).reconciled
    assert (settled.attempt, settled.how, settled.by_repair) == (2, "applied", False)


def test_a_repair_that_came_to_nothing_leaves_the_attempt_to_be_made_again() -> None:
    found = reconcile(repaired(journal("1 intent")), [])
    assert (found.retried, found.reconciled) == ((FIRST,), ())
