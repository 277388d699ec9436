"""`migrator journal …`: needs the journal's URL and nothing else.

It works on a host that has no Django project, and when the project no longer loads.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

import journal
from journal import Break, Journal, Run, RunStatus, Target
from migrator.cli.options import META, format_option, journal_options
from migrator.cli.output import Hangup, opened_output, write_out
from migrator.cli.project import JOURNAL_VARIABLE, locate_settings, settings_of
from migrator.core.spelling import spell_count
from migrator.exceptions import DecisionNeeded, ExitCode, UsageError
from migrator.reports.journal_markdown import MarkdownJournalFormatter
from migrator.reports.journal_text import TextJournalFormatter
from migrator.reports.jsonreport import FORMAT, render_json, render_json_lines
from migrator.reports.page import terminal_of
from migrator.terminal import is_terminal

JOURNAL_FILE = "migrator_journal.sqlite3"
LIST_LIMIT = 20


@click.group(name="journal")
@journal_options
def journal_group() -> None:
    """Read the record of all runs; works without Django.

    \b
    The journal is the first of these that is there:
      --journal URL
      MIGRATOR_JOURNAL_URL in the environment
      the setting, by --settings, DJANGO_SETTINGS_MODULE or a manage.py in this directory
      migrator_journal.sqlite3 in this directory
    """


@journal_group.command(name="list")
@journal_options
@format_option("text", "markdown", "json")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help=f"How many runs; 0 for all. Default: {LIST_LIMIT}, and all with --format json.",
)
def list_runs(style: str, limit: int | None) -> int:
    """List the runs, the newest first."""
    if limit is None:
        limit = 0 if style == "json" else LIST_LIMIT
    with opened_journal() as source:
        runs = source.runs()
        shown = runs[:limit] if limit else runs
        document = {
            "format": FORMAT,
            "older": len(runs) - len(shown),
            "runs": [_listed(source, run) for run in shown],
        }
    _print(document, style, "render_list")
    return ExitCode.CLEAN


@journal_group.command(short_help="Show one run, step by step.")
@journal_options
@click.argument("run", required=False)
@format_option("text", "markdown", "json", "html")
def show(run: str | None, style: str) -> int:
    """Show one run step by step: by its id or any unique prefix, or else the newest."""
    with opened_journal() as source:
        found = _find(source, run)
        document = _shown(source, found)
        if style == "html":
            document["breaks"] = [_broken(broken) for broken in source.verify([found.id])]
    _print(document, style, "render_show")
    return ExitCode.CLEAN


@journal_group.command(short_help="Exit 1 while a run is incomplete.")
@journal_options
@format_option("text", "markdown", "json")
def check(style: str) -> int:
    """Exit 1 while any run is incomplete: open, interrupted, or failed and not made good."""
    with opened_journal() as source:
        runs = [_listed(source, run) for run in source.incomplete_runs()]
    _print({"format": FORMAT, "runs": runs}, style, "render_check")
    return ExitCode.FAILED if runs else ExitCode.CLEAN


@journal_group.command(short_help="Prove that nothing was altered.")
@journal_options
@click.argument("run", required=False)
@format_option("text", "markdown", "json")
def verify(run: str | None, style: str) -> int:
    """Recompute the chains of all runs, or of one; exit 1 where one was altered."""
    with opened_journal() as source:
        ids = [source.find_run(run).id] if run else [found.id for found in source.runs()]
        # None asks for more than the list of all ids: for what no run accounts for, too.
        breaks = source.verify(ids if run else None)
    document = {
        "format": FORMAT,
        "ok": not breaks,
        "checked": len(ids),
        "breaks": [_broken(broken) for broken in breaks],
    }
    _print(document, style, "render_verify")
    return ExitCode.FAILED if breaks else ExitCode.CLEAN


@journal_group.command(short_help="Write all runs, or one, as JSON.")
@journal_options
@click.argument("run", required=False)
@format_option("jsonl", "json")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
def export(run: str | None, style: str, output: Path | None) -> int:
    """Write all runs, or one, as JSON: a document a line, the oldest run first."""
    with opened_journal() as source:
        runs = [source.find_run(run)] if run else list(reversed(source.runs()))
        documents = (_shown(source, found) for found in runs)
        if style == "json":
            pieces = iter([render_json({"format": FORMAT, "runs": list(documents)})])
        else:
            pieces = render_json_lines(documents)
        with opened_output(output) as write:
            for piece in pieces:
                write(piece)
    if output:
        click.echo(f"{spell_count(len(runs), 'run')} in {output}.", err=True)
    return ExitCode.CLEAN


@journal_group.command(short_help="Remove old runs.")
@journal_options
@click.option("--before", metavar="DATE", help="Runs opened before this day or time (UTC).")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="All but the newest N runs.")
@click.option(
    "--run", "named", multiple=True, metavar="RUN", help="This run, though incomplete. Repeatable."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def prune(before: str | None, keep: int | None, named: tuple[str, ...], yes: bool) -> int:
    """Remove whole runs, and record that it was done; incomplete ones only by name."""
    if [before is not None, keep is not None, bool(named)].count(True) != 1:
        raise UsageError(
            "Which runs to remove has to be said in one way.",
            hint="Give one of --before DATE, --keep N and --run RUN.",
        )
    moment = _moment(before) if before else None
    with opened_journal(writable=True) as source:
        runs = [source.find_run(name) for name in named]
        doomed = runs or _prunable(source, moment, keep)
        if not doomed:
            click.echo("Nothing to remove.")
            return ExitCode.CLEAN
        if not yes and not _confirm_prune(doomed, source.location, named=bool(runs)):
            click.echo("Nothing was removed.")
            return ExitCode.CLEAN
        removed = source.prune(before=moment, keep=keep, run_ids=[run.id for run in runs])
    click.echo(f"{spell_count(len(removed), 'run')} removed.")
    return ExitCode.CLEAN


# -- where the journal is --------------------------------------------------------------


@contextlib.contextmanager
def opened_journal(*, writable: bool = False) -> Iterator[Journal]:
    """The journal that the options, the environment, the settings or the directory name.

    Args:
        writable: To write to it; it has to be there all the same, so that a wrong URL never
            makes an empty journal.

    Raises:
        UsageError: None of them names one, or the settings do not load.
        journal.JournalError: It cannot be opened; it is never created here.
    """
    meta = click.get_current_context().meta
    url, origin = locate_journal(meta.get(META + "journal"), meta.get(META + "settings"))
    if writable:
        journal.open_journal(url, create=False).close()
    with journal.open_journal(url, create=writable) as source:
        if meta.get(META + "verbose"):
            click.echo(f"Journal {source.location} ({origin}).", err=True)
        yield source


def locate_journal(url: str | None, settings: str | None) -> tuple[str, str]:
    """Find the journal's URL.

    Args:
        url: `--journal`: a URL, or the path of a file.
        settings: `--settings`.

    Returns:
        The URL, and who named it.

    Raises:
        UsageError: Nobody names one, or the settings do not load.
    """
    if url:
        return (url if "://" in url else _file_url(Path(url))), "--journal"
    if from_environment := os.environ.get(JOURNAL_VARIABLE):
        return from_environment, JOURNAL_VARIABLE
    module, origin = locate_settings(settings)
    if module:
        return settings_of(module).journal_url, f"settings {module}, {origin}"
    here = Path.cwd() / JOURNAL_FILE
    if here.exists():
        return _file_url(here), "in this directory"
    raise UsageError(
        f"Which journal? There is no {JOURNAL_FILE} and no manage.py in {Path.cwd()}.",
        hint=f"Pass --journal URL, set {JOURNAL_VARIABLE}, or give --settings MODULE.",
    )


def _file_url(path: Path) -> str:
    return f"sqlite:///{path.expanduser().absolute()}"


# -- documents ---------------------------------------------------------------------------


def _find(source: Journal, prefix: str | None) -> Run:
    if prefix:
        return source.find_run(prefix)
    newest = source.runs(limit=1)
    if not newest:
        raise UsageError(f"The journal {source.location} is empty: no run has been recorded.")
    return newest[0]


def _listed(source: Journal, run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": run.kind,
        "goal": run.goal,
        "status": run.status.value,
        "complete": source.is_complete(run),
        "opened_at": _iso(run.opened_at),
        "closed_at": _iso(run.closed_at),
        "parent": run.parent,
        "actor": dict(run.actor),
        "targets": [_target(target) for target in source.targets(run.id)],
    }


def _shown(source: Journal, run: Run) -> dict[str, Any]:
    listed = _listed(source, run)
    targets = listed.pop("targets")
    unfinished = run.status is not RunStatus.COMPLETE
    return {
        "format": FORMAT,
        "run": {
            **listed,
            "superseded": unfinished and all(r.id != run.id for r in source.incomplete_runs()),
            "options": dict(run.options),
            "plan_digest": run.plan_digest,
            "seal": run.seal,
        },
        "targets": targets,
        "entries": [
            {
                "alias": entry.alias,
                "seq": entry.seq,
                "epoch": entry.epoch,
                "kind": entry.kind,
                "name": entry.name,
                "attempt": entry.attempt,
                "phase": entry.phase.value,
                "at": _iso(entry.at),
                "seconds": entry.seconds,
                "payload": dict(entry.payload),
                "previous": entry.previous,
                "hash": entry.hash,
            }
            for entry in source.entries(run.id)
        ],
    }


def _broken(broken: Break) -> dict[str, Any]:
    return {
        "run_id": broken.run_id,
        "alias": broken.alias,
        "seq": broken.seq,
        "problem": broken.problem,
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "alias": target.alias,
        "state": target.state,
        "status": target.status.value,
        "reason": target.reason,
        "vendor": target.vendor,
        "server_version": target.server_version,
        "identity": target.identity,
        "epoch": target.epoch,
        "leaves_before": list(target.leaves_before),
        "leaves_after": list(target.leaves_after),
        "fingerprint_before": target.fingerprint_before,
        "fingerprint_after": target.fingerprint_after,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


# -- prune --------------------------------------------------------------------------------


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no date.", hint="Write it as 2026-01-31 or 2026-01-31T18:00."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _prunable(source: Journal, before: datetime | None, keep: int | None) -> list[Run]:
    """The runs that `Journal.prune` would look at, for the question; it decides by itself."""
    incomplete = {run.id for run in source.incomplete_runs()}
    runs = source.runs()[keep or 0 :]
    return [
        run
        for run in runs
        if run.closed_at and run.id not in incomplete and (not before or run.opened_at < before)
    ]


def _confirm_prune(doomed: Sequence[Run], location: str, *, named: bool) -> bool:
    count = spell_count(len(doomed), "run")
    which = f"opened {doomed[-1].opened_at:%Y-%m-%d} to {doomed[0].opened_at:%Y-%m-%d}"
    if named:
        which = ", ".join(f"{run.id}: {run.status.value}" for run in doomed)
    if not is_terminal(sys.stdin):
        raise DecisionNeeded(
            f"{count} ({which}) would be removed from {location}.",
            hint="Give --yes to remove them.",
        )
    return click.confirm(f"Remove {count} ({which}) from {location}?", err=True)


# -- output ---------------------------------------------------------------------------------


def _print(document: dict[str, Any], style: str, method: str) -> None:
    """Render a journal document in the style that was asked for, on standard output."""
    if style == "json":
        text = render_json(document)
    elif style == "html":
        from migrator.reports.html import HtmlJournalFormatter  # jinja2 takes its time to load

        text = getattr(HtmlJournalFormatter(), method)(document)
    elif style == "markdown":
        text = getattr(MarkdownJournalFormatter(), method)(document)
    else:
        color, width = terminal_of(sys.stdout)
        text = getattr(TextJournalFormatter(color=color, width=width), method)(document)
    with contextlib.suppress(Hangup):
        write_out(text)
