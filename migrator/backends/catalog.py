"""How every vendor reads its catalog: bulk queries from sql/*.sql, and errors as one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from migrator.backends.base import HistoryRow
from migrator.core.effects import MigrationKey
from migrator.exceptions import DatabaseUnreachable, InspectionError

HISTORY_TABLE = "django_migrations"
HISTORY_COLUMNS = ("id", "app", "name", "applied")

Row = Mapping[str, Any]


@cache
def load_sql(name: str) -> str:
    """The query of sql/<name>.sql; read once per process."""
    return resources.files("migrator.backends").joinpath("sql", f"{name}.sql").read_text("utf-8")


def fetch(
    connection: BaseDatabaseWrapper, name: str, params: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows of a named query, by column name in lower case (MySQL 8 shouts them)."""
    with connection.cursor() as cursor:
        cursor.execute(load_sql(name), params)
        columns = [description[0].lower() for description in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def fetch_rows(
    connection: BaseDatabaseWrapper, name: str, params: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """The rows of a named query, in the order of its columns: for those that are many."""
    with connection.cursor() as cursor:
        cursor.execute(load_sql(name), params)
        return list(cursor.fetchall())


def fetch_row(
    connection: BaseDatabaseWrapper, sql: str, params: Mapping[str, Any] | None = None
) -> tuple[Any, ...]:
    """The only row of a short statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return tuple(cursor.fetchone() or ())


def grouped(rows: list[dict[str, Any]], key: str) -> dict[Any, list[dict[str, Any]]]:
    """Rows by the value of one column, in their order."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


# What follows is the driver's own advice (libpq asks whether the server runs); the hint is ours.
_ADVICE = re.compile(r"\n(?:(?:DETAIL|CONTEXT|HINT|LINE \d+):|\s*Is the server running)")


def reason(connection: BaseDatabaseWrapper, error: BaseException) -> str:
    """What a driver said, on one line, without the password of this database.

    Drivers do not print passwords of their own accord, but a malformed setting is quoted.
    """
    parts = error.args if len(error.args) > 1 else (str(error),)
    said = _ADVICE.split(str(parts[-1]))[0]
    text = re.sub(r"\s+", " ", said).strip().rstrip(".")
    password = str(connection.settings_dict.get("PASSWORD") or "")
    if len(password) > 2:
        text = text.replace(password, "********")
    return text or type(error).__name__


@dataclass(frozen=True, slots=True)
class Symptom:
    """What a driver says when it cannot connect, and what that means.

    Attributes:
        pattern: Found in the driver's words.
        what: The rest of the sentence "Database 'x' (where) …"; `{reason}`, `{user}` and
            `{name}` are filled in.
        hint: What to do next.
    """

    pattern: re.Pattern[str]
    what: str
    hint: str


_NO_ANSWER = Symptom(
    re.compile(""),
    "does not answer: {reason}",
    "Check HOST and PORT of this alias in DATABASES, and that the server runs.",
)


def unreachable(
    connection: BaseDatabaseWrapper,
    error: BaseException,
    symptoms: Sequence[Symptom],
    *,
    product: str,
) -> DatabaseUnreachable:
    """The error for a database that cannot be connected to; the caller raises it.

    Args:
        connection: Its wrapper.
        error: What the driver raised.
        symptoms: What its vendor's driver may say; the first that fits counts.
        product: What is at the other end, for the message (Django's own `display_name` asks
            the server which of MySQL and MariaDB it is, and so would connect once more).
    """
    settings = connection.settings_dict
    text = reason(connection, error)
    found = next((item for item in symptoms if item.pattern.search(text)), _NO_ANSWER)
    what = found.what.format(
        reason=text, user=settings.get("USER") or "", name=settings.get("NAME") or ""
    )
    return DatabaseUnreachable(
        f"Database {connection.alias!r} ({product} on {server_of(connection)}) {what}.",
        hint=found.hint,
    )


def server_of(connection: BaseDatabaseWrapper) -> str:
    """Where the server of a database is, as its settings have it: "db.internal:5432"."""
    settings = connection.settings_dict
    host = str(settings.get("HOST") or "")
    port = f":{settings['PORT']}" if settings.get("PORT") else ""
    return f"{host}{port}" if host and not host.startswith("/") else "the local socket"


@contextmanager
def inspecting(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Turn what the driver raises into an InspectionError that names the alias."""
    try:
        yield
    except Error as error:
        raise InspectionError(
            f"The catalog of database {connection.alias!r} could not be read: "
            f"{reason(connection, error)}.",
            hint="If somebody is changing this database at the moment, try again after that.",
        ) from error


@contextmanager
def every_session(
    connection: BaseDatabaseWrapper,
    begin: Callable[[], None],
    end: Callable[[], None],
) -> Iterator[None]:
    """Run `begin` on the open session and on each that this wrapper opens meanwhile; at the
    end run `end`, unless the connection is gone by then.
    """

    if connection.connection is not None:
        begin()
    try:
        with every_new_session(connection, begin):
            yield
    finally:
        if connection.connection is not None:
            with suppress(Error):
                end()


@contextmanager
def every_new_session(connection: BaseDatabaseWrapper, begin: Callable[[], None]) -> Iterator[None]:
    """Run `begin` on each session that this wrapper opens meanwhile."""

    def opened(**kwargs: Any) -> None:
        if kwargs.get("connection") is connection:
            begin()

    connection_created.connect(opened, weak=False)
    try:
        yield
    finally:
        connection_created.disconnect(opened)


def fetch_history(connection: BaseDatabaseWrapper, columns: list[str]) -> tuple[HistoryRow, ...]:
    """The rows of the recorder's table, given the columns that it has.

    Raises:
        InspectionError: It lacks a column that Django needs, or cannot be read.
    """
    missing = [name for name in HISTORY_COLUMNS if name not in columns]
    if missing:
        raise InspectionError(
            f"Table {HISTORY_TABLE} of database {connection.alias!r} has no column "
            + " and no column ".join(repr(name) for name in missing)
            + ".",
            hint="Compare it with the table that Django's own migrate creates in an empty "
            "database, and add what is missing.",
        )
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in HISTORY_COLUMNS[1:])
    with inspecting(connection), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {names} FROM {quote(HISTORY_TABLE)} ORDER BY {quote(HISTORY_COLUMNS[0])}"
        )
        return tuple(
            HistoryRow(MigrationKey(app, name), _aware(connection, applied))
            for app, name, applied in cursor.fetchall()
        )


def _aware(connection: BaseDatabaseWrapper, value: Any) -> datetime | None:
    """A time with its zone: vendors without zones store UTC, or local time without USE_TZ."""
    if isinstance(value, str):  # SQLite, where the column was declared otherwise
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=connection.timezone or UTC)
