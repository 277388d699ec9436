"""The documentation against the code: options, codes, links, and the README's walk really walked.

`python -m tests.acceptance.test_docs` walks it on an embedded PostgreSQL and writes the output
into the README; the tests then hold the README against what the commands print.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from django.apps import AppConfig
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from journal.records import Phase, RunStatus, TargetStatus
from journal.revisions import VERSION_TABLE
from journal.tables import metadata
from migrator import conf
from migrator.actor import CI_URLS
from migrator.cli import cli
from migrator.core.incidents import Code, Evidence
from migrator.core.lifecycle import State, Trigger
from migrator.core.options import MigratorOptions
from migrator.exceptions import ExitCode
from migrator.machine import render_diagram
from tests import conftest  # noqa: F401  (configures Django, also where pytest does not run)
from tests.projects import Project, console_script, kill, make_project
from tests.servers import Database

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
REFERENCE = DOCS / "reference"

FENCE = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
# Of the README's example project.
ALIASES = ("default", "blog_db", "shop_db")
# Named in prose: what is not there yet, and options of other programs.
FOREIGN_OPTIONS = {"--deep", "--no-distinct", "--sample", "--second"}


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def fences(page: Path, language: str) -> list[str]:
    """The contents of a page's fenced blocks of a language."""
    return [m[2] for m in FENCE.finditer(page.read_text(encoding="utf-8")) if m[1] == language]


def section(page: Path, heading: str) -> str:
    """What stands below a heading of the second level, up to the next one."""
    text = page.read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert heading in sections, f"{page_id(page)} has no section {heading!r}"
    return sections[heading]


def headings(page: Path) -> list[str]:
    """The headings of the second level."""
    return re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads."""
    found: list[list[str]] = []
    head = True
    for line in text.splitlines():
        if not line.startswith("|"):
            head = True
        elif set(line) <= set("|-: "):
            head = False
        elif not head:
            cells = re.split(r"(?<!\\)\|", line.strip()[1:-1])
            found.append([cell.strip().replace("\\|", "|") for cell in cells])
    return found


def names(cell: str) -> list[str]:
    """The names in backticks of a cell."""
    return re.findall(r"`([^`]+)`", cell)


# -- commands and options ------------------------------------------------------------------


@dataclass
class Line:
    """One command of a console block.

    Attributes:
        text: As written.
        exits: The exit code that the page gives it, by `$ echo $?` below it; else 0.
        asked: Whether `$ echo $?` stands below it.
        output: What the page shows as its output.
    """

    text: str
    exits: int = 0
    asked: bool = False
    output: list[str] = field(default_factory=list)


def console_lines(block: str) -> list[Line]:
    """The commands of a block: those behind "$ ", or else every line."""
    lines = [line.strip() if not line.startswith("$ ") else line for line in block.splitlines()]
    if not any(line.startswith("$ ") for line in lines):
        return [Line(line) for line in lines if line]
    commands: list[Line] = []
    asked = False
    for line in block.splitlines():
        if line == "$ echo $?":
            asked = commands[-1].asked = True
        elif asked:
            commands[-1].exits = int(line)
            asked = False
        elif line.startswith("$ "):
            commands.append(Line(line[2:]))
        elif commands:
            commands[-1].output.append(line)
    return commands


def documented_commands() -> Iterator[tuple[str, str]]:
    """(page, command) of every console block."""
    for page in PAGES:
        for block in fences(page, "console"):
            for line in console_lines(block):
                yield page_id(page), line.text


def bare(command: str) -> list[str]:
    """A command's words, without the pipe, redirection or ampersand behind it."""
    words = shlex.split(re.split(r" \| | >>? ", command.rstrip("& "))[0])
    while "=" in words[0]:
        words.pop(0)
    return words[1:] if words[0] in ("python", "python3") else words


def django_command(name: str) -> BaseCommand:
    app = get_commands()[name]
    return load_command_class(app.name if isinstance(app, AppConfig) else app, name)


def parse_click(words: list[str]) -> None:
    """Parse the arguments of `migrator` as click does, without running anything.

    Raises:
        click.UsageError: An option, argument or verb that does not exist.
    """
    command: click.Command = cli
    name = "migrator"
    context: click.Context | None = None
    while isinstance(command, click.Group):
        context = click.Context(command, info_name=name, parent=context)
        _, rest, _ = command.make_parser(context).parse_args(list(words))
        assert rest or words, f"{name}: no verb"
        if not rest:  # --version, --help
            return
        found = command.resolve_command(context, rest)
        name, command, words = str(found[0]), found[1], found[2]  # type: ignore[assignment]
    command.make_context(name, list(words), parent=context)


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))


