"""SIGTERM and SIGINT: what they raise, when, and when not."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from journal import postpone
from migrator.exceptions import Interrupted

_received: list[str] = []
"""Names of the signals since the run began: the exception may be swallowed on its way up, or
another one take its place, in code that is not ours."""

_again: list[threading.Timer] = []

_FINALIZER_SECONDS = 0.02


def _raise_interrupted(number: int, frame: FrameType | None) -> None:
    """The journal's write in progress is ended first, lest its connection be lost from sight."""
    name = signal.Signals(number).name
    _received.append(name)
    if _in_finalizer(frame):
        # What is raised there is printed and swallowed: the signal is sent once more instead.
        timer = threading.Timer(_FINALIZER_SECONDS, os.kill, [os.getpid(), number])
        timer.daemon = True
        _again.append(timer)
        timer.start()
        return

    def interrupt() -> None:
        raise Interrupted(name)

    if not postpone(interrupt):
        interrupt()


def _in_finalizer(frame: FrameType | None) -> bool:
    """Whether the signal has struck inside of a `__del__`, at any depth."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def raise_if_received(cause: BaseException | None) -> None:
    """Interrupt where the exception of a signal did not arrive.

    Args:
        cause: What arrived in its place.

    Raises:
        Interrupted: A signal was received since the run began.
    """
    if _received:
        raise Interrupted(_received[0]) from cause


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `Interrupted` for the duration, in the main thread.

    Outside of the main thread Python allows no handlers, and nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, _raise_interrupted)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for timer in _again:
            timer.cancel()
        _again.clear()
        _received.clear()
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


@contextmanager
def uninterruptible() -> Iterator[None]:
    """Keep the same signals from breaking the few writes that end an interrupted run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
