"""What can be watched while a run goes on."""

from __future__ import annotations

import io
import re
import sys

import pytest
from django.core.management.base import OutputWrapper
from rich.console import Console

from migrator.core import events as ev
from migrator.progress import MigratorLogger, RichProgress, progress_for
from tests.unit.report_events import (
    MISSING,
    UNCONFIRMED,
    broken,
    closed,
    contended,
    drifted,
    healthy_run,
    key,
    opened,
    scan,
    step,
    troubled_run,
)


def lines_of(events: list[ev.Event], verbosity: int = 1) -> list[str]:
    stream = io.StringIO()
    logger = MigratorLogger(stream, verbosity=verbosity)
    for event in events:
        logger(event)
    return stream.getvalue().splitlines()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(width: int = 100) -> tuple[RichProgress, Terminal]:
    stream = Terminal()
    console = Console(
        file=stream, force_terminal=True, width=width, highlight=False, _environ={"TERM": "xterm"}
    )
    return RichProgress(stream, console=console), stream


def visible(stream: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


# -- lines ------------------------------------------------------------------------------------


def test_a_line_for_each_transition_and_each_migration() -> None:
    assert lines_of(healthy_run()) == [
        "Run 20260131-k3f9: migrate, 2 databases",
        "default  guarded  0.10 s",
        "default  scanned: 41 tables, 7 recorded, 2 pending, no drift  0.10 s",
        "default  nothing to repair  0.10 s",
        "default  2 migrations to apply",
        "default  1/2  auth.0001_initial  0.25 s",
        "default  2/2  auth.0002_more  0.25 s",
        "default  migrated  0.10 s",
        "default  scanned: 41 tables, 7 recorded, no drift  0.10 s",
        "default  verified  0.10 s",
        "default  done, verified in 1.5 s",
        "replica  skipped: A read-only standby of default.",
        "",
    ]


def test_drift_and_failures_say_what_to_do() -> None:
    lines = lines_of([opened("shop_db"), *drifted("shop_db", MISSING, UNCONFIRMED)])
    assert lines[-3:] == [
        "shop_db  scanned: 41 tables, 7 recorded, 1 pending, 1 incident, 1 note  0.10 s",
        "shop_db  failed: shop_db has drifted.",
        "           Mend it.",
    ]


def test_a_migration_that_fails_is_named_with_the_first_line_of_its_error() -> None:
    assert "blog_db  2/2  blog.0002_b failed: duplicate key value" in lines_of(
        [opened("blog_db"), *broken("blog_db")]
    )


def test_a_repair_is_told_from_nothing_to_repair() -> None:
    applied = ev.RepairApplied("a", "Create the index.", ("CREATE INDEX\ni",), 0.5)
    events = step("a", "repair", "scanned", "repaired", applied, scan("a", phase="repair"))
    lines = lines_of([opened("a"), *events])
    assert lines[1] == "a  repaired: Create the index.  0.50 s"
    assert lines[-1] == "a  repaired  0.10 s"
    assert "     CREATE INDEX" in lines_of([opened("a"), *events], verbosity=2)


def test_a_retry_says_so() -> None:
    applied = ev.MigrationApplied("a", key("x.0001_y"), 0.5, 3, 1.5)
    assert lines_of([applied]) == [
        "a  x.0001_y  0.50 s  (attempt 3, waited 1.5 s for locks)",
    ]


def test_verbosity_0_is_quiet() -> None:
    assert lines_of(troubled_run(), verbosity=0) == []


def test_verbosity_2_tells_more_than_1() -> None:
    more, less = lines_of(troubled_run(), 2), lines_of(troubled_run(), 1)
    assert set(less) < set(more)
    assert "default  guard writable passed: yes" in more
    assert "default  1/1  auth.0001_initial …" in more


def test_each_event_can_be_said() -> None:
    events: list[ev.Event] = [
        ev.PassStarted(2, ("a", "b")),
        ev.MigrationsWritten(("blog/migrations/0002_x.py",)),
        ev.RunNotice("The journal is in memory.", "Nothing can be resumed."),
        ev.Warned("a", "Careful.", "Look."),
        ev.PlanMade("a", (ev.PlannedStep(key("x.0001_y")),)),
        ev.RepairPlanned("a", (("One.", ()),)),
        ev.OperationApplied("a", key("x.0001_y"), 0, "Add index", "already there", 0.1),
        closed(),
    ]
    for event in events:
        assert lines_of([event], verbosity=2), event


def test_a_message_cannot_move_the_cursor() -> None:
    (line,) = lines_of([ev.Warned("a", "Clear \x1b[2J")])
    assert line == "a  warning: Clear \\x1b[2J"


def test_a_stream_that_is_gone_fails_nothing() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    closed_stream = io.StringIO()
    closed_stream.close()
    for stream in (Full(), closed_stream):
        logger = MigratorLogger(stream)
        for event in healthy_run():
            logger(event)


def test_a_stream_that_lacks_a_letter_gets_another() -> None:
    raw = io.BytesIO()
    logger = MigratorLogger(io.TextIOWrapper(raw, encoding="ascii"))
    logger(ev.Warned("a", "naïve"))
    assert raw.getvalue() == b"a  warning: na?ve\n"


def test_the_default_stream_is_standard_error_as_it_is_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    MigratorLogger()(ev.Warned("a", "Careful."))
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "a  warning: Careful.\n")


