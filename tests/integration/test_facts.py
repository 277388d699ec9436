"""What is in a database before it is migrated, asked of real ones of every vendor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends import backend_for, facts_for
from migrator.core.live import (
    COUNT_LIMIT,
    Changed,
    Duplicates,
    Facts,
    NotNulls,
    Nulls,
    Orphans,
    OutOfRange,
    Question,
    Rounded,
    TimeOfDay,
    TooLong,
    Uncastable,
    Violates,
)
from tests.servers import Database

Register = Callable[..., BaseDatabaseWrapper]

ODD = 'Größe of "x" `y` %s 100%'
"""A name that every way of quoting has to survive."""


def quoted(vendor: str, name: str) -> str:
    mark = "`" if vendor == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


@pytest.fixture
def connection(database: Database, register_alias: Register) -> BaseDatabaseWrapper:
    vendor = database.vendor
    odd = quoted(vendor, ODD)
    moment = {"postgresql": "timestamptz", "mysql": "datetime(6)", "sqlite": "datetime"}[vendor]
    double = {"postgresql": "double precision", "mysql": "double", "sqlite": "real"}[vendor]
    statements = [
        "CREATE TABLE nobody (id integer)",
        "CREATE TABLE parent (id integer PRIMARY KEY)",
        "INSERT INTO parent VALUES (1)",
        (
            "CREATE TABLE child (id integer PRIMARY KEY, parent_id integer, name varchar(50),"
            f" price numeric(10, 4), ratio {double}, moment {moment}, note varchar(50))"
        ),
        (
            "INSERT INTO child VALUES"
            " (1, 1, 'short', 1.5, 1.5, '2026-01-01 00:00:00', '12'),"
            " (2, 9, 'longer than that', 1.2345, 2, '2026-01-01 12:30:00', 'twelve'),"
            " (3, NULL, 'short', 70000, 3, NULL, '007'),"
            " (4, NULL, NULL, NULL, NULL, NULL, NULL)"
        ),
        f"CREATE TABLE {odd} ({odd} varchar(10))",
        f"INSERT INTO {odd} VALUES ('a'), (NULL)",
    ]
    if vendor == "sqlite":
        database.execute(";\n".join(statements))
    else:
        for statement in statements:
            database.execute(statement)
    connection = register_alias(database.settings())
    backend_for(vendor).connect(connection)
    return connection


@pytest.fixture
def facts(connection: BaseDatabaseWrapper) -> Facts:
    return facts_for(connection)


ANSWERS: list[tuple[Question, int]] = [
    (Nulls("child", "parent_id"), 2),
    (NotNulls("child", "parent_id"), 2),
    (NotNulls("nobody", "id"), 0),
    (Duplicates("child", ("name",)), 1),
    (Duplicates("child", ("name", "id")), 0),
    (Duplicates("child", ("name",), "id < 3"), 0),
    (Orphans("child", "parent_id", "parent", "id"), 1),
    (TooLong("child", "name", 10), 1),
    (Rounded("child", "price", 2), 1),
    (Rounded("child", "ratio", 0), 1),
    (OutOfRange("child", "price", -32768, 32767), 1),
    (TimeOfDay("child", "moment"), 1),
    (Violates("child", "price < 100 AND name NOT LIKE '%x%'"), 1),
    (NotNulls(ODD, ODD), 1),
    (TooLong(ODD, ODD, 0), 1),
]


def test_rows_are_counted(facts: Facts) -> None:
    assert [(question, facts.count(question)) for question, _ in ANSWERS] == ANSWERS


@pytest.mark.parametrize(
    "question",
    [
        Nulls("missing", "id"),
        Nulls("child", "missing"),
        Orphans("child", "parent_id", "missing", "id"),
        Violates("child", "this is no SQL"),
        Nulls('nowhere"."child', "id"),
    ],
    ids=str,
)
def test_what_cannot_be_told_is_none_and_leaves_the_connection_usable(
    facts: Facts, connection: BaseDatabaseWrapper, question: Question
) -> None:
    # SQLite knows no schemas, and reads an unknown name in double quotes as a text.
    if connection.vendor != "sqlite" or question.table == "missing":
        assert facts.count(question) is None
    assert facts.count(Nulls("child", "parent_id")) == 2
    assert connection.get_autocommit()
    with transaction.atomic(using=connection.alias):
        again = facts_for(connection)
        again.count(question)
        assert again.count(Nulls("child", "parent_id")) == 2
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO parent VALUES (2)")  # still writable
    assert facts_for(connection).size("parent").rows == 2  # type: ignore[union-attr]


def test_sizes(facts: Facts) -> None:
    for key, rows in (("child", 4), ("nobody", 0), (ODD, 2)):
        size = facts.size(key)
        assert size is not None, key
        assert (size.rows, size.empty) == (rows, rows == 0)
        assert size.bytes is None or size.bytes >= 0
    assert facts.size("missing") is None
    assert facts.size('nowhere"."child') is None or facts.size("child")


def test_nothing_is_written_by_an_expression(
    facts: Facts, connection: BaseDatabaseWrapper, database: Database
) -> None:
    if connection.vendor == "postgresql":
        database.execute(
            "CREATE FUNCTION forget() RETURNS boolean LANGUAGE plpgsql AS"
            " $$ BEGIN DELETE FROM child; RETURN true; END $$"
        )
        assert facts.count(Violates("child", "NOT forget()")) is None
    elif connection.vendor == "mysql":
        database.execute(
            "CREATE FUNCTION forget() RETURNS int BEGIN DELETE FROM child; RETURN 1; END"
        )
        assert facts.count(Violates("child", "NOT forget()")) is None
    size = facts_for(connection).size("child")
    assert size is not None
    assert size.rows == 4


def test_counting_ends_at_a_limit_and_in_time(
    facts: Facts, connection: BaseDatabaseWrapper, database: Database
) -> None:
    digits = " CROSS JOIN ".join(
        f"(SELECT 1 AS {name} UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) AS {name}"
        for name in "abcdefghijklmnop"
    )
    impatient = facts_for(connection, timeout=0.05)
    endless = f"(SELECT count(*) FROM {digits} WHERE child.id IS NOT NULL) = 0"
    assert impatient.count(Violates("child", endless.replace("child.id", "t.id"))) is None
    assert impatient.count(Nulls("child", "parent_id")) == 2
    assert COUNT_LIMIT > 4


# -- one vendor each -----------------------------------------------------------------


@pytest.fixture
def pg(
    create_database: Callable[..., Database], register_alias: Register
) -> tuple[Database, BaseDatabaseWrapper]:
    database = create_database("postgresql")
    connection = register_alias(database.settings())
    backend_for("postgresql").connect(connection)
    return database, connection


Postgres = tuple[Database, BaseDatabaseWrapper]


def test_postgresql_casts(pg: Postgres) -> None:
    database, connection = pg
    database.execute(
        "CREATE TABLE t (code text, number double precision, big bigint, at timestamptz,"
        " tags varchar(50)[]);"
        "INSERT INTO t VALUES ('1', 1.5, 3000000000, '2026-01-01 10:00:00.5', '{long}'),"
        " ('x', 2, 1, '2026-01-01', '{a}'), ('007', 0.1, 2, NULL, NULL)"
    )
    facts = facts_for(connection)
    modern = connection.pg_version >= 160000  # type: ignore[attr-defined]
    assert facts.count(Uncastable("t", "code", "integer")) == 1
    assert facts.count(Uncastable("t", "code", "uuid")) == (3 if modern else 1)
    assert facts.count(Uncastable("t", "number", "integer")) == 0
    assert facts.count(Uncastable("t", "big", "integer")) == 1
    assert facts.count(Uncastable("t", "code", "no_such_type")) is None
    assert facts.count(Changed("t", "number", "real")) == 1
    assert facts.count(Changed("t", "at", "timestamptz(0)")) == 1
    assert facts.count(Changed("t", "tags", "varchar(2)[]")) == 1
    assert facts.count(Changed("t", "number", "real); DROP TABLE t; --")) is None


def test_postgresql_schemas_partitions_and_what_was_never_analysed(pg: Postgres) -> None:
    database, connection = pg
    database.execute(
        "CREATE SCHEMA tenant; CREATE TABLE tenant.t (id int); INSERT INTO tenant.t VALUES (1);"
        "CREATE TABLE t (id int);"
        "CREATE TABLE part (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (10) TO (20);"
        "INSERT INTO part VALUES (1), (11), (12);"
        "CREATE TABLE big (id int, fill text) WITH (autovacuum_enabled = off);"
        "INSERT INTO big SELECT n, repeat('x', 400) FROM generate_series(1, 30000) AS n;"
    )
    facts = facts_for(connection)
    assert [facts.size(key) and facts.size(key).rows for key in ("t", 'tenant"."t', "part")] == [
        0, 1, 3,
    ]  # fmt: skip
    assert facts.size("tenant") is None
    big = facts.size("big")
    assert big is not None
    assert big.empty is False
    assert 15_000 < (big.rows or 0) < 60_000  # a guess from a sample of its pages
    assert (big.bytes or 0) > 12_000_000
    database.execute("ANALYZE big")
    analysed = facts_for(connection).size("big")
    assert analysed is not None
    assert analysed.rows == 30_000
    assert connection.in_atomic_block is False


def test_postgresql_answers_while_somebody_changes_a_table(pg: Postgres) -> None:
    database, connection = pg
    database.execute("CREATE TABLE a (id int); INSERT INTO a VALUES (1); CREATE TABLE b (id int)")
    with database.connect() as other:  # type: ignore[attr-defined]
        other.execute("BEGIN")
        other.execute("ALTER TABLE b ADD COLUMN x int")
        facts = facts_for(connection)
        size = facts.size("a")
        assert size is not None
        assert size.empty is False
        assert facts.count(Nulls("b", "id")) is None
        other.rollback()


def test_postgresql_never_takes_hidden_rows_for_none(
    pg: Postgres, register_alias: Register
) -> None:
    database, _ = pg
    role = f"{database.name}_reader"
    database.execute(
        "CREATE TABLE hidden (id int); INSERT INTO hidden VALUES (1);"
        "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;"
        "CREATE TABLE closed (id int); INSERT INTO closed VALUES (1);"
        f"CREATE ROLE {role} LOGIN; GRANT SELECT ON hidden TO {role}"
    )
    try:
        connection = register_alias({**database.settings(), "USER": role})
        backend_for("postgresql").connect(connection)
        facts = facts_for(connection)
        for table in ("hidden", "closed"):
            size = facts.size(table)
            assert size is None or size.empty is None
            assert facts.count(NotNulls(table, "id")) is None
        assert facts.long_transactions() == ()
        connection.close()
    finally:
        database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_postgresql_names_transactions_that_stand_idle(pg: Postgres) -> None:
    database, connection = pg
    database.execute("CREATE TABLE a (id int)")
    assert facts_for(connection).long_transactions() == ()
    with database.connect() as other:  # type: ignore[attr-defined]
        other.execute("SET application_name = 'a long report'")
        other.execute("BEGIN")
        other.execute("SELECT * FROM a")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1.2)")
        (found,) = facts_for(connection).long_transactions()
        other.rollback()
    assert "a long report" in found.session
    assert found.state == "idle in transaction"
    assert found.tables == {"a"}
    assert found.seconds > 1


@pytest.mark.mysql
def test_mysql_changes_of_type(
    create_database: Callable[..., Database], register_alias: Register
) -> None:
    database = create_database("mysql")
    for statement in (
        "CREATE TABLE t (code varchar(20), at datetime(6), number double)",
        (
            "INSERT INTO t VALUES ('1', '2026-01-01 10:00:00.5', 0.1), ('x', '2026-01-01', 2),"
            " ('007', NULL, NULL)"
        ),
        "CREATE DATABASE " + database.name + "_other",  # type: ignore[attr-defined]
        f"CREATE TABLE {database.name}_other.t (id int)",  # type: ignore[attr-defined]
    ):
        database.execute(statement)
    try:
        connection = register_alias(database.settings())
        backend_for("mysql").connect(connection)
        facts = facts_for(connection)
        assert facts.count(Uncastable("t", "code", "integer")) == 1
        assert facts.count(Uncastable("t", "code", "date")) == 3
        assert facts.count(Changed("t", "code", "integer")) == 1
        assert facts.count(Changed("t", "at", "datetime")) == 1
        assert facts.count(Changed("t", "number", "float")) == 1
        other = facts.size(f'{database.name}_other"."t')  # type: ignore[attr-defined]
        assert other is not None
        assert other.empty
        assert facts.shortens() is False
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = ''")
        assert facts_for(connection).shortens() is True
    finally:
        database.execute(f"DROP DATABASE {database.name}_other")  # type: ignore[attr-defined]


@pytest.mark.mysql
def test_mysql_names_transactions_that_stand_idle(
    create_database: Callable[..., Database], register_alias: Register
) -> None:
    database = create_database("mysql")
    database.execute("CREATE TABLE a (id int)")
    connection = register_alias(database.settings())
    backend_for("mysql").connect(connection)
    assert facts_for(connection).long_transactions() == ()
    other = register_alias(database.settings())
    with transaction.atomic(using=other.alias), other.cursor() as cursor:
        cursor.execute("INSERT INTO a VALUES (1)")
        with connection.cursor() as waiting:
            waiting.execute("SELECT SLEEP(2.1)")  # the server counts whole seconds
        (found,) = facts_for(connection).long_transactions()
    assert found.session.startswith("session ")
    assert found.state == "idle in transaction"


def test_an_sqlite_file_that_is_not_there_is_not_made(
    create_database: Callable[..., Database], register_alias: Register
) -> None:
    database = create_database("sqlite")
    connection = register_alias(database.settings())
    assert facts_for(connection).size("t") is None
    assert not database.path.exists()  # type: ignore[attr-defined]
