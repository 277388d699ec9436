"""The statements that are measured on MySQL and MariaDB, and the tables that they find."""

from __future__ import annotations

from tests.ddl.measured import Case

ROWS = 50

TABLES = {
    "cat": """CREATE TABLE cat (
        id int AUTO_INCREMENT PRIMARY KEY, code varchar(20) NOT NULL UNIQUE, name varchar(50)
    )""",
    "t": """CREATE TABLE t (
        id int AUTO_INCREMENT PRIMARY KEY, i int, j int NOT NULL, k int NOT NULL, s smallint,
        u int unsigned, big bigint, v20 varchar(20), v50 varchar(50), v200 varchar(200),
        v50i varchar(50), v50n varchar(50) NOT NULL, tx longtext, num numeric(8,2), fl float,
        dt datetime, dt6 datetime(6), d date, b bool, js json, ch char(32), bin varbinary(50),
        en enum('a', 'b'), lat varchar(50) CHARACTER SET latin1,
        bn varchar(50) COLLATE utf8mb4_bin, cat_id int, ux int,
        INDEX t_i (i), INDEX t_v50i (v50i), UNIQUE t_ux (ux), INDEX t_two (i, j),
        CONSTRAINT fk0 FOREIGN KEY (cat_id) REFERENCES cat (id), CONSTRAINT ck0 CHECK (j > -5)
    )""",
    "lone": "CREATE TABLE lone (id int PRIMARY KEY, x int NOT NULL, y varchar(10) NOT NULL)",
    "child": """CREATE TABLE child (
        id int PRIMARY KEY, cat_id int, CONSTRAINT fkc FOREIGN KEY (cat_id) REFERENCES cat (id)
    )""",
}
FILL = (
    "INSERT INTO cat SELECT seq, CONCAT('c', seq), 'n' FROM numbers",
    """INSERT INTO t SELECT seq, seq, seq, seq, 1, 1, seq,
    'a', 'a', 'a', CONCAT('v', seq), 'a', 't',
    1.5, 1.5, NOW(), NOW(6), CURDATE(), 1, '{}', 'c', 'b', 'a', 'l', 'b', seq, seq FROM numbers""",
    "INSERT INTO lone SELECT seq, seq, 'y' FROM numbers",
    "INSERT INTO child SELECT seq, seq FROM numbers",
)

_ADD = """
int|int NOT NULL DEFAULT 5|varchar(20) NOT NULL DEFAULT ''|datetime(6) NOT NULL DEFAULT NOW(6)
datetime(6) DEFAULT CURRENT_TIMESTAMP(6)|char(36) DEFAULT (uuid())
longtext|json|longtext DEFAULT 'x'|longtext NOT NULL DEFAULT ('x')|int NOT NULL|int FIRST
int AFTER i|int GENERATED ALWAYS AS (i + 1) STORED|int GENERATED ALWAYS AS (i + 1) VIRTUAL
int UNIQUE|int CHECK (x > 0)|int DEFAULT 5 CHECK (x > 0)|varchar(20) COLLATE utf8mb4_bin
bool DEFAULT true NOT NULL|int DEFAULT 1, ADD CONSTRAINT fkx FOREIGN KEY (x) REFERENCES cat (id)
int DEFAULT (1 + 1)|int NULL, ADD CONSTRAINT fkx FOREIGN KEY (x) REFERENCES cat (id)
int DEFAULT (ABS(-3))|varchar(10) DEFAULT (CONCAT('a', 'b'))|int COMMENT 'x'
date DEFAULT (CURDATE())
"""
_MODIFY = """
i int NULL|i int NOT NULL|j int NULL|j int NOT NULL|i bigint NULL|i smallint NULL
i int unsigned NULL|big int NULL|v20 varchar(60) NULL|v50 varchar(60) NULL|v50 varchar(63) NULL
v50 varchar(64) NULL|v50 varchar(100) NULL|v50 varchar(20) NULL|v200 varchar(400) NULL
v200 varchar(100) NULL|v20 varchar(100) NULL
v50i varchar(60) NULL|v50i varchar(100) NULL|v50n varchar(60) NOT NULL
v50n varchar(50) NULL|v50 varchar(60) NOT NULL|v50 longtext NULL|tx varchar(100) NULL
tx text NULL|num numeric(12,2) NULL|num numeric(8,3) NULL|fl double NULL|dt datetime(6) NULL
dt6 datetime NULL|d datetime NULL|en enum('a','b','c') NULL|en enum('b','a') NULL
ch char(40) NULL|ch varchar(32) NULL|bin varbinary(60) NULL|bin varbinary(300) NULL
v50 varchar(50) NULL DEFAULT 'x'|i int NULL DEFAULT 3|v50 varchar(50) COLLATE utf8mb4_bin NULL
v50i varchar(50) COLLATE utf8mb4_bin NULL|lat varchar(50) CHARACTER SET utf8mb4 NULL
bn varchar(60) COLLATE utf8mb4_bin NULL|v50 varchar(50) NULL FIRST|s bool NULL
u bigint unsigned NULL|cat_id int NOT NULL|id bigint AUTO_INCREMENT
ux bigint NULL|v20 varchar(20) NULL COMMENT 'x'
"""

