"""Objects and incidents in words: what people read in a report."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.core.diff import Change, ChangeKind, Thing
from migrator.core.incidents import ObjectRef
from migrator.core.schema import (
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Index,
    PrimaryKey,
    Table,
    Trigger,
    Unique,
)

ABSENT = "absent"
_IGNORED = ", ignored by the optimiser"


def describe(thing: Thing | None) -> str:
    """An object in one short line, "absent" for none."""
    match thing:
        case None:
            return ABSENT
        case Column():
            return describe_column(thing)
        case Table():
            return f"table of {len(thing.columns)} columns"
        case PrimaryKey():
            return f"PRIMARY KEY ({', '.join(thing.columns)})"
        case Unique():
            tail = " DEFERRABLE" if thing.deferrable else ""
            tail += _IGNORED if thing.ignored else ""
            return f"UNIQUE ({', '.join(thing.columns)}){tail}"
        case ForeignKey():
            target = f" ({', '.join(thing.to_columns)})" if thing.to_columns else ""
            tail = "" if thing.on_delete == "NO ACTION" else f" ON DELETE {thing.on_delete}"
            tail += " DEFERRABLE" if thing.deferrable else ""
            tail += "" if thing.valid else " NOT VALID"
            return f"FOREIGN KEY ({', '.join(thing.columns)}) to {thing.to_table}{target}{tail}"
        case Check():
            tail = "" if thing.valid else " NOT VALID"
            return f"CHECK ({thing.expression or ', '.join(thing.columns) or '…'}){tail}"
        case Exclusion():
            return thing.definition or f"exclusion {thing.name}"
        case Trigger():
            return "enabled trigger" if thing.enabled else "disabled trigger"
        case Index():
            return describe_index(thing)


def describe_column(column: Column) -> str:
    """A column as DDL would state it: type, NULL or NOT NULL, default, and so on."""
    parts = [column.type]
    if column.collation:
        parts.append(f'COLLATE "{column.collation}"')
    if not column.nullable:
        parts.append("NOT NULL")
    if column.identity:
        parts.append("identity")
    if column.generated is not None:
        kind = "STORED" if column.stored else "VIRTUAL"
        parts.append(f"GENERATED ({column.generated}) {kind}")
    elif column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    return " ".join(parts)


def describe_index(index: Index) -> str:
    """An index in one line."""
    keys = ", ".join(
        (key.column or key.expression) + (" DESC" if key.descending else "") for key in index.keys
    )
    unique = "UNIQUE " if index.unique else ""
    method = "" if index.method == "btree" else f"{index.method} "
    where = f" WHERE {index.condition}" if index.condition else ""
    invalid = "" if index.valid else " INVALID"
    ignored = _IGNORED if index.ignored else ""
    return f"{unique}{method}index ({keys}){where}{invalid}{ignored}"


def state_change(change: Change) -> str:
    """A difference as one sentence."""
    ref = change.ref
    if change.kind is ChangeKind.MISSING:
        return f"The {ref} is missing."
    if change.kind is ChangeKind.EXTRA:
        return f"The {ref} is in no migration."
    if change.attributes == ("ignored",):
        return f"The {ref} is there, but the optimiser ignores it."
    return f"The {ref} differs in {enumerate_names(change.attributes)}."


def enumerate_names(names: Iterable[object], limit: int = 4) -> str:
    """Names joined for a sentence: "a, b and c"; beyond the limit, how many more."""
    found = [str(name) for name in names]
    if len(found) > limit:
        return f"{', '.join(found[:limit])} and {len(found) - limit} more"
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} and {found[-1]}"


def fold_objects(objects: Iterable[tuple[ObjectRef, bool]]) -> tuple[tuple[ObjectRef, bool], ...]:
    """Leave out the columns of a table that stands in the list with the same answer."""
    found = list(objects)
    tables = {ref.table: live for ref, live in found if ref.kind == "table"}
    return tuple(
        (ref, live) for ref, live in found if ref.kind == "table" or tables.get(ref.table) != live
    )
