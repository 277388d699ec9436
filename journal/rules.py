"""What happens to records: pure functions, the same for every journal.

A journal loads records, applies one of these, and stores what comes back, in one commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from journal import chain
from journal.exceptions import Fenced, JournalError
from journal.identifiers import unknown_run
from journal.records import Entry, Phase, Run, RunStatus, Step, Target, TargetStatus
from journal.scrub import scrub, scrub_text

MUTABLE = frozenset(
    {
        "vendor",
        "server_version",
        "identity",
        "state",
        "status",
        "leaves_before",
        "leaves_after",
        "fingerprint_before",
        "fingerprint_after",
        "reason",
    }
)
"""The fields of a target that `Journal.update_target` may change."""

PRUNE_KIND = "prune"
PRUNE_ALIAS = "journal"


def utc_now() -> datetime:
    """The time of the machine; the clock of every journal unless another is given."""
    return datetime.now(UTC)


def clean(value: Mapping[str, Any] | None, *, keys: bool = False) -> dict[str, Any]:
    """Plain data without credentials; see `scrub.scrub` for `keys`."""
    cleaned: dict[str, Any] = scrub(chain.plain(value or {}), keys=keys)
    return cleaned


def clean_text(text: str) -> str:
    """A text without credentials that any server can store: no NUL, no lone surrogate."""
    stored = str(text).replace("\0", "\ufffd")
    return scrub_text(stored.encode("utf-8", "replace").decode("utf-8"))


def begin(
    run_id: str,
    *,
    previous: str,
    now: datetime,
    kind: str,
    goal: str,
    options: Mapping[str, Any],
    actor: Mapping[str, Any],
    targets: Sequence[Target],
    plan_digest: str,
    parent: str,
) -> tuple[Run, tuple[Target, ...]]:
    """Open a run.

    Args:
        run_id, previous: Its id, and the id of the run before it.
        now: The time.
        kind, goal, options, actor, targets, plan_digest, parent: See `Journal.open_run`.

    Returns:
        The run and its targets, as the journal is to store them.

    Raises:
        ValueError: Two targets have the same alias.
    """
    aliases = [target.alias for target in targets]
    if len(set(aliases)) != len(aliases):
        raise ValueError(f"an alias is there twice: {aliases}")
    run = Run(
        id=run_id,
        kind=kind,
        goal=goal,
        status=RunStatus.OPEN,
        opened_at=now,
        options=clean(options, keys=True),
        actor=clean(actor, keys=True),
        plan_digest=plan_digest,
        parent=parent,
        previous=previous,
    )
    run = replace(run, digest=chain.run_digest(run, aliases))
    return run, tuple(
        _sealed(
            replace(
                _cleaned(target), run_id=run_id, epoch=0, seq=0, head="", updated_at=now, seal=""
            )
        )
        for target in targets
    )


def assert_open(run_id: str, status: RunStatus) -> None:
    """Refuse to write to a run that somebody has closed.

    Raises:
        Fenced: The run is closed.
    """
    if status is not RunStatus.OPEN:
        raise Fenced(
            f"Run {run_id} was closed as {status.value}: nothing more can be written to it.",
            hint="Another process has probably finished it; look with `migrator journal show`.",
        )


def assert_epoch(target: Target, epoch: int | None) -> None:
    """Refuse whoever holds an older claim.

    Raises:
        Fenced: The target's epoch is no longer `epoch`.
    """
    if epoch is not None and epoch != target.epoch:
        raise Fenced(
            f"{target.alias}: another process has claimed this target of run {target.run_id} "
            f"since (epoch {target.epoch}, ours was {epoch}).",
            hint="Leave it to that process; look with `migrator journal show`.",
        )


def append_step(target: Target, now: datetime, step: Step) -> tuple[Target, Entry]:
    """As `append`, of what a caller said."""
    return append(
        target,
        now=now,
        kind=step.kind,
        name=step.name,
        phase=step.phase,
        attempt=step.attempt,
        seconds=step.seconds,
        payload=step.payload,
    )


def append(
    target: Target,
    *,
    now: datetime,
    kind: str,
    name: str,
    phase: Phase,
    attempt: int = 1,
    seconds: float | None = None,
    payload: Mapping[str, Any] | None = None,
) -> tuple[Target, Entry]:
    """Add an entry to the target's chain.

    Returns:
        The target with its new head (not yet sealed, see `change`), and the entry.
    """
    entry = Entry(
        run_id=target.run_id,
        alias=target.alias,
        seq=target.seq + 1,
        epoch=target.epoch,
        kind=clean_text(kind),
        name=clean_text(name),
        attempt=attempt,
        phase=Phase(phase),
        at=now,
        seconds=None if seconds is None else round(float(seconds), 6),
        payload=clean(payload),
        previous=target.head,
    )
    entry = replace(entry, hash=chain.entry_hash(entry))
    return replace(target, seq=entry.seq, head=entry.hash), entry


def change(target: Target, now: datetime, changes: Mapping[str, Any]) -> Target:
    """Change fields of a target, and seal it.

    Args:
        target: The target.
        now: The time.
        changes: Values of fields in `MUTABLE`.

    Raises:
        TypeError: A field that cannot be changed.
        ValueError: No such status.
    """
    unknown = set(changes) - MUTABLE
    if unknown:
        raise TypeError(f"not to be changed in a target: {', '.join(sorted(unknown))}")
    return _sealed(replace(_cleaned(replace(target, **changes)), updated_at=now))


def claim(target: Target, now: datetime, actor: Mapping[str, Any] | None) -> tuple[Target, Entry]:
    """Take a target over: a new epoch, status RUNNING, no reason left from before."""
    claimed, entry = append(
        replace(target, epoch=target.epoch + 1),
        now=now,
        kind="claim",
        name="claim",
        phase=Phase.DONE,
        attempt=target.epoch + 1,
        payload={"actor": clean(actor, keys=True)} if actor else {},
    )
    return change(claimed, now, {"status": TargetStatus.RUNNING, "reason": ""}), entry


def is_over(targets: Sequence[Target], status: RunStatus) -> bool:
    """Whether a run is closed as complete in which nobody has anything left to do, whoever has
    claimed a target last: a second resume may have looked into what was done already.
    """
    return status is RunStatus.COMPLETE and all(
        target.status in (TargetStatus.DONE, TargetStatus.SKIPPED) for target in targets
    )


def close(run: Run, targets: Sequence[Target], status: RunStatus, now: datetime) -> Run:
    """Close an open run and seal it; a closed one stays as it is.

    Raises:
        ValueError: To close as OPEN.
    """
    status = RunStatus(status)
    if status is RunStatus.OPEN:
        raise ValueError("a run cannot be closed as open")
    if run.status is not RunStatus.OPEN:
        return run
    closed = replace(run, status=status, closed_at=now)
    return replace(closed, seal=chain.run_seal(closed, targets))


def reopen(run: Run) -> Run:
    """Open a failed or interrupted run again; an open one stays as it is.

    Raises:
        JournalError: The run is complete.
    """
    if run.status is RunStatus.COMPLETE:
        raise JournalError(
            f"Run {run.id} is complete: there is nothing to continue.", hint="Start a new run."
        )
    return replace(run, status=RunStatus.OPEN, closed_at=None, seal="")


def pruned(
    run_id: str,
    *,
    previous: str,
    now: datetime,
    actor: Mapping[str, Any],
    options: Mapping[str, Any],
    payload: Mapping[str, Any],
) -> tuple[Run, Target, Entry]:
    """The run that says what was removed, complete and closed."""
    run, (target,) = begin(
        run_id,
        previous=previous,
        now=now,
        kind=PRUNE_KIND,
        goal="pruned",
        options=options,
        actor=actor,
        targets=(Target(run_id, PRUNE_ALIAS, state="pruned"),),
        plan_digest="",
        parent="",
    )
    target, entry = append(
        target, now=now, kind=PRUNE_KIND, name=PRUNE_KIND, phase=Phase.DONE, payload=payload
    )
    target = change(target, now, {"status": TargetStatus.DONE})
    return close(run, (target,), RunStatus.COMPLETE, now), target, entry


def _cleaned(target: Target) -> Target:
    return replace(
        target,
        vendor=clean_text(target.vendor),
        server_version=clean_text(target.server_version),
        identity=clean_text(target.identity),
        state=clean_text(target.state),
        status=TargetStatus(target.status),
        leaves_before=tuple(clean_text(leaf) for leaf in target.leaves_before),
        leaves_after=tuple(clean_text(leaf) for leaf in target.leaves_after),
        reason=clean_text(target.reason),
    )


def _sealed(target: Target) -> Target:
    return replace(target, seal=chain.target_seal(target))


def given(**changes: Any) -> dict[str, Any]:
    """The changes that are not None."""
    return {name: value for name, value in changes.items() if value is not None}


def step_key(kind: str, name: str, attempt: int, phase: Phase) -> tuple[str, str, int, Phase]:
    """What tells one entry of a chain from another; writing it again does nothing."""
    return clean_text(kind), clean_text(name), attempt, Phase(phase)


def step_key_of(step: Step) -> tuple[str, str, int, Phase]:
    """As `step_key`, of what a caller said."""
    return step_key(step.kind, step.name, step.attempt, step.phase)


# -- pruning -------------------------------------------------------------------


def prune_options(
    before: datetime | None, keep: int | None, explicit: frozenset[str]
) -> dict[str, Any]:
    """What was asked for, as the run of the pruning keeps it.

    Raises:
        ValueError: Nothing, or something that makes no sense.
    """
    if before is None and keep is None and not explicit:
        raise ValueError("say what to prune: before, keep or run_ids")
    if keep is not None and keep < 0:
        raise ValueError("keep cannot be negative")
    return {"before": before, "keep": keep, "run_ids": sorted(explicit)}


def pruned_ids(entries: Iterable[Entry]) -> frozenset[str]:
    """Every id that prunings name, those that they carry on for earlier ones included."""
    return frozenset(
        str(run_id)
        for entry in entries
        if entry.kind == PRUNE_KIND
        for run_id in (*entry.payload.get("removed", ()), *entry.payload.get("carried", ()))
    )


def prune_payload(
    removed: Sequence[str], kept: Iterable[Run], pruned_before: frozenset[str]
) -> dict[str, Any]:
    """What the entry of a pruning says.

    Args:
        removed: What it removes.
        kept: The runs that stay.
        pruned_before: What earlier prunings name; they may be removed now themselves, so what
            a run that stays still names as its predecessor is carried on.
    """
    carried = sorted({run.previous for run in kept} & pruned_before)
    return {"removed": list(removed), "carried": carried}


def assert_known(run_ids: Iterable[str], known: Iterable[str]) -> None:
    """Refuse ids that the journal does not hold.

    Raises:
        UnknownRun: One of them is not there.
    """
    for run_id in sorted(set(run_ids) - set(known)):
        raise unknown_run(run_id)
