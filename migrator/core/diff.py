"""The one comparator: drift, verification, snapshots, rollback checks and schema diffs.

`diff(expected, live)` compares by meaning. Names of constraints and indexes changed between
versions of Django and are cut by servers, a unique constraint and a unique index serve
alike, serial and identity are both healthy: none of that is a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from migrator.core.changes import Change, ChangeKind, Changes, Thing
from migrator.core.comparison import (
    HARMLESS,
    columns_by_name,
    compare_columns,
    compare_references,
    covers,
    fold,
    fold_key,
    folded,
    same_check,
    same_expression,
    same_index,
    same_reference,
    says_nothing,
    serves_like,
    unique_columns,
)
from migrator.core.incidents import ObjectRef
from migrator.core.schema import (
    Check,
    Exclusion,
    Extra,
    Index,
    PrimaryKey,
    Schema,
    Table,
    Unique,
)

__all__ = ["Change", "ChangeKind", "Changes", "Thing", "diff", "diff_tables"]


def diff(
    expected: Schema,
    live: Schema,
    *,
    exact: bool = False,
    lenient_tables: frozenset[str] = frozenset(),
) -> Changes:
    """Compare a live schema with what is expected.

    Args:
        expected: What should be there.
        live: What is there.
        exact: The expectation was itself read from a server (a snapshot, a replay), so that
            what it does not state is not there. False: it comes from migration state.
        lenient_tables: With `exact`, the tables that come from state all the same.

    Returns:
        The differences; empty (and false) when live is what is expected.
    """
    vendor = live.vendor or expected.vendor
    found = {fold_key(vendor, key): key for key in live.tables}
    views = {fold_key(vendor, key) for key in live.views}
    unreadable = {fold_key(vendor, key) for key in live.unreadable}
    changes: list[Change] = []
    known: set[str] = set()
    for key, table in expected.tables.items():
        folded_key = fold_key(vendor, key)
        known.add(folded_key)
        ref = ObjectRef("table", key, key)
        if folded_key in unreadable:
            continue
        if folded_key in found:
            changes += diff_tables(
                table,
                live.tables[found[folded_key]],
                vendor=vendor,
                exact=exact and key not in lenient_tables,
            )
        elif folded_key in views:
            changes.append(Change(ChangeKind.DIFFERENT, ref, table, None, ("kind",), harmless=True))
        else:
            changes.append(Change(ChangeKind.MISSING, ref, table))
    changes += [
        Change(ChangeKind.EXTRA, ObjectRef("table", key, key), live=live.tables[key])
        for folded_key, key in found.items()
        if folded_key not in known
    ]
    return Changes(tuple(sorted(changes, key=_order)))


def diff_tables(
    expected: Table, live: Table, *, vendor: str, exact: bool = False
) -> tuple[Change, ...]:
    """Compare two tables; their names are not compared.

    Args:
        expected: What should be there; its key is the one that changes are reported under.
        live: What is there.
        vendor: Django's vendor name.
        exact: See `diff`.
    """
    comparison = _TableComparison(expected, live, vendor, exact)
    return tuple(comparison.changes())


def diff_extras(expected: Schema, live: Schema) -> Iterator[tuple[Extra, ChangeKind]]:
    """Compare what is no table: views, functions, types, sequences of nobody's, …

    Args:
        expected: Read from a server; state knows nothing of these.
        live: What is there.

    Yields:
        Each object that differs, as it is expected where it is, else as it is there.
    """
    wanted, found = _beside_tables(expected), _beside_tables(live)
    for key in sorted({*wanted, *found}):
        if key not in found:
            yield wanted[key], ChangeKind.MISSING
        elif key not in wanted:
            yield found[key], ChangeKind.EXTRA
        elif not _same_extra(wanted[key], found[key]):
            yield wanted[key], ChangeKind.DIFFERENT


_SPELLED_BY_THE_SERVER = frozenset(
    {"view", "materialized view", "domain", "policy", "rule", "index"}
)
"""What the server keeps as expressions, and spells otherwise once dumped and restored."""


def _same_extra(expected: Extra, live: Extra) -> bool:
    if expected.kind in _SPELLED_BY_THE_SERVER:
        return same_expression(expected.definition, live.definition, exact=True)
    return expected == live


def _beside_tables(schema: Schema) -> dict[tuple[str, str], Extra]:
    extras = [*schema.extras]
    extras += [Extra("sequence", each.name) for each in schema.sequences if not each.column]
    return {(extra.kind, extra.name): extra for extra in extras}


_KINDS = (
    "table",
    "column",
    "primary key",
    "unique",
    "foreign key",
    "check",
    "exclusion",
    "index",
    "trigger",
)


def _order(change: Change) -> tuple[str, int, str, str]:
    ref = change.ref
    return (ref.table, _KINDS.index(ref.kind), ref.name, change.kind.value)


@dataclass(frozen=True, slots=True)
class _TableComparison:
    expected: Table
    live: Table
    vendor: str
    exact: bool

    def changes(self) -> Iterator[Change]:
        yield from self._columns()
        yield from self._primary_key()
        yield from self._uniques()
        yield from self._foreign_keys()
        yield from self._checks()
        yield from self._exclusions()
        yield from self._indexes()
        yield from self._triggers()

    def _missing(self, kind: str, thing: Thing) -> Change:
        return Change(ChangeKind.MISSING, self._ref(kind, thing), expected=thing)

    def _extra(self, kind: str, thing: Thing) -> Change:
        return Change(ChangeKind.EXTRA, self._ref(kind, thing), live=thing)

    def _different(
        self, kind: str, expected: Thing, live: Thing, attributes: tuple[str, ...]
    ) -> Change:
        return Change(
            ChangeKind.DIFFERENT,
            # What is only switched off is found under the name that it has in the database.
            self._ref(kind, live if attributes in {("valid",), ("ignored",)} else expected),
            expected,
            live,
            attributes,
            harmless=set(attributes) <= HARMLESS,
        )

    def _ref(self, kind: str, thing: Thing) -> ObjectRef:
        name = thing.name or "(" + ", ".join(getattr(thing, "columns", ())) + ")"
        return ObjectRef(kind, self.expected.key, name)

    def _columns(self) -> Iterator[Change]:
        wanted = columns_by_name(self.vendor, self.expected)
        found = columns_by_name(self.vendor, self.live)
        for name, column in wanted.items():
            if name not in found:
                yield self._missing("column", column)
                continue
            attributes = compare_columns(column, found[name], exact=self.exact, vendor=self.vendor)
            if attributes:
                yield self._different("column", column, found[name], attributes)
        for name, column in found.items():
            if name not in wanted:
                yield self._extra("column", column)

    def _primary_key(self) -> Iterator[Change]:
        wanted, found = self.expected.primary_key, self.live.primary_key
        if wanted is None:
            if found is not None and self.exact:
                yield self._extra("primary key", found)
        elif found is None:
            yield self._missing("primary key", wanted)
        elif folded(self.vendor, wanted.columns) != folded(self.vendor, found.columns):
            yield self._different("primary key", wanted, found, ("columns",))

    def _uniques(self) -> Iterator[Change]:
        """Unique constraints and plain unique indexes together: they serve alike."""
        wanted = _unique_things(self.expected)
        found = _unique_things(self.live)
        wanted_sets = [self._unique_set(item) for item in wanted]
        if self.expected.primary_key:
            wanted_sets.append(self._unique_set(self.expected.primary_key))
        for item in wanted:
            yield from self._unique(item, found)
        for other in found:
            if self._unique_set(other) not in wanted_sets:
                yield self._extra(_unique_kind(other), other)

    def _unique(self, item: Unique | Index, found: list[Unique | Index]) -> Iterator[Change]:
        columns = self._unique_set(item)
        key = self.live.primary_key
        if key and self._unique_set(key) == columns:
            return
        same = [other for other in found if self._unique_set(other) == columns]
        valid = [other for other in same if not isinstance(other, Index) or other.valid]
        if not same:
            yield self._missing(_unique_kind(item), item)
        elif not valid:
            yield self._different(_unique_kind(item), item, same[0], ("valid",))
        else:
            differing = [
                _compare_uniques(item, other, self.vendor, exact=self.exact) for other in valid
            ]
            if all(differing):
                yield self._different(_unique_kind(item), item, valid[0], differing[0])

    def _unique_set(self, item: Unique | Index | PrimaryKey) -> frozenset[str] | None:
        return unique_columns(self.vendor, item)

    def _foreign_keys(self) -> Iterator[Change]:
        for key in self.expected.foreign_keys:
            same = [f for f in self.live.foreign_keys if same_reference(self.vendor, key, f)]
            if not same:
                yield self._missing("foreign key", key)
                continue
            differing = [
                compare_references(self.vendor, key, other, exact=self.exact) for other in same
            ]
            if all(differing):
                yield self._different("foreign key", key, same[0], differing[0])
        for other in self.live.foreign_keys:
            if not any(same_reference(self.vendor, k, other) for k in self.expected.foreign_keys):
                yield self._extra("foreign key", other)

    def _checks(self) -> Iterator[Change]:
        for check in self.expected.checks:
            same = [c for c in self.live.checks if self._same_check(check, c)]
            if not same and says_nothing(self.vendor, self.expected, check):
                continue
            if not same:
                yield self._missing("check", check)
                continue
            differing = [_compare_checks(check, other, exact=self.exact) for other in same]
            if all(differing):
                yield self._different("check", check, same[0], differing[0])
        for other in self.live.checks:
            if says_nothing(self.vendor, self.live, other):
                continue
            if not any(self._same_check(check, other) for check in self.expected.checks):
                yield self._extra("check", other)

    def _same_check(self, expected: Check, live: Check) -> bool:
        return same_check(self.vendor, expected, live, exact=self.exact)

    def _exclusions(self) -> Iterator[Change]:
        wanted, found = self.expected.exclusions, self.live.exclusions
        for item in wanted:
            if not any(self._same_exclusion(item, other) for other in found):
                yield self._missing("exclusion", item)
        for other in found:
            if not any(self._same_exclusion(item, other) for item in wanted):
                yield self._extra("exclusion", other)

    def _same_exclusion(self, expected: Exclusion, live: Exclusion) -> bool:
        if fold(self.vendor, expected.name) == fold(self.vendor, live.name):
            return not self.exact or same_expression(
                expected.definition, live.definition, exact=True
            )
        return bool(expected.definition) and same_expression(
            expected.definition, live.definition, exact=self.exact
        )

    def _indexes(self) -> Iterator[Change]:
        wanted = [i for i in self.expected.indexes if unique_columns(self.vendor, i) is None]
        found = [i for i in self.live.indexes if unique_columns(self.vendor, i) is None]
        for index in wanted:
            yield from self._index(index, found)
        for other in found:
            if not self._serves_any(other, wanted):
                yield self._extra("index", other)

    def _index(self, index: Index, found: list[Index]) -> Iterator[Change]:
        same = [i for i in found if same_index(self.vendor, index, i, exact=self.exact)]
        usable = [other for other in same if other.valid]
        if any(index.ignored or not other.ignored for other in usable):
            return
        if any(covers(self.vendor, item, index) for item in _keeping_unique(self.live)):
            return
        if same:
            off = ("ignored",) if usable else ("valid",)
            yield self._different("index", index, (usable or same)[0], off)
            return
        name = fold(self.vendor, index.name)
        namesake = next((i for i in found if name and fold(self.vendor, i.name) == name), None)
        if namesake:
            yield self._different("index", index, namesake, _compare_indexes(index, namesake))
        else:
            yield self._missing("index", index)

    def _serves_any(self, live: Index, wanted: list[Index]) -> bool:
        """Whether a live index answers to an expected one, or doubles an expected unique."""
        names = {fold(self.vendor, index.name) for index in wanted}
        return (
            any(same_index(self.vendor, index, live, exact=self.exact) for index in wanted)
            or (self.vendor == "mysql" and self._of_foreign_key(live))
            or (not self.exact and serves_like(self.expected, live))
            or any(covers(self.vendor, item, live) for item in _keeping_unique(self.expected))
            or fold(self.vendor, live.name) in names
        )

    def _of_foreign_key(self, live: Index) -> bool:
        """Whether InnoDB made this index for a foreign key, which cannot be without one."""
        columns = folded(self.vendor, live.columns)
        return any(
            folded(self.vendor, key.columns) == columns[: len(key.columns)]
            for key in self.live.foreign_keys
        )

    def _triggers(self) -> Iterator[Change]:
        # State knows nothing of triggers: only an exact expectation speaks of them.
        if not self.exact:
            return
        wanted = {trigger.name: trigger for trigger in self.expected.triggers}
        found = {trigger.name: trigger for trigger in self.live.triggers}
        for name, trigger in wanted.items():
            other = found.get(name)
            if other is None:
                yield self._missing("trigger", trigger)
                continue
            attributes = []
            if trigger.enabled != other.enabled:
                attributes.append("enabled")
            if trigger.definition != other.definition:
                attributes.append("definition")
            if attributes:
                yield self._different("trigger", trigger, other, tuple(attributes))
        for name, trigger in found.items():
            if name not in wanted:
                yield self._extra("trigger", trigger)


def _unique_things(table: Table) -> list[Unique | Index]:
    return [*table.uniques, *(i for i in table.indexes if unique_columns("", i) is not None)]


def _keeping_unique(table: Table) -> Iterable[Unique | Index | PrimaryKey]:
    key = (table.primary_key,) if table.primary_key else ()
    return [*_unique_things(table), *key]


def _unique_kind(item: Unique | Index) -> str:
    return "unique" if isinstance(item, Unique) else "index"


def _compare_uniques(
    expected: Unique | Index, live: Unique | Index, vendor: str, *, exact: bool
) -> tuple[str, ...]:
    differing: list[str] = []
    if vendor == "postgresql" and _deferrable(expected, exact) != _deferrable(live, exact):
        differing.append("deferrable")
    if exact and _collations(expected) != _collations(live):
        differing.append("collation")
    if exact and _keys(expected, vendor) != _keys(live, vendor):
        differing.append("columns")
    if expected.nulls_distinct != live.nulls_distinct:
        differing.append("nulls distinct")
    if live.ignored and not expected.ignored:
        differing.append("ignored")
    return tuple(differing)


def _deferrable(item: Unique | Index, exact: bool) -> tuple[bool, bool]:
    if isinstance(item, Index):
        return False, False
    return item.deferrable, item.initially_deferred and exact


def _keys(item: Unique | Index, vendor: str) -> tuple[object, ...]:
    """What of a unique index matters to the queries that use it, beyond uniqueness."""
    if isinstance(item, Unique):
        return tuple((name, False) for name in folded(vendor, item.columns)), frozenset()
    keys = tuple((fold(vendor, key.column), key.descending) for key in item.keys)
    return keys, frozenset(folded(vendor, item.include))


def _collations(item: Unique | Index) -> frozenset[tuple[str, str]]:
    """What a unique index tells apart; a constraint has the collations of its columns."""
    if isinstance(item, Unique):
        return frozenset()
    return frozenset((key.column, key.collation) for key in item.keys if key.collation)


def _compare_checks(expected: Check, live: Check, *, exact: bool) -> tuple[str, ...]:
    differing: list[str] = []
    if not same_expression(expected.expression, live.expression, exact=exact):
        differing.append("expression")
    if expected.valid and not live.valid:
        differing.append("valid")
    return tuple(differing)


def _compare_indexes(expected: Index, live: Index) -> tuple[str, ...]:
    pairs = {
        "columns": (expected.columns, live.columns),
        "unique": (expected.unique, live.unique),
        "method": (expected.method.lower(), live.method.lower()),
        "condition": (bool(expected.condition), bool(live.condition)),
        "include": (set(expected.include), set(live.include)),
    }
    return tuple(name for name, (one, two) in pairs.items() if one != two) or ("definition",)
