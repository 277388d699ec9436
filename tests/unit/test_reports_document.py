"""A report never claims more than its events prove."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core import events as ev
from migrator.reports.folding import ReportBuilder, fold
from tests.unit.report_events import (
    HALF,
    MISSING,
    PRESENT,
    UNCONFIRMED,
    WIDER,
    broken,
    closed,
    drifted,
    healthy_run,
    key,
    migrated,
    opened,
    scan,
    step,
    troubled_run,
)


def test_a_healthy_run_is_all_clean() -> None:
    report = fold(healthy_run())

    assert report.all_clean
    assert (report.outcome, report.exit_code) == ("complete", 0)
    assert report.seconds == pytest.approx(4.2)
    default, replica = report.db_reports
    assert (default.alias, default.state, default.outcome) == ("default", "verified", "done")
    assert [str(applied.migration) for applied in default.applied] == [
        "auth.0001_initial",
        "auth.0002_more",
    ]
    assert default.pending == ()
    assert default.drift is None
    assert default.error is None
    assert replica.outcome == "skipped"
    assert replica.skipped == "A read-only standby of default."


def test_no_prefix_of_a_run_is_clean() -> None:
    events = healthy_run()
    for length in range(len(events)):
        report = fold(events[:length])
        assert not report.all_clean
        assert report.outcome == "interrupted"
        assert report.exit_code != 0


def test_each_prefix_of_a_troubled_run_folds() -> None:
    events = troubled_run()
    for length in range(len(events) + 1):
        report = fold(events[:length])
        assert not report.all_clean
        assert report.exit_code != 0
        assert report.outcome in {"failed", "interrupted"}


@given(st.lists(st.sampled_from([*healthy_run(), *troubled_run()]), max_size=40))
def test_any_stream_folds_and_clean_is_proven(events: list[ev.Event]) -> None:
    report = fold(events)
    if report.all_clean:
        assert any(isinstance(event, ev.RunClosed) for event in events)
        finished = {event.alias for event in events if isinstance(event, ev.AliasFinished)}
        skipped = {event.alias for event in events if isinstance(event, ev.TargetSkipped)}
        assert {database.alias for database in report.db_reports} <= finished | skipped
        assert not any(database.total_drift_count() for database in report.db_reports)


def test_a_run_closed_as_complete_with_an_alias_that_never_began_has_failed() -> None:
    report = fold([opened("default", "shop_db"), *migrated("default"), closed()])

    assert not report.all_clean
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert report.database("shop_db").outcome == "pending"


def test_an_alias_that_stopped_short_of_the_goal_is_not_done() -> None:
    events = [opened("default"), *step("default", "guard", "pending", "guarded")]
    report = fold([*events, ev.AliasFinished("default", "guarded", 0.1), closed()])

    assert report.database("default").outcome == "failed"
    assert not report.all_clean


def test_an_alias_with_a_blocking_incident_is_not_done() -> None:
    report = fold(
        [
            opened("default", kind="check", goal="scanned"),
            *step("default", "scan", "guarded", "scanned", scan("default", MISSING)),
            ev.AliasFinished("default", "scanned", 0.1),
            closed(),
        ]
    )
    assert report.database("default").outcome == "failed"
    assert report.exit_code == 1


def test_a_check_reaches_its_own_goal_with_migrations_pending() -> None:
    report = fold(
        [
            opened("default", kind="check", goal="scanned"),
            *step("default", "guard", "pending", "guarded"),
            *step("default", "scan", "guarded", "scanned", scan("default", pending=("a.0001_x",))),
            ev.AliasFinished("default", "scanned", 0.1),
            closed(),
        ]
    )
    assert report.all_clean
    assert report.database("default").pending == (key("a.0001_x"),)


def test_a_run_that_counts_pending_as_failure_is_not_clean() -> None:
    report = fold(
        [
            opened("default", kind="check", goal="scanned"),
            *step("default", "scan", "guarded", "scanned", scan("default", pending=("a.0001_x",))),
            ev.AliasFinished("default", "scanned", 0.1),
            closed(exit_code=1),
        ]
    )
    assert not report.all_clean
    assert report.exit_code == 1


def test_drift_is_sorted_into_its_lists_and_counted() -> None:
    incidents = (MISSING, PRESENT, HALF, WIDER, UNCONFIRMED)
    report = fold([opened("shop_db"), *drifted("shop_db", *incidents), closed("failed", 1)])

    drift = report.database("shop_db").drift
    assert drift is not None
    assert drift.recorded_missing == (MISSING,)
    assert drift.unrecorded_present == (PRESENT,)
    assert drift.half_applied == (HALF,)
    assert drift.incidents == incidents
    assert drift.notes == (UNCONFIRMED,)
    assert drift.total_drift_count() == 4


def test_unconfirmed_differences_never_count() -> None:
    events = migrated("default")
    events.insert(-2, scan("default", UNCONFIRMED, phase="verify"))
    report = fold([opened("default"), *events, closed()])

    drift = report.database("default").drift
    assert drift is not None
    assert drift.total_drift_count() == 0
    assert report.all_clean


def test_the_last_scan_tells_what_drift_remains() -> None:
    report = fold(
        [
            opened("default", kind="repair"),
            *step("default", "guard", "pending", "guarded"),
            *step("default", "scan", "guarded", "scanned", scan("default", MISSING)),
            *step(
                "default",
                "repair",
                "scanned",
                "repaired",
                ev.RepairPlanned("default", (("Forget the row.", ("DELETE …",)),)),
                ev.RepairApplied("default", "Forget the row.", ("DELETE …",), 0.01),
                scan("default", phase="repair"),
            ),
            *step("default", "migrate", "repaired", "migrated"),
            *step("default", "verify", "migrated", "verified"),
            ev.AliasFinished("default", "verified", 1.0),
            closed(),
        ]
    )
    database = report.database("default")
    assert database.drift is None
    assert [repair.description for repair in database.repairs] == ["Forget the row."]
    assert report.all_clean


def test_a_failed_alias_says_why_where_and_on_which_migration() -> None:
    report = fold([opened("blog_db"), *broken("blog_db"), closed("failed", 1)])

    database = report.database("blog_db")
    assert database.state == "failed"
    assert database.stopped_in == "migrate"
    assert database.error is not None
    assert database.error.type == "MigrationFailed"
    assert database.error.hint == "Mend it."
    assert database.failed_migration is not None
    assert database.failed_migration.migration == key("blog.0002_b")
    assert database.pending == (key("blog.0002_b"),)


def test_a_failure_keeps_its_step_when_the_journal_records_the_failure() -> None:
    events = drifted("shop_db", MISSING)
    recorded = step("shop_db", "fail", "guarded", "failed")
    report = fold([opened("shop_db"), *events[:-1], *recorded, events[-1], closed("failed", 1)])
    assert report.database("shop_db").stopped_in == "scan"
    assert report.database("shop_db").state == "failed"


def test_a_second_pass_forgets_the_failure_of_the_first_and_keeps_its_work() -> None:
    report = fold(
        [
            opened("blog_db"),
            *broken("blog_db"),
            ev.PassStarted(2, ("blog_db",)),
            *migrated("blog_db", "blog.0002_b"),
            closed(),
        ]
    )
    database = report.database("blog_db")
    assert report.all_clean
    assert database.error is None
    assert database.failed_migration is None
    assert database.stopped_in == ""
    assert [str(applied.migration) for applied in database.applied] == [
        "blog.0001_a",
        "blog.0002_b",
    ]


def test_the_worst_failure_gives_the_exit_code_of_a_stream_that_nobody_closed() -> None:
    report = fold(
        [
            opened("a", "b"),
            ev.AliasFailed("a", "LockHeld", "Held.", "", 4),
            ev.AliasFailed("b", "DriftFound", "Drift.", "", 1),
        ]
    )
    assert (report.outcome, report.exit_code) == ("failed", 4)


def test_an_interrupted_run_names_the_step_in_which_it_was_cut_short() -> None:
    events = broken("blog_db")[:-2]
    report = fold([opened("blog_db", "late"), *events, closed("interrupted", 130)])

    assert (report.outcome, report.exit_code) == ("interrupted", 130)
    assert report.database("blog_db").outcome == "interrupted"
    assert report.database("blog_db").stopped_in == "migrate"
    assert report.database("late").outcome == "pending"


def test_a_builder_can_be_read_at_any_time() -> None:
    builder = ReportBuilder()
    for number, event in enumerate(healthy_run(), 1):
        builder.add(event)
        assert builder.build() == fold(healthy_run()[:number])


def test_an_unknown_alias_has_no_report() -> None:
    with pytest.raises(KeyError):
        fold(healthy_run()).database("nowhere")
