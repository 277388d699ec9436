"""What the commands share: how a run's end reaches the shell."""

from __future__ import annotations

import io
from typing import Any

import pytest

from migrator.core.options import MigratorOptions
from migrator.management import running
from migrator.reports.document import Report


def test_an_interrupt_while_the_report_is_written_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run itself is over and closed by then."""

    def interrupted(*args: Any, **kwargs: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "render", interrupted)
    report = Report("1", "check", "scanned", "complete", 0, started_at="", finished_at="")
    errors = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        running.run_and_exit(
            lambda _: report,
            MigratorOptions(check=True, verbosity=0),
            style="text",
            output=None,
            stdout=io.StringIO(),
            stderr=errors,
        )
    assert caught.value.code == 130
    assert errors.getvalue().startswith("Error: Interrupted")


@pytest.mark.parametrize("outcome", ["complete", "failed"])
@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(28, "No space left on device"), ValueError("closed")]
)
def test_a_report_that_nobody_can_read_changes_nothing_about_how_the_run_ended(
    outcome: str, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise error

    code = int(outcome == "failed")
    report = Report("1", "check", "scanned", outcome, code, started_at="", finished_at="")
    ended = 0
    try:
        running.run_and_exit(
            lambda _: report,
            MigratorOptions(check=True, verbosity=0),
            style="text",
            output=None,
            stdout=Gone(),
            stderr=io.StringIO(),
        )
    except SystemExit as caught:
        ended = int(str(caught.code))
    assert ended == code
    told = capsys.readouterr().err
    assert (told == "") == isinstance(error, BrokenPipeError)
