"""Alembic's environment for the journal.

The library passes its own connection, already inside a transaction and holding the lock of
the upgrade. From the command line (`alembic upgrade head` beside alembic.ini) the journal is
named by MIGRATOR_JOURNAL_URL or `-x url=…`.
"""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from journal.connection import Connector
from journal.revisions import VERSION_TABLE, lock_upgrade
from journal.tables import metadata


def run(connection: Connection) -> None:
    """Run the revisions over a connection."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        # Alembic takes SQLite's DDL for non-transactional; with an explicit BEGIN it is not,
        # and a kill in the middle of an upgrade must leave nothing behind.
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


def run_from_command_line() -> None:
    """Open the journal that the command line or the environment names."""
    url = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get(
        "MIGRATOR_JOURNAL_URL", ""
    )
    if not url:
        raise SystemExit("Name the journal: MIGRATOR_JOURNAL_URL=… or alembic -x url=…")
    connector = Connector(url, create=True, prepare=False)
    try:
        with connector.writing() as connection:
            lock_upgrade(connection)
            run(connection)
    finally:
        connector.close()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    run_from_command_line()
