"""What a rule is given: one step of a plan, statement by statement, and whom to ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from migrator.core.ddl import Action
from migrator.core.findings import Finding, Severity
from migrator.core.live import Facts, LongTransaction, Question, TableSize
from migrator.core.plan import Operation, Plan, Statement, Step, TableLock
from migrator.core.rules.names import Names
from migrator.core.schema import Column, Table
from migrator.core.spelling import spell_bytes, spell_table


class Weight(IntEnum):
    """How much it matters that a table is locked while it is read or written anew."""

    NONE = 0
    """The same plan makes it: nobody waits for it."""
    EMPTY = 1
    TINY = 2
    UNKNOWN = 3
    MEDIUM = 4
    LARGE = 5


@dataclass(frozen=True, slots=True)
class Policy:
    """What counts as tiny and as large.

    Attributes:
        tiny_rows, tiny_bytes: Below both, no cost is worth more than a note.
        large_rows: From here on, a rewrite or a long scan under a lock is an error.
    """

    tiny_rows: int = 10_000
    tiny_bytes: int = 16 * 1024 * 1024
    large_rows: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Moment:
    """One statement, and what is true right before it.

    Attributes:
        statement: As it is sent. For an operation without SQL (RunPython), an empty one.
        operation: Whose it is; None for deferred SQL.
        actions: What it does, clause by clause. When SQLite makes a table anew, the statements
            of that are one moment, and these are what it comes to (with a TableMaintenance
            "remake").
        names: What tables and columns are called today.
        planned: Tables as the migrations leave them right before this operation, by key, as
            far as state knows them.
    """

    statement: Statement
    operation: Operation | None
    actions: tuple[Action, ...]
    names: Names
    planned: tuple[tuple[str, Table], ...] = ()

    @property
    def remake(self) -> bool:
        """Whether SQLite makes the table anew here."""
        return any(getattr(action, "what", "") == "remake" for action in self.actions)

    def table(self, key: str) -> Table | None:
        """The table right before this statement: as state has it, or else as it is live."""
        for name, table in self.planned:
            if name == key:
                return table
        today = self.names.table(key)
        return None if today is None else self.names.schema.tables.get(today)

    def column(self, table: str, column: str) -> Column | None:
        """The column right before this statement; None when nothing is known of it."""
        for name, found in self.planned:
            if name == table and (known := found.column(column)):
                return known
        today = self.names.table(table)
        live = self.names.schema.tables.get(today) if today else None
        name_today = self.names.column(table, column)
        return live.column(name_today) if live and name_today else None


@dataclass(frozen=True, slots=True)
class StepContext:
    """One step, and everything that a rule may look at.

    Attributes:
        plan: The whole plan.
        step: The migration that is judged.
        moments: Its statements in order, each with what is true right before it.
        facts: The live database; None without one.
        policy: What counts as large.
        earlier: Contexts of the steps before this one.
        codes: Source of operations, by index, as Django's writer spells it; those that it
            cannot spell are left out.
        fields: Source of the field that an operation speaks of without naming it whole
            (RenameField), by index.
    """

    plan: Plan
    step: Step
    moments: tuple[Moment, ...]
    facts: Facts | None = None
    policy: Policy = field(default_factory=Policy)
    earlier: tuple[StepContext, ...] = ()
    codes: Mapping[int, str] = field(default_factory=dict)
    fields: Mapping[int, str] = field(default_factory=dict)

    @property
    def vendor(self) -> str:
        """ "postgresql" | "mysql" | "sqlite"."""
        return self.plan.vendor

    def actions(self) -> Iterator[tuple[Moment, Action]]:
        """Every action of the step with its moment."""
        for moment in self.moments:
            for action in moment.actions:
                yield moment, action

    def actions_and_silent(self) -> Iterator[tuple[Moment, Action | None]]:
        """As `actions`, and None where an operation has no SQL (RunPython)."""
        for moment in self.moments:
            yield from ((moment, action) for action in moment.actions or (None,))

    def origin(self, moment: Moment, table: str, columns: Iterable[str]) -> Operation | None:
        """The operation that a statement is for: deferred SQL names none.

        Args:
            moment: The statement's.
            table: Key of the table that it is about.
            columns: Columns that it is about.
        """
        if moment.operation is not None:
            return moment.operation
        wanted = set(columns)
        for operation in reversed(self.step.operations):
            for effect in operation.effect.tables:
                if effect.key != table or effect.after is None:
                    continue
                known = {column.name for column in effect.after.columns}
                before = effect.before.columns if effect.before else ()
                changed = {each.name for each in effect.after.columns if each not in before}
                if wanted & changed or (not changed and wanted <= known):
                    return operation
        return None

    def code(self, operation: Operation | None) -> str:
        """Source of an operation; "" where there is none."""
        return self.codes.get(operation.index, "") if operation is not None else ""

    # -- asking the live database ---------------------------------------------------------

    def size(self, moment: Moment, table: str) -> TableSize | None:
        """How large a table is; nothing at all where the plan makes it; None when unknown."""
        today = moment.names.table(table)
        if today is None:
            return TableSize(rows=0, bytes=0, empty=True)
        return self.facts.size(today) if self.facts is not None else None

    def count(self, moment: Moment, question: Question) -> int | None:
        """How many rows, in today's names; None when it cannot be told.

        Zero where the table is made by this plan or is empty.
        """
        size = self.size(moment, question.table)
        if size is not None and size.empty and not moment.names.rows_moved(question.table):
            return 0
        asked = moment.names.question(question)
        return self.facts.count(asked) if asked is not None and self.facts is not None else None

    def long_transactions(self) -> tuple[LongTransaction, ...]:
        """Transactions of others that have been open for a while."""
        return self.facts.long_transactions() if self.facts is not None else ()

    def weight(self, moment: Moment, table: str) -> Weight:
        """How much a table weighs."""
        if moment.names.created(table):
            return Weight.NONE
        size = self.size(moment, table)
        if size is None:
            return Weight.UNKNOWN
        if size.empty:
            return Weight.EMPTY
        if size.rows is None:
            return Weight.UNKNOWN
        if size.rows >= self.policy.large_rows:
            return Weight.LARGE
        small = size.rows < self.policy.tiny_rows
        light = size.bytes is None or size.bytes < self.policy.tiny_bytes
        return Weight.TINY if small and light else Weight.MEDIUM

    def by_cost(self, moment: Moment, table: str) -> Severity | None:
        """How bad a lock is that lasts as long as the table is large; None where nobody waits."""
        return _BY_WEIGHT[self.weight(moment, table)]

    def sized(self, moment: Moment, table: str) -> str:
        """The table with what is known of its size: "shop_order (1,200,000 rows, 340 MB)"."""
        size = self.size(moment, table)
        if size is None or size.rows is None:
            return table
        if size.empty:
            return f"{table} (empty)"
        about = f"{size.rows:,} row{'' if size.rows == 1 else 's'}"
        return (
            f"{table} ({about}, {spell_bytes(size.bytes)})" if size.bytes else f"{table} ({about})"
        )

    # -- saying something --------------------------------------------------------------------

    def finding(
        self,
        severity: Severity,
        message: str,
        *,
        at: Moment | Operation | None = None,
        table: str = "",
        column: str = "",
        hint: str = "",
        alternative: str = "",
        lock: str = "",
        destroys: bool = False,
        rows: int | None = None,
    ) -> Finding:
        """A finding about this step; the code is put in by whoever runs the rule.

        Args:
            severity: How much it matters here.
            message: One sentence: what happens.
            at: The moment or operation that it is about; None for the migration as a whole.
            table: Key of the table.
            column: Name of the column.
            hint: What to do instead.
            alternative: The safe way as code.
            lock: The strongest lock; by default that of the moment's statement on the table.
            destroys: Whether data is gone afterwards.
            rows: How many rows are concerned.
        """
        operation = at.operation if isinstance(at, Moment) else at
        if not lock and isinstance(at, Moment):
            lock = worded_lock(strongest(at.statement.cost.locks, table))
        return Finding(
            code="",
            severity=severity,
            migration=self.step.migration,
            alias=self.plan.alias,
            operation=operation.index if operation is not None else None,
            message=spell_table(message),  # keys of other schemas as people write them
            table=table,
            column=column,
            hint=spell_table(hint),
            alternative=alternative,
            lock=spell_table(lock),
            destroys=destroys,
            rows=rows,
            file=self.step.file,
        )


_BY_WEIGHT = {
    Weight.NONE: None,
    Weight.EMPTY: Severity.INFO,
    Weight.TINY: Severity.INFO,
    Weight.UNKNOWN: Severity.WARNING,
    Weight.MEDIUM: Severity.WARNING,
    Weight.LARGE: Severity.ERROR,
}
_STRENGTH = ("", "schema changes", "writes", "reads and writes")


def strongest(locks: Iterable[TableLock], table: str = "") -> TableLock | None:
    """The lock that blocks most, on one table or on any."""
    found = [lock for lock in locks if not table or lock.table == table]
    return max(found, key=lambda lock: _STRENGTH.index(lock.blocks), default=None)


def worded_lock(lock: TableLock | None) -> str:
    """ "ACCESS EXCLUSIVE on shop_order"; "" for none."""
    return f"{lock.mode} on {lock.table}" if lock is not None and lock.mode else ""
