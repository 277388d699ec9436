-- Columns by position, of the tables given. A collation is named only where it is not its type's
-- own. A NOT NULL that is NOT VALID (18 and later) lets a column hold NULL.
SELECT
    a.attrelid AS relation,
    a.attnum AS number,
    a.attcollation AS collation_id,
    a.attname AS name,
    format_type(a.atttypid, a.atttypmod) AS type,
    NOT a.attnotnull OR n.attnum IS NOT NULL AS nullable,
    pg_get_expr(d.adbin, d.adrelid) AS expression,
    a.attidentity AS identity,
    a.attgenerated AS generated,
    CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation
         THEN l.collname ELSE '' END AS collation
FROM unnest(%(tables)s::oid[]) AS wanted (oid)
JOIN pg_attribute AS a ON a.attrelid = wanted.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
LEFT JOIN (
    SELECT conrelid, conkey[1] AS attnum
    FROM pg_constraint
    WHERE contype = 'n' AND NOT convalidated AND conrelid <> 0
) AS n ON n.conrelid = a.attrelid AND n.attnum = a.attnum
ORDER BY a.attrelid, a.attnum
