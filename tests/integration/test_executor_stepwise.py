"""Migrations without a transaction around them: crashed at every boundary, then resumed.

Each sweep crashes within this process: `Crash` at boundary k of the SQL or of the journal, the
connection closed, the journal as a killed process would have left it. `test_executor_crash.py`
does it with SIGKILL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import DatabaseError, migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.core import events
from migrator.exceptions import DecisionNeeded, Diverged, ExitCode, MigrationFailed, MigratorError
from migrator.executor import CrashSafeExecutor
from tests.integration.executor_bench import Bench, key, make
from tests.servers import Database

Register = Callable[..., BaseDatabaseWrapper]
on_mysql = pytest.mark.parametrize("vendor", [pytest.param("mysql", marks=pytest.mark.mysql)])
on_postgresql = pytest.mark.parametrize(
    "vendor", [pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
every_vendor = pytest.mark.parametrize(
    "vendor",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
    ],
)


CREATE = (
    migrations.CreateModel(
        "Owner", [("id", key()), ("name", models.CharField(max_length=20, db_index=True))]
    ),
    migrations.CreateModel(
        "Pet",
        [
            ("id", key()),
            ("name", models.CharField(max_length=20, null=True)),
            ("code", models.CharField(max_length=20, unique=True)),
            ("owner", models.ForeignKey("pets.Owner", models.CASCADE)),
            ("friends", models.ManyToManyField("pets.Pet")),
        ],
        options={"unique_together": {("name", "owner")}},
    ),
)
ALTER = (
    migrations.AddField("Pet", "born", models.DateField(null=True, db_index=True)),
    migrations.AddField("Pet", "notes", models.TextField(default="none")),
    migrations.AddField("Pet", "vet", models.ForeignKey("pets.Owner", models.CASCADE, null=True)),
    migrations.AlterField(
        "Pet", "owner", models.ForeignKey("pets.Owner", models.SET_NULL, null=True)
    ),
    migrations.AlterField("Pet", "name", models.CharField(max_length=40, default="?")),
    migrations.RenameField("Pet", "code", "chip"),
    migrations.AddIndex("Pet", models.Index(fields=["name", "born"], name="pet_name_born_idx")),
    migrations.AlterUniqueTogether("Pet", set()),
    migrations.RenameModel("Owner", "Person"),
    migrations.AddConstraint(
        "Pet", models.UniqueConstraint(fields=["chip", "born"], name="pet_chip_born")
    ),
    migrations.AlterField("Person", "id", models.AutoField(primary_key=True)),
    migrations.RemoveField("Pet", "notes"),
    migrations.CreateModel(
        "Toy", [("id", key()), ("pet", models.ForeignKey("pets.Pet", models.CASCADE))]
    ),
    migrations.AlterField("Toy", "pet", models.OneToOneField("pets.Pet", models.CASCADE)),
)


@pytest.fixture
def bench(vendor: str, create_database: Callable[..., Database], register_alias: Register) -> Bench:
    database = create_database(vendor)
    return Bench(database, register_alias(database.settings()))


def sweep(
    bench: Bench,
    *several: migrations.Migration,
    start: int = 1,
    step: int = 1,
    data: str = "",
) -> int:
    """Crash at every boundary, resume, compare; how many boundaries there were."""
    expected = bench.stock(*several)
    expected_data = bench.database.query(data) if data else []
    failures: list[str] = []
    boundary = start
    while True:
        bench.wipe()
        CrashSafeExecutor(bench.connection).recorder.ensure_schema()
        if not bench.crash(boundary, *several):
            break
        try:
            bench.ours(*several)
        except MigratorError as error:
            failures.append(f"{boundary}: {error}")
        else:
            if bench.dump() != expected:
                failures.append(f"{boundary}: another schema")
            if data and bench.database.query(data) != expected_data:
                failures.append(f"{boundary}: other rows")
        boundary += step
    assert not failures, "\n".join(failures)
    return boundary


@every_vendor
def test_schema_is_the_same_as_stock_djangos(bench: Bench) -> None:
    several = make("0001_initial", CREATE), make("0002_alter", ALTER)
    expected = bench.stock(*several)
    bench.wipe()
    bench.ours(*several)
    assert bench.dump() == expected


@every_vendor
def test_sweep_of_a_few_boundaries_ends_in_the_same_schema(bench: Bench) -> None:
    step = 61 if bench.database.vendor == "mysql" else 23  # each DDL statement is an fsync there
    assert sweep(bench, make("0001_initial", CREATE), make("0002_alter", ALTER), step=step) > 100


@pytest.mark.slow
@every_vendor
def test_sweep_of_every_boundary_ends_in_the_same_schema(bench: Bench) -> None:
    assert sweep(bench, make("0001_initial", CREATE), make("0002_alter", ALTER)) > 100


# -- code in doubt -------------------------------------------------------------------------

PETS = migrations.CreateModel("Pet", [("id", key()), ("age", models.IntegerField())])


def grow(apps: Any, schema_editor: Any) -> None:
    """Run twice, the pet is two years older."""
    pets = apps.get_model("pets", "Pet").objects.using(schema_editor.connection.alias)
    pets.update(age=models.F("age") + 1)


def arrive(apps: Any, schema_editor: Any) -> None:
    apps.get_model("pets", "Pet").objects.using(schema_editor.connection.alias).create(age=1)


def boundary_of(bench: Bench, label: str, *several: migrations.Migration) -> int:
    """The number of the last boundary with that label, in an undisturbed run."""
    labels = bench.labels(*several)
    return max(number for number, found in enumerate(labels, 1) if label in found)


@every_vendor
def test_code_in_doubt_outside_of_a_transaction_needs_a_decision(bench: Bench) -> None:
    several = (
        make("0001", [PETS, migrations.RunPython(arrive)]),
        make("0002", [migrations.RunPython(grow), migrations.AlterModelOptions("Pet", {})]),
    )
    boundary = boundary_of(bench, "before journal operation pets.0002:0 done", *several)
    assert bench.crash(boundary, *several)
    with pytest.raises(DecisionNeeded, match=r"Operation 0 .* of pets\.0002") as raised:
        bench.ours(*several)
    assert raised.value.exit_code is ExitCode.DECISION
    assert "--assume-applied pets.0002" in raised.value.hint
    assert bench.database.query("SELECT age FROM pets_pet") == [(2,)]

    bench.ours(*several, assume_applied=["pets.0002"])
    assert bench.database.query("SELECT age FROM pets_pet") == [(2,)]
    assert "'0002'" in bench.dump()


@every_vendor
def test_assumed_not_applied_it_runs_again(bench: Bench) -> None:
    several = (
        make("0001", [PETS, migrations.RunPython(arrive)]),
        make("0002", [migrations.RunPython(grow), migrations.AlterModelOptions("Pet", {})]),
    )
    boundary = boundary_of(bench, "after journal operation pets.0002:0 intent", *several)
    assert bench.crash(boundary, *several)
    bench.ours(*several, assume_not_applied=["pets.0002:0"])
    assert bench.database.query("SELECT age FROM pets_pet") == [(2,)]


@every_vendor
def test_a_migration_that_says_it_is_idempotent_runs_again(bench: Bench) -> None:
    several = (
        make("0001", [PETS, migrations.RunPython(arrive)]),
        make(
            "0002",
            [migrations.RunSQL("UPDATE pets_pet SET age = 7"), migrations.RunPython(grow)],
            idempotent=True,
        ),
    )
    boundary = boundary_of(bench, "before journal operation pets.0002:0 done", *several)
    assert bench.crash(boundary, *several)
    bench.ours(*several)
    assert bench.database.query("SELECT age FROM pets_pet") == [(8,)]


NAMED = migrations.AddField("Pet", "name", models.CharField(max_length=9, null=True))
NOTE = migrations.RunSQL(
    "ALTER TABLE pets_pet ADD COLUMN note varchar(9) NULL",
    state_operations=[
        migrations.AddField("Pet", "note", models.CharField(max_length=9, null=True))
    ],
)


@every_vendor
@pytest.mark.parametrize(
    "label",
    ["before journal operation pets.0002:0 done", "after journal operation pets.0002:0 intent"],
)
def test_one_ddl_statement_with_state_operations_shows_whether_it_ran(
    bench: Bench, label: str
) -> None:
    several = (make("0001", [PETS]), make("0002", [NOTE, NAMED]))
    bench.labels(*several)  # once: Django asks a new connection what its server can do
    assert bench.crash(boundary_of(bench, label, *several), *several)
    bench.ours(*several)
    assert "note" in bench.dump()
    assert "'0002'" in bench.dump()


@every_vendor
def test_sql_whose_state_was_there_before_it_needs_a_decision(bench: Bench) -> None:
    """Its column shows nothing: it was there before."""
    again = migrations.RunSQL(
        "ALTER TABLE pets_pet ADD COLUMN other varchar(9) NULL",
        state_operations=[
            migrations.AddField("Pet", "note", models.CharField(max_length=9, null=True))
        ],
    )
    hidden = migrations.RunSQL("ALTER TABLE pets_pet ADD COLUMN note varchar(9) NULL")
    several = (make("0001", [PETS, hidden]), make("0002", [again, NAMED]))
    bench.labels(*several)  # once: Django asks a new connection what its server can do
    boundary = boundary_of(bench, "before journal operation pets.0002:0 done", *several)
    assert bench.crash(boundary, *several)
    with pytest.raises(DecisionNeeded, match=r"Operation 0 .* of pets\.0002"):
        bench.ours(*several)


@on_postgresql
def test_the_server_tells_whether_code_in_a_transaction_was_committed(bench: Bench) -> None:
    several = (
        make("0001", [PETS, migrations.RunPython(arrive, atomic=True)]),
        make(
            "0002",
            [
                migrations.RunPython(grow, atomic=True),
                migrations.RunPython(grow, atomic=True),
                migrations.AlterModelOptions("Pet", {}),
            ],
        ),
    )
    assert sweep(bench, *several, start=20, step=3, data="SELECT age FROM pets_pet") > 30


@on_mysql
def test_without_transactional_ddl_code_at_the_end_commits_with_its_row(bench: Bench) -> None:
    several = (
        make("0001", [PETS, migrations.RunPython(arrive)], atomic=True),
        make(
            "0002",
            [migrations.RunPython(grow), migrations.RunSQL("UPDATE pets_pet SET age = age * 2")],
            atomic=True,
        ),
    )
    assert sweep(bench, *several, start=10, step=7, data="SELECT age FROM pets_pet") > 30


@every_vendor
def test_code_that_failed_before_it_wrote_anything_is_not_in_doubt(bench: Bench) -> None:
    broken = [True]

    def fail_first(apps: Any, schema_editor: Any) -> None:
        apps.get_model("pets", "Pet").objects.using(schema_editor.connection.alias).count()
        if broken[0]:
            raise RuntimeError("not yet")

    several = (make("0001", [PETS, migrations.RunPython(fail_first), PETS_INDEX]),)
    CrashSafeExecutor(bench.connection).recorder.ensure_schema()
    with pytest.raises(MigrationFailed, match=r"at operation 1 \(Raw Python operation\): Runtime"):
        bench.ours(*several)
    broken.clear()
    broken.append(False)
    bench.ours(*several)
    assert "pets_age_idx" in bench.dump()


PETS_INDEX = migrations.AddIndex("Pet", models.Index(fields=["age"], name="pets_age_idx"))


@every_vendor
def test_operations_that_are_done_are_not_run_again(bench: Bench) -> None:
    again = migrations.AddIndex("Pet", models.Index(fields=["age"], name="pets_age_idx"))
    several = (make("0001", [PETS, migrations.RunPython(arrive), PETS_INDEX, again]),)
    with pytest.raises(MigrationFailed, match="at operation 3") as raised:
        bench.ours(*several)
    assert isinstance(raised.value.__cause__, ValueError | DatabaseError)
    bench.events.clear()
    with pytest.raises(MigrationFailed, match="at operation 3"):
        bench.ours(*several)
    passed = [e for e in bench.events if isinstance(e, events.OperationApplied)]
    assert [(event.index, event.how) for event in passed] == [
        (index, "already there") for index in (0, 1, 2)
    ]
    assert bench.database.query("SELECT age FROM pets_pet") == [(1,)]


@pytest.mark.parametrize("vendor", ["sqlite"])
def test_another_change_of_the_schema_does_not_stand_for_ours(bench: Bench) -> None:
    """VACUUM, or an index made by hand, counts SQLite's schema version up as well."""
    name = migrations.AddField("Pet", "name", models.CharField(max_length=9, null=True))
    several = (make("0001", [PETS, migrations.RunPython(arrive)]), make("0002", [name]))
    boundary = boundary_of(bench, "after journal operation pets.0002:0 intent", *several)
    assert bench.crash(boundary, *several)
    bench.database.execute("CREATE INDEX by_hand ON pets_pet (age)")
    bench.ours(*several)
    assert bench.database.query("SELECT name FROM pets_pet") == [(None,)]


