"""What operations look up in the database, as it will be when it is their turn.

Django's schema editors ask the database for names of constraints, indexes and sequences. In a
plan, the migrations before have not been applied, so the answer is what is live now with the
statements planned so far laid on top: the text of those statements decides, not the state, so
that a constraint which Django puts off to the end of a migration is not found before it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.core import ddl
from migrator.core.schema import Schema, Table, split_key
from migrator.planning.naming import mysql_name, postgresql_name
from migrator.sources.ddl import read_ddl

Constraints = dict[str, dict[str, Any]]
"""As `connection.introspection.get_constraints` returns them."""

Kind = ddl.ConstraintKind


@dataclass(frozen=True, slots=True)
class _Step:
    """An action, with the table that it made or changed as state has it afterwards."""

    action: ddl.Action
    table: Table | None = None
    sql: str = ""


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
    _steps: list[_Step] = field(default_factory=list)
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
            self._steps.append(_Step(action, tables.get(name), sql))
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
        for step in steps[position or 0 :]:
            name = self._replay(found, name, step)
        return found

    def _so_far(self) -> list[_Step]:
        """What is planned, and what the operation at work has written already."""
        written = self._editor.collected_sql[self._operation_from :] if self._editor else ()
        return [
            *self._steps,
            *(_Step(action, None, sql) for sql in written for action in read_ddl(sql, self.vendor)),
        ]

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

    # -- replaying one step ------------------------------------------------------------------

    def _replay(self, found: Constraints, table: str, step: _Step) -> str:
        """Lay one step on a table's constraints; the table's name afterwards."""
        action = step.action
        if isinstance(action, ddl.DropIndex | ddl.RenameIndex) and not action.table:
            action = replace(action, table=table)  # its name is enough
        if isinstance(action, ddl.RenameTable):
            return action.new if action.table == table else table
        if getattr(action, "table", None) != table:
            return table
        match action:
            case ddl.CreateTable():
                found.clear()
                if step.table:
                    found.update(self._inline(step.table, step.sql))
            case ddl.AddColumn():
                self._add_column(found, action, step.table)
            case ddl.DropColumn(_, column):
                self._drop_column(found, column)
            case ddl.RenameColumn(_, old, new):
                for info in found.values():
                    info["columns"] = [new if each == old else each for each in info["columns"]]
            case ddl.AddConstraint():
                if action.kind is Kind.CHECK and not action.columns:
                    action = replace(action, columns=self._named_in(action, step.table))
                self._add_constraint(found, action)
            case ddl.DropConstraint(_, name):
                self._drop_constraint(found, name)
            case ddl.RenameConstraint(_, old, new) if old in found:
                found[new] = found.pop(old)
            case ddl.CreateIndex():
                self._create_index(found, action)
            case ddl.DropIndex(name):
                self._drop_index(found, name)
            case ddl.RenameIndex(old, new) if old in found:
                found[new] = found.pop(old)
            case ddl.AlterColumnType(_, column) if self.mariadb:
                # A MODIFY takes the column's own check away.
                for name in [
                    n for n, i in found.items() if i["check"] and i["columns"] == [column]
                ]:
                    if name.startswith("__unnamed"):
                        del found[name]
            case _:
                pass
        return table

    def _inline(self, table: Table, sql: str) -> Constraints:
        """What stands within the statement that makes a table."""
        found: Constraints = {}
        if table.primary_key:
            columns = table.primary_key.columns
            self._put(found, Kind.PRIMARY_KEY, "", columns, table.name)
        for unique in table.uniques:
            if not unique.name or unique.name in sql:
                self._put(found, Kind.UNIQUE, unique.name, unique.columns, table.name)
        unnamed = {check.columns for check in table.checks if not check.name}
        for column in table.columns:
            # State does not speak of the check of an unsigned column, which MariaDB may forget.
            written = self.vendor == "mysql" and f"CHECK (`{column.name}` >= 0)" in sql
            if written or (column.name,) in unnamed:
                self._put(found, Kind.CHECK, "", (column.name,), table.name)
        for check in table.checks:
            if check.name and check.name in sql:
                self._put(found, Kind.CHECK, check.name, check.columns, table.name)
        for key in table.foreign_keys:
            if self.vendor == "sqlite" or key.name in sql:
                self._put(
                    found,
                    Kind.FOREIGN_KEY,
                    key.name,
                    key.columns,
                    table.name,
                    (key.to_table, *key.to_columns),
                )
        return found

    def _add_column(self, found: Constraints, action: ddl.AddColumn, table: Table | None) -> None:
        columns = (action.column,)
        for kind in sorted(action.constraints):
            if kind in (Kind.UNIQUE, Kind.PRIMARY_KEY, Kind.CHECK):
                self._put(found, kind, "", columns, action.table)
        if action.references:
            keys = table.foreign_keys if table else ()
            name = next((key.name for key in keys if key.columns == columns), "")
            self._put(found, Kind.FOREIGN_KEY, name, columns, action.table, (action.references,))

    def _add_constraint(self, found: Constraints, action: ddl.AddConstraint) -> None:
        if action.using_index:
            info = found.pop(action.using_index, None)
            name = action.name or action.using_index
            columns = tuple(info["columns"]) if info else action.columns
            self._put(found, action.kind, name, columns, action.table)
            return
        self._put(
            found,
            action.kind,
            action.name,
            action.columns,
            action.table,
            (action.references, *action.referenced_columns),
        )

    def _named_in(self, action: ddl.AddConstraint, table: Table | None) -> tuple[str, ...]:
        """The columns that a check speaks of."""
        known = table or self.schema.tables.get(action.table)
        text = action.expression
        words = "".join(each if each.isalnum() or each in "_$" else " " for each in text).split()
        return tuple(
            column.name
            for column in (known.columns if known else ())
            if column.name in words or f'"{column.name}"' in text or f"`{column.name}`" in text
        )

    def _put(
        self,
        found: Constraints,
        kind: Kind,
        name: str,
        columns: tuple[str, ...],
        table: str,
        reference: tuple[str, ...] = (),
    ) -> None:
        if kind in (Kind.NOT_NULL, Kind.EXCLUSION):
            return
        name = name or self._name(found, kind, columns, table)
        indexed = self.vendor != "postgresql" and kind in (Kind.PRIMARY_KEY, Kind.UNIQUE)
        implicit = False
        if kind is Kind.FOREIGN_KEY and self.vendor == "mysql":
            implicit = indexed = not any(
                info["index"] and tuple(info["columns"][: len(columns)]) == columns
                for info in found.values()
            )
        if kind in (Kind.PRIMARY_KEY, Kind.UNIQUE):
            self._release_implicit(found, columns)
        found[name] = {
            "columns": list(columns),
            "primary_key": kind is Kind.PRIMARY_KEY,
            "unique": kind in (Kind.PRIMARY_KEY, Kind.UNIQUE),
            "foreign_key": (*reference, "", "")[:2] if kind is Kind.FOREIGN_KEY else None,
            "check": kind is Kind.CHECK,
            "index": indexed,
            "implicit": implicit,
            **({"type": "idx"} if indexed else {"definition": None}),
        }

    def _name(self, found: Constraints, kind: Kind, columns: tuple[str, ...], table: str) -> str:
        if self.vendor == "postgresql":
            if kind is Kind.PRIMARY_KEY:
                return postgresql_name(table, (), "pkey", self._names())
            label = {Kind.UNIQUE: "key", Kind.CHECK: "check"}.get(kind, "fkey")
            shown = columns if kind is not Kind.CHECK or len(columns) == 1 else ()
            return postgresql_name(table, shown, label, self._names())
        if kind is Kind.PRIMARY_KEY:
            return "PRIMARY" if self.vendor == "mysql" else "__primary__"
        if self.vendor == "mysql" and kind is Kind.UNIQUE:
            return mysql_name(columns, [n for n, info in found.items() if info["index"]])
        if self.vendor == "mysql" and kind is Kind.CHECK and not self.mariadb:
            number = 1
            while f"{table}_chk_{number}" in found:
                number += 1
            return f"{table}_chk_{number}"
        number = 1
        while f"__unnamed_constraint_{number}__" in found:
            number += 1
        return f"__unnamed_constraint_{number}__"

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

    def _drop_column(self, found: Constraints, column: str) -> None:
        for name, info in list(found.items()):
            if column not in info["columns"]:
                continue
            left = [each for each in info["columns"] if each != column]
            if self.vendor == "mysql" and left and not info["check"]:
                info["columns"] = left
            else:
                del found[name]

    def _drop_constraint(self, found: Constraints, name: str) -> None:
        info = found.get(name)
        if info and self.vendor == "mysql" and info["foreign_key"] and info["index"]:
            # The index that InnoDB had made for it stays.
            info.update(foreign_key=None, implicit=False)
        else:
            found.pop(name, None)

    def _create_index(self, found: Constraints, action: ddl.CreateIndex) -> None:
        columns = tuple(column or None for column in action.columns)
        self._release_implicit(found, action.columns)
        taken = self._names() if self.vendor == "postgresql" else found
        name = action.name or (
            postgresql_name(action.table, action.columns, "idx", taken)
            if self.vendor == "postgresql"
            else mysql_name(action.columns, taken)
        )
        found[name] = {
            "columns": [] if not any(columns) else list(columns),
            "primary_key": False,
            "unique": action.unique,
            "foreign_key": None,
            "check": False,
            "index": True,
            "type": "idx",
            "definition": None,
        }

    def _release_implicit(self, found: Constraints, columns: tuple[str, ...]) -> None:
        """InnoDB drops the index that it made for a foreign key once another will do."""
        if self.vendor != "mysql":
            return
        for name, info in found.items():
            own = info.get("implicit", bool(info["foreign_key"]) and info["index"] and bool(name))
            if (
                own
                and info["foreign_key"]
                and tuple(info["columns"]) == columns[: len(info["columns"])]
            ):
                info.update(index=False, implicit=False)

    def _drop_index(self, found: Constraints, name: str) -> None:
        info = found.get(name)
        if info and info["foreign_key"]:
            info.update(index=False, implicit=False)
        else:
            found.pop(name, None)


def _origin(table: str, steps: list[_Step]) -> tuple[str, int | None]:
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


def described(table: Table, vendor: str) -> Constraints:
    """The constraints and indexes of a known table in the shape of Django's introspection.

    Args:
        table: As inspected, or as state has it.
        vendor: Django's vendor name.
    """
    found: Constraints = {}

    def put(name: str, columns: Iterable[str], **facts: Any) -> None:
        found[name] = {
            "columns": list(columns),
            "primary_key": False,
            "unique": False,
            "foreign_key": None,
            "check": False,
            "index": False,
            **facts,
        }

    indexed = vendor != "postgresql"
    if table.primary_key:
        put(
            table.primary_key.name or "PRIMARY",
            table.primary_key.columns,
            primary_key=True,
            unique=True,
            index=indexed,
        )
    for unique in table.uniques:
        put(unique.name or "_".join(unique.columns), unique.columns, unique=True, index=indexed)
    for key in table.foreign_keys:
        reference = (key.to_table, *key.to_columns)[:2]
        put(key.name or f"fk_{'_'.join(key.columns)}", key.columns, foreign_key=reference)
    for check in table.checks:
        put(check.name or f"check_{'_'.join(check.columns)}", check.columns, check=True)
    for index in table.indexes:
        columns = index.columns if any(index.columns) else ()
        previous = found.get(index.name)
        if previous:
            previous["index"] = True
        else:
            put(index.name, columns, unique=index.unique, index=True, type="idx")
    return found


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
