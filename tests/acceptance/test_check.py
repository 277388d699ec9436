"""`--check` and `--dry-run` write nothing to any target, whoever runs them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.projects import Completed, Project
from tests.servers import Database, PostgresDatabase, PostgresServer

READ_ONLY = (("--check",), ("--check", "--fail-on-pending"), ("--dry-run",))


@pytest.fixture(params=["postgresql", "sqlite"])
def target(request: pytest.FixtureRequest, create_database: Callable[..., Database]) -> Database:
    return create_database(request.param)


@pytest.fixture
def sample(sample_project: Callable[..., Project], target: Database) -> Project:
    return sample_project(databases={"default": target.settings()})


@pytest.fixture
def reader(postgres: PostgresServer) -> Iterator[str]:
    """A role that may connect and that owns nothing; it goes after the databases have gone."""
    role = f"only_reads_{uuid.uuid4().hex[:8]}"
    with postgres.connect() as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'reads'")
    yield role
    with postgres.connect() as connection:
        connection.execute(f"DROP ROLE {role}")


def migrated(project: Project, *, leave_out: str = "") -> None:
    """Bring it to the head, or all but one app's last migration."""
    project.manage("migrate", "-v0", check=True)
    if leave_out:
        app, _, name = leave_out.partition(".")
        project.manage("migrate", app, name, "-v0", check=True)


@pytest.mark.parametrize("arguments", READ_ONLY, ids=" ".join)
def test_an_empty_database_stays_empty(
    sample: Project, target: Database, arguments: tuple[str, ...]
) -> None:
    before = target.dump(schema_only=False)
    done = sample.manage("migrate_all", *arguments)
    assert done.returncode == (1 if "--fail-on-pending" in arguments else 0), done
    assert target.dump(schema_only=False) == before


@pytest.mark.parametrize("arguments", READ_ONLY, ids=" ".join)
def test_a_drifted_database_with_pending_migrations_stays_as_it_is(
    sample: Project, target: Database, arguments: tuple[str, ...]
) -> None:
    migrated(sample, leave_out="shop.0006_order")
    target.execute("ALTER TABLE django_session RENAME TO session_gone")
    before = target.dump(schema_only=False)
    done = sample.manage("migrate_all", *arguments)
    assert done.returncode == 1, done
    assert "django_session" in done.stdout
    assert target.dump(schema_only=False) == before


def test_a_missing_sqlite_file_is_not_created(
    sample_project: Callable[..., Project], tmp_path: Path
) -> None:
    path = tmp_path / "absent.sqlite3"
    project = sample_project(
        databases={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}}
    )
    for arguments in READ_ONLY:
        done = project.manage("migrate_all", *arguments)
        assert done.returncode == (1 if "--fail-on-pending" in arguments else 0), done
        assert list(tmp_path.glob("absent*")) == []


def as_role(database: PostgresDatabase, role: str, password: str) -> dict[str, object]:
    return {**database.settings(), "USER": role, "PASSWORD": password}


def check_as_reader(
    sample_project: Callable[..., Project], database: PostgresDatabase, role: str, *arguments: str
) -> Completed:
    project = sample_project(databases={"default": as_role(database, role, "reads")})
    return project.manage("migrate_all", *arguments, "--format", "json")


@pytest.mark.parametrize("arguments", [("--check",), ("--dry-run",)], ids=" ".join)
def test_a_role_that_may_only_select_checks_as_well_as_any(
    sample_project: Callable[..., Project],
    reader: str,
    create_database: Callable[..., PostgresDatabase],
    arguments: tuple[str, ...],
) -> None:
    database = create_database("postgresql")
    owner = sample_project(databases={"default": database.settings()})
    migrated(owner, leave_out="shop.0007_weight")
    database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}")
    database.execute(f"GRANT USAGE ON SCHEMA public TO {reader}")

    done = check_as_reader(sample_project, database, reader, *arguments)
    assert done.returncode == 0, done
    (found,) = json.loads(done.stdout)["databases"]
    assert found["outcome"] == "done"
    assert {"app": "shop", "name": "0008_search"} in found["pending"]
    shown = [line for step in found["plan"] for line in step["sql"]]
    assert any(line.startswith("CREATE INDEX") for line in shown) == ("--dry-run" in arguments)

    database.execute("DROP TABLE django_session")
    done = check_as_reader(sample_project, database, reader, *arguments)
    assert done.returncode == 1, done
    (found,) = json.loads(done.stdout)["databases"]
    assert [incident["code"] for incident in found["incidents"] if incident["blocking"]] == [
        "DR101"
    ]


def test_a_role_that_may_see_nothing_is_told_so_and_nothing_is_missing(
    sample_project: Callable[..., Project],
    reader: str,
    create_database: Callable[..., PostgresDatabase],
) -> None:
    """A table that the role cannot read is not a table that is not there."""
    database = create_database("postgresql")
    owner = sample_project(databases={"default": database.settings()})
    migrated(owner)
    database.execute(f"GRANT SELECT ON django_migrations TO {reader}")
    done = check_as_reader(sample_project, database, reader, "--check")
    (found,) = json.loads(done.stdout)["databases"]
    assert not [i for i in found["incidents"] if i["code"] in {"DR101", "DR103"}], done


def test_the_json_document_is_all_there_is_on_standard_output(sample: Project) -> None:
    """Also where a migration prints."""
    path = sample.root / "library/migrations/0005_credit.py"
    path.write_text(path.read_text() + "\nprint('a migration module prints')\n")
    done = sample.manage("migrate_all", "--format", "json")
    assert done.returncode == 0, done
    document = json.loads(done.stdout)
    assert document["format"] == 1
    assert document["outcome"] == "complete"
    assert {entry["app"] for entry in document["databases"][0]["applied"]} >= {"shop", "library"}
