"""What the reverse of migrations has not brought back, and the SQL that does.

Django's own reverse operations lose things: an AlterField backwards drops an index that the
column had before, a constraint comes back under another name. Where the schema from before is
known, what is missing is made as it was, and what the reverse itself has left behind goes;
never a table or a column, so that no row is touched. All else is told, not mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from migrator.core.schema import (
    Check,
    Exclusion,
    ForeignKey,
    Index,
    IndexKey,
    Schema,
    Table,
    Unique,
    split_key,
)

Part: TypeAlias = Index | Unique | ForeignKey | Check | Exclusion

_LISTS = ("uniques", "checks", "exclusions", "indexes", "foreign_keys")
"""The order in which parts are made: what a foreign key refers to is unique before it."""

_WORDS: dict[type, str] = {
    Index: "index",
    Unique: "unique constraint",
    ForeignKey: "foreign key",
    Check: "check",
    Exclusion: "exclusion constraint",
}

_SEVERAL = frozenset({"FULLTEXT", "SPATIAL"})


@dataclass(frozen=True, slots=True)
class Amend:
    """One thing that is put right.

    Attributes:
        description: One line for people.
        sql: One statement, without a semicolon.
    """

    description: str
    sql: str


def plan_amends(before: Schema, begun: Schema, live: Schema) -> tuple[Amend, ...]:
    """What makes a schema that was returned the one from before again.

    Args:
        before: The schema that is to be there.
        begun: As it was when the way back began: what is not in it, and not in `before`, the way
            back has made.
        live: As it is now.

    Returns:
        In the order in which they have to be done; none where nothing is certain.
    """
    made: list[Amend] = []
    for key, table in before.tables.items():
        now = live.tables.get(key)
        if now is not None and now != table:
            made += _Amending(live.vendor, table, begun.tables.get(key), now).amends()
    # Foreign keys of all tables come last.
    return tuple(sorted(made, key=lambda each: " FOREIGN KEY " in each.sql))


class _Amending:
    """One table."""

    def __init__(self, vendor: str, before: Table, begun: Table | None, live: Table) -> None:
        self._vendor = vendor
        self._before = before
        self._begun = begun
        self._live = live
        self._name = _spelled(vendor, before.key)

    def amends(self) -> Iterator[Amend]:
        for kind in _LISTS:
            wanted, found = _named(self._before, kind), _named(self._live, kind)
            begun = _named(self._begun, kind) if self._begun is not None else None
            missing = {name: part for name, part in wanted.items() if name not in found}
            extra = {name: part for name, part in found.items() if name not in wanted}
            for name, part in list(missing.items()):
                twin = next((n for n, p in extra.items() if replace(p, name=name) == part), None)
                if twin is None:
                    continue
                if sql := self._rename(twin, part):
                    yield Amend(f"Rename {self._called(extra.pop(twin))} to {name}", sql)
                    del missing[name]
                elif not self._create(part):  # by its own name it cannot be made: this one serves
                    del extra[twin], missing[name]
            for name, part in extra.items():
                # Where the table was not there when it began, the way back has made all of it.
                if (begun is None or name not in begun) and (sql := self._drop(part)):
                    yield Amend(f"Drop {self._called(part)}, which the reverse has left", sql)
            for part in missing.values():
                if self._stands(part) and (sql := self._create(part)):
                    yield Amend(f"Create {self._called(part)} as it was", sql)

    def _called(self, part: Part) -> str:
        return f"{_WORDS[type(part)]} {part.name} on {self._before.key}"

    def _stands(self, part: Part) -> bool:
        """Whether the columns that it names are there."""
        names = set(getattr(part, "columns", ())) | set(getattr(part, "include", ()))
        return names - {""} <= {column.name for column in self._live.columns}

    # -- SQL -----------------------------------------------------------------------------

    def _quote(self, name: str) -> str:
        return _quoted(self._vendor, name)

    def _listed(self, columns: Iterable[str]) -> str:
        return ", ".join(map(self._quote, columns))

    def _beside(self, name: str) -> str:
        """An index, which is in the schema of its table."""
        schema, _ = split_key(self._before.key)
        return ".".join(self._quote(each) for each in (schema, name) if each)

    def _rename(self, old: str, part: Part) -> str:
        before, after = self._quote(old), self._quote(part.name)
        if self._vendor == "postgresql":
            if isinstance(part, Index):
                return f"ALTER INDEX {self._beside(old)} RENAME TO {after}"
            return f"ALTER TABLE {self._name} RENAME CONSTRAINT {before} TO {after}"
        if self._vendor == "mysql" and isinstance(part, Index | Unique):
            return f"ALTER TABLE {self._name} RENAME INDEX {before} TO {after}"
        return ""

    def _drop(self, part: Part) -> str:
        if isinstance(part, Index) or (self._vendor == "mysql" and isinstance(part, Unique)):
            if self._vendor == "mysql":
                return f"DROP INDEX {self._quote(part.name)} ON {self._name}"
            return f"DROP INDEX {self._beside(part.name)}"
        if self._vendor == "sqlite":
            return ""
        kind = "CONSTRAINT"
        if self._vendor == "mysql" and isinstance(part, ForeignKey):
            kind = "FOREIGN KEY"
        return f"ALTER TABLE {self._name} DROP {kind} {self._quote(part.name)}"

    def _create(self, part: Part) -> str:
        if isinstance(part, Index | Unique) and part.ignored:  # MySQL and MariaDB say it otherwise
            return ""
        if isinstance(part, Index):
            return self._create_index(part)
        if self._vendor == "sqlite":  # a constraint needs the whole table made anew
            return ""
        defined = self._defined(part)
        name = self._quote(part.name)
        return f"ALTER TABLE {self._name} ADD CONSTRAINT {name} {defined}" if defined else ""

    def _defined(self, part: Part) -> str:
        match part:
            case Unique():
                nulls = "" if part.nulls_distinct else "NULLS NOT DISTINCT "
                return f"UNIQUE {nulls}({self._listed(part.columns)}){_deferred(part)}"
            case ForeignKey():
                text = (
                    f"FOREIGN KEY ({self._listed(part.columns)}) "
                    f"REFERENCES {_spelled(self._vendor, part.to_table)} "
                    f"({self._listed(part.to_columns)})"
                )
                for verb, action in (("DELETE", part.on_delete), ("UPDATE", part.on_update)):
                    if action not in ("", "NO ACTION", "RESTRICT" if self._is_mysql else ""):
                        text += f" ON {verb} {action}"
                return text + _deferred(part) + ("" if part.valid else " NOT VALID")
            case Check():
                if not part.expression or self._is_of_column(part):
                    return ""
                return f"CHECK ({part.expression})" + ("" if part.valid else " NOT VALID")
            case Exclusion():
                return part.definition
        return ""

    def _is_of_column(self, check: Check) -> bool:
        """MariaDB's check without a name of its own, which a column's definition holds. Made as a
        constraint of the table, it would stay when Django changes the column the next time.
        """
        return self._is_mysql and any(each.name == check.name for each in self._live.columns)

    @property
    def _is_mysql(self) -> bool:
        return self._vendor == "mysql"

    def _create_index(self, index: Index) -> str:
        if not index.keys or not index.valid:
            return ""
        keys = ", ".join(self._key(key) for key in index.keys)
        kind = "UNIQUE " if index.unique else ""
        name = self._quote(index.name)
        if self._is_mysql:
            if index.method.upper() in _SEVERAL:
                kind = f"{index.method.upper()} "
            return f"CREATE {kind}INDEX {name} ON {self._name} ({keys})"
        using = f" USING {index.method}" if self._vendor == "postgresql" else ""
        text = f"CREATE {kind}INDEX {name} ON {self._name}{using} ({keys})"
        if index.include:
            text += f" INCLUDE ({self._listed(index.include)})"
        if not index.nulls_distinct:
            text += " NULLS NOT DISTINCT"
        return text + (f" WHERE {index.condition}" if index.condition else "")

    def _key(self, key: IndexKey) -> str:
        text = self._quote(key.column) if key.column else f"({key.expression})"
        if key.collation:
            text += f" COLLATE {self._quote(key.collation)}"
        if key.opclass:  # of MySQL, the length of a prefix
            text += key.opclass if self._is_mysql else f" {key.opclass}"
        if key.descending:
            text += " DESC"
        if key.nulls_first is not None:
            text += f" NULLS {'FIRST' if key.nulls_first else 'LAST'}"
        return text


def _named(table: Table, kind: str) -> Mapping[str, Part]:
    return {part.name: part for part in getattr(table, kind) if part.name}


def _deferred(part: Unique | ForeignKey) -> str:
    if not part.deferrable:
        return ""
    return " DEFERRABLE INITIALLY DEFERRED" if part.initially_deferred else " DEFERRABLE"


def _quoted(vendor: str, name: str) -> str:
    mark = "`" if vendor == "mysql" else '"'
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"


def _spelled(vendor: str, key: str) -> str:
    return ".".join(_quoted(vendor, part) for part in split_key(key) if part)


# -- what stays another ------------------------------------------------------------------


def tell_apart(before: Schema, after: Schema) -> tuple[str, ...]:
    """How a schema differs from an earlier one, to the letter.

    Args:
        before, after: Both as read from the server.

    Returns:
        Phrases; none where the two are the same.
    """
    told: list[str] = []
    for key in sorted({*before.tables, *after.tables}):
        old, new = before.tables.get(key), after.tables.get(key)
        if old == new:
            continue
        if old is None:
            told.append(f"table {key} was not there")
        elif new is None:
            told.append(f"table {key} is missing")
        else:
            told += _told_of_table(old, new) or (f"something of table {key}",)
    if not told and before.fingerprint() != after.fingerprint():
        told.append("something beside the tables")
    return tuple(told)


def _told_of_table(old: Table, new: Table) -> tuple[str, ...]:
    told: list[str] = []
    columns = {column.name: column for column in old.columns}
    found = {column.name: column for column in new.columns}
    told += [f"column {old.key}.{name} is missing" for name in columns if name not in found]
    told += [f"column {old.key}.{name} was not there" for name in found if name not in columns]
    told += [
        f"column {old.key}.{name} is another"
        for name, column in columns.items()
        if name in found and found[name] != column
    ]
    if list(columns) != list(found) and set(columns) == set(found):
        told.append(f"the order of the columns of {old.key}")
    if old.primary_key != new.primary_key:
        told.append(f"the primary key of {old.key} is another")
    for kind in (*_LISTS, "triggers"):
        wanted = {part.name: part for part in getattr(old, kind)}
        live = {part.name: part for part in getattr(new, kind)}
        for name in sorted({*wanted, *live}):
            part = wanted.get(name) or live[name]
            called = f"{_WORDS.get(type(part), 'trigger')} {name} on {old.key}".replace("  ", " ")
            if name not in live:
                told.append(f"{called} is missing")
            elif name not in wanted:
                told.append(f"{called} was not there")
            elif wanted[name] != live[name]:
                told.append(f"{called} is another")
    return tuple(told)
