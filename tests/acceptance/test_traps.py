"""What real, healthy projects do: none of it may stop a deploy, and no repair may touch it.

One project with an app for each trap (`traps.py`), migrated by Django's own `migrate` on two
databases, then scanned on first contact and after a verified run. Traps that need a project of
their own are at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import traps
from tests.projects import DJANGO_APPS, Completed, Project, make_project
from tests.servers import Database, PostgresServer, SQLiteServer


@dataclass(frozen=True)
class Scans:
    """The incidents of healthy databases: on first contact, beside a replay, and after a verified
    run.
    """

    vendor: str
    labels: frozenset[str]
    first: list[dict[str, Any]]
    replayed: list[dict[str, Any]]
    verified: list[dict[str, Any]]
    outputs: tuple[str, ...]
    unchanged: bool

    def notes(self, *labels: str) -> set[tuple[str, str]]:
        """What is noted about the tables of some apps: (code, "table.name").

        Nothing of theirs may block, in either kind of evidence.
        """
        assert set(labels) <= self.labels, "no such app"
        for incident in (*self.first, *self.replayed, *self.verified):
            assert not (incident["blocking"] and _concerns(incident, labels)), incident
        return {
            (incident["code"], _object(incident))
            for incident in self.first
            if _concerns(incident, labels)
        }


def _object(incident: dict[str, Any]) -> str:
    table, name = incident["object"]["table"], incident["object"]["name"]
    return table if name == table else f"{table}.{name}"


def _concerns(incident: dict[str, Any], labels: tuple[str, ...]) -> bool:
    owner = (incident["migration"] or {}).get("app")
    table = incident["object"]["table"]
    return owner in labels or any(table.startswith(f"{label}_") for label in labels)


def incidents_of(done: Completed) -> list[dict[str, Any]]:
    """The incidents of every database, blocking or not."""
    try:
        report = json.loads(done.stdout)
    except ValueError:
        pytest.fail(str(done))
    return [incident for entry in report["databases"] for incident in entry["incidents"]]


KINDS: dict[str, tuple[str, dict[str, traps.App]]] = {
    "postgresql": ("postgresql", {**traps.EVERYWHERE, **traps.ON_POSTGRES}),
    "opaque": ("postgresql", traps.OPAQUE),
    "sqlite": ("sqlite", traps.EVERYWHERE),
    "mysql": ("mysql", {k: v for k, v in traps.EVERYWHERE.items() if k != "lengthy"}),
}


@pytest.fixture(scope="module")
def scan(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Scans]]:
    """`scan(kind)` → the scans of one of KINDS, made once."""
    made: dict[str, Scans] = {}
    databases: list[Database] = []

    def make(kind: str) -> Scans:
        if kind not in made:
            vendor, apps = KINDS[kind]
            root = tmp_path_factory.mktemp(f"traps_{kind}")
            server = (
                SQLiteServer(root)
                if vendor == "sqlite"
                else request.getfixturevalue("postgres" if vendor == "postgresql" else "mysql")
            )
            own = {alias: server.create_database("traps") for alias in ("default", "second")}
            databases.extend(own.values())
            made[kind] = _scan(vendor, apps, _project(root / "project", vendor, apps, own), own)
        return made[kind]

    yield make
    for database in databases:
        if database.vendor == "postgresql":
            database.execute("ALTER ROLE CURRENT_USER RESET migrator.trap")
        database.drop()


def _project(
    root: Path, vendor: str, apps: dict[str, traps.App], databases: dict[str, Database]
) -> Project:
    extra = ("django.contrib.postgres",) if vendor == "postgresql" else ()
    return make_project(
        root,
        databases={alias: database.settings() for alias, database in databases.items()},
        apps=apps,
        installed=(*DJANGO_APPS, *extra),
        settings_extra="""
        MIGRATOR["MAKEMIGRATIONS"] = "skip"
        TRAP_MODEL = "swapped.Own"
        TRAP_SIZE = 17
        """,
    )


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mysql", marks=pytest.mark.mysql),
        "sqlite",
    ]
)
def everywhere(request: pytest.FixtureRequest, scan: Callable[[str], Scans]) -> Scans:
    """Traps of every vendor, on each."""
    return scan(request.param)


@pytest.fixture
def on_postgres(postgres: PostgresServer, scan: Callable[[str], Scans]) -> Scans:
    """Traps that only PostgreSQL has."""
    return scan("postgresql")


@pytest.fixture
def opaque(postgres: PostgresServer, scan: Callable[[str], Scans]) -> Scans:
    """Traps that may touch any table, so that state alone proves nothing any more."""
    return scan("opaque")


def _scan(
    vendor: str, apps: dict[str, traps.App], project: Project, databases: dict[str, Database]
) -> Scans:
    for alias in databases:
        project.manage("migrate", "-v0", "--database", alias, check=True)

    def dumps() -> list[str]:
        return [database.dump(schema_only=False) for database in databases.values()]

    before = dumps()
    runs = [
        project.manage("migrate_all", *arguments, "--noinput", "--format", "json")
        for arguments in (
            ("--check",),
            ("--check", "--deep", "--database", "default"),
            ("--repair",),
            ("--check",),
        )
    ]
    return Scans(
        vendor,
        frozenset(apps),
        incidents_of(runs[0]),
        incidents_of(runs[1]),
        incidents_of(runs[3]),
        tuple(str(done) for done in runs if done.returncode),
        dumps() == before,
    )


def check_whole(scans: Scans) -> None:
    """No run that failed, nothing that blocks, and databases that are just what they were."""
    assert scans.outputs == ()
    assert [i for i in (*scans.first, *scans.replayed, *scans.verified) if i["blocking"]] == []
    assert scans.unchanged


def test_a_repair_touches_none_of_them(everywhere: Scans) -> None:
    """None of these may stop a deploy."""
    check_whole(everywhere)


def test_a_repair_touches_none_of_those_that_hide_everything(opaque: Scans) -> None:
    """RunPython that alters another app's table, and its like."""
    check_whole(opaque)


