"""The `migrator` command: parse, call, render, exit code. The only importer of click.

`migrator journal …` needs the journal's URL and nothing else: it works on a host that has no
Django project, and when the project no longer loads. Nothing of Django is imported before a
settings module is really asked for.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import click

import journal
from journal import Journal, JournalError, Run, RunStatus, Target
from journal.scrub import scrub_text
from migrator.core.spelling import printable, spell_count
from migrator.exceptions import (
    ConfigurationError,
    DecisionNeeded,
    ExitCode,
    Interrupted,
    MigratorError,
    UsageError,
    exit_code_of,
)
from migrator.reports.journal_markdown import MarkdownJournalFormatter
from migrator.reports.journal_text import TextJournalFormatter
from migrator.reports.jsonreport import FORMAT, render_json, render_json_lines
from migrator.reports.page import terminal_of

JOURNAL_FILE = "migrator_journal.sqlite3"
JOURNAL_VARIABLE = "MIGRATOR_JOURNAL_URL"
LIST_LIMIT = 20
_META = "migrator."
_SETTINGS_IN_MANAGE = re.compile(
    r"""DJANGO_SETTINGS_MODULE["']\s*(?:,|\]\s*=)\s*["'](?P<module>[\w.]+)["']"""
)

F = TypeVar("F", bound=Callable[..., Any])


# -- options that several verbs share ------------------------------------------------


def _kept(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that keeps an option where all verbs of this call find it."""

    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        if value:
            context.meta[_META + name] = value
        return value

    return keep


