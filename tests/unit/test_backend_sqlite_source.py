"""What the reader of SQLite's own CREATE statements understands."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.backends.sqlite_source import KeySource, TableSource, read_index, read_table


def checks(source: TableSource) -> list[tuple[str, str]]:
    return [(check.name, check.expression) for check in source.checks]


def test_a_table_as_django_writes_it() -> None:
    source = read_table(
        'CREATE TABLE "shop_item" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, '
        '"name" varchar(20) NOT NULL UNIQUE COLLATE NOCASE, '
        '"stock" integer unsigned NOT NULL CHECK ("stock" >= 0), '
        '"data" text NOT NULL CHECK ((JSON_VALID("data") OR "data" IS NULL)), '
        '"owner_id" bigint NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED, '
        '"twice" integer GENERATED ALWAYS AS ("stock" * 2) STORED, '
        'CONSTRAINT "positive" CHECK ("stock" > 0 AND "name" <> \')\'), '
        'CONSTRAINT "once" UNIQUE ("name", "owner_id"))'
    )
    assert source.autoincrement
    assert source.collations == {"name": "NOCASE"}
    assert source.generated == {"twice": '"stock" * 2'}
    assert checks(source) == [
        ("", '"stock" >= 0'),
        ("", '(JSON_VALID("data") OR "data" IS NULL)'),
        ("positive", '"stock" > 0 AND "name" <> \')\''),
    ]
    assert source.checks[2].words >= {"stock", "name"}
    assert source.uniques == [
        KeySource("", ("name",)),
        KeySource("once", ("name", "owner_id")),
    ]
    assert source.foreign_keys == [KeySource("", ("owner_id",), True, True)]


def test_a_table_as_people_write_it() -> None:
    source = read_table(
        """create table if not exists main.[odd one] ( -- a comment, with (parentheses
            `a b` double precision default -1.5 constraint nn not null on conflict ignore,
            c text default (lower('X,Y')) collate binary /* , */ constraint ck check (c <> ''),
            d decimal(10, 2) default 'it''s, fine',
            e integer constraint own references other on delete set null on update cascade
                match simple not deferrable initially immediate,
            f as (e + 1) virtual,
            constraint pk primary key (`a b` desc, c) on conflict abort
            constraint fk foreign key (c, d) references other (x, y)
                on delete no action deferrable initially deferred
            check (d > 1)
        ) without rowid, strict"""
    )
    assert source.primary_key == "pk"
    assert not source.autoincrement
    assert source.collations == {"c": "binary"}
    assert source.generated == {"f": "e + 1"}
    assert checks(source) == [("ck", "c <> ''"), ("", "d > 1")]
    assert source.foreign_keys == [
        KeySource("own", ("e",)),
        KeySource("fk", ("c", "d"), True, True),
    ]


def test_a_column_may_be_called_like_a_keyword() -> None:
    source = read_table('CREATE TABLE t ("check" integer, "unique" text CHECK ("unique" > 1))')
    assert checks(source) == [("", '"unique" > 1')]
    assert source.uniques == []


@pytest.mark.parametrize(
    ("sql", "keys", "condition"),
    [
        ("CREATE INDEX i ON t (a, b DESC)", ("a", "b"), ""),
        ('CREATE UNIQUE INDEX "i (x)" ON "t" ("a" COLLATE NOCASE DESC)', ('"a"',), ""),
        (
            "CREATE INDEX i ON t (lower(a), (b + c) desc) WHERE a > 1 AND b IN (1, 2)",
            ("lower(a)", "(b + c)"),
            "a > 1 AND b IN (1, 2)",
        ),
    ],
)
def test_indexes(sql: str, keys: tuple[str, ...], condition: str) -> None:
    source = read_index(sql)
    assert (source.keys, source.condition) == (keys, condition)


@given(st.text(alphabet="abc ()[]'\"`,-*/\nCHECKUNIQ", max_size=80))
def test_nothing_makes_the_reader_raise(text: str) -> None:
    for sql in (text, f"CREATE TABLE t ({text})", f"CREATE TABLE t (a {text}", text + "REFERENCES"):
        read_table(sql)
        read_index(sql)


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


@given(name=names, column=names, constraint=names)
def test_any_name_is_read_as_sqlite_reads_it(name: str, column: str, constraint: str) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    sql = (
        f"CREATE TABLE {quoted('t' + name)} ({quoted(column)} text, "
        f"CONSTRAINT {quoted(constraint)} UNIQUE ({quoted(column)}))"
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(sql)
        ((stored,),) = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table'")
    assert read_table(stored).uniques == [KeySource(constraint, (column,))]
