"""SQLite: files that are not there, odd schemas, places that cannot be written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from migrator.backends.sqlite import backend, database_path
from migrator.core.schema import (
    Check,
    Column,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Schema,
    Unique,
)
from migrator.exceptions import DatabaseReadOnly, InspectionError
from tests.servers import SQLiteDatabase

Register = Callable[..., BaseDatabaseWrapper]


@pytest.fixture
def connection(sqlite_database: SQLiteDatabase, register_alias: Register) -> BaseDatabaseWrapper:
    return register_alias(sqlite_database.settings())


def open_as(register: Register, name: str | Path) -> BaseDatabaseWrapper:
    return register({"ENGINE": "django.db.backends.sqlite3", "NAME": name})


# -- a file that is not there ------------------------------------------------------


def test_no_reader_creates_the_file(
    sqlite_database: SQLiteDatabase, connection: BaseDatabaseWrapper
) -> None:
    backend.configure(connection, application="migrator", connect_timeout=5)
    assert not backend.exists(connection)
    assert backend.connect(connection).product == "SQLite"
    assert backend.identity(connection) == f"sqlite:{sqlite_database.path}"
    assert backend.writability(connection).writable
    assert not backend.pooled(connection)
    assert backend.other_migrations(connection) == ()
    assert backend.lock_holder(connection) is None
    assert backend.history(connection) is None
    assert backend.inspect(connection) == Schema("sqlite")
    lock = backend.lock(connection, run_id="r", alias="a")
    assert not lock.held()
    lock.release()
    assert list(sqlite_database.path.parent.iterdir()) == []


def test_djangos_own_readers_see_an_empty_database_and_create_nothing(
    sqlite_database: SQLiteDatabase, connection: BaseDatabaseWrapper
) -> None:
    with backend.read_only(connection):
        assert MigrationLoader(connection).applied_migrations == {}
        assert connection.introspection.table_names() == []
        assert not backend.exists(connection)
        assert backend.identity(connection) == f"sqlite:{sqlite_database.path}"
        assert backend.history(connection) is None
        assert backend.inspect(connection) == Schema("sqlite")
    assert connection.connection is None
    assert list(sqlite_database.path.parent.iterdir()) == []
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a integer)")
    assert sqlite_database.query("SELECT name FROM sqlite_master") == [("t",)]


def test_the_lock_of_a_file_that_is_not_there_does_not_create_it(
    sqlite_database: SQLiteDatabase, connection: BaseDatabaseWrapper
) -> None:
    lock = backend.lock(connection, run_id="r", alias="a")
    lock.acquire()
    assert lock.held()
    assert not sqlite_database.path.exists()
    lock.release()
    left = {path.name for path in sqlite_database.path.parent.iterdir()}
    assert left <= {f"{sqlite_database.path.name}.migrator.lock"}


def test_a_lock_file_that_somebody_removed_protects_nothing(
    sqlite_database: SQLiteDatabase, connection: BaseDatabaseWrapper
) -> None:
    lock = backend.lock(connection, run_id="r", alias="a")
    lock.acquire()
    Path(f"{sqlite_database.path}.migrator.lock").unlink()
    assert not lock.held()
    lock.release()


# -- names -------------------------------------------------------------------------


def test_identity_is_the_real_path(tmp_path: Path, register_alias: Register) -> None:
    (tmp_path / "real dir").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real dir")
    path = tmp_path / "real dir" / "db.sqlite3"
    spellings: list[str | Path] = [
        path,
        str(path),
        tmp_path / "link" / "db.sqlite3",
        f"{tmp_path}/real dir/../real dir/db.sqlite3",
        f"file:{tmp_path}/real%20dir/db.sqlite3?mode=rwc",
        f"file://{tmp_path}/link/db.sqlite3",
    ]
    for name in spellings:
        connection = open_as(register_alias, name)
        assert backend.identity(connection) == f"sqlite:{path}"
        assert not backend.exists(connection)


def test_databases_in_memory_need_no_lock(register_alias: Register) -> None:
    shared = "file:memorydb_default?mode=memory&cache=shared"
    first, second = open_as(register_alias, shared), open_as(register_alias, shared)
    assert backend.identity(first) == backend.identity(second)
    private = [open_as(register_alias, ":memory:") for _ in range(2)]
    assert len({backend.identity(connection) for connection in (*private, first)}) == 3
    for connection in (first, *private):
        assert backend.exists(connection)
        assert database_path(connection) is None
        backend.connect(connection)
        lock = backend.lock(connection, run_id="r", alias="a")
        lock.acquire()
        assert lock.held()
        assert backend.lock_holder(connection) is None
        assert backend.writability(connection).writable
        with backend.read_only(connection), pytest.raises(DatabaseError):
            connection.cursor().execute("CREATE TABLE t (a integer)")
        connection.cursor().execute("CREATE TABLE t (a integer)")
        assert set(backend.inspect(connection).tables) == {"t"}
        lock.release()


# -- places that cannot be written ---------------------------------------------------


@contextmanager
def without_privileges() -> Iterator[None]:
    """Permissions mean nothing to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def reachable(tmp_path: Path) -> Iterator[Path]:
    """A directory that an unprivileged user can reach: pytest's own are closed to others."""
    opened = [parent for parent in tmp_path.parents if parent.stat().st_uid == os.geteuid()]
    before = [(parent, parent.stat().st_mode) for parent in opened]
    for parent in opened:
        if parent != Path(parent.anchor):
            parent.chmod(parent.stat().st_mode | 0o011)
    place = tmp_path / "place"
    place.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    yield place
    place.chmod(0o755)
    for parent, mode in before:
        if parent != Path(parent.anchor):
            parent.chmod(mode & 0o7777)


