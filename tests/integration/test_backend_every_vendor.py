"""What every vendor's backend has to do alike, on real databases of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps.registry import Apps
from django.contrib.postgres import fields as postgres_fields
from django.contrib.postgres.search import SearchVectorField
from django.db import DatabaseError, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from migrator.backends import mysql, postgresql, sqlite
from migrator.backends.base import Backend
from migrator.core.effects import MigrationKey
from migrator.core.schema import Check, Index, IndexKey, PrimaryKey, Schema, Unique
from migrator.exceptions import InspectionError
from tests.servers import Database

BACKENDS: dict[str, Backend] = {
    "postgresql": postgresql.backend,
    "mysql": mysql.backend,
    "sqlite": sqlite.backend,
}
QUERIES = {"postgresql": 8, "mysql": 7, "sqlite": 4}

Register = Callable[..., BaseDatabaseWrapper]


@pytest.fixture
def backend(database: Database) -> Backend:
    return BACKENDS[database.vendor]


@pytest.fixture
def connection(
    database: Database, backend: Backend, register_alias: Register
) -> BaseDatabaseWrapper:
    connection = register_alias(database.settings())
    backend.configure(connection, application="migrator", connect_timeout=10)
    backend.connect(connection)
    return connection


def model(name: str, /, **attributes: Any) -> type[models.Model]:
    """A model of a registry of its own."""

    class Meta:
        app_label = "example"
        apps = Apps()

    for key, value in attributes.pop("meta", {}).items():
        setattr(Meta, key, value)
    body = {"__module__": __name__, "Meta": Meta, **attributes}
    return type(name, (models.Model,), body)


def django_fields(vendor: str) -> dict[str, models.Field[Any, Any]]:
    """One of each kind of field that Django has on this vendor."""
    fields: dict[str, models.Field[Any, Any]] = {
        "big": models.BigIntegerField(),
        "binary": models.BinaryField(),
        "boolean": models.BooleanField(),
        "char": models.CharField(max_length=20),
        "date": models.DateField(),
        "datetime": models.DateTimeField(),
        "decimal": models.DecimalField(max_digits=12, decimal_places=2),
        "duration": models.DurationField(),
        "email": models.EmailField(),
        "file": models.FileField(),
        "filepath": models.FilePathField(),
        "float": models.FloatField(),
        "image": models.URLField(),
        "integer": models.IntegerField(),
        "ip": models.GenericIPAddressField(),
        "json": models.JSONField(),
        "positive_big": models.PositiveBigIntegerField(),
        "positive": models.PositiveIntegerField(),
        "positive_small": models.PositiveSmallIntegerField(),
        "slug": models.SlugField(),
        "small": models.SmallIntegerField(),
        "text": models.TextField(),
        "time": models.TimeField(),
        "uuid": models.UUIDField(),
        "generated": models.GeneratedField(
            expression=models.F("integer") + 1,
            output_field=models.IntegerField(),
            db_persist=True,
        ),
    }
    if vendor == "postgresql":
        array = postgres_fields.ArrayField
        fields |= {
            "unlimited": models.CharField(),
            "chars": array(models.CharField(max_length=10)),
            "matrix": array(array(models.IntegerField(), size=3)),
            "decimals": array(models.DecimalField(max_digits=5, decimal_places=2)),
            "times": array(models.DateTimeField()),
            "int_range": postgres_fields.IntegerRangeField(),
            "big_range": postgres_fields.BigIntegerRangeField(),
            "decimal_range": postgres_fields.DecimalRangeField(),
            "datetime_range": postgres_fields.DateTimeRangeField(),
            "date_range": postgres_fields.DateRangeField(),
            "vector": SearchVectorField(),
        }
    return fields


@pytest.mark.parametrize("auto", [models.AutoField, models.BigAutoField, models.SmallAutoField])
def test_every_type_of_django_is_spelled_as_inspect_spells_it(
    database: Database,
    backend: Backend,
    connection: BaseDatabaseWrapper,
    auto: type[models.AutoField[Any, Any]],
) -> None:
    everything = model("Everything", id=auto(primary_key=True), **django_fields(database.vendor))
    with connection.schema_editor() as editor:
        editor.create_model(everything)
    table = backend.inspect(connection).tables["example_everything"]
    live = {column.name: column.type for column in table.columns}
    spelled = {
        field.column: backend.canonical_type(
            connection, str(field.db_parameters(connection)["type"])
        )
        for field in everything._meta.local_fields
    }
    assert spelled == live
    assert {name: backend.canonical_type(connection, text) for name, text in live.items()} == live
    (identity,) = (column for column in table.columns if column.identity)
    assert (identity.name, identity.nullable, identity.default) == ("id", False, None)
    assert [column.name for column in table.columns if column.generated] == ["generated"]
    assert [column.name for column in table.columns if column.default is not None] == []


def test_what_a_model_makes_is_read_back(backend: Backend, connection: BaseDatabaseWrapper) -> None:
    target = model("Target", name=models.CharField(max_length=10, unique=True))
    thing = model(
        "Thing",
        number=models.IntegerField(null=True, db_index=True),
        label=models.CharField(max_length=10, db_default="x"),
        meta={
            "constraints": [
                models.UniqueConstraint(fields=["number", "label"], name="one_of_each"),
                models.CheckConstraint(condition=models.Q(number__gt=0), name="positive"),
            ],
            "indexes": [models.Index(fields=["label", "-number"], name="by_label")],
        },
    )
    thing.add_to_class("target", models.ForeignKey(target, models.CASCADE))
    with connection.schema_editor() as editor:
        editor.create_model(target)
        editor.create_model(thing)
    schema = backend.inspect(connection)
    assert set(schema.tables) == {"example_target", "example_thing"}
    table = schema.tables["example_thing"]

    number, label = table.column("number"), table.column("label")
    assert number is not None
    assert number.nullable
    assert label is not None
    assert not label.nullable
    assert (label.default or "").startswith("'x'")
    assert table.primary_key is not None
    assert table.primary_key.columns == ("id",)
    assert table.uniques == (Unique("one_of_each", ("number", "label")),)
    assert [(check.name, check.columns) for check in table.checks] == [("positive", ("number",))]
    (key,) = table.foreign_keys
    assert (key.columns, key.to_table, key.to_columns) == (
        ("target_id",),
        "example_target",
        ("id",),
    )
    deferrable = backend.vendor != "mysql"
    assert (key.deferrable, key.initially_deferred) == (deferrable, deferrable)
    by_label = next(index for index in table.indexes if index.name == "by_label")
    assert by_label == Index("by_label", (IndexKey("label"), IndexKey("number", descending=True)))
    assert ("number",) in {index.columns for index in table.indexes}
    assert ("target_id",) in {index.columns for index in table.indexes}
    assert [unique.columns for unique in schema.tables["example_target"].uniques] == [("name",)]
    assert Schema.from_dict(schema.to_dict()) == schema
    assert backend.inspect(connection).fingerprint() == schema.fingerprint()


def create_tables(database: Database, first: int, last: int) -> None:
    auto = {"sqlite": "integer PRIMARY KEY AUTOINCREMENT"}.get(
        database.vendor, "serial PRIMARY KEY"
    )
    # Only the catalog matters: a MEMORY table is made without waiting for the disk.
    engine = " ENGINE=MEMORY" if database.vendor == "mysql" else ""
    statements = [
        f"CREATE TABLE t{number} (id {auto}, a integer, b varchar(10), CHECK (a > 0), "
        f"UNIQUE (b)){engine}"
        for number in range(first, last)
    ]
    if database.vendor == "mysql":
        connection = database.server.connect(database.name)  # type: ignore[attr-defined]
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    else:
        database.execute("BEGIN;" + ";\n".join(statements) + ";COMMIT")


def test_the_number_of_queries_does_not_depend_on_the_number_of_tables(
    database: Database, backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    counted = []
    for first, last in ((0, 10), (10, 1000)):
        create_tables(database, first, last)
        queries: list[str] = []

        def count(execute: Any, sql: str, *rest: Any, queries: list[str] = queries) -> Any:
            queries.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(count):
            schema = backend.inspect(connection)
        assert len(schema.tables) == last
        assert all(len(table.columns) == 3 for table in schema.tables.values())
        assert all(len(table.checks) == 1 for table in schema.tables.values())
        assert all(table.uniques[0].columns == ("b",) for table in schema.tables.values())
        counted.append(len(queries))
    assert counted == [QUERIES[database.vendor]] * 2


def test_an_empty_database_is_an_empty_schema(
    backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    schema = backend.inspect(connection)
    assert schema.vendor == backend.vendor
    assert (schema.tables, schema.views, schema.unreadable) == ({}, frozenset(), frozenset())
    assert backend.history(connection) is None


def test_views_are_not_tables(
    database: Database, backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    database.execute("CREATE VIEW v AS SELECT 1 AS one")
    schema = backend.inspect(connection)
    assert (set(schema.tables), schema.views) == (set(), {"v"})
    assert [(extra.kind, extra.name) for extra in schema.extras if extra.kind == "view"] == [
        ("view", "v")
    ]


# -- history -------------------------------------------------------------------


def test_history_comes_in_the_order_of_recording(
    backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    recorder = MigrationRecorder(connection)
    recorder.ensure_schema()
    assert backend.history(connection) == ()
    for app, name in (("b", "0001"), ("a", "0002"), ("a", "0001"), ("b", "0001")):
        recorder.record_applied(app, name)
    history = backend.history(connection)
    assert history is not None
    assert [row.migration for row in history] == [
        MigrationKey("b", "0001"),
        MigrationKey("a", "0002"),
        MigrationKey("a", "0001"),
        MigrationKey("b", "0001"),
    ]
    assert all(row.applied is not None and row.applied >= before for row in history)


def test_a_history_table_that_lacks_a_column_is_named(
    database: Database, backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    database.execute("CREATE TABLE django_migrations (id integer, app varchar(255))")
    with pytest.raises(InspectionError, match=r"no column 'name' and no column 'applied'") as error:
        backend.history(connection)
    assert connection.alias in error.value.message
    assert error.value.hint


# -- sessions ------------------------------------------------------------------


def test_a_read_only_session_refuses_to_write(
    database: Database, backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    database.execute("CREATE TABLE t (a integer)")
    with backend.read_only(connection):
        for statement in ("INSERT INTO t VALUES (1)", "CREATE TABLE u (a integer)"):
            with pytest.raises(DatabaseError), connection.cursor() as cursor:
                cursor.execute(statement)
        connection.close()  # and so does the next session
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
        assert set(backend.inspect(connection).tables) == {"t"}
        assert backend.writability(connection).writable
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (1)")
    assert database.query("SELECT count(*) FROM t") == [(1,)]


def test_two_aliases_of_one_database_have_one_identity(
    database: Database,
    backend: Backend,
    connection: BaseDatabaseWrapper,
    register_alias: Register,
    create_database: Callable[..., Database],
) -> None:
    again = register_alias(database.settings())
    other = register_alias(create_database(database.vendor).settings())
    for item in (again, other):
        backend.connect(item)
    assert backend.identity(again) == backend.identity(connection)
    assert backend.identity(other) != backend.identity(connection)
    assert backend.identity(connection).startswith(f"{database.vendor}:")


def test_a_direct_connection_is_not_pooled(
    backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    assert not backend.pooled(connection)


def test_a_lonely_session_sees_no_other_migration(
    backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    assert backend.other_migrations(connection) == ()
    assert backend.writability(connection).writable


def test_connecting_tells_the_server(backend: Backend, connection: BaseDatabaseWrapper) -> None:
    server = backend.connect(connection)
    assert server.product in {"PostgreSQL", "SQLite", "MariaDB", "MySQL"}
    assert server.version > (3,)
    assert str(server).startswith(f"{server.product} {server.version[0]}.")


@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ],
)
def test_a_session_that_the_server_ended_is_opened_again(
    vendor: str, create_database: Callable[..., Database], register_alias: Register
) -> None:
    database, backend = create_database(vendor), BACKENDS[vendor]
    connection = register_alias(database.settings())
    backend.connect(connection)
    if vendor == "postgresql":
        database.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            (pid,) = cursor.fetchone()
        database.execute(f"KILL {pid}")
    backend.connect(connection)
    assert backend.inspect(connection).tables == {}


def test_primary_keys_of_several_columns_keep_their_order(
    database: Database, backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    database.execute("CREATE TABLE t (a integer, b integer, PRIMARY KEY (b, a))")
    key = backend.inspect(connection).tables["t"].primary_key
    assert key is not None
    assert key == PrimaryKey(key.name, ("b", "a"))


def test_a_check_is_read_with_its_columns(
    database: Database, backend: Backend, connection: BaseDatabaseWrapper
) -> None:
    database.execute("CREATE TABLE t (a integer, b integer, c integer, CONSTRAINT k CHECK (a < c))")
    (check,) = backend.inspect(connection).tables["t"].checks
    assert isinstance(check, Check)
    assert (check.name, check.columns, check.valid) == ("k", ("a", "c"), True)
    assert "a" in check.expression
    assert "<" in check.expression
