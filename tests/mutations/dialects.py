"""How each vendor's SQL does one harm to a schema; None where it cannot be done there."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable

from migrator.core.schema import Check, Column, ForeignKey, Index, Table, split_key

Query = Callable[[str], list[tuple[object, ...]]]


def _narrower(type_: str) -> str:
    """A type that takes less, or something else altogether."""
    sized = re.fullmatch(r"(.*\()(\d+)(.*\))", type_)
    if sized and int(sized[2]) > 2:
        return f"{sized[1]}{int(sized[2]) - 2}{sized[3]}"
    smaller = {
        "bigint": "integer",
        "integer": "smallint",
        "int": "smallint",
        "smallint": "boolean",
        "bigint unsigned": "int unsigned",
        "int unsigned": "smallint unsigned",
        "smallint unsigned": "tinyint unsigned",
        "double precision": "real",
        "double": "float",
        "timestamp with time zone": "date",
        "longtext": "varchar(190)",
        "longblob": "varbinary(40)",
        "text": "varchar(190)",
        "integer unsigned": "varchar(5)",
        "smallint unsigned ": "varchar(5)",
    }
    return smaller.get(type_, "varchar(41)")


def _wider(type_: str) -> str | None:
    sized = re.fullmatch(r"(varchar|character varying|numeric|decimal)\((\d+)(.*)\)", type_)
    if sized:
        return f"{sized[1]}({int(sized[2]) + 7}{sized[3]})"
    return {
        "integer": "bigint",
        "int": "bigint",
        "smallint": "integer",
        "int unsigned": "bigint unsigned",
        "smallint unsigned": "int unsigned",
        "real": "double precision",
    }.get(type_)


class Dialect(ABC):
    """What the vendors have in common."""

    quotes = '""'
    extra_types = ("integer", "varchar(10)")

    def __init__(self, query: Query) -> None:
        self.query = query

    def quote(self, name: str) -> str:
        """A name in this vendor's quotes."""
        return self.quotes[0] + name + self.quotes[1]

    def table(self, key: str) -> str:
        """A table by its key."""
        return ".".join(self.quote(part) for part in split_key(key) if part)

    def drop_table(self, table: Table) -> list[str]:
        return [f"DROP TABLE {self.table(table.key)}"]

    def rename_table(self, table: Table) -> list[str]:
        return [f"ALTER TABLE {self.table(table.key)} RENAME TO {self.quote('renamed_table')}"]

    def add_table(self) -> list[str]:
        return ["CREATE TABLE stray_table (id integer)"]

    def drop_column(self, table: Table, column: Column) -> list[str] | None:
        return [f"ALTER TABLE {self.table(table.key)} DROP COLUMN {self.quote(column.name)}"]

    def rename_column(self, table: Table, column: Column) -> list[str] | None:
        old, new = self.quote(column.name), self.quote("renamed")
        return [f"ALTER TABLE {self.table(table.key)} RENAME COLUMN {old} TO {new}"]

    def add_column(self, table: Table, definition: str) -> list[str] | None:
        return [f"ALTER TABLE {self.table(table.key)} ADD COLUMN stray {definition}"]

    def narrow(self, table: Table, column: Column) -> list[str] | None:
        return self.retype(table, column, _narrower(column.type))

    def widen(self, table: Table, column: Column) -> list[str] | None:
        wider = _wider(column.type)
        return self.retype(table, column, wider) if wider else None

    def add_index(self, table: Table, column: str, *, unique: bool = False) -> list[str]:
        kind = "UNIQUE INDEX" if unique else "INDEX"
        name = self.quote("stray_index")
        return [f"CREATE {kind} {name} ON {self.table(table.key)} ({self.quote(column)})"]

    def _add_constraint(self, table: Table, name: str, definition: str) -> str:
        return f"ALTER TABLE {self.table(table.key)} ADD CONSTRAINT {self.quote(name)} {definition}"

    def _weaker(self, check: Check) -> str:
        return f"CHECK ({check.expression} OR {self.quote(check.columns[0])} IS NULL)"

    def _references(self, key: ForeignKey) -> str:
        return (
            f"FOREIGN KEY ({self.quote(key.columns[0])}) "
            f"REFERENCES {self.table(key.to_table)} ({self.quote(key.to_columns[0])})"
        )

    @abstractmethod
    def retype(self, table: Table, column: Column, type_: str) -> list[str] | None: ...

    @abstractmethod
    def toggle_null(self, table: Table, column: Column) -> list[str] | None: ...

    @abstractmethod
    def drop_default(self, table: Table, column: Column) -> list[str] | None: ...

    @abstractmethod
    def change_default(self, table: Table, column: Column) -> list[str] | None: ...

    @abstractmethod
    def drop_index(self, table: Table, index: Index) -> list[str] | None: ...

    @abstractmethod
    def drop_constraint(self, table: Table, kind: str, name: str) -> list[str] | None: ...

    @abstractmethod
    def change_foreign_key(self, table: Table, key: ForeignKey) -> list[str] | None: ...

    @abstractmethod
    def weaken_check(self, table: Table, check: Check) -> list[str] | None: ...

    def change_check(self, table: Table, check: Check, expression: str) -> list[str] | None:
        """The same check with another expression; rows that violate it are not there."""
        return [
            *(self.drop_constraint(table, "check", check.name) or ()),
            self._add_constraint(table, check.name, f"CHECK ({expression})"),
        ]

    def weaken_condition(self, table: Table, index: Index) -> list[str] | None:
        """The same partial index with another condition."""
        columns = ", ".join(self.quote(key.column) for key in index.keys if key.column)
        unique = "UNIQUE " if index.unique else ""
        if not index.condition or not all(key.column for key in index.keys):
            return None
        where = f"{self.quote(index.keys[0].column)} IS NULL"
        made = f"CREATE {unique}INDEX {self.quote(index.name)} ON {self.table(table.key)}"
        return [*(self.drop_index(table, index) or ()), f"{made} ({columns}) WHERE {where}"]


