-- Indexes that do not implement a constraint; one row for each key or included column.
SELECT
    i.indrelid::bigint AS relation,
    x.relname::text AS name,
    i.indisunique AS "unique",
    m.amname::text AS method,
    coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS condition,
    i.indisvalid AND i.indisready AND i.indislive AS valid,
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
    k.position > i.indnkeyatts AS included,
    coalesce(a.attname::text, '') AS column,
    CASE WHEN a.attname IS NULL
         THEN pg_get_indexdef(i.indexrelid, k.position, false) ELSE '' END AS expression,
    m.amname = 'btree' AS ordered,
    coalesce(i.indoption[k.position - 1], 0) & 1 = 1 AS descending,
    coalesce(i.indoption[k.position - 1], 0) & 2 = 2 AS nulls_first,
    CASE WHEN o.opcdefault THEN '' ELSE coalesce(o.opcname::text, '') END AS opclass,
    CASE WHEN l.oid IS DISTINCT FROM coalesce(a.attcollation, 'pg_catalog.default'::regcollation)
         THEN coalesce(l.collname::text, '') ELSE '' END AS collation
FROM pg_index AS i
JOIN pg_class AS x ON x.oid = i.indexrelid
JOIN pg_am AS m ON m.oid = x.relam
CROSS JOIN LATERAL generate_series(1, i.indnatts::integer) AS k (position)
LEFT JOIN pg_attribute AS a
    ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.position - 1] AND a.attnum <> 0
LEFT JOIN pg_opclass AS o
    ON k.position <= i.indnkeyatts AND o.oid = i.indclass[k.position - 1]
LEFT JOIN pg_collation AS l
    ON k.position <= i.indnkeyatts AND l.oid = i.indcollation[k.position - 1]
WHERE i.indrelid = ANY (%(tables)s::oid[])
  AND NOT EXISTS (
      SELECT FROM pg_constraint AS c
      WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
  )
ORDER BY i.indrelid, x.relname, k.position
