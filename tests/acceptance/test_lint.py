"""`migrator lint` as people and pipelines use it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.projects import Project, make_project
from tests.servers import PostgresDatabase, PostgresServer

INITIAL = """
    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.CreateModel(
                "Order",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("total", models.IntegerField(null=True)),
                    ("note", models.CharField(max_length=50)),
                ],
            ),
        ]
"""
REQUIRED = """
    class Migration(migrations.Migration):
        dependencies = [("shop", "0001_initial")]

        operations = [
            migrations.AlterField("Order", "note", models.CharField(max_length=60)),
            migrations.AlterField(
                "Order",
                "total",
                models.IntegerField(),
            ),
        ]
"""


def build(root: Path, database: PostgresDatabase) -> Project:
    """A shop with 20,000 orders, two of them without a total; the total is to be required."""
    made = make_project(
        root,
        databases={"default": database.settings()},
        apps={"shop": {"migrations": {"0001_initial": INITIAL}}},
        settings_extra='MIGRATOR["MAKEMIGRATIONS"] = "skip"',
    )
    made.manage("migrate_all", "-v0", check=True)
    database.execute(
        "INSERT INTO shop_order (total, note) "
        "SELECT CASE WHEN n > 2 THEN n END, 'x' FROM generate_series(1, 20000) n; ANALYZE"
    )
    made.write_migration("shop", "0002_required", REQUIRED)
    return made


@pytest.fixture(scope="module")
def shop_database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """Only read: no test of this module migrates it any further."""
    database = postgres.create_database("lint")
    yield database
    database.drop()


@pytest.fixture(scope="module")
def original(shop_database: PostgresDatabase, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return build(tmp_path_factory.mktemp("lint") / "original", shop_database)


@pytest.fixture
def project(original: Project, tmp_path: Path) -> Project:
    """A copy to change files in."""
    shutil.copytree(original.root, tmp_path / "project")
    return Project(tmp_path / "project", original.env)


def test_pending_migrations_are_judged_with_what_is_in_the_database(project: Project) -> None:
    done = project.migrator("lint")
    assert done.returncode == 1, done
    assert "shop.0002_required  shop/migrations/0002_required.py" in done.stdout
    assert "MF101  line 10" in done.stdout
    assert "2 rows hold NULL in shop_order.total: NOT NULL fails." in done.stdout
    assert "LK105" in done.stdout
    assert "AddConstraintNotValid(" in done.stdout
    assert "1 pending migration on 1 database: 1 error, 2 warnings." in done.stdout
    assert not done.stderr.strip(), done


def test_it_can_be_told_from_which_severity_on_to_fail(project: Project) -> None:
    source = REQUIRED.replace(
        "models.IntegerField()", "models.IntegerField(db_default=0, default=0)"
    )
    project.write_migration("shop", "0002_required", source)
    assert project.migrator("lint").returncode == 0
    done = project.migrator("lint", "--fail-on", "warning")
    assert done.returncode == 1, done
    assert "MF101" not in done.stdout


def test_json_has_the_documented_shape(project: Project) -> None:
    done = project.migrator("lint", "--format", "json")
    document = json.loads(done.stdout)
    assert document["format"] == 1
    found = {each["code"]: each for each in document["findings"]}
    assert set(found) == {"MF101", "LK105", "BC106"}
    nulls = found["MF101"]
    assert {key: nulls[key] for key in ("severity", "alias", "app", "migration")} == {
        "severity": "error",
        "alias": "default",
        "app": "shop",
        "migration": "0002_required",
    }
    assert (nulls["operation"], nulls["rows"]) == (1, 2)
    assert (nulls["table"], nulls["column"]) == ("shop_order", "total")
    assert (nulls["file"], nulls["line"]) == ("shop/migrations/0002_required.py", 10)
    assert found["LK105"]["lock"] == "ACCESS EXCLUSIVE on shop_order"


def test_github_sarif_and_junit(project: Project, tmp_path: Path) -> None:
    done = project.migrator("lint", "--format", "github")
    assert (
        "::error file=shop/migrations/0002_required.py,line=10,"
        "title=MF101 NOT NULL where there are NULLs::2 rows hold NULL" in done.stdout
    )
    target = tmp_path / "lint.sarif"
    assert project.migrator("lint", "--format", "sarif", "-o", str(target)).returncode == 1
    results = json.loads(target.read_text())["runs"][0]["results"]
    assert {each["ruleId"] for each in results} == {"MF101", "LK105", "BC106"}
    done = project.migrator("lint", "--format", "junit")
    root = ElementTree.fromstring(done.stdout)
    assert (root.get("tests"), root.get("failures")) == ("1", "1")
    failure = root.find("./testsuite/testcase[@name='0002_required']/failure")
    assert failure is not None
    assert failure.get("type") == "MF101"


def test_nothing_is_written(project: Project, shop_database: PostgresDatabase) -> None:
    before = shop_database.dump(schema_only=False)
    journal = project.journal_path.read_bytes()
    for arguments in ((), ("--all",)):
        project.migrator("lint", *arguments)
    assert shop_database.dump(schema_only=False) == before
    assert project.journal_path.read_bytes() == journal


def test_a_finding_is_switched_off_with_a_reason_in_the_migration(project: Project) -> None:
    source = REQUIRED.replace(
        "        operations",
        '        migrator_ignore = {"MF101": "filled by hand", "LK:1": "at night"}\n'
        "        operations",
        1,
    )
    project.write_migration("shop", "0002_required", source)
    done = project.migrator("lint")
    assert done.returncode == 0, done
    assert "switched off  MF101" in done.stdout
    assert "filled by hand" in done.stdout
    assert "1 warning, 2 switched off." in done.stdout


def test_a_finding_is_switched_off_with_a_reason_in_the_settings(project: Project) -> None:
    settings = project.root / "config" / "settings.py"
    text = settings.read_text()
    settings.write_text(
        text + '\nMIGRATOR["LINT"] = {"IGNORE": {"shop.0002_required:MF101": "filled by hand"}}\n'
    )
    done = project.migrator("lint")
    assert done.returncode == 0, done
    assert "filled by hand" in done.stdout
    settings.write_text(text + '\nMIGRATOR["LINT"] = {"IGNORE": {"MF101": " "}}\n')
    done = project.migrator("lint")
    assert done.returncode == 2, done
    assert "switches MF101 off without a reason" in done.stderr


def test_a_suppression_that_matches_nothing_is_told(project: Project) -> None:
    source = REQUIRED.replace(
        "        operations",
        '        migrator_ignore = {"DS101": "we know"}\n        operations',
        1,
    )
    project.write_migration("shop", "0002_required", source)
    done = project.migrator("lint")
    assert "SU101" in done.stdout
    assert "migrator_ignore names DS101" in done.stdout


def test_without_a_database(project: Project) -> None:
    """The server need not be there; what depends on rows is a warning."""
    settings = project.root / "config" / "settings.py"
    settings.write_text(
        settings.read_text() + '\nDATABASES["default"].update(HOST="192.0.2.1", PORT="1")\n'
    )
    done = project.migrator("lint", "--no-database", "--format", "json")
    assert done.returncode == 0, done
    found = {each["code"]: each["severity"] for each in json.loads(done.stdout)["findings"]}
    assert found == {"MF101": "warning", "LK105": "warning", "BC106": "warning"}


def test_a_database_that_does_not_answer_fails_and_is_named(project: Project) -> None:
    settings = project.root / "config" / "settings.py"
    settings.write_text(
        settings.read_text() + '\nDATABASES["default"].update(HOST="127.0.0.1", PORT="1")\n'
    )
    done = project.migrator("lint")
    assert done.returncode == 1, done
    assert "default: not judged" in done.stdout
    assert "Traceback" not in done.output


def test_names_that_do_not_exist_are_usage(project: Project) -> None:
    for arguments in (("nosuch",), ("shop.0009",), ("--database", "nosuch"), ("--since", "")):
        done = project.migrator("lint", *arguments)
        assert done.returncode == 2, done
        assert "Traceback" not in done.output


# -- pull requests ---------------------------------------------------------------------------------


def git(project: Project, *arguments: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(
        ["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True
    )


def test_since_a_git_ref(tmp_path: Path, postgres_database: PostgresDatabase) -> None:
    """What the branch has changed is judged, pending or not; what was there before is not."""
    project = build(tmp_path / "project", postgres_database)
    (project.root / "shop/migrations/0002_required.py").unlink()
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "shop", "config", "manage.py")
    git(project, "commit", "-qm", "first")
    git(project, "checkout", "-qb", "branch")
    done = project.migrator("lint", "--since", "main")
    assert done.returncode == 0, done
    assert done.stdout == "No migrations changed since main to judge.\n"
    rename = """
        class Migration(migrations.Migration):
            dependencies = [("shop", "0001_initial")]
            operations = [migrations.RenameField("Order", "note", "remark")]
    """
    project.write_migration("shop", "0002_rename", rename)
    for committed in (False, True):
        if committed:
            git(project, "add", "shop")
            git(project, "commit", "-qm", "rename")
            project.manage("migrate_all", "-v0", check=True)
        done = project.migrator("lint", "--since", "main")
        assert done.returncode == 1, done
        assert "BC102" in done.stdout
        assert "db_column='note'" in done.stdout
        assert "shop.0001_initial" not in done.stdout
    project.write_migration(
        "shop",
        "0003_field",
        """
        class Migration(migrations.Migration):
            dependencies = [("shop", "0002_rename")]
            operations = [migrations.AddField("Order", "more", models.IntegerField(null=True))]
        """,
    )
    done = project.migrator("lint", "--since", "branch")
    assert done.returncode == 0, done
    assert "1 migration changed since branch on 1 database: nothing to say." in done.stdout


def test_since_says_what_is_wrong_with_git(project: Project) -> None:
    done = project.migrator("lint", "--since", "main", env={"GIT_CEILING_DIRECTORIES": "/"})
    assert done.returncode == 2, done
    assert "is in no git repository" in done.stderr
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "manage.py")
    git(project, "commit", "-qm", "first")
    done = project.migrator("lint", "--since", "origin/nosuch")
    assert done.returncode == 2, done
    assert "git knows no 'origin/nosuch' here" in done.stderr
    done = project.migrator("lint", "--since", "--output=x")
    assert done.returncode == 2, done
    done = project.migrator("lint", "--since", "main", env={"PATH": "/nowhere"})
    assert done.returncode == 2, done
    assert "git cannot be run" in done.stderr


def test_all_of_them_one_by_one(project: Project) -> None:
    """Each from the state before it, as if its tables held data; nothing about what it makes."""
    done = project.migrator("lint", "--all", "--format", "json")
    document = json.loads(done.stdout)
    assert [each["migration"] for each in document["judged"]] == ["0001_initial", "0002_required"]
    assert {each["migration"] for each in document["findings"]} == {"0002_required"}
    everything = project.migrator("lint", "--all", "--third-party", "--format", "json")
    apps = {each["app"] for each in json.loads(everything.stdout)["judged"]}
    assert apps == {"contenttypes", "auth", "shop"}
