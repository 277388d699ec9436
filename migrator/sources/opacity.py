"""What code and SQL in a migration may do to a schema behind the back of the state.

Proof, not suspicion, is what narrows it down: whatever cannot be read is taken to touch
anything. Code that only uses models cannot change a schema; SQL that only moves rows cannot
either; DDL that can be parsed touches the tables that it names.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import logging
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from migrator.core.schema import table_key

ANYTHING: frozenset[str] | None = None
"""In place of a set of tables: any table of the database."""

NOTHING: frozenset[str] = frozenset()

_DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}


# -- SQL ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SqlReading:
    """What a script does, as far as it can be read.

    Attributes:
        tables: Keys of the tables whose schema it may change; None for any.
        moves_rows: Whether it may change data.
    """

    tables: frozenset[str] | None
    moves_rows: bool


_HARMLESS = re.compile(
    r"\s*(set|reset|analyze|vacuum|comment|grant|revoke|lock|notify|begin|start|commit|savepoint|"
    r"release|pragma|explain|show|discard|checkpoint|select\s+pg_catalog\.set_config)\b",
    re.I,
)
_NAME = r'((?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$]+)(?:\.(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$]+))?)'
_ON_TABLE = (
    re.compile(rf"\s*alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?{_NAME}", re.I),
    re.compile(rf"\s*drop\s+table\s+(?:if\s+exists\s+)?{_NAME}\s*(?:cascade|restrict)?\s*$", re.I),
    re.compile(rf"\s*create\s+(?:unique\s+)?index\b[^(]*?\bon\s+(?:only\s+)?{_NAME}", re.I | re.S),
    re.compile(
        rf"\s*create\s+(?:or\s+replace\s+)?(?:constraint\s+)?trigger\b.*?\bon\s+{_NAME}",
        re.I | re.S,
    ),
    re.compile(rf"\s*drop\s+trigger\b.*?\bon\s+{_NAME}", re.I | re.S),
)
_RENAMED = re.compile(rf"\brename\s+to\s+{_NAME}\s*;?\s*$", re.I)
_ELSEWHERE = re.compile(
    r"\s*(create|drop|alter)\s+(or\s+replace\s+)?(extension|collation|role|user|database|"
    r"text\s+search|publication|subscription|server|statistics|view|materialized\s+view)\b",
    re.I,
)
_PLAIN_FUNCTIONS = frozenset(
    {"setval", "nextval", "currval", "set_config", "pg_get_serial_sequence"}
)


def read_sql(sql: Any, vendor: str) -> SqlReading:
    """Read the `sql` of a RunSQL.

    Args:
        sql: A script, a list of statements, or of (statement, parameters) pairs.
        vendor: Django's vendor name, for the dialect.
    """
    tables: frozenset[str] | None = NOTHING
    moves_rows = False
    for script in _scripts(sql):
        reading = _read_script(script, vendor)
        moves_rows = moves_rows or reading.moves_rows
        tables = join(tables, reading.tables)
    return SqlReading(tables, moves_rows)


def is_empty_sql(sql: Any) -> bool:
    """Whether there is nothing to run: RunSQL.noop, an empty list, comments alone."""
    return all(not _without_comments(script).strip(" \t\r\n;") for script in _scripts(sql))


def join(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Both sets of tables; anything swallows every set."""
    return ANYTHING if one is None or other is None else one | other


def _scripts(sql: Any) -> Iterator[str]:
    if isinstance(sql, list | tuple):
        for item in sql:
            yield str(item[0] if isinstance(item, list | tuple) else item)
    else:
        yield str(sql)


