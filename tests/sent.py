"""What schema editors really send to a database, for tests that hold a preview against it.

`python -m tests.sent FILE COMMAND…` runs a management command of the project in the working
directory, and writes the statements of each alias to FILE, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


@contextmanager
def sent() -> Iterator[list[tuple[str, str]]]:
    """(alias, statement) of everything meanwhile, but for what makes django_migrations."""
    found: list[tuple[str, str]] = []
    execute = BaseDatabaseSchemaEditor.execute

    def spy(editor: Any, sql: Any, params: Any = ()) -> None:
        if editor.collect_sql or "django_migrations" in str(sql):
            execute(editor, sql, params)
            return
        connection = editor.connection
        with _driver_log(connection) as log:
            execute(editor, sql, params)
        text = str(sql) if connection.vendor == "postgresql" else log[0]
        found.append((connection.alias, text.strip().removesuffix(";").rstrip()))

    BaseDatabaseSchemaEditor.execute = spy  # type: ignore[method-assign]
    try:
        yield found
    finally:
        BaseDatabaseSchemaEditor.execute = execute  # type: ignore[method-assign]


@contextmanager
def _driver_log(connection: BaseDatabaseWrapper) -> Iterator[list[str]]:
    """What the driver says that it sent; PostgreSQL's editor puts its parameters in itself."""
    log: list[str] = []

    def keep(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        done = execute(sql, params, many, context)
        if connection.vendor == "mysql":
            executed = context["cursor"].cursor.cursor._executed
            log.append(executed.decode() if isinstance(executed, bytes) else executed)
        return done

    connection.ensure_connection()
    driver: Any = connection.connection
    if connection.vendor == "sqlite":
        driver.set_trace_callback(log.append)
    try:
        with connection.execute_wrapper(keep):
            yield log
    finally:
        if connection.vendor == "sqlite":
            driver.set_trace_callback(None)


def _main(file: str, *command: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.path.insert(0, str(Path.cwd()))
    from django.core.management import execute_from_command_line

    with sent() as found:
        execute_from_command_line(["manage.py", *command])
    Path(file).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