@pytest.mark.parametrize(("page", "command"), list(documented_commands()))
def test_every_documented_command_parses(page: str, command: str) -> None:
    words = bare(command)
    match words[0]:
        case "manage.py":
            parser = django_command(words[1]).create_parser("manage.py", words[1])
            # Django's own commands take only the aliases of these tests' settings.
            arguments = ["default" if word in ALIASES else word for word in words[2:]]
            parser.parse_args(arguments)  # a CommandError or SystemExit fails the test
        case "migrator":
            parse_click(words[1:])
        case "make":
            assert set(words[1:]) <= make_targets()
        case other:
            assert other in {"pip", "psql", "git", "kill", "export"}, f"{page}: {command}"


def django_options(name: str) -> set[str]:
    """The options of one of our management commands, without Django's own."""

    class Bare(BaseCommand):
        requires_system_checks = []

    def options(command: BaseCommand) -> set[str]:
        parser = command.create_parser("manage.py", name)
        return {text for action in parser._actions for text in action.option_strings}

    return {text for text in options(django_command(name)) - options(Bare()) if text[:2] == "--"}


def click_options(command: click.Command) -> set[str]:
    """The long options of a click command, without --help."""
    return {
        text
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for text in parameter.opts
        if text.startswith("--")
    }


def existing_options() -> dict[str, set[str]]:
    """The options of each of our commands, by the heading under which they are documented."""
    group = cli.commands["journal"]
    assert isinstance(group, click.Group)
    shared = click_options(group)
    existing = {
        "`manage.py migrate_all`": django_options("migrate_all"),
        "`manage.py migrator`": django_options("migrator"),
        "`migrator`": click_options(cli) | {"--help"},
        "`migrator journal`": shared,
        "`migrator schema`": set(),
    }
    for name, verb in cli.commands.items():
        if not isinstance(verb, click.Group):
            existing[f"`migrator {name}`"] = click_options(verb)
    schema = cli.commands["schema"]
    assert isinstance(schema, click.Group)
    for name, verb in schema.commands.items():
        existing[f"`migrator schema {name}`"] = click_options(verb)
    for name, verb in group.commands.items():
        existing[f"`migrator journal {name}`"] = click_options(verb) - shared
        assert shared <= click_options(verb), f"{name} does not take the journal's options"
    return existing


@pytest.mark.parametrize("heading", list(existing_options()))
def test_every_option_is_documented_and_the_reverse(heading: str) -> None:
    page = REFERENCE / "commands.md"
    documented = {
        option for row in rows(section(page, heading)) for option in OPTION.findall(row[0])
    }
    assert documented == existing_options()[heading]


def test_every_command_is_documented_and_the_reverse() -> None:
    documented = set(headings(REFERENCE / "commands.md")) - {"Environment variables"}
    assert documented == set(existing_options())


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_option_that_a_page_names_exists(page: Path) -> None:
    known = set().union(*existing_options().values()) | FOREIGN_OPTIONS
    for name in ("migrate", "check"):
        parser = django_command(name).create_parser("manage.py", name)
        known |= {text for action in parser._actions for text in action.option_strings}
    assert set(OPTION.findall(page.read_text(encoding="utf-8"))) - known == set()


