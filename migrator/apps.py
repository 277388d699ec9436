"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class MigratorConfig(AppConfig):
    """Registers the commands and the system checks. It has no models and no tables."""

    name = "migrator"
    verbose_name = "Migrator"

    def ready(self) -> None:
        """Register the system checks."""
        from migrator import checks

        checks.register_checks()