# -- names, so that nobody has to find them again -------------------------------------------


def test_renames(everywhere: Scans) -> None:
    """RenameModel; AlterModelTable; AlterField that changes `db_column`."""
    # On SQLite, Django renames a column without dropping the index that the same AlterField
    # gives up (db/backends/sqlite3/schema.py, alter_field): it is really there.
    left = {("DR108", "renamed_elsewhere.renamed_old_other_6e552ebd")}
    notes = everywhere.notes("renamed")
    assert notes == (left if everywhere.vendor == "sqlite" else set())


def test_a_table_renamed_by_sql(everywhere: Scans) -> None:
    """A table renamed by RunSQL with state operations."""
    assert everywhere.notes("by_sql") == set()


def test_swapped_models(everywhere: Scans) -> None:
    """Swapped models."""
    assert everywhere.notes("swapped") == set()


def test_squashes(everywhere: Scans) -> None:
    """Squashes whose replaced set added then removed a field; half of the files on disk are
    not nodes of the graph (replaced).
    """
    assert everywhere.notes("squashed") == set()


def test_rows_without_a_file(everywhere: Scans) -> None:
    """Rows without a file minutes after a first migrate: a squash's `replaces` names files that
    are gone, and Django records them all.
    """
    assert everywhere.notes("gone_files") == set()


def test_rows_that_are_there_twice(everywhere: Scans) -> None:
    """Duplicate (app, name) rows: squashes that replace the same migration, across apps."""
    assert everywhere.notes("twice", "twice_more") == set()


def test_names_over_63_characters(everywhere: Scans) -> None:
    """Table and constraint names longer than the server's limit: Django truncates to the limit
    that it knows, the server silently to its own; compare truncated.
    """
    if everywhere.vendor == "mysql":
        pytest.skip("MySQL refuses such a name")
    assert everywhere.notes("lengthy") == set()


def test_a_reference_that_became_a_plain_integer(everywhere: Scans) -> None:
    """FK to plain integer."""
    assert everywhere.notes("plain_integer") == set()


def test_circular_initial_migrations(everywhere: Scans) -> None:
    """Circular initial migrations."""
    assert everywhere.notes("circle_a", "circle_b") == set()


def test_removed_and_added_again(everywhere: Scans) -> None:
    """RemoveField followed by AddField of the same name."""
    assert everywhere.notes("again") == set()


def test_a_field_removed_from_state_alone(everywhere: Scans) -> None:
    """RemoveField inside SeparateDatabaseAndState."""
    assert everywhere.notes("kept_column") == {("DR108", "kept_column_item.old")}


def test_a_table_in_another_schema(on_postgres: Scans) -> None:
    """`schema"."table`."""
    assert on_postgres.notes("elsewhere") == set()


def test_models_without_a_table_of_their_own(everywhere: Scans) -> None:
    """Proxy and unmanaged models have none; a child's is its own, order included."""
    assert everywhere.notes("inherits") == set()


# -- state and schema differ, and all is well -----------------------------------------------


def test_ids_that_a_receiver_made_wider(everywhere: Scans) -> None:
    """DDL in a `post_migrate` receiver (integer id columns made bigint): in no migration."""
    wider = {("DR104", "widened_item.id"), ("DR104", "widened_ref.item_id")}
    assert everywhere.notes("widened") == (wider if everywhere.vendor == "postgresql" else set())


