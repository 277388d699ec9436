"""The report as workflow commands of GitHub Actions."""

from __future__ import annotations

import re

from migrator.reports import render
from migrator.reports.document import ErrorReport, refused
from migrator.reports.folding import fold
from migrator.reports.github import annotation
from tests.unit.report_events import eventful_report, healthy_run, hostile_report

COMMAND = re.compile(r"::(error|warning|notice)( [^:\n]+)?::[^\n]+")


def test_a_clean_run_is_one_notice() -> None:
    assert render(fold(healthy_run()), "github") == (
        "::notice::migrate 20260131-k3f9: complete in 4.2 s\n"
    )


def test_errors_come_first_and_the_end_last() -> None:
    lines = render(eventful_report(), "github").splitlines()
    levels = [line.split("::")[1].split()[0] for line in lines]
    assert levels[:-1] == sorted(levels[:-1], key=["error", "warning", "notice"].index)
    assert lines[-1] == "::error::repair 20260131-k3f9: failed after 4.9 s"
    assert (
        "::error file=shop/migrations/0003_drop_total.py,line=12,title=shop_db%3A DS101::"
        "shop.0003_drop_total: The column shop_order.total is dropped with what is in it. "
        "Stop using it first, and drop it one release later."
    ) in lines
    assert not any("IX101" in line for line in lines), "what is switched off is no annotation"


def test_no_text_ends_a_command_or_begins_another() -> None:
    said = annotation("error", "a\n::stop-commands::x\r\n%", title="t:,\n::", file="f,x:y", line=3)
    assert said == (
        "::error file=f%2Cx%3Ay,line=3,title=t%3A%2C%0A%3A%3A::a%0A::stop-commands::x%0A%25"
    )
    for line in render(hostile_report(), "github").splitlines():
        assert COMMAND.fullmatch(line)


def test_a_run_that_never_began_says_why() -> None:
    error = ErrorReport("UnknownAlias", "DATABASES has no alias 'x'.", "Known: default.", 2)
    first = render(refused("check", "scanned", error), "github").splitlines()[0]
    assert first == "::error title=UnknownAlias::DATABASES has no alias 'x'. Known: default."
