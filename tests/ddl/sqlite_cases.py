"""The statements that are measured on SQLite, and the tables that they find."""

from __future__ import annotations

from tests.ddl.measured import Case

ROWS = 1000

SETUP = """
CREATE TABLE cat (id integer PRIMARY KEY AUTOINCREMENT, name varchar(20));
CREATE TABLE t (
  id integer PRIMARY KEY AUTOINCREMENT, i integer, j integer NOT NULL, v varchar(50), filler text,
  cat_id bigint REFERENCES cat (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX t_i ON t (i);
CREATE TABLE new__t (id integer PRIMARY KEY AUTOINCREMENT, i bigint, j integer, filler text);
CREATE VIEW vw AS SELECT id FROM t;
"""
_NO_TABLE = "it writes the schema alone: every writer waits, but for no table's sake"

CASES: tuple[Case, ...] = (
    Case("ALTER TABLE t ADD COLUMN x integer"),
    Case("ALTER TABLE t ADD COLUMN x integer NOT NULL DEFAULT 5"),
    Case("ALTER TABLE t ADD COLUMN x text DEFAULT 'a'"),
    Case("ALTER TABLE t ADD COLUMN x integer REFERENCES cat (id)"),
    Case("ALTER TABLE t ADD COLUMN x integer CHECK (x > 0)"),
    Case("ALTER TABLE t ADD COLUMN x integer GENERATED ALWAYS AS (i + 1) VIRTUAL"),
    Case("ALTER TABLE t ADD COLUMN x integer NOT NULL GENERATED ALWAYS AS (j + 1) VIRTUAL"),
    Case("ALTER TABLE t DROP COLUMN v"),
    Case("ALTER TABLE t RENAME COLUMN v TO w"),
    Case("ALTER TABLE cat RENAME TO kitten"),
    Case("CREATE INDEX z ON t (j)"),
    Case("CREATE UNIQUE INDEX z ON t (j) WHERE j > 3"),
    Case("DROP INDEX t_i"),
    Case("REINDEX t_i"),
    Case("INSERT INTO new__t (id, i, j, filler) SELECT id, i, j, filler FROM t"),
    Case("DROP TABLE cat"),
    Case("CREATE TABLE n (id integer PRIMARY KEY, c integer REFERENCES cat (id))", kept=_NO_TABLE),
    Case("DELETE FROM cat WHERE id = 3"),
    Case("UPDATE cat SET name = 'x' WHERE id = 3"),
    Case("INSERT INTO cat (name) VALUES ('x')"),
    Case("CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET i = 1 WHERE id = 1; END"),
    Case("CREATE VIEW v2 AS SELECT i FROM t", kept=_NO_TABLE),
    Case("DROP VIEW vw", kept=_NO_TABLE),
    Case("SELECT count(*) FROM t"),
    Case("PRAGMA user_version"),
)
