-- Check constraints. MariaDB names them uniquely within a table only.
SELECT
    constraint_schema AS table_schema,
    table_name AS relation,
    constraint_name AS name,
    check_clause AS expression,
    1 AS valid
FROM information_schema.check_constraints
WHERE constraint_schema IN %(schemas)s
ORDER BY constraint_schema, table_name, constraint_name