@every_vendor
def test_an_operation_put_before_what_was_done_is_not_passed_over(bench: Bench) -> None:
    """The file was edited between a failure and the resume, and the edit was accepted."""
    grows = migrations.RunPython(grow)
    fails = migrations.RunSQL("SELECT nonsense FROM nowhere")
    name = migrations.AddField("Pet", "name", models.CharField(max_length=9, null=True))
    notes = migrations.AddField("Pet", "notes", models.CharField(max_length=9, null=True))
    first = make("0001", [PETS, migrations.RunPython(arrive)])
    with pytest.raises(MigrationFailed, match="at operation 2"):
        bench.ours(first, make("0002", [name, grows, fails]))
    with pytest.raises(DecisionNeeded, match=r"Operation 0 of pets\.0002 \(Add field notes"):
        bench.ours(first, make("0002", [notes, name, grows]), assume_applied=["pets.0002"])
    bench.ours(first, make("0002", [name, grows, notes]))
    assert bench.database.query("SELECT age, notes FROM pets_pet") == [(2, None)]


@on_mysql
def test_more_or_fewer_operations_than_were_begun_need_a_decision(bench: Bench) -> None:
    """What was put off to the end is journaled under the number that comes after the last."""
    owner = migrations.CreateModel("Owner", [("id", key())])
    toy = migrations.CreateModel(
        "Toy", [("id", key()), ("owner", models.ForeignKey("pets.Owner", models.CASCADE))]
    )
    notes = migrations.AddField("Toy", "notes", models.CharField(max_length=9, null=True))
    several = (make("0001", [owner, toy]),)
    boundary = boundary_of(bench, "after journal operation pets.0001:2 intent", *several)
    assert bench.crash(boundary, *several)
    with pytest.raises(DecisionNeeded, match=r"Operation 2 of pets\.0001 \(Add field notes"):
        bench.ours(make("0001", [owner, toy, notes]))
    with pytest.raises(DecisionNeeded, match="fewer operations"):
        bench.ours(make("0001", [owner]))
    bench.ours(*several)


