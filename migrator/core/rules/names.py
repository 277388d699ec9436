"""What a table or column that a plan speaks of is called in the database today.

A plan renames, creates and drops as it goes; a live database is asked under today's names, and
nothing that the plan itself makes can be asked at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from migrator.core import ddl
from migrator.core.live import Duplicates, Orphans, Question, Violates
from migrator.core.schema import Schema, split_key

_TELLING = (
    ddl.CreateTable,
    ddl.RenameTable,
    ddl.DropTable,
    ddl.AddColumn,
    ddl.DropColumn,
    ddl.RenameColumn,
    ddl.Update,
    ddl.Insert,
    ddl.Delete,
    ddl.Truncate,
    ddl.Opaque,
)
"""Actions after which something is called otherwise, or rows may be others."""


@dataclass(frozen=True, slots=True)
class Names:
    """Right before one statement of a plan.

    Attributes:
        schema: What is live today.
        tables: Key in the plan → key today; None for a table that the plan has made. Tables
            that are not named here are called as they are.
        columns: (table, column) in the plan → column today; None for one that the plan adds.
        moved: Tables whose rows an earlier statement may have changed.
        moved_any: Whether earlier code (RunPython, opaque SQL) may have changed any rows.
        astray: Whether names may mean other tables than today: SET search_path, USE.
    """

    schema: Schema
    tables: Mapping[str, str | None] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    moved: frozenset[str] = frozenset()
    moved_any: bool = False
    astray: bool = False

    def table(self, key: str) -> str | None:
        """The table's key today; None when this plan makes it."""
        if key in self.tables:
            return self.tables[key]
        other = self._other_spelling(key)
        return self.tables[other] if other else key

    def _other_spelling(self, key: str) -> str:
        """A table that the plan has made or renamed, under a name with or without its schema, or
        in other letters; "" where there is none. Only for a name that is not live: better a
        question too many than a table that nobody asks about.
        """
        if not self.tables or key in self.schema.tables:
            return ""
        schema, name = split_key(key)
        for known in self.tables:
            other_schema, other = split_key(known)
            if other.casefold() == name.casefold() and not (
                schema and other_schema and schema != other_schema
            ):
                return known
        return ""

    def created(self, key: str) -> bool:
        """Whether this plan makes the table."""
        return self.table(key) is None

    def column(self, table: str, column: str) -> str | None:
        """The column's name today; None when this plan makes it or its table."""
        if self.created(table):
            return None
        if (table, column) in self.columns:
            return self.columns[table, column]
        for (other, name), today in self.columns.items():
            if name == column and self.table(other) == self.table(table):
                return today
            if name == column and split_key(other)[1] == split_key(table)[1]:
                return today
        return column

    def rows_moved(self, table: str) -> bool:
        """Whether something earlier in the plan may have changed rows of the table."""
        return self.moved_any or table in self.moved

    def question(self, asked: Question) -> Question | None:
        """The question in today's names; None when it is about what this plan makes."""
        table = self.table(asked.table)
        if table is None:
            return None
        found: dict[str, Any] = {"table": table}
        if isinstance(asked, Orphans):
            found["referenced"] = self.table(asked.referenced)
            found["referenced_column"] = self.column(asked.referenced, asked.referenced_column)
        if isinstance(asked, Duplicates):
            found["columns"] = tuple(self.column(asked.table, each) for each in asked.columns)
        elif not isinstance(asked, Violates):
            found["column"] = self.column(asked.table, asked.column)
        if None in found.values() or None in found.get("columns", ()):
            return None
        written = " ".join(
            (
                getattr(asked, "expression", ""),
                getattr(asked, "condition", ""),
                *getattr(asked, "expressions", ()),
            )
        )
        renamed = (
            name
            for (key, name), today in self.columns.items()
            if key == asked.table and today != name
        )
        if any(name in written for name in renamed):
            return None  # SQL in names that the database does not have yet
        changed: Any = asked
        return cast("Question", replace(changed, **found))

    def after(self, actions: Iterable[ddl.Action], *, moves_rows: bool = False) -> Names:
        """The names after a statement.

        Args:
            actions: What it does.
            moves_rows: Whether code that cannot be read may have changed rows.
        """
        actions = tuple(
            action for action in actions if isinstance(action, _TELLING) or _strays(action)
        )
        if not actions and moves_rows in (False, self.moved_any):
            return self
        tables, columns, moved = dict(self.tables), dict(self.columns), set(self.moved)
        moved_any = self.moved_any or moves_rows
        astray = self.astray or any(map(_strays, actions))
        for action in actions:
            match action:
                case ddl.CreateTable(table=key, if_not_exists=soft):
                    # Of a table in another schema nobody knows here whether it is there.
                    known = key in self.schema.tables or bool(split_key(key)[0])
                    if not (soft and known and tables.get(key, key)):
                        tables[key] = None
                case ddl.RenameTable(table=key, new=new):
                    tables[new] = tables.get(key, key)
                    tables[key] = None
                    for table, column in [each for each in columns if each[0] == key]:
                        columns[new, column] = columns.pop((table, column))
                    if key in moved:
                        moved.add(new)
                case ddl.DropTable(table=key):
                    tables[key] = None
                case ddl.AddColumn(table=key, column=column):
                    if not self._has(tables.get(key, key), columns, key, column):
                        columns[key, column] = None
                case ddl.DropColumn(table=key, column=column):
                    columns[key, column] = None
                case ddl.RenameColumn(table=key, column=column, new=new):
                    columns[key, new] = columns.pop((key, column), column)
                case ddl.Update(table=key) | ddl.Insert(table=key) | ddl.Delete(table=key):
                    moved.add(key)
                case ddl.Truncate(tables=keys):
                    moved.update(keys)
                case ddl.Opaque():
                    moved_any = True
        return Names(self.schema, tables, columns, frozenset(moved), moved_any, astray)

    def _has(
        self,
        today: str | None,
        columns: Mapping[tuple[str, str], str | None],
        key: str,
        column: str,
    ) -> bool:
        """Whether ADD COLUMN IF NOT EXISTS finds the column there."""
        live = self.schema.tables.get(today) if today else None
        return live is not None and (key, column) not in columns and bool(live.column(column))


def _strays(action: ddl.Action) -> bool:
    return isinstance(action, ddl.Harmless) and action.what in ddl.ASTRAY
