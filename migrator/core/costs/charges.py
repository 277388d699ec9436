"""What one action costs, as charges, and how the charges of a statement add up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from migrator.core import ddl
from migrator.core.plan import Cost, TableLock
from migrator.core.schema import Extra, Schema, Table


@dataclass(frozen=True, slots=True)
class Charge:
    """One table that one action concerns.

    Attributes:
        table: Key of the table.
        mode: The lock that is taken on it; "" for none.
        source: The row of docs/reference/ddl-costs.md that says so.
        rewrite: Whether the table is written anew.
        scan: Whether all its rows are read.
        known: False when nothing is known; the other attributes say nothing then.
    """

    table: str
    mode: str = ""
    source: str = ""
    rewrite: bool = False
    scan: bool = False
    known: bool = True


UNKNOWN = Charge("", known=False)


@dataclass(frozen=True, slots=True)
class Situation:
    """What a statement finds.

    Attributes:
        schema: What is live before it, as far as is known.
        version: Of the server, as numbers; empty for unknown.
        product: Of the server: "PostgreSQL", "MariaDB", "MySQL", "SQLite".
        timezone: Of the session; "" for unknown.
    """

    schema: Schema
    version: tuple[int, ...] = ()
    product: str = ""
    timezone: str = ""

    def with_domains(self, actions: Iterable[ddl.Action]) -> Self:
        """The same with the domains that a text makes itself, before columns of them."""
        made = tuple(
            Extra("domain", action.name, action.definition)
            for action in actions
            if isinstance(action, ddl.CreateDomain)
        )
        schema = replace(self.schema, extras=(*made, *self.schema.extras)) if made else self.schema
        return replace(self, schema=schema)

    def table(self, key: str) -> Table | None:
        """The table of that key, or None."""
        return self.schema.tables.get(key)

    def table_of_index(self, name: str) -> Table | None:
        """The table that an index, primary key or unique constraint of that name is on."""
        for table in self.schema.tables.values():
            names = {index.name for index in table.indexes}
            names |= {unique.name for unique in table.uniques}
            if name in names or (table.primary_key and table.primary_key.name == name):
                return table
        return None

    def referring(self, key: str) -> tuple[Table, ...]:
        """The other tables with a foreign key to that one."""
        return tuple(
            table
            for table in self.schema.tables.values()
            if table.key != key and any(found.to_table == key for found in table.foreign_keys)
        )


def add_up(
    charges: Iterable[Charge],
    created: Collection[str],
    ranks: Sequence[str],
    blocks: Mapping[str, str],
) -> Cost:
    """The cost of a statement.

    A scan that nobody has to wait for is none: it stands only where the strongest lock on its
    table keeps somebody from reading or writing.

    Args:
        charges: Of all its actions.
        created: Tables that the same plan creates: nobody else uses them yet.
        ranks: The modes, weakest first.
        blocks: What each mode blocks.
    """
    strongest: dict[str, str] = {}
    rewrites: dict[str, None] = {}
    scans: dict[str, None] = {}
    sources: dict[str, None] = {}
    known = True
    for charge in charges:
        known = known and charge.known
        if not charge.table or charge.table in created:
            continue
        if charge.mode:
            held = strongest.get(charge.table)
            if held is None or ranks.index(charge.mode) > ranks.index(held):
                strongest[charge.table] = charge.mode
        if charge.rewrite:
            rewrites[charge.table] = None
        if charge.scan or charge.rewrite:
            scans[charge.table] = None
        if charge.source:
            sources[charge.source] = None
    waited = {table for table, mode in strongest.items() if "writes" in blocks[mode]}
    return Cost(
        locks=tuple(TableLock(table, mode, blocks[mode]) for table, mode in strongest.items()),
        rewrites=tuple(rewrites),
        scans=tuple(table for table in scans if table in waited),
        source="; ".join(sources),
        known=known,
    )
