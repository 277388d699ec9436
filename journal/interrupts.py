"""Interrupts wait for a transaction of the journal that is at work.

A signal's handler runs between any two bytecodes, so the exception that it raises can strike
inside of SQLAlchemy's pool or in a `finally`: a connection is then lost from sight with its
transaction open, and on SQLite the next write waits for its own process. A transaction of the
journal takes milliseconds; whoever handles a signal asks here whether to wait for its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _State:
    """Of the main thread, the only one in which Python runs handlers of signals."""

    depth = 0
    pending: Callable[[], object] | None = None


def postpone(act: Callable[[], object]) -> bool:
    """Called by the handler of a signal before it raises anything.

    Args:
        act: What to do at the end of the transaction, instead of now. A second one is not
            postponed: whoever insists need not wait for a journal that somebody else locks.

    Returns:
        Whether it will be called. False: nothing is at work, act now.
    """
    if not _State.depth or _State.pending is not None:
        return False
    _State.pending = act
    return True


@contextmanager
def at_work() -> Iterator[None]:
    """While a transaction of the journal is at work; what was postponed follows it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1
        if not _State.depth and _State.pending is not None:
            act, _State.pending = _State.pending, None
            act()
