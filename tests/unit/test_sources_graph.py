"""The graph: Django's own, without its queries, and with sentences for tracebacks."""

from __future__ import annotations

import hashlib
import itertools
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import migrations, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.test import override_settings

from migrator.backends import HistoryRow
from migrator.core.effects import MigrationKey
from migrator.exceptions import HistoryInconsistent, MigratorError
from migrator.sources import (
    file_digests,
    full_plan,
    leaf_nodes,
    load_disk,
    load_file_digests,
    load_graph,
    pending_plan,
    recorded_plan,
    recorded_state,
)
from tests.history import History

_numbers = itertools.count(1)

EMPTY = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = {dependencies!r}
    operations = []
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """`install({"0001_initial": source})` → the label of an installed app with these files."""
    monkeypatch.syspath_prepend(str(tmp_path))
    overrides = []

    def make(files: dict[str, str]) -> str:
        label = f"graphapp{next(_numbers)}"
        package = tmp_path / label / "migrations"
        package.mkdir(parents=True)
        (package.parent / "__init__.py").touch()
        (package / "__init__.py").touch()
        for name, source in files.items():
            text = textwrap.dedent(source).replace("LABEL", label)
            (package / f"{name}.py").write_text(text)
        override = override_settings(
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", label]
        )
        override.enable()
        overrides.append(override)
        load_disk.cache_clear()
        return label

    yield make
    for override in reversed(overrides):
        override.disable()
    load_disk.cache_clear()


def two_apps() -> History:
    history = History()
    history.add("a", "0001_initial", [migrations.CreateModel("A", [("id", models.AutoField())])])
    history.add("b", "0001_initial", needs=[("a", "0001_initial")])
    history.add("a", "0002_more", needs=[("b", "0001_initial")])
    return history


# -- the disk ------------------------------------------------------------------


def test_the_disk_is_read_once(install: Callable[..., str]) -> None:
    label = install({"0001_initial": EMPTY.format(dependencies=[])})
    assert (label, "0001_initial") in load_disk().migrations
    assert load_disk() is load_disk()
    assert label in load_disk().migrated_apps
    assert "auth" in load_disk().migrated_apps