def journal_options(command: F) -> F:
    """Where the journal is; taken by the group and by each of its verbs alike."""
    options = (
        click.option(
            "--journal",
            metavar="URL",
            expose_value=False,
            callback=_kept("journal"),
            help="The journal's URL, or the path of its SQLite file.",
        ),
        click.option(
            "--settings",
            metavar="MODULE",
            expose_value=False,
            callback=_kept("settings"),
            help="Settings module that names the journal.",
        ),
        click.option(
            "-v",
            "--verbose",
            is_flag=True,
            expose_value=False,
            callback=_kept("verbose"),
            help="Say on standard error which journal is read.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def format_option(*choices: str) -> Callable[[F], F]:
    """`--format`, the first choice being the default."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="How to print it.",
    )


# -- the command ---------------------------------------------------------------------


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="django-migrator-journal", prog_name="migrator")
def cli() -> None:
    """Take every database of a Django project to the state that its code expects.

    \b
    Exit codes: 0 clean, 1 failed or incomplete, 2 usage, 3 a decision is needed,
    4 another run holds the lock, 130 interrupted.
    """


@cli.group(name="journal")
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
@format_option("text", "markdown", "json")
def show(run: str | None, style: str) -> int:
    """Show one run step by step: by its id or any unique prefix, or else the newest."""
    with opened_journal() as source:
        document = _shown(source, _find(source, run))
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
        "breaks": [
            {"run_id": b.run_id, "alias": b.alias, "seq": b.seq, "problem": b.problem}
            for b in breaks
        ],
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
        with _opened_output(output) as write:
            for piece in pieces:
                write(piece)
    if output:
        click.echo(f"{spell_count(len(runs), 'run')} in {output}.", err=True)
    return ExitCode.CLEAN


@journal_group.command(short_help="Remove old runs.")
@journal_options
@click.option("--before", metavar="DATE", help="Runs opened before this day or time (UTC).")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="All but the newest N runs.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def prune(before: str | None, keep: int | None, yes: bool) -> int:
    """Remove whole runs; incomplete ones stay, and the journal records that it was done."""
    if (before is None) == (keep is None):
        raise UsageError(
            "Which runs to remove has to be said in one way.",
            hint="Give either --before DATE or --keep N.",
        )
    moment = _moment(before) if before else None
    with opened_journal(writable=True) as source:
        doomed = _prunable(source, moment, keep)
        if not doomed:
            click.echo("Nothing to remove.")
            return ExitCode.CLEAN
        if not yes and not _confirm_prune(doomed, source.location):
            click.echo("Nothing was removed.")
            return ExitCode.CLEAN
        removed = source.prune(before=moment, keep=keep)
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
    url, origin = locate_journal(meta.get(_META + "journal"), meta.get(_META + "settings"))
    if writable:
        journal.open_journal(url, create=False).close()
    with journal.open_journal(url, create=writable) as source:
        if meta.get(_META + "verbose"):
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
        return _url_from_settings(module), f"settings {module}, {origin}"
    here = Path.cwd() / JOURNAL_FILE
    if here.exists():
        return _file_url(here), "in this directory"
    raise UsageError(
        f"Which journal? There is no {JOURNAL_FILE} and no manage.py in {Path.cwd()}.",
        hint=f"Pass --journal URL, set {JOURNAL_VARIABLE}, or give --settings MODULE.",
    )


def locate_settings(settings: str | None) -> tuple[str, str]:
    """The settings module of the project and who names it; ("", "") when nobody does.

    Args:
        settings: `--settings`.
    """
    if settings:
        return settings, "--settings"
    if from_environment := os.environ.get("DJANGO_SETTINGS_MODULE"):
        return from_environment, "DJANGO_SETTINGS_MODULE"
    try:
        source = (Path.cwd() / "manage.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    match = _SETTINGS_IN_MANAGE.search(source)
    return (match["module"], "manage.py") if match else ("", "")


def _url_from_settings(module: str) -> str:
    os.environ["DJANGO_SETTINGS_MODULE"] = module
    if str(Path.cwd()) not in sys.path:  # a console script's own path holds its bin directory
        sys.path.insert(0, str(Path.cwd()))
    try:
        # Settings that print while they load must not end up in a JSON document.
        with contextlib.redirect_stdout(sys.stderr):
            from migrator.conf import load_settings

            return load_settings().journal_url
    except MigratorError:
        raise
    except (Exception, SystemExit) as error:  # a settings module may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigurationError(
            f"The settings module {module!r} does not load: {reason}",
            hint=f"Name the journal itself with --journal URL or {JOURNAL_VARIABLE}; "
            "then the project is not needed.",
        ) from error


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


def _confirm_prune(doomed: Sequence[Run], location: str) -> bool:
    count = spell_count(len(doomed), "run")
    if not sys.stdin.isatty():
        raise DecisionNeeded(
            f"{count} would be removed from {location}.", hint="Give --yes to remove them."
        )
    span = f"opened {doomed[-1].opened_at:%Y-%m-%d} to {doomed[0].opened_at:%Y-%m-%d}"
    return click.confirm(f"Remove {count} ({span}) from {location}?", err=True)


# -- output and errors ------------------------------------------------------------------------


def _print(document: dict[str, Any], style: str, method: str) -> None:
    """Render a journal document in the style that was asked for, on standard output."""
    if style == "json":
        text = render_json(document)
    elif style == "markdown":
        text = getattr(MarkdownJournalFormatter(), method)(document)
    else:
        color, width = terminal_of(sys.stdout)
        text = getattr(TextJournalFormatter(color=color, width=width), method)(document)
    with contextlib.suppress(_Hangup):
        _write_out(text)


class _Hangup(Exception):
    """Whoever read standard output has gone (`| head`): no failure of ours."""


def _write_out(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at exit, and would complain then.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise _Hangup from None


@contextlib.contextmanager
def _opened_output(output: Path | None) -> Iterator[Callable[[str], object]]:
    """A writer to standard output, or to a file that appears only when it is whole."""
    if output is None:
        with contextlib.suppress(_Hangup):
            yield _write_out
        return
    part = output.with_name(output.name + ".part")
    try:
        with _private(part) as stream:
            yield stream.write
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(output)
    except OSError as error:
        raise MigratorError(
            f"{output} cannot be written: {error.strerror or error}.",
            hint="Give another --output.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _private(path: Path) -> IO[str]:
    """A new file that only its owner reads: an export tells much about a system."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


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


if __name__ == "__main__":
    sys.exit(main())
