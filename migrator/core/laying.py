"""Bring a record of a database forward to what is recorded in it now.

Migrations recorded since are laid on top; those whose rows have gone since are taken off
again. Where something that cannot be observed may have been at work in between, the reference
proves nothing, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from migrator.core.analysis import opaque_tables
from migrator.core.comparison import fold_key
from migrator.core.effects import Effect, MigrationKey, OperationEffect, TableEffect
from migrator.core.overlay import overlay
from migrator.core.reference import Held, Record, Reference, digest_tables
from migrator.core.schema import Schema


def lay_reference(
    held: Held,
    *,
    recorded: Iterable[Effect],
    pending: Iterable[Effect],
    rows: Iterable[MigrationKey],
    expected: Schema,
    in_doubt: Iterable[MigrationKey] = (),
    advisory: bool = False,
) -> Reference:
    """Bring a record forward to what is recorded now.

    Args:
        held: What was, and what was recorded then.
        recorded: Effects of the migrations recorded now, in plan order.
        pending: Effects of the pending ones, in plan order.
        rows: The rows of django_migrations now.
        expected: What state expects now.
        in_doubt: Pending migrations that were begun: nothing is sure about what they touch.
        advisory: See Reference.
    """
    record = held.record
    recorded, pending, doubtful = tuple(recorded), tuple(pending), frozenset(in_doubt)
    vendor = record.schema.vendor
    since, merged = _since(record, recorded)
    undone, unknown = _undone(record, recorded, pending, frozenset(rows))
    schema, taken = overlay(record.schema, (reversed_effect(effect) for effect in reversed(undone)))
    schema, laid = overlay(schema, since)
    begun = tuple(effect for effect in pending if effect.migration in doubtful)
    opaque = opaque_tables((*undone, *since, *merged, *begun))
    unsure: frozenset[str] | None = None
    if not unknown and opaque is not None:
        vague = (*opaque, *_touched((*merged, *begun)), *record.schema.unreadable)
        unsure = frozenset(fold_key(vendor, key) for key in vague)
    moved = {fold_key(vendor, key) for key in (*taken, *laid)}
    return Reference(
        schema=schema,
        evidence=held.evidence,
        origin=held.origin,
        run_id=held.run_id,
        laid=frozenset(
            key for key in schema.tables if key in laid or fold_key(vendor, key) in moved
        ),
        unsure=unsure,
        restated=_restated(record, expected, moved),
        whole=not unknown and not any(map(_free, (*undone, *since, *merged, *begun))),
        advisory=advisory,
    )


def lost_since(
    held: Held,
    *,
    recorded: Iterable[Effect],
    pending: Iterable[Effect],
    rows: Iterable[MigrationKey],
) -> tuple[MigrationKey, ...]:
    """What was recorded then and is not now, in plan order.

    Args:
        held, recorded, pending, rows: As for `lay_reference`.
    """
    return _lost(held.record, tuple(recorded), tuple(pending), frozenset(rows))


def reversed_effect(effect: Effect) -> Effect:
    """A migration taken back: its operations backwards, each the other way round.

    Args:
        effect: The migration forwards.
    """
    return replace(effect, operations=tuple(map(_reversed, reversed(effect.operations))))


def _reversed(operation: OperationEffect) -> OperationEffect:
    return replace(
        operation,
        tables=tuple(TableEffect(t.key, before=t.after, after=t.before) for t in operation.tables),
    )


def _since(
    record: Record, recorded: tuple[Effect, ...]
) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """Migrations recorded since; beside them squashes of which a part was recorded then."""
    known = {*record.recorded, *record.rows}
    new = [effect for effect in recorded if effect.migration not in known]
    since = [effect for effect in new if not known.intersection(effect.replaces)]
    merged = [
        effect
        for effect in new
        if known.intersection(effect.replaces) and not known.issuperset(effect.replaces)
    ]
    return tuple(since), tuple(merged)


def _undone(
    record: Record,
    recorded: tuple[Effect, ...],
    pending: tuple[Effect, ...],
    rows: frozenset[MigrationKey],
) -> tuple[tuple[Effect, ...], bool]:
    """Migrations recorded then and no longer, in plan order; whether one is not known at all."""
    lost = _lost(record, recorded, pending, rows)
    undone = tuple(effect for effect in pending if effect.migration in lost)
    return undone, len(undone) < len(lost)


def _lost(
    record: Record,
    recorded: tuple[Effect, ...],
    pending: tuple[Effect, ...],
    rows: frozenset[MigrationKey],
) -> tuple[MigrationKey, ...]:
    now = {effect.migration for effect in recorded} | rows
    now.update(key for effect in recorded for key in effect.replaces)
    waiting = {effect.migration: effect for effect in pending}
    return tuple(
        key
        for key in record.recorded
        if key not in now
        and not (key in waiting and waiting[key].replaces and now.issuperset(waiting[key].replaces))
    )


def _touched(effects: Iterable[Effect]) -> frozenset[str]:
    return frozenset(
        table.key
        for effect in effects
        for operation in effect.operations
        for table in operation.tables
    )


def _free(effect: Effect) -> bool:
    """Whether a migration may have made views, functions and the like."""
    return any(
        operation.kind == "RunSQL" or operation.opaque_tables != frozenset()
        for operation in effect.operations
    )


def _restated(record: Record, expected: Schema, moved: set[str]) -> frozenset[str]:
    if record.expected is None:
        return frozenset()
    vendor = expected.vendor
    then = record.expected
    return frozenset(
        folded
        for key, digest in digest_tables(expected).items()
        if (folded := fold_key(vendor, key)) not in moved and then.get(key) != digest
    )
