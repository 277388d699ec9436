"""Runs that begin elsewhere than at nothing: with a repair, a backup, or a lock in their way."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from tests.sweep.places import MySQLPlace, Place, PostgresPlace, SQLitePlace
from tests.sweep.world import World

HALFWAY = ("migrate", "--no-input", "bank", "0004_card_squashed")
FORGOTTEN = (
    "DELETE FROM django_migrations WHERE app = 'bank' AND name IN"
    " ('0004_card_squashed', '0004_card', '0005_card_expires')"
)
HELD = 0.5
"""Seconds for which a lock is in the way; a run gives up on one after a tenth of a second."""


def furnish(world: World, name: str) -> None:
    """Let each experiment on this world begin in a scenario.

    Args:
        world: To be furnished, before anything was measured.
        name: "repair", "backup" or "locked".
    """
    place = world.places["default"]
    begin, world.words = {
        "repair": (lambda: _execute(place, FORGOTTEN), ("--repair",)),
        "backup": (lambda: _remove_backups(Path.cwd()), ("--backup",)),
        "locked": (_holding(place), ("--lock-timeout", "0.1", "--lock-retries", "60")),
    }[name]

    def prepare() -> None:
        ended = world.forks.run(*HALFWAY)
        if ended.code:
            raise RuntimeError(ended.output)
        begin()

    world.prepare = prepare
    world.steady = name != "locked"


def _execute(place: Place, sql: str) -> None:
    if isinstance(place, SQLitePlace):
        with closing(sqlite3.connect(place.path)) as connection, connection:
            connection.execute(sql)
    elif isinstance(place, PostgresPlace | MySQLPlace):
        place.database.execute(sql)


def _remove_backups(project: Path) -> None:
    shutil.rmtree(project / "migrator_backups", ignore_errors=True)


def _holding(place: Place) -> Callable[[], None]:
    """Somebody else's process holds a lock for a while: forked, and reaped by the next one."""
    holders: list[int] = []

    def hold() -> None:
        while holders:
            os.waitpid(holders.pop(), 0)
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            with suppress(BaseException):
                _hold(place, writer)
            os._exit(0)
        holders.append(pid)
        os.close(writer)
        os.read(reader, 1)  # until it has the lock
        os.close(reader)

    return hold


def _hold(place: Place, writer: int) -> None:
    if isinstance(place, SQLitePlace):
        with closing(sqlite3.connect(place.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            os.write(writer, b".")
            time.sleep(HELD)
    elif isinstance(place, PostgresPlace):
        with place.database.connect() as session:
            session.autocommit = False
            session.execute("SELECT count(*) FROM bank_account")
            os.write(writer, b".")
            time.sleep(HELD)
    elif isinstance(place, MySQLPlace):
        server = place.database.server
        with closing(server.connect(place.database.name)) as raw, raw.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            cursor.execute("SELECT count(*) FROM bank_account")
            os.write(writer, b".")
            time.sleep(HELD)
