"""The same judgement by other tools, on the SQL that Django sends for the same migrations.

`python -m tests.corpus.others --linter DIRECTORY --squawk PROGRAM`: DIRECTORY is where
`pip install --target DIRECTORY django-migration-linter` put it, PROGRAM what
`npm install squawk-cli` made. Neither is needed by anything else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

STYLE = (
    "prefer-bigint-over-int,prefer-bigint-over-smallint,prefer-identity,prefer-text-field,"
    "prefer-timestamptz,prefer-robust-stmts,require-timeout-settings"
)
"""Rules of squawk that are about taste, or about settings that Django's SQL never has."""


def main() -> None:
    """Print the four figures of each tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--linter", default="", help="where django-migration-linter is")
    parser.add_argument("--squawk", default="", help="the program")
    options = parser.parse_args()
    from tests.corpus.__main__ import prepare, server_of

    prepare()
    tools: dict[str, Callable[[Any, Sequence[str]], bool]] = {}
    if options.linter:
        sys.path.append(options.linter)
        tools["django-migration-linter"] = _linter
    if options.squawk:
        tools["squawk"] = lambda case, sql: _squawk(options.squawk, case, sql, "")
        tools["squawk, without its rules of style"] = lambda case, sql: _squawk(
            options.squawk, case, sql, STYLE
        )
    with server_of("postgresql") as server:
        _judge(server, tools)


def _judge(server: Any, tools: dict[str, Callable[[Any, Sequence[str]], bool]]) -> None:
    from tests.corpus import labels
    from tests.corpus.cases import CASES
    from tests.corpus.judging import planned
    from tests.corpus.world import World

    world = World(server)
    known = labels.load()["postgresql"]
    try:
        sql = {case.name: planned(world, case) for case in CASES}
    finally:
        world.close()
    for title, flags in tools.items():
        found = {case.name: flags(case, sql[case.name]) for case in CASES}
        unsafe = [case.name for case in CASES if known[case.name]["unsafe"]]
        safe = [case.name for case in CASES if not known[case.name]["unsafe"]]
        missed = [name for name in unsafe if not found[name]]
        flagged = [name for name in safe if found[name]]
        print(
            f"{title}: unsafe: {len(unsafe) - len(missed)} of {len(unsafe)} found,"
            f" {len(missed)} missed;"
            f" safe: {len(safe) - len(flagged)} of {len(safe)} passed, {len(flagged)} flagged"
        )


def _linter(case: Any, sql: Sequence[str]) -> bool:
    from django_migration_linter.migration_linter import MigrationLinter
    from django_migration_linter.sql_analyser import analyse_sql_statements, get_sql_analyser_class

    analyser = get_sql_analyser_class("postgresql")
    errors, _, warnings = analyse_sql_statements(analyser, [f"{each};" for each in sql], [])
    linter = MigrationLinter.__new__(MigrationLinter)  # nothing of it but its rules is needed
    linter.sql_analyser_class = analyser
    linter.exclude_migration_tests, linter.warnings_as_errors_tests = [], None
    migration = SimpleNamespace(operations=[*case.operations, *case.then])
    more_errors, _, more_warnings = linter.analyse_data_migration(migration)
    return bool([*errors, *warnings, *more_errors, *more_warnings])


def _squawk(program: str, case: Any, sql: Sequence[str], excluded: str) -> bool:
    command = [program, "--reporter=json", "--pg-version=18.0"]
    command += ["--assume-in-transaction"] if case.atomic else []
    command += [f"--exclude={excluded}"] if excluded else []
    text = "".join(f"{each.rstrip().rstrip(';')};\n" for each in sql)
    if not text:
        return False
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return bool(json.loads(done.stdout or "[]"))


if __name__ == "__main__":
    main()
