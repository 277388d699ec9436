-- Indexes that do not implement a constraint, of the tables given; one row for each key or
-- included column, which is told by number. NULLS NOT DISTINCT is newer than 13: where pg_index
-- has no such column, its name means that of "older".
SELECT
    i.indrelid AS relation,
    x.relname AS name,
    i.indisunique AS "unique",
    m.amname AS method,
    coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS condition,
    i.indisvalid AND i.indisready AND i.indislive AS valid,
    i.nulls_not_distinct,
    k.position > i.indnkeyatts AS included,
    k.number,
    CASE WHEN k.number = 0
         THEN pg_get_indexdef(i.indexrelid, k.position::integer, false) ELSE '' END AS expression,
    coalesce(i.indoption[k.position - 1], 0) AS option,
    coalesce(o.opcname, '') AS opclass,
    l.oid AS collation_id,
    coalesce(l.collname, '') AS collation
FROM (SELECT false AS indnullsnotdistinct) AS older
CROSS JOIN LATERAL (
    SELECT p.*, indnullsnotdistinct AS nulls_not_distinct FROM pg_index AS p
) AS i
JOIN unnest(%(tables)s::oid[]) AS wanted (oid) ON wanted.oid = i.indrelid
JOIN pg_class AS x ON x.oid = i.indexrelid
JOIN pg_am AS m ON m.oid = x.relam
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, position)
LEFT JOIN pg_opclass AS o
    ON k.position <= i.indnkeyatts AND o.oid = i.indclass[k.position - 1] AND NOT o.opcdefault
LEFT JOIN pg_collation AS l
    ON k.position <= i.indnkeyatts AND l.oid = i.indcollation[k.position - 1]
WHERE NOT EXISTS (
    SELECT FROM pg_constraint AS c
    WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
)
ORDER BY i.indrelid, x.relname, k.position
