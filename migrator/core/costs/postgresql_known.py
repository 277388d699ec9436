"""What the live schema tells about a statement before it runs on PostgreSQL."""

from __future__ import annotations

from migrator.core import ddl
from migrator.core.costs.charges import Situation
from migrator.core.costs.postgresql_types import parse_type
from migrator.core.schema import ForeignKey, Table


def foreign_key_named(table: Table | None, name: str) -> ForeignKey | None:
    """The foreign key of that name, or None."""
    return (
        next((found for found in table.foreign_keys if found.name == name), None) if table else None
    )


def foreign_keys_on(table: Table | None, column: str) -> tuple[ForeignKey, ...]:
    """The foreign keys that a column is in."""
    if table is None:
        return ()
    return tuple(found for found in table.foreign_keys if column in found.columns)


def key_columns(table: Table, name: str) -> tuple[str, ...]:
    """The columns of a primary key or unique constraint; empty for none of that name."""
    if table.primary_key and table.primary_key.name == name:
        return table.primary_key.columns
    return next((found.columns for found in table.uniques if found.name == name), ())


def rebuilds_indexes(table: Table, column: str, kept: bool) -> bool:
    """Whether a change of a column's type builds an index anew.

    `CheckIndexCompatible` (indexcmds.c): one with an expression or a condition always is.

    Args:
        table: The column's.
        column: Its name.
        kept: Whether a plain index survives this change.
    """
    keys = [unique.columns for unique in table.uniques]
    if table.primary_key:
        keys.append(table.primary_key.columns)
    if not kept and any(column in columns for columns in keys):
        return True
    for index in table.indexes:
        texts = [index.condition, *(key.expression for key in index.keys)]
        touched = column in index.columns or column in index.include
        touched = touched or any(_mentions(text, column) for text in texts)
        if touched and (not kept or any(texts)):
            return True
    return False


def _mentions(expression: str, column: str) -> bool:
    words = "".join(letter if letter.isalnum() or letter in "_$" else " " for letter in expression)
    return column in words.split() or f'"{column}"' in expression


def never_null(table: Table, column: str) -> bool:
    """Whether the server knows already that no row holds NULL: it then reads none."""
    found = table.column(column)
    if found is not None and not found.nullable:
        return True
    proof = f"{column} is not null"
    for check in table.checks:
        text = check.expression.replace('"', "").replace("(", " ").replace(")", " ")
        clauses = " ".join(text.split()).lower().split(" and ")
        if check.valid and " or " not in text.lower() and proof.lower() in clauses:
            return True
    return False


def index_never_null(action: ddl.AddConstraint, situation: Situation) -> bool:
    """Whether no column of the index that is to be a key can hold NULL."""
    table = situation.table(action.table)
    index = (
        next((found for found in table.indexes if found.name == action.using_index), None)
        if table
        else None
    )
    return bool(table and index and all(never_null(table, column) for column in index.columns))


def is_constrained_domain(spelled: str, situation: Situation) -> bool:
    """Whether a type is a domain whose constraints every row has to be held against."""
    definition = _domain(spelled, situation)
    return " CHECK " in definition or " NOT NULL" in definition


def is_plain_cast(action: ddl.AlterColumnType) -> bool:
    """Whether USING says no more than the cast that the server makes by itself."""
    if not action.using:
        return True
    column, cast, spelled = action.using.replace('"', "").partition("::")
    return column.strip("() ") == action.column.replace('"', "") and (
        not cast or parse_type(spelled) == parse_type(action.type)
    )


def base_of_domain(spelled: str, situation: Situation) -> str:
    """The type below a domain; any other type as it is."""
    definition = _domain(spelled, situation)
    for end in (" NOT NULL", " DEFAULT ", " CHECK "):
        definition = definition.partition(end)[0]
    return definition or spelled


def _domain(spelled: str, situation: Situation) -> str:
    base = parse_type(spelled).base
    return next(
        (
            extra.definition
            for extra in situation.schema.extras
            if extra.kind == "domain" and extra.name.replace('"', "").lower() == base
        ),
        "",
    )
