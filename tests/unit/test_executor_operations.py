"""What is concluded about an operation from what it is."""

from __future__ import annotations

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

from migrator.executor.operations import Nature, is_plain_dml, nature_of

INDEX = models.Index(fields=["name"], name="pet_name_idx")
CHECK = models.CheckConstraint(condition=models.Q(age__gt=0), name="pet_age")


class Partition(Operation):
    """An operation of a package's own."""


class OnlineIndex(migrations.AddIndex):
    """An index built in a way of its own."""


def code(apps: object, schema_editor: object) -> None:
    """A data migration."""


@pytest.mark.parametrize(
    ("operation", "nature"),
    [
        (migrations.CreateModel("Pet", []), Nature.SCHEMA),
        (migrations.AddIndex("Pet", INDEX), Nature.SCHEMA),
        (AddConstraintNotValid("Pet", CHECK), Nature.SCHEMA),
        (AddIndexConcurrently("Pet", INDEX), Nature.INDEX),
        (OnlineIndex("Pet", INDEX), Nature.INDEX),
        (migrations.RunPython(code), Nature.CODE),
        (migrations.RunSQL("UPDATE pet SET age = 1"), Nature.CODE),
        (migrations.RunPython(migrations.RunPython.noop), Nature.INERT),
        (migrations.RunSQL(migrations.RunSQL.noop), Nature.INERT),
        (migrations.AlterModelOptions("Pet", {"ordering": ["name"]}), Nature.INERT),
        (Partition(), Nature.CUSTOM),
        (migrations.SeparateDatabaseAndState([], [migrations.DeleteModel("Pet")]), Nature.INERT),
        (migrations.SeparateDatabaseAndState([migrations.DeleteModel("Pet")]), Nature.SCHEMA),
        (
            migrations.SeparateDatabaseAndState([AddIndexConcurrently("Pet", INDEX)]),
            Nature.INDEX,
        ),
        (
            migrations.SeparateDatabaseAndState(
                [migrations.DeleteModel("Pet"), migrations.RunPython(code)]
            ),
            Nature.CODE,
        ),
        (
            migrations.SeparateDatabaseAndState(
                [migrations.DeleteModel("Pet"), AddIndexConcurrently("Pet", INDEX)]
            ),
            Nature.CUSTOM,
        ),
    ],
)
def test_nature(operation: Operation, nature: Nature) -> None:
    assert nature_of(operation) is nature


@pytest.mark.parametrize(
    ("sql", "plain"),
    [
        ("UPDATE pet SET age = 1", True),
        ("-- why\nINSERT INTO pet VALUES (1); DELETE FROM pet;", True),
        (["UPDATE pet SET age = 1", ("UPDATE pet SET age = %s", [2])], True),
        ("ALTER TABLE pet ADD COLUMN age integer", False),
        ("UPDATE pet SET age = 1; ALTER TABLE pet DROP COLUMN age", False),
        ("UPDATE pet SET name = 'a;b'", False),  # not understood, so not trusted
        ("CALL fill_pets()", False),
        ("", False),
    ],
)
def test_plain_dml(sql: object, plain: bool) -> None:
    assert is_plain_dml(migrations.RunSQL(sql)) is plain
