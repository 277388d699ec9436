"""`migrator plan`: what is pending on each database, with its SQL; and the same as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from migrator.conf import Settings
from migrator.core.costliness import spell_costs
from migrator.core.events import Emit, PlannedStep
from migrator.core.options import MigratorOptions
from migrator.core.spelling import printable
from migrator.exceptions import ExitCode, MigratorError
from migrator.fleet import Fleet
from migrator.reports.document import DatabaseReport, Report

MARK = "-- A preview by `migrator plan`"
"""What every file of a preview begins with."""


def preview_databases(
    databases: Sequence[str] = (),
    settings: Settings | None = None,
    *,
    listeners: tuple[Emit, ...] = (),
) -> Report:
    """Plan what is pending on each database; write to none.

    Args:
        databases: Aliases; none for all.
        settings: Of the project.
        listeners: Readers of the event stream.

    Raises:
        MigratorError: No such alias, or the settings cannot be used.
    """
    options = MigratorOptions(dry_run=True, databases=tuple(databases))
    return Fleet(options, listeners=listeners, settings=settings).run()


def preview_exit_code(report: Report) -> ExitCode:
    """0 when there is a plan for every database; drift is shown, and stops no preview.

    Else what the failures agree on, as `migrate_all --dry-run` has it, or 1.

    Args:
        report: Of `preview_databases`.
    """
    if report.outcome == "interrupted":
        return ExitCode.INTERRUPTED
    codes = {database.error.exit_code for database in report.db_reports if database.error}
    if any(database.outcome == "pending" for database in report.db_reports):
        codes.add(ExitCode.FAILED)
    if not codes:
        return ExitCode.CLEAN
    return ExitCode(codes.pop()) if len(codes) == 1 else ExitCode.FAILED


def write_preview(report: Report, directory: Path) -> tuple[Path, ...]:
    """Write one `.sql` file for each pending migration, and remove those of an earlier preview.

    Args:
        report: Of `preview_databases`.
        directory: Made when it is not there; a directory for each alias is made in it.

    Returns:
        The files, in order.

    Raises:
        MigratorError: The directory holds something that is no preview, or cannot be written.
    """
    wanted = dict(_files(report, directory))
    try:
        stale = _former(directory)
        for path, text in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for path in set(stale) - wanted.keys():
            path.unlink()
        directory.mkdir(parents=True, exist_ok=True)
        for folder in directory.iterdir():
            if not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise MigratorError(
            f"The preview cannot be written to {directory}: {error.strerror or error}.",
            hint="Give another --output.",
        ) from error
    return tuple(wanted)


def _files(report: Report, directory: Path) -> Iterator[tuple[Path, str]]:
    for database in report.db_reports:
        folder = directory / quote(database.alias, safe="")
        for number, step in enumerate(database.plan, 1):
            name = f"{number:04}-{step.migration.app}-{step.migration.name}.sql"
            yield folder / name, "\n".join(_lines(database, step)) + "\n"


def _lines(database: DatabaseReport, step: PlannedStep) -> Iterator[str]:
    yield MARK
    yield f"-- {step.migration} on {_flat(database.alias)} ({_flat(database.server)})"
    if step.backwards:
        yield "-- It is taken back."
    if not step.atomic:
        yield "-- Not in one transaction."
    yield from (f"-- {_flat(cost)}" for cost in spell_costs(step))
    yield from (f"-- Cannot be shown: {_flat(description)}" for description in step.opaque)
    yield ""
    if step.sql:
        yield from step.sql
    elif not step.opaque:
        yield "-- No SQL."


def _flat(text: str) -> str:
    """On one line: a name must not end the comment that it stands in."""
    return " ".join(printable(text).split())


def _former(directory: Path) -> list[Path]:
    """The files of an earlier preview.

    Raises:
        MigratorError: There is something else.
    """
    if not directory.exists():
        return []
    found = []
    for folder in sorted(directory.iterdir()):
        if folder.is_symlink() or not folder.is_dir():
            raise _not_ours(directory, folder)
        for path in sorted(folder.iterdir()):
            if path.is_symlink() or not path.is_file() or not _is_preview(path):
                raise _not_ours(directory, path)
            found.append(path)
    return found


def _is_preview(path: Path) -> bool:
    with path.open("rb") as stream:
        return path.suffix == ".sql" and stream.readline().rstrip() == MARK.encode()


def _not_ours(directory: Path, path: Path) -> MigratorError:
    return MigratorError(
        f"{directory} holds {path.relative_to(directory)}, which no preview has written.",
        hint="Nothing was written. Give --output a directory of its own.",
    )
