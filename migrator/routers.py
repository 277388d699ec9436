"""A small router: each app lives in the database that `DATABASE_ROUTING_RULES` gives it.

DATABASE_ROUTERS = ["migrator.routers.AppRouter"]
DATABASE_ROUTING_RULES = {"blog": "blog_db", "shop": "shop_db"}
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.core.signals import setting_changed
from django.db import DEFAULT_DB_ALIAS

from migrator.conf import load_settings


@cache
def _rules() -> Mapping[str, str]:
    """Read once: a router is asked for every query."""
    return load_settings().routing_rules


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "DATABASE_ROUTING_RULES":
        _rules.cache_clear()


setting_changed.connect(_forget, dispatch_uid="migrator.routers")


class AppRouter:
    """Routes by app label; apps without a rule live in "default" alone."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        """The alias of the model's app.

        Args:
            model: The model class that is read.

        Returns:
            None where there is no rule, so that Django's own choice stands: the database that
            the instance at hand came from, or "default".
        """
        return _rules().get(model._meta.app_label)

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        """The alias of the model's app; as `db_for_read`."""
        return self.db_for_read(model, **hints)

    def allow_relation(self, obj1: Any, obj2: Any, **_: Any) -> bool | None:
        """Whether two objects may be related: only where their apps share a database.

        No foreign key can span two databases, so a relation between them is refused, wherever
        the objects were loaded from.

        Returns:
            None where neither app has a rule, which leaves it to Django (same database only).
        """
        rules = _rules()
        one, other = obj1._meta.app_label, obj2._meta.app_label
        if one not in rules and other not in rules:
            return None
        return rules.get(one, DEFAULT_DB_ALIAS) == rules.get(other, DEFAULT_DB_ALIAS)

    def allow_migrate(
        self,
        db: str,
        app_label: str,
        model_name: str | None = None,  # noqa: ARG002 - Django passes it by name
        **hints: Any,
    ) -> bool:
        """Whether operations of an app run on an alias.

        Args:
            db: Alias.
            app_label: App of the migration; a model given as a hint has the last word, since
                RunPython and RunSQL may name a model of another app.
            model_name: Not needed: rules are for whole apps.
            hints: `model`, where Django or the operation gives one.
        """
        meta = getattr(hints.get("model"), "_meta", None)
        label = getattr(meta, "app_label", app_label)
        return db == _rules().get(label, DEFAULT_DB_ALIAS)
