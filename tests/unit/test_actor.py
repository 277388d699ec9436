"""Whether the process that the journal names is at work, or one that has got its number."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from journal import MemoryJournal, Target
from migrator.actor import describe_process, is_alive
from migrator.backends import Session
from migrator.waiting import left_behind

PARENT: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getppid()}


def test_a_process_that_lives_is_seen() -> None:
    assert is_alive(describe_process())
    assert is_alive(PARENT)


def test_a_process_on_another_host_is_not_seen() -> None:
    assert not is_alive({**PARENT, "host": "elsewhere"})


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
def test_a_number_that_was_given_again_is_not_the_same_process() -> None:
    assert describe_process()["started"]
    assert not is_alive({**PARENT, "started": "1"})


@pytest.mark.parametrize(
    ("claimant", "left"),
    [
        (PARENT, False),
        (describe_process(), True),
        ({"host": socket.gethostname(), "pid": os.getpid()}, True),
        ({**PARENT, "host": "elsewhere"}, True),
    ],
    ids=["lives", "ours", "had our number", "elsewhere"],
)
def test_what_holds_the_lock_for_the_number_that_we_have_got_is_left_behind(
    claimant: dict[str, Any], left: bool
) -> None:
    """A container that was killed and restarted has the same host name and the same numbers."""
    journal = MemoryJournal()
    run = journal.open_run(
        kind="migrate", goal="verified", options={}, actor={}, targets=[Target("", "default")]
    )
    journal.claim(run.id, "default", actor=claimant)
    holder = Session(pid=7, application=f"migrator:{run.id}:default")
    assert left_behind(journal, run, "default", holder) is left
