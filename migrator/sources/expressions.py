"""The expressions that state wants, beside what a server shows in their place.

Nothing is asked of the server, so that this works for any role and on a standby.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.core.comparison import fold, same_expression
from migrator.core.effects import Expression
from migrator.core.schema import Schema, Table
from migrator.sources.tables import TableBuilder

_COMPARISON = re.compile(
    r"""\(*["`]?(\w+)["`]?\s*(<=|>=|<>|=|<|>)\s*\(*(-?\d+(?:\.\d+)?)\)*"""
    r"""(?:::(?:smallint|integer|bigint|numeric|double\ precision))?\)*$"""
)
"""What most checks are, so that most projects need no parser: a column and a number."""


def stated_expressions(
    classes: Iterable[type[models.Model]], connection: BaseDatabaseWrapper
) -> Iterator[Expression]:
    """The expressions of some models; those that cannot be spelled are left out.

    Args:
        classes: Rendered from state.
        connection: Of the database concerned.
    """
    editor: Any = connection.schema_editor(collect_sql=True)  # for spelling alone
    key_of = TableBuilder(connection, lambda *_: None).key
    for model in classes:
        key = key_of(model)
        for kind, name, spell in _spellings(model, connection, editor):
            try:
                text = spell()
            except Exception:  # noqa: S112  (a lookup through a relation, a value without a type)
                continue
            if text:
                yield Expression(key, kind, name, str(text).replace("%%", "%"))


def _spellings(
    model: type[models.Model], connection: BaseDatabaseWrapper, editor: Any
) -> Iterator[tuple[str, str, Any]]:
    vendor = connection.vendor
    constraint: Any
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.CheckConstraint):
            yield "check", constraint.name, lambda c=constraint: c._get_check_sql(model, editor)
        elif isinstance(constraint, models.UniqueConstraint) and constraint.condition:
            yield "index", constraint.name, lambda c=constraint: c._get_condition_sql(model, editor)
    index: Any
    for index in model._meta.indexes:
        if index.condition is not None:
            yield "index", index.name, lambda i=index: i._get_condition_sql(model, editor)
    field: Any
    for field in model._meta.local_concrete_fields:
        if field.generated:
            yield (
                "generated",
                field.column,
                lambda f=field: _plain(vendor, *f.generated_sql(connection)),
            )
        elif field.has_db_default():
            yield "default", field.column, lambda f=field: _plain(vendor, *editor.db_default_sql(f))


def _plain(vendor: str, sql: str, params: Collection[Any]) -> str:
    return sql % tuple(_literal(vendor, value) for value in params) if params else sql


def _literal(vendor: str, value: Any) -> str:
    if isinstance(value, bool) and vendor != "postgresql":
        return str(int(value))  # all that is stored there of a truth
    if isinstance(value, list | tuple):
        raise TypeError(value)  # an array, which the driver spells
    return str(value) if isinstance(value, int | float | Decimal) else f"'{value}'"


def find_differing(stated: Iterable[Expression], live: Schema) -> Iterator[Expression]:
    """The expressions that certainly mean something else in the database.

    Args:
        stated: From `stated_expressions`.
        live: What is there.

    Yields:
        Each with the live text.
    """
    for item in stated:
        table = live.tables.get(item.table)
        text = _live_text(table, item, live.vendor) if table else None
        if table is None or not text or same_expression(item.expected, text, exact=True):
            continue
        if (compared := _comparison(item.expected)) and compared == _comparison(text):
            continue
        # The parser takes longer to import than most projects have expressions to read.
        from migrator.sources.meaning import differ

        if differ(live.vendor, item.expected, text, table):
            yield replace(item, live=text)


def _comparison(text: str) -> tuple[str, ...] | None:
    """Column, operator and number of `"amount" >= 0` or `(amount >= (0)::numeric)`; None for
    anything else.
    """
    found = _COMPARISON.match(text)
    return found.groups() if found else None


def _live_text(table: Table, item: Expression, vendor: str) -> str | None:
    name = fold(vendor, item.name)
    if item.kind == "check":
        things: Mapping[str, str | None] = {
            fold(vendor, c.name): c.expression for c in table.checks
        }
    elif item.kind == "index":
        things = {fold(vendor, index.name): index.condition for index in table.indexes}
    elif item.kind == "generated":
        things = {fold(vendor, column.name): column.generated for column in table.columns}
    else:
        things = {fold(vendor, column.name): column.default for column in table.columns}
    return things.get(name)
