"""The journal as one claimed target sees it: bound to a run, an alias and an epoch.

The machine, the phases and the executor write through this, never to the journal itself, so
that each write asserts the epoch of the claim. Who is fenced off learns it at its next write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from journal import Entry, Journal, Phase, Snapshot, Step, Target, TargetStatus
from migrator.core.incidents import Evidence
from migrator.core.lifecycle import Goal, State, Trigger
from migrator.core.reference import Held, Record


class Ledger:
    """One target's side of the journal.

    Steps are named by (kind, name, attempt); each has an intent and at most one outcome of
    each phase. Attempts of transitions are the epochs themselves: a claim is a new attempt.
    """

    def __init__(self, journal: Journal, run_id: str, alias: str, epoch: int, goal: Goal) -> None:
        """Bind to a target that has just been claimed.

        Args:
            journal: Where to write.
            run_id: The run.
            alias: The target within it.
            epoch: What `journal.claim` returned.
            goal: The state that ends this target well; reaching it sets its status.
        """
        self._journal = journal
        self._goal = goal
        self.run_id = run_id
        self.alias = alias
        self.epoch = epoch
        self._entries = list(journal.entries(run_id, alias))
        self._held: list[Step] = []
        self._told: dict[str, Any] = {}

    @property
    def resumed(self) -> bool:
        """Whether an earlier claim of this target left entries."""
        return any(entry.epoch < self.epoch for entry in self._entries)

    def entries(self, kind: str | None = None) -> tuple[Entry, ...]:
        """What this target's chain holds, earlier claims included; of one kind, or all."""
        return tuple(entry for entry in self._entries if kind is None or entry.kind == kind)

    def migrations(self) -> tuple[Entry, ...]:
        """The entries of migrations that the rows can be held against, with those of their
        operations and of the repairs that recorded some: without what was written before this run
        began to repair the history by forgetting the row.
        """
        forgot = {
            str(name): entry.seq
            for entry in self.entries("repair")
            for name in entry.payload.get("forgets", ())
        }
        return tuple(
            entry
            for entry in self.entries()
            if entry.kind in ("migration", "operation", "repair")
            and not 0 < entry.seq < forgot.get(entry.name, 0)  # 0: not written yet, so it is newer
        )

    def attempts(self, kind: str, name: str) -> int:
        """The highest attempt of a step so far; 0 when there was none."""
        return max(
            (e.attempt for e in self._entries if e.kind == kind and e.name == name), default=0
        )

    # -- steps ---------------------------------------------------------------

    def intent(
        self, kind: str, name: str, attempt: int = 1, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Write that a step is about to begin."""
        self._write(kind, name, Phase.INTENT, attempt, None, payload)

    def done(
        self,
        kind: str,
        name: str,
        attempt: int = 1,
        seconds: float | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """Write that a step has happened.

        The outcome of a migration is kept back until the next write, which follows at once
        (the intent of the next migration, or of post_migrate) and carries it: one durable
        commit less for each. Killed in between, it is reconciled with the row, as ever.
        """
        if kind == "migration":
            self._hold(Step(kind, name, Phase.DONE, attempt, seconds, payload))
        else:
            self._write(kind, name, Phase.DONE, attempt, seconds, payload)

    def failed(
        self,
        kind: str,
        name: str,
        attempt: int = 1,
        seconds: float | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """Write that a step has failed, and that nothing of it remains or what does."""
        self._write(kind, name, Phase.FAILED, attempt, seconds, payload)

    def reconciled(
        self, kind: str, name: str, attempt: int = 1, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Write that the target shows a step to have happened whose outcome was lost."""
        self._write(kind, name, Phase.RECONCILED, attempt, None, payload)

    def decision(self, name: str, payload: Mapping[str, Any]) -> None:
        """Write a decision that somebody took."""
        self._write("decision", name, Phase.DONE, self.epoch, None, payload)

    def consent(self, payload: Mapping[str, Any]) -> None:
        """Write that somebody has consented to steps that lose data."""
        self._write("consent", "migrate", Phase.DONE, self.epoch, None, payload)

    # -- transitions (machine.TransitionRecorder) ------------------------------

    def transition_intent(self, trigger: Trigger, source: State, dest: State) -> None:
        """Write that a transition is about to begin."""
        self._write(
            "transition",
            trigger.value,
            Phase.INTENT,
            self.epoch,
            None,
            {"source": source.value, "dest": dest.value},
        )

    def tell(self, **facts: Any) -> None:
        """Have the outcome of the transition under way hold this as well: no write of its own.

        Args:
            facts: JSON-ready; lists are added to what was told of the same name.
        """
        for name, fact in facts.items():
            before = self._told.get(name)
            self._told[name] = [*before, *fact] if isinstance(before, list) else fact

    def _was_told(self) -> dict[str, Any]:
        told, self._told = self._told, {}
        return told

    def transition_done(self, trigger: Trigger, dest: State, seconds: float) -> None:
        """Write that the target is in a new state."""
        if trigger is Trigger.FAIL:
            status = TargetStatus.FAILED
        elif dest.value == self._goal.value:
            status = TargetStatus.DONE
        else:
            status = TargetStatus.RUNNING
        self._write(
            "transition",
            trigger.value,
            Phase.DONE,
            self.epoch,
            seconds,
            {"dest": dest.value, **self._was_told()},
            state=dest.value,
            status=status,
        )

    def transition_failed(self, trigger: Trigger, error: str) -> None:
        """Write that a transition's effect raised."""
        payload = {"error": error, **self._was_told()}
        self._write("transition", trigger.value, Phase.FAILED, self.epoch, None, payload)

    # -- the target itself -------------------------------------------------------

    def update(self, **changes: Any) -> None:
        """Change mutable fields of the target record."""
        if self._held:
            last = self._held.pop()
            self._write(last.kind, last.name, last.phase, last.attempt, last.seconds, last.payload)
        self._journal.update_target(self.run_id, self.alias, epoch=self.epoch, **changes)

    def finish(self, status: TargetStatus, reason: str = "") -> None:
        """Set how the target stands, with the reason in one sentence."""
        self.update(status=status, reason=reason)

    def known_leaves(self) -> tuple[str, ...]:
        """The leaf nodes that this run has seen recorded, without those that it has begun to
        unapply; none once it has repaired the history, which may have forgotten rows for a reason.
        """
        if self.entries("repair"):
            return ()
        undone = {
            entry.name
            for entry in self.entries("migration")
            if entry.payload.get("direction") == "backwards"
        }
        target = self.target
        leaves = dict.fromkeys((*target.leaves_before, *target.leaves_after))
        return tuple(leaf for leaf in leaves if leaf not in undone)

    @property
    def target(self) -> Target:
        """The target record as it is now."""
        targets = self._journal.targets(self.run_id)
        return next(target for target in targets if target.alias == self.alias)

    @property
    def options(self) -> Mapping[str, Any]:
        """What the run was opened with."""
        return self._journal.find_run(self.run_id).options

    def target_of(self, run_id: str) -> Target | None:
        """The same alias in another run; None where that run does not have it, or is gone."""
        targets = self._journal.targets(run_id)
        return next((target for target in targets if target.alias == self.alias), None)

    def incomplete_runs(self) -> frozenset[str]:
        """Ids of the runs that somebody may still want to continue or to undo."""
        return frozenset(run.id for run in self._journal.incomplete_runs())

    # -- snapshots -----------------------------------------------------------------

    def latest_verified(self, identity: str) -> Held | None:
        """This physical database at its last verification; None where nothing is known of it.

        Args:
            identity: Of the database.
        """
        found = self._journal.latest_snapshot(identity) if identity else None
        record = _readable(found)
        if found is None or record is None:
            return None
        return Held(record, Evidence.SNAPSHOT, f"changed since run {found.run_id}", found.run_id)

    def verified_before(self, run_id: str, identity: str) -> Held | None:
        """This physical database at its last verification before a run; None where the journal
        has none.

        Args:
            run_id: The run.
            identity: Of the database.
        """
        found = self._journal.latest_snapshot(identity, before=run_id) if identity else None
        record = _readable(found)
        if found is None or record is None:
            return None
        origin = f"not what it was before run {run_id}"
        return Held(record, Evidence.SNAPSHOT, origin, found.run_id)

    def save_verified(self, identity: str, record: Record) -> Snapshot:
        """Store the schema of the verified target."""
        return self._save(identity, record.to_dict())

    def save_before(self, identity: str, record: Record) -> None:
        """Store the schema that this run has found, where it is not the one last verified: what
        a rollback of the run has to come back to.
        """
        if identity:
            self._save(_found_of(identity), record.to_dict())

    def found_by(self, run_id: str, identity: str) -> Record | None:
        """The database as a run has found it when it began; None where the journal has not kept
        it.

        Args:
            run_id: The run.
            identity: Of the database.
        """
        target = self.target_of(run_id)
        if target is None or not identity:
            return None
        # Ids are of one length, so that nothing is between one and itself with a letter more.
        own = self._journal.latest_snapshot(_found_of(identity), before=f"{run_id}0")
        if own is not None and own.run_id == run_id:
            return _readable(own)
        record = _readable(self._journal.latest_snapshot(identity, before=run_id))
        same = record and record.schema.fingerprint() == target.fingerprint_before
        return record if same else None

    def cached_replay(self, identity: str, digest: str) -> Record | None:
        """What the recorded migrations made in a scratch database earlier.

        Args:
            identity: Of the target.
            digest: Of everything that the outcome depends on.
        """
        found = self._journal.latest_snapshot(_replay_of(identity)) if identity else None
        if found is None or found.content.get("digest") != digest:
            return None
        return _readable(found)

    def save_replay(self, identity: str, digest: str, record: Record) -> None:
        """Keep what a replay made; only the newest of a target is ever asked for."""
        if identity:
            self._save(_replay_of(identity), {**record.to_dict(), "digest": digest})

    def _save(self, identity: str, content: Mapping[str, Any]) -> Snapshot:
        return self._journal.save_snapshot(
            identity=identity, alias=self.alias, run_id=self.run_id, content=content
        )

    def _hold(self, step: Step) -> None:
        """Keep a step back; whoever reads the entries sees it all the same, unnumbered."""
        self._held.append(step)
        self._entries.append(
            Entry(
                run_id=self.run_id,
                alias=self.alias,
                seq=0,
                epoch=self.epoch,
                kind=step.kind,
                name=step.name,
                attempt=step.attempt,
                phase=step.phase,
                at=datetime.now(UTC),
                seconds=step.seconds,
                payload=step.payload or {},
            )
        )

    def _write(
        self,
        kind: str,
        name: str,
        phase: Phase,
        attempt: int,
        seconds: float | None,
        payload: Mapping[str, Any] | None,
        *,
        state: str | None = None,
        status: TargetStatus | None = None,
    ) -> None:
        entry = self._journal.write(
            self.run_id,
            self.alias,
            epoch=self.epoch,
            kind=kind,
            name=name,
            phase=phase,
            attempt=attempt,
            seconds=seconds,
            payload=payload,
            state=state,
            status=status,
            earlier=tuple(self._held),
        )
        self._held.clear()
        self._entries.append(entry)


def _replay_of(identity: str) -> str:
    """The identity under which the journal keeps the replay of a target."""
    return f"replay:{identity}"


def _found_of(identity: str) -> str:
    """The identity under which the journal keeps what a run has found, before it began."""
    return f"before:{identity}"


def _readable(snapshot: Snapshot | None) -> Record | None:
    """The record in a snapshot; None where another version wrote what this one cannot read."""
    if snapshot is None:
        return None
    try:
        return Record.from_dict(snapshot.content)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def in_doubt(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Names of migrations that may have left a part of themselves, in order.

    Those whose last attempt has no outcome, and those whose last attempt failed outside of a
    transaction: what they had finished is kept, and the next attempt goes on after it. Not in
    doubt is what Django's own operations were doing in one transaction with the row: the row is
    not there, so nothing of it is; code may have been at work over another connection.

    Args:
        entries: Of one target, in the order of their writing, with what was committed after all
            reconciled.
    """
    latest: dict[str, tuple[int, Phase]] = {}
    piecemeal: set[str] = set()
    partly: set[str] = set()
    for entry in entries:
        if entry.kind != "migration":
            continue
        if entry.phase is Phase.INTENT:
            if entry.payload.get("atomic") is False:
                piecemeal.add(entry.name)
            if not (entry.payload.get("atomic") is True and entry.payload.get("code") is False):
                partly.add(entry.name)
        if entry.attempt >= latest.get(entry.name, (0, entry.phase))[0]:
            latest[entry.name] = (entry.attempt, entry.phase)
    return tuple(
        name
        for name, (_, phase) in latest.items()
        if (phase is Phase.INTENT and name in partly)
        or (phase is Phase.FAILED and name in piecemeal)
    )
