"""Model classes out of migration state, one at a time.

`state.apps` renders every model with every relation between them, which is most of the cost of
Django's migrations. A class is all that is needed here: it lets custom fields contribute what
they want (`contribute_to_class`), it is the hint that routers are given, and its relations may
stay strings until somebody asks for the type of a foreign key.
"""

from __future__ import annotations

import copy
import types
from typing import Any

from django.apps.registry import Apps
from django.apps.registry import apps as global_apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.utils import resolve_relation

from migrator.exceptions import MigratorError
from migrator.sources.tracking import ModelKey


class LonelyApps(Apps):
    """A registry for one model and its parents: no caches to clear, nothing to warn about."""

    def __init__(self) -> None:
        super().__init__()
        self.all_models.clear()

    def register_model(self, app_label: str, model: type[models.Model]) -> None:
        self.all_models[app_label][str(model._meta.model_name)] = model
        self.do_pending_operations(model)

    def clear_cache(self) -> None:
        """Django clears the caches of every registry of the process here."""


def render_alone(state: ProjectState, key: ModelKey) -> type[models.Model]:
    """The class of one model as of this state, with real parents and unresolved relations.

    Args:
        state: Where the model is.
        key: Which one.

    Returns:
        A class in a registry of its own; foreign keys to other models are still strings.

    Raises:
        MigratorError: The migrations add up to something that is no model.
    """
    try:
        return _render(state, key, LonelyApps(), frozenset())
    except Exception as error:
        raise MigratorError(
            f"The migrations of {key[0]} do not make a valid model of {key[1]}: "
            f"{type(error).__name__}: {error}",
            hint="Django's migrate would fail there too: mend the migration that changed it last.",
        ) from error


def _render(
    state: ProjectState, key: ModelKey, apps: LonelyApps, above: frozenset[ModelKey]
) -> type[models.Model]:
    model_state = state.models[key]
    options = dict(model_state.options)
    options.pop("index_together", None)  # no Meta attribute any more, but state still has it
    meta = type("Meta", (), {"app_label": model_state.app_label, "apps": apps, **options})
    body: dict[str, Any] = {name: _fresh(field) for name, field in model_state.fields.items()}
    body.update(Meta=meta, __module__="__fake__")
    bases = _bases(state, model_state, apps, above | {key})
    model: type[models.Model] = types.new_class(
        model_state.name, bases, exec_body=lambda namespace: namespace.update(body)
    )
    if model._meta.pk is not None and "id" not in model_state.fields:
        mark_implicit(model)
    return model


def mark_implicit(model: type[models.Model]) -> None:
    """Note that Django itself gave this model its id: no migration says of which type.

    It got what DEFAULT_AUTO_FIELD said on the day that the table was made, and changing the
    setting alters no such column.
    """
    field: Any = model._meta.pk
    if field.auto_created and not field.is_relation and field.model is model:
        field.is_implicit = True


def is_implicit(field: Any) -> bool:
    """Whether the type of a field is, or comes from, that of an id of no migration's making."""
    if isinstance(field, models.ForeignKey):
        related: Any = field.remote_field.model
        if isinstance(related, str):
            return False
        return is_implicit(remote_field_of(related, field.remote_field.field_name))
    return bool(getattr(field, "is_implicit", False))


def _fresh(field: Any) -> Any:
    """A copy to bind to a class: `clone()`, or for a plain field of Django's the same, faster.

    Cloning takes a field apart and calls its constructor, which is a third of a rendering.
    """
    plain = type(field).__module__.startswith("django.db.models.fields")
    if not plain or field.is_relation or getattr(field, "field_names", None):
        return field.clone()
    copied = copy.copy(field)
    copied.name = None
    copied.creation_counter = models.Field.creation_counter
    models.Field.creation_counter += 1
    return copied


def _bases(
    state: ProjectState, model_state: ModelState, apps: LonelyApps, above: frozenset[ModelKey]
) -> tuple[type, ...]:
    """Parents are rendered into the same registry: parent links and proxies need them."""
    bases: list[type] = []
    for base in model_state.bases:
        if not isinstance(base, str):
            bases.append(base)
            continue
        key = _key(base, (model_state.app_label, model_state.name_lower))
        rendered = apps.all_models[key[0]].get(key[1])
        if rendered is None and key in state.models and key not in above:
            rendered = _render(state, key, apps, above)
        rendered = rendered or real_model(state, key)
        if rendered is not None:
            bases.append(rendered)
    if not any(issubclass(base, models.Model) for base in bases):
        bases.append(models.Model)
    return tuple(bases)


def real_model(state: ProjectState, key: ModelKey) -> type[models.Model] | None:
    """The model of an app without migrations, which the state takes from the project itself."""
    if key[0] not in state.real_apps:
        return None
    try:
        return global_apps.get_model(*key)
    except LookupError:
        return None


def parents_of(model_state: ModelState) -> tuple[ModelKey, ...]:
    """The models that a model inherits from, by key."""
    own = (model_state.app_label, model_state.name_lower)
    return tuple(_key(base, own) for base in model_state.bases if isinstance(base, str))


def remote_key(field: Any, model: type[models.Model]) -> ModelKey:
    """The key of the model that a relation points to, resolved or not."""
    return _key(field.remote_field.model, (model._meta.app_label, str(model._meta.model_name)))


def remote_field_of(model: type[models.Model], name: str | None) -> Any | None:
    """The field that a foreign key to this model refers to; None when it does not exist."""
    if name is None:
        return model._meta.pk
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _key(model: Any, scope: ModelKey) -> ModelKey:
    app_label, model_name = resolve_relation(model, *scope)
    return str(app_label), str(model_name).lower()
