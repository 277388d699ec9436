"""The statements that are measured on PostgreSQL, and the tables that they find."""

from __future__ import annotations

from tests.ddl.measured import Case

ROWS = 1000

SETUP = """
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN anyint AS int;
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION fixed() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 5';
CREATE TABLE cat (id int PRIMARY KEY, code varchar(20) UNIQUE, name text);
INSERT INTO cat SELECT g, 'c' || g, 'n' FROM generate_series(1, 1000) g;
CREATE TABLE t (
  id serial PRIMARY KEY, i int, j int NOT NULL, big bigint, s smallint,
  v varchar(50), v50 varchar(50), ivx varchar(50), pat varchar(50), chk varchar(50),
  tx text, txi text, ch char(10), num numeric(8,2), numi numeric(8,2),
  ts timestamp, tsi timestamp, tz timestamptz, tz3 timestamptz(3), tm time(3), iv interval,
  d date, fl real, b boolean, u uuid, js json, jb jsonb, ip inet, cd cidr, cdi cidr,
  m mood, dom posint, arr varchar(10)[], ai anyint, bin bytea, vb varbit(8),
  nn int, nnv int, nno int, cat_id int, cat_code varchar(20), ux int,
  CONSTRAINT fk0 FOREIGN KEY (cat_id) REFERENCES cat (id),
  CONSTRAINT fkcode FOREIGN KEY (cat_code) REFERENCES cat (code) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT ck0 CHECK (i > -5), CONSTRAINT ckc CHECK (chk <> 'never'),
  CONSTRAINT nn_check CHECK (nn IS NOT NULL),
  CONSTRAINT nno_check CHECK (nno IS NOT NULL OR i IS NOT NULL)
);
INSERT INTO t (i, j, big, s, v, v50, ivx, pat, chk, tx, txi, ch, num, numi, ts, tsi, tz, tz3, tm,
  iv, d, fl, b, u, js, jb, ip, cd, cdi, m, dom, arr, ai, bin, vb, nn, nnv, nno, cat_id,
  cat_code, ux)
SELECT g, g, g, 1, 'v', 'v', 'v' || g, 'p' || g, 'c', 't', 't' || g, 'c', 1.5, 1.5, now(), now(),
  now(), now(), '10:00', '1 day', '2026-01-01', 1.5, true, gen_random_uuid(), '{}', '{}',
  '10.0.0.1', '10.0.0.0/8', '10.0.0.0/8', 'a', 5, '{a}', 1, 'x', B'101', g, g, g, g,
  'c' || g, g
FROM generate_series(1, 1000) g;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE t ADD CONSTRAINT nnv_check CHECK (nnv IS NOT NULL) NOT VALID;
ALTER TABLE t ADD CONSTRAINT ckn CHECK (i < 100000) NOT VALID;
ALTER TABLE t ADD CONSTRAINT fkn FOREIGN KEY (cat_id) REFERENCES cat (id) NOT VALID;
CREATE INDEX t_i ON t (i); CREATE INDEX t_ivx ON t (ivx); CREATE INDEX t_txi ON t (txi);
CREATE INDEX t_pat ON t (pat); CREATE INDEX t_pat_like ON t (pat varchar_pattern_ops);
CREATE INDEX t_tsi ON t (tsi); CREATE INDEX t_cdi ON t (cdi); CREATE INDEX t_numi ON t (numi);
CREATE UNIQUE INDEX t_ux ON t (ux); CREATE UNIQUE INDEX t_nn ON t (nn);
CREATE INDEX t_low ON t (lower(v)); CREATE INDEX t_part ON t (j) WHERE big > 5;
CREATE TABLE ch2 (id int PRIMARY KEY, cat_id int REFERENCES cat (id));
INSERT INTO ch2 SELECT g, g FROM generate_series(1, 1000) g;
CREATE TABLE lone (id int PRIMARY KEY, x int);
INSERT INTO lone SELECT g, g FROM generate_series(1, 1000) g;
CREATE TABLE part (id int, x int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF part FOR VALUES FROM (0) TO (2000);
INSERT INTO part SELECT g, g FROM generate_series(1, 1000) g;
CREATE TABLE p2 (id int, x int);
INSERT INTO p2 SELECT g + 2000, g FROM generate_series(0, 999) g;
CREATE TABLE p3 (id int, x int, CHECK (id >= 4000 AND id < 6000 AND id IS NOT NULL));
INSERT INTO p3 SELECT g + 4000, g FROM generate_series(0, 999) g;
CREATE TABLE parent (id int); CREATE TABLE child (x int) INHERITS (parent);
CREATE TABLE heir (id int);
CREATE TRIGGER trg0 BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY pol0 ON t; CREATE RULE rul0 AS ON UPDATE TO lone WHERE false DO INSTEAD NOTHING;
CREATE VIEW vw AS SELECT id FROM lone;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM lone; CREATE UNIQUE INDEX mv_id ON mv (id);
CREATE SCHEMA other; CREATE TABLE other.away (id int PRIMARY KEY, cat_id int REFERENCES cat (id));
INSERT INTO other.away SELECT g, g FROM generate_series(1, 1000) g;
CREATE STATISTICS st0 ON i, j FROM t;
ANALYZE;
"""

