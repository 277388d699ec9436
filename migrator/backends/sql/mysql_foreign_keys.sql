-- Foreign keys, one row for each column. MariaDB does not tell the actions to a role that may
-- only SELECT.
SELECT
    k.table_schema AS table_schema,
    k.table_name AS relation,
    k.constraint_name AS name,
    k.column_name AS `column`,
    CASE WHEN k.referenced_table_schema = DATABASE()
         THEN '' ELSE k.referenced_table_schema END AS to_schema,
    k.referenced_table_name AS to_table,
    k.referenced_column_name AS to_column,
    COALESCE(r.delete_rule, 'NO ACTION') AS on_delete,
    COALESCE(r.update_rule, 'NO ACTION') AS on_update
FROM information_schema.key_column_usage AS k
LEFT JOIN information_schema.referential_constraints AS r
    ON r.constraint_schema = k.constraint_schema
    AND r.constraint_name = k.constraint_name
    AND r.table_name = k.table_name
WHERE k.table_schema IN %(schemas)s
  AND k.referenced_table_name IS NOT NULL
ORDER BY k.table_schema, k.table_name, k.constraint_name, k.ordinal_position
