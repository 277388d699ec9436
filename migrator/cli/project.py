"""Find the project's settings; import nothing of Django before they are really asked for."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.exceptions import ConfigurationError, MigratorError, UsageError

if TYPE_CHECKING:
    from migrator.conf import Settings

JOURNAL_VARIABLE = "MIGRATOR_JOURNAL_URL"
WITHOUT_PROJECT = (
    f"Name the journal itself with --journal URL or {JOURNAL_VARIABLE}; "
    "then the project is not needed."
)
_WITH_PROJECT = (
    "Run it in the directory of manage.py, with the project's packages, "
    "or name another module with --settings."
)
_SETTINGS_IN_MANAGE = re.compile(
    r"""DJANGO_SETTINGS_MODULE["']\s*(?:,|\]\s*=)\s*["'](?P<module>[\w.]+)["']"""
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


def settings_of(module: str, *, hint: str = WITHOUT_PROJECT) -> Settings:
    """Load a settings module; what it prints goes to standard error.

    Args:
        module: Its dotted name.
        hint: What to do when it does not load.

    Raises:
        ConfigurationError: It does not load, or what it says cannot be used.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = module
    if str(Path.cwd()) not in sys.path:  # a console script's own path holds its bin directory
        sys.path.insert(0, str(Path.cwd()))
    try:
        # Settings that print while they load must not end up in a JSON document.
        with contextlib.redirect_stdout(sys.stderr):
            from migrator.conf import load_settings

            return load_settings()
    except MigratorError:
        raise
    except (Exception, SystemExit) as error:  # a settings module may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigurationError(
            f"The settings module {module!r} does not load: {reason}",
            hint=hint,
        ) from error


def set_up_project(settings: str | None) -> Settings:
    """Load the project, its apps included.

    Args:
        settings: `--settings`.

    Raises:
        UsageError: Nobody names a settings module.
        ConfigurationError: The project does not load.
    """
    module, _ = locate_settings(settings)
    if not module:
        raise UsageError(
            f"Which project? There is no manage.py in {Path.cwd()}.",
            hint="Give --settings MODULE, or set DJANGO_SETTINGS_MODULE.",
        )
    found = settings_of(module, hint=_WITH_PROJECT)
    import django

    try:
        with contextlib.redirect_stdout(sys.stderr):
            django.setup()
    except Exception as error:  # any app may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigurationError(
            f"The project of {module!r} does not load: {reason}",
            hint="`python manage.py check` shows where.",
        ) from error
    return found