# -- links and diagrams ------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors that a rendered page offers (as GitHub makes them)."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_relative_link_resolves(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page_id(page)} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page_id(page)} links to {link}"


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "index.md"
    linked = {(DOCS / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
    assert {page for page in DOCS.rglob("*.md") if page != index} <= linked


@pytest.mark.parametrize("page", [README, DOCS / "explanation" / "lifecycle.md"], ids=page_id)
def test_the_diagram_is_that_of_the_machine(page: Path) -> None:
    (diagram,) = fences(page, "mermaid")
    assert diagram.strip() == render_diagram().strip()


# -- codes, settings, fields ---------------------------------------------------------------------


def test_every_incident_code_is_documented_and_the_reverse() -> None:
    page = REFERENCE / "incidents.md"
    expected = [f"{code.value} {code.name.lower()}" for code in Code]
    assert headings(page) == expected
    table = [row for row in rows(page.read_text(encoding="utf-8")) if row[0].startswith("[DR")]
    assert [f"{row[0][1:6]} {row[1]}" for row in table] == expected


def test_every_evidence_is_documented_and_the_reverse() -> None:
    table = rows((REFERENCE / "incidents.md").read_text(encoding="utf-8"))
    named = [names(row[0])[0] for row in table if row[0].startswith("`")]
    assert named == [evidence.value for evidence in Evidence]


def test_every_check_is_documented_and_the_reverse() -> None:
    source = (ROOT / "migrator" / "checks.py").read_text(encoding="utf-8")
    ids = set(re.findall(r"id=\"(migrator\.[EW]\d{3})\"", source))
    assert ids
    assert set(headings(REFERENCE / "checks.md")) == ids


def test_every_exit_code_is_documented_and_the_reverse() -> None:
    table = rows((REFERENCE / "exit-codes.md").read_text(encoding="utf-8"))
    assert [(int(row[0]), row[1]) for row in table] == [(int(c), c.name) for c in ExitCode]
    readme = rows(section(README, "Exit codes"))
    assert [int(row[0]) for row in readme] == [int(code) for code in ExitCode]


def test_every_setting_is_documented_with_its_default_and_the_reverse() -> None:
    table = rows(section(REFERENCE / "settings.md", "`MIGRATOR`"))
    documented = {names(row[0])[0]: names(row[1])[0] for row in table}
    assert set(documented) == set(conf._KEYS)
    defaults = {
        f.name.upper(): {} if f.default_factory is dict else f.default
        for f in dataclasses.fields(conf.Settings)
    }
    for key, text in documented.items():
        if key == "JOURNAL_URL":
            assert text.endswith(f"/{conf.JOURNAL_FILE}")
        else:
            assert text == json.dumps(defaults[key], default=str).replace("false", "False")


def test_every_option_of_the_api_is_documented_with_its_default() -> None:
    table = rows(section(REFERENCE / "api.md", "`MigratorOptions`"))
    documented = {names(row[0])[0]: names(row[1])[0] for row in table}
    assert documented == {f.name: repr(f.default) for f in dataclasses.fields(MigratorOptions)}


def test_every_environment_variable_is_documented_and_the_reverse() -> None:
    sources = [p for package in ("migrator", "journal") for p in (ROOT / package).rglob("*.py")]
    read = {
        name
        for path in sources
        for name in re.findall(r"[\"'](MIGRATOR_[A-Z_]+)[\"']", path.read_text(encoding="utf-8"))
    }
    table = rows(section(REFERENCE / "commands.md", "Environment variables"))
    assert {names(row[0])[0] for row in table} == read


def test_every_transition_and_state_is_documented() -> None:
    table = rows((DOCS / "explanation" / "lifecycle.md").read_text(encoding="utf-8"))
    assert {row[0] for row in table} == {trigger.value for trigger in Trigger}
    assert {row[2] for row in table} == {state.value for state in State}


def test_every_table_of_the_journal_is_documented_and_the_reverse() -> None:
    table = rows(section(REFERENCE / "journal.md", "Tables"))
    assert {names(row[0])[0] for row in table} == {*metadata.tables, VERSION_TABLE}


def test_every_status_of_the_journal_is_documented() -> None:
    text = (REFERENCE / "journal.md").read_text(encoding="utf-8")
    for status in (*RunStatus, *TargetStatus, *Phase):
        assert f"`{status.value}`" in text


# -- the walk through the commands ---------------------------------------------------------------

BLOG_MODELS = """\
from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=200)
    summary = models.CharField(max_length=300, default="")
"""

BLOG_MODELS_2 = BLOG_MODELS + "    minutes = models.PositiveIntegerField(default=0)\n"

BLOG_MODELS_3 = "".join(line for line in BLOG_MODELS_2.splitlines(True) if "summary" not in line)

SHOP_MODELS = """\
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=200)
    stock = models.IntegerField(default=0)
"""

SHOP_MODELS_2 = (
    SHOP_MODELS
    + """\


class Review(models.Model):
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    stars = models.IntegerField()
"""
)

INITIAL = """\
class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "{model}",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("{name}", models.CharField(max_length=200)),
            ],
        )
    ]
"""

ADD_FIELD = """\
class Migration(migrations.Migration):
    dependencies = [("{app}", "{after}")]
    operations = [migrations.AddField("{model}", "{name}", {field})]
"""

MINUTES = """\
import time
from pathlib import Path

from django.db import migrations, models

HOLD = Path(__file__).resolve().parents[2] / "hold"


def estimate(apps, schema_editor):
    posts = apps.get_model("blog", "Post").objects.using(schema_editor.connection.alias)
    posts.update(minutes=1)
    while HOLD.exists():  # long enough to be killed in the middle
        time.sleep(0.05)


class Migration(migrations.Migration):
    dependencies = [("blog", "0002_summary")]
    operations = [
        migrations.AddField("post", "minutes", models.PositiveIntegerField(default=0)),
        migrations.RunPython(estimate, migrations.RunPython.noop),
    ]
"""

REVIEW = """\
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_stock")]
    operations = [
        migrations.CreateModel(
            "Review",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("stars", models.IntegerField()),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="shop.product"
                    ),
                ),
            ],
        )
    ]
"""

REMOVE_SUMMARY = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("blog", "0003_minutes")]
    operations = [migrations.RemoveField("post", "summary")]
"""

APPS: Mapping[str, Mapping[str, Any]] = {
    "blog": {
        "models": BLOG_MODELS,
        "migrations": {
            "0001_initial": INITIAL.format(model="Post", name="title"),
            "0002_summary": ADD_FIELD.format(
                app="blog",
                after="0001_initial",
                model="post",
                name="summary",
                field='models.CharField(max_length=300, default="")',
            ),
        },
    },
    "shop": {
        "models": SHOP_MODELS,
        "migrations": {
            "0001_initial": INITIAL.format(model="Product", name="name"),
            "0002_stock": ADD_FIELD.format(
                app="shop",
                after="0001_initial",
                model="product",
                name="stock",
                field="models.IntegerField(default=0)",
            ),
        },
    },
}

KILLED_IN = "blog.0003_minutes"


RUN = re.compile(r"\b1m[0-9a-hjkmnp-tv-z]{11}\b")
"""The id of a run, of these years."""

CONSENT = re.compile(r"(consent:?\s+)\S+(, by )")

# A build's own variables would end up in the journal, and so in what is shown.
NO_BUILD = dict.fromkeys([*CI_URLS, "GITHUB_RUN_ID"], "")


class Walk:
    """Walks the README's commands, in its order, on one project."""

    def __init__(self, root: Path, databases: Mapping[str, Database]) -> None:
        self.databases = databases
        self.project: Project = make_project(
            root,
            databases={alias: database.settings() for alias, database in databases.items()},
            apps=APPS,
            installed=["django.contrib.contenttypes"],
            routing={"blog": "blog_db", "shop": "shop_db"},
        )
        self.background: subprocess.Popen[str] | None = None
        self.releases = [self._release_2, self._release_3]

    def spelled(self, text: str) -> str:
        """A command with the newest run of its kind in place of the id of one."""
        return RUN.sub(lambda _: self._newest(), text)

    def _newest(self) -> str:
        """The newest run that has migrated something."""
        shown = self.project.migrator("journal", "list", "--format", "json")
        runs = json.loads(shown.stdout)["runs"]
        return str(next(run["id"] for run in runs if run["kind"] in ("migrate", "repair")))

    def take(self, line: Line) -> tuple[int, str]:
        """Do what a line says.

        Returns:
            The exit code, and what was printed.
        """
        words = shlex.split(line.text)
        match words:
            case ["psql", alias, "-c", sql]:
                self.databases[alias].execute(sql)
                return 0, ""
            case ["git", "pull"]:
                self.releases.pop(0)()
                return 0, ""
            case [*_, "&"]:
                self._start(words[:-1])
                return 0, ""
            case ["kill", "-9", "$!"]:
                self._kill()
                return 0, ""
            case _:
                return self._run(self.spelled(line.text))

    def _run(self, text: str) -> tuple[int, str]:
        command, _, pipe = text.partition(" | ")
        words = bare(command)
        run = self.project.manage if words[0] == "manage.py" else self.project.migrator
        done = run(*words[1:], env=NO_BUILD)
        output = done.stderr + done.stdout  # progress of the verbs, then what comes of it
        output = CONSENT.sub(r"\1deploy\2", output)
        output = output.replace(str(self.project.root) + os.sep, "")
        match shlex.split(pipe):
            case ["tail", "-n", count]:
                output = "".join(output.splitlines(keepends=True)[-int(count) :])
            case ["head", "-n", count]:
                output = "".join(output.splitlines(keepends=True)[: int(count)])
            case []:
                pass
            case other:
                raise AssertionError(f"a pipe to {other}")
        return (0 if pipe else done.returncode), output

    def _release_2(self) -> None:
        self.project.write("blog/models.py", BLOG_MODELS_2)
        self.project.write("shop/models.py", SHOP_MODELS_2)
        self.project.write("blog/migrations/0003_minutes.py", MINUTES)
        self.project.write("shop/migrations/0003_review.py", REVIEW)

    def _release_3(self) -> None:
        self.project.write("blog/models.py", BLOG_MODELS_3)
        self.project.write("blog/migrations/0004_remove_post_summary.py", REMOVE_SUMMARY)

    def _start(self, words: list[str]) -> None:
        self.project.write("hold", "")
        self.background = self.project.popen(*words[2:])
        for _ in range(600):
            assert self.background.poll() is None, self.background.communicate()
            if self._has_begun():
                return
            time.sleep(0.1)
        raise AssertionError(f"{KILLED_IN} never began")

    def _has_begun(self) -> bool:
        shown = self.project.migrator("journal", "show", "--format", "json")
        entries = json.loads(shown.stdout)["entries"] if shown.returncode == 0 else []
        begun = ("blog_db", "migration", KILLED_IN)  # it waits there; elsewhere it has no table
        return any((e["alias"], e["kind"], e["name"]) == begun for e in entries)

    def _kill(self) -> None:
        assert self.background is not None, "nothing runs in the background"
        kill(self.background)
        (self.project.root / "hold").unlink()


def walk_lines() -> list[Line]:
    """Every command of the README's console blocks that show a prompt."""
    return [
        line
        for block in fences(README, "console")
        if "$ " in block
        for line in console_lines(block)
    ]


def test_the_walk_meets_every_command() -> None:
    """No command of ours is left out of the README's walk."""
    walked = [line.text for line in walk_lines()]
    for name in existing_options():
        command = name.strip("`")
        if command not in ("migrator", "migrator journal"):
            assert any(command in text for text in walked), f"the README does not show {command}"


MASKS = [
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"\b[0-9a-hjkmnp-tv-z]{13}\b"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"\d\d:\d\d:\d\d(\.\d+)?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d UTC"), "TIME UTC"),
    (re.compile(r"\b(\d+ min )?\d+(\.\d+)? s\b"), "SECONDS"),
    (re.compile(r"(PostgreSQL|Python|Django|psycopg|[a-z-]+-journal|PyMySQL) [\d.]+"), r"\1 N"),
    (re.compile(r"\S+@\S+, pid \d+"), "ACTOR"),
    (re.compile(r"\bxid \d+"), "XID"),
    (re.compile(r"\b\d+(\.\d+)? [kMG]?B\b|\bbytes \d+"), "SIZE"),
    (re.compile(r"[ \t]+"), " "),
]


