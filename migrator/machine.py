"""The state machine of one alias: `core.lifecycle` bound to the `transitions` library.

Facts about transitions 0.9.3 that shape this module (measured):

- An exception in `finalize_event` is swallowed, so nothing is journaled there.
- An exception in `after_state_change` propagates with the state already advanced: the machine
  is then worn out, and every further trigger is refused.
- A trigger may answer False instead of raising: anything but True is an error here.
- It logs each callback at INFO, which would end up in the logs of every project that keeps
  its root logger there.
- `to_<state>` shortcuts and a "*" source would open ways that the table does not have, so
  there are neither.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from transitions import EventData, Machine, MachineError

from migrator.core.lifecycle import TRANSITIONS, State, Trigger
from migrator.exceptions import MigratorError

if logging.getLogger("transitions").level == logging.NOTSET:  # the project has no wish of its own
    logging.getLogger("transitions").setLevel(logging.WARNING)


class TransitionRefused(MigratorError):
    """The state machine does not allow this transition."""


class TransitionRecorder(Protocol):
    """Where the machine writes what it is about to do and what it did."""

    def transition_intent(self, trigger: Trigger, source: State, dest: State) -> None:
        """Make the intent durable, before the effect."""

    def transition_done(self, trigger: Trigger, dest: State, seconds: float) -> None:
        """Make the outcome durable, with the new state."""


class _Subject:
    """The model that `transitions` decorates; no method may have a trigger's name."""

    state: str

    def __init__(self, recorder: TransitionRecorder) -> None:
        self._recorder = recorder
        self._began = 0.0

    def journal_intent(self, event: EventData) -> None:
        self._began = time.monotonic()
        trigger, source, dest = _move(event)
        self._recorder.transition_intent(trigger, source, dest)

    def run_effect(self, event: EventData) -> None:
        event.kwargs["effect"]()

    def journal_outcome(self, event: EventData) -> None:
        trigger, _, dest = _move(event)
        self._recorder.transition_done(trigger, dest, time.monotonic() - self._began)


def _move(event: EventData) -> tuple[Trigger, State, State]:
    transition = event.transition
    assert transition is not None and event.event is not None  # noqa: S101, PT018  (typing only)
    return Trigger(event.event.name), State(transition.source), State(str(transition.dest))


def _transition_table() -> list[dict[str, Any]]:
    return [
        {
            "trigger": row.trigger.value,
            "source": [source.value for source in row.sources],
            "dest": row.dest.value,
            "before": "run_effect",
        }
        for row in TRANSITIONS
    ]


def _nothing() -> None:
    return None


class AliasMachine:
    """Where one alias stands, and the only way to move it.

    Order of each move: intent in the journal, effect, state, outcome in the journal.
    """

    def __init__(self, recorder: TransitionRecorder, *, initial: State = State.PENDING) -> None:
        """Start at a journaled state.

        Args:
            recorder: Where intents and outcomes go.
            initial: The state that the journal holds.
        """
        self._subject = _Subject(recorder)
        self._worn_out = False
        Machine(
            model=self._subject,
            states=[state.value for state in State],
            transitions=_transition_table(),
            initial=initial.value,
            auto_transitions=False,
            send_event=True,
            before_state_change="journal_intent",
            after_state_change="journal_outcome",
        )

    @property
    def state(self) -> State:
        """The state now."""
        return State(self._subject.state)

    def advance(self, trigger: Trigger, effect: Callable[[], None] = _nothing) -> None:
        """Move, running `effect` between the intent and the outcome.

        Args:
            trigger: Which way.
            effect: The work; when it raises, the state stays as it was.

        Raises:
            TransitionRefused: The table has no such way from here.
            Exception: Whatever the effect or the journal raised.
        """
        if self._worn_out:
            raise TransitionRefused(f"The outcome of the last transition before {trigger} is lost.")
        before = self.state
        try:
            moved = self._subject.trigger(trigger.value, effect=effect)  # type: ignore[attr-defined]
        except MachineError as error:
            raise TransitionRefused(f"{trigger} is not possible from {before}.") from error
        except BaseException:
            self._worn_out = self.state is not before
            raise
        if moved is not True:
            raise TransitionRefused(f"{trigger} was refused from {before}.")


def render_diagram() -> str:
    """The machine as a Mermaid state diagram, by the library's own renderer."""
    from transitions.extensions.diagrams import GraphMachine

    machine = GraphMachine(
        states=[state.value for state in State],
        transitions=[
            {key: row[key] for key in ("trigger", "source", "dest")} for row in _transition_table()
        ],
        initial=State.PENDING.value,
        auto_transitions=False,
        graph_engine="mermaid",
        title="",
    )
    text: str = machine.get_graph().draw(None)
    # The library's colours mark an active state; a document has none.
    styling = ("classdef", "class ", "---")
    return "\n".join(
        line.rstrip()
        for line in text.splitlines()
        if line.strip() and not line.strip().lower().startswith(styling)
    )
