"""The journal refuses to be changed, and tells where it was changed all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from journal import Break, Phase, RunStatus, Target, TargetStatus, open_journal
from tests.servers import Database

UNGUARD = {
    "sqlite": "DROP TRIGGER entry_update; DROP TRIGGER entry_delete; DROP TRIGGER entry_replace;",
    "postgresql": (
        "DROP TRIGGER entry_refuse ON entry; DROP TRIGGER entry_refuse_truncate ON entry;"
        "ALTER TABLE entry DROP CONSTRAINT fk_entry_run_id_alias;"
        "ALTER TABLE target DROP CONSTRAINT fk_target_run_id;"
    ),
}


@dataclass
class Written:
    """A journal with three closed runs, the middle one being looked at; and one still open."""

    database: Database
    before: str
    run: str
    after: str
    opened: str

    def verify(self, *run_ids: str) -> tuple[Break, ...]:
        with open_journal(self.database.url, create=False) as journal:
            return journal.verify(run_ids or None)

    def places(self) -> set[tuple[str, str, int]]:
        return {(found.run_id, found.alias, found.seq) for found in self.verify()}

    def tamper(self, *statements: str) -> None:
        self.database.execute(UNGUARD[self.database.vendor])
        for statement in statements:
            self.database.execute(statement.format(run=self.run, opened=self.opened))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def written(request: pytest.FixtureRequest, create_database: Callable[..., Database]) -> Written:
    database = create_database(request.param, "journal")
    ids = []
    with open_journal(database.url) as journal:
        for number in range(4):
            run = journal.open_run(
                kind="migrate",
                goal="verified",
                options={"repair": True},
                actor={"user": "me"},
                targets=[Target("", "default", identity="i"), Target("", "blog")],
            )
            ids.append(run.id)
            epoch = journal.claim(run.id, "default")
            for name in ("a.0001", "a.0002", "a.0003"):
                journal.write(
                    run.id,
                    "default",
                    epoch=epoch,
                    kind="migration",
                    name=name,
                    phase=Phase.DONE,
                    payload={"number": number},
                )
            journal.save_snapshot(
                identity=f"i{number}", alias="default", run_id=run.id, content={"n": number}
            )
            if number < 3:
                journal.update_target(run.id, "default", epoch=epoch, status=TargetStatus.DONE)
                journal.close_run(run.id, RunStatus.COMPLETE)
    return Written(database, *ids)


def test_an_untouched_journal_holds(written: Written) -> None:
    assert written.verify() == ()


# -- refusing --------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET payload = '{}' WHERE seq = 2",
        "UPDATE entry SET payload = payload",
        "DELETE FROM entry WHERE seq = 4",
        "DELETE FROM entry",
    ],
)
def test_entries_cannot_be_changed_or_deleted(written: Written, statement: str) -> None:
    before = written.database.query("SELECT * FROM entry ORDER BY id")

    with pytest.raises(Exception, match="append-only"):
        written.database.execute(statement)
    assert written.database.query("SELECT * FROM entry ORDER BY id") == before


def test_entries_cannot_be_replaced(written: Written) -> None:
    columns = "run_id, alias, seq, epoch, kind, name, attempt, phase, at, payload, previous, hash"
    forged = f"SELECT {columns.replace('payload', repr('{}'))} FROM entry WHERE seq = 2 LIMIT 1"
    if written.database.vendor == "sqlite":
        statements = [
            f"INSERT OR REPLACE INTO entry ({columns}) {forged}",
            f"REPLACE INTO entry (id, {columns}) {forged.replace('SELECT', 'SELECT id,')}",
            f"REPLACE INTO entry ({columns}) {forged.replace('seq, epoch', '99, epoch')}",
        ]
    else:
        statements = [
            f"""INSERT INTO entry ({columns}) {forged}
            ON CONFLICT (run_id, alias, seq) DO UPDATE SET payload = excluded.payload""",
            "TRUNCATE entry",
            "TRUNCATE run CASCADE",
        ]
    for statement in statements:
        with pytest.raises(Exception, match="append-only"):
            written.database.execute(statement)
    assert written.verify() == ()


def test_pruning_leaves_the_guard_as_it_was(written: Written) -> None:
    with open_journal(written.database.url) as journal:
        assert journal.prune(keep=2) == (written.before, written.run)

    assert written.verify() == ()
    assert written.database.query("SELECT * FROM pruning") == []
    with pytest.raises(Exception, match="append-only"):
        written.database.execute(f"DELETE FROM entry WHERE run_id = '{written.after}'")


# -- finding ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "payload = '{{\"number\":9}}'",
        "name = 'a.0009'",
        "phase = 'failed'",
        "at = '2020-01-01T00:00:00.000000Z'",
        "seconds = 3",
        "kind = 'repair'",
        "hash = previous",
        # What cannot even be read any more:
        "payload = 'nonsense'",
        "phase = 'nonsense'",
        "at = 'nonsense'",
    ],
)
def test_an_edited_entry_is_named(written: Written, change: str) -> None:
    written.tamper(f"UPDATE entry SET {change} WHERE run_id = '{{run}}' AND seq = 3")

    assert (written.run, "default", 3) in written.places()
    assert {place[0] for place in written.places()} == {written.run}
    assert written.verify(written.before, written.after) == ()


@pytest.mark.parametrize("seq", [1, 2, 4])
@pytest.mark.parametrize("which", ["run", "opened"])
def test_a_removed_entry_is_named(written: Written, seq: int, which: str) -> None:
    written.tamper(f"DELETE FROM entry WHERE run_id = '{{{which}}}' AND seq = {seq}")

    (found,) = written.verify()
    assert (found.run_id, found.alias, found.seq) == (getattr(written, which), "default", seq)
    assert "missing" in found.problem


def test_reordered_entries_are_named(written: Written) -> None:
    written.tamper(
        "UPDATE entry SET seq = 99 WHERE run_id = '{run}' AND seq = 2",
        "UPDATE entry SET seq = 2 WHERE run_id = '{run}' AND seq = 3",
        "UPDATE entry SET seq = 3 WHERE run_id = '{run}' AND seq = 99",
    )

    assert written.places() >= {(written.run, "default", 2), (written.run, "default", 3)}


@pytest.mark.parametrize(
    ("statement", "alias"),
    [
        ("UPDATE target SET status = 'failed' WHERE run_id = '{run}' AND alias = 'blog'", "blog"),
        ("UPDATE target SET identity = 'x' WHERE run_id = '{run}' AND alias = 'blog'", "blog"),
        ("UPDATE target SET epoch = 9 WHERE run_id = '{run}' AND alias = 'default'", "default"),
        ("UPDATE target SET status = 'x' WHERE run_id = '{run}' AND alias = 'blog'", "blog"),
        ("UPDATE run SET status = 'failed' WHERE id = '{run}'", ""),
        ("UPDATE run SET actor = '{{}}' WHERE id = '{run}'", ""),
        ("UPDATE run SET seal = '' WHERE id = '{run}'", ""),
        ("UPDATE run SET closed_at = opened_at WHERE id = '{run}'", ""),
        ("UPDATE run SET options = 'nonsense' WHERE id = '{run}'", ""),
        ("DELETE FROM target WHERE run_id = '{run}' AND alias = 'blog'", ""),
    ],
)
def test_an_altered_run_or_target_is_named(written: Written, statement: str, alias: str) -> None:
    written.tamper(statement)

    places = written.places()
    assert (written.run, alias, 0) in places
    assert {place[0] for place in places} == {written.run}


def test_a_whole_run_removed_is_named(written: Written) -> None:
    written.tamper(
        "DELETE FROM entry WHERE run_id = '{run}'",
        "DELETE FROM target WHERE run_id = '{run}'",
        "DELETE FROM run WHERE id = '{run}'",
    )

    (found,) = [found for found in written.verify() if "snapshot" not in found.problem]
    assert found.run_id == written.run
    assert written.after in found.problem


def test_what_a_removed_run_leaves_behind_is_named(written: Written) -> None:
    written.tamper("DELETE FROM run WHERE id = '{run}'")

    assert "remain in 'entry'" in " ".join(found.problem for found in written.verify())


@pytest.mark.parametrize("how", ["edited", "removed"])
def test_a_snapshot_that_was_altered_is_named(written: Written, how: str) -> None:
    digest = written.database.query(f"SELECT digest FROM snapshot WHERE run_id = '{written.run}'")[
        0
    ][0]
    other = f"(SELECT content FROM snapshot_content WHERE digest <> '{digest}' LIMIT 1)"
    if how == "edited":
        statement = f"UPDATE snapshot_content SET content = {other}"
    else:
        if written.database.vendor == "postgresql":
            written.database.execute("ALTER TABLE snapshot DROP CONSTRAINT fk_snapshot_digest")
        statement = "DELETE FROM snapshot_content"
    written.database.execute(f"{statement} WHERE digest = '{digest}'")

    (found,) = written.verify()
    assert (found.run_id, found.alias) == (written.run, "default")
    assert "snapshot" in found.problem


def test_every_problem_is_one_sentence(written: Written) -> None:
    changes: list[Any] = ["payload = 'nonsense' WHERE seq = 2", "name = 'x' WHERE seq = 3"]
    written.tamper(*(f"UPDATE entry SET {change}" for change in changes))

    found = written.verify()
    assert found
    for each in found:
        assert each.problem.endswith(".")
        assert "\n" not in each.problem
