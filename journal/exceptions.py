"""What can go wrong with a journal. Messages never hold a credential."""

from __future__ import annotations


class JournalError(Exception):
    """The journal failed."""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        """Keep the message (what, where) and the hint (what to do next) apart."""
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        super().__init__(self.message)


class JournalUnreachable(JournalError):
    """The journal cannot be opened."""


class JournalReadOnly(JournalError):
    """The journal cannot be written."""


class JournalCorrupt(JournalError):
    """The journal is damaged."""


class JournalNewer(JournalError):
    """The journal was written by a newer version."""


class UnknownRun(JournalError):
    """No run of that id in this journal."""


class AmbiguousRun(JournalError):
    """More than one run begins with that prefix."""


class Fenced(JournalError):
    """Another process has claimed this target since."""
