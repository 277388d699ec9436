"""Repairs, case by case: what is planned, what is refused, what has to be decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.core.actions import (
    Action,
    AddColumn,
    AddConstraint,
    CreateIndex,
    CreateTable,
    ForgetMigration,
    RebuildIndex,
    RecordMigration,
    RepairPlan,
    RepairPolicy,
    ResetSequence,
    RunOperations,
    SetDefault,
    ShowIndex,
    ValidateConstraint,
)
from migrator.core.drift import ScanFacts, classify
from migrator.core.repair import plan_repair
from migrator.core.schema import Check, ForeignKey, Sequence, Trigger, Unique
from tests.unit.core_chains import (
    DATA,
    INERT,
    Chain,
    add,
    alter,
    attach,
    col,
    create,
    drop,
    edited,
    index,
    key,
    remove,
    rename,
    rename_table,
    schema,
    state_only,
    table,
    with_columns,
    without_columns,
)


def shop() -> Chain:
    return Chain().add("1", create("book", col("title", "text"), col("price")))


def plan(facts: ScanFacts, *assumed: str) -> RepairPlan:
    policy = RepairPolicy(frozenset(key(name) for name in assumed))
    return plan_repair(classify(facts), facts, policy)


def actions(facts: ScanFacts, *assumed: str) -> list[Action]:
    """The actions of a plan that nothing stands in the way of."""
    found = plan(facts, *assumed)
    assert not found.decisions
    assert not found.refusals
    return list(found.actions)


def recorded(*names: str) -> list[tuple[str, str]]:
    return [("record", name) for name in names]


def brief(found: list[Action]) -> list[tuple[str, str]]:
    """Records and forgettings, shortened."""
    short: list[tuple[str, str]] = []
    for action in found:
        match action:
            case RecordMigration(migration):
                short.append(("record", migration.name))
            case ForgetMigration(migration):
                short.append(("forget", migration.name))
            case _:
                short.append((type(action).__name__, action.description))
    return short


def test_nothing_blocking_is_nothing_to_do() -> None:
    live = with_columns(shop().schema(), "book", col("x", nullable=True))
    found = plan(shop().facts(1, live))
    assert not found
    assert found == RepairPlan()


# -- unrecorded, present -----------------------------------------------------------


def test_what_is_there_is_recorded_and_nothing_else() -> None:
    chain = shop().add("2", add("book", col("pages"))).add("3", create("tag"))
    assert brief(actions(chain.facts(1, chain.schema(2)))) == recorded("2")


def test_a_data_migration_in_it_needs_a_decision() -> None:
    chain = shop().add("2", add("book", col("pages")), DATA)
    facts = chain.facts(1, chain.schema())
    found = plan(facts)
    assert [d.migration for d in found.decisions] == [key("2")]
    assert not found.actions
    assert brief(actions(facts, "2")) == recorded("2")


def test_inert_migrations_in_between_are_recorded_along() -> None:
    chain = shop().add("2", INERT).add("3", add("book", col("pages"))).add("4", INERT)
    assert brief(actions(chain.facts(1, chain.schema()))) == recorded("2", "3")


def test_a_data_migration_in_between_needs_a_decision() -> None:
    chain = shop().add("2", DATA).add("3", add("book", col("pages")))
    facts = chain.facts(1, chain.schema())
    assert [d.migration for d in plan(facts).decisions] == [key("2")]
    assert brief(actions(facts, "2")) == recorded("2", "3")


def test_a_row_lost_in_the_middle_is_put_back() -> None:
    chain = shop().add("2", INERT).add("3", add("book", col("pages"))).add("4", create("tag"))
    facts = ScanFacts(
        expected=chain.schema(),
        live=chain.schema(),
        recorded=(chain.effects[0], chain.effects[3]),
        pending=tuple(chain.effects[1:3]),
        history=replace(chain.history(4), recorded=(key("1"), key("4"))),
    )
    assert brief(actions(facts)) == recorded("2", "3")


def test_a_lost_history_is_recorded_whole() -> None:
    chain = (
        shop()
        .add("2", rename("book", "price", "cost"))
        .add("3", rename_table("book", "novel"))
        .add("4", remove("novel", "title"))
        .add("5", INERT)
        .add("6", create("tag"))
    )
    assert brief(actions(chain.facts(0, chain.schema()))) == recorded(*"123456")


def test_a_data_migration_at_the_end_of_a_lost_history_needs_a_decision() -> None:
    chain = shop().add("2", DATA)
    assert [d.migration for d in plan(chain.facts(0, chain.schema())).decisions] == [key("2")]
    assert brief(actions(chain.facts(0, chain.schema()), "2")) == recorded("1", "2")


def test_what_cannot_be_told_at_the_end_of_a_lost_history_needs_a_decision() -> None:
    """Removed and added again: running it once more would lose the column's data."""
    chain = shop().add("2", remove("book", "price")).add("3", add("book", col("price")))
    found = plan(chain.facts(0, chain.schema()))
    assert [d.migration.name for d in found.decisions] == ["2", "3"]


