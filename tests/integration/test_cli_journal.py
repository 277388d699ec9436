"""`migrator journal …`: a record that can be read when nothing else works any more."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import journal
from journal import Journal, Phase, Run, RunStatus, Target, TargetStatus
from migrator import cli
from migrator.exceptions import Interrupted

ACTOR = {"user": "deploy", "host": "web-1", "pid": 4711, "argv": ["manage.py", "migrate_all"]}
Migrator = Callable[..., int]


def record_run(
    book: Journal,
    *aliases: str,
    kind: str = "migrate",
    goal: str = "verified",
    fail: str = "",
    close: bool = True,
) -> Run:
    """One run as the lifecycle records it: each alias is migrated, but the one that fails."""
    targets = [
        Target("", alias, "postgresql", "PostgreSQL 18.0", f"pg/{alias}") for alias in aliases
    ]
    run = book.open_run(kind=kind, goal=goal, options={}, actor=ACTOR, targets=targets)
    for alias in aliases:
        epoch = book.claim(run.id, alias)
        step = {"run_id": run.id, "alias": alias, "epoch": epoch, "kind": "migration"}
        book.write(**step, name=f"{alias}.0001_initial", phase=Phase.INTENT)  # type: ignore[arg-type]
        if alias == fail:
            book.write(
                **step,  # type: ignore[arg-type]
                name=f"{alias}.0001_initial",
                phase=Phase.FAILED,
                seconds=1.25,
                payload={"error": "duplicate key"},
                state="failed",
                status=TargetStatus.FAILED,
            )
            book.update_target(run.id, alias, epoch=epoch, reason="The migration failed.")
        else:
            book.write(
                **step,  # type: ignore[arg-type]
                name=f"{alias}.0001_initial",
                phase=Phase.DONE,
                seconds=0.5,
                state=goal,
                status=TargetStatus.DONE,
            )
    if close:
        run = book.close_run(run.id, RunStatus.FAILED if fail else RunStatus.COMPLETE)
    return run


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the journal is, in an otherwise empty working directory."""
    for name in ("MIGRATOR_JOURNAL_URL", "DJANGO_SETTINGS_MODULE", "MIGRATOR_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "migrator_journal.sqlite3"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def book(url: str) -> Journal:
    """A journal that exists; closed by its own `with` in each test."""
    return journal.open_journal(url)


def call(*arguments: str) -> int:
    return cli.main(["journal", *arguments])


def run_command(
    *arguments: str, cwd: Path, code: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with nothing of this one's Django settings."""
    program = code or "import sys; from migrator.cli import main; sys.exit(main())"
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "MIGRATOR_"))
    }
    return subprocess.run(
        [sys.executable, "-c", program, "journal", *arguments],
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# -- list --------------------------------------------------------------------------------


def test_list_shows_the_newest_run_first(book: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    with book:
        first = record_run(book, "default", kind="check", goal="scanned")
        second = record_run(book, "default", "shop_db", fail="shop_db")

    assert call("list") == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["RUN", "KIND", "STATUS"]
    assert [row.split()[:3] for row in rows] == [
        [second.id, "migrate", "failed"],
        [first.id, "check", "complete"],
    ]
    assert rows[0].endswith("1 done, failed: shop_db")


def test_list_as_json_has_the_documented_shape(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        run = record_run(book, "default", close=False)

    assert call("list", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    (listed,) = document["runs"]
    assert listed["id"] == run.id
    assert listed["status"] == "open"
    assert listed["complete"] is False
    assert listed["opened_at"].endswith("+00:00")
    assert listed["closed_at"] is None
    assert [target["alias"] for target in listed["targets"]] == ["default"]


def test_list_says_how_many_runs_it_leaves_out(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        for _ in range(3):
            record_run(book, "default")

    assert call("list", "--limit", "1") == 0
    assert "2 older runs: --limit 0 shows all." in capsys.readouterr().out
    assert call("list", "--limit", "0") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize("style", ["text", "markdown"])
def test_an_empty_journal_says_so(
    book: Journal, style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    book.close()
    assert call("list", "--format", style) == 0
    assert "The journal is empty" in capsys.readouterr().out
    assert call("check", "--format", style) == 0
    assert "No run is incomplete." in capsys.readouterr().out
    assert call("show", "--format", style) == 2
    assert "is empty" in capsys.readouterr().err


# -- show --------------------------------------------------------------------------------


def test_show_takes_the_newest_run_and_tells_each_step(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        record_run(book, "default")
        run = record_run(book, "default", "shop_db", fail="shop_db")

    assert call("show") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"migrate {run.id}  failed\n")
    assert "by        deploy@web-1, pid 4711" in text
    steps = [line.split() for line in text.splitlines() if "_initial" in line]
    assert [step[3:7] for step in steps] == [
        ["done", "0.50", "s", "default.0001_initial"],
        ["failed", "1.2", "s", "shop_db.0001_initial"],
    ]
    assert "duplicate key" in text
    assert f"python manage.py migrate_all --resume {run.id}" in text


def test_show_marks_an_intent_that_has_no_outcome(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        run = book.open_run(
            kind="migrate",
            goal="verified",
            options={},
            actor=ACTOR,
            targets=[Target("", "default")],
        )
        epoch = book.claim(run.id, "default")
        book.write(
            run.id, "default", epoch=epoch, kind="migration", name="a.0001_x", phase=Phase.INTENT
        )
    assert call("show") == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if "a.0001_x" in x)
    assert line.endswith("no outcome  a.0001_x")


def test_show_accepts_a_unique_prefix_and_refuses_others(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        first, second = record_run(book, "default"), record_run(book, "default")
    common = first.id[:1]
    assert second.id.startswith(common)
    unique = next(
        first.id[:length]
        for length in range(1, len(first.id) + 1)
        if not second.id.startswith(first.id[:length])
    )

    assert call("show", unique) == 0
    assert first.id in capsys.readouterr().out
    assert call("show", common) == 2
    error = capsys.readouterr().err
    assert first.id in error
    assert second.id in error
    assert call("show", "nothing") == 2
    assert capsys.readouterr().err.startswith("Error: No run 'nothing'")


def test_show_as_json_has_the_documented_shape(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        run = record_run(book, "default")
    assert call("show", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)

    assert document["format"] == 1
    assert document["run"]["id"] == run.id
    assert document["run"]["seal"]
    assert {"alias": "default", "state": "verified", "status": "done"}.items() <= document[
        "targets"
    ][0].items()
    documented = {"alias", "seq", "epoch", "kind", "name", "phase", "at", "seconds", "payload"}
    assert all(documented | {"hash"} <= entry.keys() for entry in document["entries"])
    migrations = [e for e in document["entries"] if e["kind"] == "migration"]
    assert [(e["name"], e["phase"]) for e in migrations] == [
        ("default.0001_initial", "intent"),
        ("default.0001_initial", "done"),
    ]


def test_show_as_markdown_is_a_document(book: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    with book:
        run = record_run(book, "shop_db", fail="shop_db")
    assert call("show", "--format", "markdown") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"# migrate `{run.id}`: failed\n")
    assert "\n## `shop_db`\n" in text
    assert f"\n```sh\npython manage.py migrate_all --resume {run.id}\n```\n" in text


# -- check -------------------------------------------------------------------------------


def test_check_fails_while_a_run_is_open_and_says_what_to_do(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        run = record_run(book, "default", close=False)

    assert call("check") == 1
    text = capsys.readouterr().out
    assert text.startswith("1 run is incomplete.\n")
    assert f"migrate {run.id}  open" in text
    assert f"python manage.py migrate_all --resume {run.id}" in text
    assert "deploy@web-1, pid 4711" in text


def test_check_names_the_alias_that_failed_and_passes_once_it_is_made_good(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        run = record_run(book, "default", "shop_db", fail="shop_db")
        assert call("check") == 1
        text = capsys.readouterr().out
        assert "shop_db" in text
        assert "The migration failed." in text
        assert "  default" not in text
        assert call("check", "--format", "json") == 1
        (listed,) = json.loads(capsys.readouterr().out)["runs"]
        assert listed["id"] == run.id

        record_run(book, "shop_db")
        assert call("check") == 0
        assert capsys.readouterr().out == "No run is incomplete.\n"


# -- verify ------------------------------------------------------------------------------


def test_verify_holds_for_a_journal_that_nobody_touched(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        record_run(book, "default")
    assert call("verify") == 0
    assert capsys.readouterr().out == "The journal holds together: 1 run verified.\n"


def test_verify_names_the_entry_that_was_edited(
    book: Journal, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        honest = record_run(book, "default")
        edited = record_run(book, "shop_db")
    connection = sqlite3.connect(path)
    for (trigger,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        connection.execute(f'DROP TRIGGER "{trigger}"')
    (table,) = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%entry'"
    ).fetchone()
    connection.execute(
        f"UPDATE {table} SET name = 'x.0001_y' WHERE run_id = ? AND seq = 2", [edited.id]
    )
    connection.commit()
    connection.close()

    assert call("verify") == 1
    text = capsys.readouterr().out
    assert "altered" in text
    assert edited.id in text
    assert "shop_db #2" in text
    assert honest.id not in text
    assert call("verify", edited.id, "--format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["checked"] == 1
    assert document["breaks"][0]["alias"] == "shop_db"
    assert call("verify", honest.id) == 0


# -- export ------------------------------------------------------------------------------


def test_export_writes_a_document_a_line_the_oldest_first(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        first, second = record_run(book, "default"), record_run(book, "default")
    assert call("export") == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["run"]["id"] for document in documents] == [first.id, second.id]
    assert all(document["entries"] for document in documents)

    assert call("export", second.id, "--format", "json") == 0
    (document,) = json.loads(capsys.readouterr().out)["runs"]
    assert document["run"]["id"] == second.id


def test_export_to_a_file_is_private_and_whole(
    book: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        record_run(book, "default")
    target = tmp_path / "runs.jsonl"
    assert call("export", "--output", str(target)) == 0
    assert json.loads(target.read_text())["run"]["kind"] == "migrate"
    assert target.stat().st_mode & 0o077 == 0
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.glob("*.part"))


def test_export_to_a_place_that_is_not_there_is_one_sentence(
    book: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book.close()
    assert call("export", "--output", str(tmp_path / "no" / "x")) == 1
    assert capsys.readouterr().err.startswith("Error: ")


# -- prune -------------------------------------------------------------------------------


def test_prune_keeps_what_is_newest_and_what_is_incomplete(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        failed = record_run(book, "shop_db", fail="shop_db")
        old, new = record_run(book, "default"), record_run(book, "default")

    assert call("prune", "--keep", "1", "--yes") == 0
    assert capsys.readouterr().out == "1 run removed.\n"
    with journal.open_journal(f"sqlite:///{Path.cwd()}/migrator_journal.sqlite3") as book:
        left = {run.id for run in book.runs() if run.kind != "prune"}
    assert left == {failed.id, new.id}
    assert old.id not in left


def test_prune_asks_and_without_a_terminal_names_the_flag(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        run = record_run(book, "default")
    result = run_command("prune", "--keep", "0", cwd=Path.cwd())
    assert result.returncode == 3
    assert "--yes" in result.stderr
    with journal.open_journal(f"sqlite:///{Path.cwd()}/migrator_journal.sqlite3") as book:
        assert [found.id for found in book.runs()] == [run.id]


def test_prune_before_a_day_removes_nothing_younger(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        record_run(book, "default")
    assert call("prune", "--before", "2020-01-01", "--yes") == 0
    assert capsys.readouterr().out == "Nothing to remove.\n"


def test_a_run_whose_database_is_gone_for_good_is_given_up_by_name(
    book: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    """No later run can make good what it left: else `check` would fail for ever."""
    with book:
        gone = record_run(book, "tenant_7", fail="tenant_7")
        record_run(book, "default")
    assert call("check") == 1
    capsys.readouterr()
    asked = run_command("prune", "--run", gone.id[:-1], cwd=Path.cwd())
    assert asked.returncode == 3
    assert gone.id in asked.stderr
    assert "failed" in asked.stderr

    assert call("prune", "--run", gone.id[:-1], "--yes") == 0
    assert capsys.readouterr().out == "1 run removed.\n"
    assert call("check") == 0
    assert call("verify") == 0
    assert call("prune", "--run", "zzzz", "--yes") == 2


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--keep", "1", "--before", "2020-01-01"),
        ("--keep", "1", "--run", "1"),
        ("--before", "yesterday"),
    ],
)
def test_prune_refuses_an_unclear_order(
    book: Journal, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    book.close()
    assert call("prune", *arguments) == 2
    assert capsys.readouterr().err.startswith("Error: ")


# -- where the journal is ------------------------------------------------------------------


def test_the_option_wins_over_the_environment_and_that_over_the_directory(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = {name: f"sqlite:///{tmp_path / name}.sqlite3" for name in ("option", "environment")}
    for place in (*urls.values(), f"sqlite:///{path}"):
        journal.open_journal(place).close()

    assert call("list", "-v") == 0
    assert "in this directory" in capsys.readouterr().err
    monkeypatch.setenv("MIGRATOR_JOURNAL_URL", urls["environment"])
    assert call("list", "-v") == 0
    assert "environment.sqlite3 (MIGRATOR_JOURNAL_URL)" in capsys.readouterr().err
    assert call("list", "-v", "--journal", urls["option"]) == 0
    assert "option.sqlite3 (--journal)" in capsys.readouterr().err
    assert call("-v", "--journal", urls["option"], "list") == 0
    assert "option.sqlite3 (--journal)" in capsys.readouterr().err


def test_a_path_serves_as_well_as_a_url(
    book: Journal, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with book:
        run = record_run(book, "default")
    assert call("list", "--journal", path.name) == 0
    assert run.id in capsys.readouterr().out


def test_nobody_names_a_journal(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("list") == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: Which journal?")
    assert "--journal URL" in error


def test_a_journal_that_is_not_there_is_never_created(
    path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in (("list",), ("check",), ("prune", "--keep", "1", "--yes")):
        assert call(*verb, "--journal", url) == 1
        assert capsys.readouterr().err.startswith("Error: There is no journal")
    assert not path.exists()


def test_the_project_names_the_journal(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite3"
    with journal.open_journal(f"sqlite:///{elsewhere}") as book:
        run = record_run(book, "default")
    (tmp_path / "manage.py").write_text(
        'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config")\n'
    )
    (tmp_path / "config.py").write_text(
        "print('noise')\n"
        "INSTALLED_APPS = ['an_app_that_is_not_installed']\n"
        f"MIGRATOR = {{'JOURNAL_URL': 'sqlite:///{elsewhere}'}}\n"
    )
    result = run_command("list", "-v", "--format", "json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["runs"][0]["id"] == run.id
    assert "settings config, manage.py" in result.stderr

    (tmp_path / "other.py").write_text("MIGRATOR = {'JOURNAL_URL': 'sqlite:////nowhere/x'}\n")
    result = run_command("list", "--settings", "other", cwd=tmp_path)
    assert result.returncode == 1
    assert "/nowhere/x" in result.stderr


@pytest.mark.parametrize(
    "settings",
    [
        "import nothing_of_that_name",
        "SECRET = {}['KEY']",
        "raise SystemExit('no')",
        "def (",
        "DATABASE_URL = int('postgresql://bob:s3cret@db/x')",
    ],
)
def test_a_project_that_does_not_load_is_one_sentence_and_the_way_out(
    tmp_path: Path, settings: str
) -> None:
    (tmp_path / "manage.py").write_text('environ["DJANGO_SETTINGS_MODULE"] = "config"\n')
    (tmp_path / "config.py").write_text(settings + "\n")
    # A journal that lies in the directory may be another one: it is not taken in silence.
    journal.open_journal(f"sqlite:///{tmp_path}/migrator_journal.sqlite3").close()

    result = run_command("check", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("Error: The settings module 'config' does not load: ")
    assert "--journal URL" in result.stderr
    assert "Traceback" not in result.stderr
    assert "s3cret" not in result.stderr
    assert (
        run_command("check", "--journal", "migrator_journal.sqlite3", cwd=tmp_path).returncode == 0
    )


def test_the_journal_is_read_where_django_is_not_installed(book: Journal, tmp_path: Path) -> None:
    with book:
        run = record_run(book, "default")
    code = (
        "import sys; sys.modules['django'] = None\nfrom migrator.cli import main; sys.exit(main())"
    )
    result = run_command("show", cwd=tmp_path, code=code)
    assert result.returncode == 0, result.stderr
    assert run.id in result.stdout


# -- what can go wrong ---------------------------------------------------------------------


def test_a_password_is_never_printed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for url in (
        "postgresql://bob:s3cret@127.0.0.1:1/nope",
        "nonsense://bob:s3cret@host/x",
        "postgresql://bob:s3cret@host:port/x",
    ):
        assert call("list", "-v", "--journal", url) == 1
        output = capsys.readouterr()
        assert output.err.startswith("Error: ")
        assert "s3cret" not in output.err + output.out


def test_a_file_that_is_no_journal_is_one_sentence(
    tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("hello\n" * 200)
    assert call("verify", "--journal", "text") == 1
    assert "is not a journal" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(book: Journal, tmp_path: Path) -> None:
    with book:
        for _ in range(3):
            record_run(book, "default", "shop_db", close=False)
    code = (
        "import os, sys\n"
        "reading, writing = os.pipe(); os.close(reading); os.dup2(writing, 1)\n"
        "from migrator.cli import main; sys.exit(main())"
    )
    for verb, expected in (("list", 0), ("show", 0), ("export", 0), ("check", 1)):
        result = run_command(verb, cwd=tmp_path, code=code)
        assert (result.returncode, result.stderr) == (expected, "")


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), Interrupted("SIGINT")])
def test_ctrl_c_ends_with_130(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    signal: BaseException,
) -> None:
    path.touch()

    def interrupted(*_: object, **__: object) -> Journal:
        raise signal

    monkeypatch.setattr(journal, "open_journal", interrupted)
    assert call("list") == 130
    assert "Interrupted." in capsys.readouterr().err


def test_a_surprise_is_one_sentence_and_a_traceback_only_on_demand(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path.touch()

    def surprised(*_: object, **__: object) -> Journal:
        raise RuntimeError("cannot connect to postgresql://bob:s3cret@db/x")

    monkeypatch.setattr(journal, "open_journal", surprised)
    assert call("list") == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: RuntimeError: cannot connect to postgresql://bob:***@db/x\n")
    assert "Traceback" not in error

    monkeypatch.setenv("MIGRATOR_DEBUG", "1")
    assert call("list") == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "s3cret" not in error


def test_usage_errors_exit_2(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("nonsense") == 2
    assert call("list", "--format", "yaml") == 2
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("migrator, version ")
