"""Random chains of migrations: what is applied is recognised, what is repaired stays so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from migrator.core.actions import (
    Action,
    AddColumn,
    CreateTable,
    ForgetMigration,
    RecordMigration,
    RunOperations,
)
from migrator.core.drift import ScanFacts, classify
from migrator.core.incidents import Code
from migrator.core.overlay import overlay, overlay_operation
from migrator.core.repair import plan_repair
from migrator.core.schema import Schema
from tests.unit.core_chains import (
    Chain,
    Op,
    add,
    alter,
    col,
    create,
    drop,
    edited,
    remove,
    rename,
    rename_table,
    with_columns,
    without_columns,
)

TYPES = ("boolean", "date", "uuid", "jsonb")
NAMES = ("a", "b", "c", "d")
TABLES = ("t", "u", "v")


def _moves(draw: Any, tables: dict[str, Any]) -> Op:
    """One operation that Django would accept on these tables."""
    choices: list[Op] = []
    for name in TABLES:
        if name not in tables:
            choices.append(create(name, col(draw(st.sampled_from(NAMES)), "boolean")))
            choices += [rename_table(other, name) for other in tables]
            continue
        choices.append(drop(name))
        columns = [c.name for c in tables[name].columns if c.name != "id"]
        free = [c for c in NAMES if c not in columns]
        for column in columns:
            choices.append(remove(name, column))
            current = tables[name].column(column).type
            choices += [alter(name, column, type_) for type_ in TYPES if type_ != current]
            choices += [rename(name, column, new) for new in free]
        choices += [add(name, col(column, draw(st.sampled_from(TYPES)))) for column in free]
    return draw(st.sampled_from(choices))


@st.composite
def chains(draw: Any, max_size: int = 7) -> Chain:
    """A linear history of one app."""
    chain = Chain()
    for number in range(draw(st.integers(1, max_size))):
        operations: list[Op] = []
        tables = chain.states[-1]
        for _ in range(draw(st.integers(1, 2))):
            operation = _moves(draw, tables)
            tables = operation.change(tables)
            operations.append(operation)
        chain.add(f"{number:04}", *operations)
    return chain


@st.composite
def mangled(draw: Any, live: Schema) -> Schema:
    """A schema that somebody has tampered with."""
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(TABLES))
        if name not in live.tables:
            live = edited(live, **{name: create(name, col("x")).change({})[name]})
            continue
        kind = draw(st.sampled_from(["drop", "add", "remove", "alter"]))
        column = draw(st.sampled_from(NAMES))
        if kind == "drop":
            live = edited(live, **{name: None})
        elif kind == "remove":
            live = without_columns(live, name, column)
        else:
            live = with_columns(live, name, col(column, draw(st.sampled_from(TYPES))))
    return live


quick = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(st.data())
def test_a_schema_that_is_as_recorded_has_no_incident(data: Any) -> None:
    chain = data.draw(chains())
    recorded = data.draw(st.integers(0, len(chain.effects)))
    facts = chain.facts(recorded, chain.schema(recorded))
    assert classify(facts) == ()


@quick
@given(st.data())
def test_applied_but_unrecorded_migrations_are_found(data: Any) -> None:
    """All that are blamed are there; the last one that changed anything is blamed, unless
    what it did is to restore what was recorded.
    """
    chain = data.draw(chains())
    recorded = data.draw(st.integers(0, len(chain.effects)))
    applied = data.draw(st.integers(recorded, len(chain.effects)))
    facts = chain.facts(recorded, chain.schema(applied))
    incidents = classify(facts)
    there = {e.migration for e in chain.effects[recorded:applied]}
    told = {i.migration for i in incidents if i.code is Code.UNRECORDED_PRESENT}
    assert {i.code for i in incidents} <= {Code.UNRECORDED_PRESENT}
    if chain.states[recorded] == chain.states[applied]:
        return
    assert told <= there or _same_later(chain, applied)
    unmistakable = {
        chain.effects[i].migration
        for i in range(recorded, applied)
        if chain.states[i + 1] not in chain.states[recorded : i + 1]
    }
    if unmistakable == there:
        assert told


def _same_later(chain: Chain, applied: int) -> bool:
    """Whether going on leads back to the same schema: then nobody can tell."""
    return chain.states[applied] in chain.states[applied + 1 :]


def apply(action: Action, facts: ScanFacts) -> ScanFacts:
    """What an action does to a database, on paper."""
    rows = facts.history.recorded
    effects = {e.migration: e for e in (*facts.recorded, *facts.pending)}
    live = facts.live
    match action:
        case RecordMigration(migration):
            rows = (*rows, migration)
        case ForgetMigration(migration):
            rows = tuple(row for row in rows if row != migration)
        case RunOperations(migration, operations, record):
            for position in operations:
                live = overlay_operation(live, effects[migration].operations[position])
            rows = (*rows, migration) if record else rows
        case CreateTable(table):
            assert table.key not in live.tables
            live = edited(live, **{table.key: table})
        case AddColumn(table, column):
            assert live.tables[table].column(column.name) is None
            live = with_columns(live, table, column)
        case _:
            raise AssertionError(action)
    order = sorted(effects)
    return replace(
        facts,
        live=live,
        history=replace(facts.history, recorded=rows),
        recorded=tuple(effects[k] for k in order if k in rows),
        pending=tuple(effects[k] for k in order if k not in rows),
    )


@quick
@given(st.data())
def test_a_repair_leads_to_a_clean_scan_or_does_nothing(data: Any) -> None:
    chain = data.draw(chains())
    recorded = data.draw(st.integers(0, len(chain.effects)))
    live = data.draw(mangled(chain.schema(data.draw(st.integers(0, len(chain.effects))))))
    facts = chain.facts(recorded, live)
    for _ in range(3):  # what was behind a difference may come to light when it is mended
        incidents = classify(facts)
        plan = plan_repair(incidents, facts)
        note("\n".join(f"{i.code} {i.message}" for i in incidents))
        note("\n".join(action.description for action in plan.actions))
        assert bool(plan) == any(i.blocking for i in incidents)
        if plan.refusals or plan.decisions:
            return
        for action in plan.actions:
            facts = apply(action, facts)
        rows = set(facts.history.recorded)
        assert rows == {e.migration for e in chain.effects[: len(rows)]}, "a hole in the history"
        facts = replace(facts, expected=chain.schema(len(rows)))
    assert not [i for i in classify(facts) if i.blocking]
    for effect in facts.pending:  # what migrate does next
        for operation in effect.operations:
            for changed in operation.tables:
                assert (changed.key in facts.live.tables) == (changed.before is not None)
            facts = replace(facts, live=overlay_operation(facts.live, operation))


@quick
@given(st.data())
def test_rows_lost_anywhere_are_put_back_and_nothing_else_is_done(data: Any) -> None:
    chain = data.draw(chains())
    keys = [effect.migration for effect in chain.effects]
    lost = data.draw(st.sets(st.sampled_from(keys)))
    # The last one stays, so that all the others are known to have been applied.
    effects = {e.migration: e for e in chain.effects}
    rows = tuple(k for k in keys if k not in lost or k == keys[-1])
    facts = replace(
        chain.facts(len(keys), chain.schema()),
        recorded=tuple(effects[k] for k in rows),
        pending=tuple(effects[k] for k in keys if k not in rows),
        history=replace(chain.history(0), recorded=rows),
    )
    incidents = classify(facts)
    note("\n".join(f"{i.code} {i.message}" for i in incidents))
    assert {i.code for i in incidents} <= {Code.UNRECORDED_PRESENT, Code.WRONG_ORDER}
    plan = plan_repair(incidents, facts)
    assert not plan.refusals
    recorded = {action.migration for action in plan.actions if isinstance(action, RecordMigration)}
    assert len(recorded) == len(plan.actions)
    assert recorded | {d.migration for d in plan.decisions} == lost - {keys[-1]}


@quick
@given(st.data())
def test_classifying_never_raises_and_is_deterministic(data: Any) -> None:
    chain = data.draw(chains(max_size=4))
    recorded = data.draw(st.integers(0, len(chain.effects)))
    count = data.draw(st.integers(0, len(chain.effects)))
    live = data.draw(mangled(chain.schema(count)))
    snapshot = data.draw(st.none() | mangled(chain.schema(recorded)))
    opaque = data.draw(st.none() | st.frozensets(st.sampled_from(TABLES)))
    facts = chain.facts(recorded, live, snapshot=snapshot, opaque_tables=opaque)
    incidents = classify(facts)
    assert incidents == classify(facts)
    assert all(i.message and i.hint for i in incidents)
    plan_repair(incidents, facts)


@quick
@given(st.data())
def test_overlay_leads_where_the_migrations_lead(data: Any) -> None:
    chain = data.draw(chains())
    start = data.draw(st.integers(0, len(chain.effects)))
    laid, _ = overlay(chain.schema(start), chain.effects[start:])

    def shape(found: Schema) -> Any:
        return {k: sorted(t.columns, key=lambda c: c.name) for k, t in found.tables.items()}

    assert shape(laid) == shape(chain.schema())