def test_a_new_data_migration_after_one_lost_row_stays_pending() -> None:
    chain = shop().add("2", add("book", col("pages"))).add("3", DATA)
    assert brief(actions(chain.facts(1, chain.schema()))) == recorded("2")


# -- half applied, not recorded ------------------------------------------------------


def test_the_rest_of_a_half_is_run_and_recorded() -> None:
    chain = shop().add("2", add("book", col("pages")), add("book", col("isbn", "text")))
    facts = chain.facts(1, with_columns(chain.schema(1), "book", col("pages")))
    assert actions(facts) == [RunOperations(key("2"), (1,), record=True)]


def test_a_data_operation_that_was_not_reached_is_run_as_well() -> None:
    chain = shop().add("2", add("book", col("pages")), add("book", col("isbn", "text")), DATA)
    facts = chain.facts(1, with_columns(chain.schema(1), "book", col("pages")))
    assert actions(facts) == [RunOperations(key("2"), (1, 2), record=True)]


def test_a_data_operation_in_between_needs_a_decision() -> None:
    chain = shop().add("2", add("book", col("pages")), DATA, add("book", col("isbn", "text")))
    facts = chain.facts(1, with_columns(chain.schema(1), "book", col("pages")))
    assert [d.migration for d in plan(facts).decisions] == [key("2")]
    assert actions(facts, "2") == [RunOperations(key("2"), (2,), record=True)]


def test_an_earlier_operation_on_another_object_is_run_late() -> None:
    chain = shop().add("2", create("tag"), add("book", col("pages")))
    facts = chain.facts(1, with_columns(chain.schema(1), "book", col("pages")))
    assert actions(facts) == [RunOperations(key("2"), (0,), record=True)]


def test_a_half_that_would_still_drop_something_is_refused() -> None:
    chain = shop().add("2", add("book", col("pages")), remove("book", "title"))
    facts = chain.facts(1, with_columns(chain.schema(1), "book", col("pages")))
    found = plan(facts)
    assert not found.actions
    assert "drop" in found.refusals[0].reason


def test_a_pending_object_in_another_shape_is_refused() -> None:
    chain = shop().add("2", add("book", col("pages")))
    found = plan(chain.facts(1, with_columns(chain.schema(1), "book", col("pages", "text"))))
    assert not found.actions
    assert "another shape" in found.refusals[0].reason


def test_a_table_of_somebody_else_is_refused() -> None:
    chain = shop().add("2", create("tag", col("name", "text")))
    found = plan(chain.facts(1, edited(chain.schema(1), tag=table("tag", col("label")))))
    assert not found.actions
    assert found.refusals


def test_a_foreign_key_that_was_not_reached_is_made() -> None:
    fk = ForeignKey("fk", ("book_id",), "book", ("id",))
    chain = shop().add("2", create("page", col("book_id", "bigint"), foreign_keys=(fk,)))
    bare = replace(chain.schema().tables["page"], foreign_keys=())
    found = actions(chain.facts(1, edited(chain.schema(1), page=bare)))
    assert found[0] == AddConstraint("page", fk, state=key("2"))
    assert brief(found[1:]) == recorded("2")


# -- recorded, missing -----------------------------------------------------------------


def test_the_last_recorded_migration_is_forgotten_so_that_migrate_applies_it() -> None:
    chain = shop().add("2", add("book", col("pages")))
    facts = chain.facts(2, chain.schema(1))
    assert brief(actions(facts)) == [("forget", "2")]
    assert plan(facts).notes == ("The data of column book.pages is gone: it is made again, empty.",)


def test_something_recorded_depends_on_it_so_that_only_the_column_is_made() -> None:
    chain = shop().add("2", add("book", col("pages"))).add("3", create("tag"))
    facts = chain.facts(3, without_columns(chain.schema(), "book", "pages"))
    assert actions(facts) == [AddColumn("book", col("pages"))]


