"""A plan as it is shown: each migration with its SQL, its locks and the tables concerned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from migrator.core import ddl
from migrator.core.events import PlannedStep
from migrator.core.live import Facts, TableSize
from migrator.core.plan import Plan, Statement, Step, TableLock

_STRENGTH = {"reads and writes": 3, "writes": 2, "schema changes": 1}
_NOT_SHOWN = "it is code"


def preview_plan(plan: Plan, facts: Facts | None = None) -> tuple[PlannedStep, ...]:
    """The steps of a plan as reports show them.

    Args:
        plan: Forwards or backwards.
        facts: Tells how large the tables are; None where nobody can.
    """
    today = _Today()
    return tuple(_preview(step, today, facts) for step in plan.steps)


def sql_lines(step: Step) -> tuple[str, ...]:
    """The SQL of a step, each statement with its semicolon, below what it is for.

    Args:
        step: Any; comments stand in place of what cannot be shown.
    """
    lines: list[str] = []
    for operation in step.operations:
        statements = tuple(step.statements_of(operation.index))
        if statements or not operation.shown:
            lines.append(f"-- {_flat(operation.description)}")
        if not operation.shown:
            lines.append("-- (what it does cannot be shown)")
        lines += [ended(statement.sql) for statement in statements]
    deferred = [ended(statement.sql) for statement in step.statements_of(None)]
    if deferred and lines:
        lines.append("-- Deferred to the end of the migration")
    return (*lines, *deferred)


def ended(sql: str) -> str:
    """A statement with a semicolon that no comment swallows.

    Args:
        sql: Without one.
    """
    return f"{sql}\n;" if "--" in sql.rpartition("\n")[2] else f"{sql};"


def strongest(statements: Iterable[Statement]) -> tuple[TableLock, ...]:
    """The strongest lock of some statements on each table, the worst first.

    Args:
        statements: Any.
    """
    found: dict[str, TableLock] = {}
    for statement in statements:
        for lock in statement.cost.locks:
            held = found.get(lock.table)
            if held is None or _strength(lock) > _strength(held):
                found[lock.table] = lock
    return tuple(sorted(found.values(), key=lambda lock: (-_strength(lock), lock.table)))


@dataclass(slots=True)
class _Today:
    """What tables are called in the database, before the plan."""

    names: dict[str, str] = field(default_factory=dict)
    created: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)

    def now(self, table: str) -> str:
        """What a table is called in the database; "" for one that the plan has made."""
        return "" if table in self.created else self.names.get(table, table)

    def take(self, actions: Iterable[ddl.Action]) -> None:
        for action in actions:
            match action:
                case ddl.CreateTable(table):
                    self.created.add(table)
                case ddl.DropTable(table):
                    self.created.discard(table)
                    self.dropped.add(table)
                case ddl.RenameTable(old, new) if old in self.created:
                    self.created.discard(old)
                    if new not in self.dropped:  # there, it is SQLite's remake
                        self.created.add(new)
                case ddl.RenameTable(old, new):
                    self.names[new] = self.names.pop(old, old)


def _preview(step: Step, today: _Today, facts: Facts | None) -> PlannedStep:
    locks = strongest(step.statements)
    names = dict.fromkeys(lock.table for lock in locks)
    found: dict[str, str] = {}
    for statement in step.statements:
        concerned = {*(lock.table for lock in statement.cost.locks), *_named(statement)}
        before = {table: today.now(table) for table in concerned}
        today.take(statement.actions)
        for table, name in sorted(before.items()):
            if (
                name
                and table not in today.created
                and (table in names or name not in found.values())
            ):
                found.setdefault(table, name)
    order = {table: number for number, table in enumerate(names)}
    found = dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))
    sizes = tuple(_sizes(found, facts)) if facts else ()
    return PlannedStep(
        step.migration,
        sql=sql_lines(step),
        opaque=tuple(_opaque(step)),
        locks=locks,
        rewrites=_tables(statement.cost.rewrites for statement in step.statements),
        scans=_tables(statement.cost.scans for statement in step.statements),
        sizes=sizes,
        backwards=step.backwards,
        file=step.file if step.own else "",
        atomic=step.atomic,
    )


def _opaque(step: Step) -> Iterator[str]:
    """What cannot be shown, with the reason where it is not simply code."""
    for operation in step.operations:
        if not operation.shown:
            reason = step.unshown_because(operation.index)
            plain = not reason or reason == _NOT_SHOWN
            yield operation.description if plain else f"{operation.description}: {reason}"


def _named(statement: Statement) -> Iterator[str]:
    """The tables that a statement names."""
    for action in statement.actions:
        if table := getattr(action, "table", ""):
            yield table
        yield from getattr(action, "tables", ())


def _sizes(names: dict[str, str], facts: Facts) -> Iterator[tuple[str, TableSize]]:
    for table, name in names.items():
        size = facts.size(name)
        if size is not None:
            yield table, size


def _tables(found: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(table for tables in found for table in tables))


def _strength(lock: TableLock) -> int:
    return _STRENGTH.get(lock.blocks, 0)


def _flat(text: str) -> str:
    return " ".join(text.split())
