"""Object histories: the values that each table, column, index and constraint went through.

The effects of a chain of migrations give each object a sequence of values: v0 before the
first operation that touches it, v1 after it, and so on. Held against what is live, the
*candidates* are the positions at which the live value would be right. An operation is done
for an object when every candidate lies at or after it, not done when every candidate lies
before it, and untold when candidates lie on both sides (RemoveField followed by AddField of
the same name looks the same before and after).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from migrator.core.comparison import (
    HARMLESS,
    columns_by_name,
    compare_columns,
    fold,
    fold_key,
    folded,
    same_check,
    same_column,
    same_index,
    unique_columns,
)
from migrator.core.effects import Effect, MigrationKey, OperationEffect, TableEffect
from migrator.core.incidents import ObjectRef
from migrator.core.schema import (
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Index,
    Schema,
    Table,
    Unique,
)

Value: TypeAlias = Column | bool | None
"""A column's value is the column, None where it is not there; anything else is there or not."""

Attachment: TypeAlias = Unique | ForeignKey | Check | Exclusion | Index

SECONDARY = frozenset({"unique", "foreign key", "check", "exclusion", "index", "index name"})
"""Kinds of objects that hang on a table; tables and columns are primary."""


class Atom(NamedTuple):
    """An object, identified by what it is: folded table key, folded name or signature."""

    kind: str
    table: str
    name: str


@dataclass(frozen=True, slots=True)
class Touch:
    """One operation touching one object: it leads to `values[index]` of its history.

    `telling` is False where the object only goes along: the columns of a dropped table.
    """

    atom: Atom
    index: int
    telling: bool
    creates: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the chain, with the objects that it touches."""

    migration: MigrationKey
    operation: OperationEffect
    touches: tuple[Touch, ...]


@dataclass(slots=True)
class AtomHistory:
    """The values of one object; `thing` finds what answers to it in a live table."""

    ref: ObjectRef
    values: list[Value]
    thing: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Histories:
    """A chain of operations and the histories of the objects that they touch."""

    vendor: str
    steps: tuple[Step, ...]
    atoms: Mapping[Atom, AtomHistory]

    def steps_of(self, migration: MigrationKey) -> tuple[Step, ...]:
        """The operations of one migration, in order."""
        return tuple(step for step in self.steps if step.migration == migration)

    def origin(self, atom: Atom) -> MigrationKey | None:
        """The last migration that made an object what it is; None when none touches it."""
        return next(
            (
                step.migration
                for step in reversed(self.steps)
                for touch in step.touches
                if touch.atom == atom and self.atoms[atom].values[touch.index]
            ),
            None,
        )


class LiveTables:
    """What is live, looked up by folded names."""

    def __init__(self, schema: Schema) -> None:
        """Index a schema.

        Args:
            schema: A live schema, or any that stands for one.
        """
        self.vendor = schema.vendor
        self.views = {fold_key(self.vendor, key) for key in schema.views}
        self.unreadable = {fold_key(self.vendor, key) for key in schema.unreadable}
        self._tables = {fold_key(self.vendor, key): t for key, t in schema.tables.items()}
        self._columns: dict[str, Mapping[str, Column]] = {}

    def table(self, key: str) -> Table | None:
        """The table of a folded key."""
        return self._tables.get(key)

    def column(self, table: str, name: str) -> Column | None:
        """A column by folded names."""
        if table not in self._columns:
            found = self._tables.get(table)
            self._columns[table] = columns_by_name(self.vendor, found) if found else {}
        return self._columns[table].get(name)

    def has_name(self, table: str, thing: Attachment) -> bool:
        """Whether a table has an index or constraint of this one's name."""
        found = self._tables.get(table)
        if found is None or not thing.name:
            return False
        name = fold(self.vendor, thing.name)
        things: tuple[Attachment, ...] = (
            *found.indexes,
            *found.uniques,
            *found.foreign_keys,
            *found.checks,
            *found.exclusions,
        )
        return any(fold(self.vendor, each.name) == name for each in things)

    def value(self, atom: Atom, history: AtomHistory) -> Value:
        """What is live of an object."""
        if atom.kind == "table":
            return atom.table in self._tables or atom.table in self.views
        if atom.kind == "column":
            return self.column(atom.table, atom.name)
        table = self._tables.get(atom.table)
        if table is None:
            return False
        if atom.kind == "index name":
            items: tuple[Index | Unique, ...] = (*table.indexes, *table.uniques)
            names = {fold(self.vendor, item.name) for item in items}
            return atom.name in names
        thing = history.thing
        return thing is not None and holds(self.vendor, table, thing)


