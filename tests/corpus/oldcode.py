"""The statements of the code that is still running, as its models would send them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.state import ProjectState

_SPECIAL = (1, 3, 5)


class OldCode:
    """The models before, and rows like those that are there.

    Args:
        connection: Where they are, before anything has been applied.
        state: The models.
    """

    def __init__(self, connection: BaseDatabaseWrapper, state: ProjectState) -> None:
        self._connection = connection
        self._models = list(state.apps.get_models(include_auto_created=True))
        self._samples: dict[type[models.Model], list[models.Model]] = {}
        self._distinct: dict[type[models.Model], set[str]] = {}
        for model in self._models:
            rows = model._default_manager.using(connection.alias).order_by("pk")
            last = list(rows.reverse()[:200])
            self._samples[model] = [*rows.filter(pk__in=_SPECIAL), *last[:2]]
            self._distinct[model] = {
                field.attname
                for field in model._meta.concrete_fields
                if len({str(getattr(row, field.attname)) for row in last}) == len(last) > 1
            }

    def failures(self) -> dict[str, str]:
        """The statements that fail now, with the first line of the error."""
        found = {}
        for name, run in self._statements():
            try:
                with transaction.atomic(using=self._connection.alias):
                    run()
                    if self._connection.vendor == "postgresql":
                        with self._connection.cursor() as cursor:
                            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                    transaction.set_rollback(True, using=self._connection.alias)
            except Exception as error:  # a driver's value that Django cannot convert, too
                if "did not affect any rows" not in str(error):  # that row is gone
                    found[name] = (str(error).splitlines() or [""])[0]
        return found

    def _statements(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        using = self._connection.alias
        for model in self._models:
            table = model._meta.db_table
            objects = model._base_manager.using(using)
            yield f"SELECT {table}", lambda o=objects: list(o.order_by("pk")[:1])  # type: ignore[misc]
            samples = self._samples[model]
            if samples:
                last, copy = samples[-1], _same(samples[-1])
                yield f"UPDATE {table}", lambda row=last: row.save(using=using, force_update=True)  # type: ignore[misc]
                yield f"DELETE {table}", lambda row=copy: row.delete(using=using)  # type: ignore[misc]
            for number, row in enumerate(samples):
                yield f"INSERT {table} like row {number}", self._insert(self._fresh(row))
            yield f"INSERT {table} with the least", self._insert(self._least(model))
            if samples:
                yield f"INSERT {table} with the longest", self._insert(self._most(samples[-1]))

    def _insert(self, row: models.Model) -> Callable[[], Any]:
        return lambda: row.save(using=self._connection.alias, force_insert=True)

    def _fresh(self, row: models.Model) -> models.Model:
        """Like it, but what differs in every row differs here too."""
        new = _same(row)
        for field in row._meta.concrete_fields:
            value = getattr(row, field.attname)
            if field.primary_key:
                setattr(new, field.attname, None)
            elif isinstance(field, models.GeneratedField):
                continue
            elif field.attname in self._distinct[type(row)] and not field.is_relation:
                setattr(new, field.attname, _another(value))
        return new

    def _least(self, model: type[models.Model]) -> models.Model:
        """Only what the model asks for."""
        values: dict[str, Any] = {}
        sample = next(iter(self._samples[model]), None)
        like = self._fresh(sample) if sample is not None else None
        for field in model._meta.concrete_fields:
            given = field.has_default() or field.has_db_default() or field.null
            if field.primary_key or given or isinstance(field, models.GeneratedField):
                continue
            values[field.attname] = getattr(like, field.attname) if like else _any(field)
        return model(**values)

    def _most(self, row: models.Model) -> models.Model:
        """With the longest texts and the largest numbers that the models take."""
        new = self._fresh(row)
        for field in row._meta.concrete_fields:
            if isinstance(field, models.CharField) and field.max_length:
                setattr(new, field.attname, "z" * field.max_length)
            elif isinstance(field, models.TextField):
                setattr(new, field.attname, "z" * 5000)
            elif isinstance(field, models.DecimalField):
                digits, places = field.max_digits or 0, field.decimal_places or 0
                setattr(new, field.attname, Decimal("9" * digits).scaleb(-places))
            elif type(field) is models.BigIntegerField:
                setattr(new, field.attname, 2**63 - 1)
        return new


def _same(row: models.Model) -> models.Model:
    new = type(row)()
    for field in row._meta.concrete_fields:
        if not isinstance(field, models.GeneratedField):
            setattr(new, field.attname, getattr(row, field.attname))
    return new


def _another(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value + 1_000_000
    if isinstance(value, str):
        return str(int(value) + 1_000_000) if value.isdigit() else value[:-1] + "~"
    return value


def _any(field: models.Field[Any, Any]) -> Any:
    return "z" if isinstance(field, models.CharField | models.TextField) else 1
