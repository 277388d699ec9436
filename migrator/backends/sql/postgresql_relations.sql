-- Tables (partitions and partitioned parents too) and what can be selected from like one.
-- A schema that stands in search_path but that the role may not use is invisible to
-- pg_table_is_visible; its relations are listed as unreadable instead of missing.
WITH path AS (
    SELECT replace(trim(BOTH ' "' FROM entry), '$user', current_user) AS name
    FROM unnest(string_to_array(current_setting('search_path'), ',')) AS entry
)
SELECT
    c.oid::bigint AS oid,
    CASE WHEN pg_table_is_visible(c.oid) OR n.nspname <> ALL (%(schemas)s::text[])
         THEN '' ELSE n.nspname::text END AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    has_schema_privilege(n.oid, 'USAGE')
        AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
        AS readable,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) ELSE '' END AS definition,
    CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid::bigint END AS root
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema'
  AND n.nspname !~ '^pg_'
  AND (
      pg_table_is_visible(c.oid)
      OR n.nspname = ANY (%(schemas)s::text[])
      OR (n.nspname IN (SELECT name FROM path) AND NOT has_schema_privilege(n.oid, 'USAGE'))
  )
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY c.relname, n.nspname
