"""A ProjectState that says which models an operation has touched, and renders nothing.

Django's own state re-renders every related model at each step as soon as somebody has looked
at `state.apps`; nobody looks here. And walking it leaves the operations as they were: Django's
`rename_field` rewrites `to_fields` on field objects that the operations share with the state
(db/migrations/state.py), so a second walk over the same migrations, by the executor or for the
next alias, would start from fields that already carry the new name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from django.db.migrations import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState
from django.db.models import NOT_PROVIDED

from migrator.exceptions import MigratorError
from migrator.sources.renaming import rename_within

ModelKey = tuple[str, str]
"""(app label, lower-case model name), as ProjectState keys its models."""

INERT_OPTIONS = frozenset(
    {
        "base_manager_name",
        "db_table_comment",
        "default_manager_name",
        "default_permissions",
        "default_related_name",
        "get_latest_by",
        "ordering",
        "permissions",
        "select_on_save",
        "verbose_name",
        "verbose_name_plural",
    }
)
"""Options that no column, key, index or router decision depends on."""


class TrackingState(ProjectState):
    """A ProjectState that remembers which models have changed since `take_dirty`."""

    models: dict[ModelKey, ModelState]
    _relations: Any

    def __init__(
        self,
        models: dict[ModelKey, ModelState] | None = None,
        real_apps: set[str] | None = None,
    ) -> None:
        super().__init__(models=models, real_apps=real_apps)
        self.dirty: set[ModelKey] = set(self.models)

    def take_dirty(self) -> set[ModelKey]:
        """The models touched since the last call; removed ones among them."""
        dirty, self.dirty = self.dirty, set()
        return dirty

    def add_model(self, model_state: ModelState) -> None:
        model_state.fields = {name: own_field(field) for name, field in model_state.fields.items()}
        self.dirty.add((model_state.app_label, model_state.name_lower))
        super().add_model(model_state)

    def remove_model(self, app_label: str, model_name: str) -> None:
        self.dirty.add((app_label, model_name))
        super().remove_model(app_label, model_name)

    def add_field(
        self, app_label: str, model_name: str, name: str, field: Any, preserve_default: bool
    ) -> None:
        super().add_field(app_label, model_name, name, own_field(field), preserve_default)

    def alter_field(
        self, app_label: str, model_name: str, name: str, field: Any, preserve_default: bool
    ) -> None:
        field = own_field(field)
        if self._relations is not None:
            super().alter_field(app_label, model_name, name, field, preserve_default)
            return
        # Django looks through every field of every model here, only to decide whether a
        # rendering can wait. Nothing is rendered.
        if not preserve_default:
            field = field.clone()
            field.default = NOT_PROVIDED
        self.models[app_label, model_name].fields[name] = field
        self.dirty.add((app_label, model_name))

    def alter_model_options(
        self,
        app_label: str,
        model_name: str,
        options: dict[str, Any],
        option_keys: Iterable[str] | None = None,
    ) -> None:
        key = app_label, model_name
        before, clean = self.models[key].options, key not in self.dirty
        super().alter_model_options(app_label, model_name, options, option_keys)
        if clean and _schema_options(before) == _schema_options(self.models[key].options):
            self.dirty.discard(key)

    def alter_model_managers(self, app_label: str, model_name: str, managers: Any) -> None:
        self.models[app_label, model_name].managers = list(managers)

    def rename_field(self, app_label: str, model_name: str, old_name: str, new_name: str) -> None:
        super().rename_field(app_label, model_name, old_name, new_name)
        self._rename_in_options(app_label, model_name, old_name, new_name)

    def _rename_in_options(
        self, app_label: str, model_name: str, old_name: str, new_name: str
    ) -> None:
        """Indexes and constraints follow, as they do in the database.

        Django's own state leaves them behind until an operation that makemigrations writes next
        to the RenameField puts new ones in their place.
        """
        options = self.models[app_label, model_name].options
        for option in ("indexes", "constraints"):
            if option in options:
                options[option] = [
                    rename_within(item, old_name, new_name) for item in options[option]
                ]

    def reload_model(self, app_label: str, model_name: str, delay: bool = False) -> None:
        self.dirty.add((app_label, model_name))
        super().reload_model(app_label, model_name, delay)

    def reload_models(self, models: Iterable[ModelKey], delay: bool = True) -> None:
        models = set(models)
        self.dirty.update(models)
        super().reload_models(list(models), delay)

    def clone(self) -> Self:
        copied = {}
        for key, model_state in self.models.items():
            copied[key] = model_state.clone()
            copied[key].fields = {
                name: own_field(field) for name, field in copied[key].fields.items()
            }
        state = type(self)(models=copied, real_apps=self.real_apps)
        state.dirty = set(self.dirty)
        return state

    def forget_rendering(self) -> None:
        """Drop the models that an operation has made Django render, if one has."""
        self.__dict__.pop("apps", None)
        self.is_delayed = False


def apply_state(operation: Operation, app_label: str, state: ProjectState, where: str) -> None:
    """Let one operation mutate the state.

    Args:
        operation: Any operation.
        app_label: App of its migration.
        state: What to mutate.
        where: "app.name" of the migration, for the message.

    Raises:
        MigratorError: The operation does not fit onto the state (a model or a field that is
            not there).
    """
    try:
        operation.state_forwards(app_label, state)
    except Exception as error:
        raise MigratorError(
            f"Migration {where} does not fit onto the migrations before it: "
            f"{operation.describe()} failed with {type(error).__name__}: {error}.",
            hint="Mend the migration, or a dependency that it lacks; nothing was changed.",
        ) from error


def mutate(migration: Migration, state: ProjectState) -> None:
    """Let every operation of a migration mutate the state.

    Raises:
        MigratorError: From `apply_state`.
    """
    for operation in migration.operations:
        apply_state(
            operation, migration.app_label, state, f"{migration.app_label}.{migration.name}"
        )


def own_field(field: Any) -> Any:
    """The field itself, or a clone of one that `rename_field` would write to.

    Args:
        field: Of an operation.
    """
    to_fields = getattr(field, "to_fields", None)
    shared = bool(getattr(field, "field_names", None)) or any(to_fields or ())
    return field.clone() if shared else field


def _schema_options(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in INERT_OPTIONS}
