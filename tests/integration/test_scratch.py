"""Scratch databases: only ours, only while their owner lives, and like the target."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.scratch import ScratchServer, is_scratch_name, scratch_name
from migrator.exceptions import ConfigurationError, ScratchRefused
from migrator.replay import remove_stale
from migrator.replay.process import scratch_server
from tests.servers import Database, PostgresDatabase

RUN = "1m7wgy2rmqrg0"


@pytest.fixture
def target(
    database: Database,
    register_alias: Callable[..., BaseDatabaseWrapper],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> BaseDatabaseWrapper:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return register_alias(database.settings())


def there(server: ScratchServer, name: str) -> bool:
    if server.vendor == "sqlite":
        return Path(server.database(name)).exists()
    sql = {
        "postgresql": "SELECT 1 FROM pg_database WHERE datname = %s",
        "mysql": "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s",
    }
    return bool(server._rows(sql[server.vendor], (name,)))


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("default", f"migrator_scratch_{RUN}_default"),
        ("Shop DB (réplica)", f"migrator_scratch_{RUN}_shop_db_r_plica"),
        ("…", f"migrator_scratch_{RUN}_alias"),
        ("a" * 80, f"migrator_scratch_{RUN}_{'a' * 32}"),
    ],
)
def test_names(alias: str, name: str) -> None:
    assert scratch_name(RUN, alias) == name
    assert is_scratch_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "migrator_scratch",
        "migrator_scratch_",
        "migrator_scratch_production",
        "migrator_scratch_of_last_year",
        f"my_migrator_scratch_{RUN}_default",
        f"migrator_scratch_{RUN}",
        f"migrator_scratch_{RUN}_Default",
        f"migrator_scratch_{RUN[:-1]}_default",
        f"migrator_scratch_{RUN}_{'a' * 40}",
    ],
)
def test_a_database_of_another_name_is_not_ours(name: str) -> None:
    assert not is_scratch_name(name)


def test_it_is_there_for_the_duration_and_stale_to_nobody(target: BaseDatabaseWrapper) -> None:
    name = scratch_name(RUN, target.alias)
    server, other = scratch_server(target, {}), scratch_server(target, {})
    with server.scratch(name):
        assert there(other, name)
        assert other.remove_stale() == ()
        assert there(other, name)
    assert not there(other, name)
    other.close()


def test_it_goes_also_when_something_fails(target: BaseDatabaseWrapper) -> None:
    name = scratch_name(RUN, target.alias)
    server, other = scratch_server(target, {}), scratch_server(target, {})
    with pytest.raises(KeyboardInterrupt), server.scratch(name):
        raise KeyboardInterrupt
    assert not there(other, name)
    other.close()


def test_what_a_dead_owner_left_goes_and_nothing_else(
    target: BaseDatabaseWrapper, create_database: Callable[..., Database]
) -> None:
    name = scratch_name(RUN, target.alias)
    server = scratch_server(target, {})
    server._create(name)  # never held: as a killed owner leaves it
    neighbour = create_database(target.vendor, "migrator_scratch_neighbour")
    if target.vendor == "sqlite":
        Path(neighbour.name).touch()
    assert remove_stale(target, {}) == (name,)
    assert not there(server, name)
    assert neighbour.query("SELECT 1") == [(1,)]
    server.close()


def test_on_postgresql_it_resembles_the_target(
    postgres_database: PostgresDatabase, register_alias: Callable[..., BaseDatabaseWrapper]
) -> None:
    name = postgres_database.name
    postgres_database.execute('CREATE SCHEMA "App"')
    postgres_database.execute(f'ALTER DATABASE "{name}" SET search_path TO "App", public')
    postgres_database.execute(f"ALTER DATABASE \"{name}\" SET application_name TO 'it''s'")
    target = register_alias(postgres_database.settings())
    server = scratch_server(target, {})
    scratch = scratch_name(RUN, target.alias)
    with server.scratch(scratch):
        inside = PostgresDatabase(postgres_database.server, scratch)
        assert inside.query("SELECT current_schemas(false)::text") == [("{App,public}",)]
        assert inside.query("SELECT current_setting('search_path')") == [('"App", public',)]


def test_a_template_that_is_not_there_is_refused(
    postgres_database: PostgresDatabase, register_alias: Callable[..., BaseDatabaseWrapper]
) -> None:
    target = register_alias(postgres_database.settings())
    server = scratch_server(target, {"TEMPLATE": "nowhere"})
    with (
        pytest.raises(ScratchRefused, match="nowhere") as caught,
        server.scratch(scratch_name(RUN, target.alias)),
    ):
        pass
    assert "CREATEDB" in caught.value.hint


def test_another_engine_proves_nothing(target: BaseDatabaseWrapper) -> None:
    overrides: dict[str, Any] = {"ENGINE": "django.db.backends.dummy"}
    with pytest.raises(ConfigurationError, match="ENGINE"):
        scratch_server(target, overrides)


def test_a_server_that_does_not_answer_has_nothing_stale(
    postgres_database: PostgresDatabase, register_alias: Callable[..., BaseDatabaseWrapper]
) -> None:
    target = register_alias(postgres_database.settings())
    assert remove_stale(target, {"HOST": "127.0.0.1", "PORT": "1"}) == ()
