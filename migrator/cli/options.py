"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

META = "migrator."
"""Where in click's context the options of this call are kept."""

F = TypeVar("F", bound=Callable[..., Any])


def kept(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that keeps an option where all verbs of this call find it."""

    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        if value:
            context.meta[META + name] = value
        return value

    return keep


def journal_options(command: F) -> F:
    """Where the journal is; taken by the group and by each of its verbs alike."""
    options = (
        click.option(
            "--journal",
            metavar="URL",
            expose_value=False,
            callback=kept("journal"),
            help="The journal's URL, or the path of its SQLite file.",
        ),
        click.option(
            "--settings",
            metavar="MODULE",
            expose_value=False,
            callback=kept("settings"),
            help="Settings module that names the journal.",
        ),
        click.option(
            "-v",
            "--verbose",
            is_flag=True,
            expose_value=False,
            callback=kept("verbose"),
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


def settings_option(command: F) -> F:
    """`--settings`, for verbs that need the project."""
    return click.option("--settings", metavar="MODULE", help="The project's settings module.")(
        command
    )


def database_option(command: F) -> F:
    """`--database`, repeatable."""
    return click.option(
        "--database",
        "databases",
        metavar="ALIAS",
        multiple=True,
        help="Only this alias (repeatable).",
    )(command)