EXTENSIONS = {
    "citext": "CREATE EXTENSION citext; ALTER TABLE t ADD COLUMN ct citext DEFAULT 'x'",
    "btree_gist": "CREATE EXTENSION btree_gist",
}
"""Statements that need one are left out where the server has none."""

_TYPES = """
v50 varchar(100)|v50 varchar|v50 text|v50 varchar(20)|v50 citext|v50 char(50)|v50 varchar(50)
ivx varchar(100)|ivx text|ivx varchar(20)|ivx citext|pat varchar(60)|pat text|pat varchar(40)
chk varchar(100)|chk text|chk varchar(20)|tx varchar|tx varchar(100)|tx citext|txi varchar
txi citext|txi varchar(90)|ch varchar(10)|ch text|ch char(20)|s integer|i bigint|i smallint
big integer|i numeric|s text USING s::text|b integer USING b::integer|num numeric(12,2)
num numeric|num numeric(12,4)|num numeric(6,2)|num numeric(9)|numi numeric(12,2)|num integer
tz3 timestamptz(6)|tz3 timestamptz|tz timestamptz(3)|tz date|ts date|tm time(6)|tm time(0)
iv interval(3)|cd inet|cdi inet|ip cidr USING ip::cidr|js jsonb USING js::jsonb|fl double precision
ct text|ct varchar(30)|m text USING m::text|dom integer|i posint|i anyint|ai integer|ai posint
arr varchar(20)[]|arr varchar[]|arr text[]|vb varbit(16)|vb varbit(4)|vb varbit|u text USING u::text
v varchar(100)|v text
j bigint|id bigint|cat_id bigint|cat_code varchar(30)|cat_code varchar(10)
cat_code text|ux bigint|nn bigint|d timestamp|fl numeric|jb json USING jb::json|bin text USING 'x'
i integer USING i|i integer USING i + 1|v50 varchar(100) USING v50::varchar(100)
tx char(20) USING tx::char(20)|v50 varchar(100) USING lower(v50)|tx varchar(9) USING tx::varchar(9)
v50 varchar(50) COLLATE "C"|ivx varchar(50) COLLATE "C"|ivx text COLLATE "C"
v varchar(50) COLLATE "C"
"""
_DEFAULTS = """
int|int NOT NULL DEFAULT 5|int DEFAULT 5|text NOT NULL DEFAULT ''|timestamptz NOT NULL DEFAULT now()
timestamptz DEFAULT CURRENT_TIMESTAMP|timestamptz NOT NULL DEFAULT clock_timestamp()
timestamptz DEFAULT statement_timestamp()|uuid NOT NULL DEFAULT gen_random_uuid()
double precision DEFAULT random()|jsonb DEFAULT '{}'::jsonb|jsonb DEFAULT jsonb_build_object()
text DEFAULT lower('X')|int DEFAULT nextval('t_id_seq')|text DEFAULT md5(random()::text)
text[] DEFAULT ARRAY['a', 'b']|date DEFAULT now() + interval '1 day'|text DEFAULT current_user
bigserial|serial|bigint GENERATED ALWAYS AS IDENTITY|int GENERATED BY DEFAULT AS IDENTITY
int GENERATED ALWAYS AS (i + 1) STORED|posint
posint DEFAULT 5|anyint|anyint DEFAULT 5|mood DEFAULT 'a'
int CHECK (x > 0)|int DEFAULT 5 CHECK (x > 0)|int UNIQUE|int DEFAULT NULL|bool NOT NULL DEFAULT true
int REFERENCES cat(id)|int DEFAULT 1 REFERENCES cat(id)|int DEFAULT 1 NOT NULL REFERENCES cat(id)
int REFERENCES cat(id) DEFERRABLE INITIALLY DEFERRED|text DEFAULT to_char(now(), 'YYYY')
varchar(20) COLLATE "C"|numeric(10,2) DEFAULT 0|interval DEFAULT '1 day'|text DEFAULT timeofday()
"""

