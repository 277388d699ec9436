"""MySQL and MariaDB: the whole schema, read back from real objects."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.mysql import backend
from migrator.core.schema import Column, ForeignKey, Index, IndexKey, Schema, Unique
from tests.servers import MySQLDatabase, MySQLServer

pytestmark = pytest.mark.mysql

Register = Callable[..., BaseDatabaseWrapper]


@pytest.fixture
def connection(mysql_database: MySQLDatabase, register_alias: Register) -> BaseDatabaseWrapper:
    connection = register_alias(mysql_database.settings())
    backend.connect(connection)
    return connection


@pytest.fixture
def inspect(
    mysql_database: MySQLDatabase, connection: BaseDatabaseWrapper
) -> Callable[..., Schema]:
    """Run some statements, then inspect."""

    def run(*statements: str, schemas: tuple[str, ...] = ()) -> Schema:
        for statement in statements:
            mysql_database.execute(statement)
        return backend.inspect(connection, schemas=schemas)

    return run


Inspect = Callable[..., Schema]


def test_columns(inspect: Inspect) -> None:
    schema = inspect(
        """
        CREATE TABLE t (
            id bigint unsigned AUTO_INCREMENT PRIMARY KEY,
            name varchar(20) COLLATE utf8mb4_bin NOT NULL DEFAULT 'it''s',
            number integer NOT NULL DEFAULT 5,
            nothing integer DEFAULT NULL,
            flag bool NOT NULL,
            at datetime(6) DEFAULT CURRENT_TIMESTAMP(6),
            `stored` integer AS (number + 1) STORED,
            `virtual` integer AS (number + 2) VIRTUAL,
            kind enum('a', 'B c') DEFAULT 'a'
        )
        """
    )
    columns = {column.name: column for column in schema.tables["t"].columns}
    assert columns["id"] == Column(
        "id", "bigint unsigned", nullable=False, identity="auto_increment"
    )
    assert columns["name"].collation == "utf8mb4_bin"
    assert columns["name"].default in {"'it''s'", r"'it\'s'"}
    assert columns["number"] == Column("number", "int", nullable=False, default="5")
    assert columns["nothing"] == Column("nothing", "int")
    assert columns["flag"] == Column("flag", "tinyint(1)", nullable=False)
    assert (columns["at"].default or "").lower().startswith("current_timestamp(6)")
    assert (columns["stored"].generated is not None, columns["stored"].stored) == (True, True)
    assert (columns["virtual"].generated is not None, columns["virtual"].stored) == (True, False)
    assert (columns["kind"].type, columns["kind"].default) == ("enum('a','B c')", "'a'")
    assert columns["kind"].collation == ""


def test_json_is_json_as_long_as_something_sees_to_it(inspect: Inspect) -> None:
    schema = inspect(
        "CREATE TABLE t (a json, b longtext, c json NOT NULL CHECK (JSON_VALID(c)))",
    )
    assert [column.type for column in schema.tables["t"].columns] == ["json", "longtext", "json"]
    assert [column.collation for column in schema.tables["t"].columns] == ["", "", ""]


def test_keys_and_indexes(inspect: Inspect) -> None:
    schema = inspect(
        "CREATE TABLE p (a integer, b integer, PRIMARY KEY (b, a))",
        """
        CREATE TABLE t (
            x integer, y integer, s varchar(200), z text,
            CONSTRAINT u UNIQUE (y, x),
            UNIQUE KEY prefix (s(10)),
            KEY descending (x DESC, s(5)),
            FULLTEXT KEY words (z),
            CONSTRAINT fk FOREIGN KEY (x, y) REFERENCES p (b, a) ON DELETE CASCADE
        )
        """,
    )
    table = schema.tables["t"]
    assert table.primary_key is None
    assert table.uniques == (Unique("u", ("y", "x")),)
    assert table.foreign_keys == (
        ForeignKey("fk", ("x", "y"), "p", ("b", "a"), on_delete="CASCADE"),
    )
    indexes = {index.name: index for index in table.indexes}
    assert indexes["prefix"] == Index("prefix", (IndexKey("s", opclass="(10)"),), unique=True)
    assert indexes["words"].method == "fulltext"
    assert indexes["descending"].columns == ("x", "s")
    assert indexes["fk"].columns == ("x", "y"), "the server makes it for the foreign key"


def test_expressions_are_sql_that_can_be_run(inspect: Inspect) -> None:
    schema = inspect(
        """
        CREATE TABLE t (
            a varchar(9), b varchar(9) DEFAULT (CONCAT('it''s', a)), c binary(2) DEFAULT 'ab',
            d varchar(20) AS (CONCAT(a, 'd')) STORED,
            CONSTRAINT ck CHECK (a <> 'it''s' AND b IN ('_utf8mb4', 'y'))
        )
        """,
    )
    table = schema.tables["t"]
    columns = {column.name: column for column in table.columns}
    (check,) = table.checks
    assert "'it''s'" in check.expression.replace("\\'", "''")
    assert "'_utf8mb4'" in check.expression
    assert check.columns == ("a", "b")
    again = inspect(
        "CREATE TABLE u (a varchar(9), "
        f"b varchar(9) DEFAULT ({columns['b'].default}), "
        f"c binary(2) DEFAULT {columns['c'].default}, "
        f"d varchar(20) AS ({columns['d'].generated}) STORED, "
        f"CONSTRAINT ck_u CHECK ({check.expression}))"
    ).tables["u"]
    assert again.columns == table.columns
    assert again.checks[0].expression == check.expression


def test_an_index_that_the_optimiser_ignores(
    inspect: Inspect, connection: BaseDatabaseWrapper
) -> None:
    word = "IGNORED" if connection.mysql_is_mariadb else "INVISIBLE"  # type: ignore[attr-defined]
    schema = inspect(
        "CREATE TABLE t (a integer, b integer, KEY seen (a), KEY unseen (b), UNIQUE one (a, b))",
        f"ALTER TABLE t ALTER INDEX unseen {word}, ALTER INDEX one {word}",
    )
    table = schema.tables["t"]
    assert {index.name: index.ignored for index in table.indexes} == {
        "seen": False,
        "unseen": True,
    }
    assert [unique.ignored for unique in table.uniques] == [True]


def test_views_triggers_routines(inspect: Inspect) -> None:
    schema = inspect(
        "CREATE TABLE t (a integer)",
        "CREATE VIEW v AS SELECT a FROM t",
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE FUNCTION f() RETURNS integer DETERMINISTIC RETURN 1",
    )
    (trigger,) = schema.tables["t"].triggers
    assert (trigger.name, trigger.definition) == ("tr", "BEFORE INSERT SET NEW.a = 1")
    assert schema.views == {"v"}
    assert [(extra.kind, extra.name) for extra in schema.extras] == [
        ("function", "f"),
        ("procedure", "p"),
        ("view", "v"),
    ]


def test_other_schemas_on_demand(
    mysql: MySQLServer, mysql_database: MySQLDatabase, inspect: Inspect
) -> None:
    other = mysql.create_database()
    try:
        other.execute("CREATE TABLE w (id integer PRIMARY KEY)")
        mysql_database.execute(
            f"CREATE TABLE t (w_id integer, CONSTRAINT fk FOREIGN KEY (w_id) "
            f"REFERENCES {other.name}.w (id))"
        )
        key = f'{other.name}"."w'
        assert set(inspect().tables) == {"t"}
        schema = inspect(schemas=(other.name,))
        assert set(schema.tables) == {"t", key}
        assert [column.name for column in schema.tables[key].columns] == ["id"]
        assert schema.tables["t"].foreign_keys[0].to_table == key
        mysql_database.execute("DROP TABLE t")
    finally:
        other.drop()


@pytest.mark.parametrize("scope", ["every table", "some tables"])
def test_a_role_that_may_only_read(
    scope: str, mysql_database: MySQLDatabase, register_alias: Register
) -> None:
    """What it has no privilege on, the server does not tell of at all."""
    user = f"r{mysql_database.name[-12:]}"
    mysql_database.execute("CREATE TABLE p (id integer PRIMARY KEY)")
    mysql_database.execute(
        "CREATE TABLE may (id integer PRIMARY KEY, j json, p_id integer, a integer CHECK (a > 0),"
        " CONSTRAINT fk FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE CASCADE)"
    )
    granted = ["*"] if scope == "every table" else ["p", "may"]
    for host in ("localhost", "%"):
        mysql_database.execute(f"CREATE USER {user}@'{host}' IDENTIFIED BY 'x'")
        for name in granted:
            mysql_database.execute(
                f"GRANT SELECT ON {mysql_database.name}.{name} TO {user}@'{host}'"
            )
    mysql_database.execute("CREATE TABLE other (id integer)")
    try:
        settings = {**mysql_database.settings(), "USER": user, "PASSWORD": "x"}
        connection = register_alias(settings)
        backend.connect(connection)
        schema = backend.inspect(connection)
        assert set(schema.tables) == {"may", "p"} | ({"other"} if granted == ["*"] else set())
        table = schema.tables["may"]
        assert [column.type for column in table.columns] == ["int", "json", "int", "int"]
        assert table.primary_key is not None
        (key,) = table.foreign_keys
        assert (key.name, key.columns, key.to_table) == ("fk", ("p_id",), "p")
        if granted == ["*"]:
            assert ("a",) in [check.columns for check in table.checks]
        assert backend.history(connection) is None
        assert backend.identity(connection).endswith(f"/{mysql_database.name}")
        assert backend.writability(connection).writable
        assert backend.lock_holder(connection) is None
        assert backend.other_migrations(connection) == ()
        with backend.read_only(connection):
            assert set(backend.inspect(connection).tables) == set(schema.tables)
    finally:
        for host in ("localhost", "%"):
            mysql_database.execute(f"DROP USER {user}@'{host}'")
