"""The schema that migration state stands for, on one database, as plain data.

Each model is rendered alone, and only when it, or a key that it refers to, has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.state import ProjectState

from migrator.core.effects import TableEffect
from migrator.core.schema import Schema, Table
from migrator.sources.ownership import Ownership
from migrator.sources.rendering import (
    mark_implicit,
    parents_of,
    real_model,
    remote_field_of,
    remote_key,
    render_alone,
)
from migrator.sources.tables import TableBuilder, is_foreign_key
from migrator.sources.tracking import ModelKey

Owns = Callable[[type[models.Model]], bool]
"""Whether a model belongs to the database concerned."""

Reference = tuple[ModelKey, str | None]
"""What a foreign key names: a model, and a field of it (None: its primary key)."""

Target = tuple[str, str, str, str]
"""What it gets from there: table key, column, type, collation."""


def state_schema(
    state: ProjectState, connection: BaseDatabaseWrapper, *, owns: Owns | None = None
) -> Schema:
    """The schema that a state stands for, on one database.

    Holds the tables of the models that the routers put there and of their automatic
    many-to-many tables; proxies, unmanaged and swapped-out models have none. What is stated
    about a table, and what is not, is in `migrator.sources.tables`.

    Args:
        state: Any project state; it is not rendered and not changed.
        connection: Of the database concerned.
        owns: Whether a model, rendered from the state, belongs there; by default what the
            project's routers say (`Ownership.owns`).

    Returns:
        Tables with `model` set, by key.

    Raises:
        ConfigurationError: A router fails, or the vendor is not supported.
    """
    return StateTables(state, connection, owns or Ownership(connection).owns).schema()


class StateTables:
    """The tables of a state that is being mutated, kept up to date model by model."""

    def __init__(self, state: ProjectState, connection: BaseDatabaseWrapper, owns: Owns) -> None:
        self.state = state
        self.connection = connection
        self.owns = owns
        self.builder = TableBuilder(connection, self._link)
        self._classes: dict[ModelKey, type[models.Model]] = {}
        self._tables: dict[ModelKey, dict[str, Table]] = {}
        self._targets: dict[ModelKey, dict[Reference, Target | None]] = {}
        self._referrers: dict[ModelKey, set[ModelKey]] = {}
        self._building: ModelKey | None = None
        self.refresh(state.models)

    # -- reading -------------------------------------------------------------------

    def schema(self) -> Schema:
        """Everything, as of now."""
        tables: dict[str, Table] = {}
        for key in sorted(self._tables):
            for name, table in self._tables[key].items():
                tables.setdefault(name, table)
        return Schema(vendor=self.connection.vendor, tables=dict(sorted(tables.items())))

    def tables_of(self, key: ModelKey) -> dict[str, Table]:
        """The tables of one model on this database: its own and its many-to-many ones."""
        return self._tables.get(key, {})

    def owned_classes(self) -> tuple[type[models.Model], ...]:
        """The models that have a table on this database, as of now."""
        return tuple(self._classes[key] for key in sorted(self._tables) if key in self._classes)

    def state_labels(self) -> dict[str, bool | None]:
        """Apps of the state: whether one has a table here; None where it has no model at all."""
        labels: dict[str, bool | None] = {}
        for (label, _), model in self._classes.items():
            migrates = model._meta.can_migrate(self.connection)
            labels[label] = labels.get(label) or (False if migrates else labels.get(label))
        for (label, _), tables in self._tables.items():
            labels[label] = bool(tables) or labels.get(label)
        return labels

    def owned_tables(self) -> frozenset[str]:
        """Keys of the tables that belong to this database."""
        return frozenset(name for tables in self._tables.values() for name in tables)

    # -- keeping up ------------------------------------------------------------------

    def refresh(self, dirty: Iterable[ModelKey]) -> tuple[TableEffect, ...]:
        """Compute anew what changed, and whatever refers to what changed.

        Args:
            dirty: Models that were added, changed or removed.

        Returns:
            Every table that is not what it was, by key.
        """
        before: dict[ModelKey, dict[str, Table]] = {}
        queue = set(dirty)
        while queue:
            batch, queue = queue | self._descendants(queue), set()
            for key in batch:
                before.setdefault(key, self._tables.get(key, {}))
                self._forget(key)
            for key in sorted(batch):
                if key in self.state.models:
                    self._compute(key)
            for key in batch:
                queue.update(self._stale_referrers(key))
        return _effects(before, self._tables)

    def scratch(self, state: ProjectState) -> StateTables:
        """A copy to try things on, for a state that is a copy of this one's."""
        copy = StateTables.__new__(StateTables)
        copy.state = state
        copy.connection, copy.owns = self.connection, self.owns
        copy.builder = TableBuilder(self.connection, copy._link)
        copy._classes = dict(self._classes)
        copy._tables = dict(self._tables)
        copy._targets = dict(self._targets)
        copy._referrers = {key: set(keys) for key, keys in self._referrers.items()}
        copy._building = None
        return copy

    def _forget(self, key: ModelKey) -> None:
        self._classes.pop(key, None)
        self._tables.pop(key, None)
        for remote, _ in self._targets.pop(key, {}):
            self._referrers[remote].discard(key)

    def _compute(self, key: ModelKey) -> None:
        model = self._class(key)
        if model is None or not self.owns(model):
            return
        self._building = key
        made = {}
        try:
            for owner in (model, *_automatic_models(model)):
                options = self.state.models[key].options if owner is model else {}
                table = self.builder.build(owner, options)
                made[table.key] = table
        finally:
            self._building = None
        self._tables[key] = made

    def _class(self, key: ModelKey) -> type[models.Model] | None:
        if key not in self.state.models:
            return real_model(self.state, key)
        if key not in self._classes:
            self._classes[key] = render_alone(self.state, key)
        return self._classes[key]

    def _descendants(self, keys: Iterable[ModelKey]) -> set[ModelKey]:
        """Children are rendered with their parents' fields, proxies stand for their parents."""
        found: set[ModelKey] = set()
        level = set(keys)
        children = self._children()
        while level:
            level = {child for key in level for child in children.get(key, ())} - found
            found |= level
        return found

    def _children(self) -> dict[ModelKey, set[ModelKey]]:
        children: dict[ModelKey, set[ModelKey]] = {}
        for key, model_state in self.state.models.items():
            for base in model_state.bases:  # of every model at each step: most have a class alone
                if isinstance(base, str):
                    for parent in parents_of(model_state):
                        children.setdefault(parent, set()).add(key)
                    break
        return children

    # -- foreign keys ------------------------------------------------------------------

    def _link(self, field: Any, model: type[models.Model]) -> Any | None:
        """Tie a foreign key to the class that it names, so that Django can tell its type."""
        remote = remote_key(field, model)
        name = field.remote_field.field_name
        target = self._tie(field, remote)
        if self._building is not None:
            facts = self._facts(target)
            self._targets.setdefault(self._building, {})[remote, name] = facts
            self._referrers.setdefault(remote, set()).add(self._building)
        return target

    def _tie(self, field: Any, remote: ModelKey) -> Any | None:
        if isinstance(field.remote_field.model, str):
            related = self._class(remote)
            if related is None:
                return None
            field.remote_field.model = related
            field.__dict__.pop("related_model", None)
        related = field.remote_field.model
        target: Any = remote_field_of(related, field.remote_field.field_name)
        if target is None:
            return None
        # The key of the other model may itself be a reference: a parent link, say.
        chained = is_foreign_key(target) and isinstance(target.remote_field.model, str)
        if chained and self._tie(target, remote_key(target, target.model)) is None:
            return None
        return target

    def _facts(self, target: Any | None) -> Target | None:
        if target is None:
            return None
        return (
            self.builder.key(target.model),
            target.column,
            *self.builder.type_of(target),
        )

    def _stale_referrers(self, key: ModelKey) -> set[ModelKey]:
        """The models whose foreign keys to this one would get something else now."""
        stale: set[ModelKey] = set()
        for referrer in self._referrers.get(key, ()):
            for (remote, name), facts in self._targets[referrer].items():
                if remote == key and self._lookup(key, name) != facts:
                    stale.add(referrer)
        return stale

    def _lookup(self, key: ModelKey, name: str | None) -> Target | None:
        model = self._class(key)
        target: Any = remote_field_of(model, name) if model else None
        if target is None:
            return None
        if is_foreign_key(target) and self._tie(target, remote_key(target, target.model)) is None:
            return None
        return self._facts(target)


def _automatic_models(model: type[models.Model]) -> Iterable[type[models.Model]]:
    for field in model._meta.local_many_to_many:
        through: Any = field.remote_field.through
        if not isinstance(through, str) and through._meta.auto_created:
            mark_implicit(through)
            yield through


def _effects(
    before: dict[ModelKey, dict[str, Table]], now: dict[ModelKey, dict[str, Table]]
) -> tuple[TableEffect, ...]:
    old: dict[str, Table] = {}
    new: dict[str, Table] = {}
    for key in sorted(before):
        old.update(before[key])
        new.update(now.get(key, {}))
    return tuple(
        TableEffect(key=name, before=old.get(name), after=new.get(name))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )
