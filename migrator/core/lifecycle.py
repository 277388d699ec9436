"""The states of a database alias and the transitions between them, as data.

`migrator.machine` binds this table to the `transitions` library; nothing else decides
which state may follow which.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where an alias stands in the lifecycle."""

    PENDING = "pending"
    GUARDED = "guarded"
    SCANNED = "scanned"
    REPAIRED = "repaired"
    MIGRATED = "migrated"
    VERIFIED = "verified"
    FAILED = "failed"


class Trigger(StrEnum):
    """What moves an alias from one state to the next."""

    GUARD = "guard"
    SCAN = "scan"
    REPAIR = "repair"
    MIGRATE = "migrate"
    VERIFY = "verify"
    FAIL = "fail"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the transition table."""

    trigger: Trigger
    sources: tuple[State, ...]
    dest: State


STEPS: tuple[Transition, ...] = (
    Transition(Trigger.GUARD, (State.PENDING,), State.GUARDED),
    Transition(Trigger.SCAN, (State.GUARDED,), State.SCANNED),
    Transition(Trigger.REPAIR, (State.SCANNED,), State.REPAIRED),
    Transition(Trigger.MIGRATE, (State.REPAIRED,), State.MIGRATED),
    Transition(Trigger.VERIFY, (State.MIGRATED,), State.VERIFIED),
)
"""The way forward, in order."""

_UNFINISHED = tuple(state for state in State if state is not State.VERIFIED)

# Sources are spelled out: a "*" would include the terminal state.
TRANSITIONS: tuple[Transition, ...] = (
    *STEPS,
    Transition(Trigger.FAIL, tuple(s for s in _UNFINISHED if s is not State.FAILED), State.FAILED),
    Transition(Trigger.RESUME, _UNFINISHED, State.PENDING),
)


class Goal(StrEnum):
    """The state that ends a run well."""

    VERIFIED = "verified"
    SCANNED = "scanned"


def plan_steps(goal: Goal) -> tuple[Transition, ...]:
    """The steps from `pending` to the goal, in order."""
    last = next(index for index, step in enumerate(STEPS) if step.dest.value == goal.value)
    return STEPS[: last + 1]
