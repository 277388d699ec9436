"""What a plan shows is what is then really sent, statement by statement, on every vendor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    CreateCollation,
    CreateExtension,
    RemoveIndexConcurrently,
)
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import operations as op
from django.db.migrations.executor import MigrationExecutor

from migrator.backends import backend_for
from migrator.core.effects import MigrationKey
from migrator.core.plan import Plan
from migrator.planning import make_backwards_plan, plan_migrations
from migrator.sources import full_plan
from tests.history import History
from tests.integration.planning_chains import CHAINS, ID
from tests.sent import sent
from tests.servers import Database

HERE = Path(__file__).parent
EVERY = 4
"""A plan is made before every so many migrations: what comes first of it is in the one before."""

Register = Callable[..., BaseDatabaseWrapper]


@pytest.fixture
def connection(database: Database, register_alias: Register) -> BaseDatabaseWrapper:
    return register_alias(database.settings())


def forwards(
    history: History, connection: BaseDatabaseWrapper, recorded: Sequence[MigrationKey]
) -> Plan:
    loader = history.graph(connection, recorded)
    keys = [key for key in full_plan(loader) if key not in set(recorded)]
    backend = backend_for(connection.vendor)
    with backend.read_only(connection):
        return plan_migrations(connection, backend, loader, recorded, keys, base_dir=HERE)


def backwards(
    history: History, connection: BaseDatabaseWrapper, recorded: Sequence[MigrationKey]
) -> Plan:
    loader = history.graph(connection, recorded)
    keys = [key for key in reversed(full_plan(loader)) if key in set(recorded)]
    backend = backend_for(connection.vendor)
    with backend.read_only(connection):
        return make_backwards_plan(connection, backend, loader, recorded, keys, base_dir=HERE)


def statements(plan: Plan) -> list[str]:
    return [statement.sql for step in plan.steps for statement in step.statements]


def migrate(
    history: History, connection: BaseDatabaseWrapper, key: MigrationKey, *, back: bool = False
) -> None:
    """Let Django itself apply or unapply one migration."""
    executor = MigrationExecutor(connection)
    recorded = [MigrationKey(*each) for each in executor.loader.applied_migrations]
    executor.loader = history.graph(connection, recorded)
    plan = [(executor.loader.graph.nodes[key], back)]
    state = executor._create_project_state(with_applied_migrations=True)  # type: ignore[attr-defined]
    _ = state.apps  # as MigrationExecutor.migrate does
    if back:
        executor._migrate_all_backwards(  # type: ignore[attr-defined]
            plan,
            executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True),
            False,
        )
    else:
        executor.apply_migration(state, plan[0][0])


def prove(
    make: Callable[[], History],
    connection: BaseDatabaseWrapper,
    *,
    back: bool = True,
) -> None:
    """From several points on the way, the plan of all the rest is what is then sent."""
    history = make()
    keys = list(full_plan(history.graph(connection)))
    plans: dict[int, Plan] = {}
    real: list[list[str]] = []
    for number, key in enumerate(keys):
        if number % EVERY == 0:
            plans[number] = forwards(history, connection, keys[:number])
        with sent() as found:
            migrate(make(), connection, key)
        real.append([sql for _, sql in found])
    for number, plan in plans.items():
        assert [step.unshown for step in plan.steps if step.unshown] == []
        expected = [sql for found in real[number:] for sql in found]
        assert statements(plan) == expected, f"seen from before {keys[number]}"
    if not back:
        return
    plans, real = {}, []
    for number in range(len(keys), 0, -1):
        if (len(keys) - number) % EVERY == 0:
            plans[len(keys) - number] = backwards(history, connection, keys[:number])
        with sent() as found:
            migrate(make(), connection, keys[number - 1], back=True)
        real.append([sql for _, sql in found])
    for number, plan in plans.items():
        assert [step.unshown for step in plan.steps if step.unshown] == []
        expected = [sql for found in real[number:] for sql in found]
        assert statements(plan) == expected, f"back from {keys[len(keys) - number - 1]}"


@pytest.mark.parametrize("make", CHAINS, ids=lambda make: make.__name__)
def test_what_is_shown_is_what_is_sent(
    make: Callable[[], History],
    connection: BaseDatabaseWrapper,
) -> None:
    prove(make, connection)


# -- what only PostgreSQL has -----------------------------------------------------------------


def only_postgresql(extension: str) -> History:
    """Extensions, collations, indexes online, and a table in a schema of its own."""
    text = models.CharField(max_length=20, unique=True, db_collation="own_sort")
    odd = "Odd näme of a table, with a very long name that will just fit in"
    return (
        History()
        .add("shop", "0001_initial", [CreateExtension(extension), CreateExtension(extension)])
        .add(
            "shop",
            "0002_collation",
            [
                CreateCollation("own_sort", locale="C"),
                op.CreateModel("Thing", [ID, ("a", models.IntegerField()), ("text", text)]),
                op.CreateModel(
                    "Odd",
                    [ID, ("ä b", models.IntegerField(unique=True, db_column="ä B"))],
                    options={"db_table": odd[:60]},
                ),
            ],
        )
        .add("shop", "0003_again", [CreateExtension(extension)])
        .add(
            "shop",
            "0004_online",
            [
                AddIndexConcurrently("thing", models.Index(fields=["a"], name="online")),
                RemoveIndexConcurrently("thing", "online"),
            ],
            atomic=False,
        )
        .add(
            "shop",
            "0005_odd",
            [op.AlterField("odd", "ä b", models.BigIntegerField(null=True, db_column="ä B"))],
        )
        .add(
            "shop",
            "0006_text",
            [op.AlterField("thing", "text", models.TextField(db_collation="own_sort"))],
        )
    )


@pytest.fixture
def postgresql(postgres_database: Database, register_alias: Register) -> BaseDatabaseWrapper:
    return register_alias(postgres_database.settings())


def test_what_only_postgresql_has(postgresql: BaseDatabaseWrapper) -> None:
    with postgresql.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM pg_available_extensions WHERE name IN ('citext', 'vector')"
        )
        found = cursor.fetchone()
    if found is None:
        pytest.skip("this server has neither citext nor vector")
    prove(lambda: only_postgresql(str(found[0])), postgresql, back=False)


def test_an_index_online_within_a_transaction_is_known_to_fail(
    postgresql: BaseDatabaseWrapper,
) -> None:
    history = (
        History()
        .add("shop", "0001_initial", [op.CreateModel("Thing", [ID, ("a", models.IntegerField())])])
        .add(
            "shop",
            "0002_online",
            [
                AddIndexConcurrently("thing", models.Index(fields=["a"], name="online")),
                op.AddField("thing", "b", models.IntegerField(null=True)),
            ],
        )
    )
    _, step = forwards(history, postgresql, []).steps
    assert "cannot be executed inside a transaction" in step.unshown
    assert [operation.shown for operation in step.operations] == [False, True]
    assert [statement.operation for statement in step.statements] == [1]


def test_what_the_operations_are(postgresql: BaseDatabaseWrapper) -> None:
    history = (
        History()
        .add("shop", "0001_initial", [op.CreateModel("Thing", [ID])])
        .add(
            "shop",
            "0002_more",
            [
                op.AddField("thing", "a", models.IntegerField(default=1)),
                op.AddField("thing", "b", models.IntegerField(db_default=1)),
                op.RenameField("thing", "b", "c"),
                op.RunPython(_code, atomic=False),
                op.RunSQL("UPDATE shop_thing SET a = 2"),
                op.RenameModel("Thing", "Item"),
            ],
            migrator_ignore={"LK101": "it is small"},
        )
    )
    step = forwards(history, postgresql, []).steps[1]
    add, defaulted, renamed, code, sql, model = step.operations
    assert (add.model, add.field, add.fills_rows, add.database_default) == (
        "thing",
        "a",
        True,
        False,
    )
    assert (defaulted.fills_rows, defaulted.database_default) == (False, True)
    assert (renamed.field, renamed.renamed_to) == ("b", "c")
    assert (code.shown, code.moves_rows, code.atomic, code.reversible) == (
        False,
        True,
        False,
        False,
    )
    assert (sql.shown, sql.moves_rows, sql.reversible) == (True, True, False)
    assert (model.model, model.renamed_to) == ("Thing", "Item")
    both = list(full_plan(history.graph(postgresql)))
    back, _ = backwards(history, postgresql, both).steps
    assert [operation.index for operation in back.operations] == [5, 4, 3, 2, 1, 0]
    assert "it cannot be taken back" in back.unshown
    gone, there = back.operations[0].effect.tables
    assert (gone.key, gone.after, there.key) == ("shop_item", None, "shop_thing")


def _code(apps: object, schema_editor: object) -> None:
    raise AssertionError("no plan runs code")


def test_planning_leaves_the_operations_as_they_were(postgresql: BaseDatabaseWrapper) -> None:
    """Django's RenameField writes to the fields of the operations; a plan must not, since the
    executor goes through the same operations right after the gate has planned them.
    """
    history = (
        History()
        .add(
            "shop",
            "0001_initial",
            [
                op.CreateModel("Thing", [ID, ("code", models.IntegerField(unique=True))]),
                op.CreateModel(
                    "Part",
                    [
                        ID,
                        ("thing", models.ForeignKey("shop.Thing", models.CASCADE, to_field="code")),
                    ],
                ),
            ],
        )
        .add("shop", "0002_rename", [op.RenameField("thing", "code", "number")])
    )
    first = statements(forwards(history, postgresql, []))
    assert statements(forwards(history, postgresql, [])) == first
    with sent() as found:
        for key in full_plan(history.graph(postgresql)):
            migrate(history, postgresql, key)
    assert [sql for _, sql in found] == first


def test_a_cost_is_that_of_its_turn(postgresql: BaseDatabaseWrapper) -> None:
    """Widening a column is free, also one that the statement before has renamed."""
    wider = models.CharField(max_length=20, db_column="label")
    narrow = models.CharField(max_length=5, db_column="label")
    history = (
        History()
        .add(
            "shop",
            "0001_initial",
            [op.CreateModel("Thing", [ID, ("code", models.CharField(max_length=9))])],
        )
        .add("shop", "0002_wider", [op.AlterField("thing", "code", wider)])
        .add("shop", "0003_narrow", [op.AlterField("thing", "code", narrow)])
    )
    first = MigrationKey("shop", "0001_initial")
    migrate(history, postgresql, first)
    wide, cut = forwards(history, postgresql, [first]).steps
    assert [statement.cost.rewrites for statement in wide.statements] == [(), ()]
    assert [statement.cost.rewrites for statement in cut.statements] == [("shop_thing",)]


def test_a_key_of_a_new_table_locks_the_other_and_reads_nothing(
    postgresql: BaseDatabaseWrapper,
) -> None:
    key = models.ForeignKey("shop.Thing", models.CASCADE)
    history = (
        History()
        .add("shop", "0001_initial", [op.CreateModel("Thing", [ID])])
        .add("shop", "0002_part", [op.CreateModel("Part", [ID, ("thing", key)])])
    )
    first = MigrationKey("shop", "0001_initial")
    migrate(history, postgresql, first)
    (step,) = forwards(history, postgresql, [first]).steps
    costs = [statement.cost for statement in step.statements]
    locked = [(lock.table, lock.mode) for cost in costs for lock in cost.locks]
    assert locked == [("shop_thing", "SHARE ROW EXCLUSIVE")]
    assert [table for cost in costs for table in cost.scans] == []
