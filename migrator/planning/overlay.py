"""The constraints and indexes of one table, with a planned statement laid on top.

In the shape in which Django's introspection tells them, and under the names that each server
gives to what the statement leaves without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from migrator.core import ddl
from migrator.core.schema import Schema, Table
from migrator.planning.naming import mysql_name, postgresql_name

Constraints = dict[str, dict[str, Any]]
"""As `connection.introspection.get_constraints` returns them."""

Kind = ddl.ConstraintKind


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """An action, with the table that it made or changed as state has it afterwards."""

    action: ddl.Action
    table: Table | None = None
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Lays planned steps on what is known of a table.

    Attributes:
        vendor: Django's vendor name.
        mariadb: Whether a "mysql" is MariaDB.
        schema: What is live before the plan.
        taken: PostgreSQL: the names that relations and constraints have by now.
    """

    vendor: str
    mariadb: bool
    schema: Schema
    taken: Callable[[], set[str]]

    def lay(self, found: Constraints, table: str, step: PlannedStep) -> str:
        """Lay one step on a table's constraints.

        Args:
            found: Its constraints; changed in place.
            table: Its name before the step.
            step: What is planned.

        Returns:
            Its name afterwards.
        """
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
                return postgresql_name(table, (), "pkey", self.taken())
            label = {Kind.UNIQUE: "key", Kind.CHECK: "check"}.get(kind, "fkey")
            shown = columns if kind is not Kind.CHECK or len(columns) == 1 else ()
            return postgresql_name(table, shown, label, self.taken())
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
        taken = self.taken() if self.vendor == "postgresql" else found
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
