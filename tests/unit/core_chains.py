"""Chains of migrations over plain tables, for the tests of the core."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from migrator.core.drift import ScanFacts
from migrator.core.effects import Effect, MigrationKey, OperationEffect, TableEffect
from migrator.core.history import HistoryFacts
from migrator.core.incidents import Evidence
from migrator.core.reference import Reference
from migrator.core.schema import (
    Column,
    Index,
    IndexKey,
    PrimaryKey,
    Schema,
    Table,
)

Tables = dict[str, Table]
ID = Column("id", "bigint", nullable=False, identity="by default")


def key(text: str) -> MigrationKey:
    """A migration's key from "app.name"; the app is "shop" where none is given."""
    app, dot, name = text.partition(".")
    return MigrationKey(app, name) if dot else MigrationKey("shop", text)


def col(name: str, type_: str = "integer", **changes: Any) -> Column:
    """A column, NOT NULL unless said otherwise."""
    changes.setdefault("nullable", False)
    return Column(name, type_, **changes)


def table(name: str, *columns: Column, **changes: Any) -> Table:
    """A table with an identity primary key `id`."""
    return Table(name, (ID, *columns), primary_key=PrimaryKey(f"{name}_pkey", ("id",)), **changes)


def index(*columns: str, name: str = "ix", **changes: Any) -> Index:
    """A plain index."""
    return Index(name, tuple(IndexKey(column=c) for c in columns), **changes)


def schema(*tables: Table, vendor: str = "postgresql", **changes: Any) -> Schema:
    """A schema of these tables."""
    return Schema(vendor, {t.key: t for t in tables}, **changes)


@dataclass(frozen=True)
class Op:
    """One operation: what it makes of the tables."""

    kind: str
    change: Callable[[Tables], Tables] = lambda tables: tables
    unknown: bool = False
    opaque: frozenset[str] | None = frozenset()
    description: str = ""


def _edit(name: str, edit: Callable[[Table], Table]) -> Callable[[Tables], Tables]:
    return lambda tables: {**tables, name: edit(tables[name])}


def create(name: str, *columns: Column, **changes: Any) -> Op:
    return Op("CreateModel", lambda tables: {**tables, name: table(name, *columns, **changes)})


def drop(name: str) -> Op:
    return Op("DeleteModel", lambda tables: {k: t for k, t in tables.items() if k != name})


def rename_table(old: str, new: str, kind: str = "RenameModel") -> Op:
    def change(tables: Tables) -> Tables:
        moved = {k: t for k, t in tables.items() if k != old}
        moved[new] = replace(tables[old], name=new)
        return {
            k: replace(
                t,
                foreign_keys=tuple(
                    replace(f, to_table=new) if f.to_table == old else f for f in t.foreign_keys
                ),
            )
            for k, t in moved.items()
        }

    return Op(kind, change)


def add(name: str, column: Column, **extra: Any) -> Op:
    def edit(t: Table) -> Table:
        t = replace(t, columns=(*t.columns, column))
        return replace(t, **{kind: (*getattr(t, kind), *items) for kind, items in extra.items()})

    return Op("AddField", _edit(name, edit))


def remove(name: str, column: str) -> Op:
    def edit(t: Table) -> Table:
        return replace(t, columns=tuple(c for c in t.columns if c.name != column))

    return Op("RemoveField", _edit(name, edit))


def rename(name: str, old: str, new: str, kind: str = "RenameField") -> Op:
    def edit(t: Table) -> Table:
        return replace(
            t,
            columns=tuple(replace(c, name=new) if c.name == old else c for c in t.columns),
            indexes=tuple(
                replace(
                    i,
                    keys=tuple(replace(k, column=new) if k.column == old else k for k in i.keys),
                )
                for i in t.indexes
            ),
        )

    return Op(kind, _edit(name, edit))


def alter(name: str, column: str, type_: str = "", **changes: Any) -> Op:
    if type_:
        changes["type"] = type_

    def edit(t: Table) -> Table:
        return replace(
            t,
            columns=tuple(replace(c, **changes) if c.name == column else c for c in t.columns),
        )

    return Op("AlterField", _edit(name, edit))


def attach(name: str, kind: str = "AddIndex", **extra: Any) -> Op:
    """Add indexes or constraints: attach("book", indexes=(…,))."""

    def edit(t: Table) -> Table:
        return replace(t, **{k: (*getattr(t, k), *items) for k, items in extra.items()})

    return Op(kind, _edit(name, edit))


