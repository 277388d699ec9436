"""What was acknowledged survives: kills, interrupts, and many processes at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from journal import (
    Fenced,
    Journal,
    Phase,
    Run,
    Target,
    TargetStatus,
    open_journal,
    postpone,
    statements,
)
from journal.store import SqlJournal
from tests.servers import Database

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, create_database: Callable[..., Database]) -> str:
    return create_database(request.param, "journal").url


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with open_journal(url) as opened:
        yield opened


def a_run(journal: Journal, *aliases: str) -> Run:
    return journal.open_run(
        kind="migrate",
        goal="verified",
        options={},
        actor={},
        targets=[Target("", alias) for alias in aliases or ("default",)],
    )


def write(journal: Journal, run: Run, epoch: int, name: str, **more: Any) -> int:
    return journal.write(
        run.id, "default", epoch=epoch, kind="m", name=name, phase=Phase.DONE, **more
    ).seq


_IMPORTS = "import journal, sys\n"


class Process:
    """A process of its own that runs a piece of Python; `journal` is imported."""

    def __init__(self, source: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _IMPORTS + textwrap.dedent(source), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> str:
        self.process.send_signal(signal.SIGKILL)
        return self.process.communicate(timeout=60)[0]

    def end(self, text: str = "") -> str:
        """Let it go on, wait for it, and return what it said."""
        out, err = self.process.communicate(text, timeout=120)
        assert self.process.returncode == 0, err
        return out.strip()


def at_once(processes: list[Process]) -> list[str]:
    """Start all when each is ready; what each said at last."""
    for process in processes:
        assert process.line() == "ready", process.process.communicate()[1]
    for process in processes:
        assert process.process.stdin is not None
        process.process.stdin.write("go\n")
        process.process.stdin.flush()
    return [process.end() for process in processes]


# -- many at once ------------------------------------------------------------------


def test_eight_processes_open_a_new_journal_at_once(url: str) -> None:
    source = """
        import journal.store, alembic.command
        print("ready", flush=True); sys.stdin.readline()
        with journal.open_journal(sys.argv[1]) as opened:
            for number in range(3):
                run = opened.open_run(
                    kind="migrate", goal="verified", options={}, actor={},
                    targets=[journal.Target("", "default")],
                )
                opened.claim(run.id, "default")
                print(run.id)
    """
    said = at_once([Process(source, url) for _ in range(8)])

    ids = [run_id for output in said for run_id in output.split()]
    with open_journal(url) as journal:
        assert len(ids) == len(set(ids)) == 24
        assert [run.id for run in journal.runs()] == sorted(ids, reverse=True)
        assert journal.verify() == ()


_WRITER = """
    url, run_id, alias, epoch, who = sys.argv[1:]
    with journal.open_journal(url) as opened:
        print("ready", flush=True); sys.stdin.readline()
        epoch = int(epoch) or opened.claim(run_id, alias)
        for number in range(20):
            opened.write(
                run_id, alias, epoch=epoch, kind="m", name=f"{who}.{number}",
                phase=journal.Phase.DONE, payload={"n": number}, state=f"{who}.{number}",
            )