class PostgreSQL(Dialect):
    """ALTER can do everything."""

    def widen(self, table: Table, column: Column) -> list[str] | None:
        # A type without COLLATE takes the collation away, which is a harm of its own.
        wider = _wider(column.type)
        if column.collation or column.generated is not None or not wider:
            return None
        return self._alter(table, column, f"TYPE {wider}")

    def drop_table(self, table: Table) -> list[str]:
        return [f"DROP TABLE {self.table(table.key)} CASCADE"]

    def drop_column(self, table: Table, column: Column) -> list[str]:
        return [
            f"ALTER TABLE {self.table(table.key)} DROP COLUMN {self.quote(column.name)} CASCADE"
        ]

    def _alter(self, table: Table, column: Column, what: str) -> list[str]:
        return [
            f"ALTER TABLE {self.table(table.key)} ALTER COLUMN {self.quote(column.name)} {what}"
        ]

    def retype(self, table: Table, column: Column, type_: str) -> list[str] | None:
        if column.generated is not None:
            return None
        using = "" if type_.startswith("numeric") else f" USING {self.quote(column.name)}::text"
        steps = [] if column.default is None else self._alter(table, column, "DROP DEFAULT")
        using = using and f"{using}::{type_}"
        return [*steps, *self._alter(table, column, f"TYPE {type_}{using}")]

    def toggle_null(self, table: Table, column: Column) -> list[str] | None:
        if column.identity:
            return None
        return self._alter(table, column, f"{'SET' if column.nullable else 'DROP'} NOT NULL")

    def drop_default(self, table: Table, column: Column) -> list[str]:
        return self._alter(table, column, "DROP DEFAULT")

    def change_default(self, table: Table, column: Column) -> list[str]:
        defaults = {"boolean": "false", "timestamp with time zone": "'2001-01-01'"}
        return self._alter(table, column, f"SET DEFAULT {defaults.get(column.type, '7')}")

    def drop_identity(self, table: Table, column: Column) -> list[str]:
        what = "DROP DEFAULT" if column.identity == "serial" else "DROP IDENTITY"
        return self._alter(table, column, what)

    def drop_index(self, table: Table, index: Index) -> list[str]:
        return [f"DROP INDEX {self.quote(index.name)}"]

    def drop_constraint(self, table: Table, kind: str, name: str) -> list[str]:
        tail = " CASCADE" if kind in {"primary key", "unique"} else ""
        return [f"ALTER TABLE {self.table(table.key)} DROP CONSTRAINT {self.quote(name)}{tail}"]

    def change_foreign_key(self, table: Table, key: ForeignKey) -> list[str]:
        return self.reference_otherwise(
            table, key, " ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"
        )

    def reference_otherwise(self, table: Table, key: ForeignKey, tail: str) -> list[str]:
        """The same foreign key with other actions and another moment of checking."""
        return [
            *self.drop_constraint(table, "foreign key", key.name),
            self._add_constraint(table, key.name, self._references(key) + tail),
        ]

    def not_valid(self, table: Table, key: ForeignKey) -> list[str]:
        return [
            *self.drop_constraint(table, "foreign key", key.name),
            self._add_constraint(
                table, key.name, self._references(key) + " DEFERRABLE INITIALLY DEFERRED NOT VALID"
            ),
        ]

    def weaken_check(self, table: Table, check: Check) -> list[str]:
        return [
            *self.drop_constraint(table, "check", check.name),
            self._add_constraint(table, check.name, self._weaker(check)),
        ]


