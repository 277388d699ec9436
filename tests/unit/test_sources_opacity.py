"""What SQL and code in a migration may touch, proved or else presumed."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from migrator.sources.code import does_nothing, only_uses_models
from migrator.sources.scripts import is_empty_sql, read_sql

ANY = None
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("sql", "tables", "moves_rows"),
    [
        ("UPDATE shop_thing SET n = 1", NONE, True),
        ("INSERT INTO a (b) SELECT c FROM d;", NONE, True),
        ("DELETE FROM a; UPDATE b SET c = 1;", NONE, True),
        ("TRUNCATE a", NONE, True),
        ("SELECT 1", NONE, False),
        ("SELECT setval('a_id_seq', 10)", NONE, False),
        ("SET lock_timeout = '3s'", NONE, False),
        ("COMMENT ON TABLE a IS 'x'", NONE, False),
        ("GRANT SELECT ON a TO b", NONE, False),
        ("CREATE EXTENSION IF NOT EXISTS hstore", NONE, False),
        ("CREATE VIEW v AS SELECT * FROM a", NONE, False),
        ("CREATE MATERIALIZED VIEW v AS SELECT * FROM a", NONE, False),
        ("ALTER TABLE a ADD COLUMN b integer", {"a"}, False),
        ("ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (x) REFERENCES other (id)", {"a"}, False),
        ("ALTER TABLE IF EXISTS ONLY a ALTER COLUMN b SET STATISTICS 100", {"a"}, False),
        ('ALTER TABLE "Mixed" RENAME TO "Other"', {"Mixed", "Other"}, False),
        ("ALTER TABLE a RENAME COLUMN b TO c", {"a"}, False),
        ("ALTER TABLE Folded ADD x int", {"folded"}, False),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a USING gin (b gin_trgm_ops)", {"a"}, False),
        ("CREATE UNIQUE INDEX i ON a (lower(b)) WHERE c IS NULL", {"a"}, False),
        ("CREATE TABLE a (id integer REFERENCES b (id))", {"a"}, False),
        ("CREATE TABLE a AS SELECT * FROM b", {"a"}, False),
        ("DROP TABLE IF EXISTS a", {"a"}, False),
        ("DROP TABLE a, b CASCADE", {"a", "b"}, False),
        ('ALTER TABLE archive.a ADD b int; UPDATE c SET d = 1', {'archive"."a'}, True),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()", {"a"}, False),
        ("-- nothing\n/* at all */;", NONE, False),
    ],
)  # fmt: skip
def test_sql_touches_the_tables_that_it_names(sql: str, tables: set[str], moves_rows: bool) -> None:
    reading = read_sql(sql, "postgresql")
    assert reading.tables == frozenset(tables)
    assert reading.moves_rows is moves_rows


@pytest.mark.parametrize(
    "sql",
    [
        "DO $$ BEGIN ALTER TABLE a ADD b int; END $$",
        "CREATE FUNCTION f() RETURNS void AS $$ DROP TABLE a $$ LANGUAGE sql",
        "SELECT create_hypertable('a', 'time')",
        "SELECT my_function()",
        "UPDATE a SET b = 1; CALL mend()",
        "DROP INDEX some_index",
        "ALTER INDEX i RENAME TO j",
        "this is not SQL at all",
        "SELECT * INTO b FROM a",
        "ALTER TYPE mood ADD VALUE 'x'",
        "DROP SCHEMA archive CASCADE",
    ],
)
def test_sql_that_cannot_be_read_may_touch_anything(sql: str) -> None:
    assert read_sql(sql, "postgresql").tables is ANY


def test_lists_and_parameters_are_read_as_runsql_takes_them() -> None:
    script = [("UPDATE a SET b = %s", [1]), "ALTER TABLE c ADD d int"]
    reading = read_sql(script, "postgresql")
    assert (reading.tables, reading.moves_rows) == ({"c"}, True)
    assert read_sql(["ALTER TABLE a ADD b int", "DO $$x$$"], "postgresql").tables is ANY


def test_dialects_quote_in_their_own_way() -> None:
    assert read_sql("ALTER TABLE `a` ADD COLUMN `b` int", "mysql").tables == {"a"}
    assert read_sql('ALTER TABLE "a" ADD COLUMN b int', "sqlite").tables == {"a"}


@pytest.mark.parametrize(
    ("sql", "empty"),
    [("", True), ([], True), ("-- later\n;", True), ("SELECT 1", False), (["", "x"], False)],
)
def test_what_is_nothing_to_run(sql: Any, empty: bool) -> None:
    assert is_empty_sql(sql) is empty


# -- Python ------------------------------------------------------------------------


def plain(apps: Any, schema_editor: Any) -> None:
    thing = apps.get_model("shop", "Thing")
    for item in thing.objects.all():
        item.at = timezone.now()
        item.save()


def with_alias(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    if schema_editor.connection.vendor == "postgresql":
        apps.get_model("shop", "Thing").objects.using(alias).update(n=1)
    with transaction.atomic(using=schema_editor.connection.alias):
        pass


def _fill(apps: Any, editor: Any, name: str) -> None:
    apps.get_model("shop", name).objects.using(editor.connection.alias).update(n=1)


def _alter(editor: Any) -> None:
    editor.execute("ALTER TABLE a ADD b int")


def _quietly() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def through_a_harmless_function(apps: Any, schema_editor: Any) -> None:
    _fill(apps, schema_editor, "Thing")


def other_names(registry: Any, _editor: Any) -> None:
    _fill(registry, _editor, getattr(registry, "name", "Thing"))


def executes(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute("ALTER TABLE a ADD b int")


def through_a_function(apps: Any, schema_editor: Any) -> None:
    _alter(schema_editor)


def through_a_function_without_arguments(apps: Any, schema_editor: Any) -> None:
    _quietly()


def opens_a_cursor(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def keeps_the_editor(apps: Any, schema_editor: Any) -> None:
    editor = schema_editor
    editor.add_field(None, None)


def keeps_the_connection(apps: Any, other: Any) -> None:
    conn = other.connection
    print(conn)


def uses_another_connection(apps: Any, schema_editor: Any) -> None:
    connections["other"].ensure_connection()


def runs_a_command(apps: Any, schema_editor: Any) -> None:
    call_command("migrate")


def hides_it(apps: Any, schema_editor: Any) -> None:
    getattr(schema_editor, "exec" + "ute")("ALTER TABLE a ADD b int")


def evaluates(apps: Any, schema_editor: Any) -> None:
    eval("1")


def imports_inside(apps: Any, schema_editor: Any) -> None:
    from django.db import connection as conn

    conn.ensure_connection()


class _Service:
    def run(self) -> None: ...


def uses_a_class_of_the_project(apps: Any, schema_editor: Any) -> None:
    _Service().run()


def _recursive(apps: Any, schema_editor: Any) -> None:
    _recursive(apps, schema_editor)


class Called:
    def __call__(self, apps: Any, schema_editor: Any) -> None: ...


@pytest.mark.parametrize(
    "code",
    [
        plain,
        with_alias,
        through_a_harmless_function,
        other_names,
        _recursive,
        functools.partial(_fill, name="Thing"),
    ],
)
def test_code_that_only_uses_models_is_seen_through(code: Any) -> None:
    assert only_uses_models(code)


@pytest.mark.parametrize(
    "code",
    [
        executes,
        through_a_function,
        through_a_function_without_arguments,
        opens_a_cursor,
        keeps_the_editor,
        keeps_the_connection,
        uses_another_connection,
        runs_a_command,
        hides_it,
        evaluates,
        imports_inside,
        uses_a_class_of_the_project,
        Called(),
        lambda apps, schema_editor: None,
        functools.partial(_alter),
        len,
    ],
)
def test_code_that_reaches_for_the_schema_or_cannot_be_read_is_opaque(code: Any) -> None:
    assert not only_uses_models(code)


def test_code_without_a_source_is_opaque() -> None:
    namespace: dict[str, Any] = {}
    exec("def made(apps, schema_editor): pass", namespace)
    assert not only_uses_models(namespace["made"])


def test_code_of_django_itself_is_seen_through() -> None:
    from importlib import import_module

    module = import_module("django.contrib.auth.migrations.0011_update_proxy_permissions")
    assert only_uses_models(module.update_proxy_model_permissions)


def nothing(apps: Any, schema_editor: Any) -> None:
    """Only a docstring."""


def nothing_either(apps: Any, schema_editor: Any) -> None:
    pass


def test_empty_functions_do_nothing() -> None:
    assert does_nothing(nothing)
    assert does_nothing(nothing_either)
    assert not does_nothing(plain)
