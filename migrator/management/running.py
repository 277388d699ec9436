"""What the two commands share: options in, a report out, an exit code at the end."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NoReturn, TextIO

from journal import JournalError
from migrator.api import Migrator, granted_flags
from migrator.core.flags import CHECK, GOES_WITH, PREVIEW, RESUME, contradiction, overlap
from migrator.core.options import MigratorOptions
from migrator.destinations import plan_destinations
from migrator.exceptions import MigratorError, UsageError, exit_code_of
from migrator.progress import progress_for
from migrator.prompts import InteractivePrompter, Prompter
from migrator.reports import FORMATS, render
from migrator.reports.document import ErrorReport, Report, refused

# Of a migration, or of one operation of it.
_NAMED = re.compile(r"[^.:\s]+\.[^:\s]+(?::\d+)?")


def add_run_arguments(parser: ArgumentParser) -> None:
    """The options that every kind of run takes."""
    # A typing error is answered in two lines; --help lists the options below this.
    parser.usage = "%(prog)s [options]"
    parser.add_argument("--repair", action="store_true", help="Repair drift first, then migrate.")
    parser.add_argument(
        "--database",
        action="append",
        default=[],
        metavar="ALIAS",
        dest="databases",
        help="Only this alias (repeatable).",
    )
    parser.add_argument(
        "--non-interactive",
        "--noinput",
        "--no-input",
        action="store_false",
        dest="interactive",
        help="Never ask; a decision that would need asking fails with exit 3.",
    )
    parser.add_argument(
        "--skip-makemigrations",
        action="store_true",
        help="Leave model changes that no migration holds alone.",
    )
    parser.add_argument(
        "--wait-lock",
        type=_seconds,
        metavar="SECONDS",
        help="Wait so long for another run on the same database, instead of failing at once.",
    )
    parser.add_argument(
        "--assume-applied",
        action="append",
        default=[],
        metavar="APP.NAME",
        help="Vouch for a migration whose effect cannot be observed (repeatable).",
    )
    parser.add_argument(
        "--assume-not-applied",
        action="append",
        default=[],
        metavar="APP.NAME",
        help="Run again what was begun and has no outcome (repeatable).",
    )
    backup = parser.add_mutually_exclusive_group()
    backup.add_argument(
        "--backup",
        action="store_const",
        const="always",
        help="Back every database up before it is migrated.",
    )
    backup.add_argument(
        "--no-backup",
        action="store_const",
        const="never",
        dest="backup",
        help="Make no backup, whatever the setting says.",
    )
    parser.add_argument(
        "--allow-destructive",
        action="store_true",
        help="Consent to steps that lose data, without being asked.",
    )
    parser.add_argument(
        "--lock-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="How long a statement waits for a lock before its migration is tried again.",
    )
    parser.add_argument(
        "--lock-retries",
        type=_count,
        metavar="N",
        help="How often a migration that got no lock is tried again.",
    )
    parser.add_argument(
        "--test-command",
        metavar="COMMAND",
        help="Run this when every database is verified; if it fails, so does the run.",
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="How to write the report."
    )
    parser.add_argument(
        "--output", metavar="FILE", help="Write the report there instead of to standard output."
    )
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="[FORMAT:]FILE",
        dest="reports",
        help="Write the report there as well, in the format of the file's ending (repeatable).",
    )


def _seconds(text: str) -> float:
    """A number of seconds, for argparse."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ArgumentTypeError(f"{text} is not a number of seconds")
    return seconds


