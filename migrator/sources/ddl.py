"""SQL of any vendor, read into `core.ddl` actions.

PostgreSQL is read with its own grammar, MySQL, MariaDB and SQLite from tokens. Nothing raises:
what cannot be read is `Opaque`. The readers are loaded with the first statement of their
vendor, since most runs have none to read.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Protocol, cast

from migrator.core.ddl import Action, Opaque


class _Reader(Protocol):
    def split(self, sql: str) -> tuple[str, ...]: ...

    def read(self, statement: str) -> tuple[Action, ...]: ...


_READERS = {
    "postgresql": "migrator.sources.ddl_postgresql",
    "mysql": "migrator.sources.ddl_mysql",
    "sqlite": "migrator.sources.ddl_sqlite",
}


def split_statements(sql: str, vendor: str) -> tuple[str, ...]:
    """The statements of a text, each without its semicolon; comments alone are no statement.

    Args:
        sql: One or more statements.
        vendor: Django's vendor name.

    Returns:
        The statements in order; the whole text as one where its end cannot be told.
    """
    reader = _reader(vendor)
    return reader.split(sql) if reader else (sql,)


@lru_cache(maxsize=4096)
def read_ddl(sql: str, vendor: str) -> tuple[Action, ...]:
    """What a text does, clause by clause.

    Args:
        sql: One or more statements.
        vendor: Django's vendor name.

    Returns:
        The actions in order; `Opaque` for what cannot be judged; empty for no statement.
    """
    reader = _reader(vendor)
    if reader is None:
        return (Opaque(sql),)
    return tuple(action for text in reader.split(sql) for action in reader.read(text))


def _reader(vendor: str) -> _Reader | None:
    module = _READERS.get(vendor)
    return cast("_Reader", import_module(module)) if module else None
