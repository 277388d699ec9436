"""A second set of migrations that were written before the rules were read.

Of kinds that neither the corpus nor the first holdout has: `python -m tests.corpus --second`.
"""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.indexes import GistIndex, HashIndex
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import models

from tests.corpus import functions_second as f
from tests.corpus.case import EVERYWHERE, Case
from tests.corpus.holdout import MYSQL, SQLITE, Statement, python
from tests.corpus.shorthand import (
    NOOP,
    SQL,
    Big,
    Char,
    Int,
    M,
    Q,
    add,
    alter,
    check,
)

_PYTHON = [
    Case("python doubles by an expression", [python(f.double, f.halve)], vendors=EVERYWHERE),
    Case("python trims, which changes nothing", [python(f.trim_names)], vendors=EVERYWHERE),
    Case("python coalesces NULLs away", [python(f.coalesce_holes)], vendors=EVERYWHERE),
    Case("python maps choices by CASE", [python(f.case_when)]),
    Case("python maps choices and forgets the rest", [python(f.case_forgets_the_rest)]),
    Case(
        "python fills slugs of a column of the same plan",
        [add("small", "slug", models.SlugField(null=True))],
        then=[python(f.slugs_into_the_new)],
        vendors=EVERYWHERE,
    ),
    Case(
        "python fills slugs of a column that is there, empty",
        [python(f.slugs_in_bulk)],
        before=[add("small", "slug", models.SlugField(default=""))],
    ),
    Case(
        "python overwrites all slugs of a column that is there, empty",
        [python(f.slugs_into_the_new)],
        before=[add("small", "slug", models.SlugField(default=""))],
    ),
    Case("python updates or creates what is not there", [python(f.update_or_create_settings)]),
    Case("python updates or creates what is there", [python(f.update_or_create_that_is_there)]),
    Case(
        "python fills from a subquery",
        [add("small", "title", Char(max_length=50, null=True)), python(f.from_a_subquery)],
    ),
    Case("python merges categories", [python(f.merge_categories)]),
    Case("python prunes what is unused, which is nothing", [python(f.prune_unused)]),
    Case("python deletes where a subquery exists", [python(f.remove_what_exists_elsewhere)]),
    Case("python deletes raw", [python(f.raw_delete)]),
    Case(
        "python deletes by the editor, table named by the model",
        [python(f.truncate_by_editor)],
        vendors=EVERYWHERE,
    ),
    Case(
        "python copies into a new table",
        [
            M.CreateModel(
                "Copy",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("name", Char(max_length=50)),
                    ("same", Int()),
                ],
            ),
            python(f.copy_to_a_new_table),
        ],
        vendors=EVERYWHERE,
    ),
    Case("python changes JSON of a few rows", [python(f.change_json)]),
    Case(
        "python parses text into a new column",
        [add("small", "extra", models.JSONField(null=True))],
        then=[python(f.parse_text)],
    ),
    Case("python overwrites by setattr", [python(f.by_setattr)]),
    Case("python overwrites fields of a dict", [python(f.fields_by_name)]),
    Case("python tries to create", [python(f.tries_each)]),
    Case("python by another connection of the same alias", [python(f.through_connections)]),
    Case("python clears a column", [python(f.clears_a_column)], vendors=EVERYWHERE),
    Case("python fills forty NULLs of the large table", [python(f.fills_the_empty)]),
    Case("python rounds in bulk", [python(f.rounds)]),
    Case("python deletes through a reverse relation", [python(f.fix_through_a_set)]),
    Case(
        "python inside of SeparateDatabaseAndState",
        [M.SeparateDatabaseAndState([python(f.by_setattr)], [])],
        vendors=EVERYWHERE,
    ),
    Case(
        "python seeds inside of SeparateDatabaseAndState",
        [M.SeparateDatabaseAndState([python(f.tries_each)], [])],
    ),
]

