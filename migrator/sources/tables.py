"""A table as Django would make it for one model class, as data.

Left out in this version, since state cannot spell it as the server would: the text of
expressions. A default, generated column, check, condition, index expression or exclusion is
stated as being there, with `UNSTATED` (or "", where the comparison takes that for unknown) in
place of its text. A check that a field brings along (`>= 0` of the positive integers, JSON
validity) is stated by its column alone. An id that no migration mentions (of automatic
many-to-many tables above all) has no type: DEFAULT_AUTO_FIELD may have changed since. Comments
and tablespaces are not stated at all. Names of constraints are Django's where Django gives them;
those that the server would make up are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.constraints import BaseConstraint, Deferrable, UniqueConstraint
from django.db.models.expressions import OrderBy
from django.db.models.functions import Collate

from migrator.backends import backend_for
from migrator.core.schema import (
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Index,
    IndexKey,
    PrimaryKey,
    Table,
    Unique,
    split_key,
    table_key,
)
from migrator.sources.rendering import is_implicit

UNSTATED = "…"
"""An expression that is there, and whose text is not known."""

_AUTO_SUFFIXES = {"postgresql": "by default", "mysql": "auto_increment", "sqlite": "rowid"}
_AUTO_TYPES = frozenset({"AutoField", "BigAutoField", "SmallAutoField"})
_PATTERN_OPS = {"varchar": "varchar_pattern_ops", "text": "text_pattern_ops"}
_LIMIT_BYTES = {"postgresql": 63}


class TableBuilder:
    """Turns model classes into tables for one database; asks the database nothing.

    On MySQL and MariaDB, Django's own features ask the server once per connection which of the
    two it is.
    """

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        link: Callable[[Any, type[models.Model]], Any | None],
    ) -> None:
        """Remember where types come from.

        Args:
            connection: Of the database concerned.
            link: Resolves a foreign key and returns the field that it refers to, or None when
                there is no such model in the state.
        """
        self.connection = connection
        self.vendor = connection.vendor
        self._backend = backend_for(connection.vendor)
        self._editor: Any = connection.schema_editor(collect_sql=True)  # for names alone
        self._link = link
        self._types: dict[str, str] = {}

    def build(self, model: type[models.Model], state_options: dict[str, Any]) -> Table:
        """The table of a model.

        Args:
            model: A class rendered from state.
            state_options: Its options in the state, for `index_together`.
        """
        opts = model._meta
        schema, name = split_key(opts.db_table)
        columns: list[Column] = []
        foreign_keys: list[ForeignKey] = []
        uniques: list[Unique] = []
        indexes: list[Index] = []
        checks: list[Check] = []
        fields: list[Any] = list(opts.local_fields)
        for field in fields:
            if is_foreign_key(field):
                target = self._link(field, model)
                if target is None:
                    # There is no such model in the state: the type cannot be known.
                    columns.append(Column(self._cut(field.column), "", field.null))
                    continue
                if field.db_constraint and self._supports_foreign_keys:
                    foreign_keys.append(self._foreign_key(model, field, target))
            parameters = field.db_parameters(connection=self.connection)
            if field.column is None or parameters["type"] is None:
                continue
            column = self._column(field, parameters)
            if self._left_behind(field, column.type):
                column = replace(column, type="")
            columns.append(column)
            if self._checked(parameters):
                # `>= 0`, JSON validity, a year: recognised by the column that it stands on.
                checks.append(Check(name="", expression="", columns=(column.name,)))
            if field.unique and not field.primary_key:
                uniques.append(Unique(name="", columns=(column.name,)))
            if field.db_index or field.unique:
                indexes.extend(self._field_indexes(model, field, parameters))
        uniques.extend(self._together_unique(model, names) for names in opts.unique_together)
        indexes.extend(
            self._together_index(model, names)
            for names in state_options.get("index_together") or ()
        )
        indexes.extend(self._meta_indexes(model))
        exclusions: list[Exclusion] = []
        for constraint in opts.constraints:
            made = self._constraint(model, constraint)
            kind: dict[type, list[Any]] = {
                Unique: uniques,
                Index: indexes,
                Check: checks,
                Exclusion: exclusions,
            }
            if made is not None:
                kind[type(made)].append(made)
        return Table(
            name=self._cut(name),
            schema=schema,
            model=opts.label_lower,
            columns=tuple(columns),
            primary_key=self._primary_key(model),
            uniques=_sorted(uniques),
            foreign_keys=_sorted(foreign_keys),
            checks=_sorted(checks),
            exclusions=_sorted(exclusions),
            indexes=_sorted(indexes),
        )

    def key(self, model: type[models.Model]) -> str:
        """The key of a model's table."""
        schema, name = split_key(model._meta.db_table)
        return table_key(schema, self._cut(name))

    def type_of(self, field: Any) -> tuple[str, str]:
        """The (canonical type, collation) of a field; foreign keys must be linked."""
        parameters = field.db_parameters(connection=self.connection)
        db_type = None if is_implicit(field) else parameters["type"]
        return self._canonical(db_type), parameters.get("collation") or ""

    # -- columns -----------------------------------------------------------------

    def _column(self, field: Any, parameters: dict[str, Any]) -> Column:
        generated = bool(field.generated)
        return Column(
            name=self._cut(field.column),
            type="" if is_implicit(field) else self._canonical(parameters["type"]),
            nullable=generated or (field.null and not field.primary_key),
            default=UNSTATED if self._has_default(field) else None,
            identity=self._identity(field, parameters["type"]),
            generated=UNSTATED if generated else None,
            stored=generated and bool(field.db_persist),
            collation=parameters.get("collation") or "",
        )

    def _has_default(self, field: Any) -> bool:
        """Whether a column has a default; one that is NULL is what servers take for none."""
        if not field.has_db_default():
            return False
        value = field._db_default_expression
        if not isinstance(value, models.Value) or value.value is not None:
            return True
        sql, _ = self._editor.db_default_sql(field)  # the None of a JSONField may be JSON's
        return bool(sql.upper() != "NULL")

    def _canonical(self, db_type: str | None) -> str:
        if db_type is None:
            return ""
        known = self._types.get(db_type)
        if known is None:
            bare = db_type.removesuffix(" AUTO_INCREMENT")  # part of Django's MySQL types
            known = self._types[db_type] = self._backend.canonical_type(self.connection, bare)
        return known

    def _identity(self, field: Any, db_type: str) -> str:
        if self.vendor == "sqlite" and field.primary_key and db_type.lower() == "integer":
            return _AUTO_SUFFIXES[self.vendor]  # another name of the rowid, whatever the field
        if field.get_internal_type() in _AUTO_TYPES and not field.generated:
            return _AUTO_SUFFIXES[self.vendor]
        return "serial" if "serial" in db_type.lower() and self.vendor == "postgresql" else ""

    def _left_behind(self, field: Any, type_: str) -> bool:
        """Whether a reference may have the type that its target had once.

        On SQLite Django remakes only the tables that it sees refer to a key whose type changes:
        none through a hidden relation, and none at two removes (`_alter_field` of
        db/backends/sqlite3/schema.py). Integers are all alike there.
        """
        if self.vendor != "sqlite" or not is_foreign_key(field) or "int" in type_.lower():
            return False
        return bool(field.remote_field.hidden) or is_foreign_key(field.target_field)

    # -- keys and constraints ------------------------------------------------------

    def _checked(self, parameters: dict[str, Any]) -> bool:
        """Whether the column has a check of its field's own.

        MariaDB makes the check of an unsigned column a part of the column, and forgets it at the
        next MODIFY, which does not repeat it: whether it is there says nothing.
        """
        if self.vendor == "mysql" and "unsigned" in parameters["type"].lower():
            return False
        return bool(parameters["check"]) or self._checked_by_server(parameters["type"])

    def _checked_by_server(self, db_type: str) -> bool:
        """MariaDB's json is longtext with a check that it adds by itself (since 10.4.3)."""
        connection: Any = self.connection
        return self.vendor == "mysql" and db_type == "json" and connection.mysql_is_mariadb

    def _primary_key(self, model: type[models.Model]) -> PrimaryKey | None:
        pk: Any = model._meta.pk
        if pk is None:
            return None
        columns = getattr(pk, "columns", None) or (pk.column,)
        return PrimaryKey(name="", columns=tuple(map(self._cut, columns)))

    @property
    def _supports_foreign_keys(self) -> bool:
        return self.vendor != "mysql" or bool(self.connection.features.supports_foreign_keys)

    def _foreign_key(self, model: type[models.Model], field: Any, target: Any) -> ForeignKey:
        deferred = self.vendor in {"postgresql", "sqlite"}
        name = ""
        if self.vendor != "sqlite":
            suffix = f"_fk_{split_key(target.model._meta.db_table)[1]}_{target.column}"
            name = self._editor._create_index_name(model._meta.db_table, [field.column], suffix)
        return ForeignKey(
            name=name,
            columns=(self._cut(field.column),),
            to_table=self.key(target.model),
            to_columns=(self._cut(target.column),),
            deferrable=deferred,
            initially_deferred=deferred,
        )

    def _together_unique(self, model: type[models.Model], names: Iterable[str]) -> Unique:
        columns = self._columns(model, names)
        name = self._editor._create_index_name(model._meta.db_table, columns, "_uniq")
        return Unique(name=name, columns=tuple(columns))

    def _constraint(
        self, model: type[models.Model], constraint: BaseConstraint
    ) -> Unique | Index | Check | Exclusion | None:
        if _makes_itself(constraint):
            return None
        if isinstance(constraint, UniqueConstraint):
            return self._unique_constraint(model, constraint)
        if isinstance(constraint, models.CheckConstraint):
            supported = self.connection.features.supports_table_check_constraints
            return Check(name=constraint.name, expression="") if supported else None
        if type(constraint).__name__ == "ExclusionConstraint" and self.vendor == "postgresql":
            return Exclusion(name=constraint.name, definition="")
        return None  # somebody's own kind of constraint: nothing can be said about it

    def _unique_constraint(
        self, model: type[models.Model], constraint: Any
    ) -> Unique | Index | None:
        supported = self._editor._unique_supported(
            condition=constraint.condition,
            deferrable=constraint.deferrable,
            include=constraint.include,
            expressions=constraint.expressions,
            nulls_distinct=constraint.nulls_distinct,
        )
        if not supported:
            return None
        columns = tuple(self._columns(model, constraint.fields))
        nulls_distinct = constraint.nulls_distinct is not False
        plain = not (
            constraint.condition
            or constraint.include
            or constraint.opclasses
            or constraint.expressions
        )
        if plain:
            return Unique(
                name=constraint.name,
                columns=columns,
                deferrable=constraint.deferrable is not None,
                initially_deferred=constraint.deferrable == Deferrable.DEFERRED,
                nulls_distinct=nulls_distinct,
            )
        return Index(
            name=constraint.name,
            keys=self._expression_keys(model, constraint.expressions)
            or self._keys(columns, opclasses=constraint.opclasses),
            unique=True,
            condition=UNSTATED if constraint.condition else "",
            include=tuple(self._columns(model, constraint.include or ())),
            nulls_distinct=nulls_distinct,
        )

    # -- indexes -------------------------------------------------------------------

    def _field_indexes(
        self, model: type[models.Model], field: Any, parameters: dict[str, Any]
    ) -> Iterator[Index]:
        table, column = model._meta.db_table, self._cut(field.column)
        if field.db_index and not field.unique and self._indexable(field):
            name = self._editor._create_index_name(table, [field.column])
            yield Index(name=name, keys=(IndexKey(column=column),))
        if self.vendor != "postgresql":
            return
        # PostgreSQL: a second index for LIKE, see _create_like_index_sql.
        db_type = field.db_type(connection=self.connection) or ""
        if "[" in db_type or parameters.get("collation"):
            return
        for prefix, opclass in _PATTERN_OPS.items():
            if db_type.startswith(prefix):
                name = self._editor._create_index_name(table, [field.column], suffix="_like")
                yield Index(name=name, keys=(IndexKey(column=column, opclass=opclass),))

    def _indexable(self, field: Any) -> bool:
        """MySQL indexes a foreign key by itself, and cannot index TEXT, BLOB and JSON."""
        if self.vendor != "mysql":
            return True
        if is_foreign_key(field) and field.db_constraint:
            return False
        return not self._editor._is_limited_data_type(field)

    def _together_index(self, model: type[models.Model], names: Iterable[str]) -> Index:
        columns = self._columns(model, names)
        name = self._editor._create_index_name(model._meta.db_table, columns, "_idx")
        return Index(name=name, keys=self._keys(columns))

    def _meta_indexes(self, model: type[models.Model]) -> Iterator[Index]:
        features = self.connection.features
        for index in model._meta.indexes:
            if index.expressions and not features.supports_expression_indexes:
                continue
            if _makes_itself(index):
                continue
            names = [name for name, _ in index.fields_orders]
            ordered = features.supports_index_column_ordering
            suffix = str(getattr(index, "suffix", ""))
            native = self.vendor == "postgresql" and _names_its_method(index)
            yield Index(
                name=index.name,
                keys=self._expression_keys(model, index.expressions)
                or self._keys(
                    self._columns(model, names),
                    orders=[order if ordered else "" for _, order in index.fields_orders],
                    opclasses=index.opclasses if self.vendor == "postgresql" else (),
                ),
                method=suffix if native else "btree",
                condition=UNSTATED
                if index.condition is not None and features.supports_partial_indexes
                else "",
                include=tuple(self._columns(model, index.include))
                if features.supports_covering_indexes
                else (),
            )

    def _keys(
        self,
        columns: Iterable[str],
        *,
        orders: Iterable[str] = (),
        opclasses: Iterable[str] = (),
    ) -> tuple[IndexKey, ...]:
        columns, orders, opclasses = list(columns), list(orders), list(opclasses)
        orders += [""] * (len(columns) - len(orders))
        opclasses += [""] * (len(columns) - len(opclasses))
        return tuple(
            IndexKey(column=column, descending=order == "DESC", opclass=opclass)
            for column, order, opclass in zip(columns, orders, opclasses, strict=True)
        )

    def _expression_keys(
        self, model: type[models.Model], expressions: Iterable[Any]
    ) -> tuple[IndexKey, ...]:
        """Keys of an index on expressions, some of which are but columns (`F("a").desc()`)."""
        return tuple(self._expression_key(model, expression) for expression in expressions)

    def _expression_key(self, model: type[models.Model], expression: Any) -> IndexKey:
        descending, nulls_first, opclass = False, None, ""
        while True:
            if isinstance(expression, OrderBy):
                descending = expression.descending
                if expression.nulls_first or expression.nulls_last:
                    nulls_first = bool(expression.nulls_first)
                expression = expression.expression
            elif type(expression).__name__ == "OpClass":
                if self.vendor == "postgresql":
                    opclass = expression.extra.get("name") or getattr(expression, "name", "")
                (expression,) = expression.get_source_expressions()
            elif self._means_nothing(expression):
                (expression,) = expression.get_source_expressions()
            else:
                break
        name = str(getattr(expression, "name", "")) if isinstance(expression, models.F) else ""
        plain = name and "__" not in name
        return IndexKey(
            column=self._columns(model, [name])[0] if plain else "",
            expression="" if plain else UNSTATED,
            descending=descending,
            nulls_first=nulls_first,
            opclass=opclass,
        )

    def _means_nothing(self, expression: Any) -> bool:
        """Whether the server strips this from around a column, or keeps it beside the column.

        MySQL takes no index whose expression is but a column.
        """
        collated = type(expression) is Collate and self.vendor in {"postgresql", "sqlite"}
        return collated or type(expression) is models.ExpressionWrapper

    # -- names ---------------------------------------------------------------------

    def _columns(self, model: type[models.Model], names: Iterable[str]) -> list[str]:
        return [self._cut(self._column_of(model, name)) for name in names]

    def _column_of(self, model: type[models.Model], name: str) -> str:
        """The column of a field; the name itself where an index or a constraint is left behind.

        Django's state does not rename fields within them (ProjectState.rename_field), so until
        a later operation replaces the index, it names a field that is not there any more.
        """
        try:
            field: Any = model._meta.get_field(name)
        except FieldDoesNotExist:
            return name
        return str(field.column)

    def _cut(self, name: str) -> str:
        """PostgreSQL cuts names silently, by bytes (NAMEDATALEN - 1)."""
        limit = _LIMIT_BYTES.get(self.vendor)
        if limit is None or len(name) <= limit // 4:
            return name
        return name.encode()[:limit].decode(errors="ignore")


def _makes_itself(item: Any) -> bool:
    """Whether an index or constraint writes its own SQL, of which state says nothing."""
    methods = [getattr(type(item), name, None) for name in ("create_sql", "constraint_sql")]
    return any(m is not None and not m.__module__.startswith("django.") for m in methods)


def _names_its_method(index: Any) -> bool:
    """Whether the suffix of an index is its method: of PostgresIndex, extensions' as well."""
    return any(
        (kind.__module__, kind.__name__) == ("django.contrib.postgres.indexes", "PostgresIndex")
        for kind in type(index).__mro__
    )


def is_foreign_key(field: Any) -> bool:
    """Whether the field is a column whose type is another field's."""
    return isinstance(field, models.ForeignKey)


def _sorted(items: list[Any]) -> tuple[Any, ...]:
    return tuple(sorted(items, key=lambda item: (item.name, getattr(item, "columns", ()))))
