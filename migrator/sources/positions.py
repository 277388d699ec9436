"""Where in a migration's file each operation stands."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Positions:
    """Lines of one file, from 1; 0 where unknown.

    Attributes:
        migration: Of its class.
        operations: Of each operation, in order; empty when the list is not written out.
    """

    migration: int = 0
    operations: tuple[int, ...] = ()

    def line(self, operation: int | None) -> int:
        """Of one operation, or of the migration as a whole.

        Args:
            operation: Its index; None for the migration.
        """
        if operation is not None and operation < len(self.operations):
            return self.operations[operation]
        return self.migration


def positions_in(file: Path) -> Positions:
    """Read a migration's file.

    Args:
        file: Its path.

    Returns:
        What can be told; nothing for a file that cannot be read.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return Positions()
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Migration":
            return Positions(node.lineno, _operations(node))
    return Positions(1)


def _operations(migration: ast.ClassDef) -> tuple[int, ...]:
    for node in migration.body:
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign)
            else []
        )
        named = any(isinstance(each, ast.Name) and each.id == "operations" for each in targets)
        value = getattr(node, "value", None)
        if named and isinstance(value, ast.List | ast.Tuple):
            if any(isinstance(each, ast.Starred) for each in value.elts):
                return ()
            return tuple(each.lineno for each in value.elts)
    return ()
