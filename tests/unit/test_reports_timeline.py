"""When things happened: spans from events, and where they stand on an axis."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core import events as ev
from migrator.reports.axis import plan_axis
from migrator.reports.folding import ReportBuilder, fold
from migrator.reports.timeline import Timeline
from tests.unit.report_events import (
    BEGAN,
    Clock,
    contended,
    eventful_report,
    healthy_run,
    key,
    large_report,
    opened,
)


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat()


def test_without_a_clock_there_is_no_timeline() -> None:
    assert all(database.timeline == () for database in fold(healthy_run()).db_reports)


def test_steps_and_migrations_take_the_time_between_their_events() -> None:
    clock = Clock()
    clock.add_all(contended("shop_db"), each=1.0)
    spans = clock.builder.build().database("shop_db").timeline

    assert [(span.kind, span.name, span.seconds, span.outcome) for span in spans] == [
        ("step", "guard", 1.0, "done"),
        ("step", "scan", 2.0, "done"),
        ("step", "repair", 1.0, "done"),
        ("step", "migrate", 13.0, "done"),
        ("backup", "backup", 1.0, "done"),
        ("migration", "shop.0002_total", 2.0, "contended"),
        ("pause", "shop.0002_total", 1.0, "done"),
        ("migration", "shop.0002_total", 1.0, "done"),
        ("migration", "shop.0003_drop_total", 1.0, "done"),
        ("step", "verify", 2.0, "done"),
    ]
    assert [span.attempt for span in spans if span.name == "shop.0002_total"] == [1, 1, 2]


def test_a_retry_that_announces_no_new_attempt_is_drawn_all_the_same() -> None:
    line, slow = Timeline(), key("shop.0002_total")
    line.add(ev.MigrationStarted("a", slow, 1, 1, 1), at(0))
    line.add(ev.LockContended("a", slow, 1, 3.0, 0.5), at(3))
    line.add(ev.MigrationApplied("a", slow, 0.25, 2, 3.5), at(3.75))

    assert [(s.kind, s.at, s.seconds, s.outcome) for s in line.spans()] == [
        ("migration", at(0), 3.0, "contended"),
        ("pause", at(3), 0.75, "done"),
        ("migration", at(3.5), 0.25, "done"),
    ]


def test_what_failed_and_what_was_cut_short_say_so() -> None:
    line = Timeline()
    line.add(ev.TransitionStarted("a", "migrate", "repaired", "migrated"), at(0))
    line.add(ev.MigrationStarted("a", key("a.0001_x"), 1, 1, 1), at(1))
    cut_short = line.spans(at(4))
    assert [(span.name, span.outcome, span.seconds) for span in cut_short] == [
        ("migrate", "open", 4.0),
        ("a.0001_x", "open", 3.0),
    ]
    line.add(ev.MigrationFailed("a", key("a.0001_x"), 1, "no\nreally"), at(2))
    line.add(ev.AliasFailed("a", "MigrationFailed", "It failed.", "", 1), at(3))
    assert [(span.name, span.outcome, span.detail) for span in line.spans()] == [
        ("migrate", "failed", ""),
        ("a.0001_x", "failed", "no"),
    ]


def test_a_reconciled_migration_takes_no_time_of_this_attempt() -> None:
    line = Timeline()
    line.add(ev.MigrationApplied("a", key("a.0001_x"), 7.0, 1, 0.0, "reconciled"), at(9))
    assert [(s.at, s.seconds, s.outcome) for s in line.spans()] == [(at(9), 0.0, "reconciled")]


def test_spans_stand_in_the_order_in_which_they_began() -> None:
    for database in (*eventful_report().db_reports, *large_report(3, 5).db_reports):
        begins = [span.at for span in database.timeline]
        assert begins == sorted(begins)


# -- the axis ---------------------------------------------------------------------------------


def test_a_long_idle_stretch_is_cut_short() -> None:
    axis = plan_axis([(0, 4), (4, 6), (7206, 7210)])
    assert len(axis.gaps) == 1
    assert axis.gaps[0].label == "2 h 00 min later"
    assert axis.length < 12
    assert [tick.label for tick in axis.ticks()] == ["0", "2 s", "4 s", "6 s", "+2 s", "+4 s"]


def test_a_short_run_has_marks_that_differ() -> None:
    for length in (0.0, 0.004, 0.8, 4.0, 59.0, 4000.0, 10.0**6):
        labels = [tick.label for tick in plan_axis([(0, length)]).ticks()]
        assert labels[0] == "0"
        assert len(set(labels)) == len(labels) >= 2


stretches = st.lists(
    st.tuples(st.floats(0, 10**5), st.floats(0, 100)).map(lambda s: (s[0], s[0] + s[1])),
    min_size=1,
    max_size=12,
)


@given(stretches)
def test_the_axis_keeps_the_order_and_ends_with_the_last(busy: list[tuple[float, float]]) -> None:
    axis = plan_axis(busy)
    moments = sorted(moment for stretch in busy for moment in stretch)
    places = [axis.place(moment) for moment in moments]
    assert places == sorted(places)
    assert places[0] >= -1e-6
    assert places[-1] == pytest.approx(axis.length, abs=0.011, rel=1e-6)
    assert all(0 <= tick.at <= axis.length + 1e-6 for tick in axis.ticks())


def test_the_step_that_failed_counts_to_what_the_alias_took() -> None:
    builder = ReportBuilder()
    builder.add(opened("a"), at(0))
    for second, event in (
        (0, ev.TransitionStarted("a", "guard", "pending", "guarded")),
        (1, ev.TransitionFinished("a", "guard", "guarded", 1.0)),
        (1, ev.TransitionStarted("a", "migrate", "repaired", "migrated")),
        (31, ev.AliasFailed("a", "MigrationFailed", "No.", "", 1)),
    ):
        builder.add(event, at(second))
    assert builder.build().database("a").seconds == 31.0
