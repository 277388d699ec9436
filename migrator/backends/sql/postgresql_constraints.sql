-- Primary keys, uniques, foreign keys, checks, exclusions of the tables given. NOT NULL has rows
-- of its own since PostgreSQL 18; columns tell it already. Columns are told by number, as columns
-- of a table that is not among those given by name too. NULLS NOT DISTINCT is newer than 13:
-- where pg_index has no such column, its name means that of "older".
SELECT
    c.conrelid AS relation,
    c.conname AS name,
    c.contype AS kind,
    coalesce(c.conkey::text, '') AS columns,
    c.confrelid AS to_relation,
    CASE WHEN r.oid IS NULL OR pg_table_is_visible(r.oid) THEN '' ELSE n.nspname END AS to_schema,
    coalesce(r.relname, '') AS to_name,
    coalesce(c.confkey::text, '') AS to_columns,
    CASE WHEN r.oid IS NOT NULL AND other.oid IS NULL THEN ARRAY(
        SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (number, position)
        JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.number
        ORDER BY k.position
    ) END AS to_names,
    c.condeferrable AS deferrable,
    c.condeferred AS initially_deferred,
    c.confdeltype AS on_delete,
    c.confupdtype AS on_update,
    c.convalidated AS valid,
    CASE WHEN c.contype = 'u' THEN (
        SELECT i.nulls_not_distinct
        FROM (SELECT false AS indnullsnotdistinct) AS older
        CROSS JOIN LATERAL (
            SELECT p.indexrelid, indnullsnotdistinct AS nulls_not_distinct FROM pg_index AS p
        ) AS i
        WHERE i.indexrelid = c.conindid
    ) END AS nulls_not_distinct,
    CASE c.contype
        WHEN 'c' THEN pg_get_expr(c.conbin, c.conrelid)
        WHEN 'x' THEN pg_get_constraintdef(c.oid)
        ELSE ''
    END AS definition
FROM unnest(%(tables)s::oid[]) AS wanted (oid)
JOIN pg_constraint AS c
    ON c.conrelid = wanted.oid AND c.contype IN ('p', 'u', 'f', 'c', 'x')
LEFT JOIN pg_class AS r ON r.oid = c.confrelid
LEFT JOIN pg_namespace AS n ON n.oid = r.relnamespace
LEFT JOIN unnest(%(tables)s::oid[]) AS other (oid) ON other.oid = c.confrelid
-- A foreign key to a partitioned table has a hidden row for each partition of it.
WHERE NOT EXISTS (
    SELECT FROM pg_constraint AS parent
    WHERE parent.oid = c.conparentid AND parent.conrelid = c.conrelid
)
ORDER BY c.conrelid, c.conname
