-- Primary keys, uniques, foreign keys, checks, exclusions. NOT NULL has rows of its own since
-- PostgreSQL 18; columns tell it already. NULLS NOT DISTINCT is newer than 13: read through
-- to_jsonb, so that one query serves every version.
SELECT
    c.conrelid::bigint AS relation,
    c.conname::text AS name,
    c.contype::text AS kind,
    ARRAY(
        SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (number, position)
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.number
        ORDER BY k.position
    ) AS columns,
    CASE WHEN r.oid IS NULL OR pg_table_is_visible(r.oid)
         THEN '' ELSE n.nspname::text END AS to_schema,
    coalesce(r.relname::text, '') AS to_name,
    ARRAY(
        SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (number, position)
        JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.number
        ORDER BY k.position
    ) AS to_columns,
    c.condeferrable AS deferrable,
    c.condeferred AS initially_deferred,
    c.confdeltype::text AS on_delete,
    c.confupdtype::text AS on_update,
    c.convalidated AS valid,
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
    CASE c.contype
        WHEN 'c' THEN pg_get_expr(c.conbin, c.conrelid)
        WHEN 'x' THEN pg_get_constraintdef(c.oid)
        ELSE ''
    END AS definition
FROM pg_constraint AS c
LEFT JOIN pg_class AS r ON r.oid = c.confrelid
LEFT JOIN pg_namespace AS n ON n.oid = r.relnamespace
LEFT JOIN pg_index AS i ON i.indexrelid = c.conindid AND c.contype = 'u'
WHERE c.conrelid = ANY (%(tables)s::oid[])
  AND c.contype IN ('p', 'u', 'f', 'c', 'x')
  -- A foreign key to a partitioned table has a hidden row for each partition of it.
  AND NOT EXISTS (
      SELECT FROM pg_constraint AS parent
      WHERE parent.oid = c.conparentid AND parent.conrelid = c.conrelid
  )
ORDER BY c.conrelid, c.conname
