"""Every type of PostgreSQL into every other that it can be cast to: is the table written anew?"""

from __future__ import annotations

from typing import Any

import psycopg

from migrator.core.costs import cost_of
from migrator.sources.ddl import read_ddl
from tests.ddl.live import inspect
from tests.servers import PostgresServer

TYPES = (
    "smallint", "integer", "bigint", "numeric", "numeric(8,2)", "numeric(12,2)", "numeric(8,4)",
    "numeric(5)", "real", "double precision", "boolean", "text", "varchar", "varchar(10)",
    "varchar(20)", "char(10)", "char(20)", "date", "timestamp", "timestamp(3)", "timestamptz",
    "timestamptz(3)", "time", "time(3)", "timetz", "interval", "interval(3)", "uuid", "json",
    "jsonb", "inet", "cidr", "macaddr", "bytea", "bit(8)", "bit(16)", "varbit", "varbit(8)",
    "varbit(16)", "oid", "money", "xml", "integer[]", "bigint[]", "text[]", "varchar[]",
    "varchar(10)[]", "varchar(20)[]", "int4range", "tsvector", "point", "name", '"char"',
)  # fmt: skip


def go_through_types(server: PostgresServer) -> int:
    """Compare all pairs, and print those that are said otherwise than measured.

    Returns:
        How many rewrites are measured and not said; the other way round is only printed.
    """
    database = server.create_database("types")
    names = {kind: f"c{number}" for number, kind in enumerate(TYPES)}
    agreed = careful = wrong = 0
    try:
        columns = ", ".join(f"{name} {kind}" for kind, name in names.items())
        database.execute(f"CREATE TABLE k ({columns})")
        schema = inspect(database)
        with database.connect() as connection:
            connection.execute("SET timezone = 'Europe/Paris'")
            for old, column in names.items():
                for new in TYPES:
                    sql = f"ALTER TABLE k ALTER {column} TYPE {new} USING {column}::{new}"
                    measured = _rewrites(connection, sql)
                    if measured is None:
                        continue
                    cost = cost_of(read_ddl(sql, "postgresql"), vendor="postgresql", schema=schema)
                    said = bool(cost.rewrites)
                    agreed += said == measured
                    careful += said and not measured
                    wrong += measured and not said
                    if said != measured:
                        print(f"  {old} to {new}: {'said' if said else 'measured'} alone")
    finally:
        database.drop()
    print(f"  types: {agreed} agree, {careful} more careful than needed, {wrong} wrong")
    return wrong


def _rewrites(connection: psycopg.Connection[Any], sql: str) -> bool | None:
    """Whether it does, for a table without rows as for any; None where there is no such cast."""
    filenode = "SELECT pg_relation_filenode('k')"
    try:
        with connection.transaction(force_rollback=True):
            before = connection.execute(filenode).fetchone()
            connection.execute(sql)  # type: ignore[call-overload]
            return bool(connection.execute(filenode).fetchone() != before)
    except psycopg.Error:
        return None
