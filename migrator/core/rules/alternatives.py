"""The safe way as code: Django operations, ready to paste, for the very table and field.

Built from the source of the operation that was found wanting, so that names, fields and options
are right; edited as a syntax tree, never as text. Everything here is valid Python.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

_IMPORTS = {
    "AddIndexConcurrently": "django.contrib.postgres.operations",
    "RemoveIndexConcurrently": "django.contrib.postgres.operations",
    "AddConstraintNotValid": "django.contrib.postgres.operations",
    "ValidateConstraint": "django.contrib.postgres.operations",
    "models": "django.db",
    "migrations": "django.db",
    "Decimal": "decimal",
}


def migration(*operations: str, atomic: bool = True, note: str = "") -> str:
    """What one migration is to hold.

    Args:
        *operations: Sources of operations.
        atomic: False: it says so.
        note: A comment above it.
    """
    lines = [f"# {note}"] if note else []
    lines += [] if atomic else ["atomic = False"]
    lines += ["operations = ["]
    lines += [f"    {line}" for each in operations for line in f"{each},".splitlines()]
    return "\n".join([*lines, "]"])


def together(*migrations: str) -> str:
    """Several migrations, or one, with the imports that they need; "" where a name of the
    project's own, in a comment say, makes it no Python.
    """
    text = "\n\n".join(each for each in migrations if each)
    wanted: dict[str, list[str]] = {}
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for name, module in sorted(_IMPORTS.items()):
        if name in names:
            wanted.setdefault(module, []).append(name)
    imports = [f"from {module} import {', '.join(found)}" for module, found in wanted.items()]
    modules = sorted(_modules(text) - {"migrations", "models"})
    imports += [f"import {module}" for module in modules]
    return "\n".join(imports) + "\n\n" + text


_PLAIN = frozenset({"datetime", "decimal", "uuid", "functools", "collections"})
"""Modules of which attributes are classes and functions, in lower case as well."""


def _modules(text: str) -> set[str]:
    """Modules that dotted names of the source live in: "django.contrib.postgres.fields"."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        parts = _dotted(node) if isinstance(node, ast.Attribute) else []
        if len(parts) < 2 or parts[0] in ("migrations", "models"):
            continue
        modules = parts[:1] if parts[0] in _PLAIN else parts[:-1]
        while len(modules) > 1 and modules[-1][:1].isupper():
            modules.pop()
        if not modules[0][:1].isupper():
            found.add(".".join(modules))
    # `import a.b` brings a along; a.b.c of `a.b.c.d` is found when its own part is looked at.
    return {each for each in found if not any(o.startswith(f"{each}.") for o in found)}


def _dotted(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return [*inner, node.attr] if inner else []
    return [node.id] if isinstance(node, ast.Name) else []


# -- editing an operation -------------------------------------------------------------------


def parsed(code: str) -> ast.Call | None:
    """The call that a source is; None when it is none."""
    try:
        node = ast.parse(code.strip().rstrip(","), mode="eval").body
    except SyntaxError:
        return None
    return node if isinstance(node, ast.Call) else None


def argument(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """An argument by name, or by position where it has no name."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is not None and position < len(call.args):
        return call.args[position]
    return None


def text_of(call: ast.Call, name: str, position: int | None = None) -> str:
    """A text argument; "" when it is none."""
    value = argument(call, name, position)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def renamed(code: str, new: str) -> str:
    """The same call of another class: AddIndex → AddIndexConcurrently; "" when it is none."""
    call = parsed(code)
    if call is None:
        return ""
    call.func = ast.parse(new, mode="eval").body
    return ast.unparse(call)


def with_field(code: str, *, kind: str = "", drop: Iterable[str] = (), **options: str) -> str:
    """The same operation with another field.

    Args:
        code: Of an AddField or AlterField.
        kind: Another class of operation: "migrations.AddField".
        drop: Keywords of the field that go.
        **options: Keywords of the field that come, as source. `operation_name`: another name.
    """
    call = parsed(code)
    if call is None:
        return ""
    made = argument(call, "field", 2)
    if not isinstance(made, ast.Call):
        return ""
    name = options.pop("operation_name", "")
    _set(made, drop, options)
    if kind:
        call.func = ast.parse(kind, mode="eval").body
    if name:
        for keyword in call.keywords:
            if keyword.arg == "name":
                keyword.value = ast.Constant(name)
    call.keywords = [keyword for keyword in call.keywords if keyword.arg != "preserve_default"]
    return ast.unparse(call)


def field_with(code: str, **options: str) -> str:
    """A field with other keywords, as source; "" when it is none."""
    call = parsed(code)
    if call is None:
        return ""
    _set(call, (), options)
    return ast.unparse(call)


def _set(call: ast.Call, drop: Iterable[str], options: dict[str, str]) -> None:
    gone = {*drop, *options}
    call.keywords = [keyword for keyword in call.keywords if keyword.arg not in gone]
    call.keywords += [
        ast.keyword(name, ast.parse(source, mode="eval").body) for name, source in options.items()
    ]


def field_call(code: str) -> ast.Call | None:
    """The field of an AddField or AlterField."""
    call = parsed(code)
    made = argument(call, "field", 2) if call is not None else None
    return made if isinstance(made, ast.Call) else None


def constant_default(code: str) -> str:
    """A default that the database can have as well, as source; "" where there is none."""
    made = field_call(code)
    if made is None:
        return ""
    default = argument(made, "default")
    if default is None:
        blank = argument(made, "blank")
        textual = ast.unparse(made.func).endswith(("CharField", "TextField"))
        is_blank = isinstance(blank, ast.Constant) and blank.value is True
        return "''" if textual and is_blank else ""
    try:
        value = ast.literal_eval(default)
    except ValueError:
        dotted = ".".join(_dotted(default))
        if dotted.endswith("timezone.now"):
            return "django.db.models.functions.Now()"
        if (
            isinstance(default, ast.Call)
            and dotted == ""
            and _dotted(default.func)[-1:] == ["Decimal"]
        ):
            return ast.unparse(default)
        return ""
    return repr(value) if isinstance(value, str | int | float | bool) else ""


# -- SQL for what Django has no operation for -------------------------------------------------


def quoted(name: str) -> str:
    """A name as PostgreSQL and SQLite quote it; a key with a schema is two names."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split('"."'))


def listed(names: Sequence[str]) -> str:
    """Quoted names with commas."""
    return ", ".join(map(quoted, names))


def run_sql(sql: str, reverse: str = "") -> str:
    """A RunSQL with its way back."""
    back = repr(reverse) if reverse else "migrations.RunSQL.noop"
    return f"migrations.RunSQL({sql!r}, {back})"


def separate(database: Sequence[str], state: Sequence[str]) -> str:
    """A SeparateDatabaseAndState."""
    parts = ["migrations.SeparateDatabaseAndState("]
    for name, operations in (("database_operations", database), ("state_operations", state)):
        if operations:
            parts.append(f"    {name}=[")
            parts += [f"        {line}" for each in operations for line in f"{each},".splitlines()]
            parts.append("    ],")
    return "\n".join([*parts, ")"])
