"""Every run of the demo, taken back: each database is the one from before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.test_rollback import Site
from tests.projects import Project
from tests.servers import Database
from tests.zygote import Zygote

DEMO = Path(__file__).resolve().parents[2] / "demo"
VENDORS = {
    "default": "postgresql",
    "blog_db": "postgresql",
    "shop_db": "postgresql",
    "analytics": "sqlite",
}


@pytest.fixture
def databases(create_database: Callable[..., Database]) -> dict[str, Database]:
    return {alias: create_database(vendor) for alias, vendor in VENDORS.items()}


@pytest.fixture
def demo(tmp_path: Path, databases: dict[str, Database], zygote: Zygote) -> Site:
    """A copy of the demo's project, with databases of the test's own."""
    root = tmp_path / "project"
    shutil.copytree(DEMO / "project", root, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "server.json").write_text("{}")
    entries = {alias: database.settings() for alias, database in databases.items()}
    with (root / "config/settings.py").open("a") as settings:
        settings.write(f"\nDATABASES = {entries!r}\n")
    return Site(Project(root), zygote)


def test_every_run_of_the_demo_goes_back_to_the_schema_from_before(
    demo: Site, databases: dict[str, Database]
) -> None:
    def dumps() -> dict[str, str]:
        return {alias: database.dump() for alias, database in databases.items()}

    def taken_back(run: str, *args: str) -> dict[str, str]:
        words = ("--allow-destructive", "--no-backup", "--format", "json")
        said = demo.rollback(run, *args, *words).stdout
        assert json.loads(said)["outcome"] == "complete"
        return dumps()

    run = demo.migrate()
    refused = demo.rollback(run, "--allow-destructive", "--no-backup", code=1)
    assert "default: constance.0003_drop_pickle cannot be reversed" in refused.stderr
    others = [word for alias in VENDORS if alias != "default" for word in ("--database", alias)]
    before = taken_back(run, *others)
    for alias, dump in before.items():
        tables = dump.count("CREATE TABLE") - dump.count("CREATE TABLE sqlite_sequence")
        assert (tables == 1) == (alias != "default")  # Django's own history
    first = demo.migrate()
    released = dumps()
    shutil.copytree(DEMO / "release_2", demo.project.root, dirs_exist_ok=True)
    second = demo.migrate()
    assert dumps() != released
    assert taken_back(second) == released
    demo.manage("migrate_all", "--check", "--skip-makemigrations")
    assert taken_back(first) == before
    demo.console("journal", "check")
    demo.console("journal", "verify")
