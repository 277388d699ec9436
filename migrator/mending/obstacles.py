"""What the rows of a table do not allow: a constraint that some violate, a value that none has.

Asked before a repair begins, so that nothing is changed, and the rows can be named.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CheckConstraint, Model, UniqueConstraint

from migrator.core.actions import AddColumn, AddConstraint, CreateIndex, RebuildIndex
from migrator.core.comparison import fold_key
from migrator.core.schema import Check, ForeignKey, Index, PrimaryKey, Unique, split_key
from migrator.core.spelling import spell_count

_EXAMPLES = 5

Part = AddColumn | AddConstraint | CreateIndex | RebuildIndex


class Obstacles:
    """Looks at the rows of one table."""

    def __init__(
        self, connection: BaseDatabaseWrapper, model: type[Model], live: Collection[str]
    ) -> None:
        """Prepare.

        Args:
            connection: Of the database concerned.
            model: The table's, as state has it.
            live: Keys of the tables that are there.
        """
        self._live = {fold_key(connection.vendor, key) for key in live}
        self._connection = connection
        self._model = model
        # For spelling alone: it is not entered.
        self._editor: Any = connection.schema_editor(collect_sql=True)
        self._quote = connection.ops.quote_name
        self._table = self._quote(model._meta.db_table)

    def of(self, part: Part) -> str:
        """What stands in the way of an action, one sentence; "" for nothing.

        Args:
            part: The action.

        Raises:
            DatabaseError: From the server.
        """
        if not self._is_there(part.table):
            return ""
        match part:
            case AddColumn(_, column):
                return self._column(column.name)
            case AddConstraint(_, ForeignKey() as key):
                return self._orphans(key)
            case AddConstraint(_, Check() as check):
                return self._violations(check)
            case AddConstraint(_, PrimaryKey() | Unique() as thing):
                return self._duplicates(thing.name, thing.columns)
            case CreateIndex(_, index) | RebuildIndex(_, index):
                return self._index(index)
        return ""

    def _is_there(self, key: str) -> bool:
        return fold_key(self._connection.vendor, key) in self._live

    def _rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, list(params) or None)
            return list(cursor.fetchall())

    def _field(self, column: str) -> Any:
        fields = self._model._meta.local_concrete_fields
        return next((field for field in fields if field.column == column), None)

    # -- columns ---------------------------------------------------------------------

    def _column(self, column: str) -> str:
        field = self._field(column)
        if field is None or field.null or field.generated or field.has_db_default():
            return ""
        value = self._editor.effective_default(field)
        ((rows,),) = self._rows(f"SELECT count(*) FROM (SELECT 1 FROM {self._table} LIMIT 2) AS r")
        what = f"Column {self._model._meta.db_table}.{column}"
        if rows and value is None:
            return f"{what} takes no NULL, and nothing says what the rows that are there would get."
        if rows > 1 and field.unique:
            return f"{what} is unique, and all the rows that are there would get the same value."
        return ""

    # -- constraints -----------------------------------------------------------------

    def _orphans(self, key: ForeignKey) -> str:
        target = ".".join(self._quote(part) for part in split_key(key.to_table) if part)
        pairs = list(zip(key.columns, key.to_columns, strict=False))
        if not pairs or not self._has(key.columns):
            return ""
        if not self._is_there(key.to_table):
            filled = " AND ".join(f"t.{self._quote(name)} IS NOT NULL" for name in key.columns)
            what = f"refer to rows of {key.to_table}, which are gone"
            return self._offending(f"FROM {self._table} AS t WHERE {filled}", what)
        joined = " AND ".join(f"t.{self._quote(a)} = r.{self._quote(b)}" for a, b in pairs)
        filled = " AND ".join(f"t.{self._quote(name)} IS NOT NULL" for name in key.columns)
        return self._offending(
            f"FROM {self._table} AS t LEFT JOIN {target} AS r ON {joined} "
            f"WHERE r.{self._quote(pairs[0][1])} IS NULL AND {filled}",
            f"refer to rows of {key.to_table} that are not there",
        )

    def _violations(self, check: Check) -> str:
        for constraint in self._model._meta.constraints:
            if constraint.name == check.name and isinstance(constraint, CheckConstraint):
                if not self._has(self._columns_of(constraint.condition)):
                    return ""
                condition = constraint._get_check_sql(self._model, self._editor)  # type: ignore[attr-defined]
                break
        else:
            field = self._field(check.columns[0]) if check.columns else None
            parameters = field.db_parameters(connection=self._connection) if field else {}
            condition = parameters.get("check")
        if not condition:
            return ""
        # What a schema editor spells has no parameters left, and its percent signs doubled.
        return self._offending(
            f"FROM {self._table} AS t WHERE NOT ({str(condition).replace('%%', '%')})",
            f"violate the check on {check.name or ', '.join(check.columns)}",
        )

    def _index(self, index: Index) -> str:
        if not index.unique or any(key.expression for key in index.keys):
            return ""
        where = ""
        for constraint in self._model._meta.constraints:
            if constraint.name == index.name and isinstance(constraint, UniqueConstraint):
                if constraint.condition and not self._has(self._columns_of(constraint.condition)):
                    return ""
                condition = constraint._get_condition_sql(self._model, self._editor)  # type: ignore[attr-defined]
                where = f" AND ({str(condition).replace('%%', '%')})" if condition else ""
        if index.condition and not where:
            return ""
        return self._duplicates(index.name, index.columns, where)

    def _duplicates(self, name: str, columns: Sequence[str], where: str = "") -> str:
        if not self._has(columns):
            return ""
        names = ", ".join(self._quote(column) for column in columns)
        filled = " AND ".join(f"{self._quote(column)} IS NOT NULL" for column in columns)
        sql = f"SELECT {names}, count(*) FROM {self._table} WHERE {filled}{where} "
        sql += f"GROUP BY {names} HAVING count(*) > 1"
        rows = self._rows(f"{sql} ORDER BY {names} LIMIT {_EXAMPLES + 1}")
        if not rows:
            return ""
        shown = "; ".join(
            ", ".join(f"{c} {v!r}" for c, v in zip(columns, row, strict=False))
            + f" {row[-1]} times"
            for row in rows[:_EXAMPLES]
        )
        more = ", and more" if len(rows) > _EXAMPLES else ""
        what = name or f"({', '.join(columns)})"
        return f"Rows of {self._model._meta.db_table} are there twice for {what}: {shown}{more}."

    def _columns_of(self, condition: Any) -> list[str]:
        """The columns that a Q speaks of."""
        names = getattr(condition, "referenced_base_fields", ())
        fields: list[Any] = [self._model._meta.get_field(name) for name in names]
        return [field.column for field in fields]

    def _has(self, columns: Sequence[str]) -> bool:
        """Whether the columns are there already, or are still to be made."""
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {self._table} LIMIT 0")
            found = {description[0].lower() for description in cursor.description or ()}
        return {column.lower() for column in columns} <= found

    def _offending(self, rest: str, what: str) -> str:
        key = self._model._meta.pk
        column = str(key.column) if key is not None and getattr(key, "column", None) else ""
        ((count,),) = self._rows(f"SELECT count(*) {rest}")
        if not count:
            return ""
        table = self._model._meta.db_table
        examples = ""
        if column and self._has([column]):
            name = f"t.{self._quote(column)}"
            rows = self._rows(f"SELECT {name} {rest} ORDER BY {name} LIMIT {_EXAMPLES}")
            more = ", …" if count > len(rows) else ""
            examples = f" ({column} {', '.join(str(row[0]) for row in rows)}{more})"
        return f"{spell_count(count, 'row')} of {table}{examples} {what}."
