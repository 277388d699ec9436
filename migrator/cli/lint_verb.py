"""`migrator lint`: what migrations would lock, break, lose or fail on."""

from __future__ import annotations

import contextlib
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.options import database_option, format_option, settings_option
from migrator.cli.output import opened_output
from migrator.cli.project import set_up_project
from migrator.exceptions import ExitCode, UsageError
from migrator.terminal import is_terminal

if TYPE_CHECKING:
    from migrator.core.review import Review


@click.command(name="lint", short_help="Say what migrations lock, break, lose or fail on.")
@click.argument("labels", nargs=-1, metavar="[APP[.NAME]]...")
@settings_option
@database_option
@click.option(
    "--since",
    metavar="GIT_REF",
    help="Only migrations that were added or changed since this git ref, pending or not.",
)
@click.option("--all", "everything", is_flag=True, help="Every migration, pending or not.")
@click.option(
    "--no-database", is_flag=True, help="Ask no database; what depends on its rows is a warning."
)
@click.option("--third-party", is_flag=True, help="Migrations of installed packages as well.")
@click.option(
    "--fail-on",
    type=click.Choice(("error", "warning")),
    default="error",
    show_default=True,
    help="From which severity on to exit 1.",
)
@format_option("text", "json", "github", "sarif", "junit")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
def lint(
    labels: tuple[str, ...],
    settings: str | None,
    databases: tuple[str, ...],
    since: str | None,
    everything: bool,
    no_database: bool,
    third_party: bool,
    fail_on: str,
    style: str,
    output: Path | None,
) -> int:
    """Say what migrations would lock, write anew, break, lose or fail on, and what to do instead.

    Without an option, the pending migrations of each database are judged with what is in it. Only
    reads. Every code is explained in docs/reference/lint.md.

    \b
    Exit codes: 0 nothing as bad as --fail-on, 1 something is, or a database could not be
    judged, 2 usage.
    """
    if since is not None and everything:
        raise UsageError("--since and --all exclude one another.")
    if since is not None and not since.strip():
        raise UsageError("--since needs a git ref.", hint="For example --since origin/main.")
    configuration = set_up_project(settings)
    from migrator.core.findings import Severity
    from migrator.reviewing import Subject, review

    subject = Subject(
        databases=databases,
        labels=labels,
        since=since or "",
        everything=everything,
        live=not no_database,
        third_party=third_party,
    )
    with contextlib.redirect_stdout(sys.stderr):  # whatever a migration module prints
        found = review(subject, configuration)
    limit = Severity(fail_on)
    with opened_output(output) as write:
        write(_rendered(found, style, limit, output is None))
    return ExitCode.FAILED if found.fails(limit) else ExitCode.CLEAN


def _rendered(review: Review, style: str, fail_on: str, to_screen: bool) -> str:
    from migrator.core.findings import Severity

    if style == "json":
        from migrator.reports.lint_json import LintJsonFormatter

        return LintJsonFormatter().render(review)
    if style == "github":
        from migrator.reports.lint_github import LintGithubFormatter

        return LintGithubFormatter().render(review)
    if style == "sarif":
        from migrator.reports.lint_sarif import LintSarifFormatter

        return LintSarifFormatter(_version()).render(review)
    if style == "junit":
        from migrator.reports.lint_junit import LintJunitFormatter

        return LintJunitFormatter(Severity(fail_on)).render(review)
    from migrator.reports.lint_text import LintTextFormatter
    from migrator.reports.page import wants_color

    terminal = to_screen and is_terminal(sys.stdout)
    color = terminal and wants_color()
    width = shutil.get_terminal_size((100, 24)).columns if terminal else None
    return LintTextFormatter(color=color, width=width).render(review)


def _version() -> str:
    try:
        return version("django-migrator-journal")
    except PackageNotFoundError:
        return ""
