"""Facts about an operation, and about the file that a migration stands in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db.migrations import Migration
from django.db.migrations import operations as django_operations
from django.db.migrations.operations import base as django_base

from migrator.core.effects import OperationEffect
from migrator.core.plan import Operation
from migrator.sources.code import does_nothing
from migrator.sources.scripts import is_empty_sql, read_sql

_OWN_MODULES = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
_PACKAGES = frozenset({"site-packages", "dist-packages"})


def describe_operation(
    operation: django_base.Operation,
    effect: OperationEffect,
    *,
    app: str,
    editor: Any,
    before: Any,
    shown: bool,
    back_to: Any = None,
) -> Operation:
    """What there is to know of an operation beside its SQL.

    Args:
        operation: As in the migration.
        effect: What it does to the schema.
        app: Label of its migration.
        editor: A schema editor of the target, for what Django puts into existing rows.
        before: The state before it.
        shown: Whether its SQL is all that it does.
        back_to: Of an operation that is taken back: the state that this leads to.
    """
    backwards = back_to is not None
    model, field = _subject(operation)
    altered = getattr(operation, "field", None)
    code = isinstance(operation, django_operations.RunPython)
    return Operation(
        index=effect.index,
        kind=effect.kind,
        description=effect.description,
        effect=effect,
        app=app,
        model=model,
        field=field,
        renamed_to=str(getattr(operation, "new_name", "") or "") if _renames(operation) else "",
        reversible=_reversible(operation),
        elidable=bool(operation.elidable),
        fills_rows=_refills_rows(operation, app, editor, before, back_to)
        if backwards
        else _fills_rows(operation, app, editor, before),
        database_default=bool(altered is not None and altered.has_db_default()),
        default_before=not backwards and _had_default(operation, app, before),
        modelled=frozenset() if backwards else _modelled(operation, before),
        own=type(operation).__module__.startswith(_OWN_MODULES),
        atomic=getattr(operation, "atomic", None) if code else None,
        moves_rows=_moves_rows(operation, editor.connection.vendor, backwards=backwards),
        shown=shown,
    )


def source_of(migration: Migration, base_dir: Path) -> tuple[str, bool]:
    """The file of a migration, and whether it is the project's own.

    Args:
        migration: As loaded.
        base_dir: Root of the project.

    Returns:
        Its path, relative to the root where it lies below it, "" when there is none; and whether
        it does, other than in an environment of installed packages.
    """
    module = sys.modules.get(type(migration).__module__)
    name = getattr(module, "__file__", None)
    if not name:
        return "", False
    path, root = Path(name).resolve(), base_dir.resolve()
    if not path.is_relative_to(root):
        return str(path), False
    relative = path.relative_to(root)
    return relative.as_posix(), not _PACKAGES & set(relative.parts)


def ignored_rules(migration: Migration) -> tuple[tuple[str, str], ...]:
    """What `migrator_ignore` of a migration switches off, of its class or of its module.

    Args:
        migration: As loaded.

    Returns:
        Codes with reasons, "" for one that is no text; ("", "") where it is no dictionary.
    """
    module = sys.modules.get(type(migration).__module__)
    found: dict[str, str] = {}
    for place in (module, type(migration)):
        told = getattr(place, "migrator_ignore", None)
        if isinstance(told, Mapping):
            reasons = {str(c): r if isinstance(r, str) else "" for c, r in told.items()}
            found.update(reasons)
        elif told is not None:
            found[""] = ""
    return tuple(sorted(found.items()))


def _subject(operation: Any) -> tuple[str, str]:
    """Names of the model and of the field that an operation is about."""
    if isinstance(operation, django_operations.RenameModel):
        return str(operation.old_name), ""
    if isinstance(operation, django_operations.RenameField):
        return str(operation.model_name), str(operation.old_name)
    name = getattr(operation, "name", "")
    if hasattr(operation, "model_name"):
        fields = (
            django_operations.AddField,
            django_operations.AlterField,
            django_operations.RemoveField,
        )
        return str(operation.model_name), str(name) if isinstance(operation, fields) else ""
    models = "django.db.migrations.operations.models"
    is_model = any(base.__module__ == models for base in type(operation).__mro__)
    return (str(name), "") if is_model else ("", "")


def _renames(operation: Any) -> bool:
    return isinstance(operation, django_operations.RenameModel | django_operations.RenameField)


def _reversible(operation: django_base.Operation) -> bool:
    if isinstance(operation, django_operations.SeparateDatabaseAndState):
        return all(_reversible(part) for part in operation.database_operations)
    return bool(operation.reversible)


def _fills_rows(operation: Any, app: str, editor: Any, before: Any) -> bool:
    """Whether Django puts a Python default into rows that are there."""
    if isinstance(operation, django_operations.SeparateDatabaseAndState):
        return any(_fills_rows(part, app, editor, before) for part in operation.database_operations)
    adds = isinstance(operation, django_operations.AddField)
    alters = isinstance(operation, django_operations.AlterField)
    if not (adds or alters):
        return False
    field = operation.field
    if field.null or field.many_to_many or field.has_db_default() or field.generated:
        return False
    if alters:
        model = before.models.get((app, operation.model_name_lower))
        old = model.fields.get(operation.name) if model else None
        if old is None or not old.null:
            return False
    return _gives_value(field, editor)


def _gives_value(field: Any, editor: Any) -> bool:
    """Whether Django has something to put into rows that are there."""
    if field.is_relation:  # until it is bound to a model, its default cannot be asked for
        return field.has_default() and field.default is not None
    return editor.effective_default(field) is not None


def _had_default(operation: Any, app: str, before: Any) -> bool:
    """Whether models had a Python default other than None for each field that is altered."""
    parts = [
        *getattr(operation, "database_operations", ()),
        *(getattr(operation, "state_operations", None) or ()),
    ]
    altered = [
        each for each in (operation, *parts) if isinstance(each, django_operations.AlterField)
    ]
    fields = [_field_in(before, app, each) for each in altered]
    return bool(fields) and all(
        field is not None and field.has_default() and field.default is not None for field in fields
    )


def _modelled(operation: Any, before: Any) -> frozenset[tuple[str, str]]:
    """Tables and columns of the models, for SQL that drops something, without rendering them."""
    parts = (operation, *getattr(operation, "database_operations", ()))
    sql = [each.sql for each in parts if isinstance(each, django_operations.RunSQL)]
    if not any("drop" in str(each).lower() for each in sql):
        return frozenset()
    found: set[tuple[str, str]] = set()
    for (app, name), model in before.models.items():
        options = model.options
        if not options.get("managed", True) or options.get("proxy"):
            continue
        table = str(options.get("db_table") or f"{app}_{name}")
        found.add((table, ""))
        for field_name, field in model.fields.items():
            if not field.many_to_many:
                name_of = f"{field_name}_id" if field.is_relation else field_name
                found.add((table, str(field.db_column or name_of)))
    return frozenset(found)


def _refills_rows(operation: Any, app: str, editor: Any, before: Any, after: Any) -> bool:
    """The same of an operation that is taken back: a field that comes back, or NOT NULL does."""
    if isinstance(operation, django_operations.SeparateDatabaseAndState):
        parts = operation.database_operations
        return any(_refills_rows(part, app, editor, before, after) for part in parts)
    removed = isinstance(operation, django_operations.RemoveField)
    if not (removed or isinstance(operation, django_operations.AlterField)):
        return False
    field = _field_in(after, app, operation)
    if field is None or field.null or field.many_to_many or field.has_db_default():
        return False
    if not removed:
        old = _field_in(before, app, operation)
        if old is None or not old.null:
            return False
    return not field.generated and _gives_value(field, editor)


def _field_in(state: Any, app: str, operation: Any) -> Any:
    model = state.models.get((app, operation.model_name_lower))
    return model.fields.get(operation.name) if model else None


def _moves_rows(operation: Any, vendor: str, *, backwards: bool = False) -> bool:
    if isinstance(operation, django_operations.SeparateDatabaseAndState):
        parts = operation.database_operations
        return any(_moves_rows(part, vendor, backwards=backwards) for part in parts)
    if isinstance(operation, django_operations.RunPython):
        code = operation.reverse_code if backwards else operation.code
        if code is None:
            return False
        return not (code is django_operations.RunPython.noop or does_nothing(code))
    if isinstance(operation, django_operations.RunSQL):
        sql = operation.reverse_sql if backwards else operation.sql
        return not is_empty_sql(sql) and read_sql(sql, vendor).moves_rows
    return False
