"""What a repair consists of, as data: actions, decisions, refusals, and the plan of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from migrator.core.effects import MigrationKey
from migrator.core.incidents import Incident
from migrator.core.schema import (
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Index,
    PrimaryKey,
    Table,
    Unique,
)

Constraint: TypeAlias = PrimaryKey | Unique | ForeignKey | Check | Exclusion


@dataclass(frozen=True, slots=True)
class RecordMigration:
    """Write one row of django_migrations: everything that the migration does is there."""

    migration: MigrationKey
    reason: str = ""

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Record {self.migration} as applied" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True, slots=True)
class ForgetMigration:
    """Delete one row of django_migrations (all its duplicates), so that migrate applies it."""

    migration: MigrationKey

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Forget {self.migration}, so that migrate applies it again"


@dataclass(frozen=True, slots=True)
class RunOperations:
    """Run some operations of one migration, each from the state that it was written for.

    Attributes:
        migration: Whose operations.
        operations: Positions in `migration.operations`, ascending.
        record: Whether the row is to be written afterwards, in the same transaction where
            the vendor can.
    """

    migration: MigrationKey
    operations: tuple[int, ...]
    record: bool

    @property
    def description(self) -> str:
        """One line for people."""
        many = "s" if len(self.operations) > 1 else ""
        numbers = ", ".join(str(index + 1) for index in self.operations)
        tail = ", then record it" if self.record else ""
        return f"Run operation{many} {numbers} of {self.migration}{tail}"


@dataclass(frozen=True, slots=True)
class CreateTable:
    """Create a missing table.

    Attributes:
        table: As state describes it; `table.model` names the model, "" for an M2M table.
        state: The state to take it from: after this migration; None: the recorded head.
    """

    table: Table
    state: MigrationKey | None = None

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Create table {self.table.key}"


@dataclass(frozen=True, slots=True)
class AddColumn:
    """Add a missing column, with what state puts on it (its index, foreign key, check)."""

    table: str
    column: Column
    state: MigrationKey | None = None

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Add column {self.table}.{self.column.name}"


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """Create a missing index."""

    table: str
    index: Index
    state: MigrationKey | None = None

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Create index {self.index.name} on {self.table}"


@dataclass(frozen=True, slots=True)
class AddConstraint:
    """Create a missing constraint; not where existing rows violate it."""

    table: str
    constraint: Constraint
    state: MigrationKey | None = None

    @property
    def description(self) -> str:
        """One line for people."""
        columns = ", ".join(getattr(self.constraint, "columns", ()))
        return f"Create constraint {self.constraint.name or f'on ({columns})'} of {self.table}"


@dataclass(frozen=True, slots=True)
class SetDefault:
    """Give a column the database default that state declares."""

    table: str
    column: Column

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Set the default of {self.table}.{self.column.name}"


@dataclass(frozen=True, slots=True)
class RebuildTable:
    """Make a table anew, rows included, with what it lacks: SQLite alters hardly anything.

    Attributes:
        table: Its key; nothing on it may be unknown to state, since that would be lost.
        parts: What is done by it, each as the action that other vendors would have.
    """

    table: str
    parts: tuple[AddColumn | AddConstraint | CreateIndex | SetDefault, ...]

    @property
    def description(self) -> str:
        """One line for people."""
        wanted = "; ".join(part.description for part in self.parts)
        return f"Rebuild table {self.table} with its rows: {wanted}"


@dataclass(frozen=True, slots=True)
class RebuildIndex:
    """Drop an INVALID index and build it again, concurrently."""

    table: str
    index: Index

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Drop the invalid index {self.index.name} on {self.table} and build it again"


@dataclass(frozen=True, slots=True)
class ShowIndex:
    """Let the optimiser use an index that it is told to ignore (MySQL, MariaDB)."""

    table: str
    name: str

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Let the optimiser use the index {self.name} on {self.table} again"


@dataclass(frozen=True, slots=True)
class ValidateConstraint:
    """Validate a constraint that is NOT VALID or NOT ENFORCED."""

    table: str
    name: str

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Validate constraint {self.name} on {self.table}"


@dataclass(frozen=True, slots=True)
class ResetSequence:
    """Move a sequence past the largest value of its column."""

    table: str
    column: str
    sequence: str
    value: int

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Move sequence {self.sequence} of {self.table}.{self.column} to {self.value}"


Action: TypeAlias = (
    RecordMigration
    | ForgetMigration
    | RunOperations
    | CreateTable
    | AddColumn
    | CreateIndex
    | AddConstraint
    | SetDefault
    | RebuildTable
    | RebuildIndex
    | ShowIndex
    | ValidateConstraint
    | ResetSequence
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A question that only a person can answer; `--assume-applied <migration>` answers it."""

    migration: MigrationKey
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An incident that no repair touches, with the reason."""

    incident: Incident
    reason: str


@dataclass(frozen=True, slots=True)
class RepairPolicy:
    """What a person has decided.

    Attributes:
        assume_applied: Migrations whose unobservable effect somebody vouches for.
    """

    assume_applied: frozenset[MigrationKey] = frozenset()


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What to do, in order; nothing is to be done while there are decisions or refusals.

    Attributes:
        actions: In the order of execution.
        notes: What a person should know: data that is gone, for example.
        decisions: What somebody has to decide first (exit 3).
        refusals: What has to be mended by hand (exit 1).
    """

    actions: tuple[Action, ...] = ()
    notes: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.actions or self.decisions or self.refusals)
