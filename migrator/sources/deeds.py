"""What the function of a RunPython is seen to do, from its source, without running it.

Followed are the models that it asks `apps` for, what is called on their managers and querysets,
rows in loops, SQL that stands there as text, and the project's own functions that it calls.
Whatever else may write is not known; `Deeds.whole` says whether there is any of that.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import FunctionType, SimpleNamespace
from typing import Any

from django.db import connection as django_connection
from django.db import connections as django_connections

from migrator.core.ddl import Action, Delete, Insert, Update

_SAME = frozenset(
    {
        *("all", "using", "db_manager", "order_by", "select_related", "prefetch_related", "only"),
        *("defer", "iterator", "select_for_update", "annotate", "alias", "reverse"),
        *("get_queryset", "non_polymorphic", "_chain"),
    }
)
"""Methods of a queryset that pick no rows."""
_PICKING = frozenset({"distinct", "none", "dates", "difference", "intersection", "union", "extra"})
_ONE = frozenset({"first", "last", "get", "earliest", "latest", "create"})
_MANAGERS = frozenset({"objects", "_default_manager", "_base_manager", "all_objects"})
_COMPARED = {"": "=", "exact": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_ROW_LIKE = frozenset({"list", "tuple", "set", "reversed", "sorted", "enumerate", "tqdm", "iter"})
_BATCHED = frozenset({"pk", "id", "pk__in", "id__in"})
_WRITING = frozenset(
    {
        *("update", "delete", "save", "bulk_update", "bulk_create", "create", "get_or_create"),
        *("update_or_create", "clear", "set", "remove", "_raw_delete", "raw", "execute"),
        "executemany",
    }
)
"""Methods that write rows: on what is not known, rows of what is not known."""
_DEPTH = 4
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing: actions on rows, or SQL that stands in the code as text.

    Attributes:
        actions: What is done by models.
        sql: What is sent as it is; "" for none.
    """

    actions: tuple[Action, ...] = ()
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Deeds:
    """What a function does.

    Attributes:
        done: In the order of the source.
        whole: Whether that is all: no SQL that is put together, nothing of unknown code.
    """

    done: tuple[Deed, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class _Model:
    state: Any

    @property
    def table(self) -> str:
        options = self.state.options
        return str(options.get("db_table") or f"{self.state.app_label}_{self.state.name_lower}")

    def column(self, name: str) -> str:
        """The column of a field, or ""."""
        fields = self.state.fields
        if name == "pk":
            keys = [each for each, found in fields.items() if found.primary_key]
            name = keys[0] if keys else "id"
        found = fields.get(name)
        if found is None and name.endswith("_id"):
            name = name.removesuffix("_id")
            found = fields.get(name)
            found = found if found is not None and found.is_relation else None
        if found is None or found.many_to_many:
            return ""
        return str(found.db_column or (f"{name}_id" if found.is_relation else name))

    def through(self, name: str) -> str:
        """The table of an automatic many-to-many relation, or ""."""
        found = self.state.fields.get(name)
        if found is None or not found.many_to_many or found.remote_field.through is not None:
            return ""
        return str(found.db_table or f"{self.table}_{name}")


@dataclass(frozen=True, slots=True)
class _Table:
    """Of a many-to-many relation."""

    table: str

    def column(self, name: str) -> str:
        return "id" if name in ("id", "pk") else ""


@dataclass(frozen=True, slots=True)
class _Rows:
    """A manager or queryset. `conditions` are known; `more`: others that are not."""

    of: _Model | _Table
    conditions: tuple[str, ...] = ()
    more: bool = False
    batches: bool = False

    @property
    def filtered(self) -> bool:
        return bool(self.conditions) or self.more

    @property
    def condition(self) -> str:
        return "" if self.more else " AND ".join(self.conditions)


@dataclass(frozen=True, slots=True)
class _New:
    """A new value. `sql`: as SQL, "" where it is not known; `computed`: maybe from the old one."""

    sql: str = ""
    computed: bool = False


@dataclass(slots=True)
class _Row:
    """One row; what was assigned to it."""

    rows: _Rows
    one: bool = False
    assigned: dict[str, _New] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Relation:
    """`row.labels`."""

    row: _Row
    table: str


@dataclass(frozen=True, slots=True)
class _Mapping:
    """A dictionary that is spelled out, with texts as keys."""

    items: tuple[tuple[str, ast.expr], ...]


class _Thing:
    """What stands for itself: the app registry, the schema editor and what it hands out."""

    def __init__(self, name: str) -> None:
        self.name = name


_APPS, _EDITOR, _CONNECTION, _CURSOR = map(_Thing, ("apps", "editor", "connection", "cursor"))
_UNKNOWN = _Thing("unknown")


def deeds_of(
    code: Callable[..., Any] | None,
    models: Mapping[tuple[str, str], Any],
    vendor: str,
    quote: Callable[[str], str],
    *,
    harmless: bool,
) -> Deeds:
    """Read the function of a RunPython.

    Args:
        code: Its `code`, or `reverse_code`.
        models: Of the state before it, by (app, name in lower case).
        vendor: Of the database that it would run on: what is for others is left out.
        quote: Quotes a column's name.
        harmless: Whether it is known to leave the schema alone, whatever it calls.
    """
    reader = _Function(models, vendor, quote)
    reader.call(code, [_APPS, _EDITOR], {}, _DEPTH)
    return Deeds(tuple(reader.done), not reader.untraced and (harmless or not reader.strayed))


def may_lose_rows(code: Callable[..., Any] | None, vendor: str) -> bool:
    """Whether the function of a RunPython could lose what every row of a table holds, or sends SQL.

    For who has no state at hand: every model is taken to be there, with every field. What cannot
    be followed may lose anything.

    Args:
        code: Its `code`.
        vendor: Of the database that it would run on.
    """
    reader = _Function(_EveryModel(), vendor, str)
    reader.call(code, [_APPS, _EDITOR], {}, _DEPTH)
    if reader.untraced or reader.strayed:
        return True
    return any(deed.sql or any(map(_loses, deed.actions)) for deed in reader.done)


def _loses(action: Action) -> bool:
    match action:
        case Update(filtered=False, doubtful=False):
            return any(not computed for _, _, computed in action.changes)
        case Delete(filtered=False):
            return True
    return False


class _EveryField(dict[str, Any]):
    """The fields of a model that nobody has seen."""

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002
        return SimpleNamespace(
            primary_key=False, many_to_many=False, is_relation=False, db_column=None, name=name
        )


class _EveryModel(dict[tuple[str, str], Any]):
    """Models that nobody has seen."""

    def get(self, key: tuple[str, str], default: Any = None) -> Any:  # noqa: ARG002
        return SimpleNamespace(
            app_label=key[0], name_lower=key[1], options={}, fields=_EveryField()
        )


class _Leave(Exception):
    """The function returns here, in any case."""


class _Function:
    """Walks the statements of a function in order."""

    def __init__(
        self,
        models: Mapping[tuple[str, str], Any],
        vendor: str,
        quote: Callable[[str], str],
    ) -> None:
        self.models = models
        self.vendor = vendor
        self.quote = quote
        self.done: list[Deed] = []
        self.strayed = False
        self.untraced = False
        self.doubt = 0
        self.loops: list[set[str]] = []
        self.given: list[tuple[_Rows, str, _New]] = []
        self.names: dict[str, Any] = {}
        self.globals: dict[str, Any] = {}
        self.depth = 0

    # -- functions -----------------------------------------------------------------------

    def call(self, code: Any, args: list[Any], named: dict[str, Any], depth: int) -> None:
        """Read a function with these arguments."""
        if isinstance(code, functools.partial):
            args = [*code.args, *args]
            named = {**code.keywords, **named}
            code = code.func
        code = inspect.unwrap(code) if callable(code) else code
        definition = _definition(code) if isinstance(code, FunctionType) and depth else None
        if definition is None:
            self.strayed = True
            return
        before = self.names, self.globals, self.depth
        every = (*definition.args.posonlyargs, *definition.args.args, *definition.args.kwonlyargs)
        self.names = dict(zip((each.arg for each in every), args, strict=False)) | named
        self.globals, self.depth = code.__globals__, depth - 1
        try:
            if isinstance(definition, ast.Lambda):
                self.value(definition.body)
            else:
                self.body(definition.body)
        except _Leave:
            pass
        finally:
            self.names, self.globals, self.depth = before

    # -- statements -----------------------------------------------------------------------

    def body(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=value):
                self.value(value)
            case ast.Assign(targets=targets, value=value):
                found = self.value(value)
                for target in targets:
                    self.assign(target, found, value)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self.assign(target, self.value(value), value)
            case ast.AugAssign(target=target, value=value):
                self.value(value)
                self.assign(target, _UNKNOWN)
            case ast.If(test=test, body=body, orelse=other):
                self.branch(test, body, other)
            case ast.For(target=target, iter=each, body=body, orelse=other):
                self.loop(target, self.value(each), body, other)
            case ast.While(test=test, body=body, orelse=other):
                self.value(test)
                self.loop(None, None, body, other)
            case ast.With(items=items, body=body):
                for item in items:
                    found = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self.assign(item.optional_vars, found)
                self.body(body)
            case ast.Try(body=body, handlers=handlers, orelse=other, finalbody=last):
                self.body(body)
                for handler in handlers:
                    self.doubtful(handler.body)
                self.body(other)
                self.body(last)
            case ast.Return(value=value):
                if value is not None:
                    self.value(value)
                if not self.doubt and not self.loops:
                    raise _Leave
            case ast.Raise():
                if not self.doubt and not self.loops:
                    raise _Leave
            case ast.FunctionDef() | ast.ClassDef() | ast.Global() | ast.Nonlocal():
                self.strayed = self.strayed or not isinstance(node, ast.Global)
            case ast.Pass() | ast.Break() | ast.Continue() | ast.Import() | ast.ImportFrom():
                pass
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)

    def branch(self, test: ast.expr, body: list[ast.stmt], other: list[ast.stmt]) -> None:
        truth = self.vendor_is(test)
        if truth is None:
            self.value(test)
            self.doubtful(body)
            self.doubtful(other)
        else:
            self.body(body if truth else other)

    def doubtful(self, body: list[ast.stmt]) -> None:
        self.doubt += 1
        try:
            self.body(body)
        finally:
            self.doubt -= 1

    def loop(self, target: Any, each: Any, body: list[ast.stmt], other: list[ast.stmt]) -> None:
        bound = {
            name.id
            for part in [*body, *([target] if target is not None else [])]
            for name in ast.walk(part)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        }
        if target is not None:
            row = (
                _Row(each) if isinstance(each, _Rows) else each if isinstance(each, _Row) else None
            )
            self.assign(target, row or _UNKNOWN)
        self.loops.append(bound)
        try:
            self.body(body)
        finally:
            self.loops.pop()
        self.body(other)

    def assign(self, target: ast.expr, found: Any, value: ast.expr | None = None) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = found
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value)
            if isinstance(owner, _Row):
                self.give(owner, target.attr, value)
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self.assign(part, found if isinstance(found, _Row) else _UNKNOWN)

    def give(self, row: _Row, name: str, value: ast.expr | None) -> None:
        new = self.of_each(value)
        row.assigned[name] = new
        self.given.append((row.rows, name, replace(new, computed=True) if self.doubt else new))

    def of_each(self, value: ast.expr | None) -> _New:
        """What is assigned to a row: the same to each, or what code makes of it."""
        if value is None:
            return _New(computed=True)
        try:
            return _New(self.constant(ast.literal_eval(value)))
        except (ValueError, TypeError, SyntaxError):
            pass
        if not isinstance(value, ast.Name | ast.Attribute):
            return _New(computed=True)
        used = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
        return _New(computed=any(used & bound for bound in self.loops))

    def constant(self, value: Any) -> str:
        """As SQL; "" for what is not known to be written so."""
        return "NULL" if value is None else self.literal(value)

    # -- expressions ----------------------------------------------------------------------

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                if name not in self.names and self.globals.get(name) is django_connection:
                    return _CONNECTION
                return self.names.get(name, _UNKNOWN)
            case ast.Attribute():
                return self.attribute(node)
            case ast.Dict(keys=keys, values=values):
                for each in values:
                    self.value(each)
                told = [each.value for each in keys if isinstance(each, ast.Constant)]
                if len(told) < len(keys) or not all(isinstance(each, str) for each in told):
                    return _UNKNOWN
                return _Mapping(
                    tuple((str(name), one) for name, one in zip(told, values, strict=True))
                )
            case ast.Call():
                return self.called(node)
            case ast.Subscript(value=ast.Name(id=name)) if (
                name not in self.names and self.globals.get(name) is django_connections
            ):
                return _CONNECTION
            case ast.Subscript(value=inner, slice=at):
                found = self.value(inner)
                if isinstance(found, _Rows):
                    picked = replace(found, more=True)
                    return picked if isinstance(at, ast.Slice) else _Row(picked, one=True)
                return found if isinstance(found, _Row) else _UNKNOWN
            case (
                ast.ListComp(elt=elt, generators=[one])
                | ast.GeneratorExp(elt=elt, generators=[one])
            ):
                each = self.value(one.iter)
                if isinstance(each, _Rows | _Row):
                    row = _Row(each) if isinstance(each, _Rows) else each
                    self.assign(one.target, row)
                    same = isinstance(elt, ast.Name) and self.value(elt) is row
                    if same:
                        return replace(row.rows, more=True) if one.ifs else row.rows
                self.value(elt)
                return _UNKNOWN
            case ast.NamedExpr(target=target, value=value):
                found = self.value(value)
                self.assign(target, found)
                return found
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)
                return _UNKNOWN

    def attribute(self, node: ast.Attribute) -> Any:
        owner = self.value(node.value)
        name = node.attr
        if owner is _EDITOR and name == "connection":
            return _CONNECTION
        if isinstance(owner, _Model):
            if name in _MANAGERS:
                return _Rows(owner)
            if table := owner.through(name):
                return _Relation(_Row(_Rows(owner)), table)
            return _Rows(owner, more=True) if name.endswith("objects") else _UNKNOWN
        if isinstance(owner, _Relation) and name == "through":
            return _Table(owner.table)
        if isinstance(owner, _Table) and name in _MANAGERS:
            return _Rows(owner)
        if isinstance(owner, _Row) and isinstance(owner.rows.of, _Model):
            if table := owner.rows.of.through(name):
                return _Relation(owner, table)
            return self.referring(owner.rows.of, name)
        if owner is _CONNECTION and name == "vendor":
            return self.vendor
        return _UNKNOWN

    def referring(self, to: _Model, name: str) -> Any:
        """The rows that refer to a row: `category.item_set`."""
        for (app, model), state in self.models.items():
            for found in state.fields.values():
                if not found.is_relation or found.many_to_many:
                    continue
                related = str(getattr(found.remote_field, "related_name", None) or f"{model}_set")
                # A model that is named without its app is one of the same.
                target = str(found.remote_field.model).lower()
                target = target if "." in target else f"{app}.{target}"
                mine = f"{to.state.app_label}.{to.state.name_lower}"
                if related == name and target == mine:
                    return _Rows(_Model(state), more=True)
        return _UNKNOWN

    def called(self, node: ast.Call) -> Any:
        function = node.func
        if isinstance(function, ast.Attribute):
            owner = self.value(function.value)
            if owner is not _UNKNOWN and not isinstance(owner, str):
                return self.method(owner, function.attr, node)
            if function.attr in _WRITING:
                self.untraced = True
        args = [self.value(each) for each in node.args]
        named = {each.arg: self.value(each.value) for each in node.keywords if each.arg}
        if isinstance(function, ast.Name):
            if function.id in _ROW_LIKE and args:
                return args[0] if isinstance(args[0], _Rows | _Row) else _UNKNOWN
            if function.id == "setattr" and len(args) == 3 and isinstance(args[0], _Row):
                if isinstance(args[1], str):
                    self.give(args[0], args[1], node.args[2])
                else:
                    self.untraced = True
                return _UNKNOWN
            target = self.names.get(function.id, self.globals.get(function.id))
            held = [*args, *named.values()]
            matters = any(isinstance(each, _HOLDING) and each is not _UNKNOWN for each in held)
            if isinstance(target, _Model):
                return _Row(_Rows(target, more=True), one=True)
            if matters or (isinstance(target, FunctionType) and not _django(target)):
                self.call(target, args, named, self.depth)
        elif isinstance(function, ast.Attribute):
            held = [*args, *named.values()]
            if any(each in (_EDITOR, _CONNECTION, _CURSOR, _APPS) for each in held):
                self.strayed = True
        return _UNKNOWN

    def method(self, owner: Any, name: str, node: ast.Call) -> Any:
        if owner is _APPS:
            return self.model(node) if name == "get_model" else _UNKNOWN
        if isinstance(owner, _Model | _Table):
            named = [each.value for each in node.keywords]
            for each in (*node.args, *named):
                self.value(each)
            return _Row(_Rows(owner, more=True), one=True)
        if owner is _CONNECTION:
            return _CURSOR if name == "cursor" else _UNKNOWN
        if owner in (_CURSOR, _EDITOR):
            return self.sends(owner, name, node)
        if isinstance(owner, _Rows):
            return self.queryset(owner, name, node)
        if isinstance(owner, _Relation):
            if name in ("clear", "set", "remove"):
                some = owner.row.rows.filtered or owner.row.one or name != "clear" or self.doubt
                self.do(Delete(owner.table, filtered=bool(some), doubtful=bool(some)))
            elif name == "add":
                self.do(Insert(owner.table))
            return _UNKNOWN
        if isinstance(owner, _Row):
            for each in (*node.args, *(each.value for each in node.keywords)):
                self.value(each)
            self.of_row(owner, name, node)
        return _UNKNOWN

    def model(self, node: ast.Call) -> Any:
        told = [self.value(each) for each in node.args]
        told += [self.value(each.value) for each in node.keywords]
        if len(told) == 1 and isinstance(told[0], str) and "." in told[0]:
            told = told[0].split(".", 1)
        if len(told) < 2 or not all(isinstance(each, str) for each in told[:2]):
            return _UNKNOWN
        state = self.models.get((told[0], told[1].lower()))
        return _Model(state) if state is not None else _UNKNOWN

    def sends(self, owner: Any, name: str, node: ast.Call) -> Any:
        if owner is _CURSOR and name not in ("execute", "executemany", "callproc", "copy"):
            return _CURSOR if name == "__enter__" else _UNKNOWN
        if owner is _EDITOR and name in ("quote_name", "quote_value"):
            return _UNKNOWN
        if name == "executemany" and len(node.args) == 2:
            self.sends_many(node)
            return _UNKNOWN
        text = self.value(node.args[0]) if name == "execute" and node.args else None
        if not isinstance(text, str):
            self.strayed = True
            return _UNKNOWN
        given = node.args[1] if len(node.args) > 1 else None
        sql = _filled(text, given)
        if self.doubt and sql is not None and not _asks(sql):
            self.strayed = True  # whether it comes to that is not known
        if sql is None:
            self.strayed = True
        else:
            self.done.append(Deed(sql=sql))
        return _UNKNOWN

    def sends_many(self, node: ast.Call) -> None:
        """One statement with many rows of parameters, which have to be spelled out."""
        text = self.value(node.args[0])
        rows = node.args[1].elts if isinstance(node.args[1], ast.List | ast.Tuple) else []
        filled = [_filled(text, row) for row in rows] if isinstance(text, str) else []
        self.done += [Deed(sql=sql) for sql in filled if sql is not None]
        if self.doubt or not filled or None in filled:
            self.strayed = True

    # -- querysets ------------------------------------------------------------------------

    def queryset(self, rows: _Rows, name: str, node: ast.Call) -> Any:
        for each in node.args:
            if name not in ("filter", "exclude"):
                self.value(each)
        if name in ("filter", "exclude"):
            return self.picked(rows, node, negated=name == "exclude")
        if name in _SAME:
            return rows
        if name in ("values", "values_list"):
            return replace(rows, of=rows.of)
        if name in _PICKING:
            return replace(rows, more=True)
        if name in ("update", "delete", "_raw_delete"):
            columns = self.set_to(rows, node) if name == "update" else {}
            self.write(rows, columns, delete=name != "update")
            return _UNKNOWN
        if name == "bulk_update":
            self.bulk(rows, node)
            return _UNKNOWN
        if name in ("get_or_create", "update_or_create", "bulk_create", "create"):
            self.do(Insert(rows.of.table))
        if name == "update_or_create":
            self.update_or_create(rows, node)
        if name in ("get_or_create", "update_or_create"):
            return _Row(replace(rows, more=True), one=True)
        if name in _ONE:
            return _Row(self.picked(rows, node), one=True)
        if name == "raw":
            self.strayed = True
        return _UNKNOWN

    def update_or_create(self, rows: _Rows, node: ast.Call) -> None:
        """Overwrites the row that is there already, if there is one."""
        given = {each.arg: each for each in node.keywords}
        defaults = given.pop("defaults", None)
        for each in ("create_defaults", None):
            given.pop(each, None)
        told = self.value(defaults.value) if defaults is not None else None
        if not isinstance(told, _Mapping):
            return
        picking = ast.Call(func=node.func, args=[], keywords=list(given.values()))
        columns = {
            rows.of.column(name): self.expressed(rows, name, one)
            if not self.loops
            else self.of_each(one)
            for name, one in told.items
        }
        columns.pop("", None)
        picked = self.picked(rows, picking)
        if picked.condition:  # a seed that only code knows the key of says nothing of other rows
            self.write(picked, columns, delete=False)

    def picked(self, rows: _Rows, node: ast.Call, *, negated: bool = False) -> _Rows:
        found = rows
        if node.args:
            found = replace(found, more=True)
        spelled = [
            (keyword, self.lookup(rows, keyword) if keyword.arg else "")
            for keyword in node.keywords
        ]
        if negated:
            texts = [text for _, text in spelled]
            if not all(texts) or not texts or node.args:
                return replace(found, more=True)
            # As Django: what is NULL is not equal, and so not left out.
            condition = f"({' AND '.join(texts)}) IS NOT TRUE"
            return replace(found, conditions=(*found.conditions, condition))
        for keyword, text in spelled:
            if text:
                found = replace(found, conditions=(*found.conditions, text))
            elif self.batched(keyword):
                found = replace(found, batches=True)
            else:
                found = replace(found, more=True)
        return found

    def batched(self, keyword: ast.keyword) -> bool:
        """Whether a loop goes over the keys, part by part."""
        name, _, lookup = (keyword.arg or "").partition("__")
        if name not in ("pk", "id") or lookup not in ("in", "gt", "gte", "lt", "lte", "range"):
            return False
        used = {each.id for each in ast.walk(keyword.value) if isinstance(each, ast.Name)}
        return any(used & bound for bound in self.loops)

    def lookup(self, rows: _Rows, keyword: ast.keyword) -> str:
        """A condition as SQL; "" where it is not a plain comparison with a constant."""
        name, _, kind = (keyword.arg or "").partition("__")
        column = rows.of.column(name)
        try:
            value = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError):
            return ""
        if not column:
            return ""
        quoted = self.quote(column)
        if kind == "isnull" and isinstance(value, bool):
            return f"{quoted} IS {'' if value else 'NOT '}NULL"
        if value is None:
            return f"{quoted} IS NULL" if kind in ("", "exact") else ""
        if kind == "in" and isinstance(value, list | tuple | set) and value:
            texts = [self.literal(each) for each in value]
            return f"{quoted} IN ({', '.join(texts)})" if all(texts) else ""
        text = self.literal(value)
        return f"{quoted} {_COMPARED[kind]} {text}" if text and kind in _COMPARED else ""

    def literal(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).upper() if self.vendor == "postgresql" else str(int(value))
        if isinstance(value, int):
            return str(value)
        if isinstance(value, str) and "\\" not in value and "%" not in value:
            return "'" + value.replace("'", "''") + "'"
        return ""

    def set_to(self, rows: _Rows, node: ast.Call) -> dict[str, _New]:
        """What an update sets its columns to, without those whose NULLs are filled."""
        found: dict[str, _New] = {}
        for keyword in node.keywords:
            told = self.value(keyword.value)
            if keyword.arg is None:
                if isinstance(told, _Mapping):
                    found |= {name: self.expressed(rows, name, one) for name, one in told.items}
                else:
                    self.untraced = True  # columns that are not known
            elif not _fills(keyword):
                found[keyword.arg] = self.expressed(rows, keyword.arg, keyword.value)
        columns = {rows.of.column(name): new for name, new in found.items()}
        return {column: new for column, new in columns.items() if column}

    def expressed(self, rows: _Rows, name: str, value: ast.expr) -> _New:
        """A new value of an update: a constant, or an expression of the database."""
        try:
            return _New(self.constant(ast.literal_eval(value)))
        except (ValueError, TypeError, SyntaxError):
            pass
        column = rows.of.column(name)
        named = {
            str(each.value if isinstance(each, ast.Constant) else each.arg).partition("__")[0]
            for each in ast.walk(value)
            if (isinstance(each, ast.Constant) and isinstance(each.value, str))
            or (isinstance(each, ast.keyword) and each.arg)
        }
        own = any(rows.of.column(each) == column for each in named) if column else False
        return _New(self.as_sql(rows, value), computed=own)

    def as_sql(self, rows: _Rows, value: ast.expr) -> str:
        """An expression of Django's as SQL; "" for any that is more than plain."""
        match value:
            case ast.Call(func=function, args=args, keywords=[]):
                name = function.attr if isinstance(function, ast.Attribute) else ""
                name = function.id if isinstance(function, ast.Name) else name
            case ast.BinOp(left=left, op=operator, right=right):
                sign = _SIGNS.get(type(operator), "")
                parts = [self.as_sql(rows, left), self.as_sql(rows, right)]
                return f"({parts[0]} {sign} {parts[1]})" if sign and all(parts) else ""
            case ast.Constant(value=constant) if not isinstance(constant, str):
                return self.constant(constant)
            case _:
                return ""
        if name == "Value" and len(args) == 1 and isinstance(args[0], ast.Constant):
            return self.constant(args[0].value)
        parts = []
        for each in args:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                column = rows.of.column(each.value)
                parts.append(self.quote(column) if column else "")
            else:
                parts.append(self.as_sql(rows, each))
        if name == "F":
            return parts[0] if parts else ""
        known = name in ("Lower", "Upper", "Trim", "Coalesce", "Length", "Abs")
        return f"{name}({', '.join(parts)})" if known and parts and all(parts) else ""

    def bulk(self, rows: _Rows, node: ast.Call) -> None:
        told = [self.value(each) for each in node.args]
        of = next((each for each in told if isinstance(each, _Rows)), replace(rows, more=True))
        fields: Any = ()
        for each in (*node.args[1:2], *(k.value for k in node.keywords if k.arg == "fields")):
            try:
                fields = ast.literal_eval(each)
            except (ValueError, TypeError, SyntaxError):
                fields = ()
        columns = {of.of.column(str(name)): self.given_to(of, str(name)) for name in fields}
        columns.pop("", None)
        self.write(of, columns, delete=False)

    def given_to(self, rows: _Rows, name: str) -> _New:
        """What a loop before has assigned to a field of these rows."""
        found = [new for each, field_name, new in self.given if each is rows and field_name == name]
        same = len(found) == 1 and not found[0].computed
        return found[0] if same else _New(computed=True)

    def of_row(self, row: _Row, name: str, node: ast.Call) -> None:
        if name == "delete":
            self.write(row.rows, {}, delete=True, one=row.one)
        elif name in ("save", "save_base"):
            fields: Any = tuple(row.assigned)
            for keyword in node.keywords:
                if keyword.arg == "update_fields":
                    try:
                        fields = ast.literal_eval(keyword.value)
                    except (ValueError, TypeError, SyntaxError):
                        fields = tuple(row.assigned)
            unknown = _New(computed=True)
            columns = {
                row.rows.of.column(str(each)): row.assigned.get(str(each), unknown)
                for each in fields or ()
            }
            columns.pop("", None)
            self.write(row.rows, columns, delete=False, one=row.one)

    def write(
        self, rows: _Rows, columns: Mapping[str, _New], *, delete: bool, one: bool = False
    ) -> None:
        unknown = rows.more or one
        doubtful = bool(self.doubt) or unknown or (rows.batches and delete)
        # What a loop does part by part comes to all rows in the end.
        filtered = bool(rows.conditions) or unknown or (doubtful and not rows.batches)
        condition = "" if unknown else " AND ".join(rows.conditions)
        batched = rows.batches or bool(self.loops)
        table = rows.of.table
        if delete:
            self.do(Delete(table, filtered or doubtful, condition, doubtful, batched))
        else:
            self.do(
                Update(
                    table,
                    filtered,
                    tuple(columns),
                    condition,
                    doubtful,
                    batched,
                    tuple(new.sql for new in columns.values()),
                    tuple(column for column, new in columns.items() if new.computed),
                )
            )

    def do(self, action: Action) -> None:
        self.done.append(Deed((action,)))

    # -- conditions -----------------------------------------------------------------------

    def vendor_is(self, test: ast.expr) -> bool | None:
        """Whether a condition about the vendor is true; None for any other."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                truth = self.vendor_is(inner)
                return None if truth is None else not truth
            case ast.Compare(left=left, ops=[how], comparators=[right]):
                if self.value(left) is not self.vendor or not _is_vendor(left):
                    return None
                try:
                    other = ast.literal_eval(right)
                except (ValueError, TypeError, SyntaxError):
                    return None
                match how:
                    case ast.Eq():
                        return bool(self.vendor == other)
                    case ast.NotEq():
                        return bool(self.vendor != other)
                    case ast.In():
                        return self.vendor in other
                    case ast.NotIn():
                        return self.vendor not in other
        return None


_HOLDING = (_Thing, _Model, _Table, _Rows, _Row, _Relation)


def _is_vendor(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and node.attr == "vendor")


def _django(function: FunctionType) -> bool:
    return str(function.__module__).split(".")[0] == "django"


def _fills(keyword: ast.keyword) -> bool:
    """Whether it is `column=Coalesce("column", …)`."""
    match keyword.value:
        case ast.Call(
            func=ast.Name(id="Coalesce") | ast.Attribute(attr="Coalesce"), args=[one, *_]
        ):
            if isinstance(one, ast.Call) and one.args:
                one = one.args[0]
            return isinstance(one, ast.Constant) and one.value == keyword.arg
    return False


def _filled(sql: str, given: ast.expr | None) -> str | None:
    """SQL with its parameters; None where those are not known, and it is more than a question."""
    if given is None:
        return sql
    try:
        values = ast.literal_eval(given)
    except (ValueError, TypeError, SyntaxError):
        return sql.replace("%s", "NULL") if _asks(sql) else None
    texts = [
        "'" + str(each).replace("'", "''") + "'" if isinstance(each, str) else str(each)
        for each in values
    ]
    if sql.count("%s") != len(texts):
        return None
    for text in texts:
        sql = sql.replace("%s", "NULL" if text == "None" else text, 1)
    return sql.replace("%%", "%")


def _asks(sql: str) -> bool:
    return sql.lstrip("( \n\t").partition(" ")[0].partition("\n")[0].lower() in ("select", "show")


def _definition(code: FunctionType) -> ast.FunctionDef | ast.Lambda | None:
    """The definition of a function, or of the only lambda of its line."""
    try:
        text = "".join(linecache.getlines(code.__code__.co_filename))
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    line = code.__code__.co_firstlineno
    found: list[ast.FunctionDef | ast.Lambda] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == code.__name__:
            lines = [node.lineno, *(each.lineno for each in node.decorator_list)]
            if line in lines:
                found.append(node)
        elif isinstance(node, ast.Lambda) and code.__name__ == "<lambda>" and node.lineno == line:
            found.append(node)
    return found[0] if len(found) == 1 else None
