"""Every harm that can be done to a live schema and its history, one at a time, out of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from migrator.core.comparison import says_nothing
from migrator.core.schema import Check, Column, Schema, Table
from tests.mutations.dialects import Dialect, MySQL, PostgreSQL

HISTORY = "django_migrations"


@dataclass(frozen=True)
class Mutation:
    """One harm.

    Attributes:
        kind: What sort of harm.
        table: Key of the table.
        name: Of what it is done to.
        sql: What does it.
        code: One of the codes that must name it ("" for any).
        blocks: Whether it must stop a deploy where the evidence is certain; None: may.
        mends: Whether --repair must mend it; None: may.
        loses: Whether the mutation itself takes rows or values along.
        missable: State alone cannot know of it; a snapshot must.
        commits: Its repair needs transactions of its own.
        says: What a refusal has to say.
    """

    kind: str
    table: str
    name: str
    sql: tuple[str, ...]
    code: str = ""
    blocks: bool | None = True
    mends: bool | None = False
    loses: bool = False
    missable: bool = False
    commits: bool = False
    says: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.table}" + (f".{self.name}" if self.name else "")


def generate(
    healthy: Schema,
    managed: set[str],
    counts: Mapping[str, int],
    history: list[tuple[str, str]],
    dialect: Dialect,
) -> Iterator[Mutation]:
    """Every mutation of a healthy database.

    Args:
        healthy: What is live.
        managed: Keys of the tables that belong to models.
        counts: How many rows each has.
        history: The rows of django_migrations.
        dialect: The vendor's.
    """
    yield Mutation("add table", "stray_table", "", tuple(dialect.add_table()), "DR108", False, None)
    for key, table in healthy.tables.items():
        if key not in managed:
            continue
        referred = any(
            reference.to_table == key
            for name, other in healthy.tables.items()
            for reference in other.foreign_keys
            if name != key and name in managed
        )
        yield from _tables(table, dialect, referred=referred)
        yield from _columns(table, dialect)
        yield from _constraints(table, dialect)
        yield from _indexes(table, dialect)
        if counts.get(key, 0) > 1:
            yield from _rows_in_the_way(table, dialect)
    filled = {key for key in managed if counts.get(key)}
    yield from _sequences(healthy, filled, dialect)
    yield from _history(history)


def _tables(table: Table, dialect: Dialect, *, referred: bool) -> Iterator[Mutation]:
    key = table.key
    yield Mutation(
        "drop table",
        key,
        "",
        tuple(dialect.drop_table(table)),
        "DR101 DR103",
        True,
        None if referred else True,  # rows may refer to rows that no repair can bring back
        True,
    )
    yield Mutation(
        "rename table", key, "", tuple(dialect.rename_table(table)), "DR101 DR103", True, None, True
    )


def _columns(table: Table, dialect: Dialect) -> Iterator[Mutation]:
    key = table.key
    in_key = table.primary_key.columns if table.primary_key else ()
    for column in table.columns:
        for mutation in _column(table, column, dialect, in_key=column.name in in_key):
            if mutation.sql:
                yield mutation
    stray = dialect.add_column(table, "varchar(9) NULL")
    yield Mutation("add column", key, "stray", tuple(stray or ()), "DR108", False, None)
    required = dialect.add_column(table, "varchar(9) DEFAULT 'x' NOT NULL")
    yield Mutation("add column with default", key, "stray", tuple(required or ()), "DR108", False)
    if isinstance(dialect, PostgreSQL):
        sql = (*(required or ()), f"ALTER TABLE {dialect.table(key)} ALTER stray DROP DEFAULT")
        yield Mutation("add required column", key, "stray", sql, "DR107", True, False)


def _column(table: Table, column: Column, dialect: Dialect, *, in_key: bool) -> Iterator[Mutation]:
    key, name = table.key, column.name

    def made(sql: list[str] | None) -> tuple[str, ...]:
        return tuple(sql or ())

    yield Mutation(
        "drop column",
        key,
        name,
        made(dialect.drop_column(table, column)),
        "DR101 DR103",
        True,
        # Where nothing says what the rows would get, a repair cannot.
        True if not in_key and (column.nullable or column.default is not None) else None,
        True,
    )
    yield Mutation(
        "rename column",
        key,
        name,
        made(dialect.rename_column(table, column)),
        "DR101 DR103",
        True,
        None,
        True,
    )
    loses = True
    if not column.identity:
        yield Mutation(
            "retype",
            key,
            name,
            made(dialect.narrow(table, column)),
            "DR104 DR103 DR101",
            True,
            False,
            loses,
        )
    yield Mutation(
        "widen", key, name, made(dialect.widen(table, column)), "DR104", False, None, loses
    )
    if not in_key:
        yield Mutation(
            "nullability",
            key,
            name,
            made(dialect.toggle_null(table, column)),
            "DR104 DR103 DR101",
            True,
            None,
        )
    if column.default is not None:
        yield Mutation(
            "drop default",
            key,
            name,
            made(dialect.drop_default(table, column)),
            "DR104 DR103 DR101",
            True,
            True,
        )
        yield Mutation(
            "change default",
            key,
            name,
            made(dialect.change_default(table, column)),
            "DR104",
            True,
            None,
            missable=True,
        )
    if column.identity and isinstance(dialect, PostgreSQL):
        sql = dialect.drop_identity(table, column)
        yield Mutation("drop identity", key, name, made(sql), "DR104 DR103 DR101", True, False)


def _says_nothing(table: Table, check: Check, dialect: Dialect) -> bool:
    """What MariaDB itself forgets, and no row ever violates: that an unsigned number is none
    below zero.
    """
    return isinstance(dialect, MySQL) and says_nothing("mysql", table, check)


def _constraints(table: Table, dialect: Dialect) -> Iterator[Mutation]:
    key = table.key

    def dropped(kind: str, name: str, mends: bool | None = True) -> Mutation:
        sql = dialect.drop_constraint(table, kind, name)
        return Mutation(f"drop {kind}", key, name, tuple(sql or ()), "DR105", True, mends)

    found: list[Mutation] = []
    if table.primary_key:
        found.append(dropped("primary key", table.primary_key.name, None))
    found += [dropped("unique", item.name) for item in table.uniques]
    checks = [item for item in table.checks if not _says_nothing(table, item, dialect)]
    found += [dropped("check", item.name or item.columns[0]) for item in checks]
    found += [dropped("exclusion", item.name) for item in table.exclusions]
    for reference in table.foreign_keys:
        found.append(dropped("foreign key", reference.name or reference.columns[0]))
        sql = dialect.change_foreign_key(table, reference)
        found.append(
            Mutation("change foreign key", key, reference.name, tuple(sql or ()), "DR105", True)
        )
        if isinstance(dialect, PostgreSQL):
            sql = dialect.not_valid(table, reference)
            found.append(
                Mutation("not valid", key, reference.name, tuple(sql), "DR106", True, True)
            )
    for check in checks:
        if isinstance(dialect, MySQL):
            sql = dialect.not_enforced(table, check)
            found.append(
                Mutation("not enforced", key, check.name, tuple(sql or ()), "DR106", True, True)
            )
        sql = dialect.weaken_check(table, check)
        found.append(
            Mutation(
                "weaken check", key, check.name, tuple(sql or ()), "DR105", True, missable=True
            )
        )
    yield from (mutation for mutation in found if mutation.sql)


def _indexes(table: Table, dialect: Dialect) -> Iterator[Mutation]:
    key = table.key
    for index in table.indexes:
        sql = dialect.drop_index(table, index)
        patterns = all(item.opclass.endswith("_pattern_ops") for item in index.keys)
        yield Mutation(
            "drop index",
            key,
            index.name,
            tuple(sql or ()),
            "DR105",
            None if patterns else True,
            True,
        )
        changed = dialect.weaken_condition(table, index)
        if changed:
            yield Mutation(
                "change condition", key, index.name, tuple(changed), "DR105", True, missable=True
            )
        if isinstance(dialect, PostgreSQL):
            oid = f"'{dialect.quote(index.name)}'::regclass"
            sql = [f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {oid}"]
            yield Mutation(
                "invalid index",
                key,
                index.name,
                tuple(sql),
                "DR106",
                None if patterns else True,
                True,
                commits=True,
            )
    if isinstance(dialect, MySQL):
        yield from _ignored(table, dialect)
    led = {thing.columns[0] for thing in (*table.indexes, *table.uniques) if thing.columns}
    led |= {name for key in table.foreign_keys for name in key.columns}
    led |= set(table.primary_key.columns[:1]) if table.primary_key else set()
    plain = next((c.name for c in table.columns if c.name not in led and "(" in c.type), "")
    if plain:
        sql = dialect.add_index(table, plain)
        yield Mutation("add index", key, "stray_index", tuple(sql), "DR108", False, None)
    if isinstance(dialect, PostgreSQL) and table.foreign_keys:
        sql = [f"ALTER TABLE {dialect.table(key)} DISABLE TRIGGER ALL"]
        yield Mutation("disable triggers", key, "", tuple(sql), "DR106", True, False)


def _ignored(table: Table, dialect: MySQL) -> Iterator[Mutation]:
    """State knows nothing of the index that the server makes for a foreign key."""
    tied = {reference.columns for reference in table.foreign_keys}
    for item in (*table.indexes, *table.uniques):
        made_by_server = item.columns in tied
        yield Mutation(
            "ignored index",
            table.key,
            item.name,
            tuple(dialect.ignore_index(table, item.name)),
            "DR106",
            True,
            None if made_by_server else True,
            missable=made_by_server,
        )


def _rows_in_the_way(table: Table, dialect: Dialect) -> Iterator[Mutation]:
    """A constraint is gone, and rows have come since that violate it."""
    key, target = table.key, dialect.table(table.key)
    for reference in table.foreign_keys:
        column = table.column(reference.columns[0])
        sql = dialect.drop_constraint(table, "foreign key", reference.name or reference.columns[0])
        if sql and column and "int" in column.type:
            taken = any(reference.columns[0] in unique.columns for unique in table.uniques)
            taken |= bool(table.primary_key and reference.columns[0] in table.primary_key.columns)
            if not taken:
                lost = f"UPDATE {target} SET {dialect.quote(column.name)} = 31000"
                name = reference.columns[0]
                yield Mutation(
                    "orphans", key, name, (*sql, lost), "DR105", True, False, says="that are not"
                )
    for unique in table.uniques:
        column = table.column(unique.columns[0])
        sql = dialect.drop_constraint(table, "unique", unique.name)
        if sql and column and len(unique.columns) == 1 and not table.foreign_keys:
            name = dialect.quote(column.name)
            same = f"UPDATE {target} SET {name} = (SELECT m FROM (SELECT max({name}) AS m "
            same += f"FROM {target}) AS x)"
            yield Mutation(
                "duplicates", key, column.name, (*sql, same), "DR105", True, False, says="twice"
            )


def _sequences(healthy: Schema, filled: set[str], dialect: Dialect) -> Iterator[Mutation]:
    for sequence in healthy.sequences:
        if sequence.table not in filled or not sequence.column:
            continue
        table, column = dialect.table(sequence.table), dialect.quote(sequence.column)
        behind = f"SELECT setval('{dialect.quote(sequence.name)}', 1, false) FROM {table} HAVING "
        yield Mutation(
            "sequence behind",
            sequence.table,
            sequence.name,
            (f"{behind} max({column}) > 0",),
            "DR112",
            True,
            True,
        )


def _history(rows: list[tuple[str, str]]) -> Iterator[Mutation]:
    insert = (
        f"INSERT INTO {HISTORY} (app, name, applied) VALUES ('{{}}', '{{}}', CURRENT_TIMESTAMP)"
    )
    for app, name in rows:
        sql = f"DELETE FROM {HISTORY} WHERE app = '{app}' AND name = '{name}'"
        # While all that it replaces is recorded, a squash counts as applied without its row.
        squash = "squashed" in name
        yield Mutation(
            "delete history row",
            HISTORY,
            f"{app}.{name}",
            (sql,),
            blocks=None,
            mends=None,
            missable=squash,
        )
    ghosts = [("library", "0099_ghost"), ("gone", "0001_initial"), ("museum", "0004_gone")]
    for app, name in ghosts:
        yield Mutation(
            "add ghost row",
            HISTORY,
            f"{app}.{name}",
            (insert.format(app, name),),
            "DR109",
            False,
            None,
        )
    app, name = rows[0]
    yield Mutation(
        "duplicate history row",
        HISTORY,
        f"{app}.{name}",
        (insert.format(app, name),),
        "",
        False,
        None,
        missable=True,
    )
