"""`migrator schema …`: the schema as something to keep and to compare with."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from migrator.cli.options import database_option, settings_option
from migrator.cli.output import opened_output
from migrator.cli.project import set_up_project
from migrator.core.spelling import spell_count
from migrator.exceptions import ExitCode
from migrator.reports.jsonreport import render_json


@click.group(name="schema")
def schema_group() -> None:
    """The schema of the project's databases, to keep and to compare with."""


@schema_group.command(short_help="Write what is there as one JSON document.")
@settings_option
@database_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
def snapshot(settings: str | None, databases: tuple[str, ...], output: Path | None) -> int:
    """Write the live schema of each database, with what is recorded there and the server's
    version, as one JSON document.

    Made in CI, from a database that was empty before its migrations ran, it is what
    `manage.py migrate_all --check --expected FILE` compares production with. Only reads.
    """
    configuration = set_up_project(settings)
    from migrator.snapshots import snapshot_document

    with contextlib.redirect_stdout(sys.stderr):
        document = snapshot_document(databases, configuration)
    with opened_output(output) as write:
        write(render_json(document))
    if output:
        click.echo(f"{spell_count(len(document['databases']), 'database')} in {output}.", err=True)
    return ExitCode.CLEAN
