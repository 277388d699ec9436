"""The `migrator` command: parse, call, render, exit code. The only importer of click.

Each group of verbs is a module. Nothing of Django is imported before a settings module is
really asked for.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from journal import JournalError
from journal.scrub import scrub_text
from migrator.cli.journal_verbs import journal_group
from migrator.cli.lint_verb import lint
from migrator.cli.plan_verb import plan
from migrator.cli.restore_verb import backup, restore
from migrator.cli.rollback_verb import rollback
from migrator.cli.schema_verbs import schema_group
from migrator.core.spelling import printable
from migrator.exceptions import ExitCode, Interrupted, MigratorError, exit_code_of


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="django-migrator-journal", prog_name="migrator")
def cli() -> None:
    """Take every database of a Django project to the state that its code expects.

    \b
    Exit codes: 0 clean, 1 failed or incomplete, 2 usage, 3 a decision is needed,
    4 another run holds the lock, 130 interrupted.
    """


cli.add_command(journal_group)
cli.add_command(plan)
cli.add_command(lint)
cli.add_command(schema_group)
cli.add_command(rollback)
cli.add_command(backup)
cli.add_command(restore)


def _complain(error: BaseException) -> None:
    """One sentence and a hint on standard error; never a traceback, never a password."""
    message = " ".join(str(getattr(error, "message", "") or error).split())
    if not isinstance(error, MigratorError | JournalError):
        message = f"{type(error).__name__}: {message}" if message else type(error).__name__
    hint = getattr(error, "hint", "")
    click.echo(f"Error: {scrub_text(printable(message))}", err=True)
    if hint:
        click.echo(scrub_text(printable(hint)), err=True)
    if not isinstance(error, MigratorError | JournalError):
        click.echo("MIGRATOR_DEBUG=1 shows where it comes from.", err=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Without the program's name; None for those of the process.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a log that is not UTF-8 gets question marks, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        result = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="migrator",
            standalone_mode=False,
        )
        return int(result or ExitCode.CLEAN)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt, Interrupted):
        click.echo("Interrupted.", err=True)
        return ExitCode.INTERRUPTED
    except Exception as error:
        if os.environ.get("MIGRATOR_DEBUG", "") not in ("", "0"):
            click.echo(scrub_text(traceback.format_exc()), err=True)
        _complain(error)
        return exit_code_of(error)
