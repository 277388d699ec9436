"""The state machine of one alias: what is written when, and what is refused."""

from __future__ import annotations

import pytest

from migrator.core.lifecycle import STEPS, TRANSITIONS, Goal, State, Trigger, plan_steps
from migrator.machine import AliasMachine, TransitionRefused, render_diagram


class Recorder:
    """Remembers what it was told, and can be made to fail."""

    def __init__(self) -> None:
        self.written: list[tuple[str, ...]] = []
        self.fail_on = ""

    def transition_intent(self, trigger: Trigger, source: State, dest: State) -> None:
        self._write("intent", trigger, source, dest)

    def transition_done(self, trigger: Trigger, dest: State, seconds: float) -> None:
        assert seconds >= 0
        self._write("done", trigger, dest)

    def _write(self, phase: str, *rest: str) -> None:
        if phase == self.fail_on:
            raise OSError("the journal is gone")
        self.written.append((phase, *map(str, rest)))


def test_intent_effect_and_outcome_come_in_this_order() -> None:
    recorder = Recorder()
    machine = AliasMachine(recorder)
    machine.advance(Trigger.GUARD, lambda: recorder.written.append(("effect",)))
    assert recorder.written == [
        ("intent", "guard", "pending", "guarded"),
        ("effect",),
        ("done", "guard", "guarded"),
    ]


def test_an_effect_that_raises_leaves_the_state_and_writes_no_outcome() -> None:
    recorder = Recorder()
    machine = AliasMachine(recorder)
    with pytest.raises(ZeroDivisionError):
        machine.advance(Trigger.GUARD, lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert machine.state is State.PENDING
    assert [phase for phase, *_ in recorder.written] == ["intent"]
    machine.advance(Trigger.FAIL)
    assert machine.state is State.FAILED


def test_no_effect_without_an_intent_in_the_journal() -> None:
    recorder = Recorder()
    recorder.fail_on = "intent"
    machine = AliasMachine(recorder)
    ran: list[int] = []
    with pytest.raises(OSError, match="gone"):
        machine.advance(Trigger.GUARD, lambda: ran.append(1))
    assert ran == []
    assert machine.state is State.PENDING


def test_a_lost_outcome_wears_the_machine_out() -> None:
    """transitions has advanced the state by then: going on would skip a journaled step."""
    recorder = Recorder()
    recorder.fail_on = "done"
    machine = AliasMachine(recorder)
    with pytest.raises(OSError, match="gone"):
        machine.advance(Trigger.GUARD)
    recorder.fail_on = ""
    with pytest.raises(TransitionRefused):
        machine.advance(Trigger.SCAN)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("trigger", list(Trigger))
def test_only_the_ways_of_the_table_exist(state: State, trigger: Trigger) -> None:
    row = next(
        (row for row in TRANSITIONS if row.trigger is trigger and state in row.sources), None
    )
    machine = AliasMachine(Recorder(), initial=state)
    if row is None:
        with pytest.raises(TransitionRefused):
            machine.advance(trigger)
        assert machine.state is state
    else:
        machine.advance(trigger)
        assert machine.state is row.dest


def test_verified_is_the_end() -> None:
    assert not any(State.VERIFIED in row.sources for row in TRANSITIONS)


def test_the_steps_to_each_goal() -> None:
    assert plan_steps(Goal.VERIFIED) == STEPS
    assert [step.trigger for step in plan_steps(Goal.SCANNED)] == [Trigger.GUARD, Trigger.SCAN]


def test_the_diagram_shows_every_way() -> None:
    diagram = render_diagram()
    for row in TRANSITIONS:
        for source in row.sources:
            assert f"{source} --> {row.dest}: {row.trigger}" in diagram
