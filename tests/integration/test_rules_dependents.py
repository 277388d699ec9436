"""A change of type that PostgreSQL refuses, since something else names the column (MF110)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import NotSupportedError, connections, migrations, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations.base import Operation

from migrator.backends import facts_for
from tests.integration.lint_shop import codes, fill, lint_steps
from tests.servers import PostgresServer

SQL = migrations.RunSQL
VIEW = "CREATE VIEW few AS SELECT i.id, i.name FROM shop_item AS i"
RETYPED = migrations.AlterField("Item", "name", models.CharField(max_length=80))

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def shop(postgres: PostgresServer) -> Iterator[BaseDatabaseWrapper]:
    database = postgres.create_database("lint")
    entry = database.settings()
    connections.configure_settings({"default": {}, "dependents": entry})
    connections.settings["dependents"] = entry
    wrapper = connections["dependents"]
    fill(wrapper)
    yield wrapper
    wrapper.close()
    del connections["dependents"]
    del connections.settings["dependents"]
    database.drop()


@pytest.fixture
def connection(shop: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    """The shop; what a test makes in it is gone afterwards."""
    with transaction.atomic(using=shop.alias):
        yield shop
        transaction.set_rollback(True, using=shop.alias)


def run(connection: BaseDatabaseWrapper, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


KINDS = {
    "view few": VIEW,
    "materialized view few": "CREATE MATERIALIZED VIEW few AS SELECT upper(name) FROM shop_item",
    "view other.few": "CREATE SCHEMA other; CREATE VIEW other.few AS SELECT * FROM shop_item",
    "rule r": "CREATE RULE r AS ON UPDATE TO shop_item WHERE old.name = 'x' DO INSTEAD NOTHING",
    "trigger t": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; "
        "CREATE TRIGGER t BEFORE UPDATE OF name ON shop_item FOR EACH ROW EXECUTE FUNCTION f()"
    ),
    "policy p": "CREATE POLICY p ON shop_item USING (name <> 'x')",
    "function f": (
        "CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC"
        " SELECT count(*) FROM shop_item WHERE name = 'x'; END"
    ),
    "generated column g": (
        "ALTER TABLE shop_item ADD COLUMN g text GENERATED ALWAYS AS (upper(name)) STORED"
    ),
}


@pytest.mark.parametrize("what", KINDS)
def test_what_refuses_a_change_of_type_is_named(connection: BaseDatabaseWrapper, what: str) -> None:
    run(connection, KINDS[what])
    found = facts_for(connection).dependents("shop_item", "name")
    assert [f"{each.kind} {each.name}".replace('"."', ".") for each in found] == [what]
    with pytest.raises(NotSupportedError), transaction.atomic(using=connection.alias):
        run(connection, "ALTER TABLE shop_item ALTER COLUMN name TYPE varchar(80)")


INDEPENDENT = [
    "CREATE VIEW few AS SELECT i.id, c.name FROM shop_item AS i JOIN shop_category AS c ON true",
    "CREATE INDEX x ON shop_item (lower(name))",
    "ALTER TABLE shop_item ADD CONSTRAINT x CHECK (name <> '')",
    "ALTER TABLE shop_item ALTER COLUMN name SET DEFAULT 'x'",
]


@pytest.mark.parametrize("sql", INDEPENDENT)
def test_what_does_not_refuse_it_is_not(connection: BaseDatabaseWrapper, sql: str) -> None:
    run(connection, sql)
    assert facts_for(connection).dependents("shop_item", "name") == ()
    run(connection, "ALTER TABLE shop_item ALTER COLUMN name TYPE varchar(80)")


def test_mf110_of_a_column_that_a_view_uses(connection: BaseDatabaseWrapper) -> None:
    assert "MF110" not in codes(lint_steps(connection, [RETYPED]))
    run(connection, VIEW)
    (told,) = (each for each in lint_steps(connection, [RETYPED]) if each.code == "MF110")
    assert told.severity.value == "error"
    assert told.message == (
        "The view few uses shop_item.name: PostgreSQL refuses to change its type."
    )
    elsewhere = migrations.AlterField("Item", "code", models.CharField(max_length=80))
    assert "MF110" not in codes(lint_steps(connection, [elsewhere]))


@pytest.mark.parametrize(
    "before",
    [
        SQL("DROP VIEW few", VIEW),
        SQL("DROP VIEW public.few", VIEW),
        SQL("DROP VIEW IF EXISTS public.few CASCADE", VIEW),
        SQL("CREATE OR REPLACE VIEW few AS SELECT id, code AS name FROM shop_item", VIEW),
        migrations.RemoveField("Item", "moment"),
    ],
    ids=[
        "dropped",
        "dropped by its whole name",
        "dropped with more",
        "made anew",
        "gone with another column",
    ],
)
def test_mf110_not_where_the_plan_drops_it_first(
    connection: BaseDatabaseWrapper, before: Operation
) -> None:
    run(connection, VIEW.replace("i.name", "i.name, i.moment"))
    again = SQL(VIEW, "DROP VIEW few")
    assert "MF110" not in codes(lint_steps(connection, [before, RETYPED, again]))
    assert "MF110" not in codes(lint_steps(connection, [before], [RETYPED, again]))
