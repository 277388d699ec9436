"""The way back: which migrations a rollback of a run takes back, in which order, and what it
refuses.

What the run itself has recorded is taken back, the newest first; what only needed a row gives
up the row. A migration that others need stays until they have gone, and nobody takes those
along unasked. All that is decided here is decided from data: rows, the graph, the journal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from migrator.core.effects import MigrationKey
from migrator.core.schema import Schema

HISTORY = "django_migrations"

ONLY_RECORDED = frozenset({"faked", "companion", "recorded"})
"""How a migration was recorded that has not been run: taking it back removes its row alone."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The last that the journal knows of a migration on one database.

    Attributes:
        migration: Which.
        run_id: The run that applied it, or took it back.
        how: "applied" | "faked" | "companion" | "reconciled" | "unapplied"; by a repair after an
            attempt that was cut short, "recorded" (its row alone) | "repaired" (the rest of it).
        backwards: Whether it was taken back.
        replaces: What it replaced, where it was a squash.
    """

    migration: MigrationKey
    run_id: str
    how: str = "applied"
    backwards: bool = False
    replaces: tuple[MigrationKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """The migration graph of one database, as data.

    Attributes:
        order: All nodes, in the order in which they would be applied.
        children: What depends on a node, directly.
        replaces: What each squash on disk replaces.
        recorded: Nodes that are recorded, squashes whose replaced set is recorded included.
        rows: The rows of django_migrations.
    """

    order: tuple[MigrationKey, ...]
    children: Mapping[MigrationKey, Collection[MigrationKey]]
    recorded: frozenset[MigrationKey]
    rows: frozenset[MigrationKey]
    replaces: Mapping[MigrationKey, tuple[MigrationKey, ...]] = field(default_factory=dict)

    def descendants(self, keys: Collection[MigrationKey]) -> dict[MigrationKey, MigrationKey]:
        """Recorded nodes that need one of `keys`, at any distance, with the newest of those."""
        found: dict[MigrationKey, MigrationKey] = {}
        wanted = frozenset(keys)
        for root in (key for key in reversed(self.order) if key in wanted):
            waiting = [root]
            seen = {root}
            while waiting:
                for child in self.children.get(waiting.pop(), ()):
                    if child in seen:
                        continue
                    seen.add(child)
                    waiting.append(child)
                    if child in self.recorded and child not in wanted:
                        found.setdefault(child, root)
        return found


@dataclass(frozen=True, slots=True)
class Return:
    """One migration that is taken back.

    Attributes:
        migration: Which.
        forget: It was recorded without being run, so only its row goes.
        later: It is not of the run itself; it goes because it needs something that goes.
    """

    migration: MigrationKey
    forget: bool = False
    later: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data, for the journal."""
        return {
            "app": self.migration.app,
            "name": self.migration.name,
            "forget": self.forget,
            "later": self.later,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` has made."""
        key = MigrationKey(str(raw["app"]), str(raw["name"]))
        return cls(key, forget=bool(raw.get("forget")), later=bool(raw.get("later")))


@dataclass(frozen=True, slots=True)
class ReturnPlan:
    """What a rollback does to one database.

    Attributes:
        steps: What is taken back, in order: the newest first.
        undone: Of the run, and taken back already.
        missing: Of the run and recorded, and there is no file of it.
        partial: Squashes of which the run applied only a part: (squash, what is not of the run).
        dependents: What is in the way: (recorded migration, the one of the run that it needs).
        again: Applied anew by a later run: (migration, that run).
    """

    steps: tuple[Return, ...] = ()
    undone: tuple[MigrationKey, ...] = ()
    missing: tuple[MigrationKey, ...] = ()
    partial: tuple[tuple[MigrationKey, tuple[MigrationKey, ...]], ...] = ()
    dependents: tuple[tuple[MigrationKey, MigrationKey], ...] = ()
    again: tuple[tuple[MigrationKey, str], ...] = ()


def plan_return(
    applied: Iterable[Mark],
    lineage: Lineage,
    *,
    marks: Mapping[MigrationKey, Mark],
    with_later: bool = False,
) -> ReturnPlan:
    """Work out what goes, and what is in the way.

    Args:
        applied: What the run applied, in its order.
        lineage: The graph and the rows, as they are now.
        marks: The last that the journal knows of each migration, of any run.
        with_later: Take along what needs it.
    """
    wanted: dict[MigrationKey, Mark] = {}
    undone: list[MigrationKey] = []
    again: list[tuple[MigrationKey, str]] = []
    missing: list[MigrationKey] = []
    squashed = {other: squash for squash, found in lineage.replaces.items() for other in found}
    for mark in applied:
        key = mark.migration
        squash = _squash_of(key, squashed, lineage.recorded)
        if not ({key, squash} & lineage.recorded or key in lineage.rows):
            undone.append(key)
        elif (last := marks.get(key)) is not None and last.run_id != mark.run_id:
            (undone.append(key) if last.backwards else again.append((key, last.run_id)))
        elif squash is not None:
            wanted[key] = mark
        elif key not in lineage.recorded:
            missing.append(key)
        else:
            wanted[key] = mark
    nodes, partial = _nodes(wanted, squashed, lineage)
    found = lineage.descendants(nodes.keys())
    later = {key: marks.get(key) for key in found} if with_later else {}
    order = {key: position for position, key in enumerate(lineage.order)}
    steps = [Return(key, forget=forget) for key, forget in nodes.items()]
    steps += [
        Return(key, forget=mark is not None and mark.how in ONLY_RECORDED, later=True)
        for key, mark in later.items()
    ]
    steps.sort(key=lambda step: order[step.migration], reverse=True)
    return ReturnPlan(
        steps=tuple(steps),
        undone=tuple(undone),
        missing=tuple(missing),
        partial=partial,
        dependents=() if with_later else tuple(sorted(found.items(), key=lambda x: order[x[0]])),
        again=tuple(again),
    )


def remaining(steps: Iterable[Return], lineage: Lineage) -> ReturnPlan:
    """What of a planned rollback is still to be done, and what has come in its way since.

    Args:
        steps: As planned.
        lineage: The graph and the rows, as they are now.
    """
    left = tuple(step for step in steps if step.migration in lineage.recorded)
    found = lineage.descendants({step.migration for step in left})
    return ReturnPlan(steps=left, dependents=tuple(sorted(found.items())))


def _squash_of(
    key: MigrationKey,
    squashed: Mapping[MigrationKey, MigrationKey],
    recorded: frozenset[MigrationKey],
) -> MigrationKey | None:
    """The recorded squash that stands for a migration now, squashes of squashes included."""
    seen: set[MigrationKey] = set()
    found: MigrationKey | None = None
    while (squash := squashed.get(key)) is not None and squash not in seen:
        seen.add(squash)
        if squash in recorded:
            found = squash
        key = squash
    return found


def _nodes(
    wanted: Mapping[MigrationKey, Mark],
    squashed: Mapping[MigrationKey, MigrationKey],
    lineage: Lineage,
) -> tuple[dict[MigrationKey, bool], tuple[tuple[MigrationKey, tuple[MigrationKey, ...]], ...]]:
    """The nodes to take back, with whether only rows go; squashes that are not whole."""
    nodes: dict[MigrationKey, bool] = {}
    parts: dict[MigrationKey, list[MigrationKey]] = {}
    known = frozenset(lineage.order)
    for key, mark in wanted.items():
        squash = None if key in known else _squash_of(key, squashed, lineage.recorded)
        if squash is None:
            nodes[key] = mark.how in ONLY_RECORDED
        else:
            parts.setdefault(squash, []).append(key)
    partial: list[tuple[MigrationKey, tuple[MigrationKey, ...]]] = []
    for squash, keys in parts.items():
        others = tuple(
            other for other in _replaced(squash, lineage.replaces) if other not in wanted
        )
        forget = {wanted[key].how in ONLY_RECORDED for key in keys}
        if squash in nodes:
            continue
        if others or len(forget) > 1:
            partial.append((squash, others))
        else:
            nodes[squash] = forget.pop()
    return nodes, tuple(partial)


def _replaced(
    squash: MigrationKey, replaces: Mapping[MigrationKey, tuple[MigrationKey, ...]]
) -> tuple[MigrationKey, ...]:
    """What a squash replaces, squashes among it taken apart."""
    found: list[MigrationKey] = []
    for other in replaces.get(squash, ()):
        found += _replaced(other, replaces) or (other,)
    return tuple(found)


# -- afterwards ----------------------------------------------------------------------------


def without_history(schema: Schema) -> Schema:
    """A schema without Django's own table: where a first run began, there was none."""
    return replace(
        schema,
        tables={key: table for key, table in schema.tables.items() if key != HISTORY},
        sequences=tuple(each for each in schema.sequences if each.table != HISTORY),
    )