def test_a_column_is_made_as_the_recorded_head_has_it() -> None:
    chain = (
        shop()
        .add("2", add("book", col("pages")))
        .add("3", alter("book", "pages", "bigint"))
        .add("4", create("tag"))
    )
    facts = chain.facts(4, without_columns(chain.schema(), "book", "pages"))
    assert actions(facts) == [AddColumn("book", col("pages", "bigint"))]


def test_a_missing_table_is_made_as_the_recorded_head_has_it() -> None:
    chain = shop().add("2", add("book", col("pages"))).add("3", create("tag"))
    facts = chain.facts(3, edited(chain.schema(), book=None))
    assert actions(facts) == [CreateTable(chain.schema().tables["book"])]
    assert plan(facts).notes == ("The data of table book is gone: it is made again, empty.",)


def test_missing_tables_are_made_in_the_order_of_their_references() -> None:
    fk = ForeignKey("fk", ("z_id",), "zoo", ("id",))
    chain = Chain().add("1", create("zoo")).add("2", create("animal", foreign_keys=(fk,)))
    chain.add("3", DATA)
    found = actions(chain.facts(3, schema()))
    assert [a.table.key for a in found if isinstance(a, CreateTable)] == ["zoo", "animal"]


def test_a_data_migration_is_never_forgotten() -> None:
    chain = shop().add("2", add("book", col("pages")), DATA)
    facts = chain.facts(2, without_columns(chain.schema(), "book", "pages"))
    assert actions(facts) == [AddColumn("book", col("pages"))]


def test_a_missing_rename_is_applied_again_by_migrate() -> None:
    chain = shop().add("2", rename("book", "price", "cost"))
    facts = chain.facts(2, chain.schema(1))
    assert brief(actions(facts)) == [("forget", "2")]
    assert plan(facts).notes == ()


@pytest.mark.parametrize(
    "operation", [rename("book", "price", "cost"), rename_table("book", "novel")]
)
def test_a_missing_rename_that_others_build_upon_is_run_alone(operation) -> None:
    chain = shop().add("2", operation).add("3", create("tag"))
    live = edited(chain.schema(1), tag=chain.schema().tables["tag"])
    assert actions(chain.facts(3, live)) == [RunOperations(key("2"), (0,), record=False)]


def test_a_rename_whose_column_is_gone_is_not_run_again() -> None:
    chain = shop().add("2", rename("book", "price", "cost"))
    facts = chain.facts(2, without_columns(chain.schema(), "book", "cost"))
    assert actions(facts) == [AddColumn("book", col("cost"))]


@pytest.mark.parametrize("operation", [remove("book", "price"), drop("book")])
def test_what_would_lose_data_is_refused(operation) -> None:
    chain = shop().add("2", operation)
    found = plan(chain.facts(2, chain.schema(1)))
    assert not found.actions
    assert "drop" in found.refusals[0].reason


def test_the_row_of_a_squash_is_not_forgotten_while_what_it_replaces_is_recorded() -> None:
    chain = shop().add("2", add("book", col("pages")), replaces=(key("1a"),))
    facts = chain.facts(2, chain.schema(1))
    facts = replace(
        facts, history=replace(facts.history, recorded=(*facts.history.recorded, key("1a")))
    )
    assert AddColumn("book", col("pages")) in plan(facts).actions


def test_the_missing_part_of_a_recorded_half_is_made() -> None:
    chain = shop().add("2", add("book", col("pages")), add("book", col("isbn", "text")))
    facts = chain.facts(2, without_columns(chain.schema(), "book", "isbn"))
    assert actions(facts) == [AddColumn("book", col("isbn", "text"))]


def test_a_migration_recorded_by_the_same_repair_keeps_its_parent() -> None:
    chain = shop().add("2", create("tag")).add("3", add("book", col("pages")))
    facts = chain.facts(2, edited(chain.schema(), tag=None))
    found = actions(facts)
    assert [type(a) for a in found] == [CreateTable, RecordMigration]


# -- single differences --------------------------------------------------------------------


def test_a_foreign_key_comes_with_its_column_also_where_it_points_to_its_own_table() -> None:
    above = ForeignKey("above_fk", ("above",), "book", ("id",))
    chain = (
        shop()
        .add("2", add("book", col("above", "bigint")))
        .add("3", attach("book", foreign_keys=(above,)))
    )
    live = without_columns(chain.schema(), "book", "above")
    book = replace(live.tables["book"], foreign_keys=())
    made = actions(chain.facts(3, schema(book)))
    assert not [action for action in made if isinstance(action, AddConstraint)]


