"""What SQL does to a database, as data: a sealed family of actions, one per clause.

`sources.ddl` parses text of any vendor into these; `core.costs` says what each locks, rewrites
and reads; the rules of `core.rules` say what is wrong with it. Tables are keys as in
`core.schema.table_key`; names are as the server would fold them; types as they are written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Default(StrEnum):
    """What a column's DEFAULT is worth to the server."""

    NONE = "none"
    CONSTANT = "constant"
    """The same value for every row (a literal; PostgreSQL: a stable function such as now())."""
    VOLATILE = "volatile"
    """Another value for each row: clock_timestamp(), gen_random_uuid(), nextval(), uuid()."""


class ConstraintKind(StrEnum):
    """Kinds of constraints."""

    PRIMARY_KEY = "primary key"
    UNIQUE = "unique"
    FOREIGN_KEY = "foreign key"
    CHECK = "check"
    EXCLUSION = "exclusion"
    NOT_NULL = "not null"


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE TABLE. `references`: keys of the tables that its foreign keys point to."""

    table: str
    references: tuple[str, ...] = ()
    temporary: bool = False
    if_not_exists: bool = False
    as_query: bool = False


@dataclass(frozen=True, slots=True)
class DropTable:
    table: str
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class RenameTable:
    table: str
    new: str


@dataclass(frozen=True, slots=True)
class AddColumn:
    """ADD COLUMN with everything that is written inline.

    `constraints`: kinds of inline constraints; `references`: key of the referenced table, "" for
    none; `generated`: "stored" | "virtual" | ""; `serial`: serial or identity or AUTO_INCREMENT;
    `computed`: the default is an expression in brackets (MySQL, MariaDB).
    """

    table: str
    column: str
    type: str
    not_null: bool = False
    default: Default = Default.NONE
    generated: str = ""
    serial: bool = False
    constraints: frozenset[ConstraintKind] = frozenset()
    references: str = ""
    first_or_after: bool = False
    computed: bool = False


@dataclass(frozen=True, slots=True)
class DropColumn:
    table: str
    column: str
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class RenameColumn:
    table: str
    column: str
    new: str


@dataclass(frozen=True, slots=True)
class AlterColumnType:
    """A change of type. On MySQL a MODIFY or CHANGE also says `not_null` (None: not said), and
    all else about the column: `default`, `generated`, `first_or_after`, as in AddColumn."""

    table: str
    column: str
    type: str
    using: str = ""
    collation: str = ""
    not_null: bool | None = None
    default: Default = Default.NONE
    generated: str = ""
    first_or_after: bool = False


@dataclass(frozen=True, slots=True)
class SetNotNull:
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class DropNotNull:
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class SetDefault:
    """Also what Django sets for the moment of a NOT NULL add, and drops again right after."""

    table: str
    column: str
    default: Default = Default.CONSTANT


@dataclass(frozen=True, slots=True)
class DropDefault:
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class AddConstraint:
    table: str
    kind: ConstraintKind
    name: str = ""
    columns: tuple[str, ...] = ()
    references: str = ""
    referenced_columns: tuple[str, ...] = ()
    expression: str = ""
    not_valid: bool = False
    using_index: str = ""
    nulls_equal: bool = False


@dataclass(frozen=True, slots=True)
class ValidateConstraint:
    table: str
    name: str


@dataclass(frozen=True, slots=True)
class DropConstraint:
    """`kind` None when the statement does not say (PostgreSQL's DROP CONSTRAINT)."""

    table: str
    name: str
    kind: ConstraintKind | None = None
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class RenameConstraint:
    table: str
    name: str
    new: str


@dataclass(frozen=True, slots=True)
class CreateIndex:
    table: str
    name: str = ""
    columns: tuple[str, ...] = ()
    unique: bool = False
    concurrently: bool = False
    if_not_exists: bool = False
    condition: str = ""
    only: bool = False
    nulls_equal: bool = False
    expressions: tuple[str, ...] = field(default=(), compare=False)
    """Every element of the key as SQL, where one is more than a column; () where not read."""


@dataclass(frozen=True, slots=True)
class DropIndex:
    """`table` is "" where the statement does not name it (PostgreSQL, SQLite)."""

    name: str
    table: str = ""
    concurrently: bool = False


@dataclass(frozen=True, slots=True)
class RenameIndex:
    name: str
    new: str
    table: str = ""


@dataclass(frozen=True, slots=True)
class Reindex:
    """`table` "" where an index, a schema or a database is named."""

    table: str = ""
    name: str = ""
    concurrently: bool = False


@dataclass(frozen=True, slots=True)
class Truncate:
    tables: tuple[str, ...]
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """`condition`: which rows; "" where that was not read. `doubtful`: whether it comes to that,
    or for which rows, is known to the code alone that does it. `batched`: code does it part by
    part, or row by row."""

    table: str
    filtered: bool = False
    condition: str = field(default="", compare=False)
    doubtful: bool = False
    batched: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """`columns`: those whose values are overwritten, not just their NULLs filled; () where that
    was not read. `condition`: which rows; "" where that was not read. `doubtful`, `batched`: as of
    `Delete`. `values`: what each column is set to, as SQL over the columns of the same row that the
    statement leaves alone; "" where it is no such thing. `computed`: those whose new value comes
    from the old one."""

    table: str
    filtered: bool = False
    columns: tuple[str, ...] = ()
    condition: str = field(default="", compare=False)
    doubtful: bool = False
    batched: bool = False
    values: tuple[str, ...] = field(default=(), compare=False)
    computed: tuple[str, ...] = field(default=(), compare=False)

    @property
    def changes(self) -> tuple[tuple[str, str, bool], ...]:
        """Each column with its new value ("" for unknown) and whether it is computed."""
        values = self.values or ("",) * len(self.columns)
        pairs = zip(self.columns, values, strict=True)
        return tuple((column, value, column in self.computed) for column, value in pairs)


@dataclass(frozen=True, slots=True)
class Insert:
    """`sources`: keys of the tables that an INSERT … SELECT reads."""

    table: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DropObject:
    """DROP of something that is neither table, column, index nor constraint.

    `kind`: "view" | "materialized view" | "schema" | "database" | "type" | "function" | "trigger"
    | "sequence" | "extension" | …
    """

    kind: str
    name: str
    table: str = ""
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class TableMaintenance:
    """A clause that is known by its name alone.

    `what`: "vacuum full" | "cluster" | "set logged" | "set unlogged" | "set tablespace" |
    "optimize" | "convert charset" | "attach partition" | "detach partition" | "create trigger" |
    "enable row level security" | "disable trigger" | "enable trigger" | "set storage parameter" |
    "set statistics" | "cluster on" | "comment" | "replica identity" | "inherit" | …
    """

    table: str
    what: str
    other: str = ""
    """Key of a second table: the partition, the parent."""


@dataclass(frozen=True, slots=True)
class Harmless:
    """Nothing that anybody has to wait for: SET, COMMENT, GRANT, SELECT without a write, …"""

    what: str


@dataclass(frozen=True, slots=True)
class Query(Harmless):
    """SELECT: `sources` are the tables that it reads, `columns` what an index of them could
    answer to: those that its conditions and its least and greatest values name."""

    sources: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateView(Harmless):
    """CREATE VIEW, which may take the name of a table that has been renamed, or of a view that
    has been dropped."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class CreateDomain(Harmless):
    """CREATE DOMAIN: `definition` is its type and what values are held against."""

    name: str = ""
    definition: str = ""


ASTRAY = frozenset({"set search path", "rename schema", "use"})
"""What is harmless, and after which a name may mean another table."""


@dataclass(frozen=True, slots=True)
class RestartSequence(Harmless):
    """ALTER SEQUENCE … RESTART: nobody waits, but what comes next may be there already."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Opaque:
    """What cannot be judged: DO blocks, calls of unknown functions, what does not parse."""

    text: str


Action: TypeAlias = (
    CreateTable
    | DropTable
    | RenameTable
    | AddColumn
    | DropColumn
    | RenameColumn
    | AlterColumnType
    | SetNotNull
    | DropNotNull
    | SetDefault
    | DropDefault
    | AddConstraint
    | ValidateConstraint
    | DropConstraint
    | RenameConstraint
    | CreateIndex
    | DropIndex
    | RenameIndex
    | Reindex
    | Truncate
    | Delete
    | Update
    | Insert
    | DropObject
    | TableMaintenance
    | Harmless
    | Opaque
)
"""The sealed family."""