def test_places_that_cannot_be_written(reachable: Path, register_alias: Register) -> None:
    path = reachable / "db.sqlite3"
    SQLiteDatabase(path).execute("CREATE TABLE t (a integer)")
    connection = open_as(register_alias, path)
    assert backend.writability(connection).writable

    reachable.chmod(0o555)
    path.chmod(0o444)
    with without_privileges():
        verdict = backend.writability(connection)
        assert (verdict.writable, verdict.standby) == (False, False)
        assert f"the file {path} is not writable" in verdict.reason
        backend.connect(connection)
        assert set(backend.inspect(connection).tables) == {"t"}
        missing = open_as(register_alias, reachable / "new.sqlite3")
        assert f"directory {reachable} is not writable" in backend.writability(missing).reason
        with pytest.raises(DatabaseReadOnly, match=r"migrator\.lock"):
            backend.lock(connection, run_id="r", alias="a").acquire()
    assert sorted(reachable.iterdir()) == [path]


def test_a_name_that_opens_read_only(
    sqlite_database: SQLiteDatabase, register_alias: Register
) -> None:
    sqlite_database.execute("CREATE TABLE t (a integer)")
    connection = open_as(register_alias, f"file:{sqlite_database.path}?mode=ro")
    assert not backend.writability(connection).writable
    assert set(backend.inspect(connection).tables) == {"t"}


# -- the schema ----------------------------------------------------------------------


