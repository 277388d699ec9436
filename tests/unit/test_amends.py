"""What is put right after a way back, and what is only told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.core.amends import plan_amends, tell_apart
from migrator.core.schema import Check, Column, ForeignKey, Index, IndexKey, Schema, Table, Unique

A = Table("a", columns=(Column("id", "integer"), Column("x", "text")))
LOWER = Index(
    "a_lower",
    (IndexKey(expression="lower(x)"), IndexKey(column="id", descending=True, nulls_first=False)),
    unique=True,
    condition="id > 0",
    include=("x",),
)
LIKE = Index("a_like", (IndexKey(column="x", opclass="text_pattern_ops"),))
UNIQUE = Unique("a_x", ("x",), deferrable=True, initially_deferred=True)
KEY = ForeignKey("a_fk", ("id",), "b", ("id",), on_delete="CASCADE")
POSITIVE = Check("a_check", "(id > 0)", ("id",))


def schema(*tables: Table, vendor: str = "postgresql") -> Schema:
    return Schema(vendor=vendor, tables={table.key: table for table in tables})


def amends(before: Table, begun: Table | None, live: Table, vendor: str) -> list[str]:
    started = schema(*([begun] if begun else []), vendor=vendor)
    planned = plan_amends(schema(before, vendor=vendor), started, schema(live, vendor=vendor))
    return [amend.sql for amend in planned]


def test_what_is_missing_is_made_as_it_was() -> None:
    before = replace(
        A,
        indexes=(LOWER, LIKE),
        uniques=(UNIQUE,),
        foreign_keys=(KEY,),
        checks=(POSITIVE,),
    )
    assert amends(before, A, A, "postgresql") == [
        'ALTER TABLE "a" ADD CONSTRAINT "a_x" UNIQUE ("x") DEFERRABLE INITIALLY DEFERRED',
        'ALTER TABLE "a" ADD CONSTRAINT "a_check" CHECK ((id > 0))',
        (
            'CREATE UNIQUE INDEX "a_lower" ON "a" USING btree '
            '((lower(x)), "id" DESC NULLS LAST) INCLUDE ("x") WHERE id > 0'
        ),
        'CREATE INDEX "a_like" ON "a" USING btree ("x" text_pattern_ops)',
        (
            'ALTER TABLE "a" ADD CONSTRAINT "a_fk" FOREIGN KEY ("id") REFERENCES "b" ("id") '
            "ON DELETE CASCADE"
        ),
    ]


def test_each_vendor_in_its_own_words() -> None:
    prefixed = replace(A, indexes=(Index("a_i", (IndexKey(column="x", opclass="(10)"),)),))
    assert amends(prefixed, A, A, "mysql") == ["CREATE INDEX `a_i` ON `a` (`x`(10))"]
    words = replace(A, indexes=(Index("a_t", (IndexKey(column="x"),), method="fulltext"),))
    assert amends(words, A, A, "mysql") == ["CREATE FULLTEXT INDEX `a_t` ON `a` (`x`)"]
    unseen = replace(A, indexes=(replace(LIKE, ignored=True),))
    assert amends(unseen, A, A, "mysql") == []  # told, not made
    assert amends(prefixed, A, replace(A, indexes=()), "sqlite")
    assert amends(replace(A, checks=(POSITIVE,)), A, A, "sqlite") == []  # a table made anew


def test_another_name_is_put_right() -> None:
    before, live = (replace(A, uniques=(replace(UNIQUE, name=name),)) for name in ("old", "new"))
    assert amends(before, A, live, "postgresql") == [
        'ALTER TABLE "a" RENAME CONSTRAINT "new" TO "old"'
    ]
    before, live = (replace(A, indexes=(replace(LIKE, name=name),)) for name in ("old", "new"))
    assert amends(before, A, live, "mysql") == ["ALTER TABLE `a` RENAME INDEX `new` TO `old`"]


def test_only_what_the_way_back_itself_has_left_is_dropped() -> None:
    live = replace(A, indexes=(LIKE,))
    assert amends(A, A, live, "postgresql") == ['DROP INDEX "a_like"']
    assert amends(A, live, live, "postgresql") == []  # somebody has made it since the run
    assert amends(A, A, live, "mysql") == ["DROP INDEX `a_like` ON `a`"]


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_no_row_is_ever_touched(vendor: str) -> None:
    """Tables, columns and what stands on a column that is gone are left alone."""
    before = replace(A, columns=(*A.columns, Column("y", "text")))
    before = replace(before, indexes=(Index("a_y", (IndexKey(column="y"),)),))
    assert amends(before, before, A, vendor) == []
    wider = replace(A, columns=(Column("id", "bigint"), Column("x", "text")))
    assert amends(A, A, wider, vendor) == []
    both = plan_amends(schema(A, vendor=vendor), schema(A, vendor=vendor), schema(vendor=vendor))
    assert both == ()


def test_names_are_quoted() -> None:
    odd = replace(A, name='a"b', schema="s", indexes=(replace(LIKE, name='i"'),))
    bare = replace(odd, indexes=())
    assert amends(odd, bare, bare, "postgresql") == [
        'CREATE INDEX "i""" ON "s"."a""b" USING btree ("x" text_pattern_ops)'
    ]
    assert amends(bare, bare, odd, "postgresql") == ['DROP INDEX "s"."i"""']


def test_what_stays_another_is_told_by_its_name() -> None:
    def told(before: Table, after: Table) -> tuple[str, ...]:
        return tell_apart(schema(before), schema(after))

    assert told(A, A) == ()
    assert told(A, replace(A, columns=A.columns[::-1])) == ("the order of the columns of a",)
    assert told(A, replace(A, columns=A.columns[:1])) == ("column a.x is missing",)
    assert told(A, replace(A, indexes=(LIKE,))) == ("index a_like on a was not there",)
    assert told(replace(A, indexes=(LIKE,)), A) == ("index a_like on a is missing",)
    assert told(replace(A, checks=(POSITIVE,)), A) == ("check a_check on a is missing",)
    wider = replace(A, columns=(Column("id", "bigint"), Column("x", "text")))
    assert told(A, wider) == ("column a.id is another",)
    assert tell_apart(schema(A), schema()) == ("table a is missing",)
    assert tell_apart(schema(), schema(A)) == ("table a was not there",)


def test_a_check_that_a_column_holds_on_mariadb_is_not_made_one_of_the_table() -> None:
    """Django's next change of the column would leave it behind (auditlog.0002)."""
    held = replace(A, checks=(Check("x", "`x` >= 0", ("x",)),))
    returned = replace(A, checks=(Check("a_x_check", "`x` >= 0", ("x",)),))
    assert amends(held, A, returned, "mysql") == []
    assert amends(held, A, A, "mysql") == []
    assert amends(held, A, returned, "postgresql") == [
        'ALTER TABLE "a" RENAME CONSTRAINT "a_x_check" TO "x"'
    ]
