"""Ids of runs: sortable by time, short enough to type.

An id is 13 characters: nine for the milliseconds since 1970 and four of chance, in the
lower-case base 32 of Crockford (no i, l, o, u: nothing to confuse when it is read aloud).
A journal gives each run a greater id than all before it, whatever the clock does, so sorting
ids sorts runs by their opening.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from journal.exceptions import AmbiguousRun, UnknownRun

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 13
_RANDOM_BITS = 20
_LOOKALIKES = str.maketrans("ilo", "110")


def new_run_id(now: datetime, newest: str = "") -> str:
    """A new id.

    Args:
        now: The time of opening.
        newest: The greatest id that the journal has given, or "".

    Returns:
        An id greater than `newest`.
    """
    number = (int(now.timestamp() * 1000) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    if newest:
        # Same millisecond, or a clock that went back: go on from the newest.
        number = max(number, _decode(newest) + 1 + secrets.randbits(8))
    return _encode(number)


def is_run_id(text: str) -> bool:
    """Whether a text could be an id."""
    return len(text) == LENGTH and set(text) <= set(ALPHABET)


def normalise_prefix(text: str) -> str:
    """What somebody typed, as the beginning of an id.

    Args:
        text: An id or its beginning; case and look-alikes (o for 0, i or l for 1) do not matter.

    Raises:
        UnknownRun: No id begins like that.
    """
    prefix = text.strip().lower().translate(_LOOKALIKES)
    if not prefix:
        raise UnknownRun("No run id was given.", hint=LIST_HINT)
    if len(prefix) > LENGTH or not set(prefix) <= set(ALPHABET):
        raise unknown_run(text)
    return prefix


def unknown_run(text: str) -> UnknownRun:
    """The error for an id or prefix that the journal does not hold."""
    return UnknownRun(f"No run {text[:40]!r} in this journal.", hint=LIST_HINT)


def pick_run(text: str, ids: list[str]) -> str:
    """The one id among those that begin with what was typed.

    Raises:
        UnknownRun: There is none.
        AmbiguousRun: There are several.
    """
    if not ids:
        raise unknown_run(text)
    prefix = text.strip().lower().translate(_LOOKALIKES)
    if len(ids) > 1 and prefix not in ids:
        shown = ", ".join(sorted(ids)[:4]) + (", …" if len(ids) > 4 else "")
        raise AmbiguousRun(
            f"{len(ids)} runs begin with {text[:40]!r}: {shown}.", hint="Give more of the id."
        )
    return prefix if prefix in ids else ids[0]


LIST_HINT = "`migrator journal list` shows the runs that there are."


def _encode(number: int) -> str:
    digits = []
    for _ in range(LENGTH):
        number, rest = divmod(number, 32)
        digits.append(ALPHABET[rest])
    return "".join(reversed(digits))


def _decode(text: str) -> int:
    number = 0
    for character in text:
        number = number * 32 + ALPHABET.index(character)
    return number
