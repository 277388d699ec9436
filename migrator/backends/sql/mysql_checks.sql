-- Check constraints. MySQL names them uniquely within a schema.
SELECT
    t.table_schema AS table_schema,
    t.table_name AS relation,
    t.constraint_name AS name,
    c.check_clause AS expression,
    t.enforced = 'YES' AS valid
FROM information_schema.table_constraints AS t
JOIN information_schema.check_constraints AS c
    ON c.constraint_schema = t.constraint_schema AND c.constraint_name = t.constraint_name
WHERE t.table_schema IN %(schemas)s AND t.constraint_type = 'CHECK'
ORDER BY t.table_schema, t.table_name, t.constraint_name
