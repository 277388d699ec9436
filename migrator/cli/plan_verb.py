"""`migrator plan`: what is pending, with its exact SQL."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from migrator.cli.options import database_option, format_option, settings_option
from migrator.cli.output import opened_output
from migrator.cli.project import set_up_project
from migrator.core.spelling import spell_count
from migrator.terminal import is_terminal


@click.command(name="plan", short_help="Show what is pending, with its SQL.")
@settings_option
@database_option
@format_option("text", "markdown", "json")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write one .sql file for each migration to this directory.",
)
def plan(settings: str | None, databases: tuple[str, ...], style: str, output: Path | None) -> int:
    """Show each pending migration of each database, in order: its exact SQL, the locks that it
    takes, the tables concerned, and what the lint says.

    Writes to no database. With --output the SQL goes to DIR, one file a migration, and a former
    preview there is replaced.
    """
    configuration = set_up_project(settings)
    from migrator.previews import preview_databases, preview_exit_code, write_preview
    from migrator.reports import render

    # A migration module that prints while it is loaded must not end up in the document.
    with contextlib.redirect_stdout(sys.stderr):
        report = preview_databases(databases, configuration)
    if output is not None:
        files = write_preview(report, output)
        click.echo(f"{spell_count(len(files), 'file')} in {output}.", err=True)
    if output is None or style != "text" or preview_exit_code(report):
        text = render(report, style, terminal=is_terminal(sys.stdout))
        with opened_output(None) as write:
            write(text if text.endswith("\n") else f"{text}\n")
    return preview_exit_code(report)
