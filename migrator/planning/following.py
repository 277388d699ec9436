"""The schema and the tables that a plan has made so far, statement by statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from migrator.core import ddl
from migrator.core.costs import cost_of
from migrator.core.effects import OperationEffect
from migrator.core.evolution import evolve
from migrator.core.plan import Statement
from migrator.core.schema import Schema
from migrator.sources.ddl import read_ddl


@dataclass(slots=True)
class Following:
    """Reads statements and says what each costs, as of its turn.

    Attributes:
        vendor, version, product: Of the server.
        timezone: Of the session that migrates.
        canonical: Spells a type as the schema has it.
        schema: What is there before the next statement.
        created: Tables that the plan has made: nobody waits for a lock on them.
    """

    vendor: str
    version: tuple[int, ...]
    product: str
    schema: Schema
    timezone: str = "UTC"
    canonical: Callable[[str], str] = str
    created: set[str] = field(default_factory=set)
    _dropped: set[str] = field(default_factory=set)

    def statement(self, sql: str, operation: int | None) -> Statement:
        """A statement with what it does and what it costs.

        Args:
            sql: As it would be sent.
            operation: Index of its operation; None for deferred SQL.
        """
        actions = read_ddl(sql, self.vendor)
        cost = cost_of(
            actions,
            vendor=self.vendor,
            version=self.version,
            product=self.product,
            schema=self.schema,
            created=frozenset(self.created),
            timezone=self.timezone,
        )
        if unread := self._unread(actions):
            kept = tuple(table for table in cost.scans if table not in unread)
            cost = replace(cost, scans=kept)
        self._note(actions)
        self.schema = evolve(self.schema, actions, self.canonical)
        return Statement(sql, operation, actions, cost)

    def _unread(self, actions: Iterable[ddl.Action]) -> set[str]:
        """Tables that foreign keys of tables without a row refer to: there is nothing to look
        for in them (measured on PostgreSQL 18: neither a scan nor a row read).
        """
        return {
            action.references
            for action in actions
            if isinstance(action, ddl.AddConstraint | ddl.AddColumn)
            and action.references
            and action.table in self.created
        }

    def finish(self, effect: OperationEffect, *, shown: bool = True) -> None:
        """Go on to the next operation.

        Of tables that the statements tell all about, they have told; of those that the plan
        makes, state knows more, and of what is not shown it is all that there is.

        Args:
            effect: What the operation does to the schema.
            shown: Whether its statements are all that it does.
        """
        tables = dict(self.schema.tables)
        for table in effect.tables:
            if table.after is None:
                tables.pop(table.key, None)
            elif not shown or table.key in self.created or table.key not in tables:
                tables[table.key] = table.after
        self.schema = replace(self.schema, tables=tables)

    def _note(self, actions: Iterable[ddl.Action]) -> None:
        """Keep `created` up to date.

        SQLite's remake of a table (a new one, filled, renamed to the old one's name) makes none.
        """
        for action in actions:
            match action:
                case ddl.CreateTable(table, if_not_exists=known) if not (
                    known and table in self.schema.tables
                ):
                    self.created.add(table)
                case ddl.DropTable(table):
                    if table in self.created:
                        self.created.discard(table)
                    else:
                        self._dropped.add(table)
                case ddl.RenameTable(table, new) if table in self.created:
                    self.created.discard(table)
                    if new in self._dropped:
                        self._dropped.discard(new)
                    else:
                        self.created.add(new)
