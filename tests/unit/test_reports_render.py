"""What a person or a program reads of a report."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from migrator.core import events as ev
from migrator.core.incidents import Code, Evidence, Incident, ObjectRef
from migrator.core.live import TableSize
from migrator.core.plan import TableLock
from migrator.core.schema import Check
from migrator.core.spelling import printable, spell_seconds
from migrator.core.wording import describe
from migrator.reports import render
from migrator.reports.advice import next_steps
from migrator.reports.folding import fold
from migrator.reports.jsonreport import report_document
from migrator.reports.markdown import MarkdownReportFormatter, prose
from migrator.reports.text import TextReportFormatter
from tests.unit.report_events import (
    ERROR,
    MISSING,
    RUN,
    UNCONFIRMED,
    WIDER,
    broken,
    closed,
    drifted,
    eventful_report,
    healthy_run,
    key,
    migrated,
    opened,
    scan,
    step,
    troubled_run,
)


def text_of(events: list[ev.Event], **options: int | None) -> str:
    return TextReportFormatter(**options).render(fold(events))  # type: ignore[arg-type]


# -- text ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "coloured"),
    [("NO_COLOR", "1", False), ("NO_COLOR", "", True), ("TERM", "dumb", False)],
)
def test_the_environment_may_forbid_colours(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)
    report = fold(healthy_run())
    assert ("\x1b[" in render(report, "text", terminal=True)) == coloured
    assert "\x1b[" in render(report, "text", terminal=True, color=True)
    assert "\x1b[" not in render(report, "text")


def test_text_says_how_it_ended_and_where_each_alias_stands() -> None:
    assert text_of(healthy_run()).splitlines() == [
        f"migrate {RUN}  complete in 4.2 s",
        "",
        "  default  verified  PostgreSQL 18.0  2 migrations applied, 1.5 s",
        "  replica  skipped                    A read-only standby of default.",
        "",
        f"Way back  migrator rollback {RUN}",
    ]


def test_the_way_back_is_one_that_leads_back() -> None:
    def way_back(*, backup: bool) -> str:
        events = [
            replace(event, reversible=False) if isinstance(event, ev.MigrationApplied) else event
            for event in healthy_run()
        ]
        if backup:
            events.insert(2, ev.BackupMade("default", "d.dump", 10, "0" * 64, 0.1))
        return fold(events).rollback_command

    assert fold(healthy_run()).rollback_command == f"migrator rollback {RUN}"
    assert way_back(backup=True) == f"migrator restore {RUN} --database default"
    assert way_back(backup=False) == ""


def test_text_lists_incidents_by_table_with_both_sides_the_hint_and_the_sql() -> None:
    lines = text_of(troubled_run()).splitlines()
    start = lines.index("  table shop_order")

    assert lines[start + 1 : start + 6] == [
        "    DR101  recorded_missing  column total  shop.0002_total",
        "      " + MISSING.message,
        "      expected  numeric(10, 2) NOT NULL    live  nothing",
        "      hint      " + MISSING.hint,
        "      sql       " + MISSING.sql[0],
    ]


def test_text_puts_what_is_wrong_before_what_is_well() -> None:
    text = text_of(troubled_run())
    sections = [line.split()[0] for line in text.splitlines() if line[:1].isalpha()]
    assert sections == ["migrate", "blog_db", "shop_db", "Next", "Way"]
    assert text.index("DR101") < text.index("DR104") < text.index("DR108")


def test_text_tells_notes_from_incidents_and_shows_each_hint_once() -> None:
    other = ObjectRef("index", "shop_order", "other_idx")
    twin = Incident(
        Code.EXTRA, False, Evidence.UNCONFIRMED, other, hint="A snapshot would confirm it."
    )
    first = Incident(
        Code.EXTRA, False, Evidence.UNCONFIRMED, other, hint="A snapshot would confirm it."
    )
    text = text_of([opened("shop_db"), *drifted("shop_db", MISSING, twin, first)])
    assert "2 notes, which stop nothing" in text
    assert text.count("A snapshot would confirm it.") == 1
    assert text.count("(unconfirmed)") == 2


def test_text_says_what_is_there_and_what_is_missing_of_a_half_applied_migration() -> None:
    text = text_of(troubled_run())
    assert "there     table shop_tag" in text
    assert "missing   column shop_order.tag_id" in text


def test_plain_text_has_no_terminal_codes_and_colour_changes_no_word() -> None:
    report = fold(troubled_run())
    plain = TextReportFormatter(width=100).render(report)
    coloured = TextReportFormatter(width=100, color=True).render(report)

    assert "\x1b" not in plain
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_text_wraps_sentences_and_never_sql() -> None:
    lines = text_of(troubled_run(), width=60).splitlines()
    assert any(MISSING.sql[0] in line for line in lines)
    sentences = [line for line in lines if "sql" not in line and "migrate_all" not in line]
    assert max(len(line) for line in sentences if "DR1" not in line) <= 60
    assert all(line == line.rstrip() for line in lines)


def test_names_cannot_move_the_cursor_of_the_terminal() -> None:
    evil = Incident(
        Code.EXTRA,
        True,
        Evidence.STATE,
        ObjectRef("table", "x\x1b[2Jy", "x\x1b[2Jy"),
        message="Clear\x1b[2J\rscreen",
    )
    text = text_of([opened("shop_db"), *drifted("shop_db", evil)])
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\\x1b[2J" in text


def test_markup_of_the_terminal_library_is_not_interpreted() -> None:
    events = [opened("a"), ev.AliasFailed("a", "X", "Column [red]name[/red] :smile:.", "", 1)]
    coloured = TextReportFormatter(color=True).render(fold(events))
    assert "Column [red]name[/red] :smile:." in coloured


def test_a_dry_run_shows_each_step_with_its_sql_and_what_cannot_be_shown() -> None:
    steps = (
        ev.PlannedStep(
            key("a.0001_x"),
            ("-- Alter field", "ALTER TABLE a …;"),
            locks=(
                TableLock("a", "ACCESS EXCLUSIVE", "reads and writes"),
                TableLock("b", "SHARE", "writes"),
            ),
            rewrites=("a",),
            sizes=(("a", TableSize(1_234_567, 340_000_000)), ("b", TableSize(0, 8192))),
        ),
        ev.PlannedStep(key("a.0002_data"), (), ("Raw Python operation",)),
        ev.PlannedStep(key("a.0003_state")),
    )
    text = text_of(
        [
            opened("default", kind="dry-run", goal="scanned"),
            *step("default", "scan", "guarded", "scanned", scan("default", pending=("a.0001_x",))),
            ev.PlanMade("default", steps),
            ev.AliasFinished("default", "scanned", 0.1),
            closed(),
        ]
    )
    assert (
        "    1  a.0001_x   ACCESS EXCLUSIVE on a (1.2 M rows, 340 MB), rewrites it, "
        "reads and writes wait\n"
        "                  SHARE on b (empty), writes wait\n"
        "       -- Alter field\n       ALTER TABLE a …;\n\n"
        "    2  a.0002_data\n       Raw Python operation (its effect cannot be shown)\n\n"
        "    3  a.0003_state   no SQL\n"
    ) in text


def test_a_check_that_found_drift_says_so() -> None:
    events = [
        opened("a", "b", kind="check", goal="scanned"),
        *step("a", "scan", "guarded", "scanned", scan("a", MISSING)),
        ev.AliasFinished("a", "scanned", 0.1),
        *step("b", "scan", "guarded", "scanned", scan("b")),
        ev.AliasFinished("b", "scanned", 0.1),
        closed("failed", 1),
    ]
    lines = text_of(events).splitlines()
    assert lines[0] == f"check {RUN}  drift found in 4.2 s"
    assert lines[2] == "  a  drifted  1 incident, 0.10 s"
    assert lines[3] == "  b  scanned  nothing pending, 0.10 s"


def test_an_alias_with_nothing_but_notes_has_nothing_to_do() -> None:
    events = migrated("a")
    events.insert(-2, scan("a", UNCONFIRMED, phase="verify"))
    lines = text_of([opened("a"), *events, closed()]).splitlines()
    assert lines[2] == "  a  verified  PostgreSQL 18.0  nothing to do, 1 note, 1.5 s"


def test_verbosity_two_lists_what_was_applied() -> None:
    assert "auth.0001_initial" not in text_of(healthy_run())
    assert "    auth.0001_initial  0.25 s" in text_of(healthy_run(), verbosity=2)


def test_a_repair_that_was_not_made_is_told_from_one_that_was() -> None:
    text = text_of(
        [
            opened("a", kind="repair"),
            ev.RepairPlanned("a", (("Create one.", ("C1",)), ("Create two.", ("C2",)))),
            ev.RepairApplied("a", "Create one.", ("C1",), 0.1),
            ev.AliasFailed("a", "RepairFailed", "No.", "", 1),
        ]
    )
    made, planned = text.split("Repair planned, not made")
    assert "Create one." in made
    assert "Create two." not in made
    assert "Create two." in planned
    assert "Create one." not in planned


def test_where_there_was_nothing_to_do_the_reason_is_all_that_is_said() -> None:
    events: list[ev.Event] = [
        ev.RunNotice("Nothing to roll back: run 1m7x applied nothing."),
        ev.RunClosed("", "complete", 0, "2026-01-31T10:00:00+00:00"),
    ]
    assert text_of(events) == "Nothing to roll back: run 1m7x applied nothing.\n"


def test_the_report_of_an_empty_stream_renders() -> None:
    assert text_of([]) == "run  interrupted\n"


# -- what to do next --------------------------------------------------------------------


def commands(events: list[ev.Event]) -> list[str]:
    return [step.command for step in next_steps(fold(events)) if step.command]


def test_nothing_is_to_be_done_after_a_clean_run() -> None:
    assert next_steps(fold(healthy_run())) == ()


def test_drift_is_to_be_repaired_on_the_aliases_that_have_it() -> None:
    events = [opened("a", "shop_db"), *drifted("shop_db", MISSING), closed("failed", 1)]
    assert commands(events)[0] == "python manage.py migrate_all --repair --database shop_db"


def test_what_no_repair_touches_is_to_be_mended_by_hand() -> None:
    steps = next_steps(fold([opened("shop_db"), *drifted("shop_db", WIDER), closed("failed", 1)]))
    assert steps[0].why == "Mend DR104 by hand, as their hints say."
    assert [step.command for step in steps] == ["", "python manage.py migrate_all --check"]


def test_a_repair_comes_after_what_has_to_be_done_by_hand() -> None:
    events = [opened("shop_db"), *drifted("shop_db", WIDER, MISSING), closed("failed", 1)]
    first, second = next_steps(fold(events))
    assert "DR104 by hand" in first.why
    assert second.command == "python manage.py migrate_all --repair"


def test_the_next_step_keeps_to_the_databases_and_apps_of_the_run() -> None:
    chosen = replace(opened("shop_db"), selection=("--database", "shop_db"))
    events = [chosen, *drifted("shop_db", MISSING), closed("failed", 1)]
    assert commands(events) == ["python manage.py migrate_all --repair --database shop_db"]
    events[0] = replace(chosen, selection=("--app", "shop"))
    assert commands(events) == ["python manage.py migrator --repair --app shop"]


def test_a_decision_is_to_be_given_with_the_resume() -> None:
    failed = ev.AliasFailed("a", "DecisionNeeded", "a: decide.", "Give --x.", 3)
    (step,) = next_steps(fold([opened("a"), failed, closed("failed", 3)]))
    assert "decision" in step.why
    assert step.command.endswith(f"--resume {RUN}")


def test_a_failed_run_is_to_be_resumed_by_its_id() -> None:
    events = [opened("blog_db"), *broken("blog_db"), closed("failed", 1)]
    assert commands(events) == [f"python manage.py migrate_all --resume {RUN}"]


def test_an_interrupted_run_is_to_be_resumed() -> None:
    assert commands(healthy_run()[:9]) == [f"python manage.py migrate_all --resume {RUN}"]


def test_a_repair_that_was_interrupted_is_to_be_resumed() -> None:
    events = [
        opened("a", kind="repair"),
        *step("a", "scan", "guarded", "scanned", scan("a", MISSING)),
        ev.TransitionStarted("a", "repair", "scanned", "repaired"),
        closed("interrupted", 130),
    ]
    assert commands(events) == [f"python manage.py migrate_all --resume {RUN}"]


def test_an_interrupted_check_is_to_be_repeated_since_it_cannot_be_resumed() -> None:
    assert commands([opened("a", kind="check", goal="scanned")]) == [
        "python manage.py migrate_all --check"
    ]


def test_pending_migrations_after_a_check_are_to_be_applied() -> None:
    events = [
        opened("a", kind="check", goal="scanned"),
        *step("a", "scan", "guarded", "scanned", scan("a", pending=("x.0001_a",))),
        ev.AliasFinished("a", "scanned", 0.1),
        closed(),
    ]
    assert commands(events) == ["python manage.py migrate_all"]
    assert [advice.why for advice in next_steps(fold(events))] == ["Apply what is pending:"]
    unsafe = [*events[:-2], ev.FindingsMade("a", (ERROR,)), *events[-2:]]
    (advice,) = next_steps(fold(unsafe))
    assert advice.why == "Once the errors are dealt with, apply what is pending:"


# -- Markdown ---------------------------------------------------------------------------


def test_markdown_has_a_row_for_each_alias_and_the_sql_in_a_block() -> None:
    text = MarkdownReportFormatter().render(fold(troubled_run()))

    assert text.startswith(f"# migrate `{RUN}`: failed after 4.2 s\n")
    assert "| `default` | verified | PostgreSQL 18.0 |" in text
    assert f"\n```sql\n{MISSING.sql[0]}\n```\n" in text
    assert "python manage.py migrate_all --repair --database shop_db" in text


def test_markdown_survives_bars_and_backticks_in_names() -> None:
    odd = Incident(
        Code.EXTRA, True, Evidence.STATE, ObjectRef("table", "a|b`c", "a|b`c"), "x|y", "<script>"
    )
    text = MarkdownReportFormatter().render(fold([opened("a"), *drifted("a", odd)]))
    row = next(line for line in text.splitlines() if line.startswith("| DR108"))
    assert row == r"| DR108 | extra | ``table a\|b`c`` | `x\|y` | `<script>` |"


def test_markdown_fences_hold_text_that_has_fences() -> None:
    odd = Incident(Code.EXTRA, True, Evidence.STATE, ObjectRef("table", "a"), sql=("```\nx\n```",))
    text = MarkdownReportFormatter().render(fold([opened("a"), *drifted("a", odd)]))
    assert "\n````sql\n```\nx\n```\n````\n" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("blog_db is *fine*", r"blog_db is \*fine\*"),
        ("_private", r"\_private"),
        ("run `migrate_all` <now>", r"run `migrate_all` \<now\>"),
    ],
)
def test_markdown_escapes_what_it_would_take_as_markup(text: str, expected: str) -> None:
    assert prose(text) == expected


# -- JSON -------------------------------------------------------------------------------


def test_json_has_the_documented_shape() -> None:
    document = json.loads(render(fold(troubled_run()), "json"))

    assert document["format"] == 1
    documented = {
        "format",
        "run_id",
        "kind",
        "outcome",
        "exit_code",
        "started_at",
        "finished_at",
        "databases",
    }
    assert documented <= document.keys()
    databases = {database["alias"]: database for database in document["databases"]}
    documented = {
        "alias",
        "vendor",
        "state",
        "outcome",
        "skipped",
        "error",
        "incidents",
        "repairs",
        "pending",
        "plan",
        "findings",
        "applied",
        "backup",
    }
    assert all(documented <= database.keys() for database in databases.values())
    assert databases["blog_db"]["error"] == {
        "type": "MigrationFailed",
        "message": "blog.0002_b failed on blog_db.",
        "hint": "Mend it.",
    }
    assert databases["default"]["error"] is None
    assert databases["blog_db"]["pending"] == [{"app": "blog", "name": "0002_b"}]
    applied = databases["default"]["applied"][0]
    assert {"app", "name", "seconds", "lock_wait_seconds", "attempt"} <= applied.keys()
    assert MISSING.to_dict() in databases["shop_db"]["incidents"]


def test_json_of_a_run_that_nobody_closed_says_so() -> None:
    document = report_document(fold(healthy_run()[:5]))
    assert document["finished_at"] is None
    assert document["seconds"] is None
    assert document["all_clean"] is False


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="yaml"):
        render(fold([]), "yaml")


# -- wording ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [
        (-1.0, "0.00 s"),
        (0.004, "0.00 s"),
        (0.994, "0.99 s"),
        (0.996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (65.0, "1 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7380.0, "2 h 03 min"),
    ],
)
def test_durations_are_spelled_for_people(seconds: float, spelled: str) -> None:
    assert spell_seconds(seconds) == spelled


def test_a_check_that_only_the_server_can_spell_is_not_shown_as_an_empty_one() -> None:
    assert describe(Check("age_ok", expression="")) == "CHECK (…)"
    assert describe(Check("age_ok", expression="age > 0")) == "CHECK (age > 0)"


def test_printable_keeps_text_and_spells_control_characters() -> None:
    assert printable("naïve 表\n\tx\r\ny\x07\x9b") == "naïve 表\n\tx\ny\\x07\\x9b"


# -- what was done to be safe -----------------------------------------------------------------


def test_text_and_markdown_tell_findings_consent_backup_waits_and_tests() -> None:
    report = eventful_report()
    for style in ("text", "markdown"):
        said = render(report, style)
        for text in (
            "DS101",
            "The column shop_order.total is dropped with what is in it.",
            "The table is small.",
            "deploy, by --allow-destructive: shop.0003_drop_total",
            "/backups/shop_db/20260131.dump",
            "12.3 MB in 0.40 s by pg_dump 18.0, read back whole",
            "no lock within 3.0 s, again after 0.50 s",
            "pid 4711 (app web-1, idle in transaction for 12 s)",
            "failed with exit code 1 after 2.5 s",
            "1 failed, 11 passed",
            "migrator rollback 20260131-k3f9",
        ):
            assert text in said, (style, text)
        assert said.index("DS101") < said.index("LK101") < said.index("IX101")


def test_the_text_report_names_who_is_in_the_way_once() -> None:
    slow, session = key("shop.0002_total"), "session 4711, nightly"
    waits = [ev.LockContended("a", slow, n, 3.0, 0.5, (session,)) for n in (1, 2)]
    failed = ev.AliasFailed("a", "LockTimedOut", f"It got no lock. In the way: {session}.", "", 1)
    for events, labels in (([*waits], 2), ([*waits, failed], 2)):
        text = TextReportFormatter().render(fold([opened("a"), *events, closed("failed", 1)]))
        assert text.count("waited") == labels
        assert text.count(session) == 1


def test_json_tells_findings_consent_backup_waits_and_tests() -> None:
    document = json.loads(render(eventful_report(), "json"))
    database = next(d for d in document["databases"] if d["alias"] == "shop_db")
    assert [found["code"] for found in database["findings"]] == ["DS101", "LK101", "IX101"]
    assert database["consent"]["how"] == "--allow-destructive"
    assert database["backup"] == {
        "path": "/backups/shop_db/20260131.dump",
        "bytes": 12_300_000,
        "digest": "ab" * 32,
        "seconds": 0.4,
        "tool": "pg_dump 18.0",
        "removed": [],
    }
    assert database["contended"] == [
        {
            "app": "shop",
            "name": "0002_total",
            "attempt": 1,
            "waited": 3.0,
            "pause": 0.5,
            "blockers": ["pid 4711 (app web-1, idle in transaction for 12 s)"],
        }
    ]
    assert document["acceptance"]["exit_code"] == 1


def test_after_a_test_command_that_failed_the_run_can_be_finished() -> None:
    ended = ev.AcceptanceFinished("./smoke", 2, 3.0, "one failed")
    report = fold([opened("a"), *migrated("a", "a.0001_x"), ended, closed("failed", 1)])
    assert [step.command for step in next_steps(report)] == [
        "python manage.py migrate_all --resume 20260131-k3f9"
    ]