def masked(text: str) -> list[str]:
    """Output without what differs from run to run; blank lines and columns do not count."""
    for pattern, stand_in in MASKS:
        text = pattern.sub(stand_in, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mysql", marks=pytest.mark.mysql),
        "sqlite",
    ],
)
def test_the_walk_through_the_commands(
    vendor: str, tmp_path: Path, create_database: Callable[..., Database]
) -> None:
    walk = Walk(tmp_path / "project", {alias: create_database(vendor) for alias in ALIASES})
    lines = walk_lines()
    assert lines
    differing: list[str] = []
    for line in lines:
        code, output = walk.take(line)
        said = f"`{line.text}` exits {code}, the README says {line.exits}\n{output}"
        assert code == line.exits, said
        if masked(output) != masked("\n".join(line.output)):
            differing.append(f"$ {line.text}\n{output}")
    if vendor == "postgresql":
        again = "README.md prints something else; `python -m tests.acceptance.test_docs` writes it"
        assert not differing, "\n".join([again, *differing])
    shown = json.loads(walk.project.migrator("journal", "export", "--format", "json").stdout)
    documented = {
        names(row[0])[0]: row[1] for row in rows(section(REFERENCE / "journal.md", "Entries"))
    }
    kinds = {entry["kind"] for run in shown["runs"] for entry in run["entries"]}
    assert kinds <= set(documented)
    assert {"claim", "transition", "migration", "prune"} <= kinds


