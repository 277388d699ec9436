"""Which runs are unfinished business, and what may be pruned: pure functions over records.

A run that did not complete is *superseded* when other runs have brought each of its
unfinished targets (same alias, same physical database) to the goal since. "Since" is judged
target by target, by when it changed last, not by the order in which the runs were opened: of
two deployments at once, the one that is opened later loses the lock and fails, and the one
that was opened earlier does the work and ends later. Where the clock has gone back between two
runs, as their ids tell, the order of opening is all that is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from journal.records import Run, RunStatus, Target, TargetStatus
from journal.rules import PRUNE_KIND

TargetsByRun = Mapping[str, Sequence[Target]]

_VERIFIED = "verified"


def superseded_by(runs: Sequence[Run], targets: TargetsByRun) -> dict[str, frozenset[str]]:
    """Say for each run that is not complete which runs have superseded it.

    Args:
        runs: Runs, newest first.
        targets: The targets of each, by its id.

    Returns:
        By id, in the order of `runs`: the ids of the runs that supersede it together; empty
        for a run that nothing has superseded, which is what "incomplete" means.
    """
    successes = _successes(runs, targets)
    places = {run.id: place for place, run in enumerate(runs)}
    return {
        run.id: _superseders(run, targets.get(run.id, ()), runs, successes, places)
        for run in runs
        if run.status is not RunStatus.COMPLETE and run.kind != PRUNE_KIND
    }


def incomplete(runs: Sequence[Run], targets: TargetsByRun) -> tuple[Run, ...]:
    """Runs that are open, interrupted or failed, and not superseded, in the order given."""
    superseders = superseded_by(runs, targets)
    return tuple(run for run in runs if run.id in superseders and not superseders[run.id])


def prunable(
    runs: Sequence[Run],
    targets: TargetsByRun,
    *,
    before: datetime | None,
    keep: int | None,
    explicit: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Ids of the runs that may be removed, oldest first.

    Args:
        runs: All runs, newest first.
        targets: The targets of each, by its id.
        before: Only runs opened before that time.
        keep: Not the newest so many; prunings are not counted.
        explicit: These are removed whatever their status.

    Returns:
        Of the runs that are asked for, those that are closed, not incomplete, and without
        which no run that stays would become incomplete; and all that are explicit.
    """
    superseders = superseded_by(runs, targets)
    counted = [run.id for run in runs if run.kind != PRUNE_KIND]
    newest = frozenset(counted[:keep]) if keep is not None else frozenset()
    oldest_kept = counted[keep - 1] if keep and len(counted) >= keep else ""
    removed = {
        run.id
        for run in runs
        if (before is not None or keep is not None)
        and run.status is not RunStatus.OPEN
        and (before is None or run.opened_at < before)
        and run.id not in newest
        # A pruning goes when all runs that are older than it are out of reach, too.
        and not (run.kind == PRUNE_KIND and keep is not None and run.id > oldest_kept)
        and superseders.get(run.id, frozenset({run.id}))
    } | explicit
    needed = removed
    while needed:  # what is put back may itself need others
        needed = {
            other
            for run_id, by in superseders.items()
            if run_id not in removed
            for other in by & removed
        } - explicit
        removed -= needed
    return tuple(run.id for run in reversed(runs) if run.id in removed)


# -- how it is decided -----------------------------------------------------------

# (run, identity of the target, when) of each success, by alias.
_Success = tuple[Run, str, datetime]


def _successes(runs: Sequence[Run], targets: TargetsByRun) -> dict[str, list[_Success]]:
    successes: dict[str, list[_Success]] = {}
    for run in runs:
        if run.kind == PRUNE_KIND:
            continue
        for target in targets.get(run.id, ()):
            # Of a scan, "done" says that it was made, not that it was clean: the run says that.
            clean = run.goal == _VERIFIED or run.status is RunStatus.COMPLETE
            if target.status is TargetStatus.DONE and clean:
                at = target.updated_at or run.closed_at or run.opened_at
                successes.setdefault(target.alias, []).append((run, target.identity, at))
    return successes


def _superseders(
    run: Run,
    targets: Sequence[Target],
    runs: Sequence[Run],
    successes: Mapping[str, Sequence[_Success]],
    places: Mapping[str, int],
) -> frozenset[str]:
    relevant = [target for target in targets if target.status is not TargetStatus.SKIPPED]
    # With every target done it was the rest that failed (a test command, the close itself):
    # then all of them have to succeed again.
    unfinished = [t for t in relevant if t.status is not TargetStatus.DONE] or relevant
    if not unfinished:
        return _any_later_success(run, runs, places)
    found: set[str] = set()
    for target in unfinished:
        by = next(
            (
                other.id
                for other, identity, at in successes.get(target.alias, ())
                if other.id != run.id
                and _goal_counts(run.goal, other.goal)
                and (not target.identity or identity == target.identity)
                and _is_later(other, at, run, target.updated_at or run.opened_at, places)
            ),
            None,
        )
        if by is None:
            return frozenset()
        found.add(by)
    return frozenset(found)


def _any_later_success(run: Run, runs: Sequence[Run], places: Mapping[str, int]) -> frozenset[str]:
    """A run that failed before it had a target: any run that completed after it will do."""
    ended = run.closed_at or run.opened_at
    for other in runs:
        if (
            other.status is RunStatus.COMPLETE
            and other.kind != PRUNE_KIND
            and _goal_counts(run.goal, other.goal)
            and other.closed_at is not None
            and _is_later(other, other.closed_at, run, ended, places)
        ):
            return frozenset({other.id})
    return frozenset()


def _is_later(
    other: Run, at: datetime, run: Run, ended: datetime, places: Mapping[str, int]
) -> bool:
    """Whether something of another run was written later than something of this one.

    Args:
        other, at: The one, and when.
        run, ended: The other one, and when.
        places: Of all runs by id, the newest first: ids go up, whatever the clock does.
    """
    opened_later = places[other.id] < places[run.id]
    if opened_later and other.opened_at < run.opened_at:
        return True
    if not opened_later and other.opened_at > run.opened_at:
        return False
    return at > ended


def _goal_counts(unfinished: str, reached: str) -> bool:
    """Whether reaching one goal makes up for missing another.

    A failed check is a finding, not unfinished work: any later success answers it. A run that
    was to migrate is only answered by one that verified; a goal of its own kind (a rollback's)
    also by the same goal.
    """
    return reached in (_VERIFIED, unfinished)
