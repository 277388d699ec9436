-- Sequences, the column that each feeds (as its owner, as identity, or by that column's
-- default), and the last value given out: the one before the first when never called, NULL
-- where the role may not know. An unlogged sequence cannot be read on a standby.
WITH spaces AS MATERIALIZED (
    SELECT oid, nspname, has_schema_privilege(oid, 'USAGE') AS usable
    FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
)
SELECT
    CASE WHEN pg_table_is_visible(s.oid) THEN '' ELSE n.nspname::text END AS schema,
    s.relname::text AS name,
    CASE WHEN f.oid IS NULL OR pg_table_is_visible(f.oid)
         THEN '' ELSE fn.nspname::text END AS table_schema,
    coalesce(f.relname::text, '') AS table_name,
    coalesce(a.attname::text, '') AS column,
    CASE WHEN n.usable
              AND has_sequence_privilege(s.oid, 'SELECT, USAGE')
              AND (s.relpersistence = 'p' OR NOT pg_is_in_recovery())
         THEN coalesce(pg_sequence_last_value(s.oid), q.seqstart - q.seqincrement)
    END AS last_value
FROM pg_class AS s
JOIN spaces AS n ON n.oid = s.relnamespace
JOIN pg_sequence AS q ON q.seqrelid = s.oid
LEFT JOIN LATERAL (
    SELECT d.refobjid AS relation, d.refobjsubid AS number, 1 AS rank
    FROM pg_depend AS d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid
      AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION ALL
    SELECT e.adrelid, e.adnum::integer, 2
    FROM pg_depend AS d
    JOIN pg_attrdef AS e ON e.oid = d.objid
    -- Not by classid's index: without statistics it would read every default for each sequence.
    WHERE d.classid::bigint = 'pg_attrdef'::regclass::bigint
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
    ORDER BY rank, relation, number
    LIMIT 1
) AS feeds ON true
LEFT JOIN pg_class AS f ON f.oid = feeds.relation
LEFT JOIN pg_namespace AS fn ON fn.oid = f.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = feeds.relation AND a.attnum = feeds.number
WHERE s.relkind = 'S'
  AND s.relpersistence <> 't'
  AND (pg_table_is_visible(s.oid) OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype = 'e'
  )
ORDER BY s.relname, n.nspname
