"""A whole database as one file, and back: what every vendor offers.

The file is written by the vendor's own means (pg_dump, mariadb-dump or mysqldump, SQLite's
backup interface), so that it can be read without this library as well.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.base import Session

HISTORY = "django_migrations"


class Dumper(ABC):
    """Dumps one database, checks dumps, and brings them back."""

    vendor: ClassVar[str]
    suffix: ClassVar[str]
    """Of the file, with its dot."""

    def __init__(self, connection: BaseDatabaseWrapper, *, tools: str = "") -> None:
        """Prepare; nothing is run yet.

        Args:
            connection: Open connection to the database; it must not be in a transaction.
            tools: Directory of the client programs; "" to look for them.
        """
        self.connection = connection
        self.tools = tools

    @abstractmethod
    def tool(self) -> str:
        """What dumps, with its version.

        Raises:
            ToolFailed: It is not installed, or cannot talk to this server.
        """

    @abstractmethod
    def size(self) -> int | None:
        """How large the database is, in bytes; None when that cannot be told."""

    def least(self, size: int) -> int:
        """What a dump of a database of that size takes at the very least. Data may compress
        well, and indexes are not dumped at all.
        """
        return size // 50

    @abstractmethod
    def dump(self, path: Path) -> None:
        """Write the whole database.

        Args:
            path: An empty file, there already.

        Raises:
            ToolFailed: It could not be dumped.
            OSError: It could not be written.
        """

    @abstractmethod
    def check(self, path: Path, *, history: bool) -> str:
        """Read a whole dump back.

        Args:
            path: The file.
            history: Whether it has to hold the table django_migrations.

        Returns:
            How it was read, for the record.

        Raises:
            ToolFailed: It is damaged, incomplete, empty, or not a dump of this vendor.
        """

    @abstractmethod
    def others(self) -> tuple[Session, ...]:
        """Other sessions that are connected to this database now."""

    @abstractmethod
    def restore(self, path: Path, *, run_id: str, same: bool, step: Step) -> None:
        """Replace the whole content of this database by that of a dump.

        Args:
            path: A dump that has been checked.
            run_id: For the names of what is made on the way.
            same: Whether it is the database that was dumped: then owners and privileges come
                back, too.
            step: Told what is done now, one sentence.

        Raises:
            ToolFailed: The database is as it was before, unless the message says otherwise.
        """

    @abstractmethod
    def absent(self) -> bool:
        """Whether there is no such database on a server that answers. Makes nothing."""

    @abstractmethod
    def create(self) -> None:
        """Make the database, empty.

        Raises:
            ToolFailed: It cannot be made.
        """


Step = Callable[[str], None]

_DUMPERS = {
    "postgresql": "PostgreSQLDumper",
    "mysql": "MySQLDumper",
    "sqlite": "SQLiteDumper",
}


def dumper_for(connection: BaseDatabaseWrapper, *, tools: str = "") -> Dumper:
    """The dumper of a connection's vendor.

    Args:
        connection: The database.
        tools: Directory of the client programs; "" to look for them.
    """
    vendor = connection.vendor
    module = import_module(f"migrator.backends.{vendor}_dump")
    dumper: Dumper = getattr(module, _DUMPERS[vendor])(connection, tools=tools)
    return dumper