# -- live ---------------------------------------------------------------------------------------


def test_the_live_display_shows_where_each_alias_is_and_leaves_what_matters() -> None:
    progress, stream = terminal()
    with progress:
        for event in healthy_run()[:-1]:
            progress(event)
            if isinstance(event, ev.TransitionStarted | ev.MigrationApplied):
                assert progress._live is not None
                progress._live.refresh()
    text = visible(stream)
    assert "scanning" in text
    assert "2/2 auth.0002_more" in text
    assert "default  done, verified in 1.5 s\n" in text.replace("\r", "")
    assert "Run 20260131-k3f9: migrate, 2 databases\n" in text.replace("\r", "")
    assert "auth.0001_initial  0.25 s" not in text


def test_what_migrations_print_goes_above_the_live_display(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress, stream = terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    with progress:
        for event in troubled_run():
            progress(event)
            if isinstance(event, ev.MigrationStarted):
                sys.stdout.write(f"{event.migration} says hello\n")
    assert sys.stdout is stream
    assert "auth.0001_initial says hello\n" in visible(stream).replace("\r", "")


def test_a_document_on_standard_output_is_not_touched_by_the_display(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress, stream = terminal()
    document = io.StringIO()
    monkeypatch.setattr(sys, "stdout", document)
    with progress:
        for event in healthy_run():
            progress(event)
        sys.stdout.write("{}\n")
    assert document.getvalue() == "{}\n"
    assert "{}" not in stream.getvalue()


def test_the_cursor_is_given_back_also_when_the_run_dies() -> None:
    progress, stream = terminal()

    def die() -> None:
        with progress:
            for event in healthy_run()[:6]:
                progress(event)
            assert stream.getvalue().rfind("\x1b[?25h") < stream.getvalue().rfind("\x1b[?25l")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die()
    assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l")


def test_a_pause_puts_the_display_aside_and_brings_it_back() -> None:
    progress, _ = terminal()
    with progress:
        for event in healthy_run()[:4]:
            progress(event)
        live = progress._live
        assert live is not None
        with progress.pause():
            assert not live.live.is_started
            with progress.pause():
                assert not live.live.is_started
        assert live.live.is_started
    with progress.pause():
        pass
    assert not live.live.is_started


def test_the_display_makes_room_for_a_question_about_a_repair() -> None:
    progress, _ = terminal()
    with progress:
        progress(opened("a"))
        progress(ev.TransitionStarted("a", "repair", "scanned", "repaired"))
        live = progress._live
        assert live is not None
        progress(ev.RepairPlanned("a", (("One.", ()),)))
        assert not live.live.is_started
        progress(scan("a", phase="repair"))
        assert live.live.is_started
        progress(ev.RepairPlanned("a", (("Two.", ()),)))
    assert not live.live.is_started


def test_an_event_in_a_pause_does_not_bring_the_display_back() -> None:
    progress, _ = terminal()
    with progress:
        progress(opened("a"))
        progress(ev.TransitionStarted("a", "scan", "guarded", "scanned"))
        with progress.pause():
            progress(ev.Warned("a", "Careful."))
            assert progress._live is not None
            assert not progress._live.live.is_started


REPLAY: list[ev.Event] = [
    opened("a"),
    ev.TransitionStarted("a", "scan", "guarded", "scanned"),
    ev.ReplayStarted("a", "migrator_scratch_x_a", 2),
    ev.ReplayStep("a", key("blog.0001_initial"), 1, 2),
    ev.ReplayStep("a", key("blog.0002_tags"), 2, 2),
    ev.ReplayFinished("a", 1.5),
]


def test_a_replay_in_lines() -> None:
    assert lines_of(REPLAY)[1:] == ["a  replaying 2 recorded migrations …", "a  replayed  1.5 s"]
    assert "a    2/2 blog.0002_tags …" in lines_of(REPLAY, verbosity=2)
    assert lines_of([ev.ReplayFinished("a", 0.0, cached=True)]) == ["a  replay: from the journal"]


def test_a_replay_on_a_terminal() -> None:
    progress, stream = terminal()
    with progress:
        for event in REPLAY[:-1]:
            progress(event)
        assert progress._live is not None
        progress._live.refresh()
        assert "replaying blog.0002_tags" in visible(stream)
        progress(REPLAY[-1])


def test_verbosity_0_draws_nothing() -> None:
    progress, stream = terminal()
    progress.verbosity = 0
    for event in troubled_run():
        progress(event)
    assert stream.getvalue() == ""


def test_markup_in_names_is_not_interpreted() -> None:
    progress, stream = terminal()
    with progress:
        progress(opened("[red]a[/red]"))
        progress(ev.TransitionStarted("[red]a[/red]", "scan", "guarded", "scanned"))
        progress(ev.MigratingStarted("[red]a[/red]", 1))
        progress(ev.MigrationStarted("[red]a[/red]", key("x.0001_[bold]"), 1, 1, 1))
        assert progress._live is not None
        progress._live.refresh()
        progress(ev.Warned("[red]a[/red]", ":smile: [/oops]"))
    text = visible(stream)
    assert "[red]a[/red]" in text
    assert "x.0001_[bold]" in text
    assert ":smile: [/oops]" in text


def test_where_there_is_no_terminal_there_are_lines() -> None:
    stream = io.StringIO()
    progress = RichProgress(stream)
    for event in healthy_run():
        progress(event)
    assert stream.getvalue().splitlines() == lines_of(healthy_run())


def test_a_command_gets_what_suits_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert type(progress_for(io.StringIO())) is MigratorLogger
    assert type(progress_for(OutputWrapper(io.StringIO()))) is MigratorLogger
    stream = Terminal()
    progress = progress_for(OutputWrapper(stream))
    assert isinstance(progress, RichProgress)
    with progress:
        for event in healthy_run():
            progress(event)
    assert "default  done, verified in 1.5 s" in visible(stream)


# -- what is done to be safe ------------------------------------------------------------------


def test_precautions_and_waits_are_told_as_they_happen() -> None:
    said = [line.removeprefix("shop_db  ") for line in lines_of(contended("shop_db"))]
    first = said.index("findings: 1 error, 1 warning")
    assert said[first : first + 9] == [
        "findings: 1 error, 1 warning",
        "consent: deploy, by --allow-destructive: shop.0003_drop_total",
        "backing up 40.0 MB to /backups/shop_db/20260131.dump …",
        "backup: 12.3 MB in 0.40 s by pg_dump 18.0, read back whole",
        "2 migrations to apply",
        "1/2  shop.0002_total waits for a lock, 1.0 s so far",
        "           pid 4711 (app web-1, idle in transaction for 12 s)",
        "1/2  shop.0002_total: no lock within 3.0 s, again after 0.50 s",
        "1/2  shop.0002_total  0.25 s  (attempt 2, waited 3.5 s for locks)",
    ]


def test_a_long_wait_is_told_each_time_that_it_has_doubled() -> None:
    slow = key("shop.0002_total")
    waits: list[ev.Event] = [ev.LockWaiting("a", slow, float(n)) for n in range(1, 10)]
    told = lines_of([*waits, ev.LockWaiting("a", slow, 1.0)])
    assert [line.split(", ")[1] for line in told] == [
        f"{seconds:.1f} s so far" for seconds in (1, 2, 4, 8, 1)
    ]


def test_who_is_in_the_way_is_named_once_and_again_when_it_is_somebody_else() -> None:
    slow = key("shop.0002_total")
    one, other = ("session 1, nightly",), ("session 1, nightly", "session 2, report")
    told = lines_of(
        [
            ev.LockWaiting("a", slow, 1.0, one),
            ev.LockWaiting("a", slow, 2.0, one),
            ev.LockContended("a", slow, 1, 3.0, 0.5, one),
            ev.LockContended("a", slow, 2, 3.0, 0.5, other),
            ev.LockWaiting("b", slow, 1.0, one),
        ]
    )
    assert [line.strip() for line in told if "session" in line] == [
        "session 1, nightly",
        "session 1, nightly",
        "session 2, report",
        "session 1, nightly",
    ]


def test_the_test_command_has_its_lines() -> None:
    ended = ev.AcceptanceFinished("./smoke", 2, 3.0, "one failed")
    assert lines_of([ev.AcceptanceStarted("./smoke"), ended]) == [
        "Test command: ./smoke",
        "Test command failed with exit code 2 after 3.0 s",
    ]


def test_a_resume_without_a_database_left_says_so() -> None:
    lines = lines_of([ev.RunOpened("1m7x", "migrate", "verified", (), "", resumed=True)])
    assert lines == ["Run 1m7x: migrate, all databases are done, resumed"]
