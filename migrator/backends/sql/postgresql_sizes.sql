-- Every table of one schema (of the search path, for "") with its size; partitions and
-- children of inheritance count for their parents. Rows as the planner guesses them: density
-- at the last ANALYZE times the pages of now. reltuples is -1 (before 14: 0 without pages)
-- where nothing is known yet. Measuring a file opens its table, which waits for whoever is
-- changing it; without it, the pages are those of the last VACUUM.
WITH RECURSIVE tree AS (
    SELECT c.oid AS root, c.oid AS relation
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm')
      AND n.nspname !~ '^pg_(catalog|toast|temp)'
      AND CASE WHEN %(schema)s::text = ''
               THEN n.nspname = ANY (current_schemas(false)) AND pg_table_is_visible(c.oid)
               ELSE n.nspname = %(schema)s::text END
    UNION ALL
    SELECT tree.root, i.inhrelid
    FROM tree
    JOIN pg_inherits AS i ON i.inhparent = tree.relation
), measured AS (
    SELECT
        tree.root,
        c.reltuples::float8 AS tuples,
        c.relpages,
        CASE WHEN %(measure)s THEN pg_relation_size(c.oid)
             ELSE c.relpages * current_setting('block_size')::bigint END AS heap,
        CASE WHEN %(measure)s THEN pg_total_relation_size(c.oid) END AS bytes
    FROM tree
    JOIN pg_class AS c ON c.oid = tree.relation AND c.relkind IN ('r', 'm')
)
SELECT
    root.relname::text AS name,
    sum(CASE
        WHEN m.root IS NULL OR m.heap = 0 THEN 0
        WHEN m.tuples < 0 OR (m.tuples = 0 AND m.relpages = 0) THEN 'NaN'
        WHEN m.relpages = 0 THEN m.tuples
        ELSE m.tuples / m.relpages * m.heap / current_setting('block_size')::float8
    END)::float8 AS rows,
    coalesce(sum(m.heap), 0)::bigint AS heap,
    CASE WHEN %(measure)s THEN coalesce(sum(m.bytes), 0)::bigint END AS bytes
FROM (SELECT DISTINCT root FROM tree) AS t
JOIN pg_class AS root ON root.oid = t.root
LEFT JOIN measured AS m ON m.root = t.root
GROUP BY root.oid, root.relname
ORDER BY root.relname
