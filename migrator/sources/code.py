"""What Python code in a migration may do to a schema behind the back of the state.

Code that only uses models cannot change a schema; whatever reaches for more, or cannot be
read, is taken to touch anything.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any

_REACHING = frozenset(
    {
        "call_command",
        "connection",
        "connections",
        "cursor",
        "execute",
        "executemany",
        "execute_from_command_line",
        "get_connection",
        "import_module",
        "import_string",
        "MigrationExecutor",
        "MigrationLoader",
        "raw",
        "raw_connection",
        "schema_editor",
    }
)
_FACTS = frozenset({"alias", "vendor", "settings_dict", "display_name"})
"""What may be read from `schema_editor.connection` without reaching for the schema."""

_TRUSTED = sys.stdlib_module_names | {"django"}
"""Packages whose functions, other than those named above, leave the schema alone."""

_BLIND = frozenset({"exec", "eval", "compile", "__import__", "globals", "getattr", "setattr"})
_DEPTH = 4


def only_uses_models(code: Callable[..., Any]) -> bool:
    """Whether a RunPython's function provably leaves the schema alone.

    Its source is read, and that of the project's functions that it calls: the schema editor
    may be asked for its alias or vendor, or be handed on to such a function; no cursor, no
    other connection, no management command, no SQL.

    Args:
        code: The `code` of a RunPython.

    Returns:
        False as well where the source cannot be read.
    """
    return _harmless(code, frozenset({1}), _DEPTH, set())


def does_nothing(code: Callable[..., Any]) -> bool:
    """Whether the function has an empty body: `pass`, a docstring, `return`."""
    definition = _definition(code)
    return definition is not None and all(map(_is_blank, definition.body))


def _is_blank(node: ast.stmt) -> bool:
    if isinstance(node, ast.Return):
        return node.value is None or isinstance(node.value, ast.Constant)
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass) or constant


def _harmless(
    code: Any, editors: frozenset[int], depth: int, seen: set[tuple[Any, frozenset[int]]]
) -> bool:
    """Whether a function is harmless when these of its positional arguments are the editor."""
    if isinstance(code, functools.partial):
        if code.args:
            editors = frozenset(index + len(code.args) for index in editors)
        code = code.func
    if isinstance(code, staticmethod | classmethod):
        code = code.__func__
    code = inspect.unwrap(code) if callable(code) else code
    if not isinstance(code, FunctionType) or depth == 0:
        return False
    if (code, editors) in seen:
        return True
    seen.add((code, editors))
    definition = _definition(code)
    if definition is None:
        return False
    names = [argument.arg for argument in (*definition.args.posonlyargs, *definition.args.args)]
    if any(index >= len(names) for index in editors):
        return False  # it arrives in *args
    tainted = {names[index] for index in editors}
    reader = _Reader(code, tainted, depth, seen)
    for statement in definition.body:
        reader.visit(statement)
    return reader.harmless


def _definition(code: Any) -> ast.FunctionDef | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    node = tree.body[0] if tree.body else None
    return node if isinstance(node, ast.FunctionDef) else None


class _Reader(ast.NodeVisitor):
    """Walks one function; anything that may reach for the schema makes it not harmless."""

    def __init__(
        self,
        code: FunctionType,
        editors: set[str],
        depth: int,
        seen: set[tuple[Any, frozenset[int]]],
    ) -> None:
        self.harmless = True
        self._code = code
        self._editors = editors
        self._depth = depth
        self._seen = seen

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._is_fact(node):
            return
        if node.attr in _REACHING:
            self.harmless = False
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        reaching = node.id in self._editors or node.id in _REACHING or node.id in _BLIND
        if reaching or _is_connection(self._resolve(node)):
            self.harmless = False

    def visit_Call(self, node: ast.Call) -> None:
        called = self._resolve(node.func)
        handed = {
            index
            for index, argument in enumerate(node.args)
            if isinstance(argument, ast.Name) and argument.id in self._editors
        }
        rest: list[ast.AST] = [
            argument for index, argument in enumerate(node.args) if index not in handed
        ]
        rest.extend(keyword.value for keyword in node.keywords)
        # getattr(x, "name", default) reads what could have been written x.name.
        if isinstance(node.func, ast.Name) and node.func.id == "getattr":
            name = node.args[1] if len(node.args) > 1 else None
            known = isinstance(name, ast.Constant) and name.value not in _REACHING
            self.harmless = self.harmless and known and not handed
        elif _is_own_class(called, self._code):
            self.harmless = False  # what its methods do is not followed
        elif handed or _has_to_be_read(called):
            self.harmless = self.harmless and _harmless(
                called, frozenset(handed), self._depth - 1, self._seen
            )
        else:
            self.visit(node.func)
        for argument in rest:
            self.visit(argument)

    def visit_Import(self, node: ast.Import) -> None:
        self._imported(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        own = (self._code.__module__ or "").split(".")[0]
        top = (node.module or own).split(".")[0]
        if node.level or top == own:
            self.harmless = False  # a local import of the project's own code is not followed
        self._imported(alias.name for alias in node.names)

    def _imported(self, names: Iterable[str]) -> None:
        if any(name.split(".")[-1] in _REACHING for name in names):
            self.harmless = False

    def _is_fact(self, node: ast.Attribute) -> bool:
        """`schema_editor.connection.alias` and its like."""
        inner = node.value
        return (
            node.attr in _FACTS
            and isinstance(inner, ast.Attribute)
            and inner.attr == "connection"
            and isinstance(inner.value, ast.Name)
            and inner.value.id in self._editors
        )

    def _resolve(self, node: ast.AST) -> Any:
        """The object that a global name, or an attribute of a module, stands for."""
        if isinstance(node, ast.Name):
            if node.id in self._code.__code__.co_varnames:
                return None
            closure = inspect.getclosurevars(self._code).nonlocals
            if node.id in closure:
                return closure[node.id]
            return self._code.__globals__.get(node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute):
            owner = self._resolve(node.value)
            if isinstance(owner, ModuleType | type):
                return getattr(owner, node.attr, None)
        return None


def _is_connection(value: Any) -> bool:
    from django.db import connection, connections

    return value is connection or value is connections


def _has_to_be_read(called: Any) -> bool:
    """Whether a call goes into code that is neither Django's nor Python's own."""
    return isinstance(called, FunctionType) and _top(called) not in _TRUSTED


def _is_own_class(called: Any, caller: FunctionType) -> bool:
    if not isinstance(called, type) or issubclass(called, BaseException | Enum):
        return False
    return _top(called) == _top(caller) and _top(called) not in _TRUSTED


def _top(thing: Any) -> str:
    return str(getattr(thing, "__module__", None) or "").split(".")[0]