@every_vendor
def test_an_operation_whose_effect_is_gone_again_has_diverged(bench: Bench) -> None:
    several = (make("0001", [PETS, migrations.RunPython(arrive)]),)
    boundary = boundary_of(bench, "after journal operation pets.0001:0 done", *several)
    assert bench.crash(boundary, *several)
    bench.database.execute("DROP TABLE pets_pet")
    with pytest.raises(Diverged, match=r"operation 0 .* of pets\.0001 is done"):
        bench.ours(*several)


@every_vendor
def test_a_migration_with_its_own_apply_is_one_operation(bench: Bench) -> None:
    class Custom(migrations.Migration):
        atomic = False
        operations = [PETS, migrations.RunPython(arrive)]

        def apply(self, project_state: Any, schema_editor: Any, collect_sql: bool = False) -> Any:
            return super().apply(project_state, schema_editor, collect_sql)

    several = (Custom("0001", "pets"),)
    boundary = boundary_of(bench, "before journal operation pets.0001:0 done", *several)
    assert bench.crash(boundary, *several)
    with pytest.raises(DecisionNeeded, match=r"pets\.0001"):
        bench.ours(*several)
    bench.ours(*several, assume_applied=["pets.0001"])
    assert bench.database.query("SELECT age FROM pets_pet") == [(1,)]


