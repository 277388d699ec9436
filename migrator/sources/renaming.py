"""Indexes and constraints that follow a field which is renamed, as they do in the database.

Django's own state leaves them behind until an operation that makemigrations writes next to the
RenameField puts new ones in their place.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from django.db.models import F, Q
from django.db.models.constants import LOOKUP_SEP


def rename_within(item: Any, old: str, new: str) -> Any:
    """An index or constraint that names a field anew.

    Args:
        item: Of a model's options.
        old, new: Names of the field.

    Returns:
        A copy; the item itself where it does not name the field.
    """
    changed: dict[str, Any] = {}
    names = {old: new, f"-{old}": f"-{new}"}
    for attribute in ("fields", "include"):
        value = getattr(item, attribute, None)
        if value and names.keys() & set(value):
            changed[attribute] = type(value)(names.get(name, name) for name in value)
    if "fields" in changed and getattr(item, "fields_orders", None):
        changed["fields_orders"] = [
            (names.get(name, name), order) for name, order in item.fields_orders
        ]
    for attribute in ("expressions", "condition"):
        value = getattr(item, attribute, None)
        renamed = _within(value, old, new)
        if renamed is not value:
            changed[attribute] = renamed
    if not changed:
        return item
    found = copy(item)
    for attribute, value in changed.items():
        setattr(found, attribute, value)
    return found


def _within(value: Any, old: str, new: str) -> Any:
    """An expression, a condition or a sequence of them; the same object if nothing changes."""
    if isinstance(value, F):
        path: str = value.name  # type: ignore[attr-defined]  # django-stubs have none
        name = _path(path, old, new)
        if name == path:
            return value
        found = copy(value)
        found.name = name  # type: ignore[attr-defined]
        return found
    if isinstance(value, Q):
        return _in_condition(value, old, new)
    if isinstance(value, list | tuple):
        inside = [_within(each, old, new) for each in value]
        if all(one is other for one, other in zip(inside, value, strict=True)):
            return value
        return type(value)(inside)
    if not hasattr(value, "get_source_expressions"):
        return value
    sources = value.get_source_expressions()
    renamed = _within(sources, old, new)
    if renamed is sources:
        return value
    found = value.copy()
    found.set_source_expressions(list(renamed))
    return found


def _in_condition(condition: Q, old: str, new: str) -> Q:
    children: list[Any] = []
    for child in condition.children:
        if isinstance(child, tuple):
            lookup, value = child
            renamed = _path(lookup, old, new), _within(value, old, new)
            same = renamed[0] == lookup and renamed[1] is value
            children.append(child if same else renamed)
        else:
            children.append(_within(child, old, new))
    if all(one is other for one, other in zip(children, condition.children, strict=True)):
        return condition
    found = copy(condition)
    found.children = children
    return found


def _path(path: str, old: str, new: str) -> str:
    """`old`, or a lookup that begins with it, with the new name."""
    name, separator, rest = path.partition(LOOKUP_SEP)
    return f"{new}{separator}{rest}" if name == old else path