def test_a_model_moved_between_apps(everywhere: Scans) -> None:
    """Models moved between apps with SeparateDatabaseAndState; stub models with only `id` stay
    behind in state, managed, without a table, because other apps' foreign keys name them; an
    index that the state half of a move forgot.
    """
    notes = everywhere.notes("moved_from", "moved_to")
    assert ("DR101", "moved_from_thing") in notes
    assert {code for code, _ in notes} == {"DR101", "DR108"}
    assert {name.partition(".")[0] for code, name in notes if code == "DR108"} == {
        "moved_from_stays",
        "moved_to_thing",
    }


def test_an_index_left_behind(everywhere: Scans) -> None:
    """An index left behind by a squash: CreateModel with db_index and AlterField without it in
    one migration: the deferred CREATE INDEX comes last.
    """
    notes = everywhere.notes("left_index")
    assert {code for code, _ in notes} <= {"DR108"}
    assert bool(notes) is (everywhere.vendor != "sqlite")


def test_a_unique_constraint_that_was_never_dropped(everywhere: Scans) -> None:
    """OneToOne turned into ForeignKey whose UNIQUE constraint was never dropped."""
    assert {code for code, _ in everywhere.notes("one_to_one")} == {"DR108"}


def test_uniqueness_by_an_index(everywhere: Scans) -> None:
    """Uniqueness made by a unique *index* where state says unique_together."""
    assert everywhere.notes("unique_by_index") == set()


def test_an_index_renamed_in_state_only(everywhere: Scans) -> None:
    """Indexes renamed in state only, the old names live."""
    assert everywhere.notes("renamed_in_state") == set()


def test_references_that_state_denies_and_the_reverse(everywhere: Scans) -> None:
    """Foreign keys that exist although state says `db_constraint=False`, and the reverse."""
    notes = everywhere.notes("reference_state")
    more = ["DR108"] if everywhere.vendor == "mysql" else []
    assert sorted(code for code, _ in notes) == ["DR105", "DR108", *more]


def test_an_index_that_a_background_job_builds_later(everywhere: Scans) -> None:
    """Migrations recorded as applied whose index is built later by a background job."""
    assert everywhere.notes("in_background") == {("DR105", "in_background_item.built_later")}


def test_operations_that_look_first(everywhere: Scans) -> None:
    """Operations that look at the database and do nothing when it does not fit (…IfExists)."""
    notes = everywhere.notes("when_it_fits", "when_it_fits_base")
    assert notes == {("DR101", "when_it_fits_base_item.more")}


def test_types_that_depend_on_settings(everywhere: Scans) -> None:
    """Fields whose `db_type` depends on settings, on the connection, or on `connection.vendor`
    of the *default* alias read at import.
    """
    assert everywhere.notes("by_settings") == set()


def test_a_generated_field_without_a_type(everywhere: Scans) -> None:
    """GeneratedField whose `db_type()` is None while `db_parameters()["type"]` is not."""
    assert everywhere.notes("generated") == set()


def test_serial_and_identity_are_both_healthy(on_postgres: Scans) -> None:
    """Two legal histories with one state."""
    assert on_postgres.notes("serial") == set()


def test_a_constraint_left_not_valid(on_postgres: Scans) -> None:
    """AddConstraintNotValid whose ValidateConstraint is for a later release."""
    assert on_postgres.notes("not_valid") == {("DR106", "not_valid_item.not_empty")}


def test_a_change_of_the_whole_cluster(on_postgres: Scans) -> None:
    """A migration that changes something cluster-wide (`ALTER ROLE … SET`), seen from every
    other database of the server.
    """
    assert on_postgres.notes("of_the_cluster") == set()


def test_code_that_alters_a_table_of_another_app(opaque: Scans) -> None:
    """RunPython that alters another app's table; RunPython that makes indexes kept out of `Meta`
    on purpose.
    """
    assert opaque.notes("altered", "by_python") == {
        ("DR108", "altered_item.by_python_ix"),
        ("DR108", "altered_item.surprise"),
    }


def test_a_column_that_a_trigger_fills(opaque: Scans) -> None:
    """Extra columns that are NOT NULL without a default and filled by a trigger."""
    assert opaque.notes("filled") == {("DR107", "filled_item.search")}


def test_types_that_only_postgresql_has(opaque: Scans) -> None:
    """Collations, domains, enums, sequences not owned by a column, arrays, ranges, tsvector,
    partitioned tables, materialised views behind unmanaged models, overloaded functions.
    """
    assert opaque.notes("exotic") == {("DR108", "exotic_parts"), ("DR108", "exotic_parts_1")}


def test_a_constraint_trigger(opaque: Scans) -> None:
    """Constraint triggers."""
    assert opaque.notes("constraint_trigger") == set()


def test_a_second_connection(opaque: Scans) -> None:
    """Migrations that open a second connection and build indexes through it; uniqueness made by
    a unique index CONCURRENTLY.
    """
    assert opaque.notes("concurrently") == {("DR108", "concurrently_item.conc_gin")}
