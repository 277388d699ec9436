"""SQL that would slip a loss past the gate, and SQL that only looks as if it did."""

from __future__ import annotations

import pytest

from migrator.core.lint import LintPolicy, lint
from migrator.core.live import MemoryFacts, NotNulls, Question, Replaced, TableSize
from migrator.core.plan import Operation, Plan, Statement, Step
from migrator.core.rules import Family, all_rules
from migrator.core.schema import Schema, Table, split_key
from migrator.sources.ddl import read_ddl
from tests.unit.test_gate_rules import KEY, LIVE, OperationEffect

RULES = [rule for rule in all_rules() if rule.family in (Family.DESTRUCTIVE, Family.DATA_LOSS)]
SIZES = {
    **dict.fromkeys(("order", "tag", 'public"."order', 'legacy"."t'), TableSize(3, 8192, False)),
    "empty": TableSize(0, 0, True),
}


def judged(sql: str, vendor: str, counts: dict[Question, int] | None = None) -> list[str]:
    """The codes of what one RunSQL, sent as one text, would lose."""
    tables = {key: Table(split_key(key)[1], each.columns) for key, each in LIVE.tables.items()}
    schema = Schema(vendor, tables)
    effect = OperationEffect(0, "Raw SQL operation", "RunSQL", unknown=True)
    operation = Operation(0, "RunSQL", "Raw SQL operation", effect, app="shop")
    step = Step(
        KEY, operations=(operation,), statements=(Statement(sql, 0, read_ddl(sql, vendor)),)
    )
    facts = MemoryFacts(SIZES, counts or {})
    found = lint(Plan("default", vendor, schema, steps=(step,)), facts, LintPolicy(), rules=RULES)
    return [finding.code for finding in found if finding.destroys]


LOSING = {
    "postgresql": (
        "WITH gone AS (DELETE FROM tag RETURNING *) SELECT count(*) FROM gone",
        "DELETE FROM tag USING empty",
        "DELETE FROM tag WHERE true OR NOT false",
        "DELETE FROM tag WHERE 1 = 1",
        "EXPLAIN ANALYZE DELETE FROM tag",
        "COPY (DELETE FROM tag RETURNING *) TO STDOUT",
        "PREPARE p AS DELETE FROM tag; EXECUTE p",
        "DO $$ BEGIN DELETE FROM tag; END $$",
        "DO $$ BEGIN DROP/**/TABLE tag; END $$",
        "DO $$ BEGIN EXECUTE format('DROP %s tag', 'TABLE'); END $$",
        'DO $$ BEGIN ALTER TABLE "order" DROP note; END $$',
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'TRUNCATE tag'; SELECT f()",
        "CREATE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM tag'; CALL p()",
        "-- nothing\n/* ; */ SELECT ';', $$;$$; DROP TABLE tag -- end",
        "ALTER TABLE tag RENAME TO zz; DROP TABLE zz",
        "ALTER TABLE public.order RENAME TO zz; DROP TABLE zz",
        "ALTER TABLE tag RENAME TO zz; DROP TABLE public.zz",
        "ALTER TABLE tag SET SCHEMA legacy; DROP TABLE legacy.tag",
        'ALTER TABLE "order" RENAME note TO nn; ALTER TABLE "order" DROP nn',
        'ALTER TABLE public.order RENAME note TO nn; ALTER TABLE "order" DROP nn',
        "CREATE TABLE IF NOT EXISTS tag (id int); DROP TABLE tag",
        "CREATE TABLE IF NOT EXISTS legacy.t (id int); DROP TABLE legacy.t",
        'ALTER TABLE "order" ADD COLUMN IF NOT EXISTS note text; ALTER TABLE "order" DROP note',
        'ALTER TABLE "order" DROP note, ADD note text',
        "SET search_path TO legacy; DROP TABLE t",
        "SELECT set_config('search_path', 'legacy', true); TRUNCATE t",
        "ALTER SCHEMA legacy RENAME TO old; DROP TABLE old.t",
        'ALTER TABLE "order" ALTER note TYPE text USING NULL',
        "ALTER TABLE \"order\" ALTER note TYPE text USING 'note'",
        'ALTER TABLE "order" ALTER note TYPE text USING left(note, 3)',
        'ALTER TABLE "order" ALTER note TYPE text USING note::varchar(3)',
        'ALTER TABLE "order" ALTER note TYPE text USING code',
        'ALTER TABLE "order" ALTER amount TYPE bigint USING 0',
    ),
    "mysql": (
        "CREATE OR REPLACE TABLE tag (id int)",
        "DELETE FROM tag WHERE 1=1",
        "DELETE tag FROM tag JOIN empty",
        "DELETE t FROM tag AS t LEFT JOIN empty ON empty.id = t.id",
        "ALTER TABLE tag DISCARD TABLESPACE",
        "ALTER TABLE tag TRUNCATE PARTITION p0",
        "EXECUTE IMMEDIATE 'DROP TABLE tag'",
        "RENAME TABLE tag TO other.zz; DROP TABLE zz",
        "USE other; DROP TABLE t",
        "ALTER TABLE `order` ADD COLUMN IF NOT EXISTS note text; ALTER TABLE `order` DROP note",
        "ALTER TABLE `order` MODIFY note int GENERATED ALWAYS AS (1) STORED",
    ),
    "sqlite": (
        "DELETE FROM tag WHERE 1=1",
        "DELETE FROM main.tag WHERE NOT 0",
        "ALTER TABLE tag RENAME TO zz; DROP TABLE ZZ",
        "CREATE TABLE zz AS SELECT 1; INSERT INTO zz SELECT 1 FROM tag; DROP TABLE tag",
        "CREATE TABLE new__x AS SELECT 1; DROP TABLE tag; ALTER TABLE new__x RENAME TO tag",
    ),
}


