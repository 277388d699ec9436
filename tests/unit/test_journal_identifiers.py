"""Ids of runs: sortable, typeable, never confused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from journal import AmbiguousRun, UnknownRun
from journal.identifiers import (
    ALPHABET,
    LENGTH,
    is_run_id,
    new_run_id,
    normalise_prefix,
    pick_run,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_an_id_is_short_and_made_of_characters_that_are_not_confused() -> None:
    run_id = new_run_id(NOON)

    assert len(run_id) == LENGTH == 13
    assert set(run_id) <= set(ALPHABET)
    assert not set("ilou") & set(ALPHABET)


def test_ids_sort_as_time_does() -> None:
    ids = [new_run_id(NOON + timedelta(milliseconds=step)) for step in (0, 1, 2, 1000, 10**9)]

    assert ids == sorted(ids)


def test_ids_go_up_within_a_millisecond_and_when_the_clock_goes_back() -> None:
    ids = [""]
    for step in range(200):
        ids.append(new_run_id(NOON - timedelta(seconds=step // 50), ids[-1]))

    assert ids == sorted(set(ids))
    assert all(is_run_id(run_id) for run_id in ids[1:])


def test_a_prefix_may_be_typed_in_any_case_with_lookalikes() -> None:
    assert normalise_prefix(" 1M7O ") == "1m70"
    assert normalise_prefix("il") == "11"


@pytest.mark.parametrize("text", ["", "  ", "u", "né", "1m7-", "1" * 14, "../..", "%"])
def test_what_cannot_be_an_id_is_unknown(text: str) -> None:
    with pytest.raises(UnknownRun) as caught:
        normalise_prefix(text)

    assert "journal list" in caught.value.hint


def test_a_prefix_that_fits_several_names_them() -> None:
    with pytest.raises(AmbiguousRun, match="1m7a, 1m7b"):
        pick_run("1m7", ["1m7b", "1m7a"])
    assert pick_run("1m7", ["1m7", "1m7a"]) == "1m7"
    with pytest.raises(UnknownRun, match="1m7"):
        pick_run("1m7", [])
