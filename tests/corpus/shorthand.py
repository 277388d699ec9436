"""Short names for what the cases are made of."""

from __future__ import annotations

from django.db import migrations, models

M = migrations
SQL = M.RunSQL
NOOP = SQL.noop
PYTHON_NOOP = M.RunPython.noop


def add(model: str, name: str, field: models.Field) -> M.AddField:
    return M.AddField(model, name, field)


def alter(model: str, name: str, field: models.Field) -> M.AlterField:
    return M.AlterField(model, name, field)


def index(model: str, name: str, *fields: str, **more: object) -> M.AddIndex:
    return M.AddIndex(model, models.Index(fields=fields, name=name, **more))


def check(condition: models.Q, name: str = "corpus_check") -> models.CheckConstraint:
    return models.CheckConstraint(condition=condition, name=name)


def unique(*fields: str, name: str = "corpus_uniq", **more: object) -> models.UniqueConstraint:
    return models.UniqueConstraint(fields=fields, name=name, **more)


Q = models.Q
Int, Char, Text, Big = (
    models.IntegerField,
    models.CharField,
    models.TextField,
    models.BigIntegerField,
)
