"""A sample of the statements that `python -m tests.ddl` measures; all of them when slow."""

from __future__ import annotations

from typing import Any

import pytest

from migrator.sources.functions_postgresql import STEADY
from tests.ddl import mysql, mysql_cases, postgresql, postgresql_cases, sqlite, sqlite_cases
from tests.ddl.report import go_through
from tests.servers import MySQLServer, PostgresServer


def every(cases: tuple[Any, ...], step: int) -> tuple[Any, ...]:
    """Every so manieth; none that has to be watched from other sessions."""
    return tuple(case for case in cases[::step] if not case.apart)


def test_what_is_said_of_postgresql_is_what_it_does(
    postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = every(postgresql_cases.CASES, 4)
    wrong = go_through(postgresql.Arena(postgres), cases, measure=False, only="")
    assert not wrong, capsys.readouterr().out


def test_what_is_said_of_mysql_is_what_it_does(
    mysql: MySQLServer, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = every(mysql_cases.CASES, 12)
    wrong = go_through(_mysql(mysql), cases, measure=False, only="")
    assert not wrong, capsys.readouterr().out


def test_what_is_said_of_sqlite_is_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = go_through(sqlite.Arena(), sqlite_cases.CASES, measure=False, only="")
    assert not wrong, capsys.readouterr().out


def test_no_function_that_counts_as_steady_is_volatile(postgres: PostgresServer) -> None:
    with postgres.connect() as connection:
        rows = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
            " AND provolatile = 'v' AND prorettype <> 'trigger'::regtype AND proname = ANY (%s)",
            (sorted(STEADY),),
        ).fetchall()
    assert rows == []


@pytest.mark.slow
def test_all_that_is_said_of_postgresql(
    postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    arena = postgresql.Arena(postgres)
    wrong = go_through(arena, postgresql_cases.CASES, measure=False, only="")
    assert not wrong, capsys.readouterr().out


@pytest.mark.slow
def test_all_that_is_said_of_mysql(mysql: MySQLServer, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = go_through(_mysql(mysql), mysql_cases.CASES, measure=False, only="")
    assert not wrong, capsys.readouterr().out


def _mysql(server: MySQLServer) -> mysql.Arena:
    arena = mysql.Arena(server)
    if arena.product != "MariaDB":
        arena.close()
        pytest.skip("what is said of MySQL is from its manual")
    return arena
