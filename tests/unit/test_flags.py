"""What goes with what: every pair of options of `migrate_all`, and that nothing is left out."""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from migrator.core.flags import GOES_WITH, MODES, contradiction, overlap

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
DJANGO = {
    "--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback",
    "--no-color", "--force-color", "--skip-checks",
}  # fmt: skip

BOTH = ("--backup", "--no-backup")


def parser_options() -> set[str]:
    command = load_command_class(get_commands()["migrate_all"], "migrate_all")
    parser = command.create_parser("manage.py", "migrate_all")
    first = {action.option_strings[-1] for action in parser._actions if action.option_strings}
    names = {name for action in parser._actions for name in action.option_strings}
    return {name for name in names | first if name.startswith("--")} - DJANGO


def test_every_option_has_its_place_in_the_table() -> None:
    spelled_otherwise = {"--noinput", "--no-input"}
    modes = {"--check", "--dry-run", "--resume"}
    assert parser_options() == set(GOES_WITH) | modes | spelled_otherwise


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("flag", list(GOES_WITH))
def test_an_option_goes_with_a_mode_or_is_refused_by_name(flag: str, mode: str) -> None:
    found = contradiction({flag, *mode.split()})
    assert (found is None) == (mode in GOES_WITH[flag])
    if found is not None:
        message, hint = found
        assert flag in message
        assert hint


def test_a_pair_goes_together_where_each_of_it_does() -> None:
    for mode in MODES:
        for pair in itertools.combinations(GOES_WITH, 2):
            fitting = all(mode in GOES_WITH[flag] for flag in pair)
            assert (contradiction({*pair, *mode.split()}) is None) == fitting


@pytest.mark.parametrize("command", ["migrate_all", "migrator"])
def test_a_backup_is_not_both_asked_for_and_forbidden(command: str) -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        call_command(command, "--auto" if command == "migrator" else "--repair", *BOTH)


@pytest.mark.parametrize(
    "modes", list(itertools.combinations(("--check", "--dry-run", "--resume"), 2))
)
def test_modes_exclude_one_another(modes: tuple[str, str]) -> None:
    allowed = modes == ("--dry-run", "--resume")
    assert (contradiction(set(modes)) is None) == allowed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--check", "--backup"], "--check changes nothing, so it takes no --backup."),
        (["--check", "--test-command", "true"], "so it takes no --test-command."),
        (["--check", "--allow-destructive"], "so it takes no --allow-destructive."),
        (["--check", "--repair"], "so it takes no --repair."),
        (["--check", "--run-syncdb"], "so it takes no --run-syncdb."),
        (["--check", "--assume-applied", "notes.0001_initial"], "so it takes no --assume-applied."),
        (["--resume", "--fake-initial"], "as it was opened, so it takes no --fake-initial."),
        (["--resume", "1", "--database", "default"], "so it takes no --database."),
        (["--resume", "--expected", "x.json"], "--expected goes with --check, not with --resume."),
        (["--resume", "--dry-run", "--deep"], "so it takes no --deep."),
        (["--accept-changed-migrations"], "--accept-changed-migrations goes with --resume."),
        (["--fail-on-pending"], "--fail-on-pending goes with --check."),
        (
            ["--assume-applied", "a.0001_x", "--assume-not-applied", "a.0001_x:2"],
            "--assume-applied and --assume-not-applied contradict one another about a.0001_x:2.",
        ),
    ],
)
def test_a_contradiction_is_told_in_one_sentence_before_anything_is_done(
    arguments: list[str], said: str
) -> None:
    errors = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("migrate_all", *arguments, stderr=errors)
    assert caught.value.code == 2
    first, hint = errors.getvalue().splitlines()
    assert first.startswith("Error: ")
    assert said in first
    assert hint.strip()


def test_what_only_forbids_or_limits_goes_with_a_check() -> None:
    calm = {"--no-backup", "--skip-makemigrations", "--non-interactive", "--lock-timeout"}
    assert contradiction(calm | {"--check"}) is None


def test_overlapping_assumptions_are_found() -> None:
    assert overlap(["a.0001_x"], ["a.0001_y", "a.0001_xy"]) == ""
    assert overlap(["a.0001_x:1"], ["a.0001_x:2"]) == ""
    assert overlap(["a.0001_x:1"], ["a.0001_x:1"]) == "a.0001_x:1"
    assert overlap(["a.0001_x"], ["a.0001_x:1"]) == "a.0001_x:1"


def test_the_reference_shows_the_same_table() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    part = text.partition("### What goes with what")[2].partition("\n#")[0]
    rows = re.findall(r"^\| `(--[\w-]+)` \|(.+)\|$", part, flags=re.MULTILINE)
    shown = {
        flag: {
            mode
            for mode, cell in zip(MODES, cells.split("|"), strict=True)
            if cell.strip() == "yes"
        }
        for flag, cells in rows
    }
    assert shown == {flag: set(modes) for flag, modes in GOES_WITH.items() if modes != set(MODES)}
