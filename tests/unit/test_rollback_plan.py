"""Which migrations go back, in which order, and what is in the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from migrator.core.effects import MigrationKey
from migrator.core.returning import (
    Lineage,
    Mark,
    Return,
    plan_return,
    remaining,
    without_history,
)
from migrator.core.schema import Column, Schema, Table


def key(text: str) -> MigrationKey:
    return MigrationKey(*text.split("."))


def keys(texts: str) -> tuple[MigrationKey, ...]:
    return tuple(map(key, texts.split()))


def lineage(
    order: str,
    *,
    needs: Mapping[str, str] | None = None,
    rows: str | None = None,
    replaces: Mapping[str, str] | None = None,
    virtual: Iterable[str] = (),
) -> Lineage:
    """Nodes in order, each app a chain; `needs`: further dependencies; `rows`: all by default."""
    nodes = keys(order)
    children: dict[MigrationKey, list[MigrationKey]] = {node: [] for node in nodes}
    newest: dict[str, MigrationKey] = {}
    for node in nodes:
        if node.app in newest:
            children[newest[node.app]].append(node)
        newest[node.app] = node
    for child, parents in (needs or {}).items():
        for parent in keys(parents):
            children[parent].append(key(child))
    recorded = frozenset(keys(order if rows is None else rows))
    return Lineage(
        order=nodes,
        children=children,
        recorded=(recorded | frozenset(map(key, virtual))) & frozenset(nodes),
        rows=recorded,
        replaces={key(squash): keys(others) for squash, others in (replaces or {}).items()},
    )


def applied(texts: str, run: str = "r1", how: str = "applied") -> tuple[Mark, ...]:
    return tuple(Mark(each, run, how) for each in keys(texts))


def marks(*found: Mark) -> dict[MigrationKey, Mark]:
    return {mark.migration: mark for mark in found}


def test_the_newest_goes_first() -> None:
    graph = lineage("a.1 a.2 b.1 a.3 b.2", needs={"b.1": "a.2"})
    run = applied("a.2 b.1 a.3 b.2")
    plan = plan_return(run, graph, marks=marks(*run))
    assert [step.migration for step in plan.steps] == [*keys("b.2 a.3 b.1 a.2")]
    assert not plan.dependents
    assert not any(step.forget or step.later for step in plan.steps)


def test_what_was_only_recorded_is_only_forgotten() -> None:
    graph = lineage("a.1 a.2 a.3")
    run = (*applied("a.1", how="faked"), *applied("a.2", how="companion"), *applied("a.3"))
    plan = plan_return(run, graph, marks=marks(*run))
    assert [step.forget for step in plan.steps] == [False, True, True]


def test_what_a_later_run_has_built_on_it_is_in_the_way() -> None:
    graph = lineage("a.1 a.2 b.1 c.1", needs={"b.1": "a.1"})
    run, later = applied("a.1"), applied("a.2 b.1 c.1", "r2")
    plan = plan_return(run, graph, marks=marks(*run, *later))
    assert plan.dependents == ((key("a.2"), key("a.1")), (key("b.1"), key("a.1")))


def test_it_goes_along_when_that_is_asked_for() -> None:
    graph = lineage("a.1 a.2 b.1 c.1", needs={"b.1": "a.1"})
    run = applied("a.1")
    later = (*applied("a.2", "r2", "faked"), *applied("c.1", "r2"))
    plan = plan_return(run, graph, marks=marks(*run, *later), with_later=True)
    assert plan.steps == (
        Return(key("b.1"), later=True),
        Return(key("a.2"), forget=True, later=True),
        Return(key("a.1")),
    )
    assert not plan.dependents


def test_what_is_no_longer_recorded_is_undone_already() -> None:
    graph = lineage("a.1 a.2", rows="a.1")
    run = applied("a.1 a.2")
    plan = plan_return(run, graph, marks=marks(*run))
    assert [step.migration for step in plan.steps] == [key("a.1")]
    assert plan.undone == (key("a.2"),)


def test_what_another_run_has_applied_again_is_not_this_runs_to_take_back() -> None:
    graph = lineage("a.1 a.2")
    run = applied("a.1 a.2")
    plan = plan_return(run, graph, marks=marks(run[0], Mark(key("a.2"), "r3")))
    assert plan.again == ((key("a.2"), "r3"),)


def test_a_migration_without_a_file_is_named() -> None:
    graph = lineage("a.1", rows="a.1 a.2")
    run = applied("a.1 a.2")
    assert plan_return(run, graph, marks=marks(*run)).missing == (key("a.2"),)


def test_a_squash_that_came_later_stands_for_all_that_it_replaces() -> None:
    graph = lineage(
        "a.1 a.s a.4", rows="a.1 a.2 a.3 a.4", replaces={"a.s": "a.2 a.3"}, virtual=["a.s"]
    )
    run = applied("a.2 a.3 a.4")
    plan = plan_return(run, graph, marks=marks(*run))
    assert [step.migration for step in plan.steps] == [*keys("a.4 a.s")]
    assert not plan.partial


def test_a_part_of_a_squash_cannot_be_taken_back() -> None:
    graph = lineage("a.s a.4", rows="a.2 a.3 a.4", replaces={"a.s": "a.2 a.3"}, virtual=["a.s"])
    run = applied("a.3 a.4")
    plan = plan_return(run, graph, marks=marks(*run))
    assert plan.partial == ((key("a.s"), (key("a.2"),)),)


def test_a_squash_that_the_run_itself_applied() -> None:
    graph = lineage("a.1 a.s", rows="a.1 a.s a.2 a.3", replaces={"a.s": "a.2 a.3"})
    run = applied("a.1 a.s")
    plan = plan_return(run, graph, marks=marks(*run))
    assert [step.migration for step in plan.steps] == [*keys("a.s a.1")]


def test_a_squash_of_squashes_is_taken_apart() -> None:
    graph = lineage(
        "a.t",
        rows="a.1 a.2 a.3",
        replaces={"a.s": "a.1 a.2", "a.t": "a.s a.3"},
        virtual=["a.t"],
    )
    run = applied("a.1 a.2 a.3")
    assert plan_return(run, graph, marks=marks(*run)).steps == (Return(key("a.t")),)
    assert plan_return(run[:2], graph, marks=marks(*run)).partial == ((key("a.t"), keys("a.3")),)


def test_what_remains_of_a_rollback_that_was_cut_short() -> None:
    steps = (Return(key("a.3")), Return(key("a.2"), forget=True))
    assert remaining(steps, lineage("a.1 a.2 a.3", rows="a.1 a.2")).steps == steps[1:]
    since = lineage("a.1 a.2 a.3 b.1", needs={"b.1": "a.3"})
    assert remaining(steps, since).dependents == ((key("b.1"), key("a.3")),)


def test_a_step_survives_the_journal() -> None:
    for step in (Return(key("a.1")), Return(key("a.1"), forget=True, later=True)):
        assert Return.from_dict(step.to_dict()) == step


def test_the_history_that_a_first_run_leaves_is_no_difference() -> None:
    def schema(*tables: Table) -> Schema:
        return Schema(vendor="sqlite", tables={table.key: table for table in tables})

    columns = (Column("id", "integer"),)
    history = Table("django_migrations", columns=columns)
    bare = schema(Table("a", columns=columns))
    assert without_history(schema(*bare.tables.values(), history)) == bare