CASES: tuple[Case, ...] = (
    *(
        Case(f"ALTER TABLE t ADD COLUMN x {part}")
        for line in _ADD.strip().splitlines()
        for part in line.split("|")
    ),
    *(
        Case(f"ALTER TABLE t MODIFY {part}")
        for line in _MODIFY.strip().splitlines()
        for part in line.split("|")
    ),
    Case("ALTER TABLE t ADD COLUMN x double DEFAULT (rand())", kept=(
        "MariaDB gives every row the same number, which nobody means who writes it"
    )),
    Case("ALTER TABLE t CHANGE i ii int NULL"),
    Case("ALTER TABLE t CHANGE i ii bigint NULL"),
    Case("ALTER TABLE t CHANGE v50 w50 varchar(60) NULL"),
    Case("ALTER TABLE t RENAME COLUMN i TO ii"),
    Case("ALTER TABLE t RENAME COLUMN cat_id TO kitten_id"),
    Case("ALTER TABLE t ALTER COLUMN i SET DEFAULT 5"),
    Case("ALTER TABLE t ALTER COLUMN k DROP DEFAULT"),
    Case("ALTER TABLE t DROP COLUMN v50"),
    Case("ALTER TABLE t DROP COLUMN v50i"),
    Case("ALTER TABLE t DROP COLUMN i"),
    Case("ALTER TABLE t DROP COLUMN ux"),
    Case("ALTER TABLE t DROP FOREIGN KEY fk0, DROP COLUMN cat_id"),
    Case("ALTER TABLE t ADD INDEX z (k)"),
    Case("ALTER TABLE t ADD INDEX z (v50(10), k)"),
    Case("CREATE INDEX z ON t (k)"),
    Case("CREATE UNIQUE INDEX z ON t (k)"),
    Case("ALTER TABLE t ADD CONSTRAINT z UNIQUE (k)"),
    Case("ALTER TABLE t ADD FULLTEXT INDEX z (v50)"),
    Case("DROP INDEX t_i ON t"),
    Case("ALTER TABLE t DROP INDEX t_ux"),
    Case("ALTER TABLE t DROP INDEX t_i, ADD INDEX t_i (k)"),
    Case("ALTER TABLE t RENAME INDEX t_i TO t_i2"),
    Case("ALTER TABLE t ADD CONSTRAINT ck CHECK (i > 0)"),
    Case("ALTER TABLE t DROP CONSTRAINT ck0"),
    Case("ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (k) REFERENCES cat (id)"),
    Case("ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (k) REFERENCES t (id)"),
    Case("ALTER TABLE t DROP FOREIGN KEY fk0"),
    Case("ALTER TABLE lone DROP PRIMARY KEY"),
    Case("ALTER TABLE lone DROP PRIMARY KEY, ADD PRIMARY KEY (x)"),
    Case("ALTER TABLE cat MODIFY id bigint AUTO_INCREMENT", kept="the server refuses it"),
    Case("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4"),
    Case("ALTER TABLE lone CONVERT TO CHARACTER SET latin1"),
    Case("ALTER TABLE lone CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", kept=(
        "the character set before is not in the schema; the worse case is said"
    )),
    Case("ALTER TABLE t DEFAULT CHARACTER SET latin1"),
    Case("ALTER TABLE t ENGINE=InnoDB"),
    Case("ALTER TABLE t FORCE"),
    Case("ALTER TABLE lone ENGINE=Aria", kept=(
        "the server accepts NOCOPY and copies all the same: it is another engine's file"
    )),
    Case("ALTER TABLE t ROW_FORMAT=COMPACT"),
    Case("ALTER TABLE t COMMENT='x'"),
    Case("ALTER TABLE t AUTO_INCREMENT=5000"),
    Case("ALTER TABLE t RENAME TO tt"),
    Case("RENAME TABLE lone TO only1"),
    Case("ALTER TABLE t ADD COLUMN x int, ADD INDEX z (x)"),
    Case("ALTER TABLE t ADD COLUMN x int, ADD COLUMN y int NOT NULL DEFAULT 4"),
    Case("ALTER TABLE t ADD COLUMN x int, MODIFY i bigint NULL"),
    Case("ALTER TABLE t ADD COLUMN x int, DROP COLUMN v50"),
    Case("CREATE TABLE n (id int PRIMARY KEY, c int, FOREIGN KEY (c) REFERENCES cat (id))"),
    Case("CREATE TABLE n LIKE t"),
    Case("DROP TABLE child"),
    Case("DROP TABLE t"),
    Case("TRUNCATE TABLE lone"),
    Case("DELETE FROM lone WHERE id < 3"),
    Case("UPDATE lone SET x = 3"),
    Case("INSERT INTO lone SELECT id + 500, 1, 'x' FROM cat"),
    Case("SELECT COUNT(*) FROM t"),
    Case("CREATE TRIGGER trg BEFORE INSERT ON t FOR EACH ROW SET NEW.i = 1"),
    Case("OPTIMIZE TABLE t", kept=(
        "it takes no ALGORITHM, and says in its result that it waited; it is ALTER TABLE … FORCE"
    )),
    Case("ANALYZE TABLE t"),
    Case("CREATE VIEW v AS SELECT id FROM t"),
)  # fmt: skip
