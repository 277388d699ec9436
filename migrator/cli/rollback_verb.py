"""`migrator rollback`: take back what a run has applied."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from journal import JournalError
from migrator.cli.options import database_option, format_option, settings_option
from migrator.cli.output import Hangup, write_out
from migrator.cli.project import set_up_project
from migrator.core.spelling import printable, spell_count
from migrator.exceptions import DecisionNeeded, MigratorError, UsageError, exit_code_of
from migrator.terminal import is_terminal

if TYPE_CHECKING:
    from migrator.core.options import MigratorOptions
    from migrator.reports.document import Report
    from migrator.returning import AliasReturn

_SHOWN = 20


@click.command(name="rollback", short_help="Take back what a run has applied.")
@click.argument("run")
@settings_option
@database_option
@click.option("--dry-run", is_flag=True, help="Show the SQL of the way back; write nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--with-later",
    is_flag=True,
    help="Take along what has been applied since and needs what is taken back.",
)
@click.option(
    "--allow-destructive",
    is_flag=True,
    help="Consent to losing the rows of what is taken back, without being asked.",
)
@click.option(
    "--accept-changed-migrations",
    is_flag=True,
    help="Go back also by files that were edited since they were applied.",
)
@click.option("--backup", is_flag=True, help="Back every database up first.")
@click.option("--no-backup", is_flag=True, help="Make no backup, whatever the setting says.")
@click.option(
    "--wait-lock",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait so long for another run on the same database.",
)
@click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long a statement waits for a lock before its migration is tried again.",
)
@click.option(
    "--lock-retries",
    type=click.IntRange(min=0),
    metavar="N",
    help="How often a migration that got no lock is tried again.",
)
@click.option(
    "-v", "--verbosity", type=click.IntRange(0, 3), default=1, help="As Django's: 0 to 3."
)
@format_option("text", "markdown", "json", "html", "junit", "github")
@click.option(
    "-o", "--output", metavar="FILE", help="Write the report there instead of to standard output."
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="[FORMAT:]FILE",
    help="Write the report there as well, in the format of the file's ending (repeatable).",
)
def rollback(
    run: str,
    settings: str | None,
    databases: tuple[str, ...],
    *,
    dry_run: bool,
    yes: bool,
    with_later: bool,
    allow_destructive: bool,
    accept_changed_migrations: bool,
    backup: bool,
    no_backup: bool,
    wait_lock: float | None,
    lock_timeout: float | None,
    lock_retries: int | None,
    verbosity: int,
    style: str,
    output: str | None,
    reports: tuple[str, ...],
) -> int:
    """Take back what RUN has applied, by the reverse of its migrations, the newest first.

    RUN is an id or any unique prefix of one. Each database is returned to the migrations that
    the run started from, journaled and resumable like any run. What cannot be reversed is
    refused before anything is touched.
    """
    if backup and no_backup:
        raise UsageError("--backup and --no-backup exclude one another.", hint="Use one of them.")
    set_up_project(settings)
    from migrator.api import Migrator
    from migrator.core.options import MigratorOptions
    from migrator.destinations import plan_destinations
    from migrator.progress import progress_for
    from migrator.prompts import InteractivePrompter
    from migrator.reports import render

    destinations = plan_destinations(style, output, reports)
    for destination in destinations:
        destination.prepare()
    options = MigratorOptions(
        dry_run=dry_run,
        interactive=is_terminal(sys.stdin),
        verbosity=verbosity,
        databases=databases,
        wait_lock=wait_lock,
        backup="always" if backup else "never" if no_backup else None,
        allow_destructive=allow_destructive,
        accept_changed_migrations=accept_changed_migrations,
        lock_timeout=lock_timeout,
        lock_retries=lock_retries,
        with_later=with_later,
    )
    log = progress_for(sys.stderr, verbosity=verbosity)
    granted = ("--allow-destructive",) if allow_destructive else ()
    prompter = InteractivePrompter(granted, pause=log.pause)
    migrator = Migrator(options, prompter=prompter, listeners=(log,))

    def confirm(found: tuple[AliasReturn, ...]) -> None:
        if not yes:
            with log.pause():
                _ask(found)

    try:
        with log, contextlib.redirect_stdout(sys.stderr):
            report = migrator.rollback(run, confirm=confirm)
    except (MigratorError, JournalError, KeyboardInterrupt) as error:
        nothing = _refusal(options, error)
        for destination in destinations:
            if destination.style != "text":  # a person reads it on standard error
                text = render(nothing, destination.style)
                destination.deliver(text, _print, _say_aside)
        raise
    for destination in reversed(destinations):  # standard output last: it may be closed
        shown = destination.path is None
        text = render(
            report,
            destination.style,
            terminal=shown and is_terminal(sys.stdout),
            # Nobody who reads the file has seen each migration go by.
            verbosity=verbosity if shown else max(verbosity, 2),
        )
        destination.deliver(text, _print, _say_aside)
    return report.exit_code


def _print(text: str) -> None:
    """To standard output; what becomes of it changes nothing about how the run ended."""
    try:
        write_out(text.rstrip("\n") + "\n")
    except Hangup:  # nobody reads it any more
        pass
    except MigratorError as error:
        _say_aside(error.message)


def _say_aside(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        click.echo(text, err=True)


def _refusal(options: MigratorOptions, error: BaseException) -> Report:
    """What a program that reads the document gets when no run was opened."""
    from migrator.reports.document import ErrorReport, refused

    shown = ErrorReport(
        type(error).__name__,
        getattr(error, "message", "") or str(error),
        getattr(error, "hint", ""),
        int(exit_code_of(error)),
    )
    return refused("dry-run" if options.dry_run else "rollback", options.goal.value, shown)


def _ask(found: tuple[AliasReturn, ...]) -> None:
    """Show what would go, and ask.

    Raises:
        DecisionNeeded: Nobody can be asked, or the answer was no.
    """
    count = sum(len(each.steps) for each in found)
    where = spell_count(len(found), "database")
    question = f"Take back {spell_count(count, 'migration')} on {where}"
    if not is_terminal(sys.stdin):
        raise DecisionNeeded(
            f"{question}? Nobody can be asked, and nothing was touched.",
            hint="Give --yes to go ahead, or --dry-run to see the SQL.",
        )
    for each in found:
        click.echo(f"{printable(each.alias)}:", err=True)
        for step in each.steps[:_SHOWN]:
            notes = [
                note
                for note, given in (("only its row", step.forget), ("of a later run", step.later))
                if given
            ]
            more = f"  ({', '.join(notes)})" if notes else ""
            click.echo(f"  {printable(str(step.migration))}{more}", err=True)
        if each.steps[_SHOWN:]:
            click.echo(f"  and {len(each.steps) - _SHOWN} more", err=True)
        for finding in each.findings:
            click.echo(f"  Loses data: {printable(finding.message)}", err=True)
    if not click.confirm(f"{question}?", err=True):
        raise DecisionNeeded("Nothing was taken back.", hint="--dry-run shows the SQL.")
