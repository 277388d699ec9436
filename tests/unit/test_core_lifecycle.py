"""The transition table: one way forward, one end, and a way back from everywhere else."""

from __future__ import annotations

import pytest

from migrator.core.lifecycle import (
    STEPS,
    TRANSITIONS,
    Goal,
    State,
    Trigger,
    plan_steps,
)


def test_the_steps_lead_from_pending_to_verified_without_a_gap() -> None:
    state = State.PENDING
    for step in STEPS:
        assert step.sources == (state,)
        state = step.dest
    assert state is State.VERIFIED


@pytest.mark.parametrize(
    ("goal", "triggers"),
    [
        (Goal.SCANNED, ["guard", "scan"]),
        (Goal.VERIFIED, ["guard", "scan", "repair", "migrate", "verify"]),
    ],
)
def test_the_steps_to_a_goal(goal: Goal, triggers: list[str]) -> None:
    assert [step.trigger.value for step in plan_steps(goal)] == triggers


def test_verified_is_the_end() -> None:
    assert not [t for t in TRANSITIONS if State.VERIFIED in t.sources]


@pytest.mark.parametrize("state", [s for s in State if s is not State.VERIFIED])
def test_every_other_state_can_be_resumed(state: State) -> None:
    found = [t for t in TRANSITIONS if t.trigger is Trigger.RESUME and state in t.sources]
    assert [t.dest for t in found] == [State.PENDING]


def test_whatever_is_under_way_can_fail_once() -> None:
    (fail,) = [t for t in TRANSITIONS if t.trigger is Trigger.FAIL]
    assert set(fail.sources) == set(State) - {State.VERIFIED, State.FAILED}
    assert fail.dest is State.FAILED
