"""Plans for migrations as if each were about to be applied to tables that hold data.

For review, where the database has them already, has nothing, or is out of reach: the schema
before each migration is what state makes of all that comes before it, and nothing is asked of
any database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from migrator.backends import backend_for
from migrator.core.effects import MigrationKey
from migrator.core.plan import Plan
from migrator.core.schema import Schema
from migrator.exceptions import MigratorError
from migrator.planning import making
from migrator.planning.catalog import Catalog
from migrator.planning.following import Following
from migrator.planning.states import PlanningState
from migrator.sources import Ownership, Walk, full_plan

NEWEST = {"postgresql": (18, 0), "mysql": (8, 4), "sqlite": (3, 50)}
"""Taken for the server's version where nobody can be asked."""


def suppose_plans(
    connection: BaseDatabaseWrapper,
    loader: MigrationLoader,
    keys: Iterable[MigrationKey],
    *,
    base_dir: Path,
    product: str = "",
    version: tuple[int, ...] = (),
) -> Iterator[Plan]:
    """One plan a migration, each from the state right before it. Asks no database anything.

    Args:
        connection: Of the alias concerned, for its vendor and its routers; not opened.
        loader: The graph.
        keys: Which migrations, in any order.
        base_dir: Root of the project.
        product, version: Of the server, where they are known.

    Raises:
        MigratorError: A migration does not fit onto the state before it.
        ConfigurationError: A router fails.
    """
    wanted = frozenset(keys)
    last = max((i for i, key in enumerate(full_plan(loader)) if key in wanted), default=-1)
    walk = Walk(loader, Ownership(connection))
    maker = _Supposing(connection, loader, base_dir, product, version)
    with offline(connection, product, version):
        state = PlanningState(real_apps=set(loader.unmigrated_apps))
        for key in full_plan(loader)[: last + 1]:
            if key not in wanted:
                walk.apply(key)
                making._advance(loader.graph.nodes[key], state)
                continue
            schema = walk.schema()
            effect = walk.apply(key)
            maker.begin(schema)
            step, state = maker._forwards(key, effect, state)
            yield maker._plan((step,))


class _Supposing(making._Maker):
    """Makes plans of one migration each, without a database."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        loader: MigrationLoader,
        base_dir: Path,
        product: str,
        version: tuple[int, ...],
    ) -> None:
        self.connection = connection
        self.loader = loader
        self.recorded: frozenset[MigrationKey] = frozenset()
        self.base_dir = base_dir
        self.product, self.version = product, version or NEWEST.get(connection.vendor, ())
        self.ownership = Ownership(connection)
        self.begin(Schema(connection.vendor))

    def begin(self, schema: Schema) -> None:
        """Start from this schema."""
        self.live = schema
        mariadb = self.product == "MariaDB"
        self.catalog = Catalog(self.connection.vendor, schema, mariadb=mariadb, online=False)
        self.following = Following(
            self.connection.vendor,
            self.version,
            self.product,
            schema,
            timezone=str(self.connection.timezone_name),
            canonical=lambda written: backend_for(self.connection.vendor).canonical_type(
                self.connection, written
            ),
        )


@contextmanager
def offline(
    connection: BaseDatabaseWrapper, product: str, version: tuple[int, ...]
) -> Iterator[None]:
    """For the duration, the wrapper answers what Django asks of a server, and opens nothing."""
    vendor = connection.vendor
    version = version or NEWEST.get(vendor, ())
    known: dict[str, Any] = {
        "connect": _refuse,
        "ensure_connection": lambda: None,
        "cursor": _NoCursor,
    }
    operations: dict[str, Any] = {}
    if vendor == "postgresql":
        known["pg_version"] = version[0] * 10000 + (version[1] if version[1:] else 0)
        operations["compose_sql"] = _compose_for_postgresql
    elif vendor == "mysql":
        known["mysql_server_data"] = _mysql(product, version)
        known["connection"] = _MySQLQuotes()
    with ExitStack() as stack:
        for name, value in known.items():
            stack.enter_context(_replaced(connection, name, value))
        if vendor == "mysql":
            stack.enter_context(
                _replaced(connection.introspection, "get_storage_engine", lambda *_: "InnoDB")
            )
        for name, value in operations.items():
            stack.enter_context(_replaced(connection.ops, name, value))
        if vendor == "postgresql":
            stack.enter_context(_atomic_without_connection())
        yield


def _compose_for_postgresql(text: str, parameters: Any) -> str:
    """As `DatabaseOperations.compose_sql`, which asks an open connection for its encoding."""
    from django.db.backends.postgresql.psycopg_any import sql

    if parameters is None:
        return text
    return text % tuple(sql.quote(value, None) for value in parameters)


class _MySQLQuotes:
    """In the place of a connection of the driver, for `quote_value`."""

    encoders: ClassVar[dict[type, object]] = {}

    def escape(self, value: object, *_: object) -> bytes | str:
        """A literal, as MySQL and MariaDB write it."""
        if isinstance(value, str):
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        return "NULL" if value is None else str(value)

    def close(self) -> None:
        """Nothing is open."""


class _NoCursor:
    """For look-ups that the catalog answers; the cursor that they come with is not used."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, *_: object, **__: object) -> None:
        """Nobody can be asked."""
        _refuse()


def _refuse(*_: Any, **__: Any) -> None:
    raise MigratorError("it looks something up in the database")


def _mysql(product: str, version: tuple[int, ...]) -> dict[str, Any]:
    """As `DatabaseWrapper.mysql_server_data` (django/db/backends/mysql/base.py)."""
    text = ".".join(map(str, (*version, 0)[:3]))
    return {
        "version": f"{text}-MariaDB" if product == "MariaDB" else text,
        "sql_mode": "STRICT_TRANS_TABLES",
        "default_storage_engine": "InnoDB",
        "sql_auto_is_null": False,
        "lower_case_table_names": 0,
        "has_zoneinfo_database": True,
    }


@contextmanager
def _replaced(thing: Any, name: str, value: Any) -> Iterator[None]:
    missing = object()
    before = vars(thing).get(name, missing)
    setattr(thing, name, value)
    try:
        yield
    finally:
        if before is missing:
            vars(thing).pop(name, None)
        else:
            setattr(thing, name, before)


@contextmanager
def _atomic_without_connection() -> Iterator[None]:
    """PostgreSQL's operations look whether they are inside of a transaction; see Collector."""
    from migrator.planning import collecting

    @contextmanager
    def pretended(connection: BaseDatabaseWrapper) -> Iterator[None]:
        with _replaced(connection, "in_atomic_block", True):
            yield

    with _replaced(collecting, "_rolled_back", pretended):
        yield


__all__ = ["offline", "suppose_plans"]