# -- JSON documents ----------------------------------------------------------------------------


def documented_fields(heading: str, *, table: int = 0) -> set[str]:
    """The fields in the first column of one of the tables of a section of json.md."""
    text = section(REFERENCE / "json.md", heading)
    tables = [t for t in re.split(r"\n\n(?=\|)", text) if t.startswith("|")]
    return {name for row in rows(tables[table]) for name in names(row[0])}


def test_documents_have_the_fields_that_are_documented(
    tmp_path: Path, create_database: Callable[..., Database]
) -> None:
    databases = {alias: create_database("sqlite") for alias in ALIASES}
    walk = Walk(tmp_path / "project", databases)
    walk.project.manage("migrate_all", check=True)
    databases["blog_db"].execute("ALTER TABLE blog_post DROP COLUMN summary")
    done = walk.project.manage("migrate_all", "--check", "--format", "json")
    report = json.loads(done.stdout)
    database = next(d for d in report["databases"] if d["alias"] == "blog_db")
    assert set(report) == documented_fields("Report")
    assert set(database) == documented_fields("Report", table=1)
    assert set(database["incidents"][0]) == documented_fields("Report", table=2)

    def journal(*arguments: str) -> dict[str, Any]:
        text = walk.project.migrator("journal", *arguments, "--format", "json").stdout
        loaded: dict[str, Any] = json.loads(text)
        return loaded

    listed, shown = journal("list"), journal("show")
    assert set(listed) == documented_fields("`migrator journal list` and `check`")
    assert set(journal("check")) == set(listed) - {"older"}
    prose = section(REFERENCE / "json.md", "`migrator journal list` and `check`")
    prose = prose[prose.index("Each of `runs`") :]
    run_fields, target_fields = prose.split("Each target holds")
    assert set(listed["runs"][0]) == set(names(run_fields.replace("`runs`", "", 1)))
    assert set(listed["runs"][0]["targets"][0]) == set(names(target_fields))
    table = rows(section(REFERENCE / "json.md", "`migrator journal show` and `export`"))
    cells = {names(row[0])[0]: row[1] for row in table}
    assert set(shown) == set(cells)
    entry = re.findall(r"\w+", names(cells["entries"])[0])
    assert set(shown["entries"][0]) == set(entry)
    extra = set(names(cells["run"])) - {"list"}
    assert set(shown["run"]) == set(listed["runs"][0]) - {"targets"} | extra
    assert set(journal("verify")) == documented_fields("`migrator journal verify`")


