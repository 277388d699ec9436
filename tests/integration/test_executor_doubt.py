"""What answers for an interrupted attempt: this database alone, and as it spells its names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.exceptions import DecisionNeeded, Diverged
from migrator.executor.witness import Witness
from tests.integration.executor_bench import Bench, key, make
from tests.servers import Database, PostgresServer

Register = Callable[..., BaseDatabaseWrapper]
on_postgresql = pytest.mark.parametrize(
    "vendor", [pytest.param("postgresql", marks=pytest.mark.postgresql)]
)

on_mysql = pytest.mark.parametrize("vendor", [pytest.param("mysql", marks=pytest.mark.mysql)])

PETS = migrations.CreateModel("Pet", [("id", key()), ("age", models.IntegerField())])
NAMED = migrations.AddField("Pet", "name", models.CharField(max_length=9, null=True))
NOTED = migrations.AddField("Pet", "note", models.CharField(max_length=9, null=True))


def arrive(apps: Any, schema_editor: Any) -> None:
    apps.get_model("pets", "Pet").objects.using(schema_editor.connection.alias).create(age=1)


def grow(apps: Any, schema_editor: Any) -> None:
    pets = apps.get_model("pets", "Pet").objects.using(schema_editor.connection.alias)
    pets.update(age=models.F("age") + 1)


@pytest.fixture
def bench(vendor: str, create_database: Callable[..., Database], register_alias: Register) -> Bench:
    database = create_database(vendor)
    return Bench(database, register_alias(database.settings()))


def crash(bench: Bench, label: str, *several: migrations.Migration) -> None:
    """Stop at the last boundary of that label."""
    labels = bench.labels(*several)
    boundary = max(number for number, found in enumerate(labels, 1) if label in found)
    assert bench.crash(boundary, *several)


@on_postgresql
def test_another_database_of_the_server_does_not_answer_for_ours(
    bench: Bench, create_database: Callable[..., Database], register_alias: Register
) -> None:
    """The server knows the transaction, as committed; but not in which database."""
    several = (
        make("0001", [PETS, migrations.RunPython(arrive)]),
        make("0002", [migrations.RunPython(grow, atomic=True), NAMED]),
    )
    crash(bench, "before journal operation pets.0002:0 done", *several)
    assert bench.database.query("SELECT age FROM pets_pet") == [(2,)]

    swapped = create_database("postgresql")
    other = Bench(swapped, register_alias(swapped.settings()))
    other.ours(several[0])
    other.journal = bench.journal
    with pytest.raises(DecisionNeeded, match=r"Operation 0 .* of pets\.0002"):
        other.ours(*several)
    assert swapped.query("SELECT age FROM pets_pet") == [(1,)]

    bench.ours(*several)
    assert bench.database.query("SELECT age FROM pets_pet") == [(2,)]


@on_postgresql
def test_an_operation_in_doubt_is_run_where_another_database_lacks_it(
    bench: Bench, create_database: Callable[..., Database], register_alias: Register
) -> None:
    several = (make("0001", [PETS]), make("0002", [NAMED, NOTED]))
    crash(bench, "before journal operation pets.0002:0 done", *several)
    swapped = create_database("postgresql")
    other = Bench(swapped, register_alias(swapped.settings()))
    other.ours(several[0])
    other.journal = bench.journal
    other.ours(*several)
    assert swapped.query("SELECT name, note FROM pets_pet") == []


@on_postgresql
def test_a_committed_operation_whose_effect_was_put_back_has_diverged(bench: Bench) -> None:
    """As after `pg_restore --clean` of an older dump: the server remembers the transaction."""
    several = (make("0001", [PETS]), make("0002", [NAMED, NOTED]))
    crash(bench, "before journal operation pets.0002:0 done", *several)
    bench.database.execute("ALTER TABLE pets_pet DROP COLUMN name")
    with pytest.raises(Diverged, match=r"operation 0 .* of pets\.0002"):
        bench.ours(*several)


@on_postgresql
def test_a_witness_of_an_earlier_version_is_no_witness(bench: Bench) -> None:
    """It names the transaction alone."""
    witness = Witness(bench.connection)
    number = bench.database.query("SELECT pg_current_xact_id()::text")[0][0]
    assert witness.committed(str(number), changes_schema=True) is None
    assert witness.committed(f"another:1:{number}", changes_schema=True) is None
    assert witness.committed("", changes_schema=True) is None


@on_postgresql
def test_without_a_name_for_the_server_there_is_no_witness(
    bench: Bench, register_alias: Register, postgres: PostgresServer
) -> None:
    """A role that may not ask which server it is."""
    bench.database.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public")
    role = f"witness_{bench.database.name[-8:]}"
    bench.database.execute(f"CREATE ROLE {role}")
    try:
        with bench.connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
            assert Witness(bench.connection).token() == ""
            cursor.execute("RESET ROLE")
        assert Witness(bench.connection).token()
    finally:
        bench.connection.close()
        bench.database.execute(f"DROP ROLE {role}")


LONG = "pets_of_a_certain_age_and_older_are_not_to_be_sold_to_just_anybody_here"


@on_postgresql
def test_a_name_that_the_server_cuts_off_is_still_there(bench: Bench) -> None:
    """More than 63 bytes: PostgreSQL keeps as many."""
    check = models.CheckConstraint(condition=models.Q(age__gte=0), name=LONG)
    several = (make("0001", [PETS]), make("0002", [migrations.AddConstraint("Pet", check), NAMED]))
    crash(bench, "after journal operation pets.0002:0 done", *several)
    bench.ours(*several)
    assert bench.database.query("SELECT name FROM pets_pet") == []


@on_postgresql
def test_a_table_in_a_schema_of_its_own_is_still_there(bench: Bench) -> None:
    create = migrations.CreateModel(
        "Pet", [("id", key()), ("age", models.IntegerField())], options={"db_table": 'zoo"."pet'}
    )
    several = (
        make("0001", [migrations.RunSQL("DROP SCHEMA IF EXISTS zoo CASCADE; CREATE SCHEMA zoo")]),
        make("0002", [create, NAMED, NOTED]),
    )
    crash(bench, "after journal operation pets.0002:0 done", *several)
    bench.database.execute("SELECT 1 FROM zoo.pet")
    bench.ours(*several)
    assert bench.database.query("SELECT name, note FROM zoo.pet") == []


@on_mysql
@pytest.mark.filterwarnings("ignore")
def test_what_django_never_makes_on_this_vendor_is_not_missed(bench: Bench) -> None:
    """MySQL has no conditional unique constraints, nor MariaDB indexes on expressions: Django
    warns, and passes over them.
    """
    condition = models.Q(age__gt=1)
    unique = models.UniqueConstraint(fields=["age"], condition=condition, name="pets_age_alone")
    several = (make("0001", [PETS]), make("0002", [migrations.AddConstraint("Pet", unique), NAMED]))
    crash(bench, "after journal operation pets.0002:0 done", *several)
    bench.ours(*several)
    assert bench.database.query("SELECT name FROM pets_pet") == []