"""


def test_eight_processes_write_to_targets_of_their_own(url: str, journal: Journal) -> None:
    aliases = [f"a{number}" for number in range(8)]
    run = a_run(journal, *aliases)

    at_once([Process(_WRITER, url, run.id, alias, "0", alias) for alias in aliases])

    for alias in aliases:
        assert [entry.seq for entry in journal.entries(run.id, alias)] == list(range(1, 22))
    assert [target.state for target in journal.targets(run.id)] == [f"{a}.19" for a in aliases]
    assert journal.verify() == ()


def test_six_processes_write_to_one_target_without_gaps(url: str, journal: Journal) -> None:
    run = a_run(journal)
    epoch = journal.claim(run.id, "default")

    at_once([Process(_WRITER, url, run.id, "default", str(epoch), f"p{n}") for n in range(6)])

    entries = journal.entries(run.id, "default")
    assert [entry.seq for entry in entries] == list(range(1, 122))
    assert len({entry.name for entry in entries}) == 121
    assert journal.verify() == ()


def test_of_six_processes_that_claim_one_target_only_the_last_goes_on(
    url: str, journal: Journal
) -> None:
    source = """
        url, run_id = sys.argv[1:]
        with journal.open_journal(url) as opened:
            print("ready", flush=True); sys.stdin.readline()
            epoch = opened.claim(run_id, "default")
            written = 0
            try:
                for number in range(20):
                    opened.write(run_id, "default", epoch=epoch, kind="m", name=str(number),
                                 attempt=epoch, phase=journal.Phase.DONE)
                    written += 1
            except journal.Fenced:
                pass
            print(epoch, written)
    """
    run = a_run(journal)
    said = at_once([Process(source, url, run.id) for _ in range(6)])

    written = dict(map(int, line.split()) for line in said)  # type: ignore[misc]
    assert sorted(written) == [1, 2, 3, 4, 5, 6]
    assert written[6] == 20
    entries = journal.entries(run.id, "default")
    # Once somebody has claimed, no entry of an older epoch follows.
    assert [entry.epoch for entry in entries] == sorted(entry.epoch for entry in entries)
    assert [entry.seq for entry in entries] == list(range(1, sum(written.values()) + 7))
    assert journal.verify() == ()


def test_who_was_fenced_off_cannot_close_the_run_either(url: str, journal: Journal) -> None:
    run = a_run(journal)
    journal.claim(run.id, "default")
    with open_journal(url) as other:
        epoch = other.claim(run.id, "default")

        with pytest.raises(Fenced):
            journal.close_run(run.id, "failed")  # type: ignore[arg-type]
        write(other, run, epoch, "goes on")


# -- kills -------------------------------------------------------------------------


def test_what_was_acknowledged_survives_a_kill(url: str, journal: Journal) -> None:
    source = """
        url, run_id, attempt = sys.argv[1:]
        opened = journal.open_journal(url)
        epoch = opened.claim(run_id, "default")
        for number in range(100_000):
            entry = opened.write(run_id, "default", epoch=epoch, kind="m", name=str(number),
                                 attempt=int(attempt), phase=journal.Phase.DONE,
                                 payload={"x": "y" * 2000}, state=str(number))
            print(entry.seq, flush=True)
    """
    run = a_run(journal)
    written = 0
    for attempt in range(1, 6):
        process = Process(source, url, run.id, str(attempt))
        seen = [process.line() for _ in range(3 * attempt)]
        seen += process.kill().split()
        acknowledged = int([line for line in seen if line.isdigit()][-1])

        with open_journal(url) as reader:
            entries = reader.entries(run.id, "default")
            assert reader.verify() == ()
            (target,) = reader.targets(run.id)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert len(entries) >= acknowledged > written
        assert target.seq == len(entries)
        assert target.state == entries[-1].name  # the entry and the target: one commit
        written = len(entries)

    epoch = journal.claim(run.id, "default")
    assert write(journal, run, epoch, "after") == written + 2


def test_a_kill_at_any_statement_of_the_first_upgrade_leaves_a_journal_that_opens(
    url: str,
) -> None:
    """Forks, so that the many processes need not import everything again."""
    source = """
        import os, signal
        import alembic.command, journal.store
        from sqlalchemy import Engine, event
        from journal.connection import Connector
        url, clean = sys.argv[1:]

        def die_at(count):
            left = [count]
            def before(*arguments):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            event.listen(Engine, "before_cursor_execute", before)
            event.listen(Engine, "commit", before)

        survived = False
        count = 0
        while not survived:
            child = os.fork()
            if not child:
                die_at(count)
                journal.open_journal(url).close()
                os._exit(0)
            survived = os.waitpid(child, 0)[1] == 0
            if not survived:
                count += 1
            # Whoever comes next finds nothing, or a whole journal.
            if count % 5 == 0 or survived:
                with journal.open_journal(url) as opened:
                    run = opened.open_run(kind="m", goal="g", options={}, actor={},
                                          targets=[journal.Target("", "default")])
                    opened.claim(run.id, "default")
                    assert opened.verify() == ()
                if not survived:
                    exec(clean)
        print(count)
    """
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        clean = f"import glob; [os.unlink(each) for each in glob.glob({path!r} + '*')]"
    else:
        clean = textwrap.dedent(
            f"""
            import psycopg
            with psycopg.connect({url!r}, autocommit=True) as connection:
                connection.execute("DROP SCHEMA public CASCADE")
                connection.execute("CREATE SCHEMA public")
            """
        )
    count = int(Process(source, url, clean).end())

    assert count >= 15  # it was killed at each of that many points


# -- interrupts ----------------------------------------------------------------------


def test_an_interrupted_write_leaves_nothing(
    url: str, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(journal)
    epoch = journal.claim(run.id, "default")

    def interrupted(*arguments: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(statements, "update_target", interrupted)  # the entry is inserted already
        with pytest.raises(KeyboardInterrupt):
            write(journal, run, epoch, "a")
    assert len(journal.entries(run.id)) == 1

    with open_journal(url) as other:  # nothing is left locked
        assert write(other, run, epoch, "b") == 2
    assert write(journal, run, epoch, "c", status=TargetStatus.INTERRUPTED) == 3
    assert journal.verify() == ()


def test_a_transaction_that_was_never_ended_does_not_lock_us_out(url: str) -> None:
    """A second interrupt can strike while the first one is being undone."""
    journal = SqlJournal(url)
    run = a_run(journal)
    epoch = journal.claim(run.id, "default")
    abandoned = journal._connector.writing()
    connection = abandoned.__enter__()
    statements.locked_target(connection, run.id, "default")

    assert write(journal, run, epoch, "a") == 2
    journal.close()


def test_a_signal_waits_for_the_transaction_and_a_second_one_does_not(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(journal)
    epoch = journal.claim(run.id, "default")
    signals = 1
    real = statements.update_target

    def strike() -> None:
        raise KeyboardInterrupt

    def handle(number: int, frame: object) -> None:
        if not postpone(strike):
            strike()

    def struck(*arguments: Any, **more: Any) -> None:
        for _ in range(signals):
            os.kill(os.getpid(), signal.SIGUSR1)
        real(*arguments, **more)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        monkeypatch.setattr(statements, "update_target", struck)
        with pytest.raises(KeyboardInterrupt):
            write(journal, run, epoch, "a")
        assert len(journal.entries(run.id)) == 2  # written all the same
        signals = 2
        with pytest.raises(KeyboardInterrupt):
            write(journal, run, epoch, "b")
        assert len(journal.entries(run.id)) == 2
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_interrupts_at_any_moment_lose_and_lock_nothing(url: str, journal: Journal) -> None:
    source = """
        import random, signal
        url, run_id = sys.argv[1:]
        class Struck(KeyboardInterrupt): pass
        def strike(): raise Struck
        def handle(*arguments): journal.postpone(strike) or strike()  # as a run's handler does
        signal.signal(signal.SIGALRM, handle)
        random.seed(7)
        opened = journal.open_journal(url)
        epoch = opened.claim(run_id, "default")
        struck = number = 0
        acknowledged = []
        while struck < 60:
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0005, 0.02))
                while True:
                    entry = opened.write(run_id, "default", epoch=epoch, kind="m",
                                         name=str(number), phase=journal.Phase.DONE)
                    number += 1
            except Struck:
                struck += 1
            # As a run that is interrupted does: say so in the journal, at once.
            signal.setitimer(signal.ITIMER_REAL, 0)
            opened.write(run_id, "default", epoch=epoch, kind="interrupted", name=str(struck),
                         phase=journal.Phase.DONE)
        opened.close()
        print(number)
    """
    run = a_run(journal)
    number = int(Process(source, url, run.id).end())

    entries = journal.entries(run.id, "default")
    assert [e.name for e in entries if e.kind == "interrupted"] == [str(n) for n in range(1, 61)]
    written = [e.name for e in entries if e.kind == "m"]
    assert written[:number] == [str(n) for n in range(number)]
    assert journal.verify() == ()


# -- forks -------------------------------------------------------------------------


def test_a_forked_process_gets_connections_of_its_own(url: str, journal: Journal) -> None:
    source = """
        import os
        url, run_id = sys.argv[1:]
        opened = journal.open_journal(url)
        epoch = opened.claim(run_id, "default")
        child = os.fork()
        for number in range(10):
            opened.write(run_id, "default", epoch=epoch, kind="m", name=f"{bool(child)}.{number}",
                         phase=journal.Phase.DONE)
        if child:
            assert os.waitpid(child, 0)[1] == 0
        opened.close()
        os._exit(0)
    """
    run = a_run(journal)
    Process(source, url, run.id).end()

    assert [entry.seq for entry in journal.entries(run.id)] == list(range(1, 22))
    assert journal.verify() == ()