_SQL = [
    Case(
        "SQL lowers, which changes nothing",
        [SQL("UPDATE shop_small SET name = lower(name)", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "SQL multiplies by two",
        [
            SQL(
                "UPDATE shop_small SET same = same * 2",
                "UPDATE shop_small SET same = same / 2",
            )
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "SQL empties a text",
        [SQL("UPDATE shop_small SET name = '' WHERE id = 20", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "SQL copies into a new column and renames both",
        [
            add("small", "score", Int(null=True)),
            SQL("UPDATE shop_small SET score = same", NOOP),
            M.RenameField("small", "same", "old_same"),
        ],
        vendors=EVERYWHERE,
    ),
    Case(
        "SQL moves NULL flags",
        [SQL("UPDATE shop_small SET holes = 0 WHERE holes IS NULL", NOOP)],
        vendors=EVERYWHERE,
    ),
    Case(
        "SQL keeps a copy of the table first",
        [
            SQL(
                "CREATE TABLE small_backup AS SELECT * FROM shop_small",
                "DROP TABLE small_backup",
            )
        ],
        vendors=EVERYWHERE,
    ),
]

_POSTGRESQL = [
    Case(
        "column of a new domain with a check, small table",
        [
            SQL(
                "CREATE DOMAIN posint AS integer CHECK (VALUE > 0);"
                " ALTER TABLE shop_small ADD COLUMN z posint",
                "ALTER TABLE shop_small DROP COLUMN z; DROP DOMAIN posint",
            )
        ],
    ),
    Case(
        "column of a domain without a check",
        [
            SQL(
                "CREATE DOMAIN plain AS integer; ALTER TABLE shop_item ADD COLUMN z plain",
                "ALTER TABLE shop_item DROP COLUMN z; DROP DOMAIN plain",
            )
        ],
    ),
    Case("hash index", [M.AddIndex("item", HashIndex(fields=["name"], name="hash_idx"))]),
    Case(
        "exclusion constraint, small table",
        [
            M.AddConstraint(
                "small",
                ExclusionConstraint(
                    name="excl",
                    expressions=[
                        (
                            models.Func(
                                models.F("id"),
                                models.F("id"),
                                function="int8range",
                                template="int8range(%(expressions)s, '[]')",
                            ),
                            "&&",
                        )
                    ],
                ),
            )
        ],
    ),
    Case(
        "check not valid with orphans, small table",
        [AddConstraintNotValid("small", check(Q(same__gte=1), name="c"))],
    ),
    Case(
        "check not valid, then validated, each in its own migration",
        [AddConstraintNotValid("item", check(Q(serial__gte=-1), name="c"))],
        then=[ValidateConstraint("item", "c")],
    ),
    Case(
        "identity by SQL",
        [
            SQL(
                "ALTER TABLE shop_small ALTER COLUMN same ADD GENERATED BY DEFAULT AS IDENTITY",
                "ALTER TABLE shop_small ALTER COLUMN same DROP IDENTITY",
            )
        ],
    ),
    Case(
        "rename a constraint by SQL",
        [
            SQL(
                "ALTER TABLE shop_small RENAME CONSTRAINT small_name_uniq TO small_name_key",
                "ALTER TABLE shop_small RENAME CONSTRAINT small_name_key TO small_name_uniq",
            )
        ],
    ),
    Case(
        "row level security without a policy",
        [
            SQL(
                "ALTER TABLE shop_small ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE shop_small DISABLE ROW LEVEL SECURITY",
            )
        ],
    ),
    Case(
        "merge statement that updates",
        [
            SQL(
                "MERGE INTO shop_small s USING shop_category c ON s.category_id = c.id"
                " WHEN MATCHED THEN UPDATE SET same = 99",
                NOOP,
            )
        ],
    ),
    Case(
        "merge statement that inserts only",
        [
            SQL(
                "MERGE INTO shop_category c USING (SELECT 'zz' AS name) n ON c.name = n.name"
                " WHEN NOT MATCHED THEN INSERT (name) VALUES (n.name)",
                NOOP,
            )
        ],
    ),
    Case(
        "truncate with cascade",
        [SQL("TRUNCATE shop_category CASCADE", NOOP)],
    ),
    Case(
        "session replication role",
        [
            SQL(
                [
                    "SET LOCAL session_replication_role = 'replica'",
                    "UPDATE shop_small SET category_id = 4711 WHERE id = 1",
                    "SET LOCAL session_replication_role = 'origin'",
                ],
                NOOP,
            )
        ],
    ),
    Case(
        "two columns in one statement, one with a volatile default",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN a int,"
                " ADD COLUMN b uuid DEFAULT gen_random_uuid()",
                "ALTER TABLE shop_item DROP COLUMN a, DROP COLUMN b",
            )
        ],
    ),
    Case(
        "timestamptz column with now()",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN a timestamptz NOT NULL DEFAULT now()",
                "ALTER TABLE shop_item DROP COLUMN a",
            )
        ],
    ),
    Case(
        "timestamptz column with clock_timestamp()",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN a timestamptz DEFAULT clock_timestamp()",
                "ALTER TABLE shop_item DROP COLUMN a",
            )
        ],
    ),
    Case(
        "serial column to a large table",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN n bigserial",
                "ALTER TABLE shop_item DROP COLUMN n",
            )
        ],
    ),
    Case(
        "drop a view and make it anew",
        [SQL("DROP VIEW few; CREATE VIEW few AS SELECT id FROM shop_small", NOOP)],
        setup=["CREATE VIEW few AS SELECT id, name FROM shop_small"],
    ),
    Case(
        "alter a column that a view uses",
        [alter("small", "name", Char(max_length=80))],
        setup=["CREATE VIEW few AS SELECT id, name FROM shop_small"],
    ),
    Case(
        "drop a column that a view uses",
        [M.RemoveField("small", "given")],
        setup=["CREATE VIEW few AS SELECT id, given FROM shop_small"],
    ),
    Case(
        "set access method parameters",
        [
            SQL(
                "ALTER TABLE shop_item SET (fillfactor = 80)",
                "ALTER TABLE shop_item RESET (fillfactor)",
            )
        ],
    ),
    Case(
        "comment by SQL, two statements",
        [
            SQL(
                ["COMMENT ON TABLE shop_item IS 'a'", "COMMENT ON COLUMN shop_item.name IS 'b'"],
                NOOP,
            )
        ],
    ),
    Case(
        "parameters of a statement",
        [SQL([("UPDATE shop_small SET same = %s WHERE name = %s", [5, "s2"])], NOOP)],
    ),
    Case(
        "gist index of another operator class",
        [
            M.AddIndex(
                "empty", GistIndex(models.Func("id", "id", function="int8range"), name="gist_idx")
            )
        ],
    ),
    Case(
        "operation of its own creates an index",
        [Statement("CREATE INDEX corpus_idx ON shop_item (serial)")],
    ),
    Case(
        "drop default by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ALTER COLUMN stated DROP DEFAULT",
                "ALTER TABLE shop_item ALTER COLUMN stated SET DEFAULT 7",
            )
        ],
    ),
    Case(
        "constraint trigger is disabled",
        [
            SQL(
                "ALTER TABLE shop_small DISABLE TRIGGER USER",
                "ALTER TABLE shop_small ENABLE TRIGGER USER",
            )
        ],
    ),
]