def _without_comments(script: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", " ", script, flags=re.S)


def _read_script(script: str, vendor: str) -> SqlReading:
    if not _without_comments(script).strip(" \t\r\n;"):
        return SqlReading(NOTHING, moves_rows=False)
    quiet = logging.getLogger("sqlglot")
    level, quiet.level = quiet.level, logging.CRITICAL  # it warns of what it cannot parse
    try:
        statements = sqlglot.parse(script, read=_DIALECTS.get(vendor))
    except (SqlglotError, RecursionError):
        return _read_text(script)
    finally:
        quiet.level = level
    tables: frozenset[str] | None = NOTHING
    moves_rows = False
    for statement in statements:
        if statement is None:
            continue
        reading = _read_statement(statement, vendor)
        moves_rows = moves_rows or reading.moves_rows
        tables = join(tables, reading.tables)
    return SqlReading(tables, moves_rows)


def _read_statement(statement: Any, vendor: str) -> SqlReading:
    if isinstance(statement, exp.Command):
        return _read_text(_command_text(statement))
    if isinstance(statement, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        return SqlReading(_called(statement), moves_rows=True)
    if isinstance(statement, exp.Query):
        return SqlReading(_called(statement), moves_rows=_calls_anything(statement))
    if isinstance(statement, exp.TruncateTable):
        return SqlReading(NOTHING, moves_rows=True)
    if isinstance(statement, exp.Set | exp.Pragma | exp.Comment | exp.Grant | exp.Transaction):
        return SqlReading(NOTHING, moves_rows=False)
    if isinstance(statement, exp.Commit | exp.Analyze):
        return SqlReading(NOTHING, moves_rows=False)
    if isinstance(statement, exp.Create | exp.Drop | exp.Alter):
        return _read_ddl(statement, vendor)
    return SqlReading(ANYTHING, moves_rows=True)


def _read_ddl(statement: Any, vendor: str) -> SqlReading:
    kind = str(statement.args.get("kind") or "").upper()
    text = statement.sql(dialect=_DIALECTS.get(vendor))
    if kind == "TABLE":
        # Of CREATE TABLE … AS SELECT only the table itself changes; a reference is no change.
        target = statement.this
        own = target if isinstance(target, exp.Table) else (target and target.find(exp.Table))
        names = {_table(own)} if own is not None else set()
        renames = (found for found in statement.find_all(exp.AlterRename))
        names |= {_table(found.this) for found in renames if isinstance(found.this, exp.Table)}
        if isinstance(statement, exp.Drop):
            names |= {_table(found) for found in statement.find_all(exp.Table)}
        if names:
            return SqlReading(frozenset(names), moves_rows=False)
    if kind == "INDEX" and isinstance(statement, exp.Create):
        table = statement.this.args.get("table") or statement.find(exp.Table)
        if table is not None:
            return SqlReading(frozenset({_table(table)}), moves_rows=False)
    if kind in {"VIEW", "SCHEMA", "DATABASE", "SEQUENCE"} and not isinstance(statement, exp.Drop):
        return SqlReading(NOTHING, moves_rows=False)
    return _read_text(text)


def _read_text(script: str) -> SqlReading:
    """Statements that the parser leaves alone, one that names its table at a time."""
    text = _without_comments(script).strip().rstrip(";")
    if "$$" in text or ";" in text:
        return SqlReading(ANYTHING, moves_rows=True)
    if _HARMLESS.match(text) or _ELSEWHERE.match(text):
        return SqlReading(NOTHING, moves_rows=False)
    for pattern in _ON_TABLE:
        found = pattern.match(text)
        if found:
            names = {_named(found[1])}
            renamed = _RENAMED.search(text)
            if renamed:
                names.add(_named(renamed[1]))
            return SqlReading(frozenset(names), moves_rows=False)
    return SqlReading(ANYTHING, moves_rows=True)


def _command_text(statement: exp.Command) -> str:
    rest = statement.args.get("expression")
    return f"{statement.this} {rest.name if isinstance(rest, exp.Expression) else rest or ''}"


def _table(table: Any) -> str:
    schema = table.args.get("db")
    return table_key(_plain(schema) if schema else "", _plain(table.this))


def _plain(identifier: Any) -> str:
    quoted = bool(getattr(identifier, "quoted", False) or identifier.args.get("quoted"))
    name = str(identifier.name)
    return name if quoted else name.lower()


def _named(text: str) -> str:
    parts = re.findall(r'"[^"]+"|`[^`]+`|\[[^\]]+\]|[\w$]+', text)
    names = [part[1:-1] if part[0] in '"`[' else part.lower() for part in parts]
    return table_key(names[0] if len(names) > 1 else "", names[-1])


def _calls_anything(statement: Any) -> bool:
    """Whether it calls functions that the parser does not know: `create_hypertable(…)`."""
    return any(
        str(call.this).lower() not in _PLAIN_FUNCTIONS for call in statement.find_all(exp.Anonymous)
    ) or bool(statement.find(exp.Insert, exp.Update, exp.Delete, exp.Into))


def _called(statement: Any) -> frozenset[str] | None:
    into = statement.find(exp.Into)
    calls = isinstance(statement, exp.Query) and any(
        str(call.this).lower() not in _PLAIN_FUNCTIONS for call in statement.find_all(exp.Anonymous)
    )
    return ANYTHING if into or calls else NOTHING


# -- Python --------------------------------------------------------------------

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
