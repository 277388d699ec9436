"""The one shape of a schema: what is written is read back, and the same gives the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from migrator.core.schema import (
    Check,
    Exclusion,
    Extra,
    ForeignKey,
    Schema,
    Sequence,
    Trigger,
    Unique,
    split_key,
    table_key,
)
from tests.unit.core_chains import col, index, schema, table

FULL = Schema(
    "postgresql",
    {
        "book": table(
            "book",
            col("title", "text", default="'x'", collation="C"),
            col("size", generated="length(title)", stored=True),
            uniques=(Unique("u", ("title",), nulls_distinct=False),),
            foreign_keys=(ForeignKey("fk", ("size",), "tag", ("id",), deferrable=True),),
            checks=(Check("c", "size > 0", ("size",), valid=False),),
            exclusions=(Exclusion("e", "EXCLUDE USING gist (size WITH =)"),),
            indexes=(index("title", include=("size",), condition="size > 1"),),
            triggers=(Trigger("t", "CREATE TRIGGER t", enabled=False),),
            model="shop.book",
        ),
        'library"."shelf': table("shelf", schema="library"),
    },
    views=frozenset({"v", "w"}),
    sequences=(Sequence("s", "book", "id", 7),),
    extras=(Extra("enum", "mood", "('a','b')"),),
    unreadable=frozenset({"secret"}),
)


def test_a_schema_is_read_back_as_it_was_written() -> None:
    assert Schema.from_dict(json.loads(json.dumps(FULL.to_dict()))) == FULL


def test_the_fingerprint_is_of_the_content() -> None:
    turned = replace(FULL, tables=dict(reversed(FULL.tables.items())))
    assert turned.fingerprint() == FULL.fingerprint()
    assert schema(table("a")).fingerprint() != schema(table("a", col("b"))).fingerprint()


def test_the_fingerprint_does_not_move_with_every_insert() -> None:
    moved = replace(FULL, sequences=(replace(FULL.sequences[0], last_value=8),))
    assert moved.fingerprint() == FULL.fingerprint()


@pytest.mark.parametrize("data", [{}, {"vendor": "sqlite", "tables": {"t": {"name": "t"}}}])
def test_what_is_not_a_schema_is_refused(data) -> None:
    with pytest.raises((KeyError, TypeError)):
        Schema.from_dict(data)


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("book", ("", "book")),
        ('library"."book', ("library", "book")),
        ('"library"."book"', ("library", "book")),
    ],
)
def test_keys_of_tables(key: str, parts: tuple[str, str]) -> None:
    assert split_key(key) == parts
    assert table_key(*parts) == key.strip('"')


def test_a_table_knows_its_key_and_its_columns() -> None:
    shelf = FULL.tables['library"."shelf']
    assert shelf.key == 'library"."shelf'
    assert shelf.column("id") is not None
    assert shelf.column("none") is None
