"""What every vendor offers. The only place, with its siblings, where catalog SQL lives.

Connections are Django's `connections[alias]` wrappers: settings, routers and database
backends of the project stay in force.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.core.effects import MigrationKey
from migrator.core.schema import Schema

if TYPE_CHECKING:
    from migrator.backends.waits import Waits


@dataclass(frozen=True, slots=True)
class Server:
    """What answers: a readable product name with version, and the version as numbers."""

    product: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.product} {'.'.join(map(str, self.version))}"


@dataclass(frozen=True, slots=True)
class Writability:
    """Whether the database accepts writes; a standby is a healthy database that does not."""

    writable: bool
    standby: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One row of django_migrations, in the order of its id."""

    migration: MigrationKey
    applied: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Another session of the same database that matters to us."""

    pid: int
    application: str = ""
    user: str = ""
    client: str = ""
    since: datetime | None = None
    query: str = ""
    state: str = ""

    def __str__(self) -> str:
        parts = [f"session {self.pid}"]
        if self.application:
            parts.append(self.application)
        if self.user:
            parts.append(f"user {self.user}")
        if self.client:
            parts.append(f"from {self.client}")
        if self.since:
            parts.append(f"since {self.since:%Y-%m-%d %H:%M:%S %Z}".rstrip())
        return ", ".join(parts)


class Lock(ABC):
    """The lock of one physical database, held by the connection that runs the DDL."""

    @abstractmethod
    def acquire(self, *, wait: float = 0.0) -> None:
        """Take the lock, waiting at most `wait` seconds.

        Raises:
            LockHeld: Somebody else holds it; the message names who, since when, from where
                and in which run.
        """

    @abstractmethod
    def held(self) -> bool:
        """Ask the server (not memory) whether this connection still holds the lock."""

    @abstractmethod
    def release(self) -> None:
        """Let go; never raises, also when the connection is gone."""


class Backend(ABC):
    """One vendor."""

    vendor: str
    supports_transactional_ddl: bool
    waits: Waits
    """Limits on waiting for locks, and who is in the way."""

    @abstractmethod
    def configure(
        self, connection: BaseDatabaseWrapper, *, application: str, connect_timeout: float
    ) -> None:
        """Prepare a wrapper before its first connection: a connect timeout where the project
        sets none, `application_name` (PostgreSQL), `lock_wait_timeout` (MySQL), …
        """

    @abstractmethod
    def exists(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether connecting creates nothing: False only for an SQLite file that is not there
        yet (an empty database that the first write would create).
        """

    @abstractmethod
    def connect(self, connection: BaseDatabaseWrapper) -> Server:
        """Connect (or reuse the open connection) and ask the server for its version.

        Raises:
            DatabaseUnreachable: With the reason in one sentence, never a credential; covers a
                wrong password, a server that accepts and never answers, a missing database.
        """

    def keep_settings(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:  # noqa: ARG002
        """For the duration, give each session that the wrapper opens what `connect` gives the
        first one: a connection that was lost, or closed by a migration, is opened again by
        Django without asking anybody.
        """
        return nullcontext()

    @abstractmethod
    def read_only(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """Make the session refuse writes for the duration (a second line of defence for
        `--check`): `SET SESSION CHARACTERISTICS … READ ONLY`, `PRAGMA query_only`, ….
        """

    @abstractmethod
    def identity(self, connection: BaseDatabaseWrapper) -> str:
        """Which physical database this is: the same for two aliases of one database, another
        for a copy on another server. Never a credential. PostgreSQL: system identifier and
        database oid + name; MySQL: server uuid/hostname, port and schema; SQLite: real path.
        """

    @abstractmethod
    def writability(self, connection: BaseDatabaseWrapper) -> Writability:
        """Whether it accepts writes, without writing."""

    @abstractmethod
    def pooled(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether a transaction-pooling proxy stands in between (two statements in a row answer
        from different server sessions, or a session setting does not stick).
        """

    @abstractmethod
    def other_migrations(self, connection: BaseDatabaseWrapper) -> tuple[Session, ...]:
        """Other sessions of this database that hold a lock on django_migrations stronger than
        a reader's, or that are running DDL now. Our own session never counts.
        """

    @abstractmethod
    def lock(self, connection: BaseDatabaseWrapper, *, run_id: str, alias: str) -> Lock:
        """The lock of this database, not yet acquired."""

    @abstractmethod
    def lock_holder(self, connection: BaseDatabaseWrapper) -> Session | None:
        """Who holds our lock on this database, other than this connection; None for nobody."""

    @abstractmethod
    def history(self, connection: BaseDatabaseWrapper) -> tuple[HistoryRow, ...] | None:
        """The rows of django_migrations; None when the table does not exist. Never creates it.

        Raises:
            InspectionError: The table lacks a column that Django needs, or cannot be read.
        """

    @abstractmethod
    def inspect(self, connection: BaseDatabaseWrapper, *, schemas: Collection[str] = ()) -> Schema:
        """The live schema, with a constant number of bulk catalog queries whatever its size.

        Args:
            connection: Open connection.
            schemas: Further schemas to read, beside those of the search path.

        Raises:
            InspectionError
        """

    @abstractmethod
    def canonical_type(self, connection: BaseDatabaseWrapper, db_type: str) -> str:
        """A type as Django spells it ("varchar(20)") in the spelling that `inspect` returns
        ("character varying(20)"). Pure text work: asks nothing of the server.
        """

    def maxima(
        self,
        connection: BaseDatabaseWrapper,  # noqa: ARG002
        schema: Schema,  # noqa: ARG002
        keys: Collection[str],  # noqa: ARG002
    ) -> Mapping[tuple[str, str], int]:
        """The largest value of each column whose sequence is behind it, by (table key, column).

        Empty for vendors whose counters cannot fall behind.

        Args:
            connection: Open connection.
            schema: What `inspect` has found; its sequences may have moved on since.
            keys: Only these tables.
        """
        return {}

    def visible(
        self,
        connection: BaseDatabaseWrapper,  # noqa: ARG002
        keys: Collection[str],  # noqa: ARG002
    ) -> frozenset[str]:
        """Of keys with a schema, those whose bare name means the same table here.

        Args:
            connection: Open connection.
            keys: Table keys, each with a schema.
        """
        return frozenset()
