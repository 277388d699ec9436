"""`migrator backup` and `migrator restore`: a whole database as a file, and back."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from migrator.cli.options import database_option, format_option, settings_option
from migrator.cli.output import write_out
from migrator.cli.project import set_up_project
from migrator.core.spelling import printable, spell_bytes, spell_count, spell_seconds
from migrator.exceptions import ExitCode, UsageError
from migrator.reports.jsonreport import render_json

if TYPE_CHECKING:
    from migrator.conf import Settings
    from migrator.dumping import Archive
    from migrator.restoration import Restored


@click.command(name="backup", short_help="Back databases up now.")
@settings_option
@database_option
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help='Directory to write to, instead of MIGRATOR["BACKUP_DIR"].',
)
@format_option("text", "json")
def backup(
    settings: str | None, databases: tuple[str, ...], output: Path | None, style: str
) -> int:
    """Back up each database, read the backup back whole, and record it in the journal.

    `migrator restore RUN` brings it back. Stops at the first database that cannot be backed up.
    """
    configuration = set_up_project(settings)
    from migrator.restoration import backup_document
    from migrator.safekeeping import back_up_databases

    with contextlib.redirect_stdout(sys.stderr):
        run_id, archives = back_up_databases(databases, configuration, directory=output, say=_say)
    if style == "json":
        documents = [backup_document(archive) for archive in archives]
        write_out(render_json({"format": 1, "run_id": run_id, "backups": documents}))
    else:
        for archive in archives:
            write_out(
                f"{printable(archive.facts.alias)}: {archive.path}, "
                f"{spell_bytes(archive.facts.bytes)}\n"
            )
        for archive in archives:
            which = f" --database {quote(archive.facts.alias)}" if archives[1:] else ""
            write_out(f"Bring it back with: migrator restore {run_id}{which}\n")
    return ExitCode.CLEAN


@click.command(name="restore", short_help="Bring a backup back.")
@click.argument("run", required=False)
@settings_option
@database_option
@click.option(
    "--into",
    metavar="ALIAS|NAME",
    help="Restore into another alias, or into another database of the same server.",
)
@click.option("--list", "listing", is_flag=True, help="List the backups that there are.")
@click.option("--check", is_flag=True, help="Read the backup whole, and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Consent without being asked.")
@format_option("text", "json")
def restore(
    run: str | None,
    settings: str | None,
    databases: tuple[str, ...],
    *,
    into: str | None,
    listing: bool,
    check: bool,
    yes: bool,
    style: str,
) -> int:
    """Replace a whole database by the backup that RUN has made of it.

    RUN is an id or any unique prefix of one. The backup is read whole before anything is
    touched; one that was altered or cut off in any byte is refused.
    """
    given = {"RUN": run, "--into": into, "--check": check, "--yes": yes}
    if listing and any(given.values()):
        flag = next(flag for flag, value in given.items() if value)
        raise UsageError(
            f"--list shows the backups that there are, so it takes no {flag}.",
            hint="Leave one of them out.",
        )
    if check and yes:
        raise UsageError(
            "--check changes nothing, so it takes no --yes.", hint="Leave one of them out."
        )
    if run is None and not listing:
        raise UsageError("Which run's backup?", hint="--list shows those that there are.")
    if len(databases) > 1 and not listing:
        raise UsageError("One database at a time.", hint="Give --database once.")
    configuration = set_up_project(settings)
    if run is None:
        return _list(configuration, databases, style)
    from migrator.prompts import InteractivePrompter
    from migrator.restoration import Restoration

    restoration = Restoration(
        configuration, prompter=InteractivePrompter(("--yes",) if yes else ()), say=_say
    )
    with contextlib.redirect_stdout(sys.stderr):
        done = restoration.restore(
            run, database=databases[0] if databases else None, into=into, check=check
        )
    if style == "json":
        write_out(render_json(done.to_dict()))
    else:
        write_out(_told(done, check=check))
    return ExitCode.CLEAN


def _list(configuration: Settings, databases: tuple[str, ...], style: str) -> int:
    from migrator.restoration import Restoration, backup_document

    archives = Restoration(configuration, say=_say).backups(databases)
    if style == "json":
        documents = [backup_document(archive) for archive in archives]
        write_out(render_json({"format": 1, "backups": documents}))
        return ExitCode.CLEAN
    if not archives:
        write_out(f"No backups in {configuration.backup_dir}.\n")
    rows = [_row(archive) for archive in archives]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        write_out("  ".join(cells).rstrip() + "\n")
    return ExitCode.CLEAN


def _row(archive: Archive) -> tuple[str, ...]:
    facts = archive.facts
    return (
        facts.run_id,
        printable(facts.alias),
        f"{facts.made_at[:16].replace('T', ' ')} UTC",
        spell_bytes(facts.bytes),
        facts.server,
        spell_count(len(facts.recorded), "app") + " recorded",
    )


def _told(done: Restored, *, check: bool) -> str:
    facts = done.archive.facts
    if check:
        return (
            f"The backup of {printable(facts.alias)} in run {facts.run_id} is whole: "
            f"{facts.bytes} bytes, SHA-256 {facts.sha256}.\n"
        )
    made = facts.made_at[:19].replace("T", " ")
    backup_of = f"the backup of {printable(facts.alias)} in run {facts.run_id}, made {made} UTC"
    took = f"in {spell_seconds(done.seconds)} (run {done.run_id})"
    lines = [f"{printable(done.into)} is restored to {backup_of}, {took}."]
    if done.removed:
        lines.append(f"No longer recorded: {', '.join(done.removed)}.")
    return "\n".join([*lines, ""])


def _say(text: str) -> None:
    click.echo(printable(text), err=True)
