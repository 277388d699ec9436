"""One contract for every journal: in memory, on SQLite, on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journal import (
    AmbiguousRun,
    Entry,
    Fenced,
    Journal,
    JournalError,
    MemoryJournal,
    Phase,
    Run,
    RunStatus,
    Target,
    TargetStatus,
    UnknownRun,
    open_journal,
)
from tests.servers import Database

Opener = Callable[[], Journal]


@pytest.fixture(
    params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def open_another(
    request: pytest.FixtureRequest, create_database: Callable[..., Database]
) -> Iterator[Opener]:
    """Opens the journal of this test as one more process would."""
    opened: list[Journal] = []
    if request.param == "memory":
        memory = MemoryJournal()
        yield lambda: memory
        return
    url = create_database(request.param, "journal").url

    def opener() -> Journal:
        opened.append(open_journal(url))
        return opened[-1]

    yield opener
    for each in opened:
        each.close()


@pytest.fixture
def journal(open_another: Opener) -> Journal:
    return open_another()


def a_run(journal: Journal, *aliases: str, **arguments: Any) -> Run:
    given: dict[str, Any] = {"kind": "migrate", "goal": "verified", "options": {}, "actor": {}}
    targets = [Target("", alias, identity=f"id-{alias}") for alias in aliases or ("default",)]
    return journal.open_run(**{**given, "targets": targets, **arguments})


def step(journal: Journal, run: Run, epoch: int, name: str = "a.0001", **more: Any) -> Entry:
    given: dict[str, Any] = {"kind": "migration", "name": name, "phase": Phase.INTENT}
    return journal.write(run.id, "default", epoch=epoch, **{**given, **more})


def finish(journal: Journal, run: Run, status: RunStatus = RunStatus.COMPLETE) -> Run:
    for target in journal.targets(run.id):
        how = TargetStatus.DONE if status is RunStatus.COMPLETE else TargetStatus.FAILED
        journal.update_target(run.id, target.alias, epoch=None, status=how)
    return journal.close_run(run.id, status)


# -- runs ------------------------------------------------------------------------


def test_a_run_is_there_as_it_was_opened(journal: Journal, open_another: Opener) -> None:
    before = datetime.now(UTC)
    run = a_run(
        journal,
        "default",
        "blog",
        "analytics",
        options={"repair": True, "aliases": ("b", "a")},
        actor={"user": "me", "argv": ["manage.py", "migrate_all"]},
        plan_digest="abc",
        parent="",
    )

    assert open_another().find_run(run.id) == run
    assert run.status is RunStatus.OPEN
    assert run.options == {"repair": True, "aliases": ["b", "a"]}
    assert run.actor == {"user": "me", "argv": ["manage.py", "migrate_all"]}
    assert run.plan_digest == "abc"
    assert before - timedelta(seconds=1) <= run.opened_at <= datetime.now(UTC)
    assert run.closed_at is None
    assert [target.alias for target in journal.targets(run.id)] == ["default", "blog", "analytics"]
    assert {target.run_id for target in journal.targets(run.id)} == {run.id}


def test_runs_come_newest_first(journal: Journal) -> None:
    runs = [a_run(journal) for _ in range(5)]

    assert [run.id for run in journal.runs()] == [run.id for run in reversed(runs)]
    assert journal.runs(limit=2) == (runs[4], runs[3])
    assert [run.id for run in runs] == sorted(run.id for run in runs)


def test_a_run_may_have_no_targets(journal: Journal) -> None:
    run = journal.open_run(kind="migrate", goal="verified", options={}, actor={})

    assert journal.targets(run.id) == ()
    assert journal.close_run(run.id, RunStatus.FAILED).status is RunStatus.FAILED
    assert journal.verify() == ()


def test_an_alias_cannot_be_there_twice(journal: Journal) -> None:
    with pytest.raises(ValueError, match="twice"):
        a_run(journal, "default", "default")
    assert journal.runs() == ()


def test_a_unique_prefix_finds_a_run(journal: Journal) -> None:
    first, second = a_run(journal), a_run(journal)
    shared = next(
        first.id[:length] for length in range(13, 0, -1) if second.id.startswith(first.id[:length])
    )

    assert journal.find_run(second.id[: len(shared) + 1].upper()) == second
    with pytest.raises(AmbiguousRun, match=first.id) as caught:
        journal.find_run(shared)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "zzzz", "%", "_", "nonsense!", "0" * 40])
def test_what_is_no_run_is_unknown(journal: Journal, text: str) -> None:
    a_run(journal)

    with pytest.raises(UnknownRun):
        journal.find_run(text)


def test_what_is_not_there_has_no_targets_and_takes_no_writes(journal: Journal) -> None:
    run = a_run(journal)

    assert journal.targets("nothing") == ()
    assert journal.entries("nothing") == ()
    assert journal.entries(run.id, "nothing") == ()
    writes: list[Callable[[], object]] = [
        lambda: journal.claim("nothing", "default"),
        lambda: journal.claim(run.id, "nothing"),
        lambda: journal.update_target(run.id, "nothing", epoch=None, state="x"),
        lambda: journal.close_run("nothing", RunStatus.FAILED),
        lambda: journal.reopen_run("nothing"),
        lambda: journal.save_snapshot(identity="i", alias="a", run_id="nothing", content={}),
        lambda: journal.verify(["nothing"]),
    ]
    for write in writes:
        with pytest.raises(UnknownRun):
            write()


# -- claims and entries ------------------------------------------------------------


def test_a_claim_raises_the_epoch_and_says_so(journal: Journal) -> None:
    run = a_run(journal)

    assert [journal.claim(run.id, "default", actor={"pid": pid}) for pid in (7, 8)] == [1, 2]
    (target,) = journal.targets(run.id)
    assert (target.epoch, target.status) == (2, TargetStatus.RUNNING)
    entries = journal.entries(run.id)
    assert [(e.seq, e.epoch, e.kind, e.attempt) for e in entries] == [
        (1, 1, "claim", 1),
        (2, 2, "claim", 2),
    ]
    assert entries[1].payload == {"actor": {"pid": 8}}


def test_a_claim_forgets_why_the_last_one_failed(journal: Journal) -> None:
    run = a_run(journal)
    epoch = journal.claim(run.id, "default")
    journal.update_target(
        run.id, "default", epoch=epoch, status=TargetStatus.FAILED, reason="it rained"
    )
    journal.claim(run.id, "default")

    assert journal.targets(run.id)[0].reason == ""


def test_entries_are_numbered_without_gaps_and_chained(
    journal: Journal, open_another: Opener
) -> None:
    run = a_run(journal, "default", "blog")
    epochs = {alias: journal.claim(run.id, alias) for alias in ("default", "blog")}
    for number in range(3):
        for alias, epoch in epochs.items():
            journal.write(
                run.id,
                alias,
                epoch=epoch,
                kind="migration",
                name=f"a.{number}",
                phase=Phase.DONE,
                seconds=0.1234567,
                payload={"n": number, "text": "é\x00\ud800 \u2028"},
            )

    other = open_another()
    entries = other.entries(run.id, "default")
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert [entry.previous for entry in entries] == ["", *(e.hash for e in entries[:-1])]
    assert entries[1].seconds == 0.123457
    assert entries[1].payload == {"n": 0, "text": "é\x00\ud800 \u2028"}
    assert entries == journal.entries(run.id, "default")
    written = [(e.alias, e.name) for e in other.entries(run.id)]
    assert written[2:6] == [
        ("default", "a.0"),
        ("blog", "a.0"),
        ("default", "a.1"),
        ("blog", "a.1"),
    ]
    assert other.verify() == ()


def test_writing_an_entry_again_does_nothing(journal: Journal) -> None:
    run = a_run(journal)
    epoch = journal.claim(run.id, "default")
    first = step(journal, run, epoch, payload={"n": 1})

    assert step(journal, run, epoch, payload={"n": 2}) == first
    assert len(journal.entries(run.id)) == 2
    assert journal.verify() == ()


@pytest.mark.parametrize(
    "other", [{"name": "a.0002"}, {"attempt": 2}, {"phase": Phase.DONE}, {"kind": "operation"}]
)
def test_an_entry_of_another_key_is_another_entry(journal: Journal, other: dict[str, Any]) -> None:
    run = a_run(journal)
    epoch = journal.claim(run.id, "default")
    step(journal, run, epoch)

    assert step(journal, run, epoch, **other).seq == 3


def test_an_entry_changes_the_target_in_the_same_commit(journal: Journal) -> None:
    run = a_run(journal)
    epoch = journal.claim(run.id, "default")
    step(journal, run, epoch, state="guarded", status=TargetStatus.DONE)
    (target,) = journal.targets(run.id)
    assert (target.state, target.status) == ("guarded", TargetStatus.DONE)

    # The entry is there already; the target is changed all the same.
    step(journal, run, epoch, state="scanned", status=TargetStatus.RUNNING)
    (target,) = journal.targets(run.id)
    assert (target.state, target.status, target.seq) == ("scanned", TargetStatus.RUNNING, 2)
    assert journal.verify() == ()


def test_who_was_fenced_off_writes_nothing(journal: Journal, open_another: Opener) -> None:
    run = a_run(journal)
    stale = journal.claim(run.id, "default")
    step(journal, run, stale)
    open_another().claim(run.id, "default")
    before = journal.entries(run.id), journal.targets(run.id)

    for name in ("a.0001", "a.0002"):  # there already, and new
        with pytest.raises(Fenced, match="default") as caught:
            step(journal, run, stale, name=name, state="verified")
        assert run.id in caught.value.message
    with pytest.raises(Fenced):
        journal.update_target(run.id, "default", epoch=stale, state="verified")
    assert (journal.entries(run.id), journal.targets(run.id)) == before


def test_a_target_takes_changes_of_its_mutable_fields(
    journal: Journal, open_another: Opener
) -> None:
    run = a_run(journal)
    changes: dict[str, Any] = {
        "vendor": "postgresql",
        "server_version": "18.1",
        "identity": "another",
        "state": "verified",
        "status": TargetStatus.DONE,
        "leaves_before": ("a.0001",),
        "leaves_after": ("a.0002", "b.0001"),
        "fingerprint_before": "f1",
        "fingerprint_after": "f2",
        "reason": "because",
    }
    target = journal.update_target(run.id, "default", epoch=0, **changes)

    assert {name: getattr(target, name) for name in changes} == changes
    assert open_another().targets(run.id) == (target,)
    assert journal.verify() == ()


@pytest.mark.parametrize("name", ["epoch_", "run_id", "seq", "head", "seal", "nonsense"])
def test_a_target_takes_no_other_changes(journal: Journal, name: str) -> None:
    run = a_run(journal)
    before = journal.targets(run.id)

    with pytest.raises(TypeError):
        journal.update_target(run.id, "default", epoch=None, **{name: "x"})
    assert journal.targets(run.id) == before


def test_no_password_is_kept(journal: Journal) -> None:
    run = a_run(
        journal,
        options={"password": "hunter2", "url": "postgres://me:hunter2@db/x"},
        actor={"argv": ["x", "--password", "hunter2"], "env": {"token": "t", "api_key": "hunter2"}},
    )
    epoch = journal.claim(run.id, "default", actor={"argv": "x --password=hunter2"})
    step(journal, run, epoch, payload={"error": "dsn: host=db password=hunter2"})
    journal.update_target(run.id, "default", epoch=epoch, reason="mysql://a:hunter2@b/c refused")

    kept = repr((journal.runs(), journal.targets(run.id), journal.entries(run.id)))
    assert "hunter2" not in kept
    assert kept.count("***") >= 7


# -- closing ---------------------------------------------------------------------


def test_closing_seals_and_a_second_close_does_nothing(journal: Journal) -> None:
    run = a_run(journal)
    closed = journal.close_run(run.id, RunStatus.INTERRUPTED)

    assert closed.status is RunStatus.INTERRUPTED
    assert closed.closed_at is not None
    assert closed.closed_at >= run.opened_at
    assert len(closed.seal) == 64
    assert journal.close_run(run.id, RunStatus.COMPLETE) == closed
    assert journal.find_run(run.id) == closed
    with pytest.raises(ValueError, match="open"):
        journal.close_run(run.id, RunStatus.OPEN)


def test_a_closed_run_takes_no_writes_until_it_is_reopened(journal: Journal) -> None:
    run = a_run(journal)
    epoch = journal.claim(run.id, "default")
    journal.close_run(run.id, RunStatus.FAILED)
    writes: list[Callable[[], object]] = [
        lambda: step(journal, run, epoch),
        lambda: journal.update_target(run.id, "default", epoch=epoch, state="x"),
        lambda: journal.claim(run.id, "default"),
    ]
    for write in writes:
        with pytest.raises(Fenced, match="closed"):
            write()

    reopened = journal.reopen_run(run.id)
    assert (reopened.status, reopened.closed_at, reopened.seal) == (RunStatus.OPEN, None, "")
    assert journal.reopen_run(run.id) == reopened
    assert journal.claim(run.id, "default") == 2
    assert journal.close_run(run.id, RunStatus.COMPLETE).status is RunStatus.COMPLETE
    assert journal.verify() == ()


def test_a_complete_run_cannot_be_reopened(journal: Journal) -> None:
    run = a_run(journal)
    journal.close_run(run.id, RunStatus.COMPLETE)

    with pytest.raises(JournalError, match="complete") as caught:
        journal.reopen_run(run.id)
    assert caught.value.hint


# -- incomplete runs ---------------------------------------------------------------


def test_a_run_is_incomplete_until_its_targets_succeed(journal: Journal) -> None:
    failed, crashed = a_run(journal), a_run(journal, "default", "blog")
    finish(journal, failed, RunStatus.FAILED)
    assert [run.id for run in journal.incomplete_runs()] == [crashed.id, failed.id]

    done = finish(journal, a_run(journal))
    assert [run.id for run in journal.incomplete_runs()] == [crashed.id]
    assert journal.is_complete(done)

    finish(journal, a_run(journal, "blog"))
    assert journal.incomplete_runs() == ()


# -- snapshots -------------------------------------------------------------------


def test_the_newest_snapshot_of_a_database_is_found(journal: Journal, open_another: Opener) -> None:
    run = a_run(journal)

    def save(content: dict[str, Any], identity: str = "db1") -> str:
        return journal.save_snapshot(
            identity=identity, alias="default", run_id=run.id, content=content
        ).digest

    first = save({"schema": {"tables": ["a", "é"]}, "recorded": ("a.0001",)})
    second = save({"schema": {"tables": ["a", "b"]}})
    save({"schema": {}}, identity="db2")
    other = open_another()

    found = other.latest_snapshot("db1")
    assert found is not None
    assert found.digest == second != first
    assert found.content == {"schema": {"tables": ["a", "b"]}}
    assert (found.alias, found.run_id) == ("default", run.id)
    # Back to the first content: it is the newest again.
    assert save({"recorded": ["a.0001"], "schema": {"tables": ["a", "é"]}}) == first
    found = other.latest_snapshot("db1")
    assert found is not None
    assert found.content == {"schema": {"tables": ["a", "é"]}, "recorded": ["a.0001"]}
    assert other.latest_snapshot("db3") is None
    assert other.latest_snapshot("") is None
    assert other.verify() == ()


def test_a_column_called_password_stays_in_a_snapshot(journal: Journal) -> None:
    run = a_run(journal)
    content = {"columns": {"password": "varchar(128)", "PASSWORD": "x"}, "check": "password = 'a'"}
    journal.save_snapshot(identity="i", alias="default", run_id=run.id, content=content)

    found = journal.latest_snapshot("i")
    assert found is not None
    assert found.content == content


# -- pruning ---------------------------------------------------------------------


def test_pruning_removes_whole_runs_and_says_so(journal: Journal) -> None:
    runs = []
    for _ in range(4):
        runs.append(a_run(journal))
        epoch = journal.claim(runs[-1].id, "default")
        step(journal, runs[-1], epoch)
        finish(journal, runs[-1])
    ids = [run.id for run in runs]

    assert journal.prune(keep=2, actor={"user": "me"}) == tuple(ids[:2])
    (pruning, *rest) = journal.runs()
    assert [run.id for run in rest] == [ids[3], ids[2]]
    assert (pruning.kind, pruning.status) == ("prune", RunStatus.COMPLETE)
    assert pruning.actor == {"user": "me"}
    (entry,) = journal.entries(pruning.id)
    assert entry.payload["removed"] == ids[:2]
    assert journal.entries(ids[0]) == ()
    assert journal.targets(ids[0]) == ()
    assert len(journal.entries(ids[2])) == 2
    assert journal.verify() == ()
    assert journal.incomplete_runs() == ()


def test_pruning_again_and_again_leaves_nothing_unexplained(journal: Journal) -> None:
    kept = a_run(journal)
    for _ in range(4):
        finish(journal, a_run(journal, "blog"))
        finish(journal, a_run(journal, "blog"))
        journal.prune(keep=1)
        assert journal.verify() == ()

    assert kept.id in {run.id for run in journal.runs()}
    assert len(journal.runs()) <= 5


def test_pruning_with_nothing_to_remove_writes_nothing(journal: Journal) -> None:
    finish(journal, a_run(journal))

    assert journal.prune(keep=5) == ()
    assert journal.prune(before=datetime(2020, 1, 1, tzinfo=UTC)) == ()
    assert len(journal.runs()) == 1


def test_pruning_before_a_time_takes_what_was_opened_earlier(journal: Journal) -> None:
    finish(journal, a_run(journal))

    assert len(journal.prune(before=datetime.now(UTC) + timedelta(minutes=1))) == 1


def test_pruning_keeps_open_and_incomplete_runs(journal: Journal) -> None:
    opened = a_run(journal, "x")
    failed = finish(journal, a_run(journal, "y"), RunStatus.FAILED)
    done = finish(journal, a_run(journal, "z"))

    assert journal.prune(keep=0) == (done.id,)
    assert [run.id for run in journal.incomplete_runs()] == [failed.id, opened.id]
    assert set(journal.prune(run_ids=[opened.id, failed.id])) == {opened.id, failed.id}
    assert journal.incomplete_runs() == ()
    assert journal.verify() == ()


def test_pruning_keeps_the_newest_snapshot_of_each_target(journal: Journal) -> None:
    for number in range(3):
        run = a_run(journal)
        journal.save_snapshot(
            identity="i", alias="default", run_id=run.id, content={"number": number}
        )
        finish(journal, run)
    journal.prune(keep=0)

    found = journal.latest_snapshot("i")
    assert found is not None
    assert found.content == {"number": 2}
    assert journal.verify() == ()


def test_pruning_has_to_be_told_what(journal: Journal) -> None:
    with pytest.raises(ValueError, match="what"):
        journal.prune()
    with pytest.raises(ValueError, match="negative"):
        journal.prune(keep=-1)
    with pytest.raises(UnknownRun):
        journal.prune(run_ids=["nothing"])


# -- verification and threads --------------------------------------------------------


def test_verifying_some_runs_leaves_the_others_out(journal: Journal) -> None:
    runs = [a_run(journal), a_run(journal)]

    assert journal.verify(run.id for run in runs) == ()
    assert journal.verify([]) == ()


def test_threads_share_a_journal(journal: Journal) -> None:
    aliases = [f"a{number}" for number in range(4)]
    run = a_run(journal, *aliases)
    failures: list[BaseException] = []

    def work(alias: str) -> None:
        try:
            epoch = journal.claim(run.id, alias)
            for number in range(10):
                journal.write(
                    run.id, alias, epoch=epoch, kind="m", name=str(number), phase=Phase.DONE
                )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(alias,)) for alias in aliases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    for alias in aliases:
        assert [entry.seq for entry in journal.entries(run.id, alias)] == list(range(1, 12))
    assert journal.verify() == ()


def test_the_location_says_where_it_is(journal: Journal) -> None:
    assert journal.location


def test_a_closed_journal_opens_again_with_everything(open_another: Opener) -> None:
    with open_another() as journal:
        run = a_run(journal)

    assert open_another().runs() == (replace(run),)