@pytest.mark.parametrize(
    ("vendor", "sql"), [(vendor, sql) for vendor, texts in LOSING.items() for sql in texts]
)
def test_no_spelling_slips_a_loss_past_the_gate(vendor: str, sql: str) -> None:
    assert judged(sql, vendor), sql


SPARED = {
    "postgresql": (
        "DO $$ BEGIN ALTER TABLE tag DROP CONSTRAINT IF EXISTS c; DROP INDEX IF EXISTS i; END $$",
        "DO $$ BEGIN DELETE FROM tag WHERE id = 3; END $$",
        "DO $$ BEGIN /* DROP TABLE tag */ PERFORM 1; END $$",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM tag; END'",
        "CREATE TEMP TABLE tag (id int); DROP TABLE tag",
        "CREATE TABLE public.fresh AS SELECT 1 AS a; TRUNCATE fresh; DROP TABLE public.fresh",
        'ALTER TABLE "order" ALTER note TYPE text USING "note"::text',
        'ALTER TABLE "order" ALTER COLUMN note TYPE varchar USING note',
        (
            'ALTER TABLE "order" ADD x text; ALTER TABLE "order" RENAME x TO y;'
            ' ALTER TABLE "order" DROP y'
        ),
        "SET search_path TO public; DROP TABLE empty",
        "INSERT INTO tag (id) VALUES (4) -- DROP TABLE tag",
        "COMMENT ON TABLE tag IS 'TRUNCATE'",
    ),
    "mysql": (
        "CREATE OR REPLACE TABLE empty (id int)",
        "CREATE OR REPLACE TABLE fresh (id int)",
        "CREATE TEMPORARY TABLE tt AS SELECT * FROM tag; DROP TEMPORARY TABLE tt",
        "SELECT 'DROP TABLE tag'",
    ),
    "sqlite": ("CREATE TABLE zz (id); INSERT INTO zz SELECT id FROM tag; DROP TABLE zz",),
}


@pytest.mark.parametrize(
    ("vendor", "sql"), [(vendor, sql) for vendor, texts in SPARED.items() for sql in texts]
)
def test_what_loses_nothing_is_let_through(vendor: str, sql: str) -> None:
    assert judged(sql, vendor) == [], sql


def test_dl106_an_expression_that_hands_no_value_on() -> None:
    replaced = 'ALTER TABLE "order" ALTER note TYPE text USING %s'
    assert judged(replaced % "NULL", "postgresql", {NotNulls("order", "note"): 2}) == ["DL106"]
    assert judged(replaced % "NULL", "postgresql", {NotNulls("order", "note"): 0}) == []
    asked = Replaced("order", "note", "text", "lower(note)")
    assert judged(replaced % "lower(note)", "postgresql", {asked: 1}) == ["DL106"]
    assert judged(replaced % "lower(note)", "postgresql", {asked: 0}) == []
    # To a type of another kind, only what becomes NULL is known to be gone.
    array = "ALTER TABLE \"order\" ALTER note TYPE text[] USING string_to_array(note, ',')"
    asked = Replaced("order", "note", "text[]", "string_to_array(note, ',')", compared=False)
    assert judged(array, "postgresql", {asked: 0}) == []
    computed = "ALTER TABLE `order` MODIFY twice int GENERATED ALWAYS AS (1) STORED"
    assert judged(computed, "mysql") == []  # it was computed before
