"""What a person reads of the journal, from the documents of `migrator journal`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from migrator.reports.chronicle import advice_for, detail_of, facts_of, spell_targets, steps_of
from migrator.reports.journal_markdown import MarkdownJournalFormatter
from migrator.reports.journal_text import TextJournalFormatter


def entry(seq: int, kind: str, name: str, phase: str, **more: Any) -> dict[str, Any]:
    return {
        "alias": "default",
        "seq": seq,
        "epoch": 1,
        "kind": kind,
        "name": name,
        "attempt": 1,
        "phase": phase,
        "at": f"2026-01-31T10:00:{seq:02d}.250000+00:00",
        "seconds": None,
        "payload": {},
        **more,
    }


def run(**more: Any) -> dict[str, Any]:
    return {
        "id": "1m7x",
        "kind": "migrate",
        "goal": "verified",
        "status": "failed",
        "opened_at": "2026-01-31T12:00:00+02:00",
        "closed_at": "2026-01-31T10:01:05+00:00",
        "targets": [],
        **more,
    }


def target(alias: str, status: str, **more: Any) -> dict[str, Any]:
    return {"alias": alias, "status": status, "state": "scanned", "reason": "", **more}


ENTRIES = [
    entry(1, "claim", "claim", "done"),
    entry(2, "transition", "migrate", "intent", payload={"source": "repaired", "dest": "migrated"}),
    entry(3, "migration", "a.0001_x", "intent", payload={"checksum": "ab", "atomic": True}),
    entry(4, "migration", "a.0001_x", "failed", payload={"error": "lock timeout"}),
    entry(5, "migration", "a.0001_x", "intent", attempt=2, payload={"replaces": ["a.0001_y"]}),
    entry(6, "migration", "a.0001_x", "done", attempt=2, seconds=0.5, payload={"how": "applied"}),
    entry(7, "migration", "a.0002_z", "intent"),
]


def test_an_intent_and_its_outcome_are_one_step() -> None:
    steps = steps_of(ENTRIES)
    assert [(s.numbers, s.title, s.phase, s.seconds) for s in steps] == [
        ("1", "epoch 1", "done", None),
        ("2", "migrate", "intent", None),
        ("3-4", "a.0001_x", "failed", None),
        ("5-6", "a.0001_x", "done", 0.5),
        ("7", "a.0002_z", "intent", None),
    ]


def test_a_step_says_what_is_out_of_the_ordinary_and_nothing_else() -> None:
    assert [detail_of(step) for step in steps_of(ENTRIES)] == [
        "",
        "repaired → migrated",
        "lock timeout",
        "attempt 2, replaces (1)",
        "",
    ]


@pytest.mark.parametrize("value", [["x"], {"a": 1}, ("x",), "text", 7, True, None, "long" * 40])
def test_any_payload_can_be_shown(value: Any) -> None:
    steps = steps_of([entry(1, "decision", "x", "done", payload={"anything_there": value})])
    assert "x" * 100 not in detail_of(steps[0])
    text = TextJournalFormatter().render_show(
        {"run": run(options={"anything": value}), "targets": [], "entries": ENTRIES}
    )
    assert text.startswith("migrate 1m7x  failed\n")


def test_show_says_who_when_and_with_what() -> None:
    actor = {
        "user": "deploy",
        "host": "web-1",
        "pid": 7,
        "argv": ["manage.py", "migrate_all"],
        "python": "3.12.1",
        "versions": {"Django": "5.2"},
    }
    options = {
        "repair": True,
        "databases": ["a", "b"],
        "verbosity": 1,
        "apps": [],
        "files": {"x": "1"},
    }
    assert facts_of(run(actor=actor, options=options)) == [
        ("opened", "2026-01-31 10:00:00 UTC"),
        ("closed", "2026-01-31 10:01:05 UTC (1 min 05 s)"),
        ("by", "deploy@web-1, pid 7"),
        ("command", "manage.py migrate_all"),
        ("options", "repair, databases a b, files (1)"),
        ("software", "Python 3.12.1, Django 5.2"),
    ]


def test_many_targets_are_counted_and_only_the_bad_ones_named() -> None:
    targets = [target(f"t{n}", "done") for n in range(300)]
    targets += [target("s", "skipped"), *(target(f"f{n}", "failed") for n in range(6))]
    assert spell_targets(targets) == "300 done, 1 skipped, failed: f0, f1, f2, f3 and 2 more"


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"status": "failed"}, "python manage.py migrate_all --resume 1m7x"),
        ({"status": "interrupted"}, "python manage.py migrate_all --resume 1m7x"),
        ({"status": "open"}, "python manage.py migrate_all --resume 1m7x"),
        ({"goal": "scanned", "kind": "check"}, "python manage.py migrate_all --check"),
        ({"goal": "scanned", "kind": "dry-run"}, "python manage.py migrate_all --dry-run"),
        (
            {"kind": "backup", "status": "failed", "options": {"databases": ["shop_db"]}},
            "migrator backup --database shop_db",
        ),
        ({"kind": "backup", "status": "open", "options": {"databases": []}}, "migrator backup"),
        (
            {"kind": "restore", "status": "failed", "options": {"run": "1m7w"}},
            "migrator restore 1m7w",
        ),
    ],
)
def test_each_incomplete_run_has_a_command_that_goes_on(
    changes: dict[str, Any], command: str
) -> None:
    assert advice_for(run(**changes)).command == command


def test_a_superseded_run_needs_nothing() -> None:
    document = {"run": run(superseded=True), "targets": [], "entries": []}
    assert "Next" not in TextJournalFormatter().render_show(document)
    assert "Next" not in MarkdownJournalFormatter().render_show(document)


def test_colour_changes_no_word() -> None:
    document = {"run": run(), "targets": [target("a", "failed")], "entries": ENTRIES}
    plain = TextJournalFormatter().render_show(document)
    coloured = TextJournalFormatter(color=True).render_show(document)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_no_line_is_wider_than_the_terminal_but_the_names_allow_it() -> None:
    reason = "blog.0002_b failed because of a long, long story that no terminal has room for. " * 2
    document = {"run": run(), "targets": [target("a", "failed", reason=reason)], "entries": []}
    lines = TextJournalFormatter(width=70).render_show(document).splitlines()
    assert max(map(len, lines)) <= 70
    assert " ".join(" ".join(lines).split()).count("no terminal has room for.") == 2


def test_what_the_journal_holds_cannot_move_the_cursor() -> None:
    entries = [entry(1, "migration", "a.\x1b[2J", "failed", payload={"error": "x\x1b[2J\n\ny"})]
    document = {"run": run(), "targets": [], "entries": entries}
    assert "\x1b" not in TextJournalFormatter().render_show(document)
    assert "\x1b" not in MarkdownJournalFormatter().render_show(document)


def test_a_break_is_named_by_run_alias_and_entry() -> None:
    breaks = [
        {"run_id": "1m7x", "alias": "default", "seq": 3, "problem": "It was edited."},
        {"run_id": "1m7y", "alias": "", "seq": 0, "problem": "Its seal does not match."},
    ]
    document = {"breaks": breaks, "checked": 5}
    assert TextJournalFormatter().render_verify(document).splitlines() == [
        "The journal was altered: 2 runs of 5 runs broken.",
        "",
        "  1m7x  default #3  It was edited.",
        "  1m7y              Its seal does not match.",
    ]
    assert (
        "| `1m7x` | `default` | 3 | It was edited. |"
        in MarkdownJournalFormatter().render_verify(document)
    )


STEPWISE = [
    entry(1, "claim", "claim", "done", payload={"actor": {"user": "deploy", "host": "web-1"}}),
    entry(2, "operation", "a.0001_x:0", "intent", payload={"description": "Add field b"}),
    entry(
        3,
        "statement",
        "a.0001_x:0",
        "intent",
        attempt=2,
        payload={"sql": "ALTER TABLE a DROP b", "lookups": [[]]},
    ),
    entry(4, "operation", "a.0001_x:0", "done", seconds=0.1),
]


def test_a_statement_of_an_operation_is_one_line_and_no_open_end() -> None:
    document = {"run": run(status="complete"), "targets": [], "entries": STEPWISE}
    text = TextJournalFormatter(width=None).render_show(document)
    lines = [re.sub(r" {2,}", "  ", line).strip() for line in text.splitlines()]
    assert "3  10:00:03.250  statement  begun  a.0001_x:0  statement 2" in lines
    assert "ALTER TABLE a DROP b" in lines
    assert "no outcome" not in text


def test_a_claim_says_who_made_it() -> None:
    assert detail_of(steps_of(STEPWISE)[0]) == "by deploy@web-1"
