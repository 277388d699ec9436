"""The one comparator: by what things do, never by what they are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.core.diff import ChangeKind, Changes, diff
from migrator.core.incidents import ObjectRef
from migrator.core.schema import (
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    Trigger,
    Unique,
)
from tests.unit.core_chains import ID, col, index, schema, table


def compare(expected: Table, live: Table, *, exact: bool = False, vendor: str = "postgresql"):
    return diff(schema(expected, vendor=vendor), schema(live, vendor=vendor), exact=exact)


def kinds(changes: Changes) -> list[tuple[str, str, str]]:
    return [(c.kind.value, c.ref.kind, c.ref.name) for c in changes]


BOOK = table("book", col("title", "text"), col("price"))


def book(**changes) -> Table:
    return replace(BOOK, **changes)


def test_equal_schemas_have_no_changes() -> None:
    changes = compare(BOOK, BOOK, exact=True)
    assert not changes
    assert len(changes) == 0


def test_missing_extra_and_different_are_told_apart() -> None:
    live = table("book", col("title", "integer"), col("legacy"))
    changes = compare(BOOK, live)
    assert kinds(changes) == [
        ("extra", "column", "legacy"),
        ("missing", "column", "price"),
        ("different", "column", "title"),
    ]
    assert [c.ref.name for c in changes.missing] == ["price"]
    assert [c.ref.name for c in changes.extra] == ["legacy"]
    assert changes.different[0].attributes == ("type",)
    assert list(changes.by_table()) == ["book"]
    assert changes.find(ObjectRef("column", "book", "price")) is changes.missing[0]
    assert changes.find(ObjectRef("column", "book", "none")) is None


def test_what_is_on_a_missing_table_is_not_told_of() -> None:
    full = book(indexes=(index("title"),), uniques=(Unique("u", ("price",)),))
    assert kinds(diff(schema(full), schema())) == [("missing", "table", "book")]


@pytest.mark.parametrize(
    ("expected", "live", "attributes"),
    [
        (Column("c", "integer"), Column("c", "INTEGER"), None),
        (Column("c", "serial"), Column("c", "integer", identity="always"), None),
        (Column("c", "bigint", identity="serial"), Column("c", "bigint", identity="always"), None),
        (Column("c", "bigint", identity="serial"), Column("c", "bigint"), ("identity",)),
        (Column("c", "text"), Column("c", "text", default="'x'"), None),
        (Column("c", "text", default="'x'"), Column("c", "text"), ("default",)),
        (Column("c", "text", default="'x'"), Column("c", "text", default="'y'::text"), None),
        (Column("c", "text"), Column("c", "text", collation="C"), None),
        (Column("c", "text", collation="C"), Column("c", "text"), ("collation",)),
        (Column("c", "text", generated="a"), Column("c", "text", generated="(a)::text"), None),
        (Column("c", "text", generated="a"), Column("c", "text"), ("generated",)),
        (Column("c", "text"), Column("c", "text", generated="a"), ("generated",)),
        (Column("c", "integer"), Column("c", "smallint"), ("type",)),
        (Column("c", "varchar(9)"), Column("c", "varchar(8)"), ("type",)),
        (Column("c", "text"), Column("c", "text", nullable=False), ("nullable",)),
        (Column("c", "numeric(8,2)"), Column("c", "numeric(8,3)"), ("type",)),
    ],
)
def test_columns_from_state(expected: Column, live: Column, attributes) -> None:
    changes = compare(Table("t", (expected,)), Table("t", (live,)))
    assert [c.attributes for c in changes] == ([attributes] if attributes else [])


@pytest.mark.parametrize(
    ("expected", "live"),
    [
        ("smallint", "integer"),
        ("integer", "bigint"),
        ("varchar(8)", "varchar(9)"),
        ("character varying(8)", "character varying"),
        ("character varying(8)", "text"),
        ("numeric(8,2)", "numeric(9, 2)"),
        ("int unsigned", "bigint unsigned"),
    ],
)
def test_wider_columns_are_harmless(expected: str, live: str) -> None:
    changes = compare(Table("t", (Column("c", expected),)), Table("t", (Column("c", live),)))
    assert [c.harmless for c in changes] == [True]
    assert not changes


@pytest.mark.parametrize(
    "change",
    [{"default": "0"}, {"collation": "C"}, {"identity": "always"}, {"type": "jsonb"}],
)
def test_an_exact_expectation_states_everything(change) -> None:
    live = replace(Column("c", "text"), **change)
    assert compare(Table("t", (Column("c", "text"),)), Table("t", (live,)), exact=True)


def test_exactness_can_be_lifted_for_single_tables() -> None:
    was, now = schema(table("a", col("x"))), schema(table("a", col("x", default="1")))
    assert diff(was, now, exact=True)
    assert not diff(was, now, exact=True, lenient_tables=frozenset({"a"}))


def test_a_nullable_primary_key_of_sqlite_is_not_a_difference() -> None:
    live = book(columns=(replace(ID, nullable=True), *BOOK.columns[1:]))
    assert not compare(BOOK, live, vendor="sqlite")


def test_primary_keys() -> None:
    assert not compare(BOOK, book(primary_key=PrimaryKey("other_name", ("id",))))
    assert kinds(compare(BOOK, book(primary_key=None))) == [("missing", "primary key", "book_pkey")]
    other = compare(BOOK, book(primary_key=PrimaryKey("p", ("title",))))
    assert other.different[0].attributes == ("columns",)


UNIQUE = Unique("u", ("title", "price"))
UNIQUE_INDEX = index("price", "title", name="u2", unique=True)


@pytest.mark.parametrize(
    ("expected", "live"),
    [
        ({"uniques": (UNIQUE,)}, {"indexes": (UNIQUE_INDEX,)}),
        ({"indexes": (UNIQUE_INDEX,)}, {"uniques": (UNIQUE,)}),
        ({"uniques": (UNIQUE,)}, {"uniques": (replace(UNIQUE, name="renamed"),)}),
        ({"uniques": (Unique("u", ("id",)),)}, {}),
        ({"indexes": (index("title"),)}, {"indexes": (index("title", name="other"),)}),
        ({"indexes": (index("id"),)}, {}),
        (
            {"indexes": (index("title", name="a"), index("title", name="b"))},
            {"indexes": (index("title", name="c"),)},
        ),
        ({"uniques": (Unique("u", ("title",)),)}, None),
    ],
)
def test_what_serves_alike_is_no_change(expected, live) -> None:
    if live is None:  # a unique and a plain index on the same column
        live = {**expected, "indexes": (index("title"),)}
    assert kinds(compare(book(**expected), book(**live))) == []


def test_a_unique_serves_as_an_index_and_is_extra_all_the_same() -> None:
    """It refuses rows that state allows."""
    live = book(uniques=(Unique("u", ("title",)),))
    assert kinds(compare(book(indexes=(index("title"),)), live)) == [("extra", "unique", "u")]


@pytest.mark.parametrize(
    "live",
    [
        index("title", name="n", condition="price > 0", unique=True),
        Index("n", (IndexKey(expression="lower(title)"),), unique=True),
        index("title", "price", name="n", unique=True),
    ],
)
def test_what_is_unique_on_other_terms_does_not_serve(live: Index) -> None:
    changes = compare(book(uniques=(Unique("u", ("title",)),)), book(indexes=(live,)))
    assert ("missing", "unique", "u") in kinds(changes)


@pytest.mark.parametrize(
    "live",
    [
        index("price", "title"),
        index("title", method="hash"),
        Index("ix", (IndexKey(column="title", opclass="text_pattern_ops"),)),
        Index("ix", (IndexKey(column="title", descending=True),)),
        index("title", condition="price > 0"),
    ],
)
def test_an_index_of_the_name_that_does_something_else_differs(live: Index) -> None:
    changes = compare(book(indexes=(index("title"),)), book(indexes=(live,)))
    assert kinds(changes) == [("different", "index", "ix")]


def test_an_index_with_more_included_columns_serves() -> None:
    live = index("title", include=("price",))
    assert not compare(book(indexes=(index("title"),)), book(indexes=(live,)))


def test_expressions_and_conditions_from_state_are_compared_by_shape() -> None:
    expected = Index("ix", (IndexKey(expression="LOWER(title)"),), condition="price > 0")
    live = Index("ix", (IndexKey(expression="lower(title)"),), condition="(price > 0)")
    assert not compare(book(indexes=(expected,)), book(indexes=(live,)))
    # Of a server, the same but for brackets around the whole of it; and then another case.
    assert not compare(book(indexes=(expected,)), book(indexes=(live,)), exact=True)
    other = replace(live, condition="price > 0 AND title = 'A'")
    expected = replace(expected, condition="price > 0 AND title = 'a'")
    assert not compare(book(indexes=(expected,)), book(indexes=(other,)))
    assert compare(book(indexes=(expected,)), book(indexes=(other,)), exact=True)


@pytest.mark.parametrize(
    ("expected", "live", "differing"),
    [
        (index("title", name="u"), index("title", name="u"), ()),
        (index("title", "price", name="u"), index("price", "title", name="u"), ("columns",)),
        (index("title", name="u", include=("price",)), index("title", name="u"), ("columns",)),
        (
            index("title", name="u"),
            Index("u", (IndexKey(column="title", descending=True),)),
            ("columns",),
        ),
        (
            index("title", name="u"),
            Index("u", (IndexKey(column="title", collation="C"),)),
            ("collation", "columns"),
        ),
    ],
)
def test_a_unique_index_as_it_was_verified_is_the_same_in_every_respect(
    expected: Index, live: Index, differing: tuple[str, ...]
) -> None:
    one, two = (replace(item, unique=True) for item in (expected, live))
    assert not compare(book(indexes=(one,)), book(indexes=(two,)))
    changes = compare(book(indexes=(one,)), book(indexes=(two,)), exact=True)
    assert bool(changes) == bool(differing)


def test_a_unique_prefix_is_not_the_whole_column() -> None:
    prefix = Index("u", (IndexKey(column="title", opclass="(10)"),), unique=True)
    changes = compare(
        book(uniques=(Unique("u", ("title",)),)), book(indexes=(prefix,)), vendor="mysql"
    )
    assert ("missing", "unique", "u") in kinds(changes)


def test_deferred_and_deferrable_are_told_apart_where_they_were_verified() -> None:
    expected = Unique("u", ("title",), deferrable=True, initially_deferred=True)
    live = replace(expected, initially_deferred=False)
    assert not compare(book(uniques=(expected,)), book(uniques=(live,)))
    assert compare(book(uniques=(expected,)), book(uniques=(live,)), exact=True)


@pytest.mark.parametrize("valid", [True, False])
def test_invalid_indexes_do_not_serve(valid: bool) -> None:
    changes = compare(
        book(indexes=(index("title"),)), book(indexes=(index("title", name="x", valid=valid),))
    )
    assert [(c.ref.name, c.attributes) for c in changes] == ([] if valid else [("x", ("valid",))])


FK = ForeignKey("fk", ("price",), "tag", ("id",), deferrable=True, initially_deferred=True)


@pytest.mark.parametrize(
    ("live", "found"),
    [
        (replace(FK, name="renamed"), []),
        (replace(FK, on_delete="RESTRICT"), []),
        (replace(FK, on_delete="CASCADE"), [("different", ("on delete",))]),
        (replace(FK, deferrable=False, initially_deferred=False), [("different", ("deferrable",))]),
        (replace(FK, valid=False), [("different", ("valid",))]),
        (replace(FK, to_table="other"), [("extra", ()), ("missing", ())]),
        (None, [("missing", ())]),
    ],
)
def test_foreign_keys(live: ForeignKey | None, found) -> None:
    changes = compare(book(foreign_keys=(FK,)), book(foreign_keys=(live,) if live else ()))
    assert sorted((c.kind.value, c.attributes) for c in changes) == found


def test_deferrability_is_not_asked_where_the_catalog_does_not_tell() -> None:
    live = replace(FK, deferrable=False, initially_deferred=False)
    for vendor in ("sqlite", "mysql"):
        assert not compare(book(foreign_keys=(FK,)), book(foreign_keys=(live,)), vendor=vendor)


@pytest.mark.parametrize(
    ("expected", "live", "found"),
    [
        (Check("c", "", ("price",)), Check("auto_name", "(price >= 0)", ("price",)), []),
        (Check("c", "price >= 0"), Check("d", "((price >= 0))"), []),
        (Check("c", "price >= 0"), Check("c", "price > 9"), ["different"]),
        (Check("c", ""), Check("c", "price > 9"), []),
        (Check("c", "price >= 0"), Check("d", "price > 9"), ["extra", "missing"]),
        (Check("c", "price >= 0"), Check("c", "price >= 0", valid=False), ["different"]),
    ],
)
def test_checks(expected: Check, live: Check, found: list[str]) -> None:
    changes = compare(book(checks=(expected,)), book(checks=(live,)))
    assert sorted(c.kind.value for c in changes) == found


def test_exclusions_go_by_name_or_definition() -> None:
    one = Exclusion("e", "EXCLUDE USING gist (a WITH &&)")
    assert not compare(book(exclusions=(one,)), book(exclusions=(replace(one, name="f"),)))
    assert kinds(compare(book(exclusions=(one,)), BOOK)) == [("missing", "exclusion", "e")]
    assert kinds(compare(BOOK, book(exclusions=(one,)))) == [("extra", "exclusion", "e")]


def test_triggers_are_compared_with_an_exact_expectation_alone() -> None:
    live = book(triggers=(Trigger("t", "x", enabled=False),))
    assert not compare(book(triggers=(Trigger("t", "x"),)), live)
    exact = compare(book(triggers=(Trigger("t", "x"),)), live, exact=True)
    assert [c.attributes for c in exact] == [("enabled",)]
    assert kinds(compare(BOOK, live, exact=True)) == [("extra", "trigger", "t")]
    assert kinds(compare(live, BOOK, exact=True)) == [("missing", "trigger", "t")]


def test_views_unreadable_tables_and_tables_of_others() -> None:
    view = diff(schema(BOOK), schema(views=frozenset({"book"})))
    assert [(c.kind, c.attributes, c.harmless) for c in view] == [
        (ChangeKind.DIFFERENT, ("kind",), True)
    ]
    assert not view
    assert len(diff(schema(BOOK), schema(unreadable=frozenset({"book"})))) == 0
    assert kinds(diff(schema(), schema(BOOK))) == [("extra", "table", "book")]


def test_names_are_cut_at_the_bytes_of_the_server() -> None:
    expected = table("é" * 40, col("ü" * 40))
    live = table("é" * 31, col("ü" * 31))
    assert len(diff(schema(expected), schema(live))) == 0


def test_the_index_that_innodb_makes_for_a_foreign_key_is_not_extra() -> None:
    both = book(foreign_keys=(FK,), indexes=(index("price"),))
    assert not compare(book(foreign_keys=(FK,)), both, vendor="mysql")
    assert kinds(compare(book(foreign_keys=(FK,)), both)) == [("extra", "index", "ix")]


@pytest.mark.parametrize(
    ("collation", "opclass", "indexed", "extra"),
    [
        ("C", "varchar_pattern_ops", True, False),
        ("C", "varchar_pattern_ops", False, True),
        ("C", "", True, True),
        ("", "varchar_pattern_ops", True, True),
    ],
)
def test_the_index_for_like_of_a_collated_column_is_not_extra(
    collation: str, opclass: str, indexed: bool, extra: bool
) -> None:
    """Django makes it where the server calls the collation deterministic; state cannot know."""
    title = Column("title", "character varying(50)", False, collation=collation)
    plain = (Index("plain", (IndexKey(column="title", descending=True),)),) if indexed else ()
    like = Index("like", (IndexKey(column="title", opclass=opclass),))
    expected = replace(BOOK, columns=(ID, title), indexes=plain)
    live = replace(expected, indexes=(*plain, like))
    assert bool(compare(expected, live).extra) is extra
    assert compare(expected, live, exact=True).extra


def test_every_integer_type_is_alike_on_sqlite() -> None:
    live = book(columns=(ID, col("title", "text"), col("price", "bigint")))
    wanted = book(columns=(ID, col("title", "text"), col("price", "integer")))
    assert not list(compare(wanted, live, vendor="sqlite"))
    assert not list(compare(live, wanted, vendor="sqlite"))
    assert list(compare(live, wanted))
