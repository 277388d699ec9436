"""Expressions by what they mean: the same in a server's words, or certainly another."""

from __future__ import annotations

import pytest

from migrator.core.schema import Column, Table
from migrator.sources.meaning import differ

TABLE = Table("t", (Column("title", "text", nullable=False), Column("pages", "integer")))

# vendor, what Django writes, what the server shows
SAME = [
    ("postgresql", '"value" >= 0', "(value >= (0)::numeric)"),
    (
        "postgresql",
        "\"status\" IN ('new', 'old')",
        "((status)::text = ANY ((ARRAY['old'::varchar, 'new'::character varying])::text[]))",
    ),
    ("postgresql", 'NOT ("a" IN (1, 2))', "(a <> ALL (ARRAY[1, 2]))"),
    ("postgresql", 'NOT ("title" = \'\' AND "title" IS NOT NULL)', "((title)::text <> ''::text)"),
    ("postgresql", "\"name\"::text LIKE 'a%'", "((name)::text ~~ 'a%'::text)"),
    ("postgresql", '"a" BETWEEN 1 AND 9', "((a >= 1) AND (a <= 9))"),
    ("postgresql", '("width" * 2)', "(width * 2)"),
    ("postgresql", "'new'", "'new'::character varying"),
    ("postgresql", "-1", "'-1'::integer"),
    ("mysql", "NOT (`title` = '')", "`title` <> ''"),
    ("mysql", "(`value` >= 0 AND `width` < 9)", "`value` >= 0 and `width` < 9"),
    ("sqlite", '("value" >= 0 AND "width" < 9)', '"value" >= \'0\' AND "width" < 9'),
]
OTHER = [
    ("postgresql", '"value" >= 0', "(value > (0)::numeric)"),
    ("postgresql", '"value" >= 0', "((value >= (0)::numeric) OR (value IS NULL))"),
    ("postgresql", '"pages" > 500', "(pages > 50)"),
    ("postgresql", '"pages" > 500', "(pages IS NULL)"),
    ("postgresql", "'new'", "'old'::character varying"),
    ("mysql", "`status` IN ('new', 'old')", "`status` in ('new','old','lent')"),
    ("sqlite", '"a" AND "b"', '"a" OR "b"'),
    ("postgresql", '("width" * 2)', "(width * 3)"),
]
UNKNOWN = [
    ("postgresql", "STATEMENT_TIMESTAMP()", "now()"),
    (
        "postgresql",
        "\"at\" > '2020-01-01'",
        "(at > '2019-12-31 00:00:00+01'::timestamp with time zone)",
    ),
    ("postgresql", "\"data\" -> 'a' = '1'", "((data -> 'b'::text) = '1'::jsonb)"),
    ("mysql", "JSON_VALID(`a`)", "json_valid(`b`)"),
    ("sqlite", "((", '"a"'),
]


@pytest.mark.parametrize(("vendor", "expected", "live"), SAME)
def test_the_server_has_words_of_its_own(vendor: str, expected: str, live: str) -> None:
    assert not differ(vendor, expected, live, TABLE)


@pytest.mark.parametrize(("vendor", "expected", "live"), OTHER)
def test_what_means_something_else_differs(vendor: str, expected: str, live: str) -> None:
    assert differ(vendor, expected, live, TABLE)


@pytest.mark.parametrize(("vendor", "expected", "live"), UNKNOWN)
def test_what_is_not_understood_is_never_a_difference(
    vendor: str, expected: str, live: str
) -> None:
    assert not differ(vendor, expected, live, TABLE)