def test_a_squash_of_another_apps_squash_is_taken_up_in_the_order_of_the_apps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Duplicate rows: a squash that replaces a squash, across apps (django-two-factor-auth)."""
    first, second = f"zeta{next(_numbers)}", f"beta{next(_numbers)}"
    own = [(first, "0001_gone"), (first, "0002_gone")]
    for label, replaces in ((first, own), (second, [*own, (first, "0001_squashed")])):
        package = tmp_path / label / "migrations"
        package.mkdir(parents=True)
        (package.parent / "__init__.py").touch()
        (package / "__init__.py").touch()
        source = EMPTY.format(dependencies=[]) + f"    replaces = {replaces!r}\n"
        (package / "0001_squashed.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with override_settings(INSTALLED_APPS=[first, second]):
        load_disk.cache_clear()
        recorded = [(first, "0001_squashed"), (second, "0001_squashed"), *own]
        ours = load_graph(None, [MigrationKey(*key) for key in recorded])
        django = MigrationLoader(None)
        assert set(load_graph(None, ()).graph.nodes) == set(django.graph.nodes)
        assert (second, "0001_squashed") in ours.graph.nodes
    load_disk.cache_clear()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def (:\n", "SyntaxError"),
        ("raise RuntimeError('no good')\n", "RuntimeError: no good"),
        ("import a_module_that_is_not_there\n", "a_module_that_is_not_there"),
        ("from django.db import nothing_like_it\n", "nothing_like_it"),
    ],
)
def test_a_module_that_does_not_import_is_named(
    install: Callable[..., str], source: str, words: str
) -> None:
    label = install({"0001_initial": EMPTY.format(dependencies=[]), "0002_broken": source})
    with pytest.raises(MigratorError) as caught:
        load_disk()
    assert f"{label}.migrations.0002_broken" in caught.value.message
    assert words in caught.value.message
    assert caught.value.hint


def test_a_migrations_package_that_does_not_import_is_named(
    install: Callable[..., str], tmp_path: Path
) -> None:
    label = install({"0001_initial": EMPTY.format(dependencies=[])})
    (tmp_path / label / "migrations" / "__init__.py").write_text("1 / 0\n")
    with pytest.raises(MigratorError) as caught:
        load_disk()
    assert f"Migration module {label}.migrations of the app {label} " in caught.value.message
    assert "ZeroDivisionError" in caught.value.message


def test_a_module_without_a_migration_is_named(install: Callable[..., str]) -> None:
    label = install({"0001_initial": "x = 1\n"})
    with pytest.raises(MigratorError, match=f"0001_initial in app {label} has no Migration class"):
        load_disk()


def test_digests_are_those_of_the_files(install: Callable[..., str], tmp_path: Path) -> None:
    label = install({"0001_initial": EMPTY.format(dependencies=[])})
    file = tmp_path / label / "migrations" / "0001_initial.py"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    loader = load_graph(None, ())
    assert file_digests(loader, [(label, "0001_initial")]) == {
        MigrationKey(label, "0001_initial"): digest
    }
    assert load_file_digests()[f"{label}.0001_initial"] == digest
    file.write_text(file.read_text() + "# changed\n")
    assert load_file_digests()[f"{label}.0001_initial"] != digest


# -- what cannot be a graph -------------------------------------------------------


def test_a_circle_is_named(install: Callable[..., str]) -> None:
    history = History()
    history.add("a", "0001_initial", needs=[("b", "0002_b")])
    history.add("b", "0001_initial", needs=[("a", "0001_initial")])
    history.add("b", "0002_b")
    with pytest.raises(HistoryInconsistent) as caught:
        history.graph()
    for name in ("a.0001_initial", "b.0001_initial", "b.0002_b"):
        assert name in caught.value.message
    first, *_, last = caught.value.message.split(": ")[1].rstrip(".").split(" → ")
    assert first == last


def test_a_missing_dependency_is_named_with_who_needs_it() -> None:
    history = History().add("a", "0001_initial", needs=[("a", "0000_gone")])
    with pytest.raises(HistoryInconsistent) as caught:
        history.graph()
    assert caught.value.message == (
        "Migration a.0001_initial depends on a.0000_gone, which does not exist."
    )


def test_a_dependency_on_an_app_that_is_not_installed_is_named() -> None:
    history = History().add("a", "0001_initial", needs=[("nowhere", "__first__")])
    with pytest.raises(HistoryInconsistent, match="nowhere"):
        history.graph()


def test_conflicting_leaf_nodes_are_named_per_app() -> None:
    history = History().add("a", "0001_initial")
    history.add("b", "0001_initial")
    for name in ("0002_left", "0002_right"):
        history.add("a", name)
        history.migrations["a", name].dependencies = [("a", "0001_initial")]
    with pytest.raises(HistoryInconsistent) as caught:
        history.graph()
    assert "a: 0002_left, 0002_right" in caught.value.message
    assert "merge" in caught.value.hint
    assert len(leaf_nodes(history.graph(check=False))) == 3


def test_a_history_in_the_wrong_order_is_named() -> None:
    with pytest.raises(HistoryInconsistent) as caught:
        two_apps().graph(None, [("a", "0001_initial"), ("a", "0002_more")])
    assert "a.0002_more is recorded before its dependency b.0001_initial" in caught.value.message


def test_an_operation_that_does_not_fit_is_named() -> None:
    history = History().add("a", "0001_initial", [migrations.RemoveField("Nothing", "x")])
    loader = history.graph(None, [("a", "0001_initial")])
    with pytest.raises(MigratorError, match=r"a\.0001_initial does not fit.*Remove field x"):
        recorded_state(loader)


# -- plans -------------------------------------------------------------------------


def test_plans_are_in_the_order_of_django() -> None:
    history = two_apps()
    loader = history.graph(None, [("a", "0001_initial")])
    assert full_plan(loader) == (
        ("a", "0001_initial"),
        ("b", "0001_initial"),
        ("a", "0002_more"),
    )
    assert recorded_plan(loader) == (("a", "0001_initial"),)
    assert [m.name for m in pending_plan(loader)] == ["0001_initial", "0002_more"]
    assert [str(m) for m in pending_plan(loader, ["b"])] == ["b.0001_initial"]
    executor = MigrationExecutor.__new__(MigrationExecutor)
    executor.loader = loader
    django_plan = executor.migration_plan(loader.graph.leaf_nodes())
    assert [migration for migration, _ in django_plan] == pending_plan(loader)


def squashed() -> History:
    history = History()
    history.add("a", "0001_initial").add("a", "0002_second").add("a", "0003_third")
    history.add("a", "0001_squashed", replaces=[("a", "0001_initial"), ("a", "0002_second")])
    history.migrations["a", "0001_squashed"].dependencies = []
    return history


@pytest.mark.parametrize(
    ("recorded", "nodes", "pending"),
    [
        ([], ["0001_squashed", "0003_third"], ["0001_squashed", "0003_third"]),
        (["0001_initial"], ["0001_initial", "0002_second", "0003_third"],
         ["0002_second", "0003_third"]),
        (["0001_initial", "0002_second"], ["0001_squashed", "0003_third"], ["0003_third"]),
        (["0001_initial", "0002_second", "0001_squashed", "0003_third"],
         ["0001_squashed", "0003_third"], []),
    ],
)  # fmt: skip
def test_a_squash_counts_as_django_counts_it(
    recorded: list[str], nodes: list[str], pending: list[str]
) -> None:
    loader = squashed().graph(None, [("a", name) for name in recorded])
    assert [key.name for key in full_plan(loader)] == nodes
    assert [migration.name for migration in pending_plan(loader)] == pending


def test_rows_are_taken_as_the_backend_reads_them() -> None:
    rows = [HistoryRow(MigrationKey("a", "0001_initial"))]
    loader = load_graph(None, rows, disk=two_apps().disk)
    assert set(loader.applied_migrations) == {("a", "0001_initial")}
    assert not load_graph(None, None, disk=two_apps().disk).applied_migrations
