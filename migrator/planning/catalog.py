"""What operations look up in the database, as it will be when it is their turn.

Django's schema editors ask the database for names of constraints, indexes and sequences. In a
plan, the migrations before have not been applied, so the answer is what is live now with the
statements planned so far laid on top: the text of those statements decides, not the state, so
that a constraint which Django puts off to the end of a migration is not found before it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.core import ddl
from migrator.core.schema import Schema, Table, split_key
from migrator.planning.naming import postgresql_name
from migrator.planning.overlay import Constraints, Overlay, PlannedStep, described
from migrator.sources.ddl import read_ddl


@dataclass(slots=True)
class Catalog:
    """Answers for one connection while a plan is made.

    Attributes:
        vendor: Django's vendor name.
        mariadb: Whether a "mysql" is MariaDB.
        schema: What is live before the plan.
        online: Whether the database may be asked; otherwise `schema` answers.
        extensions: PostgreSQL: made by the plan so far.
        collations: PostgreSQL: made by the plan so far, and whether each is deterministic.
        opaque: Tables that something unreadable may have changed; None for any.
    """

    vendor: str
    schema: Schema
    mariadb: bool = False
    online: bool = True
    extensions: set[str] = field(default_factory=set)
    collations: dict[str, bool] = field(default_factory=dict)
    opaque: set[str] | None = field(default_factory=set)
    _steps: list[PlannedStep] = field(default_factory=list)
    _taken: set[str] | None = None
    _operation_from: int = 0
    _editor: Any = None

    # -- what has been planned -----------------------------------------------------------

    def take(
        self, actions: Iterable[ddl.Action], tables: Mapping[str, Table], sql: str = ""
    ) -> None:
        """Lay a planned statement on top.

        Args:
            actions: What it does.
            tables: Of the operation that it belongs to: tables as they are afterwards, by key.
            sql: Its text.
        """
        for action in actions:
            name = getattr(action, "table", "")
            self._steps.append(PlannedStep(action, tables.get(name), sql))
            if self._taken is not None:
                self._taken.update(_names_in(action))

    def doubt(self, tables: frozenset[str] | None) -> None:
        """Something that cannot be read may change these tables; None for any."""
        if tables is None or self.opaque is None:
            self.opaque = None
        else:
            self.opaque |= tables

    def begin_operation(self, position: int) -> None:
        """An operation is about to write from this position of the collected SQL on."""
        self._operation_from = position

    # -- answering ------------------------------------------------------------------------

    @contextmanager
    def answering(self, connection: BaseDatabaseWrapper, editor: Any) -> Iterator[None]:
        """Stand between Django and the database for the duration."""
        introspection: Any = connection.introspection
        ask = introspection.get_constraints
        self._editor = editor
        own: dict[str, Any] = {
            "get_constraints": lambda cursor, table: self.constraints(
                table, lambda name: ask(cursor, name)
            )
        }
        if self.vendor == "postgresql":
            sequences = introspection.get_sequences
            own["get_sequences"] = lambda cursor, table, table_fields=(): self._sequences(
                table, lambda name: sequences(cursor, name, table_fields), editor
            )
            deterministic = editor._is_collation_deterministic
            editor._is_collation_deterministic = lambda name: self.collations.get(
                name, deterministic(name) if name not in self.collations else None
            )
        for name, answer in own.items():
            setattr(introspection, name, answer)
        try:
            yield
        finally:
            for name in own:
                delattr(introspection, name)
            self._editor = None

    def constraints(self, table: str, ask: Callable[[str], Constraints]) -> Constraints:
        """The constraints and indexes of a table, as of now in the plan.

        Args:
            table: `db_table` of the model.
            ask: Asks the database about a table that is there today.
        """
        if split_key(table)[0]:
            return ask(table)  # Django finds nothing under such a name, then as now
        steps = self._so_far()
        name, position = _origin(table, steps)
        found: Constraints = {}
        if position is None:
            found = {key: dict(info) for key, info in self._live(name, ask).items()}
        overlay = Overlay(self.vendor, self.mariadb, self.schema, self._names)
        for step in steps[position or 0 :]:
            name = overlay.lay(found, name, step)
        return found

    def _so_far(self) -> list[PlannedStep]:
        """What is planned, and what the operation at work has written already."""
        written = self._editor.collected_sql[self._operation_from :] if self._editor else ()
        return [
            *self._steps,
            *(
                PlannedStep(action, None, sql)
                for sql in written
                for action in read_ddl(sql, self.vendor)
            ),
        ]

    def _names(self) -> set[str]:
        """Names of relations and constraints that PostgreSQL steers clear of."""
        if self._taken is None:
            taken = set(self.schema.tables) | {s.name for s in self.schema.sequences}
            for table in self.schema.tables.values():
                taken.update(described(table, self.vendor))
            for step in self._steps:
                taken.update(_names_in(step.action))
            self._taken = taken
        return self._taken

    def _live(self, name: str, ask: Callable[[str], Constraints]) -> Constraints:
        if self.online:
            return ask(name)
        known = self.schema.tables.get(name)
        return described(known, self.vendor) if known else {}

    def _sequences(
        self, table: str, ask: Callable[[str], list[dict[str, Any]]], editor: Any
    ) -> list[dict[str, Any]]:
        """Sequences of a table's columns.

        An operation that has just dropped an identity, in its own SQL, has dropped its sequence.
        """
        steps = self._so_far()
        name, position = _origin(table, steps)
        found: dict[str, str] = {}
        if position is None:
            live = self.schema.tables.get(name)
            if self.online:
                found = {row["column"]: row["name"] for row in ask(name)}
            elif live:
                found = {
                    column.name: postgresql_name(name, [column.name], "seq")
                    for column in live.columns
                    if column.identity
                }
        for step in steps[position or 0 :]:
            match step.action:
                case ddl.RenameTable(old, new) if old == name:
                    name = new
                case ddl.RenameColumn(where, old, new) if where == name and old in found:
                    found[new] = found.pop(old)
                case ddl.DropColumn(where, column) if where == name:
                    found.pop(column, None)
                case ddl.CreateTable(where) if where == name and step.table:
                    for made in step.table.columns:
                        if made.identity:
                            found[made.name] = postgresql_name(name, [made.name], "seq")
                case ddl.AddColumn(where, column, serial=True) if where == name:
                    found[column] = postgresql_name(name, [column], "seq")
                case _ if " IDENTITY" in step.sql:
                    self._identity(found, name, step.sql, editor)
        return [{"name": made, "table": table, "column": column} for column, made in found.items()]

    def _identity(self, found: dict[str, str], table: str, sql: str, editor: Any) -> None:
        """Django's own two statements about identities, which it writes in one way only."""
        quoted = {"table": editor.quote_name(table)}
        for column in list(found):
            names = {**quoted, "column": editor.quote_name(column)}
            live = self.schema.tables.get(table)
            known = live.column(column) if live else None
            serial = known is not None and known.identity == "serial"
            if not serial and sql.startswith(editor.sql_drop_indentity % names):
                del found[column]
        head = editor.sql_add_identity.partition("%(column)s")[0] % quoted
        if sql.startswith(head) and editor.sql_add_identity.rpartition(")s")[2] in sql:
            column = sql[len(head) :].partition('" ')[0].strip('"').replace('""', '"')
            found[column] = postgresql_name(table, [column], "seq")


def _origin(table: str, steps: list[PlannedStep]) -> tuple[str, int | None]:
    """The name that a table began with, and the step that it is replayed from; None for one
    that is live today.
    """
    name = table
    for position in range(len(steps) - 1, -1, -1):
        match steps[position].action:
            case ddl.RenameTable(old, new) if new == name:
                name = old
            case ddl.RenameTable(old) if old == name:
                return name, position + 1
            case ddl.CreateTable(made) if made == name:
                return name, position
            case ddl.DropTable(gone) if gone == name:
                return name, position + 1
    return name, None


def _names_in(action: ddl.Action) -> tuple[str, ...]:
    match action:
        case ddl.CreateTable(table):
            return (table,)
        case ddl.RenameTable(_, new):
            return (new,)
        case ddl.CreateIndex(_, name) | ddl.AddConstraint(_, _, name) if name:
            return (name,)
        case ddl.RenameIndex(_, new) | ddl.RenameConstraint(_, _, new):
            return (new,)
    return ()
