"""What chains and seals find, and what they are computed over."""

from __future__ import annotations

import enum
import math
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal import Entry, MemoryJournal, Phase, Run, RunStatus, Target, TargetStatus, chain

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Colour(enum.StrEnum):
    RED = "red"


@given(JSON)
def test_plain_data_survives_being_stored(value: Any) -> None:
    import json

    stored = chain.canonical(chain.plain(value))

    assert stored.isascii()
    assert chain.canonical(json.loads(stored)) == stored


def test_odd_values_become_text_instead_of_failing() -> None:
    identity = uuid.UUID(int=1)
    value = {
        "path": Path("a/b"),
        "id": identity,
        "nan": math.nan,
        "enum": Colour.RED,
        "set": {"b", "a"},
        "tuple": (1, None),
        "day": date(2026, 1, 2),
        1: True,
    }

    assert chain.plain(value) == {
        "path": "a/b",
        "id": str(identity),
        "nan": "nan",
        "enum": "red",
        "set": ["a", "b"],
        "tuple": [1, None],
        "day": "2026-01-02",
        "1": True,
    }


def test_one_meaning_has_one_digest() -> None:
    assert chain.digest({"a": 1, "b": [1, 2]}) == chain.digest({"b": (1, 2), "a": 1})
    assert chain.digest({"a": 1}) != chain.digest({"a": "1"})


def test_times_are_utc_with_microseconds_and_come_back() -> None:
    moment = datetime(2026, 1, 2, 14, tzinfo=timezone(timedelta(hours=2)))

    assert chain.format_time(moment) == "2026-01-02T12:00:00.000000Z"
    assert chain.parse_time(chain.format_time(moment)) == moment.astimezone(UTC)


# -- what is found ---------------------------------------------------------------


def a_run(entries: int = 4, *, close: bool = True) -> tuple[Run, list[Target], list[Entry]]:
    journal = MemoryJournal()
    run = journal.open_run(
        kind="migrate",
        goal="verified",
        options={"repair": True},
        actor={"user": "me"},
        targets=[Target("", "default"), Target("", "blog")],
    )
    epoch = journal.claim(run.id, "default")
    for number in range(1, entries):
        journal.write(
            run.id,
            "default",
            epoch=epoch,
            kind="migration",
            name=f"blog.{number:04}",
            phase=Phase.DONE,
            seconds=0.25,
            payload={"rows": number},
        )
    if close:
        run = journal.close_run(run.id, RunStatus.COMPLETE)
    return run, list(journal.targets(run.id)), list(journal.entries(run.id))


def problems(run: Run, targets: list[Target], entries: list[Entry]) -> list[tuple[str, int]]:
    return [(found.alias, found.seq) for found in chain.verify_run(run, targets, entries)]


@pytest.mark.parametrize("close", [True, False])
def test_an_untouched_run_holds(close: bool) -> None:
    run, targets, entries = a_run(close=close)

    assert chain.verify_run(run, targets, entries) == ()
    assert chain.verify_run(run, targets, entries[::-1]) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"payload": {"rows": 99}},
        {"name": "blog.0099"},
        {"phase": Phase.FAILED},
        {"at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"seconds": 0.5},
        {"attempt": 2},
        {"epoch": 7},
        {"kind": "repair"},
    ],
)
def test_an_edited_entry_is_named(change: dict[str, Any]) -> None:
    run, targets, entries = a_run()
    entries[1] = replace(entries[1], **change)

    assert problems(run, targets, entries) == [("default", 2)]


def test_an_edited_entry_with_a_fresh_hash_is_found_by_the_next_one() -> None:
    run, targets, entries = a_run()
    forged = replace(entries[1], payload={"rows": 99})
    entries[1] = replace(forged, hash=chain.entry_hash(forged))

    assert problems(run, targets, entries) == [("default", 3)]


def test_the_last_entry_forged_is_found_by_the_head() -> None:
    run, targets, entries = a_run()
    forged = replace(entries[-1], payload={"rows": 99})
    entries[-1] = replace(forged, hash=chain.entry_hash(forged))

    assert problems(run, targets, entries) == [("default", 4)]


@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("position", [0, 1, 3])
def test_a_removed_entry_is_named(position: int, close: bool) -> None:
    run, targets, entries = a_run(close=close)
    del entries[position]

    assert problems(run, targets, entries) == [("default", position + 1)]


def test_a_whole_chain_removed_is_named() -> None:
    run, targets, _ = a_run()

    assert [found.problem for found in chain.verify_run(run, targets, [])] == [
        "Entries 1 to 4 are missing."
    ]


def test_reordered_entries_are_named() -> None:
    run, targets, entries = a_run()
    entries[1], entries[2] = (
        replace(entries[2], seq=entries[1].seq),
        replace(entries[1], seq=entries[2].seq),
    )

    assert {seq for _, seq in problems(run, targets, entries)} >= {2, 3}


def test_an_entry_added_behind_the_journals_back_is_named() -> None:
    run, targets, entries = a_run()
    added = replace(entries[-1], seq=5, previous=entries[-1].hash, name="blog.0099")
    entries.append(replace(added, hash=chain.entry_hash(added)))

    assert problems(run, targets, entries) == [("default", 5)]


@pytest.mark.parametrize(
    "change",
    [
        {"status": TargetStatus.FAILED},
        {"state": "verified"},
        {"identity": "another"},
        {"epoch": 9},
        {"reason": "nothing happened"},
        {"leaves_after": ("blog.0099",)},
    ],
)
@pytest.mark.parametrize("close", [True, False])
def test_an_edited_target_is_named(change: dict[str, Any], close: bool) -> None:
    run, targets, entries = a_run(close=close)
    targets[1] = replace(targets[1], **change)

    assert ("blog", 0) in problems(run, targets, entries)


def test_a_target_sealed_afresh_breaks_the_seal_of_the_run() -> None:
    run, targets, entries = a_run()
    forged = replace(targets[1], status=TargetStatus.DONE)
    targets[1] = replace(forged, seal=chain.target_seal(forged))

    (found,) = chain.verify_run(run, targets, entries)
    assert "seal" in found.problem


@pytest.mark.parametrize(
    "change",
    [
        {"options": {"repair": False}},
        {"actor": {"user": "you"}},
        {"kind": "check"},
        {"opened_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"status": RunStatus.FAILED},
        {"status": RunStatus.OPEN},
        {"closed_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"seal": "0" * 64},
        {"seal": ""},
    ],
)
def test_an_edited_run_is_found(change: dict[str, Any]) -> None:
    run, targets, entries = a_run()

    assert ("", 0) in problems(replace(run, **change), targets, entries)


def test_a_removed_target_is_found() -> None:
    run, targets, entries = a_run()

    assert ("default", 0) in problems(run, targets[1:], entries)
    assert ("", 0) in problems(run, targets[:1], entries)


def test_a_run_that_is_gone_is_missed_by_its_successor() -> None:
    runs = [Run("b", "", "", RunStatus.OPEN, datetime.now(UTC), previous="a")]

    assert [found.run_id for found in chain.verify_succession(runs, {"b"})] == ["a"]
    assert chain.verify_succession(runs, {"a", "b"}) == ()
