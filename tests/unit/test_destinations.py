"""Where reports go."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.destinations import Destination, plan_destinations
from migrator.exceptions import UsageError


def test_the_ending_of_a_file_says_its_format_unless_it_is_named() -> None:
    reports = ["a.html", "b.XML", "c.md", "github:d", "markdown:/x/e.html"]
    assert plan_destinations("text", None, reports) == (
        Destination("text"),
        Destination("html", Path("a.html")),
        Destination("junit", Path("b.XML")),
        Destination("markdown", Path("c.md")),
        Destination("github", Path("d")),
        Destination("markdown", Path("/x/e.html")),
    )


@pytest.mark.parametrize("report", ["report", "report.pdf", "html:", "pdf:report", "c:\\report"])
def test_a_file_whose_format_is_unknown_is_refused(report: str) -> None:
    with pytest.raises(UsageError, match="which report"):
        plan_destinations("text", None, [report])


def test_two_reports_in_one_file_are_refused() -> None:
    with pytest.raises(UsageError, match="Two reports"):
        plan_destinations("json", "a.json", ["a.json"])


def test_a_file_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        Destination("html", tmp_path / "missing" / "report.html").prepare()


def test_what_an_earlier_run_reported_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("of yesterday")
    Destination("html", path).prepare()
    assert path.read_text() == ""
