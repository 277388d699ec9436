"""Model changes without a migration, in a project on disk that this process loads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.management.commands import makemigrations
from django.test import override_settings

from migrator import authoring
from migrator.conf import Settings
from migrator.core.options import MigratorOptions
from migrator.exceptions import DecisionNeeded, MigratorError, PendingModelChanges
from migrator.sources import load_disk

MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Thing", [("id", models.BigAutoField(primary_key=True, serialize=False))]
        ),
    ]
"""
MODELS = """\
from django.db import models


class Thing(models.Model):
    id = models.BigAutoField(primary_key=True, serialize=False)
    number = models.IntegerField({})
"""


@pytest.fixture
def things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Settings]]:
    """`things(arguments)` → settings of a project whose model has a column no migration has."""
    monkeypatch.syspath_prepend(tmp_path)
    enabled = []

    def write(arguments: str, makemigrations: str = "write") -> Settings:
        (tmp_path / "authored/migrations").mkdir(parents=True)
        for name, source in {
            "__init__": "",
            "models": MODELS.format(arguments),
            "migrations/__init__": "",
            "migrations/0001_initial": MIGRATION,
        }.items():
            (tmp_path / f"authored/{name}.py").write_text(source)
        override = override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "authored"])
        override.enable()
        enabled.append(override)
        load_disk.cache_clear()
        return Settings(journal_url="", base_dir=tmp_path, makemigrations=makemigrations)

    yield write
    for override in enabled:
        override.disable()
    apps.all_models.pop("authored", None)
    apps.clear_cache()
    for name in [name for name in sys.modules if name.split(".")[0] == "authored"]:
        del sys.modules[name]
    load_disk.cache_clear()


def test_changes_are_written(things: Callable[..., Settings], tmp_path: Path) -> None:
    written = authoring.write_migrations(MigratorOptions(), things("default=0"))
    assert written == ("authored/migrations/0002_thing_number.py",)
    assert (tmp_path / written[0]).exists()


def test_a_column_without_a_default_needs_a_decision(things: Callable[..., Settings]) -> None:
    with pytest.raises(DecisionNeeded, match="'number' on model 'thing'"):
        authoring.write_migrations(MigratorOptions(), things(""))


@pytest.mark.parametrize("arguments", ["", "default=0"])
def test_changes_that_are_only_to_be_refused(
    things: Callable[..., Settings], arguments: str, tmp_path: Path
) -> None:
    """Also where makemigrations would ask: nothing is to be written, so nothing is to be asked."""
    with pytest.raises(PendingModelChanges, match="number"):
        authoring.write_migrations(MigratorOptions(), things(arguments, "check"))
    assert len(list((tmp_path / "authored/migrations").glob("*.py"))) == 2


def test_what_is_refused_is_named_with_its_app(things: Callable[..., Settings]) -> None:
    with pytest.raises(PendingModelChanges, match=r"holds: authored: Add field number to thing\.$"):
        authoring.write_migrations(MigratorOptions(), things("default=1", makemigrations="check"))


def test_somebody_at_a_terminal_is_asked(
    things: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["1", "7"])  # provide a one-off default now; 7
    monkeypatch.setattr("builtins.input", lambda *_: next(answers))
    written = authoring.write_migrations(MigratorOptions(interactive=True), things(""))
    assert written == ("authored/migrations/0002_thing_number.py",)


def test_a_check_that_fails_is_named(things: Callable[..., Settings]) -> None:
    things("choices=5, default=0")
    with pytest.raises(MigratorError, match=r"authored\.Thing\.number: \(fields\.E004\)"):
        authoring.run_checks()


def test_what_the_projects_own_commands_raise_is_one_sentence(
    things: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> list[checks.CheckMessage]:
        raise RuntimeError("broken by hand\nwith more")

    given = things("default=0")
    monkeypatch.setattr(makemigrations.Command, "handle", fail)
    with pytest.raises(MigratorError) as caught:
        authoring.write_migrations(MigratorOptions(), given)
    assert caught.value.message == "manage.py makemigrations failed: RuntimeError: broken by hand"
    monkeypatch.setattr(checks, "run_checks", fail)
    with pytest.raises(MigratorError, match="check failed: RuntimeError"):
        authoring.run_checks()
