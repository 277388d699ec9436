"""What a migration sent, as the report shows it."""

from __future__ import annotations

import pytest

from migrator.core import events as ev
from migrator.executor.recorder import MOST_STATEMENTS, StatementRecorder
from tests.unit.report_events import key


def recorded(*statements: str, fails: bool = False) -> tuple[str, ...]:
    events: list[ev.Event] = []
    recorder = StatementRecorder(events.append)
    recorder.emit(ev.MigrationStarted("a", key("a.0001_x"), 1, 1, 1))

    def execute(*_: object) -> None:
        if fails:
            raise ValueError("no")

    for sql in statements:
        try:
            recorder(execute, sql, ("secret",), False, {})
        except ValueError:
            assert fails
    recorder.emit(ev.MigrationApplied("a", key("a.0001_x"), 0.1))
    applied = events[-1]
    assert isinstance(applied, ev.MigrationApplied)
    return applied.sql


def test_what_changes_something_is_recorded_and_what_reads_is_not() -> None:
    assert recorded(
        "SELECT 1",
        'ALTER TABLE "t" ADD COLUMN "c" int;',
        "SAVEPOINT s",
        "SET LOCAL lock_timeout = '3s'",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "SHOW server_version",
        'INSERT INTO "django_migrations" ("app") VALUES (%s)',
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "WITH x AS (SELECT 1) UPDATE t SET c = 1",
    ) == ('ALTER TABLE "t" ADD COLUMN "c" int;', "WITH x AS (SELECT 1) UPDATE t SET c = 1;")


def test_equal_statements_in_a_row_are_one_and_many_are_counted() -> None:
    assert recorded(*["INSERT INTO t VALUES (%s)"] * 3) == (
        "INSERT INTO t VALUES (%s);  -- 3 times",
    )
    many = recorded(*(f"UPDATE t SET c = {n}" for n in range(MOST_STATEMENTS + 5)))
    assert len(many) == MOST_STATEMENTS + 1
    assert many[-1] == "-- and 5 statements more"


def test_what_failed_was_not_done() -> None:
    assert recorded("DROP TABLE t", fails=True) == ()


@pytest.mark.parametrize(
    "sql", ["CREATE ROLE a PASSWORD 'hunter2'", "CREATE USER a IDENTIFIED BY 'hunter2'"]
)
def test_no_password_gets_into_a_report(sql: str) -> None:
    assert "hunter2" not in "".join(recorded(sql))
