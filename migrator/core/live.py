"""What is asked of a live database before a plan is applied, as data, and who answers.

Rules ask through `Facts`; `backends` answer with one bounded query each; the twin in memory
answers from a dictionary. An answer may always be None: unknown, and never taken for "no".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

COUNT_LIMIT = 1_000_000
"""Nobody counts further: this answer means "so many or more"."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """How large a table is.

    Attributes:
        rows: Estimate of the server (exact for small tables); None when it has none.
        bytes: With indexes and TOAST; None when unknown.
        empty: Whether it has no row at all, which is asked exactly; None when unknown.
    """

    rows: int | None = None
    bytes: int | None = None
    empty: bool | None = None


@dataclass(frozen=True, slots=True)
class Nulls:
    """Rows whose column is NULL."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class NotNulls:
    """Rows whose column holds something: what dropping it would lose."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Others:
    """Rows whose column holds something else than the first row does that holds something."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of rows that are equal in these columns and expressions (NULLs never are)."""

    table: str
    columns: tuple[str, ...]
    condition: str = ""
    expressions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Orphans:
    """Rows whose column points to nothing."""

    table: str
    column: str
    referenced: str
    referenced_column: str


@dataclass(frozen=True, slots=True)
class TooLong:
    """Rows whose text is longer than `limit` characters."""

    table: str
    column: str
    limit: int


@dataclass(frozen=True, slots=True)
class Rounded:
    """Rows whose number changes when it is rounded to `scale` digits after the point."""

    table: str
    column: str
    scale: int


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """Rows whose number lies outside of [low, high]."""

    table: str
    column: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """Rows whose timestamp is not at midnight: what a change to date would lose."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Violates:
    """Rows for which a CHECK of this SQL is false."""

    table: str
    expression: str


@dataclass(frozen=True, slots=True)
class Overwritten:
    """Rows whose column holds something, and something else after it is set to an expression.

    `condition`: of the rows that are set; "" for all.
    """

    table: str
    column: str
    expression: str
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Uncastable:
    """Rows whose value the server cannot cast to `type`.

    Where it only tells that there is one, the answer is 1.
    """

    table: str
    column: str
    type: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows whose value is another one after a cast to `type` and back to what it is now."""

    table: str
    column: str
    type: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """Rows whose value an expression makes something else of.

    `compared`: told by casting what comes out back to the type of now; without, only a value
    of which the expression makes NULL.
    """

    table: str
    column: str
    type: str
    expression: str
    compared: bool = True


Question: TypeAlias = (
    Nulls
    | NotNulls
    | Others
    | Duplicates
    | Orphans
    | TooLong
    | Rounded
    | OutOfRange
    | TimeOfDay
    | Violates
    | Overwritten
    | Uncastable
    | Replaced
    | Changed
)
"""Everything that can be asked; the answer is a number of rows, up to COUNT_LIMIT."""


@dataclass(frozen=True, slots=True)
class LongTransaction:
    """Another session whose transaction a lock would wait for.

    Attributes:
        session: Who, readable: process, user, application, from where.
        seconds: Age of the transaction.
        state: "active" | "idle in transaction" | …
        tables: Keys of the tables that it holds locks on; empty when unknown.
    """

    session: str
    seconds: float
    state: str = ""
    tables: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Dependent:
    """What names a column, so that the server refuses to change its type.

    Attributes:
        kind: "view" | "materialized view" | "rule" | "trigger" | "policy" | "function" |
            "generated column".
        name: Key of a view; the name of anything else.
    """

    kind: str
    name: str


class Facts(Protocol):
    """A live database, as far as rules may ask it."""

    def size(self, table: str) -> TableSize | None:
        """How large a table is; None when it does not exist or cannot be read."""

    def count(self, question: Question) -> int | None:
        """How many rows; None when it cannot be told (no table, no privilege, out of time)."""

    def long_transactions(self) -> tuple[LongTransaction, ...]:
        """Transactions of others that have been open for a while."""

    def dependents(self, table: str, column: str) -> tuple[Dependent, ...]:
        """What the server refuses to change a column's type for; () where it does not, or where
        that cannot be told.
        """

    def shortens(self) -> bool:
        """Whether the server makes values fit that do not, instead of refusing the change.

        MySQL and MariaDB do without a strict SQL mode: texts are cut off, numbers clipped.
        """


@dataclass(slots=True)
class MemoryFacts:
    """Answers from what it was given; everything else is unknown."""

    sizes: Mapping[str, TableSize] = field(default_factory=dict)
    counts: Mapping[Question, int] = field(default_factory=dict)
    transactions: tuple[LongTransaction, ...] = ()
    lenient: bool = False
    depending: Mapping[tuple[str, str], tuple[Dependent, ...]] = field(default_factory=dict)

    def size(self, table: str) -> TableSize | None:
        """As given."""
        return self.sizes.get(table)

    def count(self, question: Question) -> int | None:
        """As given."""
        return self.counts.get(question)

    def long_transactions(self) -> tuple[LongTransaction, ...]:
        """As given."""
        return self.transactions

    def dependents(self, table: str, column: str) -> tuple[Dependent, ...]:
        """As given."""
        return self.depending.get((table, column), ())

    def shortens(self) -> bool:
        """As given."""
        return self.lenient
