"""Which models and apps belong to one database, asked of the project's own routers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models, router
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.exceptions import ConfigurationError

if TYPE_CHECKING:
    from migrator.sources.state import StateTables


class Ownership:
    """What the routers of the project put on one alias.

    Asks exactly what Django's operations ask (`Operation.allow_migrate_model`, `RunPython`,
    `RunSQL`), with the model class of that point in history as the hint.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.alias = connection.alias

    def owns(self, model: type[models.Model]) -> bool:
        """Whether operations on this model do anything here.

        Args:
            model: A class rendered from state.

        Raises:
            ConfigurationError: A router fails.
        """
        if not model._meta.can_migrate(self.connection):
            return False  # proxy, unmanaged, swapped out, or meant for another vendor
        return self.runs(model._meta.app_label, model_name=model._meta.model_name, model=model)

    def runs(self, app_label: str, **hints: Any) -> bool:
        """Whether an operation of this app that names no model runs here.

        Args:
            app_label: App of the migration.
            hints: The operation's own.

        Raises:
            ConfigurationError: A router fails.
        """
        try:
            return bool(router.allow_migrate(self.alias, app_label, **hints))
        except Exception as error:
            about = hints.get("model_name")
            raise ConfigurationError(
                f"A database router failed on allow_migrate({self.alias!r}, {app_label!r}"
                f"{f', model_name={about!r}' if about else ''}): "
                f"{type(error).__name__}: {error}.",
                hint="See DATABASE_ROUTERS; routers are given models as of each migration.",
            ) from error

    def owned_apps(self, tables: StateTables) -> frozenset[str]:
        """Apps with a table on this database, or without any model and allowed to run here.

        Args:
            tables: Of the state concerned, usually the newest.
        """
        labels = tables.state_labels()
        return frozenset(
            label
            for label, owned in labels.items()
            if owned or (owned is None and self.runs(label))
        )
