"""What a planned migration costs, in words; the same in every report."""

from __future__ import annotations

from migrator.core.events import PlannedStep
from migrator.core.live import TableSize
from migrator.core.spelling import spell_bytes, spell_rows


def spell_costs(step: PlannedStep) -> tuple[str, ...]:
    """One line for each table that is concerned, the strongest lock first.

    "ACCESS EXCLUSIVE on shop_order (1.2 M rows, 340 MB), rewrites it".

    Args:
        step: Of a plan.
    """
    sizes = dict(step.sizes)
    lines = []
    for lock in step.locks:
        words = [f"{lock.mode} on {lock.table}"]
        if lock.table in sizes and (size := spell_size(sizes[lock.table])):
            words[0] += f" ({size})"
        if lock.table in step.rewrites:
            words.append("rewrites it")
        elif lock.table in step.scans:
            words.append("reads all of it")
        if lock.blocks:
            words.append(f"{lock.blocks} wait")
        lines.append(", ".join(words))
    locked = {lock.table for lock in step.locks}
    for table, known in sizes.items():
        if table not in locked and (size := spell_size(known)):
            lines.append(f"{table} ({size})")
    return tuple(lines)


def spell_size(size: TableSize) -> str:
    """How large a table is: "empty", "1.2 M rows, 340 MB"; "" when nothing is known.

    Args:
        size: As far as it is known.
    """
    if size.empty or size.rows == 0:
        return "empty"
    words = [] if size.rows is None else [spell_rows(size.rows)]
    if size.bytes is not None:
        words.append(spell_bytes(size.bytes))
    return ", ".join(words)
