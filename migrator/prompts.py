"""Decisions that a person has to take, and who takes them when there is none.

`Prompter` never asks: it answers with the flags that were given, or raises `DecisionNeeded`
naming the flag that would give the answer. `InteractivePrompter` asks on the terminal. So no
caller ever looks whether there is a terminal.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TextIO

from migrator.core.spelling import printable, spell_count
from migrator.exceptions import DecisionNeeded, Interrupted
from migrator.terminal import is_terminal

ACKNOWLEDGEMENT = "I understand"

Action = tuple[str, tuple[str, ...]]
"""What would be done, and its SQL."""

_REPAIR_NOW = "--non-interactive"
"""What carries a planned repair out without a question."""

Pause = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a menu: what `choose` returns, and what is shown."""

    value: str
    title: str
    disabled: str = ""
    """Why it cannot be chosen now; "" when it can."""


class Prompter:
    """Answers without asking.

    Args:
        granted: Flags that were given on the command line ("--repair", "--allow-destructive");
            a decision that one of them gives is taken.
    """

    def __init__(self, granted: Collection[str] = ()) -> None:
        self.granted = frozenset(granted)

    def confirm_repair(
        self, alias: str, actions: Sequence[Action], notes: Sequence[str] = ()
    ) -> None:
        """Let a repair go on. Only asked for when --repair was given, which decides it already
        where nobody can be asked; a person sees the plan first and may still decline.

        Args:
            alias: The database.
            actions: Everything that would be done, in order.
            notes: What else should be known before: data that is gone, what stays undone.

        Raises:
            DecisionNeeded: A person declined.
            Interrupted: Ctrl-C at the question.
        """

    def confirm(self, question: str, *, flag: str, default: bool = False) -> bool:
        """A yes or no.

        Args:
            question: One sentence that ends in a question mark.
            flag: The flag that stands for yes.
            default: The answer to an empty line.

        Raises:
            DecisionNeeded: Nobody can be asked, and the flag was not given.
            Interrupted: Ctrl-C at the question.
        """
        if flag in self.granted:
            return True
        return self._ask(question, flag, default)

    def choose(self, question: str, choices: Sequence[Choice], *, flag: str) -> str:
        """One of several.

        Args:
            question: What is asked.
            choices: In the order in which they are shown.
            flag: How to say it without being asked, for the message.

        Returns:
            The `value` of the choice.

        Raises:
            DecisionNeeded: Nobody can be asked.
            Interrupted: Ctrl-C at the menu.
        """
        return self._ask_choice(question, choices, flag)

    def acknowledge(self, warning: str, *, flag: str) -> bool:
        """A typed "I understand", for what cannot be undone.

        Args:
            warning: What would be lost, and where.
            flag: The flag that consents without being asked.

        Returns:
            True when the words were typed; False for anything else.

        Raises:
            DecisionNeeded: Nobody can be asked, and the flag was not given.
            Interrupted: Ctrl-C at the question.
        """
        if flag in self.granted:
            return True
        return self._ask_words(warning, flag)

    # -- what InteractivePrompter does otherwise ---------------------------------

    def _ask(self, question: str, flag: str, default: bool) -> bool:  # noqa: ARG002
        raise _needed(question, flag)

    def _ask_choice(self, question: str, choices: Sequence[Choice], flag: str) -> str:  # noqa: ARG002
        raise _needed(question, flag)

    def _ask_words(self, warning: str, flag: str) -> bool:
        raise _needed(warning, flag)


class InteractivePrompter(Prompter):
    """Asks on the terminal; where there is none, it answers as `Prompter` does.

    Args:
        granted: As `Prompter`: what was said on the command line is not asked again.
        pause: Puts a live display aside while a question stands (`MigratorLogger.pause`).
        stream: Where plans and warnings are shown; standard error by default.
        terminal: Further arguments of every question (prompt_toolkit's `input` and `output`):
            ask there instead of on the terminal of this process.
    """

    def __init__(
        self,
        granted: Collection[str] = (),
        *,
        pause: Pause = contextlib.nullcontext,
        stream: TextIO | None = None,
        terminal: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(granted)
        self._pause = pause
        self._stream = stream
        self._terminal = terminal or {}

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask: both ends of a terminal."""
        return bool(self._terminal) or (is_terminal(sys.stdin) and is_terminal(sys.stdout))

    def confirm_repair(
        self, alias: str, actions: Sequence[Action], notes: Sequence[str] = ()
    ) -> None:
        """Show the plan with its SQL, and ask whether to carry it out."""
        if not self.can_ask or _REPAIR_NOW in self.granted:
            return
        with self._pause():
            self._show(f"Repair of {alias}, {spell_count(len(actions), 'step')}:")
            for number, (description, sql) in enumerate(actions, 1):
                self._show(f"  {number}. {description}")
                for line in "\n".join(sql).splitlines():
                    self._show(f"       {line}")
            for note in notes:
                self._show(f"  note: {note}")
            if not self._ask("Carry it out?", _REPAIR_NOW, False):
                raise DecisionNeeded(
                    f"The repair of {alias} was declined; nothing was changed.",
                    hint="Run it again to look at the plan once more.",
                )

    def _ask(self, question: str, flag: str, default: bool) -> bool:
        if not self.can_ask:
            return super()._ask(question, flag, default)
        import questionary

        return bool(
            self._answer(
                lambda: questionary.confirm(
                    printable(question), default=default, auto_enter=False, **self._terminal
                ),
                question,
                flag,
            )
        )

    def _ask_choice(self, question: str, choices: Sequence[Choice], flag: str) -> str:
        if not self.can_ask:
            return super()._ask_choice(question, choices, flag)
        import questionary

        entries = [
            questionary.Choice(
                printable(choice.title), value=choice.value, disabled=choice.disabled or None
            )
            for choice in choices
        ]
        return str(
            self._answer(
                lambda: questionary.select(
                    printable(question), choices=entries, instruction=" ", **self._terminal
                ),
                question,
                flag,
            )
        )

    def _ask_words(self, warning: str, flag: str) -> bool:
        if not self.can_ask:
            return super()._ask_words(warning, flag)
        import questionary

        with self._pause():
            self._show(warning)
            answer = self._answer(
                lambda: questionary.text(f'Type "{ACKNOWLEDGEMENT}" to go on:', **self._terminal),
                warning,
                flag,
            )
        # Upper and lower case and blanks do not matter; the words do.
        return " ".join(str(answer).split()).lower() == ACKNOWLEDGEMENT.lower()

    def _answer(self, build: Callable[[], Any], question: str, flag: str) -> Any:
        """Ask, with the display put aside; Ctrl-C interrupts the run, Ctrl-D is no answer."""
        with self._pause():
            try:
                return build().unsafe_ask()
            except KeyboardInterrupt:
                raise Interrupted("SIGINT") from None
            except EOFError:
                raise _needed(question, flag) from None

    def _show(self, text: str) -> None:
        stream = self._stream or sys.stderr
        stream.write(printable(text) + "\n")
        stream.flush()


def _needed(what: str, flag: str) -> DecisionNeeded:
    return DecisionNeeded(what, hint=f"Give {flag} to decide it without being asked.")