class MySQL(Dialect):
    """Columns are stated anew as a whole, out of what SHOW CREATE TABLE says."""

    quotes = "``"

    def _definition(self, table: Table, name: str) -> str:
        source = str(self.query(f"SHOW CREATE TABLE {self.table(table.key)}")[0][1])
        lines = (line.strip() for line in source.splitlines())
        return next(line for line in lines if line.startswith(f"{self.quote(name)} ")).rstrip(",")

    def _modify(self, table: Table, definition: str) -> list[str]:
        return [f"ALTER TABLE {self.table(table.key)} MODIFY COLUMN {definition}"]

    def drop_table(self, table: Table) -> list[str]:
        return ["SET FOREIGN_KEY_CHECKS = 0", *super().drop_table(table)]

    def drop_column(self, table: Table, column: Column) -> list[str]:
        keys = [key.name for key in table.foreign_keys if column.name in key.columns]
        steps = [f"DROP FOREIGN KEY {self.quote(name)}" for name in keys]
        steps.append(f"DROP COLUMN {self.quote(column.name)}")
        return [f"ALTER TABLE {self.table(table.key)} {', '.join(steps)}"]

    def retype(
        self, table: Table, column: Column, type_: str, *, keep: bool = False
    ) -> list[str] | None:
        """`keep`: the check that is part of the column, which would go with the old definition."""
        if column.generated is not None:
            return None
        definition = self._definition(table, column.name)
        quoted = re.escape(self.quote(column.name))
        bare = re.sub(rf"^({quoted}) \S+( unsigned)?(.*)$", rf"\1 {type_}\3", definition)
        bare = re.sub(r" DEFAULT \S+" if keep else r" DEFAULT \S+| CHECK \(.*\)", "", bare)
        if column.type.startswith(("longtext", "varchar")) and not type_.startswith("varchar"):
            bare = re.sub(r" CHARACTER SET \S+| COLLATE \S+", "", bare)
        return self._modify(table, bare)

    def widen(self, table: Table, column: Column) -> list[str] | None:
        wider = _wider(column.type)
        if column.default is not None or not wider:
            return None
        return self.retype(table, column, wider, keep=True)

    def toggle_null(self, table: Table, column: Column) -> list[str] | None:
        if column.identity or column.generated is not None:
            return None
        definition = self._definition(table, column.name)
        if column.nullable:
            definition = re.sub(r" DEFAULT NULL", "", definition).replace(" NULL", "")
            definition = re.sub(r"(?= CHECK \()|$", " NOT NULL", definition, count=1)
        else:
            definition = definition.replace(" NOT NULL", " NULL")
        return self._modify(table, definition)

    def drop_default(self, table: Table, column: Column) -> list[str]:
        return [f"ALTER TABLE {self.table(table.key)} ALTER {self.quote(column.name)} DROP DEFAULT"]

    def change_default(self, table: Table, column: Column) -> list[str]:
        value = "'2001-01-01'" if column.type.startswith("datetime") else "7"
        alter = f"ALTER {self.quote(column.name)} SET DEFAULT {value}"
        return [f"ALTER TABLE {self.table(table.key)} {alter}"]

    def drop_index(self, table: Table, index: Index) -> list[str]:
        return [f"DROP INDEX {self.quote(index.name)} ON {self.table(table.key)}"]

    def drop_constraint(self, table: Table, kind: str, name: str) -> list[str] | None:
        what = {
            "primary key": "PRIMARY KEY",
            "foreign key": f"FOREIGN KEY {self.quote(name)}",
            "unique": f"INDEX {self.quote(name)}",
        }.get(kind, f"CONSTRAINT {self.quote(name)}")
        return [f"ALTER TABLE {self.table(table.key)} DROP {what}"]

    def change_foreign_key(self, table: Table, key: ForeignKey) -> list[str]:
        return [
            f"ALTER TABLE {self.table(table.key)} DROP FOREIGN KEY {self.quote(key.name)}",
            self._add_constraint(table, key.name, self._references(key) + " ON DELETE CASCADE"),
        ]

    def ignore_index(self, table: Table, name: str) -> list[str]:
        """Leave it there, and have the optimiser act as if it were not."""
        mariadb = "MariaDB" in str(self.query("SELECT VERSION()")[0][0])
        word = "IGNORED" if mariadb else "INVISIBLE"
        return [f"ALTER TABLE {self.table(table.key)} ALTER INDEX {self.quote(name)} {word}"]

    def not_enforced(self, table: Table, check: Check) -> list[str] | None:
        """MySQL alone can keep a check and not look at it."""
        if "MariaDB" in str(self.query("SELECT VERSION()")[0][0]):
            return None
        return [
            f"ALTER TABLE {self.table(table.key)} ALTER CHECK {self.quote(check.name)} NOT ENFORCED"
        ]

    def weaken_check(self, table: Table, check: Check) -> list[str] | None:
        if not check.columns or check.name in {column.name for column in table.columns}:
            return None
        return [
            f"ALTER TABLE {self.table(table.key)} DROP CONSTRAINT {self.quote(check.name)}",
            self._add_constraint(table, check.name, self._weaker(check)),
        ]


