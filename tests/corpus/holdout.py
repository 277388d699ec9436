"""Migrations of kinds that public projects have, written before the rules were read.

They say how good the lint is on what it was not fitted to; `python -m tests.corpus --holdout`.
Kinds and phrases come from public migrations, from what other linters list and from what people
wrote about their outages.
"""

from __future__ import annotations

from functools import partial

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import models
from django.db.migrations.operations.base import Operation

from tests.corpus import functions_unseen as f
from tests.corpus.case import EVERYWHERE, POSTGRESQL, Case
from tests.corpus.shorthand import (
    NOOP,
    PYTHON_NOOP,
    SQL,
    Big,
    Char,
    Int,
    M,
    Q,
    add,
    alter,
    check,
    unique,
)  # fmt: skip

MYSQL = ("mysql",)
SQLITE = ("sqlite",)
BIG_SERVERS = ("postgresql", "mysql")


def python(code: object, back: object = PYTHON_NOOP) -> M.RunPython:
    return M.RunPython(code, back)


class Statement(Operation):
    """An operation of a project's own."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def state_forwards(self, app_label: str, state: object) -> None:
        pass

    def database_forwards(self, app_label, schema_editor, from_state, to_state) -> None:  # type: ignore[no-untyped-def]
        schema_editor.execute(self.sql)

    def database_backwards(self, app_label, schema_editor, from_state, to_state) -> None:  # type: ignore[no-untyped-def]
        pass


_PYTHON = [
    Case("python fills a column in a loop, large table", [python(f.fill_in_a_loop)]),
    Case(
        "python overwrites in a loop, small table", [python(f.shout_in_a_loop)], vendors=EVERYWHERE
    ),
    Case(
        "python fills NULLs in a loop, small table",
        [python(f.fill_holes_in_a_loop)],
        vendors=EVERYWHERE,
    ),
    Case("python gives every row one category", [python(f.assign_the_first)], vendors=EVERYWHERE),
    Case(
        "python copies into a column of the same migration",
        [add("small", "extra", Int(null=True)), python(f.copy_into_the_new)],
        vendors=EVERYWHERE,
    ),
    Case("python seeds rows", [python(f.seed, f.unseed)], vendors=EVERYWHERE),
    Case("python seeds rows at once", [python(f.seed_many, f.empty_the_empty)], vendors=EVERYWHERE),
    Case("python empties an empty table", [python(f.empty_the_empty)]),
    Case("python overwrites by a cursor", [python(f.overwrite_by_cursor)], vendors=EVERYWHERE),
    Case("python updates one row by a cursor", [python(f.one_by_cursor)]),
    Case("python counts by a cursor", [python(f.count_by_cursor)], vendors=EVERYWHERE),
    Case("python creates an index", [python(f.index_on_postgresql, f.unindex_on_postgresql)]),
    Case(
        "python creates an index of another vendor",
        [python(f.index_on_postgresql, f.unindex_on_postgresql)],
        vendors=("mysql", "sqlite"),
    ),
    Case("python creates an extension", [python(f.extension_on_postgresql)]),
    Case(
        "python refuses rows that do not fit", [python(f.refuse_the_nameless)], vendors=EVERYWHERE
    ),
    Case("python copies where there are NULLs, large table", [python(f.copy_where_null)]),
    Case("python deletes all but one", [python(f.delete_all_but_one)], vendors=EVERYWHERE),
    Case("python deletes by a helper", [python(f.delete_by_a_helper)]),
    Case("python clears a relation", [python(f.clear_labels)]),
    Case("python deletes one by one", [python(f.delete_one_by_one)], vendors=EVERYWHERE),
    Case("python updates two rows", [python(f.two_rows)], vendors=EVERYWHERE),
    Case("python fills NULLs in bulk, small table", [python(f.fill_in_bulk)]),
    Case("python in batches, but in one transaction", [python(f.batches_in_one_transaction)]),
    Case(
        "python in batches, each in its own transaction",
        [python(f.batches_in_one_transaction)],
        atomic=False,
    ),
    Case("python deletes in batches", [python(f.delete_in_batches)], atomic=False),
    Case("python computes from the old value", [python(f.shout)], vendors=EVERYWHERE),
    Case("python keeps the first of each", [python(f.keep_the_first_of_each)]),
    Case("python renames a choice", [python(f.rename_a_choice)], vendors=EVERYWHERE),
    Case("python renames a choice of nobody", [python(f.the_name_of_nobody)]),
    Case(
        "python by a lambda",
        [
            python(
                lambda apps, editor: (
                    apps.get_model("shop", "Small")
                    .labels.through.objects.using(editor.connection.alias)
                    .all()
                    .delete()
                )
            )
        ],
    ),
    Case("python with an argument bound", [python(partial(f.shout))]),
    Case("python does nothing", [python(f.does_nothing)], vendors=EVERYWHERE),
    Case(
        "python fills NULLs, then NOT NULL in the next",
        [python(f.fill_holes_in_a_loop)],
        then=[alter("small", "holes", Int(default=0))],
    ),
]

_DATA = [
    Case(
        "update where nothing is NULL",
        [SQL("UPDATE shop_item SET note = '' WHERE note IS NULL", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case("update that changes nothing", [SQL("UPDATE shop_item SET serial = serial", NOOP)]),
    Case(
        "update from another table",
        [
            SQL(
                "UPDATE shop_small SET same = c.id FROM shop_category c WHERE c.id = "
                "shop_small.category_id",
                NOOP,
            )
        ],
    ),
    Case(
        "update of NULLs from another table",
        [
            SQL(
                "UPDATE shop_small SET holes = c.id FROM shop_category c WHERE c.id = "
                "shop_small.category_id AND shop_small.holes IS NULL",
                NOOP,
            )
        ],
    ),
    Case(
        "delete in a common table expression",
        [
            SQL(
                "WITH gone AS (DELETE FROM shop_small_labels RETURNING id) SELECT count(*) FROM "
                "gone",
                NOOP,
            )
        ],
    ),
    Case(
        "insert that leaves what is there",
        [
            SQL(
                "INSERT INTO shop_small (id, name, same) VALUES (1, 's1', 3) ON CONFLICT DO "
                "NOTHING",
                NOOP,
            )
        ],
    ),
    Case(
        "insert that overwrites what is there",
        [
            SQL(
                "INSERT INTO shop_small (name, same) SELECT name, 0 FROM shop_small ON CONFLICT "
                "(name) DO UPDATE SET same = EXCLUDED.same",
                NOOP,
            )
        ],
    ),
    Case(
        "delete duplicates that are not there",
        [
            SQL(
                "DELETE FROM shop_small_labels a USING shop_small_labels b WHERE a.id > b.id AND "
                "a.small_id = b.small_id AND a.category_id = b.category_id",
                NOOP,
            )
        ],
    ),
    Case(
        "delete orphans by a subquery",
        [
            SQL(
                "DELETE FROM shop_item WHERE loose_id IS NOT NULL AND loose_id NOT IN (SELECT id "
                "FROM shop_category)",
                NOOP,
            )
        ],
    ),
    Case(
        "delete of one old row",
        [SQL("DELETE FROM shop_small_labels WHERE id = 20", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "update of a choice",
        [
            SQL(
                "UPDATE shop_small SET name = 'director' WHERE name = 's3'",
                "UPDATE shop_small SET name = 's3' WHERE name = 'director'",
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "update of a choice that nobody has",
        [SQL("UPDATE shop_small SET name = 'director' WHERE name = 'admin'", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "add column, fill it by SQL, small table",
        [add("small", "extra", Int(null=True)), SQL("UPDATE shop_small SET extra = 0", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "fill an empty column by SQL, small table",
        [add("small", "extra", Int(null=True))],
        then=[SQL("UPDATE shop_small SET extra = same", NOOP)],
    ),
    Case(
        "move values to another column, then drop the old",
        [
            add("small", "extra", Int(null=True)),
            SQL("UPDATE shop_small SET extra = same", NOOP),
            M.RemoveField("small", "same"),
        ],
        atomic=True,
    ),
    Case(
        "set sequence to the greatest key",
        [
            SQL(
                "SELECT setval(pg_get_serial_sequence('shop_small', 'id'), (SELECT max(id) FROM "
                "shop_small))",
                NOOP,
            )
        ],
    ),
    Case(
        "operation of its own deletes",
        [Statement("DELETE FROM shop_small_labels")],
        vendors=EVERYWHERE,
    ),
    Case("operation of its own comments", [Statement("COMMENT ON TABLE shop_small IS 'few'")]),
]

_SCHEMA = [
    Case(
        "add column with default, then keep it in the database",
        [
            add("item", "state", Char(max_length=10, default="new")),
            SQL(
                "ALTER TABLE shop_item ALTER state SET DEFAULT 'new'",
                "ALTER TABLE shop_item ALTER state DROP DEFAULT",
            ),
        ],
    ),
    Case(
        "add json column with database default",
        [
            add(
                "item",
                "extra",
                models.JSONField(default=dict, db_default=models.Value({}, models.JSONField())),
            )
        ],
    ),
    Case(
        "varchar to slug, which makes an index",
        [alter("item", "name", models.SlugField(max_length=50))],
    ),
    Case("varchar to slug, small table", [alter("empty", "name", models.SlugField(max_length=50))]),
    Case("varchar to email", [alter("item", "name", models.EmailField())], vendors=BIG_SERVERS),
    Case(
        "choices and blank",
        [
            alter(
                "item", "name", Char(max_length=50, blank=True, choices=[("a", "A")], help_text="x")
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "foreign key to one-to-one, small table",
        [
            alter(
                "small",
                "category",
                models.OneToOneField(
                    "shop.Category", models.CASCADE, null=True, related_name="smalls"
                ),
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "foreign key without constraint gets one, orphans",
        [
            alter("item", "loose_id", Int(null=True)),
            SQL(
                "ALTER TABLE shop_item ADD CONSTRAINT loose FOREIGN KEY (loose_id) REFERENCES "
                "shop_category (id) DEFERRABLE INITIALLY DEFERRED",
                "ALTER TABLE shop_item DROP CONSTRAINT loose",
            ),
        ],
    ),
    Case(
        "foreign key loses its constraint",
        [
            alter(
                "small",
                "category",
                models.ForeignKey(
                    "shop.Category",
                    models.CASCADE,
                    null=True,
                    related_name="smalls",
                    db_constraint=False,
                ),
            )
        ],
        vendors=BIG_SERVERS,
    ),
    Case(
        "foreign key loses its index",
        [
            alter(
                "item",
                "category",
                models.ForeignKey("shop.Category", models.CASCADE, null=True, db_index=False),
            )
        ],
        vendors=POSTGRESQL,
    ),
    Case(
        "order with respect to",
        [M.AlterOrderWithRespectTo("small", "category")],
        vendors=EVERYWHERE,
    ),
    Case(
        "proxy model",
        [M.CreateModel("Proxy", [], options={"proxy": True}, bases=("shop.item",))],
        vendors=EVERYWHERE,
    ),
    Case(
        "unmanaged model",
        [
            M.CreateModel(
                "Outside",
                [("id", models.AutoField(primary_key=True))],
                options={"managed": False, "db_table": "outside"},
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "child of a large model",
        [
            M.CreateModel(
                "Special",
                [
                    (
                        "item_ptr",
                        models.OneToOneField(
                            "shop.Item",
                            models.CASCADE,
                            parent_link=True,
                            auto_created=True,
                            primary_key=True,
                            serialize=False,
                        ),
                    ),
                    ("more", Int(default=0)),
                ],
                bases=("shop.item",),
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "many-to-many gets a model of its own, table renamed",
        [
            M.SeparateDatabaseAndState(
                [
                    SQL(
                        "ALTER TABLE shop_small_labels RENAME TO shop_label",
                        "ALTER TABLE shop_label RENAME TO shop_small_labels",
                    )
                ],
                [
                    M.CreateModel(
                        "Label",
                        [
                            ("id", models.BigAutoField(primary_key=True)),
                            ("small", models.ForeignKey("shop.Small", models.CASCADE)),
                            ("category", models.ForeignKey("shop.Category", models.CASCADE)),
                        ],
                        options={"db_table": "shop_label"},
                    ),
                    alter(
                        "small",
                        "labels",
                        models.ManyToManyField("shop.Category", through="shop.Label"),
                    ),
                ],
            )
        ],
    ),
    Case(
        "many-to-many gets a model of its own, table stays",
        [
            M.SeparateDatabaseAndState(
                [],
                [
                    M.CreateModel(
                        "Label",
                        [
                            ("id", models.BigAutoField(primary_key=True)),
                            ("small", models.ForeignKey("shop.Small", models.CASCADE)),
                            ("category", models.ForeignKey("shop.Category", models.CASCADE)),
                        ],
                        options={"db_table": "shop_small_labels"},
                    ),
                    alter(
                        "small",
                        "labels",
                        models.ManyToManyField("shop.Category", through="shop.Label"),
                    ),
                ],
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "index is replaced concurrently",
        [
            RemoveIndexConcurrently("item", "item_big_idx"),
            AddIndexConcurrently(
                "item", models.Index(fields=["big", "serial"], name="item_big2_idx")
            ),
        ],
        atomic=False,
    ),
    Case(
        "covering unique, small table",
        [M.AddConstraint("small", unique("name", "id", name="u", include=["same"]))],
    ),
    Case(
        "partial unique over duplicates that the condition leaves out",
        [M.AddConstraint("small", unique("same", name="u", condition=Q(same__gt=100)))],
    ),
    Case(
        "check by an expression, small table",
        [M.AddConstraint("small", check(Q(same__lt=models.F("id") + 100)))],
    ),
    Case(
        "index of an expression, large table",
        [M.AddIndex("item", models.Index(models.functions.Upper("name"), name="upper"))],
        vendors=BIG_SERVERS,
    ),
    Case(
        "column of a domain with a check",
        [
            SQL(
                "CREATE DOMAIN posint AS integer CHECK (VALUE > 0); ALTER TABLE shop_item ADD "
                "COLUMN z posint",
                "ALTER TABLE shop_item DROP COLUMN z; DROP DOMAIN posint",
            )
        ],
    ),
    Case("create enum type", [SQL("CREATE TYPE mood AS ENUM ('sad', 'ok')", "DROP TYPE mood")]),
    Case(
        "create type in a DO block unless it is there",
        [
            SQL(
                "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood') THEN "
                "CREATE TYPE mood AS ENUM ('sad', 'ok'); END IF; END $$",
                "DROP TYPE mood",
            )
        ],
    ),
    Case(
        "index in a DO block unless it is there",
        [
            SQL(
                "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'corpus_idx') "
                "THEN CREATE INDEX corpus_idx ON shop_item (serial); END IF; END $$",
                NOOP,
            )
        ],
    ),
    Case(
        "add enum value",
        [SQL("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'glad'", NOOP)],
        setup=["CREATE TYPE mood AS ENUM ('sad', 'ok')"],
    ),
    Case(
        "table to another schema",
        [
            SQL(
                "CREATE SCHEMA other; ALTER TABLE shop_small SET SCHEMA other",
                "ALTER TABLE other.shop_small SET SCHEMA public; DROP SCHEMA other",
            )
        ],
    ),
    Case(
        "trigger that refuses updates",
        [
            SQL(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
                "EXCEPTION 'append-only'; END $$; CREATE TRIGGER no_update BEFORE UPDATE OR "
                "DELETE ON shop_small FOR EACH ROW EXECUTE FUNCTION refuse()",
                "DROP TRIGGER no_update ON shop_small; DROP FUNCTION refuse()",
            )
        ],
    ),
    Case(
        "drop primary key by SQL",
        [
            SQL(
                "ALTER TABLE shop_small_labels DROP CONSTRAINT shop_small_labels_pkey",
                "ALTER TABLE shop_small_labels ADD PRIMARY KEY (id)",
            )
        ],
    ),
    Case(
        "drop NOT NULL by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ALTER COLUMN serial DROP NOT NULL",
                "ALTER TABLE shop_item ALTER COLUMN serial SET NOT NULL",
            )
        ],
    ),
    Case(
        "type with an expression by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ALTER COLUMN serial TYPE text USING serial::text",
                "ALTER TABLE shop_item ALTER COLUMN serial TYPE integer USING serial::integer",
            )
        ],
    ),
    Case(
        "partitioned table",
        [
            SQL(
                "CREATE TABLE logs (id bigint, at timestamptz) PARTITION BY RANGE (at); CREATE "
                "TABLE logs_1 PARTITION OF logs DEFAULT",
                "DROP TABLE logs",
            )
        ],
    ),
    Case(
        "empty copy of a table",
        [
            SQL(
                "CREATE TABLE item_archive (LIKE shop_item INCLUDING ALL)",
                "DROP TABLE item_archive",
            )
        ],
    ),
    Case(
        "create index if not exists, large table",
        [
            SQL(
                "CREATE INDEX IF NOT EXISTS corpus_idx ON shop_item (serial, same)",
                "DROP INDEX corpus_idx",
            )
        ],
        vendors=("postgresql", "sqlite"),
    ),
    Case(
        "unique constraint by SQL, large table",
        [
            SQL(
                "ALTER TABLE shop_item ADD CONSTRAINT u UNIQUE (serial)",
                "ALTER TABLE shop_item DROP CONSTRAINT u",
            )
        ],
    ),
    Case(
        "check not valid, validated in the next migration",
        [
            SQL(
                "ALTER TABLE shop_item ADD CONSTRAINT c CHECK (serial >= -5) NOT VALID",
                "ALTER TABLE shop_item DROP CONSTRAINT c",
            )
        ],
        then=[SQL("ALTER TABLE shop_item VALIDATE CONSTRAINT c", NOOP)],
    ),
    Case(
        "rename an index by SQL",
        [
            SQL(
                "ALTER INDEX item_big_idx RENAME TO item_big_2",
                "ALTER INDEX item_big_2 RENAME TO item_big_idx",
            )
        ],
    ),
    Case(
        "lock a small table, then write it",
        [
            SQL(
                "LOCK TABLE shop_small IN SHARE ROW EXCLUSIVE MODE; UPDATE shop_small SET holes "
                "= 0 WHERE holes IS NULL",
                NOOP,
            )
        ],
    ),
    Case(
        "lock a large table for readers, then count",
        [SQL("LOCK TABLE shop_item IN ACCESS SHARE MODE; SELECT count(*) FROM shop_item", NOOP)],
    ),
    Case(
        "change and then read everything in one transaction",
        [
            add("item", "extra", Int(null=True)),
            SQL("SELECT count(*) FROM shop_item WHERE holes IS NULL", NOOP),
        ],
    ),
    Case(
        "change a small table, then read the large one",
        [
            add("small", "extra", Int(null=True)),
            SQL("SELECT count(*) FROM shop_item WHERE holes IS NULL", NOOP),
        ],
    ),
    Case(
        "refresh a materialized view",
        [SQL("REFRESH MATERIALIZED VIEW seen", NOOP)],
        setup=["CREATE MATERIALIZED VIEW seen AS SELECT id, name FROM shop_item"],
    ),
    Case(
        "create statistics",
        [
            SQL(
                "CREATE STATISTICS st (dependencies) ON serial, same FROM shop_item",
                "DROP STATISTICS st",
            )
        ],
    ),
    Case("set owner", [SQL("ALTER TABLE shop_item OWNER TO CURRENT_USER", NOOP)]),
    Case(
        "no autovacuum",
        [
            SQL(
                "ALTER TABLE shop_item SET (autovacuum_enabled = false)",
                "ALTER TABLE shop_item RESET (autovacuum_enabled)",
            )
        ],
    ),
    Case(
        "unlogged table",
        [SQL("CREATE UNLOGGED TABLE cache (k text PRIMARY KEY, v text)", "DROP TABLE cache")],
    ),
    Case(
        "drop table if it exists, which it does not",
        [SQL("DROP TABLE IF EXISTS shop_liboqs", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "integer to positive small integer",
        [alter("item", "same", models.PositiveSmallIntegerField(default=1))],
        vendors=BIG_SERVERS,
    ),
    Case(
        "widen a decimal by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ALTER cents TYPE numeric(14, 2)",
                "ALTER TABLE shop_item ALTER cents TYPE numeric(12, 2)",
            )
        ],
    ),
    Case(
        "text to json by SQL",
        [
            SQL(
                "ALTER TABLE shop_small ALTER name TYPE jsonb USING to_jsonb(name)",
                "ALTER TABLE shop_small ALTER name TYPE varchar(50) USING name #>> '{}'",
            )
        ],
    ),
    Case(
        "virtual generated column",
        [
            add(
                "item",
                "twice",
                models.GeneratedField(
                    expression=models.F("serial") * 2, output_field=Big(), db_persist=False
                ),
            )
        ],
        vendors=("mysql", "sqlite"),
    ),
    Case("select of a constant", [SQL("SELECT 1", NOOP)], vendors=EVERYWHERE),
]

_MYSQL = [
    Case(
        "instant column by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN z int NULL, ALGORITHM=INSTANT",
                "ALTER TABLE shop_item DROP COLUMN z",
            )
        ],
        vendors=MYSQL,
    ),
    Case("rebuild by engine", [SQL("ALTER TABLE shop_item ENGINE=InnoDB", NOOP)], vendors=MYSQL),
    Case(
        "convert character set",
        [SQL("ALTER TABLE shop_item CONVERT TO CHARACTER SET latin1", NOOP)],
        vendors=MYSQL,
    ),
    Case(
        "modify to a shorter text",
        [SQL("ALTER TABLE shop_item MODIFY note varchar(20) NOT NULL", NOOP)],
        vendors=MYSQL,
    ),
    Case(
        "delete by a join",
        [SQL("DELETE l FROM shop_small_labels l JOIN shop_small s ON s.id = l.small_id", NOOP)],
        vendors=MYSQL,
    ),
    Case(
        "update by a join",
        [
            SQL(
                "UPDATE shop_small s JOIN shop_category c ON c.id = s.category_id SET s.same = "
                "c.id",
                NOOP,
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "insert ignore",
        [SQL("INSERT IGNORE INTO shop_category (id, name) VALUES (1, 'c1')", NOOP)],
        vendors=MYSQL,
    ),
    Case(
        "replace into",
        [SQL("REPLACE INTO shop_empty (id, name) VALUES (1, 'e')", NOOP)],
        vendors=MYSQL,
    ),
    Case(
        "insert on duplicate key update",
        [
            SQL(
                "INSERT INTO shop_small (name, same) SELECT name, 0 FROM shop_category UNION "
                "SELECT name, 0 FROM shop_small ON DUPLICATE KEY UPDATE same = 0",
                NOOP,
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "rename two tables",
        [SQL("RENAME TABLE shop_small TO tiny", "RENAME TABLE tiny TO shop_small")],
        vendors=MYSQL,
    ),
    Case(
        "fulltext index",
        [SQL("CREATE FULLTEXT INDEX ft ON shop_item (note)", "DROP INDEX ft ON shop_item")],
        vendors=MYSQL,
    ),
    Case(
        "auto increment",
        [SQL("ALTER TABLE shop_small AUTO_INCREMENT = 100000", NOOP)],
        vendors=MYSQL,
    ),
    Case(
        "online index by SQL",
        [
            SQL(
                "CREATE INDEX corpus_idx ON shop_item (serial) ALGORITHM=INPLACE LOCK=NONE",
                "DROP INDEX corpus_idx ON shop_item",
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "checks off, then truncate",
        [
            SQL(
                [
                    "SET FOREIGN_KEY_CHECKS = 0",
                    "TRUNCATE TABLE shop_small_labels",
                    "SET FOREIGN_KEY_CHECKS = 1",
                ],
                NOOP,
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "change a column's name and type",
        [
            SQL(
                "ALTER TABLE shop_small CHANGE same same2 bigint NOT NULL",
                "ALTER TABLE shop_small CHANGE same2 same int NOT NULL",
            )
        ],
        vendors=MYSQL,
    ),
]

_SQLITE = [
    Case(
        "insert or replace",
        [SQL("INSERT OR REPLACE INTO shop_category (id, name) VALUES (1, 'other')", NOOP)],
        vendors=SQLITE,
    ),
    Case(
        "insert or ignore",
        [SQL("INSERT OR IGNORE INTO shop_category (id, name) VALUES (1, 'other')", NOOP)],
        vendors=SQLITE,
    ),
    Case("pragma", [SQL("PRAGMA user_version = 7", NOOP)], vendors=SQLITE),
    Case(
        "full text search",
        [SQL("CREATE VIRTUAL TABLE search USING fts5(name)", "DROP TABLE search")],
        vendors=SQLITE,
    ),
    Case(
        "sqlite trigger",
        [
            SQL(
                "CREATE TRIGGER tr AFTER INSERT ON shop_small BEGIN UPDATE shop_small SET same = "
                "1 WHERE id = new.id; END",
                "DROP TRIGGER tr",
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite trigger that refuses",
        [
            SQL(
                "CREATE TRIGGER tr BEFORE UPDATE ON shop_small BEGIN SELECT RAISE(ABORT, "
                "'append-only'); END",
                "DROP TRIGGER tr",
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite drops a column by SQL",
        [
            SQL(
                "ALTER TABLE shop_small DROP COLUMN given",
                "ALTER TABLE shop_small ADD COLUMN given integer",
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite renames a column by SQL",
        [
            SQL(
                "ALTER TABLE shop_small RENAME COLUMN given TO got",
                "ALTER TABLE shop_small RENAME COLUMN got TO given",
            )
        ],
        vendors=SQLITE,
    ),
    Case("sqlite vacuum", [SQL("VACUUM", NOOP)], atomic=False, vendors=SQLITE),
    Case(
        "sqlite remakes a table by hand",
        [
            SQL(
                "CREATE TABLE new_small AS SELECT * FROM shop_small; DROP TABLE shop_small; "
                "ALTER TABLE new_small RENAME TO shop_small",
                NOOP,
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite update from",
        [
            SQL(
                "UPDATE shop_small SET same = c.id FROM shop_category AS c WHERE c.id = "
                "shop_small.category_id",
                NOOP,
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite partial index, large table",
        [
            SQL(
                "CREATE INDEX corpus_idx ON shop_item (serial) WHERE slug IS NULL",
                "DROP INDEX corpus_idx",
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite view",
        [SQL("CREATE VIEW few AS SELECT id, name FROM shop_small", "DROP VIEW few")],
        vendors=SQLITE,
    ),
]

HOLDOUT = [*_PYTHON, *_DATA, *_SCHEMA, *_MYSQL, *_SQLITE]
