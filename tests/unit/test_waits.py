"""What a driver's error stands for, and how somebody in the way is described. No database."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import pytest
from django.db import OperationalError

from migrator.backends import Session, backend_for
from migrator.backends.waits import QUERY_LENGTH, Trouble, describe_blocker
from migrator.core.limits import Limits
from migrator.executor.patience import JITTER, LONGEST_PAUSE, PAUSE


class Answered(Exception):
    """A driver's error with a code."""

    def __init__(self, *args: object, **codes: object) -> None:
        super().__init__(*args)
        self.__dict__.update(codes)


def wrapped(cause: BaseException) -> OperationalError:
    """As Django wraps a driver's error, and code of a migration may wrap Django's."""
    error = OperationalError("wrapped")
    error.__cause__ = cause
    return error


def again(error: BaseException) -> RuntimeError:
    outer = RuntimeError("it did not work")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("vendor", "cause", "trouble"),
    [
        ("postgresql", Answered(sqlstate="55P03"), Trouble.LOCK),
        ("postgresql", Answered(sqlstate="40P01"), Trouble.DEADLOCK),
        ("postgresql", Answered(sqlstate="40001"), Trouble.SERIALIZATION),
        ("postgresql", Answered(sqlstate="57014"), Trouble.STATEMENT),
        ("postgresql", Answered(sqlstate="42P01"), None),
        ("postgresql", Answered("server closed the connection", sqlstate=None), None),
        ("mysql", Answered(1205, "Lock wait timeout exceeded"), Trouble.LOCK),
        ("mysql", Answered(1213, "Deadlock found"), Trouble.DEADLOCK),
        ("mysql", Answered(1969, "Query execution was interrupted"), Trouble.STATEMENT),
        ("mysql", Answered(1146, "no such table"), None),
        ("mysql", Answered(), None),
        ("sqlite", Answered(sqlite_errorcode=sqlite3.SQLITE_BUSY), Trouble.LOCK),
        ("sqlite", Answered(sqlite_errorcode=sqlite3.SQLITE_BUSY_SNAPSHOT), Trouble.LOCK),
        ("sqlite", Answered(sqlite_errorcode=sqlite3.SQLITE_LOCKED_SHAREDCACHE), Trouble.LOCK),
        ("sqlite", Answered(sqlite_errorcode=sqlite3.SQLITE_LOCKED), None),
        ("sqlite", Answered(sqlite_errorcode=sqlite3.SQLITE_CONSTRAINT), None),
    ],
)
def test_errors(vendor: str, cause: BaseException, trouble: Trouble | None) -> None:
    waits = backend_for(vendor).waits
    assert waits.trouble(wrapped(cause)) is trouble
    assert waits.trouble(again(wrapped(cause))) is trouble


def test_a_statement_that_took_too_long_is_no_reason_to_try_again() -> None:
    assert [trouble for trouble in Trouble if not trouble.passes] == [Trouble.STATEMENT]


@pytest.mark.parametrize(
    ("sql", "harmless"),
    [
        ('CREATE INDEX CONCURRENTLY "a" ON "t" ("b")', True),
        ("drop index concurrently if exists a", True),
        ("REINDEX INDEX CONCURRENTLY a", True),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", True),
        ("ALTER TABLE t ADD COLUMN c integer", False),
        ("CREATE INDEX a ON t (b)", False),
    ],
)
def test_what_may_wait_as_long_as_it_takes(sql: str, harmless: bool) -> None:
    assert backend_for("postgresql").waits.waits_harmlessly(sql) is harmless
    assert not backend_for("mysql").waits.waits_harmlessly(sql)


def test_somebody_in_the_way_in_one_line_without_credentials() -> None:
    since = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    session = Session(
        4711,
        application="psql",
        user="ana",
        client="10.0.3.7",
        since=since,
        state="idle in transaction",
        query="ALTER ROLE app\n  PASSWORD 'hunter2'" + " -- x" * 100,
    )
    line = describe_blocker(session)
    head, _, query = line.partition("idle in transaction: ")
    assert head == ("session 4711, psql, user ana, from 10.0.3.7, since 2026-03-01 12:00:00 UTC, ")
    assert query.startswith("ALTER ROLE app PASSWORD ***")
    assert len(query) == QUERY_LENGTH
    assert "\n" not in line
    assert describe_blocker(Session(7)) == "session 7"


def test_a_password_that_is_cut_in_two_is_hidden_too() -> None:
    query = "SELECT " + "x" * (QUERY_LENGTH - 20) + " password = 'hunter2-and-more'"
    assert "hunter" not in describe_blocker(Session(7, query=query))
    assert "hunter" not in describe_blocker(Session(7, query="x" * 315 + " password='hunter2'"))


def test_limits() -> None:
    assert Limits(retries=10).attempts == 11
    assert Limits().attempts == 1
    assert 0 < PAUSE + JITTER < LONGEST_PAUSE
