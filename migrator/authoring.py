"""Model changes that no migration holds: written, refused or left alone, as the setting says.

Only for the project's own apps, and only through the project's own `makemigrations`: projects
patch both it and `Field.deconstruct`, so that the autodetector called directly sees changes
that are none; and released packages often have changes of their own.
"""

from __future__ import annotations

import importlib
import io
import re
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import AppConfig, apps
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.db.migrations.loader import MigrationLoader

from migrator.conf import Settings
from migrator.core.options import MigratorOptions
from migrator.exceptions import (
    DecisionNeeded,
    HistoryInconsistent,
    MigratorError,
    PendingModelChanges,
)
from migrator.sources import check_conflicts, load_disk, load_graph

# "blog.Post.title: (fields.E120) …", "?: (urls.W005) …"
_CHECK = re.compile(r"\S+: \(\S+\) ")
_MIGRATIONS_FOR = re.compile(r"Migrations for '([^']+)'")


def write_migrations(options: MigratorOptions, settings: Settings) -> tuple[str, ...]:
    """Do what `MAKEMIGRATIONS` says about model changes.

    Args:
        options: `interactive` and `skip_makemigrations` matter here.
        settings: `makemigrations` and `base_dir` matter here.

    Returns:
        The files written, relative to the project's root.

    Raises:
        PendingModelChanges: There are changes, and the setting says "check".
        DecisionNeeded: Writing them would need an answer (a default for a new column), and
            nobody can be asked.
        MigratorError: The system checks or makemigrations failed.
    """
    if options.skip_makemigrations or settings.makemigrations == "skip":
        return ()
    labels = own_labels(settings.base_dir)
    if not labels:
        return ()
    changes = _find_changes(labels, settings, asking=options.interactive)
    if not changes:
        return ()
    if settings.makemigrations == "check":
        raise PendingModelChanges(
            f"Models have changes that no migration holds: {changes}.",
            hint="Write it with manage.py makemigrations, or leave them out of this run with "
            "--skip-makemigrations.",
        )
    before = _migration_files(labels)
    _call(labels, check=False, interactive=options.interactive)
    importlib.invalidate_caches()
    load_disk.cache_clear()
    written = sorted(_migration_files(labels) - before)
    return tuple(_relative(path, settings.base_dir) for path in written)


def _find_changes(labels: tuple[str, ...], settings: Settings, *, asking: bool) -> str:
    """What makemigrations would write, readable; "" for nothing.

    Raises:
        DecisionNeeded: It cannot say without an answer that nobody gives. Where the changes are
            only to be refused, or somebody is there to answer, that they exist is enough.
    """
    try:
        return _call(labels, check=True, interactive=False) or ""
    except DecisionNeeded as error:
        if asking or settings.makemigrations == "check":
            return error.message.rstrip(".")
        raise


def own_labels(base_dir: Path) -> tuple[str, ...]:
    """Labels of the apps that live below the project's root and have migrations.

    An app without migrations is left alone: naming it would give it its first one.
    """
    try:
        check_conflicts(load_graph(None, check=False))
    except MigratorError:
        return ()  # the graph is broken: each alias's guard says how
    migrated = load_disk().migrated_apps
    return tuple(
        sorted(
            config.label
            for config in apps.get_app_configs()
            if config.label in migrated and _is_own(config, base_dir)
        )
    )


def _is_own(config: AppConfig, base_dir: Path) -> bool:
    path, root = Path(config.path).resolve(), base_dir.resolve()
    # A virtual environment below the project's root holds packages, not the project.
    installed = {
        Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib")
    }
    return (
        path.is_relative_to(root)
        and not any(path.is_relative_to(place) for place in installed)
        and not {"site-packages", "dist-packages"} & set(path.parts)
    )


def run_checks() -> None:
    """The project's own system checks, as Django's migrate runs them.

    Raises:
        MigratorError: One of them found an error, or raised.
    """
    try:
        call_command("check", verbosity=0, stdout=io.StringIO(), stderr=io.StringIO())
    except SystemCheckError as error:
        found = [line for line in str(error).splitlines() if _CHECK.match(line)]
        more = f" (and {len(found) - 1} more)" if found[1:] else ""
        raise MigratorError(
            f"The system checks of the project failed: {found[0]}{more}"
            if found
            else "The system checks of the project failed.",
            hint="Run manage.py check.",
        ) from error
    except Exception as error:
        raise _broken("check", error) from error


def _broken(command: str, error: Exception) -> MigratorError:
    """A command, a check, a router or a model of the project raised something."""
    first = str(error).partition("\n")[0]
    return MigratorError(
        f"manage.py {command} failed: {type(error).__name__}: {first}",
        hint=f"Run manage.py {command} to see where, or use --skip-makemigrations.",
    )


def _call(labels: tuple[str, ...], *, check: bool, interactive: bool) -> str | None:
    """Call the project's makemigrations.

    Returns:
        With `check`: None when there is nothing to write, else what it would write.
    """
    output = io.StringIO()
    errors = io.StringIO()
    try:
        with _no_history_check():
            call_command(
                "makemigrations",
                *labels,
                check_changes=check,
                dry_run=check,
                interactive=interactive,
                verbosity=1,
                stdout=output if check or not interactive else sys.stdout,
                stderr=errors,
            )
    except SystemExit as stop:
        if check and stop.code == 1:
            return _summary(output.getvalue())
        raise DecisionNeeded(
            "makemigrations needs an answer: " + (_last_line(output, errors) or "see its output."),
            hint="Run manage.py makemigrations in a terminal, or use --skip-makemigrations.",
        ) from None
    except CommandError as error:
        raise HistoryInconsistent(
            f"makemigrations failed: {str(error).partition(chr(10))[0]}",
            hint="Run manage.py makemigrations to see it all.",
        ) from error
    except Exception as error:
        raise _broken("makemigrations", error) from error
    return None


def _no_check(self: MigrationLoader, connection: object) -> None:
    del self, connection


@contextmanager
def _no_history_check() -> Iterator[None]:
    """Keep makemigrations from connecting to every database.

    It checks the recorded history of each alias first: one that does not answer would hold up
    all the others, and one with a bad history would fail them. Both are the guards' business,
    alias by alias.
    """
    original = MigrationLoader.check_consistent_history
    MigrationLoader.check_consistent_history = _no_check  # type: ignore[method-assign]
    try:
        yield
    finally:
        MigrationLoader.check_consistent_history = original  # type: ignore[method-assign]


def _summary(text: str) -> str:
    """What makemigrations has said, in one line: the first changes, each with its app."""
    changes: list[str] = []
    app = ""
    for line in text.splitlines():
        if found := _MIGRATIONS_FOR.match(line):
            app = f"{found[1]}: "
        elif line.startswith("    "):
            changes.append(app + line.strip(" -+~"))
    shown = "; ".join(changes[:3])
    return shown + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "") or "see --dry-run"


def _last_line(*streams: io.StringIO) -> str:
    lines = [line for stream in streams for line in stream.getvalue().splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _migration_files(labels: tuple[str, ...]) -> set[Path]:
    found: set[Path] = set()
    for label in labels:
        name, _ = MigrationLoader.migrations_module(label)
        module = importlib.import_module(name) if name else None
        for place in getattr(module, "__path__", ()):
            found.update(Path(place).glob("*.py"))
    return found


def _relative(path: Path, base_dir: Path) -> str:
    return str(path.relative_to(base_dir)) if path.is_relative_to(base_dir) else str(path)