def test_the_whole_of_a_table(
    sqlite_database: SQLiteDatabase, connection: BaseDatabaseWrapper
) -> None:
    sqlite_database.execute(
        """
        CREATE TABLE parent (a integer, b integer, PRIMARY KEY (b, a));
        CREATE TABLE other (id INTEGER PRIMARY KEY, x text) ;
        CREATE TABLE t (
            id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
            name varchar(20) COLLATE NOCASE NOT NULL DEFAULT 'x',
            empty text DEFAULT NULL,
            stored integer GENERATED ALWAYS AS (id + 1) STORED,
            virtual integer AS (id + 2),
            a integer, b integer,
            other_id integer REFERENCES OTHER,
            CONSTRAINT one UNIQUE (name, a),
            UNIQUE (b),
            CONSTRAINT pos CHECK (a > 0),
            CONSTRAINT fk FOREIGN KEY (b, a) REFERENCES parent (b, a)
                ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
        );
        CREATE INDEX by_name ON t (name DESC, a) WHERE a > 1;
        CREATE UNIQUE INDEX by_expression ON t (lower(name), b);
        CREATE INDEX by_collation ON t (empty COLLATE RTRIM, name);
        CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END;
        """
    )
    schema = backend.inspect(connection)
    table = schema.tables["t"]
    assert table.columns == (
        Column("id", "integer", nullable=False, identity="auto_increment"),
        Column("name", "varchar(20)", nullable=False, default="'x'", collation="NOCASE"),
        Column("empty", "text"),
        Column("stored", "integer", generated="id + 1", stored=True),
        Column("virtual", "integer", generated="id + 2"),
        Column("a", "integer"),
        Column("b", "integer"),
        Column("other_id", "integer"),
    )
    assert table.primary_key == PrimaryKey("", ("id",))
    assert schema.tables["parent"].primary_key == PrimaryKey("", ("b", "a"))
    assert schema.tables["other"].columns[0] == Column(
        "id", "integer", nullable=False, identity="rowid"
    )
    assert table.uniques == (
        Unique("one", ("name", "a")),
        Unique("sqlite_autoindex_t_2", ("b",)),
    )
    assert table.checks == (Check("pos", "a > 0", ("a",)),)
    assert table.foreign_keys == (
        ForeignKey("", ("other_id",), "other", ("id",)),
        ForeignKey(
            "fk",
            ("b", "a"),
            "parent",
            ("b", "a"),
            deferrable=True,
            initially_deferred=True,
            on_delete="CASCADE",
        ),
    )
    assert table.indexes == (
        Index("by_collation", (IndexKey("empty", collation="RTRIM"), IndexKey("name"))),
        Index(
            "by_expression",
            (IndexKey(expression="lower(name)"), IndexKey("b")),
            unique=True,
        ),
        Index("by_name", (IndexKey("name", descending=True), IndexKey("a")), condition="a > 1"),
    )
    assert [(trigger.name, trigger.enabled) for trigger in table.triggers] == [("tr", True)]


def test_virtual_tables_and_what_belongs_to_them(
    sqlite_database: SQLiteDatabase, connection: BaseDatabaseWrapper
) -> None:
    """Also one whose module is not there, which fails whoever asks for its columns."""
    sqlite_database.execute(
        """
        CREATE VIRTUAL TABLE search USING fts5(body);
        CREATE TABLE t (a integer) WITHOUT ROWID;
        """.replace("(a integer)", "(a integer PRIMARY KEY)")
    )
    sqlite_database.execute(
        "PRAGMA writable_schema = 1; INSERT INTO sqlite_master VALUES "
        "('table', 'lost', 'lost', 0, 'CREATE VIRTUAL TABLE lost USING no_such_module(a)')"
    )
    schema = backend.inspect(connection)
    assert set(schema.tables) == {"t"}
    assert schema.tables["t"].columns == (Column("a", "integer", nullable=False),)
    assert schema.views == {"search", "lost"}
    assert {("virtual table", "search"), ("shadow table", "search_data")} <= {
        (extra.kind, extra.name) for extra in schema.extras
    }


def test_a_corrupt_file_is_an_inspection_error(
    sqlite_database: SQLiteDatabase, connection: BaseDatabaseWrapper
) -> None:
    sqlite_database.execute("CREATE TABLE t (a integer)")
    sqlite_database.execute(
        "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = 'CREATE TABLE t (nonsense'"
    )
    with pytest.raises(InspectionError, match="could not be read: malformed database schema"):
        backend.inspect(connection)
