"""PostgreSQL's SQL as actions, read with PostgreSQL's own grammar (libpg_query).

Loaded on demand by `sources.ddl`: the grammar is only paid for by who has SQL to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import postgast
from google.protobuf.message import DecodeError
from postgast import pg_query_pb2 as pb

from migrator.core.ddl import (
    Action,
    CreateDomain,
    CreateIndex,
    CreateTable,
    CreateView,
    Delete,
    DropIndex,
    DropObject,
    DropTable,
    Harmless,
    Insert,
    Opaque,
    Query,
    Reindex,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
    RestartSequence,
    TableMaintenance,
    Truncate,
    Update,
)
from migrator.core.schema import split_key, table_key
from migrator.sources.assigned import Assigned, read_assigned, repeatable
from migrator.sources.ddl_postgresql_alter import read_clause, read_references
from migrator.sources.ddl_postgresql_nodes import (
    Node,
    calls_unknown,
    expression_text,
    inner,
    key_of_names,
    kind_of,
    named,
    picking_text,
    strings,
    table_of,
    type_text,
    walk,
)

_UNREADABLE = (postgast.PgQueryError, DecodeError, RecursionError, UnicodeError)

_TABLES = {"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE", "OBJECT_MATVIEW"}
_ON_TABLE = {"OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"}

_UNKNOWN = Opaque("")
"""Stands for the whole statement, which `read` puts in its place."""

_OPAQUE = {
    "call_stmt", "execute_stmt", "prepare_stmt", "copy_stmt", "load_stmt",
    "alter_table_move_all_stmt", "import_foreign_schema_stmt", "declare_cursor_stmt",
    "fetch_stmt", "reassign_owned_stmt", "alter_system_stmt",
}  # fmt: skip
_LOCK_MODES = (
    "", "access share", "row share", "row exclusive", "share update exclusive", "share",
    "share row exclusive", "exclusive", "access exclusive",
)  # fmt: skip


def split(sql: str) -> tuple[str, ...]:
    """Each statement of a text, without its semicolon; comments alone are none."""
    if "\0" in sql:  # the grammar's C strings end there
        return (sql,)
    try:
        return tuple(part.strip() for part in postgast.split(sql) if part.strip())
    except _UNREADABLE:
        pass
    try:  # One that does not parse must not take the others with it.
        return tuple(_cut(sql.encode()))
    except _UNREADABLE:
        return (sql.strip(),)


def _cut(sql: bytes) -> Iterator[str]:
    start = end = depth = 0
    for token in postgast.scan(sql.decode()).tokens:
        if token.token in {pb.SQL_COMMENT, pb.C_COMMENT}:
            continue
        depth += {pb.ASCII_40: 1, pb.ASCII_41: -1}.get(token.token, 0)
        if token.token == pb.ASCII_59 and depth <= 0:
            if start < end:
                yield sql[start:end].decode()
            start = end = token.end
            depth = 0
        else:
            start = start if start < end else token.start
            end = token.end
    if start < end:
        yield sql[start:end].decode()


def read(statement: str) -> tuple[Action, ...]:
    """The actions of one statement.

    Args:
        statement: As `split` gives them.
    """
    if "\0" in statement:
        return (Opaque(statement),)
    try:
        tree = postgast.parse(statement)
    except _UNREADABLE:
        return (Opaque(statement),)
    found = (action for raw in tree.stmts for action in _read(raw.stmt))
    return tuple(Opaque(statement) if action is _UNKNOWN else action for action in found)


def _read(node: Node) -> Iterator[Action]:
    kind = kind_of(node)
    reader = _READERS.get(kind)
    if reader is not None:
        yield from reader(inner(node))
    elif kind in _OPAQUE or not kind.endswith("_stmt"):
        yield _UNKNOWN
    else:  # roles, extensions, functions, types, sequences, views, SET, …: no table waits
        yield Harmless(kind.removesuffix("_stmt").replace("_", " "))


def _create_table(node: Node) -> Iterator[Action]:
    table = table_of(node.relation)
    yield CreateTable(
        table,
        references=read_references(node.table_elts),
        temporary=node.relation.relpersistence == "t",
        if_not_exists=node.if_not_exists,
    )
    what = "create partition" if node.HasField("partbound") else "create child"
    for parent in node.inh_relations:
        yield TableMaintenance(table_of(parent.range_var), what, table)


def _create_table_as(node: Node) -> Iterator[Action]:
    if node.objtype == pb.OBJECT_MATVIEW:
        yield CreateView("create materialized view", table_of(node.into.rel))
    else:
        relation = node.into.rel
        yield CreateTable(
            table_of(relation),
            temporary=relation.relpersistence == "t",
            if_not_exists=node.if_not_exists,
            as_query=True,
        )
    yield from _written(node)
    if calls_unknown(node):
        yield _UNKNOWN


def _alter_sequence(node: Node) -> Iterator[Action]:
    if any(option.def_elem.defname == "restart" for option in node.options):
        yield RestartSequence("alter seq", table_of(node.sequence))
    else:
        yield Harmless("alter seq")


def _create_view(node: Node) -> Iterator[Action]:
    yield CreateView("view", table_of(node.view))


def _create_domain(node: Node) -> Iterator[Action]:
    """Spelled as `inspect` finds one that is there."""
    parts = [type_text(node.type_name)]
    for each in node.constraints:
        if each.constraint.contype == pb.CONSTR_NOTNULL:
            parts.append("NOT NULL")
        elif each.constraint.contype == pb.CONSTR_CHECK:
            parts.append(f"CHECK ({expression_text(each.constraint.raw_expr)})")
    yield CreateDomain("create domain", ".".join(strings(node.domainname)), " ".join(parts))


def _set(node: Node) -> Iterator[Action]:
    strays = node.name == "search_path"
    yield Harmless("set search path" if strays else "variable set")


def _select(node: Node) -> Iterator[Action]:
    if "search_path" in {each.sval for each in named(node, "String")}:
        yield Harmless("set search path")  # set_config('search_path', …)
    if calls_unknown(node):
        yield _UNKNOWN
        return
    written = list(_written(node))
    for into in named(node, "IntoClause"):
        temporary = into.rel.relpersistence == "t"
        written.append(CreateTable(table_of(into.rel), temporary=temporary, as_query=True))
    yield from written or [_query(node)]


def _query(select: Node) -> Action:
    """What a SELECT reads; nothing to wait for where it is told how many rows it wants."""
    if select.HasField("limit_count"):
        return Harmless("select")
    conditions = [each.where_clause for each in named(select, "SelectStmt")]
    conditions += [select.where_clause]
    extremes = _extremes(select)
    columns = [
        reference.fields[-1].string.sval
        for each in (*conditions, *extremes)
        for reference in named(each, "ColumnRef")
    ]
    return Query("select", _sources_of(select), tuple(dict.fromkeys(columns)))


def _extremes(select: Node) -> list[Node]:
    """The calls of min() and max(), where nothing else is asked of the rows: an index answers
    `SELECT max(id)` in one step, not so `SELECT max(id), count(*)`.
    """
    calls = list(named(select, "FuncCall"))
    found = [call for call in calls if strings(call.funcname)[-1] in ("min", "max")]
    refs = [sum(1 for _ in named(each, "ColumnRef")) for each in found]
    asked = sum(1 for each in select.target_list for _ in named(each, "ColumnRef"))
    counted = any(call.agg_star for call in calls)
    return found if not counted and not select.group_clause and sum(refs) >= asked else []


def _written(message: Node) -> Iterator[Action]:
    """What a statement writes, in WITH and below EXPLAIN as well."""
    for found in walk(message):
        kind = found.DESCRIPTOR.name
        if kind == "InsertStmt":
            yield Insert(table_of(found.relation), sources=_sources(found))
            clause = found.on_conflict_clause
            if clause.action == pb.ONCONFLICT_UPDATE:
                table = table_of(found.relation)
                columns = tuple(target.name for target in _overwriting(clause.target_list))
                yield Update(table, filtered=True, columns=columns, doubtful=True)
        elif kind == "UpdateStmt":
            yield _update(found)
        elif kind == "DeleteStmt":
            yield Delete(table_of(found.relation), _filtered(found), _condition(found))
        elif kind == "MergeStmt":
            yield from _merged(found)


def _condition(node: Node) -> str:
    """Which rows an UPDATE or DELETE picks."""
    others = getattr(node, "from_clause", ()) or getattr(node, "using_clause", ())
    if node.HasField("with_clause") or any(True for _ in named(node, "CurrentOfExpr")):
        return ""
    if others or node.relation.HasField("alias"):
        return picking_text(node, others)
    return expression_text(node.where_clause)


def _update(node: Node) -> Update:
    relation = node.relation
    targets = _overwriting(node.target_list)
    alone = not node.from_clause and not relation.HasField("alias")
    # A name without a table that is that of a column which is set: of no other table, or ambiguous.
    selves = frozenset({relation.relname.lower(), relation.alias.aliasname.lower()}) - {""}
    texts = [expression_text(target.val) for target in targets]
    found = [read_assigned(text, "postgresql", selves) if text else Assigned() for text in texts]
    columns = tuple(target.name for target in targets)
    every = [target.res_target.name for target in node.target_list]
    values = [
        repeatable(text, each, column, every) if alone else ""
        for text, each, column in zip(texts, found, columns, strict=True)
    ]
    computed = (
        column
        for column, each in zip(columns, found, strict=True)
        if column.lower() in each.columns
    )
    return Update(
        table_of(relation),
        _filtered(node),
        columns,
        _condition(node),
        values=tuple(values),
        computed=tuple(computed),
    )


def _overwriting(targets: Sequence[Node]) -> list[Node]:
    """What is set, without the columns that only have their NULLs filled."""
    found = (target.res_target for target in targets)
    return [target for target in found if not _fills_nulls(target)]


def _fills_nulls(target: Node) -> bool:
    """Whether it is `column = COALESCE(column, …)`."""
    if kind_of(target.val) != "coalesce_expr":
        return False
    first = target.val.coalesce_expr.args[0]
    names = [each.string.sval for each in first.column_ref.fields]
    return bool(names) and names[-1] == target.name


def _merged(node: Node) -> Iterator[Action]:
    table = table_of(node.relation)
    for clause in node.merge_when_clauses:
        command = clause.merge_when_clause.command_type
        if command == pb.CMD_INSERT:
            yield Insert(table)
        elif command == pb.CMD_UPDATE:
            columns = (each.name for each in _overwriting(clause.merge_when_clause.target_list))
            yield Update(table, filtered=True, columns=tuple(columns), doubtful=True)
        elif command == pb.CMD_DELETE:
            yield Delete(table, filtered=True)


def _dml(node: Node) -> Iterator[Action]:
    yield from _written(node)


def _sources(insert: Node) -> tuple[str, ...]:
    return _sources_of(insert.select_stmt)


def _sources_of(select: Node) -> tuple[str, ...]:
    relations = named(select, "RangeVar")
    return tuple(dict.fromkeys(table_of(relation) for relation in relations))


def _filtered(node: Node) -> bool:
    """WHERE TRUE and WHERE 1 = 1 are no filter: a condition speaks of a column or of a query."""
    if not node.HasField("where_clause"):
        return False
    return any(
        found.DESCRIPTOR.name in {"ColumnRef", "SubLink", "CurrentOfExpr", "ParamRef"}
        for found in walk(node.where_clause)
    )


def _drop(node: Node) -> Iterator[Action]:
    kind = pb.ObjectType.Name(node.remove_type)
    cascade = node.behavior == pb.DROP_CASCADE
    for item in node.objects:
        names = _names(item)
        if kind in {"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"}:
            yield DropTable(key_of_names(names), cascade=cascade)
        elif kind == "OBJECT_INDEX":
            yield DropIndex(key_of_names(names), concurrently=node.concurrent)
        elif kind in _ON_TABLE:
            table = key_of_names(names[:-1])
            yield DropObject(_word(kind), names[-1], table=table, cascade=cascade)
        else:
            yield DropObject(_word(kind), key_of_names(names) if names else "", cascade=cascade)


def _names(item: Node) -> list[str]:
    kind = kind_of(item)
    if kind == "list":
        return [node.string.sval for node in item.list.items if kind_of(node) == "string"]
    if kind == "string":
        return [item.string.sval]
    if kind == "object_with_args":
        return strings(item.object_with_args.objname)
    if kind == "type_name":
        return [type_text(item.type_name)]
    return []


def _drop_database(node: Node) -> Iterator[Action]:
    yield DropObject("database", node.dbname)


def _drop_owned(node: Node) -> Iterator[Action]:
    yield DropObject("owned", "", cascade=node.behavior == pb.DROP_CASCADE)


def _word(kind: str) -> str:
    words = {"OBJECT_MATVIEW": "materialized view", "OBJECT_STATISTIC_EXT": "statistics"}
    return words.get(kind) or kind.removeprefix("OBJECT_").lower().replace("_", " ")


def _rename(node: Node) -> Iterator[Action]:
    kind = pb.ObjectType.Name(node.rename_type)
    key = table_of(node.relation)
    schema, _ = split_key(key)
    if kind in {"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE", "OBJECT_MATVIEW"}:
        yield RenameTable(key, table_key(schema, node.newname))
    elif kind == "OBJECT_COLUMN" and pb.ObjectType.Name(node.relation_type) in _TABLES:
        yield RenameColumn(key, node.subname, node.newname)
    elif kind == "OBJECT_INDEX":
        yield RenameIndex(key, table_key(schema, node.newname))
    elif kind == "OBJECT_TABCONSTRAINT":
        yield RenameConstraint(key, node.subname, node.newname)
    elif kind in _ON_TABLE:
        yield TableMaintenance(key, f"rename {_word(kind)}")
    else:
        yield Harmless(f"rename {_word(kind)}")  # of a schema, too


def _index(node: Node) -> Iterator[Action]:
    elements = [param.index_elem for param in node.index_params]
    computed = any(not each.name for each in elements)
    yield CreateIndex(
        table_of(node.relation),
        expressions=tuple(
            expression_text(each.expr)
            if not each.name
            else '"' + each.name.replace('"', '""') + '"'
            for each in elements
        )
        if computed
        else (),
        name=node.idxname,
        columns=tuple(param.index_elem.name for param in node.index_params),
        unique=node.unique,
        concurrently=node.concurrent,
        if_not_exists=node.if_not_exists,
        condition=(expression_text(node.where_clause) if node.HasField("where_clause") else ""),
        only=not node.relation.inh,
        nulls_equal=node.nulls_not_distinct,
    )


def _alter(node: Node) -> Iterator[Action]:
    kind = pb.ObjectType.Name(node.objtype)
    if kind not in _TABLES:  # an index, a view, a sequence, a type
        yield Harmless(f"alter {_word(kind)}")
        return
    table = table_of(node.relation)
    for command in node.cmds:
        yield from read_clause(table, command.alter_table_cmd)


def _set_schema(node: Node) -> Iterator[Action]:
    kind = pb.ObjectType.Name(node.object_type)
    if kind in _TABLES:
        key = table_of(node.relation)
        yield RenameTable(key, table_key(node.newschema, split_key(key)[1]))
    else:
        yield Harmless(f"alter {_word(kind)}")


def _truncate(node: Node) -> Iterator[Action]:
    tables = tuple(table_of(relation.range_var) for relation in node.relations)
    yield Truncate(tables, cascade=node.behavior == pb.DROP_CASCADE)


def _comment(node: Node) -> Iterator[Action]:
    kind = pb.ObjectType.Name(node.objtype)
    names = _names(node.object)
    if kind == "OBJECT_TABLE":
        yield TableMaintenance(key_of_names(names), "comment")
    elif kind == "OBJECT_COLUMN" and len(names) > 1:
        yield TableMaintenance(key_of_names(names[:-1]), "comment")
    else:
        yield Harmless("comment")


def _reindex(node: Node) -> Iterator[Action]:
    options = {param.def_elem.defname for param in node.params}
    concurrently = "concurrently" in options
    kind = pb.ReindexObjectType.Name(node.kind)
    if kind == "REINDEX_OBJECT_TABLE":
        yield Reindex(table_of(node.relation), concurrently=concurrently)
    elif kind == "REINDEX_OBJECT_INDEX":
        yield Reindex(name=table_of(node.relation), concurrently=concurrently)
    else:
        yield Reindex(name=node.name, concurrently=concurrently)


def _vacuum(node: Node) -> Iterator[Action]:
    options = {option.def_elem.defname for option in node.options}
    word = "vacuum" if node.is_vacuumcmd else "analyze"
    what = "vacuum full" if "full" in options else word
    tables = [table_of(found.vacuum_relation.relation) for found in node.rels]
    for table in tables or [""]:
        yield TableMaintenance(table, what)


def _cluster(node: Node) -> Iterator[Action]:
    yield TableMaintenance(table_of(node.relation), "cluster")


def _on_relation(what: str) -> Callable[[Node], Iterator[Action]]:
    def read_relation(node: Node) -> Iterator[Action]:
        relation = node.table if node.DESCRIPTOR.fields_by_name.get("table") else node.relation
        yield TableMaintenance(table_of(relation), what)

    return read_relation


def _refresh(node: Node) -> Iterator[Action]:
    what = "refresh materialized view"
    yield TableMaintenance(table_of(node.relation), what + " concurrently" * node.concurrent)


def _statistics(node: Node) -> Iterator[Action]:
    for relation in node.relations:
        yield TableMaintenance(table_of(relation.range_var), "create statistics")


def _lock(node: Node) -> Iterator[Action]:
    for relation in node.relations:
        yield TableMaintenance(table_of(relation.range_var), f"lock {_LOCK_MODES[node.mode]}")


_CONCERNS_TABLES = re.compile(
    r"\b(alter|drop|update|delete|insert|truncate|merge|copy|lock|reindex|cluster|vacuum|refresh"
    r"|execute|perform|call|select\s+into|import|create\s+(?!type|extension|role|user|collation"
    r"|(or\s+replace\s+)?function|domain|schema|sequence|text))\b",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)


def _do(node: Node) -> Iterator[Action]:
    """A block that only makes types, roles and the like, whatever it asks before."""
    bodies = [each.sval for each in named(node, "String")]
    if any(_CONCERNS_TABLES.search(_COMMENT.sub(" ", body)) for body in bodies):
        yield _UNKNOWN
    else:
        yield Harmless("do")


def _domain(node: Node) -> Iterator[Action]:
    name = key_of_names(strings(node.type_name))
    definition = getattr(node, "def")
    reads = {"C": not definition.constraint.skip_validation, "O": True, "V": True}
    if reads.get(node.subtype, False):
        yield TableMaintenance("", "validate domain", name)
    else:
        yield Harmless("alter domain")


def _explain(node: Node) -> Iterator[Action]:
    if any(option.def_elem.defname == "analyze" for option in node.options):
        yield from _read(node.query)
    else:
        yield Harmless("explain")


def _schema(node: Node) -> Iterator[Action]:
    yield Harmless("create schema")
    for element in node.schema_elts:
        yield from _read(element)


_READERS: dict[str, Callable[[Node], Iterator[Action]]] = {
    "create_stmt": _create_table,
    "create_table_as_stmt": _create_table_as,
    "select_stmt": _select,
    "insert_stmt": _dml,
    "update_stmt": _dml,
    "delete_stmt": _dml,
    "merge_stmt": _dml,
    "drop_stmt": _drop,
    "dropdb_stmt": _drop_database,
    "drop_owned_stmt": _drop_owned,
    "rename_stmt": _rename,
    "index_stmt": _index,
    "alter_table_stmt": _alter,
    "alter_object_schema_stmt": _set_schema,
    "truncate_stmt": _truncate,
    "comment_stmt": _comment,
    "reindex_stmt": _reindex,
    "vacuum_stmt": _vacuum,
    "cluster_stmt": _cluster,
    "create_trig_stmt": _on_relation("create trigger"),
    "create_policy_stmt": _on_relation("create policy"),
    "alter_policy_stmt": _on_relation("create policy"),
    "rule_stmt": _on_relation("create rule"),
    "refresh_mat_view_stmt": _refresh,
    "view_stmt": _create_view,
    "create_domain_stmt": _create_domain,
    "alter_seq_stmt": _alter_sequence,
    "variable_set_stmt": _set,
    "create_stats_stmt": _statistics,
    "do_stmt": _do,
    "lock_stmt": _lock,
    "alter_domain_stmt": _domain,
    "explain_stmt": _explain,
    "create_schema_stmt": _schema,
}