def _count(text: str) -> int:
    """A whole number from 0 up, for argparse."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text} is not a number of times")
    return int(text)


def safety_options(options: dict[str, Any]) -> dict[str, Any]:
    """Of parsed arguments, those that say how carefully to go about it."""
    names = ("backup", "allow_destructive", "lock_timeout", "lock_retries", "test_command")
    return {name: options[name] for name in names}


def run_and_exit(
    work: Callable[[Migrator], Report],
    options: MigratorOptions,
    *,
    style: str,
    output: str | None,
    reports: Sequence[str] = (),
    stdout: TextIO,
    stderr: TextIO,
    color: bool | None = None,
) -> None:
    """Run, write the report, and leave with the right exit code.

    While it runs, whatever else is written goes to standard error when standard output is to
    hold a document.

    Args:
        work: What to do with the migrator.
        options: What was asked for.
        style: One of FORMATS.
        output: File for the report; None for standard output.
        reports: Further reports, "[FORMAT:]FILE" each.
        stdout, stderr: Where a person reads.
        color: Whether to colour; None: when it is a terminal.

    Raises:
        SystemExit: With the exit code, unless it is 0.
    """
    document = style != "text"
    stream = stderr if document and output is None else stdout
    screen, aside = partial(_write, stdout), partial(_write, stderr)
    try:
        destinations = plan_destinations(style, output, reports)
        for destination in destinations:
            destination.prepare()
    except UsageError as error:
        fail(error, stderr)
    log = progress_for(stream, verbosity=options.verbosity, color=color)
    granted = granted_flags(options)
    prompter = (
        InteractivePrompter(granted, pause=log.pause) if options.interactive else Prompter(granted)
    )
    migrator = Migrator(options, prompter=prompter, listeners=(log,))
    quiet = _only_a_document(stdout) if document else contextlib.nullcontext()
    try:
        with log, quiet, _collecting_rarely():
            report = work(migrator)
    except (MigratorError, JournalError, KeyboardInterrupt) as error:
        nothing = _refusal(options, error)
        for destination in destinations:
            if destination.style != "text":  # a person reads it on standard error
                destination.deliver(render(nothing, destination.style), screen, aside)
        fail(error, stderr)
    try:
        for destination in reversed(destinations):  # standard output last: it may be closed
            shown = destination.path is None
            text = render(
                report,
                destination.style,
                color=color if shown else False,
                terminal=shown and _is_terminal(stdout),
                # Nobody who reads the file has seen each migration go by.
                verbosity=options.verbosity if shown else max(options.verbosity, 2),
            )
            destination.deliver(text, screen, aside)
    except KeyboardInterrupt as error:  # the run is over and closed; only its report is cut short
        fail(error, stderr)
    if report.exit_code:
        sys.exit(int(report.exit_code))


def _refusal(options: MigratorOptions, error: BaseException) -> Report:
    """What whoever reads a document gets when no run was opened."""
    shown = ErrorReport(
        type(error).__name__,
        getattr(error, "message", "") or str(error),
        getattr(error, "hint", ""),
        int(exit_code_of(error)),
    )
    return refused(options.kind, options.goal.value, shown)


def fail(error: BaseException, stderr: TextIO) -> NoReturn:
    """Say what happened and what to do next, in two lines, and leave."""
    message = getattr(error, "message", "") or str(error) or "Interrupted."
    _write(stderr, f"Error: {message}")
    if hint := getattr(error, "hint", ""):
        _write(stderr, f"  {hint}")
    sys.exit(int(exit_code_of(error)))


def refuse_contradictions(options: dict[str, Any]) -> None:
    """Options that exclude one another, or of which nothing would come.

    Args:
        options: As parsed.

    Raises:
        UsageError
    """
    found = contradiction(_given(options))
    if found is not None:
        message, hint = found
        raise UsageError(message, hint=hint)
    for flag in ("--assume-applied", "--assume-not-applied"):
        for name in options[flag.removeprefix("--").replace("-", "_")]:
            if not _NAMED.fullmatch(name):
                raise UsageError(
                    f"{flag} takes app.name, or app.name:index for one operation, not {name!r}.",
                    hint=f"For example: {flag} blog.0007_fill_slugs.",
                )
    both = overlap(options["assume_applied"], options["assume_not_applied"])
    if both:
        raise UsageError(
            f"--assume-applied and --assume-not-applied contradict one another about {both}.",
            hint="Use one of them.",
        )


def _given(options: dict[str, Any]) -> set[str]:
    """The options of a call that were given, by their names in `core.flags`."""
    values = {
        **options,
        "database": options["databases"],
        "non_interactive": not options["interactive"],
        "backup": options["backup"] == "always",
        "no_backup": options["backup"] == "never",
        "report": options["reports"],
    }
    named = {
        flag: values.get(flag.removeprefix("--").replace("-", "_"))
        for flag in (*GOES_WITH, CHECK, PREVIEW, RESUME)
    }
    return {
        flag
        for flag, value in named.items()
        # An empty --resume means the newest run, an empty --test-command none.
        if value not in (None, False, []) and (value != "" or flag == RESUME)
    }


@contextlib.contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Let the garbage collector run a hundred times less often.

    Rendering model state makes hundreds of thousands of objects that live until the run ends;
    looking through them again and again took a tenth of a run from zero of 200 models.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(before[0] * 100, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextlib.contextmanager
def _only_a_document(stdout: Any) -> Iterator[None]:
    """Send to standard error whatever migrations print meanwhile.

    Where the report goes to the process's own standard output, its file descriptor too: log
    handlers hold the stream itself, and the programs that a migration starts know no other.
    """
    with contextlib.redirect_stdout(sys.stderr):
        if getattr(stdout, "_out", stdout) is not sys.__stdout__ or sys.__stdout__ is None:
            yield
            return
        try:
            sys.__stdout__.flush()
            own, other = sys.__stdout__.fileno(), os.dup(sys.__stdout__.fileno())
            os.dup2(2, own)
        except (OSError, ValueError):  # closed, or no file at all
            yield
            return
        try:
            yield
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.__stdout__.flush()
            os.dup2(other, own)
            os.close(other)


def _is_terminal(stream: Any) -> bool:
    return bool(getattr(stream, "isatty", lambda: False)())


def _write(stream: Any, text: str) -> None:
    """To a stream or to Django's OutputWrapper.

    Its reader may have gone (`| head`), the disk may be full, or there may be none: that changes
    nothing about how the run ended, which the exit code says.
    """
    bare = getattr(stream, "_out", stream)
    if bare is None:  # the process was begun without it
        return
    try:
        stream.write(text if text.endswith("\n") else text + "\n")
        stream.flush()
    except (OSError, ValueError) as error:
        _silence(bare)
        if not isinstance(error, BrokenPipeError) and bare is not sys.stderr and sys.stderr:
            reason = getattr(error, "strerror", None) or error
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"The output could not be written: {reason}.\n")


def _silence(stream: Any) -> None:
    """Send the rest nowhere: the interpreter flushes once more at exit, and would complain."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
