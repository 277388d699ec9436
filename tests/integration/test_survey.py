"""The first look at a database whose server goes away meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.conf import load_settings
from migrator.exceptions import DatabaseUnreachable
from migrator.phases.guard import survey_connection
from tests.servers import PostgresDatabase

pytestmark = pytest.mark.postgresql


def test_a_session_that_ends_at_any_statement_of_the_survey_is_told_in_one_sentence(
    postgres_database: PostgresDatabase, register_alias: Callable[..., BaseDatabaseWrapper]
) -> None:
    connection = register_alias(postgres_database.settings())

    def survey(ends_at: int) -> tuple[Any, int]:
        count = 0

        def end(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
            nonlocal count
            count += 1
            if count == ends_at:
                pid = connection.connection.info.backend_pid
                postgres_database.query(f"SELECT pg_terminate_backend({pid}, 5000)")
            return execute(sql, params, many, context)

        connection.close()
        with connection.execute_wrapper(end):
            return survey_connection("default", connection, load_settings()), count

    found, statements = survey(0)
    assert found.error is None
    assert statements > 1
    for number in range(1, statements + 1):
        found, _ = survey(number)
        assert isinstance(found.error, DatabaseUnreachable), number
        assert "\n" not in found.error.message
