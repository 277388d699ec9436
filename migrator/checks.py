"""System checks of the settings, with stable ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from migrator.conf import load_settings
from migrator.exceptions import ConfigurationError


def check_settings(
    app_configs: Sequence[AppConfig] | None,  # noqa: ARG001
    **kwargs: Any,  # noqa: ARG001
) -> list[CheckMessage]:
    """E001 a setting that cannot be used; E002, W001 rules that route to nowhere.

    Returns:
        The messages, none for settings that are right.
    """
    from django.apps import apps
    from django.conf import settings

    try:
        loaded = load_settings()
    except ConfigurationError as error:
        return [Error(error.message, hint=error.hint, id="migrator.E001")]
    messages: list[CheckMessage] = []
    labels = {config.label for config in apps.get_app_configs()}
    for label, alias in loaded.routing_rules.items():
        if alias not in settings.DATABASES:
            messages.append(
                Error(
                    f"DATABASE_ROUTING_RULES sends {label!r} to {alias!r}, "
                    "which DATABASES does not have.",
                    hint="Add the alias, or correct the rule.",
                    id="migrator.E002",
                )
            )
        if label not in labels:
            messages.append(
                checks.Warning(
                    f"DATABASE_ROUTING_RULES has a rule for {label!r}, which is no installed app.",
                    hint="Rules are written by app label.",
                    id="migrator.W001",
                )
            )
    return messages


def register_checks() -> None:
    """Register every check with Django."""
    register(check_settings)