def holds(vendor: str, table: Table, thing: Attachment) -> bool:
    """Whether a table has an index or constraint of this very meaning."""
    if isinstance(thing, Index) and unique_columns(vendor, thing) is None:
        return any(same_index(vendor, thing, index) for index in table.indexes)
    if isinstance(thing, Unique | Index):
        columns = unique_columns(vendor, thing)
        items: tuple[Unique | Index, ...] = (*table.uniques, *table.indexes)
        return any(unique_columns(vendor, item) == columns for item in items)
    if isinstance(thing, ForeignKey):
        # By what makes its identity: another column of the same table is not its absence.
        wanted = signature(vendor, "", thing)
        return any(signature(vendor, "", key) == wanted for key in table.foreign_keys)
    if isinstance(thing, Check):
        return any(same_check(vendor, thing, check) for check in table.checks)
    name = fold(vendor, thing.name)
    return any(fold(vendor, item.name) == name for item in table.exclusions)


def trace(effects: Iterable[Effect], vendor: str) -> Histories:
    """Build the histories of every object that a chain of migrations touches.

    Args:
        effects: In plan order.
        vendor: Django's vendor name.
    """
    tracer = _Tracer(vendor)
    for effect in effects:
        for operation in effect.operations:
            tracer.add(effect.migration, operation)
    return Histories(vendor, tuple(tracer.steps), tracer.atoms)


@dataclass(slots=True)
class _Tracer:
    vendor: str
    steps: list[Step] = field(default_factory=list)
    atoms: dict[Atom, AtomHistory] = field(default_factory=dict)
    made: set[Atom] = field(default_factory=set)
    """Index names that came with an operation of the chain itself."""

    def add(self, migration: MigrationKey, operation: OperationEffect) -> None:
        touches: list[Touch] = []
        for key, effect in self._tables(operation):
            touches += self._table(key, effect)
            touches += self._columns(key, effect)
            touches += self._attachments(key, effect)
            changed = self._changed_names(key, effect)
            if operation.kind == "RenameIndex":
                touches += self._index_names(effect, changed)
            self.made |= {atom for atom, (_, there) in changed.items() if there}
        self.steps.append(Step(migration, operation, tuple(touches)))

    def _tables(self, operation: OperationEffect) -> Iterable[tuple[str, TableEffect]]:
        """Each table that is touched, once: only the case of its name may have changed."""
        found: dict[str, TableEffect] = {}
        for effect in operation.tables:
            key = fold_key(self.vendor, effect.key)
            other = found.get(key)
            if other is not None:
                new = effect if effect.after else other
                before = effect.before or other.before
                effect = replace(new, before=before, after=new.after)
            found[key] = effect
        return found.items()

    def _touch(
        self,
        atom: Atom,
        before: Value,
        after: Value,
        *,
        ref: ObjectRef,
        thing: Attachment | None = None,
        telling: bool = True,
    ) -> Touch:
        history = self.atoms.get(atom)
        if history is None:
            history = self.atoms[atom] = AtomHistory(ref, [before], thing)
        history.values.append(after)
        return Touch(atom, len(history.values) - 1, telling, not before)

    def _table(self, key: str, effect: TableEffect) -> list[Touch]:
        before, after = effect.before is not None, effect.after is not None
        if before == after:
            return []
        ref = ObjectRef("table", effect.key, effect.key)
        return [self._touch(Atom("table", key, key), before, after, ref=ref)]

    def _columns(self, key: str, effect: TableEffect) -> list[Touch]:
        before = columns_by_name(self.vendor, effect.before) if effect.before else {}
        after = columns_by_name(self.vendor, effect.after) if effect.after else {}
        touches: list[Touch] = []
        for name in (*before, *(name for name in after if name not in before)):
            old, new = before.get(name), after.get(name)
            if old is not None and new is not None and _alike(old, new):
                continue
            column = new or old
            shown = column.name if column else name
            touches.append(
                self._touch(
                    Atom("column", key, name),
                    old,
                    new,
                    ref=ObjectRef("column", effect.key, shown),
                    telling=effect.after is not None,
                )
            )
        return touches

    def _attachments(self, key: str, effect: TableEffect) -> list[Touch]:
        before = self._signatures(key, effect.before)
        after = self._signatures(key, effect.after)
        both: dict[Atom, Attachment] = {**before, **after}
        return [
            self._touch(
                atom,
                atom in before,
                atom in after,
                ref=ObjectRef(atom.kind, effect.key, thing.name or atom.name),
                thing=thing,
                telling=effect.after is not None,
            )
            for atom, thing in both.items()
            if (atom in before) != (atom in after)
        ]

    def _signatures(self, key: str, table: Table | None) -> dict[Atom, Attachment]:
        if table is None:
            return {}
        things: tuple[Attachment, ...] = (
            *table.uniques,
            *table.foreign_keys,
            *table.checks,
            *table.exclusions,
            *table.indexes,
        )
        return {signature(self.vendor, key, thing): thing for thing in things}

    def _changed_names(self, key: str, effect: TableEffect) -> dict[Atom, tuple[str, bool]]:
        """Index names that come (True) or go, as they are spelled."""
        before = {i.name for i in effect.before.indexes} if effect.before else set()
        after = {i.name for i in effect.after.indexes} if effect.after else set()
        return {
            Atom("index name", key, fold(self.vendor, name)): (name, name in after)
            for name in sorted(before ^ after)
        }

    def _index_names(
        self, effect: TableEffect, changed: Mapping[Atom, tuple[str, bool]]
    ) -> list[Touch]:
        touches = []
        for atom, (name, there) in changed.items():
            ref = ObjectRef("index", effect.key, name)
            if not there and atom in self.made and atom not in self.atoms:
                # Made by the chain, so that it is absent before the chain as well as after it.
                self.atoms[atom] = AtomHistory(ref, [False, True])
            touches.append(self._touch(atom, not there, there, ref=ref))
        return touches


