"""Drift, case by case: what must be found, and what must never stop a deploy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.core.drift import ScanFacts, classify, opaque_tables
from migrator.core.history import HistoryFacts
from migrator.core.incidents import Code, Evidence, Incident
from migrator.core.reference import Reference
from migrator.core.schema import (
    Check,
    ForeignKey,
    Index,
    IndexKey,
    Schema,
    Sequence,
    Table,
    Trigger,
    Unique,
)
from tests.unit.core_chains import (
    DATA,
    INERT,
    OPAQUE,
    Chain,
    Op,
    add,
    alter,
    attach,
    col,
    create,
    detach,
    drop,
    edited,
    index,
    key,
    remove,
    rename,
    rename_table,
    run_sql,
    schema,
    state_only,
    table,
    with_columns,
    without_columns,
)


def shop() -> Chain:
    """Book with a title and a price."""
    return Chain().add("1", create("book", col("title", "character varying(50)"), col("price")))


def blocking(facts: ScanFacts) -> list[tuple[str, str]]:
    """(code, migration or object) of what blocks, worst first."""
    return [
        (i.code.value, i.migration.name if i.migration else str(i.object))
        for i in classify(facts)
        if i.blocking
    ]


def only(facts: ScanFacts) -> Incident:
    """The one incident that there is."""
    (incident,) = classify(facts)
    return incident


FK = ForeignKey("fk", ("book_id",), "book", ("id",), deferrable=True, initially_deferred=True)
UNIQUE = Unique("uq", ("book_id", "tag_id"))
M2M = Op(
    "AddField",
    lambda tables: {
        **tables,
        "book_tags": table(
            "book_tags", col("book_id", "bigint"), col("tag_id", "bigint"), uniques=(UNIQUE,)
        ),
    },
)

EFFECTS = {
    "CreateModel": create("tag", col("name", "text")),
    "DeleteModel": drop("book"),
    "AddField": add("book", col("pages")),
    "AddField with a foreign key": add(
        "book", col("book_id", "bigint"), foreign_keys=(FK,), indexes=(index("book_id"),)
    ),
    "RemoveField": remove("book", "price"),
    "RenameField": rename("book", "price", "cost"),
    "AlterField type": alter("book", "price", "numeric(8,2)"),
    "AlterField length": alter("book", "title", "character varying(80)"),
    "AlterField null": alter("book", "title", nullable=True),
    "AlterField db_column": rename("book", "price", "cost_in_cents", "AlterField"),
    "AlterField database default": alter("book", "price", default="0"),
    "RenameModel": rename_table("book", "novel"),
    "AlterModelTable": rename_table("book", 'library"."book', "AlterModelTable"),
    "a many-to-many table": M2M,
    "AddIndex": attach("book", indexes=(index("title"),)),
    "AddConstraint unique": attach("book", uniques=(Unique("u", ("title",)),)),
    "AddConstraint check": attach("book", checks=(Check("c", "price > 0", ("price",)),)),
}


@pytest.mark.parametrize("operation", EFFECTS.values(), ids=EFFECTS)
def test_every_kind_of_effect_is_recognised_when_its_row_is_lost(operation: Op) -> None:
    chain = shop().add("2", operation)
    assert blocking(chain.facts(1, chain.schema())) == [("DR102", "2")]


@pytest.mark.parametrize("operation", EFFECTS.values(), ids=EFFECTS)
def test_every_kind_of_effect_is_simply_pending_when_it_is_not_there(operation: Op) -> None:
    chain = shop().add("2", operation)
    assert classify(chain.facts(1, chain.schema(1))) == ()


@pytest.mark.parametrize(
    "operation",
    [o for name, o in EFFECTS.items() if not name.startswith(("AddIndex", "AddConstraint"))],
    ids=[name for name in EFFECTS if not name.startswith(("AddIndex", "AddConstraint"))],
)
def test_every_kind_of_effect_is_missed_when_only_its_row_is_there(operation: Op) -> None:
    chain = shop().add("2", operation)
    assert blocking(chain.facts(2, chain.schema(1))) == [("DR101", "2")]


@pytest.mark.parametrize("name", ["AddIndex", "AddConstraint unique", "AddConstraint check"])
def test_a_missing_index_or_constraint_is_named_with_its_migration(name: str) -> None:
    chain = shop().add("2", EFFECTS[name])
    incident = only(chain.facts(2, chain.schema(1)))
    assert (incident.code, incident.blocking) == (Code.CONSTRAINT_OR_INDEX, True)
    assert incident.migration == key("2")


@pytest.mark.parametrize("operation", EFFECTS.values(), ids=EFFECTS)
def test_every_kind_of_effect_is_clean_when_it_is_recorded_and_there(operation: Op) -> None:
    chain = shop().add("2", operation)
    assert classify(chain.facts(2, chain.schema())) == ()


def test_a_lost_history_comes_out_as_unrecorded_throughout() -> None:
    chain = (
        shop()
        .add("2", rename("book", "price", "cost"))
        .add("3", alter("book", "cost", "bigint"))
        .add("4", rename_table("book", "novel"))
        .add("5", remove("novel", "title"))
        .add("6", create("tag", col("name", "text")), M2M)
        .add("7", create("draft", col("text", "text")))
        .add("8", drop("draft"))
        .add("9", add("novel", col("pages")))
    )
    found = blocking(chain.facts(0, chain.schema()))
    assert sorted(found) == [("DR102", str(n)) for n in range(1, 10)]


def test_half_a_pending_migration_names_what_is_there_and_what_is_not() -> None:
    chain = shop().add("2", add("book", col("pages")), add("book", col("isbn", "text")))
    incident = only(chain.facts(1, with_columns(chain.schema(1), "book", col("pages"))))
    assert (incident.code, incident.blocking) == (Code.HALF_APPLIED, True)
    assert incident.migration == key("2")
    assert incident.operation == 1
    assert "column book.pages there, column book.isbn not" in incident.message
    assert [(ref.name, there) for ref, there in incident.objects] == [
        ("pages", True),
        ("isbn", False),
    ]


def test_half_a_recorded_migration() -> None:
    chain = shop().add("2", add("book", col("pages")), add("book", col("isbn", "text")))
    incident = only(chain.facts(2, without_columns(chain.schema(), "book", "isbn")))
    assert (incident.code, incident.operation) == (Code.HALF_APPLIED, 1)
    assert (incident.expected, incident.live) == ("text NOT NULL", "absent")


def test_a_table_made_without_its_foreign_key_is_half_applied() -> None:
    chain = shop().add("2", create("page", col("book_id", "bigint"), foreign_keys=(FK,)))
    bare = replace(chain.schema().tables["page"], foreign_keys=())
    assert blocking(chain.facts(1, edited(chain.schema(1), page=bare))) == [("DR103", "2")]


def test_a_pending_column_that_is_there_in_another_shape() -> None:
    chain = shop().add("2", add("book", col("pages")))
    incident = only(chain.facts(1, with_columns(chain.schema(1), "book", col("pages", "text"))))
    assert incident.code is Code.HALF_APPLIED
    assert (incident.expected, incident.live) == ("integer NOT NULL", "text NOT NULL")


def test_a_table_of_somebody_else_where_a_pending_model_wants_its_own() -> None:
    chain = shop().add("2", create("tag", col("name", "text"), col("slug", "text")))
    live = edited(chain.schema(1), tag=Table("tag", (col("label", "text"),)))
    incident = only(chain.facts(1, live))
    assert (incident.code, incident.blocking) == (Code.HALF_APPLIED, True)
    assert "column tag.name" in incident.message


def test_remove_and_add_of_one_name_while_pending_says_nothing() -> None:
    chain = shop().add("2", remove("book", "price")).add("3", add("book", col("price")))
    assert classify(chain.facts(1, chain.schema(1))) == ()


def test_what_a_later_recorded_migration_undid_is_not_missed() -> None:
    chain = shop().add("2", add("book", col("pages"))).add("3", remove("book", "pages"))
    assert classify(chain.facts(3, chain.schema())) == ()


def test_a_recorded_rename_that_never_happened_is_blamed_alone() -> None:
    chain = (
        shop()
        .add("2", rename("book", "price", "cost"))
        .add("3", alter("book", "cost", nullable=True))
        .add("4", add("book", col("pages")))
    )
    back = with_columns(chain.schema(), "book", col("price", nullable=True))
    back = without_columns(back, "book", "cost")
    assert blocking(chain.facts(4, back)) == [("DR101", "2")]


def test_a_recorded_table_rename_that_never_happened_is_blamed_alone() -> None:
    chain = shop().add("2", rename_table("book", "novel")).add("3", add("novel", col("pages")))
    live = schema(replace(chain.schema().tables["novel"], name="book"))
    assert blocking(chain.facts(3, live)) == [("DR101", "2")]
    assert all("book" not in str(i.object) or i.migration for i in classify(chain.facts(3, live)))


def test_a_dropped_table_is_blamed_on_whoever_made_and_altered_it() -> None:
    chain = shop().add("2", add("book", col("pages"))).add("3", create("tag"))
    assert blocking(chain.facts(3, edited(chain.schema(), book=None))) == [
        ("DR101", "1"),
        ("DR101", "2"),
    ]


def test_a_table_that_routing_gave_to_this_database_later_is_missed() -> None:
    assert blocking(shop().facts(1, schema())) == [("DR101", "1")]


def test_a_missing_table_takes_its_constraints_and_references_along() -> None:
    chain = shop().add("2", create("page", col("book_id", "bigint"), foreign_keys=(FK,)))
    page = replace(chain.schema().tables["page"], foreign_keys=())
    found = classify(chain.facts(2, schema(page)))
    assert [i.code.value for i in found] == ["DR101"]


@pytest.mark.parametrize(
    ("change", "expected", "live"),
    [
        (col("price", "text"), "integer NOT NULL", "text NOT NULL"),
        (col("price", nullable=True), "integer NOT NULL", "integer"),
        (col("price", "smallint"), "integer NOT NULL", "smallint NOT NULL"),
        (
            col("price", generated="1", stored=True),
            "integer NOT NULL",
            "integer NOT NULL GENERATED (1) STORED",
        ),
    ],
)
def test_a_column_that_no_migration_made_so_differs(change, expected, live) -> None:
    incident = only(shop().facts(1, with_columns(shop().schema(), "book", change)))
    assert (incident.code, incident.blocking) == (Code.COLUMN_DIFFERS, True)
    assert (incident.expected, incident.live) == (expected, live)
    assert incident.evidence is Evidence.STATE


@pytest.mark.parametrize(
    "change",
    [
        col("price", "bigint"),
        col("title", "text"),
        col("title", "character varying(60)"),
    ],
)
def test_a_wider_column_never_blocks(change) -> None:
    incident = only(shop().facts(1, with_columns(shop().schema(), "book", change)))
    assert (incident.code, incident.blocking) == (Code.COLUMN_DIFFERS, False)


@pytest.mark.parametrize("kind", ["datetime", "time"])
def test_a_time_of_old_mysql_never_blocks_by_state_alone(kind: str) -> None:
    """Columns of before Django 1.8 have no fractions of a second, and no migration gives them."""
    chain = shop().add("2", add("book", col("at", f"{kind}(6)")))
    live = with_columns(chain.schema(vendor="mysql"), "book", col("at", kind))
    facts = chain.facts(2, live)
    incident = only(facts)
    assert (incident.code, incident.blocking) == (Code.COLUMN_DIFFERS, False)
    assert incident.evidence is Evidence.UNCONFIRMED
    verified = replace(facts, references=(Reference(chain.schema(vendor="mysql")),))
    assert [i.blocking for i in classify(verified)] == [True]


def test_a_default_that_state_does_not_know_of_is_nothing() -> None:
    live = with_columns(shop().schema(), "book", col("price", default="0"))
    assert classify(shop().facts(1, live)) == ()


def test_ids_that_a_receiver_made_bigint_do_not_stop_a_pending_bigint() -> None:
    chain = shop().add("2", alter("book", "price", "bigint"))
    found = classify(chain.facts(1, chain.schema()))
    assert not [i for i in found if i.blocking]
    half = shop().add("2", alter("book", "price", "bigint"), add("book", col("pages")))
    wide = with_columns(half.schema(1), "book", col("price", "bigint"))
    assert not blocking(half.facts(1, wide))


# -- extra ---------------------------------------------------------------------


def test_an_extra_column_that_refuses_every_insert_blocks() -> None:
    live = with_columns(shop().schema(), "book", col("legacy", "text"))
    incident = only(shop().facts(1, live))
    assert (incident.code, incident.blocking) == (Code.EXTRA_REQUIRED_COLUMN, True)


@pytest.mark.parametrize(
    "column",
    [
        col("legacy", nullable=True),
        col("legacy", default="1"),
        col("legacy", identity="always"),
        col("legacy", generated="1"),
    ],
)
def test_other_extra_columns_do_not(column) -> None:
    incident = only(shop().facts(1, with_columns(shop().schema(), "book", column)))
    assert (incident.code, incident.blocking) == (Code.EXTRA, False)


def test_an_extra_required_column_that_a_trigger_may_fill_does_not() -> None:
    live = with_columns(shop().schema(), "book", col("search", "tsvector"))
    book = replace(live.tables["book"], triggers=(Trigger("fill"),))
    incident = only(shop().facts(1, edited(live, book=book)))
    assert (incident.code, incident.blocking) == (Code.EXTRA_REQUIRED_COLUMN, False)
    off = replace(book, triggers=(Trigger("fill", enabled=False),))
    assert ("DR107", "column book.search") in blocking(shop().facts(1, edited(live, book=off)))


def test_foreign_tables_are_told_of_and_the_history_table_is_not() -> None:
    live = edited(shop().schema(), other=table("other"), django_migrations=table("x"))
    incident = only(shop().facts(1, live))
    assert (incident.code, incident.blocking) == (Code.EXTRA, False)
    assert incident.object.name == "other"


def test_a_unique_that_was_never_dropped_and_an_index_that_stayed_do_not_block() -> None:
    chain = shop()
    book = replace(
        chain.schema().tables["book"],
        uniques=(Unique("left", ("price",)),),
        indexes=(index("title", name="left_ix"),),
    )
    found = classify(chain.facts(1, schema(book)))
    assert {i.code for i in found} == {Code.EXTRA}
    assert not any(i.blocking for i in found)


# -- evidence --------------------------------------------------------------------


def test_a_difference_on_an_opaque_table_is_told_of_and_does_not_block() -> None:
    facts = shop().facts(1, without_columns(shop().schema(), "book", "price"))
    for opaque in (frozenset({"book"}), None):
        incident = only(replace(facts, opaque_tables=opaque))
        assert (incident.blocking, incident.evidence) == (False, Evidence.UNCONFIRMED)
        assert "--deep" in incident.hint
    assert only(replace(facts, opaque_tables=frozenset({"other"}))).blocking


def test_stub_models_without_a_table_do_not_block() -> None:
    chain = Chain().add("1", state_only(create("stub"), "stub"))
    facts = chain.facts(1, schema(), opaque_tables=opaque_tables(chain.effects))
    assert not blocking(facts)


def test_a_field_removed_in_state_alone_does_not_block() -> None:
    chain = shop().add("2", state_only(remove("book", "price"), "book"))
    facts = chain.facts(2, chain.schema(1), opaque_tables=opaque_tables(chain.effects))
    assert not blocking(facts)
    assert classify(facts)


def test_opaqueness_follows_a_renamed_table() -> None:
    chain = shop().add("2", run_sql("book")).add("3", rename_table("book", "novel"))
    assert opaque_tables(chain.effects) == {"book", "novel"}
    assert opaque_tables(shop().effects) == frozenset()
    assert opaque_tables([*shop().effects, *Chain().add("2", OPAQUE).effects]) is None


def test_a_pending_migration_in_conflict_blocks_on_an_opaque_table_too() -> None:
    chain = shop().add("2", add("book", col("pages")))
    assert blocking(chain.facts(1, chain.schema(), opaque_tables=None)) == [("DR102", "2")]


def test_a_pending_operation_that_looks_before_it_acts_does_not_block() -> None:
    chain = shop().add("2", state_only(add("book", col("pages")), "book"))
    found = classify(chain.facts(1, chain.schema()))
    assert [(i.code, i.blocking) for i in found] == [(Code.UNRECORDED_PRESENT, False)]


def test_sql_with_state_operations_that_is_done_blocks() -> None:
    sql = replace(add("book", col("pages")), kind="RunSQL", opaque=frozenset({"book"}))
    chain = shop().add("2", sql)
    assert blocking(chain.facts(1, chain.schema())) == [("DR102", "2")]


def test_a_snapshot_with_the_same_difference_excuses_it() -> None:
    live = without_columns(shop().schema(), "book", "price")
    incident = only(shop().facts(1, live, snapshot=live))
    assert (incident.blocking, incident.evidence) == (False, Evidence.UNCONFIRMED)


def test_a_difference_from_the_snapshot_is_certain_even_on_an_opaque_table() -> None:
    chain = shop()
    live = without_columns(chain.schema(), "book", "price")
    facts = chain.facts(1, live, snapshot=chain.schema(), opaque_tables=None)
    incident = only(facts)
    assert (incident.code, incident.blocking) == (Code.HALF_APPLIED, True)
    assert incident.evidence is Evidence.SNAPSHOT


def test_a_difference_that_only_the_snapshot_knows_of() -> None:
    chain = shop()
    was = with_columns(chain.schema(), "book", col("price", default="7"), col("search", "text"))
    incidents = classify(chain.facts(1, chain.schema(), snapshot=was))
    assert [(i.code.value, i.blocking, i.evidence.value) for i in incidents] == [
        ("DR101", True, "snapshot"),
        ("DR104", True, "snapshot"),
    ]


def test_wider_than_the_snapshot_does_not_block_either() -> None:
    live = with_columns(shop().schema(), "book", col("price", "bigint"))
    assert not blocking(shop().facts(1, live, snapshot=shop().schema()))


def test_a_foreign_table_that_went_since_the_snapshot_does_not_block() -> None:
    was = edited(shop().schema(), other=table("other"))
    incident = only(shop().facts(1, shop().schema(), snapshot=was))
    assert (incident.code, incident.blocking) == (Code.EXTRA, False)


def test_a_replay_proves_as_a_snapshot_does() -> None:
    live = without_columns(shop().schema(), "book", "price")
    incident = only(shop().facts(1, live, replay=shop().schema(), opaque_tables=None))
    assert (incident.blocking, incident.evidence) == (True, Evidence.REPLAY)


def test_a_table_that_a_replay_did_not_make_proves_nothing_about_its_columns() -> None:
    """A table that was there before Django, unmanaged at first and managed since."""
    chain = Chain().add("1", state_only(create("legacy", col("code", "text")), "legacy"))
    live = with_columns(chain.schema(), "legacy", col("code", "character varying(9)"))
    incidents = classify(chain.facts(1, live, replay=schema()))
    assert {i.code.value for i in incidents} == {"DR104", "DR108"}
    assert not [i for i in incidents if i.blocking]


# -- indexes, constraints, triggers, sequences -------------------------------------


def test_a_pending_index_removal_that_is_done_is_no_missing_index() -> None:
    chain = shop().add("2", attach("book", indexes=(index("title"),)))
    chain.add("3", detach("book", "indexes"))
    assert blocking(chain.facts(2, chain.schema())) == [("DR102", "3")]


def test_an_index_renamed_in_state_only_is_nothing() -> None:
    chain = Chain().add("1", create("book", col("title"), indexes=(index("title", name="new"),)))
    book = replace(chain.schema().tables["book"], indexes=(index("title", name="old"),))
    assert classify(chain.facts(1, schema(book))) == ()


def test_an_index_rename_that_is_done_is_seen_by_its_name() -> None:
    chain = Chain().add("1", create("book", col("title"), indexes=(index("title", name="old"),)))
    new = Op(
        "RenameIndex",
        lambda t: {"book": replace(t["book"], indexes=(index("title", name="new"),))},
    )
    chain.add("2", new)
    assert blocking(chain.facts(1, chain.schema())) == [("DR102", "2")]
    assert classify(chain.facts(1, chain.schema(1))) == ()


def test_an_index_that_is_made_and_renamed_by_what_is_pending_is_not_there() -> None:
    chain = Chain().add("1", create("book", col("title")))
    chain.add("2", attach("book", indexes=(index("title", name="old"),)))
    rename = Op(
        "RenameIndex",
        lambda t: {"book": replace(t["book"], indexes=(index("title", name="new"),))},
    )
    chain.add("3", rename)
    assert classify(chain.facts(1, chain.schema(1))) == ()
    assert blocking(chain.facts(2, chain.schema())) == [("DR102", "3")]
    assert set(blocking(chain.facts(1, chain.schema()))) == {("DR102", "2"), ("DR102", "3")}


def test_an_invalid_index_blocks() -> None:
    chain = Chain().add("1", create("book", col("title"), indexes=(index("title"),)))
    book = replace(chain.schema().tables["book"], indexes=(index("title", valid=False),))
    assert blocking(chain.facts(1, schema(book))) == [("DR106", "1")]


def test_a_constraint_that_is_not_valid_blocks_unless_a_migration_left_it_so() -> None:
    check = Check("positive", "price > 0", ("price",))
    late = attach("book", "AddConstraintNotValid", checks=(check,))
    late = replace(late, description="Create not valid constraint positive on model book")
    chain = shop().add("2", late)
    book = replace(chain.schema().tables["book"], checks=(replace(check, valid=False),))
    assert blocking(chain.facts(2, schema(book))) == []
    done = Op("ValidateConstraint", description="Validate constraint positive on model book")
    chain.add("3", done)
    assert blocking(chain.facts(3, schema(book))) == [("DR106", "2")]


def test_a_disabled_trigger_blocks() -> None:
    book = replace(shop().schema().tables["book"], triggers=(Trigger("audit", enabled=False),))
    assert blocking(shop().facts(1, schema(book))) == [("DR106", "trigger book.audit")]


def test_the_index_for_patterns_never_blocks_by_state_alone() -> None:
    like = Index("title_like", (IndexKey("title", opclass="text_pattern_ops"),))
    chain = shop().add("2", attach("book", indexes=(like,)))
    book = replace(chain.schema().tables["book"], indexes=())
    facts = chain.facts(2, schema(book))
    (incident,) = classify(facts)
    assert (incident.code.value, incident.blocking) == ("DR105", False)
    assert incident.evidence is Evidence.UNCONFIRMED
    verified = replace(facts, references=(Reference(chain.schema()),))
    assert [i.blocking for i in classify(verified)] == [True]


@pytest.mark.parametrize(
    ("last", "largest", "found"),
    # None: the role may not know the sequence's position.
    [(5, 9, True), (9, 9, False), (0, 1, True), (None, 1, False), (0, None, False), (0, 0, False)],
)
def test_a_sequence_behind_its_column(last: int | None, largest: int | None, found: bool) -> None:
    live = replace(
        shop().schema(), sequences=(Sequence("book_id_seq", "book", "id", last_value=last),)
    )
    maxima = {} if largest is None else {("book", "id"): largest}
    codes = [i.code for i in classify(shop().facts(1, live, maxima=maxima))]
    assert codes == ([Code.SEQUENCE_BEHIND] if found else [])


# -- names, views, privileges --------------------------------------------------------


def test_names_that_the_server_has_cut_are_the_same() -> None:
    long = "t" * 70
    chain = Chain().add("1", create(long, col("c" * 70)))
    short = Table("t" * 63, (*chain.schema().tables[long].columns[:1], col("c" * 63)))
    short = replace(short, primary_key=chain.schema().tables[long].primary_key)
    assert classify(chain.facts(1, schema(short))) == ()


def test_a_view_in_place_of_a_table_does_not_block() -> None:
    facts = shop().facts(1, Schema("postgresql", views=frozenset({"book"})))
    assert [i.blocking for i in classify(facts)] == [False]


def test_a_table_that_may_not_be_read_is_not_missing() -> None:
    facts = shop().facts(1, Schema("postgresql", unreadable=frozenset({"book"})))
    assert classify(facts) == ()


def test_a_table_in_a_schema_of_its_own() -> None:
    name = 'library"."book'
    chain = Chain().add("1", create(name, col("a")))
    live = Schema(
        "postgresql", {name: replace(chain.schema().tables[name], name="book", schema="library")}
    )
    assert classify(chain.facts(1, live)) == ()


def test_names_ignore_case_where_the_vendor_does() -> None:
    chain = Chain().add("1", create("Book", col("Title")))
    live = Schema("sqlite", {"book": replace(chain.schema().tables["Book"], name="book")})
    assert classify(chain.facts(1, live)) == ()


def test_a_row_lost_in_the_middle_is_found_by_its_effect_alone() -> None:
    chain = shop().add("2", add("book", col("pages"))).add("3", create("tag"))
    facts = ScanFacts(
        expected=chain.schema(),
        live=chain.schema(),
        recorded=(chain.effects[0], chain.effects[2]),
        pending=(chain.effects[1],),
        history=replace(chain.history(3), recorded=(key("1"), key("3"))),
    )
    assert blocking(facts) == [("DR102", "2"), ("DR110", "3")]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    "operation",
    [add("book", col("pages")), rename("book", "price", "cost"), rename_table("tag", "label")],
)
def test_a_hole_in_the_history_is_no_drift_of_the_recorded_ones(operation, there) -> None:
    chain = shop().add("2", create("tag")).add("3", operation).add("4", add("book", col("isbn")))
    without = shop().add("2", create("tag")).add("4", add("book", col("isbn")))
    facts = ScanFacts(
        expected=chain.schema(),
        live=chain.schema() if there else without.schema(),
        recorded=(*chain.effects[:2], chain.effects[3]),
        pending=(chain.effects[2],),
        history=replace(chain.history(4), recorded=(key("1"), key("2"), key("4"))),
    )
    assert blocking(facts) == [("DR102", "3"), ("DR110", "4")][0 if there else 1 :]


def test_a_hole_does_not_hide_what_recorded_migrations_miss() -> None:
    chain = shop().add("2", INERT).add("3", create("tag")).add("4", INERT)
    facts = ScanFacts(
        expected=chain.schema(),
        live=edited(chain.schema(), tag=None),
        recorded=(chain.effects[0], chain.effects[2], chain.effects[3]),
        pending=(chain.effects[1],),
        history=replace(chain.history(4), recorded=(key("1"), key("3"), key("4"))),
    )
    assert blocking(facts) == [("DR101", "3"), ("DR110", "3")]


def test_a_lost_row_of_a_table_that_was_renamed_since() -> None:
    chain = shop().add("2", create("tag", col("a"))).add("3", rename_table("tag", "label"))
    chain.add("4", rename("label", "a", "b"))
    facts = ScanFacts(
        expected=chain.schema(),
        live=chain.schema(),
        recorded=(chain.effects[0], *chain.effects[2:]),
        pending=(chain.effects[1],),
        history=replace(chain.history(4), recorded=(key("1"), key("3"), key("4"))),
    )
    assert blocking(facts) == [("DR102", "2"), ("DR110", "3")]


def test_the_worst_comes_first() -> None:
    live = with_columns(
        without_columns(shop().schema(), "book", "price"), "book", col("x", nullable=True)
    )
    found = classify(shop().facts(1, edited(live, zoo=table("zoo"))))
    assert [i.blocking for i in found] == [True, False, False]


def test_data_migrations_and_state_only_options_say_nothing() -> None:
    chain = shop().add("2", DATA).add("3", INERT)
    assert classify(chain.facts(1, chain.schema())) == ()
    assert classify(chain.facts(3, chain.schema())) == ()


def test_nothing_at_all() -> None:
    assert classify(ScanFacts(Schema("sqlite"), Schema("sqlite"), history=HistoryFacts())) == ()
