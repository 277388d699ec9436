"""What each migration does to the schema of one database, as data.

`migrator.sources` computes these from migration state (`diff(state before, state after)`,
on this database, through the project's routers); `core.drift` classifies by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from migrator.core.schema import Table


class MigrationKey(NamedTuple):
    """A migration's identity: (app label, migration name)."""

    app: str
    name: str

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"


@dataclass(frozen=True, slots=True)
class TableEffect:
    """One table before and after; None where it does not exist.

    A renamed table is two of these: the old key going, the new key coming.
    """

    key: str
    before: Table | None
    after: Table | None


@dataclass(frozen=True, slots=True)
class OperationEffect:
    """One operation of a migration.

    Attributes:
        index: Position in `migration.operations`.
        description: Django's own `describe()`.
        kind: Class name of the operation: "CreateModel", "RunPython", …
        tables: What changes, on tables that this database owns. Empty when nothing can be
            observed.
        unknown: True when the operation may do something to the database that cannot be
            observed (RunPython, RunSQL, an operation that is not Django's own). An operation
            with no table effect and not unknown does nothing to this database
            (AlterModelOptions, a model routed elsewhere).
        opaque_tables: Keys of tables whose schema this operation may have changed behind the
            back of the state; None for "any table of this database".
        elidable: RunPython/RunSQL marked elidable, or a no-op function.
    """

    index: int
    description: str
    kind: str
    tables: tuple[TableEffect, ...] = ()
    unknown: bool = False
    opaque_tables: frozenset[str] | None = frozenset()
    elidable: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """One migration: its operations in order, and the graph around it."""

    migration: MigrationKey
    operations: tuple[OperationEffect, ...] = ()
    atomic: bool = True
    replaces: tuple[MigrationKey, ...] = ()
    dependencies: tuple[MigrationKey, ...] = ()
    initial: bool = False

    @property
    def unknown(self) -> bool:
        """Whether any operation may do something that cannot be observed."""
        return any(operation.unknown for operation in self.operations)

    @property
    def inert(self) -> bool:
        """Whether this migration provably does nothing to this database."""
        return all(not op.tables and not op.unknown for op in self.operations)


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression of state, and what the database has in its place.

    Attributes:
        table: Key of its table.
        kind: "check" | "index" (its condition) | "generated" | "default".
        name: Of the constraint, the index or the column.
        expected: Its SQL as Django would write it.
        live: As the server shows it.
    """

    table: str
    kind: str
    name: str
    expected: str
    live: str = ""
