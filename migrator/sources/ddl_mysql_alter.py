"""The clauses of MySQL's and MariaDB's ALTER TABLE."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.core.ddl import (
    Action,
    AddConstraint,
    AlterColumnType,
    ConstraintKind,
    CreateIndex,
    DropColumn,
    DropConstraint,
    DropDefault,
    DropIndex,
    Harmless,
    RenameColumn,
    RenameIndex,
    RenameTable,
    SetDefault,
    TableMaintenance,
)
from migrator.core.schema import split_key, table_key
from migrator.sources.ddl_columns import (
    Definition,
    read_columns,
    read_default,
    read_definition,
    read_reference,
)
from migrator.sources.ddl_tokens import Cursor, Unreadable

_OPTIONS = {
    "ENGINE": "engine", "ROW_FORMAT": "row format", "KEY_BLOCK_SIZE": "row format",
    "FORCE": "optimize", "AUTO_INCREMENT": "auto increment", "COMMENT": "comment",
    "PAGE_COMPRESSED": "row format", "ENCRYPTION": "encryption", "ENCRYPTED": "encryption",
    "CHECKSUM": "checksum", "MAX_ROWS": "max rows", "MIN_ROWS": "min rows",
    "STATS_PERSISTENT": "statistics", "STATS_AUTO_RECALC": "statistics",
    "STATS_SAMPLE_PAGES": "statistics", "DELAY_KEY_WRITE": "statistics",
}  # fmt: skip


def read_clauses(table: str, cursor: Cursor) -> Iterator[Action]:
    """The actions behind ALTER TABLE and the table's name.

    Args:
        table: Its key.
        cursor: Behind the name.

    Raises:
        Unreadable: A clause is not known.
    """
    for word in ("WAIT", "NOWAIT"):  # MariaDB
        if cursor.take(word) and word == "WAIT":
            cursor.next()
    while True:
        yield from _clause(table, cursor)
        if not cursor.take(","):
            return


def _clause(table: str, cursor: Cursor) -> Iterator[Action]:
    if cursor.take("ADD"):
        yield from _add(table, cursor)
    elif cursor.take("DROP"):
        yield from _drop(table, cursor)
    elif cursor.take("MODIFY"):
        cursor.take("COLUMN")
        cursor.take("IF", "EXISTS")
        yield _changed(table, read_definition(cursor))
    elif cursor.take("CHANGE"):
        cursor.take("COLUMN")
        cursor.take("IF", "EXISTS")
        column = cursor.name()
        definition = read_definition(cursor)
        if definition.name != column:
            yield RenameColumn(table, column, definition.name)
            definition.name = column
        yield _changed(table, definition)
    elif cursor.take("RENAME"):
        yield from _rename(table, cursor)
    elif cursor.take("ALTER"):
        yield from _alter(table, cursor)
    else:
        yield _option(table, cursor)


def _changed(table: str, definition: Definition) -> Action:
    charset = f" character set {definition.charset}" if definition.charset else ""
    return AlterColumnType(
        table,
        definition.name,
        definition.type + charset,
        collation=definition.collation,
        not_null=definition.nullable is False,
        default=definition.default,
        generated=definition.generated,
        first_or_after=definition.placed,
    )


def _add(table: str, cursor: Cursor) -> Iterator[Action]:
    name = ""
    constrained = cursor.take("CONSTRAINT")
    if constrained:
        cursor.take("IF", "NOT", "EXISTS")
        if cursor.peek().word not in {"PRIMARY", "UNIQUE", "FOREIGN", "CHECK"}:
            name = cursor.name()
    if cursor.take("PRIMARY", "KEY"):
        yield AddConstraint(
            table, ConstraintKind.PRIMARY_KEY, name=name, columns=_listed(cursor)[1]
        )
    elif cursor.take("UNIQUE"):
        cursor.take_any("INDEX", "KEY")
        written, columns = _listed(cursor)
        yield AddConstraint(table, ConstraintKind.UNIQUE, name=name or written, columns=columns)
    elif cursor.take("FOREIGN", "KEY"):
        cursor.take("IF", "NOT", "EXISTS")
        written, columns = _listed(cursor)
        if not cursor.take("REFERENCES"):
            raise Unreadable
        other, other_columns = read_reference(cursor)
        yield AddConstraint(
            table,
            ConstraintKind.FOREIGN_KEY,
            name=name or written,
            columns=columns,
            references=other,
            referenced_columns=other_columns,
        )
    elif cursor.take("CHECK"):
        tokens = cursor.parens()
        enforced = not cursor.take("NOT", "ENFORCED")
        cursor.take("ENFORCED")
        yield AddConstraint(
            table,
            ConstraintKind.CHECK,
            name=name,
            expression=cursor.text(tokens),
            not_valid=not enforced,
        )
    elif constrained:
        raise Unreadable
    else:
        yield from _add_index_or_column(table, cursor)


def _add_index_or_column(table: str, cursor: Cursor) -> Iterator[Action]:
    special = cursor.take_any("FULLTEXT", "SPATIAL")
    if special:
        cursor.take_any("INDEX", "KEY")
        _listed(cursor)
        yield TableMaintenance(table, f"add {special.lower()} index")
    elif cursor.take_any("INDEX", "KEY"):
        cursor.take("IF", "NOT", "EXISTS")
        name, columns = _listed(cursor)
        yield CreateIndex(table, name=name, columns=columns)
    elif cursor.sees("PARTITION") or cursor.sees("SYSTEM") or cursor.sees("PERIOD"):
        raise Unreadable
    else:
        cursor.take("COLUMN")
        cursor.take("IF", "NOT", "EXISTS")
        if cursor.sees("("):
            inside = Cursor(cursor.parens())
            yield read_definition(inside).added_to(table)
            while inside.take(","):
                yield read_definition(inside).added_to(table)
        else:
            yield read_definition(cursor).added_to(table)


def _listed(cursor: Cursor) -> tuple[str, tuple[str, ...]]:
    """[name] [USING BTREE] (columns) [options] of an index or a key."""
    name = "" if cursor.sees("(") or cursor.sees("USING") else cursor.name()
    if cursor.take("USING"):
        cursor.name()
    columns = read_columns(cursor.parens())
    while not cursor.done and not cursor.sees(",") and not cursor.sees("REFERENCES"):
        cursor.next()
    return name, columns


def _drop(table: str, cursor: Cursor) -> Iterator[Action]:
    if cursor.take("PRIMARY", "KEY"):
        yield DropConstraint(table, "PRIMARY", ConstraintKind.PRIMARY_KEY)
        return
    if cursor.take("FOREIGN", "KEY"):
        cursor.take("IF", "EXISTS")
        yield DropConstraint(table, cursor.name(), ConstraintKind.FOREIGN_KEY)
    elif cursor.take_any("INDEX", "KEY"):
        cursor.take("IF", "EXISTS")
        yield DropIndex(cursor.name(), table=table)
    elif cursor.take("CHECK"):
        yield DropConstraint(table, cursor.name(), ConstraintKind.CHECK)
    elif cursor.take("CONSTRAINT"):
        cursor.take("IF", "EXISTS")
        yield DropConstraint(table, cursor.name())
    elif cursor.sees("PARTITION") or cursor.sees("SYSTEM") or cursor.sees("PERIOD"):
        raise Unreadable
    else:
        cursor.take("COLUMN")
        cursor.take("IF", "EXISTS")
        yield DropColumn(table, cursor.name())
        cursor.take_any("CASCADE", "RESTRICT")


def _rename(table: str, cursor: Cursor) -> Iterator[Action]:
    if cursor.take("COLUMN"):
        column = cursor.name()
        _expect(cursor, "TO")
        yield RenameColumn(table, column, cursor.name())
    elif cursor.take_any("INDEX", "KEY"):
        name = cursor.name()
        _expect(cursor, "TO")
        yield RenameIndex(name, cursor.name(), table=table)
    else:
        cursor.take_any("TO", "AS")
        key = cursor.key()
        schema, name = split_key(key)
        yield RenameTable(table, table_key(schema or split_key(table)[0], name))


def _alter(table: str, cursor: Cursor) -> Iterator[Action]:
    if cursor.take_any("INDEX", "KEY"):
        cursor.name()
        cursor.next()
        yield TableMaintenance(table, "index visibility")
        return
    if cursor.take_any("CHECK", "CONSTRAINT"):
        raise Unreadable
    cursor.take("COLUMN")
    cursor.take("IF", "EXISTS")
    column = cursor.name()
    if cursor.take("DROP", "DEFAULT"):
        yield DropDefault(table, column)
    elif cursor.take("SET", "DEFAULT"):
        yield SetDefault(table, column, read_default(cursor))
    else:
        raise Unreadable


def _option(table: str, cursor: Cursor) -> Action:
    if cursor.take("CONVERT", "TO"):
        cursor.skip_to_comma()
        return TableMaintenance(table, "convert charset")
    if cursor.take_any("ALGORITHM", "LOCK"):
        cursor.take("=")
        cursor.next()
        return Harmless("algorithm")
    if cursor.take_any("ENABLE", "DISABLE"):
        _expect(cursor, "KEYS")
        return TableMaintenance(table, "keys")
    cursor.take("DEFAULT")
    if cursor.take("CHARACTER", "SET") or cursor.take_any("CHARSET", "COLLATE"):
        cursor.skip_to_comma()
        return TableMaintenance(table, "default charset")
    what = cursor.take_any(*_OPTIONS)
    if not what:
        raise Unreadable
    if what == "ENGINE":
        cursor.take("=")
        return TableMaintenance(table, f"engine {cursor.name().lower()}")
    cursor.skip_to_comma()
    return TableMaintenance(table, _OPTIONS[what])


def _expect(cursor: Cursor, word: str) -> None:
    if not cursor.take(word):
        raise Unreadable