class SQLite(Dialect):
    """The text of CREATE TABLE is edited in place: no row is touched."""

    def _edit(self, table: Table, old: str, new: str) -> list[str] | None:
        (row,) = self.query(f"SELECT sql FROM sqlite_master WHERE name = '{table.name}'")
        source = str(row[0])
        if old == new or old not in source:
            return None
        text = source.replace(old, new, 1).replace("'", "''")
        edit = f"UPDATE sqlite_master SET sql = '{text}' WHERE name = '{table.name}'"
        return ["PRAGMA writable_schema = ON", edit, "PRAGMA writable_schema = RESET"]

    def _definitions(self, table: Table) -> list[str]:
        (row,) = self.query(f"SELECT sql FROM sqlite_master WHERE name = '{table.name}'")
        source = str(row[0])
        inner = source[source.index("(") + 1 : source.rindex(")")]
        parts, depth, quoted = [""], 0, ""
        for character in inner:
            if quoted:
                quoted = "" if character == quoted else quoted
            elif character in "'\"":
                quoted = character
            else:
                depth += {"(": 1, ")": -1}.get(character, 0)
                if character == "," and not depth:
                    parts.append("")
                    continue
            parts[-1] += character
        return [part.strip() for part in parts]

    def _column(self, table: Table, name: str) -> str:
        starts = (self.quote(name) + " ", name + " ")
        return next(d for d in self._definitions(table) if d.startswith(starts))

    def drop_column(self, table: Table, column: Column) -> list[str]:
        indexes = [
            f"DROP INDEX {self.quote(index.name)}"
            for index in table.indexes
            if column.name in (*index.columns, *index.include)
            or column.name in index.condition
            or any(column.name in key.expression for key in index.keys)
        ]
        return [*indexes, *(super().drop_column(table, column) or ())]

    def retype(self, table: Table, column: Column, type_: str) -> list[str] | None:
        old = self._column(table, column.name)
        head = f"{self.quote(column.name)} {column.type}"
        if not old.lower().startswith(head.lower()):
            return None
        return self._edit(table, old, f"{self.quote(column.name)} {type_}{old[len(head) :]}")

    def narrow(self, table: Table, column: Column) -> list[str] | None:
        if "int" in column.type:  # all integers are alike
            return self.retype(table, column, "varchar(5)")
        return super().narrow(table, column)

    def widen(self, table: Table, column: Column) -> list[str] | None:
        return None if "int" in column.type else super().widen(table, column)

    def toggle_null(self, table: Table, column: Column) -> list[str] | None:
        old = self._column(table, column.name)
        if "PRIMARY KEY" in old or "GENERATED" in old:
            return None
        if column.nullable:
            return self._edit(table, old, re.sub(r" NULL\b", " NOT NULL", old, count=1))
        return self._edit(table, old, old.replace(" NOT NULL", " NULL", 1))

    def drop_default(self, table: Table, column: Column) -> list[str] | None:
        old = self._column(table, column.name)
        found = re.search(r" DEFAULT (\([^()]*(\([^()]*\)[^()]*)*\)|'[^']*'|\S+)", old)
        return self._edit(table, old, old.replace(found[0], "")) if found else None

    def change_default(self, table: Table, column: Column) -> list[str] | None:
        old = self._column(table, column.name)
        found = re.search(r" DEFAULT (\([^()]*(\([^()]*\)[^()]*)*\)|'[^']*'|\S+)", old)
        return self._edit(table, old, old.replace(found[0], " DEFAULT 7")) if found else None

    def drop_index(self, table: Table, index: Index) -> list[str]:
        return [f"DROP INDEX {self.quote(index.name)}"]

    def drop_constraint(self, table: Table, kind: str, name: str) -> list[str] | None:
        if kind in {"check", "foreign key"}:
            for definition in self._definitions(table):
                if kind == "check" and f'CONSTRAINT "{name}"' in definition:
                    return self._edit(table, ", " + definition, "")
                found = re.search(
                    r" REFERENCES .*| CHECK \(.*\)" if kind == "foreign key" else r" CHECK \(.*\)",
                    definition,
                )
                if found and definition.startswith(self.quote(name) + " "):
                    return self._edit(table, definition, definition.replace(found[0], ""))
        return None

    def change_foreign_key(self, table: Table, key: ForeignKey) -> list[str] | None:
        old = self._column(table, key.columns[0])
        return self._edit(table, old, old.replace(" DEFERRABLE", " ON DELETE CASCADE DEFERRABLE"))

    def change_check(self, table: Table, check: Check, expression: str) -> list[str] | None:
        return self._edit(table, check.expression, expression)

    def weaken_check(self, table: Table, check: Check) -> list[str] | None:
        if not check.columns or not check.name:
            return None
        (definition,) = (d for d in self._definitions(table) if f'"{check.name}"' in d)
        weak = definition.removesuffix(")") + f' OR "{check.columns[0]}" IS NULL)'
        return self._edit(table, definition, weak)


DIALECTS: dict[str, type[Dialect]] = {"postgresql": PostgreSQL, "mysql": MySQL, "sqlite": SQLite}
