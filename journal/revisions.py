"""Which schema a journal has, and bringing it to the one that this code knows.

Alembic is only imported when there is something to do: opening a journal stays quick.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from journal import failures
from journal.exceptions import JournalNewer, JournalUnreachable
from journal.tables import metadata

VERSION_TABLE = "journal_version"
REVISIONS = ("0001",)
"""Every revision that this code knows, oldest first; a test keeps it equal to alembic's."""

# Any two numbers that nobody else is likely to use; advisory locks are per database.
_LOCK_CLASS = 0x4A524E4C  # "JRNL"
_UPGRADE, _OPENING = 1, 2

_alembic = threading.Lock()  # its context is global to the process


def current_revision(connection: Connection) -> str:
    """The revision of a journal; "" where there is none yet.

    Raises:
        JournalNewer: It was written by code newer than this.
        JournalCorrupt: Something else is there.
    """
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables:
        _assert_only_ours(connection, tables)
        return ""
    rows = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()
    if not rows:
        return ""  # alembic creates its table first
    unknown = [row for row in rows if row not in REVISIONS]
    if unknown:
        raise JournalNewer(
            f"The journal {where(connection.engine)} was written by a newer version "
            f"(its schema is {unknown[0]!r}, this code knows up to {REVISIONS[-1]!r}).",
            hint="Upgrade django-migrator-journal here, or name another journal.",
        )
    _assert_only_ours(connection, tables - set(metadata.tables))
    return str(rows[0])


def assert_readable(connection: Connection) -> None:
    """Refuse a journal whose schema this code cannot read without upgrading it.

    Raises:
        JournalUnreachable: There is none yet, or it is older than this code.
        JournalNewer, JournalCorrupt: See `current_revision`.
    """
    revision = current_revision(connection)
    if revision == REVISIONS[-1]:
        return
    name = where(connection.engine)
    if not revision:
        raise JournalUnreachable(
            f"There is no journal in {name} yet.", hint="The first run creates it."
        )
    raise JournalUnreachable(
        f"The journal {name} was written by an older version (its schema is {revision!r}).",
        hint="The next run upgrades it.",
    )


def upgrade(connection: Connection) -> None:
    """Bring a journal to the newest revision, inside the transaction of the connection.

    Args:
        connection: In a transaction that may write; the caller commits.

    Raises:
        JournalNewer, JournalCorrupt: See `current_revision`.
    """
    lock_upgrade(connection)
    if current_revision(connection) == REVISIONS[-1]:
        return  # somebody else did it while we waited for the lock
    if logging.getLogger("alembic").level == logging.NOTSET:
        # It tells of its plugins and of each upgrade, in the log of whoever uses the journal.
        logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    with _alembic:
        command.upgrade(config, "head")


def lock_upgrade(connection: Connection) -> None:
    """Let nobody else upgrade until the transaction ends. On SQLite BEGIN IMMEDIATE has."""
    _advisory_lock(connection, _UPGRADE)


def lock_opening(connection: Connection) -> None:
    """Let nobody else open a run until the transaction ends: ids go up, one by one."""
    _advisory_lock(connection, _OPENING)


def where(engine: Engine) -> str:
    """Name a journal without its credentials."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.render_as_string(hide_password=True)


def _assert_only_ours(connection: Connection, tables: set[str]) -> None:
    """Refuse to write between somebody else's tables.

    On a server a journal may live beside them, as long as the names are free. An SQLite
    journal needs a file of its own: its writers and those of the other tables would wait for
    one another, a migration for its own journal.
    """
    if connection.dialect.name == "sqlite":
        foreign = tables - {VERSION_TABLE}
    else:
        foreign = tables & set(metadata.tables)
    if foreign:
        raise failures.not_a_journal(
            where(connection.engine), f"it has a table {min(foreign)!r} of something else"
        )


def _advisory_lock(connection: Connection, number: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:class, :number)"),
            {"class": _LOCK_CLASS, "number": number},
        )
