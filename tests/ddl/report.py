"""Goes through the statements of one vendor and prints where said and measured differ."""

from __future__ import annotations

from typing import Any

from tests.ddl.measured import Case, Measured

_HEAD = """
## {title}

| Statement | Locks | Written anew | Read |
|---|---|---|---|"""


def go_through(
    arena: Any, cases: tuple[Any, ...], *, measure: bool, only: str, markdown: bool = False
) -> int:
    """Judge every case that the server knows.

    Args:
        arena: Where to measure it; closed at the end.
        cases: The statements.
        measure: Print what was measured of each.
        only: Leave out those without these words.
        markdown: Print the measurements as a table instead, for the documentation.

    Returns:
        How many are said otherwise than measured, without a reason.
    """
    agreed = wrong = 0
    kept: list[str] = []
    try:
        print(_HEAD.format(title=arena.title) if markdown else arena.title)
        for case in cases:
            if case.since > arena.version[0] or case.needs in arena.lacks:
                continue
            if only.lower() not in case.sql.lower():
                continue
            measured, found = arena.judge(case)
            if markdown:
                print(_row(case, measured))
            elif measure:
                print(f"  {case.sql}\n    {measured}")
            if not found:
                agreed += 1
            elif case.kept:
                kept.append(f"  {case.sql}\n    {'; '.join(found)}\n    {case.kept}")
            else:
                wrong += 1
                if markdown:
                    continue
                print(f"  DIFFERS {case.sql}\n    " + "\n    ".join(found))
    finally:
        arena.close()
    if markdown:
        return wrong
    print("\n".join(["  Kept on purpose:", *kept]) if kept else "  No difference is kept.")
    print(f"  {agreed} agree, {wrong} differ, {len(kept)} kept with a reason")
    return wrong


def _row(case: Case, measured: Measured) -> str:
    if measured.error:
        return f"| `{case.sql}` | refused by the server | | |"
    locks = ", ".join(f"{table}: {mode}" for table, mode in sorted(measured.locks.items()))
    rewrites = ", ".join(sorted(measured.rewrites))
    scans = ", ".join(sorted(measured.scans - measured.rewrites))
    before = f" (after `{case.before}`)" if case.before else ""
    text = f"| `{case.sql}`{before} | {locks} | {rewrites} | {scans} |"
    return text.replace('"."', ".").replace(" ||", " \\|\\|")
