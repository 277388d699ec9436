"""Rows of django_migrations against the files on disk: as strict as Django, no stricter."""

from __future__ import annotations

from migrator.core.history import HistoryFacts, classify_history
from migrator.core.incidents import Incident
from tests.unit.core_chains import key


def facts(
    recorded: str,
    parents: dict[str, str],
    replaces: dict[str, str] | None = None,
    apps: frozenset[str] | None = None,
) -> HistoryFacts:
    """Names separated by blanks; the nodes are the keys of `parents`."""
    return HistoryFacts(
        nodes=frozenset(map(key, parents)),
        parents={key(n): tuple(map(key, p.split())) for n, p in parents.items()},
        replacements={key(n): tuple(map(key, r.split())) for n, r in (replaces or {}).items()},
        recorded=tuple(map(key, recorded.split())),
        apps=apps,
    )


def brief(history: HistoryFacts) -> list[tuple[str, str, bool]]:
    return [(i.code.value, i.object.name, i.blocking) for i in classify_history(history)]


LINE = {"1": "", "2": "1", "3": "2"}


def test_a_healthy_history() -> None:
    for recorded in ("", "1", "1 2", "1 2 3", "1 1 2 2 3", "3 2 1"):
        assert brief(facts(recorded, LINE)) == []


def test_a_ghost_is_told_of_and_does_not_block() -> None:
    assert brief(facts("1 2 x", LINE)) == [("DR109", "shop.x", False)]


def test_a_ghost_that_something_on_disk_needs_blocks() -> None:
    found = classify_history(facts("1 x 2", {"1": "", "2": "x"}))
    assert [(i.code.value, i.blocking) for i in found] == [("DR109", True)]
    assert "shop.2 depends on it" in found[0].message


def test_rows_that_a_squash_replaces_are_no_ghosts() -> None:
    assert brief(facts("s 1 2", {"s": ""}, {"s": "1 2"})) == []


def test_rows_of_a_squash_that_replaces_a_squash_across_apps_are_no_ghosts() -> None:
    history = facts("s 1 other.1 s2 1", {"s2": "", "s": ""}, {"s2": "s other.1", "s": "1 other.1"})
    assert brief(history) == []


def test_rows_of_an_app_that_is_gone_are_told_of_once() -> None:
    found = classify_history(facts("1 old.1 old.2", LINE, apps=frozenset({"shop"})))
    assert [(i.object.name, i.live, i.blocking) for i in found] == [
        ("old", "2 rows of django_migrations", False)
    ]


def test_a_row_without_its_dependency_blocks() -> None:
    found = classify_history(facts("1 3", LINE))
    assert [(i.code.value, i.migration, i.blocking) for i in found] == [("DR110", key("3"), True)]
    assert "shop.2" in found[0].message


def test_a_dependency_is_met_by_the_squash_that_replaces_it() -> None:
    assert brief(facts("s 3", {"1": "", "2": "1", "s": "", "3": "2"}, {"s": "1 2"})) == []


def test_a_dependency_on_a_squash_is_met_by_all_that_it_replaces() -> None:
    disk = {"1": "", "2": "1", "s": "", "3": "s"}
    assert brief(facts("1 2 3", disk, {"s": "1 2"})) == []
    assert ("DR110", "shop.3", True) in brief(facts("1 3", disk, {"s": "1 2"}))


def test_replaced_rows_are_not_asked_for_their_dependencies() -> None:
    assert brief(facts("s 2", {"1": "", "2": "1", "s": ""}, {"s": "1 2"})) == []


def test_a_partly_applied_squash_is_django_s_to_finish() -> None:
    history = facts("1", {"1": "", "2": "1", "s": ""}, {"s": "1 2"})
    assert brief(history) == [("DR111", "shop.s", False)]


def test_a_partly_applied_squash_whose_files_are_gone_blocks() -> None:
    history = facts("1", {"1": "", "s": ""}, {"s": "1 2"})
    found: tuple[Incident, ...] = classify_history(history)
    assert [(i.code.value, i.blocking) for i in found] == [("DR111", True)]
    assert "shop.2" in found[0].hint


def test_a_squash_that_is_recorded_or_untouched_says_nothing() -> None:
    disk = {"1": "", "2": "1", "s": ""}
    for recorded in ("", "s", "1 2", "1 s", "1 2 s"):
        assert brief(facts(recorded, disk, {"s": "1 2"})) == [], recorded


def test_squashes_that_replace_each_other_do_not_loop() -> None:
    history = facts("3", {"s": "", "t": "", "3": "s"}, {"s": "t", "t": "s"})
    assert brief(history) == [("DR110", "shop.3", True)]
