"""Where the root of a project is, when its settings do not say."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings

from migrator.conf import load_settings


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("base_dir_flat", "base_dir_flat.py"),
        ("base_dir_package.settings", "base_dir_package/__init__.py"),
        ("base_dir_nested.settings.prod", "base_dir_nested/settings/__init__.py"),
        ("base_dir_namespace.settings", "base_dir_namespace/settings.py"),
    ],
    ids=["a module", "a package", "nested", "a namespace package"],
)
def test_without_base_dir_the_root_is_beside_the_settings(
    module: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    if "nested" in module:
        (tmp_path / "base_dir_nested/__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", module)
    loaded = load_settings()
    assert loaded.base_dir == tmp_path.resolve()
    assert loaded.journal_url == f"sqlite:///{tmp_path.resolve()}/migrator_journal.sqlite3"


def test_base_dir_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "no.such.module")
    with override_settings(BASE_DIR=str(tmp_path)):
        assert load_settings().base_dir == tmp_path
