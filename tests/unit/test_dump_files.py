"""What is written for, and read from, the programs that dump and restore: text work alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from migrator.backends.mysql_dump import option_file, quoted
from migrator.backends.postgresql_dump import (
    archived_extensions,
    choose,
    pass_file,
    readable_by,
    service_file,
    wanted_entries,
)
from migrator.backends.programs import Call, Program
from migrator.dumping.archive import (
    Archive,
    Facts,
    alias_directory,
    check_digest,
    digest_of,
    keep,
    load_archive,
    part_file,
    remove_old,
    remove_parts,
)
from migrator.exceptions import ArchiveRefused, ToolFailed

LISTING = """\
;
; Archive created at 2026-11-20
;
3; 3079 16385 EXTENSION - citext
3390; 0 0 COMMENT - EXTENSION citext owner
4; 3079 16400 EXTENSION - pg trgm
5; 2615 16390 SCHEMA - extensions owner
6; 2615 16391 SCHEMA - extensions two owner
7; 2615 2200 SCHEMA - public pg_database_owner
220; 1259 16500 TABLE public django_migrations owner
"""


def program(path: str, *version: int) -> Program:
    return Program(Path(path), "pg_dump", version)


def test_the_oldest_program_that_is_not_older_than_the_server() -> None:
    known = [program("/15/pg_dump", 15, 2), program("/18/pg_dump", 18, 1), program("/17/x", 17, 0)]
    assert choose(known, 16, "default").path == Path("/17/x")
    assert choose(known, 15, "default").path == Path("/15/pg_dump")
    with pytest.raises(ToolFailed, match="older than the server of default, PostgreSQL 19"):
        choose(known, 19, "default")
    with pytest.raises(ToolFailed, match="no pg_dump") as refused:
        choose([], 18, "default")
    assert "--no-backup" in refused.value.hint
    with pytest.raises(ToolFailed, match=r"no pg_dump in /opt/pg, which MIGRATOR"):
        choose([], 18, "default", tools="/opt/pg")


def test_a_service_file_has_one_parameter_a_line() -> None:
    text = service_file({"host": "/run/pg", "options": "-c x=1", "user": "a\nb", "sslmode": ""})
    assert text == "[migrator]\nhost=/run/pg\noptions=-c x=1\n"


@pytest.mark.parametrize(
    ("password", "line"),
    [("", ""), ("plain", "*:*:*:*:plain\n"), ("a:b\\c", "*:*:*:*:a\\:b\\\\c\n")],
)
def test_a_password_file_escapes_what_it_has_to(password: str, line: str) -> None:
    assert pass_file(password) == line


def test_extensions_that_stay_are_not_restored() -> None:
    assert archived_extensions(LISTING) == {"citext", "pg trgm"}
    wanted = wanted_entries(LISTING, {"citext"}, {"extensions", "public"})
    assert "EXTENSION - citext" not in wanted
    assert "EXTENSION citext" not in wanted
    assert "SCHEMA - extensions owner" not in wanted
    assert "EXTENSION - pg trgm" in wanted
    assert "SCHEMA - public" in wanted
    assert "TABLE public django_migrations" in wanted


def test_an_older_server_is_spared_a_setting_that_it_does_not_know() -> None:
    script = b"SET lock_timeout = 0;\nSET transaction_timeout = 0;\nSELECT 1;\n"
    assert readable_by(script, 17) == script
    assert readable_by(script, 16) == b"SET lock_timeout = 0;\nSELECT 1;\n"


def test_an_option_file() -> None:
    given: dict[str, Any] = {
        "user": "me",
        "password": 'a"b\\c#',
        "host": "db",
        "port": 3307,
        "ssl": {"ca": "/ca.pem"},
        "read_default_file": "/etc/app.cnf",
    }
    text = option_file(given, mariadb=True, database="x y")
    assert text.startswith('!include /etc/app.cnf\n[client]\nuser="me"\n')
    assert 'password="a\\"b\\\\c#"' in text
    assert 'ssl-ca="/ca.pem"\nssl\n' in text
    assert '[mysql]\ndatabase="x y"' in text
    assert "ssl-mode=REQUIRED" in option_file({"ssl_mode": "REQUIRED"}, mariadb=False)
    assert "loose" not in option_file({}, mariadb=False)
    assert quoted("a\nb") == '"a\\nb"'


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'pg_dump: error: no' >&2; exit 1", "sh: no"),
        ("echo 'psql:<stdin>:12: ERROR:  bad' >&2; exit 3", "sh: bad"),
        ("echo 'x: error: one' >&2; echo 'x: detail: two' >&2; exit 1", "sh: one"),
        ("echo 'ERROR 1045 at line 1: denied' >&2; exit 1", "sh: ERROR 1045 at line 1: denied"),
        ("echo 'error: sesame and postgres://me:pw@host/x' >&2; exit 1", "postgres://me:***@host"),
        ("exit 7", "sh: it ended with exit code 7"),
        ("kill -9 $$", "sh: it was ended by signal 9"),
    ],
)
def test_the_last_words_of_a_program(script: str, said: str) -> None:
    with pytest.raises(ToolFailed) as failed:
        Call(["/bin/sh", "-c", script], {}, secrets=["sesame"]).run()
    assert said in failed.value.message
    assert "sesame" not in failed.value.message


def test_a_program_that_stops_reading_says_why() -> None:
    with pytest.raises(ToolFailed, match="enough"):
        Call(["/bin/sh", "-c", "read x; echo 'error: enough' >&2; exit 1"], {}).feed(
            b"x\n" * 100_000 for _ in range(100)
        )
    with pytest.raises(ToolFailed, match="cannot be started"):
        Call(["/nowhere/at/all"], {}).run()


# -- the files of a backup --------------------------------------------------------------------


def made(directory: Path, run_id: str, content: bytes = b"content", at: str = "") -> Archive:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{run_id}.dump"
    with part_file(path) as part:
        part.write_bytes(content)
        digest, size = digest_of(part)
        facts = Facts(
            run_id,
            "default",
            "postgresql",
            "PostgreSQL 18",
            "x",
            path.name,
            size,
            digest,
            at or run_id,
        )
        keep(part, Archive(path, facts))
    return load_archive(directory / f"{run_id}.json")


def test_a_backup_is_two_private_files(tmp_path: Path) -> None:
    archive = made(tmp_path, "run1")
    check_digest(archive)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run1.dump", "run1.json"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    archive.path.write_bytes(b"Content")
    with pytest.raises(ArchiveRefused, match="altered"):
        check_digest(archive)
    archive.path.write_bytes(b"conten")
    with pytest.raises(ArchiveRefused, match="6 bytes, and had 7"):
        check_digest(archive)
    archive.path.unlink()
    with pytest.raises(ArchiveRefused, match="cannot be read"):
        check_digest(archive)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"sha256": "x"},
        {"bytes": "7"},
        {"file": "../run1.dump"},
        {"file": "run2.dump"},
        {"recorded": None},
        {"run_id": 3},
    ],
    ids=str,
)
def test_facts_that_are_none(tmp_path: Path, change: dict[str, Any]) -> None:
    facts = made(tmp_path, "run1").facts_path
    facts.write_text(json.dumps({**json.loads(facts.read_text()), **change}))
    with pytest.raises(ArchiveRefused):
        load_archive(facts)


def test_facts_of_a_newer_version_are_read(tmp_path: Path) -> None:
    archive = made(tmp_path, "run1")
    document = json.loads(archive.facts_path.read_text())
    archive.facts_path.write_text(json.dumps({**document, "colour": "red"}))
    assert load_archive(archive.facts_path) == archive


def test_the_oldest_go_and_what_is_needed_stays(tmp_path: Path) -> None:
    for number in range(1, 6):
        made(tmp_path, f"run{number}", at=f"2026-01-0{number}")
    (tmp_path / "run0.dump").write_text("no facts")
    removed = remove_old(tmp_path, keep_newest=2, needed=frozenset({"run2"}))
    assert [Path(path).name for path in removed] == ["run1.dump", "run3.dump"]
    assert {path.stem for path in tmp_path.glob("*.json")} == {"run2", "run4", "run5"}
    assert (tmp_path / "run0.dump").exists()
    assert remove_old(tmp_path, keep_newest=0, needed=frozenset()) == ()


def test_a_part_goes_unless_somebody_writes_it(tmp_path: Path) -> None:
    (tmp_path / "dead.dump.part").write_text("x")
    with part_file(tmp_path / "alive.dump") as part:
        remove_parts(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [part.name]
    assert list(tmp_path.iterdir()) == []


def test_no_two_aliases_share_a_directory(tmp_path: Path) -> None:
    names = ["default", "a b", "a_b", "a/b", "..", "ä", "Default"]
    places = [alias_directory(tmp_path, name) for name in names]
    assert len(set(places)) == len(names)
    assert places[0] == tmp_path / "default"
    assert {place.parent for place in places} == {tmp_path}
