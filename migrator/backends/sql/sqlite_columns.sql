-- Columns by position. A virtual table (no root page) is left out: asking for its columns
-- fails where its module is not loaded.
SELECT
    m.name AS relation,
    c.name AS name,
    c.type AS type,
    c."notnull" AS required,
    c.dflt_value AS expression,
    c.pk AS key,
    c.hidden AS hidden
FROM sqlite_master AS m
JOIN pragma_table_xinfo(m.name) AS c
WHERE m.type = 'table' AND m.rootpage <> 0
ORDER BY m.name, c.cid