CASES: tuple[Case, ...] = (
    *(
        Case(
            f"ALTER TABLE t ALTER {column} TYPE {rest}",
            needs="citext" if "citext" in rest or column == "ct" else "",
        )
        for line in _TYPES.strip().splitlines()
        for column, _, rest in (part.partition(" ") for part in line.split("|"))
    ),
    *(
        Case(f"ALTER TABLE t ADD COLUMN x {part}")
        for line in _DEFAULTS.strip().splitlines()
        for part in line.split("|")
    ),
    Case("ALTER TABLE t ADD COLUMN x int DEFAULT fixed()", kept=(
        "a function of the project's own is taken for volatile: the text does not tell"
    )),
    Case("ALTER TABLE t ADD COLUMN x int GENERATED ALWAYS AS (i + 1) VIRTUAL", since=18),
    Case("ALTER TABLE t ADD COLUMN x uuid DEFAULT uuidv7()", since=18),
    *(
        Case(f"ALTER TABLE t ALTER {column} TYPE {kind}", f"SET LOCAL timezone = '{zone}'", zone)
        for column, kind in (("ts", "timestamptz"), ("tz", "timestamp"), ("tsi", "timestamptz"))
        for zone in ("UTC", "Europe/Paris")
    ),
    Case("ALTER TABLE cat ALTER id TYPE bigint"),
    Case("ALTER TABLE cat ALTER code TYPE varchar(30)"),
    Case("ALTER TABLE cat ALTER name TYPE varchar"),
    Case("ALTER TABLE lone ALTER x TYPE bigint, ADD COLUMN y int DEFAULT 4"),
    Case("ALTER TABLE t ALTER i SET DEFAULT 3"),
    Case("ALTER TABLE t ALTER i SET DEFAULT random()"),
    Case("ALTER TABLE t ALTER id DROP DEFAULT"),
    Case("ALTER TABLE t ALTER i SET NOT NULL"),
    Case("ALTER TABLE t ALTER j SET NOT NULL"),
    Case("ALTER TABLE t ALTER nn SET NOT NULL"),
    Case("ALTER TABLE t ALTER nnv SET NOT NULL"),
    Case("ALTER TABLE t ALTER nno SET NOT NULL"),
    Case("ALTER TABLE t ALTER j DROP NOT NULL"),
    Case("ALTER TABLE t ALTER i SET NOT NULL, ALTER v TYPE text, ALTER s SET DEFAULT 1"),
    Case("ALTER TABLE t ALTER j ADD GENERATED BY DEFAULT AS IDENTITY"),
    Case("ALTER TABLE t ALTER i SET STATISTICS 500"),
    Case("ALTER TABLE t ALTER i SET (n_distinct = 5)"),
    Case("ALTER TABLE t ALTER tx SET STORAGE EXTERNAL"),
    Case("ALTER TABLE t ALTER tx SET COMPRESSION pglz", since=14),
    Case("ALTER TABLE t DROP COLUMN v"),
    Case("ALTER TABLE t DROP COLUMN i"),
    Case("ALTER TABLE t DROP COLUMN cat_id"),
    Case("ALTER TABLE cat DROP COLUMN code CASCADE"),
    Case("ALTER TABLE t DROP COLUMN ivx CASCADE"),
    Case("ALTER TABLE t RENAME v TO vv"),
    Case("ALTER TABLE t RENAME TO tt"),
    Case("ALTER TABLE t RENAME CONSTRAINT ck0 TO ck1"),
    Case("ALTER TABLE t RENAME CONSTRAINT fk0 TO fk1"),
    Case("ALTER TABLE t SET SCHEMA other"),
    Case("ALTER TABLE t ADD CONSTRAINT ck CHECK (i > 0)"),
    Case("ALTER TABLE t ADD CONSTRAINT ck CHECK (i > 0) NOT VALID"),
    Case("ALTER TABLE t ADD CONSTRAINT ck CHECK (i > 0) NOT ENFORCED", since=18),
    Case("ALTER TABLE t ADD CONSTRAINT nl NOT NULL i", since=18),
    Case("ALTER TABLE t ADD CONSTRAINT nl NOT NULL i NOT VALID", since=18),
    Case("ALTER TABLE t ADD CONSTRAINT nl NOT NULL nn", since=18),
    Case("ALTER TABLE t VALIDATE CONSTRAINT ckn"),
    Case("ALTER TABLE t VALIDATE CONSTRAINT ck0"),
    Case("ALTER TABLE t VALIDATE CONSTRAINT fkn"),
    Case("ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (i) REFERENCES cat (id)"),
    Case("ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (i) REFERENCES cat (id) NOT VALID"),
    Case("ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (i) REFERENCES t (id)"),
    Case("ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (i) REFERENCES cat (id) "
         "DEFERRABLE INITIALLY DEFERRED; SET CONSTRAINTS fk IMMEDIATE"),
    Case("ALTER TABLE t DROP CONSTRAINT fk0"),
    Case("ALTER TABLE t DROP CONSTRAINT ck0"),
    Case("ALTER TABLE t DROP CONSTRAINT t_pkey"),
    Case("ALTER TABLE cat DROP CONSTRAINT cat_code_key CASCADE"),
    Case("ALTER TABLE cat DROP CONSTRAINT cat_pkey CASCADE"),
    Case("ALTER TABLE t ADD CONSTRAINT u UNIQUE (i)"),
    Case("ALTER TABLE t ADD CONSTRAINT u UNIQUE (i) DEFERRABLE"),
    Case("ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX t_ux"),
    Case("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (i)"),
    Case("ALTER TABLE t ADD PRIMARY KEY USING INDEX t_ux", "ALTER TABLE t DROP CONSTRAINT t_pkey"),
    Case("ALTER TABLE t ADD PRIMARY KEY USING INDEX t_nn", "ALTER TABLE t DROP CONSTRAINT t_pkey"),
    Case("ALTER TABLE p2 ADD PRIMARY KEY (id)"),
    Case("ALTER TABLE t ADD CONSTRAINT ex EXCLUDE USING gist (i WITH =)", needs="btree_gist"),
    Case("ALTER TABLE t ALTER CONSTRAINT fk0 DEFERRABLE"),
    Case("CREATE INDEX z ON t (big)"),
    Case("CREATE UNIQUE INDEX z ON t (big)"),
    Case("CREATE INDEX z ON t (lower(tx)) WHERE i > 5"),
    Case("CREATE INDEX z ON t USING gin (jb)"),
    Case("CREATE INDEX z ON ONLY part (x)"),
    Case("CREATE INDEX IF NOT EXISTS t_i ON t (i)", kept="IF NOT EXISTS is taken to be needed"),
    Case("DROP INDEX t_i"),
    Case("DROP INDEX t_ux"),
    Case("ALTER INDEX t_i RENAME TO t_i2"),
    Case("ALTER INDEX t_i SET (fillfactor = 80)"),
    Case("REINDEX TABLE t"),
    Case("REINDEX INDEX t_i"),
    Case("CREATE TABLE n (id bigserial PRIMARY KEY, cat_id int REFERENCES cat (id))"),
    Case("CREATE TABLE n (id int, FOREIGN KEY (id) REFERENCES cat (id))"),
    Case("CREATE TABLE n (LIKE t INCLUDING ALL)"),
    Case("CREATE TABLE n AS SELECT * FROM t"),
    Case("CREATE TABLE n PARTITION OF part FOR VALUES FROM (6000) TO (7000)"),
    Case("CREATE TABLE n () INHERITS (parent)"),
    Case("DROP TABLE lone CASCADE", kept="views that depend on a table are not in the schema"),
    Case("DROP TABLE heir CASCADE"),
    Case("DROP TABLE ch2"),
    Case("DROP TABLE t"),
    Case("DROP TABLE cat CASCADE"),
    Case("DROP TABLE p1", kept="the schema does not tell a partition from a table"),
    Case("TRUNCATE lone"),
    Case("TRUNCATE t, ch2"),
    Case("TRUNCATE cat CASCADE"),
    Case("DELETE FROM t WHERE i < 10"),
    Case("UPDATE t SET big = 4"),
    Case("INSERT INTO lone SELECT id + 5000, i FROM t"),
    Case("SELECT count(*) FROM t"),
    Case("SELECT * FROM t FOR UPDATE", kept="row locks alone are left out"),
    Case("ALTER TABLE lone SET UNLOGGED"),
    Case("ALTER TABLE lone SET UNLOGGED, ADD COLUMN y int"),
    Case("ALTER TABLE t SET (fillfactor = 80)"),
    Case("ALTER TABLE t SET (autovacuum_enabled = false)"),
    Case("ALTER TABLE t RESET (fillfactor)"),
    Case("ALTER TABLE t CLUSTER ON t_i"),
    Case("ALTER TABLE t SET WITHOUT CLUSTER"),
    Case("ALTER TABLE t OWNER TO CURRENT_USER"),
    Case("ALTER TABLE t REPLICA IDENTITY FULL"),
    Case("ALTER TABLE t ENABLE ROW LEVEL SECURITY"),
    Case("ALTER TABLE t FORCE ROW LEVEL SECURITY"),
    Case("ALTER TABLE t DISABLE TRIGGER USER"),
    Case("ALTER TABLE t DISABLE TRIGGER trg0"),
    Case("ALTER TABLE t ENABLE TRIGGER trg0"),
    Case("ALTER TABLE lone DISABLE RULE rul0"),
    Case("CREATE TRIGGER trg BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch()"),
    Case("CREATE CONSTRAINT TRIGGER trg AFTER INSERT ON t FROM cat FOR EACH ROW "
         "EXECUTE FUNCTION touch()"),
    Case("DROP TRIGGER trg0 ON t"),
    Case("ALTER TRIGGER trg0 ON t RENAME TO trg1"),
    Case("CREATE POLICY pol ON t"),
    Case("ALTER POLICY pol0 ON t USING (true)"),
    Case("DROP POLICY pol0 ON t"),
    Case("CREATE RULE rul AS ON UPDATE TO lone WHERE false DO INSTEAD NOTHING"),
    Case("DROP RULE rul0 ON lone"),
    Case("CREATE STATISTICS st ON big, s FROM t"),
    Case("DROP STATISTICS st0", kept="the table of a statistics object is not in its name"),
    Case("COMMENT ON COLUMN t.i IS 'x'"),
    Case("COMMENT ON TABLE t IS 'x'"),
    Case("COMMENT ON CONSTRAINT ck0 ON t IS 'x'"),
    Case("COMMENT ON INDEX t_i IS 'x'"),
    Case("GRANT SELECT ON t TO PUBLIC"),
    Case("ALTER TABLE part ATTACH PARTITION p2 FOR VALUES FROM (2000) TO (4000)"),
    Case("ALTER TABLE part ATTACH PARTITION p3 FOR VALUES FROM (4000) TO (6000)", kept=(
        "whether a CHECK proves the bounds is not judged; the scan is assumed"
    )),
    Case("ALTER TABLE part DETACH PARTITION p1"),
    Case("ALTER TABLE child NO INHERIT parent"),
    Case("ALTER TABLE heir INHERIT parent"),
    Case("ALTER TYPE mood ADD VALUE 'c'"),
    Case("ALTER TYPE mood RENAME TO humour"),
    Case("ALTER DOMAIN posint ADD CONSTRAINT less CHECK (VALUE < 100000)"),
    Case("ALTER DOMAIN posint ADD CONSTRAINT less CHECK (VALUE < 100000) NOT VALID"),
    Case("CREATE DOMAIN d2 AS int CHECK (VALUE > 5)"),
    Case("ALTER SEQUENCE t_id_seq RESTART WITH 5000"),
    Case("SELECT setval('t_id_seq', 9000)"),
    Case("CREATE VIEW v2 AS SELECT * FROM t"),
    Case("CREATE OR REPLACE VIEW vw AS SELECT id FROM lone"),
    Case("DROP VIEW vw"),
    Case("CREATE MATERIALIZED VIEW m2 AS SELECT * FROM t"),
    Case("CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    Case("DROP FUNCTION fixed()"),
    Case("CREATE EXTENSION IF NOT EXISTS citext", needs="citext"),
    Case("CREATE SCHEMA fresh"),
    Case("DROP SCHEMA other CASCADE"),
    Case("CLUSTER t USING t_i"),
    Case("LOCK TABLE t IN SHARE MODE"),
    Case("ANALYZE lone"),
    Case("CREATE INDEX CONCURRENTLY z ON lone (x)", apart=True),
    Case("CREATE UNIQUE INDEX CONCURRENTLY z ON lone (x)", apart=True),
    Case("DROP INDEX CONCURRENTLY t_i", apart=True),
    Case("REINDEX TABLE CONCURRENTLY lone", apart=True),
    Case("REINDEX INDEX CONCURRENTLY t_i", apart=True),
    Case("ALTER TABLE part DETACH PARTITION p1 CONCURRENTLY", apart=True, since=14),
    Case("VACUUM FULL lone", apart=True),
    Case("VACUUM lone", apart=True),
)  # fmt: skip