def test_the_foreign_keys_that_cascade_took_along_are_made_again() -> None:
    reference = ForeignKey("book_fk", ("book",), "book", ("id",))
    chain = shop().add("2", create("page", col("book", "bigint")))
    chain.add("3", attach("page", foreign_keys=(reference,)))
    page = replace(chain.schema().tables["page"], foreign_keys=())
    made = actions(chain.facts(3, schema(page)))
    assert [type(action) for action in made] == [CreateTable, AddConstraint]
    assert AddConstraint("page", reference) in made


def test_a_table_that_seems_to_have_been_renamed_is_not_made_again() -> None:
    chain = shop()
    moved = replace(chain.schema().tables["book"], name="tome")
    found = plan(chain.facts(1, schema(moved)))
    assert not found.actions
    assert "rename it back" in found.refusals[0].reason


def test_a_missing_index_and_a_missing_constraint_are_made() -> None:
    unique = Unique("u", ("title",))
    chain = shop().add("2", attach("book", indexes=(index("price"),), uniques=(unique,)))
    book = replace(chain.schema().tables["book"], indexes=(), uniques=())
    found = actions(chain.facts(2, schema(book)))
    assert found == [AddConstraint("book", unique), CreateIndex("book", index("price"))]


def test_a_missing_default_is_set() -> None:
    chain = Chain().add("1", create("book", col("price", default="0")))
    live = with_columns(chain.schema(), "book", col("price"))
    assert actions(chain.facts(1, live)) == [SetDefault("book", col("price", default="0"))]


def test_an_invalid_index_is_built_again_and_a_constraint_validated() -> None:
    check = Check("positive", "price > 0", ("price",))
    made = create("book", col("price"), indexes=(index("price"),), checks=(check,))
    chain = Chain().add("1", made)
    broken = index("price", name="ix_live", valid=False)
    book = replace(
        chain.schema().tables["book"],
        indexes=(broken,),
        checks=(replace(check, valid=False),),
    )
    found = actions(chain.facts(1, schema(book)))
    assert set(found) == {RebuildIndex("book", broken), ValidateConstraint("book", "positive")}


def test_an_index_that_the_optimiser_ignores_is_shown_to_it() -> None:
    unique = Unique("one", ("price", "name"))
    made = create("book", col("price"), col("name"), indexes=(index("price"),), uniques=(unique,))
    chain = Chain().add("1", made)
    book = chain.schema().tables["book"]
    unseen = replace(
        book,
        indexes=(index("price", name="ix_live", ignored=True),),
        uniques=(replace(unique, ignored=True),),
    )
    found = actions(chain.facts(1, schema(unseen)))
    assert set(found) == {ShowIndex("book", "ix_live"), ShowIndex("book", "one")}
    second = replace(unseen, indexes=(*unseen.indexes, index("price", name="ix_second")))
    assert actions(chain.facts(1, schema(second))) == [ShowIndex("book", "one")]


def test_a_sequence_behind_is_moved() -> None:
    live = replace(shop().schema(), sequences=(Sequence("seq", "book", "id", 3),))
    facts = shop().facts(1, live, maxima={("book", "id"): 9})
    assert actions(facts) == [ResetSequence("book", "id", "seq", 9)]


@pytest.mark.parametrize(
    "live",
    [
        with_columns(shop().schema(), "book", col("price", "text")),
        with_columns(shop().schema(), "book", col("price", nullable=True)),
        with_columns(shop().schema(), "book", col("legacy")),
        schema(replace(shop().schema().tables["book"], triggers=(Trigger("t", enabled=False),))),
    ],
    ids=["a wrong type", "nullability", "an extra column", "a disabled trigger"],
)
def test_what_is_never_automatic(live) -> None:
    found = plan(shop().facts(1, live))
    assert not found.actions
    assert len(found.refusals) == 1


def test_an_unconfirmed_difference_is_left_alone() -> None:
    live = without_columns(shop().schema(), "book", "price")
    assert not plan(shop().facts(1, live, opaque_tables=None))


def test_a_soft_operation_is_left_to_migrate() -> None:
    chain = shop().add("2", state_only(add("book", col("pages")), "book"))
    assert not plan(chain.facts(1, chain.schema()))
    assert brief(actions(chain.facts(1, chain.schema()), "2")) == recorded("2")


def test_every_action_says_what_it_does_in_one_line() -> None:
    chain = shop().add("2", add("book", col("pages")), add("book", col("isbn", "text")))
    facts = chain.facts(1, with_columns(chain.schema(1), "book", col("pages")))
    (action,) = actions(facts)
    assert action.description == "Run operation 2 of shop.2, then record it"
