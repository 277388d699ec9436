"""Where the root of a project is, when its settings do not say."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings

from migrator.conf import load_settings, secrets_in
from migrator.exceptions import ConfigurationError


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


@pytest.mark.parametrize("value", [-1, True, float("nan"), float("inf")])
@pytest.mark.parametrize(
    "key",
    [
        "BACKUP_KEEP",
        "CONNECT_TIMEOUT",
        "LOCK_RETRIES",
        "LOCK_TIMEOUT",
        "STATEMENT_TIMEOUT",
        "WAIT_LOCK",
    ],
)
def test_a_number_that_makes_no_sense_is_refused(key: str, value: float, tmp_path: Path) -> None:
    with (
        override_settings(BASE_DIR=str(tmp_path), MIGRATOR={key: value}),
        pytest.raises(ConfigurationError, match=key),
    ):
        load_settings()


def test_a_password_that_is_looked_for_in_commands() -> None:
    databases = {
        "default": {"NAME": "shop", "USER": "postgres", "PASSWORD": "postgres"},
        "other": {"NAME": "other", "USER": "app", "PASSWORD": "p@ss word/1"},
        "short": {"NAME": "short", "PASSWORD": "1234567"},
        "none": {"NAME": "none", "PASSWORD": None},
    }
    assert secrets_in(databases) == ("p%40ss%20word%2F1", "p%40ss+word%2F1", "p@ss word/1")
