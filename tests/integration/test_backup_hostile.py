"""Backups of what is awkward to bring back: large rows, odd bytes, odd names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.dump import dumper_for
from migrator.exceptions import ToolFailed
from tests.integration.test_backup_vendors import restored
from tests.servers import MySQLDatabase, PostgresDatabase, SQLiteDatabase

Register = Callable[..., BaseDatabaseWrapper]


@pytest.mark.mysql
def test_mysql_a_row_as_large_as_the_server_takes_comes_back(
    mysql_database: MySQLDatabase, register_alias: Register, tmp_path: Path
) -> None:
    connection = register_alias(mysql_database.settings())
    mysql_database.execute(
        "CREATE TABLE big (id int PRIMARY KEY, data longblob, bits bit(12), flag bit(1), "
        "raw varbinary(300), fixed binary(4), at geometry, doc json, txt longtext)"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        packet = int(cursor.fetchone()[0])
        # Not sent by the driver, which may double its size on the way.
        cursor.execute(
            "INSERT INTO big (id, data) VALUES (1, repeat('%%PDF ', %s))", [packet * 3 // 4 // 5]
        )
        cursor.execute(
            "INSERT INTO big VALUES (2, %s, b'101010101010', b'1', %s, %s, POINT(1, 2), %s, %s)",
            [
                bytes(range(256)) * 3,
                bytes(range(256)),
                b"\x00'\\\n",
                '{"a": "ü\\n\'"}',
                "'\"\\\n\r\x1a\0%s ` € 🙂",
            ],
        )
    sums = (
        "SELECT id, sha2(data, 256), hex(bits), hex(flag), hex(raw), hex(fixed), ST_AsText(at), "
        "doc, hex(txt) FROM big ORDER BY id"
    )
    before = mysql_database.query(sums)
    dumper = dumper_for(connection)
    path = tmp_path / "archive"
    path.touch()
    dumper.dump(path)
    dumper.check(path, history=False)
    mysql_database.execute("DROP TABLE big")
    restored(dumper, path)
    assert mysql_database.query(sums) == before


@pytest.mark.mysql
def test_mysql_a_row_that_the_server_would_not_take_back_is_no_backup(
    mysql_database: MySQLDatabase, register_alias: Register, tmp_path: Path
) -> None:
    connection = register_alias(mysql_database.settings())
    mysql_database.execute("CREATE TABLE wide (a longtext, b longtext)")
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_allowed_packet")
        half = int(cursor.fetchone()[0]) * 3 // 5
        cursor.execute("INSERT INTO wide (a) VALUES (repeat('a', %s))", [half])
        cursor.execute("UPDATE wide SET b = repeat('b', %s)", [half])
    dumper = dumper_for(connection)
    path = tmp_path / "archive"
    path.touch()
    dumper.dump(path)
    with pytest.raises(ToolFailed, match="could not be brought back") as caught:
        dumper.check(path, history=False)
    assert "max_allowed_packet" in caught.value.hint


@pytest.mark.mysql
def test_mysql_odd_names(
    mysql_database: MySQLDatabase, register_alias: Register, tmp_path: Path
) -> None:
    mysql_database.execute("CREATE TABLE `a.b -- ``c'd\"e` (`x y` int)")
    mysql_database.execute("INSERT INTO `a.b -- ``c'd\"e` VALUES (7)")
    mysql_database.execute("CREATE VIEW `-v.w` AS SELECT 1 AS one")
    mysql_database.execute("CREATE VIEW `--all-databases` AS SELECT 1 AS one")
    dumper = dumper_for(register_alias(mysql_database.settings()))
    path = tmp_path / "archive"
    path.touch()
    dumper.dump(path)
    dumper.check(path, history=False)
    mysql_database.execute("DROP TABLE `a.b -- ``c'd\"e`")
    mysql_database.execute("DROP VIEW `-v.w`")
    restored(dumper, path)
    assert mysql_database.query("SELECT `x y` FROM `a.b -- ``c'd\"e`") == [(7,)]
    assert mysql_database.query("SELECT one FROM `-v.w`") == [(1,)]
    assert mysql_database.query("SELECT one FROM `--all-databases`") == [(1,)]


@pytest.mark.mysql
def test_mysql_history_of_versioned_tables(
    mysql_database: MySQLDatabase, register_alias: Register, tmp_path: Path
) -> None:
    connection = register_alias(mysql_database.settings())
    connection.ensure_connection()
    if not connection.mysql_is_mariadb:  # type: ignore[attr-defined]
        pytest.skip("only MariaDB has system-versioned tables")
    mysql_database.execute("CREATE TABLE v (id int PRIMARY KEY, t text) WITH SYSTEM VERSIONING")
    mysql_database.execute("INSERT INTO v VALUES (1, 'then')")
    mysql_database.execute("UPDATE v SET t = 'now'")
    history = "SELECT t FROM v FOR SYSTEM_TIME ALL ORDER BY row_start"
    assert mysql_database.query(history) == [("then",), ("now",)]
    dumper = dumper_for(connection)
    path = tmp_path / "archive"
    path.touch()
    dumper.dump(path)
    dumper.check(path, history=False)
    restored(dumper, path)
    assert mysql_database.query(history) == [("then",), ("now",)]


@pytest.mark.postgresql
def test_postgresql_odd_names_and_large_objects(
    postgres_database: PostgresDatabase, register_alias: Register, tmp_path: Path
) -> None:
    name = f"o'd \"d=%s\\ {postgres_database.name}"
    quoted = name.replace('"', '""')
    postgres_database.execute(f'CREATE DATABASE "{quoted}" TEMPLATE template0')
    connection = register_alias({**postgres_database.settings(), "NAME": name})
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                'CREATE TABLE "a ""b\'c" (x int); INSERT INTO "a ""b\'c" VALUES (7)', None
            )
            cursor.execute("SELECT lo_from_bytea(0, 'kept'::bytea)")
            (oid,) = cursor.fetchone()
        dumper = dumper_for(connection)
        path = tmp_path / "archive"
        path.touch()
        dumper.dump(path)
        dumper.check(path, history=False)
        with connection.cursor() as cursor:
            cursor.execute('DROP TABLE "a ""b\'c"', None)
            cursor.execute("SELECT lo_unlink(%s)", [oid])
        restored(dumper, path)
        with connection.cursor() as cursor:
            cursor.execute('SELECT x FROM "a ""b\'c"', None)
            assert cursor.fetchall() == [(7,)]
            cursor.execute("SELECT lo_get(%s)", [oid])
            assert bytes(cursor.fetchone()[0]) == b"kept"
    finally:
        connection.close()
        postgres_database.execute(f'DROP DATABASE "{quoted}" WITH (FORCE)')


@pytest.mark.postgresql
def test_postgresql_a_role_that_may_not_read_everything_makes_no_backup(
    postgres_database: PostgresDatabase, register_alias: Register, tmp_path: Path
) -> None:
    role = f"r_{os.urandom(4).hex()}"
    postgres_database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    postgres_database.execute("CREATE TABLE secret (id int)")
    try:
        settings = {**postgres_database.settings(), "USER": role, "PASSWORD": "x"}
        connection = register_alias(settings)
        connection.ensure_connection()
        path = tmp_path / "archive"
        path.touch()
        with pytest.raises(ToolFailed, match="secret"):
            dumper_for(connection).dump(path)
        connection.close()
    finally:
        postgres_database.execute(f"DROP ROLE {role}")


def test_sqlite_an_odd_path(tmp_path: Path, register_alias: Register) -> None:
    directory = tmp_path / "a b?c#d%41 'ü\"&;"
    directory.mkdir()
    database = SQLiteDatabase(directory / "d b?mode=ro#.sqlite3")
    database.execute("CREATE TABLE t (x)")
    database.execute("INSERT INTO t VALUES (7)")
    dumper = dumper_for(register_alias(database.settings()))
    path = directory / "archive [x]*.sqlite3"
    path.touch()
    dumper.dump(path)
    dumper.check(path, history=False)
    database.execute("DROP TABLE t")
    restored(dumper, path)
    assert database.query("SELECT x FROM t") == [(7,)]
