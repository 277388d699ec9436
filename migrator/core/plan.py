"""A plan: what one run would do to one database, migration by migration, statement by statement.

Made by `migrator.planning` without a write to the target; read by the preview, the lint and the
gate alike. It carries a digest, so that what was shown can be held against what is applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrator.core.effects import MigrationKey, OperationEffect
from migrator.core.schema import Schema

if TYPE_CHECKING:
    from migrator.core.ddl import Action


@dataclass(frozen=True, slots=True)
class TableLock:
    """A lock that a statement takes on a table.

    Attributes:
        table: Key of the table.
        mode: As the vendor names it: "ACCESS EXCLUSIVE", "SHARE", "COPY/SHARED", "EXCLUSIVE", …
        blocks: What waits meanwhile: "reads and writes" | "writes" | "schema changes" | "".
    """

    table: str
    mode: str
    blocks: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a statement costs while the application is running.

    Attributes:
        locks: By table, strongest each.
        rewrites: Tables that are written anew.
        scans: Tables whose rows are all read while a lock of `locks` is held that blocks somebody.
        source: Where the fact comes from: a line of the measured table, the server's manual.
        known: False when nothing is known of this statement.
    """

    locks: tuple[TableLock, ...] = ()
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    source: str = ""
    known: bool = True


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as it would be sent.

    Attributes:
        sql: Without a trailing semicolon.
        operation: Index of the operation in its migration; None for deferred SQL.
        actions: What it does, clause by clause.
        cost: What it locks, rewrites and reads.
    """

    sql: str
    operation: int | None = None
    actions: tuple[Action, ...] = ()
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a migration, beside what it does to the schema.

    Attributes:
        index: Position in `migration.operations`.
        kind: Class name: "AddField", "RunPython", …
        description: Django's own `describe()`.
        effect: What it does to this database's schema, from the state.
        app: App label of the model concerned; of the migration where none is.
        model: Name of the model; "" for none.
        field: Name of the field; "" for none.
        renamed_to: New name of a RenameField or RenameModel; "" for others.
        reversible: As Django says; False for a RunPython or RunSQL without a way back.
        elidable: As in the migration.
        fills_rows: Whether Django writes existing rows with a Python default (NOT NULL without
            a database default).
        database_default: Whether the field has a `db_default`.
        default_before: Whether the field that is altered had a Python default before, which the
            running code writes where nobody gives a value.
        modelled: Of SQL: what managed models have right before it, as (key of table, column);
            the table itself with the column "".
        own: Whether the class is Django's own.
        atomic: Of a RunPython: its own `atomic`; None where it has none.
        moves_rows: Whether it may change rows: RunPython, RunSQL with DML.
        shown: Whether `statements` of the plan hold all that it does (False for RunPython).
        seen: Of a RunPython: what its source is seen to do, in order; no SQL where it is done by
            models. Not part of what is shown: only the code itself knows what is sent.
        seen_whole: Whether `seen` is all that may concern anybody.
    """

    index: int
    kind: str
    description: str
    effect: OperationEffect
    app: str = ""
    model: str = ""
    field: str = ""
    renamed_to: str = ""
    reversible: bool = True
    elidable: bool = False
    fills_rows: bool = False
    database_default: bool = False
    default_before: bool = False
    modelled: frozenset[tuple[str, str]] = frozenset()
    own: bool = True
    atomic: bool | None = None
    moves_rows: bool = False
    shown: bool = True
    seen: tuple[Statement, ...] = ()
    seen_whole: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One migration of a plan.

    Attributes:
        migration: Which.
        backwards: Whether it is unapplied.
        atomic: Whether it runs in one transaction.
        operations: In order.
        statements: In the order in which they would be sent; transaction commands left out.
        file: Path of its source, relative to the project where it lies below it; "" for none.
        own: Whether it belongs to an app of the project itself (below its root).
        unshown: Why its SQL cannot be shown in whole; "" when it can.
        reasons: The same by operation: (index, reason).
        ignored: Rules that its file switches off, with the reason: {"DS101": "why"}.
    """

    migration: MigrationKey
    backwards: bool = False
    atomic: bool = True
    operations: tuple[Operation, ...] = ()
    statements: tuple[Statement, ...] = ()
    file: str = ""
    own: bool = True
    unshown: str = ""
    ignored: tuple[tuple[str, str], ...] = ()
    reasons: tuple[tuple[int, str], ...] = ()

    def unshown_because(self, operation: int) -> str:
        """Why the SQL of one operation cannot be shown; "" when it can."""
        return next((reason for index, reason in self.reasons if index == operation), "")

    def statements_of(self, operation: int | None) -> Iterator[Statement]:
        """The statements of one operation; of None, the deferred ones."""
        return (found for found in self.statements if found.operation == operation)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done to one database.

    Attributes:
        alias: The database.
        vendor: "postgresql" | "mysql" | "sqlite".
        schema: What is live before the first step.
        version: Of the server, as numbers.
        product: Of the server: "PostgreSQL", "MariaDB", "MySQL", "SQLite".
        steps: In order.
    """

    alias: str
    vendor: str
    schema: Schema
    version: tuple[int, ...] = ()
    product: str = ""
    steps: tuple[Step, ...] = ()

    def digest(self) -> str:
        """SHA-256 over the migrations and their statements, hexadecimal."""
        digest = hashlib.sha256()
        for step in self.steps:
            digest.update(f"{step.migration}\0{step.backwards}\0".encode())
            for statement in step.statements:
                digest.update(statement.sql.encode() + b"\0")
        return digest.hexdigest()