# -- indexes built concurrently ------------------------------------------------------------

ONLINE = (
    AddIndexConcurrently("Pet", models.Index(fields=["age"], name="pets_age_idx")),
    AddIndexConcurrently("Pet", models.Index(fields=["-age"], name="pets_old_idx")),
    RemoveIndexConcurrently("Pet", "pets_age_idx"),
)


@on_postgresql
def test_indexes_built_concurrently_are_built_once(bench: Bench) -> None:
    several = (make("0001", [PETS]), make("0002", ONLINE))
    assert sweep(bench, *several, start=16, step=3) > 30


@on_postgresql
def test_an_invalid_index_is_dropped_and_built_again(bench: Bench) -> None:
    # What makes the server leave one behind: a unique build over rows that are not.
    several = (make("0001", [PETS]), make("0002", ONLINE[:1]))
    bench.ours(several[0])
    bench.database.execute("INSERT INTO pets_pet (age) VALUES (1), (1)")
    with pytest.raises(Exception, match="could not create unique index"):
        bench.database.execute("CREATE UNIQUE INDEX CONCURRENTLY pets_age_idx ON pets_pet (age)")
    validity = (
        "SELECT indisvalid, indisunique FROM pg_index WHERE indexrelid = 'pets_age_idx'::regclass"
    )
    assert bench.database.query(validity) == [(False, True)]
    bench.ours(*several)
    assert bench.database.query(validity) == [(True, False)]


@on_postgresql
def test_a_default_for_nulls_of_a_foreign_key_works_as_in_django(bench: Bench) -> None:
    """In one transaction, the UPDATE's trigger events would forbid the ALTER TABLE."""
    owner = models.ForeignKey("pets.Owner", models.CASCADE, null=True)
    several = (
        make("0001", [migrations.CreateModel("Owner", [("id", key())])]),
        make("0002", [migrations.CreateModel("Pet", [("id", key()), ("owner", owner)])]),
        make(
            "0003",
            [
                migrations.RunSQL(
                    "INSERT INTO pets_owner (id) VALUES (1); INSERT INTO pets_pet (id) VALUES (1)"
                )
            ],
            atomic=True,
        ),
        make(
            "0004",
            [
                migrations.AlterField(
                    "Pet", "owner", models.ForeignKey("pets.Owner", models.CASCADE, default=1)
                )
            ],
        ),
    )
    assert sweep(bench, *several, start=35, step=3, data="SELECT owner_id FROM pets_pet") > 30