_MYSQL = [
    Case(
        "update by a join, other alias",
        [
            SQL(
                "UPDATE shop_category AS c INNER JOIN shop_small AS s ON s.category_id = c.id"
                " SET s.given = NULL",
                NOOP,
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "delete by a join with USING",
        [
            SQL(
                "DELETE FROM l USING shop_small_labels AS l JOIN shop_small AS s"
                " ON s.id = l.small_id WHERE s.same = 1",
                NOOP,
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "update by a join, NULLs only",
        [
            SQL(
                "UPDATE shop_small s JOIN shop_category c ON c.id = s.category_id"
                " SET s.holes = c.id WHERE s.holes IS NULL",
                NOOP,
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "delete by a join, nothing matches",
        [
            SQL(
                "DELETE l FROM shop_small_labels l LEFT JOIN shop_small s ON s.id = l.small_id"
                " WHERE s.id IS NULL",
                NOOP,
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "add column first",
        [SQL("ALTER TABLE shop_item ADD COLUMN z int NULL FIRST", "ALTER TABLE shop_item DROP z")],
        vendors=MYSQL,
    ),
    Case(
        "enum column",
        [
            SQL(
                "ALTER TABLE shop_small ADD COLUMN mood ENUM('sad', 'ok') NOT NULL DEFAULT 'ok'",
                "ALTER TABLE shop_small DROP COLUMN mood",
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "row format",
        [SQL("ALTER TABLE shop_item ROW_FORMAT=COMPRESSED", NOOP)],
        vendors=MYSQL,
    ),
    Case("optimize table", [SQL("OPTIMIZE TABLE shop_item", NOOP)], vendors=MYSQL),
    Case("analyze table, mariadb", [SQL("ANALYZE TABLE shop_item", NOOP)], vendors=MYSQL),
    Case(
        "insert select",
        [
            SQL(
                "INSERT INTO shop_category (name) SELECT CONCAT('n', id) FROM shop_small",
                NOOP,
            )
        ],
        vendors=MYSQL,
    ),
    Case(
        "update with order and limit",
        [SQL("UPDATE shop_small SET same = 70 ORDER BY id LIMIT 3", NOOP)],
        vendors=MYSQL,
    ),
]

_SQLITE = [
    Case(
        "sqlite update or replace",
        [SQL("UPDATE OR REPLACE shop_small SET name = 's2' WHERE name = 's3'", NOOP)],
        vendors=SQLITE,
    ),
    Case(
        "sqlite upsert that overwrites",
        [
            SQL(
                "INSERT INTO shop_small (name, same) SELECT name, 0 FROM shop_small WHERE true"
                " ON CONFLICT (name) DO UPDATE SET same = excluded.same",
                NOOP,
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite delete by a row value",
        [
            SQL(
                "DELETE FROM shop_small_labels WHERE (small_id, category_id) IN"
                " (SELECT id, id FROM shop_category)",
                NOOP,
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite adds a generated column by SQL",
        [
            SQL(
                "ALTER TABLE shop_item ADD COLUMN z integer"
                " GENERATED ALWAYS AS (serial * 2) VIRTUAL",
                "ALTER TABLE shop_item DROP COLUMN z",
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite adds a NOT NULL column by SQL",
        [
            SQL(
                "ALTER TABLE shop_small ADD COLUMN z integer NOT NULL DEFAULT 0",
                "ALTER TABLE shop_small DROP COLUMN z",
            )
        ],
        vendors=SQLITE,
    ),
    Case(
        "sqlite alters twice",
        [
            alter("item", "name", Char(max_length=80)),
            alter("item", "small", Big(default=0)),
        ],
        vendors=SQLITE,
    ),
    Case("sqlite reindex", [SQL("REINDEX shop_item", NOOP)], vendors=SQLITE),
]

SECOND = [*_PYTHON, *_SQL, *_POSTGRESQL, *_MYSQL, *_SQLITE]
