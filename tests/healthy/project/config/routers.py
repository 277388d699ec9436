"""Four databases: accounts and sites of everybody, the rest of each app on one of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings

from config.placement import SHARED, chosen


@cache
def _aliases() -> dict[str, str]:
    """App label → alias, by the entries of INSTALLED_APPS."""
    placed = chosen(settings.GROUP)
    aliases = {entry: alias for alias, entries in placed.items() for entry in entries}
    found = {}
    for config in apps.get_app_configs():
        path = f"{type(config).__module__}.{type(config).__qualname__}"
        found[config.label] = aliases.get(config.name) or aliases.get(path) or "default"
    return found


class Placement:
    """Shared apps live everywhere (foreign keys point to them), all others in one place."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        """Where a model's app is; shared ones are read from wherever the hint comes from."""
        label = model._meta.app_label
        return None if label in SHARED else _aliases().get(label)

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        """As for reading."""
        return self.db_for_read(model, **hints)

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool | None:
        """Relations to shared apps are what they are shared for."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """An app's operations run where it lives."""
        return app_label in SHARED or _aliases().get(app_label, "default") == db
