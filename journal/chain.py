"""Hash chains and seals: pure functions, the same for every journal.

Four digests hold a run together, each SHA-256 over canonical JSON:

- an entry's `hash` covers the entry and the hash of the one before in its (run, alias);
- a target's `seal` covers the target with the number and hash of its last entry;
- a run's `digest` covers what was known when it was opened, its aliases included;
- a run's `seal` covers the digest, how it was closed, and the seals of its targets.

They show that the journal was altered by somebody who did not mean to forge it; there is no
key in them, so whoever rewrites everything consistently is not found out. Copy the seal of a
run elsewhere (a pipeline's log) where that matters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from enum import Enum
from hashlib import sha256
from typing import Any

from journal.records import Break, Entry, Run, RunStatus, Target

_SCALARS = frozenset({str, int, bool, type(None)})


def plain(value: Any) -> Any:
    """Turn a value into what JSON knows, the same way each time.

    Args:
        value: Nested mappings, sequences, sets and scalars.

    Returns:
        Dictionaries with string keys, lists, strings, numbers, booleans and None. Sets are
        sorted; what JSON does not know (paths, UUIDs, NaN) becomes its text: a journal must
        not fail in the middle of a migration over an odd value.
    """
    kind = type(value)
    # A schema is ten thousands of these: the common kinds first, and exactly.
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {
            key if type(key) is str else str(plain(key)): plain(inner)
            for key, inner in value.items()
        }
    if kind is list or kind is tuple:
        return [plain(inner) for inner in value]
    if isinstance(value, bool | int) and not isinstance(value, Enum):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(inner) for inner in value), key=canonical)
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
        return [plain(inner) for inner in value]
    return str(value)


def canonical(value: Any) -> str:
    """Write plain data as JSON: sorted keys, no blanks, ASCII (any server's encoding takes it).

    Args:
        value: Plain data, see `plain`.

    Returns:
        One text for one meaning.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def digest(value: Any) -> str:
    """SHA-256, in hexadecimal, over the canonical JSON of a value."""
    return digest_plain(plain(value))


def digest_plain(value: Any) -> str:
    """The same, of what `plain` has returned."""
    return sha256(canonical(value).encode("ascii")).hexdigest()


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC, always with microseconds, so that text sorts as time does."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The inverse of `format_time`.

    Raises:
        ValueError: The text is no such time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment.astimezone(UTC)


# -- digests -----------------------------------------------------------------


def entry_hash(entry: Entry) -> str:
    """The hash that the entry must have."""
    return digest(_fields(entry, without={"hash"}))


def target_seal(target: Target) -> str:
    """The seal that the target must have."""
    return digest(_fields(target, without={"seal"}))


def run_digest(run: Run, aliases: Sequence[str]) -> str:
    """The digest that the run must have.

    Args:
        run: The run.
        aliases: Its targets, in the order in which it was opened with them.
    """
    opening = _fields(run, without={"status", "closed_at", "seal", "digest"})
    return digest({**opening, "aliases": list(aliases)})


def run_seal(run: Run, targets: Sequence[Target]) -> str:
    """The seal that the run must have once it is closed."""
    return digest(
        {
            "digest": run.digest,
            "status": run.status,
            "closed_at": run.closed_at,
            "targets": [[target.alias, target.seq, target.head, target.seal] for target in targets],
        }
    )


def _fields(record: Run | Target | Entry, without: set[str]) -> dict[str, Any]:
    return {
        field.name: getattr(record, field.name)
        for field in fields(record)
        if field.name not in without
    }


# -- verification --------------------------------------------------------------


def verify_run(run: Run, targets: Sequence[Target], entries: Iterable[Entry]) -> tuple[Break, ...]:
    """Recompute everything that holds a run together.

    Args:
        run: The run as it was read.
        targets: Its targets, in the order in which it was opened with them.
        entries: Its entries, in any order.

    Returns:
        What does not hold, in the order run, targets, entries; empty when all does.
    """
    breaks = [*_run_breaks(run, targets)]
    chains: dict[str, list[Entry]] = {target.alias: [] for target in targets}
    for entry in entries:
        chains.setdefault(entry.alias, []).append(entry)
    by_alias = {target.alias: target for target in targets}
    for alias, chain in chains.items():
        target = by_alias.get(alias)
        if target is None:
            breaks.append(Break(run.id, alias, 0, "The target was removed; its entries remain."))
        elif target.seal != target_seal(target):
            breaks.append(Break(run.id, alias, 0, "The record of the target was edited."))
        breaks += verify_chain(sorted(chain, key=lambda entry: entry.seq))
        if target is not None:
            breaks += _head_breaks(target, chain)
    return tuple(breaks)


def verify_chain(chain: Sequence[Entry]) -> list[Break]:
    """Recompute the hashes of one (run, alias).

    Args:
        chain: Its entries by seq.

    Returns:
        One break for each entry that was edited, is missing, or is not where it was written.
    """
    breaks: list[Break] = []
    expected, previous = 1, ""
    for entry in chain:
        found = [] if entry.hash == entry_hash(entry) else ["was edited"]
        if entry.seq != expected:
            breaks.append(_missing(entry.run_id, entry.alias, expected, entry.seq - 1))
        elif entry.previous != previous:
            found.append("does not follow the one before it: one of the two was replaced or moved")
        breaks += [
            Break(entry.run_id, entry.alias, entry.seq, f"Entry {entry.seq} {what}.")
            for what in found
        ]
        expected, previous = entry.seq + 1, entry.hash
    return breaks


def verify_succession(runs: Iterable[Run], known: Iterable[str]) -> tuple[Break, ...]:
    """Look for runs that are gone without a pruning that says so.

    Args:
        runs: All runs.
        known: Every id that is there, and every id that a pruning names.

    Returns:
        A break for each run whose predecessor is gone. (The newest run has no successor that
        would miss it.)
    """
    found = set(known)
    return tuple(
        Break(
            run.previous,
            "",
            0,
            f"The run is gone: {run.id} was opened after it, and no pruning names it.",
        )
        for run in runs
        if run.previous and run.previous not in found
    )


def _run_breaks(run: Run, targets: Sequence[Target]) -> Iterable[Break]:
    if run.digest != run_digest(run, [target.alias for target in targets]):
        yield Break(run.id, "", 0, "The record of the run, or the list of its targets, was edited.")
    if run.status is RunStatus.OPEN:
        if run.seal or run.closed_at is not None:
            yield Break(run.id, "", 0, "The run says that it is open, and yet it was closed.")
    elif run.seal != run_seal(run, targets):
        yield Break(run.id, "", 0, "The seal does not hold: the run was altered after its close.")


def _head_breaks(target: Target, chain: Sequence[Entry]) -> Iterable[Break]:
    last = max(chain, key=lambda entry: entry.seq, default=None)
    seq, head = (last.seq, last.hash) if last is not None else (0, "")
    if seq < target.seq:
        yield _missing(target.run_id, target.alias, seq + 1, target.seq)
    elif seq > target.seq:
        yield Break(
            target.run_id,
            target.alias,
            target.seq + 1,
            f"Entry {target.seq + 1} and what follows it were added behind the journal's back.",
        )
    elif head != target.head:
        yield Break(target.run_id, target.alias, seq, f"Entry {seq} is not the one written last.")


def _missing(run_id: str, alias: str, first: int, last: int) -> Break:
    if last < first:
        return Break(run_id, alias, first, f"Entry {first} is there more than once, or misplaced.")
    what = f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
    return Break(run_id, alias, first, f"{what} missing.")