def signature(vendor: str, table: str, thing: Attachment) -> Atom:
    """What an index or constraint does, as an identity that its name is no part of."""
    if isinstance(thing, Unique | Index):
        columns = unique_columns(vendor, thing)
        if columns is not None:
            return Atom("unique", table, ",".join(sorted(columns)))
    if isinstance(thing, Index):
        keys = ",".join(
            f"{fold(vendor, key.column) or key.expression}{' DESC' if key.descending else ''}"
            f"{' ' + key.opclass if key.opclass else ''}"
            for key in thing.keys
        )
        tail = f" {thing.condition} {','.join(thing.include)} {thing.unique}"
        return Atom("index", table, f"{thing.method}({keys}){tail}")
    if isinstance(thing, ForeignKey):
        columns_ = ",".join(folded(vendor, thing.columns))
        return Atom("foreign key", table, f"{columns_}->{fold_key(vendor, thing.to_table)}")
    if isinstance(thing, Check) and not thing.name:
        # One that a field brings along: state knows the column that it stands on, no more.
        return Atom("check", table, f"({', '.join(folded(vendor, thing.columns))})")
    kind = "check" if isinstance(thing, Check) else "exclusion"
    return Atom(kind, table, fold(vendor, thing.name))


def _alike(one: Column, other: Column) -> bool:
    return not compare_columns(one, other, exact=True) or (
        same_column(one, other) and one.default == other.default
    )


# -- candidates --------------------------------------------------------------


def agrees(value: Value, live: Value) -> bool:
    """Whether a live value will do for a value of a history."""
    if isinstance(value, Column) and isinstance(live, Column):
        return set(compare_columns(value, live)) <= HARMLESS
    return bool(value) == bool(live) and isinstance(value, Column) == isinstance(live, Column)


def equals(value: Value, live: Value) -> bool:
    """Whether a live value is just what a value of a history says, as far as state can say."""
    if isinstance(value, Column) and isinstance(live, Column):
        return same_column(value, live)
    return agrees(value, live)


def candidates(
    history: AtomHistory, live: Value, test: Callable[[Value, Value], bool] = agrees
) -> frozenset[int]:
    """The positions of a history at which the live value is right."""
    return frozenset(i for i, value in enumerate(history.values) if test(value, live))


def best_candidates(history: AtomHistory, live: Value) -> frozenset[int]:
    """The positions that the live value equals; failing any, those that it will do for."""
    return candidates(history, live, equals) or candidates(history, live)


# -- renames -------------------------------------------------------------------


class Rename(NamedTuple):
    """A rename that an operation makes; `column` pairs are ("", "") for the table itself."""

    before: str
    after: str
    columns: tuple[tuple[str, str], ...]


def renames_of(operation: OperationEffect, vendor: str) -> tuple[Rename, ...]:
    """The tables and columns that an operation renames, keys and names folded.

    An operation that takes tables away and brings as many columns under another key renames
    them; one that takes one column of a table away and brings another renames that.
    """
    gone = [e for e in operation.tables if e.before is not None and e.after is None]
    come = [e for e in operation.tables if e.before is None and e.after is not None]
    found: list[Rename] = []
    for effect in come:
        new = columns_by_name(vendor, effect.after) if effect.after else {}
        twins = [
            (len(set(new) & set(old)), other)
            for other in gone
            if other.before and len(old := columns_by_name(vendor, other.before)) == len(new)
        ]
        if not twins:
            continue
        _, twin = max(twins, key=lambda pair: pair[0])
        gone.remove(twin)
        old = columns_by_name(vendor, twin.before) if twin.before else {}
        found.append(
            Rename(
                fold_key(vendor, twin.key),
                fold_key(vendor, effect.key),
                _paired(old, new),
            )
        )
    for effect in operation.tables:
        if effect.before is not None and effect.after is not None:
            pairs = _paired(
                columns_by_name(vendor, effect.before), columns_by_name(vendor, effect.after)
            )
            if pairs:
                key = fold_key(vendor, effect.key)
                found.append(Rename(key, key, pairs))
    return tuple(found)


def _paired(old: Mapping[str, Column], new: Mapping[str, Column]) -> tuple[tuple[str, str], ...]:
    lost = [name for name in old if name not in new]
    won = [name for name in new if name not in old]
    return ((lost[0], won[0]),) if len(lost) == len(won) == 1 else ()