# -- writing the README ----------------------------------------------------------------------------

_ACTOR = re.compile(r"\S+@\S+, pid (\d+)")


def write_readme() -> int:
    """Walk the README's commands on an embedded PostgreSQL, and write their output into it."""
    from tests.servers import embedded_postgres

    with ExitStack() as stack:
        server = stack.enter_context(embedded_postgres())
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        walk = Walk(root / "project", {alias: server.create_database(alias) for alias in ALIASES})

        def written(match: re.Match[str]) -> str:
            if match[1] != "console" or "$ " not in match[2]:
                return match[0]
            pieces: list[str] = []
            for line in console_lines(match[2]):
                shown = walk.spelled(line.text)
                code, output = walk.take(line)
                output = output.replace(str(walk.project.root) + os.sep, "")
                output = _ACTOR.sub(r"deploy@web-1, pid \1", output)
                pieces += [f"$ {shown}", *(t.rstrip() for t in output.rstrip().splitlines())]
                if line.asked:
                    pieces += ["$ echo $?", str(code)]
                if code != line.exits:
                    surprises.append(f"{line.text}: exit {code}, not {line.exits}\n{output}")
            return "```console\n" + "\n".join(pieces) + "\n```"

        surprises: list[str] = []
        text = FENCE.sub(written, README.read_text(encoding="utf-8"))
    if surprises:
        sys.stderr.write("\n".join(surprises) + "\nThe README is left as it was.\n")
        return 1
    diagram = f"```mermaid\n{render_diagram()}\n```"
    text = re.sub(r"```mermaid\n(.*?)```", lambda _: diagram, text, flags=re.DOTALL)
    README.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    assert Path(console_script()).exists()
    sys.exit(write_readme())
