"""Who decides: a flag, a person at a terminal, or nobody."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.input.base import PipeInput
from prompt_toolkit.output import DummyOutput

from migrator.exceptions import DecisionNeeded, ExitCode, Interrupted, exit_code_of
from migrator.prompts import Choice, InteractivePrompter, Prompter

ACTIONS = (
    ("Forget the row of shop.0002_total.", ("DELETE FROM django_migrations\nWHERE id = 7",)),
    ("Create the index.", ()),
)
CHOICES = (Choice("migrate", "Full migrate"), Choice("check", "Forensic check"))
CTRL_C, CTRL_D, DOWN = "\x03", "\x04", "\x1b[B"


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as keyboard:
        yield keyboard


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def person(keyboard: PipeInput, shown: io.StringIO) -> InteractivePrompter:
    terminal = {"input": keyboard, "output": DummyOutput()}
    return InteractivePrompter(stream=shown, terminal=terminal)


# -- nobody to ask -------------------------------------------------------------------------


# pytest's standard input is no terminal, so that the interactive one cannot ask either.
@pytest.mark.parametrize("prompter", [Prompter(), InteractivePrompter()])
def test_nobody_to_ask_names_the_flag_and_exits_3(prompter: Prompter) -> None:
    decisions = (
        lambda: prompter.confirm("Go on?", flag="--go-on"),
        lambda: prompter.choose("What now?", CHOICES, flag="--go-on"),
        lambda: prompter.acknowledge("The table blog_post will be dropped.", flag="--go-on"),
    )
    for decide in decisions:
        with pytest.raises(DecisionNeeded) as caught:
            decide()
        assert "--go-on" in caught.value.hint
        assert exit_code_of(caught.value) is ExitCode.DECISION


def test_a_flag_that_was_given_decides() -> None:
    prompter = Prompter(granted=["--allow-destructive"])
    assert prompter.acknowledge("Gone.", flag="--allow-destructive") is True
    assert prompter.confirm("Sure?", flag="--allow-destructive") is True
    with pytest.raises(DecisionNeeded):
        prompter.confirm("Sure?", flag="--another")


@pytest.mark.parametrize("prompter", [Prompter(), InteractivePrompter()])
def test_a_repair_that_was_asked_for_goes_on_where_nobody_can_be_asked(
    prompter: Prompter, capsys: pytest.CaptureFixture[str]
) -> None:
    prompter.confirm_repair("shop_db", ACTIONS)
    assert capsys.readouterr() == ("", "")


# -- a person ---------------------------------------------------------------------------------


def test_a_person_sees_the_whole_repair_and_agrees(
    person: InteractivePrompter, keyboard: PipeInput, shown: io.StringIO
) -> None:
    keyboard.send_text("y\r")
    person.confirm_repair("shop_db", ACTIONS, ["Two rows are gone."])
    assert shown.getvalue().splitlines() == [
        "Repair of shop_db, 2 steps:",
        "  1. Forget the row of shop.0002_total.",
        "       DELETE FROM django_migrations",
        "       WHERE id = 7",
        "  2. Create the index.",
        "  note: Two rows are gone.",
    ]


@pytest.mark.parametrize("answer", ["n\r", "\r"])
def test_a_person_declines_a_repair_also_by_an_empty_line(
    person: InteractivePrompter, keyboard: PipeInput, answer: str
) -> None:
    keyboard.send_text(answer)
    with pytest.raises(DecisionNeeded, match="declined"):
        person.confirm_repair("shop_db", ACTIONS)


def test_a_person_chooses_from_a_menu(person: InteractivePrompter, keyboard: PipeInput) -> None:
    keyboard.send_text(DOWN + "\r")
    assert person.choose("What now?", CHOICES, flag="--check") == "check"


def test_a_menu_skips_what_cannot_be_chosen(
    person: InteractivePrompter, keyboard: PipeInput
) -> None:
    disabled = Choice("resume", "Resume", disabled="nothing to resume")
    keyboard.send_text("\r")
    assert person.choose("What now?", (disabled, *CHOICES), flag="--check") == "migrate"


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("I understand", True),
        ("  i  UNDERSTAND ", True),
        ("yes", False),
        ("", False),
        ("I understand not", False),
    ],
)
def test_only_the_words_acknowledge(
    person: InteractivePrompter,
    keyboard: PipeInput,
    shown: io.StringIO,
    typed: str,
    taken: bool,
) -> None:
    keyboard.send_text(typed + "\r")
    warning = "The table blog_post and its 3 rows will be dropped."
    assert person.acknowledge(warning, flag="--allow-destructive") is taken
    assert warning in shown.getvalue()


def test_what_a_flag_decided_is_not_asked(keyboard: PipeInput) -> None:
    terminal = {"input": keyboard, "output": DummyOutput()}
    person = InteractivePrompter(["--allow-destructive"], terminal=terminal)
    assert person.acknowledge("Gone.", flag="--allow-destructive") is True


def test_ctrl_c_interrupts_the_run(person: InteractivePrompter, keyboard: PipeInput) -> None:
    questions = (
        lambda: person.confirm("Go on?", flag="--x"),
        lambda: person.choose("What now?", CHOICES, flag="--x"),
        lambda: person.acknowledge("Gone.", flag="--x"),
        lambda: person.confirm_repair("a", ACTIONS),
    )
    for ask in questions:
        keyboard.send_text(CTRL_C)
        with pytest.raises(Interrupted) as caught:
            ask()
        assert exit_code_of(caught.value) is ExitCode.INTERRUPTED


def test_the_end_of_input_is_no_answer(person: InteractivePrompter, keyboard: PipeInput) -> None:
    keyboard.send_text(CTRL_D)
    with pytest.raises(DecisionNeeded, match="Gone"):
        person.acknowledge("Gone.", flag="--x")


def test_the_live_display_is_put_aside_for_each_question(
    keyboard: PipeInput, shown: io.StringIO
) -> None:
    log: list[str] = []

    @contextlib.contextmanager
    def pause() -> Iterator[None]:
        log.append("paused")
        yield
        log.append("resumed")

    person = InteractivePrompter(
        pause=pause, stream=shown, terminal={"input": keyboard, "output": DummyOutput()}
    )
    keyboard.send_text("y\r")
    assert person.confirm("Go on?", flag="--x") is True
    assert log == ["paused", "resumed"]


def test_what_is_shown_cannot_move_the_cursor(
    person: InteractivePrompter, keyboard: PipeInput, shown: io.StringIO
) -> None:
    keyboard.send_text("y\r")
    person.confirm_repair("a", [("Drop \x1b[2J.", ())])
    assert "\x1b" not in shown.getvalue()
