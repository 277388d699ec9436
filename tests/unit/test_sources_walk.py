"""Keeping tables up to date model by model gives what computing them anew would give."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.core.schema import Table
from migrator.sources import Ownership, Walk, full_plan, recorded_state, state_schema
from tests.history import History


class Life:
    """Random operations that fit onto one another."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.models: dict[str, list[str]] = {}
        self.made = 0

    def name(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}{self.made}"

    def model(self) -> str:
        return self.random.choice(sorted(self.models))

    def field(self) -> Any:
        kind = self.random.randrange(6)
        if kind == 0 and self.models:
            return models.ForeignKey(f"life.{self.model()}", models.CASCADE, null=True)
        if kind == 1 and self.models:
            return models.ManyToManyField(f"life.{self.model()}", related_name="+")
        if kind == 2:
            return models.CharField(max_length=self.random.choice([5, 9]), unique=True)
        return self.random.choice(
            [
                models.IntegerField(db_index=True),
                models.TextField(null=True),
                models.PositiveIntegerField(default=0),
            ]
        )

    def key(self) -> Any:
        kind = self.random.choice([models.AutoField, models.BigAutoField, models.UUIDField])
        return kind(primary_key=True)

    def create(self) -> Any:
        name = self.name("M")
        fields: list[tuple[str, Any]] = [("key", self.key())]
        bases: tuple[Any, ...] = (models.Model,)
        if self.models and self.random.random() < 0.3:
            parent = self.model()
            link = models.OneToOneField(
                f"life.{parent}", models.CASCADE, parent_link=True, primary_key=True
            )
            fields, bases = [(self.name("link"), link)], (f"life.{parent.lower()}",)
        own = [(self.name("f"), self.field()) for _ in range(2)]
        self.models[name] = [field for field, _ in own]
        return migrations.CreateModel(name, [*fields, *own], bases=bases)

    def operation(self) -> Any:
        if len(self.models) < 3:
            return self.create()
        model = self.model()
        fields = self.models[model]
        kind = self.random.randrange(9)
        if kind <= 1:
            return self.create()
        if kind == 2:
            fields.append(self.name("f"))
            return migrations.AddField(model, fields[-1], self.field())
        if kind == 3 and fields:
            return migrations.RemoveField(model, fields.pop())
        if kind == 4 and fields:
            old, fields[0] = fields[0], self.name("f")
            return migrations.RenameField(model, old, fields[0])
        if kind == 5:
            return migrations.AlterModelTable(model, self.name("table_"))
        if kind == 6:
            return migrations.AlterModelOptions(model, {"verbose_name": self.name("v")})
        if kind == 7:
            return self.rename(model)
        return migrations.AlterModelOptions(model, {"ordering": ["pk"]})

    def rename(self, model: str) -> Any:
        children = any(
            f"life.{model.lower()}" in operation.bases
            for operation in self.history
            if isinstance(operation, migrations.CreateModel)
        )
        if children:  # Django itself loses the children of a renamed parent
            return self.create()
        new = self.name("M")
        self.models[new] = self.models.pop(model)
        return migrations.RenameModel(model, new)

    def lived(self, length: int) -> History:
        self.history: list[Any] = []
        history = History()
        for number in range(length):
            operation = self.operation()
            self.history.append(operation)
            history.add("life", f"{number:04}_step", [operation])
        return history


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("vendor", ["postgresql", "sqlite3"])
def test_every_step_agrees_with_a_fresh_computation(
    seed: int, vendor: str, register_alias: Callable[..., BaseDatabaseWrapper]
) -> None:
    entry = {"ENGINE": f"django.db.backends.{vendor}", "NAME": ":memory:", "HOST": "127.0.0.1"}
    connection = register_alias(entry)
    history = Life(seed).lived(30)
    loader = history.graph(connection)
    walk = Walk(loader, Ownership(connection))
    known: dict[str, Table] = {}
    plan = full_plan(loader)
    for index, key in enumerate(plan):
        effect = walk.apply(key)
        for table in (table for operation in effect.operations for table in operation.tables):
            assert known.get(table.key) == table.before
            known.pop(table.key, None)
            if table.after is not None:
                known[table.key] = table.after
        assert known == walk.schema().tables
        partly = history.graph(connection, plan[: index + 1])
        assert state_schema(recorded_state(partly), connection).tables == known, key
    assert len(known) > 3
    assert connection.connection is None
