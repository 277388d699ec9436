"""Records brought forward: what was recorded since is laid on, what has gone is taken off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from migrator.core.drift import ScanFacts, classify
from migrator.core.incidents import Code, Evidence, Incident
from migrator.core.laying import lay_reference
from migrator.core.reference import Held, Record, Reference, digest_tables
from migrator.core.schema import Extra, Schema, Trigger
from tests.unit.core_chains import (
    DATA,
    OPAQUE,
    Chain,
    add,
    alter,
    attach,
    col,
    create,
    edited,
    index,
    key,
    rename,
    run_sql,
    table,
    with_columns,
    without_columns,
)

TITLE = col("title", "character varying(50)")


def shop() -> Chain:
    """Book with a title; then a price; then an author."""
    return (
        Chain()
        .add("1", create("book", TITLE))
        .add("2", add("book", col("price")))
        .add("3", create("author", col("name", "text")))
    )


def verified(chain: Chain, count: int, schema: Schema | None = None, **changes: Any) -> Held:
    """What a verified run kept after so many migrations."""
    keys = tuple(effect.migration for effect in chain.effects[:count])
    record = Record(
        schema or chain.schema(count),
        keys,
        frozenset(keys),
        digest_tables(chain.schema(count)),
    )
    return Held(replace(record, **changes), Evidence.SNAPSHOT, "changed since run 01abc", "01abc")


def reference(chain: Chain, held: Held, recorded: int, **changes: Any) -> Reference:
    given: dict[str, Any] = {
        "recorded": chain.effects[:recorded],
        "pending": chain.effects[recorded:],
        "rows": [effect.migration for effect in chain.effects[:recorded]],
        "expected": chain.schema(recorded),
    }
    return lay_reference(held, **{**given, **changes})


def facts(chain: Chain, held: Held, recorded: int, live: Schema, **changes: Any) -> ScanFacts:
    return chain.facts(recorded, live, references=(reference(chain, held, recorded),), **changes)


def found(given: ScanFacts) -> list[tuple[str, bool, str, str]]:
    return [(i.code.value, i.blocking, i.evidence.value, str(i.object)) for i in classify(given)]


def only(given: ScanFacts) -> Incident:
    (incident,) = classify(given)
    return incident


def test_with_the_same_migrations_recorded_it_is_what_it_was() -> None:
    chain = shop()
    laid = reference(chain, verified(chain, 3), 3)
    assert laid.schema == chain.schema(3)
    assert (laid.laid, laid.unsure, laid.whole) == (frozenset(), frozenset(), True)


def test_what_was_recorded_since_is_laid_on_top_of_what_only_the_record_knows() -> None:
    chain = shop()
    was = edited(
        chain.schema(1),
        book=replace(chain.schema(1).tables["book"], indexes=(index("title", name="by_hand"),)),
    )
    laid = reference(chain, verified(chain, 1, was), 3)
    assert set(laid.schema.tables) == {"book", "author"}
    assert [c.name for c in laid.schema.tables["book"].columns] == ["id", "title", "price"]
    assert [i.name for i in laid.schema.tables["book"].indexes] == ["by_hand"]
    assert laid.laid == {"book", "author"}
    healthy = edited(was, **laid.schema.tables)
    assert not [
        i for i in classify(facts(chain, verified(chain, 1, was), 3, healthy)) if i.blocking
    ]
    assert found(facts(chain, verified(chain, 1, was), 3, chain.schema(3))) == [
        ("DR105", True, "snapshot", "index book.by_hand")
    ]


def test_what_is_no_longer_recorded_is_taken_off() -> None:
    """Unapplied by hand: what went with it is no drift."""
    chain = shop()
    laid = reference(chain, verified(chain, 3), 1)
    assert set(laid.schema.tables) == {"book"}
    assert [c.name for c in laid.schema.tables["book"].columns] == ["id", "title"]
    assert found(facts(chain, verified(chain, 3), 1, chain.schema(1))) == []


def test_a_row_alone_that_has_gone_is_found() -> None:
    chain = shop()
    assert [code for code, *_ in found(facts(chain, verified(chain, 3), 2, chain.schema(3)))] == [
        "DR102"
    ]


def test_a_rename_taken_off_and_laid_on() -> None:
    chain = Chain().add("1", create("book", TITLE)).add("2", rename("book", "title", "name"))
    was = with_columns(chain.schema(2), "book", col("by_hand", "text"))
    back = reference(chain, verified(chain, 2, was), 1).schema.tables["book"]
    assert {c.name for c in back.columns} == {"id", "title", "by_hand"}
    was = with_columns(chain.schema(1), "book", col("by_hand", "text"))
    forth = reference(chain, verified(chain, 1, was), 2).schema.tables["book"]
    assert {c.name for c in forth.columns} == {"id", "name", "by_hand"}


def test_a_difference_names_the_run() -> None:
    chain = shop()
    live = without_columns(chain.schema(3), "book", "price")
    incident = only(facts(chain, verified(chain, 3), 3, live, opaque_tables=None))
    assert (incident.evidence, incident.since) == (Evidence.SNAPSHOT, "01abc")
    assert incident.message.endswith("(changed since run 01abc).")
    assert incident.to_dict()["since"] == "01abc"


def test_what_a_migration_since_then_may_have_done_unseen_proves_nothing() -> None:
    """SQL that altered the table, recorded by a plain migrate."""
    chain = shop().add("4", run_sql("book"))
    live = with_columns(chain.schema(4), "book", col("price", "bigint"))
    live = without_columns(live, "author", "name")
    given = facts(chain, verified(chain, 3), 4, live, opaque_tables=frozenset({"book"}))
    assert [(code, evidence) for code, blocks, evidence, _ in found(given) if blocks] == [
        ("DR103", "snapshot")
    ]
    changed = edited(
        chain.schema(4), book=replace(chain.schema(4).tables["book"], primary_key=None)
    )
    given = facts(chain, verified(chain, 3), 4, changed, opaque_tables=frozenset({"book"}))
    assert [blocks for _, blocks, *_ in found(given)] == [False]


def test_a_migration_that_may_have_done_anything_leaves_state_alone() -> None:
    chain = shop().add("4", OPAQUE)
    laid = reference(chain, verified(chain, 3), 4)
    assert (laid.unsure, laid.whole) == (None, False)
    live = without_columns(chain.schema(4), "book", "price")
    incident = only(chain.facts(4, live, references=(laid,), opaque_tables=None))
    assert (incident.blocking, incident.evidence) == (False, Evidence.UNCONFIRMED)
    assert "--deep" in incident.hint


def test_a_data_migration_since_then_takes_nothing_away() -> None:
    chain = shop().add("4", DATA)
    assert reference(chain, verified(chain, 3), 4).unsure == frozenset()
    assert reference(chain, verified(chain, 3), 4).whole


def test_a_squash_of_what_was_recorded_is_nothing_new() -> None:
    chain = shop()
    squash = replace(
        chain.effects[0],
        migration=key("1_squashed_3"),
        replaces=tuple(effect.migration for effect in chain.effects),
        operations=tuple(op for effect in chain.effects for op in effect.operations),
    )
    held = verified(chain, 3)
    for rows in ([*held.record.rows, squash.migration], [squash.migration]):
        laid = lay_reference(
            held, recorded=[squash], pending=[], rows=rows, expected=chain.schema(3)
        )
        assert laid.schema == chain.schema(3)
        assert (laid.laid, laid.unsure) == (frozenset(), frozenset())


def test_of_a_squash_recorded_in_part_nothing_is_sure() -> None:
    chain = shop()
    squash = replace(
        chain.effects[0],
        migration=key("1_squashed_3"),
        replaces=tuple(effect.migration for effect in chain.effects),
        operations=tuple(op for effect in chain.effects for op in effect.operations),
    )
    laid = lay_reference(
        verified(chain, 1),
        recorded=[squash],
        pending=[],
        rows=[squash.migration],
        expected=chain.schema(3),
    )
    assert laid.unsure == {"book", "author"}


def test_rows_that_went_with_their_files_leave_nothing_to_compare() -> None:
    chain = shop()
    laid = reference(chain, verified(chain, 3), 2, pending=[])
    assert laid.unsure is None
    assert (
        reference(chain, verified(chain, 3), 2, pending=[], rows=[key("3"), *"12"]).unsure == set()
    )


def test_what_was_begun_and_not_finished_is_in_doubt() -> None:
    chain = shop().add("4", alter("book", "price", "text"), attach("author", indexes=()))
    laid = reference(chain, verified(chain, 3), 3, in_doubt=[key("4")])
    assert laid.unsure == {"book"}


def test_a_table_that_state_has_come_to_expect_is_not_excused() -> None:
    """Routing changed: everything is recorded, and the table was never there."""
    chain = shop()
    here = edited(chain.schema(3), author=None)
    record = {"schema": here, "expected": digest_tables(here)}
    incident = only(facts(chain, verified(chain, 3, **record), 3, here))
    assert (incident.code, incident.blocking) == (Code.RECORDED_MISSING, True)
    assert incident.evidence is Evidence.STATE


def test_an_edited_migration_is_not_excused_by_what_was_verified_before() -> None:
    chain = shop()
    before = without_columns(chain.schema(3), "book", "price")
    record = {"schema": before, "expected": digest_tables(before)}
    incident = only(facts(chain, verified(chain, 3, **record), 3, before))
    assert (incident.blocking, incident.evidence) == (True, Evidence.STATE)


def test_a_table_that_could_not_be_read_then_proves_nothing() -> None:
    chain = shop()
    blind = replace(edited(chain.schema(3), author=None), unreadable=frozenset({"author"}))
    laid = reference(chain, verified(chain, 3, blind), 3)
    assert not laid.proves("author")
    assert laid.proves("book")


def test_views_functions_and_the_like_are_told_and_never_block() -> None:
    chain = shop()
    was = replace(
        chain.schema(3),
        extras=(Extra("view", "v", "one"), Extra("function", "f()", "x"), Extra("enum", "mood")),
    )
    live = replace(
        chain.schema(3),
        extras=(Extra("view", "v", "two"), Extra("enum", "mood"), Extra("rule", "r")),
    )
    incidents = classify(facts(chain, verified(chain, 3, was), 3, live))
    assert [(i.code.value, i.blocking, i.object.kind, i.message) for i in incidents] == [
        ("DR108", False, "function", "The function f() is gone (changed since run 01abc)."),
        ("DR108", False, "rule", "The rule r was not there (changed since run 01abc)."),
        ("DR108", False, "view", "The view v is defined otherwise (changed since run 01abc)."),
    ]


def test_of_views_nothing_is_told_where_sql_ran_since() -> None:
    chain = shop().add("4", run_sql())
    was = replace(chain.schema(3), extras=(Extra("view", "v"),))
    assert found(facts(chain, verified(chain, 3, was), 4, chain.schema(4))) == []


def test_triggers_block_where_they_were_disabled_and_are_told_where_they_changed() -> None:
    chain = shop()
    book = chain.schema(3).tables["book"]

    def given(*triggers: Trigger) -> Schema:
        return edited(chain.schema(3), book=replace(book, triggers=triggers))

    was = given(Trigger("a", "x"), Trigger("b", "x"), Trigger("c", "x"))
    live = given(Trigger("a", "x", enabled=False), Trigger("b", "y"))
    assert found(facts(chain, verified(chain, 3, was), 3, live)) == [
        ("DR106", True, "snapshot", "trigger book.a"),
        ("DR108", False, "snapshot", "trigger book.b"),
        ("DR108", False, "snapshot", "trigger book.c"),
    ]


def test_what_verification_alone_would_find_is_the_doing_of_the_run() -> None:
    chain = shop()
    was = with_columns(chain.schema(3), "book", col("dropped", "text"))
    laid = reference(chain, verified(chain, 3, was), 3, advisory=True)
    assert classify(chain.facts(3, chain.schema(3), references=(laid,))) == ()
    laid = reference(chain, verified(chain, 3, was), 3)
    assert found(chain.facts(3, chain.schema(3), references=(laid,))) == [
        ("DR101", True, "snapshot", "column book.dropped")
    ]


def test_a_replay_finds_what_the_snapshot_excuses() -> None:
    chain = shop()
    live = without_columns(chain.schema(3), "book", "price")
    references = (
        Reference(chain.schema(3), Evidence.REPLAY, "a replay makes it otherwise"),
        Reference(live, Evidence.SNAPSHOT, "changed since run 01abc", "01abc"),
    )
    incident = only(chain.facts(3, live, references=references))
    assert (incident.blocking, incident.evidence) == (True, Evidence.REPLAY)
    assert (incident.since, incident.message[-31:]) == ("", " (a replay makes it otherwise).")


def test_a_record_survives_its_journey() -> None:
    chain = shop()
    record = verified(chain, 3).record
    assert Record.from_dict(record.to_dict()) == record
    old = {"schema": record.schema.to_dict(), "recorded": ["shop.1"]}
    assert Record.from_dict(old) == Record(record.schema, (key("1"),))


def test_a_table_of_no_model_that_is_not_as_it_was_is_told_of() -> None:
    chain = shop()
    was = edited(chain.schema(3), other=table("other", col("a"), col("b")))
    live = edited(chain.schema(3), other=table("other", col("a")))
    told = [i for i in found(facts(chain, verified(chain, 3, was), 3, live)) if i[2] == "snapshot"]
    assert told == [("DR108", False, "snapshot", "column other.b")]
