"""A signal interrupts the run, wherever it strikes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from migrator.exceptions import Interrupted
from migrator.interruption import interruptible


@contextmanager
def patience(seconds: float = 10.0) -> Iterator[None]:
    """Wait for something that comes by itself; it interrupts."""
    yield
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.005)


class Finalized:
    """Is struck while it is being removed, like a result set of a driver."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):  # handlers run between bytecodes
            pass


def test_a_signal_raises() -> None:
    with pytest.raises(Interrupted, match="SIGTERM"), interruptible(), patience():
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_in_a_finalizer_is_neither_printed_nor_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Interrupted, match="SIGTERM"), interruptible(), patience():
        Finalized()
    assert "ignored" not in capsys.readouterr().err


def test_nothing_comes_after_the_end() -> None:
    before = signal.getsignal(signal.SIGTERM)
    struck: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: struck.append(number))
    try:
        with interruptible():
            Finalized()
        with patience(0.1):
            pass
    finally:
        signal.signal(signal.SIGTERM, before)
    assert struck == []