def detach(name: str, *kinds: str, kind: str = "RemoveIndex") -> Op:
    """Take all indexes or constraints of these kinds away."""
    return Op(kind, _edit(name, lambda t: replace(t, **dict.fromkeys(kinds, ()))))


def state_only(op: Op, *tables: str) -> Op:
    """SeparateDatabaseAndState: state changes, the database may not."""
    return Op("SeparateDatabaseAndState", op.change, unknown=True, opaque=frozenset(tables))


DATA = Op("RunPython", unknown=True)
OPAQUE = Op("RunPython", unknown=True, opaque=None)
INERT = Op("AlterModelOptions")


def run_sql(*tables: str) -> Op:
    return Op("RunSQL", unknown=True, opaque=frozenset(tables))


class Chain:
    """Migrations in plan order, with the tables after each."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.states: list[Tables] = [{}]

    def __repr__(self) -> str:
        def short(tables: Tables) -> str:
            return " ".join(
                f"{k}({','.join(f'{c.name}:{c.type}' for c in t.columns[1:])})"
                for k, t in tables.items()
            )

        steps = [
            f"{e.migration.name} {'+'.join(o.kind for o in e.operations)} -> {short(tables)}"
            for e, tables in zip(self.effects, self.states[1:], strict=True)
        ]
        return "Chain:\n" + "\n".join(steps)

    def add(self, name: str, *ops: Op, needs: Iterable[str] | None = None, **changes: Any) -> Chain:
        """Append a migration; it needs the one before of its app unless said otherwise."""
        migration = key(name)
        mine = [e.migration for e in self.effects if e.migration.app == migration.app]
        parents = tuple(mine[-1:]) if needs is None else tuple(key(n) for n in needs)
        tables = self.states[-1]
        operations = []
        for position, op in enumerate(ops):
            after = op.change(tables)
            changed = [
                TableEffect(k, tables.get(k), after.get(k))
                for k in sorted({*tables, *after})
                if tables.get(k) != after.get(k)
            ]
            operations.append(
                OperationEffect(
                    position,
                    op.description or op.kind,
                    op.kind,
                    tuple(changed),
                    unknown=op.unknown,
                    opaque_tables=op.opaque,
                )
            )
            tables = after
        self.effects.append(Effect(migration, tuple(operations), dependencies=parents, **changes))
        self.states.append(tables)
        return self

    def schema(self, count: int | None = None, vendor: str = "postgresql") -> Schema:
        """The schema after so many migrations; all of them by default."""
        tables = self.states[-1 if count is None else count]
        return Schema(vendor, dict(tables))

    def facts(
        self,
        recorded: int,
        live: Schema,
        *,
        snapshot: Schema | None = None,
        replay: Schema | None = None,
        **changes: Any,
    ) -> ScanFacts:
        """Facts with the first `recorded` migrations recorded and the rest pending."""
        kinds = {Evidence.SNAPSHOT: snapshot, Evidence.REPLAY: replay}
        changes.setdefault(
            "references", tuple(Reference(s, kind) for kind, s in kinds.items() if s is not None)
        )
        return ScanFacts(
            expected=self.schema(recorded, live.vendor),
            live=live,
            recorded=tuple(self.effects[:recorded]),
            pending=tuple(self.effects[recorded:]),
            history=self.history(recorded),
            **changes,
        )

    def history(self, recorded: int) -> HistoryFacts:
        """The graph of this chain with the first rows recorded."""
        keys = [effect.migration for effect in self.effects]
        return HistoryFacts(
            nodes=frozenset(keys),
            parents={e.migration: e.dependencies for e in self.effects},
            recorded=tuple(keys[:recorded]),
        )


def edited(base: Schema, **tables: Table | None) -> Schema:
    """A schema with some tables replaced, added or (None) taken away."""
    found: dict[str, Table] = dict(base.tables)
    for name, value in tables.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return replace(base, tables=found)


def with_columns(base: Schema, name: str, *columns: Column) -> Schema:
    """A schema with columns added to a table, those of the same name replaced."""
    old = base.tables[name]
    names = {c.name for c in columns}
    kept = tuple(c for c in old.columns if c.name not in names)
    return edited(base, **{name: replace(old, columns=(*kept, *columns))})


def without_columns(base: Schema, name: str, *columns: str) -> Schema:
    """A schema with columns of a table taken away."""
    old = base.tables[name]
    kept = tuple(c for c in old.columns if c.name not in columns)
    return edited(base, **{name: replace(old, columns=kept)})
